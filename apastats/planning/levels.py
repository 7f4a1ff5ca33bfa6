"""Whether a measured rate is beyond its level: one row, and all rows of a table together; the page of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["SLACK", "beyond", "page_of", "shown_beyond", "to_page"]

# a default is off where it misses by more than chance and this
SLACK = 0.015


def beyond(quantity: str, rate: float, nominal: float) -> float:
    """How far a rate is beyond its nominal value on the side that claims too much; a bias on either side."""
    return {
        "coverage": nominal - rate,
        "error": rate - nominal,
        "bias": abs(rate),
        "power": -np.inf,
    }[quantity]


def _p_beyond(wrong: np.ndarray, n: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Exact p-values of counts ``wrong`` of ``n`` under a rate of ``level`` and :data:`SLACK`."""
    from scipy.special import betainc

    # P(X >= k) of a binomial is an incomplete beta function
    k = np.round(wrong)
    level = np.minimum(level + SLACK, 1.0)
    return np.where(k < 1, 1.0, betainc(np.maximum(k, 1.0), n - np.maximum(k, 1.0) + 1, level))


def shown_beyond(table: pd.DataFrame, alpha: float = 0.05) -> pd.DataFrame:
    """Rows, and groups of rows, whose silent rate is shown to be beyond nominal and :data:`SLACK`, all taken together.

    ``table`` is that of a calibration. Of every row, of every trial and size over the designs, and of every trial and
    design over the sizes, the hypothesis is tested that the rate of what is wrong and not warned of is at most nominal
    plus the slack (binomial, exact; a bias: t of the mean); Holm's adjustment over all of them holds the chance of one
    false row at ``alpha`` whatever their dependence. Columns: ``verb, what, design, n`` ("all" where summed over),
    ``rate, n_replicate, p_value_adjusted``.
    """
    from scipy.special import stdtr

    from apastats.numbers.adjust_p import adjust_p

    rows = table[(table["quantity"] != "power") & (table["n_replicate"] > 1)].reset_index(drop=True)
    keys = ["verb", "what"]
    bias = (rows["quantity"] == "bias").to_numpy()
    covers = (rows["quantity"] == "coverage").to_numpy()
    n, silent = rows["n_replicate"].to_numpy(float), rows["silent"].to_numpy(float)
    level = np.where(covers, 1 - rows["nominal"], rows["nominal"])
    rows = rows.assign(level=level, wrong=np.where(covers, 1 - silent, silent) * n, rate=silent)
    parts = [rows.assign(design=rows["design"].astype(object), n=rows["n"].astype(object))]
    counted = rows[~bias]
    for over, kept in (("design", "n"), ("n", "design")):
        summed = counted.groupby([*keys, "quantity", "level", kept], sort=False, as_index=False)
        several = summed.agg(wrong=("wrong", "sum"), n_replicate=("n_replicate", "sum"))
        share = several["wrong"] / several["n_replicate"]
        rate = share.where(several["quantity"] != "coverage", 1 - share)
        parts.append(several.assign(**{over: "all"}, rate=rate))
    found = pd.concat(parts, ignore_index=True)
    p = _p_beyond(*(found[c].to_numpy(float) for c in ("wrong", "n_replicate", "level")))
    mean = (found["quantity"] == "bias").to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (found["rate"].abs() - SLACK) / found["mcse"]
    p = np.where(mean, stdtr(found["n_replicate"].to_numpy(float) - 1, -t.to_numpy(float)), p)
    found = found.assign(p_value_adjusted=adjust_p(p, "holm"))
    columns = [*keys, "design", "n", "rate", "n_replicate", "p_value_adjusted"]
    return found.loc[found["p_value_adjusted"] <= alpha, columns].reset_index(drop=True)


def to_page(found: Any) -> str:
    """Markdown page: how it was made, then a table of trials by n for every design."""
    made = found.provenance
    return page_of(
        found.table,
        f"Made by `{made.call}` with apastats {made.versions.get('apastats', '')} on {made.created[:10]}, seed "
        f"{made.seed}.",
    )


def page_of(table: pd.DataFrame, made: str, together: str = "") -> str:
    """The same of a table alone, with sentences on how it was made, and on all its rows ``together``."""
    lines = [
        "# Calibration of the defaults",
        "",
        made,
        "",
        "Monte-Carlo errors in brackets. `off`: beyond nominal, on the side that claims too much, by more than two "
        f"Monte-Carlo errors and {100 * SLACK:g} points; `warned`: not where the verb did not warn; "
        "`cautious`: so far from nominal on the other side. Bias is in units of the estimate.",
        *(["", together] if together else []),
    ]
    for design, part in table.groupby("design", sort=False):
        sizes = sorted(set(part["n"]))
        lines += ["", f"## {design}", ""]
        lines += ["| verb | what | nominal | " + " | ".join(f"n = {v}" for v in sizes) + " |"]
        lines += ["| --- | --- | --- |" + " --- |" * len(sizes)]
        for (name, what), rows in part.groupby(["verb", "what"], sort=False):
            nominal = rows["nominal"].iloc[0]
            by_size = {row.n: _shown(row) for row in rows.itertuples()}
            shown = f"{nominal:g}" if np.isfinite(nominal) else "-"
            cells = " | ".join(by_size.get(v, "") for v in sizes)
            lines.append(f"| {name} | {what} | {shown} | {cells} |")
    return "\n".join(lines) + "\n"


def _shown(row: Any) -> str:
    if not np.isfinite(row.estimate):
        return "refused"
    word = f" **{row.verdict}**" if "off" in row.verdict else ""
    word = " cautious" if row.verdict == "cautious" else word
    return f"{row.estimate:.3f} ({row.mcse:.3f}){word}"
