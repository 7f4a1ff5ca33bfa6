"""Marginal means, contrasts, margins, simultaneous tests, comparison with the best."""

from __future__ import annotations

import json
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from apastats.errors import SingularFitWarning
from tests.reference.cases_io import Unhandled, close, read_table

ESTIMATE = 1e-6
SE = 1e-5  # relative, as for the mixed models behind the means
DF = {"satterthwaite": 1e-5, "kenward-roger": 1e-4, "z": 0.0}  # relative
P = 1e-5  # relative to p * t^2: an error of t moves log p by about t^2
RANDOM_INTEGRAL = 1e-4  # absolute, p-values that R integrates by quasi-random numbers
TUKEY = 1e-8  # absolute, ptukey
LEVEL_OF_R = 1e-3  # R finds glht's critical values by root finding on a random integral
LEVEL_OF_OURS = 1e-4  # by an integral that is not ours
JOINT_F = 1e-3  # printed with 3 decimals
EXACT = 1e-8  # closed forms of one-stratum data

METHODS = {"satterthwaite": "satterthwaite", "kenward-roger": "kenward-roger", "asymptotic": "z"}
CONTRASTS = {"pairwise": "pairwise", "trt.vs.ctrl": "trt.vs.ctrl", "eff": "deviation", "revpairwise": "revpairwise",
             "consec": "consecutive"}  # fmt: skip


@lru_cache(maxsize=32)
def _fit(directory: Path, name: str) -> Any:
    models = {c["id"]: c for c in json.loads((directory / "lmm.json").read_text("utf-8"))["cases"]}
    case = models[name]
    data = read_table(directory, case["data"]["file"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        return apa.lmm(case["arguments"]["formula"], data, reml=case["arguments"]["REML"])


@lru_cache(maxsize=8)
def _matched(directory: Path, file: str, formula: str) -> Any:
    """A linear model without random effects."""
    return apa.lmm(formula, read_table(directory, file))


def check(case: dict[str, Any], directory: Path, cases: dict[str, dict[str, Any]]) -> None:
    function = case["r_function"]
    if function == "emmeans":
        _means(case, directory)
    elif function in ("contrast / test", "contrast"):
        _contrasts(case, directory)
    elif function == "confint":
        _intervals(case, directory)
    elif function == "test(delta=, side=)":
        _margin(case, directory)
    elif function == "contrast + mvtnorm::pmvt":
        _mvt(case, directory)
    elif function == "joint_tests":
        _joint(case, directory)
    elif function in ("emtrends", "pairs(emtrends)"):
        _trends(case, directory)
    elif function in ("glht / summary", "glht / confint"):
        _glht(case, directory)
    elif function == "TukeyHSD":
        _tukey(case, directory)
    elif function.startswith("integrate / uniroot"):
        _best(case, directory)
    else:
        raise Unhandled(f"{case['id']}: {function}")


def _method(case: dict[str, Any]) -> str:
    return METHODS[case["arguments"].get("lmer.df", "satterthwaite")]


def _emmeans(case: dict[str, Any], directory: Path, **options: Any) -> Any:
    fit = _fit(directory, case["data"]["model"])
    specs, by = "model", None
    if "specs" in case["arguments"]:
        left, _, right = case["arguments"]["specs"].lstrip("~ ").partition("|")
        specs = left.replace("*", ":").replace(" ", "")
        by = right.strip() or None
    at = case["arguments"].get("at")
    level = case["arguments"].get("level", 0.95)
    return apa.emmeans(fit, specs, by=by, at=at, df=_method(case), conf_level=level, **options)


def _head(mine: dict[str, Any], row: dict[str, Any], df: float, name: str = "estimate") -> None:
    close(mine["estimate"], row[name], atol=ESTIMATE, what=str(row))
    close(mine["std_error"], row["se"], rtol=max(SE, df / 10), what=str(row))
    if "df" in row:
        close(mine["df"], row["df"], rtol=df, what=str(row))


def _p_tolerance(row: dict[str, Any], df: float) -> float:
    t = abs(row.get("t", row.get("z")) or 0.0)
    return max(P, df) * max(1.0, t * t)


def _ends(
    mine: dict[str, Any],
    row: dict[str, Any],
    atol: float,
    low: str = "ci_low",
    high: str = "ci_high",
) -> None:
    close(mine["conf_low"], row[low], atol=atol, what=str(row))
    close(mine["conf_high"], row[high], atol=atol, what=str(row))


def _means(case: dict[str, Any], directory: Path) -> None:
    found, df = _emmeans(case, directory), DF[_method(case)]
    keys = [*found.info["specs"], *found.info["by"]]
    table = found.tidy()
    rows = case["result"]["table"]
    assert len(table) == len(rows)
    for row in rows:
        same = np.all([table[k] == row[k] for k in keys], axis=0)
        mine = table[same].iloc[0].to_dict()
        _head(mine, row, df, "emmean")
        _ends(mine, row, atol=max(SE, df) * 10 * row["se"])


def _named(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["contrast"]: row for row in table.to_dict("records")}


def _contrast(case: dict[str, Any], directory: Path, **options: Any) -> Any:
    arguments = case["arguments"]
    means = _emmeans(case, directory)
    ref = arguments.get("ref")
    if isinstance(ref, int):
        ref -= 1  # R counts from 1
    return means.contrast(CONTRASTS[arguments["method"]], ref=ref, **options)


def _contrasts(case: dict[str, Any], directory: Path) -> None:
    adjust, df = case["arguments"]["adjust"], DF[_method(case)]
    ours = _named(_contrast(case, directory, adjust=adjust).tidy())
    assert set(ours) == {row["contrast"] for row in case["result"]["table"]}
    for row in case["result"]["table"]:
        mine = ours[row["contrast"]]
        _head(mine, row, df)
        close(mine["statistic"], row.get("t", row.get("z")), rtol=SE, atol=SE, what=str(row))
        atol = TUKEY if adjust in ("tukey", "dunnettx") else 1e-12
        atol = RANDOM_INTEGRAL if adjust == "mvt" else atol
        close(mine["p_value"], row["p"], rtol=_p_tolerance(row, df), atol=atol, what=str(row))


def _intervals(case: dict[str, Any], directory: Path) -> None:
    arguments, df = case["arguments"], DF[_method(case)]
    ours = _named(
        _contrast(case, directory, adjust=arguments["adjust"], conf_level=arguments["level"]).tidy()
    )
    for row in case["result"]["table"]:
        mine = ours[row["contrast"]]
        _head(mine, row, df)
        _ends(mine, row, atol=max(SE, df) * 10 * row["se"])


def _margin(case: dict[str, Any], directory: Path) -> None:
    arguments, df = case["arguments"], DF[_method(case)]
    side = arguments["side"]
    tested = _contrast(case, directory, adjust="none").test(
        bounds=arguments["delta"], side=side, adjust=arguments["adjust"]
    )
    ours = _named(tested.tidy())
    for row in case["result"]["table"]:
        mine = ours[row["contrast"]]
        _head(mine, row, df)
        t = row.get("t", row.get("z"))
        statistic = {
            "equivalence": max(mine["statistic_high"], -mine["statistic_low"]),
            "noninferiority": mine["statistic_low"],
            "nonsuperiority": mine["statistic_high"],
        }[side]
        close(statistic, t, rtol=10 * SE, atol=10 * SE, what=str(row))
        key = {"equivalence": "equiv", "noninferiority": "noninf", "nonsuperiority": "nonsup"}[side]
        close(
            mine[f"p_value_{key}"],
            row["p"],
            rtol=10 * _p_tolerance(row, df),
            atol=1e-12,
            what=str(row),
        )


def _mvt(case: dict[str, Any], directory: Path) -> None:
    ours = _named(_contrast(case, directory, adjust="mvt").tidy())
    for row in case["result"]["table"]:
        mine = ours[row["contrast"]]
        close(mine["statistic"], row["t"], rtol=SE, atol=SE, what=str(row))
        close(mine["p_value"], row["p"], atol=RANDOM_INTEGRAL, what=str(row))


def _joint(case: dict[str, Any], directory: Path) -> None:
    fit, method = _fit(directory, case["data"]["model"]), _method(case)
    anova = fit.anova(df=method).set_index("term")
    assert set(anova.index) == {row["term"] for row in case["result"]["table"]}
    for row in case["result"]["table"]:
        if row["term"] in fit.model.design.fixed.factors:
            means = apa.emmeans(fit, row["term"], df=method)
            mine = means.joint_tests(combine="smallest").iloc[0]
        else:
            mine = anova.loc[row["term"]]
        close(mine["num_df"], row["df1"])
        # printed with two decimals
        close(mine["den_df"], row["df2"], atol=0.0051, rtol=DF[method], what=str(row))
        close(mine["statistic"], row["F"], atol=JOINT_F, what=str(row))
        # the p-value is not rounded, but follows from the unrounded df
        close(mine["p_value"], row["p"], rtol=1e-3, atol=1e-15, what=str(row))


def _trends(case: dict[str, Any], directory: Path) -> None:
    arguments = case["arguments"]
    fit = _fit(directory, case["data"].get("model", "interaction_reml"))
    method = METHODS[arguments.get("lmer.df", "satterthwaite")]
    name = arguments.get("var")
    if name is None:
        name = next(iter(fit.model.design.fixed.covariates))
    found = apa.emmeans(fit, "model", trend=name, df=method)
    df = DF[method]
    if case["r_function"] == "emtrends":
        ours = {row["term"]: row for row in found.tidy().to_dict("records")}
        for row in case["result"]["table"]:
            _head(ours[row["model"]], row, df, f"{name}.trend")
            _ends(ours[row["model"]], row, atol=max(SE, df) * 10 * row["se"])
        return
    pairs = _named(found.pairs(adjust=arguments["adjust"]).tidy())
    for row in case["result"]["table"]:
        _head(pairs[row["contrast"]], row, df)
        close(pairs[row["contrast"]]["statistic"], row["t"], rtol=SE, atol=SE)
        close(pairs[row["contrast"]]["p_value"], row["p"], rtol=_p_tolerance(row, df), atol=1e-12)


def _glht(case: dict[str, Any], directory: Path) -> None:
    arguments, expected = case["arguments"], case["result"]
    formula = (
        arguments.get("fit", "lm(score ~ model + subject)").removeprefix("lm(").removesuffix(")")
    )
    text = arguments.get("linfct", arguments.get("type", ""))
    dunnett = "Dunnett" in text
    alternative = {"two.sided": "two-sided"}.get(arguments["alternative"], arguments["alternative"])
    adjust = {"single-step": "mvt"}.get(
        arguments.get("adjust", "single-step"), arguments.get("adjust")
    )
    level = arguments.get("level", 0.95)
    means = apa.emmeans(_matched(directory, case["data"]["file"], formula), "model")
    # glht takes pairs as later minus earlier
    stated = expected.get("critical_value")
    options = {"adjust": adjust, "alternative": alternative, "conf_level": level}
    contrasts = "trt.vs.ctrl" if dunnett else "revpairwise"
    # with R's critical value the ends are R's
    found = means.contrast(contrasts, **options, critical=None if stated is None else abs(stated))
    ours = _named(found.tidy())
    assert set(ours) == {row["contrast"] for row in expected["table"]}
    if "df" in expected:
        close(found.tidy()["df"], np.full(len(ours), expected["df"]), rtol=EXACT)
    for row in expected["table"]:
        mine = ours[row["contrast"]]
        close(mine["estimate"], row["estimate"], atol=EXACT)
        if case["r_function"] == "glht / summary":
            close(mine["std_error"], row["se"], rtol=EXACT)
            close(mine["statistic"], row["t"], rtol=EXACT)
            atol = RANDOM_INTEGRAL if adjust == "mvt" else 1e-12
            close(mine["p_value"], row["p"], atol=atol, rtol=EXACT, what=str(row))
        else:
            _ends(mine, row, EXACT, "low", "high")
    if stated is not None:
        own = means.contrast(contrasts, **options).tidy()
        end = "conf_high" if alternative == "less" else "conf_low"
        value = ((own[end] - own["estimate"]) / own["std_error"]).abs()
        close(value, np.full(len(own), value.iloc[0]), rtol=EXACT)
        two_sided = alternative == "two-sided"
        reached = _level(found, float(value.iloc[0]), two_sided)
        close(reached, level, atol=LEVEL_OF_OURS, what="level of our critical value")
        theirs = _level(found, abs(stated), two_sided)
        close(theirs, level, atol=LEVEL_OF_R, what="level of R's critical value")
        close(theirs, reached, atol=LEVEL_OF_R, what="both levels")


def _level(found: Any, critical: float, two_sided: bool) -> float:
    """Probability that all stay within a critical value: exact over the variance, Sobol points for the rest."""
    from scipy import stats

    V = found.rows @ found.inference.vcov @ found.rows.T
    sd = np.sqrt(np.diag(V))
    size, axes = np.linalg.eigh(V / np.outer(sd, sd))
    keep = size > 1e-9
    root = axes[:, keep] * np.sqrt(size[keep])
    points = stats.qmc.Sobol(int(keep.sum()), rng=1).random_base2(18)
    z = stats.norm.ppf(points) @ root.T
    largest = (np.abs(z) if two_sided else z).max(axis=1)
    df = float(found.tidy()["df"].iloc[0])
    return float(stats.chi2.sf(df * (np.maximum(largest, 0.0) / critical) ** 2, df).mean())


def _tukey(case: dict[str, Any], directory: Path) -> None:
    arguments, expected = case["arguments"], case["result"]
    fit = _matched(directory, case["data"]["file"], arguments["formula"])
    close(fit.info["sigma"] ** 2, expected["mse"], rtol=EXACT)
    found = apa.emmeans(fit, arguments["which"]).contrast(
        "revpairwise", adjust="tukey", conf_level=0.95
    )
    ours = {row["contrast"].replace(" - ", "-"): row for row in found.tidy().to_dict("records")}
    for row in expected["table"]:
        mine = ours[row["contrast"]]
        close(mine["df"], expected["df"], rtol=EXACT)
        close(mine["estimate"], row["estimate"], atol=EXACT)
        _ends(mine, row, 1e-6, "low", "high")
        close(mine["p_value"], row["p"], atol=TUKEY, rtol=1e-6, what=str(row))


def _best(case: dict[str, Any], directory: Path) -> None:
    arguments, expected = case["arguments"], case["result"]
    means = apa.emmeans(
        _matched(directory, case["data"]["file"], "score ~ model + subject"), "model"
    )
    found = means.compare_best(conf_level=arguments["level"])
    assert len(found) == arguments["k"]
    close(found["critical"], np.full(len(found), expected["critical_value"]), rtol=1e-6)
    close(found["df"], np.full(len(found), arguments["df"]), rtol=EXACT)
    ours = found.set_index("term")
    for row in expected["table"]:
        mine = ours.loc[row["model"]]
        close(mine["estimate"], row["mean"], atol=EXACT)
        close(mine["minus_best"], row["minus_best_of_others"], atol=EXACT)
        _ends(mine, row, 1e-7, "low", "high")
        assert bool(mine["can_be_best"]) == row["can_be_best"]
