"""`equivalence_set`: which models are practically equal to the best, the selection of the best accounted for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats.comparing.decisions import check_alpha
from apastats.comparing.equivalence import usable_block
from apastats.comparing.margin import Bounds, as_margin
from apastats.errors import DesignError, InputError, MarginError
from apastats.numbers.adjust_p import adjust_p
from apastats.numbers.best import (
    confidence_set,
    moments,
    pooling_check,
    residuals,
    with_the_best,
)
from apastats.numbers.location import t_location
from apastats.recording import verb
from apastats.resampling.means import summarise_means
from apastats.resampling.plans import subject_counts
from apastats.results import Provenance, Result
from apastats.seeds import RngLike, block_generator, recorded_seed, seed_sequence
from apastats.table import Block, ScoreTable
from apastats.words import Info, Outcome

__all__ = ["EquivalenceSet", "equivalence_set"]

METHODS = {
    "mcb": "Hsu's multiple comparisons with the best",
    "mcs": "confidence set of all best models (studentised range)",
    "tost": "non-inferiority to every other model (intersection-union), Holm over models",
    "bayes": "posterior probability of being (within the margin of) the best",
    "ci_overlap": "mean not below the interval of the best model; a published rule, no test: no error rate holds",
}
VARIANCES = ("auto", "pooled", "moderated")
_DRAWS = 20_000


class EquivalenceSet(Result):
    """Sets of models.

    ``table``: ``model``, the by-columns, ``mean, estimate`` (mean minus the best of the others), ``in_set``,
    ``conf_low, conf_high`` (of the difference from the best), ``conf_level, p_value`` or ``probability`` where the
    method has one, ``bound_low``, ``decision``, ``n_subject, method``.
    """

    kind: ClassVar[str] = "equivalence_set"

    def members(self, **cell: Any) -> list[str]:
        """Models of the set of one cell (``roi="V1"``), or without arguments those in the sets of all cells."""
        table = self.table
        for column, value in cell.items():
            if column not in table.columns or value not in set(table[column]):
                raise InputError(column, value, f"a level of one of {list(self.info.by)}")
            table = table[table[column] == value]
        compared = "level" if "level" in table.columns else "model"
        inside = table.groupby(compared, sort=False)["in_set"].all()
        return [str(m) for m in inside.index[inside]]


@verb
def equivalence_set(
    formula: str,
    data: ScoreTable,
    *,
    bounds: Any = None,
    method: str = "mcb",
    variance: str = "auto",
    family: str = "cell",
    alpha: float = 0.05,
    step_down: bool = False,
    cluster: str = "subject",
    within: Any = None,
    kind: str | None = "model",
    rng: RngLike = None,
) -> EquivalenceSet:
    """Find the models that are practically equal to the best of each cell.

    Parameters
    ----------
    formula : str
        ``"score ~ model | roi"``.
    data : ScoreTable
        One row per cluster, model and cell; subjects that lack a model of a cell are left out of that cell.
    bounds : float or Margin, optional
        Without: the set holds what cannot be excluded from being the best. With: what is shown to be within the margin
        of the best; only the size of the lower bound counts.
    method : {"mcb", "mcs", "tost", "bayes", "ci_overlap"}
        ``mcb``: Hsu's comparison with the best; each truly best model stays with probability ``1 - alpha``. ``mcs``:
        all truly best models stay **together** with probability ``1 - alpha``. ``tost`` (needs bounds): each model
        against every other, its own variances. ``bayes``: posterior probabilities under a flat prior; they hold
        no error rate (models at the margin are claimed too often). ``ci_overlap``: the rule "mean at
        least the lower end of the best model's percentile bootstrap interval", for comparison; it is no test.
    variance : {"auto", "pooled", "moderated"}
        For mcb and mcs: one subject-by-model variance, or pair variances shrunk towards one. ``auto`` pools
        unless a check speaks against it at 1 %.
    family : {"cell", "all"}
        ``all``: level ``alpha`` for the sets of all cells together (Bonferroni).
    alpha : float
        Error rate; intervals have level ``1 - alpha``.
    step_down : bool
        For mcs: the sharper step-down order of elimination.
    cluster, within, kind
        As in :func:`apastats.equivalence`.
    rng : int, Generator, SeedSequence or None
        For the draws of ``bayes``, and ``ci_overlap`` above 10 subjects.

    Returns
    -------
    EquivalenceSet
        ``decision``: with bounds "equivalent to the best", "worse than the margin" or "undecided"; without "can be the
        best" or "not the best".

    Raises
    ------
    MarginError
        If ``tost`` has no bounds, or a margin is impossible.
    DesignError
        If a cell has fewer than three complete clusters or two models.
    InputError
        If an argument is not allowed.

    Notes
    -----
    Error: ``s^2`` is the mean square of the subject-by-model residuals with ``(n - 1)(k - 1)`` df. mcb: in the set
    where ``mean_i - max_{j != i} mean_j + c s sqrt(2 / n) > 0``, c Dunnett's one-sided value (Hsu 1984). mcs: where
    ``max_j mean_j - mean_i <= q s / sqrt(n)``, q the studentised range. With a ceiling as margin its standard error is
    added to the bound (t quantile, half of alpha) and the rest of the level is spent on the models.

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=10, n_layer=1, rois=["V1", "V4"], rng=1)
    >>> scores = study.scores.where(kind="model", split="test")
    >>> apa.equivalence_set("score ~ model | roi", scores).members(roi="V1")
    ['model_01', 'model_02', 'model_03']
    """
    alpha = check_alpha(alpha)
    for name, value, allowed in (
        ("method", method, tuple(METHODS)),
        ("variance", variance, VARIANCES),
        ("family", family, ("cell", "all")),
    ):
        if value not in allowed:
            raise InputError(name, value, f"one of {list(allowed)}")
    margin = None if bounds is None else as_margin(bounds)
    if margin is None and method == "tost":
        as_margin(None)
    if margin is not None and margin.origin == "sd":
        raise MarginError(
            "bounds", margin, "a margin in units of the outcome, a ceiling or a difference"
        )
    if margin is not None and margin.low >= 0:
        raise MarginError("bounds", margin, "a margin whose lower bound is below 0")
    block = usable_block(
        data, formula, "equivalence_set", cluster=cluster, within=within, kind=kind
    )
    limits = None if margin is None else margin.resolve(block)
    n_cell = len(block.cells)
    level = alpha / n_cell if family == "all" else alpha
    root = seed_sequence(rng)
    frames, notes = [], []
    for j in range(n_cell):
        x = block.values[:, :, j]
        x = x[np.isfinite(x).all(axis=1)]
        if len(x) < 3:
            raise DesignError(
                f"equivalence_set: {len(x)} complete {cluster}s in cell {j + 1}; at least 3 are needed"
            )
        spread, note = _spread(x, variance, method)
        if note:
            notes.append(f"{_cell_name(block, j)}: {note}")
        delta, used = _delta(limits, j, level)
        frame = _RUN[method](x, used, delta, spread, step_down, block_generator(root, j))
        cell = {c: block.cells[c].iloc[j] for c in block.cells.columns}
        frames.append(
            pd.DataFrame({block.group_column: block.group_labels(), **cell}).assign(
                mean=x.mean(axis=0),
                **frame,
                conf_level=1 - level,
                bound_low=-delta if delta is not None else np.nan,
                n_subject=len(x),
                method=method,
            )
        )
    table = pd.concat(frames, ignore_index=True)
    sampled = method == "bayes" or (method == "ci_overlap" and len(block.clusters) > 10)
    info = _words(
        block,
        limits,
        method,
        variance,
        family,
        alpha,
        step_down,
        data.outcome(block.formula.outcome),
    )
    provenance = Provenance(data_hash=data.hash, seed=recorded_seed(root) if sampled else "")
    arrays = {"values": block.values, "subjects": np.asarray(block.clusters, dtype=str)}
    return EquivalenceSet(table, info, provenance, arrays, tuple(notes))


def _cell_name(block: Block, j: int) -> str:
    return ", ".join(f"{k} {v}" for k, v in block.cells.iloc[j].items()) or "all data"


def _spread(x: np.ndarray, variance: str, method: str) -> tuple[str, str]:
    """Which variance to use, and a note where the check speaks against pooling."""
    if method in ("tost", "ci_overlap"):
        return "pooled", ""
    p = pooling_check(x)
    if method == "bayes":
        note = (
            f"models differ in their variance (p = {p:.2g}); the posterior assumes one"
            if p < 0.01
            else ""
        )
        return "pooled", note
    if variance == "auto":
        if p < 0.01:
            return (
                "moderated",
                f"models differ in their variance (p = {p:.2g}); variances moderated, not pooled",
            )
        return "pooled", ""
    if variance == "pooled" and p < 0.01:
        return (
            "pooled",
            f"models differ in their variance (p = {p:.2g}); pooling as asked may be too optimistic",
        )
    return variance, ""


def _delta(limits: Bounds | None, j: int, alpha: float) -> tuple[float | None, float]:
    """Size of the margin in a cell, and the level left for the models.

    An estimated margin is replaced by its lower confidence limit at half of the level (a smaller margin makes every
    claim harder), the other half is left.
    """
    if limits is None:
        return None, alpha
    if limits.unit_low is None:
        return float(-limits.low[j]), alpha
    unit = -limits.unit_low[:, j]
    unit = unit[np.isfinite(unit)]
    lower = t_location(unit[:, None], alpha / 2).conf_low[0]
    return float(max(lower, 0.0)), alpha / 2


def _decide(lower: np.ndarray, upper: np.ndarray, delta: float) -> np.ndarray:
    """Three decisions from limits of "model minus the best"."""
    return np.where(
        lower > -delta,
        "equivalent to the best",
        np.where(upper < -delta, "worse than the margin", "undecided"),
    ).astype(object)


def _plain(inside: np.ndarray) -> np.ndarray:
    return np.where(inside, "can be the best", "not the best").astype(object)


def _difference(mean: np.ndarray) -> np.ndarray:
    """Mean minus the best of the others."""
    d = mean[:, None] - mean[None, :]
    np.fill_diagonal(d, np.inf)
    return np.asarray(d.min(axis=1))


Frame = dict[str, Any]


def _mcb(
    x: np.ndarray,
    alpha: float,
    delta: float | None,
    variance: str,
    step_down: bool,
    random: np.random.Generator,
) -> Frame:
    b = with_the_best(moments(x, variance), alpha)
    inside = b.high > 0
    frame = {"estimate": b.difference, "conf_low": b.low, "conf_high": b.high}
    frame |= {"conf_low_free": b.free_low, "conf_high_free": b.free_high}
    if delta is None:
        return frame | {"in_set": inside, "decision": _plain(inside)}
    decision = _decide(b.low, b.free_high, delta)
    return frame | {"in_set": decision == "equivalent to the best", "decision": decision}


def _mcs(
    x: np.ndarray,
    alpha: float,
    delta: float | None,
    variance: str,
    step_down: bool,
    random: np.random.Generator,
) -> Frame:
    m = moments(x, variance)
    inside, p, half = confidence_set(m, alpha, step_down=step_down)
    d = _difference(m.mean)
    frame: Frame = {"estimate": d, "conf_low": d - half, "conf_high": d + half, "p_value": p}
    if delta is None:
        return frame | {"in_set": inside, "decision": _plain(inside)}
    decision = _decide(d - half, d + half, delta)
    return frame | {"in_set": decision == "equivalent to the best", "decision": decision}


def _tost(
    x: np.ndarray,
    alpha: float,
    delta: float | None,
    variance: str,
    step_down: bool,
    random: np.random.Generator,
) -> Frame:
    """Within the margin of the best: not worse by the margin than any other (an intersection-union test)."""
    if delta is None:
        raise MarginError("bounds", None, "a margin for method='tost'")
    k = x.shape[1]
    a, b = np.nonzero(~np.eye(k, dtype=bool))
    d = x[:, a] - x[:, b]
    near = t_location(d + delta, alpha)
    # per model the largest p over all others; worse: below another one by more than the margin
    p_near = np.full((k, k), -np.inf)
    p_near[a, b] = np.where(
        np.isfinite(near.p_above), near.p_above, np.where(d.mean(axis=0) > -delta, 0.0, 1.0)
    )
    p_far = np.full((k, k), np.inf)
    p_far[a, b] = np.where(
        np.isfinite(near.p_below), near.p_below, np.where(d.mean(axis=0) < -delta, 0.0, 1.0)
    )
    p_equiv = adjust_p(p_near.max(axis=1), "holm")
    p_worse = adjust_p(np.minimum(1.0, p_far.min(axis=1) * (k - 1)), "holm")
    # limits at the Bonferroni level over models, the worst over the others
    wide = t_location(d, alpha / k)
    low, high = np.full((k, k), np.inf), np.full((k, k), np.inf)
    low[a, b], high[a, b] = wide.conf_low, wide.conf_high
    equivalent, worse = p_equiv <= alpha, p_worse <= alpha
    decision = np.where(
        equivalent, "equivalent to the best", np.where(worse, "worse than the margin", "undecided")
    ).astype(object)
    return {
        "estimate": _difference(x.mean(axis=0)),
        "conf_low": low.min(axis=1),
        "conf_high": high.min(axis=1),
        "p_value": p_equiv,
        "in_set": equivalent,
        "decision": decision,
    }


def posterior_means(x: np.ndarray, random: np.random.Generator, n: int = _DRAWS) -> np.ndarray:
    """Draws of the model means (up to a common shift) under a flat prior and one subject-by-model variance.

    ``mu = mean + s sqrt(df / chi2) z / sqrt(n)``: the shared subject effect cancels in all differences.
    """
    rows, k = x.shape
    df = (rows - 1.0) * (k - 1)
    error = float((residuals(x) ** 2).sum() / df)
    scale = np.sqrt(error * df / random.chisquare(df, n) / rows)
    draws: np.ndarray = x.mean(axis=0) + scale[:, None] * random.standard_normal((n, k))
    return draws


def _bayes(
    x: np.ndarray,
    alpha: float,
    delta: float | None,
    variance: str,
    step_down: bool,
    random: np.random.Generator,
) -> Frame:
    draws = posterior_means(x, random)
    top = draws.max(axis=1, keepdims=True)
    lag = draws - top
    low, high = np.quantile(lag, [alpha, 1 - alpha], axis=0)
    frame: Frame = {"estimate": _difference(x.mean(axis=0)), "conf_low": low, "conf_high": high}
    if delta is None:
        best = np.bincount(draws.argmax(axis=1), minlength=x.shape[1]) / len(draws)
        order = np.argsort(-best, kind="stable")
        # smallest set of models that holds the best with probability 1 - alpha
        size = int(np.searchsorted(np.cumsum(best[order]), 1 - alpha - 1e-12)) + 1
        inside = np.isin(np.arange(x.shape[1]), order[:size])
        return frame | {"probability": best, "in_set": inside, "decision": _plain(inside)}
    near = (lag > -delta).mean(axis=0)
    decision = np.where(
        near >= 1 - alpha,
        "equivalent to the best",
        np.where(near <= alpha, "worse than the margin", "undecided"),
    ).astype(object)
    return frame | {"probability": near, "in_set": near >= 1 - alpha, "decision": decision}


def _ci_overlap(
    x: np.ndarray,
    alpha: float,
    delta: float | None,
    variance: str,
    step_down: bool,
    random: np.random.Generator,
) -> Frame:
    """The published rule: mean at least the lower end of the best model's percentile interval."""
    seed = int(random.integers(2**63))
    found = summarise_means(
        x, subject_counts(len(x), "auto", seed), ["percentile"], conf_level=1 - alpha
    ).limits["percentile"]
    mean = x.mean(axis=0)
    best = int(np.argmax(mean))
    inside = mean >= found[0][best]
    decision = np.where(inside, "not separated by the rule", "below the rule").astype(object)
    frame = {"estimate": _difference(mean), "in_set": inside, "decision": decision}
    return frame | {"conf_low": found[0] - mean[best], "conf_high": found[1] - mean[best]}


_RUN: dict[str, Callable[..., Frame]] = {
    "mcb": _mcb,
    "mcs": _mcs,
    "tost": _tost,
    "bayes": _bayes,
    "ci_overlap": _ci_overlap,
}


def _words(
    block: Block,
    limits: Bounds | None,
    method: str,
    variance: str,
    family: str,
    alpha: float,
    step_down: bool,
    outcome: Outcome,
) -> Info:
    promise = {
        "mcb": f"each model that is truly best stays in its set with probability {1 - alpha:g}",
        "mcs": f"all models that are truly best stay in the set together with probability {1 - alpha:g}",
        "tost": f"any false claim of being within the margin has probability at most {alpha:g}",
        "bayes": "posterior probabilities under a flat prior and one subject-by-model variance",
        "ci_overlap": "none: no error rate holds, models far below the best are kept when subjects differ much",
    }[method]
    return Info(
        estimand="mean minus the best of the others",
        outcome=outcome,
        formula=str(block.formula),
        method=METHODS[method],
        margin=(
            "none: the set holds what cannot be excluded from being the best"
            if limits is None
            else limits.text
        ),
        margin_origin="" if limits is None else limits.origin,
        rule=(
            "in the set where the interval of (model minus best) reaches above 0"
            if limits is None
            else "in the set where (model minus best) is shown to be above minus the margin"
        ),
        family="all cells together" if family == "all" else "each cell by itself",
        alpha=alpha,
        n_subject=len(block.clusters),
        by=list(block.formula.by),
        resampled=(
            {"bayes": "posterior draws", "ci_overlap": f"{block.cluster}s"}.get(method, "nothing")
        ),
        held_fixed="stimuli, chosen layers",
        not_concluded=(
            "a set without a margin says what could not be excluded; being in it is no evidence of equality"
            if limits is None
            else "'undecided' models are neither shown to be within the margin nor beyond it"
        ),
        extra={
            "set_method": method,
            "promise": promise + ("" if family == "cell" else ", in all cells together"),
            "selection": (
                "the best is selected on the same data; the intervals account for it"
                if method != "ci_overlap"
                else "the best is selected on the same data; the rule ignores it"
            ),
            "variance": variance,
            "step_down": step_down,
        },
    )
