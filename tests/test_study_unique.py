"""What each model adds to the others from a study file: the section, its tests in the report, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import StudyError

pytestmark = pytest.mark.filterwarnings("ignore::apastats.errors.SmallSampleWarning")
STUDY = """
[study]
name = "unique"
[inputs]
rdms = "brain.npz"
models = "models.npz"
[agreement]
run = false
"""
SECTION = """
[unique_variance]
layers = { model_01 = "layer_01", model_02 = "layer_02" }
parts = "all"
bounds = 0.05
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("unique")
    rdms = apa.simulate_rdms(
        n_subject=6, n_stimulus=12, rois=["V1", "V2"], n_model=2, n_layer=2, rng=0
    )
    for name, part in (("brain", rdms.brain), ("models", rdms.models)):
        labels = {c: part.labels[c].to_numpy(str) for c in part.labels.columns}
        np.savez(out / f"{name}.npz", rdms=part.vectors, stimuli=np.array(part.stimuli), **labels)
    (out / "study.toml").write_text(STUDY + SECTION)
    return out


def test_a_section_of_a_study(folder: Path, tmp_path: Path) -> None:
    run = apa.run_study(folder / "study.toml", output=tmp_path / "out")
    brain, models = (apa.read_rdms(folder / f"{n}.npz") for n in ("brain", "models"))
    wanted = {("model_01", "layer_01"), ("model_02", "layer_02")}
    pairs = list(zip(models.labels["model"], models.labels["layer"], strict=True))
    chosen = models.take([k for k, pair in enumerate(pairs) if pair in wanted])
    alone = apa.unique_variance(brain, chosen, parts="all", rng=1)
    table = pd.read_csv(run.folder / "tables" / "unique_variance.csv")
    np.testing.assert_allclose(table["estimate"], alone.table["estimate"], atol=1e-12)
    tested = pd.read_csv(run.folder / "tables" / "unique_test.csv")
    np.testing.assert_allclose(
        tested["p_value_less"], alone.test(bounds=0.05).table["p_value_less"], atol=1e-12
    )
    page = run.report_path.read_text("utf-8")
    assert "Unique and shared variance of the models" in page
    assert "What each model adds to the others" in page


def test_what_a_study_cannot_ask(folder: Path, tmp_path: Path) -> None:
    (folder / "wrong.toml").write_text(
        '[inputs]\nrdms = "brain.npz"\n[unique_variance]\nbounds = 0.1\n'
    )
    with pytest.raises(StudyError, match="RDMs of models are needed"):
        apa.run_study(folder / "wrong.toml", output=tmp_path / "out")
