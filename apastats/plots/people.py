"""Candidates among people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from apastats.plots.rows import height_of, need
from apastats.plots.style import INK, MARGIN, MUTED, finish, legend, new_axes, rows_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["among_people"]


def among_people(
    frame: pd.DataFrame,
    people: np.ndarray,
    *,
    ax: Axes | None = None,
    rows: str = "model",
    colors: Mapping[str, str] | None = None,
    outcome: str = "mean over people",
    show_legend: bool = True,
    show_names: bool = True,
    title: str = "",
) -> Axes:
    """Mean of every candidate among those of people, with the interval for one more person.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows, mean_model, mean_person, person_low, person_high``.
    people : numpy.ndarray, shape (n, n_row)
        Means of the people as candidates.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rows : str
        Column that names the rows.
    colors : mapping of str to str, optional
        Colour by row name.
    outcome : str
        Label of the x axis.
    show_legend, show_names : bool
        Whether there is a legend, and names of rows.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    need(frame, rows, "mean_model", "mean_person", "person_low", "person_high")
    ax = new_axes(ax, 6.4, height_of(len(frame)))
    y = np.arange(len(frame))
    low, high = (frame[c].to_numpy("f8") for c in ("person_low", "person_high"))
    shade = [(colors or {}).get(str(n), INK) for n in frame[rows]]
    ax.barh(y, high - low, left=low, height=0.8, color=MARGIN, alpha=0.25, linewidth=0, zorder=0,
            label="one more person")  # fmt: skip
    ax.vlines(frame["mean_person"], y - 0.4, y + 0.4, color=MUTED, linewidth=1.2, zorder=1)
    ax.scatter(people.T, np.repeat(y[:, None], len(people), 1), s=10, color=MUTED, alpha=0.6, linewidths=0,
               zorder=2, label="people")  # fmt: skip
    ax.scatter(frame["mean_model"], y, s=34, marker="D", color=shade, zorder=4, label="model")
    rows_axis(ax, list(frame[rows]), show=show_names)
    if show_legend:
        legend(ax, below=0.55)
    return finish(ax, x=outcome, title=title)
