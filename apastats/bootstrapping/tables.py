"""Tables of bootstrap estimates, and the warnings they deserve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import (
    ApaWarning,
    DegenerateWarning,
    MonteCarloWarning,
    SmallSampleWarning,
    warn,
)
from apastats.resampling.means import MeanSummary
from apastats.resampling.plans import Plan
from apastats.rounding import LIMIT_ERRORS, printed_decimals, resamples_to_settle, unsettled

__all__ = ["error_columns", "estimate_table", "give_warnings", "how_many", "warn_unsettled"]

WHY_UNDEFINED = {
    "bca": "all replicates lie on one side of the estimate, and BCa has no correction for that; in Python: "
    "interval='t' has an interval",
    "fieller": "the denominator is not clearly different from 0, so that no ratio can be excluded",
}
NAMED = 3  # cells a warning names


def how_many(plan: Plan) -> str:
    """Words for the number of resamples."""
    if plan.exact:
        return f"all {plan.n_resamples:,} resamples enumerated with their probabilities"
    return f"{plan.n_resamples:,} sampled"


def estimate_table(
    keys: pd.DataFrame, found: MeanSummary, interval: str, conf_level: float, plan: str
) -> pd.DataFrame:
    """Tidy table of the estimates."""
    low, high = found.limits[interval][:2]
    return keys.assign(
        estimate=found.estimate,
        std_error=found.std_error,
        conf_low=low,
        conf_high=high,
        conf_level=float(conf_level),
        n_subject=found.n,
        method=f"{interval} ({plan})",
        **error_columns(found.std_error, found.limits[interval][2:]),
    )


def error_columns(std_error: np.ndarray, errors: np.ndarray) -> dict[str, np.ndarray]:
    """Columns on the simulation: its error in both limits, the larger one, whether digits stand.

    Parameters
    ----------
    std_error : array, ``[m]``
        Standard errors of the estimates; they set the digits that are printed.
    errors : array, ``[2, m]``
        Monte-Carlo standard errors of the low and the high limit.
    """
    return {
        "mcse": errors.max(axis=0),
        "conf_low_mcse": errors[0],
        "conf_high_mcse": errors[1],
        "settled": ~unsettled(std_error, errors).any(axis=0),
    }


def give_warnings(
    table: pd.DataFrame, keys: Sequence[str], info: Mapping[str, Any]
) -> tuple[str, ...]:
    """Give the warnings a table deserves, and return them as notes."""
    notes: list[str] = []

    def note(category: type[ApaWarning], message: str) -> None:
        notes.append(message)
        warn(message, category)

    n = table["n_subject"].to_numpy()
    if (n < 2).any():
        where = ", ".join(map(str, table.loc[n < 2].iloc[0, :1]))
        note(
            DegenerateWarning,
            f"{int((n < 2).sum())} cells have a value of one subject only (first: {where}); "
            f"interval NaN",
        )
    limits = table[["conf_low", "conf_high"]].to_numpy(dtype=float)
    undefined = (n >= 2) & np.isfinite(table["estimate"]) & np.isnan(limits).any(axis=1)
    if undefined.any():
        where = ", ".join(map(str, table.loc[undefined, list(keys)].iloc[0]))
        reason = info.get("why_undefined") or WHY_UNDEFINED.get(
            str(info["interval"]), "its replicates are not defined"
        )
        note(
            DegenerateWarning,
            f"{int(undefined.sum())} of {len(table)} intervals are NaN (first: {where}): {reason}",
        )
    # an end that is infinite by the alternative is none
    sides = {"greater": [True, False], "less": [False, True]}.get(
        info.get("alternative", ""), [True, True]
    )
    infinite = (np.isinf(limits) & sides).any(axis=1)
    if info["interval"] == "studentized" and infinite.any():
        note(
            SmallSampleWarning,
            f"with {n.max()} subjects so many resamples repeat one subject that "
            f"{int(infinite.sum())} studentized intervals have an infinite limit; in Python: interval='t' is finite",
        )
    return (*notes, *warn_unsettled(table, keys, info))


def warn_unsettled(
    table: pd.DataFrame, keys: Sequence[str], info: Mapping[str, Any]
) -> tuple[str, ...]:
    """Warn, once, of limits whose printed digits Monte-Carlo error could change; also as a note."""
    loose = ~table["settled"].to_numpy(dtype=bool)
    # a replayed table is what it is: its error is in the columns, more draws are not at hand
    if not loose.any() or info.get("plan") == "given":
        return ()
    error, both = table["std_error"].to_numpy(), table[list(LIMIT_ERRORS)].to_numpy().T
    worst = int(np.nanargmax(table["mcse"].to_numpy()))
    cells = [" / ".join(str(v) for v in row) for row in table.loc[loose, list(keys)].to_numpy()]
    more = f" and {len(cells) - NAMED} more" if len(cells) > NAMED else ""
    needed = resamples_to_settle(int(info["n_resamples"]), error, both)
    message = (
        f"the Monte-Carlo error of {len(cells)} of {len(table)} intervals could change their printed "
        f"digits (decimal {printed_decimals(error, both)}): {', '.join(cells[:NAMED])}{more}; largest "
        f"Monte-Carlo SE {table['mcse'].iloc[worst]:.2g}; in Python: n_resamples={needed:_} should settle them"
    )
    warn(message, MonteCarloWarning)
    return (message,)
