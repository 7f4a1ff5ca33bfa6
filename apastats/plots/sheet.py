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
    MOST_CURVES,
    MOST_PANELS,
    Marks,
    Panel,
    block_size,
    left_out,
    text_width,
    width_of_page,
    wrapped,
)
from apastats.plots.sheet_layout import EDGE, Layout, Sizes, Ticks, ticks
from apastats.plots.style import GRID, INK, MUTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Canvas", "Sheet", "alone", "sheet"]

Box = tuple[float, float, float, float]  # left, top, width, height
Placing = Callable[[np.ndarray], np.ndarray]


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


def _inches(box: Box, xlim: Any, ylim: Any) -> Placing:
    """From the coordinates of a panel to inches, ``[..., 2]``."""
    left, top, width, height = box
    (x_least, x_most), (y_least, y_most) = sorted(xlim), sorted(ylim)

    def place(xy: np.ndarray) -> np.ndarray:
        x = np.minimum(np.maximum(xy[..., 0], x_least), x_most)
        y = np.minimum(np.maximum(xy[..., 1], y_least), y_most)
        out = np.empty(xy.shape)
        out[..., 0] = left + (x - xlim[0]) / (xlim[1] - xlim[0]) * width
        out[..., 1] = top + (ylim[1] - y) / (ylim[1] - ylim[0]) * height
        return out

    return place


@dataclass(frozen=True, eq=False)
class Sheet:
    """Marks and texts of all panels in inches from the upper left corner, and the boxes of the panels."""

    width: float
    height: float
    paths: _Paths
    texts: list[tuple[Any, ...]]
    boxes: list[Box]

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
    panels = kept if kept is not None else []
    if not panels:
        panels.append(Panel())
        draw(panels[0], 0)
        most = MOST_CURVES if panels[0].names is None else MOST_PANELS
        for i in range(1, min(n, most)):
            panels.append(Panel())
            draw(panels[i], i)
    _common_limits(panels, shared_x, shared_y)
    layout = Layout.of(
        panels, panel_width=panel_width, inner=inner, own_names=own_names, shared_y=shared_y
    )
    drawing = _Drawing(layout)
    y = 0.06
    for line in layout.lines():
        y = drawing.line(panels, line, y)
    y = drawing.axis_words(x_label or panels[0].x_label, y)
    entries = _legend_entries(panels, first)
    longest = max((text_width(w, layout.sizes.key) for w, _ in entries), default=0.0)
    page = width_of_page()
    total = min(page, max(layout.used(), min(longest + 0.6, page), 3.2))
    y = drawing.legend(entries, y, total)
    y = drawing.told(_told(panels, n), y, total)
    return drawing.sheet(total, y)


def _told(panels: Sequence[Panel], n: int) -> str:
    """What is left out: panels, or rows of them."""
    most = max(panels, key=lambda p: p.hidden)
    words = []
    if n > len(panels):
        words.append(left_out(len(panels), n, "panels"))
    if most.hidden:
        shown = len(most.names or ())
        words.append(
            left_out(shown, shown + most.hidden, "rows of a panel" if len(panels) > 1 else "rows")
        )
    return (
        f"Shown are {' and '.join(w.removesuffix('; the table has all') for w in words)}; the table has all."
        if words
        else ""
    )


def alone(draw: Callable[[Any], object]) -> Sheet:
    """Sheet of a single panel."""
    return sheet(1, lambda panel, _: draw(panel))


class Canvas:
    """Marks and texts in inches from the upper left corner."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self.paths = _Paths()
        self.texts: list[tuple[Any, ...]] = []
        self.boxes: list[Box] = []

    def write(
        self, x: float, y: float, words: str, size: float, ha: str, va: str, *, turn: int = 0, bold: bool = False,
        color: str = INK,
    ) -> None:  # fmt: skip
        """A text, in ink."""
        self.texts.append((x, y, words, size, ha, va, turn, bold, color))

    def legend(self, entries: list[tuple[str, Marks]], y: float, total: float) -> float:
        """Keys one after the other, on as many lines as they need; returns where it ends."""
        if not entries:
            return y
        paths, sizes = self.paths, self.sizes
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
            self.write(x + 0.31, y + more / 2, said, sizes.key, "left", "center")
            y += more
            x += 0.31 + wide + 0.2
        return y + line / 2 + 0.02

    def told(self, words: str, y: float, total: float) -> float:
        """What the figure leaves out, on lines of their own; returns where they end."""
        if not words:
            return y
        said = wrapped(words, self.sizes.key, total - 0.2)
        self.write(0.1, y + 0.06, said, self.sizes.key, "left", "top", color=MUTED)
        return y + 0.1 + block_size(said, self.sizes.key)[1]

    def sheet(self, total: float, y: float) -> Sheet:
        """The drawing, as wide as its texts need."""
        total = max([total, *(_right(t) + 0.04 for t in self.texts)])
        return Sheet(total, y + 0.06, self.paths, self.texts, self.boxes)


class _Drawing(Canvas):
    """Panels and texts, placed one line after the other."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout.sizes)
        self.layout = layout

    def line(self, panels: Sequence[Panel], line: range, y: float) -> float:
        """The panels that stand beside each other; returns where they end."""
        lay = self.layout
        top = y + lay.head(line) + 0.08
        high = max(lay.rows_high(i) if panels[i].names is not None else lay.inner for i in line)
        foot = lay.sizes.tick * LINE / 72 + 0.09
        for k, i in enumerate(line):
            tall = lay.rows_high(i) if panels[i].names is not None else high
            box = (lay.left + k * lay.pitch, top, lay.width, tall)
            self.boxes.append(box)
            below = i + lay.n_col >= lay.n
            self.panel(panels[i], i, box, at_left=k == 0, below=below)
            if panels[i].columns and below:
                foot = lay.foot_names + 0.15
        return top + high + foot

    def panel(self, panel: Panel, i: int, box: Box, *, at_left: bool, below: bool) -> None:
        """Frame, marks and texts of a panel."""
        lay = self.layout
        left, top, width, _ = box
        x_ticks = (
            []
            if panel.columns
            else ticks(*panel.extent("x"), width, lay.sizes.tick, whole=panel.whole)
        )
        _frame(self.paths, box, panel, x_ticks, lay.y_ticks[i])
        _place(self.paths, box, panel)
        if lay.titles[i]:
            self.write(
                left, top - 0.06, lay.titles[i], lay.sizes.title, "left", "bottom", bold=True
            )
        place = _inches(box, panel.extent("x"), panel.extent("y"))
        self.below(panel, box, place, x_ticks, columns=below)
        if panel.names is None:
            if at_left or lay.own_side:
                self.scale(panel, box, place, lay.y_ticks[i])
        elif at_left or lay.own_names:
            for v, word in enumerate(lay.names[i]):
                at = place(np.array([[0.0, float(v)]]))[0, 1]
                self.write(left - 0.08, at, word, lay.sizes.tick, "right", "center")

    def below(
        self, panel: Panel, box: Box, place: Placing, x_ticks: Ticks, *, columns: bool
    ) -> None:
        """Numbers below a panel, or the names of its columns, as many as have room."""
        _, top, width, tall = box
        size = self.layout.sizes.tick
        for v, word in x_ticks:
            at = place(np.array([[v, 0.0]]))[0, 0]
            self.write(at, top + tall + 0.06, word, size, "center", "top")
        if panel.columns and columns:
            step = max(1, math.ceil(len(panel.columns) * 1.1 * size / 72 / width))
            for v, word in list(enumerate(panel.columns))[::step]:
                at = place(np.array([[float(v), 0.0]]))[0, 0]
                self.write(at, top + tall + 0.05, word, size, "center", "top", turn=90)

    def scale(self, panel: Panel, box: Box, place: Placing, y_ticks: Ticks) -> None:
        """Numbers of the y axis and what it shows."""
        left, top, _, tall = box
        sizes = self.layout.sizes
        for v, word in y_ticks:
            at = place(np.array([[0.0, v]]))[0, 1]
            self.write(left - 0.06, at, word, sizes.tick, "right", "center_baseline")
        if panel.y_label:
            said = wrapped(panel.y_label, sizes.label, max(tall, 0.8))
            x = left - self.layout.y_wide - 0.1
            self.write(x, top + tall / 2, said, sizes.label, "right", "center", turn=90)

    def axis_words(self, words: str, y: float) -> float:
        """What the x axes show, below the middle of the panels; returns where it ends."""
        if not words:
            return y
        lay, size = self.layout, self.layout.sizes.label
        used = lay.used()
        middle = lay.left + (used - lay.left - EDGE) / 2
        said = wrapped(words, size, 2 * min(middle, max(used, width_of_page()) - middle) - 0.1)
        self.write(middle, y + 0.02, said, size, "center", "top")
        return y + block_size(said, size)[1] + 0.06


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


def _frame(paths: _Paths, box: Box, panel: Panel, x_ticks: Ticks, y_ticks: Ticks) -> None:
    """Left and lower spine, ticks and the grid."""
    left, top, width, height = box
    place = _inches(box, panel.extent("x"), panel.extent("y"))
    line: tuple[Any, ...] = ("line", 2.5, MUTED, None, 0.8, "-", 1.0, "", 0)
    faint = ("line", 0.1, GRID, None, 0.6, "-", 1.0, "", 0)
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


def _place(paths: _Paths, box: Box, panel: Panel) -> None:
    """Marks of a panel in inches."""
    xlim, ylim = panel.extent("x"), panel.extent("y")
    place = _inches(box, xlim, ylim)
    # rows that are left out lie below
    last = max(ylim) if panel.hidden else np.inf
    for m in panel.marks:
        colors = (
            m.color if isinstance(m.color, (list, tuple, np.ndarray)) else [m.color] * len(m.xy)
        )
        if m.what == "line" and len(m.xy) > 1 and len({len(xy) for xy in m.xy}) == 1:
            key = (m.z, None, m.width, m.dash, m.alpha, "", 0)
            together = np.stack(m.xy)
            shown = ~np.isnan(together).any(axis=(1, 2)) & (together[:, :, 1].min(axis=1) <= last)
            for ends, color, seen in zip(place(together), colors, shown, strict=True):
                if seen:
                    paths.add((m.what, m.z, color, *key[1:]), ends)
            continue
        for xy, color in zip(m.xy, colors, strict=True):
            if m.what == "point":
                ok = np.isfinite(xy).all(axis=1)
                ok &= (xy[:, 0] >= min(xlim)) & (xy[:, 0] <= max(xlim))
                ok &= xy[:, 1] <= last
                paths.add(
                    (m.what, m.z, color, m.edge, m.width, "-", m.alpha, m.marker, m.size),
                    place(xy[ok]),
                )
            elif not np.isnan(xy).any() and xy[:, 1].min() <= last:
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
