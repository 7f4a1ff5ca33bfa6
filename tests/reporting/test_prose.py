"""Prose: numbers equal tidy(), decisions cannot be misread."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import InputError
from apastats.reporting.kinds import sentences
from apastats.reporting.markup import plain
from apastats.reporting.numbers import APA
from apastats.reporting.posteriors import ROPE_WORDS
from apastats.reporting.prose import DECISION_WORDS, equivalence_row
from tests.reporting.conftest import Study

NUMBER = r"(\u2212?\d*\.?\d+)"
LONG = re.compile(
    rf"In (?P<roi>\S+), (?P<model>\S+) minus (?P<reference>\S+) was (?P<estimate>{NUMBER}) "
    rf"\(t\((?P<df>[\d.]+)\) = (?P<statistic>{NUMBER}), p (?P<p_value>[=<>] {NUMBER})"
    rf"(, adjusted p (?P<p_value_adjusted>[=<>] {NUMBER}))?, "
    rf"(?P<level>\d+)\u00a0% joint CI \[(?P<conf_low_joint>{NUMBER}), (?P<conf_high_joint>{NUMBER})\]\)\. "
    rf"(?P<decision>.*)the margin from (?P<bound_low>{NUMBER}) to (?P<bound_high>{NUMBER})(?P<rest>.*) "
    rf"\(((?P<inside>\d+)\u00a0% joint CI \[(?P<conf_low_joint_margin>{NUMBER}), "
    rf"(?P<conf_high_joint_margin>{NUMBER})\], )?"
    rf"equivalence p (?P<p_value_equiv>[=<>] {NUMBER})(, adjusted p (?P<p_value_equiv_adjusted>[=<>] {NUMBER}))?\)\."
)


def value(text: str) -> tuple[str, float, float]:
    """Sign of the relation, the number, and half a unit of its last place."""
    sign, number = text.split(" ") if " " in text else ("=", text)
    number = number.replace("\u2212", "-")
    places = len(number.split(".")[1]) if "." in number else 0
    return sign, float(number), 0.5 * 10**-places


def agrees(text: str, number: float) -> bool:
    sign, read, half = value(text)
    if sign == "<":
        return number < read
    if sign == ">":
        return number > read - half
    return abs(read - number) <= half + 1e-12


@pytest.mark.parametrize("reference", ["best", "model_01"])
def test_every_number_of_the_long_form_is_one_of_tidy(study: Study, reference: str) -> None:
    options = {"bounds": apa.margin(0.1, of=study.ceiling), "reference": reference}
    result = apa.equivalence("score ~ model | roi", study.best, **options)
    frame = result.tidy()
    for row in frame.to_dict(orient="records"):
        text = plain(equivalence_row(row, result, APA))
        match = LONG.fullmatch(text)
        assert match, text
        for key in ("roi", "model", "reference"):
            assert match[key] == row[key]
        for key in (
            *(
                "estimate",
                "statistic",
                "df",
                "p_value",
                "p_value_adjusted",
                "conf_low_joint",
                "conf_high_joint",
                "conf_low_joint_margin",
                "conf_high_joint_margin",
            ),
            *("bound_low", "bound_high", "p_value_equiv", "p_value_equiv_adjusted"),
        ):
            # against the best, one interval goes with both tests
            if match[key] is not None or reference != "best":
                assert agrees(match[key], row[key]), (key, match[key], row[key])
        assert float(match["level"]) == pytest.approx(100 * row["conf_level_joint"])
        assert reference == "best" or float(match["inside"]) == pytest.approx(
            100 * row["conf_level_joint_margin"]
        )
        assert f"{match['decision']}{{}}{match['rest']}" == DECISION_WORDS[row["decision"]]


def test_the_text_holds_every_row_and_the_words(study: Study) -> None:
    result = study.pairwise
    text = result.text()
    assert text.count("minus") == len(result.table)
    assert str(result.info.margin.in_units_of(result.info.outcome)) in text
    assert result.info["method"] in text
    assert f"n = {result.info['n_subject']}" in text
    assert "Subjects were taken as a random sample" in text
    assert "Results are conditional on the stimuli and the chosen layers" in text
    assert "adjusted p" not in text  # adjust="none"


def test_short_form_is_one_line_per_row(study: Study) -> None:
    lines = study.pairwise.text(short=True).split("\n")
    assert len(lines) == len(study.pairwise.table)
    assert all(
        re.search(
            r"t\(5\) = .*p [=<>] .*95\u00a0% CI \[.*margin .* to .*90\u00a0% CI \[.*equivalence p ",
            line,
        )
        for line in lines
    )


def test_rows_left_out_are_counted(study: Study) -> None:
    text = study.equivalence.text(short=True, max_rows=2)
    assert f"{len(study.equivalence.table) - 2} more rows" in text


def test_estimates_read_back(study: Study) -> None:
    frame = study.means.tidy()
    lines = study.means.text(short=True, max_rows=len(frame)).split("\n")
    assert len(lines) == len(frame)
    for line, row in zip(lines, frame.to_dict(orient="records"), strict=True):
        match = re.fullmatch(
            rf"In (\S+): mean of (\S+) = {NUMBER}, SE = {NUMBER}, 95\u00a0% CI \[{NUMBER}, {NUMBER}\]",
            line,
        )
        assert match, line
        assert match.group(1, 2) == (row["roi"], row["model"])
        numbers = [row[k] for k in ("estimate", "std_error", "conf_low", "conf_high")]
        assert all(
            agrees(text, number) for text, number in zip(match.groups()[2:], numbers, strict=True)
        )


@pytest.mark.parametrize("decision", list(DECISION_WORDS))
def test_decisions_in_words(study: Study, decision: str) -> None:
    row = study.equivalence.tidy().iloc[0].to_dict() | {"decision": decision}
    for short in (False, True):
        text = plain(equivalence_row(row, study.equivalence, APA, short=short))
        # only the two decisions inside the margin may claim anything of the kind
        assert ("are equivalent" in text or "equivalent within" in text) == (
            decision == "equivalent"
        )
        assert "not different" not in text.lower()
        assert "no difference" not in text.lower()
        if decision == "undecided":
            assert "undecided" in text.lower()


def test_undecided_is_said_to_be_no_claim(study: Study) -> None:
    text = study.equivalence.text()
    assert "no evidence of equivalence" in text
    assert "do not generalise to other stimuli" in text


def test_other_styles(study: Study) -> None:
    nature = study.pairwise.text(style="nature", short=True)
    assert "P = 0." in nature or "P = " in nature
    assert "90% CI" in nature
    assert "p = ." not in nature
    plain_minus = study.pairwise.text(
        style={"minus": "-", "decimals": 2, "percent_space": False}, short=True
    )
    assert "\u2212" not in plain_minus
    assert "90% CI" in plain_minus


def test_any_result_has_a_text(study: Study) -> None:
    for result in study.results.values():
        if hasattr(result, "info"):
            assert result.text(short=True, max_rows=3).strip()
            assert result.text(max_rows=3).strip()


def test_a_result_of_unknown_kind_has_a_text() -> None:
    class Odd(apa.results.Result):  # type: ignore[name-defined, misc]
        kind = "odd_test_kind"

    table = pd.DataFrame({"term": ["a"], "estimate": [0.5], "weight": [np.nan]})
    odd = Odd(table, {"method": "an odd method"}, apa.results.Provenance("odd()"))  # type: ignore[attr-defined]
    assert odd.text() == "An odd method. term = a; estimate = 0.500."


def test_missing_numbers_are_said(study: Study) -> None:
    row: dict[str, Any] = study.equivalence.tidy().iloc[0].to_dict()
    row |= {
        "p_value": np.nan,
        "statistic": np.nan,
        "conf_low": np.nan,
        "conf_high": np.nan,
        "decision": "undecided",
    }
    text = plain(equivalence_row(row, study.equivalence, APA))
    assert "p is not defined" in text
    assert "nan" not in text


@pytest.mark.parametrize(
    ("argument", "match"),
    [(0, "max_rows: got 0"), (1.5, "max_rows: got 1.5"), (True, "max_rows: got True")],
)
def test_bad_max_rows(study: Study, argument: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        study.means.text(max_rows=argument)


def test_bad_style(study: Study) -> None:
    with pytest.raises(InputError, match="style: got 'mla'"):
        study.means.text(style="mla")


def test_hostile_names_stay_literal(hostile: Study) -> None:
    text = "\n".join(
        plain(s) for s in sentences(hostile.equivalence, APA, short=True, max_rows=100)
    )
    for model in hostile.equivalence.table["model"].unique():
        assert str(model) in text


REAL = r"[\u2212-]?\d*\.?\d+"
SPAN = rf"(?:\[(?P<low>{REAL}), (?P<high>{REAL})\]|(?P<low_>{REAL}) to (?P<high_>{REAL}))"
SHARE = rf"(?:[<>] )?{REAL}"
ROPE_LONG = re.compile(
    rf"For (?P<term>\S+), the posterior median was (?P<estimate>{REAL}) \((?P<level>\d+)\s?% HDI {SPAN}\), "
    rf"(?P<sign>positive|negative) with a probability of (?P<p_direction>{SHARE})\s?%; "
    rf"(?P<p_inside>{SHARE})\s?% of the posterior, and (?P<p_inside_interval>{SHARE})\s?% of the draws in the "
    rf"interval, lay inside the region of practical equivalence from (?P<bound_low>{REAL}) to (?P<bound_high>{REAL}): "
    r"(?P<decision>[^.]*)\."
)
ROPE_SHORT = re.compile(
    rf"(?P<term>\S+): Mdn = (?P<estimate>{REAL}), (?P<level>\d+)\s?% HDI {SPAN}, pd = (?P<p_direction>{SHARE})\s?%, "
    rf"(?P<p_inside>{SHARE})\s?% in the region from (?P<bound_low>{REAL}) to (?P<bound_high>{REAL}): (?P<decision>\w+)"
)
STYLES = ["apa", "nature", {"minus": "-", "decimals": 5, "interval": "to", "percent_space": False}]


def share_agrees(text: str, number: float) -> bool:
    """A share in per cent with one decimal."""
    if text.startswith("<"):
        return 0 < number < 0.001
    if text.startswith(">"):
        return 0.999 < number < 1
    return abs(float(text) - 100 * number) <= 0.05 + 1e-9


@pytest.fixture(scope="module")
def rope() -> Any:
    rng = np.random.default_rng(0)
    centres = {"tied": 0.0, "near": 0.04, "far": -0.3, "wide": 0.1, "above": 0.09}
    draws = {k: rng.normal(c, 0.15 if k == "wide" else 0.02, 4000) for k, c in centres.items()}
    return apa.rope(draws, bounds=(-0.1, 0.12), conf_level=0.9)


@pytest.mark.parametrize("style", STYLES, ids=["apa", "nature", "dict"])
@pytest.mark.parametrize("short", [True, False])
def test_posteriors_against_a_region_read_back(rope: Any, style: Any, short: bool) -> None:
    rows = rope.tidy().to_dict(orient="records")
    pattern = ROPE_SHORT if short else ROPE_LONG
    lines = rope.text(style=style, short=short)
    matches = list(pattern.finditer(lines))
    assert [m["term"] for m in matches] == [r["term"] for r in rows], lines
    for m, row in zip(matches, rows, strict=True):
        assert m["decision"] == (row["decision"] if short else ROPE_WORDS[row["decision"]])
        assert float(m["level"]) == pytest.approx(100 * row["conf_level"])
        for key in ("estimate", "bound_low", "bound_high"):
            assert agrees(m[key], row[key]), key
        assert agrees(m["low"] or m["low_"], row["conf_low"])
        assert agrees(m["high"] or m["high_"], row["conf_high"])
        for key in (
            ("p_direction", "p_inside")
            if short
            else ("p_direction", "p_inside", "p_inside_interval")
        ):
            assert share_agrees(m[key], row[key]), key
        if not short:
            assert m["sign"] == ("negative" if row["estimate"] < 0 else "positive")
    if not short:
        assert str(rope.info.margin.in_units_of(None)) in lines
        assert "That no difference was shown is no evidence of equivalence" in lines
    assert {"equivalent", "different", "undecided"} == set(rope.table["decision"])


@pytest.mark.parametrize("style", STYLES, ids=["apa", "nature", "dict"])
def test_bayesian_models_read_back(all_kinds: Study, style: Any) -> None:
    result = all_kinds.results["bayes"]
    rows = result.tidy().to_dict(orient="records")
    numbers = rf"(?P<estimate>{REAL}) \(SD = (?P<std_error>{REAL}), 95\s?% HDI {SPAN}; R-hat = (?P<r_hat>{REAL}), "
    long = re.compile(
        rf"For (?P<term>\S+), (?:the posterior mean was {numbers}|no estimate is given, as its chains failed a gate of "
        rf"convergence \(R-hat = (?P<failed>{REAL}), )effective sample sizes of (?P<ess_bulk>\d+) in the bulk and "
        r"(?P<ess_tail>\d+) in the tails\)\."
    )
    text = result.text(style=style)
    matches = list(long.finditer(text))
    assert [m["term"] for m in matches] == [r["term"] for r in rows], text
    for m, row in zip(matches, rows, strict=True):
        assert agrees(m["r_hat"] or m["failed"], row["r_hat"])
        assert float(m["ess_bulk"]) == round(row["ess_bulk"])
        assert float(m["ess_tail"]) == round(row["ess_tail"])
        assert (m["estimate"] is None) == bool(np.isnan(row["estimate"]))
        if m["estimate"] is not None:
            assert agrees(m["estimate"], row["estimate"])
            assert agrees(m["std_error"], row["std_error"])
            assert agrees(m["low"] or m["low_"], row["conf_low"])
            assert agrees(m["high"] or m["high_"], row["conf_high"])
    lines = result.text(style=style, short=True).split("\n")
    assert [line.split(":")[0] for line in lines] == [r["term"] for r in rows]
    assert "no estimate" in lines[-1]
    assert result.info["formula"] in text


@pytest.mark.parametrize("rule", ["classic", "cet", "bayes"])
@pytest.mark.parametrize("short", [True, False])
def test_coefficients_against_a_region_read_back(rule: str, short: bool) -> None:
    result = apa.coefficient_equivalence(
        [0.002, 0.03], [0.004, 0.002], [45, 45], bounds=0.015, rule=rule
    )
    pattern = re.compile(
        rf"(?P<estimate>{REAL})(?:,| \() ?p (?P<p_value>[=<>] {REAL}), (?P<level>\d+)\s?% CI {SPAN}\)?; "
        rf"(?:against the )?region from (?P<bound_low>{REAL}) to (?P<bound_high>{REAL}), "
        rf"equivalence p (?P<p_value_equiv>[=<>] {REAL}), "
        rf"(?:with )?(?P<overlap>{SHARE})\s?% of the interval inside: (?P<decision>\w+)"
    )
    matches = list(pattern.finditer(result.text(short=short)))
    assert len(matches) == 2, result.text(short=short)
    for m, row in zip(matches, result.tidy().to_dict(orient="records"), strict=True):
        for key in ("estimate", "p_value", "bound_low", "bound_high", "p_value_equiv"):
            assert agrees(m[key], row[key]), key
        assert agrees(m["low"], row["conf_low"])
        assert share_agrees(m["overlap"], row["overlap"])
        assert m["decision"] == row["decision"]
