"""Whether a MATLAB 5 file is whole: scipy's reader trusts its sizes, and a damaged one takes the process down."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from apastats.errors import ReadError
from apastats.io.arrays import affordable

__all__ = ["check_mat5"]

WIDTH = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
MATRIX, COMPRESSED = 14, 15
CELL, STRUCT, OBJECT, CHAR, SPARSE = 1, 2, 3, 4, 5
NUMERIC = range(6, 16)
COMPLEX = 0x0800
DEEPEST = 20


_Parts = list[tuple[int, memoryview]]


def check_mat5(path: Path) -> None:
    """Walk all elements and compare the sizes they declare with the bytes that are there.

    Raises
    ------
    ReadError
        If the file is damaged, or declares far more data than it holds.
    """
    content = path.read_bytes()
    if 0 in content[:4]:
        return  # version 4, as scipy tells it (never by the words at the beginning), has no such structure
    try:
        order = {b"IM": "<", b"MI": ">"}[content[126:128]]
        for kind, data in _elements(memoryview(content)[128:], order):
            if kind == COMPRESSED:
                stream = zlib.decompressobj()
                head = stream.decompress(data, 8)
                affordable(path, 8 + struct.unpack(order + "II", head)[1])
                inner = head + stream.decompress(stream.unconsumed_tail) + stream.flush()
                for part, matrix in _elements(memoryview(inner), order):
                    _matrix(part, matrix, order, 0)
            else:
                _matrix(kind, data, order, 0)
    except (KeyError, ValueError, IndexError, struct.error, zlib.error, MemoryError) as error:
        raise ReadError(
            path, f"is no readable MATLAB file (damaged or cut off: {error})"
        ) from error


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Types and contents of the data elements in a stretch of bytes."""
    place = 0
    while place < len(data):
        kind, size = struct.unpack_from(order + "II", data, place)
        if kind >> 16:  # the small form: size and type in four bytes, and the data in the next four
            kind, size, start, step = kind & 0xFFFF, kind >> 16, place + 4, 8
            if size > 4:
                raise ValueError("a small element of more than four bytes")
        else:
            start = place + 8
            step = 8 + size + (0 if kind == COMPRESSED else -size % 8)
        if start + size > len(data):
            raise ValueError("an element longer than the file")
        if kind not in WIDTH and kind not in (MATRIX, COMPRESSED):
            raise ValueError(f"an element of type {kind}")
        yield kind, data[start : start + size]
        place += step


def _n_entry(kind: int, dims: memoryview, order: str) -> int:
    """Number of entries of an array, from its shape."""
    if kind != 5 or len(dims) < 8 or len(dims) % 4:
        raise ValueError("no shape of an array")
    shape = struct.unpack(f"{order}{len(dims) // 4}i", dims)
    if min(shape) < 0:
        raise ValueError("an impossible shape or name")
    return math.prod(shape)


def _fields(parts: _Parts, order: str) -> tuple[int, _Parts]:
    """Number of fields of a struct, and the values that follow their names."""
    (length_kind, length_data), (names_kind, names) = parts[0], parts[1]
    length = struct.unpack(order + "i", length_data)[0]
    if length_kind != 5 or names_kind != 1 or length < 1 or len(names) % length:
        raise ValueError("impossible names of fields")
    return len(names) // length, parts[2:]


def _matrix(kind: int, data: memoryview, order: str, depth: int) -> None:
    """Check one array: as much data as its shape says, and its parts likewise."""
    if kind != MATRIX or depth > DEEPEST:
        raise ValueError(f"an element of type {kind} where an array is expected")
    if not len(data):  # an empty cell
        return
    parts = list(_elements(data, order))
    (flags_kind, flags), (dims_kind, dims) = parts[0], parts[1]
    if (flags_kind, len(flags)) != (6, 8):
        raise ValueError("no flags of an array")
    flag = struct.unpack(order + "II", flags)[0]
    what = flag & 0xFF
    if what not in range(1, 16):
        return  # functions and opaque objects have no shape
    n, rest = _n_entry(dims_kind, dims, order), parts[3:]
    if parts[2][0] not in (1, 2, 16):
        raise ValueError("an impossible shape or name")
    if what in (CELL, STRUCT, OBJECT):
        if what != CELL:
            n_field, rest = _fields(rest[1:] if what == OBJECT else rest, order)
            n *= n_field
        if len(rest) != n:
            raise ValueError("a struct or cell with fewer parts than its shape says")
        for part, inner in rest:
            _matrix(part, inner, order, depth + 1)
    elif what in NUMERIC:
        wanted = 2 if flag & COMPLEX else 1
        if len(rest) != wanted or any(k not in WIDTH or len(d) != n * WIDTH[k] for k, d in rest):
            raise ValueError("an array with more or less data than its shape says")
    elif what == CHAR and (len(rest) != 1 or rest[0][0] not in WIDTH or len(rest[0][1]) < n):
        raise ValueError("text with less data than its shape says")
    elif what == SPARSE and len(rest) < 3:
        raise ValueError("a sparse array without its parts")
