"""Claims as a reviewer reads them: the statement, its verdict, what it rests on, what would decide it."""

from __future__ import annotations

from typing import Any

from apastats.reporting.blocks import Block
from apastats.reporting.how_made import cautions, head_sentences
from apastats.reporting.markup import name
from apastats.reporting.numbers import NumberStyle
from apastats.reporting.phrases import joined
from apastats.reporting.tables import table_block

__all__ = ["summary", "verdict_table"]


def summary(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """How many claims stand, and a sentence per claim."""
    frame = result.verdicts()
    lines = []
    for row in frame.head(max_rows).to_dict(orient="records"):
        decides = f"; it would be decided by {name(row['decides'])}" if row["decides"] else ""
        stop = "" if short else "."
        lines.append(
            f"{name(row['claim'])}. {name(row['statement'])}: {row['verdict']} ({name(row['reading'])}){decides}{stop}"
        )
    if len(frame) > max_rows:
        lines.append(f"{len(frame) - max_rows} more claims in the table (tidy()).")
    if short:
        return lines
    counts = frame["verdict"].value_counts(sort=False)
    told = joined([f"{n} {verdict}" for verdict, n in counts.items()])
    return [*head_sentences(result), f"Claims: {told}, of {len(frame)}.", *lines, *cautions(result)]


def verdict_table(result: Any, context: Any, title: str) -> list[Block]:
    """One row per claim."""
    caption = "Claims: verdicts, what they rest on, and what would decide the open ones."
    return [table_block(context.slug("claims"), caption, result.verdicts(), context.style)]
