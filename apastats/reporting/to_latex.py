"""Report as a LaTeX document: booktabs tables, its own reference list, no package beyond the common ones."""

from __future__ import annotations

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

__all__ = ["render_latex", "table_latex"]

PREAMBLE = r"""\documentclass[10pt,a4paper]{article}
\usepackage{iftex}
\ifPDFTeX
  \usepackage[T1]{fontenc}
  \usepackage[utf8]{inputenc}
  \usepackage{lmodern}
  \usepackage{textcomp}
  % characters that the fonts of pdfTeX lack are shown by their number
  \DeclareRobustCommand{\apachar}[2]{\texttt{U+#1}}
\else
  \usepackage{fontspec}
  \DeclareRobustCommand{\apachar}[2]{#2}
\fi
\usepackage[margin=2cm]{geometry}
\usepackage{array,booktabs,longtable,graphicx}
\usepackage[hidelinks]{hyperref}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.5\baselineskip}
\setlength{\LTcapwidth}{\textwidth}
\setlength{\tabcolsep}{4pt}
\emergencystretch=3em
% figures keep their size and shrink to the page where they are larger
\newsavebox{\apabox}
\newcommand{\apafigure}[1]{\sbox{\apabox}{\includegraphics{#1}}%
  \ifdim\wd\apabox>\linewidth\includegraphics[width=\linewidth,height=0.8\textheight,keepaspectratio]{#1}%
  \else\usebox{\apabox}\fi}
"""


def _cited(keys: str) -> str:
    return rf"\cite{{{keys.replace(';', ',')}}}"


def text(inline: str) -> str:
    """Inline text."""
    return markup.to_latex(inline, _cited)


def _heading(label: str) -> str:
    """Heading, its parts on lines of their own where it is long."""
    if len(label) <= 12 or ", " not in label:
        return text(heading(label))
    parts = [text(p) for p in heading(label).split(", ")]
    return r"\shortstack[r]{" + r",\\".join(parts) + "}"


def _widths(block: TableBlock, rows: list[list[str]]) -> list[int]:
    cells = [[max(c.label.split(", "), key=len) for c in block.columns], *rows]
    return [max(len(markup.plain(row[j])) for row in cells) for j in range(len(block.columns))]


def table_latex(block: TableBlock, max_rows: int, caption: str = "") -> str:
    """Longtable with booktabs rules; text columns wrap where they are long."""
    rows = block.rows(max_rows)
    widths = _widths(block, rows)
    shown = [min(w, 30) for w in widths]
    total = sum(shown) + 2 * len(shown)
    size = r"\footnotesize" if total <= 100 else r"\scriptsize" if total <= 125 else r"\tiny"
    room = {r"\footnotesize": 100, r"\scriptsize": 125}.get(size, max(total, 160))
    spec = []
    for column, width, cut in zip(block.columns, widths, shown, strict=True):
        if column.numeric:
            spec.append("r")
        elif width <= 16:
            spec.append("l")
        else:
            spec.append(rf">{{\raggedright\arraybackslash}}p{{{0.9 * cut / room:.3f}\textwidth}}")
    head = " & ".join(_heading(c.label) for c in block.columns) + r" \\"
    body = [" & ".join(text(cell) for cell in row) + r" \\" for row in rows]
    top = [rf"\caption*{{{caption}}}\\"] if caption else []
    return "\n".join(
        [
            rf"{{{size}",
            rf"\begin{{longtable}}{{@{{}}{''.join(spec)}@{{}}}}",
            *top,
            r"\toprule",
            head,
            r"\midrule",
            r"\endfirsthead",
            r"\toprule",
            head,
            r"\midrule",
            r"\endhead",
            r"\bottomrule",
            r"\endlastfoot",
            *body,
            r"\end{longtable}}",
        ]
    ).replace(r"\caption*{", r"\caption[]{")


class _Counter:
    def __init__(self, max_rows: int, figures: Mapping[str, str]) -> None:
        self.max_rows, self.figures = max_rows, figures


def _block(block: Block, count: _Counter) -> str:
    if isinstance(block, Paragraph):
        body = text(block.text)
        return rf"\begin{{quote}}{body}\end{{quote}}" if block.tone else body
    if isinstance(block, Listing):
        items = "\n".join(rf"\item {{}}{text(i)}" for i in block.items)
        return f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}"
    if isinstance(block, Code):
        lines = [
            markup.escape_latex_name(line).replace(" ", "~")
            for line in clean(block.text).rstrip().split("\n")
        ]
        body = "\n".join(rf"\mbox{{}}{line}\\" for line in lines)
        return f"{{\\footnotesize\\ttfamily\\raggedright\n{body}\n\\par}}"
    if isinstance(block, TableBlock):
        left = len(block.frame) - count.max_rows
        more = f" The first {count.max_rows} of {len(block.frame)} rows." if left > 0 else ""
        return table_latex(block, count.max_rows, text(block.caption) + more)
    if isinstance(block, Texts):
        return ""
    return _figure(block, count)


def _figure(block: FigureBlock, count: _Counter) -> str:
    path = count.figures.get(block.slug)
    graphic = (
        rf"\apafigure{{{path}}}" if path else rf"\fbox{{figure: {markup.escape_latex(block.slug)}}}"
    )
    return "\n".join(
        [
            r"\begin{figure}[htbp]",
            r"\centering",
            graphic,
            rf"\caption[]{{{text(block.caption)}}}",
            r"\end{figure}",
        ]
    )


def render_latex(
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
    """The whole document; ``figures`` maps the slug of a figure to its path."""
    count = _Counter(max_rows, figures)
    parts = [
        PREAMBLE,
        rf"\title{{{markup.escape_latex_name(clean(title))}}}",
        r"\author{}",
        r"\date{}",
    ]
    parts += [r"\begin{document}", r"\maketitle", text(answer)]
    parts += [] if lead is None else [_block(lead, count)]
    parts.append(text(margin))
    for section in sections:
        parts.append(rf"\section{{{markup.escape_latex(section.title)}}}")
        parts += [_block(b, count) for b in section.blocks]
        for child in section.children:
            parts.append(rf"\subsection{{{markup.escape_latex(child.title)}}}")
            parts += [_block(b, count) for b in child.blocks]
        # figures stay in their section
        parts.append(
            r"\clearpage"
            if any(isinstance(b, FigureBlock) for c in section.children for b in c.blocks)
            else ""
        )
    parts.append(r"\begin{thebibliography}{99}")
    for e in bibliography:
        parts.append(
            rf"\bibitem[{markup.escape_latex(e.short())}]{{{e.key}}} {markup.escape_latex(e.full())}"
        )
    parts += [r"\end{thebibliography}", r"\end{document}"]
    return "\n\n".join(p for p in parts if p) + "\n"
