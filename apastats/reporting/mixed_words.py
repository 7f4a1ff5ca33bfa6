"""What the sentences of a mixed model say beyond its coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np

from apastats.reporting.markup import name, sym
from apastats.reporting.numbers import NumberStyle
from apastats.reporting.phrases import joined
from apastats.reporting.tables import scale_decimals

__all__ = ["random_sentences"]


def random_sentences(result: Any, style: NumberStyle) -> list[str]:
    """Standard deviations of the random part, intraclass correlation and R2, as far as the fit has them."""
    info = result.info
    sds = result.arrays.get("std_dev")
    if info.get("components") is None or sds is None:
        return []
    d = scale_decimals(result.table, style)
    random, residual, joint = [], [], []
    parts = zip(info["components"], sds, result.arrays["correlation"], strict=True)
    for (group, effect, other), sd, r in parts:
        if other:
            if np.isfinite(r):
                both = f"{effect} and {other}".replace("(Intercept)", "intercept")
                joint.append(f"{name(both)} by {name(group)} correlated by {style.number(r, 2)}")
        elif group == "residual":
            residual.append(style.number(sd, d) + (f" ({name(effect)})" if effect else ""))
        else:
            of = name(group) if effect == "(Intercept)" else f"{name(effect)} by {name(group)}"
            random.append(f"{style.number(sd, d)} ({of})")
    out = []
    rest = (
        f"that of the residual {joined(residual)}"
        if len(residual) == 1
        else (f"those of the residual {joined(residual)}")
    )
    tail = f"; {joined(joint)}" if joint else ""
    if random:
        out.append(f"Standard deviations of the random effects: {joined(random)}; {rest}{tail}.")
    else:
        plural = "" if len(residual) == 1 else "s"
        out.append(f"Residual standard deviation{plural}: {joined(residual)}.")
    shares = []
    if random and info.get("icc_adjusted") is not None:
        shares.append(f"ICC = {style.number(info['icc_adjusted'], 2)}")
    for key, words in (("r2_marginal", "marginal"), ("r2_conditional", "conditional")):
        if info.get(key) is not None:
            shares.append(f"{words} {sym('R')}\u00b2 = {style.number(info[key], 2)}")
    if shares:
        text = ", ".join(shares)
        told = "the fixed part, and fixed and random part together, over the variance of a row"
        more = f" ({told})" if info.get("r2_conditional") is not None else ""
        out.append(f"{text}{more}.")
    return out
