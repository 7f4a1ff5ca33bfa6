"""Many small panels on one Axes: marks of all panels are collected and drawn as few paths, names are measured.

An Axes of matplotlib costs some 40 ms to make and draw, whatever is on it; a wall of panels costs seconds. A
:class:`apastats.plots.panel.Panel` takes the few drawing calls that the plots of this package use (it can stand where
they expect an Axes), keeps them as numbers, and :func:`sheet` places all panels on one Axes whose unit is the inch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from apastats.plots.panel import (
    LINE,
    Marks,
    Panel,
    block_size,
    size_of,
    text_width,
    width_of_page,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Sheet", "sheet"]


class _Paths:
    """Marks of all panels in inches, one compound path for each style."""

    def __init__(self) -> None:
        self.groups: dict[tuple[Any, ...], list[np.ndarray]] = {}

    def add(self, key: tuple[Any, ...], xy: np.ndarray) -> None:
        if len(xy):
            self.groups.setdefault(key, []).append(xy)

    def in_order(self) -> list[tuple[tuple[Any, ...], list[np.ndarray]]]:
        """Styles and their paths, those that lie below first."""
        return sorted(self.groups.items(), key=lambda item: float(item[0][1]))

    def draw(self, figure: Figure, transform: Any) -> None:
        from matplotlib.lines import Line2D
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        for key, parts in self.in_order():
            what, z, color, edge, width, dash, alpha, marker, size = key
            if what == "point":
                xy = np.concatenate(parts)
                artist: Any = Line2D(
                    xy[:, 0],
                    xy[:, 1],
                    linestyle="none",
                    marker=marker,
                    markersize=size,
                    markerfacecolor=color,
                    markeredgecolor=edge or color,
                    markeredgewidth=width,
                    alpha=alpha,
                    zorder=z,
                )
            else:
                codes = []
                for p in parts:
                    codes += [Path.MOVETO] + [Path.LINETO] * (len(p) - 1)
                    if what == "area":
                        codes[-1] = Path.CLOSEPOLY
                path = Path(np.concatenate(parts), codes)
                fill = what == "area"
                artist = PathPatch(
                    path,
                    fill=fill,
                    facecolor=color if fill else "none",
                    edgecolor="none" if fill else color,
                    linewidth=0 if fill else width,
                    linestyle=dash,
                    alpha=alpha,
                    zorder=z,
                    capstyle="butt",
                )
            artist.set_transform(transform)
            figure.add_artist(artist)


def _inches(
    box: tuple[float, float, float, float], xlim: Any, ylim: Any
) -> Callable[[np.ndarray], np.ndarray]:
    """From the coordinates of a panel to inches."""
    left, top, width, height = box

    def place(xy: np.ndarray) -> np.ndarray:
        x = np.clip(xy[:, 0], min(xlim), max(xlim))
        y = np.clip(xy[:, 1], min(ylim), max(ylim))
        return np.column_stack(
            [
                left + (x - xlim[0]) / (xlim[1] - xlim[0]) * width,
                top + (ylim[1] - y) / (ylim[1] - ylim[0]) * height,
            ]
        )

    return place


def ticks(
    low: float, high: float, room: float, size: float, *, whole: bool = False
) -> list[tuple[float, str]]:
    """Round values whose numbers do not touch in ``room`` inches."""
    from matplotlib.ticker import MaxNLocator

    for n in (5, 4, 3, 2, 1):
        locator = MaxNLocator(nbins=n, integer=whole, steps=[1, 2, 2.5, 5, 10])
        at = np.asarray(locator.tick_values(low, high))
        slack = 1e-9 * (high - low)
        at = at[(at >= low - slack) & (at <= high + slack)]
        step = at[1] - at[0] if len(at) > 1 else 1.0
        places = max(0, -math.floor(math.log10(step) + 1e-9)) if step < 1 else 0
        if abs(step * 10**places - round(step * 10**places)) > 1e-6:
            places += 1
        words = [f"{v:.{places}f}".replace("-", "\u2212") for v in np.where(at == 0, 0.0, at)]
        wide = max((text_width(w, size) for w in words), default=0.0)
        if len(at) < 2 or wide * 1.25 <= room * step / (high - low):
            return list(zip(at.tolist(), words, strict=True))
    return []


@dataclass(frozen=True, eq=False)
class Sheet:
    """Marks and texts of all panels in inches from the upper left corner, and the boxes of the panels."""

    width: float
    height: float
    paths: _Paths
    texts: list[tuple[Any, ...]]
    boxes: list[tuple[float, float, float, float]]

    def figure(self) -> Figure:
        """Figure of matplotlib, for pixels and pdf; without an Axes."""
        from matplotlib.text import Text
        from matplotlib.transforms import Affine2D

        from apastats.plots.style import new_figure

        figure = new_figure(self.width, self.height, layout=None)
        down = Affine2D().scale(1, -1).translate(0, self.height) + figure.dpi_scale_trans
        self.paths.draw(figure, down)
        for x, at, words, size, ha, va, turn, bold, color in self.texts:
            figure.add_artist(
                Text(
                    x, at, words.replace(r"\$", "$"), fontsize=size, ha=ha, va=va, rotation=turn, color=color,
                    transform=down, fontweight="bold" if bold else "normal", linespacing=1.1, zorder=9,
                    parse_math=False,
                )
            )  # fmt: skip
        return figure

    def svg(self) -> str:
        """The same drawing as an SVG document."""
        from apastats.plots.sheet_svg import sheet_svg

        return sheet_svg(self)


@dataclass
class _Axis:
    """Sizes of texts in points."""

    tick: float
    label: float
    title: float
    key: float


def sheet(
    n: int,
    draw: Callable[[Panel, int], object],
    *,
    x_label: str = "",
    panel_width: float = 2.3,
    inner: float = 1.45,
    first: Sequence[str] = (),
    own_names: bool = False,
    shared_x: bool = True,
    shared_y: bool = True,
    kept: list[Panel] | None = None,
) -> Sheet:
    """Figure of ``n`` panels, as many beside each other as the page is wide; every text has its room.

    Parameters
    ----------
    n : int
        Number of panels.
    draw : callable
        ``draw(panel, i)`` draws panel ``i``.
    x_label : str
        Label of the x axis of all panels.
    panel_width, inner : float
        Least width of a panel, and the height of one that has no rows, in inches.
    first : sequence of str
        Entries of the legend that stand first.
    own_names : bool
        Whether every panel names its rows, or only the first of each line.
    shared_x, shared_y : bool
        Whether panels have one x scale, and curves one y scale.
    kept : list of Panel, optional
        Panels of an earlier call; filled where it is empty, so that another width is laid out without drawing again.
    """
    from apastats.plots.style import GRID, INK, MUTED

    sizes = _Axis(
        *(
            size_of(w)
            for w in ("ytick.labelsize", "axes.labelsize", "axes.titlesize", "legend.fontsize")
        )
    )
    panels = kept if kept is not None else []
    if not panels:
        panels += [Panel() for _ in range(n)]
        for i, panel in enumerate(panels):
            draw(panel, i)
    _common_limits(panels, shared_x, shared_y)
    page = width_of_page()
    gap = 0.32
    named = [p.names or [] for p in panels]
    cap = (0.34 if page > 5 else 0.42) * page
    broken = [[wrapped(s, sizes.tick, cap) for s in names] for names in named]
    widest = max((block_size(s, sizes.tick)[0] for names in broken for s in names), default=0.0)
    lines = max((s.count("\n") + 1 for names in broken for s in names), default=1)
    y_ticks = [
        ticks(*p.extent("y"), inner * 0.9, sizes.tick * 0.8) if p.names is None else []
        for p in panels
    ]
    y_wide = max((text_width(w, sizes.tick) for t in y_ticks for _, w in t), default=0.0)
    has_y_label = any(p.y_label for p in panels)
    left = (
        0.14
        + (widest if widest else y_wide)
        + (sizes.label * LINE / 72 + 0.06 if has_y_label else 0)
    )
    edge = 0.16
    each = left if own_names or (not shared_y and not widest) else 0.0
    columns = max((len(p.columns) for p in panels if p.columns), default=0)
    least = min(max(panel_width, 0.125 * columns), page - left - edge)
    n_col = max(1, min(n, 5, int((page - left - edge + gap) / (least + gap + each))))
    most = 5.0 if n == 1 else max(3.0, least)
    width = min((page - left - edge - (n_col - 1) * (gap + each)) / n_col, most)
    n_line = math.ceil(n / n_col)
    # without neighbours the title may reach over the names, which stand below it
    titles = [wrapped(p.title, sizes.title, width, bold=True) if p.title else "" for p in panels]
    per_row = max(
        0.135 if (named and len(named[0]) > 20) else 0.19, lines * sizes.tick * 1.2 / 72 + 0.02
    )
    foot_names = max(
        (text_width(c, sizes.tick) for p in panels for c in p.columns or ()), default=0.0
    )
    paths, texts, boxes = _Paths(), [], []
    y = 0.06
    for line in range(n_line):
        here = range(line * n_col, min(n, (line + 1) * n_col))
        head = max(
            (block_size(titles[i], sizes.title, bold=True)[1] for i in here if titles[i]),
            default=0.0,
        )
        top = y + head + 0.08
        high = max(
            per_row * max(len(named[i]), 2) if panels[i].names is not None else inner for i in here
        )
        foot = sizes.tick * LINE / 72 + 0.09
        for k, i in enumerate(here):
            panel = panels[i]
            x0 = left + k * (width + gap + each)
            tall = per_row * max(len(named[i]), 2) if panel.names is not None else high
            box = (x0, top, width, tall)
            boxes.append(box)
            below = i + n_col >= n
            x_ticks = (
                []
                if panel.columns
                else ticks(*panel.extent("x"), width, sizes.tick, whole=panel.whole)
            )
            _frame(paths, box, panel, x_ticks, y_ticks[i], (GRID, MUTED))
            _place(paths, box, panel)
            if titles[i]:
                texts.append(
                    (x0, top - 0.06, titles[i], sizes.title, "left", "bottom", 0, True, INK)
                )
            place = _inches(box, panel.extent("x"), panel.extent("y"))
            for v, word in x_ticks:
                at = place(np.array([[v, 0.0]]))[0, 0]
                texts.append(
                    (at, top + tall + 0.06, word, sizes.tick, "center", "top", 0, False, INK)
                )
            if panel.columns and below:
                step = max(1, math.ceil(len(panel.columns) * 1.1 * sizes.tick / 72 / width))
                for v, word in list(enumerate(panel.columns))[::step]:
                    at = place(np.array([[float(v), 0.0]]))[0, 0]
                    texts.append(
                        (at, top + tall + 0.05, word, sizes.tick, "center", "top", 90, False, INK)
                    )
                foot = foot_names + 0.15
            if panel.names is not None and (k == 0 or own_names):
                for v, word in enumerate(broken[i]):
                    at = place(np.array([[0.0, float(v)]]))[0, 1]
                    texts.append(
                        (x0 - 0.08, at, word, sizes.tick, "right", "center", 0, False, INK)
                    )
            if panel.names is None and (k == 0 or each):
                for v, word in y_ticks[i]:
                    at = place(np.array([[0.0, v]]))[0, 1]
                    texts.append(
                        (x0 - 0.06, at, word, sizes.tick, "right", "center_baseline", 0, False, INK)
                    )
                if panel.y_label:
                    said = wrapped(panel.y_label, sizes.label, max(tall, 0.8))
                    texts.append(
                        (
                            x0 - y_wide - 0.1,
                            top + tall / 2,
                            said,
                            sizes.label,
                            "right",
                            "center",
                            90,
                            False,
                            INK,
                        )
                    )
        y = top + high + foot
    used = left + min(n, n_col) * (width + gap + each) - gap - each + edge
    axis_word = x_label or panels[0].x_label
    entries = _legend_entries(panels, first)
    if axis_word:
        middle = left + (used - left - edge) / 2
        said = wrapped(axis_word, sizes.label, 2 * min(middle, max(used, page) - middle) - 0.1)
        texts.append((middle, y + 0.02, said, sizes.label, "center", "top", 0, False, INK))
        y += block_size(said, sizes.label)[1] + 0.06
    longest = max((text_width(w, sizes.key) for w, _ in entries), default=0.0)
    total = min(page, max(used, min(longest + 0.6, page), 3.2))
    y = _legend(paths, texts, entries, y, total, sizes, INK)
    total = max([total, *(_right(t) + 0.04 for t in texts)])
    return Sheet(total, y + 0.06, paths, texts, boxes)


def _right(text: tuple[Any, ...]) -> float:
    x, _, words, size, ha, _, turn, bold, _ = text
    if turn:
        return float(x) + size / 72
    wide = block_size(words, size, bold=bold)[0]
    return float(x) + wide * {"left": 1.0, "center": 0.5, "right": 0.0}[ha]


def _common_limits(panels: Sequence[Panel], shared_x: bool, shared_y: bool) -> None:
    """One x scale for all panels, unless that would flatten some; one y scale for curves."""
    limits = np.array([p.extent("x") for p in panels])
    low, high = limits[:, 0].min(), limits[:, 1].max()
    if shared_x and high - low <= 3.5 * np.median(limits[:, 1] - limits[:, 0]):
        for p in panels:
            p.x_limits = (float(low), float(high))
    if shared_y and panels[0].names is None:
        ends = np.array([p.extent("y") for p in panels])
        for p in panels:
            p.y_limits = (float(ends[:, 0].min()), float(ends[:, 1].max()))


def _frame(
    paths: _Paths, box: Any, panel: Panel, x_ticks: Any, y_ticks: Any, colors: tuple[str, str]
) -> None:
    """Left and lower spine, ticks and the grid."""
    left, top, width, height = box
    grid, muted = colors
    place = _inches(box, panel.extent("x"), panel.extent("y"))
    line: tuple[Any, ...] = ("line", 2.5, muted, None, 0.8, "-", 1.0, "", 0)
    faint = ("line", 0.1, grid, None, 0.6, "-", 1.0, "", 0)
    paths.add(line, np.array([[left, top], [left, top + height], [left + width, top + height]]))
    for v, _ in x_ticks:
        x = place(np.array([[v, 0.0]]))[0, 0]
        if panel.grid in ("x", "both"):
            paths.add(faint, np.array([[x, top], [x, top + height]]))
        paths.add(line, np.array([[x, top + height], [x, top + height + 0.04]]))
    if panel.columns:
        for k in range(len(panel.columns)):
            x = place(np.array([[float(k), 0.0]]))[0, 0]
            paths.add(line, np.array([[x, top + height], [x, top + height + 0.03]]))
    for v, _ in y_ticks:
        y = place(np.array([[0.0, v]]))[0, 1]
        if panel.grid in ("y", "both"):
            paths.add(faint, np.array([[left, y], [left + width, y]]))


def _place(paths: _Paths, box: Any, panel: Panel) -> None:
    """Marks of a panel in inches."""
    xlim, ylim = panel.extent("x"), panel.extent("y")
    place = _inches(box, xlim, ylim)
    for m in panel.marks:
        colors = (
            m.color if isinstance(m.color, (list, tuple, np.ndarray)) else [m.color] * len(m.xy)
        )
        for xy, color in zip(m.xy, colors, strict=True):
            if m.what == "point":
                ok = np.isfinite(xy).all(axis=1)
                ok &= (xy[:, 0] >= min(xlim)) & (xy[:, 0] <= max(xlim))
                paths.add(
                    (m.what, m.z, color, m.edge, m.width, "-", m.alpha, m.marker, m.size),
                    place(xy[ok]),
                )
            elif not np.isnan(xy).any():
                ends = place(xy)
                what = m.what
                if what == "box":
                    (x0, y0), (x1, y1) = ends
                    ends = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]])
                    what = "area"
                elif what == "area":
                    ends = np.concatenate([ends, ends[:1]])
                paths.add((what, m.z, color, None, m.width, m.dash, m.alpha, "", 0), ends)


def _legend_entries(panels: Sequence[Panel], first: Sequence[str]) -> list[tuple[str, Marks]]:
    found: dict[str, Marks] = {}
    for p in panels:
        for words, mark in p.entries.items():
            found.setdefault(words, mark)
    rank = {w: i for i, w in enumerate(first)}
    return [(w, found[w]) for w in sorted(found, key=lambda w: rank.get(w, len(rank)))]


def _legend(
    paths: _Paths,
    texts: list[Any],
    entries: list[tuple[str, Marks]],
    y: float,
    total: float,
    sizes: _Axis,
    ink: str,
) -> float:
    """Keys one after the other, on as many lines as they need; returns where it ends."""
    if not entries:
        return y
    x, line = 0.1, sizes.key * LINE / 72 + 0.05
    y += line / 2 + 0.06
    for words, m in entries:
        said = wrapped(words, sizes.key, total - 0.55)
        wide, high = block_size(said, sizes.key)
        if x > 0.1 and x + 0.32 + wide > total - 0.05:
            x, y = 0.1, y + line
        color = m.color if isinstance(m.color, str) else next(iter(m.color), "none")
        if m.what == "point":
            key = ("point", 3, color, m.edge, m.width, "-", m.alpha, m.marker, min(m.size, 7))
            paths.add(key, np.array([[x + 0.12, y]]))
        elif m.what == "line":
            paths.add(
                ("line", 3, color, None, m.width, m.dash, m.alpha, "", 0),
                np.array([[x, y], [x + 0.24, y]]),
            )
        else:
            corners = np.array(
                [
                    [x, y - 0.05],
                    [x + 0.24, y - 0.05],
                    [x + 0.24, y + 0.05],
                    [x, y + 0.05],
                    [x, y - 0.05],
                ]
            )
            paths.add(("area", 3, color, None, 0, "-", m.alpha, "", 0), corners)
        more = high - sizes.key * LINE / 72  # lines beyond the first
        texts.append((x + 0.31, y + more / 2, said, sizes.key, "left", "center", 0, False, ink))
        y += more
        x += 0.31 + wide + 0.2
    return y + line / 2 + 0.02
