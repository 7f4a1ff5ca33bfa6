"""Agreement corrected for the noise of both patterns."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd

from apastats.arguments import choice, number
from apastats.errors import DegenerateWarning, DesignError, warn
from apastats.numbers.correlation import spearman_brown
from apastats.patterns.alignment_patterns import AlignmentPatterns
from apastats.patterns.compared import (
    average,
    brain_kind,
    brain_stack,
    compare_with,
    predictors_of,
    take_predictors,
)
from apastats.patterns.pattern_agreement import model_similarity
from apastats.patterns.pattern_reliability import (
    _brain_moments,
    _check,
    _enough,
    _jackknife,
    _shared,
    _without,
)
from apastats.patterns.pattern_similarity import pattern_similarity
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.table import ScoreTable
from apastats.words import CHOSEN_LAYERS, STIMULI, Drawn, Info, Outcome


class DisattenuatedAgreement(Result):
    """Agreement divided by what the patterns' reliabilities allow.

    ``table``: ``kind, model, layer, roi, metric, split, agreement, reliability_model,
    reliability_reference, n_effective, estimate, std_error, conf_low, conf_high, conf_level, n_subject,
    method``. An estimate may exceed 1: it is not cut off.
    """

    kind: ClassVar[str] = "disattenuated_agreement"


@verb
def disattenuated_agreement(
    patterns: AlignmentPatterns,
    *,
    selection: ScoreTable | None = None,
    reference: str = "leave_one_out",
    brain: str | None = None,
    least_reliability: float = 0.2,
    conf_level: float = 0.95,
) -> DisattenuatedAgreement:
    """Agreement of models corrected for the noise in both patterns.

    Parameters
    ----------
    patterns : AlignmentPatterns
        From :func:`alignment_patterns`.
    selection : ScoreTable, optional
        From :func:`select_layer`; all layers without it.
    reference : {"leave_one_out", "matched"}
        See :func:`pattern_agreement`. ``released`` compares patterns of the same subject, whose errors are
        shared: no reliability corrects for that.
    brain : {"subject_to_subject", "leave_one_out"}, optional
        Brain rows to use; pairs where there are pairs.
    least_reliability : float
        Where a reliability is lower, the corrected value is NaN: dividing by the square root of next to nothing gives
        values far beyond 1. 0 corrects wherever both are positive.
    conf_level : float
        Level of the intervals (jackknife over subjects, t).

    Returns
    -------
    DisattenuatedAgreement

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``roi`` (region), ``metric`` (measure of the scores), ``split`` (part of the
        stimuli), ``agreement`` (pattern agreement), ``reliability_model`` (reliability of the model's
        pattern), ``reliability_reference`` (reliability of the reference), ``n_effective`` (effective number
        of units), ``estimate`` (what is estimated, from the data themselves), ``std_error`` (standard error),
        ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit of the interval),
        ``conf_level`` (level of the interval), ``n_subject`` (subjects), ``method`` (how the interval or test
        was made).

    Raises
    ------
    InputError
        If an argument is not allowed.
    DesignError
        If there are too few subjects, or no models.

    See Also
    --------
    pattern_agreement, pattern_reliability

    Notes
    -----
    ``A / sqrt(r_model r_reference)`` (Spearman 1904): A the mean Pearson agreement; r_model the mean
    correlation of the model's patterns between subjects; r_reference as in :func:`pattern_reliability`.
    NaN where a reliability is not positive, or below ``least_reliability``.

    References
    ----------
    .. [1] Spearman, C. (1904). The proof and measurement of association between two things. The American
       Journal of Psychology, 15(1), 72–101. https://doi.org/10.2307/1412159

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=6, n_model=3, n_layer=2, rng=1)
    >>> patterns = apa.alignment_patterns(study.scores.where(split="test"))
    >>> len(apa.disattenuated_agreement(patterns).table)
    114
    """
    arrays = _check(patterns, conf_level)
    least = number("least_reliability", least_reliability, least=0, below=1)
    choice("reference", reference, ("leave_one_out", "matched"))
    kind = brain_kind(arrays, brain)
    pairwise = kind == "subject_to_subject"
    _enough(arrays, kind, reference)
    n = len(arrays.subjects)
    self_out = patterns.info["self_entry"] == "out"
    frames = []
    for c, label in enumerate(arrays.cells):
        chosen = predictors_of(arrays, selection, label)
        if not chosen.models:
            continue
        values = brain_stack(arrays, kind)[c]

        def parts(
            model: np.ndarray, brain_values: np.ndarray, index: np.ndarray
        ) -> tuple[np.ndarray, ...]:
            compared = compare_with(model, brain_values, pairwise=pairwise, reference=reference)
            agreement = average(take_predictors(model_similarity(compared, "pearson"), index), 0)
            single, k, _ = _brain_moments(brain_values, compared, pairwise)
            own = _model_reliability(model, index, self_out)
            of_reference = np.broadcast_to(spearman_brown(single, k), own.shape)
            product = own * of_reference
            with np.errstate(invalid="ignore"):
                bottom = np.where((own > 0) & (of_reference > 0), np.sqrt(product), np.nan)
            return agreement / bottom, agreement, own, of_reference, np.broadcast_to(k, own.shape)

        full = parts(arrays.model[c], values, chosen.index)
        left = [
            parts(
                np.delete(arrays.model[c], s, axis=0),
                _without(values, s, pairwise),
                np.delete(chosen.index, s, axis=0),
            )[0]
            for s in range(n)
        ]
        error, low, high = _jackknife(full[0], left, conf_level)
        with np.errstate(invalid="ignore"):
            # 0 corrects wherever it can be done
            weak = (full[2] < least) | (full[3] < least)
        corrected, error, low, high = (
            np.where(weak, np.nan, v) for v in (full[0], error, low, high)
        )
        n_roi = len(arrays.rois)
        frames.append(
            pd.DataFrame(
                {
                    "kind": "model",
                    "model": np.repeat(chosen.models, n_roi),
                    "layer": [la for row in chosen.layers for la in row],
                    "roi": arrays.rois * len(chosen.models),
                    "metric": label[0],
                    "split": label[1],
                    "agreement": full[1].ravel(),
                    "reliability_model": full[2].ravel(),
                    "reliability_reference": full[3].ravel(),
                    "n_effective": full[4].ravel(),
                    "estimate": corrected.ravel(),
                    "std_error": error.ravel(),
                    "conf_low": low.ravel(),
                    "conf_high": high.ravel(),
                    "conf_level": conf_level,
                    "n_subject": n,
                    "method": "jackknife over subjects",
                }
            )
        )
    if not frames:
        raise DesignError("disattenuated_agreement: there are no models")
    info = Info(
        estimand="agreement corrected for reliability",
        outcome=Outcome("agreement"),
        method="agreement over the square root of both patterns' reliabilities",
        reference=reference,
        n_subject=n,
        conf_level=conf_level,
        resampled=Drawn("subjects (left out one at a time, in both roles)"),
        held_fixed=(STIMULI, CHOSEN_LAYERS),
        extra={"brain": kind, "least_reliability": least},
    )
    provenance = Provenance(data_hash=patterns.provenance.data_hash)
    table = pd.concat(frames, ignore_index=True)
    return DisattenuatedAgreement(
        table, info, provenance, notes=(*_shared(kind), *_doubtful(table, least))
    )


def _doubtful(table: pd.DataFrame, least: float) -> tuple[str, ...]:
    """Warn about values that were not corrected, and about those beyond 1; the texts are also notes."""
    weak = (table[["reliability_model", "reliability_reference"]] < least).any(axis=1)
    beyond = table["estimate"].abs() > 1
    out = []
    if least > 0 and weak.any():
        out.append(
            f"{int(weak.sum())} of {len(table)} agreements were not corrected: a reliability is below {least:g}"
        )
        warn(out[0], DegenerateWarning)
    if beyond.any():
        n = int(table["estimate"].notna().sum())
        out.append(
            f"{int(beyond.sum())} of {n} corrected agreements are beyond 1 in size, as reliabilities are "
            "estimated; they say that the patterns agree as far as their noise lets them"
        )
    return tuple(out)


def _model_reliability(model: np.ndarray, index: np.ndarray, self_out: bool) -> np.ndarray:
    """Mean correlation of a model's patterns between subjects, ``[model, roi]``."""
    n_s, n_m, n_r = index.shape
    out = np.full((n_m, n_r), np.nan)
    apart = ~np.eye(n_s, dtype=bool)
    same_everywhere = bool((index == index[:1, :, :1]).all())
    rows = np.arange(n_s)[:, None]
    for r in range(n_r):
        if r and same_everywhere and not self_out:
            out[:, r] = out[:, 0]
            continue
        own = np.where(
            index[:, :, r, None] >= 0, model[rows, np.maximum(index[:, :, r], 0)], np.nan
        )
        if self_out:
            own[:, :, r] = np.nan
        stack = np.swapaxes(own, 0, 1)
        out[:, r] = average(np.where(apart, pattern_similarity(stack, stack), np.nan), (1, 2))
    return out
