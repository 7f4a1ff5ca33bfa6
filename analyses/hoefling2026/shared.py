"""What shared predictors add to the agreement of leave-one-out brain patterns, under stated assumptions.

The pattern of subject s is predicted by the mean of the m other subjects: ``B_s = T + a_s + mean_{p != s} b_p`` with T
what all have in common, a_s what s has as a target and b_p what p has as a predictor. Patterns of two subjects share
m - 1 predictors, and each holds the other's b. With ``ratio = var b / var a`` and ``c = cov(a_s, b_s) / var a``::

    var B       = T^2 + a^2 (1 + ratio / m)
    cov(B, B')  = T^2 + a^2 (ratio (m - 1) / m^2 + 2 c / m)

One set of leave-one-out rows does not tell these apart, so the two numbers are assumed, not estimated.
"""

from __future__ import annotations

import numpy as np

__all__ = ["share_in_common"]


def share_in_common(
    correlation: np.ndarray, n_subject: int, *, ratio: float = 1.0, same: float = 0.0
) -> np.ndarray:
    """Share ``T^2 / cov(B, B')`` of the correlation of two subjects' patterns that shared predictors do not make.

    Parameters
    ----------
    correlation : numpy.ndarray
        Correlation of two subjects' leave-one-out patterns.
    n_subject : int
    ratio : float
        Variance of a person's own part as one predictor, over that as a target.
    same : float
        Correlation of the two parts of one person.

    Returns
    -------
    numpy.ndarray
        Factor, at least 0, by which the brain's agreement is lowered.
    """
    r, m = np.asarray(correlation, dtype=np.float64), n_subject - 1
    noise = 1 + ratio / m
    shared = ratio * (m - 1) / m**2 + 2 * same * np.sqrt(ratio) / m
    target = (1 - r) / (noise - shared)  # a^2, in units of var B
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(1 - target * shared / r, 0.0, 1.0)
