"""Agreement: similarity of a predictor's alignment pattern with the brain's pattern of each ROI."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from apastats.arguments import choice
from apastats.errors import DegenerateWarning, DesignError, warn
from apastats.numbers.jackknife import person_shares
from apastats.patterns.alignment_patterns import AlignmentPatterns
from apastats.patterns.arrays import PatternArrays
from apastats.patterns.compared import (
    REFERENCES,
    Compared,
    average,
    brain_kind,
    brain_stack,
    compare_with,
    enough_subjects,
    enough_without_one,
)
from apastats.patterns.pattern_similarity import (
    SIMILARITIES,
    check_similarity,
    fisher_z,
    pattern_similarity,
)
from apastats.recording import verb
from apastats.table import BRAIN, ScoreTable
from apastats.words import Facts, Outcome

__all__ = [
    "OUTCOMES",
    "agreement_values",
    "brain_similarity",
    "model_similarity",
    "pattern_agreement",
    "person_values",
]


Transform = Callable[[np.ndarray], np.ndarray]
OUTCOMES = ("agreement", "z", "agreement_person", "z_person")


def agreement_values(
    model: np.ndarray,
    brain: np.ndarray,
    *,
    pairwise: bool,
    reference: str,
    similarity: str,
    transform: Transform | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Agreement of models and of the brain in one cell.

    Parameters
    ----------
    model : numpy.ndarray, shape (n_subject, n_predictor, n_entry)
    brain : numpy.ndarray
        ``(n_subject, n_roi, n_entry)``, or with ``pairwise`` ``(n_subject, n_subject, n_roi, n_entry)``:
        target, predictor.
    pairwise : bool
        Which of the two ``brain`` is.
    reference, similarity : str
        See :func:`pattern_agreement`.
    transform : callable, optional
        Applied to agreements: for ``matched`` to each single similarity, before the mean over partners (the
        transform of a mean over patterns is not on the scale of the transform of one pattern).

    Returns
    -------
    model_agreement : numpy.ndarray, shape (n_subject, n_predictor, n_roi)
    brain_agreement : numpy.ndarray, shape (n_subject, n_roi)
    """
    c = compare_with(model, brain, pairwise=pairwise, reference=reference)
    each = transform if reference == "matched" else None
    own = _rowwise(c.brain, c.brain_references, similarity)
    found = model_similarity(c, similarity, each), average(own if each is None else each(own), 1)
    return found if transform is None or each else (transform(found[0]), transform(found[1]))


def person_values(
    model: np.ndarray,
    brain: np.ndarray,
    *,
    pairwise: bool,
    reference: str,
    similarity: str,
    transform: Transform | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Share of every person, in all roles, in the mean agreement of one cell.

    Parameters
    ----------
    model, brain, pairwise, reference, similarity, transform
        As in :func:`agreement_values`.

    Returns
    -------
    model_person : numpy.ndarray, shape (n_subject, n_predictor, n_roi)
    brain_person : numpy.ndarray, shape (n_subject, n_roi)
        ``A + (n - 1) (mean_j A_-j - A_-i)`` with ``A_-i`` the mean agreement without person i as target,
        predictor and part of the references: their mean is A and the standard error of their mean that of the
        jackknife. NaN where a subject has no agreement, or nothing is left without the person.
    """
    n = len(model)
    means = partial(
        agreement_values,
        pairwise=pairwise,
        reference=reference,
        similarity=similarity,
        transform=transform,
    )
    full = means(model, brain)
    left: list[list[np.ndarray]] = [[], []]
    for i in range(n):
        rest = np.delete(brain, i, axis=0)
        rest = np.delete(rest, i, axis=1) if pairwise else rest
        for part, values in zip(left, means(np.delete(model, i, axis=0), rest), strict=True):
            part.append(average(values, 0))
    model_person, brain_person = (
        person_shares(values, np.stack(parts)) for values, parts in zip(full, left, strict=True)
    )
    return model_person, brain_person


def _rowwise(x: np.ndarray, y: np.ndarray, similarity: str) -> np.ndarray:
    """Similarity of patterns at the same place of two stacks."""
    x, y = np.broadcast_arrays(x, y)
    return pattern_similarity(x[..., None, :], y[..., None, :], similarity)[..., 0, 0]


def model_similarity(
    c: Compared, similarity: str, transform: Transform | None = None
) -> np.ndarray:
    """Agreement of every predictor with every ROI, ``[subject, predictor, roi]``: mean over references."""
    n_subject, n_predictor = c.model.shape[:2]
    out = np.full((n_subject, n_predictor, c.model_references.shape[2]), np.nan)
    for s in range(n_subject):
        references = c.model_references[s]
        there = np.isfinite(references).any(axis=(-1, -2))
        if there.any():
            found = pattern_similarity(c.model[s], references[there], similarity)
            out[s] = average(found if transform is None else transform(found), 0)
    return out


def brain_similarity(c: Compared, similarity: str) -> np.ndarray:
    """Similarity of the brain's pattern of every ROI with every ROI's reference, ``[subject, roi, roi]``."""
    out = []
    for own, references in zip(c.brain, c.brain_references, strict=True):
        there = np.isfinite(own).any(axis=(-1, -2))
        references = np.broadcast_to(references, own.shape)
        if there.any():
            out.append(average(pattern_similarity(own[there], references[there], similarity), 0))
        else:
            out.append(np.full((own.shape[1], references.shape[1]), np.nan))
    return np.stack(out)


@verb
def pattern_agreement(
    patterns: AlignmentPatterns,
    *,
    reference: str = "leave_one_out",
    similarity: str = "pearson",
    brain: str | None = None,
) -> ScoreTable:
    """Agreement of every predictor's alignment pattern with the brain's pattern of every ROI.

    Parameters
    ----------
    patterns : AlignmentPatterns
        From :func:`alignment_patterns`.
    reference : {"leave_one_out", "released", "matched"}
        What a pattern of subject s is compared with. Where brain patterns come from pairs of subjects:

        - ``leave_one_out``: the mean pattern over all pairs in which s has no part.
        - ``released``: for models, each single pattern by which a partner predicts s, averaged over
          partners; for the brain as ``leave_one_out``. The two are not on one scale.
        - ``matched``: for each partner p of s, the mean over all pairs in which neither s nor p has a
          part; brain and models are compared with these same references and averaged over p. The
          brain's candidate is one pattern (p predicts s), a model's likewise.

        Where only ``leave_one_out`` brain rows exist, the reference is the mean pattern of the other
        subjects (``released``: the subject's own brain pattern, for models); ``matched`` is then the
        same as ``leave_one_out``, and the brain's patterns share predicting subjects with their
        reference, which models' patterns do not: the brain's agreement is too high by that share.
    similarity : {"pearson", "spearman", "cosine", "concordance", "nrmse"}
        See :func:`apastats.patterns.pattern_similarity`.
    brain : {"subject_to_subject", "leave_one_out"}, optional
        Brain rows to use; pairs where there are pairs.

    Returns
    -------
    ScoreTable
        Outcomes ``agreement`` and ``z`` (Fisher; not for nrmse), and ``agreement_person`` and ``z_person``: each
        person's share in their means, see Notes. ``roi`` is the ROI whose brain pattern is the target. Brain
        rows have the brain kind, ``model`` "brain" and ``layer`` "-".

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``subject`` (subject), ``roi`` (region), ``metric`` (measure of the scores),
        ``split`` (part of the stimuli), ``stream`` (stream of the region), ``agreement`` (pattern agreement),
        ``z`` (Fisher z), ``agreement_person`` (agreement with each person), ``z_person`` (its Fisher z).

    Raises
    ------
    InputError
        If an argument is not allowed.
    DesignError
        If there are no brain patterns, or too few subjects for the reference.

    See Also
    --------
    alignment_patterns, agreement_test, strict_alignment

    Notes
    -----
    With AP the patterns, P(s) the partners of s and ref(s, r) the mean of AP(p', r -> s') over pairs
    without s: brain ``A(r, s) = mean_p sim(ref(s, r), AP((p, r), s))``; models, leave_one_out,
    ``A(f, r, s) = sim(AP(f, s), ref(s, r))``, released ``mean_p sim(AP(f, s), AP((p, r), s))`` (Hoefling
    et al. 2026 and the code released with it). Plain means of the similarities. ``z = artanh(A)``, but for ``matched``
    ``z = mean_p artanh(sim)``: the brain's candidates are other partners, a model is one and the same, and only the
    mean over partners of transforms has a further brain, entered as a model, at the brain's own z.

    The agreements of two subjects are not independent: they share references, and people who predict both. A t
    interval over subjects of ``agreement`` or ``z`` covered 63 to 91 % instead of 95 % in simulations with ten
    subjects. ``*_person`` is for verbs that take subjects as the sample: for person i ``A + (n - 1) (mean_j A_-j -
    A_-i)`` with ``A_-i`` the mean agreement without that person in any role. Its mean over people is A, the
    standard error of that mean the jackknife's. t intervals of ``z_person`` covered 95 to 98 %; those of
    ``agreement_person`` 92 to 96 %, and their limits can lie beyond 1, as agreements are skewed: take ``z_person``
    for tests, and :func:`agreement_bootstrap` for intervals of an agreement. Left out where one person less leaves
    too few.

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=5, n_model=3, n_layer=2, rng=1)
    >>> patterns = apa.alignment_patterns(study.scores.where(split="test"))
    >>> apa.pattern_agreement(patterns).outcomes
    ('agreement', 'z', 'agreement_person', 'z_person')
    """
    choice("reference", reference, REFERENCES)
    check_similarity(similarity)
    arrays = patterns.dense
    kind = brain_kind(arrays, brain)
    enough_subjects(arrays, kind, reference)
    source = str(patterns.info["source"])
    values = brain_stack(arrays, kind)
    frames = []
    for c in range(len(arrays.cells)):
        found = agreement_values(
            arrays.model[c],
            values[c],
            pairwise=kind == "subject_to_subject",
            reference=reference,
            similarity=similarity,
        )
        columns = {"agreement": found}
        if SIMILARITIES[similarity].fisher:
            columns["z"] = agreement_values(
                arrays.model[c],
                values[c],
                pairwise=kind == "subject_to_subject",
                reference=reference,
                similarity=similarity,
                transform=fisher_z,
            )
        for name in list(columns) if enough_without_one(arrays, kind, reference) else ():
            columns[f"{name}_person"] = person_values(
                arrays.model[c],
                values[c],
                pairwise=kind == "subject_to_subject",
                reference=reference,
                similarity=similarity,
                transform=fisher_z if name == "z" else None,
            )
        frames.append(_rows(arrays, c, kind, columns))
    frame = pd.concat([f for f in frames if len(f)] or frames, ignore_index=True)
    bare = [" ".join(map(str, arrays.cells[c])) for c, f in enumerate(frames) if not len(f)]
    if frame.empty:
        raise DesignError(f"{source}: no {kind} rows to compare patterns with")
    if bare:
        message = (
            f"{source}: no {kind} rows to compare patterns with in {', '.join(bare)}; left out"
        )
        warn(message, DegenerateWarning)
    for name, levels in arrays.covariates.items():
        frame[name] = frame["roi"].map(levels)
    outcomes = [c for c in OUTCOMES if c in frame.columns]
    missing = int(frame["agreement"].isna().sum())
    log = [
        f"agreement of alignment patterns: reference {reference}, similarity {similarity}, brain rows {kind}, "
        f"profile {patterns.info['profile']}, self entry {patterns.info['self_entry']}, scale {patterns.info['scale']}"
    ]
    if outcomes[-1].endswith("_person"):
        log.append(
            "columns ending in _person hold each person's share in the mean agreement, in all roles: intervals and "
            "tests over them account for references and pairs that subjects share"
        )
    if kind == "leave_one_out":
        log.append(
            "the brain's patterns are leave-one-out: they share predicting subjects with their reference, "
            "models' patterns do not, so the brain's agreement is an upper reference"
        )
    if missing:
        message = f"{source}: {missing} of {len(frame)} agreements are not defined (constant or short patterns)"
        warn(message, DegenerateWarning)
    measures = {
        c: Outcome(c, "agreement", "Fisher z" if c.startswith("z") else "") for c in outcomes
    }
    return ScoreTable(
        frame,
        outcomes=tuple(outcomes),
        log=tuple(log),
        source=f"agreement of {source}",
        measures=measures,
        facts=Facts(reference=reference),
    )


def _rows(
    arrays: PatternArrays, c: int, kind: str, columns: dict[str, tuple[np.ndarray, np.ndarray]]
) -> pd.DataFrame:
    """Rows of one cell: every predictor a subject has, every ROI that has a reference."""
    model, own = columns["agreement"]
    subjects = np.asarray(arrays.subjects, dtype=object)
    rois = np.asarray(arrays.rois, dtype=object)
    metric, split = arrays.cells[c]
    seen = np.isfinite(arrays.model[c]).any(axis=-1)
    # a ROI that no predictor of any subject can be compared with has no reference
    target = np.isfinite(own).any(axis=0) | np.isfinite(model).any(axis=(0, 1))
    s, k, r = np.nonzero(seen[:, :, None] & target)
    parts = [
        pd.DataFrame(
            {
                "kind": "model",
                "model": np.asarray(arrays.models, dtype=object)[k],
                "layer": np.asarray(arrays.layers, dtype=object)[k],
                "subject": subjects[s],
                "roi": rois[r],
                **{name: values[0][s, k, r] for name, values in columns.items()},
            }
        )
    ]
    s, r = np.nonzero(np.isfinite(own))
    parts.append(
        pd.DataFrame(
            {
                "kind": kind,
                "model": BRAIN,
                "layer": "-",
                "subject": subjects[s],
                "roi": rois[r],
                **{name: values[1][s, r] for name, values in columns.items()},
            }
        )
    )
    # a cell without brain rows of this kind has none; the verb says so
    frame = pd.concat([p for p in parts if len(p)] or parts, ignore_index=True)
    return frame.assign(metric=metric, split=split)
