"""Text tables as parts: one file, many small ones at once, compressed ones, and archives of them."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from apastats.errors import InputError, ReadError
from apastats.io.arrays import affordable
from apastats.io.columns import canonical
from apastats.io.dialects import Dialect, lines_of_rows, read_text, sniff, to_utf8
from apastats.io.frames import Part, from_arrow
from apastats.io.sources import entities
from apastats.rows import KEY_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TEXT", "FileOptions", "compressed", "grouped", "plain_text", "small_text", "zipped"]

TEXT = (".csv", ".tsv", ".txt", ".tab", ".dat")
GROUPED = 1 << 23  # text files up to this size are read together where their headers are equal


@dataclass(frozen=True)
class FileOptions:
    """Options of :func:`apastats.read` about the files themselves.

    Attributes
    ----------
    sep, decimal, encoding, comment : str or None
    sheet : str, int or None
    known : collection of str
        Column names that arguments mention.
    labels : collection of str
        Columns that arguments make labels.
    """

    sep: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    comment: str | None = None
    sheet: str | int | None = None
    known: Collection[str] = ()
    labels: Collection[str] = ()

    def __post_init__(self) -> None:
        if self.sep is not None and (not isinstance(self.sep, str) or len(self.sep) != 1):
            named = {
                "comma": ",",
                "semicolon": ";",
                "tab": "\t",
                "bar": "|",
                "blank": " ",
                "\\t": "\t",
            }
            if self.sep not in named:
                raise InputError(
                    "sep", self.sep, "one character, or comma, semicolon, tab, bar, blank"
                )
            object.__setattr__(self, "sep", named[self.sep])
        if self.decimal not in (None, ".", ","):
            raise InputError("decimal", self.decimal, "'.' or ','")
        if self.decimal == "," and self.sep == ",":
            raise InputError("decimal", ",", "'.' where sep is ','")
        if self.comment is not None and (
            not isinstance(self.comment, str) or not self.comment.strip()
        ):
            raise InputError("comment", self.comment, "what comment lines begin with, e.g. '#'")
        for name in ("encoding",):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value.strip()):
                raise InputError(name, value, "the name of an encoding, e.g. 'latin-1'")


def small_text(path: str) -> bytes | None:
    """Bytes of a plain text file that can be joined to others; None for any other file."""
    if not path.lower().endswith(TEXT):
        return None
    try:
        with open(path, "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size > GROUPED:
                return None
            data = file.read()
    except OSError as error:
        raise ReadError(path, f"cannot be read ({error})") from error
    plain = data[:1].isalpha() and not (b'"' in data or b"\x00" in data or b"\r" in data)
    if not plain or b"\n" not in data:
        return None
    return data if data.endswith(b"\n") else data + b"\n"


def grouped(group: list[tuple[str, bytes]], options: FileOptions) -> list[Part]:
    """Text files with one header: parsed together, each by itself where that fails."""
    import pyarrow as pa

    if len(group) == 1:
        return _alone(group[0][0], options)
    header = group[0][1].find(b"\n") + 1
    counts = []
    for _, data in group:
        rows = data.count(b"\n") - 1
        if b"\n\n" in data:
            rows = sum(1 for line in data.split(b"\n")[1:] if line)
        counts.append(rows)
    joined = pa.py_buffer(b"".join([group[0][1], *(data[header:] for _, data in group[1:])]))
    names = [path for path, _ in group]
    try:
        dialect = sniff(bytes(memoryview(joined)[: 1 << 19]), names[0], sep=options.sep, decimal=options.decimal,
                        comment=options.comment, encoding=options.encoding or "utf-8", known=options.known)  # fmt: skip
        if options.encoding not in (None, "utf-8", "utf8") or dialect.start != header:
            raise ReadError(names[0], "not in the plain form")
        table = read_text(joined, names[0], dialect, _labels(dialect, options))
    except ReadError:
        return [part for path in names for part in _alone(path, options)]
    if table.num_rows != sum(counts):
        return [part for path in names for part in _alone(path, options)]
    return _cut(table, names, counts, dialect, [data for _, data in group])


def _alone(path: str, options: FileOptions) -> list[Part]:
    return [replace(p, entities=entities(path)) for p in plain_text(path, options)]


def _cut(
    table: pa.Table, names: list[str], counts: list[int], dialect: Dialect, texts: list[bytes]
) -> list[Part]:
    """One part for files that state nothing in their names; one per file otherwise."""
    starts = [0]
    for n in counts:
        starts.append(starts[-1] + n)

    def locate(row: int) -> str:
        i = bisect_right(starts, row) - 1
        import pyarrow as pa

        line = lines_of_rows(pa.py_buffer(texts[i]), dialect)
        return f"{names[i]}, line {line(row - starts[i])}"

    frame = from_arrow(table)
    stated = [entities(n) for n in names]
    columns = {k: [s.get(k) for s in stated] for s in stated[:1] for k in s}
    if not all(set(s) == set(columns) for s in stated):
        return [
            Part(
                name,
                frame.iloc[starts[i] : starts[i + 1]].reset_index(drop=True),
                dialect.describe(),
                partial(_from, locate, starts[i]),
                decimal=dialect.decimal,
                entities=found,
            )
            for i, (name, found) in enumerate(zip(names, stated, strict=True))
        ]
    # columns that names state, as categories beside the others
    spread = {}
    for key, values in columns.items():
        levels = {v: i for i, v in enumerate(dict.fromkeys(values))}
        codes = np.repeat([levels[v] for v in values], counts)
        spread[key] = pd.Categorical.from_codes(
            codes, dtype=pd.CategoricalDtype(pd.Index(list(levels), dtype="str"))
        )
    name = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    return [Part(name, frame, dialect.describe(), locate, decimal=dialect.decimal, entities=spread,
                 n_file=len(names))]  # fmt: skip


def _from(locate: Callable[[int], str], start: int, row: int) -> str:
    return locate(start + row)


def _labels(dialect: Dialect, options: FileOptions) -> set[str]:
    """Columns that are labels by their names or by arguments."""
    by_name = {n for n in dialect.names if canonical(n) in (*KEY_COLUMNS, "further label")}
    return by_name | set(options.labels)


def _text_part(data: pa.Buffer, name: str, options: FileOptions) -> Part:
    import pyarrow as pa

    plain = options.encoding in (None, "utf-8", "utf8") and not bytes(data[:4]).startswith(
        (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
    )
    large = data.size > GROUPED
    encoding = "utf-8"
    if not (plain and large and _utf8(bytes(data[:4096]))):
        text, encoding = to_utf8(data.to_pybytes(), name, options.encoding)
        data = pa.py_buffer(text)
    try:
        return _parsed(data, name, options, encoding)
    except ReadError as error:
        if not large or "UTF8" not in str(error):
            raise
    text, encoding = to_utf8(data.to_pybytes(), name, options.encoding)
    return _parsed(pa.py_buffer(text), name, options, encoding)


def _utf8(head: bytes) -> bool:
    return b"\x00" not in head


def _parsed(data: pa.Buffer, name: str, options: FileOptions, encoding: str) -> Part:
    head = bytes(data[: 1 << 19])
    dialect = sniff(head, name, sep=options.sep, decimal=options.decimal, comment=options.comment,
                    encoding=encoding, known=options.known)  # fmt: skip
    table = read_text(data, name, dialect, _labels(dialect, options))
    if dialect.trailing:
        table = table.drop_columns([dialect.names[-1]])

    def locate(row: int) -> str:
        return f"{name}, line {lines_of_rows(data, dialect)(row)}"

    return Part(name, from_arrow(table), dialect.describe(), locate, decimal=dialect.decimal)


def plain_text(path: str, options: FileOptions) -> list[Part]:
    """The table of a text file, which is mapped rather than copied."""
    import pyarrow as pa

    if os.path.getsize(path) == 0:
        raise ReadError(path, "is empty")
    with pa.memory_map(path) as file:
        return [_text_part(file.read_buffer(), path, options)]


CHUNK = 2**26  # bytes unpacked at once


def compressed(path: str, options: FileOptions) -> list[Part]:
    """The table of a gzip or bzip2 file."""
    import pyarrow as pa

    try:
        with pa.input_stream(
            path, compression="gzip" if path.lower().endswith("gz") else "bz2"
        ) as file:
            parts, size = [], 0
            while part := file.read(
                CHUNK
            ):  # piece by piece: how large it is unpacked shows only then
                size += len(part)
                affordable(Path(path), size)
                parts.append(part)
        data = pa.py_buffer(b"".join(parts))
    except (OSError, pa.ArrowException, MemoryError) as error:
        raise ReadError(path, f"cannot be unpacked ({error})") from error
    return [replace(p, what=f"compressed {p.what}") for p in [_text_part(data, path, options)]]


def zipped(path: str, options: FileOptions) -> list[Part]:
    """The text tables of a zip archive, a part each."""
    import zipfile

    import pyarrow as pa

    try:
        with zipfile.ZipFile(path) as archive:
            # no more than it declares is ever unpacked
            affordable(Path(path), sum(m.file_size for m in archive.infolist()))
            members = [m for m in sorted(archive.namelist()) if m.lower().endswith(TEXT)
                       and not m.startswith("__MACOSX")]  # fmt: skip
            if not members:
                raise ReadError(path, f"holds no text table; it holds {archive.namelist()[:6]}")
            return [
                replace(
                    _text_part(pa.py_buffer(archive.read(m)), f"{path}/{m}", options),
                    entities=entities(m),
                )
                for m in members
            ]
    except (zipfile.BadZipFile, RuntimeError, OSError) as error:
        raise ReadError(path, f"cannot be unpacked ({error})") from error
