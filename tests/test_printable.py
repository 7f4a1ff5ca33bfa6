"""Tables as csv: the same characters as pandas writes, whatever they hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from apastats.printable import csv_text, spreadsheet_safe

TEXTS = [
    "a",
    "a,b",
    'q"q',
    "=1+1",
    "",
    "two\nlines",
    "r\rr",
    None,
    " x",
    "\u00fc\u4e2d",
    "-",
    "'",
    "-1.5",
    "+x",
]
NUMBERS = [
    np.nan,
    np.inf,
    -np.inf,
    1e-5,
    1e16,
    123456789012345680.0,
    0.1,
    -0.0,
    1e-300,
    1e22,
    1e-4,
    12345.0,
]


def odd(n: int) -> pd.DataFrame:
    g = np.random.default_rng(n)
    return pd.DataFrame(
        {
            "t": pd.Series(g.choice(np.array(TEXTS, dtype=object), n), dtype="str"),
            "f": g.choice(NUMBERS, n),
            "wide": g.normal(size=n) * 10.0 ** g.integers(-20, 20, n),
            "i": g.integers(-9, 9, n),
            "u": g.integers(0, 9, n).astype("u1"),
            "b": g.random(n) > 0.5,
            "=c": 1.0,
            "d,e": 2,
        }
    )


@pytest.mark.parametrize("n", [0, 1, 999, 1000, 3000])
@pytest.mark.parametrize(
    "kind", ["plain", "object", "category", "single", "no column", "one column"]
)
def test_csv_has_the_characters_of_pandas(n: int, kind: str) -> None:
    frame = odd(n)
    if kind == "object":
        frame = frame.assign(t=frame["t"].astype(object))
    elif kind == "category":
        frame = frame.assign(t=frame["t"].astype("category"))
    elif kind == "single":
        frame = frame.assign(f=frame["f"].astype("f4"))
    elif kind == "no column":
        frame = frame[[]]
    elif kind == "one column":
        frame = frame[["t"]]
    assert csv_text(frame) == spreadsheet_safe(frame).to_csv(index=False, lineterminator="\n")
