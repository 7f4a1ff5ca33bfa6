"""What a fitted model says beyond its coefficients: components, shares, predictions of effects, diagnostics."""

from __future__ import annotations

import numpy as np
import pandas as pd

from apastats.mixed.engine.core import Fitted, row_precisions
from apastats.mixed.engine.information import block_products
from apastats.mixed.engine.large import nested_variances
from apastats.numbers.correlation import correlate

__all__ = [
    "coefficient_table",
    "component_label",
    "component_names",
    "corrected_aic",
    "diagnostics_table",
    "effect_variances",
    "effects_table",
    "intraclass",
    "r_squared",
    "random_variance",
    "variance_table",
]


def coefficient_table(
    labels: list[str], estimate: np.ndarray, std_error: np.ndarray, df: np.ndarray, conf_level: float,
    *, label: str = "term",
) -> pd.DataFrame:  # fmt: skip
    """Estimates with t tests against 0 and two-sided intervals; df of infinity gives z."""
    from scipy.special import stdtr, stdtrit

    df = np.asarray(df, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / std_error
    half = stdtrit(np.minimum(df, 1e15), (1 + conf_level) / 2) * std_error
    return pd.DataFrame(
        {
            label: labels,
            "estimate": estimate,
            "std_error": std_error,
            "statistic": statistic,
            "df": df,
            "p_value": np.minimum(1.0, 2 * stdtr(np.minimum(df, 1e15), -np.abs(statistic))),
            "conf_low": estimate - half,
            "conf_high": estimate + half,
            "conf_level": conf_level,
        }
    )


def random_variance(fitted: Fitted, *, slopes: bool = True) -> float:
    """Mean over rows of the variance of the random part (Johnson 2014, Methods Ecol. Evol. 5, 944).

    Without ``slopes`` the intercept variances alone.
    """
    total = 0.0
    for g, M in zip(fitted.design.groupings, fitted.covariances, strict=True):
        if not slopes:
            keep = np.array([e == "(Intercept)" for e in g.effects])
            M = np.where(np.outer(keep, keep), M, 0.0)
        # the random part of a row is w'(b_1 + ... + b_k) over its k levels: k w'Mw if they differ, and a level that
        # occurs twice counts four times instead of twice. Pairs of equal levels count both
        if g.members:
            k = g.codes.shape[1]
            same = sum(
                float((g.codes[:, a] == g.codes[:, b]).mean()) for a in range(k) for b in range(k)
            )
            scale = same if g.size == 1 and (g.W == 1).all() else float(k)
        else:
            scale = 1.0
        total += scale * float(np.einsum("ia,ab,ib->", g.W, M, g.W)) / fitted.design.n
    return total


def residual_variance(fitted: Fitted) -> float:
    """Residual variance, averaged over rows where weights or groups make it differ."""
    w = row_precisions(fitted.design, fitted.precisions)
    return float(fitted.sigma2 * (1 / w).mean())


def variance_table(fitted: Fitted) -> pd.DataFrame:
    """One row per variance, covariance and residual variance.

    ``share`` is the part of the variance of a row that the effect accounts for (mean square of its column times
    the variance); covariances have none, so shares need not sum to 1 with correlated slopes. Residual variances are
    those of rows of weight 1; their share is that of the mean over rows.
    """
    design = fitted.design
    total = random_variance(fitted) + residual_variance(fitted)
    rows: list[tuple[object, ...]] = []
    for g, M in zip(design.groupings, fitted.covariances, strict=True):
        sd = np.sqrt(np.diag(M))
        for a in range(g.size):
            used = float((g.W[:, a] ** 2).mean()) * (g.codes.shape[1] if g.members else 1)
            rows.append(
                (g.name, g.effects[a], None, M[a, a], sd[a], np.nan, used * M[a, a] / total)
            )
            for b in range(a):
                if g.free[a, b]:
                    r = M[a, b] / (sd[a] * sd[b]) if sd[a] > 0 and sd[b] > 0 else np.nan
                    rows.append((g.name, g.effects[a], g.effects[b], M[a, b], np.nan, r, np.nan))
    names: tuple[str | None, ...] = design.residual_levels or (None,)
    codes = np.zeros(design.n, int) if design.residual_codes is None else design.residual_codes
    parts = np.bincount(codes, weights=1 / row_precisions(design, fitted.precisions)) / design.n
    for name, v, part in zip(names, fitted.unit_variances, parts, strict=True):
        rows.append(("residual", name, None, v, np.sqrt(v), np.nan, part * fitted.sigma2 / total))
    columns = ["group", "effect", "effect_2", "variance", "std_dev", "correlation", "share"]
    return pd.DataFrame(rows, columns=columns)


def component_names(components: pd.DataFrame) -> list[list[str]]:
    """Rows of :func:`variance_table` as group, effect and, of a correlation, the other effect; empty where none."""
    columns = components[["group", "effect", "effect_2"]]
    return [
        [v if isinstance(v, str) else "" for v in row] for row in columns.itertuples(index=False)
    ]


def component_label(group: str, effect: str, other: str) -> str:
    """A row by name: ``SD (Intercept) | subject``, ``correlation a, b | subject``."""
    if group == "residual":
        return f"SD residual {effect}".strip()
    return f"correlation {effect}, {other} | {group}" if other else f"SD {effect} | {group}"


def corrected_aic(loglik: float, k: int, n: int) -> float | None:
    """AIC corrected for few rows (Hurvich and Tsai 1989, Biometrika 76, 297); None for n <= k + 1."""
    if n <= k + 1:
        return None
    return 2 * k - 2 * loglik + 2 * k * (k + 1) / (n - k - 1)


def intraclass(fitted: Fitted, *, slopes: bool = True) -> pd.DataFrame:
    """Intraclass correlations.

    ``adjusted``: random over random plus residual variance; ``unadjusted``: with the variance of the fixed part below
    the line too; per group: the variance of its intercept over random plus residual variance.
    """
    random, residual = random_variance(fitted, slopes=slopes), residual_variance(fitted)
    fixed = float(np.var(fitted.design.fixed.X @ fitted.beta, ddof=1))
    rows = [
        ("adjusted", random / (random + residual)),
        ("unadjusted", random / (random + residual + fixed)),
    ]
    for g, M in zip(fitted.design.groupings, fitted.covariances, strict=True):
        if "(Intercept)" in g.effects:
            a = g.effects.index("(Intercept)")
            rows.append((g.name, M[a, a] / (random + residual)))
    return pd.DataFrame(rows, columns=["group", "icc"])


def r_squared(fitted: Fitted, *, slopes: bool = True) -> dict[str, float]:
    """Marginal and conditional R2 of Nakagawa and Schielzeth (2013, Methods Ecol. Evol. 4, 133)."""
    random, residual = random_variance(fitted, slopes=slopes), residual_variance(fitted)
    fixed = float(np.var(fitted.design.fixed.X @ fitted.beta, ddof=1))
    total = fixed + random + residual
    return {"r2_marginal": fixed / total, "r2_conditional": (fixed + random) / total}


def effect_variances(fitted: Fitted, *, include_fixed: bool) -> list[np.ndarray]:
    """Variances ``[J, k]`` of the predicted effects, in the order of the design."""
    products, state = fitted.products, fitted.state
    inside: np.ndarray | None = None
    if products.inner is not None and state.outer is not None:
        inside = nested_variances(state, products, include_fixed=include_fixed)
        order = products.order
        products, state = state.outer
    parts = block_products(state, products)
    G = parts.GP if include_fixed else parts.GV
    out: list[np.ndarray] = [np.zeros((0, 0))] * len(fitted.design.groupings)
    for f, i in zip(products.factors, products.order, strict=True):
        J, k = f.n_levels, f.size
        if f is products.first:
            K = state.K.reshape(J, k, k)
            # inverse of a matrix in blocks (Schur): what is uncertain about the level itself, given the rest, and
            # what the uncertainty G of the rest adds to it
            KE = np.matmul(K, products.E[:, :, :-1])
            own = K + np.einsum("jas,st,jbt->jab", KE, G, KE, optimize=True)
        else:
            at = np.arange(J)
            own = G[f.start : f.stop, f.start : f.stop].reshape(J, k, J, k)[at, :, at, :]
        A = fitted.turns[i]
        out[i] = fitted.sigma2 * np.einsum("ab,jbc,ac->ja", A, own, A)
    if inside is not None:
        A = fitted.turns[order[0]]
        out[order[0]] = fitted.sigma2 * np.einsum("ab,jbc,ac->ja", A, inside, A)
    return out


def effects_table(
    fitted: Fitted, *, conf_level: float = 0.95, include_fixed: bool = False
) -> pd.DataFrame:
    """Best linear unbiased predictions of all random effects."""
    from scipy.special import ndtri

    z = ndtri((1 + conf_level) / 2)
    frames = []
    variances = effect_variances(fitted, include_fixed=include_fixed)
    for g, b, v in zip(fitted.design.groupings, fitted.effects, variances, strict=True):
        se = np.sqrt(np.maximum(v, 0.0))
        for a, name in enumerate(g.effects):
            frames.append(
                pd.DataFrame(
                    {
                        "group": g.name,
                        "effect": name,
                        "level": g.levels,
                        "estimate": b[:, a],
                        "std_error": se[:, a],
                        "conf_low": b[:, a] - z * se[:, a],
                        "conf_high": b[:, a] + z * se[:, a],
                        "conf_level": conf_level,
                    }
                )
            )
    if not frames:
        return pd.DataFrame(columns=["group", "effect", "level", "estimate", "std_error"])
    return pd.concat(frames, ignore_index=True)


def standardised_residuals(fitted: Fitted) -> np.ndarray:
    """Residuals over their residual SD ``[n]``."""
    w = row_precisions(fitted.design, fitted.precisions)
    return (fitted.design.y - fitted.fitted_values) * np.sqrt(w / fitted.sigma2)


def _moments(values: np.ndarray) -> tuple[float, float]:
    centred = values - values.mean()
    variance = float((centred**2).mean())
    if variance == 0:
        return 0.0, 0.0
    return float((centred**3).mean() / variance**1.5), float((centred**4).mean() / variance**2 - 3)


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.nan_to_num(correlate(a, b, "spearman")))


def diagnostics_table(fitted: Fitted) -> pd.DataFrame:
    """Numbers to look at before believing a fit: ``item, value, detail``."""
    e = standardised_residuals(fitted)
    skew, kurtosis = _moments(e)
    worst = int(np.abs(e).argmax())
    rows = [
        ("residual skewness", skew, "0 for a normal distribution"),
        ("residual excess kurtosis", kurtosis, "0 for a normal distribution; above 2 means heavy tails"),
        ("largest standardised residual", float(e[worst]), f"row {worst} of the rows used"),
        ("share of residuals beyond 3 SD", float((np.abs(e) > 3).mean()), "0.0027 for a normal distribution"),
        (
            "spread against fitted values",
            _rank_correlation(np.abs(e), fitted.fitted_values),
            "rank correlation of |residual| and fitted value; 0 where the spread is even",
        ),
    ]  # fmt: skip
    for g, b, M in zip(fitted.design.groupings, fitted.effects, fitted.covariances, strict=True):
        for a, name in enumerate(g.effects):
            if M[a, a] > 0 and b[:, a].std() > 0:
                z = (b[:, a] - b[:, a].mean()) / b[:, a].std()
                far = int(np.abs(z).argmax())
                rows.append(
                    (
                        f"most extreme {name} of {g.name}",
                        float(z[far]),
                        f"level {g.levels[far]}, in SD of the predictions",
                    )
                )
    return pd.DataFrame(rows, columns=["item", "value", "detail"])
