"""Fits and scores of all folds and resamples from Gram matrices: see the package's docstring for the derivation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from apastats.scoring.fitted.solve import (
    best_member,
    free_weights,
    mixture_weights,
    nonnegative_weights,
)
from apastats.scoring.methods import comparison
from apastats.scoring.stimuli.pair_weights import PairKernel

__all__ = ["FittedKernel", "FoldScores", "Rule"]

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


class FoldScores(NamedTuple):
    """Of ``f`` folds: ``scores [f, S, M]`` and ``ceilings [f, S, 2]`` of the test subjects (NaN for others).

    ``weights``: per model ``[f, k]`` on the members as given, of length 1 (``interpolate``: of sum 1). ``solved``:
    the same on the rows of the kernel.
    """

    scores: np.ndarray
    ceilings: np.ndarray
    weights: list[np.ndarray]
    solved: list[np.ndarray]


class FittedKernel:
    """Fitted models of S subjects' RDMs under weights of stimuli.

    Parameters
    ----------
    x : array, ``[S, n_pair]``
        RDMs of subjects, no NaN.
    rules : sequence of Rule
        The models.
    method : str
        A method that takes weights of stimuli.
    """

    def __init__(self, x: np.ndarray, rules: Sequence[Rule], method: str) -> None:
        self.rules, self.s = list(rules), len(x)
        self.normalised, ranks = comparison(method).normalised, comparison(method).ranks
        self.ranks = ranks
        self.bases = [_basis(r, ranks) for r in self.rules]
        # a member that several models share, and a candidate that is a member, are one row
        rows = np.concatenate([b @ r.members for b, r in zip(self.bases, self.rules, strict=True)])
        rows, where = np.unique(rows, axis=0, return_inverse=True)
        ends = np.cumsum([len(b) for b in self.bases])[:-1]
        self.rows = [self.s + part for part in np.split(where.reshape(-1), ends)]
        z = np.concatenate([np.asarray(x, dtype=np.float64), rows])
        self.kernel = PairKernel(z, z[:0], method)
        self.n = self.kernel.n
        if ranks:
            self.size = np.ones(len(z))
        else:  # the scale that the kernel has divided by
            level = z.mean(axis=1, keepdims=True) if comparison(method).centred else 0.0
            self.size = np.sqrt(((z - level) ** 2).mean(axis=1))

    def grams(self, counts: np.ndarray) -> np.ndarray:
        """Inner products of subjects and members under each row of ``counts [c, n]``: ``[c, S + K, S + K]``."""
        return self.kernel.moments(counts).xx

    def folds(
        self,
        grams: np.ndarray,
        train: np.ndarray,
        test: np.ndarray,
        fitted_to: np.ndarray,
        tested: np.ndarray,
        solved: list[np.ndarray] | None = None,
    ) -> FoldScores:
        """Fit and score every fold.

        Parameters
        ----------
        grams : array, ``[c, S + K, S + K]``
            From :meth:`grams`.
        train, test : array of int, ``[f]``
            Rows of ``grams`` with the training and the test stimuli of each fold.
        fitted_to, tested : array, ``[f, S]``
            How often each subject is in the training and in the test data.
        solved : list of array, optional
            Fits that are there already, to be scored.
        """
        s = self.s
        norm = np.sqrt(np.einsum("cii->ci", grams))
        with np.errstate(invalid="ignore", divide="ignore"):
            unit = np.where(norm > 0, 1 / norm, np.nan) if self.normalised else np.ones_like(norm)
        # of training pairs: members of length 1 against the pooled RDM of subjects of length 1
        toward = unit[:, s:, None] * grams[:, s:, :s] * unit[:, None, :s]
        aim = np.matmul(toward[train], fitted_to[:, :, None])[:, :, 0]
        present = tested > 0
        scores = np.full((len(train), s, len(self.rules)), np.nan)
        weights, found = [], []
        for m, (rule, basis, rows) in enumerate(
            zip(self.rules, self.bases, self.rows, strict=True)
        ):
            b = aim[:, rows - s]
            usable = np.isfinite(b)
            lost = ~usable.any(axis=1)
            scale = np.where(usable, unit[:, rows][train], 0.0)
            if solved is not None:
                w = solved[m]
            elif rule.rule == "fixed":
                w = np.ones_like(b)
            elif rule.rule == "select" or (
                rule.rule == "interpolate" and len(basis) > basis.shape[1]
            ):
                w = best_member(np.where(usable, b, -np.inf))
            else:
                within = grams[:, rows[:, None], rows][train] * scale[:, :, None] * scale[:, None]
                identity = np.eye(len(rows))
                within = np.where(usable[:, :, None] & usable[:, None], within, identity)
                w = _solved(rule, within, np.where(usable, b, 0.0))
                w *= scale
            w = np.where(lost[:, None], np.nan, w)
            found.append(w)
            products = grams[:, :s, rows]
            own = grams[:, rows[:, None], rows]
            up = np.matmul(products[test], w[:, :, None])[:, :, 0]
            if self.normalised:
                length = np.sqrt(np.einsum("fk,fkl,fl->f", w, own[test], w, optimize=True))
                with np.errstate(invalid="ignore", divide="ignore"):
                    up = up / np.where(length > 0, length, np.nan)[:, None] * unit[:, :s][test]
            scores[:, :, m] = np.where(present, up, np.nan)
            raw = (w / self.size[rows]) @ basis
            total = raw.sum(axis=1) if rule.rule == "interpolate" else np.linalg.norm(raw, axis=1)
            weights.append(raw / total[:, None])
        # pools are means of ranks, or of RDMs of length 1
        share = norm[:, :s][test] if self.ranks and self.normalised else 1.0
        ceilings = self._ceilings(
            grams[:, :s, :s], unit[:, :s], test, fitted_to * share, tested * share
        )
        return FoldScores(scores, ceilings, weights, found)

    def _ceilings(
        self,
        grams: np.ndarray,
        unit: np.ndarray,
        test: np.ndarray,
        fitted_to: np.ndarray,
        tested: np.ndarray,
    ) -> np.ndarray:
        """Similarity with the pool of the training subjects but oneself, and of all, on the test stimuli."""
        k = grams * unit[:, :, None] * unit[:, None]
        own = np.einsum("cii->ci", k)[test]
        # whoever trains and is tested (folds over stimuli alone) is left out of the own pool
        everyone = np.maximum(fitted_to, tested)
        out = np.full((*tested.shape, 2), np.nan)
        for bound, v in enumerate((fitted_to, everyone)):
            toward = np.matmul(k[test], v[:, :, None])[:, :, 0]
            total = (v * toward).sum(axis=1)[:, None]
            gone = v if bound == 0 else np.zeros_like(v)
            square = total - 2 * gone * toward + gone**2 * own
            value = toward - gone * own
            size = (
                (v.sum(axis=1)[:, None] - gone)
                if not self.normalised
                else np.sqrt(np.maximum(square, 0))
            )
            with np.errstate(invalid="ignore", divide="ignore"):
                value = value / np.where(size > 1e-9, size, np.nan)
            out[..., bound] = np.where(tested > 0, value, np.nan)
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
    """Weights of members of length 1."""
    if rule.rule == "interpolate":
        return mixture_weights(a, b)
    a = a + rule.ridge * np.eye(a.shape[1])
    if not rule.nonnegative:
        return free_weights(a, b)
    # a penalty makes the diagonal 1 + ridge for all: directions stay, the best single member too
    return nonnegative_weights(a / (1 + rule.ridge), b)
