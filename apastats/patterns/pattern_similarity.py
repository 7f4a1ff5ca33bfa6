"""Similarity of patterns: every row of one stack with every row of another, entries missing in either left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from apastats.arguments import array, checked, choice
from apastats.calls import not_among
from apastats.errors import InputError
from apastats.numbers.ranks import midranks

__all__ = [
    "SIMILARITIES",
    "Prepared",
    "Similarity",
    "check_similarity",
    "fisher_z",
    "inner_products",
    "pattern_covariance",
    "pattern_similarity",
    "prepare",
    "similarity_of_products",
    "unit_patterns",
]

MIN_ENTRIES = 3  # fewer shared entries give NaN
_FLAT = 1e-12  # a spread below this share of the size of the entries is rounding


def check_similarity(similarity: str) -> str:
    """Return ``similarity`` if it is known; InputError otherwise."""
    return choice("similarity", similarity, tuple(SIMILARITIES))


@checked
def pattern_similarity(x: np.ndarray, y: np.ndarray, similarity: str = "pearson") -> np.ndarray:
    """Similarity of every pattern in ``x`` with every pattern in ``y``.

    Parameters
    ----------
    x : numpy.ndarray, shape (..., n_x, n_entry)
        Patterns; NaN where there is no score.
    y : numpy.ndarray, shape (..., n_y, n_entry)
        Reference patterns; leading axes broadcast with those of ``x``.
    similarity : {"pearson", "spearman", "cosine", "concordance", "nrmse"}
        ``concordance`` is Lin's coefficient; ``nrmse`` is one minus the root mean squared difference
        over the standard deviation of the reference.

    Returns
    -------
    numpy.ndarray, shape (..., n_x, n_y)
        Each from the entries both patterns have; NaN where these are fewer than three, or where a
        pattern is constant over them.

    See Also
    --------
    pattern_agreement, matrix_agreement

    Notes
    -----
    Pearson ``s_xy / (s_x s_y)``; Spearman the same on midranks over the shared entries; cosine
    ``sum xy / sqrt(sum x^2 sum y^2)``; concordance ``2 s_xy / (s_x^2 + s_y^2 + (m_x - m_y)^2)`` with
    divisor n (Lin 1989, Biometrics 45:255); nrmse ``1 - sqrt(mean (x - y)^2) / s_y``.

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d

    Examples
    --------
    >>> x = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    >>> pattern_similarity(x, x[:1], "pearson").round(3)
    array([[ 1.],
           [-1.]])
    """
    check_similarity(similarity)
    x, y = _patterns("x", x), _patterns("y", y)
    leading = [
        a != b and 1 not in (a, b) for a, b in zip(x.shape[-3::-1], y.shape[-3::-1], strict=False)
    ]
    if x.shape[-1] != y.shape[-1] or any(leading):
        shapes = f"patterns of shapes {x.shape} and {y.shape}"
        raise InputError("y", shapes, "as many entries as x, and leading axes that broadcast")
    known_x, known_y = np.isfinite(x), np.isfinite(y)
    with np.errstate(invalid="ignore", divide="ignore"):
        special = SIMILARITIES[similarity].values
        if special is not None:
            return special(x, y, known_x, known_y)
        return _from_moments(x, y, known_x, known_y, SIMILARITIES[similarity].formula)


def fisher_z(values: np.ndarray) -> np.ndarray:
    """``artanh``; values of 1 up to rounding give the finite ``artanh(1 - 1e-12)``."""
    out: np.ndarray = np.arctanh(np.clip(values, -1 + 1e-12, 1 - 1e-12))
    return out


def unit_patterns(x: np.ndarray, similarity: str) -> np.ndarray:
    """Patterns whose inner products are the similarities (complete rows; for a similarity that has such)."""
    unit = SIMILARITIES[similarity].unit
    if unit is None:
        raise not_among("similarity", similarity, inner_products())
    with np.errstate(invalid="ignore", divide="ignore"):
        return unit(x)


def _patterns(argument: str, value: Any) -> np.ndarray:
    allowed = "an array of patterns [..., n, n_entry]"
    out = array(argument, value, allowed=allowed)
    if out.ndim < 2:
        raise InputError(argument, f"an array of shape {out.shape}", allowed)
    return out


@dataclass(frozen=True, eq=False)
class Prepared:
    """Complete patterns of which only inner products remain to be formed.

    Attributes
    ----------
    rows : numpy.ndarray, shape (..., n_entry)
        Unit patterns; centred patterns for concordance and nrmse.
    level, variance : numpy.ndarray, shape (...)
        Mean and variance (divisor n) of the patterns; NaN variance where they are constant. They do not
        change when entries are permuted.
    """

    rows: np.ndarray
    level: np.ndarray
    variance: np.ndarray

    def __getitem__(self, index: Any) -> Prepared:
        """Some of the patterns."""
        return Prepared(self.rows[index], self.level[index], self.variance[index])


def prepare(x: np.ndarray, similarity: str) -> Prepared:
    """Bring complete patterns into the form in which :func:`similarity_of_products` takes them."""
    level = x.mean(axis=-1)
    if SIMILARITIES[similarity].unit is not None:
        return Prepared(unit_patterns(x, similarity), level, np.ones_like(level))
    rows = x - level[..., None]
    variance = (rows * rows).mean(axis=-1)
    flat = ~(variance > _FLAT**2 * (x * x).mean(axis=-1))
    return Prepared(rows, level, np.where(flat, np.nan, variance))


def similarity_of_products(
    products: np.ndarray, x: Prepared, y: Prepared, similarity: str
) -> np.ndarray:
    """Similarity of patterns from the inner products of their prepared rows.

    Parameters
    ----------
    products : numpy.ndarray
        ``x.rows . y.rows``, in any arrangement with which level and variance of x and y broadcast.
    x, y : Prepared
        Candidates and references.
    similarity : str

    Returns
    -------
    numpy.ndarray
        As :func:`pattern_similarity`, whose formulas depend on the entries' order through the product alone.
    """
    entry = SIMILARITIES[similarity]
    if entry.unit is not None:
        return products
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = products * (1 / x.rows.shape[-1])
        return entry.formula(covariance, x.variance, y.variance, x.level - y.level)


def _swap(a: np.ndarray) -> np.ndarray:
    return np.swapaxes(a, -1, -2)


def _unit(x: np.ndarray) -> np.ndarray:
    """Centred rows of length one; NaN for constant rows."""
    centred = x - x.mean(axis=-1, keepdims=True)
    length = np.sqrt((centred * centred).sum(axis=-1, keepdims=True))
    size = np.sqrt((x * x).sum(axis=-1, keepdims=True))
    out: np.ndarray = centred / np.where(length > _FLAT * size, length, np.nan)
    return out


def _pearson_complete(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if x.shape[-1] < MIN_ENTRIES:
        shape = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        return np.full((*shape, x.shape[-2], y.shape[-2]), np.nan)
    return np.clip(_unit(x) @ _swap(_unit(y)), -1.0, 1.0)


def _centre(x: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows less their own mean with 0 where missing, and the means: no digits cancel later."""
    n = known.sum(axis=-1, keepdims=True)
    mean = np.where(known, x, 0.0).sum(axis=-1, keepdims=True) / np.maximum(n, 1)
    return np.where(known, x - mean, 0.0), mean


def _from_moments(
    x: np.ndarray, y: np.ndarray, known_x: np.ndarray, known_y: np.ndarray, formula: Formula
) -> np.ndarray:
    """A formula of moments from pairwise sums, which are six matrix products."""
    # entries shared by a pair are where both masks are 1: a sum over them is a product of values (0 where missing) with
    # the other side's mask. var = E a^2 - (E a)^2 loses digits where the mean is large, so rows are centred on their
    # own mean first; what is left of it among the shared entries is small, and moments do not mind the shift
    a, mean_a = _centre(x, known_x)
    b, mean_b = _centre(y, known_y)
    ka, kb = known_x.astype(np.float64), _swap(known_y.astype(np.float64))
    b = _swap(b)
    n = ka @ kb
    size = np.where(n >= MIN_ENTRIES, n, np.nan)
    ma, mb = (a @ kb) / size, (ka @ b) / size
    raw_a, raw_b = ((a * a) @ kb) / size, (ka @ (b * b)) / size
    var_a, var_b = raw_a - ma * ma, raw_b - mb * mb
    # constant up to rounding, measured by the size of the entries before centring: no variance, so no similarity
    scale_a = _FLAT**2 * (raw_a + mean_a * mean_a) + 1e-14 * raw_a
    scale_b = _FLAT**2 * (raw_b + _swap(mean_b * mean_b)) + 1e-14 * raw_b
    var_a, var_b = (
        np.where(var_a > scale_a, var_a, np.nan),
        np.where(var_b > scale_b, var_b, np.nan),
    )
    cov = (a @ b) / size - ma * mb
    return formula(cov, var_a, var_b, (ma + mean_a) - (mb + _swap(mean_b)))


def pattern_covariance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Covariance (divisor n) of every row of ``x`` with every row of ``y``, over the entries both have."""
    known_x, known_y = np.isfinite(x), np.isfinite(y)
    a, _ = _centre(x, known_x)
    b, _ = _centre(y, known_y)
    ka, kb, b = known_x.astype(np.float64), _swap(known_y.astype(np.float64)), _swap(b)
    n = ka @ kb
    size = np.where(n >= MIN_ENTRIES, n, np.nan)
    out: np.ndarray = (a @ b) / size - (a @ kb) / size * ((ka @ b) / size)
    return out


def _cosine(x: np.ndarray, y: np.ndarray, known_x: np.ndarray, known_y: np.ndarray) -> np.ndarray:
    a, b = np.where(known_x, x, 0.0), _swap(np.where(known_y, y, 0.0))
    ka, kb = known_x.astype(np.float64), _swap(known_y.astype(np.float64))
    n = ka @ kb
    norm = np.sqrt(((a * a) @ kb) * (ka @ (b * b)))
    return np.where((n >= MIN_ENTRIES) & (norm > 0), np.clip((a @ b) / norm, -1.0, 1.0), np.nan)


def _pair_ranks(x: np.ndarray, known_x: np.ndarray, known_y: np.ndarray) -> np.ndarray:
    """Midranks of each row of ``x`` among the entries shared with each row of y, ``[..., n_x, n_y, entry]``."""
    # the rank of entry i is 1/2 + the number of entries below it + half of those equal to it, itself too; summing
    # over the entries of each mask is one product, where ranking anew for every pair would be n_x n_y sorts
    above = (x[..., :, None] > x[..., None, :]) + 0.5 * (x[..., :, None] == x[..., None, :])
    above = above * known_x[..., None, :]
    mask = _swap(known_y.astype(np.float64))[..., None, :, :]
    return _swap(above @ mask) + 0.5


def _pearson(x: np.ndarray, y: np.ndarray, known_x: np.ndarray, known_y: np.ndarray) -> np.ndarray:
    if known_x.all() and known_y.all():
        return _pearson_complete(x, y)
    return _from_moments(x, y, known_x, known_y, _correlation)


def _spearman(x: np.ndarray, y: np.ndarray, known_x: np.ndarray, known_y: np.ndarray) -> np.ndarray:
    if known_x.all() and known_y.all():
        return _pearson_complete(midranks(x, axis=-1), midranks(y, axis=-1))
    # ranks change with the entries a pair shares, so they cannot be moments of the rows: one array per pair
    both = known_x[..., :, None, :] & known_y[..., None, :, :]
    ranks_x = _pair_ranks(x, known_x, known_y)
    ranks_y = np.swapaxes(_pair_ranks(y, known_y, known_x), -2, -3)
    n = both.sum(-1)
    centre = (n[..., None] + 1) / 2
    a = np.where(both, ranks_x - centre, 0.0)
    b = np.where(both, ranks_y - centre, 0.0)
    norm = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    r = np.clip((a * b).sum(-1) / norm, -1.0, 1.0)
    return np.where((n >= MIN_ENTRIES) & (norm > 0), r, np.nan)


def _unit_norm(x: np.ndarray) -> np.ndarray:
    """Rows of length one; NaN for rows of zeros."""
    norm = np.sqrt((x * x).sum(axis=-1, keepdims=True))
    return np.where(norm > 0, x / norm, np.nan)


# formulas of covariance, variances (divisor n) of candidate and reference, and the difference of their means
Formula = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _correlation(
    cov: np.ndarray, var_x: np.ndarray, var_y: np.ndarray, shift: np.ndarray
) -> np.ndarray:
    return np.clip(cov / np.sqrt(var_x * var_y), -1.0, 1.0)


def _concordance(
    cov: np.ndarray, var_x: np.ndarray, var_y: np.ndarray, shift: np.ndarray
) -> np.ndarray:
    # Lin (1989): 1 less the mean squared difference over what it would be were x and y uncorrelated
    return np.asarray(2 * cov / (var_x + var_y + shift * shift))


def _nrmse(cov: np.ndarray, var_x: np.ndarray, var_y: np.ndarray, shift: np.ndarray) -> np.ndarray:
    # E (x - y)^2 = var x + var y - 2 cov + (mean x - mean y)^2; rounding alone can make it negative
    squares = np.maximum(var_x + var_y + shift * shift - 2 * cov, 0.0)
    return np.asarray(1 - np.sqrt(squares / var_y))


@dataclass(frozen=True)
class Similarity:
    """One similarity of patterns.

    Attributes
    ----------
    formula : callable
        ``(covariance, variance of x, variance of y, mean of x - mean of y) -> similarity``.
    unit : callable or None
        Complete rows -> rows whose inner product is the similarity; None where the formula is applied to the inner
        products of centred rows.
    values : callable or None
        ``(x, y, known_x, known_y) -> [..., n_x, n_y]`` where the formula on pairwise sums would not do (ranks change
        with the entries two patterns share) or would lose digits.
    linear : bool
        Whether it is linear in the inner product, so that means over subjects can be taken before permuting.
    fisher : bool
        Whether it is a correlation, of which Fisher's z is taken.
    """

    formula: Formula
    unit: Callable[[np.ndarray], np.ndarray] | None = None
    values: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray] | None = None
    linear: bool = True
    fisher: bool = True


SIMILARITIES: dict[str, Similarity] = {
    "pearson": Similarity(_correlation, _unit, _pearson),
    "spearman": Similarity(_correlation, lambda x: _unit(midranks(x, axis=-1)), _spearman),
    "cosine": Similarity(_correlation, _unit_norm, _cosine),
    "concordance": Similarity(_concordance),
    "nrmse": Similarity(_nrmse, linear=False, fisher=False),
}


def inner_products() -> list[str]:
    """Similarities that are the inner product of two unit patterns."""
    return [name for name, entry in SIMILARITIES.items() if entry.unit is not None]
