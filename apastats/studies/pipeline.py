"""The steps of a study in order, each kept on disk as soon as it is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from apastats.errors import DataError, StudyError
from apastats.studies.schema import StudyFile
from apastats.studies.store import Store, collect, fingerprint
from apastats.table import ScoreTable

if TYPE_CHECKING:
    from apastats.io.rdms import RDMSet

__all__ = ["Pipeline", "Progress"]

Progress = Callable[[str], None]


@dataclass
class Pipeline:
    """The steps of a study in order; each adds to ``results``."""

    study: StudyFile
    step: Progress
    store: Store = field(default_factory=Store)
    results: dict[str, Any] = field(default_factory=dict)

    def _keep(self, name: str, make: Callable[[], Any]) -> Any:
        self.results[name] = self.store.keep(name, make)
        return self.results[name]

    def run(self, scores: ScoreTable | None = None) -> dict[str, Any]:
        """All steps the inputs allow."""
        brain = None
        self.step("reading")
        if scores is None:
            (scores, brain), messages = collect(self._inputs)
            self.store.messages += messages
        scores = self._streams(scores)
        hashes = [scores.hash, *([] if brain is None else [brain.hash])]
        self.store.begin(fingerprint(self.study, hashes))
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
        self._keep("design", lambda: check(scores))
        n_subject = scores.frame["subject"].nunique()
        if n_subject < 2:
            raise DataError(f"{scores.source}: {n_subject} subject; a study needs at least 2")

    def _ceilings(self, scores: ScoreTable, brain: RDMSet | None) -> None:
        from apastats.ceilings.noise_ceilings import noise_ceiling

        self.step("noise ceilings")
        present = set(scores.frame["kind"].unique())
        for kind in self.study.ceiling.kinds:
            if kind == "nili":
                if brain is not None:
                    method = self.study.score.method
                    self._keep(
                        "ceiling_nili", partial(noise_ceiling, brain, kind=kind, method=method)
                    )
            elif kind in present:
                self._keep(f"ceiling_{kind}", partial(noise_ceiling, scores, kind=kind))

    def _layers(self, scores: ScoreTable) -> ScoreTable | None:
        if "model" not in set(scores.frame["kind"].unique()):
            return None
        from apastats.selection import select_layer

        self.step("choosing layers")
        on = self.study.select_layer.on
        if on == "auto":
            on = "train" if "train" in scores.levels("split") else "cross_subject"
        best: ScoreTable = self._keep("selected", lambda: select_layer(scores, on=on))
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
        patterns = self._keep("patterns", lambda: alignment_patterns(scores))
        reference, similarity = self.study.agreement.reference, self.study.agreement.similarity

        def make() -> ScoreTable:
            every = pattern_agreement(patterns, reference=reference, similarity=similarity)
            return every if best is None else selected_rows(every, best)

        agreement: ScoreTable = self._keep("agreement", make)
        return agreement

    def _outcome(self, name: str, table: ScoreTable | None) -> None:
        """Bootstrap and equivalence for one outcome."""
        if table is None:
            return
        from apastats.estimates.means import bootstrap

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
        self._keep(f"bootstrap_{name}", lambda: bootstrap(formula, table, **options))
        self._equivalence(name, formula, table)

    def _equivalence(self, name: str, formula: str, table: ScoreTable) -> None:
        options = self.study.equivalence if name == "score" else self.study.equivalence_agreement
        models = table.frame.loc[table.frame["kind"] == "model", "model"].nunique()
        if options is None or (models < 2 and name == "score"):
            return
        from apastats.tosts.tables import equivalence

        self.step(f"equivalence of {name}")
        chosen = {"bounds": self._margin(options), "reference": options.reference}
        chosen |= {"adjust": options.adjust, "alpha": options.alpha}
        self._keep(f"equivalence_{name}", lambda: equivalence(formula, table, **chosen))

    def _margin(self, options: Any) -> Any:
        from apastats.studies.steps import share_of_ceiling

        if not isinstance(options.bounds, Mapping):
            return options.bounds
        return share_of_ceiling(options.bounds, self.results, "equivalence.bounds")

    def _further(self) -> None:
        """The ``[[analysis]]`` entries in order; each may use what came before it."""
        from apastats.studies.steps import run_step

        for i, entry in enumerate(self.study.analysis):
            place = f"analysis[{i}] ({entry.name})"
            if entry.name in self.results:
                raise StudyError(
                    f"{place}.name: {entry.name!r} exists already; choose another name"
                )
            self.step(entry.name)
            seed = self.study.study.seed
            self._keep(entry.name, partial(run_step, entry, self.results, seed, place))
