"""Mixed models of one ragged design: random slopes, nesting, weights, singular fits; contrasts of marginal means."""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from apastats.errors import SingularFitWarning
from tests.reference.cases_io import Unhandled, close, read_table

LOGLIK = 1e-6
ESTIMATE, SE, VARIANCE = 1e-6, 1e-5, 1e-4  # variances relative to the largest
DF = {"satterthwaite": 1e-5, "kenward-roger": 1e-4, "z": 0.0}  # relative
EFFECT = 1e-5
F = 1e-5  # relative
P = 1e-5
RANDOM_INTEGRAL = (
    1e-3  # absolute: emmeans integrates with the default effort of mvtnorm, error up to 1e-3
)
METHODS = {"satterthwaite": "satterthwaite", "kenward-roger": "kenward-roger", "asymptotic": "z"}


@lru_cache(maxsize=4)
def _fit(directory: Path, file: str, formula: str, reml: bool, weights: str | None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        return apa.lmm(formula, read_table(directory, file), reml=reml, weights=weights)


def check(case: dict[str, Any], directory: Path, cases: dict[str, dict[str, Any]]) -> None:
    if case["r_function"].startswith("lmer"):
        _model(case, directory)
    elif case["r_function"].startswith("emmeans"):
        _contrasts(case, directory)
    elif case["id"] == "residual_groups":
        _residual_groups(case, directory)
    elif case["id"] == "two_members":
        _members(case, directory)
    else:
        raise Unhandled(case["r_function"])


def _model(case: dict[str, Any], directory: Path) -> None:
    arguments, expected = case["arguments"], case["result"]
    weights = arguments.get("weights") or None
    fit = _fit(directory, case["data"]["file"], arguments["formula"], arguments["REML"], weights)
    for name in ("loglik", "aic", "bic"):
        close(fit.info[name], expected[name], atol=LOGLIK)
    assert fit.info["singular"] == expected["singular"]
    close(fit.info["sigma"], expected["sigma"], rtol=VARIANCE)
    theirs = pd.DataFrame(expected["coefficients"]).set_index("term")
    ours = fit.table.set_index("term").loc[theirs.index]
    close(ours["estimate"], theirs["estimate"], atol=ESTIMATE)
    close(ours["std_error"], theirs["se"], rtol=SE)
    close(ours["df"], theirs["df"], rtol=DF["satterthwaite"])
    found = np.sort(fit.variance_components()["variance"])
    values = np.sort([row["vcov"] for row in expected["components"]])
    close(found, values, atol=VARIANCE * values.max())
    _f_tests(fit.anova(), expected["type_three"], DF["satterthwaite"])
    if "kenward_roger" in expected:
        theirs = pd.DataFrame(expected["kenward_roger"]).set_index("term")
        inference = fit.model.inference("kenward-roger")
        eye = np.eye(len(fit.table))
        order = [fit.table["term"].tolist().index(t) for t in theirs.index]
        close(inference.std_errors(eye)[order], theirs["se"], rtol=SE)
        close(inference.dfs(eye)[order], theirs["df"], rtol=DF["kenward-roger"])
        _f_tests(fit.anova(df="kenward-roger"), expected["type_three_kr"], DF["kenward-roger"])
    # levels are named differently for combined groupings: values are compared in order, by effect
    effects = fit.random_effects()
    theirs = pd.DataFrame(expected["effects"])
    assert len(effects) == len(theirs)
    for name, part in theirs.groupby("effect"):
        mine = effects[effects["effect"] == name].sort_values("estimate")
        part = part.sort_values("value")
        close(mine["estimate"], part["value"], atol=EFFECT)
        close(np.sort(mine["std_error"]), np.sort(part["sd"]), atol=EFFECT)
    ranova = fit.ranova().iloc[1:]
    theirs = pd.DataFrame(expected["ranova"])
    close(np.sort(ranova["loglik"]), np.sort(theirs["loglik"]), atol=LOGLIK)


def _residual_groups(case: dict[str, Any], directory: Path) -> None:
    arguments, expected = case["arguments"], case["result"]
    data = read_table(directory, case["data"]["file"])
    fit = apa.lmm(arguments["formula"], data, residual_by=arguments["residual_by"])
    close(fit.info["loglik"], expected["loglik"], atol=LOGLIK)
    close(fit.table["estimate"], expected["estimate"], atol=ESTIMATE)
    close(fit.table["std_error"], expected["se"], rtol=SE)
    components = fit.variance_components().set_index("effect")
    for level, sd in expected["sigma"].items():
        close(components.loc[level, "std_dev"], sd, rtol=VARIANCE)


def _members(case: dict[str, Any], directory: Path) -> None:
    expected = case["result"]
    fit = apa.lmm(case["arguments"]["formula"], read_table(directory, case["data"]["file"]))
    close(fit.info["loglik"], expected["loglik"], atol=LOGLIK)
    close(fit.table["estimate"], expected["estimate"], atol=ESTIMATE)
    close(fit.table["std_error"], expected["se"], rtol=SE)
    close(fit.variance_components()["variance"], expected["components"], rtol=VARIANCE)
    close(fit.random_effects()["estimate"], expected["effects"], atol=EFFECT)


def _f_tests(found: pd.DataFrame, rows: list[dict[str, Any]], df: float) -> None:
    ours = found.set_index("term")
    assert set(ours.index) == {row["term"] for row in rows}
    for row in rows:
        mine = ours.loc[row["term"]]
        close(mine["num_df"], row["num_df"], rtol=0)
        close(mine["den_df"], row["den_df"], rtol=df)
        close(mine["statistic"], row["F"], rtol=F)
        close(mine["p_value"], row["p"], rtol=10 * F, atol=P * row["p"])


def _contrasts(case: dict[str, Any], directory: Path) -> None:
    arguments = case["arguments"]
    method = METHODS[arguments["df"]]
    fit = _fit(directory, case["data"]["file"], arguments["formula"], True, None)
    adjust, test = arguments["adjust"], arguments.get("test")
    found = apa.emmeans(fit, "model", by="lab", df=method).contrast(
        arguments["contrast"],
        ref=arguments.get("ref"),
        adjust="none" if test else adjust,
        alternative=arguments.get("side", "two-sided"),
    )
    column = "p_value"
    if test:
        found = found.test(bounds=arguments["delta"], side=test, adjust=adjust)
        column = {"equivalence": "p_value_equiv", "noninferiority": "p_value_noninf"}[test]
    ours = {(r["lab"], r["contrast"]): r for r in found.tidy().to_dict("records")}
    rows = case["result"]["table"]
    assert len(ours) == len(rows)
    loose = RANDOM_INTEGRAL if adjust == "mvt" else P
    for row in rows:
        mine = ours[row["lab"], row["contrast"]]
        close(mine["estimate"], row["estimate"], atol=10 * ESTIMATE)
        close(mine["std_error"], row["SE"], rtol=SE)
        if method != "z":
            close(mine["df"], row["df"], rtol=DF[method])
        close(mine[column], row["p.value"], atol=loose, what=str(row))
        for end, name in (("conf_low", "lowerL"), ("conf_high", "upperU")):
            if row.get(name) is not None:
                close(mine[end], row[name], atol=SE)
