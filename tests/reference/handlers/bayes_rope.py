"""Posterior draws against a region of practical equivalence; equivalence rules for coefficients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import qr, solve_triangular

import apastats as apa
from tests.reference.cases_io import Unhandled, close, read_table

TOLERANCE = 1e-10
# R solves the regression by another decomposition
REGRESSION = 1e-9
# parameters finds its p by a search; it differs by up to 2e-7 from the t distribution at its own estimate and error
ROUNDED = 1e-6
DECISIONS = {"Accepted": "equivalent", "Rejected": "different", "Undecided": "undecided"}


def check(case: dict[str, Any], directory: Path, cases: dict[str, Any]) -> None:
    a, result = case["arguments"], case["result"]
    if "table" in result:
        check_regression(case, directory)
    elif "rope" in case["r_function"]:
        draws = read_table(directory, case["data"]["file"])[case["data"]["column"]]
        row = apa.rope(draws, bounds=tuple(a["range"]), conf_level=a["ci"]).tidy().iloc[0]
        for ours, theirs in (
            ("estimate", result["median"]),
            ("mean", result["mean"]),
            ("conf_low", result["hdi"][0]),
            ("conf_high", result["hdi"][1]),
            ("eti_low", result["eti"][0]),
            ("eti_high", result["eti"][1]),
            ("p_direction", result["p_direction"]),
            ("p_inside", result["rope_share_full"]),
            ("p_inside_interval", result["rope_share_of_hdi"]),
            ("p_significance", result["p_significance"]),
        ):
            close(row[ours], theirs, atol=TOLERANCE, rtol=TOLERANCE, what=ours)
        assert row["decision"] == DECISIONS[result["decision"]]
    else:
        raise Unhandled(case["id"])


def check_regression(case: dict[str, Any], directory: Path) -> None:
    """Treatment-coded linear model of the formula's factors, then the rule on its coefficients."""
    a = case["arguments"]
    outcome, right = (part.strip() for part in a["formula"].split("~"))
    frame = read_table(directory, case["data"]["file"])
    columns, names = [np.ones(len(frame))], ["(Intercept)"]
    for factor in (part.strip() for part in right.split("+")):
        for level in sorted(frame[factor].unique())[1:]:
            columns.append((frame[factor] == level).to_numpy(float))
            names.append(f"{factor}{level}")
    x, y = np.column_stack(columns), frame[outcome].to_numpy()
    q, r = qr(x, mode="economic")
    beta = solve_triangular(r, q.T @ y)
    df = len(y) - x.shape[1]
    inverse = solve_triangular(r, np.eye(len(beta)))
    se = np.sqrt((inverse**2).sum(axis=1) * ((y - x @ beta) ** 2).sum() / df)
    found = apa.coefficient_equivalence(
        beta, se, df, bounds=tuple(a["range"]), rule=a["rule"], conf_level=a["ci"], terms=names
    ).tidy()
    for theirs in case["result"]["table"]:
        row = found[found["term"] == theirs["Parameter"]].iloc[0]
        close(row["conf_low"], theirs["CI_low"], atol=REGRESSION, what="low")
        close(row["conf_high"], theirs["CI_high"], atol=REGRESSION, what="high")
        close(row["overlap"], theirs["ROPE_Percentage"], atol=1e-8, what="overlap")
        close(row["p_value_equiv"], theirs["p"], atol=ROUNDED, what="p")
        assert row["decision"] == DECISIONS[theirs["ROPE_Equivalence"]], theirs
