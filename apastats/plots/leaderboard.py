"""Models in order with the places they can have, tiers, and the scores they lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from apastats.errors import InputError
from apastats.plots.rows import need
from apastats.plots.style import GRID, INK, MUTED, PALETTE, finish, legend, new_axes, rows_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["leaderboard"]

NAMED = 60  # more models than these are not named
TALLEST = 9.0  # inches


def leaderboard(
    frame: pd.DataFrame,
    seen: np.ndarray | None = None,
    *,
    ax: Axes | None = None,
    rows: str = "model",
    show_legend: bool = True,
    title: str = "",
) -> Axes:
    """Places with joint (thin) and marginal (thick) intervals, tiers in two shades, holes at the right.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows, place, place_low, place_high`` and optionally ``place_low_marginal, place_high_marginal, tier``,
        from top to bottom.
    seen : numpy.ndarray, optional
        ``[n_row, n_item]``, whether there is a score; holes stay white.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rows : str
        Column that names the rows; with more than 60 every so many is numbered instead.
    show_legend : bool
        Whether there is a legend.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    need(frame, rows, "place", "place_low", "place_high")
    n = len(frame)
    if seen is not None and np.shape(seen)[0] != n:
        raise InputError("seen", f"{np.shape(seen)[0]} rows", f"{n} rows, as many as the table")
    ax = new_axes(ax, 6.4, min(TALLEST, max(1.6, 0.9 + 0.2 * n)))
    y = np.arange(n)
    named = n <= NAMED
    width = 1.0 if named else max(0.35, 60 / n)
    tier = frame["tier"].to_numpy() if "tier" in frame.columns else np.ones(n, dtype=int)
    shades = np.array([PALETTE[0], PALETTE[1]])[(tier - 1) % 2]
    low, high, place = (frame[c].to_numpy("f8") for c in ("place_low", "place_high", "place"))
    ax.hlines(
        y, low - 0.4, high + 0.4, color=shades, linewidth=1.1 * width, zorder=2, label="jointly"
    )
    if "place_low_marginal" in frame.columns:
        a, b = (frame[f"place_{end}_marginal"].to_numpy("f8") for end in ("low", "high"))
        ax.hlines(y, a - 0.4, b + 0.4, color=shades, linewidth=3.4 * width, alpha=0.55, zorder=3,
                  label="each by itself")  # fmt: skip
    ax.scatter(place, y, s=16 if named else 3, color=INK, linewidths=0, zorder=4, label="place")
    for at in np.flatnonzero(np.diff(tier)):
        ax.axhline(at + 0.5, color=GRID, linewidth=0.8, zorder=1)
    if named:
        rows_axis(ax, list(frame[rows]))
    else:
        ax.set_ylim(n - 0.5, -0.5)
        step = 10 ** max(0, int(np.log10(n)) - 1) * (5 if n >= 300 and n < 1000 else 1)
        ticks = np.unique(np.concatenate([[0], np.arange(step - 1, n, step)]))
        ax.set_yticks(ticks, [str(t + 1) for t in ticks])
        ax.set_ylabel("models in order")
    ax.set_xlim(0.2, n + 0.8)
    ax.locator_params(axis="x", integer=True)
    if seen is not None:
        beside = ax.inset_axes((1.02, 0.0, 0.22, 1.0))
        beside.imshow(np.where(seen, 1.0, 0.0), aspect="auto", cmap="Greys", vmin=0, vmax=1.6, interpolation="nearest",
                      extent=(0, np.shape(seen)[1], n - 0.5, -0.5))  # fmt: skip
        beside.set_ylim(ax.get_ylim())
        beside.set(xticks=[], yticks=[])
        if not title:
            # away from the numbers of the places
            beside.xaxis.set_label_position("top")
        beside.set_xlabel(f"{np.shape(seen)[1]} items", color=MUTED)
        for side in beside.spines.values():
            side.set_color(GRID)
    if show_legend:
        legend(ax, below=0.55)
    return finish(ax, x="place (1 is the best)", title=title)
