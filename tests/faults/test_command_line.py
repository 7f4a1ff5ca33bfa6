"""The command line under faults of the system: one line, exit code 2, nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.printable import spreadsheet_safe


def cli(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "apastats", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, **options
    )


def refused(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error: ") == 1


def test_parent_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    refused(cli("simulate", tmp_path / "file" / "out"))
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize("name", ["x" * 255, "x" * 300, "/".join(["y" * 200] * 30)])
def test_over_long_names(tmp_path: Path, name: str) -> None:
    refused(cli("simulate", tmp_path / name))


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    # a limit on the size of a file fails writes as a full disk does
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)); "
        f"sys.argv = ['apastats', 'simulate', {str(tmp_path / 'out')!r}]; "
        "from apastats.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", script], capture_output=True, text=True, check=False
    )
    refused(done)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_takes_no_files() -> None:
    refused(cli("simulate", "/proc/self/out"))


def test_inputs_that_are_a_text(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text('inputs = "s.csv"\n[study]\nname = "s"\n')
    done = cli("run", tmp_path / "study.toml")
    refused(done)
    assert "inputs" in done.stderr


def test_a_terminal_that_knows_ascii_only(tmp_path: Path) -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = cli("simulate", tmp_path / "größe", "--subjects", 3, env=environment)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 2)


def test_memory_that_is_not_there(tmp_path: Path) -> None:
    script = (
        "import sys; from unittest import mock; from apastats import cli\n"
        "with mock.patch('apastats.simulate', side_effect=MemoryError('Unable to allocate 9 TiB')):\n"
        f"    sys.argv = ['apastats', 'simulate', {str(tmp_path / 'out')!r}]\n    cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    refused(done)
    assert "batch=" in done.stderr


def test_terminal_escapes_of_names_are_shown_and_not_sent(tmp_path: Path) -> None:
    frame = apa.simulate(n_subject=3, n_model=2, n_tied=2, n_layer=1, rng=1).scores.frame.copy()
    frame["model"] = (
        frame["model"].astype(object).replace(frame["model"].iloc[0], "\x1b]0;owned\x07")
    )
    frame.to_csv(tmp_path / "scores.csv", index=False)
    for arguments in (["check", "scores.csv"], ["check", "\x1b]0;owned\x07.csv"]):
        done = cli(*arguments, cwd=tmp_path)
        assert not {"\x1b", "\x07"} & set(done.stdout + done.stderr)


def test_spreadsheets_are_shown_text_and_numbers_stay() -> None:
    frame = pd.DataFrame(
        {
            "=name": ["=1+1", "+A1", "-A1", "@x", "m - n", "-0.5"],
            "estimate": [-1.5, 0, 1, 2, 3, np.nan],
        }
    )
    safe = spreadsheet_safe(frame)
    assert list(safe.columns) == ["'=name", "estimate"]
    assert list(safe["'=name"]) == ["'=1+1", "'+A1", "'-A1", "'@x", "m - n", "-0.5"]
    assert safe["estimate"].equals(frame["estimate"])
    assert frame["=name"].iloc[0] == "=1+1"


def test_a_lone_dash_is_what_tables_say_of_a_model_without_layers() -> None:
    assert spreadsheet_safe(pd.DataFrame({"layer": ["-", "-1+1"]}))["layer"].tolist() == [
        "-",
        "'-1+1",
    ]


def test_saved_results_are_safe_in_spreadsheets(tmp_path: Path) -> None:
    made = apa.tost([0.1, 0.2, 0.3, 0.1], bounds=0.5)
    from dataclasses import replace

    hostile = replace(made, table=made.table.assign(contrast="=cmd|' /C calc'!A0"))
    text = (hostile.save(tmp_path / "r") / "table.csv").read_text()
    assert "'=cmd" in text
    assert ",=cmd" not in text
    assert apa.load_result(tmp_path / "r").table["contrast"].iloc[0].startswith("=cmd")


def test_an_output_that_the_caller_closed(tmp_path: Path) -> None:
    apa.simulate(n_subject=3, n_model=2, n_tied=2, n_layer=1, rng=1).write(tmp_path / "s")
    for closed in (">&-", "2>&-", ">&- 2>&- <&-", "> /dev/full"):
        command = f"{sys.executable} -m apastats check {tmp_path / 's'} {closed}"
        done = subprocess.run(
            command, shell=True, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == (2 if "full" in closed else 0), closed
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("address", ["nonsense", "tcp://", "tcp://host:port", "", "ftp://a:1"])
def test_a_scheduler_that_is_no_address(tmp_path: Path, address: str) -> None:
    pytest.importorskip("distributed")
    (tmp_path / "s.csv").write_text("subject,roi,model,score\na,V1,m,0.1\n")
    (tmp_path / "study.toml").write_text('[study]\nname = "s"\n[inputs]\nscores = "s.csv"\n')
    refused(cli("run", tmp_path / "study.toml", "--scheduler", address))


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--seed", "-1", "--out", "d"],
        ["simulate", "d", "--subjects", "-1"],
        ["calibrate", "nonsense"],
        ["calibrate", "tost", "--out", "there.md"],
        ["calibrate", "tost", "--workdir", "there.md"],
        ["init", "nowhere.csv", "-o", "d"],
        ["init", "there.md", "-o", "/dev/full", "--overwrite"],
        ["plan", "there.md"],
        ["run", "there.md"],
        ["verify", "there.md"],
        ["verify", "."],
        ["report", "."],
        ["cite", "."],
        ["view", "."],
        ["check", "nowhere.csv"],
        ["check", ""],
    ],
)
def test_a_mistake_in_any_command_is_one_line(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "there.md").write_text("thesis")
    refused(cli(*arguments, cwd=tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["there.md"]
    assert (tmp_path / "there.md").read_text() == "thesis"


@pytest.mark.parametrize("what", ["s.toml", "there.md", "nowhere", "empty"])
@pytest.mark.parametrize("command", ["verify", "report", "cite", "view"])
def test_what_is_no_finished_study_is_told_as_what_it_is(
    tmp_path: Path, command: str, what: str
) -> None:
    from typer.testing import CliRunner

    from apastats.cli import app
    from apastats.errors import ApaError

    (tmp_path / "s.toml").write_text("x = 1")
    (tmp_path / "there.md").write_text("thesis")
    (tmp_path / "empty").mkdir()
    done = CliRunner().invoke(app, [command, str(tmp_path / what)])
    assert isinstance(done.exception, ApaError)
    said = str(done.exception)
    assert str(tmp_path / what) in said
    assert "Errno 20" not in said
    expected = {"nowhere": "is not there", "empty": "not the folder"}.get(what, "is a file")
    assert expected in said


def test_a_study_file_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("x = 1")
    refused(done := cli("check", tmp_path / "study.toml"))
    assert "is a study file; apastats run" in done.stderr
