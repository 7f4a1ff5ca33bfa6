"""Figures of fitted models and of designs: variance components, posteriors, residuals, power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from apastats.plots.panel import Panel, left_out
from apastats.plots.rows import height_of, need
from apastats.plots.style import (
    INK,
    MARGIN,
    MUTED,
    PALETTE,
    POINT,
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

__all__ = ["cooks_distances", "posterior", "power_curve", "qq", "residuals", "variance_components"]

STYLES = ("-", "--", "-.", ":")


def cooks_distances(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    rows: str = "subject",
    limit: float | None = None,
    title: str = "",
) -> Axes:
    """Cook's distance of every level left out, as lines from 0.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows, cooks_distance``, one row per level.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rows : str
        Column that names the levels.
    limit : float, optional
        Distance beyond which a level is looked at (4 over their number, by custom), as a line.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    need(frame, rows, "cooks_distance")
    ax = new_axes(ax, 5.6, height_of(len(frame)))
    y = np.arange(len(frame))
    value = frame["cooks_distance"].to_numpy(dtype=float)
    ax.hlines(y, 0, value, color=MUTED, linewidth=1.4)
    far = value > (np.inf if limit is None else limit)
    for part, color in ((~far, POINT), (far, PALETTE[1])):
        ax.scatter(value[part], y[part], s=30, color=color, linewidths=0, zorder=3)
    if limit is not None:
        ax.axvline(limit, color=MARGIN, linewidth=1.1, linestyle="--", label=f"{limit:.3g}")
    rows_axis(ax, list(frame[rows]))
    ax.set_xlim(left=0)
    return finish(ax, x="Cook's distance", title=title)


def variance_components(
    frame: pd.DataFrame, *, ax: Axes | None = None, rows: str = "group", title: str = ""
) -> Axes:
    """Share of each source in the variance, as bars with the standard deviation written beside.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows`` (and ``effect``, if any), ``share`` or ``variance``, optionally ``std_dev``.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rows : str
        Column that names the source.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    length = "share" if "share" in frame.columns else "variance"
    need(frame, rows, length)
    if "effect_2" in frame.columns:
        # a covariance is no part of the variance
        frame = frame[
            frame["effect_2"].isna() | frame["effect_2"].astype(str).isin(["", "nan", "None"])
        ]
    ax = new_axes(ax, 6.0, height_of(len(frame), 0.32))
    y = np.arange(len(frame))
    values = frame[length].to_numpy("f8")
    ax.barh(y, values, left=np.zeros(len(y)), height=0.6, color=PALETTE[0], zorder=2)
    panel = isinstance(ax, Panel)
    written = []
    for i, v in enumerate(values):
        text = (
            f"SD {float(frame['std_dev'].iloc[i]):.3g}"
            if "std_dev" in frame.columns
            else f"{v:.3g}"
        )
        written.append(text)
        if panel:
            continue
        ax.annotate(
            text,
            (v, i),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=rc("xtick.labelsize"),
            color=MUTED,
        )
    names = [
        f"{g}: {e}"
        if isinstance(e, str) and e not in ("", "(Intercept)", "1", "Intercept")
        else str(g)
        for g, e in zip(
            frame[rows],
            frame["effect"] if "effect" in frame.columns else [None] * len(frame),
            strict=True,
        )
    ]
    if panel:
        names = [f"{n} ({t})" for n, t in zip(names, written, strict=True)]
    rows_axis(ax, names)
    if not panel:
        ax.margins(x=0.18)
    return finish(ax, x="share of the variance" if length == "share" else "variance", title=title)


def posterior(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    rows: str = "term",
    inner: tuple[str, str] | None = None,
    rope: tuple[float, float] | None = None,
    colors: Mapping[str, str] | None = None,
    outcome: str = "posterior",
    title: str = "",
) -> Axes:
    """Posterior intervals: thin outer, thick inner, the region of practical equivalence shaded.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``rows, estimate, conf_low, conf_high``, and the two named by ``inner``.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    rows : str
        Column that names the rows.
    inner : (str, str), optional
        Columns of the inner interval.
    rope : (float, float), optional
        Region of practical equivalence; taken from ``bound_low, bound_high`` where those are constant.
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
    need(frame, rows, "estimate", "conf_low", "conf_high")
    ax = new_axes(ax, 6.4, height_of(len(frame)))
    if rope is None and {"bound_low", "bound_high"} <= set(frame.columns) and len(frame):
        low, high = frame["bound_low"].dropna().unique(), frame["bound_high"].dropna().unique()
        rope = (float(low[0]), float(high[0])) if len(low) == len(high) == 1 else None
    if rope is not None:
        ax.axvspan(
            *rope,
            color=MARGIN,
            alpha=0.25,
            linewidth=0,
            zorder=0,
            label="region of practical equivalence",
        )
    y = np.arange(len(frame))
    shade = [color_of(n, colors) for n in frame[rows]]
    ax.hlines(y, frame["conf_low"], frame["conf_high"], color=shade, linewidth=1.4, zorder=2)
    if inner is not None:
        need(frame, *inner)
        ax.hlines(y, frame[inner[0]], frame[inner[1]], color=shade, linewidth=4.0, zorder=3)
    ax.scatter(
        frame["estimate"], y, s=28, color="white", edgecolors=shade, linewidths=1.6, zorder=4
    )
    ax.axvline(0, color=MUTED, linewidth=0.8, zorder=1)
    rows_axis(ax, list(frame[rows]))
    legend(ax, below=0.55)
    return finish(ax, x=outcome, title=title)


def qq(values: ArrayLike, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Normal quantile plot of residuals, with the line through the quartiles.

    Parameters
    ----------
    values : array_like
        Residuals, any scale; NaN is left out.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from scipy.special import ndtri

    ax = new_axes(ax, 4.2, 3.6)
    y = np.sort(np.asarray(values, dtype=float).ravel())
    y = y[np.isfinite(y)]
    if len(y):
        x = ndtri((np.arange(1, len(y) + 1) - 0.5) / len(y))
        ax.scatter(x, y, s=9, color=PALETTE[0], linewidths=0, alpha=0.7, zorder=3)
        a, b = np.quantile(y, [0.25, 0.75])
        slope = (b - a) / (ndtri(0.75) - ndtri(0.25))
        ends = np.array([x[0], x[-1]])
        ax.plot(ends, (a + b) / 2 + slope * ends, color=MUTED, linewidth=1.0, zorder=2)
    return finish(ax, x="normal quantile", y="residual", title=title, grid="both")


def residuals(
    fitted: ArrayLike, values: ArrayLike, *, ax: Axes | None = None, title: str = ""
) -> Axes:
    """Residuals against fitted values.

    Parameters
    ----------
    fitted, values : array_like
        Same length.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = new_axes(ax, 4.2, 3.6)
    ax.scatter(
        np.asarray(fitted, float),
        np.asarray(values, float),
        s=7,
        color=POINT,
        linewidths=0,
        alpha=0.6,
    )
    ax.axhline(0, color=INK, linewidth=0.9)
    return finish(ax, x="fitted value", y="residual", title=title, grid="both")


MOST_LINES = 12  # lines that can be told apart


def _telling(frame: pd.DataFrame, varying: Sequence[str], x: str) -> list[str]:
    """Columns that tell the lines apart, names first: as few as there is one value at each x."""
    numeric = {c: pd.api.types.is_numeric_dtype(frame[c]) for c in varying}
    found: list[str] = []
    for c in sorted((c for c in varying if c != x), key=lambda c: numeric[c]):
        again = frame.duplicated([x, *found]).sum()
        if again and frame.duplicated([x, *found, c]).sum() < again:
            found.append(c)
    for c in list(found):
        # what those after it tell apart too
        rest = [f for f in found if f != c]
        if not frame.duplicated([x, *rest]).any():
            found = rest
    return [c for c in varying if c in found]


def _design_words(groups: Sequence[str], key: Any) -> str:
    """Name of a line: texts as they are, numbers with what they are."""
    values = key if isinstance(key, tuple) else (key,)
    return ", ".join(
        v if isinstance(v, str) else f"{g.replace('_', ' ')} {v}"
        for g, v in zip(groups, values, strict=True)
    )


def power_curve(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    x: str | None = None,
    by: Sequence[str] | None = None,
    target: float | None = 0.8,
    title: str = "",
) -> Axes:
    """Power against the number of subjects (or another varying quantity), a line per design.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``power`` (or ``estimate``) and ``x``, optionally ``conf_low, conf_high``.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    x : str, optional
        Column of the x axis; ``n``, ``n_subject`` or the first numeric column that varies.
    by : sequence of str, optional
        Columns that tell lines apart; those that vary where None.
    target : float, optional
        Power wanted, as a line.
    title : str
        Title.

    Returns
    -------
    matplotlib.axes.Axes
    """
    height = "power" if "power" in frame.columns else "estimate"
    need(frame, height)
    reserved = {
        height,
        "conf_low",
        "conf_high",
        "std_error",
        "mcse",
        "conf_level",
        "power_low",
        "power_high",
    }
    varying = [c for c in frame.columns if c not in reserved and frame[c].nunique() > 1]
    if x is None:
        x = next(
            (
                c
                for c in ("n", "n_subject", *varying)
                if c in frame.columns and (c in varying or len(frame) == 1)
            ),
            "n",
        )
    need(frame, x)
    groups = list(by) if by is not None else _telling(frame, varying, x)
    ax = new_axes(ax, 5.4, 3.6)
    parts = [("", frame)]
    if groups:
        found = frame.groupby(groups, sort=False, observed=True, dropna=False)
        parts = [(_design_words(groups, key), part) for key, part in found]
    if len(parts) > MOST_LINES:
        ax.told = left_out(MOST_LINES, len(parts), "designs")  # type: ignore[attr-defined]
    parts = parts[:MOST_LINES]
    for i, (name, part) in enumerate(parts):
        part = part.sort_values(x)
        color = PALETTE[i % len(PALETTE)]
        if {"conf_low", "conf_high"} <= set(part.columns):
            ax.fill_between(
                part[x], part["conf_low"], part["conf_high"], color=color, alpha=0.18, linewidth=0
            )
        ax.plot(
            part[x],
            part[height],
            color=color,
            linestyle=STYLES[(i // len(PALETTE)) % 4],
            marker="o",
            markersize=3.5,
            linewidth=1.5,
            label=label(name, 120) or None,
        )
    if target is not None:
        ax.axhline(target, color=MUTED, linewidth=1.0, linestyle="--")
    ax.set_ylim(-0.02, 1.02)
    legend(ax, below=0.55)
    x_label = "subjects" if x in ("n", "n_subject") else x.replace("_", " ")
    return finish(ax, x=x_label, y="power", title=title, grid="both")
