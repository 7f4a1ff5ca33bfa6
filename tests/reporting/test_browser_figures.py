"""Texts of figures in a real browser: none overlaps another, none is cut, light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import apastats as apa
from tests import figure_walk
from tests.reporting.browser import Browser, executable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(executable() is None, reason="no Chromium on this machine"),
]

REPORTS = sorted((Path(__file__).resolve().parents[2] / "reports").glob("*/report.html"))

# pairs of texts of one figure that share more than a pixel and a half both ways, and texts beyond its edges; the box
# of a text is its line, of which letters without descenders fill 60 %
FAULTS = """
(() => {
  document.querySelectorAll('details').forEach(d => { d.open = true; });
  const faults = []; let seen = 0;
  for (const svg of document.querySelectorAll('.plot svg')) {
    if (!svg.checkVisibility()) continue;
    const edge = svg.getBoundingClientRect();
    const boxes = [];
    for (const t of svg.querySelectorAll('text')) {
      if (!t.textContent.trim()) continue;
      const r = t.getBoundingClientRect();
      const turned = r.height > r.width && t.textContent.length > 2;
      const size = parseFloat(getComputedStyle(t).fontSize) * edge.width / svg.viewBox.baseVal.width;
      let [x0, y0, x1, y1] = [r.left, r.top, r.right, r.bottom];
      const spare = Math.max(0, (turned ? x1 - x0 : y1 - y0) - 0.8 * size) / 2;
      if (turned) { x0 += spare; x1 -= spare; } else { y0 += spare; y1 -= spare; }
      boxes.push([x0, y0, x1, y1, t.textContent]);
      if (x0 < edge.left - 1.5 || y0 < edge.top - 1.5 || x1 > edge.right + 1.5 || y1 > edge.bottom + 1.5)
        faults.push(['cut', svg.textContent.slice(0, 40), t.textContent]);
      if (x1 - x0 < 1 || t.textContent.includes('\\u2026\\u2026')) faults.push(['empty', '', t.textContent]);
    }
    seen += boxes.length;
    boxes.sort((a, b) => a[1] - b[1]);
    for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
      const [a, b] = [boxes[i], boxes[j]];
      if (b[1] > a[3] - 1.5) break;
      if (Math.min(a[2], b[2]) - Math.max(a[0], b[0]) > 1.5 && Math.min(a[3], b[3]) - Math.max(a[1], b[1]) > 1.5)
        faults.push(['overlap', a[4], b[4]]);
    }
  }
  return [seen, faults.slice(0, 20), faults.length];
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as b:
        yield b


def check(browser: Browser, path: Path, least: int) -> None:
    for width in (1280, 390):
        browser.open(path, width=width, scheme="light")
        for scheme in ("light", "dark"):
            dark = [{"name": "prefers-color-scheme", "value": scheme}]
            browser.call("Emulation.setEmulatedMedia", features=dark)
            seen, faults, number = browser.run(FAULTS)
            assert seen >= least
            assert number == 0, (path.parent.name, width, scheme, number, faults)


@pytest.mark.parametrize("path", REPORTS, ids=lambda p: p.parent.name)
def test_the_tracked_reports(browser: Browser, path: Path) -> None:
    assert len(REPORTS) == 7
    check(browser, path, 150)


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
@pytest.mark.parametrize("path", REPORTS, ids=lambda p: p.parent.name)
def test_the_answer_is_on_the_first_screen(
    browser: Browser, path: Path, width: int, height: int
) -> None:
    """Title, paragraph, figure and margin."""
    browser.open(path, width=width, height=height)
    assert browser.run("document.getElementById('answer').getBoundingClientRect().bottom") <= height
    words = browser.run("document.querySelector('#answer p').innerText.split(/\\s+/).length")
    assert 20 < words <= 120


LETTERS = list("abcdefghijklmnopqrstuvwxyzMWQ_-0123456789")


def design(seed: int) -> Any:
    """Report of a study with generated names and sizes."""
    random = np.random.default_rng(seed)

    def some(n: int, longest: int) -> list[str]:
        words = {
            "".join(random.choice(LETTERS, int(random.integers(1, longest + 1))))
            for _ in range(9 * n)
        }
        return sorted(w for w in words if w.strip("-_ 0123456789"))[:n]

    longest = (8, 40, 24)[seed % 3]
    rois = some((2, 3, 7, 12, 19)[seed % 5], longest)
    found = apa.simulate(
        n_subject=5, n_model=int(random.integers(2, 10)), n_layer=1, n_tied=2, rois=rois, rng=seed
    ).scores
    models = [m for m in found.levels("model") if m not in ("brain", "-")]
    names = dict(zip(models, some(len(models), longest), strict=True))
    frame = found.frame.assign(model=found.frame["model"].astype(str).replace(names))
    scores = apa.read(frame)
    best = scores.where(kind="model", split="test")
    ceiling = apa.noise_ceiling(scores)
    formula = "score ~ model | roi"
    tested = apa.equivalence(formula, best, bounds=0.05, reference="best")
    chosen = apa.equivalence_set(formula, best, bounds=0.05)
    parts = [ceiling, apa.bootstrap(formula, best, n_resamples="exact"), tested, chosen]
    return apa.report(*parts, title=f"Design {seed}")


def test_generated_designs(browser: Browser, tmp_path: Path) -> None:
    for seed in range(20):
        folder = tmp_path / f"design_{seed}"
        folder.mkdir()
        check(browser, design(seed).save(folder / "report.html"), 15)


def test_faults_are_found(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    text = "<text x='{}' y='30' style='font-size: 10px'>{}</text>"
    texts = [
        text.format(10, "model_01"),
        text.format(30, "model_02"),
        text.format(180, "too long for it"),
    ]
    page.write_text(
        "<!doctype html><div class='plot'><svg width='200' height='60' viewBox='0 0 200 60'>"
        f"{''.join(texts)}</svg></div>",
        "utf-8",
    )
    browser.open(page)
    seen, faults, _ = browser.run(FAULTS)
    assert seen == 3
    assert {f[0] for f in faults} == {"cut", "overlap"}


@pytest.mark.parametrize("names", ["one letter", "forty letters"])
def test_every_kind(browser: Browser, tmp_path: Path, names: str) -> None:
    """One page with the figures of all kinds of results, names of 1 and of 40 letters; in light and dark."""
    results = figure_walk.results(names)
    page = apa.report(*results.values(), title="All kinds").save(tmp_path / "report.html")
    check(browser, page, 100)
