"""Inline text of reports: one string with private markers, rendered to plain text, HTML, Markdown or LaTeX.

Markers are characters of the private use area, so that escaping happens once, at rendering, and no
name of a model, ROI or subject can ever be taken for markup.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable

from apastats.printable import clean

__all__ = [
    "cite",
    "code",
    "factor_words",
    "name",
    "plain",
    "strong",
    "sym",
    "to_html",
    "to_latex",
    "to_markdown",
    "to_typst",
]

_OPEN = {"i": "\ue000", "n": "\ue002", "c": "\ue004", "b": "\ue006", "k": "\ue008"}
_CLOSE = {k: chr(ord(v) + 1) for k, v in _OPEN.items()}
_OPENS, _CLOSES = ({v: k for k, v in some.items()} for some in (_OPEN, _CLOSE))
_MARK = re.compile("([\ue000-\ue009])")


def sym(text: str) -> str:
    """Symbol of a statistic, in italics."""
    return f"{_OPEN['i']}{text}{_CLOSE['i']}"


def name(text: object) -> str:
    """Name from the data (model, ROI, subject): shown literally, isolated from the text around it."""
    return f"{_OPEN['n']}{clean(str(text))}{_CLOSE['n']}"


def cite(*keys: str) -> str:
    """Citation of one or several works in parentheses; nothing where there is none."""
    return f"{_OPEN['c']}{';'.join(keys)}{_CLOSE['c']}" if keys else ""


def strong(text: str) -> str:
    """Bold text."""
    return f"{_OPEN['b']}{text}{_CLOSE['b']}"


def code(text: object) -> str:
    """Machine text."""
    return f"{_OPEN['k']}{clean(str(text))}{_CLOSE['k']}"


def _render(
    text: str,
    escape: Callable[[str], str],
    wrap: dict[str, Callable[[str], str]],
    escape_name: Callable[[str], str] | None = None,
) -> str:
    """Escape the text between markers and wrap what stands between a pair of them (pairs may nest)."""
    if not _MARK.search(text):
        return escape(text)
    of: dict[str, Callable[[str], str]] = {
        "c": str,
        "n": escape_name or escape,
        "k": escape_name or escape,
    }
    stack: list[tuple[str, list[str]]] = [("", [])]
    for part in _MARK.split(text):
        if part in _OPENS:
            stack.append((_OPENS[part], []))
        elif part not in _CLOSES:
            stack[-1][1].append(of.get(stack[-1][0], escape)(part))
        elif len(stack) > 1:
            opened, parts = stack.pop()
            stack[-1][1].append(wrap[opened]("".join(parts)))
    return "".join("".join(parts) for _, parts in stack)


def _bidi(text: str) -> bool:
    return any(
        unicodedata.bidirectional(c) in ("R", "AL", "RLE", "RLO", "RLI", "LRE", "LRO", "LRI", "FSI")
        for c in text
    )


def isolate(text: str) -> str:
    """Name with first-strong isolates around it where it holds right-to-left text."""
    return f"\u2068{text}\u2069" if _bidi(text) else text


def plain(text: str, cited: Callable[[str], str] | None = None) -> str:
    """Bare string."""
    same = str
    return _render(
        text,
        same,
        {"i": same, "n": isolate, "b": same, "k": same, "c": cited or (lambda key: f"({key})")},
    )


def to_html(text: str, cited: Callable[[str], str]) -> str:
    """HTML; names become ``bdi`` elements."""
    return _render(
        text,
        html.escape,
        {
            "i": lambda s: f"<i>{s}</i>",
            "n": lambda s: f"<bdi>{s}</bdi>",
            "b": lambda s: f"<strong>{s}</strong>",
            "k": lambda s: f"<code>{s}</code>",
            "c": cited,
        },
    )


_MD_NAME = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$^&\"'=:@/])")
_MD_TEXT = re.compile(r"([\\`*_\[\]<>#|~$^&@])")


def escape_markdown(text: str) -> str:
    """Markdown in which every special character is literal."""
    return _MD_TEXT.sub(r"\\\1", text)


def escape_markdown_name(text: str) -> str:
    """As :func:`escape_markdown`, for text that may hold anything; a line break becomes a sign."""
    return _MD_NAME.sub(r"\\\1", text.replace("\n", " \u21b5 "))


def to_markdown(text: str, cited: Callable[[str], str]) -> str:
    """Markdown (CommonMark with pipe tables)."""
    return _render(
        text,
        escape_markdown,
        {"i": lambda s: f"*{s}*", "n": isolate, "b": lambda s: f"**{s}**", "k": str, "c": cited},
        escape_markdown_name,
    )


_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "-": r"{-}",
    "\u2212": r"\ensuremath{-}",
    "\u00a0": "~",
    "\u00b1": r"\ensuremath{\pm}",
    "\u00d7": r"\ensuremath{\times}",
    "\u2264": r"\ensuremath{\le}",
    "\u2265": r"\ensuremath{\ge}",
    "\u2013": "--",
    "\u2014": "---",
    "\u2018": "`",
    "\u2019": "'",
    "\u201c": "``",
    "\u201d": "''",
    "\u2026": r"\ldots{}",
    "\u00b7": r"\textperiodcentered{}",
    "\u2192": r"\ensuremath{\rightarrow}",
    "\u21b5": r"\ensuremath{\hookleftarrow}",
    "\u03b1": r"\ensuremath{\alpha}",
    "\u03c3": r"\ensuremath{\sigma}",
    "\u03c7": r"\ensuremath{\chi}",
    "\u00b2": r"\ensuremath{^2}",
    "\u221e": r"\ensuremath{\infty}",
    "\u03c1": r"\ensuremath{\rho}",
}


def escape_latex(text: str) -> str:
    """LaTeX in which every character is literal; what pdfTeX has no glyph for goes through a macro."""
    out = []
    for c in text:
        if c in _TEX:
            out.append(_TEX[c])
        elif c == "\n":
            out.append(_TEX["\u21b5"])
        elif c.isascii() or c in "äöüÄÖÜßéèêëàâáåçñóòôöúùûíìîïøØæÆÅÉ°µ":
            out.append(c)
        elif unicodedata.bidirectional(c) in (
            "LRE",
            "RLE",
            "PDF",
            "LRO",
            "RLO",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        ):
            out.append(rf"\apachar{{{ord(c):04X}}}{{}}")
        else:
            out.append(rf"\apachar{{{ord(c):04X}}}{{{c}}}")
    return "".join(out)


def escape_latex_name(text: str) -> str:
    """As :func:`escape_latex`, with places to break a word that is longer than a line should have to hold."""
    return " ".join(_breakable(word) for word in text.split(" "))


def _breakable(word: str) -> str:
    if len(word) <= 20:
        return escape_latex(word)
    parts = [word[i : i + 8] for i in range(0, len(word), 8)]
    return r"\allowbreak{}".join(escape_latex(p) for p in parts)


def to_latex(text: str, cited: Callable[[str], str]) -> str:
    """LaTeX; needs the preamble of the report for characters outside Latin-1."""
    return _render(
        text,
        escape_latex,
        {
            "i": lambda s: rf"\textit{{{s}}}",
            "n": lambda s: s,
            "b": lambda s: rf"\textbf{{{s}}}",
            "k": lambda s: rf"\texttt{{{s}}}",
            "c": cited,
        },
        escape_latex_name,
    )


def to_typst(text: str, literal: Callable[[str], str], cited: Callable[[str], str]) -> str:
    """Content of Typst; ``literal`` writes a text in which nothing is markup."""
    return _render(
        text,
        literal,
        {
            "i": lambda s: f"#emph[{s}]",
            "n": str,
            "b": lambda s: f"#strong[{s}]",
            "k": lambda s: f'#text(font: "DejaVu Sans Mono", size: 0.85em)[{s}]',
            "c": cited,
        },
    )


def factor_words(text: str) -> str:
    """A grouping factor for a reader: ``ROI``, ``subject \u00d7 ROI``."""
    return " \u00d7 ".join("ROI" if part == "roi" else name(part) for part in text.split(":"))
