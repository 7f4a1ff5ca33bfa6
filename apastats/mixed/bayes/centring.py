"""Which random effects are sampled as they are, and which as standardised ones."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from apastats.errors import ApaError, ApaWarning
from apastats.mixed.engine.core import fit_design
from apastats.mixed.engine.design import Design
from apastats.mixed.engine.summaries import effect_variances

__all__ = ["Centring", "choose_centring"]


@dataclass(frozen=True)
class Centring:
    """Per grouping whether its effects are sampled as they are, and the one that holds the intercept.

    Attributes
    ----------
    effects : tuple of bool
    home : int or None
        Grouping whose effects are sampled about the intercept: the one whose mean effect is least certain, which
        otherwise moves against the intercept and slows both.
    """

    effects: tuple[bool, ...]
    home: int | None = None


def choose_centring(design: Design) -> Centring:
    """What to sample as it is, by what the data say of a level.

    Where a level has much data, the posterior of its effect hardly depends on the standard deviation and the effect
    itself is the good coordinate; where it has little, the effect over the standard deviation is (Betancourt and
    Girolami 2015, Hamiltonian Monte Carlo for hierarchical models). The share of an effect that the data decide is
    1 - (variance of the effect given the data) / (variance of effects), of a REML fit, so that what other groupings
    leave open counts: effects are centred where its mean over levels is above one half.
    """
    none = Centring(tuple(False for _ in design.groupings))
    if not design.groupings:
        return none
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ApaWarning)
            fitted = fit_design(design, polish=False)
    except ApaError:  # what cannot be fitted so is sampled the cautious way
        return none
    centred, uncertain = [], []
    left = effect_variances(fitted, include_fixed=False)
    for g, given, M in zip(design.groupings, left, fitted.covariances, strict=True):
        variance = np.diag(M)
        known = not g.members and (variance > 0).all()
        centred.append(bool(known and 1 - (given / variance).mean() > 0.5))
        alone = centred[-1] and g.effects == ("(Intercept)",)
        uncertain.append(float(variance[0]) / g.n_levels if alone else 0.0)
    home = int(np.argmax(uncertain)) if max(uncertain) > 0 else None
    return Centring(tuple(centred), home if design.fixed.names[0] == "(Intercept)" else None)
