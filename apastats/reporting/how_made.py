"""How a result was made, in sentences: method, margin, adjustment, intervals, and what may not be concluded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from apastats.comparing.decisions import NOT_CONCLUDED
from apastats.reporting.markup import name, sym
from apastats.reporting.openings import opening, shown_formula
from apastats.reporting.phrases import (
    adjusted_sentence,
    capital,
    held_sentence,
    resampling_sentence,
    sentence,
    settings_sentences,
)
from apastats.words import Info

__all__ = [
    "SIDES",
    "cautions",
    "head_sentences",
    "margin_sentence",
    "method_words",
    "reference_sentence",
    "tested_sentences",
]

SIDES = {
    "greater": "Tests and intervals were one-sided: a difference counts only above 0.",
    "less": "Tests and intervals were one-sided: a difference counts only below 0.",
}


# reference pattern -> what it is
REFERENCES = {
    "leave_one_out": "the mean pattern of the other subjects",
    "matched": "patterns of the brain made as those of the models are, from the same other subjects",
    "released": "patterns of the brain of the same subject",
}


def tested_sentences(result: Any) -> list[str]:
    """Test, n, margin and its origin, adjustment, level, what was resampled."""
    info = result.info
    n = info.n_subject
    sample = f" ({sym('n')} = {n})" if n else ""
    out = [f"Comparisons used {method_words(info) or 'equivalence tests'}{sample}."]
    if info.margin:
        out.append(margin_sentence(info))
    out += _null(info)
    if info.adjust:
        out.append(adjusted_sentence(info))
    out += interval_sentences(info)
    if info.alpha is not None:
        out.append(f"The significance level was {info.alpha:g}.")
    return out + made_sentences(info)


def method_words(info: Info) -> str:
    """The method with its article: ``the paired t test``, but ``Nemenyi's comparison``."""
    return " ".join(filter(None, [info.article, name(info.method)]))


def _null(info: Info) -> list[str]:
    """Value of the ordinary test where it is not the usual one, and that the margin does not move with it."""
    usual = 0.5 if info.estimand == "probability" else 0.0
    if info.null_value is None or info.null_value == usual:
        return []
    text = f"The ordinary test is of a {info.estimand} of {info.null_value:g}"
    if usual:
        return [f"{text}."]
    return [f"{text}; the bounds of the margin are measured from 0, not from {info.null_value:g}."]


def sided_sentences(info: Info) -> list[str]:
    return [SIDES[info.alternative]] if info.alternative in SIDES else []


def interval_sentences(info: Info) -> list[str]:
    """Which intervals are shown, where a reader could take them for others."""
    if info.jointly:
        text = f"Intervals are joint ({info.joint}): they hold for all contrasts of the family together"
        if info.joint == "Bonferroni" and info.adjust != "bonferroni":
            text += ", and a decision by adjusted p-values can go further than they do"
        return [f"{text}."]
    if info.adjust in ("bh", "by"):
        return ["Intervals are of single contrasts and not adjusted; decisions are."]
    return []


def made_sentences(info: Info) -> list[str]:
    """Settings of the method, and what was drawn and held."""
    out = settings_sentences(info)
    if info.reference and not info.comparison:
        out.append(reference_sentence(info))
    if info.n_resamples and not (info.resampled and info.resampled.number):
        number = f"{info.n_resamples:,}"
        out.append(
            f"All {number} resamples were enumerated."
            if info.exact
            else f"{number} resamples were drawn."
        )
    return [*out, *filter(None, [resampling_sentence(info)])]


def head_sentences(result: Any) -> list[str]:
    """Method, n, margin, null, adjustment and settings of results whose rows say no more than their numbers."""
    info = result.info
    n = f" ({sym('n')} = {info.n_subject})" if info.n_subject else ""
    made = opening(result) or capital(name(info.method))
    out = [f"{made}{n}."] if made else []
    if info.resampled is not None and info.resampled.random:
        out.append(f"The model was {name(shown_formula(info))}.")
    out += [margin_sentence(info)] if info.margin else []
    if info.null and (info.null_value or info.alternative in SIDES):
        out.append(f"Null hypothesis: {info.null}.")
    elif info.null_value:
        out.append(f"Effects are those beyond {info.null_value:g}.")
    if info.alternative in SIDES and not info.null:
        out.append(f"Intervals are one-sided ({info.alternative}).")
    elif info.alternative in SIDES:
        out.append(f"The test is one-sided ({info.alternative}).")
    out += [adjusted_sentence(info)] if info.adjust else []
    out += [f"The significance level was {info.alpha:g}."] if info.alpha else []
    return out + made_sentences(info)


def reference_sentence(info: Info) -> str:
    """What patterns were compared with."""
    of = str(info.reference)
    if of in REFERENCES:
        return f"The reference was {REFERENCES[of]} ({of.replace('_', '-')})."
    return f"The reference was {name(of.replace('_', ' '))}."


def margin_sentence(info: Info) -> str:
    """The margin and its origin."""
    told = [m.in_units_of(info.outcome) for m in (info.margin.each if info.margin else ())]
    if len(told) == 1 and not told[0].of:
        return f"The margin was {name(str(told[0]))}."
    return " ".join(f"The margin for {m.of} was {name(str(replace(m, of='')))}." for m in told)


def cautions(result: Any) -> list[str]:
    """What may not be concluded from a result."""
    info, kind = result.info, result.kind
    out = []
    if info.not_concluded:
        out.append(name(sentence(str(info.not_concluded))))
    elif "decision" in result.table.columns:
        # the words of the equivalence tests, so that a report says them once
        out.append(name(NOT_CONCLUDED))
    if "margin" not in info and kind == "bootstrap":
        out.append(
            "Overlapping intervals are not a test: whether models differ or are equivalent is told by the paired "
            "comparisons."
        )
    out += filter(None, [held_sentence(info.held_fixed)])
    return out
