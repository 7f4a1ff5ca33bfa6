"""Natural cubic splines for the fixed part."""

from __future__ import annotations

from typing import Any

import numpy as np
from formulaic.utils.stateful_transforms import stateful_transform

from apastats.errors import InputError

__all__ = ["ns"]


def _columns(x: np.ndarray, knots: np.ndarray, derivative: int = 0) -> np.ndarray:
    """Cubic B-splines ``[n, k]`` at x (or a derivative of them)."""
    from scipy.interpolate import BSpline

    k = len(knots) - 4
    return np.column_stack(
        [BSpline(knots, np.eye(k)[j], 3).derivative(derivative)(x) if derivative else BSpline(knots, np.eye(k)[j], 3)(x)
         for j in range(k)]
    )  # fmt: skip


def _ns(x: Any, df: int = 3, _state: dict[str, Any] | None = None) -> np.ndarray:
    """Natural cubic spline columns ``[n, df]``, linear beyond the data (as R's ``ns(x, df)``).

    B-splines whose second derivative is 0 at both ends (de Boor 1978, A Practical Guide to Splines); inner knots at
    quantiles of x. The columns span the space of R's, which fits and predictions depend on; their signs may differ.
    """
    values = np.asarray(x, dtype=float)
    state: dict[str, Any] = {} if _state is None else _state
    if "knots" not in state:
        if int(df) != df or df < 1:
            raise InputError("df", df, "a whole number of 1 or more")
        ends = values.min(), values.max()
        inner = np.quantile(values, np.linspace(0, 1, int(df) + 1)[1:-1])
        state["ends"] = ends
        state["knots"] = np.concatenate([np.repeat(ends[0], 4), inner, np.repeat(ends[1], 4)])
    low, high = state["ends"]
    knots = state["knots"]
    inside = np.clip(values, low, high)
    basis = _columns(inside, knots)
    for end, outside in ((low, values < low), (high, values > high)):
        if outside.any():
            slope = _columns(np.array([end]), knots, 1)
            basis[outside] = (
                _columns(np.array([end]), knots) + (values[outside, None] - end) * slope
            )
    bent = _columns(np.array([low, high]), knots, 2)[:, 1:]
    free = np.linalg.qr(bent.T, mode="complete")[0][:, 2:]
    return np.asarray(basis[:, 1:] @ free)


# the library keeps the state of the first call, so that new rows get the same columns
ns: Any = stateful_transform(_ns)
