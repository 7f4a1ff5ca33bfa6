"""Every verb says which columns it returns, where it comes from and what stands beside it."""

from __future__ import annotations

import inspect
import re

import pandas as pd
import pytest
from numpydoc.docscrape import NumpyDocString

import apastats as apa
from tests import verbs

NAMES = sorted(name for name in apa.EXPORTS if inspect.isfunction(getattr(apa, name)))
NEEDS_A_CLUSTER = {"cluster"}


def _doc(name: str) -> NumpyDocString:
    return NumpyDocString(inspect.getdoc(getattr(apa, name)) or "")


@pytest.mark.parametrize("name", NAMES)
def test_sections(name: str) -> None:
    doc = _doc(name)
    assert doc["References"], f"{name}: no References"
    assert doc["Examples"], f"{name}: no Examples"
    related = [n for group, _ in doc["See Also"] for n, _role in group]
    assert related, f"{name}: no See Also"
    assert set(related) <= set(apa.EXPORTS) - {name}


@pytest.mark.parametrize("name", sorted(set(NAMES) - NEEDS_A_CLUSTER))
def test_columns_are_those_of_the_result(name: str) -> None:
    found = verbs.run(name, verbs.base(name))
    table = found.tidy() if hasattr(found, "tidy") else getattr(found, "frame", None)
    if not isinstance(table, pd.DataFrame):
        return  # arrays and files: their shapes stand in Returns
    returned = " ".join(" ".join(p.desc) for p in _doc(name)["Returns"])
    told = re.findall(r"``(\w+)``", returned.partition("Columns:")[2])
    assert [c for c in map(str, table.columns) if c not in told] == []
