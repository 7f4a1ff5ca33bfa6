"""Sentences of posteriors: of a Bayesian model, and against a region of practical equivalence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from apastats.reporting.markup import name, sym
from apastats.reporting.numbers import NumberStyle
from apastats.reporting.openings import shown_formula
from apastats.words import Info

__all__ = ["ROPE_WORDS", "coefficient_rule_row", "posterior_row", "rope_row", "sampling_sentence"]

ROPE_WORDS = {
    "equivalent": "practically equivalent, as the whole interval lies inside the region",
    "different": "different, as the whole interval lies outside the region",
    "undecided": "undecided, as the interval lies neither inside nor outside the region",
}


def _hdi(row: Mapping[str, Any], style: NumberStyle, d: int) -> str:
    level = float(row["conf_level"])
    return style.interval_text(row["conf_low"], row["conf_high"], level, d, label="HDI")


def rope_row(row: Mapping[str, Any], style: NumberStyle, d: int, *, short: bool = False) -> str:
    """Median, interval, direction, and the share of the posterior in the region."""
    value, interval = style.number(row["estimate"], d), _hdi(row, style, d)
    bounds = f"{style.number(row['bound_low'], d)} to {style.number(row['bound_high'], d)}"
    direction, inside = style.share(row["p_direction"]), style.share(row["p_inside"])
    decision = str(row["decision"])
    if short:
        return (
            f"{name(row['term'])}: {sym('Mdn')} = {value}, {interval}, {sym('pd')} = {direction}, "
            f"{inside} in the region from {bounds}: {decision}"
        )
    sign = "positive" if row["estimate"] >= 0 else "negative"
    of_interval = style.share(row["p_inside_interval"])
    return (
        f"For {name(row['term'])}, the posterior median was {value} ({interval}), {sign} with a probability of "
        f"{direction}; {inside} of the posterior, and {of_interval} of the draws in the interval, lay inside the "
        f"region of practical equivalence from {bounds}: {ROPE_WORDS.get(decision, decision)}."
    )


def coefficient_rule_row(
    row: Mapping[str, Any], style: NumberStyle, d: int, *, short: bool = False
) -> str:
    """Coefficient, its interval and the share of that in the region."""
    value = style.number(row["estimate"], d)
    interval = style.interval_text(row["conf_low"], row["conf_high"], float(row["conf_level"]), d)
    bounds = f"{style.number(row['bound_low'], d)} to {style.number(row['bound_high'], d)}"
    test = f"{style.p(row['p_value'])}, {interval}"
    equivalence, overlap = style.p(row["p_value_equiv"]), style.share(row["overlap"])
    decision = str(row["decision"])
    if short:
        return (
            f"{name(row['term'])}: {sym('b')} = {value}, {test}; region from {bounds}, equivalence {equivalence}, "
            f"{overlap} of the interval inside: {decision}"
        )
    return (
        f"For {name(row['term'])}, the coefficient was {value} ({test}); against the region from {bounds}, "
        f"equivalence {equivalence}, with {overlap} of the interval inside: {decision} by the rule "
        f"{name(row['method'])}."
    )


def posterior_row(
    row: Mapping[str, Any], style: NumberStyle, d: int, *, short: bool = False
) -> str:
    """Mean, spread and interval of one quantity, and whether its chains can be trusted."""
    hat = f"R-hat = {style.number(row['r_hat'], 3)}"
    sizes = f"{row['ess_bulk']:.0f} in the bulk and {row['ess_tail']:.0f} in the tails"
    passed = bool(row["passed"])
    if pd.isna(row["estimate"]):
        if short:
            return (
                f"{name(row['term'])}: no estimate, its chains failed a gate of convergence ({hat})"
            )
        return (
            f"For {name(row['term'])}, no estimate is given, as its chains failed a gate of convergence ({hat}, "
            f"effective sample sizes of {sizes})."
        )
    value, spread = style.number(row["estimate"], d), style.number(row["std_error"], d)
    interval = _hdi(row, style, d)
    if short:
        tail = "" if passed else f", chains failed a gate of convergence ({hat})"
        return (
            f"{name(row['term'])}: {sym('M')} = {value}, {sym('SD')} = {spread}, {interval}{tail}"
        )
    tail = (
        "" if passed else "; its chains failed a gate of convergence, so it must not be relied on"
    )
    return (
        f"For {name(row['term'])}, the posterior mean was {value} ({sym('SD')} = {spread}, {interval}; {hat}, "
        f"effective sample sizes of {sizes}){tail}."
    )


def sampling_sentence(info: Info, terms: Mapping[str, str]) -> list[str]:
    """Formula, chains and priors of a Bayesian model, as far as they are known; ``terms``: their words."""
    out = []
    if info.formula:
        out.append(f"The model was {name(shown_formula(info))}.")
    if info.get("chains") and info.get("draws"):
        out.append(f"{info['chains']} chains of {info['draws']} draws each were kept.")
    priors = info.get("priors")
    if isinstance(priors, Mapping) and priors:
        stated = "; ".join(f"{name(terms.get(k, k))}: {name(v)}" for k, v in priors.items())
        out.append(f"Priors were {stated}.")
    elif priors:
        out.append(f"Priors were {name(priors)}.")
    if info.rule:
        rule = str(info.rule)
        out.append(f"{name(rule[:1].upper() + rule[1:])}.")
    return out
