"""What an index page, a resolver and a citation say about the package agrees with the repository."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

import apastats


def _script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    content = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))
    found: dict[str, Any] = content["project"]
    return found


def test_one_version_everywhere(repository: Path, project: dict[str, Any]) -> None:
    citation = yaml.safe_load((repository / "CITATION.cff").read_text("utf-8"))
    changes = (repository / "CHANGELOG.md").read_text("utf-8")
    heading = re.search(r"^## (\S+) - (\d{4}-\d\d-\d\d)$", changes, re.MULTILINE)
    assert heading is not None
    assert {apastats.__version__, project["version"], citation["version"], heading[1]} == {
        apastats.__version__
    }
    assert str(citation["date-released"]) == heading[2]
    assert citation["repository-code"] == project["urls"]["Source"]


def test_metadata_is_complete(project: dict[str, Any]) -> None:
    assert {"Homepage", "Documentation", "Source", "Issues", "Changelog"} <= set(project["urls"])
    assert project["authors"]
    named = {c.rsplit(" ", 1)[1] for c in project["classifiers"] if ":: Python :: 3." in c}
    assert named == {"3.11", "3.12", "3.13", "3.14"}
    assert project["requires-python"] == ">=3.11"


def test_every_dependency_has_a_floor(project: dict[str, Any]) -> None:
    for text in project["dependencies"]:
        assert [s for s in Requirement(text).specifier if s.operator == ">="], text
    assert Requirement(project["optional-dependencies"]["torch"][0]).specifier == ""


def test_links_of_the_readme_lead_somewhere(repository: Path) -> None:
    text = (repository / "README.md").read_text("utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert links
    for link in links:
        if not link.startswith("https://"):
            path, _, anchor = link.partition("#")
            assert (repository / path).exists(), link
            if anchor:
                heads = re.findall(r"^#+ (.+)$", (repository / path).read_text("utf-8"), re.M)
                slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}
                assert anchor in slugs, link


def test_the_long_description_has_whole_addresses(repository: Path) -> None:
    build = pytest.importorskip("hatch_fancy_pypi_readme._builder")
    config = pytest.importorskip("hatch_fancy_pypi_readme._config")
    content = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))
    table = content["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    for fragment in table["fragments"]:
        fragment["path"] = str(repository / fragment["path"])
    made = config.load_and_validate_config(table)
    text = build.build_text(made.fragments, made.substitutions, apastats.__version__)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert links
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_the_conda_recipe_is_of_this_pyproject(repository: Path) -> None:
    recipe = _script(repository / ".ci" / "recipe.py").recipe(repository)
    assert (repository / "recipe" / "meta.yaml").read_text("utf-8") == recipe


def test_the_oldest_job_installs_every_floor(repository: Path, project: dict[str, Any]) -> None:
    floors = _script(repository / ".ci" / "floors.py").floors(repository)
    core = {Requirement(t).name for t in project["dependencies"]}
    assert core <= {Requirement(t).name for t in floors}


def test_every_program_that_tests_look_for_is_installed_in_ci(repository: Path) -> None:
    """A test that is skipped where a program is missing runs in CI."""
    machine = (repository / ".ci" / "machine").read_text("utf-8")
    looked_for = {
        name
        for path in (repository / "tests").rglob("*.py")
        for name in re.findall(r"which\(\"(\w+)\"\)", path.read_text("utf-8"))
    }
    assert {"Rscript", "java", "pdflatex"} <= looked_for
    assert {name for name in looked_for if f"command -v {name}" not in machine} == set()
    for job in (".ci/run", ".github/workflows/tests.yml"):
        assert "bash .ci/machine" in (repository / job).read_text("utf-8")


def test_the_clean_machine_runs_the_first_minutes_on_every_python(
    repository: Path, project: dict[str, Any]
) -> None:
    script = (repository / ".ci" / "newcomer").read_text("utf-8")
    named = re.findall(r"tests/[\w/.]+", script)
    assert "tests/test_first_minutes.py" in named
    assert [name for name in named if not (repository / name).exists()] == []
    workflow = yaml.safe_load((repository / ".github/workflows/tests.yml").read_text("utf-8"))
    versions = {c.rsplit(" ", 1)[1] for c in project["classifiers"] if ":: Python :: 3." in c}
    assert set(workflow["jobs"]["newcomer"]["strategy"]["matrix"]["python"]) == versions
