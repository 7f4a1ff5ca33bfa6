"""What is rounding: ties, zeros and missing variation are judged by the size of the scores."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

import apastats as apa
from apastats.errors import ApaError, DegenerateWarning, DesignError
from apastats.numbers.moments import constant, moments
from apastats.numbers.noncentral import (
    noncentral_pivot,
    noncentral_t_cdf,
    noncentral_t_limits,
    noncentral_t_quantile,
)
from apastats.numbers.ranks import midranks

X = np.array([3, 5, 7, 4, 6, 2, 8.0])
Y = np.array([2, 3, 4, 3, 7, 1, 6.0])


def exact_signed_rank(d: np.ndarray) -> float:
    """Two-sided p by all signs of whole-number differences."""
    d = d[d != 0]
    ranks = stats.rankdata(np.abs(d))
    sums = np.array(
        [ranks[np.array(s) > 0].sum() for s in itertools.product([-1, 1], repeat=len(d))]
    )
    v = ranks[d > 0].sum()
    return float(min(1.0, 2 * min((sums >= v).mean(), (sums <= v).mean())))


@pytest.mark.parametrize("unit", [1, 3, 10, 100, 1000, 1e7])
def test_wilcoxon_of_decimal_scores_is_that_of_whole_numbers(unit: float) -> None:
    found = apa.tost(X / unit, Y / unit, bounds=2 / unit, test="wilcoxon").tidy()
    whole = apa.tost(X, Y, bounds=2, test="wilcoxon").tidy()
    assert found["p_value"].item() == pytest.approx(exact_signed_rank(X - Y), abs=1e-15)
    for column in ("p_value_noninf", "p_value_nonsup", "statistic", "effect_size", "decision"):
        assert found[column].item() == whole[column].item(), column
    assert found["conf_low"].item() == 0.0
    effect = apa.effect_size(X / unit, Y / unit, measures="rank_biserial").tidy()
    assert effect["estimate"].item() == pytest.approx(0.8214285714285714, abs=1e-15)


def test_decimal_ties_are_those_of_r_with_digits_rank() -> None:
    x = [0.10, 0.14, 0.15, 0.11, 0.13, 0.14, 0.09, 0.18, 0.13, 0.14, 0.14, 0.14]
    y = [0.10, 0.12, 0.13, 0.12, 0.11, 0.12, 0.10, 0.19, 0.12, 0.11, 0.10, 0.14]
    found = apa.tost(x, y, test="wilcoxon", exact=False, bounds=0.015).tidy().iloc[0]
    # R 4.2.2: wilcox.test(x, y, paired = TRUE, exact = FALSE, mu = m, digits.rank = 7)
    assert found["statistic"] == 47.5
    assert found["statistic_low"] == 78
    assert found["statistic_high"] == 29.5
    assert found["p_value"] == pytest.approx(0.0440146425547355, abs=1e-14)
    assert found["p_value_noninf"] == pytest.approx(0.00119169911738182, abs=1e-14)
    assert found["p_value_nonsup"] == pytest.approx(0.237169908085612, abs=1e-14)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), min_size=4, max_size=8).filter(
        lambda rows: np.ptp(np.array(rows), axis=1).any()
    ),
    st.sampled_from([3.0, 10.0, 100.0, 7.0e3]),
    st.integers(0, 50),
)
def test_rank_tests_do_not_depend_on_unit_and_origin(
    rows: list[list[int]], unit: float, origin: int
) -> None:
    whole = np.array(rows, dtype=float)
    scores = (whole + origin) / unit
    for verb in (apa.friedman, apa.quade):
        a, b = verb(whole).tidy().iloc[0], verb(scores).tidy().iloc[0]
        assert a["statistic"] == pytest.approx(b["statistic"], rel=1e-9)
        assert a["p_value"] == pytest.approx(b["p_value"], rel=1e-9)
    a, b = (
        apa.tost(v[:, 0], v[:, 1], bounds=1 / u, test=test, paired=paired)
        .tidy()
        .filter(regex="^p_value")
        for v, u in ((whole, 1.0), (scores, unit))
        for test, paired in [("wilcoxon", False)]
    )
    pd.testing.assert_frame_equal(a, b, rtol=1e-9)


def test_brunner_munzel_ties_are_those_of_whole_numbers() -> None:
    for u in (10.0, 1000.0):
        a, b = (
            apa.tost(v + s, w, bounds=(0.2, 0.8), test="brunner_munzel", paired=False).tidy()
            for v, w, s in ((X, Y, 1.0), (X / u, Y / u, 1 / u))
        )
        assert a["estimate"].item() == b["estimate"].item()
        assert a["p_value_equiv"].item() == pytest.approx(b["p_value_equiv"].item(), rel=1e-12)


def test_friedman_ties_of_arithmetic() -> None:
    made = np.array([[0.1 + 0.2, 0.3, 0.5], [0.4, 0.2, 0.6], [0.3, 0.1 + 0.2, 0.1]])
    clean = np.array([[0.3, 0.3, 0.5], [0.4, 0.2, 0.6], [0.3, 0.3, 0.1]])
    assert made[0, 0] != made[0, 1]
    assert apa.friedman(made).tidy().equals(apa.friedman(clean).tidy())


def test_midranks_agree_with_scipy() -> None:
    x = np.random.default_rng(1).integers(0, 5, (4, 9)).astype(float)
    np.testing.assert_array_equal(midranks(x, axis=1), stats.rankdata(x, axis=1))
    np.testing.assert_array_equal(midranks(x), stats.rankdata(x, axis=0))


def test_moments_and_constants() -> None:
    x = np.random.default_rng(2).normal(size=(9, 4)) + 5
    x[2, 1] = np.nan
    n, mean, sd = moments(x)
    np.testing.assert_allclose(mean, np.nanmean(x, axis=0), rtol=1e-15)
    np.testing.assert_allclose(sd, np.nanstd(x, axis=0, ddof=1), rtol=1e-15)
    assert n.tolist() == [9, 8, 9, 9]
    flat = np.full(10, 0.04)
    assert flat.std() > 0  # what numpy makes of it
    assert moments(flat)[2] == 0
    scores = x[:, 0] * 1000
    assert constant((scores + 1e-3) - scores, size=np.abs(scores).max())
    assert not constant((scores + 1e-3) - scores + np.arange(9) * 1e-9, size=5000.0)


@pytest.mark.parametrize("shift", [0.1, 0.0, 1e-5, 123.4])
@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_constant_differences_have_no_effect_size(shift: float, unit: float) -> None:
    s = np.array([0.5, 0.62, 0.31, 0.44, 0.58]) * unit
    with pytest.warns(DegenerateWarning, match="unit of the effect size is 0"):
        found = apa.effect_size(s, s + shift * unit, measures=("d", "g")).tidy()
    assert found[["estimate", "conf_low", "conf_high", "p_value"]].isna().all(axis=None)
    with pytest.raises(DesignError, match="no variation"):
        apa.tost(s, s + shift * unit, bounds=unit)


@pytest.mark.parametrize("adjust", ["holm", "max-t", "tukey", "none"])
@pytest.mark.parametrize("test", ["t", "bootstrap", "sign_flip"])
def test_constant_contrast_in_a_table_keeps_the_others(adjust: str, test: str) -> None:
    if adjust == "tukey" or (adjust == "max-t" and test == "bootstrap"):
        test = "t"
    base = np.random.default_rng(3).normal(0.5, 0.1, 8)
    rows = []
    for roi in ("V1", "V4"):
        for k, m in enumerate("abc"):
            noise = np.random.default_rng(k).normal(0, 0.1, 8) * (roi == "V4")
            rows += [(f"s{i}", roi, m, base[i] + 0.1 * k + noise[i]) for i in range(8)]
    data = apa.read(pd.DataFrame(rows, columns=["subject", "roi", "model", "score"]))
    with pytest.warns(DegenerateWarning, match="undecided"):
        found = apa.equivalence(
            "score ~ model | roi", data, bounds=0.5, adjust=adjust, test=test, rng=1
        ).tidy()
    flat = found[found["roi"] == "V1"]
    assert flat.filter(like="p_value").isna().all(axis=None)
    assert (flat["decision"] == "undecided").all()
    assert flat["effect_size"].isna().all()
    assert found.loc[found["roi"] == "V4", "p_value"].notna().all()


@pytest.mark.parametrize("swap", [False, True])
def test_welch_with_one_constant_sample_is_that_of_r(swap: bool) -> None:
    x, y = np.array([1.0, 2, 3]), np.full(3, 3.0)
    found = apa.tost(*((y, x) if swap else (x, y)), paired=False, bounds=1).tidy()
    # R 4.2.2: t.test(c(1, 2, 3), c(3, 3, 3))
    assert found["statistic"].item() == pytest.approx((1 if swap else -1) * np.sqrt(3), rel=1e-14)
    assert found["df"].item() == pytest.approx(2)
    assert found["p_value"].item() == pytest.approx(0.2254033, abs=5e-8)
    assert np.isfinite(found["effect_size"].item())


def test_every_effect_size_of_constants_is_a_number_nan_or_refused() -> None:
    samples = [np.full(4, 0.3), np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 4]) + 0.1]
    for x, y in itertools.product(samples, samples):
        for paired, denominator, interval in itertools.product(
            (True, False), ("auto", "z", "rm", "x", "y"), ("nct", "nct_lambda", "t", "normal")
        ):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", DegenerateWarning)
                try:
                    found = apa.effect_size(
                        x,
                        y,
                        measures="g",
                        paired=paired,
                        denominator=denominator,
                        interval=interval,
                    ).tidy()
                except ApaError:
                    continue
            assert not np.isinf(found.select_dtypes(float)).any(axis=None)
            assert not (found["estimate"].abs() > 1e6).any()


@pytest.mark.parametrize("sd", [1e-6, 1e-8, 1e-10])
def test_nearly_constant_differences_keep_their_t(sd: float) -> None:
    rng = np.random.default_rng(4)
    z = rng.normal(size=10)
    x = rng.normal(0.5, 0.1, 10)
    found = apa.effect_size(x, x + 0.1 + sd * z, measures="d").tidy()
    one = apa.effect_size(-(0.1 / sd + z), measures="d").tidy()
    for column in ("estimate", "conf_low", "conf_high"):
        assert found[column].item() == pytest.approx(one[column].item(), rel=1e-16 / sd * 1e2)


def test_rank_tests_of_constants_keep_other_cells() -> None:
    with pytest.warns(DegenerateWarning, match="no p-value"):
        assert np.isnan(apa.friedman(np.ones((5, 3))).tidy()["p_value"].item())
    with pytest.warns(DegenerateWarning, match="no p-value"):
        assert np.isnan(apa.quade(np.ones((6, 4)) * 0.1).tidy()["p_value"].item())
    rng = np.random.default_rng(5)
    rows = [
        (f"s{i}", roi, m, 0.3 if roi == "V1" else rng.normal())
        for i in range(6)
        for roi in ("V1", "V4")
        for m in "abc"
    ]
    data = apa.read(pd.DataFrame(rows, columns=["subject", "roi", "model", "score"]))
    for verb in (apa.friedman, apa.quade):
        with pytest.warns(DegenerateWarning, match="1 of 2 cells"):
            found = verb("score ~ model | roi", data).tidy().set_index("roi")
        assert np.isnan(found.loc["V1", "p_value"])
        assert 0 < found.loc["V4", "p_value"] <= 1


@pytest.mark.parametrize("n", [3, 4, 5])
@pytest.mark.parametrize("row", [[1, 1, 2], [1, 2, 3], [1, 1, 2, 2]])
def test_full_agreement_has_the_exact_p(n: int, row: list[int]) -> None:
    orders = len(set(itertools.permutations(row)))
    x = np.array([row] * n, dtype=float)
    expected = float(orders) ** (1 - n)
    assert apa.quade(x).tidy()["p_value"].item() == pytest.approx(expected, rel=1e-12)
    found = apa.friedman(x, statistic="F").tidy()["p_value"].item()
    assert found == pytest.approx(expected, rel=1e-12)


def test_analysis_of_variance_without_error_is_refused() -> None:
    for values in (np.ones((5, 3)), np.arange(5)[:, None] / 10 + np.arange(3) / 7):
        with pytest.raises(DesignError, match="no error"):
            apa.rm_anova(values)
    with pytest.raises(ApaError, match="sd"):
        apa.power_t(n=10, difference=1, sd=0)


@pytest.mark.parametrize("value", [0.04, 0.1, 0.7, 0.5, 1e4, 1 / 3])
@pytest.mark.parametrize("interval", ["normal", "basic", "percentile", "bca", "studentized", "t"])
def test_interval_of_a_constant_is_the_constant(value: float, interval: str) -> None:
    found = apa.boot_ci([value] * 9, "mean", interval=interval, n_resamples=200, rng=1).tidy()
    for column in ("estimate", "conf_low", "conf_high"):
        assert found[column].item() == pytest.approx(value, rel=1e-15)
    rows = [
        (f"s{i}", "V1", m, value if m == "a" else value + 0.1 * (i % 3))
        for i in range(8)
        for m in "ab"
    ]
    data = apa.read(pd.DataFrame(rows, columns=["subject", "roi", "model", "score"]))
    if interval != "t":
        cells = apa.bootstrap("score ~ model", data, interval=interval, rng=1).tidy()
        flat = cells[cells["model"] == "a"][["conf_low", "conf_high"]].to_numpy()
        np.testing.assert_allclose(flat, value, rtol=1e-15)


@pytest.mark.parametrize("df", [1.0, 2.0, 9.0, 200.0])
@pytest.mark.parametrize(
    "t, nc", [(0.5, 40.0), (60.0, 45.0), (-80.0, -70.0), (1e4, 8e3), (3e8, 2e8)]
)
def test_noncentral_t_far_out(df: float, t: float, nc: float) -> None:
    sign = np.sign(t)

    def inside(z: float) -> float:
        s = max(z + sign * nc, 0.0) / abs(t)
        return float(np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * special.chdtrc(df, s * s * df))

    expected = integrate.quad(inside, -12, 12, limit=400, epsabs=1e-13)[0]
    expected = expected if sign > 0 else 1 - expected
    assert float(noncentral_t_cdf(t, df, nc)) == pytest.approx(expected, abs=1e-9)


def test_noncentral_t_near_is_scipys_and_its_inverses_close() -> None:
    t, df, nc = np.meshgrid([-3.0, 0.0, 2.5, 8.0], [2.0, 7.0, 60.0], [-2.0, 0.0, 6.0])
    np.testing.assert_allclose(
        noncentral_t_cdf(t, df, nc), special.nctdtr(df, nc, t), rtol=1e-12, atol=1e-15
    )
    for value in (0.3, 12.0, 45.0, 1e6, -1e300):
        low, high = noncentral_t_limits(value, 7.0, 0.9)
        assert low < high
        assert float(noncentral_t_cdf(value, 7.0, low)) == pytest.approx(0.95, abs=1e-9)
        assert float(noncentral_t_cdf(value, 7.0, high)) == pytest.approx(0.05, abs=1e-9)
    assert np.isnan(noncentral_t_limits(float("nan"), 7.0, 0.9)).all()
    assert np.isnan(noncentral_t_quantile(0.5, 7.0, float("nan")))
    q = noncentral_t_quantile(0.2, 5.0, 60.0)
    assert float(noncentral_t_cdf(q, 5.0, 60.0)) == pytest.approx(0.2, abs=1e-10)
    many = np.linspace(-50, 50, 41)
    single = np.array([noncentral_t_limits(v, 9.0, 0.9) for v in many]).T
    np.testing.assert_allclose(noncentral_pivot(many, 9.0, 0.05), single, rtol=1e-6, atol=1e-6)
