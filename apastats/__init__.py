"""apastats: statistics for brain-model alignment, from score sheets to defensible sentences.

Verbs are loaded when first used, so that ``import apastats`` stays fast.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

# verb -> module; the module is imported at first use
EXPORTS: dict[str, str] = {
    "Activations": "apastats.scoring.networks",
    "AlignmentPatterns": "apastats.patterns",
    "RDMEvaluation": "apastats.scoring.evaluation",
    "RDMSet": "apastats.io.rdms",
    "ScoreTable": "apastats.table",
    "activations": "apastats.scoring.networks",
    "adjust_p": "apastats.multiplicity.adjust",
    "agreement_bootstrap": "apastats.patterns",
    "agreement_sensitivity": "apastats.patterns",
    "agreement_test": "apastats.patterns",
    "alignment_patterns": "apastats.patterns",
    "anova_effect": "apastats.effects.variance_shares",
    "bayes_lmm": "apastats.mixed.bayes_result",
    "boot_ci": "apastats.estimates.arrays",
    "bootstrap": "apastats.estimates.means",
    "check": "apastats.checks",
    "closed_p": "apastats.multiplicity.closed",
    "cluster": "apastats.resampling.backends",
    "coefficient_equivalence": "apastats.posterior",
    "compact_letters": "apastats.multiplicity.closed",
    "compare": "apastats.contrasts",
    "concat": "apastats.io.frames",
    "correlation_difference": "apastats.correlations.dependent",
    "correlation_difference_summary": "apastats.correlations.verbs",
    "correlation_tost": "apastats.correlations.verbs",
    "correlation_tost_summary": "apastats.correlations.verbs",
    "disattenuated_agreement": "apastats.patterns",
    "discriminability": "apastats.sets.separation",
    "effect_size": "apastats.effects.sizes",
    "emmeans": "apastats.mixed.marginal",
    "equivalence": "apastats.tosts.tables",
    "equivalence_set": "apastats.sets.best",
    "evaluate_rdms": "apastats.scoring.evaluation",
    "friedman": "apastats.ranks",
    "hierarchical_p": "apastats.multiplicity.closed",
    "layer_agreement": "apastats.patterns",
    "linear_predictivity": "apastats.scoring.response_patterns",
    "lmm": "apastats.mixed.api",
    "load_result": "apastats.results",
    "margin": "apastats.margins.kinds",
    "margin_curve": "apastats.margins.curves",
    "matrix_agreement": "apastats.patterns",
    "mean_ranks": "apastats.ranks",
    "models": "apastats.mixed.presets",
    "ncsnr": "apastats.scoring.reliability",
    "nemenyi": "apastats.ranks",
    "noise_ceiling": "apastats.ceilings.noise_ceilings",
    "normalize": "apastats.ceilings.noise_ceilings",
    "normalize_encoding": "apastats.scoring.reliability",
    "pattern_agreement": "apastats.patterns",
    "pattern_identification": "apastats.patterns",
    "pattern_reliability": "apastats.patterns",
    "pattern_similarity": "apastats.patterns",
    "power_correlation": "apastats.planning.power",
    "power_study": "apastats.planning.study",
    "power_t": "apastats.planning.power",
    "power_tost": "apastats.planning.power",
    "quade": "apastats.ranks",
    "random_feature_models": "apastats.patterns",
    "rdm_similarity": "apastats.scoring.comparisons",
    "rdms_from_patterns": "apastats.scoring.patterns",
    "read": "apastats.io.frames",
    "read_patterns": "apastats.io.pattern_files",
    "read_rdms": "apastats.io.rdms",
    "references": "apastats.reporting",
    "report": "apastats.reporting",
    "rm_anova": "apastats.effects.variance_shares",
    "rope": "apastats.posterior",
    "run_study": "apastats.studies.run",
    "sample_size_tost": "apastats.planning.power",
    "score": "apastats.scoring.verb",
    "score_patterns": "apastats.scoring.response_patterns",
    "second_order_rdms": "apastats.patterns",
    "second_order_similarity": "apastats.patterns",
    "select_layer": "apastats.selection",
    "selected_rows": "apastats.selection",
    "sequential_p": "apastats.multiplicity.closed",
    "simulate": "apastats.simulation.scores",
    "simulate_rdms": "apastats.simulation.rdms",
    "simulate_stimuli": "apastats.simulation.rdms",
    "split_half": "apastats.scoring.reliability",
    "strict_alignment": "apastats.patterns",
    "subjects_needed": "apastats.margins.curves",
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
