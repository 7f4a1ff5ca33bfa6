"""The command line, run as a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import apastats as apa
from apastats import __version__


def cli(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "apastats", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=300, check=False
    )


def test_version_and_help() -> None:
    assert cli("--version").stdout.strip() == f"apastats {__version__}"
    shown = cli("--help")
    assert shown.returncode == 0
    for command in ("demo", "run", "check", "simulate"):
        assert command in shown.stdout


def test_demo(tmp_path: Path) -> None:
    done = cli("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = tmp_path / "apastats_demo" / "report.html"
    assert "report.html" in done.stdout
    assert report.stat().st_size > 50_000
    again = cli("demo", cwd=tmp_path)
    assert again.returncode == 2
    assert "exists and is kept" in again.stderr
    assert "Traceback" not in again.stderr
    assert cli("demo", "--overwrite", "--quiet", cwd=tmp_path).stdout == ""


def test_simulated_sheets_and_their_study(tmp_path: Path, repository: Path) -> None:
    done = cli(
        "simulate",
        "--layout",
        "scoresheets",
        "--subjects",
        6,
        "--models",
        3,
        "--layers",
        2,
        tmp_path / "sheets",
    )
    assert done.returncode == 0, done.stderr
    study = repository / "analyses" / "scoresheets" / "study.toml"
    done = cli(
        "run",
        study,
        "--set",
        f"inputs.scores={tmp_path / 'sheets'}",
        "--out",
        tmp_path / "out",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert Path(found["report"]).is_file()
    scores = apa.load_result(tmp_path / "out" / "results" / "bootstrap_score")
    assert set(scores.table["metric"]) == {"rsa", "linear_predictivity"}


def test_castaldi(tmp_path: Path, repository: Path, data_dir: Path) -> None:
    folder = data_dir / "castaldi2019_numerosity"
    done = cli(
        *(
            "run",
            repository / "analyses" / "castaldi_numerosity" / "study.toml",
            "--out",
            tmp_path / "out",
        ),
        *(
            "--set",
            f"inputs.rdms={folder / 'rdms_taskboth.npz'}",
            "--set",
            f"inputs.models={folder / 'models.npz'}",
        ),
    )
    assert done.returncode == 0, done.stderr
    ceiling = apa.load_result(tmp_path / "out" / "results" / "ceiling_nili").table
    ceiling = ceiling.pivot(index="roi", columns="bound", values="estimate").round(3)
    assert tuple(ceiling.loc["V2", ["lower", "upper"]]) == (0.550, 0.602)


def test_hoefling(tmp_path: Path, repository: Path, data_dir: Path) -> None:
    done = cli(
        *(
            "run",
            repository / "analyses" / "hoefling2026" / "study.toml",
            "--out",
            tmp_path / "out",
        ),
        *(
            "--set",
            f"inputs.tables.brain.path={data_dir / 'bmd_leave_one_out' / 'scores_rsa_test.csv'}",
        ),
        *("--set", f"inputs.tables.networks.path={data_dir / 'bmd_model_scores'}"),
    )
    assert done.returncode == 0, done.stderr
    table = apa.load_result(tmp_path / "out" / "results" / "equivalence_score").table
    assert table["roi"].nunique() == 19


def test_init_writes_a_study_that_runs(tmp_path: Path) -> None:
    study = apa.simulate(n_subject=5, n_model=2, n_tied=1, rois=["V1", "V3", "V4"], rng=1)
    study.write(tmp_path / "data")
    done = cli("init", tmp_path / "data", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "study.toml").read_text()
    assert "# bounds = 0.02" in text
    assert len(text.splitlines()) <= 40
    assert "5 subjects, 3 ROIs, 2 models" in text
    assert cli("init", tmp_path / "data", cwd=tmp_path).returncode == 2
    done = cli("run", "study.toml", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "equivalence.bounds: is missing" in done.stderr
    assert "Traceback" not in done.stderr
    done = cli(
        "run", "study.toml", "--set", "equivalence.bounds=0.05", "--out", "out", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_a_study_on_a_dask_scheduler_gives_the_same_numbers(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="extra cluster is not installed")
    study = apa.simulate(n_subject=12, n_model=2, n_tied=1, rois=["V1", "V3", "V4"], rng=1)
    study.write(tmp_path / "data")
    assert cli("init", tmp_path / "data", "--bounds", "0.05", cwd=tmp_path).returncode == 0
    command = ("run", "study.toml", "--set", "bootstrap.n_resamples=3000", "--out")
    assert cli(*command, "one", cwd=tmp_path).returncode == 0
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=tmp_path / "dask"
    ) as local:
        done = cli(*command, "many", "--scheduler", local.scheduler_address, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    tables = [
        (tmp_path / out / "tables" / "bootstrap_score.csv").read_bytes() for out in ("one", "many")
    ]
    assert tables[0] == tables[1]


def test_verify_report_and_view(tmp_path: Path) -> None:
    assert cli("demo", cwd=tmp_path).returncode == 0
    folder = tmp_path / "apastats_demo"
    assert "every number is the same" in cli("verify", folder).stdout
    before = (folder / "report.html").read_bytes()
    assert cli("report", folder).returncode == 0
    assert (folder / "report.html").read_bytes() == before
    assert cli("view", folder, "--print").stdout.startswith("file://")
    assert cli("cite", folder).stdout.strip() == (folder / "references.bib").read_text().strip()
    data = folder / "data" / "scores.csv"
    lines = data.read_text().splitlines()
    head, _, last = lines[-1].rpartition(",")
    data.write_text("\n".join([*lines[:-1], f"{head},{float(last) + 1e-9}"]) + "\n")
    done = cli("verify", folder)
    assert done.returncode == 1
    assert "data/scores.csv: columns differ: score: score in row" in done.stdout


def test_a_folder_of_someone_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    done = cli("demo", "--out", tmp_path / "mine", "--overwrite")
    assert done.returncode == 2
    assert "not made by apastats" in done.stderr
    assert (tmp_path / "mine" / "thesis.tex").exists()


def test_check(tmp_path: Path) -> None:
    study = apa.simulate(n_subject=3, n_model=2, n_tied=1, rois=["V1", "V2", "V4"], rng=1)
    study.write(tmp_path / "data")
    done = cli("check", tmp_path / "data")
    assert done.returncode == 0
    assert "subjects" in done.stdout
    found = json.loads(cli("check", tmp_path / "data", "--json").stdout)
    assert {"item", "value", "status", "detail"} == set(found["items"][0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "absent.csv"], "absent.csv: no such file or folder"),
        (["run", "absent.toml"], "absent.toml: cannot be read"),
        (["simulate", "x", "--layout", "wide"], "layout: got 'wide'"),
        (["simulate", "x", "--subjects", "1"], "n_subject: got 1"),
    ],
)
def test_mistakes_end_in_one_line_and_code_two(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = cli(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_pickle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scores.pkl").write_bytes(b"\x80\x04.")
    done = cli("check", tmp_path / "scores.pkl")
    assert done.returncode == 2
    assert "pickled files are refused" in done.stderr
