"""A call that does not fit a verb ends in an error of the package that names what is meant."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from apastats.calls import MEANT, nearest
from apastats.errors import ApaError, CallError
from tests import verbs

NAMES = sorted(verbs.functions())


def _parameters(name: str) -> dict[str, inspect.Parameter]:
    found = inspect.signature(verbs.functions()[name]).parameters
    return {k: p for k, p in found.items() if k != "self"}


def _typos(own: str) -> list[str]:
    """Ways in which a name is mistyped: a letter less, two exchanged, capitals, a plural."""
    return [own[:-1], own[0] + own[2] + own[1] + own[3:], own.capitalize(), own + "s"]


@pytest.mark.parametrize("name", NAMES)
def test_every_verb_names_the_argument_that_is_meant(name: str) -> None:
    parameters = _parameters(name)
    own = [k for k, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return  # takes any name: its options are checked by what they go to
    call = verbs.functions()[name]
    first = [None] if "self" in inspect.signature(call).parameters else []
    for meant in (k for k in own if len(k) > 4):
        for typo in _typos(meant):
            if typo in own:
                continue
            with pytest.raises(CallError) as caught:
                call(*first, **{typo: 1})
            error = caught.value
            assert isinstance(error, ApaError)
            assert isinstance(error, TypeError)
            assert (error.argument, error.value) == (typo, 1)
            assert str(error).startswith(f"{call.__name__}: {typo} is no argument (got 1). Did you")
            suggested = re.findall(r"Did you mean (\w+)=\?", str(error))
            # where two names are as near, either may be named
            assert suggested
            assert suggested[0] in own
    with pytest.raises(CallError, match="is no argument") as caught:
        call(*first, qqqqqq=2)
    assert "Did you mean" not in str(caught.value)
    assert all(k in str(caught.value) for k in own)


@pytest.mark.parametrize("name", NAMES)
def test_every_verb_says_what_is_missing_or_too_much(name: str) -> None:
    call, parameters = verbs.functions()[name], _parameters(name)
    first: list[Any] = [None] if "self" in inspect.signature(call).parameters else []
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [k for k, p in parameters.items() if p.default is p.empty and p.kind not in variable]
    if needed:
        with pytest.raises(CallError, match="missing") as caught:
            call(*first)
        assert caught.value.argument == ", ".join(needed)
    if any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
        return
    places = [k for k, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    many = [0] * (len(places) + 1)
    with pytest.raises(CallError, match=f"by position is number {len(many)}"):
        call(*first, *many)
    if places:
        with pytest.raises(CallError, match=f"{places[0]} is given twice"):
            call(*first, 0, **{places[0]: 1})


@pytest.mark.parametrize(
    ("name", "wrote", "meant"),
    [
        ("simulate", "n_roi", "rois"),
        ("simulate", "seed", "rng"),
        ("simulate", "n_subjects", "n_subject"),
        ("tost", "margin", "bounds"),
        ("tost", "eqb", "bounds"),
        ("bootstrap", "n_boot", "n_resamples"),
        ("bootstrap", "ci", "conf_level"),
        ("bootstrap", "random_state", "rng"),
        ("equivalence", "correction", "adjust"),
        ("rdm_similarity", "metric", "method"),
        ("rdms_from_patterns", "folds", "cv_descriptor"),
        ("read", "sheet_name", "sheet"),
        ("agreement_test", "n_perm", "n_resamples"),
    ],
)
def test_names_of_other_programs(name: str, wrote: str, meant: str) -> None:
    with pytest.raises(CallError, match=rf"Did you mean {meant}=\?"):
        verbs.functions()[name](**{wrote: 1})


def test_every_name_that_others_are_turned_into_is_an_option_somewhere() -> None:
    everywhere = {k for name in NAMES for k in _parameters(name)}
    assert set(MEANT) <= everywhere
    assert nearest("n_perm", ["alpha"]) is None


def test_a_missing_margin_says_that_there_is_no_default() -> None:
    asked = 0
    for name in NAMES:
        bounds = _parameters(name).get("bounds")
        if bounds is not None and bounds.default is bounds.empty and "." not in name:
            with pytest.raises(CallError, match="There is no default margin"):
                verbs.functions()[name]()
            asked += 1
    assert asked > 0
