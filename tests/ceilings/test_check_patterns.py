"""``check`` of arrays: what they are, what each axis is, what is wrong, and a next line that works."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import apastats as apa
from apastats.cli import app
from apastats.errors import ApaError, DataError, InputError

NAMES = [f"stim{i}" for i in range(8)]


def patterns(n_part: int = 1) -> dict[str, np.ndarray]:
    g = np.random.default_rng(0)
    parts = ("/train", "/test") if n_part == 2 else ("",)
    return {
        f"{s}/{roi}{part}": g.normal(size=(8, 5 + k))
        for s in ("s1", "s2", "s3")
        for k, roi in enumerate(("V1", "V4", "MT"))
        for part in parts
    }


def told(source: Any, **options: Any) -> dict[str, tuple[str, str, str]]:
    table = apa.check(source, **options).table
    assert table["item"].iloc[0] == "patterns"
    assert table["item"].iloc[-1] == "next"
    rows = table[["value", "status", "detail"]].itertuples(index=False)
    return dict(zip(table["item"], map(tuple, rows), strict=True))


def test_npz(tmp_path: Path) -> None:
    sets = patterns()
    sets["s1/V1"][:, 2] = 4.0
    np.savez(tmp_path / "p.npz", stimuli=np.array(NAMES), **sets)
    found = told(tmp_path / "p.npz")
    assert found["patterns"][0] == "9 data sets"
    assert found["axis 1"][::2] == ("stimuli", "named: stim0, stim1, stim2, ...")
    assert found["axis 2"][::2] == ("features", "5 to 7 features")
    assert found["first name"][2] == "s1, s2, s3"
    assert found["second name"][2] == "V1, V4, MT"
    assert found["stimuli"][:2] == ("8 stimuli", "ok")
    assert found["balance"][:2] == ("complete", "ok")
    assert found["features that do not vary"] == ("1", "note", "s1/V1 (1)")
    np.savez(tmp_path / "q.npz", **patterns())
    assert "by position" in told(tmp_path / "q.npz")["axis 1"][2]


def test_train_and_test_and_what_is_missing(tmp_path: Path) -> None:
    sets = patterns(2)
    del sets["s3/MT/train"], sets["s3/MT/test"]
    np.savez(tmp_path / "p.npz", **sets)
    found = told(tmp_path / "p.npz")
    assert found["train"][0] == found["test"][0] == "8 stimuli"
    assert found["balance"] == ("ragged", "note", "1 of 9 pairs of names missing")


def test_unequal_without_names_is_a_problem(tmp_path: Path) -> None:
    sets = patterns()
    sets["s1/V1"] = sets["s1/V1"][:6]
    np.savez(tmp_path / "p.npz", **sets)
    assert told(tmp_path / "p.npz")["stimuli"][1] == "problem"
    assert apa.check(tmp_path / "p.npz").info["n_problem"] == 1


def test_folders_and_objects(tmp_path: Path) -> None:
    for key, array in patterns().items():
        path = tmp_path / "f" / f"{key}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, array)
    assert told(tmp_path / "f")["patterns"][0] == "9 data sets"
    read = apa.read_patterns(tmp_path / "f")
    found = told(read)
    assert found["next"][0].startswith("apa.score_patterns(")
    assert apa.check(read).provenance.data_hash == apa.check(tmp_path / "f").provenance.data_hash
    with pytest.raises(InputError, match="options"):
        apa.check(read, sep=",")


def test_assemblies(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    g = np.random.default_rng(1)
    made = xarray.DataArray(
        g.normal(size=(16, 6)),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", NAMES * 2),
            "repetition": ("presentation", [0] * 8 + [1] * 8),
            "subject": ("neuroid", ["m1"] * 3 + ["m2"] * 3),
            "region": ("neuroid", ["V4"] * 6),
        },
    )
    made.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    for source in (tmp_path / "a.nc", made):
        found = told(source)
        assert found["first name"][2] == "m1, m2"
        assert found["repeats"][0] == "2 repeats"


def test_the_next_line_of_patterns_runs(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", stimuli=np.array(NAMES), **patterns())
    g = np.random.default_rng(2)
    np.savez(tmp_path / "m.npz", stimuli=np.array(NAMES), **{"net/l1": g.normal(size=(8, 9))})
    line = told(str(tmp_path / "p.npz"))["next"][0]
    study = f'[inputs]\n{line}\nmodel_patterns.net = "m.npz"\n[agreement]\nrun = false\n'
    (tmp_path / "study.toml").write_text(study)
    assert apa.run_study(tmp_path / "study.toml", output=tmp_path / "out").results


def test_the_next_line_of_rdms_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = apa.simulate_rdms(n_subject=4, n_stimulus=12, rois=["V1", "V4"], n_model=2, rng=0)
    made.brain.save("brain.npz")
    made.models.save("models.npz")
    line = apa.check("brain.npz").table.iloc[-1]
    assert line["item"] == "next"
    words = shlex.split(line["value"].replace("MODELS", "models.npz"))
    done = CliRunner().invoke(app, [*words[1:], "--quiet", "-o", "one.toml"])
    assert done.exit_code == 0, done.output
    words = shlex.split(
        apa.check("models.npz").table["value"].iloc[-1].replace("BRAIN", "brain.npz")
    )
    done = CliRunner().invoke(app, [*words[1:], "--quiet", "-o", "two.toml"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "one.toml").read_text() == (tmp_path / "two.toml").read_text()


def test_what_is_neither_is_told_as_before(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros(4))
    with pytest.raises(ApaError, match="square"):
        apa.check(tmp_path / "x.npz")


@pytest.mark.parametrize("wrong", [np.zeros(4), np.array(["a", "b"]), np.array(3.0)])
def test_arrays_that_are_no_patterns_are_refused_by_name(tmp_path: Path, wrong: np.ndarray) -> None:
    np.savez(tmp_path / "x.npz", **{"s1/V1": np.eye(4)[:, :3], "names": wrong})
    with pytest.raises(DataError, match=r"x\.npz: array 'names' of shape .*called 'stimuli'"):
        apa.read_patterns(tmp_path / "x.npz")
