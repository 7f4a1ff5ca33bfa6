"""The score table from RDMs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import DataError, DegenerateWarning, DesignError, InputError
from apastats.io.rdm_set import RDMSet
from apastats.scoring import score as verb
from apastats.scoring.fixed import nili_bounds
from apastats.scoring.pooling import mean_of, scaled_for_pooling
from apastats.scoring.rdm_similarity import similarity_counts

ROIS = ["V1", "V2", "V3", "V3AB", "IPS0", "IPS12", "IPS345"]


def brain_set(rng: np.random.Generator, n_subject: int = 4, n_roi: int = 2, n: int = 6) -> RDMSet:
    labels = pd.DataFrame(
        [(f"s{i}", f"R{k}") for i in range(n_subject) for k in range(n_roi)],
        columns=["subject", "roi"],
    )
    return RDMSet(rng.random((len(labels), n * (n - 1) // 2)), labels, [f"x{i}" for i in range(n)])


def model_set(rng: np.random.Generator, n_model: int = 3, n: int = 6) -> RDMSet:
    labels = pd.DataFrame({"model": [f"m{k}" for k in range(n_model)], "layer": "l"})
    return RDMSet(rng.random((n_model, n * (n - 1) // 2)), labels, [f"x{i}" for i in range(n)])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_every_row_is_the_score_it_says(rng: np.random.Generator) -> None:
    brain, models = brain_set(rng), model_set(rng)
    frame = apa.score(brain, models, method="corr").frame
    key = {
        (s, r): v
        for s, r, v in zip(brain.labels.subject, brain.labels.roi, brain.vectors, strict=True)
    }
    z = {k: (v - v.mean()) / v.std() for k, v in key.items()}
    assert frame["kind"].value_counts().to_dict() == {
        "subject_to_subject": 4 * 3 * 4,
        "model": 3 * 8,
        "leave_one_out": 4 * 4,
    }
    for row in frame.itertuples():
        target = key[row.subject, row.roi]
        if row.kind == "model":
            predictor = models.vectors[models.labels["model"].tolist().index(row.model)]
        elif row.kind == "subject_to_subject":
            assert row.model != row.subject
            predictor = key[row.model, row.layer]
        else:
            assert (row.model, row.reference_from) == ("others", "pooled_rdms")
            predictor = np.mean(
                [z[s, r] for s, r in key if s != row.subject and r == row.layer], axis=0
            )
        np.testing.assert_allclose(row.score, np.corrcoef(predictor, target)[0, 1], atol=1e-12)
    assert (frame["metric"] == "corr").all()


def test_stimuli_are_matched_by_name(rng: np.random.Generator) -> None:
    brain, models = brain_set(rng), model_set(rng)
    expected = apa.score(brain, models, references=None).frame["score"].to_numpy()
    shuffled = models.on_stimuli([models.stimuli[k] for k in (3, 1, 5, 0, 2, 4)])
    np.testing.assert_allclose(apa.score(brain, shuffled, references=None).frame["score"], expected)


def test_stimuli_of_one_side_are_left_out_everywhere(rng: np.random.Generator) -> None:
    brain, models = brain_set(rng), model_set(rng).on_stimuli(["x1", "x2", "x3", "x5"])
    table = apa.score(brain, models)
    some = apa.score(brain.on_stimuli(["x1", "x2", "x3", "x5"]), models)
    np.testing.assert_allclose(table.frame["score"], some.frame["score"])
    assert "2 of brain, 0 of models" in table.log[0]


def test_missing_stimulus_gives_pairwise_complete_scores(rng: np.random.Generator) -> None:
    brain, models = brain_set(rng, 3, 1), model_set(rng)
    vectors = brain.vectors.copy()
    i, j = np.triu_indices(6, 1)
    gone = (i == 2) | (j == 2)
    vectors[0, gone] = np.nan
    ragged = RDMSet(vectors, brain.labels, brain.stimuli)
    frame = apa.score(ragged, models, method="spearman").frame
    for row in frame[frame["kind"] == "model"].itertuples():
        pairs = ~gone if row.subject == "s0" else np.ones(15, dtype=bool)
        k, s = int(row.model[1]), int(row.subject[1])
        expected = stats.spearmanr(models.vectors[k, pairs], brain.vectors[s, pairs]).statistic
        np.testing.assert_allclose(row.score, expected, atol=1e-12)
        assert row.n_pair == pairs.sum()
    pairs_of = frame[frame["kind"] == "subject_to_subject"].set_index(["model", "subject"])[
        "n_pair"
    ]
    assert pairs_of["s1", "s2"] == 15
    assert pairs_of["s0", "s2"] == pairs_of["s2", "s0"] == 10


def test_batch_does_not_change_the_scores(rng: np.random.Generator) -> None:
    brain, models = brain_set(rng), model_set(rng, 7)
    whole = apa.score(brain, models).frame["score"].to_numpy()
    for batch in (1, 3, 100):
        np.testing.assert_allclose(
            apa.score(brain, models, batch=batch).frame["score"], whole, atol=1e-14
        )


def test_ragged_subjects_have_the_rows_they_can_have(rng: np.random.Generator) -> None:
    brain = brain_set(rng, 3, 2)
    ragged = brain.take([0, 1, 2, 4])  # s1 and s2 lack R1
    frame = apa.score(ragged).frame
    pooled = frame[frame["kind"] == "leave_one_out"]
    found = set(zip(pooled["layer"], pooled["subject"], pooled["roi"], strict=True))
    # nobody else has R1, so s0 has no predictor in R1
    assert found == {("R0", "s0", "R0"), ("R0", "s0", "R1"), ("R0", "s1", "R0"), ("R1", "s1", "R0"),
                     ("R0", "s2", "R0"), ("R1", "s2", "R0")}  # fmt: skip


@pytest.mark.parametrize("method", ["corr", "spearman", "cosine", "tau-a"])
def test_references_are_made_in_bounded_memory(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    brain = brain_set(rng, 4, 3).take([0, 1, 2, 3, 5, 6, 8, 9])
    vectors = brain.vectors.copy()
    vectors[0, :4] = np.nan
    ragged = RDMSet(vectors, brain.labels, brain.stimuli)
    kept = apa.score(ragged, method=method).frame
    monkeypatch.setattr(verb, "KEPT", 0)
    pd.testing.assert_frame_equal(apa.score(ragged, method=method).frame, kept)
    # and they are the pooled RDMs of the others, made one by one
    own, labels = kept[kept["kind"] == "leave_one_out"], ragged.labels
    scaled = scaled_for_pooling(ragged.vectors, method)
    for row in own.itertuples():
        others = scaled[
            ((labels["roi"] == row.layer) & (labels["subject"] != row.subject)).to_numpy()
        ]
        target = vectors[
            ((labels["roi"] == row.roi) & (labels["subject"] == row.subject)).to_numpy()
        ]
        found = similarity_counts(mean_of(others)[None], target, method, x_ranked=True)
        np.testing.assert_allclose(row.score, found[0][0, 0], atol=1e-12)
        assert row.n_pair == found[1][0, 0]


def test_covariates_are_carried(rng: np.random.Generator) -> None:
    brain = brain_set(rng)
    labels = brain.labels.assign(group=["p", "p", "p", "p", "q", "q", "q", "q"])
    frame = apa.score(RDMSet(brain.vectors, labels, brain.stimuli), model_set(rng)).frame
    assert set(frame.loc[frame["subject"] == "s3", "group"]) == {"q"}


def test_constant_rdm_is_nan_and_said(rng: np.random.Generator) -> None:
    brain = brain_set(rng)
    models = RDMSet(np.full((1, 15), 0.3), pd.DataFrame({"model": ["flat"]}), brain.stimuli)
    with pytest.warns(DegenerateWarning, match="8 of 8 scores are NaN"):
        frame = apa.score(brain, models, references=None).frame
    assert frame["score"].isna().all()


def test_bad_input(rng: np.random.Generator) -> None:
    brain, models = brain_set(rng), model_set(rng)
    one = brain.select(subject="s0")
    nameless = RDMSet(rng.random((2, 15)), pd.DataFrame({"subject": ["a", "b"]}))
    with pytest.raises(InputError, match="method: got 'pearson'; allowed: one of"):
        apa.score(brain, models, method="pearson")
    with pytest.raises(InputError, match="references: got 'upper'"):
        apa.score(brain, models, references=["upper"])
    with pytest.raises(InputError, match="a label 'subject'"):
        apa.score(models, models)
    with pytest.raises(DesignError, match="nothing to score"):
        apa.score(one)
    with pytest.raises(DataError, match="brain has 6 stimuli, models have 5"):
        apa.score(nameless, model_set(rng, n=5))
    with pytest.raises(DataError, match="share 0 stimuli"):
        apa.score(RDMSet(brain.vectors, brain.labels, list("abcdef")), models)
    with pytest.raises(DataError, match="several RDMs of subject 's0' in ROI 'R0'"):
        apa.score(RDMSet(brain.vectors, brain.labels.assign(roi="R0", run=range(8)), brain.stimuli))
    with pytest.raises(InputError, match="batch: got 0"):
        apa.score(brain, models, batch=0)
    with pytest.raises(InputError, match="sigma_k"):
        apa.score(brain, models, sigma_k=np.ones(6))


def test_castaldi_ceilings_and_patterns(data_dir: Path) -> None:
    brain = apa.read_rdms(data_dir / "castaldi2019_numerosity" / "rdms_taskboth.npz").select(
        roi=ROIS
    )
    found = [
        tuple(round(float(b.mean()), 3) for b in nili_bounds(brain.select(roi=r).vectors))
        for r in ROIS
    ]
    assert found == [(0.480, 0.544), (0.550, 0.602), (0.490, 0.552), (0.240, 0.364), (0.257, 0.375),
                     (0.295, 0.402), (0.238, 0.362)]  # fmt: skip
    frame = apa.score(brain, method="spearman").frame
    pooled = frame[(frame["kind"] == "leave_one_out") & (frame["layer"] == frame["roi"])]
    means = pooled.groupby("roi", sort=False)["score"].mean()
    assert means.round(3).tolist() == [low for low, _ in found]
    assert means.index.tolist() == ROIS
    pairs = frame[(frame["kind"] == "subject_to_subject") & (frame["layer"] == frame["roi"])]
    assert pairs.groupby("roi", sort=False)["score"].mean().round(3).tolist() == [
        0.259, 0.329, 0.268, 0.087, 0.096, 0.117, 0.085]  # fmt: skip


def test_images92_ceilings(data_dir: Path) -> None:
    folder = data_dir / "images92"
    sets = {
        ("EVC", 0.247, 0.399): apa.read_rdms(folder / "cichy2014_fmri_rdms.npz").select(roi="EVC"),
        ("IT", 0.459, 0.549): apa.read_rdms(folder / "cichy2014_fmri_rdms.npz").select(roi="IT"),
        ("hIT", 0.377, 0.672): apa.read_rdms(folder / "kriegeskorte2008_hIT_rdms.npz").average(
            over="session"
        ),
        ("judged", 0.554, 0.620): apa.read_rdms(folder / "mur2013_judgement_rdms.npz"),
    }
    for (_, low, high), rdms in sets.items():
        lower, upper = nili_bounds(rdms.vectors)
        assert (round(float(lower.mean()), 3), round(float(upper.mean()), 3)) == (low, high)


def test_castaldi_patterns(data_dir: Path) -> None:
    brain = apa.read_rdms(data_dir / "castaldi2019_numerosity" / "rdms_taskboth.npz").select(
        roi=ROIS
    )
    frame = apa.score(brain, method="spearman").frame
    subjects = frame["subject"].unique()

    def patterns(rows: pd.DataFrame, index: list[str]) -> pd.DataFrame:
        return rows.pivot_table(index=index, columns="roi", values="score")[ROIS]

    pooled = patterns(frame[frame["kind"] == "leave_one_out"], ["layer", "subject"])
    pairs = patterns(frame[frame["kind"] == "subject_to_subject"], ["layer", "model", "subject"])
    against_mean, against_pairs = [], []
    for roi in ROIS:
        own, both = pooled.loc[roi], pairs.loc[roi]
        model, subject = (both.index.get_level_values(k) for k in ("model", "subject"))
        values = [np.corrcoef(own.loc[s], own.drop(s).mean())[0, 1] for s in subjects]
        against_mean.append(float(np.mean(values)))
        values = []
        for s in subjects:
            reference = both[(model != s) & (subject != s)].mean()
            values += [np.corrcoef(reference, row)[0, 1] for row in both[subject == s].to_numpy()]
        against_pairs.append(float(np.mean(values)))
    assert [round(v, 3) for v in against_mean[:3]] == [0.752, 0.779, 0.811]
    assert round(float(np.mean(against_mean)), 3) == 0.574
    assert [round(v, 3) for v in against_pairs[:3]] == [0.519, 0.572, 0.542]
