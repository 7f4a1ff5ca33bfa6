"""A panel that keeps what is drawn on it, the width a figure may have, and the size of texts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from unicodedata import east_asian_width

import numpy as np

__all__ = ["Marks", "Panel", "narrow", "page_width", "text_width", "wrapped"]

PAGE = 11.0  # inches that a figure of a report may be wide
_WIDTH: ContextVar[float | None] = ContextVar("page_width", default=None)
HINTED = 1.03  # letters of small texts stand on whole pixels, somewhat apart
MOST_ROWS = 60  # rows that a plot shows, MOST_PANELS panels: more are not read, and the figure says what it leaves out
MOST_PANELS, MOST_CURVES = 40, 24
LINE = 1.25  # distance of two lines of text, in their size


@contextmanager
def page_width(inches: float) -> Iterator[None]:
    """Width that figures made within may have."""
    token = _WIDTH.set(inches)
    try:
        yield
    finally:
        _WIDTH.reset(token)


def width_of_page() -> float:
    """Width that figures may have here, in inches."""
    return _WIDTH.get() or PAGE


def narrow() -> bool:
    """Whether figures are made for a narrow screen."""
    return width_of_page() < 5.0


def on_page() -> bool:
    """Whether a report draws, which sizes its figures when they are complete."""
    return _WIDTH.get() is not None


def size_of(what: str) -> float:
    """Size of a text (``xtick.labelsize``, ``axes.titlesize``, ...) in points, from the settings of matplotlib."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties

    return float(FontProperties(size=rcParams[what]).get_size_in_points())


@lru_cache(maxsize=16)
def _font(family: tuple[str, ...], bold: bool) -> Any:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return get_font(
        findfont(FontProperties(family=list(family), weight="bold" if bold else "normal"))
    )


@lru_cache(maxsize=4096)
def _width(words: str, family: tuple[str, ...], bold: bool) -> float:
    import warnings

    font = _font(family, bold)
    font.set_size(100.0, 72)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a glyph that the font lacks
        # a browser takes wide letters from another font, where each is as wide as it is high
        wide = [c for c in words if east_asian_width(c) in "WF" and not font.get_char_index(ord(c))]
        font.set_text("".join(c for c in words if c not in wide), 0.0)
    return float(font.get_width_height()[0]) / 64.0 / 100.0 + 1.0 * len(wide)


def text_width(words: str, size: float, *, bold: bool = False) -> float:
    """Width of one line of text in inches."""
    from matplotlib import rcParams

    return (
        _width(words.replace(r"\$", "$"), tuple(rcParams["font.family"]), bold)
        * size
        / 72.0
        * HINTED
    )


def wrapped(words: str, size: float, room: float, *, bold: bool = False) -> str:
    """Text broken into lines that are no wider than ``room`` inches, after a separator where there is one."""
    lines, rest = [], words
    while text_width(rest, size, bold=bold) > room and len(rest) > 3:
        share = room / text_width(rest, size, bold=bold)
        cut = max(2, min(len(rest) - 1, int(len(rest) * share) + 2))
        while cut > 2 and text_width(rest[:cut], size, bold=bold) > room:
            cut -= 1
        at = max((rest.rfind(c, 1, cut) + 1 for c in " _-/:.,\u00b7"), default=0)
        cut = at if at >= cut / 2.5 else cut
        if rest[cut - 1] == "\\":
            cut -= 1
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return "\n".join([*lines, rest])


def left_out(shown: int, every: int, noun: str = "rows") -> str:
    """What a figure leaves out."""
    return f"the first {shown} of {every:,} {noun}; the table has all"


def block_size(words: str, size: float, *, bold: bool = False) -> tuple[float, float]:
    """Width and height of a text of one or more lines, in inches."""
    lines = words.split("\n")
    wide = max(text_width(line, size, bold=bold) for line in lines)
    return wide, len(lines) * size * LINE / 72.0


@dataclass
class Marks:
    """Marks of one style: ``what`` is line, box, area or point; coordinates are those of the panel."""

    what: str
    xy: list[np.ndarray]
    z: float
    color: Any
    edge: Any = None
    width: float = 1.0
    dash: str = "-"
    alpha: float = 1.0
    marker: str = "o"
    size: float = 5.0


@dataclass
class Panel:
    """Stands where a plot expects an Axes; keeps what is drawn until :func:`sheet` places it."""

    marks: list[Marks] = field(default_factory=list)
    entries: dict[str, Marks] = field(default_factory=dict)
    title: str = ""
    x_label: str = ""
    y_label: str = ""
    names: list[str] | None = None
    columns: list[str] | None = None
    x_limits: tuple[float, float] | None = None
    y_limits: tuple[float, float] | None = None
    whole: bool = False
    hidden: int = 0
    grid: str = "x"
    _x: list[np.ndarray] = field(default_factory=list)
    _y: list[np.ndarray] = field(default_factory=list)

    def _seen(self, x: Any = (), y: Any = ()) -> None:
        self._x.append(np.atleast_1d(np.asarray(x, dtype=float)))
        self._y.append(np.atleast_1d(np.asarray(y, dtype=float)))

    def _add(self, marks: Marks, label: str | None) -> None:
        self.marks.append(marks)
        if label:
            self.entries.setdefault(str(label), marks)

    def hlines(
        self,
        y: Any,
        low: Any,
        high: Any,
        *,
        color: Any,
        linewidth: float = 1.5,
        alpha: float = 1.0,
        zorder: float = 2,
        label: str | None = None,
    ) -> None:
        """Horizontal lines."""
        y, low, high = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (y, low, high))
        y, low, high = np.broadcast_arrays(y, low, high)
        self._seen(np.concatenate([low, high]), y)
        lines = [np.array([[a, v], [b, v]]) for a, b, v in zip(low, high, y, strict=True)]
        self._add(Marks("line", lines, zorder, color, width=linewidth, alpha=alpha), label)

    def vlines(
        self,
        x: Any,
        low: Any,
        high: Any,
        *,
        color: Any,
        linewidth: float = 1.5,
        zorder: float = 2,
        label: str | None = None,
    ) -> None:
        """Vertical lines."""
        x, low, high = np.broadcast_arrays(
            *(np.atleast_1d(np.asarray(v, float)) for v in (x, low, high))
        )
        self._seen(x, np.concatenate([low, high]))
        lines = [np.array([[v, a], [v, b]]) for a, b, v in zip(low, high, x, strict=True)]
        self._add(Marks("line", lines, zorder, color, width=linewidth), label)

    def plot(
        self,
        x: Any,
        y: Any,
        *,
        color: Any,
        linewidth: float = 1.5,
        linestyle: str = "-",
        marker: str | None = None,
        markersize: float = 5.0,
        zorder: float = 2,
        label: str | None = None,
        drawstyle: str = "default",
        alpha: float = 1.0,
    ) -> None:
        """A line through points; it breaks where a value is missing."""
        points = np.column_stack([np.asarray(x, dtype=float), np.asarray(y, dtype=float)])
        if drawstyle == "steps-post" and len(points) > 1:
            points = np.repeat(points, 2, axis=0)
            points = np.column_stack([points[1:, 0], points[:-1, 1]])
        self._seen(points[:, 0], points[:, 1])
        pieces = np.split(points, np.flatnonzero(~np.isfinite(points).all(axis=1)))
        pieces = [p[np.isfinite(p).all(axis=1)] for p in pieces]
        self._add(
            Marks(
                "line",
                [p for p in pieces if len(p) > 1],
                zorder,
                color,
                width=linewidth,
                dash=linestyle,
                alpha=alpha,
            ),
            label,
        )
        if marker:
            self._add(
                Marks("point", [points], zorder, color, marker=marker, size=markersize, width=0),
                None,
            )

    def scatter(
        self,
        x: Any,
        y: Any,
        *,
        s: Any = 30,
        marker: str = "o",
        color: Any = None,
        facecolors: Any = None,
        edgecolors: Any = None,
        linewidths: Any = 0.0,
        alpha: float = 1.0,
        zorder: float = 2,
        label: str | None = None,
        clip_on: bool = True,
    ) -> None:
        """Points; colours, areas and widths of edges for all or each."""
        x, y = (np.asarray(v, dtype=float) for v in (x, y))
        x, y = (np.atleast_1d(v).ravel() for v in np.broadcast_arrays(x, y))
        self._seen(x, y)
        face = color if facecolors is None else facecolors
        n = len(x)
        sizes, widths = (np.broadcast_to(np.asarray(v, float), (n,)) for v in (s, linewidths))
        faces, edges = (
            v if isinstance(v, (list, tuple, np.ndarray)) else [v] * n for v in (face, edgecolors)
        )
        first = True
        for key in dict.fromkeys(zip(map(str, faces), map(str, edges), sizes, widths, strict=True)):
            use = [
                i for i in range(n) if (str(faces[i]), str(edges[i]), sizes[i], widths[i]) == key
            ]
            i = use[0]
            self._add(
                Marks(
                    "point",
                    [np.column_stack([x[use], y[use]])],
                    zorder,
                    faces[i],
                    edges[i],
                    float(widths[i]),
                    marker=marker,
                    size=math.sqrt(float(sizes[i])),
                    alpha=alpha,
                ),
                label if first else None,
            )
            first = False

    def barh(
        self,
        y: Any,
        width: Any,
        *,
        left: Any,
        height: float,
        color: Any,
        alpha: float = 1.0,
        zorder: float = 1,
        linewidth: float = 0,
        label: str | None = None,
    ) -> None:
        """Bars."""
        y, left, width = (np.atleast_1d(np.asarray(v, float)) for v in (y, left, width))
        self._seen(np.concatenate([left, left + width]), y)
        boxes = [
            np.array([[a, v - height / 2], [a + w, v + height / 2]])
            for a, w, v in zip(left, width, y, strict=True)
        ]
        self._add(Marks("box", boxes, zorder, color, alpha=alpha), label)

    def axvspan(
        self,
        low: float,
        high: float,
        *,
        color: Any,
        alpha: float = 1.0,
        linewidth: float = 0,
        zorder: float = 0,
        label: str | None = None,
    ) -> None:
        """A band over the whole height."""
        self._seen([low, high])
        self._add(
            Marks("box", [np.array([[low, -np.inf], [high, np.inf]])], zorder, color, alpha=alpha),
            label,
        )

    def axhspan(
        self,
        low: float,
        high: float,
        *,
        color: Any,
        alpha: float = 1.0,
        linewidth: float = 0,
        zorder: float = 0,
        label: str | None = None,
    ) -> None:
        """A band over the whole width."""
        self._seen(y=[low, high])
        self._add(
            Marks("box", [np.array([[-np.inf, low], [np.inf, high]])], zorder, color, alpha=alpha),
            label,
        )

    def axvline(
        self,
        x: float,
        *,
        color: Any,
        linewidth: float = 1.0,
        linestyle: str = "-",
        zorder: float = 1,
        label: str | None = None,
    ) -> None:
        """A line over the whole height."""
        self._seen([x])
        line = np.array([[x, -np.inf], [x, np.inf]])
        self._add(Marks("line", [line], zorder, color, width=linewidth, dash=linestyle), label)

    def axhline(
        self,
        y: float,
        *,
        color: Any,
        linewidth: float = 1.0,
        linestyle: str = "-",
        zorder: float = 1,
        label: str | None = None,
    ) -> None:
        """A line over the whole width."""
        self._seen(y=[y])
        line = np.array([[-np.inf, y], [np.inf, y]])
        self._add(Marks("line", [line], zorder, color, width=linewidth, dash=linestyle), label)

    def fill_between(
        self,
        x: Any,
        low: Any,
        high: Any,
        *,
        color: Any,
        alpha: float = 1.0,
        linewidth: float = 0,
        zorder: float = 1,
        label: str | None = None,
    ) -> None:
        """A band along a curve."""
        x, low, high = (np.asarray(v, dtype=float) for v in (x, low, high))
        ok = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
        self._seen(x[ok], np.concatenate([low[ok], high[ok]]))
        if ok.any():
            around = np.concatenate(
                [np.column_stack([x, low])[ok], np.column_stack([x, high])[ok][::-1]]
            )
            self._add(Marks("area", [around], zorder, color, alpha=alpha), label)

    def extent(self, axis: str) -> tuple[float, float]:
        """Range of what is drawn, with room around it."""
        fixed = self.x_limits if axis == "x" else self.y_limits
        if fixed is not None:
            return fixed
        seen = np.concatenate([np.zeros(0), *(self._x if axis == "x" else self._y)])
        seen = seen[np.isfinite(seen)]
        if not seen.size:
            return 0.0, 1.0
        low, high = float(seen.min()), float(seen.max())
        room = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
        return low - room, high + room
