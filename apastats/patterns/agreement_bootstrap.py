"""`agreement_bootstrap`: agreement with intervals that let the subjects vary in every role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtr, stdtrit
from threadpoolctl import threadpool_limits

from apastats.arguments import choice
from apastats.errors import DegenerateWarning, InputError, SmallSampleWarning, warn
from apastats.numbers.jackknife import jackknife_error
from apastats.numbers.moments import moments
from apastats.patterns.alignment_patterns import AlignmentPatterns
from apastats.patterns.compared import (
    REFERENCES,
    Predictors,
    brain_kind,
    brain_stack,
    enough_subjects,
    predictors_of,
)
from apastats.patterns.nodes import (
    NodeProblem,
    dyadic_std_error,
    node_problem,
    node_replicates,
    pattern_values,
)
from apastats.patterns.pattern_similarity import SIMILARITIES, check_similarity, fisher_z
from apastats.recording import verb
from apastats.resampling.intervals import (
    INTERVALS,
    Replicates,
    acceleration,
    check_interval,
    confidence_interval,
)
from apastats.resampling.plans import Plan, Resamples, subject_counts
from apastats.results import Provenance, Result
from apastats.seeds import RngLike
from apastats.table import BRAIN, ScoreTable
from apastats.words import CHOSEN_LAYERS, STIMULI, Drawn, Held, Info, Outcome

__all__ = ["AgreementBootstrap", "agreement_bootstrap"]


class AgreementBootstrap(Result):
    """Mean agreement with intervals from a bootstrap of subjects in all roles.

    ``table``: ``term`` ("agreement" or "difference": model minus brain), ``kind, model, layer, roi, metric,
    split, estimate, std_error, std_error_dyadic`` (brain pairs, references fixed), ``p_value,
    p_value_adjusted`` (differences), ``conf_low, conf_high, joint_low, joint_high`` (simultaneous over the
    rows of a term), ``conf_level, mcse, n_subject, method``.
    """

    kind: ClassVar[str] = "agreement_bootstrap"


MANY, DIFFERENT = (
    12,
    0.28,
)  # below MANY, subjects who differ by more than this share of the mean are too few


def _people_differ(stack: np.ndarray) -> float:
    """Coefficient of variation of people ``[cell, target, (predictor,) roi, roi]`` in the score of their own region."""
    own = np.diagonal(stack, axis1=-2, axis2=-1)
    rest = tuple(i for i in range(own.ndim) if i != 1)
    known = np.isfinite(own)
    if not known.any():
        return 0.0  # entries of the own region are left out
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(known, own, 0.0).sum(axis=rest) / known.sum(axis=rest)
    mean = float(np.nanmean(each))
    return float(np.nanstd(each, ddof=1)) / mean if mean > 0 else 0.0


@dataclass(frozen=True)
class _Options:
    interval: str
    conf_level: float
    n_subject: int
    on_z: bool


@verb
def agreement_bootstrap(
    patterns: AlignmentPatterns,
    *,
    selection: ScoreTable | None = None,
    reference: str = "leave_one_out",
    similarity: str = "pearson",
    brain: str | None = None,
    n_resamples: Resamples = "auto",
    interval: str = "jackknife",
    conf_level: float = 0.95,
    rng: RngLike = None,
) -> AgreementBootstrap:
    """Bootstrap the agreement of models and of the brain over subjects, references recomputed.

    Parameters
    ----------
    patterns : AlignmentPatterns
        From :func:`alignment_patterns`.
    selection : ScoreTable, optional
        From :func:`select_layer`; all layers without it. Layers are held fixed.
    reference, similarity, brain
        As in :func:`pattern_agreement`.
    n_resamples : "auto", "exact" or int
        Subjects drawn with replacement: ``"auto"`` enumerates all resamples up to 10 subjects (92,378) and
        samples 19,999 above. Joint limits and adjusted p-values come from these in any case.
    interval : {"jackknife", "t", "normal", "basic", "percentile", "bca"}
        ``jackknife``: estimate and Student's t with n - 1 df times the standard error from leaving out one
        person at a time, in all roles. ``t``: the same with the bootstrap standard error.
    conf_level : float
        Level.
    rng : int, Generator, SeedSequence or None
        Used where resamples are drawn.

    Returns
    -------
    AgreementBootstrap

        Columns: ``term`` (what the row is of), ``kind`` (kind of the row: model or brain), ``model`` (model,
        or what is compared), ``layer`` (layer of the model), ``roi`` (region), ``metric`` (measure of the
        scores), ``split`` (part of the stimuli), ``estimate`` (what is estimated, from the data themselves),
        ``std_error`` (standard error), ``p_value`` (p-value of the ordinary test), ``conf_low`` (lower limit
        of the interval), ``conf_high`` (upper limit of the interval), ``mcse`` (Monte-Carlo standard error),
        ``std_error_dyadic`` (standard error with persons crossed), ``joint_low`` (lower joint limit),
        ``joint_high`` (upper joint limit), ``p_value_adjusted`` (p-value adjusted over the family),
        ``conf_level`` (level of the interval), ``n_subject`` (subjects), ``method`` (how the interval or test
        was made).

    Raises
    ------
    InputError
        If an argument is not allowed.
    DesignError
        If there are too few subjects, or fewer than three shared entries.

    See Also
    --------
    pattern_agreement, agreement_test, bootstrap

    Notes
    -----
    A person is resampled as a whole: as target, as predictor (a pair weighs ``c_p c_t``; nobody predicts
    itself), and in the references, which are recomputed from the resample without the target. Standard
    errors: ``sqrt((n - 1) / n sum_i (A_i - mean A)^2)`` with ``A_i`` all of it without person i (jackknife), or
    the SD of the replicates times ``sqrt(n / (n - 1))``. Brain rows also get the dyadic-robust standard error of
    the mean over pairs with references fixed. Joint limits: the quantile of the largest
    ``|replicate - mean| / SD`` over the rows of a term, metric and split, as a t quantile, or Bonferroni's where
    that is smaller. p-values of differences are two-sided, by t and by the same maximum.

    What is particular to a pair of people enters the variance three times where both are resampled
    (``E c_p^2 c_t^2 = 4``; Owen 2007, Annals of Applied Statistics 1:386) and twice where one is left out (Efron
    and Stein 1981, Annals of Statistics 9:586). In simulations with eight and ten subjects and five partners
    each, 95 % intervals of models, brain and differences covered 95 to 98 % (jackknife, standard errors 7 to
    25 % too large) and 95 to 99 % (t, up to 35 % too large). Taking the second count off again makes the
    standard error unbiased, but intervals then cover 91 to 94 %. Entries that not all subjects and predictors
    have are left out.

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d
    .. [2] Davison, A. C., & Hinkley, D. V. (1997). Bootstrap methods and their application. Cambridge
       University Press. https://doi.org/10.1017/CBO9780511802843

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=6, n_model=3, n_layer=2, rng=1)
    >>> patterns = apa.alignment_patterns(study.scores.where(split="test"))
    >>> boot = apa.agreement_bootstrap(patterns, n_resamples=200, rng=1)
    >>> sorted(boot.table["term"].unique())
    ['agreement', 'difference']
    """
    choice("reference", reference, REFERENCES)
    check_similarity(similarity)
    # replicates of an agreement have no standard error of their own to studentise with
    choice("interval", interval, ["jackknife", *(k for k in INTERVALS if k != "studentized")])
    check_interval("t", conf_level, "two-sided")
    arrays = patterns.dense
    kind = brain_kind(arrays, brain)
    enough_subjects(arrays, kind, reference)
    n = len(arrays.subjects)
    if n < 6:
        warn(
            f"agreement_bootstrap: {n} subjects; intervals from so few are rough",
            SmallSampleWarning,
        )
    elif n < MANY and (spread := _people_differ(brain_stack(arrays, kind))) <= DIFFERENT:
        # the people who happen to be alike make the shortest intervals, which are those that miss
        warn(
            f"agreement_bootstrap: {n} subjects who differ in how well their own region is predicted by "
            f"{100 * spread:.0f} % of its mean, too few to show whether people differ more in general: where they do, "
            "intervals of people who happen to be alike cover far less than they say",
            SmallSampleWarning,
        )
    elif n < MANY:
        warn(
            f"agreement_bootstrap: {n} subjects who differ in how well their own region is predicted by "
            f"{100 * spread:.0f} % of its mean; intervals cover 2 to 8 points less than they say",
            SmallSampleWarning,
        )
    plan = subject_counts(n, n_resamples, rng)
    counts = plan.matrix
    options = _Options(interval, conf_level, n, SIMILARITIES[similarity].fisher)
    pairwise = kind == "subject_to_subject"
    frames = []
    for c, label in enumerate(arrays.cells):
        chosen = predictors_of(arrays, selection, label)
        if selection is not None and not chosen.models:
            continue
        stack = brain_stack(arrays, kind)[c]

        def problem(
            r: int, c: int = c, stack: np.ndarray = stack, chosen: Predictors = chosen
        ) -> NodeProblem:
            index = chosen.index[:, :, r]
            s = np.arange(n)[:, None]
            model = np.where(index[..., None] >= 0, _safe(arrays.model[c], s, index), np.nan)
            return node_problem(
                model, stack, r, pairwise=pairwise, reference=reference, similarity=similarity
            )

        with threadpool_limits(1, "blas"):
            frame = _cell(problem, arrays.rois, chosen, kind, counts, plan, options)
        frames.append(frame.assign(metric=label[0], split=label[1]))
    if not frames:
        raise InputError(
            "selection", selection, "rows of a metric and split that the patterns have"
        )
    table = pd.concat(frames, ignore_index=True)
    lost = int((table["std_error"].isna() & table["estimate"].notna()).sum())
    if lost:
        message = (
            f"agreement_bootstrap: {lost} of {len(table)} rows have no standard error: without one of the people "
            f"there is nothing left to compare"
        )
        warn(message, DegenerateWarning)
    first = ["term", "kind", "model", "layer", "roi", "metric", "split"]
    table = table[[*first, *(col for col in table.columns if col not in first)]]
    info = Info(
        estimand="estimate",
        outcome=Outcome("agreement"),
        statistic="t",
        null_value=0.0,
        alternative="two-sided",
        interval=interval,
        n_resamples=plan.n_resamples,
        exact=plan.exact,
        joint="max-t",
        method=(
            f"bootstrap of subjects in all roles, {'exact' if plan.exact else 'sampled'} "
            f"({plan.n_resamples} resamples), {interval} interval, joint limits by the largest replicate"
        ),
        reference=reference,
        n_subject=n,
        conf_level=conf_level,
        adjust="max-t",
        family="models and ROIs, at most Bonferroni",
        resampled=Drawn("subjects as targets, predictors and parts of the references"),
        held_fixed=(STIMULI, CHOSEN_LAYERS)
        + (() if pairwise else (Held("pooled predictors of leave-one-out rows"),)),
        extra={"similarity": similarity, "brain": kind},
    )
    return AgreementBootstrap(
        table, info, Provenance(data_hash=patterns.provenance.data_hash, seed=plan.seed)
    )


def _safe(model: np.ndarray, s: np.ndarray, index: np.ndarray) -> np.ndarray:
    if not model.shape[1]:
        return np.empty((*index.shape, model.shape[-1]))
    return np.asarray(model[s, np.maximum(index, 0)])


def _cell(
    problem: Callable[[int], NodeProblem],
    rois: list[str],
    chosen: Predictors,
    kind: str,
    counts: np.ndarray,
    plan: Plan,
    options: _Options,
) -> pd.DataFrame:
    """All rows of one metric and split, ROI by ROI so that replicates need not be kept."""
    weights = None if plan.uniform else plan.weights
    n, on_z = options.n_subject, options.on_z
    # leaving person i out is a resample with weight 0 for i and 1 for the rest: estimate and jackknife come from the
    # kernel of the bootstrap, references recomputed alike
    leave_out = np.concatenate([np.ones((1, n)), 1.0 - np.eye(n)])
    parts: dict[str, list[pd.DataFrame]] = {"agreement": [], "difference": []}
    largest = {"agreement": np.zeros(len(counts)), "difference": np.zeros(len(counts))}
    for r, roi in enumerate(rois):
        q = problem(r)
        fixed = np.hstack([v.reshape(n + 1, -1) for v in node_replicates(q, leave_out)])
        drawn = np.hstack([v.reshape(len(counts), -1) for v in node_replicates(q, counts)])
        names = [*chosen.models, BRAIN]
        layers = [*(row[r] for row in chosen.layers), "-"]
        kinds = ["model"] * len(chosen.models) + [kind]
        rows = pd.DataFrame({"kind": kinds, "model": names, "layer": layers, "roi": roi})
        for term in parts:
            if term == "difference":
                if not chosen.models:
                    continue
                fixed, drawn = (v[:, :-1] - v[:, -1:] for v in (fixed, drawn))
                rows = rows.iloc[:-1]
            frame, t = _estimates(fixed, drawn, weights, options, on_z and term == "agreement")
            frame = pd.concat([rows.reset_index(drop=True), frame], axis=1).assign(term=term)
            if term == "agreement":
                frame["std_error_dyadic"] = [np.nan] * len(chosen.models) + [_dyadic(q)]
            parts[term].append(frame)
            np.fmax(largest[term], t, out=largest[term])
    out = []
    for term, frames in parts.items():
        if not frames:
            continue
        frame = pd.concat(frames, ignore_index=True)
        out.append(_joint(frame, term, largest[term], weights, options, on_z))
    frame = pd.concat(out, ignore_index=True)
    return frame.assign(
        conf_level=options.conf_level,
        n_subject=n,
        method="jackknife over people in all roles, t"
        if options.interval == "jackknife"
        else f"{options.interval}, subjects resampled in all roles",
    )


def _estimates(
    fixed: np.ndarray,
    drawn: np.ndarray,
    weights: np.ndarray | None,
    options: _Options,
    on_z: bool,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Estimates and limits of one ROI's rows, and the largest |t| of every replicate.

    ``on_z``: limits are made on Fisher's z and transformed back, so that none lies beyond 1.
    """
    n = options.n_subject
    jackknife = options.interval == "jackknife"
    kind = "t" if jackknife else options.interval
    error = _error(fixed, drawn, weights, jackknife)
    p = _two_sided(fixed[0], error, n)
    plain = fixed[0], error
    if on_z:
        fixed, drawn = fisher_z(fixed), fisher_z(drawn)
        error = _error(fixed, drawn, weights, jackknife)
    estimate = fixed[0]
    _, mean, sd = moments(drawn.T, weights, axis=-1)
    influence = (n - 1) * (estimate - fixed[1:])
    r = Replicates(
        estimate=estimate,
        values=np.ascontiguousarray(drawn.T),
        weights=weights,
        std_error=error,
        acceleration=acceleration(influence.T),
        df=np.full(len(estimate), n - 1.0),
        tolerance=1e-12,
    )
    low, high, mcse = confidence_interval(r, kind, conf_level=options.conf_level)
    with np.errstate(invalid="ignore", divide="ignore"):
        # about their own mean: a resample has fewer people in its references, so all replicates are lower
        t = np.abs(drawn - mean) / np.where(sd > 1e-12, sd, np.nan)
    t = np.where(np.isfinite(t), t, 0.0).max(axis=1, initial=0.0)
    if on_z:
        # the larger slope of the two limits
        mcse = mcse * (1 - np.tanh(np.minimum(np.abs(low), np.abs(high))) ** 2)
        low, high = np.tanh(low), np.tanh(high)
    frame = pd.DataFrame(
        {
            "estimate": plain[0],
            "std_error": plain[1],
            "p_value": p,
            "conf_low": low,
            "conf_high": high,
            "mcse": mcse,
            "_centre": estimate,
            "_error": error,
        }
    )
    return frame, t


def _error(
    fixed: np.ndarray, drawn: np.ndarray, weights: np.ndarray | None, jackknife: bool
) -> np.ndarray:
    """Standard errors: from leaving people out, or from the replicates."""
    if jackknife:
        return jackknife_error(fixed[1:])
    n = len(fixed) - 1
    return np.asarray(moments(drawn.T, weights, axis=-1)[2] * np.sqrt(n / (n - 1)))


def _two_sided(estimate: np.ndarray, error: np.ndarray, n: int) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(2 * stdtr(n - 1, -np.abs(estimate / error)))


def _joint(
    frame: pd.DataFrame,
    term: str,
    largest: np.ndarray,
    weights: np.ndarray | None,
    options: _Options,
    on_z: bool,
) -> pd.DataFrame:
    """Simultaneous limits and p-values from the largest |t|."""
    n = options.n_subject
    weights = np.full(len(largest), 1 / len(largest)) if weights is None else weights
    order = np.argsort(largest, kind="stable")
    reached = np.cumsum(weights[order])
    bootstrap = float(largest[order][np.searchsorted(reached, options.conf_level - 1e-12)])
    # replicates of a mean have normal, not Student tails: widen by the ratio of the two
    p_one = 2 * stdtr(1e9, -bootstrap)
    critical = max(-float(stdtrit(n - 1, p_one / 2)), bootstrap)
    m = max(int(frame["estimate"].notna().sum()), 1)
    critical = min(critical, float(stdtrit(n - 1, 1 - (1 - options.conf_level) / (2 * m))))
    centre, half = frame["_centre"].to_numpy(), critical * frame["_error"].to_numpy()
    low, high = centre - half, centre + half
    if on_z and term == "agreement":
        low, high = np.tanh(low), np.tanh(high)
    frame = frame.assign(joint_low=low, joint_high=high).drop(columns=["_centre", "_error"])
    if term == "agreement":
        return frame.assign(p_value=np.nan, p_value_adjusted=np.nan)
    # the same widening turned round: the t of the data as a normal quantile
    seen = -ndtri(frame["p_value"].to_numpy() / 2)
    tail = np.append(np.cumsum(weights[order][::-1])[::-1], 0.0)
    place = np.searchsorted(largest[order], seen - 1e-12)
    adjusted = np.maximum(np.maximum(tail[place], frame["p_value"]), 1 / (len(largest) + 1))
    most = np.minimum(m * frame["p_value"], 1.0)
    return frame.assign(p_value_adjusted=np.minimum(adjusted, most))


def _dyadic(q: NodeProblem) -> float:
    """Dyadic-robust standard error of the brain's mean agreement, references fixed."""
    if not q.pairwise:
        return float("nan")
    values = pattern_values(q)
    table = np.full((q.n_subject, q.n_subject), np.nan)
    table[q.target, q.predictor] = values
    return dyadic_std_error(table)
