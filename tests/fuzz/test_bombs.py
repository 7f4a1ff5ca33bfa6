"""Files that unpack to far more than they are: refused by what they declare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import apastats as apa
from apastats.errors import ApaError


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
