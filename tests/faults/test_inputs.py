"""Inputs that change while a study runs are noticed, and nothing of it is kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import apastats as apa
from apastats.errors import StudyError


@pytest.fixture
def study(tmp_path: Path) -> Path:
    made = apa.simulate(n_subject=5, n_model=2, n_tied=2, n_layer=1, rois=["V1", "V3"], rng=2)
    (tmp_path / "scores").mkdir()
    for subject, rows in made.scores.frame.groupby("subject"):
        rows.to_csv(tmp_path / "scores" / f"{subject}.csv", index=False)
    (tmp_path / "study.toml").write_text('[study]\nname = "s"\n[inputs]\nscores = "scores"\n')
    return tmp_path / "study.toml"


def first(folder: Path) -> Path:
    return sorted((folder / "scores").iterdir())[0]


def rewritten(folder: Path) -> None:
    first(folder).write_text(first(folder).read_text().replace("0.1", "0.2"))


def replaced(folder: Path) -> None:
    other = folder / "other.csv"
    other.write_bytes(first(folder).read_bytes())
    os.replace(other, first(folder))


def removed(folder: Path) -> None:
    first(folder).unlink()


def added(folder: Path) -> None:
    (folder / "scores" / "zz.csv").write_bytes(first(folder).read_bytes())


@pytest.mark.parametrize(
    ("change", "word"),
    [(rewritten, "changed: "), (replaced, "changed: "), (removed, "gone: "), (added, "new: ")],
)
def test_a_change_during_the_run_is_noticed(
    tmp_path: Path, study: Path, change: Callable[[Path], None], word: str
) -> None:
    def at_the_report(step: str) -> None:
        if step == "writing the report":
            change(tmp_path)

    with pytest.raises(StudyError, match=word) as caught:
        apa.run_study(study, output=tmp_path / "out", progress=at_the_report)
    assert str(tmp_path / "scores") in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scores", "study.toml"]


def test_a_run_that_writes_among_its_inputs_does_not_notice_itself(
    tmp_path: Path, study: Path
) -> None:
    apa.run_study(
        study,
        output=tmp_path / "scores" / "out",
        assignments=[f"inputs.cache={tmp_path / 'scores' / 'cache.parquet'}"],
    )
    assert (tmp_path / "scores" / "out" / "report.html").is_file()
