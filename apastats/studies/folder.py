"""The folder of a finished study: writing it, reading it back, rendering it again, checking it again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import ReadError
from apastats.results import jsonable, package_versions
from apastats.studies.sections import StudyFile
from apastats.studies.store import load, save
from apastats.table import ScoreTable

__all__ = ["Difference", "StudyFolder", "compare_results", "read_folder", "render", "write_folder"]


@dataclass(frozen=True, eq=False)
class StudyFolder:
    """A finished study, read back.

    Attributes
    ----------
    path : pathlib.Path
    study : StudyFile
        With absolute input paths.
    text : str
        The ``study.toml`` that was run.
    command : str
    results : mapping of str to Result or ScoreTable
    warnings : tuple of str
    """

    path: Path
    study: StudyFile
    text: str
    command: str
    results: Mapping[str, Any]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """One result that is not the same, and where."""

    result: str
    what: str


def write_folder(
    part: Path,
    study: StudyFile,
    text: str,
    command: str,
    results: Mapping[str, Any],
    messages: Sequence[str],
) -> None:
    """Tables, saved results, figures, report and recipe of a study."""
    (part / "tables").mkdir()
    (part / "results").mkdir()
    for name, result in results.items():
        frame = result.frame if isinstance(result, ScoreTable) else result.tidy()
        frame.to_csv(part / "tables" / f"{name}.csv", index=False)
        save(part / "results", name, result, [])
    (part / "study.toml").write_text(text, "utf-8")
    run = {"command": command, "study": jsonable(study.model_dump()), "results": list(results)}
    run |= {"warnings": list(messages), "versions": package_versions()}
    (part / "run.json").write_text(json.dumps(run, indent=1, ensure_ascii=False), "utf-8")
    render(part, study, text, command, results, messages)


def render(
    folder: Path,
    study: StudyFile,
    text: str,
    command: str,
    results: Mapping[str, Any],
    messages: Sequence[str],
) -> None:
    """Write the report in the formats of the study, and the figures; nothing is computed."""
    from apastats.reporting.kinds import title_of
    from apastats.reporting.report import report

    titles = {entry.name: entry.title for entry in study.analysis}
    if "plan" in results:
        for name in _not_as_planned(results["plan"]) & set(results):
            own = titles.get(name) or (
                "" if isinstance(results[name], ScoreTable) else title_of(results[name])
            )
            titles[name] = f"{own or name} (not as planned)"
    document = report(
        *results.values(),
        headings=[titles.get(name) for name in results],
        title=study.study.title or study.study.name,
        study_text=text,
        command=command,
        notes=tuple(messages),
        style=study.report.style,
        max_rows=study.report.max_rows,
    )
    for suffix in ("html", *(f for f in study.report.formats if f != "html")):
        document.save(folder / f"report.{suffix}", overwrite=True)
    document.references.save(folder / "references.bib", overwrite=True)
    document.figures(folder / "figures", formats=tuple(study.report.figures), overwrite=True)


def _not_as_planned(kept: Any) -> set[str]:
    """Names of results that were not planned, or not as they were run."""
    rows = kept.table[(kept.table["status"] != "kept") & (kept.table["run"] != "")]
    parts = {str(p).removeprefix("analysis.") for p in rows["part"]}
    return {"equivalence_score" if p == "equivalence" else p for p in parts}


def read_folder(path: str | Path) -> StudyFolder:
    """Read the folder of a finished study.

    Raises
    ------
    ReadError
        If the folder is not one.
    """
    folder = Path(path)
    try:
        run = json.loads((folder / "run.json").read_text("utf-8"))
        text = (folder / "study.toml").read_text("utf-8")
        study = StudyFile.model_validate(run["study"])
        names, command, messages = run["results"], run["command"], tuple(run["warnings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReadError(folder, f"not the folder of a finished study ({error})") from error
    results = {name: load(folder / "results", name)[0] for name in names}
    return StudyFolder(folder, study, text, command, results, messages)


def compare_results(saved: Mapping[str, Any], again: Mapping[str, Any]) -> list[Difference]:
    """Differences between two sets of results, bit for bit (NaN equals NaN)."""
    found = [Difference(name, "is missing now") for name in saved if name not in again]
    found += [Difference(name, "is new") for name in again if name not in saved]
    for name in saved:
        if name not in again:
            continue
        old, new = saved[name], again[name]
        if isinstance(old, ScoreTable):
            found += _compare_frames(name, old.frame, new.frame)
            continue
        found += _compare_frames(name, old.table, new.table)
        for key in sorted({*old.arrays, *new.arrays}):
            if key not in old.arrays or key not in new.arrays:
                found.append(Difference(name, f"array {key!r} is in one of them only"))
            elif not _same_array(np.asarray(old.arrays[key]), np.asarray(new.arrays[key])):
                found.append(Difference(name, f"array {key!r} differs"))
    return found


def _same_array(a: np.ndarray, b: np.ndarray) -> bool:
    if a.shape != b.shape:
        return False
    numbers = a.dtype.kind in "fc" and b.dtype.kind in "fc"
    return bool(np.array_equal(a, b, equal_nan=numbers))


def _compare_frames(name: str, old: pd.DataFrame, new: pd.DataFrame) -> list[Difference]:
    if list(old.columns) != list(new.columns) or len(old) != len(new):
        return [Difference(name, f"table has shape {new.shape}, was {old.shape}")]
    differing = [c for c in old.columns if not _same_column(old[c], new[c])]
    if not differing:
        return []
    return [Difference(name, f"columns differ: {', '.join(map(str, differing))}")]


def _same_column(a: pd.Series, b: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(a) and pd.api.types.is_numeric_dtype(b):
        return _same_array(a.to_numpy("f8"), b.to_numpy("f8"))
    blank = a.isna().to_numpy() & b.isna().to_numpy()
    return bool(np.all((a.astype(str).to_numpy() == b.astype(str).to_numpy()) | blank))
