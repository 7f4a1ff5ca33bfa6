"""Absurd values for every argument of every verb, and what a call with them came to."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from tests.fuzz.calls import Start
from tests.fuzz.outcomes import Outcome, outcome_of
from tests.verb_data import best

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
    return outcome_of(lambda: function(*positional, **given))


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
