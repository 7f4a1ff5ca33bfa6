"""One table of one result, as LaTeX, Markdown, HTML and Word, wide and compact."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import apastats as apa
from apastats.errors import InputError, OutputExistsError

SETS = {
    "equivalence_set": lambda s: apa.equivalence_set("score ~ model | roi", s, bounds=0.05),
    "bootstrap": lambda s: apa.bootstrap("score ~ model | roi", s),
    "equivalence": lambda s: apa.equivalence("score ~ model | roi", s, bounds=0.05),
    "check": apa.check,
    "ranks": lambda s: apa.mean_ranks("score ~ model | roi", s),
}


@pytest.fixture(scope="module")
def scores() -> Any:
    study = apa.simulate(n_subject=8, n_layer=1, rois=["V1", "V4"], rng=1)
    return study.scores.where(kind="model", split="test")


@pytest.fixture(scope="module")
def found(scores: Any) -> dict[str, Any]:
    return {k: make(scores) for k, make in SETS.items()}


class Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "tr":
            self.rows.append(0)
        if tag in ("td", "th"):
            self.rows[-1] += 1


@pytest.mark.parametrize("kind", list(SETS))
def test_every_format_has_every_row(found: dict[str, Any], kind: str) -> None:
    result = found[kind]
    n = len(result.table)
    latex = result.to_latex(label="tab:a", caption="100% of $x_1$")
    assert latex.count(r" \\") == n + 1
    assert r"\label{tab:a}" in latex
    assert r"\caption{100\% of \$x\_1\$}" in latex
    markdown = result.to_markdown(label="tbl-a")
    assert sum(line.startswith("|") for line in markdown.splitlines()) == n + 2
    assert markdown.rstrip().endswith("{#tbl-a}")
    page = Cells()
    page.feed(result.to_html(label="a"))
    assert len(page.rows) == n + 1
    assert len(set(page.rows)) == 1


def test_columns_headings_and_decimals(found: dict[str, Any]) -> None:
    result = found["bootstrap"]
    text = result.to_markdown(
        columns={"model": "DNN", "estimate": "mean", "conf_low": "interval"}, decimals=4
    )
    head, _, first = text.splitlines()[:3]
    assert [h.strip() for h in head.strip("|").split("|")] == ["DNN", "mean", "interval"]
    row = result.table.iloc[0]
    assert f"{row['estimate']:.4f}" in first
    assert f"{row['conf_low']:.4f}" in first
    assert f"{row['conf_high']:.4f}" in first


def test_wide_has_the_best_in_bold(found: dict[str, Any]) -> None:
    """Bold is the highest of a column, and of a set every member; nothing else."""
    for kind in ("bootstrap", "equivalence_set"):
        result = found[kind]
        value = "mean" if "mean" in result.table else "estimate"
        expected = {
            (r.model, r.roi)
            for r in result.table.itertuples()
            if getattr(r, "in_set", False)
            or getattr(r, value) == result.table.loc[result.table["roi"] == r.roi, value].max()
        }
        lines = result.to_markdown(wide="roi").splitlines()
        assert lines[0] == "| model | V1 | V4 |"
        bold = {
            (re.sub(r"\\", "", cells[0]), roi)
            for cells in ([c.strip() for c in line.strip("|").split("|")] for line in lines[2:-2])
            for roi, cell in zip(("V1", "V4"), cells[1:], strict=True)
            if cell.startswith("**")
        }
        assert bold == expected


def test_latex_has_the_best_and_all_tied_with_it_in_bold(found: dict[str, Any]) -> None:
    """The table of models by regions: every member of a region's set, and no other number, is bold."""
    result = found["equivalence_set"]
    rows = [line for line in result.to_latex(wide="roi").splitlines() if line.endswith(r"\\")]
    assert rows[0].replace(" ", "") == r"model&V1&V4\\"
    bold = set()
    for row in rows[1:]:
        name, *cells = (c.strip() for c in row.removesuffix(r"\\").split("&"))
        bold |= {
            (name.replace("\\", ""), roi)
            for roi, cell in zip(("V1", "V4"), cells, strict=True)
            if cell.startswith(r"\textbf{")
        }
    table = result.table
    assert bold == set(
        table.loc[table["in_set"], ["model", "roi"]].itertuples(index=False, name=None)
    )
    assert len(bold) > 2  # some tie


def test_wrong_options_are_named(found: dict[str, Any], tmp_path: Path) -> None:
    result = found["equivalence"]
    with pytest.raises(InputError, match="columns: got 'x'"):
        result.to_latex(columns=["x"])
    with pytest.raises(InputError, match="wide: got 'estimate'"):
        result.to_html(wide="estimate")
    with pytest.raises(InputError, match="decimals"):
        result.to_markdown(decimals=-1)
    with pytest.raises(InputError, match=r"ends in \.docx"):
        result.to_word(tmp_path / "a.doc")


def test_word(found: dict[str, Any], tmp_path: Path) -> None:
    import zipfile

    path = found["equivalence_set"].to_word(tmp_path / "a.docx", wide="roi")
    text = zipfile.ZipFile(path).read("word/document.xml").decode()
    assert "model_08" in text
    with pytest.raises(OutputExistsError):
        found["equivalence_set"].to_word(path)


@pytest.mark.parametrize("kind", list(SETS))
@pytest.mark.parametrize("columns", [60, 100, 140])
def test_print_is_bound_by_the_width(
    found: dict[str, Any], kind: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = str(found[kind]).splitlines()
    assert max(len(line) for line in lines if not line.startswith("note:")) <= max(columns, 66)
    assert len(lines) < 35
