"""Margins of a report: each one with its outcome, and with where it was used if an outcome has several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apastats.reporting.kinds import title_of
from apastats.reporting.markup import name
from apastats.reporting.phrases import joined, outcome_of

__all__ = ["differing", "margins_of"]

# where an outcome has another margin than elsewhere
PLACES = {
    "brain_test": "in the brain test",
    "strict_alignment": "in the strict alignment",
    "equivalence_set": "in the sets",
    "emmeans_contrasts": "in the mixed model",
}


def _of(result: Any) -> list[tuple[str, str]]:
    """Outcomes of a result with their margins, in words."""
    info = result.info
    own = outcome_of(result) if info.outcome is not None else "effects"
    each = info.margin.each if info.margin else ()
    return [(m.of or own, m.in_units_of(info.outcome).short()) for m in each]


def _used(items: Sequence[Any]) -> dict[str, dict[str, list[Any]]]:
    """Outcome -> margin -> results that use it."""
    used: dict[str, dict[str, list[Any]]] = {}
    for result in items:
        if hasattr(result, "table") and hasattr(result, "info"):
            for what, shown in _of(result):
                used.setdefault(what, {}).setdefault(shown, []).append(result)
    return used


def differing(items: Sequence[Any]) -> dict[int, str]:
    """By identity of a result: its margins in words, where another result has another one for the same outcome."""
    several = {what for what, of in _used(items).items() if len(of) > 1}
    out = {}
    for result in items:
        if not (hasattr(result, "table") and hasattr(result, "info")):
            continue
        own = _of(result)
        told = [f"{m} for {w}" if len(own) > 1 else m for w, m in own if w in several]
        if told:
            out[id(result)] = joined(told)
    return out


def margins_of(items: Sequence[Any], headings: Mapping[int, str] | None = None) -> str:
    """Every margin once, with what it was for where there are several.

    ``headings``: those that results were given, by their identity.
    """
    given = headings or {}
    shown: dict[str, list[str]] = {}  # margin -> what it is for
    used = _used(items)
    for what, of in used.items():
        for margin, results in of.items():
            where = (
                ""
                if len(of) == 1
                else _where(results, [r for m in of if m != margin for r in of[m]], given)
            )
            shown.setdefault(margin, []).append(f"{what}{where}")
    if not shown:
        return "No margin was stated, so nothing is claimed to be equivalent."
    if len(shown) == 1:
        return f"Margin: {name(next(iter(shown)))}."
    return f"Margins: {'; '.join(f'{name(m)} for {joined(whats)}' for m, whats in shown.items())}."


def _where(results: Sequence[Any], others: Sequence[Any], given: Mapping[int, str]) -> str:
    """Where a margin was used, told apart from those of the same outcome elsewhere."""
    kinds = {r.kind for r in results}
    if kinds.isdisjoint(r.kind for r in others):
        places = [PLACES[k] for k in dict.fromkeys(r.kind for r in results) if k in PLACES]
        return f" {joined(places)}" if places and len(places) == len(kinds) else ""
    titles = dict.fromkeys(given.get(id(r)) or title_of(r) for r in results)
    rest = {given.get(id(r)) or title_of(r) for r in others}
    if rest.isdisjoint(titles):
        return " in " + joined(["\u201c" + name(t) + "\u201d" for t in titles])
    return ""  # their headings say the margin
