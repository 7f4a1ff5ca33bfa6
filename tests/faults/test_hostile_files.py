"""Files that are no files, and files that no honest program writes: a sentence that names them, never a hang."""

from __future__ import annotations

import io
import json
import os
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import ApaError, DataError, ReadError
from apastats.studies.inputs import load_array
from tests.fuzz.outcomes import limited

ROW = '{"subject":"a","roi":"b","model":"c","score":0.5}'
DEEP = "[" * 100_000


def _npy(shape: str) -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


def _twice(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for scale in (1, 2):
            buffer = io.BytesIO()
            np.save(buffer, scale * np.eye(4))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                archive.writestr("s1/V1.npy", buffer.getvalue())


def _member(path: Path, content: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("s1/V1.npy", content)


def _parquet(path: Path, meta: bytes | None = None, **columns: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    plain = {"subject": ["a"], "roi": ["b"], "model": ["c"], "score": [0.5]}
    table = pa.table({**plain, **columns})
    pq.write_table(
        table if meta is None else table.replace_schema_metadata({b"pandas": meta}), path
    )


def _far_cell(path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["subject", "roi", "model", "score"])
    book.active.cell(1_048_576, 16_384, 1)
    book.save(path)


def _other_words(path: Path) -> None:
    """Another first word, and sizes that lie: scipy reads it all the same, and took the process down."""
    import scipy.io

    scipy.io.savemat(path, {"RDM": np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))})
    content = bytearray(path.read_bytes())
    content[2] ^= 0x40
    path.write_bytes(bytes(content[:176] + content[206:]))


def _text(text: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(text, "utf-8")


# name -> what makes it, what reads it, a word of the message
CASES: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any], str]] = {
    "pipe.csv": (os.mkfifo, apa.read, "no plain file"),
    "pipe checked.csv": (os.mkfifo, apa.check, "no plain file"),
    "pipe.npz": (os.mkfifo, apa.read_rdms, "no such file|no plain file"),
    "pipe.nc": (os.mkfifo, apa.read_patterns, "no such|no plain file"),
    "loop.csv": (lambda p: p.symlink_to(p.name), apa.check, "no such file"),
    "long field.csv": (_text(ROW + "a" * 3_000_000 + ",1\n"), apa.read, "long field"),
    "deep.json": (_text(DEEP), apa.read, "cannot be read"),
    "deep.jsonl": (_text(f"{ROW}\n{DEEP}\n"), apa.read, "cannot be read|no JSON"),
    "digits.json": (_text(f"[{ROW.replace('0.5', '9' * 5000)}]"), apa.read, "cannot be read"),
    "key twice.json": (_text(f"[{ROW.replace('roi', 'model')}]"), apa.read, "'model' stands twice"),
    "key twice.jsonl": (_text(f"{ROW.replace('roi', 'model')}\n{ROW}\n"), apa.read, "stands twice"),
    "half.json": (_text(f"[{ROW}]".replace('"a"', '"\\ud800"')), apa.read, "half a character"),
    "nested.json": (_text(f"[{ROW}]".replace('"a"', '{"x": 1}')), apa.read, "several values"),
    "meta.parquet": (lambda p: _parquet(p, DEEP.encode()), apa.read, "cannot be read"),
    "meta list.parquet": (lambda p: _parquet(p, b"[1]"), apa.read, "metadata of pandas"),
    "lists.parquet": (lambda p: _parquet(p, model=[["c"]]), apa.read, "several values"),
    "far.xlsx": (_far_cell, apa.read, "declares .* GB of data"),
    "twice.npz": (_twice, apa.read_patterns, "two arrays of one name"),
    "negative.npz": (lambda p: _member(p, _npy("(-1, 5)")), apa.read_patterns, "no readable npz"),
    "huge.npz": (
        lambda p: _member(p, _npy("(10**9, 10**6)")),
        apa.read_rdms,
        "no readable|declares",
    ),
    "nested.npz": (
        lambda p: _member(p, _npy("(" * 4000 + ")" * 4000)),
        apa.read_rdms,
        "no readable npz",
    ),
    "huge.npy": (
        lambda p: p.write_bytes(_npy("(1000000000, 1000000)")),
        lambda p: load_array(str(p)),
        "cut off",
    ),
    "words.mat": (_other_words, apa.read_rdms, "no readable MATLAB file"),
    "result.json": (
        lambda p: p.write_text(DEEP),
        lambda p: apa.load_result(p.parent),
        "not a saved apastats result",
    ),
    "manifest.json": (
        lambda p: p.write_text(DEEP),
        lambda p: apa.bootstrap("score ~ model | roi", _table(), workdir=p.parent, n_resamples=50),
        "readable manifest",
    ),
    "run.json": (
        lambda p: p.write_text(DEEP),
        lambda p: _verify(p.parent),
        "not the folder of a finished study",
    ),
    "study.toml": (
        lambda p: p.write_text(f"a = {DEEP}"),
        apa.run_study,
        "not valid TOML|cannot be read",
    ),
    "cache.parquet": (
        lambda p: _parquet(p),
        lambda p: apa.read(_csv(p.parent), cache=p),
        "cache of scores",
    ),
}


def _table() -> apa.ScoreTable:
    return apa.simulate(n_subject=3, n_model=2, n_tied=2, n_layer=1, rng=1).scores


def _csv(folder: Path) -> Path:
    _table().frame.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def _verify(folder: Path) -> Any:
    from apastats.studies.run_study import render_again
    from apastats.studies.verify_study import verify_study

    with pytest.raises(ReadError):
        render_again(folder)
    return verify_study(folder)


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_by_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make, read, word = CASES[name]
    make(Path(name))
    with limited(), pytest.raises(ApaError, match=word) as caught:
        read(Path(name).resolve() if name.endswith(".json") else Path(name))
    assert len(str(caught.value)) < 2000


def test_a_cache_with_other_words_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for meta in (b"[1]", b"{}", b'{"fingerprint": 1}', DEEP.encode(), b"\xff"):
        table = pa.table({"a": [1]}).replace_schema_metadata({b"apastats": meta})
        pq.write_table(table, tmp_path / "cache.parquet")
        try:
            apa.read(_csv(tmp_path), cache=tmp_path / "cache.parquet")
        except ReadError as error:
            assert "damaged cache" in str(error)  # noqa: PT017
        else:
            assert b"fingerprint" in meta  # of other data: it is read anew and written


def test_wide_tables_are_read_however_long_their_header(tmp_path: Path) -> None:
    n = 20_000
    rows = [",".join(["subject", "roi", *(f"model_{i:05d}" for i in range(n))])]
    rows += [",".join([s, "V1", *(f"{0.1 + i / n / 2:.4f}" for i in range(n))]) for s in "ab"]
    (tmp_path / "wide.csv").write_text("\n".join(rows))
    found = apa.read(tmp_path / "wide.csv", wide="model")
    assert len(found.frame) == 2 * n


@pytest.mark.parametrize(
    "name", ["Spearman's rho", "Spearman\u2019s rho", "Pearson's r", "Kendall's \u03c4", "R\u00b2"]
)
def test_statistics_are_outcomes_under_the_names_people_give_them(name: str) -> None:
    frame = _table().frame
    found = apa.read(frame.rename(columns={"score": name}).drop(columns="metric"))
    assert np.array_equal(np.sort(found.frame["score"]), np.sort(frame["score"]))


def test_a_name_that_is_not_known_says_what_to_do() -> None:
    frame = _table().frame.rename(columns={"score": "Fisher's z"})
    with pytest.raises(DataError, match=r"rename=.*'score'"):
        apa.read(frame)


def test_check_of_a_folder_names_each_file_that_is_no_table(tmp_path: Path) -> None:
    frame = _table().frame
    for subject, rows in frame.groupby("subject"):
        rows.to_csv(tmp_path / f"{subject}.csv", index=False)
    (tmp_path / "README.txt").write_text("Read me, please\n")
    assert len(apa.read(tmp_path)) == len(frame)
    (tmp_path / "a.txt").write_text("one, two words\n")
    (tmp_path / "b.xlsx").write_bytes(b"no workbook")
    with pytest.raises(ReadError, match=r"a\.txt"):
        apa.read(tmp_path)
    found = apa.check(tmp_path)
    wrong = found.table[found.table["value"] == "no table"]
    assert [Path(i.removeprefix("file ")).name for i in wrong["item"]] == ["a.txt", "b.xlsx"]
    assert set(wrong["status"]) == {"problem"}
    assert found.info["refused"]
    assert "column 'score'" in set(found.table["item"])  # the others are described


def test_labels_of_other_bytes_stay_apart() -> None:
    frame = pd.DataFrame(
        {"subject": ["a", "a"], "roi": "V1", "model": [b"\xff", b"\xfe"], "score": [0.1, 0.2]}
    )
    assert apa.read(frame).frame["model"].nunique() == 2


WRONG = (None, -1.5, [], {"a": 1}, "\ud800")


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a json value; of lists the first two."""
    yield at
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value[:2])
        if isinstance(value, list)
        else ()
    )
    for key, v in inner:
        yield from _places(v, (*at, key))


def _put(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    if not at:
        return new
    value = json.loads(json.dumps(value))
    place = value
    for key in at[:-1]:
        place = place[key]
    place[at[-1]] = new
    return value


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("finished")
    made = apa.simulate(n_subject=5, n_model=2, n_tied=2, n_layer=1, rois=["V1", "V3"], rng=2)
    made.scores.frame.to_csv(base / "scores.csv", index=False)
    text = '[study]\nname = "s"\n[inputs]\nscores = "scores.csv"\n[bootstrap]\nn_resamples = 99\n'
    (base / "study.toml").write_text(text + "[equivalence]\nbounds = 0.1\n")
    apa.run_study(base / "study.toml", output=base / "out")
    return base / "out"


@pytest.mark.parametrize(
    "name",
    [
        "run.json",
        "results/scores.json",
        "results/equivalence_score.json",
        "results/equivalence_score/result.json",
        "results/bootstrap_score/result.json",
    ],
)
def test_values_of_wrong_kinds_in_a_finished_folder(finished: Path, name: str) -> None:
    from apastats.studies.folder import read_folder

    path = finished / name
    before = path.read_text()
    content, refused = json.loads(before), 0
    try:
        for at in _places(content):
            for new in WRONG:
                path.write_text(json.dumps(_put(content, at, new)))
                try:
                    found = read_folder(finished)
                except ReadError:
                    refused += 1
                else:
                    if name.endswith("result.json") and isinstance(new, (dict, list)):
                        saved = found.results[Path(name).parent.name]
                        saved.summary()
    finally:
        path.write_text(before)
    assert refused > 10
    read_folder(finished)


def test_words_of_wrong_kinds_are_refused_before_they_are_printed(finished: Path) -> None:
    path = finished / "results" / "bootstrap_score" / "result.json"
    before = path.read_text()
    try:
        for at, new in (
            (("info", "conf_level"), "x"),
            (("info", "formula"), {"a": 1}),
            (("info", "extra"), []),
            (("provenance", "seed"), []),
            (("provenance", "versions"), [1]),
        ):
            path.write_text(json.dumps(_put(json.loads(before), at, new)))
            with pytest.raises(ReadError, match="bootstrap_score"):
                apa.load_result(path.parent)
    finally:
        path.write_text(before)
    assert apa.report(apa.load_result(path.parent)).html()
