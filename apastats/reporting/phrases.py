"""Phrases that sentences and headings share: outcomes, ceilings, adjustments, counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from apastats.printable import counted
from apastats.reporting.markup import name
from apastats.words import Info

__all__ = [
    "ADJUSTMENTS", "adjusted", "adjusted_sentence", "capital", "ceiling_words", "counted", "held_sentence", "joined",
    "margin_words", "number_word", "outcome_of", "outcome_words", "pattern_sentence", "resampling_sentence", "sentence",
    "settings_sentences", "term_words",
]  # fmt: skip

_NAMES = re.compile(r"[A-Za-z_]\w*")

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


def joined(items: Sequence[str], last: str = "and") -> str:
    """``a, b and c``."""
    parts = list(items)
    if len(parts) < 2:
        return parts[0] if parts else ""
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


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
    return told if told.endswith((".", "!", "?")) else f"{told}."


def margin_words(info: Info) -> str:
    """The margin without how its uncertainty is carried, which belongs into the methods."""
    return str(info.margin).split("; each subject entered")[0].split("; its uncertainty is")[0]


def resampling_sentence(info: Info) -> str:
    """What was drawn again; where nothing was, what the sample is, as far as a result says it."""
    told = str(info.resampled)
    if "simulated studies" in told:
        return sentence(f"resampling was by {told}")
    if not told.startswith("nothing"):
        return f"Resampling was over {name(told)}." if told else ""
    rest = told.removeprefix("nothing").strip("; ()")
    if rest.startswith("random: "):
        factors = rest.removeprefix("random: ").split(", ")
        return f"Random effects are those of {joined([name(f) for f in factors])}."
    return sentence(name(rest)) if rest else ""


HELD = {
    "the models themselves: a claim about other models is not supported": "the models compared",
    "levels of model": "the models compared",
    "partners": "partners drawn",
}


def held_sentence(held: Sequence[str]) -> str:
    """What results are conditional on; ``held`` are the texts of ``Info.held_fixed``."""
    items = [w for text in held for w in str(text).split(", ") if w and w != "nothing"]
    items = [HELD.get(i, i).split(":")[0].strip() for i in dict.fromkeys(items)]
    if not items:
        return ""
    told = [i if i.startswith(("the ", "everything")) else f"the {i}" for i in dict.fromkeys(items)]
    text = f"Results are conditional on {joined([name(t) for t in told])}"
    if any("stimuli" in i for i in items):
        text += ", and do not generalise to other stimuli"
    return f"{text}."


def term_words(term: object, formula: str) -> str:
    """A coefficient by factor and level: ``modelmodel_01`` of ``z ~ model`` is ``model model_01``."""
    factors = sorted(set(_NAMES.findall(formula.partition("~")[2])), key=len, reverse=True)

    def part(text: str) -> str:
        if text == "(Intercept)":
            return "intercept"
        factor = next((f for f in factors if text.startswith(f) and text != f), "")
        level = text.removeprefix(factor)
        return f"{factor} {level}" if factor and not level.startswith(("_", "[")) else text

    return " \u00d7 ".join(part(t) for t in str(term).split(":"))


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
    "pooled_variance": "Variances were {}.",
    "variance": "Variances were {}.",
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
    "averaging": "Averages over other factors give their levels {} weights.",
    "contrasts": "The contrasts were {}.",
    "weights": "Residual variances were known {}.",
    "residual_by": "Residual variances differ by {}.",
    "power": "A power of {} was asked for.",
    "difference": "The difference was the {}.",
    "assumed": "Studies were simulated with {}.",
    "tune": "Each chain was tuned for {} draws.",
    "target_accept": "The target of acceptance was {}.",
}


# settings that are told where they are on
SWITCHES = {
    "step_down": "The order of elimination was stepped down.",
    "report_failed": "Quantities that did not converge are shown too.",
}

VALUES = {
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

    def words(value: Any) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        many = value if isinstance(value, list) else [value]
        return ", ".join(
            f"{v:g}" if isinstance(v, float) else VALUES.get(str(v), str(v).replace("_", " "))
            for v in many
        )

    told = [
        template.format(name(words(info.extra[key])))
        for key, template in SETTINGS.items()
        if info.extra.get(key) is not None
        and not (key == "score_outcome" and info.extra[key] == "score")
    ]
    return told + [text for key, text in SWITCHES.items() if info.extra.get(key) is True]
