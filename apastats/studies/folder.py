"""The folder of a finished study: writing it, reading it back, rendering it again, checking it again."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

import pandas as pd

from apastats.errors import ReadError
from apastats.printable import csv_text
from apastats.results import jsonable, package_versions
from apastats.studies.sections import StudyFile
from apastats.studies.store import Store, load, save
from apastats.table import ScoreTable
from apastats.words import read_json

__all__ = ["StudyFolder", "machine", "read_folder", "render", "write_folder"]


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


def machine() -> dict[str, str]:
    """What numbers may depend on beside versions: interpreter, system, and the kernel BLAS takes for this processor."""
    from threadpoolctl import threadpool_info

    pools = [p for p in threadpool_info() if p["user_api"] == "blas"]
    kernels = sorted({f"{p['internal_api']} {p.get('architecture') or ''}".strip() for p in pools})
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "kernel": ", ".join(kernels),
    }


def write_folder(
    part: Path,
    study: StudyFile,
    text: str,
    command: str,
    results: Mapping[str, Any],
    messages: Sequence[str],
    recipe: Mapping[str, Any],
    store: Store | None = None,
) -> str:
    """Tables, saved results, figures, report and recipe of a study; what ``store`` holds already is copied."""
    (part / "tables").mkdir()
    (part / "results").mkdir()
    for name, result in results.items():
        if store is None or not store.copy(part / "results", name, result):
            save(part / "results", name, result, [])
        target, written = part / "tables" / f"{name}.csv", part / "results" / name / "table.csv"
        if written.is_file():
            copyfile(written, target)
        else:
            target.write_text(csv_text(result.frame), "utf-8", newline="")
    (part / "study.toml").write_text(text, "utf-8")
    run = {"command": command, "study": jsonable(study.model_dump()), "results": list(results)}
    run |= {"warnings": list(messages), "versions": package_versions()}
    run |= {"machine": machine(), **recipe}
    (part / "run.json").write_text(json.dumps(run, indent=1, ensure_ascii=False), "utf-8")
    return render(part, study, text, command, results, messages)


def render(
    folder: Path,
    study: StudyFile,
    text: str,
    command: str,
    results: Mapping[str, Any],
    messages: Sequence[str],
) -> str:
    """Write the report in the formats of the study, and the figures, and return its answer; nothing is computed."""
    from apastats.reporting.kinds import title_of
    from apastats.reporting.report import report

    titles = {entry.name: entry.title for entry in study.analysis}
    if "plan" in results:
        for name in _not_as_planned(results["plan"]) & set(results):
            own = titles.get(name) or (
                "" if isinstance(results[name], ScoreTable) else title_of(results[name])
            )
            titles[name] = f"{own or name} (not as planned)"
    known = folder / "truth.csv"
    document = report(
        *results.values(),
        truth=pd.read_csv(known) if known.exists() else None,
        headings=[titles.get(name) for name in results],
        title=study.study.title or study.study.name,
        study_text=text,
        command=command,
        notes=tuple(messages),
        style=study.report.style,
        max_rows=study.report.max_rows,
        interactive=study.report.interactive,
    )
    for suffix in ("html", *(f for f in study.report.formats if f != "html")):
        document.save(folder / f"report.{suffix}", overwrite=True)
    for name, result in results.items():
        if result_kind(result) == "leaderboard" and (
            study.leaderboard is None or study.leaderboard.page
        ):
            result.page(
                folder / f"{name}.html", title=study.study.title or study.study.name, overwrite=True
            )
    document.references.save(folder / "references.bib", overwrite=True)
    document.figures(folder / "figures", formats=tuple(study.report.figures), overwrite=True)
    return document.answer


def result_kind(result: Any) -> str:
    """Kind of a result; a table of scores has none."""
    return str(getattr(result, "kind", ""))


def _not_as_planned(kept: Any) -> set[str]:
    """Names of results that were not planned, or not as they were run."""
    rows = kept.table[(kept.table["status"] != "kept") & (kept.table["run"] != "")]
    parts = {str(p).removeprefix("analysis.") for p in rows["part"]}
    return {"equivalence_score" if p == "equivalence" else p for p in parts}


def no_study(path: Path, error: Exception) -> ReadError:
    """What a folder that holds no finished study is."""
    if not path.is_dir():
        what = "a file" if path.exists() else "not there"
        return ReadError(path, f"is {what}; allowed: the folder that `apastats run` has made")
    return ReadError(path, f"not the folder of a finished study ({error})")


def read_folder(path: str | Path) -> StudyFolder:
    """Read the folder of a finished study.

    Raises
    ------
    ReadError
        If the folder is not one.
    """
    folder = Path(path)
    try:
        run = read_json(folder / "run.json")
        text = (folder / "study.toml").read_text("utf-8")
        study = StudyFile.model_validate(run["study"])
        names, command, messages = run["results"], run["command"], tuple(run["warnings"])
        for text_there in (command, *names, *messages):
            if not isinstance(text_there, str):
                raise TypeError(f"{text_there!r} is no text")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise no_study(folder, error) from error
    results = {name: load(folder / "results", name)[0] for name in names}
    return StudyFolder(folder, study, text, command, results, messages)
