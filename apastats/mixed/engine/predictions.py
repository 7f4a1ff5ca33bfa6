"""Predictions of new rows: with the effects of known levels, and intervals of means and of new outcomes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from apastats.errors import InputError
from apastats.mixed.engine.core import Fitted
from apastats.mixed.engine.design import Design, effect_columns
from apastats.mixed.engine.formula import RandomTerm, variables_in

__all__ = ["fixed_rows", "random_part", "random_variance_of_rows"]

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
            raise InputError(name, sorted(map(str, unknown))[0], f"one of {levels}")
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


def random_part(fitted: Fitted, data: pd.DataFrame, *, new_levels: str) -> np.ndarray:
    """Zu of new rows ``[n]``; levels the fit has not seen have effect 0, or are refused (``new_levels="error"``)."""
    out = np.zeros(len(data))
    for g, u, (W, names) in zip(
        fitted.design.groupings, fitted.effects, _by_grouping(fitted, data), strict=True
    ):
        place = {v: i for i, v in enumerate(g.levels)}
        for level in names:
            at = level.map(place)
            new = at.isna().to_numpy()
            if new.any() and new_levels == "error":
                raise InputError(
                    g.name, str(level[new].iloc[0]), "a level of the fit; or new_levels='zero'"
                )
            effects = np.where(new[:, None], 0.0, u[at.fillna(0).to_numpy(dtype=int)])
            out += (W * effects).sum(axis=1)
    return out


def random_variance_of_rows(fitted: Fitted, data: pd.DataFrame) -> np.ndarray:
    """Variance of the random part of new rows ``[n]``, all levels drawn anew."""
    out = np.zeros(len(data))
    # members of a row are drawn independently, so their variances add
    for M, (W, names) in zip(fitted.covariances, _by_grouping(fitted, data), strict=True):
        out += len(names) * np.einsum("na,ab,nb->n", W, M, W)
    return out
