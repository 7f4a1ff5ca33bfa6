"""Phrases that sentences and headings share: outcomes, ceilings, adjustments, counts."""

from __future__ import annotations

from typing import Any

from apastats.reporting.markup import name
from apastats.words import Info

__all__ = [
    "ADJUSTMENTS", "adjusted", "adjusted_sentence", "ceiling_words", "counted", "outcome_of", "outcome_words",
]  # fmt: skip

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
    "max-t-step-down": "the step-down maximum-t procedure",
    "tukey": "Tukey's method for all pairs",
    "closed": "closed testing",
    "hierarchical": "hierarchical testing from cells down",
    "dunnettx": "Dunnett's approximation for comparisons with a control",
    "mvt": "the multivariate t distribution of the contrasts",
    "scheffe": "Scheff\u00e9's method for all contrasts",
    "nemenyi": "Nemenyi's method for all pairs",
}


def outcome_of(result: Any) -> str:
    """What the outcome of a result is: ``score``, ``agreement``, or the name it was given."""
    return "" if result.info.outcome is None else str(result.info.outcome.quantity)


def outcome_words(result: Any) -> str:
    """The outcome with its scale: a mean Fisher z must not be read as a correlation."""
    return "outcome" if result.info.outcome is None else str(result.info.outcome)


def ceiling_words(kind: object) -> str:
    """``Leave-one-out noise ceilings``."""
    text = str(kind).replace("_", "-")
    text = {"nili": "Nili"}.get(text, text)
    return f"{text[:1].upper()}{text[1:]} noise ceilings" if text else "Noise ceilings"


def counted(count: int, noun: str) -> str:
    """``1 problem``, ``2 problems``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def adjusted(info: Info) -> bool:
    """Whether p-values were adjusted."""
    return info.adjust not in ("", "none")


def adjusted_sentence(info: Info, cited: str = "") -> str:
    """How p-values were adjusted, over how many tests; nothing where a result does not say."""
    if not info.adjust:
        return ""
    if not adjusted(info):
        return "P-values were not adjusted for multiplicity."
    over = f" over {name(info.family)}" if info.family else ""
    return f"P-values were adjusted by {ADJUSTMENTS[info.adjust]}{over}{cited}."
