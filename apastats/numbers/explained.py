"""Explained variance of sets of predictors, from correlations alone: subsets, shares, coordinates of what one adds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = [
    "commonalities",
    "correlation_beyond",
    "part_correlations",
    "subset_r2",
    "subset_weights",
    "unique_coordinates",
]

FLAT = 1e-10  # share of a predictor's variance that is rounding once the others are taken out


def subset_r2(
    among: np.ndarray,
    toward: np.ndarray,
    groups: Sequence[np.ndarray],
    masks: Sequence[Sequence[int]],
) -> np.ndarray:
    """R2 of least squares on subsets of groups of predictors.

    Parameters
    ----------
    among : array, ``[b, k, k]``
        Correlations of the predictors.
    toward : array, ``[b, s, k]``
        Correlations of s targets with them.
    groups : sequence of array of int
        Predictors of every group.
    masks : sequence of sequences of int
        Subsets, as groups in rising order; the empty one has R2 0.

    Returns
    -------
    numpy.ndarray
        ``[b, s, len(masks)]``.

    Notes
    -----
    One walk down the tree of subsets: a predictor that enters adds ``b_k^2 / a_kk`` of what is left, and is swept out
    of all that is left (Gauss and Jordan), so that subsets with the same beginning share the work. A predictor that
    the ones before it determine adds nothing.

    Examples
    --------
    >>> among, toward = np.array([[[1, 0.5], [0.5, 1]]]), np.array([[[0.6, 0.3]]])
    >>> subset_r2(among, toward, [np.array([0]), np.array([1])], [(0,), (0, 1)]).round(3)
    array([[[0.36, 0.36]]])
    """
    out = np.zeros((*toward.shape[:2], len(masks)))
    wanted: dict[tuple[int, ...], list[int]] = {}
    ways: set[tuple[int, ...]] = {()}
    for place, mask in enumerate(masks):
        key = tuple(mask)
        wanted.setdefault(key, []).append(place)
        ways |= {key[:n] for n in range(len(key) + 1)}
    start = np.diagonal(among, axis1=1, axis2=2).copy()

    def walk(key: tuple[int, ...], a: np.ndarray, b: np.ndarray, r2: np.ndarray) -> None:
        for place in wanted.get(key, ()):
            out[:, :, place] = r2
        for group in range(key[-1] + 1 if key else 0, len(groups)):
            longer = (*key, group)
            if longer not in ways:
                continue
            left, up, sum_ = a, b, r2
            for k in groups[group]:
                own = left[:, k, k]
                there = own > FLAT * start[:, k]
                inverse = np.where(there, 1 / np.where(there, own, 1.0), 0.0)
                step = up[:, :, k] * inverse[:, None]
                sum_ = sum_ + step * up[:, :, k]
                column = left[:, :, k]
                up = up - step[:, :, None] * column[:, None]
                left = left - column[:, :, None] * (column * inverse[:, None])[:, None]
            walk(longer, left, up, sum_)

    walk((), among, toward, np.zeros(toward.shape[:2]))
    return out


def commonalities(r2: np.ndarray) -> np.ndarray:
    """What every set of groups explains in common and no other group does.

    Parameters
    ----------
    r2 : array, ``[..., 2^g]``
        R2 of every subset, at the number whose bits are its groups.

    Returns
    -------
    numpy.ndarray
        ``[..., 2^g]``, at the number of the set; that of the empty set is minus R2 of all, so all sum to 0.

    Notes
    -----
    ``C(A) = sum over T in A of (-1)^(|T| + 1) R2(T and all groups not in A)`` (Nimon et al. 2008), a Moebius
    transform of ``R2(all without U)``: g passes over the array in place of 4^g terms.

    Examples
    --------
    >>> commonalities(np.array([0.0, 0.4, 0.3, 0.5])).round(3)
    array([-0.5,  0.2,  0.1,  0.2])
    """
    out = r2[..., ::-1].copy()
    size, step = out.shape[-1], 1
    while step < size:
        pairs = out.reshape(*out.shape[:-1], size // (2 * step), 2, step)
        pairs[..., 1, :] -= pairs[..., 0, :]
        step *= 2
    return -out


def subset_weights(among: np.ndarray, toward: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Standardised least-squares coefficients ``[b, s, m]`` of the targets on some predictors.

    Parameters
    ----------
    among, toward
        As in :func:`subset_r2`.
    members : array of int, ``[m]``
        Predictors that enter; NaN where they are linearly dependent.
    """
    a, b = among[:, members[:, None], members], toward[:, :, members]
    solved = np.full(b.shape, np.nan)
    good = np.isfinite(a).all(axis=(1, 2))
    good[good] = np.linalg.eigvalsh(a[good])[:, 0] >= FLAT
    solved[good] = np.linalg.solve(a[good], b[good].transpose(0, 2, 1)).transpose(0, 2, 1)
    return solved


def part_correlations(among: np.ndarray, toward: np.ndarray, *, partial: bool) -> np.ndarray:
    """Semipartial correlation of every predictor with the targets, all others held constant; or the partial one.

    Parameters
    ----------
    among, toward
        As in :func:`subset_r2`.
    partial : bool
        Whether the others are taken out of the targets too.

    Returns
    -------
    numpy.ndarray
        ``[b, s, k]``, signed; its square is the unique variance where not ``partial``.

    Notes
    -----
    ``b_k / sqrt((R^-1)_kk)`` with R the correlations of the predictors and ``b = R^-1 r``; the partial one sets it
    against what all leave unexplained and itself (Kim 2015).
    """
    good = np.isfinite(among).all(axis=(1, 2))
    good[good] = np.linalg.eigvalsh(among[good])[:, 0] >= FLAT
    singular = ~good
    safe = np.where(singular[:, None, None], np.eye(among.shape[1]), among)
    inverse = np.linalg.inv(safe)
    b = np.matmul(toward, inverse)
    part = b / np.sqrt(np.diagonal(inverse, axis1=1, axis2=2))[:, None]
    if partial:
        unexplained = 1 - np.einsum("bsk,bsk->bs", b, toward)[:, :, None]
        part = part / np.sqrt(np.maximum(unexplained, 0) + part**2)
    return np.where(singular[:, None, None], np.nan, part)


def unique_coordinates(
    among: np.ndarray, toward: np.ndarray, group: np.ndarray, held: np.ndarray
) -> np.ndarray:
    """Coordinates of the targets on what a group of predictors has beyond others.

    Parameters
    ----------
    among : array, ``[k, k]``
    toward : array, ``[s, k]``
    group, held : array of int, ``[d]`` and ``[h]``
        Predictors of the group, and those it is beyond.

    Returns
    -------
    numpy.ndarray
        ``[s, d]``: correlations with d orthogonal directions; the sum of their squares is the unique variance. Of a
        single predictor, its signed semipartial correlation.
    """
    own, up = among[np.ix_(group, group)], toward[:, group]
    if len(held):
        beside = np.linalg.solve(among[np.ix_(held, held)], among[np.ix_(held, group)])
        own = own - among[np.ix_(group, held)] @ beside
        up = up - toward[:, held] @ beside
    return np.asarray(np.linalg.solve(np.linalg.cholesky(own), up.T).T)


def correlation_beyond(
    among: np.ndarray,
    toward: np.ndarray,
    direct: np.ndarray,
    pools: np.ndarray,
    held: np.ndarray,
    *,
    partial: bool,
) -> np.ndarray:
    """Semipartial (or partial) correlation of the targets with one further RDM each, some predictors held constant.

    Parameters
    ----------
    among : array, ``[b, k, k]``
    toward : array, ``[b, s, k]``
    direct : array, ``[b, s]``
        Correlation of every target with its further RDM.
    pools : array, ``[b, s, k]``
        Correlations of these further RDMs with the predictors.
    held : array of int
        Predictors held constant.
    partial : bool
        Whether they are taken out of the targets too.

    Returns
    -------
    numpy.ndarray
        ``[b, s]``.
    """
    if not len(held):
        return direct
    weights = subset_weights(among, pools, held)
    own = 1 - np.einsum("bsk,bsk->bs", weights, pools[:, :, held])
    value = direct - np.einsum("bsk,bsk->bs", weights, toward[:, :, held])
    with np.errstate(invalid="ignore", divide="ignore"):
        value = value / np.sqrt(np.where(own > FLAT, own, np.nan))
        if partial:
            mine = subset_weights(among, toward, held)
            left = 1 - np.einsum("bsk,bsk->bs", mine, toward[:, :, held])
            value = value / np.sqrt(np.where(left > FLAT, left, np.nan))
    return np.asarray(value)
