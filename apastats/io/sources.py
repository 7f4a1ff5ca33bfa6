"""Where tables come from: paths, lists, folders and patterns; and what the name of a file states (BIDS entities)."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from apastats.errors import InputError, ReadError
from apastats.folders import MARKER

__all__ = ["ENTITIES", "entities", "expand", "is_paths"]

# key in the name of a file -> column of the table
ENTITIES = {
    "sub": "subject", "ses": "session", "task": "task", "run": "run", "acq": "acq", "hemi": "hemi",
    "space": "space", "roi": "roi", "label": "roi", "model": "model", "layer": "layer",
    "metric": "metric", "split": "split",
}  # fmt: skip
_ENTITY = re.compile(r"([a-z]+)-([^_-][^_]*)")
# a json file in a folder describes the others (BIDS), HDF5 holds RDMs; where there is nothing else they are read
_ALONE = (".json", ".h5", ".hdf5")
# words for people, not tables
_WRITTEN = re.compile(
    r"(readme|licen[cs]e|changelog|changes|requirements|notice)\b.*\.txt$", re.IGNORECASE
)
_SIDE_FILES = ("participants.tsv", "sessions.tsv", "dataset_description.json")


def is_paths(source: Any) -> bool:
    """Whether a source is a path or a list of paths."""
    if isinstance(source, (str, Path)):
        return True
    listed = isinstance(source, (list, tuple, set, frozenset)) and len(source) > 0
    return listed and all(isinstance(p, (str, Path)) for p in source)


def expand(source: Any, suffixes: Sequence[str]) -> tuple[list[str], list[str]]:
    """All files that a path, a list, a folder or a pattern stands for.

    Parameters
    ----------
    source : str, path, or list of them
        A folder stands for its table files (those of its ``sub-*`` folders too); ``*``, ``?`` and ``[``
        make a pattern.
    suffixes : sequence of str
        Endings of table files.

    Returns
    -------
    files : list of str
        Sorted inside folders and patterns, so that the order of the file system does not matter.
    notes : list of str
        What was left unread.

    Raises
    ------
    ReadError
        If a path does not exist, or a folder or pattern holds no table file.
    """
    files: list[str] = []
    left: list[str] = []
    listed: Iterable[str | Path] = (
        [source] if isinstance(source, (str, Path)) else sorted(map(str, source))
        if isinstance(source, (set, frozenset)) else source
    )  # fmt: skip
    for entry in listed:
        path = os.fspath(entry)
        if not path.strip():
            raise InputError("source", path, "the path of a file or folder")
        if os.path.isdir(path):
            inside, other = _folder(path, tuple(suffixes))
            files += inside
            left += other
        elif os.path.isfile(path):
            files.append(path)
        elif os.path.exists(path):
            raise ReadError(path, "is no plain file (a pipe or a device); save it to a file first")
        elif glob.has_magic(path):
            found = sorted(p for p in glob.glob(path, recursive=True) if os.path.isfile(p))
            if not found:
                raise ReadError(path, "no file matches this pattern")
            files += found
        else:
            hint = "; download it first, nothing is read over the network" if "://" in path else ""
            raise ReadError(path, f"no such file or folder{hint}")
    twice = (
        [f for f in dict.fromkeys(files) if files.count(f) > 1]
        if len(set(files)) < len(files)
        else []
    )
    if twice:
        raise ReadError(twice[0], "is given twice")
    notes = []
    if left:
        more = " ..." if len(left) > 10 else ""
        notes.append(f"not table files, left unread: {', '.join(left[:10])}{more}")
    return files, notes


def _folder(path: str, suffixes: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Table files of a folder, and names of what is none."""
    entries = sorted(os.scandir(path), key=lambda e: e.name)
    names = [e.name for e in entries if e.is_file() and e.name != MARKER and e.name[0] != "."]
    table = tuple(s for s in suffixes if s not in _ALONE)
    good = _tables(names, table)
    if not good and not any(e.is_dir() for e in entries):
        good = _tables(names, _ALONE)
    places = {e.name: e.path for e in entries}
    files = [places[n] for n in good]
    subjects = [e.name for e in entries if e.is_dir() and e.name.startswith("sub-")]
    kept = set(good)
    left = [n for n in names if n not in kept]
    if subjects or not files:
        for folder in subjects or [e.name for e in entries if e.is_dir() and e.name[0] != "."]:
            files += _below(os.path.join(path, folder), table)
    if not files:
        raise ReadError(path, f"holds no table file; allowed: {', '.join(suffixes)}")
    return files, left


def _tables(names: Sequence[str], endings: tuple[str, ...]) -> list[str]:
    kept = (n for n in names if n not in _SIDE_FILES and not _WRITTEN.match(n))
    return [n for n in kept if n.lower().endswith(endings)]


def _below(folder: str, table: tuple[str, ...]) -> list[str]:
    """Table files of a folder and all folders in it."""
    found = []
    for base, folders, inner in os.walk(folder):
        folders.sort()
        found += [os.path.join(base, n) for n in _tables(sorted(inner), table)]
    return found


@lru_cache(maxsize=1024)
def _of_folders(folder: str) -> tuple[str, ...]:
    """Names of folders that state a subject or a session; files share their folders."""
    parts = folder.replace(os.sep, "/").split("/")
    return tuple(p for p in parts if re.fullmatch(r"(sub|ses)-[^_]+", p))


def entities(path: str) -> dict[str, str]:
    """Columns that the names of a file and its ``sub-*`` folders state.

    Parameters
    ----------
    path : str

    Returns
    -------
    dict
        Column -> label.

    Examples
    --------
    >>> entities("derivatives/sub-01/sub-01_roi-V1_desc-rsa_scores.tsv")
    {'subject': '01', 'roi': 'V1'}
    """
    found: dict[str, str] = {}
    if "-" not in path:
        return found
    folder, name = os.path.split(path)
    whole = _of_folders(folder)
    if not whole and "-" not in name:
        return found
    for part in [*whole, *name.split(".")[0].split("_")]:
        match = _ENTITY.fullmatch(part)
        if match and match[1] in ENTITIES:
            found[ENTITIES[match[1]]] = match[2]
    return found
