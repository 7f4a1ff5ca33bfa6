"""Scores in HDF5: Results of rsatoolbox that are one per subject are read, replicates and folds are refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from rsatoolbox import inference
from rsatoolbox.model import ModelFixed, ModelWeighted
from rsatoolbox.rdm import RDMs

import apastats as apa
from apastats.errors import DataError, ReadError
from tests.io.test_border_tables import same, tidy

RNG = np.random.default_rng(0)
BRAIN = RDMs(RNG.random((6, 45)))
MODELS = [ModelFixed(name, RNG.random(45)) for name in ("clip", "dino")]


def saved(result: Any, path: Path) -> Path:
    result.save(str(path))
    return path


def test_fixed_evaluations_are_scores_of_subjects(tmp_path: Path) -> None:
    result = inference.eval_fixed(MODELS, BRAIN, method="corr")
    path = saved(result, tmp_path / "roi-V1_result.h5")
    for table in (apa.read(path), apa.read(result, defaults={"roi": "V1"})):
        found = table.frame.pivot(index="model", columns="subject", values="score")
        assert list(found.columns) == [f"rdm {i + 1}" for i in range(6)]
        np.testing.assert_array_equal(found.loc[["clip", "dino"]].to_numpy(), result.evaluations[0])
        assert table.levels("metric") == ["corr"]
        assert table.levels("roi") == ["V1"]
        ceilings = table.frame[["lower_ceiling", "upper_ceiling"]].drop_duplicates().to_numpy()
        np.testing.assert_array_equal(ceilings[0], result.noise_ceiling)
        text = " ".join(table.log)
        assert "subjects are numbered in their order" in text
        assert "dof 5, n_rdm 6, n_pattern 10" in text
    # the same numbers as from the RDMs
    brain = apa.read_rdms(
        BRAIN, labels={"subject": [f"rdm {i + 1}" for i in range(6)], "roi": "V1"}
    )
    ours = apa.score(brain, apa.read_rdms(MODELS), references=()).frame
    theirs = table.frame.merge(ours, on=["model", "subject", "roi"])
    np.testing.assert_allclose(theirs["score_x"], theirs["score_y"], atol=1e-12)


def test_what_a_result_does_not_say_is_asked(tmp_path: Path) -> None:
    path = saved(inference.eval_fixed(MODELS, BRAIN), tmp_path / "r.h5")
    with pytest.raises(DataError, match=r"missing column 'roi'.*Use defaults=\{'roi': \.\.\.\}"):
        apa.read(path)
    checked = apa.check(path).tidy()
    assert checked["value"].iloc[0] == "rsatoolbox Result (fixed, 6 RDMs)"
    assert checked["value"].iloc[-1].endswith("--defaults roi=NAME")
    twice = saved(inference.eval_fixed([MODELS[0], MODELS[0]], BRAIN), tmp_path / "t.h5")
    assert apa.read(twice, defaults={"roi": "V1"}).levels("layer") == ["1", "2"]


def test_a_model_with_parameters_is_spoken_of(tmp_path: Path) -> None:
    flexible = ModelWeighted("mix", RNG.random((2, 45)))
    result = inference.eval_fixed([flexible], BRAIN, theta=[np.array([0.4, 0.6])])
    path = saved(result, tmp_path / "r.h5")
    assert any(
        "ModelWeighted 'mix' has parameters" in line
        for line in apa.read(path, defaults={"roi": "V1"}).log
    )


REPLICATES: dict[str, Callable[[], Any]] = {
    "bootstrap_rdm": lambda: inference.eval_bootstrap_rdm(MODELS, BRAIN, N=8),
    "bootstrap_pattern": lambda: inference.eval_bootstrap_pattern(MODELS, BRAIN, N=8),
    "bootstrap": lambda: inference.eval_bootstrap(MODELS, BRAIN, N=8),
    "dual_bootstrap": lambda: inference.eval_dual_bootstrap(MODELS, BRAIN, N=8),
    "crossvalidation": lambda: inference.crossval(MODELS, BRAIN, *inference.sets_k_fold(BRAIN, k_pattern=2, k_rdm=3)),
}  # fmt: skip


@pytest.mark.parametrize("method", REPLICATES)
def test_replicates_and_folds_are_no_subjects(tmp_path: Path, method: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = REPLICATES[method]()
    path = saved(result, tmp_path / "r.h5")
    way = "evaluate_fitted" if method == "crossvalidation" else "bootstrap_rdms"
    for source in (path, result):
        with pytest.raises(DataError, match=rf"rsatoolbox Result.*not subjects.*{way}"):
            apa.read(source, defaults={"roi": "V1"})
    rdms = apa.read_rdms(path)
    assert rdms.labels["model"].tolist() == ["clip", "dino"]
    assert any("not subjects" in line for line in rdms.log)
    assert apa.check(path).tidy().iloc[0]["item"] == "RDMs"


def test_one_compound_dataset_is_a_table(tmp_path: Path) -> None:
    text = h5py.string_dtype()
    kinds = [("subject", "S3"), ("roi", text), ("model", "S8"), ("score", "f8")]
    with h5py.File(tmp_path / "t.h5", "w") as file:
        rows = list(tidy().itertuples(index=False, name=None))
        file.create_group("results")["scores"] = np.array(rows, dtype=kinds)
    same(apa.read(tmp_path / "t.h5"), tidy())


def test_a_dataset_per_column_is_a_table(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.hdf5", "w") as file:
        for c in tidy():
            file[c] = tidy()[c].to_numpy() if c == "score" else tidy()[c].tolist()
    same(apa.read(tmp_path / "t.hdf5"), tidy())


def test_other_hdf5_says_what_it_is(tmp_path: Path) -> None:
    BRAIN.save(str(tmp_path / "rdms.h5"))
    with pytest.raises(ReadError, match="holds RDMs; read_rdms reads it"):
        apa.read(tmp_path / "rdms.h5")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["betas"] = np.zeros((3, 4, 5))
    with pytest.raises(ReadError, match=r"without a table.*\['betas'\].*pandas.read_hdf"):
        apa.read(tmp_path / "x.h5")
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["a"], file["b"] = (np.zeros(3, dtype=[("x", "f8")]) for _ in range(2))
    with pytest.raises(ReadError, match="holds 2 tables"):
        apa.read(tmp_path / "y.h5")
    (tmp_path / "z.h5").write_text("subject,roi\n")
    with pytest.raises(ReadError, match="and is none"):
        apa.read(tmp_path / "z.h5")


def test_hdf5_beside_tables_of_a_folder_is_left_unread(tmp_path: Path) -> None:
    tidy().to_csv(tmp_path / "t.csv", index=False)
    BRAIN.save(str(tmp_path / "rdms.h5"))
    table = apa.read(tmp_path)
    same(table, tidy())
    assert any("rdms.h5" in line for line in table.log)


def test_a_folder_of_results_is_read_by_their_names(tmp_path: Path) -> None:
    parts = []
    for roi in ("V1", "V4"):
        result = inference.eval_fixed(MODELS, BRAIN if roi == "V1" else RDMs(RNG.random((6, 45))))
        parts.append(saved(result, tmp_path / f"roi-{roi}_result.h5"))
    table = apa.read(tmp_path)
    assert sorted(table.levels("roi")) == ["V1", "V4"]
    assert len(table) == 24
    assert isinstance(table.frame, pd.DataFrame)
