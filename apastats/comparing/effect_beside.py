"""Effect sizes beside a test on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from apastats.comparing.choices import Choice
from apastats.comparing.effect_size import SMD_INTERVALS, rank_biserial, rank_biserial_interval
from apastats.errors import InputError
from apastats.numbers.standardised import Standardised, standardised_difference
from apastats.resampling.one_sample import bootstrap_standardised

__all__ = ["EFFECTS", "effect_beside"]

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
    if effect == "none":
        return {}
    level = 1 - 2 * alpha
    single = y is None or paired
    if effect in ("rank_biserial", "superiority"):
        how = "fisher" if how == "auto" else how
        z = x if y is None else (x - y if paired else x)
        r, n = rank_biserial(z, None if single else y)
        ties = None
        if single and not how.startswith("fisher"):
            ties = np.unique(np.abs(z[z != 0]), return_counts=True)[1]
        n_y = None if single or y is None else len(y)
        size = n if single and how != "fisher_n" else len(z)
        low, high = rank_biserial_interval(r, size, n_y, level, how, ties)
        if effect == "superiority":
            r, low, high = (r + 1) / 2, (low + 1) / 2, (high + 1) / 2
        name = (
            "rank-biserial correlation"
            if effect == "rank_biserial"
            else "probability of superiority"
        )
        return {"effect": name, "effect_size": r, "effect_low": low, "effect_high": high}
    how = "nct" if how == "auto" else how
    if how not in SMD_INTERVALS:
        raise InputError("effect_interval", how, f"one of {list(SMD_INTERVALS)}")
    if len(x) < 3 or (y is not None and len(y) < 3):
        return {}
    e = _smd(x, y, paired, effect == "g", equal_var, denominator, how, level)
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
    return {
        "effect": e.name,
        "effect_size": e.estimate,
        "effect_se": e.std_error,
        "effect_low": e.conf_low,
        "effect_high": e.conf_high,
    }


def _smd(
    x: np.ndarray,
    y: np.ndarray | None,
    paired: bool,
    unbiased: bool,
    equal_var: bool,
    denominator: str,
    how: str,
    level: float,
) -> Standardised:
    mx, sx = float(x.mean()), float(x.std(ddof=1))
    if y is None:
        return standardised_difference(mx, sx, len(x), unbiased=unbiased, interval=how, level=level)
    my, sy = float(y.mean()), float(y.std(ddof=1))
    r = None
    if paired:
        r = float(np.corrcoef(x, y)[0, 1]) if sx > 0 and sy > 0 else 0.0
    return standardised_difference(
        mx,
        sx,
        len(x),
        my,
        sy,
        len(y),
        r=r,
        denominator=denominator,
        unbiased=unbiased,
        equal_var=equal_var,
        interval=how,
        level=level,
    )
