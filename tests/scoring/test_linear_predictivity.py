"""Folds, scores, penalties and single units of linear predictivity, against scikit-learn."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut

import apastats as apa
from apastats.errors import (
    ConvergenceWarning,
    DegenerateWarning,
    InputError,
    OutputExistsError,
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


def test_the_median_over_units() -> None:
    x, y = data()
    test = data(1)[1]
    sets = {("s", "r"): (y, test)}, {("m", "l"): (x, data(1)[0])}
    units = apa.linear_predictivity(*sets, by_unit=True).frame
    found = apa.linear_predictivity(*sets, average="median").frame.set_index("split")["score"]
    expected = units.groupby("split")["score"].median()
    np.testing.assert_allclose(found[expected.index], expected, rtol=1e-12)
    assert apa.linear_predictivity(*sets, average="median").levels("metric") == [
        "linear_predictivity_median"
    ]


def test_the_share_of_units_left_out() -> None:
    x, y = data()
    y[:, 3] = 2.0
    with pytest.warns(DegenerateWarning, match="constant"):
        table = scored(x, y)
    assert table.frame["share_left_out"].item() == 1 / Q
    assert "share_left_out" in apa.read(table.frame).covariates


def test_units_in_a_folder_are_those_in_memory(tmp_path: Path) -> None:
    brain = {(s, "r"): data(k)[1] for k, s in enumerate("abc")}
    brain["b", "r"][:, 2] = np.nan
    models = {("m", layer): data(k)[0] for k, layer in enumerate("12")}
    options: dict[str, Any] = {"references": ["subject_to_subject"]}
    table = apa.linear_predictivity(brain, models, by_unit=tmp_path / "units", **options)
    plain = apa.linear_predictivity(brain, models, **options)
    np.testing.assert_array_equal(table.frame["score"], plain.frame["score"])
    assert any("single units are in" in line for line in table.log)
    kept = apa.linear_predictivity(brain, models, by_unit=True, **options)
    again = apa.read(tmp_path / "units")
    key = ["kind", "model", "layer", "subject", "unit"]
    a, b = (
        t.frame.astype({"unit": int}).sort_values(key).reset_index(drop=True) for t in (again, kept)
    )
    assert a[key].equals(b[key].astype(a[key].dtypes.to_dict()))
    np.testing.assert_array_equal(a["score"], b["score"])
    assert len(list((tmp_path / "units").glob("*.parquet"))) == 5
    with pytest.raises(OutputExistsError, match="exists and is kept"):
        apa.linear_predictivity(brain, models, by_unit=tmp_path / "units", **options)


def test_units_in_a_folder_hold_one_predictor_in_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    brain = {("s", "r"): rng.standard_normal((12, 3000))}
    models = {("m", str(k)): rng.standard_normal((12, 3)) for k in range(20)}

    def peak(by_unit: Any) -> int:
        tracemalloc.start()
        apa.linear_predictivity(brain, models, alphas=[1.0], n_fold=2, by_unit=by_unit)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    # 60,000 rows of 14 columns in one table; 3,000 of them at a time in the folder
    assert peak(tmp_path / "units") < peak(True) / 3


def test_blocks_reverse_what_shuffled_folds_say_of_language_models(data_dir: Path) -> None:
    """Hadidi, Feghhi et al. (2025): features without language win in shuffled folds, and have nothing in blocks."""
    source = data_dir / "feghhi2025_llm_scores" / "scores_figure1.csv.gz"
    frame = pd.read_csv(source)
    part = frame[
        (frame["dataset"] == "pereira")
        & (frame["metric"] == "pearson_r")
        & frame["model"].isin(["GPT2-XL", "OASM"])
        & ~frame["no_l2_custom"]
    ].rename(columns={"network": "roi"})
    found = {}
    for split in ("shuffled", "contiguous"):
        scores = part[part["split"] == split][["subject", "roi", "model", "score"]]
        mean = scores.groupby("model")["score"].mean()
        found[split] = apa.compare(
            "score ~ model | roi", apa.ScoreTable(scores), reference="GPT2-XL"
        ).table.iloc[0]
        assert (
            mean.round(3).to_dict()
            == {
                "shuffled": {"GPT2-XL": 0.398, "OASM": 0.451},
                "contiguous": {"GPT2-XL": 0.14, "OASM": 0.0},
            }[split]
        )
    assert found["shuffled"]["conf_low"] > 0 > found["contiguous"]["conf_high"]


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
    assert table.covariates == ("penalty", "share_left_out")
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
        ({"average": "mode"}, "average: got 'mode'"),
        ({"by_unit": 3}, "by_unit: got 3"),
        ({"delays": []}, "each once"),
        ({"delays": [1, 1]}, "each once"),
        ({"delays": [-1]}, "delays: got -1"),
        ({"n_fold": 31}, "half the 60 train stimuli"),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        scored(*data(), **options)
