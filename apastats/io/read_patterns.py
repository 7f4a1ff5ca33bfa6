"""Response patterns and activations: npz without pickle, folders of npy files, stored activations, assemblies."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats import arguments
from apastats.arguments import checked
from apastats.errors import DataError, InputError, ReadError
from apastats.io.arrays import load_npy, npz_arrays
from apastats.io.assemblies import Assembly, open_assembly, read_assembly
from apastats.io.rdm_labels import text
from apastats.words import read_json

__all__ = ["FORMATS", "read_patterns"]

# what is read; the page on formats prints it
FORMATS = {
    "npz": "arrays [stimulus, feature] named FIRST/SECOND (sub-01/V1, resnet/layer4), with /train and /test; "
    "[stimulus, feature, time] with an array time; stimuli",
    "folder": "npy files in folders of the same names; stored activations",
    "npy": "one array [stimulus, feature], with model= for its first label; the second is the name of the file",
    "nc": "netCDF of presentations by neuroids (Brain-Score), by time bins: labels from coordinates, repetitions "
    "averaged and kept",
}

SPLITS = ("train", "test")
STIMULI = ("stimuli", "stimulus")
TIMES = ("time", "times")


class PatternSets(dict[Any, Any]):
    """Patterns by labels, and the names of their rows where the source has them.

    Attributes
    ----------
    stimuli : dict
        Names of the rows of each part (``"train"``, ``"test"``; ``""`` where there is one); empty without names.
    repeats : dict
        From the same labels to ``[n_stimulus, n_repeat, n_feature]``, where stimuli were shown several times and
        the patterns are means; as :func:`apastats.ncsnr` takes them.
    log : tuple of str
        What was taken for what, and averaged.
    """

    def __init__(
        self,
        sets: Mapping[tuple[str, ...], Any],
        stimuli: Mapping[str, list[str]],
        repeats: Mapping[tuple[str, ...], Any] | None = None,
        log: Sequence[str] = (),
    ) -> None:
        super().__init__(sets)
        self.stimuli = dict(stimuli)
        self.repeats = dict(repeats or {})
        self.log = tuple(log)

    def frames(self) -> dict[tuple[str, ...], Any]:
        """The same with frames that bear the names as their index; arrays where there are none."""
        return {
            key: tuple(self._named(v, s) for v, s in zip(value, SPLITS, strict=True))
            if isinstance(value, tuple)
            else self._named(value, "train" if "train" in self.stimuli else "")
            for key, value in self.items()
        }

    @property
    def hash(self) -> str:
        """SHA-256 over labels and bytes, first 16 hex digits."""
        return hash_of_sets(self)

    def _named(self, array: Any, part: str) -> Any:
        names = self.stimuli.get(part, self.stimuli.get("" if part != "test" else "test"))
        if names is None:
            return array
        if len(names) != len(array):
            raise DataError(f"{len(names)} names of stimuli for patterns of {len(array)} rows")
        return pd.DataFrame(array, index=names, copy=False)


def hash_of_sets(sets: Mapping[Any, Any]) -> str:
    """Hash of arrays, or of tuples of them, by their labels, in their order."""
    digest = hashlib.sha256()
    for key, arrays in sets.items():
        for array in arrays if isinstance(arrays, tuple) else (arrays,):
            digest.update(f"{key}{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


@checked
def read_patterns(source: Any, *, model: str | None = None) -> PatternSets:
    """Read response patterns or activations.

    Parameters
    ----------
    source : str, path, list of them, or xarray.DataArray
        * An npz file or a folder of npy files. The name of an array is ``FIRST/SECOND`` (``sub-01/V1``,
          ``resnet/layer4``), or ``FIRST/SECOND/train`` and ``FIRST/SECOND/test`` for two sets of stimuli; in a
          folder the slashes are folders. Arrays ``[n_stimulus, n_feature, n_time]`` are a set for every time point,
          which an array ``time`` names. A folder made by :func:`apastats.activations` is read as its layers.
        * An npy file with ``model``: one set, whose second label is the name of the file.
        * A netCDF file or DataArray of presentations by neuroids, as Brain-Score keeps them (an assembly): a set for
          each subject and region of the neuroids (``animal``, ``region``; ``model``, ``layer`` of activations),
          stimuli by their coordinate (``stimulus_id``, ``image_id``). Repetitions are averaged, and kept in
          ``repeats``.
        * A list of these, or a pattern (``"responses/*.npz"``): all sets together, rows in the order of the first.
    model : str, optional
        First label where names have one part only (the layers of one network, or an npy file); the name of the source
        by default, of npz files and folders.

    Returns
    -------
    PatternSets
        A dict from pairs of labels (triples, with the time last, where there are time points) to ``[n_stimulus,
        n_feature]`` arrays, or to pairs ``(train, test)`` of them, as :func:`apastats.score_patterns` and
        :func:`apastats.linear_predictivity` take them. Arrays of a folder
        are mapped from disk, not loaded. An array ``stimuli`` (or ``stimuli/train`` and ``stimuli/test``) names
        the rows of all sets; rows of brain and models are then matched by these names.

    Raises
    ------
    ReadError
        If the source is none of these, is damaged, declares more data than it could hold, or holds
        pickled objects.
    DataError
        If names do not tell two labels apart, a set has a test part only, files name other stimuli, or an
        assembly has several time bins.

    See Also
    --------
    rdms_from_patterns, score_patterns, read

    References
    ----------
    .. [1] The apastats developers (2026). apastats: Statistics for brain-model alignment. Python package.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as d:
    ...     np.savez(d + "/brain.npz", **{"s1/V1": np.eye(4), "s2/V1": np.eye(4)})
    ...     list(read_patterns(d + "/brain.npz"))
    [('s1', 'V1'), ('s2', 'V1')]
    """
    if hasattr(source, "dims") and hasattr(source, "coords"):
        if not hasattr(source, "dtype"):
            raise InputError(
                "source", "an xarray Dataset", "a DataArray: read_patterns(dataset[NAME])"
            )
        return _of_assembly(read_assembly(source, "-" if model is None else model))
    if isinstance(source, (list, tuple)) and source:
        return _together([_one(Path(arguments.path("source", p)), model) for p in source])
    path = arguments.path("source", source)
    if glob.has_magic(str(path)) and not path.exists():
        found = sorted(glob.glob(str(path), recursive=True))
        if not found:
            raise ReadError(path, "no file fits the pattern")
        return _together([_one(Path(p), model) for p in found])
    return _one(path, model)


def _of_assembly(found: Assembly) -> PatternSets:
    return PatternSets(
        found.sets, {"": found.stimuli} if found.stimuli else {}, found.repeats, found.log
    )


def _together(parts: Sequence[PatternSets]) -> PatternSets:
    """All sets of several sources; their rows in the order of the first, by name."""
    first = parts[0]
    sets: dict[tuple[str, ...], Any] = {}
    repeats: dict[tuple[str, ...], Any] = {}
    for part in parts:
        twice = set(sets) & set(part)
        if twice:
            raise DataError(f"patterns of {'/'.join(min(twice))} are in two sources")
        order = _order(first.stimuli, part.stimuli)
        for key, value in part.items():
            kinds = SPLITS if isinstance(value, tuple) else ("",)
            rows = [
                v if order.get(k) is None else v[order[k]]
                for k, v in zip(kinds, value if isinstance(value, tuple) else (value,), strict=True)
            ]
            sets[key] = tuple(rows) if isinstance(value, tuple) else rows[0]
        for key, value in part.repeats.items():
            repeats[key] = value if order.get("") is None else value[order[""]]
    log = dict.fromkeys(line for part in parts for line in part.log)
    return PatternSets(sets, first.stimuli, repeats, tuple(log))


def _order(
    first: Mapping[str, list[str]], other: Mapping[str, list[str]]
) -> dict[str, np.ndarray | None]:
    """Rows of another source in the order of the first, None where they are in it already."""
    if set(first) != set(other):
        raise DataError("some sources name their stimuli and some do not: give all names, or none")
    out: dict[str, np.ndarray | None] = {}
    for part, names in first.items():
        own = other[part]
        if own == names:
            out[part] = None
            continue
        odd = sorted(set(own) ^ set(names))
        if odd:
            raise DataError(f"sources name other stimuli; {odd[0]!r} is in one of them only")
        if len(set(own)) < len(own):
            raise DataError(
                "stimuli that occur several times are in different orders in two sources"
            )
        place = {n: i for i, n in enumerate(own)}
        out[part] = np.array([place[n] for n in names])
    return out


def _one(path: Path, model: str | None) -> PatternSets:
    """Patterns of one file or folder."""
    if path.suffix.lower() in (".nc", ".nc4", ".netcdf"):
        if not path.is_file():
            raise ReadError(path, "there is no such file")
        name = path.stem if model is None else model
        return _of_assembly(read_assembly(open_assembly(path), name, str(path)))
    first = path.stem if model is None else model
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    stimuli: dict[str, list[str]] = {}
    every = list(_arrays(path, model))
    times = next((text(a) for n, a in every if n in TIMES and a.ndim == 1), None)
    for name, array in every:
        if times is not None and name in TIMES and array.ndim == 1:
            continue
        if (parts := name.split("/"))[0] in STIMULI and array.ndim == 1:
            stimuli[parts[1] if len(parts) > 1 else ""] = text(array)
            continue
        _refuse_other(path, name, array)
        labels, split = _labels_of(path, name, first)
        for time, part in _time_points(path, name, array, times):
            sets = found.setdefault((*labels, *time), {})
            if split in sets or (sets and ("" in sets or split == "")):
                raise DataError(f"{path}: array {name!r} repeats the labels of another one")
            sets[split] = part
    if not found:
        raise ReadError(path, "holds no arrays of patterns")
    out: dict[tuple[str, ...], Any] = {}
    for key, sets in found.items():
        if "test" in sets and "train" not in sets:
            raise DataError(f"{path}: {'/'.join(key)} has a test part and no train part")
        out[key] = (sets["train"], sets["test"]) if "test" in sets else next(iter(sets.values()))
    return PatternSets(out, stimuli)


def _labels_of(path: Path, name: str, first: str) -> tuple[tuple[str, str], str]:
    """Two labels of an array, and the part it is."""
    parts = [p for p in name.split("/") if p]
    split = parts.pop() if parts and parts[-1] in SPLITS and len(parts) > 1 else ""
    if len(parts) == 1:
        parts.insert(0, first)
    if len(parts) != 2:
        raise DataError(
            f"{path}: array {name!r}; allowed: FIRST/SECOND (subject/roi, model/layer), with /train or /test "
            "after it"
        )
    return (parts[0], parts[1]), split


def _time_points(
    path: Path, name: str, array: np.ndarray, times: list[str] | None
) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    """The array as it is, or its time points with their names."""
    if array.ndim == 2:
        yield (), array
        return
    if (
        times is None
        or array.ndim != 3
        or array.shape[2] != len(times)
        or len(set(times)) < len(times)
    ):
        raise DataError(
            f"{path}: array {name!r} of shape {array.shape}; allowed: [stimulus, feature], or [stimulus, feature, "
            f"time] with an array 'time' of as many names, each once"
        )
    for k, time in enumerate(times):
        yield (time,), array[:, :, k]


def _refuse_other(path: Path, name: str, array: np.ndarray) -> None:
    if array.ndim < 2 or array.dtype.kind not in "biuf":
        raise DataError(
            f"{path}: array {name!r} of shape {array.shape} and type {array.dtype}; allowed: numbers [stimulus, "
            f"feature], and names of stimuli in an array called {' or '.join(map(repr, STIMULI))}"
        )


def _arrays(path: Path, model: str | None) -> Iterator[tuple[str, np.ndarray]]:
    """Names and arrays, in order."""
    if path.is_dir():
        if (path / "index.json").is_file():
            yield from _layers(path)
            return
        for file in sorted(path.rglob("*.npy")):
            yield file.relative_to(path).with_suffix("").as_posix(), load_npy(file, mmap=True)
        return
    if not path.is_file():
        raise ReadError(path, "there is no such file or folder")
    if path.suffix.lower() == ".npy":
        if model is None:
            raise ReadError(
                path,
                "one npy file has no labels (subject/roi, model/layer): model= names the first (the second is the name "
                "of the file), or give the folder, whose path to the file names both, or the array itself: "
                "{('sub-01', 'V1'): numpy.load(path)}",
            )
        yield path.stem, load_npy(path, mmap=True)
        return
    if path.suffix.lower() != ".npz":
        raise ReadError(
            path, "is no npz, npy or netCDF file (by its ending), nor a folder of npy files"
        )
    for name, array in npz_arrays(path):
        if array is None:
            raise ReadError(path, f"array {name!r}: pickled objects are refused; save plain arrays")
        yield name, array


def _layers(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Layers of stored activations; a dot in their names is kept, a slash is not."""
    try:
        index = read_json(folder / "index.json")
        layers, stimuli = list(index["layers"]), list(index.get("stimuli", ()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReadError(folder / "index.json", f"not an index of activations ({error})") from error
    if stimuli:
        yield "stimuli", np.array(stimuli, dtype=str)
    for k, layer in enumerate(layers):
        name = str(layer).replace("/", "_")
        yield name, load_npy(folder / f"layer_{k:03d}.npy", mmap=True)
