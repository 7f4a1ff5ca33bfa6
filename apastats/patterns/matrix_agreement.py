"""A ROI x ROI matrix from elsewhere (connectivity, distance, ...) as predictor of the brain's patterns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats.arguments import choice
from apastats.errors import DegenerateWarning, DesignError, InputError, warn
from apastats.patterns.agreement_test import label_permutations
from apastats.patterns.alignment_patterns import AlignmentPatterns
from apastats.patterns.compared import (
    REFERENCES,
    brain_kind,
    brain_stack,
    compare_with,
    enough_subjects,
)
from apastats.patterns.pattern_similarity import inner_products, unit_patterns
from apastats.recording import verb
from apastats.resampling.plans import BLOCK, Resamples
from apastats.resampling.relabel import permutation_p
from apastats.results import Provenance, Result
from apastats.seeds import RngLike
from apastats.words import Info, Outcome

__all__ = ["MatrixAgreement", "matrix_agreement"]


class MatrixAgreement(Result):
    """Agreement of the rows of a matrix with the brain's patterns.

    ``table``: ``roi`` ("all": mean over ROIs, then each), ``metric, split, estimate`` (mean over subjects),
    ``null_mean, null_sd, statistic, p_value, p_value_adjusted, mcse, n_subject, method``.
    """

    kind: ClassVar[str] = "matrix_agreement"


@verb
def matrix_agreement(
    patterns: AlignmentPatterns,
    matrix: pd.DataFrame,
    *,
    reference: str = "leave_one_out",
    similarity: str = "pearson",
    brain: str | None = None,
    null: str = "permuted_rois",
    streams: Mapping[str, Sequence[str]] | None = None,
    coordinates: Any = None,
    distances: pd.DataFrame | None = None,
    n_resamples: Resamples = "auto",
    alternative: str = "greater",
    rng: RngLike = None,
) -> MatrixAgreement:
    """Compare each row of a ROI x ROI matrix with the brain's alignment pattern of that ROI.

    Parameters
    ----------
    patterns : AlignmentPatterns
        From :func:`alignment_patterns`, row profile.
    matrix : pandas.DataFrame
        ROI names as index and columns; its diagonal is never used.
    reference : {"leave_one_out", "released", "matched"}
        Brain patterns a row is compared with, as for a model in :func:`pattern_agreement`.
    similarity : {"pearson", "spearman", "cosine"}
    brain : {"subject_to_subject", "leave_one_out"}, optional
        Brain rows to use; pairs where there are pairs.
    null : {"permuted_rois", "within_stream", "spatial"}
        Which relabellings of the matrix are as likely as the real one.
    streams, coordinates, distances
        As in :func:`agreement_test`.
    n_resamples : "auto", "exact" or int
        Permutations.
    alternative : {"greater", "less", "two-sided"}
    rng : int, Generator, SeedSequence or None

    Returns
    -------
    MatrixAgreement

    Raises
    ------
    InputError
        If an argument is not allowed, or the matrix lacks a ROI or holds no finite number.
    DesignError
        If patterns have missing entries off the diagonal for all subjects.

    Notes
    -----
    The entry at which predictor ROI and target ROI are the same is left out of both sides. The null renames
    the ROIs of the matrix: rows and columns together, so that a diagonal entry stays on the diagonal and
    every other entry stays off it (Mantel 1967); a row can then not get its own diagonal entry, nor can
    entries shift by one. ``p_value_adjusted`` is single-step max-T over ROIs. Subjects with a missing entry
    off the diagonal do not enter for that ROI.

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=5, n_model=3, n_layer=2, rng=1)
    >>> patterns = apa.alignment_patterns(study.scores.where(split="test"))
    >>> rois = patterns.dense.rois
    >>> near = pd.DataFrame([[-abs(i - j) for j in range(19)] for i in range(19)], rois, rois)
    >>> found = apa.matrix_agreement(patterns, near, n_resamples=99, rng=1)
    >>> found.table["roi"].iloc[0]
    'all'
    """
    if not isinstance(patterns, AlignmentPatterns):
        raise InputError("patterns", type(patterns).__name__, "what alignment_patterns returned")
    if patterns.info["profile"] != "row":
        raise InputError("patterns", f"profile {patterns.info['profile']!r}", "row profiles")
    choice("reference", reference, REFERENCES)
    choice("similarity", similarity, inner_products())
    choice("alternative", alternative, ("greater", "less", "two-sided"))
    arrays = patterns.dense
    kind = brain_kind(arrays, brain)
    enough_subjects(arrays, kind, reference)
    values = _matrix(matrix, arrays.rois)
    plan = label_permutations(null, arrays.rois, streams, coordinates, distances, n_resamples, rng)
    drawn = plan.matrix.astype(np.intp)
    frames = []
    for c, label in enumerate(arrays.cells):
        compared = compare_with(
            arrays.model[c],
            brain_stack(arrays, kind)[c],
            pairwise=kind == "subject_to_subject",
            reference=reference,
        )
        targets, n_subject = _targets(compared.model_references, similarity)
        seen = _agreement(values[None], targets, similarity)[0]
        null_values = np.concatenate(
            [
                _agreement(values[d[:, :, None], d[:, None, :]], targets, similarity)
                for d in (drawn[i : i + BLOCK] for i in range(0, len(drawn), BLOCK))
            ]
        )
        frame = _rows(seen, null_values, arrays.rois, n_subject, plan.exact, alternative)
        frames.append(frame.assign(metric=label[0], split=label[1], method=plan.kind))
    table = pd.concat(frames, ignore_index=True)
    info = Info(
        estimand="agreement of a row",
        alternative=alternative,
        outcome=Outcome("agreement"),
        n_resamples=plan.n_resamples,
        exact=plan.exact,
        method=(
            f"agreement of the rows of a matrix with brain patterns, {null.replace('_', ' ')}, "
            f"{'exact' if plan.exact else 'sampled'} ({plan.n_resamples} resamples)"
        ),
        null="the ROI names of the matrix are exchangeable (rows and columns together)",
        reference=reference,
        adjust="max-t",
        family="ROIs",
        n_subject=len(arrays.subjects),
        resampled="ROI names of the matrix",
        held_fixed="subjects, stimuli",
        extra={"similarity": similarity, "brain": kind},
    )
    return MatrixAgreement(
        table, info, Provenance(data_hash=patterns.provenance.data_hash, seed=plan.seed)
    )


def _matrix(matrix: Any, rois: list[str]) -> np.ndarray:
    if not isinstance(matrix, pd.DataFrame):
        raise InputError(
            "matrix", type(matrix).__name__, "a DataFrame with ROI names on both sides"
        )
    lacking = [r for r in rois if r not in matrix.index or r not in matrix.columns]
    if lacking:
        raise InputError("matrix", lacking[0], "a row and a column for every ROI of the patterns")
    values = matrix.loc[rois, rois].to_numpy("f8", copy=True)
    off = ~np.eye(len(rois), dtype=bool)
    if not np.isfinite(values[off]).all():
        raise InputError("matrix", "NaN or infinite", "finite numbers off the diagonal")
    np.fill_diagonal(values, 0.0)
    return values


def _off_diagonal(values: np.ndarray) -> np.ndarray:
    """``[..., n, n] -> [..., n, n - 1]``: each row without its diagonal entry, order kept."""
    n = values.shape[-1]
    at = np.array([[t for t in range(n) if t != r] for r in range(n)])
    return np.take_along_axis(values, np.broadcast_to(at, (*values.shape[:-2], n, n - 1)), -1)


def _targets(references: np.ndarray, similarity: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean unit reference of every ROI without its own entry ``[roi, n - 1]``, and subjects behind it."""
    rows = _off_diagonal(references)
    whole = np.isfinite(rows).all(axis=-1)
    if not whole.any(axis=(0, 1)).all():
        raise DesignError("matrix_agreement: a ROI has no complete brain pattern off the diagonal")
    unit = np.where(whole[..., None], unit_patterns(rows, similarity), 0.0)
    n_reference = whole.sum(axis=1)
    per_subject = unit.sum(axis=1) / np.maximum(n_reference, 1)[..., None]
    n_subject = (n_reference > 0).sum(axis=0)
    return per_subject.sum(axis=0) / n_subject[:, None], n_subject


def _agreement(matrices: np.ndarray, targets: np.ndarray, similarity: str) -> np.ndarray:
    """``[row, n, n], [n, n - 1] -> [row, n]``."""
    unit = unit_patterns(_off_diagonal(matrices), similarity)
    out: np.ndarray = (unit * targets).sum(axis=-1)
    return out


def _rows(
    seen: np.ndarray,
    values: np.ndarray,
    rois: list[str],
    n_subject: np.ndarray,
    exact: bool,
    alternative: str,
) -> pd.DataFrame:

    if not np.isfinite(seen).all():
        first = rois[int(np.argmax(~np.isfinite(seen)))]
        warn(
            f"matrix_agreement: the row of {first} is constant; its agreement is not defined",
            DegenerateWarning,
        )
    observed = np.append(np.nanmean(seen), seen)
    drawn = np.column_stack([np.nanmean(values, axis=1), values])
    mean, sd = np.nanmean(drawn, axis=0), np.nanstd(drawn, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        t, z = (observed - mean) / sd, (drawn - mean) / sd
    known = np.isfinite(t)
    # a constant row, wherever a permutation moves it, is no evidence
    z = np.where(np.isfinite(z), z, 0.0)
    p = np.full(len(t), np.nan)
    p[known] = permutation_p(z[:, known], t[known], exact=exact, alternative=alternative)
    single = known.copy()
    single[0] = False
    turn = {"greater": z, "less": -z}.get(alternative, np.abs(z))
    target = {"greater": t, "less": -t}.get(alternative, np.abs(t))
    adjusted = p.copy()
    if single.any():
        largest = turn[:, single].max(axis=1)[:, None]
        adjusted[single] = permutation_p(
            largest, target[single], exact=exact, alternative="greater"
        )
    return pd.DataFrame(
        {
            "roi": ["all", *rois],
            "estimate": observed,
            "null_mean": mean,
            "null_sd": sd,
            "statistic": t,
            "p_value": p,
            "p_value_adjusted": adjusted,
            "mcse": 0.0 if exact else np.sqrt(p * (1 - p) / len(values)),
            "n_subject": [int(n_subject.max()), *n_subject],
        }
    )
