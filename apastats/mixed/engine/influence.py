"""What a fit owes to single levels of a grouping: it is made again without each of them."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from apastats.errors import AliasedWarning, DesignError, InputError
from apastats.mixed.engine.core import Fitted, fit_design
from apastats.mixed.engine.design import build_design

__all__ = ["influence_table"]


def influence_table(fitted: Fitted, group: str) -> pd.DataFrame:
    """Coefficients without each level of a column, their change in standard errors, and Cook's distance.

    DFBETAS = (b - b_(i)) / SE(b) with the standard error of the full fit; Cook's distance
    (b - b_(i))' V^-1 (b - b_(i)) / p (Cook 1977, Technometrics 19, 15; for mixed models Nieuwenhuis, te Grotenhuis and
    Pelzer 2012, R Journal 4(2), 38).
    """
    design = fitted.design
    if design.weights is not None:
        raise InputError("group", group, "a fit without weights")
    column = design.column(group)
    if column is None:
        raise InputError("group", group, f"a column among {list(map(str, design.source.columns))}")
    rows = design.source.iloc[design.positions]
    labels = column.astype(str).to_numpy()
    levels = list(dict.fromkeys(sorted(labels)))
    if len(levels) < 3:
        raise DesignError(f"{group!r} has {len(levels)} levels: nothing is left to fit without one")
    names = list(design.fixed.names)
    beta, vcov = fitted.beta, fitted.vcov
    se = np.sqrt(np.diag(vcov))
    out = []
    for level in levels:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AliasedWarning)
            smaller = build_design(
                design.formula, rows[labels != level], residual_by=design.residual_by
            )
        left = fit_design(smaller, reml=fitted.reml)
        b = dict(zip(smaller.fixed.names, left.beta, strict=True))
        without = np.array([b.get(name, np.nan) for name in names])
        # one contour of the joint confidence region of all coefficients: how far a level moves the estimate, in its
        # own error
        change = beta - without
        cook = float(change @ np.linalg.solve(vcov, change)) / len(beta)
        for j, name in enumerate(names):
            out.append((level, name, without[j], change[j], change[j] / se[j], cook))
    columns = [group, "term", "estimate", "change", "dfbetas", "cooks_distance"]
    return pd.DataFrame(out, columns=columns)
