"""The steps of a study in order, each kept on disk as soon as it is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apastats.errors import DataError, StudyError
from apastats.studies.inputs import Loaded, fitted_models, load_array, load_inputs
from apastats.studies.schema import Locator, naming
from apastats.studies.sections import EquivalenceSection, StudyFile
from apastats.studies.store import Store, collect, fingerprint
from apastats.table import ScoreTable

if TYPE_CHECKING:
    from apastats.io.rdm_set import RDMSet

__all__ = ["STEPS", "Pipeline", "Progress", "Running", "steps_of"]

Progress = Callable[[str], None]


def steps_of(study: StudyFile) -> int:
    """Steps a study is about to take, the report included; scores without a brain take fewer."""
    agreement = 2 * bool(study.agreement.run) + bool(
        study.agreement.run and study.equivalence_agreement
    )
    # reading, the check, ceilings, layers, the bootstrap, the report
    named = (study.equivalence, study.fitted, study.leaderboard, study.unique_variance)
    return 6 + agreement + sum(map(bool, named)) + len(study.analysis)


@dataclass
class Running:
    """What the steps of a study hand on beside the results that are kept."""

    scores: ScoreTable
    brain: RDMSet | None = None
    best: ScoreTable | None = None
    agreement: ScoreTable | None = None
    people: bool = True


@dataclass
class Pipeline:
    """The steps of a study in order; each adds to ``results``."""

    study: StudyFile
    step: Progress
    store: Store = field(default_factory=Store)
    results: dict[str, Any] = field(default_factory=dict)
    locate: Locator | None = None
    inputs: dict[str, Any] = field(default_factory=dict)

    def _keep(self, name: str, make: Callable[[], Any], section: str) -> Any:
        """Compute a result, or read it back; ``section`` of the file holds its options."""
        with naming(self.locate, section):
            self.results[name] = self.store.keep(name, make)
        return self.results[name]

    def run(self, scores: ScoreTable | None = None) -> dict[str, Any]:
        """All steps the inputs allow."""
        with ExitStack() as scratch:
            self.step("reading")
            if scores is None:
                load = partial(load_inputs, self.study, self.step, scratch, self.locate)
                loaded, messages = collect(load)
                self.store.messages += messages
            else:
                loaded = Loaded(scores)
            self.inputs = loaded.named
            scores = self._streams(loaded.scores)
            regions = [self.inputs["regions"].hash] if "regions" in self.inputs else []
            hashes = [scores.hash, *loaded.hashes, *regions]
            self.store.begin(fingerprint(self.study, hashes))
            state = Running(scores, loaded.brain)
            for name, step in STEPS.items():
                if state.people or name not in OF_PEOPLE:
                    step(self, state)
        return self.results

    def _streams(self, scores: ScoreTable) -> ScoreTable:
        if self.study.inputs.regions is not None:
            return self._regions(scores, self.study.inputs.regions)
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

    def _regions(self, scores: ScoreTable, source: str) -> ScoreTable:
        """Scores in the order of the table of regions, with its streams."""
        from apastats.io.read_regions import read_regions

        regions = read_regions(source)
        missing = [r for r in scores.levels("roi") if r not in regions.table.index]
        if missing:
            raise StudyError(
                f"inputs.regions: {missing[0]!r} is not in the table; it has {', '.join(regions.names)}"
            )
        self.inputs["regions"] = regions.select(scores.levels("roi"))
        rank = {r: i for i, r in enumerate(regions.names)}
        order = scores.frame["roi"].astype(str).map(rank).to_numpy().argsort(kind="stable")
        scores = scores.with_frame(scores.frame.iloc[order].reset_index(drop=True))
        if "stream" not in regions.table.columns:
            return scores
        return scores.assign(stream=regions.table["stream"].to_dict())

    def _check(self, state: Running) -> None:
        scores = state.scores
        from apastats.ceilings.check import check

        self.step("checking the design")
        self._keep("design", lambda: check(scores), "inputs")
        n_subject = scores.frame["subject"].nunique()
        state.people = n_subject > 1
        if not state.people and self.study.leaderboard is None:
            raise DataError(f"{scores.source}: {n_subject} subject; a study needs at least 2")
        self.results["scores"] = scores

    def _ceilings(self, state: Running) -> None:
        from apastats.ceilings.noise_ceiling import noise_ceiling

        scores, brain = state.scores, state.brain

        self.step("noise ceilings")
        present = set(scores.frame["kind"].unique())
        options = self.study.ceiling.model_dump(exclude={"kinds"})
        options["method"] = options["method"] or self.study.score.method
        options["rng"] = self._seed
        for kind in self.study.ceiling.kinds:
            data: Any = scores if kind in present else None
            if kind == "nili":
                data = brain
            elif kind in ("split_half", "repeat"):
                data = self.inputs["repeats"]
            if data is not None:
                # one section serves ceilings of scores and of RDMs; each takes what it reads
                foreign = {"method"} if isinstance(data, ScoreTable) else {"by", "split"}
                if kind == "nili":
                    foreign |= {"within"}
                own = {k: v for k, v in options.items() if k not in foreign}
                make = partial(noise_ceiling, data, kind=kind, **own)
                self._keep(f"ceiling_{kind}", make, "ceiling")

    @property
    def _seed(self) -> int:
        return self.study.study.seed

    def _layers(self, state: Running) -> None:
        scores = state.scores
        if "model" not in set(scores.frame["kind"].unique()):
            return
        from apastats.ceilings.select_layer import select_layer

        self.step("choosing layers")
        options = self.study.select_layer.model_dump()
        if options["on"] == "auto":
            options["on"] = "train" if "train" in scores.levels("split") else "cross_subject"
        state.best = self._keep("selected", lambda: select_layer(scores, **options), "select_layer")

    def _patterns(self, state: Running) -> None:
        """Alignment patterns, and the agreement of each model at the layer chosen for the target ROI."""
        scores, best = state.scores, state.best
        if not self.study.agreement.run or not {"leave_one_out", "subject_to_subject"} & set(
            scores.levels("kind")
        ):
            return
        n_roi = scores.frame["roi"].nunique()
        if n_roi < 3:
            # a pattern of two entries is one difference, and any two differences correlate by 1 or -1
            self.store.messages.append(
                f"alignment patterns left out: {n_roi} ROIs, and a pattern needs 3 or more to have a shape"
            )
            return
        from apastats.ceilings.select_layer import selected_rows
        from apastats.patterns.alignment_patterns import alignment_patterns
        from apastats.patterns.pattern_agreement import pattern_agreement

        self.step("alignment patterns")
        chosen = self.study.patterns.model_dump()
        patterns = self._keep("patterns", lambda: alignment_patterns(scores, **chosen), "patterns")
        options = self.study.agreement.model_dump(exclude={"run"})

        def make() -> ScoreTable:
            every = pattern_agreement(patterns, **options)
            return every if best is None else selected_rows(every, best)

        state.agreement = self._keep("agreement", make, "agreement")

    def _outcomes(self, state: Running) -> None:
        self._outcome("score", state.best, state.scores)
        if state.agreement is not None:
            self._outcome("agreement", state.agreement, state.agreement)

    def _outcome(self, name: str, table: ScoreTable | None, every: ScoreTable) -> None:
        """Bootstrap and equivalence for one outcome; ``every`` has all layers."""
        if table is None:
            return
        from apastats.bootstrapping.bootstrap import bootstrap

        by = [c for c in ("roi", "metric") if c == "roi" or table.frame[c].nunique() > 1]
        # subjects share references: each person's share in the agreement is the sample, where there is one
        of_agreement = "z_person" if "z_person" in table.outcomes else "z"
        outcome = of_agreement if name == "agreement" else "score"
        self.step(f"bootstrap of {name}")
        options = self.study.bootstrap.model_dump() | {"rng": self._seed}
        formula = _formula(outcome, by, options["within"])
        if name == "agreement":
            options["reselect"] = None  # agreement is computed at the layers chosen
        if options["workdir"] is not None:
            options["workdir"] = str(Path(options["workdir"]) / name)
        data = table if options["reselect"] is None else every
        self._keep(f"bootstrap_{name}", lambda: bootstrap(formula, data, **options), "bootstrap")
        self._equivalence(name, outcome, by, table)

    def _equivalence(self, name: str, outcome: str, by: list[str], table: ScoreTable) -> None:
        section = "equivalence" if name == "score" else "equivalence_agreement"
        chosen: EquivalenceSection | None = getattr(self.study, section)
        models = table.frame.loc[table.frame["kind"] == "model", "model"].nunique()
        if chosen is None or (models < 2 and name == "score"):
            return
        from apastats.comparing.equivalence import equivalence
        from apastats.studies.steps import stated_margin

        self.step(f"equivalence of {name}")
        options = chosen.model_dump() | {"rng": self._seed}
        formula = _formula(outcome, by, chosen.within)
        options["bounds"] = stated_margin(chosen.bounds, self.results, f"{section}.bounds")
        self._keep(f"equivalence_{name}", lambda: equivalence(formula, table, **options), section)

    def _fitted(self, state: Running) -> None:
        """Models with parameters, fitted in a cross-validation inside the bootstrap."""
        chosen = self.study.fitted
        if chosen is None or state.brain is None:
            return
        from apastats.bootstrapping.evaluate_fitted import evaluate_fitted

        self.step("fitted models")
        brain, models = state.brain, fitted_models(chosen, self.inputs)
        options = chosen.model_dump(exclude={"models", "beside", "sigma_k"})
        options |= {"sigma_k": load_array(chosen.sigma_k), "rng": self._seed}
        found = self._keep("fitted", lambda: evaluate_fitted(brain, models, **options), "fitted")
        self.results["fitted_scores"] = found.scores

    def _leaderboard(self, state: Running) -> None:
        """Models in order; of the chosen layers where there are people to choose on."""
        chosen = self.study.leaderboard
        if chosen is None:
            return
        from apastats.comparing.leaderboard import leaderboard

        self.step("leaderboard")
        table = state.scores if state.best is None else state.best
        follow = {"items", "response_model", "missing", "page"}
        options = chosen.model_dump(exclude=follow) | {"rng": self._seed}
        board = self._keep("leaderboard", lambda: leaderboard(table, **options), "leaderboard")
        if chosen.items:
            self._keep("leaderboard_items", board.items, "leaderboard")
        if chosen.response_model:
            self._keep("leaderboard_responses", board.response_model, "leaderboard")
        if chosen.missing is not None:
            shifts = list(chosen.missing)
            self._keep("leaderboard_missing", lambda: board.missing(delta=shifts), "leaderboard")

    def _unique_variance(self, state: Running) -> None:
        """What each model adds to the others, and the tests of it."""
        chosen = self.study.unique_variance
        if chosen is None:
            return
        from apastats.bootstrapping.unique_variance import unique_variance

        self.step("unique variance")
        from apastats.io.rdm_set import joined

        given = [k for k in ("models", *self.study.inputs.more_models) if k in self.inputs]
        sets = [self.inputs[k] for k in given]
        models = sets[0] if len(sets) == 1 else joined(sets, "models")
        if chosen.layers:
            models = models.select(model=list(chosen.layers))
            wanted = models.labels["model"].map(chosen.layers) == models.labels["layer"]
            models = models.take(wanted.to_numpy())
        tested = {"bounds", "alternative", "adjust", "alpha"}
        options = chosen.model_dump(exclude={"layers", "test", *tested}) | {"rng": self._seed}
        found = self._keep(
            "unique_variance",
            lambda: unique_variance(state.brain, models, **options),
            "unique_variance",
        )
        if chosen.test:
            how = chosen.model_dump(include=tested) | {"rng": self._seed}
            self._keep("unique_test", lambda: found.test(**how), "unique_variance")

    def _further(self, state: Running) -> None:
        """The ``[[analysis]]`` entries in order; each may use what came before it."""
        from apastats.studies.steps import needs_fit, run_step

        entries = self.study.analysis
        for i, entry in enumerate(entries):
            place = f"analysis[{i}] ({entry.name})"
            if self.locate is not None:
                place = f"{self.locate(('analysis', str(i)))} ({entry.name})"
            if entry.name in self.results or entry.name in self.inputs:
                raise StudyError(
                    f"{place}.name: {entry.name!r} exists already; choose another name"
                )
            self.step(entry.name)
            known = {**self.inputs, **self.results}
            make = partial(run_step, entry, known, self._seed, place)
            # a fit read back from disk holds its tables only: one that is used again is made again
            if needs_fit(entry, entries[i + 1 :]):
                self.store.forget(entry.name)
            self._keep(entry.name, make, "analysis")

    def _claims(self, state: Running) -> None:
        """The stated claims, judged by everything computed before."""
        stated = [c.model_dump() for c in self.study.claims]
        if not stated:
            return
        from apastats.planning.claims import claims

        self.step("claims")
        self._keep("claims", lambda: claims(stated, self.results), "claims")


# the steps after the data are read, in order, by the section of the file that holds their options; each adds to the
# results of the pipeline what it keeps
STEPS: dict[str, Callable[[Pipeline, Running], None]] = {
    "inputs": Pipeline._check,
    "ceiling": Pipeline._ceilings,
    "select_layer": Pipeline._layers,
    "agreement": Pipeline._patterns,
    "bootstrap": Pipeline._outcomes,
    "fitted": Pipeline._fitted,
    "leaderboard": Pipeline._leaderboard,
    "unique_variance": Pipeline._unique_variance,
    "analysis": Pipeline._further,
    "claims": Pipeline._claims,
}

# steps that a table without people leaves out
OF_PEOPLE = ("ceiling", "select_layer", "agreement", "bootstrap", "fitted", "unique_variance")


def _formula(outcome: str, by: list[str], within: str | Sequence[str] | None) -> str:
    """Models compared in every cell; columns that are averaged inside subjects are no cells."""
    averaged = [within] if isinstance(within, str) else list(within or ())
    cells = [c for c in by if c not in averaged]
    return f"{outcome} ~ model" + (f" | {' + '.join(cells)}" if cells else "")
