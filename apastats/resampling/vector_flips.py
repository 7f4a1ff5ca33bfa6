"""Sign flips of several coordinates of a subject at once: what a group of predictors adds, whatever its direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from apastats.resampling.plans import Plan

__all__ = ["vector_flips"]


def vector_flips(
    cells: Sequence[np.ndarray], plan: Plan, *, two_sided: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Tests that the mean vector of the subjects is 0, single and adjusted over the cells by the maximum.

    Parameters
    ----------
    cells : sequence of array, ``[n, d_j]``
        Coordinates of every subject in each cell, NaN rows for subjects that are missing.
    plan : Plan
        Sign flips of the n subjects; every flip is applied to all cells and coordinates at once.
    two_sided : bool
        Whether a single coordinate (``d = 1``) is tested on both sides; several have no side.

    Returns
    -------
    p_value, p_adjusted : numpy.ndarray, ``[m]``

    Notes
    -----
    ``|sum_s u_s| / sqrt(n sum_s |u_s|^2)`` (signed for one coordinate). A flip leaves the sum of squares as it is, so
    this is the test by the products of different subjects, ``sum over s != t of u_s'u_t``, whose mean is the squared
    length of the mean vector without the part that noise adds to the squares. Exact where a subject's vector and its
    negative are equally likely under the null hypothesis (Winkler et al. 2014; max-T: Westfall and Young 1993).

    Examples
    --------
    >>> from apastats.resampling.relabel import sign_flips
    >>> p, joint = vector_flips([np.array([[0.2], [0.3], [0.1], [0.4]])], sign_flips(4))
    >>> float(p[0]), float(joint[0])
    (0.0625, 0.0625)
    """
    sizes = np.array([c.shape[1] for c in cells])
    known = [np.where(np.isfinite(c).all(axis=1, keepdims=True), c, 0.0) for c in cells]
    scaled = []
    for c in known:
        n = int((c != 0).any(axis=1).sum())
        length = np.sqrt(n * (c**2).sum())
        scaled.append(c / length if length > 0 else c)
    flat, ends = np.concatenate(scaled, axis=1), np.cumsum(sizes)
    starts = ends - sizes
    single = sizes == 1

    def statistics(signs: np.ndarray) -> np.ndarray:
        total = signs @ flat
        out = np.sqrt(np.add.reduceat(total**2, starts, axis=1))
        if not two_sided:
            out[:, single] = total[:, starts[single]]
        return out

    seen = statistics(np.ones((1, len(flat))))[0]
    level = seen - 1e-11 * np.maximum(np.abs(seen), 1e-3)  # equal up to rounding is a tie
    own, joint, rows = np.zeros(len(cells)), np.zeros(len(cells)), 0
    for _, signs in plan.blocks():
        found = statistics(signs)
        own += (found >= level).sum(axis=0)
        joint += (found.max(axis=1)[:, None] >= level).sum(axis=0)
        rows += len(signs)
    # a sampled plan lacks the data themselves, which are one of the flips
    more = 0 if plan.exact else 1
    return (own + more) / (rows + more), (joint + more) / (rows + more)
