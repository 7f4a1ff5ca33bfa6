"""Second figures of results that have several: ``result.plot(kind=...)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from apastats.arguments import choice
from apastats.calls import not_among
from apastats.plots import checks, curves, grids, rows
from apastats.plots.drawn_rows import chosen, named_by, prepared
from apastats.plots.style import model_colors, with_metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "items", "needed", "pattern_lines", "power", "ranking", "score_and_agreement", "set_matrix", "shifted",
]  # fmt: skip


def _one(frame: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    """Rows of one level; the first where none is given."""
    if column not in frame.columns:
        return frame
    there = list(dict.fromkeys(frame[column].astype(str)))
    if value is not None and str(value) not in there:
        raise not_among(column, value, there)
    return frame[frame[column].astype(str) == str(there[0] if value is None else value)]


def _shades(colors: Mapping[str, str] | None, models: Any) -> dict[str, str]:
    return model_colors([str(m) for m in dict.fromkeys(models)]) | dict(colors or {})


def _named(
    frame: pd.DataFrame, labels: Mapping[str, str] | None, colors: Mapping[str, str] | None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Models under the names wanted, and their colours, which stay those of the models."""
    words = {str(k): str(v) for k, v in (labels or {}).items()}
    shades = {words.get(m, m): c for m, c in _shades(colors, frame["model"]).items()}
    return frame.assign(model=[words.get(str(m), str(m)) for m in frame["model"]]), shades


def pattern_lines(
    result: Any, ax: Axes | None, *, roi: str | None = None, metric: str | None = None, order: Any = None,
    labels: Any = None, colors: Any = None, title: str = "",
) -> Axes:  # fmt: skip
    """Patterns that stand for one region: of the brain (mean and range of people), and of every model.

    A model's layer is the one with the highest mean value in the region, on the train split where there is one.
    """
    frame = _one(result.table, "metric", metric)
    rois = [str(r) for r in dict.fromkeys(frame["roi"])]
    if roi is not None and str(roi) not in rois:
        raise not_among("roi", roi, rois)
    target = str(roi or rois[0])
    splits = set(frame["split"].astype(str))
    shown = "test" if "test" in splits else str(frame["split"].iloc[0])
    on = "train" if "train" in splits else shown
    at = frame["roi"].astype(str) == target
    model = frame["kind"] == "model"
    means = (
        frame[model & at & (frame["split"] == on)]
        .groupby(["model", "layer"], sort=False, observed=True)["value"]
        .mean()
        .reset_index()
    )
    best = means.loc[means.groupby("model", sort=False, observed=True)["value"].idxmax()]
    pairs = set(zip(best["model"].astype(str), best["layer"].astype(str), strict=True))
    here = frame[frame["split"] == shown]
    key = list(zip(here["model"].astype(str), here["layer"].astype(str), strict=True))
    lines = here[(here["kind"] == "model").to_numpy() & np.array([k in pairs for k in key])]
    lines = lines.groupby(["model", "roi"], sort=False, observed=True)["value"].mean().reset_index()
    brain = here[here["kind"] != "model"]
    brain = (
        brain[(brain["kind"] == brain["kind"].iloc[0]) & (brain["layer"] == target)]
        if len(brain)
        else brain
    )
    people = brain.groupby(["subject", "roi"], sort=False, observed=True)["value"].mean()
    band = people.groupby("roi", sort=False, observed=True).agg(["mean", "min", "max"])
    band.columns = pd.Index(["estimate", "conf_low", "conf_high"])
    if order is not None:
        for n in order:
            choice("order", str(n), rois)
        rois = [str(n) for n in order]
    lines, shades = _named(lines, labels, colors)
    band = band.reset_index()
    words = {str(k): str(v) for k, v in (labels or {}).items()}
    lines["roi"], band["roi"] = (
        [words.get(str(r), str(r)) for r in f["roi"]] for f in (lines, band)
    )
    rois = [words.get(r, r) for r in rois]
    return grids.pattern_lines(
        lines, ax=ax, rois=rois, value="value", band=band if len(brain) else None, colors=shades,
        outcome=with_metric("score", result.info, frame), title=title or target,
    )  # fmt: skip


def set_matrix(
    result: Any, ax: Axes | None, *, where: Any = None, labels: Any = None, numbers: bool | None = None,
    title: str = "",
) -> Axes:  # fmt: skip
    """Means of models by regions; those in the set of the best are bold, or marked."""
    frame = chosen(result.table, where)[0]
    cell = "roi" if "roi" in frame.columns else None
    further = [c for c in ("metric", "split") if c in frame.columns and frame[c].nunique() > 1]
    if further:
        frame = frame.assign(
            _cell=frame[[cell, *further] if cell else further].agg(", ".join, axis=1)
        )
        cell = "_cell"
    elif cell is None:
        frame, cell = frame.assign(_cell="all"), "_cell"
    names = list(dict.fromkeys(frame["model"])), list(dict.fromkeys(frame[cell]))
    wide, inside = (
        frame.pivot(index="model", columns=cell, values=v).reindex(index=names[0], columns=names[1])
        for v in ("mean", "in_set")
    )
    wide = wide.rename(index=labels or {}, columns=labels or {})
    return grids.heatmap(
        wide, ax=ax, outcome=with_metric("mean score", result.info, frame), x="region", numbers=numbers,
        best=inside.to_numpy(dtype=bool), title=title,
    )  # fmt: skip


def ranking(
    result: Any, ax: Axes | None, *, roi: str | None = None, metric: str | None = None, labels: Any = None,
    colors: Any = None, title: str = "",
) -> Axes:  # fmt: skip
    """Models of one cell from the best to the worst, with the interval of their distance to the best other model.

    What cannot be excluded from being the best (or is within the margin) has its decision's colour.
    """
    frame = _one(_one(result.table, "metric", metric), "roi", roi)
    frame = frame.sort_values("mean", ascending=False, kind="stable")
    words = labels or {}
    frame = frame.assign(
        _row=[f"{k}. {words.get(str(m), m)}" for k, m in enumerate(frame["model"], start=1)],
        bound_high=np.inf,
    )
    where = str(frame["roi"].iloc[0]) if "roi" in frame.columns else ""
    return rows.forest(
        frame, ax=ax, rows="_row", colors=colors, title=title or where,
        estimate=with_metric(f"mean {result.info.outcome} less that of the best other model", result.info, frame),
    )  # fmt: skip


def score_and_agreement(
    result: Any, ax: Axes | None, *, roi: str | None = None, metric: str | None = None, labels: Any = None,
    colors: Any = None, title: str = "",
) -> Axes:  # fmt: skip
    """Score less that of the best against agreement less its reference; ringed where both criteria hold.

    Means over regions without ``roi``, ringed where both hold in all of them.
    """
    frame = _one(result.table, "metric", metric)
    if roi is not None:
        frame = _one(frame, "roi", roi)
    frame = frame.assign(_both=frame["decision"] == "aligned")
    mean = frame.groupby("model", sort=False, observed=True).agg(
        score=("estimate_score", "mean"),
        agreement=("estimate_agreement", "mean"),
        both=("_both", "all"),
    )
    mean, shades = _named(mean.reset_index(), labels, colors)
    return grids.score_agreement(
        mean, ax=ax, colors=shades, strict=list(mean.loc[mean["both"], "model"]),
        x=with_metric("score less that of the best", result.info, frame), y="agreement less its reference (Fisher z)",
        title=title or (roi or "mean over regions"),
    )  # fmt: skip


def needed(
    result: Any,
    ax: Axes | None,
    *,
    where: Any = None,
    order: Any = None,
    labels: Any = None,
    title: str = "",
) -> Axes:
    """Subjects that each contrast would need."""
    frame, _ = prepared(result, result.table, named_by(result.table), where, order, labels)
    return curves.subjects_needed(frame, ax=ax, rows="_row", title=title)


def power(
    result: Any, ax: Axes | None, *, where: Any = None, target: float | None = 0.8, title: str = ""
) -> Axes:
    """Power over the number of subjects."""
    frame, _ = chosen(result.table, where)
    if "term" in frame.columns:
        frame = frame.assign(power=frame["estimate"], term=frame["term"].str.replace("_", " "))
        ax = checks.power_curve(
            frame[["n", "term", "power"]], ax=ax, x="n", by=["term"], target=target, title=title
        )
        ax.set_ylabel("share of simulated studies")
        return ax
    return checks.power_curve(frame, ax=ax, target=target, title=title)


def items(
    result: Any, ax: Axes | None, *, where: Any = None, order: Any = None, labels: Any = None, title: str = "",
) -> Axes:  # fmt: skip
    """What is estimated of each item: its reliability, or its discrimination."""
    value = "discrimination" if "discrimination" in result.table.columns else "reliability"
    table = result.table.assign(estimate=result.table[value])
    if value == "discrimination":
        half = 1.96 * table["discrimination_se"]
        table = table.assign(conf_low=table[value] - half, conf_high=table[value] + half)
    frame, _ = prepared(result, table, "item", where, order, labels)
    return rows.estimates(frame, ax=ax, rows="_row", outcome=value, title=title)


def shifted(
    result: Any, ax: Axes | None, *, where: Any = None, order: Any = None, labels: Any = None, title: str = "",
) -> Axes:  # fmt: skip
    """Agreement of the order with that of no shift."""
    table = result.table.assign(
        estimate=result.table["tau"], _delta=[f"{d:g} SD" for d in result.table["delta"]]
    )
    frame, _ = prepared(result, table, "_delta", where, order, labels)
    said = "Kendall's tau with the order at 0"
    return rows.estimates(frame, ax=ax, rows="_row", outcome=said, title=title)
