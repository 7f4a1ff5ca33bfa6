"""Laws over the sentences of every verb and kind: no slot is empty, parts are no models, sections have verdicts."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import apastats as apa
from apastats.errors import ApaWarning
from apastats.reporting.answer import verdict
from apastats.reporting.blocks import Listing, Paragraph
from apastats.reporting.kinds import KINDS, title_of
from apastats.reporting.markup import plain
from apastats.reporting.numbers import APA
from tests import verbs
from tests.reporting.conftest import Study

# a value that is not there, and what is left of a sentence around it
EMPTY = re.compile(
    r"\b(?:nan|NaN|None|NaT)\b|<NA>|(?<!\w)-?inf\b|"  # machine words
    r"(?:^|[ (,=/])[-\u2013\u2212](?=[,.;:)]| =|$)|"  # a dash where a number or a name was
    r"[(\[]\s*[)\],]|,\s*[,.;)]|;\s*[,.;)]|:\s*[.,;)]|\.\s*\.|"  # nothing between two marks
    r"\b(?:of|by|to|was|were|is|than|with)\s*(?:[,.;:)]|$)|"  # a word that waits for another
    r"\b(?:of|in) (?:was|were|is)\b|"
    r"(?<! )  (?! )"  # two spaces
)
ONE_OF_MANY = re.compile(r"(?<![\d.,])\b1 (?!was|is|has|this|as)[a-z]+s\b(?! of)")
MACHINE = re.compile(r"modelmodel|z_person|\(Intercept\)|separated_pairs")


def told(result: Any) -> list[str]:
    """Everything that a report of one result says outside its tables."""
    report = apa.report(result)
    out = [
        report.answer,
        plain(report.margin),
        plain(verdict(result, APA)),
        plain(title_of(result)),
    ]
    for block in report.figure_blocks():
        out += [plain(block.caption), plain(block.alt)]
    for section in report.sections:
        if section.slug == "provenance":
            continue
        for part in (section, *section.children):
            out.append(plain(part.title))
            for block in part.blocks:
                if isinstance(block, Paragraph):
                    out.append(plain(block.text))
                elif isinstance(block, Listing):
                    out += [plain(i) for i in block.items]
    return [*out, *result.text(short=True, max_rows=60).split("\n"), result.text(max_rows=4)]


def faults(texts: list[str], *patterns: re.Pattern[str]) -> list[tuple[str, str]]:
    # the name of a method, and of an item of the check
    texts = [t.replace(" (tidy())", "").replace("NaN values", "") for t in texts]
    return [
        (m.group(), t[max(0, m.start() - 60) : m.end() + 40])
        for t in texts
        for p in patterns
        if (m := p.search(t))
    ]


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """One result of every verb."""
    made = {name: verbs.run(name, verbs.base(name)) for name in verbs.verbs()}
    return {name: r for name, r in made.items() if hasattr(r, "info")}


def test_no_sentence_of_any_verb_has_an_empty_slot(results: dict[str, Any]) -> None:
    assert len(results) > 60
    found = {name: faults(told(r), EMPTY, ONE_OF_MANY, MACHINE) for name, r in results.items()}
    assert {k: v for k, v in found.items() if v} == {}


# columns that a table may not know, and how a reader of tables writes that
UNKNOWN = ("layer", "metric", "split", "stream")


def holed(result: Any) -> Any:
    """The same result without labels of layers, measures and splits, and without the numbers of its first row."""
    table = result.table.copy()
    for column in (c for c in UNKNOWN if c in table.columns):
        table[column] = "-"
    floats = [
        c
        for c in ("estimate", "std_error", "conf_low", "conf_high", "p_value", "statistic")
        if c in table.columns
    ]
    if "estimate" in floats and len(table) > 1:
        table[floats] = table[floats].astype(float)
        table.loc[table.index[0], floats] = np.nan
    return replace(result, table=table)


@pytest.mark.filterwarnings("ignore")
def test_what_is_not_known_is_left_out_of_sentences(
    results: dict[str, Any], all_kinds: Study
) -> None:
    every = {**results, **{k: r for k, r in all_kinds.results.items() if hasattr(r, "info")}}
    found = {}
    for name, result in every.items():
        bare = holed(result)
        texts = [
            plain(verdict(bare, APA)),
            plain(title_of(bare)),
            bare.text(short=True, max_rows=40),
            bare.text(max_rows=40),
        ]
        found[name] = faults([line for t in texts for line in t.split("\n")], EMPTY)
    assert {k: v for k, v in found.items() if v} == {}


def test_faults_are_found() -> None:
    for text in (
        "In V1: mean score of good, - = 0.4", "was nan (95 % CI)", "the  mean", "the mean of was 0.1",
        "tests (, p = .01)",
        "shown. .", "Points for 1 quantities", "It was None.", "highest of , and", "up to inf",
    ):  # fmt: skip
        assert faults([text], EMPTY, ONE_OF_MANY), text
    assert not faults(
        ["model_01 - model_02 = 0.1, 95 % CI [-0.1, 0.3], one-sided; 1 of 3 models (see A)."],
        EMPTY,
        ONE_OF_MANY,
    )


# kinds whose section needs no verdict: they describe, or their rows are written out
NO_VERDICT = {
    "design", "plan_kept", "alignment_patterns", "effect_size", "calibration", "power", "influence", "model_table",
    "bayes_lmm", "leaderboard_items", "leaderboard_responses", "leaderboard_missing",
}  # fmt: skip


def test_every_section_that_concludes_has_a_verdict(
    results: dict[str, Any], all_kinds: Study
) -> None:
    of_kind: dict[str, list[Any]] = {}
    for r in [*results.values(), *all_kinds.results.values()]:
        if hasattr(r, "info"):
            of_kind.setdefault(r.kind, []).append(r)
    assert set(KINDS) - NO_VERDICT <= set(of_kind)
    for kind in set(KINDS) - NO_VERDICT:
        for result in of_kind[kind]:
            text = plain(verdict(result, APA))
            if kind == "bootstrap" and (
                "model" not in result.table or result.table["model"].nunique() < 2
            ):
                continue  # nothing is compared
            assert re.search(r"\d|none|both|highest", text), (kind, text)
            assert re.fullmatch(r"[A-Z0-9\u201c].*\.", text), (kind, text)


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    """Parts of explained variance, and what other verbs make of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ApaWarning)
        return _parts()


def _parts() -> dict[str, Any]:
    rdms = apa.simulate_rdms(
        n_subject=5, n_stimulus=12, rois=["V1", "V2"], n_model=3, n_layer=1, rng=0
    )
    found = apa.unique_variance(rdms.brain, rdms.models, parts="all")
    formula = "score ~ model | roi"
    return {
        "parts": found,
        "tested": found.test(bounds=0.05),
        "ceilings": found.ceilings(),
        "means": apa.bootstrap(formula, found.scores, n_resamples=99, rng=1),
        "compared": apa.compare(formula, found.scores),
        "equal": apa.equivalence(formula, found.scores, bounds=0.1, reference="best"),
        "set": apa.equivalence_set(formula, found.scores),
    }


def test_parts_of_the_variance_are_not_called_models(parts: dict[str, Any]) -> None:
    """There are three models; a part of what they explain is none, and the total is not the best of them."""
    for label, result in parts.items():
        assert result.info.outcome.levels == "part", label
        texts = [t for t in told(result) if "Analyses were run" not in t]
        texts += [apa.report(parts["parts"].scores, result).answer]
        for text in texts:
            counts = [int(n) for n in re.findall(r"\b(\d+) models\b", text)]
            assert set(counts) <= {3}, (label, text)
            for words in (
                "by model",
                "best model",
                "between models",
                "highest for",
                "highest most often",
                "The highest model",
                "best other model",
                "each model in each",
            ):
                assert words not in text, (label, text)
    assert "share of variance explained" in apa.report(parts["parts"].scores, parts["means"]).answer


@pytest.mark.filterwarnings("ignore::apastats.errors.ApaWarning")
def test_the_figure_of_a_test_shows_what_its_interval_is_of(parts: dict[str, Any]) -> None:
    """A share of variance is tested by its root: the interval is of the root, and so is the point."""
    figures = [
        f
        for f in apa.report(parts["tested"]).figure_blocks()
        if {"estimate", "conf_low"} <= set(f.data.columns)
    ]
    assert figures
    for figure in figures:
        data = figure.data.dropna(subset=["conf_low"])
        assert (data["estimate"] >= data["conf_low"]).all()
        assert (data["estimate"] <= data["conf_high"]).all()
        assert "semipartial" in plain(figure.caption)


def test_every_drawn_point_lies_in_its_interval(results: dict[str, Any]) -> None:
    """Of all verbs but sets, whose intervals are of something else, told in words."""
    for name, result in results.items():
        for figure in apa.report(result).figure_blocks():
            data = figure.data
            # of the difference from the best other model
            if result.kind == "equivalence_set" or not {"estimate", "conf_low", "conf_high"} <= set(
                data.columns
            ):
                continue
            known = data.dropna(subset=["estimate", "conf_low", "conf_high"])
            off = (known["estimate"] < known["conf_low"] - 1e-9) | (
                known["estimate"] > known["conf_high"] + 1e-9
            )
            assert not off.any(), (name, plain(figure.caption), known[off].head())


@pytest.mark.filterwarnings("ignore")
def test_verdicts_of_curves_and_of_changed_analyses_count_their_rows(all_kinds: Study) -> None:
    layers = all_kinds.results["layers"]
    table = layers.table.dropna(subset=["estimate"])
    best = table.loc[table.groupby(["model", "roi", "metric", "split"])["estimate"].idxmax()]
    below = int((best["estimate"] < best["brain"]).sum())
    text = plain(verdict(layers, APA))
    assert f"in {below or 'none'} of {len(best)} combinations of model, ROI" in text
    assert "on the same data" in text
    sensitivity = all_kinds.results["sensitivity"]
    text = plain(verdict(sensitivity, APA))
    changed = sensitivity.table.query("what != 'baseline'")
    assert (
        f"Under the {changed[['what', 'analysis']].drop_duplicates().shape[0]} changed analyses"
        in text
    )
    counts = changed.query("term == 'n_roi_below'")["estimate"]
    assert (
        f"{int(counts.min()) or 'none'} to {int(counts.max())} of" in text
        or f" in {int(counts.max()) or 'none'} of" in text
    )


def test_a_report_of_every_verb_is_made(results: dict[str, Any]) -> None:
    for name, result in results.items():
        assert isinstance(apa.report(result).markdown(), str), name


def test_the_people_that_are_needed_are_not_called_a_power() -> None:
    found = apa.sample_size_tost(power=0.9, sd=0.03, bounds=0.02)
    assert "26 subjects would be needed for a power of 0.9" in found.text()
    assert "the power to show equivalence within" not in found.text()
    text = apa.power_correlation(n=40, bounds=0.4, rho=0.1).text()
    assert "With n = 40 and a true correlation of 0.1, the power" in text


MARGINS = ("bounds", "margin", "score_bounds", "agreement_bounds")
WITH_MARGIN = [(v, o) for v in verbs.verbs() for o in verbs.options(v) if o in MARGINS]


def words_of(result: Any) -> set[str]:
    return {m.in_units_of(result.info.outcome).short() for m in result.info.margin.each}


@pytest.mark.filterwarnings("ignore::apastats.errors.ApaWarning")
@pytest.mark.parametrize(("verb", "option"), WITH_MARGIN)
def test_two_margins_of_one_outcome_are_told_apart(verb: str, option: str) -> None:
    """In headings, at the beginning of each section, and in the line of margins."""
    pair = [verbs.run(verb, call) for call in verbs.other(verb, option)]
    if not all(hasattr(r, "info") and r.info.margin for r in pair):
        return  # the margin is no claim of the result, or one of the calls has none
    first, second = (words_of(r) for r in pair)
    if first == second:
        return
    report = apa.report(*pair)
    sections = [c for s in report.sections for c in s.children if not s.slug.startswith("methods")]
    of = [s for s in sections if "margin" in s.title]
    assert len(of) == 2, [s.title for s in sections]
    for section, own in zip(of, (first, second), strict=True):
        changed = own - (first & second)
        assert all(m in plain(section.title) for m in changed), (section.title, own)
        opening = " ".join(plain(b.text) for b in section.blocks if isinstance(b, Paragraph))
        assert all(m.removeprefix("\u00b1") in opening for m in changed), (opening, own)
    line = plain(report.margin)
    assert all(m in line for m in first | second), line
    # headings that were given stay, and the section says it
    named = apa.report(*pair, headings=["One", "Other"])
    sections = {c.title: c for s in named.sections for c in s.children}
    for title, own in (("One", first), ("Other", second)):
        opening = " ".join(
            plain(b.text) for b in sections[title].blocks if isinstance(b, Paragraph)
        )
        assert all(m.removeprefix("\u00b1") in opening for m in own - (first & second)), (
            opening,
            own,
        )
    line = plain(named.margin)
    assert "\u201cOne\u201d" in line, line
    assert "\u201cOther\u201d" in line, line


def test_margins_are_found() -> None:
    assert {
        ("equivalence", "bounds"),
        ("brain_test", "margin"),
        ("strict_alignment", "score_bounds"),
    } <= set(WITH_MARGIN)


@pytest.mark.filterwarnings("ignore::apastats.errors.ApaWarning")
def test_margins_of_several_kinds_are_told_apart(results: dict[str, Any]) -> None:
    """An equivalence, a set and a mixed model with three margins of the score."""
    from tests.verb_data import best

    formula = "score ~ model | roi"
    fit = apa.lmm("score ~ model + roi + (1 | subject)", best())
    made = [
        apa.equivalence(formula, best(), bounds=0.02),
        apa.equivalence_set(formula, best(), bounds=0.05),
        apa.emmeans(fit, "model").contrast("pairwise").test(bounds=0.03),
    ]
    report = apa.report(*made)
    titles = " | ".join(c.title for s in report.sections for c in s.children)
    line = plain(report.margin)
    for margin in ("\u00b10.02", "\u00b10.05", "\u00b10.03"):
        assert f"margin {margin}" in titles
        assert margin in line
    assert "in the sets" in line
    assert "in the mixed model" in line
    alike = apa.report(made[0], apa.equivalence_set(formula, best(), bounds=0.02))
    assert plain(alike.margin) == "Margin: \u00b10.02."
    assert not any("margin" in c.title for s in alike.sections for c in s.children)
