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


def test_every_call_of_the_tables_from_other_tools_runs() -> None:
    """What a cell of coming_from.md calls, a block of the page calls, too: verbs, their options, and methods."""
    page = Path(__file__).resolve().parents[2] / "docs" / "coming_from.md"
    text = page.read_text("utf-8")
    blocks = "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL))
    rows = [line.replace(r"\|", "¦").split("|") for line in text.splitlines() if line[:1] == "|"]
    cells = [row[-2] for row in rows if "---" not in row[-2] and row[-2].strip() != "here"]
    assert len(cells) >= 18
    calls = [call for cell in cells for call in re.findall(r"`[^`]*`", cell)]
    for call in calls:
        for name in re.findall(r"[.](\w+)\(", call):
            assert re.search(rf"[.]{name}\(", blocks), call
        for option, value in re.findall(r'(\w+)=("\w+")', call):
            # a word that a cell shows is what a block runs, or one value of its loop
            assert value in blocks, f"{call}: {option}={value}"


def test_the_slurm_block_is_what_dask_jobqueue_and_apastats_take() -> None:
    """It cannot run without a cluster: its calls are bound to their signatures."""
    import ast
    import inspect

    from dask_jobqueue import SLURMCluster
    from dask_jobqueue.core import Job
    from dask_jobqueue.slurm import SLURMJob

    page = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"
    (block,) = [
        b for b in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
        if "SLURMCluster" in b
    ]  # fmt: skip
    calls = {ast.unparse(n.func): n for n in ast.walk(ast.parse(block)) if isinstance(n, ast.Call)}
    taken = set(inspect.signature(Job).parameters) | set(inspect.signature(SLURMJob).parameters)
    words = {k.arg: ast.literal_eval(k.value) for k in calls["SLURMCluster"].keywords}
    assert set(words) <= taken
    script = SLURMCluster(**words).job_script()  # starts no job
    assert "#SBATCH" in script
    assert f"-t {words['walltime']}" in script
    assert callable(SLURMCluster.scale)
    assert hasattr(SLURMCluster, "scheduler_address")
    inspect.signature(apastats.cluster).bind("tcp://node:8786")
    inspect.signature(apastats.run_study).bind(
        *[ast.literal_eval(a) for a in calls["apa.run_study"].args]
    )
