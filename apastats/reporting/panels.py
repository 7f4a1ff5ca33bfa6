"""Figures of the sections: which numbers go into which plot, one panel per ROI where there are several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from apastats import plots
from apastats.plots.drawn_rows import deciding
from apastats.plots.matrix import decision_signs, matrix_sheet, signs_sheet
from apastats.plots.panel import Panel
from apastats.plots.sheet import sheet
from apastats.plots.style import DECISIONS, metric_words, with_metric
from apastats.reporting.blocks import Block, FigureBlock
from apastats.reporting.markup import name
from apastats.reporting.phrases import adjusted, ceiling_words, counted, noun_of
from apastats.words import Info

__all__ = [
    "cells_of",
    "ceiling_figures",
    "estimate_figures",
    "forest_figures",
    "split_metrics",
    "subject_figures",
]

TERM_LABELS = {"difference": "less the brain's"}
FIRST = (*DECISIONS, "inside the margin")  # entries of a legend that stand first
MAX_ROWS = 300  # intervals of one figure; more of them are shown as a matrix of decisions
MAX_PANELS = 6  # regions with panels of their own; more of them are shown as a matrix of scores


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
        (", ".join(_level_words(k, str(v)) for k, v in cell.items()), where)
        for cell, where in cells_of(frame, keys)
    ]


def _level_words(column: str, level: str) -> str:
    """A measure or a direction by its name."""
    if column == "metric":
        return metric_words(level)
    return level.replace("_", " ") if column == "direction" else level


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

        axis = with_metric("noise ceiling", result.info, part)
        kind = ceiling_words(result.info.get("ceiling_kind", ""), plural=False)

        def make(part: pd.DataFrame = part, points: Any = points, axis: str = axis) -> Any:
            def draw(ax: Any, _: int) -> None:
                plots.ceilings(part, ax=ax, points=points, outcome=axis)

            return sheet(1, draw)

        tail = f", {name(label)}" if label else ""
        dots = " Grey dots are single subjects." if points is not None else ""
        out.append(
            FigureBlock(
                context.slug(f"figure-ceiling-{result.info.get('ceiling_kind', '')}-{label}"),
                f"{kind} in each ROI{tail}{_bars(part)}.{dots}",
                f"Noise ceilings of {part['roi'].nunique()} ROIs as points.",
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


def _drawn(frame: pd.DataFrame) -> bool:
    """Whether any row has an interval that can be drawn."""
    if "conf_low" not in frame.columns:
        return False
    limits = frame[["conf_low", "conf_high"]].to_numpy(dtype=float)
    return bool(np.isfinite(limits).all(axis=1).any())


def _bars(frame: pd.DataFrame) -> str:
    return f"; bars are {_level(frame)} intervals over subjects" if _drawn(frame) else ""


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
    for label, where in split_metrics(table, ("metric", "split", "part", "bound")):
        part = table.iloc[where].reset_index(drop=True)
        points = None if values is None or values.shape[1] != len(table) else values[:, where]
        several = part["model"].nunique() > 1 and "roi" in part.columns
        if several and part["roi"].nunique() > MAX_PANELS:
            out.append(_score_matrix(result, part, label, context, what))
        else:
            out.append(_estimate_grid(result, part, points, label, context, what))
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
        label = "" if label == what else TERM_LABELS.get(label, label)
        if result.kind == "equivalence_set":
            part["bound_high"] = np.inf
        rows = "contrast" if "contrast" in columns else "model"
        if rows not in columns or part.duplicated([rows, "roi"]).any():
            return []
        if rows == "contrast" or result.kind == "equivalence_set":
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

    axis = with_metric(what, Info() if result is None else result.info, part)

    kept: list[Panel] = []

    def make() -> Any:
        def draw(ax: Any, i: int) -> None:
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
                outcome=axis,
                title=plots.label(cell.get("roi", "")),
            )

        return sheet(len(cells), draw, kept=kept)

    roi = f" in {len(cells)} ROIs" if len(cells) > 1 else ""
    tail = f", {name(label)}" if label else ""
    dots = "; grey dots are single subjects" if points is not None else ""
    bands = (
        (
            "; vertical lines and bands are noise ceilings with their intervals"
            if any(_drawn(c.table) for c in context.ceilings)
            else "; vertical lines are noise ceilings"
        )
        if with_bands and context.ceilings
        else ""
    )
    noun = "model" if result is None else noun_of(result)
    who = _who(order, noun)
    head = f"{title}: {what} of" if title else f"Mean {what} of"
    drawn = (
        f"with {_level(part)} intervals"
        if _drawn(part)
        else "without intervals, which are infinite or undefined"
    )
    lead = f"{head} {who}{roi}{tail}, points {drawn}"
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


def _who(order: Sequence[str], noun: str = "model") -> str:
    """``5 models and the brain``: the brain is no model."""
    models = counted(len(order) - ("brain" in order), noun)
    return f"{models} and the brain" if "brain" in order else models


def _score_matrix(
    result: Any, part: pd.DataFrame, label: str, context: Any, what: str
) -> FigureBlock:
    """Models by regions as colours and numbers, the best of each region in bold, ceilings in rows below."""
    order = model_order(part)
    rois = list(dict.fromkeys(part["roi"]))
    matrix = part.assign(model=part["model"].astype(str)).pivot_table(
        index="model", columns="roi", values="estimate", sort=False, dropna=False
    )
    matrix = matrix.reindex(index=order, columns=rois)
    bold = np.zeros(matrix.shape, dtype=bool)
    rivals = matrix.to_numpy("f8").copy()
    rivals[[m == "brain" for m in order]] = np.nan
    with np.errstate(invalid="ignore"):
        bold |= rivals == np.fmax.reduce(rivals, axis=0)
    if what == "score":
        for words, values in _ceiling_rows(part, rois, context):
            matrix.loc[words] = values
            bold = np.vstack([bold, np.zeros(len(rois), dtype=bool)])
    axis, noun = with_metric(f"mean {what}", result.info, part), noun_of(result)
    ruled = (len(order) - 0.5,) if len(matrix) > len(order) else ()

    def make() -> Any:
        return matrix_sheet(matrix, outcome=axis, x="ROI", best=bold, breaks=ruled)

    tail = f", {name(label)}" if label else ""
    under = "; noise ceilings stand in the last rows" if ruled else ""
    return FigureBlock(
        context.slug(f"figure-{what}-matrix-{label}"),
        f"Mean {what} of {_who(order, noun)} in {len(rois)} ROIs{tail}. The highest {noun} in each ROI is marked"
        f"{under}.",
        f"Matrix of the mean {what}, {_who(order, noun)} by {len(rois)} ROIs.",
        make,
        matrix.rename_axis("model").reset_index(),
        matrix.size,
    )


def _ceiling_rows(
    part: pd.DataFrame, rois: Sequence[Any], context: Any
) -> list[tuple[str, list[float]]]:
    """Ceilings of the ROIs by the words of each kind."""
    metric = {"metric": part["metric"].iloc[0]} if "metric" in part.columns else {}
    found: dict[str, dict[Any, float]] = {}
    for roi in rois:
        for band in bands_for({"roi": roi, **metric}, context):
            found.setdefault(str(band["label"]), {})[roi] = float(band["estimate"])
    return [(words, [v.get(r, math.nan) for r in rois]) for words, v in found.items()]


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
    if len(part) > MAX_ROWS and len(cells) > MAX_PANELS and "decision" in part.columns:
        return _decision_matrix(part, rows, label, context, what)
    middle = (
        part.groupby(rows, sort=False)["estimate"]
        .median()
        .sort_values(ascending=False, kind="stable")
    )
    order = list(middle.index)
    rank = {m: i for i, m in enumerate(order)}

    of_set = "in_set" in part.columns
    noun = "model" if info.outcome is None else info.outcome.levels
    axis = with_metric(
        f"{what}: {noun} minus the best other {noun}" if of_set else f"difference in {what}",
        info,
        part,
    )

    kept: list[Panel] = []

    def make() -> Any:
        def draw(ax: Any, i: int) -> None:
            cell, where = cells[i]
            index = np.full(len(order), -1)
            for k in where:
                index[rank[part[rows].iloc[k]]] = k
            shown = part.reindex(index)
            shown[rows] = order
            title = plots.label(cell.get("roi", ""))
            if rows == "model" and "reference" in part.columns:
                reference = plots.label(part["reference"].iloc[where[0]])
                title = f"{title}: minus {reference}" if title else f"minus {reference}"
            plots.forest(shown, ax=ax, rows=rows, estimate=axis, show_legend=False, title=title)

        return sheet(len(cells), draw, first=FIRST, kept=kept)

    roi = f" in {len(cells)} ROIs" if len(cells) > 1 else ""
    tail = f", {name(label)}" if label else ""
    margin = "bound_low" in part.columns and bool(part["bound_low"].notna().any())
    scale, shaded = (
        (", on the scale of the margin (shaded)", " and the margin") if margin else ("", "")
    )
    decided = ""
    if "decision" in part.columns:
        decided = " Colour and shape show the decision."
        if adjusted(info) and not info.jointly and info.family_size != 1 and not of_set:
            decided = " Colour and shape show the decision, which accounts for the adjustment; the intervals do not."
    joint = "joint " if info.jointly else ""
    family = f" ({family_words(info)})" if info.jointly else ""
    if np.isinf(part[["conf_low", "conf_high"]].to_numpy("f8")).any():
        decided += " An arrow is an open end: the interval has no limit on that side."
    if of_set:
        what = (
            f"{what} from the best other {noun}"
            if noun == "model"
            else f"{what} from the largest other {noun}"
        )
        scale, shaded = (", the margin shaded", " and the margin") if margin else ("", "")
    return FigureBlock(
        context.slug(f"figure-{'equivalence' if margin else 'differences'}-{what}-{label}"),
        f"Differences in {what}{roi}{tail}{',' * bool(tail)} with {_level(part)} {joint}intervals{family}{scale}."
        f"{decided}",
        f"Forest plot of {counted(len(part), 'difference')} in {what} with intervals{shaded}.",
        make,
        shown_data(part),
        len(part) * 5,
    )


def _decision_matrix(
    part: pd.DataFrame, rows: str, label: str, context: Any, what: str
) -> FigureBlock:
    """Decision on each model or contrast in each region, where intervals would fill pages."""
    order = list(
        part.groupby(rows, sort=False)["estimate"].median().sort_values(ascending=False).index
    )
    shown = part.assign(_rank=part[rows].map({m: i for i, m in enumerate(order)}))
    shown = shown.sort_values("_rank", kind="stable").drop(columns="_rank").reset_index(drop=True)

    def make() -> Any:
        names, rois = (list(map(str, dict.fromkeys(shown[c]))) for c in (rows, "roi"))
        return signs_sheet(names, rois, decision_signs(shown, rows, "roi"), x="ROI")

    tail = f", {name(label)}" if label else ""
    against = "the best other model" if "in_set" in part.columns else "what it is compared with"
    if rows == "contrast":
        against = "each other"
    return FigureBlock(
        context.slug(f"figure-decisions-{what}-{label}"),
        f"Differences in {what}{tail}: decision on each {rows} in each ROI, against {against}. The intervals "
        "that decide are in the table.",
        f"Signs of {len(part)} decisions in {part['roi'].nunique()} ROIs.",
        make,
        shown_data(part),
        len(part),
    )


def family_words(info: Info) -> str:
    """Family of joint intervals in few words: ``Holm, 133 tests``."""
    how = {"holm": "Holm", "bonferroni": "Bonferroni", "tukey": "Tukey", "max-t": "max-t"}.get(
        info.adjust, info.adjust
    )
    return f"{how}, {info.family_size} tests" if info.family_size else f"{how} over all tests"


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
