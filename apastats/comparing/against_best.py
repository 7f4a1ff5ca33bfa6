"""Every model against the best, which nobody knows: families of tests of blocks, and limits that match decisions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apastats.comparing.margin import Bounds
from apastats.errors import DesignError
from apastats.numbers.adjust_p import adjust_p
from apastats.numbers.against_all import SHOWN_FOR_CLAIMS, AgainstAll, Field, Shrinkage, shrinkage
from apastats.numbers.student import from_summary
from apastats.numbers.tested import Tested
from apastats.table import Block

__all__ = ["VARIANCES", "Competition", "adjusted_family", "best_groups"]

# option -> how variances of differences are pooled
VARIANCES = {
    "moderated": "variances of all differences drawn to their common value as far as the data show that it is common",
    "separate": "each difference with its own variance",
    "pooled": "one subject-by-model variance for all differences",
}


def complete_cells(block: Block) -> list[np.ndarray]:
    """Subjects that have all models, per cell: masks ``[n_cluster]``; a model is never best by who is missing."""
    return [np.isfinite(block.values[:, :, j]).all(axis=1) for j in range(len(block.cells))]


def best_groups(block: Block) -> np.ndarray:
    """Group with the highest mean over the subjects that have all groups, per cell."""
    out = []
    for j, rows in enumerate(complete_cells(block)):
        if not rows.any():
            raise DesignError(
                f"reference='best': no {block.cluster} has all of {len(block.groups)} models in "
                f"{cell_name(block, j)}; which is best "
                "cannot be told from different people. Leave out the models or people that are incomplete"
            )
        out.append(int(block.values[rows, :, j].mean(axis=0).argmax()))
    return np.asarray(out)


@dataclass(frozen=True)
class Competition:
    """One :class:`AgainstAll` per cell of a block, its variances moderated over all cells together.

    ``tops``: the upper margin of the subjects of each cell (``[n]``, or ``[1]`` where it is a number).
    """

    cells: tuple[AgainstAll, ...]
    tops: tuple[np.ndarray, ...]
    prior: Shrinkage

    @classmethod
    def of(
        cls,
        block: Block,
        limits: Bounds | None,
        variance: str = "moderated",
        shown: float = SHOWN_FOR_CLAIMS,
    ) -> Competition:
        """From the subjects that have all models of a cell (and the unit of the margin)."""
        fields, tops = [], []
        for j, rows in enumerate(complete_cells(block)):
            unit = top = np.zeros(1)
            if limits is not None and limits.unit_low is not None and limits.unit_high is not None:
                rows = rows & np.isfinite(limits.unit_low[:, j])
                unit, top = -limits.unit_low[rows, j], limits.unit_high[rows, j]
            elif limits is not None:
                unit, top = -limits.low[j : j + 1], limits.high[j : j + 1]
            if rows.sum() < 2:
                raise DesignError(
                    f"{int(rows.sum())} {block.cluster}s have all {len(block.groups)} models in "
                    f"{cell_name(block, j)}; at least 2 are needed"
                )
            fields.append(Field(block.values[rows, :, j], unit))
            tops.append(top)
        prior = (
            shrinkage(fields, shown)
            if variance == "moderated"
            else Shrinkage(0.0 if variance == "separate" else np.inf)
        )
        return cls(tuple(AgainstAll(f, prior) for f in fields), tuple(tops), prior)

    def tests(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """``[k, n_cell]`` p-values: within the margin of all, not the best, beyond the margin of some other."""
        near, behind, far = np.array([c.tests() for c in self.cells]).transpose(1, 2, 0)
        return near, behind, far

    def limits(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Limits ``[k, n_cell]`` of "model minus the best of the others" at one-sided levels ``[n_cell]``."""
        found = np.array([c.limits(a, b) for c, a, b in zip(self.cells, low, high, strict=True)])
        return found[:, 0].T, found[:, 1].T

    def against(self, best: np.ndarray, alpha: float) -> Tested:
        """Tests of every model minus one of its cell, ``[k, n_cell]``, each against 0 and both bounds."""
        parts = []
        for c, top, of in zip(self.cells, self.tops, best, strict=True):
            f, row = c.field, slice(int(of), int(of) + 1)
            d, zero, n = -c.differences(row)[0], np.zeros(f.k), np.full(f.k, f.n)
            v, df = (a[0] for a in c.errors(row))
            plain = from_summary(d, np.sqrt(v), df, zero, zero, n, alpha=alpha)
            part = {name: getattr(plain, name) for name in Tested.__slots__}
            # i - best + unit varies as best - i does with the unit's sign turned
            for side, unit, bound in (("low", -f.unit, -f.unit.mean()), ("high", top, top.mean())):
                v_with, df_with = (a[0] for a in c.margin_errors(row, unit))
                se = np.sqrt(np.where(v > 0, v_with, 0.0))
                found = from_summary(d, se, df_with, zero + bound, zero + bound, n, alpha=alpha)
                out = "below" if side == "low" else "above"
                for name in (f"statistic_{side}", f"p_{side}", f"p_{out}"):
                    part[name] = getattr(found, name)
            parts.append(part)
        both = {k: np.stack([p[k] for p in parts], axis=1) for k in Tested.__slots__}
        return Tested(**both).above_zero()

    def joint_limits(
        self,
        near: np.ndarray,
        away: np.ndarray,
        away_from: np.ndarray,
        *,
        adjust: str,
        family: str,
        alpha: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Simultaneous limits ``[k, n_cell]`` of "model minus the best of the others" that agree with the decisions.

        Each end holds for all rows of the family together with probability ``1 - alpha``. After Holm's procedure
        the limit of a rejected row is the bound it was tested against, that of any other row the single limit at
        alpha over the number of rows left (Strassburger and Bretz 2008, Statistics in Medicine 27, 4914; Guilbaud
        2008, Biometrical Journal 50, 678); where all are rejected, or the adjustment is another one, the limits are
        Bonferroni's.

        Parameters
        ----------
        near, away : numpy.ndarray
            p-values of "above the lower bound", and of "below ``away_from``".
        away_from : numpy.ndarray
            ``[n_cell]``.
        """
        bound = np.array([-c.field.unit.mean() for c in self.cells])
        low_level, low_shown = levels_left(near, adjust, family, alpha)
        high_level, high_shown = levels_left(away, adjust, family, alpha)
        low, high = self.limits(low_level, high_level)
        if adjust == "none":
            return low, high
        left = {"low": ~low_shown.all(), "high": ~high_shown.all()}
        # once a limit is that of Holm's last step, a rejected row has no more than its bound
        step = adjust == "holm"
        at_bound = np.broadcast_to(bound, low.shape)
        at_zero = np.broadcast_to(away_from, high.shape)
        low = np.where(
            low_shown, at_bound if step and left["low"] else np.maximum(low, at_bound), low
        )
        high = np.where(
            high_shown, at_zero if step and left["high"] else np.minimum(high, at_zero), high
        )
        return low, high


def cell_name(block: Block, j: int) -> str:
    """``roi V1, metric rsa``."""
    return ", ".join(f"{k} {v}" for k, v in block.cells.iloc[j].items()) or "the data"


def adjusted_family(p: np.ndarray, adjust: str, family: str) -> np.ndarray:
    """Adjusted p ``[k, n_cell]`` over everything, or within each cell."""
    if family == "all":
        return adjust_p(p, adjust)
    return np.stack([adjust_p(p[:, j], adjust) for j in range(p.shape[1])], axis=1)


def levels_left(
    p: np.ndarray, adjust: str, family: str, alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    """Level ``[n_cell]`` of the limits of rows that are not rejected, and which rows ``[k, n_cell]`` are."""
    shown = adjusted_family(p, adjust, family) <= alpha
    if adjust == "none":
        return np.full(p.shape[1], alpha), shown
    over = (
        (lambda a: np.full(p.shape[1], a.sum())) if family == "all" else (lambda a: a.sum(axis=0))
    )
    size, rejected = over(np.isfinite(p)), over(shown)
    # Holm goes on at alpha over the hypotheses that are left: the level of its last, failing step holds for all that
    # remain
    left = size - rejected if adjust == "holm" else size
    return alpha / np.where(left > 0, left, np.maximum(size, 1)), shown
