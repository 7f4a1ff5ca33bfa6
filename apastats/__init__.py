"""apastats: statistics for brain-model alignment, from score sheets to defensible sentences.

Verbs are loaded when first used, so that ``import apastats`` stays fast.
"""

from __future__ import annotations

from typing import Any as _Any

__version__ = "0.1.0"

# verb -> module; the module is imported at first use
EXPORTS: dict[str, str] = {
    "Activations": "apastats.scoring.activations",
    "AlignmentPatterns": "apastats.patterns.alignment_patterns",
    "FittedEvaluation": "apastats.bootstrapping.evaluate_fitted",
    "FittedModel": "apastats.scoring.fitted.fitted",
    "RDMEvaluation": "apastats.scoring.evaluate_rdms",
    "RDMSet": "apastats.io.rdm_set",
    "Reliability": "apastats.scoring.reliability",
    "ScoreTable": "apastats.table",
    "UniqueVariance": "apastats.bootstrapping.unique_variance",
    "activations": "apastats.scoring.activations",
    "adjust_p": "apastats.numbers.adjust_p",
    "agreement_bootstrap": "apastats.patterns.agreement_bootstrap",
    "agreement_sensitivity": "apastats.patterns.agreement_sensitivity",
    "agreement_test": "apastats.patterns.agreement_test",
    "alignment_patterns": "apastats.patterns.alignment_patterns",
    "anova_effect": "apastats.comparing.rm_anova",
    "banded_ridge": "apastats.scoring.banded_ridge",
    "bayes_lmm": "apastats.mixed.bayes_lmm",
    "boot_ci": "apastats.bootstrapping.boot_ci",
    "bootstrap": "apastats.bootstrapping.bootstrap",
    "brain_test": "apastats.patterns.brain_test",
    "calibrate": "apastats.planning.calibrate",
    "check": "apastats.ceilings.check",
    "claims": "apastats.planning.claims",
    "closed_p": "apastats.numbers.closed",
    "cluster": "apastats.resampling.cluster",
    "coefficient_equivalence": "apastats.comparing.rope",
    "commonality": "apastats.scoring.commonality",
    "compact_letters": "apastats.numbers.compact_letters",
    "compare": "apastats.comparing.compare",
    "concat": "apastats.io.concat",
    "correlation_difference": "apastats.comparing.correlation_difference",
    "correlation_difference_summary": "apastats.comparing.correlation_difference",
    "correlation_tost": "apastats.comparing.correlation_tost",
    "correlation_tost_summary": "apastats.comparing.correlation_tost",
    "disattenuated_agreement": "apastats.patterns.disattenuated_agreement",
    "discriminability": "apastats.comparing.discriminability",
    "effect_size": "apastats.comparing.effect_size",
    "emmeans": "apastats.mixed.emmeans",
    "equivalence": "apastats.comparing.equivalence",
    "equivalence_set": "apastats.comparing.equivalence_set",
    "evaluate_fitted": "apastats.bootstrapping.evaluate_fitted",
    "evaluate_rdms": "apastats.scoring.evaluate_rdms",
    "fitted": "apastats.scoring.fitted.fitted",
    "friedman": "apastats.comparing.ranks",
    "hierarchical_p": "apastats.numbers.closed",
    "hyperalign": "apastats.scoring.hyperalign",
    "layer_agreement": "apastats.patterns.layer_agreement",
    "leaderboard": "apastats.comparing.leaderboard",
    "linear_predictivity": "apastats.scoring.linear_predictivity",
    "lmm": "apastats.mixed.lmm",
    "load_result": "apastats.io.load_result",
    "map_test": "apastats.comparing.map_test",
    "margin": "apastats.comparing.margin",
    "margin_curve": "apastats.comparing.margin_curve",
    "matrix_agreement": "apastats.patterns.matrix_agreement",
    "mean_ranks": "apastats.comparing.ranks",
    "measure": "apastats.scoring.measures.measure",
    "model_table": "apastats.mixed.model_table",
    "models": "apastats.mixed.models",
    "ncsnr": "apastats.scoring.reliability",
    "nemenyi": "apastats.comparing.ranks",
    "noise_ceiling": "apastats.ceilings.noise_ceiling",
    "normalize": "apastats.ceilings.normalize",
    "normalize_encoding": "apastats.scoring.normalize_encoding",
    "normalized_rows": "apastats.ceilings.normalized_rows",
    "partial_similarity": "apastats.scoring.partial_similarity",
    "pattern_agreement": "apastats.patterns.pattern_agreement",
    "pattern_identification": "apastats.patterns.pattern_identification",
    "pattern_reliability": "apastats.patterns.pattern_reliability",
    "pattern_similarity": "apastats.patterns.pattern_similarity",
    "power_brain_test": "apastats.planning.power_brain_test",
    "power_correlation": "apastats.planning.power",
    "power_study": "apastats.planning.power_study",
    "power_t": "apastats.planning.power",
    "power_tost": "apastats.planning.power",
    "quade": "apastats.comparing.ranks",
    "random_feature_models": "apastats.patterns.random_feature_models",
    "rdm_similarity": "apastats.scoring.rdm_similarity",
    "rdms_from_patterns": "apastats.scoring.rdms_from_patterns",
    "read": "apastats.io.read",
    "read_patterns": "apastats.io.read_patterns",
    "read_rdms": "apastats.io.read_rdms",
    "read_regions": "apastats.io.read_regions",
    "references": "apastats.reporting.references",
    "regression_rsa": "apastats.scoring.regression_rsa",
    "report": "apastats.reporting.report",
    "rm_anova": "apastats.comparing.rm_anova",
    "rope": "apastats.comparing.rope",
    "run_study": "apastats.studies.run_study",
    "sample_size_tost": "apastats.planning.power",
    "score": "apastats.scoring.score",
    "score_patterns": "apastats.scoring.score_patterns",
    "second_order_rdms": "apastats.patterns.second_order_rdms",
    "second_order_similarity": "apastats.patterns.second_order_similarity",
    "select_layer": "apastats.ceilings.select_layer",
    "selected_rows": "apastats.ceilings.select_layer",
    "sequential_p": "apastats.numbers.closed",
    "signal_power": "apastats.scoring.reliability",
    "simulate": "apastats.simulation.simulate",
    "simulate_rdms": "apastats.simulation.simulate_rdms",
    "simulate_stimuli": "apastats.simulation.simulate_rdms",
    "split_half": "apastats.scoring.reliability",
    "strict_alignment": "apastats.patterns.strict_alignment",
    "subjects_needed": "apastats.planning.subjects_needed",
    "tost": "apastats.comparing.tost",
    "tost_summary": "apastats.comparing.tost_summary",
    "unique_variance": "apastats.bootstrapping.unique_variance",
    "variance_partitioning": "apastats.bootstrapping.variance_partitioning",
}

__all__ = ["__version__", *EXPORTS]


def __getattr__(name: str) -> _Any:
    import importlib

    module = EXPORTS.get(name)
    if module is None:
        said = f"module 'apastats' has no attribute {name!r}"
        if name.startswith("_"):  # asked by tools
            raise AttributeError(said)
        hint = importlib.import_module("apastats.calls").instead(name)
        raise AttributeError(f"{said}. {hint}")

    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    own = {name for name in globals() if name.startswith("__")}
    return sorted({*own, "EXPORTS", *EXPORTS})
