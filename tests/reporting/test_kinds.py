"""Results of every room: a section, sentences and references for each, nothing lost."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest

import apastats as apa
from apastats.errors import SingularFitWarning
from apastats.reporting.numbers import APA
from apastats.reporting.prose import maker_of, sentences
from apastats.reporting.topics import topic_of
from apastats.reporting.works import WORKS
from tests.reporting.page import Page

ROIS = ["V1", "V2", "V4", "LO1"]


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    streams = {"early": ["V1", "V2"], "late": ["V4", "LO1"]}
    study = apa.simulate(
        n_subject=6, n_model=3, n_layer=2, n_tied=2, rois=ROIS, streams=streams, rng=1
    )
    best = apa.select_layer(study.scores, on="train")
    patterns = apa.alignment_patterns(study.scores)
    agreement = apa.selected_rows(apa.pattern_agreement(patterns), best)
    ceiling = apa.noise_ceiling(study.scores)
    with warnings.catch_warnings():
        # a singular fit is a result too: its note belongs into the report
        warnings.simplefilter("ignore", SingularFitWarning)
        fit = apa.lmm("z ~ model * stream + (1 | subject) + (1 | roi)", agreement)
    means = apa.emmeans(fit, "model", by="stream")
    contrasts = means.contrast("pairwise")
    draws = np.random.default_rng(0).normal(size=(3, 400))
    return {
        "normalized": apa.normalize(best, ceiling),
        "comparison": apa.compare("score ~ model | roi", best, adjust="holm"),
        "friedman": apa.friedman("score ~ model | roi", best),
        "places": apa.mean_ranks("score ~ model | roi", best),
        "set": apa.equivalence_set("score ~ model | roi", best),
        "set with margin": apa.equivalence_set("score ~ model | roi", best, bounds=0.05),
        "noninferiority": apa.equivalence(
            "score ~ model | roi", best, bounds=0.02, hypothesis="noninferiority"
        ),
        "strict": apa.strict_alignment(best, agreement, score_bounds=0.1, agreement_bounds=0.3),
        "agreement test": apa.agreement_test(patterns, selection=best),
        "agreement bootstrap": apa.agreement_bootstrap(patterns, selection=best),
        "identification": apa.pattern_identification(patterns, selection=best),
        "reliability": apa.pattern_reliability(patterns),
        "second order": apa.second_order_similarity(patterns, best),
        "sensitivity": apa.agreement_sensitivity(study.scores),
        "lmm": fit,
        "emmeans": means,
        "contrasts": contrasts,
        "tested contrasts": contrasts.test(bounds=0.2),
        "power": apa.power_tost(n=[10, 20, 40], sd=0.03, bounds=0.02),
        "rope": apa.rope(dict(zip("abc", draws, strict=True)), bounds=0.1),
    }


@pytest.fixture(scope="module")
def source(results: dict[str, Any]) -> str:
    return apa.report(*results.values(), title="All kinds").html()


def test_page(results: dict[str, Any], source: str) -> None:
    page = Page(source)
    assert page.faults == []
    headings = [h.text() for h in page.root.all("h2", "h3")]
    assert len(set(headings)) == len(headings)
    sections = [s for s in page.root.all("section") if s.all("h3")[:1] and not s.all("h2")]
    assert len(sections) == len(results)


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
        "sets",
    ):
        assert any(part in s for s in slugs), part


@pytest.mark.parametrize("short", [True, False])
def test_sentences(results: dict[str, Any], short: bool) -> None:
    for name, result in results.items():
        text = result.text(short=short, max_rows=3)
        assert len(text) > 40, name
        assert "nan" not in re.split(r"\W", text), name
        assert not re.search("[\ue000-\uf8ff]", text), name
        claims = re.findall(r"equivalent", text)
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
    assert "V1, the set holds" in text
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
    assert callable(maker_of(results["rope"]))


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
