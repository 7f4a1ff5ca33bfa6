"""Absurd values for every argument of every verb, and what a call with them came to."""

from __future__ import annotations

import contextlib
import inspect
import random
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import apastats as apa
from apastats.errors import ApaError
from tests.fuzz.calls import Start
from tests.verb_data import best

LIMIT = 20  # seconds a call may take
LONGEST = 2000  # characters of a message
# a valid request that costs what it says: 95 workers are started
FAIR = {("n_jobs", "95")}


def pool() -> dict[str, Any]:
    """Values by their name; made anew so that no call spoils them for the next."""
    nan, inf = float("nan"), float("inf")
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
        "surrogate": "a\udc80b",
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
        "table": best(),
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


def attempt(start: Start, changes: Mapping[str, str]) -> Outcome:
    """Outcome of a call with some arguments replaced by values of the pool."""
    function, arguments = start
    values = pool()
    given = dict(arguments) | {name: values[value] for name, value in changes.items()}
    positional: list[Any] = []
    for p in inspect.signature(function).parameters.values():
        if p.kind is p.VAR_POSITIONAL and p.name in given:
            value = given.pop(p.name)
            positional += value if isinstance(value, tuple) else [value]
        elif p.kind is p.VAR_POSITIONAL:
            break
        elif p.kind is p.POSITIONAL_OR_KEYWORD and p.name in given:
            positional.append(given.pop(p.name))
        else:
            break
    try:
        with limited(), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            function(*positional, **given)
    except ApaError as error:
        long = len(str(error)) > LONGEST
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
    """Parameters that a case may replace."""
    found = inspect.signature(function).parameters.values()
    return [p.name for p in found if p.kind is not p.VAR_KEYWORD and p.name != "self"]


def cases(starts: Mapping[str, Start], seed: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Endless cases: the name of a start, and one to three parameters with the names of their values."""
    draw = random.Random(seed)
    values, usable = list(pool()), [n for n, (f, _) in starts.items() if parameters(f)]
    while True:
        name = draw.choice(usable)
        chosen = parameters(starts[name][0])
        chosen = draw.sample(chosen, min(len(chosen), draw.choice((1, 1, 1, 2, 3))))
        changes = {p: draw.choice(values) for p in chosen}
        if not FAIR & set(changes.items()):
            yield name, changes
