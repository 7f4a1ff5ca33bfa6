"""``study.toml`` -> the whole analysis: inputs, ceilings, layers, patterns, bootstrap, equivalence, report."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from apastats.errors import ApaWarning, DataError, StudyError
from apastats.folders import building, refuse_existing
from apastats.study_folder import Difference, compare_results, read_folder, render, write_folder
from apastats.study_schema import StudyFile, parse_study
from apastats.table import ScoreTable

if TYPE_CHECKING:
    from apastats.io.rdms import RDMSet

__all__ = ["StudyRun", "render_again", "run_demo", "run_study", "verify_study"]

Progress = Callable[[str], None]


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
    """

    folder: Path
    results: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def report_path(self) -> Path:
        """The report."""
        return self.folder / "report.html"

    def __repr__(self) -> str:
        return f"<StudyRun: {', '.join(self.results)}; {self.folder}>"


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
        If the study file is wrong; the message names file, line and key.
    OutputExistsError
        If the output folder exists. Nothing is written half: the folder appears when it is complete.
    """
    path = Path(study)
    parsed, text = parse_study(path, assignments)
    folder = Path(output) if output is not None else Path("apastats_out") / parsed.study.name
    sets = "".join(f" --set {a}" for a in assignments)
    command = f"apastats run {path}{sets}"
    return _execute(parsed, text, command, folder, overwrite, progress)


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
    from apastats.simulation import simulate

    simulated = simulate(
        n_subject=10, n_model=8, n_layer=5, n_tied=3, gap=0.1, mimic=False, rng=seed
    )
    text = DEMO_STUDY.replace("@SEED@", str(seed))
    parsed = StudyFile.model_validate(tomllib.loads(text))
    return _execute(
        parsed,
        text,
        f"apastats demo --seed {seed}",
        Path(output),
        overwrite,
        progress,
        scores=simulated.scores,
        truth=simulated.truth,
    )


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
reference = "leave_one_out"

[bootstrap]
n_resamples = "exact"
interval = "studentized"

[equivalence]
bounds = { share = 0.1, of = "leave_one_out" }
reference = "best"
adjust = "holm"
"""


def _execute(
    parsed: StudyFile,
    text: str,
    command: str,
    folder: Path,
    overwrite: bool,
    progress: Progress | None,
    *,
    scores: ScoreTable | None = None,
    truth: pd.DataFrame | None = None,
) -> StudyRun:
    """Run all steps, then write everything; the folder appears under its name when complete."""
    step = progress or (lambda _: None)
    refuse_existing(folder, overwrite)
    results, messages = _compute(parsed, step, scores)
    step("writing the report")
    with building(folder, overwrite=overwrite) as part:
        if truth is not None and scores is not None:
            (part / "data").mkdir()
            scores.frame.to_csv(part / "data" / "scores.csv", index=False)
            truth.to_csv(part / "truth.csv", index=False)
        write_folder(part, parsed, text, command, results, messages)
    return StudyRun(folder, results, messages)


def _compute(
    parsed: StudyFile, step: Progress, scores: ScoreTable | None = None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Results of all steps, and the warnings given on the way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results = Pipeline(parsed, step).run(scores)
    ours = (str(w.message) for w in caught if issubclass(w.category, ApaWarning))
    return results, tuple(dict.fromkeys(ours))


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
    render(f.path, f.study, f.text, f.command, f.results, f.warnings)
    return f.path / "report.html"


def verify_study(folder: str | Path, *, progress: Progress | None = None) -> list[Difference]:
    """Run a finished study again from its inputs and compare every number bit for bit.

    Parameters
    ----------
    folder : str or path
        Made by :func:`run_study`.
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
    """
    f = read_folder(folder)
    study = f.study
    if study.inputs.scores is not None:
        # the demonstration keeps its data inside its own folder
        scores = str(f.path.resolve() / study.inputs.scores)
        study = study.model_copy(
            update={"inputs": study.inputs.model_copy(update={"scores": scores})}
        )
    results, _ = _compute(study, progress or (lambda _: None))
    return compare_results(f.results, results)


@dataclass
class Pipeline:
    """The steps of a study in order; each adds to ``results``."""

    study: StudyFile
    step: Progress
    results: dict[str, Any] = field(default_factory=dict)

    def run(self, scores: ScoreTable | None = None) -> dict[str, Any]:
        """All steps the inputs allow."""
        brain = None
        self.step("reading")
        if scores is None:
            scores, brain = self._inputs()
        scores = self._streams(scores)
        self._check(scores)
        self.results["scores"] = scores
        self._ceilings(scores, brain)
        best = self._layers(scores)
        agreement = self._patterns(scores, best)
        self._outcome("score", best)
        if agreement is not None:
            self._outcome("agreement", agreement)
        self._further()
        return self.results

    def _inputs(self) -> tuple[ScoreTable, RDMSet | None]:
        import apastats as apa

        inputs = self.study.inputs
        rois = inputs.rois
        tables = []
        if inputs.scores is not None:
            tables.append(apa.read(inputs.scores, rois=rois, cache=inputs.cache))
        for name, entry in inputs.tables.items():
            self.step(f"reading {name}")
            tables.append(
                apa.read(
                    entry.path,
                    rename=entry.rename,
                    defaults=entry.defaults,
                    wide=entry.wide,
                    rois=rois,
                )
            )
        brain = None
        if inputs.rdms is not None:
            brain = apa.read_rdms(inputs.rdms, layout=inputs.rdms_layout)
            if rois is not None:
                brain = brain.select(roi=rois)
            self.step("scoring")
            method = self.study.score.method
            models = [(inputs.models, inputs.models_layout)] if inputs.models is not None else []
            models += [(entry.path, entry.layout) for entry in inputs.more_models.values()]
            tables.append(apa.score(brain, method=method))
            for path, layout in models:
                read = apa.read_rdms(path, layout=layout)
                tables.append(apa.score(brain, read, method=method, references=()))
        return (tables[0] if len(tables) == 1 else apa.concat(*tables)), brain

    def _streams(self, scores: ScoreTable) -> ScoreTable:
        streams = self.study.inputs.streams
        if not streams:
            return scores
        mapping = {roi: name for name, rois in streams.items() for roi in rois}
        missing = [r for r in scores.levels("roi") if r not in mapping]
        if missing:
            raise StudyError(
                f"inputs.streams: ROI {missing[0]!r} belongs to no stream; every ROI needs one"
            )
        return scores.assign(stream=mapping)

    def _check(self, scores: ScoreTable) -> None:
        from apastats.checks import check

        self.step("checking the design")
        found = check(scores)
        self.results["design"] = found
        n_subject = scores.frame["subject"].nunique()
        if n_subject < 2:
            raise DataError(f"{scores.source}: {n_subject} subject; a study needs at least 2")

    def _ceilings(self, scores: ScoreTable, brain: RDMSet | None) -> None:
        from apastats.ceilings import noise_ceiling

        self.step("noise ceilings")
        present = set(scores.frame["kind"].unique())
        for kind in self.study.ceiling.kinds:
            if kind == "nili":
                if brain is not None:
                    method = self.study.score.method
                    self.results["ceiling_nili"] = noise_ceiling(brain, kind="nili", method=method)
            elif kind in present:
                self.results[f"ceiling_{kind}"] = noise_ceiling(scores, kind=kind)

    def _layers(self, scores: ScoreTable) -> ScoreTable | None:
        if "model" not in set(scores.frame["kind"].unique()):
            return None
        from apastats.selection import select_layer

        self.step("choosing layers")
        on = self.study.select_layer.on
        if on == "auto":
            on = "train" if "train" in scores.levels("split") else "cross_subject"
        best = select_layer(scores, on=on)
        self.results["selected"] = best
        return best

    def _patterns(self, scores: ScoreTable, best: ScoreTable | None) -> ScoreTable | None:
        """Alignment patterns, and the agreement of each model at the layer chosen for the target ROI."""
        if not self.study.agreement.run or not {"leave_one_out", "subject_to_subject"} & set(
            scores.levels("kind")
        ):
            return None
        if scores.frame["roi"].nunique() < 3:
            return None
        from apastats.patterns.agreement import pattern_agreement
        from apastats.patterns.profiles import alignment_patterns
        from apastats.selection import selected_rows

        self.step("alignment patterns")
        patterns = alignment_patterns(scores)
        self.results["patterns"] = patterns
        options = self.study.agreement
        agreement = pattern_agreement(
            patterns, reference=options.reference, similarity=options.similarity
        )
        if best is not None:
            agreement = selected_rows(agreement, best)
        self.results["agreement"] = agreement
        return agreement

    def _outcome(self, name: str, table: ScoreTable | None) -> None:
        """Bootstrap and equivalence for one outcome."""
        if table is None:
            return
        from apastats.estimates import bootstrap

        by = [c for c in ("roi", "metric") if c == "roi" or table.frame[c].nunique() > 1]
        outcome = "z" if name == "agreement" else "score"
        formula = f"{outcome} ~ model | {' + '.join(by)}"
        self.step(f"bootstrap of {name}")
        boot = self.study.bootstrap
        options: dict[str, Any] = {"n_resamples": boot.n_resamples, "interval": boot.interval}
        options |= {
            "conf_level": boot.conf_level,
            "rng": self.study.study.seed,
            "n_jobs": boot.n_jobs,
        }
        self.results[f"bootstrap_{name}"] = bootstrap(formula, table, **options)
        self._equivalence(name, formula, table)

    def _equivalence(self, name: str, formula: str, table: ScoreTable) -> None:
        options = self.study.equivalence if name == "score" else self.study.equivalence_agreement
        models = table.frame.loc[table.frame["kind"] == "model", "model"].nunique()
        if options is None or (models < 2 and name == "score"):
            return
        from apastats.tosts.tables import equivalence

        self.step(f"equivalence of {name}")
        bounds = self._margin(options)
        self.results[f"equivalence_{name}"] = equivalence(
            formula,
            table,
            bounds=bounds,
            reference=options.reference,
            adjust=options.adjust,
            alpha=options.alpha,
        )

    def _margin(self, options: Any) -> Any:
        from apastats.study_steps import share_of_ceiling

        if not isinstance(options.bounds, Mapping):
            return options.bounds
        return share_of_ceiling(options.bounds, self.results, "equivalence.bounds")

    def _further(self) -> None:
        """The ``[[analysis]]`` entries in order; each may use what came before it."""
        from apastats.study_steps import run_step

        for i, entry in enumerate(self.study.analysis):
            place = f"analysis[{i}] ({entry.name})"
            if entry.name in self.results:
                raise StudyError(
                    f"{place}.name: {entry.name!r} exists already; choose another name"
                )
            self.step(entry.name)
            self.results[entry.name] = run_step(entry, self.results, self.study.study.seed, place)
