"""Predictions of new rows: with the effects of known levels, and intervals of means and of new outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from apastats.calls import not_among
from apastats.errors import InputError
from apastats.mixed.engine.core import Fitted, row_precisions
from apastats.mixed.engine.design import Design, effect_columns
from apastats.mixed.engine.formula import RandomTerm, variables_in

__all__ = ["Target", "fixed_rows", "random_part", "residual_groups", "row_intervals", "target_rows"]

STATEFUL = ("poly", "scale", "center", "bs", "ns")


def fixed_rows(design: Design, data: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Fixed columns ``[n, p]`` and the offset ``[n]`` of new rows, their columns and levels checked."""
    fixed, offset = design.fixed, design.formula.offset
    for name in (*fixed.factors, *fixed.covariates, *(() if offset is None else (offset,))):
        if name not in data.columns:
            raise InputError("data", list(map(str, data.columns)), f"a column {name!r}")
    for name, levels in fixed.factors.items():
        unknown = set(data[name].unique()) - set(levels)
        if unknown:
            raise not_among(name, sorted(map(str, unknown))[0], levels)
    known = np.zeros(len(data)) if offset is None else data[offset].to_numpy(dtype=float)
    return fixed.rows(data), known


def _columns(design: Design, terms: list[RandomTerm], data: pd.DataFrame) -> np.ndarray:
    """Random-effect columns ``[n, k]`` of one grouping for new rows."""
    frame = pd.DataFrame(index=range(len(data)))
    for name in sorted({v for t in terms for e in t.effects for v in variables_in(e)}):
        if name not in data.columns:
            raise InputError("data", list(map(str, data.columns)), f"a column {name!r}")
        column = design.frame[name]
        values: np.ndarray | pd.Categorical = data[name].to_numpy()
        if isinstance(column.dtype, pd.CategoricalDtype):
            values = pd.Categorical(values, categories=column.cat.categories)
        frame[name] = values
    parts = []
    for term in terms:
        if any(e.startswith(f"{f}(") for e in term.effects for f in STATEFUL):
            raise InputError("random", True, f"False: {term.text} has a function of all rows")
        parts += [W for W, _ in effect_columns(term, frame, design.formula)]
    return np.hstack(parts)


def _levels(columns: tuple[str, ...], members: bool, data: pd.DataFrame) -> list[pd.Series]:
    """Names of the levels every row belongs to: one, or one per member."""
    for name in columns:
        if name not in data.columns:
            raise InputError("data", list(map(str, data.columns)), f"a column {name!r}")
    text = [data[c].astype(str).reset_index(drop=True) for c in columns]
    if members:
        return text
    joined = text[0]
    for more in text[1:]:
        joined = joined + ":" + more
    return [joined]


def _by_grouping(fitted: Fitted, data: pd.DataFrame) -> list[tuple[np.ndarray, list[pd.Series]]]:
    design = fitted.design
    out = []
    for g in design.groupings:
        terms = [t for t in design.formula.random if t.group_name == g.name]
        out.append((_columns(design, terms, data), _levels(g.columns, g.members, data)))
    return out


@dataclass(frozen=True)
class Target:
    """What is predicted of new rows, as combinations of fixed and random effects.

    Attributes
    ----------
    L : numpy.ndarray
        ``[m, p]`` fixed columns.
    Z : list of scipy.sparse.csr_array
        Per grouping ``[m, J k]``: columns of levels that the fit has seen.
    new : list of numpy.ndarray
        Per grouping ``[m, n_member, k]``: columns of levels drawn anew, 0 where the level is known.
    """

    L: np.ndarray
    Z: list[Any]
    new: list[np.ndarray]


def target_rows(
    fitted: Fitted, data: pd.DataFrame, L: np.ndarray, *, known: bool, new_levels: str
) -> Target:
    """Random effects of new rows: those of their levels, of levels drawn anew where ``known`` is False or unseen."""
    from scipy.sparse import csr_array

    m = len(data)
    Z, fresh = [], []
    for g, (W, names) in zip(fitted.design.groupings, _by_grouping(fitted, data), strict=True):
        place = {v: i for i, v in enumerate(g.levels)}
        k = W.shape[1]
        columns = csr_array((m, g.n_levels * k))
        anew = np.zeros((m, len(names), k))
        for j, level in enumerate(names):
            at = level.map(place) if known else pd.Series(np.full(m, np.nan))
            new = at.isna().to_numpy()
            if new.any() and new_levels == "error":
                raise InputError(
                    g.name, str(level[new].iloc[0]), "a level of the fit; or new_levels='zero'"
                )
            anew[new, j] = W[new]
            seen = np.flatnonzero(~new)
            codes = at.to_numpy(dtype=float)[seen].astype(int)
            rows = np.repeat(seen, k)
            cols = (codes[:, None] * k + np.arange(k)).ravel()
            columns = columns + csr_array((W[seen].ravel(), (rows, cols)), shape=columns.shape)
        Z.append(csr_array(columns))
        fresh.append(anew)
    return Target(L, Z, fresh)


def random_part(fitted: Fitted, target: Target) -> np.ndarray:
    """Zu of new rows ``[m]``; levels the fit has not seen have effect 0."""
    out = np.zeros(len(target.L))
    for Z, u in zip(target.Z, fitted.effects, strict=True):
        out += Z @ u.ravel()
    return out


def residual_groups(fitted: Fitted, data: pd.DataFrame) -> np.ndarray:
    """Residual group of every new row ``[m]``."""
    design = fitted.design
    if design.weights is not None:
        raise InputError("interval", "prediction", "'confidence' for a fit with weights")
    if design.residual_by is None:
        return np.zeros(len(data), dtype=int)
    if design.residual_by not in data.columns:
        raise InputError("data", list(map(str, data.columns)), f"a column {design.residual_by!r}")
    place = {str(v): i for i, v in enumerate(design.residual_levels)}
    text = data[design.residual_by].astype(str)
    unknown = [v for v in text if v not in place]
    if unknown:
        raise not_among(design.residual_by, unknown[0], place)
    return text.map(place).to_numpy(dtype=int)


def row_intervals(
    fitted: Fitted, target: Target, residual: np.ndarray | None, *, df: str
) -> tuple[np.ndarray, np.ndarray]:
    """Standard errors of prediction and their degrees of freedom ``[m]``.

    With C the matrix of Henderson's mixed-model equations in u = Lambda v, v of variance sigma^2 I,

        C = [X'WX, X'WZ Lambda; Lambda'Z'WX, Lambda'Z'WZ Lambda + I],

    the error of l'b + z'u has the variance sigma^2 a'C^-1 a, a = (l, Lambda'z) (Henderson 1975, Biometrics 31, 423),
    to which levels drawn anew add w'Mw, M the covariance of their effects, and a new outcome its residual variance.
    The variances are estimated: degrees of freedom by Satterthwaite, 2 v^2 / (g'Ag), with the gradient g of that sum in
    the components (by central differences) and their covariance A.

    Parameters
    ----------
    fitted : Fitted
    target : Target
    residual : numpy.ndarray or None
        ``[m]`` residual group of every row, for the interval of a new outcome; None for that of its mean.
    df : str
        ``z`` gives infinite degrees of freedom.
    """
    T = [np.array(t) for t in fitted.state.T]
    s2 = np.array(fitted.residual_variances, dtype=float)
    v = _variance(fitted, target, residual, T, s2)
    if df == "z":
        return np.sqrt(v), np.where(np.isnan(v), np.nan, np.inf)
    gradient = []
    for t, (f, now) in enumerate(zip(fitted.products.factors, fitted.state.T, strict=True)):
        for a, b in zip(*np.nonzero(f.free), strict=True):
            if np.abs(now[:, b]).max() == 0:
                continue  # the variance is even in a column that is 0
            h = 1e-3 * max(abs(now[a, b]), 1e-2 * float(np.abs(now).max()))
            ends = []
            for step in (h, -h):
                T[t] = now.copy()
                T[t][a, b] += step
                ends.append(_variance(fitted, target, residual, T, s2))
            T[t] = np.array(now)
            gradient.append((ends[0] - ends[1]) / (2 * h))
    for g in range(len(s2)):
        ends = []
        for step in (1e-3, -1e-3):
            moved = s2.copy()
            moved[g] *= 1 + step
            # the factors stay relative to the first residual variance
            ends.append(_variance(fitted, target, residual, T, moved))
        gradient.append((ends[0] - ends[1]) / (2e-3 * s2[g]))
    G = np.array(gradient)
    spread = np.einsum("am,ab,bm->m", G, fitted.inference("satterthwaite").component_cov, G)
    with np.errstate(divide="ignore", invalid="ignore"):
        dfs = np.where(spread > 0, 2 * v**2 / spread, np.where(np.isnan(v), np.nan, np.inf))
    return np.sqrt(v), dfs


def _variance(
    fitted: Fitted, target: Target, residual: np.ndarray | None, T: list[np.ndarray], s2: np.ndarray
) -> np.ndarray:
    """Variance of the error of prediction ``[m]`` at relative factors ``T`` and residual variances ``s2``."""
    from scipy.sparse import block_diag, csr_array, eye_array, hstack, kron
    from scipy.sparse.linalg import splu

    coded, order = fitted.coded, fitted.products.order
    place = {i: t for t, i in enumerate(order)}
    w = np.sqrt(row_precisions(coded, s2[0] / s2))[:, None]
    X = csr_array(w * coded.fixed.X)
    known = ~np.isnan(target.L).any(axis=1)
    blocks, ours = [X], [csr_array(np.where(known[:, None], target.L, 0) @ fitted.fixed_turn)]
    out = np.zeros(len(target.L))
    for i, (g, Z, new) in enumerate(zip(coded.groupings, target.Z, target.new, strict=True)):
        A = fitted.turns[i] @ T[place[i]]
        spread = kron(eye_array(g.n_levels), T[place[i]], format="csr")
        blocks.append((coded.Z[i] @ spread).multiply(w))
        ours.append(Z @ kron(eye_array(g.n_levels), A, format="csr"))
        # members of a row are drawn independently, so their variances add
        out += s2[0] * ((new @ A) ** 2).sum(axis=(1, 2))
    U = csr_array(hstack(blocks))
    p = X.shape[1]
    ridge = block_diag([csr_array((p, p)), eye_array(U.shape[1] - p)])
    solver = splu(
        (U.T @ U + ridge).tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )  # fmt: skip
    rows = csr_array(hstack(ours))
    for start in range(0, rows.shape[0], 256):
        a = rows[start : start + 256].toarray()
        out[start : start + 256] += s2[0] * (a * solver.solve(a.T).T).sum(axis=1)
    if residual is not None:
        out += s2[residual]
    return np.where(known, out, np.nan)
