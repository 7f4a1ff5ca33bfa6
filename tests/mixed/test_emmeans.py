"""Marginal means, contrasts, margins, letters, the best."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import InputError, MarginError
from apastats.mixed.engine.contrast_rows import contrast_rows
from apastats.numbers.compact_letters import letters_of
from tests.mixed.conftest import study

FORMULA = "score ~ model * stream + level + (1 | subject) + (1 | roi)"


@pytest.fixture(scope="module")
def fit():
    return apa.lmm(FORMULA, study(seed=1, drop=31, n_roi=6))


@pytest.fixture(scope="module")
def simple():
    return apa.lmm("score ~ model + (1 | subject) + (1 | roi)", study(seed=2, drop=20))


def test_means_are_averages_of_predictions(fit) -> None:
    found = apa.emmeans(fit, "model")
    level = fit.model.design.fixed.covariates["level"]
    for row in found.table.itertuples():
        cells = pd.DataFrame({"model": row.model, "stream": ["early", "late"], "level": level})
        assert row.estimate == pytest.approx(fit.predict(cells).mean())
    assert "averaged over stream with equal weights" in found.info["method"]


def test_by_and_several_specs_give_the_same_cells(fit) -> None:
    a = apa.emmeans(fit, "model", by="stream").table.set_index(["model", "stream"])["estimate"]
    b = apa.emmeans(fit, "model:stream").table.set_index(["model", "stream"])["estimate"]
    pd.testing.assert_series_equal(a.sort_index(), b.sort_index())


def test_families_are_adjusted_within_by(fit) -> None:
    both = apa.emmeans(fit, "model", by="stream").contrast("pairwise", adjust="holm").table
    single = apa.emmeans(fit, "model", by="stream").contrast("pairwise", adjust="none").table
    for stream in ("early", "late"):
        p = single.loc[single["stream"] == stream, "p_value"].to_numpy()
        np.testing.assert_allclose(
            both.loc[both["stream"] == stream, "p_value"], apa.adjust_p(p, "holm")
        )


def test_at_and_trend(fit) -> None:
    low, high = (
        apa.emmeans(fit, "model", at={"level": v}).table["estimate"].to_numpy() for v in (0.0, 1.0)
    )
    slope = apa.emmeans(fit, "model", trend="level").table["estimate"].to_numpy()
    np.testing.assert_allclose(high - low, slope, atol=1e-9)


def test_contrast_methods_on_means(simple) -> None:
    means = apa.emmeans(simple, "model")
    m = means.table["estimate"].to_numpy()

    def get(method, **options):
        return means.contrast(method, adjust="none", **options).table["estimate"].to_numpy()

    np.testing.assert_allclose(get("trt.vs.ctrl", ref="m2"), np.delete(m, 2) - m[2])
    np.testing.assert_allclose(get("deviation"), m - m.mean())
    np.testing.assert_allclose(get("consecutive"), np.diff(m))
    np.testing.assert_allclose(get("revpairwise"), -get("pairwise"))
    np.testing.assert_allclose(get({"first": [1, -0.5, -0.5, 0]}), m[0] - (m[1] + m[2]) / 2)
    assert means.contrast("poly").table["contrast"].tolist() == ["linear", "quadratic", "cubic"]
    x = np.arange(4) - 1.5
    assert get("poly")[0] == pytest.approx(m @ (2 * x))


def test_polynomials_in_whole_numbers() -> None:
    """As tabulated, and as emmeans gives them."""
    names, C = contrast_rows("poly", [f"l{i}" for i in range(8)], None)
    assert names[-1] == "degree 6"
    assert C[4].tolist() == [-7, 23, -17, -15, 15, 17, -23, 7]
    np.testing.assert_array_equal(C @ np.ones(8), 0)
    np.testing.assert_array_equal(C @ C.T, np.diag((C**2).sum(axis=1)))


def test_one_sided_family_in_both_directions(simple) -> None:
    """P(max > t) and P(min < t) of one family; a statistic on the wrong side has no p of 1."""
    means = apa.emmeans(simple, "model", df="z")
    up, down = (
        means.contrast("trt.vs.ctrl", ref="m2", alternative=a).table for a in ("greater", "less")
    )
    V = means.contrast("trt.vs.ctrl", ref="m2")
    R = V.rows @ V.inference.vcov @ V.rows.T
    sd = np.sqrt(np.diag(R))
    z = np.random.default_rng(0).multivariate_normal(np.zeros(3), R / np.outer(sd, sd), 200_000)
    for table, simulated in ((up, z.max(axis=1)), (down, -z.min(axis=1))):
        t = table["statistic"].to_numpy() * (1 if table is up else -1)
        np.testing.assert_allclose(
            table["p_value"], (simulated[:, None] > t).mean(axis=0), atol=4e-3
        )
        assert (t < 0).any()


def test_critical_value_given(simple) -> None:
    means = apa.emmeans(simple, "model")
    own, given = (means.contrast("trt.vs.ctrl", critical=c) for c in (None, 2.5))
    np.testing.assert_allclose(
        given.table["conf_high"] - given.table["estimate"], 2.5 * given.table["std_error"]
    )
    np.testing.assert_array_equal(own.table["p_value"], given.table["p_value"])
    assert given.info.interval == "critical value given: 2.5"
    for bad in (-1, np.inf, "a"):
        with pytest.raises(InputError, match="critical: got"):
            means.contrast(critical=bad)


@pytest.mark.parametrize("adjust", ["tukey", "mvt", "scheffe", "sidak", "bonferroni", "dunnettx"])
def test_simultaneous_interval_and_p_value_agree(simple, adjust: str) -> None:
    table = apa.emmeans(simple, "model").contrast("pairwise", adjust=adjust, conf_level=0.95).table
    away = (table["conf_low"] > 0) | (table["conf_high"] < 0)
    assert (away == (table["p_value"] < 0.05)).all()
    single = apa.emmeans(simple, "model").contrast("pairwise", adjust="none").table
    assert (table["p_value"] >= single["p_value"] - 1e-12).all()


def test_margin_test_is_the_interval_rule(simple) -> None:
    tested = (
        apa.emmeans(simple, "model").pairs().test(bounds=(-0.08, 0.06), adjust="none", alpha=0.05)
    )
    t = tested.table
    inside = (t["conf_low"] > -0.08) & (t["conf_high"] < 0.06)
    assert (inside == (t["p_value_equiv"] < 0.05)).all()
    assert tested.info["conf_level"] == pytest.approx(0.9)
    np.testing.assert_allclose(
        t["p_value_equiv"], t[["p_value_noninf", "p_value_nonsup"]].max(axis=1)
    )
    assert set(t["decision"]) <= {
        "equivalent",
        "different",
        "different but inside the margin",
        "undecided",
    }
    side = (
        apa.emmeans(simple, "model")
        .pairs()
        .test(bounds=0.05, side="noninferiority", adjust="none")
        .table
    )
    assert ((side["decision"] == "non-inferior") == (side["p_value_noninf"] <= 0.05)).all()


def test_brain_is_one_level_of_model(simple) -> None:
    data = study(seed=2)
    data["model"] = data["model"].replace({"m3": "brain"})
    fit = apa.lmm("score ~ model + (1 | subject) + (1 | roi)", data)
    found = apa.emmeans(fit, "model").contrast("trt.vs.ctrl", ref="brain").test(bounds=0.1)
    assert found.table["contrast"].tolist() == ["m0 - brain", "m1 - brain", "m2 - brain"]


def test_one_sided_contrasts(simple) -> None:
    means = apa.emmeans(simple, "model")
    two = means.contrast("trt.vs.ctrl", adjust="none").table["p_value"]
    up = means.contrast("trt.vs.ctrl", adjust="none", alternative="greater").table
    np.testing.assert_allclose(np.minimum(up["p_value"], 1 - up["p_value"]) * 2, two)
    assert np.isinf(up["conf_high"]).all()
    joint = means.contrast("trt.vs.ctrl", adjust="mvt", alternative="greater").table["p_value"]
    assert (joint >= up["p_value"] - 1e-12).all()


def test_joint_tests_are_the_f_tests_of_a_model_without_covariates(simple) -> None:
    joint = apa.emmeans(simple, "model").joint_tests().iloc[0]
    anova = simple.anova().iloc[0]
    assert joint["statistic"] == pytest.approx(anova["statistic"])
    assert joint["den_df"] == pytest.approx(anova["den_df"], rel=1e-3)
    fit = apa.lmm(
        "score ~ model * stream + (1 | subject) + (1 | roi)", study(seed=1, drop=31, n_roi=6)
    )
    both = apa.emmeans(fit, "model:stream").joint_tests().set_index("term")
    direct = fit.anova().set_index("term")
    for term in ("model", "stream", "model:stream"):
        assert both.loc[term, "statistic"] == pytest.approx(direct.loc[term, "statistic"])


def test_letters() -> None:
    none = np.zeros((3, 3), dtype=bool)
    assert letters_of(none) == ["a", "a", "a"]
    assert letters_of(~none) == ["a", "b", "c"]
    chain = np.array([[0, 0, 1, 1], [0, 0, 0, 1], [1, 0, 0, 0], [1, 1, 0, 0]], dtype=bool)
    assert letters_of(chain) == ["a", "ab", "bc", "c"]


def test_letters_mirror_the_tests(simple) -> None:
    means = apa.emmeans(simple, "model")
    table = means.letters(alpha=0.05).set_index("model")["letters"]
    for row in means.pairs().table.itertuples():
        a, b = row.contrast.split(" - ")
        assert bool(set(table[a]) & set(table[b])) == (row.p_value > 0.05)


def test_best_intervals_contain_zero(simple) -> None:
    found = apa.emmeans(simple, "model").compare_best()
    assert ((found["conf_low"] <= 0) & (found["conf_high"] >= 0)).all()
    assert found.loc[found["estimate"].idxmax(), "can_be_best"]
    worst = apa.emmeans(simple, "model").compare_best(larger_is_better=False)
    assert worst.loc[worst["estimate"].idxmin(), "can_be_best"]


def test_results_save_and_load(simple, tmp_path) -> None:
    means = apa.emmeans(simple, "model")
    assert repr(means).startswith("<EmmeansResult: 4 rows; ")
    assert repr(simple).startswith("<LmmResult: 4 rows; lmm(")
    for name, result in (("a", means), ("b", means.pairs())):
        result.save(tmp_path / name)
        pd.testing.assert_frame_equal(apa.load_result(tmp_path / name).tidy(), result.tidy())


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda f: apa.emmeans(f, "roi"), InputError, "specs: got 'roi'"),
        (lambda f: apa.emmeans(f, 3), InputError, "specs: got 3"),
        (lambda f: apa.emmeans(f, "model", by="model"), InputError, "by: got 'model'"),
        (lambda f: apa.emmeans(f, "model", at={"x": 1}), InputError, "at: got 'x'"),
        (lambda f: apa.emmeans(f, "model", at={"model": ["m9"]}), InputError, "got 'm9'"),
        (lambda f: apa.emmeans(f, "model", trend="model"), InputError, "trend: got 'model'"),
        (lambda f: apa.emmeans(f, "model", df="residual"), InputError, "df: got 'residual'"),
        (lambda f: apa.emmeans(f, "model", conf_level=0), InputError, "conf_level: got 0"),
        (lambda f: apa.emmeans("x", "model"), InputError, "fit: got 'x'; allowed: a LmmResult"),
        (lambda f: apa.emmeans(f, "model").contrast("tukey"), InputError, "method: got 'tukey'"),
        (lambda f: apa.emmeans(f, "model").contrast({"a": [1]}), InputError, "4 finite coefficients"),
        (lambda f: apa.emmeans(f, "model").contrast("pairwise", ref="m0"), InputError, "ref: got 'm0'"),
        (lambda f: apa.emmeans(f, "model").contrast("trt.vs.ctrl", ref="m9"), InputError, "ref: got 'm9'"),
        (lambda f: apa.emmeans(f, "model").contrast("trt.vs.ctrl", ref=7), InputError, "ref: got 7"),
        (lambda f: apa.emmeans(f, "model").contrast(adjust="lsd"), InputError, "adjust: got 'lsd'"),
        (lambda f: apa.emmeans(f, "model").contrast("deviation", adjust="tukey"), InputError, "all pairwise"),
        (lambda f: apa.emmeans(f, "model").contrast(alternative="up"), InputError, "alternative: got 'up'"),
        (
            lambda f: apa.emmeans(f, "model").contrast(adjust="tukey", alternative="less"),
            InputError, "one-sided alternative",
        ),
        (lambda f: apa.emmeans(f, "model").pairs().test(), MarginError, "bounds"),
        (lambda f: apa.emmeans(f, "model").pairs().test(bounds=-1), MarginError, "bounds"),
        (lambda f: apa.emmeans(f, "model").pairs().test(bounds=1, side="same"), InputError, "side: got 'same'"),
        (lambda f: apa.emmeans(f, "model").pairs().test(bounds=1, adjust="tukey"), InputError, "adjust: got 'tukey'"),
        (lambda f: apa.emmeans(f, "model").pairs().test(bounds=1, alpha=0.7), InputError, "alpha: got 0.7"),
        (lambda f: apa.emmeans(f, "model").letters(alpha=2), InputError, "alpha: got 2"),
        (lambda f: apa.emmeans(f, "model").joint_tests(combine="mean"), InputError, "combine: got 'mean'"),
    ],
)  # fmt: skip
def test_bad_input(simple, call, error, match) -> None:
    with pytest.raises(error, match=match):
        call(simple)
