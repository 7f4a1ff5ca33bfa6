"""The chart of questions: its boxes lead to pages that are there, and its words stay inside them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
MADE = ("generated/index", "generated/benchmarks", "auto_gallery/index")  # with the site

OUTSIDE = """
(() => {
  const inside = (word, box) => word.left >= box.left + 2 && word.right <= box.right - 2
    && word.top >= box.top && word.bottom <= box.bottom;
  return [...document.querySelectorAll('svg.chart text')].filter(
    t => !inside(t.getBoundingClientRect(), t.previousElementSibling.getBoundingClientRect())
  ).map(t => t.textContent);
})()
"""


def _chart() -> str:
    found = re.search(r"<svg.*?</svg>", (DOCS / "chart.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[0]


def test_boxes_lead_to_pages() -> None:
    links = re.findall(r'<a href="([\w/]+)\.html">', _chart())
    assert len(links) == len(set(links)) >= 20
    assert [x for x in links if x not in MADE and not (DOCS / f"{x}.md").exists()] == []


def test_words_stay_inside_their_boxes(tmp_path: Path) -> None:
    from tests.reporting.browser import Browser, executable

    if executable() is None:
        pytest.skip("no Chromium on this machine")
    style = (DOCS / "_static" / "site.css").read_text("utf-8")
    page = tmp_path / "chart.html"
    page.write_text(
        f"<style>{style} body {{ max-width: 56rem; }}</style><div class=wide>{_chart()}</div>",
        "utf-8",
    )
    with Browser(tmp_path / "browser") as browser:
        browser.open(page, width=1280)
        assert browser.run(OUTSIDE) == []
        box = "document.querySelector('.wide')"
        assert browser.run(f"{box}.scrollWidth <= {box}.clientWidth")
