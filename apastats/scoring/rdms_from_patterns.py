"""RDMs from response patterns: fast distances here, cross-validated and noise-weighted ones by rsatoolbox."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import choice, items, off_device
from apastats.errors import DataError, DesignError, InputError
from apastats.io.arrays import first_line
from apastats.io.rdm_labels import row_names, text
from apastats.io.rdm_set import RDMSet, joined
from apastats.io.read_patterns import PatternSets
from apastats.memory import reserve
from apastats.numbers.backends import NUMPY, Backend, get_backend
from apastats.numbers.moments import ROUNDING
from apastats.recording import verb
from apastats.scoring.activations import Activations
from apastats.scoring.response_patterns import way_out

__all__ = ["distances", "rdms_from_patterns"]

FAST = ("correlation", "euclidean", "cosine")
ACROSS = "correlation_across"
BY_RSATOOLBOX = ("mahalanobis", "crossnobis", "poisson", "poisson_cv")
CROSSED = ("crossnobis", "poisson_cv", ACROSS)


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
    choice("method", method, FAST)
    xp = backend.xp
    x = backend.array(patterns)
    n = x.shape[1]
    reserve(
        f"{x.shape[0]:,} RDMs of {n:,} stimuli",
        (8.0 * x.shape[0] + 40.0) * n * (n - 1) / 2,
        "fewer stimuli, or fewer data sets at once",
    )
    i, j = np.triu_indices(n, 1)
    out = np.empty((x.shape[0], len(i)), dtype=backend.dtype)
    rounding = max(ROUNDING, 16 * float(np.finfo(backend.dtype).eps))  # of a product of unit rows
    for k in range(x.shape[0]):
        rows = x[k]
        if method == "euclidean":
            # centred first: distances are small differences of large squares otherwise
            rows = rows - xp.mean(rows, axis=0, keepdims=True)
            gram = rows @ rows.T
            square = xp.vecdot(rows, rows)
            full = (square[:, None] + square[None, :] - 2 * gram) / x.shape[2]
            # a difference of squares that is rounding of them
            least = rounding * float(xp.max(square)) / x.shape[2]
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
            full = xp.where(xp.abs(full) <= rounding, xp.zeros_like(full), full)
        square_form = full if backend.name == "numpy" else full.detach().cpu().numpy()
        out[k] = square_form[i, j]
    return out


def _names(patterns: Mapping[Any, Any]) -> tuple[str, ...]:
    """Names of the labels of a brain's data sets."""
    triples = all(isinstance(k, tuple) and len(k) == 3 for k in patterns)
    return ("subject", "roi", "time") if triples else ("subject", "roi")


@verb
def rdms_from_patterns(
    patterns: Any,
    *,
    names: str | Sequence[str] | None = None,
    method: str = "correlation",
    stimuli: Any = None,
    noise: Any = None,
    cv_descriptor: Any = None,
    backend: str = "numpy",
    device: str = "cpu",
    dtype: str = "float64",
) -> RDMSet:
    """RDMs of response patterns or activations.

    Parameters
    ----------
    patterns : mapping or Activations
        From labels to ``[n_stimulus, n_feature]`` arrays (crossnobis: one row per measurement); the
        numbers of features may differ. Data frames name their rows by their index. What
        :func:`apastats.activations` returns is taken as its layers, ``(model, layer)``.
    names : str or sequence of str, optional
        Names of the labels: with ``("subject", "roi")``, the default, the keys are pairs such as
        ``("s1", "V1")``; ``("model", "layer")`` for activations; ``("subject", "roi", "time")`` where all keys are
        triples.
    method : str
        ``correlation, euclidean, cosine`` (fast); ``mahalanobis, crossnobis, poisson, poisson_cv`` by
        rsatoolbox's ``calc_rdm``; ``correlation_across``: ``1 - mean of r(x_i of fold f, x_j of fold g)``
        over all ``f != g``, so that noise which patterns of a run share does not bring them together. Noise
        still shrinks these correlations, by the root of both patterns' reliabilities.
    stimuli : sequence or mapping, optional
        Names of the rows, or a mapping from labels to those of each data set (every subject has its own
        order of trials). For crossnobis they repeat, once per measurement; they are required there.
    noise : array, list or mapping, optional
        Noise precision matrix ``[n_feature, n_feature]`` for mahalanobis and crossnobis. For crossnobis
        also a list of them, one for each fold in the sorted order of the folds: the precision of the mean
        of that fold (see rsatoolbox's ``calc_rdm_crossnobis``). A mapping: from labels to either.
    cv_descriptor : sequence or mapping, optional
        Fold (run) of every row, for crossnobis, poisson_cv and correlation_across, or a mapping from labels to
        those of each data set.
    backend, device, dtype : str
        As in :func:`apastats.rdm_similarity`, for the fast methods.

    Returns
    -------
    RDMSet
        In the order of the first data set's stimuli; others are matched by name, and are NaN for
        stimuli they lack.

    Raises
    ------
    InputError
        Unknown method, labels that do not fit ``names``, ``noise`` or ``cv_descriptor`` where they mean
        nothing or are lacking, names, folds or noise of a wrong size.
    DataError
        Patterns that are not two-dimensional, differ in their numbers of unnamed stimuli, or hold NaN; a
        stimulus that lacks a fold; distances that rsatoolbox cannot compute.
    DesignError
        Cross-validation with one fold.

    See Also
    --------
    activations, read_patterns, rdm_similarity

    References
    ----------
    .. [1] Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A
       toolbox for representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.
       https://doi.org/10.1371/journal.pcbi.1003553
    .. [2] Kriegeskorte, N., Mur, M., & Bandettini, P. (2008). Representational similarity analysis –
       connecting the branches of systems neuroscience. Frontiers in Systems Neuroscience, 2, 4.
       https://doi.org/10.3389/neuro.06.004.2008

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> p = {("s1", "V1"): rng.standard_normal((5, 20)), ("s2", "V1"): rng.standard_normal((5, 30))}
    >>> rdms_from_patterns(p)
    <RDMSet: 2 RDMs of 5 stimuli; subject (2), roi (1)>
    """
    choice("method", method, (*FAST, ACROSS, *BY_RSATOOLBOX))
    if isinstance(patterns, Activations):
        names = ("model", "layer") if names is None else names
        patterns = patterns.patterns()
    elif isinstance(patterns, PatternSets):
        patterns = patterns.frames()
    if not isinstance(patterns, Mapping) or not patterns:
        raise InputError(
            "patterns",
            type(patterns).__name__,
            "a mapping from labels to arrays, not empty, or what apastats.activations returned",
            hint="Of a data set of rsatoolbox: {('sub-01', 'V1'): dataset.measurements}.",
        )
    columns = (names,) if isinstance(names, str) else tuple(names or _names(patterns))
    for argument, value, means in (
        ("noise", noise, method in ("mahalanobis", "crossnobis")),
        ("cv_descriptor", cv_descriptor, method in CROSSED),
    ):
        if value is not None and not means:
            raise InputError(argument, "a value", f"None with method={method!r}")
    engine = get_backend(backend, device, dtype)
    arrays, labels, rows = {}, [], {}
    for key, value in patterns.items():
        parts = key if isinstance(key, tuple) else (key,)
        if len(parts) != len(columns):
            raise InputError("patterns", key, f"keys with one part for each of {list(columns)}")
        labels.append(parts)
        arrays[key] = _checked(value, key)
        rows[key] = _row_names(stimuli, value, key, len(arrays[key]))
    sizes = {len(a) for a in arrays.values()}
    if len(sizes) > 1 and any(r is None for r in rows.values()):
        raise DataError(
            f"patterns have different numbers of stimuli: {sorted(sizes)}; name them by stimuli="
        )
    sets = []
    for (key, array), parts in zip(arrays.items(), labels, strict=True):
        if method in FAST:
            found, order = distances(array[None], method, backend=engine), rows[key]
        else:
            folds = _per_set("cv_descriptor", cv_descriptor, key, len(array))
            found, order = _of_trials(key, array, method, rows[key], folds, _noise_of(noise, key))
        frame = pd.DataFrame([parts], columns=list(columns))
        sets.append(RDMSet(found, frame, tuple(order or ()), method, f"patterns {key!r}"))
    return joined(sets, "patterns")


def _checked(value: Any, key: Any) -> np.ndarray:
    try:
        array = np.asarray(off_device(value))
    except (TypeError, ValueError) as error:
        raise DataError(f"patterns {key!r}: no array of numbers ({error})") from error
    if array.ndim != 2 or array.dtype.kind not in "fiu" or not array.size:
        raise DataError(
            f"patterns {key!r}: shape {array.shape}; allowed: [n_stimulus, n_feature] numbers"
            f"{way_out(array)}"
        )
    if not np.isfinite(array).all():
        raise DataError(
            f"patterns {key!r}: NaN or infinite entries; leave features or stimuli out first"
        )
    return array


def _per_set(argument: str, given: Any, key: Any, n: int) -> list[Any] | None:
    """Values of the rows of one data set, of those of all or of a mapping of each."""
    if given is None:
        return None
    if isinstance(given, Mapping):
        if key not in given:
            raise InputError(
                argument, list(given), f"a mapping with the labels of the patterns, {key!r}"
            )
        given = given[key]
    values = list(items(argument, given, "one value per row of the patterns"))
    what = "names" if argument == "stimuli" else "folds"
    if len(values) != n:
        raise InputError(argument, len(values), f"{n} {what}, one per row of the patterns {key!r}")
    return values


def _row_names(stimuli: Any, value: Any, key: Any, n: int) -> list[str] | None:
    """Names of rows: those given, or the index of a frame that does not only count."""
    named = _per_set("stimuli", stimuli, key, n)
    if named is None and isinstance(value, pd.DataFrame):
        return row_names(value)
    return None if named is None else text(named)


def _noise_of(noise: Any, key: Any) -> Any:
    if not isinstance(noise, Mapping):
        return noise
    if key not in noise:
        raise InputError(
            "noise", list(noise), f"a mapping with the labels of the patterns, {key!r}"
        )
    return noise[key]


def _precisions(noise: Any, key: Any, n_feature: int, n_fold: int) -> Any:
    """A precision matrix, or one per fold, of the size of the patterns."""
    if noise is None:
        return None
    several = isinstance(noise, (list, tuple)) or np.ndim(noise) == 3
    matrices = []
    for matrix in noise if several else [noise]:
        try:
            m = np.asarray(matrix, dtype="f8")
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError("noise", matrix, "a matrix of numbers") from error
        if m.shape != (n_feature, n_feature) or not np.isfinite(m).all():
            raise InputError(
                "noise",
                m.shape,
                f"finite precision matrices [{n_feature}, {n_feature}] for patterns {key!r}",
            )
        matrices.append(m)
    if several and (n_fold == 0 or len(matrices) != n_fold):
        raise InputError(
            "noise",
            f"{len(matrices)} matrices",
            f"one matrix, or {n_fold}, one per fold"
            if n_fold
            else "one matrix with method='mahalanobis'",
        )
    return matrices if several else matrices[0]


def _of_trials(
    key: Any,
    array: np.ndarray,
    method: str,
    stimuli: list[str] | None,
    folds: list[Any] | None,
    noise: Any,
) -> tuple[np.ndarray, list[str] | None]:
    """Vectors ``[1, n_pair]`` by a method of trials, and the order of the stimuli."""
    if method in CROSSED and (stimuli is None or folds is None):
        raise InputError(
            "cv_descriptor", folds, f"with method={method!r}: folds, and stimuli, of every row"
        )
    if method == ACROSS:
        return _across(key, array, stimuli or [], folds or [])
    return _by_rsatoolbox(key, array, method, stimuli, folds, noise)


def _across(
    key: Any, array: np.ndarray, stimuli: list[str], folds: list[Any]
) -> tuple[np.ndarray, list[str]]:
    """Correlation distances of patterns of different folds, ``[1, n_pair]``, and the order of the stimuli."""
    names, runs = list(dict.fromkeys(stimuli)), list(dict.fromkeys(folds))
    _check_folds(key, ACROSS, stimuli, folds)
    z = np.zeros((len(runs), len(names), array.shape[1]))
    for f, run in enumerate(runs):
        for k, name in enumerate(names):
            where = [i for i, v in enumerate(zip(stimuli, folds, strict=True)) if v == (name, run)]
            z[f, k] = array[where].mean(axis=0)
    size = np.abs(z).max(axis=2, keepdims=True)
    z -= z.mean(axis=2, keepdims=True)
    length = np.sqrt((z * z).sum(axis=2, keepdims=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(length > ROUNDING * size * np.sqrt(array.shape[1]), z / length, np.nan)
    # all pairs of folds, less those of a fold with itself
    total = z.sum(axis=0)
    r = (total @ total.T - np.einsum("fip,fjp->ij", z, z)) / (len(runs) * (len(runs) - 1))
    i, j = np.triu_indices(len(names), 1)
    return 1.0 - r[i, j][None], names


def _by_rsatoolbox(
    key: Any,
    array: np.ndarray,
    method: str,
    stimuli: list[str] | None,
    folds: list[Any] | None,
    noise: Any,
) -> tuple[np.ndarray, list[str] | None]:
    """Vectors ``[1, n_pair]`` of one data set and the order of its stimuli."""
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm

    names = stimuli if stimuli is not None else [f"{k:06d}" for k in range(len(array))]
    descriptors: dict[str, Any] = {"stimulus": names}
    options: dict[str, Any] = {}
    n_fold = 0
    if folds is not None:
        n_fold = _check_folds(key, method, names, folds)
        # numbered in their own order, as text: rsatoolbox sorts folds as text and averages numbers
        level = {f: k for k, f in enumerate(_sorted(set(folds)))}
        descriptors["fold"] = [f"{level[f]:06d}" for f in folds]
        options["cv_descriptor"] = "fold"
    if method.startswith("poisson") and (array < 0).any():
        raise DataError(f"patterns {key!r}: negative entries; {method} is for counts and rates")
    precision = _precisions(noise, key, array.shape[1], n_fold)
    if precision is not None:
        options["noise"] = precision
    data = Dataset(np.asarray(array, "f8"), obs_descriptors=descriptors)
    try:
        with warnings.catch_warnings(), np.errstate(invalid="ignore"):
            warnings.filterwarnings("ignore", "invalid value encountered in cast", RuntimeWarning)
            rdm = calc_rdm(data, method=method, descriptor="stimulus", **options)
    except Exception as error:  # what rsatoolbox raises is of many kinds
        first = first_line(error)
        raise DataError(
            f"patterns {key!r}: rsatoolbox cannot compute {method} ({first})"
        ) from error
    order = [str(s) for s in rdm.pattern_descriptors["stimulus"]]
    first_seen = list(dict.fromkeys(names))
    found = RDMSet(rdm.dissimilarities, pd.DataFrame({"rdm": [0]}), tuple(order)).on_stimuli(
        first_seen
    )
    return np.asarray(found.vectors), first_seen if stimuli is not None else None


def _sorted(values: Iterable[Any]) -> list[Any]:
    """Sorted as numbers where they are, as text otherwise."""
    listed = list(values)
    try:
        return sorted(listed)
    except TypeError:
        return sorted(listed, key=str)


def _check_folds(key: Any, method: str, names: Sequence[str], folds: Sequence[Any]) -> int:
    """Number of folds, each of which has to hold every stimulus."""
    runs = list(dict.fromkeys(folds))
    if len(runs) < 2:
        raise DesignError(
            f"patterns {key!r}: one fold ({runs[0]!r}) of cv_descriptor; {method} needs two or more"
        )
    there = set(zip(names, folds, strict=True))
    for name in dict.fromkeys(names):
        for run in runs:
            if (name, run) not in there:
                raise DataError(
                    f"patterns {key!r}: stimulus {name!r} is not in fold {run!r}; {method} needs every stimulus in "
                    f"every fold: leave it, or the fold, out"
                )
    return len(runs)
