"""The two questions of :func:`brain_test` on the arrays of one outcome: their columns, and the decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from apastats.comparing.margin import Bounds
from apastats.errors import DesignError
from apastats.numbers.adjust_p import adjust_p
from apastats.numbers.jackknife import SecondOrder, second_order
from apastats.numbers.moments import moments
from apastats.numbers.one_more_person import (
    Candidates,
    People,
    Profile,
    as_candidates,
    effects_of_people,
    profile_test,
)
from apastats.patterns.as_predictors import AsPredictors

__all__ = [
    "GOOD",
    "LIKE",
    "NOT_WORSE",
    "POOL",
    "Options",
    "as_good",
    "decide",
    "like_a_person",
    "rule_of",
    "side_of",
    "side_word",
]

LIKE, NOT_WORSE, WORSE, UNDECIDED = (
    "indistinguishable from a person within the margin",
    "not worse than a person",
    "worse than a person",
    "undecided",
)
# what lies outside of people, by the side that was tested
OUTSIDE = {"less": "below the spread of people", "two-sided": "beyond the spread of people"}
# where the brain's rows are pools of people there is no person to compare with
POOL = "the mean of the other people"
NOT_WORSE_THAN_POOL, WORSE_THAN_POOL = f"not worse than {POOL}", f"worse than {POOL}"
GOOD = ("within the margin", "not worse by the margin")


@dataclass(frozen=True)
class Options:
    """Choices of the verb that both questions read."""

    over: str
    alternative: str
    adjust: str
    alpha: float
    n_resamples: int


def side_of(bounds: Bounds, side: int, n_cell: int) -> np.ndarray:
    """One bound of every person, ``[n or 1, n_cell]``."""
    units = (bounds.unit_low, bounds.unit_high)[side]
    fixed = (bounds.low, bounds.high)[side]
    return np.broadcast_to(fixed, (1, n_cell)) if units is None else units


def as_good(
    difference: np.ndarray, sides: list[np.ndarray], options: Options, pairs: np.ndarray | None
) -> dict[str, Any]:
    """Tests of ``difference [n, n_model, n_cell]`` against bounds ``[n or 1, n_cell]`` of every person.

    ``pairs [n, n, n_cell]``: what people score on one another, for the second order of their mean.
    """
    n, mean, sd = moments(difference)
    df = n - 1.0

    def beyond(shares: np.ndarray) -> SecondOrder:
        return SecondOrder(np.zeros(mean.shape)) if pairs is None else second_order(shares, pairs)

    with np.errstate(invalid="ignore", divide="ignore"):
        error = sd / np.sqrt(n)
        t = []
        for side in sides:
            # the bound is a share of each person's own ceiling and varies with the score: it is taken off before the
            # test, so its error is in the spread
            contrast = difference - side[:, None]
            _, middle, spread = moments(contrast)
            t.append(beyond(contrast).corrected(middle / (spread / np.sqrt(n))))
        noninferior, superior = stdtr(df, -t[0]), stdtr(df, t[1])
        reach, own = stdtrit(df, 1 - options.alpha), beyond(difference)
        # the limits are where the corrected statistic reaches its quantile
        low_end = mean - own.statistic_at(reach) * error
        high_end = mean - own.statistic_at(-reach) * error
    tests = {
        "noninf": noninferior,
        "equiv": np.maximum(noninferior, superior),
        "worse": stdtr(df, t[0]),
    }
    low, high = (np.broadcast_to(np.nanmean(s, axis=0), mean.shape).ravel() for s in sides)
    out: dict[str, Any] = {
        "estimate": mean.ravel(),
        "std_error": error.ravel(),
        "df": df.ravel(),
        "conf_low": low_end.ravel(),
        "conf_high": high_end.ravel(),
        "conf_level": 1 - 2 * options.alpha,
        "bound_low": low,
        "bound_high": high,
    }
    out |= {f"p_value_{k}": p.ravel() for k, p in tests.items()}
    out |= {f"p_value_{k}_adjusted": _adjusted(p.ravel(), options.adjust) for k, p in tests.items()}
    return out


def _adjusted(p: np.ndarray, how: str) -> np.ndarray:
    out, known = np.full(len(p), np.nan), np.isfinite(p)
    if known.any():
        out[known] = adjust_p(p[known], how)
    return out


def like_a_person(
    made: AsPredictors, options: Options, generator: np.random.Generator
) -> tuple[dict[str, Any], People]:
    """The second question: columns of all rows, and the people they rest on."""
    pairs = made.pairs
    if pairs is None:
        raise DesignError("brain_test: pools of people are no candidates")
    people = effects_of_people(pairs)
    found = as_candidates(pairs, made.model, people, options.alternative)
    complete = np.flatnonzero(np.isfinite(found.statistic).all(axis=1))
    few = bool(np.isfinite(people.effects).all()) and bool(complete.size)
    profile: Profile | None = None
    if few:
        profile = profile_test(
            people, _some(found, complete), alternative=options.alternative,
            n_resamples=options.n_resamples, rng=generator,
        )  # fmt: skip
    extra: dict[str, Any] = {}
    if options.over == "all":
        shown = people_all = effects_of_people(pairs.mean(axis=2, keepdims=True), people.symmetric)
        mean = made.model.mean(axis=2, keepdims=True)
        placed = as_candidates(
            pairs.mean(axis=2, keepdims=True), mean, people_all, options.alternative
        )
        names = {"p_value_profile": "p_distance", "p_value_profile_rank": "p_rank", "distance": "distance",
                 "largest": "largest", "p_value_largest": "p_largest"}  # fmt: skip
        for column, name in names.items():
            extra[column] = np.full(len(found.effect), np.nan)
            if profile is not None:
                extra[column][complete] = getattr(profile, name)
    else:
        shown, placed = people, found
        adjusted = np.full(found.p_value.shape, np.nan)
        if profile is not None:
            adjusted[complete] = np.maximum(profile.p_cells, found.p_value[complete])
        extra["p_value_profile"] = adjusted.ravel()
    level = 1 - options.alpha / (2 if options.alternative == "two-sided" else 1)
    reach = stdtrit(people.df, level) * shown.spread
    m = len(found.effect)
    # the interval is about what an average person scores on the model's own targets
    centre = (moments(_mean_if(made.model, options.over))[1] - placed.effect).ravel()
    return {
        "person_low": centre - np.tile(reach, m),
        "person_high": centre + np.tile(reach, m),
        "statistic": placed.statistic.ravel(),
        "p_value": placed.p_value.ravel(),
        "place": placed.place.ravel(),
        "p_value_rank": placed.p_rank.ravel(),
        **extra,
    }, shown


def _mean_if(model: np.ndarray, over: str) -> np.ndarray:
    return model.mean(axis=2, keepdims=True) if over == "all" else model


def _some(found: Candidates, which: np.ndarray) -> Candidates:
    return Candidates(*(getattr(found, k)[which] for k in Candidates.__dataclass_fields__))


def decide(frame: pd.DataFrame, options: Options, *, pooled: bool) -> None:
    """Put both answers and the decision into the rows.

    A model is called like a person where both sides were tested and it was shown to be equivalent; one that was tested
    against worse people alone may be above them, and is called not worse.
    """
    shown = {
        k: frame[f"p_value_{k}_adjusted"] <= options.alpha for k in ("noninf", "equiv", "worse")
    }
    good = np.select(
        [shown["equiv"], shown["noninf"], shown["worse"]],
        ["within the margin", "not worse by the margin", "worse by more than the margin"],
        UNDECIDED,
    )
    frame["as_good"] = good
    not_worse, worse = shown["noninf"], shown["worse"]
    if pooled:
        frame["like_a_person"] = "cannot be asked"
        frame["decision"] = np.select(
            [not_worse, worse], [NOT_WORSE_THAN_POOL, WORSE_THAN_POOL], UNDECIDED
        )
        return
    p, outside = frame["p_value_profile"], OUTSIDE[options.alternative]
    beyond, asked = p <= options.alpha, p.notna()
    frame["like_a_person"] = np.select(
        [beyond, asked],
        [outside, f"not shown to be {side_word(options)} people"],
        UNDECIDED,
    )
    like = shown["equiv"] & asked & (options.alternative == "two-sided")
    frame["decision"] = np.select(
        [beyond, worse, like, not_worse & asked], [outside, WORSE, LIKE, NOT_WORSE], UNDECIDED
    )


def side_word(options: Options) -> str:
    """``below`` or ``beyond``: where a model was looked for."""
    return OUTSIDE[options.alternative].partition(" ")[0]


def rule_of(options: Options, *, pooled: bool) -> str:
    """How the decision follows."""
    if pooled:
        return (
            f"a model was called worse than {POOL} where it was shown to be worse by more than the margin, and not "
            "worse where that was shown"
        )
    out = OUTSIDE[options.alternative]
    like = (
        ""
        if options.alternative == "less"
        else ", indistinguishable from a person where it was equivalent besides"
    )
    return (
        f"a model was called {out} where the test of one more person rejected it at {options.alpha:g}, worse than a "
        f"person where it was shown to be worse by more than the margin, not worse where it was shown not to be and "
        f"was not {side_word(options)} people{like}, and undecided otherwise"
    )
