"""What the scoring has to know of a measure, and what readers do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from apastats.arguments import Rule
from apastats.numbers.backends import Backend
from apastats.scoring.folds import check_folds
from apastats.scoring.response_patterns import Patterns

__all__ = ["Compare", "Measure", "Prepare", "Weighted", "pairwise", "stacked"]

# (patterns of one data set, backend, options) -> what is compared; once per data set
Prepare: TypeAlias = Callable[..., Any]
# (predictors, targets, backend, options) -> [n_predictor, n_target], or [2, ...] (train, test) where it splits
Compare: TypeAlias = Callable[..., np.ndarray]
# (data sets [n, p], left [m], right [m], options) -> (weights of stimuli [b, n]) -> values of the pairs [b, m]
Weighted: TypeAlias = Callable[..., Callable[[np.ndarray], np.ndarray]]


@dataclass(frozen=True, eq=False)
class Measure:
    """A measure of two data sets ``[n_stimulus, n_feature]``, the score of a predictor for a target.

    Scores are always similarities, larger for more alike, so that layers, ceilings and tests mean the same with every
    measure; ``kind`` says where the literature has a distance, and ``definition`` how the score follows from it.

    Attributes
    ----------
    name : str
        As in ``measure=`` and the column ``metric``.
    definition : str
        Formula in words.
    sources : tuple of str
        Keys of the bibliography.
    kind : {"similarity", "distance"}
        What the source defines.
    low, high : float
        Range of the score.
    identical, independent : str
        Score of identical data sets, and expectation for independent ones.
    invariant : tuple of str
        Transformations of the features that change no score.
    stimuli : {"weights", "subsets"}
        Whether it is defined for stimuli with a weight each, or for subsets alone; what a bootstrap of stimuli does.
    needs : str
        What it needs besides finite numbers.
    symmetric : bool
        Whether predictor and target may be exchanged.
    least : int
        Fewest stimuli.
    splits : bool
        Whether it takes pairs (train, test).
    prepare, compare : callable
        See :data:`Prepare` and :data:`Compare`; None for ``rsa``, which has a verb of its own.
    weighted : callable, optional
        See :data:`Weighted`; None where a bootstrap of stimuli takes subsets.
    folds : callable, optional
        (number of stimuli, options) to the rows held out in every fold; none where nothing is.
    fixed : str
        What ``weighted`` holds fixed, in words.
    stack : callable, optional
        Puts what was prepared into one array once, where targets meet many predictors: :func:`stacked` for rows.
    rules : mapping
        Option -> its validator.
    options : mapping
        Option -> its value.
    """

    name: str
    definition: str
    sources: tuple[str, ...] = ()
    kind: Literal["similarity", "distance"] = "similarity"
    low: float = 0.0
    high: float = 1.0
    identical: str = "1"
    independent: str = "0"
    invariant: tuple[str, ...] = ()
    stimuli: Literal["weights", "subsets"] = "subsets"
    needs: str = "-"
    symmetric: bool = True
    least: int = 3
    splits: bool = False
    prepare: Prepare | None = None
    compare: Compare | None = None
    weighted: Weighted | None = None
    folds: Callable[..., list[np.ndarray]] | None = None
    fixed: str = ""
    stack: Callable[[Sequence[Any], Backend], Any] | None = None
    rules: Mapping[str, Rule] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def check_folds(self, brain: Mapping[Any, Patterns], models: Mapping[Any, Patterns]) -> None:
        """Warn once of rows that belong together and are held out apart."""
        n = len(next(iter(brain.values())).train)
        if self.folds is None or not (out := self.folds(n, **self.options)):
            return
        responses, features = ((p.compact().train for p in s.values()) for s in (brain, models))
        check_folds(responses, features, out)

    def as_call(self) -> str:
        """The measure as it is written in a call."""
        return repr(self.name)

    def __repr__(self) -> str:
        chosen = "".join(f", {k}={v!r}" for k, v in self.options.items())
        return f"<measure {self.name}{chosen}>"


def stacked(rows: Sequence[Any], backend: Backend) -> Any:
    """One array ``[m, d]`` of rows ``[1, d]``; an array is one already."""
    return rows if hasattr(rows, "ndim") else backend.xp.concat(list(rows))


def pairwise(function: Callable[..., float]) -> Compare:
    """Comparison of every predictor with every target by ``function(x, y, **options)``."""

    def compare(
        predictors: Sequence[Any], targets: Sequence[Any], backend: Backend, **options: Any
    ) -> np.ndarray:
        return np.array([[function(x, y, **options) for y in targets] for x in predictors])

    return compare
