"""Interactions of fixed effects with groupings that a model leaves out although the data show them.

Where the levels of a fixed factor all occur within the levels of a grouping (models within subjects), its effect may
differ from level to level. A model without that interaction tests the effect against the residual, as if every row
were a replicate of its own (Barr and others 2013, J. Mem. Lang. 68, 255).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import chdtrc, fdtrc

from apastats.errors import ApaError, ApaWarning
from apastats.mixed.engine.core import Fitted, fit_design, row_precisions
from apastats.mixed.engine.design import Design, build_design, build_groupings
from apastats.mixed.engine.formula import RandomTerm

__all__ = ["LeftOut", "left_out_interactions"]

LEVEL = 0.01
MOST_EFFECTS = 800  # of a fit that is made to look for them; its cost grows with the third power
FEW_LEVELS = 20
LOOK = 0.05  # of the cheap look that decides whether a fit is made
ROUNDING = 1e-12


@dataclass(frozen=True)
class LeftOut:
    """A term that is missing: what crosses which grouping, the likelihood ratio for adding it, the rows looked at."""

    term: str
    grouping: str
    formula: str
    statistic: float
    p_value: float
    part: str = ""


def left_out_interactions(fitted: Fitted, settled: tuple[str, ...] = ()) -> list[LeftOut]:
    """Interactions that are left out and in the data, the largest first.

    Parameters
    ----------
    fitted : Fitted
    settled : tuple of str
        Groupings whose levels are the ones meant: effects may differ between them.

    Returns
    -------
    list of LeftOut
        Those whose variance has a likelihood-ratio p-value below 0.01 (half that of chi-squared with one df, as the
        null value lies on the boundary).
    """
    found = []
    whole, design = fitted, fitted.design
    for columns, factors, grouping in _candidates(design):
        if grouping in settled:
            continue
        codes = _cell_codes(design, columns)
        inside = [g.n_levels for g in design.groupings if set(g.columns) < set(columns)]
        spent = _cell_codes(design, factors).max() + sum(inside)
        if not _between_cells(whole, codes, int(spent)) < LOOK:
            continue
        smaller, part = _some_levels(whole, columns)
        term = RandomTerm(("1",), True, columns)
        formula = smaller.design.formula.rebuilt(random=(*smaller.design.formula.random, term))
        larger = replace(
            smaller.design,
            formula=formula,
            groupings=build_groupings(formula, smaller.design.frame),
        )
        try:
            more = fit_design(larger, reml=whole.reml, polish=False).loglik
        except ApaError:
            more = (
                np.inf
            )  # nothing is left for the residual: rows of a cell are copies of one another
        statistic = 2 * (more - smaller.loglik)
        p = 0.5 * float(chdtrc(1, max(statistic, 0.0)))
        if p < LEVEL:
            found.append(LeftOut(":".join(factors), grouping, term.text, statistic, p, part))
    return sorted(found, key=lambda v: -v.statistic)


def _some_levels(fitted: Fitted, cells: tuple[str, ...]) -> tuple[Fitted, str]:
    """A fit of some levels of the columns that have most, where all of them and ``cells`` would cost as many fits."""
    design = fitted.design
    columns = {c for g in design.groupings if not g.members for c in g.columns}
    names = sorted((columns | set(design.fixed.factors)) & set(design.frame.columns))
    terms = [g.columns for g in design.groupings if not g.members]
    labels = {c: pd.factorize(design.frame[c], sort=True)[0] for c in names}
    full = {c: int(v.max()) + 1 for c, v in labels.items()}
    kept = np.ones(design.n, dtype=bool)
    left = dict(full)
    while True:
        rows = {c: v[kept] for c, v in labels.items()}
        effects = design.p + sum(_n_cells([rows[c] for c in t]) for t in (*terms, cells))
        column = max(left, key=lambda c: left[c], default="")
        if effects <= MOST_EFFECTS or not column or left[column] <= FEW_LEVELS:
            break
        # evenly over the levels in the order of their names, whatever that of the rows
        n = max(FEW_LEVELS, left[column] // 2)
        some = np.unique(rows[column])
        kept &= np.isin(labels[column], some[np.linspace(0, len(some) - 1, n).astype(int)])
        left[column] = n
    if kept.all():
        return fitted, ""
    weights = None if design.weights is None else design.weights[kept]
    part = design.source.iloc[design.positions][kept]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ApaWarning)
            smaller = build_design(
                design.formula, part, residual_by=design.residual_by, weights=weights
            )
            said = [f"{left[c]} of {full[c]} levels of {c}" for c in names if left[c] < full[c]]
            return fit_design(smaller, reml=fitted.reml), f"in {' and '.join(said)}"
    except ApaError:  # too little is left of the rows to fit
        return fitted, ""


def _n_cells(codes: list[np.ndarray]) -> int:
    """Number of combinations of levels that occur."""
    found = codes[0]
    for more in codes[1:]:
        found = pd.factorize(found * (int(more.max()) + 1) + more)[0]
    return len(np.unique(found))


def _candidates(design: Design) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], str]]:
    """Columns of a missing grouping, the fixed factors in it, the grouping they cross."""
    present = [frozenset(g.columns) for g in design.groupings if not g.members]
    slopes = [
        (frozenset(g.columns), frozenset(v for t in design.formula.random if t.group == g.columns for v in t.effects))
        for g in design.groupings
    ]  # fmt: skip
    terms = [t.split(":") for t, _ in design.fixed.terms]
    factorial = [tuple(t) for t in terms if all(v in design.fixed.factors for v in t)]
    seen: set[frozenset[str]] = set()
    for g in design.groupings:
        if g.members:
            continue
        for factors in factorial:
            columns = frozenset(g.columns) | frozenset(factors)
            if columns in seen or columns in present or set(factors) & set(g.columns):
                continue
            if any(
                group == frozenset(g.columns) and _contains(effects, factors)
                for group, effects in slopes
            ):
                continue  # (0 + model | subject) is the same interaction
            seen.add(columns)
            ordered = (*factors, *g.columns)
            if _crosses(design, factors, g.columns, ordered):
                yield ordered, factors, g.name


def _contains(effects: frozenset[str], factors: tuple[str, ...]) -> bool:
    """Whether the effects that vary by a grouping hold a whole combination of factors."""
    names = {frozenset(e.split(":")) for e in effects}
    wanted = frozenset(factors)
    parts = [
        frozenset(c) for k in range(1, len(wanted) + 1) for c in combinations(sorted(wanted), k)
    ]
    return wanted in names and all(p in names for p in parts)


def _cell_codes(design: Design, columns: tuple[str, ...]) -> np.ndarray:
    codes = np.zeros(design.n, dtype=np.int64)
    for name in columns:
        more, levels = pd.factorize(design.frame[name])
        codes = pd.factorize(codes * len(levels) + more)[0].astype(np.int64)
    return codes


def _crosses(
    design: Design, factors: tuple[str, ...], group: tuple[str, ...], both: tuple[str, ...]
) -> bool:
    """Whether the factors vary within the grouping, with several rows per combination."""
    inner, outer, cell = (_cell_codes(design, c) for c in (factors, group, both))
    n_inner, n_outer, n_cell = (int(c.max()) + 1 for c in (inner, outer, cell))
    if n_cell in (n_inner, n_outer) or n_cell > 0.9 * design.n:
        return False
    # a factor whose levels lie in one level of the grouping each says nothing about their interaction
    return n_cell > n_outer and n_cell > n_inner


def _between_cells(fitted: Fitted, codes: np.ndarray, spent: int) -> float:
    """P of an analysis of variance of the residuals between the cells: a cheap look before a fit is made."""
    design = fitted.design
    e = (design.y - fitted.fitted_values) * np.sqrt(row_precisions(design, fitted.precisions))
    counts = np.bincount(codes)
    between = float((np.bincount(codes, e) ** 2 / counts).sum())
    within = float(e @ e) - between
    cells = len(counts)
    free = max(1, cells - spent)
    if within <= ROUNDING * between:  # all rows of a cell are copies of one another
        return 0.0
    return float(fdtrc(free, design.n - cells, between / free / (within / (design.n - cells))))
