"""Figures of what changes along something: decisions over margins, layers of a network, subjects needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from apastats.plots.panel import Panel
from apastats.plots.rows import height_of, need
from apastats.plots.style import (
    DECISIONS,
    INK,
    MUTED,
    PALETTE,
    color_of,
    finish,
    label,
    legend,
    new_axes,
    rows_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["against_null", "layer_curves", "margin_decisions", "subjects_needed"]

MARGIN_MARKS = {
    "margin_equivalent": ("o", "smallest margin: equivalence"),
    "margin_noninferior": (">", "smallest margin: non-inferiority"),
    "margin_nonsuperior": ("<", "smallest margin: non-superiority"),
}


def margin_decisions(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    rows: str = "contrast",
    margin: float | None = None,
    show_legend: bool = True,
    show_names: bool = True,
    title: str = "",
) -> Axes:
    """Decision of each contrast at each margin, with the smallest margin of each claim.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows, margin, decision`` and, where known, ``margin_equivalent, margin_noninferior,
        margin_nonsuperior``; one row per contrast and margin.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rows : str
        Column that names the contrasts.
    margin : float, optional
        The margin stated, as a line.
    show_legend, show_names : bool
        Whether to draw the legend and the names of the rows.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    need(frame, rows, "margin", "decision")
    names = list(dict.fromkeys(frame[rows]))
    ax = new_axes(ax, 6.8, height_of(len(names), 0.3) + 0.5)
    place = {n: i for i, n in enumerate(names)}
    grid = np.sort(frame["margin"].unique())
    runs = _runs(frame, rows, grid)
    for outcome in dict.fromkeys([*DECISIONS, *runs["decision"]]):
        part = runs[runs["decision"] == outcome]
        if len(part):
            color = DECISIONS[outcome][0] if outcome in DECISIONS else MUTED
            y = part["row"].map(place)
            ax.hlines(y, part["low"], part["high"], color=color, linewidth=5, label=outcome)
    single = frame.drop_duplicates(rows)
    for column, (marker, words) in MARGIN_MARKS.items():
        if column in single.columns:
            ax.scatter(
                single[column],
                single[rows].map(place),
                marker=marker,
                s=26,
                facecolors="white",
                edgecolors=INK,
                linewidths=1.0,
                label=words,
                zorder=4,
                clip_on=False,
            )
    if margin is not None:
        ax.axvline(margin, color=INK, linewidth=1.0, linestyle=":", label="stated margin", zorder=3)
    if isinstance(ax, Panel):
        ax.x_limits = (0.0, float(grid[-1]))
    else:
        ax.set_xlim(0, float(grid[-1]))
    rows_axis(ax, names, show=show_names)
    if show_legend:
        legend(ax, beside=True)
    return finish(ax, x="margin", title=title)


def _runs(frame: pd.DataFrame, rows: str, grid: np.ndarray) -> pd.DataFrame:
    """Ranges of margins with one decision: each margin stands for its surroundings on the grid."""
    edges = np.concatenate([[0.0], (grid[1:] + grid[:-1]) / 2, grid[-1:]])
    out: list[dict[str, Any]] = []
    for key, part in frame.groupby(rows, sort=False):
        part = part.sort_values("margin")
        at = np.searchsorted(grid, part["margin"].to_numpy())
        found = part["decision"].astype(str).to_numpy()
        for k, decision in zip(at, found, strict=True):
            if out and out[-1]["row"] == key and out[-1]["decision"] == decision:
                out[-1]["high"] = edges[k + 1]
            else:
                out.append(
                    {"row": key, "decision": decision, "low": edges[k], "high": edges[k + 1]}
                )
    return pd.DataFrame(out, columns=["row", "decision", "low", "high"])


def layer_curves(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    x: str = "depth",
    line: str = "model",
    level: float | None = None,
    band: tuple[float, float] | None = None,
    colors: Mapping[str, str] | None = None,
    x_label: str = "",
    outcome: str = "estimate",
    title: str = "",
) -> Axes:
    """Estimate along the layers of each model, with its interval.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``x, line, estimate``, optionally ``conf_low, conf_high``.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    x, line : str
        Columns of the place of a layer and of the lines.
    level : float, optional
        The brain's own value, as a line.
    band : (float, float), optional
        Lower and upper noise ceiling, shaded.
    colors : mapping of str to str, optional
        Colour by line.
    x_label, outcome, title : str
        Texts; ``x`` where ``x_label`` is empty.

    Returns
    -------
    matplotlib.axes.Axes
    """
    need(frame, x, line, "estimate")
    ax = new_axes(ax, 5.2, 3.4)
    if band is not None:
        ax.axhspan(*band, color=MUTED, alpha=0.22, linewidth=0, zorder=0, label="noise ceiling")
    if level is not None:
        ax.axhline(level, color=INK, linewidth=1.2, linestyle="--", zorder=1, label="brain")
    bars = {"conf_low", "conf_high"} <= set(frame.columns)
    for i, (key, part) in enumerate(frame.groupby(line, sort=False)):
        part = part.sort_values(x)
        color = (colors or {}).get(str(key), PALETTE[i % len(PALETTE)])
        if bars:
            ax.fill_between(
                part[x],
                part["conf_low"],
                part["conf_high"],
                color=color,
                alpha=0.18,
                linewidth=0,
                zorder=1,
            )
        ax.plot(
            part[x],
            part["estimate"],
            color=color,
            marker="o",
            markersize=3,
            linewidth=1.4,
            label=label(key),
        )
    legend(ax, beside=True)
    return finish(ax, x=x_label or x, y=outcome, title=title, grid="both")


def against_null(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    rows: str = "roi",
    outcome: str = "estimate",
    colors: Mapping[str, str] | None = None,
    title: str = "",
) -> Axes:
    """Estimates against the mean and two standard deviations of their null distributions.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows, estimate, null_mean, null_sd``.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rows : str
        Column that names the rows.
    outcome : str
        Label of the x axis.
    colors : mapping of str to str, optional
        Colour by row name.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    need(frame, rows, "estimate", "null_mean", "null_sd")
    ax = new_axes(ax, 6.8, height_of(len(frame)) + 0.4)
    y = np.arange(len(frame))
    middle, sd = frame["null_mean"].to_numpy("f8"), frame["null_sd"].to_numpy("f8")
    ax.hlines(
        y, middle - 2 * sd, middle + 2 * sd, color=MUTED, alpha=0.4, linewidth=6,
        label="null: mean and 2 standard deviations",
    )  # fmt: skip
    ax.scatter(middle, y, marker="|", s=60, color=MUTED, linewidths=1.4, zorder=2)
    shade = [color_of(n, colors) for n in frame[rows]]
    ax.scatter(
        frame["estimate"], y, s=30, color=shade, edgecolors="white", zorder=3, label="observed"
    )
    rows_axis(ax, list(frame[rows]))
    legend(ax, beside=True)
    return finish(ax, x=outcome, title=title)


def subjects_needed(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    rows: str = "contrast",
    title: str = "",
) -> Axes:
    """Subjects with which each contrast would be decided, on a logarithmic scale.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows, n_equivalence, n_difference``, optionally ``n_subject`` (what there was, as a line). Rows
        that no number of subjects would decide have a name and no mark.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rows : str
        Column that names the rows.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    need(frame, rows, "n_equivalence", "n_difference")
    ax = new_axes(ax, 6.8, height_of(len(frame)) + 0.4)
    y = np.arange(len(frame))
    for column, outcome, words in (
        ("n_equivalence", "equivalent", "to show equivalence"),
        ("n_difference", "different", "to show a difference outside the margin"),
    ):
        n = frame[column].to_numpy("f8")
        keep = np.isfinite(n)
        if keep.any():
            color, marker, _ = DECISIONS[outcome]
            ax.scatter(n[keep], y[keep], s=34, color=color, marker=marker, label=words, zorder=3)
    if "n_subject" in frame.columns and frame["n_subject"].nunique() == 1:
        had = float(frame["n_subject"].iloc[0])
        ax.axvline(had, color=MUTED, linewidth=1.2, linestyle="--", label=f"there were {had:g}")
    _logarithmic(ax)
    rows_axis(ax, list(frame[rows]))
    legend(ax, beside=True)
    return finish(ax, x="subjects", title=title)


def _logarithmic(ax: Axes) -> None:
    """Logarithmic axis whose numbers read as numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
