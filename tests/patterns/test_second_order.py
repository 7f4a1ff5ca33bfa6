from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import DegenerateWarning, DesignError, InputError
from tests.patterns.naive import similar


@pytest.fixture
def data(make_frame):
    table = apa.ScoreTable(make_frame(n_subject=5, n_predictor=4, splits=("train", "test"), rng=4))
    return apa.alignment_patterns(table.where(split="test")), apa.select_layer(table)


@pytest.mark.parametrize("second", ["pearson", "spearman"])
def test_by_hand(data, second):
    patterns, best = data
    found = apa.second_order_similarity(patterns, best, second=second, brain="leave_one_out")
    a = patterns.arrays
    places = list(zip(a["models"], a["layers"], strict=True))
    upper = np.triu_indices(5, 1)
    correlate = stats.pearsonr if second == "pearson" else stats.spearmanr

    def estimate(model, keep):
        chosen = (
            best.frame[best.frame["model"] == model]
            .drop_duplicates("roi")
            .set_index("roi")["layer"]
        )
        rows = [
            a["model"][0, keep, places.index((model, chosen[f"R{r}"]))].mean(0) for r in range(5)
        ]
        own = np.array([[similar(x, y) for y in rows] for x in rows]).round(12)
        brain = [a["leave_one_out"][0, keep, r].mean(0) for r in range(5)]
        brain = np.array([[similar(x, y) for y in brain] for x in brain])
        return own, brain, correlate(own[upper], brain[upper])[0]

    for row in found.table.itertuples():
        own, brain, value = estimate(row.model, list(range(5)))
        assert row.estimate == pytest.approx(value, abs=1e-12)
        assert row.r_squared == pytest.approx(value**2, abs=1e-12)
        every = np.array(
            [correlate(own[np.ix_(o, o)][upper], brain[upper])[0] for o in permutations(range(5))]
        )
        assert row.p_value == pytest.approx((every >= value - 1e-9).mean())
        left = [estimate(row.model, [s for s in range(5) if s != out])[2] for out in range(5)]
        error = np.sqrt(4 / 5 * ((left - np.mean(left)) ** 2).sum())
        assert row.std_error == pytest.approx(error, abs=1e-10)
        z = np.arctanh(left)
        half = stats.t.ppf(0.975, 4) * np.sqrt(4 / 5 * ((z - z.mean()) ** 2).sum())
        assert row.conf_low == pytest.approx(np.tanh(np.arctanh(value) - half), abs=1e-9)
        assert row.conf_high == pytest.approx(np.tanh(np.arctanh(value) + half), abs=1e-9)
        assert row.p_value_adjusted >= row.p_value - 1e-12


def test_pairs(data):
    found = apa.second_order_similarity(*data).table
    assert set(found["model"]) == {"m0", "m1"}
    assert (found["n_pair"] == 10).all()


def test_one_layer_for_all_rois_is_said(data):
    patterns, best = data
    frame = best.frame
    alone = frame["model"] == "m0"
    one = best.with_frame(frame.assign(layer=frame["layer"].where(~alone, "l0")))
    if best.where(model="m1").frame["layer"].nunique() > 1:
        with pytest.warns(DegenerateWarning, match="not defined for m0"):
            found = apa.second_order_similarity(patterns, one)
        assert found.table["estimate"].isna().tolist() == [True, False]
        assert len(found.notes) == 1


def test_bad_input(data, make_frame):
    patterns, best = data
    with pytest.raises(InputError, match="second: got 'cosine'"):
        apa.second_order_similarity(patterns, best, second="cosine")
    with pytest.raises(InputError, match="conf_level: got 1"):
        apa.second_order_similarity(patterns, best, conf_level=1)
    with pytest.raises(InputError, match="patterns: got"):
        apa.second_order_similarity(best, best)
    with pytest.raises(InputError, match="similarity: got 'x'"):
        apa.second_order_similarity(patterns, best, similarity="x")
    few = apa.alignment_patterns(apa.ScoreTable(make_frame(n_subject=3)))
    with pytest.raises(DesignError, match="at least 4 of each"):
        apa.second_order_similarity(few, best)
    table = apa.ScoreTable(make_frame(n_predictor=1, splits=("train", "test")))
    one = apa.alignment_patterns(table.where(split="test"))
    with pytest.raises(DesignError, match="no model has two different layers"):
        apa.second_order_similarity(one, apa.select_layer(table))
