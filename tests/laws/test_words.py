"""Whenever an option changes a number, the words around the numbers change too, or the names of the columns.

The words are what is printed with the numbers of another run in their place, so that a changed number alone does not
count: whoever reads two texts can tell which analysis each is of.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.printable import finding
from apastats.reporting.summary import provenance_rows
from apastats.results import Result
from apastats.table import ScoreTable
from tests import verbs
from tests.verb_data import brains

# they do not change what is estimated: who draws, and how the work is shared
SILENT = {"rng", "n_jobs", "batch", "workdir", "plan", "dtype"}
# numbers that are the data
DATA = {"tost_summary": {"mean_y", "sd_y", "n_y", "r"}}
# columns that hold words or settings, not findings
WORDS = ("method", "analysis", "effect", "what", "term", "contrast", "margin", "alpha", "power")
PLANNED = ("n", "sd", "difference", "rho", "bound_low", "bound_high")


def is_data(value: Any) -> bool:
    return not (
        value is None
        or isinstance(value, str | int | float | bool)
        or (
            isinstance(value, list | tuple) and all(isinstance(v, str | int | float) for v in value)
        )
    )


def settings(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Columns that state a setting, by name."""
    known = (*WORDS, *PLANNED) if "n" in table.columns or "sd" in table.columns else WORDS
    named = [c for c in table.columns if c in known or str(c).startswith("conf_level")]
    return {c: sorted(set(map(str, table[c]))) for c in named}


def same_numbers(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    try:
        pd.testing.assert_frame_equal(a, b, check_exact=False, rtol=1e-9, atol=1e-12)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize(("verb", "option"), verbs.cases())
def test_an_option_that_changes_a_number_changes_a_word(verb: str, option: str) -> None:
    if option in SILENT or option in DATA.get(verb, ()):
        return
    first, second = verbs.other(verb, option)
    if is_data(first.get(option)) or is_data(second.get(option)):
        return
    a, b = verbs.run(verb, first), verbs.run(verb, second)
    if not isinstance(a, Result) or same_numbers(a.table, b.table):
        return
    if list(a.table.columns) != list(b.table.columns) or settings(a.table) != settings(b.table):
        return
    assert a.text() != replace(b, table=a.table).text(), "the same words for other numbers"


@pytest.mark.parametrize("verb", sorted({v for v, _ in verbs.cases()}))
def test_what_to_type_next_stands_at_the_end_of_a_note(verb: str) -> None:
    """A report tells notes up to there, as its readers have no options."""
    result = verbs.run(verb, verbs.base(verb))
    for note in getattr(result, "notes", ()):
        assert not re.search(
            r"\b[a-z_]+=(?=['\"\[\d.])|\bapastats\.|\.[a-z_]+\(\)", finding(note)
        ), note


# files and tables as they are: what was taken for what is in the log
READERS = {"read", "concat", "read_rdms"}


def rdm_makers() -> list[tuple[str, str]]:
    """Every option of every function that makes RDMs."""
    made = {n: f for n, f in verbs.functions().items() if f.__annotations__["return"] == "RDMSet"}
    return [(n, o) for n in made for o in verbs.options(n) if n not in READERS]


@pytest.mark.parametrize(("verb", "option"), rdm_makers())
def test_an_option_that_changes_an_rdm_is_in_its_calls(verb: str, option: str) -> None:
    first, second = verbs.other(verb, option)
    if option in SILENT or is_data(first.get(option)) or is_data(second.get(option)):
        return
    a, b = verbs.run(verb, first), verbs.run(verb, second)
    same = a.vectors.shape == b.vectors.shape and np.array_equal(a.vectors, b.vectors)
    if same and a.labels.equals(b.labels):
        return
    assert a.calls != b.calls
    assert len(a.calls) == len(b.calls) == 1


def test_scores_go_on_with_the_calls_of_their_rdms() -> None:
    brain = apa.rdms_from_patterns(brains(), method="euclidean")
    models = apa.random_feature_models(brain, n_model=2, rng=1)
    table = apa.score(brain, models)
    assert [call.partition("(")[0] for call in table.facts.calls] == [
        "rdms_from_patterns", "random_feature_models", "score",
    ]  # fmt: skip
    assert "euclidean" in table.facts.calls[0]


def tables() -> list[tuple[str, str]]:
    """Every option of every verb that makes scores."""
    made = {
        n: f for n, f in verbs.functions().items() if f.__annotations__["return"] == "ScoreTable"
    }
    return [(n, o) for n in made for o in verbs.options(n) if n not in READERS]


@pytest.mark.parametrize(("verb", "option"), tables())
def test_an_option_that_changes_a_score_is_in_the_provenance_of_a_report(
    verb: str, option: str
) -> None:
    first, second = verbs.other(verb, option)
    if option in SILENT or is_data(first.get(option)) or is_data(second.get(option)):
        return
    a, b = verbs.run(verb, first), verbs.run(verb, second)
    assert isinstance(a, ScoreTable)
    if same_numbers(a.frame, b.frame):
        return
    calls = [[row["call"] for row in provenance_rows([t])] for t in (a, b)]
    assert calls[0] != calls[1]
    assert len(calls[0]) == len(calls[1]) == 1


def test_a_report_prints_the_calls_that_made_its_tables() -> None:
    call = verbs.base("score")
    table = verbs.run("score", call | {"rerank": True})
    chosen = apa.select_layer(table, on="cross_subject")
    assert chosen.facts.calls[0] == table.facts.calls[0]
    text = apa.report(chosen, title="Scores").markdown()
    assert "rerank" in text
    assert "; then select" in text
