"""Wilcoxon TOST, exact signed-rank tests, sign flips, Brunner-Munzel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import apastats as apa
from apastats.numbers import moments
from tests.reference.cases_io import Unhandled, close
from tests.reference.handlers.samples import EXACT, bounds_of, hypothesis_of, read_samples

# wilcox.test(exact = FALSE) inverts the test with R's uniroot at tol = 1e-4; ours goes to machine precision
UNIROOT = 1e-4
RANK_INTERVALS = {"fisher": "fisher_n", "score": "score", "agresti": "logit"}
EFFECTS = {"rb": "rank_biserial", "cstat": "superiority"}


def check(case: dict[str, Any], directory: Path, cases: dict[str, Any]) -> None:
    function = case["r_function"]
    if function == "wilcox_TOST":
        # R ranks the bits of x - y unless digits.rank says otherwise, so that .12 - .10 and .13 - .11 are no tie there;
        # tests/numbers/test_rounding.py has R's numbers with digits.rank
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(moments, "ROUNDING", 0.0)
            check_wilcox_tost(case, directory)
    elif function == "wilcox.test":
        check_exact(case, directory)
    elif function == "perm_t_test":
        check_permutation(case, directory)
    elif function == "brunner_munzel":
        check_brunner_munzel(case, directory)
    elif case["id"].startswith("signflip"):
        check_sign_flip(case, directory)
    else:
        raise Unhandled(case["id"])


def check_wilcox_tost(case: dict[str, Any], directory: Path) -> None:
    a, result = case["arguments"], case["result"]
    x, y, paired = read_samples(case, directory)
    hypothesis = hypothesis_of(a)
    effect = EFFECTS[a.get("ses", "rb")]
    row = (
        apa.tost(
            x,
            y,
            test="wilcoxon",
            exact=False,
            bounds=bounds_of(a["eqb"]),
            paired=paired,
            hypothesis=hypothesis,
            alpha=a.get("alpha", 0.05),
            effect=effect,
            effect_interval=RANK_INTERVALS[a.get("se_method", "fisher")],
        )
        .tidy()
        .iloc[0]
    )
    for ours, theirs in (
        ("statistic", "nhst"),
        ("statistic_low", "lower"),
        ("statistic_high", "upper"),
    ):
        close(row[ours], result["statistic"][theirs], rtol=EXACT, what=f"statistic {theirs}")
    p = {"nhst": row["p_value"], "lower": row["p_value_noninf"], "upper": row["p_value_nonsup"]}
    close(p["nhst"], result["p"]["nhst"], atol=EXACT, what="p")
    if hypothesis == "equivalence":
        close(p["lower"], result["p"]["lower"], atol=EXACT, what="p lower")
        close(p["upper"], result["p"]["upper"], atol=EXACT, what="p upper")
        close(row["p_value_equiv"], result["p_tost"], atol=EXACT, what="p of the claim")
    else:
        close(row["p_value_claim"], result["p_tost"], atol=EXACT, what="p of the claim")
    location, size = result["effects"]
    close(row["estimate"], location["estimate"], atol=UNIROOT, what="location")
    close(row["conf_low"], location["ci_low"], atol=UNIROOT, what="location, low")
    close(row["conf_high"], location["ci_high"], atol=UNIROOT, what="location, high")
    close(row["effect_size"], size["estimate"], rtol=EXACT, atol=EXACT, what=effect)
    close(row["effect_low"], size["ci_low"], rtol=EXACT, atol=EXACT, what=f"{effect}, low")
    close(row["effect_high"], size["ci_high"], rtol=EXACT, atol=EXACT, what=f"{effect}, high")


def check_exact(case: dict[str, Any], directory: Path) -> None:
    a, result = case["arguments"], case["result"]
    x, y, paired = read_samples(case, directory)
    alpha = (1 - a.get("conf.level", 0.9)) / 2
    bounds = bounds_of(a["mu"]) if "mu" in a and not isinstance(a["mu"], (int, float)) else 1.0
    row = (
        apa.tost(x, y, test="wilcoxon", exact=True, bounds=bounds, paired=paired, alpha=alpha)
        .tidy()
        .iloc[0]
    )
    if "p_tost" in result:
        close(row["p_value_noninf"], result["p_lower"], atol=EXACT, what="p lower")
        close(row["p_value_nonsup"], result["p_upper"], atol=EXACT, what="p upper")
        close(row["p_value_equiv"], result["p_tost"], atol=EXACT, what="p of the claim")
        close(row["statistic_low"], result["V_lower"], rtol=EXACT, what="V lower")
        close(row["statistic_high"], result["V_upper"], rtol=EXACT, what="V upper")
        return
    close(row["statistic"], next(iter(result["statistic"].values())), rtol=EXACT, what="V")
    close(row["p_value"], result["p"], atol=EXACT, what="p")
    close(row["estimate"], next(iter(result["estimate"].values())), atol=EXACT, what="pseudomedian")
    close(row["conf_low"], result["ci_low"], atol=EXACT, what="low")
    close(row["conf_high"], result["ci_high"], atol=EXACT, what="high")


def check_permutation(case: dict[str, Any], directory: Path) -> None:
    a, result = case["arguments"], case["result"]
    x, y, paired = read_samples(case, directory)
    alternative = a["alternative"]
    two_bounds = alternative in ("equivalence", "minimal.effect")
    mu = a["mu"]
    alpha = a.get("alpha", 0.05)
    bounds = (
        bounds_of(mu)
        if two_bounds
        else (mu - 1.0, float(mu))
        if alternative == "less"
        else (float(mu), mu + 1.0)
    )
    hypothesis = "minimal_effect" if alternative == "minimal.effect" else "equivalence"
    row = (
        apa.tost(
            x,
            y,
            test="permutation",
            bounds=bounds,
            paired=paired,
            null=0.0 if two_bounds else float(mu),
            hypothesis=hypothesis,
            alpha=alpha / 2 if alternative == "two.sided" else alpha,
            trim=float(a.get("tr", 0)),
            n_resamples="exact",
            small_sample=False,
        )
        .tidy()
        .iloc[0]
    )
    low, high = row["p_value_noninf"], row["p_value_nonsup"]
    if two_bounds:
        claim = row["p_value_equiv"] if hypothesis == "equivalence" else row["p_value_claim"]
        t = row["statistic_low"] if low >= high else row["statistic_high"]
        if hypothesis == "minimal_effect":
            t = row["statistic_low"] if 1 - low < 1 - high else row["statistic_high"]
    else:
        claim = {"two.sided": row["p_value"], "greater": low, "less": high}[alternative]
        t = row["statistic"]
    close(claim, result["p"], atol=EXACT, what="p")
    close(t, next(iter(result["statistic"].values())), rtol=EXACT, what="t")
    close(row["df"], result["parameter"]["df"], rtol=EXACT, what="df")
    close(
        row["estimate"],
        next(iter(result["estimate"].values())),
        rtol=EXACT,
        atol=EXACT,
        what="estimate",
    )
    close(row["std_error"], result["stderr"], rtol=EXACT, what="stderr")
    close(row["conf_low"], result["ci_low"], atol=EXACT, what="low")
    close(row["conf_high"], result["ci_high"], atol=EXACT, what="high")


def check_sign_flip(case: dict[str, Any], directory: Path) -> None:
    result = case["result"]
    x, y, paired = read_samples(case, directory)
    bounds = bounds_of(case["arguments"]["bounds"])
    row = apa.tost(x, y, test="sign_flip", bounds=bounds, paired=paired).tidy().iloc[0]
    close(row["p_value"], result["p_two_sided"], atol=EXACT, what="p two-sided")
    close(row["p_value_noninf"], result["p_lower"], atol=EXACT, what="p lower")
    close(row["p_value_nonsup"], result["p_upper"], atol=EXACT, what="p upper")
    close(row["p_value_equiv"], result["p_tost"], atol=EXACT, what="p of the claim")


def check_brunner_munzel(case: dict[str, Any], directory: Path) -> None:
    a, result = case["arguments"], case["result"]
    x, y, _ = read_samples(case, directory)
    alternative, mu = a["alternative"], a["mu"]
    alpha = a.get("alpha", 0.05)
    two_bounds = alternative in ("equivalence", "minimal.effect")
    hypothesis = "minimal_effect" if alternative == "minimal.effect" else "equivalence"
    bounds = (
        bounds_of(mu)
        if two_bounds
        else (0.0, float(mu))
        if alternative == "less"
        else (float(mu), 1.0)
    )
    row = (
        apa.tost(
            x,
            y,
            test="brunner_munzel",
            paired=False,
            bounds=bounds,
            null=0.5 if two_bounds else float(mu),
            hypothesis=hypothesis,
            alpha=alpha / 2 if alternative == "two.sided" else alpha,
        )
        .tidy()
        .iloc[0]
    )
    low, high = row["p_value_noninf"], row["p_value_nonsup"]
    if two_bounds:
        p = row["p_value_equiv"] if hypothesis == "equivalence" else row["p_value_claim"]
        use_low = low >= high
        t = row["statistic_low"] if use_low else row["statistic_high"]
    else:
        p = {"two.sided": row["p_value"], "greater": low, "less": high}[alternative]
        t = row["statistic"]
    close(t, result["statistic"]["t"], rtol=EXACT, what="t")
    close(p, result["p"], atol=EXACT, what="p")
    close(row["df"], result["parameter"]["df"], rtol=EXACT, what="df")
    close(row["estimate"], next(iter(result["estimate"].values())), rtol=EXACT, what="effect")
    close(row["std_error"], result["stderr"], rtol=EXACT, what="stderr")
    for ours, end in (("conf_low", "ci_low"), ("conf_high", "ci_high")):
        if result[end] is not None:
            close(row[ours], result[end], rtol=EXACT, what=end)
