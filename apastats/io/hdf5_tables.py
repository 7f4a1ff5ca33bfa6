"""Scores in HDF5: a Result of rsatoolbox whose evaluations are one per subject, and plain tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import DataError, ReadError
from apastats.io.frames import Part
from apastats.io.rdm_hdf5 import content

__all__ = ["from_result", "read_hdf5_table", "why_no_scores"]

FIXED_MODEL = "ModelFixed"
FIXED = "fixed"  # cv_method of evaluations that are one score per model and RDM


def read_hdf5_table(path: str) -> list[Part]:
    """The table in an HDF5 file.

    Parameters
    ----------
    path : str
        What ``Result.save`` of rsatoolbox wrote, one compound dataset, or a column per dataset.

    Raises
    ------
    ReadError
        If it holds RDMs or something else, or evaluations that are no scores of subjects.
    """
    found = content(Path(path))
    if "evaluations" in found and "models" in found:
        models = found["models"]
        if not isinstance(models, Mapping):
            raise ReadError(path, "is an rsatoolbox Result without models")
        keys = sorted(models, key=lambda k: (len(k), k))
        names = [str(models[k].get("name", k)) for k in keys]
        types = [str(models[k].get("type") or FIXED_MODEL) for k in keys]
        try:
            return [from_result(found, names, types, path)]
        except DataError as error:
            raise ReadError(path, str(error).removeprefix(f"{path}: ")) from error
    if "dissimilarities" in found:
        raise ReadError(path, "holds RDMs; read_rdms reads it")
    return [_table(found, path)]


def why_no_scores(evaluations: np.ndarray, cv_method: str) -> str:
    """Why evaluations of a Result are no scores of subjects; empty where they are."""
    shape = evaluations.shape
    if evaluations.ndim < 2 or evaluations.dtype.kind not in "fiu":
        return f"its evaluations have shape {shape} and type {evaluations.dtype}"
    if cv_method == FIXED and evaluations.ndim == 3 and shape[0] == 1:
        return ""
    if cv_method == "crossvalidation":
        return (
            f"its {shape[-1]} evaluations per model are folds of a cross-validation, which share subjects and stimuli "
            "and are not subjects; apa.evaluate_fitted(brain, models) gives one score per subject"
        )
    return (
        f"its {shape[0]} evaluations per model are replicates ({cv_method or 'method unknown'}): they show how a mean "
        "varies and are not subjects. apa.bootstrap_rdms(brain, models), or eval_fixed of rsatoolbox and its file, "
        "start from one score per subject; read_rdms reads the RDMs of its models"
    )


def from_result(found: Any, names: list[str], types: list[str], path: str = "data") -> Part:
    """Scores of a Result of rsatoolbox, given as a mapping of its fields.

    Parameters
    ----------
    found : mapping
        ``evaluations [1, n_model, n_rdm], method, cv_method, noise_ceiling [2], dof, n_rdm, n_pattern``.
    names, types : list of str
        Of the models; a model with parameters is spoken of.
    path : str
        For messages.

    Returns
    -------
    Part
        One row per model and RDM; subjects are numbered, as a Result does not name them.

    Raises
    ------
    DataError
        If the evaluations are no scores of subjects; the message says what they are.
    """
    values = np.asarray(found["evaluations"])
    cv_method = str(found.get("cv_method") or "")
    reason = why_no_scores(values, cv_method)
    if reason:
        raise DataError(f"{path}: is an rsatoolbox Result, and {reason}")
    scores = values[0].astype("f8")
    n_model, n = scores.shape
    if len(names) != n_model:
        raise DataError(f"{path}: {len(names)} models and evaluations of {n_model}")
    frame = pd.DataFrame(
        {
            "model": np.repeat(np.array(names, dtype=object), n),
            "subject": np.tile([f"rdm {i + 1}" for i in range(n)], n_model),
            "metric": str(found.get("method") or "score"),
            "score": scores.ravel(),
        }
    )
    if len(set(names)) < n_model:
        frame.insert(1, "layer", np.repeat([str(k + 1) for k in range(n_model)], n))
    notes = [
        "a Result does not name the subjects of its RDMs, nor their ROI: subjects are numbered in their order"
    ]
    notes += [
        f"{kind} {name!r} has parameters: where they were fitted to the same RDMs, its scores are too high"
        for name, kind in zip(names, types, strict=True)
        if kind not in ("Model", FIXED_MODEL)
    ]
    ceiling = np.asarray(found.get("noise_ceiling", np.nan), dtype="f8").ravel()
    if len(ceiling) == 2 and np.isfinite(ceiling).all():
        frame["lower_ceiling"], frame["upper_ceiling"] = ceiling
        notes.append(
            f"noise ceiling {ceiling[0]:.4g} to {ceiling[1]:.4g} of all subjects together, kept beside the scores"
        )
    beside = {k: found.get(k) for k in ("dof", "n_rdm", "n_pattern")}
    beside = {k: int(v) for k, v in beside.items() if v is not None and np.ndim(v) == 0}
    notes.append(
        f"its variances and dof ({', '.join(f'{k} {v}' for k, v in beside.items())}) follow from the scores and are "
        "left out"
    )
    return Part(
        path,
        frame,
        f"rsatoolbox Result ({cv_method}, {n} RDMs)",
        lambda row: f"{path}, model {names[row // n]!r}, RDM {row % n + 1}",
        tuple(notes),
    )


def _table(found: Mapping[str, Any], path: str) -> Part:
    """One compound dataset, or one-dimensional datasets of one length."""
    while len(found) == 1 and isinstance(inner := next(iter(found.values())), Mapping):
        found = inner
    compound = {
        k: v for k, v in found.items() if getattr(v, "dtype", None) is not None and v.dtype.names
    }
    if len(compound) > 1:
        raise ReadError(path, f"holds {len(compound)} tables, {list(compound)}; save one per file")
    if compound:
        name, array = next(iter(compound.items()))
        frame = pd.DataFrame({str(c): _decoded(array[c].ravel()) for c in array.dtype.names})
        return Part(path, frame, f"HDF5 table {name!r}", lambda row: f"{path}, row {row} (from 0)")
    columns = {k: v for k, v in found.items() if getattr(v, "ndim", 0) == 1}
    sizes = {len(v) for v in columns.values()}
    if len(columns) < 2 or len(sizes) != 1 or len(columns) < len(found):
        raise ReadError(
            path,
            f"is an HDF5 file without a table (one compound dataset, or a dataset per column of one length); it holds "
            f"{list(found)[:8]}. read_rdms reads RDMs; pandas.read_hdf, then apa.read(frame), what pandas wrote",
        )
    frame = pd.DataFrame({str(k): _decoded(v) for k, v in columns.items()})
    return Part(
        path, frame, "HDF5, a dataset per column", lambda row: f"{path}, row {row} (from 0)"
    )


def _decoded(values: np.ndarray) -> np.ndarray:
    """Text in bytes as text."""
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8").astype(object)
    if values.dtype.kind == "O":
        return np.array([v.decode() if isinstance(v, bytes) else v for v in values], dtype=object)
    return values.astype(object) if values.dtype.kind == "U" else values
