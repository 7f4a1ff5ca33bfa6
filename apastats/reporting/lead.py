"""The figure that carries the result: every verdict at once, models by regions, or the first figure there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from apastats.reporting.blocks import Block, FigureBlock, Section
from apastats.reporting.phrases import outcome_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["lead_figure"]

WIDE = 8.2  # inches: a column of text
REFERENCE = "reference of the comparison"
KINDS = ("equivalence", "equivalence_set", "strict_alignment")


def lead_figure(
    items: Sequence[Any], sections: Sequence[Section]
) -> tuple[FigureBlock | None, list[Section]]:
    """The leading figure, and the sections without it where it was taken from one of them."""
    for kind in KINDS:
        for result in items:
            if getattr(result, "kind", "") == kind and _fits(result.table):
                return _verdicts(result), list(sections)
    return _first(sections)


def _fits(table: pd.DataFrame) -> bool:
    if not {"model", "roi", "decision"} <= set(table.columns) or table["roi"].nunique() < 2:
        return False
    return not table.duplicated(["model", "roi"]).any() and table["model"].nunique() <= 40


def _verdicts(result: Any) -> FigureBlock:
    from apastats.plots.panel import width_of_page

    columns = [
        c for c in ("model", "reference", "roi", "estimate", "decision") if c in result.table
    ]
    data = result.table[columns].reset_index(drop=True)
    against = ""
    if "reference" in data.columns:
        against = " against the brain" if result.info.reference == "brain" else ""
        if result.info.reference == "best":
            against = " against the model with the highest mean in the ROI (star)"
    what = (
        outcome_words(result)
        if result.kind != "strict_alignment"
        else "score and agreement together"
    )
    return FigureBlock(
        "figure-answer",
        f"The verdict on every model in every ROI, by {what}{against}.",
        f"Signs of {len(data)} verdicts, models by ROIs; the table of the comparisons has them in words.",
        lambda: verdict_matrix(data, min(WIDE, width_of_page())),
        data,
        len(data),
    )


def verdict_matrix(data: pd.DataFrame, width: float) -> Figure:
    """Signs of verdicts, models by regions, in a given width in inches."""
    from apastats.plots.style import DECISIONS, INK, MUTED, finish, label, new_figure

    slim = width < 5
    size = 6.5 if slim else 8.5
    models = list(dict.fromkeys(data["model"].astype(str)))
    if "reference" in data.columns:
        models += [
            m
            for m in dict.fromkeys(data["reference"].astype(str))
            if m not in models and m != "brain"
        ]
        models = sorted(models) if data["reference"].nunique() > 1 else models
    rois = list(dict.fromkeys(data["roi"].astype(str)))
    rows, columns = (models, rois) if len(rois) >= len(models) or slim else (rois, models)
    across = rows is models
    limit = 14 if slim else 26
    inch = 0.0078 * size  # a character of a label
    left = 0.15 + inch * max(len(str(label(r, limit))) for r in rows)
    below = 0.12 + inch * max(len(str(label(c, limit))) for c in columns)
    cell = min(0.42, (width - left - 0.1) / len(columns))
    pitch = max(min(0.26, cell * 1.1), 1.35 * size / 72)
    body = pitch * len(rows)
    foot = 0.36 if slim else 0.3
    height = 0.08 + body + below + foot
    figure = new_figure(width, height, layout=None)
    ax = figure.add_axes(
        (left / width, (below + foot) / height, cell * len(columns) / width, body / height)
    )
    found = data["decision"].astype(str)
    known = [d for d in DECISIONS if d in set(found)]
    extra = {"aligned": ("#0072b2", "o", True), "not aligned": ("#d55e00", "D", True)}
    spot = min(60.0, (0.52 * 72 * min(cell, pitch)) ** 2)

    def signs(
        models: pd.Series, rois: pd.Series, sign: str, size: float, color: str, fill: str, said: str
    ) -> None:
        down, right = (models, rois) if across else (rois, models)
        x, y = ([names.index(str(v)) for v in of] for names, of in ((columns, right), (rows, down)))
        ax.scatter(
            x, y, marker=sign, s=size, facecolors=fill, edgecolors=color, linewidths=1.1, label=said
        )

    for decision in [*known, *(d for d in dict.fromkeys(found) if d not in known)]:
        color, marker, filled = (DECISIONS | extra).get(decision, (MUTED, "s", False))
        part = data[found == decision]
        fill = color if filled else "none"
        signs(part["model"], part["roi"], marker, spot, color, fill, decision)
    if "reference" in data.columns and data["reference"].nunique() > 1:
        pairs = data[["reference", "roi"]].drop_duplicates()
        signs(pairs["reference"], pairs["roi"], "*", spot * 1.6, INK, INK, REFERENCE)
    ax.set_xlim(-0.5, len(columns) - 0.5)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_yticks(range(len(rows)), [label(r, limit) for r in rows])
    ax.set_xticks(range(len(columns)), [label(c, limit) for c in columns], rotation=90)
    finish(ax, grid="both")
    ax.tick_params(labelsize=size, length=0)
    figure.legend(
        loc="lower left",
        ncols=2 if slim else 4,
        fontsize=size,
        frameon=False,
        labelcolor=INK,
        borderaxespad=0.1,
        handletextpad=0.3,
        columnspacing=1.0,
    )
    return figure


def _first(sections: Sequence[Section]) -> tuple[FigureBlock | None, list[Section]]:
    """The first figure of scores, equivalence or whatever there is, taken out of its section."""
    wanted = {"equivalence": 0, "scores": 1, "agreement": 2}
    order = sorted(sections, key=lambda s: wanted.get(s.slug, 3))
    for section in order:
        for child in section.children:
            figure = next((b for b in child.blocks if isinstance(b, FigureBlock)), None)
            if figure is not None:
                return figure, [_without(s, figure) for s in sections]
    return None, list(sections)


def _without(section: Section, figure: FigureBlock) -> Section:
    def kept(blocks: Sequence[Block]) -> tuple[Block, ...]:
        return tuple(b for b in blocks if b is not figure)

    children = tuple(replace(c, blocks=kept(c.blocks)) for c in section.children)
    return replace(section, blocks=kept(section.blocks), children=children)
