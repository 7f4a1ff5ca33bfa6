"""TOST of the ratio of means on the log scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import apastats as apa
from tests.reference.cases_io import Unhandled, close
from tests.reference.handlers.samples import (
    EXACT,
    bounds_of,
    check_tests,
    hypothesis_of,
    read_samples,
)


def check(case: dict[str, Any], directory: Path, cases: dict[str, Any]) -> None:
    if case["r_function"] != "log_TOST":
        raise Unhandled(case["id"])
    a, result = case["arguments"], case["result"]
    x, y, paired = read_samples(case, directory)
    hypothesis = hypothesis_of(a)
    row = (
        apa.tost(
            x,
            y,
            test="log_ratio",
            bounds=bounds_of(a["eqb"]),
            paired=paired,
            equal_var=bool(a.get("var.equal", False)),
            null=float(np.log(a.get("null", 1))),
            hypothesis=hypothesis,
            alpha=a.get("alpha", 0.05),
        )
        .tidy()
        .iloc[0]
    )
    check_tests(row, result, hypothesis)
    log, ratio = result["effects"]
    for ours, theirs in (
        ("estimate", "estimate"),
        ("conf_low", "ci_low"),
        ("conf_high", "ci_high"),
    ):
        close(row[ours], log[theirs], rtol=EXACT, atol=EXACT, what=theirs)
        name = {"estimate": "ratio", "conf_low": "ratio_low", "conf_high": "ratio_high"}[ours]
        close(row[name], ratio[theirs], rtol=EXACT, what=name)
    for ours, end in (("bound_low", "low"), ("bound_high", "high")):
        close(row[ours], result["bounds"][0][end], rtol=EXACT, atol=EXACT, what=ours)
        close(np.exp(row[ours]), result["bounds"][1][end], rtol=EXACT, what=ours)
