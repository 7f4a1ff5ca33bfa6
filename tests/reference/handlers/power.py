"""Power and sample size of equivalence tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apastats as apa
from tests.reference.cases_io import Unhandled, close

POWER = 1e-8
# R's root finder stops at its default tolerance
SAMPLE_SIZE = 1e-3
DESIGNS = {"paired": "paired", "one.sample": "one_sample", "two.sample": "two_sample"}


def rows_of(case: dict[str, Any]) -> list[dict[str, Any]]:
    result = case["result"]
    given = case["arguments"] if isinstance(case["arguments"], dict) else {}
    rows = result.get("table", [result])
    return [{**given, **row} for row in rows]


def bounds_of(row: dict[str, Any]) -> Any:
    if "low" in row:
        return row["low"], row["high"]
    value = row["eqb"]
    return tuple(sorted(value)) if isinstance(value, list) else value


def check(case: dict[str, Any], directory: Path, cases: dict[str, Any]) -> None:
    function = case["r_function"]
    for row in rows_of(case):
        if function == "power_t_TOST" and "n_ceiling" in row:
            found = apa.sample_size_tost(
                power=row["power"],
                sd=row.get("sd", 1.0) or 1.0,
                bounds=bounds_of(row),
                difference=row.get("delta", 0.0),
                alpha=row["alpha"],
                design=DESIGNS[row["type"]],
            )
            ours = found.tidy().iloc[0]
            close(ours["estimate"], row["n"], atol=SAMPLE_SIZE, what=str(row))
            assert ours["n"] == row["n_ceiling"], row
        elif function == "power_t_TOST":
            n = row["n"]
            found = apa.power_tost(
                n=tuple(n) if isinstance(n, list) else n,
                sd=row["sd"],
                bounds=bounds_of(row),
                difference=row.get("delta", 0.0),
                alpha=row["alpha"],
                design=DESIGNS[row["type"]],
            )
            close(found.tidy()["estimate"].item(), row["power"], atol=POWER, what=str(row))
        elif function == "power_z_cor":
            null = row["null"]
            found = apa.power_correlation(
                n=row["n"],
                bounds=tuple(sorted(null)) if isinstance(null, list) else null,
                rho=row.get("rho", 0.0),
                alpha=row["alpha"],
                method="published",
            )
            close(found.tidy()["estimate"].item(), row["power"], atol=POWER, what=str(row))
        elif function == "power.t.test":
            alternative = {"two.sided": "two-sided", "one.sided": "greater"}[row["alternative"]]
            found = apa.power_t(
                n=row["n"],
                sd=row.get("sd", 1.0),
                difference=row.get("d", row.get("delta")),
                alpha=row["sig.level"],
                design=DESIGNS[row["type"]],
                alternative=alternative,
            )
            close(found.tidy()["estimate"].item(), row["power"], atol=POWER, what=str(row))
        else:
            raise Unhandled(case["id"])
