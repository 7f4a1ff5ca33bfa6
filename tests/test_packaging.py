"""What an index page, a resolver and a citation say about the package agrees with the repository."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
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


def test_the_readme_names_every_extra_and_no_verb_that_is_not_there(
    repository: Path, project: dict[str, Any]
) -> None:
    text = (repository / "README.md").read_text("utf-8")
    named = set(re.findall(r"`(\w+)`", text.partition("## Install")[2].partition("## More")[0]))
    assert set(project["optional-dependencies"]) - {"test", "dev", "all"} <= named
    rows = re.findall(r"^\| \[.+\]\((docs/\w+\.md)\) \| (.+) \|$", text, re.M)
    assert len(rows) >= 15
    for page, right in rows:
        verbs = re.findall(r"`(\w+)`", right)
        assert [v for v in verbs if v not in apastats.EXPORTS] == [], page


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


# conda-forge's pyarrow-core has neither of these, libparquet brings the second group
ABSENT = ("_dataset", "_dataset_parquet", "_acero", "_substrait", "_flight", "gandiva")
OF_PARQUET = ("_parquet", "_parquet_encryption")
TABLES_BY = """
import sys
sys.modules.update({"pyarrow." + name: None for name in sys.argv[2:]})
from pathlib import Path
import apastats as apa
folder = Path(sys.argv[1])
frame = apa.simulate(n_subject=6, n_model=2, rois=["V1", "V4"], rng=1).scores.frame
frame.to_csv(folder / "scores.csv", index=False)
frame.to_parquet(folder / "scores.parquet", index=False)
frame.to_feather(folder / "scores.feather")
for file in sorted(folder.glob("scores.*")):
    assert len(apa.read(file).frame) == len(frame)
best = apa.select_layer(apa.read(folder / "scores.csv"), on="train")
made = apa.equivalence("score ~ model | roi", best, bounds=0.05)
assert apa.load_result(made.save(folder / "result")).table.equals(made.table)
"""


def test_the_recipe_installs_what_tables_need_of_arrow(repository: Path, tmp_path: Path) -> None:
    recipe = (repository / "recipe" / "meta.yaml").read_text("utf-8")
    named = set(re.findall(r"^    - (\S+) >=", recipe, re.M))
    assert named & {"pyarrow", "pyarrow-core", "libparquet"} == {"pyarrow-core", "libparquet"}
    for missing, works in ((ABSENT, True), (ABSENT + OF_PARQUET, False)):
        command = [sys.executable, "-c", TABLES_BY, str(tmp_path), *missing]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == works, done.stderr[-2000:]
    assert "_parquet" in done.stderr


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
