"""Sentences and figures of unique variance: the parts of every region, and what each model was shown to add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from apastats import plots
from apastats.reporting import panels
from apastats.reporting.blocks import Block, FigureBlock
from apastats.reporting.markup import name
from apastats.reporting.numbers import NumberStyle
from apastats.reporting.phrases import counted
from apastats.reporting.row_prose import led
from apastats.reporting.tables import p_error, scale_decimals, table_block
from apastats.words import Info

__all__ = [
    "part_row",
    "part_words",
    "parts_of",
    "region_table",
    "stacked",
    "test_row",
    "tested_figures",
]

Row = Mapping[str, Any]
MEASURES = {
    "semipartial": "semipartial correlation with {}",
    "partial": "partial correlation with {}",
    "coefficient": "standardised coefficient of {}",
}


def parts_of(result: Any) -> str:
    """What the variance is divided among: models, or bands of features."""
    return str(result.info.get("parts_of", "models"))


def part_words(row: Row, of: str = "models") -> str:
    """What a part is, in words."""
    part, model = str(row["part"]), name(row["model"])
    if part in MEASURES:
        return "the " + MEASURES[part].format(model)
    return {
        "unique": f"the share of variance that {model} alone explained",
        "added": f"the share of variance that {model} added to the {of} before it",
        "shared": f"the share of variance that {model} explained in common",
        "total": f"the share of variance that all {of} explained",
    }[part]


def _place(row: Row) -> str:
    return f"In {name(row['roi'])}" if str(row["roi"]) not in ("-", "") else ""


def part_row(row: Row, frame: pd.DataFrame, info: Info, style: NumberStyle) -> str:
    """One part with its interval and noise ceiling."""
    d = scale_decimals(frame, style)
    beside: list[str] = []
    if pd.notna(row["conf_low"]) and pd.notna(row["conf_high"]):
        beside.append(
            style.interval_text(
                row["conf_low"], row["conf_high"], float(row["conf_level"]), d, label="CI"
            )
        )
    if pd.notna(row.get("ceiling_lower")) and row["part"] != "shared":
        low, high = (style.number(row[f"ceiling_{b}"], d) for b in ("lower", "upper"))
        beside.append(f"noise ceiling {low} to {high}")
    tail = f" ({', '.join(beside)})" if beside else ""
    told = f"{part_words(row, info.get('parts_of', 'models'))} was {style.number(row['estimate'], d)}{tail}"
    return led(_place(row), told)


def test_row(row: Row, frame: pd.DataFrame, info: Info, style: NumberStyle) -> str:
    """What a model was shown to add: the decision, then the numbers it follows from."""
    d = scale_decimals(frame, style)
    all_of_them = f"all {info.get('parts_of', 'models')} together"
    what = all_of_them if row["part"] == "total" else name(row["model"])
    margin = "" if "bound" not in row else style.number(float(row["bound"]), d)
    told = {
        "adds something": "added something",
        "adds less": f"added less than {margin}",
        "adds more": f"added more than {margin}",
        "adds something, less than the margin": f"added something, but less than {margin}",
        "undecided": "was not shown to add anything"
        + (f", nor to add less than {margin}" if margin else ""),
    }[str(row["decision"])]
    word = "" if info.adjust in ("", "none") else "adjusted "
    key = "p_value_adjusted"
    beside = [
        f"{part_words(row, info.get('parts_of', 'models'))[4:]} {style.number(row['estimate'], d)}",
        style.statistic("t", row["statistic"], row["df"]),
        f"{word}{style.p(row[key], mcse=p_error(row, key))} against 0",
    ]
    if margin:
        beside += [
            f"{word}{style.p(row['p_value_less'])} for less than the margin",
            f"{word}{style.p(row['p_value_more'])} for more",
        ]
    return led(_place(row), f"{what} {told} ({'; '.join(beside)})")


def stacked(result: Any, context: Any, title: str) -> list[Block]:
    """Stacked bars of the parts; nothing for correlations and coefficients, which do not add up."""
    table = result.table
    if not set(table["part"]) <= {"unique", "shared", "added", "total"}:
        return []
    caption = (
        f"{title}: parts of the variance that the {parts_of(result)} explain, with their intervals; "
        f"diamond: all {parts_of(result)}"
        + ("; lines: noise ceiling." if "ceiling_lower" in table.columns else ".")
    )
    n_part = table[["part", "model"]].drop_duplicates().shape[0]
    alt = (
        f"Stacked bars of {counted(n_part, 'part')} in {counted(table['roi'].nunique(), 'region')}."
    )
    colors = context.colors

    def make() -> Any:
        return plots.stacked_parts(table, colors=colors).figure

    return [FigureBlock(context.slug(f"figure-{title}"), caption, alt, make, table, 4 * len(table))]


def tested_figures(result: Any, context: Any, title: str) -> list[Block]:
    """What was tested with its intervals: shares of variance have others, as their roots are tested."""
    # what is tested is in no measure of scores
    own = replace(result.info.outcome, metric="") if result.info.outcome else None
    bare = replace(result, info=result.info.but(outcome=own))
    return panels.any_figures(bare, context, str(result.info.estimand), value="tested", lead=title)


def region_table(result: Any, context: Any, title: str) -> list[Block]:
    """A row per part, a column per region."""
    table = result.table
    if table["roi"].nunique() < 2 or table["roi"].nunique() > 8:
        return []
    d = scale_decimals(table, context.style)
    text = [
        f"{context.style.number(e, d)} {context.style.span(a, b, d)}"
        for e, a, b in zip(table["estimate"], table["conf_low"], table["conf_high"], strict=True)
    ]
    wide = (
        table.assign(_text=text)
        .pivot(index=["part", "model"], columns="roi", values="_text")
        .reindex(index=pd.MultiIndex.from_frame(table[["part", "model"]].drop_duplicates()))
        .reindex(columns=list(dict.fromkeys(table["roi"])))
        .reset_index()
    )
    wide.columns = [str(c) for c in wide.columns]
    caption = f"{title}, by region: estimates and intervals."
    return [table_block(context.slug(f"regions-{title}"), caption, wide, context.style)]
