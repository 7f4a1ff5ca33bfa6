"""References and noise ceilings, and scores as a share of the ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from scipy.special import stdtr

from apastats.arguments import applies, choice
from apastats.bootstrapping.tables import error_columns, give_warnings, how_many
from apastats.ceilings.from_rdms import between_values, within_subject_values
from apastats.ceilings.from_tables import table_values
from apastats.errors import CeilingWarning, DesignError, InputError, SmallSampleWarning, warn
from apastats.numbers.moments import moments
from apastats.numbers.units import varies
from apastats.recording import verb
from apastats.resampling.intervals import (
    INTERVALS,
    Alternative,
    Interval,
    check_interval,
    from_replicates,
)
from apastats.resampling.means import MeanSummary, describe_cells, summarise_means
from apastats.resampling.plans import Resamples, subject_counts
from apastats.results import Provenance, Result
from apastats.seeds import RngLike, seed_sequence
from apastats.table import ScoreTable
from apastats.words import STIMULI, Drawn, Info, Outcome

if TYPE_CHECKING:
    from apastats.io.rdm_set import RDMSet

__all__ = [
    "NoiseCeiling",
    "noise_ceiling",
]

CELLS = ("roi", "metric")
CEILING_KINDS = ("leave_one_out", "subject_to_subject", "nili", "split_half", "repeat")
COSINES = (
    "a cosine of RDMs of positive distances is far above 0 without any shared signal: these ceilings are not tested "
    "against 0; in Python: chance= (of shuffled RDMs, say) gives a test"
)
BETWEEN = ("leave_one_out", "subject_to_subject", "nili")  # subjects predict each other
ALIKE = (
    "two subjects predict each other, so their two values are the same by symmetry (or values are equal up to "
    "rounding), and an interval over them has no meaning; three subjects or more are needed"
)
FEW = 6  # from so many subjects on the intervals held their level in simulations
MANY, DIFFERENT = (
    12,
    0.38,
)  # below MANY, subjects who vary by more than this share of the mean are too few
_MEANING = {
    "leave_one_out": "the mean of all other subjects predicts the subject (same ROI)",
    "subject_to_subject": "one other subject predicts the subject (same ROI), averaged over partners",
    "split_half": "one half of a subject's own RDMs predicts the other half",
    "repeat": "the pool of a subject's other RDMs predicts each of them",
    "nili": "the pooled RDM of the other subjects gives the lower bound, that of all subjects the upper",
}


TOO_FEW = "95 % intervals of ceilings from so few covered 89 to 99 % in simulations"


class NoiseCeiling(Result):
    """Noise ceiling per cell.

    ``table`` has the by-columns, ``bound`` (``reference``, or ``lower`` and ``upper`` for Nili's
    bounds), ``estimate, std_error, statistic, df, p_value`` (one-sided, against chance), ``conf_low,
    conf_high, conf_level, n_subject, method``, and the Monte-Carlo columns of
    :class:`apastats.bootstrapping.result.BootstrapResult`.
    ``arrays["values"]`` is ``[n_subject, n_row]``, the per-subject ceilings in the order of the table;
    ``arrays["person"]`` likewise, each person's share in their mean in all roles, which intervals and tests
    are made of; ``arrays["subjects"]`` the labels.
    """

    kind: ClassVar[str] = "noise_ceiling"

    def per_subject(self) -> pd.DataFrame:
        """Ceiling of every subject, long: the by-columns, ``bound, subject, value``."""
        by = [*self.info.by, "bound"]
        frames = [
            self.table[by].assign(subject=str(s), value=self.arrays["values"][i])
            for i, s in enumerate(self.arrays["subjects"])
        ]
        return pd.concat(frames, ignore_index=True)


@verb
def noise_ceiling(
    data: ScoreTable | RDMSet | Any,
    *,
    kind: str = "leave_one_out",
    by: str | Sequence[str] = CELLS,
    split: str | None = None,
    method: str = "corr",
    within: str = "session",
    chance: float | None = None,
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
        Brain RDMs with labels ``subject`` and ``roi``, for every kind; or a score table with brain rows
        (``leave_one_out``, ``subject_to_subject``, and, where subjects predict themselves, ``split_half``
        and ``repeat``; see Notes).
    kind : {"leave_one_out", "subject_to_subject", "nili", "split_half", "repeat"}
        What the ceiling is: the mean of the other subjects predicts a subject; one other subject does
        (averaged over partners); lower and upper bound of Nili et al. (2014); halves of a subject's
        own RDMs, with the Spearman-Brown correction; each of a subject's RDMs against the pool of the
        subject's others.
    by : sequence of str
        Cells the ceiling is computed in; ``roi`` must be among them. By default ``time`` too, where there are several
        time points; those that predict others are no ceiling.
    split : str, optional
        Split of the score table; ``"test"`` where there are several.
    method : str
        Comparison of RDMs, for the kinds that are made from them.
    within : str
        Label that tells the RDMs of one subject apart (``"session"``, ``"repeat"``), for
        ``split_half`` and ``repeat``; in a score table the column of the predicted session. Where a
        score table has that column, a subject's ceiling is the mean over it; name it in ``by`` for
        ceilings of every session.
    chance : float, optional
        Score that a subject without any shared signal would have; the ceiling is tested against it,
        one-sided. 0 by default; but a cosine of two RDMs of positive distances is far above 0 whatever
        they are of, so that ceilings of cosines are tested only against a chance that is given.
    interval, conf_level, alternative, n_resamples, rng
        Interval over subjects: ``t``, or a bootstrap one as in :func:`apastats.bootstrap`, of each
        person's share in the ceiling (see Notes).

    Returns
    -------
    NoiseCeiling

        Columns: ``roi`` (region), ``metric`` (measure of the scores), ``bound`` (bound that was used),
        ``estimate`` (what is estimated, from the data themselves), ``std_error`` (standard error),
        ``statistic`` (test statistic), ``df`` (degrees of freedom), ``p_value`` (p-value of the ordinary
        test), ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit of the interval),
        ``conf_level`` (level of the interval), ``n_subject`` (subjects), ``method`` (how the interval or test
        was made), ``mcse`` (Monte-Carlo standard error), ``conf_low_mcse`` (Monte-Carlo error of the lower
        limit), ``conf_high_mcse`` (Monte-Carlo error of the upper limit), ``settled`` (whether more resamples
        could not change the decision).

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
    DegenerateWarning, MonteCarloWarning
        As :func:`apastats.bootstrap`; and where subjects predict each other and there are two of them:
        their values are equal by symmetry, and standard error, test and interval are NaN.
    SmallSampleWarning
        Fewer than six subjects, or fewer than twelve who differ much; but for ``split_half`` and ``repeat``.

    See Also
    --------
    normalize, margin, check

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

    Subjects serve one another as partners and pools, so their ceilings are not independent: a t interval over
    them covers 65 to 93 % where 95 is said. Intervals and tests are therefore made of each person's share in the
    mean, ``C + (n - 1) (mean_j C_-j - C_-i)`` with ``C_-i`` the ceiling without person i as target and in all
    pools and pairs: the delete-one jackknife with t of n - 1 df. A table's leave-one-out rows do not hold ``C_-i``:
    there the share is ``C + k (c_i - C)``, ``1 < k <= 2 (n - 1) / (n - 2)``
    (:func:`apastats.scoring.people.pool_widening`). k follows from C, n and the mean over pairs where the table has
    pairs too, from C and n where the metric is a named correlation, and is the largest there can be otherwise, with
    intervals then too wide. ``info["shared"]`` says how much. Measured: docs/calibration_intervals.md.

    References
    ----------
    .. [1] Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A
       toolbox for representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.
       https://doi.org/10.1371/journal.pcbi.1003553

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=8, n_model=2, rng=1)
    >>> apa.noise_ceiling(study.scores).tidy()["n_subject"].unique().tolist()
    [8]
    """
    choice("kind", kind, CEILING_KINDS)
    check_interval(interval, conf_level, alternative)
    asked, chance = chance is not None, 0.0 if chance is None else chance
    source = "scores" if isinstance(data, ScoreTable) else "RDMs"
    applies("by", by, to=["scores"], chosen=source, by="data", default=CELLS)
    applies("split", split, to=["scores"], chosen=source, by="data")
    applies("method", method, to=["RDMs"], chosen=source, by="data", default="corr")
    own = ("split_half", "repeat")
    if source == "RDMs":  # a score table may have sessions of any kind
        applies("within", within, to=own, chosen=kind, by="kind", default="session")
    applies(
        "n_resamples",
        n_resamples,
        to=from_replicates(),
        chosen=interval,
        by="interval",
        default="auto",
    )
    by = [by] if isinstance(by, str) else list(by)
    root = seed_sequence(rng)
    widening = None
    if isinstance(data, ScoreTable):
        if kind == "nili":
            raise InputError("kind", kind, "for RDMs: the pools of Nili's bounds are made of them")
        if tuple(by) == CELLS and data.frame.get("time", pd.Series()).nunique() > 1:
            by = [*by, "time"]
        if "roi" not in by:
            raise InputError("by", by, "columns with 'roi' among them")
        labels, values, subjects, person, widening = table_values(data, kind, by, split, within)
        data_hash, note = data.hash, kind
        measured = data.outcome(data.outcomes[0])
    else:
        note, measured = f"{kind}, {method}", Outcome("score", metric=method)
        if kind in BETWEEN:
            found, person = between_values(data, method, kind)
        else:
            found, how = within_subject_values(data, method, form=kind, within=within, rng=root)
            person, note = found[1], f"{note}, {how}"
        labels, values, subjects, data_hash = found
        by = [c for c in labels.columns if c != "bound"]
    if len(subjects) < 2:
        raise DesignError(f"noise_ceiling: {len(subjects)} subject; at least 2 are needed")
    plan = subject_counts(len(subjects), n_resamples if interval != "t" else 1, root)
    summary = summarise_means(
        person, plan, [interval], conf_level=conf_level, alternative=alternative
    )
    alike = without_interval(kind, values)
    error, limits = blanked(summary.std_error, alike), blanked(summary.limits[interval], alike)
    low, high = limits[:2]
    estimate, _, size = describe_cells(values)
    df = size - 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        t = (estimate - chance) / error
    table = labels.assign(
        estimate=estimate,
        std_error=error,
        statistic=t,
        df=df,
        p_value=stdtr(df, -t),
        conf_low=low,
        conf_high=high,
        conf_level=conf_level,
        n_subject=size,
        method=note,
        **error_columns(error, limits[2:]),
    )
    untested = np.zeros(len(table), dtype=bool) if asked else _of_cosines(table, data)
    table.loc[untested, ["statistic", "p_value"]] = np.nan
    drawn = interval != "t"
    info = Info(
        estimand="noise ceiling",
        outcome=measured,
        alternative="greater",
        null_value=None if untested.all() else chance,
        method=f"noise ceiling, {kind.replace('_', '-')}: {_MEANING[kind]}",
        by=by,
        n_subject=len(subjects),
        conf_level=conf_level,
        interval=interval,
        null="" if untested.all() else f"the ceiling is {chance:g} (one-sided)",
        resampled=(
            Drawn("subjects", number=how_many(plan))
            if drawn
            else Drawn(sample="subjects were taken as a random sample")
        ),
        held_fixed=(STIMULI,),
        extra={
            "ceiling_kind": kind,
            "meaning": _MEANING[kind],
            "split": split,
            "interval_side": alternative if alternative != "two-sided" else None,
            "shared": _shared(kind, widening),
        },
    )
    arrays = {"values": values, "person": person, "subjects": np.asarray(subjects, dtype=str)}
    seed = plan.seed if drawn else ""
    drawing: dict[str, Any] = {
        "interval": interval,
        "alternative": alternative,
        "n_resamples": plan.n_resamples,
    }
    if alike.any():
        drawing["why_undefined"] = ALIKE
    notes = give_warnings(table, [*by, "bound"], drawing)
    few = _too_few(kind, int(size.max()), values)
    if few:
        warn(f"noise_ceiling: {few}", SmallSampleWarning)
        notes = (*notes, few)
    if untested.any():
        warn(COSINES, CeilingWarning)
        notes = (*notes, COSINES)
    return NoiseCeiling(table, info, Provenance(data_hash=data_hash, seed=seed), arrays, notes)


def _too_few(kind: str, n: int, values: np.ndarray) -> str:
    """Words where intervals of ceilings of so few subjects, or of so few who differ so much, miss their level."""
    if kind not in BETWEEN or n <= 2 or n >= MANY:
        return ""
    if n < FEW:
        return f"{n} subjects; {TOO_FEW}"
    spread = _people_differ(values)
    if spread <= DIFFERENT:
        return ""
    return (
        f"{n} subjects whose own ceilings vary by {100 * spread:.0f} % of their mean; "
        "intervals cover 2 to 5 points less than they say"
    )


def _people_differ(values: np.ndarray) -> float:
    """Mean coefficient of variation of subjects' own ceilings ``[n, row]``, over rows with a mean above 0."""
    mean, sd = moments(values)[1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (sd / mean)[(mean > 0) & np.isfinite(sd)]
    return float(share.mean()) if share.size else 0.0


def _of_cosines(table: pd.DataFrame, data: Any) -> np.ndarray:
    """Rows whose scores are cosines of distances that are not negative (of a score table: as far as known)."""
    cosine = table.get("metric", pd.Series("", table.index)).isin(("cosine", "cosine_cov"))
    if cosine.any() and not isinstance(data, ScoreTable):
        from apastats.io.read_rdms import as_rdms

        vectors = as_rdms(data, "data").vectors
        cosine &= not np.nanmin(vectors) < -1e-6 * np.nanmax(np.abs(vectors))
    return cosine.to_numpy()


def without_interval(kind: str, values: np.ndarray) -> np.ndarray:
    """Rows of ``values [n_subject, n_row]`` whose spread over subjects says nothing about sampling.

    Of two subjects each is predicted by the other, so their values are one number twice, or depend on
    each other; values that are equal up to rounding have no spread.
    """
    n = np.isfinite(values).sum(axis=0)
    return np.asarray((n >= 2) & (~varies(values) | ((n == 2) & (kind in BETWEEN))))


def blanked(numbers: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The same with NaN in these rows of the last axis."""
    return np.asarray(np.where(rows, np.nan, numbers))


def _shared(kind: str, widening: np.ndarray | None) -> str | None:
    """Words for what subjects share, and what is done about it; None where each predicts itself."""
    if kind not in BETWEEN:
        return None
    if widening is None:
        what = "partners" if kind == "subject_to_subject" else "pools"
        return f"{what}, so each person is left out in all roles in turn (jackknife)"
    known = widening[np.isfinite(widening)]
    if not len(known):
        return "the pools, and two subjects have one ceiling, with no interval"
    low, high = f"{known.min():.2f}", f"{known.max():.2f}"
    times = low if low == high else f"{low} to {high}"
    return (
        f"the pools; as these are known by their scores alone, standard errors are {times} times those of independent "
        "subjects, for the share that each person has in the pools (to first order)"
    )


def warn_unlogged(found: MeanSummary, interval: str) -> None:
    """Warn of ratios that have no interval on the log scale."""
    logs = interval in INTERVALS and not INTERVALS[interval].invariant
    bad = logs & ~(found.estimate > 0) & np.isfinite(found.estimate)
    if bad.any():
        warn(
            f"{int(bad.sum())} shares of the ceiling are not positive (first: "
            f"{found.estimate[bad][0]:.4g}), and their interval, built on the log scale, is NaN"
            "; in Python: interval='fieller' is defined there",
            CeilingWarning,
        )
