"""The border: what each validator takes, what it refuses, and in which words."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats import arguments
from apastats.errors import DesignError, InputError
from apastats.results import Result
from tests import verbs

# a frame is what these are about: they take its columns as they are, or tell how they are read
FRAMES_AS_THEY_ARE = ("lmm", "bayes_lmm", "Presets.scores", "check")


@pytest.mark.parametrize(
    ("check", "value", "plain"),
    [
        (arguments.flag, np.True_, True),
        (arguments.number, np.float32(0.5), 0.5),
        (arguments.number, Fraction(1, 2), 0.5),
        (arguments.number, -3, -3.0),
        (arguments.level, 0.95, 0.95),
        (arguments.whole, np.int64(3), 3),
        (arguments.text, np.str_("a"), "a"),
        (arguments.names, "roi", ("roi",)),
        (arguments.names, pd.Series(["a", "b"]), ("a", "b")),
        (arguments.path, "a/b", Path("a/b")),
        (arguments.resamples, "exact", "exact"),
        (arguments.jobs, -1, -1),
    ],
)
def test_plain_form(check: Callable[[str, Any], Any], value: object, plain: object) -> None:
    found = check("x", value)
    assert found == plain
    assert type(found) is type(plain)


ABSURD: list[object] = [
    None, b"a", 1 + 2j, float("nan"), float("inf"), -float("inf"), [], {}, {1}, slice(3), object(),
    np.array([1.0, 2.0]), pd.DataFrame({"a": [1]}), pd.NA, 10**400, np.datetime64("2020-01-01"), print,
]  # fmt: skip


@pytest.mark.parametrize("value", ABSURD, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize(
    "check",
    [
        arguments.flag,
        arguments.number,
        arguments.level,
        arguments.whole,
        arguments.text,
        arguments.path,
        arguments.resamples,
        arguments.jobs,
        arguments.rng,
        arguments.p_values,
        lambda a, v: arguments.choice(a, v, ("t", "z")),
    ],
)
def test_absurd_values(check: Callable[[str, Any], Any], value: object) -> None:
    if isinstance(value, list) and check is arguments.p_values:
        assert len(check("x", value)) == 0
        return
    if isinstance(value, int) and check is arguments.rng:
        assert check("x", value) == value
        return
    with pytest.raises(InputError, match=r"^x: .*; allowed: .+") as error:
        check("x", value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("value", ["yes", "no", 0, 1, 1.0])
def test_a_flag_is_not_a_word_or_number(value: object) -> None:
    with pytest.raises(InputError, match="True or False"):
        arguments.flag("paired", value)


@pytest.mark.parametrize("value", [95, 0, 1, -0.05, True])
def test_a_level_is_a_share(value: object) -> None:
    with pytest.raises(InputError, match="conf_level: .*between 0 and 1"):
        arguments.level("conf_level", value)


@pytest.mark.parametrize(
    ("ends", "value", "words"),
    [
        ({"above": 0}, 0, "a finite number above 0"),
        ({"above": -1, "below": 1}, 1, "a finite number between -1 and 1"),
        ({"below": 1}, 1, "a finite number below 1"),
        ({"least": 0, "below": 0.5}, 0.5, r"a finite number from 0 up to \(not including\) 0.5"),
        ({"most": 1}, 1.1, "a finite number up to 1"),
    ],
)
def test_ends_of_a_number(ends: dict[str, float], value: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        arguments.number("x", value, **ends)  # type: ignore[arg-type]


def test_whole_numbers_have_a_largest() -> None:
    with pytest.raises(InputError, match="from 2 up to 9"):
        arguments.whole("n", 10, least=2, most=9)
    with pytest.raises(InputError, match="10,000,000"):
        arguments.resamples("n_resamples", 10**8)


def test_arrays() -> None:
    assert arguments.array("x", [1, None, 2]).tolist()[::2] == [1.0, 2.0]
    assert arguments.array("x", np.ones((2, 2), dtype=np.float32), ndim=2).dtype == np.float64
    for bad in (["1", "2"], [1, "2"], np.array([1j]), [[1], [1, 2]], np.array(["2020"], "M8[Y]")):
        with pytest.raises(InputError, match="numbers"):
            arguments.array("x", bad)
    with pytest.raises(InputError, match="shape"):
        arguments.array("x", np.ones((2, 2)), ndim=1)
    with pytest.raises(InputError, match="infinite"):
        arguments.array("x", [1, np.inf])
    with pytest.raises(InputError, match="missing"):
        arguments.array("x", [1, np.nan], missing=False)
    with pytest.raises(InputError, match="between 0 and 1"):
        arguments.p_values("p", [0.2, 1.2])


def test_samples_drop_pairs_together() -> None:
    x, y = arguments.samples([1, 2, np.nan, 4], [1, np.nan, 3, 5], paired=True)
    assert (x.tolist(), None if y is None else y.tolist()) == ([1, 4], [1, 5])
    x, y = arguments.samples([1, 2, np.nan], [1, 2, 3, 5], paired=False)
    assert (len(x), 0 if y is None else len(y)) == (2, 4)
    with pytest.raises(InputError, match="paired"):
        arguments.samples([1, 2], [1, 2], paired="no")  # type: ignore[arg-type]
    with pytest.raises(DesignError, match="y: 1 values"):
        arguments.samples([1, 2], [1], paired=False)


def test_an_option_of_another_method() -> None:
    arguments.applies("trim", None, to=["trimmed"], chosen="t")
    arguments.applies("trim", 0.2, to=["trimmed"], chosen="trimmed")
    with pytest.raises(
        InputError,
        match=r"trim: got 0.2; allowed: its default \(None\) with test='t'.*among \['trimmed'\]",
    ):
        arguments.applies("trim", 0.2, to=["trimmed"], chosen="t")


@arguments.checked
def example(
    data: pd.DataFrame,
    *others: int,
    paired: bool = True,
    sd: float | None = None,
    rule: Literal["a", "b"] = "a",
    by: Sequence[str] | None = None,
    alpha: float = 0.05,
    free: Any = 1,
    **rest: Any,
) -> tuple[Any, ...]:
    return data, others, paired, sd, rule, by, alpha, free, rest


def test_annotations_are_the_border() -> None:
    frame = pd.DataFrame({"a": [1]})
    assert example(frame, 1, np.int8(2), sd=1, by=["roi"], free={}, extra=3)[1:] == (
        (1, 2), True, 1.0, "a", ("roi",), 0.05, {}, {"extra": 3},
    )  # fmt: skip
    wrong: list[tuple[str, object, str]] = [
        ("paired", "no", "True or False"),
        ("sd", "1", "a finite number"),
        ("rule", "c", "'a', 'b'"),
        ("by", [1], "names"),
        ("by", "roi", "a list of names"),
        ("alpha", 5, "between 0 and 1"),
    ]
    for name, value, words in wrong:
        with pytest.raises(InputError, match=f"^{name}: .*{words}"):
            example(frame, **{name: value})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="data: .*a DataFrame"):
        example([1, 2])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="data"):
        example()  # type: ignore[call-arg]


def _with_a_table() -> list[str]:
    """Verbs whose own call has a table of scores that frames can hold."""
    return [
        name
        for name in verbs.functions()
        if name not in FRAMES_AS_THEY_ARE
        and any(
            isinstance(v, apa.ScoreTable) and v.outcomes == ("score",)
            for v in verbs.base(name).values()
        )
    ]


@pytest.mark.parametrize("name", _with_a_table())
def test_a_frame_stands_for_the_table_that_the_reader_makes(name: str) -> None:
    call = verbs.base(name)
    tables = {
        k: v for k, v in call.items() if isinstance(v, apa.ScoreTable) and v.outcomes == ("score",)
    }
    frames = {k: v.frame[[c for c in v.frame if c not in v.covariates]] for k, v in tables.items()}
    read = {k: apa.read(f) for k, f in frames.items()}

    def outcome(given: dict[str, Any]) -> Any:
        try:
            found = verbs.run(name, call | given)
        except apa.errors.ApaError as error:  # what the table lacks, it lacks as a frame too
            return str(error)
        table = getattr(found, "table", getattr(found, "frame", None))
        return repr(found) if table is None else table.to_csv()

    of_frames, of_tables = outcome(frames), outcome(read)
    assert of_frames == of_tables


def test_an_ordinary_frame_goes_into_a_verb() -> None:
    long = pd.DataFrame(
        {
            "Subject": np.repeat([f"s{k}" for k in range(6)], 2),
            "ROI": "V1",
            "DNN": ["a", "b"] * 6,
            "RSA": np.random.default_rng(1).normal(0.3, 0.02, 12),
        }
    )
    found = apa.equivalence("score ~ model | roi", long, bounds=0.1, reference=None)
    assert found.table["contrast"].tolist() == ["a - b"]
    assert apa.bootstrap("score ~ model", long).table["model"].tolist() == ["a", "b"]
    with pytest.raises(apa.errors.DataError, match="missing column 'model'"):
        apa.equivalence("score ~ model", long.drop(columns="DNN"), bounds=0.1)


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_messages_stay_short() -> None:
    for value in ("x" * 17_000, Hostile(), np.ones(1000), pd.DataFrame(np.ones((900, 9)))):
        assert len(str(InputError("x", value, "less"))) < 300


def _unread(source: str) -> list[str]:
    """Return the parameters that no code reads; a check whose answer is dropped is no reading."""
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    a = function.args
    given = [p.arg for p in (*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg) if p]
    read: set[str] = set()
    left: list[ast.AST] = list(function.body)
    while left:
        node = left.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = ast.unparse(node.value.func).rpartition(".")[2]
            if called in CHECKS:
                continue
        read |= {node.id} if isinstance(node, ast.Name) else set()
        left += ast.iter_child_nodes(node)
    return [p for p in given if p not in read and p not in ("self", "cls")]


CHECKS = {*arguments.__all__, "check_interval", "check_similarity"} - {"applies"}


def _below(cls: type) -> list[type]:
    return [s for c in cls.__subclasses__() for s in (c, *_below(c))]


def _public_code() -> dict[str, str]:
    """Return the source of every public function, and of the public methods of public classes and of results."""
    public = [getattr(apa, name) for name in apa.EXPORTS]
    classes = {c for c in public if isinstance(c, type)} | {Result, *_below(Result)}
    classes = {c for c in classes if c.__module__.startswith("apastats.")}
    given = [(f.__name__, f) for f in public if inspect.isfunction(f)]
    given += [(f"{c.__name__}.{name}", f) for c in classes for name, f in vars(c).items()]
    found = {}
    for name, function in given:
        plain = inspect.unwrap(getattr(function, "__func__", function)) if callable(function) else 0
        if inspect.isfunction(plain) and "._" not in name:
            lines = textwrap.dedent(inspect.getsource(plain)).splitlines(keepends=True)
            start = next(i for i, line in enumerate(lines) if line.startswith("def "))
            found[name] = "".join(lines[start:])
    return found


def test_every_parameter_of_a_public_function_is_read() -> None:
    assert _unread("def f(x, *, batch=1):\n    '''batch'''\n    return x\n") == ["batch"]
    assert _unread("def f(x, *, batch=1):\n    whole('batch', batch)\n    return x\n") == ["batch"]
    code = _public_code()
    assert len(code) > 150
    assert {k: v for k, source in code.items() if (v := _unread(source))} == {}
