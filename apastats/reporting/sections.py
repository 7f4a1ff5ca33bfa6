"""What the section of a result holds: how it was made, its sentences where it is short, its figures, its table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd

from apastats.errors import DataError
from apastats.plots.style import metric_words
from apastats.printable import finding
from apastats.reporting import model_panels, panels, pattern_panels, row_prose
from apastats.reporting.answer import verdict
from apastats.reporting.blocks import Block, FigureBlock, Listing, Paragraph, TableBlock
from apastats.reporting.markup import name, plain
from apastats.reporting.openings import opening, with_formula
from apastats.reporting.phrases import (
    averaged_words,
    compared_factor,
    joined,
    named_terms,
    number_word,
    outcome_of,
    outcome_words,
    pattern_sentence,
    sentence,
)
from apastats.reporting.tables import table_block

__all__ = ["SectionMaker", "estimated", "with_figures"]

# result, context, title, sentences of the rows -> blocks
SectionMaker: TypeAlias = Callable[[Any, Any, str, list[Block]], list[Block]]


def _intro(result: Any, context: Any) -> list[Block]:
    """What it came to; how it was made stands in the methods."""
    told = verdict(result, context.style)
    margin = context.margins.get(id(result), "")
    if margin and any(m.removeprefix("\u00b1") not in plain(told) for m in margin.split(" and ")):
        # a reader must not take it for that of another section
        told = f"{told} The margin was {name(margin)}.".strip()
    if told or result.kind == "followed_table":  # its title and caption say what it holds
        return [Paragraph(told)] if told else []
    made = opening(result) or name(result.info.method)
    return [Paragraph(sentence(made))] if made else []


def design(result: Any, context: Any, title: str, told: list[Block]) -> list[Block]:
    """What is in the data, and what reading did."""
    table = result.table
    if "detail" in table.columns:
        table = table.assign(detail=[finding(str(d)) for d in table["detail"]])
    blocks: list[Block] = []
    if "status" in table.columns:
        blocks.append(Paragraph(_troubles(table)))
    blocks.append(
        table_block(context.slug("table-design"), "What is in the data.", table, context.style)
    )
    reading = list(dict.fromkeys(str(line) for line in result.info.get("reading", [])))
    if reading:
        blocks += [
            Paragraph("When the data were read:"),
            Listing(tuple(name(finding(line)) for line in reading)),
        ]
    return blocks


def _troubles(table: pd.DataFrame) -> str:
    """How many problems the check found, and in what."""
    status = table["status"]
    n, notes = int((status == "problem").sum()), int((status == "note").sum())
    told = f"{number_word(n)} problem{'' if n == 1 else 's'}"
    if notes:
        told += f" and {number_word(notes)} point{'' if notes == 1 else 's'} to note"
    named = _items(dict.fromkeys(table.loc[status != "ok", "item"].astype(str)))
    return f"The check of the data found {told}{f': {joined(named)}' if named else ''}."


def _items(items: Iterable[str]) -> list[str]:
    """``reciprocal pairs (CKA and Bures)``: an item of several measures once."""
    of: dict[str, list[str]] = {}
    for item in items:
        what, comma, measure = item.partition(", ")
        of.setdefault(what, []).extend([metric_words(measure)] if comma else [])
    return [name(f"{k} ({joined(v)})" if v else k) for k, v in of.items()]


def ceiling(result: Any, context: Any, title: str, told: list[Block]) -> list[Block]:
    """Noise ceilings by ROI."""
    caption = f"{title}. Mean over subjects and its interval."
    return [
        *_intro(result, context),
        *panels.ceiling_figures(result, context),
        table_block(
            context.slug(f"table-{title}"), caption, result.table, context.style, info=result.info
        ),
    ]


def plan(result: Any, context: Any, title: str, told: list[Block]) -> list[Block]:
    """What deviated from a plan and what was not planned, all of it, before the table."""
    table = result.table
    other = table[table["status"] != "kept"].to_dict(orient="records")
    lines = [row_prose.kept(r, table, result.info, context.style) for r in other]
    count = f"{len(table) - len(other)} of {len(table)} parts were run as planned."
    blocks: list[Block] = [*_intro(result, context), Paragraph(count)]
    blocks += [Listing(tuple(lines))] if lines else []
    return [*blocks, table_block(context.slug("table-plan"), f"{title}.", table, context.style)]


def means(result: Any, context: Any, title: str, told: list[Block]) -> list[Block]:
    """Means with their intervals."""
    blocks = _intro(result, context) + told
    blocks += panels.estimate_figures(result, context, averaged_words(result))
    over = result.info.get("over", f"{result.info.get('cluster', 'subject')}s")
    caption = f"{title}: estimates and intervals over {over}."
    return [
        *blocks,
        table_block(
            context.slug(f"table-{title}"), caption, result.table, context.style, info=result.info
        ),
    ]


def fitted(result: Any, context: Any, title: str, told: list[Block]) -> list[Block]:
    """Means with their intervals, then weights of the members and what the cross-validation removed."""
    blocks = means(result, context, title, told)
    for what, caption in (
        ("weights", "weights of the members in the fit to all data, with intervals over resamples"),
        ("optimism", "score on the data of the fit, held-out score and their difference"),
    ):
        slug = context.slug(f"table-{title}-{what}")
        frame = getattr(result, what)()
        blocks.append(table_block(slug, f"{title}: {caption}.", frame, context.style))
    return blocks


def equivalence(result: Any, context: Any, title: str, told: list[Block]) -> list[Block]:
    """Tests with a margin: forests, counts of decisions, and the table with the decision before the numbers."""
    blocks = _intro(result, context) + told
    blocks += panels.forest_figures(result, context, outcome_words(result))
    blocks += _decision_table(result, context, title)
    wanted = [c for c in ("contrast",) if {"model", "reference"} <= set(result.table.columns)]
    shown = result.table.drop(columns=wanted)
    # the decision is what a reader looks for: it stands before the numbers
    first = list(shown.columns[: list(shown.columns).index("estimate")])
    order = [*first, *(c for c in ("decision",) if c in shown.columns)]
    shown = shown[[*order, *(c for c in shown.columns if c not in order)]]
    caption = f"{title}: differences, tests and decisions."
    block = table_block(
        context.slug(f"table-{title}"), caption, shown, context.style, info=result.info
    )
    return [*blocks, TableBlock(block.slug, block.caption, result.table, block.columns)]


def _decision_table(result: Any, context: Any, title: str) -> list[Block]:
    """Number of comparisons by cell and decision (counting, nothing else)."""
    table = result.table
    cells = [c for c in ("roi", "metric") if c in table.columns and table[c].nunique() > 1]
    if "decision" not in table.columns or not cells or len(table) < 8:
        return []
    counts = (
        table.groupby([*cells, "decision"], sort=False).size().unstack(fill_value=0).reset_index()
    )
    counts.columns = [str(c) for c in counts.columns]
    caption = f"{title}: number of comparisons by decision."
    return [table_block(context.slug(f"counts-{title}"), caption, counts, context.style)]


def patterns(result: Any, context: Any, title: str, told: list[Block]) -> list[Block]:
    """Patterns are shown as figures; the table has one row per number and stays in the saved tables."""
    info = result.info
    words = (
        f"The {len(result.table):,} scores of the patterns, one per predictor, subject, metric, split and ROI, are in "
        "the saved table."
    )
    return [
        Paragraph(pattern_sentence(info)),
        *pattern_panels.pattern_figures(result, context),
        Paragraph(words, "note"),
    ]


def identification(result: Any, context: Any, title: str, told: list[Block]) -> list[Block]:
    """Shares of ROIs that are identified."""
    return [
        *_intro(result, context),
        *told,
        *pattern_panels.identification_figures(result, context),
        table_block(
            context.slug(f"table-{title}"),
            f"{title}.",
            result.table,
            context.style,
            info=result.info,
        ),
    ]


def mixed(result: Any, context: Any, title: str, told: list[Block]) -> list[Block]:
    """Coefficients and variance components of a mixed model."""
    told_of = verdict(result, context.style)
    blocks: list[Block] = [Paragraph(told_of or f"{with_formula(opening(result), result.info)}.")]
    blocks += model_panels.model_figures(result, context)
    if len(result.table):
        caption = f"{title}: coefficients."
        blocks.append(
            table_block(
                context.slug("table-coefficients"),
                caption,
                named_terms(result),
                context.style,
                info=result.info,
            )
        )
    components = model_panels.component_frame(result)
    if components is not None:
        caption = f"{title}: variance components and their share in the variance of a single value."
        blocks.append(
            table_block(context.slug("table-components"), caption, components, context.style)
        )
    return blocks


Figures: TypeAlias = Callable[[Any, Any, str], list[Block]]


def with_figures(
    figures: Figures | None = None,
    *beside: Figures,
    columns: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> SectionMaker:
    """Section of a table with a figure: the one given, or whichever fits its columns; ``beside`` follow it.

    ``columns``: those a reader needs, where there are many more; the csv has them all.
    """

    def make(result: Any, context: Any, title: str, told: list[Block]) -> list[Block]:
        blocks = _intro(result, context) + told
        blocks += figures(result, context, title) if figures else []
        if not any(isinstance(b, FigureBlock) for b in blocks):
            what = outcome_of(result) or "estimate"
            blocks += panels.any_figures(result, context, what, lead=title)
        if not any(isinstance(b, FigureBlock) for b in blocks):
            blocks += model_panels.column_figures(result, context, title)
        for maker in beside:
            blocks += maker(result, context, title)
        return [
            *blocks,
            table_block(
                context.slug(f"table-{title}"),
                f"{title}.",
                named_terms(result),
                context.style,
                only=_of_use(columns, result.table),
                labels=labels,
                info=result.info,
            ),
        ]

    return make


def _of_use(columns: Sequence[str] | None, table: pd.DataFrame) -> list[str] | None:
    """Columns that are there; a key that is the same in every row stands in the caption, or says nothing."""
    if columns is None:
        return None
    same = {c for c in KEYS if c in table.columns and table[c].nunique(dropna=False) == 1}
    return [c for c in columns if c in table.columns and c not in same]


# columns that tell rows apart
KEYS = ("layer", "metric", "split", "direction", "outcome", "roi")
estimated = with_figures()


def counts_table(result: Any, context: Any, title: str) -> list[Block]:
    """Number of models that pass."""
    caption = f"{title}: number of models that pass, with the interval of the true number."
    slug = context.slug(f"table-{title}-counts")
    return [table_block(slug, caption, result.counts(), context.style)]


def places(result: Any, context: Any, title: str) -> list[Block]:
    """Places of the models, where they were ranked."""
    if not {"place_low", "place_high"} <= set(result.table.columns):
        return []
    return model_panels.place_figures(result, context, title)


def letters_table(result: Any, context: Any, title: str) -> list[Block]:
    """Compact letters of what was compared, where all pairs were."""
    letters = _letters(result)
    if letters is None:
        return []
    factor = compared_factor(result.info.formula)
    compared = {"roi": "ROIs", "model": "Models"}.get(factor, "Levels")
    caption = f"{compared} sharing a letter did not differ significantly, which does not make them equivalent."
    return [table_block(context.slug("table-letters"), caption, letters, context.style)]


def _letters(result: Any) -> pd.DataFrame | None:
    """Letters of every cell that has all pairs, one row per model and cell."""
    if result.kind == "emmeans":
        # means read back from disk have lost the fit that pairs are tested with
        return result.letters() if getattr(result, "grid", None) is not None else None
    table = result.table
    cells = [c for c in result.info.by if c in table.columns]
    compared = "level" if "level" in table.columns else "model"
    rows = []
    for cell, _ in panels.cells_of(table, cells):
        try:
            found = result.letters(**cell)
        except DataError:
            return None
        rows += [{**cell, compared: m, "letters": text} for m, text in found.items()]
    return pd.DataFrame(rows)
