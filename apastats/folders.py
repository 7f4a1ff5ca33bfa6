"""Output folders: complete or absent, and never at the cost of something that is not ours.

A folder made here holds a marker from its first moment; when it is complete, the marker lists every file in it with
its SHA-256 (the format of ``sha256sum``). Only what a marker speaks for is ever removed.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from apastats.errors import OutputExistsError

__all__ = [
    *("MARKER", "alone", "beside", "building", "clear", "files", "mark", "ours"),
    *("refuse_existing", "refuse_file", "refuse_foreign", "remove", "replacing", "seal", "sealed"),
    "write_whole",
]

MARKER = ".apastats"  # says that the folder was made here and may be replaced on request
FIRST_LINE = "made by apastats"
HASH_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
OF_THE_SYSTEM = {".DS_Store", "Thumbs.db", "desktop.ini"}  # put into any folder that is looked at


def beside(folder: Path, suffix: str) -> Path:
    """The folder's name with something behind it: ``out`` -> ``out.part``."""
    return folder.with_name(folder.name + suffix)


def refuse_file(path: Path, overwrite: bool) -> None:
    """Raise OutputExistsError unless a file may be written under this name."""
    if path.is_dir():
        raise OutputExistsError(f"{path} is a folder and is kept; name a file")
    if path.is_symlink() and not path.exists():
        raise OutputExistsError(f"{path} is a link to nothing and is kept; name the file itself")
    if path.exists() and not overwrite:
        raise OutputExistsError(
            f"{path} exists and is kept; use --overwrite (overwrite=True) to replace it"
        )


@contextmanager
def replacing(*paths: Path, make: bool = True) -> Iterator[tuple[Path, ...]]:
    """Names to write to, which become these files when the block ends well, and vanish otherwise.

    A file that stood there stays as it was until all the new ones are complete: a full disk costs nothing. The folders
    are made (``make=False``: they must be there). What is no plain file (``/dev/stdout``, a pipe) is written to as is.
    """
    parts: dict[Path, Path] = {}
    try:
        for path in paths:
            target = path.resolve() if path.is_symlink() else path
            if target.exists() and not target.is_file() and not target.is_dir():
                parts[path] = target
                continue
            if make:
                target.parent.mkdir(parents=True, exist_ok=True)
            # the ending stays: some writers take the format from it
            part = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
            with part.open("x"):  # what cannot be written is known before anything is computed
                parts[path] = part
        yield tuple(parts[path] for path in paths)
        for path, part in parts.items():
            target = path.resolve() if path.is_symlink() else path
            if part != target:
                part.replace(target)
    finally:
        for path, part in parts.items():
            if part not in (path, path.resolve()):
                part.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all, text as UTF-8; what stood there stays until then."""
    with replacing(path) as (part,):
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def mark(folder: Path) -> None:
    """Say that a folder was made here."""
    (folder / MARKER).write_text(f"{FIRST_LINE}\n", "utf-8")


def ours(folder: Path) -> bool:
    """Whether a folder was made here: it holds the marker. An empty folder may be taken too."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    try:
        with (folder / MARKER).open("rb") as file:
            return file.read(len(FIRST_LINE)) == FIRST_LINE.encode()
    except FileNotFoundError:
        return not any(folder.iterdir())


def files(folder: Path) -> list[str]:
    """Every file below a folder by its path in it, the marker left out."""
    found = (p for p in folder.rglob("*") if p.is_symlink() or not p.is_dir())
    names = (p.relative_to(folder).as_posix() for p in found if p.name not in OF_THE_SYSTEM)
    return sorted(n for n in names if n != MARKER)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(folder: Path, again: Iterable[str] | None = None) -> None:
    """List the files of a complete folder in its marker; ``again``: only these were written anew."""
    names = set(files(folder))
    if again is None:
        found = {name: digest(folder / name) for name in names}
    else:
        found = sealed(folder) | {name: digest(folder / name) for name in names & set(again)}
    lines = [FIRST_LINE, *(f"{found[name]}  {name}" for name in sorted(found))]
    part = folder / f"{MARKER}.part"
    part.write_text("\n".join(lines) + "\n", "utf-8", errors="surrogateescape")
    part.replace(folder / MARKER)


def sealed(folder: Path) -> dict[str, str]:
    """SHA-256 by path, as the marker lists them.

    Raises
    ------
    ValueError
        If the marker is not as :func:`seal` has written it.
    """
    text = (folder / MARKER).read_bytes().decode("utf-8", errors="surrogateescape")
    first, *lines = text.removesuffix("\n").split("\n")
    if first != FIRST_LINE or not text.endswith("\n"):
        raise ValueError(f"{MARKER} is damaged")
    found = [HASH_LINE.fullmatch(line) for line in lines]
    if not all(found):
        raise ValueError(f"{MARKER} is damaged")
    return {match[2]: match[1] for match in found if match}


def _foreign(folder: Path) -> list[str]:
    """Files in a folder of ours that its marker does not list."""
    try:
        listed = sealed(folder)
    except (OSError, ValueError):
        listed = {}
    return [name for name in files(folder) if name not in listed]


def refuse_existing(folder: Path, overwrite: bool) -> None:
    """Raise OutputExistsError unless ``folder`` is free, or ours and to be replaced."""
    if folder.is_symlink():
        raise OutputExistsError(f"{folder} is a link and is kept; name the folder itself")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputExistsError(f"{folder} is a file; name a folder")
    if not overwrite:
        raise OutputExistsError(
            f"{folder} exists and is kept; use --overwrite (overwrite=True) to replace it"
        )
    if not ours(folder):
        raise OutputExistsError(
            f"{folder} was not made by apastats and is kept, even with --overwrite; name another folder"
        )
    if foreign := _foreign(folder):
        raise OutputExistsError(
            f"{folder / foreign[0]} was not made by apastats (of {len(foreign)} such files) and is kept, even with "
            "--overwrite; move it away, or name another folder"
        )


def remove(folder: Path) -> None:
    """Remove a folder of ours; the marker goes last, so that what an interruption leaves is still ours."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != MARKER:
            path.unlink()
    (folder / MARKER).unlink(missing_ok=True)
    folder.rmdir()


def refuse_foreign(folder: Path) -> None:
    """Raise OutputExistsError if something that is not ours has the name of a working folder."""
    if (folder.exists() or folder.is_symlink()) and not ours(folder):
        raise OutputExistsError(
            f"{folder} was not made by apastats and is kept; a run works under this name: move it away, or name "
            "another output folder"
        )


def clear(folder: Path) -> None:
    """Remove what an earlier run left under the name of a working folder; what is not ours is refused."""
    refuse_foreign(folder)
    if folder.exists():
        remove(folder)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold ``folder`` against a second run at the same time; raise OutputExistsError if one holds it.

    What a run that was killed while it replaced the folder has left is put in order first.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # no such locks on Windows: a second run is not noticed there
        _recover(folder)
        yield
        return
    path = beside(folder, ".lock")
    taken = OutputExistsError(
        f"{folder} is being written by another run; wait for it, or name another folder"
    )
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise OutputExistsError(f"{path} was not made by apastats and is kept; move it away")
    with path.open("a+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise taken from error
        # a run that ended in between has removed the file this lock is on
        if not path.exists() or os.fstat(held.fileno()).st_ino != path.stat().st_ino:
            raise taken
        held.seek(0)
        if held.read(200) not in ("", f"{FIRST_LINE}\n"):
            raise OutputExistsError(f"{path} was not made by apastats and is kept; move it away")
        try:
            held.truncate(0)
            held.write(f"{FIRST_LINE}\n")
            held.flush()
            _recover(folder)
            yield
        finally:
            path.unlink(missing_ok=True)


def _recover(folder: Path) -> None:
    """Put back, or remove, the folder that was being replaced when a run was killed."""
    old = beside(folder, ".replaced")
    if ours(old) and not folder.exists():
        old.rename(folder)
    else:
        clear(old)


@contextmanager
def building(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a scratch folder that becomes ``folder`` when the block ends well, and vanishes otherwise.

    A folder that is replaced stays whole under another name until the new one stands.
    """
    refuse_existing(folder, overwrite)
    part, old = beside(folder, ".part"), beside(folder, ".replaced")
    clear(part)
    clear(old)
    part.mkdir(parents=True)
    mark(part)
    try:
        yield part
        seal(part)
        refuse_existing(folder, overwrite)  # somebody may have made it meanwhile
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
        if old.exists():
            remove(old)
    finally:
        if part.exists():
            remove(part)
        if old.exists() and not folder.exists():
            old.rename(folder)
