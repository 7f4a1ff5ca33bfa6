"""Choice of one layer per model, ROI and metric, on data other than those it is judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from apastats.arguments import choice
from apastats.errors import DataError, DesignError, InputError
from apastats.recording import verb
from apastats.rows import REGION
from apastats.table import BRAIN, ScoreTable, in_order_of
from apastats.words import LayerChoice

__all__ = ["select_layer", "selected_rows"]

CROSS_SUBJECT = "cross_subject"
_TIE = 1e-12  # relative difference below which two layers are equally good


@verb
def select_layer(
    table: ScoreTable,
    *,
    on: str = "train",
    split: str | None = None,
    outcome: str | None = None,
) -> ScoreTable:
    """Keep one layer of each model per ROI and metric.

    Parameters
    ----------
    table : ScoreTable
        Scores, or agreement, of several layers.
    on : str
        Name of a split: the layer with the highest mean over subjects on that split. Or
        ``"cross_subject"``: for each subject the layer with the highest mean over the *other* subjects,
        on the reported split.
    split : str, optional
        Split whose rows are returned; ``"test"`` where it exists, otherwise the only one left.
    outcome : str, optional
        Column the choice is made on; the first outcome by default.

    Returns
    -------
    ScoreTable
        Rows of kind "model" at the chosen layers, and rows of the model "brain" (in agreement tables).
        With ``cross_subject`` the layer may differ between subjects.

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``subject`` (subject), ``roi`` (region), ``metric`` (measure of the scores),
        ``split`` (part of the stimuli), ``stream`` (stream of the region), ``score`` (score).

    Raises
    ------
    InputError
        If a split or outcome does not exist, or choice and report would use the same data.
    DataError
        If there are no model rows, or a model and ROI that are reported have no row to choose on.
    DesignError
        If there is one subject only (``cross_subject``).

    See Also
    --------
    selected_rows, layer_agreement, noise_ceiling

    Notes
    -----
    Layers whose means differ by less than 1e-12 (relative) are equal, and the first by name is taken:
    the choice depends neither on row order nor on rounding.

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=4, n_model=3, n_layer=3, rois=["V1", "V2", "V4"], rng=1)
    >>> best = apa.select_layer(study.scores, on="train")
    >>> len(best), best.levels("split")
    (36, ['test'])
    """
    outcome = table.outcomes[0] if outcome is None else outcome
    choice("outcome", outcome, table.outcomes)
    rows = table.frame[(table.frame["kind"] == "model") | (table.frame["model"] == BRAIN)]
    if not (rows["kind"] == "model").any():
        raise DataError(f"{table.source}: there are no model rows to choose layers from")
    splits = [str(v) for v in rows["split"].unique()]
    split = _report_split(splits, on, split)
    shown = rows[rows["split"] == split].reset_index(drop=True)
    if on == CROSS_SUBJECT:
        chosen_on, basis = shown, f"the other subjects' {split} data"
    else:
        chosen_on, basis = rows[rows["split"] == on], f"the {on} data of all subjects"
    names = sorted(str(v) for v in rows["layer"].unique())
    keep, n_tie, n_empty = _choose(
        table.source, chosen_on, shown, names, outcome, on == CROSS_SUBJECT
    )
    frame = shown[keep]
    groups = frame[frame["kind"] == "model"].groupby(["model", "roi", "metric"], sort=False)
    models = rows[rows["kind"] == "model"]
    several = models.groupby(["model", "roi", "metric"], sort=False)["layer"].nunique().gt(1).any()
    chosen = LayerChoice(outcome, basis, split, groups.ngroups)
    if not several:
        chosen = LayerChoice(outcome, split=split if len(splits) > 1 else "")
    log = [
        f"layer of {groups.ngroups} model x ROI x metric cells chosen on {outcome}, {basis}; reported: {split}"
        if several
        else "one layer for each model, ROI and metric, and none chosen"
        + (f"; reported: {split}" if len(splits) > 1 else "")
    ]
    if on == CROSS_SUBJECT and several:
        unsure = int((groups["layer"].nunique() > 1).sum())
        log.append(
            f"in {unsure} of {groups.ngroups} cells the chosen layer differs between subjects"
        )
    if n_tie:
        log.append(f"{n_tie} ties between layers resolved by name")
    if n_empty:
        log.append(
            f"{n_empty} choices had no value of {outcome} to go by; the first layer by name was kept"
        )
    made = table.with_frame(in_order_of(_recentred(frame, table.outcomes), table.frame), log=log)
    return replace(made, facts=replace(table.facts, layers=chosen))


def _recentred(frame: pd.DataFrame, outcomes: Sequence[str]) -> pd.DataFrame:
    """Shares of people, moved so that their mean is that of the chosen rows where layers differ by subject."""
    keys = [frame[c] for c in ("model", "roi", "metric", "split")]
    for name in outcomes:
        person = f"{name}_person"
        if person in outcomes:
            gap = (frame[name] - frame[person]).groupby(keys, sort=False, observed=True)
            frame = frame.assign(**{person: frame[person] + gap.transform("mean")})
    return frame


def _report_split(splits: list[str], on: str, split: str | None) -> str:
    """Split that is reported, after checking it against what the choice is made on."""
    if not isinstance(on, str) or on not in (CROSS_SUBJECT, *splits):
        raise InputError(
            "on", on, f"'cross_subject' or a split among {splits}",
            hint="Without a split of its own to choose on, cross_subject is the way.",
        )  # fmt: skip
    left = [s for s in splits if s != on]
    if split is None:
        if not left:
            raise InputError(
                "on", on, "a split other than the only one there is",
                hint="Choosing and reporting on the same data flatters; use 'cross_subject'.",
            )  # fmt: skip
        split = "test" if "test" in left else left[0]
        if split != "test" and len(left) > 1:
            raise InputError("split", None, f"one of {left}")
    choice("split", split, splits)
    if split == on:
        raise InputError("split", split, f"a split other than {on!r}, which the choice is made on")
    return split


def _choose(
    source: str,
    chosen_on: pd.DataFrame,
    shown: pd.DataFrame,
    names: list[str],
    outcome: str,
    cross: bool,
) -> tuple[np.ndarray, int, int]:
    """Rows of ``shown`` to keep, number of ties, number of choices without data."""
    keys = ["model", "roi", "metric"]
    both = pd.concat([shown[keys], chosen_on[keys]])
    cell = both.groupby(keys, sort=False, observed=True).ngroup().to_numpy()
    shown_cell, basis_cell = cell[: len(shown)], cell[len(shown) :]
    place = {v: i for i, v in enumerate(names)}
    shown_layer = shown["layer"].map(place).to_numpy(dtype=np.intp)
    basis_layer = chosen_on["layer"].map(place).to_numpy(dtype=np.intp)
    lacking = np.setdiff1d(shown_cell, basis_cell)
    if len(lacking):
        row = shown[keys].iloc[int(np.argmax(shown_cell == lacking[0]))]
        raise DataError(f"{source}: {dict(row)} has no row to choose a layer on")
    shape = (int(cell.max()) + 1, len(names))
    value = chosen_on[outcome].to_numpy("f8")
    known = np.isfinite(value)
    flat = np.ravel_multi_index((basis_cell, basis_layer), shape)
    size = shape[0] * shape[1]
    total = np.bincount(flat, np.where(known, value, 0.0), size).reshape(shape)
    count = np.bincount(flat, known, size).reshape(shape)
    exists = np.bincount(flat, minlength=size).reshape(shape) > 0
    if not cross:
        best, tie, empty = _best(_ratio(total, count), exists)
        return best[shown_cell] == shown_layer, int(tie.sum()), int(empty.sum())
    subjects = chosen_on["subject"].unique()
    if len(subjects) < 2:
        raise DesignError(f"{source}: cross_subject needs two subjects or more, here is one")
    keep = np.zeros(len(shown), dtype=bool)
    n_tie = n_empty = 0
    column = shown["subject"].to_numpy()
    for s in subjects:
        mine = np.flatnonzero(column == s)
        # what this subject has is taken away cell by cell, so equal means stay equal
        own = np.ravel_multi_index((shown_cell[mine], shown_layer[mine]), shape)
        own_known = known[mine]
        rest = total - np.bincount(own, np.where(own_known, value[mine], 0.0), size).reshape(shape)
        left = count - np.bincount(own, own_known, size).reshape(shape)
        has = np.bincount(own, minlength=size).reshape(shape) > 0
        best, tie, empty = _best(_ratio(rest, left), has)
        there = has.any(axis=1)
        n_tie += int((tie & there).sum())
        n_empty += int((empty & there).sum())
        keep[mine] = best[shown_cell[mine]] == shown_layer[mine]
    return keep, n_tie, n_empty


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _best(mean: np.ndarray, exists: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First of the best columns of each row, whether there was a tie, whether there was nothing."""
    filled = np.where(exists & np.isfinite(mean), mean, -np.inf)
    top = filled.max(axis=1, keepdims=True)
    empty = ~np.isfinite(top[:, 0])
    with np.errstate(invalid="ignore"):
        equal = filled >= top - _TIE * np.maximum(np.abs(top), 1e-300)
    equal[empty] = exists[empty]
    return equal.argmax(axis=1), (equal.sum(axis=1) > 1) & ~empty, empty & exists.any(axis=1)


@verb
def selected_rows(table: ScoreTable, selection: ScoreTable) -> ScoreTable:
    """Rows of ``table`` at the layers chosen in ``selection``.

    Parameters
    ----------
    table : ScoreTable
        Agreement, or any scores, of all layers.
    selection : ScoreTable
        From :func:`select_layer`: for each model, ROI, metric and subject one layer.

    Returns
    -------
    ScoreTable
        Model rows of the selection's split whose layer was chosen for their ROI, metric and subject, and
        the rows of the model "brain" of that split.

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``subject`` (subject), ``roi`` (region), ``metric`` (measure of the scores),
        ``split`` (part of the stimuli), ``stream`` (stream of the region), ``score`` (score).

    Raises
    ------
    DataError
        If the tables have no such row in common.

    See Also
    --------
    select_layer, pattern_agreement

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=4, n_model=2, n_layer=3, rois=["V1", "V2", "V4"], rng=1)
    >>> best = apa.select_layer(study.scores)
    >>> agreement = apa.pattern_agreement(apa.alignment_patterns(study.scores))
    >>> len(agreement), len(apa.selected_rows(agreement, best))
    (168, 36)
    """
    frame = table.frame
    keys = ["model", "layer", "subject", "roi", "metric", "split"]
    picked = (selection.in_cells() if REGION in frame.columns else selection).frame
    chosen = picked.loc[picked["kind"] == "model", keys].drop_duplicates()
    marked = frame[keys].merge(chosen.assign(_chosen=True), on=keys, how="left")
    keep = marked["_chosen"].notna().to_numpy() & (frame["kind"] == "model").to_numpy()
    if not keep.any():
        raise DataError(f"{table.source}: no row is at a layer of the selection")
    brain = (frame["model"] == BRAIN) & frame["split"].isin(chosen["split"].unique())
    kept = in_order_of(_recentred(frame[keep | brain.to_numpy()], table.outcomes), frame)
    return table.with_frame(kept, log=("rows at the selected layers kept",))
