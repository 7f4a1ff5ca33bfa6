"""The parts of a report that speak of all results together: key facts, plain words, methods, recipe."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

from apastats.reporting.blocks import Block, Code, Listing, Paragraph, TableBlock
from apastats.reporting.how_made import cautions
from apastats.reporting.kinds import keys_of, kind_of, title_of
from apastats.reporting.markup import cite, code, name, plain, sym
from apastats.reporting.numbers import NumberStyle
from apastats.reporting.phrases import adjusted_sentence, ceiling_words, joined, outcome_of
from apastats.reporting.prose import KEYS, decision_counts, set_sentences
from apastats.results import package_versions

__all__ = ["key_facts", "methods_paragraph", "not_concluded", "plain_words", "recipe"]


def results_of(items: Sequence[Any]) -> list[Any]:
    """Results proper (not score tables)."""
    return [r for r in items if hasattr(r, "table") and hasattr(r, "info")]


def unique(values: Sequence[str]) -> list[str]:
    """Without repeats and empties, order kept."""
    return [v for v in dict.fromkeys(values) if v]


def _info(items: Sequence[Any], key: str) -> list[str]:
    return unique(
        [str(r.info[key]) for r in results_of(items) if r.info.get(key) not in (None, "")]
    )


def key_facts(items: Sequence[Any], command: str | None) -> dict[str, str]:
    """What a careful reader looks for first, label -> inline text."""
    results = results_of(items)
    tested = [r for r in results if r.info.margin or "decision" in r.table.columns]
    adjust = "; ".join(unique([adjusted_sentence(r.info).rstrip(".") for r in tested]))
    levels = ", ".join(_info(tested, "alpha"))
    every = _info(items, "resampled")
    resampled = [v for v in every if not v.startswith("nothing")] or every
    held = unique([w for h in _info(items, "held_fixed") for w in h.split(", ")])
    seeds = unique([r.provenance.seed for r in results])
    versions, python = _software(items)
    hashes = unique([r.provenance.data_hash for r in results])
    more = f" and {len(hashes) - 3} more" if len(hashes) > 3 else ""
    facts = {
        "Data": data_words(items),
        "Margin": "; ".join(_margins(results)) or "none stated: no claim of equivalence is made",
        "Test": "; ".join(map(name, unique([str(r.info.method) for r in tested]))),
        "Adjustment": f"{adjust}; level {levels}" if adjust and levels else adjust,
        "Resampling unit": "; ".join(map(name, resampled)),
        "Held fixed": name(", ".join(held)) if held else "",
        "Seed": code(", ".join(seeds)) if seeds else "no random numbers were drawn",
        "Software": ", ".join(f"{k} {v}" for k, v in list(versions.items())[:4])
        + f", Python {python}",
        "Data hash": code(", ".join(hashes[:3])) + more if hashes else "",
        "Command": code(command) if command else "",
    }
    return {label: text for label, text in facts.items() if text}


def _margins(results: Sequence[Any]) -> list[str]:
    """Every margin once, with what it was for where there are several."""
    used: dict[str, list[str]] = {}
    for r in results:
        if r.info.margin:
            used.setdefault(str(r.info.margin), []).append(title_of(r))
    # a test on two outcomes repeats the margins of both
    alone = {m: t for m, t in used.items() if not any(o != m and o in m for o in used)} or used
    if len(alone) == 1:
        return [name(m) for m in alone]
    return [f"{name(m)} ({joined(unique(t))})" for m, t in alone.items()]


def data_words(items: Sequence[Any]) -> str:
    """``n = 10 subjects, 8 models, 19 ROIs, 1 metric (rsa)``."""
    for item in items:
        frame = getattr(item, "frame", None)
        if frame is None:
            continue
        models = frame.loc[
            (frame["kind"] == "model") & (frame["model"] != "brain"), "model"
        ].nunique()
        counts = [
            (frame["subject"].nunique(), "subject"),
            (models, "model"),
            (frame["roi"].nunique(), "ROI"),
        ]
        words = [f"{n} {w}{'' if n == 1 else 's'}" for n, w in counts if n]
        metrics = [str(m) for m in frame["metric"].unique() if m != "score"]
        if metrics:
            words.append(
                f"{'metric' if len(metrics) == 1 else 'metrics'} {', '.join(name(m) for m in metrics[:4])}"
            )
        return f"{sym('n')} = {', '.join(words)}"
    n = _info(items, "n_subject")
    return f"{sym('n')} = {', '.join(n)} subjects" if n else ""


def plain_words(items: Sequence[Any], style: NumberStyle) -> list[Block]:
    """What was found, in plain words."""
    lines: list[str] = []
    data = data_words(items)
    if data:
        lines.append(f"The data: {data}.")
    for r in results_of(items):
        line = _plain_line(r, style)
        if line:
            lines.append(line)
    return [Listing(tuple(lines))] if lines else [Paragraph("No results were given.")]


def _plain_line(result: Any, style: NumberStyle) -> str:
    from apastats.reporting.tables import scale_decimals

    table, kind = result.table, result.kind
    what = outcome_of(result)
    if kind == "noise_ceiling" and len(table) and "roi" in table.columns:
        d = scale_decimals(table, style)
        out = []
        for bound in dict.fromkeys(table["bound"]) if "bound" in table.columns else ["ceiling"]:
            part = table[table["bound"] == bound] if "bound" in table.columns else table
            part = part[part["estimate"].notna()]
            if part.empty:
                continue
            low, high = part.loc[part["estimate"].idxmin()], part.loc[part["estimate"].idxmax()]
            head = "" if bound in ("reference", "ceiling") else f"the {bound} bound runs "
            out.append(
                f"{head}from {style.number(low['estimate'], d)} in {name(low['roi'])} to "
                f"{style.number(high['estimate'], d)} in {name(high['roi'])}"
            )
        label = ceiling_words(result.info.get("ceiling_kind", ""))
        if not out:
            return ""
        runs = "run " if out[0].startswith("from") else ""
        return f"{label} {runs}{joined(out)}." if runs else f"{label}: {joined(out)}."
    if kind == "bootstrap" and {"model", "estimate"} <= set(table.columns) and len(table):
        return _best_line(table, what)
    if {"in_set", "model"} <= set(table.columns) and len(table):
        about = f"Sets of the best models by {what or 'the outcome'} ({name(result.info.method)})"
        return f"{about}: {_sets_line(result)}"
    if kind == "margin_curve":
        # its rows are margins tried, not comparisons
        n = table.drop_duplicates([c for c in ("roi", "metric", "contrast") if c in table.columns])
        return (
            f"Decisions over margins: the smallest margin at which each of {len(n)} comparisons would be equivalent "
            "is shown; it does not replace the margin stated."
        )
    if "decision" in table.columns and len(table):
        margin = f" (margin: {name(result.info.margin)})" if result.info.margin else ""
        label = f"{title_of(result)}{margin}"
        decided = _decided(table) if "bound_low" in table.columns else ""
        return f"{label}: {decision_counts(table)}. {decided}".strip()
    return ""


def _sets_line(result: Any) -> str:
    """Members by cell where cells are few; sizes, and cells with one member only, where they are many."""
    table = result.table
    cells = [c for c in KEYS if c in table.columns and table[c].nunique() > 1]
    lines = set_sentences(result)
    if len(lines) <= 4:
        return " ".join(lines)
    members = table[table["in_set"].astype(bool)]
    sizes = table.groupby(cells, sort=False)["in_set"].sum().astype(int)
    total = table.groupby(cells, sort=False).size()
    noun = "ROIs" if cells == ["roi"] else "cells"
    out = [
        f"in {len(sizes)} {noun} they hold {sizes.min()} to {sizes.max()} of {total.max()} models "
        f"(median {sizes.median():g})."
    ]
    in_all = members["model"].astype(str).value_counts()
    always = [name(m) for m, k in in_all.items() if k == len(sizes)]
    if always:
        out.append(f"{joined(always)} {'is' if len(always) == 1 else 'are'} in every set.")
    single = members.set_index(cells)["model"].astype(str)
    single = single[single.index.map(sizes).to_numpy() == 1]
    if len(single):
        where: dict[str, list[str]] = {}
        for cell, model in single.items():
            label = cell if isinstance(cell, tuple) else (cell,)
            where.setdefault(model, []).append(" ".join(name(c) for c in label))
        told = "; ".join(f"{name(m)} in {joined(places)}" for m, places in where.items())
        out.append(f"The only member is {told}.")
    return " ".join(out)


def _best_line(table: Any, what: str) -> str:
    """Which model has the highest mean where."""
    models = table[table["model"].astype(str) != "brain"]
    cells = [c for c in ("roi", "metric") if c in table.columns and table[c].nunique() > 1]
    if models.empty or models["estimate"].isna().all():
        return ""
    word = f"mean {what or 'outcome'}"
    if not cells:
        return f"{name(models.loc[models['estimate'].idxmax(), 'model'])} has the highest {word}."
    best = models.loc[models.groupby(cells, sort=False)["estimate"].idxmax().dropna()]
    counts = best["model"].value_counts()
    verb = [f" has the highest {word}", *[""] * 4]
    parts = [
        f"{name(m)}{v} in {k}" for (m, k), v in zip(counts.head(5).items(), verb, strict=False)
    ]
    if len(counts) > 5:
        left = len(counts) - 5
        parts.append(
            "another model in the rest" if left == 1 else f"{left} other models in the rest"
        )
    noun = (
        "ROIs" if cells == ["roi"] else "cells of ROI and metric" if len(cells) == 2 else "metrics"
    )
    return f"Of {len(best)} {noun}, {joined(parts)}. A highest mean alone says nothing about the models behind it."


def _decided(table: Any) -> str:
    """Models that are equivalent to the reference, by ROI, where there are few."""
    if "model" not in table.columns or "roi" not in table.columns:
        return ""
    inside = table[table["decision"].isin(["equivalent", "different but inside the margin"])]
    if inside.empty:
        return "No comparison was shown to be inside the margin."
    parts = []
    for roi, part in list(inside.groupby("roi", sort=False))[:25]:
        names = list(dict.fromkeys(part["model"].astype(str)))
        shown = joined([name(m) for m in names[:4]]) if len(names) <= 4 else f"{len(names)} models"
        reference = (
            list(dict.fromkeys(part["reference"].astype(str)))
            if "reference" in part.columns
            else []
        )
        to = f" with {name(reference[0])}" if len(reference) == 1 else ""
        parts.append(f"{name(roi)}: {shown}{to}")
    return "Shown to be inside the margin: " + "; ".join(parts) + "."


def not_concluded(items: Sequence[Any]) -> list[Block]:
    """What may not be concluded, without repeats."""
    # the same words, marked as a name or not, are one caution
    lines = list({plain(c): c for r in results_of(items) for c in cautions(r) if c}.values())
    undecided = sum(
        int((r.table["decision"] == "undecided").sum())
        for r in results_of(items)
        if "decision" in r.table.columns and r.kind != "margin_curve"
    )
    if undecided:
        lines.insert(
            0,
            f"{undecided} comparisons are undecided; they may not be cited as equal, nor as different.",
        )
    general = [
        "The number of models inside a margin depends on which models were tried.",
        "Subjects are a sample: claims are about the population they stand for, not about these subjects alone.",
    ]
    return [Listing(tuple(lines + general))]


def recipe(
    items: Sequence[Any], study_text: str | None, command: str | None, provenance: TableBlock
) -> list[Block]:
    """How to run it again."""
    out: list[Block] = []
    if command:
        out.append(Paragraph("The command that made this report:"))
        out.append(Code(command, "command"))
    if study_text:
        out.append(Paragraph("The study file it was run on (study.toml):"))
        out.append(Code(study_text, "study.toml"))
    out.append(
        Paragraph(
            "Where each result comes from: the call, the hash of its data, and the seed where numbers were drawn."
        )
    )
    out.append(provenance)
    return out


def provenance_rows(items: Sequence[Any]) -> list[Mapping[str, str]]:
    """One row per result."""
    rows: list[Mapping[str, str]] = []
    for r in results_of(items):
        p = r.provenance
        rows.append(
            {
                "result": r.kind,
                "call": p.call,
                "data_hash": p.data_hash,
                "seed": p.seed or "none drawn",
                "versions": ", ".join(f"{k} {v}" for k, v in p.versions.items()),
                "python": p.python,
                "created": p.created,
            }
        )
    return rows


def methods_paragraph(items: Sequence[Any]) -> Paragraph:
    """The paragraph, from results and score tables in the order they were computed."""
    lines = [_data_line(items)]
    for item in items:
        lines += _sentences(item)
    lines += [_held_line(items), _software_line(items)]
    return Paragraph(" ".join(unique(lines)))


def _data_line(items: Sequence[Any]) -> str:
    data = data_words(items)
    if not data:
        return ""
    # scores of representational similarity rest on the work that introduced them
    keys = unique(
        [k for i in items if not hasattr(i, "info") for k in keys_of(i) if k == "kriegeskorte2008"]
    )
    return f"Alignment scores were analysed ({data}){' ' + cite(*keys) if keys else ''}."


def _software(items: Sequence[Any]) -> tuple[dict[str, str], str]:
    """Versions that made the results, which may not be those that render them."""
    for result in results_of(items):
        return dict(result.provenance.versions), result.provenance.python
    return package_versions(), platform.python_version()


def _software_line(items: Sequence[Any]) -> str:
    versions, python = _software(items)
    words = []
    for package, version in versions.items():
        key = {"apastats": "apastats", "numpy": "harris2020", "scipy": "virtanen2020"}.get(package)
        words.append(f"{package} {version}" + (f" {cite(key)}" if key else ""))
    return f"Analyses were run under Python {python} with {joined(words)}."


def _sentences(item: Any) -> list[str]:
    if not hasattr(item, "info"):
        return _agreement_table(item)
    return kind_of(item).methods(item, title_of(item), keys_of(item))


def _agreement_table(table: Any) -> list[str]:
    if table.quantity != "agreement":
        return []
    tested = (
        "tests use each person's jackknife share in the mean Fisher transform, as subjects share references and "
        "predictors"
        if "z_person" in table.outcomes
        else "tests use its Fisher transform"
    )
    return [
        "Pattern agreement is the similarity of a predictor's scores over all ROIs with the pattern of the brain; "
        f"{tested} {cite('hoefling2026')}."
    ]


def _small(title: str) -> str:
    return title[:1].lower() + title[1:]


def _held_line(items: Sequence[Any]) -> str:
    """What was held fixed, once for all results that held the same."""
    held: dict[str, list[str]] = {}
    for r in results_of(items):
        if r.info.held_fixed:
            held.setdefault(str(r.info.held_fixed), []).append(_small(title_of(r)))
    if not held:
        return ""
    if len(held) == 1:
        return f"Held fixed throughout: {name(next(iter(held)))}."
    return f"Held fixed: {'; '.join(f'{name(k)} ({joined(unique(v))})' for k, v in held.items())}."
