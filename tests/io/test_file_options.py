"""An option of a file is read by the formats it is for, and refused by all others: every reader, option and format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import apastats as apa
from apastats.errors import InputError
from apastats.io.formats import FORMATS

FRAME = pd.DataFrame(
    {"subject": ["a", "a", "b", "b"], "roi": "V1", "model": ["m", "n"] * 2, "score": [0.1, 0.2, 0.3, 0.4]}
)  # fmt: skip
REGIONS = pd.DataFrame({"roi": ["V1", "V2"], "stream": ["early", "early"]})
VALUES: dict[str, Any] = {"sep": ",", "encoding": "utf-8", "comment": "#", "sheet": "Sheet1"}
TEXT = ("text", "compressed text", "zip")
TAKEN = {
    "sep": TEXT,
    "comment": TEXT,
    "encoding": (*TEXT, "JSON"),
    "sheet": ("Excel sheet", "OpenDocument sheet"),
}
READERS: dict[str, tuple[Callable[..., Any], pd.DataFrame]] = {
    "read": (apa.read, FRAME),
    "check": (apa.check, FRAME),
    "read_regions": (apa.read_regions, REGIONS),
}


def _hdf(frame: pd.DataFrame, path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        for name in frame:
            text = frame[name].dtype.kind not in "fi"
            file[name] = [str(v).encode() for v in frame[name]] if text else frame[name].to_numpy()


WRITTEN: dict[str, tuple[str, Callable[[pd.DataFrame, Path], Any]]] = {
    "text": ("t.csv", lambda f, p: f.to_csv(p, index=False)),
    "compressed text": ("t.csv.gz", lambda f, p: f.to_csv(p, index=False)),
    "zip": ("t.zip", lambda f, p: f.to_csv(p, index=False, compression={"method": "zip", "archive_name": "t.csv"})),
    "Excel sheet": ("t.xlsx", lambda f, p: f.to_excel(p, index=False)),
    "OpenDocument sheet": ("t.ods", lambda f, p: f.to_excel(p, index=False, engine="odf")),
    "JSON": ("t.jsonl", lambda f, p: f.to_json(p, orient="records", lines=True)),
    "parquet": ("t.parquet", lambda f, p: f.to_parquet(p)),
    "feather and arrow": ("t.feather", lambda f, p: f.to_feather(p)),
    "netCDF": ("t.nc", lambda f, p: f.to_xarray().to_netcdf(p, engine="h5netcdf")),
    "HDF5": ("t.h5", _hdf),
}  # fmt: skip


def test_every_format_is_tried() -> None:
    assert set(WRITTEN) == set(FORMATS)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("reader", READERS)
def test_an_option_that_a_format_does_not_read_is_refused(
    tmp_path: Path, reader: str, kind: str
) -> None:
    function, frame = READERS[reader]
    name, write = WRITTEN[kind]
    write(frame, path := tmp_path / name)
    for option, value in VALUES.items():
        if reader == "read_regions" and option == "comment":
            continue  # it has none
        if kind in TAKEN[option]:
            function(path, **{option: value})
            continue
        with pytest.raises(InputError, match=f"^{option}: .*{option} is read with"):
            function(path, **{option: value})


def test_an_option_for_one_of_several_files_is_taken(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "a.csv", index=False)
    FRAME.assign(subject=["c", "c", "d", "d"]).to_excel(tmp_path / "b.xlsx", index=False)
    found = apa.read([tmp_path / "a.csv", tmp_path / "b.xlsx"], sheet="Sheet1", sep=",")
    assert found.levels("subject") == ["a", "b", "c", "d"]
    with pytest.raises(InputError, match="sheet is read with Excel sheet"):
        apa.read([tmp_path / "a.csv"], sheet=0)
