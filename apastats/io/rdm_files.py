"""Files of RDMs: npz without pickle, and the HDF5 layout of rsatoolbox, as plain arrays and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from apastats.errors import DataError, InputError, ReadError

__all__ = ["ALIASES", "RawRDMs", "read_h5", "read_npz", "vectors_of", "write_h5", "write_npz"]

ALIASES = {
    "network": "model",
    "predictor": "model",
    "subj": "subject",
    "participant": "subject",
    "region": "roi",
}
STIMULI = ("stimulus", "stimuli")
# float32 RDMs of 1 - r carry rounding of a few 1e-7 of their range
ROUNDING = 1e-5


class RawRDMs(NamedTuple):
    """Upper triangles, labels, stimulus names (maybe none) and measure as a file has them."""

    vectors: np.ndarray
    labels: pd.DataFrame
    stimuli: tuple[str, ...]
    measure: str | None


def vectors_of(array: np.ndarray, source: str, name: str) -> np.ndarray:
    """Upper triangles ``[n_rdm, n_pair]`` of ``[n, n]``, ``[..., n, n]`` or ``[n_rdm, n_pair]``."""
    if array.dtype.kind not in "fiub":
        raise DataError(f"{source}: {name} has type {array.dtype}; allowed: numbers")
    if array.ndim == 1:
        array = array[None]
    if array.ndim == 2 and array.shape[0] != array.shape[1]:
        return array
    if array.ndim < 2 or array.shape[-1] != array.shape[-2] or array.shape[-1] < 2:
        raise DataError(
            f"{source}: {name} has shape {array.shape}; its last two axes must be square "
            f"(stimulus by stimulus), or the whole [n_rdm, n_pair]"
        )
    stack = array.reshape(-1, *array.shape[-2:])
    for k, matrix in enumerate(stack):
        _check_square(
            matrix, source, f"{name}{list(map(int, np.unravel_index(k, array.shape[:-2])))}"
        )
    i, j = np.triu_indices(array.shape[-1], 1)
    return np.ascontiguousarray(stack[:, i, j])


def _check_square(matrix: np.ndarray, source: str, entry: str) -> None:
    missing = np.isnan(matrix) if matrix.dtype.kind == "f" else np.zeros(matrix.shape, dtype=bool)
    off = ~np.eye(len(matrix), dtype=bool)
    if (missing | ~off).all():
        raise ReadError(source, f"{entry} is NaN everywhere")
    # an RDM that is 0 up to rounding (identical patterns) has no scale of its own
    scale = max(ROUNDING * float(np.nanmax(np.abs(matrix))), 1e-15)
    if (missing != missing.T).any():
        a, b = np.argwhere(missing != missing.T)[0]
        raise ReadError(
            source, f"{entry} is not symmetric: only one of [{a}, {b}] and [{b}, {a}] is NaN"
        )
    with np.errstate(invalid="ignore"):
        gap = np.where(missing, 0.0, np.abs(matrix.astype("f8") - matrix.T))
    if gap.max() > scale:
        a, b = np.unravel_index(gap.argmax(), gap.shape)
        raise ReadError(
            source,
            f"{entry} is not symmetric: [{a}, {b}] is {matrix[a, b]:.6g}, [{b}, {a}] is {matrix[b, a]:.6g}",
        )
    diagonal = np.nan_to_num(np.abs(np.diagonal(matrix)))
    if diagonal.max() > scale:
        k = int(diagonal.argmax())
        raise ReadError(
            source,
            f"{entry} has {matrix[k, k]:.6g} on the diagonal (stimulus {k}); a dissimilarity of a stimulus "
            f"with itself is 0. A similarity matrix must be turned into dissimilarities first",
        )


def read_npz(path: Path, layout: Sequence[Mapping[str, Any]] | None) -> RawRDMs:
    """Read every stack of RDMs of an npz file; nothing is ever unpickled."""
    arrays = _load_npz(path)
    labels = {k: v for k, v in arrays.items() if v.ndim == 1 and k not in STIMULI}
    stimuli = next((tuple(map(str, arrays[k])) for k in STIMULI if k in arrays), ())
    measure = (
        str(arrays["measure"]) if "measure" in arrays and arrays["measure"].ndim == 0 else None
    )
    if layout is None and "vectors" in arrays and any(k.startswith("label_") for k in labels):
        own = {k[6:]: v.astype(str) for k, v in labels.items() if k.startswith("label_")}
        return RawRDMs(arrays["vectors"], pd.DataFrame(own), stimuli, measure)
    if layout is None:
        names = [k for k, v in arrays.items() if _is_stack(v)]
        if not names:
            shapes = {k: v.shape for k, v in arrays.items()}
            raise ReadError(path, f"no array whose last two axes are square; found {shapes}")
        entries: list[Mapping[str, Any]] = [{"array": k} for k in names]
    else:
        entries = [_entry(e, path, arrays) for e in layout]
    parts = []
    for entry in entries:
        name = entry["array"]
        array = arrays[name]
        leading = array.shape[:1] if array.ndim == 2 and not _is_stack(array) else array.shape[:-2]
        columns = _columns(path, name, leading, labels, entry, [e["array"] for e in entries])
        if len(entries) > 1 and "model" not in columns and "model" not in map(ALIASES.get, columns):
            # stacks told apart by their name alone
            columns["array" if "subject" in columns else "model"] = np.full(leading, name)
        flat = {c: np.asarray(v).reshape(-1) for c, v in columns.items()}
        n_rdm = int(np.prod(leading, dtype=int))
        frame = pd.DataFrame(flat, index=range(n_rdm)).rename(
            columns={k: v for k, v in ALIASES.items() if v not in flat}
        )
        parts.append((vectors_of(array, str(path), name), frame))
    sizes = {v.shape[1] for v, _ in parts}
    if len(sizes) > 1:
        shapes = {e["array"]: arrays[e["array"]].shape for e in entries}
        raise ReadError(
            path, f"stacks of different numbers of stimuli: {shapes}; choose with layout="
        )
    frame = pd.concat([f for _, f in parts], ignore_index=True).fillna("-")
    return RawRDMs(np.concatenate([v for v, _ in parts]), frame, stimuli, measure)


def _load_npz(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise ReadError(path, "there is no such file")
    if path.suffix in (".pkl", ".pickle"):
        raise ReadError(path, "a pickle is refused (it can run code); save the arrays as npz")
    try:
        with np.load(path, allow_pickle=False) as loaded:
            if isinstance(loaded, np.ndarray):
                return {"rdms": loaded}
            return {k: loaded[k] for k in loaded.files}
    except ValueError as error:
        if "pickle" in str(error).lower():
            raise ReadError(
                path,
                "holds pickled objects, which are refused (they can run code); save plain arrays",
            ) from error
        raise ReadError(path, f"is no readable npz ({error})") from error
    except Exception as error:
        raise ReadError(path, f"is no readable npz ({error})") from error


def _is_stack(array: np.ndarray) -> bool:
    return (
        array.ndim >= 2
        and array.dtype.kind in "fiu"
        and array.shape[-1] == array.shape[-2]
        and array.shape[-1] > 2
    )


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
) -> dict[str, np.ndarray]:
    """Label columns of one stack, each broadcast to the shape of its leading axes."""
    further = {k: v for k, v in entry.items() if k not in ("array", "axes", "constant")}
    axes = entry.get("axes")
    if axes is None:
        chosen = _infer_axes(path, name, leading, labels, stacks)
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
            raise ReadError(
                path,
                f"no one-dimensional array names axis {axis} of {name} {leading}; found {found}. "
                f"Name the axes with layout=",
            )
        chosen.append(names)
    return chosen


def write_npz(path: Path, raw: RawRDMs) -> None:
    """Write vectors, one ``label_*`` array per column, stimulus names and measure."""
    content: dict[str, Any] = {
        f"label_{c}": raw.labels[c].to_numpy(dtype=str) for c in raw.labels.columns
    }
    if raw.stimuli:
        content["stimulus"] = np.array(raw.stimuli, dtype=str)
    if raw.measure is not None:
        content["measure"] = np.array(raw.measure)
    with path.open("wb") as handle:
        np.savez_compressed(handle, vectors=raw.vectors, **content)


def read_h5(path: Path, pattern_descriptor: str | None, stimulus_names: Sequence[str]) -> RawRDMs:
    """Read what ``RDMs.save`` of rsatoolbox wrote, by h5py alone."""
    if not path.is_file():
        raise ReadError(path, "there is no such file")
    import h5py

    try:
        with h5py.File(path, "r") as file:
            content = _h5_group(file, h5py)
    except Exception as error:
        raise ReadError(path, f"is no readable HDF5 file ({error})") from error
    if "dissimilarities" not in content:
        raise ReadError(path, f"no dataset 'dissimilarities'; found {sorted(content)}")
    vectors = np.asarray(content["dissimilarities"])
    patterns = content.get("pattern_descriptors") or {}
    stimuli: Sequence[Any] = ()
    if pattern_descriptor is not None:
        if pattern_descriptor not in patterns:
            raise InputError("pattern_descriptor", pattern_descriptor, f"one of {sorted(patterns)}")
        stimuli = patterns[pattern_descriptor]
    else:
        found = [
            p for p in stimulus_names if p in patterns and len(set(patterns[p])) == len(patterns[p])
        ]
        stimuli = patterns[found[0]] if found else ()
    labels = {k: v for k, v in (content.get("rdm_descriptors") or {}).items() if k != "index"}
    frame = pd.DataFrame(
        {k: list(map(str, v)) for k, v in labels.items()}, index=range(len(vectors))
    )
    measure = content.get("dissimilarity_measure")
    return RawRDMs(
        vectors, frame, tuple(map(str, stimuli)), None if measure is None else str(measure)
    )


def _h5_group(group: Any, h5py: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in group.items():
        if isinstance(value, h5py.Group):
            inner = _h5_group(value, h5py)
            # rsatoolbox writes lists it cannot turn into arrays as groups of numbered items
            listed = inner and all(k.isdigit() for k in inner)
            out[key] = [inner[k] for k in sorted(inner, key=int)] if listed else inner
        elif value.shape is None:
            out[key] = None
        else:
            data = np.asarray(value)
            if data.dtype.kind == "S":
                data = np.char.decode(data, "utf-8")
            elif data.dtype.kind == "O":
                data = np.array(
                    [v.decode() if isinstance(v, bytes) else str(v) for v in data.ravel()]
                )
            out[key] = data
    out.update(group.attrs.items())
    return out


def write_h5(path: Path, raw: RawRDMs) -> None:
    """Write the HDF5 layout that ``rsatoolbox.rdm.load_rdm`` reads."""
    import h5py

    def text(values: Sequence[str]) -> np.ndarray:
        return np.char.encode(np.array(values, dtype=str), "utf-8")

    with h5py.File(path, "w") as file:
        file["dissimilarities"] = raw.vectors
        file.create_group("descriptors")
        rdm = file.create_group("rdm_descriptors")
        for c in raw.labels.columns:
            rdm[c] = text(raw.labels[c].tolist())
        rdm["index"] = np.arange(len(raw.vectors))
        pattern = file.create_group("pattern_descriptors")
        if raw.stimuli:
            pattern["stimulus"] = text(raw.stimuli)
        n = round((1 + np.sqrt(1 + 8 * raw.vectors.shape[1])) / 2)
        pattern["index"] = np.arange(n)
        if raw.measure is None:
            file["dissimilarity_measure"] = h5py.Empty("f")
        else:
            file.attrs["dissimilarity_measure"] = raw.measure
