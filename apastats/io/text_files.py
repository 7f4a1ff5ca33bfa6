"""Text tables as parts: one file, many small ones at once, compressed ones, and archives of them."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from apastats.arguments import choice
from apastats.errors import InputError, ReadError
from apastats.io.arrays import affordable
from apastats.io.columns import canonical
from apastats.io.dialects import Dialect, lines_of_rows, read_text, sniff, to_utf8
from apastats.io.frames import Part, from_arrow
from apastats.io.sources import entities
from apastats.rows import KEY_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TEXT", "FileOptions", "compressed", "grouped", "plain_text", "small_texts", "zipped"]

TEXT = (".csv", ".tsv", ".txt", ".tab", ".dat")
_PIECE, _SNIFFED, _BOM = 1 << 16, 1 << 16, b"\xef\xbb\xbf"
_CHUNK, _READERS = 128, 8  # files read by one thread at a time, and threads
GROUPED = 1 << 20  # text files up to this size are read together where their headers are equal
_LARGE = 1 << 23  # text beyond this size is not copied to look at its encoding


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
        if self.decimal is not None:
            choice("decimal", self.decimal, (".", ","))
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
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            data = os.read(handle, _PIECE)
            while more := os.read(handle, GROUPED):
                data += more
                if len(data) > GROUPED:
                    return None
        finally:
            os.close(handle)
    except OSError as error:
        raise ReadError(path, f"cannot be read ({error})") from error
    if data.startswith(_BOM):
        data = data[3:]
    if not (data[:1].isalpha() or data[:1] == b'"') or b"\n" not in data:
        return None
    return data if data.endswith(b"\n") else data + b"\n"


def small_texts(paths: Sequence[str]) -> Iterator[bytes | None]:
    """:func:`small_text` of each of several files, in order; many are read at once, as most of the time is waiting."""
    if len(paths) <= _CHUNK:
        yield from map(small_text, paths)
        return
    chunks = [paths[i : i + _CHUNK] for i in range(0, len(paths), _CHUNK)]
    with ThreadPoolExecutor(_READERS) as pool:
        for i in range(0, len(chunks), _READERS):  # no more is read ahead than is used next
            for found in pool.map(
                lambda chunk: [small_text(p) for p in chunk], chunks[i : i + _READERS]
            ):
                yield from found


def grouped(group: list[tuple[str, bytes]], options: FileOptions) -> list[Part]:
    """Text files with one header: parsed together, each by itself where that fails."""
    import pyarrow as pa

    names = [path for path, _ in group]
    if len(group) == 1:
        return _alone(names[0], options)
    header = group[0][1].find(b"\n") + 1
    joined = b"".join([group[0][1], *(data[header:] for _, data in group[1:])])
    try:
        if b"\x00" in joined or options.encoding not in (None, "utf-8", "utf8"):
            raise ReadError(names[0], "not in the plain form")
        head = joined[: joined.rfind(b"\n", 0, max(_SNIFFED, header)) + 1]
        dialect = sniff(head, names[0], sep=options.sep, decimal=options.decimal,
                        comment=options.comment, encoding="utf-8", known=options.known)  # fmt: skip
        if dialect.start != header:
            raise ReadError(names[0], "not in the plain form")
        table = read_text(pa.py_buffer(joined), names[0], dialect, _labels(dialect, options))
    except ReadError:
        return [part for path in names for part in _alone(path, options)]
    texts = [data for _, data in group]
    blank = b"\n\n" in joined or b"\n\r\n" in joined
    n = sum(_counts(texts)) if blank else joined.count(b"\n") - 1
    if table.num_rows != n:  # line breaks in quotes, comments between rows
        return [part for path in names for part in _alone(path, options)]
    return _cut(table, names, texts, dialect)


def _counts(texts: list[bytes]) -> list[int]:
    """Rows of each text below its header; blank lines are none."""
    return [
        sum(1 for line in data.split(b"\n")[1:] if line.strip(b"\r"))
        if b"\n\n" in data or b"\n\r\n" in data
        else data.count(b"\n") - 1
        for data in texts
    ]


def _alone(path: str, options: FileOptions) -> list[Part]:
    return [replace(p, entities=entities(path)) for p in plain_text(path, options)]


def _cut(table: pa.Table, names: list[str], texts: list[bytes], dialect: Dialect) -> list[Part]:
    """One part for files that state nothing in their names; one per file otherwise."""
    places: list[int] = []

    def starts() -> list[int]:
        if not places:
            places.extend(accumulate(_counts(texts), initial=0))
        return places

    def locate(row: int) -> str:
        import pyarrow as pa

        i = bisect_right(starts(), row) - 1
        line = lines_of_rows(pa.py_buffer(texts[i]), dialect)
        return f"{names[i]}, line {line(row - starts()[i])}"

    frame = from_arrow(table)
    stated = [entities(n) for n in names]
    columns = {k: [s.get(k) for s in stated] for s in stated[:1] for k in s}
    if any(stated) and not all(set(s) == set(columns) for s in stated):
        return [
            Part(
                name,
                frame.iloc[starts()[i] : starts()[i + 1]].reset_index(drop=True),
                dialect.describe(),
                partial(_from, locate, starts()[i]),
                decimal=dialect.decimal,
                entities=found,
            )
            for i, (name, found) in enumerate(zip(names, stated, strict=True))
        ]
    # columns that names state, as categories beside the others
    spread = {}
    for key, values in columns.items():
        levels = {v: i for i, v in enumerate(dict.fromkeys(values))}
        codes = np.repeat([levels[v] for v in values], np.diff(starts()))
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
    large = data.size > _LARGE
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
