"""Adjusted p-values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apastats as apa
from tests.reference.cases_io import Unhandled, close, read_table

TOLERANCE = 1e-10
FORMULAS = {"1-(1-p)^m": "sidak", "step-down 1-(1-p)^(m-i+1), running maximum": "holm-sidak"}


def check(case: dict[str, Any], directory: Path, cases: dict[str, Any]) -> None:
    p = read_table(directory, case["data"]["file"])[case["data"]["column"]].to_numpy()
    arguments = case["arguments"] or {}
    method = arguments.get("method") or FORMULAS.get(case["r_function"])
    if method is None:
        raise Unhandled(case["id"])
    ours = apa.adjust_p(p, method, family_size=arguments.get("n"))
    close(ours, case["result"]["adjusted"], atol=TOLERANCE, rtol=TOLERANCE, what=method)
