"""Files and objects as people have them: each read equal to the frame it came from, or refused with the way out."""

# ruff: noqa: E501  (one kind of file a line)

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr

import apastats as apa
from apastats.errors import ApaError
from tests.io.test_border_tables import MODELS, ROIS, SUBJECTS, same, tidy

F = tidy()
ROWS = list(F.itertuples(index=False, name=None))
TEXT = F.to_csv(index=False)
DAYS = {s: f"2024-01-0{i + 1}" for i, s in enumerate(SUBJECTS)}


def named(**levels: dict[str, Any]) -> pd.DataFrame:
    """The frame under other labels."""
    return F.assign(**{c: F[c].map(to) for c, to in levels.items()})


def text(content: str | bytes, name: str = "t.csv") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)
        return folder / name

    return write


def book(*rows: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        made = openpyxl.Workbook()
        assert made.active is not None
        for row in rows:
            made.active.append(list(row))
        made.save(folder / "t.xlsx")
        return folder / "t.xlsx"

    return write


def numbered(quote: str, sep: str, mark: str, header: str) -> str:
    """As R's write.table and write.csv number their rows."""
    lines = [
        sep.join([*(f"{quote}{v}{quote}" for v in (i + 1, a, b, c)), str(d).replace(".", mark)])
        for i, (a, b, c, d) in enumerate(ROWS)
    ]
    names = sep.join(f"{quote}{c}{quote}" for c in F)
    return f"{header}{names}\n" + "\n".join(lines) + "\n"


def array() -> xr.Dataset:
    return F.set_index(["subject", "roi", "model"]).to_xarray()


PRISM = "roi,model," + ",".join(SUBJECTS) + "\n" + "".join(
    f"{r},{m}," + ",".join(str(F[(F.roi == r) & (F.model == m) & (F.subject == s)].score.item()) for s in SUBJECTS) + "\n"
    for r in ROIS for m in MODELS
)  # fmt: skip
PAIR = F.pivot(index="subject", columns=["roi", "model"], values="score")
ONE = F.pivot(index=["subject", "roi"], columns="model", values=["score"])

# what -> source, options, what must be read (the frame itself by default)
RIGHT: dict[str, tuple[Any, dict[str, Any], pd.DataFrame]] = {
    "R write.table": (text(numbered('"', " ", ".", ""), "t.txt"), {}, F),
    "R write.csv": (text(numbered('"', ",", ".", '"",')), {}, F),
    "R write.csv2": (text(numbered('"', ";", ",", '"";')), {}, F),
    "SPSS-like": (
        text(F.rename(columns={"subject": "Subject_ID", "roi": "Region", "model": "Network", "score": "Spearman_rho"})
             .to_csv(index=False, sep=";", decimal=",").replace(";V1;", ";V1     ;")), {}, F),
    "tsv.gz with a byte order mark": (text(gzip.compress(b"\xef\xbb\xbf" + F.to_csv(index=False, sep="\t").encode()), "t.tsv.gz"), {}, F),
    "numbers such as 1e-3": (text(F.assign(score=[f"{v:.8e}" for v in F.score]).to_csv(index=False)), {}, F),
    "TRUE and FALSE as labels": (text(TEXT.replace("clip", "TRUE").replace("dino", "FALSE")), {},
                                 F.replace({"model": {"clip": "TRUE", "dino": "FALSE"}})),
    "regions as numbers": (lambda p: named(roi={"V1": 1, "V2": 2, "V4": 4}), {}, named(roi={"V1": "1", "V2": "2", "V4": "4"})),
    "regions as floats": (lambda p: named(roi={"V1": 1.0, "V2": 2.0, "V4": 4.0}), {}, named(roi={"V1": "1", "V2": "2", "V4": "4"})),
    "days as labels": (lambda p: named(subject={s: dt.date.fromisoformat(d) for s, d in DAYS.items()}), {}, named(subject=DAYS)),
    "timestamps as labels": (lambda p: named(subject={s: pd.Timestamp(d) for s, d in DAYS.items()}), {}, named(subject=DAYS)),
    "days of Excel as labels": (book(list(F), *((dt.datetime.fromisoformat(DAYS[a]), b, c, d) for a, b, c, d in ROWS)), {}, named(subject=DAYS)),
    "columns of two levels": (lambda p: PAIR, {}, F),
    "columns of two levels, file": (lambda p: PAIR.to_parquet(p / "t.parquet") or pd.read_parquet(p / "t.parquet"), {}, F),
    "columns of two levels, index reset": (lambda p: PAIR.reset_index(), {}, F),
    "columns of two levels, one of them a label": (lambda p: F.pivot(index=["subject", "roi"], columns="model", values=["score"]).reset_index(), {"wide": "model"}, F),
    "columns under one value": (lambda p: ONE, {"wide": "model"}, F),
    "polars categories and enums": (lambda p: pl.from_pandas(F).with_columns(pl.col("roi").cast(pl.Categorical), pl.col("model").cast(pl.Enum(MODELS))), {}, F),
    "polars decimals": (lambda p: pl.from_pandas(F).with_columns(pl.col("score").cast(pl.Decimal(12, 9))), {}, F),
    "polars structs beside": (lambda p: pl.from_pandas(F).with_columns(pl.struct(["roi", "model"]).alias("meta")), {}, F),
    "polars lists beside": (lambda p: pl.from_pandas(F).with_columns(pl.lit([1, 2]).alias("folds")), {}, F),
    "arrow dictionaries": (lambda p: pa.Table.from_pandas(F.astype({"roi": "category", "model": "category"})), {}, F),
    "arrow string views": (lambda p: pa.Table.from_pandas(F).set_column(1, "roi", pa.array(F.roi, pa.string()).cast(pa.string_view())), {}, F),
    "data set of several variables": (lambda p: array().assign(sem=array().score * 0 + 0.1, n_voxels=("roi", [1, 2, 3])), {}, F),
    "Prism sheet": (text(PRISM), {"wide": "subject"}, F),
    "text numbers of Excel": (book(list(F), *((a, b, c, repr(d)) for a, b, c, d in ROWS)), {}, F),
    "numbers as subjects of Excel": (book(list(F), *((int(a[1]), b, c, d) for a, b, c, d in ROWS)), {}, named(subject={s: s[1] for s in SUBJECTS})),
    "titles above the header": (text("Results of study 1\nby us\n\n" + TEXT), {}, F),
    "sep= of Excel": (text("sep=;\n" + F.to_csv(index=False, sep=";")), {}, F),
    "quoted numbers": (text(F.astype(str).to_csv(index=False, quoting=1)), {}, F),
    "JSON, orient table": (text(F.to_json(orient="table", double_precision=15), "t.json"), {}, F),
    "JSON, columns in other orders": (text(json.dumps({c: dict(list(v.items())[:: -1 if c == "score" else 1]) for c, v in F.to_dict().items()}), "t.json"), {}, F),
    "fixed width": (text(F.round(4).to_string(index=False), "t.txt"), {}, F.round(4)),
    "sparse": (lambda p: F.assign(score=pd.arrays.SparseArray(F.score)), {}, F),
    "periods": (lambda p: named(subject={s: pd.Period(d, "D") for s, d in DAYS.items()}), {}, named(subject=DAYS)),
    "bytes": (lambda p: F.assign(roi=[r.encode() for r in F.roi]), {}, F),
    "masked array": (lambda p: {**F.to_dict("list"), "score": np.ma.array(F.score, mask=False)}, {}, F),
    "latin-1": (text(TEXT.replace("V1", "Fläche").encode("latin-1")), {}, F.replace({"roi": {"V1": "Fläche"}})),
    "letters of two characters": (text(unicodedata.normalize("NFD", TEXT.replace("V1", "Fläche"))), {}, F.replace({"roi": {"V1": "Fläche"}})),
    "p, t and df beside": (lambda p: F.assign(p=0.01, t=2.0, df=9), {}, F),
    "session day beside": (lambda p: F.assign(session_date="2024-01-02"), {}, F),
    "capitals of columns": (lambda p: F.assign(Metric="rsa", Split="test"), {}, F),
    "a dash for nothing": (text(TEXT.replace(repr(ROWS[0][3]), "—")), {}, F.assign(score=[np.nan, *F.score[1:]])),
}  # fmt: skip


@pytest.mark.parametrize("what", RIGHT)
def test_what_labs_have_is_read(tmp_path: Path, what: str) -> None:
    make, options, expected = RIGHT[what]
    same(apa.read(make(tmp_path), **options), expected)


REFUSED: dict[str, tuple[Any, str]] = {
    "units below the header": (book(list(F), ["", "", "", "rho"], *ROWS), "row 2.*Rows of units, of totals and of notes"),
    "totals below": (book(list(F), *ROWS, ["Mean", "", "", 0.3]), "row 56.*no label.*totals"),
    "notes below": (book(list(F), *ROWS, [], ["Note: spearman"]), "row 57.*no label.*notes"),
    "notes below, text": (text(TEXT + "\nNote: n = 6\n"), "line 57.*lines of notes have to be removed"),
    "nested JSON": (text(json.dumps({s: {"V1": {"m": 1}} for s in SUBJECTS}), "t.json"), "is nested.*A list of records"),
    "JSON of lists": (text(F.to_json(orient="values"), "t.json"), "holds no records"),
    "JSON, short record": (text(json.dumps({"columns": list(F), "data": [[1, 2, 3]]}), "t.json"), "record 1 has 3 values for 4"),
    "JSON, other rows": (text(json.dumps({"subject": {"0": "a"}, "score": {"1": 1}}), "t.json"), "column 'score' has other rows"),
    "list of frames": (lambda p: [F, F], r"pd.concat\(frames\)"),
    "dict of frames": (lambda p: {s: F for s in SUBJECTS}, r"pd.concat\(frames, names="),
    "rows without names": (lambda p: F.to_numpy().tolist(), r"pd.DataFrame\(rows, columns="),
    "array without names": (lambda p: xr.DataArray(np.zeros((2, 3, 4))), r"dims have names.*coords="),
    "a web address": (lambda p: "https://example.org/x.csv", "download it first"),
    "an open file": (lambda p: io.StringIO(TEXT), "a path"),
    "stars": (text(F.assign(score=[f"{v:.3f}*" for v in F.score]).to_csv(index=False)), r"line 2.*'0.437\*'"),
    "mean and sd in one cell": (text(F.assign(score=[f"{v:.3f} ± 0.01" for v in F.score]).to_csv(index=False)), "line 2.*± 0.01"),
    "negative in brackets": (text(TEXT.replace("-0.159026476", "(0.159)")), r"line 4.*'\(0.159\)'"),
    "cp1252": (text(TEXT.replace("V1", "V1–d").encode("cp1252")), "encoding='cp1252'"),
    "the same name twice": (text(TEXT.replace("model,score", "model,model")), r"missing column 'score'.*rename=\{'model.1'"),
    "two scores": (lambda p: F.assign(rho=F.score), "both claim 'score'"),
    "two scores, netCDF": (lambda p: array().assign(other=array().score * 0.9), "column 'other': numbers under a name"),
    "time spans": (lambda p: F.assign(score=pd.to_timedelta(F.score, unit="s")), "dates or times"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_says_the_way_out(tmp_path: Path, what: str) -> None:
    make, message = REFUSED[what]
    with pytest.raises(ApaError, match=message):
        apa.read(make(tmp_path))


def test_labels_that_look_alike_are_spoken_of() -> None:
    for other in ("v1", "V01", "V_1"):
        f = F.assign(
            roi=["V1" if i else other for i in range(len(F))],
            model=[f"m{i}" for i in range(len(F))],
        )
        log = " ".join(apa.read(f).log)
        assert f"roi: {other!r} and 'V1' differ in capitals, zeros or blanks alone" in log
    assert "differ in capitals" not in " ".join(apa.read(F).log)


def test_titles_are_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("Results\n" + TEXT)
    table = apa.read(tmp_path / "t.csv")
    assert "lines above the header left out: 1" in table.log[0]
    (tmp_path / "t.csv").write_text("Results\n" + TEXT.replace("0.159", "x.159"))
    with pytest.raises(ApaError, match="line 5"):
        apa.read(tmp_path / "t.csv")


@pytest.mark.parametrize("what", RIGHT)
def test_check_says_what_it_is_first_and_what_to_type_last(tmp_path: Path, what: str) -> None:
    make, options, _ = RIGHT[what]
    items = apa.check(make(tmp_path), **options).tidy()
    assert items["item"].iloc[0] == "source"
    assert items["item"].iloc[-1] == "next"


def test_check_of_objects_tells_scores_from_rdms() -> None:
    from tests.io.test_table_files import OBJECTS

    for what, make in OBJECTS.items():
        source = make()
        first = apa.check(source).tidy()["item"].iloc[0]
        assert first == ("rows" if isinstance(source, apa.ScoreTable) else "source"), what
    square = np.array([[0, 1, 2.0], [1, 0, 3], [2, 3, 0]])
    frame = pd.DataFrame(square, list("abc"), list("abc"))
    dims = xr.DataArray(square[None], dims=["subject", "stimulus", "stimulus_"])
    for rdms in ({"m1": square, "m2": square}, frame, dims, [square, square]):
        assert apa.check(rdms).tidy()["item"].iloc[0] == "RDMs"
    with pytest.raises(ApaError):
        apa.check(io.StringIO(TEXT))
