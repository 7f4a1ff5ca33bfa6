"""Bures and Procrustes similarity without the bias of noise and of few stimuli."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from apastats import arguments
from apastats.errors import DesignError
from apastats.numbers.backends import Backend
from apastats.numbers.shape_moments import halves, moment_fidelity
from apastats.numbers.units import varies
from apastats.scoring.measures.entry import Measure, pairwise

__all__ = ["MEASURES"]

LEAST = 8  # four differences of two stimuli


def _signal(
    x: np.ndarray, backend: Backend, *, repeats: Any, **options: Any
) -> tuple[np.ndarray, np.ndarray]:
    if repeats is None:
        labels = np.arange(len(x))
    elif len(repeats) != len(x):
        raise DesignError(f"repeats names {len(repeats)} stimuli; the patterns have {len(x)} rows")
    else:
        labels = np.unique([str(r) for r in repeats], return_inverse=True)[1].reshape(-1)
    if labels.max() + 1 < LEAST:
        raise DesignError(f"{labels.max() + 1} stimuli; at least {LEAST} are needed")
    if repeats is not None and len(x) > labels.max() + 1 and (np.bincount(labels) == 1).any():
        raise DesignError(
            "repeats: a stimulus has one row only; its noise would be taken for signal"
        )
    moving = varies(
        x
    )  # the power law runs over the units that there are; one that stands still is none
    x = x[:, moving] if moving.any() else x
    return halves(x - x.mean(axis=0), labels)


def _cosine(x: Any, y: Any, *, repeats: Any, n_order: int, seed: int) -> float:
    return moment_fidelity(x, y, n_order=n_order, seed=seed)


def _angle(x: Any, y: Any, **options: Any) -> float:
    return float(1 - 2 / np.pi * np.arccos(np.clip(_cosine(x, y, **options), 0, 1)))


COMMON: dict[str, Any] = {
    "identical": "near 1",
    "independent": "0",
    "invariant": ("rotation", "scaling", "shift"),
    "needs": "8 stimuli, some 100 to be precise; repeats (the stimulus of every row), or noise stays in the sizes",
    "least": LEAST,
    "prepare": _signal,
    "rules": {
        "repeats": lambda argument, value: (
            None if value is None else arguments.labels(argument, value)
        ),
        "n_order": functools.partial(arguments.whole, least=1),
        "seed": functools.partial(arguments.whole, least=0, most=2**32 - 1),
    },
    "options": {"repeats": None, "n_order": 12, "seed": 1},
}
MEASURES = {
    "bures-corrected": Measure(
        "bures-corrected",
        "bures of what repeats share: nuclear norms from unbiased moments of the cross-covariance and of both "
        "covariances across repeats, whose squared singular values follow power laws",
        ("pospisil2024", "harvey2024"),
        high=float("inf"),
        compare=pairwise(_cosine),
        **COMMON,
    ),
    "procrustes-corrected": Measure(
        "procrustes-corrected",
        "1 - 2 angle / pi of the angle whose cosine is bures-corrected",
        ("pospisil2024", "williams2021"),
        kind="distance",
        compare=pairwise(_angle),
        **COMMON,
    ),
}
