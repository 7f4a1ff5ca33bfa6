"""Methods paragraph: one sentence per method that was really run, cited where it is named."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from typing import Any

from apastats.reporting.blocks import Paragraph
from apastats.reporting.citations import keys_of
from apastats.reporting.markup import cite, name, sym
from apastats.reporting.prose import join, margin_sentence
from apastats.reporting.summary import (
    ceiling_words,
    data_words,
    outcome_of,
    results_of,
    unique,
)
from apastats.results import package_versions

__all__ = ["methods_paragraph"]

ADJUSTMENTS = {
    "holm": "Holm's step-down procedure",
    "bonferroni": "Bonferroni's correction",
    "sidak": "Sidak's correction",
    "holm-sidak": "the Holm-Sidak procedure",
    "hochberg": "Hochberg's step-up procedure",
    "hommel": "Hommel's procedure",
    "bh": "the procedure of Benjamini and Hochberg (false discovery rate)",
    "by": "the procedure of Benjamini and Yekutieli (false discovery rate under any dependence)",
    "max-t": "the single-step maximum-t procedure",
    "max-T": "the single-step maximum-t procedure",
    "max-t-step-down": "the step-down maximum-t procedure",
    "tukey": "Tukey's method for all pairs",
    "closed": "closed testing",
    "hierarchical": "hierarchical testing",
}
OF_ADJUSTMENT = {
    "holm1979", "dunn1961", "sidak1967", "hochberg1988", "hommel1988", "benjamini1995", "benjamini2001",
    "romano2005", "westfall1993", "marcus1976",
}  # fmt: skip


def methods_paragraph(items: Sequence[Any]) -> Paragraph:
    """The paragraph, from results and score tables in the order they were computed."""
    lines = [_data_line(items)]
    for item in items:
        lines += _sentences(item)
    lines.append(_software_line(items))
    return Paragraph(" ".join(unique(lines)))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _data_line(items: Sequence[Any]) -> str:
    data = data_words(items)
    if not data:
        return ""
    # scores of representational similarity rest on the work that introduced them
    keys = unique(
        [k for i in items if not hasattr(i, "info") for k in keys_of(i) if k == "kriegeskorte2008"]
    )
    return f"Alignment scores were analysed ({data}){' ' + cite(*keys) if keys else ''}."


def _software_line(items: Sequence[Any]) -> str:
    found = results_of(items)
    versions = dict(found[0].provenance.versions) if found else package_versions()
    python = found[0].provenance.python if found else platform.python_version()
    words = []
    for package, version in versions.items():
        key = {"apastats": "apastats", "numpy": "harris2020", "scipy": "virtanen2020"}.get(package)
        words.append(f"{package} {version}" + (f" {cite(key)}" if key else ""))
    return f"Analyses were run under Python {python} with {join(words)}."


def _sentences(item: Any) -> list[str]:
    if not hasattr(item, "info"):
        return _agreement_table(item)
    return MAKERS.get(item.kind, _generic)(item)


def _agreement_table(table: Any) -> list[str]:
    if "agreement" not in table.outcomes:
        return []
    return [
        "Pattern agreement is the similarity of a predictor's scores over all ROIs with the pattern of the brain; "
        f"tests use its Fisher transform {cite('hoefling2026')}."
    ]


def _level(info: Any) -> str:
    return (
        f"{100 * float(info['conf_level']):g}\u00a0% " if info.get("conf_level") is not None else ""
    )


def _held(info: Any) -> str:
    held = info.get("held_fixed")
    return f" Held fixed: {name(held)}." if held else ""


def _ceiling(result: Any) -> list[str]:
    info = result.info
    meaning = str(info["method"]).split(": ", 1)[-1]
    label = ceiling_words(info.get("ceiling_kind", ""))
    interval = str(info.get("interval", "t")).removesuffix(" over subjects")
    keys = keys_of(result)
    return [
        f"{label} are means over subjects with {_level(info)}{name(interval)} intervals: {name(meaning)}"
        f"{' ' + cite(*keys) if keys else ''}."
    ]


def _bootstrap(result: Any) -> list[str]:
    info, what = result.info, outcome_of(result) or "the outcome"
    return [
        f"Means of {what} have {_level(info)}{name(info['interval'])} intervals from the {name(info['method'])}; "
        f"resampled: {name(info['resampled'])} {cite(*keys_of(result))}.{_held(info)}"
    ]


def _equivalence(result: Any) -> list[str]:
    info, what = result.info, outcome_of(result) or "the outcome"
    keys = keys_of(result)
    test = cite(*(k for k in keys if k not in OF_ADJUSTMENT))
    n = f" ({sym('n')} = {info['n_subject']})" if "n_subject" in info else ""
    out = [
        f"Differences in {what} were tested by {name(info.get('method', 'equivalence tests'))}{n} {test}."
    ]
    if "margin" in info:
        out.append(margin_sentence(info))
    if "comparison" in info:
        out.append(f"Compared were {name(info['comparison'])}.")
    out += _adjusted(info, keys)
    if "rule" in info:
        out.append(f"Rule of decision: {name(info['rule'])}.")
    return [" ".join(out) + _held(info)]


def _adjusted(info: Any, keys: list[str]) -> list[str]:
    method = str(info.get("adjust_method", info.get("adjust", ""))).split(",")[0]
    if not method:
        return []
    level = (
        f"; decisions were taken at the level {float(info['alpha']):g}" if "alpha" in info else ""
    )
    if method == "none":
        return [f"P-values were not adjusted for multiplicity{level}."]
    size = f" over {info['family_size']} comparisons" if "family_size" in info else ""
    cited = cite(*(k for k in keys if k in OF_ADJUSTMENT))
    text = ADJUSTMENTS.get(method, method)
    return [f"P-values were adjusted by {name(text)}{size}{' ' + cited if cited else ''}{level}."]


def _patterns(result: Any) -> list[str]:
    info = result.info
    details = [
        f"{k.replace('_', ' ')}: {name(info[k])}"
        for k in ("profile", "self_entry", "scale")
        if k in info
    ]
    return [
        "An alignment pattern is the vector of one predictor's scores over all ROIs of a subject "
        f"({'; '.join(details)}) {cite(*keys_of(result))}."
    ]


def _silent(result: Any) -> list[str]:
    return []


def _generic(result: Any) -> list[str]:
    """What any result says about itself."""
    info, keys = result.info, keys_of(result)
    if "method" not in info:
        return []
    extra = []
    for key, label in (
        ("null", "null"), ("margin", "margin"), ("alternative", "alternative"), ("interval", "interval"),
        ("resampled", "resampled"), ("held_fixed", "held fixed"),
    ):  # fmt: skip
        if info.get(key):
            extra.append(f"{label}: {name(info[key])}")
    tail = f" ({'; '.join(extra)})" if extra else ""
    test = cite(*(k for k in keys if k not in OF_ADJUSTMENT))
    words = [
        f"{_capital(str(result.kind).replace('_', ' '))}: {name(info['method'])}{tail}{' ' + test if test else ''}."
    ]
    if "adjust" in info or "adjust_method" in info:
        words += _adjusted(info, keys)
    return [" ".join(words)]


MAKERS: dict[str, Callable[[Any], list[str]]] = {
    "design": _silent,
    "noise_ceiling": _ceiling,
    "bootstrap": _bootstrap,
    "equivalence": _equivalence,
    "alignment_patterns": _patterns,
}
