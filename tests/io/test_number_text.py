"""Numbers as people write them: read where there is one reading, asked for where there are two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DataError, DirectionWarning, ReadError

HEADER = "subject;roi;model;score;n_voxels\n"


def written(path: Path, scores: list[str], voxels: list[str] | None = None) -> Path:
    voxels = voxels or ["100"] * len(scores)
    rows = [f"s{i};V1;m;{a};{b}\n" for i, (a, b) in enumerate(zip(scores, voxels, strict=True))]
    path.write_text(HEADER + "".join(rows), encoding="utf-8")
    return path


def found(path: Path, column: str = "score", **options: Any) -> list[float]:
    return apa.read(path, **options).frame[column].tolist()


@pytest.mark.parametrize("minus", ["-", "−", "–", "‐", "‑", "﹣", "－"])
@pytest.mark.parametrize("mark", [".", ","])
def test_every_minus_sign(tmp_path: Path, minus: str, mark: str) -> None:
    path = written(tmp_path / "t.csv", [f"{minus}0{mark}31", f"0{mark}2", f"1e{minus}3", minus])
    np.testing.assert_array_equal(found(path), [-0.31, 0.2, 0.001, np.nan])
    table = apa.read(path, decimal=mark)
    assert any("minus signs" in line for line in table.log) == (minus != "-")


def test_a_lone_dash_of_any_length_is_missing(tmp_path: Path) -> None:
    for dash in ("-", "–", "—", "−"):
        assert np.isnan(found(written(tmp_path / "t.csv", [dash, "0.2"]))[0])


@pytest.mark.parametrize("blank", ["\u00a0", "\u202f", "\u2009", "’", "'"])
def test_blanks_that_only_part_thousands(tmp_path: Path, blank: str) -> None:
    voxels = [f"1{blank}234", f"12{blank}345{blank}678", "987"]
    path = written(tmp_path / "t.csv", ["0.1", "0.2", "0.3"], voxels)
    assert found(path, "n_voxels") == [1234.0, 12345678.0, 987.0]


@pytest.mark.parametrize(
    ("scores", "voxels", "values"),
    [
        (["0.1", "0.2"], ["1,234.0", "2,001"], [1234.0, 2001.0]),
        (["0.1", "0.2"], ["1,234,567", "2,001"], [1234567.0, 2001.0]),
        (["0,1", "0,2"], ["1.234,0", "2.001"], [1234.0, 2001.0]),
        (["0,1", "0,2"], ["1.234.567", "987"], [1234567.0, 987.0]),
        (["1,234.5", "0.2"], ["7", "8"], [7.0, 8.0]),
    ],
)
def test_marks_of_thousands_that_show_themselves(
    tmp_path: Path, scores: list[str], voxels: list[str], values: list[float]
) -> None:
    table = apa.read(written(tmp_path / "t.csv", scores, voxels))
    assert table.frame["n_voxels"].tolist() == values
    assert table.frame["score"].tolist()[1] == 0.2
    assert any("marks of thousands left out" in line for line in table.log)


def test_marks_that_may_be_either_are_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", ["0.1", "0.2"], ["1,234", "987"])
    with pytest.raises(ReadError, match=r"'1,234' fits.*decimal='\.', which reads commas"):
        apa.read(path)
    assert found(path, "n_voxels", decimal=".") == [1234.0, 987.0]
    path = written(tmp_path / "t.csv", ["0,1", "0,2"], ["1.234", "987"])
    with pytest.raises(DataError, match=r"line 2.*n_voxels.*'1\.234'.*decimal=',' for thousands"):
        apa.read(path)
    assert found(path, "n_voxels", decimal=",") == [1234.0, 987.0]
    path = written(tmp_path / "t.csv", ["0.1", "0.2"], ["1 234", "987"])
    with pytest.raises(DataError, match=r"line 2.*two numbers, or one with a blank"):
        apa.read(path)


def test_percent_is_a_share_and_said(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", ["31,5 %", "7%", "n/a"])
    table = apa.read(path)
    np.testing.assert_array_equal(table.frame["score"], [0.315, 0.07, np.nan])
    assert any("percent read as shares, e.g. '31,5 %' as 0.315" in line for line in table.log)
    with pytest.raises(DataError, match="line 3.*'20' without and '31%' with a percent sign"):
        apa.read(written(tmp_path / "t.csv", ["31%", "20"]))


def test_numbers_as_text_in_objects() -> None:
    f = pd.DataFrame({"subject": ["a", "b"], "roi": "V1", "model": "m", "score": ["0,31", "−0,2"]})
    with pytest.raises(DataError, match="decimal="):
        apa.read(f)
    assert apa.read(f, decimal=",").frame["score"].tolist() == [0.31, -0.2]
    f["score"] = ["1,234", "2"]
    with pytest.raises(DataError, match="may be a decimal mark or part thousands"):
        apa.read(f)
    assert apa.read(f, decimal=",").frame["score"].tolist() == [1.234, 2.0]
    assert apa.read(f, decimal=".").frame["score"].tolist() == [1234.0, 2.0]


def test_a_row_of_units_is_spoken_of() -> None:
    f = pd.DataFrame({"subject": ["a", "b"], "roi": "V1", "model": "m", "score": ["rho", "0.2"]})
    with pytest.raises(DataError, match="row of units under the header"):
        apa.read(f)


# similarities given as vectors


def test_similarities_given_as_vectors_are_spoken_of() -> None:
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(20, 6))
    patterns = [latent @ rng.normal(size=(6, 40)) + rng.normal(size=(20, 40)) for _ in range(7)]
    similarity = np.stack([np.corrcoef(p)[np.triu_indices(20, 1)] for p in patterns])
    brain = apa.read_rdms(
        1 - similarity[:6], labels={"subject": [f"s{i}" for i in range(6)], "roi": "V1"}
    )
    models = apa.read_rdms(similarity[6:], labels={"model": "m"})
    assert not any("similarities" in line for line in brain.log)
    assert any("they are similarities" in line for line in models.log)
    with pytest.warns(DirectionWarning, match=r"all 6 scores of models are negative.*\(1 - s\)"):
        table = apa.score(brain, models)
    assert any("turn similarities s around" in line for line in table.log)
    with pytest.warns(DirectionWarning):
        apa.evaluate_rdms(brain, models)
    turned = apa.read_rdms(1 - similarity[6:], labels={"model": "m"})
    assert (apa.score(brain, turned).frame["score"] > 0).all()
    crossed = apa.read_rdms(apa.simulate_rdms(n_subject=2, n_stimulus=8, rng=0).brain)
    assert not any("similarities" in line for line in crossed.log)
