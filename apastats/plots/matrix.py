"""Matrices on a sheet: numbers as colours, or a sign in each cell, with measured names on both sides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from apastats.plots.panel import (
    LINE,
    MOST_ROWS,
    Marks,
    block_size,
    text_width,
    width_of_page,
    wrapped,
)
from apastats.plots.sheet import Canvas, Sheet
from apastats.plots.sheet_layout import Sizes, ticks
from apastats.plots.style import (
    DECISIONS,
    DIVERGING,
    GRID,
    INK,
    LEAST_SIZE,
    MARKERS,
    PALETTE,
    SEQUENTIAL,
    label,
)

__all__ = ["Sign", "decision_signs", "matrix_sheet", "signs_sheet"]

MOST_NUMBERS = 620
CELL, NUMBER_CELL, SIGN_CELL = 0.3, 0.36, 0.3  # inches, at most
LEAST_NUMBER_CELL = 0.26
MANY_ROWS = 40
TIGHT_SIZE, TIGHT_CELL = 6.5, 0.12
SLIT = 0.006  # between cells
BAR_WIDTH, BAR_HEIGHT, SHADES = 2.0, 0.1, 64
LETTER_SIGNS = {"aligned": ("#0072b2", "o", True), "not aligned": ("#d55e00", "D", True)}


class _Grid(Canvas):
    """Cells with names at the left and below."""

    def __init__(
        self,
        rows: Sequence[object],
        columns: Sequence[object],
        *,
        x: str = "",
        y: str = "",
        head: str = "",
        most: float,
        page: float,
        breaks: Sequence[float] = (),
        tight: bool = False,
    ) -> None:
        sizes = Sizes.of_settings()
        super().__init__(replace(sizes, tick=min(sizes.tick, TIGHT_SIZE)) if tight else sizes)
        tick = self.sizes.tick
        self.rows = [wrapped(label(r), tick, 0.4 * page) for r in rows]
        self.columns = [label(c) for c in columns]
        self.x, self.y, self.head = x, y, head
        deep = max((r.count("\n") + 1 for r in self.rows), default=1)
        pitch = 0.135 if len(self.rows) > MANY_ROWS else 0.2
        pitch = (0.118 if len(self.rows) > 12 else 0.14) if tight else pitch
        self.pitch = max(pitch, deep * tick * 1.2 / 72 + 0.02) if deep > 1 else pitch
        self.down = min(tick, 72 * self.pitch / 1.2 / deep)
        widest = max((block_size(r, self.down)[0] for r in self.rows), default=0.0)
        self.beside = self.sizes.label * LINE / 72 + 0.06 if y else 0.0
        self.left = 0.08 + self.beside + widest + 0.06
        self.cell = min(most, (page - self.left - 0.08) / max(len(self.columns), 1))
        self.page = page
        # rows that are set apart stand a little lower
        self.shift = [0.08 * sum(b < i for b in breaks) for i in range(len(self.rows))]
        self.top = 0.06
        if head:
            self.head = wrapped(head, self.sizes.label, max(page - 0.2, 0.5))
            self.top += block_size(self.head, self.sizes.label)[1] + 0.06

    def at(self, i: float, j: float) -> tuple[float, float]:
        """Middle of a cell."""
        row = int(min(max(round(i), 0), len(self.shift) - 1))
        return self.left + (j + 0.5) * self.cell, self.top + (i + 0.5) * self.pitch + self.shift[
            row
        ]

    def names(self) -> float:
        """Write the names; returns where they end."""
        if self.head:
            self.write(0.08, 0.06, self.head, self.sizes.label, "left", "top")
        for i, words in enumerate(self.rows):
            self.write(self.left - 0.06, self.at(i, 0)[1], words, self.down, "right", "center")
        wide = self.cell * len(self.columns)
        end = self.top + self.pitch * len(self.rows) + self.shift[-1]
        self.boxes.append((self.left, self.top, wide, end - self.top))
        across = max(min(self.sizes.tick, 72 * self.cell / 1.15), LEAST_SIZE)
        step = max(1, math.ceil(1.1 * across / 72 / self.cell))
        longest = max((text_width(c, across) for c in self.columns), default=0.0)
        flat = longest <= 0.95 * self.cell
        for j, words in list(enumerate(self.columns))[::step]:
            turn = 0 if flat else 90
            self.write(self.at(0, j)[0], end + 0.05, words, across, "center", "top", turn=turn)
        end += (across * LINE / 72 if flat else longest) + 0.1
        if self.x:
            said = wrapped(self.x, self.sizes.label, max(self.page - 0.2, 0.5))
            half = block_size(said, self.sizes.label)[0] / 2
            middle = max(self.left + wide / 2, half + 0.08)
            self.write(middle, end + 0.02, said, self.sizes.label, "center", "top")
            end += block_size(said, self.sizes.label)[1] + 0.06
        if self.y:
            high = self.pitch * len(self.rows)
            said = wrapped(self.y, self.sizes.label, max(high, 0.8))
            middle = self.top + max(high, block_size(said, self.sizes.label)[0]) / 2
            self.write(
                0.08 + self.beside - 0.04, middle, said, self.sizes.label, "right", "center", turn=90
            )  # fmt: skip
            end = max(end, middle + block_size(said, self.sizes.label)[0] / 2)
        return end

    @property
    def right(self) -> float:
        """Where the cells end."""
        return self.left + self.cell * len(self.columns)


def _turned(n_row: int, n_col: int, page: float) -> bool:
    """Whether the longer side goes downwards, where there is room for its names."""
    return n_col > n_row and n_col * 0.13 > 0.6 * page


def matrix_sheet(
    matrix: pd.DataFrame,
    *,
    outcome: str = "score",
    x: str = "",
    y: str = "",
    diverging: bool = False,
    numbers: bool | None = None,
    best: np.ndarray | None = None,
    breaks: Sequence[float] = (),
    framed: Sequence[tuple[int, int, str]] = (),
    of: int = 0,
) -> Sheet:
    """Matrix as colours, with the numbers written in where there is room, a scale of colours where there is none.

    Parameters
    ----------
    matrix : pandas.DataFrame
        Values; index and columns are the names, NaN is left blank.
    outcome : str
        What the values are.
    x, y : str
        What the columns and the rows are.
    diverging : bool
        Colours around zero.
    numbers : bool, optional
        Whether numbers are written; where None, in up to 620 cells.
    best : numpy.ndarray, optional
        Cells written in bold, or marked where there are no numbers, ``[n_row, n_col]`` of bool.
    breaks : sequence of float
        Where rows are set apart.
    framed : sequence of (row, column, colour)
        Cells with a frame.
    of : int
        Rows there were, where some are left out. Of more than 60 rows those are shown that are marked, framed or set
        apart at the end, and the first.
    """
    page = width_of_page()
    n_row, n_col = matrix.shape
    if _turned(n_row, n_col, page):
        return matrix_sheet(
            matrix.T, outcome=outcome, x=y, y=x, diverging=diverging, numbers=numbers,
            best=None if best is None else best.T, framed=[(j, i, c) for i, j, c in framed],
        )  # fmt: skip
    if n_row > MOST_ROWS:
        named = np.zeros(n_row, dtype=bool)
        if best is not None:
            named |= np.asarray(best, dtype=bool).any(axis=1)
        named[[i for i, _, _ in framed]] = True
        named |= np.arange(n_row) > (breaks[-1] if len(breaks) else n_row)
        rows = _kept(np.where(named, 0, 1))
        new = {int(r): k for k, r in enumerate(rows)}
        return matrix_sheet(
            matrix.iloc[rows], outcome=outcome, x=x, y=y, diverging=diverging, numbers=numbers,
            best=None if best is None else best[rows], breaks=[float((rows < b).sum()) - 0.5 for b in breaks],
            framed=[(new[i], j, c) for i, j, c in framed if i in new], of=n_row,
        )  # fmt: skip
    written = numbers if numbers is not None else n_row * n_col <= MOST_NUMBERS
    most = NUMBER_CELL if written else CELL
    sides = {"x": x, "y": y, "page": page, "breaks": breaks}
    grid = _Grid(matrix.index, matrix.columns, most=most, head=outcome if written else "", **sides)  # type: ignore[arg-type]
    if written and grid.cell < LEAST_NUMBER_CELL:
        written = False
        grid = _Grid(matrix.index, matrix.columns, most=CELL, **sides)  # type: ignore[arg-type]
    values = matrix.to_numpy("f8")
    low, high = _ends(values, diverging)
    shades = _shades(values, low, high, diverging)
    half, tall = grid.cell / 2 - SLIT, grid.pitch / 2 - SLIT
    corners = np.array([[-half, -tall], [half, -tall], [half, tall], [-half, tall], [-half, -tall]])
    for (i, j), shade in np.ndenumerate(shades):
        if shade:
            grid.paths.add(("area", 1, shade, None, 0, "-", 1.0, "", 0), corners + grid.at(i, j))
    for i, j, color in framed:
        at = grid.at(i, j)
        grid.paths.add(("line", 3, color, None, 1.4, "-", 1.0, "", 0), corners * 0.94 + at)
    end = grid.names()
    if written:
        _write_numbers(grid, values, shades, best)
        return grid.sheet(grid.right + 0.08, _left_out(grid, n_row, of, end))
    if best is not None:
        for i, j in np.argwhere(best):
            key = ("point", 3, "#ffffff", "#000000", 0.6, "-", 1.0, "o", 2.4)
            grid.paths.add(key, np.array([grid.at(i, j)]))
    end = _color_scale(grid, outcome, low, high, diverging, end)
    return grid.sheet(grid.right + 0.08, _left_out(grid, n_row, of, end))


def _kept(rank: np.ndarray) -> np.ndarray:
    """Positions of the rows of lowest rank, the first of equal ones, in their order."""
    return np.sort(np.argsort(rank, kind="stable")[:MOST_ROWS])


def _left_out(grid: _Grid, shown: int, of: int, y: float) -> float:
    """What is left out is said below; returns where that ends."""
    if of <= shown:
        return y
    said = f"Shown are {shown} of {of} rows, the best and the references among them; the table has all."
    words = wrapped(said, grid.sizes.label, max(min(grid.page, grid.right) - 0.2, 1.5))
    grid.write(0.08, y + 0.08, words, grid.sizes.label, "left", "top")
    return y + 0.12 + block_size(words, grid.sizes.label)[1]


def _ends(values: np.ndarray, diverging: bool) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if diverging:
        high = float(np.abs(finite).max()) if finite.size else 1.0
        return -high, high
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _shades(values: np.ndarray, low: float, high: float, diverging: bool) -> np.ndarray:
    """Colour of each value as ``#rrggbb``, empty where there is none."""
    from matplotlib import colormaps

    colors = colormaps[DIVERGING if diverging else SEQUENTIAL](np.arange(256), bytes=True)
    names = np.array([f"#{r:02x}{g:02x}{b:02x}" for r, g, b, _ in colors.tolist()])
    known = np.isfinite(values)
    share = np.where(known, values, low) - low
    share = share / (high - low) if high > low else np.full(values.shape, 0.5)
    return np.where(known, names[np.clip((share * 256).astype(int), 0, 255)], "")


def _is_dark(shade: str) -> bool:
    r, g, b = (int(shade[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return 0.299 * r + 0.587 * g + 0.114 * b < 0.55


def _write_numbers(grid: _Grid, values: np.ndarray, shades: np.ndarray, best: Any) -> None:
    size = min(0.8 * grid.sizes.tick, grid.down)
    for (i, j), v in np.ndenumerate(values):
        if np.isfinite(v):
            text = f"{v:.2f}".replace("0.", ".", 1) if abs(v) < 1 else f"{v:.1f}"
            text = text.replace("-", "\u2212")
            color = "#ffffff" if _is_dark(str(shades[i, j])) else "#000000"
            bold = best is not None and bool(best[i, j])
            grid.write(*grid.at(i, j), text, size, "center", "center", bold=bold, color=color)


def _color_scale(
    grid: _Grid, outcome: str, low: float, high: float, diverging: bool, y: float
) -> float:
    """What the colours mean, below the matrix."""
    wide = min(BAR_WIDTH, grid.page - 0.4)
    half = block_size(wrapped(outcome, grid.sizes.label, grid.page - 0.3), grid.sizes.label)[0] / 2
    left = max(grid.left, 0.2, half + 0.1 - wide / 2)
    left = max(0.2, min(left, grid.page - wide - 0.2))
    y += 0.06
    steps = np.linspace(low, high, SHADES)
    for k, shade in enumerate(_shades(steps, low, high, diverging)):
        a, b = left + wide * k / SHADES, left + wide * (k + 1.05) / SHADES
        xy = np.array([[a, y], [b, y], [b, y + BAR_HEIGHT], [a, y + BAR_HEIGHT], [a, y]])
        grid.paths.add(("area", 1, shade, None, 0, "-", 1.0, "", 0), xy)
    y += BAR_HEIGHT
    if high > low:
        for v, words in ticks(low, high, wide, grid.sizes.tick):
            at = left + wide * (v - low) / (high - low)
            grid.paths.add(
                ("line", 2, INK, None, 0.8, "-", 1.0, "", 0),
                np.array([[at, y], [at, y + 0.03]]),
            )
            grid.write(at, y + 0.05, words, grid.sizes.tick, "center", "top")
    y += 0.06 + grid.sizes.tick * LINE / 72
    said = wrapped(outcome, grid.sizes.label, grid.page - 0.3)
    grid.write(left + wide / 2, y, said, grid.sizes.label, "center", "top")
    return y + block_size(said, grid.sizes.label)[1] + 0.04


@dataclass(frozen=True)
class Sign:
    """Signs of one meaning: names of their rows and columns, and how they look."""

    said: str
    rows: Sequence[str]
    columns: Sequence[str]
    color: str
    marker: str
    filled: bool = True
    larger: float = 1.0


def decision_signs(
    frame: pd.DataFrame, rows: str, columns: str, decision: str = "decision"
) -> list[Sign]:
    """Signs of decisions, the usual ones first."""
    told = frame[decision].astype(str)
    found = list(dict.fromkeys(told))
    out = []
    for outcome in [d for d in DECISIONS if d in found] + [d for d in found if d not in DECISIONS]:
        k = found.index(outcome)
        other = (PALETTE[(k + 3) % len(PALETTE)], MARKERS[(k + 1) % len(MARKERS)], True)
        color, marker, filled = (DECISIONS | LETTER_SIGNS).get(outcome, other)
        part = frame[told == outcome]
        out.append(
            Sign(
                outcome,
                list(map(str, part[rows])),
                list(map(str, part[columns])),
                color,
                marker,
                filled,
            )
        )
    return out


def signs_sheet(
    rows: Sequence[str],
    columns: Sequence[str],
    signs: Sequence[Sign],
    *,
    x: str = "",
    y: str = "",
    page: float | None = None,
    most: float = SIGN_CELL,
    tight: bool = False,
    of: int = 0,
) -> Sheet:
    """A sign in each cell, with a key below.

    Parameters
    ----------
    rows, columns : sequence of str
        Names of both sides.
    signs : sequence of Sign
        What stands in the cells.
    x, y : str
        What the columns and the rows are.
    page : float, optional
        Width in inches; that of the page where None.
    most : float
        Width of a cell, at most.
    tight : bool
        Whether rows stand close and names are small, so that all fits on one screen.
    of : int
        Rows there were, where some are left out: of more than 60 those are shown that have a star, or else the
        earliest signs.
    """
    page = page or width_of_page()
    fits = tight and len(columns) * TIGHT_CELL <= page - 1.0
    if not fits and _turned(len(rows), len(columns), page):
        turned = [
            Sign(s.said, s.columns, s.rows, s.color, s.marker, s.filled, s.larger) for s in signs
        ]
        return signs_sheet(columns, rows, turned, x=y, y=x, page=page, most=most, tight=tight)
    if len(rows) > MOST_ROWS:
        names = list(map(str, rows))
        kept = [names[i] for i in _kept(_sign_ranks(names, signs))]
        few = [_of_rows(s, set(kept)) for s in signs]
        return signs_sheet(
            kept, columns, few, x=x, y=y, page=page, most=most, tight=tight, of=len(rows)
        )
    grid = _Grid(rows, columns, x=x, y=y, most=most, page=page, tight=tight)
    size = min(6.8, 0.75 * 72 * min(grid.cell, grid.pitch))
    line: tuple[Any, ...] = ("line", 0.1, GRID, None, 0.6, "-", 1.0, "", 0)
    for i in range(len(rows)):
        y_at = grid.at(i, 0)[1]
        grid.paths.add(line, np.array([[grid.left, y_at], [grid.right, y_at]]))
    place, row = ({v: i for i, v in enumerate(map(str, of))} for of in (columns, rows))
    keys = []
    for s in signs:
        at = [
            grid.at(row[r], place[c])
            for r, c in zip(s.rows, s.columns, strict=True)
            if r in row and c in place
        ]
        fill = s.color if s.filled else "none"
        key = (
            "point",
            2,
            fill,
            s.color,
            1.2 if size > 4 else 0.7,
            "-",
            1.0,
            s.marker,
            size * s.larger,
        )
        if at:
            grid.paths.add(key, np.array(at))
        keys.append(
            (
                label(s.said),
                Marks(
                    "point",
                    [],
                    2,
                    fill,
                    s.color,
                    key[4],
                    marker=s.marker,
                    size=max(4.5, size * s.larger),
                ),
            )
        )
    end = grid.names()
    longest = max((text_width(w, grid.sizes.key) for w, _ in keys), default=0.0)
    total = min(page, max(grid.right + 0.08, min(longest + 0.6, page), 3.2))
    end = grid.legend(keys, end, total)
    return grid.sheet(total, _left_out(grid, len(rows), of, end))


def _sign_ranks(rows: Sequence[str], signs: Sequence[Sign]) -> np.ndarray:
    """Place of the first sign of each row; rows with a star come first."""
    rank = {r: len(signs) for r in rows}
    for k, s in enumerate(signs):
        for r in s.rows:
            rank[r] = min(rank.get(r, k), -1 if s.marker == "*" else k)
    return np.array([rank[r] for r in rows])


def _of_rows(sign: Sign, rows: set[str]) -> Sign:
    pairs = [(r, c) for r, c in zip(sign.rows, sign.columns, strict=True) if r in rows]
    return replace(sign, rows=[r for r, _ in pairs], columns=[c for _, c in pairs])
