"""Transformations of an outcome: the way there, the way back, and what a difference is on the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from apastats.errors import DataError

__all__ = ["OUTCOMES", "OutcomeScale", "back_transformed"]

Map = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class OutcomeScale:
    """A function of the outcome.

    Attributes
    ----------
    name : str
        As it stands in a formula.
    inside : callable
        Where it is defined.
    allowed : str
        The same in words.
    ahead, back, slope : callable
        The function, its inverse, and the derivative of the inverse.
    ratio : str
        What the inverse of a difference is: a ratio of means or of odds; empty where it is nothing.
    ratio_of, ratio_slope : callable, optional
        A difference as that ratio, and its derivative.
    """

    name: str
    inside: Map
    allowed: str
    ahead: Map
    back: Map
    slope: Map
    ratio: str = ""
    ratio_of: Map | None = None
    ratio_slope: Map | None = None

    def forward(self, values: np.ndarray, column: str) -> np.ndarray:
        """The function of the outcome; a value outside its domain is refused with its row."""
        inside = self.inside(values)
        if not inside.all():
            row = int(np.argmin(inside))
            raise DataError(
                f"{self.name}({column}): {values[row]:g} in row {row} is not {self.allowed}"
            )
        return self.ahead(values)


def _expit(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _ten(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.power(10.0, x))


def _square(x: np.ndarray) -> np.ndarray:
    # a mean below 0 is no square root: its square would fold the interval over
    return np.where(x < 0, 0.0, x) ** 2


OUTCOMES: dict[str, OutcomeScale] = {
    scale.name: scale
    for scale in (
        OutcomeScale(
            "fisher_z", lambda v: np.abs(v) < 1, "between -1 and 1", np.arctanh, np.tanh,
            lambda x: 1 - np.tanh(x) ** 2,
        ),
        OutcomeScale(
            "log", lambda v: v > 0, "above 0", np.log, np.exp, np.exp, "ratio of means", np.exp, np.exp
        ),
        OutcomeScale(
            "logit", lambda v: (v > 0) & (v < 1), "between 0 and 1", lambda v: np.log(v) - np.log1p(-v),
            _expit, lambda x: _expit(x) * (1 - _expit(x)), "odds ratio", np.exp, np.exp,
        ),
        OutcomeScale(
            "log10", lambda v: v > 0, "above 0", np.log10, _ten, lambda x: np.log(10) * _ten(x),
            "ratio of means", _ten, lambda x: np.log(10) * _ten(x),
        ),
        OutcomeScale(
            "sqrt", lambda v: v >= 0, "0 or more", np.sqrt, _square, lambda x: 2 * np.where(x < 0, 0.0, x)
        ),
    )
}  # fmt: skip


def back_transformed(
    table: pd.DataFrame, scale: OutcomeScale, *, ratios: bool = False
) -> pd.DataFrame:
    """Estimates, limits and bounds mapped back, standard errors by the delta method; ``ratios`` maps differences."""
    back = scale.ratio_of if ratios else scale.back
    slope = scale.ratio_slope if ratios else scale.slope
    if back is None or slope is None:
        raise ValueError(f"{scale.name}: a difference has no value on the way back")
    out = table.copy()
    at = table["estimate"].to_numpy(dtype=float)
    ends = ("conf_low", "conf_high", "bound_low", "bound_high")
    for column in [c for c in table.columns if c == "estimate" or str(c).startswith(ends)]:
        out[column] = back(table[column].to_numpy(dtype=float))
    out["std_error"] = table["std_error"].to_numpy(dtype=float) * slope(at)
    return out
