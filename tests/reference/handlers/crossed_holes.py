"""Models by items with holes, against lme4 and nlme."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import apastats as apa
from tests.reference.cases_io import Unhandled, close, read_table

CASES = ("random_pooled", "random_item", "fixed_pooled", "fixed_item")
# lme4's and nlme's optimisers end at relative changes of this size of the variances, ours go on to 1e-11
OPTIMISER = 2e-4


def check(case: dict[str, Any], directory: Path, cases: dict[str, Any]) -> None:
    if case["id"] not in CASES:
        raise Unhandled(case["id"])
    frame = read_table(directory, case["data"]["file"]).assign(subject="s", roi="all")
    found = apa.leaderboard(apa.ScoreTable(frame), item="item", **case["arguments"])
    r, a = case["result"], found.arrays
    close(a["mean"][0], r["mean"], atol=OPTIMISER, what="mean")
    close(a["item_variance"][0], r["variance"], rtol=5 * OPTIMISER, what="error variance")
    if "between" in r:
        close(a["item_between"][0], r["between"], rtol=5 * OPTIMISER, what="variance of items")
    own, shared = a["fit_own"][0], a["fit_shared"][0]
    se = np.sqrt(own[1:] + own[0] + ((shared[1:] - shared[0]) ** 2).sum(axis=1))
    close(a["mean"][0][1:] - a["mean"][0][0], r["estimate"], atol=OPTIMISER, what="difference")
    close(se, r["se"], rtol=2 * OPTIMISER, what="standard error of a difference")
