"""The glossary has every word of the reports that a reader cannot guess."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from apastats.comparing.decisions import OUTCOMES
from apastats.reporting.tables import LABELS
from apastats.resampling.intervals import INTERVALS
from apastats.rows import KEY_COLUMNS, KINDS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "glossary.md").read_text("utf-8")


def test_every_word_has_one_entry_with_a_meaning() -> None:
    entries = re.findall(r"^(?!\||#|`|A |Words)(\S[^\n]*)\n  (\S[^\n]+)", PAGE, re.M)
    words = [w for w, _ in entries]
    assert len(words) == len(set(words))
    assert len(words) > 80
    assert [w for w, meaning in entries if len(meaning) < 15] == []


def test_every_header_of_a_report_is_explained() -> None:
    rows = re.findall(r"^\| ([^|]+) \| `(\w+)` \| (\S[^|]+) \|$", PAGE, re.M)
    assert {column: header for header, column, _ in rows} == LABELS


@pytest.mark.parametrize(
    "word", [*KINDS, *KEY_COLUMNS, *OUTCOMES, *INTERVALS, "nili", "split half", "repeat", "bounds"]
)
def test_words_of_tables_and_options(word: str) -> None:
    low = PAGE.lower()
    spelt = {word, word.replace("_", " "), word.replace("_", "-")}
    assert any(re.search(rf"\b{re.escape(s)}", low) for s in spelt), word


def test_the_words_that_other_pages_use() -> None:
    """Words in bold or italics of the pages, and those the first question of a newcomer is about."""
    for word in (
        "matched",
        "share of a person",
        "leave one out",
        "undecided",
        "strict alignment",
        "z_person",
    ):
        assert re.search(rf"^(\W?{re.escape(word)}|.*`{word}`)", PAGE, re.M), word
