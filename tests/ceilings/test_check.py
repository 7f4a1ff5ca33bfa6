"""check: what is in the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import InputError


def items(found) -> pd.DataFrame:
    return found.tidy().set_index("item")


@pytest.fixture(scope="module")
def scores() -> apa.ScoreTable:
    return apa.simulate(
        n_subject=8, n_model=2, n_tied=1, n_layer=2, rois=["V1", "V2", "MT"], n_partner=3, rng=2
    ).scores


def test_a_clean_study(scores) -> None:
    found = items(apa.check(scores))
    assert found.loc["subjects", "value"] == "8"
    assert found.loc["balance, model", "value"] == "complete"
    assert found.loc["pair design", "value"].startswith("24 ordered pairs, 3 partners per subject")
    assert found.loc["reciprocal pairs, rsa", "status"] == "note"
    assert not (found["status"] == "problem").any()


def test_missing_nan_and_low_ceilings_are_seen(scores) -> None:
    frame = scores.frame.copy()
    loo = (frame["kind"] == "leave_one_out") & (frame["roi"] == "MT") & (frame["layer"] == "MT")
    frame.loc[loo, "score"] = np.where(np.arange(loo.sum()) % 2 == 0, 0.1, -0.1)
    model = (frame["kind"] == "model") & (frame["model"] == "model_02") & (frame["roi"] == "V1")
    frame.loc[model, "score"] = np.nan
    frame = frame[
        ~((frame["subject"] == "sub-03") & (frame["kind"] == "model") & (frame["roi"] == "V2"))
    ]
    found = items(apa.check(apa.ScoreTable(frame)))
    assert "MT" in found.loc["ceiling, leave_one_out", "detail"]
    assert found.loc["cells without any value", "status"] == "problem"
    assert "sub-03" in found.loc["balance, model", "detail"]
    assert found.loc["NaN values", "status"] == "note"


def test_duplicates_in_a_file_are_reported_not_fatal(scores, tmp_path: Path) -> None:
    pd.concat([scores.frame, scores.frame.head(3)]).to_csv(tmp_path / "scores.csv", index=False)
    found = apa.check(tmp_path / "scores.csv")
    assert items(found).loc["duplicates", "value"] == "3"
    assert len(found.problems) == 1


def test_rdms(data_dir: Path) -> None:
    found = items(apa.check(data_dir / "castaldi2019_numerosity" / "rdms_taskboth.npz"))
    assert found.loc["stimuli", "value"] == "18"
    assert found.loc["balance", "value"] == "complete"
    assert found.loc["noise ceiling, lower (Spearman)", "value"].startswith("0.238")


def test_options_only_with_a_path(scores) -> None:
    with pytest.raises(InputError, match="options"):
        apa.check(scores, rois=["V1"])
