"""Files and objects as the libraries of the field write them, each read equal to the frame it was made from."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
import xarray as xr

import apastats as apa
from apastats.errors import InputError, MissingExtraError, ReadError
from tests.io.test_border_tables import MODELS, ROIS, SUBJECTS, same, tidy

KEY = ["subject", "roi", "model"]


def cube() -> np.ndarray:
    return tidy()["score"].to_numpy().reshape(len(SUBJECTS), len(ROIS), len(MODELS))


def array(**attrs: float) -> xr.DataArray:
    coords = {"subject": SUBJECTS, "region": ROIS, "model": MODELS}
    return xr.DataArray(cube(), dims=list(coords), coords=coords, attrs=attrs)


def score_with_error() -> xr.DataArray:
    """A Brain-Score score: center and error along a dimension."""
    both = np.stack([cube(), np.full(cube().shape, 0.05)], axis=-1)
    coords = {
        "subject": SUBJECTS,
        "region": ROIS,
        "model": MODELS,
        "aggregation": ["center", "error"],
    }
    return xr.DataArray(both, dims=list(coords), coords=coords)


def by_csv_module(path: Path, **options: Any) -> None:
    f = tidy()
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle, **options)
        writer.writerow(f.columns)
        writer.writerows(f.itertuples(index=False, name=None))


def by_openpyxl(path: Path, *, title: bool = False, second: bool = False) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    if title:
        sheet.append([])
    sheet.append(list(tidy().columns))
    for row in tidy().itertuples(index=False, name=None):
        sheet.append(row)
    if second:
        book.create_sheet("empty")
    book.save(path)


def by_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for s, part in tidy().groupby("subject"):
            archive.writestr(
                f"scores/sub-{s}_scores.csv", part.drop(columns="subject").to_csv(index=False)
            )


def polars_categories() -> pl.DataFrame:
    return pl.from_pandas(tidy()).with_columns(pl.col(KEY).cast(pl.Categorical))


def stack(frame: pd.DataFrame) -> pd.Series:
    return frame.set_index(KEY)["score"]


FILES: dict[str, Callable[[Path], Any]] = {
    "pandas.csv": lambda p: tidy().to_csv(p, index=False),
    "pandas_index.csv": lambda p: tidy().to_csv(p),
    "pandas_multiindex.csv": lambda p: stack(tidy()).to_csv(p),
    "pandas_quoted.csv": lambda p: tidy().to_csv(p, index=False, quoting=csv.QUOTE_ALL),
    "pandas_crlf.csv": lambda p: tidy().to_csv(p, index=False, lineterminator="\r\n"),
    "pandas_bom.csv": lambda p: tidy().to_csv(p, index=False, encoding="utf-8-sig"),
    "pandas_utf16.csv": lambda p: tidy().to_csv(p, index=False, encoding="utf-16", sep="\t"),
    "pandas_german.csv": lambda p: tidy().to_csv(p, index=False, sep=";", decimal=","),
    "pandas.tsv": lambda p: tidy().to_csv(p, index=False, sep="\t"),
    "pandas.csv.gz": lambda p: tidy().to_csv(p, index=False),
    "pandas.tsv.gz": lambda p: tidy().to_csv(p, index=False, sep="\t"),
    "pandas.csv.bz2": lambda p: tidy().to_csv(p, index=False),
    "pandas.csv.zip": lambda p: tidy().to_csv(p.with_suffix(""), index=False) or _zip_one(p),
    "pandas.parquet": lambda p: tidy().to_parquet(p),
    "pandas_multiindex.parquet": lambda p: stack(tidy()).to_frame().to_parquet(p),
    "pandas_filtered.parquet": lambda p: tidy().sample(frac=1, random_state=0).to_parquet(p),
    "pandas_categories.parquet": lambda p: tidy().astype(dict.fromkeys(KEY, "category")).to_parquet(p),
    "pandas.feather": lambda p: tidy().to_feather(p),
    "pandas.xlsx": lambda p: tidy().to_excel(p, index=False),
    "pandas_index.xlsx": lambda p: tidy().to_excel(p),
    "pandas_lines.jsonl": lambda p: tidy().to_json(p, orient="records", lines=True, double_precision=15),
    "pandas_records.json": lambda p: p.write_text(json.dumps(tidy().to_dict("records"))),
    "pandas_columns.json": lambda p: p.write_text(json.dumps(tidy().to_dict())),
    "pandas_split.json": lambda p: p.write_text(json.dumps(tidy().to_dict("split"))),
    "lists.json": lambda p: p.write_text(json.dumps(tidy().to_dict("list"))),
    "polars.csv": lambda p: pl.from_pandas(tidy()).write_csv(p),
    "polars_bar.csv": lambda p: pl.from_pandas(tidy()).write_csv(p, separator="|"),
    "polars.parquet": lambda p: pl.from_pandas(tidy()).write_parquet(p),
    "polars_categories.parquet": lambda p: polars_categories().write_parquet(p),
    "polars.arrow": lambda p: pl.from_pandas(tidy()).write_ipc(p),
    "polars_stream.arrow": lambda p: pl.from_pandas(tidy()).write_ipc_stream(p),
    "polars.ndjson": lambda p: pl.from_pandas(tidy()).write_ndjson(p),
    "arrow.csv": lambda p: pa.csv.write_csv(pa.Table.from_pandas(tidy()), p),
    "arrow.parquet": lambda p: pq.write_table(pa.Table.from_pandas(tidy()), p, compression="zstd"),
    "arrow_lz4.feather": lambda p: pa.feather.write_feather(tidy(), str(p), compression="lz4"),
    "csv_module.csv": by_csv_module,
    "csv_excel.txt": lambda p: by_csv_module(p, dialect="excel-tab"),
    "csv_unix.csv": lambda p: by_csv_module(p, dialect="unix"),
    "csv_semicolon.dat": lambda p: by_csv_module(p, delimiter=";"),
    "openpyxl.xlsx": by_openpyxl,
    "openpyxl_blank_first_row.xlsx": lambda p: by_openpyxl(p, title=True),
    "openpyxl_second_sheet_empty.xlsx": lambda p: by_openpyxl(p, second=True),
    "numpy.txt": lambda p: np.savetxt(p, tidy().to_numpy(object), fmt="%s", header="subject roi model score", comments=""),  # noqa: E501
    "zip_of_subjects.zip": by_zip,
    "gzip_module.csv.gz": lambda p: p.write_bytes(gzip.compress(tidy().to_csv(index=False).encode("utf-16"))),
    "bz2_module.tsv.bz2": lambda p: p.write_bytes(bz2.compress(tidy().to_csv(index=False, sep="\t").encode())),
    "xarray.nc": lambda p: array().to_netcdf(p, engine="h5netcdf"),
    "xarray_dataset.nc": lambda p: array().to_dataset(name="score").to_netcdf(p, engine="h5netcdf"),
    "xarray_classic.nc": lambda p: array().to_netcdf(p, engine="scipy"),
    "brainscore_error.nc": lambda p: score_with_error().to_netcdf(p, engine="h5netcdf"),
    "brainscore_attrs.nc": lambda p: array(error=0.05, ceiling=0.9).to_netcdf(p, engine="h5netcdf"),
}  # fmt: skip


def _zip_one(path: Path) -> None:
    inner = path.with_suffix("")
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inner, inner.name)
    inner.unlink()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_equal_to_what_was_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    FILES[name](path)
    table = apa.read(path)
    same(table, tidy())
    assert table.outcomes == ("score",)
    assert set(table.covariates) <= {"error", "ceiling"}


OBJECTS: dict[str, Callable[[], Any]] = {
    "frame": tidy,
    "filtered frame": lambda: tidy().sample(frac=1, random_state=0),
    "multiindex frame": lambda: stack(tidy()).to_frame(),
    "series": lambda: stack(tidy()),
    "series without a name": lambda: stack(tidy()).rename(None),
    "mean of a groupby": lambda: tidy().groupby(KEY)["score"].mean(),
    "one index level": lambda: tidy().set_index("subject"),
    "categories": lambda: tidy().astype(dict.fromkeys(KEY, "category")),
    "arrow-backed": lambda: tidy().convert_dtypes(dtype_backend="pyarrow"),
    "nullable": lambda: tidy().convert_dtypes(),
    "objects": lambda: tidy().astype(object),
    "decimals": lambda: tidy().assign(score=[Decimal(repr(v)) for v in tidy()["score"]]),
    "polars": lambda: pl.from_pandas(tidy()),
    "lazy polars": lambda: pl.from_pandas(tidy()).lazy(),
    "polars categories": lambda: pl.from_pandas(tidy()).with_columns(pl.col("roi").cast(pl.Categorical)),
    "polars enum": lambda: pl.from_pandas(tidy()).with_columns(pl.col("roi").cast(pl.Enum(ROIS))),
    "arrow": lambda: pa.Table.from_pandas(tidy()),
    "dict of columns": lambda: tidy().to_dict("list"),
    "dict of arrays": lambda: {c: tidy()[c].to_numpy() for c in tidy()},
    "list of dicts": lambda: tidy().to_dict("records"),
    "structured array": lambda: tidy().to_records(index=False),
    "xarray": array,
    "xarray with a name": lambda: array().rename("alignment"),
    "xarray data set": lambda: array().to_dataset(name="score"),
    "xarray from pandas": lambda: stack(tidy()).to_xarray(),
    "score with error": score_with_error,
    "score table": lambda: apa.ScoreTable(tidy()),
    "interchange": lambda: pa.RecordBatch.from_pandas(tidy()).to_pandas(),
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_is_read_equal_to_what_it_holds(name: str) -> None:
    same(apa.read(OBJECTS[name]()), tidy())


def test_errors_of_a_score_are_kept_beside_it(tmp_path: Path) -> None:
    for made in (score_with_error(), array(error=0.05, ceiling=0.9)):
        made.to_netcdf(tmp_path / "s.nc", engine="h5netcdf")
        frame = apa.read(tmp_path / "s.nc").frame
        np.testing.assert_array_equal(frame["error"], 0.05)


def test_float32_keeps_its_values(tmp_path: Path) -> None:
    f = tidy().astype({"score": "float32"})
    f.to_parquet(tmp_path / "t.parquet")
    same(apa.read(tmp_path / "t.parquet"), f)


def test_several_sheets_are_asked_for(tmp_path: Path) -> None:
    with pd.ExcelWriter(tmp_path / "t.xlsx") as writer:
        tidy(0).to_excel(writer, sheet_name="train", index=False)
        tidy(1).to_excel(writer, sheet_name="test", index=False)
    with pytest.raises(ReadError, match=r"2 sheets.*sheet= names one of \['train', 'test'\]"):
        apa.read(tmp_path / "t.xlsx")
    same(apa.read(tmp_path / "t.xlsx", sheet="test"), tidy(1))
    same(apa.read(tmp_path / "t.xlsx", sheet=0), tidy(0))
    with pytest.raises(InputError, match="sheet: got 'x'"):
        apa.read(tmp_path / "t.xlsx", sheet="x")


def test_a_formula_that_was_never_computed_is_no_missing_value(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (
        ["subject", "roi", "model", "score"],
        ["s1", "V1", "m", 0.5],
        ["s2", "V1", "m", "=D2*2"],
    ):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(
        ReadError, match=r"row 3, column 'score': the formula '=D2\*2' has no value"
    ):
        apa.read(tmp_path / "t.xlsx")


def test_cells_of_excel_that_hold_errors_are_missing(tmp_path: Path) -> None:
    f = tidy().astype({"score": object})
    f.loc[3, "score"] = "#N/A"
    f.to_excel(tmp_path / "t.xlsx", index=False)
    assert apa.read(tmp_path / "t.xlsx").n_missing == 1


def test_a_package_that_is_missing_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    tidy().to_excel(tmp_path / "t.xlsx", index=False)
    array().to_netcdf(tmp_path / "t.nc", engine="h5netcdf")
    for package, ending, extra in (("openpyxl", "xlsx", "excel"), ("xarray", "nc", "netcdf")):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, package, None)
            with pytest.raises(MissingExtraError, match=rf"apastats\[{extra}\]"):
                apa.read(tmp_path / f"t.{ending}")


def test_wide_files_of_every_kind(tmp_path: Path) -> None:
    wide = tidy().pivot(index=["subject", "roi"], columns="model", values="score")
    same(apa.read(wide, wide="model"), tidy())
    same(apa.read(pl.from_pandas(wide.reset_index()), wide="model"), tidy())
    wide.to_excel(tmp_path / "w.xlsx", merge_cells=False)
    same(apa.read(tmp_path / "w.xlsx", wide="model"), tidy())
    wide.to_parquet(tmp_path / "w.parquet")
    same(apa.read(tmp_path / "w.parquet", wide="model"), tidy())
