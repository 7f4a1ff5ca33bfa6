"""The mixed model against n x n matrices, closed forms, another program; and what bad input gets."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import (
    ConvergenceError,
    DataError,
    DesignError,
    FormulaError,
    InputError,
    SingularFitWarning,
)
from apastats.mixed.engine.core import fit_design
from apastats.mixed.engine.design import build_design
from apastats.mixed.engine.formula import parse_mixed_formula
from tests.mixed.conftest import study
from tests.mixed.dense import components, covariance, loglik

CROSSED = "score ~ model + (1 | subject) + (1 | roi) + (1 | subject:roi)"
MODELS = [
    (CROSSED, {}),
    (CROSSED, {"reml": False}),
    ("score ~ model + (1 | subject) + (1 | roi)", {"weights": "w"}),
    ("score ~ model + level + (1 + level | subject) + (1 | roi)", {}),
    ("score ~ model + level + (1 + level || subject) + (1 | roi)", {"reml": False}),
    ("noisy ~ model + (1 | subject) + (1 | roi)", {"residual_by": "model"}),
    ("noisy ~ model + (1 | subject) + (1 | roi)", {"residual_by": "model", "reml": False, "weights": "w"}),
    ("score ~ model", {}),
    ("score ~ model + (1 | subject/roi)", {}),
]  # fmt: skip


@pytest.fixture(scope="module")
def data(ragged: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return ragged.assign(
        w=rng.uniform(0.5, 2, len(ragged)),
        noisy=ragged["score"] + (ragged["model"] == "m1") * rng.normal(size=len(ragged)) * 0.2,
    )


@pytest.mark.parametrize(("formula", "options"), MODELS)
def test_agrees_with_dense_matrices(formula: str, options: dict, data: pd.DataFrame) -> None:
    core = apa.lmm(formula, data, **options).model
    values = components(core)
    value, b, V = loglik(core, values)
    assert core.loglik == pytest.approx(value, abs=1e-8)
    np.testing.assert_allclose(core.beta, b, atol=1e-10)
    np.testing.assert_allclose(core.vcov, V, rtol=1e-9, atol=1e-14)
    step = np.diag(1e-4 * np.abs(values))
    slope = [(loglik(core, values + h)[0] - loglik(core, values - h)[0]) / 2e-4 for h in step]
    assert np.abs(slope).max() < 1e-4  # a maximum


@pytest.mark.parametrize(("formula", "options"), MODELS)
def test_information_agrees_with_differences(
    formula: str, options: dict, data: pd.DataFrame
) -> None:
    # components of the columns as they are, which centring inside turns
    design = apa.lmm(formula, data, **options).model.design
    core = fit_design(design, reml=options.get("reml", True), centre=False)
    values = components(core)
    m = len(values)
    steps = np.diag(2e-3 * np.abs(values))
    H = np.empty((m, m))
    for i in range(m):
        for j in range(m):
            up, down = steps[i] + steps[j], steps[i] - steps[j]
            four = [loglik(core, values + h)[0] for h in (up, down, -down, -up)]
            H[i, j] = -(four[0] - four[1] - four[2] + four[3]) / (4 * steps[i, i] * steps[j, j])
    info = core._information
    place, names = {}, []
    for t, g in enumerate(core.design.groupings):
        for a in range(g.size):
            for b in range(a + 1):
                if g.free[a, b]:
                    place[t, a, b] = len(place)
    for c in info.components:
        names.append(place[core.products.order[c.factor], c.first, c.second])
    order = [*names, *range(len(place), m)]
    scale = np.sqrt(np.outer(np.diag(H), np.diag(H)))
    np.testing.assert_allclose(info.observed, H[np.ix_(order, order)], atol=2e-4 * scale.max())
    change = [(loglik(core, values + h)[2] - loglik(core, values - h)[2]) for h in steps]
    dense = np.array([c / (2 * steps[i, i]) for i, c in enumerate(change)])[order]
    np.testing.assert_allclose(info.slopes, dense, atol=1e-5 * np.abs(dense).max())


@pytest.mark.parametrize("options", [{"residual_by": "model"}, {"weights": "w"}])
def test_kenward_roger_agrees_with_dense_matrices(data: pd.DataFrame, options) -> None:
    data = data.assign(w=np.random.default_rng(0).uniform(0.3, 3, len(data)))
    core = apa.lmm("noisy ~ model + (1 | subject) + (1 | roi)", data, **options).model
    values = components(core)
    X = core.design.fixed.X
    S = covariance(core, values)
    inverse = np.linalg.inv(S)
    m = len(values)
    V = [(covariance(core, values + h) - S) / h.sum() for h in np.eye(m)]
    P = inverse - inverse @ X @ np.linalg.inv(X.T @ inverse @ X) @ X.T @ inverse
    expected = np.array([[np.trace(P @ A @ P @ B) / 2 for B in V] for A in V])
    W = np.linalg.inv(expected)
    phi = np.linalg.inv(X.T @ inverse @ X)
    middle = sum(
        W[i, j] * X.T @ inverse @ V[i] @ P @ V[j] @ inverse @ X for i in range(m) for j in range(m)
    )
    np.testing.assert_allclose(
        core.inference("kenward-roger").vcov, phi + 2 * phi @ middle @ phi, rtol=1e-7, atol=1e-13
    )


def test_effects_agree_with_dense_matrices(data: pd.DataFrame) -> None:
    fit = apa.lmm("score ~ model + level + (1 + level | subject) + (1 | roi)", data)
    core = fit.model
    S = covariance(core, components(core))
    r = core.design.y - core.design.fixed.X @ core.beta
    table = fit.random_effects()
    for t, g in enumerate(core.design.groupings):
        Z = core.design.Z[t].toarray()
        G = np.kron(np.eye(g.n_levels), core.covariances[t])
        b = G @ Z.T @ np.linalg.solve(S, r)
        variance = np.diag(G - G @ Z.T @ np.linalg.solve(S, Z @ G)).reshape(g.n_levels, g.size)
        for a, name in enumerate(g.effects):
            mine = table[(table["group"] == g.name) & (table["effect"] == name)]
            np.testing.assert_allclose(
                mine["estimate"], b.reshape(g.n_levels, g.size)[:, a], atol=1e-10
            )
            np.testing.assert_allclose(mine["std_error"], np.sqrt(variance[:, a]), rtol=1e-8)


def test_closed_form_is_the_reml_fit(balanced: pd.DataFrame) -> None:
    a, b = (apa.lmm(CROSSED, balanced, engine=e) for e in ("profile", "closed_form"))
    np.testing.assert_allclose(a.arrays["variance"], b.arrays["variance"], rtol=1e-8)
    np.testing.assert_allclose(a.table["std_error"], b.table["std_error"], rtol=1e-9)
    np.testing.assert_allclose(a.table["df"], b.table["df"], rtol=1e-7)


def test_closed_form_with_a_random_interaction(balanced: pd.DataFrame) -> None:
    formula = "score ~ model + (1 | subject) + (1 | roi) + (1 | model:roi)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        a = apa.lmm(formula, balanced)
    if a.info["singular"]:
        with pytest.raises(DesignError, match="negative"):
            apa.lmm(formula, balanced, engine="closed_form")
    else:
        b = apa.lmm(formula, balanced, engine="closed_form")
        np.testing.assert_allclose(a.arrays["variance"], b.arrays["variance"], rtol=1e-7)
        assert b.table["df"].iloc[1] == pytest.approx((4 - 1) * (5 - 1))


def test_statsmodels_agrees(ragged: pd.DataFrame) -> None:
    a, b = (apa.lmm(CROSSED, ragged, engine=e, df="z") for e in ("profile", "statsmodels"))
    assert a.info["loglik"] == pytest.approx(b.info["loglik"], abs=1e-3)
    np.testing.assert_allclose(a.table["estimate"], b.table["estimate"], rtol=1e-3)
    np.testing.assert_allclose(a.table["std_error"], b.table["std_error"], rtol=5e-3)


def test_without_random_terms_it_is_least_squares(ragged: pd.DataFrame) -> None:
    fit = apa.lmm("score ~ model + subject", ragged)
    X, y = fit.model.design.fixed.X, fit.model.design.y
    b, rss, *_ = np.linalg.lstsq(X, y, rcond=None)
    np.testing.assert_allclose(fit.table["estimate"], b, atol=1e-10)
    np.testing.assert_allclose(fit.table["df"], len(y) - X.shape[1], rtol=1e-9)
    assert fit.info["sigma"] ** 2 == pytest.approx(float(rss[0]) / (len(y) - X.shape[1]))


def test_singular_fit_is_said_and_equals_the_smaller_model() -> None:
    data = study(seed=3).assign(
        score=lambda d: np.random.default_rng(8).normal(size=len(d)) * 0.1 + d["level"]
    )
    with pytest.warns(SingularFitWarning, match="estimated on the boundary"):
        fit = apa.lmm("score ~ model + level + (1 | subject) + (1 | subject:roi)", data)
    assert fit.info["singular"]
    assert any("singular fit" in n for n in fit.notes)
    core = fit.model
    zero = [
        g.name for g, M in zip(core.design.groupings, core.covariances, strict=True) if M[0, 0] == 0
    ]
    assert zero


def test_multi_membership_counts_a_subject_in_both_roles() -> None:
    rng = np.random.default_rng(2)
    names = [f"s{i}" for i in range(9)]
    u = dict(zip(names, rng.normal(size=9), strict=True))
    rows = [(a, b, u[a] + u[b]) for a in names for b in names if a != b]
    data = pd.DataFrame(rows, columns=["source", "target", "score"])
    data["score"] += rng.normal(size=len(data)) * 0.3
    fit = apa.lmm("score ~ 1 + (1 | mm(source, target))", data)
    assert loglik(fit.model, components(fit.model))[0] == pytest.approx(
        fit.info["loglik"], abs=1e-8
    )
    found = fit.random_effects().set_index("level")["estimate"]
    assert np.corrcoef([found[n] for n in names], [u[n] for n in names])[0, 1] > 0.99
    turned = apa.lmm("score ~ 1 + (1 | mm(target, source))", data)
    assert turned.info["loglik"] == pytest.approx(fit.info["loglik"], abs=1e-8)


def test_known_standard_errors_are_precisions(ragged: pd.DataFrame) -> None:
    se = np.random.default_rng(0).uniform(0.5, 2, len(ragged))
    a = apa.lmm(CROSSED, ragged.assign(se=se), std_error="se")
    b = apa.lmm(CROSSED, ragged, weights=7 / se**2)
    np.testing.assert_allclose(a.table["estimate"], b.table["estimate"], rtol=1e-9)
    assert a.info["loglik"] == pytest.approx(b.info["loglik"], abs=1e-8)
    # sigma is that of weight 1; shares do not depend on the unit of the weights
    assert b.info["sigma"] == pytest.approx(np.sqrt(7) * a.info["sigma"], rel=1e-6)
    np.testing.assert_allclose(
        a.variance_components()["share"], b.variance_components()["share"], rtol=1e-6
    )
    assert a.info["icc_adjusted"] == pytest.approx(b.info["icc_adjusted"], rel=1e-6)


def test_effects_per_level_leave_an_intercept(ragged: pd.DataFrame) -> None:
    with pytest.warns(SingularFitWarning):
        fit = apa.lmm("score ~ 1 + (0 + model | subject)", ragged)
    smaller = apa.lmm("score ~ 1 + (1 | subject)", ragged)
    dropped = fit.ranova().iloc[1]
    assert dropped["dropped"] == "model in (0 + model | subject)"
    assert dropped["loglik"] == pytest.approx(smaller.info["loglik"], abs=1e-8)
    assert dropped["df"] == fit.info["n_parameter"] - smaller.info["n_parameter"]


def test_transformed_outcome(ragged: pd.DataFrame) -> None:
    a = apa.lmm("fisher_z(score) ~ model + (1 | subject)", ragged)
    b = apa.lmm("z ~ model + (1 | subject)", ragged.assign(z=np.arctanh(ragged["score"])))
    np.testing.assert_allclose(a.table["estimate"], b.table["estimate"], rtol=1e-10)
    means = apa.emmeans(a, "model")
    np.testing.assert_allclose(means.response()["estimate"], np.tanh(means.table["estimate"]))


def test_functions_of_covariates(ragged: pd.DataFrame) -> None:
    formula = "score ~ model * poly(level, 2) + scale(x) + (1 | subject)"
    data = ragged.assign(x=np.random.default_rng(0).uniform(1, 2, len(ragged)))
    fit = apa.lmm(formula, data)
    assert fit.table["term"].tolist()[4:7] == ["poly(level, 2)1", "poly(level, 2)2", "scale(x)"]
    np.testing.assert_allclose(fit.predict(data), fit.predict(), atol=1e-12)
    slope = apa.emmeans(fit, "model", trend="level", at={"level": 0.4}).table["estimate"]
    means = [apa.emmeans(fit, "model", at={"level": v}).table["estimate"] for v in (0.39, 0.41)]
    np.testing.assert_allclose((means[1] - means[0]) / 0.02, slope, rtol=1e-6)


def test_refit_and_simulate(ragged: pd.DataFrame) -> None:
    fit = apa.lmm(CROSSED, ragged)
    y = fit.simulate(1, rng=4)[0]
    again, anew = fit.refit(y), apa.lmm(CROSSED, ragged.assign(score=y))
    np.testing.assert_allclose(
        again.table["estimate"], anew.table["estimate"], rtol=1e-8, atol=1e-10
    )
    np.testing.assert_allclose(
        again.arrays["variance"], anew.arrays["variance"], rtol=1e-6, atol=1e-12
    )


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_parametric_bootstrap_does_not_depend_on_jobs(ragged: pd.DataFrame, n_jobs: int) -> None:
    fit = apa.lmm("score ~ model + (1 | subject) + (1 | roi)", ragged)
    a = fit.conf_int("bootstrap", n_resamples=60, rng=1)
    b = fit.conf_int("bootstrap", n_resamples=60, rng=1, n_jobs=n_jobs)
    pd.testing.assert_frame_equal(a, b)
    assert (a["conf_low"] <= a["conf_high"]).all()
    assert {"sd (Intercept) | subject", "sigma", "modelm1"} <= set(a["term"])


def test_profile_interval_of_a_correlation_contains_the_estimate(ragged: pd.DataFrame) -> None:
    data = ragged.assign(
        score=ragged["score"] + ragged["subject"].str[1:].astype(float) * ragged["level"] * 0.1
    )
    fit = apa.lmm("score ~ model + level + (1 + level | subject)", data, reml=False)
    table = fit.conf_int("profile").set_index("term")
    row = table.loc["cor level, (Intercept) | subject"]
    assert -1 <= row["conf_low"] < row["estimate"] < row["conf_high"] <= 1
    # the ends lie where the likelihood fell by the chi-squared quantile: check the SD of the slope by brute force
    sd = table.loc["sd level | subject"]
    assert sd["conf_low"] < sd["estimate"] < sd["conf_high"]


def test_ranova_and_likelihood_ratio_agree(ragged: pd.DataFrame) -> None:
    full = apa.lmm(CROSSED, ragged)
    less = apa.lmm("score ~ model + (1 | subject) + (1 | roi)", ragged)
    row = full.ranova().set_index("dropped").loc["(1 | subject:roi)"]
    ratio = full.likelihood_ratio(less).iloc[1]
    assert row["statistic"] == pytest.approx(ratio["statistic"], abs=1e-7)
    assert ratio["likelihood"] == "REML"
    other = apa.lmm("score ~ 1 + (1 | subject) + (1 | roi)", ragged)
    assert less.likelihood_ratio(other).iloc[1]["likelihood"] == "ML"


def test_slopes_are_dropped_one_by_one(ragged: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        fit = apa.lmm("score ~ model + level + (1 + level | subject) + (1 | roi)", ragged)
    table = fit.ranova()
    assert table["dropped"].tolist()[1] == "level in (1 + level | subject)"
    assert table["df"].tolist()[1] == 2


def test_result_words_and_saving(ragged: pd.DataFrame, tmp_path) -> None:
    fit = apa.lmm(CROSSED, ragged)
    assert fit.info["n_subject"] == 8
    assert fit.arrays["share"].sum() == pytest.approx(1.0)
    assert set(fit.diagnostics()["item"]) >= {"residual skewness", "spread against fitted values"}
    fit.save(tmp_path / "fit")
    loaded = apa.load_result(tmp_path / "fit")
    pd.testing.assert_frame_equal(loaded.tidy(), fit.tidy())
    with pytest.raises(DesignError, match="holds its tables only"):
        loaded.icc()
    with pytest.raises(DesignError, match="holds its tables only"):
        apa.emmeans(loaded, "model")


def test_score_table_takes_rows_of_one_kind(ragged: pd.DataFrame) -> None:
    brain = ragged[ragged["model"] == "m0"].assign(kind="leave_one_out", model="others", layer="r0")
    table = apa.ScoreTable(
        pd.concat([ragged.assign(kind="model", layer="-"), brain], ignore_index=True)
    )
    assert apa.lmm(CROSSED, table).info["n"] == len(ragged)
    assert apa.lmm(CROSSED, table, kind=None).info["n"] == len(ragged) + len(brain)
    with pytest.raises(DataError, match="no row of kind"):
        apa.lmm(CROSSED, table, kind="subject_to_subject")


def bad(
    match: str, error: type[Exception], formula: str, data: pd.DataFrame, **options: object
) -> None:
    with pytest.raises(error, match=match):
        apa.lmm(formula, data, **options)


def test_bad_columns_and_groups(ragged: pd.DataFrame) -> None:
    bad("'modle' is not a column", InputError, "score ~ modle + (1 | subject)", ragged)
    bad("'subj' is not a column", InputError, "score ~ model + (1 | subj)", ragged)
    one = ragged.assign(site="a")
    bad("grouping 'site' has one level, 'a'", DesignError, "score ~ model + (1 | site)", one)
    bad("factor 'site' has one level", DesignError, "score ~ site + (1 | subject)", one)
    rows = ragged.assign(row=[str(i) for i in range(len(ragged))])
    bad("more random effects than data: 'row'", DesignError, "score ~ model + (1 | row)", rows)
    bad("stands on both sides", FormulaError, "score ~ score + (1 | subject)", ragged)
    bad(
        "varies by 'subject' in two terms",
        DesignError,
        "score ~ 1 + (1 | subject) + (1 + level | subject)",
        ragged,
    )


def test_bad_values(ragged: pd.DataFrame) -> None:
    hole = ragged.assign(score=ragged["score"].where(ragged.index != 3))
    bad("1 of 129 rows lack a value in", DataError, CROSSED, hole)
    kept = apa.lmm(CROSSED, hole, missing="drop")
    assert kept.info["n"] == len(ragged) - 1
    assert "left out" in kept.notes[0]
    bad("infinite in row 3", DataError, CROSSED, hole.fillna({"score": np.inf}))
    bad("must be numbers", DataError, CROSSED, ragged.assign(score="x"))
    bad("covariate 'level' is infinite", DataError, "score ~ level + (1 | subject)",
        ragged.assign(level=np.inf))  # fmt: skip
    bad("fisher_z\\(score\\)", DataError, "fisher_z(score) ~ model + (1 | subject)",
        ragged.assign(score=1.5))  # fmt: skip
    bad(
        "no variance to share out",
        DataError,
        "score ~ model + (1 | subject)",
        ragged.assign(score=1.0),
    )
    bad("no rows", DataError, CROSSED, ragged.iloc[:0])
    bad(r"data: got \[1, 2\]; allowed: a ScoreTable", InputError, CROSSED, [1, 2])  # type: ignore[arg-type]


def test_bad_options(ragged: pd.DataFrame) -> None:
    bad("engine: got 'lme4'", InputError, CROSSED, ragged, engine="lme4")
    bad("df: got 'containment'", InputError, CROSSED, ragged, df="containment")
    bad("df: got 'kenward-roger'", InputError, CROSSED, ragged, df="kenward-roger", reml=False)
    bad(
        "df: got 'satterthwaite'.*'z'",
        InputError,
        CROSSED,
        ragged,
        df="satterthwaite",
        engine="statsmodels",
    )
    bad("conf_level: got 95", InputError, CROSSED, ragged, conf_level=95)
    bad("reml: got 'yes'", InputError, CROSSED, ragged, reml="yes")
    bad("missing: got 'mean'", InputError, CROSSED, ragged, missing="mean")
    bad("weights: got 'ww'", InputError, CROSSED, ragged, weights="ww")
    bad("weights: got -1.0", InputError, CROSSED, ragged, weights=-np.ones(len(ragged)))
    bad("weights: got 'shape", InputError, CROSSED, ragged, weights=np.ones(3))
    bad(
        "std_error: got 'level'.*None where weights",
        InputError,
        CROSSED,
        ragged,
        weights="score",
        std_error="level",
    )
    bad("'r' is not a column", InputError, CROSSED, ragged, residual_by="r")
    bad(
        "residual_by='site' has one level",
        DesignError,
        CROSSED,
        ragged.assign(site="a"),
        residual_by="site",
    )
    bad("complete balanced data", DesignError, CROSSED, ragged, engine="closed_form")
    bad("max_evaluations: got 0", InputError, CROSSED, ragged, max_evaluations=0)


def test_convergence_failure_says_what_was_tried(ragged: pd.DataFrame) -> None:
    with pytest.raises(ConvergenceError, match="tried: L-BFGS-B .*Nelder-Mead"):
        apa.lmm(CROSSED, ragged, max_evaluations=1)


def test_bad_method_arguments(ragged: pd.DataFrame) -> None:
    fit = apa.lmm(CROSSED, ragged)
    with pytest.raises(InputError, match="method: got 'hdi'"):
        fit.conf_int("hdi")
    with pytest.raises(InputError, match="n_resamples: got 3"):
        fit.conf_int("bootstrap", n_resamples=3)
    with pytest.raises(InputError, match="4 columns"):
        fit.joint_test([[1, 0]])
    with pytest.raises(InputError, match="others: got 3; allowed: a LmmResult"):
        fit.likelihood_ratio(3)
    with pytest.raises(DesignError, match="same number of parameters"):
        fit.likelihood_ratio(fit)
    with pytest.raises(InputError, match="outcome: got"):
        fit.refit([1.0])
    with pytest.raises(InputError, match="model: got 'm9'"):
        fit.predict(pd.DataFrame({"model": ["m9"]}))
    with pytest.raises(InputError, match="a column 'model'"):
        fit.predict(pd.DataFrame({"x": [1]}))


def test_zero_is_left_where_it_is_a_false_optimum(ragged: pd.DataFrame) -> None:
    design = build_design(parse_mixed_formula(CROSSED), ragged)
    good = fit_design(design)
    other = fit_design(design, start=np.zeros(3))
    assert other.loglik == pytest.approx(good.loglik, abs=1e-8)


def test_correlation_of_one_keeps_lmertest_df() -> None:
    data = study(seed=1, drop=31, n_roi=6)
    with pytest.warns(SingularFitWarning):
        table = apa.lmm("score ~ stream + (1 + stream | subject)", data).table
    # lmerTest 3.1-3 on the same rows: the correlation is estimated as 1
    np.testing.assert_allclose(table["df"], [7.6723652, 12.9262945], rtol=1e-5)
    np.testing.assert_allclose(table["std_error"], [0.024090271, 0.023803175], rtol=1e-6)


def test_uncorrelated_effects_are_dropped_one_by_one(ragged: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        fit = apa.lmm("score ~ model + level + (1 + level || subject)", ragged)
    assert fit.ranova()["dropped"].tolist()[1:] == [
        "(1 | subject)",
        "level in (0 + level | subject)",
    ]
