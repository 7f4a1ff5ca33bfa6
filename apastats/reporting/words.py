"""What results are called in sentences and headings: outcomes, kinds, adjustments."""

from __future__ import annotations

from typing import Any

from apastats.reporting.markup import name
from apastats.words import Info

__all__ = [
    "ADJUSTMENTS",
    "adjusted",
    "adjusted_sentence",
    "outcome_of",
    "outcome_words",
    "title_of",
]

# names of results by kind; {} is the outcome
NAMES = {
    "normalized": "Scores as a share of the noise ceiling",
    "comparison": "Comparison of {}",
    "rank": "Rank tests of {}",
    "discriminability": "Separation of the models",
    "layer_agreement": "Agreement along the layers",
    "margin_curve": "Decisions over margins",
    "rdm_evaluation": "Similarity of the RDMs of models and brain",
    "rope": "Posterior and region of practical equivalence",
    "equivalence_set": "Equivalence sets of {}",
    "pattern_identification": "Identification of ROIs by their patterns",
    "pattern_reliability": "Reliability of the patterns",
    "agreement_test": "Agreement against a null",
    "agreement_bootstrap": "Mean agreement, subjects in all roles",
    "agreement_sensitivity": "Sensitivity of agreement to the analysis",
    "disattenuated_agreement": "Agreement corrected for reliability",
    "matrix_agreement": "Agreement of a matrix with the patterns of the brain",
    "second_order": "Second-order similarity",
    "strict_alignment": "Strict alignment: score and agreement",
    "emmeans": "Marginal means",
    "emmeans_contrasts": "Contrasts of marginal means",
    "bayes_lmm": "Bayesian hierarchical model",
    "power": "Power",
    "effect_size": "Effect sizes",
    "lmm": "Linear mixed model",
}

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


def title_of(result: Any) -> str:
    """Name of a result in headings and lists."""
    what = outcome_of(result)
    known = NAMES.get(result.kind)
    if known is not None:
        return known.format(what or "the outcome")
    title = str(result.kind).replace("_", " ").capitalize()
    return f"{title} of {what}" if what else title


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
