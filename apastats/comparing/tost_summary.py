"""`tost_summary`: the t tests with a margin from summary numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from apastats.arguments import applies, choice, number, whole
from apastats.comparing.decisions import check_alpha, check_hypothesis
from apastats.comparing.effect_beside import columns_of
from apastats.comparing.equivalence import EquivalenceResult
from apastats.comparing.margin import ORIGINS, as_margin
from apastats.comparing.rows import claim_words, insert_before, tidy_row
from apastats.errors import InputError, MarginError
from apastats.numbers.few import few_words
from apastats.numbers.standardised import sd_unit, standardised_difference
from apastats.numbers.student import from_summary, in_sd_units, welch_df
from apastats.recording import verb
from apastats.results import Provenance

__all__ = ["tost_summary"]


@verb
def tost_summary(
    mean_x: float,
    sd_x: float,
    n_x: int,
    mean_y: float | None = None,
    sd_y: float | None = None,
    n_y: int | None = None,
    *,
    bounds: Any = None,
    r: float | None = None,
    equal_var: bool = False,
    null: float = 0.0,
    hypothesis: str = "equivalence",
    alpha: float = 0.05,
    effect: str = "g",
    effect_interval: str = "nct",
    small_sample: bool = True,
) -> EquivalenceResult:
    """Run the t tests of :func:`apastats.tost` from means, standard deviations and numbers.

    Parameters
    ----------
    mean_x, sd_x, n_x : float, float, int
        First sample, or the only one.
    mean_y, sd_y, n_y : optional
        Second sample; independent, or matched where ``r`` is given.
    bounds : float, (float, float) or Margin
        The margin; there is no default.
    r : float, optional
        Correlation of matched scores.
    equal_var : bool
        Student instead of Welch.
    null, hypothesis, alpha, effect, effect_interval, small_sample
        As in :func:`apastats.tost`.

    Returns
    -------
    EquivalenceResult

        Columns: ``contrast`` (what is subtracted from what), ``estimate`` (what is estimated, from the data
        themselves), ``std_error`` (standard error), ``statistic`` (test statistic), ``df`` (degrees of
        freedom), ``p_value`` (p-value of the ordinary test), ``conf_low`` (lower limit of the interval),
        ``conf_high`` (upper limit of the interval), ``conf_level`` (level of the interval),
        ``conf_low_difference`` (lower limit beside the ordinary test), ``conf_high_difference`` (upper limit
        beside the ordinary test), ``conf_level_difference`` (level of that interval), ``bound_low`` (lower
        margin), ``bound_high`` (upper margin), ``statistic_low`` (statistic against the lower margin),
        ``statistic_high`` (statistic against the upper margin), ``p_value_noninf`` (p-value against the lower
        margin), ``p_value_nonsup`` (p-value against the upper margin), ``p_value_equiv`` (p-value of
        equivalence, the larger of the one-sided ones), ``effect`` (which effect size it is), ``effect_size``
        (standardised effect), ``effect_se`` (standard error of the effect size), ``effect_low`` (lower limit
        of the effect size), ``effect_high`` (upper limit of the effect size), ``decision`` (equivalent,
        different, ..., or undecided), ``n_subject`` (subjects), ``method`` (how the interval or test was
        made).

    Raises
    ------
    InputError
        If a number is impossible (SD not above 0, fewer than 2 values, correlation outside -1..1).
    MarginError
        If there is no margin, or an impossible one.

    See Also
    --------
    tost, power_tost

    References
    ----------
    .. [1] Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power approach
       for assessing the equivalence of average bioavailability. Journal of Pharmacokinetics and
       Biopharmaceutics, 15(6), 657–680. https://doi.org/10.1007/BF01068419
    .. [2] Lakens, D. (2017). Equivalence tests: A practical primer for t tests, correlations, and
       meta-analyses. Social Psychological and Personality Science, 8(4), 355–362.
       https://doi.org/10.1177/1948550617697177

    Examples
    --------
    >>> found = tost_summary(0.142, 0.031, 10, 0.133, 0.027, 10, r=0.91, bounds=0.02)
    >>> found.tidy()["p_value_equiv"].round(4).item()
    0.0123
    """
    alpha, hypothesis = check_alpha(alpha), check_hypothesis(hypothesis)
    margin = as_margin(bounds)
    if not ORIGINS[margin.origin].arrays:
        raise MarginError(
            "bounds", margin, "a number, a pair, or apa.margin(value, of='sd') for summary numbers"
        )
    design = "one sample" if mean_y is None else "matched" if r is not None else "independent"
    two: dict[str, Any] = {"to": ("matched", "independent"), "chosen": design, "by": "samples"}
    applies("sd_y", sd_y, **two)
    applies("n_y", n_y, **two)
    applies("r", r, **two)
    applies("equal_var", equal_var, to=["independent"], chosen=design, by="samples", default=False)
    for argument, sd, n in (("x", sd_x, n_x), ("y", sd_y, n_y)):
        if argument == "x" or mean_y is not None:
            number(f"sd_{argument}", sd, above=0, most=1e150)
            whole(f"n_{argument}", n, least=2)
    if r is not None:
        number("r", r, least=-1, below=1)
    choice("effect", effect, ("g", "d"))
    # the t test needs mean, standard error and df of the difference, and the margin the SD that is its unit: of the
    # values, of the pairs' differences by var(x - y), or of two samples
    if mean_y is None or sd_y is None or n_y is None:
        estimate, unit, se, df, n = mean_x, sd_x, sd_x / np.sqrt(n_x), n_x - 1.0, n_x
        name = "one-sample t"
        e = standardised_difference(
            mean_x, sd_x, n_x, unbiased=effect == "g", interval=effect_interval, level=1 - 2 * alpha
        )
    else:
        estimate = mean_x - mean_y
        if r is not None:
            if n_x != n_y:
                raise InputError("n_y", n_y, f"{n_x}, as many as x for matched samples")
            unit = float(np.sqrt(sd_x**2 + sd_y**2 - 2 * r * sd_x * sd_y))
            se, df, n, name = unit / np.sqrt(n_x), n_x - 1.0, n_x, "paired t"
        else:
            unit = sd_unit(sd_x, n_x, sd_y, n_y, equal_var)
            n, name = n_x + n_y, "Student t" if equal_var else "Welch t"
            if equal_var:
                df, se = n - 2.0, unit * np.sqrt(1 / n_x + 1 / n_y)
            else:
                v_x, v_y = np.asarray(sd_x**2), np.asarray(sd_y**2)
                df = float(welch_df(v_x, np.asarray(n_x), v_y, np.asarray(n_y)))
                se = float(np.sqrt(v_x / n_x + v_y / n_y))
        e = standardised_difference(
            mean_x,
            sd_x,
            n_x,
            mean_y,
            sd_y,
            n_y,
            r=r,
            unbiased=effect == "g",
            equal_var=equal_var,
            interval=effect_interval,
            level=1 - 2 * alpha,
        )
    low, high = margin.low, margin.high
    if margin.origin == "sd":
        low, high = low * unit, high * unit
    point, error, dof, below, above = (np.array([float(v)]) for v in (estimate, se, df, low, high))
    tested = from_summary(point, error, dof, below, above, np.array([n]), alpha=alpha, null=null)
    in_sd = margin.origin == "sd"
    if in_sd and small_sample:
        tested = in_sd_units(tested, below, above, alpha)
    few = few_words("t", "", int(n), "value", corrected=small_sample, two=False, sd_units=in_sd)
    table = tidy_row(tested, low, high, alpha, hypothesis, name, mean_y is not None)
    table = insert_before(table, "decision", columns_of(e))
    what = f"{name} test from summary numbers" + (f"; {few}" if few else "")
    info = claim_words(what, name, "t", hypothesis, margin, alpha, int(n), "", null).but(
        article="the", effect_interval=effect_interval
    )
    return EquivalenceResult(table, info, Provenance())
