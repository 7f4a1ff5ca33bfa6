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
from apastats.io.rsatoolbox_results import FIXED_MODEL, from_result

__all__ = ["read_hdf5_table"]


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
            frame, what, notes = from_result(found, names, types, path)
            return [
                Part(
                    path,
                    frame,
                    what,
                    lambda row: f"{path}, evaluation {row} (from 0)",
                    notes,
                    evaluations=True,
                )
            ]
        except DataError as error:
            raise ReadError(path, str(error).removeprefix(f"{path}: ")) from error
    if "dissimilarities" in found:
        raise ReadError(path, "holds RDMs; read_rdms reads it")
    return [_table(found, path)]


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
