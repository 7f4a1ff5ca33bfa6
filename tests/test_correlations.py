from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import apastats as apa
from apastats.correlations.dependent import steiger_error, williams_error
from apastats.errors import DesignError, InputError, MarginError


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


def test_same_profile_twice(triple):
    x, _, brain = triple
    with pytest.raises(DesignError, match="the same"):
        apa.correlation_difference(x, x, brain, bounds=0.2)
