"""From results to sections: each kind of result becomes a subsection with words, figures and tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from apastats.errors import DataError
from apastats.reporting import curve_panels, model_panels, panels, pattern_panels
from apastats.reporting.blocks import Block, FigureBlock, Listing, Paragraph, Section, TableBlock
from apastats.reporting.markup import name
from apastats.reporting.numbers import NumberStyle
from apastats.reporting.prose import cautions, sentences
from apastats.reporting.summary import ceiling_words
from apastats.reporting.tables import table_block
from apastats.reporting.words import adjusted_sentence, outcome_of, outcome_words, title_of

__all__ = ["Context", "topic_sections"]

TITLES = {
    "design": "Design of the data",
    "ceilings": "Noise ceilings",
    "scores": "Scores",
    "equivalence": "Equivalence",
    "patterns": "Alignment patterns",
    "agreement": "Pattern agreement",
    "models": "Hierarchical models",
    "planning": "Power and sample size",
    "other": "Other results",
}


@dataclass
class Context:
    """What all sections share: the items, the look of numbers, the colours of models, used identifiers."""

    items: Sequence[Any]
    style: NumberStyle
    colors: dict[str, str]
    slugs: set[str] = field(default_factory=set)
    titles: set[str] = field(default_factory=lambda: set(TITLES.values()))
    headings: Mapping[int, str] = field(default_factory=dict)
    told: dict[str, list[Any]] = field(default_factory=dict)

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
        earlier = self.told.setdefault(found, [])
        other = next((w for e in earlier if (w := _difference(result, e))), "")
        earlier.append(result)
        return self.title(f"{found}: {other}" if other else found)

    @property
    def ceilings(self) -> list[Any]:
        """Noise ceilings among the items."""
        return [r for r in self.items if getattr(r, "kind", "") == "noise_ceiling"]


# what tells two results of one kind apart, the most telling first
APART = (
    "null_kind", "scale", "profile", "self_entry", "test", "hypothesis", "margin", "method", "interval", "adjust",
    "reference", "similarity", "brain", "formula",
)  # fmt: skip


def _difference(result: Any, earlier: Any) -> str:
    """Value of the first setting in which two results differ, in words."""
    for key in APART:
        value = result.info.get(key)
        if isinstance(value, str) and value and value != earlier.info.get(key):
            return value.replace("_", " ")
    return ""


def topic_of(item: Any) -> str:
    """Section an item belongs to."""
    kind = getattr(item, "kind", None)
    if kind is None:
        return "tables"
    if kind in ("design", "noise_ceiling"):
        return {"design": "design", "noise_ceiling": "ceilings"}[kind]
    if kind == "normalized":
        return "ceilings"
    if kind.startswith(("lmm", "emmeans", "bayes", "anova")):
        return "models"
    if kind.startswith("power") or kind in ("sample_size", "planning"):
        return "planning"
    if kind.startswith(
        (
            "agreement",
            "layer_agreement",
            "strict",
            "matrix_agreement",
            "disattenuated",
            "second_order",
        )
    ):
        return "agreement"
    if "pattern" in kind:
        return "patterns"
    about_agreement = outcome_of(item) == "agreement"
    if kind.startswith(("equivalence", "margin")) or "decision" in item.table.columns:
        return "agreement" if about_agreement else "equivalence"
    if (
        kind in ("bootstrap", "comparison", "rank", "rdm_evaluation")
        or "estimate" in item.table.columns
    ):
        return "agreement" if about_agreement else "scores"
    return "other"


def topic_sections(context: Context) -> list[Section]:
    """Sections in reading order; every item appears in exactly one of them."""
    groups: dict[str, list[Section]] = {k: [] for k in TITLES}
    for item in context.items:
        topic = topic_of(item)
        if topic == "tables":
            for where, section in _table_sections(item, context):
                groups[where].append(section)
        else:
            groups[topic].append(_result_section(item, context))
    together = pattern_panels.score_agreement_figures(context)
    if together:
        title = "Score and agreement together"
        groups["agreement"].append(
            Section(context.slug(title), context.title(title), tuple(together))
        )
    return [Section(context.slug(k), TITLES[k], (), tuple(v)) for k, v in groups.items() if v]


def _result_section(result: Any, context: Context) -> Section:
    maker = SECTIONS.get(result.kind, _estimated)
    found, blocks = maker(result, context)
    title = context.heading(found, result)
    notes: list[Block] = [Paragraph(name(n), "note") for n in result.notes]
    blocked = cautions(result)
    if blocked and result.kind not in ("noise_ceiling",):
        blocks.append(Paragraph(" ".join(blocked), "caution"))
    return Section(context.slug(title), title, tuple([*blocks, *notes]))


def _intro(result: Any) -> list[Block]:
    """One paragraph on how it was made."""
    info = result.info
    words = []
    for key, label in (
        ("method", ""),
        ("margin", "Margin: "),
        ("rule", "Rule: "),
        ("comparison", "Compared: "),
    ):
        if info.get(key):
            text = str(info[key])
            words.append(f"{label}{name(text[:1].upper() + text[1:])}.")
    words += [adjusted_sentence(info)] if info.adjust else []
    if info.get("resampled"):
        words.append(f"Resampled: {name(info['resampled'])}.")
    if info.get("held_fixed"):
        words.append(f"Held fixed: {name(info['held_fixed'])}.")
    return [Paragraph(" ".join(words))] if words else []


def _sentences(result: Any, context: Context, limit: int = 6) -> list[Block]:
    """Rows as sentences where there are few of them."""
    if len(result.table) > limit:
        return []
    return [Listing(tuple(sentences(result, context.style, short=True, max_rows=limit)))]


def _design(result: Any, context: Context) -> tuple[str, list[Block]]:
    table = result.table
    blocks: list[Block] = []
    if "status" in table.columns:
        troubles = int((table["status"] == "problem").sum())
        notes = int((table["status"] == "note").sum())
        blocks.append(
            Paragraph(f"{troubles} problems and {notes} things to note were found in the data.")
        )
    blocks.append(
        table_block(context.slug("table-design"), "What is in the data.", table, context.style)
    )
    reading = [str(line) for line in result.info.get("reading", [])]
    if reading:
        blocks += [Paragraph("What reading did:"), Listing(tuple(name(line) for line in reading))]
    return "What is in the data", blocks


def _ceiling(result: Any, context: Context) -> tuple[str, list[Block]]:
    title = ceiling_words(result.info.get("ceiling_kind", ""))
    blocks = _intro(result)
    blocks += panels.ceiling_figures(result, context)
    blocks.append(
        table_block(
            context.slug(f"table-{title}"),
            f"{title}. Mean over subjects and its interval.",
            result.table,
            context.style,
        )
    )
    return title, blocks


def _bootstrap(result: Any, context: Context) -> tuple[str, list[Block]]:
    what = outcome_words(result)
    title = f"Mean {what} by model" if "model" in result.table.columns else f"Mean {what}"
    blocks = _intro(result) + _sentences(result, context)
    blocks += panels.estimate_figures(result, context, what)
    caption = f"{title}: estimates and intervals over {result.info.get('cluster', 'subject')}s."
    blocks.append(table_block(context.slug(f"table-{title}"), caption, result.table, context.style))
    return title, blocks


def _equivalence(result: Any, context: Context) -> tuple[str, list[Block]]:
    what = outcome_words(result)
    title = f"Equivalence of {what}"
    blocks = _intro(result) + _sentences(result, context)
    blocks += panels.forest_figures(result, context, what)
    blocks += _decision_table(result, context, title)
    wanted = [c for c in ("contrast",) if {"model", "reference"} <= set(result.table.columns)]
    shown = result.table.drop(columns=wanted)
    # the decision is what a reader looks for: it stands before the numbers
    first = (
        [c for c in shown.columns[: list(shown.columns).index("estimate")]]
        if "estimate" in shown.columns
        else []
    )
    order = [*first, *(c for c in ("decision",) if c in shown.columns)]
    shown = shown[[*order, *(c for c in shown.columns if c not in order)]]
    block = table_block(
        context.slug(f"table-{title}"),
        f"{title}: differences, tests and decisions.",
        shown,
        context.style,
    )
    blocks.append(TableBlock(block.slug, block.caption, result.table, block.columns))
    return title, blocks


def _decision_table(result: Any, context: Context, title: str) -> list[Block]:
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


def _generic(result: Any, context: Context) -> tuple[str, list[Block]]:
    title = title_of(result)
    blocks = _intro(result) + _sentences(result, context)
    blocks.append(
        table_block(context.slug(f"table-{title}"), f"{title}.", result.table, context.style)
    )
    return title, blocks


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


def _patterns(result: Any, context: Context) -> tuple[str, list[Block]]:
    """Patterns are shown as figures; the table has one row per number and stays in the saved tables."""
    title = "Patterns of the models"
    info = result.info
    told = [
        f"{k.replace('_', ' ')}: {name(str(info[k]).replace('_', ' '))}"
        for k in ("profile", "self_entry", "scale")
        if k in info
    ]
    blocks: list[Block] = [Paragraph(f"Alignment patterns ({'; '.join(told)}).")]
    words = f"{len(result.table)} numbers, one per predictor, subject, metric, split and ROI, are in the saved table."
    return title, [
        *blocks,
        *pattern_panels.pattern_figures(result, context),
        Paragraph(words, "note"),
    ]


def _identification(result: Any, context: Context) -> tuple[str, list[Block]]:
    title, blocks = _generic(result, context)
    place = sum(1 for b in blocks if not isinstance(b, TableBlock))
    return title, [
        *blocks[:place],
        *pattern_panels.identification_figures(result, context),
        *blocks[place:],
    ]


def _lmm(result: Any, context: Context) -> tuple[str, list[Block]]:
    title = "Hierarchical model"
    blocks = _intro(result) + model_panels.model_figures(result, context)
    if len(result.table):
        caption = f"{title}: coefficients."
        blocks.append(
            table_block(context.slug("table-coefficients"), caption, result.table, context.style)
        )
    components = model_panels.component_frame(result)
    if components is not None:
        caption = f"{title}: variance components and their share of the variance of a row."
        blocks.append(
            table_block(context.slug("table-components"), caption, components, context.style)
        )
    return title, blocks


def _estimated(result: Any, context: Context) -> tuple[str, list[Block]]:
    """Comparisons, marginal means, power and the like: a figure that fits the columns, then the table."""
    title, what = title_of(result), outcome_of(result)
    blocks = _intro(result) + _sentences(result, context)
    special = curve_panels.CURVES.get(result.kind)
    blocks += special(result, context, title) if special else []
    if not any(isinstance(b, FigureBlock) for b in blocks):
        blocks += panels.any_figures(result, context, what or "estimate", lead=title)
    if not any(isinstance(b, FigureBlock) for b in blocks):
        blocks += model_panels.column_figures(result, context, title)
    blocks += _made_by_result(result, context, title)
    blocks.append(
        table_block(context.slug(f"table-{title}"), f"{title}.", result.table, context.style)
    )
    return title, blocks


def _made_by_result(result: Any, context: Context, title: str) -> list[Block]:
    """Further tables that a result makes of itself: counts of a decision, letters of a comparison."""
    out: list[Block] = []
    if result.kind == "strict_alignment":
        caption = f"{title}: number of models that pass, with the interval of the true number."
        out.append(
            table_block(
                context.slug(f"table-{title}-counts"), caption, result.counts(), context.style
            )
        )
    if result.kind == "equivalence_set":
        out += model_panels.set_figures(result, context, title)
    if {"place_low", "place_high"} <= set(result.table.columns):
        out += model_panels.place_figures(result, context, title)
    if result.kind == "agreement_sensitivity":
        out += model_panels.sensitivity_figures(result, context)
    if result.kind in ("comparison", "emmeans"):
        letters = _letters(result)
        if letters is not None:
            caption = (
                "Compact letters: models of a row of which two share a letter were not separated, which does not make "
                "them equivalent."
            )
            out.append(table_block(context.slug("table-letters"), caption, letters, context.style))
    return out


def _letters(result: Any) -> pd.DataFrame | None:
    """Letters of every cell that has all pairs, one row per model and cell."""
    if result.kind == "emmeans":
        # means read back from disk have lost the fit that pairs are tested with
        return result.letters() if getattr(result, "grid", None) is not None else None
    table = result.table
    cells = [c for c in result.info.get("by", []) if c in table.columns]
    rows = []
    for cell, _ in panels.cells_of(table, cells):
        try:
            found = result.letters(**cell)
        except DataError:
            return None
        rows += [{**cell, "model": m, "letters": text} for m, text in found.items()]
    return pd.DataFrame(rows)


SECTIONS: dict[str, Callable[[Any, Context], tuple[str, list[Block]]]] = {
    "design": _design,
    "noise_ceiling": _ceiling,
    "bootstrap": _bootstrap,
    "equivalence": _equivalence,
    "alignment_patterns": _patterns,
    "pattern_identification": _identification,
    "lmm": _lmm,
}
