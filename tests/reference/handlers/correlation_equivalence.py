"""Correlations with bounds: z_cor_test, corsum_test, compare_cor, Williams' t, cor.test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from tests.reference.cases_io import Unhandled, close, read_table

TOLERANCE = 1e-10


def check(case: dict[str, Any], directory: Path, cases: dict[str, Any]) -> None:
    function = case["r_function"]
    if function in ("z_cor_test", "corsum_test"):
        check_one(case, directory)
    elif function == "compare_cor":
        check_independent(case)
    elif function == "r.test":
        check_dependent(case, directory)
    elif function == "cor.test":
        check_ordinary(case, directory)
    else:
        raise Unhandled(case["id"])


def setting(a: dict[str, Any], limit: float) -> tuple[Any, float, str, float]:
    """Bounds, null, hypothesis and alpha of our call; one-sided tests become tests of one bound."""
    alternative, null = a.get("alternative", "two.sided"), a.get("null", 0)
    alpha = a.get("alpha", 0.05)
    if alternative in ("equivalence", "minimal.effect"):
        bounds = tuple(sorted(null)) if isinstance(null, list) else float(abs(null))
        return (
            bounds,
            0.0,
            "minimal_effect" if alternative == "minimal.effect" else "equivalence",
            alpha,
        )
    null = float(null)
    wide = (null, (null + limit) / 2) if alternative != "less" else ((null - limit) / 2, null)
    return wide, null, "equivalence", alpha / 2 if alternative == "two.sided" else alpha


def deciding(row: pd.Series, alternative: str) -> tuple[float, float]:
    """Statistic and p that R reports."""
    low, high = row["p_value_noninf"], row["p_value_nonsup"]
    if alternative == "two.sided":
        return row["statistic"], row["p_value"]
    if alternative == "greater":
        return row["statistic_low"], low
    if alternative == "less":
        return row["statistic_high"], high
    statistic = row["statistic_low"] if low >= high else row["statistic_high"]
    p = max(low, high)
    if alternative == "minimal.effect":
        statistic = row["statistic_low"] if 1 - low < 1 - high else row["statistic_high"]
        p = row["p_value_claim"]
    return statistic, p


def check_one(case: dict[str, Any], directory: Path) -> None:
    a, result = case["arguments"], case["result"]
    bounds, null, hypothesis, alpha = setting(a, 1.0)
    common = {"bounds": bounds, "null": null, "hypothesis": hypothesis, "alpha": alpha}
    common["small_sample"] = False
    method = a.get("method", "pearson")
    if case["r_function"] == "corsum_test":
        found = apa.correlation_tost_summary(a["r"], a["n"], method=method, **common)
    else:
        frame = read_table(directory, case["data"]["file"])
        found = apa.correlation_tost(
            frame[case["data"]["x"]],
            frame[case["data"]["y"]],
            method=method,
            error=a.get("se_method", "analytic"),
            **common,
        )
    row = found.tidy().iloc[0]
    statistic, p = deciding(row, a.get("alternative", "two.sided"))
    close(statistic, result["statistic"]["z"], rtol=TOLERANCE, what="z")
    close(p, result["p"], atol=TOLERANCE, what="p")
    close(row["n_item"], result["parameter"]["N"], rtol=TOLERANCE, what="N")
    close(row["estimate"], next(iter(result["estimate"].values())), rtol=TOLERANCE, what="r")
    close(row["z_error"], result["stderr"]["z.se"], rtol=TOLERANCE, what="z.se")
    close(row["std_error"], result["stderr"]["cor.se"], rtol=TOLERANCE, what="cor.se")
    if abs(row["conf_level"] - result["level"]) < 1e-9:
        close(row["conf_low"], result["ci_low"], atol=TOLERANCE, what="low")
        close(row["conf_high"], result["ci_high"], atol=TOLERANCE, what="high")
    else:
        raise Unhandled(f"{case['id']}: level {result['level']}")


def check_independent(case: dict[str, Any]) -> None:
    a, result = case["arguments"], case["result"]
    scale = {"fisher": "z", "kraatz": "r"}[a["method"]]
    alternative, null = a["alternative"], a.get("null", 0)
    bounds = np.asarray(null, dtype=float)
    if alternative in ("equivalence", "minimal.effect"):
        pair = sorted(bounds.tolist()) if bounds.ndim else [-abs(float(bounds)), abs(float(bounds))]
    else:
        pair = (
            [float(bounds), float(bounds) + 1]
            if alternative != "less"
            else [float(bounds) - 1, float(bounds)]
        )
        if alternative == "two.sided":
            pair = [-0.5, 0.5]
    if scale == "z":
        # the bounds of that program are correlations passed through atanh
        pair = [float(np.arctanh(v)) if abs(v) < 1 else float(np.sign(v)) * 9 for v in pair]
    row = (
        apa.correlation_difference_summary(
            a["r1"],
            a["df1"] + 2,
            a["r2"],
            a["df2"] + 2,
            bounds=tuple(pair),
            scale=scale,
            hypothesis="minimal_effect" if alternative == "minimal.effect" else "equivalence",
            small_sample=False,
        )
        .tidy()
        .iloc[0]
    )
    statistic, p = deciding(row, alternative)
    close(statistic, result["statistic"]["z"], rtol=TOLERANCE, what="z")
    close(p, result["p"], atol=TOLERANCE, what="p")
    close(
        a["r1"] - a["r2"],
        next(iter(result["estimate"].values())),
        atol=TOLERANCE,
        what="difference",
    )


def check_dependent(case: dict[str, Any], directory: Path) -> None:
    a, result = case["arguments"], case["result"]
    frame = read_table(directory, case["data"]["file"])
    brain, first = case["data"]["r12"].split(",")
    _, second = case["data"]["r13"].split(",")
    found = apa.correlation_difference(frame[first], frame[second], frame[brain], bounds=0.3)
    row = found.tidy().iloc[0]
    for ours, theirs in (("r_x", "r12"), ("r_y", "r13"), ("r_xy", "r23")):
        close(row[ours], a[theirs], rtol=TOLERANCE, what=theirs)
    close(row["statistic"], result["t"], rtol=1e-9, what="t")
    close(row["df"], result["df"], rtol=TOLERANCE, what="df")
    p = row["p_value"] if a.get("twotailed", True) else row["p_value"] / 2
    close(p, result["p"], atol=1e-9, what="p")


def check_ordinary(case: dict[str, Any], directory: Path) -> None:
    a, result = case["arguments"], case["result"]
    frame = read_table(directory, case["data"]["file"])
    x, y = frame[case["data"]["x"]], frame[case["data"]["y"]]
    alpha = (1 - result.get("level", 0.95)) / 2
    found = apa.correlation_tost(
        x, y, bounds=0.5, method=a["method"], alpha=alpha, small_sample=False
    )
    row = found.tidy().iloc[0]
    r, n = row["estimate"], len(frame)
    close(r, next(iter(result["estimate"].values())), rtol=TOLERANCE, what="r")
    close(row["p_value_t"], result["p"], atol=TOLERANCE, what="p")
    if "t" in result["statistic"]:
        close(row["statistic_t"], result["statistic"]["t"], rtol=TOLERANCE, what="t")
        close(row["df_t"], result["parameter"]["df"], rtol=TOLERANCE, what="df")
    if "S" in result["statistic"]:
        close((n**3 - n) * (1 - r) / 6, result["statistic"]["S"], rtol=TOLERANCE, what="S")
    if "ci_low" in result:
        close(row["conf_low"], result["ci_low"], atol=TOLERANCE, what="low")
        close(row["conf_high"], result["ci_high"], atol=TOLERANCE, what="high")
