"""Tests of two independent samples; every function gives a `Located` of shape ``[1]`` for ``x - y``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.special import stdtr, stdtrit

from apastats.errors import InputError
from apastats.numbers.location import (
    Located,
    brunner_munzel,
    from_t,
    rank_sum,
    rank_sum_interval,
    trimmed_moments,
)
from apastats.numbers.student import welch_df
from apastats.resampling.one_sample import Resampled, located_by_replicates
from apastats.resampling.plans import Plan, Resamples, subject_counts
from apastats.resampling.quantiles import QuantileRule
from apastats.resampling.relabel import group_signs, permutation_p
from apastats.seeds import RngLike, seed_sequence

__all__ = [
    "two_sample_draws",
    "two_sample_few",
    "Relabelled",
    "bootstrap_two",
    "effect_two",
    "permutation_two",
    "rank_two",
    "resample_two",
    "student_two",
    "trimmed_two",
    "widest",
]

AUTO_DRAWS = 9_999


def _one(*values: float) -> list[np.ndarray]:
    return [np.array([v], dtype=float) for v in values]


def student_two(x: np.ndarray, y: np.ndarray, alpha: float, *, equal_var: bool) -> Located:
    """Welch's or Student's t."""
    return trimmed_two(x, y, alpha, trim=0.0, equal_var=equal_var)


def trimmed_two(
    x: np.ndarray, y: np.ndarray, alpha: float, *, trim: float, equal_var: bool
) -> Located:
    """Yuen's t for trimmed means (Welch or Student without trimming)."""
    (mx,), (sx,), hx = trimmed_moments(x[:, None], trim)
    (my,), (sy,), hy = trimmed_moments(y[:, None], trim)
    if equal_var:
        df = np.asarray(hx + hy - 2.0)
        # back to winsorised sums of squares, pooled
        pooled = (sx**2 * hx * (hx - 1) + sy**2 * hy * (hy - 1)) / df
        se = np.sqrt(pooled * (1 / hx + 1 / hy))
    else:
        with np.errstate(invalid="ignore", divide="ignore"):
            df = welch_df(sx**2 * hx, np.asarray(hx), sy**2 * hy, np.asarray(hy))
        se = np.sqrt(sx**2 + sy**2)
    difference, error = _one(mx - my, se)
    return from_t(difference, error, float(df), alpha)


def rank_two(
    x: np.ndarray, y: np.ndarray, alpha: float, *, exact: bool | None, small: float = 0.0
) -> Located:
    """Wilcoxon-Mann-Whitney; estimate and interval of the shift invert the normal test; ``small`` makes ties."""
    w, above, below, two = rank_sum(x, y, exact=exact, small=small)
    estimate, low, high = rank_sum_interval(x, y, alpha, small)
    return Located(*_one(estimate, np.nan, w, np.nan, above, below, two, low, high))


def effect_two(
    x: np.ndarray, y: np.ndarray, alpha: float, bound: float, small: float = 0.0
) -> Located:
    """Brunner-Munzel t of ``P(X > Y) + P(X = Y) / 2`` against ``bound``, with its interval.

    Samples without overlap have no standard error of their own; then that of one exchanged pair is
    used, the smallest the data could have shown (as in Neubert and Brunner 2007).
    """
    effect, se, df = brunner_munzel(x, y, small)
    if se == 0:
        se = float(np.sqrt(1 / (2 * len(x) ** 2 * len(y)) + 1 / (2 * len(y) ** 2 * len(x))))
        df = len(x) + len(y) - 2.0
    t = (effect - bound) / se
    half = float(stdtrit(df, 1 - alpha)) * se
    above, below = float(stdtr(df, -t)), float(stdtr(df, t))
    return Located(
        *_one(effect, se, t, df, above, below, 2 * min(above, below)),
        *_one(max(0.0, effect - half), min(1.0, effect + half)),
    )


def _welch_columns(m: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Difference of means and Welch standard error of samples in rows."""
    difference = m.mean(axis=1) - y.mean(axis=1)
    se = np.sqrt(m.var(axis=1, ddof=1) / m.shape[1] + y.var(axis=1, ddof=1) / y.shape[1])
    return difference, se


def permutation_two(
    x: np.ndarray,
    y: np.ndarray,
    alpha: float,
    *,
    n_resamples: Resamples,
    rng: RngLike,
    small_sample: bool = True,
) -> Located:
    """Studentised relabelling test: exact where both samples come from one population, else asymptotic.

    Janssen (1997). The interval inverts the test over the shift. With ``small_sample`` it claims only what Welch's
    t claims too: alone it is liberal (6 % instead of 5 %) where the smaller of two samples of about ten varies more.
    """
    relabelled = Relabelled(x, y, group_signs(len(x), len(y), n_resamples, rng))
    p_values = relabelled.p_values
    d0, s0 = _welch_columns(x[None], y[None])
    above, below, two, t = p_values(0.0)
    estimate, se = float(d0[0]), float(s0[0])
    low = _invert(lambda d: p_values(d)[0] > alpha, estimate, -se)
    high = _invert(lambda d: p_values(d)[1] > alpha, estimate, se)
    found = Located(*_one(estimate, se, t, np.nan, above, below, two, low, high))
    return widest(found, student_two(x, y, alpha, equal_var=False)) if small_sample else found


class Relabelled:
    """Welch's t of all relabellings, at any shift of the first sample: sums are linear in the shift."""

    def __init__(self, x: np.ndarray, y: np.ndarray, plan: Plan) -> None:
        self.exact, self.n, self.m = plan.exact, len(x), len(y)
        first = (plan.matrix > 0).astype(float)
        self.observed = np.concatenate([np.ones(self.n), np.zeros(self.m)])
        rows = np.vstack([first, self.observed])
        z = np.concatenate([x, y])
        z = z - z.mean()
        self.sums, self.squares = rows @ z, rows @ (z * z)
        self.moved, self.cross = rows @ self.observed, rows @ (z * self.observed)
        self.z = z

    def t_values(self, shift: float) -> np.ndarray:
        """T of every relabelling, the observed one last."""
        z = self.z - shift * self.observed
        one = self.sums - shift * self.moved
        one2 = self.squares - 2 * shift * self.cross + shift**2 * self.moved
        two, two2 = z.sum() - one, (z * z).sum() - one2
        n, m = self.n, self.m
        # rounding must not pass for a variance
        v1, v2 = (
            np.where(v <= 1e-13 * s, 0.0, v)
            for v, s in ((one2 - one**2 / n, one2), (two2 - two**2 / m, two2))
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(
                (one / n - two / m) / np.sqrt(v1 / (n * (n - 1)) + v2 / (m * (m - 1)))
            )

    def p_values(self, shift: float) -> tuple[float, float, float, float]:
        """Above, below, different, and the observed t."""
        t = self.t_values(shift)
        found = [
            float(permutation_p(t[:-1, None], t[-1:], exact=self.exact, alternative=a)[0])
            for a in ("greater", "less", "two-sided")
        ]
        return found[0], found[1], found[2], float(t[-1])


def widest(first: Located, second: Located) -> Located:
    """Claims of the first test that the second one makes too: the larger p-values, the hull of both intervals."""
    with np.errstate(invalid="ignore"):
        return replace(
            first,
            p_above=np.maximum(first.p_above, second.p_above),
            p_below=np.maximum(first.p_below, second.p_below),
            p_value=np.maximum(first.p_value, second.p_value),
            conf_low=np.minimum(first.conf_low, second.conf_low),
            conf_high=np.maximum(first.conf_high, second.conf_high),
        )


def _invert(inside: Callable[[float], bool], centre: float, step: float) -> float:
    """Edge of the values that are not rejected, going from the estimate in one direction."""
    far = centre + step
    for _ in range(40):
        if not inside(far):
            break
        far += step
        step *= 1.5
    else:
        return float(np.copysign(np.inf, step))
    near = centre
    for _ in range(40):
        middle = (near + far) / 2
        near, far = (middle, far) if inside(middle) else (near, middle)
    return (near + far) / 2


def bootstrap_two(
    x: np.ndarray,
    y: np.ndarray,
    alpha: float,
    *,
    n_resamples: Resamples,
    rng: RngLike,
    interval: str,
    quantile_rule: QuantileRule,
    ties: float,
    small_sample: bool = True,
) -> Located:
    """Bootstrap within each sample, Welch-studentised where studentised."""
    return located_by_replicates(
        resample_two(x, y, n_resamples=n_resamples, rng=rng, small_sample=small_sample),
        alpha,
        interval=interval,
        quantile_rule=quantile_rule,
        ties=ties,
    )


def two_sample_few(x: np.ndarray, y: np.ndarray) -> tuple[float, float] | None:
    """Welch's df, and the SD of the replicates of a difference of means over Welch's standard error."""
    n1, n2 = len(x), len(y)
    v1, v2 = (np.asarray(v.var(ddof=1)) for v in (x, y))
    squared = v1 / n1 + v2 / n2
    if not squared > 0:
        return None
    df = welch_df(v1, np.asarray(n1), v2, np.asarray(n2))
    drawn = v1 * (n1 - 1) / n1**2 + v2 * (n2 - 1) / n2**2
    return float(df), float(np.sqrt(drawn / squared))


def two_sample_draws(
    test: str, n: int, m: int, n_resamples: Resamples, rng: RngLike
) -> tuple[int, bool]:
    """Resamples of a test of two independent samples, and whether they are all there are; 0 where it has none."""
    if test == "bootstrap":
        return (AUTO_DRAWS if n_resamples == "auto" else int(n_resamples)), False
    if test == "permutation":
        plan = group_signs(n, m, n_resamples, rng)
        return plan.n_resamples, plan.exact
    return 0, True


def resample_two(
    x: np.ndarray,
    y: np.ndarray,
    *,
    n_resamples: Resamples,
    rng: RngLike,
    small_sample: bool = True,
) -> Resampled:
    """Replicates of the difference of means, each sample drawn by itself."""
    if n_resamples == "exact":
        raise InputError("n_resamples", "exact", "'auto' or a number for two independent samples")
    root = seed_sequence(rng)
    rows = AUTO_DRAWS if n_resamples == "auto" else n_resamples
    shifts, variances, scales = [], [], []
    for k, sample in enumerate((x, y)):
        child = np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, k))
        counts = subject_counts(len(sample), rows, child).matrix
        centred = sample - sample.mean()
        n = len(sample)
        shift = counts @ centred / n
        variance = np.maximum(counts @ centred**2 / n - shift**2, 0.0) / (n - 1)
        shifts.append(shift)
        variances.append(variance)
        scales.append(centred)
    difference = shifts[0] - shifts[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        t_star = difference / np.sqrt(variances[0] + variances[1])
    t_star[np.abs(difference) <= 1e-12 * max(np.abs(scales[0]).max(), np.abs(scales[1]).max())] = (
        0.0
    )
    d0, s0 = _welch_columns(x[None], y[None])
    few = two_sample_few(x, y) if small_sample else None
    return Resampled(
        d0,
        s0,
        difference[:, None],
        t_star[:, None],
        np.concatenate([scales[0], -scales[1]])[:, None],
        None,
        float(len(difference)),
        few,
    )
