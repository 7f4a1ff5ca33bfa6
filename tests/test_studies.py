"""Study files and the whole pipeline."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import apastats as apa
from apastats.errors import OutputExistsError, StudyError
from apastats.studies.schema import parse_study

GOOD = """
[study]
name = "small"
seed = 3

[inputs]
scores = "scores.csv"

[equivalence]
bounds = 0.05
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("study")
    study = apa.simulate(
        n_subject=6, n_model=3, n_tied=2, n_layer=2, rois=["V1", "V3", "V4", "MT"], rng=2
    )
    study.scores.frame.to_csv(target / "scores.csv", index=False)
    (target / "study.toml").write_text(GOOD)
    return target


def test_paths_are_relative_to_the_file_and_to_here(
    folder: Path, tmp_path: Path, monkeypatch
) -> None:
    parsed, _ = parse_study(folder / "study.toml")
    assert parsed.inputs.scores.path == str(folder / "scores.csv")
    monkeypatch.chdir(tmp_path)
    parsed, text = parse_study(
        folder / "study.toml", ["inputs.scores=here.csv", "bootstrap.n_resamples=500"]
    )
    assert parsed.inputs.scores.path == str(tmp_path / "here.csv")
    assert parsed.bootstrap.n_resamples == 500
    assert "--set inputs.scores=here.csv" in text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "seed = 3",
            "sed = 3",
            r"study\.toml, line 4, study\.sed: unknown key; allowed: name, title, seed",
        ),
        ("seed = 3", "seed = -3", r"line 4, study\.seed: got -3; allowed: 0 or more"),
        (
            "bounds = 0.05",
            'adjust = "holm"',
            r"line 9, equivalence\.bounds: is missing: no margin is ever implied",
        ),
        ('scores = "scores.csv"', "", r"line 6, inputs: one of scores, tables, rdms or patterns"),
        ("bounds = 0.05", "bounds = { share = 0.1 }", r"line 10, equivalence\.bounds: a margin is"),
        ("[study]", "[stdy]", r"line 2, stdy: unknown key; allowed: study, inputs"),
        ("[study]", "[study", r"not valid TOML"),
    ],
)
def test_mistakes_name_file_line_and_key(
    folder: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    (tmp_path / "study.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(StudyError, match=message):
        parse_study(tmp_path / "study.toml")


@pytest.mark.parametrize(
    "assignment", ["inputs.scores", "=x", "inputs..scores=x", "study.name.deep=1"]
)
def test_bad_assignments(folder: Path, assignment: str) -> None:
    with pytest.raises(StudyError, match="--set"):
        parse_study(folder / "study.toml", [assignment])


def test_wrong_value_by_assignment_says_so(folder: Path) -> None:
    with pytest.raises(StudyError, match=r"study\.toml, --set, study\.seed"):
        parse_study(folder / "study.toml", ["study.seed=high"])


def test_missing_study_file(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="cannot be read"):
        apa.run_study(tmp_path / "absent.toml")


def test_the_whole_pipeline(folder: Path, tmp_path: Path) -> None:
    run = apa.run_study(folder / "study.toml", output=tmp_path / "out")
    for name in ("design", "ceiling_leave_one_out", "selected", "patterns", "agreement"):
        assert name in run.results
    assert {"bootstrap_score", "bootstrap_agreement", "equivalence_score"} <= set(run.results)
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"report.html", "tables", "figures", "results", "study.toml", "run.json"} <= names
    assert (tmp_path / "out" / "tables" / "equivalence_score.csv").stat().st_size > 100
    assert not list(tmp_path.glob("*.part"))
    again = apa.load_result(tmp_path / "out" / "results" / "equivalence_score")
    assert again.table.equals(run.results["equivalence_score"].table)


def test_same_study_same_numbers(folder: Path, tmp_path: Path) -> None:
    runs = [apa.run_study(folder / "study.toml", output=tmp_path / n) for n in ("a", "b")]
    for name in ("bootstrap_score", "bootstrap_agreement", "equivalence_score"):
        assert runs[0].results[name].table.equals(runs[1].results[name].table)
    a, b = ((r.folder / "tables" / "equivalence_score.csv").read_bytes() for r in runs)
    assert a == b


def test_output_is_kept_and_nothing_is_half_written(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(OutputExistsError, match="exists and is kept"):
        apa.run_study(folder / "study.toml", output=out)
    assert (out / "mine.txt").read_text() == "keep"
    with pytest.raises(apa.errors.ApaError):
        apa.run_study(
            folder / "study.toml", assignments=["inputs.scores=absent.csv"], output=tmp_path / "b"
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_analyses_are_valid_and_say_where_data_come_from(repository: Path) -> None:
    for study in sorted((repository / "analyses").glob("*/study.toml")):
        parse_study(study)
        readme = (study.parent / "README.md").read_text("utf-8").lower()
        for word in ("source", "licence", "how to get them", "run"):
            assert word in readme, (study, word)


def test_nothing_in_the_package_depends_on_data_beside_the_project(repository: Path) -> None:
    for path in [*(repository / "apastats").rglob("*.py"), *(repository / "analyses").rglob("*.*")]:
        if path.suffix in (".py", ".toml", ".md", ".j2"):
            assert not re.search(r"\.\./shared|/work/", path.read_text("utf-8")), path


FURTHER = """
[[analysis]]
name = "share"
verb = "normalize"
data = "selected"
options = { ceiling = { result = "ceiling_leave_one_out" } }

[[analysis]]
name = "percentile"
verb = "bootstrap"
formula = "score ~ model | roi"
data = "selected"
options = { interval = "percentile", n_resamples = 200 }
"""


def test_further_analyses(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(
        GOOD.replace('"scores.csv"', f'"{folder / "scores.csv"}"') + FURTHER
    )
    run = apa.run_study(tmp_path / "study.toml", output=tmp_path / "out")
    assert (run.results["share"].table["estimate"] > 0).all()
    best = run.results["selected"]
    ceiling = run.results["ceiling_leave_one_out"]
    assert run.results["share"].table.equals(apa.normalize(best, ceiling).table)
    with pytest.warns(apa.errors.MonteCarloWarning):
        again = apa.bootstrap(
            "score ~ model | roi", best, interval="percentile", n_resamples=200, rng=3
        )
    assert any("Monte-Carlo" in w for w in run.warnings)
    assert run.results["percentile"].table.equals(again.table)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'verb = "normalize"',
            'verb = "exec"',
            r"study\.toml, line 12, analysis\.0 \(share\)\.verb: got 'exec'; allowed: ",
        ),
        (
            'data = "selected"\noptions = { ceiling',
            'data = "chosen"\noptions = { ceiling',
            r"data: got 'chosen'",
        ),
        ("ceiling = {", "roof = {", r"unknown option 'roof'; allowed: table, ceiling"),
        ('formula = "score ~ model | roi"\n', "", r"formula: is needed by bootstrap"),
        ('name = "percentile"', 'name = "share"', r"'share' exists already"),
    ],
)
def test_mistakes_in_further_analyses(
    folder: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = GOOD.replace('"scores.csv"', f'"{folder / "scores.csv"}"') + FURTHER
    (tmp_path / "study.toml").write_text(text.replace(old, new))
    with pytest.raises(StudyError, match=message):
        apa.run_study(tmp_path / "study.toml", output=tmp_path / "out")


def test_an_interrupted_study_continues_and_ends_the_same(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = apa.run_study(folder / "study.toml", output=tmp_path / "whole")
    steps: list[str] = []

    def interrupt(step: str) -> None:
        steps.append(step)
        if step == "equivalence of score":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apa.run_study(folder / "study.toml", output=tmp_path / "out", progress=interrupt)
    assert not (tmp_path / "out").exists()
    kept = tmp_path / "out.unfinished"
    assert (kept / "bootstrap_score.json").exists()
    marked = kept / "ceiling_leave_one_out" / "result.json"
    marked.write_text(marked.read_text().replace('"notes": []', '"notes": ["read back"]'))
    run = apa.run_study(folder / "study.toml", output=tmp_path / "out")
    assert run.results["ceiling_leave_one_out"].notes == ("read back",)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "whole"]
    for table in sorted((tmp_path / "whole" / "tables").iterdir()):
        assert (tmp_path / "out" / "tables" / table.name).read_bytes() == table.read_bytes()
    assert list(run.results) == list(whole.results)


def test_an_interrupted_study_with_other_settings_starts_anew(folder: Path, tmp_path: Path) -> None:
    def interrupt(step: str) -> None:
        if step == "equivalence of score":
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        apa.run_study(folder / "study.toml", output=out, progress=interrupt)
    marked = tmp_path / "out.unfinished" / "ceiling_leave_one_out" / "result.json"
    marked.write_text(marked.read_text().replace('"notes": []', '"notes": ["read back"]'))
    run = apa.run_study(folder / "study.toml", output=out, assignments=["study.seed=9"])
    assert run.results["ceiling_leave_one_out"].notes == ()


def test_two_runs_at_once_do_not_share_a_folder(tmp_path):
    from apastats.folders import alone

    out = tmp_path / "out"
    with (
        alone(out),
        pytest.raises(OutputExistsError, match="being written by another run"),
        alone(out),
    ):
        pass
    with alone(out):  # free again
        pass
    assert list(tmp_path.iterdir()) == []
