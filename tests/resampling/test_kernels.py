"""Bures and Riemannian measures under a bootstrap of stimuli."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import InputError
from apastats.io.rdm_set import RDMSet
from apastats.resampling.plans import subject_counts, subject_weights
from apastats.scoring.stimuli.kernels import BuresKernel, DistinctKernel
from apastats.scoring.stimuli.stimuli import StimulusSetup, stimulus_arrays

N = 9


def euclidean(k: int, seed: int, n: int = N) -> np.ndarray:
    """Full-rank squared Euclidean distances ``[k, D]``."""
    i, j = np.triu_indices(n, 1)
    z = np.random.default_rng(seed).normal(size=(k, n, n + 4))
    return ((z[:, i] - z[:, j]) ** 2).sum(axis=2)


def written_out(vectors: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Upper triangles of the RDMs of all drawn copies; copies of one stimulus are at distance 0."""
    n = len(counts)
    square = np.zeros((len(vectors), n, n))
    i, j = np.triu_indices(n, 1)
    square[:, i, j] = square[:, j, i] = vectors
    order = np.repeat(np.arange(n), counts.astype(int))
    drawn = square[:, order[:, None], order]
    i, j = np.triu_indices(len(order), 1)
    return drawn[:, i, j]


@pytest.mark.parametrize("method", ("bures", "bures_metric"))
@pytest.mark.parametrize("proper", [True, False])
@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt:RuntimeWarning")  # the peer's
def test_weights_equal_the_peer_on_copies_written_out(method: str, proper: bool) -> None:
    from rsatoolbox.rdm import RDMs, compare

    x, y = euclidean(3, 0), euclidean(2, 1)
    if not proper:  # crossvalidated distances are no distances: negative eigenvalues
        x, y = (v - 0.8 * v.mean() for v in (x, y))
    counts = np.random.default_rng(3).multinomial(N, np.full(N, 1 / N), 12).astype(float)
    ours = BuresKernel(x, y, method).values(counts, ceiling=False)
    assert np.isfinite(ours).mean() > 0.7  # a kernel whose trace is negative has no similarity
    for found, c in zip(ours, counts, strict=True):
        theirs = compare(RDMs(written_out(y, c)), RDMs(written_out(x, c)), method=method).T
        # eigenvalues that are 0 but for rounding, 1e-16, enter by their square root
        np.testing.assert_allclose(found, theirs, rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize("method", ("bures", "bures_metric"))
def test_all_ones_are_the_data_and_scale_does_not_matter(method: str) -> None:
    x, y = euclidean(3, 0), euclidean(2, 1)
    kernel = BuresKernel(x, y, method)
    ones, twos = kernel.values(np.array([np.ones(N), 2 * np.ones(N)]), ceiling=False)
    np.testing.assert_allclose(ones, apa.rdm_similarity(x, y, method=method), rtol=1e-7)
    np.testing.assert_allclose(ones, twos, rtol=1e-7)


def test_multiplicities_do_not_change_a_riemannian_distance() -> None:
    from scipy.linalg import eigvalsh

    # the invariance the kernel rests on: any weighted contrasts of the same stimuli
    n = 6
    i, j = np.triu_indices(n, 1)
    square = np.zeros((2, n, n))
    square[:, i, j] = square[:, j, i] = euclidean(2, 4, n)
    c = np.array([3.0, 1, 1, 2, 1, 4])

    def distance(contrasts: np.ndarray) -> float:
        a, b = contrasts @ (square / -2) @ contrasts.T
        return float(np.sqrt((np.log(eigvalsh(a, b)) ** 2).sum()))

    plain = np.hstack([-np.ones((n - 1, 1)), np.eye(n - 1)])
    weighted = np.sqrt(c)[:, None] * (np.eye(n) - np.outer(np.ones(n), c / c.sum()))
    basis = np.linalg.svd(weighted)[0][:, : n - 1].T
    assert distance(basis @ weighted) == pytest.approx(distance(plain), rel=1e-8)
    # so a resample is the subset of its stimuli
    x, y = euclidean(2, 0), euclidean(1, 1)
    kernel = DistinctKernel(x, y, "neg_riem_dist")
    counts = np.array([[2, 0, 1, 1, 1, 1, 1, 1, 1], [1, 0, 1, 1, 1, 1, 1, 1, 2]], float)
    one, two = kernel.values(counts, ceiling=False)
    np.testing.assert_array_equal(one, two)
    kept = (written_out(v, (counts[0] > 0).astype(float)) for v in (y, x))
    expected = apa.rdm_similarity(*kept, method="neg_riem_dist") * np.sqrt(8 / 7)
    np.testing.assert_allclose(one, expected.T, rtol=1e-9)


def test_stretched_subsets_have_the_variance_of_a_mean() -> None:
    # for a mean the delete-d jackknife is the usual variance, which says that the factor is right
    n = 12
    x = np.random.default_rng(0).normal(size=n)
    counts = subject_counts(n, 40_000, rng=1).matrix
    there = counts > 0
    subsets = (there @ x / there.sum(axis=1))[:, None, None]
    kernel = DistinctKernel(euclidean(1, 0, n), euclidean(1, 1, n), "neg_riem_dist")
    drawn = kernel.stretched(subsets, counts, np.full((1, 1, 1), x.mean()))
    assert drawn.std() == pytest.approx(x.std(ddof=1) / np.sqrt(n), rel=0.02)


@pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning")
@pytest.mark.parametrize("method", [*("bures", "bures_metric"), "neg_riem_dist"])
def test_through_the_public_verb(method: str) -> None:
    brain = RDMSet(
        euclidean(2, 0), pd.DataFrame({"subject": list("ab"), "roi": "V1"}), stimuli=range(N)
    )
    models = RDMSet(euclidean(1, 1), pd.DataFrame({"model": ["m"]}), stimuli=range(N))
    options = {"models": models, "method": method, "n_resamples": 12, "rng": 1, "interval": "t"}
    for cluster in ("stimulus", ("subject", "stimulus")):
        found = apa.bootstrap("score ~ model | roi", brain, cluster=cluster, **options)
        scores = apa.rdm_similarity(models.vectors, brain.vectors, method=method)
        np.testing.assert_allclose(found.table["estimate"], scores.mean(axis=1), rtol=1e-7)
        assert (found.table["std_error"] > 0).all()
        if method in ("bures", "bures_metric"):
            assert f"{method} has no pooled RDM: no noise ceilings" in found.notes
        else:
            np.testing.assert_allclose(found.replicates.mean(axis=0), found.table["estimate"])
            assert len(found.ceilings().table) == 2


def test_bures_ceilings_do_not_exist() -> None:
    kernel = BuresKernel(euclidean(2, 0), euclidean(1, 1), "bures")
    with pytest.raises(InputError, match="False: bures has no pooled RDM"):
        kernel.values(np.ones((1, N)), ceiling=True)


@pytest.mark.parametrize("bayesian", [False, True])
@pytest.mark.parametrize("method", ["bures", "cosine_cov"])
def test_bootstrap_spread_is_that_of_new_stimuli(method: str, bayesian: bool) -> None:
    n, seeds, make = 40, 60, subject_weights if bayesian else subject_counts
    mixing = np.random.default_rng(9).normal(size=(6, 6)) / np.sqrt(6)
    i, j = np.triu_indices(n, 1)

    def world(seed: int) -> tuple[np.ndarray, np.ndarray]:
        z = np.random.default_rng(seed).normal(size=(n, 6))
        x, y = z, z + z @ mixing
        return tuple(((v[i] - v[j]) ** 2).sum(axis=1)[None] for v in (x, y))

    estimates, errors = [], []
    for seed in range(seeds):
        setup = StimulusSetup(
            *world(seed), method, make(n, 60, rng=seed), None, np.arange(1), np.arange(n),
            False, False, bayesian,
        )  # fmt: skip
        found = stimulus_arrays(setup)
        estimates.append(found["estimate"][0])
        errors.append(found["std_error"][0])
    # SD of 60 studies: relative error 0.09, three of them
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(estimates, ddof=1), rel=0.3)
