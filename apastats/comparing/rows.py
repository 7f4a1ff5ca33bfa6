"""Tidy row and words of a test on arrays."""

from __future__ import annotations

from typing import Any

import pandas as pd

from apastats.comparing.decisions import HYPOTHESES, NOT_CONCLUDED, claim_p, outcomes
from apastats.comparing.margin import Margin
from apastats.numbers.tested import Tested
from apastats.words import Drawn, Held, Info

__all__ = ["insert_before", "tidy_row", "claim_words"]


def insert_before(table: pd.DataFrame, column: str, values: dict[str, Any]) -> pd.DataFrame:
    """Table with new columns in front of a column."""
    names = list(table.columns)
    at = names.index(column)
    return table.assign(**values)[[*names[:at], *values, *names[at:]]]


def tidy_row(
    tested: Tested,
    low: float,
    high: float,
    alpha: float,
    hypothesis: str,
    method: str,
    difference: bool,
) -> pd.DataFrame:
    """Tidy row of one test."""
    t = tested
    table = pd.DataFrame(
        {
            "contrast": "x - y" if difference else "x",
            "estimate": t.estimate,
            "std_error": t.std_error,
            "statistic": t.statistic,
            "df": t.df,
            "p_value": t.p_value,
            "conf_low": t.conf_low,
            "conf_high": t.conf_high,
            "conf_level": 1 - 2 * alpha,
            "conf_low_difference": t.wide_low,
            "conf_high_difference": t.wide_high,
            "conf_level_difference": 1 - alpha,
            "bound_low": low,
            "bound_high": high,
            "statistic_low": t.statistic_low,
            "statistic_high": t.statistic_high,
            "p_value_noninf": t.p_low,
            "p_value_nonsup": t.p_high,
            "p_value_equiv": t.p_equiv,
        }
    )
    if hypothesis != "equivalence":
        table["p_value_claim"] = claim_p(t, hypothesis)
        table["claim_shown"] = table["p_value_claim"] <= alpha
    table["decision"] = outcomes(t.p_value, t.p_equiv, alpha)
    table["n_subject"] = t.n
    table["method"] = method
    return table


def claim_words(
    method: str,
    test: str,
    statistic: str,
    hypothesis: str,
    margin: Margin,
    alpha: float,
    n: int,
    resampled: str,
    null: float,
) -> Info:
    """Words that go with the row."""
    return Info(
        method=f"{method}, and two one-sided tests (TOST) against the margin",
        estimand="difference",
        test=test,
        statistic=statistic,
        alternative="two-sided",
        null_value=null,
        hypothesis=hypothesis,
        null=HYPOTHESES[hypothesis],
        rule=(
            f"the verdict is equivalent where both one-sided tests reject at {alpha:g} and different where the "
            "two-sided test does"
        ),
        margin=margin.words(),
        margin_origin=margin.origin,
        adjust="none",
        alpha=alpha,
        conf_level=1 - 2 * alpha,
        n_subject=n,
        resampled=Drawn(resampled),
        held_fixed=(Held("everything but the units given", "everything but the units given"),),
        not_concluded=NOT_CONCLUDED,
    )
