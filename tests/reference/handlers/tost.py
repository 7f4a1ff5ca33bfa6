"""t tests with bounds: TOSTER's t_TOST, tsum_TOST, simple_htest, and t.test with a margin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from tests.reference.cases_io import Unhandled, close
from tests.reference.handlers.samples import (
    EXACT,
    NONCENTRAL,
    bounds_of,
    check_tests,
    hypothesis_of,
    read_samples,
)

INTERVALS = {"nct": "nct", "goulet": "nct_lambda", "t": "t", "z": "normal"}


def check(case: dict[str, Any], directory: Path, cases: dict[str, Any]) -> None:
    function = case["r_function"]
    if function == "t_TOST":
        check_t_tost(case, directory)
    elif function == "tsum_TOST":
        check_summary(case)
    elif function == "simple_htest":
        check_simple(case, directory)
    elif function == "t.test":
        check_margin(case, directory)
    else:
        raise Unhandled(case["id"])


def check_effects(row: pd.Series, result: dict[str, Any], effect_tolerance: float) -> None:
    raw = result["effects"][0]
    close(row["estimate"], raw["estimate"], rtol=EXACT, atol=EXACT, what="estimate")
    close(row["conf_low"], raw["ci_low"], rtol=EXACT, atol=EXACT, what="interval")
    close(row["conf_high"], raw["ci_high"], rtol=EXACT, atol=EXACT, what="interval")
    close(row["conf_level"], raw["level"], rtol=EXACT, what="level")
    close(row["bound_low"], result["bounds"][0]["low"], rtol=EXACT, atol=EXACT, what="bound")
    close(row["bound_high"], result["bounds"][0]["high"], rtol=EXACT, atol=EXACT, what="bound")
    smd = result["effects"][1]
    assert row["effect"] == smd["name"]
    close(row["effect_size"], smd["estimate"], rtol=EXACT, atol=EXACT, what=smd["name"])
    close(row["effect_se"], smd["se"], rtol=1e-8, what="SE of the effect")
    close(row["effect_low"], smd["ci_low"], atol=effect_tolerance, what="interval of the effect")
    close(row["effect_high"], smd["ci_high"], atol=effect_tolerance, what="interval of the effect")


def check_t_tost(case: dict[str, Any], directory: Path) -> None:
    a = case["arguments"]
    x, y, paired = read_samples(case, directory)
    bounds = bounds_of(a["eqb"])
    if a.get("eqbound_type", "raw") == "SMD":
        bounds = apa.margin(bounds, of="sd")
    how = INTERVALS[a.get("smd_ci", "nct")]
    hypothesis = hypothesis_of(a)
    row = (
        apa.tost(
            x,
            y,
            bounds=bounds,
            paired=paired,
            equal_var=bool(a.get("var.equal", False)),
            null=float(a.get("mu", 0)),
            hypothesis=hypothesis,
            alpha=a.get("alpha", 0.05),
            effect="g" if a.get("bias_correction", True) else "d",
            effect_interval=how,
            denominator="rm" if a.get("rm_correction") else "auto",
            small_sample=False,
        )
        .tidy()
        .iloc[0]
    )
    check_tests(row, case["result"], hypothesis)
    check_effects(row, case["result"], NONCENTRAL)


def check_summary(case: dict[str, Any]) -> None:
    a = case["arguments"]
    hypothesis = hypothesis_of(a)
    bounds = bounds_of(a["eqb"])
    if a.get("eqbound_type", "raw") == "SMD":
        bounds = apa.margin(bounds, of="sd")
    row = (
        apa.tost_summary(
            a["m1"],
            a["sd1"],
            a["n1"],
            a.get("m2"),
            a.get("sd2"),
            a.get("n2"),
            r=a.get("r12") if a.get("paired") else None,
            equal_var=bool(a.get("var.equal", False)),
            bounds=bounds,
            hypothesis=hypothesis,
            alpha=a.get("alpha", 0.05),
            effect="g" if a.get("bias_correction", True) else "d",
            effect_interval=INTERVALS[a.get("smd_ci", "nct")],
            small_sample=False,
        )
        .tidy()
        .iloc[0]
    )
    check_tests(row, case["result"], hypothesis)
    check_effects(row, case["result"], NONCENTRAL)


def check_simple(case: dict[str, Any], directory: Path) -> None:
    a, result = case["arguments"], case["result"]
    x, y, paired = read_samples(case, directory)
    alternative = a["alternative"]
    alpha = a.get("alpha", 0.05)
    two_bounds = alternative in ("equivalence", "minimal.effect")
    mu = a.get("mu", 0)
    bounds = (
        bounds_of(mu)
        if two_bounds
        else (mu - 1.0, float(mu))
        if alternative == "less"
        else (float(mu), mu + 1.0)
    )
    hypothesis = "minimal_effect" if alternative == "minimal.effect" else "equivalence"
    level = alpha if two_bounds or alternative != "two.sided" else alpha / 2
    row = (
        apa.tost(
            x,
            y,
            bounds=bounds,
            paired=paired,
            equal_var=bool(a.get("var.equal", False)),
            null=0.0 if two_bounds else float(mu),
            hypothesis=hypothesis,
            alpha=level,
        )
        .tidy()
        .iloc[0]
    )
    if two_bounds:
        low, high = row["p_value_noninf"], row["p_value_nonsup"]
        use_low = low >= high if hypothesis == "equivalence" else 1 - low <= 1 - high
        t = row["statistic_low"] if use_low else row["statistic_high"]
        p = row["p_value_equiv"] if hypothesis == "equivalence" else row["p_value_claim"]
    else:
        t = row["statistic"]
        p = {
            "two.sided": row["p_value"],
            "greater": row["p_value_noninf"],
            "less": row["p_value_nonsup"],
        }[alternative]
    check_htest(row, result, float(t), float(p))


def check_htest(row: pd.Series, result: dict[str, Any], t: float, p: float) -> None:
    close(t, result["statistic"]["t"], rtol=EXACT, what="t")
    close(p, result["p"], atol=EXACT, what="p")
    close(row["df"], result["parameter"]["df"], rtol=EXACT, what="df")
    close(row["std_error"], result["stderr"], rtol=EXACT, what="stderr")
    estimates = list(result["estimate"].values())
    theirs = estimates[0] - estimates[1] if len(estimates) == 2 else estimates[0]
    close(row["estimate"], theirs, rtol=EXACT, atol=1e-14, what="estimate")
    for ours, end in (("conf_low", "ci_low"), ("conf_high", "ci_high")):
        if result[end] is not None:
            close(row[ours], result[end], rtol=EXACT, atol=EXACT, what=end)


def check_margin(case: dict[str, Any], directory: Path) -> None:
    """One-sided t.test with a margin: mu is the bound that is tested."""
    a, result = case["arguments"], case["result"]
    x, y, paired = read_samples(case, directory)
    bound = float(a["mu"])
    greater = a["alternative"] == "greater"
    # superiority by a margin is the "greater" test of the upper bound
    width = max(abs(bound), 1.0)
    superior = greater and bound > 0
    if superior:
        bounds, hypothesis = (bound - width, bound), "superiority"
    elif greater:
        bounds, hypothesis = (bound, bound + width), "noninferiority"
    else:
        bounds, hypothesis = (bound - width, bound), "nonsuperiority"
    row = (
        apa.tost(
            x,
            y,
            bounds=bounds,
            paired=paired,
            equal_var=bool(a.get("var.equal", False)),
            hypothesis=hypothesis,
            alpha=1 - a.get("conf.level", 0.95),
        )
        .tidy()
        .iloc[0]
    )
    t = row["statistic_low"] if hypothesis == "noninferiority" else row["statistic_high"]
    check_htest(row, result, float(t), float(row["p_value_claim"]))
    assert np.isclose(row["p_value_claim"], result["p"], atol=EXACT)
