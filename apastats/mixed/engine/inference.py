"""Standard errors, degrees of freedom and F tests of linear combinations of coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apastats.mixed.engine.information import Information
from apastats.numbers.relative import independent_rows, symmetric_inverse

__all__ = ["DF_METHODS", "FTest", "Inference", "make_inference"]

MANY = 2000  # contrasts from which their variances come from those of the means
DF_METHODS = ("satterthwaite", "kenward-roger", "z")


@dataclass(frozen=True)
class FTest:
    """A joint test: statistic, its degrees of freedom, p."""

    statistic: float
    num_df: int
    den_df: float
    p_value: float


@dataclass(frozen=True)
class Inference:
    """What tests of coefficients need.

    Attributes
    ----------
    beta : numpy.ndarray
        ``[p]``.
    vcov : numpy.ndarray
        ``[p, p]`` covariance used for standard errors (adjusted for Kenward-Roger).
    plain : numpy.ndarray
        ``[p, p]`` unadjusted covariance.
    method : str
        One of DF_METHODS.
    slopes : numpy.ndarray
        ``[m, p, p]`` derivative of ``plain`` with respect to the components.
    component_cov : numpy.ndarray
        ``[m, m]`` covariance of the components.
    """

    beta: np.ndarray
    vcov: np.ndarray
    plain: np.ndarray
    method: str
    slopes: np.ndarray
    component_cov: np.ndarray

    def estimates(self, L: np.ndarray) -> np.ndarray:
        """Values of the rows of ``L [m, p]``."""
        return np.asarray(L @ self.beta)

    def std_errors(self, L: np.ndarray) -> np.ndarray:
        """Standard errors of the rows of ``L``."""
        variance = np.einsum("ij,jk,ik->i", L, self.vcov, L, optimize=True)
        return np.sqrt(np.maximum(variance, 0.0))

    def dfs(self, L: np.ndarray) -> np.ndarray:
        """Degrees of freedom of the rows of ``L``.

        Satterthwaite: 2 v^2 / (g' C g) with v the variance, g its gradient in the components and C their
        covariance. Kenward and Roger (1997) for one row reduce to the same form with the unadjusted variance
        and the expected information.
        """
        if self.method == "z":
            return np.where(np.isnan(L).any(axis=1), np.nan, np.inf)
        v = np.einsum("ij,jk,ik->i", L, self.plain, L, optimize=True)
        g = np.stack([np.einsum("ij,ij->i", L @ S, L) for S in self.slopes], axis=1)
        spread = np.einsum("ia,ab,ib->i", g, self.component_cov, g)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(spread > 0, 2 * v**2 / spread, np.where(np.isnan(v), np.nan, np.inf))

    def of_means(
        self, C: np.ndarray, M: np.ndarray, L: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Standard errors and degrees of freedom of contrasts ``C [c, k]`` of means ``M [k, p]``, of rows ``L [c, p]``.

        Where contrasts are many and touch few means each (all pairs), by the covariance of the means: c times the
        means a contrast has, in place of c times the square of the coefficients.
        """
        if len(C) < MANY or np.isnan(M).any() or np.count_nonzero(C) > 0.1 * C.size:
            return self.std_errors(L), self.dfs(L)
        from scipy.sparse import csr_array

        few = csr_array(C)

        def forms(S: np.ndarray) -> np.ndarray:
            # rows of C with two or three entries: K is read at their places alone
            K = M @ S @ M.T
            out = np.empty(few.shape[0])
            for start in range(0, len(out), 4096):
                part = few[start : start + 4096]
                out[start : start + 4096] = (part.multiply(part @ K)).sum(axis=1)
            return out

        se = np.sqrt(np.maximum(forms(self.vcov), 0.0))
        if self.method == "z":
            return se, np.full(len(C), np.inf)
        g = np.stack([forms(S) for S in self.slopes], axis=1)
        spread = np.einsum("ia,ab,ib->i", g, self.component_cov, g)
        with np.errstate(divide="ignore", invalid="ignore"):
            return se, np.where(spread > 0, 2 * forms(self.plain) ** 2 / spread, np.inf)

    def f_test(self, L: np.ndarray, *, combine: str = "moments") -> FTest:
        """Joint test that all rows of ``L`` times the coefficients are zero.

        ``combine`` is how one denominator df comes about: ``moments`` (Fai-Cornelius, or Kenward-Roger
        with its scale of F), or
        ``smallest`` df of the rows, made orthonormal one after another.
        """
        from scipy.special import chdtrc, fdtrc

        L = L[~np.isnan(L).any(axis=1)]  # what the data do not determine is not tested
        # independent rows only: a family of all pairs has rank k - 1
        keep = independent_rows(L, np.sqrt(np.diag(self.plain)))
        rank = len(keep)
        if rank == 0:
            return FTest(np.nan, 0, np.nan, np.nan)
        L = L[keep]
        d, V = L @ self.beta, L @ self.vcov @ L.T
        size = np.sqrt(np.diag(V))
        d, V = d / size, V / np.outer(size, size)
        F = float(d @ np.linalg.solve(V, d)) / rank
        if self.method == "z":
            return FTest(F, rank, np.inf, float(chdtrc(rank, rank * F)))
        if combine == "smallest":
            den = float(self.dfs(np.linalg.qr(L.T)[0].T).min())
        elif self.method == "satterthwaite":
            den = self._satterthwaite_f(L)
        else:
            den, factor = self._kenward_roger_f(L)
            F *= factor
        p = chdtrc(rank, rank * F) if np.isinf(den) else fdtrc(rank, den, F)
        return FTest(F, rank, den, float(p))

    def _satterthwaite_f(self, L: np.ndarray) -> float:
        """Fai and Cornelius (1996): df of independent directions, combined by the mean of F."""
        vectors = np.linalg.eigh(L @ self.plain @ L.T)[1]
        nu = self.dfs(vectors.T @ L)
        if len(nu) == 1:
            return float(nu[0])
        if (nu <= 2).any():
            return 2.0
        # E = sum nu / (nu - 2) = q + excess; written so that df without limit leave no 0 below the line
        excess = float((2 / (nu - 2)).sum())
        return 2 * (len(nu) + excess) / excess if excess > 0 else np.inf

    def _kenward_roger_f(self, L: np.ndarray) -> tuple[float, float]:
        """Denominator df and scale of Kenward and Roger (1997), section 3."""
        q = len(L)
        theta = L.T @ np.linalg.solve(L @ self.plain @ L.T, L)
        products = [theta @ S for S in self.slopes]
        traces = np.array([np.trace(M) for M in products])
        cross = np.array([[np.einsum("ij,ji->", A, B) for B in products] for A in products])
        A1 = float(traces @ self.component_cov @ traces)
        A2 = float((self.component_cov * cross).sum())
        if A2 <= 0:
            return np.inf, 1.0
        if q == 1:
            return 2 / A2, 1.0
        B = (A1 + 6 * A2) / (2 * q)
        g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
        c = np.array([g, q - g, q + 2 - g]) / (3 * q + 2 * (1 - g))
        mean = 1 / (1 - A2 / q)
        top, low, lower = 1 + c[0] * B, 1 - c[1] * B, 1 - c[2] * B
        variance = 2 / q * top / (low**2 * lower)
        rho = variance / (2 * mean**2)
        den = 4 + (q + 2) / (q * rho - 1)
        return float(den), float(den / (mean * (den - 2)))


def make_inference(
    beta: np.ndarray,
    vcov: np.ndarray,
    info: Information | None,
    method: str,
    factors: tuple[np.ndarray, np.ndarray] | None = None,
) -> Inference:
    """Inference by one of the methods for degrees of freedom.

    Satterthwaite uses the observed information in the Cholesky factors (``factors``); Kenward-Roger the
    expected information of all of them, and adjusts the covariance.
    """
    p = len(beta)
    if method == "z":
        return Inference(beta, vcov, vcov, "z", np.zeros((0, p, p)), np.zeros((0, 0)))
    if method == "satterthwaite":
        if factors is None:
            raise ValueError("Satterthwaite needs the information in the Cholesky factors")
        observed, slopes = factors
        return Inference(beta, vcov, vcov, method, slopes, symmetric_inverse(observed))
    if info is None:
        raise ValueError("Kenward-Roger needs the expected information")
    W = symmetric_inverse(info.expected)
    adjusted = vcov
    if info.second is not None:
        extra = np.tensordot(W, info.second, axes=([0, 1], [0, 1]))
        adjusted = vcov + 2 * vcov @ ((extra + extra.T) / 2) @ vcov
    return Inference(beta, adjusted, vcov, method, info.slopes, W)
