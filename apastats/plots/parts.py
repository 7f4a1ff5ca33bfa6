"""Parts of explained variance as stacked bars, a bar per region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from apastats.plots.rows import height_of, need
from apastats.plots.style import BAND, INK, MUTED, PALETTE, finish, legend, new_axes, rows_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["stacked_parts"]

MOST = 9  # parts with colours of their own


def stacked_parts(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    rows: str = "roi",
    colors: Mapping[str, str] | None = None,
    outcome: str = "share of variance explained",
    show_legend: bool = True,
    show_names: bool = True,
    title: str = "",
) -> Axes:
    """Unique and shared (or added) parts of every region, each with its interval, and the noise ceiling of the total.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows, part, model, estimate, conf_low, conf_high`` and, where known, ``ceiling_lower,
        ceiling_upper``; rows of the part "total" are drawn as a mark.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rows : str
        Column that names the bars.
    colors : mapping of str to str, optional
        Colour by model (of a unique or added part).
    outcome, title : str
        Texts.
    show_legend, show_names : bool
        Whether there is a legend, and names of the bars.

    Returns
    -------
    matplotlib.axes.Axes

    Notes
    -----
    A part lies where the one before it ends, negative ones to the left of 0; its interval is drawn at its end, below
    one another. More than 9 parts: the shared ones are added up, without an interval.
    """
    need(frame, rows, "part", "model", "estimate", "conf_low", "conf_high")
    names = list(dict.fromkeys(frame[rows].astype(str)))
    parts = list(
        dict.fromkeys(
            (str(p), str(m))
            for p, m in zip(frame["part"], frame["model"], strict=True)
            if p != "total"
        )
    )
    shown = frame.assign(_row=frame[rows].astype(str))
    if len(parts) > MOST:
        shown, parts = _summed(shown, parts)
    ax = new_axes(ax, 6.8, height_of(len(names), 0.5) + 0.4)
    y = np.arange(len(names))
    own = [m for p, m in parts if p != "shared"]
    shades = {m: PALETTE[k % len(PALETTE)] for k, m in enumerate(own)} | dict(colors or {})
    greys = [BAND, "#c6ccd2", "#7a838c", "#e1e5e9"]
    right, left = np.zeros(len(names)), np.zeros(len(names))
    shared = 0
    for k, (part, model) in enumerate(parts):
        some = shown[(shown["part"] == part) & (shown["model"].astype(str) == model)]
        some = some.set_index("_row").reindex(names)
        value = some["estimate"].to_numpy("f8")
        start = np.where(value >= 0, right, left)
        if part == "shared":
            color, label = greys[shared % len(greys)], f"shared: {model}"
            shared += 1
        else:
            color, label = shades[model], f"{model} {'alone' if part == 'unique' else 'added'}"
        ax.barh(y, np.nan_to_num(value), left=start, height=0.62, color=color, linewidth=0, zorder=1,
                label=label)  # fmt: skip
        low, high = (some[c].to_numpy("f8") for c in ("conf_low", "conf_high"))
        at = y - 0.22 + 0.44 * (k + 0.5) / len(parts)
        there = np.isfinite(low) & np.isfinite(high)
        ax.hlines(
            at[there],
            (start + low)[there],
            (start + high)[there],
            color=INK,
            linewidth=1.0,
            zorder=3,
        )
        right = right + np.where(value > 0, value, 0.0)
        left = left + np.where(value < 0, value, 0.0)
    total = shown[shown["part"] == "total"].set_index("_row").reindex(names)
    if "ceiling_lower" in total.columns and total["ceiling_lower"].notna().any():
        bounds = [total[c].to_numpy("f8") for c in ("ceiling_lower", "ceiling_upper")]
        ax.vlines(
            bounds[0],
            y - 0.42,
            y + 0.42,
            color=MUTED,
            linewidth=1.4,
            zorder=4,
            label="ceiling, lower",
        )
        ax.vlines(bounds[1], y - 0.42, y + 0.42, color=MUTED, linewidth=1.4, linestyle="--", zorder=4,
                  label="ceiling, upper")  # fmt: skip
    if total["estimate"].notna().any():
        ax.scatter(total["estimate"], y, s=26, marker="D", color=INK, zorder=5, label="total")
    rows_axis(ax, names, show=show_names)
    if show_legend:
        legend(ax, below=0.55)
    return finish(ax, x=outcome, title=title)


def _summed(
    frame: pd.DataFrame, parts: list[tuple[str, str]]
) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """Shared parts of every bar added up."""
    shared = frame[frame["part"] == "shared"].groupby("_row", sort=False)["estimate"].sum()
    one = pd.DataFrame(
        {
            "_row": shared.index,
            "part": "shared",
            "model": "two or more models",
            "estimate": shared.to_numpy(),
            "conf_low": np.nan,
            "conf_high": np.nan,
        }
    )
    kept = frame[frame["part"] != "shared"]
    rest = [p for p in parts if p[0] != "shared"]
    return pd.concat([kept, one], ignore_index=True), [*rest, ("shared", "two or more models")]
