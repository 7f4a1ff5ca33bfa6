"""Reading tables against pyarrow's own readers: seconds, memory, and the numbers that were read."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import apastats as apa
from benchmarks.common import Row, measure, peak_memory

CONDITIONS = (
    "Both sides read the same file in one process; theirs is pyarrow's reader with its defaults. CPU time. Ours checks "
    "labels, numbers and keys too, and looks for repeated rows. The answers compared are the sorted scores."
)
MEMORY = 8.0  # GB
LABELS = ("kind", "model", "layer", "subject", "roi", "metric", "split")


def table(n: int) -> Any:
    """``n`` rows of scores with names as published sheets have them."""
    import pyarrow as pa

    n_layer, n_subject, n_roi = 20, 50, 40
    i = np.arange(n)

    def text(codes: np.ndarray, names: list[str]) -> Any:
        return pa.DictionaryArray.from_arrays(codes.astype("i4"), names).cast(pa.string())

    n_model = -(-n // (n_layer * n_subject * n_roi))
    zero = np.zeros_like(i)
    columns = {
        "kind": text(zero, ["model"]),
        "model": text(
            i // (n_layer * n_subject * n_roi),
            [f"taskonomy/a_network_with_a_name_{k:05d}" for k in range(n_model)],
        ),
        "layer": text(i // (n_subject * n_roi) % n_layer, [f"encoder.layer{k:02d}.0.relu" for k in range(n_layer)]),
        "subject": text(i // n_roi % n_subject, [f"sub-{k:02d}" for k in range(n_subject)]),
        "roi": text(i % n_roi, [f"roi{k:02d}" for k in range(n_roi)]),
        "metric": text(zero, ["rsa"]),
        "split": text(zero, ["test"]),
        "score": np.random.default_rng(0).uniform(-1, 1, n),
    }  # fmt: skip
    return pa.table(columns)


def _ours(source: Any) -> np.ndarray:
    return np.sort(apa.read(source).frame["score"].to_numpy())


def _large(n: int, folder: Path, ending: str) -> Iterator[Row]:
    import pyarrow.parquet as pq
    from pyarrow import csv

    path = folder / f"scores.{ending}"
    if ending == "csv":
        csv.write_csv(table(n), path, csv.WriteOptions(quoting_style="none"))
    else:
        pq.write_table(table(n), path)
    reader = csv.read_csv if ending == "csv" else pq.read_table
    row = measure(
        f"{ending}, {n:,} rows, {path.stat().st_size / 1e9:.2f} GB",
        lambda: np.sort(reader(path)["score"].to_numpy()),
        lambda: _ours(path),
        repeat=(2, 2),
        at_least=0.5,
    )
    yield row
    memory = peak_memory()
    yield Row(
        f"{ending}, {n:,} rows: memory",
        met=memory < MEMORY,
        note=f"{memory:.1f} GB at most, of both sides; asked: under {MEMORY:g} GB",
    )
    path.unlink()


def _small(n: int, folder: Path) -> Iterator[Row]:
    import pyarrow as pa
    from pyarrow import csv, fs

    rng = np.random.default_rng(0)
    for i in range(n):
        rows = "\n".join(
            f"m{j},s{i:05d},V{k},{rng.random():.6f}" for j in range(10) for k in range(5)
        )
        (folder / f"{i:05d}.csv").write_text(f"model,subject,roi,score\n{rows}\n")
    files = [str(p) for p in sorted(folder.iterdir())]

    def theirs() -> np.ndarray:
        return np.sort(pa.concat_tables([csv.read_csv(f) for f in files])["score"].to_numpy())

    task = f"{n:,} small csv files"
    yield measure(
        f"{task}, each by pyarrow's csv",
        theirs,
        lambda: _ours(folder),
        repeat=(2, 3),
        at_least=1 / 1.5,
    )

    local = fs.LocalFileSystem()

    def raw() -> np.ndarray:
        for f in files:
            with local.open_input_file(f) as handle:
                handle.read()
        return np.zeros(0)

    def nothing() -> np.ndarray:
        return _ours(folder)[:0]

    yield measure(f"{task}, their bytes in memory already", raw, nothing, repeat=(5, 5), at_least=1 / 1.5,
                  note="nothing is parsed on their side")  # fmt: skip

    def joined() -> np.ndarray:
        texts = []
        for f in files:
            with local.open_input_file(f) as handle:
                texts.append(handle.read())
        header = texts[0].find(b"\n") + 1
        whole = b"".join([texts[0], *(t[header:] for t in texts[1:])])
        return np.sort(csv.read_csv(pa.BufferReader(whole))["score"].to_numpy())

    yield measure(f"{task}, read, joined and parsed once by pyarrow", joined, lambda: _ours(folder), repeat=(5, 5),
                  note="the least that any reader does: no checks, no labels")  # fmt: skip
    if hasattr(os, "posix_fadvise"):
        theirs_cold, ours_cold = _from_disk(files, raw), _from_disk(files, nothing)
        yield Row(f"{task}, their bytes from disk", theirs_cold, ours_cold, at_least=1 / 1.5,
                  note="wall-clock, least of 3; files dropped from the page cache first; nothing is parsed on their "
                  "side")  # fmt: skip


def _from_disk(files: list[str], function: Callable[[], Any]) -> float:
    """Wall-clock seconds of a call whose files are not in memory."""
    best = float("inf")
    for _ in range(3):
        os.sync()
        for f in files:
            handle = os.open(f, os.O_RDONLY)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def rows(*, quick: bool = False, only: str = "") -> Iterator[Row]:
    """Large files, and many small ones."""
    n = 200_000 if quick else 20_000_000
    with tempfile.TemporaryDirectory() as place:
        for ending in ("parquet", "csv"):
            if only in ending:
                yield from _large(n, Path(place), ending)
        if only in "small":
            folder = Path(place) / "many"
            folder.mkdir()
            yield from _small(200 if quick else 10_000, folder)
