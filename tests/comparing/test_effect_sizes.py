from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.comparing.families import pair_effects
from apastats.errors import DesignError, InputError, MarginError
from apastats.numbers.standardised import noncentral_t_limits


def test_noncentral_limits_are_quantiles():
    low, high = noncentral_t_limits(1.7, 9, 0.9)
    assert stats.nct.cdf(1.7, 9, low) == pytest.approx(0.95, abs=1e-8)
    assert stats.nct.cdf(1.7, 9, high) == pytest.approx(0.05, abs=1e-8)


def test_many_pairs_agree_with_the_single_ones():
    g = np.random.default_rng(1)
    d = g.normal(g.normal(size=30), 1, (8, 30))
    est, low, high = pair_effects(d, 0.05)
    for j in (0, 7, 21):
        row = apa.tost(d[:, j], bounds=1).tidy().iloc[0]
        ours = [est[j], low[j], high[j]]
        np.testing.assert_allclose(
            ours, row[["effect_size", "effect_low", "effect_high"]].astype(float), atol=2e-5
        )


def test_pingouin_agrees():
    pingouin = pytest.importorskip("pingouin")
    g = np.random.default_rng(2)
    x, y = g.normal(size=12), g.normal(0.4, 1, 9)
    ours = apa.effect_size(x, y, measures=["d", "g"], paired=False, equal_var=True).tidy()[
        "estimate"
    ]
    assert ours.iloc[0] == pytest.approx(pingouin.compute_effsize(x, y, eftype="cohen"))
    # pingouin uses the approximate factor 1 - 3 / (4 N - 9)
    assert ours.iloc[1] == pytest.approx(pingouin.compute_effsize(x, y, eftype="hedges"), rel=2e-3)


def test_superiority_is_the_share_of_pairs():
    x, y = np.array([1.0, 2, 3, 4]), np.array([0.0, 2, 5])
    found = apa.effect_size(x, y, measures="superiority", paired=False).tidy()["estimate"].item()
    assert found == pytest.approx(np.mean((x[:, None] > y) + 0.5 * (x[:, None] == y)))


def test_an_interval_that_straddles_the_region_is_undecided():
    rng = np.random.default_rng(0)
    two = np.concatenate([rng.normal(-1, 0.03, 2000), rng.normal(1, 0.03, 2000)])
    row = apa.rope(two, bounds=0.1).tidy().iloc[0]
    assert row["conf_low"] < -0.9
    assert row["conf_high"] > 0.9
    assert row["p_inside_interval"] == 0
    assert row["decision"] == "undecided"


def test_rope_decisions():
    g = np.random.default_rng(3)
    table = apa.rope(
        {
            "near": g.normal(0, 0.1, 2000),
            "far": g.normal(9, 0.1, 2000),
            "mid": g.normal(1, 1, 2000),
        },
        bounds=1,
    )
    assert table.tidy()["decision"].tolist() == ["equivalent", "different", "undecided"]


def test_discriminability_prefers_the_cleaner_outcome():
    g = np.random.default_rng(4)
    from tests.comparing.test_sets import table_of

    truth = np.linspace(0, 1, 6)[:, None]
    clean = table_of(truth + 0.1 * g.normal(size=(10, 6, 1)))
    noise = table_of(truth + 1.0 * g.normal(size=(10, 6, 1)))
    noise = noise.with_frame(
        noise.frame.rename(columns={"score": "agreement"}), outcomes=["agreement"]
    )
    found = apa.discriminability("score ~ model | roi", clean, against=noise, rng=1).tidy()
    by = found.set_index(["outcome", "term"])["estimate"]
    assert by["score", "separated_pairs"] > by["agreement", "separated_pairs"]
    assert by["score", "reliability_1"] > by["agreement", "reliability_1"]
    row = found[found["term"] == "difference signal"].iloc[0]
    assert row["estimate"] < 0
    assert row["p_value"] <= 0.05


def test_noncentrality_is_the_inverse_of_the_distribution_of_f():
    from apastats.comparing.discriminability import _noncentrality

    for f, p in ((6.0, 0.975), (6.0, 0.025), (1.2, 0.025)):
        nc = _noncentrality(f, 5.0, 45.0, p)
        assert stats.ncf.cdf(f, 5, 45, nc) == pytest.approx(p, abs=1e-6)
    # so small an F that no noncentrality makes it likelier: models do not differ
    assert _noncentrality(0.3, 5.0, 45.0, 0.975) == 0.0


@pytest.mark.calibration
@pytest.mark.parametrize(
    "truth",
    [
        np.zeros(6),
        np.linspace(0, 1.5, 6),
        np.r_[2.0, np.zeros(5)],
        np.r_[2 * np.ones(4), np.zeros(4)],
    ],
)
def test_intervals_of_counts_hold_what_as_many_subjects_are_expected_to_give(truth, long):
    from apastats.comparing.discriminability import _describe, separated_pairs
    from apastats.numbers.best import confidence_set, moments

    n, k, replicates = 8, len(truth), 400 if long else 60
    g = np.random.default_rng(11)
    many = truth + g.standard_normal((4000, n, k))
    expected = {
        "separated_pairs": separated_pairs(many, 0.05).mean(),
        "set_size": confidence_set(moments(many), 0.05, p_values=False)[0].sum(axis=1).mean(),
    }
    held = dict.fromkeys(expected, 0)
    for _ in range(replicates):
        rows = {r["term"]: r for r in _describe(truth + g.standard_normal((n, k)), 0.05, g)}
        for term, value in expected.items():
            held[term] += rows[term]["conf_low"] <= value <= rows[term]["conf_high"]
    least = 0.95 - 0.05 - 3 * np.sqrt(0.05 * 0.95 / replicates)
    assert min(held.values()) / replicates >= least, held


def test_noncentral_limits_pass_holes_of_the_series():
    # scipy's distribution function is NaN at noncentrality 6 for this t
    t = -5.28038179692529
    low, high = noncentral_t_limits(t, 9, 0.9)
    assert stats.nct.cdf(t, 9, low) == pytest.approx(0.95, abs=1e-8)
    assert stats.nct.cdf(t, 9, high) == pytest.approx(0.05, abs=1e-8)


def test_comparison_of_outcomes_by_hand():
    from apastats.comparing.discriminability import compare_separation

    g = np.random.default_rng(9)
    x, y = np.arange(4) + g.normal(size=(5, 4)), np.arange(4) + g.normal(size=(5, 4))

    def log_f(v):
        n, k = v.shape
        residual = v - v.mean(0) - v.mean(1, keepdims=True) + v.mean()
        return np.log(n * v.mean(0).var(ddof=1) / ((residual**2).sum() / ((n - 1) * (k - 1))))

    estimate, error, p = compare_separation(x, 3 * y + 1)
    left = [log_f(np.delete(x, i, 0)) - log_f(np.delete(y, i, 0)) for i in range(5)]
    assert estimate == pytest.approx(log_f(x) - log_f(y))
    assert error == pytest.approx(np.sqrt(4 * np.var(left)))
    assert p == pytest.approx(2 * stats.t.sf(abs(estimate) / error, 4))
    assert compare_separation(x, 7 * x - 2) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: apa.effect_size([1, 2, 3], measures="x"), InputError, "measures: got 'x'"),
        (lambda: apa.effect_size([1, 2, 3], interval="x"), InputError, "interval: got 'x'"),
        (
            lambda: apa.effect_size([1, 2, 4], rank_interval="x", measures="rank_biserial"),
            InputError,
            "rank_interval",
        ),
        (lambda: apa.effect_size([1, 2, 3], conf_level=2), InputError, "conf_level: got 2"),
        (lambda: apa.effect_size([1, 2]), DesignError, "at least 3 values"),
        (lambda: apa.effect_size([1, 1, 1, 1]), DesignError, "no variation"),
        (lambda: apa.rm_anova([1, 2, 3]), DesignError, "at least 2 subjects and 2 levels"),
        (lambda: apa.rm_anova([[1, np.nan], [1, 2]]), DesignError, "missing values"),
        (lambda: apa.anova_effect(-1, 2, 3), InputError, "f: got -1"),
        (lambda: apa.anova_effect(1, 2, 3, bounds=2), InputError, "bounds: got 2"),
        (lambda: apa.rope(np.zeros(5), bounds=1), DesignError, "5 draws"),
        (lambda: apa.rope(np.zeros(500)), MarginError, "no default margin"),
        (
            lambda: apa.coefficient_equivalence(1, 1, 9, bounds=1, rule="x"),
            InputError,
            "rule: got 'x'",
        ),
    ],
)
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize("how", ["fisher", "fisher_n", "score", "logit"])
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("sign", [1, -1])
def test_complete_separation_has_an_interval(how: str, paired: bool, sign: int) -> None:
    x = sign * np.array([5.0, 6.5, 7.0, 8.25, 9.0])
    found = apa.effect_size(
        x, np.zeros(5) if paired else sign * np.array([1.0, 2.0, 3.5]), paired=paired,
        measures=("rank_biserial", "superiority"), rank_interval=how,
    ).tidy()  # fmt: skip
    assert found["estimate"].tolist() == ([1, 1] if sign == 1 else [-1, 0])
    assert (found["conf_low"] <= found["estimate"]).all()
    assert (found["estimate"] <= found["conf_high"]).all()
    assert (found["conf_high"] - found["conf_low"] > 0.05).all()
    if how != "logit" and paired and sign == 1:
        k = stats.norm.ppf(0.975) ** 2 * 4 * (5 * 6 * 11 / 24 / 15**2)
        assert found["conf_low"][0] == pytest.approx(2 / (1 + k) - 1)


def test_one_formula_for_shares_of_variance() -> None:
    x = np.random.default_rng(0).normal(size=(7, 4))
    rows = apa.rm_anova(x, conf_level=0.95, alternative="two-sided").tidy().iloc[0]
    found = apa.anova_effect(rows["statistic"], rows["df"], rows["df2"]).tidy().iloc[0]
    for c in ("estimate", "conf_low", "conf_high"):
        assert found[c] == pytest.approx(rows[c], abs=1e-8)
    # F_to_eta2(3, 5, 2, ci = .95, alternative = "two.sided") of effectsize: [0, .97]
    small = apa.anova_effect(3, 5, 2).tidy().iloc[0]
    assert (small["conf_low"], small["conf_high"]) == (0, pytest.approx(0.966325, abs=1e-6))
    assert small["conf_low"] <= small["estimate"] <= small["conf_high"]


@pytest.mark.parametrize("f", [0.01, 0.5, 1.0, 3.0, 50.0])
@pytest.mark.parametrize(("df1", "df2"), [(1, 1), (5, 2), (3, 36), (20, 4)])
def test_intervals_of_shares_hold_the_estimate(f: float, df1: int, df2: int) -> None:
    row = apa.anova_effect(f, df1, df2).tidy().iloc[0]
    assert row["conf_low"] <= row["estimate"]
    if row["p_value"] < 0.975:  # otherwise the noncentrality is 0 at both ends
        assert row["estimate"] <= row["conf_high"]


def _pairs_of(sd_x: float, n: int, g: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    y = g.standard_normal(n)
    x = sd_x * (0.5 * y + np.sqrt(0.75) * g.standard_normal(n)) + 0.8
    return x, y


def test_error_of_glass_delta_of_pairs_by_its_formula() -> None:
    """The formula of TOSTER 0.9.0 (``d_est_pair``), whose SDs need not be equal."""
    x, y = _pairs_of(2.0, 12, np.random.default_rng(1))
    for denominator, own in (("x", x), ("y", y)):
        for interval in ("t", "normal"):
            row = apa.effect_size(x, y, measures="g", denominator=denominator, interval=interval)
            g = row.table["estimate"].item()
            error = np.sqrt((x - y).var(ddof=1) / (own.var(ddof=1) * 11) + g**2 / (2 * 11))
            assert row.table["std_error"].item() == pytest.approx(error, rel=1e-12)
    with pytest.warns(apa.errors.AssumptionWarning, match="too narrow"):
        found = apa.effect_size(x, y, measures="g", denominator="y", interval="nct_lambda")
    error = np.sqrt(
        (x - y).var(ddof=1) / (y.var(ddof=1) * 11) + found.table["estimate"].item() ** 2 / 22
    )
    assert found.table["std_error"].item() == pytest.approx(error, rel=1e-12)


@pytest.mark.parametrize("sd_x", [0.5, 1.0, 2.0])
def test_interval_of_glass_delta_of_pairs_covers(sd_x: float) -> None:
    g, sets = np.random.default_rng(3), 400
    held, estimates, errors = 0, [], []
    for _ in range(sets):
        x, y = _pairs_of(sd_x, 10, g)
        row = apa.effect_size(x, y, measures="glass", interval="t").table.iloc[0]
        held += row["conf_low"] <= 0.8 <= row["conf_high"]
        estimates.append(row["estimate"])
        errors.append(row["std_error"])
    assert held / sets > 0.95 - 3 * np.sqrt(0.05 * 0.95 / sets)
    # with equal SDs taken for granted it was 0.7 of the SD of the estimates where they are 2 to 1
    assert 0.85 < np.sqrt(np.mean(np.square(errors))) / np.std(estimates) < 1.25


def test_a_cell_without_variation_has_no_separation() -> None:
    g = np.random.default_rng(1)
    rows = [
        (f"s{i}", roi, m, 0.4 if roi == "V1" else g.normal(0.5, 0.05))
        for roi in ("V1", "V4")
        for m in "abc"
        for i in range(8)
    ]
    table = apa.read(pd.DataFrame(rows, columns=["subject", "roi", "model", "score"]))
    with pytest.warns(apa.errors.DegenerateWarning, match="1 of 2 cells"):
        found = apa.discriminability("score ~ model | roi", table).table.set_index(["roi", "term"])
    for term in ("signal_to_noise", "reliability_1", "reliability_n"):
        assert np.isnan(found.loc[("V1", term), "estimate"])
        assert np.isfinite(found.loc[("V4", term), "estimate"])
    # exact copies but for a constant: no F that is infinite, no p that is 0
    copies = g.normal(0.5, 0.1, 8)[:, None] + np.array([0.0, 0.1, 0.3])
    from apastats.comparing.discriminability import variance_components

    assert np.isnan(variance_components(copies)[2])
    assert np.isnan(variance_components(copies * 1e6 + 1e6)[2])


def test_families_with_tests_that_have_no_p_value() -> None:
    nan = float("nan")
    p = [0.01, nan, 0.04, 0.02]
    kept = [0, 2, 3]
    for verb, options in (
        (apa.closed_p, {}),
        (apa.sequential_p, {}),
        (apa.hierarchical_p, {"groups": list("aabb")}),
    ):
        found = verb(p, **options)
        assert np.isnan(found[1])
        fewer = {k: [v[i] for i in kept] for k, v in options.items()}
        np.testing.assert_allclose(found[kept], verb([p[i] for i in kept], **fewer))
        assert verb([], **({"groups": []} if options else {})).size == 0


def test_the_mean_is_no_mean_of_means() -> None:
    text = apa.boot_ci([1.0, 2, 3, 5], "mean").text()
    assert ". The mean was 2.750" in text.replace("\n", " ")


def test_scores_beyond_the_range_of_numbers_are_refused() -> None:
    frame = pd.DataFrame({"subject": ["a", "b"], "roi": "V1", "model": "m", "score": [0.1, -1e160]})
    with pytest.raises(apa.errors.DataError, match=r"-1e\+160 in row 1, beyond 1e\+100"):
        apa.read(frame)


def test_intervals_of_shares_of_variance_hold_their_estimate() -> None:
    g = np.random.default_rng(2)
    below = 0
    for _ in range(200):
        table = apa.rm_anova(g.standard_normal((5, 3))).table
        below += bool((table["estimate"] < 0).any())
        assert (table["conf_low"] <= table["estimate"]).all()
        assert (table["estimate"] <= table["conf_high"]).all()
    assert below > 20
