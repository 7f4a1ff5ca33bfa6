"""Hyperalignment: people's vertices turned into shared dimensions, fitted on the train stimuli alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from apastats.arguments import checked, whole
from apastats.errors import DataError, DesignError, InputError
from apastats.scoring.response_patterns import checked_patterns, rows_by_name

__all__ = ["hyperalign"]

Pair = tuple[np.ndarray, np.ndarray]


@checked
def hyperalign(
    brain: Mapping[tuple[str, str], Any], *, n_component: int | None = None, n_iteration: int = 10
) -> dict[tuple[str, str], Pair]:
    """Turn the responses of every person into dimensions that people share.

    Parameters
    ----------
    brain : mapping
        From ``(subject, roi)`` to ``(train, test)``, each ``[n_stimulus, n_vertex]``; people may have different
        vertices, but see the same train stimuli in the same order.
    n_component : int, optional
        Shared dimensions; by default as many as every person of the region can give: the smallest number of vertices,
        and less than the number of train stimuli.
    n_iteration : int
        Rounds of fitting.

    Returns
    -------
    dict
        ``(subject, roi)`` to ``(train, test)``, each ``[n_stimulus, n_component]``, for :func:`score_patterns` and
        :func:`linear_predictivity`.

    Raises
    ------
    InputError
        If the sets are no pairs, or ``n_component`` is more than a person can give.
    DataError
        If a set holds NaN, or people saw different numbers of train stimuli.
    DesignError
        If a region has one person only.

    See Also
    --------
    linear_predictivity, measure

    Notes
    -----
    The deterministic shared response model (Chen et al. 2015), which for equal numbers of vertices and components is
    the Procrustes hyperalignment of Haxby et al. (2011): orthonormal maps ``W_s`` and a shared response ``S`` that
    minimise ``sum_s |X_s - S W_s'|^2`` over the train stimuli, in turn ``W_s = U V'`` of the singular vectors of
    ``X_s' S`` and ``S = mean_s X_s W_s``. Columns are centred by their train means. Test stimuli are mapped,
    never fitted; all people of a region share the fit, so rows of people who predict people are no longer
    independent of each other.

    References
    ----------
    .. [1] Williams, A. H., Kunz, E., Kornblith, S., & Linderman, S. W. (2021). Generalized shape metrics on
       neural representations. Advances in Neural Information Processing Systems 34.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.standard_normal((30, 4))
    >>> turn = lambda n: shared @ np.linalg.qr(rng.standard_normal((n, 4)))[0].T
    >>> brain = {(s, "V1"): (x[:20], x[20:]) for s, x in zip("abc", map(turn, (8, 9, 7)))}
    >>> found = hyperalign(brain, n_component=4)
    >>> bool(np.allclose(found["a", "V1"][1], found["b", "V1"][1]))
    True
    """
    whole("n_iteration", n_iteration, least=1)
    brain = rows_by_name(brain, None)[0]
    sets: dict[tuple[str, str], Pair] = {}
    for key, patterns in checked_patterns(brain, "brain", pairs=True).items():
        kept = patterns.compact()
        if kept.test is None:
            allowed = "pairs (train, test): the maps are fitted on train stimuli"
            raise InputError("brain", key, allowed)
        if not (np.isfinite(kept.train).all() and np.isfinite(kept.test).all()):
            raise DataError(f"brain: {key} holds values that are missing")
        sets[key] = (kept.train, kept.test)
    found: dict[tuple[str, str], Pair] = {}
    for roi in dict.fromkeys(r for _, r in sets):
        people = [k for k in sets if k[1] == roi]
        if len(people) < 2:
            raise DesignError(f"hyperalign: {roi} has {len(people)} person; at least 2 are needed")
        centres = [sets[k][0].mean(axis=0) for k in people]
        train = [
            np.asarray(sets[k][0] - c, dtype=np.float64)
            for k, c in zip(people, centres, strict=True)
        ]
        if len({len(x) for x in train}) > 1:
            raise DataError(f"brain: people of {roi} saw different numbers of train stimuli")
        most = min(len(train[0]) - 1, *(x.shape[1] for x in train))
        k = most if n_component is None else whole("n_component", n_component, least=1, most=most)
        maps = shared_maps(train, k, n_iteration)
        for key, centre, x, turn in zip(people, centres, train, maps, strict=True):
            found[key] = (x @ turn, (sets[key][1] - centre) @ turn)
    return {key: found[key] for key in sets}


def shared_maps(train: list[np.ndarray], k: int, n_iteration: int) -> list[np.ndarray]:
    """Orthonormal maps ``[n_vertex, k]`` of centred responses ``[n_stimulus, n_vertex]`` to what they share."""
    # start from what all people share most of: principal components of everyone's responses side by side, of the size
    # that one person's have
    left, size, _ = np.linalg.svd(np.hstack(train), full_matrices=False)
    shared = left[:, :k] * size[:k] / np.sqrt(len(train))
    maps: list[np.ndarray] = []
    for _ in range(n_iteration):
        maps = [_turn(x, shared) for x in train]
        shared = np.mean([x @ w for x, w in zip(train, maps, strict=True)], axis=0)
    return maps


def _turn(x: np.ndarray, shared: np.ndarray) -> np.ndarray:
    # orthogonal Procrustes (Schoenemann 1966): the orthonormal W nearest to x W = shared maximises tr(W' x' shared),
    # which is U V' of the singular value decomposition
    u, _, vt = np.linalg.svd(x.T @ shared, full_matrices=False)
    out: np.ndarray = u @ vt
    return out
