"""Sections of results along something: margins, layers, posterior intervals, terms of different units, planning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd

from apastats import plots
from apastats.plots.drawn_rows import row_names
from apastats.plots.sheet import sheet
from apastats.reporting.blocks import Block, FigureBlock, Paragraph
from apastats.reporting.markup import name
from apastats.reporting.panels import FIRST, any_figures, cells_of, split_metrics
from apastats.reporting.phrases import counted, term_words
from apastats.reporting.tables import quantity_words, table_block

__all__ = [
    "difference_figures", "layer_figures", "margin_blocks", "null_figures", "planning_figures", "posterior_blocks",
    "term_figures",
]  # fmt: skip

MARGINS = ("margin_equivalent", "margin_noninferior", "margin_nonsuperior", "margin_minimal_effect")
MAX_ROWS = 200


def _figure(
    context: Any, slug: str, caption: str, alt: str, make: Callable[[], Any], data: pd.DataFrame
) -> FigureBlock:
    return FigureBlock(context.slug(f"figure-{slug}"), caption, alt, make, data, 4 * len(data))


def margin_blocks(result: Any, context: Any, title: str) -> list[Block]:
    """Decision against margin, a panel per ROI, and the smallest margin of each claim."""
    table = result.table
    smallest = table.drop_duplicates(
        [c for c in table.columns if c in ("roi", "metric", "contrast")]
    )
    words = [c for c in ("roi", "metric", "contrast", "estimate", *MARGINS) if c in table.columns]
    out: list[Block] = []
    for label, where in split_metrics(table):
        part = table.iloc[where].reset_index(drop=True)
        tail = f", {name(label)}" if label else ""
        out.append(
            _figure(
                context,
                f"margin-decisions-{label}",
                f"What would be concluded at each margin{tail}. Symbols are the smallest margin at which each claim "
                "would hold; one at 0 would hold at any margin. Single tests, not adjusted.",
                f"Strips of decisions over margins for {part['contrast'].nunique()} contrasts.",
                partial(_margin_grid, part),
                part,
            )
        )
    caption = f"{title}: smallest margin at which each claim would hold, and largest at which a minimal effect would."
    return [
        *out,
        table_block(
            context.slug("table-smallest-margins"),
            caption,
            smallest[words].reset_index(drop=True),
            context.style,
        ),
    ]


def _margin_grid(part: pd.DataFrame, axis: str = "margin") -> Any:
    cells = cells_of(part)
    versus = "reference" in part.columns and all(
        part.iloc[w]["reference"].nunique() == 1 for _, w in cells
    )
    rows = "model" if versus else "contrast"

    def draw(ax: Any, i: int) -> None:
        cell, where = cells[i]
        shown = part.iloc[where]
        heading = plots.label(cell.get("roi", ""))
        if versus and heading:
            heading = f"{heading}: minus {plots.label(shown['reference'].iloc[0])}"
        plots.margin_decisions(shown, ax=ax, rows=rows, show_legend=False, title=heading)

    # the contrasts differ from ROI to ROI, so every panel names its own
    return sheet(len(cells), draw, x_label=axis, panel_width=2.8, first=FIRST, own_names=True)


def posterior_blocks(result: Any, context: Any, title: str) -> list[Block]:
    """Posterior intervals with the region shaded, and what the chains' gates say."""
    table = result.table
    named = next((c for c in ("contrast", "term", "model") if c in table.columns), None)
    if named is None or not {"estimate", "conf_low", "conf_high"} <= set(table.columns):
        return []
    out: list[Block] = []
    if "passed" in table.columns:
        failed = [str(t) for t in table.loc[~table["passed"].astype(bool), named]]
        if failed:
            formula = result.info.formula
            shown = ", ".join(name(term_words(t, formula)) for t in failed[:10])
            more = f" and {len(failed) - 10} more" if len(failed) > 10 else ""
            text = (
                f"{len(failed)} of {len(table)} quantities fail a gate of convergence and may not be "
                f"used: {shown}{more}."
            )
            out.append(Paragraph(text, "caution"))
        else:
            out.append(Paragraph(f"All {len(table)} quantities pass the gates of convergence."))
    coefficients = result.arrays.get("coefficients")
    part = table if coefficients is None else table.iloc[: coefficients.shape[-1]]
    # the intercept lies elsewhere than the effects and would flatten them
    effects = part[~part[named].astype(str).isin(["Intercept", "(Intercept)"])]
    shown_rows = (effects if len(effects) else part).pipe(lambda t: t[t["estimate"].notna()])
    shown_rows = shown_rows.head(MAX_ROWS).reset_index(drop=True)
    if shown_rows.empty:
        return out
    region = {"bound_low", "bound_high"} <= set(table.columns)
    tail = "; the region of practical equivalence is shaded" if region else ""
    rest = "" if len(shown_rows) == len(table) else " Other quantities are in the table only."
    out.append(
        _figure(
            context,
            f"posterior-{title}",
            f"{title}: posterior estimates with {_level(table)} intervals{tail}.{rest}",
            f"Posterior intervals of {counted(len(shown_rows), 'coefficient')}{tail}.",
            lambda: plots.posterior(shown_rows, rows=named, outcome="posterior").figure,
            shown_rows,
        )
    )
    return out


def _level(table: pd.DataFrame) -> str:
    return (
        f"{100 * float(table['conf_level'].iloc[0]):g}\u00a0%"
        if "conf_level" in table.columns
        else "credible"
    )


def layer_figures(result: Any, context: Any, title: str) -> list[Block]:
    """A curve over the layers for each model, a panel per ROI, with the brain's level or the ceiling."""
    table = result.table
    agreement = "depth" in table.columns
    if not {"model", "layer", "estimate"} <= set(table.columns):
        return []
    out: list[Block] = []
    for label, where in split_metrics(table):
        part = table.iloc[where].reset_index(drop=True)
        if not agreement:
            part["position"] = part.groupby(
                ["model", *(c for c in ("roi",) if c in part)], sort=False
            ).cumcount()
            if part["position"].max() == 0:
                continue
        cells = cells_of(part)

        def draw(ax: Any, i: int, part: pd.DataFrame = part, cells: Any = cells) -> None:
            cell, rows = cells[i]
            shown = part.iloc[rows]
            extra: dict[str, Any] = {}
            if "brain" in shown.columns and shown["brain"].notna().any():
                extra["level"] = float(shown["brain"].dropna().iloc[0])
            if {"ceiling_lower", "ceiling_upper"} <= set(shown.columns):
                extra["band"] = (
                    float(shown["ceiling_lower"].iloc[0]),
                    float(shown["ceiling_upper"].iloc[0]),
                )
            plots.layer_curves(
                shown,
                ax=ax,
                x="depth" if agreement else "position",
                x_label="depth (0 first, 1 last layer)" if agreement else "layer",
                outcome="agreement" if agreement else "similarity",
                colors=context.colors,
                title=plots.label(cell.get("roi", "")),
                **extra,
            )
            ax.whole = not agreement

        tail = f", {name(label)}" if label else ""
        what = (
            "agreement of every layer with the brain"
            if agreement
            else "mean similarity of every layer"
        )
        mark = (
            "bands are intervals over subjects, the dashed line is the brain's own agreement"
            if agreement
            else "the grey band is the noise ceiling"
        )
        out.append(
            _figure(
                context,
                f"layers-{title}-{label}",
                f"{title}{tail}: {what}, a line per model; {mark}.",
                f"Curves over layers for {counted(part['model'].nunique(), 'model')} in "
                f"{counted(len(cells), 'panel')}.",
                partial(sheet, len(cells), draw, panel_width=2.4, inner=1.7),
                part,
            )
        )
    return out


def term_figures(result: Any, context: Any, title: str) -> list[Block]:
    """A panel per term, since terms have units of their own."""
    table = result.table
    if (
        not {"term", "estimate", "conf_low", "conf_high"} <= set(table.columns)
        or len(table) > MAX_ROWS
    ):
        return []
    terms = [t for t, p in table.groupby("term", sort=False) if p["estimate"].notna().any()]
    if "roi" not in table.columns:
        caption = f"{title}: estimates with intervals, each quantity on its own scale."
        alt = f"Points with intervals for {counted(len(terms), 'kind')} of estimates."
        plain = table[table["term"].isin(terms)].assign(_row="").reset_index(drop=True)
        if plain["term"].duplicated().any():
            return []
        make_one = partial(_term_panels, plain, terms, [""])
        return [_figure(context, f"terms-{title}", caption, alt, make_one, table)]
    frame = table.assign(_row=row_names(table, "roi"))
    rows = list(dict.fromkeys(frame["_row"]))
    if not terms or frame.duplicated(["term", "_row"]).any():
        return []

    def make() -> Any:
        return _term_panels(frame, terms, rows)

    caption = f"{title}: estimates with intervals, a panel per quantity, each on its own scale."
    alt = f"Points with intervals for {counted(len(terms), 'kind')} of estimates."
    return [_figure(context, f"terms-{title}", caption, alt, make, table)]


def _term_panels(frame: pd.DataFrame, terms: Sequence[Any], rows: Sequence[str]) -> Any:
    """A panel per quantity, each on a scale of its own."""

    def draw(ax: Any, i: int) -> None:
        part = frame[frame["term"] == terms[i]].set_index("_row").reindex(rows).reset_index()
        heading = quantity_words(str(terms[i])).replace("_", " ")
        plots.estimates(part, ax=ax, rows="_row", outcome="", title=plots.label(heading))
        ax.x_limits = ax.extent("x")

    return sheet(len(terms), draw, x_label="value of the quantity above", shared_x=False)


def _null_figure(part: pd.DataFrame) -> Any:
    """Figure of observed values against their null."""
    return plots.against_null(part, outcome="agreement").figure


def null_figures(result: Any, context: Any, title: str) -> list[Block]:
    """Agreement of each ROI against its null distribution."""
    out: list[Block] = []
    for label, where in split_metrics(result.table):
        part = result.table.iloc[where].reset_index(drop=True)
        tail = f", {name(label)}" if label else ""
        out.append(
            _figure(
                context,
                f"null-{title}-{label}",
                f"{title}{tail}: observed, and mean and two standard deviations of the null distribution.",
                f"{len(part)} observed values against their null distributions.",
                partial(_null_figure, part),
                part,
            )
        )
    return out


def difference_figures(result: Any, context: Any, title: str) -> list[Block]:
    """Agreement minus that under the null, with the interval of this difference, a panel per ROI."""
    table = result.table
    if not {"difference", "conf_low", "conf_high", "model", "roi"} <= set(table.columns):
        return []
    if table["conf_low"].isna().all():
        return []
    return any_figures(
        result, context, "agreement", value="difference", what_is="minus null", lead=title
    )


def planning_figures(result: Any, context: Any, title: str) -> list[Block]:
    """Shares of simulated studies over n, or the subjects each contrast would need."""
    table, columns = result.table, set(result.table.columns)
    if {"n_equivalence", "n_difference", "contrast"} <= columns:
        shown = table.assign(_row=row_names(table, "contrast")).head(MAX_ROWS)
        return [
            _figure(
                context,
                f"needed-{title}",
                f"{title}: subjects with which each contrast would be decided. Rows without a mark would not be "
                "decided by any number of subjects.",
                f"Numbers of subjects for {len(shown)} contrasts.",
                lambda: plots.subjects_needed(shown, rows="_row").figure,
                table,
            )
        ]
    if {"n", "term", "estimate"} <= columns and table["n"].nunique() > 1:
        # some shares are power, others rates of error: the name of each says which
        shown = table.assign(
            power=table["estimate"], term=table["term"].str.replace("_", " ", regex=False)
        )

        def make() -> Any:
            ax = plots.power_curve(shown[["n", "term", "power"]], x="n", by=["term"], target=None)
            ax.set_ylabel("share of simulated studies")
            return ax.figure

        caption = f"{title}: share of simulated studies (or of their pairs) against the number of subjects."
        return [
            _figure(context, f"shares-{title}", caption, "Curves of shares over n.", make, table)
        ]
    return []
