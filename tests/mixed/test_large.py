"""Nested groupings eliminated inside their parents, and information by differences, against the dense path."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DesignError, PseudoreplicationWarning
from apastats.mixed.engine import core, likelihood, products, summaries
from apastats.mixed.engine.core import Fitted, fit_design
from apastats.mixed.engine.design import build_design
from apastats.mixed.engine.formula import parse_mixed_formula

pytestmark = pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
FORMULAS = [
    "y ~ x + (1 | s/k)",
    "y ~ x + (1 + x | s) + (1 | s:k)",
    "y ~ x + (1 | s) + (1 + x | s:k)",
    "y ~ x + (1 | s/k) + (1 | item)",
    "y ~ x + (1 + x | s) + (1 + x || s:k) + (1 | item)",
]


def nested(n_s: int = 110, n_k: int = 4, n_row: int = 5, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = n_s * n_k * n_row
    s = np.repeat(np.arange(n_s), n_k * n_row)
    k = np.tile(np.repeat(np.arange(n_k), n_row), n_s)
    item = rng.integers(0, 12, n)
    x = rng.normal(size=n)
    y = (
        0.2 * x
        + rng.normal(size=n_s)[s]
        + 0.4 * rng.normal(size=n_s)[s] * x
        + 0.7 * rng.normal(size=(n_s, n_k))[s, k]
        + 0.3 * rng.normal(size=(n_s, n_k))[s, k] * x
        + 0.5 * rng.normal(size=12)[item]
        + rng.normal(size=n)
    )
    keep = rng.random(n) > 0.1
    return pd.DataFrame({"s": s, "k": k, "item": item, "x": x, "y": y}).astype(
        {"s": str, "k": str, "item": str}
    )[keep]


def both_ways(
    monkeypatch: pytest.MonkeyPatch, formula: str, data: pd.DataFrame, reml: bool
) -> tuple[Fitted, Fitted]:
    """The dense path, and the one that is taken for many levels."""
    design = build_design(parse_mixed_formula(formula), data)
    dense = fit_design(design, reml=reml)
    assert dense.products.inner is None
    dense.inference("satterthwaite")
    monkeypatch.setattr(products, "NESTED_FROM", 0)
    monkeypatch.setattr(core, "LARGE", 0)
    sparse = fit_design(design, reml=reml)
    assert sparse.products.inner is not None
    return dense, sparse


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("formula", FORMULAS)
def test_nested_elimination_agrees_with_the_dense_path(
    monkeypatch: pytest.MonkeyPatch, formula: str, reml: bool
) -> None:
    a, b = both_ways(monkeypatch, formula, nested(), reml)
    assert b.loglik == pytest.approx(a.loglik, abs=1e-7)
    np.testing.assert_allclose(b.beta, a.beta, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(b.vcov, a.vcov, rtol=1e-5, atol=1e-12)
    for M, N in zip(b.covariances, a.covariances, strict=True):
        np.testing.assert_allclose(M, N, rtol=1e-4, atol=1e-6)
    for u, v in zip(b.effects, a.effects, strict=True):
        np.testing.assert_allclose(u, v, atol=1e-5)
    L = np.eye(2)
    np.testing.assert_allclose(
        b.inference("satterthwaite").dfs(L), a.inference("satterthwaite").dfs(L), rtol=1e-5
    )
    for fixed in (True, False):
        u, v = (summaries.effects_table(f, include_fixed=fixed) for f in (b, a))
        np.testing.assert_allclose(u["std_error"], v["std_error"], rtol=1e-4)
    if reml:
        np.testing.assert_allclose(
            b.inference("kenward-roger").dfs(L), a.inference("kenward-roger").dfs(L), rtol=1e-4
        )


def test_another_outcome_of_a_nested_design(monkeypatch: pytest.MonkeyPatch) -> None:
    _, sparse = both_ways(monkeypatch, FORMULAS[3], nested(), True)
    y = np.random.default_rng(1).normal(size=sparse.design.n) + sparse.fitted_values
    again = core.refit_design(sparse, y)
    from dataclasses import replace

    direct = fit_design(replace(sparse.design, y=y))
    assert again.loglik == pytest.approx(direct.loglik, abs=1e-7)


def test_many_levels_are_fitted_in_seconds() -> None:
    """20,000 nested levels: the dense path would need 1,000 x 1,000 products per evaluation."""
    data = nested(1000, 20, 3, seed=3)
    fit = apa.lmm("y ~ x + (1 | s/k)", data)
    assert fit.model.products.inner is not None
    sd = fit.variance_components().set_index("group")["std_dev"]
    assert sd["s"] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize(
    "formula", ["y ~ x + (1 | s) + (1 | i)", "y ~ x + (1 | s) + (1 | i) + (1 | j)"]
)
def test_sparse_crossed_groupings_agree_with_the_dense_path(
    monkeypatch: pytest.MonkeyPatch, formula: str, reml: bool
) -> None:
    rng = np.random.default_rng(0)
    n = 2000
    s, i, j = rng.integers(0, 80, n), rng.integers(0, 60, n), rng.integers(0, 9, n)
    x = rng.normal(size=n)
    y = (
        x
        + rng.normal(size=80)[s]
        + 0.5 * rng.normal(size=60)[i]
        + 0.3 * rng.normal(size=9)[j]
        + rng.normal(size=n)
    )
    data = pd.DataFrame({"s": s, "i": i, "j": j, "x": x, "y": y}).astype(
        {"s": str, "i": str, "j": str}
    )
    design = build_design(parse_mixed_formula(formula), data[(s + i) % 13 < 1])
    dense = fit_design(design, reml=reml)
    assert dense.products.sparse is None
    dfs = dense.inference("satterthwaite").dfs(np.eye(2))
    monkeypatch.setattr(products, "SPARSE_FROM", 0)
    monkeypatch.setattr(likelihood, "SQUARES_FROM", 0)
    monkeypatch.setattr(core, "LARGE", 0)
    sparse = fit_design(design, reml=reml)
    assert sparse.products.sparse is not None
    assert sparse.loglik == pytest.approx(dense.loglik, abs=1e-8)
    np.testing.assert_allclose(sparse.vcov, dense.vcov, rtol=1e-5)
    np.testing.assert_allclose(sparse.inference("satterthwaite").dfs(np.eye(2)), dfs, rtol=1e-5)


def many_models(n: int) -> pd.DataFrame:
    """Models crossed with 10 subjects and 2 regions."""
    rng = np.random.default_rng(0)
    d = pd.MultiIndex.from_product(
        [[f"m{i:04d}" for i in range(n)], [f"s{i}" for i in range(10)], ["V1", "V4"]],
        names=["model", "subject", "roi"],
    ).to_frame(index=False)
    mean, person = rng.normal(0, 0.1, n), rng.normal(0, 0.1, 10)
    d["score"] = np.repeat(mean, 20) + person[d["subject"].str[1:].astype(int)]
    d["score"] += np.repeat(rng.normal(0, 0.05, 10 * n), 2) + rng.normal(0, 0.05, len(d))
    return d


def test_many_pairs_are_the_contrasts_one_at_a_time() -> None:
    """Beyond 2,000 contrasts variances come from those of the means; the numbers are the same."""
    fit = apa.lmm("score ~ model + roi + (1 | subject) + (1 | model:subject)", many_models(70))
    means = apa.emmeans(fit, "model")
    pairs = means.pairs()
    assert len(pairs.table) == 2415
    few = pairs.rows[::100]
    inference = fit.model.inference("satterthwaite")
    some = pairs.table.iloc[::100]
    np.testing.assert_allclose(some["std_error"], inference.std_errors(few), rtol=1e-10)
    np.testing.assert_allclose(some["df"], inference.dfs(few), rtol=1e-8)


def test_a_thousand_models_have_a_way_out() -> None:
    fit = apa.lmm("score ~ model + (1 | subject) + (1 | model:subject)", many_models(900))
    means = apa.emmeans(fit, "model")
    with pytest.raises(DesignError, match=r"404550 contrasts, too many .* compare_best\(\)"):
        means.pairs()
    assert len(means.contrast("trt.vs.ctrl", adjust="holm").table) == 899


def test_five_thousand_models() -> None:
    data = many_models(5000)
    formula = "score ~ roi + (1 | subject) + (1 | model) + (1 | model:subject)"
    fit = apa.lmm(formula, data)
    sd = fit.variance_components().set_index("group")["std_dev"]
    assert sd["model"] == pytest.approx(0.1, rel=0.05)
    assert sd["model:subject"] == pytest.approx(0.05, rel=0.05)
    with pytest.raises(DesignError, match=r"5001 columns .*\(1 \| model\)"):
        apa.lmm("score ~ model + (1 | subject) + (1 | model:subject)", data)


def test_what_is_left_out_of_a_large_model_is_looked_for_in_a_part_of_it() -> None:
    data = many_models(1000)
    rng = np.random.default_rng(1)
    shift = rng.normal(0, 0.1, (2, 1000))
    place = (data["roi"] == "V4").to_numpy().astype(int)
    data["score"] += shift[place, data["model"].str[1:].astype(int)]
    with pytest.warns(
        PseudoreplicationWarning, match="roi differs between the levels of model.* in "
    ):
        apa.lmm("score ~ roi + (1 | subject) + (1 | model) + (1 | model:subject)", data)
