"""Methods are sentences: every kind of result says what was done, and machine words do not reach a reader."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.printable import finding
from apastats.reporting import methods
from apastats.reporting.answer import verdict
from apastats.reporting.blocks import Listing, Paragraph
from apastats.reporting.how_made import margin_sentence
from apastats.reporting.kinds import KINDS, keys_of, kind_of, title_of
from apastats.reporting.markup import plain
from apastats.reporting.numbers import APA
from apastats.reporting.openings import OPENINGS, opening, shown_formula
from apastats.reporting.summary import limitations, methods_section
from apastats.reporting.works import WORKS
from tests.reporting.conftest import Study

# words of the machine, and of telegrams, that stood in reports
NEVER = (
    "z_person",
    "(Intercept)",
    "modelmodel",
    "p_below",
    "nct intervals",
    "as averaged",
    "subjects are blocks",
    "Each model with",
    "where was shown",
    "is said where",
    "no more agreement",
    "compared with brain.",
    "The reference of the brain was",
    "the what ",
    "(interval)",
    "by REML;",
    "one at a time, and joint",
    "As good as a person:",
    "Counts of:",
    ": lower: ",
    "in units of the outcome",
    "cells together",
    "in its cell",
    "in a cell",
    "was score \u00b1",
    "none of 4 models was not",
    "score and agreement, score",
    "(averaged)",
    "differed in this:",
    "moderated, the common value",
    "corr similarity",
)


@pytest.fixture(scope="module")
def told(all_kinds: Study) -> dict[str, str]:
    """Methods of one result of every kind."""

    def cited(keys: str) -> str:
        return f"({'; '.join(WORKS[k].short() for k in keys.split(';'))})"

    found = {}
    for label, result in all_kinds.results.items():
        if not hasattr(result, "info"):
            continue
        lines = kind_of(result).methods(result, title_of(result), keys_of(result))
        found[label] = " ".join(plain(line, cited) for line in lines)
    return found


def test_every_kind_says_what_was_done() -> None:
    generic = {k for k, row in KINDS.items() if row.methods is methods.generic}
    assert generic == set(OPENINGS) - {"followed_table"}


def test_methods_are_no_telegrams(all_kinds: Study, told: dict[str, str]) -> None:
    assert len(told) > 35
    for label, text in told.items():
        title = title_of(all_kinds.results[label])
        assert not text.startswith(f"{title}:"), (label, text[:80])
        for sentence in re.split(r"(?<=[.?]) (?=[A-Z])", text):
            # "What is it: this, that" has no verb
            verb = re.search(
                r"\b(is|are|was|were|has|have|had|rests?|lies|holds?|come|differ|follow|counts?|stays?|vary|varies|"
                r"predicted|respected|give)\b",
                sentence,
            )
            assert verb, (label, sentence)


def test_words_that_must_not_come_back(all_kinds: Study, told: dict[str, str]) -> None:
    page = all_kinds.report.html()
    main = re.sub(
        r'href="data:[^"]*"', "", page[page.index("<main") : page.index('id="provenance"')]
    )
    for words in NEVER:
        assert words not in plain(main), words
        for label, text in told.items():
            assert words not in text, (label, words)
    for label, result in all_kinds.results.items():
        if hasattr(result, "info") and opening(result):
            assert plain(opening(result))[0].isupper(), label


def test_a_margin_of_several_outcomes_has_a_sentence_for_each(all_kinds: Study) -> None:
    found = 0
    for result in all_kinds.results.values():
        margin = getattr(result, "info", None) and result.info.margin
        if not margin or not margin.others:
            continue
        found += 1
        assert type(result.info).from_dict(result.info.as_dict()) == result.info
        told = margin_sentence(result.info)
        assert told.count("The margin for ") == len(margin.each) == 2
        for one in margin.each:
            assert f"The margin for {one.of} was {one.size}" in plain(told)
    assert found >= 2


def test_a_formula_does_not_follow_another_bracket(told: dict[str, str]) -> None:
    for label, text in told.items():
        assert not re.search(r"\) \([\w.]+ ~ ", text), (label, text)


def test_a_formula_names_its_outcome(all_kinds: Study) -> None:
    info = all_kinds.results["lmm"].info
    assert info.formula.startswith("z ~")
    assert shown_formula(info).startswith("agreement ~ model * stream + (1 | subject)")
    score = all_kinds.results["comparison"].info
    assert shown_formula(score) == score.formula


OPTION = re.compile(r"\b[a-z][a-z_]*=(?=['\"\[\d.A-Z]|$|\s)|\bapastats\.|\.[a-z_]+\(\)")


def test_a_report_names_no_option_of_python(all_kinds: Study) -> None:
    told, notes = [], 0
    for section in all_kinds.report.sections:
        if section.slug == "provenance":
            continue
        for part in (section, *section.children):
            for block in part.blocks:
                if isinstance(block, Paragraph):
                    told.append(plain(block.text))
                elif isinstance(block, Listing):
                    told += [plain(i) for i in block.items]
    for result in all_kinds.results.values():
        for note in getattr(result, "notes", ()):
            notes += bool(OPTION.search(note))
            told.append(finding(note))
    assert notes, "some notes say what to type next"
    for text in told:
        assert not OPTION.search(text), text


def test_a_claim_reads_as_prose() -> None:
    frame = pd.DataFrame({
        "contrast": ["a - b", "c - b"], "model": ["a", "c"], "metric": "rsa", "estimate": [-0.02, 0.3],
        "conf_low": [-0.1, 0.2], "conf_high": [0.06, 0.4], "std_error": 0.04, "n_subject": 9, "conf_level": 0.95,
    })  # fmt: skip
    asked = {"result": "pair_scores", "says": "below", "value": 0}
    stated = [
        {"name": "1", "statement": "both are lower", "tests": [asked, asked | {"where": {"model": "a"}}]},
        {"name": "2", "statement": "wires", "result": "connectivity", "needs": "connectivity matrices"},
    ]  # fmt: skip
    found = apa.claims(stated, {"pair_scores": frame})
    row, other = found.verdicts().to_dict(orient="records")
    said = " ".join([row["reading"], row["decides"], other["reading"], *found.table["test"]])
    assert "-0" not in said
    assert "\u22120.02 [\u22120.1, 0.06]" in said
    assert "pair_scores" not in said
    assert "there is no result" not in said
    assert "spoken against" not in said
    assert "a - b" not in said
    assert "rsa" not in said
    assert row["reading"].count("pair scores: ") == 2, "which reading is of which test"
    assert row["decides"].count("people") <= 1


def _limits(*items: Any) -> str:
    return " ".join(
        plain(line)
        for block in limitations(items)
        for line in (block.items if isinstance(block, Listing) else ())
    )


def test_chosen_layers_are_named_where_layers_were_chosen() -> None:
    scores = apa.simulate(n_subject=6, n_model=3, n_layer=2, rois=["V1", "V2"], rng=1).scores
    best = apa.select_layer(scores, on="train")
    found = apa.compare("score ~ model | roi", best)
    assert "the chosen layers" in _limits(best, found)
    alone = apa.simulate(n_subject=6, n_model=3, n_layer=1, rois=["V1", "V2"], rng=1).scores
    one = apa.select_layer(alone.where(split="test"), on="cross_subject")
    told = _limits(one, apa.compare("score ~ model | roi", one))
    assert "conditional on the stimuli" in told
    assert "chosen layers" not in told


def test_scores_of_rdms_cite_the_analysis_of_rdms() -> None:
    rdms = apa.simulate_rdms(n_subject=4, n_stimulus=10, rois=["V1", "V2"], n_model=2, rng=0)
    scores = apa.score(rdms.brain, rdms.models, method="spearman")
    ceiling = apa.noise_ceiling(rdms.brain, kind="nili", method="spearman")
    made = methods_section([scores, ceiling], lambda s: s)
    text = " ".join(
        plain(b.text) for c in made.children for b in c.blocks if isinstance(b, Paragraph)
    )
    assert "representational dissimilarity matrices (RDMs) of models and brain" in text
    assert {"kriegeskorte2008", "nili2014"} <= set(apa.references(scores, ceiling).keys)


def test_a_model_above_people_is_not_called_indistinguishable() -> None:
    """What is tested against worse people alone says nothing of the other side."""
    random = np.random.default_rng(3)
    people = [f"p{i}" for i in range(8)]
    rows = []
    for i, subject in enumerate(people):
        for j, other in enumerate(people):
            if i != j:
                score = 0.3 + 0.02 * random.normal()
                rows.append(("subject_to_subject", other, "V1", subject, score))
        for model, mean in (("above", 0.6), ("level", 0.3)):
            rows.append(("model", model, "-", subject, mean + 0.01 * random.normal()))
    frame = pd.DataFrame(rows, columns=["kind", "model", "layer", "subject", "score"])
    table = apa.ScoreTable(frame.assign(roi="V1"))
    one = apa.brain_test(table, margin=0.1, n_resamples=199).table.set_index("model")["decision"]
    assert set(one) == {"not worse than a person"}
    both = apa.brain_test(table, margin=0.1, alternative="two-sided", n_resamples=199)
    decided = both.table.set_index("model")["decision"]
    assert decided["above"] == "beyond the spread of people"
    assert decided["level"] == "indistinguishable from a person within the margin"


def test_a_second_analysis_of_a_kind_says_what_differs(all_kinds: Study) -> None:
    first, over = all_kinds.results["brain test"], all_kinds.results["brain test over all"]

    def text(*items: Any) -> str:
        made = methods_section(items, lambda s: s)
        return " ".join(
            plain(b.text) for c in made.children for b in c.blocks if isinstance(b, Paragraph)
        )

    # another outcome has other sentences, and is told in full
    assert text(first, over).count("Whether a model is as good as a person") == 2
    told = text(first, first)
    assert told.count("Whether a model is as good as a person") == 1
    assert "A further analysis" not in told
    words = methods.said_by_key(first, "", keys_of(first))
    changed = [*words[:-1], ("resampled", "Resampling was over nobody.")]
    assert methods.again(changed, words) == [
        (
            "",
            "A further analysis of this kind differed only in the following. Resampling was over nobody.",
        )
    ]
    assert methods.again(words[1:], words) == words[1:]


def test_the_verdict_of_a_brain_test_is_short_and_counts_every_row(all_kinds: Study) -> None:
    for label in ("brain test", "brain test over all", "brain test with pools"):
        result = all_kinds.results[label]
        text = plain(verdict(result, APA))
        assert len(text.split()) <= 45
        for outcome, part in result.table.groupby("outcome"):
            assert f"of {len(part)} " in text
            good = part["decision"].str.contains("not worse|indistinguishable").sum()
            assert f"{good or 'none'} of {len(part)}" in text, (label, outcome)
