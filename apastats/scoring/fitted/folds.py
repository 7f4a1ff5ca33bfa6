"""Fits and scores of all folds and resamples from Gram matrices: see the package's docstring for the derivation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from apastats.scoring.fitted.grams import PairGrams
from apastats.scoring.fitted.signs import TAUS, SignGrams
from apastats.scoring.fitted.solve import (
    best_member,
    free_weights,
    mixture_weights,
    nonnegative_weights,
)
from apastats.scoring.methods import comparison

__all__ = ["FittedKernel", "Grams", "Rule"]

_STEPS = 20  # steps between two members where a rank criterion mixes them


@dataclass(frozen=True, eq=False)
class Rule:
    """How one RDM is made of members.

    Attributes
    ----------
    members : array, ``[k, n_pair]``
    rule : {"fixed", "select", "weighted", "interpolate"}
    nonnegative : bool
        Whether weights are non-negative (``weighted``).
    ridge : float
        Penalty on members scaled to unit length (``weighted``).
    """

    members: np.ndarray
    rule: Literal["fixed", "select", "weighted", "interpolate"] = "fixed"
    nonnegative: bool = True
    ridge: float = 0.0


class Grams(NamedTuple):
    """Inner products of subjects (first) and members.

    ``product [..., S + K, S + K]``: of rows of length 1 (0 for a row without variation), as they are for rho-a.
    ``norm [..., S + K]``: what they were divided by; NaN where there is no score (1 for rho-a and tau-a).
    ``counts [..., n]``: how often each stimulus is drawn.
    """

    product: np.ndarray
    norm: np.ndarray
    counts: np.ndarray

    def take(self, where: np.ndarray) -> Grams:
        """Those of the given places ``[T, P]`` of the first axis; a view where they stand in a row."""
        for turn in (1, -1):
            some = where[:, ::turn].ravel()
            first, size = int(some[0]), len(some)
            if np.array_equal(some, np.arange(first, first + size)):
                parts = (
                    a[first : first + size].reshape(*where.shape, *a.shape[1:])[:, ::turn]
                    for a in self
                )
                return Grams(*parts)
        return Grams(*(a[where] for a in self))


class FittedKernel:
    """Fitted models of S subjects' RDMs under weights of stimuli.

    Parameters
    ----------
    x : array, ``[S, n_pair]``
        RDMs of subjects, no NaN.
    rules : sequence of Rule
        The models.
    method : str
        A method that takes weights of stimuli, or one of Kendall's taus.
    variances : array, ``[n]``, optional
        As in :class:`apastats.scoring.fitted.grams.PairGrams`.
    """

    def __init__(
        self,
        x: np.ndarray,
        rules: Sequence[Rule],
        method: str,
        variances: np.ndarray | None = None,
    ) -> None:
        self.rules, self.s = list(rules), len(x)
        x = np.asarray(x, dtype=np.float64)
        of_ranks = comparison(method).pooled == "ranks"
        self.bases = [_basis(r, of_ranks) for r in self.rules]
        # a member that several models share, and a candidate that is a member, are one row
        rows: dict[bytes, int] = {}
        distinct: list[np.ndarray] = []
        self.rows: list[np.ndarray | slice] = []
        for basis, rule in zip(self.bases, self.rules, strict=True):
            where = []
            for row in basis @ np.asarray(rule.members, dtype=np.float64):
                place = rows.setdefault(row.tobytes(), len(distinct))
                if place == len(distinct):
                    distinct.append(row)
                where.append(place)
            # neighbours are a view, not a copy
            together = where == list(range(where[0], where[0] + len(where)))
            self.rows.append(
                slice(where[0], where[-1] + 1) if together else np.array(where, dtype=np.intp)
            )
        z = np.concatenate([x, distinct])
        self.pairs: PairGrams | SignGrams = (
            SignGrams(z, self.s, method) if method in TAUS else PairGrams(z, method, variances)
        )
        self.normalised = TAUS.get(method, self.pairs.comparison.normalised)
        self.ranks = of_ranks
        self.n, self.size = self.pairs.n, self.pairs.size[self.s :]

    def grams(self, counts: np.ndarray) -> Grams:
        """Inner products under each row of ``counts [c, n]``."""
        product = self.pairs.products(counts)
        square = np.einsum("cii->ci", product)
        few = np.isnan(square).any()
        if not self.normalised:
            norm = np.where(np.isnan(square), np.nan, 1.0)
        else:
            with np.errstate(invalid="ignore", divide="ignore"):
                norm = np.sqrt(np.where(square > 0, square, np.nan))
                unit = np.where(np.isnan(norm), 0.0, 1 / norm)
            product *= unit[:, :, None]
            product *= unit[:, None]
        return Grams(np.nan_to_num(product) if few else product, norm, counts)

    def fit(self, train: Grams, fitted_to: np.ndarray) -> list[np.ndarray]:
        """Weights of the rows of each model, per fold ``[T, P, k, G]``; NaN where there is nothing to learn from.

        Parameters
        ----------
        train : Grams, ``[T, P, ...]``
            Of the training stimuli of P folds of T partitions.
        fitted_to : array, ``[T, G, S]``
            How often each subject is in the training data of G folds of subjects.
        """
        s = self.s
        bad = np.isnan(train.norm)
        to = fitted_to[:, None].swapaxes(-1, -2)
        aim = np.matmul(train.product[..., s:, :s], to)
        # nobody to learn from, or a drawn subject without variation
        lost = ((bad[..., :s, None] & (to > 0)).any(axis=2) | ~(to > 0).any(axis=2))[:, :, None]
        found = []
        for rule, basis, rows in zip(self.rules, self.bases, self.rows, strict=True):
            b = aim[:, :, rows]
            norm = train.norm[..., s:][..., rows]
            usable = ~np.isnan(norm)[..., None]
            if rule.rule == "fixed":
                w = np.ones_like(b)
            else:
                if rule.rule == "select" or len(basis) > basis.shape[1]:
                    w = best_member(np.where(usable, b, -np.inf))
                else:
                    within = train.product[..., s:, s:][..., rows, :][..., rows]
                    k = within.shape[-1]
                    if not usable.all():
                        # what does not vary is no member: it stands apart, with nothing to gain
                        outside = ~usable[..., 0, None] & np.eye(k, dtype=bool)
                        within, b = np.where(outside, 1.0, within), np.where(usable, b, 0.0)
                    w = _solved(rule, within.reshape(-1, k, k), b.reshape(-1, k, b.shape[-1]))
                    w = w.reshape(b.shape)
                w = np.where(usable, w / np.where(usable, norm[..., None], 1.0), 0.0)
                if not usable.all():
                    w = np.where(usable.any(axis=2, keepdims=True), w, np.nan)
            found.append(np.where(lost, np.nan, w) if lost.any() else w)
        return found

    def score(self, test: Grams, weights: list[np.ndarray], fold: np.ndarray) -> np.ndarray:
        """Scores ``[T, P, S, M]`` of every subject by the fit of its fold; NaN where there is none.

        Parameters
        ----------
        test : Grams, ``[T, P, ...]``
            Of the test stimuli.
        weights : list of array, ``[T or 1, P or 1, k, G]``
            From :meth:`fit`.
        fold : array of int, ``[T, S]``
            Fold of subjects whose fit scores a subject.
        """
        s = self.s
        out = np.empty((*test.norm.shape[:2], s, len(self.rules)))
        place = fold[:, None, :, None]
        for m, (rows, w) in enumerate(zip(self.rows, weights, strict=True)):
            norm = test.norm[..., s:][..., rows, None]
            w = w * np.where(np.isnan(norm), 0.0, norm)
            up = np.matmul(test.product[..., :s, s:][..., rows], w)
            if self.normalised:
                own = np.matmul(test.product[..., s:, s:][..., rows, :][..., rows], w)
                square = np.einsum("tpkg,tpkg->tpg", w, own)[:, :, None]
                with np.errstate(invalid="ignore", divide="ignore"):
                    up = up / np.sqrt(np.where(square > 0, square, np.nan))
            out[..., m] = (
                up[..., 0] if up.shape[-1] == 1 else np.take_along_axis(up, place, axis=3)[..., 0]
            )
        out[np.isnan(test.norm[..., :s])] = np.nan
        return out

    def ceilings(
        self, test: Grams, fitted_to: np.ndarray, drawn: np.ndarray, fold: np.ndarray
    ) -> np.ndarray:
        """Similarity with the pool of the training subjects but oneself, and of all, ``[T, P, S, 2]``.

        Parameters
        ----------
        test, fold
            As in :meth:`score`.
        fitted_to : array, ``[T, G, S]``
        drawn : array, ``[T, S]``
            How often each subject is drawn.
        """
        if isinstance(self.pairs, SignGrams):
            return self._tau_ceilings(self.pairs, test, fitted_to, drawn, fold)
        s = self.s
        k = test.product[..., :s, :s]
        pools = np.concatenate([fitted_to, drawn[:, None]], axis=1)
        v = pools[:, None].swapaxes(-1, -2)  # [T, 1, S, G + 1]
        # pools are means of ranks, or of RDMs of length 1
        if self.ranks and self.normalised:
            v = v * np.nan_to_num(test.norm[..., :s, None])
        v = np.broadcast_to(v, (*k.shape[:-1], v.shape[-1]))
        toward = np.matmul(k, v)
        square = np.einsum("tpsg,tpsg->tpg", v, toward)[:, :, None]
        size = v.sum(axis=2, keepdims=True)
        place = np.broadcast_to(fold[:, None, :, None], (*k.shape[:-1], 1))
        mine, mine_v = (np.take_along_axis(a, place, axis=3)[..., 0] for a in (toward, v))
        own = np.einsum("tpss->tps", k)
        # whoever trains and is tested (folds over stimuli alone) is left out of the own pool
        lower = mine - mine_v * own
        if self.normalised:
            rest = np.take_along_axis(np.broadcast_to(square, toward.shape), place, axis=3)[..., 0]
            rest = np.sqrt(np.maximum(rest - 2 * mine_v * mine + mine_v**2 * own, 0.0))
            whole = np.sqrt(square[..., -1])
        else:
            rest = np.take_along_axis(np.broadcast_to(size, toward.shape), place, axis=3)[..., 0]
            rest = rest - mine_v
            whole = size[..., -1]
        with np.errstate(invalid="ignore", divide="ignore"):
            out = np.stack(
                [
                    lower / np.where(rest > 1e-9, rest, np.nan),
                    toward[..., -1] / np.where(whole > 1e-9, whole, np.nan),
                ],
                axis=-1,
            )
        out[np.isnan(test.norm[..., :s])] = np.nan
        return out

    def _tau_ceilings(
        self,
        pairs: SignGrams,
        test: Grams,
        fitted_to: np.ndarray,
        drawn: np.ndarray,
        fold: np.ndarray,
    ) -> np.ndarray:
        """:meth:`ceilings`, where a pool is no sum of what was multiplied: every pool is compared by itself."""
        s, each = self.s, np.arange(self.s)
        out = np.full((*test.norm.shape[:2], s, 2), np.nan)
        for t, (train, v, place) in enumerate(zip(fitted_to, drawn, fold, strict=True)):
            if len(train) == 1:  # whoever trains and is tested is left out of the own pool
                pools, place = np.where(np.eye(s, dtype=bool), 0.0, train), each
            else:
                pools = train
            pools = np.concatenate([pools, v[None]])
            for p, bad in enumerate(np.isnan(test.norm[t, :, :s])):
                if not bad.all():
                    found = pairs.with_pools(test.counts[t, p], pools)
                    out[t, p] = np.stack([found[place, each], found[-1]], axis=1)
                    out[t, p][bad] = np.nan
        return out

    def described(self, weights: list[np.ndarray]) -> list[np.ndarray]:
        """Weights ``[..., k]`` on the members as given, of length 1 (``interpolate``: of sum 1), from ``[..., k]``."""
        out = []
        for rule, basis, rows, w in zip(self.rules, self.bases, self.rows, weights, strict=True):
            size = self.size[rows]
            raw = np.where(size > 0, w / np.where(size > 0, size, 1.0), 0.0) @ basis
            total = raw.sum(axis=-1) if rule.rule == "interpolate" else np.linalg.norm(raw, axis=-1)
            with np.errstate(invalid="ignore", divide="ignore"):
                out.append(raw / total[..., None])
        return out


def _basis(rule: Rule, ranks: bool) -> np.ndarray:
    """Candidates ``[n, k]``: the members, or under a rank criterion steps between neighbours."""
    k = len(rule.members)
    identity = np.eye(k)
    if not (ranks and rule.rule == "interpolate" and k > 1):
        return identity
    part = np.arange(_STEPS) / _STEPS
    mixed = [(1 - p) * identity[i] + p * identity[i + 1] for i in range(k - 1) for p in part]
    return np.array([*mixed, identity[-1]])


def _solved(rule: Rule, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Weights ``[f, k, g]`` of members of length 1 for ``a [f, k, k]`` and ``b [f, k, g]``."""
    a = a + rule.ridge * np.eye(a.shape[1]) if rule.ridge else a
    if rule.rule == "weighted" and not rule.nonnegative:
        return free_weights(a, b)
    f, k, g = b.shape
    solve = mixture_weights if rule.rule == "interpolate" else nonnegative_weights
    # a penalty makes the diagonal 1 + ridge for all: directions stay, the best single member too
    a = np.repeat(a / (1 + rule.ridge), g, axis=0)
    found = solve(a, b.swapaxes(1, 2).reshape(f * g, k))
    return found.reshape(f, g, k).swapaxes(1, 2)
