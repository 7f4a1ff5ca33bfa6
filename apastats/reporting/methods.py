"""Sentences of the methods paragraph: one per method that was really run, cited where it is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from apastats.reporting.how_made import (
    SIDES,
    interval_sentences,
    margin_sentence,
    reference_sentence,
)
from apastats.reporting.markup import cite, name, sym
from apastats.reporting.openings import interval_words, opening, with_formula
from apastats.reporting.phrases import (
    SETTINGS,
    SWITCHES,
    adjusted_sentence,
    ceiling_words,
    outcome_of,
    outcome_words,
    pattern_sentence,
    resampling_sentence,
    sentence,
    settings_by_key,
)

__all__ = [
    "Maker",
    "again",
    "ceiling",
    "chose_layers",
    "equivalence",
    "generic",
    "layers",
    "means",
    "patterns",
    "said_by_key",
    "said_of",
    "silent",
    "without_repeats",
]

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
        " ".join(
            [
                f"Means of {with_formula(what, info)} have {_level(info)}{name(info.interval)} intervals from the "
                f"{name(info.method)} {cite(*keys)}.",
                *filter(None, [resampling_sentence(info)]),
            ]
        )
    ]


def equivalence(result: Any, title: str, keys: list[str]) -> list[str]:
    """The test, its margin, contrasts, adjustment and rule."""
    info, what = result.info, _what(result)
    test = cite(*(k for k in keys if k not in OF_ADJUSTMENT))
    n = f" ({sym('n')} = {info.n_subject})" if info.n_subject else ""
    tested = name(info.method or "equivalence tests")
    out = [f"Differences in {with_formula(what, info)} were tested by the {tested}{n} {test}."]
    if info.comparison:
        out.append(sentence(name(info.comparison)))
    out += [margin_sentence(info)] if info.margin else []
    out += _adjusted(info, keys)
    if info.rule:
        out.append(sentence(name(info.rule)))
    out += interval_sentences(info)
    return [" ".join(out)]


def _adjusted(info: Any, keys: list[str]) -> list[str]:
    cited = cite(*(k for k in keys if k in OF_ADJUSTMENT))
    told = adjusted_sentence(info, f" {cited}" if cited else "")
    if told and "alpha" in info:
        return [told, f"The significance level was {float(info.alpha):g}."]
    return [told] if told else []


def patterns(result: Any, title: str, keys: list[str]) -> list[str]:
    """What an alignment pattern is."""
    return [f"{pattern_sentence(result.info)[:-1]} {cite(*keys)}."]


def silent(result: Any, title: str, keys: list[str]) -> list[str]:
    """Nothing: no method was run."""
    return []


def generic(result: Any, title: str, keys: list[str]) -> list[str]:
    """What any result says about itself, as one text."""
    words = said_of(result, title, keys)
    return [" ".join(words)] if words else []


def said_of(result: Any, title: str, keys: list[str]) -> list[str]:
    """Sentences on method, formula, null, reference, margin, family, rule and resampling of any result."""
    return [text for _, text in said_by_key(result, title, keys)]


# what need not be said again where the analysis before had the same
REPEATED = frozenset(
    {"alternative", "reference", "interval", "alpha", "resampled", *SETTINGS, *SWITCHES}
    - {"criteria", "against"}
)


def said_by_key(result: Any, title: str, keys: list[str]) -> list[tuple[str, str]]:
    """The same by what each sentence is about."""
    method = opening(result) or f"{title}: {name(result.info.method)}"
    info = result.info
    if "method" not in info:
        return []
    test = cite(*(k for k in keys if k not in OF_ADJUSTMENT))
    told = [("method", f"{with_formula(method, info)}{' ' + test if test else ''}.")]
    told += [("null", f"The null hypothesis was that {name(info.null)}.")] if info.null else []
    told += [("margin", margin_sentence(info))] if info.margin else []
    told += [("alternative", SIDES[info.alternative])] if info.alternative in SIDES else []
    if info.reference and not info.comparison:
        told.append(("reference", reference_sentence(info)))
    elif info.comparison:
        told.append(("comparison", sentence(name(info.comparison))))
    told += [("interval", interval_words(info.interval))] if info.interval else []
    told += settings_by_key(info)
    if info.adjust:
        told += list(zip(("adjust", "alpha"), _adjusted(info, keys), strict=False))
    elif info.family:
        told.append(("family", f"The error rate is that of {name(info.family)}."))
    told += [("rule", sentence(name(info.rule)))] if info.rule else []
    promise = str(info.get("promise", ""))
    told += [("promise", sentence(name(promise)))] if promise else []
    resampled = resampling_sentence(info)
    return [*told, ("resampled", resampled)] if resampled else told


Told: TypeAlias = list[tuple[str, str]]


def again(words: Told, before: Told) -> Told:
    """Sentences of an analysis run before with other settings: those that differ, where the rest is the same."""
    if not before or len(before) != len(words) or before[0] != words[0]:
        return words
    other = [w for w, b in zip(words, before, strict=True) if w != b]
    if not other:
        return []
    first = f"A further analysis of this kind differed only in the following. {other[0][1]}"
    return [("", first), *(("", text) for _, text in other[1:])]


def without_repeats(told: Told) -> list[str]:
    """Sentences of the analyses of a topic, without settings that are as in the analysis before."""
    last: dict[str, str] = {}
    out, left = [], False
    for key, text in told:
        if (key in REPEATED and last.get(key) == text) or (not key and text in out):
            left |= bool(key)
            continue
        last[key] = text
        out.append(text)
    return (
        [*out, "Settings that are not repeated were those of the analysis before."] if left else out
    )


def chose_layers(items: Sequence[Any]) -> bool:
    """Whether a layer was chosen for any model, as far as the tables of scores say."""
    tables = [i for i in items if not hasattr(i, "info")]
    known = [t.facts.layers for t in tables]
    return not tables or any(k is not None and k.n_cell > 0 for k in known)


def layers(table: Any) -> list[str]:
    """How the layer of each model was chosen."""
    made = table.facts.layers
    if made is None:
        return []
    if made.n_cell:
        return [
            f"For each model, ROI and metric, the layer with the highest mean {name(made.outcome)} on "
            f"{name(made.basis)} was chosen ({made.n_cell} choices), and its scores on the {name(made.split)} data "
            "were analysed."
        ]
    of = f" Scores on the {name(made.split)} data were analysed." if made.split else ""
    return [f"Each model had one layer for each ROI and metric, so none was chosen.{of}"]
