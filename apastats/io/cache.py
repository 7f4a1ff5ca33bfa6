"""A cache of a table that was read: used only while sources and arguments are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from apastats.errors import ReadError
from apastats.folders import MARKER, replacing
from apastats.table import ScoreTable
from apastats.words import Facts

__all__ = ["read_cache", "write_cache"]

_CACHE_FORMAT = 3


def _fingerprint(paths: Sequence[Path], arguments: Mapping[str, Any]) -> str:
    """Hash of names, sizes and times of all source files, and of the arguments."""
    digest = hashlib.sha256(
        json.dumps([_CACHE_FORMAT, arguments], sort_keys=True, default=str).encode()
    )
    for path in paths:
        files = (
            sorted(p for p in path.rglob("*") if p.is_file() and p.name != MARKER)
            if path.is_dir()
            else [path]
        )
        for f in files:
            stat = f.stat()
            digest.update(f"{f.resolve()}:{stat.st_size}:{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def read_cache(
    cache: Path, paths: Sequence[Path], arguments: Mapping[str, Any]
) -> ScoreTable | None:
    """The table of a cache; None where it is not there or out of date.

    Raises
    ------
    ReadError
        If the file is no cache.
    """
    if not cache.exists():
        return None
    import pyarrow.parquet as pq

    try:
        content = pq.read_table(cache)
    except Exception as error:
        raise ReadError(
            cache, f"not a cache of scores ({error}); remove it or name another file"
        ) from error
    said = (content.schema.metadata or {}).get(b"apastats")
    if said is None:
        raise ReadError(cache, "is a parquet file, but not a cache of scores; name another file")
    try:
        meta = json.loads(said)
        if meta["fingerprint"] != _fingerprint(paths, arguments):
            return None
        return ScoreTable(
            content.to_pandas(),
            log=tuple(meta["log"]),
            source=meta["source"],
            covariates=tuple(meta["covariates"]),
            facts=Facts.from_dict(meta["facts"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ReadError(cache, f"is a damaged cache of scores ({error}); remove it") from error


def write_cache(
    cache: Path, paths: Sequence[Path], arguments: Mapping[str, Any], table: ScoreTable
) -> None:
    """Write a table with the fingerprint of its sources and arguments."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    meta = {
        "fingerprint": _fingerprint(paths, arguments),
        "log": list(table.log),
        "source": table.source,
        "covariates": list(table.covariates),
        "facts": table.facts.as_dict(),
    }
    content = pa.Table.from_pandas(table.frame, preserve_index=False)
    content = content.replace_schema_metadata(
        {**(content.schema.metadata or {}), b"apastats": json.dumps(meta).encode()}
    )
    with replacing(cache) as (part,):
        pq.write_table(content, part)
