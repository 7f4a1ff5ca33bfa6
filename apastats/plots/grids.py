"""Figures on a grid of ROIs: pattern heatmaps, pattern lines, agreement against the brain, identification."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from apastats.plots.panel import Panel, block_size, size_of, text_width, width_of_page, wrapped
from apastats.plots.rows import need
from apastats.plots.style import (
    BAND,
    DIVERGING,
    INK,
    LEAST_SIZE,
    MARKERS,
    MUTED,
    SEQUENTIAL,
    color_of,
    finish,
    label,
    legend,
    new_axes,
    rc,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["heatmap", "pattern_lines", "score_agreement"]


def heatmap(
    matrix: pd.DataFrame,
    *,
    ax: Axes | None = None,
    outcome: str = "score",
    x: str = "target ROI",
    y: str = "",
    diverging: bool = False,
    limits: tuple[float, float] | None = None,
    numbers: bool | None = None,
    best: np.ndarray | None = None,
    rules: Sequence[float] = (),
    title: str = "",
) -> Axes:
    """Matrix as colours, with the numbers written in where there is room.

    Parameters
    ----------
    matrix : pandas.DataFrame
        Values; index and columns are the labels, NaN is left blank.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    outcome : str
        Label of the colour bar.
    x, y : str
        Axis labels.
    diverging : bool
        Colours around zero.
    limits : (float, float), optional
        Values of the ends of the colour scale.
    numbers : bool, optional
        Whether numbers are written (there is no colour bar then); where None, in up to 620 cells.
    best : numpy.ndarray, optional
        Cells written in bold, or marked where there are no numbers, ``[n_row, n_col]`` of bool.
    rules : sequence of float
        Where rows are set apart by a line.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    n_row, n_col = matrix.shape
    page = width_of_page()
    if ax is None and n_col > n_row and n_col * 0.13 > 0.6 * page:
        # the longer side downwards, where there is room for its names
        turned = None if best is None else best.T
        return heatmap(
            matrix.T, outcome=outcome, x=y or "", y=x, diverging=diverging, limits=limits, numbers=numbers, best=turned,
            title=title,
        )  # fmt: skip
    rows, columns = ([label(v) for v in names] for names in (matrix.index, matrix.columns))
    size = size_of("xtick.labelsize")
    written = numbers if numbers is not None else n_row * n_col <= MOST_NUMBERS
    if ax is None:
        rows = [wrapped(r, size, 0.4 * page) for r in rows]
        lines = max((r.count("\n") + 1 for r in rows), default=1)
        room = 0.2 + max((block_size(r, size)[0] for r in rows), default=0)
        room += size_of("axes.labelsize") * 1.5 / 72 if y else 0.0
        cell = min(0.36, (page - room - 0.1) / n_col)
        written = written and cell >= 0.26
        cell = cell if written else min(0.3, (page - room - 1.0) / n_col)
        ax = new_axes(None, inner=(cell * n_col, max(0.2, lines * size * 1.2 / 72 + 0.02) * n_row))
    values = matrix.to_numpy("f8")
    finite = values[np.isfinite(values)]
    if limits is not None:
        low, high = limits
    elif diverging:
        high = float(np.abs(finite).max()) if finite.size else 1.0
        low = -high
    else:
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    image = ax.imshow(
        values,
        aspect="auto",
        cmap=DIVERGING if diverging else SEQUENTIAL,
        vmin=low,
        vmax=high,
        interpolation="none",
    )
    name_sides(ax, rows, columns, size)
    if written:
        _write_numbers(ax, values, image, best, 0.8 * size)
    else:
        if best is not None:
            i, j = np.nonzero(best)
            ax.scatter(j, i, s=5, color="#ffffff", edgecolors="#000000", linewidths=0.6, zorder=3)
        _color_bar(ax, image, outcome)
    for v in rules:
        ax.axhline(v, color="#ffffff", linewidth=2.0)
    return finish(ax, x=x, y=y, title=title, grid="none")


MOST_NUMBERS = 620
LONGEST_BESIDE = 12  # characters of a name that stands beside its point


def name_sides(ax: Axes, rows: list[str], columns: list[str], size: float) -> float:
    """Names of rows and columns as texts (a tick is five artists), no larger than their cell.

    Returns the inches that the names of the columns reach down.
    """
    figure: Any = ax.figure
    for side in ("left", "right", "top", "bottom"):
        ax.spines[side].set_visible(False)
    ax.set_xticks([])
    ax.set_yticks([])
    place = ax.get_position()
    wide, high = (72 * v for v in figure.get_size_inches() * (place.width, place.height))
    deep = max((r.count("\n") + 1 for r in rows), default=1)
    down = max(min(size, high / max(len(rows), 1) / 1.2 / deep), LEAST_SIZE)
    skip = max(1, math.ceil(1.15 * down * deep * len(rows) / high))
    across = max(min(size, wide / max(len(columns), 1) / 1.15), LEAST_SIZE)
    step = max(1, math.ceil(1.1 * across * len(columns) / wide))
    for i, words in list(enumerate(rows))[::skip]:
        ax.text(-0.06 / (wide / 72), i, words, transform=ax.get_yaxis_transform(), ha="right", va="center",
                fontsize=down, color=INK)  # fmt: skip
    flat = max((text_width(c, across) for c in columns), default=0) <= 0.95 * wide / 72 / max(
        len(columns), 1
    )
    for j, words in list(enumerate(columns))[::step]:
        ax.text(j, -0.06 / (high / 72), words, transform=ax.get_xaxis_transform(), ha="center", va="top",
                rotation=0 if flat else 90, fontsize=across, color=INK)  # fmt: skip
    longest = max(
        (across * 1.2 / 72 if flat else text_width(c, across) for c in columns), default=0
    )
    reach = longest + 0.14
    ax.xaxis.set_label_coords(0.5, -reach / (high / 72))
    longest = max((block_size(r, down)[0] for r in rows), default=0)
    ax.yaxis.set_label_coords(-(longest + 0.14) / (wide / 72), 0.5)
    return reach


def _color_bar(ax: Axes, image: Any, outcome: str) -> None:
    """Colour bar at the right, as high as the matrix but no higher than two inches."""
    figure: Any = ax.figure
    if hasattr(figure, "inner"):
        wide, high = figure.get_size_inches()
        x, y, w, h = ax.get_position().bounds
        tall = min(h, 2.0 / high)
        beside = figure.add_axes((x + w + 0.12 / wide, y + h - tall, 0.13 / wide, tall))
        bar = figure.colorbar(image, cax=beside)
    else:
        bar = figure.colorbar(image, ax=ax, shrink=0.8, pad=0.02, aspect=18)
    bar.set_label(outcome, color=INK)
    bar.ax.tick_params(colors=INK, length=2)
    bar.outline.set_visible(False)


def _write_numbers(ax: Axes, values: np.ndarray, image: Any, best: Any, size: float) -> None:
    shade = image.cmap(image.norm(np.where(np.isfinite(values), values, 0.0)))
    dark = shade[..., :3] @ (0.299, 0.587, 0.114) < 0.55
    for (i, j), v in np.ndenumerate(values):
        if np.isfinite(v):
            text = f"{v:.2f}".replace("0.", ".", 1) if abs(v) < 1 else f"{v:.1f}"
            ax.text(
                j, i, text.replace("-", "\u2212"), ha="center", va="center", fontsize=size,
                color="#ffffff" if dark[i, j] else "#000000",
                fontweight="bold" if best is not None and best[i, j] else "normal",
            )  # fmt: skip


def pattern_lines(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    rois: Sequence[str] | None = None,
    rows: str = "model",
    value: str = "estimate",
    band: pd.DataFrame | None = None,
    colors: Mapping[str, str] | None = None,
    outcome: str = "score",
    show_names: bool = True,
    title: str = "",
) -> Axes:
    """Alignment patterns as lines over the ROIs in order, the brain's pattern as a band.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows, roi`` and ``value``.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rois : sequence of str, optional
        Order of the ROIs.
    rows, value : str
        Column that names the lines, column of the height.
    band : pandas.DataFrame, optional
        The brain: ``roi, estimate, conf_low, conf_high``.
    colors : mapping of str to str, optional
        Colour by line.
    outcome : str
        Label of the y axis.
    show_names : bool
        Whether the ROIs are named at this Axes.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    need(frame, rows, "roi", value)
    order = list(rois) if rois is not None else list(dict.fromkeys(frame["roi"]))
    ax = new_axes(ax, max(4.5, 1.6 + 0.36 * len(order)), 3.4)
    x = np.arange(len(order))
    if band is not None and len(band):
        brain = band.drop_duplicates("roi").set_index("roi").reindex(order)
        if {"conf_low", "conf_high"} <= set(brain.columns):
            ax.fill_between(
                x, brain["conf_low"], brain["conf_high"], color=BAND, alpha=0.35, linewidth=0
            )
        ax.plot(x, brain["estimate"], color=INK, linewidth=2.2, label="brain")
    names = list(dict.fromkeys(frame[rows]))
    few = len(names) <= 10
    wide = frame.drop_duplicates([rows, "roi"]).pivot(index=rows, columns="roi", values=value)
    wide = wide.reindex(index=names, columns=order)
    if few:
        for name, heights in zip(names, wide.to_numpy("f8"), strict=True):
            color = color_of(name, colors)
            ax.plot(
                x, heights, color=color, linewidth=1.3, marker="o", markersize=3, label=label(name)
            )
    else:
        for name, heights in zip(names, wide.to_numpy("f8"), strict=True):
            ax.plot(x, heights, color=color_of(name, colors), linewidth=0.7, alpha=0.55)
    if isinstance(ax, Panel):
        ax.columns = [label(r) for r in order]
    elif show_names:
        ax.set_xticks(x, [label(r) for r in order], rotation=90)
    else:
        ax.set_xticks([])
    if few:
        legend(ax, beside=True)
    return finish(ax, y=outcome, title=title, grid="y")


def _name_points(ax: Axes, frame: pd.DataFrame, colors: Mapping[str, str] | None) -> None:
    """Names beside points, towards the middle; long ones stand in the legend, with markers that tell them apart."""
    told = [label(m) for m in frame["model"]]
    if max(map(len, told), default=0) > LONGEST_BESIDE:
        for i, (row, name) in enumerate(zip(frame.itertuples(index=False), told, strict=True)):
            place = float(str(row.score)), float(str(row.agreement))
            color, marker = color_of(row.model, colors), MARKERS[i % len(MARKERS)]
            ax.plot(*place, marker, markersize=5, label=name, color=color, zorder=4)
        return
    middle = float(frame["score"].median())
    for row, name in zip(frame.itertuples(index=False), told, strict=True):
        left = float(str(row.score)) > middle
        ax.annotate(
            name,
            (float(str(row.score)), float(str(row.agreement))),
            xytext=(-4 if left else 4, 3),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize=rc("xtick.labelsize"),
            color=MUTED,
        )


def score_agreement(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    colors: Mapping[str, str] | None = None,
    strict: Sequence[str] = (),
    brain: float | None = None,
    names: bool = True,
    x: str = "score",
    y: str = "agreement",
    title: str = "",
) -> Axes:
    """Score against agreement, one point per model; the strict set (best on both) is ringed.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``model, score, agreement``.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    colors : mapping of str to str, optional
        Colour by model.
    strict : sequence of str
        Models in the strict set.
    brain : float, optional
        Agreement of the brain with itself, as a line.
    names : bool
        Whether points are named (up to 12 of them).
    x, y : str
        Axis labels.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    need(frame, "model", "score", "agreement")
    ax = new_axes(ax, 4.6, 3.6)
    if brain is not None and np.isfinite(brain):
        ax.axhline(brain, color=INK, linewidth=1.4, label="brain")
    ringed = frame["model"].isin(list(strict)).to_numpy()
    ax.scatter(
        frame["score"],
        frame["agreement"],
        s=np.where(ringed, 46, 26),
        color=[color_of(m, colors) for m in frame["model"]],
        edgecolors=[INK if r else "white" for r in ringed],
        linewidths=[1.4 if r else 0.6 for r in ringed],
        zorder=3,
    )
    if names and len(frame) <= 12:
        _name_points(ax, frame, colors)
    legend(ax, beside=True)
    return finish(ax, x=x, y=y, title=title, grid="both")
