"""The result of ``lmm``: coefficients as its table, everything else by methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from apastats import arguments
from apastats.arguments import array, checked, choice, instance, whole
from apastats.errors import DesignError, InputError, SingularFitWarning, warn
from apastats.mixed.engine import intervals, predictions, summaries, terms
from apastats.mixed.engine.core import Fitted, refit_design
from apastats.mixed.engine.design import transform_outcome
from apastats.mixed.engine.grid import reference_grid
from apastats.mixed.engine.statsmodels_engine import StatsmodelsFit
from apastats.mixed.influence import InfluenceResult, influence_of
from apastats.recording import verb
from apastats.results import Result
from apastats.seeds import RngLike, block_generator, seed_sequence
from apastats.words import Drawn, Held, Info, Outcome, levels_of

__all__ = ["LmmResult", "describe_fit", "level_of"]


def level_of(info: Info, conf_level: Any) -> float:
    """A confidence level that was given, else that of a result."""
    return float(
        info["conf_level"] if conf_level is None else arguments.level("conf_level", conf_level)
    )


@dataclass(frozen=True, eq=False, repr=False)
class LmmResult(Result):
    """A fitted linear mixed model.

    ``table`` holds the fixed coefficients (``term, estimate, std_error, statistic, df, p_value, conf_low,
    conf_high, conf_level, method``); ``arrays`` the vectors ``variance, share, std_dev, correlation`` (in the
    order of ``info["components"]``), ``fitted``, ``residual`` (over its SD), ``vcov``.

    Attributes
    ----------
    model : Fitted, StatsmodelsFit or None
        The fit itself; None after loading from disk, where tables alone are kept.
    """

    model: Fitted | StatsmodelsFit | None = None

    kind: ClassVar[str] = "lmm"

    def _core(self, what: str) -> Fitted:
        if self.model is None:
            raise DesignError(
                f"{what} needs the fit itself; a result read from disk holds its tables only. Fit again."
            )
        if isinstance(self.model, StatsmodelsFit):
            raise InputError(
                "engine", "statsmodels", "'profile' or 'closed_form'", hint=f"{what} needs it."
            )
        return self.model

    def variance_components(self) -> pd.DataFrame:
        """Variances, covariances and residual variance.

        Returns
        -------
        pandas.DataFrame
            ``group, effect, effect_2, variance, std_dev, correlation, share``; ``share`` is the part of the
            variance of a row.
        """
        if self.model is None:
            self._core("variance_components")
        return summaries.variance_table(self.model)  # type: ignore[arg-type]

    @checked
    def random_effects(
        self, *, conf_level: float = 0.95, include_fixed: bool = False
    ) -> pd.DataFrame:
        """Best linear unbiased predictions of the random effects, with standard errors.

        Parameters
        ----------
        conf_level : float
            Level of the intervals (normal).
        include_fixed : bool
            Whether standard errors carry the uncertainty of the fixed coefficients; False gives the
            conditional SD given coefficients and variances.

        Returns
        -------
        pandas.DataFrame
            ``group, effect, level, estimate, std_error, conf_low, conf_high, conf_level``.
        """
        level = arguments.level("conf_level", conf_level)
        return summaries.effects_table(
            self._core("random_effects"), conf_level=level, include_fixed=include_fixed
        )

    @checked
    def conf_int(
        self,
        method: str = "wald",
        *,
        conf_level: float = 0.95,
        n_resamples: int = 1000,
        rng: RngLike = None,
        n_jobs: int = 1,
    ) -> pd.DataFrame:
        """Intervals of coefficients, and of SDs and correlations where the method has them.

        Parameters
        ----------
        method : {"wald", "profile", "bootstrap"}
            Wald: coefficients, with the degrees of freedom of the fit. Profile likelihood: all parameters,
            by ML. Bootstrap: simulation from the fit, bootstrap-t for coefficients, percentiles for the others.
        conf_level : float
        n_resamples, rng, n_jobs
            For the bootstrap; the numbers do not depend on ``n_jobs``.

        Returns
        -------
        pandas.DataFrame
            ``term, estimate, conf_low, conf_high, conf_level, method``, for the bootstrap also Monte-Carlo
            errors of the ends; SDs are named ``sd <effect> | <group>``.

        Raises
        ------
        InputError
            For an unknown method, a level outside 0..1, or fewer than 40 resamples.
        """
        level = arguments.level("conf_level", conf_level)
        if method == "wald":
            if self.model is None:
                self._core("conf_int")
            inference = self.model.inference(self.info["df_method"])  # type: ignore[union-attr]
            eye = np.eye(len(inference.beta))
            table = summaries.coefficient_table(
                list(self.table["term"]),
                inference.beta,
                inference.std_errors(eye),
                inference.dfs(eye),
                level,
            )
            kept = table[["term", "estimate", "conf_low", "conf_high", "conf_level"]]
            return kept.assign(method=f"Wald, df: {self.info['df_method']}")
        if method == "profile":
            return intervals.profile_intervals(self._core("conf_int"), level)
        choice("method", method, ("wald", "profile", "bootstrap"))
        whole("n_resamples", n_resamples, least=40)
        table, _, _ = intervals.bootstrap_intervals(
            self._core("conf_int"), level, int(n_resamples), rng, n_jobs
        )
        return table

    @checked
    def anova(self, *others: LmmResult, type: int = 3, df: str | None = None) -> pd.DataFrame:
        """F tests of the fixed terms, or likelihood-ratio tests against other models.

        Parameters
        ----------
        *others : LmmResult
            Other fits of the same rows: all are put in the order of their parameters, and each is tested against the
            one before, as in :meth:`likelihood_ratio`.
        type : {1, 2, 3}
            Hypotheses: a term given those before it (1), given all that do not contain it (2), or averaged with
            equal weights over what contains it (3).
        df : {"satterthwaite", "kenward-roger", "z"}, optional
            Denominator degrees of freedom; those of the fit where None.

        Returns
        -------
        pandas.DataFrame
            ``term, num_df, den_df, statistic, p_value``; with other models the columns of :meth:`likelihood_ratio`.
            A preset with ``by`` has rows for it and its interaction too.

        Raises
        ------
        InputError
            For another type.
        DesignError
            If models are not nested.
        """
        core = self._core("anova")
        if others:
            return self.likelihood_ratio(*others)
        inference = core.inference(df or self.info["df_method"])
        table = terms.fixed_term_tests(core.design, inference, type)
        by = self.info.get("crossed_by")
        if by is None or by in core.design.fixed.factors:
            return table
        grid = reference_grid(core.design, ["model", by])
        rows = [
            (name, terms.joint_rows(grid, chosen))
            for name, chosen in ((by, [by]), (f"model:{by}", ["model", by]))
        ]
        return pd.concat([table, terms.f_table(inference, rows)], ignore_index=True)

    @checked
    def joint_test(self, contrasts: ArrayLike, *, df: str | None = None) -> pd.DataFrame:
        """F test that several combinations of coefficients are zero together.

        Parameters
        ----------
        contrasts : array_like
            ``[m, p]``, one row per combination, columns in the order of the table.
        df : str, optional
            As in :meth:`anova`.

        Returns
        -------
        pandas.DataFrame
            One row: ``num_df, den_df, statistic, p_value``.
        """
        core = self._core("joint_test")
        L = np.atleast_2d(array("contrasts", contrasts, missing=False))
        if L.ndim != 2 or L.shape[1] != len(core.beta):
            raise InputError(
                "contrasts", f"shape {L.shape}", f"{len(core.beta)} columns, one per coefficient"
            )
        test = core.inference(df or self.info["df_method"]).f_test(L)
        return pd.DataFrame(
            [
                {
                    "num_df": test.num_df,
                    "den_df": test.den_df,
                    "statistic": test.statistic,
                    "p_value": test.p_value,
                }
            ]
        )

    def ranova(self) -> pd.DataFrame:
        """Likelihood-ratio tests that drop one random effect at a time.

        Returns
        -------
        pandas.DataFrame
            ``dropped, n_parameter, loglik, aic, statistic, df, p_value``. A variance of 0 lies on the
            boundary, so the p-values are too large (about twice for one variance).
        """
        return terms.random_term_tests(self._core("ranova"))

    @checked
    def likelihood_ratio(self, *others: LmmResult) -> pd.DataFrame:
        """Likelihood-ratio test against nested models (refitted by ML where the fixed parts differ).

        Returns
        -------
        pandas.DataFrame
            One row per model, the smallest first, each tested against the one before: ``formula, likelihood,
            n_parameter, loglik, aic, bic, statistic, df, p_value``.

        Raises
        ------
        InputError
            For what is no fit, or a fit of other rows.
        DesignError
            If a smaller model is no special case of a larger one, in its fixed or its random part.
        """
        for other in others:
            instance("other", other, LmmResult, "a result of lmm")
        if not others:
            raise InputError("other", None, "one result of lmm or more")
        return terms.likelihood_ratio(*(f._core("likelihood_ratio") for f in (self, *others)))

    @checked
    def icc(self, *, slopes: bool = True) -> pd.DataFrame:
        """Intraclass correlations: ``group, icc`` (adjusted, unadjusted, and one row per grouping).

        Adjusted: variance of the random part over random plus residual. Unadjusted: the variance of the fixed
        part counts below the line too. Per grouping: its intercept variance over random plus residual.
        ``slopes=False`` counts the variances of intercepts alone as the random part.
        """
        return summaries.intraclass(self._core("icc"), slopes=slopes)

    @checked
    def r2(self, *, slopes: bool = True) -> dict[str, float]:
        """Marginal and conditional R2 (Nakagawa and Schielzeth 2013; slopes by Johnson 2014).

        ``slopes=False`` counts the variances of intercepts alone as the random part.
        """
        return summaries.r_squared(self._core("r2"), slopes=slopes)

    def fitted(self) -> np.ndarray:
        """Fitted values with random effects ``[n]``, on the scale of the model."""
        core = self._core("fitted")
        return core.fitted_values + (0.0 if core.design.offset is None else core.design.offset)

    @checked
    def residuals(self, *, standardised: bool = False) -> np.ndarray:
        """Outcome minus fitted values ``[n]``, or over the residual SD of the row."""
        core = self._core("residuals")
        if standardised:
            return summaries.standardised_residuals(core)
        return np.asarray(core.design.y - core.fitted_values)

    @checked
    def predict(
        self,
        data: pd.DataFrame | None = None,
        *,
        random: bool = False,
        new_levels: str = "error",
        interval: str | None = None,
        conf_level: float | None = None,
    ) -> np.ndarray | pd.DataFrame:
        """Predictions of new rows (or of the rows used), on the scale of the model.

        Parameters
        ----------
        data : pandas.DataFrame, optional
            New rows; the rows used where None.
        random : bool
            Whether the predicted effects of the levels are added; False predicts the population, Xb.
        new_levels : {"error", "zero"}
            With ``random``: what to do about levels the fit has not seen; their expected effect is 0, and intervals
            carry its variance.
        interval : {"confidence", "prediction"}, optional
            Interval of the mean (of the population; with ``random`` that of these levels, around their effects), or of
            a new outcome (of levels drawn anew; with ``random`` of these levels).
        conf_level : float, optional
            Level of the interval; that of the fit where None.

        Returns
        -------
        numpy.ndarray or pandas.DataFrame
            ``[n]``; with an interval ``estimate, std_error, df, conf_low, conf_high, conf_level``. NaN where an empty
            combination of levels leaves the value undetermined.

        Raises
        ------
        InputError
            For a column that is missing, a level the fit has not seen, or options that do not go together.

        Notes
        -----
        Standard errors of random effects from Henderson's mixed-model equations (1975, Biometrics 31, 423), degrees of
        freedom by Satterthwaite's method for the whole variance of the error; that the variances are estimates is no
        part of the standard error.
        """
        core = self._core("predict")
        if interval is not None:
            choice("interval", interval, ("confidence", "prediction"))
        choice("new_levels", new_levels, ("error", "zero"))
        rows = core.design.frame if data is None else data
        L, offset = predictions.fixed_rows(core.design, rows)
        mean = L @ core.beta + offset
        target = None
        if random or interval == "prediction":
            target = predictions.target_rows(
                core, rows, L, known=random, new_levels=new_levels if random else "zero"
            )
        if random and target is not None:
            mean = mean + predictions.random_part(core, target)
        if interval is None:
            return np.asarray(mean)
        level = level_of(self.info, conf_level)
        method = str(self.info["df_method"])
        if target is None:
            inference = core.inference(method)
            se, df = inference.std_errors(L), inference.dfs(L)
        else:
            groups = predictions.residual_groups(core, rows) if interval == "prediction" else None
            se, df = predictions.row_intervals(core, target, groups, df=method)
        table = summaries.coefficient_table([""] * len(mean), mean, se, df, level)
        return table[["estimate", "std_error", "df", "conf_low", "conf_high", "conf_level"]]

    @verb
    def influence(self, group: str = "subject", *, of: Any = None) -> InfluenceResult:
        """Fits without each level of a column in turn (leave one subject out).

        Parameters
        ----------
        group : str
            Column of the data, such as ``subject``.
        of : EmmeansResult or ContrastResult, optional
            Means or contrasts of this fit to follow; its coefficients where None.

        Returns
        -------
        InfluenceResult
            One row per level and term: estimate and interval without the level, ``change`` (all rows minus without),
            ``dfbetas`` (in standard errors of the full fit), ``cooks_distance`` (of the level, over all coefficients).

        Raises
        ------
        InputError
            For an unknown column, or means of another fit.
        DesignError
            If there are fewer than three levels, or a fit without one cannot be made.
        """
        return influence_of(
            self._core("influence"), group, of, info=self.info, provenance=self.provenance, notes=self.notes
        )  # fmt: skip

    def diagnostics(self) -> pd.DataFrame:
        """Numbers to look at before believing the fit: ``item, value, detail``."""
        return summaries.diagnostics_table(self._core("diagnostics"))

    @checked
    def simulate(self, n: int = 1, *, rng: RngLike = None) -> np.ndarray:
        """Outcomes ``[n, rows]`` drawn from the fitted model, on its scale."""
        whole("n", n, least=1, most=10**6)
        generator = block_generator(seed_sequence(rng), 0)
        core = self._core("simulate")
        known = 0.0 if core.design.offset is None else core.design.offset
        return intervals.simulate_outcomes(core, n, generator) + known

    @verb
    def refit(self, outcome: ArrayLike, *, transformed: bool = True) -> LmmResult:
        """Fit the same design to another outcome; nothing but one column is made anew.

        Parameters
        ----------
        outcome : array_like
            ``[n]``, one value per row used.
        transformed : bool
            True where the values are on the scale of the model already (as :meth:`simulate` gives them);
            False applies the transformation of the formula.
        """
        core = self._core("refit")
        y = array("outcome", outcome, missing=False)
        if y.shape != (core.design.n,):
            raise InputError("outcome", f"shape {y.shape}", f"{core.design.n} finite numbers")
        if not transformed:
            formula = core.design.formula
            y = transform_outcome(y, formula.transform, formula.outcome)
        if core.design.offset is not None:
            y = y - core.design.offset
        return describe_fit(
            refit_design(core, y), self.info["df_method"], self.info["conf_level"], self.info.outcome,
            self.provenance,
        )  # fmt: skip


_DF_TEXT = {
    "satterthwaite": "t tests with Satterthwaite degrees of freedom",
    "kenward-roger": "t tests with Kenward-Roger covariance and degrees of freedom",
    "z": "normal tests without degrees of freedom, too liberal for few subjects",
}


def describe_fit(
    fitted: Fitted | StatsmodelsFit,
    df: str,
    conf_level: float,
    outcome: Outcome | None,
    provenance: Any,
    notes: Sequence[str] = (),
) -> LmmResult:
    """Result of a fit: table, words, notes, warnings."""
    design = fitted.design
    inference = fitted.inference(df)
    eye = np.eye(len(inference.beta))
    table = summaries.coefficient_table(
        list(design.fixed.names),
        inference.beta,
        inference.std_errors(eye),
        inference.dfs(eye),
        conf_level,
    )
    kind = "REML" if fitted.reml else "ML"
    table["method"] = f"{kind}, {df}"
    found = [*design.notes, *notes]
    if fitted.singular:
        text = (
            f"singular fit: the (co)variance of {', '.join(fitted.singular)} is estimated on the boundary "
            f"(a variance of 0 or a correlation of 1). The estimates stand; a simpler random part may say the same."
        )
        warn(text, SingularFitWarning)
        found.append(text)
    components = summaries.variance_table(fitted)  # type: ignore[arg-type]
    info = _info(fitted, kind, df, conf_level, components).but(outcome=outcome)
    arrays = {
        "vcov": np.asarray(inference.vcov),
        "variance": components["variance"].to_numpy(dtype=float),
        "share": components["share"].to_numpy(dtype=float),
        "std_dev": components["std_dev"].to_numpy(dtype=float),
        "correlation": components["correlation"].to_numpy(dtype=float),
    }
    if isinstance(fitted, Fitted):
        arrays["fitted"] = fitted.fitted_values
        arrays["residual"] = summaries.standardised_residuals(fitted)
    return LmmResult(table, info, provenance, arrays, tuple(found), fitted)


def _info(
    fitted: Fitted | StatsmodelsFit, kind: str, df: str, conf_level: float, components: pd.DataFrame
) -> Info:
    design = fitted.design
    k, loglik = fitted.n_parameters, fitted.loglik
    groups = {g.name: g.n_levels for g in design.groupings}
    held = [h for v in sorted(design.fixed.factors) for h in levels_of([v])]
    held += [Held(f"values of {v}") for v in sorted(design.fixed.covariates)]
    info = Info(
        method=f"linear mixed model by {kind}; {_DF_TEXT[df]}",
        formula=design.formula.text,
        estimand="coefficient",
        statistic="z" if df == "z" else "t",
        null_value=0.0,
        alternative="two-sided",
        null="the coefficient is 0",
        resampled=Drawn(
            random=tuple(groups), sample="" if groups else "residuals are the only random part"
        ),
        held_fixed=held,
        n_subject=groups.get("subject"),
        conf_level=conf_level,
        extra={
            "n": design.n,
            "n_groups": groups,
            "likelihood": kind,
            "engine": fitted.engine,
            "df_method": df,
            "loglik": loglik,
            "aic": 2 * k - 2 * loglik,
            "aicc": summaries.corrected_aic(loglik, k, design.n),
            "bic": float(np.log(design.n)) * k - 2 * loglik,
            "n_parameter": k,
            "sigma": float(np.sqrt(fitted.unit_variances[0])),
            "singular": bool(fitted.singular),
            "components": summaries.component_names(components),
        },
    )
    if design.residual_by is not None:
        info = info.but(residual_by=design.residual_by)
    if isinstance(fitted, Fitted):
        info = info.but(
            converged="; ".join(fitted.optimum.tried),
            n_evaluation=fitted.optimum.n_evaluations,
            **summaries.r_squared(fitted),
            icc_adjusted=float(summaries.intraclass(fitted)["icc"].iloc[0]),
        )
    return info
