"""Effect sizes: R's effectsize, TOSTER's smd_calc and equ_ftest, aov."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import apastats as apa
from tests.reference.cases_io import Unhandled, close, read_table
from tests.reference.handlers.samples import EXACT, NONCENTRAL, bounds_of, read_samples

MEASURES = {
    "cohens_d": "d",
    "hedges_g": "g",
    "glass_delta": "glass",
    "rank_biserial": "rank_biserial",
    "p_superiority": "superiority",
}
SHARES = {
    "eta2_partial": "partial eta squared",
    "eta2_generalized": "generalised eta squared",
    "omega2_partial": "partial omega squared",
}
INTERVALS = {"nct": "nct", "goulet": "nct_lambda", "t": "t", "z": "normal"}
DENOMINATORS = {"z": "z", "rm": "rm", "glass1": "x", "glass2": "y"}


def check(case: dict[str, Any], directory: Path, cases: dict[str, Any]) -> None:
    function = case["r_function"]
    if function in MEASURES:
        check_measure(case, directory)
    elif function == "smd_calc":
        check_smd(case, directory)
    elif function in ("aov", "eta_squared", "omega_squared"):
        check_anova(case, directory)
    elif function == "equ_ftest":
        check_omnibus(case)
    else:
        raise Unhandled(case["id"])


def check_measure(case: dict[str, Any], directory: Path) -> None:
    a, result, function = case["arguments"], case["result"], case["r_function"]
    x, y, paired = read_samples(case, directory)
    two_samples = y is not None and not paired  # there is one variance otherwise
    row = (
        apa.effect_size(
            x,
            y,
            measures=MEASURES[function],
            paired=paired,
            equal_var=bool(a.get("pooled_sd", True)) and two_samples,
            welch_df=two_samples,
            null=float(a.get("mu", 0)),
            conf_level=a.get("ci", 0.95),
        )
        .tidy()
        .iloc[0]
    )
    estimate = next(v for k, v in result.items() if not k.startswith("ci"))
    tolerance = EXACT if "rank" in function or "superiority" in function else NONCENTRAL
    close(row["estimate"], estimate, rtol=EXACT, atol=EXACT, what=function)
    close(row["conf_low"], result["ci_low"], atol=tolerance, what="lower limit")
    close(row["conf_high"], result["ci_high"], atol=tolerance, what="upper limit")


def check_smd(case: dict[str, Any], directory: Path) -> None:
    a, result = case["arguments"], case["result"]
    x, y, paired = read_samples(case, directory)
    alternative = a.get("alternative", "none")
    alpha = a.get("alpha", 0.05)
    level = 1 - 2 * alpha if alternative not in ("none", "two.sided") else 1 - alpha
    bounds = a.get("null.value")
    two_bounds = alternative in ("equivalence", "minimal.effect")
    row = (
        apa.effect_size(
            x,
            y,
            measures="g" if a.get("bias_correction", True) else "d",
            paired=paired,
            equal_var=bool(a.get("var.equal", False)) and y is not None and not paired,
            denominator=DENOMINATORS.get(a.get("denom", "auto"), "auto"),
            interval=INTERVALS[a.get("smd_ci", "nct")],
            bounds=bounds_of(bounds) if two_bounds else None,
            conf_level=level,
        )
        .tidy()
        .iloc[0]
    )
    estimate = result["estimate"]
    estimate = next(iter(estimate.values())) if isinstance(estimate, dict) else estimate
    close(row["estimate"], estimate, rtol=EXACT, atol=EXACT, what="estimate")
    close(row["std_error"], result.get("se", result.get("stderr")), rtol=1e-8, what="se")
    close(
        row["conf_low"], result.get("lower.ci", result.get("ci_low")), atol=NONCENTRAL, what="low"
    )
    close(
        row["conf_high"],
        result.get("upper.ci", result.get("ci_high")),
        atol=NONCENTRAL,
        what="high",
    )
    if "statistic" not in result:
        return
    t, p = row["statistic"], row["p_value"]
    if two_bounds:
        low, high = row["p_value_noninf"], row["p_value_nonsup"]
        equivalence = alternative == "equivalence"
        use_low = low >= high if equivalence else 1 - low <= 1 - high
        t = row["statistic_low"] if use_low else row["statistic_high"]
        p = max(low, high) if equivalence else min(1 - low, 1 - high)
    close(t, result["statistic"]["t"], rtol=1e-8, what="t")
    close(p, result["p"], atol=1e-8, what="p")


def check_anova(case: dict[str, Any], directory: Path) -> None:
    a, result = case["arguments"], case["result"]
    frame = read_table(directory, case["data"]["file"])
    values = frame.pivot(index="subject", columns="model", values="score").to_numpy()
    table = apa.rm_anova(
        values,
        correction="none",
        conf_level=a.get("ci", 0.9),
        alternative=a.get("alternative", "greater"),
    ).tidy()
    if case["r_function"] == "aov":
        row = table.iloc[0]
        for ours, theirs in (("statistic", "F"), ("df", "df1"), ("df2", "df2"), ("p_value", "p")):
            close(row[ours], result[theirs], rtol=1e-9, what=theirs)
        return
    key = next(k for k in SHARES if k in result)
    row = table[table["term"] == SHARES[key]].iloc[0]
    close(row["estimate"], result[key], rtol=EXACT, what=key)
    close(row["conf_low"], result["ci_low"], atol=NONCENTRAL, what="lower limit")
    close(row["conf_high"], result["ci_high"], atol=NONCENTRAL, what="upper limit")


def check_omnibus(case: dict[str, Any]) -> None:
    a, result = case["arguments"], case["result"]
    row = (
        apa.anova_effect(
            a["Fstat"], a["df1"], a["df2"], bounds=a["eqb"], conf_level=1 - a.get("alpha", 0.05)
        )
        .tidy()
        .iloc[0]
    )
    p = row["p_value_equiv"]
    close(1 - p if a.get("MET") else p, result["p"], atol=1e-8, what="p")
    close(row["estimate"], result["pes"], rtol=EXACT, what="partial eta squared")
    close(row["conf_low"], result["ci_low"], atol=NONCENTRAL, what="lower limit")
    close(row["conf_high"], result["ci_high"], atol=NONCENTRAL, what="upper limit")
    assert np.isfinite(p)
