"""Every page of a question has its picture, formula, assumption, reference, measured calibration and "when not to"."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa

DOCS = Path(__file__).resolve().parents[2] / "docs"
PARTS = ["Formula", "Assumption", "Measured", "When not to", "Reference"]


def questions() -> list[str]:
    """Pages under "Questions" in the contents of the site."""
    index = (DOCS / "index.md").read_text("utf-8")
    (found,) = re.findall(r":caption: Questions\n:hidden:\n(.*?)```", index, flags=re.DOTALL)
    return found.split()


def parts(page: str) -> tuple[str, dict[str, str], str]:
    """Picture, parts, and the page without them."""
    text = (DOCS / f"{page}.md").read_text("utf-8")
    (picture,) = re.findall(r"!\[[^\]]+\]\((_static/questions/\w+\.png)\)", text)
    rows = re.findall(r"^\| \*\*([\w ]+)\*\* \| (.+) \|$", text, flags=re.MULTILINE)
    found = {k: v for k, v in rows if k in PARTS}
    for value in found.values():
        text = text.replace(value, "")
    return picture, found, text


def test_questions_are_the_pages_with_pictures() -> None:
    sys.path.insert(0, str(DOCS))
    try:
        from questions import PICTURES
    finally:
        sys.path.remove(str(DOCS))
    assert sorted(questions()) == sorted(PICTURES)
    assert len(PICTURES) >= 11


@pytest.mark.parametrize("page", questions())
def test_a_page_has_its_six_parts(page: str) -> None:
    picture, found, _ = parts(page)
    assert picture == f"_static/questions/{page}.png"
    assert 1_000 < (DOCS / picture).stat().st_size < 40_000
    assert list(found) == PARTS
    assert "`" in found["Formula"] or page == "measures"
    assert re.search(r"\b(1[89]|20)\d\d\b", found["Reference"])
    for text in found.values():
        assert len(text) > 25


@pytest.mark.parametrize("page", [p for p in questions() if p != "measures"])
def test_what_was_measured_stands_where_it_says(page: str) -> None:
    """Every number of the part is in the page or file that it names."""
    _, found, own = parts(page)
    measured = found["Measured"]
    (place,) = re.findall(r"\]\((\w+\.md)(?:#[\w-]+)?\)|\(`([\w/.]+)`\)", measured)
    name = next(filter(None, place))
    text = (
        own if name == f"{page}.md" else (DOCS / name).read_text("utf-8") if "/" not in name else ""
    )
    text = text or (DOCS.parent / name).read_text("utf-8")
    numbers = re.findall(r"\d+e-\d+|\.\d{2,}|\d+ to \d+ %", measured)
    assert numbers
    for number in numbers:
        assert re.search(rf"{re.escape(number)}(?!\d)", text), number


def test_measures_of_independent_data() -> None:
    """The numbers of measures.md: 40 stimuli, 200 units, 60 pairs of independent data sets."""
    rng = np.random.default_rng(1)
    names = ["cka", "procrustes", "mutual-knn", "cka-debiased"]
    found = []
    for _ in range(60):
        a, b = rng.standard_normal((2, 40, 200))
        table = apa.score_patterns(
            {("s", "V1"): a}, {("m", "1"): b}, measure=names, references=None
        )
        found.append(table.frame.set_index("metric")["score"])
    mean = pd.DataFrame(found).mean()
    said = dict(re.findall(r"`([\w-]+)` (\.\d+)", parts("measures")[1]["Measured"]))
    assert set(said) == set(names)
    for name, value in said.items():
        assert mean[name] == pytest.approx(float(value), abs=0.012), name
