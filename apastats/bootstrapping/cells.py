"""From a score table to the arrays of a resampling design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from apastats import arguments
from apastats.arguments import names
from apastats.errors import DataError, DesignError, InputError
from apastats.resampling.designs import nested_counts, stratified_counts
from apastats.resampling.plans import Plan, Resamples, subject_counts, subject_weights
from apastats.rows import own_time
from apastats.seeds import RngLike
from apastats.table import Block, CellFormula, ScoreTable, averaged_block
from apastats.words import CHOSEN_LAYERS, PARTNERS, STIMULI, Held

__all__ = ["Cells", "dyad_cells", "mean_cells", "nested_cells", "option_cells"]


@dataclass(frozen=True, eq=False)
class Cells:
    """Values of a design.

    Attributes
    ----------
    design : str
        ``means, reselected, stratified, nested`` or ``dyad``.
    keys : pandas.DataFrame
        One row per cell.
    values : numpy.ndarray
        ``[unit, cell]`` (``[unit, cell, option]`` for ``reselected``), NaN where missing.
    units : list
        Labels of the independent units (subjects).
    formula : CellFormula
    words, drawn : str
        For the reader.
    held_fixed : tuple of Held
        What a claim does not reach beyond.
    labels : numpy.ndarray, optional
        Stratum or parent of every row of values, or the two members of every dyad.
    guide : numpy.ndarray, optional
        Values an option is chosen on.
    notes : tuple of str
    """

    design: str
    keys: pd.DataFrame
    values: np.ndarray
    units: list[Any]
    formula: CellFormula
    words: str
    drawn: str
    held_fixed: tuple[Held, ...] = (STIMULI, CHOSEN_LAYERS)
    labels: np.ndarray = field(default_factory=lambda: np.empty(0))
    guide: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def plan(self, n_resamples: Resamples, rng: RngLike, scheme: str = "bootstrap") -> Plan:
        """Plan of a design whose replicates are kept."""
        bayesian = scheme == "bayesian"
        if self.design == "dyad":
            make = subject_weights if bayesian else subject_counts
            return make(len(self.units), n_resamples, rng)
        counts = stratified_counts if self.design == "stratified" else nested_counts
        return counts(self.labels, n_resamples, rng, bayesian=bayesian)


def mean_cells(
    formula: CellFormula,
    data: ScoreTable,
    cluster: str,
    kind: str,
    strata: str | None,
    within: str | Sequence[str] | None = None,
) -> Cells:
    """One value per level of ``cluster`` and cell, the levels of ``within`` averaged in it."""
    block = averaged_block(data, formula, cluster=cluster, within=within, kind=kind)
    keys, values, notes = _present(block, data, kind)
    words, drawn = f"over {cluster}s", f"{cluster}s"
    if within is not None:
        words += f" of the mean over levels of {', '.join(names('within', within))}"
    if strata is None:
        return Cells("means", keys, values, block.clusters, formula, words, drawn, notes=notes)
    labels = _of_each(data, cluster, strata, block.clusters)
    return Cells(
        "stratified", keys, values, block.clusters, formula,
        f"{words} in strata of {strata}", f"{drawn} within {strata}", labels=labels, notes=notes,
    )  # fmt: skip


def nested_cells(formula: CellFormula, data: ScoreTable, pair: tuple[str, ...], kind: str) -> Cells:
    """One value per unit of the lower level and cell."""
    upper, lower = pair
    for c in pair:
        arguments.column("cluster", c, data.frame.columns)
    joined = data.frame[upper].astype(str) + " / " + data.frame[lower].astype(str)
    unit = "_unit"
    wide = data.with_frame(data.frame.assign(**{unit: joined}))
    block = wide.block(formula, cluster=unit, kind=kind)
    keys, values, notes = _present(block, wide, kind)
    labels = _of_each(wide, unit, upper, block.clusters)
    return Cells(
        "nested", keys, values, sorted(set(labels.tolist())), formula,
        f"over {upper}s of the mean over their {lower}s", f"{upper}s, then {lower}s within them",
        labels=labels, notes=notes,
    )  # fmt: skip


def dyad_cells(formula: CellFormula, data: ScoreTable, kind: str) -> Cells:
    """One value per unordered pair of subjects and cell; the two directions are averaged."""
    frame = data.frame[data.frame["kind"] == kind]
    if frame.empty:
        raise DesignError(f"{data.source}: there is no row of kind {kind!r}")
    columns = [*formula.compare, *formula.by]
    for c in (formula.outcome, *columns):
        if c not in frame.columns:
            raise InputError("formula", str(formula), f"columns among {list(frame.columns)}")
    held: tuple[Held, ...] = (STIMULI, PARTNERS)
    if "layer" not in columns:
        frame = frame[(frame["layer"] == frame["roi"]) & own_time(frame)]
        held = (STIMULI, Held("pairs of the same ROI"))
        if frame.empty:
            raise DataError(
                f"{data.source}: no row whose predictor ROI (layer) is the target ROI; name 'layer' "
                f"in the formula to use other pairs"
            )
    frame = frame[frame["model"] != frame["subject"]]
    members = sorted({*frame["model"], *frame["subject"]})
    directed = ["model", "subject", *columns]
    repeated = frame.duplicated(directed)
    if repeated.any():
        row = frame.loc[repeated, directed].iloc[0].to_dict()
        raise DesignError(f"{formula}: several rows for {row}; choose a split, or name the column")
    place = {s: i for i, s in enumerate(members)}
    a, b = frame["model"].map(place).to_numpy(), frame["subject"].map(place).to_numpy()
    ends = np.sort(np.column_stack([a, b]), axis=1)
    pairs, inverse = np.unique(ends, axis=0, return_inverse=True)
    dyad = inverse.reshape(-1)
    keys = frame[columns].drop_duplicates().reset_index(drop=True)
    column = (
        frame.groupby(columns, sort=False).ngroup().to_numpy()
        if columns
        else np.zeros(len(frame), dtype=np.intp)
    )
    value = frame[formula.outcome].to_numpy("f8")
    known = np.isfinite(value)
    total, count = (
        np.zeros((len(pairs), max(len(keys), 1))),
        np.zeros((len(pairs), max(len(keys), 1))),
    )
    np.add.at(total, (dyad[known], column[known]), value[known])
    np.add.at(count, (dyad[known], column[known]), 1)
    with np.errstate(invalid="ignore"):
        values = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    if not columns:
        keys = pd.DataFrame({"term": ["mean"]})
    _refuse_empty(keys, values)
    return Cells(
        "dyad", keys, values, members, formula, "over pairs of subjects",
        "subjects in both roles of every pair", held, labels=pairs,
    )  # fmt: skip


def option_cells(formula: CellFormula, data: ScoreTable, cluster: str, on: str) -> Cells:
    """One value per unit, cell and layer, on the reported split and on the one to choose on."""
    columns = [*formula.compare, *formula.by]
    if "layer" in columns or "model" not in columns:
        raise InputError("formula", str(formula), "a formula with 'model' and without 'layer'")
    for c in (cluster, formula.outcome, *columns):
        if c not in data.frame.columns:
            raise InputError("formula", str(formula), f"columns among {list(data.frame.columns)}")
    frame = data.frame[data.frame["kind"] == "model"]
    splits = list(frame["split"].unique())
    if on == "train" and "train" not in splits:
        raise InputError("on", on, f"'out_of_bag': there is no split 'train', only {splits}")
    rest = [s for s in splits if s != "train"]
    shown = "test" if "test" in rest else (rest[0] if rest else "")
    if not shown or ("test" not in rest and len(rest) > 1):
        raise InputError("data", splits, "a table with a split 'test', or with one split only")
    frame = frame[frame["split"].isin([shown, "train"])]
    units = sorted(frame[cluster].unique())
    keys = frame.loc[frame["split"] == shown, columns].drop_duplicates().reset_index(drop=True)
    layers = sorted(frame["layer"].unique())
    cell_of = {tuple(r): i for i, r in enumerate(keys.itertuples(index=False, name=None))}
    unit_of = {u: i for i, u in enumerate(units)}
    layer_of = {v: i for i, v in enumerate(layers)}
    stacks = {}
    for split in {shown, "train"} if on == "train" else {shown}:
        part = frame[frame["split"] == split]
        repeated = part.duplicated([cluster, "layer", *columns])
        if repeated.any():
            row = part.loc[repeated, [cluster, "layer", *columns]].iloc[0].to_dict()
            raise DesignError(f"{formula}: several rows for {row}; put the column into the formula")
        index = [cell_of.get(r, -1) for r in part[columns].itertuples(index=False, name=None)]
        where = (
            part[cluster].map(unit_of).to_numpy(),
            np.array(index),
            part["layer"].map(layer_of),
        )
        keep = where[1] >= 0
        stack = np.full((len(units), len(keys), len(layers)), np.nan)
        stack[where[0][keep], where[1][keep], where[2].to_numpy()[keep]] = part[
            formula.outcome
        ].to_numpy("f8")[keep]
        stacks[split] = stack
    _refuse_empty(
        keys, np.nanmax(np.where(np.isnan(stacks[shown]), -np.inf, stacks[shown]), axis=2)
    )
    guide = stacks.get("train") if on == "train" else None
    if guide is not None:
        lacking = ~np.isfinite(guide).any(axis=(0, 2))
        if lacking.any():
            row = keys[lacking].iloc[0].to_dict()
            raise DataError(f"{data.source}: {row} has no train row to choose a layer on")
    words = "train split" if on == "train" else f"{cluster}s out of the resample"
    return Cells(
        "reselected", keys, stacks[shown], units, formula, f"over {cluster}s at the best layer",
        f"{cluster}s, the layer chosen anew on the {words}", (STIMULI,), guide=guide,
    )  # fmt: skip


def _of_each(data: ScoreTable, unit: str, column: str, units: Sequence[Any]) -> np.ndarray:
    """Level of ``column`` of every unit; it must be one."""
    arguments.column("strata", column, data.frame.columns)
    found = data.frame.groupby(unit)[column].agg(["nunique", "first"])
    mixed = found.index[found["nunique"] > 1]
    if len(mixed):
        raise DesignError(f"{column}: {unit} {mixed[0]!r} has several levels; one is needed")
    return found.loc[list(units), "first"].to_numpy()


def _refuse_empty(keys: pd.DataFrame, values: np.ndarray) -> None:
    """DesignError for a cell that has rows but no value."""
    empty = ~np.isfinite(values).any(axis=0)
    if empty.any():
        row = keys[empty].iloc[0].to_dict()
        raise DesignError(
            f"bootstrap: cell {row} has rows but no value; leave it out or repair the data"
        )


def _uneven(block: Block) -> str:
    """Words on means that rest on other units than those beside them; empty where all rest on the same."""
    seen = np.isfinite(block.values)
    there = seen.any(axis=0)  # [group, cell]
    partly = (seen.any(axis=1)[:, None, :] & ~seen & there[None]).any(axis=0)
    n = int(partly.sum())
    if not n:
        return ""
    verb = "mean rests" if n == 1 else "means rest"
    return (
        f"{n} of {int(there.sum())} {verb} on fewer {block.cluster}s than those beside them: which mean is the highest "
        f"can be a matter of who is missing"
    )


def _present(
    block: Block, data: ScoreTable, kind: str | None
) -> tuple[pd.DataFrame, np.ndarray, tuple[str, ...]]:
    """Cells that have rows, ``[cluster, cell]`` values, and a note on combinations without rows."""
    n, n_group, n_cell = block.values.shape
    values = block.values.reshape(n, n_group * n_cell)
    keys = pd.concat(
        [
            block.groups.loc[np.repeat(np.arange(n_group), n_cell)].reset_index(drop=True),
            block.cells.loc[np.tile(np.arange(n_cell), n_group)].reset_index(drop=True),
        ],
        axis=1,
    )
    if not len(keys.columns):
        keys = pd.DataFrame({"term": ["mean"]})
    empty = ~np.isfinite(values).any(axis=0)
    uneven = tuple(filter(None, [_uneven(block)]))
    if not empty.any():
        return keys, values, uneven
    columns = [*block.formula.compare, *block.formula.by]
    frame = data.frame if kind is None else data.frame[data.frame["kind"] == kind]
    present = set(frame[columns].itertuples(index=False, name=None))
    for row in keys[empty].itertuples(index=False, name=None):
        if row in present or not columns:
            raise DesignError(
                f"bootstrap: cell {dict(zip(columns, row, strict=True))} has rows but no value; "
                f"leave it out or repair the data"
            )
    note = (
        f"{int(empty.sum())} of {empty.size} combinations of {columns} have no rows and no estimate"
    )
    return (
        keys[~empty].reset_index(drop=True),
        np.ascontiguousarray(values[:, ~empty]),
        (note, *uneven),
    )
