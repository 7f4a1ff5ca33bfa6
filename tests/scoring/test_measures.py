"""Measures against implementations written from the papers' formulas, identities, and what the table says of them."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

import apastats as apa
from apastats.errors import (
    DataError,
    DegenerateWarning,
    DesignError,
    InputError,
    PseudoreplicationWarning,
)
from apastats.numbers.grams import debiased_metric, debiased_rows, kernel_rows, metric_similarity
from apastats.reporting.works import WORKS
from apastats.scoring.measures.measure import MEASURES, measures_page
from apastats.scoring.methods import METHODS

TIGHT = 1e-10  # two orders of the same sums
N = 24
GRAM = ("cka", "cka-debiased", "cka-rbf", "procrustes", "bures", "mutual-knn")


def pair(n: int = N, p: int = 7, q: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p))
    return x, 3 + x[:, :q] + 0.8 * rng.standard_normal((n, q))


def value(x: np.ndarray, y: np.ndarray, measure: Any, **options: Any) -> float:
    """Score of a model with features x for a brain y."""
    table = apa.score_patterns(
        {("s", "r"): y}, {("m", "l"): x}, measure=measure, references=None, **options
    )
    return float(table.frame["score"].item())


# ------------------------------------------------------------- the papers' formulas
def centring(n: int) -> np.ndarray:
    return np.eye(n) - 1 / n


def hsic(k: np.ndarray, m: np.ndarray) -> float:
    """Gretton et al. 2005."""
    h = centring(len(k))
    return float(np.trace(k @ h @ m @ h)) / (len(k) - 1) ** 2


def unbiased_hsic(k: np.ndarray, m: np.ndarray) -> float:
    """Song et al. 2012, equation 5."""
    n = len(k)
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    one = np.ones(n)
    first = np.trace(k @ m)
    second = (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    third = 2 / (n - 2) * (one @ k @ m @ one)
    return float(first + second - third) / (n * (n - 3))


def aligned(x: np.ndarray, y: np.ndarray, of: Callable[..., float]) -> float:
    return of(x, y) / np.sqrt(of(x, x) * of(y, y))


def gaussian(x: np.ndarray, sigma: float = 0.8) -> np.ndarray:
    d = squareform(pdist(x))
    return np.asarray(np.exp(-(d**2) / (2 * (sigma * np.median(pdist(x))) ** 2)))


def unit(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(axis=0)
    return x / np.linalg.norm(x)


def best_rotation(x: np.ndarray, y: np.ndarray) -> float:
    """Inner product at the best orthogonal map of zero-padded patterns (Williams et al. 2021)."""
    from scipy.linalg import orthogonal_procrustes

    size = max(x.shape[1], y.shape[1])
    x, y = (np.pad(unit(v), ((0, 0), (0, size - v.shape[1]))) for v in (x, y))
    rotation, _ = orthogonal_procrustes(x, y)
    return float(((x @ rotation) * y).sum())


def fidelity(x: np.ndarray, y: np.ndarray) -> float:
    """tr (K^1/2 L K^1/2)^1/2 / (tr K tr L)^1/2 (Harvey et al. 2024), by eigenvalues of KL."""
    k, m = (centring(len(v)) @ v @ v.T @ centring(len(v)) for v in (x, y))
    # the rest are 0, and roots of what rounding makes of them are known to half the digits
    rank = min(len(x) - 1, x.shape[1], y.shape[1])
    values = np.sort(np.linalg.eigvals(k @ m).real)[-rank:]
    return float(np.sqrt(values).sum() / np.sqrt(np.trace(k) * np.trace(m)))


def neighbours(x: np.ndarray, k: int) -> list[set[int]]:
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    d = 1 - x @ x.T
    return [set([j for j in np.argsort(row) if j != i][:k]) for i, row in enumerate(d)]


def mutual(x: np.ndarray, y: np.ndarray, k: int = 10) -> float:
    both = zip(neighbours(x, k), neighbours(y, k), strict=True)
    return float(np.mean([len(a & b) / k for a, b in both]))


def correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.corrcoef(x.T, y.T)[: x.shape[1], x.shape[1] :]


def best_matching(x: np.ndarray, y: np.ndarray) -> float:
    """All one-to-one matchings, one by one."""
    r = correlations(x, y)
    r = r if r.shape[0] >= r.shape[1] else r.T
    n = r.shape[1]
    return max(
        float(np.mean(r[list(p), range(n)])) for p in itertools.permutations(range(len(r)), n)
    )


def transport(x: np.ndarray, y: np.ndarray) -> float:
    """The linear programme of Khosla and Williams 2024."""
    from scipy.optimize import linprog

    r = correlations(x, y)
    p, q = r.shape
    rows = np.kron(np.eye(p), np.ones(q))
    columns = np.kron(np.ones(p), np.eye(q))
    mass = np.r_[np.full(p, 1 / p), np.full(q, 1 / q)]
    found = linprog(-r.ravel(), A_eq=np.vstack([rows, columns]), b_eq=mass, method="highs")
    return float(-found.fun)


def gram(x: np.ndarray) -> np.ndarray:
    return x @ x.T


FORMULAS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "cka": lambda x, y: aligned(gram(x), gram(y), hsic),
    "cka-debiased": lambda x, y: aligned(gram(x), gram(y), unbiased_hsic),
    "cka-rbf": lambda x, y: aligned(gaussian(x), gaussian(y), hsic),
    "procrustes": lambda x, y: 1 - 2 * np.arccos(best_rotation(x, y)) / np.pi,
    "bures": fidelity,
    "mutual-knn": mutual,
    "soft-matching": transport,
    "pairwise-matching": best_matching,
}


@pytest.mark.parametrize("shape", [(7, 5), (30, 40), (4, 30)])
@pytest.mark.parametrize("name", FORMULAS)
def test_the_formula_of_the_paper(name: str, shape: tuple[int, int]) -> None:
    if name == "pairwise-matching" and shape != (7, 5):
        shape = (8, 3) if shape[0] > shape[1] else (3, 8)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((N, shape[0]))
    y = 2 + x[:, :1] + rng.standard_normal((N, shape[1]))
    expected = FORMULAS[name](x, y)
    assert value(x, y, name) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["cca", "pwcca", "svcca"])
def test_canonical_correlations_are_scikit_learns(name: str) -> None:
    from sklearn.cross_decomposition import CCA
    from sklearn.decomposition import PCA

    x, y = pair(200, 6, 4)
    shown = x
    if name == "svcca":  # what holds 99 % of the variance
        x = np.hstack([x, 1e-3 * np.random.default_rng(2).standard_normal((200, 3))])
        shown = PCA(6).fit_transform(x)
    # the power method stops by the square of a step: at 1e-14 its variates have 7 digits
    fit = CCA(4, scale=False, max_iter=50_000, tol=1e-28).fit(shown, y)
    a, b = fit.transform(shown, y)
    r = np.array([np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(4)])
    variates = b / np.linalg.norm(b, axis=0)
    weight = np.abs(variates.T @ (y - y.mean(axis=0))).sum(axis=1)
    expected = np.average(r, weights=weight) if name == "pwcca" else r.mean()
    found = value(x, y, apa.measure(name, cross_validated=False))
    assert found == pytest.approx(expected, abs=1e-9)


# by repsim 0.1.5: tests/reference/scripts/repsim_measures.py
REPSIM = {"cka": 0.603952110883413, "cca": 0.8072081901166464, "pwcca": 0.8081154645935988}


def test_repsim_gives_the_same_numbers() -> None:
    x, y = pair(200, 6, 5, seed=4)

    def plain(name: str, a: np.ndarray, b: np.ndarray) -> float:
        return value(a, b, apa.measure(name, cross_validated=False))

    assert value(x, y, "cka") == pytest.approx(REPSIM["cka"], abs=1e-12)
    assert plain("cca", x, y) == pytest.approx(REPSIM["cca"], abs=1e-12)
    # its pwcca is the mean of both directions
    both = (plain("pwcca", x, y) + plain("pwcca", y, x)) / 2
    assert both == pytest.approx(REPSIM["pwcca"], abs=1e-12)


def test_plain_canonical_correlations_need_fewer_features_than_stimuli() -> None:
    x, y = pair(20, 20, 5)
    for name in ("cca", "pwcca"):
        with pytest.raises(DesignError, match="are 1 whatever"):
            value(x, y, apa.measure(name, cross_validated=False))
    assert value(*pair(20, 25, 5), "cca") < 1
    with pytest.raises(DesignError, match="a fold needs 3"):
        value(*pair(12, 3, 3), "cca")


def test_partial_least_squares_are_scikit_learns() -> None:
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.model_selection import KFold

    x, y = pair(60, 8, 6)
    found = value(x, y, apa.measure("pls", n_component=3))
    r = []
    for train, test in KFold(5, shuffle=True, random_state=1).split(x):
        p = PLSRegression(3, scale=False).fit(x[train], y[train]).predict(x[test])
        r.append([np.corrcoef(p[:, k], y[test, k])[0, 1] for k in range(6)])
    assert found == pytest.approx(np.median(np.mean(r, axis=0)), abs=TIGHT)


def test_partial_least_squares_that_take_long_are_iterated_to_the_end() -> None:
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.model_selection import KFold

    rng = np.random.default_rng(10)  # scikit-learn ends one fold of these at 500 iterations
    x, y = rng.standard_normal((100, 300)), rng.standard_normal((100, 50))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = value(x, y, apa.measure("pls"))
    r = []
    for train, test in KFold(5, shuffle=True, random_state=1).split(x):
        made = PLSRegression(25, scale=False, max_iter=100_000).fit(x[train], y[train])
        predicted = made.predict(x[test])
        r.append([np.corrcoef(a, b)[0, 1] for a, b in zip(y[test].T, predicted.T, strict=True)])
    assert found == pytest.approx(np.median(np.mean(r, axis=0)), abs=1e-8)


@pytest.mark.parametrize("gap", [0.0, 1e-3, 1e-5, 1e-8])
def test_components_that_are_nearly_as_strong_converge(gap: float) -> None:
    x = np.random.default_rng(0).standard_normal((40, 4))
    x, _ = np.linalg.qr(x - x.mean(axis=0))
    y = x[:, :2] * [1 + gap, 1] @ [[0.6, 0.8], [0.8, -0.6]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert value(x, y, apa.measure("pls", n_component=2)) > 0.95


def test_ridge_is_linear_predictivity_and_its_kin_follow() -> None:
    x, y = pair(60, 8, 6)
    both = {("s", "r"): y}, {("m", "l"): x}
    forward = apa.linear_predictivity(*both).frame["score"].item()
    backward = apa.linear_predictivity({("s", "r"): x}, {("m", "l"): y}).frame["score"].item()
    assert value(x, y, "ridge") == pytest.approx(forward, abs=TIGHT)
    assert value(x, y, "reverse") == pytest.approx(backward, abs=TIGHT)
    assert value(x, y, "symmetric") == pytest.approx((forward + backward) / 2, abs=TIGHT)


def test_pearson_ridge_is_scikit_learns() -> None:
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold

    x, y = pair(60, 8, 6)
    z, t = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (x, y))
    alphas = [1.0, 10.0, 100.0]
    r = []
    for train, test in KFold(5, shuffle=True, random_state=1).split(z):
        p = RidgeCV(alphas).fit(z[train], t[train]).predict(z[test])
        r.append(np.mean([np.corrcoef(p[:, k], t[test, k])[0, 1] for k in range(6)]))
    found = value(x, y, apa.measure("pearson-ridge", alphas=alphas))
    assert found == pytest.approx(np.mean(r), abs=1e-9)


def test_versa_is_rsa_of_predictions() -> None:
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold

    x, y = pair(40, 8, 6)
    z, t = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (x, y))
    r = []
    for train, test in KFold(2, shuffle=True, random_state=1).split(z):
        p = RidgeCV([1.0, 10.0]).fit(z[train], t[train]).predict(z[test])
        p = p * y.std(axis=0) + y.mean(axis=0)
        rdms = pdist(p, "correlation"), pdist(y[test], "correlation")
        r.append(np.corrcoef(*rdms)[0, 1])
    found = value(x, y, apa.measure("versa", alphas=[1.0, 10.0]))
    assert found == pytest.approx(np.mean(r), abs=1e-9)


# ------------------------------------------------------------- identities
def test_cka_is_whitened_rsa_of_euclidean_distances() -> None:
    x, y = pair(20, 30, 12)
    old = value(x, y, "rsa", distance="euclidean", method="cosine_cov")
    assert value(x, y, "cka") == pytest.approx(old, abs=1e-9)


def test_bures_is_the_cosine_of_the_procrustes_angle() -> None:
    x, y = pair(20, 30, 12)
    angle = np.pi / 2 * (1 - value(x, y, "procrustes"))
    assert np.cos(angle) == pytest.approx(value(x, y, "bures"), abs=TIGHT)


def test_transport_of_equal_sizes_is_an_assignment() -> None:
    x, y = pair(20, 9, 9)
    assert value(x, y, "soft-matching") == value(x, y, "pairwise-matching")
    assert value(x, y, "soft-matching") == pytest.approx(transport(x, y), abs=1e-9)


def test_debiased_cka_of_independent_data_is_0_on_average() -> None:
    rng = np.random.default_rng(5)
    for n in (16, 32, 64, 128):
        x, y = rng.standard_normal((2, 200, n, 60))
        left, right = (v @ v.transpose(0, 2, 1) for v in (x, y))
        metric = debiased_metric(n)
        rows = debiased_rows(left), debiased_rows(right)
        found = np.array(
            [metric_similarity(a[None], b[None], metric)[0, 0] for a, b in zip(*rows, strict=True)]
        )
        error = found.std(ddof=1) / np.sqrt(len(found))
        assert abs(found.mean()) < 3.5 * error
        plain = kernel_rows(left[:20]), kernel_rows(right[:20])
        assert np.diag(metric_similarity(*plain)).mean() > 10 * abs(found.mean())


@pytest.mark.parametrize("counts", [np.r_[2, 0, 3, np.ones(9, dtype=int)], np.ones(12, dtype=int)])
def test_weights_are_copies_written_out(counts: np.ndarray) -> None:
    x, y = pair(12)
    rows = np.repeat(np.arange(12), counts)
    grams = np.stack([gram(x), gram(y)])
    found = metric_similarity(*(kernel_rows(g[None], counts) for g in grams))[0, 0]
    assert found == pytest.approx(aligned(gram(x[rows]), gram(y[rows]), hsic), abs=TIGHT)
    # unbiased: the mean over tuples of distinct stimuli, by brute force
    k, m = grams
    i, j, q, r = np.array(list(itertools.permutations(range(12), 4))).T
    weight = counts[i] * counts[j] * counts[q] * counts[r]
    expected = np.average(k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]), weights=weight)
    a, b = (debiased_rows(g[None], counts) for g in grams)
    value_ = float(((a * debiased_metric(12, counts)) @ b.T)[0, 0])
    assert value_ == pytest.approx(expected, rel=1e-9)
    if (counts == 1).all():
        assert value_ == pytest.approx(unbiased_hsic(k, m), rel=1e-9)


# ------------------------------------------------------------- what the table says holds
def rotated(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x @ np.linalg.qr(rng.standard_normal((x.shape[1], x.shape[1])))[0]


CHANGES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "rotation": rotated,
    "scaling": lambda x, rng: 2.5 * x,
    "shift": lambda x, rng: x + rng.standard_normal(x.shape[1]),
    "permutation of units": lambda x, rng: rng.permutation(x, axis=1),
    "scaling of units": lambda x, rng: x * rng.uniform(0.5, 2, x.shape[1]),
    "scaling of single features": lambda x, rng: x * rng.uniform(0.5, 2, x.shape[1]),
}


@pytest.mark.parametrize("name", [n for n in MEASURES if n != "rsa"])
def test_invariances(name: str) -> None:
    x, y = pair(60, 6, 6)
    y = y - 2  # a mean that is not 0, and not far from it
    rng = np.random.default_rng(3)
    for change in MEASURES[name].invariant:
        if change in CHANGES:
            changed = value(CHANGES[change](x, rng), CHANGES[change](y, rng), name)
        elif change == "scaling of features of the predictor":
            changed = value(CHANGES["scaling of single features"](x, rng), y, name)
        elif change in ("rotation of the predictor", "any linear map, in the plain form"):
            plain = "linear" in change
            measure = apa.measure(name, cross_validated=False) if plain else name
            map_ = rng.standard_normal((6, 6)) if plain else None
            mapped = x @ map_ if plain else rotated(x, rng)
            assert value(mapped, y, measure) == pytest.approx(value(x, y, measure), abs=1e-8)
            continue
        else:
            pytest.fail(f"no change for {change!r}")
        assert changed == pytest.approx(value(x, y, name), abs=1e-8), change


@pytest.mark.parametrize("name", [n for n in MEASURES if n != "rsa"])
def test_symmetry_range_and_identical_data(name: str) -> None:
    x, y = pair(60, 6, 6)
    m = MEASURES[name]
    forward, backward = value(x, y, name), value(y, x, name)
    assert (abs(forward - backward) < 1e-9) == m.symmetric
    same = value(x, x, name)
    assert same == pytest.approx(1.0, abs=1e-7 if m.identical == "1" else 0.1)
    for found in (forward, backward, same):
        assert m.low <= found <= m.high + 1e-9
    noise = [value(pair(60, seed=s)[0], pair(60, seed=s + 50)[1], name) for s in range(6)]
    if m.independent == "0":
        assert abs(np.mean(noise)) < 0.15
    elif m.independent.startswith("above 0"):
        assert np.mean(noise) > 0.05
    elif m.independent == "k / (n - 1)":
        assert np.mean(noise) == pytest.approx(10 / 59, abs=0.05)
    else:
        assert np.mean(noise) < 0.05


def test_names_sources_and_options_are_known() -> None:
    for name, m in MEASURES.items():
        assert m.name == name
        assert set(m.sources) <= set(WORKS)
        assert set(m.options) == set(m.rules)
        for option, default in m.options.items():
            assert m.rules[option](option, default) == default, option
    # a metric of one name is one number, from patterns and from RDMs
    assert set(MEASURES) & set(METHODS) == {"bures"}
    x, y = pair()
    rdms = [pdist(v, "sqeuclidean")[None] for v in (x, y)]
    found = apa.rdm_similarity(*rdms, method="bures")[0, 0]
    assert value(x, y, "bures") == pytest.approx(found, abs=1e-6)


def test_the_page_holds_the_table(repository: Path) -> None:
    assert measures_page() in (repository / "docs" / "measures.md").read_text("utf-8")


# ------------------------------------------------------------- tables of scores
def people() -> tuple[dict[tuple[str, str], np.ndarray], dict[tuple[str, str], np.ndarray]]:
    rng = np.random.default_rng(8)
    common = rng.standard_normal((20, 6))
    brain = {
        (s, r): common + rng.standard_normal((20, 6)) for s in ("a", "b", "c") for r in ("V1", "V4")
    }
    return brain, {("m", str(k)): rng.standard_normal((20, 4 + k)) for k in range(3)}


@pytest.mark.parametrize("name", MEASURES)
def test_all_rows_are_by_the_same_measure(name: str) -> None:
    brain, models = people()
    measure = apa.measure(name, n_fold=2) if "n_fold" in MEASURES[name].rules else name
    frame = apa.score_patterns(brain, models, measure=measure).frame
    assert frame["kind"].value_counts().to_dict() == {
        "model": 18,
        "subject_to_subject": 24,
        "leave_one_out": 12,
    }
    assert set(frame["metric"]) == {"corr" if name == "rsa" else name}
    rest = frame.set_index(["kind", "model", "layer", "subject", "roi"])["score"]
    others = (brain["b", "V4"] + brain["c", "V4"]) / 2
    for key, predictor in {
        ("model", "m", "1"): models["m", "1"],
        ("subject_to_subject", "b", "V4"): brain["b", "V4"],
        ("leave_one_out", "others", "V4"): others,
    }.items():
        expected = value(predictor, brain["a", "V1"], measure)
        assert rest[(*key, "a", "V1")] == pytest.approx(expected, abs=TIGHT)


@pytest.mark.parametrize("name", MEASURES)
def test_batches_and_torch_change_nothing(name: str) -> None:
    brain, models = people()
    measure = apa.measure(name, n_fold=2) if "n_fold" in MEASURES[name].rules else name
    whole = apa.score_patterns(brain, models, measure=measure).frame["score"]
    for options in ({"batch": 1}, {"batch": 2}, {"backend": "torch"}):
        found = apa.score_patterns(brain, models, measure=measure, **options).frame["score"]
        np.testing.assert_allclose(found, whole, rtol=0, atol=TIGHT)


def test_ceilings_and_layers_follow() -> None:
    brain, models = people()
    table = apa.score_patterns(brain, models, measure=["cka-debiased", "procrustes"])
    for name in ("cka-debiased", "procrustes"):
        part = table.where(metric=name)
        ceiling = apa.noise_ceiling(part, kind="leave_one_out").table
        mean = part.where(kind="leave_one_out").frame.query("layer == roi").groupby("roi")
        np.testing.assert_allclose(ceiling["estimate"], mean["score"].mean())
        assert set(apa.select_layer(part, on="cross_subject").frame["kind"]) >= {"model"}


def test_pairs_of_train_and_test() -> None:
    brain, models = people()
    cut = [{k: (v[:12], v[12:]) for k, v in sets.items()} for sets in (brain, models)]
    for name in ("ridge", "pls", "versa"):
        found = apa.score_patterns(*cut, measure=apa.measure(name, n_fold=2)).frame
        assert found["split"].value_counts().to_dict() == {"train": 54, "test": 54}
    with pytest.raises(InputError, match="for encoding measures"):
        apa.score_patterns(*cut, measure="cka")


def test_a_measure_of_ones_own() -> None:
    def overlap(x: np.ndarray, y: np.ndarray, power: int = 1) -> float:
        return float(np.corrcoef(x.mean(axis=1), y.mean(axis=1))[0, 1] ** power)

    brain, models = people()
    found = apa.score_patterns(brain, models, measure=["cka", apa.measure(overlap, power=2)]).frame
    assert set(found["metric"]) == {"cka", "overlap"}
    row = found[(found["metric"] == "overlap") & (found["kind"] == "model")].iloc[0]
    expected = overlap(models["m", "0"], brain["a", "V1"], 2)
    assert row["score"] == pytest.approx(expected, abs=TIGHT)
    assert "overlap" not in MEASURES
    with pytest.raises(DataError, match="one number"):
        apa.score_patterns(brain, models, measure=apa.measure(lambda x, y: x))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"measure": "ckaa"}, InputError, "measure: got 'ckaa'"),
        ({"measure": []}, InputError, "one measure or more"),
        ({"measure": ["cka", "cka"]}, InputError, "each name once"),
        ({"measure": "cka", "method": "spearman"}, InputError, "nothing without measure='rsa'"),
        ({"measure": "cka", "distance": "cosine"}, InputError, "nothing without measure='rsa'"),
        ({"measure": "cka", "reference_from": "pooled_rdms"}, InputError, "for 'rsa' alone"),
        ({"measure": apa.measure("mutual-knn", k=19)}, DesignError, "at most 18"),
        ({"measure": apa.measure("versa", n_fold=8)}, DesignError, "fewer than 3 stimuli"),
    ],
)
def test_what_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    brain, models = people()
    with pytest.raises(error, match=message):
        apa.score_patterns(brain, models, **options)


def test_options_of_measures_are_checked() -> None:
    for name, options in {
        "cka": {"k": 3},
        "mutual-knn": {"k": 0},
        "cka-rbf": {"sigma": -1},
        "svcca": {"variance": 2},
        "ridge": {"folds": "random"},
    }.items():
        with pytest.raises(InputError):
            apa.measure(name, **options)  # type: ignore[arg-type]
    assert apa.measure("svcca", variance=1).options["variance"] == 1


@pytest.mark.parametrize("name", [*GRAM, "soft-matching", "pairwise-matching"])
def test_data_that_do_not_vary_have_no_score(name: str) -> None:
    x, y = pair(40)
    for still in (np.zeros_like(x), np.full_like(x, 0.7), np.tile([0.1, 1e3, 0.3], (40, 1))):
        with pytest.warns(DegenerateWarning, match="does not vary"):
            assert np.isnan(value(still, y, name))
        with pytest.warns(DegenerateWarning, match="does not vary"):
            assert np.isnan(value(x, still, name))


@pytest.mark.parametrize("name", sorted(set(MEASURES) - {"rsa"}))
def test_units_change_no_score_or_are_refused(name: str) -> None:
    x, y = pair(40)
    plain = value(x, y, name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for unit in (1e-29, 1e-9, 1e9, 1e29):
            assert value(unit * x, y, name) == pytest.approx(plain, rel=1e-9)
            assert value(x, unit * y, name) == pytest.approx(plain, rel=1e-9)
        for unit in (1e-31, 1e40, 1e150):
            with pytest.raises(DataError, match="Give it in another unit"):
                value(unit * x, y, name)


def test_few_stimuli_are_refused() -> None:
    for name, m in MEASURES.items():
        if name != "rsa":
            with pytest.raises(DesignError, match="stimuli"):
                value(*pair(m.least - 1), name)


HELD_OUT = (
    "ridge",
    "pearson-ridge",
    "pls",
    "reverse",
    "symmetric",
    "versa",
    "cca",
    "pwcca",
    "svcca",
)


@pytest.mark.parametrize("name", HELD_OUT)
@pytest.mark.parametrize("order", [np.tile, np.repeat])
def test_repeats_in_different_folds_warn(name: str, order: Any) -> None:
    """Features of noise, one row for every repeat: they know the stimulus, and predict its other repeats."""
    rng = np.random.default_rng(0)
    row = order(np.arange(30), 3)
    features, signal = rng.standard_normal((30, 200))[row], rng.standard_normal((30, 10))[row]
    y = signal + 0.5 * rng.standard_normal(signal.shape)
    with pytest.warns(PseudoreplicationWarning, match="30 different rows of 90, and .. % of rows"):
        leaked = value(features, y, name)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PseudoreplicationWarning)
        together = value(features, y, apa.measure(name, groups=row.tolist()))
    if name == "versa":  # repeats of a stimulus are alike in the RDMs of every fold
        assert leaked > together + 0.2
    elif name not in ("reverse", "symmetric"):
        assert leaked > together + 0.3
        assert together < 0.1


@pytest.mark.parametrize("name", ["ridge", "cca"])
def test_features_of_categories_are_no_repeats(name: str) -> None:
    rng = np.random.default_rng(0)
    category = np.eye(12)[rng.integers(0, 12, 90)]
    y = category @ rng.standard_normal((12, 8)) + rng.standard_normal((90, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value(category, y, name)


def test_a_measure_of_ones_own_may_change_its_arrays() -> None:
    brain, models = people()

    def dirty(x: np.ndarray, y: np.ndarray) -> float:
        x[:, 0] += 1 + np.arange(len(x))
        y *= 2
        return float(np.corrcoef(x[:, 0], y[:, 0])[0, 1])

    def clean(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.corrcoef(x[:, 0] + 1 + np.arange(len(x)), 2 * y[:, 0])[0, 1])

    a, b = (
        apa.score_patterns(brain, models, measure=apa.measure(f, name="own"))
        for f in (dirty, clean)
    )
    np.testing.assert_allclose(a.frame["score"], b.frame["score"], atol=1e-12)


@pytest.mark.parametrize("missing", [None, np.nan])
@pytest.mark.parametrize("kind", [list, lambda v: np.array(v, dtype=object)])
def test_a_missing_label_is_no_group(missing: Any, kind: Any) -> None:
    x, y = pair(40)
    names = kind([0] * 10 + [1] * 10 + [2] * 10 + [missing] * 10)
    for call in (
        lambda: value(x, y, apa.measure("ridge", groups=names)),
        lambda: value(x, y, apa.measure("cca", groups=names)),
        lambda: apa.linear_predictivity({("s", "r"): y}, {("m", "l"): x}, groups=names),
        lambda: value(x, y, apa.measure("bures-corrected", repeats=names)),
    ):
        with pytest.raises(InputError, match="no label in row 30"):
            call()


@pytest.mark.parametrize("name", ["ridge", "pls", "reverse"])
def test_folds_of_one_stimulus_have_no_score(name: str) -> None:
    x, y = pair(12)
    alone = apa.measure(name, folds="leave_one_out", groups=list(range(12)))
    with pytest.raises(DesignError, match="every fold holds out one of 12 stimuli"):
        value(x, y, alone)


@pytest.mark.parametrize(
    ("measure", "n", "message"),
    [
        ("cca", 20, "a resample of 20 stimuli holds 1. of them, too few .* a fold needs 3 or more"),
        ("mutual-knn", 20, "a resample of 20 stimuli holds .* at most . say anything"),
        ("pls", 12, "a resample of 12 stimuli holds . of them, too few"),
        ("cca", 12, "^n_fold=5 folds of 12 stimuli; a fold needs 3 or more$"),
    ],
)
def test_a_resample_with_too_few_stimuli_is_told(measure: str, n: int, message: str) -> None:
    x, y = pair(n)
    with pytest.raises(DesignError, match=message):
        apa.bootstrap(
            "score ~ model", {(s, "r"): y for s in "ab"}, models={("m", "l"): x}, measure=measure,
            cluster="stimulus", n_resamples=99, rng=1,
        )  # fmt: skip


@pytest.mark.parametrize("name", HELD_OUT)
def test_a_bootstrap_says_once_that_folds_part_neighbours(name: str) -> None:
    rng = np.random.default_rng(0)
    brain = {(s, "r"): np.cumsum(rng.standard_normal((40, 3)), axis=0) for s in "abc"}
    models = {("m", "l"): rng.standard_normal((40, 4))}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        apa.bootstrap(
            "score ~ model", brain, models=models, measure=name, cluster="stimulus", n_resamples=9, rng=1,
        )  # fmt: skip
    assert [w.category for w in told].count(PseudoreplicationWarning) == 1


def test_shuffled_folds_of_a_time_series_warn() -> None:
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.standard_normal((200, 5)), axis=0)
    place = np.exp(-((np.arange(200)[:, None] - np.arange(0, 200, 4)) ** 2) / 50)
    with pytest.warns(PseudoreplicationWarning, match=r"correlate by 0\.9"):
        shuffled = value(place, smooth, "ridge")
    blocks = value(place, smooth, apa.measure("ridge", folds="contiguous"))
    runs = apa.measure("ridge", folds="leave_one_out", groups=np.repeat(range(5), 40))
    assert shuffled > 0.9
    assert blocks < 0
    assert value(place, smooth, runs) == pytest.approx(blocks, abs=TIGHT)


@pytest.mark.parametrize("name", [n for n in MEASURES if n != "rsa" and MEASURES[n].folds is None])
def test_patterns_are_not_copied_to_look_at_folds_that_are_not_there(name: str) -> None:
    class Untouched:
        train = np.zeros((12, 3))

        def compact(self) -> Any:
            raise AssertionError("a copy of all patterns")

    sets: Any = {("a", "b"): Untouched()}
    assert MEASURES[name].check_folds(sets, sets) is None
