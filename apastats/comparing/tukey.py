"""Tukey's comparisons of all pairs: one pooled variance, and the range of the means."""

from __future__ import annotations

import numpy as np

from apastats.comparing.margin import Bounds
from apastats.errors import DesignError
from apastats.numbers.moments import rounding
from apastats.numbers.simultaneous import range_critical, range_sf
from apastats.numbers.student import from_summary
from apastats.numbers.tested import Tested, positive
from apastats.table import Block

__all__ = ["pooled_error", "tukey_p", "tukey_tests"]


def pooled_error(values: np.ndarray) -> tuple[float, float]:
    """Mean square of the subject-by-group residuals of one complete cell ``[n, k]``, and its df."""
    n, k = values.shape
    residual = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    df = (n - 1.0) * (k - 1)
    return float((residual**2).sum() / df), df


def tukey_tests(
    block: Block, d: np.ndarray, limits: Bounds, alpha: float, family: str, size: np.ndarray
) -> tuple[Tested, np.ndarray]:
    """Pooled-variance tests of a balanced design, and half widths of Tukey's intervals."""
    values = block.values
    if not np.isfinite(values).all():
        raise DesignError(
            "adjust='tukey' needs complete data; use 'holm' or 'max-t' where scores are missing"
        )
    if limits.unit_low is not None or limits.sd_units:
        raise DesignError("adjust='tukey' needs a margin in raw units")
    n, k, n_cell = values.shape
    pooled = np.array([pooled_error(values[:, :, j])[0] for j in range(n_cell)])
    df = (n - 1.0) * (k - 1)
    se = np.broadcast_to(np.sqrt(2 * pooled / n), d.shape[1:])
    se = np.where(se <= rounding(size, axis=0), 0.0, se)
    estimate = d.mean(axis=0)
    tested = from_summary(
        estimate,
        se,
        np.full(estimate.shape, df),
        limits.low[None, :],
        limits.high[None, :],
        np.full(estimate.shape, n),
        alpha=alpha,
    )
    level = alpha / (n_cell if family == "all" else 1)
    return tested, range_critical(1 - level, k, df) / np.sqrt(2) * se


def tukey_p(tested: Tested, block: Block, family: str) -> dict[str, np.ndarray]:
    """Tukey's p-values; over several cells multiplied by their number."""
    k = len(block.groups)
    cells = len(block.cells) if family == "all" else 1
    df = float(tested.df.flat[0])

    def tail(t: np.ndarray) -> np.ndarray:
        reached = np.sqrt(2) * np.maximum(t, 0.0)
        p = range_sf(np.where(np.isfinite(reached), reached, 0.0), k, df)
        return np.where(np.isfinite(t), positive(np.minimum(1.0, cells * p)), np.nan)

    return {
        "p_value": tail(np.abs(tested.statistic)),
        "p_value_noninf": tail(tested.statistic_low),
        "p_value_nonsup": tail(-tested.statistic_high),
        "p_value_equiv": tail(np.minimum(tested.statistic_low, -tested.statistic_high)),
    }
