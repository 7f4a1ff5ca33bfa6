"""Absurd values for every argument of every verb, and what a call with them came to."""

from __future__ import annotations

import contextlib
import inspect
import random
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import apastats as apa
from apastats.errors import ApaError
from tests.fuzz.calls import Call, scores

LIMIT = 20  # seconds a call may take


def pool() -> dict[str, Any]:
    """Values by their name; made anew so that no call spoils them for the next."""
    nan, inf = float("nan"), float("inf")
    table = scores()
    return {
        "None": None,
        "True": True,
        "False": False,
        "0": 0,
        "1": 1,
        "-1": -1,
        "2": 2,
        "95": 95,
        "0.5": 0.5,
        "-0.5": -0.5,
        "1e300": 1e300,
        "1e-300": 1e-300,
        "nan": nan,
        "inf": inf,
        "-inf": -inf,
        "10**12": 10**12,
        "10**400": 10**400,
        "complex": 1 + 2j,
        "Decimal": Decimal("0.5"),
        "empty text": "",
        "text": "no",
        "line": "a\nb",
        "long text": "ab" * 8500,
        "null byte": "a\0b",
        "formula": "score ~ model | roi",
        "formula of nothing": "score ~ 1",
        "bytes": b"abc",
        "list": [],
        "list of None": [None],
        "list of lists": [[1, 2], [3]],
        "numbers": [1, 2, 3],
        "repeated": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        "pair": (0.1, 0.2),
        "pair of text": ("a", "b"),
        "dict": {},
        "dict of text": {"a": "b"},
        "dict of numbers": {1: 2},
        "dict of lists": {"a": [1, 2]},
        "set": {1, 2},
        "date": pd.Timestamp("2020-01-01"),
        "datetime64": np.datetime64("2020-01-01"),
        "slice": slice(2),
        "function": len,
        "class": dict,
        "object": object(),
        "generator": (i for i in range(3)),
        "empty array": np.array([]),
        "0-d array": np.array(0.3),
        "array of nan": np.full(6, nan),
        "array of inf": np.array([1.0, inf, 2.0]),
        "matrix": np.arange(24.0).reshape(6, 4),
        "cube": np.ones((2, 3, 4)),
        "complex array": np.ones(6) * 1j,
        "object array": np.array([1, "a", None], dtype=object),
        "text array": np.array(["a", "b"]),
        "structured": np.zeros(3, dtype=[("a", float)]),
        "dates": np.array(["2020", "2021"], dtype="M8[Y]"),
        "bool array": np.array([True, False]),
        "NA": pd.NA,
        "frame": pd.DataFrame({"a": [1.0, 2.0]}),
        "empty frame": pd.DataFrame(),
        "series": pd.Series([0.1, 0.2, 0.3]),
        "table": table,
        "result": apa.power_t(n=5, difference=1.0),
        "rng": np.random.default_rng(1),
        "path": Path("nowhere"),
        "model name": "model_01",
        "column": "roi",
    }


class Outcome(NamedTuple):
    """``what``: result, refused, escaped or hang; ``where``: innermost line of the package."""

    what: str
    error: str = ""
    where: str = ""


class HangError(BaseException):
    """A call took longer than LIMIT."""


@contextlib.contextmanager
def limited(seconds: float = LIMIT) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def attempt(function: Callable[..., Any], args: Any, options: Any) -> Outcome:
    """Outcome of one call; a message of more than 2,000 characters counts as escaped."""
    try:
        with limited(), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            function(*args, **options)
    except ApaError as error:
        long = len(str(error)) > 2000
        return Outcome("escaped", "message too long", _where(error)) if long else Outcome("refused")
    except HangError as error:
        return Outcome("hang", "", _where(error))
    except Exception as error:
        return Outcome("escaped", f"{type(error).__name__}: {str(error)[:80]}", _where(error))
    return Outcome("result")


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/apastats/" in f.filename and "arguments.py" not in f.filename]
    last = own[-1] if own else frames[-1]
    return f"{last.filename.split('/apastats/')[-1]}:{last.lineno} {last.name}"


def parameters(function: Callable[..., Any]) -> list[str]:
    """Parameters a call can give; ``*args`` by their name, ``**kwargs`` left out."""
    found = inspect.signature(function).parameters.values()
    return [p.name for p in found if p.kind is not p.VAR_KEYWORD]


def changed(function: Callable[..., Any], call: Call, values: dict[str, Any]) -> tuple[Any, Any]:
    """Arguments of the call with some of its parameters replaced."""
    bound = inspect.signature(function).bind(*call.args, **call.options)
    for name, value in values.items():
        star = inspect.signature(function).parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
        bound.arguments[name] = (value,) if star else value
    return bound.args, bound.kwargs


def draw(random_: random.Random, calls: dict[str, tuple[Callable[..., Any], Call]]) -> Any:
    """One case: name, parameters with the names of their values."""
    name = random_.choice(list(calls))
    known = parameters(calls[name][0])
    chosen = random_.sample(known, min(len(known), random_.choice((1, 1, 1, 2, 3))))
    return name, {p: random_.choice(list(pool())) for p in chosen}
