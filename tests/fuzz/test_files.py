"""Damaged files of every kind that is read, formulas and study files: a result, or an error of the package."""

from __future__ import annotations

import contextlib
import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import apastats as apa
from apastats.errors import ApaError
from apastats.studies.inputs import load_array
from apastats.studies.schema import parse_study


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One good file of each kind."""
    base = tmp_path_factory.mktemp("whole")
    frame = apa.simulate(n_subject=3, n_model=2, n_tied=2, n_layer=1, rng=1).scores.frame.head(60)
    frame.to_csv(base / "t.csv", index=False)
    frame.to_csv(base / "t.csv.gz", index=False)
    frame.to_parquet(base / "t.parquet", index=False)
    frame.to_feather(base / "t.feather")
    frame.to_excel(base / "t.xlsx", index=False)
    np.savez_compressed(base / "p.npz", **{"s1/V1": np.eye(5), "s2/V1": np.eye(5)})
    np.save(base / "a.npy", np.eye(4))
    apa.tost([0.1, 0.2, 0.3, 0.1], bounds=0.5).save(base / "result")
    return base


KINDS: dict[str, Callable[[Path], Any]] = {
    "t.csv": apa.read,
    "t.csv.gz": apa.read,
    "t.parquet": apa.read,
    "t.feather": apa.read,
    "t.xlsx": apa.read,
    "p.npz": apa.read_patterns,
    "a.npy": lambda path: load_array(str(path)),
    "result/arrays.npz": lambda path: apa.load_result(path.parent),
    "result/table.parquet": lambda path: apa.load_result(path.parent),
    "result/result.json": lambda path: apa.load_result(path.parent),
}


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Cut off, flipped, repeated, overwritten or emptied."""
    at = draw.randrange(len(content))
    kind = draw.randrange(6)
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content[:at] + bytes([content[at] ^ (1 << draw.randrange(8))]) + content[at + 1 :]
    if kind == 2:
        return content[:at] + draw.randbytes(draw.randrange(1, 9)) + content[at + 8 :]
    if kind == 3:
        return content[:at] + content[at : at + 40] + content[at:]
    if kind == 4:
        return content[:at] + content[at + draw.randrange(1, 30) :]
    return content[:at] + b"\0" * 16 + content[at + 16 :]


@pytest.mark.parametrize("name", KINDS)
def test_damaged_files_are_refused_by_name(
    whole: Path, tmp_path: Path, name: str, long: bool
) -> None:
    good = (whole / name).read_bytes()
    shutil.copytree(whole, tmp_path / "w")
    path = tmp_path / "w" / name
    draw = random.Random(f"{name} 1")
    refused = 0
    for _ in range(2000 if long else 40):
        path.write_bytes(damaged(good, draw))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                KINDS[name](path)
            except ApaError:
                refused += 1
    assert refused > 3
    path.write_bytes(b"")
    with pytest.raises(ApaError):
        KINDS[name](path)


STUDY = b"""[study]
name = "s"
seed = 3
[inputs]
scores = { path = "t.csv", keys = ["a"] }
[bootstrap]
n_resamples = 100
[equivalence]
bounds = { share = 0.1, of = "leave_one_out" }
[[analysis]]
name = "x"
verb = "lmm"
formula = "score ~ model + (1 | subject)"
options = { df = "satterthwaite" }
"""


def test_damaged_study_files(tmp_path: Path, long: bool) -> None:
    draw = random.Random(3)
    lines = STUDY.splitlines(keepends=True)
    corpus = [b'inputs = "s.csv"\n', b"", b"\xff", b"inputs = []", b"analysis = 3", b"[a.b.c]\nd=1"]
    for i in range(5000 if long else 300):
        content = corpus[i] if i < len(corpus) else STUDY
        if i % 2 and i >= len(corpus):
            content = damaged(STUDY, draw)
        elif i >= len(corpus):
            content = b"".join(draw.sample(lines, draw.randrange(1, len(lines))))
        (tmp_path / "study.toml").write_bytes(content)
        with contextlib.suppress(ApaError):
            parse_study(tmp_path / "study.toml")


PIECES = [
    *(
        "score",
        "model",
        "roi",
        "subject",
        "x",
        "1",
        "0",
        "~",
        "+",
        "-",
        "*",
        ":",
        "|",
        "(",
        ")",
        "/",
    ),
    *(
        "log(x)",
        "sqrt(x)",
        "exp(x * 1000)",
        "poly(x, 3)",
        "C(model)",
        "I(1 / x)",
        "^",
        "**",
        ",",
        "=",
        "`",
    ),
    *(
        "(1 | subject)",
        "(x | subject)",
        "scale(x)",
        "__import__('os')",
        "é",
        "99999999999",
        "\n",
        ".",
    ),
]


def test_formulas(long: bool) -> None:
    made = apa.simulate(n_subject=4, n_model=3, n_tied=2, n_layer=1, rois=["V1", "V3", "V4"], rng=1)
    table = apa.select_layer(made.scores, on="train")
    frame = table.frame.assign(x=np.linspace(-1, 1, len(table.frame)))
    table = apa.ScoreTable(frame, table.outcomes, covariates=("x",))
    draw = random.Random(7)
    corpus = [
        "score ~ log(x) + (1 | subject)",
        "score ~ exp(x * 10000) + (1 | subject)",
        "",
        "~",
        "score ~ poly(x, 99) + (1 | roi)",
    ]
    for i in range(3000 if long else 150):
        random_ = "score ~ " * draw.randrange(2) + " ".join(
            draw.choices(PIECES, k=draw.randrange(1, 8))
        )
        formula = corpus[i] if i < len(corpus) else random_
        for verb in (apa.lmm, apa.equivalence):
            options = {"bounds": 0.1} if verb is apa.equivalence else {}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with contextlib.suppress(ApaError):
                    verb(formula, table, **options)


def bomb_gz(path: Path) -> None:
    import gzip

    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(b"subject,roi,model,score\n")
        for _ in range(2400):
            file.write(b"a,b,c,1\n" * 65536)


def bomb_xlsx(path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as file:
            for _ in range(1100):
                file.write(b" " * 2**20)


def bomb_parquet(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(10**6, "i1")), pa.array(["a"]))
    table = pa.table(dict.fromkeys(("subject", "roi", "model"), column))
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for _ in range(60):
            writer.write_table(table)


@pytest.mark.parametrize(
    ("name", "make"),
    [("b.csv.gz", bomb_gz), ("b.xlsx", bomb_xlsx), ("b.parquet", bomb_parquet)],
)
def test_bombs_are_refused_before_memory_is_taken(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    make(tmp_path / name)
    assert (tmp_path / name).stat().st_size < 12_000_000
    with pytest.raises(ApaError, match=rf"{name}.*declares .* GB of data in"):
        apa.read(tmp_path / name)
