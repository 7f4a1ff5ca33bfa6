"""Figures of a page to hover, search and export: Vega-Lite beside the static ones (extra ``interactive``)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import pandas as pd

from apastats.errors import MissingExtraError
from apastats.reporting.blocks import FigureBlock

__all__ = ["chart_json", "runtime"]

MAX_MARKS = 5000  # rows, or cells of a matrix; a chart of more is slow in the browser
_INTERVAL = ("estimate", "conf_low", "conf_high")
_PLACE = ("place", "place_low", "place_high")
_LABELS = ("contrast", "model", "roi", "metric", "split", "layer", "bound")
# rows whose name holds what is typed
_FOUND = "indexof(lower(datum.label), lower(search)) >= 0"
_WIDTH = 480  # of the axes; a narrow screen scrolls
_TEXT = "currentColor"  # of the page, light or dark


def runtime() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that loads nothing.

    Raises
    ------
    MissingExtraError
        Without ``altair`` and ``vl-convert-python``.
    """
    _altair()
    try:
        import vl_convert
    except ImportError as error:
        raise MissingExtraError("vl-convert-python", "interactive") from error
    # its stub asks for a snippet, which it does not need
    found: str = cast(Any, vl_convert).javascript_bundle()
    return found


def chart_json(block: FigureBlock) -> str | None:
    """Specification of the chart of a figure, safe inside a script element; None where a figure has none.

    Forests (an estimate with its interval), places of a leaderboard and matrices of models by regions have one.
    """
    make = _kind(block)
    if make is None or not 0 < block.data.size <= MAX_MARKS * 12:
        return None
    spec = _finished(make(block.data)).to_dict()
    return json.dumps(spec, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _altair() -> Any:
    try:
        import altair
    except ImportError as error:
        raise MissingExtraError("altair", "interactive") from error
    return altair


def _kind(block: FigureBlock) -> Callable[[pd.DataFrame], Any] | None:
    columns = set(block.data.columns)
    others = block.data.drop(columns="model", errors="ignore")
    if "model" in columns and not columns.intersection((*_INTERVAL, *_PLACE, *_LABELS[2:])):
        # a wide table: models by regions
        numeric = all(pd.api.types.is_numeric_dtype(others[c]) for c in others)
        return _matrix if numeric and 0 < others.size <= MAX_MARKS else None
    if len(block.data) > MAX_MARKS:
        return None
    if columns.issuperset(_PLACE):
        return _places
    if columns.issuperset(_INTERVAL) and columns.intersection(_LABELS):
        return _forest
    return None


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with None where a number is missing, and a row number that keeps their order."""
    clean: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", double_precision=10))
    return clean


def _field(name: str) -> str:
    """A column as a field: dots and brackets are paths to Vega."""
    return name.replace("\\", "\\\\").replace(".", "\\.").replace("[", "\\[").replace("]", "\\]")


def _tooltip(frame: pd.DataFrame) -> list[Any]:
    alt = _altair()
    shown = [c for c in frame.columns if c != "label"]
    return [
        alt.Tooltip(
            field=_field(str(c)),
            type="quantitative" if pd.api.types.is_float_dtype(frame[c]) else "nominal",
            title=str(c),
            **({"format": ".4~g"} if pd.api.types.is_float_dtype(frame[c]) else {}),
        )
        for c in shown
    ]


def _labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows with a text that names them: their contrast or model, and the labels that vary."""
    first = "contrast" if "contrast" in frame.columns else "model"
    names = [c for c in _LABELS if c in frame.columns and (c == first or frame[c].nunique() > 1)]
    if first == "contrast" and "model" in names:
        names.remove("model")
    text = frame[names].astype(str).agg(" · ".join, axis=1)
    return frame.assign(label=text)


def _forest(data: pd.DataFrame) -> Any:
    alt = _altair()
    frame = _labelled(data.dropna(subset=["estimate"]))
    y = alt.Y("label", type="nominal", sort=None, title=None, axis=alt.Axis(labelLimit=260))
    colour = "decision" if "decision" in frame.columns else "model"
    base = alt.Chart(alt.Data(values=_records(frame))).transform_filter(_FOUND).encode(y=y)
    layers = []
    if {"bound_low", "bound_high"} <= set(frame.columns) and frame["bound_low"].notna().any():
        layers.append(
            base.mark_bar(opacity=0.15, color="#56b4e9").encode(
                x=alt.X("bound_low", type="quantitative", title=None), x2="bound_high"
            )
        )
    shades = alt.Color(colour, type="nominal", title=colour) if colour in frame.columns else None
    extra = {"color": shades} if shades is not None else {}
    layers += [
        base.mark_rule(strokeWidth=2).encode(
            x=alt.X("conf_low", type="quantitative", title=None), x2="conf_high", **extra
        ),
        base.mark_circle(size=60, opacity=1).encode(
            x=alt.X("estimate", type="quantitative", title="estimate"),
            tooltip=_tooltip(frame),
            **extra,
        ),
    ]
    return alt.layer(*layers)


def _places(data: pd.DataFrame) -> Any:
    alt = _altair()
    frame = _labelled(data)
    y = alt.Y("label", type="nominal", sort=None, title=None, axis=alt.Axis(labelLimit=260))
    base = alt.Chart(alt.Data(values=_records(frame))).transform_filter(_FOUND).encode(y=y)
    return alt.layer(
        base.mark_rule(strokeWidth=2).encode(
            x=alt.X("place_low", type="quantitative", title=None), x2="place_high"
        ),
        base.mark_circle(size=60, opacity=1).encode(
            x=alt.X("place", type="quantitative", title="place (1 is the best)"),
            tooltip=_tooltip(frame),
        ),
    )


def _matrix(data: pd.DataFrame) -> Any:
    alt = _altair()
    rois = [str(c) for c in data.columns if c != "model"]
    long = data.rename(columns=str).melt("model", var_name="region", value_name="value")
    long = long.assign(label=long["model"].astype(str) + " · " + long["region"])
    return (
        alt.Chart(alt.Data(values=_records(long)))
        .transform_filter(_FOUND)
        .mark_rect()
        .encode(
            x=alt.X("region", type="nominal", sort=rois, title=None),
            y=alt.Y("model", type="nominal", sort=None, title=None),
            color=alt.Color("value", type="quantitative", scale=alt.Scale(scheme="cividis")),
            tooltip=_tooltip(long),
        )
    )


def _finished(chart: Any) -> Any:
    """Search, a row of a legible height, texts in the colour of the page."""
    alt = _altair()
    search = alt.param(
        name="search",
        value="",
        bind=alt.binding(input="search", name="Search ", placeholder="name"),
    )
    text = {k: _TEXT for k in ("labelColor", "titleColor", "domainColor", "tickColor")}
    return (
        chart.add_params(search)
        .properties(width=_WIDTH, height=alt.Step(18), background="transparent")
        .configure_axis(gridOpacity=0.3, **text)
        .configure_legend(labelColor=_TEXT, titleColor=_TEXT, orient="bottom")
        .configure_view(stroke=None)
    )
