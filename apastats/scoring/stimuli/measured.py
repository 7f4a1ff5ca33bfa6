"""Scores by a measure of two data sets under a bootstrap of stimuli, with ceilings by the same measure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from apastats.errors import DesignError, InputError
from apastats.numbers.backends import NUMPY
from apastats.numbers.jackknife import person_shares
from apastats.scoring.measures.entry import Measure
from apastats.scoring.response_patterns import Patterns
from apastats.scoring.stimuli.kernels import stretched

__all__ = ["MeasureKernel", "SubsetKernel", "WeightKernel", "between_measured", "measure_kernel"]

Sets = Sequence[np.ndarray]


class MeasureKernel(ABC):
    """Data sets of subjects and models, and what the ceilings compare subjects with.

    Parameters
    ----------
    measure : Measure
    x, y : sequence of array, ``[n, p]``
        Patterns of S subjects and of M models.
    others : sequence of array
        What the other subjects say, for every subject, then what all say; empty without ceilings.
    """

    def __init__(self, measure: Measure, x: Sets, y: Sets, others: Sets) -> None:
        self.measure, self.x, self.y, self.others = measure, x, y, others
        self.s, self.m, self.n = len(x), len(y), len(x[0])

    @abstractmethod
    def values(self, counts: np.ndarray, *, ceiling: bool) -> np.ndarray:
        """Scores, then lower and upper ceiling if asked for: ``[b, S, M (+ 2)]``."""


class WeightKernel(MeasureKernel):
    """Measures that are defined where every stimulus has a weight."""

    def __init__(self, measure: Measure, x: Sets, y: Sets, others: Sets) -> None:
        super().__init__(measure, x, y, others)
        s, m = self.s, self.m
        left = [np.repeat(np.arange(s), m)]
        right = [np.tile(np.arange(s, s + m), s)]
        if len(others):
            left += [np.arange(s)] * 2
            right += [np.arange(s + m, s + m + s), np.full(s, s + m + s)]
        if measure.weighted is None:
            raise TypeError(f"{measure.name} takes no weights")
        sets = [*x, *y, *others]
        pairs = np.concatenate(left), np.concatenate(right)
        self.score = measure.weighted(sets, *pairs, **measure.options)

    def values(self, counts: np.ndarray, *, ceiling: bool) -> np.ndarray:
        """Scores, then lower and upper ceiling if asked for: ``[b, S, M (+ 2)]``."""
        found = self.score(np.asarray(counts, dtype="f8"))
        scores = found[:, : self.s * self.m].reshape(len(found), self.s, self.m)
        if not ceiling:
            return np.asarray(scores)
        bounds = found[:, self.s * self.m :].reshape(len(found), 2, self.s)
        return np.concatenate([scores, bounds.transpose(0, 2, 1)], axis=2)


class SubsetKernel(MeasureKernel):
    """Any measure: a resample is the stimuli that were drawn, each once.

    Notes
    -----
    A copy of a stimulus would be its own neighbour, and would be held out and fitted on at once. The spread of subsets
    is that of a delete-d jackknife: a subset of m out of n is stretched by ``sqrt(m / (n - m))`` (Shao and Wu 1989,
    Annals of Statistics 17:1176), about what subsets of its size have on average, as most of these measures depend on
    how many stimuli there are.
    """

    def values(self, counts: np.ndarray, *, ceiling: bool) -> np.ndarray:
        """Scores, then lower and upper ceiling if asked for: ``[b, S, M (+ 2)]``."""
        out = np.full((len(counts), self.s, self.m + 2 * ceiling), np.nan)
        for row, c in zip(out, counts, strict=True):
            drawn = np.flatnonzero(c > 0)
            if len(drawn) < self.measure.least:
                continue
            try:
                self._fill(row, drawn, ceiling)
            except (DesignError, InputError) as error:
                if len(drawn) == self.n:
                    raise
                raise DesignError(
                    f"a resample of {self.n} stimuli holds {len(drawn)} of them, too few for this measure as it is "
                    f"({error})"
                ) from error
        return out

    def _fill(self, row: np.ndarray, drawn: np.ndarray, ceiling: bool) -> None:
        options = dict(self.measure.options)
        for labels in ("groups", "repeats"):
            if options.get(labels) is not None:
                options[labels] = [options[labels][i] for i in drawn]

        def made(sets: Sets) -> list[Any]:
            return [self._prepared(v[drawn], options) for v in sets]

        targets = made(self.x)
        if self.m:
            row[:, : self.m] = self._compared(made(self.y), targets, options).T
        if ceiling:
            *others, everyone = made(self.others)
            for i, target in enumerate(targets):
                row[i, -2] = self._compared([others[i]], [target], options)[0, 0]
            row[:, -1] = self._compared([everyone], targets, options)[0]

    def _prepared(self, x: np.ndarray, options: dict[str, Any]) -> Any:
        data = Patterns(x, None) if self.measure.splits else x
        return self.measure.prepare(data, NUMPY, **options)  # type: ignore[misc]

    def _compared(
        self, predictors: list[Any], targets: list[Any], options: dict[str, Any]
    ) -> np.ndarray:
        found = self.measure.compare(predictors, targets, NUMPY, **options)  # type: ignore[misc]
        return np.asarray(found[0] if self.measure.splits else found, dtype="f8")

    def stretched(self, values: np.ndarray, counts: np.ndarray, whole: np.ndarray) -> np.ndarray:
        """Values ``[b, ...]`` with the spread of a bootstrap about those of all stimuli."""
        size = (counts > 0).sum(axis=1).astype("f8")[:, None, None]
        known = np.isfinite(values)
        with np.errstate(invalid="ignore", divide="ignore"):
            total = known.sum(axis=0)
            m = size - (known * size).sum(axis=0) / total
            mean = np.where(known, values, 0.0).sum(axis=0) / total
            slope = np.where(known, m * (values - mean), 0.0).sum(axis=0)
            slope = slope / np.maximum((known * m**2).sum(axis=0), np.finfo(float).tiny)
        return stretched(values - mean - slope * m + whole, counts, whole)


def measure_kernel(measure: Measure, x: Sets, y: Sets, others: Sets) -> MeasureKernel:
    """Kernel of a measure: by weights where it allows them, by subsets otherwise."""
    kind = SubsetKernel if measure.weighted is None else WeightKernel
    return kind(measure, x, y, others)


def between_measured(
    measure: Measure, x: Sets, pool: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Ceilings of every subject, and each person's share in their means.

    Parameters
    ----------
    measure : Measure
    x : sequence of array, ``[n, p]``
        Patterns of S subjects.
    pool : callable
        Positions of subjects -> their patterns together.

    Returns
    -------
    values, person : numpy.ndarray, shape (S, 2)
        Lower (the others) and upper (all). See :func:`apastats.numbers.jackknife.person_shares`.
    """

    def bounds(people: np.ndarray) -> np.ndarray:
        others = [pool(people[people != s]) for s in people] + [pool(people)]
        kernel = SubsetKernel(measure, [x[s] for s in people], (), others)
        return np.asarray(kernel.values(np.ones((1, kernel.n)), ceiling=True)[0])

    everyone = np.arange(len(x))
    if len(x) < 2:
        return (np.full((len(x), 2), np.nan),) * 2
    values, left = bounds(everyone), np.full((len(x), 2), np.nan)
    for i in everyone if len(x) > 2 else ():
        left[i] = bounds(np.delete(everyone, i)).mean(axis=0)
    return values, person_shares(values, left)
