"""Work that survives an interruption: finished blocks in a folder, with a manifest that says of what."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from apastats.errors import InputError
from apastats.words import read_json

__all__ = ["BlockStore", "open_store", "read_manifest", "resumed_seed"]

_MANIFEST = "manifest.json"


class BlockStore:
    """Folder of finished blocks of one computation.

    Parameters
    ----------
    folder : str or path
        Made if it does not exist.
    manifest : mapping
        Everything the numbers depend on (parameters, data hash, seed, version), as plain json.

    Raises
    ------
    InputError
        If the folder holds blocks of another computation, or files that are not ours.
    """

    def __init__(self, folder: str | Path, manifest: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        wanted = json.loads(json.dumps(manifest, sort_keys=True))
        found = read_manifest(self.folder)
        if found is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(self.folder / _MANIFEST, json.dumps(wanted, indent=1, sort_keys=True).encode())
        elif found != wanted:
            keys = sorted({*found, *wanted})
            other = [k for k in keys if found.get(k) != wanted.get(k)]
            raise InputError(
                "workdir",
                str(self.folder),
                "an empty folder, or one with blocks of this very computation",
                hint=f"It differs in {other}: "
                + "; ".join(f"{k} was {found.get(k)!r}, is {wanted.get(k)!r}" for k in other[:3]),
            )

    def _path(self, index: int) -> Path:
        return self.folder / f"block_{index:06d}.npz"

    def load(self, index: int) -> dict[str, np.ndarray] | None:
        """Arrays of a finished block, or None; a block that a disk has spoilt is not finished."""
        path = self._path(index)
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as npz:
                return {k: npz[k] for k in npz.files}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
            return None

    def save(self, index: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write a finished block: it is there completely or not at all."""
        import io

        buffer = io.BytesIO()
        plain: dict[str, Any] = {k: np.asarray(v) for k, v in arrays.items()}
        np.savez(buffer, **plain)
        _write(self._path(index), buffer.getvalue())


def open_store(workdir: str | Path | None, verb: str, **depends: Any) -> BlockStore | None:
    """Folder of the finished blocks of a verb; ``depends`` is all that its numbers depend on. None without a folder."""
    if workdir is None:
        return None
    from apastats import __version__

    made = {"verb": verb, "version": __version__, "numpy": np.__version__}
    return BlockStore(workdir, made | depends)


def read_manifest(folder: str | Path) -> dict[str, Any] | None:
    """Manifest of a work folder; None where there is no folder or an empty one."""
    folder = Path(folder)
    path = folder / _MANIFEST
    try:
        there = path.is_file()
    except OSError as error:  # a name that no file system takes
        raise InputError("workdir", str(folder)[:80], "a folder that can be made") from error
    if there:
        try:
            content = read_json(path)
        except ValueError as error:
            raise InputError("workdir", str(folder), "a folder with a readable manifest") from error
        return dict(content)
    if folder.exists() and (
        not folder.is_dir() or any(_ours(p) is False for p in folder.iterdir())
    ):
        raise InputError("workdir", str(folder), "an empty folder, or one made by an earlier run")
    return None


def resumed_seed(folder: str | Path) -> int | None:
    """Seed of an interrupted run whose seed was drawn; None where there is none."""
    manifest = read_manifest(folder)
    seed = str(manifest.get("seed", "")) if manifest else ""
    return int(seed) if seed.isdigit() else None


def _ours(path: Path) -> bool:
    """Whether a file may stand in a work folder without a manifest (left by a killed run)."""
    return path.name.startswith(".partial-")


def _write(path: Path, content: bytes) -> None:
    """Write to a temporary name, flush to disk, rename: atomic on one file system."""
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    with partial.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(partial, path)
