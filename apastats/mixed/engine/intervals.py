"""Intervals of coefficients and standard deviations: profile likelihood and parametric bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from apastats.errors import InputError
from apastats.mixed.engine.core import Fitted, fit_design, refit_design, row_precisions
from apastats.mixed.engine.likelihood import evaluate, level_sums, pack, unpack
from apastats.mixed.engine.optimise import Objective, minimise_deviance
from apastats.mixed.engine.products import Products
from apastats.resampling.parallel import run_tasks
from apastats.seeds import RngLike, block_generator, recorded_seed, seed_sequence

__all__ = ["bootstrap_intervals", "parameter_names", "profile_intervals", "simulate_outcomes"]


def parameter_names(fitted: Fitted) -> list[tuple[str, int, int, int]]:
    """Name, grouping, and effects of every SD and correlation."""
    out = []
    for t, g in enumerate(fitted.design.groupings):
        for a in range(g.size):
            out.append((f"sd {g.effects[a]} | {g.name}", t, a, a))
            for b in range(a):
                if g.free[a, b]:
                    out.append((f"cor {g.effects[a]}, {g.effects[b]} | {g.name}", t, a, b))
    return out


def _root(excess: Callable[[float], float], start: float, step: float, limit: float) -> float:
    """Where ``excess`` (negative at ``start``) becomes 0 on the way to ``limit``; the limit if never."""
    from scipy.optimize import brentq

    inside, outside = start, start
    for _ in range(60):
        outside = outside + step
        if (step < 0 and outside <= limit) or (step > 0 and outside >= limit):
            if not np.isfinite(limit):
                return limit
            outside = limit
            if excess(outside) <= 0:
                return limit
            break
        if excess(outside) > 0:
            break
        inside, step = outside, step * 1.6
    else:
        return limit
    return float(brentq(excess, inside, outside, rtol=1e-8, xtol=1e-12))


def _without_column(products: Products, j: int, value: float) -> Products:
    """Products with fixed coefficient ``j`` held at ``value``."""
    # y - x_j value has products that are linear in those of [Z, X, y]: the column x_j is taken out and put into y, M'
    # D M, so that no row is touched
    r = products.D.shape[0]
    at = products.q2 + j
    M = np.delete(np.eye(r), at, axis=1)
    M[at, -1] = -(value - products.offset[j])
    distinct = products.distinct
    if distinct is not None:
        distinct = (distinct[0], distinct[1], M.T @ distinct[2] @ M)
    inner = products.inner
    if inner is not None:
        inner = replace(inner, E=inner.E @ M)
    return replace(
        products, inner=inner, D=M.T @ products.D @ M, E=products.E @ M, p=products.p - 1,
        offset=np.delete(products.offset, j), distinct=distinct,
    )  # fmt: skip


def _profile_coefficient(fitted: Fitted, j: int, cut: float) -> tuple[float, float]:
    best, start = fitted.optimum.deviance, fitted.optimum.theta
    estimate, step = float(fitted.beta[j]), float(np.sqrt(fitted.vcov[j, j]))

    def excess(value: float) -> float:
        objective = Objective(_without_column(fitted.products, j, value), reml=False)
        return minimise_deviance(objective, start=start).deviance - best - cut

    return _root(excess, estimate, -2 * step, -np.inf), _root(excess, estimate, 2 * step, np.inf)


class _Held:
    """Deviance in (free entries, log sigma) with one SD, correlation or sigma held."""

    def __init__(self, fitted: Fitted, what: str, factor: int, row: int) -> None:
        self.products, self.what, self.factor, self.row = fitted.products, what, factor, row
        self.log_sigma = 0.5 * float(np.log(fitted.sigma2))

    def matrices(self, x: np.ndarray, value: float) -> tuple[list[np.ndarray], float]:
        """T per grouping and sigma at the free values."""
        sigma = value if self.what == "sigma" else float(np.exp(x[-1]))
        T = unpack(x[:-1], self.products.factors)
        if self.what == "sd":
            v = T[self.factor][self.row]
            T[self.factor][self.row] = value / sigma * v / max(float(np.linalg.norm(v)), 1e-300)
        elif self.what == "cor":
            v = T[self.factor][self.row]
            size, rest = float(np.linalg.norm(v)), v[1:].copy()
            rest *= np.sqrt(max(0.0, 1 - value**2)) / max(float(np.linalg.norm(rest)), 1e-300)
            T[self.factor][self.row] = size * np.concatenate([[value], rest])
        return T, sigma

    def __call__(self, x: np.ndarray, value: float) -> tuple[float, np.ndarray]:
        """Deviance and gradient in the free values."""
        products = self.products
        T, sigma = self.matrices(x, value)
        state = evaluate(products, pack(T, products.factors))
        if state is None or not state.rss > 0:
            return 1e300, np.zeros_like(x)
        # sigma is a parameter here and not profiled out, as the SD that is held is sigma times an entry: d deviance /
        # dT of a grouping is 2 (S - Q / sigma^2) T, S from log |V| and Q from the residuals
        n, s2 = products.n, sigma**2
        dev = state.log_det_v - products.log_weights + n * np.log(2 * np.pi * s2) + state.rss / s2
        sums = level_sums(state, products, reml=False)
        slopes = [
            2 * ((S + S.T) / 2 - Q / s2) @ M for S, Q, M in zip(sums.S, sums.Q, T, strict=True)
        ]
        d_sigma = 2 * (n - state.rss / s2)
        if self.what in ("sd", "cor"):
            d_sigma += self._chain(x, value, slopes, sigma)
        if self.what == "sigma":
            d_sigma = 0.0
        grad = np.append(pack(slopes, products.factors), d_sigma)
        return float(dev), grad

    def _chain(self, x: np.ndarray, value: float, slopes: list[np.ndarray], sigma: float) -> float:
        """Gradient in the row that is held (in place); what it adds to that in log sigma."""
        v = unpack(x[:-1], self.products.factors)[self.factor][self.row]
        G = slopes[self.factor][self.row].copy()
        # the row in use is a function of the free one: for an SD its direction v / |v| at a length of value / sigma,
        # whose derivative takes the part along v out; that part is the slope in the length, so in log sigma
        size = max(float(np.linalg.norm(v)), 1e-300)
        if self.what == "sd":
            u = v / size
            slopes[self.factor][self.row] = value / sigma / size * (G - u * (G @ u))
            return -float(G @ u) * value / sigma
        # for a correlation with the first effect the first entry is |v| times value, the others share what is left of
        # the length
        rest = v[1:]
        length = max(float(np.linalg.norm(rest)), 1e-300)
        w, root = rest / length, np.sqrt(max(0.0, 1 - value**2))
        direction = np.concatenate([[value], root * w])
        inner = G[1:]
        turned = size * root / length * (inner - w * (inner @ w))
        slopes[self.factor][self.row] = (G @ direction) * v / size + np.concatenate([[0.0], turned])
        return 0.0


def _profile_parameter(
    fitted: Fitted, what: str, factor: int, row: int, estimate: float, cut: float
) -> tuple[float, float]:
    from scipy.optimize import minimize

    held = _Held(fitted, what, factor, row)
    best = fitted.optimum.deviance
    diagonal = np.concatenate(
        [np.eye(f.size, dtype=bool)[f.free] for f in fitted.products.factors]
        or [np.zeros(0, dtype=bool)]
    )
    bounds = [(0.0 if d else None, None) for d in diagonal] + [(None, None)]
    first = np.append(
        np.where(diagonal, np.maximum(fitted.optimum.theta, 1e-2), fitted.optimum.theta),
        held.log_sigma,
    )

    def excess(value: float) -> float:
        found = minimize(
            held, first, args=(value,), jac=True, method="L-BFGS-B", bounds=bounds,
            options={"ftol": 1e-13, "gtol": 1e-7},
        )  # fmt: skip
        return float(found.fun) - best - cut

    low, high = (-1.0, 1.0) if what == "cor" else (0.0, np.inf)
    step = 0.2 if what == "cor" else 0.25 * max(estimate, 0.1 * float(np.sqrt(fitted.sigma2)))
    if what == "sigma":
        low = 1e-8 * estimate
    return _root(excess, estimate, -step, low), _root(excess, estimate, step, high)


def profile_intervals(fitted: Fitted, conf_level: float) -> pd.DataFrame:
    """Profile-likelihood intervals of all parameters (by ML): where the deviance rises by the chi-squared quantile."""
    from scipy.special import chdtri

    if fitted.groups is not None:
        raise InputError("method", "profile", "'wald' or 'bootstrap' with residual_by")
    # the SDs of the columns as they are, not of centred ones, are profiled
    ml = fit_design(fitted.design, reml=False, centre=False)
    cut = float(chdtri(1, 1 - conf_level))
    rows = []
    place = {i: t for t, i in enumerate(ml.products.order)}
    for name, t, a, b in parameter_names(ml):
        M = ml.covariances[t]
        if a == b:
            low, high = _profile_parameter(ml, "sd", place[t], a, float(np.sqrt(M[a, a])), cut)
            rows.append((name, float(np.sqrt(M[a, a])), low, high))
            continue
        scale = np.sqrt(M[a, a] * M[b, b])
        r = float(M[a, b] / scale) if scale > 0 else np.nan
        if not np.isfinite(r) or abs(r) > 1 - 1e-6:
            rows.append((name, r, np.nan, np.nan))
            continue
        turned = _first_effect(ml, t, b)
        row = a if a > b else a + 1
        rows.append((name, r, *_profile_parameter(turned, "cor", place[t], row, r, cut)))
    sigma = float(np.sqrt(ml.sigma2))
    ends = np.array([sigma, *_profile_parameter(ml, "sigma", 0, 0, sigma, cut)])
    rows.append(("sigma", *(ends * np.sqrt(ml.design.weight_scale))))
    for j, name in enumerate(ml.design.fixed.names):
        rows.append((name, float(ml.beta[j]), *_profile_coefficient(ml, j, cut)))
    table = pd.DataFrame(rows, columns=["term", "estimate", "conf_low", "conf_high"])
    return table.assign(conf_level=conf_level, method="profile likelihood (ML)")


def _first_effect(fitted: Fitted, t: int, b: int) -> Fitted:
    """The same fit with effect ``b`` of grouping ``t`` in first place, where a correlation is one entry of T."""
    g = fitted.design.groupings[t]
    if b == 0:
        return fitted
    order = [b, *(i for i in range(g.size) if i != b)]
    linked = g.free | g.free.T
    free = linked[np.ix_(order, order)] & np.tri(g.size, dtype=bool)
    turned = replace(g, W=g.W[:, order], effects=tuple(g.effects[i] for i in order), free=free)
    groupings = tuple(
        turned if i == t else other for i, other in enumerate(fitted.design.groupings)
    )
    return fit_design(replace(fitted.design, groupings=groupings), reml=False, centre=False)


def simulate_outcomes(fitted: Fitted, n_sim: int, generator: np.random.Generator) -> np.ndarray:
    """Outcomes ``[n_sim, n]`` drawn from the fitted model, random effects drawn anew."""
    design = fitted.design
    w = row_precisions(design, fitted.precisions)
    mean = design.fixed.X @ fitted.beta
    sigma = float(np.sqrt(fitted.sigma2))
    out = np.empty((n_sim, design.n))
    for i in range(n_sim):
        y = mean + sigma / np.sqrt(w) * generator.standard_normal(design.n)
        for g, Z, T in zip(design.groupings, design.Z, fitted.relative, strict=True):
            u = sigma * generator.standard_normal((g.n_levels, g.size)) @ T.T
            y = y + Z @ u.ravel()
        out[i] = y
    return out


def _replicate(
    fitted: Fitted, sequence: np.random.SeedSequence, block: int, size: int
) -> dict[str, np.ndarray]:
    """Parameters of ``size`` refits: coefficients, their standard errors, then SDs, correlations and sigma."""
    generator = block_generator(sequence, block)
    rows = []
    for y in simulate_outcomes(fitted, size, generator):
        again = refit_design(fitted, y, polish=False)
        rows.append(
            np.concatenate([again.beta, np.sqrt(np.diag(again.vcov)), _spread_parameters(again)])
        )
    return {"draws": np.array(rows)}


def _spread_parameters(fitted: Fitted) -> np.ndarray:
    out = []
    for _, t, a, b in parameter_names(fitted):
        M = fitted.covariances[t]
        sd = np.sqrt(np.diag(M))
        if a == b:
            out.append(sd[a])
        else:
            out.append(M[a, b] / (sd[a] * sd[b]) if sd[a] > 0 and sd[b] > 0 else np.nan)
    return np.array([*out, *np.sqrt(fitted.unit_variances)])


BLOCK = 25


def bootstrap_intervals(
    fitted: Fitted, conf_level: float, n_resamples: int, rng: RngLike, n_jobs: int
) -> tuple[pd.DataFrame, np.ndarray, str]:
    """Parametric bootstrap: simulate from the fit, fit again.

    Coefficients get bootstrap-t intervals (each refit brings its standard error), SDs, correlations and sigma the
    percentiles of the refits.

    Returns
    -------
    (pandas.DataFrame, numpy.ndarray, str)
        Intervals; replicates ``[n_resamples, parameters]`` in the order of the table; the seed.
    """
    sequence = seed_sequence(rng)
    sizes = [min(BLOCK, n_resamples - start) for start in range(0, n_resamples, BLOCK)]
    tasks = [(fitted, sequence, i, size) for i, size in enumerate(sizes)]
    parts = run_tasks(_replicate, tasks, n_jobs=n_jobs, label="refits")
    draws = np.concatenate([part["draws"] for part in parts])
    p = fitted.products.p
    beta, se = draws[:, :p], draws[:, p : 2 * p]
    own_se = np.sqrt(np.diag(fitted.vcov))
    tails = np.array([(1 - conf_level) / 2, (1 + conf_level) / 2])
    # t* = (b* - b) / SE(b*) stands for (b - beta) / SE(b): its quantiles change sides when solved for beta
    t = (beta - fitted.beta) / se
    names = [name for name, *_ in parameter_names(fitted)]
    levels = fitted.design.residual_levels
    names += [f"sigma {v}" for v in levels] if levels else ["sigma"]
    rows = []
    for j, name in enumerate(fitted.design.fixed.names):
        q, error = _quantiles(t[:, j], tails)
        ends = fitted.beta[j] - q[::-1] * own_se[j]
        rows.append(
            (name, fitted.beta[j], *ends, *(error[::-1] * own_se[j]), "parametric bootstrap-t")
        )
    values = _spread_parameters(fitted)
    for j, name in enumerate(names):
        q, error = _quantiles(draws[:, 2 * p + j], tails)
        rows.append((name, values[j], *q, *error, "parametric bootstrap percentiles"))
    columns = [
        "term",
        "estimate",
        "conf_low",
        "conf_high",
        "conf_low_mcse",
        "conf_high_mcse",
        "method",
    ]
    table = pd.DataFrame(rows, columns=columns).assign(conf_level=conf_level)
    kept = np.concatenate([beta, draws[:, 2 * p :]], axis=1)
    return table, kept, recorded_seed(sequence)


def _quantiles(values: np.ndarray, tails: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles and their Monte-Carlo errors (from the order statistics one binomial SD away)."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return np.full(2, np.nan), np.full(2, np.nan)
    q = np.quantile(values, tails, method="weibull")
    sd = np.sqrt(tails * (1 - tails) / len(values))
    up = np.quantile(values, np.minimum(tails + sd, 1.0))
    down = np.quantile(values, np.maximum(tails - sd, 0.0))
    return q, (up - down) / 2
