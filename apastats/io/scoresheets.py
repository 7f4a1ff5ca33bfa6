"""The layout of the published score sheets of the alignment pattern analysis paper: reader and writer.

    FOLDER/benchmark/<8-hex>/scoresheets/scores_<metric>_<subject>.csv      network layers -> brain
    FOLDER/intersubject/<8-hex>/...                                          mean of all other subjects -> brain
    FOLDER/pairwise/<8-hex>/...                                              one other subject -> brain

RSA and linear-predictivity sheets differ in the order and number of their columns; benchmark and pairwise
sheets hold V7 twice and 19 regions more than the analysis uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from apastats.errors import ReadError
from apastats.io.bmd import BMD_ROIS
from apastats.table import ScoreTable

if TYPE_CHECKING:
    import pyarrow as pa


__all__ = ["read_scoresheets"]

FOLDER_KINDS = {
    "benchmark": "model",
    "intersubject": "leave_one_out",
    "pairwise": "subject_to_subject",
}
COLUMNS = ("model", "layer", "roi", "split", "subject", "metric", "score")
DOUBLED = "V7"
TRAIN_COLUMNS = (
    "train_set_train_split_score_mean",
    "ridgecv_val_mse",
    "train_set_train_split_mse",
    "train_set_val_split_mse",
)


def read_scoresheets(
    folder: str | Path, *, rois: Sequence[str] | str | None = None, on_duplicate: str = "error"
) -> ScoreTable:
    """Read a folder of score sheets.

    Parameters
    ----------
    folder : str or path
        Holds one or more of ``benchmark``, ``intersubject``, ``pairwise``.
    rois : sequence of str or "all", optional
        ROIs to keep; the 19 analysis regions by default (those of them that are present).
    on_duplicate : {"error", "first"}
        About repeated keys. Full repeats that involve the doubled V7 are always dropped, and counted in the log.

    Returns
    -------
    ScoreTable

    Raises
    ------
    ReadError
        If a sheet cannot be read or contradicts its file name; nothing is skipped.
    """
    folder = Path(folder)
    files = [
        (kind, path)
        for sub, kind in FOLDER_KINDS.items()
        for path in sorted((folder / sub).glob("*/scoresheets/*.csv"))
    ]
    if not files:
        raise ReadError(
            folder,
            f"no score sheets; expected {list(FOLDER_KINDS)} / <run> / scoresheets / scores_*.csv",
        )
    import pyarrow as pa

    content = pa.concat_tables([_read_sheet(path, kind) for kind, path in files])
    # one dictionary per column: rows are compared and dropped as integer codes, text is made at the end
    frame = content.unify_dictionaries().to_pandas(self_destruct=True)
    log = [f"read {len(files)} score sheets, {len(frame)} rows"]
    frame, lines = _drop_doubled(frame)
    log += lines
    if rois is None:
        present = set(frame["roi"].cat.categories)
        rois = [r for r in BMD_ROIS if r in present] or "all"
    if not isinstance(rois, str):
        from apastats.io.bmd import keep_rois

        frame, lines = keep_rois(frame, list(rois), str(folder))
        log += lines
    text = {c: frame[c].astype(str) for c in (*COLUMNS[:-1], "kind")}
    return ScoreTable(
        frame.assign(**text), on_duplicate=on_duplicate, log=tuple(log), source=str(folder)
    )


def _read_sheet(path: Path, kind: str) -> pa.Table:
    """One sheet, the columns of the analysis only; list cells are never parsed."""
    import pyarrow as pa
    from pyarrow import csv

    text = pa.dictionary(pa.int32(), pa.string())
    types = {c: text for c in COLUMNS if c != "score"} | {"score": pa.float64()}
    options = csv.ConvertOptions(
        include_columns=list(COLUMNS),
        column_types=types,
        null_values=["", "nan", "NaN"],
        strings_can_be_null=False,
    )
    try:
        content = csv.read_csv(
            path,
            convert_options=options,
            read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(newlines_in_values=True),
        )
    except (pa.ArrowException, KeyError, OSError) as error:
        needed = list(COLUMNS)
        raise ReadError(path, f"not a score sheet ({error}); needed columns: {needed}") from error
    if content.num_rows == 0:
        raise ReadError(path, "the score sheet has no rows")
    parts = path.stem.split("_")
    for column, expected in (("metric", "_".join(parts[1:-1])), ("subject", parts[-1])):
        found = content.column(column).unique().to_pylist()
        if found != [expected]:
            raise ReadError(
                path, f"the file name says {column} {expected!r}, the column says {found}"
            )

    def constant(value: str) -> pa.Array:
        return pa.DictionaryArray.from_arrays(
            pa.repeat(pa.scalar(0, pa.int32()), len(content)), [value]
        )

    if kind == "leave_one_out":
        content = content.set_column(
            content.column_names.index("model"), "model", constant("others")
        )
    return content.append_column("kind", constant(kind))


def _drop_doubled(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Drop full repeats that involve the doubled V7; other repeats stay for the table's own check."""
    repeated = frame.duplicated()
    involved = (frame["roi"] == DOUBLED) | (frame["layer"] == DOUBLED)
    drop = repeated & involved
    if not drop.any():
        return frame, []
    counts = frame.loc[drop, "kind"].astype(str).value_counts().sort_index()
    kinds = ", ".join(f"{n} {k}" for k, n in counts.items())
    line = f"{int(drop.sum())} rows that repeat the doubled {DOUBLED} dropped ({kinds})"
    return frame[~drop].reset_index(drop=True), [line]
