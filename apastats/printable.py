"""Text from the data as it may be printed: no control characters, no markers of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["all_of", "clean", "counted", "csv_text", "finding", "spreadsheet_safe"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for the beginning of one

_PRIVATE = re.compile("[\ue000-\uf8ff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


# what a Python user may type next stands after it in a warning; readers of a report have no options
ADVICE = "; in Python: "


def finding(text: str) -> str:
    """A warning or note without what to type next, as a report tells it."""
    return text.partition(ADVICE)[0]


def counted(count: int, noun: str, plural: str = "") -> str:
    """``1 problem``, ``2 problems``."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def all_of(items: Sequence[str], last: str = "and") -> str:
    """``a, b and c``."""
    parts = list(items)
    if len(parts) < 2:
        return parts[0] if parts else ""
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


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
    out = frame.rename(columns=_safe)
    for i, kind in enumerate(frame.dtypes):
        if kind.kind not in "biufcmM":
            cells = frame.iloc[:, i]
            if any(_safe(v) is not v for v in _different(cells)):
                out.isetitem(i, list(cells.astype(object).map(_safe)))
    return out


def _safe(value: Any) -> Any:
    # a lone sign is no formula, and "-" is the layer of a model that has none
    if not isinstance(value, str) or not value.startswith(_FORMULA) or len(value.strip()) < 2:
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def csv_text(frame: pd.DataFrame) -> str:
    """Table as csv, its texts safe in a spreadsheet: the characters of ``DataFrame.to_csv`` in half its time."""
    columns = (
        [] if len(frame) < _LONG else [_cells(frame.iloc[:, i]) for i in range(frame.shape[1])]
    )
    if len(columns) < 2 or any(c is None for c in columns):
        return str(spreadsheet_safe(frame).to_csv(index=False, lineterminator="\n"))
    head = str(spreadsheet_safe(frame.iloc[:0]).to_csv(index=False, lineterminator="\n"))
    lines = map(",".join, zip(*(c for c in columns if c is not None), strict=True))
    return head + "\n".join(lines) + "\n"


_LONG = 1000  # rows, from which on it is worth it


def _cells(column: pd.Series) -> list[str] | None:
    """Texts of a column as a csv has them; None for what is neither number nor text."""
    import numpy as np
    import pandas as pd

    kind = column.dtype
    if isinstance(kind, np.dtype) and kind.kind == "f" and kind.itemsize == 8:
        values = column.to_numpy()
        texts = list(map(repr, values.tolist()))
        for i in np.flatnonzero(np.isnan(values)):
            texts[i] = ""
        return texts
    if isinstance(kind, np.dtype) and kind.kind in "iub":
        return list(map(str, column.tolist()))
    if not isinstance(kind, pd.StringDtype):
        return None
    codes, levels = pd.factorize(column)
    # the value of what is missing, -1, comes last
    written = np.array([*(_quoted(_safe(v)) for v in levels), ""], dtype=object)
    found: list[str] = written[codes].tolist()
    return found


def _quoted(text: str) -> str:
    """Text of one cell, in quotes where it needs them."""
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([text, ""])
    return out.getvalue()[:-2]
