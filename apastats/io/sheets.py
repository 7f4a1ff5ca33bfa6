"""Workbooks: xlsx by openpyxl, xls, xlsb and ods by calamine; one sheet as a table, with merged cells filled."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from apastats.errors import InputError, MissingExtraError, ReadError
from apastats.io.arrays import affordable
from apastats.io.columns import canonical
from apastats.io.dialects import Dialect
from apastats.io.frames import Part
from apastats.io.text_files import FileOptions
from apastats.rows import KEY_COLUMNS

__all__ = ["read_sheets"]

Cells = list[list[Any]]  # None where a cell holds nothing
Merged = list[tuple[tuple[int, int], tuple[int, int]]]  # (first row, column), (last row, column)
TITLES = 20  # rows above the header that may hold titles


def read_sheets(path: str, options: FileOptions) -> list[Part]:
    """The table of a sheet.

    Parameters
    ----------
    path : str
        A workbook.
    options : FileOptions
        Its ``sheet`` names one where several hold something.

    Returns
    -------
    list of Part

    Raises
    ------
    ReadError
        If the workbook is damaged or empty, several sheets hold something, or a formula has no value.
    MissingExtraError
        Without openpyxl or python-calamine.
    """
    xml = path.lower().endswith((".xlsx", ".xlsm"))
    sheets = _by_openpyxl(path) if xml else _by_calamine(path)
    wanted = _wanted(path, sheets, options.sheet)
    rows = sheets[wanted]
    # a single cell in the last corner makes a sheet of 17 billion, and calamine takes them all at once or dies
    affordable(Path(path), 32 * len(rows) * max(map(len, rows), default=0))
    merged, notes = _merged(path, wanted), []
    top = _header_row(rows, options)
    above = [i for i in range(top) if any(c is not None for c in rows[i])]
    if above:
        notes.append(f"rows above the header left out: {', '.join(str(i + 1) for i in above)}")
    _one_header(path, wanted, rows, top, merged)
    filled = _fill(rows, top, merged)
    if filled:
        notes.append(f"merged cells below the header stand for all their rows ({filled} filled)")
    width = max((i + 1 for r in rows[top:] for i, c in enumerate(r) if c is not None), default=0)
    names = _names([*rows[top], *[None] * (width - len(rows[top]))][:width])
    body = [[*r, *[None] * (width - len(r))][:width] for r in rows[top + 1 :]]
    frame = pd.DataFrame(body, columns=names, dtype=object)
    if xml:
        _no_values(path, wanted, top, frame)
    elif frame.isna().to_numpy().any():
        notes.append("cells that hold errors of formulas are missing")
    what = "Excel" if not path.lower().endswith(".ods") else "OpenDocument"
    return [
        Part(
            path,
            frame,
            f"{what} sheet {wanted!r}",
            lambda row: f"{path}, row {row + top + 2}",
            tuple(notes),
        )
    ]


def _by_openpyxl(path: str) -> dict[str, Cells]:
    try:
        import openpyxl
    except ImportError:
        raise MissingExtraError("openpyxl", "excel") from None
    try:
        _whole(path)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheets = {}
        for s in book.worksheets:
            s.reset_dimensions()  # what a sheet declares as its size would be filled with nothing
            sheets[s.title] = [list(r) for r in s.iter_rows(values_only=True)]
        book.close()
    except ReadError:
        raise
    except Exception as error:  # openpyxl lets errors of zip, xml and its own through
        raise ReadError(path, f"cannot be read ({type(error).__name__}: {error})") from error
    return sheets


def _by_calamine(path: str) -> dict[str, Cells]:
    try:
        import python_calamine as calamine
    except ImportError:
        raise MissingExtraError("python-calamine", "excel") from None
    try:
        _whole(path)
        with calamine.CalamineWorkbook.from_path(path) as book:
            return {
                name: [
                    [_cell(c) for c in row]
                    for row in book.get_sheet_by_name(name).to_python(skip_empty_area=False)
                ]
                for name in book.sheet_names
            }
    except ReadError:
        raise
    except BaseException as error:
        raise _damaged(path, error) from error


def _damaged(path: str, error: BaseException) -> BaseException:
    """The error to raise: a panic of calamine over damaged bytes is no Exception, and no wish to stop either."""
    if isinstance(error, Exception) or type(error).__name__ == "PanicException":
        return ReadError(path, f"cannot be read ({type(error).__name__}: {error})")
    return error


def _whole(path: str) -> None:
    """Refuse an archive that unpacks to far more than it holds."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            affordable(Path(path), sum(m.file_size for m in archive.infolist()))


def _cell(value: Any) -> Any:
    """Nothing as None; sheets know one kind of number, so whole ones have no point."""
    if isinstance(value, str) and value == "":
        return None
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if whole else value


def _wanted(path: str, sheets: dict[str, Cells], wanted: str | int | None) -> str:
    """Name of the sheet to read."""
    filled = [k for k, v in sheets.items() if any(c is not None for r in v for c in r)]
    if isinstance(wanted, int) and not isinstance(wanted, bool) and 0 <= wanted < len(sheets):
        wanted = list(sheets)[wanted]
    if wanted is not None:
        if wanted not in sheets:
            raise InputError("sheet", wanted, f"one of {list(sheets)} ({path})")
        if wanted not in filled:
            raise ReadError(path, f"sheet {wanted!r} is empty")
        return str(wanted)
    if len(filled) != 1:
        what = f"has {len(filled)} sheets with content: sheet= names one of {filled}"
        raise ReadError(path, what if filled else "is empty")
    return filled[0]


def _header_row(rows: Cells, options: FileOptions) -> int:
    """The first row that holds something; a later one where only that has names of columns."""
    first = next(i for i, r in enumerate(rows) if any(c is not None for c in r))

    def known(row: Sequence[Any]) -> int:
        texts = [str(c).strip() for c in row if isinstance(c, str)]
        roles = {canonical(t) for t in texts} & {*KEY_COLUMNS, "score"}
        return len(roles) + len(set(texts) & set(options.known))

    if known(rows[first]) < 2:
        width = sum(c is not None for c in rows[first])
        for i, row in enumerate(rows[first + 1 : first + TITLES], first + 1):
            if known(row) > 1 and sum(c is not None for c in row) > width:
                return i
    return first


def _merged(path: str, sheet: str) -> Merged:
    """Merged cells, where the library and the kind of file tell them."""
    try:
        import python_calamine as calamine

        with calamine.CalamineWorkbook.from_path(path) as book:
            return book.get_sheet_by_name(sheet).merged_cell_ranges or []
    except ImportError:
        return []
    except BaseException as error:
        raise _damaged(path, error) from error


def _one_header(path: str, sheet: str, rows: Cells, top: int, merged: Merged) -> None:
    """Names merged over several columns are a header of several rows, which only pandas puts together."""
    for (row, left), (_, right) in merged:
        if row == top and right > left:
            name = rows[row][left]
            raise ReadError(
                path,
                f"sheet {sheet!r}: {name!r} in row {row + 1} is merged over columns {left + 1} to {right + 1}, a "
                f"header of several rows; pandas.read_excel(path, header=[0, 1]), then apa.read(frame, wide=...), or "
                "one row of names",
            )


def _fill(rows: Cells, top: int, merged: Merged) -> int:
    """Write the value of merged cells into all rows of its column; how many were filled."""
    count = 0
    for (first, left), (last, _) in merged:
        if first <= top or first >= len(rows) or left >= len(rows[first]):
            continue
        value = rows[first][left]
        for i in range(first + 1, min(last + 1, len(rows))):
            row = rows[i]
            row += [None] * (left + 1 - len(row))
            if value is not None and row[left] is None:
                row[left] = value
                count += 1
    return count


def _names(cells: Sequence[Any]) -> list[str]:
    dialect = Dialect("utf-8", ",", ".", None, tuple("" if c is None else str(c) for c in cells), 0)
    return dialect.names


def _no_values(path: str, sheet: str, top: int, frame: pd.DataFrame) -> None:
    """Formulas that were never computed hold nothing, which must not pass as missing values."""
    if not frame.isna().to_numpy().any():
        return
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True)
    for i, row in enumerate(book[sheet].iter_rows(values_only=True)):
        for j, cell in enumerate(row[: frame.shape[1]]):
            formula = isinstance(cell, str) and cell.startswith("=")
            if formula and i > top and frame.iloc[i - top - 1, j] is None:
                raise ReadError(path, f"row {i + 1}, column {frame.columns[j]!r}: the formula {cell!r} has no value; "
                                "open and save the sheet in Excel or LibreOffice")  # fmt: skip
    book.close()
