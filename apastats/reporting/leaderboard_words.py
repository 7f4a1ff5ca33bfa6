"""Sentences and figures of leaderboards: what is ordered, who can be the best, what rests on missing scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from apastats import plots
from apastats.reporting.blocks import Block, FigureBlock
from apastats.reporting.how_made import cautions, head_sentences
from apastats.reporting.markup import name
from apastats.reporting.numbers import NumberStyle
from apastats.reporting.phrases import capital, joined, sentence
from apastats.reporting.row_prose import Row
from apastats.reporting.tables import scale_decimals
from apastats.words import Info

__all__ = [
    "board_figures",
    "boards",
    "in_order",
    "item_row",
    "response_row",
    "shift_row",
    "verdict_of",
]

NAMED = 6  # models that are named where several can be the best


def _where(cell: Any, by: Any) -> str:
    return ", ".join(f"{k} {name(cell[k])}" for k in by if k in cell)


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _cells(result: Any) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    by, out = list(result.info.by), []
    for cell in result.info.extra["cells"]:
        part = result.table
        for column in by:
            part = part[part[column].astype(str) == str(cell[column])]
        out.append((cell, part))
    return out


def _summary(cell: dict[str, Any], part: pd.DataFrame, style: NumberStyle, by: Any) -> str:
    """What a cell as a whole came to."""
    best = [name(m) for m in part.loc[part["can_be_best"], "model"]]
    who = (
        joined(best)
        if len(best) <= NAMED
        else f"{_counted(len(best), 'model')}, first {joined(best[:3])},"
    )
    where = _where(cell, by)
    text = (
        f"of {_counted(cell['n_model'], 'model')} on {_counted(cell['n_item'], 'item')} "
        f"({100 * cell['filled']:.0f} % of the scores are known), {who} can be the best; of "
        f"{_counted(cell['n_pair'], 'pair')}, {100 * (1 - cell['undecided']):.0f} % are ordered and "
        f"{100 * cell['undecided']:.0f} % are not, in {_counted(cell['n_tier'], 'tier')}"
    )
    return f"{capital(where)}, {text}." if where else f"{capital(text)}."


def _tipping(cell: dict[str, Any], style: NumberStyle) -> str:
    at = cell["tipping_delta"]
    if at is None:
        return (
            "No shift of the missing scores makes another model the best."
            if cell["filled"] < 1
            else ""
        )
    return (
        f"Missing scores {style.number(abs(at), 2)} SDs of their item {'below' if at < 0 else 'above'} what was "
        f"expected would put {name(cell['tipping_model'])} level with the best."
    )


def in_order(row: Row, frame: pd.DataFrame, info: Info, style: NumberStyle) -> str:
    """``a: 0.41, 95 % CI [0.38, 0.44], place 3 (jointly 1 to 9), 60 % of the items``."""
    d = scale_decimals(frame, style)
    where = _where(row, info.by)
    low, high = int(row["place_low"]), int(row["place_high"])
    span = f"jointly {low} to {high}" if low < high else "jointly this one"
    text = (
        f"{name(row['model'])}: {style.number(row['estimate'], d)}, "
        f"{style.interval_text(row['conf_low'], row['conf_high'], row['conf_level'], d)}, "
        f"place {int(row['place'])} ({span}), {100 * row['filled']:.0f} % of the items"
    )
    return f"{where}, {text}" if where else text


def boards(result: Any, style: NumberStyle, short: bool, max_rows: int) -> list[str]:
    """A sentence per cell, the first rows of each, what it assumes."""
    info = result.info
    lines = []
    cells = _cells(result)
    each = max(1, max_rows // len(cells))
    for cell, part in cells:
        lines.append(_summary(cell, part, style, info.by))
        rows = [
            {str(k): v for k, v in r.items()} for r in part.head(each).to_dict(orient="records")
        ]
        lines += [in_order(r, result.table, info, style) + ("" if short else ".") for r in rows]
        if len(part) > each:
            lines.append(f"{_counted(len(part) - each, 'more model')} in the table (tidy()).")
        if not short and (told := _tipping(cell, style)):
            lines.append(told)
    if short:
        return lines
    assumed = f"Assumed: {info.extra['assumes']}."
    rule = sentence(info.rule)
    return [*head_sentences(result), rule, assumed, *lines, *cautions(result)]


def verdict_of(result: Any, style: NumberStyle) -> str:
    """One sentence for the head of a report."""
    cells = _cells(result)
    sizes = [int(part["can_be_best"].sum()) for _, part in cells]
    if len(cells) > 1:
        span = f"{min(sizes)} to {max(sizes)}" if min(sizes) < max(sizes) else str(sizes[0])
        of = max(len(part) for _, part in cells)
        return f"In each {joined(list(result.info.by))}, {span} of {of} models on the leaderboard can be the best."
    part = cells[0][1]
    best = [name(m) for m in part.loc[part["can_be_best"], "model"]]
    who = joined(best) if len(best) <= NAMED else _counted(len(best), "model")
    return (
        f"Of {_counted(len(part), 'model')} on up to {_counted(int(part['n_item'].max()), 'item')}, {who} can be the "
        f"best; the models form {_counted(int(part['tier'].max()), 'tier')}."
    )


def item_row(row: Row, frame: pd.DataFrame, info: Info, style: NumberStyle) -> str:
    """``b: reliability .62, ...``."""
    d = scale_decimals(frame.rename(columns={"effect": "estimate"}), style)
    parts = [
        f"{_counted(int(row['n_model']), 'model')}",
        f"effect {style.number(row['effect'], d)}",
        f"error SD {style.number(row['error_sd'], d)}",
        f"reliability {style.number(row['reliability'], 2)}",
    ]
    if pd.notna(row["r_rest"]):
        parts.append(f"correlation with the others {style.number(row['r_rest'], 2)}")
    if pd.notna(row["r_nearest"]):
        parts.append(
            f"errors nearest to those of {name(row['nearest'])} ({style.number(row['r_nearest'], 2)})"
        )
    if pd.notna(row["tau"]):
        move = abs(int(row["largest_move"]))
        parts.append(
            f"without it Kendall's tau {style.number(row['tau'], 2)}, at most {_counted(move, 'place')} moved"
        )
    where = _where(row, info.by)
    return f"{where + ', ' if where else ''}{name(row['item'])}: {', '.join(parts)}"


def response_row(row: Row, frame: pd.DataFrame, info: Info, style: NumberStyle) -> str:
    """``b: discrimination 0.12, difficulty -0.4, ...``."""
    d = scale_decimals(frame.rename(columns={"discrimination": "estimate"}), style)
    error: str = (
        f" (SE {style.number(row['discrimination_se'], d)})"
        if pd.notna(row["discrimination_se"])
        else ""
    )
    parts = [
        f"discrimination {style.number(row['discrimination'], d)}{error}",
        f"difficulty {style.number(row['difficulty'], 2)}",
        f"loading {style.number(row['loading'], 2)}",
    ]
    if pd.notna(row["q3"]):
        parts.append(
            f"residuals nearest to those of {name(row['nearest'])} ({style.number(row['q3'], 2)})"
        )
    where = _where(row, info.by)
    return f"{where + ', ' if where else ''}{name(row['item'])}: {', '.join(parts)}"


def shift_row(row: Row, frame: pd.DataFrame, info: Info, style: NumberStyle) -> str:
    """``delta -1: a is first, ...``."""
    move = abs(int(row["largest_move"]))
    moved = f", {name(row['moved'])} moves {_counted(move, 'place')}" if move else ""
    where = _where(row, info.by)
    can = int(row["n_can_be_best"])
    return (
        f"{where + ', ' if where else ''}with missing scores shifted by {style.number(row['delta'], 1)} SD, "
        f"{name(row['best'])} is first, {_counted(can, 'model')} can be the best, Kendall's tau "
        f"{style.number(row['tau'], 2)}{moved}"
    )


def board_figures(result: Any, context: Any, title: str) -> list[Block]:
    """Places, tiers and holes of every cell."""
    out: list[Block] = []
    for i, (cell, part) in enumerate(_cells(result)):
        seen = seen_rows(result, i, part)
        where = _where(cell, result.info.by)

        def make(part: pd.DataFrame = part, seen: np.ndarray = seen) -> Any:
            return plots.leaderboard(part, seen).figure

        tail = f", {where}" if where else ""
        out.append(
            FigureBlock(
                context.slug(f"figure-{title}-{i}"),
                f"{title}{tail}. Places with joint (thin) and marginal (thick) intervals; colours change with tiers; "
                "white: no score.",
                f"Intervals of the places of {len(part)} models on {seen.shape[1]} items.",
                make,
                part[["model", "place", "place_low", "place_high", "tier", "n_item"]],
                5 * len(part),
            )
        )
    return out


def seen_rows(result: Any, i: int, part: pd.DataFrame) -> np.ndarray:
    """Which scores there are, rows in the order of a part of the table."""
    at = {m: k for k, m in enumerate(result.arrays["models"])}
    scores = result.arrays["scores"][i][[at[m] for m in part["model"]]]
    return np.asarray(np.isfinite(scores)[:, np.isfinite(result.arrays["item_variance"][i])])
