"""Assemblies of responses: presentation x neuroid arrays of xarray and netCDF, as Brain-Score keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from apastats.errors import DataError
from apastats.io.columns import canonical
from apastats.io.rdm_grids import one_variable
from apastats.io.rdm_labels import text

__all__ = ["Assembly", "open_assembly", "read_assembly"]

ROWS = ("presentation", "stimulus", "stimuli", "image", "stimulus_path", "trial", "sample")
COLUMNS = ("neuroid", "neuron", "unit", "voxel", "vertex", "channel", "feature", "site")
BINS = ("time_bin", "time", "time_bins")
NAMES = (
    "stimulus_id",
    "image_id",
    "stimulus",
    "stimulus_name",
    "image",
    "image_name",
    "sentence_id",
)
REPEATS = ("repetition", "repeat", "repetition_id", "trial", "presentation_number")


class Assembly:
    """What an assembly holds.

    Attributes
    ----------
    sets : dict
        From pairs of labels to ``[n_stimulus, n_neuroid]``, means over the repetitions; from triples, the time bin
        last, where there are several.
    stimuli : list of str
        Names of the rows; empty where nothing names them.
    repeats : dict
        From the same labels to ``[n_stimulus, n_repeat, n_neuroid]``, NaN where a stimulus was shown less
        often; empty where no stimulus was repeated.
    log : tuple of str
    """

    def __init__(self, sets: Mapping[tuple[str, ...], np.ndarray], stimuli: list[str],
                 repeats: Mapping[tuple[str, ...], np.ndarray], log: tuple[str, ...]) -> None:  # fmt: skip
        self.sets, self.stimuli = dict(sets), stimuli
        self.repeats, self.log = dict(repeats), log


def open_assembly(path: Path) -> Any:
    """The one array with presentations and neuroids of a netCDF file.

    Raises
    ------
    ReadError
        Damaged, or without such an array; the message says what it holds.
    """
    return one_variable(
        path,
        lambda v: bool(_axis(v, ROWS) and _axis(v, COLUMNS)),
        "with presentations and neuroids (dims such as presentation, neuroid)",
        "read_patterns",
    )


def _axis(array: Any, names: tuple[str, ...]) -> str:
    return next((str(d) for d in array.dims if str(d) in names), "")


def read_assembly(array: Any, first: str, source: str = "data") -> Assembly:
    """Patterns of an assembly, a set for each subject and region (or model and layer) of its neuroids, and time bin.

    Parameters
    ----------
    array : xarray.DataArray
        Presentations (or stimuli) by neuroids (or units, voxels), by time bins.
    first : str
        First label where the neuroids have none.
    source : str
        For messages.

    Raises
    ------
    DataError
        Other axes, stimuli that several coordinates name, or values that are no numbers.
    """
    rows, columns = _axis(array, ROWS), _axis(array, COLUMNS)
    if not rows or not columns:
        raise DataError(
            f"{source}: an assembly has an axis of presentations {list(ROWS[:4])} and one of neuroids "
            f"{list(COLUMNS[:5])}; it has {list(map(str, array.dims))}"
        )
    bins = _axis(array, BINS)
    if bins and array.sizes[bins] > 1:
        return _of_bins(array, bins, first, source)
    array, log = _one_bin(array, rows, columns, source)
    values = np.asarray(array.transpose(rows, columns).values)
    if values.dtype.kind not in "fiub":
        raise DataError(f"{source}: type {values.dtype}; allowed: numbers")
    keys, said = _labels(array, columns, first)
    log += said
    names, said = _stimuli(array, rows, source)
    log += said
    values = values.astype("f8")
    if not names:
        shown, order, codes = [], np.arange(len(values)), np.arange(len(values))
    else:
        shown = list(dict.fromkeys(names))
        place = {n: i for i, n in enumerate(shown)}
        codes = np.array([place[n] for n in names])
        order = np.arange(len(shown))
    repeats: dict[tuple[str, ...], np.ndarray] = {}
    sets: dict[tuple[str, ...], np.ndarray] = {}
    count = np.bincount(codes, minlength=len(order))
    for key in dict.fromkeys(keys):
        part = values[:, [k == key for k in keys]]
        if count.max() == 1:
            sets[key] = part[np.argsort(codes, kind="stable")]
            continue
        stack = _stacked(part, codes, count)
        repeats[key] = stack
        sets[key] = _means(stack)
    if repeats:
        often = f"{count.min()} to {count.max()}" if count.min() < count.max() else f"{count.max()}"
        log.append(
            f"patterns are means of {often} repetitions of {len(order)} stimuli; the single ones are in repeats"
        )
    return Assembly(sets, shown, repeats, tuple(log))


def _of_bins(array: Any, axis: str, first: str, source: str) -> Assembly:
    """All time bins, each under its label: its own, or where it begins."""
    names = _bin_names(array, axis)
    sets: dict[tuple[str, ...], np.ndarray] = {}
    repeats: dict[tuple[str, ...], np.ndarray] = {}
    found = [read_assembly(array.isel({axis: k}), first, source) for k in range(len(names))]
    for name, part in zip(names, found, strict=True):
        sets |= {(*key, name): v for key, v in part.sets.items()}
        repeats |= {(*key, name): v for key, v in part.repeats.items()}
    log = (
        *found[0].log,
        f"{len(names)} bins of axis {axis!r} taken as time, {names[0]} to {names[-1]}",
    )
    return Assembly(sets, found[0].stimuli, repeats, log)


def _bin_names(array: Any, axis: str) -> list[str]:
    """Names of time bins: the first coordinate along the axis that tells all apart, or their numbers."""
    own = [axis] if axis in array.coords else []
    along = [str(k) for k, v in array.coords.items() if v.dims == (axis,) and str(k) != axis]
    starts = sorted(along, key=lambda k: "start" not in k)
    for k in [*own, *starts]:
        values = array[k].values.tolist()
        # a level of an index of pairs (start, end): where the bin begins
        names = text([v[0] if isinstance(v, tuple) else v for v in values])
        if len(set(names)) == len(names):
            return names
    return [str(k) for k in range(int(array.sizes[axis]))]


def _one_bin(array: Any, rows: str, columns: str, source: str) -> tuple[Any, list[str]]:
    log = []
    for axis in map(str, array.dims):
        if axis in (rows, columns):
            continue
        if array.sizes[axis] != 1:
            what = "time bins" if axis in BINS else "entries"
            raise DataError(
                f"{source}: axis {axis!r} has {array.sizes[axis]} {what}; choose one by assembly.isel({axis}=0), or "
                f"average by assembly.mean({axis!r})"
            )
        log.append(f"axis {axis!r} has one entry and is left out")
        array = array.isel({axis: 0})
    return array, log


def _coordinates(array: Any, axis: str) -> dict[str, list[str]]:
    """Coordinates along an axis as text, levels of an index among them."""
    return {
        str(k): text(np.asarray(v.values).tolist())
        for k, v in array.coords.items()
        if v.dims == (axis,) and str(k) != axis
    } | (
        {axis: text(np.asarray(array[axis].values).tolist())}
        if axis in array.coords and not isinstance(array[axis].values[:1].tolist()[0], tuple)
        else {}
    )


def _labels(array: Any, axis: str, first: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Two labels of every neuroid: subject and region, or model and layer."""
    found = _coordinates(array, axis)
    roles: dict[str, tuple[str, list[str]]] = {}
    for name, values in found.items():
        role = canonical(name)
        if role in ("subject", "roi", "model", "layer"):
            roles.setdefault(role, (name, values))
    for name, value in array.coords.items():  # one value for the whole assembly
        if canonical(str(name)) in ("subject", "roi", "model", "layer") and value.ndim == 0:
            label = text([value.item()])[0]
            roles.setdefault(
                str(canonical(str(name))), (str(name), [label] * int(array.sizes[axis]))
            )
    pair = ("model", "layer") if "layer" in roles and "roi" not in roles else ("subject", "roi")
    n = int(array.sizes[axis])
    log, columns = [], []
    for role, other in zip(pair, (first, "-"), strict=True):
        name, values = roles.get(role, ("", [other] * n))
        log.append(
            f"coordinate {name!r} taken as {role}"
            if name
            else f"no coordinate says the {role} of the neuroids; it is {other!r}"
        )
        columns.append(values)
    return list(zip(*columns, strict=True)), log


def _stimuli(array: Any, axis: str, source: str) -> tuple[list[str], list[str]]:
    """Name of the stimulus of every presentation; empty where nothing names them."""
    found = _coordinates(array, axis)
    n = int(array.sizes[axis])
    by_name = [k for k in found if k.lower() in NAMES]
    if by_name:
        partition = {tuple(_codes(found[k])) for k in by_name}
        if len(partition) > 1:
            raise DataError(
                f"{source}: coordinates {by_name} name the presentations differently; drop one by "
                f"assembly.reset_coords({by_name[1]!r}, drop=True)"
            )
        return found[by_name[0]], [f"stimuli named by {by_name[0]!r}"]
    repeated = any(k.lower() in REPEATS for k in found)
    distinct = [
        k
        for k, v in found.items()
        if len(set(v)) == n and k.lower() not in REPEATS and v not in _counting(n)
    ]
    if repeated or len(distinct) > 1:
        raise DataError(
            f"{source}: coordinates of {axis!r} are {list(found)}; the one that names the stimuli has to be called "
            f"stimulus_id: assembly.rename({{NAME: 'stimulus_id'}})"
        )
    if distinct:
        return found[distinct[0]], [f"stimuli named by {distinct[0]!r}"]
    return [], ["no coordinate names the stimuli: they are matched by position"]


def _counting(n: int) -> list[list[str]]:
    return [[str(k + start) for k in range(n)] for start in (0, 1)]


def _codes(values: list[str]) -> list[int]:
    place: dict[str, int] = {}
    return [place.setdefault(v, len(place)) for v in values]


def _stacked(part: np.ndarray, codes: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Presentations as ``[n_stimulus, n_repeat, n_neuroid]``, NaN where there are fewer."""
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(count)[:-1]])
    turn = np.arange(len(codes)) - np.repeat(starts, count)
    out = np.full((len(count), int(count.max()), part.shape[1]), np.nan)
    out[codes[order], turn] = part[order]
    return out


def _means(stack: np.ndarray) -> np.ndarray:
    present = np.isfinite(stack)
    number = present.sum(axis=1)
    total = np.where(present, stack, 0.0).sum(axis=1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)
