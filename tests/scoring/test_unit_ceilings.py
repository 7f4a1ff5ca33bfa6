"""Ceilings of single units and scores divided by them, against the formulas of the papers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import apastats as apa
from apastats.errors import (
    AssumptionWarning,
    CeilingError,
    CeilingWarning,
    DegenerateWarning,
    InputError,
)

N, REPEATS, Q = 400, 5, 6


def trials(seed: int = 0, n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Signals ``[N, Q]`` and trials ``[N, REPEATS, Q]`` whose noise has the SD of the signal, times 0.5 to 3."""
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((n, Q))
    noise = np.linspace(0.5, 3, Q) * rng.standard_normal((n, REPEATS, Q))
    return signal, signal[:, None] + noise


def test_signal_power_is_the_formula_of_the_paper() -> None:
    """Schoppe et al. (2016), equations 1 and 2: sums over trials, one unit at a time."""
    _, x = trials()
    found = apa.signal_power(x)
    for k in range(Q):
        r = x[..., k].T
        power = (np.var(r.sum(axis=0)) - np.var(r, axis=1).sum()) / (REPEATS * (REPEATS - 1))
        assert found.r2[k] == pytest.approx(power / np.var(r.mean(axis=0)), rel=1e-12)
        # normalised correlation of any prediction
        predicted = r.mean(axis=0) + np.sin(np.arange(N))
        covariance = np.mean((predicted - predicted.mean()) * (r.mean(axis=0) - r.mean()))
        cc_norm = covariance / np.sqrt(np.var(predicted) * power)
        plain = np.corrcoef(predicted, r.mean(axis=0))[0, 1]
        assert plain / found.r[k] == pytest.approx(cc_norm, rel=1e-12)


@pytest.mark.parametrize("verb", [apa.signal_power, apa.ncsnr, apa.split_half])
def test_the_share_of_signal_is_found(verb: Any) -> None:
    """Mean over 40 simulations within 3 standard errors of the variance of the signal over that of the mean."""
    options = {"rng": 1, "n_split": 20} if verb is apa.split_half else {}
    found = np.array([verb(trials(seed)[1], **options).r2 for seed in range(40)])
    truth = 1 / (1 + np.linspace(0.5, 3, Q) ** 2 / REPEATS)
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    # a ratio of estimates has a bias of the order of 1 / N
    np.testing.assert_array_less(np.abs(found.mean(axis=0) - truth), 3 * error + 2 / N)


def test_signal_power_leaves_out_what_is_the_same_for_all_stimuli_of_a_repeat() -> None:
    _, x = trials()
    drift = x + np.arange(REPEATS)[:, None]
    np.testing.assert_allclose(apa.signal_power(drift).r2, apa.signal_power(x).r2, rtol=1e-10)
    assert (apa.ncsnr(drift).r2 < apa.ncsnr(x).r2).all()


def test_units_without_variance_have_no_signal_power() -> None:
    _, x = trials()
    x[..., 2] = 1.0
    with pytest.warns(DegenerateWarning, match="1 of 6 vertices"):
        assert np.isnan(apa.signal_power(x).r2).tolist() == [k == 2 for k in range(Q)]


VERBS = [apa.ncsnr, lambda x: apa.split_half(x, n_split=2, rng=0), apa.signal_power]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_exchanged_axes_are_told(verb: Any, noise: float) -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((300, 1, 20)) + noise * rng.standard_normal((300, 4, 20))
    with pytest.warns(AssumptionWarning, match="as where the axes are exchanged"):
        verb(x.swapaxes(0, 1))


@pytest.mark.parametrize("verb", VERBS)
def test_few_stimuli_with_many_repeats_are_no_exchange(verb: Any) -> None:
    """Eight stimuli shown 40 times, with much noise or nothing but noise: no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(20):
            rng = np.random.default_rng(seed)
            noise = rng.standard_normal((8, 40, 1))  # shared by all units
            verb(noise + 0.1 * rng.standard_normal((8, 40, 5)))
            verb(rng.standard_normal((8, 1, 5)) + 2 * noise)


def test_a_missing_repeat_does_not_hide_exchanged_axes() -> None:
    rng = np.random.default_rng(3)
    x = (rng.standard_normal((60, 1, 5)) + rng.standard_normal((60, 4, 5))).swapaxes(0, 1)
    x[2, 5] = np.nan
    with pytest.warns(AssumptionWarning, match="60 repeats of 4 stimuli"):
        apa.ncsnr(x)


def scored() -> tuple[apa.ScoreTable, dict[Any, Any]]:
    signal, x = trials(n=1200)
    brain = {("s", "r"): x.mean(axis=1)}
    table = apa.linear_predictivity(
        brain, {("m", "l"): signal}, score="r", by_unit=True, per="unit"
    )
    return table, {("s", "r"): apa.ncsnr(x)}


def test_units_are_divided_by_their_own_ceilings() -> None:
    table, ceilings = scored()
    found = apa.normalize_encoding(table, ceilings, scale="r").frame
    reliability = ceilings["s", "r"].r
    np.testing.assert_allclose(found["score"], table.frame["score"] / reliability, rtol=1e-12)
    assert found["ceiling"].tolist() == reliability.tolist()
    # the features are the signal: at the ceiling for every unit, though raw scores are .6 to 1
    np.testing.assert_allclose(found["score"], 1, atol=0.1)
    assert np.ptp(table.frame["score"]) > 0.3


def test_units_below_the_least_ceiling_are_left_out_and_counted() -> None:
    table, ceilings = scored()
    with pytest.warns(CeilingWarning, match="2 of 6 units are left out"):
        found = apa.normalize_encoding(table, ceilings, scale="r", minimum=0.69)
    assert found.frame["unit"].tolist() == [0, 1, 2, 3]
    assert any("2 of 6 units" in line for line in found.log)


@pytest.mark.parametrize("score", ["r2", "r"])
def test_ceilings_are_kept_with_the_scores_of_units(score: str, tmp_path: Path) -> None:
    signal, x = trials(n=60)
    y = x.mean(axis=1)
    y[:, 1] = np.nan  # a unit the second person lacks
    brain = {("s", "r"): x.mean(axis=1), ("t", "r"): y}
    ceilings = {key: apa.ncsnr(x) for key in brain}
    options: dict[str, Any] = {"score": score, "ceilings": ceilings}
    table = apa.linear_predictivity(brain, {("m", "l"): signal}, by_unit=True, **options)
    values = getattr(apa.ncsnr(x), score)
    kept = table.frame[f"ceiling_{score}"]
    np.testing.assert_array_equal(kept, values[table.frame["unit"].astype(int)])
    given = apa.normalize_encoding(table, ceilings, scale=score).frame["score"]
    np.testing.assert_array_equal(apa.normalize_encoding(table, scale=score).frame["score"], given)
    apa.linear_predictivity(brain, {("m", "l"): signal}, by_unit=tmp_path / "units", **options)
    again = apa.normalize_encoding(apa.read(tmp_path / "units"), scale=score).frame["score"]
    np.testing.assert_allclose(np.sort(again), np.sort(given), rtol=1e-14)
    other = "r" if score == "r2" else "r2"
    with pytest.raises(InputError, match=f"a column 'ceiling_{other}'"):
        apa.normalize_encoding(table, scale=other)


@pytest.mark.parametrize("across", [False, True])
def test_ceilings_of_units_at_time_points(across: bool) -> None:
    signal, x = trials(n=60)
    brain = {("s", "r", t): x.mean(axis=1) + t for t in (0, 1)}
    own = {key: apa.Reliability.from_r2(np.full(Q, 0.5 + 0.1 * key[2])) for key in brain}
    shared = {("s", "r"): apa.Reliability.from_r2(np.full(Q, 0.7))}
    for ceilings, expected in ((own, [0.5, 0.6]), (shared, [0.7, 0.7])):
        frame = apa.linear_predictivity(
            brain, {("m", "l"): signal}, by_unit=True, ceilings=ceilings, across_time=across
        ).frame
        assert frame.groupby("time")["ceiling_r2"].first().tolist() == expected


def test_ceilings_that_are_none_of_the_units_are_refused() -> None:
    signal, x = trials(n=60)
    sets: Any = {("s", "r"): x.mean(axis=1)}, {("m", "l"): signal}
    with pytest.raises(InputError, match="None without by_unit"):
        apa.linear_predictivity(*sets, ceilings={("s", "r"): apa.ncsnr(x)})
    for wrong in ({("s", "r"): 0.5}, {}, {("s", "V1"): apa.ncsnr(x)}):
        with pytest.raises(InputError, match="a Reliability"):
            apa.linear_predictivity(*sets, by_unit=True, ceilings=wrong)
    short = apa.Reliability.from_r2([0.5, 0.5])
    with pytest.raises(CeilingError, match="2 units; its responses have 6"):
        apa.linear_predictivity(*sets, by_unit=True, ceilings={("s", "r"): short})
    table = apa.linear_predictivity(*sets)
    with pytest.raises(InputError, match="ceilings: got None"):
        apa.normalize_encoding(table, scale="r2")


def test_what_is_refused() -> None:
    table, ceilings = scored()
    with pytest.raises(InputError, match="a Reliability for every subject"):
        apa.normalize_encoding(table, {("s", "r"): 0.5}, scale="r")
    short = {("s", "r"): apa.Reliability.from_r2([0.5, 0.5])}
    with pytest.raises(CeilingError, match="2 units, and the table has unit 5"):
        apa.normalize_encoding(table, short, scale="r")
    with pytest.raises(CeilingError, match="no unit has a ceiling"):
        apa.normalize_encoding(table, ceilings, scale="r", minimum=1.0)
