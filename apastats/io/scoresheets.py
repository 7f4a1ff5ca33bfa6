"""The layout of the published score sheets of the alignment pattern analysis paper: reader and writer.

    FOLDER/benchmark/<8-hex>/scoresheets/scores_<metric>_<subject>.csv      network layers -> brain
    FOLDER/intersubject/<8-hex>/...                                          mean of all other subjects -> brain
    FOLDER/pairwise/<8-hex>/...                                              one other subject -> brain

RSA and linear-predictivity sheets differ in the order and number of their columns; benchmark and pairwise
sheets hold V7 twice and 19 regions more than the analysis uses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from apastats.errors import DataError, InputError, ReadError
from apastats.folders import building
from apastats.regions import BMD_EXTRA_ROIS, BMD_ROIS
from apastats.table import ScoreTable

if TYPE_CHECKING:
    import pyarrow as pa

    from apastats.simulation.scores import SimulatedStudy

__all__ = ["read_scoresheets", "write_study"]

FOLDER_KINDS = {
    "benchmark": "model",
    "intersubject": "leave_one_out",
    "pairwise": "subject_to_subject",
}
COLUMNS = ("model", "layer", "roi", "split", "subject", "metric", "score")
_DOUBLED = "V7"
_TRAIN_COLUMNS = (
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
        from apastats.io.frames import keep_rois

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
    involved = (frame["roi"] == _DOUBLED) | (frame["layer"] == _DOUBLED)
    drop = repeated & involved
    if not drop.any():
        return frame, []
    counts = frame.loc[drop, "kind"].astype(str).value_counts().sort_index()
    kinds = ", ".join(f"{n} {k}" for k, n in counts.items())
    line = f"{int(drop.sum())} rows that repeat the doubled {_DOUBLED} dropped ({kinds})"
    return frame[~drop].reset_index(drop=True), [line]


def write_study(study: SimulatedStudy, folder: Path, *, layout: str, overwrite: bool) -> Path:
    """Write a simulated study; see :meth:`apastats.simulation.scores.SimulatedStudy.write`."""
    if layout not in ("tidy", "scoresheets"):
        raise InputError("layout", layout, "'tidy' or 'scoresheets'")
    with building(folder, overwrite=overwrite) as part:
        if layout == "tidy":
            study.scores.frame.to_csv(part / "scores.csv", index=False)
            (part / "truth").mkdir()
            study.truth.to_csv(part / "truth" / "truth.csv", index=False)
        else:
            _write_sheets(study, part)
    return folder


def _write_sheets(study: SimulatedStudy, folder: Path) -> None:
    frame = study.scores.frame
    known = set(BMD_ROIS) | set(BMD_EXTRA_ROIS)
    odd = sorted(set(frame["roi"]) - known)
    if odd:
        raise DataError(
            f"layout 'scoresheets' holds the regions of the published sheets only; {odd[0]!r} is not one of them"
        )
    for sub, kind in FOLDER_KINDS.items():
        rows = frame[frame["kind"] == kind]
        if kind != "model":
            rows = rows[rows["layer"].isin(known)]
        # one run per model, one run per ordered pair of subjects, one run for the mean of the others
        keys = {
            "model": ["model"],
            "leave_one_out": ["kind"],
            "subject_to_subject": ["model", "subject"],
        }[kind]
        for name, run in rows.groupby(keys, sort=True):
            digest = hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()[:8]
            target = folder / sub / digest / "scoresheets"
            target.mkdir(parents=True)
            (target.parent / "config.yaml").write_text(
                f"feature_extraction:\n  model: '{run['model'].iloc[0]}'\nsimulated: true\n",
                "utf-8",
            )
            for (metric, subject), sheet in run.groupby(["metric", "subject"], sort=True):
                path = target / f"scores_{metric}_{subject}.csv"
                _sheet(sheet, kind, str(metric)).to_csv(path, index=False)


def _sheet(rows: pd.DataFrame, kind: str, metric: str) -> pd.DataFrame:
    """One sheet with the columns, the row order and the dirt of the published ones."""
    order = list(BMD_ROIS) + [r for r in BMD_EXTRA_ROIS if r in set(rows["roi"])]
    rank = {
        r: (i * 7) % len(order) for i, r in enumerate(order)
    }  # file order is not the analysis order
    rows = rows.assign(_roi=rows["roi"].map(rank))
    if metric == "rsa":
        rows = rows.assign(_split=(rows["split"] == "test").astype(int))
        rows = rows.sort_values(["_split", "layer", "_roi"], kind="stable")
    else:
        rows = rows.assign(_split=(rows["split"] == "test").astype(int))
        rows = rows.sort_values(["layer", "_roi", "_split"], kind="stable")
    if kind != "leave_one_out":
        rows = _double(rows, "roi")
        if kind == "subject_to_subject":
            rows = _double(rows, "layer")
    model = "all-other-subjects" if kind == "leave_one_out" else rows["model"]
    vertices = rows["roi"].map({r: 60 + 37 * ((i * 11) % 31) for i, r in enumerate(order)})
    base: dict[str, Any] = {
        "model": model,
        "layer": rows["layer"],
        "roi": rows["roi"],
        "split": rows["split"],
    }
    base["subject"] = rows["subject"]
    sizes = {"n_features_1_model": 5919 if kind == "model" else 481, "n_features_2_brain": vertices}
    if metric == "rsa":
        return pd.DataFrame({**base, **sizes, "metric": metric, "score": rows["score"]})
    extra = _fold_columns(rows, kind)
    return pd.DataFrame({**base, "metric": metric, **sizes, "score": rows["score"], **extra})


def _fold_columns(rows: pd.DataFrame, kind: str) -> dict[str, Any]:
    """What linear-predictivity sheets hold beside the score: five folds per row, as lists in a cell.

    The five test scores average to the score; nothing else depends on the data.
    """
    test = (rows["split"] == "test").to_numpy()
    name = f"{rows['model'].iloc[0]}:{rows['subject'].iloc[0]}"
    random = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()[:8]))
    spread = 0.02 * random.standard_normal((len(rows), 5))
    folds = rows["score"].to_numpy()[:, None] + spread - spread.mean(axis=1, keepdims=True)
    out: dict[str, Any] = {
        "test_scores_list": [str(f) if t else "" for f, t in zip(folds.tolist(), test, strict=True)]
    }
    if kind == "model":
        alphas = np.logspace(0, 9, 19)[random.integers(9, 13, (len(rows), 5))].tolist()
        out["alphas"] = ["" if t else str(f) for f, t in zip(alphas, test, strict=True)]
        for column in _TRAIN_COLUMNS:
            out[column] = np.where(test, np.nan, 1 - random.random(len(rows)) / 5)
    return out


def _double(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Repeat the rows of the doubled region right after themselves."""
    times = np.where(rows[column] == _DOUBLED, 2, 1)
    return (
        rows.loc[rows.index.repeat(times)]
        if rows.index.is_unique
        else rows.iloc[np.repeat(np.arange(len(rows)), times)]
    )
