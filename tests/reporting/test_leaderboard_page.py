"""The page of a leaderboard in a real browser: no request, search, order, details, contrast."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import apastats as apa
from apastats.comparing.leaderboard_result import LeaderboardResult
from tests.reporting.browser import Browser, executable
from tests.reporting.test_browser import CONTRAST, TOO_WIDE
from tests.verb_data import benchmarks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(executable() is None, reason="no Chromium on this machine"),
]
MODELS = (
    "[...document.querySelectorAll('tbody tr')].filter(r => !r.hidden).map(r => r.dataset.model)"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as b:
        yield b


@pytest.fixture(scope="module")
def board() -> LeaderboardResult:
    return apa.leaderboard(benchmarks(), item="benchmark", within=["half", "seed"], n_resamples=199)


@pytest.fixture(scope="module")
def path(board: LeaderboardResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return board.page(tmp_path_factory.mktemp("page") / "board.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_opens_quietly(browser: Browser, path: Path, width: int, scheme: str) -> None:
    browser.open(path, width=width, scheme=scheme)
    assert browser.requests() == [path.as_uri()]
    assert browser.complaints() == []
    assert browser.run(TOO_WIDE) <= 0
    assert browser.run(CONTRAST) == []


def test_search_order_and_details(browser: Browser, path: Path, board: LeaderboardResult) -> None:
    browser.open(path)
    table = board.table
    assert browser.run(MODELS) == table["model"].tolist()
    browser.run("document.querySelector('button[data-key=model]').click()")
    assert browser.run(MODELS) == sorted(table["model"])
    browser.run("document.querySelector('button[data-key=items]').click()")
    counts = table.set_index("model")["n_item"]
    found = counts[browser.run(MODELS)].to_numpy()
    assert (np.diff(found) >= 0).all()
    assert browser.run("document.querySelector('th[aria-sort]').textContent") == "Items"
    browser.run(
        "(() => { const f = document.querySelector('input[type=search]'); f.value = 'M1'; "
        "f.dispatchEvent(new Event('input')); })()"
    )
    wanted = sorted(m for m in table["model"] if "m1" in m)
    assert sorted(browser.run(MODELS)) == wanted
    assert (
        browser.run("document.querySelector('.count').textContent")
        == f"{len(wanted)} of {len(table)} models"
    )
    # the row of a model: whom it is told apart from fades, its scores and holes are listed
    name = table["model"].iloc[4]
    browser.run(
        f"document.querySelector('tr[data-model={name}]').dispatchEvent(new Event('mouseenter'))"
    )
    pairs = board.pairs(models=[name])
    shown = pairs[pairs["decision"] != "not ordered"]
    others = {*shown["model"], *shown["reference"]} - {name}
    faded = browser.run("[...document.querySelectorAll('tr.apart')].map(r => r.dataset.model)")
    assert set(faded) == others
    holes = browser.run("document.querySelectorAll('#details li.hole').length")
    assert holes == 6 - counts[name]
    assert browser.run("document.getElementById('details').checkVisibility()")
    assert browser.run(CONTRAST) == []
    assert browser.requests() == [path.as_uri()]
