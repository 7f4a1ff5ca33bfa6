"""``emmeans``: marginal means of a mixed model, contrasts between them, tests with a margin, the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats import arguments
from apastats.arguments import checked, choice, number
from apastats.comparing.effect_size import EffectSizeResult
from apastats.errors import AliasedWarning, DesignError, InputError, warn
from apastats.mixed.contrasts import ContrastResult, interaction_rows, make_contrasts
from apastats.mixed.engine.best import best_table
from apastats.mixed.engine.contrast_rows import canonical_method, contrast_rows
from apastats.mixed.engine.core import Fitted
from apastats.mixed.engine.grid import Grid, reference_grid
from apastats.mixed.engine.inference import Inference
from apastats.mixed.engine.outcomes import OUTCOMES, back_transformed
from apastats.mixed.engine.standardised import SPREADS, spread_of
from apastats.mixed.engine.summaries import coefficient_table
from apastats.mixed.engine.terms import joint_rows
from apastats.mixed.lmm_result import LmmResult, level_of
from apastats.numbers.compact_letters import letters_of
from apastats.recording import verb
from apastats.results import Result
from apastats.words import Info

__all__ = ["EmmeansResult", "emmeans"]

DEFAULT_ADJUST = {
    "pairwise": "tukey",
    "revpairwise": "tukey",
    "trt.vs.ctrl": "mvt",
    "deviation": "fdr",
    "deviation_others": "fdr",
    "consecutive": "mvt",
    "mean_change": "mvt",
}


@dataclass(frozen=True, eq=False, repr=False)
class EmmeansResult(Result):
    """Marginal means, or slopes.

    ``table`` has the columns of ``by`` and ``specs`` and ``term, estimate, std_error, df, conf_low, conf_high,
    conf_level, method``; ``arrays["vcov"]`` is their covariance.
    """

    grid: Grid | None = None
    inference: Inference | None = None
    transform: str | None = None
    fitted: Fitted | None = None

    kind: ClassVar[str] = "emmeans"

    def _parts(self, what: str) -> tuple[Grid, Inference]:
        if self.grid is None or self.inference is None:
            raise DesignError(
                f"{what} needs the fit itself; a result read from disk holds its tables only"
            )
        return self.grid, self.inference

    @verb
    def contrast(
        self,
        method: str | Mapping[str, Any] = "pairwise",
        *,
        interaction: str | Sequence[str] | None = None,
        ref: str | int | None = None,
        adjust: str | None = None,
        alternative: str = "two-sided",
        conf_level: float | None = None,
        critical: float | None = None,
    ) -> ContrastResult:
        """Contrasts between the means, separately within every ``by`` combination (one family each).

        Parameters
        ----------
        method : str or mapping
            ``pairwise`` (earlier minus later), ``revpairwise``, ``trt.vs.ctrl`` (each minus ``ref``), ``deviation``
            (each minus the mean of all), ``deviation_others`` (minus the mean of the others), ``consecutive``,
            ``mean_change``, ``poly``, ``identity``, or a mapping name -> coefficients (a list, or a mapping
            label -> coefficient). R's names (``eff``, ``del.eff``, ``consec``, ``dunnett``, ...) are understood.
        interaction : str or sequence of str, optional
            Contrasts of contrasts over the factors of ``specs``: one method for all of them, or one each; takes the
            place of ``method``.
        ref : str or int, optional
            Control, by label or position; the first where None.
        adjust : str, optional
            ``tukey`` (all pairs), ``mvt`` (multivariate t, exact for Dunnett), ``dunnettx``, ``scheffe``,
            ``sidak``, or any
            adjustment of :func:`apastats.adjust_p`. Where None: tukey for pairs, mvt for a control and
            consecutive, fdr for
            deviation, none otherwise.
        alternative : {"two-sided", "greater", "less"}
        conf_level : float, optional
            Level of the intervals; that of the means where None.
        critical : float, optional
            Critical value of the intervals, to reproduce published ones (``calpha`` of multcomp); that of the
            adjustment at ``conf_level`` where None. p-values do not depend on it.

        Returns
        -------
        ContrastResult
            ``contrast, estimate, std_error, statistic, df, p_value, conf_low, conf_high, conf_level, method``.

        Raises
        ------
        InputError
            For an unknown method, control, adjustment, or coefficients that do not fit.
        """
        grid, inference = self._parts("contrast")
        described = None
        if interaction is not None:
            method, described = interaction_rows(grid, interaction), f"interaction {interaction}"
        name = adjust
        if name is None:
            kind = canonical_method(method)
            name = DEFAULT_ADJUST.get(kind, "none") if isinstance(kind, str) else "none"
        level = level_of(self.info, conf_level)
        return make_contrasts(
            self,
            grid,
            inference,
            method,
            ref=ref,
            adjust=name,
            alternative=alternative,
            conf_level=level,
            critical=critical,
            described=described,
        )

    @verb
    def pairs(self, *, adjust: str = "tukey", conf_level: float | None = None) -> ContrastResult:
        """All pairwise differences; see :meth:`contrast`."""
        return self.contrast("pairwise", adjust=adjust, conf_level=conf_level)

    @verb
    def effect_size(
        self,
        sigma: float | str = "total",
        *,
        edf: float | None = None,
        method: str | Mapping[str, Any] = "pairwise",
        ref: str | int | None = None,
        conf_level: float | None = None,
    ) -> EffectSizeResult:
        """Standardised contrasts: differences of means over a standard deviation.

        Parameters
        ----------
        sigma : {"total", "residual"} or float
            What differences are divided by: the SD of a row (random effects and residual), the residual SD, or a
            number.
        edf : float, optional
            Degrees of freedom of ``sigma``, infinite where it is known. Where None: Satterthwaite's of the variance;
            needed with a number.
        method, ref
            As in :meth:`contrast`.
        conf_level : float, optional
            Level of the intervals; that of the means where None.

        Returns
        -------
        EffectSizeResult
            ``by`` columns, ``term, estimate, std_error, df, conf_low, conf_high, conf_level, method``; the SD and its
            degrees of freedom are in ``info["sigma"]``, ``info["edf"]``.

        Raises
        ------
        InputError
            For an unknown SD, a number without ``edf``, or means that are slopes or come from disk.

        Notes
        -----
        ``d = c'm / sigma`` with variance ``c'Vc / sigma^2 + d^2 / (2 edf)`` and the t distribution with the smallest df
        of the means compared: ``eff_size`` of R's emmeans. Effects over the total SD compare with those of studies that
        had one row per subject; over the residual SD they grow with every random effect that is added.
        """
        grid, inference = self._parts("effect_size")
        if grid.trend is not None:
            raise InputError("method", method, "means: a slope has no standard deviation here")
        level = level_of(self.info, conf_level)
        size, free, said = self._spread(sigma, edf)
        found = self.contrast(method, ref=ref, adjust="none", conf_level=level)
        d = found.table["estimate"].to_numpy() / size
        se = np.sqrt((found.table["std_error"].to_numpy() / size) ** 2 + d**2 / (2 * free))
        labels, df = grid.labels(), []
        dfs = inference.dfs(grid.L)
        for members in grid.groups():
            C = contrast_rows(method, [labels[i] for i in members], ref)[1]
            df += [float(np.min(dfs[members][c != 0])) for c in C]
        table = coefficient_table(found.table["contrast"].tolist(), d, se, np.array(df), level)
        table = table.drop(columns=["statistic", "p_value"]).assign(
            method=f"difference over {said}"
        )
        for c in reversed(grid.by):
            table.insert(0, c, found.table[c].to_numpy())
        info = self.info.but(
            method=f"differences of marginal means over {said}, {size:.4g} on {free:.4g} degrees of freedom",
            estimand="standardised difference",
            alternative="two-sided",
            statistic="",
            interval="t",
            sigma=size,
            edf=free,
        )
        return EffectSizeResult(table, info, self.provenance, {}, self.notes)

    def _spread(self, sigma: Any, edf: Any) -> tuple[float, float, str]:
        """A standard deviation, its degrees of freedom, and what it is."""
        if edf is not None and not (isinstance(edf, (int, float, np.number)) and edf > 0):
            raise InputError("edf", edf, "a positive number, or None")
        if isinstance(sigma, str):
            if sigma not in SPREADS:
                raise InputError("sigma", sigma, f"one of {list(SPREADS)}, or a positive number")
            if self.fitted is None:
                raise InputError("sigma", sigma, "a number for a fit by statsmodels")
            size, free = spread_of(self.fitted, sigma)
            return size, free if edf is None else float(edf), SPREADS[sigma]
        number("sigma", sigma, above=0)
        if edf is None:
            raise InputError("edf", edf, "the degrees of freedom of sigma (math.inf: it is known)")
        return float(sigma), float(edf), "a standard deviation given"

    @checked
    def letters(self, *, alpha: float = 0.05, adjust: str = "tukey") -> pd.DataFrame:
        """Means with letters: those that share one were not shown to differ (which does not make them equal).

        Parameters
        ----------
        alpha : float
            Level of the pairwise tests.
        adjust : str
            Their adjustment.

        Returns
        -------
        pandas.DataFrame
            The table of means with a column ``letters`` (empty where a mean is not estimable), sorted from the largest
            mean within ``by``.
        """
        grid, _ = self._parts("letters")
        arguments.level("alpha", alpha)
        p = self.pairs(adjust=adjust).table["p_value"].to_numpy()
        out, used = [], 0
        for members in grid.groups():
            k = len(members)
            i, j = np.triu_indices(k, 1)
            different = np.zeros((k, k), dtype=bool)
            different[i, j] = different[j, i] = p[used : used + len(i)] <= alpha
            used += len(i)
            rows = self.table.iloc[members]
            order = np.argsort(-rows["estimate"].to_numpy(), kind="stable")
            # nothing is shown, nor could be, of a mean that is not estimable: it has no letter
            known = order[np.isfinite(rows["estimate"].to_numpy()[order])]
            found = letters_of(different[np.ix_(known, known)]) if len(known) else []
            found = [*found, *[""] * (k - len(known))]
            out.append(rows.iloc[order].assign(letters=found))
        return pd.concat(out, ignore_index=True)

    @checked
    def joint_tests(self, *, combine: str = "moments") -> pd.DataFrame:
        """F tests of main effects and interactions of ``specs``, within every ``by`` combination.

        Parameters
        ----------
        combine : {"moments", "smallest"}
            Denominator df: by the moments of F (Fai and Cornelius; Kenward and Roger), or the smallest df
            of the single contrasts
            (what R's emmeans does).

        Returns
        -------
        pandas.DataFrame
            ``by`` columns, ``term, num_df, den_df, statistic, p_value``.
        """
        grid, inference = self._parts("joint_tests")
        choice("combine", combine, ("moments", "smallest"))
        if np.ptp(grid.shift) > 0:
            raise InputError(
                "specs",
                list(grid.specs),
                "means at one value of the offset; contrasts compare several",
            )
        names = grid.specs
        rows = []
        for members in grid.groups():
            frame = grid.rows.iloc[members]
            head = {c: frame[c].iloc[0] for c in grid.by}
            for code in range(1, 2 ** len(names)):
                chosen = [n for b, n in enumerate(names) if code >> b & 1]
                test = inference.f_test(joint_rows(grid, chosen, members), combine=combine)
                rows.append(
                    {
                        **head,
                        "term": ":".join(chosen),
                        "num_df": test.num_df,
                        "den_df": test.den_df,
                        "statistic": test.statistic,
                        "p_value": test.p_value,
                        "order": len(chosen),
                    }
                )
        table = pd.DataFrame(rows).sort_values([*grid.by, "order"], kind="stable")
        return table.drop(columns="order").reset_index(drop=True)

    @checked
    def compare_best(
        self, *, conf_level: float | None = None, larger_is_better: bool = True
    ) -> pd.DataFrame:
        """Hsu's comparison with the best: every mean minus the best of the others, intervals constrained to contain 0.

        Parameters
        ----------
        conf_level : float, optional
            Simultaneous level; that of the means where None.
        larger_is_better : bool

        Returns
        -------
        pandas.DataFrame
            ``by`` columns, ``term, estimate, minus_best, conf_low, conf_high, can_be_best, critical,
            conf_level``. A mean whose
            upper end is 0 is not the best; one whose lower end is 0 is the best. Means that are not estimable are NaN
            and compared with nothing.
        """
        grid, inference = self._parts("compare_best")
        level = level_of(self.info, conf_level)
        out = []
        for members in grid.groups():
            found = best_table(
                inference, grid.L[members], grid.shift[members], level, larger_is_better
            )
            found.insert(0, "term", [grid.labels()[i] for i in members])
            for c in reversed(grid.by):
                found.insert(0, c, grid.rows[c].iloc[members].to_numpy())
            out.append(found)
        return pd.concat(out, ignore_index=True)

    def response(self) -> pd.DataFrame:
        """Means on the scale of the outcome where the formula transformed it (ends mapped, delta method)."""
        table = self.table.copy()
        if self.transform is None or self.info["trend"] is not None:
            return table
        return back_transformed(table, OUTCOMES[self.transform])


@verb
def emmeans(
    fit: LmmResult,
    specs: str | list[str],
    *,
    by: str | list[str] | None = None,
    at: Mapping[str, Any] | None = None,
    trend: str | None = None,
    weights: str = "equal",
    df: str | None = None,
    conf_level: float | None = None,
) -> EmmeansResult:
    """Estimated marginal means of a mixed model.

    Parameters
    ----------
    fit : LmmResult
    specs : str or list of str
        Variables whose level combinations get a mean (``"model"``, ``"model:stream"``): of the fixed part, or
        columns that are constant within the levels of a factor of it (a stream of ROIs, whose mean is that of its
        ROIs).
    by : str or list of str, optional
        Variables within whose levels means are compared.
    at : mapping, optional
        Values of covariates (or a selection of levels); covariates are at their mean otherwise, those of two values
        (0 and 1) in ``specs`` or ``by`` at both.
    trend : str, optional
        Covariate: give its slope instead of the mean; ``"log(x)"``: the slope over log x, x times that over x.
    weights : {"equal", "proportional", "outer", "cells", "flat"}
        How the levels of other factors are averaged: equally; by the rows of their combinations; by the rows of
        every level; by the rows of every cell (the mean of predictions of the rows); equally over cells with rows.
    df : {"satterthwaite", "kenward-roger", "z"}, optional
        Degrees of freedom; those of the fit where None.
    conf_level : float, optional
        Level of the intervals; that of the fit where None.

    Returns
    -------
    EmmeansResult
        Means as its table; ``contrast, pairs, letters, joint_tests, compare_best`` as methods, and
        ``.contrast(...).test(bounds=...)``
        for margins.

        Columns: ``model`` (model, or what is compared), ``term`` (what the row is of), ``estimate`` (what is
        estimated, from the data themselves), ``std_error`` (standard error), ``df`` (degrees of freedom),
        ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit of the interval),
        ``conf_level`` (level of the interval), ``method`` (how the interval or test was made).

    Raises
    ------
    InputError
        For a variable that is not in the fixed part.

    Warns
    -----
    AliasedWarning
        If a mean depends on an empty combination of levels; it is NaN.

    See Also
    --------
    lmm, compare, compact_letters

    Notes
    -----
    Means of the fitted values over a grid of all level combinations (Searle, Speed and Milliken 1980, Am. Statist.
    34, 216).

    References
    ----------
    .. [1] Searle, S. R., Speed, F. M., & Milliken, G. A. (1980). Population marginal means in the linear
       model: An alternative to least squares means. The American Statistician, 34(4), 216–221.
       https://doi.org/10.1080/00031305.1980.10483031

    Examples
    --------
    >>> import numpy as np, pandas as pd, apastats as apa
    >>> rng = np.random.default_rng(1)
    >>> d = pd.MultiIndex.from_product(
    ...     [["a", "b", "c"], range(8)], names=["model", "subject"]
    ... ).to_frame(index=False)
    >>> d["score"] = (
    ...     (d["model"] == "b") * 0.5 + rng.normal(size=8)[d["subject"]] + rng.normal(size=24) * 0.1
    ... )
    >>> fit = apa.lmm("score ~ model + (1 | subject)", d)
    >>> emmeans(fit, "model").contrast("trt.vs.ctrl", ref="a").test(bounds=0.3).tidy()[
    ...     "decision"
    ... ].tolist()
    ['different', 'equivalent']
    """
    if fit.model is None:
        raise DesignError(
            "emmeans needs the fit itself; a result read from disk holds its tables only. Fit again."
        )
    level = level_of(fit.info, conf_level)
    method = df or str(fit.info["df_method"])
    inference = fit.model.inference(method)
    for name in [specs] if isinstance(specs, str) else specs:
        if "~" in name:
            hint = "R's '~ a | b' is specs='a', by='b' here, 'pairwise ~ a' is emmeans(fit, 'a').pairs()."
            raise InputError("specs", name, "names of variables", hint=hint)
    grid = reference_grid(fit.model.design, specs, by=by, at=at, trend=trend, weights=weights)
    notes = _say_not_estimable(grid)
    table = coefficient_table(
        grid.labels(),
        inference.estimates(grid.L) + grid.shift,
        inference.std_errors(grid.L),
        inference.dfs(grid.L),
        level,
    )
    table = table.drop(columns=["statistic", "p_value"]).assign(
        method=f"{fit.info['likelihood']}, {method}"
    )
    for position, c in enumerate(grid.rows.columns):
        table.insert(position, c, grid.rows[c].to_numpy())
    what = f"slopes over {trend}" if trend else "marginal means"
    held = grid.held or "every variable of the fixed part is shown"
    info = Info(
        estimand="marginal mean",
        method=f"estimated {what} of a linear mixed model; {held}",
        formula=fit.info["formula"],
        outcome=fit.info.outcome,
        by=list(grid.by),
        resampled=fit.info.resampled,
        held_fixed=fit.info.held_fixed,
        n_subject=fit.info.n_subject,
        conf_level=level,
        extra={
            "specs": list(grid.specs),
            "trend": trend,
            "df_method": method,
            "averaging": weights,
            "held": grid.held or None,
        },
    )
    if (transform := fit.model.design.formula.transform) is not None:
        info = info.but(transform=transform)
    vcov = grid.L @ inference.vcov @ grid.L.T
    return EmmeansResult(
        table,
        info,
        fit.provenance,
        {"vcov": vcov},
        (*fit.notes, *notes),
        grid,
        inference,
        transform,
        fit.model if isinstance(fit.model, Fitted) else None,
    )


def _say_not_estimable(grid: Grid) -> tuple[str, ...]:
    """Warn of means that the data do not determine."""
    missing = np.isnan(grid.L).any(axis=1)
    if not missing.any():
        return ()
    rows = grid.rows[missing.tolist()].astype(str).agg(" / ".join, axis=1).tolist()
    text = f"no value for {', '.join(rows)}: the data have no rows that determine it"
    warn(text, AliasedWarning)
    return (text,)
