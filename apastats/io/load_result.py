"""Read a saved result of any kind."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from apastats.arguments import checked
from apastats.errors import ApaError, ReadError
from apastats.io.arrays import DAMAGED, affordable, first_line, load_npz
from apastats.results import Provenance, Result
from apastats.words import Info


@checked
def load_result(path: str | Path) -> Result:
    """Read a saved result of any kind.

    Parameters
    ----------
    path : str or path
        Folder written by ``result.save``.

    Returns
    -------
    Result
        Of the class that was saved.

    Raises
    ------
    ReadError
        If the folder is not a saved result, or one of a version whose words were not typed yet.
    """
    folder = Path(path)
    try:
        meta = json.loads((folder / "result.json").read_text("utf-8"))
        table = read_parquet(folder / "table.parquet")
        arrays, objects = load_npz(folder / "arrays.npz")
        if objects:
            raise TypeError(f"array {objects[0]!r} holds Python objects")
        kind, words, notes = meta["kind"], meta["info"], tuple(meta["notes"])
        provenance = Provenance(**meta["provenance"])
        if not isinstance(kind, str) or not all(isinstance(n, str) for n in notes):
            raise TypeError("its kind or notes are no text")
        if not isinstance(provenance.versions, dict):
            raise TypeError("its versions are no mapping")
    except ReadError as error:
        raise ReadError(folder, f"not a saved apastats result ({error})") from error
    except (*DAMAGED, RecursionError, MemoryError) as error:
        raise ReadError(folder, f"not a saved apastats result ({first_line(error)})") from error
    try:
        info = Info.from_dict(words)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ReadError(
            folder,
            f"its words are not those of this version (saved by apastats {provenance.versions.get('apastats', '?')}); "
            "run the analysis again",
        ) from error
    load_kinds()
    cls = Result._registry.get(kind)
    if cls is None:
        raise ReadError(folder, f"result of unknown kind {kind!r}")
    try:
        return cls(table, info, provenance, arrays, notes)
    except (*DAMAGED, ApaError) as error:
        raise ReadError(folder, f"its parts do not fit together ({first_line(error)})") from error


def read_parquet(path: Path) -> pd.DataFrame:
    """Table of a parquet file, after a look at how much data it declares."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        groups = range(file.metadata.num_row_groups)
        affordable(path, sum(file.metadata.row_group(i).total_byte_size for i in groups))
    return pd.read_parquet(path)


def load_kinds() -> None:
    """Import every module that defines a result class, so that all kinds are known."""
    import importlib

    import apastats

    for module in sorted(set(apastats.EXPORTS.values())):
        importlib.import_module(module)
