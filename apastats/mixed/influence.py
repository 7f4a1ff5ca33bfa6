"""The result of ``LmmResult.influence``: what a fit owes to single subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from apastats.errors import InputError
from apastats.mixed.engine.core import Fitted
from apastats.mixed.engine.influence import influence_table
from apastats.results import Result
from apastats.words import Info

__all__ = ["InfluenceResult", "influence_of"]


@dataclass(frozen=True, eq=False, repr=False)
class InfluenceResult(Result):
    """Fits without each level of a column.

    ``table`` has one row per level and term (coefficient, mean or contrast): the column, ``term, estimate, std_error,
    df, p_value, conf_low, conf_high, conf_level`` of the fit without the level, ``full`` (the estimate of all rows),
    ``change`` (all rows minus without), ``dfbetas`` (in standard errors of the full fit), ``cooks_distance`` (of the
    level). ``plot()`` shows Cook's distances, ``plot(term=...)`` one term without each level.
    """

    kind: ClassVar[str] = "influence"


def influence_of(
    fitted: Fitted, group: str, of: Any, *, info: Info, provenance: Any, notes: tuple[str, ...]
) -> InfluenceResult:
    """Leave out each level of ``group``; rows are coefficients, or the means or contrasts of ``of``."""
    rows, labels = _followed(fitted, of)
    method, level = str(info["df_method"]), float(info["conf_level"])
    table = influence_table(fitted, group, rows, labels, df=method, conf_level=level)
    said = Info(
        estimand="estimate without a level",
        method=f"the mixed model fitted again without each level of {group}",
        formula=info.formula,
        outcome=info.outcome,
        statistic=info.statistic,
        null=info.null,
        null_value=info.null_value,
        alternative="two-sided",
        resampled=info.resampled,
        held_fixed=info.held_fixed,
        n_subject=info.n_subject,
        conf_level=level,
        extra={"group": group, "n_level": int(table[group].nunique()), "df_method": method},
    )
    return InfluenceResult(table, said, provenance, {}, notes)


def _followed(fitted: Fitted, of: Any) -> tuple[np.ndarray, list[str]]:
    """Combinations of coefficients that are followed, and their names."""
    if of is None:
        return np.eye(fitted.design.p), list(fitted.design.fixed.names)
    grid, inference = getattr(of, "grid", None), getattr(of, "inference", None)
    if grid is None or inference is None:
        raise InputError("of", type(of).__name__, "means or contrasts of this fit, made by emmeans")
    if not np.array_equal(inference.beta, fitted.beta):
        raise InputError("of", "means of another fit", "means or contrasts of this fit")
    if np.any(grid.shift):
        raise InputError("of", "means with an offset", "contrasts of them")
    labels = grid.labels()
    if grid.by:
        place = grid.rows[list(grid.by)].astype(str).agg(" / ".join, axis=1)
        labels = [f"{name} ({where})" for name, where in zip(labels, place, strict=True)]
    L = grid.L
    known = ~np.isnan(L).any(axis=1)
    return L[known], [name for name, use in zip(labels, known, strict=True) if use]
