"""Verdicts of results that tests do not decide: curves over layers, changed analyses, means, ranks, maps, parts."""

from __future__ import annotations

from typing import Any

import pandas as pd

from apastats.plots.style import metric_words
from apastats.reporting.markup import name, sym
from apastats.reporting.numbers import NumberStyle
from apastats.reporting.phrases import (
    adjusted,
    ceiling_words,
    counted,
    joined,
    named_terms,
    noun_of,
    quoted,
)
from apastats.reporting.tables import scale_decimals

__all__ = [
    "along_layers", "ceiling", "ends", "fitted", "marginal", "of_map", "of_parts", "of_ranks", "of_sensitivity",
    "of_tested_parts", "posterior", "reliability", "under_ceiling",
]  # fmt: skip


def ends(table: pd.DataFrame, style: NumberStyle, *, of: str = "roi") -> str:
    """``0.21 in MT to 0.52 in LO1``; for rows that have no region, by whose it is."""
    d = scale_decimals(table, style)
    known = table[table["estimate"].notna()]
    low, high = (known.loc[known["estimate"].agg(e)] for e in ("idxmin", "idxmax"))
    several = "metric" in known.columns and known["metric"].nunique() > 1

    def place(row: Any) -> str:
        measure = f" ({name(metric_words(str(row['metric'])))})" if several else ""
        if of not in known.columns:
            return measure
        word = " in" if of == "roi" else " for"
        return f"{word} {name(row[of])}{measure}"

    if len(known) == 1 or low.name == high.name:
        return f"{style.number(low['estimate'], d)}{place(low)}"
    if style.number(low["estimate"], d) == style.number(high["estimate"], d):
        return style.number(low["estimate"], d)
    first, last = (f"{style.number(r['estimate'], d)}{place(r)}" for r in (low, high))
    return f"{first} to {last}"


def along_layers(result: Any, style: NumberStyle) -> str:
    """How often the best layer of a model reaches the brain."""
    table = result.table
    cells = ["model", *(c for c in ("roi", "metric", "split") if c in table.columns)]
    best = table[table["estimate"].notna()]
    if best.empty:
        return ""
    best = best.loc[best.groupby(cells, sort=False)["estimate"].idxmax()]
    known = best[best["brain"].notna()]
    if known.empty:
        return f"At the best layer of each model, mean agreement ranged from {ends(best, style)}."
    below, n = int((known["estimate"] < known["brain"]).sum()), len(known)
    where = "combinations of " + joined([_column(c, known) for c in cells if _varies(c, known)])
    of = f"{n} {where}" if n > 1 else "1 comparison"
    return (
        f"At its best layer, the mean agreement of a model lay below the brain's own in {below or 'none'} of {of}; "
        "best layers were chosen on the same data, which favours the models."
    )


def _varies(column: str, table: pd.DataFrame) -> bool:
    return column in ("model", "roi") or table[column].nunique() > 1


def _column(column: str, table: pd.DataFrame) -> str:
    return {"roi": "ROI", "metric": "measure"}.get(column, column)


def of_sensitivity(result: Any, style: NumberStyle) -> str:
    """In how many regions every model is below the brain under the changed analyses, and the order of models."""
    table = result.table
    changed = table[table["what"] != "baseline"]
    n = changed[["what", "analysis"]].drop_duplicates().shape[0]
    if not n:
        return ""
    below, order = (
        changed[changed["term"] == t]["estimate"].dropna()
        for t in ("n_roi_below", "rank_correlation")
    )
    stated = table[(table["what"] == "baseline") & (table["term"] == "n_roi_below")]["estimate"]
    told = []
    rois = result.decisions()["roi"].nunique()
    if len(below) and len(stated):
        first, least, most = int(stated.iloc[0]), int(below.min()), int(below.max())
        span = str(most or "none") if least == most else f"{least or 'none'} to {most}"
        same = least == most == first
        beside = (
            "as in the analysis stated" if same else f"{first or 'none'} in the analysis stated"
        )
        told.append(f"every model was below the brain in {span} of {rois} ROIs ({beside})")
    if len(order):
        d = 2
        low, high = style.number(order.min(), d), style.number(order.max(), d)
        told.append(
            f"the order of the models correlated with that of the analysis stated by {low}"
            + (f" to {high}" if low != high else "")
        )
    if not told:
        return ""
    ways = "the one changed analysis" if n == 1 else f"the {n} changed analyses"
    return f"Under {ways}, {joined(told)}."


def of_parts(result: Any, style: NumberStyle) -> str:
    """What all models explain together, and which explains most alone."""
    table = result.table
    total = table[(table["part"] == "total") & table["estimate"].notna()]
    alone = table[table["part"].isin(["unique", "added"]) & table["estimate"].notna()]
    d = scale_decimals(table, style)
    if total.empty or alone.empty:
        known = table[table["estimate"].notna()]
        of = {
            "semipartial": "Semipartial correlations",
            "partial": "Partial correlations",
            "coefficient": "Standardised coefficients",
        }.get(str(known["part"].iloc[0]) if len(known) else "", "")
        return f"{of} {_spread(known, style, 'model')}." if of else ""
    best = alone.loc[alone.groupby("roi", sort=False)["estimate"].idxmax()]
    added = "added" in set(alone["part"])
    word = "added most" if added else "explained most"
    of = result.info.get("parts_of", "models")
    first = f"All {of} together explained a share of the variance of {ends(total, style)}"
    if len(best) > 3:
        counts = best["model"].astype(str).value_counts()
        told = [f"{name(counts.index[0])} {word} in {counts.iloc[0]} of {len(best)} ROIs"]
    else:
        told = []
        for model, part in best.groupby("model", sort=False):
            places = [
                f"{name(r['roi'])} ({style.number(r['estimate'], d)})"
                for r in part.to_dict(orient="records")
            ]
            told.append(f"{name(model)}{'' if told else f' {word}'} in {joined(places)}")
    return f"{first}; {'to those before it' if added else 'uniquely'}, {joined(told)}."


TESTED = {
    "adds something": "that it adds something",
    "adds more": "that it adds more than the margin",
    "adds less": "that it adds less than the margin",
}
ALSO = {"adds something, less than the margin": "adds something"}  # counted with it


def of_tested_parts(result: Any, style: NumberStyle) -> str:
    """How many tests showed that a model adds something."""
    table = result.table
    own = table[table["part"] != "total"]
    own = own if len(own) else table
    counts = own["decision"].astype(str).replace(ALSO).value_counts()
    n = len(own)
    parts = [f"{counts[k]} {said}" for k, said in TESTED.items() if k in counts]
    if parts:
        parts[0] = parts[0].replace(" ", " showed ", 1)
    parts += [f"{counts['undecided']} stayed undecided"] if "undecided" in counts else []
    one = result.info.get("parts_of", "models")[:-1]
    return f"Of {counted(n, 'test')} of what a {one} adds to the others, {joined(parts)}."


def under_ceiling(result: Any, style: NumberStyle) -> str:
    """How many estimates were shown to lie below the ceiling."""
    table = result.table
    tested = table["p_below"].dropna()
    if tested.empty:
        return ""
    alpha = result.info.alpha or 0.05
    n = int((tested <= alpha).sum())
    limit = f"one-sided {sym('p')} \u2264 {style.level(alpha)}, not adjusted"
    of = counted(len(tested), f"{noun_of(result)} mean")
    return f"Of {of}, {n or 'none'} {'was' if n == 1 else 'were'} shown to lie below the noise ceiling ({limit})."


def fitted(result: Any, style: NumberStyle) -> str:
    """Range of the similarity of models and brain, over regions and layers."""
    table = result.table
    known = table[table["estimate"].notna()]
    if known.empty or "model" not in known.columns:
        return ""
    d = scale_decimals(known, style)
    if (
        known[["model", *(c for c in ("layer",) if c in known.columns)]].drop_duplicates().shape[0]
        == 1
    ):
        return f"Similarity to the brain {_spread(known, style)}."
    if "roi" not in known.columns:
        top = known.loc[known["estimate"].idxmax()]
        return f"Similarity to the brain was highest for {_who(top, known)} ({style.number(top['estimate'], d)})."
    best = known.loc[known.groupby("roi", sort=False)["estimate"].idxmax()]
    if len(best) > 3:
        counts = best["model"].astype(str).value_counts()
        return (
            f"Similarity to the brain was highest most often for {name(counts.index[0])} ({counts.iloc[0]} of "
            f"{len(best)} ROIs); the highest ranged from {ends(best, style)}."
        )
    told: dict[str, list[str]] = {}
    for r in best.to_dict(orient="records"):
        told.setdefault(_who(r, known), []).append(
            f"{name(r['roi'])} ({style.number(r['estimate'], d)})"
        )
    return f"Similarity to the brain was highest {joined([f'for {m} in {joined(p)}' for m, p in told.items()])}."


def _who(row: Any, table: pd.DataFrame) -> str:
    layers = "layer" in table.columns and str(row["layer"]) not in ("-", "", "nan", "None")
    return quoted(str(row["model"])) + (f" at {name(row['layer'])}" if layers else "")


def marginal(result: Any, style: NumberStyle) -> str:
    """Between what the estimates lie."""
    table = result.table
    known = table[table["estimate"].notna()] if "estimate" in table.columns else table[:0]
    if len(known) < 2:
        return ""
    first = [c for c in known.columns[: list(known.columns).index("estimate")] if c != "term"]
    varied = [c for c in first if known[c].nunique() > 1]
    of = next((c for c in varied if not pd.api.types.is_numeric_dtype(known[c])), "")
    several = len(varied) > 1
    span = _spread(known, style, "" if several else of).replace("was ", "were ", 1)
    return f"{'Slopes' if result.info.get('trend') else 'Marginal means'} {span}."


def of_ranks(result: Any, style: NumberStyle) -> str:
    """In how many cells the models differ, or which is placed first."""
    table, info = result.table, result.info
    alpha = info.alpha or 0.05
    if "place_low" in table.columns:
        first = table[table["place"] == 1]
        cells = [c for c in ("roi", "metric") if c in table.columns]
        n = table[cells].drop_duplicates().shape[0] if cells else 1
        counts = first["model"].astype(str).value_counts()
        if n == 1:
            return f"By mean score, {joined([name(m) for m in counts.index])} came first."
        of = "ROIs" if cells == ["roi"] else "combinations of ROI and measure"
        return f"By mean score, {name(counts.index[0])} came first most often ({counts.iloc[0]} of {n} {of})."
    if "p_value" not in table.columns:
        return ""
    known = table["p_value"].dropna()
    n, shown = len(known), int((known <= alpha).sum())
    limit = f"{'adjusted ' if adjusted(info) else ''}{sym('p')} \u2264 {style.level(alpha)}"
    if "different" in table.columns:
        return f"Of {counted(n, 'comparison')} of mean ranks, {shown or 'none'} showed a difference ({limit})."
    limit += "" if adjusted(info) else ", not adjusted"
    if "roi" in table.columns and n > 1:
        return f"The models were shown to differ in {shown or 'none'} of {n} ROIs ({limit})."
    p = f"{sym('p')} {chr(0x2264) if shown else '>'} {style.level(alpha)}"
    return f"The models were {'' if shown else 'not '}shown to differ ({p})."


def of_map(result: Any, style: NumberStyle) -> str:
    """How many points a test over a map shows."""
    table = result.table
    counts = table["decision"].astype(str).value_counts()
    told = joined([f"{n} {'was' if n == 1 else 'were'} {name(d)}" for d, n in counts.items()])
    return f"Of {counted(len(table), 'point')} of the map, {told}."


def posterior(result: Any, style: NumberStyle) -> str:
    """How many quantities were judged how; of a model without a region, how many exclude 0."""
    table = named_terms(result)
    if "decision" in table.columns:
        counts = table["decision"].astype(str).value_counts()
        told = joined([f"{n} {'was' if n == 1 else 'were'} {name(d)}" for d, n in counts.items()])
        return f"Of {counted(len(table), 'quantity', 'quantities')}, {told}."
    return ""


def ceiling(result: Any, style: NumberStyle) -> str:
    """Between what values the ceilings of the regions lie; of parts of the variance, that of all models together."""
    table = result.table
    if noun_of(result) == "part" and "part" in table.columns:
        table = table[table["part"] == "total"]
    known = table[table["estimate"].notna()]
    if "roi" not in known.columns or known.empty:
        return ""
    kind = result.info.get("ceiling_kind", "")
    bounds = list(dict.fromkeys(known["bound"])) if "bound" in known.columns else []
    if len(bounds) > 1:
        spans = [_spread(known[known["bound"] == b], style) for b in bounds]
        first = f"The {bounds[0]} bound of the {_lowered(kind)} {spans[0]}"
        more = [
            f"the {b} bound {s.replace('ranged ', '')}"
            for b, s in zip(bounds[1:], spans[1:], strict=True)
        ]
        return f"{', '.join([first, *more])}."
    span = _spread(known, style).replace("was ", "were ", 1)
    return f"{ceiling_words(kind)} {span}."


def _lowered(kind: object) -> str:
    text = ceiling_words(kind, plural=False)
    return text if kind == "nili" else text[:1].lower() + text[1:]


def _spread(table: pd.DataFrame, style: NumberStyle, of: str = "roi") -> str:
    span = ends(table, style, of=of)
    return f"{'ranged from' if ' to ' in span else 'was'} {span}"


def reliability(result: Any, style: NumberStyle) -> str:
    """Reliability of one person's pattern, over ROIs."""
    table = result.table
    part = table[(table["term"] == "single") & table["estimate"].notna()]
    if part.empty or "roi" not in part.columns:
        return ""
    d = scale_decimals(table, style)
    low, high = part.loc[part["estimate"].idxmin()], part.loc[part["estimate"].idxmax()]
    return (
        f"Reliability of the pattern of a single subject ranged from {style.number(low['estimate'], d)} in "
        f"{name(low['roi'])} to {style.number(high['estimate'], d)} in {name(high['roi'])}."
    )
