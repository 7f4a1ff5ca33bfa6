"""Formats of table files: what can be read, what a file is by its first bytes, and a reader for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from apastats.errors import InputError, MissingExtraError, ReadError
from apastats.io.arrays import affordable, reading
from apastats.io.dialects import to_utf8
from apastats.io.frames import Part, from_arrow, from_xarray
from apastats.io.hdf5_tables import read_hdf5_table
from apastats.io.sheets import read_sheets
from apastats.io.sources import entities
from apastats.io.text_files import (
    TEXT,
    FileOptions,
    compressed,
    grouped,
    plain_text,
    small_texts,
    zipped,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMATS", "SUFFIXES", "FileOptions", "kind_of", "read_files"]

# what -> endings, and what it needs or how it is read
FORMATS: dict[str, tuple[tuple[str, ...], str]] = {
    "text": (TEXT, "any separator, decimal mark and encoding"),
    "compressed text": (
        tuple(f"{t}.{z}" for t in (".csv", ".tsv", ".txt") for z in ("gz", "bz2")),
        "gzip and bzip2",
    ),
    "zip": ((".zip",), "every table file inside, as a folder"),
    "Excel sheet": (
        (".xlsx", ".xlsm", ".xls", ".xlsb"),
        "one sheet, sheet= where there are several; merged labels stand for all their rows; extra excel",
    ),
    "OpenDocument sheet": ((".ods",), "as an Excel sheet; extra excel"),
    "JSON": (
        (".json", ".jsonl", ".ndjson"),
        "one record a line, a list of records, or a dict of columns",
    ),
    "parquet": ((".parquet", ".pq"), "an index that pandas stored becomes columns"),
    "feather and arrow": ((".feather", ".arrow", ".ipc"), "checked whole before use"),
    "netCDF": ((".nc", ".nc4", ".netcdf"), "xarray arrays, Brain-Score Score; extra netcdf"),
    "HDF5": (
        (".h5", ".hdf5"),
        "rsatoolbox Result.save with one evaluation per subject; one table; bootstrap replicates are refused",
    ),
}
SUFFIXES = tuple(s for endings, _ in FORMATS.values() for s in endings)

# first bytes -> what it is, and what reads it
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x93NUMPY", "a numpy array", "read_rdms or read_patterns"),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file", "read_rdms, if it holds RDMs; writetable in MATLAB writes a csv"),
    (b"MATLAB 7.3 MAT-file", "a MATLAB 7.3 file", "read_rdms, if it holds RDMs; writetable in MATLAB writes a csv"),
    (b"SQLite format 3", "an SQLite database", "pandas.read_sql, then apa.read(frame)"),
    (b"%PDF", "a PDF", "nothing here"),
    (b"RDX", "an R data file", "R, saved with write.csv"),
    (b"\x80\x02", "a pickle", ""), (b"\x80\x03", "a pickle", ""),
    (b"\x80\x04", "a pickle", ""), (b"\x80\x05", "a pickle", ""),
)  # fmt: skip
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_BEGINS = {
    "zip": b"PK",
    "Excel sheet": b"PK",
    "OpenDocument sheet": b"PK",
    "parquet": b"PAR1",
    "HDF5": b"\x89HDF",
}
_UNDER_OTHER_NAMES = (
    (b"PK", "; it is a newer workbook, its ending should be .xlsx, .xlsb or .ods"),
    (
        _OLD_EXCEL,
        "; it is an old workbook (.xls) or one with a password, which has to be taken off",
    ),
)
_PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth")
_BY_ENDING = {
    ".mat": ("a MATLAB file", "read_rdms, if it holds RDMs; writetable in MATLAB writes a csv"),
    ".npz": ("a numpy archive", "read_rdms or read_patterns"),
    ".npy": ("a numpy array", "read_rdms or read_patterns"),
    ".rds": ("an R data file", "R, saved with write.csv"),
    ".rdata": ("an R data file", "R, saved with write.csv"),
    ".sav": ("an SPSS file", "pandas.read_spss, then apa.read(frame)"),
    ".dta": ("a Stata file", "pandas.read_stata, then apa.read(frame)"),
    ".toml": ("a study file", "apastats run (run_study)"),
}
BATCH = 1 << 28
# what pyarrow raises over damaged bytes, beside its own errors
_DAMAGED = (OSError, ValueError, KeyError, TypeError, NotImplementedError, MemoryError, IndexError)


_TEXT = ("text", "compressed text", "zip")
# formats that read an option; the decimal mark is that of text cells, which all of them may hold
_TAKEN_BY = {
    "sep": _TEXT,
    "comment": _TEXT,
    "encoding": (*_TEXT, "JSON"),
    "sheet": ("Excel sheet", "OpenDocument sheet"),
}


def _applicable(paths: Sequence[str], options: FileOptions) -> None:
    """Refuse an option that none of the files would read."""
    given = {name: getattr(options, name) for name in _TAKEN_BY}
    given = {name: value for name, value in given.items() if value is not None}
    if not given or not paths:
        return
    kinds = list(dict.fromkeys(kind_of(path, _head(path)) for path in paths))
    for name, value in given.items():
        if not set(kinds) & set(_TAKEN_BY[name]):
            allowed = (
                f"nothing with {', '.join(kinds)}: {name} is read with {', '.join(_TAKEN_BY[name])}"
            )
            raise InputError(name, value, allowed)


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(512)
    except OSError as error:
        raise ReadError(path, f"cannot be read ({error})") from error


def kind_of(path: str, head: bytes) -> str:
    """Key of ``FORMATS`` that reads a file, by its ending and its first bytes.

    Raises
    ------
    ReadError
        If nothing here reads it; the message says what it is and what would.
    """
    name = path.lower()
    if name.endswith(_PICKLES):
        raise ReadError(
            path, f"pickled files are refused, they can run code; allowed: {', '.join(SUFFIXES)}"
        )
    for magic, what, reader in _SIGNATURES:
        if head.startswith(magic):
            if not reader:
                raise ReadError(
                    path,
                    f"pickled files are refused, they can run code; allowed: {', '.join(SUFFIXES)}",
                )
            raise ReadError(path, f"is {what}; {reader} reads it")
    kind = next((k for k, (endings, _) in FORMATS.items() if name.endswith(endings)), None)
    if kind is None:
        if head[:8] == b"\x89HDF\r\n\x1a\n" and not name.endswith(tuple(_BY_ENDING)):
            raise ReadError(path, "is an HDF5 file; read_rdms reads it, if it holds RDMs")
        what, reader = next((v for e, v in _BY_ENDING.items() if name.endswith(e)), ("", ""))
        if what:
            raise ReadError(path, f"is {what}; {reader} reads it")
        raise ReadError(path, f"unknown format; allowed: {', '.join(SUFFIXES)}")
    begins = _OLD_EXCEL if name.endswith(".xls") else _BEGINS.get(kind)
    if begins is not None and not head.startswith(begins):
        other = next((what for magic, what in _UNDER_OTHER_NAMES if head.startswith(magic)), "")
        if not other and name.endswith(".xls"):  # many tools write text under this ending
            other = "; text should end in .csv or .tsv, and a web page has to be saved as xlsx"
        raise ReadError(path, f"ends like {kind} and is none (it begins with {head[:8]!r}){other}")
    if kind == "text":
        for magic, other in ((b"PK\x03\x04", ".zip or .xlsx"), (b"PAR1", ".parquet"), (b"ARROW1", ".feather"),
                             (b"\x1f\x8b", ".csv.gz"), (b"BZh", ".csv.bz2"), (b"\x89HDF", ".nc or .h5")):  # fmt: skip
            if head.startswith(magic):
                raise ReadError(path, f"ends like text and is binary; its ending should be {other}")
    return kind


def read_files(paths: Sequence[str], options: FileOptions) -> Iterator[Part]:
    """Tables of files, in order.

    Parameters
    ----------
    paths : sequence of str
        Files.
    options : FileOptions

    Yields
    ------
    Part
        Text files with equal headers may come as one part.

    Raises
    ------
    ReadError
        If a file cannot be read; the message names it.
    """
    _applicable(paths, options)
    group: list[tuple[str, bytes]] = []
    first = b""
    size = 0
    texts = small_texts(paths) if len(paths) > 1 else iter([None] * len(paths))
    for path, data in zip(paths, texts, strict=True):
        header = b"" if data is None else data[: data.find(b"\n") + 1]
        if group and (data is None or header != first or size > BATCH):
            with reading(group[0][0]):
                yield from grouped(group, options)
            group, size = [], 0
        if data is None:
            yield from _one_file(path, options)
        else:
            first = header
            group.append((path, data))
            size += len(data)
    if group:
        with reading(group[0][0]):
            yield from grouped(group, options)


def _one_file(path: str, options: FileOptions) -> Iterator[Part]:
    kind = kind_of(path, _head(path))
    stated = entities(path)
    with reading(path):
        parts = list(_READERS[kind](path, options))
    for part in parts:
        yield replace(part, entities=stated) if stated else part


def _json(path: str, options: FileOptions) -> list[Part]:
    with open(path, "rb") as file:
        raw = file.read()
    text = to_utf8(raw, path, options.encoding)[0].decode()
    try:
        content = json.loads(text, object_pairs_hook=_once)
        what = "JSON"
    except json.JSONDecodeError:
        content, what = _json_lines(text, path), "JSON lines"
    frame = _records(content, path)
    return [Part(path, frame, what, lambda row: f"{path}, record {row + 1}")]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A record as a dict; of a key that stands twice Python would keep the last value and say nothing."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(n for n in names if names.count(n) > 1)!r} stands twice")
    return found


def _records(content: Any, path: str) -> pd.DataFrame:
    """Rows of what a JSON file holds: a list of dicts, a dict of columns, or one dict."""
    if isinstance(content, dict) and {"columns", "data"} <= set(content):
        names, rows = content["columns"], content["data"]
        odd = next((i for i, r in enumerate(rows) if len(r) != len(names)), None)
        if odd is not None:
            raise ReadError(
                path, f"record {odd + 1} has {len(rows[odd])} values for {len(names)} columns"
            )
        return pd.DataFrame(rows, columns=list(map(str, names)), dtype=object)
    if isinstance(content, dict) and {"schema", "data"} <= set(content):
        content = content["data"]  # pandas' orient="table"
    if isinstance(content, list) and content and all(isinstance(r, dict) for r in content):
        names = list(dict.fromkeys(k for r in content for k in r))
        rows = [[r.get(n) for n in names] for r in content]
        return pd.DataFrame(rows, columns=names, dtype=object)
    if isinstance(content, dict) and content:
        if all(isinstance(v, (dict, list)) for v in content.values()):
            columns = _by_index(content, path)
            if len({len(v) for v in columns.values()}) > 1:
                raise ReadError(path, "is a dict of columns of different lengths")
            return pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in columns.items()})
        if not isinstance(next(iter(content.values())), list):
            return pd.DataFrame([list(content.values())], columns=list(content), dtype=object)
    raise ReadError(
        path, "holds no records: a list of dicts, a dict of columns, or one dict a line is read"
    )


def _by_index(content: dict[str, Any], path: str) -> dict[str, list[Any]]:
    """Columns of one order of rows: those written by index are put in the order of the first of them."""
    order: list[str] | None = None
    columns: dict[str, list[Any]] = {}
    for name, column in content.items():
        if isinstance(column, list):
            columns[name] = column
            continue
        order = list(column) if order is None else order
        if set(column) != set(order):
            odd = next(iter(set(column) ^ set(order)))
            raise ReadError(
                path,
                f"column {name!r} has other rows than the first: {odd!r} is in one of them only",
            )
        columns[name] = [column[k] for k in order]
    nested = next((n for n, c in columns.items() if any(isinstance(v, dict) for v in c)), None)
    if nested is not None:
        raise ReadError(
            path,
            f"is nested: {nested!r} holds dicts. A list of records is read: "
            '[{"subject": "s1", "roi": "V1", "model": "m", "score": 0.3}, ...]',
        )
    return columns


def _json_lines(text: str, path: str) -> list[Any]:
    records = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            records.append(json.loads(line, object_pairs_hook=_once))
        except json.JSONDecodeError as error:
            raise ReadError(path, f"line {number} is no JSON ({error})") from error
    return records


def _parquet(path: str, options: FileOptions) -> list[Part]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema, declared = pq.read_schema(path), pq.read_metadata(path)
        # runs of one value take no room in the file; in memory each row takes its own
        affordable(Path(path), declared.num_rows * 8 * max(1, declared.num_columns))
        text = [
            f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)
        ]
        table = pq.read_table(path, read_dictionary=text)
        table.validate(full=True)
        return [_arrow_part(table, path, "parquet")]
    except ReadError:
        raise
    except (*_DAMAGED, pa.ArrowException, MemoryError) as error:
        raise ReadError(path, f"cannot be read ({type(error).__name__}: {error})") from error


def _feather(path: str, options: FileOptions) -> list[Part]:
    import pyarrow as pa

    try:
        with pa.memory_map(path) as file:
            head = file.read(6)
            file.seek(0)
            if head == b"FEA1":
                raise ReadError(
                    path,
                    "is a feather file of version 1; pandas.read_feather, then apa.read(frame)",
                )
            opened = pa.ipc.open_file(file) if head == b"ARROW1" else pa.ipc.open_stream(file)
            table = opened.read_all()
            # damaged bytes must end here, not in a crash of what uses them
            table.validate(full=True)
            return [_arrow_part(table, path, "feather")]
    except ReadError:
        raise
    except (*_DAMAGED, pa.ArrowException) as error:
        raise ReadError(path, f"cannot be read ({type(error).__name__}: {error})") from error


def _arrow_part(table: pa.Table, path: str, what: str) -> Part:
    """An arrow table, with the index that pandas stored."""
    import pyarrow as pa

    meta = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}"))
    if not isinstance(meta, dict):
        raise ReadError(path, "its metadata of pandas are damaged")
    stored = [
        c for c in meta.get("index_columns", []) if isinstance(c, str) and c in table.column_names
    ]
    named = {c["field_name"]: c.get("name") for c in meta.get("columns", [])}
    notes = []
    for column in stored:
        if named.get(column) is None and pa.types.is_integer(table.schema.field(column).type):
            table = table.drop_columns([column])
            notes.append("row numbers of the index left out")
        elif named.get(column) is None:
            table = table.rename_columns({column: "index"})
            notes.append("an index without a name taken as a column: index")
        else:
            notes.append(f"index level taken as a column: {column}")
    return Part(
        path, from_arrow(table), what, lambda row: f"{path}, row {row} (from 0)", tuple(notes)
    )


def _netcdf(path: str, options: FileOptions) -> list[Part]:
    try:
        import xarray
    except ImportError:
        raise MissingExtraError("xarray", "netcdf") from None
    with open(path, "rb") as file:
        classic = file.read(3) == b"CDF"
    try:
        with xarray.open_dataset(path, engine="scipy" if classic else "h5netcdf") as found:
            found.load()
            frame, notes = from_xarray(found)
    except (ImportError, ModuleNotFoundError):
        raise MissingExtraError("h5netcdf", "netcdf") from None
    except Exception as error:  # errors of three libraries pass through xarray
        raise ReadError(path, f"cannot be read ({type(error).__name__}: {error})") from error
    return [Part(path, frame, "netCDF", lambda row: f"{path}, entry {row} (from 0)", notes)]


_READERS: dict[str, Callable[[str, FileOptions], list[Part]]] = {
    "text": plain_text,
    "compressed text": compressed,
    "zip": zipped,
    "Excel sheet": read_sheets,
    "OpenDocument sheet": read_sheets,
    "JSON": _json,
    "parquet": _parquet,
    "feather and arrow": _feather,
    "netCDF": _netcdf,
    "HDF5": lambda path, options: read_hdf5_table(path),
}
