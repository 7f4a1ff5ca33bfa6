"""Similarities of RDMs: definitions, scipy, explicit inverses, rsatoolbox, missing pairs, backends."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import apastats as apa
from apastats.errors import DataError, DegenerateWarning, InputError, MissingExtraError
from apastats.numbers import kendall
from apastats.numbers.backends import get_backend
from apastats.numbers.kendall import kendall_similarity
from apastats.numbers.ordering import sorted_rows
from apastats.scoring.methods import METHODS
from apastats.scoring.rdm_similarity import paired_similarity, similarity_counts
from apastats.scoring.similarity import mid_ranks

PRODUCT_METHODS = tuple(name for name, row in METHODS.items() if row.product)
FAST = (*PRODUCT_METHODS, "tau-a", "tau-b")


def euclidean(rng: np.random.Generator, k: int, n: int = 8) -> np.ndarray:
    """Squared Euclidean RDMs of full rank."""
    x = rng.standard_normal((k, n, 2 * n))
    i, j = np.triu_indices(n, 1)
    return ((x[:, i] - x[:, j]) ** 2).sum(-1)


def explicit_v(n: int, sigma: np.ndarray) -> np.ndarray:
    contrasts = []
    for i, j in itertools.combinations(range(n), 2):
        c = np.zeros(n)
        c[i], c[j] = 1, -1
        contrasts.append(c)
    c = np.array(contrasts)
    return (c @ sigma @ c.T) ** 2


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "neg_riem_dist"])
def test_agrees_with_rsatoolbox(rng: np.random.Generator, method: str) -> None:
    from rsatoolbox.rdm import RDMs, compare

    x, y = euclidean(rng, 3), euclidean(rng, 4)
    if not method.startswith("bures"):
        x[0], y[1] = np.round(x[0] / 10), np.round(y[1] / 10)  # ties
    theirs = compare(RDMs(x), RDMs(y), method=method)
    np.testing.assert_allclose(apa.rdm_similarity(x, y, method=method), theirs, rtol=0, atol=1e-10)


def test_slow_riemannian_distance_is_rsatoolboxs(rng: np.random.Generator) -> None:
    from rsatoolbox.rdm import RDMs, compare

    x, y = euclidean(rng, 1, 5), euclidean(rng, 2, 5)
    theirs = compare(RDMs(x), RDMs(y), method="neg_riem_dist")
    np.testing.assert_allclose(apa.rdm_similarity(x, y, method="neg_riem_dist"), theirs, atol=1e-12)
    with pytest.raises(DataError, match="no full-rank Euclidean"):
        apa.rdm_similarity(-x, -x, method="neg_riem_dist")


@pytest.mark.parametrize("method", [m for m in FAST if m != "rho-a"])
def test_self_similarity_is_one(rng: np.random.Generator, method: str) -> None:
    x = euclidean(rng, 3)
    np.testing.assert_allclose(np.diag(apa.rdm_similarity(x, x, method=method)), 1, atol=1e-12)


@pytest.mark.parametrize("tied", [False, True])
def test_rank_methods_agree_with_scipy(rng: np.random.Generator, tied: bool) -> None:
    x, y = rng.random((2, 36)), rng.random((3, 36))
    if tied:
        x, y = np.floor(5 * x), np.floor(5 * y)
    for method, reference in (("spearman", stats.spearmanr), ("tau-b", stats.kendalltau)):
        expected = [[reference(a, b).statistic for b in y] for a in x]
        np.testing.assert_allclose(apa.rdm_similarity(x, y, method=method), expected, atol=1e-12)
    np.testing.assert_array_equal(
        apa.rdm_similarity(x, y, method="kendall"), apa.rdm_similarity(x, y, method="tau-b")
    )


def test_rho_a_is_spearman_under_random_tie_breaking(rng: np.random.Generator) -> None:
    x, y = np.array([1.0, 1, 2, 3, 3, 5]), np.array([2.0, 1, 1, 4, 3, 3])

    def broken(v: np.ndarray) -> list[np.ndarray]:
        orders = set()
        for p in itertools.permutations(range(len(v))):
            orders.add(tuple(np.lexsort((p, v)).argsort()))
        return [np.array(o) for o in orders]

    every = [stats.spearmanr(a, b).statistic for a in broken(x) for b in broken(y)]
    np.testing.assert_allclose(
        apa.rdm_similarity(x, y, method="rho-a")[0, 0], np.mean(every), atol=1e-12
    )


@pytest.mark.parametrize("shape", ["none", "diagonal", "full"])
@pytest.mark.parametrize("method", ["cosine_cov", "corr_cov"])
def test_whitened_is_the_product_with_the_inverse(
    rng: np.random.Generator, method: str, shape: str
) -> None:
    n = 6
    x, y = euclidean(rng, 2, n), euclidean(rng, 3, n)
    if shape == "none":
        sigma_k, sigma = None, np.eye(n)
    elif shape == "diagonal":
        sigma_k = rng.random(n) + 0.5
        sigma = np.diag(sigma_k)
    else:
        a = rng.standard_normal((n, 2 * n))
        sigma_k = sigma = a @ a.T / n
    inverse = np.linalg.inv(explicit_v(n, sigma))
    z = [v - v.mean(1, keepdims=True) if method == "corr_cov" else v for v in (x, y)]
    k = [np.einsum("ij,jk,ik->i", v, inverse, v) for v in z]
    expected = z[0] @ inverse @ z[1].T / np.sqrt(np.outer(*k))
    found = apa.rdm_similarity(x, y, method=method, sigma_k=sigma_k)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_full_covariance_agrees_with_rsatoolbox_up_to_its_solver(rng: np.random.Generator) -> None:
    from rsatoolbox.rdm import RDMs, compare

    a = rng.standard_normal((8, 16))
    x, y, sigma = euclidean(rng, 2), euclidean(rng, 3), a @ a.T / 16
    theirs = compare(RDMs(x), RDMs(y), method="cosine_cov", sigma_k=sigma)
    # rsatoolbox solves by conjugate gradients with a relative tolerance of 1e-5
    np.testing.assert_allclose(
        apa.rdm_similarity(x, y, method="cosine_cov", sigma_k=sigma), theirs, atol=1e-5
    )


@pytest.mark.parametrize("method", FAST)
def test_missing_stimuli_are_pairwise_complete(rng: np.random.Generator, method: str) -> None:
    n = 8
    x, y = euclidean(rng, 3), euclidean(rng, 2)
    i, j = np.triu_indices(n, 1)
    keep = ~((i == 3) | (j == 3)), ~((i == 5) | (j == 5))
    gaps_x, gaps_y = x.copy(), y.copy()
    gaps_x[1, ~keep[0]] = np.nan
    gaps_y[0, ~keep[1]] = np.nan
    scores, count = similarity_counts(gaps_x, gaps_y, method)
    np.testing.assert_array_equal(count, [[21, 28], [15, 21], [21, 28]])
    both = keep[0] & keep[1]
    alone = apa.rdm_similarity(x[1:2, both], y[:1, both], method=method)
    np.testing.assert_allclose(scores[1, 0], alone[0, 0], atol=1e-12)
    whole = apa.rdm_similarity(x[[0, 2]], y[1:], method=method)
    np.testing.assert_allclose(scores[[0, 2], 1:], whole, atol=1e-12)
    paired = paired_similarity(gaps_x[:2], gaps_y[:2], method)
    np.testing.assert_allclose(paired, [scores[0, 0], scores[1, 1]], atol=1e-12)


def test_whitening_with_single_missing_pairs_uses_the_marginal_covariance(
    rng: np.random.Generator,
) -> None:
    from rsatoolbox.rdm import RDMs, compare

    x, y = euclidean(rng, 2), euclidean(rng, 2)
    x[:, 4] = y[:, 4] = np.nan
    theirs = compare(RDMs(x), RDMs(y), method="cosine_cov")
    np.testing.assert_allclose(apa.rdm_similarity(x, y, method="cosine_cov"), theirs, atol=1e-10)


def test_missing_pairs_never_match_by_position(rng: np.random.Generator) -> None:
    x, y = rng.random((1, 28)), rng.random((1, 28))
    x[0, :3], y[0, 3:6] = np.nan, np.nan
    expected = np.corrcoef(x[0, 6:], y[0, 6:])[0, 1]
    np.testing.assert_allclose(apa.rdm_similarity(x, y)[0, 0], expected, atol=1e-12)


def test_degenerate_rdms_give_nan_with_a_warning() -> None:
    x, flat, zero = np.array([[1.0, 2, 3]]), np.full((1, 3), 0.1), np.zeros((1, 3))
    for method, y in (("corr", flat), ("spearman", flat), ("tau-b", flat), ("cosine", zero)):
        with pytest.warns(DegenerateWarning, match="1 of 1 scores are NaN"):
            assert np.isnan(apa.rdm_similarity(x, y, method=method)).all()
    # without a correction for ties the score of a constant is defined: 0
    assert apa.rdm_similarity(x, flat, method="rho-a")[0, 0] == 0
    assert apa.rdm_similarity(x, flat, method="tau-a")[0, 0] == 0
    apart = np.array([[1.0, np.nan, np.nan]]), np.array([[np.nan, 1.0, 2.0]])
    with pytest.warns(DegenerateWarning):
        apa.rdm_similarity(*apart)


@pytest.mark.parametrize("method", FAST)
def test_batch_does_not_change_the_answer(rng: np.random.Generator, method: str) -> None:
    x, y = euclidean(rng, 9), euclidean(rng, 4)
    whole = apa.rdm_similarity(x, y, method=method)
    for batch in (1, 2, 4, 100):
        found = apa.rdm_similarity(x, y, method=method, batch=batch)
        np.testing.assert_allclose(found, whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize("method", PRODUCT_METHODS)
def test_backends_agree(rng: np.random.Generator, method: str) -> None:
    pytest.importorskip("torch")
    x, y = euclidean(rng, 4), np.round(euclidean(rng, 5) / 10)
    numpy = apa.rdm_similarity(x, y, method=method)
    torch = apa.rdm_similarity(x, y, method=method, backend="torch")
    np.testing.assert_allclose(torch, numpy, rtol=0, atol=1e-12)
    for backend in ("numpy", "torch"):
        single = apa.rdm_similarity(x, y, method=method, backend=backend, dtype="float32")
        np.testing.assert_allclose(single, numpy, rtol=0, atol=2e-5)
    a = rng.standard_normal((8, 16))
    if method.endswith("_cov"):
        numpy, torch = (
            apa.rdm_similarity(x, y, method=method, sigma_k=a @ a.T, backend=b)
            for b in ("numpy", "torch")
        )
        np.testing.assert_allclose(torch, numpy, rtol=0, atol=1e-12)


def test_backend_arguments() -> None:
    with pytest.raises(InputError, match="backend: got 'jax'"):
        get_backend("jax")
    with pytest.raises(InputError, match="dtype: got 'float16'"):
        get_backend(dtype="float16")
    with pytest.raises(InputError, match="device: got 'cuda'; allowed: 'cpu' with backend='numpy'"):
        get_backend("numpy", "cuda")
    pytest.importorskip("torch")
    with pytest.raises(InputError, match="device: got 'nonsense'"):
        get_backend("torch", "nonsense")


def test_missing_torch_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'apastats\[torch\]'"):
        get_backend("torch")


def test_sets_of_rdms_are_matched_by_name(rng: np.random.Generator) -> None:
    from rsatoolbox.rdm import RDMs

    x, y = rng.random((3, 15)), rng.random((2, 15))
    expected = apa.rdm_similarity(x, y)
    names = list("abcdef")
    theirs = [RDMs(z.copy(), pattern_descriptors={"conds": list(names)}) for z in (x, y)]
    np.testing.assert_array_equal(apa.rdm_similarity(*theirs), expected)
    ours = apa.RDMSet(x, pd.DataFrame({"model": list("pqr")}), names)
    theirs[1].reorder(np.array([3, 1, 0, 5, 2, 4]))
    assert not np.allclose(theirs[1].dissimilarities, y)
    np.testing.assert_allclose(apa.rdm_similarity(ours, theirs[1]), expected, atol=1e-14)
    np.testing.assert_array_equal(apa.rdm_similarity(ours.matrices(), y), expected)
    part = theirs[1].subset_pattern("conds", list("abcd"))
    i, j = np.triu_indices(6, 1)
    kept = (i < 4) & (j < 4)
    np.testing.assert_allclose(
        apa.rdm_similarity(ours, part), apa.rdm_similarity(x[:, kept], y[:, kept]), atol=1e-14
    )


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([["a", "b", "c"]], "x: got dtype"),
        ([[1.0, 2.0, np.inf]], "x: got 'infinite entries'"),
        ([[1.0 + 1j, 2.0, 3.0]], "x: got dtype"),
        ([[1.0, 2.0], [1.0]], "x: got 'rows of unequal length'"),
    ],
)
def test_entries_that_are_no_numbers(x: list, message: str) -> None:
    for method in ("corr", "tau-a"):
        with pytest.raises(InputError, match=message):
            apa.rdm_similarity(x, [[1.0, 2.0, 3.0]], method=method)


def test_pairs_that_are_no_triangle(rng: np.random.Generator) -> None:
    x = rng.random((2, 14))
    assert apa.rdm_similarity(x, x).shape == (2, 2)
    for method in ("cosine_cov", "corr_cov", "bures", "neg_riem_dist"):
        with pytest.raises(InputError, match=r"x: got \(2, 14\).*pairs of n stimuli"):
            apa.rdm_similarity(x, x, method=method)
    with pytest.raises(InputError, match="batch: got True"):
        apa.rdm_similarity(x, x, batch=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "pearson"}, "method: got 'pearson'"),
        ({"y": np.ones((1, 6))}, "RDMs of 10 pairs"),
        ({"batch": 0}, "batch: got 0"),
        ({"sigma_k": np.ones(5)}, "None with method='corr'"),
        ({"method": "corr_cov", "sigma_k": np.ones(4)}, "one per stimulus"),
        ({"method": "corr_cov", "sigma_k": np.triu(np.ones((5, 5)))}, "a symmetric matrix"),
        ({"method": "corr_cov", "sigma_k": np.ones((5, 5))}, "a positive definite matrix"),
        ({"x": np.empty((0, 10))}, "x: got"),
    ],
)
def test_bad_arguments(rng: np.random.Generator, arguments: dict, message: str) -> None:
    given_ = {"x": rng.random((2, 10)), "y": rng.random((2, 10))} | arguments
    with pytest.raises(InputError, match=message):
        apa.rdm_similarity(given_.pop("x"), given_.pop("y"), **given_)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 400),
    st.sampled_from([0, 2, 10, 1000]),
    st.integers(0, 2**31),
)
def test_kendall_law(n: int, levels: int, seed: int) -> None:
    """Any length, any ties: tau-b is scipy's, and tau-a counts pairs by definition."""
    rng = np.random.default_rng(seed)
    x, y = rng.random((2, n)), rng.random((3, n))
    if levels:
        x[0], y[:2] = np.floor(levels * x[0]), np.floor(levels * y[:2])
    sign = [np.sign(v[:, :, None] - v[:, None, :]) for v in (x, y)]
    expected = np.einsum("aij,bij->ab", *sign) / (n * (n - 1))
    np.testing.assert_allclose(kendall_similarity(x, y), expected, rtol=0, atol=1e-12)
    theirs = [[stats.kendalltau(a, b).statistic for b in y] for a in x]
    np.testing.assert_allclose(kendall_similarity(x, y, variant="tau-b"), theirs, atol=1e-12)


def test_kendall_of_long_vectors_is_split(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = rng.random((1, 9000)), rng.random((2, 9000))
    y[1] = np.floor(50 * y[1])
    whole = kendall_similarity(x, y)
    monkeypatch.setattr(kendall, "LONGEST", 100)  # two levels of splitting
    np.testing.assert_array_equal(kendall_similarity(x, y), whole)
    np.testing.assert_allclose(
        kendall_similarity(x, y, variant="tau-b")[0],
        [stats.kendalltau(x[0], v).statistic for v in y],
    )


SIZES = [
    2,
    3,
    32,
    33,
    63,
    64,
    65,
    512,
    513,
    1025,
    4950,
    5151,
    5184,
    5240,
    5360,
    16500,
    31744,
    31745,
]


@pytest.mark.parametrize("n", SIZES)
def test_kendall_of_every_cut(rng: np.random.Generator, n: int) -> None:
    x, y = rng.standard_normal((3, n)), rng.standard_normal((4, n))
    x[1:], y[1:] = np.round(x[1:], 1), np.round(y[1:], 1)
    y[3] = np.round(x[1] + y[3])
    expected = [[stats.kendalltau(p, q).statistic for q in y] for p in x]
    np.testing.assert_allclose(kendall_similarity(x, y, variant="tau-b"), expected, atol=1e-12)
    found = kendall_similarity(x, y)
    for batch in (1, 3, 100):
        np.testing.assert_array_equal(kendall_similarity(x, y, batch=batch), found)
    np.testing.assert_array_equal(kendall_similarity(y, x), found.T)
    # no count overflows where all pairs are inversions
    assert kendall_similarity(x[:1], -x[:1]) == -1


@pytest.mark.parametrize("n", [5, 70, 5000, 40000])
def test_orders_and_ranks(rng: np.random.Generator, n: int) -> None:
    normal = rng.standard_normal(n)
    rows = np.stack(
        [
            normal,
            np.exp(4 * normal),
            np.floor(5 * normal),
            np.sort(normal),
            1e-9 * normal + 1,
            np.ones(n),
        ]
    )
    np.testing.assert_array_equal(sorted_rows(rows)[0], np.argsort(rows, axis=1, kind="stable"))
    np.testing.assert_array_equal(mid_ranks(rows), stats.rankdata(rows, axis=1))
    single = rows[:4].astype("f4")
    np.testing.assert_array_equal(sorted_rows(single)[0], np.argsort(single, axis=1, kind="stable"))
