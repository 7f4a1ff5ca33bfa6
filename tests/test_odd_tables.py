"""Tables as laboratories keep them, from the file to the words of the report."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DegenerateWarning, InputError, SmallSampleWarning
from apastats.reporting.tables import intervals_shown


def frame(models: str = "AB", n: int = 6, brain: bool = False, **more: object) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows = [
        {
            "kind": "model",
            "model": m,
            "subject": f"s{s}",
            "roi": roi,
            "score": rng.normal(0.3, 0.05),
        }
        for s in range(n)
        for roi in ("V1", "V4", "IT")
        for m in models
    ]
    if brain:
        rows += [
            row | {"kind": "leave_one_out", "model": "others", "score": row["score"] + 0.2}  # type: ignore[operator]
            for row in rows
            if row["model"] == models[0]
        ]
    return pd.DataFrame(rows).assign(**more)


def cli(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *shlex.split(line)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=300, check=False
    )


def advised(line: str, cwd: Path) -> str:
    """The line that check says to type next, whole."""
    import json

    items = json.loads(cli(f"{line} --json", cwd).stdout)["items"]
    return next(row["value"] for row in items if row["item"] == "next")


def test_the_line_advised_for_repeated_rows_runs(tmp_path: Path) -> None:
    data = frame().drop(columns="kind")
    pd.concat([data, data[:4]]).to_csv(tmp_path / "s.csv", index=False)
    refused = cli("apastats init s.csv --bounds 0.05", tmp_path)
    assert refused.returncode == 2
    assert "on_duplicate" in refused.stderr
    line = advised("apastats check s.csv", tmp_path)
    assert line.endswith("--on-duplicate first")
    assert cli(f"{line} --bounds 0.05", tmp_path).returncode == 0
    done = cli("apastats run study.toml --out out", tmp_path)
    assert done.returncode == 0, done.stderr


def test_refused_rows_are_not_answered_by_the_same_line(tmp_path: Path) -> None:
    data = frame(brain=True)
    data.loc[data["kind"] == "leave_one_out", "model"] = ""
    data.to_csv(tmp_path / "s.csv", index=False)
    found = apa.check(tmp_path / "s.csv").table.set_index("item")
    assert "'others' of kind leave_one_out" in found.loc["reading", "detail"]
    assert found.loc["next", "detail"] == "once the data are corrected"


def test_brain_rows_without_predictor_roi_run_from_init(tmp_path: Path) -> None:
    frame(brain=True).to_csv(tmp_path / "s.csv", index=False)
    assert cli("apastats init s.csv --bounds 0.05", tmp_path).returncode == 0
    done = cli("apastats run study.toml --out out", tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Leave-one-out noise ceilings ranged" in page


def test_rows_without_predictor_roi_are_those_of_the_roi_itself() -> None:
    data = frame(brain=True)
    named = apa.noise_ceiling(
        apa.read(data.assign(layer=data["roi"].where(data["kind"] != "model", "-")))
    )
    blank = apa.noise_ceiling(apa.read(data))
    pd.testing.assert_frame_equal(named.tidy(), blank.tidy())


def test_one_layer_is_no_choice() -> None:
    table = apa.read(frame())
    best = apa.select_layer(table, on="cross_subject")
    assert best.log[-1] == "one layer for each model, ROI and metric, and none chosen"
    text = apa.report(best, apa.bootstrap("score ~ model | roi", best)).markdown()
    assert "so none was chosen" in text
    assert "was chosen on" not in text
    assert "train split" not in set(apa.check(table).table["item"])


@pytest.mark.parametrize(("train", "test"), [("Train", "Test"), (" TRAIN", "test")])
def test_splits_and_kinds_in_capitals(train: str, test: str) -> None:
    data = frame(brain=True)
    data["kind"] = data["kind"].replace({"leave_one_out": "Leave-One-Out"})
    both = pd.concat([data.assign(split=train, score=0.9), data.assign(split=test)])
    table = apa.ScoreTable(both)
    assert set(table.levels("split")) == {"train", "test"}
    assert any("taken as 'train'" in line for line in table.log)
    ceiling = apa.noise_ceiling(table)
    expected = data[data["kind"] == "Leave-One-Out"].groupby("roi")["score"].mean()
    found = ceiling.tidy().set_index("roi")["estimate"]
    np.testing.assert_allclose(found[expected.index], expected)


def test_a_ceiling_of_several_splits_asks() -> None:
    data = frame(brain=True)
    table = apa.ScoreTable(pd.concat([data.assign(split="a"), data.assign(split="b")]))
    with pytest.raises(InputError, match="split"):
        apa.noise_ceiling(table)
    assert len(apa.noise_ceiling(table, split="b").tidy()) == 3


@pytest.mark.parametrize("formula", ["score ~ subject | roi", "score ~ model | subject"])
def test_the_cluster_is_no_factor(formula: str) -> None:
    with pytest.raises(InputError, match="columns other than 'subject'"):
        apa.bootstrap(formula, apa.read(frame()))


@pytest.mark.parametrize("odd", ["\uff36\uff11", "V1\u200b", "V\u00ad1"])
def test_labels_the_eye_cannot_tell_apart_are_spoken_of(odd: str) -> None:
    data = frame()
    data.loc[0, "roi"] = odd
    items = apa.check(apa.read(data)).table.set_index("item")
    assert "'V1'" in items.loc["rois nearly alike", "detail"]


def test_one_model_predicts() -> None:
    table = apa.read(frame("A"))
    page = apa.report(table, apa.bootstrap("score ~ model | roi", table))
    assert "how well 1 model predicts the brain" in page.answer
    assert "1 models" not in page.markdown()


def test_two_subjects_have_no_intervals_in_captions() -> None:
    table = apa.read(frame("ABC", n=2, brain=True))
    with pytest.warns(DegenerateWarning, match=r"first: V1, score, reference\)"):
        ceiling = apa.noise_ceiling(table)
    with pytest.warns(SmallSampleWarning):
        boot = apa.bootstrap("score ~ model | roi", table.where(kind="model"))
    text = apa.report(ceiling, boot).markdown()
    assert "bars are" not in text
    assert "without intervals" in text
    found = apa.check(table).table.set_index("item")
    assert found.loc["ceiling, leave_one_out", "detail"].startswith("no interval: V1")


def test_one_interval_that_decides_both_tests_is_shown_once() -> None:
    table = apa.read(frame("ABC"))
    best = apa.equivalence("score ~ model | roi", table, bounds=0.05, reference="best")
    assert len(intervals_shown(best.table, best.info)) == 1
    pairs = apa.equivalence("score ~ model | roi", table, bounds=0.05)
    assert len(intervals_shown(pairs.table, pairs.info)) == 2


def test_what_is_said_of_pooled_variances_fits_their_degrees_of_freedom() -> None:
    # a seed whose variances are alike in all cells, so that they are pooled
    data = frame("ABCDEFGH", n=12).assign(score=np.random.default_rng(11).normal(0.3, 0.05, 288))
    found = apa.equivalence("score ~ model | roi", apa.read(data), bounds=0.05, reference="best")
    cells, of_each = 3, 11 * 7
    assert found.table["df"].unique() == pytest.approx([cells * of_each])
    assert "for all differences in all ROIs" in found.info.method
    assert found.info.family.startswith("24 tests, one per model")


@pytest.mark.parametrize(
    ("metric", "words"), [("spearman", "Spearman correlation"), ("tau-a", "Kendall's tau-a")]
)
def test_comparisons_of_rdms_have_their_names_in_sentences(metric: str, words: str) -> None:
    table = apa.read(frame(metric=metric))
    page = apa.report(table, apa.bootstrap("score ~ model | roi + metric", table))
    assert f"(6 subjects, {words})" in page.answer


def test_a_key_with_several_values_asks_for_a_list(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "s.csv", index=False)
    assert cli("apastats init s.csv --bounds 0.05", tmp_path).returncode == 0
    refused = cli("apastats run study.toml --set report.formats=html", tmp_path)
    assert refused.returncode == 2
    assert "report.formats: got 'html'; allowed: a list" in refused.stderr
