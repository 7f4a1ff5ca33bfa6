"""Effect sizes beside a test on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from apastats import arguments
from apastats.comparing.choices import Choice
from apastats.comparing.effect_size import SMD_INTERVALS, rank_effect, smd, warn_without_unit
from apastats.numbers.standardised import Standardised
from apastats.resampling.one_sample import bootstrap_standardised

__all__ = ["EFFECTS", "columns_of", "effect_beside"]

EFFECTS = ("g", "d", "rank_biserial", "superiority", "none")


def effect_beside(
    effect: str,
    how: str,
    x: np.ndarray,
    y: np.ndarray | None,
    paired: bool,
    equal_var: bool,
    denominator: str,
    choice: Choice,
    alpha: float,
) -> dict[str, Any]:
    """Effect size beside the test, with its 1 - 2 alpha interval."""
    ranks = choice.test in ("wilcoxon", "brunner_munzel")
    if effect == "auto":
        effect = "rank_biserial" if ranks else "g"
    arguments.applies(
        "denominator", denominator, to=("g", "d"), chosen=effect, by="effect", default="auto"
    )
    arguments.applies(
        "effect_interval", how, to=EFFECTS[:-1], chosen=effect, by="effect", default="auto"
    )
    if effect == "none":
        return {}
    # the interval of the two one-sided tests, so that effect and decision are read at one level
    level = 1 - 2 * alpha
    single = y is None or paired
    if effect in ("rank_biserial", "superiority"):
        how = "fisher" if how == "auto" else how
        name, r, low, high = rank_effect(effect, x, y, paired, how=how, level=level)
        return {"effect": name, "effect_size": r, "effect_low": low, "effect_high": high}
    how = "nct" if how == "auto" else how
    arguments.choice("effect_interval", how, SMD_INTERVALS)
    if len(x) < 3 or (y is not None and len(y) < 3):
        return {}
    e = smd(
        x,
        y,
        paired,
        unbiased=effect == "g",
        equal_var=equal_var,
        denominator=denominator,
        interval=how,
        level=level,
    )
    if choice.test == "bootstrap" and single and denominator in ("auto", "z"):
        e = bootstrap_standardised(
            x,
            y,
            choice.plan(len(x)),
            unbiased=effect == "g",
            alpha=alpha,
            interval=choice.interval,
            quantile_rule=choice.quantile_rule,
            ties=choice.ties,
            name=e.name,
            small_sample=choice.small_sample,
        )
    warn_without_unit([e.estimate])
    return columns_of(e)


def columns_of(e: Standardised) -> dict[str, Any]:
    """Columns of an effect size beside a test."""
    return {
        "effect": e.name,
        "effect_size": e.estimate,
        "effect_se": e.std_error,
        "effect_low": e.conf_low,
        "effect_high": e.conf_high,
    }
