"""What a Bayesian model is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Quantity:
    """Where a number of the design lives among the sampled variables.

    Attributes
    ----------
    label : str
        As in the design: a fixed column, ``sd x | g``, ``cor x, z | g``, ``sigma``.
    variable : str
    index : tuple of int
        Position inside the variable; empty for a scalar.
    component : tuple of str
        Of the random part: group, effect and, of a correlation, the other effect, as in a fit of ``lmm``.
    """

    label: str
    variable: str
    index: tuple[int, ...] = ()
    component: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class BayesModel:
    """A PyMC model and how its variables are named in the design.

    Attributes
    ----------
    pymc : object
        The PyMC model; its observed variable is ``outcome``.
    builder : str
        ``bambi``, or ``design`` where the model was written from the arrays of the design.
    coefficients : tuple of Quantity
        Fixed columns; the intercept is that of centred columns.
    scales : tuple of Quantity
        Standard deviations and correlations of the random effects, residual standard deviations last.
    effects : tuple of tuple of str
        Per grouping, the variables that hold its effects: one ``[level, effect]``, or one ``[level]`` per effect.
    level_order : tuple of numpy.ndarray
        Per grouping, positions of the design's levels in these variables.
    priors : dict
        Priors in words.
    """

    pymc: Any
    builder: str
    coefficients: tuple[Quantity, ...]
    scales: tuple[Quantity, ...]
    effects: tuple[tuple[str, ...], ...]
    level_order: tuple[np.ndarray, ...]
    priors: dict[str, str]

    @property
    def hyper(self) -> list[str]:
        """Variables at the top, with a prior of their own; random effects are not among them."""
        return [v.name for v in self.pymc.free_RVs if not v.name.endswith(("_offset", "_effect"))]
