from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtri

import apastats as apa
from apastats.tosts.few import few_level, few_p
from apastats.tosts.resampled import Resampled, located_by_replicates


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


def test_small_sample_is_a_switch():
    with pytest.raises(apa.errors.InputError, match="small_sample: got 'yes'"):
        apa.tost([1, 2, 3.5], bounds=1, test="bootstrap", small_sample="yes")
