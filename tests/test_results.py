"""The result base: tidy, glance, summary, save and load."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.ceilings.check import DesignCheck
from apastats.errors import DataError, OutputExistsError, ReadError
from apastats.results import Provenance, Result


@pytest.fixture
def result() -> apa.NoiseCeiling:
    return apa.noise_ceiling(
        apa.simulate(n_subject=4, n_model=1, n_tied=1, rois=["V1", "V2"], rng=0).scores
    )


def test_tidy_is_a_copy(result) -> None:
    copy = result.tidy()
    copy["estimate"] = 0
    assert (result.table["estimate"] != 0).all()


def test_frozen(result) -> None:
    with pytest.raises(AttributeError):
        result.table = None


def test_glance_and_summary(result) -> None:
    glance = result.glance()
    assert len(glance) == 1
    assert glance["n_subject"].item() == 4
    text = result.summary()
    assert "noise ceiling" in text
    assert "V2" in text


def test_save_and_load(result, tmp_path: Path) -> None:
    folder = result.save(tmp_path / "ceiling")
    again = apa.load_result(folder)
    assert type(again) is type(result)
    pd.testing.assert_frame_equal(again.table, result.table)
    np.testing.assert_array_equal(again.arrays["values"], result.arrays["values"])
    assert again.provenance == result.provenance
    assert type(result).load(folder).info == result.info
    assert sorted(p.name for p in folder.iterdir()) == [
        "arrays.npz",
        "result.json",
        "table.csv",
        "table.parquet",
    ]


def test_save_keeps_an_existing_folder(result, tmp_path: Path) -> None:
    result.save(tmp_path / "a")
    with pytest.raises(OutputExistsError, match="exists and is kept"):
        result.save(tmp_path / "a")
    result.save(tmp_path / "a", overwrite=True)


def test_object_arrays_are_never_written(tmp_path: Path) -> None:
    bad = Result(
        pd.DataFrame({"a": [1]}), {}, Provenance("x()"), {"o": np.array([{}], dtype=object)}
    )
    with pytest.raises(ValueError, match=r"arrays \['o'\]: Python objects"):
        bad.save(tmp_path / "a")
    folder = Result(pd.DataFrame({"a": [1]}), {}, Provenance("x()"), {"o": np.ones(2)}).save(
        tmp_path / "b"
    )
    with np.load(folder / "arrays.npz") as held:
        assert held.files == ["o"]  # not an option of numpy among them


def test_loading_something_else(result, tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="not a saved apastats result"):
        apa.load_result(tmp_path)
    folder = result.save(tmp_path / "a")
    with pytest.raises(DataError, match="kind 'noise_ceiling'"):
        DesignCheck.load(folder)
    meta = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**meta, "kind": "nonsense"}))
    with pytest.raises(ReadError, match="unknown kind 'nonsense'"):
        apa.load_result(folder)


def test_provenance(result) -> None:
    p = result.provenance
    assert p.call.startswith("noise_ceiling(<ScoreTable")
    assert len(p.data_hash) == 16
    assert "numpy" in p.versions


def test_html_escapes(result) -> None:
    hostile = Result(
        pd.DataFrame({"model": ["<script>x</script>"]}), {}, Provenance("x()"), notes=("<b>",)
    )
    shown = hostile._repr_html_()
    assert "<script>" not in shown
    assert "<b>" not in shown
