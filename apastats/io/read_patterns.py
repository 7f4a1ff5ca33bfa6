"""Files of response patterns and activations: npz without pickle, folders of npy files, stored activations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from apastats.errors import DataError, ReadError
from apastats.io.arrays import load_npy, npz_arrays

__all__ = ["read_patterns"]

SPLITS = ("train", "test")
STIMULI = ("stimuli", "stimulus")


def read_patterns(source: str | Path, *, model: str | None = None) -> dict[tuple[str, str], Any]:
    """Read response patterns or activations.

    Parameters
    ----------
    source : str or path
        An npz file or a folder of npy files. The name of an array is ``FIRST/SECOND`` (``sub-01/V1``,
        ``resnet/layer4``), or ``FIRST/SECOND/train`` and ``FIRST/SECOND/test`` for two sets of stimuli; in a
        folder the slashes are folders. A folder made by :func:`apastats.activations` is read as its layers.
    model : str, optional
        First label where names have one part only (the layers of one network); the name of the source by
        default.

    Returns
    -------
    dict
        From pairs of labels to ``[n_stimulus, n_feature]`` arrays, or to pairs ``(train, test)`` of them, as
        :func:`apastats.score_patterns` and :func:`apastats.linear_predictivity` take them. Arrays of a folder
        are mapped from disk, not loaded.

    Raises
    ------
    ReadError
        If the source is none of these, is damaged, declares more data than it could hold, or holds
        pickled objects.
    DataError
        If names do not tell two labels apart, or a set has a test part only.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as d:
    ...     np.savez(d + "/brain.npz", **{"s1/V1": np.eye(4), "s2/V1": np.eye(4)})
    ...     list(read_patterns(d + "/brain.npz"))
    [('s1', 'V1'), ('s2', 'V1')]
    """
    path = Path(source)
    first = path.stem if model is None else model
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for name, array in _arrays(path):
        parts = [p for p in name.split("/") if p]
        split = parts.pop() if parts and parts[-1] in SPLITS and len(parts) > 1 else ""
        if len(parts) == 1:
            parts.insert(0, first)
        if len(parts) != 2:
            raise DataError(
                f"{path}: array {name!r}; allowed: FIRST/SECOND (subject/roi, model/layer), with /train or /test "
                "after it"
            )
        sets = found.setdefault((parts[0], parts[1]), {})
        if split in sets or (sets and ("" in sets or split == "")):
            raise DataError(f"{path}: array {name!r} repeats the labels of another one")
        sets[split] = array
    if not found:
        raise ReadError(path, "holds no arrays of patterns")
    out: dict[tuple[str, str], Any] = {}
    for key, sets in found.items():
        if "test" in sets and "train" not in sets:
            raise DataError(f"{path}: {'/'.join(key)} has a test part and no train part")
        out[key] = (sets["train"], sets["test"]) if "test" in sets else next(iter(sets.values()))
    return out


def _arrays(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Names and arrays, in order."""
    if path.is_dir():
        if (path / "index.json").is_file():
            yield from _layers(path)
            return
        for file in sorted(path.rglob("*.npy")):
            yield file.relative_to(path).with_suffix("").as_posix(), load_npy(file, mmap=True)
        return
    if path.suffix.lower() != ".npz" or not path.is_file():
        raise ReadError(path, "no such folder of npy files, and no npz file")
    for name, array in npz_arrays(path):
        if name in STIMULI:
            continue
        if array is None:
            raise ReadError(path, f"array {name!r}: pickled objects are refused; save plain arrays")
        yield name, array


def _layers(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Layers of stored activations; a dot in their names is kept, a slash is not."""
    try:
        layers = list(json.loads((folder / "index.json").read_text("utf-8"))["layers"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReadError(folder / "index.json", f"not an index of activations ({error})") from error
    for k, layer in enumerate(layers):
        name = str(layer).replace("/", "_")
        yield name, load_npy(folder / f"layer_{k:03d}.npy", mmap=True)
