"""Units and subjects without variance: left out, counted and named, everywhere by one rule."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import CeilingError, CeilingWarning, DegenerateWarning, DesignError, InputError
from apastats.numbers.units import varies
from apastats.scoring.ridge import shuffled_folds


def responses(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(20, 10))
    x, xt = rng.normal(size=(60, 20)), rng.normal(size=(10, 20))
    return x, xt, x @ w + rng.normal(size=(60, 10)), xt @ w


def scores(y, yt, x, xt, **options):
    found = apa.linear_predictivity({("s1", "V1"): (y, yt)}, {("m", "l"): (x, xt)}, **options)
    return found.frame.set_index("split")


@pytest.mark.parametrize("seed", range(4, 12))
@pytest.mark.parametrize("level", [0.0, 0.3, 1e6])
def test_a_vertex_constant_on_the_test_stimuli_is_left_out(seed: int, level: float) -> None:
    x, xt, y, yt = responses(seed)
    without = scores(y[:, 1:], yt[:, 1:], x, xt)
    yt[:, 0] = level * (1 + 1e-16 * np.arange(10))
    with pytest.warns(DegenerateWarning, match=r"1 of 10 vertices are constant in .*'V1'\), test"):
        found = scores(y, yt, x, xt)
    # the penalty is chosen over all vertices of a set, so the other nine change a little
    assert found.score["test"] == pytest.approx(without.score["test"], abs=0.02)
    assert found.loc["test", ["n_unit", "n_left_out"]].tolist() == [9, 1]
    assert found.loc["train", ["n_unit", "n_left_out"]].tolist() == [10, 0]


def test_values_of_a_set_with_dead_parts_equal_scikit_learn_on_the_vertices_scored() -> None:
    from sklearn.linear_model import RidgeCV

    x, _, y, _ = responses(0)
    y[:, 3] = 0
    y[[7, 31], 3] = 4.0  # fires on 2 of 60 stimuli: constant in most folds
    with pytest.warns(DegenerateWarning, match="1 of 10 vertices"):
        found = apa.linear_predictivity({("s", "V1"): y}, {("m", "l"): x}, alphas=[10.0])
    z, v = (a - a.mean(0) for a in (x, y))
    z, v = z / z.std(0), v / v.std(0)
    total = 0.0
    for out in shuffled_folds(60, 5, 1):
        kept = np.setdiff1d(np.arange(60), out)
        p = RidgeCV([10.0]).fit(z[kept], v[kept]).predict(z[out])
        live = np.ptp(y[out], axis=0) > 0
        r2 = 1 - ((v[out] - p) ** 2).sum(0) / ((v[out] - v[out].mean(0)) ** 2).sum(0)
        total += len(out) / 60 * r2[live].mean()
    assert found.frame["score"].iloc[0] == pytest.approx(total, abs=1e-9)
    assert found.frame[["n_unit", "n_left_out"]].iloc[0].tolist() == [9, 1]
    assert found.log


def test_one_test_stimulus_has_no_score_and_says_so() -> None:
    x, xt, y, yt = responses(1)
    with pytest.warns(DegenerateWarning, match="10 of 10 vertices are constant .*test"):
        found = scores(y, yt[:1], x, xt[:1])
    assert np.isnan(found.score["test"])
    assert found.n_unit["test"] == 0


def test_a_feature_constant_up_to_rounding_predicts_nothing() -> None:
    x, xt, y, yt = responses(2)
    rng = np.random.default_rng(0)
    dead = 0.3 * (1 + 1e-16 * rng.integers(-2, 3, size=(70, 30)))
    more, more_test = np.hstack([x, dead[:60]]), np.hstack([xt, dead[60:]])
    np.testing.assert_allclose(
        scores(y, yt, more, more_test).score, scores(y, yt, x, xt).score, rtol=1e-9
    )


def test_brain_references_leave_out_the_same_vertices() -> None:
    x, xt, y, yt = responses(3)
    rng = np.random.default_rng(3)
    brain = {}
    for s in ("a", "b", "c"):
        test = yt + rng.normal(size=yt.shape)
        test[:, 0] = 1.0
        brain[s, "V1"] = (y + rng.normal(size=y.shape), test)
    with pytest.warns(DegenerateWarning, match="1 of 10"):
        found = apa.linear_predictivity(
            brain, {("m", "l"): (x, xt)}, references=("subject_to_subject", "leave_one_out")
        ).frame
    assert found.score.abs().max() < 20
    assert set(found.loc[found.split == "test", "n_unit"]) == {9}


@pytest.fixture
def repeats() -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.normal(size=(60, 1, 10)) + 0.7 * rng.normal(size=(60, 3, 10))


@pytest.mark.parametrize("dead", [0.0, 5.0, "rounding"])
@pytest.mark.parametrize("form", ["ncsnr", "split_half"])
def test_dead_vertices_do_not_move_a_ceiling(repeats: np.ndarray, form: str, dead: object) -> None:
    def make(x: np.ndarray) -> apa.Reliability:
        return apa.ncsnr(x) if form == "ncsnr" else apa.split_half(x, rng=0)

    more = np.full((60, 3, 10), 0.0 if dead == "rounding" else dead)
    if dead == "rounding":
        more = 1e-15 * np.random.default_rng(0).normal(size=more.shape)
    live = make(repeats)
    with pytest.warns(DegenerateWarning, match="10 of 20 vertices do not vary"):
        both = make(np.concatenate([repeats, more], axis=2))
    np.testing.assert_array_equal(both.r2[:10], live.r2)
    assert np.isnan(both.r2[10:]).all()
    for scale in ("r2", "r"):
        assert both.ceiling(scale) == live.ceiling(scale)
    if form == "ncsnr":
        assert both.ceiling(minimum=0.4) == live.ceiling(minimum=0.4)


def test_ceiling_of_dead_vertices_alone_is_refused() -> None:
    with pytest.warns(DegenerateWarning, match="2 of 2"):
        found = apa.ncsnr(np.zeros((5, 3, 2)))
    with pytest.raises(CeilingError, match="no vertex varies"):
        found.ceiling()


def test_perfect_repeats_are_no_dead_vertex() -> None:
    x = np.broadcast_to(np.random.default_rng(0).normal(size=(20, 1, 1)), (20, 3, 1))
    assert apa.ncsnr(x).r2.tolist() == [1.0]
    assert np.isinf(apa.ncsnr(x + 1e-15).ncsnr).all()


def test_unequal_repeats_have_the_ceiling_of_the_repeats_that_are_there() -> None:
    rng = np.random.default_rng(0)
    n, v = 60, 400
    signal = rng.normal(size=(n, 1, v))
    x = signal + rng.normal(size=(n, 3, v))
    x[20:40, 2] = np.nan
    x[40:, 1:] = np.nan
    found = apa.ncsnr(x)
    manual = found.ncsnr**2 / (found.ncsnr**2 + (20 / 3 + 20 / 2 + 20 / 1) / 60)
    np.testing.assert_allclose(found.r2, manual, rtol=1e-12)
    assert found.n_average == pytest.approx(60 / (20 / 3 + 20 / 2 + 20))
    mean = np.nanmean(x, axis=1)
    truth = np.mean([np.corrcoef(mean[:, k], signal[:, 0, k])[0, 1] ** 2 for k in range(v)])
    assert found.r2.mean() == pytest.approx(truth, abs=0.02)
    # asked for a number, the number is taken
    three = apa.ncsnr(x, n_average=3)
    np.testing.assert_allclose(three.r2, found.ncsnr**2 / (found.ncsnr**2 + 1 / 3))
    assert three.n_average == 3


def test_published_maps() -> None:
    ratio = np.array([[0.5, 1.0], [np.nan, 0.0]])
    found = apa.Reliability.from_ncsnr(ratio, n_average=[3, 3, 2, 1])
    n = 4 / (2 / 3 + 1 / 2 + 1)
    np.testing.assert_allclose(found.r2, (ratio**2 / (ratio**2 + 1 / n)).ravel())
    assert found.ceiling() == pytest.approx(np.nanmean(found.r2))
    assert found.ceiling(minimum=0.4) == pytest.approx(found.r2[:2].mean())
    half = apa.Reliability.from_r2([36.0, np.nan], percent=True)
    assert half.ceiling("r") == pytest.approx(0.6)
    table = apa.ScoreTable(
        pd.DataFrame({"subject": ["s1"], "roi": "V1", "model": "m", "score": [0.18]})
    )
    shares = apa.normalize_encoding(table, {("s1", "V1"): half}, scale="r2")
    assert shares.frame["score"].tolist() == pytest.approx([0.5])
    for bad in (-1.0, np.inf, "x"):
        with pytest.raises(InputError, match="ncsnr"):
            apa.Reliability.from_ncsnr([bad], n_average=3)
    for bad in (0, 1.5, True, "3.x", []):
        with pytest.raises(InputError, match="n_average"):
            apa.Reliability.from_ncsnr([1.0], n_average=bad)
    with pytest.raises(InputError, match="percent=True"):
        apa.Reliability.from_r2([36.0])


def test_score_and_ceiling_over_other_vertices_is_said(repeats: np.ndarray) -> None:
    x = np.random.default_rng(1).normal(size=(60, 4))
    y = repeats.mean(axis=1)
    y[:, 0] = 1.0
    with pytest.warns(DegenerateWarning):
        table = apa.linear_predictivity({("s", "V1"): y}, {("m", "l"): x})
    with pytest.warns(CeilingWarning, match="over 9 vertices, its ceiling over 10"):
        apa.normalize_encoding(table, {("s", "V1"): apa.ncsnr(repeats)}, scale="r2")


@pytest.mark.parametrize("kind", ["leave_one_out", "subject_to_subject", "nili"])
@pytest.mark.parametrize("interval", ["t", "percentile"])
def test_two_subjects_have_no_interval(kind: str, interval: str) -> None:
    rdms = apa.simulate_rdms(n_subject=2, n_stimulus=12, rois=["V1", "V2"], n_model=2, rng=0)
    table = apa.score(rdms.brain, rdms.models)
    with pytest.warns(DegenerateWarning, match="two subjects predict each other"):
        found = apa.noise_ceiling(
            rdms.brain if kind == "nili" else table, kind=kind, interval=interval, rng=0
        )
    assert np.isfinite(found.table["estimate"]).all()
    assert (
        found.table[["std_error", "statistic", "p_value", "conf_low", "conf_high"]].isna().all(None)
    )
    assert any("same by symmetry" in n for n in found.notes)
    layer = table.frame["layer"].iloc[0]
    bound = "lower" if kind == "nili" else None
    with pytest.raises(CeilingError, match="no interval"):
        apa.normalize(table.where(kind="model", layer=layer), found, bound=bound)


def test_subjects_of_own_sessions_keep_their_interval() -> None:
    rng = np.random.default_rng(0)
    labels = pd.DataFrame({"subject": list("aabb"), "roi": "V1", "session": [1, 2, 1, 2]})
    common = rng.random(15)
    rdms = apa.RDMSet(common + 0.1 * rng.random((4, 15)), labels)
    found = apa.noise_ceiling(rdms, kind="repeat")
    assert np.isfinite(found.table["conf_low"]).all()


def test_ceiling_of_one_subject_says_so() -> None:
    one = apa.RDMSet(np.arange(3.0)[None], pd.DataFrame({"subject": ["a"], "roi": "V1"}))
    with pytest.raises(DesignError, match="ROI 'V1' has RDMs of one subject"):
        apa.noise_ceiling(one, kind="nili")


def test_the_rule_follows_the_scale_of_the_data() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 4))
    x[:, 1] = 1e4 + 1e-12 * rng.normal(size=30)
    x[:, 2] = 1e-14 * rng.normal(size=30)
    for scale in (1e-15, 1.0, 1e15):
        assert varies(scale * x).tolist() == [True, False, False, True]
    assert varies(np.full((3, 2), np.nan)).tolist() == [False, False]
