"""Figures of the sections: which numbers go into which plot, one panel per ROI where there are several."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from apastats import plots
from apastats.plots.choice import deciding
from apastats.plots.style import DECISIONS, MANY_ROWS, new_figure
from apastats.reporting.blocks import Block, FigureBlock
from apastats.reporting.markup import name
from apastats.reporting.phrases import adjusted
from apastats.words import Info

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "cells_of",
    "ceiling_figures",
    "estimate_figures",
    "forest_figures",
    "grid",
    "split_metrics",
    "subject_figures",
]

Draw = Callable[["Axes", int, bool], object]


def grid(
    n: int,
    names: Sequence[object],
    draw: Draw,
    *,
    width: float = 2.3,
    x_label: str = "",
    limit: int = 32,
) -> Figure:
    """Panels on a grid that share their row labels; ``draw(ax, i, named)`` draws panel i."""
    per_row = 0.2 if len(names) <= 20 else 0.135
    longest = max((len(str(plots.label(m, limit))) for m in names), default=4)
    left = 0.3 + (0.068 if len(names) <= MANY_ROWS else 0.056) * longest
    n_col = max(1, min(n, 5, int((11.5 - left) // width))) if n > 1 else 1
    n_row = math.ceil(n / n_col)
    inner = per_row * max(len(names), 3)
    gap, top, bottom = 0.5, 0.35, 0.95
    w, h = (
        left + (5.0 if n == 1 else width * n_col) + 0.15,
        top + n_row * inner + (n_row - 1) * gap + bottom,
    )
    figure = new_figure(w, h, layout=None)
    # margins are set in inches: an automatic layout of many panels takes most of the time of a report
    axes = figure.subplots(n_row, n_col, squeeze=False)
    figure.subplots_adjust(
        left=left / w,
        right=1 - 0.15 / w,
        top=1 - top / h,
        bottom=bottom / h,
        wspace=0.14,
        hspace=gap / inner,
    )
    for i, ax in enumerate(axes.ravel()):
        if i >= n:
            ax.set_visible(False)
            continue
        draw(ax, i, i % n_col == 0)
        ax.set_xlabel(x_label if i + n_col >= n else "", fontsize=8.5)
        # a place for labels that are empty would be searched at every drawing
        for axis in (ax.xaxis, ax.yaxis):
            if not axis.get_label_text():
                axis.set_label_coords(0.0, 0.0)
    used = axes.ravel()[:n]
    if not any(ax.get_legend_handles_labels()[1] for ax in used):
        # no legend below: no room for one
        spare = 0.4
        figure.set_size_inches(w, h - spare)
        figure.subplots_adjust(top=1 - top / (h - spare), bottom=(bottom - spare) / (h - spare))
    _common_scale(list(used))
    for ax in used:
        ax.locator_params(axis="x", nbins=4)
    return figure


def _common_scale(axes: Sequence[Axes]) -> None:
    """One x scale for all panels, unless that would flatten some of them."""
    limits = np.array([ax.get_xlim() for ax in axes])
    low, high = limits[:, 0].min(), limits[:, 1].max()
    if high - low <= 3.5 * np.median(limits[:, 1] - limits[:, 0]):
        for ax in axes:
            ax.set_xlim(low, high)


SHOWN = (
    *(
        "model",
        "reference",
        "contrast",
        "roi",
        "metric",
        "split",
        "bound",
        "estimate",
        "conf_low",
        "conf_high",
    ),
    *("bound_low", "bound_high", "decision", "n_subject"),
)


def shown_data(part: pd.DataFrame) -> pd.DataFrame:
    """The columns a figure shows."""
    return part[[c for c in SHOWN if c in part.columns]]


def cells_of(
    frame: pd.DataFrame, keys: Sequence[str] = ("roi",)
) -> list[tuple[dict[str, Any], np.ndarray]]:
    """Cells in order of appearance, with the positions of their rows."""
    present = [k for k in keys if k in frame.columns]
    if not present:
        return [({}, np.arange(len(frame)))]
    codes = frame.groupby(present, sort=False, observed=True).ngroup().to_numpy()
    out = []
    for code in range(codes.max() + 1 if len(codes) else 0):
        where = np.flatnonzero(codes == code)
        out.append(({k: frame[k].iloc[where[0]] for k in present}, where))
    return out


def split_metrics(
    frame: pd.DataFrame, columns: Sequence[str] = ("metric", "split")
) -> list[tuple[str, np.ndarray]]:
    """Positions of the rows of each metric (or other columns); one unnamed part where there is one."""
    keys = [k for k in columns if k in frame.columns and frame[k].nunique() > 1]
    return [
        (", ".join(str(v) for v in cell.values()), where) for cell, where in cells_of(frame, keys)
    ]


def ceiling_figures(result: Any, context: Any) -> list[Block]:
    """Ceilings by ROI, one figure per metric."""
    table = result.table
    if "roi" not in table.columns:
        return []
    values = result.arrays.get("values")
    out: list[Block] = []
    for label, where in split_metrics(table):
        part = table.iloc[where].reset_index(drop=True)
        points = None if values is None or values.shape[1] != len(table) else values[:, where]

        def make(part: pd.DataFrame = part, points: Any = points) -> Any:
            ax = plots.ceilings(part, points=points)
            return ax.figure

        tail = f", {name(label)}" if label else ""
        dots = " Grey dots are subjects." if points is not None else ""
        out.append(
            FigureBlock(
                context.slug(f"figure-ceiling-{result.info.get('ceiling_kind', '')}-{label}"),
                f"Noise ceiling by ROI{tail}; bars are {_level(part)} intervals over subjects.{dots}",
                f"Noise ceilings of {part['roi'].nunique()} ROIs as points with intervals.",
                make,
                shown_data(part),
                len(part) * (2 + (0 if points is None else len(points))),
            )
        )
    return out


def _level(frame: pd.DataFrame) -> str:
    if "conf_level" not in frame.columns or frame["conf_level"].nunique() != 1:
        return "confidence"
    return f"{100 * float(frame['conf_level'].iloc[0]):g}\u00a0%"


def bands_for(cell: Mapping[str, Any], context: Any) -> list[dict[str, Any]]:
    """Noise ceilings of a cell, for the band behind the scores."""
    out = []
    for result in context.ceilings:
        table = result.table
        keep = np.ones(len(table), dtype=bool)
        for key, value in cell.items():
            if key in table.columns:
                keep &= (table[key].astype(str) == str(value)).to_numpy()
        kind = str(result.info.get("ceiling_kind", "ceiling")).replace("_", " ")
        for row in table[keep].to_dict(orient="records"):
            bound = "" if row.get("bound", "reference") == "reference" else f" {row['bound']}"
            out.append({**row, "label": f"ceiling, {kind}{bound}"})
    return out


def estimate_figures(result: Any, context: Any, what: str) -> list[Block]:
    """Estimates of each ROI with subjects and ceiling, and the models-by-ROIs heatmap."""
    table = result.table
    if "model" not in table.columns:
        return []
    values = result.arrays.get("values")
    out: list[Block] = []
    for label, where in split_metrics(table):
        part = table.iloc[where].reset_index(drop=True)
        points = None if values is None or values.shape[1] != len(table) else values[:, where]
        out.append(_estimate_grid(result, part, points, label, context, what))
        if "roi" in part.columns and part["roi"].nunique() > 1 and part["model"].nunique() > 1:
            out.append(_estimate_heatmap(part, label, context, what))
    return out


def any_figures(
    result: Any,
    context: Any,
    what: str,
    *,
    value: str = "estimate",
    what_is: str = "",
    lead: str = "",
) -> list[Block]:
    """Panels by ROI for any table of contrasts or of estimates by model and ROI; nothing for other tables.

    ``value`` is the column that the interval belongs to, ``what_is`` says what it is where it is no mean.
    """
    table = (
        deciding(result)
        if value == "estimate"
        else result.table.assign(estimate=result.table[value])
    )
    columns = set(table.columns)
    what = f"{what} {what_is}".strip()
    if not {"roi", "estimate", "conf_low", "conf_high"} <= columns or table["roi"].nunique() < 2:
        return []
    out: list[Block] = []
    for label, where in split_metrics(table, ("term", "metric", "split")):
        part = table.iloc[where].reset_index(drop=True)
        rows = "contrast" if "contrast" in columns else "model"
        if rows not in columns or part.duplicated([rows, "roi"]).any():
            return []
        if rows == "contrast":
            out.append(_forest_grid(part, cells_of(part), rows, label, context, what, result.info))
        else:
            out.append(_estimate_grid(result, part, None, label, context, what, lead))
    return out


def model_order(part: pd.DataFrame) -> list[str]:
    """Models by their median estimate over the cells, the best first, the brain on top."""
    middle = (
        part.groupby("model", sort=False)["estimate"]
        .median()
        .sort_values(ascending=False, kind="stable")
    )
    names = [str(m) for m in middle.index]
    return [m for m in names if m == "brain"] + [m for m in names if m != "brain"]


def _estimate_grid(
    result: Any,
    part: pd.DataFrame,
    points: np.ndarray | None,
    label: str,
    context: Any,
    what: str,
    title: str = "",
) -> FigureBlock:
    order = model_order(part)
    cells = cells_of(part)
    with_bands = what == "score"
    rank = {m: i for i, m in enumerate(order)}

    def make() -> Any:
        def draw(ax: Axes, i: int, named: bool) -> None:
            cell, where = cells[i]
            rows = part.iloc[where]
            index = np.full(len(order), -1)
            for k, m in zip(where, rows["model"].astype(str), strict=True):
                index[rank[m]] = k
            shown = part.reindex(index).assign(model=order)
            own = None
            if points is not None:
                own = np.where(index >= 0, points[:, np.maximum(index, 0)], np.nan)
            key = dict(cell) | (
                {"metric": rows["metric"].iloc[0]} if "metric" in rows.columns else {}
            )
            plots.estimates(
                shown,
                ax=ax,
                points=own,
                band=bands_for(key, context) if with_bands and cell else (),
                colors=context.colors,
                outcome=what,
                show_names=named,
                title=plots.label(cell.get("roi", ""), 24),
            )

        figure = grid(len(cells), order, draw, x_label=what)
        _shared_legend(figure)
        return figure

    roi = f" in {len(cells)} ROIs" if len(cells) > 1 else ""
    tail = f", {name(label)}" if label else ""
    dots = "; grey dots are subjects" if points is not None else ""
    bands = (
        "; vertical lines and bands are noise ceilings with their intervals"
        if with_bands and context.ceilings
        else ""
    )
    who = f"{len(order) - 1} models and the brain" if "brain" in order else f"{len(order)} models"
    head = f"{title}: {what} of" if title else f"Mean {what} of"
    lead = f"{head} {who}{roi}{tail}, points with {_level(part)} intervals"
    if part["estimate"].isna().all():
        lead = f"{what.capitalize()} of {who}{roi}{tail}"
    return FigureBlock(
        context.slug(f"figure-{what}-{label or 'models'}"),
        f"{lead}{dots}{bands}.",
        f"Mean {what} of {who}{roi} as points with intervals; the numbers are in the table below.",
        make,
        shown_data(part),
        len(part) * (4 + (0 if points is None else len(points))),
    )


def _shared_legend(figure: Figure) -> None:
    """One legend for all panels, under the figure."""
    found: dict[str, Any] = {}
    for ax in figure.axes:
        for handle, text in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(text, handle)
    first = [*DECISIONS, "inside the margin"]
    found = {
        k: found[k]
        for k in sorted(found, key=lambda k: first.index(k) if k in first else len(first))
    }
    if found:
        figure.legend(
            list(found.values()),
            list(found),
            loc="lower center",
            ncols=min(5, len(found)),
            fontsize=8,
            frameon=False,
        )


def _estimate_heatmap(part: pd.DataFrame, label: str, context: Any, what: str) -> FigureBlock:
    order = model_order(part)
    rois = list(dict.fromkeys(part["roi"]))
    matrix = part.assign(model=part["model"].astype(str)).pivot_table(
        index="model", columns="roi", values="estimate", sort=False, dropna=False
    )
    matrix = matrix.reindex(index=order, columns=rois)

    def make() -> Any:
        return plots.heatmap(matrix, outcome=f"mean {what}", x="ROI").figure

    tail = f", {name(label)}" if label else ""
    return FigureBlock(
        context.slug(f"figure-{what}-heatmap-{label}"),
        f"Mean {what} by model and ROI{tail}.",
        f"Heatmap of the mean {what}, {len(order)} models by {len(rois)} ROIs.",
        make,
        matrix.reset_index(),
        matrix.size,
    )


def forest_figures(result: Any, context: Any, what: str) -> list[Block]:
    """Equivalence forest: differences on the scale of the shaded margin, one panel per ROI."""
    table = deciding(result)
    if not {"estimate", "conf_low", "conf_high"} <= set(table.columns) or not len(table):
        return []
    out: list[Block] = []
    for label, where in split_metrics(table):
        part = table.iloc[where].reset_index(drop=True)
        cells = cells_of(part)
        versus = "model" in part.columns and "reference" in part.columns
        one = versus and all(part.iloc[w]["reference"].nunique() == 1 for _, w in cells)
        rows = "model" if one else "contrast"
        if rows not in part.columns:
            return []
        out.append(_forest_grid(part, cells, rows, label, context, what, result.info))
    return out


def _forest_grid(
    part: pd.DataFrame,
    cells: list[tuple[dict[str, Any], np.ndarray]],
    rows: str,
    label: str,
    context: Any,
    what: str,
    info: Info,
) -> FigureBlock:
    middle = (
        part.groupby(rows, sort=False)["estimate"]
        .median()
        .sort_values(ascending=False, kind="stable")
    )
    order = list(middle.index)
    rank = {m: i for i, m in enumerate(order)}

    def make() -> Any:
        def draw(ax: Axes, i: int, named: bool) -> None:
            cell, where = cells[i]
            index = np.full(len(order), -1)
            for k in where:
                index[rank[part[rows].iloc[k]]] = k
            shown = part.reindex(index)
            shown[rows] = order
            title = plots.label(cell.get("roi", ""), 24)
            if rows == "model":
                title = (
                    f"{title}: minus {plots.label(part['reference'].iloc[where[0]], 14)}"
                    if title
                    else ""
                )
            plots.forest(
                shown,
                ax=ax,
                rows=rows,
                estimate=f"difference in {what}",
                show_legend=False,
                show_names=named,
                title=title,
            )

        figure = grid(len(cells), order, draw, x_label=f"difference in {what}", limit=40)
        _shared_legend(figure)
        return figure

    roi = f" in {len(cells)} ROIs" if len(cells) > 1 else ""
    tail = f", {name(label)}" if label else ""
    margin = "bound_low" in part.columns
    scale, shaded = (
        (", on the scale of the margin (shaded)", " and the margin") if margin else ("", "")
    )
    decided = ""
    if "decision" in part.columns:
        decided = " Colour and shape show the decision."
        if adjusted(info) and not info.jointly and info.family_size != 1:
            decided = " Colour and shape show the decision, which accounts for the adjustment; the intervals do not."
    joint = "joint " if info.jointly else ""
    return FigureBlock(
        context.slug(f"figure-{'equivalence' if margin else 'differences'}-{what}-{label}"),
        f"Differences in {what}{roi}{tail} with {_level(part)} {joint}intervals{scale}.{decided}",
        f"Forest plot of {len(part)} differences in {what} with intervals{shaded}.",
        make,
        shown_data(part),
        len(part) * 5,
    )


def subject_figures(table: Any, context: Any) -> list[Block]:
    """Subjects' scores of the chosen layers, where nothing was estimated."""
    frame = table.frame[table.frame["kind"] == "model"]
    outcome = table.outcomes[0]
    out: list[Block] = []
    for label, where in split_metrics(frame):
        part = frame.iloc[where]
        wide = part.pivot_table(
            index="subject", columns=["model", "roi"], values=outcome, sort=False, dropna=False
        )
        rows = pd.DataFrame(wide.columns.tolist(), columns=["model", "roi"]).assign(estimate=np.nan)
        out.append(_estimate_grid(None, rows, wide.to_numpy("f8"), label, context, outcome))
    return out
