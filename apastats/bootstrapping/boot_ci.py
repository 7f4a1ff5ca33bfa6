"""``boot_ci``: the bootstrap of any statistic of plain arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from apastats.arguments import array, choice
from apastats.bootstrapping.bootstrap import SCHEMES
from apastats.bootstrapping.result import BootstrapResult
from apastats.bootstrapping.tables import give_warnings, how_many
from apastats.errors import DataError, DegenerateWarning, DesignError, InputError, warn
from apastats.recording import verb
from apastats.resampling.intervals import INTERVALS, Alternative, check_interval
from apastats.resampling.parallel import run_tasks
from apastats.resampling.plans import (
    DEFAULT_RESAMPLES,
    Plan,
    Resamples,
    check_resamples,
    counts_of_index,
    plan_of_counts,
    subject_counts,
    subject_weights,
)
from apastats.resampling.quantiles import QuantileRule, check_rule
from apastats.resampling.statistics import (
    Statistic,
    callable_statistic,
    degrees_of_freedom,
    influence_values,
    named_statistic,
)
from apastats.resampling.store import open_store, resumed_seed
from apastats.resampling.summaries import TRANSFORMS
from apastats.results import Provenance
from apastats.seeds import RngLike, recorded_seed, seed_sequence
from apastats.words import Drawn, Info

__all__ = ["boot_ci"]

Index: TypeAlias = np.ndarray | Sequence[np.ndarray]


@verb
def boot_ci(
    x: np.ndarray | Sequence[np.ndarray],
    statistic: str | Callable[..., Any] = "mean",
    *,
    interval: str = "auto",
    conf_level: float = 0.95,
    alternative: Alternative = "two-sided",
    n_resamples: Resamples = "auto",
    scheme: str = "bootstrap",
    index: Index | None = None,
    std_error: Callable[..., Any] | Literal["jackknife"] | None = None,
    transform: str | None = None,
    quantile_rule: QuantileRule = "linear",
    rng: RngLike = None,
    n_jobs: int = 1,
    workdir: str | Path | None = None,
) -> BootstrapResult:
    """Bootstrap a statistic of one sample, or of several independent ones.

    Parameters
    ----------
    x : array ``[n]`` or ``[n, ...]``, or tuple of arrays
        Rows are the independent units (subjects); all of a row is drawn together. The samples of a
        tuple are drawn separately.
    statistic : str or callable
        ``"mean"`` (of every column; NaN left out), ``"mean_difference"`` (two samples), ``"ratio"`` of the
        means of two columns, ``"correlation"`` of two columns; or a function of the drawn rows (one
        array per sample) that returns a number or a vector.
    interval : str
        ``normal, basic, percentile, bca, studentized, t, fieller`` (ratio only), or ``"auto"``:
        studentized where there is a standard error, bca otherwise.
    conf_level, alternative, quantile_rule
        As in :func:`apastats.bootstrap`.
    n_resamples : "auto", "exact" or int
        As in :func:`apastats.bootstrap`. A callable is enumerated by ``"exact"`` only, and called 19,999
        times by ``"auto"``; several samples are always sampled.
    scheme : {"bootstrap", "bayesian"}
        Counts or Dirichlet weights; the latter for named statistics only.
    index : array ``[R, n]`` or tuple of arrays, optional
        Row numbers drawn (from 0), one table per sample: replays resamples made elsewhere.
    std_error : callable or "jackknife", optional
        Standard error of a callable statistic, for studentised and t intervals.
    transform : {"fisher", "log", "logit"}, optional
        Scale on which the interval is built.
    rng, n_jobs
        As in :func:`apastats.bootstrap`.
    workdir : path, optional
        Folder that keeps finished blocks, so that an interrupted run continues.

    Returns
    -------
    BootstrapResult
        One row per component of the statistic, column ``term`` first.

        Columns: ``term`` (what the row is of), ``estimate`` (what is estimated, from the data themselves),
        ``std_error`` (standard error), ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit
        of the interval), ``conf_level`` (level of the interval), ``n_subject`` (subjects), ``method`` (how
        the interval or test was made), ``mcse`` (Monte-Carlo standard error), ``conf_low_mcse`` (Monte-Carlo
        error of the lower limit), ``conf_high_mcse`` (Monte-Carlo error of the upper limit), ``settled``
        (whether more resamples could not change the decision).

    Raises
    ------
    DesignError
        If a sample has fewer than two rows.
    DataError
        If data are not finite (NaN is allowed for ``"mean"``).
    InputError
        If an argument is not allowed.

    Warns
    -----
    DegenerateWarning, MonteCarloWarning, SmallSampleWarning
        As :func:`apastats.bootstrap`; a replayed ``index`` does not warn of Monte-Carlo error.

    See Also
    --------
    bootstrap, tost

    Notes
    -----
    Davison and Hinkley (1997), Bootstrap Methods and their Application, chapters 2 and 5. With
    ``quantile_rule="boot"`` and ``index`` the numbers are those of R's package boot (with jackknife
    influence values for BCa). Fieller's interval (1954) holds all ratios that a t test does not reject.

    References
    ----------
    .. [1] Davison, A. C., & Hinkley, D. V. (1997). Bootstrap methods and their application. Cambridge
       University Press. https://doi.org/10.1017/CBO9780511802843
    .. [2] Efron, B. (1987). Better bootstrap confidence intervals. Journal of the American Statistical
       Association, 82(397), 171–185. https://doi.org/10.1080/01621459.1987.10478410
    .. [3] Fisher, N. I., & Hall, P. (1991). Bootstrap algorithms for small samples. Journal of Statistical
       Planning and Inference, 27, 157–169.

    Examples
    --------
    >>> import numpy as np
    >>> score, ceiling = np.array([0.1, 0.12, 0.2, 0.16]), np.array([0.3, 0.31, 0.4, 0.35])
    >>> found = boot_ci(np.column_stack([score, ceiling]), "ratio", interval="fieller")
    >>> found.tidy()[["estimate", "conf_low", "conf_high"]].round(3).values.tolist()
    [[0.426, 0.277, 0.524]]
    """
    choice("interval", interval, ("auto", "fieller", *INTERVALS))
    check_interval("t", conf_level, alternative)
    check_rule(quantile_rule)
    check_resamples(n_resamples)
    choice("scheme", scheme, SCHEMES)
    if transform is not None:
        choice("transform", transform, TRANSFORMS)
    if isinstance(statistic, str) and std_error is not None:
        raise InputError("std_error", std_error, "None for a named statistic: it has its own")
    samples = _samples(x, allow_nan=isinstance(statistic, str) and statistic == "mean")
    if rng is None and workdir is not None:
        rng = resumed_seed(workdir)
    root = None if index is not None else seed_sequence(rng)
    settings = {
        "conf_level": float(conf_level),
        "alternative": alternative,
        "quantile_rule": quantile_rule,
        "transform": transform,
    }
    chosen = None
    if not (statistic == "mean" and len(samples) == 1 and transform is None and workdir is None):
        chosen = _statistic(statistic, samples, std_error)

    def once(size: Resamples, folder: str | Path | None) -> BootstrapResult:
        if chosen is None:
            arrays, plan = _mean(samples[0], scheme, size, index, root)
        else:
            arrays, plan = _replicates(chosen, samples, scheme, size, index, root, n_jobs, folder)
        return _result(chosen, samples, arrays, plan, interval, settings)

    result = once(n_resamples, workdir)
    # a callable costs what it costs: as many calls as said, and a warning where they are too few
    grows = n_resamples == "auto" and index is None and not callable(statistic)
    more = result.more_resamples() if grows else None
    if more:
        result = once(more, None if workdir is None else Path(workdir) / "more")
    notes = (*_undefined(result), *give_warnings(result.table, ["term"], result.info))
    return replace(result, notes=notes)


NEGLIGIBLE = 1e-4  # probability of undefined resamples that moves no limit


def _undefined(result: BootstrapResult) -> tuple[str, ...]:
    """Warn of resamples in which the statistic, or its transform, does not exist: limits are those of the others."""
    interval, transform = result.info["interval"], result.info.get("transform")
    values = result.arrays.get("replicates")
    if values is None or interval in ("t", "fieller"):
        return ()
    if transform is not None and interval not in ("bca", "percentile"):
        with np.errstate(invalid="ignore", divide="ignore"):
            values = TRANSFORMS[transform][0](values)
    lost = np.isnan(values).any(axis=1)
    share = float(np.asarray(result.replicate_weights)[lost].sum())
    if share < NEGLIGIBLE:
        return ()
    scale = f" on the scale of transform={transform!r}" if transform else ""
    message = (
        f"the {result.info['estimand']} is not defined{scale} in {int(lost.sum()):,} of {len(lost):,} resamples "
        f"(probability {share:.2g}); the interval is that of the others, and too narrow"
    )
    warn(message, DegenerateWarning)
    return (message,)


def _result(
    chosen: Statistic | None,
    samples: tuple[np.ndarray, ...],
    arrays: dict[str, np.ndarray],
    plan: Plan,
    interval: str,
    settings: dict[str, Any],
) -> BootstrapResult:
    """Result of the arrays that were made; ``chosen`` is None for means that are made when needed."""
    label = "mean" if chosen is None else chosen.name
    studentizable = chosen is None or "std_error" in arrays
    if interval == "auto":
        interval = "studentized" if studentizable else "bca"
    if interval in ("studentized", "t") and not studentizable:
        raise InputError(
            "interval", interval, "an interval that needs no standard error, or pass std_error="
        )
    if interval == "fieller" and label != "ratio":
        raise InputError("interval", "fieller", "this interval for statistic='ratio' only")
    info = Info(
        method=f"bootstrap of the {label.replace('_', ' ')}",
        estimand=label.replace("_", " "),
        interval=interval,
        n_resamples=plan.n_resamples,
        exact=plan.exact,
        n_subject=sum(len(s) for s in samples),
        resampled=Drawn("rows", number=how_many(plan), weighed=plan.kind == "bayesian"),
        extra={"plan": plan.kind},
    ).but(**settings)
    if label == "ratio":
        arrays["numerator"], arrays["denominator"] = samples[0][:, :1], samples[0][:, 1:]
    count = arrays["values" if chosen is None else "replicates"].shape[1]
    terms = [label] if count == 1 else [f"{label}[{i}]" for i in range(count)]
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(s).tobytes() for s in samples))
    provenance = Provenance(data_hash=digest.hexdigest()[:16], seed=plan.seed)
    draft = BootstrapResult(pd.DataFrame({"term": terms}), info, provenance, arrays)
    return replace(draft, table=draft._table())


def _samples(x: Any, *, allow_nan: bool) -> tuple[np.ndarray, ...]:
    """Samples as float arrays, checked."""
    parts = x if isinstance(x, tuple) else (x,)
    out = []
    for part in parts:
        sample = array("x", part, infinite=True)
        if sample.ndim == 0 or len(sample) < 2:
            raise DesignError(f"boot_ci: a sample has shape {sample.shape}; 2 rows are needed")
        bad = ~np.isfinite(sample) if not allow_nan else np.isinf(sample)
        if bad.any():
            where = tuple(int(i) for i in np.argwhere(bad)[0])
            raise DataError(f"x: {sample[where]} at {where}; numbers must be finite here")
        out.append(sample)
    if not out:
        raise InputError("x", x, "an array or a tuple of arrays")
    return tuple(out)


def _statistic(
    statistic: str | Callable[..., Any],
    samples: tuple[np.ndarray, ...],
    std_error: Callable[..., Any] | str | None,
) -> Statistic:
    """Statistic to evaluate."""
    if isinstance(statistic, str):
        return named_statistic(statistic, samples)
    if not callable(statistic):
        raise InputError("statistic", statistic, "a name or a callable")
    if std_error == "jackknife":
        plain = callable_statistic(statistic, None)

        def jackknife(*drawn: np.ndarray) -> np.ndarray:
            influence = influence_values(plain, drawn)
            sizes = np.concatenate([np.full(len(d), len(d)) for d in drawn])
            # sum over units of (t_without - t)^2 (n - 1) / n, by L = (n - 1)(t - t_without)
            weight = 1 / (sizes * (sizes - 1.0))
            out: np.ndarray = np.sqrt((influence**2 * weight[:, None]).sum(axis=0))
            return out

        return callable_statistic(statistic, jackknife)
    if std_error is not None and not callable(std_error):
        raise InputError("std_error", std_error, "a callable, 'jackknife' or None")
    return callable_statistic(statistic, std_error)


def _mean(
    sample: np.ndarray, scheme: str, n_resamples: Resamples, index: Index | None, rng: RngLike
) -> tuple[dict[str, np.ndarray], Plan]:
    """Arrays of the mean of every column, and the plan."""
    values = sample.reshape(len(sample), -1)
    empty = ~np.isfinite(values).any(axis=0)
    if empty.any():
        raise DataError(f"x: column {int(empty.argmax())} has no value")
    if index is not None:
        plan = plan_of_counts(_counts(index, (values,))[0])
    else:
        make = subject_counts if scheme == "bootstrap" else subject_weights
        plan = make(len(values), n_resamples, rng)
    arrays = {"values": values}
    if not plan.exact:
        arrays["counts"] = plan.counts
    return arrays, plan


def _counts(index: Index, samples: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Counts of replayed tables, one per sample."""
    tables = index if isinstance(index, tuple) else (index,)
    if len(tables) != len(samples):
        raise InputError("index", f"{len(tables)} tables", f"{len(samples)}, one per sample")
    try:
        tables = tuple(np.asarray(t) for t in tables)
    except ValueError as error:  # ragged
        raise InputError("index", index, "whole numbers [R, k]") from error
    counts = tuple(counts_of_index(t, len(s)) for t, s in zip(tables, samples, strict=True))
    if len({len(c) for c in counts}) != 1:
        raise InputError("index", [len(c) for c in counts], "tables of equal length")
    return counts


def _replicates(
    statistic: Statistic,
    samples: tuple[np.ndarray, ...],
    scheme: str,
    n_resamples: Resamples,
    index: Index | None,
    rng: RngLike,
    n_jobs: int,
    workdir: str | Path | None,
) -> tuple[dict[str, np.ndarray], Plan]:
    """Replicates of a statistic block by block, with what the intervals need beside them."""
    if scheme == "bayesian" and not statistic.weighted:
        raise InputError("scheme", scheme, "'bootstrap' for a callable: it takes rows, no weights")
    plans = _plans(statistic, samples, scheme, n_resamples, index, rng)
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(s).tobytes() for s in samples))
    first, replay = plans[0], ""
    if index is not None:
        replay = hashlib.sha256(b"".join(p.counts.tobytes() for p in plans)).hexdigest()
    store = open_store(
        workdir, "boot_ci", statistic=f"{statistic.name} {statistic.fingerprint}".strip(), scheme=scheme,
        n=[p.n for p in plans], n_resamples=first.n_resamples, exact=first.exact, seed=first.seed,
        index=replay, data=digest.hexdigest(),
    )  # fmt: skip
    tasks = [
        (statistic, samples, tuple(p.block(i) for p in plans)) for i in range(plans[0].n_blocks)
    ]
    found = list(run_tasks(_evaluate, tasks, n_jobs=n_jobs, store=store, label=statistic.name))
    arrays = {k: np.concatenate([f[k] for f in found]) for k in found[0]}
    ones = tuple(np.ones((1, len(s))) for s in samples)
    with threadpool_limits(1, "blas"):
        full, error = statistic.evaluate(samples, ones)
        if not np.isfinite(full).all():
            raise DataError(f"statistic: {full[0].tolist()} on the data; it must be finite")
        influence = influence_values(statistic, samples)
    arrays["estimate"] = full[0]
    if error is not None:
        arrays["std_error"] = error[0]
        arrays["df"] = np.full(len(full[0]), degrees_of_freedom(statistic, samples))
    arrays["influence"] = influence
    if not plans[0].uniform:
        arrays["weights"] = plans[0].weights
    return arrays, plans[0]


def _evaluate(
    statistic: Statistic, samples: tuple[np.ndarray, ...], counts: tuple[np.ndarray, ...]
) -> dict[str, np.ndarray]:
    """Replicates of one block."""
    values, errors = statistic.evaluate(samples, counts)
    return (
        {"replicates": values} if errors is None else {"replicates": values, "std_errors": errors}
    )


def _plans(
    statistic: Statistic,
    samples: tuple[np.ndarray, ...],
    scheme: str,
    n_resamples: Resamples,
    index: Index | None,
    rng: RngLike,
) -> list[Plan]:
    """One plan per sample, all of the same length."""
    if index is not None:
        return [plan_of_counts(c) for c in _counts(index, samples)]
    if len(samples) > 1 and n_resamples == "exact":
        raise InputError("n_resamples", "exact", "a number or 'auto': several samples are sampled")
    if n_resamples == "auto" and (len(samples) > 1 or not statistic.weighted):
        n_resamples = DEFAULT_RESAMPLES
    make = subject_counts if scheme == "bootstrap" else subject_weights
    root = seed_sequence(rng)
    if len(samples) == 1:
        return [make(len(samples[0]), n_resamples, root)]
    plans = []
    for g, s in enumerate(samples):
        child = np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, 1000 + g))
        plans.append(make(len(s), n_resamples, child))
    first = plans[0]
    plans[0] = Plan(first.kind, first.n, first.n_resamples, False, recorded_seed(root), first._draw)
    return plans
