"""Figures with one row per model or contrast: estimates with subjects and ceiling, equivalence forests, ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from apastats.errors import DataError
from apastats.plots.panel import MOST_ROWS, Panel
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
    return max(least, 0.9 + per_row * min(n_row, MOST_ROWS))


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
        low, high, arrows = drawn_ends(frame)
        ax.hlines(y, low, high, color=shade, linewidth=2.0, zorder=3)
        for sign, at in arrows.items():
            for k in np.flatnonzero(np.isfinite(at)):
                ax.scatter(at[k], y[k], s=26, marker=sign, color=shade[k], linewidths=0, zorder=3)
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
    if band:
        legend(ax, below=0.55)
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
    outcome: str = "noise ceiling",
    colors: Mapping[str, str] | None = None,
    show_names: bool = True,
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
    outcome : str
        Label of the x axis.
    colors : mapping of str to str, optional
        Colour by bound.
    show_names : bool
        Whether the rows are named at this Axes.
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
        color = (colors or {}).get(str(bound), color)
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
            label=label(bound) if len(bounds) > 1 else None,
        )
    rows_axis(ax, names, show=show_names)
    if len(bounds) > 1:
        legend(ax, below=0.55)
    return finish(ax, x=outcome, title=title)


def forest(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    rows: str = "contrast",
    estimate: str = "difference",
    colors: Mapping[str, str] | None = None,
    show_legend: bool = True,
    show_names: bool = True,
    title: str = "",
) -> Axes:
    """Differences with intervals on the scale of the margin, which is shaded.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows, estimate, conf_low, conf_high`` and, where there is a margin, ``bound_low,
        bound_high`` and ``decision``. A limit that is infinite is drawn as an arrow.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rows : str
        Column that names the rows.
    estimate : str
        Label of the x axis.
    colors : mapping of str to str, optional
        Colour by decision.
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
        low, high = frame["bound_low"].to_numpy("f8"), frame["bound_high"].to_numpy("f8")
        # a margin without an upper end (a set: not worse than the best) reaches over all limits
        _shade_margin(ax, low, np.where(high == np.inf, _reach(frame)[1], high))
    ax.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
    low, high, arrows = drawn_ends(frame)
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
        shade: Any = (colors or {}).get(outcome, color)
        if not outcome and colors:
            # nothing is decided: each row has its own
            shade = [colors.get(str(n), INK) for n in frame[rows][keep]]
        ax.hlines(y[keep], low[keep], high[keep], color=shade, linewidth=1.8, zorder=3)
        for sign, at in arrows.items():
            use = keep & np.isfinite(at)
            if use.any():
                of = np.array(shade)[use[keep]].tolist() if isinstance(shade, list) else shade
                ax.scatter(at[use], y[use], s=26, marker=sign, color=of, linewidths=0, zorder=3)
        ax.scatter(
            frame["estimate"].to_numpy("f8")[keep],
            y[keep],
            s=30,
            marker=marker,
            facecolors=shade if filled else "white",
            edgecolors=shade,
            linewidths=1.2,
            zorder=4,
            label=outcome or None,
        )
    rows_axis(ax, list(frame[rows]), show=show_names)
    if show_legend:
        legend(ax, below=0.55)
    return finish(ax, x=estimate, title=title)


def drawn_ends(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Limits as they are drawn, and where arrows stand: an open end goes beyond all other limits."""
    low, high = frame["conf_low"].to_numpy("f8"), frame["conf_high"].to_numpy("f8")
    least, most = _reach(frame)
    arrows = {
        "<": np.where(low == -np.inf, least, np.nan),
        ">": np.where(high == np.inf, most, np.nan),
    }
    return np.where(low == -np.inf, least, low), np.where(high == np.inf, most, high), arrows


def _reach(frame: pd.DataFrame) -> tuple[float, float]:
    """Just below and just above all that is finite."""
    ends = ("conf_low", "conf_high", "estimate", "bound_low", "bound_high")
    seen = np.array([frame[c].to_numpy("f8") for c in ends if c in frame.columns])
    seen = seen[np.isfinite(seen)]
    if not seen.size:
        return -1.0, 1.0
    room = 0.06 * float(np.ptp(seen)) or 0.1
    return float(seen.min()) - room, float(seen.max()) + room


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
        for edge in {low[known][0], high[known][0]}:
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
    outcome: str = "rank (1 is the best)",
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
    if isinstance(ax, Panel):
        ax.whole = True
    else:
        ax.locator_params(axis="x", integer=True)
    rows_axis(ax, list(frame[rows]), show=show_names)
    return finish(ax, x=outcome, title=title)
