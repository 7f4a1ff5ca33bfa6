"""How many decimals of a table are printed, and whether Monte-Carlo error leaves them as they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["LIMIT_ERRORS", "decimals_for", "printed_decimals", "resamples_to_settle", "unsettled"]

LIMIT_ERRORS = ("conf_low_mcse", "conf_high_mcse")  # columns with the errors of simulated limits


def decimals_for(*scales: Any, least: int = 3, most: int = 6, digits: int = 2) -> int:
    """Decimals that show ``digits`` digits of the typical (median) size of the values given.

    Examples
    --------
    >>> decimals_for([0.0123, 0.02]), decimals_for([0.0123, 0.02], digits=1, least=1)
    (3, 2)
    """
    sizes: list[float] = []
    for scale in scales:
        try:
            values = [abs(float(v)) for v in scale]
        except TypeError:
            values = [abs(float(scale))]
        sizes += [v for v in values if math.isfinite(v) and v > 0]
    if not sizes:
        return least
    middle = sorted(sizes)[len(sizes) // 2]
    return min(most, max(least, digits - 1 - math.floor(math.log10(middle))))


def printed_decimals(std_error: Any, mcse: Any = 0.0) -> int:
    """Decimals a table of estimates is printed with.

    Parameters
    ----------
    std_error : array
        Standard errors of the estimates.
    mcse : array or float
        Monte-Carlo standard errors of the numbers that are printed.

    Returns
    -------
    int
        Two digits of the typical standard error; down to one digit of it where the largest Monte-Carlo
        error exceeds half a unit of the last decimal, so that the decimal would be chance.

    Examples
    --------
    >>> printed_decimals([0.012]), printed_decimals([0.012], [0.0008])
    (3, 2)
    """
    fine = decimals_for(std_error)
    coarse = min(fine, decimals_for(std_error, least=1, digits=1))
    largest = _largest(mcse)
    while fine > coarse and largest > _half(fine):
        fine -= 1
    return fine


def unsettled(std_error: Any, mcse: Any) -> np.ndarray:
    """Where Monte-Carlo error exceeds half a unit of the last decimal that is printed."""
    error = np.nan_to_num(np.asarray(mcse, dtype=float), nan=0.0)
    out: np.ndarray = error > _half(printed_decimals(std_error, mcse))
    return out


def resamples_to_settle(n_resamples: int, std_error: Any, mcse: Any) -> int:
    """Resamples after which the largest Monte-Carlo error is below half a unit of the last decimal.

    Monte-Carlo error falls with the square root of the number; one standard error of the error is
    added, and the number is rounded up to two digits.
    """
    largest = _largest(mcse)
    # the error of a limit is estimated itself, from about 2 sqrt(0.025 B) order statistics
    safety = 1 + (2 * math.sqrt(0.025 * n_resamples)) ** -0.5
    ratio = safety * largest / _half(printed_decimals(std_error, mcse))
    wanted = n_resamples * max(1.0, ratio) ** 2
    if np.isinf(np.asarray(mcse, dtype=float)).any():
        # infinite replicates lie within one error of a limit: how many more keep them away is not in the data
        wanted = max(wanted, 20.0 * n_resamples)
    step = 10.0 ** max(0, math.floor(math.log10(wanted)) - 1)
    return int(math.ceil(wanted / step) * step)


def _half(decimals: int) -> float:
    """Half a unit of the last decimal."""
    return 0.5 * 10.0**-decimals


def _largest(mcse: Any) -> float:
    """Largest finite Monte-Carlo error."""
    values = np.asarray(mcse, dtype=float)
    values = values[np.isfinite(values)]
    return float(values.max()) if values.size else 0.0
