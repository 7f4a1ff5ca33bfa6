"""Files of response patterns and activations: npz without pickle, folders of npy files, stored activations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import checked
from apastats.errors import DataError, ReadError
from apastats.io.arrays import load_npy, npz_arrays
from apastats.io.rdm_labels import text

__all__ = ["read_patterns"]

SPLITS = ("train", "test")
STIMULI = ("stimuli", "stimulus")


class PatternSets(dict[tuple[str, str], Any]):
    """Patterns by labels, and the names of their rows where the source has them.

    Attributes
    ----------
    stimuli : dict
        Names of the rows of each part (``"train"``, ``"test"``; ``""`` where there is one); empty without names.
    """

    def __init__(
        self, sets: Mapping[tuple[str, str], Any], stimuli: Mapping[str, list[str]]
    ) -> None:
        super().__init__(sets)
        self.stimuli = dict(stimuli)

    def frames(self) -> dict[tuple[str, str], Any]:
        """The same with frames that bear the names as their index; arrays where there are none."""
        return {
            key: tuple(self._named(v, s) for v, s in zip(value, SPLITS, strict=True))
            if isinstance(value, tuple)
            else self._named(value, "train" if "train" in self.stimuli else "")
            for key, value in self.items()
        }

    def _named(self, array: Any, part: str) -> Any:
        names = self.stimuli.get(part, self.stimuli.get("" if part != "test" else "test"))
        if names is None:
            return array
        if len(names) != len(array):
            raise DataError(f"{len(names)} names of stimuli for patterns of {len(array)} rows")
        return pd.DataFrame(array, index=names, copy=False)


@checked
def read_patterns(source: str | Path, *, model: str | None = None) -> PatternSets:
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
    PatternSets
        A dict from pairs of labels to ``[n_stimulus, n_feature]`` arrays, or to pairs ``(train, test)`` of them, as
        :func:`apastats.score_patterns` and :func:`apastats.linear_predictivity` take them. Arrays of a folder
        are mapped from disk, not loaded. An array ``stimuli`` (or ``stimuli/train`` and ``stimuli/test``) names
        the rows of all sets; rows of brain and models are then matched by these names.

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
    stimuli: dict[str, list[str]] = {}
    for name, array in _arrays(path):
        if (parts := name.split("/"))[0] in STIMULI and array.ndim == 1:
            stimuli[parts[1] if len(parts) > 1 else ""] = text(array)
            continue
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
    return PatternSets(out, stimuli)


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
        if array is None:
            raise ReadError(path, f"array {name!r}: pickled objects are refused; save plain arrays")
        yield name, array


def _layers(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Layers of stored activations; a dot in their names is kept, a slash is not."""
    try:
        index = json.loads((folder / "index.json").read_text("utf-8"))
        layers, stimuli = list(index["layers"]), list(index.get("stimuli", ()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReadError(folder / "index.json", f"not an index of activations ({error})") from error
    if stimuli:
        yield "stimuli", np.array(stimuli, dtype=str)
    for k, layer in enumerate(layers):
        name = str(layer).replace("/", "_")
        yield name, load_npy(folder / f"layer_{k:03d}.npy", mmap=True)
