"""Dirichlet weights in every plan that has a meaning for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.resampling.designs import block_counts, nested_counts, stratified_counts
from apastats.resampling.plans import subject_weights
from apastats.scoring.stimuli.pair_weights import PairKernel
from apastats.scoring.stimuli.two_factor import as_counts, dual_variance

PARENTS = np.repeat(np.arange(5), [2, 3, 2, 4, 2])


@pytest.fixture(scope="module")
def rdms():
    found = apa.simulate_rdms(n_subject=6, n_stimulus=24, rois=["V1", "V2"], rng=0)
    return replace(found, brain=found.brain.select(roi="V1"))


@pytest.fixture(scope="module")
def models(rdms):
    return rdms.models.select(layer=rdms.models.labels["layer"].iloc[0])


def test_weights_of_the_designs() -> None:
    strata = stratified_counts(PARENTS, 2000, rng=1, bayesian=True).matrix
    for k, size in enumerate([2, 3, 2, 4, 2]):
        np.testing.assert_allclose(strata[:, k == PARENTS].sum(axis=1), size, rtol=1e-12)
    nested = nested_counts(PARENTS, 2000, rng=1, bayesian=True)
    member = (PARENTS[:, None] == np.arange(5)) / np.bincount(PARENTS)
    np.testing.assert_allclose((nested.matrix @ member).sum(axis=1), 5, rtol=1e-12)
    blocks = block_counts(PARENTS, 2000, rng=1, bayesian=True).matrix
    assert (blocks[:, 0] == blocks[:, 1]).all()
    for weights in (strata, nested.matrix, blocks):
        assert (weights > 0).all()
    assert nested.kind == "bayesian nested"


def test_strata_have_the_variance_of_dirichlet_means() -> None:
    rng = np.random.default_rng(3)
    sizes, x = {"a": 5, "b": 9}, rng.normal(size=14)
    frame = pd.DataFrame(
        {"subject": [f"s{i:02d}" for i in range(14)], "roi": "V1", "model": "m", "score": x}
    ).assign(group=["a"] * 5 + ["b"] * 9)
    found = apa.bootstrap(
        "score ~ model | roi", apa.ScoreTable(frame), strata="group", scheme="bayesian",
        n_resamples=60_000, rng=1, interval="percentile",
    )  # fmt: skip
    # var of a Dirichlet-weighted mean of n values: their variance (divisor n) / (n + 1)
    parts = [x[:5].var() / 6 * sizes["a"] ** 2, x[5:].var() / 10 * sizes["b"] ** 2]
    assert found.replicates.var() == pytest.approx(sum(parts) / 14**2, rel=0.03)
    assert found.info["method"].startswith("Bayesian")


def test_dyads_are_weighted_by_both_members() -> None:
    study = apa.simulate(n_subject=5, n_model=2, rois=["V1", "V2"], metrics=["rsa"], rng=3)
    scores = study.scores.where(split="test", roi="V1")
    found = apa.bootstrap(
        "score ~ 1 | roi", scores, cluster="dyad", scheme="bayesian", n_resamples=1024, rng=4,
        interval="percentile",
    )  # fmt: skip
    w = subject_weights(5, 1024, rng=4).matrix[7]
    frame = scores.frame.query("kind == 'subject_to_subject' and layer == roi")
    place = {s: i for i, s in enumerate(sorted(frame["subject"].unique()))}
    weight = w[frame["model"].map(place)] * w[frame["subject"].map(place)]
    expected = np.average(frame["score"], weights=weight)
    assert found.replicates[7, 0] == pytest.approx(expected, rel=1e-10)


def test_nested_weights_through_the_verb() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=len(PARENTS))
    frame = pd.DataFrame(
        {"subject": [f"s{p}" for p in PARENTS], "session": np.arange(len(PARENTS)).astype(str),
         "roi": "V1", "model": "m", "score": x}
    )  # fmt: skip
    found = apa.bootstrap(
        "score ~ model | roi", apa.ScoreTable(frame), cluster=("subject", "session"),
        scheme="bayesian", n_resamples=40_000, rng=2, interval="percentile",
    )  # fmt: skip
    # outer and inner weights are independent: E W^2 = 2 k / (k + 1) of the outer ones
    k, sizes = 5, np.bincount(PARENTS)
    means = np.array([x[p == PARENTS].mean() for p in range(k)])
    inner = np.array([x[p == PARENTS].var() for p in range(k)]) / (sizes + 1)
    expected = means.var() / (k + 1) + (2 * k / (k + 1)) * inner.sum() / k**2
    assert found.replicates.var() == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("method", ["cosine", "corr", "spearman", "cosine_cov"])
def test_stimulus_weights_have_the_spread_of_counts(rdms, models, method: str) -> None:
    options = {
        "models": models, "method": method, "cluster": "stimulus", "interval": "percentile",
        "n_resamples": 3000, "rng": 1, "ceiling": False,
    }  # fmt: skip
    counts, weights = (
        apa.bootstrap("score ~ model | roi", rdms.brain, scheme=s, **options)
        for s in ("bootstrap", "bayesian")
    )
    assert weights.info["plan"] == "bayesian + stimulus"
    np.testing.assert_array_equal(counts.table["estimate"], weights.table["estimate"])
    # both are corrected for their number of stimuli; what is left is of second order
    np.testing.assert_allclose(weights.arrays["std_error"], counts.arrays["std_error"], rtol=0.15)


def test_a_replicate_is_the_correlation_with_these_weights(rdms, models) -> None:
    x, y = rdms.brain.vectors, models.vectors
    w = subject_weights(24, 1, rng=5).matrix
    i, j = np.triu_indices(24, 1)
    pairs = w[0, i] * w[0, j]
    found = PairKernel(x, y, "corr").values(w, ceiling=False)[0]
    for s in range(len(x)):
        for m in range(len(y)):
            cov = np.cov(x[s], y[m], aweights=pairs)
            assert found[s, m] == pytest.approx(cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1]))


@pytest.mark.parametrize("bayesian", [False, True])
def test_two_factors_of_a_known_model(bayesian: bool) -> None:
    s, n, sets = 6, 14, 400
    rng = np.random.default_rng(0)
    found = []
    for _ in range(sets):
        x = rng.normal(size=(s, 1)) + 0.8 * rng.normal(size=(1, n)) + 1.5 * rng.normal(size=(s, n))
        draw = (
            (lambda k: rng.dirichlet(np.ones(k), 400))
            if bayesian
            else (lambda k: rng.multinomial(k, np.full(k, 1 / k), 400) / k)
        )
        u, v = draw(s), draw(n)
        both = np.einsum("bi,ij,bj->b", u, x, v).var()
        parts = (both, (u @ x.mean(axis=1)).var(), (v @ x.mean(axis=0)).var())
        scale = ((s + 1) / s, (n + 1) / n) if bayesian else (1.0, 1.0)
        parts = as_counts(*(np.array(p) for p in parts), *scale)
        found.append(dual_variance(*parts, s, n))
    truth = 1 / s + 0.64 / n + 2.25 / (s * n)
    # cap and floor leave a small bias; an uncorrected sum of the parts would be off by a third
    assert np.mean(found) == pytest.approx(truth, rel=0.08)


@pytest.mark.parametrize("cluster", ["stimulus", ("subject", "stimulus")])
def test_every_interval_of_weighted_stimuli(rdms, models, cluster) -> None:
    found = apa.bootstrap(
        "score ~ model | roi", rdms.brain, models=models, cluster=cluster, scheme="bayesian",
        interval="studentized", n_resamples=4096, rng=2, conf_level=0.8, ceiling=False,
    )  # fmt: skip
    widths = {}
    for interval in ("normal", "basic", "percentile", "bca", "studentized", "t"):
        table = found.conf_int(interval=interval)
        widths[interval] = (table["conf_high"] - table["conf_low"]).mean()
    # the pivot is on the scale of the standard error: no kind is far from the t interval
    for interval, width in widths.items():
        assert width == pytest.approx(widths["t"], rel=0.35), interval


def test_weighted_layers_on_the_train_split() -> None:
    study = apa.simulate(
        n_subject=6, n_model=2, n_layer=3, rois=["V1", "V2"], metrics=["rsa"], rng=3
    )
    found = apa.bootstrap(
        "score ~ model | roi",
        study.scores.where(roi="V1"),
        reselect="layer",
        scheme="bayesian",
        rng=1,
    )
    frame = study.scores.frame.query("kind == 'model' and model == 'model_01' and roi == 'V1'")
    wide = {
        k: frame[frame["split"] == k].pivot(index="subject", columns="layer", values="score")
        for k in ("train", "test")
    }
    w = subject_weights(6, 8, rng=1).matrix[:8]
    pick = (w @ wide["train"].to_numpy()).argmax(axis=1)
    expected = (w @ wide["test"].to_numpy() / 6)[np.arange(8), pick]
    row = found.table.index[found.table["model"] == "model_01"][0]
    np.testing.assert_allclose(found.replicates[:8, row], expected, rtol=1e-10)
