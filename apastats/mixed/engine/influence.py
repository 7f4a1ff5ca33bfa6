"""What a fit owes to single levels of a grouping: it is made again without each of them."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd

from apastats.errors import ApaError, ApaWarning, DesignError, InputError
from apastats.mixed.engine.core import Fitted, fit_design
from apastats.mixed.engine.design import Design, build_design
from apastats.mixed.engine.summaries import coefficient_table

__all__ = ["influence_table"]


def influence_table(
    fitted: Fitted, group: str, L: np.ndarray, labels: list[str], *, df: str, conf_level: float
) -> pd.DataFrame:
    """Combinations ``L [m, p]`` of coefficients without each level of a column, and Cook's distance of the level.

    DFBETAS = l'(b - b_(i)) / SE(l'b) with the standard error of the full fit; Cook's distance
    (b - b_(i))' V^-1 (b - b_(i)) / p (Cook 1977, Technometrics 19, 15; for mixed models Nieuwenhuis, te Grotenhuis and
    Pelzer 2012, R Journal 4(2), 38).
    """
    design = fitted.design
    column = design.column(group)
    if column is None:
        raise InputError("group", group, f"a column among {list(map(str, design.source.columns))}")
    names = column.astype(str).to_numpy()
    levels = sorted(set(names))
    if len(levels) < 3:
        raise DesignError(f"{group!r} has {len(levels)} levels: nothing is left to fit without one")
    beta, vcov = fitted.beta, fitted.vcov
    full = fitted.inference(df)
    se = full.std_errors(L)
    frames = []
    for level in levels:
        smaller = _without(design, names != level)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ApaWarning)
            try:
                left = fit_design(smaller, reml=fitted.reml)
            except ApaError as error:
                raise DesignError(f"without {level!r} of {group!r}: {error}") from error
        own = smaller.fixed.estimable(np.eye(len(beta)))
        without = own @ left.beta
        change = beta - without
        cook = float(change @ np.linalg.solve(vcov, change)) / len(beta)
        # what the rows left do not determine has no value
        rows = smaller.fixed.estimable(L)
        inference = left.inference(df)
        found = coefficient_table(
            labels, rows @ left.beta, inference.std_errors(rows), inference.dfs(rows), conf_level
        )
        found.insert(0, group, level)
        whole = L @ beta
        frames.append(
            found.drop(columns="statistic").assign(
                full=whole,
                change=whole - found["estimate"],
                dfbetas=(whole - found["estimate"]) / se,
                cooks_distance=cook,
            )
        )
    return pd.concat(frames, ignore_index=True)


def _without(design: Design, keep: np.ndarray) -> Design:
    """The design of some rows, its fixed columns those of all rows: bases of splines and references stay the same."""
    rows = design.source.iloc[design.positions][keep]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ApaWarning)
        smaller = build_design(
            design.formula, rows, residual_by=design.residual_by,
            weights=None if design.weights is None else design.weights[keep],
        )  # fmt: skip
    # without its reference level a factor would get another one, and coefficients of the same name another meaning
    return replace(smaller, fixed=design.fixed.of_rows(keep))
