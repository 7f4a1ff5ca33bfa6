"""Objects that hold a table: pandas, polars, arrow, xarray, dicts and lists, all brought to one pandas frame."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from apastats.errors import InputError
from apastats.io.columns import canonical
from apastats.io.rsatoolbox_results import from_result
from apastats.rows import KEY_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["OBJECTS", "Part", "from_arrow", "from_object", "from_xarray"]

OBJECTS = (
    "pandas frames and Series (an index with names becomes columns)",
    "polars, arrow and every other frame that narwhals knows",
    "xarray arrays and data sets",
    "a dict of columns, a list of dicts, a structured array",
    "rsatoolbox Results with one evaluation per subject",
)


def _row(i: int) -> str:
    return f"data, row {i} (from 0)"


@dataclass(frozen=True)
class Part:
    """One table as it was found.

    Attributes
    ----------
    name : str
        File or kind of object, for messages.
    frame : pandas.DataFrame
        As it stands; columns of text may be categories.
    what : str
        What it is, in words.
    locate : callable
        From the number of a row to words.
    notes : tuple of str
        What was done to read it.
    decimal : str
        Decimal mark of numbers that are still text.
    entities : mapping
        Columns that the name of the file states: one label, or one per row.
    n_file : int
        Files it comes from.
    evaluations : bool
        Whether the source says that it holds scores.
    """

    name: str
    frame: pd.DataFrame
    what: str
    locate: Callable[[int], str] = _row
    notes: tuple[str, ...] = ()
    decimal: str = "."
    entities: Mapping[str, Any] = field(default_factory=dict)
    n_file: int = 1
    evaluations: bool = False


def from_arrow(table: pa.Table) -> pd.DataFrame:
    """A frame whose text is categories, without copying what need not be copied."""
    import pyarrow as pa

    columns: dict[str, Any] = {}
    for i, name in enumerate(table.column_names):
        column = table.column(i)
        kind = column.type
        if pa.types.is_dictionary(kind) and not pa.types.is_signed_integer(kind.index_type):
            column, kind = column.cast(kind.value_type), kind.value_type  # polars writes uint32
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
            column = column.cast(pa.large_string()).dictionary_encode()
        if pa.types.is_dictionary(column.type):
            column = column.unify_dictionaries().combine_chunks()
            if isinstance(column, pa.ChunkedArray):
                column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
            codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            levels = column.dictionary.to_pandas()
            if levels.is_unique and not levels.isna().any():
                dtype = pd.CategoricalDtype(pd.Index(levels))
                columns[name] = pd.Categorical.from_codes(codes, dtype=dtype, validate=False)
                continue
            column = column.dictionary_decode()
        columns[name] = column.to_pandas().array
    if len(columns) < table.num_columns:
        repeated = next(n for n in table.column_names if table.column_names.count(n) > 1)
        raise InputError("source", table.column_names, f"columns of distinct names ({repeated!r})")
    return pd.DataFrame(columns, copy=False) if columns else pd.DataFrame(index=range(len(table)))


def from_object(source: Any) -> Part:
    """The table that an object holds.

    Parameters
    ----------
    source : object
        See ``OBJECTS``.

    Returns
    -------
    Part

    Raises
    ------
    InputError
        If it is no table; the message says what it is.
    """
    kind = type(source).__name__
    if isinstance(source, pd.Series):
        return _from_pandas(_series(source), "a pandas Series")
    if isinstance(source, pd.DataFrame):
        return _from_pandas(source, "a pandas frame")
    root = type(source).__module__.split(".")[0]
    if hasattr(source, "evaluations") and hasattr(source, "cv_method"):
        return _from_result(source)
    if root == "xarray":
        frame, notes = from_xarray(source)
        return Part("data", frame, f"an xarray {kind}", notes=notes)
    if isinstance(source, Mapping):
        return _from_pandas(_columns(source), "a dict of columns")
    if isinstance(source, np.ndarray):
        if source.dtype.names is None:
            raise InputError("source", f"array of shape {source.shape}",
                             "a table with column names: a frame, a dict of columns, a structured array")  # fmt: skip
        return _from_pandas(pd.DataFrame({n: source[n] for n in source.dtype.names}), "an array")
    if isinstance(source, Sequence) and not isinstance(source, (str, bytes)):
        if source and all(isinstance(row, Mapping) for row in source):
            return _from_pandas(pd.DataFrame(list(source)), "a list of dicts")
        hint = "pd.DataFrame(rows, columns=[...]) names columns, pd.concat(frames) joins frames."
        raise InputError("source", [type(v).__name__ for v in source[:3]],
                         "paths, or rows that are dicts", hint=hint)  # fmt: skip
    return _from_narwhals(source, root)


def _from_result(source: Any) -> Part:
    names = [str(m.name) for m in source.models]
    frame, what, notes = from_result(vars(source), names, [type(m).__name__ for m in source.models])
    return Part("data", frame, what, notes=notes, evaluations=True)


def _from_narwhals(source: Any, root: str) -> Part:
    """Polars, arrow, duckdb, modin, ...: whatever narwhals can turn into an arrow table."""
    import narwhals as nw

    try:
        frame = nw.from_native(source)
    except TypeError:
        hint = " (read from its path)" if hasattr(source, "read") else ""
        raise InputError("source", type(source).__name__,
                         f"a path, a list of paths, or a table: {'; '.join(OBJECTS)}{hint}") from None  # fmt: skip
    eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    return Part("data", from_arrow(eager.to_arrow()), f"a {root} table")


def _series(series: pd.Series) -> pd.DataFrame:
    return series.to_frame("score" if series.name is None else str(series.name))


def _columns(source: Mapping[Any, Any]) -> pd.DataFrame:
    if not source:
        raise InputError("source", {}, "a dict of columns")
    if all(hasattr(v, "columns") for v in source.values()):
        raise InputError("source", {k: type(v).__name__ for k, v in source.items()}, "a dict of columns",
                         hint="pd.concat(frames, names=['subject']) joins frames under their names.")  # fmt: skip
    try:
        return pd.DataFrame({str(k): v for k, v in source.items()})
    except (ValueError, TypeError) as error:
        raise InputError("source", {k: type(v).__name__ for k, v in source.items()},
                         f"a dict of columns of one length ({error})") from error  # fmt: skip


def _from_pandas(frame: pd.DataFrame, what: str) -> Part:
    """A frame with its index as columns where the index has names or is no row number."""
    notes: list[str] = []
    index = frame.index
    frame = frame.copy(deep=False)
    if isinstance(frame.columns, pd.MultiIndex):
        frame, said = _one_level(frame)
        notes += said
        index = frame.index
    frame.columns = [str(c) for c in frame.columns]
    named = [n is not None for n in index.names]
    if any(named):
        names = [str(n) if n is not None else f"level_{i}" for i, n in enumerate(index.names)]
        clash = [n for n in names if n in frame.columns]
        if clash:
            raise InputError("source", clash[0],
                             "an index whose names are no columns; reset_index(drop=True) drops it")  # fmt: skip
        parts = {n: index.get_level_values(i) for i, n in enumerate(names)}
        frame = pd.concat([pd.DataFrame(parts, index=index), frame], axis=1)
        notes.append(f"index levels taken as columns: {', '.join(names)}")
    elif isinstance(index, pd.MultiIndex) or not (
        isinstance(index, pd.RangeIndex) or pd.api.types.is_integer_dtype(index.dtype)
    ):
        parts = {
            f"level_{i}" if isinstance(index, pd.MultiIndex) else "index": index.get_level_values(i)
            for i in range(index.nlevels)
        }
        frame = pd.concat([pd.DataFrame(parts, index=index), frame], axis=1)
        notes.append(f"an index without a name taken as columns: {', '.join(parts)}")
    frame = frame.reset_index(drop=True)
    if not frame.columns.is_unique:
        repeated = frame.columns[frame.columns.duplicated()][0]
        raise InputError("source", list(frame.columns), f"columns of distinct names ({repeated!r})")
    return Part("data", frame, what, notes=tuple(notes))


def _constant(levels: Any, spread: Sequence[int]) -> list[int]:
    """Levels of column names that say of all columns that they are scores."""
    values = [levels.get_level_values(i) for i in range(levels.nlevels)]
    return [
        i
        for i, v in enumerate(values)
        if i not in spread and len(v.unique()) == 1 and canonical(str(v[0])) == "score"
    ]


def _one_level(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Columns of several levels as one: levels that name labels become rows, those of one value are left out."""
    notes = []
    # what reset_index made of an index stands under empty names
    fixed = [c for c in frame.columns if "" in c[1:] and c[0] != ""]
    if fixed and len(fixed) < frame.shape[1]:
        frame = frame.set_index(fixed)
        frame.index.names = [str(c[0]) for c in fixed]
    levels: Any = frame.columns
    roles = [canonical(str(n)) if n is not None else None for n in levels.names]
    spread = [i for i, r in enumerate(roles) if r in KEY_COLUMNS or r == "further label"]
    constant = _constant(levels, spread)
    if len(spread) > 1 and len(spread) + len(constant) == levels.nlevels:
        names = [str(levels.names[i]) for i in spread]
        made: Any = frame.copy(deep=False)
        made.columns = levels.droplevel(constant) if constant else levels
        stacked: Any = made.stack(names, future_stack=True)
        stacked.name = "score"
        if stacked.index.names[0] is None and isinstance(frame.index, pd.RangeIndex):
            stacked = stacked.droplevel(0)
        notes.append(f"levels of the columns taken as labels: {', '.join(names)}")
        return stacked.to_frame(), notes
    if constant and len(constant) < levels.nlevels:
        frame.columns = levels.droplevel(constant)
        notes.append(
            f"a level of the columns with one value left out: {levels.get_level_values(constant[0])[0]}"
        )
        levels = frame.columns
    if isinstance(levels, pd.MultiIndex):
        frame.columns = ["_".join(str(p) for p in c if str(p) != "") for c in levels]
        notes.append(f"levels of the column names joined: {', '.join(frame.columns[:6])}")
    return frame, notes


def from_xarray(source: Any) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """An xarray array or data set as rows.

    Parameters
    ----------
    source : xarray.DataArray or xarray.Dataset
        A Brain-Score ``Score`` has a dimension ``aggregation`` with ``center`` and ``error``, or its error
        in ``attrs``.

    Returns
    -------
    frame : pandas.DataFrame
        One row per entry; coordinates as columns; errors as a column ``error``.
    notes : tuple of str
    """
    notes: list[str] = []
    bare = [str(d) for d in source.dims if re.fullmatch(r"dim_\d+", str(d))]
    if bare:
        hint = "xr.DataArray(values, coords={'subject': [...], 'roi': [...], 'model': [...]})."
        raise InputError("source", bare, "an xarray array whose dims have names", hint=hint)  # fmt: skip
    dataset = hasattr(source, "data_vars")
    if dataset and len(source.data_vars) == 1:
        name = next(iter(source.data_vars))
        source, dataset = source[name], False
    if not dataset:
        unnamed = source.name is None or str(source.name).startswith("__xarray")
        array = source.rename("score" if unnamed else str(source.name))
        errors = {k: array.attrs[k] for k in ("error", "ceiling") if _is_number(array.attrs.get(k))}
        frame = (
            array.to_series().reset_index()
            if array.ndim
            else pd.DataFrame({array.name: [array.item()]})
        )
        for coordinate in array.coords:
            if coordinate not in frame.columns:
                frame[str(coordinate)] = _beside(array, coordinate)
        frame.columns = [str(c) for c in frame.columns]
        if "aggregation" in frame.columns:
            frame, line = _aggregated(frame, str(array.name))
            notes.append(line)
        for k, v in errors.items():
            frame[k] = float(v)
            notes.append(f"{k} of the attributes kept as a column")
        return frame, tuple(notes)
    frame = source.to_dataframe().reset_index()
    frame.columns = [str(c) for c in frame.columns]
    return frame, tuple(notes)


def _is_number(value: Any) -> bool:
    return value is not None and np.ndim(value) == 0 and isinstance(value, (int, float, np.number))


def _beside(array: Any, coordinate: Any) -> Any:
    """Values of a coordinate that is no dimension, one per row."""
    expanded = array.coords[coordinate].broadcast_like(array).transpose(*array.dims)
    return np.asarray(expanded.values).ravel()


def _aggregated(frame: pd.DataFrame, score: str) -> tuple[pd.DataFrame, str]:
    """Center and error side by side."""
    others = [c for c in frame.columns if c not in ("aggregation", score)]
    parts = {
        str(k): part.drop(columns="aggregation")
        for k, part in frame.groupby("aggregation", sort=False)
    }
    first = "center" if "center" in parts else next(iter(parts))
    out = parts.pop(first).reset_index(drop=True)
    for name, part in parts.items():
        part = part.rename(columns={score: name})
        out = out.merge(part, on=others, how="left", validate="one_to_one") if others else out.assign(
            **{name: part[name].to_numpy()})  # fmt: skip
    beside = ", ".join(parts) or "nothing"
    return out, f"aggregation: {first} taken as the score, {beside} kept beside it"
