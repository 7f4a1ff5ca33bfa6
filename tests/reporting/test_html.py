"""The HTML report: complete in itself, safe, readable by machines that read aloud."""

from __future__ import annotations

import csv
import io
import re
from itertools import pairwise
from urllib.parse import unquote

import pandas as pd
import pytest

from apastats.reporting.markup import clean
from tests.reporting.conftest import HOSTILE, Study
from tests.reporting.page import Element, Page


@pytest.fixture(scope="module")
def source(study: Study) -> str:
    return study.report.html()


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def classes(element: Element) -> list[str]:
    return (element.attributes.get("class") or "").split()


def test_nesting_is_right(page: Page) -> None:
    assert page.faults == []


def test_ids_are_unique_and_links_lead_somewhere(page: Page) -> None:
    everything = [e for e in walk(page.root) if "id" in e.attributes]
    ids = [e.attributes["id"] for e in everything]
    assert len(set(ids)) == len(ids)
    for a in page.root.all("a", "use"):
        href = a.attributes.get("href") or ""
        if href.startswith("#"):
            assert href[1:] in ids, href
    for e in walk(page.root):
        for name in ("aria-labelledby", "clip-path"):
            target = e.attributes.get(name)
            if target:
                assert re.sub(r"url\(#(.*)\)", r"\1", target) in ids


def walk(element: Element) -> list[Element]:
    found = []
    for c in element.children:
        if isinstance(c, Element):
            found += [c, *walk(c)]
    return found


def test_nothing_is_loaded(source: str, page: Page) -> None:
    """No address in any place a browser would fetch from; links to doi.org are text."""
    for e in walk(page.root):
        for name in ("src", "srcset", "data", "poster", "action", "background", "xlink:href"):
            value = e.attributes.get(name)
            assert value is None or value.startswith("data:"), (e.tag, name, value)
        href = e.attributes.get("href")
        if href is not None:
            assert href.startswith(("#", "data:")), href
    assert "@import" not in source
    assert not re.search(r"url\((?!#)(?!data:)", source)
    assert "default-src 'none'" in source
    script = page.root.all("script")[0].text()
    assert not re.search(
        r"fetch\(|XMLHttpRequest|import\(|WebSocket|sendBeacon|eval\(|innerHTML", script
    )


def test_landmarks_headings_and_language(page: Page) -> None:
    html = page.root.all("html")[0]
    assert html.attributes["lang"] == "en"
    for tag in ("header", "nav", "main", "footer", "h1"):
        assert len(page.root.all(tag)) == 1, tag
    levels = [int(h.tag[1]) for h in page.root.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    assert page.root.all("title")[0].text() == "A small study"
    skip = page.root.all("a")[0]
    assert skip.attributes["href"] == "#main"


def test_tables_have_captions_and_scopes(page: Page) -> None:
    tables = page.root.all("table")
    assert len(tables) > 8
    for table in tables:
        caption = table.all("caption")
        assert len(caption) == 1
        assert caption[0].text().startswith("Table ")
        assert all(th.attributes.get("scope") in ("col", "row") for th in table.all("th"))
        widths = {sum(1 for c in row.children if isinstance(c, Element)) for row in table.all("tr")}
        assert len(widths) == 1


def test_figures_have_words(page: Page) -> None:
    plots = [f for f in page.root.all("figure") if "plot" in classes(f)]
    assert len(plots) > 8
    for f in plots:
        assert f.all("figcaption")[0].text().strip().startswith("Figure ")
        pictures = f.all("svg", "img")
        # one for a wide and one for a narrow screen, or one that fits both
        assert len(pictures) in (1, 2)
        for picture in pictures:
            if picture.tag == "img":
                assert picture.attributes["alt"]
            else:
                assert picture.attributes["role"] == "img"
                assert picture.all("title")[0].text().strip()
    for region in walk(page.root):
        if region.attributes.get("tabindex") == "0":
            assert region.attributes.get("aria-label") or region.attributes.get("aria-labelledby")


def test_csv_links_hold_all_digits(study: Study, page: Page) -> None:
    links = {
        a.attributes["download"]: a.attributes["href"]
        for a in page.root.all("a")
        if "download" in a.attributes
    }
    text = unquote((links["table-equivalence-of-score.csv"] or "").split(",", 1)[1])
    rows = list(csv.DictReader(io.StringIO(text)))
    table = study.equivalence.table
    assert len(rows) == len(table)
    for key in ("estimate", "p_value_equiv", "bound_low"):
        assert [float(r[key]) for r in rows] == table[key].tolist()
    figures = [n for n in links if n and n.startswith("figure-")]
    assert len(figures) == len([f for f in page.root.all("figure") if "plot" in classes(f)])


def test_numbers_of_tables_are_those_of_tidy(study: Study, page: Page) -> None:
    figure = next(
        f for f in page.root.all("figure") if f.attributes.get("id") == "table-mean-score-by-model"
    )
    head = [th.text() for th in figure.all("thead")[0].all("th")]
    assert head == ["model", "ROI", "estimate", "SE", "95\u00a0% interval"]
    body = figure.all("tbody")[0].all("tr")
    assert len(body) == len(study.means.table)
    for tr, row in zip(body, study.means.table.to_dict(orient="records"), strict=True):
        cells = [c.text() for c in tr.children if isinstance(c, Element)]
        assert cells[:2] == [row["model"], row["roi"]]
        numbers = [
            float(n.replace("\u2212", "-"))
            for n in re.findall(r"\u2212?\d+\.\d+", " ".join(cells[2:]))
        ]
        expected = [row[k] for k in ("estimate", "std_error", "conf_low", "conf_high")]
        assert numbers == pytest.approx(expected, abs=0.00051)


def test_the_answer_comes_first(study: Study, page: Page) -> None:
    main = page.root.all("main")[0]
    blocks = [c for c in main.children if isinstance(c, Element)]
    assert [b.tag for b in blocks[:2]] == ["h1", "div"]
    first = [c for c in blocks[1].children if isinstance(c, Element)]
    assert [e.tag for e in first] == ["p", "figure", "p"]
    answer = first[0].text()
    assert answer == study.report.answer
    assert len(answer.split()) <= 120
    assert "6 subjects" in answer
    assert "3 models" in answer
    assert "4 ROIs" in answer
    assert first[1].all("figcaption")[0].text().strip().startswith("Figure 1.")
    assert first[2].text() == (
        "Margins: ±10 % of the leave-one-out noise ceiling for score; ±0.02 for score."
    )
    # everything else is folded, provenance last but the references
    folded = page.root.all("details")
    topics = [d for d in folded if "topic" in classes(d)]
    assert all("open" not in d.attributes for d in topics)
    headings = [d.all("h2")[0].text() for d in topics]
    assert headings[-2:] == ["Provenance and how to run it again", "References"]
    made = topics[-2].text()
    for word in ("apastats", "numpy", "no random numbers were drawn", "apastats run study.toml"):
        assert word in made
    assert study.means.provenance.data_hash in made


def test_no_margin_is_said(study: Study) -> None:
    import apastats as apa

    assert "No margin was stated, so nothing is claimed" in apa.report(study.means).html()


def test_long_tables_are_folded(study: Study) -> None:
    import apastats as apa

    page = Page(apa.report(study.patterns, study.scores, study.pairwise).html())
    short = [f for f in page.root.all("figure") if "table" in classes(f)]
    assert short
    long = study.equivalence.table
    many = type(study.equivalence)(
        pd.concat([long.assign(roi=f"R{i}") for i in range(6)], ignore_index=True),
        study.equivalence.info,
        study.equivalence.provenance,
    )
    folds = [d for d in Page(apa.report(many).html()).root.all("details") if "rows" in classes(d)]
    assert [f"({len(many.table)} rows)" in d.text() for d in folds] == [True]
    assert all(len(f.all("tr")) <= 41 or f.all("details") for f in short)


def test_every_result_is_there(study: Study, source: str) -> None:
    assert "how to run it again" in source
    assert "Limitations" in source
    for result in study.results.values():
        if hasattr(result, "provenance"):
            assert result.provenance.call.split("(")[0] in source


def test_a_result_of_unknown_kind_gets_a_section() -> None:
    import pandas as pd

    import apastats as apa
    from apastats.results import Provenance, Result

    class Strange(Result):
        kind = "strange_test_kind"

    table = pd.DataFrame({"thing": ["one", "two"], "amount": [0.25, 1e-9], "good": [True, False]})
    strange = Strange(
        table, {"method": "looked hard"}, Provenance("strange()"), notes=("Careful with it",)
    )
    html = apa.report(strange).html()
    for word in ("Strange test kind", "Looked hard", "Careful with it", "one", "0.25", "yes"):
        assert word in html


def test_long_tables_say_what_is_left_out(study: Study) -> None:
    import apastats as apa

    html = apa.report(study.means, max_rows=3).html()
    assert "The first 3 of 12 rows are shown; the csv has all." in html


def test_same_results_same_page(study: Study, source: str) -> None:
    import apastats as apa

    again = apa.report(
        *study.results.values(), title="A small study", study_text='[study]\nname = "small"\n',
        command="apastats run study.toml",
    )  # fmt: skip
    assert again.html() == source


def test_hostile_names_are_text(hostile: Study) -> None:
    source = hostile.report.html()
    page = Page(source)
    assert page.faults == []
    assert len(page.root.all("script")) == 1
    assert "alert(1)" not in page.root.all("script")[0].text()
    assert page.root.all("h1")[0].text() == HOSTILE[0] + HOSTILE[3]
    table = next(
        f for f in page.root.all("figure") if f.attributes.get("id") == "table-mean-score-by-model"
    )
    cells = {b.text() for b in table.all("bdi")}
    assert {clean(h) for h in HOSTILE} <= cells
    for e in walk(page.root):
        assert not any(k.startswith("on") for k in e.attributes)


def test_hostile_study_text() -> None:
    import apastats as apa

    study = apa.simulate(n_subject=4, n_model=2, n_tied=1, rng=0)
    text = "</code></pre><script>alert(2)</script>\x00 {{ 7 * 7 }} ]]>"
    html = apa.report(
        apa.noise_ceiling(study.scores), study_text=text, command=text, notes=[text]
    ).html()
    assert "<script>alert(2)" not in html
    assert "{{ 7 * 7 }}" in html


def test_notebook_view(study: Study) -> None:
    html = study.report._repr_html_()
    assert html.startswith("<iframe srcdoc=")
    assert Page(html).faults == []


def test_lines_of_which_nothing_is_finite_leave_no_empty_path() -> None:
    import numpy as np

    from apastats.reporting.blocks import FigureBlock
    from apastats.reporting.drawing import Drawings, inline_figure

    def make() -> object:
        from apastats.plots.style import new_axes

        ax = new_axes(None, 3.0, 2.0)
        ax.hlines([0.0, 1.0], [np.nan, 0.0], [np.nan, 1.0])
        return ax.figure

    svg = inline_figure(FigureBlock("nothing", "c", "a", make, pd.DataFrame()), Drawings())
    paths = re.findall(r"<path[^>]*>", svg)
    assert paths
    assert all(re.search(r'\sd="', p) for p in paths)
