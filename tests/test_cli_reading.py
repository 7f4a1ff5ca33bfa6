"""check, init, run and formats take the options they advise."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import InputError
from apastats.io.described import formats_page


def cli(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "apastats", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=300, check=False
    )


def frame() -> pd.DataFrame:
    index = pd.MultiIndex.from_product(
        [[f"s{i}" for i in range(9)], ["V1", "V3", "V4"], ["clip", "dino"]],
        names=["sub", "Region", "thing"],
    )
    scores = np.random.default_rng(0).uniform(0.2, 0.6, len(index))
    return index.to_frame(index=False).assign(r=scores, wobble=np.arange(len(index)) / 7)


def test_from_an_ordinary_sheet_to_a_report(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "my scores.csv", sep=";", decimal=",", index=False)
    first = cli("check", "my scores.csv", "--json", cwd=tmp_path)
    assert first.returncode == 2
    rows = pd.DataFrame(json.loads(first.stdout)["items"]).set_index("item")
    assert rows.index[0] == "source"
    assert rows.loc["source", "value"] == "semicolon-separated text, decimal comma, utf-8"
    assert rows.loc["column 'sub'", "value"] == "subject"
    assert rows.loc["column 'wobble'", "status"] == "problem"
    assert rows.index[-1] == "next"
    typed = shlex.split(rows.loc["next", "value"])
    assert typed[:3] == ["apastats", "check", "my scores.csv"]
    options = ["--rename", "thing=model", "--covariates", "wobble"]
    again = cli("check", "my scores.csv", *options, "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    rows = pd.DataFrame(json.loads(again.stdout)["items"]).set_index("item")
    typed = shlex.split(rows.loc["next", "value"])
    assert typed == ["apastats", "init", "my scores.csv", *options]
    done = cli(*typed[1:], "--defaults", "metric=rsa", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "study.toml").read_text()
    assert (
        'rename = { "thing" = "model" }, defaults = { "metric" = "rsa" }, covariates = ["wobble"]'
        in text
    )
    done = cli("run", "study.toml", "--set", "equivalence.bounds=0.1", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").is_file()
    assert cli("verify", "out", cwd=tmp_path).returncode == 0


def test_run_takes_the_options_too(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "study.toml").write_text('[inputs]\nscores = "t.csv"\n')
    options = ("--rename", "thing=model", "--ignore", "wobble")
    done = cli("run", "study.toml", *options, "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert cli("run", "study.toml", "--out", "no", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    "form", ['["a.csv", "b.csv"]', '"*.csv"', '{ path = ["a.csv", "b.csv"], sep = "," }']
)
def test_inputs_take_lists_and_patterns(tmp_path: Path, form: str) -> None:
    from apastats.studies.schema import parse_study

    f = frame().drop(columns="wobble").rename(columns={"thing": "model"})
    f[f["sub"] < "s4"].to_csv(tmp_path / "a.csv", index=False)
    f[f["sub"] >= "s4"].to_csv(tmp_path / "b.csv", index=False)
    (tmp_path / "study.toml").write_text(f"[inputs]\nscores = {form}\n")
    entry = parse_study(tmp_path / "study.toml")[0].inputs.scores
    assert entry is not None
    table = apa.read(entry.path, **entry.model_dump(exclude={"path"}))
    assert table.hash == apa.read(f).hash


def test_advice_of_a_wide_sheet_is_right(tmp_path: Path) -> None:
    f = (
        frame()
        .drop(columns="wobble")
        .pivot(index=["sub", "Region"], columns="thing", values="r")
        .reset_index()
    )
    f.to_csv(tmp_path / "w.csv")
    found = apa.check(tmp_path / "w.csv")
    assert found.table["value"].iloc[-1] == f"apastats check {tmp_path / 'w.csv'} --wide model"
    assert not len(apa.check(tmp_path / "w.csv", wide="model").problems)


def test_repeated_keys_are_found_and_what_they_differ_in() -> None:
    f = frame().drop(columns="wobble").rename(columns={"thing": "model"})
    four = pd.concat([f.assign(depth=k) for k in range(4)])
    found = apa.check(four).problems
    assert found["detail"].str.contains("they differ in depth", regex=False).any()


def test_labels_nearly_alike_and_odd_values_are_noted() -> None:
    f = frame().drop(columns="wobble").rename(columns={"thing": "model"})
    f.loc[:3, "Region"] = f.loc[:3, "Region"].str.lower()
    f.loc[9, "r"] = -999
    found = apa.check(f).tidy().set_index("item")
    assert "'v1' and 'V1'" in found.loc["rois nearly alike", "detail"]
    assert "-999" in found.loc["range", "detail"]


def test_formats(tmp_path: Path) -> None:
    assert cli("formats", cwd=tmp_path).stdout == formats_page()


def test_rdms_in_files_that_may_be_scores(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d"]
    square = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0) ** 2))
    square = square + square.T - np.diag(2 * np.diag(square))
    pd.DataFrame(square, index=names, columns=names).to_csv(tmp_path / "sub-01_roi-V1_rdm.csv")
    found = apa.check(tmp_path / "sub-01_roi-V1_rdm.csv").tidy().set_index("item")
    assert found.loc["stimuli", "value"] == "4"
    with pytest.raises(InputError, match="these are RDMs"):
        apa.check(tmp_path / "sub-01_roi-V1_rdm.csv", wide="model")
