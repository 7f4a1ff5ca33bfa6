"""Simultaneous intervals of ranks from estimates and their covariance (Mogstad, Romano, Shaikh and Wilhelm 2024).

The covariance of the estimates is ``diag(own) + shared @ shared.T``: standard errors of all differences come from it
in blocks, and nothing of size ``n x n`` is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from apastats.memory import reserve

__all__ = ["Largest", "RankBounds", "draw_largest", "pair_errors", "rank_bounds", "tiers"]

ROWS = 256  # models whose differences with all others are looked at together
CACHE = 160_000  # differences with one model that are looked at together
CANDIDATES = 3.0  # differences per draw that are remembered for the steps after the first


@dataclass(frozen=True, slots=True)
class Largest:
    """Largest studentised differences in draws without any true difference.

    Attributes
    ----------
    joint : numpy.ndarray, shape (n_draw,)
        Of all pairs.
    one, above : numpy.ndarray, shapes (n_draw, n_model)
        Of the pairs of one model, either sign; of the others above it.
    draw, first, second, value : numpy.ndarray, shape (n_event,)
        All ordered pairs (first above second) with a value above ``floor``.
    floor : float
    """

    joint: np.ndarray
    one: np.ndarray
    above: np.ndarray
    draw: np.ndarray
    first: np.ndarray
    second: np.ndarray
    value: np.ndarray
    floor: float


@dataclass(frozen=True, slots=True)
class RankBounds:
    """Places ``[n_model]`` and the critical values behind them.

    ``low, high``: jointly for all models; ``low_marginal, high_marginal``: each by itself; ``best``: can be the best
    (each truly best model stays with the level's probability); ``better, worse``: models shown to be better and worse;
    ``critical, critical_marginal, critical_best`` (one-sided); ``critical_single``, of all pairs before any step, which
    joint intervals need; ``steps`` of the joint test.
    """

    low: np.ndarray
    high: np.ndarray
    low_marginal: np.ndarray
    high_marginal: np.ndarray
    best: np.ndarray
    better: np.ndarray
    worse: np.ndarray
    critical: float
    critical_single: float
    critical_marginal: np.ndarray
    critical_best: np.ndarray
    steps: int


def pair_errors(
    own: np.ndarray, shared: np.ndarray, rows: slice | np.ndarray, columns: slice | None = None
) -> np.ndarray:
    """Standard errors of the differences of some models and all others ``[n_row, n_column]``."""
    inside = columns if columns is not None else slice(None)
    a, b = shared[rows], shared[inside]
    apart = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
    both = own[rows][:, None] + own[inside][None, :]
    return np.asarray(np.sqrt(both + np.maximum(apart, 0.0)))


def _blocks(n: int) -> Iterator[slice]:
    for start in range(0, n, ROWS):
        yield slice(start, min(start + ROWS, n))


def draw_largest(
    own: np.ndarray,
    shared: np.ndarray,
    parts: np.ndarray,
    part_df: np.ndarray,
    n_draw: int,
    random: np.random.Generator,
) -> Largest:
    """Distribution of the largest studentised difference, from normal draws with the covariance of the estimates.

    Parameters
    ----------
    own, shared : numpy.ndarray, shapes (n_model,), (n_model, k)
        Covariance; its common part (``shared`` less its mean) cancels in differences.
    parts, part_df : numpy.ndarray, shapes (n_model, n_part), (n_part,)
        Shares of the error variances in ``own``, and their degrees of freedom: every draw has its own variances
        ``chi2(df) / df``, common to all models, and the draw of a model is divided by the root of its mixture.
    n_draw : int
    random : numpy.random.Generator
    """
    from scipy.special import gammaincinv, ndtri

    n = len(own)
    kind = np.float64 if n * n * n_draw <= 10**9 else np.float32
    shared = shared - shared.mean(axis=0)
    # the draws, a copy of them while they are summed, and the largest differences on either side
    need = 8.0 * n_draw * (4 * n + shared.shape[1])
    reserve(f"{n_draw:,} draws of {n:,} models", need, "fewer n_resamples, or fewer models")
    z = random.standard_normal((n_draw, n)) * np.sqrt(own)
    z += random.standard_normal((n_draw, shared.shape[1])) @ shared.T
    # by the inverse of their distribution: rejection sampling would draw anew where a df moves by rounding
    variances = 2 * gammaincinv(part_df / 2, random.random((n_draw, len(part_df)))) / part_df
    z /= np.sqrt(variances @ parts.T)
    z = z.astype(kind)
    above, below = (np.full((n_draw, n), -np.inf, dtype=kind) for _ in range(2))
    pairs = n * (n - 1) / 2
    floor = float(-ndtri(min(0.4, CANDIDATES / (2 * pairs))))
    events: list[tuple[np.ndarray, ...]] = []
    together = max(8, CACHE // n)
    for block in _blocks(n):
        inverse = (1 / pair_errors(own, shared, block, slice(block.start, None))).astype(kind)
        for start in range(0, n_draw, together):
            part = slice(start, min(start + together, n_draw))
            for row, i in enumerate(range(block.start, min(block.stop, n - 1))):
                d = z[part, i + 1 :] - z[part, i : i + 1]
                d *= inverse[row, i + 1 - block.start :]
                # of the others above i, and of i above the others
                highest, lowest = d.max(axis=1), d.min(axis=1)
                np.maximum(above[part, i], highest, out=above[part, i])
                np.maximum(below[part, i], -lowest, out=below[part, i])
                for found, upwards in ((highest > floor, True), (lowest < -floor, False)):
                    if found.any():
                        events.append(_events(d, found, floor, start, i, upwards))
                np.maximum(below[part, i + 1 :], d, out=below[part, i + 1 :])
                np.negative(d, out=d)
                np.maximum(above[part, i + 1 :], d, out=above[part, i + 1 :])
    one = np.maximum(above, below)
    empty = (np.empty(0, int), np.empty(0, int), np.empty(0, int), np.empty(0))
    draw, first, second, value = (np.concatenate(v) for v in zip(*(events or [empty]), strict=True))
    return Largest(one.max(axis=1), one, above, draw, first, second, value, floor)


def _events(
    d: np.ndarray, found: np.ndarray, floor: float, start: int, i: int, upwards: bool
) -> tuple[np.ndarray, ...]:
    """Draws and pairs (higher, lower) whose difference is above the floor."""
    part = d[found] if upwards else -d[found]
    row, column = np.nonzero(part > floor)
    draw = start + np.flatnonzero(found)[row]
    other, this = i + 1 + column, np.full(len(column), i)
    first, second = (other, this) if upwards else (this, other)
    return draw, first, second, part[row, column]


def upper_quantile(values: np.ndarray, alpha: float) -> np.ndarray:
    """Order statistic that at most a share ``alpha`` of values exceeds, the observed one counted in ``[n, ...]``."""
    n = len(values)
    k = min(n, int(np.ceil((1 - alpha) * (n + 1) - 1e-9)))
    return np.partition(values, k - 1, axis=0)[k - 1]


def rank_bounds(
    mean: np.ndarray,
    own: np.ndarray,
    shared: np.ndarray,
    largest: Largest,
    alpha: float,
    *,
    stepwise: bool = True,
) -> RankBounds:
    """Intervals of ranks: one plus the number of models shown to be better, to n less the number shown to be worse.

    Parameters
    ----------
    mean : numpy.ndarray, shape (n_model,)
        Estimates; the highest has rank 1.
    own, shared : numpy.ndarray
        Covariance of ``mean``, see :func:`draw_largest`.
    largest : Largest
    alpha : float
        Error rate: of any false order among all models (joint), or with one model (marginal).
    stepwise : bool
        Step-down: a hypothesis "i is not above j" that was rejected leaves the family, and the critical value is taken
        again from those that remain (the opposite one, "j is not above i", always does).
    """
    n = len(mean)
    shared = shared - shared.mean(axis=0)
    critical = float(upper_quantile(largest.joint, alpha))
    single, steps = critical, 1
    if stepwise and len(largest.value):
        seen = np.empty(len(largest.value))
        for k in range(0, len(seen), 1 << 16):
            part = slice(k, k + (1 << 16))
            i, j = largest.first[part], largest.second[part]
            se = np.sqrt(own[i] + own[j] + ((shared[i] - shared[j]) ** 2).sum(axis=1))
            seen[part] = (mean[i] - mean[j]) / se
        while True:
            left = seen <= critical
            top = np.full(len(largest.joint), largest.floor)
            np.maximum.at(top, largest.draw[left], largest.value[left])
            new = float(upper_quantile(top, alpha))
            if not new < critical:
                break
            critical, steps = new, steps + 1
    marginal = upper_quantile(largest.one, alpha).astype(float)
    one_sided = upper_quantile(largest.above, alpha).astype(float)
    better, worse, better_one, worse_one = (np.zeros(n, dtype=int) for _ in range(4))
    best = np.ones(n, dtype=bool)
    for block in _blocks(n):
        se = pair_errors(own, shared, block)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (mean[None, :] - mean[block][:, None]) / se
        t[np.arange(len(t)), np.arange(block.start, block.stop)] = 0.0
        better[block], worse[block] = (t > critical).sum(axis=1), (t < -critical).sum(axis=1)
        c = marginal[block][:, None]
        better_one[block], worse_one[block] = (t > c).sum(axis=1), (t < -c).sum(axis=1)
        best[block] = ~(t > one_sided[block][:, None]).any(axis=1)
    return RankBounds(
        1 + better, n - worse, 1 + better_one, n - worse_one, best, better, worse, critical, single,
        marginal, one_sided.astype(float), steps,
    )  # fmt: skip


def tiers(mean: np.ndarray, own: np.ndarray, shared: np.ndarray, critical: float) -> np.ndarray:
    """Groups in order of estimates ``[n_model]``: each begins where a model is shown to be below the first of the last.

    Within a group nothing is shown against its first model; models of two groups need not be told apart.
    """
    shared = shared - shared.mean(axis=0)
    order = np.argsort(-mean, kind="stable")
    out = np.empty(len(mean), dtype=int)
    start, group = 0, 0
    while start < len(order):
        group += 1
        first, rest = order[start], order[start:]
        se = np.sqrt(own[first] + own[rest] + ((shared[first] - shared[rest]) ** 2).sum(axis=1))
        shown = mean[first] - mean[rest] > critical * se
        shown[0] = False
        stop = start + (int(shown.argmax()) if shown.any() else len(rest))
        out[order[start:stop]] = group
        start = stop
    return out
