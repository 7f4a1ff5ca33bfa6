"""Sentences of the methods paragraph: one per method that was really run, cited where it is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from apastats.reporting.how_made import margin_sentence
from apastats.reporting.markup import cite, name, sym
from apastats.reporting.phrases import adjusted_sentence, ceiling_words, outcome_of, outcome_words

__all__ = ["Maker", "ceiling", "equivalence", "generic", "means", "patterns", "silent"]

# result, title, keys of its works -> sentences
Maker: TypeAlias = Callable[[Any, str, list[str]], list[str]]
OF_ADJUSTMENT = {
    "holm1979", "dunn1961", "sidak1967", "hochberg1988", "hommel1988", "benjamini1995", "benjamini2001",
    "romano2005", "westfall1993", "marcus1976",
}  # fmt: skip


def _level(info: Any) -> str:
    return f"{100 * float(info.conf_level):g}\u00a0% " if info.conf_level is not None else ""


def ceiling(result: Any, title: str, keys: list[str]) -> list[str]:
    """What a ceiling is, and its intervals."""
    info = result.info
    meaning = info.get("meaning", info.method)
    label = ceiling_words(info.get("ceiling_kind", ""))
    shared = info.get("shared")
    return [
        f"{label} are means over subjects with {_level(info)}{name(info.interval)} intervals: {name(meaning)}"
        f"{' ' + cite(*keys) if keys else ''}.{f' Subjects share {name(shared)}.' if shared else ''}"
    ]


def _what(result: Any) -> str:
    return outcome_words(result) if outcome_of(result) else "the outcome"


def means(result: Any, title: str, keys: list[str]) -> list[str]:
    """Means and how their intervals were made."""
    info, what = result.info, _what(result)
    return [
        f"Means of {what} have {_level(info)}{name(info.interval)} intervals from the {name(info.method)}; "
        f"resampled: {name(info.resampled)} {cite(*keys)}."
    ]


def equivalence(result: Any, title: str, keys: list[str]) -> list[str]:
    """The test, its margin, contrasts, adjustment and rule."""
    info, what = result.info, _what(result)
    test = cite(*(k for k in keys if k not in OF_ADJUSTMENT))
    n = f" ({sym('n')} = {info.n_subject})" if info.n_subject else ""
    out = [
        f"Differences in {what} were tested by the {name(info.method or 'equivalence tests')}{n} {test}."
    ]
    if info.margin:
        out.append(margin_sentence(info))
    if info.comparison:
        out.append(f"Contrasts: {name(info.comparison)}.")
    out += _adjusted(info, keys)
    if info.rule:
        out.append(f"Rule of decision: {name(info.rule)}.")
    return [" ".join(out)]


def _adjusted(info: Any, keys: list[str]) -> list[str]:
    cited = cite(*(k for k in keys if k in OF_ADJUSTMENT))
    sentence = adjusted_sentence(info, f" {cited}" if cited else "")
    if sentence and "alpha" in info:
        return [sentence, f"Decisions were taken at the level {float(info.alpha):g}."]
    return [sentence] if sentence else []


def patterns(result: Any, title: str, keys: list[str]) -> list[str]:
    """What an alignment pattern is."""
    info = result.info
    details = [
        f"{k.replace('_', ' ')}: {name(info[k])}"
        for k in ("profile", "self_entry", "scale")
        if k in info
    ]
    return [
        "An alignment pattern is the vector of one predictor's scores over all ROIs of a subject "
        f"({'; '.join(details)}) {cite(*keys)}."
    ]


def silent(result: Any, title: str, keys: list[str]) -> list[str]:
    """Nothing: no method was run."""
    return []


def _titled(result: Any, title: str) -> str:
    """Method after its title, unless it says that itself."""
    method = result.info.method
    if method.lower().startswith(title.lower()):
        return name(method[:1].upper() + method[1:])
    return f"{title}: {name(method)}"


def generic(result: Any, title: str, keys: list[str]) -> list[str]:
    """What any result says about itself."""
    info = result.info
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
    words = [f"{_titled(result, title)}{tail}{' ' + test if test else ''}."]
    if info.adjust:
        words += _adjusted(info, keys)
    return [" ".join(words)]
