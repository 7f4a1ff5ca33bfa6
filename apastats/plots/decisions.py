"""Figures of decisions: how they change with the margin or the analysis, compact letters, identification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from apastats.errors import InputError
from apastats.plots.grids import heatmap, name_sides
from apastats.plots.panel import block_size, size_of, width_of_page, wrapped
from apastats.plots.rows import height_of, need
from apastats.plots.style import (
    DECISIONS,
    GRID,
    INK,
    MARKERS,
    MUTED,
    PALETTE,
    color_of,
    finish,
    label,
    legend,
    new_axes,
    rc,
    rows_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["identification", "letters", "margin_curve", "sensitivity"]


def margin_curve(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    value: str | None = None,
    line: str | None = None,
    alpha: float | None = None,
    margin: float | None = None,
    colors: Mapping[str, str] | None = None,
    title: str = "",
) -> Axes:
    """What would be concluded at each margin.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``margin`` and ``value``: a p-value of equivalence, or a number of models.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    value : str, optional
        Column of the height; ``p_value_equiv_adjusted``, ``p_value_equiv``, ``n_equivalent`` or ``share``
        where None.
    line : str, optional
        Column that tells lines apart.
    alpha : float, optional
        Level, as a line.
    margin : float, optional
        The margin stated, as a line.
    colors : mapping of str to str, optional
        Colour by line.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    candidates = ("p_value_equiv_adjusted", "p_value_equiv", "n_equivalent", "share", "estimate")
    height = value or next((c for c in candidates if c in frame.columns), candidates[0])
    need(frame, "margin", height)
    name = line or next(
        (c for c in ("contrast", "model", "roi") if c in frame.columns and frame[c].nunique() > 1),
        None,
    )
    ax = new_axes(ax, 5.6, 3.6)
    parts = [("", frame)] if name is None else list(frame.groupby(name, sort=False))
    is_p = height.startswith("p_value")
    few = len(parts) <= 10
    for i, (key, part) in enumerate(parts):
        part = part.sort_values("margin")
        ax.plot(
            part["margin"],
            part[height],
            drawstyle="default" if is_p else "steps-post",
            color=(colors or {}).get(str(key), PALETTE[i % len(PALETTE)]),
            linewidth=1.5 if few else 0.8,
            label=label(key) if few and key else None,
        )
    if alpha is not None and is_p:
        ax.axhline(alpha, color=MUTED, linewidth=1.0, linestyle="--", label=f"level {alpha:g}")
    if margin is not None:
        ax.axvline(margin, color=INK, linewidth=1.0, linestyle=":", label="stated margin")
    if is_p:
        ax.set_ylim(-0.02, 1.02)
    legend(ax, beside=True)
    words = {"n_equivalent": "models inside the margin", "share": "share inside the margin"}
    return finish(
        ax,
        x="margin",
        y=words.get(height, "p of equivalence" if is_p else height),
        title=title,
        grid="both",
    )


def letters(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    rows: str = "model",
    column: str = "letters",
    colors: Mapping[str, str] | None = None,
    outcome: str = "mean score",
    title: str = "",
) -> Axes:
    """Compact letters: models that share a letter were not shown to differ (which is not equivalence).

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows`` and ``column``, optionally ``estimate, conf_low, conf_high``.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rows, column : str
        Columns of names and of letters.
    colors : mapping of str to str, optional
        Colour by row name.
    outcome : str
        Label of the x axis.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    need(frame, rows, column)
    ax = new_axes(ax, 6.4, height_of(len(frame)))
    y = np.arange(len(frame))
    alphabet = sorted({c for text in frame[column].astype(str) for c in text if not c.isspace()})
    shade = [color_of(n, colors) for n in frame[rows]]
    if "estimate" in frame.columns:
        if {"conf_low", "conf_high"} <= set(frame.columns):
            ax.hlines(
                y, frame["conf_low"], frame["conf_high"], color=shade, linewidth=1.8, zorder=2
            )
        ax.scatter(
            frame["estimate"], y, s=28, color=shade, edgecolors="white", linewidths=0.7, zorder=3
        )
    else:
        ax.set_xticks([])
    for i, text in enumerate(frame[column].astype(str)):
        for letter in text.split() if " " in text.strip() else text:
            # at a distance in points, so that a narrow figure keeps the letters apart
            ax.annotate(
                letter,
                (1.0, i),
                xycoords=ax.get_yaxis_transform(),
                xytext=(8 + 10 * alphabet.index(letter[0]), 0),
                textcoords="offset points",
                va="center",
                fontsize=rc("axes.labelsize"),
                color=INK,
            )
    rows_axis(ax, list(frame[rows]))
    return finish(ax, x=outcome if "estimate" in frame.columns else "", title=title)


def sensitivity(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    rows: str = "model",
    analysis: str = "analysis",
    decision: str = "decision",
    colors: Mapping[str, str] | None = None,
    title: str = "",
) -> Axes:
    """Decision of each model under each analysis: sign and colour, so that changes show.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per model and analysis, columns ``rows, analysis, decision``.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rows, analysis, decision : str
        Names of the columns.
    colors : mapping of str to str, optional
        Colour by decision.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    need(frame, rows, analysis, decision)
    if frame.duplicated([rows, analysis]).any():
        raise InputError(
            "frame",
            f"several rows of one {rows} and {analysis}",
            "one decision each; choose a cell first",
        )
    names, ways = list(dict.fromkeys(frame[rows])), list(dict.fromkeys(frame[analysis]))
    if ax is None and len(ways) > len(names) and 0.13 * len(ways) > 0.6 * width_of_page():
        # the longer side downwards, where there is room for its names
        return sensitivity(
            frame, rows=analysis, analysis=rows, decision=decision, colors=colors, title=title
        )
    labels = [label(n) for n in names]
    size = size_of("xtick.labelsize")
    if ax is None:
        labels = [wrapped(n, size, 0.4 * width_of_page()) for n in labels]
        room = 0.2 + max(block_size(n, size)[0] for n in labels)
        cell = min(0.3, (width_of_page() - room - 0.1) / len(ways))
        high = max(0.19, size * 1.2 / 72 * max(n.count("\n") + 1 for n in labels) + 0.03)
        ax = new_axes(None, inner=(cell * len(ways), high * len(names)))
    figure: Any = ax.figure
    room = 72 * ax.get_position().width * figure.get_figwidth() / len(ways)
    size_of_mark = min(6.8, 0.75 * room)
    place, row = ({v: i for i, v in enumerate(values)} for values in (ways, names))
    found = list(dict.fromkeys(frame[decision].astype(str)))
    for outcome in [d for d in DECISIONS if d in found] + [d for d in found if d not in DECISIONS]:
        k = found.index(outcome)
        other = (PALETTE[(k + 3) % len(PALETTE)], MARKERS[(k + 1) % len(MARKERS)], True)
        color, marker, filled = DECISIONS.get(outcome, other)
        color = (colors or {}).get(outcome, color)
        part = frame[frame[decision].astype(str) == outcome]
        ax.plot(
            [place[a] for a in part[analysis]],
            [row[m] for m in part[rows]],
            linestyle="none",
            marker=marker,
            markersize=size_of_mark,
            markerfacecolor=color if filled else "none",
            markeredgecolor=color,
            markeredgewidth=1.2 if size_of_mark > 4 else 0.7,
            label=outcome,
        )
    ax.set_xlim(-0.6, len(ways) - 0.4)
    ax.set_ylim(len(names) - 0.5, -0.5)
    high = name_sides(ax, labels, [label(w) for w in ways], size)
    legend(ax, below=high + 0.05)
    ax.hlines(range(len(names)), -0.5, len(ways) - 0.5, color=GRID, linewidth=0.5, zorder=0)
    return finish(ax, title=title, grid="none")


def identification(
    matrix: pd.DataFrame, *, ax: Axes | None = None, outcome: str = "similarity", title: str = ""
) -> Axes:
    """ROI identification: how well the pattern of each ROI (row) matches that of every ROI (column).

    Parameters
    ----------
    matrix : pandas.DataFrame
        Square, same labels on both sides; the best match of each row is framed.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    outcome : str
        Label of the colour bar.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from matplotlib.patches import Rectangle

    ax = heatmap(
        matrix,
        ax=ax,
        outcome=outcome,
        x="ROI of the others",
        y="ROI of the subject",
        numbers=False,
        title=title,
    )
    for i, row in enumerate(matrix.to_numpy("f8")):
        if np.isfinite(row).any():
            j = int(np.nanargmax(row))
            hit = str(matrix.index[i]) == str(matrix.columns[j])
            ax.add_patch(
                Rectangle(
                    (j - 0.45, i - 0.45),
                    0.9,
                    0.9,
                    fill=False,
                    linewidth=1.4,
                    edgecolor=INK if hit else "#d55e00",
                )
            )
    return ax
