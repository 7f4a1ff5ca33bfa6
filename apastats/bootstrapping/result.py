"""BootstrapResult: estimates, and every interval that their replicates can give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.special import stdtr
from threadpoolctl import threadpool_limits

from apastats.arguments import checked
from apastats.bootstrapping.tables import error_columns, estimate_table, give_warnings
from apastats.errors import InputError
from apastats.numbers.moments import moments
from apastats.recording import verb
from apastats.resampling.bands import critical_values, running_max
from apastats.resampling.intervals import (
    Alternative,
    Interval,
    Replicates,
    check_interval,
)
from apastats.resampling.means import (
    MeanSummary,
    describe_cells,
    mean_replicates,
    mean_tiles,
    summarise_means,
)
from apastats.resampling.plans import Plan, plan_of_counts, subject_counts
from apastats.resampling.quantiles import QuantileRule, check_rule
from apastats.resampling.ratios import fieller
from apastats.resampling.reselection import reselected
from apastats.resampling.reselection_summary import summarise_reselected
from apastats.resampling.summaries import Kept, diagnostics, summarise_kept
from apastats.results import Result
from apastats.rounding import LIMIT_ERRORS, resamples_to_settle

__all__ = ["BootstrapResult"]

MOST_RESAMPLES = 199_999  # of "auto"


class BootstrapResult(Result):
    """Bootstrap estimates.

    ``table`` has the keys (columns of the formula, or ``term``), then ``estimate, std_error, conf_low,
    conf_high, conf_level, n_subject, method, mcse, conf_low_mcse, conf_high_mcse, settled``: the
    Monte-Carlo standard error of either limit and the larger of the two (0 where the bootstrap is
    enumerated), and whether it leaves the digits that are printed as they are.

    ``arrays`` holds what intervals of other kinds and levels are made of, without drawing again:
    for means ``values [n_subject, n_row]`` and, where sampled, ``counts [n_resamples, n_subject]``;
    otherwise ``replicates [n_resamples, n_row]`` with ``estimate`` and, as there are, ``weights,
    std_error, std_errors, influence, df``.
    """

    kind: ClassVar[str] = "bootstrap"

    # ------------------------------------------------------------------ what lies behind
    @property
    def _source(self) -> str:
        """Whether replicates are kept, or made from values when they are needed."""
        if "replicates" in self.arrays:
            return "kept"
        return "reselected" if "options" in self.arrays else "means"

    def _plan(self) -> Plan:
        """Plan of a result that makes its replicates when needed."""
        if "counts" in self.arrays:
            return plan_of_counts(self.arrays["counts"])
        name = "options" if self._source == "reselected" else "values"
        return subject_counts(len(self.arrays[name]), "exact")

    def _kept(self) -> Kept:
        """Replicates and what goes with them, as one object."""
        if self._source == "kept":
            names: tuple[str, ...] = ("weights", "std_error", "std_errors", "influence", "df")
            names += ("std_error_mcse", "pivot_error")
            rest = {k: self.arrays[k] for k in names if k in self.arrays}
            return Kept(self.arrays["estimate"], self.arrays["replicates"], **rest)
        values = self.arrays["values"]
        mean, std_error, n = describe_cells(values)
        influence = np.where(np.isfinite(values), values - mean, np.nan)
        weights = None if self._plan().uniform else self.replicate_weights
        df = (n - 1).astype(np.float64)
        return Kept(mean, self.replicates, weights, std_error, None, influence, df)

    def _tiles(self) -> Iterator[tuple[np.ndarray, Replicates]]:
        """Replicates piece by piece, with t values; BLAS on one thread, as everywhere."""
        with threadpool_limits(1, "blas"):
            yield from self._pieces()

    def _pieces(self) -> Iterator[tuple[np.ndarray, Replicates]]:
        """Replicates piece by piece."""
        source = self._source
        if source == "kept":
            kept = self._kept()
            _, mean, sd = moments(kept.values.T, kept.weights, axis=-1)
            error = sd if kept.std_error is None else kept.std_error
            # errors of another estimator than the table's would change the scale of the pivot
            plain = kept.std_errors is None or kept.pivot_error is not None
            spread = sd[None] if plain else kept.std_errors
            with np.errstate(invalid="ignore", divide="ignore"):
                t = ((kept.values - kept.estimate) / spread).T
            t[(kept.values == kept.estimate).T] = 0.0
            yield np.arange(len(mean)), Replicates(kept.estimate, kept.values.T, None, error, t)
            return
        plan = self._plan()
        if source == "reselected":
            guide = self.arrays.get("guide")
            for j, r in reselected(self.arrays["options"], guide, plan.matrix, None):
                yield np.array([j]), r
            return
        counts = np.ascontiguousarray(plan.matrix.T)
        for cells, r in mean_tiles(self.arrays["values"], counts, None, studentize=True):
            yield np.arange(cells.start, cells.stop), r

    @property
    def replicates(self) -> np.ndarray:
        """Bootstrap replicates of the estimates, ``[n_resamples, n_row]``."""
        source = self._source
        if source == "kept":
            return self.arrays["replicates"]
        if source == "means":
            return mean_replicates(self.arrays["values"], self._plan())
        estimate = self.table["estimate"].to_numpy()
        parts = [r.values[0] + estimate[p[0]] for p, r in self._tiles()]
        return np.stack(parts, axis=1)

    @property
    def replicate_weights(self) -> np.ndarray:
        """Probability of each replicate, ``[n_resamples]``."""
        if self._source != "kept":
            return self._plan().weights
        size = len(self.arrays["replicates"])
        return self.arrays.get("weights", np.full(size, 1 / size))

    def _keys(self) -> list[str]:
        """Columns of the table that say what a row is."""
        columns = list(self.table.columns)
        return columns[: columns.index("estimate")] if "estimate" in columns else columns

    # ------------------------------------------------------------------ what can be asked
    def diagnostics(self) -> pd.DataFrame:
        """Bootstrap mean, bias, standard deviation, and BCa's z0 and acceleration of every row.

        Returns
        -------
        pandas.DataFrame
            The keys of the table, ``estimate, boot_mean, bias, boot_se, z0, acceleration``.
        """
        if self._source == "reselected":
            estimate = self.table["estimate"].to_numpy()
            weights = None if self._plan().uniform else self.replicate_weights
            kept = Kept(estimate, self.replicates, weights)
        else:
            kept = self._kept()
        with threadpool_limits(1, "blas"):
            found = diagnostics(kept, self.info["quantile_rule"])
        return self.table[self._keys()].assign(estimate=kept.estimate, **found)

    @checked
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

        Raises
        ------
        InputError
            If an argument is not allowed, or the replicates lack what the interval needs.

        Warns
        -----
        DegenerateWarning, MonteCarloWarning, SmallSampleWarning
            As :func:`apastats.bootstrap`.

        Examples
        --------
        >>> import apastats as apa
        >>> boot = apa.boot_ci([0.11, 0.14, 0.09, 0.13, 0.12, 0.10])
        >>> boot.conf_int(interval="bca", conf_level=0.9)["conf_level"].tolist()
        [0.9]
        """
        table = self._table(interval, conf_level, alternative, quantile_rule)
        return self._warn(table, interval, alternative)

    def _table(self, *settings: Any) -> pd.DataFrame:
        """Table of an interval: kind, level, alternative, quantile rule; None leaves them as they were."""
        interval, conf_level, alternative, rule = self._settings(*(settings or (None,) * 4))
        with threadpool_limits(1, "blas"):
            found = self._summary(interval, conf_level, alternative, rule)
        keys = self.table[self._keys()]
        return estimate_table(keys, found, interval, conf_level, self.info["plan"])

    def more_resamples(self) -> int | None:
        """Number of resamples ``"auto"`` goes on to, where printed digits are not settled yet."""
        table, size = self.table, int(self.info["n_resamples"])
        if self.info["exact"] or table["settled"].all():
            return None
        errors = table[list(LIMIT_ERRORS)].to_numpy().T
        return min(MOST_RESAMPLES, resamples_to_settle(size, table["std_error"], errors))

    def _warn(
        self, table: pd.DataFrame, interval: str | None = None, alternative: str | None = None
    ) -> pd.DataFrame:
        """The table, after the warnings it deserves."""
        changed = {"interval": interval, "alternative": alternative}
        info = self.info.but(**{k: v for k, v in changed.items() if v is not None})
        give_warnings(table, self._keys(), info)
        return table

    @checked
    def bands(
        self,
        *,
        by: str | Sequence[str] | None = None,
        conf_level: float | None = None,
        alternative: Alternative | None = None,
    ) -> pd.DataFrame:
        """Simultaneous intervals: all of a family hold together with the level given (max-T).

        Parameters
        ----------
        by : str or sequence of str, optional
            Columns whose level combinations are separate families; None makes one family of all rows.
        conf_level, alternative
            As in :func:`bootstrap`.

        Returns
        -------
        pandas.DataFrame
            Like :meth:`tidy`, with ``critical`` (the multiple of the standard error).

        Notes
        -----
        ``estimate -+ c std_error`` with c the quantile of ``max_j |t*_j|`` over the family, t* studentised
        where the replicates have standard errors (Westfall and Young 1993).
        """
        _, conf_level, alternative, rule = self._settings("t", conf_level, alternative, None)
        columns = [by] if isinstance(by, str) else list(by or [])
        keys = self._keys()
        unknown = [c for c in columns if c not in keys]
        if unknown:
            raise InputError("by", unknown[0], f"columns among {keys}")
        family = np.zeros(len(self.table), dtype=np.intp)
        if columns:
            family = np.asarray(self.table.groupby(columns, sort=False).ngroup(), dtype=np.intp)
        weights = self.replicate_weights
        largest = running_max(self._tiles(), family, len(weights), alternative)
        uniform = bool((weights == weights[0]).all()) and not self.info["exact"]
        c, error = critical_values(largest, None if uniform else weights, conf_level, rule)
        out = self.table.copy()
        half = c[family] * out["std_error"]
        out["conf_low"] = out["estimate"] - half if alternative != "less" else -np.inf
        out["conf_high"] = out["estimate"] + half if alternative != "greater" else np.inf
        side = (error[family] * out["std_error"]).to_numpy()
        errors = np.stack([side, side])
        errors[~np.isfinite(out[["conf_low", "conf_high"]].to_numpy().T)] = 0.0
        return self._warn(
            out.assign(
                conf_level=float(conf_level),
                method=f"max-t ({self.info['plan']})",
                **error_columns(out["std_error"].to_numpy(), errors),
                critical=c[family],
            ),
            "max-t",
        )

    @verb
    def ceilings(self, *, interval: Interval | None = None) -> BootstrapResult:
        """Noise ceilings, lower and upper, from the same resamples.

        Parameters
        ----------
        interval : str, optional
            As in :func:`bootstrap`; that of the scores by default.

        Returns
        -------
        BootstrapResult
            One row per ROI and bound.

        Raises
        ------
        InputError
            If the result was not made from RDMs or patterns with ``ceiling=True``.
        """
        rois = self._ceiling_rois()
        keys = pd.DataFrame({"roi": np.repeat(rois, 2), "bound": ["lower", "upper"] * len(rois)})
        info = {
            "ceiling_rois": None,
            "method": "bootstrap of noise ceilings",
            "estimand": "noise ceiling",
        }
        draft = self._other(keys, info, interval, self._prefixed("ceiling_"))
        notes = give_warnings(draft.table, draft._keys(), draft.info)
        return replace(draft, notes=notes)

    @verb
    def below_ceiling(self, *, interval: Interval | None = None) -> BootstrapResult:
        """Scores minus the lower noise ceiling, from the same resamples.

        Parameters
        ----------
        interval : str, optional
            As in :func:`bootstrap`; that of the scores by default, but t in place of studentized where
            stimuli are drawn.

        Returns
        -------
        BootstrapResult
            A row per row of the scores, with ``p_below``: one-sided t test that the score is below the
            ceiling, score and ceiling varying together. A model above it has a p-value near 1.

        Raises
        ------
        InputError
            If the result was not made from RDMs with ``ceiling=True``.
        """
        rois = self._ceiling_rois()
        arrays = self._prefixed("gap_")
        if "values" in self.arrays:
            lower = np.tile(self.arrays["ceiling_values"][:, ::2], len(self.table) // len(rois))
            arrays |= {"values": self.arrays["values"] - lower}
        elif interval is None and self.info["interval"] == "studentized":
            interval = "t"
        info = {
            "ceiling_rois": None,
            "estimand": "score minus the lower noise ceiling",
            "method": f"{self.info.method}, minus the lower noise ceiling",
            "null": "the score is not below the lower noise ceiling (one-sided t test)",
        }
        draft = self._other(self.table[self._keys()], info, interval, arrays)
        df = np.asarray(draft._kept().df)
        with np.errstate(invalid="ignore", divide="ignore"):
            p = stdtr(df, draft.table["estimate"] / draft.table["std_error"])
        notes = give_warnings(draft.table, draft._keys(), draft.info)
        return replace(draft, table=draft.table.assign(p_below=p), notes=notes)

    def _ceiling_rois(self) -> list[str]:
        """ROIs that have ceilings."""
        rois = self.info.get("ceiling_rois")
        if not rois:
            raise InputError("result", self.kind, "a bootstrap of RDMs made with ceiling=True")
        return list(rois)

    def _prefixed(self, prefix: str) -> dict[str, np.ndarray]:
        """Arrays under names without their prefix, and the resamples."""
        arrays = {k.removeprefix(prefix): v for k, v in self.arrays.items() if k.startswith(prefix)}
        return arrays | {k: v for k, v in self.arrays.items() if k == "counts"}

    def _other(
        self,
        keys: pd.DataFrame,
        changes: dict[str, Any],
        interval: str | None,
        arrays: dict[str, np.ndarray],
    ) -> BootstrapResult:
        """Result of other estimates from the same resamples."""
        info = self.info.but(**changes)
        info = info if interval is None else info.but(interval=interval)
        draft = BootstrapResult(keys, info, self.provenance, arrays)
        return replace(draft, table=draft._table())

    # ------------------------------------------------------------------ how it is done
    def _settings(
        self,
        interval: str | None,
        conf_level: float | None,
        alternative: str | None,
        rule: str | None,
    ) -> tuple[Any, float, Any, Any]:
        """Arguments with those of the result filled in, checked."""
        interval = self.info["interval"] if interval is None else interval
        conf_level = self.info["conf_level"] if conf_level is None else conf_level
        alternative = self.info["alternative"] if alternative is None else alternative
        rule = self.info["quantile_rule"] if rule is None else rule
        check_interval("t" if interval == "fieller" else interval, conf_level, alternative)
        check_rule(rule)
        return interval, conf_level, alternative, rule

    def _summary(
        self, interval: Interval, conf_level: float, alternative: Alternative, rule: QuantileRule
    ) -> MeanSummary:
        """Estimates and limits by whichever way the result was made."""
        if interval == "fieller":
            return self._fieller(conf_level, alternative)
        options: dict[str, Any] = {
            "conf_level": conf_level,
            "alternative": alternative,
            "quantile_rule": rule,
        }
        source = self._source
        if source == "means":
            return summarise_means(self.arrays["values"], self._plan(), [interval], **options)
        if source == "reselected":
            guide = self.arrays.get("guide")
            return summarise_reselected(
                self.arrays["options"], guide, self._plan(), [interval], **options
            )
        kept = self._kept()
        transform = self.info.get("transform")
        limits = summarise_kept(kept, [interval], transform=transform, **options)
        return MeanSummary(kept.estimate, self._std_error(kept), self._sizes(kept), limits)

    def _std_error(self, kept: Kept) -> np.ndarray:
        """Standard error of the estimates; that of the replicates where there is no other."""
        if kept.std_error is not None:
            return kept.std_error
        return moments(kept.values.T, kept.weights, axis=-1)[2]

    def _sizes(self, kept: Kept) -> np.ndarray:
        """Subjects behind every estimate."""
        size = np.full(len(kept.estimate), self.info["n_subject"])
        return np.asarray(self.arrays.get("n_subject", size))

    def _fieller(self, conf_level: float, alternative: Alternative) -> MeanSummary:
        """Fieller's interval of a ratio of means."""
        if "numerator" not in self.arrays:
            raise InputError("interval", "fieller", "this interval for a ratio of means only")
        kept = self._kept()
        low, high = fieller(
            self.arrays["numerator"],
            self.arrays["denominator"],
            conf_level=conf_level,
            alternative=alternative,
        )
        limits = {"fieller": np.stack([low, high, np.zeros_like(low), np.zeros_like(low)])}
        return MeanSummary(kept.estimate, self._std_error(kept), self._sizes(kept), limits)
