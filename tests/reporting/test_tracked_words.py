"""Every number in the sentences, captions and methods of the tracked reports is one of their tables."""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterator
from functools import cache
from io import StringIO
from math import comb, factorial
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.resampling.plans import DEFAULT_RESAMPLES

FROM_PAGE = "video_networks"  # its tables are those of the page: 4 of them are tracked
STUDIES = (
    *("demo", "castaldi_numerosity", "images92", "hoefling2026", "fitted_models", "measures"),
    FROM_PAGE,
)
ROOT = Path(__file__).resolve().parents[2] / "reports"
NUMBER = re.compile(
    "(?<![\\w.])[\u2212]?\\d{1,3}(?:,\\d{3})+(?![\\w,])|(?<![\\w.])[\u2212]?\\d*\\.?\\d+(?![\\w])"
)
TEXTS = re.compile(r"<(p|li|figcaption|caption|h[1-4])\b[^>]*>(.*?)</\1>", re.DOTALL)


def sentences(page: str) -> list[str]:
    """Texts of a page outside tables, figures, the recipe and the references."""
    body = page[page.index("<main") :]
    body = body[: body.index('id="provenance"')] if 'id="provenance"' in body else body
    for tag in ("svg", "script", "style", "pre", "tbody", "thead", "textarea", "template"):
        body = re.sub(rf"<{tag}\b.*?</{tag}>", "", body, flags=re.DOTALL)
    body = re.sub(r"<code\b.*?</code>", "", body, flags=re.DOTALL)  # formulas
    found = [html.unescape(re.sub(r"<[^>]+>", "", m.group(2))) for m in TEXTS.finditer(body)]
    return [re.sub(r"\s+", " ", t).strip() for t in found if t.strip()]


def stripped(text: str, names: set[str]) -> str:
    """Text without what holds digits and is no number: names, works, figures, versions."""
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"(?<![\w]){re.escape(name)}(?![\w])", " ", text)
    text = re.sub(r"\((?:[^()]*?\b(?:19|20)\d\d[a-z]?[;)]?)+[^()]*\)", " ", text)  # cited works
    text = re.sub(r"et al\.,? \(?(?:19|20)\d\d", " ", text)
    text = re.sub(r"\b(?:Figure|Table) \d+", " ", text)
    text = re.sub(r"\b[\w.]+ \d+\.\d+\.\d+", " ", text)  # versions of packages
    return re.sub(r"[\w./-]+\.(?:npz|csv|toml|h5)\b", " ", text)


def _numbers(text: str) -> set[float]:
    out = set()
    for n in re.findall(r"-?\d*\.?\d+(?:e-?\d+)?", text):
        out.add(float(n))
    return out


def tables_of(study: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Tables of a study with their names; those of the links on its page where they are not tracked."""
    for file in sorted((ROOT / study / "tables").glob("*.csv")):
        yield file.stem, pd.read_csv(file)
    if study == FROM_PAGE:
        page = (ROOT / study / "report.html").read_text("utf-8")
        for link in re.findall(r'href="data:text/csv;charset=utf-8,([^"]*)"', page):
            table = pd.read_csv(StringIO(unquote(html.unescape(link))))
            yield ("design" if table.columns[0] == "item" else "page"), table


@cache
def known(study: str) -> tuple[np.ndarray, frozenset[str]]:
    """Numbers of the tables and the study file with the counts of their rows, and names of models and regions."""
    out: set[float] = {0.05, 0.0, 1.0, 2.0}
    names: set[str] = set()
    subjects: set[int] = set()
    for stem, table in tables_of(study):
        out |= {float(len(table))}
        words = [c for c in table.columns if table[c].dtype.kind not in "iuf"]
        numeric = table.select_dtypes("number")
        out |= set(np.unique(numeric.to_numpy("f8")))
        out |= {
            100 * float(v) for c in ("conf_level", "level") if c in table for v in table[c].unique()
        }
        for column in table.columns:
            counts = table[column].value_counts()
            out.add(float(len(counts)))
            if len(counts) < 300:
                out |= set(map(float, counts))
        for column in words:
            told = table[column].dropna().astype(str)
            if column in ("model", "roi", "layer", "contrast", "reference", "subject"):
                names |= set(told)
            elif stem in ("design", "plan"):
                for text in told:
                    out |= _numbers(text)
            for other in words:
                if other != column and table[column].nunique() < 40 and table[other].nunique() < 40:
                    out |= set(map(float, table.groupby([column, other]).size()))
        out |= _derived(table)
        subjects |= {
            int(n) for c in ("n_subject", "n") if c in table for n in table[c].dropna().unique()
        }
    subjects |= {int(v) for v in out if v in (10.0, 15.0, 20.0)}
    out |= {float(comb(2 * n - 1, n)) for n in subjects if 1 < n < 14}  # resamples of n subjects
    out |= {float(n - 1) for n in subjects}
    for n in list(subjects):
        out |= {round(float(v) - (n - 1), 6) for v in out if n - 1 < v < 200 and v != int(v)}
    out |= {2.0**n for n in subjects}  # signs of n differences
    out |= {float(factorial(r)) for r in range(3, 9)}  # orders of a few regions
    verbs = [getattr(apa, name) for name in apa.EXPORTS]
    options = [inspect.signature(v).parameters.get("n_resamples") for v in verbs if callable(v)]
    out |= {float(o.default) for o in options if o is not None and isinstance(o.default, int)}
    out.add(float(DEFAULT_RESAMPLES))
    out |= {200.0}  # rows of a table on the page
    stated = _numbers((ROOT / study / "study.toml").read_text("utf-8"))
    out |= stated | {100 * v for v in stated if v < 1} | {1 - v for v in stated if v < 1}
    return np.array(sorted(v for v in out if np.isfinite(v))), frozenset(names)


def _derived(table: pd.DataFrame) -> set[float]:
    """What sentences count or take from several rows."""
    out: set[float] = set()
    columns = set(table.columns)
    if "decision" in columns:
        inside = table["decision"].isin(["equivalent", "different but inside the margin"])
        out.add(float(inside.sum()))
    if {"decision", "estimate"} <= columns:
        out |= set(map(float, table.loc[table["decision"] == "different", "estimate"].abs()))
    if "estimate" in columns:
        out |= {float((table["estimate"].abs() > 1).sum()), float(table["estimate"].notna().sum())}
    if {"decision", "outcome"} <= columns:
        out |= set(map(float, table.groupby("outcome")["decision"].value_counts()))
        out |= set(map(float, table["outcome"].value_counts()))
    if {"n_model", "term"} <= columns:  # pairs of models
        out |= {float(comb(int(k), 2)) for k in table["n_model"].unique()}
    if {"joint_high", "term"} <= columns:  # rows below the brain by the joint limits
        out.add(float((table.loc[table["term"] == "difference", "joint_high"] < 0).sum()))
    if {"brain", "depth", "model"} <= columns:  # best layers, and those below the brain
        keys = [c for c in ("model", "roi", "metric", "split") if c in columns]
        best = table.loc[table.groupby(keys)["estimate"].idxmax().dropna()]
        out |= {float(len(best)), float((best["estimate"] < best["brain"]).sum())}
    if {"what", "analysis", "term", "estimate"} <= columns:  # changed analyses
        changed = table[table["what"] != "baseline"]
        out.add(float(changed[["what", "analysis"]].drop_duplicates().shape[0]))
    if {"part", "tested", "decision"} <= columns:  # tests of what a model adds
        own = table[table["part"] != "total"]["decision"].str.removesuffix(", less than the margin")
        out |= {float(len(own)), *map(float, own.value_counts())}
    if "p_below" in columns:
        out |= {float((table["p_below"] <= 0.05).sum()), float(table["p_below"].notna().sum())}
    if "different" in columns:
        out.add(float(table["different"].sum()))
    if {"roi", "in_set"} <= columns:
        out |= set(map(float, table.groupby("roi")["in_set"].sum()))
        out |= set(map(float, table.groupby("roi").size()))
    if {"roi", "model", "estimate"} <= columns:
        models = table[(table["model"].astype(str) != "brain") & table["estimate"].notna()]
        if len(models):
            top = models.loc[models.groupby("roi")["estimate"].idxmax()]
            out |= set(map(float, top["model"].value_counts()))
            out |= {float(models["model"].nunique()), float(len(models))}
    for p in ("p_value_adjusted", "p_value"):
        if p in columns:
            out |= {float((table[p] <= 0.05).sum()), float(table[p].notna().sum())}
    if "model" in columns:  # models and the brain are counted apart
        of_brain = table["model"].astype(str) == "brain"
        for part in (table[of_brain], table[~of_brain]):
            for p in {"p_value_adjusted", "p_value"} & columns:
                out |= {float((part[p] <= 0.05).sum()), float(part[p].notna().sum())}
    if {"model", "roi"} <= columns:
        out.add(float(table[["model", "roi"]].drop_duplicates().shape[0]))
    return out


# what stands in no table: settings of methods and what notes measured; each with where it is checked
ELSEWHERE = (
    # ratios of standard errors, checked in tests/ceilings
    r"standard errors are [\d.]+ to [\d.]+ times",
    # measured on permutations of the data at hand, checked in tests/patterns
    r"varies [\d.]+ times as much .*? about \d+ % of such models",
    r"p below \.05",
    # checked in tests/comparing and tests/numbers; sets have no column of degrees of freedom
    r"(?:common value worth|with a prior of) [\d.]+ degrees of freedom",
    # inputs are not tracked: files as they were read, and what their single ceilings are
    r"read \d+ files?, \d+ rows",
    r"left out, because .*",
    # of the intervals of a bootstrap, checked in tests/bootstrapping
    r"The Monte-Carlo error of .*",
)


def untraced(study: str, texts: list[str]) -> list[tuple[str, str]]:
    """Numbers that no table holds at their printed precision, with their sentences."""
    values, names = known(study)
    lost = []
    for text in texts:
        told = stripped(text, set(names))
        for pattern in ELSEWHERE:
            told = re.sub(pattern, " ", told)
        for found in NUMBER.findall(told):
            number = float(found.replace("\u2212", "-").replace(",", ""))
            places = len(found.split(".")[1]) if "." in found else 0
            near = 0.5 * 10.0**-places if places else 0.0
            if not (np.abs(values - number) <= near + 1e-9).any():
                lost.append((found, text))
    return lost


@pytest.mark.parametrize("study", STUDIES)
def test_every_number_in_words_is_one_of_a_table(study: str) -> None:
    page = (ROOT / study / "report.html").read_text("utf-8")
    texts = sentences(page)
    assert sum(bool(NUMBER.search(t)) for t in texts) > 20
    assert any("Analyses were run under" in t for t in texts), "the methods are among them"
    assert any(t.startswith("Figure 2") for t in texts), "and the captions"
    assert untraced(study, texts) == []


def test_every_number_of_the_leaderboards_is_one_of_a_table() -> None:
    """Their page is tables alone: each is in one of the csv files beside it, row by row to the digits shown."""
    folder = ROOT / "leaderboards"
    values: set[str] = set()
    for file in sorted((folder / "tables").glob("*.csv")):
        table = pd.read_csv(file)
        values |= {f"{v:.3g}" for v in np.unique(table.select_dtypes("number").to_numpy("f8"))}
        values |= {
            str(len(table)),
            *map(str, table.select_dtypes(exclude="number").stack().unique()),
        }
    lost = []
    text = (folder / "leaderboards.md").read_text("utf-8")
    for line in text.splitlines():
        cells = [c.strip() for c in line.strip("| ").split("|")] if line.startswith("|") else []
        lost += [
            c
            for c in cells
            if NUMBER.fullmatch(c.replace("e+", "")) and f"{float(c):.3g}" not in values
        ]
    assert text.count("|") > 500
    assert lost == []


@pytest.mark.parametrize("study", STUDIES)
def test_a_wrong_number_is_found(study: str) -> None:
    page = (ROOT / study / "report.html").read_text("utf-8")
    texts = [t for t in sentences(page) if "ranged from" in t and "." in "".join(NUMBER.findall(t))]
    assert texts
    number = next(n for n in NUMBER.findall(texts[0]) if "." in n)
    wrong = texts[0].replace(number, "0.98765")
    assert [n for n, _ in untraced(study, [wrong])] == ["0.98765"]
    assert [n for n, _ in untraced(study, ["All 7,654,321 pairs."])] == ["7,654,321"]
