"""Figures of fitted models and of any table whose columns a plot can use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from apastats import plots
from apastats.plots.drawn_rows import row_names
from apastats.plots.matrix import decision_signs, signs_sheet
from apastats.plots.sheet import Sheet, alone, sheet
from apastats.reporting.blocks import Block, FigureBlock
from apastats.reporting.markup import name
from apastats.reporting.panels import MAX_PANELS, cells_of, split_metrics
from apastats.reporting.panels import MAX_ROWS as FOREST_ROWS
from apastats.reporting.phrases import counted, named_terms, noun_of
from apastats.reporting.row_prose import setting_words

__all__ = [
    "column_figures",
    "component_frame",
    "model_figures",
    "sensitivity_figures",
    "set_figures",
]

MAX_ROWS = 80


def source_words(parts: Iterable[str]) -> str:
    """A variance component, factor and effect, by its factor; a slope keeps its name."""
    return " ".join(p for p in parts if p and p != "(Intercept)").replace(":", " \u00d7 ")


def component_frame(result: Any) -> pd.DataFrame | None:
    """Variance components kept in a result."""
    names, arrays = result.info.get("components"), result.arrays
    if (
        not names
        or not {"variance", "share"} <= set(arrays)
        or len(names) != len(arrays["variance"])
    ):
        return None
    return pd.DataFrame(
        {
            "group": [source_words(n) for n in names],
            "variance": arrays["variance"],
            "share": arrays["share"],
        }
    )


def model_figures(result: Any, context: Any) -> list[Block]:
    """Variance components, and the residuals' quantiles and spread."""
    out: list[Block] = []
    components = component_frame(result)
    if components is not None:
        shown = components[components["share"].notna()]
        out.append(
            FigureBlock(
                context.slug("figure-components"),
                "Share of each source in the variance of a single value.",
                f"Bars of {len(shown)} variance components.",
                lambda: alone(lambda ax: plots.variance_components(shown, ax=ax)),
                shown,
                len(shown),
            )
        )
    residual, fitted = result.arrays.get("residual"), result.arrays.get("fitted")
    if residual is not None and fitted is not None and len(residual) == len(fitted):

        def make() -> Any:
            def draw(ax: Any, i: int) -> None:
                if i:
                    title = "Residuals and fitted values"
                    plots.residuals(fitted, residual, ax=ax, title=title)
                else:
                    plots.qq(residual, ax=ax, title="Normal quantiles")

            return sheet(2, draw, inner=2.6, shared_x=False, shared_y=False)

        out.append(
            FigureBlock(
                context.slug("figure-residuals"),
                "Standardised residuals against normal quantiles (left) and against fitted values (right).",
                f"Two scatter plots of {len(residual)} residuals.",
                make,
                pd.DataFrame({"fitted": fitted, "residual": residual}),
                2 * len(residual),
            )
        )
    return out


def column_figures(result: Any, context: Any, title: str) -> list[Block]:
    """The figures that the columns of a table allow."""
    table, columns = named_terms(result), set(result.table.columns)
    if not len(table) or len(table) > MAX_ROWS:
        return []
    named = next((c for c in ("contrast", "model", "term", "roi") if c in columns), None)
    out: list[Block] = []

    def add(what: str, caption: str, make: Any) -> None:
        alt = (
            f"{caption} {counted(len(table), 'row')}; the numbers are in the table of this section."
        )
        out.append(
            FigureBlock(
                context.slug(f"figure-{title}-{what}"),
                f"{title}: {caption}",
                alt,
                make,
                table,
                len(table) * 4,
            )
        )

    if "power" in columns or result.kind == "power":
        add("power", "power against sample size.", lambda: plots.power_curve(table).figure)
    elif "margin" in columns and columns & {
        "p_value_equiv",
        "p_value_equiv_adjusted",
        "n_equivalent",
        "share",
    }:
        add(
            "margin",
            "what would be concluded at each margin.",
            lambda: plots.margin_curve(table).figure,
        )
    elif named is not None and {"estimate", "conf_low", "conf_high"} <= columns:
        frame = table.assign(_row=row_names(table, named))
        if named == "contrast":
            frame["_row"] = [str(r).replace(" - ", " \u2212 ") for r in frame["_row"]]
        if {"bound_low", "bound_high"} <= columns:
            add(
                "forest",
                "estimates with intervals and the margin (shaded).",
                lambda: alone(lambda ax: plots.forest(frame, ax=ax, rows="_row")),
            )
        else:
            add(
                "estimates",
                "estimates with intervals.",
                lambda: alone(
                    lambda ax: plots.estimates(
                        frame,
                        ax=ax,
                        rows="_row",
                        outcome="estimate",
                        colors={
                            r: context.colors.get(str(m), "#0072b2")
                            for r, m in zip(frame["_row"], frame[named], strict=True)
                        },
                    ),
                ),
            )
    if named is not None and {"rank_low", "rank_high"} <= columns:
        ranked = table.assign(_row=row_names(table, named))
        add(
            "ranks",
            "ranks with their intervals.",
            lambda: alone(lambda ax: plots.rank_intervals(ranked, ax=ax, rows="_row")),
        )
    if named is not None and "letters" in columns:
        lettered = table.assign(_row=row_names(table, named))
        add(
            "letters",
            "compact letters; a shared letter says that no difference was shown, which is not equivalence.",
            lambda: plots.letters(lettered, rows="_row").figure,
        )
    return out


def sensitivity_figures(result: Any, context: Any) -> list[Block]:
    """Decision of each ROI under each analysis."""
    decisions = result.decisions()
    if not len(decisions):
        return []
    ways = [
        setting_words(what, value, article=False) if what else "analysis stated"
        for what, value in zip(
            result.arrays["decision_what"], result.arrays["decision_value"], strict=True
        )
    ]
    decisions = decisions.assign(analysis=ways)
    caption = "How the models compare with the brain in each ROI when one choice of the analysis is changed."
    alt = f"Signs of {len(decisions)} decisions by ROI and analysis."
    return [
        FigureBlock(
            context.slug("figure-sensitivity"),
            caption,
            alt,
            lambda: _signs(decisions, "roi", "analysis"),
            decisions,
            len(decisions),
        )
    ]


def _signs(frame: pd.DataFrame, rows: str, columns: str) -> Sheet:
    """Decisions as signs."""
    names, ways = (list(map(str, dict.fromkeys(frame[c]))) for c in (rows, columns))
    x = "ROI" if columns == "roi" else ""
    return signs_sheet(names, ways, decision_signs(frame, rows, columns), x=x)


def set_figures(result: Any, context: Any, title: str) -> list[Block]:
    """Which models are in the set of which ROI."""
    table = result.table
    if not {"model", "roi", "decision"} <= set(table.columns):
        return []
    out: list[Block] = []
    for label, where in split_metrics(table):
        if len(where) > FOREST_ROWS and table["roi"].nunique() > MAX_PANELS:
            continue  # drawn in place of the intervals
        part = table.iloc[where][["model", "roi", "decision"]].reset_index(drop=True)
        if part.duplicated(["model", "roi"]).any():
            return []

        def make(part: pd.DataFrame = part) -> Any:
            return _signs(part, "model", "roi")

        tail = f", {name(label)}" if label else ""
        out.append(
            FigureBlock(
                context.slug(f"figure-{title}-{label}"),
                f"{title}{tail}: the decision on each {noun_of(result)} in each ROI.",
                f"Signs of {len(part)} decisions, {noun_of(result)}s by ROIs.",
                make,
                part,
                len(part),
            )
        )
    return out


def place_figures(result: Any, context: Any, title: str) -> list[Block]:
    """Places of the models with their intervals, a panel per ROI."""
    table = result.table.rename(
        columns={"place": "rank", "place_low": "rank_low", "place_high": "rank_high"}
    )
    cells = cells_of(table)
    if "model" not in table.columns or any(
        table["model"].iloc[w].duplicated().any() for _, w in cells
    ):
        return []
    models = list(dict.fromkeys(table["model"]))

    def make() -> Any:
        def draw(ax: Any, i: int) -> None:
            cell, where = cells[i]
            part = table.iloc[where].set_index("model").reindex(models).reset_index()
            heading = plots.label(cell.get("roi", ""))
            axis = "place (1 is the best)"
            plots.rank_intervals(part, ax=ax, colors=context.colors, outcome=axis, title=heading)

        return sheet(len(cells), draw)

    return [
        FigureBlock(
            context.slug(f"figure-{title}-places"),
            f"{title}: places with their intervals; 1 is the best.",
            f"Intervals of the places of {counted(len(models), 'model')} in {counted(len(cells), 'cell')}.",
            make,
            table,
            4 * len(table),
        )
    ]
