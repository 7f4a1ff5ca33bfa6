"""Laws of scoring from patterns, over verbs and methods: units and the order of stimuli do not matter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa

RANKED = ("spearman", "rho-a", "tau-a", "kendall")
N = 10
NAMES = [f"s{k}" for k in range(N)]


def sets(seed: int = 0) -> tuple[dict, dict]:
    rng = np.random.default_rng(seed)
    common = np.repeat(
        rng.normal(size=(N // 2, 15)), 2, axis=0
    )  # pairs of stimuli with the same features
    brain = {(s, "V1"): common + rng.normal(size=(N, 15)) for s in "abc"}
    return brain, {("m", "l"): common, ("n", "l"): rng.normal(size=(N, 7))}


@pytest.mark.parametrize("method", RANKED)
@pytest.mark.parametrize("distance", ["correlation", "euclidean", "cosine"])
@pytest.mark.parametrize("scale", [1e-7, 3.3, 1e6])
def test_units_of_features_change_no_rank_score(method: str, distance: str, scale: float) -> None:
    brain, models = sets()
    options = {"method": method, "distance": distance, "reference_from": "pooled_rdms"}
    one = apa.score_patterns(brain, models, **options).frame
    other = apa.score_patterns(
        {k: scale * v for k, v in brain.items()},
        {k: v / scale for k, v in models.items()},
        **options,
    ).frame
    np.testing.assert_allclose(other["score"], one["score"], atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", ["corr", *RANKED])
def test_permuting_stimuli_with_their_names_changes_nothing(method: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    brain, models = sets(seed)
    named = [{k: pd.DataFrame(v, NAMES) for k, v in side.items()} for side in (brain, models)]
    mixed = [{k: v.iloc[rng.permutation(N)] for k, v in side.items()} for side in named]
    one, two = (apa.score_patterns(*s, method=method).frame for s in (named, mixed))
    key = ["kind", "model", "layer", "subject", "roi"]
    np.testing.assert_allclose(
        two.sort_values(key)["score"], one.sort_values(key)["score"], atol=1e-12
    )
    labels = (("subject", "roi"), ("model", "layer"))
    rdms = [
        [apa.rdms_from_patterns(s, names=n) for s, n in zip(side, labels, strict=True)]
        for side in (named, mixed)
    ]
    for verb in (
        lambda b, m: apa.score(b, m, method=method).frame.sort_values(key)["score"],
        lambda b, m: apa.evaluate_rdms(b, m, method=method).table[["estimate", "ceiling_lower"]],
        lambda b, m: apa.rdm_similarity(b, m, method=method),
        lambda b, _: apa.noise_ceiling(b, kind="nili", method=method).table["estimate"],
    ):
        a, b = (np.asarray(verb(*r), "f8") for r in rdms)
        np.testing.assert_allclose(b, a, atol=1e-12)
