"""What bad input gets: a clear error that names the argument or file, the value, and what is allowed."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import (
    ApaError,
    DataError,
    DesignError,
    FormulaError,
    InputError,
    MarginError,
    ReadError,
)
from tests.verbs import base

ROIS = ["V1", "V3", "V4", "MT"]


@pytest.fixture(scope="module")
def scores() -> apa.ScoreTable:
    return apa.simulate(n_subject=6, n_model=3, n_tied=1, n_layer=2, rois=ROIS, rng=1).scores


@pytest.fixture(scope="module")
def best(scores: apa.ScoreTable) -> apa.ScoreTable:
    return apa.select_layer(scores, on="train")


def test_unknown_roi(scores: apa.ScoreTable) -> None:
    with pytest.raises(InputError, match=r"roi: got 'V99'; allowed: one of \['MT'"):
        scores.where(roi="V99")


def test_one_subject(best: apa.ScoreTable) -> None:
    one = best.where(subject="sub-01")
    with pytest.raises(DesignError, match="subject"):
        apa.bootstrap("score ~ model | roi", one)
    with pytest.raises(DesignError, match="subject"):
        apa.equivalence("score ~ model | roi", one, bounds=0.05)


def test_one_model(best: apa.ScoreTable) -> None:
    with pytest.raises(ApaError, match="model"):
        apa.equivalence("score ~ model | roi", best.where(model="model_01"), bounds=0.05)


def test_all_nan_cell(best: apa.ScoreTable) -> None:
    frame = best.frame.copy()
    frame.loc[(frame["model"] == "model_02") & (frame["roi"] == "V4"), "score"] = np.nan
    table = apa.ScoreTable(frame)
    with pytest.raises(ApaError, match=r"model_02(.|\n)*V4"):
        apa.bootstrap("score ~ model | roi", table)


def test_constant_pattern(scores: apa.ScoreTable) -> None:
    frame = scores.frame.copy()
    flat = (
        (frame["model"] == "model_02")
        & (frame["layer"] == "layer_01")
        & (frame["subject"] == "sub-03")
    )
    frame.loc[flat, "score"] = 0.25
    with pytest.raises(ApaError, match=r"constant(.|\n)*model_02"):
        apa.pattern_agreement(apa.alignment_patterns(apa.ScoreTable(frame)))


@pytest.mark.parametrize("bounds", [-0.05, 0, (0.05, -0.05), "small", float("nan")])
def test_impossible_margin(best: apa.ScoreTable, bounds: object) -> None:
    with pytest.raises(MarginError, match="bounds|margin"):
        apa.equivalence("score ~ model | roi", best, bounds=bounds)


def test_no_margin_explains_why(best: apa.ScoreTable) -> None:
    with pytest.raises(MarginError, match="smallest difference that matters"):
        apa.equivalence("score ~ model | roi", best)
    with pytest.raises((MarginError, TypeError), match="bounds"):
        apa.tost([0.1, 0.2, 0.3], [0.1, 0.2, 0.2])


def save(path: Path, rdms: np.ndarray) -> Path:
    np.savez(path, rdms=rdms, subject=np.array([f"s{i}" for i in range(len(rdms))]))
    return path


def square(n: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    rdms = random.random((3, n, n))
    rdms = rdms + rdms.transpose(0, 2, 1)
    rdms[:, np.arange(n), np.arange(n)] = 0
    return rdms


def test_rdm_not_square(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"bad\.npz(.|\n)*square"):
        apa.read_rdms(save(tmp_path / "bad.npz", np.ones((3, 5, 6))))


def test_rdm_not_symmetric(tmp_path: Path) -> None:
    rdms = square(6)
    rdms[1, 2, 4] += 0.5
    with pytest.raises(ReadError, match=r"bad\.npz(.|\n)*symmetric"):
        apa.read_rdms(save(tmp_path / "bad.npz", rdms))


def test_different_stimuli() -> None:
    labels = pd.DataFrame({"subject": ["s0", "s1", "s2"], "roi": "V1"})
    upper = np.triu_indices(6, 1)
    brain = apa.RDMSet(square(6)[:, upper[0], upper[1]], labels, tuple("abcdef"))
    upper = np.triu_indices(5, 1)
    models = pd.DataFrame({"model": ["m0", "m1", "m2"]})
    other = apa.RDMSet(square(5)[:, upper[0], upper[1]], models, tuple("vwxyz"))
    with pytest.raises(ApaError, match="stimul"):
        apa.score(brain, other)


@pytest.mark.parametrize("name", ["rdms.npz", "rdms.npy", "rdms.pkl"])
def test_pickled_rdms_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "rdms.npz":
        np.savez(path, rdms=np.array([{"a": 1}], dtype=object))
    elif name == "rdms.npy":
        np.save(path, np.array([{"a": 1}], dtype=object))
    else:
        path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ReadError, match=rf"{path.name}(.|\n)*(pickle|refused)"):
        apa.read_rdms(path)


def test_duplicate_rdms(tmp_path: Path) -> None:
    path = tmp_path / "twice.npz"
    np.savez(
        path, rdms=square(6), subject=np.array(["s0", "s0", "s1"]), roi=np.array(["V1", "V1", "V1"])
    )
    with pytest.raises(DataError, match="s0"):
        apa.score(apa.read_rdms(path))


def test_unknown_reference(best: apa.ScoreTable) -> None:
    with pytest.raises(InputError, match=r"reference: got 'vgg19'; allowed: .*model_01"):
        apa.equivalence("score ~ model | roi", best, bounds=0.1, reference="vgg19")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"interval": "exactly"}, "interval"),
        ({"n_resamples": -5}, "n_resamples"),
        ({"conf_level": 95}, "conf_level"),
        ({"rng": "seed"}, "rng"),
    ],
)
def test_bootstrap_arguments(best: apa.ScoreTable, options: dict, name: str) -> None:
    with pytest.raises(InputError, match=rf"{name}: got"):
        apa.bootstrap("score ~ model | roi", best, **options)


@pytest.mark.parametrize("lines", [len, slice(1), np.eye(2), 0.5, pd.Timestamp("2020-01-01"), None])
def test_logs_of_rdms_are_texts(lines):
    rdms = apa.simulate_rdms(n_subject=3, n_stimulus=6, rois=["V1", "V4"], rng=1).brain
    with pytest.raises(InputError, match="lines"):
        rdms.logged(lines)


def test_a_formula_that_the_library_cannot_read_names_the_columns():
    x = np.random.default_rng(0).normal(size=24)
    frame = pd.DataFrame({"score": x, "subject": list("abcdef") * 4, "model": list("pqrs") * 6})
    with pytest.raises(FormulaError, match="must be a positive integer") as caught:
        apa.lmm("score ~ model ^ model ^ model + (1 | subject)", frame)
    assert "apacol" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("delays", [10**400, 3, "x", None])
def test_delays_are_a_list_where_stimuli_are_drawn(delays):
    call = dict(base("variance_partitioning"), cluster=("stimulus", "subject"), delays=delays)
    with pytest.raises(InputError, match="delays"):
        apa.variance_partitioning(**call)
