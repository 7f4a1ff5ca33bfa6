"""Linear mixed models: every number of a case that the public API can give."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from apastats.errors import SingularFitWarning
from tests.reference.cases_io import Unhandled, close, read_table

LOGLIK = 1e-6  # two optimisers of R agree to 2e-8
FIXED = 1e-6
SE = 1e-5  # relative; R's optimiser stops at relative standard deviations off by up to 4e-5
VARIANCE = 1e-4  # relative
VARIANCE_ZERO = 1e-10  # absolute, for a variance at 0
DF = 1e-5  # relative; R differentiates numerically
KENWARD_ROGER = 1e-4  # relative
PROFILE = 1e-3  # relative
F_TEST = 1e-5
SHARE = 1e-4
PREDICTION = 1e-5

FUNCTIONS = ("lmer", "anova(m0, m1)", "ranova", "contest")


def fit(case: dict[str, Any], directory: Path, **options: Any) -> Any:
    """The model of a case; a singular one warns."""
    data = read_table(directory, case["data"]["file"])
    arguments = case["arguments"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        return apa.lmm(arguments["formula"], data, reml=arguments["REML"], **options)


def check(case: dict[str, Any], directory: Path, cases: dict[str, dict[str, Any]]) -> None:
    function = case["r_function"]
    if function == "lmer":
        _model(case, directory)
    elif function == "anova(m0, m1)":
        _likelihood_ratio(case, directory)
    elif function == "ranova":
        _ranova(case, directory, cases)
    elif function == "contest":
        _contest(case, directory, cases)
    else:
        raise Unhandled(f"{case['id']}: {function}")


def _coefficients(ours: pd.DataFrame, theirs: list[dict[str, Any]], df: float) -> None:
    assert ours["term"].tolist() == [row["term"] for row in theirs]
    for mine, row in zip(ours.to_dict("records"), theirs, strict=True):
        what = row["term"]
        scale = max(abs(row["estimate"]), row["se"])
        close(mine["estimate"], row["estimate"], atol=FIXED * scale, what=what)
        close(mine["std_error"], row["se"], rtol=SE, what=what)
        close(mine["df"], row["df"], rtol=df, what=what)
        close(mine["statistic"], row["t"], rtol=SE, atol=SE, what=what)
        # a relative error of t moves log p by about t^2
        close(mine["p_value"], row["p"], rtol=SE * max(1.0, row["t"] ** 2), atol=1e-12, what=what)


def _model(case: dict[str, Any], directory: Path) -> None:
    expected = case["result"]
    found = fit(case, directory)
    info = found.info
    assert info["n"] == expected["n"]
    assert info["singular"] == expected["singular"]
    close(info["sigma"], expected["sigma"], rtol=VARIANCE)
    close(info["loglik"], expected["loglik"], atol=LOGLIK)
    close(info["n_parameter"], expected["df_loglik"])
    close(-2 * info["loglik"], expected["deviance_or_reml_criterion"], atol=2 * LOGLIK)
    close(info["aic"], expected["aic"], atol=2 * LOGLIK)
    close(info["bic"], expected["bic"], atol=2 * LOGLIK)
    _coefficients(found.tidy(), expected["fixed"], DF)
    close(found.arrays["vcov"], expected["vcov_fixed"], rtol=2 * SE, atol=1e-12)
    _components(found.variance_components(), expected["varcomp"])
    wald = fit(case, directory, df="z").conf_int("wald", conf_level=0.95)
    for row in expected["wald_95"]:
        mine = wald.set_index("term").loc[row["term"]]
        close(
            [mine["conf_low"], mine["conf_high"]], [row["low"], row["high"]], atol=SE, what="Wald"
        )
    _tests(found, expected)
    if "fixed_kenward_roger" in expected:
        adjusted = fit(case, directory, df="kenward-roger").tidy()
        _coefficients(adjusted, expected["fixed_kenward_roger"], KENWARD_ROGER)
    _effects(found.random_effects(), expected["ranef"])
    close(found.fitted()[:5], expected["fitted_first5"], atol=PREDICTION)
    close(found.residuals()[:5], expected["residual_first5"], atol=PREDICTION)
    close(found.predict()[:5], expected["predict_population_first5"], atol=PREDICTION)
    _shares(found, expected)
    if "profile_95" in expected:
        _profile(found.conf_int("profile", conf_level=0.95), expected["profile_95"])


def _group(name: str) -> tuple[str, ...]:
    """Columns of a grouping whatever their order; a second term of one group is called subject.1 in R."""
    return tuple(sorted(name.split(".")[0].split(":")))


def _level(group: str, level: str) -> tuple[str, ...]:
    """Parts of a level in the order of :func:`_group`."""
    pairs = zip(group.split(".")[0].split(":"), level.split(":"), strict=True)
    return tuple(part for _, part in sorted(pairs))


def _components(ours: pd.DataFrame, theirs: list[dict[str, Any]]) -> None:
    keyed = {}
    for row in ours.to_dict("records"):
        effects = frozenset(e for e in (row["effect"], row["effect_2"]) if isinstance(e, str))
        keyed[_group(row["group"]), effects] = row
    assert len(keyed) == len(theirs)
    for row in theirs:
        group = _group("residual" if row["group"] == "Residual" else row["group"])
        effects = frozenset(e for e in (row["var1"], row["var2"]) if e is not None)
        mine = keyed[group, effects]
        close(mine["variance"], row["variance"], rtol=VARIANCE, atol=VARIANCE_ZERO, what=str(row))
        second = mine["correlation"] if row["var2"] is not None else mine["std_dev"]
        close(second, row["sd_or_correlation"], rtol=VARIANCE, atol=1e-5, what=str(row))


def _tests(found: Any, expected: dict[str, Any]) -> None:
    methods = {
        "anova_satterthwaite": ("satterthwaite", DF),
        "anova_kenward_roger": ("kenward-roger", KENWARD_ROGER),
    }
    for key, (method, df) in methods.items():
        if key not in expected:
            continue
        ours = found.anova(df=method).set_index("term")
        for row in expected[key]:
            mine = ours.loc[row["term"]]
            assert mine["num_df"] == row["num_df"]
            close(mine["den_df"], row["den_df"], rtol=df, what=key)
            close(mine["statistic"], row["F"], rtol=max(F_TEST, df), what=key)
            close(mine["p_value"], row["p"], rtol=100 * max(F_TEST, df), atol=1e-12, what=key)


def _effects(ours: pd.DataFrame, theirs: list[dict[str, Any]]) -> None:
    keyed = {
        (_group(row["group"]), row["effect"], _level(row["group"], row["level"])): row
        for row in ours.to_dict("records")
    }
    for row in theirs:
        mine = keyed[_group(row["group"]), row["term"], _level(row["group"], row["level"])]
        close(mine["estimate"], row["value"], atol=PREDICTION, what=str(row))
        close(mine["std_error"], row["conditional_sd"], rtol=VARIANCE, atol=1e-6, what=str(row))


def _shares(found: Any, expected: dict[str, Any]) -> None:
    # performance 0.10.2 leaves the variance of uncorrelated slopes out; the number with them is larger
    slopes = "||" not in found.info["formula"]
    icc = found.icc(slopes=slopes).set_index("group")["icc"]
    r2 = found.r2(slopes=slopes)
    for name in ("adjusted", "unadjusted"):
        if f"icc_{name}" in expected:
            close(icc[name], expected[f"icc_{name}"], rtol=SHARE)
    for name in ("r2_marginal", "r2_conditional"):
        if name in expected:
            close(r2[name], expected[name], rtol=SHARE)
    by_group = {_group(name): value for name, value in icc.items()}
    for row in expected.get("icc_by_group", []):
        if "." not in row["Group"]:
            close(by_group[_group(row["Group"])], row["ICC"], rtol=SHARE)


def _profile(ours: pd.DataFrame, theirs: list[dict[str, Any]]) -> None:
    keyed = {}
    for row in ours.to_dict("records"):
        what, bar, group = row["term"].partition(" | ")
        keyed[what + bar + ":".join(_group(group)) if bar else what] = row
    for row in theirs:
        name = row["parameter"]
        if name.startswith("sd_") and "|" in name:
            effect, group = name[3:].split("|")
            name = f"sd {effect} | {':'.join(_group(group))}"
        elif name.startswith("cor_"):
            pair, group = name[4:].split("|")
            name = f"cor {', '.join(pair.split('.', 1))} | {':'.join(_group(group))}"
        mine = keyed[name]
        close(mine["conf_low"], row["low"], rtol=PROFILE, atol=1e-4, what=name)
        close(mine["conf_high"], row["high"], rtol=PROFILE, atol=1e-4, what=name)


def _likelihood_ratio(case: dict[str, Any], directory: Path) -> None:
    data = read_table(directory, case["data"]["file"])
    arguments, expected = case["arguments"], case["result"]
    small, large = (apa.lmm(arguments[m], data, reml=arguments["REML"]) for m in ("m0", "m1"))
    table = large.likelihood_ratio(small)
    last = table.iloc[1]
    close(last["statistic"], expected["chisq"], atol=4 * LOGLIK)
    close(last["df"], expected["df"])
    close(last["p_value"], expected["p"], rtol=1e-4)
    close(table["loglik"], [expected["loglik0"], expected["loglik1"]], atol=LOGLIK)
    close(table["aic"], expected["aic"], atol=2 * LOGLIK)
    close(table["bic"], expected["bic"], atol=2 * LOGLIK)


def _ranova(case: dict[str, Any], directory: Path, cases: dict[str, dict[str, Any]]) -> None:
    table = fit(cases[case["arguments"]["model"]], directory).ranova().set_index("dropped")
    for row in case["result"]["table"]:
        mine = table.loc[row["dropped"]]
        assert mine["n_parameter"] == row["npar"]
        close(mine["loglik"], row["loglik"], atol=LOGLIK)
        close(mine["aic"], row["aic"], atol=2 * LOGLIK)
        close(mine["statistic"], row["lrt"], atol=4 * LOGLIK)
        close(mine["df"], row["df"])
        close(mine["p_value"], row["p"], rtol=1e-4)


def _contest(case: dict[str, Any], directory: Path, cases: dict[str, dict[str, Any]]) -> None:
    arguments, expected = case["arguments"], case["result"]
    method = arguments["ddf"].lower()
    found = fit(cases[arguments["model"]], directory)
    test = found.joint_test(np.array(arguments["L"]), df=method).iloc[0]
    df = KENWARD_ROGER if method == "kenward-roger" else DF
    close(test["statistic"], expected["F"], rtol=max(F_TEST, df))
    close(test["num_df"], expected["num_df"])
    close(test["den_df"], expected["den_df"], rtol=df)
    close(test["p_value"], expected["p"], rtol=100 * df)
