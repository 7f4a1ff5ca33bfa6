"""Inputs that change while a study runs: noticed, for a result would be of neither state."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from apastats.errors import StudyError
from apastats.studies.schema import is_path
from apastats.studies.sections import StudyFile

__all__ = ["refuse_changes", "stamps"]

Stamp = tuple[int, int, int]
#: paths that a run writes itself
_WRITTEN = {("inputs", "cache"), ("bootstrap", "workdir")}


def stamps(study: StudyFile, output: Path) -> dict[str, Stamp]:
    """Size, time of change and number on the disk of every input file, those of folders and patterns too.

    Parameters
    ----------
    study : StudyFile
        The study, its paths absolute.
    output : pathlib.Path
        Its output folder: what a run writes there, and beside it, is no input.
    """
    content = study.model_dump(exclude_none=True)
    own = os.path.abspath(output)
    written = [os.path.abspath(p) for p in _places(content, (), written=True)]
    working = (own + os.sep, own + ".", *written)
    found: dict[str, Stamp] = {}
    for place in _places(content, ()):
        for file in _files(place):
            if not os.path.abspath(file).startswith(working):
                state = os.stat(file)
                found[file] = (state.st_size, state.st_mtime_ns, state.st_ino)
    return found


def refuse_changes(before: Mapping[str, Stamp], after: Mapping[str, Stamp]) -> None:
    """Raise StudyError if a file is not what it was, is gone, or has come."""
    changed = {
        "changed": [f for f in before if f in after and before[f] != after[f]],
        "gone": [f for f in before if f not in after],
        "new": [f for f in after if f not in before],
    }
    told = [
        f"{word}: {', '.join(files[:3])}{f' and {len(files) - 3} more' if len(files) > 3 else ''}"
        for word, files in changed.items()
        if files
    ]
    if told:
        raise StudyError(
            f"inputs changed while the study ran ({'; '.join(told)}): its results would be of neither state and are "
            "not kept; run it again"
        )


def _places(value: Any, keys: tuple[str, ...], *, written: bool = False) -> Iterator[str]:
    """Texts of a study that are paths of inputs, or of what a run writes."""
    if isinstance(value, Mapping):
        for k, v in value.items():
            yield from _places(v, (*keys, str(k)), written=written)
    elif isinstance(value, (list, tuple)) and is_path(keys):
        for v in value:
            yield from _places(v, keys, written=written)
    elif isinstance(value, str) and is_path(keys) and (keys[:2] in _WRITTEN) is written:
        yield value


def _files(place: str) -> Iterator[str]:
    file = place if os.path.exists(place) else place.rpartition(":")[0]  # code: FILE.py:FUNCTION
    if os.path.isdir(file):
        for folder, _, names in os.walk(file):
            yield from (os.path.join(folder, name) for name in names)
    elif os.path.isfile(file):
        yield file
    else:
        yield from (f for f in glob.glob(place, recursive=True) if os.path.isfile(f))
