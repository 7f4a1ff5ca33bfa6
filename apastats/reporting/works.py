"""The works that methods of this package come from."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from importlib import resources

__all__ = ["WORKS", "Reference"]


@dataclass(frozen=True)
class Reference:
    """One work.

    Attributes
    ----------
    key : str
        BibTeX key.
    kind : str
        BibTeX entry type.
    authors : tuple of str
        ``"Family, Given"``.
    year : int
    title : str
    fields : dict
        Other BibTeX fields.
    """

    key: str
    kind: str
    authors: tuple[str, ...]
    year: int
    title: str
    fields: dict[str, str] = field(default_factory=dict)

    def short(self) -> str:
        """``Nili et al., 2014``."""
        families = [a.split(",")[0] for a in self.authors]
        if len(families) == 1:
            who = families[0]
        elif len(families) == 2:
            who = f"{families[0]} & {families[1]}"
        else:
            who = f"{families[0]} et al."
        return f"{who}, {self.year}"

    def full(self) -> str:
        """Entry of a reference list, plain text."""
        names = [_initials(a) for a in self.authors]
        if names[-1] == "others":
            who = ", ".join(names[:-1]) + ", et al."
        else:
            who = names[0] if len(names) == 1 else f"{', '.join(names[:-1])}, & {names[-1]}"
        f = self.fields
        where = f.get("journal") or f.get("booktitle") or f.get("publisher") or f.get("note", "")
        if "volume" in f:
            where += f", {f['volume']}" + (f"({f['number']})" if "number" in f else "")
        if "pages" in f:
            where += ", " + f["pages"].replace("--", "\u2013")
        doi = f" https://doi.org/{f['doi']}" if "doi" in f else f" {f['url']}" if "url" in f else ""
        return f"{who} ({self.year}). {self.title.rstrip('.')}. {where}.{doi}"

    def bibtex(self) -> str:
        """BibTeX entry, ASCII."""
        rows = [
            ("author", " and ".join(self.authors)),
            ("title", f"{{{self.title}}}"),
            *self.fields.items(),
        ]
        body = [f"  {k} = {{{_ascii(v)}}}," for k, v in rows]
        return "\n".join([f"@{self.kind}{{{self.key},", *body, f"  year = {{{self.year}}}", "}"])


_ACCENTS = {
    "\u00e4": '{\\"a}',
    "\u00f6": '{\\"o}',
    "\u00fc": '{\\"u}',
    "\u00eb": '{\\"e}',
    "\u00e1": "{\\'a}",
    "\u00e9": "{\\'e}",
    "\u0160": "{\\v S}",
    "\u0161": "{\\v s}",
    "\u011b": "{\\v e}",
    "\u2013": "--",
}


def _ascii(text: str) -> str:
    for c, tex in _ACCENTS.items():
        text = text.replace(c, tex)
    return text.replace("&", r"\&")


def _initials(author: str) -> str:
    family, _, given = author.partition(", ")
    if not given:
        return family
    letters = [f"{g[0]}." for g in re.split(r"[ -]", given) if g]
    return f"{family}, {' '.join(letters)}"


def _read() -> dict[str, Reference]:
    text = (resources.files("apastats.reporting") / "templates" / "works.toml").read_text("utf-8")
    works = {}
    for key, entry in tomllib.loads(text).items():
        kind, authors, year, title = (entry.pop(k) for k in ("kind", "authors", "year", "title"))
        works[key] = Reference(key, kind, tuple(authors), year, title, entry)
    return works


WORKS = _read()
