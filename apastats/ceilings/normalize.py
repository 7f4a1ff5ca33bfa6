"""Scores as a share of what is reachable."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from apastats.arguments import applies, choice
from apastats.bootstrapping.tables import error_columns, how_many, warn_unsettled
from apastats.ceilings.noise_ceiling import (
    ALIKE,
    NoiseCeiling,
    warn_unlogged,
    without_interval,
)
from apastats.errors import CeilingError, CeilingWarning, DataError, DesignError, warn
from apastats.recording import verb
from apastats.resampling.intervals import Alternative, check_interval, from_replicates
from apastats.resampling.means import describe_cells, summarise_means
from apastats.resampling.plans import Resamples, subject_counts
from apastats.resampling.ratios import summarise_ratios
from apastats.results import Provenance, Result
from apastats.scoring.people import shares_about
from apastats.seeds import RngLike
from apastats.table import ScoreTable
from apastats.words import CHOSEN_LAYERS, STIMULI, Drawn, Info, Outcome


class NormalizedScores(Result):
    """Scores as a share of the noise ceiling, per model and cell.

    ``table`` has ``model``, the by-columns, ``estimate`` (share of the ceiling), ``ceiling, score,
    std_error, conf_low, conf_high, conf_level, difference`` (score minus ceiling), ``p_below`` (one-sided
    paired t test that the score is below the ceiling), ``n_subject, method`` and the Monte-Carlo columns
    of a bootstrap. ``arrays["score"]``, ``arrays["ceiling"]`` and ``arrays["person"]`` (each person's share in
    the mean ceiling) are ``[n_subject, n_row]``, so that they can be resampled together.
    """

    kind: ClassVar[str] = "normalized"


@verb
def normalize(
    table: ScoreTable,
    ceiling: NoiseCeiling,
    *,
    how: str = "ratio_of_means",
    bound: str | None = None,
    interval: str | None = None,
    conf_level: float = 0.95,
    alternative: Alternative = "two-sided",
    on_low: str = "error",
    n_resamples: Resamples = "auto",
    rng: RngLike = None,
) -> NormalizedScores:
    """Scores as a share of the noise ceiling, with the ceiling's uncertainty in the interval.

    Parameters
    ----------
    table : ScoreTable
        One row per subject, model and cell of the ceiling (choose layer and split first).
    ceiling : NoiseCeiling
        From :func:`noise_ceiling`, same subjects.
    how : {"ratio_of_means", "mean_of_ratios"}
        Mean score over mean ceiling (Fieller interval), or the mean over subjects of score over the
        subject's own ceiling (t interval), which explodes where a subject's ceiling is near zero.
    bound : str, optional
        Which of the ceiling's bounds, where it has several: ``"lower"`` or ``"upper"`` (Nili),
        ``"uncorrected"`` or ``"corrected"`` (split half).
    interval : str, optional
        ``ratio_of_means``: ``"fieller"`` (default), or a bootstrap that draws the subjects' scores and
        ceilings together: ``"studentized", "normal", "basic", "t"`` (on the log scale), ``"bca",
        "percentile"``. ``mean_of_ratios``: ``"t"`` (default) or any bootstrap interval.
    conf_level, alternative, n_resamples, rng
        As in :func:`apastats.bootstrap`.
    on_low : {"error", "nan"}
        What to do where the ceiling is not clearly above zero.

    Returns
    -------
    NormalizedScores

        Columns: ``model`` (model, or what is compared), ``roi`` (region), ``metric`` (measure of the scores),
        ``estimate`` (what is estimated, from the data themselves), ``score`` (score), ``ceiling`` (noise
        ceiling), ``std_error`` (standard error), ``conf_low`` (lower limit of the interval), ``conf_high``
        (upper limit of the interval), ``conf_level`` (level of the interval), ``difference`` (difference),
        ``p_below`` (p-value of being below the ceiling), ``n_subject`` (subjects), ``method`` (how the
        interval or test was made), ``mcse`` (Monte-Carlo standard error), ``conf_low_mcse`` (Monte-Carlo
        error of the lower limit), ``conf_high_mcse`` (Monte-Carlo error of the upper limit), ``settled``
        (whether more resamples could not change the decision).

    Raises
    ------
    CeilingError
        If a ceiling has no interval (two subjects that predict each other), or it reaches zero (or, for
        ``mean_of_ratios``, a subject's ceiling is not positive): the ratio has no bounded interval there.
        The cells and numbers are listed.

    See Also
    --------
    noise_ceiling, normalized_rows, margin

    Notes
    -----
    Fieller (1954): the interval holds all rho with
    ``(a - rho b)^2 <= t^2 (s_aa - 2 rho s_ab + rho^2 s_bb) / n``, a and b the means over the same subjects. The
    variance of the ceiling, its covariance with the scores, and the paired t test of ``p_below`` are those of each
    person's share in the mean ceiling (:func:`noise_ceiling`): subjects share pools and partners.
    Scores and ceiling are on the same scale; nothing is squared and nothing is clamped to 1.

    References
    ----------
    .. [1] Fieller, E. C. (1954). Some problems in interval estimation. Journal of the Royal Statistical
       Society: Series B, 16(2), 175–185. https://doi.org/10.1111/j.2517-6161.1954.tb00159.x
    .. [2] Schrimpf, M., Kubilius, J., Hong, H., Majaj, N. J., Rajalingham, R., Issa, E. B., Kar, K.,
       Bashivan, P., Prescott-Roy, J., Schmidt, K., Yamins, D. L. K., & DiCarlo, J. J. (2018). Brain-Score:
       Which artificial neural network for object recognition is most brain-like?. .
       https://doi.org/10.1101/407007

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=8, n_model=2, rng=1)
    >>> best = apa.select_layer(study.scores, on="train")
    >>> share = apa.normalize(best, apa.noise_ceiling(study.scores))
    >>> bool((share.tidy()["estimate"] > 0).all())
    True
    """
    choice("how", how, ("ratio_of_means", "mean_of_ratios"))
    choice("on_low", on_low, ("error", "nan"))
    mine = pick_bound(ceiling, bound)
    bound = str(ceiling.table["bound"].iloc[mine[0]])
    if interval is None:
        interval = "fieller" if how == "ratio_of_means" else "t"
    if interval != "fieller" or how != "ratio_of_means":
        check_interval(interval, conf_level, alternative)
    check_interval("t", conf_level, alternative)
    applies(
        "n_resamples",
        n_resamples,
        to=from_replicates(),
        chosen=interval,
        by="interval",
        default="auto",
    )
    by = list(ceiling.info.by)
    block = table.block(f"{table.outcomes[0]} ~ model | {' + '.join(by)}")
    subjects = [str(s) for s in ceiling.arrays["subjects"]]
    shared = [s for s in block.clusters if s in subjects]
    if len(shared) < 2:
        raise DesignError(
            f"normalize: scores and ceiling share {len(shared)} subjects; at least 2 are needed"
        )
    rows = ceiling.table[by].iloc[mine].itertuples(index=False, name=None)
    place = {tuple(row): j for j, row in zip(mine, rows, strict=True)}
    cells = list(block.cells.itertuples(index=False, name=None))
    lacking = [c for c in cells if c not in place]
    if lacking:
        raise DataError(f"normalize: no ceiling for {dict(zip(by, lacking[0], strict=True))}")
    score = block.values[[block.clusters.index(s) for s in shared]]
    names = np.array([place[c] for c in cells], dtype=np.intp)
    at = np.ix_(np.array([subjects.index(s) for s in shared]), names)
    reference, person = ceiling.arrays["values"][at], ceiling.arrays["person"][at]
    alike = without_interval(ceiling.info["ceiling_kind"], ceiling.arrays["values"][:, names])
    refuse_low(alike, reference, person, by, cells, how, on_low, conf_level)
    m, k = len(block.groups), len(cells)
    top = score.transpose(0, 2, 1).reshape(len(shared), k * m)
    own = np.repeat(reference, m, axis=1)
    paired = np.where(np.isfinite(top), own, np.nan)
    bottom = shares_about(np.repeat(person, m, axis=1), paired)
    drawn = interval in from_replicates()
    plan = subject_counts(len(shared), n_resamples if drawn else 1, rng)
    options: dict[str, Any] = {"conf_level": conf_level, "alternative": alternative}
    if how == "mean_of_ratios":
        with np.errstate(invalid="ignore", divide="ignore"):
            # what a person adds to the others' ceilings acts on the mean share in proportion
            others = (bottom - paired) / np.nanmean(paired, axis=0)
            share = top / own - np.nanmean(top / own, axis=0) * others
            found = summarise_means(share, plan, [interval], **options)
    else:
        found = summarise_ratios(top, bottom, plan, [interval], **options)
        warn_unlogged(found, interval)
    low, high = found.limits[interval][:2]
    gap, gap_error, gap_n = describe_cells(top - bottom)
    with np.errstate(invalid="ignore", divide="ignore"):
        p_below = stdtr(gap_n - 1.0, gap / gap_error)
    table_out = pd.DataFrame(
        {"model": np.tile(block.groups["model"].to_numpy(), k)}
        | {c: np.repeat([cell[i] for cell in cells], m) for i, c in enumerate(by)}
    ).assign(
        estimate=found.estimate,
        score=describe_cells(top)[0],
        ceiling=describe_cells(own)[0],
        std_error=found.std_error,
        conf_low=low,
        conf_high=high,
        conf_level=conf_level,
        difference=gap,
        p_below=p_below,
        n_subject=found.n,
        method=how,
        **error_columns(found.std_error, found.limits[interval][2:]),
    )
    together = "scores and ceilings of the same subjects together"
    info = Info(
        estimand="share of the noise ceiling",
        outcome=Outcome(table.outcomes[0], scale="share of the noise ceiling"),
        method=f"score / noise ceiling, {how.replace('_', ' ')}",
        interval={"fieller": "Fieller", "t": "t"}.get(interval, interval),
        null="the score is not below the ceiling (one-sided paired t test)",
        by=by,
        n_subject=len(shared),
        conf_level=conf_level,
        alternative=alternative,
        resampled=(
            Drawn(together, number=how_many(plan))
            if drawn
            else Drawn(sample="numerator and ceiling vary together over subjects")
        ),
        held_fixed=(STIMULI, CHOSEN_LAYERS),
        extra={"ceiling": ceiling.info["method"], "bound": bound, "how": how.replace("_", " ")},
    )
    arrays = {
        "score": top,
        "ceiling": own,
        "person": bottom,
        "subjects": np.asarray(shared, dtype=str),
    }
    provenance = Provenance(data_hash=table.hash, seed=plan.seed if drawn else "")
    notes = warn_unsettled(table_out, ["model", *by], info.but(n_resamples=plan.n_resamples))
    return NormalizedScores(table_out, info, provenance, arrays, notes)


def pick_bound(ceiling: NoiseCeiling, bound: str | None) -> np.ndarray:
    """Rows of a ceiling that belong to one of its bounds."""
    bounds = list(dict.fromkeys(ceiling.table["bound"]))
    if bound is None and len(bounds) == 1:
        bound = bounds[0]
    choice("bound", bound, bounds)
    return np.flatnonzero((ceiling.table["bound"] == bound).to_numpy())


def refuse_low(
    alike: np.ndarray,
    reference: np.ndarray,
    person: np.ndarray,
    by: list[str],
    cells: list[tuple],
    how: str,
    on_low: str,
    conf_level: float,
) -> None:
    """Refuse (or blank) cells whose ceiling is not clearly above zero; edits ``reference`` in place."""
    mean, error, n = describe_cells(shares_about(person, reference))
    low = mean - stdtrit(np.maximum(n - 1.0, 1.0), 0.5 + conf_level / 2) * error
    bad = ~(low > 0) | alike
    if how == "mean_of_ratios":
        bad |= (reference <= 0).any(axis=0)
    if not bad.any():
        return
    shown = "; ".join(
        f"{' / '.join(map(str, cells[j]))}: mean {mean[j]:.4g}, "
        + (f"no interval ({ALIKE})" if alike[j] else f"interval from {low[j]:.4g}, ")
        + ("" if alike[j] else f"smallest subject {np.nanmin(reference[:, j]):.4g}")
        for j in np.flatnonzero(bad)[:5]
    )
    message = f"noise ceiling not clearly above zero in {int(bad.sum())} of {len(cells)} cells of {by}: {shown}"
    if on_low == "error":
        raise CeilingError(
            f"{message}. A share of such a ceiling means nothing; leave these cells out, or on_low='nan'."
        )
    warn(f"{message}. NaN there.", CeilingWarning)
    reference[:, bad] = np.nan
