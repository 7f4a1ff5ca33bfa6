"""Cells of a column: labels as text, to the letter, and numbers with one list of codes for missing ones."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import DataError
from apastats.io.columns import MISSING
from apastats.io.number_text import Marks, fold, parse

__all__ = ["constant", "labels", "look", "numbers", "void"]

_BLANKS = re.compile(r"[+-]?\d{1,3}( \d{3})+([.,]\d+)?")
_MISSING = frozenset(MISSING)
Where = Callable[[int], str]


def _levels(column: pd.Series) -> tuple[np.ndarray, list[Any]]:
    """Codes (-1: no value) and distinct values of a column; 1 and True, 1 and 1.0 stay apart."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.array.codes, list(column.cat.categories)
    if column.dtype == object:
        values = column.tolist()
        first: dict[tuple[type, str], int] = {}
        found: list[Any] = []
        codes = np.empty(len(values), dtype=np.intp)
        for i, value in enumerate(values):
            if _nothing(value):
                codes[i] = -1
                continue
            key = (type(value), repr(value))
            if key not in first:
                first[key] = len(found)
                found.append(value)
            codes[i] = first[key]
        return codes, found
    codes, uniques = pd.factorize(column)
    return codes, list(uniques)


def _nothing(value: Any) -> bool:
    """Whether an object stands for no value: None, NaN, NaT, NA."""
    if value is None or value is pd.NaT or value is pd.NA:
        return True
    try:
        return bool(value != value)
    except (ValueError, TypeError):  # a list or an array in a cell is something
        return False


def _label(value: Any) -> tuple[str, str]:
    """Text of a label, and what was done to it."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        text = value.strip()
        # a letter and its mark may be one character or two that look the same; other characters stay as they are
        if not text.isascii() and any(map(unicodedata.combining, text)):
            whole = unicodedata.normalize("NFC", text)
            return whole, "letters" if whole != text else "" if value == text else "blanks"
        return text, "" if value == text else "blanks"
    if isinstance(value, datetime) and not any(
        (value.hour, value.minute, value.second, value.microsecond)
    ):
        return value.date().isoformat(), "midnight"
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value)), "whole"
    return str(value), ""


def labels(column: pd.Series, name: str, where: Where) -> tuple[pd.Series, list[str]]:
    """A column of labels as text.

    Parameters
    ----------
    column : pandas.Series
        Of any type.
    name : str
        Its name in the table.
    where : callable
        From the number of a row to words, for messages.

    Returns
    -------
    pandas.Series
        Categories of text: to the letter, without blanks around them; whole numbers without a point.
    list of str
        What was changed.

    Raises
    ------
    DataError
        If a label is empty; its row is named.
    """
    codes, values = _levels(column)
    for code, value in enumerate(values):
        nested = isinstance(value, (list, dict, tuple, set, np.ndarray))
        if nested or (isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value)):
            row = int(np.argmax(np.asarray(codes) == code))
            what = "several values" if nested else "half a character"
            raise DataError(
                f"{where(row)}: column {name!r} holds {what} in a cell; a label is text"
            )
    made = [_label(v) for v in values]
    texts = list(dict.fromkeys(t for t, _ in made))
    position = {t: i for i, t in enumerate(texts)}
    moved = np.array([position[t] for t, _ in made], dtype=np.int32)
    if len(texts) != len(values):
        codes = np.where(codes < 0, -1, moved[codes] if len(moved) else -1).astype(np.int32)
    empty = codes < 0
    if "" in position:
        empty = empty | (codes == position[""])
    if empty.any():
        row = int(empty.argmax())
        more = f" ({int(empty.sum())} such rows)" if empty.sum() > 1 else ""
        raise DataError(
            f"{where(row)}: column {name!r} has no label{more}; a label is text, and never missing. {_cure(name)}"
        )
    notes = _changed(name, values, made)
    alike = _alike(texts)
    if alike is not None:
        notes.append(
            f"{name}: {alike[0]!r} and {alike[1]!r} differ in capitals, zeros or blanks alone, and are two labels"
        )
    dtype = pd.CategoricalDtype(pd.Index(texts, dtype="str"))
    return pd.Series(
        pd.Categorical.from_codes(codes, dtype=dtype, validate=False), copy=False
    ), notes


def _cure(name: str) -> str:
    """What to do about a row without a label."""
    rows = "Rows of units, of totals and of notes have to be removed"
    if name != "model":
        return rows
    return (
        f"{rows}; rows of brains name what predicts: 'others' of kind leave_one_out, a subject of kind "
        "subject_to_subject"
    )


def _changed(name: str, values: list[Any], made: list[tuple[str, str]]) -> list[str]:
    """What was done to labels, in words."""
    notes = []
    of = {k: [v for v, (_, done) in zip(values, made, strict=True) if done == k]
          for k in ("blanks", "whole", "letters", "midnight")}  # fmt: skip
    if of["blanks"]:
        joined = sum(v.strip() in set(values) for v in of["blanks"])
        same = f"; {joined} of them equal another label without" if joined else ""
        notes.append(
            f"{name}: blanks around {len(of['blanks'])} labels removed, e.g. {of['blanks'][0]!r}{same}"
        )
    if of["whole"]:
        first = of["whole"][0]
        notes.append(f"{name}: numbers with a point read as whole, e.g. {first} as '{int(first)}'")
    if of["letters"]:
        notes.append(
            f"{name}: letters of two characters written as one in {len(of['letters'])} labels, e.g. "
            f"{_label(of['letters'][0])[0]!r}"
        )
    if of["midnight"]:
        notes.append(f"{name}: times at midnight read as days, e.g. {_label(of['midnight'][0])[0]}")
    return notes


def plain_label(text: str) -> str:
    """A label without what the eye does not see: capitals, blanks, dashes, wide and invisible characters."""
    import unicodedata

    plain = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\s_-]+", "", "".join(c for c in plain if unicodedata.category(c) != "Cf"))


def _alike(texts: list[str]) -> tuple[str, str] | None:
    """Two labels that differ in capitals, leading zeros of numbers or blanks alone."""
    seen: dict[str, str] = {}
    for text in texts:
        key = re.sub(r"0+(?=\d)", "", plain_label(text))
        if (other := seen.setdefault(key, text)) != text:
            return other, text
    return None


def numbers(
    column: pd.Series, name: str, where: Where, decimal: str = ".", *, score: bool = True
) -> tuple[pd.Series, list[str]]:
    """A column of numbers as float64.

    Parameters
    ----------
    column : pandas.Series
        Numbers, or text of numbers and codes for missing ones.
    name : str
        Its name.
    where : callable
        From the number of a row to words, for messages.
    decimal : str
        Marks of text, as for :class:`apastats.io.number_text.Marks`.
    score : bool
        Whether the column is one of scores, which cannot be left out.

    Returns
    -------
    pandas.Series
        NaN where a value is missing.
    list of str
        What was done to marks and signs.

    Raises
    ------
    DataError
        If a cell is no number; row and cell are named.
    """
    kind = getattr(column.dtype, "kind", "O")
    if kind in "iuf" and not isinstance(column.dtype, pd.CategoricalDtype):
        values = column.to_numpy(dtype="f8", na_value=np.nan)
        return pd.Series(values, index=column.index), []
    if kind in "bcmM":
        what = {"b": "true and false", "c": "complex numbers"}.get(kind, "dates or times")
        raise DataError(f"{where(0)}: column {name!r} must be numbers; it holds {what}")
    codes, cells = _levels(column)
    marks = _marks(cells, decimal)
    parsed = np.full(len(cells) + 1, np.nan)
    for i, value in enumerate(cells):
        number = _parse(value, marks)
        if number is None:
            raise DataError(_no_number(where, codes == i, name, value, marks, score=score))
        parsed[i] = number
    shares = [isinstance(v, str) and v.rstrip().endswith("%") for v in cells]
    if any(shares):
        others = [not s and not np.isnan(x) for s, x in zip(shares, parsed[:-1], strict=True)]
        if any(others):
            row = int((codes == others.index(True)).argmax())
            raise DataError(
                f"{where(row)}: column {name!r} holds {cells[others.index(True)]!r} without and "
                f"{cells[shares.index(True)]!r} with a percent sign; write all in one way"
            )
    return pd.Series(parsed[codes], index=column.index), _marks_read(cells, parsed, name, marks)


def _marks(cells: list[Any], decimal: str) -> Marks:
    """Marks of the cells: where one of them shows that thousands are parted, all are read so."""
    marks = Marks(decimal)
    if not marks.thousands and any(isinstance(v, str) and marks.seen(fold(v)) for v in cells):
        return Marks(marks.decimal + marks.other)
    return marks


def _marks_read(cells: list[Any], parsed: np.ndarray, name: str, marks: Marks) -> list[str]:
    """What was taken for what in numbers that are not written plainly."""
    notes = []
    for what, found in (
        ("marks of thousands left out", lambda v: marks.other in v and marks.plain(v) != v),
        ("minus signs and blanks of other kinds read", lambda v: not v.isascii()),
        ("percent read as shares", lambda v: v.rstrip().endswith("%")),
    ):
        for value, number in zip(cells, parsed[:-1], strict=True):
            if isinstance(value, str) and not np.isnan(number) and found(value):
                notes.append(f"{name}: {what}, e.g. {value.strip()!r} as {number:g}")
                break
    return notes


def _no_number(
    where: Where, rows: np.ndarray, name: str, value: Any, marks: Marks, *, score: bool
) -> str:
    """Why a cell is refused, and what would read it."""
    if isinstance(value, str) and marks.grouped(fold(value)):
        way = (
            f"{marks.other!r} may be a decimal mark or part thousands: decimal={marks.other!r}, or "
            f"decimal={marks.decimal!r} for thousands"
        )
    elif isinstance(value, str) and _BLANKS.fullmatch(fold(value)):
        way = "two numbers, or one with a blank between thousands: write it without the blank"
    else:
        way = f"Missing values are written as one of {list(MISSING)}; decimal= names another mark"
        if not score:
            way += f", ignore=[{name!r}] leaves the column out"
        way += f", keys=[{name!r}] makes it labels" if not score else ""
        if rows[0] and not rows[1:].any() and not re.search(r"\d", str(value)):
            way += "; a row of units under the header has to be removed"
    row = int(rows.argmax())
    return f"{where(row)}: column {name!r} must be numbers, and holds {value!r}. {way}"


def _parse(value: Any, marks: Marks) -> float | None:
    """Number of a cell, NaN for a code of a missing one, None for anything else."""
    if isinstance(value, str):
        return parse(value, marks)
    if isinstance(value, (bool, np.bool_, complex, np.complexfloating, bytes)):
        return None
    try:
        return float(value)  # whole numbers, decimals, fractions
    except (TypeError, ValueError):
        return None


def _look_of_numbers(values: np.ndarray) -> str:
    values = values[~np.isnan(values)]
    if not len(values):
        return "empty"
    with np.errstate(invalid="ignore"):
        return "whole" if (values == np.floor(values)).all() else "number"


def look(column: pd.Series, decimal: str = ".") -> str:
    """What a column holds: ``whole``, ``number``, ``mixed`` (more numbers than text), ``text``, ``date`` or ``empty``.

    Parameters
    ----------
    column : pandas.Series
    decimal : str
        Decimal mark of text.
    """
    kind = getattr(column.dtype, "kind", "O")
    if kind in "iuf" and not isinstance(column.dtype, pd.CategoricalDtype):
        return _look_of_numbers(column.to_numpy(dtype="f8", na_value=np.nan))
    if kind in "mM":
        return "date"
    if kind in "bc":
        return "text"
    codes, distinct = _levels(column)
    used = np.bincount(codes.astype(np.intp) + 1, minlength=len(distinct) + 1)[1:]
    cells = [v for v, count in zip(distinct, used, strict=True) if count]
    filled = [v for v in cells if not (isinstance(v, str) and v.strip() in _MISSING)]
    if not filled:
        return "empty"
    return _look_of_cells(filled, decimal)


def _look_of_cells(filled: list[Any], decimal: str) -> str:
    """What distinct cells hold that are not missing."""
    # text such as 007 is a label
    if any(isinstance(v, str) and re.fullmatch(r"\s*0\d+\s*", v) for v in filled):
        return "text"
    marks = _marks(filled, decimal)
    found = [_parse(v, marks) for v in filled]
    if all(v is not None for v in found):
        return "whole" if all(float(v).is_integer() for v in found if v is not None) else "number"
    if all(hasattr(v, "isoformat") for v in filled):
        return "date"
    # 1,234 beside 987: numbers whose marks are a riddle, which is asked rather than taken for text
    left = [v for v, x in zip(filled, found, strict=True) if x is None]
    if all(isinstance(v, str) and _riddle(fold(v), marks) for v in left):
        return "mixed"
    return "mixed" if sum(v is not None for v in found) > len(found) / 2 else "text"


def _riddle(text: str, marks: Marks) -> bool:
    """Whether digits are parted in a way that may mean two things: ``1,234``, ``1 234``."""
    return marks.grouped(text) or _BLANKS.fullmatch(text) is not None


def void(column: pd.Series) -> np.ndarray:
    """Boolean, one per row: True where a cell holds nothing, or blanks alone."""
    if getattr(column.dtype, "kind", "O") != "O" and column.dtype != "str":
        return np.asarray(column.isna())
    codes, values = _levels(column)
    blank = [i for i, v in enumerate(values) if isinstance(v, str) and not v.strip()]
    empty = np.asarray(codes < 0)
    return empty | np.isin(codes, blank) if blank else empty


def constant(label: str, n: int) -> pd.Categorical:
    """One label on every row."""
    dtype = pd.CategoricalDtype(pd.Index([label], dtype="str"))
    return pd.Categorical.from_codes(np.zeros(n, np.int8), dtype=dtype)
