"""Text from the data as it may be printed: no control characters, no markers of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["clean", "counted", "spreadsheet_safe"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for the beginning of one

_PRIVATE = re.compile("[\ue000-\uf8ff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def counted(count: int, noun: str) -> str:
    """``1 problem``, ``2 problems``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def clean(text: str) -> str:
    """Text without characters that XML forbids (shown as control pictures) and without our markers."""

    def visible(match: re.Match[str]) -> str:
        c = ord(match.group())
        return chr(0x2400 + c) if c < 32 else "\u2421" if c == 127 else "\ufffd"

    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _PRIVATE.sub("\ufffd", _CONTROL.sub(visible, text))


def _different(cells: pd.Series) -> Iterable[Any]:
    """Values of a column once each, as far as they can be told apart."""
    try:
        return cells.unique()
    except TypeError:
        return cells


def spreadsheet_safe(frame: pd.DataFrame) -> pd.DataFrame:
    """Table whose texts a spreadsheet takes for text: ``=1+1`` as ``'=1+1``; numbers stay, negative ones too."""

    def safe(value: Any) -> Any:
        # a lone sign is no formula, and "-" is the layer of a model that has none
        if not isinstance(value, str) or not value.startswith(_FORMULA) or len(value.strip()) < 2:
            return value
        try:
            float(value)
        except ValueError:
            return f"'{value}"
        return value

    out = frame.rename(columns=safe)
    for i, kind in enumerate(frame.dtypes):
        if kind.kind not in "biufcmM":
            cells = frame.iloc[:, i]
            if any(safe(v) is not v for v in _different(cells)):
                out.isetitem(i, list(cells.astype(object).map(safe)))
    return out
