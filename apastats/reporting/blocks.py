"""What a report consists of, whatever it is rendered to: sections of paragraphs, lists, tables, figures and code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

if TYPE_CHECKING:
    pass

__all__ = [
    "Block",
    "Code",
    "Column",
    "FigureBlock",
    "Listing",
    "Paragraph",
    "Section",
    "TableBlock",
    "Texts",
]


@dataclass(frozen=True)
class Paragraph:
    """Inline text (see markup); ``tone`` is "", "note" or "caution"."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Listing:
    """List of inline texts."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """Verbatim text, e.g. a command or a study file."""

    text: str
    label: str


@dataclass(frozen=True)
class Column:
    """Column of a table: heading and the text of a cell, from the row as a mapping."""

    label: str
    text: Callable[[Mapping[str, Any]], str]
    numeric: bool = False


@dataclass(frozen=True, eq=False)
class TableBlock:
    """Table: the frame with nothing rounded, and the columns shown."""

    slug: str
    caption: str
    frame: pd.DataFrame
    columns: Sequence[Column]

    def rows(self, limit: int | None = None) -> list[list[str]]:
        """Texts of the cells, inline text (see markup)."""
        shown = self.frame if limit is None else self.frame.head(limit)
        records = shown.to_dict(orient="records")
        return [[c.text({str(k): v for k, v in r.items()}) for c in self.columns] for r in records]


@dataclass(frozen=True, eq=False)
class FigureBlock:
    """Figure: a function that draws it, its caption, its description for those who cannot see it, its data."""

    slug: str
    caption: str
    alt: str
    make: Callable[[], Any]
    data: pd.DataFrame
    n_mark: int = 0


@dataclass(frozen=True)
class Texts:
    """Texts to copy, by format (``text, md, tex``); a page offers them, other formats have them already."""

    slug: str
    label: str
    texts: Mapping[str, str]


Block: TypeAlias = Paragraph | Listing | Code | TableBlock | FigureBlock | Texts


@dataclass(frozen=True)
class Section:
    """Section of a report; ``gist`` says in a line what it holds."""

    slug: str
    title: str
    blocks: tuple[Block, ...] = ()
    children: tuple[Section, ...] = ()
    gist: str = ""
