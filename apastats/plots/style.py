"""The look of all figures: colours that colour-blind readers can tell apart, quiet axes, labels that stay text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

from apastats.plots.panel import (
    LINE,
    MOST_ROWS,
    Panel,
    left_out,
    narrow,
    on_page,
    size_of,
    width_of_page,
    wrapped,
)
from apastats.printable import clean
from apastats.words import Info

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
LEAST_SIZE = 5.0  # points; where names would be smaller, every second (third, ...) is left out
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


def new_axes(
    ax: Axes | None,
    width: float = 6.4,
    height: float = 4.0,
    *,
    inner: tuple[float, float] | None = None,
) -> Axes:
    """The Axes given, or one of a new figure that grows with its texts (see :func:`fit`).

    ``width`` and ``height`` are those of the figure with names of usual length, ``inner`` those of the Axes.
    """
    if ax is not None:
        return ax
    inner = inner or (max(1.6, min(width, width_of_page()) - 1.5), max(0.6, height - 0.75))
    figure = new_figure(*inner, layout=None)
    own: Axes = figure.add_axes((0, 0, 1, 1))
    figure.inner = inner  # type: ignore[attr-defined]
    return own


PAD = 0.08  # inches around all that is drawn
LEAST = 1.1  # inches of an Axes that names may leave


def fit(figure: Figure) -> None:
    """Size of a figure of ours from what is drawn: the Axes keep their size in inches, texts get what they need.

    Nothing collapses and nothing is cut, however long names are. Where the page is narrower than that, the Axes give
    way, then the names are broken into lines.
    """
    if not hasattr(figure, "inner"):
        return
    box = _around(figure)
    page = width_of_page()
    over = box.width + 2 * PAD - page
    was = over
    if over > 0:
        main = figure.axes[0]
        wide = main.get_position().width * figure.get_figwidth()
        _legend_below(main, box.x0)
        _wrap_label(figure)
        box = _around(figure)
        over = box.width + 2 * PAD - page
        if wide - over < LEAST:
            # what stands at the right of the Axes takes its share
            beyond = box.x1 - main.get_position().x1 * figure.get_figwidth()
            room = page - 2 * PAD - max(LEAST, 0.4 * page) - max(0.0, beyond - 0.1)
            _wrap_names(main, room)
            _legend_below(main, _around(figure).x0)
            box = _around(figure)
            over = box.width + 2 * PAD - page
        for _ in range(2):
            # what is written beside a mark moves with it, so one step can fall short
            if over > 0:
                _resize(figure, max(LEAST, wide - over))
                wide = main.get_position().width * figure.get_figwidth()
                _wrap_label(figure)
                over = _around(figure).width + 2 * PAD - page
    if any(_thin(ax) for ax in figure.axes) or was > 0:
        _legend_below(figure.axes[0], _around(figure).x0)
        box = _around(figure)
    width, height = figure.get_size_inches()
    places = [a.get_position().bounds for a in figure.axes]
    new = (box.width + 2 * PAD, box.height + 2 * PAD)
    figure.set_size_inches(*new)
    for ax, (x, y, w, h) in zip(figure.axes, places, strict=True):
        ax.set_position(
            (
                (x * width - box.x0 + PAD) / new[0],
                (y * height - box.y0 + PAD) / new[1],
                w * width / new[0],
                h * height / new[1],
            )
        )
    for ax in figure.axes:
        _apart(ax)


def _wrap_label(figure: Figure) -> None:
    """Break the title and the label below the first Axes into lines that stay within the page."""
    main = figure.axes[0]
    if title := main.get_title(loc="left"):
        beyond = main.get_position().x0 * figure.get_figwidth() - _around(figure).x0
        room = max(width_of_page() - beyond - 2 * PAD, 1.0)
        size = size_of("axes.titlesize")
        main.set_title(wrapped(title.replace("\n", " "), size, room, bold=True), loc="left")
    said = main.get_xlabel()
    if not said:
        return
    place = main.get_position()
    wide = figure.get_figwidth()
    middle = (place.x0 + place.x1) / 2 * wide
    beside = middle - _around(figure).x0
    room = max(2 * min(beside, max(width_of_page() - beside, 0.5 * place.width * wide)) - 0.2, 1.0)
    size = size_of("axes.labelsize")
    # lines that were broken before are put together first
    whole = [w.replace("\n", " ") for w in getattr(main, "label_lines", said.split("\n"))]
    main.label_lines = whole  # type: ignore[attr-defined]
    main.set_xlabel("\n".join(wrapped(w, size, room) for w in whole))


def _apart(ax: Axes) -> None:
    """Leave out every second number of the x axis until none touches another."""
    from matplotlib.ticker import FixedFormatter, FixedLocator

    figure: Any = ax.figure
    axis: Any = ax.xaxis
    renderer = figure.canvas.get_renderer()
    while True:
        shown = [t for t in axis._update_ticks() if t.label1.get_visible() and t.label1.get_text()]
        boxes = [t.label1.get_window_extent(renderer) for t in shown]
        order = sorted(range(len(boxes)), key=lambda i: boxes[i].x0)
        least = 0.25 * size_of("xtick.labelsize") * figure.dpi / 72
        touch = any(boxes[b].x0 - boxes[a].x1 < least for a, b in itertools.pairwise(order))
        if not touch or len(shown) < 3 or shown[0].label1.get_rotation():
            return
        kept = [(shown[i].get_loc(), shown[i].label1.get_text()) for i in order[::2]]
        axis.set_major_locator(FixedLocator([at for at, _ in kept]))
        axis.set_major_formatter(FixedFormatter([words for _, words in kept]))


def _around(figure: Figure) -> Any:
    """Box of all that is drawn, in inches; labels of axes count with their whole length."""
    from matplotlib.transforms import Bbox

    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = []
    for ax in figure.axes:
        boxes.append(ax.get_tightbbox(renderer))
        said = [ax.xaxis.label, ax.yaxis.label, ax.title, ax._left_title]  # type: ignore[attr-defined]
        boxes += [t.get_window_extent(renderer) for t in said if t.get_text()]
    around = Bbox.union([b for b in boxes if b is not None])
    return around.transformed(figure.dpi_scale_trans.inverted())


def _resize(figure: Figure, wide: float) -> None:
    """Give the first Axes another width; those beside it keep their distance."""
    width, _ = figure.get_size_inches()
    main = figure.axes[0]
    x, y, w, h = main.get_position().bounds
    change = wide / width - w
    main.set_position((x, y, wide / width, h))
    for other in figure.axes[1:]:
        a, b, c, d = other.get_position().bounds
        other.set_position((a + change, b, c, d))


def _wrap_names(ax: Axes, room: float) -> None:
    """Break the names of the rows into lines."""
    size = size_of("ytick.labelsize")
    broken = [wrapped(t.get_text(), size, room) for t in ax.get_yticklabels()]
    if any("\n" in b for b in broken):
        ax.set_yticks(ax.get_yticks(), broken)
    for t in ax.texts:
        if getattr(t, "names_row", False):
            t.set_text(wrapped(t.get_text(), size, room))
            broken.append(t.get_text())
    _give_rows(ax, broken, size)
    if ax.get_title(loc="left"):
        title = size_of("axes.titlesize")
        ax.set_title(wrapped(ax.get_title(loc="left"), title, room + LEAST, bold=True), loc="left")


def _thin(ax: Axes) -> bool:
    """Upright names of columns closer than their height: smaller, then every so many; whether there were any."""
    names = [t for t in ax.get_xticklabels() if t.get_text() and t.get_rotation() == 90]
    if not names:
        return False
    figure: Any = ax.figure
    low, high = sorted(ax.get_xlim())
    pitch = 72 * ax.get_position().width * figure.get_figwidth() / (high - low)
    size = names[0].get_fontsize()
    fits = max(LEAST_SIZE, min(size, pitch / 1.15))
    every = max(1, math.ceil(1.15 * fits / pitch))
    if fits == size and every == 1:
        return True
    at, words = ax.get_xticks(), [t.get_text() for t in ax.get_xticklabels()]
    ax.set_xticks(at[::every], words[::every], rotation=90, fontsize=fits)
    return True


def _give_rows(ax: Axes, names: Sequence[str], size: float) -> None:
    """Height for the deepest of the names, where rows are closer than its lines."""
    deep = max((n.count("\n") + 1 for n in names), default=1)
    figure: Any = ax.figure
    x, y, w, h = ax.get_position().bounds
    low, high = sorted(ax.get_ylim())
    have = h * figure.get_figheight()
    need = deep * size * LINE / 72 * (high - low)
    if deep > 1 and names and need > have:
        more = (need - have) / figure.get_figheight()
        ax.set_position((x, y - more, w, h + more))


def _legend_below(ax: Axes, left: float) -> None:
    """Put a legend that stands beside or below the Axes under it, from the left end of all that is drawn (inches)."""
    legend = ax.get_legend()
    distance = getattr(legend, "below", 0.0)
    if legend is not None and distance:
        figure: Any = ax.figure
        size = size_of("legend.fontsize")
        columns: int = getattr(legend, "_ncols", 1)
        room = (width_of_page() - 2 * PAD) / columns - 5 * size / 72
        for t in legend.get_texts():
            t.set_text(wrapped(t.get_text(), size, room))
        place = ax.get_position()
        wide, high = figure.get_size_inches()
        # names of columns can reach further down than a legend stands
        ticks = ax.xaxis.get_tightbbox(figure.canvas.get_renderer())
        if ticks is not None:
            distance = max(distance, place.y0 * high - ticks.y0 / figure.dpi + 0.1)
        x = (left - place.x0 * wide) / (place.width * wide)
        legend.set_loc("upper left")
        legend.set_bbox_to_anchor((x, -distance / (place.height * high)), transform=ax.transAxes)


def label(text: object, limit: int = 40) -> str:
    """Label as literal text: no mathtext, no line breaks, only names of more than 40 characters cut in the middle."""
    out = clean(str(text)).replace("\n", " \u21b5 ")
    if len(out) > limit:
        head = (limit - 1) * 2 // 3
        out = f"{out[:head]}\u2026{out[len(out) - (limit - 1 - head) :]}"
    return out.replace("$", r"\$")


def with_metric(what: str, info: Info, frame: pd.DataFrame) -> str:
    """What an axis shows, with the measure its numbers are in."""
    metrics = list(frame["metric"].unique()) if "metric" in frame.columns else []
    known = info.outcome.metric if info.outcome else ""
    found = str(metrics[0]) if len(metrics) == 1 else known
    named = info.outcome is not None and info.outcome.quantity == found
    if not found or found in ("score", "-", "nan") or named:
        return what
    return f"{what} ({metric_words(found)})"


def metric_words(metric: str) -> str:
    """Measure of a score as it is written: ``RSA``, ``linear predictivity``."""
    return {
        "rsa": "RSA",
        "cka": "CKA",
        "cka-debiased": "debiased CKA",
        "cka-rbf": "CKA (RBF kernel)",
        "cca": "CCA",
        "pwcca": "PWCCA",
        "svcca": "SVCCA",
        "mutual-knn": "mutual k-NN",
        "procrustes": "Procrustes",
        "procrustes-corrected": "corrected Procrustes",
        "bures": "Bures",
        "bures-corrected": "corrected Bures",
        "r2": "R\u00b2",
        "rmse": "RMSE",
        "spearman": "Spearman",
        "pearson": "Pearson",
        "corr": "Pearson",
        "corr_cov": "whitened Pearson",
        "cosine_cov": "whitened cosine",
        "kendall": "Kendall",
    }.get(metric.lower(), metric.replace("_", " "))


def rc(setting: str) -> Any:
    """Setting of matplotlib."""
    from matplotlib import rcParams

    return rcParams[setting]


def finish(
    ax: Axes,
    *,
    x: str = "",
    y: str = "",
    title: str = "",
    grid: Literal["x", "y", "both", "none"] = "x",
) -> Axes:
    """Axis labels, quiet spines and grid; sizes of texts are those of ``matplotlib.rcParams``."""
    if isinstance(ax, Panel):
        ax.x_label, ax.y_label, ax.title, ax.grid = x, y, title or ax.title, grid
        return ax
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom") if grid != "none" else ():
        ax.spines[side].set_color(MUTED)
        ax.spines[side].set_linewidth(0.8)
    ax.tick_params(colors=INK, width=0.8, length=3)
    if grid != "none":
        ax.grid(True, axis=grid, color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    told = getattr(ax, "told", "")
    if x or told:
        ax.set_xlabel("\n".join(t for t in (x, told) if t), color=INK)
    if y:
        ax.set_ylabel(y, color=INK)
    if title:
        ax.set_title(title, color=INK, loc="left", fontweight="bold")
    if not on_page():
        fit(ax.figure)  # type: ignore[arg-type]
    return ax


def rows_axis(ax: Axes, names: Sequence[object], *, show: bool = True) -> None:
    """Put names on the y axis, the first on top; ``show=False`` leaves them to a neighbour.

    On an Axes that is too low for them their size follows the distance of the rows, so that they never touch. Of many
    rows the first ``MOST_ROWS`` are shown, and the figure says so.
    """
    every, names = len(names), names[:MOST_ROWS]
    if isinstance(ax, Panel):
        ax.names, ax.hidden = [label(n) for n in names], every - len(names)
        ax.y_limits = (len(names) - 0.5, -0.5)
        return
    ax.set_ylim(len(names) - 0.5, -0.5)
    if every > len(names):
        ax.told = left_out(len(names), every)  # type: ignore[attr-defined]
        for t in ax.texts:
            # texts beside marks are not cut off by the Axes, as marks are
            if t.get_position()[1] > len(names) - 0.5:
                t.set_visible(False)
    if not show:
        ax.set_yticks([])
        return
    size = size_of("ytick.labelsize")
    high = ax.get_position().height * ax.figure.get_figheight()  # type: ignore[union-attr]
    size = min(size, 72 * high / max(len(names), 1) / 1.2)
    if len(names) > MANY_ROWS:
        # a tick is five artists, a text is one
        ax.set_yticks([])
        across = ax.get_yaxis_transform()
        for i, n in enumerate(names):
            text = ax.text(
                -0.02, i, label(n), transform=across, ha="right", va="center", fontsize=size, color=INK
            )  # fmt: skip
            text.names_row = True  # type: ignore[attr-defined]
        return
    ax.set_yticks(range(len(names)), [label(n) for n in names], fontsize=size)
    ax.tick_params(axis="y", length=0)


def legend(ax: Axes, *, beside: bool = False, below: float = 0.0, **options: Any) -> None:
    """Legend without a frame: ``beside`` the Axes (below it where the page is narrow), or inches ``below`` it."""
    if isinstance(ax, Panel):
        return
    handles, _ = ax.get_legend_handles_labels()
    if not handles:
        return
    if beside or below:
        high = ax.get_position().height * ax.figure.get_figheight()  # type: ignore[union-attr]
        place: Any = (0, -(below or 0.55) / high) if below or narrow() else (1.0, 1.0)
        options |= {"loc": "upper left", "bbox_to_anchor": place}
        options |= {"ncols": 1 if narrow() else 2} if below else {}
    made = ax.legend(**({"frameon": False, "labelcolor": INK} | options))
    made.below = below or 0.55 * beside  # type: ignore[attr-defined]
