"""Plans: frozen under a hash, kept, deviated from, exploratory; a changed plan is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import apastats as apa
from apastats.cli import app
from apastats.errors import OutputExistsError, ReadError, StudyError
from apastats.studies.plan import (
    compare_with_plan,
    decisions,
    freeze,
    plan_hash,
    read_plan,
    write_plan,
)
from apastats.studies.schema import parse_study
from apastats.studies.verify_study import verify_study

STUDY = """
[study]
name = "planned"
seed = 3

[inputs]
scores = "scores.csv"
rois = ["V1", "V3", "V4"]

[equivalence]
bounds = { share = 0.1, of = "leave_one_out" }

[[analysis]]
name = "brains"
verb = "brain_test"
data = "scores"
options = { selection = { result = "selected" }, margin = 0.1, n_resamples = 199 }
"""
MORE = """
[[analysis]]
name = "afterthought"
verb = "equivalence_set"
data = "selected"
formula = "score ~ model | roi"
"""
pytestmark = pytest.mark.filterwarnings("ignore::apastats.errors.ApaWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("plan")
    study = apa.simulate(n_subject=6, n_model=3, n_layer=2, rois=["V1", "V3", "V4", "MT"], rng=2)
    study.scores.frame.to_csv(target / "scores.csv", index=False)
    (target / "study.toml").write_text(STUDY)
    return target


def changed(folder: Path, old: str, new: str) -> Path:
    assert old in STUDY or not old
    text = STUDY.replace(old, new) if old else STUDY + new
    path = folder / "changed.toml"
    path.write_text(text)
    return path


def test_a_plan_holds_what_is_decided_and_nothing_of_where_and_how_fast(folder: Path) -> None:
    study, _ = parse_study(folder / "study.toml")
    found = decisions(study)
    assert found["equivalence.bounds.share"] == 0.1
    assert found["equivalence.adjust"] == "holm"
    assert found["inputs.scores.rois" if "inputs.scores.rois" in found else "inputs.rois"] == [
        "V1", "V3", "V4",
    ]  # fmt: skip
    assert found["select_layer.on"]
    assert found["analysis.brains.options.margin"] == 0.1
    assert not [v for v in found.values() if str(folder) in str(v)]
    for key in ("study.title=other", "bootstrap.n_jobs=2", "report.max_rows=5"):
        assert decisions(parse_study(folder / "study.toml", [key])[0]) == found
    assert freeze(study)["hash"] == freeze(study)["hash"]


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("share = 0.1", "share = 0.2", "equivalence.bounds.share"),
        ('"V1", "V3", "V4"', '"V1", "V3"', "rois"),
        ("seed = 3", "seed = 4", "study.seed"),
        ("margin = 0.1", "margin = 0.3", "analysis.brains.options.margin"),
        ('of = "leave_one_out" }', 'of = "leave_one_out" }\nadjust = "none"', "equivalence.adjust"),
    ],
)
def test_every_other_value_is_a_deviation(folder: Path, old: str, new: str, key: str) -> None:
    plan = freeze(parse_study(folder / "study.toml")[0])
    rows = compare_with_plan(plan, parse_study(changed(folder, old, new))[0]).table
    deviated = rows[rows["status"] == "deviated"]
    assert len(deviated) == 1
    assert key in deviated["key"].iloc[0]
    same = compare_with_plan(plan, parse_study(folder / "study.toml")[0]).table
    assert set(same["status"]) == {"kept"}


def test_the_hash_knows_every_character_and_no_order(folder: Path) -> None:
    plan = freeze(parse_study(folder / "study.toml")[0])
    assert plan_hash(dict(reversed(plan.items()))) == plan["hash"]
    for key in plan["decisions"]:
        other = plan | {"decisions": plan["decisions"] | {key: "x"}}
        assert plan_hash(other) != plan["hash"]
    assert plan_hash(plan | {"power": [{"n": 3}]}) != plan["hash"]


def test_run_says_what_was_planned_and_what_was_not(folder: Path, tmp_path: Path) -> None:
    written = write_plan(folder / "study.toml", n=[6, 20])
    page = written.with_suffix(".md").read_text()
    plan = read_plan(written)
    assert plan["hash"] in page
    assert "power" in page
    assert "simulated" in page
    with pytest.raises(OutputExistsError):
        write_plan(folder / "study.toml")
    kept = apa.run_study(folder / "study.toml", output=tmp_path / "kept")
    assert set(kept.results["plan"].table["status"]) == {"kept"}
    assert verify_study(tmp_path / "kept") == []
    # the same file with one more analysis, another margin, and one analysis less
    text = STUDY.replace("share = 0.1", "share = 0.3").replace('name = "brains"', 'name = "other"')
    (folder / "study.toml").write_text(text + MORE)
    other = apa.run_study(folder / "study.toml", output=tmp_path / "other")
    table = other.results["plan"].table
    status = table.groupby("part")["status"].first()
    assert status["equivalence"] == "deviated"
    assert status["analysis.afterthought"] == status["analysis.other"] == "exploratory"
    assert status["analysis.brains"] == "deviated"
    assert status["select_layer"] == "kept"
    html = (tmp_path / "other" / "report.html").read_text()
    assert html.count("(not as planned)") >= 3
    assert plan["hash"] in html
    assert html.count("was not planned: it is exploratory") == 2
    assert "was planned and not run: a deviation" in html
    (folder / "study.toml").write_text(STUDY)
    pilot = freeze(parse_study(folder / "study.toml")[0], pilot=tmp_path / "kept")
    assert {r["source"] for r in pilot["power"]} == {"pilot, equivalence_score", "pilot, brains"}
    # a plan that was touched is found, in the folder and beside the study
    for path in (tmp_path / "kept" / "plan.json", written):
        content = json.loads(path.read_text())
        content["decisions"]["equivalence.alpha"] = 0.1
        path.write_text(json.dumps(content))
    assert "was changed" in verify_study(tmp_path / "kept")[0].what
    with pytest.raises(StudyError, match="changed after it was made"):
        apa.run_study(folder / "study.toml", output=tmp_path / "again")
    assert not (tmp_path / "again").exists()
    written.unlink()
    written.with_suffix(".md").unlink()


def test_the_command_line(folder: Path) -> None:
    run = CliRunner().invoke
    made = run(app, ["plan", str(folder / "study.toml"), "--json"])
    assert made.exit_code == 0, made.output
    code = json.loads(made.output)["hash"]
    assert code in run(app, ["verify", str(folder / "study.plan.json")]).output
    plan = folder / "study.plan.json"
    plan.write_text(plan.read_text().replace("0.1", "0.2"))
    assert run(app, ["verify", str(plan)]).exit_code != 0
    plan.unlink()
    with pytest.raises(ReadError):
        read_plan(folder / "study.toml")
