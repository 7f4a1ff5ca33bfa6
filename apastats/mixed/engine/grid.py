"""Reference grids: which combinations of coefficients are marginal means or slopes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import choice
from apastats.errors import InputError
from apastats.mixed.engine.design import Design
from apastats.mixed.engine.fixed_part import FixedPart
from apastats.printable import all_of

__all__ = ["WEIGHTS", "Grid", "as_names", "reference_grid"]

WEIGHTS = {
    "equal": "with equal weights",
    "proportional": "with weights by the rows of their combinations",
    "outer": "with weights by the rows of each level",
    "cells": "with weights by the rows of every cell",
    "flat": "with equal weights of the cells that have rows",
}


@dataclass(frozen=True)
class Grid:
    """Rows of marginal means.

    Attributes
    ----------
    rows : pandas.DataFrame
        One row per mean: columns of ``by`` and ``specs``.
    full : numpy.ndarray
        ``[m, p_full]`` combination per mean of all fixed columns, those left out as aliased included.
    specs, by : tuple of str
        Columns that are compared, and those within which they are.
    held : str
        What the means are averaged over or held at, in words; empty where every variable is shown.
    fixed : FixedPart
    trend : str or None
        Covariate whose slope is meant instead of a mean.
    shift : numpy.ndarray
        ``[m]`` what the offset of the model adds: its mean to every mean, nothing to slopes and differences.
    """

    rows: pd.DataFrame
    full: np.ndarray
    specs: tuple[str, ...]
    by: tuple[str, ...]
    held: str
    fixed: FixedPart
    trend: str | None = None
    shift: np.ndarray = field(default_factory=lambda: np.zeros(1))

    @property
    def L(self) -> np.ndarray:
        """``[m, p]`` combination of the coefficients per mean; NaN where the data do not determine it."""
        return self.fixed.estimable(self.full)

    def combine(self, C: np.ndarray, members: np.ndarray) -> np.ndarray:
        """Combinations ``C [c, len(members)]`` of means as rows of coefficients, NaN where not estimable.

        A difference of two means that the data do not determine may be determined itself.
        """
        used = (C != 0).any(axis=0)
        return self.fixed.estimable(C[:, used] @ self.full[members][used])

    def labels(self) -> list[str]:
        """One text per mean, without the ``by`` columns."""
        return [
            # 0.1 + 0.2 is 0.3 for a reader
            " / ".join(f"{v:.12g}" if isinstance(v, float) else str(v) for v in row)
            for row in self.rows[list(self.specs)].itertuples(index=False)
        ]

    def groups(self) -> list[np.ndarray]:
        """Positions of the means of every ``by`` combination."""
        if not self.by:
            return [np.arange(len(self.rows))]
        codes = self.rows.groupby(list(self.by), sort=False, observed=True).ngroup().to_numpy()
        return [np.flatnonzero(codes == c) for c in range(codes.max() + 1)]


def as_names(value: Any, argument: str) -> tuple[str, ...]:
    """Column names from a string ``"a"``, ``"a:b"`` or a sequence."""
    if value is None:
        return ()
    if isinstance(value, str):
        names = tuple(v.strip() for v in value.replace("*", ":").split(":"))
    elif isinstance(value, Sequence):
        names = tuple(value)
    else:
        raise InputError(argument, value, "a column name or a list of them")
    if not names or not all(isinstance(v, str) and v for v in names):
        raise InputError(argument, value, "a column name or a list of them")
    return names


def reference_grid(
    design: Design,
    specs: Any,
    *,
    by: Any = None,
    at: Mapping[str, Any] | None = None,
    trend: str | None = None,
    weights: str = "equal",
) -> Grid:
    """Marginal means as combinations of coefficients.

    Factors that are neither in ``specs`` nor in ``by`` are averaged by ``weights``; covariates are held at their mean,
    or take the values of ``at``; one of two values (0 and 1) that is in ``specs`` or ``by`` takes both. A column
    outside the fixed part that is constant within the levels of one of its factors (a stream of ROIs) stands for the
    levels it holds.
    """
    fixed = design.fixed
    spec_names, by_names = as_names(specs, "specs"), as_names(by, "by")
    at = dict(at or {})
    known = [*fixed.factors, *fixed.covariates]
    nested = _nested_columns(design, spec_names, by_names, at)
    if trend is not None and _trend_of(trend)[0] not in fixed.covariates:
        allowed = f"a covariate of the fixed part, or log() of one: {list(fixed.covariates)}"
        raise InputError("trend", trend, allowed)
    choice("weights", weights, WEIGHTS)
    values = _all_values(design, (*spec_names, *by_names), at)
    rest = [n for n in known if n not in spec_names and n not in by_names]
    # by varies slowest, then specs; the first of several specs varies fastest, as in a table read downwards
    shown = [*reversed(by_names), *reversed(spec_names)]
    order = [*(n for n in shown if n in values), *rest]
    frame = (
        pd.DataFrame(list(product(*(values[n] for n in order))), columns=order)
        if order
        else pd.DataFrame({"row": [0.0]})
    )
    for name, (parent, place) in nested.items():
        frame[name] = frame[parent].map(place)
    X = _rows(design, frame, trend)
    w = _row_weights(design, frame, rest, shown, weights)
    codes = _row_codes(
        frame, shown, {**values, **{n: list(p.values()) for n, (_, p) in nested.items()}}
    )
    full = np.full((codes.max() + 1, X.shape[1]), np.nan)
    total = np.bincount(codes, w)
    filled = total > 0  # a mean of empty cells has no value
    sums = np.zeros_like(full)
    np.add.at(sums, codes, w[:, None] * X)
    full[filled] = sums[filled] / total[filled, None]
    first = np.unique(codes, return_index=True)[1]
    rows = frame[[*by_names, *spec_names]].iloc[first].reset_index(drop=True)
    averaged = [n for n in rest if n in fixed.factors and len(values[n]) > 1]
    level, words = _offset_level(design, at) if trend is None else (0.0, "")
    shift = np.full(len(rows), level)
    if words and design.formula.offset in frame:  # a covariate as well: one value for both
        column = frame[design.formula.offset].to_numpy(dtype=float)
        shift[filled] = np.bincount(codes, w * column)[filled] / total[filled]
        words = ""
    partial = [n for n in rest if n in at and n in fixed.factors]
    held = all_of(list(filter(None, [_held(values, rest, averaged, partial, weights), words])))
    return Grid(rows, full, spec_names, by_names, held, fixed, trend, shift)


def _nested_columns(
    design: Design, specs: tuple[str, ...], by: tuple[str, ...], at: Mapping[str, Any]
) -> dict[str, tuple[str, dict[Any, Any]]]:
    """Columns of ``specs`` and ``by`` that group the levels of a factor; names that are nothing are refused."""
    known = [*design.fixed.factors, *design.fixed.covariates]
    offset = design.formula.offset
    held = [*known, *([] if offset is None else [offset])]
    nested: dict[str, tuple[str, dict[Any, Any]]] = {}
    for argument, names in (("specs", specs), ("by", by), ("at", tuple(at))):
        for name in names:
            found = None if name in known or argument == "at" else _nested(design, name)
            if found is not None:
                nested[name] = found
            elif name not in (held if argument == "at" else known):
                raise InputError(argument, name, f"a variable of the fixed part: {known}")
    both = set(specs) & set(by)
    if both:
        raise InputError("by", sorted(both)[0], "a column that is not in specs")
    return nested


def _offset_level(design: Design, at: Mapping[str, Any]) -> tuple[float, str]:
    """What the offset adds to every mean, its own mean unless given, and the words for it."""
    name = design.formula.offset
    if design.offset is None or name is None:
        return 0.0, ""
    level = float(np.mean(at[name])) if name in at else float(design.offset.mean())
    return level, f"taken at {name} = {level:.6g}"


def _values(fixed: FixedPart, name: str, at: Mapping[str, Any]) -> list[Any]:
    """Levels of a factor, or the values a covariate takes."""
    if name not in at:
        return fixed.factors[name] if name in fixed.factors else [fixed.covariates[name]]
    given = at[name]
    single = isinstance(given, str) or not isinstance(given, Sequence | np.ndarray)
    listed = [given] if single else list(given)
    if name in fixed.factors:
        unknown = [v for v in listed if v not in fixed.factors[name]]
        if unknown:
            raise InputError(
                f"at[{name!r}]",
                unknown[0],
                f"one of {fixed.factors[name]}",
            )
    elif not all(np.isreal(v) and np.isfinite(v) for v in listed):
        raise InputError(f"at[{name!r}]", given, "finite numbers")
    return listed


def _all_values(
    design: Design, shown: tuple[str, ...], at: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """Values of every variable of the grid."""
    fixed = design.fixed
    both = {n: v for n in shown if n not in at and (v := _two_values(design, n))}
    return {n: both.get(n) or _values(fixed, n, at) for n in (*fixed.factors, *fixed.covariates)}


def _two_values(design: Design, name: str) -> list[float]:
    """Both values of a covariate that has two; empty for all others."""
    if name not in design.fixed.covariates:
        return []
    found = np.unique(design.frame[name].to_numpy(dtype=float))
    return found.tolist() if len(found) == 2 else []


def _nested(design: Design, name: str) -> tuple[str, dict[Any, Any]] | None:
    """Factor whose levels a column groups, and the group of every level; None where there is no such factor."""
    column = design.column(name)
    if column is None or column.isna().any():
        return None
    for factor, levels in design.fixed.factors.items():
        pairs = pd.DataFrame({"level": design.frame[factor].to_numpy(), "group": column.to_numpy()})
        pairs = pairs.drop_duplicates()
        if not pairs["level"].duplicated().any():
            place = dict(zip(pairs["level"], pairs["group"], strict=True))
            return factor, {v: place[v] for v in levels}
    return None


def _row_codes(
    frame: pd.DataFrame, shown: list[str], values: Mapping[str, list[Any]]
) -> np.ndarray:
    """Number of the mean every row of the grid belongs to, in the order of the levels."""
    codes = np.zeros(len(frame), dtype=np.int64)
    for name in shown:
        levels = list(dict.fromkeys(values[name]))
        place = {v: i for i, v in enumerate(levels)}
        codes = codes * len(levels) + frame[name].map(place).to_numpy(dtype=np.int64)
    return np.unique(codes, return_inverse=True)[1]


def _row_weights(
    design: Design, frame: pd.DataFrame, rest: list[str], shown: list[str], weights: str
) -> np.ndarray:
    """Weight of every row of the grid in the mean it belongs to."""
    factors = design.fixed.factors
    averaged = [n for n in rest if n in factors]
    if weights == "equal" or not averaged:
        return np.ones(len(frame))
    if weights == "outer":
        w = np.ones(len(frame))
        for name in averaged:
            w *= (
                frame[name]
                .map(design.frame[name].astype(object).value_counts())
                .fillna(0)
                .to_numpy(dtype=float)
            )
        return w
    cells = averaged if weights == "proportional" else [n for n in (*shown, *rest) if n in factors]
    counts = design.frame[cells].astype(object).value_counts()
    w = np.array(
        [counts.get(key, 0) for key in frame[cells].itertuples(index=False, name=None)], dtype=float
    )
    return np.asarray(w > 0, dtype=float) if weights == "flat" else w


def _held(
    values: Mapping[str, list[Any]],
    rest: list[str],
    averaged: list[str],
    partial: list[str],
    weights: str,
) -> str:
    """What means are averaged over or held at, in words; ``partial``: factors of which levels were chosen."""

    def levels(n: str) -> str:
        return ", ".join(map(str, values[n]))

    words = []
    if averaged:
        over = [f"{n} ({levels(n)})" if n in partial else n for n in averaged]
        words.append(f"averaged over {all_of(over)} {WEIGHTS[weights]}")
    numbers = [
        n
        for n in rest
        if n not in averaged and n not in partial and not isinstance(values[n][0], str)
    ]
    told = {n: f"{n} = {all_of([f'{v:.6g}' for v in values[n]])}" for n in numbers}
    words += [f"averaged over {told[n]}" for n in numbers if len(values[n]) > 1]
    held = [f"{n} = {levels(n)}" for n in partial if n not in averaged]
    held += [told[n] for n in numbers if len(values[n]) == 1]
    if held:
        words.append(f"taken at {all_of(held)}")
    return all_of(words)


def _trend_of(trend: str) -> tuple[str, bool]:
    """Covariate of a slope, and whether it is over its logarithm."""
    found = re.fullmatch(r"\s*log\((.+)\)\s*", trend)
    return (found.group(1).strip().strip("`"), True) if found else (trend, False)


def _rows(design: Design, frame: pd.DataFrame, trend: str | None) -> np.ndarray:
    """Fixed columns of the grid, or their derivative in a covariate (central difference)."""
    fixed = design.fixed
    if trend is None:
        return fixed.all_rows(frame)
    trend, over_log = _trend_of(trend)
    if over_log:
        x = frame[trend].astype(float)
        if not (x > 0).all():
            raise InputError(
                "trend", f"log({trend})", f"{trend} above 0 (it is {x.min():.6g} here)"
            )
        factor = np.exp(1e-4)
        ends = (frame.assign(**{trend: x * factor}), frame.assign(**{trend: x / factor}))
        return (fixed.all_rows(ends[0]) - fixed.all_rows(ends[1])) / 2e-4
    # columns are smooth in the covariate: a central difference is off by step^2, a one-sided one by step; the step is
    # in the unit of the covariate
    step = 1e-4 * float(np.std(design.frame[trend].to_numpy(dtype=float)))
    up, down = frame.copy(), frame.copy()
    up[trend] = frame[trend].astype(float) + step
    down[trend] = frame[trend].astype(float) - step
    return (fixed.all_rows(up) - fixed.all_rows(down)) / (2 * step)
