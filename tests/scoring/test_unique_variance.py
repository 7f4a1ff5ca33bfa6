"""Partial and semipartial RSA and commonality against least squares, and laws of their parts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

import apastats as apa
from apastats.errors import DataError, InputError


def sets(k: int = 3, seed: int = 0) -> tuple[apa.RDMSet, apa.RDMSet]:
    rng = np.random.default_rng(seed)
    y = rng.random((k, 66)) + rng.random(66)
    x = y.mean(axis=0) + rng.random((4, 66))
    brain = pd.DataFrame({"subject": list("abcd"), "roi": "V1"})
    return apa.RDMSet(x, brain), apa.RDMSet(y, pd.DataFrame({"model": [f"m{i}" for i in range(k)]}))


def residual(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    design = np.column_stack([np.ones(len(y)), *x])
    return np.asarray(y - design @ np.linalg.lstsq(design, y, rcond=None)[0])


@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.parametrize("kind", ["partial", "semipartial"])
def test_partial_correlations_are_those_of_residuals(method: str, kind: str) -> None:
    brain, models = sets()
    found = apa.partial_similarity(brain, models, method=method, kind=kind).frame
    change = rankdata if method == "spearman" else np.asarray
    x, y = (np.apply_along_axis(change, 1, s.vectors) for s in (brain, models))
    for s, subject in enumerate("abcd"):
        for k in range(3):
            others = np.delete(y, k, axis=0)
            own = residual(x[s], others) if kind == "partial" else x[s]
            expected = np.corrcoef(own, residual(y[k], others))[0, 1]
            value = found.query(f"subject == '{subject}' and model == 'm{k}'")["score"].item()
            assert value == pytest.approx(expected, abs=1e-10)


def test_partial_kendall_of_two_models_by_its_formula() -> None:
    from scipy.stats import kendalltau

    brain, models = sets(k=2)
    found = apa.partial_similarity(brain, models, method="kendall").frame
    a, b = models.vectors
    ab = kendalltau(a, b).statistic
    for s, subject in enumerate("abcd"):
        ya, yb = (kendalltau(brain.vectors[s], m).statistic for m in (a, b))
        expected = (ya - yb * ab) / np.sqrt((1 - yb**2) * (1 - ab**2))
        value = found.query(f"subject == '{subject}' and model == 'm0'")["score"].item()
        assert value == pytest.approx(expected, abs=1e-10)


def test_parts_sum_to_r2_and_unique_parts_are_squared_semipartial_correlations() -> None:
    brain, models = sets(k=4)
    parts = apa.commonality(brain, models, method="pearson").frame
    semi = apa.partial_similarity(brain, models, method="pearson", kind="semipartial").frame
    for s, subject in enumerate("abcd"):
        mine = parts[parts["subject"] == subject].set_index("model")["score"]
        left = residual(brain.vectors[s], models.vectors)
        r2 = 1 - left.var() / brain.vectors[s].var()
        assert mine["total"] == pytest.approx(r2, abs=1e-10)
        assert mine.drop("total").sum() == pytest.approx(r2, abs=1e-10)
        assert len(mine) == 2**4
        for k in range(4):
            square = semi.query(f"subject == '{subject}' and model == 'm{k}'")["score"].item() ** 2
            assert mine[f"unique m{k}"] == pytest.approx(square, abs=1e-10)


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_coefficients_are_those_of_least_squares(method: str) -> None:
    brain, models = sets()
    found = apa.regression_rsa(brain, models, method=method).frame
    change = rankdata if method == "spearman" else np.asarray
    x, y = (np.apply_along_axis(change, 1, s.vectors) for s in (brain, models))
    x, y = ((v - v.mean(1, keepdims=True)) / v.std(1, keepdims=True) for v in (x, y))
    for s, subject in enumerate("abcd"):
        expected = np.linalg.lstsq(y.T, x[s], rcond=None)[0]
        mine = found[found["subject"] == subject].set_index("model")["score"]
        np.testing.assert_allclose(mine[["m0", "m1", "m2"]], expected, rtol=0, atol=1e-10)


def test_methods_by_the_names_of_mne_rsa_are_its_formulas() -> None:
    brain, models = sets()
    names = [f"m{k}" for k in range(3)]
    for method in ("partial", "partial-spearman", "regression"):
        found = apa.score(brain, models, method=method, split="held").frame
        assert set(found["metric"]) == {method}
        assert set(found["split"]) == {"held"}
        for s, subject in enumerate("abcd"):
            z = np.vstack([brain.vectors[s], models.vectors]).T
            if method == "partial-spearman":
                z = np.apply_along_axis(rankdata, 0, z)
            z = z - z.mean(axis=0)
            if method == "regression":
                expected = np.linalg.lstsq(z[:, 1:], z[:, 0], rcond=None)[0]
            else:
                inverse = np.linalg.pinv(z.T @ z)
                expected = -inverse[0, 1:] / np.sqrt(inverse[0, 0] * np.diag(inverse)[1:])
            mine = found[found["subject"] == subject].set_index("model")["score"]
            np.testing.assert_allclose(mine[names], expected, rtol=0, atol=1e-10)
    with pytest.raises(InputError, match="rerank"):
        apa.score(brain, models, method="partial", rerank=True)
    with pytest.raises(InputError, match="RDMs of models"):
        apa.score(brain, method="partial")


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_nonnegative_coefficients_are_those_of_scipy(method: str) -> None:
    from scipy.optimize import nnls

    brain, models = sets()
    turned = apa.RDMSet(models.vectors * np.array([[1], [-1], [1]]), models.labels)
    found = apa.regression_rsa(
        brain, turned, method=method, nonnegative=True, standardized=False
    ).frame
    change = rankdata if method == "spearman" else np.asarray
    x, y = (np.apply_along_axis(change, 1, s.vectors) for s in (brain, turned))
    x, y = (v - v.mean(axis=1, keepdims=True) for v in (x, y))
    for s, subject in enumerate("abcd"):
        mine = found[found["subject"] == subject].set_index("model")["score"]
        expected = nnls(y.T, x[s])[0]
        np.testing.assert_allclose(mine[["m0", "m1", "m2"]], expected, rtol=0, atol=1e-9)
        assert expected.min() == 0


def test_a_group_is_one_predictor() -> None:
    brain, models = sets()
    found = apa.commonality(brain, models, groups={"first": ["m0", "m2"], "second": ["m1"]}).frame
    whole = apa.commonality(brain, models).frame
    one = found.groupby("model")["score"].mean()
    all_ = whole.groupby("model")["score"].mean()
    assert one["total"] == pytest.approx(all_["total"], abs=1e-12)
    assert one["unique second"] == pytest.approx(all_["unique m1"], abs=1e-12)


def test_what_is_not_defined_is_refused() -> None:
    brain, models = sets()
    with pytest.raises(InputError, match="two or more"):
        apa.partial_similarity(brain, models.take([0]))
    with pytest.raises(InputError, match="every model once"):
        apa.commonality(brain, models, groups={"a": ["m0"], "b": ["m1"]})
    twice = apa.RDMSet(
        np.vstack([models.vectors, models.vectors[:1]]), pd.DataFrame({"model": list("wxyz")})
    )
    with pytest.raises(DataError, match="linearly dependent"):
        apa.commonality(brain, twice)
