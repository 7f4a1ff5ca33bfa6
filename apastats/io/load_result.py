"""Read a saved result of any kind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from apastats.arguments import checked
from apastats.errors import ReadError
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
        table = pd.read_parquet(folder / "table.parquet")
        with np.load(folder / "arrays.npz", allow_pickle=False) as npz:
            arrays = {k: npz[k] for k in npz.files}
        kind, words = meta["kind"], meta["info"]
        provenance = Provenance(**meta["provenance"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReadError(folder, f"not a saved apastats result ({error})") from error
    try:
        info = Info.from_dict(words)
    except (KeyError, TypeError) as error:
        raise ReadError(
            folder,
            f"its words are not those of this version (saved by apastats {provenance.versions.get('apastats', '?')}); "
            "run the analysis again",
        ) from error
    load_kinds()
    cls = Result._registry.get(kind)
    if cls is None:
        raise ReadError(folder, f"result of unknown kind {kind!r}")
    return cls(table, info, provenance, arrays, tuple(meta["notes"]))


def load_kinds() -> None:
    """Import every module that defines a result class, so that all kinds are known."""
    import importlib

    import apastats

    for module in sorted(set(apastats.EXPORTS.values())):
        importlib.import_module(module)
