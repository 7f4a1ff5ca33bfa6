"""Several mixed models in one printed table, and their sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from apastats.reporting.blocks import Block, Column, TableBlock
from apastats.reporting.how_made import cautions, head_sentences
from apastats.reporting.markup import name
from apastats.reporting.numbers import NumberStyle
from apastats.reporting.phrases import term_words
from apastats.reporting.prose import tests_of
from apastats.reporting.tables import column_label, scale_decimals

__all__ = ["side_by_side", "stacked", "told"]

MISSING = "\u2013"
# decimals of what is not on the scale of the estimates
_DECIMALS = {"count": 0, "share": 2, "correlation": 2, "criterion": 2}
_LABELS = {
    "icc_adjusted": "ICC (adjusted)",
    "r2_marginal": "R2 (marginal)",
    "r2_conditional": "R2 (conditional)",
    "n": "rows",
    "n_parameter": "parameters",
    "loglik": "log likelihood",
    "aic": "AIC",
    "aicc": "AICc",
    "bic": "BIC",
}


def side_by_side(result: Any, style: NumberStyle, caption: str | None = None) -> TableBlock:
    """Terms by fits, ``estimate (SE) [low, high]``, and below them the measures of each fit."""
    d = scale_decimals(result.table, style)
    fits = list(result.info["formulas"])
    rows = _coefficients(result.table, dict(result.info["formulas"]), style, d)
    measures = result.measures().to_dict(orient="records")
    for record, kind in zip(measures, result.info["measure_kinds"], strict=True):
        key = str(record["measure"])
        rows.append([_label(key), *(_measure(kind, record[f], style, d) for f in fits)])
    frame = pd.DataFrame(rows, columns=["term", *range(len(fits))])
    columns = [Column(column_label("term"), lambda row: name(row["term"]))]
    columns += [_column(fit, str(i)) for i, fit in enumerate(fits)]
    if caption is None:
        caption = (
            f"{_counted(fits)}: estimate (standard error) and {_level(result, style)} of the coefficients, standard "
            "deviations of the random effects and of the residual, numbers, shares of variance and criteria."
        )
    return TableBlock("table", caption, frame, columns)


def _coefficients(
    table: pd.DataFrame, formulas: dict[str, str], style: NumberStyle, decimals: int
) -> list[list[str]]:
    known = {(r["fit"], r["term"]): r for r in table.to_dict(orient="records")}
    out = []
    for term in dict.fromkeys(table["term"]):
        cells = []
        for fit in formulas:
            row = known.get((fit, term))
            if row is None or pd.isna(row["estimate"]):
                cells.append(MISSING)
                continue
            text = f"{style.number(row['estimate'], decimals)} ({style.number(row['std_error'], decimals)})"
            if np.isfinite(row["conf_low"]):
                text += f" {style.span(row['conf_low'], row['conf_high'], decimals)}"
            cells.append(text)
        first = next(fit for fit in formulas if (fit, term) in known)
        out.append([term_words(term, formulas[first]), *cells])
    return out


def _label(key: str) -> str:
    """A measure of a fit in words: ``SD (Intercept) | subject`` is ``SD of subject``."""
    kind, _, what = key.partition(" ")
    effect, bar, group = what.partition(" | ")
    if kind == "SD" and bar:
        return f"SD of {group}" if effect == "(Intercept)" else f"SD of {effect} by {group}"
    return _LABELS.get(key, key.replace("(Intercept)", "intercept"))


def _measure(kind: str, value: float, style: NumberStyle, decimals: int) -> str:
    return MISSING if np.isnan(value) else style.number(value, _DECIMALS.get(kind, decimals))


def _column(label: str, key: str) -> Column:
    return Column(name(label), lambda row: name(row[key]), numeric=True)


def _counted(fits: list[str]) -> str:
    return f"{len(fits)} linear mixed models" if len(fits) > 1 else "A linear mixed model"


def _level(result: Any, style: NumberStyle) -> str:
    level = result.info.conf_level
    return "interval" if level is None else f"{style.percent(float(level))} CI"


def stacked(result: Any, context: Any, title: str) -> list[Block]:
    """The printed table, beside the one of all columns."""
    block = side_by_side(result, context.style)
    return [
        TableBlock(context.slug(f"table-{title}-fits"), block.caption, block.frame, block.columns)
    ]


def told(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """The formula of every fit, and its coefficients."""
    d = scale_decimals(result.table, style)
    drawn = set(result.info.get("posteriors", ()))
    lines = []
    for row in result.table.head(max_rows).to_dict(orient="records"):
        if row["fit"] in drawn:  # a posterior has an interval and no test
            row = {k: v for k, v in row.items() if k != "p_value"}
        parts = [style.number(row["estimate"], d), *tests_of(row, result.info, style, d)]
        term = term_words(row["term"], result.info["formulas"].get(row["fit"], ""))
        lines.append(f"{name(row['fit'])}, {name(term)}: {', '.join(parts)}")
    left = len(result.table) - max_rows
    if left > 0:
        lines.append(f"{left} more {'row' if left == 1 else 'rows'} in the table (tidy())")
    if short:
        return lines
    formulas = [f"{name(k)} is {name(v)}." for k, v in result.info["formulas"].items()]
    return [*head_sentences(result), *formulas, *(f"{v}." for v in lines), *cautions(result)]
