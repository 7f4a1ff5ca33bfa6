"""The bootstrap of scores that are computed from RDMs or patterns: subjects, stimuli, or both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import items
from apastats.bootstrapping.result import BootstrapResult
from apastats.bootstrapping.sources import Source
from apastats.bootstrapping.tables import give_warnings, how_many
from apastats.errors import DesignError, InputError
from apastats.resampling.designs import block_counts
from apastats.resampling.intervals import Alternative
from apastats.resampling.plans import (
    Plan,
    Resamples,
    check_resamples,
    subject_counts,
    subject_weights,
)
from apastats.resampling.quantiles import QuantileRule
from apastats.resampling.store import BlockStore, open_store
from apastats.results import Provenance
from apastats.scoring.stimuli.stimuli import MODEL_TILE, TASK_BLOCKS, StimulusSetup, stimulus_arrays
from apastats.seeds import RngLike, recorded_seed, seed_sequence
from apastats.table import CellFormula, parse_formula
from apastats.words import STIMULI, SUBJECTS, Drawn, Held, Info, Outcome

__all__ = ["bootstrap_rdms", "drawn_factors", "stimulus_cells", "stimulus_plans"]

STIMULUS_RESAMPLES = 4_999


def bootstrap_rdms(
    formula: str,
    source: Source,
    *,
    cluster: str | Sequence[str],
    scheme: str,
    blocks: Sequence[Any] | None,
    ceiling: bool,
    interval: str,
    n_resamples: Resamples,
    conf_level: float,
    alternative: Alternative,
    quantile_rule: QuantileRule,
    rng: RngLike,
    n_jobs: int,
    workdir: str | Path | None,
) -> BootstrapResult:
    """Bootstrap scores of models against brains from RDMs or patterns; see :func:`apastats.bootstrap`."""
    drawn = drawn_factors(cluster)
    method, labels, log = source.metric, source.labels, source.log
    f = parse_formula(formula)
    groups = _groups(f, source.models)
    subjects = sorted(labels["subject"].unique())
    rois = list(pd.unique(labels["roi"]))
    if f.by not in ((), ("roi",)) or (not f.by and len(rois) > 1):
        raise InputError("formula", formula, "'... | roi' after the bar (one ROI needs no bar)")
    if len(subjects) < 2:
        raise DesignError(f"bootstrap: {len(subjects)} subject; at least 2 are needed")
    info = Info(
        estimand="mean",
        outcome=Outcome(f.outcome, "score", metric=method),
        interval=interval,
        conf_level=float(conf_level),
        alternative=alternative,
        n_subject=len(subjects),
        formula=str(f),
        extra={
            "quantile_rule": quantile_rule,
            "n_stimulus": source.n_stimulus,
            "cluster": " + ".join(drawn),
            "metric": method,
            "ceiling_rois": rois if ceiling else None,
            "blocks": None
            if blocks is None
            else len(set(map(str, items("blocks", blocks, "a label per stimulus")))),
        },
    )
    if ceiling and source.no_pool:
        log = (*log, source.no_pool)
        ceiling, info = False, info.but(ceiling_rois=None)
    root = seed_sequence(rng)
    places = {roi: np.flatnonzero((labels["roi"] == roi).to_numpy()) for roi in rois}
    present = {
        roi: np.array([subjects.index(s) for s in labels["subject"].iloc[rows]])
        for roi, rows in places.items()
    }
    arrays: dict[str, np.ndarray]
    if drawn == ("subject",):
        make = subject_counts if scheme == "bootstrap" else subject_weights
        plan = make(len(subjects), n_resamples, root)
        arrays = _subject_arrays(source, places, present, len(subjects), ceiling)
        if not plan.exact:
            arrays["counts"] = plan.counts
        held: tuple[Held, ...] = (STIMULI, Held("layers"))
        info = info.but(interval="studentized" if interval == "auto" else interval)
    else:
        _stimuli_can_be_drawn(source, scheme, interval)
        info = info.but(interval="t" if interval == "auto" else interval)
        units, plan, others = stimulus_plans(
            drawn, source.n_stimulus, blocks, len(subjects), n_resamples, root, scheme == "bayesian"
        )
        setups = [
            StimulusSetup(
                **source.setup(places[roi], ceiling=ceiling),
                stimuli=plan,
                subjects=others,
                present=present[roi],
                units=units,
                ceiling=ceiling,
                studentize=info["interval"] == "studentized",
                bayesian=scheme == "bayesian",
                pooled=source.shares(places[roi]) if ceiling else None,
            )
            for roi in rois
        ]
        store = _store(workdir, source, f, info, plan, [scheme, *drawn], units.tolist(), ceiling)
        arrays = stimulus_cells(setups, len(groups), ceiling, n_jobs, store)
        fitted = (Held(source.fixed),) if source.fixed else ()
        held = (Held("layers"), *((SUBJECTS,) if drawn == ("stimulus",) else ()), *fitted)
    keys = groups.loc[np.repeat(np.arange(len(groups)), len(rois))].reset_index(drop=True)
    if f.by:
        keys = keys.assign(roi=np.tile(rois, len(groups)))
    weighted = scheme == "bayesian"
    words = " and ".join({"subject": "subjects", "stimulus": "stimuli"}[d] for d in drawn)
    info = info.but(
        method=f"{'Bayesian ' * weighted}bootstrap of the mean RDM similarity ({method.replace('_', ' ')}) over "
        f"{words}",
        plan=" + ".join(["bayesian"] * weighted + list(drawn)),
        n_resamples=plan.n_resamples,
        exact=plan.exact,
        resampled=Drawn(words, number=how_many(plan), weighed=weighted),
        held_fixed=held,
    )
    provenance = Provenance(data_hash=source.hash, seed=plan.seed)
    table = BootstrapResult(keys, info, provenance, arrays)._table()
    notes = (*log, *give_warnings(table, keys.columns.tolist(), info))
    return BootstrapResult(table, info, provenance, arrays, notes)


def drawn_factors(cluster: str | Sequence[str]) -> tuple[str, ...]:
    """Factors that are drawn: subject, stimulus, or both, in this order whatever that of the names."""
    given = [cluster] if isinstance(cluster, str) else list(cluster)
    drawn = tuple(d for d in ("subject", "stimulus") if d in given)
    if not drawn or len(given) != len(drawn):
        raise InputError(
            "cluster", cluster, "'subject', 'stimulus' or ('subject', 'stimulus') for RDMs"
        )
    return drawn


def _stimuli_can_be_drawn(source: Source, scheme: str, interval: str) -> None:
    """Refuse what has no meaning for a comparison that takes copies, or a subset, of the stimuli."""
    method, treated = source.metric, source.treated
    if scheme == "bayesian" and treated in ("copies", "subset"):
        allowed = f"'bootstrap' for {method}: it takes copies of stimuli, no weights"
        raise InputError("scheme", scheme, allowed)
    if interval == "studentized" and treated == "subset":
        allowed = f"another one for {method}: a resample is a subset of the stimuli"
        raise InputError("interval", interval, allowed)


def _groups(f: CellFormula, models: pd.DataFrame) -> pd.DataFrame:
    """One row per model data set, the columns that the formula compares."""
    if f.outcome != "score":
        raise InputError("formula", str(f), "'score' on the left side, where data are RDMs")
    for c in f.compare:
        if c not in models.columns:
            raise InputError("formula", str(f), f"columns among {list(models.columns)}")
    groups = models[list(f.compare)].reset_index(drop=True)
    repeated = groups.duplicated()
    if repeated.any() or not f.compare:
        row = groups[repeated].iloc[0].to_dict() if f.compare else {}
        raise DesignError(f"{f}: several models for {row}; choose a layer, or name the column")
    return groups


def _subject_arrays(
    source: Source,
    places: dict[str, np.ndarray],
    present: dict[str, np.ndarray],
    n: int,
    ceiling: bool,
) -> dict[str, np.ndarray]:
    """Scores ``[subject, model x roi]`` and each person's share in the ceilings ``[subject, roi x bound]``."""
    m, k = len(source.models), len(places)
    values = np.full((n, m, k), np.nan)
    bounds = np.full((n, k, 2), np.nan)
    for r, (roi, rows) in enumerate(places.items()):
        values[present[roi], :, r] = source.scores(rows)
        if ceiling and len(rows) > 1:
            bounds[present[roi], r] = source.bounds(rows)[1]
    arrays = {"values": values.reshape(n, m * k)}
    if ceiling:
        arrays["ceiling_values"] = bounds.reshape(n, 2 * k)
    return arrays


def stimulus_plans(
    drawn: tuple[str, ...],
    n: int,
    blocks: Sequence[Any] | None,
    n_subject: int,
    n_resamples: Resamples,
    root: np.random.SeedSequence,
    bayesian: bool,
) -> tuple[np.ndarray, Plan, Plan | None]:
    """Unit of every stimulus, plan of the stimuli, plan of the subjects."""
    n_resamples = check_resamples(n_resamples)
    if n_resamples == "exact":
        raise InputError("n_resamples", "exact", "a number or 'auto': stimuli are sampled")
    rows = STIMULUS_RESAMPLES if n_resamples == "auto" else int(n_resamples)
    children = [
        np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, key)) for key in (0, 1)
    ]
    make = subject_weights if bayesian else subject_counts
    if blocks is None:
        units, plan = np.arange(n), make(n, rows, children[0])
    else:
        blocks = items("blocks", blocks, "one label per stimulus", length=n)
        labels = np.asarray([str(b) for b in blocks])
        units = np.unique(labels, return_inverse=True)[1].reshape(-1)
        plan = block_counts(labels, rows, children[0], bayesian=bayesian)
    plan = Plan("stimulus", n, rows, False, recorded_seed(root), plan._draw)
    others = make(n_subject, rows, children[1]) if "subject" in drawn else None
    return units, plan, others


def stimulus_cells(
    setups: list[StimulusSetup],
    m: int,
    ceiling: bool,
    n_jobs: int,
    store: BlockStore | None,
) -> dict[str, np.ndarray]:
    """Arrays of all ROIs, cells in the order model, ROI; ceilings under their own names."""
    per_roi = -(-m // MODEL_TILE) * -(-setups[0].stimuli.n_blocks // TASK_BLOCKS)
    found = [
        stimulus_arrays(setup, n_jobs, store, offset=i * per_roi) for i, setup in enumerate(setups)
    ]
    arrays: dict[str, np.ndarray] = {}
    for name in found[0]:
        parts = [f[name] for f in found]
        if name == "influence":  # ROIs may have different numbers of subjects
            rows = max(len(p) for p in parts)
            parts = [np.pad(p, ((0, rows - len(p)), (0, 0)), constant_values=np.nan) for p in parts]
        scores = np.stack([p[..., :m] for p in parts], axis=-1)
        arrays[name] = scores.reshape(*scores.shape[:-2], -1)
        if ceiling:
            limits = np.stack([p[..., m : m + 2] for p in parts], axis=-2)
            arrays[f"ceiling_{name}"] = limits.reshape(*limits.shape[:-2], -1)
            if name not in ("std_errors", "pivot_error"):
                gaps = np.stack([p[..., m + 2 :] for p in parts], axis=-1)
                arrays[f"gap_{name}"] = gaps.reshape(*gaps.shape[:-2], -1)
    sizes = np.array([len(s.x) for s in setups])
    arrays["n_subject"] = np.tile(sizes, m)
    if ceiling:
        arrays["ceiling_n_subject"] = np.repeat(sizes, 2)
        arrays["gap_n_subject"] = arrays["n_subject"]
    return arrays


def _store(
    workdir: str | Path | None,
    source: Source,
    f: CellFormula,
    info: Info,
    plan: Plan,
    drawn: list[str],
    units: list[int],
    ceiling: bool,
) -> BlockStore | None:
    """Folder of finished blocks."""
    return open_store(
        workdir, "bootstrap", formula=str(f), metric=source.recipe, drawn=drawn, units=units, ceiling=ceiling,
        studentize=info["interval"] == "studentized", n_resamples=plan.n_resamples, seed=plan.seed,
        data=source.hash.split(),
    )  # fmt: skip
