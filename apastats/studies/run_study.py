"""``study.toml`` -> the whole analysis: inputs, ceilings, layers, patterns, bootstrap, equivalence, report."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from apastats.arguments import checked, whole
from apastats.folders import (
    alone,
    beside,
    building,
    files,
    refuse_existing,
    refuse_foreign,
    seal,
)
from apastats.printable import csv_text
from apastats.studies.folder import read_folder, render, write_folder
from apastats.studies.pipeline import Pipeline, Progress, steps_of
from apastats.studies.plan import compare_with_plan, plan_beside, read_plan, write_plan_copy
from apastats.studies.schema import Locator, locate_study
from apastats.studies.sections import StudyFile
from apastats.studies.store import Store
from apastats.studies.unchanged import refuse_changes, stamps

if TYPE_CHECKING:
    from apastats.simulation.study import SimulatedStudy

__all__ = ["StudyRun", "render_again", "run_demo", "run_study"]


@dataclass(frozen=True, eq=False)
class StudyRun:
    """What a study produced.

    Attributes
    ----------
    folder : pathlib.Path
        Holds ``report.html``, ``study.toml``, ``tables/``, ``figures/``, ``results/`` and ``run.json``.
    results : mapping of str to Result or ScoreTable
        In the order they were computed.
    warnings : tuple of str
        Warnings given on the way; the report lists them too.
    answer : str
        The first paragraph of the report: what was asked, and what it came to.
    """

    folder: Path
    results: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    answer: str = ""

    @property
    def report_path(self) -> Path:
        """The report."""
        return self.folder / "report.html"

    def __repr__(self) -> str:
        return f"<StudyRun: {', '.join(self.results)}; {self.folder}>"


@checked
def run_study(
    study: str | Path,
    *,
    assignments: Sequence[str] = (),
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> StudyRun:
    """Run a study file.

    Parameters
    ----------
    study : str or path
        A ``study.toml``; paths in it are relative to its folder.
    assignments : sequence of str
        ``"key=value"`` texts that replace keys, e.g. ``"inputs.scores=DIR"``; paths in them are relative
        to the current folder.
    output : str or path, optional
        Folder to make; by default ``apastats_out/<name of the study>``.
    overwrite : bool
        Whether an existing output folder may be replaced.
    progress : callable, optional
        Called with the name of each step.

    Returns
    -------
    StudyRun

    Raises
    ------
    StudyError
        If the study file is wrong; the message names file, line and key. If there is a plan beside it
        (``apastats plan``) that was changed after it was made. The report says what of a plan was kept.
        If an input file was changed, removed or added while the study ran.
    OutputExistsError
        If the output folder exists. Nothing is written half: the folder appears when it is complete.

    See Also
    --------
    report, load_result, check

    References
    ----------
    .. [1] The apastats developers (2026). apastats: Statistics for brain-model alignment. Python package.

    Examples
    --------
    >>> import os, tempfile
    >>> from pathlib import Path
    >>> import apastats as apa
    >>> with tempfile.TemporaryDirectory() as d:
    ...     _ = apa.simulate(n_subject=4, n_model=2, rois=["V1", "V2", "V4"], rng=1).write(
    ...         d + "/data"
    ...     )
    ...     lines = [f'inputs.scores = "{d}/data"', "equivalence.bounds = 0.05"]
    ...     _ = Path(d, "study.toml").write_text(os.linesep.join(lines))
    ...     done = apa.run_study(d + "/study.toml", output=d + "/out")
    ...     done.report_path.name
    'report.html'
    """
    path = Path(study)
    parsed, text, locate = locate_study(path, assignments)
    folder = Path(output) if output is not None else Path("apastats_out") / parsed.study.name
    sets = "".join(f" --set {a}" for a in assignments)
    command = f"apastats run {path}{sets}"
    beside_it = plan_beside(path)
    plan = read_plan(beside_it) if beside_it.is_file() else None
    recipe = {
        "base": str(path.parent.resolve()),
        "here": str(Path.cwd()),
        "assignments": list(assignments),
    }
    return _execute(
        parsed, text, command, folder, overwrite, progress, locate=locate, recipe=recipe, plan=plan
    )


def run_demo(
    output: str | Path = "apastats_demo",
    *,
    seed: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> StudyRun:
    """Simulate a study with a known truth, analyse it and write its folder.

    Parameters
    ----------
    output : str or path
        Folder to make; the simulated data are in its ``data/``.
    seed : int
        Seed of the simulation.
    overwrite : bool
        Whether an existing output folder may be replaced.
    progress : callable, optional
        Called with the name of each step.

    Returns
    -------
    StudyRun
    """
    text = DEMO_STUDY.replace("@SEED@", str(whole("seed", seed, least=0)))
    parsed = StudyFile.model_validate(tomllib.loads(text))
    return _execute(
        parsed,
        text,
        f"apastats demo --seed {seed}",
        Path(output),
        overwrite,
        progress,
        simulated=demo_data(seed),
    )


def demo_data(seed: int) -> SimulatedStudy:
    """The simulated study of the demonstration."""
    from apastats.simulation.simulate import simulate

    return simulate(n_subject=10, n_model=8, n_layer=5, n_tied=3, gap=0.1, mimic=False, rng=seed)


def write_demo_data(folder: Path, simulated: SimulatedStudy) -> None:
    """Scores and truth of the demonstration, as its folder holds them."""
    (folder / "data").mkdir()
    for place, frame in (
        ("data/scores.csv", simulated.scores.frame),
        ("truth.csv", simulated.truth),
    ):
        (folder / place).write_text(csv_text(frame), "utf-8", newline="")


DEMO_STUDY = """# Simulated study: eight models of which the first three are truly equal and the best everywhere.
[study]
name = "demo"
title = "Demonstration on simulated data with a known truth"
seed = @SEED@

[inputs]
scores = "data/scores.csv"

[select_layer]
on = "train"

[ceiling]
kinds = ["leave_one_out", "subject_to_subject"]

[agreement]
reference = "matched"      # brain and models are compared with the same references

[bootstrap]
n_resamples = "exact"
interval = "studentized"

[equivalence]
bounds = { share = 0.1, of = "leave_one_out" }
reference = "best"
adjust = "holm"

[equivalence_agreement]
bounds = 0.2               # Fisher z
reference = "brain"
adjust = "holm"

[[analysis]]
name = "sets"
verb = "equivalence_set"
data = "selected"
formula = "score ~ model | roi"
options = { bounds = { share = 0.1, of = "leave_one_out" } }

[[analysis]]
name = "strict"
verb = "strict_alignment"
data = "selected"
[analysis.options]
agreement = { result = "agreement" }
score_bounds = { share = 0.1, of = "leave_one_out" }
agreement_bounds = 0.2

[[analysis]]
name = "separation"
verb = "discriminability"
data = "selected"
formula = "score ~ model | roi"
options = { against = { result = "agreement" }, against_outcome = "z_person" }

[[analysis]]
name = "model"
verb = "lmm"
data = "agreement"
formula = "z_person ~ model + (1 | subject) + (1 | roi) + (1 | subject:roi) + (1 | model:subject) + (1 | model:roi)"

[[analysis]]
name = "against_the_brain"
verb = "emmeans"
data = "model"
options = { specs = "model" }
then = [
    { method = "contrast", options = { method = "trt.vs.ctrl", ref = "brain" } },
    { method = "test", options = { bounds = 0.2 } },
]
"""


def _execute(
    parsed: StudyFile,
    text: str,
    command: str,
    folder: Path,
    overwrite: bool,
    progress: Progress | None,
    *,
    simulated: SimulatedStudy | None = None,
    locate: Locator | None = None,
    recipe: Mapping[str, Any] = MappingProxyType({}),
    plan: Mapping[str, Any] | None = None,
) -> StudyRun:
    """Run all steps, then write everything; the folder appears under its name when complete."""
    step = progress or (lambda _: None)
    if hasattr(step, "expect"):
        step.expect(steps_of(parsed))
    refuse_existing(folder, overwrite)
    with alone(folder):
        # results are kept beside the folder while it is in the making: an interrupted run continues there
        unfinished = beside(folder, ".unfinished")
        for working in (unfinished, beside(folder, ".part")):
            refuse_foreign(working)  # before anything is computed
        store = Store(unfinished)
        found = stamps(parsed, folder)
        try:
            scores = None if simulated is None else simulated.scores
            results = Pipeline(parsed, step, store, locate=locate).run(scores)
            if plan is not None:
                results = {"plan": compare_with_plan(plan, parsed), **results}
            step("writing the report")
            refuse_changes(found, stamps(parsed, folder))
            with building(folder, overwrite=overwrite) as part:
                if simulated is not None:
                    write_demo_data(part, simulated)
                if plan is not None:
                    write_plan_copy(part, plan)
                answer = write_folder(
                    part, parsed, text, command, results, store.messages, recipe, store
                )
        except Exception:
            store.drop()  # a mistake, not an interruption: nothing is left half
            raise
        store.drop()
    return StudyRun(folder, results, tuple(store.messages), answer)


def render_again(folder: str | Path) -> Path:
    """Write the report and figures of a finished study again, from its saved results.

    Parameters
    ----------
    folder : str or path
        Made by :func:`run_study`.

    Returns
    -------
    pathlib.Path
        The report.

    Raises
    ------
    ReadError
        If the folder is not that of a finished study.
    """
    f = read_folder(folder)
    before = {name: (f.path / name).stat().st_mtime_ns for name in files(f.path)}
    render(f.path, f.study, f.text, f.command, f.results, f.warnings)
    written = [n for n in files(f.path) if (f.path / n).stat().st_mtime_ns != before.get(n)]
    seal(f.path, again=written)
    return f.path / "report.html"
