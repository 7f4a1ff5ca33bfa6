"""Where the panels of a sheet stand: sizes of their texts, measured before anything is placed. All in inches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apastats.plots.panel import (
    LINE,
    Panel,
    block_size,
    size_of,
    text_width,
    width_of_page,
    wrapped,
)

__all__ = ["Layout", "ticks"]

GAP, EDGE = 0.32, 0.16  # between panels that share their names, and right of the last
LEAST_COLUMN = 0.125
MOST_WIDE, MOST_WIDE_ALONE = 3.0, 5.0
MOST_IN_LINE = 5

Ticks = list[tuple[float, str]]


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


@dataclass(frozen=True)
class Sizes:
    """Sizes of texts in points."""

    tick: float
    label: float
    title: float
    key: float

    @classmethod
    def of_settings(cls) -> Sizes:
        """As matplotlib is set."""
        return cls(
            *(
                size_of(w)
                for w in ("ytick.labelsize", "axes.labelsize", "axes.titlesize", "legend.fontsize")
            )
        )


def _scales(panels: Sequence[Panel], room: float, size: float) -> list[Ticks]:
    """Numbers at the y axis of each panel; none where its rows have names."""
    return [[] if p.names is not None else ticks(*p.extent("y"), room, size) for p in panels]


def _abreast(
    panels: Sequence[Panel], room: float, each: float, panel_width: float
) -> tuple[int, float]:
    """How many panels stand beside each other in ``room`` inches, each with ``each`` at its side, and their width."""
    n = len(panels)
    columns = max((len(p.columns) for p in panels if p.columns), default=0)
    least = min(max(panel_width, LEAST_COLUMN * columns), room)
    n_col = max(1, min(n, MOST_IN_LINE, int((room + GAP) / (least + GAP + each))))
    most = MOST_WIDE_ALONE if n == 1 else max(MOST_WIDE, least)
    return n_col, min((room - (n_col - 1) * (GAP + each)) / n_col, most)


@dataclass(frozen=True)
class Layout:
    """Places of the panels, and the texts that stand around them, broken to fit."""

    sizes: Sizes
    n: int
    n_col: int
    left: float
    width: float
    pitch: float
    own_side: bool
    own_names: bool
    inner: float
    per_row: float
    y_wide: float
    foot_names: float
    titles: list[str]
    names: list[list[str]]
    y_ticks: list[Ticks]

    @classmethod
    def of(
        cls,
        panels: Sequence[Panel],
        *,
        panel_width: float,
        inner: float,
        own_names: bool,
        shared_y: bool,
    ) -> Layout:
        """As many panels beside each other as the page is wide, none narrower than ``panel_width`` where it fits."""
        sizes, page, n = Sizes.of_settings(), width_of_page(), len(panels)
        cap = (0.34 if page > 5 else 0.42) * page
        names = [[wrapped(s, sizes.tick, cap) for s in p.names or []] for p in panels]
        every = [s for some in names for s in some]
        widest = max((block_size(s, sizes.tick)[0] for s in every), default=0.0)
        lines = max((s.count("\n") + 1 for s in every), default=1)
        y_ticks = _scales(panels, inner * 0.9, sizes.tick * 0.8)
        y_wide = max((text_width(w, sizes.tick) for t in y_ticks for _, w in t), default=0.0)
        y_label = sizes.label * LINE / 72 + 0.06 if any(p.y_label for p in panels) else 0
        left = 0.14 + (widest or y_wide) + y_label
        own_side = own_names or (not shared_y and not widest)
        each = left if own_side else 0.0
        n_col, width = _abreast(panels, page - left - EDGE, each, panel_width)
        crowded = bool(names) and len(names[0]) > 20
        return cls(
            sizes, n, n_col, left, width, width + GAP + each, own_side, own_names, inner,
            max(0.135 if crowded else 0.19, lines * sizes.tick * 1.2 / 72 + 0.02),
            y_wide,
            max((text_width(c, sizes.tick) for p in panels for c in p.columns or ()), default=0.0),
            # without neighbours the title may reach over the names, which stand below it
            [wrapped(p.title, sizes.title, width, bold=True) if p.title else "" for p in panels],
            names,
            y_ticks,
        )  # fmt: skip

    def lines(self) -> list[range]:
        """Panels of each line."""
        starts = range(0, self.n, self.n_col)
        return [range(i, min(self.n, i + self.n_col)) for i in starts]

    def head(self, line: range) -> float:
        """Height of the titles of a line."""
        size = self.sizes.title
        return max(
            (block_size(self.titles[i], size, bold=True)[1] for i in line if self.titles[i]),
            default=0.0,
        )

    def rows_high(self, i: int) -> float:
        """Height of a panel that has rows."""
        return self.per_row * max(len(self.names[i]), 2)

    def used(self) -> float:
        """Width that the panels take."""
        return self.left + (min(self.n, self.n_col) - 1) * self.pitch + self.width + EDGE
