"""References: exactly the methods used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import apastats as apa
from apastats.errors import OutputExistsError
from apastats.reporting.references import bibliography
from apastats.reporting.works import WORKS
from tests.reporting.conftest import Study

ALWAYS = {"apastats", "harris2020", "virtanen2020"}
RSA = {"kriegeskorte2008"}  # of scores whose metric it is


def test_exactly_the_methods(study: Study) -> None:
    assert set(apa.references(study.design).keys) == ALWAYS
    assert set(apa.references(study.pairwise).keys) == ALWAYS | RSA | {
        "schuirmann1987",
        "lakens2017",
    }
    assert set(apa.references(study.equivalence).keys) == ALWAYS | RSA | {
        "schuirmann1987",
        "lakens2017",
        "holm1979",
    }
    assert {"davison1997", "fisher1991"} <= set(apa.references(study.means).keys)
    assert set(apa.references(study.ceiling).keys) == ALWAYS | RSA | {"hoefling2026"}


@pytest.mark.parametrize(
    ("adjust", "key"),
    [
        ("bh", "benjamini1995"),
        ("by", "benjamini2001"),
        ("hommel", "hommel1988"),
        ("bonferroni", "dunn1961"),
    ],
)
def test_the_adjustment_is_cited(study: Study, adjust: str, key: str) -> None:
    result = apa.equivalence("score ~ model | roi", study.best, bounds=0.02, adjust=adjust)
    assert set(apa.references(result).keys) == ALWAYS | RSA | {"schuirmann1987", "lakens2017", key}
    html = apa.report(result).html()
    assert f"#ref-{key}" in html


def test_corrections_and_correlations_are_cited() -> None:
    scores, other = [0.1, 0.3, 0.2, 0.5, 0.35, 0.3], [0.2, 0.1, 0.5, 0.4, 0.3, 0.2]
    options = {"bounds": 1.0, "test": "bootstrap", "interval": "percentile"}
    assert "hesterberg2015" in apa.references(apa.tost(scores, **options)).keys
    plain = apa.tost(scores, small_sample=False, **options)
    assert "hesterberg2015" not in apa.references(plain).keys
    found = apa.correlation_difference(scores, other, [1, 2, 3, 4, 6, 5], bounds=0.5)
    assert "steiger1980" in apa.references(found).keys


def test_nili_is_cited_for_its_bounds() -> None:
    rdms = apa.simulate_rdms(n_subject=4, rng=1)
    assert "nili2014" in apa.references(apa.noise_ceiling(rdms.brain, kind="nili")).keys


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("set", {"hsu1984", *RSA}),
        ("set with margin", {"holm1979", "schuirmann1987", *RSA}),
        ("friedman", {"friedman1937", *RSA}),
        ("rope", {"kruschke2018"}),
        ("bayes", {"capretto2022", "vehtari2021"}),
        ("rdms", {"kriegeskorte2008", "nili2014"}),
        ("effect", {"hedges1981"}),
        ("agreement test", {"hoefling2026", "phipson2010", "westfall1993", *RSA}),
        ("tested contrasts", {"searle1980", "giesbrecht1985", "kuznetsova2017", "holm1979", "schuirmann1987", *RSA}),
        ("anova", set()),
    ],
)  # fmt: skip
def test_nothing_more_and_nothing_less(all_kinds: Study, name: str, keys: set[str]) -> None:
    assert set(apa.references(all_kinds.results[name]).keys) == ALWAYS | keys


def test_everything_listed_is_cited_in_the_methods(study: Study) -> None:
    html = study.report.html()
    methods = html[html.index('id="methods"') : html.index('id="provenance"')]
    cited = set(re.findall(r'href="#ref-(\w+)"', methods))
    assert cited == set(study.report.references.keys)


def test_bibtex(tmp_path: Path, study: Study) -> None:
    everything = bibliography(WORKS)
    text = everything.bibtex()
    assert text.isascii()
    entries = text.strip().split("\n\n")
    assert len(entries) == len(WORKS)
    for entry in entries:
        assert re.match(r"@(article|book|inproceedings|misc)\{\w+,\n", entry)
        assert entry.count("{") == entry.count("}")
        for field in ("author", "title", "year"):
            assert f"  {field} = {{" in entry
    path = study.report.references.save(tmp_path / "references.bib")
    assert path.read_text("utf-8") == study.report.references.bibtex()
    with pytest.raises(OutputExistsError, match="exists and is kept"):
        study.report.references.save(path)


def test_reference_list_reads_well() -> None:
    text = bibliography(["holm1979", "nili2014", "davison1997", "harris2020"]).text()
    assert "Holm, S. (1979). A simple sequentially rejective multiple test procedure." in text
    assert "Davison, A. C., & Hinkley, D. V. (1997)." in text
    assert "et al. (2020). Array programming with NumPy. Nature, 585, 357\u2013362." in text
    assert text == "\n".join(sorted(text.split("\n"), key=str.lower))
