"""Sentences and figures of what a mixed model owes to single subjects."""

from __future__ import annotations

from typing import Any

from apastats import plots
from apastats.reporting.blocks import Block, FigureBlock
from apastats.reporting.how_made import cautions, head_sentences
from apastats.reporting.markup import name
from apastats.reporting.numbers import NumberStyle
from apastats.reporting.phrases import term_words
from apastats.reporting.tables import scale_decimals

__all__ = ["distance_figures", "influences"]


def influences(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """The level with the largest distance, and of every term the level that moves it most."""
    table, info = result.table, result.info
    group, d = str(info["group"]), scale_decimals(result.table, style)
    by_level = table.groupby(group, sort=False)["cooks_distance"].first()
    worst = by_level.idxmax()
    limit = 4 / len(by_level)
    far = [str(v) for v, x in by_level.items() if x > limit]
    tail = (
        f"beyond {limit:.2g} (4 over their number): {', '.join(name(v) for v in far)}"
        if far
        else f"none is beyond {limit:.2g} (4 over their number)"
    )
    lines = [f"Cook's distance is largest for {name(worst)} ({by_level.max():.2f}); {tail}"]
    shown = list(dict.fromkeys(table["term"]))[:max_rows]
    for term in shown:
        part = table[(table["term"] == term) & table["dfbetas"].notna()]
        if part.empty:
            continue
        row = part.loc[part["dfbetas"].abs().idxmax()]
        between = style.interval_text(row["conf_low"], row["conf_high"], row["conf_level"], d)
        lines.append(
            f"{name(term_words(term, info.formula))}: {style.number(row['full'], d)} with all, most changed without "
            f"{name(row[group])}: {style.number(row['estimate'], d)} ({between})"
        )
    left = table["term"].nunique() - len(shown)
    lines += (
        [f"{left} more {'term' if left == 1 else 'terms'} in the table (tidy())"]
        if left > 0
        else []
    )
    if short:
        return lines
    return [*head_sentences(result), *(f"{v}." for v in lines), *cautions(result)]


def distance_figures(result: Any, context: Any, title: str) -> list[Block]:
    """Cook's distances."""
    group = str(result.info["group"])

    def make() -> Any:
        return plots.draw(result).figure

    n = result.table[group].nunique()
    caption = f"{title}: Cook's distance of every level of {group}; the dashed line is 4 over their number."
    alt = f"Lines from 0 to Cook's distance for {n} levels of {group}."
    return [FigureBlock(context.slug(f"figure-{title}"), caption, alt, make, result.table, 2 * n)]
