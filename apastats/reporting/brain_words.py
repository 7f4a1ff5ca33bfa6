"""Sentences and figures of the brain test: both answers on every model, the decision, the claim it supports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from apastats import plots
from apastats.patterns.person_questions import LIKE
from apastats.plots.sheet import sheet
from apastats.reporting.blocks import Block, FigureBlock
from apastats.reporting.how_made import cautions, head_sentences
from apastats.reporting.markup import name
from apastats.reporting.numbers import NumberStyle
from apastats.reporting.panels import cells_of, split_metrics
from apastats.reporting.phrases import adjusted, joined
from apastats.reporting.prose import p_text, place
from apastats.reporting.tables import scale_decimals, table_block

__all__ = ["claims_table", "place_figures", "verdict_of", "verdicts"]

MEANING = {
    "as a computational model": "not worse than a person on score and on agreement, and on neither beyond people",
    "as a tool": "not worse than a person on score; that it does what a brain does is not shown",
    "none": "not shown to be as good as a person on score",
}


def verdict_row(
    row: Mapping[str, Any], result: Any, style: NumberStyle, *, short: bool = False
) -> str:
    """Sentence of one model: the decision, then both answers."""
    frame, info = result.table, result.info
    d = scale_decimals(frame, style)
    where = place(row, frame)
    lead = f"{name(row['model'])}{' ' + where if where else ''}: {name(row['decision'])}"
    of = "the mean of the other people" if info["people_pooled"] else "a person"
    suffix = "_adjusted" if adjusted(info) else ""
    word = "adjusted " if suffix else ""
    first = [
        style.interval_text(row["conf_low"], row["conf_high"], row["conf_level"], d),
        f"not worse by {style.number(-row['bound_low'], d)}: {word}{p_text(row, f'p_value_noninf{suffix}', style)}",
        f"worse by more: {word}{p_text(row, f'p_value_worse{suffix}', style)}",
    ]
    good = f"mean less that of {of} {style.number(row['estimate'], d)} ({', '.join(first)})"
    if info["people_pooled"] or pd.isna(row.get("statistic")):
        return f"{lead}; {good}." if not short else f"{lead}; {good}"
    spread = style.span(row["person_low"], row["person_high"], d)
    second = [
        style.statistic("t", row["statistic"], row["n_subject"] - 1),
        p_text(row, "p_value", style),
        f"{'whole profile' if 'distance' in row else 'over regions'} {p_text(row, 'p_value_profile', style)}",
        f"not below {int(row['place'])} of {int(row['n_subject'])} people, exact {p_text(row, 'p_value_rank', style)}",
    ]
    like = (
        f"mean {style.number(row['mean_model'], d)}, one more person {spread} ({', '.join(second)})"
    )
    text = f"{lead}; {good}; {like}"
    return text if short else f"{text}."


def verdicts(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """Counts of decisions, claims, and a sentence per row."""
    frame = result.table
    rows = frame.head(max_rows).to_dict(orient="records")
    lines = [verdict_row(r, result, style, short=short) for r in rows]
    left = len(frame) - max_rows
    lines += (
        [f"{left} more {'row' if left == 1 else 'rows'} in the table (tidy())."] if left > 0 else []
    )
    if short:
        return lines
    counts = frame["decision"].value_counts(sort=False)
    told = joined([f"{n} {name(k)}" for k, n in counts.items()])
    head = [*head_sentences(result), f"Decisions: {told}, of {len(frame)}."]
    claims = result.claims()
    for claim in dict.fromkeys(claims["claim"]):
        models = list(dict.fromkeys(name(m) for m in claims.loc[claims["claim"] == claim, "model"]))
        meaning, who = MEANING[claim], joined(models)
        head.append(
            f"No claim is supported for {who} ({meaning})."
            if claim == "none"
            else f"The evidence supports a use {name(claim)} for {who} ({meaning})."
        )
    return head + lines + cautions(result)


# decisions that a model can be pleased with
GOOD = (
    "not worse than a person",
    "indistinguishable from a person within the margin",
    "not worse than the mean of the other people",
)
# the others, where they are counted beside those
BRIEF = {
    "worse than a person": "worse by more than the margin",
    "worse than the mean of the other people": "worse by more than the margin",
    "below the spread of people": "below people",
    "beyond the spread of people": "beyond people",
}


def verdict_of(result: Any, style: NumberStyle) -> str:
    """How many models are as good as a person by each outcome, and what became of the rest."""
    table = result.table
    over = result.info.get("over") == "all"
    of = "the mean of the other people" if result.info["people_pooled"] else "a person"
    shown = f"non-inferiority to {of} was shown"
    if (table["decision"] == LIKE).any():
        shown = f"equivalence with {of} was shown"
    one_each = over and not table.duplicated(["model", "outcome"]).any()
    parts: list[str] = []
    for outcome, part in table.groupby("outcome", sort=False):
        counts = part["decision"].value_counts().to_dict()
        good = sum(counts.pop(d, 0) for d in GOOD)
        rest = ", ".join(f"{n} {BRIEF.get(str(d), str(d))}" for d, n in counts.items())
        among = f"{good or 'none'} of {len(part)} {'models' if one_each else 'comparisons'}"
        parts.append(
            f"{shown if not parts else ''} for {among} on {name(outcome)}".strip()
            + (f" ({rest})" if rest else "")
        )
    where = "Over all ROIs" if over else "ROI by ROI"
    return f"{where}, {joined(parts)}."


def place_figures(result: Any, context: Any, title: str) -> list[Block]:
    """Every model among the people, a panel per region."""
    table = result.table
    if "person_low" not in table.columns:
        return []
    out: list[Block] = []
    for label, where in split_metrics(table, ("outcome", "direction", "metric", "split")):
        part = table.iloc[where].reset_index(drop=True)
        people = result.arrays["people"][:, where]
        cells = cells_of(part)
        names = list(dict.fromkeys(part["model"]))
        if part.duplicated([c for c in ("model", "layer", "roi") if c in part.columns]).any():
            return []

        def make(
            part: pd.DataFrame = part,
            people: np.ndarray = people,
            cells: Any = cells,
            names: Any = names,
        ) -> Any:
            # models that are not in every region are named in each
            own = any(list(part["model"].iloc[rows]) != names for _, rows in cells)

            def draw(ax: Any, i: int) -> None:
                cell, rows = cells[i]
                plots.among_people(
                    part.iloc[rows], people[:, rows], ax=ax, show_legend=False,
                    title=plots.label(cell.get("roi", "")),
                )  # fmt: skip

            return sheet(len(cells), draw, own_names=own)

        tail = f", {name(label)}" if label else ""
        caption = (
            f"Models among people{tail}: each model (diamond) beside the people taken as models (dots); bars show "
            "where one more person would be expected."
        )
        alt = f"Means of {len(names)} models among {len(people)} people."
        data = part[
            [
                "model",
                *(c for c in ("roi",) if c in part.columns),
                "mean_model",
                "person_low",
                "person_high",
            ]
        ]
        out.append(
            FigureBlock(
                context.slug(f"figure-{title}-{label}"), caption, alt, make, data, people.size
            )
        )
    return out


def claims_table(result: Any, context: Any, title: str) -> list[Block]:
    """Which claim the evidence supports."""
    caption = "The claim that the brain test supports for each model."
    return [table_block(context.slug(f"claims-{title}"), caption, result.claims(), context.style)]
