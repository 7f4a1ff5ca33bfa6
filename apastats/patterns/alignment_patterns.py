"""Alignment patterns: a predictor's scores over all ROIs of a subject."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd

from apastats.arguments import applies, choice
from apastats.errors import DataError, DegenerateWarning, DesignError, warn
from apastats.patterns.arrays import PatternArrays, dense_patterns, rescale, without_self
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.rows import BRAIN_ROWS
from apastats.table import ScoreTable
from apastats.words import Info

__all__ = ["AlignmentPatterns", "alignment_patterns"]

PROFILES = ("row", "column")
SELF_ENTRIES = ("in", "out")
SCALES = ("raw", "ceiling", "double_centred")


class AlignmentPatterns(Result):
    """Alignment patterns of models and brains.

    ``table`` is long: ``kind, model, layer, subject, metric, split, roi, value``; for brain rows
    ``model`` is the predicting subject (``others`` for the mean of all others) and ``layer`` the
    predictor ROI (the target ROI for column profiles, whose ``roi`` is the predictor ROI).

    ``arrays`` holds the same numbers densely, the entry of the pattern last: ``model``
    ``[cell, subject, predictor, roi]``, ``leave_one_out`` ``[cell, subject, predictor roi, roi]``,
    ``subject_to_subject`` ``[cell, target subject, predicting subject, predictor roi, roi]``, and the
    labels ``subjects, rois, metrics, splits, models, layers``.
    """

    kind: ClassVar[str] = "alignment_patterns"

    @property
    def dense(self) -> PatternArrays:
        """The arrays with their labels."""
        a = self.arrays
        rois = [str(v) for v in a["rois"]]
        covariates = {
            k.removeprefix("roi_"): dict(zip(rois, map(str, v), strict=True))
            for k, v in a.items()
            if k.startswith("roi_")
        }
        return PatternArrays(
            [str(v) for v in a["subjects"]],
            rois,
            [(str(m), str(s)) for m, s in zip(a["metrics"], a["splits"], strict=True)],
            [str(v) for v in a["models"]],
            [str(v) for v in a["layers"]],
            a["model"],
            a.get("leave_one_out"),
            a.get("subject_to_subject"),
            covariates,
        )


@verb
def alignment_patterns(
    table: ScoreTable,
    *,
    profile: str = "row",
    self_entry: str = "in",
    scale: str = "raw",
    outcome: str | None = None,
    ceiling: str | None = None,
    on_low: str = "error",
    on_constant: str = "error",
) -> AlignmentPatterns:
    """Alignment patterns of every predictor in a table.

    Parameters
    ----------
    table : ScoreTable
        Model rows, brain rows (``subject_to_subject`` or ``leave_one_out``), or both.
    profile : {"row", "column"}
        ``row``: the predictor is fixed and the target ROI varies. ``column``: the target ROI is fixed
        and the predictor ROI varies (brain rows only: model layers are no ROIs).
    self_entry : {"in", "out"}
        Whether the entry at which predictor ROI and target ROI are the same takes part. Where it is
        out, it drops out of both sides of each comparison.
    scale : {"raw", "ceiling", "double_centred"}
        ``ceiling``: each score over the noise ceiling of its target (subject and ROI).
        ``double_centred``: for every subject, the mean over predictors of the same kind is taken from
        each target (what a target has for every predictor, such as its reliability), then each
        pattern's own mean. For models the predictors are all model layers in the table.
    outcome : str, optional
        Column of scores; the first outcome by default.
    ceiling : {"subject_to_subject", "leave_one_out"}, optional
        Ceiling for ``scale="ceiling"``; pairs where there are pairs.
    on_low : {"error", "nan"}
        What to do with ceilings at or below zero.
    on_constant : {"error", "nan"}
        What to do with a pattern that is the same for all ROIs: its similarity is not defined.

    Returns
    -------
    AlignmentPatterns

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``subject`` (subject), ``metric`` (measure of the scores), ``split`` (part of
        the stimuli), ``roi`` (region), ``value`` (value).

    Raises
    ------
    InputError
        If an argument is not allowed.
    DesignError
        If there are fewer than three ROIs, two rows for one entry, or no brain rows for columns.
    CeilingError
        If a ceiling is not above zero.
    DataError
        If a pattern is constant.

    See Also
    --------
    pattern_agreement, pattern_reliability, pattern_identification

    Notes
    -----
    ``AP(f, s) = (m(f, s, t))_t``: the scores m of predictor f on all ROIs t of subject s (Hoefling et
    al. 2026, alignment pattern analysis).

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=4, n_model=3, n_layer=2, rng=1)
    >>> patterns = apa.alignment_patterns(study.scores.where(split="test"))
    >>> patterns.arrays["model"].shape
    (1, 4, 6, 19)
    """
    outcome = _validate(table, profile, self_entry, scale, outcome, ceiling, on_low, on_constant)
    raw = dense_patterns(table, outcome)
    if len(raw.rois) < 3:
        raise DesignError(f"{table.source}: {len(raw.rois)} ROIs; a pattern needs at least 3")
    used = ceiling or (raw.kinds[0] if raw.kinds else "leave_one_out")
    if scale == "ceiling":
        arrays = rescale(raw, scale, used, on_low)
        arrays = without_self(arrays) if self_entry == "out" else arrays
    else:
        # what is left out must not enter the means that are taken away
        arrays = without_self(raw) if self_entry == "out" else raw
        arrays = rescale(arrays, scale, used, on_low)
    if profile == "column":
        arrays = _columns(arrays, table.source)
    notes = [*raw.notes, *_constant(arrays, table.source, on_constant)]
    info = Info(
        estimand="scores of one predictor over ROIs",
        method=f"alignment patterns, {profile} profile",
        outcome=table.outcome(outcome),
        n_subject=len(arrays.subjects),
        extra={
            "profile": profile,
            "self_entry": self_entry,
            "scale": scale if scale != "ceiling" else f"ceiling ({used})",
            "n_roi": len(arrays.rois),
            "n_predictor": len(arrays.models),
            "brain": arrays.kinds,
            "source": table.source,
        },
    )
    return AlignmentPatterns(
        _long(arrays), info, Provenance(data_hash=table.hash), _named(arrays), tuple(notes)
    )


def _validate(
    table: ScoreTable,
    profile: str,
    self_entry: str,
    scale: str,
    outcome: str | None,
    ceiling: str | None,
    on_low: str,
    on_constant: str,
) -> str:
    choice("profile", profile, PROFILES)
    choice("self_entry", self_entry, SELF_ENTRIES)
    choice("scale", scale, SCALES)
    choice("on_low", on_low, ("error", "nan"))
    choice("on_constant", on_constant, ("error", "nan"))
    if ceiling is not None:
        choice("ceiling", ceiling, ("subject_to_subject", "leave_one_out"))
    applies("ceiling", ceiling, to=["ceiling"], chosen=scale, by="scale")
    applies("on_low", on_low, to=["ceiling"], chosen=scale, by="scale", default="error")
    outcome = table.outcomes[0] if outcome is None else outcome
    choice("outcome", outcome, table.outcomes)
    return outcome


def _columns(arrays: PatternArrays, source: str) -> PatternArrays:
    if not arrays.kinds:
        raise DesignError(
            f"{source}: column profiles need brain rows; there are none. {BRAIN_ROWS}"
        )

    def turn(a: np.ndarray | None) -> np.ndarray | None:
        return None if a is None else np.ascontiguousarray(np.swapaxes(a, -1, -2))

    return replace(
        arrays,
        models=[],
        layers=[],
        model=arrays.model[:, :, :0],
        leave_one_out=turn(arrays.leave_one_out),
        pairs=turn(arrays.pairs),
    )


def _constant(arrays: PatternArrays, source: str, on_constant: str) -> list[str]:
    """Refuse or blank patterns without variation; edits the arrays in place when they are blanked."""
    notes = []
    kinds = {"model": arrays.model, "leave_one_out": arrays.leave_one_out}
    for kind, a in {**kinds, "subject_to_subject": arrays.pairs}.items():
        if a is None or not a.size:
            continue
        known = np.isfinite(a)
        low = np.where(known, a, np.inf).min(axis=-1)
        high = np.where(known, a, -np.inf).max(axis=-1)
        size = np.maximum(np.abs(low), np.abs(high))
        flat = (known.sum(axis=-1) >= 3) & ~(high - low > 1e-12 * size)
        if not flat.any():
            continue
        first = tuple(int(i) for i in np.argwhere(flat)[0])
        if kind == "model":
            label = f"{arrays.models[first[2]]} {arrays.layers[first[2]]}"
        else:
            label = f"{kind} {arrays.rois[first[-1]]}"
        message = (
            f"{source}: {int(flat.sum())} {kind} patterns are constant over the ROIs, the first is "
            f"{label} on {arrays.subjects[first[1]]}; their similarity is not defined"
        )
        if on_constant == "error":
            raise DataError(f"{message} (on_constant='nan' leaves them out)")
        warn(message, DegenerateWarning)
        notes.append(message)
        a[flat] = np.nan
    return notes


def _named(arrays: PatternArrays) -> dict[str, np.ndarray]:
    out = {
        "model": arrays.model,
        "subjects": np.asarray(arrays.subjects, dtype=str),
        "rois": np.asarray(arrays.rois, dtype=str),
        "metrics": np.asarray([m for m, _ in arrays.cells], dtype=str),
        "splits": np.asarray([s for _, s in arrays.cells], dtype=str),
        "models": np.asarray(arrays.models, dtype=str),
        "layers": np.asarray(arrays.layers, dtype=str),
    }
    if arrays.leave_one_out is not None:
        out["leave_one_out"] = arrays.leave_one_out
    if arrays.pairs is not None:
        out["subject_to_subject"] = arrays.pairs
    for name, levels in arrays.covariates.items():
        out[f"roi_{name}"] = np.asarray([levels[r] for r in arrays.rois], dtype=str)
    return out


def _long(arrays: PatternArrays) -> pd.DataFrame:
    """All finite entries as rows."""
    rois = np.asarray(arrays.rois, dtype=object)
    subjects = np.asarray(arrays.subjects, dtype=object)
    frames = []

    def add(kind: str, values: np.ndarray, model: np.ndarray, layer: np.ndarray) -> None:
        at = np.nonzero(np.isfinite(values))
        frames.append(
            pd.DataFrame(
                {
                    "kind": kind,
                    "model": model[at[2]],
                    "layer": layer[at[-2]],
                    "subject": subjects[at[1]],
                    "metric": np.asarray([m for m, _ in arrays.cells], dtype=object)[at[0]],
                    "split": np.asarray([s for _, s in arrays.cells], dtype=object)[at[0]],
                    "roi": rois[at[-1]],
                    "value": values[at],
                }
            )
        )

    if arrays.model.size:
        models = np.asarray(arrays.models, dtype=object)
        add("model", arrays.model, models, np.asarray(arrays.layers, dtype=object))
    if arrays.leave_one_out is not None:
        add("leave_one_out", arrays.leave_one_out, np.full(len(rois), "others", object), rois)
    if arrays.pairs is not None:
        add("subject_to_subject", arrays.pairs, subjects, rois)
    return pd.concat(frames, ignore_index=True)
