"""One region, one row order, one copy or one far-off covariate changes nothing that it is no part of."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import ApaError, DegenerateWarning, DesignError

FORMULA = "score ~ model | roi"
G = np.random.default_rng(11)
SCORES = (
    0.4 + G.normal(0, 0.08, (9, 1, 1)) + G.normal(0, 0.03, (9, 4, 3)) + 0.01 * np.arange(4)[:, None]
)
VERBS: dict[str, Callable[[apa.ScoreTable], apa.Result]] = {
    "compare": lambda t: apa.compare(FORMULA, t),
    "compare, tukey": lambda t: apa.compare(FORMULA, t, adjust="tukey"),
    "compare, wilcoxon": lambda t: apa.compare(FORMULA, t, test="wilcoxon"),
    "compare, sign_flip": lambda t: apa.compare(FORMULA, t, test="sign_flip"),
    "equivalence": lambda t: apa.equivalence(FORMULA, t, bounds=0.04),
    "equivalence, best": lambda t: apa.equivalence(FORMULA, t, bounds=0.04, reference="best"),
    "equivalence_set": lambda t: apa.equivalence_set(FORMULA, t),
    "equivalence_set, bounds": lambda t: apa.equivalence_set(FORMULA, t, bounds=0.04),
    "equivalence_set, mcs": lambda t: apa.equivalence_set(FORMULA, t, method="mcs"),
    "nemenyi": lambda t: apa.nemenyi(FORMULA, t),
    "quade": lambda t: apa.quade(FORMULA, t),
    "friedman": lambda t: apa.friedman(FORMULA, t),
    "mean_ranks": lambda t: apa.mean_ranks(FORMULA, t),
    "bootstrap": lambda t: apa.bootstrap(FORMULA, t, rng=1),
    "discriminability": lambda t: apa.discriminability(FORMULA, t, rng=1),
}


def _table(x: np.ndarray, order: int | None = None) -> apa.ScoreTable:
    n, k, cells = x.shape
    levels = [[f"{c}{i}" for i in range(m)] for c, m in zip("smr", (n, k, cells), strict=True)]
    index = pd.MultiIndex.from_product(levels, names=["subject", "model", "roi"])
    frame = pd.DataFrame({"score": x.ravel()}, index=index).reset_index()
    return apa.read(frame if order is None else frame.sample(frac=1, random_state=order))


def _sound(found: apa.Result) -> None:
    """No p-value is 0 or above 1, nothing is infinite, estimates lie in their intervals."""
    t = found.table
    for column in (c for c in t.columns if c.startswith("p_value")):
        p = t[column].to_numpy(float)
        assert not ((p <= 0) | (p > 1)).any(), column
    for column in t.columns.intersection(["estimate", "statistic", "std_error", "df"]):
        assert not np.isinf(t[column].to_numpy(float)).any(), column
    if {"estimate", "conf_low", "conf_high"} <= set(t.columns):
        e, low, high = (t[c].to_numpy(float) for c in ("estimate", "conf_low", "conf_high"))
        near = 1e-9 * np.maximum(np.abs(e), 1e-3)
        assert not ((low > e + near) | (high < e - near)).any()


ODD = {
    "one region 1e90 times the others": lambda: SCORES * np.array([1, 1e90, 1]),
    "one region 1e-90 of the others": lambda: SCORES * np.array([1, 1e-90, 1]),
    "a constant region": lambda: np.where(np.arange(3) == 1, 0.3, SCORES),
    "a copy of a model": lambda: np.concatenate([SCORES, SCORES[:, :1]], axis=1),
    "two subjects": lambda: SCORES[:2],
    "models apart by 1e9 errors": lambda: np.arange(4.0)[:, None] + 3e-8 * (SCORES - 0.4),
}


@pytest.mark.filterwarnings("ignore::apastats.errors.ApaWarning")
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("verb", VERBS)
def test_odd_regions_end_in_sound_numbers_or_named_errors(verb: str, odd: str) -> None:
    x = ODD[odd]()
    try:
        found = VERBS[verb](_table(x))
    except ApaError:
        assert odd == "two subjects"
        return
    _sound(found)


@pytest.mark.filterwarnings("ignore::apastats.errors.ApaWarning")
@pytest.mark.parametrize("power", [-90, 90])
@pytest.mark.parametrize(
    "verb", [v for v in VERBS if v.split(",")[0] not in ("equivalence", "equivalence_set")]
)
def test_the_scale_of_a_region_is_no_matter_of_the_others(verb: str, power: int) -> None:
    """Verbs without a margin in the unit of the scores, and without variances moderated over regions."""
    one, other = (
        VERBS[verb](_table(x)).table for x in (SCORES, SCORES * np.array([1, 10.0**power, 1]))
    )
    one, other = (t[t["roi"] != "r1"] for t in (one, other))
    for column in one.select_dtypes("number"):
        np.testing.assert_allclose(other[column], one[column], rtol=1e-6, err_msg=column)


@pytest.mark.filterwarnings("ignore::apastats.errors.ApaWarning")
@pytest.mark.parametrize("verb", VERBS)
def test_p_values_have_no_order_of_rows(verb: str) -> None:
    one, other = (VERBS[verb](_table(SCORES, order)).table for order in (None, 3))

    def sides(t: pd.DataFrame) -> Any:
        names = [c for c in ("roi", "outcome", "term", "model", "reference") if c in t]
        return t[names].astype(str).apply(lambda row: "|".join(sorted(row)), axis=1)

    columns = [c for c in ("p_value", "p_value_adjusted", "p_value_equiv", "n_subject") if c in one]
    assert columns
    one, other = (t[columns].set_index(sides(t)).sort_index() for t in (one, other))
    pd.testing.assert_frame_equal(one, other, rtol=1e-9)


def test_ordered_categories_say_which_model_is_first() -> None:
    """In frames with models in an order of their own, as in lmm: the first is subtracted from none."""
    frame = _table(SCORES).frame[["subject", "model", "roi", "score"]]
    models = pd.Categorical(frame["model"], ["m3", "m1", "m2", "m0"], ordered=True)
    table = apa.read(frame.assign(model=models))
    assert table.levels("model") == ["m3", "m1", "m2", "m0"]
    assert any("categories of model" in line for line in table.log)
    one, other = (apa.compare(FORMULA, t).table for t in (table, _table(SCORES)))
    assert other["contrast"].iloc[0] == "m0 - m1"
    assert one["contrast"].iloc[0] == "m3 - m1"
    np.testing.assert_allclose(sorted(one["p_value"]), sorted(other["p_value"]))
    unordered = frame.assign(model=models.as_unordered())
    assert apa.read(unordered).levels("model") == ["m0", "m1", "m2", "m3"]


def test_limits_of_counts_settle_with_the_seed() -> None:
    """They are quantiles over simulated truths: seeds move them by less than half a pair."""
    table = _table(SCORES)
    found = [apa.discriminability(FORMULA, table, rng=seed).table for seed in range(4)]
    pairs = np.array(
        [t.loc[t["term"] == "separated_pairs", ["conf_low", "conf_high"]] for t in found]
    )
    assert np.ptp(pairs, axis=0).max() < 0.5


@pytest.mark.parametrize("test", ["t", "trimmed", "permutation", "bootstrap"])
@pytest.mark.parametrize("y", [[0.3, 0.3, 0.1 + 0.2], [2.0, 2.0, 2.0]])
def test_samples_that_vary_by_rounding_alone_have_no_test(test: str, y: list[float]) -> None:
    """The bootstrap of 0.3 and 0.1 + 0.2 found a difference of 5e-17 with p = .0002."""
    more = {"rng": 1} if test == "bootstrap" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DesignError, match="no variation"):
            apa.tost([0.1 + 0.2, 0.3, 0.3], y, bounds=0.5, paired=False, test=test, **more)


def test_pairs_that_are_all_ties_have_no_rank_effect() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", DegenerateWarning)
        row = apa.tost([1.0, 2, 3], [1.0, 2, 3], bounds=0.5, test="wilcoxon").table.iloc[0]
    assert row["p_value"] == 1
    assert np.isnan(row["effect_low"])


def _sloping(offset: float) -> pd.DataFrame:
    g = np.random.default_rng(2)
    d = pd.DataFrame({"s": np.repeat(list("abcdefgh"), 8), "x": np.tile(np.arange(8.0), 8)})
    own = g.normal(size=(2, 8)).repeat(8, axis=1)
    y = g.normal(size=64) + 2 * own[0] + (0.1 + own[1]) * d["x"]
    return d.assign(y=y, x=d["x"] + offset)


def test_a_covariate_far_from_0_is_fitted_or_refused_and_never_left_out() -> None:
    """Years and codes are fitted as from 0; a clock of 1.6e9 seconds was called a constant and dropped."""
    truth = apa.lmm("y ~ x + (1 | s)", _sloping(0)).table.iloc[1]
    for offset in (2015.0, 1e5, 1e7):
        found = apa.lmm("y ~ x + (1 | s)", _sloping(offset)).table.iloc[1]
        for column in ("estimate", "std_error", "df", "p_value"):
            assert found[column] == pytest.approx(truth[column], rel=1e-6)
    with pytest.raises(DesignError, match="'x' varies by 3.5 around 1.6e\\+09"):
        apa.lmm("y ~ x + (1 | s)", _sloping(1.6e9))


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e6])
def test_the_unit_of_a_covariate_is_no_matter_of_its_test(unit: float) -> None:
    data = _sloping(0)
    for formula in ("y ~ x + (1 | s)", "y ~ x + (1 + x | s)"):
        one, other = (
            apa.lmm(formula, d).table.iloc[1] for d in (data, data.assign(x=unit * data["x"]))
        )
        assert other["estimate"] * unit == pytest.approx(one["estimate"], rel=1e-5)
        for column in ("df", "statistic", "p_value"):
            assert other[column] == pytest.approx(one[column], rel=1e-4)


def test_a_covariate_of_two_values_has_both_means() -> None:
    """As in emmeans: the mean at 0.5 is nobody's."""
    data = _sloping(0).assign(late=lambda d: (d["x"] > 4).astype(float))
    fit = apa.lmm("y ~ late + (1 | s)", data)
    found = apa.emmeans(fit, "late")
    assert found.table["late"].tolist() == [0.0, 1.0]
    one = fit.table.set_index("term")["estimate"]["late"]
    assert found.pairs().table["estimate"].item() == pytest.approx(-one)
    assert apa.emmeans(fit, "late", at={"late": 0.5}).table["late"].tolist() == [0.5]


def test_thousands_of_fixed_levels_are_refused_with_the_way_out() -> None:
    """5,000 fixed models of 10 subjects took 8 GB before anything was fitted."""
    models = [f"m{i}" for i in range(4001)]
    index = pd.MultiIndex.from_product([["a", "b"], models], names=["subject", "model"])
    frame = pd.DataFrame({"score": np.arange(8002.0)}, index=index).reset_index()
    with pytest.raises(DesignError, match="make the levels random, \\(1 | model\\)"):
        apa.lmm("score ~ model + (1 | subject)", frame)
