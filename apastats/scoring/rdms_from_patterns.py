"""RDMs from response patterns: fast distances here, cross-validated and noise-weighted ones by rsatoolbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import DataError, InputError
from apastats.io.rdm_set import RDMSet
from apastats.numbers.backends import NUMPY, Backend, get_backend
from apastats.numbers.moments import ROUNDING

__all__ = ["distances", "rdms_from_patterns"]

FAST = ("correlation", "euclidean", "cosine")
BY_RSATOOLBOX = ("mahalanobis", "crossnobis", "poisson", "poisson_cv")


def distances(
    patterns: Any, method: str = "correlation", *, backend: Backend = NUMPY
) -> np.ndarray:
    """Upper triangles of the distances between patterns, for a stack of data sets.

    Parameters
    ----------
    patterns : array
        ``[n_set, n_stimulus, n_feature]``, no NaN.
    method : {"correlation", "euclidean", "cosine"}
        1 - Pearson r over features; squared Euclidean distance divided by the number of features (as
        in rsatoolbox); 1 - cosine.
    backend : Backend

    Returns
    -------
    numpy.ndarray
        ``[n_set, n_pair]`` in the precision of the backend; NaN where a pattern is constant
        (correlation) or zero (cosine), 0 where patterns are the same up to rounding.

    Examples
    --------
    >>> distances([[[0.0, 2.0], [0.0, 0.0], [2.0, 2.0]]], "euclidean")
    array([[2., 2., 4.]])
    """
    if method not in FAST:
        raise InputError("method", method, f"one of {list(FAST)}")
    xp = backend.xp
    x = backend.array(patterns)
    n = x.shape[1]
    i, j = np.triu_indices(n, 1)
    out = np.empty((x.shape[0], len(i)), dtype=backend.dtype)
    for k in range(x.shape[0]):
        rows = x[k]
        if method == "euclidean":
            # centred first: distances are small differences of large squares otherwise
            rows = rows - xp.mean(rows, axis=0, keepdims=True)
            gram = rows @ rows.T
            square = xp.vecdot(rows, rows)
            full = (square[:, None] + square[None, :] - 2 * gram) / x.shape[2]
            # a difference of squares that is rounding of them
            least = ROUNDING * float(xp.max(square)) / x.shape[2]
            full = xp.where(full > least, full, xp.zeros_like(full))
        else:
            mean = xp.mean(rows, axis=1, keepdims=True)
            if method == "correlation":
                rows = rows - mean
            size = xp.sqrt(xp.vecdot(rows, rows))
            limit = 4 * float(np.finfo(backend.dtype).eps) * float(np.sqrt(x.shape[2]))
            empty = size <= limit * xp.abs(mean[:, 0]) if method == "correlation" else size == 0
            nan = xp.asarray(float("nan"), dtype=x.dtype, device=backend.device)
            rows = rows / xp.where(empty, nan, size)[:, None]
            full = 1 - rows @ rows.T
            full = xp.where(xp.abs(full) <= ROUNDING, xp.zeros_like(full), full)
        square_form = full if backend.name == "numpy" else full.detach().cpu().numpy()
        out[k] = square_form[i, j]
    return out


def rdms_from_patterns(
    patterns: Mapping[Any, Any],
    *,
    names: str | Sequence[str] = ("subject", "roi"),
    method: str = "correlation",
    stimuli: Sequence[Any] | None = None,
    noise: Any = None,
    cv_descriptor: Sequence[Any] | None = None,
    backend: str = "numpy",
    device: str = "cpu",
    dtype: str = "float64",
) -> RDMSet:
    """RDMs of response patterns or activations.

    Parameters
    ----------
    patterns : mapping
        From labels to ``[n_stimulus, n_feature]`` arrays (crossnobis: one row per measurement); the
        numbers of features may differ.
    names : str or sequence of str
        Names of the labels: with ``("subject", "roi")`` the keys are pairs such as ``("s1", "V1")``.
    method : str
        ``correlation, euclidean, cosine`` (fast); ``mahalanobis, crossnobis, poisson, poisson_cv`` by
        rsatoolbox's ``calc_rdm``.
    stimuli : sequence, optional
        Names of the rows. For crossnobis they repeat, once per measurement; they are required there.
    noise : array or mapping, optional
        Noise precision matrix over features for mahalanobis and crossnobis, or one per label.
    cv_descriptor : sequence, optional
        Fold (run) of every row, for crossnobis and poisson_cv.
    backend, device, dtype : str
        As in :func:`apastats.rdm_similarity`, for the fast methods.

    Returns
    -------
    RDMSet

    Raises
    ------
    InputError
        Unknown method, labels that do not fit ``names``, ``noise`` or ``cv_descriptor`` where they mean
        nothing or are lacking.
    DataError
        Patterns that are not two-dimensional, differ in their numbers of stimuli, or hold NaN.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> p = {("s1", "V1"): rng.standard_normal((5, 20)), ("s2", "V1"): rng.standard_normal((5, 30))}
    >>> rdms_from_patterns(p)
    <RDMSet: 2 RDMs of 5 stimuli; subject (2), roi (1)>
    """
    if method not in (*FAST, *BY_RSATOOLBOX):
        raise InputError("method", method, f"one of {[*FAST, *BY_RSATOOLBOX]}")
    if not isinstance(patterns, Mapping) or not patterns:
        raise InputError(
            "patterns", type(patterns).__name__, "a mapping from labels to arrays, not empty"
        )
    columns = (names,) if isinstance(names, str) else tuple(names)
    labels = []
    arrays: dict[Any, np.ndarray] = {}
    for key, value in patterns.items():
        parts = key if isinstance(key, tuple) else (key,)
        if len(parts) != len(columns):
            raise InputError("patterns", key, f"keys with one part for each of {list(columns)}")
        array = np.asarray(value)
        if array.ndim != 2 or array.dtype.kind not in "fiu":
            raise DataError(
                f"patterns {key!r}: shape {array.shape}; allowed: [n_stimulus, n_feature] numbers"
            )
        if not np.isfinite(array).all():
            raise DataError(
                f"patterns {key!r}: NaN or infinite entries; leave features or stimuli out first"
            )
        labels.append(parts)
        arrays[key] = array
    rows = {a.shape[0] for a in arrays.values()}
    if len(rows) > 1:
        raise DataError(f"patterns have different numbers of stimuli: {sorted(rows)}")
    if stimuli is not None and len(stimuli) != next(iter(rows)):
        raise InputError(
            "stimuli", len(stimuli), f"{next(iter(rows))} names, one per row of the patterns"
        )
    frame = pd.DataFrame(labels, columns=list(columns))
    if method in FAST:
        for argument, value in (("noise", noise), ("cv_descriptor", cv_descriptor)):
            if value is not None:
                raise InputError(argument, "a value", f"None with method={method!r}")
        engine = get_backend(backend, device, dtype)
        vectors = np.concatenate(
            [distances(a[None], method, backend=engine) for a in arrays.values()]
        )
        return RDMSet(vectors, frame, () if stimuli is None else tuple(map(str, stimuli)), method)
    return _by_rsatoolbox(arrays, frame, method, stimuli, noise, cv_descriptor)


def _by_rsatoolbox(
    arrays: Mapping[Any, np.ndarray],
    labels: pd.DataFrame,
    method: str,
    stimuli: Sequence[Any] | None,
    noise: Any,
    cv_descriptor: Sequence[Any] | None,
) -> RDMSet:
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm

    crossed = method in ("crossnobis", "poisson_cv")
    if crossed and (stimuli is None or cv_descriptor is None):
        raise InputError(
            "cv_descriptor",
            cv_descriptor,
            f"with method={method!r}: folds, and stimuli, of every row",
        )
    if not crossed and cv_descriptor is not None:
        raise InputError("cv_descriptor", "a value", f"None with method={method!r}")
    if noise is not None and method.startswith("poisson"):
        raise InputError("noise", "a value", f"None with method={method!r}")
    vectors, found = [], None
    for key, array in arrays.items():
        n = len(array)
        names = list(map(str, stimuli)) if stimuli is not None else [f"{k:06d}" for k in range(n)]
        descriptors: dict[str, Any] = {"stimulus": names}
        if cv_descriptor is not None:
            if len(cv_descriptor) != n:
                raise InputError("cv_descriptor", len(cv_descriptor), f"{n} folds, one per row")
            # as text: rsatoolbox averages numeric descriptors, and casts NaN to integers for that
            descriptors["fold"] = list(map(str, cv_descriptor))
        options: dict[str, Any] = {"cv_descriptor": "fold"} if crossed else {}
        if method in ("mahalanobis", "crossnobis") and noise is not None:
            options["noise"] = noise[key] if isinstance(noise, Mapping) else np.asarray(noise)
        data = Dataset(np.asarray(array, "f8"), obs_descriptors=descriptors)
        rdm = calc_rdm(data, method=method, descriptor="stimulus", **options)
        order = [str(s) for s in rdm.pattern_descriptors["stimulus"]]
        if found is not None and order != found:
            raise DataError(f"patterns {key!r}: other stimuli than the first data set")
        found = order
        vectors.append(rdm.dissimilarities[0])
    stack = RDMSet(np.stack(vectors), labels, tuple(found or ()), method)
    if stimuli is None:
        return RDMSet(stack.vectors, labels, (), method)
    return stack.on_stimuli(list(dict.fromkeys(map(str, stimuli))))
