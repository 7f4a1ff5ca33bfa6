"""The array-level bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import (
    DataError,
    DegenerateWarning,
    DesignError,
    InputError,
    MonteCarloWarning,
    SmallSampleWarning,
)
from apastats.resampling.plans import composition_counts

X = np.array([0.11, 0.3, 0.17, 0.52, 0.24, 0.19, 0.4])


def test_mean_is_enumerated() -> None:
    found = apa.boot_ci(X, interval="percentile")
    counts, weights = composition_counts(7)
    assert found.info["n_resamples"] == len(counts)
    np.testing.assert_allclose(found.replicates[:, 0], counts @ X / 7, rtol=1e-13)
    np.testing.assert_array_equal(found.replicate_weights, weights)
    # variance of the exact bootstrap of a mean
    mean = weights @ found.replicates[:, 0]
    assert mean == pytest.approx(X.mean(), rel=1e-12)
    spread = weights @ (found.replicates[:, 0] - mean) ** 2
    assert spread == pytest.approx(X.var() / 7, rel=1e-10)


def test_columns_are_drawn_together() -> None:
    found = apa.boot_ci(np.column_stack([X, -X]), interval="bca")
    assert found.table["term"].tolist() == ["mean[0]", "mean[1]"]
    np.testing.assert_allclose(found.replicates[:, 0], -found.replicates[:, 1], atol=1e-15)
    low, high = found.table["conf_low"], found.table["conf_high"]
    assert (low[0], high[0]) == pytest.approx((-high[1], -low[1]), rel=1e-10)


@pytest.mark.parametrize("name", ["mean", "ratio", "correlation", "mean_difference"])
def test_named_statistics_equal_callables_on_drawn_rows(name: str) -> None:
    rng = np.random.default_rng(0)
    pair = rng.normal(3, 1, (7, 2))
    data = {"mean": X, "ratio": pair, "correlation": pair, "mean_difference": (X, X[:5] + 1)}[name]
    functions = {
        "mean": np.mean,
        "ratio": lambda s: s[:, 0].mean() / s[:, 1].mean(),
        "correlation": lambda s: np.corrcoef(s, rowvar=False)[0, 1],
        "mean_difference": lambda a, b: a.mean() - b.mean(),
    }
    n = [len(d) for d in data] if isinstance(data, tuple) else [7]
    index = tuple(rng.integers(0, k, (60, k)) for k in n)
    index = index if isinstance(data, tuple) else index[0]
    options = {"index": index, "interval": "percentile"}
    named, called = (apa.boot_ci(data, f, **options) for f in (name, functions[name]))
    np.testing.assert_allclose(named.replicates, called.replicates, rtol=1e-11)
    assert named.table["estimate"].item() == pytest.approx(called.table["estimate"].item())


def test_jackknife_standard_error_of_a_mean_is_the_usual_one() -> None:
    index = np.random.default_rng(1).integers(0, 7, (200, 7))
    usual = apa.boot_ci(X, "mean", index=index, interval="studentized")
    jackknife = apa.boot_ci(X, np.mean, std_error="jackknife", index=index, interval="studentized")
    for c in ("std_error", "conf_low", "conf_high"):
        assert jackknife.table[c].item() == pytest.approx(usual.table[c].item(), rel=1e-9)


def test_own_standard_error() -> None:
    index = np.random.default_rng(1).integers(0, 7, (200, 7))
    own = apa.boot_ci(X, np.mean, std_error=stats.sem, index=index, interval="studentized")
    usual = apa.boot_ci(X, "mean", index=index, interval="studentized")
    assert own.table["conf_low"].item() == pytest.approx(usual.table["conf_low"].item(), rel=1e-10)


def test_welch_degrees_of_freedom() -> None:
    found = apa.boot_ci((X, X[:4] * 3), "mean_difference", interval="t", n_resamples=10, rng=1)
    t = stats.ttest_ind(X, X[:4] * 3, equal_var=False).confidence_interval()
    assert found.table["conf_low"].item() == pytest.approx(t.low)
    assert found.table["conf_high"].item() == pytest.approx(t.high)


def test_statistic_vector_and_default_interval() -> None:
    found = apa.boot_ci(
        np.column_stack([X, X**2]), lambda s: np.sort(s.mean(axis=0)), n_resamples=4000, rng=1
    )
    assert len(found.table) == 2
    assert found.info["interval"] == "bca"


def test_transform_keeps_a_correlation_inside() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(9, 1)) + 0.1 * rng.normal(size=(9, 2))
    plain = apa.boot_ci(x, "correlation", interval="basic").table
    fisher = apa.boot_ci(x, "correlation", interval="basic", transform="fisher").table
    assert plain["conf_high"].item() > 1
    assert fisher["conf_high"].item() < 1


def test_bayesian_weights_of_named_statistics() -> None:
    pair = np.column_stack([X, X + 1])
    found = apa.boot_ci(
        pair, "ratio", scheme="bayesian", n_resamples=10_000, rng=1, interval="percentile"
    )
    assert found.table["conf_low"].item() < found.table["estimate"].item()


def test_bits_depend_on_the_seed_only() -> None:
    x = np.random.default_rng(0).normal(size=13)
    tables = [
        apa.boot_ci(
            x, np.median, n_resamples=3000, rng=3, n_jobs=n, interval="percentile"
        ).replicates
        for n in (1, 2)
    ]
    np.testing.assert_array_equal(*tables)


def test_other_kinds_later_and_after_saving(tmp_path) -> None:
    pair = np.column_stack([X, X[::-1] + 1])
    found = apa.boot_ci(pair, "ratio", interval="fieller")
    again = apa.load_result(found.save(tmp_path / "r"))
    for interval in ("fieller", "bca", "studentized", "t"):
        np.testing.assert_array_equal(
            again.conf_int(interval=interval)[["conf_low", "conf_high"]],
            found.conf_int(interval=interval)[["conf_low", "conf_high"]],
        )


def test_an_interval_that_does_not_exist_is_nan_and_says_so() -> None:
    rng = np.random.default_rng(0)
    pair = np.column_stack([X, rng.normal(0, 1, 7)])
    with pytest.warns(DegenerateWarning, match="1 of 1 intervals are NaN .* no ratio can be excl"):
        found = apa.boot_ci(pair, "ratio", interval="fieller")
    assert found.table[["conf_low", "conf_high"]].isna().all(axis=None)
    assert found.notes
    # the largest value of a resample never exceeds that of the data
    index = np.tile([0, 1, 2, 4, 5, 0, 1], (50, 1))
    above = apa.boot_ci(X, lambda s: -s.max(), interval="percentile", index=index)
    with pytest.warns(DegenerateWarning, match="all replicates lie on one side of the estimate"):
        above.conf_int(interval="bca")


def test_few_resamples_warn() -> None:
    with pytest.warns(
        MonteCarloWarning,
        match=r"\(decimal 2\): median; largest Monte-Carlo SE 0.05; in Python: n_resamples=[0-9_]+ should",
    ):
        apa.boot_ci(X, np.median, n_resamples=30, rng=1)


def test_agrees_with_scipy_on_its_own_terms() -> None:
    x = np.random.default_rng(8).lognormal(size=15)
    theirs = stats.bootstrap((x,), np.mean, n_resamples=19_999, method="BCa", rng=1)
    ours = apa.boot_ci(x, "mean", interval="bca", rng=1).table.iloc[0]
    interval = theirs.confidence_interval
    assert (ours["conf_low"], ours["conf_high"]) == pytest.approx(
        (interval.low, interval.high), abs=6 * ours["mcse"]
    )


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda: apa.boot_ci(X, "mode"),
            InputError,
            "statistic: got 'mode'; allowed: a callable or",
        ),
        (lambda: apa.boot_ci(X, 5), InputError, "statistic: got 5"),
        (lambda: apa.boot_ci([1.0]), DesignError, r"a sample has shape \(1,\); 2 rows are needed"),
        (
            lambda: apa.boot_ci(["a", "b"]),
            InputError,
            r"x: got \['a', 'b'\]; allowed: an array of numbers",
        ),
        (lambda: apa.boot_ci([1.0, np.inf]), DataError, r"x: inf at \(1,\)"),
        (lambda: apa.boot_ci([1.0, np.nan], np.mean), DataError, r"x: nan at \(1,\)"),
        (lambda: apa.boot_ci(np.full((3, 1), np.nan)), DataError, "column 0 has no value"),
        (lambda: apa.boot_ci(X, "ratio"), InputError, r"one array \[n, 2\]"),
        (lambda: apa.boot_ci(X, "mean_difference"), InputError, "a tuple of two one-dimensional"),
        (lambda: apa.boot_ci((X, X), "mean"), InputError, "one array for statistic='mean'"),
        (lambda: apa.boot_ci(X, interval="wald"), InputError, "interval: got 'wald'"),
        (lambda: apa.boot_ci(X, interval="fieller"), InputError, "statistic='ratio' only"),
        (
            lambda: apa.boot_ci(X, np.median, interval="t", n_resamples=9),
            InputError,
            "needs no standard error, or pass std_error=",
        ),
        (lambda: apa.boot_ci(X, transform="sqrt"), InputError, "transform: got 'sqrt'"),
        (
            lambda: apa.boot_ci(-X, transform="log", n_resamples=9, rng=1),
            InputError,
            "a scale on which the estimate is finite",
        ),
        (lambda: apa.boot_ci(X, scheme="poisson"), InputError, "scheme: got 'poisson'"),
        (
            lambda: apa.boot_ci(X, np.median, scheme="bayesian"),
            InputError,
            "'bootstrap' for a callable",
        ),
        (
            lambda: apa.boot_ci(X, "mean", std_error=np.std),
            InputError,
            "None for a named statistic",
        ),
        (lambda: apa.boot_ci(X, np.mean, std_error="delta"), InputError, "std_error: got 'delta'"),
        (lambda: apa.boot_ci(X, index=np.array([[9]])), InputError, "row numbers from 0 to 6"),
        (
            lambda: apa.boot_ci((X, X), "mean_difference", index=np.zeros((2, 7), int)),
            InputError,
            "2, one per sample",
        ),
        (
            lambda: apa.boot_ci((X, X), "mean_difference", n_resamples="exact"),
            InputError,
            "several samples are sampled",
        ),
        (
            lambda: apa.boot_ci(X, lambda s: np.ones((2, 2)), n_resamples=9, interval="bca"),
            InputError,
            "a number or a vector",
        ),
        (
            lambda: apa.boot_ci(X, lambda s: np.nan, n_resamples=9, interval="percentile"),
            DataError,
            "it must be finite",
        ),
    ],
)
def test_bad_input(call, error, match: str) -> None:
    with pytest.raises(error, match=match):
        call()


def test_undefined_resamples_are_told() -> None:
    # three rows: a resample of one row has no correlation
    with pytest.warns(
        DegenerateWarning, match=r"not defined in 3 of 10 resamples \(probability 0\.11\)"
    ):
        found = apa.boot_ci(np.array([[1, 2], [2, 4.1], [3, 5.9]]), "correlation")
    assert any("not defined" in note for note in found.notes)
    with pytest.warns(DegenerateWarning, match="not defined on the scale of transform='log'"):
        apa.boot_ci([-3, -2, 3, 4, 1], "mean", transform="log", interval="basic")
    # quantiles need no scale: nothing is left out
    limits = [
        apa.boot_ci([-3, -2, 3, 4, 1], "mean", transform=t, interval="percentile").table
        for t in (None, "log")
    ]
    assert limits[0]["conf_low"].item() == limits[1]["conf_low"].item() < 0
    assert limits[0]["conf_high"].item() == limits[1]["conf_high"].item()


def test_one_infinite_limit_is_told() -> None:
    with pytest.warns(SmallSampleWarning, match="1 studentized intervals have an infinite limit"):
        found = apa.boot_ci([1, 0, 1, 1], "mean").table
    assert np.isinf(found["conf_low"].item())
    # an end that the alternative leaves open is no reason to warn
    assert np.isinf(
        apa.boot_ci(np.arange(8.0), "mean", alternative="greater").table["conf_high"].item()
    )
