"""References and noise ceilings, and scores as a share of the ceiling."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from apastats.ceilings.forms import nili_values, within_subject_values
from apastats.ceilings.tables import table_values
from apastats.errors import CeilingError, CeilingWarning, DataError, DesignError, InputError
from apastats.estimates.tables import error_columns, give_warnings, how_many, warn_unsettled
from apastats.resampling.intervals import Alternative, Interval, check_interval
from apastats.resampling.means import MeanSummary, describe_cells, summarise_means
from apastats.resampling.plans import Resamples, subject_counts
from apastats.resampling.ratios import summarise_ratios
from apastats.results import Provenance, Result, describe_call
from apastats.seeds import RngLike, seed_sequence
from apastats.table import ScoreTable

if TYPE_CHECKING:
    from apastats.io.rdms import RDMSet

__all__ = ["NoiseCeiling", "NormalizedScores", "noise_ceiling", "normalize"]

CEILING_KINDS = ("leave_one_out", "subject_to_subject", "nili", "split_half", "repeat")
FROM_RDMS = ("nili", "split_half", "repeat")
_MEANING = {
    "leave_one_out": "the mean of all other subjects predicts the subject (same ROI)",
    "subject_to_subject": "one other subject predicts the subject (same ROI), averaged over partners",
    "split_half": "one half of a subject's own RDMs predicts the other half",
    "repeat": "the pool of a subject's other RDMs predicts each of them",
    "nili": "lower: the pooled RDM of the other subjects; upper: the pooled RDM of all subjects (Nili et al. 2014)",
}


class NoiseCeiling(Result):
    """Noise ceiling per cell.

    ``table`` has the by-columns, ``bound`` (``reference``, or ``lower`` and ``upper`` for Nili's
    bounds), ``estimate, std_error, statistic, df, p_value`` (one-sided, against chance), ``conf_low,
    conf_high, conf_level, n_subject, method``, and the Monte-Carlo columns of
    :class:`apastats.estimates.results.BootstrapResult`.
    ``arrays["values"]`` is ``[n_subject, n_row]``, the per-subject ceilings in the order of the table;
    ``arrays["subjects"]`` the labels.
    """

    kind: ClassVar[str] = "noise_ceiling"

    def per_subject(self) -> pd.DataFrame:
        """Ceiling of every subject, long: the by-columns, ``bound, subject, value``."""
        by = [*self.info["by"], "bound"]
        frames = [
            self.table[by].assign(subject=str(s), value=self.arrays["values"][i])
            for i, s in enumerate(self.arrays["subjects"])
        ]
        return pd.concat(frames, ignore_index=True)


class NormalizedScores(Result):
    """Scores as a share of the noise ceiling, per model and cell.

    ``table`` has ``model``, the by-columns, ``estimate`` (share of the ceiling), ``ceiling, score,
    std_error, conf_low, conf_high, conf_level, difference`` (score minus ceiling), ``p_below`` (one-sided
    paired t test that the score is below the ceiling), ``n_subject, method`` and the Monte-Carlo columns
    of a bootstrap. ``arrays["score"]`` is ``[n_subject, n_row]`` and ``arrays["ceiling"]`` likewise, so
    that both can be resampled together.
    """

    kind: ClassVar[str] = "normalized"


def _check_level(conf_level: float) -> float:
    if not isinstance(conf_level, (int, float)) or not 0 < conf_level < 1:
        raise InputError("conf_level", conf_level, "a number between 0 and 1")
    return float(conf_level)


def noise_ceiling(
    data: ScoreTable | RDMSet | Any,
    *,
    kind: str = "leave_one_out",
    by: Sequence[str] = ("roi", "metric"),
    split: str | None = None,
    method: str = "corr",
    within: str = "session",
    chance: float = 0.0,
    interval: Interval = "t",
    conf_level: float = 0.95,
    alternative: Alternative = "two-sided",
    n_resamples: Resamples = "auto",
    rng: RngLike = None,
) -> NoiseCeiling:
    """Noise ceiling per ROI (and metric), with every subject's own value kept.

    Parameters
    ----------
    data : ScoreTable or RDMs
        A score table with brain rows (kinds ``leave_one_out`` and ``subject_to_subject``), or brain
        RDMs with labels ``subject`` and ``roi`` for the other kinds. ``split_half`` and ``repeat`` also
        take a score table in which subjects predict themselves (see Notes).
    kind : {"leave_one_out", "subject_to_subject", "nili", "split_half", "repeat"}
        What the ceiling is: the mean of the other subjects predicts a subject; one other subject does
        (averaged over partners); lower and upper bound of Nili et al. (2014); halves of a subject's
        own RDMs, with the Spearman-Brown correction; each of a subject's RDMs against the pool of the
        subject's others.
    by : sequence of str
        Cells the ceiling is computed in; ``roi`` must be among them.
    split : str, optional
        Split of the score table; ``"test"`` where there are several.
    method : str
        Comparison of RDMs, for the kinds that are made from them.
    within : str
        Label that tells the RDMs of one subject apart (``"session"``, ``"repeat"``), for
        ``split_half`` and ``repeat``; in a score table the column of the predicted session. Where a
        score table has that column, a subject's ceiling is the mean over it; name it in ``by`` for
        ceilings of every session.
    chance : float
        Score that a subject without any shared signal would have; the ceiling is tested against it,
        one-sided.
    interval, conf_level, alternative, n_resamples, rng
        Interval over subjects: ``t``, or a bootstrap one as in :func:`apastats.bootstrap`. Subjects
        are drawn with the ceiling they have in the data: the pool a drawn subject is compared with
        holds every other subject once, so no copy of it is ever in that pool.

    Returns
    -------
    NoiseCeiling

    Raises
    ------
    DataError
        If there are no rows of that kind in which predictor ROI and target ROI are the same.
    DesignError
        If there are fewer than two subjects.
    InputError
        If an argument is not allowed.

    Warns
    -----
    DegenerateWarning, MonteCarloWarning, SmallSampleWarning
        As :func:`apastats.bootstrap`.

    Notes
    -----
    leave_one_out: ``c_s = score(mean of others, ROI t -> subject s, ROI t)``; subject_to_subject:
    ``c_s = mean over partners p of score(p, t -> s, t)``; the ceiling is the mean of ``c_s`` over
    subjects. ``split_half`` and ``repeat`` of a score table: rows of kind ``subject_to_subject`` in which
    a subject's own other session predicts (``model`` is the subject, the column
    ``predictor_<within>`` the predicting session). Scores of models in several sessions do not hold
    this: they say how stable a score is, not how well a brain predicts itself. Nili's bounds:
    ``mean_s sim(pool(R_without_s), r_s)`` and ``mean_s sim(pool(R), r_s)``
    (Nili et al. 2014, PLoS Comput Biol 10:e1003553).

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=6, n_model=2, rng=1)
    >>> apa.noise_ceiling(study.scores).tidy()["n_subject"].unique().tolist()
    [6]
    """
    conf_level = _check_level(conf_level)
    if kind not in CEILING_KINDS:
        raise InputError("kind", kind, f"one of {list(CEILING_KINDS)}")
    by = [by] if isinstance(by, str) else list(by)
    check_interval(interval, conf_level, alternative)
    if isinstance(chance, bool) or not isinstance(chance, (int, float)) or not np.isfinite(chance):
        raise InputError("chance", chance, "a finite number")
    root = seed_sequence(rng)
    if kind in FROM_RDMS and not isinstance(data, ScoreTable):
        if kind == "nili":
            labels, values, subjects, data_hash = nili_values(data, method)
            note = f"{kind}, {method}"
        else:
            found, how = within_subject_values(data, method, form=kind, within=within, rng=root)
            labels, values, subjects, data_hash = found
            note = f"{kind}, {method}, {how}"
        by = [c for c in labels.columns if c != "bound"]
    else:
        if not isinstance(data, ScoreTable):
            raise InputError("data", type(data).__name__, f"a ScoreTable for kind={kind!r}")
        if kind == "nili":
            raise InputError("kind", kind, "for RDMs: the pools of Nili's bounds are made of them")
        if "roi" not in by:
            raise InputError("by", by, "columns with 'roi' among them")
        labels, values, subjects = table_values(data, kind, by, split, within)
        data_hash, note = data.hash, kind
    if len(subjects) < 2:
        raise DesignError(f"noise_ceiling: {len(subjects)} subject; at least 2 are needed")
    plan = subject_counts(len(subjects), n_resamples if interval != "t" else 1, root)
    summary = summarise_means(
        values, plan, [interval], conf_level=conf_level, alternative=alternative
    )
    low, high = summary.limits[interval][:2]
    df = summary.n - 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        t = (summary.estimate - chance) / summary.std_error
    table = labels.assign(
        estimate=summary.estimate,
        std_error=summary.std_error,
        statistic=t,
        df=df,
        p_value=stdtr(df, -t),
        conf_low=low,
        conf_high=high,
        conf_level=conf_level,
        n_subject=summary.n,
        method=note,
        **error_columns(summary.std_error, summary.limits[interval][2:]),
    )
    drawn = interval != "t"
    info = {
        "method": f"noise ceiling, {kind.replace('_', '-')}: {_MEANING[kind]}",
        "ceiling_kind": kind,
        "by": by,
        "n_subject": len(subjects),
        "conf_level": conf_level,
        "interval": f"{interval} over subjects",
        "null": f"the ceiling is {chance:g} (one-sided)",
        "resampled": f"subjects ({how_many(plan)})"
        if drawn
        else "nothing (subjects are the sample)",
        "held_fixed": "stimuli" + (", partners" if kind == "subject_to_subject" else ""),
    }
    call = describe_call(
        "noise_ceiling", data, kind=kind, by=tuple(by), split=split, interval=interval
    )
    arrays = {"values": values, "subjects": np.asarray(subjects, dtype=str)}
    seed = plan.seed if drawn else ""
    drawing = {"interval": interval, "n_resamples": plan.n_resamples}
    notes = give_warnings(table, [*by, "bound"], drawing)
    return NoiseCeiling(table, info, Provenance(call, data_hash, seed), arrays, notes)


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

    Raises
    ------
    CeilingError
        If a ceiling's own interval reaches zero (or, for ``mean_of_ratios``, a subject's ceiling is not
        positive): the ratio has no bounded interval there. The cells and numbers are listed.

    Notes
    -----
    Fieller (1954): the interval holds all rho with
    ``(a - rho b)^2 <= t^2 (s_aa - 2 rho s_ab + rho^2 s_bb) / n``, a and b the means over the same subjects.
    Scores and ceiling are on the same scale; nothing is squared and nothing is clamped to 1.

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=6, n_model=2, rng=1)
    >>> best = apa.select_layer(study.scores, on="train")
    >>> share = apa.normalize(best, apa.noise_ceiling(study.scores))
    >>> bool((share.tidy()["estimate"] > 0).all())
    True
    """
    conf_level = _check_level(conf_level)
    if how not in ("ratio_of_means", "mean_of_ratios"):
        raise InputError("how", how, "'ratio_of_means' or 'mean_of_ratios'")
    if on_low not in ("error", "nan"):
        raise InputError("on_low", on_low, "'error' or 'nan'")
    if not isinstance(ceiling, NoiseCeiling):
        raise InputError("ceiling", ceiling, "a NoiseCeiling")
    given, bounds = bound, list(dict.fromkeys(ceiling.table["bound"]))
    if bound is None and len(bounds) == 1:
        bound = bounds[0]
    if bound not in bounds:
        raise InputError("bound", bound, f"one of the bounds of the ceiling, {bounds}")
    if interval is None:
        interval = "fieller" if how == "ratio_of_means" else "t"
    if interval != "fieller" or how != "ratio_of_means":
        check_interval(interval, conf_level, alternative)
    check_interval("t", conf_level, alternative)
    by = list(ceiling.info["by"])
    block = table.block(f"{table.outcomes[0]} ~ model | {' + '.join(by)}")
    subjects = [str(s) for s in ceiling.arrays["subjects"]]
    shared = [s for s in block.clusters if s in subjects]
    if len(shared) < 2:
        raise DesignError(
            f"normalize: scores and ceiling share {len(shared)} subjects; at least 2 are needed"
        )
    mine = np.flatnonzero((ceiling.table["bound"] == bound).to_numpy())
    rows = ceiling.table[by].iloc[mine].itertuples(index=False, name=None)
    place = {tuple(row): j for j, row in zip(mine, rows, strict=True)}
    cells = list(block.cells.itertuples(index=False, name=None))
    lacking = [c for c in cells if c not in place]
    if lacking:
        raise DataError(f"normalize: no ceiling for {dict(zip(by, lacking[0], strict=True))}")
    score = block.values[[block.clusters.index(s) for s in shared]]
    reference = ceiling.arrays["values"][[subjects.index(s) for s in shared]][
        :, [place[c] for c in cells]
    ]
    _refuse_low(reference, by, cells, how, on_low, conf_level)
    m, k = len(block.groups), len(cells)
    top = score.transpose(0, 2, 1).reshape(len(shared), k * m)
    bottom = np.repeat(reference, m, axis=1)
    drawn = interval not in ("fieller", "t")
    plan = subject_counts(len(shared), n_resamples if drawn else 1, rng)
    options: dict[str, Any] = {"conf_level": conf_level, "alternative": alternative}
    if how == "mean_of_ratios":
        with np.errstate(invalid="ignore", divide="ignore"):
            found = summarise_means(top / bottom, plan, [cast(Interval, interval)], **options)
    else:
        found = summarise_ratios(top, bottom, plan, [cast(Interval, interval)], **options)
        _warn_unlogged(found, interval)
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
        ceiling=describe_cells(bottom)[0],
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
    info = {
        "method": f"score / noise ceiling, {how.replace('_', ' ')}",
        "ceiling": ceiling.info["method"],
        "bound": bound if len(bounds) > 1 else None,
        "interval": {"fieller": "Fieller", "t": "t over subjects"}.get(interval, interval),
        "null": "p_below: the score is not below the ceiling (one-sided paired t test)",
        "by": by,
        "n_subject": len(shared),
        "conf_level": conf_level,
        "alternative": alternative,
        "resampled": f"{together} ({how_many(plan)})"
        if drawn
        else "nothing; numerator and ceiling vary together over subjects",
        "held_fixed": "stimuli, chosen layers",
    }
    arrays = {"score": top, "ceiling": bottom, "subjects": np.asarray(shared, dtype=str)}
    call = describe_call("normalize", table, ceiling, how=how, bound=given, interval=interval)
    provenance = Provenance(call, table.hash, plan.seed if drawn else "")
    notes = warn_unsettled(table_out, ["model", *by], info | {"n_resamples": plan.n_resamples})
    return NormalizedScores(table_out, info, provenance, arrays, notes)


def _warn_unlogged(found: MeanSummary, interval: str) -> None:
    """Warn of ratios that have no interval on the log scale."""
    logs = interval in ("studentized", "normal", "basic", "t")
    bad = logs & ~(found.estimate > 0) & np.isfinite(found.estimate)
    if bad.any():
        warnings.warn(
            CeilingWarning(
                f"{int(bad.sum())} shares of the ceiling are not positive (first: "
                f"{found.estimate[bad][0]:.4g}); interval={interval!r} is built on the log scale and "
                f"NaN there, 'fieller' is not"
            ),
            stacklevel=3,
        )


def _refuse_low(
    reference: np.ndarray,
    by: list[str],
    cells: list[tuple],
    how: str,
    on_low: str,
    conf_level: float,
) -> None:
    """Refuse (or blank) cells whose ceiling is not clearly above zero; edits ``reference`` in place."""
    mean, error, n = describe_cells(reference)
    low = mean - stdtrit(np.maximum(n - 1.0, 1.0), 0.5 + conf_level / 2) * error
    bad = ~(low > 0)
    if how == "mean_of_ratios":
        bad |= (reference <= 0).any(axis=0)
    if not bad.any():
        return
    shown = "; ".join(
        f"{' / '.join(map(str, cells[j]))}: mean {mean[j]:.4g}, interval from {low[j]:.4g}, "
        f"smallest subject {np.nanmin(reference[:, j]):.4g}"
        for j in np.flatnonzero(bad)[:5]
    )
    message = f"noise ceiling not clearly above zero in {int(bad.sum())} of {len(cells)} cells of {by}: {shown}"
    if on_low == "error":
        raise CeilingError(
            f"{message}. A share of such a ceiling means nothing; leave these cells out, or on_low='nan'."
        )
    warnings.warn(CeilingWarning(f"{message}. NaN there."), stacklevel=3)
    reference[:, bad] = np.nan
