"""Phrases that sentences and headings share: outcomes, ceilings, adjustments, counts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from apastats.printable import all_of as joined
from apastats.printable import counted
from apastats.reporting.markup import factor_words, name
from apastats.words import CHOSEN_LAYERS, Held, Info

__all__ = [
    "ADJUSTMENTS", "adjusted", "adjusted_sentence", "averaged_words",
    "capital", "ceiling_words", "compared_factor", "counted",
    "held_sentence", "joined", "mean_words", "named_terms", "noun_of", "number_word", "outcome_of", "outcome_words",
    "pattern_sentence", "resampling_sentence", "sentence", "quoted", "settings_by_key", "settings_sentences",
    "term_words",
]  # fmt: skip

_NAMES = re.compile(r"[A-Za-z_]\w*")
_SPREAD = re.compile(r"sd (.+) \| (\w+)")
MARKS = "".join(map(chr, range(0xE000, 0xE00A)))  # of inline text

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


def noun_of(result: Any) -> str:
    """What is compared: ``model``, or ``part`` of the variance that models explain."""
    outcome = result.info.outcome
    return "model" if outcome is None else str(outcome.levels)


def mean_words(result: Any) -> str:
    """``mean score``, or what else was estimated: ``noise ceiling``, ``score minus the lower noise ceiling``."""
    return (
        f"mean {outcome_words(result)}" if _of_outcome(result.info) else str(result.info.estimand)
    )


def averaged_words(result: Any) -> str:
    """What a mean is of: ``score``."""
    return outcome_words(result) if _of_outcome(result.info) else str(result.info.estimand)


def _of_outcome(info: Info) -> bool:
    return info.outcome is not None and info.estimand in ("", "mean", str(info.outcome))


def quoted(who: str) -> str:
    """A name of several words in quotation marks, so that it is not read as words of the sentence."""
    return f"\u201c{name(who)}\u201d" if " " in who else name(who)


def ceiling_words(kind: object, *, plural: bool = True) -> str:
    """``Leave-one-out noise ceilings``."""
    text = str(kind).replace("_", "-")
    text = {"nili": "Nili"}.get(text, text)
    noun = "noise ceilings" if plural else "noise ceiling"
    return f"{text[:1].upper()}{text[1:]} {noun}" if text else capital(noun)


def number_word(count: int) -> str:
    """Counts below ten in words."""
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return words[count] if 0 <= count < len(words) else f"{count:,}"


def capital(text: str) -> str:
    """With a capital; marks of inline text are passed over."""
    at = next((i for i, c in enumerate(text) if not "\ue000" <= c <= "\ue009"), 0)
    first = text[at:].split(" ", 1)[0]
    if "_" in first or any(c.isdigit() for c in first):
        return text  # a name stays as it is
    return text[:at] + text[at : at + 1].upper() + text[at + 1 :]


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    told = capital(str(text).strip())
    return told if told.rstrip(MARKS).endswith((".", "!", "?")) else f"{told}."


def resampling_sentence(info: Info) -> str:
    """What was drawn again; where nothing was, what the sample is, as far as a result says it."""
    drawn = info.resampled
    if drawn is None:
        return ""
    if drawn.studies:
        return sentence(f"resampling was by {drawn}")
    if drawn.what:
        return f"Resampling was over {name(str(drawn))}."
    if drawn.random:
        return f"Random effects were those of {joined([factor_words(f) for f in drawn.random])}."
    rest = "; ".join(filter(None, [drawn.sample, drawn.beside]))
    return sentence(name(rest)) if rest else ""


def held_sentence(held: Iterable[Held]) -> str:
    """What results are conditional on."""
    items = {h.told: h.others for h in held}
    if CHOSEN_LAYERS.told in items:
        items.pop("the layers", None)  # the same, said twice
    if not items:
        return ""
    text = f"Results are conditional on {joined([name(t) for t in items])}"
    others = list(dict.fromkeys(filter(None, items.values())))
    return f"{text}, and do not generalise to {joined(others)}." if others else f"{text}."


def compared_factor(formula: str) -> str:
    """What is compared: the right side of ``score ~ model | roi`` without its cells."""
    return formula.partition("~")[2].split("|")[0].strip()


def term_words(term: object, formula: str) -> str:
    """A coefficient by factor and level: ``modelmodel_01`` of ``z ~ model`` is ``model model_01``."""
    factors = sorted(set(_NAMES.findall(formula.partition("~")[2])), key=len, reverse=True)

    def part(text: str) -> str:
        if text == "(Intercept)":
            return "intercept"
        factor = next((f for f in factors if text.startswith(f) and text != f), "")
        level = text.removeprefix(factor)
        return f"{factor} {level}" if factor and not level.startswith(("_", "[")) else text

    spread = _SPREAD.fullmatch(str(term))
    if spread:  # of a group of a Bayesian model
        of = "" if spread[1] == "(Intercept)" else f" of {part(spread[1])}"
        return f"SD{of} over {spread[2]}"
    return " \u00d7 ".join(part(t) for t in str(term).split(":"))


def named_terms(result: Any) -> pd.DataFrame:
    """Table of a result with its coefficients by factor and level."""
    table: pd.DataFrame = result.table
    if "term" not in table.columns:
        return table
    of = dict(result.info.get("formulas", {}))
    fits = table["fit"] if "fit" in table.columns else [""] * len(table)
    formula = result.info.formula
    words = [term_words(t, of.get(f, formula)) for t, f in zip(table["term"], fits, strict=True)]
    return table.assign(term=words)


def pattern_sentence(info: Info) -> str:
    """What an alignment pattern is, with the choices made."""
    of = "scores of one predictor over all ROIs of a subject"
    if str(info.get("profile", "row")) == "column":
        of = "scores of all predictors on one ROI of a subject"
    text = f"An alignment pattern is the vector of {of}"
    if info.get("self_entry") == "out":
        text += "; the entry of an ROI with itself is left out"
    if str(info.get("scale", "raw")) not in ("raw", ""):
        text += f"; entries are scaled ({name(str(info['scale']).replace('_', ' '))})"
    return f"{text}."


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
    words = ADJUSTMENTS.get(info.adjust, info.adjust)
    return f"P-values were adjusted by {words}{over}{cited}."


# setting in ``Info.extra`` -> its sentence
SETTINGS = {
    "similarity": "Patterns were compared by {}.",
    "second": "The two matrices were compared by {}.",
    "brain": "Patterns of the brain come from {}.",
    "profile": "Profiles were those of a {}.",
    "self_entry": "The entry of an ROI with itself was {}.",
    "scale": "Entries were scaled by {}.",
    "least_reliability": "Agreements with a reliability below {} were not corrected.",
    "null_models": "Null models were {}.",
    "trim": "A share of {} was cut from each end.",
    "quantile_rule": "Quantiles follow the rule {}.",
    "transform": "Limits were made on the scale of {}.",
    "p_values": "P-values are {}.",
    "effect_interval": "Intervals of effect sizes are by {}.",
    "rank_interval": "Intervals of rank effect sizes are by {}.",
    "pooled_variance": "Variances of the differences were {}.",
    "variance": "Variances of the differences were {}.",
    "metric": "RDMs were compared by {}.",
    "pooled": "RDMs were pooled {}.",
    "blocks": "Stimuli were drawn in {} blocks.",
    "rows": "The rows used are those of {}.",
    "against": "The outcome was compared with {}.",
    "split": "Scores are those of the split {}.",
    "bound": "The bound of the ceiling was the {} one.",
    "interval_side": "Intervals are one-sided: {}.",
    "criteria": "Both criteria were tested by {}.",
    "agreement_reference": "Agreement was compared with that of {}.",
    "score_outcome": "The score is the column {}.",
    "held": "Estimates were {}.",
    "contrasts": "The contrasts were {}.",
    "weights": "Residual variances were known {}.",
    "residual_by": "Residual variances differ by {}.",
    "power": "A power of {} was asked for.",
    "difference": "The difference was the {}.",
    "assumed": "Studies were simulated with {}.",
    "tune": "Each chain was tuned for {} draws.",
    "target_accept": "The target of acceptance was {}.",
}


# values of settings that change nothing
USUAL = {"score_outcome": "score", "scale": "raw"}
# settings that are told where they are on
SWITCHES = {
    "step_down": "The order of elimination was stepped down.",
    "report_failed": "Quantities that did not converge are shown too.",
}

VALUES = {
    "in": "kept",
    "out": "left out",
    "brain": "the brain",
    "best": "the best model",
    "person": "a person",
    "nct": "the noncentral t distribution",
    "ncp": "the noncentral t distribution",
    "fisher": "Fisher's z",
    "fisher_n": "Fisher's z",
    "leave_one_out": "the mean of the other subjects",
    "subject_to_subject": "single other subjects",
    "tost": "two one-sided tests",
    "mcb": "comparisons with the best",
    "pairwise": "all pairs",
    "trt.vs.ctrl": "comparisons with one level",
    "pearson": "Pearson's correlation",
    "spearman": "Spearman's correlation",
    "kendall": "Kendall's correlation",
    "z_person": "agreement (Fisher z)",
    "z": "agreement (Fisher z)",
}


def settings_sentences(info: Info) -> list[str]:
    """Settings of the method alone, a sentence each."""
    return [text for _, text in settings_by_key(info)]


def settings_by_key(info: Info) -> list[tuple[str, str]]:
    """Sentences on settings of the method alone, by the name of the setting."""

    def words(value: Any) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        many = value if isinstance(value, list) else [value]
        return joined(
            [
                f"{v:g}"
                if isinstance(v, float)
                else VALUES.get(str(v), str(v) if " " in str(v) else str(v).replace("_", " "))
                for v in many  # words of a setting; a clause may name columns, which keep their spelling
            ]
        )

    told = [
        (key, template.format(name(words(info.extra[key]))))
        for key, template in SETTINGS.items()
        if info.extra.get(key) is not None and info.extra[key] != USUAL.get(key)
    ]
    return told + [(key, text) for key, text in SWITCHES.items() if info.extra.get(key) is True]
