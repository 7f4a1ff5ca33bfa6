"""What the handlers of tests on samples share: reading the two samples, bounds, and t_TOST results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.reference.cases_io import close, read_table, select

# numbers from closed forms; R prints 15 digits
EXACT = 1e-10
# R finds the noncentrality by a root finder with tolerance 1e-9 on the scale of the probability
NONCENTRAL = 1e-5


def read_samples(
    case: dict[str, Any], directory: Path
) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """Samples x and y of a case, and whether they are matched."""
    data, arguments = case["data"], case["arguments"]
    frame = read_table(directory, data["file"])
    paired = bool(arguments.get("paired", "matched_on" in data))
    x = select(frame, data["x"])
    y = select(frame, data["y"]) if "y" in data else None
    if paired and y is not None:
        key = data.get("matched_on", "subject")
        both = x[[key, "score"]].merge(y[[key, "score"]], on=key).sort_values(key)
        return both["score_x"].to_numpy(), both["score_y"].to_numpy(), True
    first = x["score"].to_numpy() - float(arguments.get("subtracted_first", 0.0))
    return first, None if y is None else y["score"].to_numpy(), paired


def bounds_of(value: Any) -> Any:
    """A number or a pair; R sorts pairs."""
    return float(value) if np.isscalar(value) else tuple(sorted(float(v) for v in value))


def hypothesis_of(arguments: dict[str, Any]) -> str:
    return "minimal_effect" if arguments.get("hypothesis", "EQU") == "MET" else "equivalence"


def check_tests(
    row: pd.Series, result: dict[str, Any], hypothesis: str, tolerance: float = EXACT
) -> None:
    """The three tests of a t_TOST result and the p of the claim."""
    close(row["statistic"], result["nhst"]["t"], rtol=tolerance, atol=tolerance, what="t")
    close(row["p_value"], result["nhst"]["p"], rtol=tolerance, atol=tolerance, what="p")
    close(row["std_error"], result["nhst"]["se"], rtol=tolerance, what="se")
    for name, part in (("low", "lower_bound_test"), ("high", "upper_bound_test")):
        close(row[f"statistic_{name}"], result[part]["t"], rtol=tolerance, what=f"t {name}")
        close(row["df"], result[part]["df"], rtol=tolerance, what="df")
        inside = row["p_value_noninf"] if name == "low" else row["p_value_nonsup"]
        ours = inside if hypothesis == "equivalence" else 1 - inside
        close(ours, result[part]["p"], atol=tolerance, what=f"p {name}")
    claim = row["p_value_equiv"] if hypothesis == "equivalence" else row["p_value_claim"]
    close(claim, result["p_tost"], atol=tolerance, what="p of the claim")
