"""p-values and critical values of a family of contrasts, by name of the adjustment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import chdtrc, chdtri, fdtrc, fdtri, stdtr, stdtrit

from apastats.errors import InputError
from apastats.numbers.adjust_p import ADJUSTMENTS, adjust_p, check_adjust
from apastats.numbers.simultaneous import (
    dunnett_mixture_critical,
    dunnett_mixture_sf,
    max_t_critical,
    max_t_sf,
    range_critical,
    range_sf,
)

__all__ = ["ALTERNATIVES", "Family"]

JOINT = ("tukey", "dunnettx", "mvt", "scheffe")
ALTERNATIVES = ("two-sided", "greater", "less")
LARGE = 1e15


def _big(df: np.ndarray) -> np.ndarray:
    return np.minimum(df, LARGE)


@dataclass(frozen=True)
class Family:
    """One family of contrasts.

    Attributes
    ----------
    statistic, df : numpy.ndarray
        ``[c]``.
    joint : callable
        Makes the correlation of the estimates ``[c, c]``, which is large and rarely needed.
    n_means : int
        Means that are compared.
    pairs : bool
        Whether the contrasts are all pairwise differences.
    rank : int
        Rank of the contrasts.
    """

    statistic: np.ndarray
    df: np.ndarray
    joint: Callable[[], np.ndarray]
    n_means: int
    pairs: bool
    rank: int

    @cached_property
    def correlation(self) -> np.ndarray:
        """Correlation of the estimates ``[c, c]``."""
        return self.joint()

    def check(self, adjust: str, alternative: str) -> str:
        """Canonical name; an InputError where the adjustment does not fit the contrasts."""
        name = check_adjust(adjust, JOINT)
        if name == "tukey" and not self.pairs:
            raise InputError(
                "adjust",
                adjust,
                "'mvt', 'sidak' or a p-value adjustment",
                hint="Tukey is for all pairwise differences.",
            )
        if alternative != "two-sided" and name in ("tukey", "dunnettx", "scheffe"):
            raise InputError(
                "adjust", adjust, "'mvt' or a p-value adjustment for a one-sided alternative"
            )
        return name

    def p_values(self, adjust: str, alternative: str = "two-sided") -> np.ndarray:
        """Adjusted p-values ``[c]``."""
        name = self.check(adjust, alternative)
        t, df = self.statistic, self.df
        if alternative == "two-sided":
            single = np.minimum(2 * stdtr(_big(df), -np.abs(t)), 1.0)
        else:
            single = stdtr(_big(df), -t if alternative == "greater" else t)
        if name in ADJUSTMENTS:
            return adjust_p(single, name)
        size = np.abs(t)
        if name == "tukey":
            return range_sf(np.sqrt(2.0) * size, self.n_means, df)
        if name == "dunnettx":
            return dunnett_mixture_sf(size, len(t), df)
        if name == "scheffe":
            f = fdtrc(self.rank, _big(df), size**2 / self.rank)
            # at infinite df the limit itself: F of very many df is rounding in some releases of scipy
            return np.where(np.isinf(df), chdtrc(self.rank, size**2), f)
        if alternative == "two-sided":
            return max_t_sf(size, self.correlation, df)
        one_sided = t if alternative == "greater" else -t
        return max_t_sf(one_sided, self.correlation, df, two_sided=False)

    def criticals(
        self, adjust: str, level: float, alternative: str = "two-sided"
    ) -> tuple[np.ndarray, str]:
        """Critical values ``[c]`` of intervals, and what they are.

        Step-wise adjustments of p-values have no intervals of their own: those that control the
        family-wise error are given
        Bonferroni intervals, false discovery rates and no adjustment single ones.
        """
        name = self.check(adjust, alternative)
        df, m = self.df, len(self.df)
        tails = 2 if alternative == "two-sided" else 1
        if name == "tukey":
            return range_critical(level, self.n_means, df) / np.sqrt(2.0), "Tukey simultaneous"
        if name == "dunnettx":
            return dunnett_mixture_critical(level, m, df), "Dunnett simultaneous"
        if name == "mvt":
            found = max_t_critical(
                level, self.correlation, df, two_sided=alternative == "two-sided"
            )
            return found, "multivariate t simultaneous"
        if name == "scheffe":
            f = self.rank * fdtri(self.rank, _big(df), level)
            limit = chdtri(self.rank, 1 - level)
            return np.sqrt(np.where(np.isinf(df), limit, f)), "Scheffe simultaneous"
        tail = (1 - level) / tails
        if name == "sidak":
            return stdtrit(_big(df), 1 - (1 - level ** (1 / m)) / tails), "Sidak simultaneous"
        if name in ("none", "bh", "by"):
            return stdtrit(_big(df), 1 - tail), "one at a time"
        return stdtrit(_big(df), 1 - tail / m), "Bonferroni simultaneous"
