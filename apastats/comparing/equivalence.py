"""`equivalence`: paired comparisons of models with a margin, on a score table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats.arguments import choice, instance
from apastats.comparing.against_best import VARIANCES
from apastats.comparing.choices import (
    MATCHED_TESTS,
    STATISTICS,
    Choice,
    choose,
    compared_with,
    drawn_beside,
    every_pair,
    tested_by,
)
from apastats.comparing.decisions import (
    HYPOTHESES,
    NOT_CONCLUDED,
    check_alpha,
    check_hypothesis,
    claim_p,
    outcomes,
)
from apastats.comparing.families import (
    CLOSED,
    JOINT,
    JOINT_KINDS,
    Contrasts,
    check_family,
    out_of_reach,
    pair_effects,
    run_family,
)
from apastats.comparing.incomplete import left_out, pairwise
from apastats.comparing.many_pairs import (
    Shown,
    check_top,
    kept_rows,
    n_contrasts,
    shown_note,
    shown_words,
)
from apastats.comparing.margin import Bounds, as_margin, ratio_margin, ratio_words
from apastats.comparing.monte_carlo import with_p_errors
from apastats.comparing.rows import insert_before
from apastats.errors import DegenerateWarning, DesignError, InputError, warn
from apastats.numbers.standardised import sd_bounds
from apastats.printable import counted
from apastats.recording import verb
from apastats.resampling.plans import Resamples
from apastats.results import Provenance, Result
from apastats.seeds import RngLike
from apastats.table import Block, Kinds, ScoreTable, averaged_block
from apastats.words import CHOSEN_LAYERS, STIMULI, Drawn, Held, Info, Outcome, in_cells, with_scope

__all__ = ["EquivalenceResult", "equivalence"]


class EquivalenceResult(Result):
    """Ordinary and equivalence tests of differences.

    ``table``: the by-columns, ``contrast`` ("a - b"), ``model``, ``reference``, ``estimate, std_error, statistic,
    df, p_value, p_value_adjusted, conf_low, conf_high, conf_level`` (1 - 2 alpha: inside the bounds where both one-
    sided tests reject), ``conf_low_difference, conf_high_difference, conf_level_difference`` (1 - alpha: without 0
    where the ordinary test rejects), ``conf_low_joint, conf_high_joint, conf_level_joint`` and
    ``conf_low_joint_margin, conf_high_joint_margin, conf_level_joint_margin`` (the same for all contrasts of a
    family together), ``effect, effect_size, effect_low, effect_high, bound_low, bound_high, statistic_low,
    statistic_high, p_value_noninf, p_value_nonsup, p_value_equiv, p_value_noninf_adjusted, p_value_nonsup_adjusted,
    p_value_equiv_adjusted, decision, n_subject, method``.
    ``arrays["differences"]`` is ``[n_subject, n_row]``, NaN where a subject lacks
    one of the two.
    """

    kind: ClassVar[str] = "equivalence"


@verb
def equivalence(
    formula: str,
    data: ScoreTable,
    *,
    bounds: Any = None,
    reference: str | None = None,
    test: str = "t",
    hypothesis: str = "equivalence",
    adjust: str = "holm",
    family: str = "all",
    alpha: float = 0.05,
    cluster: str = "subject",
    within: Any = None,
    kind: Kinds = "model",
    trim: float | None = None,
    exact: bool | None = None,
    interval: str = "studentized",
    n_resamples: Resamples = "auto",
    rng: RngLike = None,
    small_sample: bool = True,
    variance: str | None = None,
    top: int | str = "auto",
) -> EquivalenceResult:
    """Test whether models are equivalent, different, both or neither, within a stated margin.

    Parameters
    ----------
    formula : str
        ``"score ~ model | roi"``: the outcome, what is compared, and separately within what.
    data : ScoreTable
        One row per cluster, compared group and cell; subjects are matched, and a contrast uses the subjects that
        have both values.
    bounds : float, (float, float) or Margin
        The margin; there is no default. A number stands for minus and plus it; see :func:`apastats.margin`.
    reference : str, optional
        None: all pairs. A name: every other model minus it. ``"best"``: every other model minus the model with
        the highest mean of each cell (over the subjects that have all of its models); see Notes.
    test : {"t", "trimmed", "wilcoxon", "bootstrap", "sign_flip", "permutation", "log_ratio"}
        Test over the clusters, as in :func:`apastats.tost`. With ``log_ratio`` the bounds are ratios.
    hypothesis : {"equivalence", "minimal_effect", "noninferiority", "nonsuperiority", "superiority"}
        The claim; other than equivalence adds ``p_value_claim``, ``p_value_claim_adjusted`` and ``claim_shown``.
    adjust : str
        Adjustment for multiplicity: those of :func:`apastats.adjust_p`; ``"max-t"`` and ``"max-t-step-down"`` from the
        joint sign-flip distribution over models and cells; ``"tukey"`` (all pairs, complete data, pooled variance);
        ``"closed"`` (closure with Simes tests, the p-values of Hommel); ``"hierarchical"`` (``family="all"``: first
        whole cells, then the contrasts of cells that pass; valid under any dependence).
    family : {"all", "cell"}
        Tests that are adjusted together: all contrasts of all cells, or those of each cell.
    alpha : float
        Level of each (adjusted) test; the interval has level ``1 - 2 alpha``.
    cluster : str
        Column of the independent units.
    within : str or sequence of str, optional
        Columns (e.g. ``"roi"``) averaged inside each cluster first.
    kind : str, sequence of str or None
        Rows of this kind, or of these kinds, enter; None takes all.
    trim, exact, interval, n_resamples, rng, small_sample
        Settings of the test, as in :func:`apastats.tost`; ``n_resamples`` and ``rng`` also of max-t.
    variance : {"moderated", "separate", "pooled"}, optional
        For ``reference="best"`` with ``test="t"``: variances of the differences drawn to a common value as far as the
        data of all cells show that there is one (the default), each its own, or one for all.
    top : "auto", "all" or int
        Rows of the table: those with the smallest p-values of the claim. ``"auto"``: all up to 100,000, else 1,000.
        All contrasts are tested and adjusted whatever is shown; a note counts their decisions.

    Returns
    -------
    EquivalenceResult

        Columns: ``roi`` (region), ``contrast`` (what is subtracted from what), ``model`` (model, or what is
        compared), ``reference`` (what is compared with), ``estimate`` (what is estimated, from the data
        themselves), ``std_error`` (standard error), ``statistic`` (test statistic), ``df`` (degrees of
        freedom), ``p_value`` (p-value of the ordinary test), ``p_value_adjusted`` (p-value adjusted over the
        family), ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit of the interval),
        ``conf_level`` (level of the interval), ``conf_low_difference`` (lower limit beside the ordinary
        test), ``conf_high_difference`` (upper limit beside the ordinary test), ``conf_level_difference``
        (level of that interval), ``conf_low_joint`` (lower limit of the simultaneous interval),
        ``conf_high_joint`` (upper limit of the simultaneous interval), ``conf_level_joint`` (level of the
        simultaneous intervals), ``conf_low_joint_margin`` (lower limit of the simultaneous interval of the
        margin), ``conf_high_joint_margin`` (upper limit of the simultaneous interval of the margin),
        ``conf_level_joint_margin`` (level of those intervals), ``effect`` (which effect size it is),
        ``effect_size`` (standardised effect), ``effect_low`` (lower limit of the effect size),
        ``effect_high`` (upper limit of the effect size), ``bound_low`` (lower margin), ``bound_high`` (upper
        margin), ``statistic_low`` (statistic against the lower margin), ``statistic_high`` (statistic against
        the upper margin), ``p_value_noninf`` (p-value against the lower margin), ``p_value_nonsup`` (p-value
        against the upper margin), ``p_value_equiv`` (p-value of equivalence, the larger of the one-sided
        ones), ``p_value_noninf_adjusted`` (adjusted p-value against the lower margin),
        ``p_value_nonsup_adjusted`` (adjusted p-value against the upper margin), ``p_value_equiv_adjusted``
        (adjusted p-value of equivalence), ``decision`` (equivalent, different, ..., or undecided),
        ``n_subject`` (subjects), ``method`` (how the interval or test was made).

    Raises
    ------
    MarginError
        If there is no margin, or an impossible one.
    DesignError
        If there are fewer than two groups or clusters.
    InputError
        If an argument is not allowed.

    See Also
    --------
    tost, margin, equivalence_set, margin_curve, compare

    Notes
    -----
    Two one-sided tests (Schuirmann 1987): ``t_low = (d - low) / se``, ``t_high = (d - high) / se``; the equivalence
    p-value is the larger of the two one-sided ones, and it is at most alpha exactly when the ``1 - 2 alpha``
    interval lies inside the bounds.

    With ``reference="best"`` nobody knows which model is best. A model is *equivalent to the best* where it is shown
    not to be worse than **every** other model by the margin (an intersection-union test, Berger 1982: its level holds
    whichever is best), and *different* where it is shown to be worse than some other (Bonferroni over the others). The
    adjustment runs over all models of all cells (``family="cell"``: of each cell). An estimated margin is part of each
    contrast, ``a - b + f c`` with the subjects' own ceilings c. :func:`apastats.equivalence_set` makes the same claims.
    Tests other than t, and the joint adjustments, take all pairs as the family instead.

    References
    ----------
    .. [1] Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power approach
       for assessing the equivalence of average bioavailability. Journal of Pharmacokinetics and
       Biopharmaceutics, 15(6), 657–680. https://doi.org/10.1007/BF01068419
    .. [2] Lakens, D. (2017). Equivalence tests: A practical primer for t tests, correlations, and
       meta-analyses. Social Psychological and Personality Science, 8(4), 355–362.
       https://doi.org/10.1177/1948550617697177
    .. [3] Berger, R. L. (1982). Multiparameter hypothesis testing and acceptance sampling. Technometrics,
       24(4), 295–300. https://doi.org/10.1080/00401706.1982.10487790

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=8, n_layer=1, rois=["V1", "V4"], rng=1)
    >>> scores = study.scores.where(kind="model", split="test")
    >>> found = apa.equivalence(
    ...     "score ~ model | roi", scores, bounds=0.05, reference="model_01"
    ... ).tidy()
    >>> found.loc[found["contrast"] == "model_02 - model_01", "decision"].tolist()
    ['equivalent', 'equivalent']
    """
    margin = ratio_margin(bounds) if test == "log_ratio" else as_margin(bounds)
    alpha, hypothesis = check_alpha(alpha), check_hypothesis(hypothesis)
    reference = every_pair(reference)
    adjust = check_family(adjust, family, test, reference)
    choice = choose(
        test,
        MATCHED_TESTS,
        trim=trim,
        exact=exact,
        interval=interval,
        n_resamples=n_resamples,
        adjust=adjust,
        rng=rng,
        small_sample=small_sample,
    )
    block = usable_block(
        data,
        formula,
        "equivalence",
        cluster=cluster,
        within=within,
        kind=kind,
        log=test == "log_ratio",
    )
    limits = margin.resolve(block)
    variance = _check_variance(variance, test, reference, adjust)
    rows = kept_rows(check_top(top), n_contrasts(block, reference))
    if test == "log_ratio":
        limits = replace(limits, words=ratio_words(margin))
    found = run_family(
        block,
        limits,
        reference,
        choice,
        adjust=adjust,
        family=family,
        alpha=alpha,
        hypothesis=hypothesis,
        variance=variance,
        top=rows,
    )
    pair, cell = found.rows(block, reference)
    table = contrast_table(block, found, pair, cell, alpha, test, adjust)
    table = _add_bounds(table, found, pair, cell, limits, alpha, hypothesis)
    table, chance = sampled_errors(table, found, choice, len(block.clusters), alpha)
    notes = (
        *warn_undefined(table, "p_value_equiv", found.shown),
        *warn_no_effect(table),
        *shown_note(
            found.shown,
            "p-values of equivalence" if hypothesis == "equivalence" else "p-values of the claim",
        ),
        *chance,
        *choice.notes(len(block.clusters), block.cluster, sd_units=limits.sd_units),
        *filter(None, [left_out(block) if found.sided else pairwise(block)]),
        *out_of_reach(choice, adjust, found.size, len(block.clusters), alpha),
    )
    info = _words(
        block, limits, reference, hypothesis, choice, adjust, family, found, alpha, within,
        data.outcome(block.formula.outcome),
    ).but(variance=variance if reference == "best" else None, **shown_words(found.shown))  # fmt: skip
    arrays = {
        "differences": found.differences[:, pair, cell],
        "subjects": np.asarray(block.clusters, dtype=str),
    }
    return EquivalenceResult(
        table, info, Provenance(data_hash=data.hash, seed=choice.seed()), arrays, notes
    )


def usable_block(
    data: Any,
    formula: str,
    verb: str,
    *,
    cluster: str,
    within: Any,
    kind: Kinds,
    log: bool = False,
) -> Block:
    """Block with at least two groups and two clusters, its logs where asked."""
    instance("data", data, ScoreTable)
    block = averaged_block(data, formula, cluster=cluster, within=within, kind=kind)
    if len(block.groups) < 2:
        raise DesignError(
            f"{verb}: {block.formula} compares {len(block.groups)} group; at least 2 are needed"
        )
    if len(block.clusters) < 2:
        raise DesignError(f"{verb}: {len(block.clusters)} {cluster}; at least 2 are needed")
    if log:
        low = np.nanmin(block.values)
        if low <= 0:
            raise InputError("data", float(low), "positive scores for test='log_ratio'")
        block = replace(block, values=np.log(block.values))
    return block


def _check_variance(variance: str | None, test: str, reference: str | None, adjust: str) -> str:
    """Pooling of variances; an option of t tests against the best."""
    if variance is None:
        return "moderated"
    choice("variance", variance, VARIANCES)
    if test != "t" or reference != "best" or adjust in (*JOINT, *CLOSED):
        raise InputError(
            "variance",
            variance,
            "None: it belongs to test='t' with reference='best' and an adjustment that is not a joint one",
        )
    return variance


def contrast_table(
    block: Block,
    found: Contrasts,
    pair: np.ndarray,
    cell: np.ndarray,
    alpha: float,
    test: str,
    adjust: str,
    alternative: str | None = None,
) -> pd.DataFrame:
    """Estimates, ordinary tests, intervals and effect sizes of the chosen rows.

    The intervals are those of the two one-sided tests and of the two-sided one; with an ``alternative`` there is no
    margin, and there is that of the test alone.
    """
    labels = np.asarray(block.group_labels(), dtype=object)
    tested = found.tested

    def pick(x: np.ndarray) -> np.ndarray:
        return np.asarray(x[pair, cell])

    columns: dict[str, Any] = {c: block.cells[c].to_numpy()[cell] for c in block.cells.columns}
    model, reference = labels[found.first[pair]], labels[found.second[pair, cell]]
    two_sided = alternative == "two-sided"
    level = 1 - alpha if alternative else 1 - 2 * alpha
    ends = [pick(tested.wide_low), pick(tested.wide_high)]
    plain = ends if two_sided else [pick(tested.conf_low), pick(tested.conf_high)]
    joint = [pick(found.joint_low), pick(found.joint_high)]
    # one-sided tests of an alternative have an open interval, TOST has 1 - 2 alpha: each limit is the inversion of
    # the one-sided test that stands beside it
    beside = alpha / 2 if two_sided else alpha
    g, *g_ends = pair_effects(found.differences[:, pair, cell], beside, found.scores[pair, cell])
    for limits in (plain, joint, g_ends):
        if alternative == "greater":
            limits[1] = np.where(np.isfinite(limits[0]), np.inf, np.nan)
        elif alternative == "less":
            limits[0] = np.where(np.isfinite(limits[1]), -np.inf, np.nan)
    columns |= {
        "contrast": [f"{x} - {y}" for x, y in zip(model, reference, strict=True)],
        block.group_column: model,
        "reference": reference,
        "estimate": pick(tested.estimate),
        "std_error": pick(tested.std_error),
        "statistic": pick(tested.statistic),
        "df": pick(tested.df),
        "p_value": pick(tested.p_value),
        "p_value_adjusted": pick(found.adjusted["p_value"]),
        "conf_low": plain[0],
        "conf_high": plain[1],
        "conf_level": level,
    }
    if alternative is None:
        columns |= {
            "conf_low_difference": ends[0],
            "conf_high_difference": ends[1],
            "conf_level_difference": 1 - alpha,
        }
    columns |= {
        "conf_low_joint": joint[0],
        "conf_high_joint": joint[1],
        "conf_level_joint": 1 - 2 * alpha if found.sided else 1 - alpha,
    }
    if alternative is None:
        columns |= {
            "conf_low_joint_margin": pick(found.margin_low),
            "conf_high_joint_margin": pick(found.margin_high),
            "conf_level_joint_margin": 1 - (alpha if adjust in JOINT else 2 * alpha),
        }
    columns |= {
        "effect": "Hedges's g(z)",
        "effect_size": g,
        "effect_low": g_ends[0],
        "effect_high": g_ends[1],
        "n_subject": pick(tested.n).astype(int),
        "method": "pooled t" if adjust == "tukey" else MATCHED_TESTS[test][0],
    }
    if test == "log_ratio":
        ratios = {"ratio": "estimate", "ratio_low": "conf_low", "ratio_high": "conf_high"}
        columns |= {k: np.exp(columns[v]) for k, v in ratios.items()}
    return pd.DataFrame(columns)


def sampled_errors(
    table: pd.DataFrame, found: Contrasts, choice: Choice, n: int, alpha: float
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Monte-Carlo errors of the p-values where resamples were drawn, and notes of decisions that hang on them."""
    draws = choice.sampled(n)
    if not draws and not found.joint_draws:
        return table, ()
    return with_p_errors(
        table,
        alpha,
        draws=draws,
        interval=choice.interval if choice.test == "bootstrap" else "percentile",
        few=choice.few(n),
        joint_draws=found.joint_draws,
    )


def _add_bounds(
    table: pd.DataFrame,
    found: Contrasts,
    pair: np.ndarray,
    cell: np.ndarray,
    limits: Bounds,
    alpha: float,
    hypothesis: str,
) -> pd.DataFrame:
    """Columns of the tests against the bounds, and the decision, in front of ``n_subject``."""
    tested, adjusted = found.tested, found.adjusted
    low, high = (b[cell] for b in found.bounds or (limits.low, limits.high))
    if limits.sd_units:
        low, high = sd_bounds(low, high, found.differences[:, pair, cell], found.scores[pair, cell])
    columns: dict[str, Any] = {
        "bound_low": low,
        "bound_high": high,
        "statistic_low": tested.statistic_low[pair, cell],
        "statistic_high": tested.statistic_high[pair, cell],
        "p_value_noninf": tested.p_low[pair, cell],
        "p_value_nonsup": tested.p_high[pair, cell],
        "p_value_equiv": tested.p_equiv[pair, cell],
        "p_value_noninf_adjusted": adjusted["p_value_noninf"][pair, cell],
        "p_value_nonsup_adjusted": adjusted["p_value_nonsup"][pair, cell],
        "p_value_equiv_adjusted": adjusted["p_value_equiv"][pair, cell],
    }
    if hypothesis != "equivalence":
        claim = adjusted["p_value_claim"][pair, cell]
        columns["p_value_claim"] = claim_p(tested, hypothesis)[pair, cell]
        columns["p_value_claim_adjusted"] = claim
        columns["claim_shown"] = claim <= alpha
    ordinary = table["p_value_adjusted"].to_numpy()
    columns["decision"] = outcomes(ordinary, columns["p_value_equiv_adjusted"], alpha)
    return insert_before(table, "n_subject", columns)


def warn_undefined(table: pd.DataFrame, column: str, shown: Shown | None = None) -> tuple[str, ...]:
    """Warn about contrasts without a p-value; the text is also a note of the result."""
    bad = table[column].isna()
    lost, total = (int(bad.sum()), len(table)) if shown is None else (shown.undefined, shown.tested)
    if not lost:
        return ()
    first = f", the first: {table.loc[bad, 'contrast'].iloc[0]}" if bad.any() else ""
    text = (
        f"{lost} of {total} contrasts have no p-value (fewer than 2 subjects with both scores, or "
        f"differences without any variation){first}; they are undecided"
    )
    warn(text, DegenerateWarning)
    return (text,)


def warn_no_effect(table: pd.DataFrame) -> tuple[str, ...]:
    """Warn about contrasts that have a test and no effect size, by the reason."""
    lost = table["effect_size"].isna() & table["p_value"].notna()
    reasons = {
        "2 subjects with both scores, where an effect size and its interval need 3": table[
            "n_subject"
        ]
        < 3,
        "differences without any variation, which is the unit of an effect size": table["n_subject"]
        >= 3,
    }
    out = []
    for reason, of in reasons.items():
        bad = lost & of
        if bad.any():
            text = (
                f"{int(bad.sum())} of {len(table)} contrasts have {reason}: it is NaN (the first: "
                f"{table.loc[bad, 'contrast'].iloc[0]})"
            )
            warn(text, DegenerateWarning)
            out.append(text)
    return tuple(out)


def _words(
    block: Block,
    limits: Bounds,
    reference: str | None,
    hypothesis: str,
    choice: Choice,
    adjust: str,
    family: str,
    found: Contrasts,
    alpha: float,
    within: Any,
    outcome: Outcome,
) -> Info:
    """The words that go with the table."""
    best = in_cells("the one of the highest mean", block.formula.by, "in its")
    size = counted(found.size, "test" if found.sided else "contrast")
    name, what, resampled = MATCHED_TESTS[choice.test]
    if adjust == "tukey":
        name, what = "pooled t", "t test with the pooled subject-by-model error"
    unit = block.cluster
    few = choice.said_of_few(len(block.clusters), unit, sd_units=limits.sd_units)
    sample = (
        f"{unit}s were taken as a random sample, and claims are about the population they stand for"
    )
    compared = compared_with(reference)
    rule = (
        f"a pair was called equivalent where both one-sided tests rejected at {alpha:g} after adjustment, different "
        "where the two-sided test did, different but inside the margin where all of them did, and undecided otherwise"
    )
    joint = JOINT_KINDS.get(adjust, "Bonferroni")
    if found.sided:
        compared = (
            f"each model was compared with {best}; as that one was selected on the same data, claims were "
            "tested against every other model and hold whichever is best"
        )
        rule = (
            "a model was called equivalent to the best where it was shown not to be worse than any other by the margin "
            f"(at {alpha:g} after adjustment), different where it was shown to be worse than some other, different but "
            "inside the margin where both were shown, and undecided otherwise"
        )
        joint = "Holm" if adjust == "holm" else "Bonferroni"
    elif reference == "best":
        compared = (
            f"each model was compared with {best}; as that one was selected on the same data, the adjustment "
            "runs over all pairs that could have been compared, and only the joint intervals account for the selection"
        )
    tested = tested_by(name, unit, what, few, found.pooling if found.sided else "")
    return Info(
        article="the",
        method=f"{tested} and two one-sided tests (TOST) against the margin",
        estimand="difference of models",
        outcome=outcome,
        formula=str(block.formula),
        test=name,
        statistic=STATISTICS[choice.test],
        alternative="two-sided",
        null_value=0.0,
        hypothesis=hypothesis,
        null=HYPOTHESES[hypothesis],
        rule=rule,
        margin=limits.words,
        margin_origin=limits.origin,
        comparison=compared,
        reference=reference or "",
        adjust=adjust,
        family=with_scope(
            size + (", one per model" if found.sided else ""), block.formula.by, family
        ),
        family_size=found.size,
        joint=joint,
        alpha=alpha,
        conf_level=1 - 2 * alpha,
        n_subject=len(block.clusters),
        by=block.formula.by,
        resampled=Drawn(
            resampled,
            sample="" if resampled else sample,
            beside=drawn_beside(adjust, unit),
        ),
        held_fixed=(STIMULI, CHOSEN_LAYERS)
        + (() if within is None else (Held(f"levels of {within}"),)),
        not_concluded=NOT_CONCLUDED,
    ).but(**choice.words())
