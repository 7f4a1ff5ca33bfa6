"""Folds, scores, penalties and single units of linear predictivity, against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut

import apastats as apa
from apastats.errors import (
    ConvergenceWarning,
    DegenerateWarning,
    InputError,
    PseudoreplicationWarning,
)
from apastats.scoring.folds import autocorrelation, held_out

N, Q = 60, 5
ALPHAS = [0.5, 5.0, 50.0, 500.0]


def data(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, 8))
    noise = np.array([0.3, 1, 2, 4, 8]) * rng.standard_normal((N, Q))
    return x, x @ rng.standard_normal((8, Q)) + noise


def scored(x: np.ndarray, y: np.ndarray, **options: Any) -> apa.ScoreTable:
    return apa.linear_predictivity({("s", "r"): y}, {("m", "l"): x}, **options)


def by_scikit_learn(
    x: np.ndarray, y: np.ndarray, splits: Any, score: str = "r2", per: str = "set"
) -> np.ndarray:
    """Scores of units ``[Q]``, folds weighted by their size."""
    z, t = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (x, y))
    total = np.zeros(t.shape[1])
    for train, test in splits:
        fit = RidgeCV(ALPHAS, alpha_per_target=per == "unit").fit(z[train], t[train])
        p = fit.predict(z[test])
        if score == "r2":
            rest = ((t[test] - p) ** 2).sum(axis=0)
            values = 1 - rest / ((t[test] - t[test].mean(axis=0)) ** 2).sum(axis=0)
        else:
            values = np.array([np.corrcoef(p[:, k], t[test, k])[0, 1] for k in range(len(total))])
        total += values * len(test) / len(z)
    return total


RUNS = np.repeat([3, 1, 2, 7], [20, 10, 18, 12])
REPEATS = np.tile(np.arange(20), 3)


@pytest.mark.parametrize("score", ["r2", "r"])
@pytest.mark.parametrize("per", ["set", "unit"])
@pytest.mark.parametrize(
    ("options", "splits"),
    [
        ({}, list(KFold(5, shuffle=True, random_state=1).split(np.empty(N)))),
        ({"folds": "contiguous", "n_fold": 4}, list(KFold(4).split(np.empty(N)))),
        (
            {"folds": "leave_one_out", "groups": RUNS.tolist()},
            list(LeaveOneGroupOut().split(np.empty(N), groups=RUNS)),
        ),
    ],
)
def test_scores_are_scikit_learns(
    options: dict[str, Any], splits: Any, score: str, per: str
) -> None:
    x, y = data()
    expected = by_scikit_learn(x, y, splits, score, per)
    table = scored(x, y, alphas=ALPHAS, score=score, per=per, **options)
    assert table.frame["score"].item() == pytest.approx(expected.mean(), abs=1e-8)
    units = scored(x, y, alphas=ALPHAS, score=score, per=per, by_unit=True, **options).frame
    np.testing.assert_allclose(units["score"], expected, atol=1e-8)
    assert units["unit"].tolist() == list(range(Q))
    assert table.levels("metric") == ["linear_predictivity" + "_r" * (score == "r")]


def test_repeats_are_held_out_together() -> None:
    for folds in ("shuffled", "contiguous"):
        parts = held_out(N, folds, n_fold=4, groups=REPEATS.tolist())
        assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(N))
        for part in parts:
            assert not set(REPEATS[part]) & set(REPEATS[np.setdiff1d(np.arange(N), part)])
    splits = GroupKFold(20).split(np.empty(N), groups=REPEATS)
    assert len(list(splits)) == len(held_out(N, "leave_one_out", groups=REPEATS.tolist()))


def test_units_keep_their_place() -> None:
    x, y = data()
    y[:, 1] = np.nan
    y[:, 3] = 2.0
    with pytest.warns(DegenerateWarning, match="constant"):
        frame = scored(x, y, by_unit=True).frame
    assert frame["unit"].tolist() == [0, 2, 4]


def test_delays_are_copies_of_the_features() -> None:
    x, y = data()
    late = np.hstack([np.vstack([np.zeros((d, 8)), x[: N - d]]) for d in (1, 3)])
    found = scored(x, y, delays=[1, 3], folds="contiguous").frame
    assert found["score"].item() == scored(late, y, folds="contiguous").frame["score"].item()
    assert found["n_feature_predictor"].item() == 8


def test_unrelated_features_of_a_time_series() -> None:
    """Features that know the position alone reach .9 in shuffled folds, and nothing in blocks or runs."""
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.standard_normal((200, 5)), axis=0)
    place = np.exp(-((np.arange(200)[:, None] - np.arange(0, 200, 4)) ** 2) / 50)
    with pytest.warns(PseudoreplicationWarning, match=r"correlate by 0\.9\d") as warned:
        table = scored(place, smooth)
    assert table.frame["score"].item() > 0.9
    assert f"{autocorrelation(smooth):.2f}" in str(warned[0].message)
    assert any("neighbours" in line for line in table.log)
    assert scored(place, smooth, folds="contiguous").frame["score"].item() < 0
    runs = np.repeat(range(5), 40).tolist()
    assert scored(place, smooth, groups=runs, folds="leave_one_out").frame["score"].item() < 0
    # responses without order raise none
    for seed in range(20):
        scored(*data(seed))


def test_the_penalty_and_the_edge_of_the_grid() -> None:
    x, y = data()
    assert scored(x, y, alphas=[5.0]).frame["penalty"].item() == 5
    with pytest.warns(ConvergenceWarning, match="least or the largest of alphas"):
        table = scored(x, y, alphas=[1e5, 1e6, 1e7])
    assert table.frame["penalty"].item() == 1e5
    assert any("wider grid" in line for line in table.log)
    assert table.covariates == ("penalty",)
    # what is written is read back as it is
    again = apa.read(table.frame)
    assert "penalty" in again.covariates
    assert again.frame["penalty"].tolist() == table.frame["penalty"].tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": "random"}, "folds: got 'random'"),
        ({"folds": "leave_one_out"}, "with groups="),
        ({"groups": [1, 2]}, "one per row, 60"),
        ({"groups": [1] * 30 + [2] * 30}, "the 2 groups"),
        ({"score": "rho"}, "score: got 'rho'"),
        ({"per": "vertex"}, "per: got 'vertex'"),
        ({"delays": []}, "each once"),
        ({"delays": [1, 1]}, "each once"),
        ({"delays": [-1]}, "delays: got -1"),
        ({"n_fold": 31}, "half the 60 train stimuli"),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        scored(*data(), **options)
