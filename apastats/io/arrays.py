"""Npy and npz files as arrays: no pickle, no raw errors, and no memory for more than a file can hold."""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from apastats.errors import ApaError, ReadError

__all__ = ["DAMAGED", "affordable", "first_line", "load_npy", "load_npz", "npz_arrays", "reading"]

# what damaged files raise: of zip archives, of compressed streams, of headers, of dtypes
DAMAGED = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, IndexError, SyntaxError, OverflowError),
    *(
        zipfile.BadZipFile,
        zlib.error,
        tokenize.TokenError,
        NotImplementedError,
        RuntimeError,
        AttributeError,
    ),
)
LARGE = 2**30  # up to here any file may ask for memory
RATIO = 50  # arrays of measurements are compressed by a factor of two or so


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Whatever damaged bytes raise in a library below becomes an error that names the file.

    Raises
    ------
    ReadError
    """
    try:
        yield
    except ApaError:
        raise
    except Exception as error:
        what = f"cannot be read ({type(error).__name__}: {first_line(error)})"
        raise ReadError(path, what) from error


def affordable(path: Path, n_bytes: int) -> None:
    """Refuse a file that declares far more data than it could hold, before memory is taken.

    Raises
    ------
    ReadError
        More than 1 GiB that is more than 50 times the size of the file, or more than there is memory.
    """
    size = os.path.getsize(path)
    if n_bytes > LARGE and n_bytes > RATIO * size:
        raise ReadError(
            path, f"declares {n_bytes / 1e9:.3g} GB of data in {size / 1e6:.3g} MB and is not read"
        )
    memory = _memory()
    if n_bytes > memory:
        raise ReadError(
            path,
            f"declares {n_bytes / 1e9:.3g} GB of data; {memory / 1e9:.3g} GB of memory are there",
        )


def _memory() -> float:
    """Bytes this process may take at most; infinite where the system does not say."""
    limit = float("inf")
    try:
        limit = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        import resource

        soft = resource.getrlimit(resource.RLIMIT_AS)[0]
        limit = limit if soft == resource.RLIM_INFINITY else min(limit, float(soft))
    except (AttributeError, ImportError, OSError, ValueError):
        pass
    return limit


def load_npy(path: Path, *, mmap: bool = False) -> np.ndarray:
    """Array of an npy file, as it is on disk or mapped.

    Raises
    ------
    ReadError
        Not an npy file, damaged, or of Python objects.
    """
    try:
        with path.open("rb") as handle:
            shape, dtype = _header(handle)
            if dtype.hasobject:
                raise ReadError(path, _PICKLED)
            declared = dtype.itemsize * int(np.prod(shape, dtype=object))
            if declared > os.path.getsize(path):
                raise ReadError(path, "is cut off: shorter than its header says")
        found: np.ndarray = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
        return found
    except ReadError:
        raise
    except (*DAMAGED, MemoryError) as error:
        raise ReadError(path, f"is no readable npy file ({first_line(error)})") from error


def load_npz(path: Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Arrays of an npz file by name, and the names of those that hold Python objects and are left alone.

    Raises
    ------
    ReadError
        Damaged, or declaring more data than it could hold.
    """
    arrays: dict[str, np.ndarray] = {}
    objects = []
    for name, array in npz_arrays(path):
        if array is None:
            objects.append(name)
        else:
            arrays[name] = array
    return arrays, tuple(objects)


def npz_arrays(path: Path) -> Iterator[tuple[str, np.ndarray | None]]:
    """Names and arrays of an npz file, one at a time; None for an array of Python objects."""
    try:
        with zipfile.ZipFile(path) as archive:
            headers = {}
            if len(set(archive.namelist())) < len(archive.namelist()):
                raise ReadError(path, "holds two arrays of one name")
            for member in archive.namelist():
                if member.endswith(".npy"):
                    with archive.open(member) as handle:
                        headers[member] = _header(handle)
            plain = [dtype.itemsize * int(np.prod(shape, dtype=object))
                     for shape, dtype in headers.values() if not dtype.hasobject]  # fmt: skip
            affordable(path, sum(plain))
            for member, (_, dtype) in headers.items():
                if dtype.hasobject:
                    yield member[:-4], None
                    continue
                with archive.open(member) as handle:
                    array = np.lib.format.read_array(handle, allow_pickle=False)
                    handle.read()  # to the end: the checksum is looked at there
                yield member[:-4], array
    except ReadError:
        raise
    except (*DAMAGED, MemoryError) as error:
        raise ReadError(path, f"is no readable npz ({first_line(error)})") from error


_PICKLED = "holds pickled objects, which are refused (they can run code); save plain arrays"


def _header(handle: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type that the header of an npy file declares."""
    version = np.lib.format.read_magic(handle)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError(f"npy version {version}")
    read = (np.lib.format.read_array_header_1_0 if version == (1, 0)
            else np.lib.format.read_array_header_2_0)  # fmt: skip
    shape, _, dtype = read(handle)
    return shape, dtype


def first_line(error: BaseException) -> str:
    """First line of a message, or what kind of error it was."""
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__
