"""README code and docstring examples run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import apastats

# optional dependencies, or a process of its own
LEFT_OUT = ("apastats.__main__",)
MODULES = sorted(
    m.name for m in pkgutil.walk_packages(apastats.__path__, "apastats.") if m.name not in LEFT_OUT
)


def test_readme_python_runs(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (repository / "README.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    found = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    )
    assert found.failed == 0


PAGES = sorted((Path(__file__).resolve().parents[2] / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_code_of_pages_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}  # the blocks of a page build on each other
    for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL):
        if "SLURMCluster" not in block:  # needs a cluster
            exec(compile(block, page.name, "exec"), names)


GALLERY = sorted((Path(__file__).resolve().parents[2] / "docs" / "gallery").glob("*.py"))


@pytest.mark.parametrize("script", GALLERY, ids=lambda p: p.stem)
def test_gallery_runs(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(script.read_text("utf-8"), script.name, "exec"), {"__name__": "__main__"})
