"""Replicates of statistics other than cell means: named ones by weights, any callable by drawn rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from apastats.arguments import array
from apastats.errors import DataError, InputError
from apastats.numbers.moments import centred

__all__ = [
    "NAMED",
    "Statistic",
    "callable_statistic",
    "degrees_of_freedom",
    "influence_values",
    "named_statistic",
]

Samples: TypeAlias = tuple[np.ndarray, ...]
# samples and counts [rows, n] of each -> replicates [rows, m], standard errors [rows, m] or None
Evaluate: TypeAlias = Callable[[Samples, Samples], tuple[np.ndarray, np.ndarray | None]]

NAMED = ("mean", "mean_difference", "ratio", "correlation")


@dataclass(frozen=True)
class Statistic:
    """A statistic that can be evaluated for many resamples.

    Attributes
    ----------
    name : str
        For tables.
    evaluate : callable
        ``(samples, counts) -> replicates, standard errors or None``; see the type.
    weighted : bool
        Whether counts may be any weights (Dirichlet), not only whole numbers.
    fingerprint : str
        Hash of the code of a callable.
    """

    name: str
    evaluate: Evaluate
    weighted: bool
    fingerprint: str = ""


def _moments(
    x: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Callable[[int, int], np.ndarray]]:
    """Size ``[rows]``, means ``[rows, k]`` and a function for the (co)variance of two columns."""
    size = counts.sum(axis=1)
    _, centre, shifted = centred(x)
    means = counts @ shifted / size[:, None]

    def covariance(i: int, j: int) -> np.ndarray:
        product = counts @ (shifted[:, i] * shifted[:, j]) / size
        raw = product - means[:, i] * means[:, j]
        if i == j:
            raw = np.where(raw <= 1e-13 * product, 0.0, raw)
        with np.errstate(invalid="ignore", divide="ignore"):
            out: np.ndarray = raw * (size / (size - 1))
        return out

    return size, means + centre, covariance


def _means(samples: Samples, counts: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Mean of every column, with ``s / sqrt(n)``."""
    x = samples[0].reshape(len(samples[0]), -1)
    n, means, cov = _moments(x, counts[0])
    variances = np.stack([cov(j, j) for j in range(x.shape[1])], axis=1)
    return means, np.sqrt(variances / n[:, None])


def _mean_difference(samples: Samples, counts: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the first sample minus mean of the second, Welch's standard error."""
    n_a, mean_a, cov_a = _moments(samples[0][:, None], counts[0])
    n_b, mean_b, cov_b = _moments(samples[1][:, None], counts[1])
    error = np.sqrt(cov_a(0, 0) / n_a + cov_b(0, 0) / n_b)
    return mean_a - mean_b, error[:, None]


def _ratio(samples: Samples, counts: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Mean of column 0 over mean of column 1, delta-method standard error."""
    n, means, cov = _moments(samples[0], counts[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = means[:, 0] / means[:, 1]
        variance = cov(0, 0) - 2 * ratio * cov(0, 1) + ratio**2 * cov(1, 1)
        error = np.sqrt(np.maximum(variance, 0) / n) / np.abs(means[:, 1])
    return ratio[:, None], error[:, None]


def _correlation(samples: Samples, counts: Samples) -> tuple[np.ndarray, None]:
    """Pearson correlation of columns 0 and 1."""
    _, _, cov = _moments(samples[0], counts[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        r = cov(0, 1) / np.sqrt(cov(0, 0) * cov(1, 1))
    return np.clip(r, -1, 1)[:, None], None


def named_statistic(name: str, samples: Samples) -> Statistic:
    """Statistic by its name; InputError where the samples do not fit it."""
    if name == "mean":
        if len(samples) != 1:
            raise InputError("x", f"{len(samples)} samples", "one array for statistic='mean'")
        if not np.isfinite(samples[0]).all():
            raise DataError("x: NaN is allowed for the mean without transform and workdir only")
        return Statistic(name, _means, True)
    if name == "mean_difference":
        if len(samples) != 2 or any(s.ndim != 1 for s in samples):
            raise InputError("x", "one sample", "a tuple of two one-dimensional samples")
        return Statistic(name, _mean_difference, True)
    if name in ("ratio", "correlation"):
        if len(samples) != 1 or samples[0].ndim != 2 or samples[0].shape[1] != 2:
            shape = [s.shape for s in samples]
            raise InputError("x", f"shape {shape}", f"one array [n, 2] for statistic={name!r}")
        return Statistic(name, _ratio if name == "ratio" else _correlation, True)
    raise InputError("statistic", name, f"a callable or one of {list(NAMED)}")


def _made(argument: str, value: object) -> np.ndarray:
    """What a user's function gave, as a vector."""
    allowed = "a function that gives a number or a vector of numbers"
    return np.atleast_1d(array(argument, value, infinite=True, allowed=allowed))


def callable_statistic(
    function: Callable[..., object], std_error: Callable[..., object] | None
) -> Statistic:
    """Statistic of a callable that takes one array of drawn rows per sample."""

    def evaluate(samples: Samples, counts: Samples) -> tuple[np.ndarray, np.ndarray | None]:
        values, errors = [], []
        for row in range(len(counts[0])):
            drawn = [
                np.repeat(s, c[row].astype(np.intp), axis=0)
                for s, c in zip(samples, counts, strict=True)
            ]
            values.append(_made("statistic", function(*drawn)))
            if std_error is not None:
                errors.append(_made("std_error", std_error(*drawn)))
        stacked = np.stack(values)
        if stacked.ndim != 2:
            raise InputError("statistic", f"shape {stacked.shape[1:]}", "a number or a vector")
        if std_error is None:
            return stacked, None
        return stacked, np.broadcast_to(np.stack(errors), stacked.shape)

    name = getattr(function, "__name__", "statistic")
    code = getattr(function, "__code__", None)
    mark = "" if code is None else hashlib.sha256(code.co_code + repr(code.co_names).encode())
    fingerprint = mark if isinstance(mark, str) else mark.hexdigest()[:16]
    return Statistic("statistic" if name == "<lambda>" else name, evaluate, False, fingerprint)


def degrees_of_freedom(statistic: Statistic, samples: Samples) -> float:
    """For the t interval: Welch's for a difference of means, units minus samples otherwise."""
    if statistic.name != "mean_difference":
        return float(sum(len(s) - 1 for s in samples))
    parts = [s.var(ddof=1) / len(s) for s in samples]
    bottom = sum(p**2 / (len(s) - 1) for p, s in zip(parts, samples, strict=True))
    return float(sum(parts) ** 2 / bottom) if bottom > 0 else float(sum(map(len, samples)) - 2)


def influence_values(statistic: Statistic, samples: Samples) -> np.ndarray:
    """Jackknife influence ``(n_g - 1) (t - t_without_i)`` of every unit, ``[sum n_g, m]``.

    Raises
    ------
    DataError
        If the statistic is not finite with one unit left out.
    """
    ones = tuple(np.ones((1, len(s))) for s in samples)
    full, _ = statistic.evaluate(samples, ones)
    parts = []
    for g, sample in enumerate(samples):
        n = len(sample)
        counts = list(np.ones((n, len(s))) for s in samples)
        counts[g] = 1.0 - np.eye(n)
        without, _ = statistic.evaluate(samples, tuple(counts))
        parts.append((n - 1) * (full - without))
    out = np.concatenate(parts)
    if not np.isfinite(out).all():
        raise DataError(f"{statistic.name}: not finite on the data with one unit left out")
    return out
