"""`tost`: the tests with a margin on plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from apastats.errors import DesignError, InputError, MarginError
from apastats.margins import as_margin
from apastats.results import Provenance, describe_call
from apastats.tosts.decisions import (
    HYPOTHESES,
    NOT_CONCLUDED,
    Tested,
    check_alpha,
    check_hypothesis,
    claim_p,
    outcomes,
)
from apastats.tosts.student import one_sample, two_sample
from apastats.tosts.tables import EquivalenceResult

__all__ = ["tost"]


def _sample(values: Any, argument: str) -> np.ndarray:
    """One-dimensional float array; finite or NaN."""
    try:
        out = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(argument, values, "a one-dimensional array of numbers") from error
    if out.ndim != 1:
        raise InputError(
            argument, f"an array of shape {out.shape}", "a one-dimensional array of numbers"
        )
    if np.isinf(out).any():
        raise InputError(argument, "an infinite value", "finite numbers, NaN for missing")
    return out


def _samples(x: Any, y: Any, paired: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Samples without missing values; pairs are dropped together."""
    first = _sample(x, "x")
    if y is None:
        second = None
        first = first[~np.isnan(first)]
    else:
        second = _sample(y, "y")
        if paired:
            if len(first) != len(second):
                raise InputError(
                    "y",
                    f"{len(second)} values",
                    f"{len(first)} values, as many as x",
                    hint="Or paired=False.",
                )
            keep = ~(np.isnan(first) | np.isnan(second))
            first, second = first[keep], second[keep]
        else:
            first, second = first[~np.isnan(first)], second[~np.isnan(second)]
    for name, sample in (("x", first), ("y", second)):
        if sample is not None and len(sample) < 2:
            raise DesignError(f"{name}: {len(sample)} values; at least 2 are needed")
    return first, second


def tost(
    x: ArrayLike,
    y: ArrayLike | None = None,
    *,
    bounds: Any = None,
    paired: bool = True,
    equal_var: bool = False,
    null: float = 0.0,
    hypothesis: str = "equivalence",
    alpha: float = 0.05,
) -> EquivalenceResult:
    """Two one-sided tests, and the ordinary test beside them, on plain arrays.

    Parameters
    ----------
    x : array_like, shape (n,)
        Scores; NaN is missing.
    y : array_like, shape (m,), optional
        Second scores; matched with ``x`` where ``paired``. All differences are ``x - y``.
    bounds : float, (float, float) or Margin
        The margin; there is no default. ``apa.margin(0.5, of="sd")`` states it in SD units (of the differences;
        pooled for Student; root mean square of both SDs for Welch).
    paired : bool
        Whether ``y`` is matched with ``x``.
    equal_var : bool
        Student instead of Welch for independent samples.
    null : float
        Value of the ordinary test; for one sample it is subtracted from nothing, the bounds are absolute.
    hypothesis : {"equivalence", "minimal_effect", "noninferiority", "nonsuperiority", "superiority"}
        The claim.
    alpha : float
        Level of each one-sided test; the interval has level ``1 - 2 alpha``.

    Returns
    -------
    EquivalenceResult
        One row.

    Raises
    ------
    MarginError
        If there is no margin, or an impossible one.
    DesignError
        If a sample has fewer than two values or no variation.
    InputError
        If an argument is not allowed.

    Notes
    -----
    Schuirmann (1987), J Pharmacokinet Biopharm 15:657; ``p_equiv = max(P(T > t_low), P(T < t_high))``.

    Examples
    --------
    >>> result = tost([0.11, 0.13, 0.12, 0.15], [0.12, 0.12, 0.13, 0.14], bounds=0.03)
    >>> result.tidy()["decision"].item()
    'equivalent'
    """
    margin = as_margin(bounds)
    if margin.origin not in ("raw", "sd"):
        raise MarginError(
            "bounds", margin, "a number, a pair, or apa.margin(value, of='sd') for plain arrays"
        )
    alpha, hypothesis = check_alpha(alpha), check_hypothesis(hypothesis)
    first, second = _samples(x, y, paired)
    low, high = margin.low, margin.high
    if second is None or paired:
        d = first if second is None else first - second
        if margin.origin == "sd":
            low, high = low * d.std(ddof=1), high * d.std(ddof=1)
        tested = one_sample(d, np.asarray(low), np.asarray(high), alpha=alpha, null=null)
        method = "one-sample t" if second is None else "paired t"
    else:
        m1, s1, n1 = first.mean(), first.std(ddof=1), len(first)
        m2, s2, n2 = second.mean(), second.std(ddof=1), len(second)
        if margin.origin == "sd":
            unit = _sd_unit(s1, n1, s2, n2, equal_var)
            low, high = low * unit, high * unit
        tested = two_sample(
            m1, s1, n1, m2, s2, n2, low, high, alpha=alpha, equal_var=equal_var, null=null
        )
        method = "Student t" if equal_var else "Welch t"
    if not np.isfinite(tested.statistic):
        raise DesignError("x: the differences have no variation; a test is not defined")
    table = _row(tested, low, high, alpha, hypothesis, method)
    info = {
        "method": f"{method}: the ordinary test, and two one-sided tests against the bounds",
        "hypothesis": hypothesis,
        "null": HYPOTHESES[hypothesis],
        "rule": f"equivalent where both one-sided tests reject at {alpha:g}, different where the ordinary test does",
        "margin": margin.describe(),
        "margin_origin": margin.origin,
        "alpha": alpha,
        "conf_level": 1 - 2 * alpha,
        "n_subject": int(tested.n),
        "resampled": "nothing",
        "held_fixed": "everything but the units given",
        "not_concluded": NOT_CONCLUDED,
    }
    call = describe_call(
        "tost",
        np.asarray(x),
        None if y is None else np.asarray(y),
        bounds=bounds,
        paired=paired,
        equal_var=equal_var,
        hypothesis=hypothesis,
        alpha=alpha,
    )
    return EquivalenceResult(table, info, Provenance(call))


def _sd_unit(s1: float, n1: int, s2: float, n2: int, equal_var: bool) -> float:
    if equal_var:
        return float(np.sqrt(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / (n1 + n2 - 2)))
    return float(np.sqrt((s1**2 + s2**2) / 2))


def _row(
    tested: Tested, low: float, high: float, alpha: float, hypothesis: str, method: str
) -> pd.DataFrame:
    row = {
        "contrast": "x" if method.startswith("one") else "x - y",
        "estimate": tested.estimate,
        "std_error": tested.std_error,
        "statistic": tested.statistic,
        "df": tested.df,
        "p_value": tested.p_value,
        "conf_low": tested.conf_low,
        "conf_high": tested.conf_high,
        "conf_level": 1 - 2 * alpha,
        "bound_low": low,
        "bound_high": high,
        "statistic_low": tested.statistic_low,
        "statistic_high": tested.statistic_high,
        "p_value_noninf": tested.p_low,
        "p_value_nonsup": tested.p_high,
        "p_value_equiv": tested.p_equiv,
    }
    table = pd.DataFrame({k: [v if isinstance(v, str) else float(v)] for k, v in row.items()})
    if hypothesis != "equivalence":
        table["p_value_claim"] = float(claim_p(tested, hypothesis))
        table["claim_shown"] = table["p_value_claim"] <= alpha
    table["decision"] = outcomes(tested.p_value, tested.p_equiv, alpha).reshape(1)
    table["n_subject"] = int(tested.n)
    table["method"] = method
    return table
