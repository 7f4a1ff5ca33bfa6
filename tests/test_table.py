"""ScoreTable, formulas and the dense block."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from apastats import ScoreTable
from apastats.errors import DataError, DesignError, FormulaError, InputError
from apastats.table import parse_formula


def frame(**changes: object) -> pd.DataFrame:
    rows = [(s, m, r) for s in ("s1", "s2", "s3") for m in ("a", "b") for r in ("V1", "V2")]
    data = pd.DataFrame(rows, columns=["subject", "model", "roi"])
    data["score"] = np.arange(len(data), dtype=float)
    return data.assign(**changes)


def test_defaults_and_column_order() -> None:
    table = ScoreTable(frame())
    assert table.frame.columns.tolist() == [
        *("kind", "model", "layer", "subject", "roi", "metric", "split", "score")
    ]
    assert table.frame[["kind", "layer", "metric", "split"]].iloc[0].tolist() == [
        "model",
        "-",
        "score",
        "test",
    ]


def test_subject_labels_are_text() -> None:
    table = ScoreTable(frame(subject=[1] * 4 + [2] * 4 + [3] * 4))
    assert table.levels("subject") == ["1", "2", "3"]


def test_covariates_are_kept_and_assigned() -> None:
    table = ScoreTable(frame(colour="red")).assign(stream={"V1": "early", "V2": "late"})
    assert table.frame["colour"].unique().tolist() == ["red"]
    assert set(table.frame["stream"]) == {"early", "late"}
    with pytest.raises(InputError, match="covers all ROIs"):
        table.assign(x={"V1": 1})


def test_nan_is_kept_and_counted() -> None:
    table = ScoreTable(frame(score=[np.nan] + [1.0] * 11))
    assert table.n_missing == 1
    assert any("NaN" in line for line in table.log)
    assert not table.block("score ~ model | roi").mask[0, 0, 0]


def test_hash_ignores_row_order_and_sees_every_number() -> None:
    data = frame()
    assert ScoreTable(data).hash == ScoreTable(data.sample(frac=1, random_state=1)).hash
    assert ScoreTable(data).hash != ScoreTable(data.assign(score=data["score"] + 1e-12)).hash
    assert ScoreTable(data).hash != ScoreTable(data.assign(roi=data["roi"] + "x")).hash


def test_block_axes() -> None:
    block = ScoreTable(frame()).block("score ~ model | roi")
    assert block.values.shape == (3, 2, 2)
    assert block.clusters == ["s1", "s2", "s3"]
    assert block.group_labels() == ["a", "b"]
    assert block.values[1, 0, 1] == 5.0
    with pytest.raises(InputError, match="one of"):
        block.group_index("c")


def test_block_without_compare_or_by() -> None:
    one = ScoreTable(frame()).where(model="a", roi="V1")
    assert one.block("score ~ 1").values.shape == (3, 1, 1)


def test_where_names_unknown_values() -> None:
    table = ScoreTable(frame())
    assert len(table.where(roi="V1", model=["a", "b"])) == 6
    with pytest.raises(InputError, match="V9"):
        table.where(roi="V9")
    with pytest.raises(InputError, match="column"):
        table.where(region="V1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "network"}, "unknown kind 'network'"),
        ({"score": "high"}, "must be numbers"),
        ({"score": np.inf}, "infinite in row 0"),
        ({"roi": None}, "column 'roi' has no value"),
        ({"subject": "s1"}, "repeat the key of another row"),
    ],
)
def test_bad_frames(changes: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ScoreTable(frame(**changes))


def test_missing_column_is_named() -> None:
    with pytest.raises(DataError, match=r"missing column 'roi'.*found"):
        ScoreTable(frame().drop(columns="roi"))


def test_empty_frame() -> None:
    with pytest.raises(DataError, match="no rows"):
        ScoreTable(frame().iloc[:0])


def test_duplicates_show_the_first_five() -> None:
    data = pd.concat([frame()] * 2)
    with pytest.raises(DataError, match=r"12 rows repeat(.|\n)*s1"):
        ScoreTable(data)
    kept = ScoreTable(data, on_duplicate="first")
    assert len(kept) == 12
    assert any("12 duplicate rows dropped" in line for line in kept.log)


def test_several_rows_per_cell_name_the_column() -> None:
    two = pd.concat([frame(layer="l1"), frame(layer="l2")])
    with pytest.raises(DesignError, match=r"differ in \['layer'\]"):
        ScoreTable(two).block("score ~ model | roi")


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("score model", "exactly one '~'"),
        ("score ~ a ~ b", "exactly one '~'"),
        ("score ~ model | roi | x", "at most one top-level"),
        ("score ~ (1 | subject)", "lmm"),
        ("score ~ model + model", "given twice"),
        ("score ~ model | model", "both sides"),
        ("score ~ model |", "column name is expected"),
        ("a + b ~ model", "one outcome"),
        ("score ~ 1 + model", "stands alone"),
        ("score ~ mo del", "column name is expected"),
    ],
)
def test_bad_formulas_show_the_position(formula: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message) as caught:
        parse_formula(formula)
    assert "^" in str(caught.value)


def test_formula_columns_must_exist() -> None:
    with pytest.raises(InputError, match="'region' is not a column"):
        ScoreTable(frame()).block("score ~ model | region")
    with pytest.raises(InputError, match="on the left side"):
        ScoreTable(frame()).block("roi ~ model")
