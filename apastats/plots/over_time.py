"""Figures over time: estimates of models, ceilings and tests of maps as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from apastats.errors import InputError
from apastats.plots.curves import layer_curves
from apastats.plots.drawn_rows import axis_words, chosen, deciding
from apastats.plots.style import MUTED, label, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["of_time", "over_time"]

TIME = "time"
LINES = ("contrast", "model", "term", "level", "roi", "unit", "metric", "split", "bound")
MOST = 12  # lines that can be told apart


def of_time(table: pd.DataFrame) -> bool:
    """Whether rows are of three time points or more, which are numbers."""
    if TIME not in table.columns or "estimate" not in table.columns:
        return False
    times = pd.to_numeric(table[TIME], errors="coerce")
    return bool(times.notna().all() and times.nunique() > 2)


def over_time(
    result: Any, ax: Axes | None, *, where: Any = None, labels: Any = None, colors: Any = None,
    interval: str = "deciding", outcome: str | None = None, ceilings: Any = None, title: str = "",
) -> Axes:  # fmt: skip
    """Estimates over time with their intervals; what a test of a map shows as larger marks.

    One line for every model (contrast, ...) and region; ``ceilings`` are drawn dashed.
    """
    table = deciding(result, interval) if "conf_low" in result.table.columns else result.table
    frame, _ = chosen(table, where)
    frame = frame.assign(**{TIME: pd.to_numeric(frame[TIME])})
    told = [c for c in LINES if c in frame.columns and frame[c].nunique() > 1]
    lines = _named(frame, told, labels)
    if lines.nunique() > MOST:
        raise InputError("where", where, f"columns of {told} and a value, for {MOST} lines at most")
    said = axis_words(result, frame, False) if outcome is None else outcome
    ax = layer_curves(
        frame.assign(_line=lines),
        ax=ax,
        x=TIME,
        line="_line",
        colors=colors,
        outcome=said,
        title=title,
    )
    given = ceilings if isinstance(ceilings, (list, tuple)) else [ceilings]
    for k, c in enumerate(v for v in given if v is not None):
        _ceiling(ax, c, frame, ("--", ":", "-.")[k % 3])
    if "decision" in frame.columns:
        shown = frame[~frame["decision"].isin(["undecided", ""])]
        ax.scatter(shown[TIME], shown["estimate"], s=34, color=MUTED, zorder=4, label="shown")
    legend(ax, loc="best")
    return ax


def _named(frame: pd.DataFrame, columns: list[str], labels: Any) -> pd.Series:
    if not columns:
        return pd.Series("estimate", index=frame.index)
    names = dict(labels or {})
    parts = [frame[c].map(lambda v: str(names.get(v, label(v)))) for c in columns]
    return pd.Series([", ".join(row) for row in zip(*parts, strict=True)], index=frame.index)


def _ceiling(ax: Axes, ceiling: Any, frame: pd.DataFrame, style: str) -> None:
    """A noise ceiling of the regions that are drawn."""
    if getattr(ceiling, "kind", "") != "noise_ceiling" or TIME not in ceiling.table.columns:
        raise InputError("ceilings", type(ceiling).__name__, "noise ceilings over time")
    part = ceiling.table.assign(**{TIME: pd.to_numeric(ceiling.table[TIME])})
    if "roi" in frame.columns:
        part = part[part["roi"].isin(frame["roi"].unique())]
    for k, (_, rows) in enumerate(part.groupby(["roi", "bound"], sort=False)):
        rows = rows.sort_values(TIME)
        words = "noise ceiling" if k == 0 else None
        ax.plot(np.asarray(rows[TIME]), rows["estimate"], style, color=MUTED, label=words)
