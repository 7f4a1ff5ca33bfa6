"""A simulated study: the tables, the truth, and the files it is written to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from apastats.arguments import choice
from apastats.errors import DataError
from apastats.folders import alone, building
from apastats.io.bmd import BMD_EXTRA_ROIS, BMD_ROIS
from apastats.table import ScoreTable

if TYPE_CHECKING:
    pass


from apastats.io.scoresheets import DOUBLED, FOLDER_KINDS, TRAIN_COLUMNS


def write_study(study: SimulatedStudy, folder: Path, *, layout: str, overwrite: bool) -> Path:
    """Write a simulated study; see :meth:`apastats.simulation.study.SimulatedStudy.write`."""
    choice("layout", layout, ("tidy", "scoresheets"))
    with alone(folder), building(folder, overwrite=overwrite) as part:
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
        for column in TRAIN_COLUMNS:
            out[column] = np.where(test, np.nan, 1 - random.random(len(rows)) / 5)
    return out


def _double(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Repeat the rows of the doubled region right after themselves."""
    times = np.where(rows[column] == DOUBLED, 2, 1)
    return (
        rows.loc[rows.index.repeat(times)]
        if rows.index.is_unique
        else rows.iloc[np.repeat(np.arange(len(rows)), times)]
    )


@dataclass(frozen=True, eq=False)
class SimulatedStudy:
    """Scores and the truth behind them.

    Attributes
    ----------
    scores : ScoreTable
        All three kinds, all splits.
    truth : pandas.DataFrame
        Population mean per ``kind, model, layer, roi, metric, split`` (column ``truth``); for models
        ``best_layer`` marks the layer with the highest train truth and ``share_of_best`` the truth over
        that of the best model of the cell, both at their best layers.
    settings : mapping
        The arguments, and the seed.
    """

    scores: ScoreTable
    truth: pd.DataFrame
    settings: Mapping[str, Any]

    def write(self, folder: str | Path, *, layout: str = "tidy", overwrite: bool = False) -> Path:
        """Write the study as files.

        Parameters
        ----------
        folder : str or path
            Folder to make.
        layout : {"tidy", "scoresheets"}
            ``tidy``: ``scores.csv`` and ``truth.csv``. ``scoresheets``: the folders of the published score
            sheets (see :mod:`apastats.io.scoresheets`), their dirt included.
        overwrite : bool
            Whether an existing folder may be replaced.

        Returns
        -------
        pathlib.Path
        """
        from apastats.simulation.study import write_study

        return write_study(self, Path(folder), layout=layout, overwrite=overwrite)
