"""Bootstrap intervals of R's package boot, replayed on its resampling tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import trim_mean

import apastats as apa
from tests.reference.cases_io import Unhandled, close, read_index, read_table, select

TOLERANCE = 1e-10  # absolute; the same arithmetic on the same resamples

SCALES = {"atanh": "fisher", "log": "log", "qlogis": "logit"}
KINDS = ("normal", "basic", "percentile", "bca", "studentized")


def check(case: dict[str, Any], directory: Path, cases: dict[str, Any]) -> None:
    arguments, expected = case["arguments"], case["result"]
    x, statistic = _problem(case, directory)
    transform = SCALES[arguments["h"]] if "h" in arguments else None
    index = _index(case["data"], directory)
    kinds = [k for k in KINDS if expected.get(k) is not None]
    found = apa.boot_ci(
        x,
        statistic,
        index=index,
        interval="percentile",
        conf_level=arguments.get("conf", 0.95),
        quantile_rule="boot",
        transform=transform,
    )
    for kind in kinds:
        row = found.conf_int(interval=kind).iloc[0]
        close([row["conf_low"], row["conf_high"]], expected[kind], atol=TOLERANCE, what=kind)
        close(row["conf_level"], expected.get("level", 0.95), atol=TOLERANCE, what="level")
    row = found.diagnostics().iloc[0]
    names = {"t0": "estimate", "boot_mean": "boot_mean", "boot_se": "boot_se", "bias": "bias"}
    names |= {"z0": "z0", "acceleration": "acceleration"}
    for theirs, ours in names.items():
        if theirs in expected:
            close(row[ours], expected[theirs], atol=TOLERANCE, what=theirs)
    if "R" in expected:
        assert found.info["n_resamples"] == expected["R"]
    if "se_observed" in expected:
        error = found.conf_int(interval="t")["std_error"].iloc[0]
        close(error, expected["se_observed"], atol=TOLERANCE, what="se_observed")


def _index(data: dict[str, Any], directory: Path) -> Any:
    """Resampling table, or one per group."""
    if "index" in data:
        return read_index(directory, data["index"])
    return tuple(read_index(directory, data[k]) for k in sorted(data) if k.startswith("index_"))


def _problem(case: dict[str, Any], directory: Path) -> tuple[Any, Any]:
    """Data and statistic of a case."""
    data, arguments = case["data"], case["arguments"]
    words = f"{arguments.get('statistic', '')} {case['what']}".lower()
    table = read_table(directory, data["file"])
    if "index_a" in data:
        groups = [g["score"].to_numpy() for _, g in table.groupby("group", sort=True)]
        return tuple(groups), "mean_difference"
    if "item" in table.columns:
        return _profiles(data, words, table)
    if data.get("columns") == "model":
        wide = table.pivot(index="subject", columns="model", values="score")
        return wide.to_numpy(), _gap_of_best_two
    x = select(table, data["x"]).set_index("subject")["score"].sort_index()
    if "y" in data:
        y = select(table, data["y"]).set_index("subject")["score"].sort_index()
        x = x - y
    if "ceiling" in data:
        ceiling = read_table(directory, data["ceiling"]).set_index("subject")["ceiling"]
        return np.column_stack([x, ceiling.loc[x.index]]), "ratio"
    if "trimmed" in words:
        share = float(words.split("%")[0].split()[-1]) / 100
        return x.to_numpy(), lambda s: trim_mean(s, share)
    if "median" in words:
        return x.to_numpy(), np.median
    if "mean" in words:
        return x.to_numpy(), "mean"
    raise Unhandled(f"statistic of {case['id']}: {words}")


def _profiles(data: dict[str, Any], words: str, table: Any) -> tuple[Any, Any]:
    """Correlations over items, or the difference of two, each of two named columns."""
    pairs = re.findall(r"r\((\w+), *(\w+)\)", words)
    if "difference" in words and len(pairs) == 2:
        columns = [c for pair in pairs for c in pair]
        return table[columns].to_numpy(), _difference
    return table[[data["x"], data["y"]]].to_numpy(), "correlation"


def _gap_of_best_two(scores: np.ndarray) -> float:
    first, second = np.sort(scores.mean(axis=0))[::-1][:2]
    return float(first - second)


def _difference(items: np.ndarray) -> float:
    r = np.corrcoef(items, rowvar=False)
    return float(r[0, 1] - r[2, 3])
