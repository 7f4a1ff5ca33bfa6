"""Output folders: complete or absent, and never at the cost of something that is not ours."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apastats.errors import OutputExistsError

__all__ = ["MARKER", "alone", "building", "refuse_existing"]

MARKER = ".apastats"  # says that the folder was made here and may be replaced on request


def refuse_existing(folder: Path, overwrite: bool) -> None:
    """Raise OutputExistsError unless ``folder`` is free, or ours and to be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputExistsError(f"{folder} is a file; name a folder")
    if not overwrite:
        raise OutputExistsError(
            f"{folder} exists and is kept; use --overwrite (overwrite=True) to replace it"
        )
    if any(folder.iterdir()) and not (folder / MARKER).exists():
        raise OutputExistsError(
            f"{folder} was not made by apastats and is kept, even with --overwrite; name another folder"
        )


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold ``folder`` against a second run at the same time; raise OutputExistsError if one holds it."""
    try:
        import fcntl
    except ImportError:  # no such locks on Windows: a second run is not noticed there
        yield
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.with_name(folder.name + ".lock")
    with path.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OutputExistsError(
                f"{folder} is being written by another run; wait for it, or name another folder"
            ) from error
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def building(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a scratch folder that becomes ``folder`` when the block ends well, and vanishes otherwise."""
    refuse_existing(folder, overwrite)
    part = folder.with_name(folder.name + ".part")
    if part.exists():
        shutil.rmtree(part)
    part.mkdir(parents=True)
    (part / MARKER).write_text("made by apastats\n", "utf-8")
    try:
        yield part
        if folder.exists():
            shutil.rmtree(folder)
        part.rename(folder)
    finally:
        if part.exists():
            shutil.rmtree(part)
