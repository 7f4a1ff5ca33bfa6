"""Report as a PDF, through Typst (extra ``pdf``): no TeX installation is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from apastats.errors import MissingExtraError
from apastats.folders import replacing
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

__all__ = ["render_typst", "write_pdf"]

PREAMBLE = """\
#set page(paper: "a4", margin: 2cm, numbering: "1")
#set text(size: 10pt)
#set par(justify: false)
#set heading(numbering: none)
#show figure: set block(breakable: true)
#show figure.where(kind: table): set figure.caption(position: top)
#show figure.caption: set align(left)
#show link: set text(fill: blue)
"""


def literal(text: str) -> str:
    """Text as a string of Typst, in which nothing is markup."""
    out = clean(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", " \u21b5 ")
    return f'#"{out}"' if out else ""


def _cited(keys: str) -> str:
    return literal(f"({'; '.join(WORKS[k].short() for k in keys.split(';'))})")


def text(inline: str) -> str:
    """Inline text as content of Typst."""
    return markup.to_typst(inline, literal, _cited)


def _table(block: TableBlock, max_rows: int) -> str:
    rows = block.rows(max_rows)
    wide = [
        max((len(markup.plain(r[j])) for r in rows), default=0) for j in range(len(block.columns))
    ]
    # long words wrap, numbers do not
    columns = ", ".join(
        "1fr" if w > 18 and not c.numeric else "auto"
        for c, w in zip(block.columns, wide, strict=True)
    )
    align = ", ".join("right" if c.numeric else "left" for c in block.columns)
    size = 9 if sum(min(w, 18) for w in wide) + 2 * len(wide) <= 90 else 7
    size = 5 if sum(min(w, 18) for w in wide) + 2 * len(wide) > 130 else size
    head = ", ".join(f"[*{text(heading(c.label))}*]" for c in block.columns)
    body = "\n".join("  " + ", ".join(f"[{text(cell)}]" for cell in row) + "," for row in rows)
    left = len(block.frame) - len(rows)
    more = literal(f" The first {max_rows} of {len(block.frame)} rows.") if left > 0 else ""
    return (
        f"#figure(kind: table, caption: [{text(block.caption)}{more}], text(size: {size}pt, table(\n"
        f"  columns: ({columns},), align: ({align},), stroke: none, inset: (x: 3pt, y: 2.5pt),\n"
        f"  table.hline(), table.header({head},), table.hline(stroke: 0.5pt),\n{body}\n  table.hline(),\n)))"
    )


def _block(block: Block, figures: Mapping[str, str], max_rows: int) -> str:
    if isinstance(block, Paragraph):
        body = text(block.text)
        return f"#quote(block: true)[{body}]" if block.tone else body
    if isinstance(block, Listing):
        return "#list(" + ", ".join(f"[{text(i)}]" for i in block.items) + ")"
    if isinstance(block, Code):
        lines = [literal(line) or '#" "' for line in clean(block.text).rstrip().split("\n")]
        return '#text(font: "DejaVu Sans Mono", size: 7pt)[' + " #linebreak() ".join(lines) + "]"
    if isinstance(block, TableBlock):
        return _table(block, max_rows)
    return "" if isinstance(block, Texts) else _figure(block, figures)


def _figure(block: FigureBlock, figures: Mapping[str, str], *, floats: bool = True) -> str:
    path, caption = figures.get(block.slug), text(block.caption)
    if path is None:
        return caption
    alt = literal(block.alt)[1:]
    return (
        f"#figure({'placement: auto, ' if floats else ''}caption: ["
        + caption
        + "], layout(room => {"
        f" let picture = image({literal(path)[1:]}, alt: {alt});"
        " let own = measure(picture);"
        " let share = calc.min(1, room.width / own.width, 0.8 * 25cm / own.height);"
        " block(width: own.width * share, picture) }))"
    )


def render_typst(
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
    """The whole document as Typst; ``figures`` maps the slug of a figure to its path."""
    name = literal(title)
    parts = [
        PREAMBLE,
        f"#set document(title: {name[1:]}, date: none)",
        f"#align(center, text(size: 17pt)[{name}])",
    ]
    parts.append(text(answer))
    parts += [] if lead is None else [_figure(lead, figures, floats=False)]
    parts.append(text(margin))

    def add(section: Section, level: int) -> None:
        parts.append(f"#heading(level: {level})[{literal(section.title)}]")
        parts.extend(_block(b, figures, max_rows) for b in section.blocks)
        for child in section.children:
            add(child, level + 1)

    for section in sections:
        add(section, 1)
    parts.append("#heading(level: 1)[References]")
    parts += [f"#par(hanging-indent: 1.5em)[{literal(e.full())}]" for e in bibliography]
    return "\n\n".join(p for p in parts if p) + "\n"


def write_pdf(source: str, folder: Path, target: Path) -> None:
    """Compile a document, whose figures lie in ``folder``, into ``target``.

    Raises
    ------
    MissingExtraError
        If typst is not installed.
    """
    try:
        import typst
    except ImportError as error:
        raise MissingExtraError("typst", "pdf") from error
    main = folder / "report.typ"
    main.write_text(source, "utf-8")
    with replacing(target) as (part,):
        typst.compile(str(main), output=str(part), root=str(folder), format="pdf")
