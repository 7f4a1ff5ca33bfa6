"""Upper triangles of RDMs, from any form an array of them has."""

from __future__ import annotations

import numpy as np

from apastats.errors import DataError, ReadError

__all__ = ["like_similarities", "n_stimulus", "vectors_of", "without_rounding"]

# float32 RDMs of 1 - r carry rounding of a few 1e-7 of their range
ROUNDING = 1e-5
_FEW = 64  # steps of 2^-53 up to which an RDM may be rounding alone
NEGATIVE = 0.02  # share of negative entries from which they are spoken of


def n_stimulus(n_pair: int) -> int:
    """Number of stimuli whose upper triangle has (at most) so many pairs."""
    return round((1 + (1 + 8 * n_pair) ** 0.5) / 2)


def like_similarities(vectors: np.ndarray, measure: str | None) -> list[str]:
    """A note where vectors may hold similarities: a part is negative, and all lie between -1 and 1.

    Distances are never negative unless they are cross-validated, whose names say so.
    """
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or "cross" in (measure or "").lower():
        return []
    if vectors.size and vectors.min() >= -1e-6:  # false where something is missing
        return []
    with np.errstate(invalid="ignore"):
        part = float((vectors < -1e-6).mean()) if vectors.size else 0.0
        inside = bool((np.abs(vectors) <= 1 + 1e-6)[np.isfinite(vectors)].all())
    if part < NEGATIVE or not inside:
        return []
    return [
        f"{part:.0%} of the entries are negative and none is beyond -1 and 1: unless these are cross-validated "
        "distances they are similarities, which have to be turned around (1 - s)"
    ]


def without_rounding(vectors: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Vectors in which an RDM that is rounding alone is 0, and a note of it.

    Distances 1 - r of patterns that are all collinear are whole multiples of 2^-53, and few of them; measured small
    distances (fields in tesla) are not.
    """
    if vectors.ndim != 2 or vectors.dtype != np.float64 or not vectors.size:
        return vectors, []
    small = np.flatnonzero(
        np.fmax.reduce(np.abs(vectors[:, :64]), axis=1, initial=0.0) <= _FEW * 2.0**-53
    )
    rows = [
        k for k in small
        if (v := vectors[k][np.isfinite(vectors[k])] * 2.0**53).any()
        and np.abs(v).max() <= _FEW and (v == np.rint(v)).all()
    ]  # fmt: skip
    if not rows:
        return vectors, []
    made = vectors.copy()
    made[rows] = np.where(np.isnan(made[rows]), np.nan, 0.0)
    largest = np.nanmax(np.abs(vectors[rows[0]]))
    return made, [
        f"{len(rows)} RDMs are rounding alone (first: {rows[0]}, at most {largest:.1g}) and taken as 0"
    ]


def vectors_of(array: np.ndarray, source: str, name: str) -> np.ndarray:
    """Upper triangles ``[n_rdm, n_pair]`` of ``[n, n]``, ``[..., n, n]`` or ``[n_rdm, n_pair]``."""
    if array.dtype.kind not in "fiub":
        raise DataError(f"{source}: {name} has type {array.dtype}; allowed: numbers")
    if array.ndim == 1:
        array = array[None]
    if array.ndim == 2 and array.shape[0] != array.shape[1]:
        return array
    if array.ndim < 2 or array.shape[-1] != array.shape[-2] or array.shape[-1] < 2:
        raise DataError(
            f"{source}: {name} has shape {array.shape}; its last two axes must be square "
            f"(stimulus by stimulus), or the whole [n_rdm, n_pair]"
        )
    stack = array.reshape(-1, *array.shape[-2:])
    for k, matrix in enumerate(stack):
        _check_square(
            matrix, source, f"{name}{list(map(int, np.unravel_index(k, array.shape[:-2])))}"
        )
    i, j = np.triu_indices(array.shape[-1], 1)
    return np.ascontiguousarray(stack[:, i, j])


def _check_square(matrix: np.ndarray, source: str, entry: str) -> None:
    missing = np.isnan(matrix) if matrix.dtype.kind == "f" else np.zeros(matrix.shape, dtype=bool)
    off = ~np.eye(len(matrix), dtype=bool)
    if (missing | ~off).all():
        raise ReadError(source, f"{entry} is NaN everywhere")
    # an RDM that is 0 up to rounding (identical patterns) has no scale of its own
    scale = max(ROUNDING * float(np.nanmax(np.abs(matrix))), 1e-15)
    if (missing != missing.T).any():
        a, b = np.argwhere(missing != missing.T)[0]
        raise ReadError(
            source, f"{entry} is not symmetric: only one of [{a}, {b}] and [{b}, {a}] is NaN"
        )
    with np.errstate(invalid="ignore"):
        gap = np.where(missing, 0.0, np.abs(matrix.astype("f8") - matrix.T))
    if gap.max() > scale:
        a, b = np.unravel_index(gap.argmax(), gap.shape)
        raise ReadError(
            source,
            f"{entry} is not symmetric: [{a}, {b}] is {matrix[a, b]:.6g}, [{b}, {a}] is {matrix[b, a]:.6g}",
        )
    diagonal = np.nan_to_num(np.abs(np.diagonal(matrix)))
    if diagonal.max() > scale:
        k = int(diagonal.argmax())
        raise ReadError(
            source,
            f"{entry} has {matrix[k, k]:.6g} on the diagonal (stimulus {k}); a dissimilarity of a stimulus "
            f"with itself is 0. A similarity matrix must be turned into dissimilarities first",
        )
