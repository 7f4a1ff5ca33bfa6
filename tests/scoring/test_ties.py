"""Distances that are equal in theory are ties for every rank method, in every kernel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import pdist

import apastats as apa
from apastats.errors import DegenerateWarning
from apastats.numbers.ordering import TIE, sorted_rows
from apastats.scoring.fixed import fixed_scores, nili_bounds
from apastats.scoring.rdms_from_patterns import distances
from apastats.scoring.similarity import mid_ranks
from apastats.scoring.stimuli.literal import LiteralKernel
from apastats.scoring.stimuli.pair_weights import PairKernel

RANKED = ("spearman", "rho-a", "tau-a", "tau-b", "kendall")


def category_features(seed: int = 0) -> np.ndarray:
    """24 stimuli of 6 categories: embeddings that are identical inside a category."""
    return np.repeat(np.random.default_rng(seed).normal(size=(6, 40)), 4, axis=0)


def exact_ties(vectors: np.ndarray) -> np.ndarray:
    """The same RDMs with a number of 9 digits for every distance."""
    return np.round(vectors / np.abs(vectors).max(axis=1, keepdims=True), 9)


def forms(features: np.ndarray) -> np.ndarray:
    """The same features in other orders and units: one RDM in theory."""
    same = [features, features[:, ::-1], features * 3.3, features / 7, features * 1e-6 + 0.0]
    return np.concatenate([distances(f[None], m) for f in same for m in ("correlation",)])


@pytest.fixture
def brain() -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.concatenate(
        [distances((category_features() + s * rng.normal(size=(24, 40)))[None]) for s in (1, 2, 3)]
    )


def brute(x: np.ndarray, y: np.ndarray, method: str) -> float:
    """By definition, on exact ties."""
    n = len(x)
    if method == "spearman":
        return float(stats.spearmanr(x, y).statistic)
    if method == "rho-a":
        a, b = (stats.rankdata(v) - (n + 1) / 2 for v in (x, y))
        return float(12 * a @ b / (n**3 - n))
    if method == "tau-a":
        i, j = np.triu_indices(n, 1)
        return float((np.sign(x[i] - x[j]) * np.sign(y[i] - y[j])).mean())
    return float(stats.kendalltau(x, y).statistic)


@pytest.mark.parametrize("method", RANKED)
def test_every_kernel_takes_theoretical_ties_for_ties(brain: np.ndarray, method: str) -> None:
    models = forms(category_features())
    assert (np.ptp(models, axis=0) > 0).any()  # the forms differ by rounding
    truth = np.array([brute(exact_ties(models)[0], b, method) for b in brain])
    expected = np.tile(truth, (len(models), 1))
    np.testing.assert_allclose(
        apa.rdm_similarity(models, brain, method=method), expected, atol=1e-12
    )
    np.testing.assert_allclose(
        apa.rdm_similarity(brain, models, method=method, batch=1), expected.T, atol=1e-12
    )
    for rerank in (False, True):
        found = fixed_scores(brain, models, method=method, rerank=rerank)
        np.testing.assert_allclose(found.scores, expected, atol=1e-12)
    if method in ("spearman", "rho-a"):
        torch = apa.rdm_similarity(models, brain, method=method, backend="torch")
        np.testing.assert_allclose(torch, expected, atol=1e-12)


@pytest.mark.parametrize("method", RANKED)
def test_ceilings_and_resampled_stimuli_do_too(brain: np.ndarray, method: str) -> None:
    people = np.concatenate([forms(category_features())[:3], brain])
    exact = np.concatenate([exact_ties(people[:3]), brain])
    for rerank in (False, True):
        a, b = (nili_bounds(p, method=method, rerank=rerank) for p in (people, exact))
        np.testing.assert_allclose(a, b, atol=1e-12)
    rng = np.random.default_rng(0)
    counts = np.stack([np.bincount(rng.integers(24, size=24), minlength=24) for _ in range(6)])
    canonical = "tau-b" if method == "kendall" else method
    kernel = PairKernel if method in ("spearman", "rho-a") else LiteralKernel
    a, b = (kernel(brain, m, canonical).values(counts, ceiling=True) for m in (people, exact))
    np.testing.assert_allclose(a, b, atol=1e-12)
    rdms = [
        apa.RDMSet(v, pd.DataFrame({"model": [str(k) for k in range(len(v))]}))
        for v in (people, exact)
    ]
    target = apa.RDMSet(brain, pd.DataFrame({"subject": list("abc"), "roi": "V1"}))
    a, b = (apa.score(target, r, method=method).frame["score"] for r in rdms)
    np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("distance", ["correlation", "euclidean", "cosine"])
def test_patterns_that_are_the_same_have_no_distance(distance: str) -> None:
    rng = np.random.default_rng(0)
    # collinear patterns under correlation and cosine; copies under euclidean
    base = rng.random(50) + 1
    rows = (
        np.outer([1, 2, 3.3, 0.7, 11], base)
        if distance != "euclidean"
        else np.tile(base, (5, 1)) + 1e3
    )
    assert (distances(rows[None], distance) == 0).all()
    rdms = apa.rdms_from_patterns({"m": rows}, names="model", method=distance)
    target = apa.RDMSet(rng.random((2, 10)), pd.DataFrame({"subject": ["a", "b"], "roi": "V1"}))
    with pytest.warns(apa.errors.DegenerateWarning, match="an RDM is constant"):
        found = apa.score(target, rdms, method="spearman", references=None)
    assert found.frame["score"].isna().all()


@pytest.mark.parametrize("method", RANKED)
@pytest.mark.parametrize("scale", [1e-9, 3.3, 1e12])
def test_no_rank_score_depends_on_units(brain: np.ndarray, method: str, scale: float) -> None:
    rng = np.random.default_rng(2)
    features = rng.normal(size=(24, 10))
    for distance in ("correlation", "euclidean", "cosine"):
        one, two = (distances((c * features)[None], distance) for c in (1.0, scale))
        np.testing.assert_allclose(
            apa.rdm_similarity(two, brain, method=method),
            apa.rdm_similarity(one, brain, method=method),
            atol=1e-12,
        )


@pytest.mark.parametrize("n", [20, 300, 5000])
def test_ties_are_ordered_by_index(n: int) -> None:
    rng = np.random.default_rng(0)
    level = rng.integers(n // 4, size=(4, n)).astype(float)
    values = level + 1e-14 * rng.normal(size=level.shape)
    order, new = sorted_rows(values, TIE)
    np.testing.assert_array_equal(order, np.argsort(level, axis=1, kind="stable"))
    assert (new.sum(axis=1) == [len(np.unique(r)) for r in level]).all()
    np.testing.assert_array_equal(mid_ranks(values, tie=TIE), stats.rankdata(level, axis=1))


def test_close_values_that_differ_stay_apart() -> None:
    values = np.array([[1.0, 1 + 3e-9, 1 + 6e-9, 2.0]])
    np.testing.assert_array_equal(mid_ranks(values, tie=TIE), [[1, 2, 3, 4]])


def test_a_constant_row_is_one_tie() -> None:
    values = 0.3 + 1e-16 * np.arange(100.0)[None]
    assert len(np.unique(values)) > 1
    np.testing.assert_array_equal(mid_ranks(values, tie=TIE), np.full((1, 100), 50.5))


def test_ceilings_of_cosines_are_not_tested_against_zero() -> None:
    rng = np.random.default_rng(0)
    labels = pd.DataFrame({"subject": [f"s{k}" for k in range(8)], "roi": "V1"})
    noise = apa.RDMSet(1 + 0.1 * rng.normal(size=(8, 91)), labels)
    for method in ("cosine", "cosine_cov"):
        with pytest.warns(apa.errors.CeilingWarning, match="not tested against 0"):
            found = apa.noise_ceiling(noise, kind="nili", method=method)
        assert (found.table["estimate"] > 0.8).all()
        assert found.table[["statistic", "p_value"]].isna().to_numpy().all()
        assert np.isfinite(found.table["conf_low"]).all()
        asked = apa.noise_ceiling(noise, kind="nili", method=method, chance=0.99)
        assert np.isfinite(asked.table["p_value"]).all()
    assert apa.noise_ceiling(noise, kind="nili", method="corr").table["p_value"].iloc[0] > 0.05
    with pytest.warns(apa.errors.CeilingWarning, match="not tested against 0"):
        apa.noise_ceiling(apa.score(noise, method="cosine"))
    # cross-validated distances are as often below 0: their cosine is 0 by chance
    crossed = apa.RDMSet(rng.normal(size=(8, 91)), labels)
    assert np.isfinite(
        apa.noise_ceiling(crossed, kind="nili", method="cosine").table["p_value"]
    ).all()


def test_an_rdm_of_rounding_alone_scores_nothing() -> None:
    """Collinear patterns: every 1 - r is 0 up to rounding, whoever computed it; fields in tesla are small and real."""
    rng = np.random.default_rng(3)
    collinear = np.outer(np.arange(1, 31), rng.normal(size=40))
    found = pdist(collinear, "correlation")
    assert found.any()
    brain = apa.read_rdms(rng.random((3, 435)), labels={"subject": list("abc"), "roi": "V1"})
    models = apa.read_rdms({"m": found})
    assert any("rounding alone" in line for line in models.log)
    # tau-a counts ties as nothing for and nothing against
    assert (apa.score(brain, models, method="tau-a", references=()).frame["score"] == 0).all()
    for method in ("spearman", "corr", "tau-b"):
        with pytest.warns(DegenerateWarning):
            assert (
                apa.score(brain, models, method=method, references=()).frame["score"].isna().all()
            )
    tesla = pdist(1e-15 * rng.normal(size=(30, 40)), "sqeuclidean")
    read = apa.read_rdms({"m": tesla})
    np.testing.assert_array_equal(read.vectors[0], tesla)
    assert apa.score(brain, read, references=()).frame["score"].notna().all()
