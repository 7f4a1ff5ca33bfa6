"""axe-core finds no serious or critical accessibility problem, in either scheme, at desktop and phone width."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from tests.reporting.browser import Browser, executable
from tests.reporting.conftest import Study

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(executable() is None, reason="no Chromium on this machine"),
]

PAGES = ("study", "hostile", "all_kinds")
AUDIT = """
axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations
  .filter(v => v.impact === "serious" || v.impact === "critical")
  .map(v => v.id + ": " + v.nodes.slice(0, 5).map(n => n.target.join(" ") + " " + n.html.slice(0, 120)).join(" | ")))
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as b:
        yield b


@pytest.fixture(scope="module")
def axe() -> str:
    return (files("axe_core_python") / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def saved(
    study: Study,
    hostile: Study,
    all_kinds: Study,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    reports = {"study": study.report, "hostile": hostile.report, "all_kinds": all_kinds.report}
    return {k: r.save(folder / f"{k}.html") for k, r in reports.items()}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", PAGES)
def test_no_serious_violation(
    browser: Browser, saved: dict[str, Path], axe: str, page: str, width: int, scheme: str
) -> None:
    browser.open(saved[page], width=width, scheme=scheme)
    browser.run(axe + "; 0")
    assert browser.run(AUDIT) == []


def test_finds_what_is_wrong(browser: Browser, axe: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text("<!doctype html><title>x</title><p><img src='data:,'><button></button></p>")
    browser.open(path)
    browser.run(axe + "; 0")
    found = " ".join(browser.run(AUDIT))
    assert "image-alt" in found
    assert "button-name" in found
