"""Fitted models in a study file: the same as the verb, with weights, sources and section in the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import apastats as apa
from apastats.errors import StudyError

STUDY = """
[study]
name = "fits"
seed = 3

[inputs]
rdms = "brain.npz"
models = "layers.npz"

[agreement]
run = false

[fitted]
n_resamples = 60
beside = ["models"]

[fitted.models."all layers"]
kind = "weighted"
members = "models"
where = { model = "model_01" }
ridge = 0.1

[fitted.models.features]
kind = "features"
array = "features.npy"
groups = ["a", "a", "b", "c"]
stimuli = NAMES
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("fitted")
    found = apa.simulate_rdms(
        n_subject=6, n_stimulus=16, rois=["V1", "V2"], n_model=2, n_layer=2, rng=0
    )
    found.brain.save(out / "brain.npz")
    found.models.save(out / "layers.npz")
    np.save(out / "features.npy", np.random.default_rng(1).normal(size=(16, 4)))
    (out / "study.toml").write_text(STUDY.replace("NAMES", str(list(found.brain.stimuli))))
    return out


@pytest.mark.filterwarnings("ignore::apastats.errors.ApaWarning")
def test_a_study_fits_models_as_the_verb_does(folder: Path, tmp_path: Path) -> None:
    run = apa.run_study(folder / "study.toml", output=tmp_path / "out")
    found = run.results["fitted"]
    brain, layers = apa.read_rdms(folder / "brain.npz"), apa.read_rdms(folder / "layers.npz")
    first = layers.labels["model"].iloc[0]
    models = [
        apa.fitted("weighted", layers.select(model=first), name="all layers", ridge=0.1),
        apa.fitted(
            "features",
            np.load(folder / "features.npy"),
            name="features",
            groups=["a", "a", "b", "c"],
            stimuli=brain.stimuli,
        ),
        layers,
    ]
    alone = apa.evaluate_fitted(brain, models, n_resamples=60, rng=3)
    np.testing.assert_array_equal(found.table["estimate"], alone.table["estimate"])
    np.testing.assert_array_equal(
        found.arrays["weight_replicates"], alone.arrays["weight_replicates"]
    )
    page = run.report_path.read_text("utf-8")
    for text in (
        "weights of the members",
        "held-out score",
        "Statistical inference on representational geometries",
    ):
        assert text in page


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('members = "models"', 'members = "layers"', "allowed: rdms, models"),
        ('members = "models"', 'array = "features.npy"', "take members"),
        ('where = { model = "model_01" }', 'where = { model = "none" }', "all layers.*none"),
        ("n_resamples = 60", 'n_resamples = "exact"', "line .*fitted.n_resamples"),
        ("n_resamples = 60", 'method = "tau-a"', "fitted.method"),
        (
            'rdms = "brain.npz"\nmodels = "layers.npz"',
            'scores = "a.csv"',
            "fitted without inputs.rdms",
        ),
    ],
)
def test_mistakes_name_the_key(
    folder: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in STUDY
    path = folder / "wrong.toml"
    path.write_text((folder / "study.toml").read_text().replace(old, new))
    with pytest.raises(StudyError, match=message):
        apa.run_study(path, output=tmp_path / "out")
