"""Npz and npy files of RDMs: nothing is ever unpickled, and sizes are looked at before memory is taken."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import InputError, ReadError
from apastats.io.arrays import load_npy, load_npz
from apastats.io.rdm_labels import STIMULI, RawRDMs, role_of
from apastats.io.rdm_vectors import n_stimulus, vectors_of

__all__ = ["read_npy", "read_npz"]

Layout = Sequence[Mapping[str, Any]] | None
VECTORS = re.compile("rdm|vector|dissim|dist|utv|arr_0", re.IGNORECASE)


def read_npy(path: Path) -> RawRDMs:
    """RDMs of an npy file: one square, a stack of squares, or vectors."""
    vectors = vectors_of(load_npy(path), str(path), "the array")
    return RawRDMs(vectors, pd.DataFrame(index=range(len(vectors))))


def read_npz(path: Path, layout: Layout, labelled: bool = False) -> RawRDMs:
    """Every stack of RDMs of an npz file; ``labelled``: labels of all RDMs are given, none are needed."""
    arrays, objects = load_npz(path)
    log = [f"array {k!r} holds Python objects and is left out" for k in objects]
    if layout is None and _is_own(arrays):
        return _own(arrays, log)
    entries = _entries(layout, path, arrays, objects)
    stacks = [e["array"] for e in entries]
    constants = _constants(arrays)
    one_dim = {k: v for k, v in arrays.items() if v.ndim == 1 and k not in stacks}
    parts = []
    patterns: dict[str, np.ndarray] = {}
    for entry in entries:
        name, array = entry["array"], arrays[entry["array"]]
        square = _is_stack(array)
        leading = array.shape[:-2] if square else array.shape[:-1]
        n = array.shape[-1] if square else n_stimulus(array.shape[-1])
        labels, of_stimuli = _sides(path, name, one_dim, leading, n)
        patterns |= of_stimuli
        columns = _columns(path, name, leading, labels, entry, stacks, objects, labelled)
        columns |= {k: np.full(leading, v) for k, v in constants.items() if k not in columns}
        if len(entries) > 1 and "model" not in map(role_of, columns):
            # stacks told apart by their name alone
            about = "array" if "subject" in map(role_of, columns) else "model"
            columns[about] = np.full(leading, name)
        flat = {c: np.asarray(v).reshape(-1) for c, v in columns.items()}
        frame = pd.DataFrame(flat, index=range(int(np.prod(leading, dtype=int))))
        parts.append((vectors_of(array, str(path), name), frame))
    if len({v.shape[1] for v, _ in parts}) > 1:
        shapes = {k: arrays[k].shape for k in stacks}
        raise ReadError(
            path, f"stacks of different numbers of stimuli: {shapes}; choose with layout="
        )
    frames = [f for _, f in parts]
    if len(frames) > 1:  # one name for one label, in stacks that call it differently
        frames = [f.rename(columns=_roles(f, frames)) for f in frames]
    frame = pd.concat(frames, ignore_index=True).fillna("-")
    vectors = np.concatenate([v for v, _ in parts])
    return RawRDMs(vectors, frame, patterns, _measure(arrays), log)


def _entries(
    layout: Layout, path: Path, arrays: Mapping[str, np.ndarray], objects: Sequence[str]
) -> list[Mapping[str, Any]]:
    """The stacks that are read: those of ``layout``, or all that look like one."""
    if layout is None:
        names = [k for k, v in arrays.items() if _is_stack(v)] or _condensed(arrays)
        if not names:
            _no_stack(path, arrays, objects)
        return [{"array": k} for k in names]
    if not isinstance(layout, (list, tuple)) or not layout:
        raise InputError("layout", layout, "a list of mappings, one per stack of RDMs")
    return [_entry(e, path, arrays) for e in layout]


def _constants(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Labels that hold for every RDM of the file: single texts under the name of a role."""
    return {
        k: str(v)
        for k, v in arrays.items()
        if v.ndim == 0 and v.dtype.kind in "US" and role_of(k) and str(v) not in ("", "None")
    }


def _roles(frame: pd.DataFrame, frames: Sequence[pd.DataFrame]) -> dict[str, str]:
    """Columns to rename: those that claim a role which another stack has under another name."""
    names = {role: {c for f in frames for c in f.columns if role_of(c) == role}
             for role in map(role_of, frame.columns) if role}  # fmt: skip
    return {c: r for c in frame.columns if (r := role_of(c)) and len(names[r]) > 1}


def _is_own(arrays: Mapping[str, np.ndarray]) -> bool:
    return "vectors" in arrays and any(k.startswith("label_") for k in arrays)


def _own(arrays: Mapping[str, np.ndarray], log: list[str]) -> RawRDMs:
    """What :meth:`RDMSet.save` wrote."""
    labels = {k[6:]: v.astype(str) for k, v in arrays.items() if k.startswith("label_")}
    patterns = {"stimulus": arrays["stimulus"]} if "stimulus" in arrays else {}
    return RawRDMs(arrays["vectors"], pd.DataFrame(labels), patterns, _measure(arrays), log)


def _measure(arrays: Mapping[str, np.ndarray]) -> str | None:
    found = arrays.get("measure")
    return str(found) if found is not None and found.ndim == 0 else None


def _no_stack(path: Path, arrays: Mapping[str, np.ndarray], objects: Sequence[str]) -> None:
    if objects:
        raise ReadError(
            path,
            f"holds pickled objects, which are refused (they can run code): {list(objects)}; save plain arrays",
        )
    shapes = {k: v.shape for k, v in arrays.items()}
    raise ReadError(
        path,
        f"no array whose last two axes are square, and no vectors of n (n - 1) / 2 pairs; found {shapes}",
    )


def _is_stack(array: np.ndarray) -> bool:
    return (
        array.ndim >= 2
        and array.dtype.kind in "fiu"
        and array.shape[-1] == array.shape[-2]
        and array.shape[-1] > 2
    )


def _condensed(arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Arrays of upper triangles: by their name, or where they are the only numbers of such a length."""
    found = {}
    for k, v in arrays.items():
        if v.ndim in (1, 2) and v.dtype.kind == "f" and v.shape[-1] >= 3:
            n = n_stimulus(v.shape[-1])
            if n * (n - 1) // 2 == v.shape[-1]:
                found[k] = v
    named = [k for k in found if VECTORS.search(k)]
    return named or (list(found) if len(found) == 1 else [])


def _sides(
    path: Path, name: str, one_dim: Mapping[str, np.ndarray], leading: tuple[int, ...], n: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Which one-dimensional arrays label RDMs, and which describe stimuli."""
    whole = [k for k, v in one_dim.items() if len(v) == n and role_of(k) is None]
    if n in leading:
        unsure = [k for k in whole if k.casefold() not in STIMULI]
        labelled = any(len(v) == n and role_of(k) for k, v in one_dim.items())
        if unsure and not labelled:
            raise ReadError(
                path,
                f"array {unsure[0]!r} may name the stimuli or axis {leading.index(n)} of {name} (both have {n}); "
                f"say it with layout=[{{'array': {name!r}, 'axes': [...]}}]",
            )
    return {k: v for k, v in one_dim.items() if k not in whole}, {k: one_dim[k] for k in whole}


def _entry(
    entry: Mapping[str, Any], path: Path, arrays: Mapping[str, np.ndarray]
) -> Mapping[str, Any]:
    if not isinstance(entry, Mapping) or "array" not in entry:
        raise InputError("layout", entry, "mappings with at least the key 'array'")
    if entry["array"] not in arrays:
        raise InputError("layout", entry["array"], f"an array of {path}: {list(arrays)}")
    return entry


def _columns(
    path: Path,
    name: str,
    leading: tuple[int, ...],
    labels: Mapping[str, np.ndarray],
    entry: Mapping[str, Any],
    stacks: Sequence[str],
    objects: Sequence[str],
    labelled: bool,
) -> dict[str, np.ndarray]:
    """Label columns of one stack, each broadcast to the shape of its leading axes."""
    further = {k: v for k, v in entry.items() if k not in ("array", "axes", "constant")}
    axes = entry.get("axes")
    if axes is None:
        if labelled or (not (labels or objects) and len(leading) < 2):
            return {}
        chosen = _infer_axes(path, name, leading, labels, stacks, objects)
    else:
        if len(axes) != len(leading):
            raise InputError(
                "layout", dict(entry), f"{len(leading)} axes for {name}, one per leading axis"
            )
        chosen = [[a] if isinstance(a, str) else list(a) for a in axes]
    columns: dict[str, np.ndarray] = {}
    length_of = {}
    for axis, names in enumerate(chosen):
        for label in names:
            values = _label(path, label, labels)
            if len(values) != leading[axis]:
                raise InputError(
                    "layout",
                    label,
                    f"a label array of length {leading[axis]} for axis {axis} of {name}",
                )
            shape = [1] * len(leading)
            shape[axis] = -1
            columns[label] = np.broadcast_to(values.reshape(shape), leading)
            length_of[len(values)] = axis
    for column, label in further.items():
        values = _label(path, label, labels)
        if label in columns:
            columns[column] = columns.pop(label) if column != label else columns[label]
        elif len(values) in length_of:
            shape = [1] * len(leading)
            shape[length_of[len(values)]] = -1
            columns[column] = np.broadcast_to(values.reshape(shape), leading)
        else:
            raise InputError(
                "layout", label, f"a label array as long as an axis of {name}: {leading}"
            )
    for column, value in dict(entry.get("constant", {})).items():
        columns[column] = np.full(leading, str(value))
    return columns


def _label(path: Path, label: str, labels: Mapping[str, np.ndarray]) -> np.ndarray:
    if label not in labels:
        raise InputError("layout", label, f"a one-dimensional array of {path}: {list(labels)}")
    return labels[label].astype(str)


def _infer_axes(
    path: Path,
    name: str,
    leading: tuple[int, ...],
    labels: Mapping[str, np.ndarray],
    stacks: Sequence[str],
    objects: Sequence[str],
) -> list[list[str]]:
    """Label arrays of each leading axis by length; ambiguity is an error, not a guess."""
    chosen = []
    for axis, length in enumerate(leading):
        if leading.count(length) > 1:
            raise ReadError(
                path, f"axes of {name} {leading} have the same length; name them with layout="
            )
        names = [k for k, v in labels.items() if len(v) == length]
        # a label that begins another stack's name belongs to that one: predictor -> predictor_rdms
        names = [
            k
            for k in names
            if name.startswith(k) or not any(other.startswith(k) for other in stacks)
        ]
        if not names:
            found = {k: len(v) for k, v in labels.items()}
            hint = (
                f"; {list(objects)} hold Python objects (save them by .astype(str))"
                if objects
                else ""
            )
            raise ReadError(
                path,
                f"no one-dimensional array names axis {axis} of {name} {leading}; found {found}{hint}. Pass "
                f"labels={{'subject': [...]}} with one value per RDM",
            )
        chosen.append(names)
    return chosen
