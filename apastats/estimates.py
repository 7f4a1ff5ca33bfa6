"""Bootstrap estimates of cell means with intervals: the verb ``bootstrap`` and its result."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pandas as pd

from apastats.errors import (
    DegenerateWarning,
    DesignError,
    InputError,
    MonteCarloWarning,
    SmallSampleWarning,
)
from apastats.resampling.intervals import Alternative, Interval, check_interval, moments
from apastats.resampling.means import (
    MeanSummary,
    describe_cells,
    mean_replicates,
    summarise_means,
)
from apastats.resampling.parallel import check_jobs
from apastats.resampling.plans import (
    Plan,
    Resamples,
    plan_of_counts,
    subject_counts,
    subject_weights,
)
from apastats.resampling.quantiles import QuantileRule, check_rule
from apastats.resampling.ratios import fieller
from apastats.resampling.summaries import Kept, diagnostics, summarise_kept
from apastats.results import Provenance, Result, describe_call
from apastats.seeds import RngLike
from apastats.table import Block, ScoreTable

__all__ = ["BootstrapResult", "bootstrap"]

SCHEMES = ("bootstrap", "bayesian")


class BootstrapResult(Result):
    """Bootstrap estimates.

    ``table`` has the columns of the formula, then ``estimate, std_error, conf_low, conf_high,
    conf_level, n_subject, method, mcse``; ``mcse`` is the larger Monte-Carlo standard error of the two
    limits (0 where the bootstrap is enumerated). ``arrays["values"]`` is ``[n_subject, n_row]`` and
    ``arrays["counts"]`` the resamples, where they were sampled: intervals of other kinds and levels
    come from the same replicates, see :meth:`conf_int`.
    """

    kind: ClassVar[str] = "bootstrap"

    @property
    def _linear(self) -> bool:
        """Whether the estimates are means of ``values``, so that replicates are made when needed."""
        return "values" in self.arrays

    def _plan(self) -> Plan:
        """Plan of a result of means."""
        if "counts" in self.arrays:
            return plan_of_counts(self.arrays["counts"])
        return subject_counts(len(self.arrays["values"]), "exact")

    def _kept(self) -> Kept:
        """Replicates and what goes with them, as one object."""
        names = ("weights", "std_error", "std_errors", "influence", "df")
        rest = {k: self.arrays[k] for k in names if k in self.arrays}
        if not self._linear:
            return Kept(self.arrays["estimate"], self.arrays["replicates"], **rest)
        values = self.arrays["values"]
        mean, std_error, n = describe_cells(values)
        influence = np.where(np.isfinite(values), values - mean, np.nan)
        weights = None if self._plan().uniform else self.replicate_weights
        return Kept(
            mean, self.replicates, weights, std_error, None, influence, (n - 1).astype(float)
        )

    @property
    def replicates(self) -> np.ndarray:
        """Bootstrap replicates of the estimates, ``[n_resamples, n_row]``."""
        if self._linear:
            return mean_replicates(self.arrays["values"], self._plan())
        return self.arrays["replicates"]

    @property
    def replicate_weights(self) -> np.ndarray:
        """Probability of each replicate, ``[n_resamples]``."""
        if self._linear:
            return self._plan().weights
        size = len(self.arrays["replicates"])
        return self.arrays.get("weights", np.full(size, 1 / size))

    def diagnostics(self) -> pd.DataFrame:
        """Bootstrap mean, bias, standard deviation, and BCa's z0 and acceleration of every row.

        Returns
        -------
        pandas.DataFrame
            The keys of the table, ``estimate, boot_mean, bias, boot_se, z0, acceleration``.
        """
        kept = self._kept()
        found = diagnostics(kept, self.info["quantile_rule"])
        return self.table[self._keys()].assign(estimate=kept.estimate, **found)

    def _keys(self) -> list[str]:
        """Columns of the table that say what a row is."""
        columns = list(self.table.columns)
        return columns[: columns.index("estimate")] if "estimate" in columns else columns

    def conf_int(
        self,
        *,
        interval: Interval | None = None,
        conf_level: float | None = None,
        alternative: Alternative | None = None,
        quantile_rule: QuantileRule | None = None,
    ) -> pd.DataFrame:
        """Table with other intervals from the same replicates.

        Parameters
        ----------
        interval, conf_level, alternative, quantile_rule
            As in :func:`bootstrap`; what is left out stays as it was.

        Returns
        -------
        pandas.DataFrame
            Like :meth:`tidy`.

        Examples
        --------
        >>> import apastats as apa
        >>> import pandas as pd
        >>> scores = [0.11, 0.14, 0.09, 0.13, 0.12, 0.10]
        >>> frame = pd.DataFrame(
        ...     {"subject": list("abcdef"), "roi": "V1", "model": "m", "score": scores}
        ... )
        >>> boot = apa.bootstrap("score ~ model | roi", apa.ScoreTable(frame))
        >>> boot.conf_int(interval="bca", conf_level=0.9)["conf_level"].unique().tolist()
        [0.9]
        """
        interval = interval or self.info["interval"]
        conf_level = self.info["conf_level"] if conf_level is None else conf_level
        alternative = alternative or self.info["alternative"]
        quantile_rule = quantile_rule or self.info["quantile_rule"]
        if interval != "fieller":
            check_interval(interval, conf_level, alternative)
        check_interval("t", conf_level, alternative)
        check_rule(quantile_rule)
        found = self._summary(interval, conf_level, alternative, quantile_rule)
        return _table(self.table[self._keys()], found, interval, conf_level, self.info["plan"])

    def _summary(
        self, interval: Interval, conf_level: float, alternative: Alternative, rule: QuantileRule
    ) -> MeanSummary:
        """Estimates and limits by whichever way the result was made."""
        if self._linear:
            return summarise_means(
                self.arrays["values"],
                self._plan(),
                [interval],
                conf_level=conf_level,
                alternative=alternative,
                quantile_rule=rule,
            )
        kept = self._kept()
        std_error = kept.std_error
        if std_error is None:
            std_error = moments(kept.values.T, kept.weights)[1]
        n = np.full(len(kept.estimate), self.info["n_subject"])
        if interval == "fieller":
            if "pairs" not in self.arrays:
                raise InputError("interval", "fieller", "this interval for a ratio only")
            top, bottom = self.arrays["pairs"].T
            low, high = fieller(
                top[:, None], bottom[:, None], conf_level=conf_level, alternative=alternative
            )
            limits = {"fieller": (low, high, np.zeros(1))}
        else:
            limits = summarise_kept(
                kept,
                [interval],
                conf_level=conf_level,
                alternative=alternative,
                quantile_rule=rule,
                transform=self.info.get("transform"),
            )
        return MeanSummary(kept.estimate, std_error, n, limits)


def bootstrap(
    formula: str,
    data: ScoreTable,
    *,
    cluster: str = "subject",
    scheme: str = "bootstrap",
    n_resamples: Resamples = "auto",
    interval: Interval = "studentized",
    conf_level: float = 0.95,
    alternative: Alternative = "two-sided",
    quantile_rule: QuantileRule = "linear",
    kind: str | None = "model",
    rng: RngLike = None,
    n_jobs: int = 1,
    batch: int | None = None,
) -> BootstrapResult:
    """Mean of every cell with a bootstrap interval over subjects.

    Parameters
    ----------
    formula : str
        ``outcome ~ compare | by``; every combination of levels is one cell.
    data : ScoreTable
        One row per subject and cell (choose layer and split first).
    cluster : str
        Column whose levels are drawn; all values of a level go together.
    scheme : {"bootstrap", "bayesian"}
        Counts of a draw with replacement, or Dirichlet weights (Rubin 1981).
    n_resamples : "auto", "exact" or int
        ``"auto"`` enumerates all resamples of up to 10 subjects (exact: no seed, no Monte-Carlo
        error) and samples 9,999 above; ``"exact"`` enumerates up to 12; a number samples that many.
    interval : {"studentized", "bca", "percentile", "basic", "normal", "t"}
        Kind of interval. The percentile interval covers 90 % where 95 % is said at ten subjects.
    conf_level : float
        Level.
    alternative : {"two-sided", "greater", "less"}
        ``greater`` gives a lower limit only, ``less`` an upper one.
    quantile_rule : {"linear", "boot"}
        How quantiles of sampled replicates are read; ``boot`` is the rule of R's package boot.
    kind : str or None
        Kind of rows used; None for all.
    rng : int, Generator, SeedSequence or None
        Seed of sampled resamples; None draws one and records it.
    n_jobs : int
        Processes (joblib).
    batch : int, optional
        Cells per task; changes memory, never numbers.

    Returns
    -------
    BootstrapResult

    Raises
    ------
    DesignError
        If there are fewer than two levels of ``cluster``, or a cell has rows but no value.
    InputError
        If an argument is not allowed.

    Warns
    -----
    DegenerateWarning
        If a cell has values of one subject only: its interval is NaN.
    MonteCarloWarning
        If the Monte-Carlo error of a limit could change the digit of the standard error's size.
    SmallSampleWarning
        If a studentised interval is infinite because too many resamples repeat one subject.

    Notes
    -----
    Estimate: mean over the subjects that have a value; its standard error ``s / sqrt(n)``. In a
    resample with counts c the mean is ``sum c_s x_s / sum c_s`` over the same subjects. Interval
    formulas: Davison and Hinkley (1997), chapter 5; exact enumeration: Fisher and Hall (1991).

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
    check_interval(interval, conf_level, alternative)
    check_rule(quantile_rule)
    check_jobs(n_jobs, batch)
    if scheme not in SCHEMES:
        raise InputError("scheme", scheme, f"one of {list(SCHEMES)}")
    if not isinstance(data, ScoreTable):
        raise InputError("data", type(data).__name__, "a ScoreTable")
    block = data.block(formula, cluster=cluster, kind=kind)
    n = len(block.clusters)
    if n < 2:
        raise DesignError(
            f"bootstrap: {n} level of {cluster!r} ({block.clusters}); at least 2 are needed"
        )
    cells, values, notes = _cells(block, data, kind)
    make = subject_counts if scheme == "bootstrap" else subject_weights
    plan = make(n, n_resamples, rng)
    found = summarise_means(
        values,
        plan,
        [interval],
        conf_level=conf_level,
        alternative=alternative,
        quantile_rule=quantile_rule,
        n_jobs=n_jobs,
        batch=batch,
    )
    table = _table(cells, found, interval, conf_level, plan.kind)
    notes += _warn(table, found, interval, n)
    info = {
        "method": f"{'Bayesian ' if scheme == 'bayesian' else ''}bootstrap of the mean over {cluster}s",
        "interval": interval,
        "conf_level": float(conf_level),
        "alternative": alternative,
        "quantile_rule": quantile_rule,
        "plan": plan.kind,
        "n_resamples": plan.n_resamples,
        "exact": plan.exact,
        "n_subject": n,
        "cluster": cluster,
        "resampled": f"{cluster}s ({how_many(plan)})",
        "held_fixed": "stimuli, chosen layers",
        "formula": str(block.formula),
    }
    arrays = {"values": values, "clusters": np.asarray(block.clusters, dtype=str)}
    if not plan.exact:
        arrays["counts"] = plan.counts
    call = describe_call(
        "bootstrap",
        formula,
        data,
        cluster=cluster,
        scheme=scheme,
        n_resamples=n_resamples,
        interval=interval,
        conf_level=conf_level,
        alternative=alternative,
    )
    provenance = Provenance(call, data.hash, plan.seed)
    return BootstrapResult(table, info, provenance, arrays, tuple(notes))


def how_many(plan: Plan) -> str:
    """Words for the number of resamples."""
    if plan.exact:
        return f"all {plan.n_resamples:,} resamples enumerated with their probabilities"
    return f"{plan.n_resamples:,} sampled"


def _cells(
    block: Block, data: ScoreTable, kind: str | None
) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Cells that have rows, ``[cluster, cell]`` values, and a note on combinations without rows."""
    n, n_group, n_cell = block.values.shape
    values = block.values.reshape(n, n_group * n_cell)
    cells = pd.concat(
        [
            block.groups.loc[np.repeat(np.arange(n_group), n_cell)].reset_index(drop=True),
            block.cells.loc[np.tile(np.arange(n_cell), n_group)].reset_index(drop=True),
        ],
        axis=1,
    )
    empty = ~np.isfinite(values).any(axis=0)
    if not empty.any():
        return cells, values, []
    keys = [*block.formula.compare, *block.formula.by]
    frame = data.frame if kind is None else data.frame[data.frame["kind"] == kind]
    present = set(frame[keys].itertuples(index=False, name=None))
    for row in cells[empty].itertuples(index=False, name=None):
        if row in present:
            raise DesignError(
                f"bootstrap: cell {dict(zip(keys, row, strict=True))} has rows but no value; "
                f"leave it out or repair the data"
            )
    note = f"{int(empty.sum())} of {empty.size} combinations of {keys} have no rows and no estimate"
    return cells[~empty].reset_index(drop=True), np.ascontiguousarray(values[:, ~empty]), [note]


def _table(
    cells: pd.DataFrame, found: MeanSummary, interval: str, conf_level: float, plan: str
) -> pd.DataFrame:
    """Tidy table of the estimates."""
    low, high, mcse = found.limits[interval]
    return cells.assign(
        estimate=found.estimate,
        std_error=found.std_error,
        conf_low=low,
        conf_high=high,
        conf_level=float(conf_level),
        n_subject=found.n,
        method=f"{interval} ({plan})",
        mcse=mcse,
    )


def _warn(table: pd.DataFrame, found: MeanSummary, interval: str, n: int) -> list[str]:
    """Give the warnings a table deserves and return them as notes."""
    notes: list[str] = []

    def warn(category: type[Warning], message: str) -> None:
        notes.append(message)
        warnings.warn(category(message), stacklevel=4)

    single = found.n < 2
    if single.any():
        where = table.loc[single].iloc[0, :1].to_dict()
        warn(
            DegenerateWarning,
            f"{int(single.sum())} cells have a value of one subject only (first: {where}); interval NaN",
        )
    infinite = np.isinf(table[["conf_low", "conf_high"]].to_numpy(dtype=float)).all(axis=1)
    if interval == "studentized" and infinite.any():
        warn(
            SmallSampleWarning,
            f"with {n} subjects so many resamples repeat one subject that {int(infinite.sum())} "
            f"studentized intervals are infinite; interval='t' is finite",
        )
    coarse = monte_carlo_matters(found.std_error, found.limits[interval][2])
    if coarse.any():
        warn(
            MonteCarloWarning,
            f"the Monte-Carlo error of {int(coarse.sum())} of {len(table)} intervals could change their "
            f"printed digits (largest {np.nanmax(found.limits[interval][2]):.2g}); take more resamples",
        )
    return notes


def monte_carlo_matters(std_error: np.ndarray, mcse: np.ndarray | Sequence[float]) -> np.ndarray:
    """Whether one Monte-Carlo standard error moves half a unit of the standard error's first digit.

    That digit is the last one worth printing of an estimate or a limit.
    """
    mcse = np.asarray(mcse, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = 10.0 ** np.floor(np.log10(std_error))
        out: np.ndarray = np.where(np.isfinite(unit) & (unit > 0), mcse > unit / 2, False)
    return out
