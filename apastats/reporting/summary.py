"""The parts of a report that speak of all results together: limitations, methods by topic, provenance, recipe."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

from apastats.plots.style import metric_words
from apastats.reporting.answer import METRICS, data_of, results_of
from apastats.reporting.blocks import Block, Code, Listing, Paragraph, Section, TableBlock, Texts
from apastats.reporting.citations import of_metrics
from apastats.reporting.how_made import REFERENCES, cautions
from apastats.reporting.kinds import TOPICS, keys_of, kind_of, title_of, topic_of
from apastats.reporting.markup import cite, code, name, plain, sym, to_latex, to_markdown
from apastats.reporting.methods import (
    Told,
    again,
    chose_layers,
    generic,
    layers,
    said_by_key,
    without_repeats,
)  # fmt: skip
from apastats.reporting.phrases import counted, held_sentence, joined
from apastats.reporting.works import WORKS
from apastats.results import package_versions
from apastats.words import CHOSEN_LAYERS

__all__ = ["limitations", "methods_section", "origin", "provenance_rows", "recipe", "unique"]


def unique(values: Sequence[str]) -> list[str]:
    """Without repeats and empties, order kept."""
    return [v for v in dict.fromkeys(values) if v]


def origin(items: Sequence[Any], command: str | None) -> Listing:
    """Data, seed, software, hash and command."""
    results = results_of(items)
    told = [f"Data: {data_words(items)}"] if data_words(items) else []
    seeds = unique([r.provenance.seed for r in results])
    told.append(
        f"Seed: {code(', '.join(seeds))}" if seeds else "Seed: no random numbers were drawn"
    )
    packages, python = _software(items)
    versions = ", ".join(f"{k} {v}" for k, v in list(packages.items())[:4])
    told.append(f"Software: {versions}, Python {python}")
    hashes = unique([r.provenance.data_hash for r in results])
    if hashes:
        more = f" and {len(hashes) - 3} more" if len(hashes) > 3 else ""
        told.append(f"Hash of the data: {code(', '.join(hashes[:3]))}{more}")
    if command:
        told.append(f"Command: {code(command)}")
    return Listing(tuple(f"{line}." for line in told))


def data_words(items: Sequence[Any], *, measures: bool = True) -> str:
    """``n = 10 subjects, 8 models, 19 ROIs, representational similarity``."""
    data = data_of(items)
    if not data:
        n = unique([str(r.info.n_subject) for r in results_of(items) if r.info.n_subject])
        return f"{sym('n')} = {joined(n, 'or')} subjects" if n else ""
    words = [counted(data["subject"], "subject")]
    words += [counted(data["model"], data["noun"])] if data["model"] else []
    words.append(counted(len(data["rois"]), "ROI"))
    words += [name(w) for w in _measures(data)] if measures else []
    return f"{sym('n')} = {', '.join(words)}"


def _measures(data: Mapping[str, Any]) -> list[str]:
    """Measures of the scores in words."""
    return [w for m in data["metrics"] if (w := METRICS.get(m, metric_words(m)))]


def limitations(items: Sequence[Any]) -> list[Block]:
    """What may not be concluded, each thing once."""
    results = results_of(items)
    # claims hold fixed what the results they rest on do
    fixed = [h for r in results if r.kind != "claims" for h in r.info.held_fixed]
    if not chose_layers(items):
        fixed = [h for h in fixed if h != CHOSEN_LAYERS]
    held = held_sentence(fixed)
    # what results are conditional on is told once for all of them
    own = [c for r in results for c in cautions(r) if c and c != held_sentence(r.info.held_fixed)]
    lines = list({plain(c): c for c in own}.values())
    judged = any(r.info.margin for r in results)
    general = [
        "The number of models inside a margin depends on which models were tried."
        if judged
        else "",
        "Subjects are a sample: claims are about the population they stand for, not about these subjects alone.",
    ]
    return [Listing(tuple(filter(None, [held, *lines, *general])))]


def recipe(study_text: str | None, command: str | None, provenance: TableBlock) -> list[Block]:
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
    """One row per table of scores that verbs made, and per result."""
    rows: list[Mapping[str, str]] = [
        {
            "result": f"table of {item.quantity}",
            "call": "; then ".join(item.facts.calls),
            "data_hash": item.hash,
            "seed": "",
            "versions": "",
            "python": "",
            "created": "",
        }
        for item in items
        if hasattr(item, "facts") and item.facts.calls
    ]
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


# topic of results -> heading of its methods
METHODS = {"design": "", **TOPICS} | {"design": "Data and choice of layers", "software": "Software"}


def methods_section(items: Sequence[Any], slug: Any) -> Section:
    """Methods, a paragraph per topic, and the same to copy as text, Markdown and LaTeX.

    ``slug`` makes identifiers.
    """
    told: dict[str, Told] = {topic: [] for topic in METHODS}
    first = _data_line(items)
    told["design"] += [("", first)] if first else []
    # a measure is cited where it is named, not at each of its tests
    of_data = _measure_works(items) if first else []
    earlier: dict[str, Told] = {}
    for item in items:
        if hasattr(item, "info"):
            told[topic_of(item)] += _told_once(item, earlier, of_data)
        else:
            told["design"] += [("", text) for text in layers(item)]
            told["patterns"] += [("", text) for text in _agreement_table(item)]
    told["software"].append(("", _software_line(items)))
    parts = {METHODS[topic]: " ".join(without_repeats(lines)) for topic, lines in told.items()}
    parts = {heading: text for heading, text in parts.items() if text}
    texts = {
        "text": "\n\n".join(f"{h}. {plain(t, _cited)}" for h, t in parts.items()),
        "md": "\n\n".join(f"**{h}.** {to_markdown(t, _cited)}" for h, t in parts.items()),
        "tex": "\n\n".join(
            rf"\paragraph{{{h}.}} {to_latex(t, _cited_in_latex)}" for h, t in parts.items()
        ),
    }
    copy = Texts(slug("methods-text"), "the methods", texts)
    children = [
        Section(slug(f"methods-{h}"), f"{h}: methods", (Paragraph(t),)) for h, t in parts.items()
    ]
    return Section(slug("methods"), "Methods", (copy,), tuple(children))


def _told_once(result: Any, earlier: dict[str, Told], cited: Sequence[str] = ()) -> Told:
    """Methods of a result; of a second one of its kind what differs from the first. ``earlier`` is by kind.

    ``cited``: works that the data were cited with.
    """
    make, title = kind_of(result).methods, title_of(result)
    keys = [k for k in keys_of(result) if k not in cited]
    if make is not generic:
        return [("", text) for text in make(result, title, keys)]
    words = said_by_key(result, title, keys)
    found = again(words, earlier.get(result.kind, []))
    earlier.setdefault(result.kind, words)
    return found


def _cited(keys: str) -> str:
    return f"({'; '.join(WORKS[k].short() for k in keys.split(';'))})"


def _cited_in_latex(keys: str) -> str:
    return rf"\cite{{{keys.replace(';', ',')}}}"


def _data_line(items: Sequence[Any]) -> str:
    works = _measure_works(items)
    data = data_words(items, measures=_of_rdms(items) or not works)
    if not data:
        return ""
    told = f"Alignment scores were analysed ({data})."
    if _of_rdms(items):
        return (
            f"{told} They compare representational dissimilarity matrices (RDMs) of models and brain"
            f"{' ' + cite(*works) if works else ''}."
        )
    if not works:
        return told
    named = [
        f"{name(METRICS.get(m, metric_words(m)))}{f' {cite(*own)}' if (own := of_metrics([m])) else ''}"
        for m in data_of(items)["metrics"]
    ]
    return f"{told} The measure{'s were' if len(named) > 1 else ' was'} {joined(named)}."


def _measure_works(items: Sequence[Any]) -> list[str]:
    """Works that define the measures of the data, and RDMs where they are compared."""
    works = of_metrics(data_of(items).get("metrics", ()))
    if _of_rdms(items):
        used = {k for i in items for k in keys_of(i)}
        works += [k for k in ("kriegeskorte2008", "nili2014") if k in used and k not in works]
    return works


def _of_rdms(items: Sequence[Any]) -> bool:
    """Whether the scores are known to compare RDMs: by their measure, or by a result that needs RDMs."""
    measures = {m.lower() for m in data_of(items).get("metrics", ())}
    return "rsa" in measures or any(
        r.kind == "rdm_evaluation" or r.info.get("ceiling_kind") == "nili"
        for r in results_of(items)
    )


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


def _agreement_table(table: Any) -> list[str]:
    if table.quantity != "agreement":
        return []
    tested = (
        "tests use each person's jackknife share in the mean Fisher transform, as subjects share references and "
        "predictors"
        if "z_person" in table.outcomes
        else "tests use its Fisher transform"
    )
    told = REFERENCES.get(table.facts.reference, "")
    against = f" Patterns were compared with {told}." if told else ""
    return [
        "Pattern agreement is the similarity of a predictor's scores over all ROIs with the pattern of the brain; "
        f"{tested} {cite('hoefling2026')}.{against}"
    ]
