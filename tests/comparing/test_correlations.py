from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

import apastats as apa
from apastats.comparing.correlation_difference import steiger_error, williams, williams_error
from apastats.errors import DesignError, InputError, MarginError
from apastats.numbers.fisher import difference_limits, difference_root, one_test
from apastats.numbers.shared_correlations import constrained, correlations_of, null_draws


@pytest.fixture
def triple():
    g = np.random.default_rng(2)
    brain = g.normal(size=60)
    return brain + 0.8 * g.normal(size=60), brain + 0.8 * g.normal(size=60), brain


def test_kendall_and_spearman_agree_with_scipy(triple):
    x, _, brain = triple
    for method, theirs in (("kendall", stats.kendalltau), ("spearman", stats.spearmanr)):
        row = (
            apa.correlation_tost(np.round(x, 1), np.round(brain, 1), bounds=0.2, method=method)
            .tidy()
            .iloc[0]
        )
        assert row["estimate"] == pytest.approx(
            theirs(np.round(x, 1), np.round(brain, 1)).statistic
        )


@pytest.mark.parametrize("test", ["williams", "steiger", "bootstrap"])
def test_dependent_correlations(triple, test):
    x, y, brain = triple
    row = (
        apa.correlation_difference(x, y, brain, bounds=0.3, test=test, rng=1, n_resamples="auto")
        .tidy()
        .iloc[0]
    )
    other = apa.correlation_difference(y, x, brain, bounds=0.3, test=test, rng=1).tidy().iloc[0]
    assert row["decision"] == "equivalent"
    assert row["estimate"] == pytest.approx(-other["estimate"])
    assert row["p_value_noninf"] == pytest.approx(
        other["p_value_nonsup"], abs=1e-9 if test != "bootstrap" else 0.01
    )


def test_shared_brain_narrows_the_interval(triple):
    x, y, brain = triple
    shared = apa.correlation_difference(x, y, brain, bounds=0.3).tidy().iloc[0]
    independent = (
        apa.correlation_difference_summary(shared["r_x"], 60, shared["r_y"], 60, bounds=0.3)
        .tidy()
        .iloc[0]
    )
    assert shared["std_error"] < independent["std_error"]


def test_large_sample_error_by_simulation():
    g = np.random.default_rng(3)
    r = np.array([[1, 0.6, 0.7], [0.6, 1, 0.5], [0.7, 0.5, 1]])
    z = g.multivariate_normal(np.zeros(3), r, (4000, 100))
    z = z - z.mean(axis=1, keepdims=True)
    s = np.einsum("rni,rnj->rij", z, z)
    d = np.sqrt(np.einsum("rii->ri", s))
    c = s / d[:, :, None] / d[:, None, :]
    difference = c[:, 0, 1] - c[:, 0, 2]
    assert steiger_error(0.6, 0.7, 0.5, 100) == pytest.approx(difference.std(), rel=0.06)
    assert williams_error(0.6, 0.7, 0.5, 100) == pytest.approx(difference.std(), rel=0.08)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: apa.correlation_tost([1, 2, 3], [1, 2, 3], bounds=0.2), DesignError, "at least 5"),
        (
            lambda: apa.correlation_tost(range(6), [1] * 6, bounds=0.2),
            DesignError,
            "y: the profile is constant",
        ),
        (
            lambda: apa.correlation_tost(range(6), range(7), bounds=0.2),
            InputError,
            "arrays of one length",
        ),
        (
            lambda: apa.correlation_tost(range(6), [1, 3, 2, 5, 4, 6], bounds=2),
            MarginError,
            "bounds: got 2",
        ),
        (lambda: apa.correlation_tost_summary(1.0, 20, bounds=0.2), InputError, "r: got 1.0"),
        (lambda: apa.correlation_tost_summary(0.5, 4, bounds=0.2), InputError, "n: got 4"),
        (
            lambda: apa.correlation_tost_summary(0.5, 20, bounds=0.2, method="x"),
            InputError,
            "method: got 'x'",
        ),
        (
            lambda: apa.correlation_difference_summary(0.5, 20, 0.4, 20, bounds=0.2, scale="x"),
            InputError,
            "scale: got",
        ),
    ],
)
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_calibrated_williams_agrees_with_simulation():
    """Null distribution at the truth: the share of samples beyond a value, by other means."""
    g = np.random.default_rng(5)
    truth = np.array([[1, 0.7, 0.4], [0.7, 1, 0.5], [0.4, 0.5, 1]])
    z = g.multivariate_normal(np.zeros(3), truth, (40_000, 12))
    z = z - z.mean(axis=1, keepdims=True)
    s = np.einsum("rni,rnj->rij", z, z)
    size = np.sqrt(np.einsum("rii->ri", s))
    c = s / size[:, :, None] / size[:, None, :]
    drawn = correlations_of((np.array([0.7]), np.array([0.4]), np.array([0.5])), null_draws(12))
    for ours, theirs in zip(drawn, (c[:, 0, 1], c[:, 0, 2], c[:, 1, 2]), strict=True):
        levels = np.linspace(0.02, 0.98, 9)
        np.testing.assert_allclose(
            np.quantile(ours[0], levels), np.quantile(theirs, levels), atol=0.015
        )


def test_constrained_fit_is_the_most_likely():
    seen = tuple(np.array([v]) for v in (0.7, 0.1, -0.2))
    fit = np.array(constrained(seen, 0.2)).ravel()
    assert fit[0] - fit[1] == pytest.approx(0.2)

    def deviance(mean, c):
        r = np.array([[1, mean + 0.1, mean - 0.1], [mean + 0.1, 1, c], [mean - 0.1, c, 1]])
        s = np.array([[1, 0.7, 0.1], [0.7, 1, -0.2], [0.1, -0.2, 1]])
        return np.linalg.slogdet(r)[1] + np.trace(np.linalg.solve(r, s))

    found = optimize.minimize(lambda p: deviance(*p), [0.3, 0.1], method="Nelder-Mead", tol=1e-12)
    assert (fit[0] + fit[1]) / 2 == pytest.approx(found.x[0], abs=1e-5)
    assert fit[2] == pytest.approx(found.x[1], abs=1e-5)


def test_plain_forms_are_reachable(triple):
    x, y, brain = (v[:12] for v in triple)
    found = {
        s: apa.correlation_difference(x, y, brain, bounds=0.3, small_sample=s).table.iloc[0]
        for s in (True, False)
    }
    t, df = williams(*(found[False][k] for k in ("r_x", "r_y", "r_xy")), 12, difference=-0.3)
    assert found[False]["p_value_noninf"] == pytest.approx(stats.t.sf(t, df))
    # the ordinary test is Williams' t in both
    assert found[True]["p_value"] == found[False]["p_value"]
    assert "uncalibrated" in found[False]["method"]


def test_bootstrap_of_correlations_claims_what_williams_claims_too(triple):
    x, y, brain = (v[:15] for v in triple)
    options = {"bounds": 0.5, "n_resamples": 499, "rng": 1}
    both = apa.correlation_difference(x, y, brain, test="bootstrap", **options).table.iloc[0]
    formula = apa.correlation_difference(x, y, brain, bounds=0.5).table.iloc[0]
    plain = apa.correlation_difference(
        x, y, brain, test="bootstrap", small_sample=False, **options
    ).table.iloc[0]
    for column in ("p_value", "p_value_noninf", "p_value_nonsup"):
        assert both[column] == max(formula[column], plain[column])
    assert both["conf_low"] == min(formula["conf_low"], plain["conf_low"])


@pytest.mark.parametrize("method", ["pearson", "spearman", "kendall"])
@pytest.mark.parametrize("error", ["analytic", "jackknife"])
def test_interval_of_one_correlation_inverts_its_tests(triple, method, error):
    x, brain = triple[0][:11], triple[2][:11]
    options = {"method": method, "error": error}
    row = apa.correlation_tost(x, brain, bounds=0.9, **options).table.iloc[0]
    ends = row["conf_low"], row["conf_high"]
    assert ends[0] < row["estimate"] < ends[1]
    at = apa.correlation_tost(x, brain, bounds=ends, **options).table.iloc[0]
    assert at["p_value_noninf"] == pytest.approx(0.05)
    assert at["p_value_nonsup"] == pytest.approx(0.05)


def test_bias_of_fishers_z_is_taken_off():
    """Mean of z of simulated correlations, at the value that is tested."""
    g = np.random.default_rng(6)
    x, e = g.normal(size=(2, 20_000, 12))
    rho = 0.7
    y = rho * x + np.sqrt(1 - rho**2) * e
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(x, y, strict=True)]
    test = one_test(0.5, 12, "pearson", z_error=None, small_sample=True)
    bias = np.mean(np.arctanh(r)) - np.arctanh(rho)
    assert bias > 0.025
    # what is left is of the order 1 / n^2
    assert abs(bias - test.shift * rho) < 0.3 * bias


def test_difference_of_two_correlations():
    # at a difference of 0 it is Fisher's comparison of two z, each with its bias
    root = difference_root(0.7, 20, 0.4, 20, 0.0)
    plain = (np.arctanh(0.7) - np.arctanh(0.4)) / np.sqrt(2 / 17)
    assert root == pytest.approx(plain, abs=0.05)
    low, high = difference_limits(0.7, 12, 0.4, 15, 0.05)
    for end, q in ((low, 1), (high, -1)):
        assert difference_root(0.7, 12, 0.4, 15, end) == pytest.approx(
            q * stats.norm.ppf(0.95), abs=1e-6
        )
    mirrored = difference_limits(0.4, 15, 0.7, 12, 0.05)
    np.testing.assert_allclose([low, high], [-mirrored[1], -mirrored[0]], atol=1e-8)
    options = {"bounds": 0.2, "small_sample": False}
    row = apa.correlation_difference_summary(0.85, 12, 0.3, 12, **options).table.iloc[0]
    se = np.sqrt(((1 - 0.85**2) ** 2 + (1 - 0.09) ** 2) / 10)
    assert row["p_value_noninf"] == pytest.approx(stats.norm.sf((0.55 + 0.2) / se))


def test_kendall_beyond_its_formula_is_noted(triple):
    x, _, brain = triple
    assert not apa.correlation_tost(x, brain, bounds=0.5, method="kendall").notes
    found = apa.correlation_tost(x, brain, bounds=0.9, method="kendall")
    assert "0.8" in found.notes[0]


def test_same_profile_twice(triple):
    x, _, brain = triple
    with pytest.raises(DesignError, match="the same"):
        apa.correlation_difference(x, x, brain, bounds=0.2)
    with pytest.raises(DesignError, match="mirrored"):
        apa.correlation_difference(x, 3 - x, brain, bounds=0.2)
