"""The simulator: its truth is the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import InputError
from apastats.io.bmd import BMD_MODELS, BMD_STREAMS
from apastats.simulation.simulate import roi_similarity

ROIS = ["V1", "V3", "V4", "FFC", "V3A", "MT"]


def test_same_seed_same_study() -> None:
    a, b = (
        apa.simulate(n_subject=4, n_model=2, rois=ROIS, n_tied=1, rng=5).scores.hash
        for _ in range(2)
    )
    assert a == b
    assert a != apa.simulate(n_subject=4, n_model=2, rois=ROIS, n_tied=1, rng=6).scores.hash


def test_tied_models_are_equal_and_the_best_everywhere() -> None:
    truth = apa.simulate(
        n_subject=3, n_model=6, n_tied=3, gap=0.1, rois=ROIS, mimic=False, rng=2
    ).truth
    models = truth[(truth["kind"] == "model") & truth["best_layer"] & (truth["split"] == "test")]
    share = models.groupby("model")["share_of_best"].agg(["min", "max"])
    np.testing.assert_allclose(share.loc[["model_01", "model_02", "model_03"]], 1.0)
    assert (share.loc[["model_04", "model_05", "model_06"], "max"] <= 0.9 + 1e-12).all()


@pytest.mark.parametrize("metric", ["rsa", "linear_predictivity"])
def test_means_converge_to_the_truth(metric: str) -> None:
    study = apa.simulate(
        n_subject=1500,
        n_model=2,
        n_tied=1,
        n_layer=2,
        rois=ROIS[:3],
        n_partner=1,
        metrics=(metric,),
        rng=4,
    )
    frame = study.scores.frame.copy()
    pairs = frame["kind"] == "subject_to_subject"
    frame.loc[pairs, "model"] = "any"
    keys = ["kind", "model", "layer", "roi", "metric", "split"]
    found = frame.groupby(keys)["score"].mean()
    expected = study.truth.set_index(keys)["truth"]
    ratio = (found / expected.reindex(found.index)).to_numpy()
    # relative SD of a mean of 1,500 scores is about .27 / sqrt(1500) = .007
    assert np.abs(ratio - 1).max() < 0.035


def test_rsa_pairs_are_symmetric() -> None:
    frame = apa.simulate(
        n_subject=4, n_model=1, n_tied=1, rois=ROIS, n_partner=None, rng=1
    ).scores.frame
    pairs = frame[(frame["kind"] == "subject_to_subject") & (frame["split"] == "test")]
    forth = pairs.set_index(["model", "layer", "subject", "roi"])["score"]
    back = pairs.set_index(["subject", "roi", "model", "layer"])["score"]
    np.testing.assert_array_equal(forth.to_numpy(), back.reindex(forth.index).to_numpy())


def test_partners() -> None:
    frame = apa.simulate(
        n_subject=8, n_model=1, n_tied=1, rois=ROIS, n_partner=3, rng=1
    ).scores.frame
    pairs = frame.loc[frame["kind"] == "subject_to_subject", ["model", "subject"]].drop_duplicates()
    assert (pairs.groupby("subject").size() == 3).all()
    assert (pairs["model"] != pairs["subject"]).all()


def test_similarity_is_a_correlation() -> None:
    _, similarity = roi_similarity([r for rois in BMD_STREAMS.values() for r in rois], BMD_STREAMS)
    np.testing.assert_allclose(np.diag(similarity), 1)
    assert np.linalg.eigvalsh(similarity).min() > 0


def test_rdm_truth() -> None:
    rdms = apa.simulate_rdms(n_subject=6, n_stimulus=150, rois=ROIS, reliability=0.4, rng=3)
    scores = apa.score(rdms.brain, rdms.models, method="corr").frame
    scores.loc[scores["kind"] == "subject_to_subject", "model"] = "any"
    keys = ["kind", "model", "layer", "roi"]
    found = scores.groupby(keys)["score"].mean()
    expected = rdms.truth.set_index(keys)["truth"].reindex(found.index)
    # sampling SD of a correlation over 11,175 pairs is .01; the true RDMs themselves are a sample
    assert np.abs(found - expected).max() < 0.06


def test_named_models_with_different_numbers_of_layers() -> None:
    plain = apa.simulate(n_subject=3, n_model=4, n_tied=2, n_layer=3, rois=ROIS, rng=5)
    named = apa.simulate(
        n_subject=3,
        models=["a/x", "a/y", "b", "c"],
        n_layer=[3, 3, 3, 2],
        n_tied=2,
        rois=ROIS,
        rng=5,
    )
    layers = named.scores.where(kind="model").frame.groupby("model")["layer"].nunique()
    assert layers.to_dict() == {"a/x": 3, "a/y": 3, "b": 3, "c": 2}
    truth = [s.truth[s.truth["kind"] == "model"] for s in (plain, named)]
    first = [t[t["model"].isin(t["model"].unique()[:3])]["truth"].to_numpy() for t in truth]
    np.testing.assert_array_equal(*first)
    # nobody exceeds the tied best
    assert named.truth["share_of_best"].max() <= 1 + 1e-12


def test_published_networks() -> None:
    assert len(BMD_MODELS) == 47
    assert sum(BMD_MODELS.values()) == 505
    families = pd.Series([m.split("/")[0] for m in BMD_MODELS]).value_counts().to_dict()
    assert families == {"taskonomy": 25, "timm": 6, "clip": 5, "v_jepa": 4, "mmaction2": 3, "vissl": 2,
                        "vggt": 1, "opt_cwm": 1}  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_subject": 1}, "n_subject: got 1"),
        ({"n_tied": 9}, "n_tied: got 9"),
        ({"gap": 1.0}, "gap: got 1.0"),
        ({"noise_sd": -1}, "noise_sd: got -1"),
        ({"rois": ["V1"]}, "rois: got"),
        ({"streams": {"a": ["x"], "b": ["x"]}}, "streams: got"),
        ({"rng": -1}, "rng: got -1"),
        ({"n_partner": 0}, "n_partner: got 0"),
        ({"models": ["a", "a"]}, "models: got"),
        ({"models": "clip"}, "models: got 'clip'"),
        ({"models": ["a", "b"], "n_layer": [2]}, "one for each of 2 models"),
        ({"models": ["a", "b"], "n_layer": [2, 3]}, "one number for the 2 tied models"),
    ],
)
def test_bad_input(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        apa.simulate(**options)


def test_stimuli() -> None:
    images = apa.simulate_stimuli(n_stimulus=4, size=12, rng=1)
    assert images.shape == (4, 3, 12, 12)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, apa.simulate_stimuli(n_stimulus=4, size=12, rng=1))
    clips = apa.simulate_stimuli(n_stimulus=2, size=12, n_frame=5, rng=1)
    assert clips.shape == (2, 5, 3, 12, 12)
    assert not np.array_equal(clips[:, 0], clips[:, 1])
    with pytest.raises(InputError, match="size: got 2"):
        apa.simulate_stimuli(size=2)
