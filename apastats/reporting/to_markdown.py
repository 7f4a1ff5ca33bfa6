"""Report as Markdown: CommonMark with pipe tables, figures as links to files beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from apastats.printable import clean
from apastats.reporting import markup
from apastats.reporting.blocks import (
    Block,
    Code,
    FigureBlock,
    Listing,
    Paragraph,
    Section,
    TableBlock,
    Texts,
)
from apastats.reporting.references import Bibliography
from apastats.reporting.tables import heading
from apastats.reporting.works import WORKS

__all__ = ["render_markdown", "table_markdown"]


def _cited(keys: str) -> str:
    return markup.escape_markdown(f"({'; '.join(WORKS[k].short() for k in keys.split(';'))})")


def text(inline: str) -> str:
    """Inline text on one line."""
    return markup.to_markdown(inline, _cited).replace("\n", " ")


class _Counter:
    """Numbers of tables and figures."""

    def __init__(self, max_rows: int, figures: Mapping[str, str]) -> None:
        self.table = self.figure = 0
        self.max_rows, self.figures = max_rows, figures


def _fence(code: str) -> str:
    longest = max((len(m) for m in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{clean(code).rstrip()}\n{fence}"


def table_markdown(block: TableBlock, max_rows: int) -> str:
    """Pipe table."""
    head = [text(heading(c.label)) for c in block.columns]
    rule = ["---:" if c.numeric else ":---" for c in block.columns]
    rows = [[text(cell) for cell in row] for row in block.rows(max_rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def _block(block: Block, count: _Counter) -> str:
    if isinstance(block, Paragraph):
        quote = "> " if block.tone else ""
        return quote + text(block.text)
    if isinstance(block, Listing):
        return "\n".join(f"- {text(i)}" for i in block.items)
    if isinstance(block, Code):
        return _fence(block.text)
    if isinstance(block, TableBlock):
        count.table += 1
        left = len(block.frame) - count.max_rows
        more = f" The first {count.max_rows} of {len(block.frame)} rows." if left > 0 else ""
        return f"**Table {count.table}.** {text(block.caption)}{more}\n\n{table_markdown(block, count.max_rows)}"
    return "" if isinstance(block, Texts) else _figure(block, count)


def _figure(block: FigureBlock, count: _Counter) -> str:
    count.figure += 1
    caption = f"**Figure {count.figure}.** {text(block.caption)}"
    path = count.figures.get(block.slug)
    if path is None:
        return caption
    return f"![{markup.escape_markdown_name(block.alt)}]({path})\n\n{caption}"


def render_markdown(
    *,
    title: str,
    answer: str,
    lead: FigureBlock | None,
    margin: str,
    sections: Sequence[Section],
    bibliography: Bibliography,
    max_rows: int,
    figures: Mapping[str, str],
) -> str:
    """The whole report; ``figures`` maps the slug of a figure to its path."""
    count = _Counter(max_rows, figures)
    parts = [f"# {markup.escape_markdown_name(clean(title))}", text(answer)]
    parts += [] if lead is None else [_block(lead, count)]
    parts.append(text(margin))
    for section in sections:
        parts.append(f"## {markup.escape_markdown(section.title)}")
        parts += [_block(b, count) for b in section.blocks]
        for child in section.children:
            parts.append(f"### {markup.escape_markdown(child.title)}")
            parts += [_block(b, count) for b in child.blocks]
    parts.append("## References")
    parts.append("\n".join(f"- {markup.escape_markdown(e.full())}" for e in bibliography))
    return "\n\n".join(p for p in parts if p) + "\n"
