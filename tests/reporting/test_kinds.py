"""Results of every room: a section, sentences and references for each, nothing lost."""

from __future__ import annotations

import re
from typing import Any

import pytest

import apastats as apa
from apastats.io.load_result import load_kinds
from apastats.reporting.kinds import KINDS, TOPICS, kind_of, sentences, topic_of
from apastats.reporting.numbers import APA
from apastats.reporting.works import WORKS
from apastats.results import Result
from tests.reporting.conftest import Study
from tests.reporting.page import Page


@pytest.fixture(scope="module")
def results(all_kinds: Study) -> dict[str, Any]:
    return all_kinds.results


@pytest.fixture(scope="module")
def source(all_kinds: Study) -> str:
    html: str = all_kinds.report.html()
    return html


def test_page(results: dict[str, Any], source: str) -> None:
    page = Page(source)
    assert page.faults == []
    headings = [h.text() for h in page.root.all("h2", "h3")]
    assert len(set(headings)) == len(headings)
    sections = [s for s in page.root.all("section") if s.all("h3")[:1] and not s.all("h2")]
    methods = [s for s in sections if str(s.attributes["id"]).startswith("methods-")]
    assert len(sections) - len(methods) == len(results)
    assert len(methods) > 5


def test_every_table_is_there(results: dict[str, Any], source: str) -> None:
    rows = [
        len(f.all("tbody")[0].all("tr")) for f in Page(source).root.all("figure") if f.all("table")
    ]
    for name, result in results.items():
        assert min(len(result.table), 200) in rows, name


def test_figures_of_kinds(source: str) -> None:
    slugs = re.findall(r'<figure class="plot" id="([^"]+)"', source)
    for part in (
        "components",
        "residuals",
        "identification",
        "sensitivity",
        "power",
        "places",
        "differences",
        "best",
        "margin-decisions",
        "needed",
        "layers",
        "null",
        "posterior",
        "shares",
        "terms",
    ):
        assert any(part in s for s in slugs), part


@pytest.mark.parametrize("short", [True, False])
def test_sentences(results: dict[str, Any], short: bool) -> None:
    for name, result in results.items():
        text = result.text(short=short, max_rows=3)
        assert len(text) > 40, name
        assert "nan" not in re.split(r"\W", text), name
        assert not re.search("[\ue000-\uf8ff]", text), name
        claims = re.findall(r"(?<!_)equivalent", text)
        if "decision" not in result.table.columns and "in_set" not in result.table.columns:
            assert not claims or "never" in text, name


def test_contrasts_do_not_claim_equality(results: dict[str, Any]) -> None:
    table = results["comparison"].table
    lines = results["comparison"].text(short=True, max_rows=len(table)).split("\n")
    for line, different in zip(lines, table["different"], strict=True):
        assert line.endswith(": different" if different else ": a difference was not shown")
    assert "no evidence of equivalence" in results["comparison"].text(max_rows=1)


def test_a_set_without_a_margin_claims_nothing(results: dict[str, Any]) -> None:
    text = results["set"].text()
    assert "No margin was stated" in text
    assert "In V1, model_01 and model_02 cannot be excluded from being best (2 of 3)" in text
    assert "shown to be close" not in text
    assert "shown to be close to the best" in results["set with margin"].text()
    members = results["set"].members(roi="V1")
    line = next(s for s in sentences(results["set"], APA) if "V1" in s)
    assert all(m in line for m in members)


def test_other_claims_are_named(results: dict[str, Any]) -> None:
    text = results["noninferiority"].text(short=True, max_rows=2)
    assert re.search(r"noninferiority p [=<>] [\d.]+ \((not )?shown\)", text)


def test_topics(results: dict[str, Any]) -> None:
    assert topic_of(results["lmm"]) == topic_of(results["contrasts"]) == "models"
    assert topic_of(results["power"]) == "planning"
    assert topic_of(results["identification"]) == "patterns"
    assert topic_of(results["agreement test"]) == "agreement"
    assert topic_of(results["comparison"]) == "scores"
    assert topic_of(results["set"]) == "equivalence"
    assert callable(kind_of(results["rope"]).sentences)


def test_gates_and_variance_ratios_are_said(results: dict[str, Any], source: str) -> None:
    assert "1 of 4 quantities fail a gate of convergence" in source
    assert re.search(r"F\(1\.\d+, \d\.\d+\) = [\d.]+", results["anova"].text())
    assert "margins tried" not in source
    assert "comparisons would be equivalent; it does not replace the margin stated" in source


def test_references_of_kinds(results: dict[str, Any]) -> None:
    expected = {
        "set": "hsu1984",
        "lmm": "patterson1971",
        "emmeans": "searle1980",
        "normalized": "fieller1954",
        "power": "phillips1990",
    }
    for name, key in expected.items():
        assert key in apa.references(results[name]).keys, name
        assert key in WORKS


def test_every_kind_of_result_has_a_row() -> None:
    load_kinds()
    known = {
        k
        for k, cls in Result._registry.items()
        if cls.__module__.startswith("apastats.") and k not in ("result", "followed_table")
    }
    assert known == set(KINDS)
    assert {row.topic for row in KINDS.values()} <= set(TOPICS)
