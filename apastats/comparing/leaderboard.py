"""`leaderboard`: models by items with holes; ranks with simultaneous intervals, items, missing scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import choice, instance, names, whole
from apastats.comparing.decisions import check_alpha
from apastats.comparing.leaderboard_result import LeaderboardResult
from apastats.errors import (
    ConvergenceWarning,
    DegenerateWarning,
    DesignError,
    InputError,
    SmallSampleWarning,
    warn,
)
from apastats.memory import reserve
from apastats.numbers.crossed import (
    ENOUGH,
    FEW,
    Crossed,
    additive_rest,
    components,
    fit_crossed,
    from_repeats,
)
from apastats.numbers.items import between_models, item_errors, missing_shift, ranks_of, tipping
from apastats.numbers.moments import rounding
from apastats.numbers.rank_intervals import RankBounds, draw_largest, rank_bounds, tiers
from apastats.recording import verb
from apastats.results import Provenance
from apastats.seeds import RngLike, block_generator, recorded_seed, seed_sequence
from apastats.table import CellFormula, Kinds, ScoreTable, averaged_block
from apastats.words import CHOSEN_LAYERS, ITEMS, STIMULI, Drawn, Info, in_cells

__all__ = ["leaderboard"]

EFFECTS = ("random", "fixed")
ERRORS = {
    "auto": f"error variance of each item with {ENOUGH} models or more its own, the others' one",
    "item": "error variance of each item its own",
    "pooled": "one error variance",
}
FEW_ITEMS = 5
WORK = 1e9  # differences drawn that take some seconds


@dataclass(frozen=True)
class _Options:
    random: bool
    errors: str
    stepwise: bool
    alpha: float
    n_resamples: int | str


@verb
def leaderboard(
    table: ScoreTable,
    *,
    item: str | Sequence[str],
    outcome: str | None = None,
    by: str | Sequence[str] = (),
    within: str | Sequence[str] | None = None,
    item_effect: str = "random",
    errors: str = "pooled",
    repeat: str | None = None,
    stepwise: bool = True,
    alpha: float = 0.05,
    n_resamples: int | str = "auto",
    kind: Kinds = "model",
    rng: RngLike = 0,
) -> LeaderboardResult:
    """Order models by their scores on many items, some of them missing, and say how sure each place is.

    Parameters
    ----------
    table : ScoreTable
        One score per model and item; a combination without a row (or with NaN) is a hole.
    item : str or sequence of str
        Column of the items: ``"benchmark"``, ``"subject"``, ``"roi"``; the combinations of several.
    outcome : str, optional
        Column of scores; the first outcome of the table.
    by : str or sequence of str
        Columns within whose levels everything is done separately.
    within : str or sequence of str, optional
        Columns averaged inside each model and item first.
    item_effect : {"random", "fixed"}
        Whether items are a sample of items (scores of different items are then compared too, as far as items vary
        little), or only scores of the same items are compared. The two agree where there are no holes.
    errors : {"pooled", "auto", "item"}
        ``pooled``: one error variance, so that all items weigh alike; in a complete table estimates are plain means.
        ``item``: each item its own, so that noisy items weigh less, but items that say the same (two benchmarks of one
        data set) weigh more: their agreement looks like precision. With few models such weights are known too poorly:
        joint intervals of 30 models hold at 84 % in place of 95. ``auto`` gives items with 50 models or more a
        variance each, and one to the others together.
    repeat : str, optional
        Column of repeated runs of a model (seeds of its training). Their spread is then the error, and the items are
        held fixed; without it the error is what model and item do not explain, and places hold for further items like
        these.
    stepwise : bool
        Step-down critical value of the joint intervals; single step otherwise.
    alpha : float
        Error rate; all joint intervals hold together at level ``1 - alpha``.
    n_resamples : int or "auto"
        Draws of the largest difference; ``auto``: up to 9,999, 999 for thousands of models.
    kind : str, sequence of str or None
        Kinds of the rows that enter.
    rng : int, Generator, SeedSequence or None
        For these draws.

    Returns
    -------
    LeaderboardResult
        A row per model and cell, the best first.

        Columns: ``model`` (model, or what is compared), ``estimate`` (what is estimated, from the data
        themselves), ``std_error`` (standard error), ``conf_low`` (lower limit of the interval), ``conf_high``
        (upper limit of the interval), ``conf_level`` (level of the interval), ``place`` (place, 1 is the
        best), ``place_low`` (lower limit of the place), ``place_high`` (upper limit of the place),
        ``place_low_marginal`` (lower limit of the place, this model alone), ``place_high_marginal`` (upper
        limit of the place, this model alone), ``can_be_best`` (whether it may be the best), ``n_better``
        (models shown to be better), ``n_worse`` (models shown to be worse), ``tier`` (tier), ``n_item``
        (stimuli or units of it), ``filled`` (share of the cells that are there).

    Raises
    ------
    InputError
        If an argument is not allowed.
    DesignError
        If there are fewer than two models or items, models and items fall into parts without a common item (fixed
        items), or nothing is left to judge errors by.

    Warns
    -----
    DegenerateWarning
        Models or items without a score are left out; the error of an item is at its boundary.
    SmallSampleWarning
        Fewer than five items whose spread is the error.
    ConvergenceWarning
        If variances did not converge.

    See Also
    --------
    mean_ranks, discriminability, equivalence_set

    Notes
    -----
    ``score_ij = model_i + item_j + error_ij`` by restricted maximum likelihood. A plain mean over the items a model
    happens to have is biased where easy items are missing; ``model_i``, the expected score at the average item, is
    not, as long as a score being missing depends on model and item alone (missing at random); :meth:`
    ~apastats.comparing.leaderboard_result.LeaderboardResult.missing` says what if it does not.

    Intervals of ranks after Mogstad, Romano, Shaikh and Wilhelm (2024): a place lies between one plus the number of
    models shown to be better and the number of models less those shown to be worse, where ``|t|`` of a difference is
    compared with the quantile of the largest one under no difference (normal draws with the covariance of the
    estimates, divided by a chi of the smallest degrees of freedom). Joint: largest over all pairs, stepwise; marginal:
    over the pairs of one model. ``can_be_best``: one-sided over the others, as in Hsu's comparison with the best.

    References
    ----------
    .. [1] Mogstad, M., Romano, J. P., Shaikh, A. M., & Wilhelm, D. (2024). Inference for ranks with
       applications to mobility across neighbourhoods and academic achievement across countries. The Review of
       Economic Studies, 91(1), 476–518. https://doi.org/10.1093/restud/rdad006

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=8, n_model=6, n_layer=1, rois=["V1", "V4"], rng=1)
    >>> found = apa.leaderboard(study.scores.where(split="test"), item="subject", by="roi")
    >>> found.table.columns[:4].tolist()
    ['roi', 'model', 'estimate', 'std_error']
    """
    instance("table", table, ScoreTable)
    choice("item_effect", item_effect, EFFECTS)
    choice("errors", errors, ERRORS)
    if n_resamples != "auto":
        whole("n_resamples", n_resamples, least=99, most=10**6)
    options = _Options(item_effect == "random", errors, stepwise, check_alpha(alpha), n_resamples)
    items = names("item", item)
    cells = names("by", by, least=0)
    column = table.outcomes[0] if outcome is None else outcome
    for given in ("model", *([repeat] if repeat else ())):
        if given in items or given in cells:
            raise InputError("item", item, f"columns other than {given!r}")
    runs = () if repeat is None else (repeat,)
    block = averaged_block(
        table,
        CellFormula(column, items, (*cells, *runs)),
        cluster="model",
        within=within,
        kind=kind,
    )
    # by name, so that the order of rows changes no draw
    order = np.argsort(np.asarray(block.group_labels()), kind="stable")
    item_names = [block.group_labels()[k] for k in order]
    keys = block.cells[list(cells)] if cells else pd.DataFrame(index=range(len(block.cells)))
    codes = (
        keys.groupby(list(cells), sort=False).ngroup().to_numpy()
        if cells
        else np.zeros(len(keys), int)
    )
    root = seed_sequence(rng)
    frames, boards = [], []
    notes: list[str] = []
    for c in range(int(codes.max()) + 1):
        where = np.flatnonzero(codes == c)
        key = {k: keys[k].iloc[where[0]] for k in cells}
        values = np.moveaxis(block.values[:, order][:, :, where], 2, 1)  # [model, repeat, item]
        label = "".join(f", {k} {v}" for k, v in key.items())
        board = _board(values, options, repeat, block_generator(root, c), label, notes)
        boards.append(board)
        frames.append(_frame(board, [str(m) for m in block.clusters], key, options))
    out = pd.concat(frames, ignore_index=True)
    arrays = {
        "models": np.asarray(block.clusters, dtype=str),
        "items": np.asarray(item_names, dtype=str),
    }
    arrays |= _padded(boards, len(block.clusters), len(item_names))
    averaged = () if within is None else names("within", within)
    info = _words(table, block.formula, items, cells, runs, averaged, options, boards, keys, codes)
    provenance = Provenance(data_hash=table.hash, seed=recorded_seed(root))
    return LeaderboardResult(out, info, provenance, arrays, tuple(notes))


@dataclass(frozen=True)
class Board:
    """One cell, computed."""

    rows: np.ndarray  # models that have a score, as positions
    columns: np.ndarray  # items that have one
    y: np.ndarray  # [model, item], means over repeats
    fit: Crossed
    mean: np.ndarray
    own: np.ndarray
    shared: np.ndarray
    df: np.ndarray
    bounds: RankBounds
    tier: np.ndarray
    n_draw: int
    tie: float


def _board(
    values: np.ndarray,
    options: _Options,
    repeat: str | None,
    random: np.random.Generator,
    label: str,
    notes: list[str],
) -> Board:
    """Estimates and intervals of one cell from ``[model, repeat, item]``."""

    def say(text: str, category: Any) -> None:
        warn(f"leaderboard: {text}", category)
        notes.append(text)

    seen = np.isfinite(values).any(axis=1)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    for lost, what in (
        (seen.shape[0] - len(rows), "models"),
        (seen.shape[1] - len(columns), "items"),
    ):
        if lost:
            say(f"{lost} {what} without any score{label}; left out", DegenerateWarning)
    values = values[rows][:, :, columns]
    n_model, n_item = len(rows), len(columns)
    if n_model < 2 or n_item < 2:
        raise DesignError(
            f"leaderboard: {n_model} models and {n_item} items with scores{label}; 2 of each are needed"
        )
    known = np.isfinite(values)
    count = known.sum(axis=1)
    y = np.where(count > 0, np.where(known, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
    seen = count > 0
    parts = components(seen)
    if parts.max() > 0:
        text = f"models fall into {parts.max() + 1} parts that share no item{label}"
        if not options.random:
            raise DesignError(
                f"leaderboard: {text}; with item_effect='random' they are compared as far as items vary little"
            )
        say(f"{text}; they are compared through the items being a sample alone", DegenerateWarning)
    if int(seen.sum()) - n_model - n_item + 1 < 1:
        raise DesignError(
            f"leaderboard: {int(seen.sum())} scores of {n_model} models on {n_item} items{label}; nothing is left to "
            "judge their errors by"
        )
    by_item = options.errors != "pooled" and n_item > 2
    if options.errors == "item" and n_item < 3:
        raise InputError(
            "errors",
            "item",
            "'pooled' with two items",
            hint="Two items cannot be told apart in their errors.",
        )
    tie = float(rounding(y, axis=None))
    # by what least squares leave: iterated variances stop short of 0
    if not additive_rest(y) > 10 * tie:
        raise DesignError(
            f"leaderboard: model and item explain all scores{label}; nothing is left to judge errors by"
        )
    fit = fit_crossed(
        y, random=options.random, by_item=by_item, least=ENOUGH if options.errors == "auto" else FEW
    )
    if not fit.converged:
        say(f"the variances did not converge{label}", ConvergenceWarning)
    if fit.held.any():
        say(
            f"{int(fit.held.sum())} of {n_item} items have hardly an error of their own{label}; it is "
            "held at a hundredth of the mean variance; in Python: errors='pooled' gives items one variance",
            DegenerateWarning,
        )
    mean, own, shared, df = fit.mean, fit.own * fit.inflation, fit.shared, fit.df
    parts, part_df = fit.parts, fit.part_df
    if repeat is not None:
        mean, own, runs = from_repeats(values, fit)
        shared, parts, part_df = (
            np.zeros((n_model, 1)),
            np.ones((n_model, 1)),
            np.array([max(runs, 1.0)]),
        )
        df = np.full(n_model, part_df[0])
        if not runs:
            raise DesignError(
                f"leaderboard: no model has two runs in {repeat!r}{label}; errors need some"
            )
        if not own.max() > tie**2:
            raise DesignError(f"leaderboard: the runs of a model do not differ{label}")
    elif n_item < FEW_ITEMS:
        say(
            f"errors are judged by {n_item} items{label}; places would hold for further items only if "
            "these were drawn from them",
            SmallSampleWarning,
        )
    auto = int(np.clip(WORK / (n_model * (n_model - 1) / 2), 999, 9999))
    n_draw = auto if options.n_resamples == "auto" else int(options.n_resamples)
    largest = draw_largest(own, shared, parts, part_df, n_draw, random)
    bounds = rank_bounds(mean, own, shared, largest, options.alpha, stepwise=options.stepwise)
    tier = tiers(mean, own, shared, bounds.critical)
    return Board(rows, columns, y, fit, mean, own, shared, df, bounds, tier, n_draw, tie)


def _frame(b: Board, models: list[str], key: dict[str, Any], options: _Options) -> pd.DataFrame:
    """Rows of one cell, the best first."""
    from scipy.special import stdtrit

    error = np.sqrt(b.own + (b.shared**2).sum(axis=1))
    half = stdtrit(b.df, 1 - options.alpha / 2) * error
    n = np.isfinite(b.y).sum(axis=1)
    r = b.bounds
    frame = pd.DataFrame(
        {
            **key,
            "model": [models[i] for i in b.rows],
            "estimate": b.mean,
            "std_error": error,
            "conf_low": b.mean - half,
            "conf_high": b.mean + half,
            "conf_level": 1 - options.alpha,
            "place": ranks_of(b.mean, b.tie),
            "place_low": r.low,
            "place_high": r.high,
            "place_low_marginal": r.low_marginal,
            "place_high_marginal": r.high_marginal,
            "can_be_best": r.best,
            "n_better": r.better,
            "n_worse": r.worse,
            "tier": b.tier,
            "n_item": n,
            "filled": n / b.y.shape[1],
        }
    )
    return frame.sort_values("estimate", ascending=False, kind="stable")


def _padded(boards: list[Board], n_model: int, n_item: int) -> dict[str, np.ndarray]:
    """What lies behind, cells first; NaN for models and items a cell lacks."""
    reserve(
        f"the scores of {n_model:,} models on {n_item:,} items in {len(boards):,} cells",
        3 * 8.0 * len(boards) * n_model * n_item,
        "fewer cells at once (by=), or fewer models or items",
    )
    out: dict[str, np.ndarray] = {}
    for c, b in enumerate(boards):
        parts = {
            "scores": (b.y, np.ix_(b.rows, b.columns), (n_model, n_item)),
            "mean": (b.mean, b.rows, (n_model,)),
            "own": (b.own, b.rows, (n_model,)),
            "shared": (b.shared, np.ix_(b.rows, np.arange(b.shared.shape[1])), (n_model, n_item)),
            "critical_best": (b.bounds.critical_best, b.rows, (n_model,)),
            "fit_mean": (b.fit.mean, b.rows, (n_model,)),
            "fit_own": (b.fit.own, b.rows, (n_model,)),
            "fit_shared": (b.fit.shared, np.ix_(b.rows, b.columns), (n_model, n_item)),
            "item_effect": (b.fit.item, b.columns, (n_item,)),
            "item_variance": (b.fit.variance, b.columns, (n_item,)),
        }
        for name, (value, place, shape) in parts.items():
            out.setdefault(name, np.full((len(boards), *shape), np.nan))[c][place] = value
        for name in ("critical", "critical_single"):
            out.setdefault(name, np.full(len(boards), np.nan))[c] = getattr(b.bounds, name)
        out.setdefault("item_between", np.full(len(boards), np.nan))[c] = b.fit.between
    for name in ("shared", "fit_shared"):  # items a cell lacks share nothing
        out[name] = np.where(np.isnan(out[name]), 0.0, out[name])
    return out


def _said(b: Board, key: dict[str, Any], models: list[str]) -> dict[str, Any]:
    """Numbers of a cell as a whole."""
    n = len(b.mean)
    pairs = n * (n - 1) // 2
    shown = int(b.bounds.worse.sum())
    seen = np.isfinite(b.y)
    spread = np.sqrt(between_models(b.fit) + item_errors(b.y, b.fit))
    at, other = tipping(b.mean, missing_shift(seen, spread), b.tie)
    found = np.isfinite(at)
    return {
        **{k: str(v) for k, v in key.items()},
        "n_model": n,
        "n_item": len(b.columns),
        "filled": float(seen.mean()),
        "n_pair": pairs,
        "n_ordered": shown,
        "undecided": 1 - shown / pairs,
        "n_can_be_best": int(b.bounds.best.sum()),
        "n_tier": int(b.tier.max()),
        "critical": b.bounds.critical,
        "steps": b.bounds.steps,
        "df": float(np.median(b.df)),
        "n_draw": b.n_draw,
        "tipping_delta": at if found else None,
        "tipping_model": models[b.rows[other]] if found else "",
    }


def _words(
    table: ScoreTable,
    formula: CellFormula,
    items: tuple[str, ...],
    cells: tuple[str, ...],
    runs: tuple[str, ...],
    averaged: tuple[str, ...],
    options: _Options,
    boards: list[Board],
    keys: pd.DataFrame,
    codes: np.ndarray,
) -> Info:
    noun = " x ".join(items)
    effect = "random" if options.random else "fixed"
    models = [str(m) for m in table.frame["model"].unique()]
    models = sorted(models)
    said = []
    for c, b in enumerate(boards):
        first = int(np.flatnonzero(codes == c)[0])
        said.append(_said(b, {k: keys[k].iloc[first] for k in cells}, models))
    error = ERRORS[options.errors]
    estimand = f"expected score at the average {noun}"
    method = f"a two-way model with holes (models fixed, {noun}s {effect}, {error}; restricted maximum likelihood)"
    if runs:
        method = (
            f"means over these {noun}s, a hole filled by model + {noun} ({effect}, {error}); errors from repeated "
            f"{runs[0]}s"
        )
        estimand = f"mean over these {noun}s"
    if averaged:
        method += f"; scores averaged over {' and '.join(averaged)}"
    return Info(
        method=f"{method}; with simultaneous intervals of ranks",
        estimand=estimand,
        outcome=table.outcome(formula.outcome),
        formula=str(replace(formula, by=cells)),
        test="t",
        statistic="t",
        comparison="all pairs of models were compared",
        adjust="max-t-step-down" if options.stepwise else "max-t",
        family=in_cells("all pairs of models", cells),
        family_size=sum(c["n_pair"] for c in said),
        alpha=options.alpha,
        conf_level=1 - options.alpha,
        interval="t",
        by=cells,
        resampled=Drawn("estimates without a difference (normal draws)"),
        n_resamples=min(b.n_draw for b in boards),
        held_fixed=(ITEMS if runs else STIMULI, CHOSEN_LAYERS),
        rule="a place lies between one plus the number of models shown to be better and the number of models less "
        "those shown to be worse",
        not_concluded="models that are not ordered are not shown to be equal; places hold if scores are missing at "
        "random given model and item",
        extra={
            "item": list(items),
            "item_effect": effect,
            "errors": options.errors,
            "repeat": runs[0] if runs else "",
            "stepwise": options.stepwise,
            "assumes": f"model and {noun} add up; scores are missing at random given both; errors are independent, "
            f"normal, and of one variance over models",
            "cells": said,
        },
    )  # fmt: skip
