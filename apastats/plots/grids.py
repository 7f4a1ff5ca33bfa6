"""Figures on a grid of ROIs: pattern heatmaps, pattern lines, agreement against the brain, identification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from apastats.plots.rows import height_of, need
from apastats.plots.style import (
    BAND,
    DIVERGING,
    INK,
    MUTED,
    SEQUENTIAL,
    color_of,
    finish,
    label,
    legend,
    new_axes,
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
        Whether numbers are written; where None, up to 12 columns.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    n_row, n_col = matrix.shape
    ax = new_axes(ax, 2.6 + 0.36 * n_col, height_of(n_row, 0.27))
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
    ax.set_xticks(
        range(n_col),
        [label(c, 16) for c in matrix.columns],
        rotation=60,
        ha="right",
        rotation_mode="anchor",
    )
    ax.set_yticks(range(n_row), [label(r) for r in matrix.index])
    ax.tick_params(labelsize=8 if n_row < 30 else 6.5, length=0, colors=INK)
    for side in ("left", "right", "top", "bottom"):
        ax.spines[side].set_visible(False)
    if numbers if numbers is not None else (n_col <= 12 and n_row <= 30):
        _write_numbers(ax, values, image)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, pad=0.02, aspect=18)
    bar.set_label(outcome, fontsize=8, color=INK)
    bar.ax.tick_params(labelsize=7, colors=INK, length=2)
    bar.outline.set_visible(False)  # type: ignore[operator]
    ax.set_xlabel(x, fontsize=9, color=INK)
    ax.set_ylabel(y, fontsize=9, color=INK)
    if title:
        ax.set_title(title, fontsize=9.5, color=INK, loc="left", fontweight="bold")
    return ax


def _write_numbers(ax: Axes, values: np.ndarray, image: object) -> None:
    for (i, j), v in np.ndenumerate(values):
        if np.isfinite(v):
            r, g, b, _ = image.cmap(image.norm(v))  # type: ignore[attr-defined]
            dark = 0.299 * r + 0.587 * g + 0.114 * b < 0.55
            text = f"{v:.2f}".replace("0.", ".", 1) if abs(v) < 1 else f"{v:.1f}"
            ax.text(
                j,
                i,
                text,
                ha="center",
                va="center",
                fontsize=6.5,
                color="#ffffff" if dark else "#000000",
            )


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
    elif names:
        from matplotlib.collections import LineCollection

        lines = [np.column_stack([x, heights]) for heights in wide.to_numpy("f8")]
        shade = [color_of(name, colors) for name in names]
        ax.add_collection(LineCollection(lines, colors=shade, linewidths=0.7, alpha=0.55))
        ax.autoscale_view()
    if show_names:
        ax.set_xticks(
            x, [label(r, 16) for r in order], rotation=60, ha="right", rotation_mode="anchor"
        )
    else:
        ax.set_xticks([])
    if few:
        legend(ax, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return finish(ax, y=outcome, title=title, grid="y")


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
        for row in frame.itertuples(index=False):
            ax.annotate(
                label(row.model, 20),
                (float(str(row.score)), float(str(row.agreement))),
                xytext=(4, 3),
                textcoords="offset points",
                fontsize=7,
                color=MUTED,
            )
    legend(ax, loc="best")
    return finish(ax, x=x, y=y, title=title, grid="both")
