"""Standardised effects, offsets, influence, prediction variances and sphericity against R."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from apastats.errors import SingularFitWarning
from tests.reference.cases_io import Unhandled, close, read_table

# lme4's optimiser stops about 1e-6 from the maximum
ESTIMATE, SE, DF = 1e-5, 1e-5, 1e-4
P = 1e-8


def _fit(case: dict[str, Any], directory: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        return apa.lmm(case["arguments"]["formula"], read_table(directory, case["data"]["file"]))


def check(case: dict[str, Any], directory: Path, cases: dict[str, dict[str, Any]]) -> None:
    for name, run in {
        "eff_size": _standardised, "emmeans with offset": _offset, "influence.merMod": _influence,
        "Henderson's equations": _prediction, "anova.mlm, mauchly.test": _sphericity,
    }.items():  # fmt: skip
        if case["r_function"] == name:
            return run(case, directory)
    raise Unhandled(case["r_function"])


def _standardised(case: dict[str, Any], directory: Path) -> None:
    arguments = case["arguments"]
    means = apa.emmeans(_fit(case, directory), "model", by=arguments.get("by") or None)
    ours = means.effect_size(arguments["sigma"], edf=arguments["edf"]).table
    rows = pd.DataFrame(case["result"]["table"])
    assert len(ours) == len(rows)
    if "lab" in rows:
        rows = rows.sort_values("lab", kind="stable")
        assert ours["lab"].tolist() == rows["lab"].tolist()
    assert ours["term"].tolist() == rows["contrast"].tolist()
    close(ours["estimate"], rows["effect.size"], atol=ESTIMATE)
    close(ours["std_error"], rows["SE"], rtol=SE)
    close(ours["df"], rows["df"], rtol=DF)
    for mine, theirs in (("conf_low", "lower"), ("conf_high", "upper")):
        close(ours[mine], rows[theirs], atol=10 * ESTIMATE)


def _offset(case: dict[str, Any], directory: Path) -> None:
    fit = _fit(case, directory)
    ours = apa.emmeans(fit, "model", by="lab").table
    rows = pd.DataFrame(case["result"]["table"])
    close(ours["estimate"], rows["emmean"], atol=ESTIMATE)
    close(ours["std_error"], rows["SE"], rtol=SE)
    close(ours["df"], rows["df"], rtol=DF)
    pairs = apa.emmeans(fit, "model").pairs(adjust="none").table
    theirs = pd.DataFrame(case["result"]["pairs"])
    close(pairs["estimate"], theirs["estimate"], atol=ESTIMATE)
    close(pairs["p_value"], theirs["p.value"], rtol=1e-3)


def _influence(case: dict[str, Any], directory: Path) -> None:
    expected = case["result"]
    table = _fit(case, directory).influence("subject").table
    for i, level in enumerate(expected["level"]):
        mine = table[table["subject"] == level].set_index("term").loc[expected["term"]]
        close(mine["estimate"], expected["estimate"][i], atol=10 * ESTIMATE)
        # lme4 gives without minus with
        close(-mine["dfbetas"], expected["dfbetas"][i], atol=ESTIMATE)
        close(mine["cooks_distance"].iloc[0], expected["cooks"][i], rtol=10 * ESTIMATE)


def _prediction(case: dict[str, Any], directory: Path) -> None:
    rows = pd.DataFrame(case["arguments"]["rows"])
    fit = _fit(case, directory)
    expected = pd.DataFrame(case["result"]["table"])
    for interval, column in (("confidence", "se_mean"), ("prediction", "se_new")):
        found = fit.predict(rows, random=True, new_levels="zero", interval=interval)
        close(found["estimate"], expected["estimate"], atol=1e-4)
        close(found["std_error"], expected[column], rtol=1e-4)


def _sphericity(case: dict[str, Any], directory: Path) -> None:
    expected = case["result"]
    x = np.array(list(expected["values"].values()))
    for name, p, epsilon in (
        ("none", "p", None), ("greenhouse-geisser", "p_gg", "epsilon_gg"), ("huynh-feldt", "p_hf", "epsilon_hf")
    ):  # fmt: skip
        found = apa.rm_anova(x, correction=name)
        row = found.table.iloc[0]
        close(row["statistic"], expected["F"], rtol=P)
        close(row["p_value"], expected[p], rtol=P)
        factor = 1.0 if epsilon is None else min(1.0, expected[epsilon])
        close(row["df"], factor * expected["num_df"], rtol=P)
        close(row["df2"], factor * expected["den_df"], rtol=P)
        close(found.info["mauchly_w"], expected["mauchly"], rtol=P)
        close(found.info["mauchly_p"], expected["p_mauchly"], rtol=P)
        close(found.info["epsilon_gg"], expected["epsilon_gg"], rtol=P)
        close(found.info["epsilon_hf"], expected["epsilon_hf"], rtol=P)
