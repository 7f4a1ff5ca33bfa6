"""Two folders of one study, file by file: what a person reads or cites there, and where it differs."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats.words import read_json

__all__ = ["Difference", "Measure", "compare_files"]

MOST_NAMED = 3  # differences of one file that are written out; the rest is counted
MOST_WORDS = 5000  # a longer stretch of changed words is not aligned


@dataclass(frozen=True)
class Difference:
    """One result or file that is not the same, and where."""

    result: str
    what: str


@dataclass(frozen=True)
class Measure:
    """What counts as the same number.

    Attributes
    ----------
    tolerance : float or None
        None: bit for bit. Otherwise the largest difference, as a share of the largest number of the column or array.
    drawings : bool
        Whether lines and marks of figures are compared too, beside the words in them.
    """

    tolerance: float | None = None
    drawings: bool = True

    def same(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Which numbers of two arrays of one shape are the same; NaN is the same as NaN."""
        equal = (a == b) | (np.isnan(a) & np.isnan(b))
        if self.tolerance is None:
            # 0.0 and -0.0 are two numbers here
            return equal & (np.signbit(a) == np.signbit(b)) if a.dtype.kind == "f" else equal
        sizes = np.abs(np.concatenate([a.ravel(), b.ravel()]))
        finite = sizes[np.isfinite(sizes)]
        largest = float(finite.max()) if finite.size else 0.0
        with np.errstate(invalid="ignore"):
            return equal | (np.abs(a - b) <= self.tolerance * largest)


def compare_files(old: Path, new: Path, name: str, measure: Measure) -> list[Difference]:
    """Differences of one file in two folders; ``old`` may hold damaged files."""
    a, b = old / name, new / name
    try:
        if a.read_bytes() == b.read_bytes():
            return []
        kind = _READERS.get(a.suffix)
        if kind is None:
            return [Difference(name, "differs")] if measure.drawings else []
        return list(kind(name, a, b, measure))
    except Exception as error:  # anything may be in a damaged file
        lines = str(error).splitlines() or [type(error).__name__]
        return [Difference(name, f"cannot be read ({lines[0][:120]})")]


def _listed(found: Sequence[str]) -> str:
    more = len(found) - MOST_NAMED
    return "; ".join(found[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _csv(name: str, a: Path, b: Path, measure: Measure) -> Iterator[Difference]:
    old, new = (pd.read_csv(p, dtype=str, keep_default_na=False) for p in (a, b))
    found = frame_differences(old, new, measure)
    if found:
        yield Difference(name, found)
    elif measure.tolerance is None:
        yield Difference(name, "is written differently")


def _parquet(name: str, a: Path, b: Path, measure: Measure) -> Iterator[Difference]:
    found = frame_differences(pd.read_parquet(a), pd.read_parquet(b), measure)
    parts = Path(name).parts
    result = parts[1] if len(parts) > 2 else Path(name).stem
    if found:
        yield Difference(result, f"{found} (in {name})")


def frame_differences(old: pd.DataFrame, new: pd.DataFrame, measure: Measure) -> str:
    """Columns and cells that differ, in words; empty where none does."""
    if list(old.columns) != list(new.columns) or len(old) != len(new):
        return f"table has shape {new.shape} now, was {old.shape}"
    columns, cells = [], []
    for column in old.columns:
        differing = np.flatnonzero(~_same_cells(old[column], new[column], measure))
        if differing.size:
            columns.append(str(column))
            row = int(differing[0])
            there, now = old[column].iloc[row], new[column].iloc[row]
            cells.append(f"{column} in row {row + 1} is {there}, now {now}")
    return f"columns differ: {', '.join(columns)}: {_listed(cells)}" if columns else ""


def _same_cells(a: pd.Series, b: pd.Series, measure: Measure) -> np.ndarray:
    if all(pd.api.types.is_numeric_dtype(s) and not pd.api.types.is_bool_dtype(s) for s in (a, b)):
        return measure.same(a.to_numpy("f8"), b.to_numpy("f8"))
    blank = a.isna().to_numpy() & b.isna().to_numpy()
    same = (a.astype(str).to_numpy() == b.astype(str).to_numpy()) | blank
    if measure.tolerance is not None and not same.all():
        numbers = [pd.to_numeric(s, errors="coerce").to_numpy("f8") for s in (a, b)]
        same |= measure.same(*numbers) & ~np.isnan(numbers[0]) & ~np.isnan(numbers[1])
    return same


def _npz(name: str, a: Path, b: Path, measure: Measure) -> Iterator[Difference]:
    from apastats.io.arrays import load_npz

    old, new = load_npz(a)[0], load_npz(b)[0]
    result = Path(name).parts[1] if name.startswith("results/") else name
    for key in sorted({*old, *new}):
        if key not in old or key not in new:
            yield Difference(result, f"array {key!r} is in one of them only (in {name})")
        elif not _same_arrays(old[key], new[key], measure):
            yield Difference(result, f"array {key!r} differs (in {name})")


def _same_arrays(a: np.ndarray, b: np.ndarray, measure: Measure) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return bool((measure.same(a, b) if a.dtype.kind in "fc" else a == b).all())


def _json(name: str, a: Path, b: Path, measure: Measure) -> Iterator[Difference]:
    old, new = (read_json(p) for p in (a, b))
    found = list(json_differences(old, new, measure))
    if found:
        yield Difference(name, _listed(found))
    elif measure.tolerance is None:
        yield Difference(name, "is written differently")


def json_differences(old: Any, new: Any, measure: Measure, place: str = "") -> Iterator[str]:
    """Places in two json values that differ, in words."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            inner = f"{place}.{key}" if place else str(key)
            yield from json_differences(old.get(key), new.get(key), measure, inner)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (x, y) in enumerate(zip(old, new, strict=True)):
            yield from json_differences(x, y, measure, f"{place}[{i}]")
    elif not _same_values(old, new, measure):
        yield f"{place} is {_short(old)}, now {_short(new)}"


def _same_values(old: Any, new: Any, measure: Measure) -> bool:
    if type(old) is not type(new):
        return False
    if isinstance(old, float) and not (math.isnan(old) and math.isnan(new)):
        return bool(measure.same(np.array(old), np.array(new)).all())
    return bool(old == new) or isinstance(old, float)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


class _Page(HTMLParser):
    """What a reader of a page sees or hears: text, and the words of attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in ("style", "script")
        for key, value in attrs:
            if key in ("alt", "title", "aria-label", "content") and value:
                self.words += value.split()

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.words += data.split()


def words_of(path: Path) -> list[str]:
    """The words of a page, a figure, or a text, in reading order."""
    text = path.read_text("utf-8")
    if path.suffix not in (".html", ".svg"):
        return text.split()
    page = _Page()
    page.feed(re.sub(r"<\?xml.*?\?>", "", text))
    page.close()
    return page.words


def _text(name: str, a: Path, b: Path, measure: Measure) -> Iterator[Difference]:
    found = list(word_differences(words_of(a), words_of(b)))
    if found:
        yield Difference(name, _listed(found))
    elif measure.drawings:
        yield Difference(name, "figures or layout differ; every word is the same")


def word_differences(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """Stretches of words that differ, with the words before them."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    most = min(len(old), len(new)) - start
    while end < most and old[-1 - end] == new[-1 - end]:
        end += 1
    a, b = old[start : len(old) - end], new[start : len(new) - end]
    if not a and not b:
        return
    if max(len(a), len(b)) > MOST_WORDS:
        blocks = [("replace", 0, 12, 0, 12)]
    else:
        blocks = [
            block
            for block in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
            if block[0] != "equal"
        ]
    for _, i, j, k, m in blocks:
        before = " ".join(old[max(0, start + i - 4) : start + i])
        there, now = " ".join(a[i:j][:12]), " ".join(b[k:m][:12])
        yield f"after {before!r} stands {there!r}, now {now!r}"


_READERS = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".npz": _npz,
    ".json": _json,
    **dict.fromkeys((".html", ".svg", ".md", ".tex", ".bib", ".toml"), _text),
}
