"""apastats: statistics for brain-model alignment, from score sheets to defensible sentences.

Verbs are loaded when first used, so that ``import apastats`` stays fast.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

# verb -> module; the module is imported at first use
EXPORTS: dict[str, str] = {
    "AlignmentPatterns": "apastats.patterns",
    "RDMEvaluation": "apastats.scoring.evaluation",
    "RDMSet": "apastats.io.rdms",
    "ScoreTable": "apastats.table",
    "activations": "apastats.scoring.networks",
    "adjust_p": "apastats.multiplicity",
    "agreement_bootstrap": "apastats.patterns",
    "agreement_sensitivity": "apastats.patterns",
    "agreement_test": "apastats.patterns",
    "alignment_patterns": "apastats.patterns",
    "anova_effect": "apastats.variance_shares",
    "bayes_lmm": "apastats.mixed.bayes_result",
    "boot_ci": "apastats.array_bootstrap",
    "bootstrap": "apastats.estimates",
    "check": "apastats.checks",
    "closed_p": "apastats.closed_testing",
    "cluster": "apastats.resampling.backends",
    "coefficient_equivalence": "apastats.posterior",
    "compact_letters": "apastats.closed_testing",
    "compare": "apastats.contrasts",
    "concat": "apastats.io.frames",
    "correlation_difference": "apastats.dependent_correlations",
    "correlation_difference_summary": "apastats.correlations",
    "correlation_tost": "apastats.correlations",
    "correlation_tost_summary": "apastats.correlations",
    "disattenuated_agreement": "apastats.patterns",
    "discriminability": "apastats.separation",
    "effect_size": "apastats.effect_sizes",
    "emmeans": "apastats.mixed.marginal",
    "equivalence": "apastats.tosts.tables",
    "equivalence_set": "apastats.sets",
    "evaluate_rdms": "apastats.scoring.evaluation",
    "friedman": "apastats.ranks",
    "hierarchical_p": "apastats.closed_testing",
    "layer_agreement": "apastats.patterns",
    "linear_predictivity": "apastats.scoring.response_patterns",
    "lmm": "apastats.mixed.api",
    "load_result": "apastats.results",
    "margin": "apastats.margins",
    "margin_curve": "apastats.margin_curves",
    "matrix_agreement": "apastats.patterns",
    "mean_ranks": "apastats.ranks",
    "models": "apastats.mixed.presets",
    "ncsnr": "apastats.scoring.reliability",
    "nemenyi": "apastats.ranks",
    "noise_ceiling": "apastats.ceilings",
    "normalize": "apastats.ceilings",
    "normalize_encoding": "apastats.scoring.reliability",
    "pattern_agreement": "apastats.patterns",
    "pattern_identification": "apastats.patterns",
    "pattern_reliability": "apastats.patterns",
    "pattern_similarity": "apastats.patterns",
    "power_correlation": "apastats.planning",
    "power_study": "apastats.study_power",
    "power_t": "apastats.planning",
    "power_tost": "apastats.planning",
    "quade": "apastats.ranks",
    "random_feature_models": "apastats.patterns",
    "rdm_similarity": "apastats.scoring.comparisons",
    "rdms_from_patterns": "apastats.scoring.patterns",
    "read": "apastats.io.frames",
    "read_rdms": "apastats.io.rdms",
    "references": "apastats.reporting",
    "report": "apastats.reporting",
    "rm_anova": "apastats.variance_shares",
    "rope": "apastats.posterior",
    "run_study": "apastats.studies.run",
    "sample_size_tost": "apastats.planning",
    "score": "apastats.scoring.verb",
    "score_patterns": "apastats.scoring.response_patterns",
    "second_order_similarity": "apastats.patterns",
    "select_layer": "apastats.selection",
    "selected_rows": "apastats.selection",
    "sequential_p": "apastats.closed_testing",
    "simulate": "apastats.simulation",
    "simulate_rdms": "apastats.simulated_rdms",
    "simulate_stimuli": "apastats.simulated_rdms",
    "split_half": "apastats.scoring.reliability",
    "strict_alignment": "apastats.patterns",
    "subjects_needed": "apastats.margin_curves",
    "tost": "apastats.tosts.arrays",
    "tost_summary": "apastats.tosts.summaries",
}

__all__ = ["__version__", *EXPORTS]


def __getattr__(name: str) -> Any:
    module = EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module 'apastats' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *EXPORTS})
