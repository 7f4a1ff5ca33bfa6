"""The figure that carries the result: every verdict at once, models by regions, or the first figure there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from apastats.plots.matrix import Sign, decision_signs, signs_sheet
from apastats.plots.style import INK
from apastats.reporting.blocks import Block, FigureBlock, Section
from apastats.reporting.markup import name
from apastats.reporting.panels import split_metrics
from apastats.reporting.phrases import counted, noun_of, outcome_words

if TYPE_CHECKING:
    from apastats.plots.sheet import Sheet

__all__ = ["lead_figure"]

WIDE = 8.2  # inches: a column of text
REFERENCE = "highest mean (reference)"
KINDS = ("equivalence", "equivalence_set", "strict_alignment")
SENSITIVITY = "figure-sensitivity"
# models that still leave the paragraph its place on one screen, and how many are shown of more
MANY, SHOWN = 16, 11


def lead_figure(
    items: Sequence[Any], sections: Sequence[Section]
) -> tuple[FigureBlock | None, list[Section]]:
    """The leading figure, and the sections without it where it was taken from one of them."""
    for kind in KINDS:
        for result in items:
            if getattr(result, "kind", "") == kind:
                label, where = split_metrics(result.table)[0]
                part = result.table.iloc[where]
                if _fits(part):
                    return _verdicts(result, part, label), list(sections)
    return _first(sections)


def _fits(table: pd.DataFrame) -> bool:
    if not {"model", "roi", "decision"} <= set(table.columns) or table["roi"].nunique() < 2:
        return False
    return not table.duplicated(["model", "roi"]).any() and table["model"].nunique() <= 40


def _verdicts(result: Any, table: pd.DataFrame, metric: str) -> FigureBlock:
    """Of the first metric, where there are several: the one that is named."""
    from apastats.plots.panel import width_of_page

    columns = [c for c in ("model", "reference", "roi", "estimate", "decision") if c in table]
    data, chosen = _nearest(table[columns].reset_index(drop=True))
    of = f" ({name(metric)})" if metric else ""
    against, star = "", REFERENCE if result.info.reference == "best" else "reference"
    if "reference" in data.columns:
        against = " against the brain" if result.info.reference == "brain" else ""
        if result.info.reference == "best":
            against = " against that of the highest mean in the ROI (star)"
    what = (
        outcome_words(result)
        if result.kind != "strict_alignment"
        else "score and agreement together"
    )
    return FigureBlock(
        "figure-answer",
        f"The verdict on each {noun_of(result)} in each ROI: {what}{of}{against}.{chosen}",
        f"Signs of {counted(len(data), 'verdict')}, {noun_of(result)}s by ROIs; the table of the comparisons has them "
        "in words.",
        lambda: verdict_matrix(data, min(WIDE, width_of_page()), star),
        data,
        len(data),
    )


def _nearest(data: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Rows of the models nearest to what they are compared with, and the words for it, where there are many."""
    models = data["model"].nunique()
    if models <= MANY or "estimate" not in data:
        return data, ""
    away = data["estimate"].abs().groupby(data["model"].astype(str), sort=False).mean()
    near = away.sort_values(kind="stable").index[:SHOWN]
    kept = data[data["model"].astype(str).isin(near)].reset_index(drop=True)
    return kept, (
        f" Shown are the {SHOWN} of {models} models with the smallest mean difference; the tables have all."
    )


def verdict_matrix(data: pd.DataFrame, width: float, star: str = REFERENCE) -> Sheet:
    """Signs of verdicts, models by regions, in a given width in inches; a star where a model is the reference."""
    models = list(dict.fromkeys(data["model"].astype(str)))
    if "reference" in data.columns:
        others = [m for m in dict.fromkeys(data["reference"].astype(str)) if m != "brain"]
        models += [m for m in others if m not in models]
        models = sorted(models) if data["reference"].nunique() > 1 else models
    rois = list(dict.fromkeys(data["roi"].astype(str)))
    signs = decision_signs(data, "model", "roi")
    if "reference" in data.columns and set(data["reference"].astype(str)) & set(models):
        pairs = data[["reference", "roi"]].drop_duplicates().astype(str)
        signs.append(Sign(star, list(pairs["reference"]), list(pairs["roi"]), INK, "*", True, 1.3))
    slim = width < 5
    return signs_sheet(
        models, rois, signs, x="" if slim else "ROI", page=width, most=0.36, tight=slim
    )


def _first(sections: Sequence[Section]) -> tuple[FigureBlock | None, list[Section]]:
    """The first figure of scores, equivalence or whatever there is, taken out of its section."""
    for section in sections:
        # where conclusions were compared over measures or other choices, they are the answer
        for block in (b for c in section.children for b in c.blocks):
            if isinstance(block, FigureBlock) and block.slug == SENSITIVITY:
                return block, [_without(s, block) for s in sections]
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
