"""Limits and p-values of every interval against their formulas, written out replicate by replicate."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from apastats.errors import InputError
from apastats.resampling.intervals import (
    Replicates,
    _two_quantiles,
    acceleration,
    confidence_interval,
    confidence_limits,
    from_replicates,
    interval_p,
    replicate_sd,
)

N = NormalDist()
SHIFT = [-2.0, -1.0, -1.0, 0.0, 0.5, 0.5, 1.0, 3.0]  # with ties, skewed
WEIGHTS = [0.05, 0.1, 0.15, 0.2, 0.1, 0.1, 0.2, 0.1]
ESTIMATES = [2 / 3, 0.5, -0.5, 1.0, -3.0, 0.2, 5.0]
ACCELERATION, STD_ERROR, DRAWS = 0.05, 2.0, 40.0


def shifted(weights: list[float] | None) -> Replicates:
    values = np.array([SHIFT, [2 * v for v in SHIFT]])
    return Replicates(
        np.zeros(2), values, None if weights is None else np.array(weights),
        std_error=np.array([STD_ERROR, STD_ERROR]), t_values=values / 3,
        acceleration=np.full(2, ACCELERATION),
    )  # fmt: skip


def naive(
    interval: str, shift: list[float], weights: list[float] | None, e: float
) -> tuple[float, float]:
    w = weights or [1 / len(shift)] * len(shift)

    def share(hit: list[bool]) -> float:
        return (sum(a for a, h in zip(w, hit, strict=True) if h) * DRAWS + 1) / (DRAWS + 1)

    if interval == "studentized":
        t = e / STD_ERROR
        return share([v / 3 >= t for v in shift]), share([v / 3 <= t for v in shift])
    if interval == "basic":
        return share([v >= e for v in shift]), share([v <= e for v in shift])
    if interval == "percentile":
        return share([v <= -e for v in shift]), share([v >= -e for v in shift])
    mean = sum(a * v for a, v in zip(w, shift, strict=True))
    if interval == "normal":
        square = sum(a * (v - mean) ** 2 for a, v in zip(w, shift, strict=True))
        square *= len(shift) / (len(shift) - 1) if weights is None else 1
        z = (e - mean) / math.sqrt(square)
        return N.cdf(-z), N.cdf(z)

    def below(x: float) -> float:
        return sum(a * ((v < x) + 0.5 * (v == x)) for a, v in zip(w, shift, strict=True))

    z0 = N.inv_cdf(below(0.0))
    u = N.inv_cdf((below(-e) * DRAWS + 0.5) / (DRAWS + 1)) - z0
    p = N.cdf(u / (1 + ACCELERATION * u) - z0)
    return p, 1 - p


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["drawn", "enumerated"])
@pytest.mark.parametrize("interval", from_replicates())
def test_p_values(interval: str, weights: list[float] | None) -> None:
    r = shifted(weights)
    for e in ESTIMATES:
        found = interval_p(interval, r, np.array([e, e]), DRAWS)
        for k, row in enumerate(r.values.tolist()):
            above, below = naive(interval, row, weights, e)
            both = min(1.0, 2 * min(above, below))
            np.testing.assert_allclose(found[:, k], [above, below, both], rtol=1e-9)
    # 0 may lie at the middle of the replicates: no p-value is above 1
    assert interval_p(interval, r, np.array([0.0, 0.0]), DRAWS).max() <= 1


def test_which_intervals_resample() -> None:
    assert from_replicates() == ["normal", "basic", "percentile", "bca", "studentized"]


def sample(**more: object) -> Replicates:
    values = np.array([[-1.3, 0.9, 1.0, 1.4, 2.2], [5.0, 5.0, 6.0, 8.0, 9.0]])
    return Replicates(np.array([1.1, 6.0]), values, **more)  # type: ignore[arg-type]


def test_normal_limits_and_their_error() -> None:
    r = sample()
    for conf_level in (0.6, 0.95):
        z = N.inv_cdf((1 + conf_level) / 2)
        found = confidence_limits(r, "normal", conf_level=conf_level)
        for k, (e, row) in enumerate(zip(r.estimate, r.values, strict=True)):
            sd = math.sqrt(sum((row - row.mean()) ** 2) / 4)
            centre = e - (row.mean() - e)
            error = sd * math.sqrt((1 + z**2 / 2) / 5)
            expected = [centre - z * sd, centre + z * sd, error, error]
            np.testing.assert_allclose(found[:, k], expected)
    open_side = confidence_limits(r, "normal", alternative="greater")
    np.testing.assert_array_equal(open_side[1], np.inf)
    np.testing.assert_array_equal(open_side[3], 0)
    assert (open_side[2] > 0).all()
    other_side = confidence_limits(r, "normal", alternative="less")
    np.testing.assert_array_equal(other_side[0], -np.inf)
    np.testing.assert_array_equal(other_side[2], 0)
    enumerated = confidence_limits(sample(weights=np.full(5, 0.2)), "normal")
    np.testing.assert_array_equal(enumerated[2:], 0)
    sd = np.sqrt(r.values.var(axis=1))
    np.testing.assert_allclose(enumerated[1] - enumerated[0], 2 * N.inv_cdf(0.975) * sd)


def test_basic_limits_are_the_percentiles_reflected() -> None:
    r = sample()
    basic, percentile = (confidence_limits(r, n, conf_level=0.7) for n in ("basic", "percentile"))
    np.testing.assert_allclose(basic[0], 2 * r.estimate - percentile[1])
    np.testing.assert_allclose(basic[1], 2 * r.estimate - percentile[0])
    np.testing.assert_allclose(basic[2:], percentile[:1:-1])


def test_error_of_a_percentile_is_that_of_its_probability() -> None:
    r = sample()
    found = confidence_limits(r, "percentile", conf_level=0.95)
    for side, p in enumerate((0.025, 0.975)):
        step = math.sqrt(p * (1 - p) / 5)
        ends = np.quantile(r.values, [max(p - step, 0), min(p + step, 1)], axis=1)
        np.testing.assert_allclose(found[side], np.quantile(r.values, p, axis=1))
        np.testing.assert_allclose(found[side + 2], (ends[1] - ends[0]) / 2)
    low, high, error = confidence_interval(r, "percentile", conf_level=0.95)
    np.testing.assert_array_equal([low, high, error], [found[0], found[1], found[2:].max(axis=0)])
    assert found[2, 0] > found[3, 0]
    assert found[2, 1] < found[3, 1]


@pytest.mark.parametrize("interval", ["percentile", "basic", "bca"])
def test_where_nothing_is_known_the_error_is_none(interval: str) -> None:
    values = np.array([[np.nan] * 5, [1.0, 2.0, 3.0, 4.0, 5.0]])
    r = Replicates(np.array([np.nan, 3.0]), values, acceleration=np.zeros(2))
    found = confidence_limits(r, interval)
    assert np.isnan(found[:2, 0]).all()
    np.testing.assert_array_equal(found[2:, 0], 0)
    assert np.isfinite(found[:, 1]).all()


def test_a_standard_error_of_0_is_an_interval_of_no_width() -> None:
    t = np.array([[-np.inf, -1.0, 1.0, 2.0, np.inf]] * 2)
    r = sample(std_error=np.array([0.0, 2.0]), t_values=t)
    found = confidence_limits(r, "studentized", conf_level=0.5)
    np.testing.assert_array_equal(found[:2, 0], r.estimate[0])
    np.testing.assert_allclose(found[:2, 1], [6 - 2 * 2.0, 6 + 2 * 1.0])
    one = confidence_limits(sample(std_error=np.ones(2), t_values=t), "studentized", conf_level=0.5)
    np.testing.assert_allclose(one[:2, 1], [6 - 2.0, 6 + 1.0])


@pytest.mark.parametrize(
    "interval, given", [("t", {"std_error": np.ones(2)}), ("t", {"df": np.ones(2)}),
                        ("studentized", {"std_error": np.ones(2)}), ("studentized", {"t_values": np.ones((2, 5))}),
                        ("bca", {})],
)  # fmt: skip
def test_what_an_interval_needs_is_asked_for(interval: str, given: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match="interval"):
        confidence_limits(sample(**given), interval)


def test_ties_count_for_the_bias_as_the_rule_has_it() -> None:
    values = np.array([[1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 5.0]])
    r = Replicates(np.array([2.0]), values, acceleration=np.array([0.0]))
    for rule, share in (("boot", 2 / 8), ("linear", 3 / 8)):
        z0 = N.inv_cdf(share)
        p = N.cdf(2 * z0 + N.inv_cdf(0.8))
        found = confidence_limits(r, "bca", conf_level=0.8, alternative="less", quantile_rule=rule)[
            1
        ]
        plain = confidence_limits(
            r, "percentile", conf_level=p, alternative="less", quantile_rule=rule
        )[1]
        np.testing.assert_allclose(found, plain)


def test_the_spread_of_enumerated_replicates() -> None:
    w = np.array([0.5, 0.25, 0.25])
    np.testing.assert_allclose(replicate_sd(np.array([[1.0], [2.0], [4.0]]), w), np.sqrt(1.5))
    # rounding makes the difference of two equal squares negative
    assert replicate_sd(np.full((3, 1), 0.1), np.full(3, 1 / 3))[0] < 1e-8
    np.testing.assert_allclose(
        replicate_sd(np.array([[1.0], [2.0], [4.0]]), None), [1.527525], rtol=1e-6
    )


def test_acceleration_by_its_formula() -> None:
    influence = np.array([[1.0, -2.0, 4.0], [0.0, 0.0, 0.0], [1.0, np.nan, 3.0]])
    expected = [(1 - 8 + 64) / (6 * 21**1.5), 0.0, 28 / (6 * 10**1.5)]
    np.testing.assert_allclose(acceleration(influence), expected)


def test_an_enumerated_distribution_has_no_quantile_at_its_ends() -> None:
    values, weights = np.array([SHIFT, SHIFT]), np.array(WEIGHTS)
    for low, high in ((0.0, 1.0), (0.0, 0.5), (0.5, 1.0)):
        found, error = _two_quantiles(values, weights, low, high, "linear")
        np.testing.assert_array_equal(np.isnan(found[0]), low == 0)
        np.testing.assert_array_equal(np.isnan(found[1]), high == 1)
        np.testing.assert_array_equal(error, 0)


def test_the_error_of_an_interval_is_the_larger_of_its_limits() -> None:
    values = np.array([[0.0, 0.1, 0.2, 0.3, 0.4, 9.0], [-9.0, 0.1, 0.2, 0.3, 0.4, 0.5]])
    r = Replicates(values.mean(axis=1), values)
    limits = confidence_limits(r, "percentile", conf_level=0.5)
    assert limits[2, 1] > limits[3, 1]
    assert limits[3, 0] > limits[2, 0]
    np.testing.assert_array_equal(
        confidence_interval(r, "percentile", conf_level=0.5)[2], limits[2:].max(axis=0)
    )
