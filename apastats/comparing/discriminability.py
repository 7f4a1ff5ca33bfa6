"""`discriminability`: how well an outcome separates models, and a paired test between two outcomes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.special import chdtri, fdtrc, fdtri, ncfdtr, stdtr, stdtrit

from apastats.comparing.decisions import check_alpha
from apastats.comparing.equivalence import usable_block
from apastats.comparing.incomplete import WAY_OUT, left_out
from apastats.errors import DegenerateWarning, DesignError, SmallSampleWarning, warn
from apastats.memory import reserve
from apastats.numbers.best import joint_set
from apastats.numbers.moments import ROUNDING
from apastats.numbers.moments import moments as described
from apastats.numbers.spread import model_spread
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.seeds import RngLike, block_generator, recorded_seed, seed_sequence
from apastats.table import Kinds, ScoreTable
from apastats.words import CHOSEN_LAYERS, MODELS, STIMULI, Drawn, Info, in_cells

__all__ = ["Discriminability", "discriminability"]

_SMALL = 10  # subjects; with fewer, skewed scores shorten the interval of the size of the set
_TESTS = 4_000_000  # paired tests of the simulated studies behind an interval
_QUICK = (
    600_000  # as many in any case, where they are few: their quantiles settle with their number
)
_MEMORY = 4_000_000  # numbers at a time
_FEW_PAIRS = 20_000  # squared models: below it simulated studies are counted together, above it one at a time


class Discriminability(Result):
    """How well outcomes separate models.

    ``table``: the by-columns, ``outcome, term, estimate, conf_low, conf_high, n_subject, n_model, method``.
    Terms: ``separated_pairs`` (number at family-wise level alpha), ``separated_share``, ``set_size`` (models
    that can be the best, jointly), ``signal_to_noise`` (model variance over error variance of one subject),
    ``reliability_1`` (of one subject's scores), ``reliability_n`` (generalisability coefficient of the mean over
    the n subjects). With two outcomes also rows ``difference ...`` with ``p_value``.
    """

    kind: ClassVar[str] = "discriminability"


def variance_components(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Model variance, error variance and F of ``[..., n, k]`` (two-way layout, analysis of variance estimates).

    F is NaN where the error is rounding.
    """
    n, k = x.shape[-2:]
    small = ROUNDING * np.abs(x).max(axis=(-2, -1), initial=0.0)
    grand = x.mean(axis=(-2, -1), keepdims=True)
    models = x.mean(axis=-2, keepdims=True)
    subjects = x.mean(axis=-1, keepdims=True)
    ms_model = n * ((models - grand) ** 2).sum(axis=(-2, -1)) / (k - 1)
    ms_error = ((x - models - subjects + grand) ** 2).sum(axis=(-2, -1)) / ((n - 1) * (k - 1))
    ms_model, ms_error = (np.where(v > small**2, v, 0.0) for v in (ms_model, ms_error))
    with np.errstate(divide="ignore", invalid="ignore"):
        f = np.where(ms_error > 0, ms_model / ms_error, np.nan)
    return (ms_model - ms_error) / n, ms_error, f


def reliability(f: np.ndarray, n: int, of: int) -> np.ndarray:
    """Generalisability coefficient of the mean of ``of`` subjects, ``v / (v + 1 / of)`` with ``v = (F - 1) / n``."""
    v = np.maximum((np.asarray(f) - 1) / n, 0.0)
    return np.asarray(v / (v + 1 / of))


@verb
def discriminability(
    formula: str,
    data: ScoreTable,
    *,
    against: ScoreTable | None = None,
    against_outcome: str = "agreement",
    alpha: float = 0.05,
    rng: RngLike = None,
    cluster: str = "subject",
    within: Any = None,
    kind: Kinds = "model",
) -> Discriminability:
    """Measure how well an outcome separates models; with a second outcome, test which one separates better.

    Parameters
    ----------
    formula : str
        ``"score ~ model | roi"``: the outcome and the models.
    data : ScoreTable
        One row per cluster, model and cell; clusters that lack a model of a cell are left out of it.
    against : ScoreTable, optional
        Table of a second outcome (e.g. pattern agreement) with the same models, cells and clusters.
    against_outcome : str
        Its outcome column.
    alpha : float
        Family-wise level of separated pairs; intervals have level ``1 - alpha``.
    rng : int, Generator, SeedSequence or None
        For the simulated studies behind the intervals of counts.
    cluster, within, kind
        As in :func:`apastats.equivalence`.

    Returns
    -------
    Discriminability

        Columns: ``roi`` (region), ``outcome`` (what is compared: score, agreement, ...), ``term`` (what the
        row is of), ``estimate`` (what is estimated, from the data themselves), ``method`` (how the interval
        or test was made), ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit of the
        interval), ``n_subject`` (subjects), ``n_model`` (models), ``statistic`` (test statistic), ``p_value``
        (p-value of the ordinary test).

    Raises
    ------
    DesignError
        If there are fewer than three complete clusters or three models, or the tables do not match.
    InputError
        If an argument is not allowed.

    Warns
    -----
    DegenerateWarning
        If a cell has no error variance (up to rounding): its shares of variance and intervals are NaN.
    SmallSampleWarning
        Below 10 clusters: the interval of the size of the set supposes normal scores.

    See Also
    --------
    equivalence_set, compare, mean_ranks

    Notes
    -----
    Model and error variance come from the two-way layout; ``F = MS_model / MS_error`` gives exact intervals under
    normal errors (``signal_to_noise = (F - 1) / n``, limits by ``F / F quantile``). Separated pairs: paired t
    tests with Holm; its interval and that of the size of the set are of what n subjects are expected to give, by
    studies simulated from plausible means.

    The comparison is paired: the difference of both outcomes' ``log F``, with the standard error of the delete-one
    jackknife over subjects (both outcomes of a subject left out together), against t with ``n - 1`` df. F has no
    unit, so a score and an agreement can be compared; equal F is equal generalisability at the same n. Where models
    do not differ at all in either outcome the test is conservative.

    References
    ----------
    .. [1] Westfall, P. H., & Young, S. S. (1993). Resampling-based multiple testing: Examples and methods for
       p-value adjustment. Wiley.
    .. [2] Hsu, J. C. (1984). Constrained simultaneous confidence intervals for multiple comparisons with the
       best. The Annals of Statistics, 12(3), 1136–1144. https://doi.org/10.1214/aos/1176346732

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=10, n_layer=1, rois=["V1", "V4"], rng=1)
    >>> scores = study.scores.where(kind="model", split="test")
    >>> found = apa.discriminability("score ~ model | roi", scores).tidy()
    >>> found.query("term == 'separated_pairs'")["estimate"].tolist()
    [24.0, 11.0]
    """
    alpha = check_alpha(alpha)
    block = usable_block(
        data, formula, "discriminability", cluster=cluster, within=within, kind=kind
    )
    other = None
    if against is not None:
        second = formula.replace(block.formula.outcome, against_outcome, 1)
        other = usable_block(
            against, second, "discriminability", cluster=cluster, within=within, kind=kind
        )
        x, y = _aligned(block, other)
    else:
        x, y = block.values, None
    k = x.shape[1]
    if k < 3:
        raise DesignError(f"discriminability: {k} models; at least 3 are needed")
    root = seed_sequence(rng)
    rows: list[dict[str, Any]] = []
    for j in range(x.shape[2]):
        cell = {c: block.cells[c].iloc[j] for c in block.cells.columns}
        keep = np.isfinite(x[:, :, j]).all(axis=1)
        if y is not None:
            keep &= np.isfinite(y[:, :, j]).all(axis=1)
        n = int(keep.sum())
        if n < 3:
            raise DesignError(
                f"discriminability: {n} complete {cluster}s in one cell; at least 3 are needed. {WAY_OUT}"
            )
        named = [(block.formula.outcome, x[keep][:, :, j])]
        if y is not None:
            named.append((against_outcome, y[keep][:, :, j]))
        for outcome, values in named:
            rows += [
                {**cell, "outcome": outcome, **row, "n_subject": n, "n_model": k}
                for row in _describe(values, alpha, block_generator(root, j))
            ]
        if y is not None:
            rows += [
                {
                    **cell,
                    "outcome": f"{against_outcome} - {block.formula.outcome}",
                    **row,
                    "n_subject": n,
                    "n_model": k,
                }
                for row in _compare(named[1][1], named[0][1], alpha)
            ]
    lost = sum(r["term"] == "signal_to_noise" and not np.isfinite(r["estimate"]) for r in rows)
    if lost:
        of = sum(r["term"] == "signal_to_noise" for r in rows)
        text = (
            f"discriminability: in {lost} of {of} cells subjects do not differ in what models differ by; shares of "
            "variance and intervals are NaN there"
        )
        warn(text, DegenerateWarning)
    fewest = min(r["n_subject"] for r in rows)
    if fewest < _SMALL:
        warn(
            f"discriminability: {fewest} {cluster}s; the interval of the size of the set supposes normal scores: "
            "where they are skewed, one of 95 % covered 91 %",
            SmallSampleWarning,
        )
    info = Info(
        estimand="separation of the models",
        outcome=data.outcome(block.formula.outcome),
        formula=str(block.formula),
        statistic="t",
        adjust="holm",
        family=in_cells("pairs of models", block.formula.by),
        method="pairs that differ by paired t tests (Holm), joint set of the best, and two-way variance components",
        extra={"against": None if y is None else against_outcome},
        null=(
            "both outcomes separate the models equally well"
            if y is not None
            else "models do not differ"
        ),
        alpha=alpha,
        conf_level=1 - alpha,
        n_subject=int(max(r["n_subject"] for r in rows)),
        by=list(block.formula.by),
        resampled=Drawn(
            f"simulated studies (for intervals of counts) and {cluster}s left out in turn (to compare outcomes)",
            studies=True,
        ),
        held_fixed=(STIMULI, CHOSEN_LAYERS, MODELS),
    )
    dropped = left_out(block)
    provenance = Provenance(data_hash=data.hash, seed=recorded_seed(root))
    notes = (dropped,) if dropped else ()
    return Discriminability(pd.DataFrame(rows), info, provenance, notes=notes)


def _aligned(block: Any, other: Any) -> tuple[np.ndarray, np.ndarray]:
    """Values of both blocks with clusters, models and cells in the order of the first."""

    def cells_of(b: Any) -> list[str]:
        return [" / ".join(map(str, row)) for row in b.cells.itertuples(index=False)]

    where = []
    for name, mine, theirs in (
        ("clusters", [str(c) for c in block.clusters], [str(c) for c in other.clusters]),
        ("models", block.group_labels(), other.group_labels()),
        ("cells", cells_of(block), cells_of(other)),
    ):
        lacking = [m for m in mine if m not in theirs]
        if lacking:
            raise DesignError(
                f"against: {name} do not match, {lacking[0]!r} is missing in the second table"
            )
        where.append([theirs.index(m) for m in mine])
    return block.values, other.values[np.ix_(*where)]


def separated_pairs(x: np.ndarray, alpha: float) -> np.ndarray:
    """Pairs of models that differ by paired t tests with Holm's adjustment, of ``[..., n, k]``: ``[...]``."""
    n, k = x.shape[-2:]
    df, m = n - 1.0, k * (k - 1) // 2
    stack = x.reshape(-1, n, k)
    reserve(f"statistics of {m:,} pairs of models", 32.0 * m, "fewer models")
    single = float(stdtrit(df, 1 - alpha / 2))
    count = [_of_differences(values, df, single, alpha) for values in stack]
    return np.array(count, dtype=float).reshape(x.shape[:-2])


def _of_differences(values: np.ndarray, df: float, single: float, alpha: float) -> int:
    """Count of one study ``[n, k]``: every model with those after it, so many at a time that they fit."""
    n, k = values.shape
    step = max(1, _MEMORY // (n * k))
    kept, left = [], 0
    for start in range(0, k - 1, step):
        stop = min(start + step, k)
        later = np.arange(start, k) > np.arange(start, stop)[:, None]
        d = (values[:, start:stop, None] - values[:, None, start:])[:, later]
        _, mean, sd = described(d, axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.abs(mean) / np.where(sd > 0, sd, np.nan) * np.sqrt(n)
        left += int((~np.isnan(t)).sum())
        kept.append(t[t >= single])
    return _holm_count(np.concatenate([*kept, np.empty(0)]), left, df, alpha)


def _holm_count(t: np.ndarray, m: int, df: float, alpha: float) -> int:
    """How many of ``m`` two-sided t tests Holm rejects, of those ``t`` that a single test would.

    The smallest p-value is held against ``alpha / m``, and so on up to the first that fails.
    """
    p = 2 * stdtr(df, np.sort(-t))
    reached = p * (m - np.arange(len(p))) <= alpha
    return int(np.logical_and.accumulate(reached).sum())


def expected_pairs(x: np.ndarray, alpha: float) -> np.ndarray:
    """As :func:`separated_pairs` for simulated studies ``[..., n, k]``, by products in place of differences.

    The variance of a difference is ``s_a + s_b - 2 s_ab``, which for scores that are nearly the same would be rounding;
    simulated errors are independent, so that it never is.
    """
    n, k = x.shape[-2:]
    stack, df, m = x.reshape(-1, n, k), n - 1.0, k * (k - 1) // 2
    single = float(stdtrit(df, 1 - alpha / 2))
    if k * k > _FEW_PAIRS:
        count = [_of_many(values, df, m, single, alpha) for values in stack]
        return np.array(count, dtype=float).reshape(x.shape[:-2])
    a, b = np.triu_indices(k, 1)
    # t at which Holm rejects the first, second, ... of the ordered statistics
    steps = -stdtrit(df, 1 - alpha / 2 / (m - np.arange(m)))
    step = max(1, _MEMORY // (k * max(n, k)))
    counts = np.empty(len(stack))
    for start in range(0, len(stack), step):
        values = stack[start : start + step]
        mean = values.mean(axis=1)
        own = (values - mean[:, None]) / np.sqrt(n * df)
        product = own.swapaxes(1, 2) @ own
        size = np.diagonal(product, axis1=1, axis2=2)
        with np.errstate(invalid="ignore", divide="ignore"):
            v = size[:, a] + size[:, b] - 2 * product[:, a, b]
            t = np.abs(mean[:, a] - mean[:, b]) / np.sqrt(v)
        reached = np.sort(-t, axis=1) <= steps
        counts[start : start + step] = np.logical_and.accumulate(reached, axis=1).sum(axis=1)
    return counts.reshape(x.shape[:-2])


def _of_many(values: np.ndarray, df: float, m: int, single: float, alpha: float) -> int:
    """Count of one study ``[n, k]`` of so many pairs that they are taken in blocks."""
    n, k = values.shape
    step = max(1, _MEMORY // k)
    mean = values.mean(axis=0)
    own = (values - mean) / np.sqrt(n * df)
    size = (own**2).sum(axis=0)
    kept = []
    for start in range(0, k - 1, step):
        rows = slice(start, min(start + step, k))
        # from the block's first model on; its own triangle below the diagonal is of earlier pairs
        d = mean[rows, None] - mean[None, start:]
        v = size[rows, None] + size[None, start:] - 2 * own[:, rows].T @ own[:, start:]
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.abs(np.triu(d, 1)) / np.sqrt(v)
        kept.append(t[t >= single])
    return _holm_count(np.concatenate(kept), m, df, alpha)


def _describe(x: np.ndarray, alpha: float, g: np.random.Generator) -> list[dict[str, Any]]:
    n, k = x.shape
    pairs = k * (k - 1) / 2
    count = float(separated_pairs(x, alpha))
    size = float(joint_set(x, alpha).sum())
    _, _, f = variance_components(x)
    df1, df2 = k - 1.0, (n - 1.0) * (k - 1)
    # F over its true ratio has the F distribution: exact limits of the ratio of variances
    f_low, f_high = (float(f) / float(fdtri(df1, df2, q)) for q in (1 - alpha / 2, alpha / 2))
    rows = [
        {"term": "separated_pairs", "estimate": count, "method": "paired t, Holm"},
        {"term": "separated_share", "estimate": count / pairs, "method": "paired t, Holm"},
        {"term": "set_size", "estimate": size, "method": "joint set of the best"},
        {
            "term": "signal_to_noise",
            "estimate": max(float(f) - 1, 0.0) / n,
            "conf_low": max(f_low - 1, 0.0) / n,
            "conf_high": max(f_high - 1, 0.0) / n,
            "statistic": float(f),
            "p_value": float(fdtrc(df1, df2, float(f))),
            "method": "variance components, F",
        },
    ]
    for name, of in (("reliability_1", 1), ("reliability_n", n)):
        value, low, high = (float(reliability(np.array(v), n, of)) for v in (f, f_low, f_high))
        rows.append(
            {
                "term": name,
                "estimate": value,
                "conf_low": low,
                "conf_high": high,
                "method": "variance components, F",
            }
        )
    _count_limits(rows, x, alpha, g)
    return rows


def _count_limits(
    rows: list[dict[str, Any]], x: np.ndarray, alpha: float, g: np.random.Generator
) -> None:
    """Limits of the counts that n subjects are expected to give, written into their rows.

    Counts of subjects drawn with replacement are too high (a repeated subject makes every t larger), so that their
    percentiles lie above what is to be covered. Instead studies are drawn under normal errors from plausible truths,
    and the mean count of each truth is taken: the observed means scaled to both exact limits of the noncentrality
    of F (how much models differ in all), and means and SDs drawn about the observed ones, each model with its own
    (which of them differ, and how surely). The limits are the extremes of the first and the ``alpha / 2`` quantiles of
    the second, and hold the estimate.
    """
    n, k = x.shape
    mean = x.mean(axis=0)
    _, error, f = variance_components(x)
    ends = [
        _noncentrality(float(f), k - 1.0, (n - 1.0) * (k - 1), q)
        for q in (1 - alpha / 2, alpha / 2)
    ]
    between = float(((mean - mean.mean()) ** 2).sum())
    if not (error > 0 and between > 0 and np.isfinite(f)):
        return
    # models that vary more are told apart from fewer others: each keeps its spread
    own = model_spread(x[..., None])
    sd = np.sqrt(own / own.mean()) * np.sqrt(float(error))
    # as many studies as a bounded number of tests allows; with many pairs one study is near its expectation
    pairs = k * (k - 1) // 2
    studies = int(np.clip(_TESTS // pairs, 1, max(480, min(960, _QUICK // pairs))))
    truths = int(np.clip(studies // 8, 20, 120))
    each = max(1, studies // truths)

    def expected(means: np.ndarray, spread: np.ndarray, size: int) -> np.ndarray:
        """Mean counts ``[truth, 2]`` of means and SDs ``[truth, k]``."""
        out = np.empty((len(means), 2))
        step = max(1, _MEMORY // (n * k * size))
        for start in range(0, len(means), step):
            part, wide = (v[start : start + step, None, None, :] for v in (means, spread))
            drawn = part + wide * g.standard_normal((part.shape[0], size, n, k))
            out[start : start + step, 0] = expected_pairs(drawn, alpha).mean(axis=1)
            out[start : start + step, 1] = joint_set(drawn, alpha).sum(axis=-1).mean(axis=1)
        return out

    # F's noncentrality is n sum (mu - mean mu)^2 / sigma^2: means stretched to have that of either limit, their
    # pattern kept
    scaled = np.array([(mean - mean.mean()) * np.sqrt(e * error / n / between) for e in ends])
    at_ends = expected(scaled, np.broadcast_to(sd, scaled.shape), max(1, studies // 6))
    spread = sd * np.sqrt((n - 1) / g.chisquare(n - 1, (truths, k)))
    around = expected(mean + spread / np.sqrt(n) * g.standard_normal((truths, k)), spread, each)
    quantiles = np.quantile(around, [alpha / 2, 1 - alpha / 2], axis=0)
    low = np.minimum(at_ends.min(axis=0), quantiles[0])
    high = np.maximum(at_ends.max(axis=0), quantiles[1])
    pairs = k * (k - 1) / 2
    scale = {"separated_pairs": (0, 1.0), "separated_share": (0, pairs), "set_size": (1, 1.0)}
    for row in rows:
        if row["term"] in scale:
            column, unit = scale[row["term"]]
            row["conf_low"] = min(low[column] / unit, row["estimate"])
            row["conf_high"] = max(high[column] / unit, row["estimate"])
            row["method"] += "; studies simulated from plausible means"


def _noncentrality(f: float, df1: float, df2: float, p: float) -> float:
    """Noncentrality of F at which a value as small as ``f`` has probability p; 0 where none has."""
    from scipy.optimize import brentq

    def excess(nc: float) -> float:
        return float(ncfdtr(df1, df2, nc, f)) - p

    if not np.isfinite(f) or excess(0.0) <= 0:
        return 0.0
    if f > 1e8:
        # the numerator is its mean but for 1 part in 10,000: what varies is the error, chi-squared
        return df1 * (f * float(chdtri(df2, p)) / df2 - 1)
    high = 10.0 + df1 * f
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, 0.0, high))


def _log_f(x: np.ndarray) -> np.ndarray:
    """Log of ``F`` of ``[..., n, k]``; not finite where models or residuals do not vary."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(variance_components(x)[2]))


def compare_separation(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """Difference of log F of two tables ``[n, k]`` of the same subjects, its jackknife error, and p (t, n - 1 df).

    Subjects share the mean profile against which each is measured, so a sign flip of per-subject measures would
    take them for independent and claim too much; leaving out one subject changes that profile too.
    """
    n = len(first)
    keep = np.array([np.delete(np.arange(n), i) for i in range(n)])
    with np.errstate(invalid="ignore"):
        estimate = float(_log_f(first) - _log_f(second))
        without = _log_f(first[keep]) - _log_f(second[keep])
        error = float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
    if max(abs(estimate), error) < 1e-10:  # the same up to unit and rounding
        return 0.0, 0.0, 1.0
    with np.errstate(divide="ignore"):
        t = np.divide(estimate, error)
    return estimate, error, 2 * float(stdtr(n - 1, -abs(t)))


def _compare(first: np.ndarray, second: np.ndarray, alpha: float) -> list[dict[str, Any]]:
    """Paired comparison of two outcomes: log F by the jackknife over subjects, counts as they are."""
    n = len(first)
    estimate, error, p = compare_separation(first, second)
    if not np.isfinite(p):
        warn(
            "discriminability: models or residuals of one outcome do not vary; outcomes cannot be compared",
            DegenerateWarning,
        )
    half = float(stdtrit(n - 1, 1 - alpha / 2)) * error
    rows = [
        {
            "term": "difference signal",
            "estimate": estimate,
            "std_error": error,
            "conf_low": estimate - half,
            "conf_high": estimate + half,
            "statistic": estimate / error if error > 0 else 0.0,
            "df": n - 1.0,
            "p_value": p,
            "method": "log F, jackknife over subjects, t",
        }
    ]
    count = float(separated_pairs(first, alpha) - separated_pairs(second, alpha))
    rows.append(
        {"term": "difference separated_pairs", "estimate": count, "method": "paired t, Holm"}
    )
    return rows
