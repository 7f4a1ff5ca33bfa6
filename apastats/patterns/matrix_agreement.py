"""A ROI x ROI matrix from elsewhere (connectivity, distance, ...) as predictor of the brain's patterns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats.arguments import array, choice, instance
from apastats.errors import DegenerateWarning, DesignError, InputError, warn
from apastats.io.read_regions import Regions
from apastats.numbers.adjust_p import adjust_p
from apastats.patterns.agreement_test import PERMUTATIONS, check_null, label_permutations
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
from apastats.resampling.rewire import rewired
from apastats.results import Provenance, Result
from apastats.seeds import RngLike, recorded_seed, seed_sequence
from apastats.words import STIMULI, SUBJECTS, Drawn, Info, Outcome

__all__ = ["MatrixAgreement", "matrix_agreement"]

DEGREE = "degree"
GRAPHS = 4999  # random graphs, where their number is left open


class MatrixAgreement(Result):
    """Agreement of the rows of a matrix with the brain's patterns.

    ``table``: ``roi`` ("all": mean over ROIs, then each), ``metric, split, estimate`` (mean over subjects),
    ``null_mean, null_sd, statistic, p_value, p_value_adjusted`` (max-T), ``p_value_fdr`` (Benjamini-Hochberg over
    ROIs), ``mcse, n_subject, method``.
    """

    kind: ClassVar[str] = "matrix_agreement"


@verb
def matrix_agreement(
    patterns: AlignmentPatterns,
    matrix: pd.DataFrame | Sequence[pd.DataFrame] | np.ndarray,
    *,
    reference: str = "leave_one_out",
    similarity: str = "pearson",
    brain: str | None = None,
    null: str = "permuted_rois",
    streams: Mapping[str, Sequence[str]] | Regions | None = None,
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
    matrix : pandas.DataFrame, sequence of them, or array, shape (n_person, n_roi, n_roi)
        ROI names as index and columns; the diagonal is never used. Of a stack (the connectomes of many people) the
        mean over people is taken; an array has its ROIs in the order of the patterns.
    reference : {"leave_one_out", "released", "matched"}
        Brain patterns a row is compared with, as for a model in :func:`pattern_agreement`.
    similarity : {"pearson", "spearman", "cosine"}
    brain : {"subject_to_subject", "leave_one_out"}, optional
        Brain rows to use; pairs where there are pairs.
    null : {"permuted_rois", "within_stream", "spatial", "degree"}
        Which relabellings of the matrix are as likely as the real one; or ``"degree"``: random graphs in which every
        ROI keeps its number of connections (symmetric matrices in which some entries are 0; of a stack those that
        are 0 in everybody).
    streams, coordinates, distances
        As in :func:`agreement_test`.
    n_resamples : "auto", "exact" or int
        Permutations.
    alternative : {"greater", "less", "two-sided"}
    rng : int, Generator, SeedSequence or None

    Returns
    -------
    MatrixAgreement

        Columns: ``roi`` (region), ``estimate`` (what is estimated, from the data themselves), ``null_mean``
        (mean under the null), ``null_sd`` (SD under the null), ``statistic`` (test statistic), ``p_value``
        (p-value of the ordinary test), ``p_value_adjusted`` (p-value adjusted over the family),
        ``p_value_fdr`` (p-value adjusted for the false discovery rate), ``mcse`` (Monte-Carlo standard
        error), ``n_subject`` (subjects), ``metric`` (measure of the scores), ``split`` (part of the stimuli),
        ``method`` (how the interval or test was made).

    Raises
    ------
    InputError
        If an argument is not allowed, or the matrix lacks a ROI or holds no finite number.
    DesignError
        If patterns have missing entries off the diagonal for all subjects.

    See Also
    --------
    pattern_agreement, second_order_similarity

    Notes
    -----
    The entry at which predictor ROI and target ROI are the same is left out of both sides. The null renames
    the ROIs of the matrix: rows and columns together, so that a diagonal entry stays on the diagonal and
    every other entry stays off it (Mantel 1967); a row can then not get its own diagonal entry, nor can
    entries shift by one. With ``"degree"`` connections are exchanged instead (Maslov and Sneppen 2002).
    ``p_value_adjusted`` is single-step max-T over ROIs, ``p_value_fdr`` the false discovery rate. Subjects
    with a missing entry off the diagonal do not enter for that ROI.

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d
    .. [2] Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A
       toolbox for representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.
       https://doi.org/10.1371/journal.pcbi.1003553

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
    if patterns.info["profile"] != "row":
        raise InputError("patterns", f"profile {patterns.info['profile']!r}", "row profiles")
    choice("reference", reference, REFERENCES)
    choice("similarity", similarity, inner_products())
    choice("alternative", alternative, ("greater", "less", "two-sided"))
    arrays = patterns.dense
    kind = brain_kind(arrays, brain)
    enough_subjects(arrays, kind, reference)
    values, n_person = _matrix(matrix, arrays.rois)
    choice("null", null, (*PERMUTATIONS, DEGREE))
    if null == DEGREE:
        check_null(null, (DEGREE,), streams, coordinates, distances)
        drawn = _graphs(values, n_resamples, rng)
    else:
        plan = label_permutations(
            null, arrays.rois, streams, coordinates, distances, n_resamples, rng
        )
        drawn = _Drawn(
            partial(_relabelled, values, plan.matrix.astype(np.intp)),
            plan.n_resamples, plan.exact, plan.kind, plan.seed,
        )  # fmt: skip
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
                _agreement(drawn.matrices(i), targets, similarity)
                for i in range(0, drawn.n_resamples, BLOCK)
            ]
        )
        frame = _rows(seen, null_values, arrays.rois, n_subject, drawn.exact, alternative)
        frames.append(frame.assign(metric=label[0], split=label[1], method=drawn.kind))
    table = pd.concat(frames, ignore_index=True)
    info = Info(
        estimand="agreement of a row",
        alternative=alternative,
        outcome=Outcome("agreement"),
        n_resamples=drawn.n_resamples,
        exact=drawn.exact,
        method=(
            f"agreement of the rows of a matrix with brain patterns, {null.replace('_', ' ')}, "
            f"{'exact' if drawn.exact else 'sampled'} ({drawn.n_resamples} resamples)"
        ),
        null=(
            "the matrix is any graph with these degrees"
            if null == DEGREE
            else "the ROI names of the matrix are exchangeable (rows and columns together)"
        ),
        reference=reference,
        adjust="max-t",
        family="ROIs",
        n_subject=len(arrays.subjects),
        resampled=Drawn(
            "connections of the matrix" if null == DEGREE else "ROI names of the matrix"
        ),
        held_fixed=(SUBJECTS, STIMULI),
        extra={"similarity": similarity, "brain": kind, "n_person": n_person},
    )
    return MatrixAgreement(
        table, info, Provenance(data_hash=patterns.provenance.data_hash, seed=drawn.seed)
    )


@dataclass(frozen=True)
class _Drawn:
    """Matrices under the null: ``matrices(i)`` gives ``[row, n, n]`` from the i-th on, a block of them."""

    matrices: Callable[[int], np.ndarray]
    n_resamples: int
    exact: bool
    kind: str
    seed: str


def _relabelled(values: np.ndarray, orders: np.ndarray, start: int) -> np.ndarray:
    d = orders[start : start + BLOCK]
    return values[d[:, :, None], d[:, None, :]]


def _graphs(values: np.ndarray, n_resamples: Resamples, rng: RngLike) -> _Drawn:
    """Random graphs with the degrees of the matrix; there is no list of all of them."""
    if n_resamples == "exact":
        raise InputError("n_resamples", "exact", "a number, or 'auto', for null='degree'")
    n = GRAPHS if n_resamples == "auto" else int(n_resamples)
    root = seed_sequence(rng)
    made = rewired(values, n, root)
    return _Drawn(
        lambda i: made[i : i + BLOCK], n, False, "graphs with the same degrees", recorded_seed(root)
    )


def _matrix(matrix: Any, rois: list[str]) -> tuple[np.ndarray, int]:
    """Mean matrix ``[n, n]`` in the order of the ROIs, its diagonal 0, and over how many people."""
    if isinstance(matrix, pd.DataFrame):
        stack = _named(matrix, rois)[None]
    elif isinstance(matrix, np.ndarray) and matrix.ndim == 3:
        stack = array("matrix", matrix, ndim=3, infinite=True)
        if stack.shape[1:] != (len(rois), len(rois)) or not len(stack):
            raise InputError(
                "matrix",
                f"an array of shape {stack.shape}",
                f"(n_person, {len(rois)}, {len(rois)})",
            )
    elif isinstance(matrix, (list, tuple)) and len(matrix):
        stack = np.stack([_named(m, rois) for m in matrix])
    else:
        allowed = "a DataFrame with ROI names on both sides, a list of them, or an array [person, ROI, ROI]"
        raise InputError("matrix", matrix, allowed)
    off = ~np.eye(len(rois), dtype=bool)
    if not np.isfinite(stack[:, off]).all():
        raise InputError("matrix", "NaN or infinite", "finite numbers off the diagonal")
    values = stack.mean(axis=0)
    np.fill_diagonal(values, 0.0)
    return values, len(stack)


def _named(matrix: Any, rois: list[str]) -> np.ndarray:
    instance("matrix", matrix, pd.DataFrame, "a DataFrame with ROI names on both sides")
    lacking = [r for r in rois if r not in matrix.index or r not in matrix.columns]
    if lacking:
        raise InputError("matrix", lacking[0], "a row and a column for every ROI of the patterns")
    return matrix.loc[rois, rois].to_numpy("f8", copy=True)


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
    # a similarity of unit patterns is their inner product, which is linear in the reference: mean over references and
    # people first, once, and each null matrix meets one vector per ROI
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
            "p_value_fdr": np.append(p[:1], adjust_p(p[1:], "bh")),
            "mcse": 0.0 if exact else np.sqrt(p * (1 - p) / len(values)),
            "n_subject": [int(n_subject.max()), *n_subject],
        }
    )
