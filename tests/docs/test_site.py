"""The site is built without a warning, asks nobody for anything, and every page is reached from the chart."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

pytest.importorskip("sphinx_gallery", reason="extra docs is not installed")
pytest.importorskip("pydata_sphinx_theme", reason="extra docs is not installed")
pytest.importorskip("myst_parser", reason="extra docs is not installed")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", out / "doctrees", ROOT / "docs", out / "html"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return out / "html"


def _pages(site: Path) -> dict[Path, str]:
    return {p: p.read_text("utf-8") for p in site.rglob("*.html") if "_static" not in p.parts}


def _links(page: Path, text: str) -> list[tuple[str, Path, str]]:
    found = []
    for link in re.findall(r'(?:href|src)="([^"]+)"', text):
        if not re.match(r"(https?:|mailto:|data:|#|javascript:)", link):
            path, _, anchor = unquote(link).partition("#")
            target = (page.parent / path.partition("?")[0]).resolve() if path else page
            found.append((link, target, anchor))
    return found


def test_links_lead_somewhere(site: Path) -> None:
    pages = _pages(site)
    names = {p: set(re.findall(r'\bid="([^"]+)"', text)) for p, text in pages.items()}
    dead = []
    for page, text in pages.items():
        for link, target, anchor in _links(page, text):
            there = target.exists() and (
                not anchor or target not in names or anchor in names[target]
            )
            if not there:
                dead.append(f"{page.relative_to(site)}: {link}")
    assert dead == []


def test_nothing_is_requested(site: Path) -> None:
    for page, text in _pages(site).items():
        loaded = re.findall(
            r'<(?:script|img|iframe|link)\b[^>]*(?:src|href)="(https?:[^"]+)"', text
        )
        assert [a for a in loaded if "readthedocs.io" not in a] == [], page


def test_every_page_is_reached_from_the_chart(site: Path) -> None:
    pages = _pages(site)
    seen, todo = set(), [site / "chart.html"]
    while todo:
        page = todo.pop()
        if page in seen or page not in pages:
            continue
        seen.add(page)
        body = re.search(r"<article.*?</article>", pages[page], re.DOTALL)
        todo += [t for _, t, _ in _links(page, body[0] if body else "")]
    own = {"search.html", "genindex.html", "index.html", "sg_execution_times.html", "chart.html"}
    left = {p.relative_to(site).as_posix() for p in set(pages) - seen if p.name not in own}
    assert left == set()


def test_the_gallery_has_figures(site: Path) -> None:
    figures = list((site / "_images").glob("sphx_glr_*_001.png"))
    assert len(figures) >= 15


def test_there_is_a_search_without_a_server(site: Path) -> None:
    assert (site / "searchindex.js").stat().st_size > 10_000
    text = (site / "chart.html").read_text("utf-8")
    assert text.count('<a href="') >= 20
    assert "theme-switch" in text
    assert 'name="viewport"' in text
