"""Posterior draws and regions of practical equivalence: shares, intervals, decisions."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from apastats.arguments import array, choice, items, number, numbers
from apastats.comparing.margin import as_margin
from apastats.errors import DesignError, InputError
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.words import Drawn, Held, Info

__all__ = ["RopeResult", "coefficient_equivalence", "highest_density", "rope"]

RULES = ("classic", "cet", "bayes")


class RopeResult(Result):
    """Estimates against a region of practical equivalence (ROPE); one row per quantity.

    ``decision`` is ``equivalent`` (interval inside the region), ``different`` (interval outside) or ``undecided``.
    """

    kind: ClassVar[str] = "rope"


def highest_density(draws: np.ndarray, level: float) -> tuple[float, float]:
    """Shortest interval with ``ceil(level n)`` of n draws above its lower end; the middle one of several."""
    ordered = np.sort(draws)
    step = min(len(ordered) - 1, int(np.ceil(level * len(ordered))))
    widths = ordered[step:] - ordered[: len(ordered) - step]
    shortest = np.flatnonzero(widths == widths.min())
    # neighbours: the middle; apart: the last, as in bayestestR
    together = shortest[-1] - shortest[0] == len(shortest) - 1
    best = int(shortest.mean()) if together else int(shortest[-1])
    return float(ordered[best]), float(ordered[best + step])


@verb
def rope(
    draws: ArrayLike | dict[str, ArrayLike],
    *,
    bounds: Any = None,
    conf_level: float = 0.95,
) -> RopeResult:
    """Describe posterior draws of differences against a region of practical equivalence.

    Parameters
    ----------
    draws : array_like, shape (n_draw,), or dict of such
        Draws of one or several quantities.
    bounds : float or (float, float)
        The region; there is no default.
    conf_level : float
        Level of the intervals.

    Returns
    -------
    RopeResult
        Per quantity ``estimate`` (median), ``mean, conf_low, conf_high`` (highest density), ``eti_low, eti_high``
        (equal tails), ``p_direction, p_inside`` (share of all draws inside the region), ``p_inside_interval`` (share of
        the draws in the highest-density interval), ``p_significance`` (share beyond the larger bound, on the side
        of the median), ``decision``.

        Columns: ``term`` (what the row is of), ``estimate`` (what is estimated, from the data themselves),
        ``mean`` (mean), ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit of the
        interval), ``eti_low`` (lower equal-tailed limit), ``eti_high`` (upper equal-tailed limit),
        ``conf_level`` (level of the interval), ``bound_low`` (lower margin), ``bound_high`` (upper margin),
        ``p_direction`` (probability of direction), ``p_inside`` (posterior probability inside the region),
        ``p_inside_interval`` (share of the interval inside), ``p_significance`` (posterior probability beyond
        the region), ``decision`` (equivalent, different, ..., or undecided), ``method`` (how the interval or
        test was made).

    Raises
    ------
    DesignError
        If there are fewer than 100 draws.
    MarginError
        If there is no region.

    See Also
    --------
    bayes_lmm, coefficient_equivalence

    Notes
    -----
    Kruschke (2018). The decision asks whether the interval lies inside or outside; the probability of being inside is
    ``p_inside``.

    References
    ----------
    .. [1] Kruschke, J. K. (2018). Rejecting or accepting parameter values in Bayesian estimation. Advances in
       Methods and Practices in Psychological Science, 1(2), 270–280. https://doi.org/10.1177/2515245918771304

    Examples
    --------
    >>> import numpy as np
    >>> found = rope(np.random.default_rng(1).normal(0, 0.01, 4000), bounds=0.05)
    >>> found.tidy()["decision"].item()
    'equivalent'
    """
    margin = as_margin(bounds)
    low, high = margin.low, margin.high
    named = draws if isinstance(draws, dict) else {"difference": draws}
    rows = []
    for term, values in named.items():
        x = array("draws", values).ravel()
        x = x[np.isfinite(x)]
        if len(x) < 100:
            raise DesignError(f"draws: {len(x)} draws of {term!r}; at least 100 are needed")
        h_low, h_high = highest_density(x, conf_level)
        tails = np.quantile(x, [(1 - conf_level) / 2, (1 + conf_level) / 2])
        inside_interval = x[(x >= h_low) & (x <= h_high)]
        share = float(np.mean((inside_interval >= low) & (inside_interval <= high)))
        widest = max(abs(low), abs(high))
        above, below = float(np.mean(x > widest)), float(np.mean(x < -widest))
        positive = float(np.mean(x > 0))
        # limits, not shares of draws: an interval over two modes can straddle the region and hold no draw of it
        within, beyond = low <= h_low and h_high <= high, h_low > high or h_high < low
        outcome = "equivalent" if within else "different" if beyond else "undecided"
        rows.append(
            {
                "term": term,
                "estimate": float(np.median(x)),
                "mean": float(x.mean()),
                "conf_low": h_low,
                "conf_high": h_high,
                "eti_low": float(tails[0]),
                "eti_high": float(tails[1]),
                "conf_level": conf_level,
                "bound_low": low,
                "bound_high": high,
                "p_direction": max(positive, float(np.mean(x < 0))),
                "p_inside": float(np.mean((x >= low) & (x <= high))),
                "p_inside_interval": share,
                "p_significance": max(above, below),
                "decision": outcome,
                "method": "highest density interval",
            }
        )
    info = Info(
        estimand="posterior median",
        interval="highest density",
        margin_origin=margin.origin,
        method="posterior draws against a region of practical equivalence",
        rule="equivalence was said where the interval lies inside the region, and a difference where it lies outside",
        margin=margin.words(),
        conf_level=conf_level,
        resampled=Drawn(sample="draws are taken as given"),
        held_fixed=(Held("model the draws come from"),),
    )
    return RopeResult(pd.DataFrame(rows), info, Provenance())


@verb
def coefficient_equivalence(
    estimate: ArrayLike,
    std_error: ArrayLike,
    df: ArrayLike,
    *,
    bounds: Any = None,
    rule: str = "cet",
    conf_level: float = 0.95,
    terms: list[str] | None = None,
) -> RopeResult:
    """Equivalence decisions of regression coefficients by three published rules.

    Parameters
    ----------
    estimate, std_error, df : array_like
        Coefficients, their standard errors and degrees of freedom.
    bounds : float or (float, float)
        The region; there is no default.
    rule : {"classic", "cet", "bayes"}
        ``classic``: interval of level ``2 conf_level - 1`` inside the region: equivalent; coefficient different
        from 0 at ``conf_level``: different. ``cet``: different wins over equivalent (conditional testing, Campbell and
        Gustafson 2018). ``bayes``: interval of level ``conf_level`` inside: equivalent, outside: different.
    conf_level : float
        Level.
    terms : list of str, optional
        Names.

    Returns
    -------
    RopeResult
        With ``overlap`` (share of the interval inside the region) and ``p_value_equiv``.

        Columns: ``term`` (what the row is of), ``estimate`` (what is estimated, from the data themselves),
        ``std_error`` (standard error), ``df`` (degrees of freedom), ``p_value`` (p-value of the ordinary
        test), ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit of the interval),
        ``conf_level`` (level of the interval), ``bound_low`` (lower margin), ``bound_high`` (upper margin),
        ``overlap`` (overlap), ``p_value_equiv`` (p-value of equivalence, the larger of the one-sided ones),
        ``decision`` (equivalent, different, ..., or undecided), ``method`` (how the interval or test was
        made).

    Raises
    ------
    InputError
        If ``rule`` is unknown.
    MarginError
        If there is no region.

    See Also
    --------
    rope, lmm, tost

    References
    ----------
    .. [1] Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power approach
       for assessing the equivalence of average bioavailability. Journal of Pharmacokinetics and
       Biopharmaceutics, 15(6), 657–680. https://doi.org/10.1007/BF01068419
    .. [2] Kruschke, J. K. (2018). Rejecting or accepting parameter values in Bayesian estimation. Advances in
       Methods and Practices in Psychological Science, 1(2), 270–280. https://doi.org/10.1177/2515245918771304

    Examples
    --------
    >>> found = coefficient_equivalence([0.002], [0.004], [45], bounds=0.015)
    >>> found.tidy()["decision"].item()
    'equivalent'
    """
    margin = as_margin(bounds)
    choice("rule", rule, RULES)
    if rule != "bayes":  # the interval has level 2 conf_level - 1
        number("conf_level", conf_level, above=0.5, below=1)
    given = {"estimate": estimate, "std_error": std_error, "df": df}
    found = [
        np.array(numbers(k, v, **({} if k == "estimate" else {"above": 0})))
        for k, v in given.items()
    ]
    sizes = sorted({len(v) for v in found} - {1})
    if len(sizes) > 1:
        raise InputError("std_error, df", f"{sizes} values", "one per estimate, or one for all")
    b, se, dof = np.broadcast_arrays(*found)
    terms = (
        None if terms is None else list(items("terms", terms, "one per estimate", length=len(b)))
    )
    low, high = margin.low, margin.high
    level = conf_level if rule == "bayes" else 2 * conf_level - 1
    half = stdtrit(dof, (1 + level) / 2) * se
    c_low, c_high = b - half, b + half
    inside = (c_low >= low) & (c_high <= high)
    p_value = 2 * stdtr(dof, -np.abs(b / se))
    different = p_value < 1 - conf_level
    if rule == "bayes":
        outside = (c_high < low) | (c_low > high)
        decision = np.where(inside, "equivalent", np.where(outside, "different", "undecided"))
    elif rule == "classic":
        decision = np.where(inside, "equivalent", np.where(different, "different", "undecided"))
    else:
        decision = np.where(different, "different", np.where(inside, "equivalent", "undecided"))
    with np.errstate(divide="ignore", invalid="ignore"):
        overlap = (np.minimum(c_high, high) - np.maximum(c_low, low)) / (c_high - c_low)
    equiv = np.maximum(stdtr(dof, -(b - low) / se), stdtr(dof, (b - high) / se))
    table = pd.DataFrame(
        {
            "term": terms if terms is not None else [f"b{i + 1}" for i in range(len(b))],
            "estimate": b,
            "std_error": se,
            "df": dof,
            "p_value": p_value,
            "conf_low": c_low,
            "conf_high": c_high,
            "conf_level": level,
            "bound_low": low,
            "bound_high": high,
            "overlap": np.clip(overlap, 0.0, 1.0),
            "p_value_equiv": equiv,
            "decision": decision,
            "method": rule,
        }
    )
    info = Info(
        estimand="coefficient",
        margin_origin=margin.origin,
        method=f"equivalence of coefficients, rule {rule}",
        extra={"decision_rule": rule},
        margin=margin.words(),
        conf_level=level,
    )
    return RopeResult(table, info, Provenance())
