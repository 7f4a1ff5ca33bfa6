"""What a bootstrap of subjects and stimuli scores: RDMs by a comparison, or patterns by a measure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import applies, choice
from apastats.errors import InputError
from apastats.io.rdm_set import RDMSet, aligned
from apastats.io.read_patterns import hash_of_sets
from apastats.io.read_rdms import as_rdms
from apastats.scoring.measures.entry import Measure
from apastats.scoring.measures.measure import parse_measures
from apastats.scoring.methods import comparison, parse_method
from apastats.scoring.people import between_subjects
from apastats.scoring.rdm_similarity import similarity_counts
from apastats.scoring.response_patterns import (
    REFERENCES_FROM,
    Patterns,
    check_same_rows,
    checked_patterns,
    rows_by_name,
    together,
)
from apastats.scoring.score import checked_brain, checked_models
from apastats.scoring.stimuli.measured import SubsetKernel, between_measured

__all__ = ["PatternSource", "RDMSource", "Source", "source_of"]


@dataclass(frozen=True, eq=False)
class Source(ABC):
    """Brains and models over the same stimuli.

    Attributes
    ----------
    labels : DataFrame
        ``subject, roi`` of every brain data set.
    models : DataFrame
        Labels of every model data set.
    n_stimulus : int
    metric : str
    recipe : str
        The metric with all its options.
    treated : str
        How a stimulus drawn twice counts, see :class:`apastats.scoring.methods.Comparison`.
    no_pool : str
        Why there are no noise ceilings; empty where there are.
    hash : str
        Of the data, for the provenance.
    log : tuple of str
        What reading and matching did.
    """

    labels: pd.DataFrame
    models: pd.DataFrame
    n_stimulus: int
    metric: str
    recipe: str
    treated: str
    no_pool: str
    hash: str
    log: tuple[str, ...]

    @property
    def fixed(self) -> str:
        """What weights of stimuli leave as it is, in words; empty where nothing is fitted."""
        return ""

    @abstractmethod
    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Scores ``[S, M]`` of some brain data sets."""

    @abstractmethod
    def bounds(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ceiling of every subject ``[S, 2]``, and each person's share in their means."""

    @abstractmethod
    def setup(self, rows: np.ndarray, *, ceiling: bool) -> dict[str, Any]:
        """``x, y, method`` and ``others`` of :class:`apastats.scoring.stimuli.stimuli.StimulusSetup`."""

    def shares(self, rows: np.ndarray) -> np.ndarray | None:
        """What a person adds to the ceilings by being in the others' pools, ``[S, 2]``; mean 0."""
        if len(rows) < 3:
            return None
        values, person = self.bounds(rows)
        return person - values


@dataclass(frozen=True, eq=False)
class RDMSource(Source):
    """RDMs of brains and models."""

    brain: RDMSet
    predictors: RDMSet

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Scores ``[S, M]`` of some brain RDMs."""
        found = similarity_counts(self.predictors.vectors, self.brain.vectors[rows], self.metric)
        return np.asarray(found[0].T)

    def bounds(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bound of Nili, from pooled RDMs."""
        return between_subjects(np.asarray(self.brain.vectors[rows], "f8"), self.metric, "nili")

    def setup(self, rows: np.ndarray, *, ceiling: bool) -> dict[str, Any]:
        """RDMs of subjects and models; pools are made of them."""
        return {
            "x": np.asarray(self.brain.vectors[rows], dtype=np.float64),
            "y": np.asarray(self.predictors.vectors, dtype=np.float64),
            "method": self.metric,
        }


@dataclass(frozen=True, eq=False)
class PatternSource(Source):
    """Response patterns of brains and features of models."""

    brain: Sequence[Patterns]
    predictors: Sequence[Patterns]
    measure: Measure
    reference_from: str

    @property
    def fixed(self) -> str:
        """What the measure says."""
        return self.measure.fixed

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Scores ``[S, M]`` of some brain data sets."""
        parts = self.setup(rows, ceiling=False)
        kernel = SubsetKernel(self.measure, parts["x"], parts["y"], ())
        return np.asarray(kernel.values(np.ones((1, self.n_stimulus)), ceiling=False)[0])

    def bounds(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The measure of every subject and the others, and of every subject and all."""
        x = [self.brain[i].compact().train for i in rows]
        return between_measured(self.measure, x, lambda some: self._together(rows[some]))

    def setup(self, rows: np.ndarray, *, ceiling: bool) -> dict[str, Any]:
        """Patterns of subjects and models, and those of subjects together."""
        others: list[np.ndarray] = []
        if ceiling and len(rows) > 1:
            left = [np.delete(rows, i) for i in range(len(rows))]
            others = [self._together(some) for some in (*left, rows)]
        return {
            "x": [self.brain[i].compact().train for i in rows],
            "y": [p.compact().train for p in self.predictors],
            "method": self.measure,
            "others": others,
        }

    def _together(self, rows: np.ndarray) -> np.ndarray:
        roi = str(self.labels["roi"].iloc[rows[0]])
        return together([self.brain[i] for i in rows], self.reference_from, roi).compact().train


def source_of(data: Any, models: Any, method: str, measure: Any, reference_from: str) -> Source:
    """What a call of :func:`apastats.bootstrap` scores, stimuli of both sides in one order.

    Raises
    ------
    InputError
        No models, an option of the other kind of data, several measures, or ``rsa``, whose bootstrap takes RDMs.
    DataError
        Data sets that do not fit one another.
    """
    given: dict[str, Any] = {"chosen": "RDMs" if measure is None else "patterns", "by": "data"}
    if models is None:
        allowed = (
            "a ScoreTable, or RDMs of brains together with models= (apa.read and apa.read_rdms make them), or patterns "
            "with models= and measure="
        )
        raise InputError("data", type(data).__name__, allowed)
    if measure is None:
        applies("reference_from", reference_from, to=["patterns"], default="mean_patterns", **given)
        return _rdms(data, models, parse_method(method))
    applies("method", method, to=["RDMs"], default="corr", **given)
    choice("reference_from", reference_from, REFERENCES_FROM)
    return _patterns(data, models, measure, reference_from)


def _rdms(data: Any, models: Any, method: str) -> RDMSource:
    brain, predictors, log = aligned(
        checked_brain(as_rdms(data, "data")), checked_models(as_rdms(models, "models"))
    )
    if predictors is None:
        raise InputError("models", None, "RDMs of models")
    row = comparison(method)
    return RDMSource(
        brain.labels,
        predictors.labels,
        len(brain.stimuli),
        method,
        method,
        row.stimuli,
        "" if row.pools else f"{method} has no pooled RDM: no noise ceilings",
        f"{brain.hash} {predictors.hash}",
        tuple(log),
        brain,
        predictors,
    )


def _patterns(data: Any, models: Any, measure: Any, reference_from: str) -> PatternSource:
    several = isinstance(measure, Sequence) and not isinstance(measure, str)
    if several and len(measure) != 1:
        raise InputError("measure", measure, "one measure; a call for each of several")
    (chosen,) = parse_measures(measure)
    if chosen.prepare is None:
        hint = "apastats.rdms_from_patterns makes RDMs; give them as data and models, with method=."
        raise InputError("measure", chosen.name, "a measure of patterns", hint=hint)
    given_brain, given_models, log = rows_by_name(data, models)
    brain = checked_patterns(given_brain, "data", pairs=False)
    predictors = checked_patterns(given_models, "models", pairs=False)
    check_same_rows(brain, predictors)
    chosen.check_folds(brain, predictors)
    if chosen.weighted is None:
        log = (
            *log,
            f"{chosen.name} takes no weights of stimuli: a resample is the stimuli that were drawn, each once, and the "
            f"spread of these subsets is scaled to that of all stimuli",
        )
    return PatternSource(
        pd.DataFrame(list(brain), columns=["subject", "roi"]),
        pd.DataFrame(list(predictors), columns=["model", "layer"]),
        len(next(iter(brain.values())).train),
        chosen.name,
        f"{chosen!r} {reference_from}",
        "subset" if chosen.weighted is None else "weights",
        "",
        " ".join(hash_of_sets({k: p.train for k, p in s.items()}) for s in (brain, predictors)),
        log,
        list(brain.values()),
        list(predictors.values()),
        chosen,
        reference_from,
    )
