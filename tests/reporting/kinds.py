"""One small result of every kind."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from apastats.errors import SingularFitWarning, SmallSampleWarning
from apastats.mixed.bayes_lmm import BayesLmmResult
from apastats.results import Provenance
from tests.verb_data import benchmarks, numbers

ROIS = ["V1", "V2", "V4", "LO1"]
MODELS = ["model_01", "model_02", "model_03"]


def bayes() -> BayesLmmResult:
    """A fit as it stands on disk: one of its quantities failed a gate."""
    table = pd.DataFrame(
        {
            "term": ["Intercept", "model[b]", "model[c]", "sd(subject)"],
            "estimate": [0.3, 0.01, -0.02, np.nan],
            "std_error": [0.01, 0.006, 0.007, np.nan],
            "conf_low": [0.28, -0.002, -0.034, np.nan],
            "conf_high": [0.32, 0.022, -0.006, np.nan],
            "conf_level": 0.95,
            "r_hat": [1.0, 1.001, 1.002, 1.04],
            "ess_bulk": [900.0, 1200.0, 1100.0, 150.0],
            "ess_tail": [800.0, 900.0, 950.0, 120.0],
            "mcse": [3e-4, 2e-4, 2e-4, np.nan],
            "passed": [True, True, True, False],
        }
    )
    info = {"method": "Bayesian linear mixed model", "formula": "score ~ model + (1 | subject)"}
    return BayesLmmResult(table, info, Provenance("bayes_lmm(...)", "abc", "1"))


def every_kind(rois: Sequence[str] = ROIS, models: Sequence[str] = MODELS) -> dict[str, Any]:
    """Results by name; of regions and models of these names."""
    rois, half = list(rois), len(rois) // 2
    streams = {"early": rois[:half], "late": rois[half:]}
    made = apa.simulate(
        n_subject=6, n_model=len(models), n_layer=2, n_tied=2, rois=rois, streams=streams, rng=1
    ).scores
    named = dict(zip(made.levels("model"), models, strict=False))
    scores = replace(made, frame=made.frame.assign(model=made.frame["model"].replace(named)))
    best = apa.select_layer(scores, on="train")
    patterns = apa.alignment_patterns(scores)
    agreement = apa.selected_rows(apa.pattern_agreement(patterns), best)
    ceiling = apa.noise_ceiling(scores)
    with warnings.catch_warnings():
        # a singular fit is a result too: its note belongs into the report
        warnings.simplefilter("ignore", SingularFitWarning)
        fit = apa.lmm("z ~ model * stream + (1 | subject) + (1 | roi) + (1 | model:roi)", agreement)
    means = apa.emmeans(fit, "model", by="stream")
    contrasts = means.contrast("pairwise")
    tested = apa.equivalence("score ~ model | roi", best, bounds=0.02, reference="best")
    near = pd.DataFrame(
        [[-abs(i - j) for j in range(len(rois))] for i in range(len(rois))], rois, rois
    )
    rdms = apa.simulate_rdms(n_subject=4, n_stimulus=12, rois=["V1", "V2"], n_model=2, rng=0)
    chosen = rdms.models.select(layer=str(rdms.models.labels["layer"].iloc[0]))
    wide = best.where(roi=rois[0]).frame.pivot_table(
        index="subject", columns="model", values="score"
    )
    with warnings.catch_warnings():
        # a small part is a result too
        warnings.simplefilter("ignore", SmallSampleWarning)
        parts = apa.unique_variance(rdms.brain, chosen)
    draws = np.random.default_rng(0).normal(size=(3, 400))
    brains = apa.brain_test(
        scores.where(split="test"),
        margin={"score": 0.1, "agreement": 0.3},
        outcome="both",
        selection=best,
        n_resamples=199,
    )
    board = apa.leaderboard(benchmarks(), item="benchmark", within=["half", "seed"])
    return {
        "normalized": apa.normalize(best, ceiling, on_low="nan"),
        "comparison": apa.compare("score ~ model | roi", best, adjust="holm"),
        "friedman": apa.friedman("score ~ model | roi", best),
        "places": apa.mean_ranks("score ~ model | roi", best),
        "set": apa.equivalence_set("score ~ model | roi", best),
        "set with margin": apa.equivalence_set("score ~ model | roi", best, bounds=0.05),
        "noninferiority": apa.equivalence(
            "score ~ model | roi", best, bounds=0.02, hypothesis="noninferiority"
        ),
        "strict": apa.strict_alignment(best, agreement, score_bounds=0.1, agreement_bounds=0.3),
        "brain test": brains,
        "brain test over all": apa.brain_test(
            scores.where(split="test"),
            margin=0.1,
            over="all",
            selection=best,
            n_resamples=199,
        ),
        "brain test with pools": apa.brain_test(
            scores.where(split="test"), margin=0.1, selection=best, brain="leave_one_out"
        ),
        "power of the brain test": apa.power_brain_test(brains, n=[6, 20]),
        "agreement test": apa.agreement_test(patterns, selection=best),
        "agreement bootstrap": apa.agreement_bootstrap(patterns, selection=best),
        "identification": apa.pattern_identification(patterns, selection=best),
        "reliability": apa.pattern_reliability(patterns),
        "second order": apa.second_order_similarity(patterns, best),
        "sensitivity": apa.agreement_sensitivity(scores),
        "lmm": fit,
        "emmeans": means,
        "contrasts": contrasts,
        "models side by side": apa.model_table([fit, fit], names=["one", "the other"]),
        "influence": fit.influence("subject", of=contrasts),
        "standardised": means.effect_size("residual"),
        "tested contrasts": contrasts.test(bounds=0.2),
        "claims": apa.claims(
            [
                {
                    "name": "1",
                    "statement": "All models tie with the best",
                    "tests": [{"result": "tested", "says": "within", "value": 0.02}],
                },
                {
                    "name": "2",
                    "statement": "People differ",
                    "result": "people",
                    "needs": "pairs of people",
                },
            ],
            {"tested": tested},
        ),
        "power": apa.power_tost(n=[10, 20, 40], sd=0.03, bounds=0.02),
        "margins": apa.margin_curve(tested),
        "needed": apa.subjects_needed(tested),
        "disattenuated": apa.disattenuated_agreement(patterns, selection=best),
        "effect": apa.effect_size(wide.iloc[:, 0], wide.iloc[:, 1], bounds=0.5),
        "anova": apa.rm_anova(wide.to_numpy()),
        "discriminability": apa.discriminability("score ~ model | roi", best),
        "study power": apa.power_study(
            n=[8, 12], bounds=0.02, n_model=4, n_tied=2, n_replicate=20, rng=1
        ),
        "matrix": apa.matrix_agreement(patterns, near, n_resamples=99, rng=1),
        "fitted": apa.evaluate_fitted(
            rdms.brain, apa.fitted("weighted", rdms.models), n_resamples=49, rng=1
        ),
        "parts": parts,
        "parts tested": parts.test(bounds=0.05),
        "partial": apa.unique_variance(rdms.brain, chosen, measure="partial"),
        "rdms": apa.evaluate_rdms(rdms.brain, rdms.models),
        "layers": apa.layer_agreement(patterns),
        "bayes": bayes(),
        "leaderboard": board,
        "leaderboard items": board.items(),
        "leaderboard responses": board.response_model(),
        "leaderboard missing": board.missing(),
        "map": apa.map_test(numbers(8, 12)),
        "rope": apa.rope(dict(zip("abc", draws, strict=True)), bounds=0.1),
    }
