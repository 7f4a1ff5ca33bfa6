"""Workbooks of all kinds: read equal to what was written, or refused with the row."""

from __future__ import annotations

import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
import xlwt

import apastats as apa
from apastats.errors import DataError, InputError, MissingExtraError, ReadError
from tests.io.test_border_tables import same, tidy

ROWS = [list(tidy().columns), *tidy().itertuples(index=False, name=None)]


def by_xlwt(path: Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("scores")
    for i, row in enumerate(ROWS):
        for j, cell in enumerate(row):
            sheet.write(i, j, cell)
    book.save(str(path))


def by_hand_xlsb(path: Path) -> None:
    """A binary workbook, record by record ([MS-XLSB]); no library writes it."""

    def record(kind: int, data: bytes = b"") -> bytes:
        out = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
        n, size = len(data), []
        while n or not size:
            size.append(n & 0x7F | (0x80 if n > 0x7F else 0))
            n >>= 7
        return out + bytes(size) + data

    def text(value: str) -> bytes:
        return struct.pack("<I", len(value)) + value.encode("utf-16-le")

    sheet = record(129) + record(148, struct.pack("<4I", 0, len(ROWS) - 1, 0, 3)) + record(145)
    for i, row in enumerate(ROWS):
        sheet += record(0, struct.pack("<IIHBBBI", i, 0, 300, 0, 0, 0, 0))
        for j, cell in enumerate(row):
            head = struct.pack("<II", j, 0)
            words = isinstance(cell, str)
            sheet += record(6 if words else 5, head + (text(cell) if words else struct.pack("<d", cell)))  # fmt: skip
    sheet += record(146) + record(130)
    book = (
        record(131)
        + record(143)
        + record(156, struct.pack("<II", 0, 1) + text("rId1") + text("scores"))
    )
    office = "http://schemas.openxmlformats.org"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.bin", book + record(144) + record(132))
        archive.writestr("xl/worksheets/sheet1.bin", sheet)
        archive.writestr(
            "xl/_rels/workbook.bin.rels",
            f'<Relationships xmlns="{office}/package/2006/relationships"><Relationship Id="rId1" '
            f'Type="{office}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.bin"/>'
            "</Relationships>",
        )


BOOKS: dict[str, Callable[[Path], Any]] = {
    "xlwt.xls": by_xlwt,
    "binary.xlsb": by_hand_xlsb,
    "odfpy.ods": lambda p: tidy().to_excel(p, index=False, engine="odf"),
    "odfpy_index.ods": lambda p: tidy().to_excel(p, engine="odf"),
    "xlsm.xlsm": lambda p: tidy().to_excel(p, index=False, engine="openpyxl"),
    "merged_labels.xlsx": lambda p: tidy().set_index(["subject", "roi", "model"]).to_excel(p),
}


@pytest.mark.parametrize("name", BOOKS)
def test_a_workbook_is_read_equal_to_what_was_written(tmp_path: Path, name: str) -> None:
    BOOKS[name](tmp_path / name)
    table = apa.read(tmp_path / name)
    same(table, tidy())
    assert any("merged cells" in line for line in table.log) == ("merged" in name)


@pytest.mark.parametrize("ending", ["ods", "xlsx"])
def test_sheets_of_any_workbook_are_asked_for(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t.{ending}"
    with pd.ExcelWriter(str(path)) as writer:
        tidy(0).to_excel(writer, sheet_name="train", index=False)
        tidy(1).to_excel(writer, sheet_name="test", index=False)
    with pytest.raises(ReadError, match=r"2 sheets.*sheet= names one of \['train', 'test'\]"):
        apa.read(path)
    same(apa.read(path, sheet="test"), tidy(1))
    with pytest.raises(InputError, match="sheet: got 'x'"):
        apa.read(path, sheet="x")


def test_a_package_that_is_missing_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_xlwt(tmp_path / "t.xls")
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(MissingExtraError, match=r"apastats\[excel\]"):
        apa.read(tmp_path / "t.xls")
    tidy().to_excel(tmp_path / "t.xlsx", index=False)
    same(apa.read(tmp_path / "t.xlsx"), tidy())


def book(path: Path, *rows: list, merge: str | None = None) -> Path:
    made = openpyxl.Workbook()
    assert made.active is not None
    for row in rows:
        made.active.append(row)
    if merge:
        made.active.merge_cells(merge)
    made.save(path)
    return path


def test_titles_above_the_header_are_left_out_and_said(tmp_path: Path) -> None:
    path = book(tmp_path / "t.xlsx", ["Scores of 2024"], [], *map(list, ROWS))
    table = apa.read(path)
    same(table, tidy())
    assert any("rows above the header left out: 1" in line for line in table.log)


def test_a_header_of_two_rows_is_refused_with_the_way_out(tmp_path: Path) -> None:
    wide = tidy().pivot(index="subject", columns=["roi", "model"], values="score")
    wide.to_excel(tmp_path / "t.xlsx")
    with pytest.raises(
        ReadError, match=r"merged over columns 8 to 10.*header of several rows.*header=\[0, 1\]"
    ):
        apa.read(tmp_path / "t.xlsx")


def test_a_row_of_units_is_named_with_its_row(tmp_path: Path) -> None:
    path = book(tmp_path / "t.xlsx", list(ROWS[0]), ["", "", "", "rho"], *map(list, ROWS[1:]))
    with pytest.raises(DataError, match="row 2"):
        apa.read(path)


def test_cells_without_a_header_are_not_dropped(tmp_path: Path) -> None:
    rows = [[*r] for r in ROWS]
    rows[3].append(0.5)
    with pytest.raises(DataError, match="has no name"):
        apa.read(book(tmp_path / "t.xlsx", *rows))


@pytest.mark.parametrize("ending", ["xls", "xlsb", "ods", "xlsx"])
def test_other_files_under_the_ending_of_a_workbook(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t.{ending}"
    tidy().to_csv(path, index=False, sep="\t")
    with pytest.raises(ReadError, match="and is none"):
        apa.read(path)
    path.write_bytes(b"PK\x03\x04" + bytes(200))
    with pytest.raises(ReadError, match="t." + ending):
        apa.read(path)
    path.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(2000))
    with pytest.raises(ReadError, match="t." + ending):
        apa.read(path)
    made = {"xls": by_xlwt, "xlsb": by_hand_xlsb}.get(ending, lambda p: tidy().to_excel(str(p)))
    made(path)
    whole = path.read_bytes()
    for k in (10, 200, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:k])
        with pytest.raises(ReadError, match="t." + ending):
            apa.read(path)
