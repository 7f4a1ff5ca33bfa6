"""Friedman, Kendall's W, Iman-Davenport, Nemenyi, Quade, adjusted pairwise tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apastats as apa
from tests.reference.cases_io import Unhandled, close, read_table

TOLERANCE = 1e-10
# ptukey of R integrates to about 1e-8; its quantile is found by iteration to 1e-4
NEMENYI, CRITICAL = 1e-8, 1e-4


def check(case: dict[str, Any], directory: Path, cases: dict[str, Any]) -> None:
    frame = read_table(directory, case["data"]["file"])
    rows, columns = case["data"]["rows"], case["data"]["columns"]
    wide = frame.pivot(index=rows, columns=columns, values="score")
    result, function = case["result"], case["r_function"]
    if function == "friedman.test":
        found = apa.friedman(wide.to_numpy()).tidy().iloc[0]
        close(found["statistic"], next(iter(result["statistic"].values())), rtol=TOLERANCE)
        close(found["df"], result["parameter"]["df"], rtol=TOLERANCE)
        close(found["p_value"], result["p"], rtol=TOLERANCE)
    elif function == "quade.test":
        found = apa.quade(wide.to_numpy()).tidy().iloc[0]
        close(found["statistic"], next(iter(result["statistic"].values())), rtol=TOLERANCE)
        close(found["df"], result["parameter"]["num df"], rtol=TOLERANCE)
        close(found["df2"], result["parameter"]["denom df"], rtol=TOLERANCE)
        close(found["p_value"], result["p"], rtol=TOLERANCE)
    elif function == "from friedman.test":
        found = apa.friedman(wide.to_numpy(), statistic="F").tidy().iloc[0]
        close(found["kendall_w"], result["W"], rtol=TOLERANCE)
        close(found["statistic"], result["iman_davenport_F"], rtol=TOLERANCE)
        close(found["p_value"], result["iman_davenport_p"], rtol=TOLERANCE)
        ranks = apa.mean_ranks(wide.to_numpy()).tidy()["estimate"]
        for name, rank in zip(wide.columns, ranks, strict=True):
            # R ranks from the lowest score
            close(wide.shape[1] + 1 - rank, result["mean_ranks"][name], rtol=TOLERANCE)
    elif function == "ptukey":
        check_nemenyi(wide, result)
    elif function.startswith("pairwise."):
        check_pairwise(case, frame, rows, columns)
    else:
        raise Unhandled(case["id"])


def check_nemenyi(wide: Any, result: dict[str, Any]) -> None:
    found = apa.nemenyi(wide.to_numpy()).tidy()
    names = list(wide.columns)
    ours = {
        frozenset((names[int(r.model)], names[int(r.reference)])): r.p_value
        for r in found.itertuples()
    }
    for pair in result["pairs"]:
        close(ours[frozenset((pair["a"], pair["b"]))], pair["p"], atol=NEMENYI)
    critical = [v for k, v in result.items() if k != "pairs" and isinstance(v, (int, float))]
    for value in critical:
        close(found["critical_difference"].iloc[0], value, atol=CRITICAL)


def check_pairwise(case: dict[str, Any], frame: Any, rows: str, columns: str) -> None:
    a = case["arguments"]
    test = {"pairwise.wilcox.test": "wilcoxon", "pairwise.t.test": "t"}[case["r_function"]]
    table = apa.ScoreTable(frame)
    found = apa.compare(
        f"score ~ {columns}", table, cluster=rows, test=test, adjust=a["p.adjust.method"]
    ).tidy()
    ours = {frozenset((r.model, r.reference)): r.p_value_adjusted for r in found.itertuples()}
    for pair in case["result"]["pairs"]:
        if pair["p"] is not None:
            close(ours[frozenset((pair["a"], pair["b"]))], pair["p"], atol=TOLERANCE)
