"""Numbers as people and programs write them: minus signs, decimal marks, marks of thousands, percent."""

from __future__ import annotations

import re

import numpy as np

from apastats.io.columns import MISSING

__all__ = ["NUMBER", "Marks", "fold", "parse"]

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_MISSING = frozenset(MISSING)
# dashes that word processors and typesetters put before a number
_MINUS = str.maketrans(dict.fromkeys("−‐‑‒–﹣－", "-"))
# blanks that only stand between the thousands of one number, and apostrophes
_THIN = "\u00a0\u2007\u2008\u2009\u202f'’"
_THIN_GROUPS = re.compile(rf"[+-]?\d{{1,3}}([{_THIN}]\d{{3}})+([.,]\d+)?")


class Marks:
    """Marks of a column of text: the decimal mark, and whether the other one may part thousands.

    Parameters
    ----------
    decimal : str
        ``"."`` or ``","``; followed by the other mark where that one is known to part thousands.
    """

    def __init__(self, decimal: str) -> None:
        self.decimal = decimal[0]
        self.other = "," if self.decimal == "." else "."
        self.thousands = len(decimal) > 1
        d, o = re.escape(self.decimal), re.escape(self.other)
        groups = rf"[+-]?[1-9]\d{{0,2}}({o}\d{{3}})"
        self._one = re.compile(rf"{groups}+")
        # 1,234.5 and 1,234,567 can be read in one way
        self._plain = re.compile(rf"{groups}+{d}\d*|{groups}{{2,}}")

    def seen(self, text: str) -> bool:
        """Whether a number shows by itself that the other mark parts thousands."""
        return self._plain.fullmatch(text) is not None

    def grouped(self, text: str) -> bool:
        """Whether the other mark stands where it would part thousands: ``1,234``."""
        return self._one.fullmatch(text) is not None

    def plain(self, text: str) -> str:
        """The text with a decimal point and without marks of thousands; as it is where that cannot be."""
        if self.seen(text) or (self.thousands and self.grouped(text)):
            text = text.replace(self.other, "")
        elif self.decimal != "." and "." in text:
            return "no number"
        return text.replace(self.decimal, ".")


def fold(text: str) -> str:
    r"""A number with an ordinary minus sign, and without thin blanks and apostrophes between thousands.

    Examples
    --------
    >>> fold("−0.31"), fold("1\u202f234,5"), fold("1’234’567")
    ('-0.31', '1234,5', '1234567')
    """
    text = text.strip()
    if text.isascii() and "'" not in text:
        return text
    text = text.translate(_MINUS)
    return re.sub(f"[{_THIN}]", "", text) if _THIN_GROUPS.fullmatch(text) else text


def parse(text: str, marks: Marks) -> float | None:
    """Number of a text, NaN for a code of a missing one, None for anything else.

    Examples
    --------
    >>> [parse(t, Marks(".")) for t in ("1,234.5", "−.5", "12%", "n/a", "1,234", "x")]
    [1234.5, -0.5, 0.12, nan, None, None]
    """
    text = text.strip()
    if text in _MISSING or (text := fold(text)) in _MISSING:
        return np.nan
    share = text.endswith("%")
    number = marks.plain(text[:-1].rstrip() if share else text)
    if not (NUMBER.fullmatch(number) or (_INFINITE.fullmatch(number) and not share)):
        return None
    if share:  # 12.3 % is the number nearest to 0.123
        return float(f"{number}e-2") if "e" not in number.lower() else float(number) / 100
    return float(number)
