"""One small valid call of every verb, and of every method of a result that takes options.

Tests that hold for all verbs read it: a verb that is missing here fails in ``tests/fuzz/test_arguments.py``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import apastats as apa

__all__ = ["Call", "verbs"]

F = "score ~ model | roi"
X = [0.11, 0.13, 0.12, 0.15, 0.16, 0.12]
Y = [0.12, 0.12, 0.13, 0.14, 0.11, 0.13]


class Call(NamedTuple):
    """Arguments of a valid call."""

    args: tuple[Any, ...] = ()
    options: Mapping[str, Any] = MappingProxyType({})


@cache
def folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="verbs"))


@cache
def study() -> Any:
    rois = ["V1", "V2", "V4", "IT"]
    return apa.simulate(n_subject=6, n_model=3, n_tied=1, n_layer=2, rois=rois, rng=1)


@cache
def scores() -> apa.ScoreTable:
    return apa.select_layer(study().scores, on="train")


@cache
def rdms() -> Any:
    return apa.simulate_rdms(
        n_subject=5, n_stimulus=10, n_model=3, n_layer=2, rois=["V1", "V2", "V4", "IT"], rng=1
    )


@cache
def patterns() -> apa.AlignmentPatterns:
    return apa.alignment_patterns(study().scores)


@cache
def responses() -> tuple[dict[tuple[str, str], Any], dict[tuple[str, str], Any]]:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(12, 4))
    brain = {
        (f"s{i}", r): truth @ rng.normal(size=(4, 5)) + rng.normal(size=(12, 5))
        for i in range(4)
        for r in ("V1", "IT")
    }
    models = {("m", f"l{i}"): truth + rng.normal(size=(12, 4)) for i in range(2)}
    return brain, models


@cache
def result() -> Any:
    return apa.equivalence(F, scores(), bounds=0.05)


@cache
def fit() -> Any:
    return apa.lmm("score ~ model * roi + (1|subject)", scores())


@cache
def saved() -> Path:
    path = folder() / "saved"
    result().save(path)
    return path


@cache
def sheet() -> Path:
    path = folder() / "scores.csv"
    scores().frame.to_csv(path, index=False)
    return path


@cache
def pattern_file() -> Path:
    path = folder() / "patterns.npz"
    np.savez(path, V1=np.random.default_rng(1).normal(size=(6, 4)))
    return path


@cache
def network() -> Any:
    import torch

    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 2))


@cache
def agreement() -> apa.ScoreTable:
    chosen = apa.alignment_patterns(study().scores.where(split="test"))
    return apa.selected_rows(apa.pattern_agreement(chosen), scores())


@cache
def bayes() -> Any:
    return apa.bayes_lmm("score ~ model + (1|subject)", scores(), draws=100, tune=100, rng=1)


def verbs() -> dict[str, Call]:
    """Verb -> a valid call of it."""
    s, a, p = scores(), study().scores, patterns()
    brain, models = responses()
    selection = scores()
    draws = np.random.default_rng(1).normal(0.02, 0.01, 400)
    matrix = np.random.default_rng(1).normal(size=(6, 4))
    rois = ["V1", "V2", "V4", "IT"]
    near = pd.DataFrame(np.abs(np.subtract.outer(range(4), range(4))), rois, rois, dtype=float)
    return {
        "activations": Call(
            (network(), ["0"], [np.ones((3, 4)), np.zeros((3, 4))]),
            {"folder": folder() / "activations", "overwrite": True},
        ),
        "adjust_p": Call(([0.01, 0.02, 0.2],)),
        "agreement_bootstrap": Call((p,), {"n_resamples": 50, "rng": 1}),
        "agreement_sensitivity": Call((a,), {"vary": ["similarity"]}),
        "agreement_test": Call((p,), {"n_resamples": 50, "rng": 1}),
        "alignment_patterns": Call((a,)),
        "anova_effect": Call((5.0, 2.0, 10.0)),
        "bayes_lmm": Call(("score ~ model + (1|subject)", s), {"draws": 50, "tune": 50, "rng": 1}),
        "boot_ci": Call((X,), {"n_resamples": 50, "rng": 1}),
        "bootstrap": Call((F, s), {"n_resamples": 50, "rng": 1}),
        "check": Call((s,)),
        "closed_p": Call(([0.01, 0.02, 0.2],)),
        "cluster": Call((None,)),
        "coefficient_equivalence": Call(([0.1], [0.05], [8.0]), {"bounds": 0.3}),
        "compact_letters": Call((["a", "b", "c"], [("a", "b")])),
        "compare": Call((F, s)),
        "concat": Call((s,)),
        "correlation_difference": Call(
            (X, Y, X[::-1]), {"bounds": 0.5, "n_resamples": 50, "rng": 1}
        ),
        "correlation_difference_summary": Call((0.5, 20, 0.4, 22), {"bounds": 0.4}),
        "correlation_tost": Call((X, Y), {"bounds": 0.5}),
        "correlation_tost_summary": Call((0.1, 30), {"bounds": 0.4}),
        "disattenuated_agreement": Call((p,), {"selection": selection}),
        "discriminability": Call((F, s), {"n_resamples": 50, "rng": 1}),
        "effect_size": Call((X, Y)),
        "emmeans": Call((fit(), "model")),
        "equivalence": Call((F, s), {"bounds": 0.05}),
        "equivalence_set": Call((F, s)),
        "evaluate_rdms": Call((rdms().brain, rdms().models)),
        "friedman": Call((F, s)),
        "hierarchical_p": Call(([0.01, 0.02, 0.2], ["a", "a", "b"])),
        "layer_agreement": Call((p,)),
        "linear_predictivity": Call((brain, models)),
        "lmm": Call(("score ~ model + (1|subject)", s)),
        "load_result": Call((saved(),)),
        "margin": Call((0.05,)),
        "margin_curve": Call((result(),)),
        "matrix_agreement": Call((p, near), {"n_resamples": 50, "rng": 1}),
        "mean_ranks": Call((F, s)),
        "ncsnr": Call((np.random.default_rng(1).normal(size=(3, 8, 4)),)),
        "nemenyi": Call((F, s)),
        "noise_ceiling": Call((a,), {"n_resamples": 50, "rng": 1}),
        "normalize": Call((s, apa.noise_ceiling(a)), {}),
        "normalize_encoding": Call(
            (apa.linear_predictivity(brain, models, references=()), dict.fromkeys(brain, 0.5)),
            {"scale": "r"},
        ),
        "pattern_agreement": Call((p,)),
        "pattern_identification": Call((p,), {"n_resamples": 50, "rng": 1}),
        "pattern_reliability": Call((p,)),
        "pattern_similarity": Call((matrix, matrix[::-1])),
        "power_correlation": Call((), {"n": 30, "bounds": 0.4}),
        "power_study": Call((), {"n": 6, "bounds": 0.1, "n_model": 3, "n_replicate": 10, "rng": 1}),
        "power_t": Call((), {"n": 10, "difference": 0.5}),
        "power_tost": Call((), {"n": 10, "sd": 1.0, "bounds": 0.5}),
        "quade": Call((F, s)),
        "random_feature_models": Call((rdms().models,), {"n_model": 3, "n_feature": 5, "rng": 1}),
        "rdm_similarity": Call((rdms().brain, rdms().models)),
        "rdms_from_patterns": Call((brain,)),
        "read": Call((sheet(),)),
        "read_patterns": Call((pattern_file(),)),
        "read_rdms": Call((np.ones((2, 3)),)),
        "references": Call((result(),)),
        "report": Call((result(),)),
        "rm_anova": Call((matrix,)),
        "rope": Call((draws,), {"bounds": 0.05}),
        "run_study": Call((folder() / "absent.toml",)),
        "sample_size_tost": Call((), {"sd": 1.0, "bounds": 0.5}),
        "score": Call((rdms().brain, rdms().models)),
        "score_patterns": Call((brain, models)),
        "second_order_rdms": Call((rdms().brain, rdms().models), {"n_resamples": 50, "rng": 1}),
        "second_order_similarity": Call((p, selection), {"n_resamples": 50, "rng": 1}),
        "select_layer": Call((a,)),
        "selected_rows": Call((a, s)),
        "sequential_p": Call(([0.01, 0.02, 0.2],)),
        "simulate": Call((), {"n_subject": 3, "n_model": 2, "n_layer": 2, "rng": 1}),
        "simulate_rdms": Call((), {"n_subject": 3, "n_stimulus": 6, "rng": 1}),
        "simulate_stimuli": Call((), {"n_stimulus": 3, "size": 8, "rng": 1}),
        "split_half": Call(
            (np.random.default_rng(1).normal(size=(4, 8, 4)),), {"n_split": 5, "rng": 1}
        ),
        "strict_alignment": Call((s, agreement()), {"score_bounds": 0.1, "agreement_bounds": 0.3}),
        "subjects_needed": Call((result(),)),
        "tost": Call((X, Y), {"bounds": 0.05, "n_resamples": 50, "rng": 1}),
        "tost_summary": Call((0.12, 0.02, 8, 0.13, 0.02, 8), {"bounds": 0.05}),
    }
