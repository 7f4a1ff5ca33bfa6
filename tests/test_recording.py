"""A result says how it was called: every verb, every option, and the text called again gives the same numbers."""

from __future__ import annotations

import inspect
import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import ApaWarning
from apastats.mixed.models import Presets
from apastats.recording import call_text, describe
from apastats.recording import verb as recorded
from apastats.results import Provenance, Result
from tests import function_calls, verb_calls, verb_data
from tests import verbs as every

# sampling takes half a minute a call: its texts are compared for every option, one call is made twice
SAMPLED = "bayes_lmm"
PLACEHOLDER = re.compile(r"<[^<>]*>")


def test_every_verb_has_a_call_and_every_option_another_value() -> None:
    for name, option in every.all_cases():
        every.other(name, option)
    assert set(verb_calls.BASE) == set(every.verbs())
    assert set(verb_calls.BASE | function_calls.BASE) == set(every.functions())
    assert not set(verb_calls.BASE) & set(function_calls.BASE)
    for name, given in (verb_calls.SPECIAL | function_calls.SPECIAL).items():
        assert set(given) <= set(every.options(name)), name
    used = {o for name, o in every.cases() if o not in verb_calls.SPECIAL.get(name, {})}
    assert used == set(verb_calls.OTHERS)


def test_every_method_that_gives_a_result_has_a_call() -> None:
    for cls in (Presets, *every._below(Result)):
        for name, method in vars(cls).items():
            if inspect.isfunction(method) and not name.startswith("_"):
                gives = every._gives_result(method)
                assert gives == (f"{cls.__name__}.{name}" in every.METHODS), (cls, name)


def text_of(name: str, call: verb_calls.Call) -> str:
    return call_text(every.verbs()[name], **call)


@pytest.mark.parametrize(("name", "option"), every.cases(), ids=map(".".join, every.cases()))
def test_calls_that_differ_in_one_option_differ_in_their_text(name: str, option: str) -> None:
    first, second = every.other(name, option)
    assert text_of(name, first) != text_of(name, second)


RUN = [
    *((name, "") for name in every.verbs()),
    *((name, option) for name, option in every.cases() if name != SAMPLED),
]


@pytest.mark.parametrize(("name", "option"), RUN, ids=[f"{n}.{o}" if o else n for n, o in RUN])
def test_the_recorded_call_made_again_gives_the_same_numbers(name: str, option: str) -> None:
    call = every.other(name, option)[1] if option else every.base(name)
    found = every.run(name, call)
    assert found.provenance.call == text_of(name, call)
    again = called(name, found.provenance.call, call)
    pd.testing.assert_frame_equal(found.table, again.table, check_exact=True)
    assert set(found.arrays) == set(again.arrays)
    for key, array in found.arrays.items():
        np.testing.assert_array_equal(array, again.arrays[key])
    assert again.provenance.call == found.provenance.call


def called(name: str, text: str, call: verb_calls.Call) -> Any:
    """The text evaluated, what stands in angle brackets bound to the objects of the call, in their order."""
    bound: dict[str, Any] = {"inf": np.inf, "nan": np.nan}
    bound |= {export: getattr(apa, export) for export in apa.EXPORTS}
    objects: list[Any] = []
    for key, value in call.items():
        # a result stands as the call that made it, wherever it is given
        several = value if isinstance(value, list | tuple) else ()
        for i, made in enumerate((value, getattr(value, "of", None), *several)):
            if isinstance(made, Result):
                bound[f"made_{key}_{i}"] = made
                text = text.replace(made.provenance.call, f"made_{key}_{i}")
    parameters = inspect.signature(every.verbs()[name]).parameters
    for key in (k for k in parameters if k in call):
        objects += in_brackets(
            call[key], parameters[key].kind is not inspect.Parameter.KEYWORD_ONLY
        )
    places = iter(range(len(objects)))
    text = PLACEHOLDER.sub(lambda _: f"object_{next(places)}", text)
    assert next(places, None) is None, text
    bound |= {f"object_{i}": value for i, value in enumerate(objects)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ApaWarning)
        return eval(text, bound)


def in_brackets(value: Any, data: bool) -> list[Any]:
    """Objects of an argument that its text only names."""
    if isinstance(value, Result):
        return []
    text = describe(value, data=data)
    if PLACEHOLDER.fullmatch(text):
        return [value]
    if "<" not in text or isinstance(value, str):
        return []
    inside = value.values() if isinstance(value, dict) else value
    return [found for v in inside for found in in_brackets(v, data)]


@cache
def _scores() -> np.ndarray:
    return np.linspace(0.1, 0.4, 12)


def test_what_is_at_its_default_is_left_out_and_nothing_else() -> None:
    def fit(x, y=None, *, trim=0.2, exact=None, names=("a", "b"), ok=True, seed: Any = 0): ...

    def text(*args: Any, **kwargs: Any) -> str:
        return call_text(fit, *args, **kwargs)

    assert text("x") == "fit('x')"
    assert text("x", None, trim=0.2, exact=None, names=["a", "b"], ok=True) == "fit('x')"
    assert text("x", trim=np.float64(0.1)) == "fit('x', trim=0.1)"
    assert text(x="x", y="y", names=("a",)) == "fit('x', 'y', names=('a',))"
    assert text("x", seed=None, ok=False) == "fit('x', ok=False, seed=None)"
    # equal for Python, not for a reader
    assert text("x", ok=1, seed=False) == "fit('x', ok=1, seed=False)"
    assert text("x", names=("a", "c")) == "fit('x', names=('a', 'c'))"
    assert text("x", seed=np.random.SeedSequence(1)) == "fit('x', seed=<SeedSequence>)"


@pytest.mark.parametrize(
    ("value", "data", "text"),
    [
        (np.zeros((3, 4)), True, "<array (3, 4)>"),
        ([0.1, 0.2], True, "<list of 2>"),
        (np.array([1, 2]), False, "[1, 2]"),
        (np.linspace(0, 1, 50), False, "<array (50,) from 0 to 1>"),
        (list(range(30)), False, "<list of 30 from 0 to 29>"),
        ([np.zeros(3), np.ones(3)], True, "[<array (3,)>, <array (3,)>]"),
        (pd.DataFrame({"a": [1]}), False, "<DataFrame (1, 1)>"),
        ({"a": ["V1"], "b": ("V2",)}, False, "{'a': ['V1'], 'b': ('V2',)}"),
        (np.median, False, "<function median>"),
        (lambda x: x, False, "<lambda>"),
        (Path("out") / "blocks", False, "'out/blocks'"),
        (np.random.default_rng(1), False, "<Generator>"),
        (Provenance("x"), False, "<Provenance>"),
        (apa.margin(0.02), False, "margin(0.02)"),
        (apa.margin((-0.1, 0.3), of="sd"), False, "margin((-0.1, 0.3), of='sd')"),
        (apa.margin(0.5, of=("a", "b")), False, "margin(0.5, of=('a', 'b'))"),
    ],
)
def test_values_are_described(value: Any, data: bool, text: str) -> None:
    assert describe(value, data=data) == text


def test_a_chain_reads_as_it_was_called() -> None:
    tested = verb_data.contrasts().test(bounds=0.02)
    assert re.fullmatch(
        r"emmeans\(lmm\('score ~ model \* roi \+ \(1 \| subject\)', <ScoreTable[^>]*>\), 'model', by='roi'\)"
        r"\.contrast\(\)\.test\(bounds=0\.02\)",
        tested.provenance.call,
    )
    share = apa.margin(0.1, of=verb_data.ceiling(), unit="spread")
    call = apa.equivalence("score ~ model | roi", verb_data.best(), bounds=share).provenance.call
    assert "bounds=margin(0.1, of=noise_ceiling(<ScoreTable" in call
    assert call.endswith(", unit='spread'))")


def test_the_outer_verb_is_recorded_and_results_of_others_are_left_alone() -> None:
    @recorded
    def inner(n: int) -> Result:
        return Result(pd.DataFrame(), {}, Provenance(data_hash="h", seed="7"))

    @recorded
    def outer(n: int, *, m: int = 1) -> Any:
        return inner(n + 1) if m else m

    found = outer(2, m=3)
    assert found.provenance.call == "outer(2, m=3)"
    assert (found.provenance.data_hash, found.provenance.seed) == ("h", "7")
    assert outer(2, m=0) == 0


@pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning")
def test_a_fresh_seed_is_recorded_and_not_part_of_the_call() -> None:
    drawn = apa.tost(_scores(), bounds=2.0, test="bootstrap", n_resamples=99)
    assert "rng" not in drawn.provenance.call
    assert drawn.provenance.seed
    again = apa.tost(
        _scores(), bounds=2.0, test="bootstrap", n_resamples=99, rng=int(drawn.provenance.seed)
    )
    pd.testing.assert_frame_equal(drawn.table, again.table, check_exact=True)


def test_warnings_point_at_the_line_that_called() -> None:
    scores = verb_data.study().scores
    flat = scores.frame.copy()
    flat.loc[flat["layer"] == "layer_01", "score"] = 0.25
    given = [
        lambda: apa.alignment_patterns(apa.ScoreTable(flat), on_constant="nan"),
        lambda: apa.bootstrap("score ~ model | roi", verb_data.best(), n_resamples=19, rng=1),
        lambda: verb_data.with_ceilings().conf_int(interval="percentile"),
        lambda: apa.lmm("z ~ model * stream + (1 | subject) + (1 | roi)", verb_data.agreement()),
    ]
    for call in given:
        with pytest.warns(ApaWarning) as warned:
            call()
        assert {w.filename for w in warned} == {__file__}


def test_signatures_and_docstrings_are_kept() -> None:
    assert apa.tost.__name__ == "tost"
    assert list(inspect.signature(apa.tost).parameters)[:3] == ["x", "y", "bounds"]
    assert "Parameters" in str(apa.tost.__doc__)
    with pytest.raises(TypeError, match=r"tost: margin is no argument .* Did you mean bounds="):
        apa.tost(_scores(), margin=0.1)
