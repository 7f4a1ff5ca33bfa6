"""``read``: score tables from frames, files and folders; ``concat``: several tables into one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from apastats.errors import DataError, InputError, ReadError
from apastats.folders import MARKER
from apastats.io.bmd import keep_rois
from apastats.table import KEY_COLUMNS, ScoreTable

__all__ = ["read", "read_frame"]

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".feather")
_PICKLES = (".pkl", ".pickle", ".joblib", ".pt")
_CACHE_FORMAT = 1


def read(
    source: str | Path | pd.DataFrame | Sequence[str | Path],
    *,
    layout: str = "auto",
    rename: Mapping[str, str] | None = None,
    defaults: Mapping[str, str] | None = None,
    wide: str | None = None,
    rois: Sequence[str] | str | None = None,
    on_duplicate: str = "error",
    cache: str | Path | None = None,
) -> ScoreTable:
    """Read alignment scores from a frame, a file, or a folder.

    Parameters
    ----------
    source : path, DataFrame, or list of paths
        A csv, tsv, parquet or feather file (csv and tsv also gzipped), a folder of such files, a folder
        in the layout of published score sheets, or a frame.
    layout : {"auto", "tidy", "scoresheets"}
        ``auto`` recognises score sheets by their folders.
    rename : mapping, optional
        Column names in the data -> names of :class:`ScoreTable`.
    defaults : mapping, optional
        Values of columns that the data lack, e.g. ``{"kind": "leave_one_out", "metric": "rsa"}``.
    wide : str, optional
        Column (``"model"``, ``"subject"`` or ``"roi"``) whose levels are spread over columns of the data.
    rois : sequence of str or "all", optional
        ROIs to keep, in this order. By default all; for score sheets the 19 analysis regions.
    on_duplicate : {"error", "first"}
        What to do about rows with the same key; score sheets drop the known doubled V7 by themselves.
    cache : path, optional
        Parquet file: written after reading, and read instead as long as sources and arguments are unchanged.

    Returns
    -------
    ScoreTable
        Its ``log`` says what reading did.

    Raises
    ------
    ReadError
        If a file cannot be read; the message names it. Pickles are refused.
    DataError
        If columns are missing or keys are duplicated.
    InputError
        If an argument is not allowed.

    Examples
    --------
    >>> import pandas as pd
    >>> t = read(
    ...     pd.DataFrame({"sub": [1, 2], "roi": "V1", "model": "m", "score": [0.1, 0.2]}),
    ...     rename={"sub": "subject"},
    ... )
    >>> t.levels("subject")
    ['1', '2']
    """
    if layout not in ("auto", "tidy", "scoresheets"):
        raise InputError("layout", layout, "'auto', 'tidy' or 'scoresheets'")
    if wide is not None and wide not in ("model", "subject", "roi"):
        raise InputError("wide", wide, "'model', 'subject' or 'roi'")
    if isinstance(rois, str) and rois != "all":
        raise InputError("rois", rois, "a list of ROI names, or 'all'")
    if isinstance(source, pd.DataFrame):
        return _finish(source, "data", rename, defaults, wide, rois, on_duplicate, [])
    paths = [Path(source)] if isinstance(source, (str, Path)) else [Path(p) for p in source]
    for path in paths:
        if not path.exists():
            raise ReadError(path, "no such file or folder")
    arguments: dict[str, Any] = {
        "layout": layout,
        "rename": rename,
        "defaults": defaults,
        "wide": wide,
    }
    arguments |= {"rois": rois if rois is None else list(rois), "on_duplicate": on_duplicate}
    if cache is not None:
        found = _read_cache(Path(cache), paths, arguments)
        if found is not None:
            return found
    if layout == "scoresheets" or (
        layout == "auto" and len(paths) == 1 and _is_scoresheets(paths[0])
    ):
        from apastats.io.scoresheets import read_scoresheets

        if rename or defaults or wide:
            raise InputError(
                "layout", "scoresheets", "no rename, defaults or wide with score sheets"
            )
        table = read_scoresheets(paths[0], rois=rois, on_duplicate=on_duplicate)
    else:
        frame, log = _read_files(paths, rename, defaults, wide)
        source_name = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        table = _finish(frame, source_name, None, None, None, rois, on_duplicate, log)
    if cache is not None:
        _write_cache(Path(cache), paths, arguments, table)
    return table


def read_frame(path: Path) -> pd.DataFrame:
    """One table file as it is.

    Raises
    ------
    ReadError
        If the format is unknown or the file is broken.
    """
    name = path.name.lower()
    if name.endswith(_PICKLES):
        raise ReadError(
            path, f"pickled files are refused, they can run code; allowed: {', '.join(SUFFIXES)}"
        )
    if not name.endswith(SUFFIXES):
        raise ReadError(path, f"unknown format; allowed: {', '.join(SUFFIXES)}")
    try:
        if name.endswith(".parquet"):
            return pd.read_parquet(path)
        if name.endswith(".feather"):
            return pd.read_feather(path)
        separator = "\t" if ".tsv" in name else ","
        # labels such as "NA" or "nan" may be model names; only scores may be missing
        return pd.read_csv(
            path,
            sep=separator,
            keep_default_na=False,
            na_values={"score": ["", "NaN", "nan", "NA", "n/a"]},
        )
    except Exception as error:  # any parser failure must name the file
        raise ReadError(path, f"cannot be read ({type(error).__name__}: {error})") from error


def _is_scoresheets(path: Path) -> bool:
    return path.is_dir() and any(
        (path / kind).is_dir() for kind in ("benchmark", "intersubject", "pairwise")
    )


def _read_files(
    paths: Sequence[Path],
    rename: Mapping[str, str] | None,
    defaults: Mapping[str, str] | None,
    wide: str | None,
) -> tuple[pd.DataFrame, list[str]]:
    """All table files of the paths below each other."""
    files: list[Path] = []
    ignored: list[str] = []
    for path in paths:
        if path.is_dir():
            # sorted: the listing order of the file system must not matter
            inside = sorted(p for p in path.iterdir() if p.is_file() and p.name != MARKER)
            files += [p for p in inside if p.name.lower().endswith(SUFFIXES)]
            ignored += [p.name for p in inside if not p.name.lower().endswith(SUFFIXES)]
        else:
            files.append(path)
    if not files:
        raise ReadError(paths[0], f"holds no table file; allowed: {', '.join(SUFFIXES)}")
    frames = [_shape(read_frame(p), str(p), rename, defaults, wide) for p in files]
    log = [f"read {len(files)} file{'s' * (len(files) != 1)}, {sum(map(len, frames))} rows"]
    if ignored:
        log.append(
            f"not table files, left unread: {', '.join(ignored[:10])}{' ...' if len(ignored) > 10 else ''}"
        )
    return pd.concat(frames, ignore_index=True), log


def _shape(
    frame: pd.DataFrame,
    source: str,
    rename: Mapping[str, str] | None,
    defaults: Mapping[str, str] | None,
    wide: str | None,
) -> pd.DataFrame:
    """Apply rename, wide and defaults to one frame, and check its columns."""
    if rename:
        absent = [c for c in rename if c not in frame.columns]
        if absent:
            raise InputError(
                "rename", absent[0], f"columns among {list(map(str, frame.columns))} ({source})"
            )
        frame = frame.rename(columns=dict(rename))
    if wide is not None:
        fixed = [c for c in KEY_COLUMNS if c in frame.columns]
        if wide in fixed:
            raise InputError("wide", wide, f"a column that the data do not have yet ({source})")
        frame = frame.melt(id_vars=fixed, var_name=wide, value_name="score")
    for column, value in (defaults or {}).items():
        if column not in frame.columns:
            frame = frame.assign(**{column: value})
    missing = [c for c in ("model", "subject", "roi", "score") if c not in frame.columns]
    if missing:
        raise DataError(
            f"{source}: missing column {missing[0]!r}; found {list(map(str, frame.columns))}. Use rename= or defaults=."
        )
    return frame


def _finish(
    frame: pd.DataFrame,
    source: str,
    rename: Mapping[str, str] | None,
    defaults: Mapping[str, str] | None,
    wide: str | None,
    rois: Sequence[str] | str | None,
    on_duplicate: str,
    log: list[str],
) -> ScoreTable:
    frame = _shape(frame, source, rename, defaults, wide)
    if rois is not None and not isinstance(rois, str):
        frame, dropped = keep_rois(frame, list(rois), source)
        log = log + dropped
    return ScoreTable(frame, on_duplicate=on_duplicate, log=tuple(log), source=source)


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


def _read_cache(
    cache: Path, paths: Sequence[Path], arguments: Mapping[str, Any]
) -> ScoreTable | None:
    if not cache.exists():
        return None
    import pyarrow.parquet as pq

    try:
        content = pq.read_table(cache)
    except Exception as error:
        raise ReadError(
            cache, f"not a cache of scores ({error}); remove it or name another file"
        ) from error
    meta = json.loads((content.schema.metadata or {}).get(b"apastats", b"{}"))
    if not meta:
        raise ReadError(cache, "is a parquet file, but not a cache of scores; name another file")
    if meta["fingerprint"] != _fingerprint(paths, arguments):
        return None
    return ScoreTable(content.to_pandas(), log=tuple(meta["log"]), source=meta["source"])


def _write_cache(
    cache: Path, paths: Sequence[Path], arguments: Mapping[str, Any], table: ScoreTable
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    meta = {
        "fingerprint": _fingerprint(paths, arguments),
        "log": list(table.log),
        "source": table.source,
    }
    content = pa.Table.from_pandas(table.frame, preserve_index=False)
    content = content.replace_schema_metadata(
        {**(content.schema.metadata or {}), b"apastats": json.dumps(meta).encode()}
    )
    cache.parent.mkdir(parents=True, exist_ok=True)
    part = cache.with_name(cache.name + ".part")
    pq.write_table(content, part)
    part.replace(cache)
