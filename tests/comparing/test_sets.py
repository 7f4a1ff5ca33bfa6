from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import DesignError, InputError, MarginError
from apastats.numbers.best import moderated_variance, moments, pooling_check, with_the_best
from apastats.numbers.simultaneous import best_critical, range_critical

METHODS = ["mcb", "mcs", "tost", "bayes", "ci_overlap"]


def table_of(values: np.ndarray) -> apa.ScoreTable:
    n, k, c = values.shape
    index = pd.MultiIndex.from_product(
        [[f"s{i:02d}" for i in range(n)], [f"m{i}" for i in range(k)], [f"r{i}" for i in range(c)]],
        names=["subject", "model", "roi"],
    )
    return apa.ScoreTable(pd.DataFrame({"score": values.ravel()}, index=index).reset_index())


def study(
    n: int = 10, tied: int = 2, worse: int = 4, cells: int = 2, seed: int = 0, gap: float = 0.1
) -> apa.ScoreTable:
    rng = np.random.default_rng(seed)
    truth = np.r_[np.ones(tied), np.full(worse, 1 - gap)]
    values = (
        truth[:, None]
        + 0.25 * rng.normal(size=(n, 1, 1))
        + 0.03 * rng.normal(size=(n, tied + worse, cells))
    )
    return table_of(values)


def test_critical_values():
    # one-sided Dunnett against a double integral in R, two models against Student's t, the range against scipy
    assert best_critical(0.95, 6, 45.0) == pytest.approx(2.3005486614123, abs=1e-10)
    for k, df in ((3, 10.0), (47, 9.0), (10, 2.0)):
        q = range_critical(0.95, k, df)
        assert stats.studentized_range.sf(q, k, df) == pytest.approx(0.05, abs=1e-9)
    assert best_critical(0.95, 2, 10.0, two_sided=True) == pytest.approx(2.228139, abs=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_columns_and_words(method):
    found = apa.equivalence_set("score ~ model | roi", study(), bounds=0.05, method=method, rng=1)
    table = found.tidy()
    assert {"model", "roi", "in_set", "conf_low", "conf_high", "decision"} <= set(table.columns)
    assert len(table) == 12
    assert set(found.members()) <= set(found.members(roi="r0"))
    assert (
        "no test" in found.info["method"]
        if method == "ci_overlap"
        else "no test" not in found.info["method"]
    )


@pytest.mark.parametrize("method", ["mcb", "mcs", "bayes"])
def test_clear_winners_without_a_margin(method):
    found = apa.equivalence_set("score ~ model | roi", study(), method=method, rng=1)
    assert found.members(roi="r0") == ["m0", "m1"]
    assert set(found.tidy()["decision"]) == {"can be the best", "not the best"}


@pytest.mark.parametrize("method", ["mcb", "mcs", "tost", "bayes"])
def test_decisions_with_a_margin(method):
    table = apa.equivalence_set(
        "score ~ model | roi", study(n=12), bounds=0.07, method=method, rng=1
    ).tidy()
    decision = table.set_index(["model", "roi"])["decision"]
    assert decision["m0", "r0"] == "equivalent to the best"
    assert decision["m5", "r0"] in ("worse than the margin", "undecided")
    assert (table["in_set"] == (table["decision"] == "equivalent to the best")).all()


@pytest.mark.parametrize("method", ["mcb", "mcs", "tost", "bayes"])
def test_wider_margin_never_removes(method):
    scores = study(seed=4)
    sets = [
        apa.equivalence_set("score ~ model | roi", scores, bounds=b, method=method, rng=1).tidy()[
            "in_set"
        ]
        for b in (0.01, 0.03, 0.06, 0.12)
    ]
    for narrow, wide in pairwise(sets):
        assert (narrow <= wide).all()


def test_mcb_intervals_contain_zero_and_lie_in_the_free_ones():
    x = np.random.default_rng(3).normal(size=(8, 6))
    b = with_the_best(moments(x), 0.05)
    assert (b.low <= 0).all()
    assert (b.high >= 0).all()
    assert (b.free_low <= b.low + 1e-12).all()
    assert (b.free_low <= b.difference).all()
    assert (b.difference <= b.free_high).all()


def test_family_all_is_wider():
    scores = study(cells=4, seed=2, gap=0.03)
    one = apa.equivalence_set("score ~ model | roi", scores).tidy()
    every = apa.equivalence_set("score ~ model | roi", scores, family="all").tidy()
    assert (one["in_set"] <= every["in_set"]).all()
    assert every["conf_level"].iloc[0] == pytest.approx(1 - 0.05 / 4)


def test_unequal_variances_are_noticed():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(10, 6, 1)) * np.array([1, 1, 1, 1, 1, 12.0])[:, None]
    found = apa.equivalence_set("score ~ model | roi", table_of(values))
    assert "moderated" in found.notes[0]
    assert pooling_check(rng.normal(size=(10, 6))) > 0.01


def test_moderated_variance_shrinks():
    x = np.random.default_rng(6).normal(size=(6, 8))
    v, df = moderated_variance(x)
    upper = v[np.triu_indices(8, 1)]
    d = x[:, :, None] - x[:, None, :]
    own = d.var(axis=0, ddof=1)[np.triu_indices(8, 1)]
    assert upper.var() < own.var()
    assert 5 <= df <= 35


def test_ceiling_margin_is_not_wider_than_its_point_value():
    simulated = apa.simulate(n_subject=8, n_layer=1, rois=["V1", "V4"], rng=1)
    scores = simulated.scores.where(kind="model", split="test")
    ceiling = apa.noise_ceiling(simulated.scores, by=["roi"])
    found = apa.equivalence_set(
        "score ~ model | roi", scores, bounds=apa.margin(0.2, of=ceiling)
    ).tidy()
    point = ceiling.tidy().set_index("roi")["estimate"]
    for roi, rows in found.groupby("roi"):
        assert -rows["bound_low"].iloc[0] < 0.2 * point[roi]


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"method": "magic"}, InputError, "method: got 'magic'"),
        ({"variance": "magic"}, InputError, "variance: got 'magic'"),
        ({"family": "magic"}, InputError, "family: got 'magic'"),
        ({"method": "tost"}, MarginError, "no default margin"),
        ({"bounds": -1}, MarginError, "bounds: got -1"),
        ({"bounds": (0.1, 0.2)}, MarginError, "lower bound is below 0"),
        ({"bounds": apa.margin(1, of="sd")}, MarginError, "units of the outcome"),
        ({"alpha": 0.6}, InputError, "alpha: got 0.6"),
    ],
)
def test_bad_input(change, error, match):
    with pytest.raises(error, match=match):
        apa.equivalence_set("score ~ model | roi", study(), **change)


def test_too_few_subjects():
    with pytest.raises(DesignError, match="2 complete subjects"):
        apa.equivalence_set("score ~ model | roi", study(n=2))


def test_unknown_cell():
    found = apa.equivalence_set("score ~ model | roi", study())
    with pytest.raises(InputError, match="roi: got 'V9'"):
        found.members(roi="V9")
