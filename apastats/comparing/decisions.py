"""What is claimed and what was decided: hypotheses, p-values, the four outcomes, and their words."""

from __future__ import annotations

from typing import Any

import numpy as np

from apastats.arguments import choice, number
from apastats.numbers.tested import Tested

__all__ = [
    "HYPOTHESES",
    "OUTCOMES",
    "check_alpha",
    "check_hypothesis",
    "claim_p",
    "outcomes",
]

OUTCOMES = ("equivalent", "different", "different but inside the margin", "undecided")

# hypothesis claimed -> its null, in words
HYPOTHESES = {
    "equivalence": "the difference lies on or beyond a bound",
    "minimal_effect": "the difference lies on or between the bounds",
    "noninferiority": "the difference lies on or below the lower bound",
    "nonsuperiority": "the difference lies on or above the upper bound",
    "superiority": "the difference lies on or below the upper bound",
}

NOT_CONCLUDED = (
    "\u201cUndecided\u201d is a result: neither a difference nor equivalence was shown. That no difference was shown "
    "is no evidence of equivalence, and equivalence holds for the margin stated only."
)


def check_alpha(alpha: Any) -> float:
    """Level of a test, as a float below one half."""
    return number("alpha", alpha, above=0, below=0.5, allowed="a number between 0 and 0.5")


def check_hypothesis(hypothesis: Any) -> str:
    """One of the five hypotheses."""
    return choice("hypothesis", hypothesis, HYPOTHESES)


def claim_p(tested: Tested, hypothesis: str) -> np.ndarray:
    """p-value of the claim.

    A minimal effect is claimed by either one-sided test outside the bounds: at each boundary only one of
    the two can reject with probability alpha, the smaller p therefore needs no doubling.
    """
    if hypothesis == "equivalence":
        return tested.p_equiv
    if hypothesis == "minimal_effect":
        return np.minimum(tested.p_below, tested.p_above)
    return {
        "noninferiority": tested.p_low,
        "nonsuperiority": tested.p_high,
        "superiority": tested.p_above,
    }[hypothesis]


def outcomes(p_value: np.ndarray, p_equiv: np.ndarray, alpha: float) -> np.ndarray:
    """One of the four outcomes per test, from the (adjusted) ordinary and equivalence p-values."""
    different, inside = p_value <= alpha, p_equiv <= alpha
    chosen = np.where(
        different,
        np.where(inside, OUTCOMES[2], OUTCOMES[1]),
        np.where(inside, OUTCOMES[0], OUTCOMES[3]),
    )
    return chosen.astype(object)
