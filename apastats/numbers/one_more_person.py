"""Candidates among people: whether one of them may be one more person, by its scores on the others.

Every person is a target and, for the others, a candidate: ``y_sp = m + a_s + b_p + e_sp`` for target s and
candidate p, with one effect per person (``a = b``) where a score is the same in both roles. A person drawn anew has
``b`` of the same distribution. Nothing here knows what the scores are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

__all__ = [
    "Candidates",
    "People",
    "Profile",
    "as_candidates",
    "correlation_of",
    "effects_of_people",
    "is_symmetric",
    "profile_distance",
    "profile_null",
    "profile_test",
]

EXCESS = 0.5  # kurtosis of people beyond the normal's: that of their agreements is .2 to .4, and not known from ten
SOFT = 1e-9  # scores equal up to this share of their size are one number


@dataclass(frozen=True, eq=False)
class People:
    """What people are like as candidates, from their scores on one another.

    Attributes
    ----------
    mean : numpy.ndarray, shape (n_cell,)
        Mean score of a person on a person.
    effects : numpy.ndarray, shape (n, n_cell)
        Effect of every person as a candidate, about their mean.
    spread : numpy.ndarray, shape (n_cell,)
        Standard deviation of ``a further person's mean score - mean``, people and the further person being drawn.
    between, pair : numpy.ndarray, shape (n_cell,)
        Variance of the effects (not below 0) and of what is particular to a pair.
    symmetric : bool
        Whether both roles are one.
    """

    mean: np.ndarray
    effects: np.ndarray
    spread: np.ndarray
    between: np.ndarray
    pair: np.ndarray
    symmetric: bool

    @property
    def df(self) -> int:
        """Degrees of freedom of the spread: people less one."""
        return len(self.effects) - 1


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates beside people, ``[n_candidate, n_cell]``.

    Attributes
    ----------
    effect : numpy.ndarray
        Mean score less that of a person on the same targets.
    statistic, p_value : numpy.ndarray
        Student's t with ``people.df``: probability of a further person this low (``less``) or this far.
    place : numpy.ndarray of int
        People that are not above the candidate, all ``n + 1`` being candidates for one another.
    p_rank : numpy.ndarray
        Exact under exchangeability: never below ``1 / (n + 1)``.
    pool : numpy.ndarray, shape (n_candidate, n + 1, n_cell)
        Effects of the people and, last, of the candidate, on one scale.
    """

    effect: np.ndarray
    statistic: np.ndarray
    p_value: np.ndarray
    place: np.ndarray
    p_rank: np.ndarray
    pool: np.ndarray


def is_symmetric(pairs: np.ndarray) -> bool:
    """Whether ``pairs [target, candidate, ...]`` are the same in both roles, as similarities of RDMs are."""
    turned = np.swapaxes(pairs, 0, 1)
    same = np.isfinite(pairs) == np.isfinite(turned)
    gap = np.abs(np.where(same & np.isfinite(pairs), pairs - turned, 0.0))
    size = np.abs(np.where(np.isfinite(pairs), pairs, 0.0)).max(initial=0.0)
    return bool(same.all() and gap.max(initial=0.0) <= SOFT * size)


def _patterns(known: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Distinct columns of ``known [m, q]`` and where they are: few, so that each design is solved once."""
    kinds, which = np.unique(known, axis=1, return_inverse=True)
    for k in range(kinds.shape[1]):
        yield kinds[:, k], np.flatnonzero(which.ravel() == k)


@dataclass(frozen=True, eq=False)
class _Solved:
    """Least squares of one pattern of pairs: ``[row, ...]`` of the pairs that are there."""

    row: np.ndarray
    solve: np.ndarray
    design: np.ndarray
    n: int
    symmetric: bool

    def effects(self) -> np.ndarray:
        """Rows that give the candidates' effects about their mean."""
        own = self.solve[1 : self.n + 1] if self.symmetric else self.solve[self.n + 1 :]
        return np.asarray(own - own.mean(axis=0))

    def expected(self, targets: np.ndarray) -> np.ndarray:
        """Row that gives the mean score of an average person on these targets."""
        target = self.solve[1 : self.n + 1]
        other = target if self.symmetric else self.solve[self.n + 1 :]
        return np.asarray(self.solve[0] + target[targets].mean(axis=0) + other.mean(axis=0))

    def df(self) -> int:
        """Pairs less parameters."""
        return len(self.row) - int(np.linalg.matrix_rank(self.design))


def _solved(known: np.ndarray, symmetric: bool) -> _Solved:
    """Design of the pairs that are there, ``known [n, n]``; one of two equal ones where both roles are one."""
    n = len(known)
    target, candidate = np.nonzero(np.triu(known, 1) if symmetric else known)
    design = np.zeros((len(target), (n if symmetric else 2 * n) + 1))
    design[:, 0] = 1
    at = np.arange(len(target))
    design[at, 1 + target] += 1
    design[at, 1 + candidate + (0 if symmetric else n)] += 1
    return _Solved(target * n + candidate, np.linalg.pinv(design), design, n, symmetric)


def effects_of_people(pairs: np.ndarray, symmetric: bool | None = None) -> People:
    """People as candidates for one another.

    Parameters
    ----------
    pairs : numpy.ndarray, shape (n, n, n_cell)
        Score of candidate p on target s; NaN where there is none (the diagonal is not read).
    symmetric : bool, optional
        Whether both roles are one; found out without.

    Returns
    -------
    People
        NaN in cells where fewer pairs than effects are there.

    Notes
    -----
    Least squares; sample variance of the effects ``S^2 = s_b^2 + k s_e^2`` with s_e^2 from the residuals and k of
    the design (complete and symmetric: ``1 / (n - 2)``). A further person's mean over the n targets, less the mean of
    people, has the variance ``(1 + 1/n) s_b^2 + c s_e^2``, c being 1/n and the variance of the mean of people
    (``2 / n(n - 1)``, or ``1 / n(n - 1)`` where roles differ). These are the round-robin estimates of
    Warner, Kenny and Stoto (1979), Journal of Personality and Social Psychology 37:1742, for any set of pairs.

    Examples
    --------
    >>> person = np.array([0.1, 0.3, 0.5, 0.9])
    >>> pairs = (person[:, None] + person)[..., None]
    >>> effects_of_people(pairs).effects[:, 0].round(3).tolist()
    [-0.35, -0.15, 0.05, 0.45]
    """
    n, cells = len(pairs), pairs.shape[2]
    symmetric = is_symmetric(_blank(pairs)) if symmetric is None else symmetric
    flat = _blank(pairs).reshape(n * n, cells)
    effects, (mean, spread, between, pair) = (
        np.full((n, cells), np.nan),
        np.full((4, cells), np.nan),
    )
    for known, where in _patterns(np.isfinite(flat)):
        s = _solved(known.reshape(n, n), symmetric)
        y, of = flat[s.row][:, where], s.effects()
        df = s.df()
        if df < 1 or len(s.row) < n:
            continue
        residual = y - s.design @ (s.solve @ y)
        left = (residual**2).sum(axis=0) / df
        b = of @ y
        seen = (b**2).sum(axis=0) / (n - 1)
        person = np.maximum(seen - (of**2).sum() / (n - 1) * left, 0.0)
        average = s.expected(np.arange(n))
        c = 1 / n + float(average @ average)
        mean[where], effects[:, where] = average @ y, b
        between[where], pair[where] = person, left
        spread[where] = np.sqrt((1 + 1 / n) * person + c * left)
    return People(mean, effects, spread, between, pair, symmetric)


def _blank(pairs: np.ndarray) -> np.ndarray:
    own = np.eye(len(pairs), dtype=bool)[..., None]
    return np.where(own, np.nan, pairs)


def as_candidates(
    pairs: np.ndarray, scores: np.ndarray, people: People, alternative: str = "less"
) -> Candidates:
    """Candidates that are not people, placed among the people.

    Parameters
    ----------
    pairs : numpy.ndarray, shape (n, n, n_cell)
        As in :func:`effects_of_people`.
    scores : numpy.ndarray, shape (n, n_candidate, n_cell)
        Score of every candidate on every target.
    people : People
        Of the same pairs.
    alternative : {"less", "two-sided"}
        Whether only candidates below people count, or those above as well.

    Returns
    -------
    Candidates

    Notes
    -----
    ``t = effect / spread`` with n - 1 df, the test that the prediction interval for one more person inverts. The rank
    takes the candidate into the round robin: as one more target as well where both roles are one, so that all n + 1
    are candidates for n others and, under exchangeability, every place is equally probable. Where roles differ people
    have one target less than the candidate, and the places are equally probable but for that.
    """
    n, cells = len(pairs), pairs.shape[2]
    own, m = _blank(pairs), scores.shape[1]
    effect = np.full((m, cells), np.nan)
    pool = np.full((m, n + 1, cells), np.nan)
    for j in range(m):
        mine = scores[:, j]
        grown = np.full((n + 1, n + 1, cells), np.nan)
        grown[:n, :n], grown[:n, n] = own, mine
        if people.symmetric:
            grown[n, :n] = mine
        flat = grown.reshape((n + 1) ** 2, cells)
        for known, where in _patterns(np.isfinite(flat)):
            there = known.reshape(n + 1, n + 1)
            targets = np.flatnonzero(there[:n, n])
            if not len(targets):
                continue
            alone = _solved(there[:n, :n], people.symmetric)
            inside = own.reshape(n * n, cells)[alone.row][:, where]
            effect[j, where] = (
                mine[targets][:, where].mean(axis=0) - alone.expected(targets) @ inside
            )
            s = _solved(there, people.symmetric)
            pool[j][:, where] = s.effects() @ flat[s.row][:, where]
    t = effect / people.spread
    low = stdtr(people.df, t)
    p = low if alternative == "less" else 2 * stdtr(people.df, -np.abs(t))
    # a tie counts against neither: up to rounding a candidate equal to a person is placed with it
    soft = SOFT * np.abs(pool).max(axis=1, initial=0.0)
    beaten = (pool[:, :n] <= pool[:, n:] + soft[:, None]).sum(axis=1)
    below = (beaten + 1) / (n + 1)
    if alternative == "less":
        rank = below
    else:
        above = ((pool[:, :n] >= pool[:, n:] - soft[:, None]).sum(axis=1) + 1) / (n + 1)
        rank = np.minimum(2 * np.minimum(below, above), 1.0)
    known = np.isfinite(effect)
    return Candidates(effect, t, p, beaten, np.where(known, rank, np.nan), pool)


def correlation_of(effects: np.ndarray) -> np.ndarray:
    """Correlation of cells over people, ``[..., n, q] -> [..., q, q]``, drawn to 0 as far as it is not shown.

    Notes
    -----
    ``(1 - w) r`` off the diagonal with ``w = sum var(r) / sum r^2``, at most 1: Schaefer and Strimmer (2005),
    Statistical Applications in Genetics and Molecular Biology 4:32. Positive definite wherever w > 0.
    """
    n, q = effects.shape[-2:]
    x = effects - effects.mean(axis=-2, keepdims=True)
    size = np.sqrt((x**2).sum(axis=-2, keepdims=True) / (n - 1))
    z = x / np.where(size > 0, size, 1.0)
    zt = np.swapaxes(z, -1, -2)
    total = zt @ z
    squares = np.swapaxes(z**2, -1, -2) @ z**2
    variance = n / (n - 1) ** 3 * (squares - total**2 / n)
    r = total / (n - 1)
    off = ~np.eye(q, dtype=bool)
    seen = (r**2 * off).sum(axis=(-1, -2))
    with np.errstate(invalid="ignore", divide="ignore"):
        w = np.where(seen > 0, (variance * off).sum(axis=(-1, -2)) / seen, 1.0)
    # a correlation of 10 people is never known: some of it always goes, so that the inverse is there
    w = np.clip(w, 0.01, 1.0)[..., None, None]
    return np.asarray(np.where(off, (1 - w) * r, 1.0))


def skewness_of(effects: np.ndarray) -> float:
    """Skewness of people ``[n, q]``, pooled over cells: a mean, without the bias of few people, within -1 and 1.

    ``sqrt(n (n - 1)) / (n - 2) m_3 / m_2^1.5`` (Joanes and Gill 1998, The Statistician 47:183).
    """
    n = len(effects)
    x = effects - effects.mean(axis=0)
    second = (x**2).mean(axis=0)
    if n < 3 or not (second > 0).any():
        return 0.0
    third = (x**3).mean(axis=0)[second > 0] / second[second > 0] ** 1.5
    return float(np.clip(third.mean() * np.sqrt(n * (n - 1)) / (n - 2), -1.0, 1.0))


def profile_distance(t: np.ndarray, correlation: np.ndarray, alternative: str) -> np.ndarray:
    """Length of profiles ``t [..., q]`` on the scale of a correlation ``[..., q, q]`` (Mahalanobis).

    With ``less`` only what lies below people counts: the smallest length of ``t - u`` over ``u >= 0``
    (Perlman 1969, Annals of Mathematical Statistics 40:549), 0 for a profile nowhere below.
    """
    from scipy.optimize import nnls

    root = np.linalg.inv(np.linalg.cholesky(correlation))
    white = (root @ t[..., None])[..., 0]
    if alternative != "less":
        return np.asarray(np.sqrt((white**2).sum(axis=-1)))
    flat, roots = white.reshape(-1, white.shape[-1]), np.broadcast_to(root, (*t.shape, t.shape[-1]))
    roots = roots.reshape(-1, *root.shape[-2:])
    found = [nnls(a, b)[1] for a, b in zip(roots, flat, strict=True)]
    return np.asarray(found).reshape(t.shape[:-1])


@dataclass(frozen=True, eq=False)
class Profile:
    """The profile over cells as a whole, ``[n_candidate]``: largest deviation, distance and their p-values."""

    largest: np.ndarray
    p_largest: np.ndarray
    p_cells: np.ndarray
    distance: np.ndarray
    p_distance: np.ndarray
    p_rank: np.ndarray


def profile_null(
    effects: np.ndarray, alternative: str, n_resamples: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Largest deviation and distance of one more person, ``[n_resamples]`` each.

    People and person are drawn with the correlation of ``effects [n, q]`` (:func:`correlation_of`), their skewness, and
    tails a little heavier than the normal's (first terms of Cornish and Fisher); scales
    and correlations are estimated again from the people of every draw, so that their uncertainty is in it.
    """
    n, q = effects.shape
    root = np.linalg.cholesky(correlation_of(effects))
    x = rng.normal(size=(n_resamples, n + 1, q)) @ root.T
    # people who are poor at one thing are often far from the others, which a normal draw would never be
    x += skewness_of(effects) / 6 * (x**2 - 1) + EXCESS / 24 * (x**3 - 3 * x)
    t, correlation = _one_against_others(x)
    return _largest(t, alternative), profile_distance(t, correlation, alternative)


def _one_against_others(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Student's t of the last of ``x [..., n + 1, q]`` against the others, and the correlation of the others."""
    others = x[..., :-1, :]
    n = others.shape[-2]
    spread = others.std(axis=-2, ddof=1) * np.sqrt(1 + 1 / n)
    t = (x[..., -1, :] - others.mean(axis=-2)) / spread
    return t, correlation_of(others)


def _largest(t: np.ndarray, alternative: str) -> np.ndarray:
    return np.asarray((-t if alternative == "less" else np.abs(t)).max(axis=-1))


def profile_test(
    people: People,
    found: Candidates,
    *,
    alternative: str,
    n_resamples: int,
    rng: np.random.Generator,
) -> Profile:
    """Whether the whole profile is that of one more person.

    Parameters
    ----------
    people, found
        Of :func:`effects_of_people` and :func:`as_candidates`; all cells must be there.
    alternative : {"less", "two-sided"}
    n_resamples : int
        Draws of people with one more person.
    rng : numpy.random.Generator

    Returns
    -------
    Profile
        ``p_cells [n_candidate, n_cell]``: family-wise over cells, by the largest deviation. ``p_rank``: exact rank of
        the distance among the n + 1, each against the others.
    """
    largest, distance = profile_null(people.effects, alternative, n_resamples, rng)
    t = found.statistic
    mine = _largest(t, alternative)
    correlation = correlation_of(people.effects)
    far = profile_distance(t, np.broadcast_to(correlation, (*t.shape, t.shape[-1])), alternative)
    each = -t if alternative == "less" else np.abs(t)
    return Profile(
        mine,
        _tail(largest, mine),
        _tail(largest, each),
        far,
        _tail(distance, far),
        np.array([_rank(pool, alternative) for pool in found.pool]),
    )


def _tail(draws: np.ndarray, values: np.ndarray) -> np.ndarray:
    ordered = np.sort(draws)
    at_least = len(ordered) - np.searchsorted(ordered, values - 1e-12)
    return np.asarray((at_least + 1) / (len(ordered) + 1))


def _rank(pool: np.ndarray, alternative: str) -> float:
    """Share of ``pool [n + 1, q]`` that is as far from the others as the last one."""
    turns = np.stack([np.roll(pool, -1 - c, axis=0) for c in range(len(pool))])
    t, correlation = _one_against_others(turns)
    far = profile_distance(t, correlation, alternative)
    return float((far >= far[-1] - SOFT * far.max(initial=0.0)).mean())
