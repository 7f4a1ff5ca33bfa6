"""Tests, intervals, words and notes of the engine behind comparisons, each written out again."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import apastats as apa
from apastats import memory
from apastats.comparing import choices, families
from apastats.comparing.choices import MATCHED_TESTS, choose, compared_with
from apastats.comparing.families import out_of_reach
from apastats.errors import AssumptionWarning, InputError, MarginError, MonteCarloWarning
from apastats.resampling import intervals

FORMULA = "score ~ model | roi"
RESAMPLING = ("bootstrap", "sign_flip", "permutation")


def table_of(values: np.ndarray) -> apa.ScoreTable:
    """Scores ``[subject, model, roi]``; NaN rows are left out."""
    names = ("subject", "model", "roi")
    index = pd.MultiIndex.from_product(
        [[f"{c[0]}{i}" for i in range(n)] for c, n in zip(names, values.shape, strict=True)],
        names=names,
    )
    return apa.ScoreTable(
        pd.DataFrame({"score": values.ravel()}, index=index).dropna().reset_index()
    )


def scores(n: int = 7, models: int = 3, rois: int = 2, seed: int = 1) -> np.ndarray:
    g = np.random.default_rng(seed)
    person = g.normal(0, 0.1, (n, 1, 1))
    steps = 0.02 * np.arange(models)[:, None]
    return np.asarray(0.5 + person + steps + g.normal(0, 0.03, (n, models, rois)))


# the settings of a test


@pytest.mark.parametrize("test", list(MATCHED_TESTS))
def test_few_units_are_corrected_for_bootstraps_without_a_t_of_their_own(test: str) -> None:
    for interval, small in product(intervals.tests_by_inversion(), (True, False)):
        if test != "bootstrap" and interval != "studentized":
            continue
        options = {} if test not in ("t", "bootstrap", "permutation") else {"small_sample": small}
        chosen = choose(test, MATCHED_TESTS, interval=interval, **options)
        if test == "bootstrap" and interval != "studentized" and small:
            assert chosen.few(9) == pytest.approx((8.0, np.sqrt(8 / 9)))
        else:
            assert chosen.few(9) is None
        words = chosen.words()
        assert words.get("corrected") == (
            "expanded interval"
            if test == "bootstrap" and interval != "studentized" and small
            else None
        )


@pytest.mark.parametrize("test", list(MATCHED_TESTS))
def test_seeds_and_numbers_of_resamples_are_told_where_any_were_drawn(test: str) -> None:
    z = np.random.default_rng(2).normal(size=8)
    bounds = 1.2 if test == "log_ratio" else 3.0
    y = np.exp(z / 9) if test == "log_ratio" else None
    x = np.exp(z[::-1] / 9) if test == "log_ratio" else z
    for size, drawn in (("auto", False), (99, True)):
        if test not in RESAMPLING and drawn:
            continue
        found = apa.tost(x, y, bounds=bounds, test=test, rng=7, n_resamples=size, effect="none")
        assert found.provenance.seed == ("7" if drawn else "")
        # 2^8 patterns of signs; C(15, 7) different resamples of eight
        number = {"bootstrap": 6435, "sign_flip": 256, "permutation": 256}.get(test)
        assert found.info.n_resamples == (99 if drawn else number)
        assert found.info.exact == (None if test not in RESAMPLING else not drawn)


def test_a_plan_that_is_given_is_told_and_has_no_seed() -> None:
    from apastats.resampling.relabel import sign_flips

    z = np.random.default_rng(3).normal(size=8)
    found = apa.tost(z, bounds=3.0, test="sign_flip", plan=sign_flips(8, 50, 4), rng=7)
    assert (found.provenance.seed, found.info.n_resamples, found.info.exact) == ("", 50, False)


@pytest.mark.parametrize("test", ["bootstrap", "permutation"])
@pytest.mark.parametrize(
    ("size", "bootstrap", "permutation"),
    [("auto", (9999, False), (70, True)), (99, (99, False), (99, False))],
)
def test_two_samples_tell_what_was_drawn(
    test: str, size: str | int, bootstrap: tuple[int, bool], permutation: tuple[int, bool]
) -> None:
    """C(8, 4) = 70 relabellings of four and four; a bootstrap of two samples is never enumerated."""
    g = np.random.default_rng(4)
    x, y = g.normal(size=4), g.normal(size=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MonteCarloWarning)
        found = apa.tost(x, y, bounds=9, paired=False, test=test, n_resamples=size, rng=7)
    number, exact = bootstrap if test == "bootstrap" else permutation
    assert (found.info.n_resamples, found.info.exact) == (number, exact)
    assert found.provenance.seed == ("" if exact else "7")
    assert ("p_value_mcse" in found.table) is not exact


def test_options_that_two_samples_do_not_read_are_refused() -> None:
    from apastats.resampling.relabel import sign_flips

    x, y = np.arange(5.0), np.arange(6.0)
    for option, value in (("trim", 0.2), ("plan", sign_flips(5))):
        with pytest.raises(InputError, match=f"{option}: got"):
            apa.tost(x, y, bounds=9, paired=False, test="permutation", **{option: value})


@pytest.mark.parametrize("verb", ["equivalence", "compare"])
@pytest.mark.parametrize("test", ["t", "sign_flip"])
@pytest.mark.parametrize(("size", "exact"), [("auto", True), (49, False)])
def test_joint_adjustments_tell_what_was_drawn(
    verb: str, test: str, size: str | int, exact: bool
) -> None:
    options = {"bounds": 0.05} if verb == "equivalence" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MonteCarloWarning)
        found = getattr(apa, verb)(
            FORMULA, table_of(scores()), adjust="max-t", test=test, n_resamples=size, **options
        )
        again = None
        if not exact:
            again = getattr(apa, verb)(
                FORMULA, table_of(scores()), adjust="max-t", test=test, n_resamples=size,
                rng=int(found.provenance.seed), **options,
            )  # fmt: skip
    assert (found.info.n_resamples, found.info.exact) == (128 if exact else 49, exact)
    told = "for the adjustment, signs of all differences of a subject together"
    assert str(found.info.resampled).endswith(told)
    if again is None:
        assert found.provenance.seed == ""
    else:
        pd.testing.assert_frame_equal(found.table, again.table)


@pytest.mark.parametrize("test", list(MATCHED_TESTS))
def test_the_smallest_sign_flip_p_value_is_noted_below_six_units(test: str) -> None:
    for n, two in product((4, 5, 6, 7), (False, True)):
        notes = choose(test, MATCHED_TESTS).notes(n, "monkey", two=two)
        told = f"with {n} monkeys the smallest one-sided sign-flip p-value is 2^-{n} = {0.5**n:g}"
        assert (told in notes) == (test in ("sign_flip", "permutation") and n < 6 and not two)


def test_claims_out_of_reach_are_noted() -> None:
    """The smallest one-sided p-value of n sign flips is 1 in 2^n."""
    for test, adjust, size, n in product(
        ("t", "sign_flip", "permutation", "bootstrap"), ("holm", "none", "bh", "by", "max-t"),
        (1, 3, 4), (5, 6),
    ):  # fmt: skip
        least = size / 2**n
        for alpha in (least * 1.001, least, least * 0.999):
            notes = out_of_reach(choose(test, MATCHED_TESTS), adjust, size, n, alpha)
            barred = test in ("sign_flip", "permutation") and adjust == "holm" and least > alpha
            assert bool(notes) == barred
            if barred:
                assert f"is 2^-{n}, times {size} contrasts {least:.2g};" in notes[0]


def test_words_of_comparisons_and_tests() -> None:
    assert compared_with(None) == "all pairs were compared"
    assert compared_with("m1") == "each was compared with m1"
    assert compared_with("big net") == "each was compared with \u201cbig net\u201d"
    assert compared_with("brain") == "each was compared with the brain"
    mean = "t test of the mean difference"
    assert choices.tested_by("paired t", "subject", mean) == "paired t test over subjects"
    assert choices.tested_by("paired t", "subject", mean, "") == "paired t test over subjects"
    assert (
        choices.tested_by("paired t", "item", mean, "a", "b") == "paired t test over items (a; b)"
    )
    assert choices.tested_by("Yuen t", "item", mean, "") == f"Yuen t test over items ({mean})"


# tests of arrays


@pytest.mark.parametrize("test", [t for t in MATCHED_TESTS if t != "log_ratio"])
@pytest.mark.parametrize("null", [0.0, 0.3])
def test_the_wide_interval_is_the_one_of_half_the_level(test: str, null: float) -> None:
    d = np.random.default_rng(5).normal(0.2, 1.0, 9)
    row, half, moved = (
        apa.tost(x, bounds=5, test=test, null=v, alpha=a, effect="none").table.iloc[0]
        for x, v, a in ((d, null, 0.1), (d, null, 0.05), (d - null, 0.0, 0.1))
    )
    assert row["conf_low_difference"] == half["conf_low"]
    assert row["conf_high_difference"] == half["conf_high"]
    assert (row["conf_level"], row["conf_level_difference"]) == (0.8, 0.9)
    assert row["conf_low_difference"] < row["conf_low"]
    assert row["conf_high"] < row["conf_high_difference"]
    # what is estimated does not move with the null
    for column in ("conf_low", "conf_high", "conf_low_difference", "conf_high_difference"):
        assert row[column] == pytest.approx(moved[column] + null, abs=1e-9)
    assert row["p_value"] == moved["p_value"]


def test_t_of_one_sample_by_hand() -> None:
    d = np.random.default_rng(6).normal(0.2, 1.0, 9)
    row = apa.tost(d, bounds=(-0.5, 0.7), null=0.3, alpha=0.1).table.iloc[0]
    m, se = d.mean(), d.std(ddof=1) / 3
    t = stats.t(8)
    expected = {
        "estimate": m, "std_error": se, "df": 8, "statistic": (m - 0.3) / se,
        "p_value": 2 * t.sf(abs(m - 0.3) / se), "conf_low": m - t.ppf(0.9) * se,
        "conf_high": m + t.ppf(0.9) * se, "conf_low_difference": m - t.ppf(0.95) * se,
        "conf_high_difference": m + t.ppf(0.95) * se, "statistic_low": (m + 0.5) / se,
        "statistic_high": (m - 0.7) / se, "p_value_noninf": t.sf((m + 0.5) / se),
        "p_value_nonsup": t.cdf((m - 0.7) / se), "n_subject": 9,
    }  # fmt: skip
    for column, value in expected.items():
        assert row[column] == pytest.approx(value, rel=1e-10), column


def test_rows_are_called_what_is_tested() -> None:
    g = np.random.default_rng(7)
    x, y = g.uniform(1, 2, 8), g.uniform(1, 2, 8)
    for options, contrast, method in (
        ({"y": None}, "x", "one-sample t"),
        ({}, "x - y", "paired t"),
        ({"test": "trimmed", "y": None}, "x", "Yuen t"),
        ({"test": "log_ratio"}, "x - y", "paired log-ratio t"),
        ({"test": "wilcoxon"}, "x - y", "Wilcoxon signed rank"),
        ({"test": "bootstrap"}, "x - y", "bootstrap"),
        ({"test": "sign_flip"}, "x - y", "sign flip"),
        ({"test": "permutation"}, "x - y", "centred sign flip"),
        ({"paired": False}, "x - y", "Welch t"),
        ({"paired": False, "equal_var": True}, "x - y", "Student t"),
        ({"paired": False, "test": "trimmed"}, "x - y", "Yuen-Welch t"),
        ({"paired": False, "test": "trimmed", "equal_var": True}, "x - y", "Yuen t"),
        ({"paired": False, "test": "log_ratio"}, "x - y", "Welch log-ratio t"),
        ({"paired": False, "test": "wilcoxon"}, "x - y", "Wilcoxon rank sum"),
        ({"paired": False, "test": "brunner_munzel"}, "P(x > y)", "Brunner-Munzel"),
    ):
        bounds = {"log_ratio": 1.5, "brunner_munzel": (0.1, 0.9)}.get(options.get("test"), 2.0)
        found = apa.tost(x, bounds=bounds, rng=1, **({"y": y} | options))
        row = found.table.iloc[0]
        assert (row["contrast"], row["method"]) == (contrast, method), options
        assert found.info.test == method
        assert found.info.method.startswith(f"{method} test: ")
        what = {"log_ratio": "difference of logarithms", "brunner_munzel": "probability"}
        assert found.info.estimand == what.get(options.get("test"), "difference")


def test_probabilities_and_positive_scores_are_asked_for() -> None:
    x, y = np.array([1.0, 2, 3, 5]), np.array([2.0, 3, 4, 4])
    options = {"paired": False, "test": "brunner_munzel", "effect": "none"}
    for bounds in ((0.0, 0.9), (0.1, 1.0), (0.0, 1.0)):
        assert apa.tost(x, y, bounds=bounds, **options).table["bound_high"].item() == bounds[1]
    for bounds in ((-0.01, 0.9), (0.1, 1.01), (0.1, 1.5), 0.5):
        with pytest.raises(MarginError, match="two probabilities"):
            apa.tost(x, y, bounds=bounds, **options)
    for paired in (True, False):
        with pytest.raises(InputError, match="y: got 0.0; use positive scores|y: got 0.0"):
            apa.tost(x, [2.0, 0.0, 4, 4], bounds=1.2, test="log_ratio", paired=paired)
        with pytest.raises(InputError, match="x: got 0.0"):
            apa.tost([0.0, 1, 2, 3], y, bounds=1.2, test="log_ratio", paired=paired)
        small = apa.tost(x / 1e6, y, bounds=1.2, test="log_ratio", paired=paired).table
        assert small["estimate"].item() == pytest.approx(np.log(x / 1e6).mean() - np.log(y).mean())


@pytest.mark.parametrize("small_sample", [True, False])
@pytest.mark.parametrize("interval", ["percentile", "basic", "studentized"])
def test_monte_carlo_errors_of_two_samples_by_hand(interval: str, small_sample: bool) -> None:
    g = np.random.default_rng(8)
    x, y = g.normal(0, 1, 8), g.normal(0, 2, 11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MonteCarloWarning)
        row = apa.tost(
            x, y, bounds=2.5, paired=False, test="bootstrap", interval=interval, n_resamples=399,
            rng=1, small_sample=small_sample, effect="none",
        ).table.iloc[0]  # fmt: skip
    v, w = x.var(ddof=1) / 8, y.var(ddof=1) / 11
    df = (v + w) ** 2 / (v**2 / 7 + w**2 / 10)
    ratio = np.sqrt((v * 7 / 8 + w * 10 / 11) / (v + w))
    for column, sides in (("p_value", 2), ("p_value_equiv", 1)):
        p = row[column] / sides
        share, slope = p, 1.0
        if small_sample and interval != "studentized":
            # p = T(ratio z), z the normal deviate of the share
            z = stats.t.ppf(p, df) / ratio
            share = stats.norm.cdf(z)
            slope = ratio * stats.t.pdf(ratio * z, df) / stats.norm.pdf(z)
        error = sides * slope * np.sqrt(share * (1 - share) / 399)
        assert row[f"{column}_mcse"] == pytest.approx(error, rel=1e-6)


def skewed_p(d: np.ndarray, bound: float, sign: int, one: bool) -> tuple[float, float, float]:
    """P-value of Johnson's t on the side of a bound, the skewness seen, and the one allowed for."""
    n, s = len(d), d.std(ddof=1)
    seen = float(stats.skew(d, bias=False))
    allowed = -sign * seen
    if one:
        se = np.sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))
        allowed = max(allowed, min(allowed + 1.645 * se, 1.75))
    skewed = -sign * allowed
    gap = d.mean() - bound
    t = (gap + skewed * s / (6 * n) + skewed / (3 * s) * gap**2) / (s / np.sqrt(n))
    return float(stats.t.cdf(-sign * t, n - 1)), seen, skewed


def told_of(x: np.ndarray, y: np.ndarray | None, sign: int, k: float, alpha: float) -> list[str]:
    d = x if y is None else x - y
    se = d.std(ddof=1) / np.sqrt(len(d))
    low, high = (-k, 40.0) if sign > 0 else (-40.0, k)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        apa.tost(
            x, y, bounds=(d.mean() + low * se, d.mean() + high * se), alpha=alpha, effect="none"
        )
    assert all(issubclass(w.category, AssumptionWarning) for w in said)
    return [str(w.message) for w in said]


@pytest.mark.parametrize("n", [3, 8, 20])
@pytest.mark.parametrize("one", [True, False])
@pytest.mark.parametrize("turned", [1, -1])
def test_claims_that_hang_on_symmetry_are_those_of_johnson(n: int, one: bool, turned: int) -> None:
    warned = 0
    for power in (0.5, 2.5):
        d = turned * np.exp(power * stats.norm.ppf((np.arange(n) + 0.4) / n))
        x, y = (d, None) if one else (d + 1.0, np.ones(n))
        se = d.std(ddof=1) / np.sqrt(n)
        for sign, k in product((1, -1), (1.0, 2.2, 2.99, 3.01)):
            plain = float(stats.t.sf(k, n - 1))
            p, seen, skewed = skewed_p(d, d.mean() - sign * k * se, sign, one)
            if not (plain < p * 0.999 and p < 0.49):
                # Johnson's t claims whatever t claims
                if p < plain * 0.999 and plain < 0.49:
                    assert not told_of(x, y, sign, k, plain * 1.0001)
                continue
            side = "non-inferiority" if sign > 0 else "non-superiority"
            of = f", of which {n} values exclude no more than {skewed:.1f}" if one else ""
            told = told_of(x, y, sign, k, p * (1 - 1e-6))
            expected = f"tost: the claim of {side} hangs on the symmetry of the differences (skewness {seen:.1f}{of});"
            assert [t.startswith(expected) for t in told] == [True] * (k < 3)
            assert not told_of(x, y, sign, k, p * (1 + 1e-6))
            # where t itself claims nothing, nothing hangs on symmetry
            assert not told_of(x, y, sign, k, plain * 0.9999)
            warned += k < 3
    assert warned >= 1


def test_two_values_have_a_test_and_no_skewness() -> None:
    """Two values are symmetric and exclude no skewness: one sample is warned of as far as it is allowed for."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        far = apa.tost([1.0, 2.0], bounds=30).table.iloc[0]
        pair = apa.tost([1.0, 2.1], [0.0, 0.4], bounds=3, alpha=0.4).table.iloc[0]
    assert far["p_value_equiv"] == pytest.approx(stats.t.cdf((1.5 - 30) / 0.5, 1))
    assert pair["decision"] == "different but inside the margin"
    # gap -2.5 standard errors of 0.5, skewness 1.75, s = sqrt(1 / 2)
    t = (-1.25 + 1.75 * np.sqrt(0.5) / 12 + 1.75 / (3 * np.sqrt(0.5)) * 1.25**2) / 0.5
    assert t > 0
    with pytest.warns(AssumptionWarning, match="2 values exclude no more than 1.8"):
        apa.tost([1.0, 2.0], bounds=(-9, 2.75), alpha=0.2)


# families of contrasts


def limits_of(d: np.ndarray, alpha: float, sides: float) -> tuple[float, float]:
    """Limits of level ``1 - alpha / sides`` each, by Student's t."""
    half = stats.t.ppf(1 - alpha / sides, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean() - half, d.mean() + half


def check_effect(row: pd.Series, d: np.ndarray, share: float) -> None:
    """Hedges's g, and limits at which the observed t has ``share`` beyond it."""
    n, df = len(d), len(d) - 1
    factor = np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / np.sqrt(df / 2)
    g = d.mean() / d.std(ddof=1)
    assert row["effect_size"] == pytest.approx(g * factor, rel=1e-10)
    for column, tail in (("effect_low", stats.nct.sf), ("effect_high", stats.nct.cdf)):
        if np.isfinite(row[column]):
            centre = row[column] / factor * np.sqrt(n)
            assert tail(g * np.sqrt(n), df, centre) == pytest.approx(share, rel=1e-4)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("family", ["all", "cell"])
@pytest.mark.parametrize("reference", [None, "m1"])
def test_comparisons_by_hand(alternative: str, family: str, reference: str | None) -> None:
    values = scores()
    values[0, 0, 0] = np.nan
    alpha = 0.1
    found = apa.compare(
        FORMULA, table_of(values), alternative=alternative, family=family, reference=reference,
        alpha=alpha, adjust="bonferroni",
    )  # fmt: skip
    members = (3 if reference is None else 2) * (2 if family == "all" else 1)
    sides = 2 if alternative == "two-sided" else 1
    assert len(found.table) == (3 if reference is None else 2) * 2
    for _, row in found.table.iterrows():
        a, b, j = (int(row[c][1:]) for c in ("model", "reference", "roi"))
        d = values[:, a, j] - values[:, b, j]
        d = d[np.isfinite(d)]
        p = stats.ttest_1samp(d, 0, alternative=alternative).pvalue
        assert row["p_value"] == pytest.approx(p)
        assert row["p_value_adjusted"] == pytest.approx(min(1, members * p))
        assert row["different"] == (members * p <= alpha)
        for name, share in (("", alpha), ("_joint", alpha / members)):
            low, high = limits_of(d, share, sides)
            low = -np.inf if alternative == "less" else low
            high = np.inf if alternative == "greater" else high
            ends = row[[f"conf_low{name}", f"conf_high{name}"]].to_list()
            assert ends == pytest.approx([low, high])
            assert row[f"conf_level{name}"] == pytest.approx(1 - alpha)
        check_effect(row, d, alpha / sides)
        assert (row["effect_low"] == -np.inf) == (alternative == "less")
        assert (row["effect_high"] == np.inf) == (alternative == "greater")
        assert (row["method"], row["n_subject"]) == ("paired t", len(d))
    assert not [c for c in found.table if c.endswith(("_difference", "_margin")) or "bound" in c]


def test_a_p_value_of_exactly_alpha_is_a_difference() -> None:
    table = table_of(scores())
    p = apa.compare(FORMULA, table).table["p_value_adjusted"].sort_values().to_numpy()
    assert p[0] < p[1] < 0.5
    for alpha, shown in ((p[0], 1), (np.nextafter(p[0], 0), 0), (p[1], 2)):
        assert apa.compare(FORMULA, table, alpha=float(alpha)).table["different"].sum() == shown


@pytest.mark.parametrize("family", ["all", "cell"])
@pytest.mark.parametrize(
    ("reference", "bounds"), [(None, 0.05), ("m1", 0.05), ("best", 0.05), ("best", (-0.05, 0.08))]
)
@pytest.mark.parametrize("test", ["t", "log_ratio"])
def test_contrasts_with_a_margin_by_hand(
    family: str, reference: str | None, bounds: object, test: str
) -> None:
    """Holm's p-values have Bonferroni's limits; those against the best account for every pair and its mirror."""
    values, alpha = scores(), 0.1
    if test == "log_ratio":
        bounds = 1.2 if bounds == 0.05 else (0.8, 1.3)
    adjust = "closed" if reference == "best" else "holm"
    found = apa.equivalence(
        FORMULA, table_of(values), bounds=bounds, family=family, reference=reference, alpha=alpha,
        adjust=adjust, test=test,
    )  # fmt: skip
    if test == "log_ratio":
        values = np.log(values)
    pairs = 2 if reference == "m1" else 3
    members = pairs * (2 if family == "all" else 1)
    symmetric = not isinstance(bounds, tuple)
    for _, row in found.table.iterrows():
        a, b, j = (int(row[c][1:]) for c in ("model", "reference", "roi"))
        d = values[:, a, j] - values[:, b, j]
        mirror = 2 if reference == "best" and not symmetric else 1
        for name, share, sides, level in (
            ("", alpha, 1, 1 - 2 * alpha),
            ("_difference", alpha, 2, 1 - alpha),
            ("_joint", alpha / members, 2, 1 - alpha),
            ("_joint_margin", alpha / members, mirror, 1 - 2 * alpha),
        ):
            ends = row[[f"conf_low{name}", f"conf_high{name}"]].to_list()
            assert ends == pytest.approx(list(limits_of(d, share, sides))), name
            assert row[f"conf_level{name}"] == pytest.approx(level), name
        check_effect(row, d, alpha)
        assert row["method"] == ("paired t" if test == "t" else "paired log-ratio t")
        if test == "log_ratio":
            ratios = row[["ratio", "ratio_low", "ratio_high"]].to_numpy(dtype=float)
            low, high = limits_of(d, alpha, 1)
            np.testing.assert_allclose(np.log(ratios), [d.mean(), low, high], rtol=1e-9)
    assert found.info.family_size == members
    assert found.info.null_value == 0
    assert found.info.joint == "Bonferroni"


def test_joint_limits_have_the_level_of_their_adjustment() -> None:
    table = table_of(scores())
    for options, level, margin, method, joint in (
        ({"adjust": "tukey"}, 0.9, 0.9, "pooled t", "Tukey"),
        ({"adjust": "max-t"}, 0.9, 0.9, "paired t", "max-t"),
        ({"adjust": "max-t-step-down"}, 0.9, 0.9, "paired t", "max-t"),
        ({"adjust": "holm"}, 0.9, 0.8, "paired t", "Bonferroni"),
        ({"adjust": "hommel"}, 0.9, 0.8, "paired t", "Bonferroni"),
        ({"adjust": "holm", "test": "sign_flip"}, 0.9, 0.8, "sign flip", "Bonferroni"),
        ({"adjust": "holm", "reference": "best"}, 0.8, 0.8, "paired t", "Holm"),
        ({"adjust": "bonferroni", "reference": "best"}, 0.8, 0.8, "paired t", "Bonferroni"),
    ):
        found = apa.equivalence(FORMULA, table, bounds=0.05, alpha=0.1, **options)
        row = found.table.iloc[0]
        assert row["conf_level_joint"] == pytest.approx(level), options
        assert row["conf_level_joint_margin"] == pytest.approx(margin), options
        assert (row["method"], found.info.joint) == (method, joint)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("missing", [False, True])
def test_max_t_by_every_flip(alternative: str, missing: bool) -> None:
    """Bounds that are not symmetric; each side has its own flips."""
    values, alpha = scores(5, 3, 1, seed=9), 0.2
    if missing:
        values = np.concatenate([values, scores(1, 3, 1, seed=2)])
        values[0, 2, 0] = np.nan
    low, high = -0.05, 0.03
    table = table_of(values)
    first, second = np.triu_indices(3, 1)
    z = values[:, first, 0] - values[:, second, 0]

    def t(v: np.ndarray) -> np.ndarray:
        n = np.isfinite(v).sum(axis=-2)
        return np.asarray(np.nanmean(v, axis=-2) / np.nanstd(v, axis=-2, ddof=1) * np.sqrt(n))

    flips = np.array(list(product([1.0, -1.0], repeat=len(z))))[:, :, None]

    def share(top: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return (top[:, None] >= seen - 1e-9).mean(axis=0)

    two = np.abs(t(flips * z)).max(axis=1)
    above, below = t(flips * (z - low)), t(flips * (z - high))
    both = np.maximum(np.abs(above).max(axis=1), np.abs(below).max(axis=1))
    seen_low, seen_high = t(z - low), -t(z - high)
    found = apa.equivalence(FORMULA, table, bounds=(low, high), adjust="max-t", alpha=alpha).table
    for name, top, seen in (
        ("p_value", two, np.abs(t(z))),
        ("p_value_noninf", above.max(axis=1), seen_low),
        ("p_value_nonsup", -below.min(axis=1), seen_high),
        ("p_value_equiv", both, np.minimum(seen_low, seen_high)),
    ):
        np.testing.assert_allclose(found[f"{name}_adjusted"], share(top, seen), err_msg=name)
    # simultaneous limits: flips of the centred differences
    moved = t(flips * (z - np.nanmean(z, axis=0)))
    top = {"two-sided": np.abs(moved).max(axis=1), "greater": moved.max(axis=1)}
    top["less"] = top["greater"]
    critical = np.quantile(top[alternative], 1 - alpha, method="higher")
    half = critical * np.nanstd(z, axis=0, ddof=1) / np.sqrt(np.isfinite(z).sum(axis=0))
    limits = apa.compare(FORMULA, table, adjust="max-t", alpha=alpha, alternative=alternative).table
    mean = np.nanmean(z, axis=0)
    ends = np.array([mean - half, mean + half])
    if alternative == "greater":
        ends[1] = np.inf
    elif alternative == "less":
        ends[0] = -np.inf
    np.testing.assert_allclose(limits[["conf_low_joint", "conf_high_joint"]].to_numpy().T, ends)


def test_three_subjects_have_an_effect_size_and_two_have_none() -> None:
    values = scores(3)
    found = apa.compare(FORMULA, table_of(values), alpha=0.1).table
    for _, row in found.iterrows():
        a, b, j = (int(row[c][1:]) for c in ("model", "reference", "roi"))
        assert np.isfinite(row["effect_low"])
        check_effect(row, values[:, a, j] - values[:, b, j], 0.05)
    with pytest.warns(apa.errors.DegenerateWarning, match="2 subjects with both scores"):
        few = apa.compare(FORMULA, table_of(scores(2))).table
    assert few["effect_size"].isna().all()
    assert few["p_value"].notna().all()


def test_no_resamples_are_told_where_no_contrast_has_a_test() -> None:
    values = scores(6, 2, 1)
    values[:3, 0], values[3:, 1] = np.nan, np.nan
    with pytest.warns(apa.errors.DegenerateWarning, match="1 of 1 contrasts"):
        found = apa.equivalence(FORMULA, table_of(values), bounds=0.1, test="sign_flip")
    assert (found.info.n_resamples, found.info.exact, found.provenance.seed) == (0, True, "")


def test_the_memory_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four copies of the differences; of p-values one per family and four for the adjustment."""
    asked: list[tuple[str, float]] = []
    monkeypatch.setattr(families, "reserve", lambda what, n, way: asked.append((what, n)))
    monkeypatch.setattr(
        "apastats.comparing.many_pairs.reserve", lambda w, n, way: asked.append((w, n))
    )
    table = table_of(scores(7, 5, 2))
    apa.equivalence(FORMULA, table, bounds=0.1)
    assert asked == [("differences of 10 pairs in 2 cells", 4 * 7 * 10 * 2 * 8)]
    for options, kept in (({}, 4), ({"hypothesis": "superiority"}, 5)):
        asked.clear()
        apa.equivalence(FORMULA, table, bounds=0.1, top=3, **options)
        # ordinary, above, below, equivalence, and the claim where it is another one
        assert asked == [("p-values of 10 pairs in 2 cells", (kept + 4) * 10 * 2 * 8)]
    monkeypatch.undo()
    monkeypatch.setattr(memory, "SMALL", 0)
    monkeypatch.setattr(memory, "available", lambda: 4 * 7 * 10 * 2 * 8 - 1)
    with pytest.raises(apa.errors.MemoryNeedError, match="differences of 10 pairs in 2 cells"):
        apa.equivalence(FORMULA, table, bounds=0.1)
