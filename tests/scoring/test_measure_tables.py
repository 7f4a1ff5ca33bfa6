"""The tracked tables of the bias and of the intervals of measures say what the documentation says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.scoring.measures.measure import MEASURES


def test_the_bias_of_every_measure_is_tracked(repository: Path) -> None:
    table = pd.read_csv(repository / "analyses" / "measures" / "bias.csv")
    assert set(table["measure"]) == set(MEASURES) - {"rsa"}
    noise = table[table["snr"] == 0].set_index(["measure", "n_stimulus", "n_unit"])
    for name in ("cka", "cka-rbf", "procrustes", "bures"):
        assert noise.loc[(name, 25, 100), "bias"] > 0.7
    debiased = noise.loc["cka-debiased"]
    assert (debiased["score"].abs() < 4 * debiased["mcse"] + 0.02).all()
    clean = table[np.isinf(table["snr"])].set_index("measure")["score"]
    assert (clean[["cka", "cka-debiased", "procrustes", "bures", "mutual-knn"]] > 1 - 1e-4).all()
    assert (table.loc[np.isinf(table["snr"]), "bias"] == 0).all()


def _module(name: str) -> Any:
    import importlib.util

    file = Path(__file__).parents[2] / "analyses" / "measures" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_row_of_the_bias_is_made_again() -> None:
    bias = _module("bias")
    table = pd.read_csv(bias.HERE / "bias.csv")
    scores = []
    for k in range(bias.N_REPLICATE):  # the first cell: 25 stimuli, 25 units, noise alone
        x, y = bias.two(np.random.default_rng([bias.SEED, 0, k]), 25, 25, 0.0)
        found = apa.score_patterns({("s", "r"): y}, {("m", "l"): x}, measure="cka", references=None)
        scores.append(found.frame["score"].item())
    row = table[(table["measure"] == "cka") & (table["n_stimulus"] == 25)].iloc[0]
    assert row["score"] == pytest.approx(np.mean(scores), abs=1e-4)


RIDGES = ("ridge", "pearson-ridge")


def test_intervals_over_stimuli_hold(repository: Path) -> None:
    table = pd.read_csv(repository / "analyses" / "measures" / "coverage.csv")
    for name in ("cka", "cka-debiased", "cka-rbf", "procrustes", "bures", "mutual-knn", *RIDGES):
        rows = table[table["measure"] == name]
        assert set(rows["resampled"]) == {"stimuli", "subjects and stimuli"}
        assert (abs(rows["coverage"] - 0.95) < 2.5 * rows["mcse"]).all()
        ratio = rows["rms_std_error"] / rows["sd_of_estimates"]
        assert ratio.between(0.85, 1.25 if name in RIDGES else 1.2).all()
    # the sizes that people have
    assert set(table.loc[table["measure"] == "ridge", "n_stimulus"]) == {40, 60, 100}


def test_the_page_has_the_coverage(repository: Path) -> None:
    coverage = _module("coverage")
    text = (repository / "docs" / "calibration_intervals.md").read_text("utf-8")
    assert coverage.page(pd.read_csv(coverage.HERE / "coverage.csv")) in text
