"""Is a finished study what its inputs give? Everything in its folder is made again and compared."""

from __future__ import annotations

import contextlib
import json
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from apastats.arguments import checked, number
from apastats.errors import ApaError, ReadError, ReproducibilityWarning, StudyError, warn
from apastats.folders import MARKER, digest, files, sealed
from apastats.io.arrays import first_line
from apastats.results import jsonable, package_versions
from apastats.studies.compared import Difference, Measure, compare_files, json_differences
from apastats.studies.folder import machine, no_study, write_folder
from apastats.studies.inputs import code_places
from apastats.studies.pipeline import Pipeline, Progress
from apastats.studies.plan import compare_with_plan, read_plan, write_plan_copy
from apastats.studies.run_study import demo_data, write_demo_data
from apastats.studies.schema import study_of
from apastats.studies.sections import StudyFile
from apastats.studies.store import Store
from apastats.words import read_json

__all__ = ["Difference", "verify_study"]

OTHER_KERNEL = 1e-6  # what counts as the same number on another kind of processor


@checked
def verify_study(
    folder: str | Path,
    *,
    tolerance: float | None = None,
    allow_code: bool = False,
    progress: Progress | None = None,
) -> list[Difference]:
    """Run a finished study again from its inputs, make its folder anew and compare every file.

    Tables, results (with margins, notes, words, seeds, hashes of data, versions), the report with its words, digits
    and figures, references, and the copy of the study file are compared; then each file with the SHA-256 that the
    folder's marker lists. When a result was made (its time) is known to that list alone.

    Parameters
    ----------
    folder : str or path
        Made by :func:`apastats.run_study`.
    tolerance : float, optional
        Numbers may differ by this share of the largest of their column or array; the words and printed digits of the
        report may not. Other versions of packages are then a warning. By default everything is compared bit for bit,
        but on another kind of processor than the one the study was run on: there with ``1e-6``, and a warning says so.
    allow_code : bool
        Whether Python files that the study names (``inputs.networks``) may be run.
    progress : callable, optional
        Called with the name of each step.

    Returns
    -------
    list of Difference
        Empty if nothing changed.

    Raises
    ------
    ReadError
        If the folder is not that of a finished study, or an input has gone.
    StudyError
        If the study names code and ``allow_code`` is False.

    Warns
    -----
    ReproducibilityWarning
        Made by another processor or other versions, so that digits beyond the printed ones are not compared.
    """
    if tolerance is not None:
        tolerance = number("tolerance", tolerance, above=0, below=1)
    path = Path(folder)
    run, study, text = _recipe(path)
    places = code_places(study)
    if places and not allow_code:
        raise StudyError(
            f"{path}: the study runs Python code: {', '.join(places)}. Read it, then pass --allow-code "
            "(allow_code=True)"
        )
    found = _copy_of_the_file(path, run, study, text)
    measure, environment = _measure(path, run, tolerance)
    found += environment
    store = Store()
    # the data of the demonstration are simulated again
    demo = demo_data(study.study.seed) if run["command"].startswith("apastats demo ") else None
    scores = None if demo is None else demo.scores
    results = Pipeline(study, progress or (lambda _: None), store).run(scores)
    plan = None
    if "plan" in run["results"] or (path / "plan.json").exists():
        try:
            plan = read_plan(path / "plan.json")
        except (ReadError, StudyError) as error:
            return [Difference("plan", str(error))]
        results = {"plan": compare_with_plan(plan, study), **results}
    with tempfile.TemporaryDirectory() as scratch:
        new = Path(scratch)
        if plan is not None:
            write_plan_copy(new, plan)
        kept = {name: _as_made(path, name, value, measure) for name, value in results.items()}
        recipe: dict[str, Any] = {k: run[k] for k in ("base", "here", "assignments") if k in run}
        if demo is not None:
            write_demo_data(new, demo)  # its report speaks of the truth
        write_folder(new, study, text, run["command"], kept, store.messages, recipe)
        (new / "run.json").write_text(
            json.dumps(_environment_of(run, new / "run.json"), indent=1, ensure_ascii=False),
            "utf-8",
        )
        by_file = {
            name: compare_files(path, new, name, measure)
            if (path / name).is_file()
            else [Difference(name, "is missing")]
            for name in files(new)
        }
        empty = _empty_folders(path) - _empty_folders(new)
    named = {name for name, differences in by_file.items() if differences}
    added = [Difference(f"{name}/", "is not a folder of the run") for name in sorted(empty)]
    return [*found, *chain(*by_file.values()), *_integrity(path, set(by_file), named), *added]


def _empty_folders(path: Path) -> set[str]:
    """Folders without anything in them, which no list of files shows."""
    below = (p for p in path.rglob("*") if p.is_dir() and not p.is_symlink())
    return {p.relative_to(path).as_posix() for p in below if not any(p.iterdir())}


def _recipe(path: Path) -> tuple[dict[str, Any], StudyFile, str]:
    """``run.json``, the study it holds, and the text of the study file."""
    try:
        run = read_json(path / "run.json")
        text = (path / "study.toml").read_text("utf-8")
        study = StudyFile.model_validate(run["study"])
        if not isinstance(run["command"], str):
            raise TypeError("its command is no text")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise no_study(path, error) from error
    return run, study, text


def _copy_of_the_file(
    path: Path, run: Mapping[str, Any], study: StudyFile, text: str
) -> list[Difference]:
    """Whether the copy of the study file says what was run."""
    try:
        if run.get("base") is None:
            said = StudyFile.model_validate(tomllib.loads(text))
        else:
            said = study_of(
                text, path / "study.toml", run["assignments"],
                base=Path(run["base"]), here=Path(run["here"]),
            )[0]  # fmt: skip
    except (ApaError, ValidationError, ValueError, KeyError, TypeError) as error:
        return [Difference("study.toml", f"cannot be read ({first_line(error)})")]
    was, now = (jsonable(s.model_dump()) for s in (said, study))
    places = list(json_differences(was, now, Measure()))
    if not places:
        return []
    shown = "; ".join(p.replace(", now ", ", and the study was run with ") for p in places[:3])
    return [Difference("study.toml", shown)]


def _measure(
    path: Path, run: Mapping[str, Any], tolerance: float | None
) -> tuple[Measure, list[Difference]]:
    """What counts as the same here, and what was different where the study was run."""
    there, here = run.get("machine"), machine()
    if not isinstance(there, Mapping) or set(there) != set(here):
        return Measure(tolerance), [Difference("run.json", "machine: is not as a run writes it")]
    texts = {k: f"{k} is {there[k]}, here {here[k]}" for k in here if there[k] != here[k]}
    other, mine = {**(run.get("versions") or {})}, package_versions()
    texts |= {
        f"versions of {k}": f"{k} is {other.get(k)}, here {mine.get(k)}"
        for k in dict.fromkeys([*other, *mine])
        if other.get(k) != mine.get(k)
    }
    decisive = [v for k, v in texts.items() if k == "python" or k.startswith("versions")]
    if tolerance is None and "kernel" in texts:
        tolerance = OTHER_KERNEL
    if texts and tolerance is not None:
        decisive = []
        warn(
            f"{path} was made elsewhere ({'; '.join(texts.values())}): decisions, words and printed digits are "
            f"compared, other numbers to {tolerance:g} of the largest of their column",
            ReproducibilityWarning,
        )
    measure = Measure(tolerance, drawings=tolerance is None)
    return measure, [Difference("run.json", f"versions: {'; '.join(decisive)}")] * bool(decisive)


def _as_made(path: Path, name: str, value: Any, measure: Measure) -> Any:
    """A result with the time and the place of the one that was saved, which cannot be the same again."""
    if not hasattr(value, "provenance"):
        return value
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        saved = read_json(path / "results" / name / "result.json")
        kept = saved["provenance"]
        same = ["created", "platform"]
        if measure.tolerance is not None:  # numbers of other bits have another hash
            same += ["data_hash", "versions", "python"]
        made = replace(value.provenance, **{k: kept[k] for k in same})
        return replace(value, provenance=made)
    return value


def _environment_of(run: Mapping[str, Any], new: Path) -> dict[str, Any]:
    """The recipe that was written now, with the machine that is compared on its own."""
    written: dict[str, Any] = read_json(new)
    return written | {k: run.get(k) for k in ("machine", "versions")}


def _integrity(path: Path, made: set[str], named: set[str]) -> list[Difference]:
    """Files that are not as the run has left them, beyond those that were found to differ."""
    try:
        listed = sealed(path)
    except (OSError, ValueError):
        return [Difference(MARKER, "is damaged or missing: it lists the SHA-256 of every file")]
    there = set(files(path))
    found = []
    for name in sorted((there | set(listed)) - named):
        if name not in there:
            found.append(Difference(name, "is missing"))
        elif name not in listed or name not in made:
            found.append(Difference(name, "is not a file of the run"))
        elif digest(path / name) != listed[name]:
            found.append(Difference(name, "was changed after the run: its SHA-256 is another"))
    return found
