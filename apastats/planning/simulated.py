"""A simulated study and its parts, and what a trial of a verb on it is."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np

from apastats.planning.populations import Population, rdm_study, score_study

__all__ = [
    "QUANTITIES",
    "Study",
    "Trial",
    "covers",
    "errs",
    "first_row",
    "held",
    "model_less_ceiling",
]

# what a number is -> what it says
QUANTITIES: Mapping[str, str] = MappingProxyType(
    {
        "coverage": "share of intervals that hold the value",
        "error": "share of studies with a false claim",
        "power": "share of true claims that are made",
        "bias": "mean error, in units of the estimate",
    }
)


@dataclass(frozen=True)
class Trial:
    """One default tried on a simulated study.

    Attributes
    ----------
    verb : str
        Verb whose default it is.
    what : str
        What is asked of it.
    quantity : str
        A key of :data:`QUANTITIES`.
    nominal : float
        What is promised (NaN for power and bias).
    run : callable
        ``(study) -> values``: for errors and power 0 or 1 (or a share); for coverage ``[estimate, low, high, truth]``,
        the truth NaN where it is the mean of the estimates over all studies.
    """

    verb: str
    what: str
    quantity: str
    nominal: float
    run: Callable[[Study], Any]


class Study:
    """A simulated study, its parts made when a trial asks for them."""

    def __init__(self, population: Population, n: int, seed: np.random.SeedSequence) -> None:
        self.population, self.n = population, n
        parts = ("tied", "ladder", "rdms", "verbs", "agreeing", "behind the brain", "common")
        self._seeds = dict(zip(parts, seed.spawn(len(parts)), strict=True))
        self._made: dict[str, tuple[Any, list[warnings.WarningMessage]]] = {}

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What ``make`` gives, made once; its warnings come again for whoever asks later."""
        if name in self._made:
            made, said = self._made[name]
            for w in said:
                warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
            return made
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            made = make()
        self._made[name] = made, said
        return self.once(name, make)

    @property
    def rng(self) -> np.random.SeedSequence:
        """Randomness for the verbs."""
        return self._seeds["verbs"]

    def generator(self, part: str) -> np.random.Generator:
        """Randomness of a part of the study."""
        return np.random.default_rng(self._seeds[part])

    @property
    def k(self) -> int:
        """Number of models."""
        return len(self.population.model_sd)

    @property
    def margin(self) -> float:
        """A margin of about four standard errors of a difference, as a share of the ceiling."""
        sd = 0.9 * float(np.sqrt((self.population.model_sd**2).mean()))
        return float(4 * sd * np.sqrt(2 / self.n))

    def behind(self) -> np.ndarray:
        """How far each model lies behind the first: exactly the margin."""
        return np.r_[0.0, np.full(self.k - 1, self.margin)]

    def scores(self, what: str = "tied") -> Any:
        """Scores: ``tied`` (all models equal), or ``ladder`` (the first is best, the others a margin below)."""
        gap = self.behind() if what == "ladder" else np.zeros(self.k)
        return self.once(
            what, lambda: score_study(self.generator(what), self.population, self.n, gap)
        )

    def models(self, what: str = "tied") -> Any:
        """Rows of the models."""
        return self.once(f"models {what}", lambda: self.scores(what).where(kind="model"))

    def ceiling_margin(self, what: str) -> Any:
        """A share of the ceiling as margin."""
        from apastats.ceilings.noise_ceiling import noise_ceiling
        from apastats.comparing.margin import margin

        def make() -> Any:
            # what the ceiling warns of is no warning of the verb that takes it
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return noise_ceiling(self.scores(what), by=["roi"])

        return margin(self.margin, of=self.once(f"ceiling {what}", make))

    def z_scores(self, what: str) -> Any:
        """Agreement-like rows with the brain as one level: ``agreeing`` (all alike) or ``behind the brain``.

        The brain varies as the first model does, the models as the others do; ``behind the brain``: every model
        lies the margin below it.
        """
        from apastats.table import BRAIN, ScoreTable

        def make() -> Any:
            gap = self.behind() if what == "behind the brain" else np.zeros(self.k)
            made = score_study(self.generator(what), self.population, self.n, gap)
            frame = made.where(kind="model").frame
            brain = frame["model"] == "model_01"
            # the others keep their names: they are the models that the scores have, one best without a twin
            frame = frame.assign(
                model=frame["model"].where(~brain, BRAIN),
                kind=frame["kind"].where(~brain, "subject_to_subject"),
            )
            return ScoreTable(frame.assign(z_person=frame["score"]), ("z_person",))

        return self.once(f"z {what}", make)

    @property
    def rdms(self) -> Any:
        """RDMs of people and models."""
        return self.once("rdms", lambda: rdm_study(self.generator("rdms"), self.population, self.n))

    @property
    def rdm_scores(self) -> Any:
        """Their scores, all kinds of rows."""
        from apastats.scoring.score import score

        return self.once("rdm scores", lambda: score(self.rdms[0], self.rdms[1], method="corr"))

    @property
    def patterns(self) -> Any:
        """Alignment patterns."""
        from apastats.patterns.alignment_patterns import alignment_patterns

        return self.once("patterns", lambda: alignment_patterns(self.rdm_scores))

    @property
    def common_patterns(self) -> Any:
        """Patterns of people and models for whom all regions have one geometry."""
        from apastats.patterns.alignment_patterns import alignment_patterns
        from apastats.scoring.score import score

        def make() -> Any:
            brain, models, _ = rdm_study(
                self.generator("common"), self.population, self.n, common=True
            )
            return alignment_patterns(score(brain, models, method="corr"))

        return self.once("common patterns", make)

    @property
    def agreement(self) -> Any:
        """Pattern agreement of the layer that belongs to each region, brains included."""
        from apastats.ceilings.select_layer import selected_rows
        from apastats.patterns.pattern_agreement import pattern_agreement

        return self.once(
            "agreement",
            lambda: selected_rows(
                pattern_agreement(self.patterns, reference="matched"), self.own_layers
            ),
        )

    @property
    def own_layers(self) -> Any:
        """Scores of the layer that belongs to each region."""
        from apastats.table import ScoreTable

        def make() -> Any:
            frame = self.rdm_scores.frame
            own = frame["layer"].str.replace("layer", "roi") == frame["roi"]
            return ScoreTable(frame[own & (frame["kind"] == "model")])

        return self.once("own layers", make)


@lru_cache(maxsize=64)
def _model_less_person(name: str, noise: str, n_roi: int) -> float:
    few = np.ones(1)
    population = Population(name, noise, np.ones(n_roi), 0.1, few)
    g = np.random.default_rng(77)
    gaps = []
    for _ in range(40):
        brain, models, _ = rdm_study(g, population, 100)
        size = brain.vectors.shape[1]
        x = brain.vectors.reshape(100, -1, size)[:, 0]
        model = models.vectors[0]
        x, m = (v - v.mean(axis=-1, keepdims=True) for v in (x, model))
        x, m = (v / np.sqrt((v**2).sum(axis=-1, keepdims=True)) for v in (x, m))
        gram = x @ x.T
        person = (gram.sum() - np.trace(gram)) / (100 * 99)
        gaps.append(float((x @ m).mean() - person))
    return float(np.mean(gaps))


def model_less_person(population: Population) -> float:
    """True mean of ``model_01`` less that of a person, in the first region of the RDMs of a population."""
    return _model_less_person(population.name, population.noise, len(population.mean))


@lru_cache(maxsize=64)
def _model_less_ceiling(name: str, noise: str, n_roi: int, n: int) -> float:
    population = Population(name, noise, np.ones(n_roi), 0.1, np.ones(1))
    g = np.random.default_rng(78)
    gaps = []
    for _ in range(40 + 2400 // n):
        brain, models, _ = rdm_study(g, population, n)
        size = brain.vectors.shape[1]
        x, m = brain.vectors.reshape(n, -1, size)[:, 0], models.vectors[0]
        x, m = (v - v.mean(axis=-1, keepdims=True) for v in (x, m))
        x, m = (v / np.sqrt((v**2).sum(axis=-1, keepdims=True)) for v in (x, m))
        others = x.sum(axis=0) - x
        pooled = (x * others).sum(axis=1) / np.sqrt((others**2).sum(axis=1))
        gaps.append(float((x @ m).mean() - pooled.mean()))
    return float(np.mean(gaps))


def model_less_ceiling(population: Population, n: int) -> float:
    """True mean of ``model_01`` less the leave-one-out ceiling of n people, in the first region of the RDMs."""
    return _model_less_ceiling(population.name, population.noise, len(population.mean), n)


def first_row(table: Any, **where: Any) -> Any:
    """First row of a table with these values."""
    for column, value in where.items():
        table = table[table[column] == value]
    return table.iloc[0]


def held(row: Any, truth: float = np.nan) -> list[float]:
    """Outcome of a trial of coverage."""
    return [row["estimate"], row["conf_low"], row["conf_high"], truth]


def covers(verb: str, what: str, run: Callable[[Study], Any]) -> Trial:
    """Trial of a 95 % interval."""
    return Trial(verb, f"95 % interval of {what}", "coverage", 0.95, run)


def errs(verb: str, what: str, run: Callable[[Study], Any]) -> Trial:
    """Trial of a test at 5 %."""
    return Trial(verb, what, "error", 0.05, run)
