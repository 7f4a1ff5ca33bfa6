"""From results to sections: each kind of result becomes a subsection with words, figures and tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from apastats.printable import finding
from apastats.reporting import panels, pattern_panels
from apastats.reporting.answer import ORDER, verdict
from apastats.reporting.blocks import Block, Listing, Paragraph, Section
from apastats.reporting.kinds import TOPICS, kind_of, sentences, topic_of
from apastats.reporting.margins import differing
from apastats.reporting.markup import name
from apastats.reporting.numbers import NumberStyle
from apastats.reporting.openings import shown_formula
from apastats.reporting.phrases import sentence
from apastats.reporting.tables import table_block

__all__ = ["Context", "topic_sections"]

MAX_SENTENCES = 6  # rows that are written out


@dataclass
class Context:
    """What all sections share: the items, the look of numbers, the colours of models, used identifiers."""

    items: Sequence[Any]
    style: NumberStyle
    colors: dict[str, str]
    slugs: set[str] = field(default_factory=set)
    titles: set[str] = field(default_factory=lambda: set(TOPICS.values()))
    headings: Mapping[int, str] = field(default_factory=dict)
    told: dict[str, list[Any]] = field(default_factory=dict)
    noted: set[str] = field(default_factory=set)

    def slug(self, wish: str) -> str:
        """Identifier that no other block has."""
        base = re.sub(r"[^a-z0-9]+", "-", wish.lower()).strip("-") or "part"
        out, k = base, 2
        while out in self.slugs:
            out, k = f"{base}-{k}", k + 1
        self.slugs.add(out)
        return out

    def title(self, wish: str) -> str:
        """Heading that no other part has, so that landmarks can be told apart."""
        out, k = wish, 2
        while out in self.titles:
            out, k = f"{wish} ({k})", k + 1
        self.titles.add(out)
        return out

    def heading(self, found: str, result: Any) -> str:
        """Heading of a result: the one it was given, or its own with what sets it apart from earlier ones."""
        given = self.headings.get(id(result))
        if given:
            return self.title(given)
        margin = self.margins.get(id(result))
        if margin:
            found = f"{found}, margin {margin}"
        earlier = self.told.setdefault(found, [])
        other = next((w for e in earlier if (w := _difference(result, e))), "")
        earlier.append(result)
        return self.title(f"{found}: {other}" if other else found)

    @cached_property
    def margins(self) -> dict[int, str]:
        """Margins of results, by identity, where another result has another one for the same outcome."""
        return differing(self.items)

    @property
    def ceilings(self) -> list[Any]:
        """Noise ceilings among the items."""
        return [r for r in self.items if getattr(r, "kind", "") == "noise_ceiling"]


# what tells two results of one kind apart, the most telling first
APART = (
    "null_kind", "scale", "profile", "self_entry", "test", "hypothesis", "method", "interval", "adjust",
    "reference", "similarity", "brain", "formula",
)  # fmt: skip


def _difference(result: Any, earlier: Any) -> str:
    """Value of the first setting in which two results differ, in words."""
    for key in APART:
        value = result.info.get(key)
        if isinstance(value, str) and value and value != earlier.info.get(key):
            return value.replace("_", " ")
    return ""


def topic_sections(context: Context) -> list[Section]:
    """Sections in reading order; every item appears in exactly one of them."""
    groups: dict[str, list[Section]] = {k: [] for k in TOPICS}
    for item in context.items:
        if hasattr(item, "info"):
            groups[topic_of(item)].append(_result_section(item, context))
        else:
            for where, section in _table_sections(item, context):
                groups[where].append(section)
    together = pattern_panels.score_agreement_figures(context)
    if together:
        title = "Score and agreement together"
        groups["agreement"].append(
            Section(context.slug(title), context.title(title), tuple(together))
        )
    return [
        Section(context.slug(k), TOPICS[k], (), tuple(v), _gist(k, context))
        for k, v in groups.items()
        if v
    ]


def _gist(topic: str, context: Context) -> str:
    """The most telling verdict of a topic."""
    of = [i for i in context.items if hasattr(i, "info") and topic_of(i) == topic]
    told = [i for i in of if i.kind in ORDER] or of
    told = sorted(told, key=lambda i: ORDER.index(i.kind) if i.kind in ORDER else 0)
    return next((text for i in told if (text := verdict(i, context.style))), "")


def _result_section(result: Any, context: Context) -> Section:
    kind = kind_of(result)
    found = kind.title(result)
    short = len(result.table) <= MAX_SENTENCES
    lines = sentences(result, context.style, short=True) if short else []
    told: list[Block] = [Listing(tuple(lines))] if lines else []
    blocks = kind.section(result, context, found, told)
    title = context.heading(found, result)
    # a note that several results carry is told where it is met first
    new = [n for n in result.notes if n not in context.noted]
    context.noted.update(new)
    shown = [
        finding(n).replace(result.info.formula or "\0", shown_formula(result.info)) for n in new
    ]
    notes: list[Block] = [Paragraph(sentence(name(n)), "note") for n in shown]
    return Section(context.slug(title), title, tuple([*blocks, *notes]))


def _table_sections(table: Any, context: Context) -> list[tuple[str, Section]]:
    """Sections of a score table, by what it holds."""
    frame: pd.DataFrame = table.frame
    if table.quantity == "agreement":
        blocks = pattern_panels.agreement_figures(table, context)
        title = "Agreement of models and brain"
        return (
            [("agreement", Section(context.slug(title), context.title(title), tuple(blocks)))]
            if blocks
            else []
        )
    out: list[tuple[str, Section]] = []
    models = frame[frame["kind"] == "model"]
    chosen = not models.empty and not models.duplicated(["model", "subject", "roi", "metric"]).any()
    if chosen and not any(getattr(r, "kind", "") == "bootstrap" for r in context.items):
        blocks = panels.subject_figures(table, context)
        out.append(
            (
                "scores",
                Section(
                    context.slug("scores of subjects"), "Scores of the subjects", tuple(blocks)
                ),
            )
        )
    if chosen:
        blocks = _layers(models, context)
        if blocks:
            out.append(
                (
                    "scores",
                    Section(
                        context.slug("chosen layers"), context.title("Chosen layers"), tuple(blocks)
                    ),
                )
            )
    brain = pattern_panels.brain_pattern_figures(table, context)
    if brain and "brain-pattern" not in context.slugs:
        context.slugs.add("brain-pattern")
        out.append(
            (
                "patterns",
                Section(
                    context.slug("patterns of the brain"), "Patterns of the brain", tuple(brain)
                ),
            )
        )
    if not out and not any(getattr(r, "kind", "") == "design" for r in context.items):
        # nothing of it is drawn, but it is there
        words = Paragraph(
            f"{len(frame)} rows of {name(', '.join(table.outcomes))}; results below rest on them."
        )
        out.append(
            (
                "design",
                Section(
                    context.slug("table of scores"), context.title("Table of scores"), (words,)
                ),
            )
        )
    return out


def _layers(models: pd.DataFrame, context: Context) -> list[Block]:
    """Which layer was used where: one row per model and layer, with its ROIs."""
    if models["layer"].nunique() < 2:
        return []
    n_subject = models["subject"].nunique()
    counts = (
        models.groupby(["model", "metric", "layer", "roi"], sort=False)
        .size()
        .rename("n")
        .reset_index()
    )
    counts["ROIs"] = [
        str(r) if n == n_subject else f"{r} ({n} of {n_subject} subjects)"
        for r, n in zip(counts["roi"], counts["n"], strict=True)
    ]
    rows = (
        counts.groupby(["model", "metric", "layer"], sort=False)["ROIs"]
        .agg(", ".join)
        .reset_index()
    )
    rows = rows.sort_values(["model", "metric", "layer"], kind="stable", ignore_index=True)
    caption = "Layer used for each model, and the ROIs it was used for."
    return [table_block(context.slug("table-layers"), caption, rows, context.style)]
