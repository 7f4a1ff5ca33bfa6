"""The comparisons of RDMs: one row each. A new one is a new row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from apastats.arguments import choice
from apastats.errors import DataError

__all__ = ["METHODS", "Comparison", "comparison", "parse_method"]

# (x [n_x, n_pair], y [n_y, n_pair], sigma_k, rows at once) -> [n_x, n_y]; no entry is missing
Score = Callable[[np.ndarray, np.ndarray, Any, int | None], np.ndarray]


@dataclass(frozen=True)
class Comparison:
    """What the scoring has to know of a method.

    Attributes
    ----------
    pooled : {"ranks", "z", "rms", "plain"}
        Scale on which RDMs are averaged: mid-ranks, z-scores, over the root mean square, as they are.
    stimuli : {"weights", "copies", "kernel", "subset"}
        How a bootstrap of stimuli treats a stimulus drawn twice: by a weight for its pairs (inner products), by writing
        its copies out, by a weight in the second moments, or not at all.
    score : callable or None
        Scores without missing pairs; None for an inner product of rows that the flags below describe.
    ranks, centred, normalised, whitened : bool
        The rows of an inner product: mid-ranks, less their mean, divided by their norms (rho-a divides by the norm of
        ranks without ties), in the metric of ``sigma_k``.
    noise : bool
        Whether ``sigma_k`` matters.
    square : bool
        Whether it needs the pairs of whole stimuli.
    pools : bool
        Whether there is a pooled RDM, and so a noise ceiling.
    correlation : bool
        Whether it is a correlation, for which Spearman and Brown's formula holds.
    """

    pooled: Literal["ranks", "z", "rms", "plain"]
    stimuli: Literal["weights", "copies", "kernel", "subset"] = "copies"
    score: Score | None = None
    ranks: bool = False
    centred: bool = False
    normalised: bool = True
    whitened: bool = False
    noise: bool = False
    square: bool = False
    pools: bool = True
    correlation: bool = False

    @property
    def product(self) -> bool:
        """Whether it is one inner product of transformed RDMs."""
        return self.score is None

    @property
    def plain(self) -> bool:
        """Whether the rows are the RDMs themselves but for mean and norm."""
        return self.product and not (self.ranks or self.whitened)


def _kendall(variant: str) -> Score:
    def score(x: np.ndarray, y: np.ndarray, sigma_k: Any, batch: int | None) -> np.ndarray:
        from apastats.numbers.kendall import kendall_similarity

        return kendall_similarity(x, y, variant=variant, batch=batch)

    return score


def _peer(method: str, noise: bool = False) -> Score:
    """A slow comparison, by rsatoolbox's own code."""

    def score(x: np.ndarray, y: np.ndarray, sigma_k: Any, batch: int | None) -> np.ndarray:
        from rsatoolbox.rdm import RDMs, compare

        options = {"sigma_k": sigma_k} if noise else {}
        sides = RDMs(np.array(x, "f8")), RDMs(np.array(y, "f8"))
        try:
            return np.asarray(compare(*sides, method=method, **options), dtype="f8")
        except np.linalg.LinAlgError as error:
            raise DataError(
                f"method {method!r}: an RDM is no full-rank Euclidean one ({error}); other methods do not need that"
            ) from error

    return score


METHODS: dict[str, Comparison] = {
    "cosine": Comparison("rms", "weights"),
    "corr": Comparison("z", "weights", centred=True, correlation=True),
    "spearman": Comparison("ranks", "weights", ranks=True, centred=True, correlation=True),
    "rho-a": Comparison(
        "ranks", "weights", ranks=True, centred=True, normalised=False, correlation=True
    ),
    "cosine_cov": Comparison("rms", "weights", whitened=True, noise=True, square=True),
    "corr_cov": Comparison(
        "z", "weights", centred=True, whitened=True, noise=True, square=True, correlation=True
    ),
    "tau-a": Comparison("ranks", score=_kendall("tau-a")),
    "tau-b": Comparison("ranks", score=_kendall("tau-b")),
    "kendall": Comparison("ranks", score=_kendall("tau-b")),
    "neg_riem_dist": Comparison(
        "plain", "subset", _peer("neg_riem_dist", noise=True), noise=True, square=True
    ),
    "bures": Comparison("plain", "kernel", _peer("bures"), square=True, pools=False),
    "bures_metric": Comparison("plain", "kernel", _peer("bures_metric"), square=True, pools=False),
}
ALIASES = {"kendall": "tau-b"}


def comparison(method: Any) -> Comparison:
    """Return the row of a method; InputError for an unknown one."""
    choice("method", method, METHODS)
    return METHODS[method]


def parse_method(method: Any) -> str:
    """Canonical name of a method; ``kendall`` is ``tau-b``."""
    comparison(method)
    return ALIASES.get(method, str(method))
