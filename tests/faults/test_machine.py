"""What machines do to a study: kills, a full disk, an install that may not be written, forks, threads."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import apastats as apa
from apastats.folders import MARKER, files

RUN = "import sys; from apastats.cli import main; sys.argv = ['apastats', *sys.argv[1:]]; main()"
STUDY = """
[study]
name = "s"
[inputs]
scores = "scores.csv"
[ceiling]
[patterns]
[agreement]
[bootstrap]
n_resamples = 400
[equivalence]
bounds = 0.05
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    made = apa.simulate(n_subject=6, n_model=3, n_tied=2, n_layer=1, rois=["V1", "V3", "V4"], rng=2)
    made.scores.frame.to_csv(folder / "scores.csv", index=False)
    (folder / "study.toml").write_text(STUDY)
    return folder / "study.toml"


def command(study: Path, out: Path) -> list[str]:
    return [sys.executable, "-c", RUN, "run", str(study), "--out", str(out), "--quiet"]


def numbers(out: Path) -> dict[str, str]:
    """Everything a person cites: the bytes of every table and figure."""
    kept = [n for n in files(out) if n.startswith(("tables/", "figures/"))]
    assert kept
    return {n: hashlib.sha256((out / n).read_bytes()).hexdigest() for n in kept}


@pytest.fixture(scope="module")
def whole(study: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    """The study without a fault, and how long it takes."""
    out = tmp_path_factory.mktemp("whole") / "out"
    start = time.monotonic()
    subprocess.run(command(study, out), check=True, capture_output=True)
    return numbers(out), time.monotonic() - start


@pytest.mark.slow
def test_killed_at_any_moment_and_run_again_the_study_is_the_same(
    study: Path, whole: tuple[dict[str, str], float], tmp_path: Path, long: bool
) -> None:
    expected, seconds = whole
    draw = random.Random(7)
    for k in range(20 if long else 3):
        out = tmp_path / str(k) / "out"
        out.parent.mkdir()
        for _ in range(2):
            child = subprocess.Popen(
                command(study, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(draw.uniform(0.3, 1.0) * seconds)
            child.send_signal(signal.SIGKILL)
            child.wait()
        if out.exists():  # it was done before the kill, and is whole
            assert (out / MARKER).is_file()
        else:
            subprocess.run(command(study, out), check=True, capture_output=True)
        assert numbers(out) == expected
        assert [p.name for p in out.parent.iterdir()] in (
            ["out"],
            ["out", "out.lock"],
            ["out.lock", "out"],
        )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(["mount", *options], check=False).returncode:
        pytest.skip("only root may mount a disk; the checks that run as root do")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_full_ends_in_one_line_and_leaves_nothing(
    study: Path, small_disk: Path
) -> None:
    shutil.copy(study, small_disk)
    shutil.copy(study.parent / "scores.csv", small_disk)
    before = sorted(p.name for p in small_disk.iterdir())
    done = subprocess.run(
        command(small_disk / study.name, small_disk / "out"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr.splitlines()[-1]
    assert sorted(p.name for p in small_disk.iterdir()) == before


def test_an_install_that_may_not_be_written(
    study: Path, whole: tuple[dict[str, str], float], small_disk: Path, tmp_path: Path
) -> None:
    place = tmp_path / "installed"
    place.mkdir()
    shutil.copytree(
        Path(apa.__file__).parent,
        place / "apastats",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    subprocess.run(["mount", "--bind", str(place), str(place)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
        with pytest.raises(OSError, match="Read-only"):
            (place / "apastats" / "x").write_text("x")
        environment = {**os.environ, "PYTHONPATH": str(place), "HOME": "/nowhere"}
        out = tmp_path / "out"
        done = subprocess.run(
            command(study, out),
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert numbers(out) == whole[0]
    finally:
        subprocess.run(["umount", str(place)], check=True)


def outcome() -> str:
    made = apa.simulate(n_subject=8, n_model=3, n_tied=2, n_layer=1, rois=["V1", "V3"], rng=4)
    table = apa.select_layer(made.scores, on="train")
    results = [
        apa.bootstrap("score ~ model | roi", table),
        apa.equivalence("score ~ model | roi", table, bounds=0.1, test="sign_flip", rng=1),
        apa.compare("score ~ model | roi", table, adjust="max-t", rng=1),
    ]
    return json.dumps([r.table.to_json(double_precision=15) for r in results])


def test_a_forked_child_finds_the_same_numbers() -> None:
    expected = outcome()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, hashlib.sha256(outcome().encode()).hexdigest().encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        got = stream.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert got == hashlib.sha256(expected.encode()).hexdigest()


def test_verbs_in_several_threads_find_the_same_numbers() -> None:
    expected, found = outcome(), []
    threads = [threading.Thread(target=lambda: found.append(outcome())) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == [expected] * 3
