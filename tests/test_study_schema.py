"""The JSON schema of study.toml: shipped as the code has it, and true of the studies there are."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from apastats.studies.sections import StudyFile
from apastats.studies.study_schema import schema_path, schema_text, study_schema

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).resolve().parents[1]
STUDIES = sorted([*ROOT.glob("analyses/*/study.toml"), *ROOT.glob("reports/*/study.toml")])


def test_the_shipped_schema_is_of_this_code() -> None:
    assert schema_path().read_text("utf-8") == schema_text()


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: f"{p.parts[-3]}-{p.parent.name}")
def test_studies_are_valid(path: Path) -> None:
    jsonschema.validate(tomllib.loads(path.read_text("utf-8")), study_schema())


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('[inputs]\nscores = "a.csv"', True),
        ('[inputs]\nscores = ["a.csv", "b.csv"]', True),
        ('[inputs]\nscores = { path = "a.csv", rename = { x = "roi" } }', True),
        ('[inputs]\nscores = "a.csv"\n[equivalence]\nbounds = 0.1', True),
        ('[inputs]\nscores = "a.csv"\n[equivalence]\nbounds = { share = 0.1, of = "sd" }', True),
        ('[inputs]\nscores = "a.csv"\n[equivalence]\nreference = "best"', False),
        ('[inputs]\nscores = "a.csv"\n[bootstrap]\nintervall = "percentile"', False),
        ('[inputs]\nscores = "a.csv"\n[bootstrap]\ninterval = "percent"', False),
        ('[inputs]\nscores = "a.csv"\n[bootstrap]\nconf_level = 95', False),
        ("[study]\nseed = 1", False),
    ],
)
def test_the_schema_takes_what_a_run_takes(text: str, valid: bool) -> None:
    content: dict[str, Any] = tomllib.loads(text)
    by_schema = jsonschema.Draft202012Validator(study_schema()).is_valid(content)
    try:
        StudyFile.model_validate(content)
        by_run = True
    except ValidationError:
        by_run = False
    assert (by_schema, by_run) == (valid, valid)


def test_every_key_says_what_it_means() -> None:
    schema = study_schema()
    for section in ("EquivalenceSection", "BootstrapSection", "Inputs", "ReportSection"):
        for key, described in schema["$defs"][section]["properties"].items():
            assert described.get("description"), (section, key)


def test_the_command_prints_it() -> None:
    command = [sys.executable, "-m", "apastats", "schema"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == study_schema()
