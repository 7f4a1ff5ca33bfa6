"""Predictions of new rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import InputError
from tests.mixed.conftest import study

pytestmark = pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
FORMULAS = [
    "score ~ model + (1 | subject) + (1 | roi)",
    "score ~ model * level + (1 + level | subject) + (1 | roi:subject)",
    "score ~ model + offset(level) + (1 | subject/roi)",
    "score ~ 1 + (0 + stream | subject) + (1 | mm(subject, roi))",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_rows_of_the_fit_get_their_fitted_values(formula: str) -> None:
    data = study(drop=9)
    fit = apa.lmm(formula, data)
    np.testing.assert_allclose(fit.predict(data, random=True), fit.fitted(), atol=1e-9)
    np.testing.assert_allclose(fit.predict(data), fit.predict(), atol=1e-12)


def test_new_levels_get_the_population() -> None:
    data = study(drop=9)
    fit = apa.lmm(FORMULAS[0], data)
    new = data.head(5).assign(subject="someone", roi="elsewhere")
    with pytest.raises(InputError, match="subject: got 'someone'"):
        fit.predict(new, random=True)
    np.testing.assert_allclose(fit.predict(new, random=True, new_levels="zero"), fit.predict(new))


def test_intervals_of_means_and_of_new_outcomes() -> None:
    data = study(n_subject=8, drop=9)
    fit = apa.lmm(FORMULAS[0], data)
    new = pd.DataFrame({"model": ["m0", "m3"], "subject": "new", "roi": "new"})
    mean = fit.predict(new, interval="confidence")
    emm = apa.emmeans(fit, "model").table.iloc[[0, 3]]
    for c in ("estimate", "std_error", "df", "conf_low", "conf_high"):
        np.testing.assert_allclose(mean[c], emm[c], rtol=1e-9)
    wide = fit.predict(new, interval="prediction")
    total = fit.variance_components()["variance"].sum()
    np.testing.assert_allclose(wide["std_error"] ** 2, mean["std_error"] ** 2 + total, rtol=1e-9)
    # levels nobody has seen are levels drawn anew
    unseen = fit.predict(new, random=True, new_levels="zero", interval="prediction")
    pd.testing.assert_frame_equal(unseen, wide)


OPTIONS: list[dict] = [{}, {"residual_by": "stream"}]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("formula", FORMULAS)
def test_variance_of_prediction_against_matrices_written_out(formula: str, options: dict) -> None:
    """var(l'b + z'u - l'B - z'U) = [l z] (Henderson's matrix)^-1 [l z]', in the unit of the outcome, with dense G."""
    data = study(n_subject=6, drop=9)
    fit = apa.lmm(formula, data, **options)
    core = fit.model
    X, Z = core.design.fixed.X, np.hstack([z.toarray() for z in core.design.Z])
    G = np.zeros((Z.shape[1],) * 2)
    at = 0
    for g, M in zip(core.design.groupings, core.covariances, strict=True):
        stop = at + g.n_levels * g.size
        G[at:stop, at:stop] = np.kron(np.eye(g.n_levels), M)
        at = stop
    codes = np.zeros(len(X), int) if not options else core.design.residual_codes
    R = np.diag(core.residual_variances[codes])
    V = Z @ G @ Z.T + R
    inverse = np.linalg.inv(V)
    B = np.linalg.inv(X.T @ inverse @ X)
    # conditional variance by its parts: fixed coefficients, effects, and both together
    D = X - Z @ G @ Z.T @ inverse @ X
    expected = np.diag(Z @ (G - G @ Z.T @ inverse @ Z @ G) @ Z.T + D @ B @ D.T)
    found = fit.predict(data, random=True, interval="confidence")
    np.testing.assert_allclose(found["std_error"] ** 2, expected, rtol=1e-6)
    new = fit.predict(data, random=True, interval="prediction")
    np.testing.assert_allclose(new["std_error"] ** 2, expected + np.diag(R), rtol=1e-6)
    assert (found["df"] > 1).all()
    assert (new["df"] > 1).all()


def test_degrees_of_freedom_of_predictions_of_one_group() -> None:
    """One mean, n subjects with m rows each, complete: Satterthwaite from the mean squares written out."""
    rng = np.random.default_rng(3)
    n, m = 7, 4
    d = pd.DataFrame({"subject": np.repeat([f"s{i}" for i in range(n)], m)})
    d["score"] = rng.normal(size=n)[d["subject"].str[1:].astype(int)] + rng.normal(size=n * m)
    found = apa.lmm("score ~ 1 + (1 | subject)", d).predict(d.head(1), interval="prediction")
    means = d.groupby("subject")["score"].mean()
    between = m * means.var(ddof=1)
    within = ((d["score"] - d["subject"].map(means)) ** 2).sum() / (n * (m - 1))
    # var(mean) + var(subject) + var(residual) = a * between + b * within
    a, b = 1 / (n * m) + 1 / m, 1 - 1 / m
    v = a * between + b * within
    df = v**2 / ((a * between) ** 2 / (n - 1) + (b * within) ** 2 / (n * (m - 1)))
    assert found["std_error"].item() == pytest.approx(np.sqrt(v), rel=1e-6)
    assert found["df"].item() == pytest.approx(df, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("random", [False, True])
def test_new_outcomes_lie_in_their_intervals(random: bool) -> None:
    """Coverage of 95 % prediction intervals at 8 subjects; binomial bounds."""
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(300):
        u = rng.normal(size=9)
        d = pd.DataFrame({"subject": np.repeat([f"s{i}" for i in range(8)], 4)})
        d["score"] = u[d["subject"].str[1:].astype(int)] + rng.normal(size=32)
        fit = apa.lmm("score ~ 1 + (1 | subject)", d)
        row = pd.DataFrame({"subject": ["s0" if random else "new"]})
        found = fit.predict(row, random=random, interval="prediction").iloc[0]
        y = u[0 if random else 8] + rng.normal()
        hits.append(found["conf_low"] <= y <= found["conf_high"])
    assert 0.92 <= np.mean(hits) <= 0.98


def test_offsets_enter_means_and_refits() -> None:
    data = study(drop=9)
    formula = "score ~ model + offset(level) + (1 | subject)"
    fit = apa.lmm(formula, data)
    # the mean of the predictions of complete rows at the mean of the offset
    means = apa.emmeans(fit, "model").table["estimate"]
    at = fit.predict(
        pd.DataFrame({"model": [f"m{i}" for i in range(4)], "level": data["level"].mean()})
    )
    np.testing.assert_allclose(means, at, rtol=1e-12)
    moved = apa.emmeans(fit, "model", at={"level": 0.0}).table["estimate"]
    np.testing.assert_allclose(moved + data["level"].mean(), means, rtol=1e-12)
    single = apa.emmeans(fit, "model").contrast("identity").table["estimate"]
    np.testing.assert_allclose(single, means, rtol=1e-12)
    again = fit.refit(data["score"].to_numpy())
    np.testing.assert_allclose(again.table["estimate"], fit.table["estimate"], atol=1e-8)
    drawn = fit.simulate(4000, rng=1).mean(axis=0)
    np.testing.assert_allclose(drawn, fit.predict(), atol=0.04)


def test_influence_is_the_fit_without_each_subject() -> None:
    data = study(n_subject=6, drop=9)
    # one subject whose differences between models stand out
    odd = (data["subject"] == "s2") & (data["model"] == "m3")
    data.loc[odd, "score"] += 1.0
    fit = apa.lmm("score ~ model + (1 | subject) + (1 | model:subject)", data)
    found = fit.influence("subject")
    table = found.table
    for level in ("s0", "s2"):
        direct = apa.lmm(fit.info["formula"], data[data["subject"] != level])
        mine = table[table["subject"] == level]
        np.testing.assert_allclose(mine["estimate"], direct.table["estimate"], atol=1e-6)
        for c in ("std_error", "df", "p_value", "conf_low", "conf_high"):
            np.testing.assert_allclose(mine[c], direct.table[c], rtol=1e-4, atol=1e-6)
        change = fit.table["estimate"].to_numpy() - direct.table["estimate"].to_numpy()
        np.testing.assert_allclose(mine["dfbetas"], change / fit.table["std_error"], atol=1e-5)
        V = fit.arrays["vcov"]
        assert mine["cooks_distance"].iloc[0] == pytest.approx(
            change @ np.linalg.solve(V, change) / len(change), abs=1e-5
        )
    assert table.groupby("subject")["cooks_distance"].first().idxmax() == "s2"
    with pytest.raises(InputError, match="group: got 'person'"):
        fit.influence("person")


def test_influence_on_contrasts_and_its_figures() -> None:
    data = study(n_subject=6, drop=9)
    data.loc[(data["subject"] == "s2") & (data["model"] == "m3"), "score"] += 1.0
    fit = apa.lmm("score ~ model + (1 | subject) + (1 | model:subject)", data)
    pairs = apa.emmeans(fit, "model").pairs()
    found = fit.influence("subject", of=pairs)
    direct = apa.emmeans(
        apa.lmm(fit.info["formula"], data[data["subject"] != "s2"]), "model"
    ).pairs()
    mine = found.table[found.table["subject"] == "s2"]
    assert mine["term"].tolist() == direct.table["contrast"].tolist()
    np.testing.assert_allclose(mine["estimate"], direct.table["estimate"], atol=1e-6)
    np.testing.assert_allclose(mine["full"], pairs.table["estimate"])
    ax = found.plot()
    assert ax.get_xlabel() == "Cook's distance"
    assert ax.get_yticklabels()[0].get_text() == "s2"
    one = found.plot(term="m0 - m3")
    assert "m0 - m3" in one.get_xlabel()
    with pytest.raises(InputError, match="term: got 'm9'"):
        found.plot(term="m9")
    assert "Cook's distance is largest for s2" in found.text()
    other = apa.lmm("score ~ model + (1 | model:subject)", data)
    with pytest.raises(InputError, match="of: got"):
        fit.influence("subject", of=apa.emmeans(other, "model"))


def test_influence_keeps_the_columns_of_a_polynomial() -> None:
    """Bases of all rows: without a level they would be other columns, and their coefficients not comparable."""
    rng = np.random.default_rng(0)
    data = study(n_subject=6, drop=9).assign(x=lambda d: rng.normal(size=len(d)))
    fit = apa.lmm("score ~ poly(x, 2) + (1 | subject)", data)
    raw = apa.lmm("score ~ x + I(x^2) + (1 | subject)", data)
    a, b = (
        f.influence("subject").table.groupby("subject")["cooks_distance"].first()
        for f in (fit, raw)
    )
    np.testing.assert_allclose(a, b, rtol=1e-3)


@pytest.mark.parametrize("sigma", ["residual", "total"])
def test_standard_deviations_of_balanced_data(sigma: str) -> None:
    """Degrees of freedom of the SD: residual ones, and Satterthwaite's of the mean squares."""
    rng = np.random.default_rng(4)
    n, k = 9, 3
    d = pd.MultiIndex.from_product(
        [[f"s{i}" for i in range(n)], list("abc")], names=["subject", "model"]
    )
    d = d.to_frame(index=False)
    d["score"] = rng.normal(size=n)[d["subject"].str[1:].astype(int)] + rng.normal(size=n * k)
    means = apa.emmeans(apa.lmm("score ~ model + (1 | subject)", d), "model")
    info = means.effect_size(sigma).info
    wide = d.pivot(index="subject", columns="model", values="score").to_numpy()
    rest = wide - wide.mean(axis=0) - wide.mean(axis=1, keepdims=True) + wide.mean()
    within, free = (rest**2).sum() / ((n - 1) * (k - 1)), (n - 1) * (k - 1)
    between = k * wide.mean(axis=1).var(ddof=1)
    v, df = within, float(free)
    if sigma == "total":
        a, b = 1 / k, 1 - 1 / k
        v = a * between + b * within
        df = v**2 / ((a * between) ** 2 / (n - 1) + (b * within) ** 2 / free)
    assert info["sigma"] == pytest.approx(np.sqrt(v), rel=1e-6)
    assert info["edf"] == pytest.approx(df, rel=1e-4)
    with pytest.raises(InputError, match="edf"):
        means.effect_size(0.3)
    with pytest.raises(InputError, match="sigma"):
        means.effect_size("pooled")


def test_without_the_reference_level_no_coefficient_changes_its_meaning() -> None:
    """A factor that loses its first level takes another reference: rows of the same name would be other differences."""
    data = study(n_subject=6, drop=9)
    fit = apa.lmm("score ~ model + (1 | subject)", data)
    first = sorted(data["model"].unique())[0]
    table = fit.influence("model").table
    assert table.loc[table["model"] == first, "estimate"].isna().all()
    pairs = fit.influence("model", of=apa.emmeans(fit, "model").pairs()).table
    mine = pairs[pairs["model"] == first].set_index("term")["estimate"].dropna()
    left = apa.emmeans(apa.lmm(fit.info["formula"], data[data["model"] != first]), "model").pairs()
    direct = left.table.set_index("contrast")["estimate"]
    assert sorted(mine.index) == sorted(direct.index)
    np.testing.assert_allclose(mine[direct.index], direct, atol=1e-6)


def _ragged() -> pd.DataFrame:
    data = study(n_subject=6, drop=9)
    data["roi"] = np.where(np.arange(len(data)) % 2 == 0, "V1", "V2")
    return data[(data["model"] != "m3") | (data["roi"] != "V2")]


@pytest.mark.filterwarnings("ignore::apastats.errors.AliasedWarning")
def test_means_that_are_not_estimable_leave_the_others_alone() -> None:
    data = _ragged()
    fit = apa.lmm("score ~ model * roi + (1 | subject)", data)
    means = apa.emmeans(fit, "model", by="roi")
    best = means.compare_best()
    empty = (best["term"] == "m3") & (best["roi"] == "V2")
    assert best.loc[empty, ["estimate", "conf_low", "conf_high"]].isna().all(axis=None)
    assert best.loc[~empty, ["estimate", "conf_low", "conf_high"]].notna().all(axis=None)
    letters = means.letters()
    lost = letters["estimate"].isna()
    assert letters.loc[lost, "letters"].tolist() == [""]
    assert (letters["letters"][~lost] != "").all()
    text = means.pairs().text()
    assert " = " in text
    assert "(z(" not in text
    assert "(t(" in text


def test_a_covariate_that_is_the_offset_has_one_value() -> None:
    data = study(n_subject=6, drop=9).assign(z=lambda d: np.linspace(0, 1, len(d)) ** 2)
    fit = apa.lmm("score ~ model + z + offset(z) + (1 | subject)", data)
    means = apa.emmeans(fit, "model", by="z", at={"z": [0.0, 1.0]})
    rows = means.table[["model", "z"]].assign(subject=data["subject"].iloc[0])
    rows["z"] = rows["z"].astype(float)
    np.testing.assert_allclose(means.table["estimate"], fit.predict(rows), rtol=1e-10)
    best = apa.emmeans(fit, ["model", "z"], at={"z": [0.0, 1.0]}).compare_best()
    np.testing.assert_allclose(sorted(best["estimate"]), sorted(means.table["estimate"]))
    with pytest.raises(InputError, match="one value of the offset"):
        apa.emmeans(fit, ["model", "z"], at={"z": [0.0, 1.0]}).joint_tests()


@pytest.mark.parametrize("unit", [1e-7, 1.0, 1e7])
def test_trends_hold_in_any_unit_of_the_covariate(unit: float) -> None:
    data = study(n_subject=6, drop=9)
    data["x"] = np.random.default_rng(1).uniform(1, 5, len(data)) * unit
    fit = apa.lmm("score ~ model + log(x) + (1 | subject)", data)
    slope = fit.table.set_index("term")["estimate"].filter(like="log").item()
    trend = apa.emmeans(fit, "model", trend="x", at={"x": 2 * unit})
    np.testing.assert_allclose(trend.table["estimate"], slope / (2 * unit), rtol=1e-6)


def test_values_that_are_averaged_are_all_said() -> None:
    data = study(n_subject=6, drop=9).assign(x=lambda d: np.linspace(0, 1, len(d)) ** 2)
    fit = apa.lmm("score ~ model + x + (1 | subject)", data)
    assert (
        "averaged over x = 0.25 and 0.75"
        in apa.emmeans(fit, "model", at={"x": [0.25, 0.75]}).text()
    )
