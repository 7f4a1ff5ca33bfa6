from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import ndtri

import apastats as apa
from apastats.numbers.few import few_level, few_p
from apastats.resampling.one_sample import Resampled, located_by_replicates


def test_level_and_p_invert_each_other():
    for n in (3, 8, 20, 1000):
        few = n - 1.0, np.sqrt((n - 1) / n)
        level = few_level(0.05, *few)
        assert few_p(np.array(level), *few) == pytest.approx(0.05)
        assert level < 0.05
    # many units need no correction
    assert few_level(0.05, 1e7, 1.0) == pytest.approx(0.05, abs=1e-7)


@pytest.mark.parametrize("interval", ["percentile", "basic", "normal", "bca"])
def test_normal_replicates_give_students_t(interval):
    """Replicates that are exactly normal, with the spread of resampled means: Student's t must come out."""
    x = np.array([0.3, 0.1, 0.5, 0.2, 0.45, 0.05, 0.35, 0.25]) - 0.275  # symmetric about its mean
    n, size = len(x), 400_001
    shift = x.std() / np.sqrt(n) * ndtri((np.arange(size) + 0.5) / size)
    mean, se = 0.06, x.std(ddof=1) / np.sqrt(n)
    few = n - 1.0, float(np.sqrt((n - 1) / n))
    r = Resampled(
        np.array([mean]), np.array([se]), shift[:, None], None, np.stack([x, -x]).reshape(-1, 1), None,
        float(size), few,
    )  # fmt: skip
    found = located_by_replicates(r, 0.05, interval=interval)
    half = stats.t.ppf(0.95, n - 1) * se
    assert found.conf_low[0] == pytest.approx(mean - half, abs=1e-5)
    assert found.conf_high[0] == pytest.approx(mean + half, abs=1e-5)
    assert found.p_above[0] == pytest.approx(stats.t.sf(mean / se, n - 1), rel=1e-4)


def test_too_few_draws_for_the_level_give_no_limit():
    d = np.array([0.1, 0.3, 0.2])  # 27 draws
    row = apa.tost(d, bounds=9.0, test="bootstrap", interval="percentile").tidy().iloc[0]
    assert np.isinf([row["conf_low"], row["conf_high"]]).all()
    assert row["p_value_equiv"] > 0.05


@pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning")  # 999 draws are few
def test_relabelling_claims_what_welch_claims_too():
    g = np.random.default_rng(1)
    x, y = 2 * g.normal(size=8), g.normal(size=11)
    options = {"bounds": 1.5, "paired": False, "n_resamples": 999, "rng": 1}
    both = apa.tost(x, y, test="permutation", **options)
    alone = apa.tost(x, y, test="permutation", small_sample=False, **options)
    welch = apa.tost(x, y, bounds=1.5, paired=False)
    for column in ("p_value", "p_value_noninf", "p_value_nonsup"):
        expected = max(alone.table[column].item(), welch.table[column].item())
        assert both.table[column].item() == expected
    assert "Welch" in both.info["method"]
    assert "alone" in alone.info["method"]


@pytest.mark.parametrize(("paired", "equal_var"), [(True, False), (False, True), (False, False)])
def test_bounds_in_sd_units_use_the_noncentral_t(paired, equal_var):
    g = np.random.default_rng(2)
    x, y = g.normal(0.3, 1, 9), g.normal(0, 1, 9)
    row = apa.tost(
        x, y, bounds=apa.margin(1.5, of="sd"), paired=paired, equal_var=equal_var, effect="d"
    ).table.iloc[0]
    nc = 1.5 * np.sqrt(9 if paired else 4.5)
    assert row["p_value_nonsup"] == pytest.approx(
        stats.nct.cdf(row["statistic"], row["df"], nc), rel=1e-8
    )
    assert row["p_value_noninf"] == pytest.approx(
        stats.nct.sf(row["statistic"], row["df"], -nc), rel=1e-8
    )
    if paired:  # the interval is that of d, in score units
        sd = (x - y).std(ddof=1)
        assert row["conf_low"] / sd == pytest.approx(row["effect_low"], rel=1e-9)
    plain = apa.tost(
        x,
        y,
        bounds=apa.margin(1.5, of="sd"),
        paired=paired,
        equal_var=equal_var,
        small_sample=False,
    )
    assert "known" in plain.info["method"]
    assert plain.table["p_value_nonsup"].item() != row["p_value_nonsup"]


def test_sd_units_of_a_table_and_of_summary_numbers():
    g = np.random.default_rng(3)
    scores = g.normal(np.array([0, 0.2, 0.5]), 1, (9, 3))
    rows = [(f"s{i}", f"m{j}", scores[i, j]) for i in range(9) for j in range(3)]
    frame = pd.DataFrame(rows, columns=["subject", "model", "score"]).assign(roi="V1")
    margin = apa.margin(0.8, of="sd")
    found = apa.equivalence("score ~ model", apa.ScoreTable(frame), bounds=margin)
    assert "noncentral" in found.info["method"]
    x, y = scores[:, 0], scores[:, 2]
    one = apa.tost(x, y, bounds=margin).table.iloc[0]
    other = found.table[found.table["contrast"] == "m0 - m2"].iloc[0]
    three = apa.tost_summary(
        x.mean(), x.std(ddof=1), 9, y.mean(), y.std(ddof=1), 9, bounds=margin,
        r=np.corrcoef(x, y)[0, 1],
    ).table.iloc[0]  # fmt: skip
    for column in ("p_value_noninf", "p_value_nonsup", "conf_low", "conf_high", "bound_high"):
        assert other[column] == pytest.approx(one[column], rel=1e-7)
        assert three[column] == pytest.approx(one[column], rel=1e-7)


def test_small_sample_is_a_switch():
    with pytest.raises(apa.errors.InputError, match="small_sample: got 'yes'"):
        apa.tost([1, 2, 3.5], bounds=1, test="bootstrap", small_sample="yes")
