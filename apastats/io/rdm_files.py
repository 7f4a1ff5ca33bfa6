"""Files of RDMs: what a file is, by its first bytes, and who reads it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import DataError, InputError, ReadError
from apastats.io.rdm_grids import read_csv, read_netcdf
from apastats.io.rdm_hdf5 import read_h5, read_mat73
from apastats.io.rdm_labels import RawRDMs
from apastats.io.rdm_mat import read_mat, read_meadows_json
from apastats.io.rdm_npz import read_npy, read_npz

__all__ = ["FORMATS", "read_file", "write_npz"]

# what is read, and how its files begin or end; the page on formats prints it
FORMATS = {
    "npz, npy": "numpy arrays, square or vectors, with label arrays; Net2Brain's npz",
    "h5, hdf5": "rsatoolbox RDMs.save and Result.save",
    "mat": "MATLAB 5 to 7.3: struct arrays with .RDM and .name, stacks; Meadows",
    "json": "Meadows",
    "csv, tsv, txt": "one square RDM, with names of stimuli in the first row and column",
    "nc": "netCDF: the square variable, its coordinates as labels and names",
}
Reader = Callable[[Path, Sequence[Mapping[str, Any]] | None, bool], RawRDMs]


def _by_path(read: Callable[[Path], RawRDMs]) -> Reader:
    """A reader of files that need no layout and whose labels stand in them."""
    return lambda path, layout, labelled: read(path)


# kind -> who reads it; a new one also has a line in FORMATS and its first bytes in BEGINNINGS
_READERS: dict[str, Reader] = {
    "npz": read_npz,
    "npy": _by_path(read_npy),
    "h5": _by_path(read_h5),
    "mat73": _by_path(read_mat73),
    "mat": _by_path(read_mat),
    "json": _by_path(read_meadows_json),
    "nc": _by_path(read_netcdf),
    "csv": _by_path(read_csv),
}
BEGINNINGS = {b"\x93NUMPY": "npy", b"MATLAB": "mat", b"CDF": "nc"}
HDF5 = b"\x89HDF\r\n\x1a\n"
KNOWN = {
    b"PAR1": "a parquet table; tables of scores are read by apa.read",
    b"ARROW1": "a feather table; tables of scores are read by apa.read",
    b"\x1f\x8b": "compressed by gzip; unpack it first",
    b"BZh": "compressed by bzip2; unpack it first",
    b"\xfd7zXZ": "compressed by xz; unpack it first",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\x80\x02": "a pickle, which is refused (it can run code); save arrays as npz",
    b"\x80\x03": "a pickle, which is refused (it can run code); save arrays as npz",
    b"\x80\x04": "a pickle, which is refused (it can run code); save arrays as npz",
    b"\x80\x05": "a pickle, which is refused (it can run code); save arrays as npz",
}


def read_file(
    path: Path, layout: Sequence[Mapping[str, Any]] | None = None, labelled: bool = False
) -> RawRDMs:
    """RDMs, labels and descriptors of a file of any kind in ``FORMATS``.

    Parameters
    ----------
    path : Path
        Its content says what it is; its ending decides only between kinds of text.
    layout : sequence of mappings, optional
        For npz files.
    labelled : bool
        Whether the caller has labels for all RDMs.

    Raises
    ------
    ReadError
        No file, another kind of file (which one, and what would read it), damaged, or not RDMs.
    """
    kind = kind_of(path)
    if layout is not None and kind != "npz":
        raise InputError("layout", layout, "None, unless the file is an npz")
    try:
        return _READERS[kind](path, layout, labelled)
    except ReadError:
        raise
    except InputError:
        raise
    except DataError as error:
        raise ReadError(path, str(error).removeprefix(f"{path}: ")) from error
    except (OSError, MemoryError) as error:
        raise ReadError(path, f"cannot be read ({error or type(error).__name__})") from error


def kind_of(path: Path) -> str:
    """``npz, npy, h5, mat73, mat, nc, json`` or ``csv``, by the content of a file.

    Raises
    ------
    ReadError
        No file, an empty one, or one that is something else.
    """
    if path.is_dir():
        raise ReadError(path, "is a folder that holds no file of RDMs")
    if not path.is_file():
        raise ReadError(path, "there is no such file")
    try:
        with path.open("rb") as handle:
            head = handle.read(1024)
    except OSError as error:
        raise ReadError(path, f"cannot be read ({error})") from error
    ending = path.suffix.lower()
    if not head:
        raise ReadError(path, "is empty")
    if ending in (".pkl", ".pickle"):
        raise ReadError(path, "a pickle is refused (it can run code); save the arrays as npz")
    if head.startswith(b"PK"):
        return _zip(path)
    if HDF5 in (head[:8], head[512:520]):
        if head.startswith(b"MATLAB") or ending == ".mat":
            return "mat73"
        return "nc" if ending in (".nc", ".nc4", ".cdf") else "h5"
    for begin, kind in BEGINNINGS.items():
        if head.startswith(begin):
            return kind
    if ending == ".mat":
        return "mat"
    for magic, what in KNOWN.items():
        if head.startswith(magic):
            raise ReadError(path, f"is {what}")
    if ending in (".h5", ".hdf5", ".npz", ".npy", ".nc"):
        name = "HDF5 file" if ending in (".h5", ".hdf5") else f"{ending[1:]} file"
        raise ReadError(path, f"is no readable {name.removesuffix(' file') if ending == '.npz' else name}: it does "
                        f"not begin like one")  # fmt: skip
    if ending == ".json" or head.lstrip()[:1] in (b"{", b"["):
        return "json"
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        kinds = "; ".join(f"{k} ({v})" for k, v in FORMATS.items())
        raise ReadError(path, f"is of no kind that is read: {kinds}")
    return "csv"


def _zip(path: Path) -> str:
    """What a zip archive is; only npz is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise ReadError(
            path, f"is no readable npz (a damaged or cut-off zip archive: {error})"
        ) from error
    if any(n.startswith("xl/") for n in names):
        raise ReadError(
            path,
            "is an Excel workbook; save the sheet as csv. Tables of scores are read by apa.read",
        )
    if any(n.endswith("data.pkl") for n in names):
        raise ReadError(
            path,
            "is a torch file (a pickle inside), which is refused; save arrays as npz (Net2Brain: save_format='npz')",
        )
    if not names or not all(n.endswith(".npy") for n in names):
        raise ReadError(
            path, f"is a zip archive of {len(names)} files ({names[:3]}); unpack it first"
        )
    return "npz"


def write_npz(
    path: Path,
    vectors: np.ndarray,
    labels: pd.DataFrame,
    stimuli: Sequence[str],
    measure: str | None,
) -> None:
    """Write vectors, one ``label_*`` array per column, stimulus names and measure."""
    content: dict[str, Any] = {f"label_{c}": labels[c].to_numpy(dtype=str) for c in labels.columns}
    if stimuli:
        content["stimulus"] = np.array(stimuli, dtype=str)
    if measure is not None:
        content["measure"] = np.array(measure)
    with path.open("wb") as handle:
        np.savez_compressed(handle, vectors=vectors, **content)
