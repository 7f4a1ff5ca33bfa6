"""MATLAB files of RDMs (structs of the RSA toolbox, stacks, Meadows) and Meadows' json."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import ApaError, ReadError
from apastats.io.arrays import affordable, first_line
from apastats.io.mat5 import check_mat5
from apastats.io.rdm_labels import RawRDMs
from apastats.io.rdm_vectors import n_stimulus, vectors_of
from apastats.words import read_json

__all__ = ["from_variables", "read_mat", "read_meadows_json"]

FIELDS = ("rdm", "rdms", "dissimilarities", "rdv", "utv")
TOOLBOX_NAME = ("roi", "subject", "session")  # 'hIT | BE | Session: 1'


def read_mat(path: Path) -> RawRDMs:
    """A MATLAB file up to version 7 (by scipy)."""
    from scipy.io import loadmat, whosmat

    check_mat5(path)
    try:
        listed = whosmat(path)
        width = {"single": 4, "int8": 1, "uint8": 1, "char": 1, "logical": 1}
        affordable(path, sum(int(np.prod(s, dtype=object)) * width.get(c, 8) for _, s, c in listed))
        variables = loadmat(path, struct_as_record=True, chars_as_strings=True)
    except ApaError:
        raise
    except Exception as error:  # scipy's errors of damaged files are of many kinds
        first = first_line(error)
        raise ReadError(path, f"is no readable MATLAB file ({first})") from error
    plain = {k: _value(v) for k, v in variables.items() if not k.startswith("__")}
    if any(k.startswith("rdmutv") for k in plain):
        return _meadows_mat(path, plain)
    return from_variables(path, plain)


def _value(value: Any) -> Any:
    """Arrays as they are; a struct array as a list of dicts, cells as lists, text as str."""
    if isinstance(value, np.ndarray) and value.dtype.names:
        return [{n: _value(item[n]) for n in value.dtype.names} for item in value.ravel(order="F")]
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return [_value(v) for v in value.ravel(order="F")]
    if isinstance(value, np.ndarray) and value.dtype.kind in "US":
        flat = [str(v).rstrip() for v in value.ravel()]
        return flat[0] if len(flat) == 1 else flat
    return value


def from_variables(path: Path, variables: Mapping[str, Any]) -> RawRDMs:
    """RDMs among the variables of a MATLAB file, which agree on the number of stimuli."""
    found: list[tuple[str, np.ndarray, pd.DataFrame]] = []
    others: dict[str, Any] = {}
    for name, value in variables.items():
        structs = _structs(value)
        if structs:
            vectors, frame = _of_structs(path, name, structs)
            others |= _beside(path, name, structs, len(vectors), n_stimulus(vectors.shape[1]))
        elif isinstance(value, np.ndarray) and (stack := _stack(value)) is not None:
            vectors = vectors_of(stack, str(path), name)
            frame = pd.DataFrame(index=range(len(vectors)))
        else:
            others[name] = value
            continue
        found.append((name, vectors, frame))
    if not found:
        shapes = {
            k: np.shape(v) if isinstance(v, np.ndarray) else type(v).__name__
            for k, v in others.items()
        }
        raise ReadError(
            path,
            f"no struct with a field RDM and no square array [stimulus, stimulus, ...]; found {shapes}",
        )
    sizes = {name: n_stimulus(v.shape[1]) for name, v, _ in found}
    if len(set(sizes.values())) > 1:
        raise ReadError(
            path, f"variables with different numbers of stimuli: {sizes}; save one of them"
        )
    if len(found) > 1:
        found = [(name, v, f.assign(name=f.get("name", name))) for name, v, f in found]
    n, total = next(iter(sizes.values())), sum(len(v) for _, v, _ in found)
    frame = pd.concat([f for _, _, f in found], ignore_index=True).fillna("-")
    patterns = {}
    for name, value in others.items():
        values = (
            value.ravel().tolist()
            if isinstance(value, np.ndarray) and value.dtype.kind in "fiu"
            else value
        )
        if not isinstance(values, list) or any(
            isinstance(v, (dict, np.ndarray, list)) for v in values
        ):
            continue
        if len(values) == total != n:
            frame[name] = values
        elif len(values) == n:
            patterns[name] = values
    vectors = np.concatenate([v for _, v, _ in found])
    return RawRDMs(vectors, frame, patterns)


def _structs(value: Any) -> list[Mapping[str, Any]]:
    """Entries of a struct array with a field of RDMs; version 7.3 keeps it as one dict of lists."""
    if isinstance(value, Mapping):
        key = _field(value)
        if key is None:
            return []
        if not isinstance(value[key], list):
            return [value]
        k = len(value[key])
        return [
            {n: v[i] for n, v in value.items() if isinstance(v, list) and len(v) == k}
            for i in range(k)
        ]
    if isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
        return value if _field(value[0]) is not None else []
    return []


def _field(struct: Mapping[str, Any]) -> str | None:
    return next((k for k in struct if k.lower() in FIELDS), None)


def _of_structs(
    path: Path, name: str, structs: Sequence[Mapping[str, Any]]
) -> tuple[np.ndarray, pd.DataFrame]:
    """Vectors and labels of structs with a field RDM; other fields that are text or one number are labels."""
    key = str(_field(structs[0]))
    stacks, rows = [], []
    for k, struct in enumerate(structs):
        array = np.asarray(struct[key])
        stack = _stack(array)
        if stack is None:
            raise ReadError(
                path,
                f"{name}({k + 1}).{key} has shape {array.shape}; allowed: [stimulus, stimulus] or n (n - 1) / 2 pairs",
            )
        vectors = vectors_of(stack, str(path), f"{name}({k + 1}).{key}")
        stacks.append(vectors)
        labels = {n: v for n, v in struct.items() if n != key and _is_label(v)}
        rows += [{n: v if isinstance(v, str) else np.ravel(v)[0] for n, v in labels.items()}] * len(
            vectors
        )
    if len({s.shape[1] for s in stacks}) > 1:
        raise ReadError(path, f"{name} holds RDMs of different numbers of stimuli")
    frame = pd.DataFrame(rows, index=range(len(rows)))
    return np.concatenate(stacks), _split_names(frame)


def _beside(
    path: Path, name: str, structs: Sequence[Mapping[str, Any]], n_rdm: int, n: int
) -> dict[str, Any]:
    """Lists in fields beside the RDMs: names of stimuli, shared by all entries, or labels of a stack in one struct."""
    key = str(_field(structs[0]))
    out: dict[str, Any] = {}
    for field in structs[0]:
        lists = [_texts(s.get(field)) for s in structs]
        if field == key or any(v is None for v in lists):
            continue
        first = lists[0] or []
        if (len(structs) == 1 and len(first) in (n, n_rdm)) or (
            len(first) == n and all(v == first for v in lists)
        ):
            out[field] = first
        elif len(first) == n and all(sorted(v or []) == sorted(first) for v in lists):
            raise ReadError(
                path,
                f"{name}.{field}: the entries name their stimuli in different orders; save each in a file of its own, "
                "which read_rdms joins by name",
            )
    return out


def _texts(value: Any) -> list[str] | None:
    """A list of names; None for anything else."""
    if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
        return value
    return None


def _is_label(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "fiu"
    )


def _split_names(frame: pd.DataFrame) -> pd.DataFrame:
    """The RSA toolbox for MATLAB names an RDM 'ROI | subject | Session: 1'."""
    if "name" not in frame.columns:
        return frame
    parts = [[p.strip() for p in str(v).split("|")] for v in frame["name"]]
    if not all(len(p) == 3 for p in parts):
        return frame
    columns = dict(zip(TOOLBOX_NAME, zip(*parts, strict=True), strict=True))
    columns["session"] = tuple(s.removeprefix("Session: ") for s in columns["session"])
    return frame.drop(columns="name").assign(**{k: list(v) for k, v in columns.items()})


def _stack(array: np.ndarray) -> np.ndarray | None:
    """Squares or vectors of ``[n, n, ...]`` (MATLAB), ``[n_rdm, n, n]`` (Python) or ``[1, n_pair]``, or None."""
    if array.dtype.kind not in "fiub" or array.size < 3:
        return None
    if array.ndim >= 2 and array.shape[0] == array.shape[1]:
        n = array.shape[0]
        return np.moveaxis(array.reshape(n, n, -1, order="F"), -1, 0)
    if array.ndim == 3 and array.shape[1] == array.shape[2]:  # [n_rdm, n, n], as Python writes it
        return array
    if array.ndim == 2 and 1 in array.shape:
        n = n_stimulus(array.size)
        return array.reshape(1, -1) if n * (n - 1) // 2 == array.size else None
    return None


# ------------------------------------------------------------------ Meadows
def _meadows_mat(path: Path, variables: Mapping[str, Any]) -> RawRDMs:
    """Meadows' mat file, by rsatoolbox where the name of the file is Meadows' own."""
    from rsatoolbox.io.meadows import load_rdms

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rdms = load_rdms(str(path), sort=False)
        frame = pd.DataFrame({"participant": list(rdms.rdm_descriptors["participant"])})
        vectors, names = (
            np.asarray(rdms.dissimilarities, "f8"),
            list(rdms.pattern_descriptors["conds"]),
        )
    except Exception:  # renamed files: the loader takes the participant from the name
        keys = [k for k in variables if k.startswith("rdmutv")]
        frame = pd.DataFrame(
            {"participant": [k.removeprefix("rdmutv").strip("_") or path.stem for k in keys]}
        )
        vectors = np.concatenate([np.reshape(variables[k], (1, -1)) for k in keys]).astype("f8")
        stimuli = next((v for k, v in variables.items() if k.startswith("stimuli")), None)
        if not isinstance(stimuli, list):
            raise ReadError(
                path, "looks like a file of Meadows and has no variable 'stimuli'"
            ) from None
        names = [str(s).strip().split(".")[0] for s in stimuli]
    return RawRDMs(
        vectors_of(vectors, str(path), "rdmutv"), frame, {"stimulus": names}, "euclidean"
    )


def read_meadows_json(path: Path) -> RawRDMs:
    """Meadows' tree of one participant (or several): the RDMs of its multiple-arrangement tasks."""
    try:
        data = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise ReadError(path, f"is no readable json ({first_line(error)})") from error
    people = {path.stem.split("_")[-2] if path.stem.count("_") > 1 else path.stem: data}
    if isinstance(data, Mapping) and "tasks" not in data:
        people = {k: v for k, v in data.items() if isinstance(v, Mapping) and "tasks" in v}
    vectors, rows, stimuli = [], [], None
    for person, tree in people.items():
        for k, task in enumerate(tree.get("tasks", []) if isinstance(tree, Mapping) else []):
            meta = task.get("task", {}) if isinstance(task, Mapping) else {}
            if meta.get("task_type") != "multiarrange":
                continue
            try:
                names = [str(s["name"]).split(".")[0] for s in task["stimuli"]]
                vector = np.asarray(task["rdm"], "f8")
            except (KeyError, TypeError, ValueError) as error:
                raise ReadError(path, f"task {k} has no stimuli or no rdm ({error!r})") from error
            if stimuli is not None and names != stimuli:
                raise ReadError(
                    path, f"task {k} of {person!r} has other stimuli; save a file per task"
                )
            stimuli = names
            vectors.append(vectors_of(vector, str(path), f"rdm of task {k}"))
            rows.append(
                {"participant": person, "task": str(meta.get("name", k)), "task_index": str(k)}
            )
    if not vectors:
        raise ReadError(
            path,
            "is json without tasks of Meadows (task_type 'multiarrange'); a table of scores is read by apa.read",
        )
    frame = pd.DataFrame(rows)
    if not frame.duplicated(["participant", "task"]).any():
        frame = frame.drop(columns="task_index")
    return RawRDMs(np.concatenate(vectors), frame, {"stimulus": stimuli}, "euclidean")
