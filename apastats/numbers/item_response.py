"""Continuous item-response model: one ability per model, an intercept and a discrimination per item, holes allowed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apastats.numbers.fixed_point import accelerated, polished

__all__ = ["Responses", "fit_responses"]

LEAST = (
    1e-4  # error variance of an item, as a share of its variance, below which it is at the boundary
)


@dataclass(frozen=True, slots=True)
class Responses:
    """Maximum-likelihood estimates of ``score = intercept + discrimination * ability + error``, ability ~ N(0, 1).

    Attributes
    ----------
    intercept, discrimination, error : numpy.ndarray, shape (n_item,)
        ``error`` is a variance.
    intercept_se, discrimination_se : numpy.ndarray, shape (n_item,)
        From the scores of single models (outer product); NaN with fewer than two models per parameter.
    ability, ability_sd : numpy.ndarray, shape (n_model,)
        Posterior mean and standard deviation.
    loglik : float
    boundary : numpy.ndarray, shape (n_item,)
        Items whose error variance is at its lower bound.
    converged : bool
    """

    intercept: np.ndarray
    discrimination: np.ndarray
    error: np.ndarray
    intercept_se: np.ndarray
    discrimination_se: np.ndarray
    ability: np.ndarray
    ability_sd: np.ndarray
    loglik: float
    boundary: np.ndarray
    converged: bool


def _abilities(
    y: np.ndarray, mask: np.ndarray, b: np.ndarray, a: np.ndarray, error: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Posterior mean and variance of each ability, and the log-likelihood of the scores."""
    precision = 1 + mask @ (a**2 / error)
    r = np.where(mask > 0, y - b, 0.0)
    t = r @ (a / error) / precision
    fit = (r**2 / error).sum() - (t**2 * precision).sum()
    n = mask.sum(axis=0)
    loglik = -0.5 * (
        n.sum() * np.log(2 * np.pi) + n @ np.log(error) + np.log(precision).sum() + fit
    )
    return t, 1 / precision, float(loglik)


def fit_responses(
    y: np.ndarray, *, equal: bool = False, tolerance: float = 1e-8, most: int = 20_000
) -> Responses:
    """Expectation-maximisation with extrapolation; holes are missing at random.

    Parameters
    ----------
    y : numpy.ndarray, shape (n_model, n_item)
        NaN where there is no score; at least three scores per item.
    equal : bool
        Whether all items have one discrimination.
    tolerance : float
        Largest change of a (standardised) parameter at the end, before it is brought to the accuracy of the
        arithmetic.
    most : int
        Updates at most.

    Notes
    -----
    The one-factor model of continuous responses (Mellenbergh 1994); with holes the likelihood is that of the scores
    there are (Rubin and Thayer 1982 for the algorithm).
    """
    seen = np.isfinite(y)
    mask = seen.astype(float)
    n = mask.sum(axis=0)
    centre = np.where(seen, y, 0).sum(axis=0) / n
    spread = np.sqrt(np.where(seen, (y - centre) ** 2, 0).sum(axis=0) / n)
    # one unit for all items where they share a discrimination
    unit = np.full(len(n), np.sqrt((spread**2).mean())) if equal else spread
    z = np.where(seen, (y - centre) / unit, 0.0)
    least = LEAST * (spread / unit) ** 2
    m = len(n)

    def unpack(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return x[:m], (np.full(m, x[m]) if equal else x[m:-m]), np.exp(x[-m:])

    def step(x: np.ndarray) -> np.ndarray:
        b, a, error = unpack(x)
        t, v, _ = _abilities(z, mask, b, a, error)
        t1, t2 = mask.T @ t, mask.T @ (t**2 + v)
        y1, yt, y2 = z.sum(axis=0), z.T @ t, (z**2).sum(axis=0)
        if equal:
            slope = float(((yt - b * t1) / error).sum() / (t2 / error).sum())
            a = np.full(m, slope)
        else:
            # least squares of each item on (1, ability)
            a = (n * yt - t1 * y1) / (n * t2 - t1**2)
        b = (y1 - a * t1) / n
        new = (y2 - 2 * b * y1 - 2 * a * yt + 2 * a * b * t1 + b**2 * n + a**2 * t2) / n
        new = np.log(np.maximum(new, least))
        return np.concatenate([b, a[:1] if equal else a, new])

    first = np.concatenate(
        [np.zeros(m), np.full(1 if equal else m, 0.7), np.log(np.maximum(0.5 * (spread / unit) ** 2, least))]
    )  # fmt: skip
    found, converged = accelerated(step, first, tolerance=tolerance, most=most)
    if converged:
        found = polished(step, found)
    b, a, error = unpack(found)
    if a.sum() < 0:
        a = -a
    t, v, loglik = _abilities(z, mask, b, a, error)
    errors = _standard_errors(z, mask, b, a, error, t, v)
    return Responses(
        intercept=centre + unit * b,
        discrimination=unit * a,
        error=unit**2 * error,
        intercept_se=unit * errors[0],
        discrimination_se=unit * errors[1],
        ability=t,
        ability_sd=np.sqrt(v),
        loglik=loglik - float((n * np.log(unit)).sum()),
        boundary=error <= least * (1 + 1e-9),
        converged=converged,
    )


def _standard_errors(
    z: np.ndarray,
    mask: np.ndarray,
    b: np.ndarray,
    a: np.ndarray,
    error: np.ndarray,
    t: np.ndarray,
    v: np.ndarray,
) -> np.ndarray:
    """Of intercepts and discriminations ``[2, n_item]``, each free."""
    n_model, m = z.shape
    if n_model < 6 * m:
        return np.full((2, m), np.nan)
    r = np.where(mask > 0, z - b - t[:, None] * a, 0.0)
    by_b = r / error
    by_a = mask * (t[:, None] * r - a * v[:, None]) / error
    by_error = mask * ((r**2 + a**2 * v[:, None]) / error - 1) / 2
    scores = np.hstack([by_b, by_a, by_error])
    inverse = np.linalg.pinv(scores.T @ scores)
    return np.sqrt(np.maximum(np.diag(inverse), 0.0))[: 2 * m].reshape(2, m)
