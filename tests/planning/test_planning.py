from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import InputError, MarginError, SmallSampleWarning


def power(**options) -> float:
    return apa.power_tost(**options).tidy()["estimate"].item()


def test_power_rises_with_n_and_margin():
    values = apa.power_tost(n=[5, 10, 20, 40], sd=0.03, bounds=0.02).tidy()["estimate"]
    assert values.is_monotonic_increasing
    assert power(n=10, sd=0.03, bounds=0.02) < power(n=10, sd=0.03, bounds=0.03)


def test_level_at_the_bound():
    assert power(n=30, sd=0.02, bounds=0.03, difference=0.03) == pytest.approx(0.05, abs=1e-6)
    for hypothesis, at in (
        ("noninferiority", -0.03),
        ("nonsuperiority", 0.03),
        ("superiority", 0.03),
    ):
        assert power(
            n=12, sd=0.02, bounds=0.03, difference=at, hypothesis=hypothesis
        ) == pytest.approx(0.05, abs=1e-9)


def test_minimal_effect_power_by_simulation():
    g = np.random.default_rng(1)
    d = g.normal(1.5, 1, (10, 20000))
    mean, se = d.mean(axis=0), d.std(axis=0, ddof=1) / np.sqrt(10)
    from scipy import stats

    c = stats.t.ppf(0.95, 9)
    simulated = (((mean - 1) / se > c) | ((mean + 1) / se < -c)).mean()
    exact = power(n=10, sd=1, bounds=1, difference=1.5, hypothesis="minimal_effect")
    assert exact == pytest.approx(simulated, abs=0.015)


def test_sample_size_reaches_its_power():
    row = apa.sample_size_tost(power=0.9, sd=0.03, bounds=0.02, difference=0.005).tidy().iloc[0]
    assert row["power_at_n"] >= 0.9
    assert power(n=int(row["n"]) - 1, sd=0.03, bounds=0.02, difference=0.005) < 0.9


def test_subjects_needed_from_a_result():
    study = apa.simulate(n_subject=8, n_layer=1, rois=["V1", "V4"], rng=1)
    scores = study.scores.where(kind="model", split="test")
    found = apa.equivalence("score ~ model | roi", scores, bounds=0.02, reference="best")
    needed = apa.subjects_needed(found).tidy()
    row = needed[needed["n_equivalence"].between(3, 1000)].iloc[0]
    options = {
        "sd": row["sd"],
        "bounds": 0.02,
        "difference": row["difference"],
        "alpha": row["alpha"],
    }
    n = int(row["n_equivalence"])
    assert power(n=n, **options) >= 0.8 > power(n=n - 1, **options)


def test_margin_curve_has_the_smallest_margin():
    study = apa.simulate(n_subject=8, n_layer=1, rois=["V1", "V4"], rng=1)
    scores = study.scores.where(kind="model", split="test")
    found = apa.equivalence("score ~ model | roi", scores, bounds=0.02, reference="model_01")
    curve = apa.margin_curve(found).tidy()
    shown = curve["p_value_equiv"] <= 0.05
    assert (shown == (curve["margin"] >= curve["margin_equivalent"])).all()


@pytest.mark.parametrize(
    ("deviations", "draw"),
    [
        ("normal", lambda g, shape: g.standard_normal(shape)),
        ("heavy", lambda g, shape: g.standard_normal(shape) / np.sqrt(g.chisquare(3, shape))),
        ("skewed", lambda g, shape: g.gamma(4 / 1.75**2, 1.75 / 2, shape) - 2 / 1.75),
    ],
)
def test_power_of_five_subjects_is_that_of_the_deviations_assumed(deviations, draw):
    """One pair, by scipy's t tests of deviations made otherwise; normal ones show 20 points less than heavy ones."""
    sd, n, bound = 0.03, 5, 2.5 * 0.03 * np.sqrt(2 / 5)
    found = apa.power_study(
        n=n, bounds=bound, n_model=2, n_tied=2, mean=1.0, deviations=deviations, n_replicate=4000, rng=2
    ).table  # fmt: skip
    power = found.loc[found["term"] == "tied_pairs_equivalent", "estimate"].iloc[0]
    x = sd * draw(np.random.default_rng(5), (n, 2, 4000))
    d = x[:, 0] - x[:, 1]
    p = [stats.ttest_1samp(d, -bound, alternative="greater").pvalue,
         stats.ttest_1samp(d, bound, alternative="less").pvalue]  # fmt: skip
    np.testing.assert_allclose(power, (np.max(p, axis=0) <= 0.05).mean(), atol=0.04)
    assert (power > 0.5) == (deviations == "heavy") or deviations == "skewed"


def test_power_of_few_subjects_hangs_on_their_deviations():
    options = {"n": [8, 60], "bounds": 0.02, "n_model": 2, "n_tied": 2, "n_replicate": 10, "rng": 3}
    with pytest.warns(SmallSampleWarning, match="with 8 subjects the power is that of normal"):
        apa.power_study(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        apa.power_study(**options | {"n": 60})
        apa.power_study(**options, deviations="heavy")


def test_study_power_is_reproducible():
    options = {"n": 8, "bounds": 0.02, "n_model": 4, "n_tied": 2, "n_replicate": 30, "rng": 3}
    one, two = apa.power_study(**options).tidy(), apa.power_study(**options).tidy()
    assert one.equals(two)
    kept = one.set_index("term")["estimate"]
    assert kept["mcb_keeps_tied"] > 0.8


def test_published_correlation_formula_ignores_rho():
    values = [
        apa.power_correlation(n=100, bounds=0.3, rho=r, method="published")
        .tidy()["estimate"]
        .item()
        for r in (0, 0.1)
    ]
    assert values[0] == values[1]
    ours = [
        apa.power_correlation(n=100, bounds=0.3, rho=r).tidy()["estimate"].item() for r in (0, 0.1)
    ]
    assert ours[1] < ours[0] <= values[0]


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: apa.power_tost(n=10, sd=0, bounds=1), InputError, "sd: got 0"),
        (lambda: apa.power_tost(n=1, sd=1, bounds=1), InputError, "n: got 1"),
        (lambda: apa.power_tost(n=10, sd=1, bounds=None), MarginError, "no default margin"),
        (
            lambda: apa.power_tost(n=10, sd=1, bounds=1, design="magic"),
            InputError,
            "design: got 'magic'",
        ),
        (lambda: apa.sample_size_tost(power=2, sd=1, bounds=1), InputError, "power: got 2"),
        (
            lambda: apa.sample_size_tost(sd=1, bounds=1, difference=1.5),
            InputError,
            "can be reached",
        ),
        (lambda: apa.power_correlation(n=3, bounds=0.2), InputError, "n: got 3"),
        (lambda: apa.power_correlation(n=30, bounds=0.2, rho=1), InputError, "between -1 and 1"),
        (
            lambda: apa.power_t(n=10, difference=1, alternative="up"),
            InputError,
            "alternative: got 'up'",
        ),
        (lambda: apa.power_study(n=2, bounds=1), InputError, "n: got 2"),
        (
            lambda: apa.power_study(n=8, bounds=1, roi_correlation=1),
            InputError,
            "roi_correlation: got 1",
        ),
        (lambda: apa.margin_curve("x"), InputError, "an EquivalenceResult"),
        (lambda: apa.subjects_needed("x"), InputError, "an EquivalenceResult"),
    ],
)
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()
