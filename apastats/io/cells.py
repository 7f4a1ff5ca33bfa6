"""Cells of a column: labels as text, to the letter, and numbers with one list of codes for missing ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import DataError
from apastats.io.columns import MISSING

__all__ = ["constant", "labels", "look", "numbers", "void"]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
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
            if value is None or value is pd.NaT or value is pd.NA or value != value:
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


def _label(value: Any) -> tuple[str, str]:
    """Text of a label, and what was done to it."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value.strip(), "" if value == value.strip() else "blanks"
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
            f"{where(row)}: column {name!r} has no label{more}; a label is text, and never missing"
        )
    notes = []
    padded = [v for v, (_, done) in zip(values, made, strict=True) if done == "blanks"]
    if padded:
        joined = sum(v.strip() in set(values) for v in padded)
        same = f"; {joined} of them equal another label without" if joined else ""
        notes.append(
            f"{name}: blanks around {len(padded)} labels removed, e.g. {padded[0]!r}{same}"
        )
    whole = [v for v, (_, done) in zip(values, made, strict=True) if done == "whole"]
    if whole:
        notes.append(
            f"{name}: numbers with a point read as whole, e.g. {whole[0]} as '{int(whole[0])}'"
        )
    dtype = pd.CategoricalDtype(pd.Index(texts, dtype="str"))
    return pd.Series(
        pd.Categorical.from_codes(codes, dtype=dtype, validate=False), copy=False
    ), notes


def numbers(column: pd.Series, name: str, where: Where, decimal: str = ".") -> pd.Series:
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
        Decimal mark of text.

    Returns
    -------
    pandas.Series
        NaN where a value is missing.

    Raises
    ------
    DataError
        If a cell is no number; row and cell are named.
    """
    kind = getattr(column.dtype, "kind", "O")
    if kind in "iuf" and not isinstance(column.dtype, pd.CategoricalDtype):
        values = column.to_numpy(dtype="f8", na_value=np.nan)
        return pd.Series(values, index=column.index)
    if kind in "bcmM":
        what = {"b": "true and false", "c": "complex numbers"}.get(kind, "dates or times")
        raise DataError(f"{where(0)}: column {name!r} must be numbers; it holds {what}")
    codes, cells = _levels(column)
    parsed = np.full(len(cells) + 1, np.nan)
    for i, value in enumerate(cells):
        number = _parse(value, decimal)
        if number is None:
            row = int((codes == i).argmax())
            raise DataError(
                f"{where(row)}: column {name!r} must be numbers, and holds {value!r}. Missing values are "
                f"written as one of {list(MISSING)}; decimal= names another mark, keys= makes a column labels"
            )
        parsed[i] = number
    return pd.Series(parsed[codes], index=column.index)


def _parse(value: Any, decimal: str) -> float | None:
    """Number of a cell, NaN for a code of a missing one, None for anything else."""
    if isinstance(value, str):
        text = value.strip()
        if text in _MISSING:
            return np.nan
        if decimal != ".":
            text = text.replace(decimal, ".") if "." not in text else "no number"
        if _NUMBER.fullmatch(text) or _INFINITE.fullmatch(text):
            return float(text)
        return None
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
    # text such as 007 is a label
    if any(isinstance(v, str) and re.fullmatch(r"\s*0\d+\s*", v) for v in filled):
        return "text"
    found = [_parse(v, decimal) for v in filled]
    if any(v is None for v in found):
        if all(hasattr(v, "isoformat") for v in filled):
            return "date"
        return "mixed" if sum(v is not None for v in found) > len(found) / 2 else "text"
    return "whole" if all(v is not None and float(v).is_integer() for v in found) else "number"


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
