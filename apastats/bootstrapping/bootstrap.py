"""Bootstrap estimates of cell means with intervals: the verb ``bootstrap``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from apastats.arguments import applies, choice
from apastats.bootstrapping.cells import Cells, dyad_cells, mean_cells, nested_cells, option_cells
from apastats.bootstrapping.result import BootstrapResult
from apastats.bootstrapping.tables import estimate_table, give_warnings, how_many
from apastats.errors import DesignError, InputError
from apastats.recording import verb
from apastats.resampling.intervals import Alternative, Interval, check_interval
from apastats.resampling.keeping import design_arrays
from apastats.resampling.means import MeanSummary, summarise_means
from apastats.resampling.plans import Plan, Resamples, subject_counts, subject_weights
from apastats.resampling.quantiles import QuantileRule, check_rule
from apastats.resampling.reselection_summary import summarise_reselected
from apastats.resampling.store import BlockStore, open_store, resumed_seed
from apastats.results import Provenance
from apastats.seeds import RngLike, seed_sequence
from apastats.table import ScoreTable, parse_formula
from apastats.words import Drawn, Info, Outcome

if TYPE_CHECKING:
    from apastats.io.rdm_set import RDMSet
    from apastats.scoring.measures.entry import Measure

__all__ = ["bootstrap"]

SCHEMES = ("bootstrap", "bayesian")
RESELECT = ("train", "out_of_bag")


@verb
def bootstrap(
    formula: str,
    data: ScoreTable | RDMSet | Any,
    *,
    cluster: str | Sequence[str] = "subject",
    scheme: str = "bootstrap",
    strata: str | None = None,
    within: str | Sequence[str] | None = None,
    reselect: str | None = None,
    on: str = "train",
    models: RDMSet | Any = None,
    method: str = "corr",
    measure: str | Measure | None = None,
    reference_from: str = "mean_patterns",
    blocks: Sequence[Any] | None = None,
    ceiling: bool = True,
    n_resamples: Resamples = "auto",
    interval: Interval | str = "auto",
    conf_level: float = 0.95,
    alternative: Alternative = "two-sided",
    quantile_rule: QuantileRule = "linear",
    kind: str | None = None,
    rng: RngLike = None,
    n_jobs: int = 1,
    batch: int | None = None,
    workdir: str | Path | None = None,
) -> BootstrapResult:
    """Mean of every cell with a bootstrap interval.

    Parameters
    ----------
    formula : str
        ``outcome ~ compare | by``; every combination of levels is one cell.
    data : ScoreTable, RDMs or patterns
        Scores, one row per subject and cell (choose layer and split first, or use ``reselect``); or
        RDMs of brains with labels ``subject, roi``, together with ``models``; or, with ``measure``, patterns as
        :func:`apastats.score_patterns` takes them, together with ``models``.
    cluster : str or pair of str
        Who is drawn. A column (``"subject"``): its levels, with all their values. A pair of columns
        (``("subject", "session")``): levels of the first, then of the second within each drawn one.
        ``"dyad"``: subjects in both roles of subject-to-subject scores; self pairs drop out and
        reciprocal pairs count once. With RDMs and patterns also ``"stimulus"``, and ``("subject", "stimulus")``
        for new subjects and new stimuli at once.
    scheme : {"bootstrap", "bayesian"}
        Counts of a draw with replacement, or Dirichlet weights (Rubin 1981).
    strata : str, optional
        Column with groups of subjects; every group keeps its size in every resample.
    within : str or sequence of str, optional
        Columns (``"roi"``) averaged inside each subject first, as in :func:`apastats.equivalence`; a subject that
        lacks one of their levels in a cell does not enter there.
    reselect : {"layer"}, optional
        Choose the best layer of each model anew in every resample.
    on : {"train", "out_of_bag"}
        What ``reselect`` chooses on: the split "train" of the resample, or the subjects not in it (the
        estimate is then that of ``select_layer(on="cross_subject")``).
    models : RDMs or patterns, optional
        Model RDMs with labels ``model, layer``, where ``data`` are RDMs; features of models where they are patterns.
    method : str
        Similarity of RDMs, where ``data`` are RDMs.
    measure : str or Measure, optional
        Measure of patterns, as in :func:`apastats.score_patterns`. Those that allow weights of stimuli are resampled
        with weights, no copy compared with its like (of ridge regressions the stimuli they are tested on, the fits held
        fixed); for the others a resample is the stimuli that were drawn, each
        once, their spread scaled to that of all stimuli (``notes`` say so).
    reference_from : {"mean_patterns", "joined_units"}
        What the ceilings of a measure compare a subject with, as in :func:`apastats.score_patterns`: lower bound from
        the other subjects, upper from all.
    blocks : sequence, optional
        One label per stimulus; stimuli of a block are drawn together.
    ceiling : bool
        Whether to resample noise ceilings (Nili's lower and upper) with the scores, where ``data`` are RDMs or
        patterns.
    n_resamples : "auto", "exact" or int
        ``"auto"`` enumerates all resamples of up to 10 subjects (exact: no seed, no Monte-Carlo
        error) and samples 19,999 above, and up to 199,999 where Monte-Carlo error could still change
        a printed digit (4,999 where stimuli are drawn); ``"exact"`` enumerates up to 12; a number
        samples that many.
    interval : {"auto", "studentized", "bca", "percentile", "basic", "normal", "t"}
        Kind of interval; ``"auto"`` is studentized, and t where stimuli are drawn. The percentile
        interval covers 90 % where 95 % is said at ten subjects.
    conf_level : float
        Level.
    alternative : {"two-sided", "greater", "less"}
        ``greater`` gives a lower limit only, ``less`` an upper one.
    quantile_rule : {"linear", "boot"}
        How quantiles of sampled replicates are read; ``boot`` is the rule of R's package boot.
    kind : str, optional
        Kind of rows used: ``"model"``, and ``"subject_to_subject"`` for dyads, by default.
    rng : int, Generator, SeedSequence or None
        Seed of sampled resamples; None draws one and records it.
    n_jobs : int
        Workers (joblib).
    batch : int, optional
        Cells of a score table per task; changes memory, never numbers.
    workdir : path, optional
        Folder that keeps finished blocks, so that an interrupted run continues where it was.

    Returns
    -------
    BootstrapResult

        Columns: ``model`` (model, or what is compared), ``roi`` (region), ``estimate`` (what is estimated,
        from the data themselves), ``std_error`` (standard error), ``conf_low`` (lower limit of the interval),
        ``conf_high`` (upper limit of the interval), ``conf_level`` (level of the interval), ``n_subject``
        (subjects), ``method`` (how the interval or test was made), ``mcse`` (Monte-Carlo standard error),
        ``conf_low_mcse`` (Monte-Carlo error of the lower limit), ``conf_high_mcse`` (Monte-Carlo error of the
        upper limit), ``settled`` (whether more resamples could not change the decision).

    Raises
    ------
    DesignError
        If there are fewer than two levels of ``cluster``, or a cell has rows but no value.
    InputError
        If an argument is not allowed, or ``workdir`` belongs to another computation.

    Warns
    -----
    DegenerateWarning
        If a cell has values of one subject only: its interval is NaN.
    MonteCarloWarning
        If Monte-Carlo error could change a printed digit of a limit: it exceeds half a unit of the last
        decimal of :func:`apastats.rounding.printed_decimals`. Cells, largest error and the number of
        resamples that would do are named.
    SmallSampleWarning
        If a studentised interval is infinite because too many resamples repeat one subject.

    See Also
    --------
    boot_ci, noise_ceiling, equivalence

    Notes
    -----
    Estimate: mean over the subjects that have a value; its standard error ``s / sqrt(n)``. In a
    resample with counts c the mean is ``sum c_s x_s / sum c_s`` over the same subjects. Interval
    formulas: Davison and Hinkley (1997), chapter 5; exact enumeration: Fisher and Hall (1991). For
    stimuli see :class:`apastats.scoring.stimuli.pair_weights.PairKernel`, for both factors
    :func:`apastats.scoring.stimuli.two_factor.dual_variance`.

    References
    ----------
    .. [1] Davison, A. C., & Hinkley, D. V. (1997). Bootstrap methods and their application. Cambridge
       University Press. https://doi.org/10.1017/CBO9780511802843
    .. [2] Efron, B. (1987). Better bootstrap confidence intervals. Journal of the American Statistical
       Association, 82(397), 171–185. https://doi.org/10.1080/01621459.1987.10478410
    .. [3] Fisher, N. I., & Hall, P. (1991). Bootstrap algorithms for small samples. Journal of Statistical
       Planning and Inference, 27, 157–169.
    .. [4] Rubin, D. B. (1981). The Bayesian bootstrap. The Annals of Statistics, 9(1), 130–134.
       https://doi.org/10.1214/aos/1176345338

    Examples
    --------
    >>> import apastats as apa
    >>> import pandas as pd
    >>> scores = [0.11, 0.14, 0.09, 0.13, 0.12, 0.10]
    >>> frame = pd.DataFrame(
    ...     {"subject": list("abcdef"), "roi": "V1", "model": "m", "score": scores}
    ... )
    >>> boot = apa.bootstrap("score ~ model | roi", apa.ScoreTable(frame))
    >>> boot.info["n_resamples"], boot.info["exact"]
    (462, True)
    """
    check_interval("t" if interval == "auto" else interval, conf_level, alternative)
    check_rule(quantile_rule)
    choice("scheme", scheme, SCHEMES)
    if reselect is not None:
        choice("reselect", reselect, ("layer",))
    choice("on", on, RESELECT)
    if rng is None and workdir is not None:
        rng = resumed_seed(workdir)
    shared: dict[str, Any] = {
        "n_resamples": n_resamples,
        "conf_level": conf_level,
        "alternative": alternative,
        "quantile_rule": quantile_rule,
        "rng": rng,
        "n_jobs": n_jobs,
        "batch": batch,
        "workdir": workdir,
    }
    if not isinstance(data, ScoreTable):
        from apastats.bootstrapping.bootstrap_rdms import bootstrap_rdms
        from apastats.bootstrapping.sources import source_of

        table: dict[str, Any] = {"to": ["scores"], "chosen": "RDMs", "by": "data"}
        applies("strata", strata, **table)
        applies("within", within, **table)
        applies("reselect", reselect, **table)
        applies("on", on, **table, default="train")
        applies("kind", kind, **table)
        applies("batch", batch, **table)
        del shared["batch"]
        return bootstrap_rdms(
            formula,
            source_of(data, models, method, measure, reference_from),
            cluster=cluster,
            scheme=scheme,
            blocks=blocks,
            ceiling=ceiling,
            interval=interval,
            **shared,
        )
    rdms: dict[str, Any] = {"to": ["RDMs"], "chosen": "scores", "by": "data"}
    applies("models", models, **rdms)
    applies("measure", measure, **{**rdms, "to": ["patterns"]})
    applies(
        "reference_from",
        reference_from,
        to=["patterns"],
        chosen="scores",
        by="data",
        default="mean_patterns",
    )
    applies("blocks", blocks, **rdms)
    applies("method", method, **rdms, default="corr")
    applies("ceiling", ceiling, **rdms, default=True)
    applies("on", on, to=["layer"], chosen=str(reselect), by="reselect", default="train")
    interval = "studentized" if interval == "auto" else interval
    cells = _cells(formula, data, cluster, scheme, strata, within, reselect, on, kind)
    found = _run(cells, data, cluster, scheme, interval, **shared)
    return replace(found, info=found.info.but(rows=kind))


def _cells(
    formula: str,
    data: ScoreTable,
    cluster: str | Sequence[str],
    scheme: str,
    strata: str | None,
    within: str | Sequence[str] | None,
    reselect: str | None,
    on: str,
    kind: str | None,
) -> Cells:
    """Data of the design that was asked for."""
    f = parse_formula(formula)
    special = not isinstance(cluster, str) or cluster == "dyad" or strata is not None
    if within is not None and (
        reselect is not None or cluster == "dyad" or not isinstance(cluster, str)
    ):
        raise InputError(
            "within",
            within,
            "None where layers are chosen anew, and for dyads and pairs of columns",
        )
    if scheme == "bayesian" and reselect is not None and on == "out_of_bag":
        raise InputError(
            "scheme", scheme, "'bootstrap' for on='out_of_bag': with weights nobody is left out"
        )
    if reselect is not None:
        if special:
            raise InputError(
                "cluster", cluster, "one column, without strata, where reselect is given"
            )
        return option_cells(f, data, str(cluster), on)
    if not isinstance(cluster, str):
        pair = tuple(cluster)
        if len(pair) != 2 or "stimulus" in pair or strata is not None:
            raise InputError(
                "cluster", pair, "a column or a pair of columns; stimuli are drawn from RDMs"
            )
        return nested_cells(f, data, pair, kind or "model")
    if cluster == "stimulus":
        raise InputError("cluster", cluster, "a column; stimuli are drawn from RDMs, pass models=")
    if cluster == "dyad":
        if strata is not None:
            raise InputError("strata", strata, "None for dyads")
        return dyad_cells(f, data, kind or "subject_to_subject")
    return mean_cells(f, data, cluster, kind or "model", strata, within)


def _run(
    cells: Cells,
    data: ScoreTable,
    cluster: str | Sequence[str],
    scheme: str,
    interval: Any,
    *,
    n_resamples: Resamples,
    conf_level: float,
    alternative: Alternative,
    quantile_rule: QuantileRule,
    rng: RngLike,
    n_jobs: int,
    batch: int | None,
    workdir: str | Path | None,
) -> BootstrapResult:
    """Resample the cells and put the result together."""
    n = len(cells.units)
    if n < 2:
        raise DesignError(
            f"bootstrap: {n} level of {cluster!r} ({cells.units}); at least 2 are needed"
        )
    root = seed_sequence(rng)
    options: dict[str, Any] = {
        "conf_level": conf_level,
        "alternative": alternative,
        "quantile_rule": quantile_rule,
    }

    def once(size: Resamples, folder: str | Path | None) -> BootstrapResult:
        work: dict[str, Any] = {"n_jobs": n_jobs, "batch": batch, "workdir": folder}
        plan, arrays, found = _arrays(cells, data.hash, scheme, interval, options, size, root, work)
        arrays["clusters"] = np.asarray(cells.units, dtype=str)
        outcome = data.outcome(cells.formula.outcome)
        info = _info(cells, plan, interval, options, scheme, cluster, outcome)
        draft = BootstrapResult(
            cells.keys, info, Provenance(data_hash=data.hash, seed=plan.seed), arrays
        )
        if found is None:
            return replace(draft, table=draft._table())
        return replace(
            draft, table=estimate_table(cells.keys, found, interval, conf_level, plan.kind)
        )

    result = once(n_resamples, workdir)
    more = result.more_resamples() if n_resamples == "auto" else None
    if more:
        result = once(more, None if workdir is None else Path(workdir) / "more")
    notes = give_warnings(result.table, cells.keys.columns.tolist(), result.info)
    return replace(result, notes=(*cells.notes, *notes))


def _arrays(
    cells: Cells,
    data_hash: str,
    scheme: str,
    interval: Any,
    options: dict[str, Any],
    n_resamples: Resamples,
    root: np.random.SeedSequence,
    work: dict[str, Any],
) -> tuple[Plan, dict[str, np.ndarray], MeanSummary | None]:
    """Plan, arrays of the result, and the intervals where they are made on the way."""
    workdir = work.pop("workdir")
    if cells.design not in ("means", "reselected"):
        plan = cells.plan(n_resamples, root, scheme)
        store = _store(workdir, cells, plan, data_hash, "", {})
        arrays = design_arrays(
            cells.design, cells.values, cells.labels, plan, work["n_jobs"], store
        )
        return plan, arrays, None
    make = subject_counts if scheme == "bootstrap" else subject_weights
    plan = make(len(cells.units), n_resamples, root)
    work["store"] = _store(workdir, cells, plan, data_hash, interval, options)
    if cells.design == "means":
        arrays = {"values": cells.values}
        found = summarise_means(cells.values, plan, [interval], **options, **work)
    else:
        arrays = {"options": cells.values}
        if cells.guide is not None:
            arrays["guide"] = cells.guide
        found = summarise_reselected(cells.values, cells.guide, plan, [interval], **options, **work)
    if not plan.exact:
        arrays["counts"] = plan.counts
    return plan, arrays, found


def _info(
    cells: Cells,
    plan: Plan,
    interval: str,
    options: dict[str, Any],
    scheme: str,
    cluster: str | Sequence[str],
    outcome: Outcome,
) -> Info:
    """Words and settings of the analysis."""
    name = cluster if isinstance(cluster, str) else " > ".join(cluster)
    return Info(
        method=f"{'Bayesian ' if scheme == 'bayesian' else ''}bootstrap of the mean, {cells.words}",
        estimand="mean",
        outcome=outcome,
        interval=interval,
        n_resamples=plan.n_resamples,
        exact=plan.exact,
        n_subject=len(cells.units),
        resampled=Drawn(cells.drawn, number=how_many(plan), weighed=scheme == "bayesian"),
        held_fixed=cells.held_fixed,
        formula=str(cells.formula),
        extra={"plan": plan.kind, "cluster": name},
    ).but(**options)


def _store(
    workdir: str | Path | None,
    cells: Cells,
    plan: Plan,
    data_hash: str,
    interval: str,
    options: dict[str, Any],
) -> BlockStore | None:
    """Folder of finished blocks, its manifest naming all the numbers depend on."""
    return open_store(
        workdir, "bootstrap", formula=str(cells.formula), design=cells.design, rows=list(cells.values.shape),
        plan=plan.kind, n_resamples=plan.n_resamples, exact=plan.exact, seed=plan.seed, interval=interval,
        data=data_hash, **options,
    )  # fmt: skip
