"""The Bayesian model written from the design: its density, its agreement with Bambi and with REML."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import ConvergenceWarning, InputError
from apastats.mixed.bayes.checks import posterior_outcomes
from apastats.mixed.bayes.engine import Draws
from apastats.mixed.engine.design import build_design
from apastats.mixed.engine.formula import parse_mixed_formula

pytest.importorskip("bambi", reason="needs the extra bayes")

from apastats.mixed.bayes.bambi import build_with_bambi
from apastats.mixed.bayes.centring import Centring, choose_centring
from apastats.mixed.bayes.direct import build_from_design, covariance_blocks

FORMULA = "score ~ model + (1 + level | subject) + (1 | mm(source, target))"
OPTIONS: dict[str, Any] = {"std_error": "se", "residual_by": "stream"}
FAST = {"mode": "FAST_COMPILE"}


def pair_scores(seed: int = 3) -> pd.DataFrame:
    """Pairs of people scored by models in subjects' regions, with slopes, known errors and two residual groups."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{a}", f"p{b}", f"s{s}", f"m{(a + b + s) % 3}")
        for s in range(8) for a in range(6) for b in range(a)
    ]  # fmt: skip
    d = pd.DataFrame(rows, columns=["source", "target", "subject", "model"])
    d["level"] = rng.uniform(-1, 1, len(d))
    d["se"] = rng.uniform(0.5, 1.5, len(d))
    d["stream"] = np.where(np.arange(len(d)) % 2, "early", "late")
    member = dict(zip(sorted({*d.source, *d.target}), rng.normal(0, 0.3, 6), strict=True))
    line = rng.multivariate_normal([0, 0], [[0.09, 0.03], [0.03, 0.06]], size=8)
    s = d.subject.str[1:].astype(int).to_numpy()
    d["score"] = (
        d.model.map({"m0": 0.0, "m1": 0.2, "m2": -0.1})
        + line[s, 0]
        + line[s, 1] * d.level
        + d.source.map(member)
        + d.target.map(member)
        + rng.normal(size=len(d)) * d.se * np.where(d.stream == "early", 0.2, 0.3)
    )
    return d


def designed(formula: str, data: pd.DataFrame, **options: Any) -> Any:
    return build_design(parse_mixed_formula(formula), data, **options)


def point_of(model: Any, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {k: v + rng.normal(0, 0.3, np.shape(v)) for k, v in model.initial_point().items()}


def test_blocks_are_the_terms() -> None:
    d = pair_scores()
    formula = "score ~ 1 + (1 + level + se | subject) + (0 + model | subject)"
    assert covariance_blocks(designed(formula, d).groupings[0]) == [[0, 1, 2], [3, 4, 5]]
    apart = designed("score ~ 1 + (1 + level || subject)", d).groupings[0]
    assert covariance_blocks(apart) == [[0], [1]]


@pytest.mark.parametrize(
    "formula", ["score ~ model + level + (1 + level || subject) + (1 | source)", "score ~ 0 + model + (1 | subject)"]
)  # fmt: skip
def test_same_density_as_bambi(formula) -> None:
    """One formula has one meaning, whichever writes the model: same priors, same likelihood."""
    design = designed(formula, pair_scores())
    theirs, ours = build_with_bambi(design, {}), build_from_design(design, {})
    rng = np.random.default_rng(0)
    names = {"Intercept": "Intercept", "sigma_log__": "sigma_log__"}
    order = {}
    for t, (g, variables) in enumerate(zip(design.groupings, theirs.effects, strict=True)):
        for a in range(g.size):
            names[f"g{t}_{a}_sd_log__"] = f"{variables[a]}_sigma_log__"
            names[f"g{t}_{a}_offset"] = f"{variables[a]}_offset"
    density, expected = (m.pymc.compile_logp(**FAST) for m in (ours, theirs))
    for _ in range(3):
        mine = point_of(ours.pymc, rng)
        other = {}
        for name, value in mine.items():
            if name == "b":
                continue
            value = np.squeeze(value)
            if name in order:
                value = value[np.argsort(order[name])]
            other[names[name]] = value
        slopes = [q for q in theirs.coefficients if q.variable != "Intercept"]
        for variable in {q.variable for q in slopes}:
            at = [j for j, q in enumerate(slopes) if q.variable == variable]
            other[variable] = mine["b"][at] if slopes[at[0]].index else mine["b"][at[0]]
        np.testing.assert_allclose(density(mine), expected(other), rtol=1e-10)
    assert list(ours.priors)[-1] == list(theirs.priors)[-1] == "sigma"


def test_density_against_matrices_written_out() -> None:
    """y ~ N(X b + Z u, sigma_group^2 / w) with u of the LKJ factor, row by row."""
    design = designed(FORMULA, pair_scores(), **OPTIONS)
    built = build_from_design(design, {})
    model = built.pymc
    point = point_of(model, np.random.default_rng(1))
    rows = model.compile_fn(model.logp(vars=[model["outcome"]], sum=False), **FAST)(point)[0]
    a, b = point["Intercept"], point["b"]
    X = design.fixed.X
    mean = a + (X[:, 1:] - X[:, 1:].mean(axis=0)) @ b
    packed = point["g0_0_factor_cholesky-cov-packed__"]
    L = np.array([[np.exp(packed[0]), 0.0], [packed[1], np.exp(packed[2])]])
    u = point["g0_0_offset"] @ L.T
    members = point["g1_0_offset"] * np.exp(point["g1_0_sd_log__"])
    mean = mean + design.Z[0] @ u.ravel() + design.Z[1] @ members.ravel()
    sd = np.exp(point["sigma_log__"])[design.residual_codes] / np.sqrt(
        design.weights * design.weight_scale
    )
    expected = -0.5 * ((design.y - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(rows, expected, rtol=1e-10)


def test_new_outcomes_follow_the_parameters() -> None:
    design = designed(FORMULA, pair_scores(), **OPTIONS)
    n = 4000
    b = np.broadcast_to([1.0, 0.5, -0.5], (1, n, 3))
    scales = np.broadcast_to([0.1, 0.1, 0.0, 0.1, 0.3, 0.6], (1, n, 6))
    effects = tuple(np.zeros((1, n, Z.shape[1])) for Z in design.Z)
    drawn = posterior_outcomes(Draws(b, scales, effects), design, np.random.default_rng(0), n)
    sd = np.array([0.3, 0.6])[design.residual_codes] / np.sqrt(design.weights * design.weight_scale)
    np.testing.assert_allclose(
        drawn.mean(axis=0), design.fixed.X @ b[0, 0], atol=5 * sd.max() / n**0.5
    )
    np.testing.assert_allclose(drawn.std(axis=0), sd, rtol=0.07)


@pytest.fixture(scope="module")
def fit() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a few divergent transitions, noted
        return apa.bayes_lmm(
            FORMULA, pair_scores(), draws=1000, tune=700, chains=2, report_failed=True, rng=1, **OPTIONS,
            priors={"sd": ("HalfNormal", {"sigma": 0.5}), "correlation": ("LKJ", {"eta": 1.5})},
        )  # fmt: skip


@pytest.mark.slow
def test_agrees_with_reml(fit) -> None:
    ours = fit.contrast("model", bounds=0.5)
    model = apa.lmm(FORMULA, pair_scores(), **OPTIONS)
    reml = apa.emmeans(model, "model").pairs().table
    assert (np.abs(ours["estimate"] - reml["estimate"]) < 0.1 * ours["std_error"]).all()
    np.testing.assert_allclose(ours["std_error"], reml["std_error"], rtol=0.1)
    assert ours["passed"].all()
    assert (ours["decision"] == "equivalent").all()
    table = fit.table.set_index("term")["estimate"]
    assert list(table.index[3:]) == [
        "sd (Intercept) | subject", "sd level | subject", "cor (Intercept), level | subject",
        "sd (Intercept) | mm(source, target)", "sigma early | stream", "sigma late | stream",
    ]  # fmt: skip
    residual = np.sqrt(model.model.unit_variances)
    np.testing.assert_allclose(
        table[["sigma early | stream", "sigma late | stream"]], residual, rtol=0.05
    )


@pytest.mark.slow
def test_priors_and_checks(fit) -> None:
    assert fit.info["priors"]["cor (Intercept), level | subject"] == "LKJ(eta: 1.5)"
    assert "written from the design" in fit.info["method"]
    check = fit.predictive_check(rng=2).set_index("statistic")
    assert check["p_value"].between(0.01, 0.99).all()
    prior = fit.predictive_check("prior", rng=2).set_index("statistic")
    assert prior.loc["std_dev", "predicted_high"] > 1.5 * check.loc["std_dev", "predicted_high"]
    with warnings.catch_warnings():  # a row or two may be near the limit of Pareto's k
        warnings.simplefilter("ignore")
        loo = fit.loo().iloc[0]
    assert 8 < loo["p"] < 26  # 3 coefficients, 22 shrunken effects
    assert set(fit.prior_sensitivity()["variable"]) == set(fit.table["term"])
    assert fit.ranks("model").set_index("term")["rank_mean"].idxmin() == "m1"


def test_bad_priors() -> None:
    bad = [
        ({"correlation": ("Normal", {"mu": 0})}, r"\('LKJ', \{'eta': 2\}\)"),
        ({"correlation": ("LKJ", {"eta": -1})}, r"\('LKJ', \{'eta': 2\}\)"),
        ({"sd": ("HalfNorml", {"sigma": 1})}, "a pair such as"),
        ({"sd": ("HalfNormal", {"mean": 1})}, "a pair such as"),
        ([("sd", 3)], "a mapping"),
    ]
    for priors, match in bad:
        with pytest.raises(InputError, match=match):
            apa.bayes_lmm(FORMULA, pair_scores(), priors=priors)


def test_effects_about_coarser_ones_have_the_same_density() -> None:
    """Moved by what they lie in, finer effects are other coordinates of the same model."""
    d = pair_scores()
    formula = "score ~ model + (1 | subject:source) + (1 | subject) + (1 | source)"
    design = designed(formula, d)
    plain = build_from_design(design, {}, Centring((True, False, True)))
    about = build_from_design(design, {}, Centring((True, False, True), 2, ((1, 2), (), ())))
    rng = np.random.default_rng(0)
    densities = [m.pymc.compile_logp(**FAST) for m in (plain, about)]
    fine, subject, source = design.groupings
    of_subject, of_source = np.zeros((2, fine.n_levels), dtype=int)
    of_subject[fine.codes], of_source[fine.codes] = subject.codes, source.codes
    for _ in range(3):
        point = point_of(plain.pymc, rng)
        sd = np.exp(point["g1_0_sd_log__"])
        moved = dict(point)
        moved["g2_0_effect"] = point["g2_0_effect"] + point["Intercept"]
        moved["g0_0_effect"] = (
            point["g0_0_effect"] + (point["g1_0_offset"] * sd)[of_subject] + moved["g2_0_effect"][of_source]
        )  # fmt: skip
        assert densities[1](moved) == pytest.approx(densities[0](point), rel=1e-10)


def test_which_effects_lie_in_which() -> None:
    d = pair_scores()
    found = choose_centring(designed("score ~ model + (1 | subject:source) + (1 | subject)", d))
    assert found.parents in (((1,), ()), ((), ()))
    # whatever is sampled about another one is sampled as it is
    assert all(found.effects[t] for t, p in enumerate(found.parents) if p)
    none = choose_centring(designed("score ~ model + (1 | subject) + (1 | source)", d))
    assert none.parents == ((), ())


@pytest.mark.slow
def test_published_scores_pass_the_gates(data_dir) -> None:
    """1,900 rows: five networks, their two best layers, 10 subjects, 19 regions."""
    d = pd.concat([pd.read_csv(f) for f in sorted((data_dir / "bmd_model_scores").glob("*.csv"))])
    order = d.groupby(["model", "layer"])["score"].mean().sort_values(ascending=False).reset_index()
    order["place"] = order.groupby("model").cumcount()
    d = d.merge(order[["model", "layer", "place"]])
    d = d[d["place"] < 2].assign(place=lambda f: f["place"].map({0: "first", 1: "second"}))
    groups = ("subject", "roi", "subject:roi", "model:subject")
    formula = "score ~ model + place" + "".join(f" + (1 | {g})" for g in groups)
    fit = apa.bayes_lmm(formula, d, rng=1)  # a ConvergenceWarning would be an error
    assert fit.table["passed"].all()
    assert fit.table["r_hat"].max() < 1.01
