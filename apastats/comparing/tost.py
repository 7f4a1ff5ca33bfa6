"""`tost`: the tests with a margin on plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from apastats import arguments
from apastats.arguments import samples
from apastats.comparing.choices import (
    MATCHED_TESTS,
    STATISTICS,
    TWO_TESTS,
    Choice,
    choose,
    combine,
    matched,
)
from apastats.comparing.decisions import check_alpha, check_hypothesis
from apastats.comparing.effect_beside import EFFECTS, effect_beside
from apastats.comparing.equivalence import EquivalenceResult
from apastats.comparing.margin import ORIGINS, Margin, as_margin, ratio_margin, ratio_words
from apastats.comparing.monte_carlo import with_p_errors
from apastats.comparing.rows import claim_words, insert_before, tidy_row
from apastats.errors import AssumptionWarning, DesignError, InputError, MarginError, warn
from apastats.numbers.location import Located
from apastats.numbers.moments import moments, rounding, size_of
from apastats.numbers.standardised import sd_unit
from apastats.numbers.student import in_sd_units
from apastats.numbers.tested import Tested
from apastats.recording import verb
from apastats.resampling.plans import Plan, Resamples
from apastats.resampling.quantiles import QuantileRule
from apastats.resampling.two_samples import (
    bootstrap_two,
    effect_two,
    permutation_two,
    rank_two,
    student_two,
    trimmed_two,
    two_sample_draws,
    two_sample_few,
)
from apastats.results import Provenance
from apastats.seeds import RngLike, recorded_seed

__all__ = ["tost"]


LOGNORMAL_SKEWNESS = 1.75
SKEW_MATTERS = ("equivalence", "noninferiority", "nonsuperiority")


@verb
def tost(
    x: ArrayLike,
    y: ArrayLike | None = None,
    *,
    bounds: Any = None,
    test: str = "t",
    paired: bool = True,
    equal_var: bool = False,
    null: float | None = None,
    hypothesis: str = "equivalence",
    alpha: float = 0.05,
    effect: str = "auto",
    effect_interval: str = "auto",
    denominator: str = "auto",
    trim: float | None = None,
    exact: bool | None = None,
    interval: str = "studentized",
    quantile_rule: QuantileRule = "linear",
    ties: str = "half",
    n_resamples: Resamples = "auto",
    rng: RngLike = None,
    plan: Plan | None = None,
    small_sample: bool = True,
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
        pooled for Student; root mean square of both SDs for Welch). For ``log_ratio`` a ratio: ``1.25`` stands
        for ``(0.8, 1.25)``. For ``brunner_munzel`` probabilities, such as ``(0.25, 0.75)``.
    test : str
        One sample or matched: ``t, trimmed, wilcoxon, bootstrap, sign_flip, permutation``, matched also
        ``log_ratio``. Independent: ``t, trimmed, wilcoxon, brunner_munzel, bootstrap, permutation, log_ratio``.
    paired : bool
        Whether ``y`` is matched with ``x``.
    equal_var : bool
        Student instead of Welch for independent samples.
    null : float, optional
        Value of the ordinary test alone: 0, or 0.5 for ``brunner_munzel``. The bounds do not move with it: they are
        values of the estimate itself, so minus and plus 0.05 lie around 0 whatever ``null`` is.
    hypothesis : {"equivalence", "minimal_effect", "noninferiority", "nonsuperiority", "superiority"}
        The claim; other than equivalence adds ``p_value_claim`` and ``claim_shown``.
    alpha : float
        Level of each one-sided test; the interval has level ``1 - 2 alpha``.
    effect : {"auto", "g", "d", "rank_biserial", "superiority", "none"}
        Effect size reported beside the test; ``auto`` is Hedges's g, the rank-biserial correlation for rank tests.
    effect_interval : str
        See :func:`apastats.effect_size` (``interval`` or ``rank_interval``); bootstrap tests use their own interval.
    denominator : {"auto", "z", "rm", "x", "y"}
        SD of the standardised difference.
    trim : float, optional
        Share cut from each end (``trimmed``: 0.1; ``permutation`` of one sample or pairs: 0).
    exact : bool, optional
        Exact distribution of rank tests, ties included; None: up to 50 subjects (a group).
    interval : {"studentized", "bca", "basic", "percentile", "normal"}
        Bootstrap interval that the test inverts.
    quantile_rule, ties : str
        Quantiles of the replicates (``linear`` or ``boot``) and how replicates equal to the estimate count for the
        bias of bca (``half`` or ``below``).
    n_resamples : "auto", "exact" or int
        Enumerated where the number of subjects allows.
    rng : int, Generator, SeedSequence or None
        For sampled plans.
    plan : Plan, optional
        A resampling plan to replay, of one sample or pairs.
    small_sample : bool
        Whether resampling tests that are liberal with few units are corrected: the level of the percentile, basic,
        bca and normal bootstrap is read on the scale of Student's t, the relabelling test of two samples claims only
        what Welch's t claims too, the interval of ``permutation`` for one sample or pairs inverts its test, and for
        bounds in SD units ``t`` is a noncentral t, as the SD is estimated. False gives the plain forms of other
        programs.

    Returns
    -------
    EquivalenceResult
        One row.

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
    MarginError
        If there is no margin, or an impossible one.
    DesignError
        If a sample has fewer than two values or no variation.
    InputError
        If an argument is not allowed.

    See Also
    --------
    tost_summary, equivalence, margin, effect_size

    Notes
    -----
    Schuirmann (1987), J Pharmacokinet Biopharm 15:657; ``p_equiv = max(p(above low), p(below high))``. Minimal
    effect: the smaller of the two one-sided p-values outside the bounds.

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
    >>> result = tost([0.11, 0.13, 0.12, 0.15], [0.12, 0.12, 0.13, 0.14], bounds=0.03)
    >>> result.tidy()["decision"].item()
    'equivalent'
    """
    alpha, hypothesis = check_alpha(alpha), check_hypothesis(hypothesis)
    single = y is None or paired
    allowed = MATCHED_TESTS if single else TWO_TESTS
    choice = choose(
        test,
        allowed,
        trim=trim,
        exact=exact,
        interval=interval,
        quantile_rule=quantile_rule,
        ties=ties,
        n_resamples=n_resamples,
        rng=rng,
        plan=plan,
        small_sample=small_sample,
    )
    arguments.choice("effect", effect, ("auto", *EFFECTS))
    _check_read(single, test, equal_var, trim, plan)
    first, second = samples(x, y, paired)
    margin = ratio_margin(bounds) if test == "log_ratio" else as_margin(bounds)
    if not ORIGINS[margin.origin].arrays:
        raise MarginError(
            "bounds", margin, "a number, a pair, or apa.margin(value, of='sd') for plain arrays"
        )
    if test == "log_ratio":
        first, second = _logs(first, second)
    null = (0.5 if test == "brunner_munzel" else 0.0) if null is None else float(null)
    low, high = _bounds_in_units(margin, first, second, single, equal_var)
    if single:
        d = first if second is None else first - second
        tested = matched(
            d[:, None],
            np.array([low]),
            np.array([high]),
            choice,
            alpha=alpha,
            null=null,
            size=size_of(first, second),
        )
    else:
        other = _require(second)
        tested = _independent(first, other, low, high, null, choice, equal_var, alpha)
    # a bound of b estimated SDs moves with the data: with a mean of b SDs mean / (s / sqrt(n)) is a noncentral t of b
    # sqrt(n), which the corrected test takes, and not a t about b sqrt(n)
    in_sd = margin.origin == "sd"
    if in_sd and test == "t" and choice.small_sample:
        tested = in_sd_units(tested, np.array([low]), np.array([high]), alpha)
    if not np.isfinite(tested.p_value).all():
        raise _no_variation()
    name, what, resampled = allowed[test]
    name = _test_name(name, second is not None, equal_var)
    table = tidy_row(tested, low, high, alpha, hypothesis, name, second is not None)
    if test == "brunner_munzel":
        table["contrast"] = "P(x > y)"
    _warn_of_skewness(first, second, table, alpha, (hypothesis, test, single, in_sd))
    beside = effect_beside(
        effect, effect_interval, first, second, paired, equal_var, denominator, choice, alpha
    )
    if test == "log_ratio":
        ends = {"ratio": "estimate", "ratio_low": "conf_low", "ratio_high": "conf_high"}
        beside |= {column: np.exp(table[source]) for column, source in ends.items()}
    table = insert_before(table, "decision", beside)
    n = int(tested.n[0])
    apart = None if single else second
    made = _made(choice, first, apart)
    draws = 0 if made.get("exact", True) or plan is not None else int(made["n_resamples"])
    table, chance = _sampled_errors(table, choice, first, apart, draws, alpha)
    few = choice.said_of_few(n, two=not single, sd_units=in_sd)
    what += f"; {few}" if few else ""
    info = claim_words(
        f"{name} test: {what}",
        name,
        STATISTICS[test] if single or test != "wilcoxon" else "W",
        hypothesis,
        margin,
        alpha,
        n,
        resampled,
        null,
    ).but(
        article="the",
        **made,
        **_measured(test, margin),
        effect_interval=None if effect_interval == "auto" else effect_interval,
    )
    seed = recorded_seed(choice.rng) if draws else ""
    notes = (*choice.notes(n, two=not single, sd_units=in_sd), *chance)
    return EquivalenceResult(table, info, Provenance(seed=seed), notes=notes)


def _check_read(
    single: bool, test: str, equal_var: bool, trim: float | None, plan: Plan | None
) -> None:
    """Refuse options that tests of such samples do not read."""
    pairs = "one sample or matched" if single else "independent"
    arguments.applies(
        "equal_var", equal_var, to=["independent"], chosen=pairs, by="samples", default=False
    )
    if not single:
        arguments.applies("trim", trim, to=["trimmed"], chosen=test)
        arguments.applies("plan", plan, to=["one sample or matched"], chosen=pairs, by="samples")


def _made(choice: Choice, x: np.ndarray, y: np.ndarray | None) -> dict[str, Any]:
    """Settings that belong into ``info``; ``y`` is a second, independent sample, which has a plan of its own."""
    words = choice.words()
    if y is not None and choice.resamples:
        number, exact = two_sample_draws(
            choice.test, len(x), len(y), choice.n_resamples, choice.rng
        )
        words |= {"n_resamples": number, "exact": exact}
    return words


def _warn_of_skewness(
    x: np.ndarray,
    y: np.ndarray | None,
    table: pd.DataFrame,
    alpha: float,
    asked: tuple[str, str, bool, bool],
) -> None:
    """Warn where a claim hangs on the symmetry of the differences: it is gone once t allows for their skewness.

    Differences of two samples are symmetric where the two are alike but for a shift, so that what is seen of their
    skewness is allowed for. One sample can be skewed whatever it is held against, and few values that are so close
    together that a claim follows hardly show it: then as much as they cannot exclude, up to that of a lognormal with
    sigma 0.5, under which t claims falsely in 11 % at 8 and in 8 % at 40 values.
    """
    from scipy.special import stdtr

    hypothesis, test, single, in_sd = asked
    if test != "t" or not single or in_sd or hypothesis not in SKEW_MATTERS:
        return
    row, d = table.iloc[0], x if y is None else x - y
    n, e = len(d), d - d.mean()
    s, seen, unseen = d.std(ddof=1), 0.0, 0.0
    if n > 2:  # two values are symmetric, and exclude no skewness
        seen = (e**3).mean() / s**3 * n**2 / ((n - 1) * (n - 2))
    if y is None and n == 2:
        unseen = np.inf
    elif y is None:
        # 1.645 standard errors of the skewness of n normal values (Fisher 1930)
        unseen = 1.645 * np.sqrt(6.0 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))
    for name, side, sign in (("noninf", "low", 1.0), ("nonsup", "high", -1.0)):
        gap = d.mean() - row[f"bound_{side}"]
        harmful = -sign * seen
        skewed = -sign * max(harmful, min(harmful + unseen, LOGNORMAL_SKEWNESS))
        third = skewed * s**3
        # Johnson (1978), Journal of the American Statistical Association 73:536
        t = (gap + third / (6 * s**2 * n) + third / (3 * s**4) * gap**2) / (s / np.sqrt(n))
        far = abs(gap) > 3 * s / np.sqrt(n)
        if row[f"p_value_{name}"] <= alpha < float(stdtr(n - 1, -sign * t)) and not far:
            text = (
                f"tost: the claim of {'non-inferiority' if sign > 0 else 'non-superiority'} hangs on the symmetry of "
                f"the differences (skewness {seen:.1f}"
                f"{f', of which {n} values exclude no more than {skewed:.1f}' if unseen else ''}); "
                "in Python: test='bootstrap' allows for what is seen of it"
            )
            warn(text, AssumptionWarning)


def _test_name(name: str, two: bool, equal_var: bool) -> str:
    """The name of a test as it was run: on one sample, or with one variance for both."""
    if not two:
        name = name.replace("paired t", "one-sample t")
    if equal_var:
        name = name.replace("Yuen-Welch", "Yuen").replace("Welch", "Student")
    return name


def _measured(test: str, margin: Margin) -> dict[str, Any]:
    """Words of tests that are of something else than a difference of scores."""
    if test == "log_ratio":
        return {"estimand": "difference of logarithms", "margin": ratio_words(margin)}
    if test == "brunner_munzel":
        return {"estimand": "probability", "margin": margin.words("as a probability")}
    return {}


def _sampled_errors(
    table: pd.DataFrame,
    choice: Choice,
    x: np.ndarray,
    y: np.ndarray | None,
    draws: int,
    alpha: float,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Monte-Carlo errors of the p-values where resamples were drawn; ``y`` is a second, independent sample."""
    if not draws:
        return table, ()
    boot = choice.test == "bootstrap"
    few = choice.few(len(x))
    if y is not None and few is not None:
        few = two_sample_few(x, y)
    interval = choice.interval if boot else "percentile"
    return with_p_errors(table, alpha, draws=draws, interval=interval, few=few)


def _no_variation() -> DesignError:
    return DesignError("x: the differences have no variation; a test is not defined")


def _require(second: np.ndarray | None) -> np.ndarray:
    if second is None:
        raise InputError("y", None, "a second sample for paired=False")
    return second


def _logs(x: np.ndarray, y: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    if y is None:
        raise InputError("y", None, "a second sample for test='log_ratio'")
    for name, sample in (("x", x), ("y", y)):
        if (sample <= 0).any():
            raise InputError(name, float(sample.min()), "positive scores for test='log_ratio'")
    return np.log(x), np.log(y)


def _bounds_in_units(
    margin: Margin, x: np.ndarray, y: np.ndarray | None, single: bool, equal_var: bool
) -> tuple[float, float]:
    if margin.origin != "sd":
        return margin.low, margin.high
    if y is None or single:
        unit = float(moments(x if y is None else x - y, size=size_of(x, y))[2])
    else:
        unit = sd_unit(x.std(ddof=1), len(x), y.std(ddof=1), len(y), equal_var)
    return margin.low * unit, margin.high * unit


def _independent(
    x: np.ndarray,
    y: np.ndarray,
    low: float,
    high: float,
    null: float,
    choice: Choice,
    equal_var: bool,
    alpha: float,
) -> Tested:
    """Ordinary and one-sided tests of two independent samples."""
    small = float(rounding(x, y, np.array([low, high, null])))
    # values that are one but for rounding are one: no replicate may take their last digits for a spread
    x, y = (np.full(len(v), v[0]) if np.ptp(v) <= small else v for v in (x, y))
    if choice.test in ("permutation", "bootstrap") and not (np.ptp(x) or np.ptp(y)):
        raise _no_variation()

    def run(shift: float, alpha: float = alpha) -> Located:
        if choice.test == "brunner_munzel":
            return effect_two(x, y, alpha, shift, small)
        if choice.test == "wilcoxon":
            return rank_two(x - shift, y, alpha, exact=choice.exact, small=small)
        if choice.test == "trimmed":
            return trimmed_two(x - shift, y, alpha, trim=choice.trim, equal_var=equal_var)
        if choice.test == "permutation":
            return permutation_two(
                x - shift,
                y,
                alpha,
                n_resamples=choice.n_resamples,
                rng=choice.rng,
                small_sample=choice.small_sample,
            )
        if choice.test == "bootstrap":
            return bootstrap_two(
                x - shift,
                y,
                alpha,
                n_resamples=choice.n_resamples,
                rng=choice.rng,
                interval=choice.interval,
                quantile_rule=choice.quantile_rule,
                ties=choice.ties,
                small_sample=choice.small_sample,
            )
        return student_two(x - shift, y, alpha, equal_var=equal_var)

    if choice.test == "brunner_munzel" and not 0 <= low < high <= 1:
        raise MarginError("bounds", (low, high), "two probabilities, the lower one first")
    # P(X > Y) is not shifted: its null is an argument of its test
    back = 0.0 if choice.test == "brunner_munzel" else null
    return combine(run(null), run(null, alpha / 2), run(low), run(high), len(x) + len(y), back=back)
