"""Each model against all others: moderated variances, and tests that need no knowledge of the best.

Arrays of one cell are ``x [n_subject, k]``; a study has one such array for every cell. Nothing of size ``[k, k]`` is
kept for more than a block of rows, so that thousands of models fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import chdtri, digamma, polygamma, stdtr, stdtrit

from apastats.numbers.moments import ROUNDING
from apastats.numbers.tested import positive

__all__ = [
    "SHOWN",
    "SHOWN_FOR_CLAIMS",
    "AgainstAll",
    "Field",
    "Shrinkage",
    "shrinkage",
    "trigamma_inverse",
]

# pooling is used as far as it is shown to be safe: the heterogeneity is taken at its upper 80 % limit
SHOWN = 0.8
# a claim is made against all others at once and has some level to spare
SHOWN_FOR_CLAIMS = 0.7
_BLOCK = 4_000_000  # entries of one [rows, k] array


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """How far variances of differences are drawn to their common value.

    Attributes
    ----------
    df : float
        Degrees of freedom that the common value of a cell counts for: 0 leaves each difference its own variance,
        infinity pools.
    cells : float
        Degrees of freedom that the value common to all cells counts for in that of each cell.
    center : float
        That value.
    """

    df: float
    cells: float = 0.0
    center: float = 0.0

    @property
    def pooled(self) -> bool:
        """Whether one variance stands for all."""
        return bool(np.isinf(self.df))

    def words(self, variance: str, cells: str) -> str:
        """What was done with the variances; ``cells``: ``ROIs``, empty where there is one."""
        if self.df == 0:
            return ""
        if variance == "pooled":
            where = f" in each of the {cells}" if cells else ""
            return f"one subject-by-model variance{where} for all differences"
        if self.pooled:
            where = f" in all {cells}" if cells else ""
            return f"one subject-by-model variance for all differences{where}, as the data show no other"
        return f"variances moderated towards a common value with a prior of {self.df:.1f} degrees of freedom"


@dataclass(frozen=True)
class Field:
    """Models of one cell ``x [n, k]``, and what is added to every difference of a subject before it is tested.

    ``unit [n]`` is the margin of each subject (its own share of a ceiling), or ``[1]`` where it is a number.
    """

    x: np.ndarray
    unit: np.ndarray

    @property
    def n(self) -> int:
        """Number of subjects."""
        return len(self.x)

    @property
    def k(self) -> int:
        """Number of models."""
        return int(self.x.shape[1])

    @cached_property
    def mean(self) -> np.ndarray:
        """Means ``[k]``."""
        return np.asarray(self.x.mean(axis=0))

    @cached_property
    def centred(self) -> np.ndarray:
        """``[n, k]``, subject means out as well: they cancel in every difference, and would cost digits."""
        c = self.x - self.x.mean(axis=1, keepdims=True)
        return np.asarray(c - c.mean(axis=0))

    @cached_property
    def rounding(self) -> float:
        """Variance below which differences are constant up to rounding."""
        return float((ROUNDING * np.abs(self.x).max(initial=0.0)) ** 2)

    def blocks(self) -> Iterator[slice]:
        """Rows in blocks of bounded size."""
        step = max(1, _BLOCK // max(1, self.k))
        for start in range(0, self.k, step):
            yield slice(start, min(start + step, self.k))

    def variances(self, rows: slice) -> np.ndarray:
        """Variance of the difference of each model in ``rows`` and every other ``[rows, k]``, n - 1 df each."""
        c = self.centred
        q = (c**2).sum(axis=0)
        v = (q[rows, None] + q[None, :] - 2 * c[:, rows].T @ c) / (self.n - 1)
        # the sum of three terms keeps no more digits than the largest of them has
        return np.where(v > self.rounding + 1e-14 * (q[rows, None] + q[None, :]), v, 0.0)


def trigamma_inverse(y: float) -> float:
    """Solve ``trigamma(x) = y`` by Newton steps on 1 / trigamma (Smyth 2004, appendix)."""
    x = 0.5 + 1 / y
    for _ in range(60):
        value = float(polygamma(1, x))
        step = value * (1 - value / y) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x


def shrinkage(fields: Sequence[Field], shown: float = SHOWN) -> Shrinkage:
    """How far the variances of all pairs may be pooled, from their spread in all cells together.

    The log of a variance with ``m`` df varies by ``trigamma(m / 2)`` around the log of its true value; what it varies
    more inside a cell is heterogeneity of the pairs, and ``trigamma(d0 / 2)`` of that size gives the prior df ``d0``
    (Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3, eq. 3). Two differences that share a
    model have variances with correlation 1/4 where all are equal, so that the spread inside a cell is smaller by the
    mean correlation, ``(k - 2) / (2 (m - 1))`` over its m pairs. Here the spread is taken at its upper limit of level
    ``shown`` (chi-square with k - 1 df per cell), since taking a variance for common that is not claims too much
    for the model that varies most, and little data cannot show that it is common. The pooled variances of the cells are
    drawn to a value common to all cells by the same rule.
    """
    spread = expected = 0.0
    pairs, free = 0, 0
    levels: list[float] = []
    sizes: list[float] = []
    for f in fields:
        own = f.n - 1.0
        if f.k < 3 or own < 1:
            continue
        count, total, squares, sums = 0, 0.0, 0.0, 0.0
        shift = None
        for rows in f.blocks():
            v = f.variances(rows)
            upper = v[np.triu(np.ones(v.shape, dtype=bool), rows.start + 1)]
            upper = upper[upper > 0]
            if not upper.size:
                continue
            sums += float(upper.sum())
            e = np.log(upper)
            shift = float(e[0]) if shift is None else shift
            e = e - shift
            count, total = count + e.size, total + float(e.sum())
            squares += float((e**2).sum())
        if count < 2:
            continue
        m = f.k * (f.k - 1) / 2
        shared = 0.5 * (f.k - 2) / (m - 1)
        spread += max(squares - total**2 / count, 0.0) / (1 - shared)
        expected += float(polygamma(1, own / 2)) * (count - 1)
        pairs += count - 1
        free += f.k - 1
        sizes.append(own * (f.k - 1))
        levels.append(np.log(sums / count) - float(digamma(sizes[-1] / 2)) + np.log(sizes[-1] / 2))
    if not pairs:
        return Shrinkage(0.0)
    extra = (spread * free / float(chdtri(free, shown)) - expected) / pairs
    df = _prior_df(extra)
    if len(levels) < 2:
        return Shrinkage(df)
    # the same once more over cells: their pooled variances have (n - 1)(k - 1) df each
    over = len(levels) - 1.0
    upper_limit = float(np.var(levels, ddof=1)) * over / float(chdtri(over, shown))
    known = float(np.mean([polygamma(1, size / 2) for size in sizes]))
    # no more than what the cells have together
    cells = min(_prior_df(upper_limit - known), sum(sizes) - max(sizes))
    if cells <= 0:
        return Shrinkage(df)
    center = np.mean(levels) + float(digamma(cells / 2)) - np.log(cells / 2)
    return Shrinkage(df, cells, float(np.exp(center)))


def _prior_df(extra: float) -> float:
    """Prior df that explains a variance ``extra`` of log variances."""
    return np.inf if extra <= 0 else 2 * trigamma_inverse(extra)


@dataclass(frozen=True)
class AgainstAll:
    """Tests of one cell, made by :meth:`of`.

    Attributes
    ----------
    field : Field
        The data.
    prior : Shrinkage
        How far variances are pooled; that of df 0 leaves them their own.
    """

    field: Field
    prior: Shrinkage

    @cached_property
    def common(self) -> float:
        """Value to which the variances of differences are drawn."""
        f = self.field
        count, total, logs = 0, 0.0, 0.0
        for rows in f.blocks():
            v = f.variances(rows)
            kept = v[v > 0]
            count, total = count + kept.size, total + float(kept.sum())
            logs += float(np.log(kept).sum())
        if not count:
            return 0.0
        size, between = (f.n - 1.0) * (f.k - 1), self.prior.cells
        pooled = total / count
        drawn = (between * self.prior.center + size * pooled) / (between + size)
        if self.prior.pooled:
            return drawn
        own, d0 = f.n - 1.0, self.prior.df
        if d0 <= 0:
            return 0.0
        mean = logs / count - float(digamma(own / 2)) + np.log(own / 2)
        # the common value of a prior with d0 df, drawn to that of all cells by the same factor
        return float(np.exp(mean + float(digamma(d0 / 2)) - np.log(d0 / 2))) * (drawn / pooled)

    @property
    def df(self) -> float:
        """Degrees of freedom of a moderated variance, at most those of the pooled one."""
        f = self.field
        return float(min(self.prior.df + f.n - 1.0, (f.n - 1.0) * (f.k - 1) + self.prior.cells))

    def errors(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Variance of the mean difference ``[rows, k]`` of two models, and its df."""
        f, own = self.field, self.field.n - 1.0
        v = f.variances(rows)
        if self.prior.pooled:
            v = np.full(v.shape, self.common)
        elif self.prior.df > 0:
            v = (self.prior.df * self.common + own * v) / (self.prior.df + own)
        v[np.arange(v.shape[0]), np.arange(rows.start, rows.stop)] = 0.0
        return v / f.n, np.full(v.shape, self.df)

    def margin_errors(
        self, rows: slice, unit: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same for the difference plus the margin of each subject (or another ``unit``).

        ``Var(a - b + u) = Var(a - b) + Var(u) + 2 Cov(a - b, u)``; the covariance is drawn to 0 as far as the variance
        is drawn to its common value. The df are Satterthwaite's.
        """
        f, own = self.field, self.field.n - 1.0
        v, df = self.errors(rows)
        unit = f.unit if unit is None else unit
        if len(unit) == 1:
            return v, df
        u = unit - unit.mean()
        cov = f.centred.T @ u / own
        weight = 0.0 if self.prior.pooled else own / (self.prior.df + own)
        rest = (float(u @ u) / own + 2 * weight * (cov[rows, None] - cov[None, :])) / f.n
        total = np.maximum(v + rest, np.finfo(float).tiny)
        found = total**2 / (v**2 / df + rest**2 / own)
        return total, np.clip(found, min(own, self.df), max(own, self.df))

    def differences(self, rows: slice) -> np.ndarray:
        """Differences of means ``[rows, k]``."""
        m = self.field.mean
        return np.asarray(m[rows, None] - m[None, :])

    def tests(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """p-values ``[k]``: within the margin of every other model; not the best; beyond the margin of some other.

        *Within*: the largest one-sided p over the others of "difference plus margin is above 0", an intersection-union
        test of its level without knowing which model is best (Berger 1982). *Not the best* and *beyond*: the
        smallest p over the others times their number. Identical models carry no evidence for or against one another
        and are passed over; constant differences that are not 0 leave NaN.
        """
        f = self.field
        near, behind, far = np.empty((3, f.k))
        delta = float(f.unit.mean())
        for rows in f.blocks():
            d = self.differences(rows)
            se, df = self.errors(rows)
            wide, wide_df = self.margin_errors(rows)
            same = self._same(rows, d)
            with np.errstate(invalid="ignore", divide="ignore"):
                t = d / np.sqrt(np.where(se > 0, se, np.nan))
                u = (d + delta) / np.sqrt(np.where(se > 0, wide, np.nan))
            near[rows] = _largest_p(u, wide_df, same)
            behind[rows] = _smallest_p(t, df, same)
            far[rows] = _smallest_p(u, wide_df, same)
        others = max(f.k - 1, 1)
        found = near, np.minimum(1.0, others * behind), np.minimum(1.0, others * far)
        a, b, c = (positive(p) for p in found)
        return a, b, c

    def limits(self, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        """One-sided limits ``[k]`` of "model minus the best of the others".

        Lower: the smallest over the others of ``difference - t se`` at level ``low``, with the error of the margin in
        it, so that it is above minus the margin exactly where that p is at most ``low``. Upper: the
        smallest of ``difference + t se`` at level ``high`` over the number of others.
        """
        f = self.field
        ends = np.empty((2, f.k))
        others = max(f.k - 1, 1)
        for rows in f.blocks():
            d = self.differences(rows)
            se = self.errors(rows)[0]
            wide, wide_df = self.margin_errors(rows)
            own = np.arange(rows.start, rows.stop)
            step = np.arange(len(own)), own
            below = _lowest(d, np.sqrt(np.where(se > 0, wide, 0.0)), wide_df, 1 - low, step)
            above = d + stdtrit(self.df, 1 - high / others) * np.sqrt(se)
            above[step] = np.inf
            ends[0, rows], ends[1, rows] = below, above.min(axis=1)
        return ends[0], ends[1]

    def _same(self, rows: slice, d: np.ndarray) -> np.ndarray:
        """Pairs that carry no evidence: a model and itself, and models with identical scores."""
        f = self.field
        same = (f.variances(rows) <= 0) & (np.abs(d) <= np.sqrt(f.rounding))
        same[np.arange(same.shape[0]), np.arange(rows.start, rows.stop)] = True
        return np.asarray(same)


def _smallest_p(t: np.ndarray, df: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Smallest ``P(T <= t)`` of each row, passing over ``same``; NaN where a t is NaN, or none is left."""
    return _at_smallest_t(t, df, same, upper=False)


def _largest_p(t: np.ndarray, df: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Largest ``P(T >= t)`` of each row, likewise."""
    return _at_smallest_t(t, df, same, upper=True)


def _at_smallest_t(t: np.ndarray, df: np.ndarray, same: np.ndarray, *, upper: bool) -> np.ndarray:
    """P of the pair that decides a row; evaluated where it can be the one, as tails cost most of the time.

    With one df it is the smallest t. Where df differ, another pair can decide only if its t is below the t that has the
    same p at the smallest or at the largest df.
    """
    t = np.where(same, np.inf, t)
    lost = np.isnan(t).any(axis=1) | same.all(axis=1)
    first = np.where(np.isnan(t), np.inf, t).argmin(axis=1)
    at = np.arange(len(t))

    def tail(x: np.ndarray, nu: np.ndarray) -> np.ndarray:
        return np.asarray(stdtr(nu, -x if upper else x))

    p = tail(t[at, first], df[at, first])
    ends = float(df.min()), float(df.max())
    if ends[0] < ends[1]:
        inner = np.clip(p, 1e-300, 1 - 1e-16)
        reach = np.max([stdtrit(nu, 1 - inner if upper else inner) for nu in ends], axis=0)
        row, column = np.nonzero(t <= reach[:, None])
        np.maximum.at(p, row, tail(t[row, column], df[row, column])) if upper else np.minimum.at(
            p, row, tail(t[row, column], df[row, column])
        )
    return np.where(lost, np.nan, p)


def _lowest(
    d: np.ndarray, se: np.ndarray, df: np.ndarray, level: float, own: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Smallest ``d - t se`` of each row, quantiles only where they can decide (they fall with df)."""
    wide, slim = (float(stdtrit(nu, level)) for nu in (df.min(), df.max()))
    least = d - wide * se
    least[own] = np.inf
    out = d - slim * se
    out[own] = np.inf
    row, column = np.nonzero(least <= out.min(axis=1, keepdims=True))
    exact = np.full(len(d), np.inf)
    value = d[row, column] - stdtrit(df[row, column], level) * se[row, column]
    np.minimum.at(exact, row, value)
    return exact
