"""All pairs of two stacks of RDMs, by any method, in bounded memory and with missing pairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from apastats.arguments import checked
from apastats.errors import DataError, DegenerateWarning, InputError, warn
from apastats.io.rdm_set import RDMSet, aligned
from apastats.io.rdm_vectors import n_stimulus
from apastats.io.read_rdms import as_rdms
from apastats.memory import reserve
from apastats.numbers.backends import NUMPY, Backend, get_backend
from apastats.resampling.parallel import elsewhere, run_tasks
from apastats.scoring.methods import comparison, parse_method
from apastats.scoring.similarity import features, whitening

__all__ = ["paired_similarity", "rdm_similarity", "similarity_counts"]

BLOCK_BYTES = 2**28
TASKS = 64  # for other processes
MAX_DENSE_PAIRS = 6000


@checked
def rdm_similarity(
    x: Any,
    y: Any,
    *,
    method: str = "corr",
    sigma_k: Any = None,
    batch: int | None = None,
    backend: str = "numpy",
    device: str = "cpu",
    dtype: str = "float64",
) -> np.ndarray:
    """Similarity of every RDM of ``x`` with every RDM of ``y``.

    Parameters
    ----------
    x, y : array, RDMSet or rsatoolbox RDMs
        ``[n_x, n_pair]`` and ``[n_y, n_pair]`` upper triangles (or ``[n, n_stimulus, n_stimulus]``
        squares) over the same stimuli in the same order; of two sets of RDMs the stimuli are matched by
        name (names on one side alone are an error). NaN pairs are left out pairwise: each score uses the
        pairs both RDMs have.
    method : str
        ``cosine, corr, spearman, rho-a, cosine_cov, corr_cov`` (whitened by ``sigma_k``), ``tau-a``,
        ``tau-b`` (also called ``kendall``), ``neg_riem_dist, bures, bures_metric``.
    sigma_k : array, optional
        Covariance of the pattern estimates over stimuli: ``[n]`` variances or ``[n, n]``; identity by
        default. For the whitened methods and ``neg_riem_dist``.
    batch : int, optional
        Rows of ``x`` worked on at once. It bounds the memory and changes the answer by rounding at most.
    backend, device, dtype : str
        ``numpy`` or ``torch``; "cpu" or a torch device; ``float64`` or ``float32``. Methods that are
        no matrix product always run in numpy.

    Returns
    -------
    numpy.ndarray
        ``[n_x, n_y]``, NaN where a score is undefined (a constant RDM, no common pair).

    Raises
    ------
    InputError
        Unknown method, different numbers of pairs, entries that are no finite numbers, bad ``sigma_k``
        or ``batch``.
    DataError
        Sets of RDMs that share too few stimuli.

    Warns
    -----
    DegenerateWarning
        If a score is NaN.

    See Also
    --------
    score, rdms_from_patterns, measure

    Notes
    -----
    Names and definitions are those of ``rsatoolbox.rdm.compare``; a constant RDM gives NaN here and
    0 there, because a correlation with a constant is not defined. The whitened methods use
    ``x' V^-1 y`` for every ``sigma_k``, solved exactly. rsatoolbox solves a full ``sigma_k`` by
    conjugate gradients (relative tolerance 1e-5), and for variances alone centres the second moments
    without weighting them, which is not ``V^-1`` unless all variances are equal.

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
    >>> rdm_similarity([[1.0, 2.0, 3.0]], [[1.0, 3.0, 2.0]], method="spearman").round(3)
    array([[0.5]])
    """
    engine = get_backend(backend, device, dtype)
    x, y = _matched(x, y)
    scores, _ = similarity_counts(x, y, method, sigma_k=sigma_k, batch=batch, backend=engine)
    missing = int(np.isnan(scores).sum())
    if missing:
        warn(
            f"{missing} of {scores.size} scores are NaN: an RDM is constant, or two have no pair in common",
            DegenerateWarning,
        )
    return scores


def similarity_counts(
    x: Any,
    y: Any,
    method: str,
    *,
    sigma_k: Any = None,
    batch: int | None = None,
    x_ranked: bool = False,
    backend: Backend = NUMPY,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores ``[n_x, n_y]`` and the number of pairs each of them uses.

    ``x_ranked``: the rows of x are means of ranks, and rank methods take them as they are.
    """
    method = parse_method(method)
    x, y = _rows(x, "x"), _rows(y, "y")
    if x.shape[1] != y.shape[1]:
        raise InputError("y", y.shape, f"RDMs of {x.shape[1]} pairs, as in x")
    if batch is not None and (
        isinstance(batch, bool) or not isinstance(batch, (int, np.integer)) or batch < 1
    ):
        raise InputError("batch", batch, "a positive whole number, or None")
    n = n_stimulus(x.shape[1])
    if n * (n - 1) // 2 != x.shape[1] and comparison(method).square:
        raise InputError("x", x.shape, f"with method={method!r} n (n - 1) / 2 pairs of n stimuli")
    if sigma_k is not None and not comparison(method).noise:
        raise InputError("sigma_k", "an array", f"None with method={method!r}")
    out = np.full((len(x), len(y)), np.nan)
    count = np.zeros((len(x), len(y)), dtype=np.int64)
    for rows, columns, pairs in _complete_groups(x, y):
        n_pair = x.shape[1] if pairs is None else int(pairs.sum())
        count[np.ix_(rows, columns)] = n_pair
        if n_pair < 2:
            continue
        a, b = x, y
        if len(rows) < len(x):
            a = x[rows]
        if len(columns) < len(y):
            b = y[columns]
        if pairs is not None:
            a, b = a[:, pairs], b[:, pairs]
        what = (b, method, sigma_k, n, pairs, batch, x_ranked, backend)
        size = _at_once(a, method, batch, backend) if elsewhere() else len(a)
        if size < len(a):
            tasks = [(a[k : k + size], *what) for k in range(0, len(a), size)]
            made = [part["block"] for part in run_tasks(_task, tasks, label="scoring")]
            block = np.concatenate(made)
        else:
            block = _complete(a, *what)
        out[np.ix_(rows, columns)] = block
    return out, count


def _task(a: np.ndarray, *what: Any) -> dict[str, np.ndarray]:
    """Some rows, in another process."""
    return {"block": _complete(a, *what)}


def _at_once(a: np.ndarray, method: str, batch: int | None, backend: Backend) -> int:
    """Rows of a task; a matrix product rounds by its size, which stays that of one process."""
    c = comparison(method)
    if c.product:
        return _block_size(a.shape[1], batch, backend)
    if c.noise:  # rsatoolbox's search for a distance rounds by the RDMs it is given together
        return batch or len(a)
    return min(batch or len(a), -(-len(a) // TASKS))


def _block_size(n_pair: int, batch: int | None, backend: Backend) -> int:
    return batch or max(1, BLOCK_BYTES // (np.dtype(backend.dtype).itemsize * n_pair))


def paired_similarity(
    x: np.ndarray, y: np.ndarray, method: str, *, sigma_k: Any = None, x_ranked: bool = False
) -> np.ndarray:
    """Similarity of row k of ``x`` with row k of ``y``, pairwise complete; ``[n]``."""
    method = parse_method(method)
    c = comparison(method)
    if c.product and not (np.isnan(x).any() or np.isnan(y).any()):
        w = whitening(sigma_k, n_stimulus(x.shape[1])) if c.whitened else None
        a = features(x, method, whitener=w, ranked=x_ranked)
        b = features(y, method, whitener=w)
        paired: np.ndarray = np.einsum("ij,ij->i", a, b)
        return paired
    return np.array(
        [
            similarity_counts(a[None], b[None], method, sigma_k=sigma_k, x_ranked=x_ranked)[0][0, 0]
            for a, b in zip(x, y, strict=True)
        ]
    )


def _matched(x: Any, y: Any) -> tuple[Any, Any]:
    """Arrays of both sides; two sets of RDMs are put on the stimuli they share, by name."""
    a, b = _side(x, "x"), _side(y, "y")
    if isinstance(a, RDMSet) and isinstance(b, RDMSet):
        a, b = aligned(a, b)[:2]
    a, b = (v.vectors if isinstance(v, RDMSet) else v for v in (a, b))
    return a, b


def _side(values: Any, argument: str) -> Any:
    """A set where stimuli may have names, an array otherwise."""
    if isinstance(values, RDMSet) or hasattr(values, "dissimilarities"):
        return as_rdms(values, argument)
    return as_rdms(values, argument).vectors if getattr(values, "ndim", 0) == 3 else values


def _rows(values: Any, argument: str) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(argument, "rows of unequal length", "[n_rdm, n_pair]") from error
    if array.dtype.kind not in "fiub":
        raise InputError(argument, array.dtype, "numbers")
    if array.dtype != np.float32:
        array = array.astype("f8", copy=False)
    array = array[None] if array.ndim == 1 else array
    if array.ndim != 2 or not array.size:
        raise InputError(argument, array.shape, "[n_rdm, n_pair], not empty")
    return array


def _complete_groups(
    x: np.ndarray, y: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Rows of x, rows of y and the pairs all of them have; None for all pairs."""
    # a sum is finite exactly where all entries are
    complete = True
    for name, z in (("x", x), ("y", y)):
        odd = ~np.isfinite(z.sum(axis=1))
        complete &= not odd.any()
        if odd.any() and np.isinf(z[odd]).any():
            raise InputError(name, "infinite entries", "finite numbers, or NaN for a missing pair")
    if complete:
        yield np.arange(len(x)), np.arange(len(y)), None
        return
    sides = []
    for z in (x, y):
        masks: dict[bytes, list[int]] = {}
        for i, row in enumerate(z):
            masks.setdefault(np.packbits(~np.isnan(row)).tobytes(), []).append(i)
        sides.append([(np.array(members), ~np.isnan(z[members[0]])) for members in masks.values()])
    for rows, has_x in sides[0]:
        for columns, has_y in sides[1]:
            yield rows, columns, has_x & has_y


def _complete(
    x: np.ndarray,
    y: np.ndarray,
    method: str,
    sigma_k: Any,
    n: int,
    pairs: np.ndarray | None,
    batch: int | None,
    x_ranked: bool,
    backend: Backend,
) -> np.ndarray:
    """Scores of RDMs without missing pairs; ``pairs`` says which of the n stimuli's pairs they are."""
    c = comparison(method)
    if c.score is None:
        if c.whitened:
            stimuli = None if pairs is None else _whole_stimuli(pairs, n)
            if pairs is not None and stimuli is None:
                return _dense_whitened(x, y, method, sigma_k, n, pairs)
            kept = np.arange(n) if stimuli is None else stimuli
            w = whitening(_subset(sigma_k, kept, n), len(kept))
        else:
            w = None
        return _products(x, y, method, w, batch, x_ranked, backend)
    if not c.square:
        return c.score(x, y, None, batch)
    stimuli = np.arange(n) if pairs is None else _whole_stimuli(pairs, n)
    if stimuli is None:
        raise DataError(f"method {method!r}: single pairs are missing; only whole stimuli may be")
    return c.score(x, y, _subset(sigma_k, stimuli, n), batch)


def _products(
    x: np.ndarray,
    y: np.ndarray,
    method: str,
    w: np.ndarray | None,
    batch: int | None,
    x_ranked: bool,
    backend: Backend,
) -> np.ndarray:
    """One matrix product per block of rows of x, against the features of y."""
    right = features(y, method, whitener=w, backend=backend).T
    size = _block_size(x.shape[1], batch, backend)
    if size >= len(x):
        return backend.numpy(
            features(x, method, whitener=w, ranked=x_ranked, backend=backend) @ right
        )
    reserve(
        f"similarities of {len(x):,} x {len(y):,} RDMs", 8.0 * len(x) * len(y), "fewer RDMs at once"
    )
    out = np.empty((len(x), len(y)))
    plain = backend.name == "numpy" and comparison(method).plain
    buffer = np.empty((size, x.shape[1]), dtype=backend.dtype) if plain else None
    for start in range(0, len(x), size):
        rows = x[start : start + size]
        part = features(
            rows,
            method,
            whitener=w,
            ranked=x_ranked,
            backend=backend,
            out=None if buffer is None else buffer[: len(rows)],
        )
        out[start : start + size] = backend.numpy(part @ right)
    return out


def _subset(sigma_k: Any, stimuli: np.ndarray, n: int) -> Any:
    if sigma_k is None or len(stimuli) == n:
        return sigma_k
    sigma = np.asarray(sigma_k, dtype="f8")
    if sigma.shape not in ((n,), (n, n)):
        raise InputError("sigma_k", sigma.shape, f"shape ({n},) or ({n}, {n}): one per stimulus")
    return sigma[stimuli] if sigma.ndim == 1 else sigma[np.ix_(stimuli, stimuli)]


def _whole_stimuli(pairs: np.ndarray, n: int) -> np.ndarray | None:
    """Stimuli whose pairs these are, or None if they are not all pairs of some stimuli."""
    i, j = np.triu_indices(n, 1)
    found = np.unique(np.concatenate([i[pairs], j[pairs]]))
    return found if len(found) * (len(found) - 1) // 2 == int(pairs.sum()) else None


def _dense_whitened(
    x: np.ndarray, y: np.ndarray, method: str, sigma_k: Any, n: int, pairs: np.ndarray
) -> np.ndarray:
    """Whitened similarity where single pairs are missing: V restricted to the pairs there are."""
    if pairs.sum() > MAX_DENSE_PAIRS:
        raise DataError(
            f"method {method!r}: single pairs are missing from RDMs of {int(pairs.sum())} pairs; that needs a dense "
            f"covariance and is allowed up to {MAX_DENSE_PAIRS}. Remove whole stimuli instead"
        )
    from scipy.linalg import cholesky, solve_triangular

    whitening(sigma_k, n)  # checks the argument
    sigma = np.eye(n) if sigma_k is None else np.asarray(sigma_k, dtype="f8")
    sigma = np.diag(sigma) if sigma.ndim == 1 else sigma
    i, j = (k[pairs] for k in np.triu_indices(n, 1))
    xi = sigma[np.ix_(i, i)] - sigma[np.ix_(i, j)] - sigma[np.ix_(j, i)] + sigma[np.ix_(j, j)]
    root = cholesky(xi * xi, lower=True)
    sides = []
    for z in (np.asarray(x, "f8"), np.asarray(y, "f8")):
        if comparison(method).centred:
            z = z - z.mean(axis=1, keepdims=True)
        f = solve_triangular(root, z.T, lower=True).T
        size = np.sqrt(np.einsum("ij,ij->i", f, f))[:, None]
        sides.append(f / np.where(size > 1e-12 * np.abs(z).max(), size, np.nan))
    dense: np.ndarray = sides[0] @ sides[1].T
    return dense
