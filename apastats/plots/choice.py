"""Which plot fits a result, and the options it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from apastats.arguments import choice, instance
from apastats.calls import not_among
from apastats.errors import InputError
from apastats.plots import checks, curves, decisions, grids, other_kinds, rows
from apastats.plots.drawn_rows import (
    CELLS,
    NAMES,
    axis_words,
    chosen,
    deciding,
    named_by,
    prepared,
    row_colors,
    row_names,
)  # fmt: skip
from apastats.plots.leaderboard import leaderboard
from apastats.plots.over_time import of_time, over_time
from apastats.plots.parts import stacked_parts
from apastats.plots.people import among_people
from apastats.plots.style import MUTED, label, model_colors, with_metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["OPTIONS", "draw_result"]

# what each option of a plot does; result.plot() documents them from here
OPTIONS = {
    "where": 'rows drawn: ``{"roi": "V1"}``, a column and its value',
    "order": "names of the rows drawn, in the order from top to bottom",
    "labels": "mapping of names (of models, regions, terms) to what is written for them",
    "colors": "mapping of names of models, or of decisions, to colours",
    "interval": 'which interval: ``"deciding"`` (the default), ``"single"``, ``"joint"``, ``"difference"``',
    "ceilings": "noise ceiling, or a list of them, drawn as lines",
    "points": "whether the subjects' own values are drawn",
    "outcome": "label of the axis of the estimates",
    "title": "title",
    "term": '``"decisions"`` (of influence: nothing, for Cook\'s distance), or one term of the table',
    "model": "model (or ``brain``) whose matrix is drawn",
    "metric": "metric drawn, where there are several",
    "roi": "region drawn; the mean over regions where not given",
    "numbers": "whether numbers are written into the cells",
    "margin": "margin, drawn as a line",
    "target": "power wanted, drawn as a line",
    "kind": "which figure, of results that have several",
}


@dataclass(frozen=True)
class Plot:
    """How a kind is drawn: ``draw(result, ax, **options)``, and the options it takes."""

    draw: Callable[..., Axes]
    options: tuple[str, ...]
    kinds: Mapping[str, Plot] = field(default_factory=dict)


ROWS = ("where", "order", "labels", "colors", "interval", "outcome", "title")
MEANS = (*ROWS, "ceilings", "points")
OVER_TIME = Plot(over_time, ("where", "labels", "colors", "interval", "outcome", "ceilings", "title"))  # fmt: skip


def draw_result(result: Any, ax: Axes | None, options: dict[str, Any]) -> Axes:
    """Draw by the kind of the result, else by the columns of its table.

    Raises
    ------
    InputError
        If an option is not one of this kind, or a value does not occur.
    """
    if ax is not None:
        from matplotlib.axes import Axes as AxesClass

        instance("ax", ax, AxesClass, "an Axes of matplotlib, or None")
    plot = plot_of(result)
    if plot.kinds and (kind := options.pop("kind", None)) is not None:
        choice("kind", kind, plot.kinds)
        plot = plot.kinds[kind]
    for option in options:
        if option not in plot.options:
            raise InputError("plot", option, f"options of a {result.kind}: {list(plot.options)}")
    return plot.draw(result, ax, **options)


def plot_of(result: Any) -> Plot:
    """Plot of a result."""
    columns = set(result.table.columns)
    if of_time(result.table) and result.kind in ("bootstrap", "noise_ceiling", "map_test"):
        return OVER_TIME
    if result.kind in KINDS:
        return KINDS[result.kind](columns)
    if {"bound_low", "conf_low", "conf_high", "estimate"} <= columns:
        return FOREST
    if "estimate" in columns:
        return ESTIMATES
    raise InputError("result", result.kind, "a result that has a plot; this one has a table only")


def _forest(
    result: Any, ax: Axes | None, *, where: Any = None, order: Any = None, labels: Any = None, colors: Any = None,
    interval: str = "deciding", outcome: str | None = None, title: str = "",
) -> Axes:  # fmt: skip
    table = deciding(result, interval)
    if "bound_high" not in table.columns:
        table = table.assign(bound_high=np.inf)  # a set: not worse than the best by the margin
    named = "model" if result.kind == "equivalence_set" else named_by(table)
    frame, _ = prepared(result, table, named, where, order, labels)
    if colors is not None:
        instance("colors", colors, Mapping, "a mapping of decisions to colours")
    said = axis_words(result, frame, True) if outcome is None else outcome
    return rows.forest(frame, ax=ax, rows="_row", estimate=said, colors=colors, title=title)


def _estimates(
    result: Any, ax: Axes | None, *, where: Any = None, order: Any = None, labels: Any = None, colors: Any = None,
    interval: str = "deciding", outcome: str | None = None, ceilings: Any = None, points: bool = True,
    title: str = "", named: str | None = None,
) -> Axes:  # fmt: skip
    table = deciding(result, interval)
    named = named or named_by(table, ("model", "contrast", "term", "level", "roi"))
    frame, at = prepared(result, table, named, where, order, labels)
    own = result.arrays.get("values")
    fits = own is not None and own.ndim == 2 and own.shape[1] == len(result.table)
    shades = row_colors(frame, colors, result.table)
    said = axis_words(result, frame, False) if outcome is None else outcome
    bands, marks = _bands(ceilings, frame)
    ax = rows.estimates(
        frame, ax=ax, rows="_row", points=own[:, at] if points and fits else None, band=bands, colors=shades,
        outcome=said, title=title,
    )  # fmt: skip
    for k, x in enumerate(marks):
        y = np.flatnonzero(np.isfinite(x))
        style = ("-", "--", ":")[k % 3]
        ax.vlines(x[y], y - 0.4, y + 0.4, color=MUTED, linewidth=1.4, linestyle=style, zorder=1)
    return ax


def _bands(ceilings: Any, frame: pd.DataFrame) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
    """Ceilings as bands where all rows have the same, else where each row has its own."""
    bands: list[dict[str, Any]] = []
    marks: list[np.ndarray] = []
    given = (
        () if ceilings is None else ceilings if isinstance(ceilings, (list, tuple)) else (ceilings,)
    )
    for c in given:
        if getattr(c, "kind", "") != "noise_ceiling":
            raise InputError("ceilings", type(c).__name__, "noise ceilings")
        keys = [k for k in CELLS if k in c.table.columns and k in frame.columns]
        for bound, part in (
            c.table.groupby("bound", sort=False) if "bound" in c.table else [("", c.table)]
        ):
            tail = "" if bound in ("", "reference") else f" {bound}"
            words = f"ceiling, {str(c.info.get('ceiling_kind', '')).replace('_', ' ')}{tail}"
            if not keys:
                bands.append({**part.iloc[0].to_dict(), "label": words})
                continue
            here = frame[keys].merge(part.drop_duplicates(keys), on=keys, how="left")
            if here["estimate"].nunique() == 1 and here["estimate"].notna().all():
                bands.append({**{str(k): v for k, v in here.iloc[0].items()}, "label": words})
            else:
                marks.append(here["estimate"].to_numpy("f8"))
    return bands, marks


def _ceiling(
    result: Any, ax: Axes | None, *, where: Any = None, order: Any = None, labels: Any = None, colors: Any = None,
    outcome: str | None = None, points: bool = True, title: str = "",
) -> Axes:  # fmt: skip
    named = named_by(result.table, ("roi",))
    frame, at = prepared(result, result.table, named, where, order, labels)
    cells = [c for c in CELLS if c in frame.columns and c != named]
    frame = frame.assign(
        _row=row_names(frame.assign(**{c: frame[c] for c in cells}), named, (), labels)
    )
    own = result.arrays.get("values")
    fits = points and own is not None and own.ndim == 2 and own.shape[1] == len(result.table)
    said = with_metric("noise ceiling", result.info, frame) if outcome is None else outcome
    return rows.ceilings(
        frame, ax=ax, rows="_row", points=own[:, at] if fits else None, outcome=said, colors=colors, title=title
    )  # fmt: skip


def _ranks(
    result: Any, ax: Axes | None, *, where: Any = None, order: Any = None, labels: Any = None, colors: Any = None,
    outcome: str = "place (1 is the best)", title: str = "",
) -> Axes:  # fmt: skip
    table = result.table.rename(
        columns={"place": "rank", "place_low": "rank_low", "place_high": "rank_high"}
    )
    frame, _ = prepared(result, table, named_by(table), where, order, labels)
    shades = row_colors(frame, colors, table)
    return rows.rank_intervals(
        frame, ax=ax, rows="_row", colors=shades, outcome=outcome, title=title
    )


def _statistics(
    result: Any, ax: Axes | None, *, where: Any = None, order: Any = None, labels: Any = None, colors: Any = None,
    outcome: str | None = None, title: str = "",
) -> Axes:  # fmt: skip
    """Test statistics of cells, where nothing else was estimated."""
    value = "kendall_w" if "kendall_w" in result.table.columns else "statistic"
    table = result.table.assign(estimate=result.table[value])
    named = named_by(table, ("roi", *NAMES, "method"))
    frame, _ = prepared(result, table, named, where, order, labels)
    said = (
        ("Kendall's W" if value == "kendall_w" else "test statistic")
        if outcome is None
        else outcome
    )
    return rows.estimates(
        frame,
        ax=ax,
        rows="_row",
        colors=row_colors(frame, colors, table),
        outcome=said,
        title=title,
    )


def _decided(
    result: Any, ax: Axes | None, *, where: Any = None, order: Any = None, labels: Any = None, colors: Any = None,
    title: str = "",
) -> Axes:  # fmt: skip
    """Decision on each model in each region."""
    table, _ = chosen(result.table, where)
    across = "roi" if "roi" in table.columns else "_all"
    frame, _ = prepared(result, table.assign(_all="decision"), "model", None, order, None)
    words = labels or {}
    cells = [c for c in ("metric", "split") if c in frame.columns and frame[c].nunique() > 1]
    frame["_row"] = [str(words.get(str(m), m)) for m in frame["model"]]
    frame["_cell"] = row_names(frame, across, cells, labels) if cells else [
        str(words.get(str(v), v)) for v in frame[across]
    ]  # fmt: skip
    return decisions.sensitivity(
        frame, ax=ax, rows="_row", analysis="_cell", colors=colors, title=title
    )


def _checked(
    result: Any, ax: Axes | None, *, labels: Any = None, colors: Any = None, title: str = ""
) -> Axes:
    """What was looked at in the data, and whether it is as it should be."""
    table = result.table
    named = "item"
    words = labels or {}
    frame = table.assign(_all="status", _row=[str(words.get(str(v), v)) for v in table[named]])
    frame = frame.drop_duplicates("_row")
    return decisions.sensitivity(
        frame, ax=ax, rows="_row", analysis="_all", decision="status", colors=colors, title=title
    )


def _sensitivity(
    result: Any, ax: Axes | None, *, term: str = "decisions", order: Any = None, labels: Any = None,
    colors: Any = None, title: str = "",
) -> Axes:  # fmt: skip
    """Decisions per ROI and analysis, or one term of the table over the analyses."""
    if term == "decisions":
        frame = result.decisions()
        frame, _ = prepared(result, frame, "roi", None, order, labels)
        for c in ("roi", "analysis"):
            frame[c] = [(labels or {}).get(str(v), v) for v in frame[c]]
        return decisions.sensitivity(frame, ax=ax, rows="roi", colors=colors, title=title)
    frame = result.table[result.table["term"] == term]
    if frame.empty:
        raise InputError(
            "term", term, f"'decisions' or one of {list(result.table['term'].unique())}"
        )
    frame = frame.assign(_row=frame["what"] + ": " + frame["analysis"])
    return rows.estimates(frame, ax=ax, rows="_row", outcome=term, title=title)


def _matrix(
    result: Any, ax: Axes | None, *, model: str = "brain", metric: str | None = None, order: Any = None,
    labels: Any = None, numbers: bool | None = None, title: str = "",
) -> Axes:  # fmt: skip
    """Mean pattern of one model (or of the brain): predictors by regions."""
    table = result.table
    frame = table.assign(model=np.where(table["kind"] == "model", table["model"], "brain"))
    for name, value in (("model", model), ("metric", metric)):
        there = list(dict.fromkeys(frame[name].astype(str)))
        if value is not None and str(value) not in there:
            raise not_among(name, value, there)
    frame = frame[frame["model"].astype(str) == str(model)]
    if model == "brain":
        frame = frame[frame["kind"] == frame["kind"].iloc[0]]
    frame = frame[frame["metric"] == (metric or frame["metric"].iloc[0])]
    split = "test" if "test" in set(frame["split"]) else frame["split"].iloc[0]
    frame = frame[frame["split"] == split]
    value = "value"
    wide = frame.groupby(["layer", "roi"], sort=False)[value].mean().unstack()
    wide = wide.reindex(columns=list(dict.fromkeys(frame["roi"])))
    if order is not None:
        names = [str(n) for n in order]
        there = [str(c) for c in wide.columns]
        for n in names:
            choice("order", n, there)
        wide = wide[names].reindex([r for r in names if r in wide.index] or wide.index)
    wide = wide.rename(index=labels or {}, columns=labels or {})
    said = with_metric("mean score", result.info, frame)
    return grids.heatmap(
        wide, ax=ax, outcome=said, x="target ROI", y="layer" if model != "brain" else "predictor ROI", numbers=numbers,
        title=title,
    )  # fmt: skip


def _identified(
    result: Any, ax: Axes | None, *, model: str | None = None, labels: Any = None, title: str = ""
) -> Axes:
    """Confusion of regions for one model (or the brain)."""
    names = [str(m) for m in result.arrays["models"]]
    wanted = model or ("brain" if "brain" in names else names[0])
    if wanted not in names:
        raise not_among("model", model, names)
    rois = [str((labels or {}).get(str(r), r)) for r in result.arrays["rois"]]
    matrix = pd.DataFrame(
        np.asarray(result.arrays["confusion"])[names.index(wanted)], index=rois, columns=rois
    )
    return decisions.identification(matrix, ax=ax, outcome="share of subjects", title=title)


def _null(
    result: Any, ax: Axes | None, *, where: Any = None, order: Any = None, labels: Any = None, colors: Any = None,
    outcome: str | None = None, title: str = "",
) -> Axes:  # fmt: skip
    frame, _ = prepared(
        result, result.table, named_by(result.table, ("model", "roi")), where, order, labels
    )
    said = axis_words(result, frame, False) if outcome is None else outcome
    shades = row_colors(frame, colors, result.table)
    return curves.against_null(frame, ax=ax, rows="_row", outcome=said, colors=shades, title=title)


def _margins(
    result: Any, ax: Axes | None, *, where: Any = None, order: Any = None, labels: Any = None,
    margin: float | None = None, title: str = "",
) -> Axes:  # fmt: skip
    """Decision of each contrast at each margin."""
    frame, _ = chosen(result.table, where)
    single = frame.drop_duplicates([c for c in ("contrast", *CELLS) if c in frame.columns])
    single, _ = prepared(result, single.reset_index(drop=True), "contrast", None, order, labels)
    keys = [c for c in ("contrast", *CELLS) if c in frame.columns]
    frame = single[[*keys, "_row"]].merge(frame, on=keys, how="left")
    ax = curves.margin_decisions(frame, ax=ax, rows="_row", margin=margin, title=title)
    unit = str(result.info.outcome) if result.info.outcome else ""
    ax.set_xlabel(with_metric(f"margin (in {unit})" if unit else "margin", result.info, frame))
    return ax


def _posterior(
    result: Any, ax: Axes | None, *, where: Any = None, order: Any = None, labels: Any = None, colors: Any = None,
    outcome: str | None = None, title: str = "",
) -> Axes:  # fmt: skip
    table = result.table[result.table["estimate"].notna()]
    frame, _ = prepared(
        result, table, named_by(table, ("contrast", "term", "model")), where, order, labels
    )
    what = str(result.info.outcome) if result.info.outcome else ""
    words = with_metric(f"posterior of {what}" if what else "posterior", result.info, frame)
    said = words if outcome is None else outcome
    return checks.posterior(
        frame,
        ax=ax,
        rows="_row",
        colors=row_colors(frame, colors, table),
        outcome=said,
        title=title,
    )


def _layers(
    result: Any, ax: Axes | None, *, roi: str | None = None, metric: str | None = None, colors: Any = None,
    labels: Any = None, title: str | None = None,
) -> Axes:  # fmt: skip
    """Curve of every model over its layers, for one region or the mean over regions."""
    frame = result.table
    for column, value in (("roi", roi), ("metric", metric)):
        if value is not None and value not in set(frame[column]):
            raise not_among(column, value, frame[column].unique())
    frame = frame[frame["metric"] == (metric or frame["metric"].iloc[0])]
    frame = frame if roi is None else frame[frame["roi"] == roi]
    if "depth" not in frame.columns:
        frame = frame.assign(depth=frame.groupby(["model", "roi"], sort=False).cumcount())
    mean = frame.groupby(["model", "depth"], sort=False)["estimate"].mean().reset_index()
    shades = model_colors(mean["model"]) | dict(colors or {})
    if labels:
        shades |= {str(labels[m]): shades[m] for m in labels if m in shades}
        mean["model"] = [labels.get(m, m) for m in mean["model"]]
    level = float(frame["brain"].mean()) if "brain" in frame.columns else None
    ax = curves.layer_curves(
        mean, ax=ax, level=level, colors=shades, outcome=axis_words(result, frame, False),
        x_label="depth of the layer" if "depth" in result.table else "layer",
        title=(label(roi) if roi else "mean over ROIs") if title is None else title,
    )  # fmt: skip
    return ax


def _people(
    result: Any, ax: Axes | None, *, where: Any = None, order: Any = None, labels: Any = None, colors: Any = None,
    title: str = "",
) -> Axes:  # fmt: skip
    """Every model among the people."""
    frame, at = prepared(result, result.table, "model", where, order, labels)
    cells = [c for c in ("outcome", "direction") if c in frame.columns]
    frame = frame.assign(_row=row_names(frame, "model", cells, labels))
    people = result.arrays["people"][:, at]
    said = with_metric(f"{result.info.outcome}, mean over people", result.info, frame)
    return among_people(
        frame,
        people,
        ax=ax,
        rows="_row",
        colors=row_colors(frame, colors or {}, frame) if colors else None,
        outcome=said,
        title=title,
    )


def _board(
    result: Any, ax: Axes | None, *, where: Any = None, order: Any = None, labels: Any = None, title: str = "",
) -> Axes:  # fmt: skip
    """Places of the models, tiers and holes; of one cell."""
    table = result.table
    frame, at = prepared(result, table, "model", where, order, labels)
    cells = [c for c in result.info.by if frame[c].nunique() > 1]
    if cells:
        raise InputError(
            "where",
            where,
            f"one level of {cells}, such as {{{cells[0]!r}: {frame[cells[0]].iloc[0]!r}}}",
        )
    names = table["model"].to_numpy()[at]
    found = table[list(result.info.by)].drop_duplicates().index if result.info.by else [0]
    cell = int(np.searchsorted(np.asarray(found), at.min(), side="right") - 1)
    place = {m: k for k, m in enumerate(result.arrays["models"])}
    scores = result.arrays["scores"][cell][[place[m] for m in names]]
    seen = np.isfinite(scores)[:, np.isfinite(result.arrays["item_variance"][cell])]
    frame = frame.assign(_row=row_names(frame, "model", [], labels))
    return leaderboard(frame, seen, ax=ax, rows="_row", title=title)


def _influence(
    result: Any, ax: Axes | None, *, term: str | None = None, order: Any = None, labels: Any = None,
    title: str = "",
) -> Axes:  # fmt: skip
    """Cook's distance of every level, or one term without each level beside that of all rows."""
    group = str(result.info["group"])
    table = result.table
    if term is None:
        frame = table.drop_duplicates(group).reset_index(drop=True)
        frame, _ = prepared(result, frame, group, None, order, labels)
        if order is None:
            frame = frame.sort_values("cooks_distance", ascending=False, kind="stable")
        limit = 4 / table[group].nunique()
        return checks.cooks_distances(
            frame.reset_index(drop=True), ax=ax, rows="_row", limit=limit, title=title
        )
    frame = table[table["term"] == term].reset_index(drop=True)
    if frame.empty:
        raise not_among("term", term, table["term"].unique())
    frame, _ = prepared(result, frame, group, None, order, labels)
    line = {"estimate": frame["full"].iloc[0], "label": f"all levels of {group}"}
    said = f"{term}, {group} left out"
    return rows.estimates(frame, ax=ax, rows="_row", band=[line], outcome=said, title=title)


ESTIMATES = Plot(_estimates, MEANS)
FOREST = Plot(_forest, ROWS)
PLAIN = tuple(o for o in ROWS if o not in ("interval",))
NULL = Plot(_null, PLAIN)
POSTERIOR = Plot(_posterior, PLAIN)
LAYERS = Plot(_layers, ("roi", "metric", "colors", "labels", "title"))


def _always(plot: Plot) -> Callable[[set[str]], Plot]:
    return lambda columns: plot


def _several(**kinds: Plot) -> Callable[[set[str]], Plot]:
    """Figures by name; the first where none is asked for."""
    first = next(iter(kinds.values()))
    return _always(Plot(first.draw, (*first.options, "kind"), kinds))


def _power_of(columns: set[str]) -> Plot:
    if "n_equivalence" in columns:
        return Plot(other_kinds.needed, ("where", "order", "labels", "title"))
    return Plot(other_kinds.power, ("where", "target", "title"))


def _people_of(columns: set[str]) -> Plot:
    if "person_low" in columns:
        return Plot(_people, ("where", "order", "labels", "colors", "title"))
    return FOREST if {"bound_low", "conf_low"} <= columns else ESTIMATES


def _rank_of(columns: set[str]) -> Plot:
    if {"place_low"} <= columns or {"rank_low"} <= columns:
        return Plot(_ranks, PLAIN)
    if "estimate" in columns and "conf_low" in columns:
        return FOREST if "bound_low" in columns else ESTIMATES
    return Plot(_statistics, PLAIN)


def _parts(
    result: Any, ax: Axes | None, *, where: Any = None, labels: Any = None, colors: Any = None,
    outcome: str | None = None, title: str = "",
) -> Axes:  # fmt: skip
    """Parts of explained variance stacked; correlations and coefficients as rows, as they do not add up."""
    frame, _ = chosen(result.table, where)
    if not set(frame["part"]) <= {"unique", "shared", "added", "total"}:
        return _estimates(
            result, ax, where=where, labels=labels, colors=colors, outcome=outcome, title=title
        )
    words = labels or {}
    shades = {str(words.get(str(m), m)): c for m, c in (colors or {}).items()}
    named = {c: [str(words.get(str(v), v)) for v in frame[c]] for c in ("roi", "model")}
    said = str(result.info.outcome) if outcome is None else outcome
    return stacked_parts(frame.assign(**named), ax=ax, colors=shades, outcome=said, title=title)


def _tested(result: Any, ax: Axes | None, *, outcome: str | None = None, **options: Any) -> Axes:
    """What was tested, with its interval."""
    shown = replace(result, table=result.table.assign(estimate=result.table["tested"]))
    said = result.info.estimand if outcome is None else outcome
    return _estimates(shown, ax, outcome=said, **options)


# one row per kind that its columns alone do not say
KINDS: dict[str, Callable[[set[str]], Plot]] = {
    "noise_ceiling": _always(Plot(_ceiling, (*PLAIN, "points"))),
    "equivalence_set": _several(
        rows=FOREST,
        ranking=Plot(other_kinds.ranking, ("roi", "metric", "labels", "colors", "title")),
        matrix=Plot(other_kinds.set_matrix, ("where", "labels", "numbers", "title")),
    ),
    "rank": _rank_of,
    "strict_alignment": _several(
        decisions=Plot(_decided, ("where", "order", "labels", "colors", "title")),
        score_agreement=Plot(
            other_kinds.score_and_agreement, ("roi", "metric", "labels", "colors", "title")
        ),
    ),
    "design": _always(Plot(_checked, ("labels", "colors", "title"))),
    "agreement_sensitivity": _always(
        Plot(_sensitivity, ("term", "order", "labels", "colors", "title"))
    ),
    "alignment_patterns": _several(
        matrix=Plot(_matrix, ("model", "metric", "order", "labels", "numbers", "title")),
        lines=Plot(
            other_kinds.pattern_lines, ("roi", "metric", "order", "labels", "colors", "title")
        ),
    ),
    "pattern_identification": _always(Plot(_identified, ("model", "labels", "title"))),
    "agreement_test": _always(NULL),
    "matrix_agreement": _always(NULL),
    "margin_curve": _always(Plot(_margins, ("where", "order", "labels", "margin", "title"))),
    "power": _power_of,
    "influence": _always(Plot(_influence, ("term", "order", "labels", "title"))),
    "rope": _always(POSTERIOR),
    "bayes_lmm": _always(POSTERIOR),
    "brain_test": _people_of,
    "leaderboard_items": _always(Plot(other_kinds.items, ("where", "order", "labels", "title"))),
    "leaderboard_responses": _always(
        Plot(other_kinds.items, ("where", "order", "labels", "title"))
    ),
    "leaderboard_missing": _always(
        Plot(other_kinds.shifted, ("where", "order", "labels", "title"))
    ),
    "leaderboard": _always(Plot(_board, ("where", "order", "labels", "title"))),
    "layer_agreement": _always(LAYERS),
    "unique_variance": _several(
        stacked=Plot(_parts, ("where", "labels", "colors", "outcome", "title")), rows=ESTIMATES
    ),
    "unique_test": _always(Plot(_tested, (*PLAIN,))),
    "rdm_evaluation": lambda columns: LAYERS if "layer" in columns else ESTIMATES,
}
