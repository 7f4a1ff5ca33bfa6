"""The published score-sheet layout: golden values, dirt, and the simulator's own sheets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DataError, OutputExistsError, ReadError
from apastats.io.bmd import BMD_EXTRA_ROIS, BMD_ROIS

RSA = "model,layer,roi,split,subject,n_features_1_model,n_features_2_brain,metric,score\n"
LP = "model,layer,roi,split,subject,metric,n_features_1_model,n_features_2_brain,score,test_scores_list\n"


def put(folder: Path, sub: str, run: str, name: str, text: str) -> Path:
    path = folder / sub / run / "scoresheets" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Rows printed in the published sheets, in their two column orders."""
    head = "v_jepa/vjepa2_vit_giant,blocks"
    put(
        tmp_path,
        "benchmark",
        "005f3258",
        "scores_rsa_sub-01.csv",
        RSA
        + f"{head}.0,V1,train,sub-01,5919,1221,rsa,0.014696287922561169\n"
        + f"{head}.11,V1,train,sub-01,5919,1221,rsa,0.046954069286584854\n"
        + f"{head}.11,MST,train,sub-01,5919,149,rsa,0.045817844569683075\n"
        + f"{head}.11,V7,train,sub-01,5919,60,rsa,0.04\n" * 2
        + f"{head}.11,PH,train,sub-01,5919,60,rsa,0.03\n",
    )
    others = "all-other-subjects"
    put(
        tmp_path,
        "intersubject",
        "e3d382fa",
        "scores_rsa_sub-01.csv",
        RSA
        + f"{others},V1,V1,train,sub-01,481,1221,rsa,0.19367550313472748\n"
        + f"{others},V4,V4,train,sub-01,657,625,rsa,0.3504139482975006\n",
    )
    put(
        tmp_path,
        "intersubject",
        "e3d382fa",
        "scores_linear_predictivity_sub-01.csv",
        LP
        + f'{others},V1,V1,test,sub-01,linear_predictivity,481,1221,0.0915012187585732,"[0.079, 0.104]"\n'
        + f'{others},V3,MT,test,sub-01,linear_predictivity,444,100,0.4651454094178617,"[0.4, 0.53]"\n',
    )
    put(
        tmp_path,
        "pairwise",
        "012d33df",
        "scores_rsa_sub-03.csv",
        RSA
        + "sub-01,V1,V1,train,sub-03,1221,361,rsa,0.08640752732753754\n"
        + "sub-01,V4,V4,train,sub-03,625,555,rsa,0.19688887894153595\n"
        + "sub-01,V7,V7,train,sub-03,60,50,rsa,0.1\n" * 4
        + "sub-01,IP1,V1,train,sub-03,17,361,rsa,0.05\n",
    )
    return tmp_path


def test_golden_values(published: Path) -> None:
    table = apa.read(published, rois="all").frame.set_index(
        ["kind", "model", "layer", "roi", "metric"]
    )["score"]
    assert table["model", "v_jepa/vjepa2_vit_giant", "blocks.0", "V1", "rsa"] == pytest.approx(
        0.014696287922561169
    )
    assert table["leave_one_out", "others", "V4", "V4", "rsa"] == pytest.approx(0.3504139482975006)
    lp = "linear_predictivity"
    assert table["leave_one_out", "others", "V3", "MT", lp] == pytest.approx(0.4651454094178617)
    assert table["subject_to_subject", "sub-01", "V1", "V1", "rsa"] == pytest.approx(
        0.08640752732753754
    )


def test_dirt_is_dropped_and_counted(published: Path) -> None:
    table = apa.read(published)
    assert any("4 rows that repeat the doubled V7" in line for line in table.log)
    assert any("other ROIs dropped: PH" in line for line in table.log)
    assert "IP1" not in table.levels("layer")
    assert "IP1" in apa.read(published, rois="all").levels("layer")


def test_other_duplicates_stay_an_error(published: Path) -> None:
    path = published / "intersubject/e3d382fa/scoresheets/scores_rsa_sub-01.csv"
    path.write_text(path.read_text() + "all-other-subjects,V1,V1,train,sub-01,481,1221,rsa,0.2\n")
    with pytest.raises(DataError, match="repeat the key"):
        apa.read(published)


def test_unreadable_sheet_is_named(published: Path) -> None:
    put(published, "pairwise", "aaaaaaaa", "scores_rsa_sub-02.csv", "nonsense\n1\n")
    with pytest.raises(ReadError, match=r"aaaaaaaa.*scores_rsa_sub-02\.csv: not a score sheet"):
        apa.read(published)


def test_sheet_that_contradicts_its_name(published: Path) -> None:
    put(
        published,
        "pairwise",
        "aaaaaaaa",
        "scores_rsa_sub-02.csv",
        RSA + "sub-01,V1,V1,train,sub-03,1,1,rsa,0.1\n",
    )
    with pytest.raises(ReadError, match="the file name says subject 'sub-02'"):
        apa.read(published)


def test_empty_sheet(published: Path) -> None:
    put(published, "pairwise", "aaaaaaaa", "scores_rsa_sub-02.csv", RSA)
    with pytest.raises(ReadError, match="has no rows"):
        apa.read(published)


def test_simulated_sheets_read_back(tmp_path: Path) -> None:
    metrics = ("rsa", "linear_predictivity")
    rois = [*BMD_ROIS, *BMD_EXTRA_ROIS]
    study = apa.simulate(
        n_subject=4, n_model=2, n_tied=1, n_layer=2, rois=rois, metrics=metrics, n_partner=2, rng=3
    )
    folder = study.write(tmp_path / "sheets", layout="scoresheets")
    assert len(list(folder.glob("benchmark/*/scoresheets/*.csv"))) == 2 * 4 * 2
    assert len(list(folder.glob("pairwise/*"))) == 8
    lp = next(folder.glob("benchmark/*/scoresheets/scores_linear*")).read_text().splitlines()[0]
    assert lp.startswith("model,layer,roi,split,subject,metric,n_features_1_model")
    for sub, columns in (("benchmark", 15), ("pairwise", 10), ("intersubject", 10)):
        sheet = pd.read_csv(next(folder.glob(f"{sub}/*/scoresheets/scores_linear*")))
        assert sheet.shape[1] == columns
        tested = sheet[sheet["split"] == "test"]
        folds = np.array([json.loads(v) for v in tested["test_scores_list"]])
        assert folds.shape[1] == 5
        np.testing.assert_allclose(folds.mean(axis=1), tested["score"], atol=1e-15)
        assert sheet.loc[sheet["split"] == "train", "test_scores_list"].isna().all()
        if sub == "benchmark":
            alphas = np.array([json.loads(v) for v in sheet["alphas"].dropna()])
            assert alphas.shape == (len(sheet) - len(tested), 5)
            assert sheet["ridgecv_val_mse"].isna().equals(sheet["split"] == "test")
    table = apa.read(folder)
    keys = ["kind", "model", "layer", "subject", "roi", "metric", "split"]
    inside = study.scores.frame
    inside = inside[
        inside["roi"].isin(BMD_ROIS)
        & ((inside["kind"] == "model") | inside["layer"].isin(BMD_ROIS))
    ]
    both = inside.merge(table.frame, on=keys, how="outer", suffixes=("", "_read"), indicator=True)
    assert (both["_merge"] == "both").all()
    np.testing.assert_allclose(both["score"], both["score_read"], rtol=1e-12)
    assert table.levels("roi") == list(BMD_ROIS)
    # 4 models x layers x V7, and in pair sheets target V7, predictor V7 and both
    assert any("doubled V7" in line for line in table.log)
    doubled = 2 * 2 * 4 * 2 * 2 + 8 * (38 + 38 + 1) * 2 * 2
    assert any(line.startswith(f"{doubled} rows") for line in table.log)


def test_writing_keeps_an_existing_folder(tmp_path: Path) -> None:
    study = apa.simulate(n_subject=3, n_model=1, n_tied=1, n_layer=1, rois=["V1", "V2"], rng=0)
    study.write(tmp_path / "a")
    with pytest.raises(OutputExistsError, match="exists and is kept"):
        study.write(tmp_path / "a")
    study.write(tmp_path / "a", overwrite=True)


def test_sheets_hold_published_regions_only(tmp_path: Path) -> None:
    study = apa.simulate(n_subject=3, n_model=1, n_tied=1, n_layer=1, rois=["A", "B"], rng=0)
    with pytest.raises(DataError, match="'A' is not one of them"):
        study.write(tmp_path / "a", layout="scoresheets")
    assert not (tmp_path / "a").exists()


SAME_ROI = {
    ("intersubject", "rsa", "train"): {
        **{"V1": 0.193676, "V2": 0.252158, "V3": 0.277871, "V4": 0.350414, "V3A": 0.131020, "V3B": 0.116548},
        **{"V6": 0.161273, "V6A": 0.163160, "V7": 0.140323, "V8": 0.279367, "FFC": 0.301792, "PIT": 0.313291},
    },
    ("intersubject", "linear_predictivity", "test"): {"V1": 0.091501, "V2": 0.209306, "V3": 0.286490},
    ("intersubject", "linear_predictivity", "train"): {"V1": 0.060840, "V2": 0.097147, "V3": 0.152763},
    ("pairwise", "rsa", "train"): {
        **{"V1": 0.086408, "V2": 0.122812, "V3": 0.163635, "V4": 0.196889},
        **{"V3A": 0.060692, "V3B": 0.065446, "V6": 0.141188},
    },
}  # fmt: skip
BLOCKS = {"0": 0.014696, "2": 0.018310, "5": 0.036382, "8": 0.041859, "11": 0.046954}


def test_published_values_of_all_kinds(tmp_path: Path) -> None:
    sheets: dict[tuple[str, str, str], str] = {}
    for (folder, metric, split), values in SAME_ROI.items():
        model, subject = (
            ("sub-01", "sub-03") if folder == "pairwise" else ("all-other-subjects", "sub-01")
        )
        for roi, value in values.items():
            if metric == "rsa":
                row = f"{model},{roi},{roi},{split},{subject},1,1,{metric},{value}\n"
            else:
                row = f'{model},{roi},{roi},{split},{subject},{metric},1,1,{value},"[{value}, {value}]"\n'
            key = (folder, metric, subject)
            sheets[key] = sheets.get(key, RSA if metric == "rsa" else LP) + row
    layers = (
        f"v_jepa/vjepa2_vit_giant,blocks.{b},V1,train,sub-01,1,1,rsa,{v}\n"
        for b, v in BLOCKS.items()
    )
    sheets["benchmark", "rsa", "sub-01"] = RSA + "".join(layers)
    for (folder, metric, subject), text in sheets.items():
        put(tmp_path, folder, "aaaaaaaa", f"scores_{metric}_{subject}.csv", text)
    frame = apa.read(tmp_path).frame
    same = frame[frame["layer"] == frame["roi"]].set_index(["kind", "metric", "split", "roi"])[
        "score"
    ]
    kinds = {"intersubject": "leave_one_out", "pairwise": "subject_to_subject"}
    for (folder, metric, split), values in SAME_ROI.items():
        for roi, value in values.items():
            assert same[kinds[folder], metric, split, roi] == value
    models = frame[frame["kind"] == "model"].set_index("layer")["score"]
    assert models.to_dict() == {f"blocks.{b}": v for b, v in BLOCKS.items()}
