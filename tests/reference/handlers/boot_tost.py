"""Bootstrap TOST on given resampling tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import apastats as apa
from apastats.resampling.plans import counts_of_index, plan_of_counts
from tests.reference.cases_io import Unhandled, close, read_index
from tests.reference.handlers.samples import EXACT, bounds_of, hypothesis_of, read_samples

INTERVALS = {"stud": "studentized", "basic": "basic", "perc": "percentile", "bca": "bca"}
# basic and stud of TOSTER use the quantiles of R's boot, perc and bca linear interpolation
RULES = {"stud": "boot", "basic": "boot", "perc": "linear", "bca": "linear"}


def check(case: dict[str, Any], directory: Path, cases: dict[str, Any]) -> None:
    if case["r_function"] != "boot_t_TOST":
        raise Unhandled(case["id"])
    a, result = case["arguments"], case["result"]
    x, y, paired = read_samples(case, directory)
    index = read_index(directory, case["data"]["index"])
    plan = plan_of_counts(counts_of_index(index, len(x)))
    kind = a["boot_ci"]
    hypothesis = hypothesis_of(a)
    row = (
        apa.tost(
            x,
            y,
            test="bootstrap",
            bounds=bounds_of(a["eqb"]),
            paired=paired,
            hypothesis=hypothesis,
            alpha=a.get("alpha", 0.05),
            effect="g" if a.get("bias_correction", True) else "d",
            interval=INTERVALS[kind],
            quantile_rule=RULES[kind],
            ties="below",
            plan=plan,
            small_sample=False,
        )
        .tidy()
        .iloc[0]
    )

    def share(p: float) -> float:
        # ours are (k + 1) / (B + 1), theirs k / B; bca shares are no counts
        return p if kind == "bca" else (p * (len(index) + 1) - 1) / len(index)

    theirs = {
        "lower": result["lower_bound_test"]["p"],
        "upper": result["upper_bound_test"]["p"],
        "tost": result["p_tost"],
        "two_sided": result["nhst"]["p"],
    }
    if "plain_bootstrap_t" in result:
        theirs = {k.removeprefix("p_"): v for k, v in result["plain_bootstrap_t"].items()}
    inside = {"lower": row["p_value_noninf"], "upper": row["p_value_nonsup"]}
    outside = {"lower": 1 - share(inside["lower"]), "upper": 1 - share(inside["upper"])}
    for end in ("lower", "upper"):
        ours = share(inside[end]) if hypothesis == "equivalence" else outside[end]
        close(ours, theirs[end], atol=EXACT, what=f"p {end}")
    if hypothesis == "equivalence":
        close(share(row["p_value_equiv"]), theirs["tost"], atol=EXACT, what="p_tost")
    # the doubled one-sided share is capped at 1
    doubled = row["p_value"] if kind == "bca" else min(1.0, 2 * share(row["p_value"] / 2))
    close(doubled, min(1.0, theirs["two_sided"]), atol=EXACT, what="two-sided p")
    d = x if y is None else x - y
    t = d.mean() / (d.std(ddof=1) / np.sqrt(len(d)))
    close(row["statistic"], t, rtol=EXACT, what="t")
    close(row["statistic"], result["nhst"]["t"], rtol=EXACT, what="t")
    close(row["statistic_low"], result["lower_bound_test"]["t"], rtol=EXACT, what="t low")
    close(row["statistic_high"], result["upper_bound_test"]["t"], rtol=EXACT, what="t high")
    raw, effect = result["effects"]
    close(row["estimate"], raw["estimate"], rtol=EXACT, atol=EXACT, what="estimate")
    close(row["std_error"], raw["se"], rtol=EXACT, what="se")
    close(row["conf_low"], raw["ci_low"], rtol=EXACT, atol=EXACT, what="interval")
    close(row["conf_high"], raw["ci_high"], rtol=EXACT, atol=EXACT, what="interval")
    close(row["effect_size"], effect["estimate"], rtol=EXACT, atol=EXACT, what="effect")
    close(row["effect_se"], effect["se"], rtol=EXACT, what="se of the effect")
    close(
        row["effect_low"], effect["ci_low"], rtol=EXACT, atol=EXACT, what="interval of the effect"
    )
    close(
        row["effect_high"], effect["ci_high"], rtol=EXACT, atol=EXACT, what="interval of the effect"
    )
