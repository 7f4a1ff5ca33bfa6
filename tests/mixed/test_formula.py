"""Formulas: what they mean, and where they are wrong."""

from __future__ import annotations

import pytest

from apastats.errors import FormulaError, InputError
from apastats.mixed.engine.formula import parse_mixed_formula


def test_terms() -> None:
    found = parse_mixed_formula("fisher_z(r) ~ model * x + (1 + x || subject) + (1 | roi:subject)")
    assert (found.outcome, found.transform, found.fixed) == ("r", "fisher_z", "model * x")
    assert [t.text for t in found.random] == ["(1 + x || subject)", "(1 | roi:subject)"]


def test_nested_means_two_terms() -> None:
    found = parse_mixed_formula("y ~ 1 + (1 | subject/roi)")
    assert [t.group for t in found.random] == [("subject",), ("subject", "roi")]


def test_slope_alone_and_members() -> None:
    found = parse_mixed_formula("y ~ (0 + x | g) + (1 | mm(a, b))")
    assert found.random[0].effects == ("x",)
    assert found.random[1].members
    assert found.random[1].group_name == "mm(a, b)"
    assert found.fixed == "1"


def test_power_and_functions_of_the_fixed_part() -> None:
    assert parse_mixed_formula("y ~ (a + b)^2 + poly(x, 2)").fixed == "(a + b)**2 + poly(x, 2)"


@pytest.mark.parametrize(
    ("formula", "message", "position"),
    [
        ("y model + (1 | s)", "exactly one '~'", 17),
        ("y ~ a ~ b", "exactly one '~'", 6),
        ("y ~ a + (1 | s", "never closed", 8),
        ("y ~ a + 1 | s", "belongs inside parentheses", 10),
        ("y ~ a + (1 | )", "grouping column is missing", 12),
        ("y ~ a + (1 | s | t)", "one '|' is allowed", 15),
        ("y ~ a + (1 | s + t)", "joined by ':' or '/'", 15),
        ("y ~ a + (1 | s:)", "missing at the end", 14),
        ("y ~ a + (0 | s)", "without any effect", 8),
        ("y ~ a + (1 + x*z | s)", "joined by '\\+'", 14),
        ("y ~ a + (1 | mm(a))", "written mm", 13),
        ("y ~ a * (1 | s)", "joined by '\\+'", 6),
        ("y ~ a b", "operator is missing", 6),
        ("y ~ a + * b", "term is missing before", 8),
        ("y ~ a +", "missing at the end", 7),
        ("y ~ a )", "without '\\('", 6),
        ("y ~ system(a)", "no known function", 4),
        ("y ~ a; b", "';' is not allowed", 5),
        ("y ~ a.b", "'.' is not allowed", 5),
        ("sin(y) ~ a", "no transformation", 0),
        ("y + z ~ a", "one outcome", 2),
        ("y ~ ", "right side is empty", 4),
    ],
)
def test_faults_are_shown_at_their_position(formula: str, message: str, position: int) -> None:
    with pytest.raises(FormulaError, match=message) as caught:
        parse_mixed_formula(formula)
    assert caught.value.position == position
    assert f"\n  {' ' * position}^" in str(caught.value)


def test_term_given_twice() -> None:
    with pytest.raises(FormulaError, match=r"\(1 \| s\) is given twice"):
        parse_mixed_formula("y ~ a + (1 | s) + (1 | s)")


def test_not_a_string() -> None:
    with pytest.raises(InputError, match="formula: got 3"):
        parse_mixed_formula(3)  # type: ignore[arg-type]
