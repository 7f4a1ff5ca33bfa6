"""A leaderboard from a study file: a table without people is enough, the page stands beside the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DataError, StudyError
from apastats.studies.run_study import render_again

STUDY = """
[study]
name = "board"
title = "Models and benchmarks"
[inputs.scores]
path = "scores.csv"
keys = ["benchmark"]
defaults = { subject = "all", roi = "all" }
"""
SECTION = """
[leaderboard]
item = "benchmark"
n_resamples = 199
response_model = true
missing = [-1.0, 0.0]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("board")
    rng = np.random.default_rng(1)
    y = rng.normal(size=(15, 1)) + rng.normal(size=8) + 0.4 * rng.normal(size=(15, 8))
    i, j = np.nonzero(rng.random(y.shape) > 0.3)
    frame = pd.DataFrame(
        {"model": [f"m{k}" for k in i], "benchmark": [f"b{k}" for k in j], "score": y[i, j]}
    )
    frame.to_csv(out / "scores.csv", index=False)
    (out / "study.toml").write_text(STUDY + SECTION)
    return out


def test_a_table_without_people(folder: Path, tmp_path: Path) -> None:
    run = apa.run_study(folder / "study.toml", output=tmp_path / "out")
    names = [n for n in run.results if n.startswith("leaderboard")]
    assert names == [
        "leaderboard",
        "leaderboard_items",
        "leaderboard_responses",
        "leaderboard_missing",
    ]
    assert "bootstrap_score" not in run.results
    page = (run.folder / "leaderboard.html").read_text("utf-8")
    assert "Models and benchmarks" in page
    assert page.count('<tr class="there') == 15
    report = run.report_path.read_text("utf-8")
    for heading in ("Leaderboard of score", "Items of the leaderboard", "Item-response model"):
        assert heading in report
    assert "can be the best" in run.answer
    table = pd.read_csv(run.folder / "tables" / "leaderboard.csv")
    # the same as the verb alone
    scores = apa.read(
        folder / "scores.csv", keys=["benchmark"], defaults={"subject": "all", "roi": "all"}
    )
    alone = apa.leaderboard(scores, item="benchmark", n_resamples=199, rng=1).table
    np.testing.assert_allclose(table["estimate"], alone["estimate"])
    np.testing.assert_array_equal(table["place_high"], alone["place_high"])
    # from the saved results, to the byte
    (run.folder / "leaderboard.html").unlink()
    render_again(run.folder)
    assert (run.folder / "leaderboard.html").read_text("utf-8") == page


def test_no_page_and_no_section(folder: Path, tmp_path: Path) -> None:
    run = apa.run_study(
        folder / "study.toml",
        assignments=["leaderboard.page=false", "leaderboard.items=false"],
        output=tmp_path / "out",
    )
    assert not (run.folder / "leaderboard.html").exists()
    assert "leaderboard_items" not in run.results
    (folder / "other.toml").write_text(STUDY)
    with pytest.raises(DataError, match="1 subject; a study needs at least 2"):
        apa.run_study(folder / "other.toml", output=tmp_path / "other")
    (folder / "wrong.toml").write_text(STUDY + '[leaderboard]\nitem = "benchmarc"\n')
    with pytest.raises((StudyError, apa.errors.InputError), match="benchmarc"):
        apa.run_study(folder / "wrong.toml", output=tmp_path / "wrong")
