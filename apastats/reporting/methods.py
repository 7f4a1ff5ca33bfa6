"""Methods paragraph: one sentence per method that was really run, cited where it is named."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from typing import Any

from apastats.reporting.blocks import Paragraph
from apastats.reporting.markup import cite, name, sym
from apastats.reporting.prose import join, margin_sentence
from apastats.reporting.references import keys_of
from apastats.reporting.summary import (
    ceiling_words,
    data_words,
    results_of,
    unique,
)
from apastats.reporting.words import adjusted_sentence, outcome_of, outcome_words, title_of
from apastats.results import package_versions

__all__ = ["methods_paragraph"]

OF_ADJUSTMENT = {
    "holm1979", "dunn1961", "sidak1967", "hochberg1988", "hommel1988", "benjamini1995", "benjamini2001",
    "romano2005", "westfall1993", "marcus1976",
}  # fmt: skip


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


def _level(info: Any) -> str:
    return (
        f"{100 * float(info['conf_level']):g}\u00a0% " if info.get("conf_level") is not None else ""
    )


def _small(title: str) -> str:
    return title[:1].lower() + title[1:]


def _held_line(items: Sequence[Any]) -> str:
    """What was held fixed, once for all results that held the same."""
    held: dict[str, list[str]] = {}
    for r in results_of(items):
        if r.info.get("held_fixed"):
            held.setdefault(str(r.info["held_fixed"]), []).append(_small(title_of(r)))
    if not held:
        return ""
    if len(held) == 1:
        return f"Held fixed throughout: {name(next(iter(held)))}."
    return f"Held fixed: {'; '.join(f'{name(k)} ({join(unique(v))})' for k, v in held.items())}."


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


def _what(result: Any) -> str:
    return outcome_words(result) if outcome_of(result) else "the outcome"


def _bootstrap(result: Any) -> list[str]:
    info, what = result.info, _what(result)
    return [
        f"Means of {what} have {_level(info)}{name(info['interval'])} intervals from the {name(info['method'])}; "
        f"resampled: {name(info['resampled'])} {cite(*keys_of(result))}."
    ]


def _equivalence(result: Any) -> list[str]:
    info, what = result.info, _what(result)
    keys = keys_of(result)
    test = cite(*(k for k in keys if k not in OF_ADJUSTMENT))
    n = f" ({sym('n')} = {info['n_subject']})" if "n_subject" in info else ""
    out = [
        f"Differences in {what} were tested by the {name(info.get('method', 'equivalence tests'))}{n} {test}."
    ]
    if "margin" in info:
        out.append(margin_sentence(info))
    if "comparison" in info:
        out.append(f"Contrasts: {name(info['comparison'])}.")
    out += _adjusted(info, keys)
    if "rule" in info:
        out.append(f"Rule of decision: {name(info['rule'])}.")
    return [" ".join(out)]


def _adjusted(info: Any, keys: list[str]) -> list[str]:
    cited = cite(*(k for k in keys if k in OF_ADJUSTMENT))
    sentence = adjusted_sentence(info, f" {cited}" if cited else "")
    if sentence and "alpha" in info:
        return [sentence, f"Decisions were taken at the level {float(info['alpha']):g}."]
    return [sentence] if sentence else []


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


def _titled(result: Any) -> str:
    """Method after its title, unless it says that itself."""
    title, method = title_of(result), str(result.info["method"])
    if method.lower().startswith(title.lower()):
        return name(method[:1].upper() + method[1:])
    return f"{title}: {name(method)}"


def _generic(result: Any) -> list[str]:
    """What any result says about itself."""
    info, keys = result.info, keys_of(result)
    if "method" not in info:
        return []
    extra = []
    for key, label in (
        ("null", "null"), ("margin", "margin"), ("alternative", "alternative"), ("interval", "interval"),
        ("resampled", "resampled"),
    ):  # fmt: skip
        if info.get(key):
            extra.append(f"{label}: {name(info[key])}")
    tail = f" ({'; '.join(extra)})" if extra else ""
    test = cite(*(k for k in keys if k not in OF_ADJUSTMENT))
    words = [f"{_titled(result)}{tail}{' ' + test if test else ''}."]
    if info.adjust:
        words += _adjusted(info, keys)
    return [" ".join(words)]


MAKERS: dict[str, Callable[[Any], list[str]]] = {
    "design": _silent,
    "noise_ceiling": _ceiling,
    "bootstrap": _bootstrap,
    "equivalence": _equivalence,
    "alignment_patterns": _patterns,
}
