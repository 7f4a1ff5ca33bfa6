"""Charts beside the static figures: what they hold, and what they do in a real browser."""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import InputError, MissingExtraError
from tests.reporting.browser import Browser, executable

pytest.importorskip("altair", reason="extra interactive is not installed")


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    rois = ["V1", "V2", "V3", "V4", "MT", "LO1", "FFC"]
    scores = apa.simulate(n_subject=6, n_model=4, n_layer=2, n_tied=2, rois=rois, rng=1).scores
    best = apa.select_layer(scores, on="train")
    patterns = apa.alignment_patterns(scores.where(split="test"))
    return {
        "scores": apa.bootstrap("score ~ model | roi", best),
        "agreement": apa.bootstrap(
            "z_person ~ model | roi", apa.selected_rows(apa.pattern_agreement(patterns), best)
        ),
        "equivalence": apa.equivalence("score ~ model | roi", best, bounds=0.05, reference="best"),
        "leaderboard": apa.leaderboard(best, item=["subject", "roi"]),
    }


@pytest.fixture(scope="module")
def document(results: dict[str, Any]) -> Any:
    return apa.report(*results.values(), title="Charts", interactive=True)


@pytest.fixture(scope="module")
def page(document: Any) -> str:
    return document.html()


def specs(page: str) -> dict[str, dict[str, Any]]:
    found = {}
    for slug, body in re.findall(
        r'<figure class="plot" id="([^"]+)">(.*?)</figure>', page, re.DOTALL
    ):
        text = re.search(r'<script type="application/json">(.*?)</script>', body, re.DOTALL)
        if text:
            found[slug] = json.loads(text[1])
    return found


def values(spec: dict[str, Any]) -> pd.DataFrame:
    data = spec.get("data") or spec["layer"][0]["data"]
    if "values" not in data:
        return pd.DataFrame(spec["datasets"][data["name"]])
    return pd.DataFrame(data["values"])


def test_matrices_forests_and_places_have_charts_of_the_same_numbers(
    page: str, document: Any, results: dict[str, Any]
) -> None:
    found = specs(page)
    assert {"figure-score-matrix", "figure-agreement-fisher-z-matrix"} <= set(found)
    assert any("equivalence" in s for s in found)
    assert any("leaderboard" in s for s in found)
    blocks = {b.slug: b for b in document.figure_blocks()}
    matrix = values(found["figure-score-matrix"]).pivot(
        index="model", columns="region", values="value"
    )
    own = blocks["figure-score-matrix"].data.set_index("model")
    np.testing.assert_allclose(matrix.loc[own.index, own.columns], own, atol=1e-9)
    forest = values(next(v for s, v in found.items() if "equivalence" in s))
    table = results["equivalence"].table
    np.testing.assert_allclose(np.sort(forest["estimate"]), np.sort(table["estimate"]), atol=1e-9)
    assert set(forest["decision"]) == set(table["decision"])
    board = values(next(v for s, v in found.items() if "leaderboard" in s))
    assert sorted(board["place"]) == sorted(results["leaderboard"].table["place"])


def test_the_runtime_is_there_once_and_nothing_is_loaded(page: str) -> None:
    assert page.count("window.vegaEmbed=") == 1
    assert "unsafe-eval" not in page
    markup = re.sub(r"<script[^>]*>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="(?!data:)', markup)
    assert 0.9e6 < len(page) < 3e6


def test_without_it_there_is_no_chart_and_no_runtime(results: dict[str, Any]) -> None:
    plain = apa.report(*results.values()).html()
    assert "vegaEmbed" not in plain
    assert "application/json" not in plain
    with pytest.raises(InputError, match="interactive"):
        apa.report(*results.values(), interactive="yes")


def test_names_cannot_end_the_script(results: dict[str, Any]) -> None:
    evil = "</script><script>alert(1)</script>"
    f = apa.simulate(n_subject=6, n_model=3, n_layer=1, rois=["V1", "V4"], rng=1).scores
    f = f.where(kind="model", split="test").frame
    f = f.assign(model=f["model"].astype(str).replace("model_01", evil))
    made = apa.equivalence("score ~ model | roi", apa.read(f), bounds=0.05, reference="best")
    page = apa.report(made, interactive=True).html()
    assert "alert(1)</script>" not in page
    assert evil in set(values(next(iter(specs(page).values())))["model"].astype(str))


def test_the_extra_is_named(results: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name in ("altair", "vl_convert"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match="interactive"):
        apa.report(results["equivalence"], interactive=True)


needs_browser = pytest.mark.skipif(executable() is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as b:
        yield b


DRAWN = """
(async () => {
  document.querySelectorAll('details').forEach(d => { d.open = true; });
  const parts = [...document.querySelectorAll('details.interactive')];
  for (let i = 0; i < 200 && parts.some(p => p.dataset.drawn !== '2'); i++)
    await new Promise(r => setTimeout(r, 50));
  const marks = '.vega svg .mark-symbol path, .vega svg .mark-rect path';
  return parts.map(p => [p.dataset.drawn, p.querySelectorAll(marks).length,
    p.querySelectorAll('input[type=search]').length, p.scrollWidth <= document.documentElement.clientWidth]);
})()
"""
SEARCHED = """
(async () => {
  const out = [];
  for (const p of document.querySelectorAll('details.interactive')) {
    const input = p.querySelector('input[type=search]');
    input.value = 'MODEL_01';
    input.dispatchEvent(new Event('input'));
    await new Promise(r => setTimeout(r, 300));
    out.push(p.querySelectorAll('.vega svg .mark-symbol path, .vega svg .mark-rect path').length);
  }
  return out;
})()
"""


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser(browser: Browser, page: str, tmp_path: Path, width: int) -> None:
    """Drawn when opened, searched, exported; nothing asked for, no complaint; paper has the static figure alone."""
    path = tmp_path / "page.html"
    path.write_text(page, "utf-8")
    browser.open(path, width=width)
    assert browser.run("document.querySelectorAll('.vega svg').length") == 0  # static until opened
    drawn = browser.run(DRAWN)
    assert len(drawn) == len(specs(page))
    for state, marks, search, fits in drawn:
        assert state == "2"
        assert marks > 3
        assert search == 1
        assert fits
    left = browser.run(SEARCHED)
    assert all(0 < after < before[1] for after, before in zip(left, drawn, strict=True))
    export = "[...document.querySelectorAll('.vega-actions')].map(a => a.textContent)"
    for text in browser.run(export):
        assert "SVG" in text
        assert "Editor" not in text
    assert browser.requests() == [path.as_uri()]
    assert browser.complaints() == []
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.run(
        "[...document.querySelectorAll('.interactive')].every(d => !d.checkVisibility())"
    )
    assert browser.run(
        "[...document.querySelectorAll('.plot > .paper')].some(d => d.checkVisibility())"
    )
