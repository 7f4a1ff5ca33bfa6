"""Figures with one row per model or contrast: estimates with subjects and ceiling, equivalence forests, ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from apastats.errors import DataError
from apastats.plots.style import (
    BAND,
    DECISIONS,
    INK,
    MARGIN,
    MUTED,
    POINT,
    color_of,
    finish,
    label,
    legend,
    new_axes,
    rows_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ceilings", "estimates", "forest", "rank_intervals"]


def need(frame: pd.DataFrame, *columns: str) -> None:
    """Columns a figure cannot do without."""
    missing = [c for c in columns if c not in frame.columns]
    if missing:
        raise DataError(
            f"plot: the table lacks column {missing[0]!r}; it has {list(map(str, frame.columns))}"
        )


def height_of(n_row: int, per_row: float = 0.24, least: float = 1.6) -> float:
    """Height in inches for rows."""
    return max(least, 0.9 + per_row * n_row)


def estimates(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    rows: str = "model",
    points: np.ndarray | None = None,
    band: Sequence[Mapping[str, object]] = (),
    colors: Mapping[str, str] | None = None,
    outcome: str = "score",
    show_names: bool = True,
    title: str = "",
) -> Axes:
    """Estimates with intervals, one row each, the subjects' own values behind them.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows``, ``estimate`` and optionally ``conf_low, conf_high``; in the order shown.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure where None.
    rows : str
        Column that names the rows.
    points : numpy.ndarray, optional
        Values of the subjects, ``[n_subject, n_row]``.
    band : sequence of mapping
        Vertical bands (noise ceilings): ``estimate, conf_low, conf_high, label``.
    colors : mapping of str to str, optional
        Colour by row name.
    outcome : str
        Label of the x axis.
    show_names : bool
        Whether the rows are named at this Axes.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    need(frame, rows, "estimate")
    ax = new_axes(ax, 6.4, height_of(len(frame)))
    draw_bands(ax, band)
    y = np.arange(len(frame))
    if points is not None and len(points):
        points = np.asarray(points, dtype=float)
        # a fixed fan keeps the points of one row apart and the figure the same at every run
        fan = np.linspace(-0.22, 0.22, len(points))[:, None] + y[None, :]
        ax.scatter(
            points.ravel(), fan.ravel(), s=9, color=POINT, linewidths=0, alpha=0.75, zorder=2
        )
    shade = [color_of(n, colors) for n in frame[rows]]
    if {"conf_low", "conf_high"} <= set(frame.columns):
        ax.hlines(y, frame["conf_low"], frame["conf_high"], color=shade, linewidth=2.0, zorder=3)
    brain = (frame[rows].astype(str) == "brain").to_numpy()
    for marker, part in (("o", ~brain), ("D", brain)):
        ax.scatter(
            frame["estimate"].to_numpy()[part],
            y[part],
            s=30,
            marker=marker,
            color=[c for c, use in zip(shade, part, strict=True) if use],
            edgecolors="white",
            linewidths=0.7,
            zorder=4,
        )
    rows_axis(ax, list(frame[rows]), show=show_names)
    return finish(ax, x=outcome, title=title)


def draw_bands(ax: Axes, band: Sequence[Mapping[str, object]]) -> None:
    """Vertical lines with the interval of the ceiling as a band."""
    for i, b in enumerate(band):
        line, low, high = (
            float(str(b.get(k, "nan"))) for k in ("estimate", "conf_low", "conf_high")
        )
        if np.isfinite(low) and np.isfinite(high):
            ax.axvspan(low, high, color=BAND, alpha=0.28 if i == 0 else 0.16, linewidth=0, zorder=0)
        if np.isfinite(line):
            style = ("-", "--", ":")[i % 3]
            name = label(b.get("label", ""))
            ax.axvline(line, color=MUTED, linewidth=1.1, linestyle=style, zorder=1, label=name)


def ceilings(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    rows: str = "roi",
    points: np.ndarray | None = None,
    title: str = "",
) -> Axes:
    """Noise ceilings by ROI with their own intervals; lower and upper bounds share a row.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows``, ``estimate`` and optionally ``bound``, ``conf_low``, ``conf_high``.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rows : str
        Column that names the rows.
    points : numpy.ndarray, optional
        Values of the subjects, ``[n_subject, n_row]``.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    need(frame, rows, "estimate")
    names = list(dict.fromkeys(frame[rows]))
    ax = new_axes(ax, 6.4, height_of(len(names)))
    bounds = list(dict.fromkeys(frame["bound"])) if "bound" in frame.columns else ["reference"]
    place = {n: i for i, n in enumerate(names)}
    for k, bound in enumerate(bounds):
        keep = (
            (frame["bound"] == bound).to_numpy()
            if "bound" in frame.columns
            else np.ones(len(frame), bool)
        )
        part = frame[keep]
        y = np.array([place[n] for n in part[rows]], dtype=float)
        y += (k - (len(bounds) - 1) / 2) * 0.3
        if points is not None:
            own = np.asarray(points, dtype=float)[:, keep]
            fan = np.linspace(-0.1, 0.1, len(own))[:, None] + y[None, :]
            ax.scatter(
                own.ravel(), fan.ravel(), s=8, color=POINT, linewidths=0, alpha=0.7, zorder=2
            )
        color, marker = ((INK, "o"), ("#0072b2", "s"), ("#d55e00", "^"))[k % 3]
        if {"conf_low", "conf_high"} <= set(part.columns):
            ax.hlines(y, part["conf_low"], part["conf_high"], color=color, linewidth=1.8, zorder=3)
        ax.scatter(
            part["estimate"],
            y,
            s=26,
            marker=marker,
            color=color,
            edgecolors="white",
            linewidths=0.7,
            zorder=4,
            label=label(bound),
        )
    rows_axis(ax, names)
    if len(bounds) > 1:
        legend(ax, loc="best")
    return finish(ax, x="noise ceiling", title=title)


def forest(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    rows: str = "contrast",
    estimate: str = "difference",
    show_legend: bool = True,
    show_names: bool = True,
    title: str = "",
) -> Axes:
    """Differences with intervals on the scale of the margin, which is shaded.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows, estimate, conf_low, conf_high`` and, where there is a margin, ``bound_low,
        bound_high`` and ``decision``.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rows : str
        Column that names the rows.
    estimate : str
        Label of the x axis.
    show_legend : bool
        Whether decisions and margin are explained in a legend.
    show_names : bool
        Whether the rows are named at this Axes.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    need(frame, rows, "estimate", "conf_low", "conf_high")
    ax = new_axes(ax, 6.4, height_of(len(frame)))
    y = np.arange(len(frame))
    if {"bound_low", "bound_high"} <= set(frame.columns):
        _shade_margin(ax, frame["bound_low"].to_numpy("f8"), frame["bound_high"].to_numpy("f8"))
    ax.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
    decision = (
        frame["decision"]
        if "decision" in frame.columns
        else pd.Series([""] * len(frame), index=frame.index)
    )
    present = [str(d) for d in dict.fromkeys(decision[decision.notna()])]
    for outcome in [d for d in DECISIONS if d in present] + [
        d for d in present if d not in DECISIONS
    ]:
        keep = (decision == outcome).to_numpy()
        color, marker, filled = DECISIONS.get(outcome, (INK, "o", True))
        part = frame[keep]
        ax.hlines(
            y[keep], part["conf_low"], part["conf_high"], color=color, linewidth=1.8, zorder=3
        )
        ax.scatter(
            part["estimate"],
            y[keep],
            s=30,
            marker=marker,
            facecolors=color if filled else "white",
            edgecolors=color,
            linewidths=1.2,
            zorder=4,
            label=outcome or None,
        )
    rows_axis(ax, list(frame[rows]), limit=40, show=show_names)
    if show_legend:
        legend(
            ax, loc="upper left", bbox_to_anchor=(0, -0.55 / height_of(len(frame)) * 1.6), ncols=2
        )
    return finish(ax, x=estimate, title=title)


def _shade_margin(ax: Axes, low: np.ndarray, high: np.ndarray) -> None:
    """Shade the margin of each row; one band where it is the same in all rows."""
    known = np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return
    if np.ptp(low[known]) == 0 and np.ptp(high[known]) == 0:
        ax.axvspan(
            low[known][0],
            high[known][0],
            color=MARGIN,
            alpha=0.25,
            linewidth=0,
            zorder=0,
            label="inside the margin",
        )
        for edge in (low[known][0], high[known][0]):
            ax.axvline(edge, color=MARGIN, linewidth=1.0, zorder=1)
        return
    y = np.flatnonzero(known)
    low, high = low[known], high[known]
    ax.barh(
        y,
        high - low,
        left=low,
        height=1.0,
        color=MARGIN,
        alpha=0.25,
        linewidth=0,
        zorder=0,
        label="inside the margin",
    )
    for edge in (low, high):
        ax.vlines(edge, y - 0.5, y + 0.5, color=MARGIN, linewidth=1.0, zorder=1)


def rank_intervals(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    rows: str = "model",
    colors: Mapping[str, str] | None = None,
    show_names: bool = True,
    title: str = "",
) -> Axes:
    """Ranks with their intervals; rank 1 is the best and stands left.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows``, ``rank_low, rank_high`` and optionally ``rank``.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rows : str
        Column that names the rows.
    colors : mapping of str to str, optional
        Colour by row name.
    show_names : bool
        Whether the rows are named at this Axes.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    need(frame, rows, "rank_low", "rank_high")
    ax = new_axes(ax, 6.4, height_of(len(frame)))
    y = np.arange(len(frame))
    shade = [color_of(n, colors) for n in frame[rows]]
    ax.hlines(
        y, frame["rank_low"], frame["rank_high"], color=shade, linewidth=4.0, alpha=0.75, zorder=2
    )
    if "rank" in frame.columns:
        ax.scatter(
            frame["rank"], y, s=30, color=shade, edgecolors="white", linewidths=0.7, zorder=3
        )
    ax.locator_params(axis="x", integer=True)
    rows_axis(ax, list(frame[rows]), show=show_names)
    return finish(ax, x="rank (1 is the best)", title=title)
