"""What a test found, as arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True, slots=True)
class Tested:
    """Numbers of one family of tests, all arrays of one shape ``[...]``.

    ``p_low`` and ``p_high`` are the one-sided p-values inside the bounds (above the lower one, below the
    upper one); ``p_below`` and ``p_above`` those outside (below the lower one, above the upper one). ``conf_low`` and
    ``conf_high`` are the interval of level ``1 - 2 alpha`` that goes with the one-sided tests, ``wide_low`` and
    ``wide_high`` that of level ``1 - alpha``, which goes with the two-sided one.
    """

    estimate: np.ndarray
    std_error: np.ndarray
    statistic: np.ndarray
    df: np.ndarray
    p_value: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray
    statistic_low: np.ndarray
    statistic_high: np.ndarray
    p_low: np.ndarray
    p_high: np.ndarray
    p_below: np.ndarray
    p_above: np.ndarray
    n: np.ndarray
    wide_low: np.ndarray = field(default_factory=lambda: np.array(np.nan))
    wide_high: np.ndarray = field(default_factory=lambda: np.array(np.nan))

    @property
    def p_equiv(self) -> np.ndarray:
        """p-value of equivalence: the larger of the two one-sided ones."""
        return np.maximum(self.p_low, self.p_high)

    def above_zero(self) -> Tested:
        """The same, p-values that are too small for a number being the smallest there is: none is 0."""
        names = ("p_value", "p_low", "p_high", "p_below", "p_above")
        zero = [name for name in names if (getattr(self, name) == 0).any()]
        return replace(self, **{name: positive(getattr(self, name)) for name in zero})


def positive(p: np.ndarray) -> np.ndarray:
    """p-values, 0 (too small for a number) as the smallest number; NaN stays.

    >>> positive(np.array([0.0, 0.5, np.nan])).tolist()
    [2.2250738585072014e-308, 0.5, nan]
    """
    return np.asarray(np.where(p == 0, np.finfo(float).tiny, p))


def with_wide(make: Callable[[float], Tested], alpha: float) -> Tested:
    """What ``make(alpha)`` finds, and the interval of the two-sided test from ``make(alpha / 2)``."""
    wide = make(alpha / 2)
    return replace(make(alpha), wide_low=wide.conf_low, wide_high=wide.conf_high)
