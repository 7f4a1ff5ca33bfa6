"""read and concat."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DataError, InputError, ReadError


@pytest.fixture
def frame() -> pd.DataFrame:
    return apa.simulate(
        n_subject=3, n_model=2, n_tied=1, n_layer=2, rois=["V1", "V2", "V4"], rng=0
    ).scores.frame


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".tsv", ".parquet", ".feather"])
def test_formats_round_trip(frame: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scores{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    elif suffix == ".feather":
        frame.to_feather(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in suffix else ",")
    assert apa.read(path).hash == apa.ScoreTable(frame).hash


def test_folder_of_files_in_any_order(frame: pd.DataFrame, tmp_path: Path) -> None:
    for subject, part in frame.groupby("subject"):
        part.to_csv(tmp_path / f"{subject}.csv", index=False)
    (tmp_path / "README.md").write_text("notes")
    table = apa.read(tmp_path)
    assert table.hash == apa.ScoreTable(frame).hash
    assert any("README.md" in line for line in table.log)


def test_rename_defaults_and_wide(frame: pd.DataFrame) -> None:
    one = frame[
        (frame["kind"] == "model") & (frame["split"] == "test") & (frame["layer"] == "layer_01")
    ]
    one = one.drop(columns=["kind", "layer", "metric", "split", "stream"])
    table = apa.read(
        one.rename(columns={"subject": "sub"}),
        rename={"sub": "subject"},
        defaults={"metric": "rsa"},
    )
    assert table.levels("metric") == ["rsa"]
    spread = one.pivot(index=["subject", "roi"], columns="model", values="score").reset_index()
    again = apa.read(spread, wide="model", defaults={"metric": "rsa"})
    assert again.hash == table.hash


def test_rois_are_kept_in_the_order_given(frame: pd.DataFrame) -> None:
    table = apa.read(frame, rois=["V4", "V1"])
    assert table.levels("roi") == ["V4", "V1"]
    assert set(table.where(kind="leave_one_out").levels("layer")) == {"V1", "V4"}
    assert any("V2" in line for line in table.log)
    with pytest.raises(InputError, match="V99"):
        apa.read(frame, rois=["V99"])


def test_cache_is_used_only_while_nothing_changed(frame: pd.DataFrame, tmp_path: Path) -> None:
    source, cache = tmp_path / "scores.csv", tmp_path / "cache.parquet"
    frame.to_csv(source, index=False)
    first = apa.read(source, cache=cache)
    assert apa.read(source, cache=cache).hash == first.hash
    frame.iloc[:-1].to_csv(source, index=False)
    assert apa.read(source, cache=cache).hash != first.hash
    assert len(apa.read(source, cache=cache, rois=["V1"])) < len(first)


def test_labels_that_look_missing_stay_labels(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("model,subject,roi,score\nNA,s1,V1,0.5\nnan,s1,V1,\n")
    table = apa.read(path)
    assert table.levels("model") == ["NA", "nan"]
    assert table.n_missing == 1


def test_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.pkl"
    path.write_bytes(b"x")
    with pytest.raises(ReadError, match=r"scores\.pkl: pickled files are refused"):
        apa.read(path)


def test_unknown_format_and_missing_path(tmp_path: Path) -> None:
    (tmp_path / "scores.xyz").write_text("x")
    with pytest.raises(ReadError, match="unknown format; allowed"):
        apa.read(tmp_path / "scores.xyz")
    with pytest.raises(ReadError, match="no such file"):
        apa.read(tmp_path / "absent.csv")
    with pytest.raises(ReadError, match="holds no table file"):
        apa.read(tmp_path)


def test_one_broken_file_among_good_ones_is_named(frame: pd.DataFrame, tmp_path: Path) -> None:
    for i in range(20):
        frame.assign(model=frame["model"] + str(i)).to_csv(tmp_path / f"{i:02d}.csv", index=False)
    (tmp_path / "07.csv").write_bytes(b'model,subject\n"a,b\n\xff\xfe')
    with pytest.raises(ReadError, match=r"07\.csv: cannot be read"):
        apa.read(tmp_path)


def test_missing_column_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("model,subject,score\na,s1,1\n")
    with pytest.raises(DataError, match=r"scores\.csv: missing column 'roi'"):
        apa.read(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "x"}, "layout: got 'x'"),
        ({"wide": "score"}, "wide: got 'score'"),
        ({"rois": "V1"}, "rois: got 'V1'"),
        ({"rename": {"absent": "model"}}, "rename: got 'absent'"),
        ({"wide": "model"}, "wide: got 'model'"),
        ({"on_duplicate": "last"}, "on_duplicate: got 'last'"),
    ],
)
def test_bad_arguments(frame: pd.DataFrame, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        apa.read(frame, **options)


def test_concat(frame: pd.DataFrame) -> None:
    whole = apa.ScoreTable(frame)
    parts = [whole.where(subject=s) for s in whole.levels("subject")]
    assert apa.concat(*parts).hash == whole.hash
    with pytest.raises(DataError, match="repeat the key"):
        apa.concat(whole, parts[0])
    with pytest.raises(InputError, match="tables"):
        apa.concat()
