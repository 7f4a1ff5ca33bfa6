"""Numbers as text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apastats.errors import InputError
from apastats.reporting.markup import plain
from apastats.reporting.numbers import APA, NATURE, NumberStyle, as_style
from apastats.rounding import decimals_for


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0123, "= .012"),
        (0.0009, "< .001"),
        (0.00085, "< .001"),
        (0.001, "= .001"),
        (0.9996, "> .999"),
        (1.0, "> .999"),
        (0.05, "= .050"),
        (0.0, "< .001"),
    ],
)
def test_p_values_of_apa(p: float, text: str) -> None:
    assert APA.p_value(p) == text


def test_p_values_of_nature_are_exact() -> None:
    assert NATURE.p_value(0.0123) == "= 0.012"
    assert NATURE.p_value(0.00012) == "= 1.2\u00a0\u00d7\u00a010^\u22124"
    assert plain(NATURE.p(0.5)) == "P = 0.500"


def test_nan_is_said() -> None:
    assert APA.p_value(float("nan")) == "not defined"
    assert plain(APA.p(float("nan"))) == "p is not defined"
    assert APA.number(float("nan"), 2) == "not defined"
    assert APA.number(float("-inf"), 2) == "\u2212infinity"


def test_a_rounded_zero_has_no_sign() -> None:
    assert APA.number(-0.0001, 2) == "0.00"


def test_statistics() -> None:
    assert plain(APA.statistic("t", -2.3451, 9.0)) == "t(9) = \u22122.35"
    assert plain(APA.statistic("t", 2.0, 8.456)) == "t(8.46) = 2.00"
    assert plain(APA.statistic("z", 2.0)) == "z = 2.00"


def test_intervals() -> None:
    assert APA.interval_text(-0.01, 0.02, 0.9, 2) == "90\u00a0% CI [\u22120.01, 0.02]"
    assert NATURE.interval_text(-0.01, 0.02, 0.95, 2) == "95% CI \u22120.01 to 0.02"


def test_styles_from_dicts() -> None:
    style = as_style({"name": "nature", "p_floor": 0.01, "decimals": 2})
    assert isinstance(style, NumberStyle)
    assert style.p_value(0.002) == "< 0.010"
    assert as_style(style) is style


@pytest.mark.parametrize(
    ("style", "match"),
    [
        ("chicago", "style: got 'chicago'; allowed: one of"),
        (3, "style: got 3"),
        ({"digits": 2}, "style: got 'digits'; allowed: one of"),
        ({"decimals": -1}, "an int from 0 to 12"),
        ({"p_decimals": 2.5}, "an int from 0 to 12"),
        ({"p_floor": 1}, "a number from 0 to below 1"),
        ({"interval": "round"}, "'brackets' or 'to'"),
        ({"percent_space": 1}, "True or False"),
        ({"minus": 4}, "a string"),
    ],
)
def test_bad_styles(style: object, match: str) -> None:
    with pytest.raises(InputError, match=match):
        as_style(style)


@given(st.floats(0, 1))
def test_a_p_value_read_back_is_the_p_value(p: float) -> None:
    sign, text = APA.p_value(p).split(" ")
    value = float(text)
    if sign == "=":
        assert abs(value - p) <= 0.0005 + 1e-12
    else:
        assert p < value if sign == "<" else p > value - 0.0005


@given(st.floats(1e-8, 1e4))
def test_decimals_show_two_digits_of_the_scale(size: float) -> None:
    places = decimals_for(size)
    assert 3 <= places <= 6
    if 1e-5 <= size < 0.1:
        assert size * 10**places >= 9.99


@pytest.mark.parametrize(
    ("p", "mcse", "text"),
    [
        (0.0512, 0.0, "= .051"),
        (0.0512, 0.0004, "= .051"),
        (0.0512, 0.0016, "= .05"),
        (0.0012, 0.0007, "< .01"),
        (0.0002, 0.0001, "< .001"),
        (0.9971, 0.0008, "> .99"),
        (0.31, 0.03, "= .3"),
    ],
)
def test_sampled_p_values_show_digits_that_stand(p: float, mcse: float, text: str) -> None:
    assert APA.p_value(p, mcse) == text


def test_tables_and_sentences_print_sampled_p_values_alike() -> None:
    import apastats as apa
    from apastats.reporting.tables import p_error

    g = np.random.default_rng(5)
    x = g.normal(0.03, 0.05, 14)
    found = apa.tost(x, bounds=0.08, test="bootstrap", n_resamples=999, rng=1)
    row = found.tidy().iloc[0].to_dict()
    assert p_error(row, "p_value") == row["p_value_mcse"] > 0.0005
    assert f"p {APA.p_value(row['p_value'], row['p_value_mcse'])}" in found.text()
