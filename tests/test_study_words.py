"""Wrong values of every key of a study, wrong options of every command: words of this package, and a way on."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from typer.testing import CliRunner

from apastats import EXPORTS
from apastats.cli import app
from apastats.elsewhere import ARGUMENTS
from apastats.errors import StudyError
from apastats.studies.schema import parse_study
from apastats.studies.sections import StudyFile
from apastats.studies.unknown_options import study_keys

FOREIGN = re.compile(
    r"Input should|should (be|match|have|not)|[Uu]nable|valid |match pattern|dictionary|tuple|instance"
    r"|greater than|less than|ensure"
)
WRONG = ['""', '"10 %"', '"x y!"', "-1", "1.5", "1e400", "true", "[]", '["x y!"]', "[[1]]", "{ a = 1 }",
         "1979-05-27"]  # fmt: skip
SECTIONS = sorted(StudyFile.model_fields)


def _models(annotation: Any) -> Iterator[Any]:
    if hasattr(annotation, "model_fields"):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _refusals(section: str, tmp_path: Path) -> Iterator[tuple[str, str, str]]:
    """Key, value and message of every wrong value of every key of a section."""
    study = tmp_path / "study.toml"
    model = next(_models(StudyFile.model_fields[section].annotation), None)
    listed = "list[" in str(StudyFile.model_fields[section].annotation)
    for key in model.model_fields if model else ():
        for value in WRONG:
            head = f"[[{section}]]" if listed else f"[{section}]"
            lines = ['[inputs]\nscores = "a.csv"'] if section != "inputs" else []
            study.write_text("\n".join([*lines, head, f"{key} = {value}"]), "utf-8")
            try:
                parse_study(study)
            except StudyError as error:
                yield key, value, str(error)


@pytest.mark.parametrize("section", SECTIONS)
def test_no_key_of_a_study_answers_in_words_of_another_program(
    section: str, tmp_path: Path
) -> None:
    seen = 0
    for key, value, message in _refusals(section, tmp_path):
        about = [line for line in message.splitlines() if f"{key}: " in line or f".{key}" in line]
        for line in about:
            words = re.sub(r"got .*?; allowed", "", line.partition(": ")[2])
            assert not FOREIGN.search(words), (key, value, line)
            seen += 1
    assert seen > 0, section


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('study.name = ""', r"study\.name: got ''; allowed: a name of letters, digits"),
        ('study.seed = "a"', r"study\.seed: got 'a'; allowed: a whole number"),
        ("study.seed = -1", r"study\.seed: got -1; allowed: 0 or more"),
        ('equivalence.bounds = "10 %"', r"bounds: got '10 %'; allowed: a number.*\{ share = 0\.1, of = "),
        ('equivalence.bounds = ""', r"bounds: got ''; allowed: a number.*smallest difference that matters"),
        ('bootstrap.interval = "Percentile"', r"interval: got 'Percentile'; allowed: .*Did you mean 'percentile'\?"),
        ("bootstrap.conf_level = 95", r"conf_level: got 95; allowed: below 1"),
        ('report.formats = "html"', r"report\.formats: got 'html'; allowed: a list"),
    ],
)  # fmt: skip
def test_wrong_values_of_a_study(line: str, message: str, tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(f'inputs.scores = "a.csv"\n{line}\n', "utf-8")
    with pytest.raises(StudyError, match=message):
        parse_study(study)


@functools.cache
def _commands() -> dict[str, Any]:
    return dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def _refused(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "400", "TERM": "dumb"})
    assert done.exit_code == 2
    return " ".join(re.sub(r"[│╭╰─╮╯]", " ", done.output).split())


@pytest.mark.parametrize("command", sorted(_commands()))
def test_an_option_by_its_other_names_is_known(command: str) -> None:
    own = [o for p in _commands()[command].params for o in p.opts if o.startswith("--")]
    for option in own:
        for other in ARGUMENTS.get(option[2:].replace("-", "_"), ()):
            spelt = f"--{other.replace('_', '-')}"
            if spelt not in own:
                assert f"No such option: {spelt}. Did you mean {option}?" in _refused(
                    command, "x", spelt, "1"
                )


@pytest.mark.parametrize("command", ["run", "plan", "init"])
def test_an_option_that_is_a_key_of_the_study_says_where_it_is_written(command: str) -> None:
    own = {o for p in _commands()[command].params for o in p.opts}
    seen = 0
    for key, places in study_keys().items():
        if f"--{key}" in own or key in own:
            continue
        said = _refused(command, "x", f"--{key.replace('_', '-')}", "1")
        assert f"{places[0]} is a key of the study" in said, said
        seen += 1
    assert seen > 50


def test_where_the_margin_is_written() -> None:
    for spelt in ("--bounds", "--margin"):
        said = _refused("run", "study.toml", spelt, "0.1")
        assert "--set equivalence.bounds=" in said
    assert "Did you mean --bounds?" in _refused("init", "x.csv", "--margin", "0.1")
    done = CliRunner().invoke(app, ["init", "x.csv", "--bounds", "10 %"])
    assert "share = 0.1" in str(done.exception)


def test_a_verb_that_is_no_command_names_the_commands() -> None:
    for name in ("equivalence", "noise_ceiling", "lmm"):
        assert name in EXPORTS
        assert f"{name} is a verb of Python (apa.{name})" in _refused(name, "x.csv")
    for wrote, meant in (
        ("new", "init"),
        ("start", "init"),
        ("execute", "run"),
        ("validate", "check"),
        ("open", "view"),
    ):
        assert f"Did you mean {meant}?" in _refused(wrote)
