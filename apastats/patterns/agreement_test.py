"""Tests of agreement against nulls: permuted ROI labels, and baselines any pattern would reach."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from apastats import arguments
from apastats.arguments import applies, choice, mapping
from apastats.errors import DegenerateWarning, InputError, warn
from apastats.io.read_regions import Regions
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
    predictors_of,
    take_predictors,
)
from apastats.patterns.null_statistics import (
    Permutations,
    flip_test,
    inflation_by_shared_geometry,
    one_roi,
    permutation_frame,
)
from apastats.patterns.pattern_agreement import brain_similarity, model_similarity
from apastats.patterns.pattern_similarity import check_similarity
from apastats.patterns.permutations import roi_permutations, spin_coordinates
from apastats.recording import verb
from apastats.resampling.plans import Plan, Resamples
from apastats.resampling.relabel import sign_flips
from apastats.results import Provenance, Result
from apastats.seeds import RngLike
from apastats.table import BRAIN, ScoreTable
from apastats.words import CHOSEN_LAYERS, STIMULI, SUBJECTS, Drawn, Info, Outcome

__all__ = ["AgreementTest", "agreement_test", "label_permutations"]

PERMUTATIONS = ("permuted_rois", "within_stream", "spatial")
BASELINES = ("other_roi", "mean_pattern", "models")
RANDOM = "random_models"
MOST_INFLATION = 1.3  # of a variance: a level of .05 becomes .075
_SENTENCE = {
    "permuted_rois": "the entries of a pattern are exchangeable: ROI labels of the predictor's pattern permuted",
    "within_stream": "entries are exchangeable within a stream: ROI labels permuted within streams",
    "spatial": "only the places of the entries matter: ROI labels rotated in space",
    "other_roi": "agreement with this ROI is no higher than with the other ROIs on average",
    "mean_pattern": "agreement with this ROI is no higher than with the mean pattern of the other ROIs",
    "models": "agreement is no higher than that of the null models on average",
    "random_models": "the model is one more of the null models",
}
_RESAMPLED = {b: "signs of each person's share in the difference" for b in BASELINES}
_RESAMPLED |= {RANDOM: "null models"}


class AgreementTest(Result):
    """Tests of agreement, one row per predictor and ROI.

    ``table``: ``kind, model, layer, roi, metric, split, estimate`` (mean agreement over subjects),
    ``null_mean`` (mean of the permutation distribution, or the baseline), ``difference`` (estimate less
    null_mean), ``null_sd`` (permutations), ``std_error, conf_low, conf_high`` of the difference (baselines),
    ``statistic, p_value, p_value_adjusted, mcse, n_subject, method``.
    """

    kind: ClassVar[str] = "agreement_test"


@dataclass(frozen=True, eq=False)
class _Cell:
    """One metric and split, ready to be tested; ``without`` each person in all roles, if that leaves enough."""

    label: tuple[str, str]
    compared: Compared
    without: list[Compared]
    models: list[str]
    layers: list[list[str]]
    index: np.ndarray


@verb
def agreement_test(
    patterns: AlignmentPatterns,
    *,
    null: str = "permuted_rois",
    selection: ScoreTable | None = None,
    reference: str = "leave_one_out",
    similarity: str = "pearson",
    brain: str | None = None,
    streams: Mapping[str, Sequence[str]] | Regions | None = None,
    coordinates: Mapping[str, Sequence[float]] | pd.DataFrame | Regions | None = None,
    distances: pd.DataFrame | None = None,
    null_models: Sequence[str] | None = None,
    n_resamples: Resamples = "auto",
    alternative: str = "greater",
    conf_level: float = 0.95,
    rng: RngLike = None,
) -> AgreementTest:
    """Test the agreement of every model, and of the brain, against a null.

    Parameters
    ----------
    patterns : AlignmentPatterns
        From :func:`alignment_patterns`.
    null : str
        Permutations of the predictor's pattern, the same for all subjects:

        - ``"permuted_rois"``: all ROI labels exchangeable (all orders up to 9 ROIs, sampled above).
        - ``"within_stream"``: exchangeable within the groups of ``streams``.
        - ``"spatial"``: random rotations of ``coordinates`` (or of places that have ``distances``).

        Baselines, tested by sign flips over people (each person's share, in all roles, in the difference):

        - ``"other_roi"``: the same pattern's agreement with the other ROIs, averaged.
        - ``"mean_pattern"``: its agreement with the mean reference of the other ROIs: what reliability
          common to all patterns gives.
        - ``"models"``: the mean agreement of ``null_models`` (untrained networks, say).

        And ``"random_models"``: the place of a model's mean agreement among those of ``null_models``, which
        are draws of one kind (see :func:`apastats.patterns.random_feature_models`).
    selection : ScoreTable, optional
        From :func:`select_layer`: one layer per model and ROI; all layers without it.
    reference, similarity, brain
        As in :func:`pattern_agreement`.
    streams : mapping of str to sequence of str, or Regions, optional
        ROIs of each group; those of a table from :func:`apastats.read_regions`.
    coordinates : mapping, DataFrame or Regions, optional
        Place of each ROI (2 or 3 numbers), by ROI name, or such a table.
    distances : DataFrame, optional
        Symmetric, ROI names as index and columns.
    null_models : sequence of str, optional
        Models in the patterns; with a selection they need their own rows in it.
    n_resamples : "auto", "exact" or int
        Permutations or sign flips.
    alternative : {"greater", "less", "two-sided"}
        Direction.
    conf_level : float
        Level of the t interval of baseline differences.
    rng : int, Generator, SeedSequence or None
        Used where permutations are sampled.

    Returns
    -------
    AgreementTest

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``roi`` (region), ``metric`` (measure of the scores), ``split`` (part of the
        stimuli), ``estimate`` (what is estimated, from the data themselves), ``null_mean`` (mean under the
        null), ``difference`` (difference), ``null_sd`` (SD under the null), ``statistic`` (test statistic),
        ``p_value`` (p-value of the ordinary test), ``p_value_adjusted`` (p-value adjusted over the family),
        ``mcse`` (Monte-Carlo standard error), ``n_subject`` (subjects), ``method`` (how the interval or test
        was made).

    Raises
    ------
    InputError
        If an argument is not allowed, or what the null needs is missing.
    DesignError
        If fewer than three entries are shared.

    See Also
    --------
    pattern_agreement, agreement_bootstrap, brain_test

    Notes
    -----
    Statistic: the mean over subjects of the agreement (permutations), or the mean over subjects of
    agreement less baseline in standard errors (baselines). Subjects share references and partners, so the signs
    flipped are not those of their differences but of ``D + (n - 1) (mean_j D_-j - D_-i)``, ``D_-i`` the mean
    difference without person i in any role: the standard error is the jackknife's. (Differences of subjects
    rejected in 22 to 77 % of data sets in which all ROIs had one and the same pattern.) The mean pattern has less
    noise than that of one ROI, which works against a difference above zero. ``p_value_adjusted`` is single-step max-T
    (Westfall and Young 1993) over all models and ROIs of a metric and split, the brain's rows apart: the
    maximum over tests of the statistic less its null mean over its null SD. p-values are exact shares
    where all permutations are enumerated and (k + 1) / (B + 1) otherwise. Permutations use the entries
    all subjects and all predictors have.

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d
    .. [2] Phipson, B., & Smyth, G. K. (2010). Permutation p-values should never be zero: Calculating exact
       p-values when permutations are randomly drawn. Statistical Applications in Genetics and Molecular
       Biology, 9(1), 39. https://doi.org/10.2202/1544-6115.1585

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=5, n_model=3, n_layer=2, rng=1)
    >>> patterns = apa.alignment_patterns(study.scores.where(split="test"))
    >>> test = apa.agreement_test(patterns, n_resamples=99, rng=1)
    >>> bool((test.table["p_value"] >= 0.01).all())
    True
    """
    check_null(null, (*PERMUTATIONS, *BASELINES, RANDOM), streams, coordinates, distances)
    choice("reference", reference, REFERENCES)
    check_similarity(similarity)
    choice("alternative", alternative, ("greater", "less", "two-sided"))
    applies(
        "n_resamples",
        n_resamples,
        to=(*PERMUTATIONS, *BASELINES),
        chosen=null,
        by="null",
        default="auto",
    )
    applies("conf_level", conf_level, to=BASELINES, chosen=null, by="null", default=0.95)
    applies("null_models", null_models, to=("models", RANDOM), chosen=null, by="null")
    arrays = patterns.dense
    kind = brain_kind(arrays, brain)
    enough_subjects(arrays, kind, reference)
    cells = _cells(arrays, kind, reference, selection, null in BASELINES)
    frames: list[pd.DataFrame] = []
    plan: Plan | None
    if null in PERMUTATIONS:
        plan = label_permutations(
            null, arrays.rois, streams, coordinates, distances, n_resamples, rng
        )
        drawn = Permutations(plan.matrix.astype(np.intp), plan.exact, plan.kind)
        for cell in cells:
            frames += _permuted(arrays, cell, kind, similarity, drawn, alternative)
    elif null == RANDOM:
        plan = None
        for cell in cells:
            frames += _among_models(arrays, cell, kind, similarity, null_models, alternative)
    else:
        flips = sign_flips(len(arrays.subjects), n_resamples, rng)
        plan = flips
        for cell in cells:
            frames += _against_baseline(
                arrays, cell, kind, similarity, null, null_models, flips, alternative, conf_level
            )
    table = pd.concat(frames, ignore_index=True)
    notes = _shared_geometry(arrays, kind) if null == "permuted_rois" else ()
    size = f"{len(null_models or ())} null models"
    if plan is not None:
        size = f"{'exact' if plan.exact else 'sampled'} ({plan.n_resamples} resamples)"
    info = Info(
        estimand="agreement against a null",
        n_resamples=None if plan is None else plan.n_resamples,
        exact=None if plan is None else plan.exact,
        outcome=Outcome("agreement"),
        method=f"agreement against {null.replace('_', ' ').replace('rois', 'ROIs')}, {size}",
        null=_SENTENCE[null],
        reference=reference,
        adjust="max-t",
        family="models and ROIs",
        alternative=alternative,
        n_subject=len(arrays.subjects),
        resampled=Drawn(_RESAMPLED.get(null, "ROI labels, the same for all subjects")),
        held_fixed=(STIMULI, CHOSEN_LAYERS, *(() if null in BASELINES else (SUBJECTS,))),
        extra={
            "null_kind": null,
            "similarity": similarity,
            "brain": kind,
            "null_models": null_models,
        },
    )
    provenance = Provenance(data_hash=patterns.provenance.data_hash, seed=plan.seed if plan else "")
    return AgreementTest(table, info, provenance, notes=notes)


def _shared_geometry(arrays: PatternArrays, kind: str) -> tuple[str, ...]:
    """Warn where regions are so alike that their labels cannot be exchanged; the text is also a note."""
    lead = tuple(range(1, 1 + (2 if kind == "subject_to_subject" else 1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        mean = np.nanmean(brain_stack(arrays, kind), axis=lead)
    ratios = np.array([inflation_by_shared_geometry(p) for p in mean])
    known = ratios[np.isfinite(ratios)]  # none without a region's own entry
    ratio = float(np.median(known)) if known.size else 1.0
    if ratio <= MOST_INFLATION:
        return ()
    claimed = float(ndtr(-ndtri(0.95) / np.sqrt(ratio)))
    text = (
        f"regions share geometry: the agreement of an unrelated model varies {ratio:.1f} times as much as its "
        f"permutations do, so that about {100 * claimed:.0f} % of such models have p below .05; in Python: "
        "null='spatial' or 'within_stream', or untrained networks (null='random_models')"
    )
    warn(text, DegenerateWarning)
    return (text,)


def _cells(
    arrays: PatternArrays,
    kind: str,
    reference: str,
    selection: ScoreTable | None,
    people: bool,
) -> list[_Cell]:
    """Cells with their candidates; those without selected rows are left out."""
    brain = brain_stack(arrays, kind)
    out = []
    for c, label in enumerate(arrays.cells):
        chosen = predictors_of(arrays, selection, label)
        if selection is not None and not chosen.models:
            continue
        pairwise = kind == "subject_to_subject"
        compared = compare_with(arrays.model[c], brain[c], pairwise=pairwise, reference=reference)
        without = []
        if people and enough_without_one(arrays, kind, reference):
            for i in range(len(arrays.subjects)):
                rest = np.delete(brain[c], i, axis=0)
                rest = np.delete(rest, i, axis=1) if pairwise else rest
                model = np.delete(arrays.model[c], i, axis=0)
                without.append(compare_with(model, rest, pairwise=pairwise, reference=reference))
        out.append(_Cell(label, compared, without, chosen.models, chosen.layers, chosen.index))
    if not out:
        raise InputError(
            "selection", selection, "rows of a metric and split that the patterns have"
        )
    return out


def check_null(
    null: str, allowed: tuple[str, ...], streams: Any, coordinates: Any, distances: Any
) -> None:
    """The name of a null, and that what is given for one null is given with it."""
    choice("null", null, allowed)
    applies("streams", streams, to=["within_stream"], chosen=null, by="null")
    applies("coordinates", coordinates, to=["spatial"], chosen=null, by="null")
    applies("distances", distances, to=["spatial"], chosen=null, by="null")


def label_permutations(
    null: str,
    rois: list[str],
    streams: Mapping[str, Sequence[str]] | Regions | None,
    coordinates: Any,
    distances: pd.DataFrame | None,
    n_resamples: Resamples,
    rng: RngLike,
) -> Plan:
    """Plan of ROI permutations for a null by its name; InputError where what it needs is missing."""
    check_null(null, PERMUTATIONS, streams, coordinates, distances)
    options: dict[str, Any] = {"n_resamples": n_resamples, "rng": rng}
    if null == "within_stream":
        if isinstance(streams, Regions):
            streams = streams.streams
        streams = mapping(
            "streams", streams, "a mapping of stream to its ROIs for null='within_stream'"
        )
        of = {r: s for s, members in streams.items() for r in arguments.names("streams", members)}
        lacking = [r for r in rois if r not in of]
        if lacking:
            raise InputError(
                "streams", streams, f"a stream for every ROI ({lacking[0]!r} has none)"
            )
        present = list(dict.fromkeys(of[r] for r in rois))
        groups = [[i for i, r in enumerate(rois) if of[r] == s] for s in present]
        return roi_permutations(len(rois), groups=groups, **options)
    if null == "spatial":
        return roi_permutations(
            len(rois), coordinates=_places(rois, coordinates, distances), **options
        )
    return roi_permutations(len(rois), **options)


def _places(rois: list[str], coordinates: Any, distances: pd.DataFrame | None) -> np.ndarray:
    if (coordinates is None) == (distances is None):
        raise InputError(
            "coordinates", coordinates, "either coordinates or distances for null='spatial'"
        )
    if distances is not None:
        if not isinstance(distances, pd.DataFrame) or not set(rois) <= set(distances.index) & set(
            distances.columns
        ):
            raise InputError(
                "distances", distances, "a DataFrame with every ROI as index and column"
            )
        return spin_coordinates(distances.loc[rois, rois].to_numpy("f8"))
    if isinstance(coordinates, Regions):
        coordinates = coordinates.coordinates
    if isinstance(coordinates, pd.DataFrame):
        coordinates = {
            str(k): v for k, v in zip(coordinates.index, coordinates.to_numpy(), strict=True)
        }
    if not isinstance(coordinates, Mapping) or not set(rois) <= set(coordinates):
        raise InputError("coordinates", coordinates, "a place for every ROI, by name")
    return np.asarray([coordinates[r] for r in rois], dtype=np.float64)


def _permuted(
    arrays: PatternArrays,
    cell: _Cell,
    kind: str,
    similarity: str,
    plan: Permutations,
    alternative: str,
) -> list[pd.DataFrame]:
    c = cell.compared
    model_parts, brain_parts = [], []
    s = np.arange(len(arrays.subjects))[:, None]
    for r, roi in enumerate(arrays.rois):
        if cell.models:
            index = cell.index[:, :, r]
            x = np.where(index[..., None] >= 0, c.model[s, np.maximum(index, 0)], np.nan)
            model_parts.append(
                one_roi(x[:, None], c.model_references[:, :, r], similarity, plan, roi)
            )
        own = c.brain[:, :, r][:, :, None]
        brain_parts.append(one_roi(own, c.brain_references[:, :, r], similarity, plan, roi))
    frames = []
    if cell.models:
        layers = [
            cell.layers[j][r] for r in range(len(arrays.rois)) for j in range(len(cell.models))
        ]
        frames.append(
            permutation_frame(
                model_parts, "model", cell.models, layers, cell.label, plan, alternative
            )
        )
    layers = ["-"] * len(arrays.rois)
    frames.append(
        permutation_frame(brain_parts, kind, [BRAIN], layers, cell.label, plan, alternative)
    )
    return frames


def _baselines(
    c: Compared, null: str, similarity: str, own: np.ndarray, confusion: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Baseline of every predictor ``[subject, predictor, roi]`` and of the brain ``[subject, roi]``."""
    n_roi = own.shape[2]
    models, brains = np.full(own.shape, np.nan), np.full(confusion.shape[:2], np.nan)
    for r in range(n_roi):
        others = [t for t in range(n_roi) if t != r]
        if null == "other_roi":
            models[:, :, r] = average(own[:, :, others], 2)
            brains[:, r] = average(confusion[:, r, others], 1)
            continue
        mean = Compared(
            c.model,
            average(c.model_references[:, :, others], 2)[:, :, None],
            c.brain[:, :, [r]],
            average(c.brain_references[:, :, others], 2)[:, :, None],
        )
        models[:, :, r] = model_similarity(mean, similarity)[:, :, 0]
        brains[:, r] = brain_similarity(mean, similarity)[:, 0, 0]
    return models, brains


def _against_baseline(
    arrays: PatternArrays,
    cell: _Cell,
    kind: str,
    similarity: str,
    null: str,
    null_models: Sequence[str] | None,
    flips: Plan,
    alternative: str,
    conf_level: float,
) -> list[pd.DataFrame]:
    tested = list(range(len(cell.models)))
    if null == "models":
        is_null = _null_flags(cell.models, null_models)
        tested = [j for j in tested if not is_null[j]]

    def parts(c: Compared, index: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Agreement and its baseline, of models and of the brain, ``[subject, row]``."""
        own, confusion = model_similarity(c, similarity), brain_similarity(c, similarity)
        taken = take_predictors(own, index)
        if null == "models":
            brain_base = average(taken[:, is_null], 1)[:, None]
            model_base = np.broadcast_to(brain_base, taken.shape)
        else:
            every, brain_only = _baselines(c, null, similarity, own, confusion)
            model_base, brain_base = take_predictors(every, index), brain_only[:, None]
        brain = np.diagonal(confusion, axis1=1, axis2=2)[:, None]
        pairs = [(taken[:, tested], model_base[:, tested]), (brain, brain_base)]
        return [(x.reshape(len(x), -1), y.reshape(len(y), -1)) for x, y in pairs]

    whole = parts(cell.compared, cell.index)
    left = [parts(c, np.delete(cell.index, i, axis=0)) for i, c in enumerate(cell.without)]
    names = [[cell.models[j] for j in tested], [BRAIN]]
    layers = [
        [cell.layers[j][r] for j in tested for r in range(len(arrays.rois))],
        ["-"] * len(arrays.rois),
    ]
    frames = []
    for side, row_kind in enumerate(("model", kind)):
        if not names[side]:
            continue
        frame, d = _flip_frame(
            arrays, cell.label, row_kind, names[side], layers[side], *whole[side]
        )
        if left:
            d = _shares(d, np.stack([average(p[side][0] - p[side][1], 0) for p in left]))
        frames.append(flip_test(frame, d, flips, alternative, conf_level))
    return frames


def _shares(differences: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Share of each person, in all roles, in mean differences ``[subject, row]``; ``left``: without each."""
    without = np.where(np.isfinite(differences), left, np.nan)
    n = len(differences)
    return average(differences, 0) + (n - 1) * (average(without, 0) - without)


def _null_flags(models: list[str], null_models: Sequence[str] | None) -> np.ndarray:
    """Which models are null models; InputError if a name is unknown or there is none."""
    wanted = [str(m) for m in null_models or ()]
    if not wanted or any(m not in models for m in wanted):
        raise InputError("null_models", null_models, f"models among {sorted(set(models))}")
    return np.asarray([m in wanted for m in models])


def _among_models(
    arrays: PatternArrays,
    cell: _Cell,
    kind: str,
    similarity: str,
    null_models: Sequence[str] | None,
    alternative: str,
) -> list[pd.DataFrame]:
    """Place of each model, and of the brain, among the null models; Bonferroni over models."""
    is_null = _null_flags(cell.models, null_models)
    c = cell.compared
    taken = take_predictors(model_similarity(c, similarity), cell.index)
    own = np.einsum("srr->sr", brain_similarity(c, similarity))[:, None]
    null = average(taken[:, is_null], 0)
    drawn = Permutations(np.empty((len(null), 0), dtype=np.intp), False, "place among null models")
    frames = []
    tested = np.flatnonzero(~is_null)
    for row_kind, names, values in (
        ("model", [cell.models[j] for j in tested], taken[:, tested]),
        (kind, [BRAIN], own),
    ):
        if not names:
            continue
        n_subject = np.isfinite(values).sum(axis=0)
        mean = average(values, 0)
        parts = [
            (roi, mean[:, r], np.repeat(null[:, [r]], len(names), axis=1), n_subject[:, r])
            for r, roi in enumerate(arrays.rois)
        ]
        layers = ["-"] * len(parts)
        if row_kind == "model":
            layers = [cell.layers[j][r] for r in range(len(parts)) for j in tested]
        frame = permutation_frame(parts, row_kind, names, layers, cell.label, drawn, alternative)
        adjusted = np.minimum(frame["p_value_adjusted"] * len(names), 1.0)
        frames.append(frame.assign(p_value_adjusted=adjusted))
    return frames


def _flip_frame(
    arrays: PatternArrays,
    label: tuple[str, str],
    kind: str,
    models: list[str],
    layers: list[str],
    own: np.ndarray,
    base: np.ndarray,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows without p-values, and the subjects' differences ``[subject, row]``."""
    both = np.isfinite(own) & np.isfinite(base)
    own, base = np.where(both, own, np.nan), np.where(both, base, np.nan)
    frame = pd.DataFrame(
        {
            "kind": kind,
            "model": np.repeat(models, len(arrays.rois)),
            "layer": layers,
            "roi": arrays.rois * len(models),
            "metric": label[0],
            "split": label[1],
            "estimate": average(own, 0),
            "null_mean": average(base, 0),
        }
    )
    return frame, own - base
