"""HDF5 files of RDMs: as rsatoolbox writes them (RDMs and Results), and MATLAB's version 7.3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import ApaError, ReadError
from apastats.io.arrays import affordable, first_line
from apastats.io.rdm_labels import RawRDMs, role_of
from apastats.io.rsatoolbox_results import why_no_scores

__all__ = ["content", "descriptors", "guarded", "read_h5", "read_mat73", "write_h5"]


def read_h5(path: Path) -> RawRDMs:
    """What ``RDMs.save`` or ``Result.save`` of rsatoolbox wrote, by h5py alone."""
    found = content(path)
    if "dissimilarities" in found:
        return _rdms(found, str(path))
    models = found.get("models")
    if "evaluations" in found and isinstance(models, Mapping):
        return _result(path, models, found)
    raise ReadError(
        path,
        f"no dataset 'dissimilarities', as rsatoolbox writes RDMs; found {sorted(found)}. Other arrays are read "
        "by read_rdms(array)",
    )


def _rdms(found: Mapping[str, Any], source: str) -> RawRDMs:
    vectors = np.asarray(found["dissimilarities"])
    if vectors.ndim == 1:
        vectors = vectors[None]
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu" or not vectors.size:
        raise ReadError(
            source,
            f"dissimilarities have shape {vectors.shape} and type {vectors.dtype}; allowed: numbers [n_rdm, n_pair]",
        )
    given = [found.get(k) for k in ("rdm_descriptors", "descriptors")]
    own, shared = (g if isinstance(g, Mapping) else {} for g in given)
    columns, log = descriptors(own, shared, len(vectors))
    labels = pd.DataFrame(columns, index=range(len(vectors)))
    measure = found.get("dissimilarity_measure")
    patterns = found.get("pattern_descriptors")
    patterns = patterns if isinstance(patterns, Mapping) else {}
    return RawRDMs(vectors, labels, dict(patterns), None if measure is None else str(measure), log)


def descriptors(
    of_rdms: Mapping[str, Any], of_all: Mapping[str, Any], n: int
) -> tuple[dict[str, list[Any]], list[str]]:
    """Labels by name from rsatoolbox's descriptors; those that are no label (matrices, say) are left out and named."""
    columns: dict[str, Any] = {}
    log = []
    for name, values in of_rdms.items():
        if name == "index":
            continue
        if values is None or isinstance(values, Mapping):
            log.append(f"descriptor {name!r} is no label ({type(values).__name__}) and is left out")
        elif np.ndim(values) == 0:
            columns[str(name)] = [values] * n
        elif len(values) == n and all(isinstance(v, str) or np.ndim(v) == 0 for v in values):
            columns[str(name)] = list(values)
        else:
            log.append(
                f"descriptor {name!r} is no label (shape {np.shape(values)}) and is left out"
            )
    for name, value in of_all.items():
        if role_of(str(name)) and isinstance(value, (str, bytes, int, np.integer, np.str_)):
            columns.setdefault(str(name), [value] * n)
    return columns, log


def _result(path: Path, models: Mapping[str, Any], found: Mapping[str, Any]) -> RawRDMs:
    """RDMs of the models of a Result; its evaluations are scores of these."""
    parts, names = [], []
    for key in sorted(models, key=lambda k: (len(k), k)):
        model = models[key]
        rdm = model.get("rdm")
        if not isinstance(rdm, Mapping):
            raise ReadError(path, f"model {model.get('name', key)!r} of the Result has no RDM")
        parts.append(_rdms(rdm, str(path)))
        names += [str(model.get("name", key))] * len(parts[-1].vectors)
    if not parts:
        raise ReadError(path, "is an rsatoolbox Result without models")
    if len({p.vectors.shape[1] for p in parts}) > 1:
        raise ReadError(path, "models of the Result have different numbers of stimuli")
    frame = pd.DataFrame({"model": names})
    if len(set(names)) < len(names):  # a model of several RDMs
        frame["layer"] = np.concatenate([np.arange(len(p.vectors)) for p in parts])
    reason = why_no_scores(np.asarray(found["evaluations"]), str(found.get("cv_method") or ""))
    what = f"; {reason}" if reason else " (apa.read reads these, one per subject)"
    log = [f"an rsatoolbox Result: RDMs of its models are taken, not its evaluations{what}"]
    log += [
        f"{m['type']} {m.get('name', key)!r}: its member RDMs are taken as they are, nothing is fitted"
        for key, m in models.items()
        if str(m.get("type", "ModelFixed")) not in ("Model", "ModelFixed")
    ]
    return RawRDMs(np.concatenate([p.vectors for p in parts]), frame, parts[0].patterns, None, log)


# ------------------------------------------------------------------ trees
def content(path: Path) -> dict[str, Any]:
    """Everything in an HDF5 file as nested dicts of arrays, text decoded."""
    return _content(path, _plain)


def _content(path: Path, value_of: Any) -> dict[str, Any]:
    """Everything in a file as nested dicts; nothing outside of the file is ever opened."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            affordable(path, _declared(file, path, h5py, 0))
            return _group(file, h5py, value_of)
    except ApaError:
        raise
    except Exception as error:  # h5py's errors are of many kinds
        raise ReadError(path, f"is no readable HDF5 file ({first_line(error)})") from error


def guarded(path: Path) -> None:
    """Refuse an HDF5 file that points outside of itself or declares more than it could hold; pass others."""
    import h5py

    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            affordable(path, _declared(file, path, h5py, 0))


def _declared(group: Any, path: Path, h5py: Any, depth: int) -> int:
    """Bytes that all datasets declare; links and storage outside of the file are refused."""
    if depth > 20:
        raise ReadError(path, "groups nest more than 20 deep (or contain themselves)")
    total = 0
    for key in group:
        link = group.get(key, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise ReadError(
                path, f"{key!r} is a link to another file ({link.filename!r}), which is refused"
            )
        value = group[key]
        if isinstance(value, h5py.Group):
            total += _declared(value, path, h5py, depth + 1)
        elif value.shape is not None:
            if value.external or value.is_virtual:
                raise ReadError(path, f"the data of {key!r} lie in another file, which is refused")
            total += int(value.size) * value.dtype.itemsize
    return total


def _group(group: Any, h5py: Any, value_of: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in group.items():
        if key == "#refs#":  # MATLAB's store of what cells and structs refer to
            continue
        if isinstance(value, h5py.Group):
            inner = _group(value, h5py, value_of)
            # rsatoolbox writes lists it cannot turn into arrays as groups of numbered items
            listed = inner and all(k.isdigit() for k in inner)
            out[key] = [inner[k] for k in sorted(inner, key=int)] if listed else inner
        else:
            out[key] = value_of(value, group.file, h5py)
    out.update((k, v) for k, v in group.attrs.items() if not k.startswith("MATLAB"))
    return out


def _plain(value: Any, file: Any, h5py: Any) -> Any:
    """Dataset as an array; text decoded, an empty one None."""
    if value.shape is None:
        return None
    data = np.asarray(value)
    if data.dtype.kind == "S":
        return np.char.decode(data, "utf-8")
    if data.dtype.names:  # a table; its columns are decoded by who reads it
        return data
    if data.dtype.kind == "O":
        flat = [v.decode() if isinstance(v, bytes) else str(v) for v in data.ravel()]
        return np.array(flat, dtype=str).reshape(data.shape)
    return data


def read_mat73(path: Path) -> RawRDMs:
    """A MATLAB file of version 7.3 (HDF5 inside): structs with a field RDM, or arrays of RDMs."""
    from apastats.io.rdm_mat import from_variables

    return from_variables(path, _content(path, _matlab))


def _matlab(value: Any, file: Any, h5py: Any) -> Any:
    """Dataset as MATLAB shows it: axes in its order, text as str, cells and structs as lists."""
    kind = value.attrs.get("MATLAB_class", b"")
    if value.attrs.get("MATLAB_empty", 0):
        return "" if kind == b"char" else np.zeros((0, 0))
    data = np.asarray(value)
    if data.dtype.kind == "O":
        return [_matlab(file[ref], file, h5py) for ref in data.T.ravel(order="F")]
    if kind == b"char":
        rows = ["".join(map(chr, row)) for row in np.atleast_2d(data.T)]
        return rows[0] if len(rows) == 1 else rows
    return data.T


def write_h5(
    path: Path,
    vectors: np.ndarray,
    labels: pd.DataFrame,
    stimuli: Sequence[str],
    measure: str | None,
) -> None:
    """Write the HDF5 layout that ``rsatoolbox.rdm.load_rdm`` reads."""
    import h5py

    def text(values: Sequence[str]) -> np.ndarray:
        return np.char.encode(np.array(values, dtype=str), "utf-8")

    with h5py.File(path, "w") as file:
        file["dissimilarities"] = vectors
        file.create_group("descriptors")
        rdm = file.create_group("rdm_descriptors")
        for c in labels.columns:
            rdm[c] = text(labels[c].tolist())
        rdm["index"] = np.arange(len(vectors))
        pattern = file.create_group("pattern_descriptors")
        if stimuli:
            pattern["stimulus"] = text(stimuli)
        n = round((1 + np.sqrt(1 + 8 * vectors.shape[1])) / 2)
        pattern["index"] = np.arange(n)
        if measure is None:
            file["dissimilarity_measure"] = h5py.Empty("f")
        else:
            file.attrs["dissimilarity_measure"] = measure
