"""Which random effects are sampled as they are, which as standardised ones, and about what."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np

from apastats.errors import ApaError, ApaWarning
from apastats.mixed.engine.core import fit_design
from apastats.mixed.engine.design import Design
from apastats.mixed.engine.summaries import effect_variances

__all__ = ["Centring", "choose_centring"]


@dataclass(frozen=True)
class Centring:
    """Per grouping whether its effects are sampled as they are, and what they are sampled about.

    Attributes
    ----------
    effects : tuple of bool
    home : int or None
        Grouping whose effects are sampled about the intercept: the one whose mean effect is least certain, which
        otherwise moves against the intercept and slows both.
    parents : tuple of tuple of int
        Per grouping the coarser groupings whose effects it is sampled about: ``subject:roi`` about those of
        ``subject``. Empty where it is sampled about 0.
    """

    effects: tuple[bool, ...]
    home: int | None = None
    parents: tuple[tuple[int, ...], ...] = field(default=())

    def about(self, grouping: int) -> tuple[int, ...]:
        """Groupings whose effects those of a grouping are sampled about."""
        return self.parents[grouping] if self.parents else ()


def choose_centring(design: Design) -> Centring:
    """What to sample as it is, by what the data say of a level.

    Where a level has much data, the posterior of its effect hardly depends on the standard deviation and the effect
    itself is the good coordinate; where it has little, the effect over the standard deviation is (Betancourt and
    Girolami 2015, Hamiltonian Monte Carlo for hierarchical models). The share of an effect that the data decide is
    1 - (variance of the effect given the data) / (variance of effects), of a REML fit, so that what other groupings
    leave open counts: effects are centred where its mean over levels is above one half.

    Given the effects of a finer grouping (``subject:roi``), rows decide those of a coarser one (``subject``) almost
    wholly, and neither coordinate of the latter is good. Sampled about the coarser effects, the finer ones take the
    data up (hierarchical centring: Gelfand, Sahu and Carlin 1995, Biometrika 82, 479): one finer grouping for every
    coarser one, that whose mean within a level is least certain.
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
    home = home if design.fixed.names[0] == "(Intercept)" else None
    # the variance of the mean of the levels within one coarser level, times the number of coarser levels
    return Centring(tuple(centred), home, _parents(design, uncertain))


def _parents(design: Design, uncertain: list[float]) -> tuple[tuple[int, ...], ...]:
    """Coarser groupings every grouping is sampled about; only those that are sampled as they are take one."""
    out: list[list[int]] = [[] for _ in design.groupings]
    for p, parent in enumerate(design.groupings):
        if parent.members or parent.effects != ("(Intercept)",):
            continue
        inside = [
            c for c, g in enumerate(design.groupings)
            if uncertain[c] > 0 and set(parent.columns) < set(g.columns)
        ]  # fmt: skip
        if inside:
            out[max(inside, key=lambda c: uncertain[c])].append(p)
    return tuple(tuple(v) for v in out)
