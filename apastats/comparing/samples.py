"""Two samples as arrays: checked, paired or independent."""

from __future__ import annotations

from typing import Any

import numpy as np

from apastats.errors import DesignError, InputError


def _sample(values: Any, argument: str) -> np.ndarray:
    """One-dimensional float array; finite or NaN."""
    try:
        out = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(argument, values, "a one-dimensional array of numbers") from error
    if out.ndim != 1:
        raise InputError(
            argument, f"an array of shape {out.shape}", "a one-dimensional array of numbers"
        )
    if np.isinf(out).any():
        raise InputError(argument, "an infinite value", "finite numbers, NaN for missing")
    return out


def samples(x: Any, y: Any, paired: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Samples without missing values; pairs are dropped together."""
    first = _sample(x, "x")
    if y is None:
        second = None
        first = first[~np.isnan(first)]
    else:
        second = _sample(y, "y")
        if paired:
            if len(first) != len(second):
                raise InputError(
                    "y",
                    f"{len(second)} values",
                    f"{len(first)} values, as many as x",
                    hint="Or paired=False.",
                )
            keep = ~(np.isnan(first) | np.isnan(second))
            first, second = first[keep], second[keep]
        else:
            first, second = first[~np.isnan(first)], second[~np.isnan(second)]
    for name, sample in (("x", first), ("y", second)):
        if sample is not None and len(sample) < 2:
            raise DesignError(f"{name}: {len(sample)} values; at least 2 are needed")
    return first, second
