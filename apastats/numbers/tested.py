"""What a test found, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Tested:
    """Numbers of one family of tests, all arrays of one shape ``[...]``.

    ``p_low`` and ``p_high`` are the one-sided p-values inside the bounds (above the lower one, below the
    upper one); ``p_below`` and ``p_above`` those outside (below the lower one, above the upper one).
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

    @property
    def p_equiv(self) -> np.ndarray:
        """p-value of equivalence: the larger of the two one-sided ones."""
        return np.maximum(self.p_low, self.p_high)
