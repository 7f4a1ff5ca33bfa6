"""What results are called in sentences and headings: outcomes, kinds, adjustments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from apastats.reporting.markup import name

__all__ = ["ADJUSTMENTS", "adjusted_sentence", "outcome_of", "outcome_words", "title_of"]

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
    "max-T": "the single-step maximum-t procedure",
    "max-t-step-down": "the step-down maximum-t procedure",
    "tukey": "Tukey's method for all pairs",
    "closed": "closed testing",
    "hierarchical": "hierarchical testing",
}


def outcome_of(result: Any) -> str:
    """``score`` or ``agreement``, from the formula of a result."""
    call = str(result.info.get("formula", "")) or str(result.provenance.call)
    for word in ("agreement", "z ~", "z_person"):
        if word in call:
            return "agreement"
    return "score" if "score" in call else ""


def outcome_words(result: Any) -> str:
    """The outcome with its scale: a mean Fisher z must not be read as a correlation."""
    what = outcome_of(result) or "outcome"
    on_z = re.match(r"z(_person)?\s*~", str(result.info.get("formula", "")).strip())
    return f"{what} (Fisher z)" if on_z else what


def title_of(result: Any) -> str:
    """Name of a result in headings and lists."""
    what = outcome_of(result)
    known = NAMES.get(result.kind)
    if known is not None:
        return known.format(what or "the outcome")
    title = str(result.kind).replace("_", " ").capitalize()
    return f"{title} of {what}" if what else title


def adjusted_sentence(info: Mapping[str, Any], cited: str = "") -> str:
    """How p-values were adjusted, over how many tests; nothing where a result does not say."""
    method = str(info.get("adjust_method", info.get("adjust", ""))).split(",")[0].strip()
    if not method:
        return ""
    if method.lower() == "none":
        return "P-values were not adjusted for multiplicity."
    found = re.search(r"(?:, over|,) (\d+ contrasts.*|[^,]*)$", str(info.get("adjust", "")))
    over = (
        f" over {name(found[1])}"
        if found and (", over" in found[0] or "contrasts" in found[1])
        else ""
    )
    return f"P-values were adjusted by {name(ADJUSTMENTS.get(method, method))}{over}{cited}."
