"""Report as one HTML file that loads nothing: styles, scripts, figures and data are inside."""

from __future__ import annotations

import html
from collections.abc import Sequence
from importlib import resources
from typing import Any
from urllib.parse import quote

import pandas as pd

from apastats.printable import clean, csv_text
from apastats.reporting import markup
from apastats.reporting.blocks import (
    Block,
    Code,
    Column,
    FigureBlock,
    Listing,
    Paragraph,
    Section,
    TableBlock,
    Texts,
)
from apastats.reporting.drawing import Drawings, inline_figure
from apastats.reporting.interactive import chart_json, runtime
from apastats.reporting.references import Bibliography
from apastats.reporting.tables import heading
from apastats.reporting.works import WORKS

__all__ = ["render_html"]

MAX_CSV_ROWS = 4000
MAX_TWICE = 500  # rows that a figure and its table may both hold
MAX_OPEN = 40  # rows of a table that stand on the page unfolded
FORMATS = {"text": "text", "md": "Markdown", "tex": "LaTeX"}


class Renderer:
    """Renders blocks and numbers tables and figures in the order they come."""

    def __init__(self, max_rows: int, drawings: Drawings, interactive: bool = False) -> None:
        from jinja2 import Environment, PackageLoader, StrictUndefined

        self.interactive, self.n_chart = interactive, 0

        self.drawings = drawings
        self.max_rows = max_rows
        self.n_table = self.n_figure = 0
        self.beside: list[pd.DataFrame] = []
        self.written: dict[str, Any] = {}
        self.environment = Environment(
            loader=PackageLoader("apastats.reporting", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=False,
        )

    def text(self, inline: str) -> Any:
        """Inline text as safe HTML."""
        from markupsafe import Markup

        if (found := self.written.get(inline)) is None:
            found = self.written[inline] = Markup(markup.to_html(inline, _cited))
        return found

    def block(self, block: Block) -> Any:
        """Any block as safe HTML."""
        from markupsafe import Markup

        if isinstance(block, Paragraph):
            tone = f' class="{block.tone}"' if block.tone else ""
            return Markup(f"<p{tone}>{self.text(block.text)}</p>")
        if isinstance(block, Listing):
            items = "".join(f"<li>{self.text(i)}</li>" for i in block.items)
            return Markup(f'<ul class="text">{items}</ul>')
        if isinstance(block, Code):
            label = html.escape(block.label, quote=True)
            body = html.escape(clean(block.text))
            return Markup(
                f'<pre tabindex="0" role="region" aria-label="{label}"><code>{body}</code></pre>'
            )
        if isinstance(block, TableBlock):
            return self._table(block)
        if isinstance(block, Texts):
            return self._texts(block)
        return self.figure(block)

    def blocks(self, blocks: Sequence[Block]) -> Any:
        """Blocks, one after the other."""
        from markupsafe import Markup

        self.beside = [b.frame for b in blocks if isinstance(b, TableBlock)]
        return Markup("\n").join(self.block(b) for b in blocks)

    def _texts(self, block: Texts) -> Any:
        from markupsafe import Markup

        rendered = self.environment.get_template("texts.html.j2").render(
            slug=block.slug,
            label=block.label,
            texts=[(k, FORMATS[k], clean(text)) for k, text in block.texts.items()],
        )
        return Markup(rendered)

    def _table(self, block: TableBlock) -> Any:
        from markupsafe import Markup

        self.n_table += 1
        rows = block.rows(self.max_rows)
        columns = [
            {"label": self.text(heading(c.label)), "numeric": c.numeric} for c in block.columns
        ]
        rendered = self.environment.get_template("table.html.j2").render(
            slug=block.slug,
            label=f"Table {self.n_table}.",
            caption=self.text(block.caption),
            columns=columns,
            rows=Markup("".join(self._row(row, block.columns) for row in rows)),
            n_row=len(rows),
            hidden=len(block.frame) - len(rows),
            folded=len(rows) > MAX_OPEN,
            csv=csv_link(block.frame),
        )
        return Markup(rendered)

    def _row(self, cells: Sequence[str], columns: Sequence[Column]) -> str:
        """Row of a table; its first cell is its head where it is text."""
        parts = []
        for i, (cell, c) in enumerate(zip(cells, columns, strict=True)):
            tag, tail = (
                ("th", ' scope="row"')
                if not i and not c.numeric
                else ("td", ' class="num"' if c.numeric else "")
            )
            parts.append(f"<{tag}{tail}>{self.text(cell)}</{tag}>")
        return f"\n<tr>{''.join(parts)}</tr>"

    def _repeated(self, data: pd.DataFrame) -> bool:
        """Whether much data of a figure stand in the table below it, whose csv has them."""
        return len(data) > MAX_TWICE and any(
            set(data.columns) <= set(f.columns) and len(data) <= len(f) <= MAX_CSV_ROWS
            for f in self.beside
        )

    def figure(self, block: FigureBlock) -> Any:
        """Figure with its caption and data."""
        from markupsafe import Markup

        self.n_figure += 1
        chart = chart_json(block) if self.interactive else None
        self.n_chart += chart is not None
        rendered = self.environment.get_template("figure.html.j2").render(
            slug=block.slug,
            label=f"Figure {self.n_figure}.",
            caption=self.text(block.caption),
            image=Markup(inline_figure(block, self.drawings)),
            csv="" if (repeated := self._repeated(block.data)) else csv_link(block.data),
            repeated=repeated,
            chart=None if chart is None else Markup(chart),
        )
        return Markup(rendered)


def _cited(keys: str) -> str:
    links = [f'<a href="#ref-{k}">{html.escape(WORKS[k].short())}</a>' for k in keys.split(";")]
    return f"({'; '.join(links)})"


def csv_link(frame: pd.DataFrame) -> str:
    """The frame as a data link, all digits; empty where it is too long to be kept in the page."""
    if len(frame) > MAX_CSV_ROWS:
        return ""
    return "data:text/csv;charset=utf-8," + quote(csv_text(frame), safe="!*'();:@&=+$,/?-_.~")


def references_html(bibliography: Bibliography) -> Any:
    """Reference list; each entry can be jumped to."""
    from markupsafe import Markup

    items = "".join(f'<li id="ref-{e.key}">{html.escape(e.full())}</li>' for e in bibliography)
    bibtex = html.escape(bibliography.bibtex())
    return Markup(
        f'<ul class="references">{items}</ul>'
        '<details class="copy"><summary>BibTeX</summary><pre tabindex="0" role="region" aria-label="BibTeX">'
        f"<code>{bibtex}</code></pre></details>"
    )


def render_html(
    *,
    title: str,
    answer: str,
    lead: FigureBlock | None,
    margin: str,
    sections: Sequence[Section],
    bibliography: Bibliography,
    version: str,
    max_rows: int,
    drawings: Drawings,
    interactive: bool = False,
) -> str:
    """The whole page; with ``interactive`` some figures have a chart beside them, whose runtime is there once."""
    from markupsafe import Markup

    render = Renderer(max_rows, drawings, interactive)

    def shown(section: Section) -> dict[str, Any]:
        return {
            "slug": section.slug,
            "title": clean(section.title),
            "gist": render.text(section.gist),
            "body": render.blocks(section.blocks),
            "children": [shown(c) for c in section.children],
        }

    # the leading figure comes first, so that it has the first number
    first = "" if lead is None else render.figure(lead)
    body = [shown(s) for s in sections]
    body.append(
        {
            "slug": "references",
            "title": "References",
            "gist": "",
            "body": references_html(bibliography),
            "children": [],
        }
    )
    page = render.environment.get_template("report.html.j2").render(
        title=clean(title),
        version=version,
        answer=render.text(answer),
        margin=render.text(margin),
        lead=first,
        sections=body,
        css=Markup(resource("report.css")),
        js=Markup(resource("report.js")),
        charts=Markup(f"{runtime()}\n{resource('interactive.js')}") if render.n_chart else "",
    )
    return page + "\n"


def resource(file: str) -> str:
    """Text of a file beside the templates."""
    return (resources.files("apastats.reporting") / "templates" / file).read_text("utf-8")
