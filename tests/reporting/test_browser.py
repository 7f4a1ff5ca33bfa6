"""The report in a real browser: no request, no complaint, fits phone and desktop, buttons work, colours contrast."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import apastats as apa
from tests.reporting.browser import Browser, executable
from tests.reporting.conftest import HOSTILE, Study

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(executable() is None, reason="no Chromium on this machine"),
]

TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SHOWN = "[...document.querySelectorAll('.plot svg, .plot img')].filter(e => e.checkVisibility())"
HEIGHTS = f"{SHOWN}.map(e => e.getBoundingClientRect().height)"
NARROW = f"{SHOWN}.map(e => e.closest('.scroll').scrollWidth - e.closest('.scroll').clientWidth)"
SCALES = f"{SHOWN}.map(e => e.getBoundingClientRect().width / e.getAttribute('width'))"
SCROLLING = """
[...document.querySelectorAll('main *')].filter(e => !e.closest('svg')
  && (e.scrollHeight > e.clientHeight + 2 || e.scrollWidth > e.clientWidth + 2)
  && /auto|scroll/.test(getComputedStyle(e).overflow)).every(e => e.tabIndex >= 0)
"""
# text whose contrast with its background is below 4.5 (3 for large text), by the formula of WCAG 2
CONTRAST = """
(() => {
  const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const lum = c => { const [r, g, b] = c.slice(0, 3).map(v => { v /= 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const faults = [];
  for (const e of document.querySelectorAll("main *, nav *, header *, footer *")) {
    if (e.closest("svg") || !e.checkVisibility()) continue;
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    let b = e; while (b && parse(getComputedStyle(b).backgroundColor)[3] === 0) b = b.parentElement;
    const back = b ? parse(getComputedStyle(b).backgroundColor) : [255, 255, 255, 1];
    const style = getComputedStyle(e);
    const [x, y] = [lum(parse(style.color)), lum(back)].sort((p, q) => q - p);
    const ratio = (x + 0.05) / (y + 0.05);
    if (ratio < 4.5) faults.push(e.tagName + " " + e.textContent.slice(0, 30) + " " + ratio.toFixed(2));
  }
  return faults;
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as b:
        yield b


@pytest.fixture(scope="module")
def path(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study.report.save(tmp_path_factory.mktemp("page") / "report.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_opens_quietly(browser: Browser, path: Path, width: int, scheme: str) -> None:
    browser.open(path, width=width, scheme=scheme)
    assert browser.requests() == [path.as_uri()]
    assert browser.complaints() == []
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert (
        browser.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        <= 0
    )
    assert browser.run(CONTRAST) == []


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_answer_fills_the_first_screen(
    browser: Browser, path: Path, width: int, height: int
) -> None:
    browser.open(path, width=width, height=height)
    assert browser.run("document.getElementById('answer').getBoundingClientRect().bottom") <= height
    pictures = browser.run(
        "[...document.querySelectorAll('#answer svg')].filter(e => e.checkVisibility()).length"
    )
    assert pictures == 1
    words = browser.run("document.body.innerText.split(/\\s+/).length")
    assert words < 1000


def test_tables_are_sorted_and_long_ones_searched(
    browser: Browser, study: Study, tmp_path: Path
) -> None:
    table = pd.concat([study.means.table.assign(roi=f"R{i}") for i in range(5)], ignore_index=True)
    many = type(study.means)(table, study.means.info, study.means.provenance)
    path = apa.report(many).save(tmp_path / "many.html")
    browser.open(path)
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    fold = "#table-mean-score-by-model details.rows"
    cells = f"[...document.querySelectorAll('{fold} tbody tr')].map(r => r.cells[2].textContent)"
    for direction in (1, -1):
        browser.run(f"document.querySelectorAll('{fold} button.sort')[2].click()")
        found = [direction * float(v.replace("\u2212", "-")) for v in browser.run(cells)]
        assert found == sorted(found)
    browser.run(
        f"(() => {{ const f = document.querySelector('{fold} input'); f.value = 'R3 model_02'; "
        "f.dispatchEvent(new Event('input')); })()"
    )
    shown = browser.run(
        f"[...document.querySelectorAll('{fold} tbody tr')].filter(r => !r.hidden).map(r => r.textContent)"
    )
    assert len(shown) == int(((table["roi"] == "R3") & (table["model"] == "model_02")).sum())
    assert all("R3" in text and "model_02" in text for text in shown)
    assert browser.requests() == [path.as_uri()]


@pytest.mark.parametrize(
    ("kind", "start"),
    [("text", "Data and choice of layers."), ("md", "**Data"), ("tex", r"\paragraph")],
)
def test_methods_are_copied(browser: Browser, path: Path, kind: str, start: str) -> None:
    browser.open(path)
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    browser.run(f"document.querySelector('[data-text={kind}]').click()")
    text = browser.run(f"document.querySelector('textarea[data-as={kind}]').value")
    assert text.startswith(start)
    assert "layer with the highest mean" in text
    assert not browser.run(f"document.querySelector('textarea[data-as={kind}]').hidden")


def test_a_link_unfolds_its_target(browser: Browser, path: Path) -> None:
    browser.open(path)
    browser.run("location.hash = '#table-mean-score-by-model'")
    browser.run("new Promise(r => setTimeout(r, 200))")
    assert browser.run("document.querySelector('#table-mean-score-by-model').checkVisibility()")


def test_pictures_have_a_size(browser: Browser, path: Path) -> None:
    browser.open(path)
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    sizes = [h for h in browser.run(HEIGHTS) if h]
    assert len(sizes) > 8
    assert min(sizes) > 80
    wide = browser.run(f"{SHOWN}.length")
    browser.open(path, width=390)
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    # as many figures, drawn for the width: nothing to scroll sideways, and letters keep their size
    assert browser.run(f"{SHOWN}.length") == wide
    assert max(browser.run(NARROW)) <= 0
    assert min(browser.run(SCALES)) > 0.85


@pytest.mark.parametrize(
    ("kind", "start"),
    [("md", "| model | ROI |"), ("tex", "% needs"), ("csv", "model,roi,estimate")],
)
def test_copy_buttons(browser: Browser, path: Path, kind: str, start: str) -> None:
    browser.open(path)
    browser.run("document.querySelector('#table-mean-score-by-model details').open = true")
    browser.run(f"document.querySelector('#table-mean-score-by-model [data-copy={kind}]').click()")
    text = browser.run("document.querySelector('#table-mean-score-by-model textarea').value")
    assert text.startswith(start)
    assert ("model_01" if kind == "csv" else r"model\_01") in text
    said = browser.run("document.getElementById('live').textContent")
    assert said in ("Copied.", "Ready to copy from the text field.")
    assert browser.complaints() == []


def test_theme_button(browser: Browser, path: Path) -> None:
    browser.open(path, scheme="light")
    before = browser.run("getComputedStyle(document.body).backgroundColor")
    browser.run("document.getElementById('theme').click()")
    assert browser.run("getComputedStyle(document.body).backgroundColor") != before
    assert browser.run(CONTRAST) == []


def test_keyboard_reaches_everything(browser: Browser, path: Path) -> None:
    browser.open(path)
    reachable = browser.run(
        "[...document.querySelectorAll('a[href], button, summary, textarea, [tabindex=\"0\"]')]"
        ".filter(e => e.checkVisibility()).every(e => e.tabIndex >= 0)"
    )
    assert reachable
    assert browser.run(SCROLLING)


def test_prints(browser: Browser, path: Path) -> None:
    browser.open(path)
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert not browser.run("document.querySelector('nav.contents').checkVisibility()")
    pdf = browser.call("Page.printToPDF")["data"]
    browser.call("Emulation.setEmulatedMedia", media="")
    assert len(pdf) > 50_000


def test_hostile_names_do_nothing(browser: Browser, hostile: Study, tmp_path: Path) -> None:
    path = hostile.report.save(tmp_path / "report.html")
    for width in (1280, 390):
        browser.open(path, width=width)
        assert browser.requests() == [path.as_uri()]
        assert browser.complaints() == []
        assert (
            browser.run(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            <= 0
        )
    shown = browser.run(
        "[...document.querySelectorAll('#table-mean-score-by-model bdi')].map(e => e.textContent)"
    )
    assert set(HOSTILE) <= set(shown)
    assert browser.run("document.scripts.length") == 1
