"""RDMs whose axes bear names: data frames, square csv files, xarray objects, netCDF files."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import ApaError, DataError, MissingExtraError, ReadError
from apastats.io.arrays import affordable, first_line
from apastats.io.columns import MISSING
from apastats.io.number_text import fold
from apastats.io.rdm_labels import RawRDMs, counts, role_of, text
from apastats.io.rdm_vectors import vectors_of

__all__ = ["from_frame", "from_xarray", "read_csv", "read_netcdf"]

ENCODINGS = ("utf-8-sig", "utf-16", "latin-1")


def from_frame(frame: pd.DataFrame, source: str = "data", name: str = "the frame") -> RawRDMs:
    """One square RDM; its index and its columns name the stimuli, in whatever order each has them."""
    n = len(frame)
    if frame.shape != (n, n) or n < 3:
        raise DataError(
            f"{source}: {name} has {n} rows and {frame.shape[1]} columns and is no square RDM; a table of scores is "
            "read by apa.read"
        )
    columns = [] if counts(frame.columns) else text(frame.columns)
    index = [] if counts(frame.index) else text(frame.index)
    try:
        matrix = frame.to_numpy(dtype="f8", na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataError(f"{source}: {name} holds entries that are no numbers ({error})") from error
    if columns and index and columns != index:
        if set(columns) != set(index) or len(set(index)) < n:
            odd = next((c for c in columns if c not in index), columns[0])
            raise DataError(
                f"{source}: rows and columns of {name} have other names (first: {odd!r})"
            )
        matrix = matrix[:, [columns.index(s) for s in index]]
    names = index or columns
    return RawRDMs(
        vectors_of(matrix, source, name),
        pd.DataFrame(index=range(1)),
        {"stimulus": names} if names else {},
    )


def read_csv(path: Path) -> RawRDMs:
    """One square RDM with names in the first row, the first column or both, or without names."""
    rows = _cells(path)
    width = {len(r) for r in rows}
    if len(width) > 1 and len(rows) > 1 and len(rows[0]) + 1 == len(rows[1]):
        rows[0] = ["", *rows[0]]  # R leaves the corner out
        width = {len(r) for r in rows}
    if len(width) != 1:
        raise ReadError(
            path, f"rows have {sorted(width)} cells; a square RDM has as many in each row"
        )
    header = _is_header(rows)
    body = rows[header:]
    column = len(body[0]) == len(body) + 1 if body else False
    if not body or len(body[0]) - column != len(body) or len(body) < 3:
        raise ReadError(
            path,
            f"a table of {len(body)} rows and {len(rows[0])} columns is no square RDM; a table of scores is read by "
            "apa.read",
        )
    names = [r[0] for r in body] if column else None
    values = [[_number(c, path, i + header) for c in r[column:]] for i, r in enumerate(body)]
    frame = pd.DataFrame(values, index=names, columns=rows[0][column:] if header else None)
    return from_frame(frame, str(path), "the table")


def _is_header(rows: list[list[str]]) -> bool:
    """Whether the first row names columns: by the shape of the table, or by text or a blank in its corner."""
    first = rows[0]
    if len(rows) != len(first):  # one side alone has names
        return len(rows) == len(first) + 1
    if not all(map(_is_number, first)):
        return True
    # an empty corner above an empty diagonal is the diagonal's, unless the row only counts
    blank_diagonal = len(rows) > 1 and not rows[1][1]
    return not first[0] and (not blank_diagonal or counts(first[1:]))


def _cells(path: Path) -> list[list[str]]:
    """Cells of a text file as text; the separator is the one of comma, semicolon, tab, blank that is there."""
    raw = path.read_bytes()
    for encoding in ENCODINGS:
        try:
            content = raw.decode(encoding)
            break
        except UnicodeError:
            continue
    lines = [line for line in content.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise ReadError(path, "is empty")
    separator = next((s for s in "\t;," if s in lines[0] or s in lines[-1]), " ")
    parsed = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    try:
        return [[c.strip() for c in row] for row in parsed]
    except csv.Error as error:
        raise ReadError(path, f"is no readable table ({error})") from error


def _is_number(cell: str) -> bool:
    try:
        float(_plain(cell) or "nan")
    except ValueError:
        return False
    return True


def _plain(cell: str) -> str:
    """A cell as Python reads numbers: an ordinary minus sign, a point, nothing for a missing one."""
    folded = fold(cell)
    return "" if folded in MISSING else folded.replace(",", ".")


def _number(cell: str, path: Path, row: int) -> float:
    if not _is_number(cell):
        raise ReadError(path, f"row {row + 1}: {cell[:50]!r} is no number")
    return float(_plain(cell) or "nan")


# ------------------------------------------------------------------ xarray
def from_xarray(array: Any, source: str = "data") -> RawRDMs:
    """RDMs of a DataArray: two dims of one length are stimuli by stimuli, the others are labels."""
    dims, shape = list(array.dims), dict(zip(array.dims, array.shape, strict=True))
    if len(dims) < 2 or shape[dims[-1]] != shape[dims[-2]]:
        raise DataError(
            f"{source}: {array.name or 'the array'} has dims {shape}; allowed: the last two stimulus by stimulus. "
            "Responses [presentation, neuroid] go to rdms_from_patterns"
        )
    first, second = dims[-2:]
    values = np.asarray(array.values)
    patterns: dict[str, Any] = {}
    named = [c for c in array.coords if array.coords[c].dims in ((first,), (second,))]
    rows = {
        _base(c): text(array.coords[c].values) for c in named if array.coords[c].dims == (first,)
    }
    columns = {
        _base(c): text(array.coords[c].values) for c in named if array.coords[c].dims == (second,)
    }
    for key in rows.keys() | columns.keys():
        a, b = rows.get(key), columns.get(key)
        if a is not None and b is not None and a != b:
            raise DataError(
                f"{source}: {first!r} and {second!r} name the stimuli in other orders or ways ({key!r})"
            )
        patterns[key] = a if a is not None else b
    leading = values.shape[:-2]
    labels = {}
    for axis, dim in enumerate(dims[:-2]):
        coords = [c for c in array.coords if array.coords[c].dims == (dim,)]
        given = {c: array.coords[c].values for c in coords} or {dim: np.arange(shape[dim])}
        for name, level in given.items():
            form = [1] * len(leading)
            form[axis] = -1
            labels[str(name)] = np.broadcast_to(np.reshape(text(level), form), leading).ravel()
    for name in array.coords:
        if array.coords[name].ndim == 0 and role_of(str(name)):
            labels.setdefault(
                str(name), np.full(leading, text([array.coords[name].item()])[0]).ravel()
            )
    vectors = vectors_of(values, source, str(array.name or "the array"))
    return RawRDMs(vectors, pd.DataFrame(labels, index=range(len(vectors))), patterns)


def _base(name: Any) -> str:
    """Name of a coordinate without the mark that tells the two axes of stimuli apart."""
    text_name = str(name)
    base = text_name.rstrip("0123456789_'")
    for mark in ("_a", "_b", "_x", "_y", "_i", "_j", "_row", "_col", "_left", "_right"):
        base = base.removesuffix(mark)
    return base or text_name


def one_variable(path: Path, wanted: Callable[[Any], bool], words: str, verb: str) -> Any:
    """The one variable of a netCDF file that is wanted, in memory; ``words`` say which, ``verb`` takes one by name."""
    try:
        import xarray
    except ImportError as error:
        raise MissingExtraError("xarray", "netcdf") from error
    from apastats.io.rdm_hdf5 import guarded

    try:
        guarded(path)
        with xarray.open_dataset(path, decode_times=False) as data:
            found = [v for v in data.data_vars.values() if wanted(v)]
            if len(found) != 1:
                shapes = {str(k): dict(v.sizes) for k, v in data.data_vars.items()}
                raise ReadError(
                    path,
                    f"{len(found)} variables {words}; found {shapes}. Pass one: "
                    f"{verb}(xarray.open_dataset(path)[NAME])",
                )
            affordable(path, int(found[0].size) * found[0].dtype.itemsize)
            return found[0].load()
    except ApaError:
        raise
    except Exception as error:  # of whichever engine reads it
        raise ReadError(path, f"is no readable netCDF file ({first_line(error)})") from error


def read_netcdf(path: Path) -> RawRDMs:
    """The square variable of a netCDF file."""
    array = one_variable(
        path,
        lambda v: v.ndim >= 2 and v.shape[-1] == v.shape[-2] and v.shape[-1] > 2,
        "whose last two dims are square",
        "read_rdms",
    )
    return from_xarray(array, str(path))
