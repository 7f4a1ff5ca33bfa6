"""Repeated keys are told with the places they stand in."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DataError
from tests.io.test_border_tables import spread, tidy


def test_lines_of_one_file(tmp_path: Path) -> None:
    f = tidy()
    pd.concat([f, f[3:5]]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"2 rows repeat the key") as caught:
        apa.read(tmp_path / "t.csv")
    path = tmp_path / "t.csv"
    assert f"The first key stands in: {path}, line 5; {path}, line {len(f) + 2}" in str(
        caught.value
    )


@pytest.mark.parametrize("same_header", [True, False])
def test_lines_of_several_files(tmp_path: Path, same_header: bool) -> None:
    f = tidy()
    f[:30].to_csv(tmp_path / "a.csv", index=False)
    f[28:].rename(columns={} if same_header else {"roi": "Region"}).to_csv(
        tmp_path / "b.csv", index=False
    )
    with pytest.raises(DataError, match=r"2 rows repeat the key") as caught:
        apa.read(tmp_path)
    assert f"{tmp_path / 'a.csv'}, line 30; {tmp_path / 'b.csv'}, line 2" in str(caught.value)


def test_sheets_and_wide_columns(tmp_path: Path) -> None:
    w = pd.concat([spread(), spread()[2:3]])
    w.to_excel(tmp_path / "w.xlsx", index=False)
    with pytest.raises(DataError, match="repeat the key") as caught:
        apa.read(tmp_path / "w.xlsx", wide="model")
    place = f"{tmp_path / 'w.xlsx'}, row"
    assert f"{place} 4, column 'clip'; {place} {len(w) + 1}, column 'clip'" in str(caught.value)


def test_rows_that_were_left_out_do_not_shift_the_places(tmp_path: Path) -> None:
    f = tidy()
    f = pd.concat([f, f[f["roi"] == "V2"][:1]])
    text = f.to_csv(index=False).replace("s0,V2,clip", ",,,\ns0,V2,clip", 1)
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match="repeat the key") as caught:
        apa.read(tmp_path / "t.csv", rois=["V2"])
    first = text.splitlines().index(next(x for x in text.splitlines() if x.startswith("s0,V2,clip"))) + 1  # fmt: skip
    assert f"line {first}; " in str(caught.value)
    assert str(caught.value).endswith(f"line {len(f) + 2}")


def test_rows_of_objects() -> None:
    f = pd.concat([tidy(), tidy()[:1]], ignore_index=True)
    with pytest.raises(DataError, match=r"data, row 0 \(from 0\); data, row 54 \(from 0\)"):
        apa.read(f)
