"""Noise ceilings and normalised scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import CeilingError, CeilingWarning, DataError, DesignError, InputError

ROIS = ["V1", "V3", "V4", "MT"]


@pytest.fixture(scope="module")
def study() -> apa.simulation.SimulatedStudy:
    return apa.simulate(n_subject=8, n_model=3, n_tied=1, n_layer=2, rois=ROIS, n_partner=3, rng=1)


def test_leave_one_out_is_the_mean_of_same_roi_rows(study) -> None:
    ceiling = apa.noise_ceiling(study.scores)
    f = study.scores.frame
    rows = f[(f["kind"] == "leave_one_out") & (f["layer"] == f["roi"]) & (f["split"] == "test")]
    for row in ceiling.table.itertuples():
        values = rows.loc[rows["roi"] == row.roi, "score"]
        assert row.estimate == pytest.approx(values.mean(), abs=1e-15)
        shares = ceiling.arrays["person"][:, ROIS.index(row.roi)]
        low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(shares))
        assert (row.conf_low, row.conf_high) == pytest.approx((low, high), abs=1e-12)
        assert row.n_subject == 8


def test_subject_to_subject_averages_partners_first(study) -> None:
    ceiling = apa.noise_ceiling(study.scores, kind="subject_to_subject")
    f = study.scores.frame
    rows = f[
        (f["kind"] == "subject_to_subject") & (f["layer"] == f["roi"]) & (f["split"] == "test")
    ]
    per_subject = rows.groupby(["roi", "subject"])["score"].mean().groupby("roi").mean()
    np.testing.assert_allclose(
        ceiling.table.set_index("roi")["estimate"], per_subject[ROIS], atol=1e-15
    )


def test_per_subject_and_split(study) -> None:
    test, train = (apa.noise_ceiling(study.scores, split=s) for s in ("test", "train"))
    assert (train.table["estimate"] < test.table["estimate"]).all()
    long = test.per_subject()
    assert len(long) == 8 * len(ROIS)
    assert long.groupby("roi", sort=False)["value"].mean().to_numpy() == pytest.approx(
        test.table["estimate"].to_numpy()
    )


def nili(data_dir: Path, file: str, roi_column: bool = True) -> apa.NoiseCeiling:
    return apa.noise_ceiling(apa.read_rdms(data_dir / file), kind="nili", method="spearman")


def test_nili_bounds_of_castaldi(data_dir: Path) -> None:
    table = nili(data_dir, "castaldi2019_numerosity/rdms_taskboth.npz").table
    table = table.pivot(index="roi", columns="bound", values="estimate")
    expected = {
        **{
            "V1": (0.480, 0.544),
            "V2": (0.550, 0.602),
            "V3": (0.490, 0.552),
            "V3AB": (0.240, 0.364),
        },
        **{"IPS0": (0.257, 0.375), "IPS12": (0.295, 0.402), "IPS345": (0.238, 0.362)},
    }
    for roi, bounds in expected.items():
        assert tuple(table.loc[roi, ["lower", "upper"]].round(3)) == bounds, roi


@pytest.mark.filterwarnings("ignore::apastats.errors.SmallSampleWarning")  # four subjects
def test_nili_bounds_of_the_92_images(data_dir: Path) -> None:
    table = nili(data_dir, "images92/cichy2014_fmri_rdms.npz").table
    table = table.pivot(index="roi", columns="bound", values="estimate").round(3)
    assert tuple(table.loc["EVC", ["lower", "upper"]]) == (0.247, 0.399)
    assert tuple(table.loc["IT", ["lower", "upper"]]) == (0.459, 0.549)
    with np.load(data_dir / "images92/mur2013_judgement_rdms.npz") as npz:
        judgements = npz["rdms"]
    with np.load(data_dir / "images92/kriegeskorte2008_hIT_rdms.npz") as npz:
        sessions = npz["rdms"].astype(float)
    upper = np.triu_indices(92, 1)
    for rdms, bounds in ((judgements, (0.554, 0.620)), (sessions.mean(axis=1), (0.377, 0.672))):
        vectors = rdms[:, upper[0], upper[1]].astype(float)
        labels = pd.DataFrame({"subject": [f"s{i:02d}" for i in range(len(rdms))], "roi": "x"})
        stimuli = tuple(f"i{i}" for i in range(92))
        data = apa.RDMSet(vectors, labels, stimuli)
        found = apa.noise_ceiling(data, kind="nili", method="spearman").table
        assert tuple(found["estimate"].round(3)) == bounds


def test_ratio_of_means_with_fieller(study) -> None:
    best = apa.select_layer(study.scores, on="train")
    ceiling = apa.noise_ceiling(study.scores)
    share = apa.normalize(best, ceiling).table
    row = share[(share["model"] == "model_01") & (share["roi"] == "V3")].iloc[0]
    a = (
        best.frame.query("model == 'model_01' and roi == 'V3'")
        .sort_values("subject")["score"]
        .to_numpy()
    )
    b = ceiling.arrays["person"][:, ROIS.index("V3")]
    assert row["estimate"] == pytest.approx(a.mean() / b.mean(), abs=1e-14)
    # definition: rho is in the interval exactly when the t test of a - rho b does not reject
    for rho in (row["conf_low"], row["conf_high"]):
        assert stats.ttest_1samp(a - rho * b, 0).pvalue == pytest.approx(0.05, abs=1e-9)


def test_mean_of_ratios(study) -> None:
    best = apa.select_layer(study.scores, on="train")
    ceiling = apa.noise_ceiling(study.scores)
    share = apa.normalize(best, ceiling, how="mean_of_ratios").table
    row = share[(share["model"] == "model_02") & (share["roi"] == "MT")].iloc[0]
    a = (
        best.frame.query("model == 'model_02' and roi == 'MT'")
        .sort_values("subject")["score"]
        .to_numpy()
    )
    assert row["estimate"] == pytest.approx((a / ceiling.arrays["values"][:, 3]).mean(), abs=1e-14)


def test_brain_normalised_by_itself_is_one(study) -> None:
    f = study.scores.frame
    own = f[(f["kind"] == "leave_one_out") & (f["layer"] == f["roi"]) & (f["split"] == "test")]
    own = apa.ScoreTable(own.assign(kind="model", model="brain", layer="-"))
    for how in ("ratio_of_means", "mean_of_ratios"):
        share = apa.normalize(own, apa.noise_ceiling(study.scores), how=how).table
        np.testing.assert_allclose(share["estimate"], 1, atol=1e-14)


def test_scaling_scores_and_ceiling_changes_no_share(study) -> None:
    scaled = apa.ScoreTable(study.scores.frame.assign(score=study.scores.frame["score"] * 7))
    shares = [
        apa.normalize(apa.select_layer(t, on="train"), apa.noise_ceiling(t)).table[
            ["estimate", "conf_low", "conf_high"]
        ]
        for t in (study.scores, scaled)
    ]
    np.testing.assert_allclose(shares[0], shares[1], atol=1e-12)


def test_a_ceiling_near_zero_is_refused_with_the_number(study) -> None:
    frame = study.scores.frame.copy()
    low = (frame["kind"] == "leave_one_out") & (frame["roi"] == "V4")
    frame.loc[low, "score"] = (
        frame.loc[low, "subject"].str[-1].astype(int).mod(2).map({0: 0.011, 1: -0.009})
    )
    table = apa.ScoreTable(frame)
    ceiling, best = apa.noise_ceiling(table), apa.select_layer(table, on="train")
    with pytest.raises(CeilingError, match=r"1 of 4 cells(.|\n)*V4.*mean"):
        apa.normalize(best, ceiling)
    with pytest.warns(CeilingWarning, match="NaN there"):
        share = apa.normalize(best, ceiling, on_low="nan").table
    assert share.loc[share["roi"] == "V4", "estimate"].isna().all()
    assert share.loc[share["roi"] != "V4", "estimate"].notna().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "upper"}, "kind: got 'upper'"),
        ({"by": ["metric"]}, "by: got"),
        ({"by": ["roi", "area"]}, "by: got 'area'"),
        ({"split": "validation"}, "split: got 'validation'"),
        ({"conf_level": 95}, "conf_level: got 95"),
    ],
)
def test_bad_arguments(study, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        apa.noise_ceiling(study.scores, **options)


def test_no_brain_rows_and_one_subject(study) -> None:
    with pytest.raises(DataError, match="no rows of kind 'leave_one_out'"):
        apa.noise_ceiling(study.scores.where(kind="model"))
    with pytest.raises(DesignError, match="1 subject"):
        apa.noise_ceiling(study.scores.where(subject="sub-01"))


def test_normalize_bad_arguments(study) -> None:
    best, ceiling = apa.select_layer(study.scores, on="train"), apa.noise_ceiling(study.scores)
    with pytest.raises(InputError, match="how: got 'ratio'"):
        apa.normalize(best, ceiling, how="ratio")
    with pytest.raises(InputError, match="on_low"):
        apa.normalize(best, ceiling, on_low="clamp")
    with pytest.raises(InputError, match="ceiling: got"):
        apa.normalize(best, 0.5)
    with pytest.raises(DataError, match="no ceiling for"):
        apa.normalize(best, apa.noise_ceiling(study.scores.where(roi="V1", layer=["V1"])))
