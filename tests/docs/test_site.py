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


def test_no_empty_column_stands_beside_a_page(site: Path) -> None:
    for page in ("start.html", "formats.html", "coming_from.html"):
        text = (site / page).read_text("utf-8")
        assert "bd-sidebar-primary bd-sidebar hide-on-wide" in text, page


def test_examples_come_in_the_order_of_their_names(site: Path) -> None:
    for folder, begins in (("auto_gallery", r"\d\d_\w+"), ("auto_published", r"item_\d\d_\w+")):
        text = (site / folder / "index.html").read_text("utf-8")
        listed = list(dict.fromkeys(re.findall(rf'href="({begins})\.html"', text)))
        assert len(listed) >= 10
        assert listed == sorted(listed), folder


def test_the_gallery_has_figures(site: Path) -> None:
    figures = list((site / "_images").glob("sphx_glr_*_001.png"))
    assert len(figures) >= 15


def test_there_is_a_search_without_a_server(site: Path) -> None:
    assert (site / "searchindex.js").stat().st_size > 10_000
    text = (site / "chart.html").read_text("utf-8")
    assert text.count('<a href="') >= 20
    assert "theme-switch" in text
    assert 'name="viewport"' in text


def test_the_papers_items_are_examples_of_their_own(site: Path) -> None:
    """One page per item with its code; its numbers are those that a test computes again."""
    index = (site / "auto_published" / "index.html").read_text("utf-8")
    assert "<h1>The paper" in index
    scripts = sorted((ROOT / "analyses" / "gallery").glob("item_*.py"))
    for script in scripts:
        assert f'href="{script.stem}.html"' in index
        page = (site / "auto_published" / f"{script.stem}.html").read_text("utf-8")
        assert "Beside what the paper concludes" in page
    assert len(scripts) == len(list((site / "auto_published").glob("*.html"))) - 1


def test_benchmarks_are_those_that_were_run(site: Path) -> None:
    page = (site / "generated" / "benchmarks.html").read_text("utf-8")
    results = sorted((ROOT / "benchmarks" / "results").glob("*.md"))
    titles = []
    for file in results:
        text = file.read_text("utf-8")
        titles.append(text.splitlines()[0])
        assert re.search(rf"<h2>{file.stem}<", page)
        rows = [line for line in text.splitlines() if line.startswith("| ")]
        assert re.sub(r"`|\*\*", "", rows[1].split("|")[1].strip())[:30] in page
    assert len(set(titles)) == len(titles)


DARK = ["index", "chart", "equivalence", "measures", "coming_from", "generated/benchmarks",
        "auto_published/index", "calibration", "study_file", "generated/equivalence"]  # fmt: skip
WIDTHS = """
(() => {
  const edge = document.documentElement.clientWidth;
  // what stands in a box of its own that scrolls may be wider; the article itself scrolls too, which does not count
  const wide = [...document.querySelectorAll('article *:not(.headerlink)')].filter(e => {
    const r = e.getBoundingClientRect();
    if (r.width === 0 || r.right <= edge + 1) return false;
    for (let p = e.parentElement; p.tagName !== 'ARTICLE'; p = p.parentElement)
      if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(p).overflowX)) return false;
    return true;
  });
  const light = c => { const [r, g, b] = c.match(/\\d+/g).map(Number); return (r + g + b) / 3; };
  const style = getComputedStyle(document.body);
  return [document.documentElement.scrollWidth <= edge, wide.length, light(style.backgroundColor), light(style.color)];
})()
"""


def test_pages_fit_a_telephone_light_and_dark(
    site: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """390 px: nothing sticks out that cannot be scrolled by itself; dark is dark."""
    from tests.reporting.browser import Browser, executable

    if executable() is None:
        pytest.skip("no Chromium on this machine")
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        assert {site / f"{name}.html" for name in DARK} <= set(_pages(site))
        for page in sorted(_pages(site)):
            name = page.relative_to(site).with_suffix("").as_posix()
            for scheme in ("light", "dark") if name in DARK else ("light",):
                browser.open(page, width=390, height=844, scheme=scheme)
                fits, wide, ground, ink = browser.run(WIDTHS)
                assert (fits, wide) == (True, 0), (name, scheme)
                assert (ground > ink) == (scheme == "light"), (name, scheme)
