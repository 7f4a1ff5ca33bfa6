"""Output folders under kills, strangers' files and second runs: nothing that is not ours is ever lost."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import apastats as apa
from apastats.errors import OutputExistsError
from apastats.folders import MARKER, alone, building, files, sealed

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}


def write(out: Path, text: str) -> None:
    """What a run does with its folder, in small."""
    with alone(out), building(out, overwrite=True) as part:
        (part / "tables").mkdir()
        (part / "tables" / "a.csv").write_text(text)
        (part / "report.html").write_text(text)


def content(out: Path) -> dict[str, str]:
    return {name: (out / name).read_text() for name in files(out)}


def whole(text: str) -> dict[str, str]:
    return {"report.html": text, "tables/a.csv": text}


def killed_at(event: int, out: Path, text: str) -> bool:
    """Write in a child that dies before its event-th touch of the disk; whether it died."""
    child = os.fork()
    if child == 0:
        left = [event]

        def hook(name: str, args: tuple[object, ...]) -> None:
            if name in EVENTS and any(str(out.parent) in str(a) for a in args):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)

        sys.addaudithook(hook)
        write(out, text)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("existing", [False, True])
def test_killed_anywhere_the_old_folder_or_the_new_one_stands_whole(
    tmp_path: Path, existing: bool
) -> None:
    event = 0
    while True:
        base = tmp_path / str(event)
        base.mkdir()
        out = base / "out"
        if existing:
            write(out, "old")
        died = killed_at(event, out, "new")
        if out.exists():
            assert (out / MARKER).is_file()
            assert content(out) in ([whole("new")] + [whole("old")] * existing)
        elif existing:
            # it waits whole beside its name for the next run, which puts it back
            assert content(base / "out.replaced") == whole("old")
        with alone(out):
            pass
        if existing:
            assert content(out) in (whole("old"), whole("new"))
        write(out, "next")
        assert content(out) == whole("next")
        assert [p.name for p in base.iterdir()] == ["out"]
        if not died:
            break
        event += 1
    assert event > 10  # the writes alone are nearly that many


WORKING = [".part", ".unfinished", ".replaced", ".lock"]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    made = apa.simulate(n_subject=5, n_model=2, n_tied=2, n_layer=1, rois=["V1", "V3"], rng=2)
    made.scores.frame.to_csv(tmp_path / "scores.csv", index=False)
    path = tmp_path / "study.toml"
    path.write_text('[study]\nname = "s"\n[inputs]\nscores = "scores.csv"\n')
    return path


@pytest.mark.parametrize("suffix", WORKING)
@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_has_the_name_of_a_working_folder_is_kept(
    tmp_path: Path, study: Path, suffix: str, kind: str
) -> None:
    theirs = tmp_path / f"mine{suffix}"
    target = tmp_path / "elsewhere"
    target.mkdir()
    if kind == "file":
        theirs.write_text("thesis")
        kept = theirs
    else:
        if kind == "link":
            theirs.symlink_to(target)
        else:
            theirs.mkdir()
        kept = theirs / "thesis.txt"
        kept.write_text("thesis")
    for overwrite in (False, True):
        with pytest.raises(OutputExistsError, match=f"mine{suffix} was not made by apastats"):
            apa.run_study(study, output=tmp_path / "mine", overwrite=overwrite)
        assert kept.read_text() == "thesis"
    assert not (tmp_path / "mine").exists()


def test_a_file_put_into_a_finished_folder_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, "old")
    (out / "tables" / "thesis.txt").write_text("thesis")
    with pytest.raises(OutputExistsError, match=r"tables/thesis\.txt was not made by apastats"):
        write(out, "new")
    assert content(out) == {**whole("old"), "tables/thesis.txt": "thesis"}
    (out / "tables" / "thesis.txt").unlink()
    write(out, "new")
    assert content(out) == whole("new")


def test_a_link_is_not_replaced(tmp_path: Path) -> None:
    write(tmp_path / "real", "old")
    (tmp_path / "out").symlink_to(tmp_path / "real")
    with pytest.raises(OutputExistsError, match="is a link"):
        write(tmp_path / "out", "new")
    assert content(tmp_path / "real") == whole("old")


def test_the_marker_lists_every_file(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, "text")
    assert sorted(sealed(out)) == ["report.html", "tables/a.csv"]
    for damaged in (b"", b"made by apastats", b"made by apastatz\n", b"made by apastats\nx\n"):
        (out / MARKER).write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged"):
            sealed(out)


def test_simulated_studies_take_the_same_care(tmp_path: Path) -> None:
    (tmp_path / "sim.part").mkdir()
    (tmp_path / "sim.part" / "thesis.txt").write_text("thesis")
    made = apa.simulate(n_subject=3, n_model=2, n_tied=2, n_layer=1, rng=2)
    with pytest.raises(OutputExistsError, match=r"sim\.part was not made"):
        made.write(tmp_path / "sim", overwrite=True)
    assert (tmp_path / "sim.part" / "thesis.txt").read_text() == "thesis"
