"""The look of all figures: colours that colour-blind readers can tell apart, quiet axes, labels that stay text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

from apastats.printable import clean

__all__ = ["BRAIN_COLOR", "INK", "label", "model_colors", "new_axes", "new_figure"]

INK = "#1f2328"
MUTED = "#57606a"
GRID = "#d8dee4"
POINT = "#8c959f"
BAND = "#9aa4af"
MARGIN = "#56b4e9"
BRAIN_COLOR = INK
SEQUENTIAL = "cividis"
DIVERGING = "RdBu_r"

# Okabe and Ito's colours without black and yellow, then darker and lighter relatives of them
PALETTE = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#882255",
    "#117733",
    "#332288",
    "#999933",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")

MANY_ROWS = 25
DECISIONS = {
    "equivalent": ("#0072b2", "o", True),
    "different but inside the margin": ("#117733", "s", True),
    "different": ("#d55e00", "D", True),
    "equivalent to the best": ("#0072b2", "o", True),
    "can be the best": ("#009e73", "s", False),
    "worse than the margin": ("#d55e00", "D", True),
    "not the best": ("#d55e00", "D", True),
    "undecided": (MUTED, "o", False),
}


def model_colors(models: Iterable[object]) -> dict[str, str]:
    """Colour of each model, by order; the same list gives the same colours in every figure.

    Up to ten models get colours of their own; after that colours repeat, and figures tell models apart
    by position and label, never by colour alone.
    """
    names = list(dict.fromkeys(str(m) for m in models))
    out = {m: PALETTE[i % len(PALETTE)] for i, m in enumerate(n for n in names if n != "brain")}
    return out | ({"brain": BRAIN_COLOR} if "brain" in names else {})


def color_of(name: object, colors: Mapping[str, str] | None) -> str:
    """Colour of a model, ink where none is given."""
    return (colors or {}).get(str(name), INK if str(name) == "brain" else PALETTE[0])


def new_figure(width: float = 6.4, height: float = 4.0, **options: Any) -> Figure:
    """Figure of its own, outside pyplot, drawn by Agg."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), **({"layout": "constrained"} | options))
    FigureCanvasAgg(figure)
    return figure


def new_axes(ax: Axes | None, width: float = 6.4, height: float = 4.0) -> Axes:
    """The Axes given, or those of a new figure."""
    return new_figure(width, height).add_subplot() if ax is None else ax


def label(text: object, limit: int = 32) -> str:
    """Label as literal text: no mathtext, no line breaks, long names cut in the middle."""
    out = clean(str(text)).replace("\n", " \u21b5 ")
    if len(out) > limit:
        head = (limit - 1) * 2 // 3
        out = f"{out[:head]}\u2026{out[len(out) - (limit - 1 - head) :]}"
    return out.replace("$", r"\$")


def finish(
    ax: Axes, *, x: str = "", y: str = "", title: str = "", grid: Literal["x", "y", "both"] = "x"
) -> Axes:
    """Axis labels, quiet spines and grid."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(MUTED)
        ax.spines[side].set_linewidth(0.8)
    ax.tick_params(colors=INK, labelsize=8, width=0.8, length=3)
    if grid:
        ax.grid(True, axis=grid, color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    if x:
        ax.set_xlabel(x, fontsize=9, color=INK)
    if y:
        ax.set_ylabel(y, fontsize=9, color=INK)
    if title:
        ax.set_title(title, fontsize=9.5, color=INK, loc="left", fontweight="bold")
    return ax


def rows_axis(ax: Axes, names: Sequence[object], *, limit: int = 32, show: bool = True) -> None:
    """Put names on the y axis, the first on top; ``show=False`` leaves them to a neighbour."""
    if not show:
        ax.set_yticks([])
        ax.set_ylim(len(names) - 0.5, -0.5)
        return
    ax.set_ylim(len(names) - 0.5, -0.5)
    if len(names) > MANY_ROWS:
        # a tick is five artists, a text is one
        ax.set_yticks([])
        for i, n in enumerate(names):
            ax.text(
                -0.02,
                i,
                label(n, limit),
                transform=ax.get_yaxis_transform(),
                ha="right",
                va="center",
                fontsize=6.5,
                color=INK,
            )
        return
    ax.set_yticks(range(len(names)), [label(n, limit) for n in names], fontsize=8)
    ax.tick_params(axis="y", length=0)


def legend(ax: Axes, **options: Any) -> None:
    """Legend without a frame."""
    handles, _ = ax.get_legend_handles_labels()
    if handles:
        ax.legend(**({"fontsize": 8, "frameon": False, "labelcolor": INK} | options))
