"""Laws of the readers: labels to the letter, and no unknown number in a key or among models."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import apastats as apa
from apastats.errors import DataError
from apastats.io.columns import canonical

# what a cell of every kind of file can hold: Excel has no control characters, csv rows end in line breaks
letters = st.characters(exclude_categories=("C", "Zl", "Zp"), exclude_characters="\x7f")
label = st.one_of(
    # a letter followed by its mark is read as one character, and that is said (tests/io/test_lab_files.py)
    st.text(letters, min_size=1, max_size=12).map(str.strip)
    .filter(lambda s: bool(s) and not any(map(unicodedata.combining, s))),
    st.sampled_from(["001", "1.10", "1.1", "TRUE", "NA", "nan", "1e5", "-", "'", '"a"', "a,b", "a;b", "#1", "1_000"]),
    st.integers(0, 10**6).map(lambda i: f"{i:07d}"),
)  # fmt: skip
KEYS = ("subject", "roi", "model", "layer", "session")


def save(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    elif path.suffix == ".xlsx":
        frame.to_excel(path, index=False)
    elif path.suffix == ".feather":
        frame.to_feather(path)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True, double_precision=15)
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "xlsx", "jsonl", "feather"])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(labels=st.lists(st.tuples(*[label] * len(KEYS)), min_size=1, max_size=8, unique=True))
def test_labels_come_back_to_the_letter(
    tmp_path: Path, ending: str, labels: list[tuple[str, ...]]
) -> None:
    frame = pd.DataFrame(labels, columns=list(KEYS), dtype=object).assign(
        score=np.arange(len(labels)) / 8 + 0.1
    )
    if ending == "xlsx":
        # a text that begins like a formula is one to Excel
        frame = frame[~frame[list(KEYS)].apply(lambda c: c.str.startswith("=")).any(axis=1)]
        if frame.empty:
            return
    table = apa.read(save(frame, tmp_path / f"t.{ending}"))
    for key in KEYS:
        assert table.frame[key].tolist() == frame[key].tolist()
    np.testing.assert_array_equal(table.frame["score"], frame["score"])


names = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=2, max_size=9).filter(
    lambda n: canonical(n) is None and n[0].isalpha()
)


def readers(frame: pd.DataFrame, folder: Path) -> dict[str, Any]:
    made: dict[str, Any] = {
        "frame": frame,
        "polars": pl.from_pandas(frame),
        "list": frame.to_dict("records"),
    }
    for ending in ("csv", "tsv", "parquet", "xlsx", "jsonl", "feather"):
        made[ending] = save(frame, folder / f"t.{ending}")
    return made


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=names, whole=st.booleans(), data=st.data())
def test_an_unknown_number_is_never_part_of_the_key_nor_a_model(
    tmp_path: Path, name: str, whole: bool, data: st.DataObject
) -> None:
    index = pd.MultiIndex.from_product(
        [["s1", "s2"], ["V1", "V2"], ["m1", "m2"]], names=["subject", "roi", "model"]
    )
    values = np.arange(8) if whole else np.arange(8) / 7 + 0.01
    frame = index.to_frame(index=False).assign(score=np.arange(8) / 9, **{name: values})
    twice = pd.concat([frame, frame.assign(**{name: values + 3})], ignore_index=True)
    for kind, source in readers(frame, tmp_path).items():
        with pytest.raises(DataError, match=f"'{name}'"):
            apa.read(source)
        table = apa.read(source, covariates=[name])
        assert table.covariates == (name,), kind
        assert name not in table.levels("model")
    for source in readers(twice, tmp_path).values():
        with pytest.raises(DataError, match="8 rows repeat the key"):
            apa.read(source, covariates=[name])
    wide = frame.pivot(index=["subject", "roi"], columns="model", values="score").reset_index()
    wide = wide.assign(**{name: np.arange(4)})
    for source in readers(wide, tmp_path).values():
        with pytest.raises(DataError, match=f"'{name}'"):
            apa.read(source, wide="model")
        assert apa.read(source, wide="model", ignore=[name]).levels("model") == ["m1", "m2"]
