"""Phrases that sentences and headings share: outcomes, ceilings, adjustments, counts."""

from __future__ import annotations

from typing import Any

from apastats.reporting.markup import name
from apastats.words import Info

__all__ = [
    "ADJUSTMENTS", "adjusted", "adjusted_sentence", "ceiling_words", "counted", "outcome_of", "outcome_words",
    "settings_sentences",
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


# setting in ``Info.extra`` -> its sentence
SETTINGS = {
    "similarity": "Patterns were compared by {}.",
    "second": "The two matrices were compared by {}.",
    "brain": "Rows of the brain were {}.",
    "profile": "Profiles were those of a {}.",
    "self_entry": "The entry of a ROI with itself was {}.",
    "scale": "Entries were scaled by {}.",
    "null_models": "Null models were {}.",
    "trim": "A share of {} was cut from each end.",
    "quantile_rule": "Quantiles follow the rule {}.",
    "transform": "Limits were made on the scale of {}.",
    "p_values": "P-values are {}.",
    "effect_interval": "Intervals of effect sizes are by {}.",
    "rank_interval": "Intervals of rank effect sizes are by {}.",
    "pooled_variance": "Variances were {}.",
    "variance": "Variances were {}.",
    "step_down": "The procedure steps down: {}.",
    "metric": "RDMs were compared by {}.",
    "pooled": "RDMs were pooled {}.",
    "blocks": "Stimuli were drawn in {} blocks.",
    "rows": "Rows of kind {} entered.",
    "against": "They were compared with {}.",
    "split": "Scores are those of the split {}.",
    "bound": "The bound of the ceiling was the {} one.",
    "interval_side": "Intervals are one-sided: {}.",
    "criteria": "Both criteria were tested by {}.",
    "agreement_reference": "Agreement was compared with that of {}.",
    "score_outcome": "Score was {}.",
    "averaging": "Averages over other factors give their levels {} weights.",
    "contrasts": "Contrasts were of the kind {}.",
    "weights": "Residual variances were known {}.",
    "residual_by": "Residual variances differ by {}.",
    "power": "A power of {} was asked for.",
    "difference": "It was {}.",
    "assumed": "It was assumed: {}.",
    "tune": "Each chain was tuned for {} draws.",
    "target_accept": "The target of acceptance was {}.",
    "report_failed": "Quantities that failed a gate are shown: {}.",
}


VALUES = {
    "nct": "the noncentral t distribution",
    "ncp": "the noncentral t distribution",
    "fisher": "Fisher's z",
    "fisher_n": "Fisher's z",
    "leave_one_out": "leave-one-out ones",
    "subject_to_subject": "subject-to-subject ones",
    "pearson": "Pearson's correlation",
    "spearman": "Spearman's correlation",
    "kendall": "Kendall's correlation",
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

    return [
        template.format(name(words(info.extra[key])))
        for key, template in SETTINGS.items()
        if info.extra.get(key) is not None
    ]
