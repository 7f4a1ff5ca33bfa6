"""Every file that is written: a full disk leaves the old one as it was, and nothing beside it is lost."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import apastats as apa
from apastats import cli
from apastats.errors import ApaError, OutputExistsError
from apastats.folders import replacing, write_whole
from tests import verb_data

Writer = Callable[[Path, bool], Any]


def _command(*arguments: object) -> None:
    """A command of the command line in this process."""
    CliRunner().invoke(cli.app, [str(a) for a in arguments], catch_exceptions=False)


def _scores(folder: Path) -> Path:
    path = next(p for p in folder.parents if p.is_dir()) / "scores.csv"
    verb_data.best().frame.to_csv(path, index=False)
    return path


def _init(path: Path, overwrite: bool) -> None:
    data = _scores(path.parent)
    _command("init", data, "-o", path, "-q", *["--overwrite"] * overwrite)


def _calibrate(path: Path, overwrite: bool) -> None:
    options = ["--n", 4, "--n-replicate", 10, "-o", path, *["--overwrite"] * overwrite]
    _command("calibrate", "tost", *options)


def _plan(path: Path, overwrite: bool) -> None:
    data = _scores(path.parent)
    study = path.with_name("s.toml")
    if not study.exists():
        study.write_text(
            f'[study]\nname = "s"\n[inputs]\nscores = "{data}"\n[equivalence]\nbounds = 0.1\n'
        )
    _command("plan", study, *["--overwrite"] * overwrite)


def _result(path: Path, overwrite: bool) -> None:
    verb_data.tested().save(path, overwrite=overwrite)


def _report(path: Path, overwrite: bool) -> None:
    apa.report(verb_data.tested()).save(path, overwrite=overwrite)


def _bibliography(path: Path, overwrite: bool) -> None:
    apa.references(verb_data.tested()).save(path, overwrite=overwrite)


def _rdms(path: Path, overwrite: bool) -> None:
    verb_data.rdms().brain.save(path, overwrite=overwrite)


def _figures(path: Path, overwrite: bool) -> None:
    drawn = apa.report(verb_data.tested())
    drawn.figures(path.parent, formats=["svg"], overwrite=overwrite)


def _word(path: Path, overwrite: bool) -> None:
    pytest.importorskip("pypandoc")
    verb_data.tested().to_word(path, overwrite=overwrite)


# one file each that the writer makes
WRITERS: dict[str, Writer] = {
    "init.toml": _init,
    "calibrate.md": _calibrate,
    "s.plan.json": _plan,
    "result.csv": _result,
    "result.parquet": _result,
    "result.xlsx": _result,
    "report.html": _report,
    "report.md": _report,
    "report.tex": _report,
    "works.bib": _bibliography,
    "rdms.npz": _rdms,
    "rdms.h5": _rdms,
    "table.docx": _word,
    "answer.svg": _figures,
}
#: files that a writer puts beside its own
BESIDE = {
    "report.tex": ["report.bib", "report_figures/answer.pdf"],
    "report.md": ["report_figures/answer.png"],
    "s.plan.json": ["s.plan.md"],
    "answer.svg": ["answer.csv"],
}


@contextmanager
def full_disk(size: int = 60) -> Iterator[None]:
    """Files may hold so many bytes only, as on a disk that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def content(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_old_file_as_it_was(place: Path, name: str) -> None:
    write, target = WRITERS[name], place / name
    write(target, False)
    before = content(place)
    assert before[name]
    with full_disk(), pytest.raises((OSError, ApaError, RuntimeError)):
        write(target, True)
    assert content(place) == before
    write(target, True)
    assert set(content(place)) == set(before)


@pytest.mark.parametrize("name", WRITERS)
def test_what_stands_there_is_kept(place: Path, name: str) -> None:
    write, target = WRITERS[name], place / name
    for theirs in (name, *BESIDE.get(name, [])):
        path = place / theirs
        path.parent.mkdir(exist_ok=True)
        path.write_text("thesis")
        kept = place / f"{name}.part"
        kept.write_text("thesis")
        with pytest.raises(OutputExistsError, match=r"exists and is kept"):
            write(target, False)
        assert path.read_text() == "thesis"
        path.unlink()
        if theirs == name:
            path.mkdir()
            (path / "thesis.txt").write_text("thesis")
            with pytest.raises(OutputExistsError, match=r"kept"):
                write(target, True)
            (path / "thesis.txt").unlink()
            path.rmdir()
    write(target, False)
    assert kept.read_text() == "thesis"


@pytest.mark.parametrize("name", [n for n in WRITERS if n not in ("s.plan.json", "answer.svg")])
def test_folders_that_are_not_there_are_made(place: Path, name: str) -> None:
    WRITERS[name](place / "a" / "b" / name, False)
    assert (place / "a" / "b" / name).stat().st_size


def test_a_result_is_replaced_whole_or_not_at_all(place: Path) -> None:
    made = verb_data.tested()
    made.save(place / "r")
    before = content(place)
    with full_disk(), pytest.raises(OSError, match="large|space"):
        made.save(place / "r", overwrite=True)
    assert content(place) == before
    (place / "mine").mkdir()
    (place / "mine" / "table.csv").write_text("thesis")
    (place / "mine" / "thesis.txt").write_text("thesis")
    with pytest.raises(OutputExistsError, match="holds no result and is kept"):
        made.save(place / "mine", overwrite=True)
    assert (place / "mine" / "table.csv").read_text() == "thesis"


def test_a_cache_that_cannot_be_written_leaves_the_old_one(place: Path) -> None:
    scores, cache = _scores(place), place / "cache.parquet"
    first = apa.read(scores, cache=cache)
    before = content(place)
    scores.write_text(scores.read_text() + "\n")
    with full_disk(), pytest.raises(OSError, match="large|space"):
        apa.read(scores, cache=cache)
    assert content(place) == before
    assert apa.read(scores, cache=cache).frame.equals(first.frame)


def test_links_are_written_through_and_devices_to_themselves(place: Path) -> None:
    (place / "real.txt").write_text("old")
    (place / "link.txt").symlink_to(place / "real.txt")
    write_whole(place / "link.txt", "new")
    assert (place / "link.txt").is_symlink()
    assert (place / "real.txt").read_text() == "new"
    with replacing(Path("/dev/null")) as (part,):
        assert part == Path("/dev/null")
    assert Path("/dev/null").is_char_device()
    _command("init", _scores(place), "-o", "/dev/null", "-q", "--overwrite")
    assert Path("/dev/null").is_char_device()


def test_of_several_files_all_are_replaced_or_none(place: Path) -> None:
    (place / "a").write_text("old")

    def interrupted() -> None:
        with replacing(place / "a", place / "b") as (a, b):
            a.write_text("new")
            b.write_text("new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert content(place) == {"a": b"old"}
    with replacing(place / "a", place / "b") as (a, b):
        a.write_text("new")
        b.write_text(str(np.pi))
    assert content(place) == {"a": b"new", "b": str(np.pi).encode()}
