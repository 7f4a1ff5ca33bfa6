"""One table of one result, to paste: LaTeX, Markdown, HTML, Word; and the few columns that fit a terminal."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import choice, names, text, whole
from apastats.errors import InputError
from apastats.folders import refuse_file
from apastats.reporting import markup
from apastats.reporting.blocks import Column, TableBlock
from apastats.reporting.kinds import title_of
from apastats.reporting.numbers import NumberStyle, as_style
from apastats.reporting.tables import column_label, heading, scale_decimals, table_block

__all__ = ["compact", "latex", "markdown", "page", "word"]

# what says in which cell a row stands
KEYS = (
    "fit", "part", "model", "contrast", "term", "level", "reference", "roi", "metric", "split", "bound", "stream",
    "group", "layer", "analysis", "what", "n", "margin",
)  # fmt: skip
# what a row found, the most telling first
FOUND = (
    "estimate", "rank", "place", "difference", "mean", "conf_low", "decision", "in_set", "aligned", "p_value_adjusted",
    "p_value", "p_value_equiv_adjusted", "p_value_equiv", "status", "value", "n_subject",
)  # fmt: skip
INSIDE = ("equivalent to the best", "can be the best")


def chosen_block(
    result: Any,
    *,
    columns: Any = None,
    decimals: int | None = None,
    caption: str | None = None,
    wide: str | None = None,
    style: Any = "apa",
) -> TableBlock:
    """Table of a result as it is to be shown, whatever it is rendered to."""
    table: pd.DataFrame = result.table
    labels = dict(columns) if isinstance(columns, Mapping) else {}
    given = list(labels) if isinstance(columns, Mapping) else columns
    only = None if given is None else list(names("columns", given))
    for column in only or ():
        choice("columns", column, [str(c) for c in table.columns])
    for column, words in labels.items():
        text(f"columns[{column!r}]", words)
    if decimals is not None:
        whole("decimals", decimals, least=0, most=15)
    if caption is not None:
        text("caption", caption)
    written = as_style(style)
    if decimals is not None:
        written = as_style({"decimals": decimals} if style == "apa" else _with(style, decimals))
    title = f"{title_of(result)}." if caption is None else markup.name(caption)
    if result.kind == "model_table" and only is None and wide is None:
        from apastats.reporting.model_table_words import side_by_side

        return side_by_side(result, written, None if caption is None else title)
    if wide is not None:
        choice("wide", wide, [str(c) for c in table.columns if c in KEYS])
        return _pivot(result, wide, only, title, written, told=caption is None)
    if caption is not None:  # a caption that was given is left as it is
        block = table_block("table", "", table, written, only=only, labels=labels, info=result.info)
        return TableBlock(block.slug, title, block.frame, block.columns)
    return table_block("table", title, table, written, only=only, labels=labels, info=result.info)


def _with(style: Any, decimals: int) -> dict[str, Any]:
    base = dict(style) if isinstance(style, Mapping) else {"name": style}
    return base | {"decimals": decimals}


def _pivot(
    result: Any, wide: str, only: list[str] | None, title: str, style: NumberStyle, *, told: bool
) -> TableBlock:
    """One row per model (or contrast), one column per level of ``wide``, the best of each column in bold.

    Bold are the highest value of a column, and, in a set, all that are in it; the brain is no competitor.
    """
    table = result.table
    shown = only or ["mean" if "mean" in table.columns else "estimate"]
    for column in shown:
        if column not in table.columns or not pd.api.types.is_numeric_dtype(table[column]):
            raise InputError("columns", column, "columns of numbers, for a table that is wide")
    index = _index(table, wide)
    set_of = "decision" in table.columns and bool(table["decision"].isin(INSIDE).any())
    bold = table["decision"].isin(INSIDE).to_numpy() if set_of else np.zeros(len(table), bool)
    comparable = index[0] == "model" and (
        "mean" in table.columns or "reference" not in table.columns
    )
    if comparable:
        bold = bold | _highest(table, shown[0], [wide, *index[1:]])
    columns = [_words(k) for k in index]
    frame = table[index].drop_duplicates().reset_index(drop=True)
    grid = _grid(table, index, wide, _cells(table, shown, bold, style))
    for j, level in enumerate(dict.fromkeys(table[wide])):
        frame[("wide", j)] = [row[j] for row in grid]
        columns.append(_level_column(str(level), str(("wide", j))))
    if told:
        title = f"{title[:-1]}: {_said(shown)} by {column_label(wide)}."
        if comparable:
            title += " Bold: the highest" + (
                " and all others in the set of the best." if set_of else "."
            )
    return TableBlock("table", title, frame, columns)


def _highest(table: pd.DataFrame, column: str, cells: Sequence[str]) -> np.ndarray:
    """The highest of each column of a wide table, ties too; the brain is no competitor."""
    values = table[column].to_numpy("f8")
    rivals = (table["model"].astype(str) != "brain").to_numpy() & np.isfinite(values)
    best = np.zeros(len(table), bool)
    keys = [c for k, c in enumerate(cells) if k == 0 or c in ("metric", "split", "bound")]
    for _, rows in table.groupby(keys, sort=False).indices.items():
        where = rows[rivals[rows]]
        if len(where):
            best[where[values[where] == values[where].max()]] = True
    return best


def _cells(
    table: pd.DataFrame, shown: Sequence[str], bold: np.ndarray, style: NumberStyle
) -> list[str]:
    """What is written for each row of the long table."""
    decimals = scale_decimals(table, style)
    written = [_cell(row, shown, style, decimals) for row in table[list(shown)].to_numpy("f8")]
    return [markup.strong(t) if b else t for t, b in zip(written, bold, strict=True)]


def _grid(
    table: pd.DataFrame, index: list[str], wide: str, texts: Sequence[str]
) -> list[list[str]]:
    """Texts by rows and levels of ``wide``; a dash where there is none."""
    levels = list(dict.fromkeys(table[wide]))
    names = list(table[index].itertuples(index=False, name=None))
    place = {key: i for i, key in enumerate(dict.fromkeys(names))}
    grid = [["\u2013"] * len(levels) for _ in place]
    for key, level, text_of_cell in zip(names, table[wide], texts, strict=True):
        grid[place[key]][levels.index(level)] = text_of_cell
    return grid


def _said(shown: Sequence[str]) -> str:
    """What the numbers of a cell are."""
    return " and ".join(
        "interval of the estimate" if c.startswith("conf_low") else column_label(c)
        for c in shown
        if not c.startswith("conf_high")
    )


def _level_column(label: str, key: str) -> Column:
    return Column(label, lambda row: str(row[key]), numeric=True)


def _words(key: str) -> Column:
    return Column(column_label(key), lambda row: markup.name(row[key]))


def _cell(row: np.ndarray, shown: Sequence[str], style: NumberStyle, decimals: int) -> str:
    """Numbers of one cell: the first, an interval in brackets, others after it."""
    if np.isnan(row[0]):
        return "\u2013"
    parts, k = [], 0
    while k < len(shown):
        if shown[k].startswith("conf_low") and k + 1 < len(shown) and "high" in shown[k + 1]:
            parts.append(style.span(float(row[k]), float(row[k + 1]), decimals))
            k += 2
        else:
            parts.append(style.number(float(row[k]), decimals))
            k += 1
    return " ".join(parts)


def _index(table: pd.DataFrame, wide: str) -> list[str]:
    """Fewest keys that with ``wide`` name every row."""
    keys = [k for k in KEYS if k in table.columns and k != wide]
    index: list[str] = []
    for key in keys:
        index.append(key)
        if not table.duplicated([*index, wide]).any():
            return index
    raise InputError(
        "wide", wide, "a column that, with the names of the rows, names every row once"
    )


def markdown(result: Any, *, label: str = "", **options: Any) -> str:
    """Pipe table with its caption; ``label`` as Quarto and pandoc-crossref read it."""
    from apastats.reporting.to_markdown import table_markdown
    from apastats.reporting.to_markdown import text as written

    block = chosen_block(result, **options)
    mark = f" {{#{label}}}" if label else ""
    body = table_markdown(block, len(block.frame))
    return f"{body}\n\n: {written(block.caption)}{mark}\n"


def latex(result: Any, *, label: str = "", **options: Any) -> str:
    r"""``table`` environment with booktabs rules, ``\caption`` and ``\label``."""
    from apastats.reporting.to_latex import text as written

    block = chosen_block(result, **options)
    spec = "".join("r" if c.numeric else "l" for c in block.columns)
    rows = [[written(heading(c.label)) for c in block.columns]]
    rows += [[written(cell) for cell in row] for row in block.rows()]
    lines = [" & ".join(row) + r" \\" for row in rows]
    body = "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering",
            rf"\caption{{{written(block.caption)}}}",
            *([rf"\label{{{label}}}"] if label else []),
            rf"\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )
    needs = [r"% needs \usepackage{booktabs}"]
    if r"\apachar" in body:
        needs.append(r"\providecommand{\apachar}[2]{#2}")
    return "\n".join([*needs, body]) + "\n"


def page(result: Any, *, label: str = "", max_rows: int | None = None, **options: Any) -> str:
    """``table`` element of HTML with its caption and nothing around it."""
    from apastats.reporting.markup import to_html

    def written(inline: str) -> str:
        return to_html(inline, lambda keys: f"({html.escape(keys)})")

    block = chosen_block(result, **options)
    align = [' style="text-align:right"' if c.numeric else "" for c in block.columns]
    head = "".join(
        f'<th scope="col"{a}>{written(heading(c.label))}</th>'
        for c, a in zip(block.columns, align, strict=True)
    )
    body = "\n".join(
        f"<tr>{''.join(f'<td{a}>{written(c)}</td>' for c, a in zip(row, align, strict=True))}</tr>"
        for row in block.rows(max_rows)
    )
    mark = f' id="{html.escape(label, quote=True)}"' if label else ""
    return (
        f"<table{mark}>\n<caption>{written(block.caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>\n"
    )


def word(result: Any, path: Path, *, overwrite: bool = False, **options: Any) -> Path:
    """Word file that holds the table, through pandoc."""
    from apastats.reporting.to_docx import write_docx

    if path.suffix.lower() != ".docx":
        raise InputError("path", str(path), "a name that ends in .docx")
    refuse_file(path, overwrite)
    block = chosen_block(result, **options)
    from apastats.reporting.to_markdown import table_markdown
    from apastats.reporting.to_markdown import text as written

    path.parent.mkdir(parents=True, exist_ok=True)
    body = table_markdown(block, len(block.frame))
    write_docx(f"{written(block.caption)}\n\n{body}\n", path.parent, path)
    return path


def compact(result: Any, *, width: int = 100, max_rows: int = 20) -> str:
    """What ``print`` shows: a line on how it was made, the columns that matter and fit, the notes."""
    info, table = result.info, result.table
    lines = [
        f"{markup.plain(title_of(result))} ({len(table)} {'row' if len(table) == 1 else 'rows'})"
    ]
    for words in ("method", "margin", "adjust"):
        said = info.get(words)
        if said and said != "none":
            lines.append(textwrap.shorten(f"{words}: {said}", width, placeholder=" ..."))
    if len(table):
        lines += ["", *_fitted(result, width, max_rows)]
    left = len(table) - max_rows
    if left > 0:
        lines.append(f"... {left} more {'row' if left == 1 else 'rows'}")
    lines += [textwrap.shorten(f"note: {n}", 2 * width, placeholder=" ...") for n in result.notes]
    lines.append("all columns: .tidy(); all settings: .summary(); in words: .text()")
    return "\n".join(lines)


def _fitted(result: Any, width: int, max_rows: int) -> list[str]:
    """Lines of the table: keys, then what was found, as many columns as the width holds."""
    only = _telling(result)
    block = table_block(
        "table", "", result.table.head(max_rows), as_style("apa"), only=only, info=result.info
    )
    rows = [[column_label(c.label) for c in block.columns], *block.rows()]
    cells = [[_short(markup.plain(c)) for c in row] for row in rows]
    sizes = [max(len(row[j]) for row in cells) for j in range(len(block.columns))]
    ends = np.cumsum(sizes) + 2 * np.arange(len(sizes))
    fit = max(1, int((ends <= width).sum()))
    lines = []
    for row in cells:
        parts = [
            words.rjust(size) if column.numeric else words.ljust(size)
            for words, size, column in zip(row[:fit], sizes, block.columns, strict=False)
        ]
        lines.append("  ".join(parts).rstrip()[:width])
    return lines


def _telling(result: Any) -> list[str]:
    """Columns for a terminal: the keys that differ, then what was found, all columns where nothing usual was."""
    table = result.table
    several = len(table) > 1
    keys = [
        k
        for k in KEYS
        if k in table.columns and not (several and table[k].nunique(dropna=False) == 1)
    ]
    if {"model", "reference"} <= set(keys):
        keys = [k for k in keys if k != "contrast"]
    ends = result.info.interval_columns(table.columns, margin="bound_low" in table.columns)
    found = [ends[0] if k == "conf_low" else k for k in FOUND]
    found = [k for k in found if k in table.columns and k not in keys]
    found = [k for k in found if f"{k}_adjusted" not in found]
    if not set(found) & set(FOUND[:4]):
        return [str(c) for c in table.columns]
    return [*keys, *found]


def _short(words: str, most: int = 40) -> str:
    words = " ".join(words.split())
    return words if len(words) <= most else f"{words[: most // 2]}\u2026{words[1 - most // 2 :]}"
