"""The notebook of the demonstration and the paper's figure run."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def test_the_notebook_runs(repository: Path) -> None:
    pytest.importorskip("marimo", reason="extra docs is not installed")
    outputs, names = _load(repository / "docs" / "notebook" / "demo.py").app.run()
    assert len(outputs) == 6
    assert set(names["tests"].table["decision"]) >= {"equivalent"}


def test_the_figure_of_the_paper_is_made(repository: Path, tmp_path: Path) -> None:
    made = _load(repository / "paper" / "figures.py").verdicts(tmp_path / "v.png")
    assert made.stat().st_size > 10_000


def test_the_paper_cites_what_its_bibliography_holds(repository: Path) -> None:
    text = (repository / "paper" / "paper.md").read_text("utf-8")
    entries = re.findall(r"^@\w+\{(\w+),", (repository / "paper" / "paper.bib").read_text(), re.M)
    cited = set(re.findall(r"@([a-z]+\d{4})", text))
    assert cited == set(entries)
    for figure in re.findall(r"\]\(([^)]+\.png)\)", text):
        assert (repository / "paper" / figure).is_file()
    assert 250 <= len(text.split()) <= 1000
