"""One valid call of every verb that gives a result, and another valid value of every option."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import apastats as apa
from tests.verb_data import (
    PLACES,
    ROIS,
    STREAMS,
    agreement,
    benchmarks,
    best,
    both_ways,
    brained,
    brained_both,
    brains,
    ceiling,
    column_medians,
    contrasts,
    distances,
    draws,
    fit,
    folder,
    layers,
    means,
    near,
    numbers,
    one_of_each,
    ordered,
    parted,
    patterns,
    people,
    plan,
    rdm_scores,
    rdms,
    sessions,
    study,
    tested,
    two_bounds,
    weighted_fit,
    with_brains,
    with_ceilings,
)

Call = dict[str, Any]  # name of a parameter -> its value


@dataclass(frozen=True)
class Other:
    """Another value of an option, what both calls need for it to apply, and what comes along with it."""

    value: Any
    needs: Mapping[str, Any]
    along: Mapping[str, Any] = field(default_factory=dict)


def needing(value: Any, **needs: Any) -> Other:
    """Another value of an option that applies only together with others."""
    return Other(value, needs)


def _cells(**more: Any) -> Callable[[], Call]:
    return lambda: {"formula": "score ~ model | roi", "data": best(), **more}


def _patterns(**more: Any) -> Callable[[], Call]:
    return lambda: {"patterns": patterns(), **more}


BASE: dict[str, Callable[[], Call]] = {
    "BootstrapResult.below_ceiling": lambda: {"self": with_ceilings()},
    "BootstrapResult.ceilings": lambda: {"self": with_ceilings()},
    "ContrastResult.contrast": lambda: {"self": contrasts()},
    "ContrastResult.test": lambda: {"self": contrasts(), "bounds": 0.02},
    "EmmeansResult.contrast": lambda: {"self": means()},
    "EmmeansResult.effect_size": lambda: {"self": means()},
    "EmmeansResult.pairs": lambda: {"self": means()},
    "LeaderboardResult.items": lambda: {"self": ordered()},
    "LeaderboardResult.missing": lambda: {"self": ordered()},
    "LeaderboardResult.response_model": lambda: {"self": ordered()},
    "LmmResult.influence": lambda: {"self": fit()},
    "LmmResult.refit": lambda: {"self": fit(), "outcome": numbers(72, seed=5)},
    "Presets.agreement": lambda: {"self": apa.models, "data": agreement()},
    "Presets.scores": lambda: {"self": apa.models, "data": best()},
    "UniqueVariance.ceilings": lambda: {"self": parted()},
    "UniqueVariance.test": lambda: {"self": parted()},
    "agreement_bootstrap": _patterns(),
    "agreement_sensitivity": lambda: {"table": study().scores, "vary": ["self_entry"]},
    "agreement_test": _patterns(),
    "alignment_patterns": lambda: {"table": study().scores},
    "anova_effect": lambda: {"f": 3.0, "df1": 2, "df2": 20},
    "bayes_lmm": lambda: {
        "formula": "score ~ model + (1 | subject)",
        "data": best().where(roi="V1"),
        "draws": 60,
        "tune": 60,
        "chains": 2,
        "report_failed": True,
        "rng": 1,
    },
    "boot_ci": lambda: {"x": numbers(12, 2), "n_resamples": 99, "rng": 1},
    "bootstrap": _cells(),
    "brain_test": lambda: {
        "table": people(),
        "margin": 0.1,
        "selection": best(),
        "n_resamples": 199,
    },
    "check": lambda: {"data": study().scores},
    "coefficient_equivalence": lambda: {
        "estimate": [0.01, 0.2],
        "std_error": [0.02, 0.03],
        "df": [10.0, 12.0],
        "bounds": 0.1,
    },
    "claims": lambda: {
        "stated": [
            {
                "name": "1",
                "statement": "model_01 is best",
                "result": "tested",
                "says": "within",
                "value": 0.02,
            }
        ],
        "results": {"tested": tested().table},
    },
    "compare": _cells(),
    "correlation_difference": lambda: {
        "x": numbers(seed=1),
        "y": numbers(seed=2),
        "brain": numbers(seed=3),
        "bounds": 0.3,
    },
    "correlation_difference_summary": lambda: {
        "r1": 0.5,
        "n1": 20,
        "r2": 0.45,
        "n2": 25,
        "bounds": 0.3,
    },
    "correlation_tost": lambda: {"x": numbers(seed=1), "y": numbers(seed=2), "bounds": 0.3},
    "correlation_tost_summary": lambda: {"r": 0.1, "n": 40, "bounds": 0.3},
    "disattenuated_agreement": _patterns(),
    "discriminability": _cells(rng=1),
    "effect_size": lambda: {"x": numbers(seed=1), "y": numbers(seed=2)},
    "emmeans": lambda: {"fit": fit(), "specs": "model"},
    "equivalence": _cells(bounds=0.02),
    "equivalence_set": _cells(),
    "evaluate_fitted": lambda: {
        "brain": rdms().brain,
        "models": apa.fitted("weighted", rdms().models),
        "n_resamples": 49,
        "rng": 1,
    },
    "evaluate_rdms": lambda: {"brain": rdms().brain, "models": rdms().models},
    "friedman": _cells(),
    "layer_agreement": _patterns(),
    "leaderboard": lambda: {
        "table": benchmarks(),
        "item": "benchmark",
        "within": ["half", "seed"],
        "n_resamples": 199,
    },
    "model_table": lambda: {"fits": [fit(), fit()]},
    "lmm": lambda: {"formula": "score ~ model + roi + (1 | subject)", "data": best()},
    "map_test": lambda: {"x": numbers(8, 12)},
    "margin_curve": lambda: {"result": tested()},
    "matrix_agreement": lambda: {"patterns": patterns(), "matrix": near(), "rng": 1},
    "mean_ranks": _cells(),
    "nemenyi": _cells(),
    "noise_ceiling": lambda: {"data": study().scores},
    "normalize": lambda: {"table": best(), "ceiling": ceiling()},
    "pattern_identification": _patterns(),
    "pattern_reliability": _patterns(),
    "power_brain_test": lambda: {"result": brained()},
    "power_correlation": lambda: {"n": 50, "bounds": 0.3},
    "calibrate": lambda: {"what": "compare", "n": 6, "n_replicate": 10, "rng": 1},
    "power_study": lambda: {
        "n": [8, 12],
        "bounds": 0.02,
        "n_model": 4,
        "n_replicate": 20,
        "rng": 1,
    },
    "power_t": lambda: {"n": 20, "difference": 0.5},
    "power_tost": lambda: {"n": [10, 20], "sd": 0.03, "bounds": 0.02},
    "quade": _cells(),
    "rm_anova": lambda: {"values": numbers(12, 3)},
    "rope": lambda: {"draws": draws(), "bounds": 0.1},
    "sample_size_tost": lambda: {"sd": 0.03, "bounds": 0.02},
    "second_order_rdms": lambda: {
        "brain": rdms().brain,
        "models": rdms().models,
        "n_resamples": 19,
        "rng": 1,
    },
    "second_order_similarity": lambda: {"patterns": patterns(), "selection": best(), "rng": 1},
    "strict_alignment": lambda: {
        "scores": best(),
        "agreement": agreement(),
        "score_bounds": 0.1,
        "agreement_bounds": 0.3,
    },
    "subjects_needed": lambda: {"result": tested()},
    "tost": lambda: {"x": numbers(seed=1), "y": numbers(seed=2), "bounds": 0.1},
    "tost_summary": lambda: {
        "mean_x": 0.3,
        "sd_x": 0.1,
        "n_x": 12,
        "mean_y": 0.31,
        "sd_y": 0.1,
        "n_y": 13,
        "bounds": 0.1,
    },
}

BASE["variance_partitioning"] = lambda: {
    "brain": brains(),
    "bands": {m: layers()[m, "l1"] for m in ("m1", "m2")},
    "n_fold": 3,
}
BASE["unique_variance"] = lambda: {"brain": rdms().brain, "models": one_of_each()}

# values that most verbs take
OTHERS: dict[str, Any] = {
    "adjust": "bonferroni",
    "alpha": 0.1,
    "alternative": "less",
    "brain": "leave_one_out",
    "bounds": 0.2,
    "conf_level": 0.9,
    "hypothesis": "noninferiority",
    "interval": "t",
    "kind": None,
    "n_resamples": needing(199, n_resamples=99, rng=1),
    "reference": "matched",
    "rng": needing(2, n_resamples=99, rng=1),
    "selection": lambda: best(),
    "similarity": "spearman",
    "cluster": "person",
    "family": "cell",
}
_RESAMPLED = {"test": "bootstrap", "n_resamples": 99, "rng": 1}
_TESTS: dict[str, Any] = {
    "bounds": 0.03,
    "reference": "best",
    "test": "wilcoxon",
    "within": needing(["roi", "metric"], formula="score ~ model", within="roi"),
    "trim": needing(0.25, test="trimmed"),
    "exact": needing(False, test="wilcoxon"),
    "interval": needing("percentile", **_RESAMPLED),
    "n_resamples": needing(199, **_RESAMPLED),
    "rng": needing(2, **_RESAMPLED),
    "small_sample": needing(False, **_RESAMPLED, interval="percentile"),
    "top": 2,
}
_BACKEND: dict[str, Any] = {
    "backend": "torch",
    "device": needing("cpu:0", backend="torch"),
    "dtype": needing("float32", backend="torch"),
}
_PERMUTED: dict[str, Any] = {
    "streams": lambda: needing(
        {"one": ROIS[:3], "two": ROIS[3:]}, null="within_stream", streams=STREAMS
    ),
    "coordinates": lambda: needing(
        PLACES | {"V4": [2.0, 2.0]}, null="spatial", coordinates=PLACES, n_resamples=99, rng=1
    ),
    "distances": lambda: needing(
        distances().iloc[:4, :4], null="spatial", distances=distances(), n_resamples=99, rng=1
    ),
}
_MIXED: dict[str, Any] = {
    "weights": "weight",
    "std_error": "weight",
    "residual_by": "half",
    "missing": "drop",
}
SPECIAL: dict[str, dict[str, Any]] = {
    "ContrastResult.contrast": {
        "by": [],
        "method": "consecutive",
        "ref": lambda: needing(contrasts().table["contrast"].iloc[1], method="trt.vs.ctrl"),
        "adjust": "bonferroni",
        "alternative": needing("less", adjust="mvt"),
    },
    "ContrastResult.test": {"side": "noninferiority", "bounds": 0.03},
    "EmmeansResult.contrast": {
        "method": "consecutive",
        "ref": needing("model_02", method="trt.vs.ctrl"),
        "adjust": "bonferroni",
        "alternative": needing("less", adjust="mvt"),
        "critical": 2.5,
        "interaction": "consec",
    },
    "EmmeansResult.effect_size": {
        "sigma": "residual",
        "edf": 12.0,
        "method": "consecutive",
        "ref": needing("model_02", method="trt.vs.ctrl"),
    },
    "EmmeansResult.pairs": {"adjust": "holm"},
    "LmmResult.influence": {"group": "model", "of": lambda: contrasts()},
    "LmmResult.refit": {"transformed": False},
    "Presets.agreement": {"outcome": "z", "by": "stream", "generalise": "subject+roi"},
    "Presets.scores": {
        "outcome": lambda: needing("agreement", data=agreement(), outcome="z"),
        "by": "stream",
        "generalise": "subject+roi",
        "partners": lambda: needing(True, data=with_brains()),
    },
    "agreement_bootstrap": {"interval": "bca"},
    "agreement_sensitivity": {
        "on": "train",
        "split": "test",
        "metric": "rsa",
        "self_entry": "out",
        "scale": "double_centred",
        "vary": ["scale"],
        "n_partner": needing([2], vary=["partners"], n_partner=[1]),
        "rng": needing(3, vary=["partners"], n_partner=[1]),
    },
    "agreement_test": {
        **_PERMUTED,
        "null": "other_roi",
        "null_models": needing(["model_03"], null="models", null_models=["model_02", "model_03"]),
        "conf_level": needing(0.9, null="other_roi"),
    },
    "alignment_patterns": {
        "profile": "column",
        "self_entry": "out",
        "scale": "double_centred",
        "outcome": lambda: needing("score", table=study().scores),
        "ceiling": needing("leave_one_out", scale="ceiling"),
        "on_low": needing("nan", scale="ceiling"),
        "on_constant": "nan",
    },
    "anova_effect": {"bounds": 0.1},
    "bayes_lmm": {
        **_MIXED,
        "priors": {"sd": ("HalfNormal", {"sigma": 0.1})},
        "draws": 70,
        "tune": 70,
        "chains": 3,
        "target_accept": 0.9,
        "report_failed": False,
        "rng": 2,
    },
    "boot_ci": {
        "statistic": "correlation",
        "interval": "percentile",
        "scheme": "bayesian",
        "index": lambda: np.random.default_rng(4).integers(0, 12, (50, 12)),
        "std_error": needing("jackknife", statistic=column_medians, n_resamples=49, rng=1),
        "transform": needing("log", n_resamples=99, rng=1),
        "quantile_rule": needing("boot", n_resamples=99, rng=1, interval="percentile"),
        "n_jobs": needing(2, statistic=column_medians, n_resamples=49, rng=1),
        "workdir": lambda: needing(
            folder("boot_ci"), statistic=column_medians, n_resamples=49, rng=1
        ),
    },
    "bootstrap": {
        "scheme": needing("bayesian", n_resamples=99, rng=1),
        "strata": needing("half", n_resamples=99, rng=1),
        "within": needing(["roi", "metric"], formula="score ~ model", within="roi"),
        # with one layer per model there is a call without it
        "reselect": Other("layer", {}, {"on": "out_of_bag"}),
        "on": lambda: needing("out_of_bag", data=study().scores, reselect="layer"),
        "interval": "percentile",
        "quantile_rule": needing("boot", n_resamples=99, rng=1, interval="percentile"),
        "kind": lambda: needing("leave_one_out", data=with_brains()),
        "models": lambda: needing(one_of_each().select(model="model_01"), **_rdm_options()),
        "method": lambda: needing("spearman", **_rdm_options()),
        "measure": lambda: needing("cka", **_pattern_options(measure="bures")),
        "reference_from": lambda: needing("joined_units", **_pattern_options(measure="cka")),
        "blocks": lambda: needing([*"aabbccddeeff"], **_rdm_options(cluster="stimulus")),
        "ceiling": lambda: needing(False, **_rdm_options()),
        "n_jobs": lambda: needing(2, **_rdm_options(cluster="stimulus")),
        "batch": lambda: needing(2, data=study().scores, reselect="layer"),
        "workdir": lambda: needing(folder("bootstrap"), **_rdm_options(cluster="stimulus")),
    },
    "claims": {"power": 0.95},
    "compare": {option: value for option, value in _TESTS.items() if option != "bounds"},
    "correlation_difference": {
        "bounds": 0.4,
        "method": "spearman",
        "test": "steiger",
        "interval": needing("percentile", **_RESAMPLED),
        "quantile_rule": needing("boot", **_RESAMPLED),
        "n_resamples": needing(199, **_RESAMPLED),
        "rng": needing(2, **_RESAMPLED),
        "plan": lambda: needing(plan(), test="bootstrap"),
        "small_sample": False,
    },
    "correlation_difference_summary": {"bounds": 0.4, "scale": "z", "small_sample": False},
    "correlation_tost": {
        "null": 0.1,
        "method": "spearman",
        "error": "jackknife",
        "small_sample": False,
    },
    "correlation_tost_summary": {
        "null": 0.1,
        "method": "spearman",
        "z_error": 0.2,
        "small_sample": False,
    },
    "disattenuated_agreement": {"least_reliability": 0.1},
    "discriminability": {
        "against": lambda: agreement(),
        "against_outcome": lambda: needing("z", against=agreement()),
        "rng": 2,
        "within": needing(["roi", "metric"], formula="score ~ model", within="roi"),
    },
    "effect_size": {
        "y": None,
        "measures": ["d", "glass"],
        "paired": False,
        "equal_var": needing(True, paired=False),
        "welch_df": needing(True, paired=False),
        "null": 0.01,
        "denominator": "rm",
        "interval": "nct_lambda",
        "rank_interval": "logit",
        "bounds": 0.5,
    },
    "emmeans": {
        "by": "roi",
        "at": {"roi": ["V1", "V2"]},
        "trend": lambda: needing("weight", fit=weighted_fit()),
        "df": "kenward-roger",
        "weights": "proportional",
    },
    "equivalence": _TESTS | {"variance": needing("pooled", reference="best")},
    "equivalence_set": {
        "bounds": 0.05,
        "method": "mcs",
        "variance": "pooled",
        "family": "cell",
        "step_down": needing(True, method="mcs"),
        "within": needing(["roi", "metric"], formula="score ~ model", within="roi"),
        "rng": needing(2, method="bayes", bounds=0.05, rng=1),
    },
    "evaluate_fitted": {
        "method": "cosine",
        "cluster": "subject",
        "k_subject": 1,
        "k_stimulus": 3,
        "n_cv": 3,
        "interval": "percentile",
        "n_resamples": 59,
        "rng": 2,
        "sigma_k": lambda: needing(np.linspace(1, 2, 12), method="corr_cov"),
        "n_jobs": 2,
        "batch": 1,
    },
    "evaluate_rdms": {
        **_BACKEND,
        "method": "spearman",
        "sigma_k": lambda: needing(np.linspace(1, 2, 12), method="corr_cov"),
        "rerank": needing(True, method="spearman"),
    },
    "friedman": {
        "statistic": "F",
        "incomplete": "use",
        "data": lambda: best().where(roi=["V1", "V2"]),
    },
    "layer_agreement": {},
    "model_table": {"names": ("first", "second")},
    "lmm": {
        **_MIXED,
        "reml": False,
        "df": "kenward-roger",
        "engine": "closed_form",
        "max_evaluations": 400,
    },
    "map_test": {
        "y": lambda: numbers(8, 12, seed=1),
        "method": lambda: needing("tfce", method="cluster", adjacency="lattice"),
        "margin": lambda: needing(0.2, y=numbers(8, 12, seed=1), margin=0.1),
        "adjacency": lambda: needing(_ring(12), method="cluster", adjacency="lattice"),
        "threshold": lambda: needing(1.0, method="cluster", adjacency="lattice"),
        "step": lambda: needing(0.1, method="tfce", adjacency="lattice"),
        "labels": {"vertex": [f"v{i}" for i in range(12)]},
    },
    "margin_curve": {"margins": [0.01, 0.02]},
    "matrix_agreement": {
        **_PERMUTED,
        "null": lambda: Other("within_stream", {}, {"streams": STREAMS}),
    },
    "mean_ranks": {"data": lambda: best().where(roi=["V1", "V2"])},
    "nemenyi": {"data": lambda: best().where(roi=["V1", "V2"]), "top": 2},
    "noise_ceiling": {
        "kind": "subject_to_subject",
        "by": ["roi"],
        "split": needing("train", split="test"),
        "method": lambda: needing("spearman", data=rdms().brain, kind="nili"),
        "within": lambda: needing("run", data=sessions(), kind="split_half", within="session"),
        "chance": 0.05,
        "interval": "percentile",
        "n_resamples": needing(199, interval="percentile", n_resamples=99, rng=1),
        "rng": needing(2, interval="percentile", n_resamples=99, rng=1),
    },
    "normalize": {
        "how": "mean_of_ratios",
        "bound": lambda: needing(
            "upper", table=rdm_scores(), ceiling=two_bounds(), bound="lower", on_low="nan"
        ),
        "interval": "percentile",
        "on_low": "nan",
        "n_resamples": needing(199, interval="percentile", n_resamples=99, rng=1),
        "rng": needing(2, interval="percentile", n_resamples=99, rng=1),
    },
    "pattern_identification": {},
    "pattern_reliability": {},
    "power_correlation": {"n": [40, 50], "rho": 0.1, "method": "published"},
    "calibrate": {
        "what": "power",
        "n": [6, 8],
        "design": "skewed",
        "n_replicate": 20,
        "rng": 2,
        "n_jobs": 2,
        "workdir": lambda: folder("calibrate"),
    },
    "power_study": {
        "n": 8,
        "n_model": 5,
        "n_tied": 2,
        "n_roi": 2,
        "gap": 0.2,
        "mean": 0.4,
        "model_subject_sd": 0.04,
        "roi_correlation": needing(0.5, n_roi=2),
        "model_correlation": 0.2,
        "deviations": "heavy",
        "n_replicate": 30,
        "rng": 2,
        "bounds": 0.03,
    },
    "power_t": {"n": 21, "sd": 2.0, "difference": 0.6, "design": "two_sample"},
    "power_tost": {
        "n": 21,
        "sd": 0.04,
        "bounds": 0.03,
        "difference": 0.01,
        "design": "two_sample",
    },
    "quade": {"data": lambda: best().where(roi=["V1", "V2"])},
    "rm_anova": {"correction": "none", "alternative": "two-sided", "conf_level": 0.8},
    "rope": {},
    "coefficient_equivalence": {"rule": "bayes", "terms": ["a", "b"]},
    "sample_size_tost": {
        "power": 0.9,
        "sd": 0.04,
        "bounds": 0.03,
        "difference": 0.01,
        "design": "two_sample",
    },
    "second_order_rdms": {
        "selection": lambda: needing(rdm_scores(), null="rois"),
        "method": "corr",
        "second": "spearman",
        "null": "rois",
        "n_resamples": 29,
        "rng": 2,
    },
    "second_order_similarity": {"second": "spearman"},
    "brain_test": {
        "margin": 0.2,
        "outcome": needing("agreement", margin=0.3),
        "over": "all",
        "direction": lambda: needing("both", table=both_ways()),
        "selection": lambda: needing(None, table=people()),
        "brain": "leave_one_out",
        "similarity": needing("spearman", outcome="agreement", margin=0.3),
        "alternative": "two-sided",
        "n_resamples": 299,
        "rng": 2,
    },
    "LeaderboardResult.missing": {"delta": [-1.0, 0.5]},
    "leaderboard": {
        "item": Other(["benchmark", "half"], {}, {"within": "seed"}),
        "outcome": "second",
        "by": Other("half", {}, {"within": "seed"}),
        "within": lambda: needing("seed", table=benchmarks().where(half="a")),
        "item_effect": "fixed",
        "errors": "item",
        "repeat": Other("seed", {}, {"within": "half"}),
        "stepwise": False,
        "n_resamples": 299,
        "rng": 2,
        "kind": None,
    },
    "power_brain_test": {"n": [6, 20], "power": 0.9, "difference": "zero", "adjusted": False},
    "strict_alignment": {
        "score_bounds": 0.2,
        "agreement_bounds": 0.4,
        "by": ["roi"],
        "score_outcome": lambda: needing("agreement", scores=agreement(), score_outcome="z"),
        "agreement_outcome": "z",
        "agreement_reference": "best",
        "method": "mcb",
        "hypothesis": "equivalence",
        "people": lambda: Other(
            brained_both(), {}, {"score_bounds": None, "agreement_bounds": None}
        ),
    },
    "subjects_needed": {"power": 0.9, "difference": "zero", "adjusted": False},
    "UniqueVariance.test": {"bounds": 0.1, "alternative": "two-sided", "adjust": "holm"},
    "variance_partitioning": {
        "parts": "all",
        "split": "train",
        "fit": "banded",
        "alphas": [1.0, 10.0],
        "n_fold": 4,
        "seed": 2,
        "folds": "contiguous",
        "groups": [i // 3 for i in range(30)],
        "per": "unit",
        "delays": (0, 1),
        "ceiling": True,
        "cluster": needing("stimulus", n_resamples=49, rng=1),
        "interval": "t",
    },
    "unique_variance": {
        "method": "pearson",
        "measure": "partial",
        "groups": {"one": ["model_01"], "rest": ["model_02"]},
        "parts": "all",
        "nonnegative": True,
        "cross_validate": "subject",
        "n_fold": needing(3, cross_validate="stimulus", n_fold=2, rng=1),
        "n_cv": needing(4, cross_validate="stimulus", n_fold=2, rng=1),
        "cluster": needing("stimulus", n_resamples=49, rng=1),
        "interval": "t",
        "n_jobs": needing(2, n_resamples=49, rng=1, cluster="stimulus"),
    },
    "tost": {
        "y": None,
        "test": "wilcoxon",
        "paired": False,
        "equal_var": needing(True, paired=False),
        "null": 0.01,
        "effect": "d",
        "effect_interval": "nct_lambda",
        "denominator": "rm",
        "trim": needing(0.25, test="trimmed"),
        "exact": needing(False, test="wilcoxon"),
        "interval": needing("percentile", **_RESAMPLED),
        "quantile_rule": needing("boot", **_RESAMPLED, interval="percentile"),
        "ties": needing("below", **_RESAMPLED, interval="bca"),
        "n_resamples": needing(199, **_RESAMPLED),
        "rng": needing(2, **_RESAMPLED),
        "plan": lambda: needing(plan(), test="bootstrap"),
        "small_sample": needing(False, **_RESAMPLED, interval="percentile"),
    },
    "tost_summary": {
        "mean_y": 0.32,
        "sd_y": 0.2,
        "n_y": 14,
        "r": needing(0.5, n_y=12),
        "equal_var": True,
        "null": 0.01,
        "effect": "d",
        "effect_interval": "nct_lambda",
        "small_sample": lambda: needing(False, bounds=apa.margin(0.5, of="sd")),
    },
}


def _rdm_options(**more: Any) -> Call:
    return {"data": rdms().brain, "models": one_of_each(), "n_resamples": 49, "rng": 1, **more}


def _pattern_options(**more: Any) -> Call:
    data, models = brains(), layers()
    return {
        "formula": "score ~ model + layer | roi",
        "data": data,
        "models": models,
        "interval": "t",
        "n_resamples": 49,
        "rng": 1,
        **more,
    }


def _ring(n: int) -> Any:
    """Neighbours on a ring."""
    from scipy.sparse import csr_array

    i = np.arange(n)
    j = (i + 1) % n
    ones = np.ones(2 * n)
    return csr_array((ones, (np.r_[i, j], np.r_[j, i])), shape=(n, n))
