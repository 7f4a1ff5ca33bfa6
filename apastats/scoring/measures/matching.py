"""Measures that match single units: optimal transport, and assignment one to one."""

from __future__ import annotations

from typing import Any

import numpy as np

from apastats.errors import MissingExtraError
from apastats.numbers.backends import Backend
from apastats.numbers.units import varies
from apastats.scoring.measures.entry import Measure, pairwise

__all__ = ["MEASURES"]


def _units(x: np.ndarray, backend: Backend) -> np.ndarray:
    """Units of mean 0 and norm 1; those that do not vary have no correlation and are left out."""
    x = x[:, varies(x)]
    x = x - x.mean(axis=0)
    return np.asarray(x / np.sqrt((x**2).sum(axis=0)))


def _assigned(correlation: np.ndarray) -> float:
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(correlation, maximize=True)
    return float(correlation[rows, columns].mean())


def _pairs(x: np.ndarray, y: np.ndarray) -> float:
    return _assigned(x.T @ y) if x.shape[1] and y.shape[1] else float("nan")


def _transport(x: np.ndarray, y: np.ndarray) -> float:
    p, q = x.shape[1], y.shape[1]
    if not p or not q:
        return float("nan")
    correlation = x.T @ y
    if p == q:  # the plan is then a permutation (Birkhoff)
        return _assigned(correlation)
    try:
        import ot
    except ImportError as error:
        raise MissingExtraError("POT", "transport") from error
    plan: Any = ot.emd(np.full(p, 1 / p), np.full(q, 1 / q), 1 - correlation, numItermax=10**7)
    return float((plan * correlation).sum())


MEASURES = {
    "soft-matching": Measure(
        "soft-matching",
        "mean correlation of units under the best transport plan, every unit with the same mass; the squared "
        "soft-matching distance of units of norm 1 is 2 - 2 times it",
        ("khosla2024",),
        kind="distance",
        low=-1,
        independent="above 0; falls with stimuli, grows with units",
        invariant=("permutation of units", "scaling of units", "shift"),
        needs="POT where numbers of units differ (the extra transport)",
        prepare=_units,
        compare=pairwise(_transport),
    ),
    "pairwise-matching": Measure(
        "pairwise-matching",
        "mean correlation of the best one-to-one matching of the units of the smaller data set",
        ("li2015",),
        low=-1,
        independent="above 0; falls with stimuli, grows with units",
        invariant=("permutation of units", "scaling of units", "shift"),
        prepare=_units,
        compare=pairwise(_pairs),
    ),
}
