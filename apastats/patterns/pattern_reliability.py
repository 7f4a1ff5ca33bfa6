"""Reliability of alignment patterns over subjects, and agreement corrected for it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from apastats.arguments import choice, instance, level
from apastats.errors import DesignError
from apastats.numbers.correlation import spearman_brown
from apastats.patterns.alignment_patterns import AlignmentPatterns
from apastats.patterns.arrays import PatternArrays
from apastats.patterns.compared import (
    Compared,
    average,
    brain_kind,
    brain_stack,
    compare_with,
    enough_subjects,
)
from apastats.patterns.pattern_agreement import brain_similarity
from apastats.patterns.pattern_similarity import pattern_covariance, pattern_similarity
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.words import STIMULI, Drawn, Info

__all__ = [
    "PatternReliability",
    "pattern_reliability",
]


class PatternReliability(Result):
    """Reliability and distinctness of the brain's patterns, per ROI.

    ``table``: ``roi, metric, split, term`` (``single``: one brain pattern; ``reference``: the mean pattern a
    subject is compared with; ``distinctness``), ``estimate, std_error, conf_low, conf_high, conf_level,
    n_effective, n_subject, method``.
    """

    kind: ClassVar[str] = "pattern_reliability"


def _disjoint(n: int, pairwise: bool) -> tuple[np.ndarray, np.ndarray]:
    """Which patterns of a subject stack share nobody, and to which subject (target, predictor) each belongs."""
    if not pairwise:
        return ~np.eye(n, dtype=bool), np.arange(n)[:, None]
    people = np.stack(np.meshgrid(np.arange(n), np.arange(n), indexing="ij"), -1).reshape(-1, 2)
    shared = (people[:, None, :, None] == people[None, :, None, :]).any(axis=(-1, -2))
    return ~shared, people


def _brain_moments(
    brain: np.ndarray, compared: Compared, pairwise: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlation of single patterns of different people, patterns a reference is worth, distinctness, per ROI."""
    n_roi = compared.brain.shape[2]
    apart, _ = _disjoint(brain.shape[0], pairwise)
    stack = brain.reshape(-1, *brain.shape[-2:])  # every single pattern, NaN where there is none
    there = np.isfinite(stack).any(axis=(-1, -2))
    stack, apart = stack[there], apart[np.ix_(there, there)]
    single, effective = np.full(n_roi, np.nan), np.full(n_roi, np.nan)
    for r in range(n_roi):
        own = stack[:, r]
        single[r] = average(np.where(apart, pattern_similarity(own, own), np.nan), (0, 1))
        cov = pattern_covariance(own, own)
        common, total = average(np.where(apart, cov, np.nan), (0, 1)), average(np.diag(cov), 0)
        reference = compared.brain_references[:, :, r]
        flat = reference.reshape(-1, reference.shape[-1])
        flat = flat[np.isfinite(flat).any(axis=-1)]
        left = average(np.diag(pattern_covariance(flat, flat)), 0) - common
        # V = C + noise for a single pattern and V_ref = C + noise / k for a mean of k of them: k = (V - C) / (V_ref -
        # C). Pairs of patterns of a person share noise, so k is less than their number
        noise = total - common
        effective[r] = max(noise / left, 1.0) if left > 1e-12 * total and noise > 0 else np.inf
    confusion = average(brain_similarity(compared, "pearson"), 0)
    away = np.where(np.eye(n_roi, dtype=bool), np.nan, confusion)
    distinct = np.diag(confusion) - average(away, 1)
    return single, effective, distinct


def _jackknife(
    full: np.ndarray, parts: list[np.ndarray], conf_level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard error and t limits from leaving out one subject at a time."""
    stack = np.stack(parts)
    n = len(stack)
    # values without one person lie n - 1 times closer together than people do: (n - 1)^2 / (n (n - 1)) times their
    # sum of squares
    error = np.sqrt((n - 1) / n * ((stack - stack.mean(axis=0)) ** 2).sum(axis=0))
    half = stdtrit(n - 1, (1 + conf_level) / 2) * error
    return error, full - half, full + half


def _check(patterns: Any, conf_level: Any) -> PatternArrays:
    instance("patterns", patterns, AlignmentPatterns, "what alignment_patterns returned")
    level("conf_level", conf_level)
    return patterns.dense


def _without(values: np.ndarray, subject: int, pairwise: bool) -> np.ndarray:
    """Stack without one person, in both roles."""
    out = np.delete(values, subject, axis=0)
    return np.delete(out, subject, axis=1) if pairwise else out


@verb
def pattern_reliability(
    patterns: AlignmentPatterns,
    *,
    reference: str = "leave_one_out",
    brain: str | None = None,
    conf_level: float = 0.95,
) -> PatternReliability:
    """How reliable the brain's alignment patterns are over subjects, and how distinct between ROIs.

    Parameters
    ----------
    patterns : AlignmentPatterns
        From :func:`alignment_patterns`.
    reference : {"leave_one_out", "matched"}
        The averaged patterns whose reliability is wanted.
    brain : {"subject_to_subject", "leave_one_out"}, optional
        Brain rows to use; pairs where there are pairs.
    conf_level : float
        Level of the intervals (jackknife over subjects, t).

    Returns
    -------
    PatternReliability

        Columns: ``roi`` (region), ``metric`` (measure of the scores), ``split`` (part of the stimuli),
        ``term`` (what the row is of), ``estimate`` (what is estimated, from the data themselves),
        ``std_error`` (standard error), ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit
        of the interval), ``conf_level`` (level of the interval), ``n_effective`` (effective number of units),
        ``n_subject`` (subjects), ``method`` (how the interval or test was made).

    Raises
    ------
    InputError
        If an argument is not allowed.
    DesignError
        If there are too few subjects.

    See Also
    --------
    alignment_patterns, disattenuated_agreement

    Notes
    -----
    ``single``: mean Pearson correlation between brain patterns that share no person (for leave_one_out rows,
    no target), r. ``reference``: ``k r / (1 + (k - 1) r)`` (Spearman-Brown) with k the effective number of
    patterns in it, ``k = (V - C) / (V_ref - C)``: V the variance of single patterns, C their covariance
    between people, V_ref the variance of references; for complete leave_one_out rows k is n - 1 exactly.
    ``distinctness``: agreement with the own ROI's reference less the mean agreement with the other ROIs'.

    References
    ----------
    .. [1] Spearman, C. (1904). The proof and measurement of association between two things. The American
       Journal of Psychology, 15(1), 72–101. https://doi.org/10.2307/1412159

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=6, n_model=3, n_layer=2, rng=1)
    >>> patterns = apa.alignment_patterns(study.scores.where(split="test"))
    >>> found = apa.pattern_reliability(patterns).table
    >>> bool((found.loc[found["term"] == "reference", "estimate"] > 0.8).all())
    True
    """
    arrays = _check(patterns, conf_level)
    choice("reference", reference, ("leave_one_out", "matched"))
    kind = brain_kind(arrays, brain)
    pairwise = kind == "subject_to_subject"
    n = len(arrays.subjects)
    _enough(arrays, kind, reference)

    def terms(values: np.ndarray) -> np.ndarray:
        nothing = np.full((len(values), 0, values.shape[-1]), np.nan)
        compared = compare_with(nothing, values, pairwise=pairwise, reference=reference)
        single, k, distinct = _brain_moments(values, compared, pairwise)
        return np.stack([single, spearman_brown(single, k), distinct, k])

    frames = []
    for c, label in enumerate(arrays.cells):
        values = brain_stack(arrays, kind)[c]
        full = terms(values)
        parts = [terms(_without(values, s, pairwise))[:3] for s in range(n)]
        error, low, high = _jackknife(full[:3], parts, conf_level)
        for i, term in enumerate(("single", "reference", "distinctness")):
            frames.append(
                pd.DataFrame(
                    {
                        "roi": arrays.rois,
                        "metric": label[0],
                        "split": label[1],
                        "term": term,
                        "estimate": full[i],
                        "std_error": error[i],
                        "conf_low": low[i],
                        "conf_high": high[i],
                        "conf_level": conf_level,
                        "n_effective": full[3] if term == "reference" else np.nan,
                        "n_subject": n,
                        "method": "jackknife over subjects",
                    }
                )
            )
    info = Info(
        estimand="reliability of a pattern",
        outcome=patterns.info.outcome,
        method="reliability of alignment patterns: correlation between people, Spearman-Brown",
        reference=reference,
        n_subject=n,
        conf_level=conf_level,
        resampled=Drawn("subjects (left out one at a time, in both roles)"),
        held_fixed=(STIMULI,),
        extra={"brain": kind},
    )
    provenance = Provenance(data_hash=patterns.provenance.data_hash)
    return PatternReliability(
        pd.concat(frames, ignore_index=True), info, provenance, notes=_shared(kind)
    )


def _enough(arrays: PatternArrays, kind: str, reference: str) -> None:
    enough_subjects(arrays, kind, reference)
    need = 4 if kind == "leave_one_out" else 6
    if len(arrays.subjects) < need:
        raise DesignError(
            f"reliability of {kind} patterns needs at least {need} subjects (one is left out at a time); "
            f"here are {len(arrays.subjects)}"
        )


def _shared(kind: str) -> tuple[str, ...]:
    if kind != "leave_one_out":
        return ()
    return (
        "leave-one-out patterns of different subjects share predicting subjects: their correlation, and so the "
        "reliability, is an upper estimate",
    )
