"""Measures of Gram matrices: centred kernel alignment, and the Procrustes and Bures family."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from apastats import arguments
from apastats.numbers.backends import NUMPY, Backend
from apastats.numbers.fidelity import Fidelity
from apastats.numbers.grams import (
    debiased_metric,
    debiased_rows,
    gram,
    kernel_rows,
    nuclear,
    rbf,
    roots,
    square_distances,
    triangle_rows,
    unit_rows,
)
from apastats.numbers.tuples import Alignment, biased_shares, unbiased_shares
from apastats.scoring.measures.entry import Measure, stacked

__all__ = ["MEASURES"]

ROTATION = ("rotation", "scaling", "shift")


def _cka(x: np.ndarray, backend: Backend) -> Any:
    # of centred patterns, and so centred
    return unit_rows(triangle_rows(gram(x, backend)[None], backend), None, backend)


def _debiased(x: np.ndarray, backend: Backend) -> Any:
    return unit_rows(debiased_rows(gram(x, backend)[None], None, backend), _metric(len(x)), backend)


@functools.lru_cache(maxsize=4)
def _metric(n: int) -> np.ndarray:
    return debiased_metric(n)


def _rbf(x: np.ndarray, backend: Backend, *, sigma: float) -> Any:
    return unit_rows(
        kernel_rows(rbf(gram(x, backend)[None], sigma, backend), None, backend), None, backend
    )


def _rows(
    predictors: Sequence[Any], targets: Sequence[Any], backend: Backend, **options: Any
) -> np.ndarray:
    x, y = (stacked(side, backend) for side in (predictors, targets))
    return backend.numpy(x @ y.T)


def _unbiased(predictors: Sequence[Any], targets: Sequence[Any], backend: Backend) -> np.ndarray:
    x, y = (stacked(side, backend) for side in (predictors, targets))
    n = round((np.sqrt(8 * x.shape[1] + 17) - 5) / 2)  # n (n - 1) / 2 + 3 n + 1 entries
    return backend.numpy((x * backend.array(_metric(n))) @ y.T)


def _bures(predictors: Sequence[Any], targets: Sequence[Any], backend: Backend) -> np.ndarray:
    return np.array([[nuclear(x, y, backend) for y in targets] for x in predictors])


def _procrustes(predictors: Sequence[Any], targets: Sequence[Any], backend: Backend) -> np.ndarray:
    return angular(_bures(predictors, targets, backend))


def angular(cosine: np.ndarray) -> np.ndarray:
    """``1 - 2 angle / pi`` of cosines of angles between 0 and pi / 2."""
    return np.asarray(1 - 2 / np.pi * np.arccos(np.clip(cosine, 0, 1)))


def _weighted_alignment(
    sets: Sequence[np.ndarray],
    left: np.ndarray,
    right: np.ndarray,
    *,
    shares: Callable[[int], tuple[float, float, float]],
    sigma: float | None = None,
) -> Callable[[np.ndarray], np.ndarray]:
    """Alignments under weights; the width of a Gaussian kernel stays that of all stimuli."""
    kernels = np.stack([np.asarray(gram(x)) for x in sets])
    if sigma is not None:
        kernels = rbf(kernels, sigma)
    return Alignment(square_distances(kernels), left, right, shares(len(sets[0]))).values


def _weighted_fidelity(
    sets: Sequence[np.ndarray], left: np.ndarray, right: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    return Fidelity([np.asarray(roots(x, NUMPY)) for x in sets], left, right).values


def _weighted_angle(
    sets: Sequence[np.ndarray], left: np.ndarray, right: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    cosines = _weighted_fidelity(sets, left, right)
    return lambda weights: angular(cosines(weights))


MEASURES = {
    "cka": Measure(
        "cka",
        "linear centred kernel alignment: the cosine of two centred Gram matrices",
        ("kornblith2019",),
        independent="above 0; near 1 where features outnumber stimuli",
        invariant=ROTATION,
        stimuli="weights",
        prepare=_cka,
        compare=_rows,
        stack=stacked,
        weighted=functools.partial(_weighted_alignment, shares=biased_shares),
    ),
    "cka-debiased": Measure(
        "cka-debiased",
        "the same with the unbiased estimator of HSIC in the numerator and under the root",
        ("song2012", "murphy2024"),
        low=-1,
        invariant=ROTATION,
        stimuli="weights",
        least=4,
        needs="4 stimuli; no score where the unbiased HSIC of a data set with itself is not above 0",
        prepare=_debiased,
        compare=_unbiased,
        stack=stacked,
        weighted=functools.partial(_weighted_alignment, shares=unbiased_shares),
    ),
    "cka-rbf": Measure(
        "cka-rbf",
        "centred kernel alignment of Gaussian kernels, sigma (0.8) times the median distance wide",
        ("kornblith2019",),
        independent="above 0; near 1 where features outnumber stimuli",
        invariant=ROTATION,
        stimuli="weights",
        prepare=_rbf,
        compare=lambda *sides, sigma: _rows(*sides),
        stack=stacked,
        weighted=functools.partial(_weighted_alignment, shares=biased_shares),
        rules={"sigma": functools.partial(arguments.number, above=0)},
        options={"sigma": 0.8},
    ),
    "procrustes": Measure(
        "procrustes",
        "1 - 2 angle / pi of the angular Procrustes distance: the angle between centred patterns of unit size at the "
        "best rotation, arccos of bures",
        ("williams2021",),
        kind="distance",
        independent="above 0; grows with features over stimuli",
        invariant=ROTATION,
        stimuli="weights",
        prepare=roots,
        compare=_procrustes,
        weighted=_weighted_angle,
    ),
    "bures": Measure(
        "bures",
        "normalised Bures similarity: the nuclear norm of X'Y for centred patterns of unit size",
        ("harvey2024",),
        independent="above 0; grows with features over stimuli",
        invariant=ROTATION,
        stimuli="weights",
        prepare=roots,
        compare=_bures,
        weighted=_weighted_fidelity,
    ),
}
