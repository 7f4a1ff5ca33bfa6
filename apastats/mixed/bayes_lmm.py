"""The result of ``bayes_lmm`` and the verb itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats import arguments
from apastats.arguments import checked, choice, instance, number
from apastats.comparing.margin import as_margin
from apastats.errors import (
    AssumptionWarning,
    ConvergenceWarning,
    DesignError,
    InputError,
    MarginError,
    warn,
)
from apastats.mixed.bayes.bayes_model import BayesModel
from apastats.mixed.bayes.checks import (
    loo as leave_one_out,
)
from apastats.mixed.bayes.checks import (
    loo_of,
    posterior_outcomes,
    predictive_table,
    prior_outcomes,
    sensitivity,
)
from apastats.mixed.bayes.engine import (
    Draws,
    build_bayes_model,
    compile_sampler,
    quiet,
    read_draws,
    sample,
)
from apastats.mixed.bayes.summary import (
    ESS_MIN,
    RHAT_MAX,
    posterior_ranks,
    posterior_table,
    rope_columns,
)
from apastats.mixed.bayes.trees import design_of, frame_arrays, row_arrays, tree_of, with_rows
from apastats.mixed.engine.contrast_rows import contrast_rows
from apastats.mixed.engine.design import Design, build_design
from apastats.mixed.engine.formula import parse_mixed_formula
from apastats.mixed.engine.grid import Grid, reference_grid
from apastats.mixed.lmm import model_rows
from apastats.mixed.lmm_result import level_of
from apastats.printable import counted
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.seeds import RngLike, recorded_seed, seed_sequence
from apastats.table import Kinds, ScoreTable, outcome_in
from apastats.words import Drawn, Info, levels_of

__all__ = ["BayesLmmResult", "bayes_lmm"]


@dataclass(frozen=True, eq=False, repr=False)
class BayesLmmResult(Result):
    """A Bayesian mixed model.

    ``table`` has one row per coefficient and standard deviation: ``term, estimate`` (posterior mean), ``std_error``
    (posterior SD), ``conf_low, conf_high`` (highest-density interval), ``conf_level, r_hat, ess_bulk, ess_tail, mcse,
    passed``. ``arrays["coefficients"]`` holds the draws ``[chain, draw, p]``.

    Attributes
    ----------
    tree : xarray.DataTree or None
        All draws, with the groups ``log_likelihood``, ``posterior_predictive`` and ``observed_data`` (variable
        ``outcome``), so that arviz works on it: ``arviz_stats.loo(fit.tree)``, ``arviz.plot_ppc(fit.tree)``;
        ``arviz.InferenceData.from_datatree(fit.tree)`` is what ``loo`` of an arviz before 1.0 takes. They are left out
        beyond 40 million numbers each. After loading from disk the posterior has ``coefficients`` and ``scales`` alone;
        ``means``, ``contrast``, ``ranks``, ``loo`` and ``compare`` work on a loaded result, ``prior_sensitivity`` and
        the prior predictive check need the fit.
    """

    tree: Any = None
    built: BayesModel | None = None
    design: Design | None = None
    draws: Draws | None = None
    report_failed: bool = False

    kind: ClassVar[str] = "bayes_lmm"

    def __post_init__(self) -> None:
        super().__post_init__()
        # what was saved is enough for arviz's checks of a fit
        if self.tree is None:
            object.__setattr__(self, "tree", tree_of(self.arrays))
        if self.draws is None:
            object.__setattr__(self, "report_failed", bool(self.info.get("report_failed", False)))

    def _fixed_design(self, what: str) -> Design:
        """The design, made again from the rows that were saved with a fit."""
        if self.design is None:
            object.__setattr__(self, "design", design_of(self.arrays, self.info.formula))
        if self.design is None:
            return self._parts(what)[2]
        return self.design

    def _parts(self, what: str) -> tuple[Any, BayesModel, Design, Draws]:
        if self.tree is None or self.built is None or self.design is None or self.draws is None:
            raise DesignError(
                f"{what} needs the fit itself; of a result read from disk means, contrast, ranks, loo, compare and the "
                "posterior predictive_check work, where the rows were few enough to be saved with it. Fit again with "
                "the same rng=, or combine the draws of the coefficients (arrays['coefficients'], in the order of the "
                "table) by hand"
            )
        return self.tree, self.built, self.design, self.draws

    def _means(self, specs: Any, by: Any, at: Mapping[str, Any] | None) -> tuple[Grid, np.ndarray]:
        design = self._fixed_design("means")
        grid = reference_grid(design, specs, by=by, at=at)
        return grid, self.arrays["coefficients"] @ grid.L.T + grid.shift

    @checked
    def means(
        self,
        specs: str | list[str],
        *,
        by: str | list[str] | None = None,
        at: Mapping[str, Any] | None = None,
        conf_level: float | None = None,
    ) -> pd.DataFrame:
        """Posterior of the marginal means; see :func:`apastats.emmeans` for ``specs, by, at``."""
        level = level_of(self.info, conf_level)
        grid, draws = self._means(specs, by, at)
        table = posterior_table(
            draws, grid.labels(), level, label="term", report_failed=self.report_failed
        )
        for position, c in enumerate(grid.rows.columns):
            table.insert(position, c, grid.rows[c].to_numpy())
        return table

    @checked
    def contrast(
        self,
        specs: str | list[str],
        method: str | Mapping[str, Any] = "pairwise",
        *,
        ref: str | int | None = None,
        by: str | list[str] | None = None,
        at: Mapping[str, Any] | None = None,
        bounds: Any = None,
        probability: float = 0.95,
        conf_level: float | None = None,
    ) -> pd.DataFrame:
        """Posterior of contrasts of marginal means, with decisions where bounds are given.

        Parameters
        ----------
        specs, by, at
            As in :func:`apastats.emmeans`.
        method, ref
            As in ``emmeans(...).contrast``.
        bounds : float or pair, optional
            Region of practical equivalence; without it no claim of equivalence is made.
        probability : float
            Posterior probability a decision needs.
        conf_level : float, optional
            Level of the highest-density intervals.

        Returns
        -------
        pandas.DataFrame
            ``contrast, estimate, std_error, conf_low, conf_high, r_hat, ess_bulk, ess_tail, mcse, passed,
            prob_positive``;
            with bounds ``bound_low, bound_high, prob_inside, prob_below, prob_above, decision, decision_hdi``.
        """
        level = level_of(self.info, conf_level)
        number("probability", probability, above=0.5, below=1)
        limits = None
        if bounds is not None:
            margin = as_margin(bounds)
            if margin.origin != "raw":
                raise MarginError("bounds", bounds, "a number or a pair in the unit of the outcome")
            limits = (float(margin.low), float(margin.high))
        grid = self._means(specs, by, at)[0]
        frames = []
        labels = grid.labels()
        for members in grid.groups():
            names, C = contrast_rows(method, [labels[i] for i in members], ref)
            d = self.arrays["coefficients"] @ grid.combine(C, members).T + C @ grid.shift[members]
            table = posterior_table(
                d, names, level, label="contrast", report_failed=self.report_failed
            )
            passed = table["passed"].to_numpy() | self.report_failed
            positive = (d > 0).mean(axis=(0, 1))
            table["prob_positive"] = np.where(passed, positive, np.nan)
            if limits is not None:
                table["bound_low"], table["bound_high"] = limits
                table = table.assign(**rope_columns(d, passed, *limits, probability, level))
            for c in reversed(grid.by):
                table.insert(0, c, grid.rows[c].iloc[members[0]])
            frames.append(table)
        return pd.concat(frames, ignore_index=True)

    @checked
    def ranks(
        self,
        specs: str | list[str],
        *,
        at: Mapping[str, Any] | None = None,
        larger_is_better: bool = True,
    ) -> pd.DataFrame:
        """Posterior rank of every marginal mean: ``term, rank_mean, rank_low, rank_high, prob_rank_1, ...``."""
        grid, draws = self._means(specs, None, at)
        return posterior_ranks(draws, grid.labels(), larger_is_better)

    @checked
    def predictive_check(self, which: str = "posterior", *, rng: RngLike = None) -> pd.DataFrame:
        """Statistics of the data against those of data drawn from the prior or the posterior.

        Parameters
        ----------
        which : {"posterior", "prior"}
        rng : int, Generator, SeedSequence or None

        Returns
        -------
        pandas.DataFrame
            ``statistic, observed, predicted_low, predicted_median, predicted_high, p_value`` (share of
            draws at least as
            large; near 0 or 1 means that the model does not produce such data).
        """
        choice("which", which, ("posterior", "prior"))
        if which == "posterior" and self.draws is None and "posterior_predictive" in self.arrays:
            # as many as a fit draws anew
            saved = self.arrays["posterior_predictive"]
            saved = saved.reshape(-1, saved.shape[-1])
            at = np.linspace(0, len(saved) - 1, min(2000, len(saved))).astype(int)
            return predictive_table(self._outcomes("predictive_check"), saved[at])
        _, built, design, draws = self._parts("predictive_check")
        seed = int(seed_sequence(rng).generate_state(1)[0])
        if which == "prior":
            drawn = prior_outcomes(built, seed)
        else:
            drawn = posterior_outcomes(draws, design, np.random.default_rng(seed))
        return predictive_table(design.y, drawn)

    def loo(self) -> pd.DataFrame:
        """Expected log predictive density by Pareto-smoothed leave-one-out: ``elpd, std_error, p, n_bad_k, k_max``.

        A result read from disk has it too, where the log likelihood was small enough to be saved.

        Warns
        -----
        AssumptionWarning
            Where Pareto's k of a row is too large for its density to be trusted.
        """
        found = self._left_out("loo")
        k = np.asarray(found.pareto_k.values, dtype=float)
        if (bad := int((k > found.good_k).sum())) > 0:
            warn(
                f"loo: Pareto's k of {bad} of {len(k)} rows is above {found.good_k:.2f}: their density, and elpd, "
                "cannot be trusted; a row that alone decides an effect is the usual cause",
                AssumptionWarning,
            )
        return pd.DataFrame(
            [
                {
                    "formula": self.info["formula"],
                    "elpd": float(found.elpd),
                    "std_error": float(found.se),
                    "p": float(found.p),
                    "n_bad_k": bad,
                    "k_max": float(k.max()),
                }
            ]
        )

    def _left_out(self, what: str) -> Any:
        """Leave-one-out of a fit, or of the log likelihood that was saved with it."""
        if self.draws is None and "log_likelihood" in self.arrays and self.tree is not None:
            return loo_of(self.tree)
        _, _, design, draws = self._parts(what)
        return leave_one_out(draws, design)

    def _outcomes(self, what: str) -> np.ndarray:
        """Outcome of every row."""
        if self.draws is None and "observed" in self.arrays:
            return np.asarray(self.arrays["observed"], dtype=float)
        return self._parts(what)[2].y

    def compare(self, **others: BayesLmmResult) -> pd.DataFrame:
        """Leave-one-out comparison with other models of the same rows: ``model, elpd, elpd_diff, dse, weight, ...``."""
        import arviz_stats

        for name, other in others.items():
            instance(name, other, BayesLmmResult, "a result of bayes_lmm")
        fits = {"this": self, **others}
        rows = {name: fit._outcomes("compare") for name, fit in fits.items()}
        for name, y in rows.items():
            if not np.array_equal(y, rows["this"]):
                raise InputError(
                    name, "a model of other rows", "a model of the same outcome and rows"
                )
        compare: Any = arviz_stats.compare
        found = {name: fit._left_out("compare") for name, fit in fits.items()}
        with quiet():
            table = compare(found)
        return table.rename_axis("model").reset_index()

    def prior_sensitivity(self) -> pd.DataFrame:
        """How the posterior of coefficients and SDs moves when prior or likelihood are given more or less weight.

        Power scaling by importance weights (Kallioinen and others 2024, Statist. Comput. 34, 57) of the priors at the
        top (coefficients, SDs, correlations; not the distribution of the random effects): values above 0.05 in
        ``prior`` mean that the prior matters.

        Returns
        -------
        pandas.DataFrame
            ``variable, prior, likelihood, diagnosis``.
        """
        tree, built, design, draws = self._parts("prior_sensitivity")
        return sensitivity(tree, built, draws, design)


_WRITTEN = {"bambi": "Bambi", "design": "written from the design"}


def _positive(argument: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(argument, value, f"an int of at least {least}")
    return int(value)


@verb
def bayes_lmm(
    formula: str,
    data: ScoreTable | pd.DataFrame,
    *,
    priors: Mapping[str, Any] | None = None,
    weights: Any = None,
    std_error: Any = None,
    residual_by: str | None = None,
    draws: int = 2000,
    tune: int = 1000,
    chains: int = 4,
    target_accept: float = 0.95,
    conf_level: float = 0.95,
    missing: str = "error",
    kind: Kinds = "model",
    report_failed: bool = False,
    rng: RngLike = None,
) -> BayesLmmResult:
    """Fit a Bayesian linear mixed model with the formula of :func:`apastats.lmm`.

    Parameters
    ----------
    formula : str
        As in ``lmm``.
    data : ScoreTable or pandas.DataFrame
    priors : mapping, optional
        ``intercept, fixed, sd, correlation, sigma`` -> (distribution of PyMC, parameters), e.g.
        ``{"sd": ("HalfNormal", {"sigma": 0.1}), "correlation": ("LKJ", {"eta": 1})}``. ``intercept`` is that of centred
        columns. Others are weakly informative, scaled to the data, and stated in ``info["priors"]``.
    weights, std_error : str or array_like, optional
        As in ``lmm``: ``sigma`` is the residual SD of a row of weight 1, or the multiple of the standard errors.
    residual_by : str, optional
        Column whose levels have residual SDs of their own.
    draws, tune, chains : int
        Draws kept and warm-up draws per chain, and chains (two or more: one cannot be checked).
    target_accept : float
        Target of the sampler's acceptance rate.
    conf_level : float
        Level of the highest-density intervals.
    missing, kind
        As in ``lmm``.
    report_failed : bool
        Whether quantities whose chains fail a gate (R-hat at most 1.01, bulk and tail effective size at least 400)
        are reported; they are NaN otherwise.
    rng : int, Generator, SeedSequence or None

    Returns
    -------
    BayesLmmResult

        Columns: ``term`` (what the row is of), ``estimate`` (what is estimated, from the data themselves),
        ``std_error`` (standard error), ``conf_low`` (lower limit of the interval), ``conf_high`` (upper limit
        of the interval), ``conf_level`` (level of the interval), ``r_hat`` (convergence of the chains),
        ``ess_bulk`` (effective draws, bulk), ``ess_tail`` (effective draws, tail), ``mcse`` (Monte-Carlo
        standard error), ``passed`` (whether it passes), ``method`` (how the interval or test was made).

    Raises
    ------
    MissingExtraError
        If the extra ``bayes`` is not installed.
    InputError, FormulaError, DesignError, DataError
        As in ``lmm``.

    Warns
    -----
    ConvergenceWarning
        If a quantity fails a gate, by name; also for divergent transitions.

    See Also
    --------
    lmm, rope, coefficient_equivalence, emmeans

    Notes
    -----
    A PyMC model sampled by nutpie; draws are held as a DataTree and read by arviz_stats. Bambi writes the model where
    its formulas can; correlated effects (LKJ prior), multi-membership, weights and residual groups are written
    from the arrays of ``lmm``, with the priors that Bambi gives to the same columns. ``info["method"]`` says which.

    References
    ----------
    .. [1] Capretto, T., Piho, C., Kumar, R., Westfall, J., Yarkoni, T., & Martin, O. A. (2022). Bambi: A
       simple interface for fitting Bayesian linear models in Python. Journal of Statistical Software,
       103(15), 1–29. https://doi.org/10.18637/jss.v103.i15
    .. [2] Vehtari, A., Gelman, A., Simpson, D., Carpenter, B., & Bürkner, P. C. (2021). Rank-normalization,
       folding, and localization: An improved R-hat for assessing convergence of MCMC. Bayesian Analysis,
       16(2), 667–718. https://doi.org/10.1214/20-BA1221

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=6, n_model=2, rois=["V1", "V4"], rng=1)
    >>> best = apa.select_layer(study.scores)
    >>> fit = apa.bayes_lmm(
    ...     "score ~ model + (1 | subject)", best, draws=200, tune=200, chains=2, rng=1
    ... )  # doctest: +SKIP
    >>> fit.tidy()  # doctest: +SKIP
    """
    parsed = parse_mixed_formula(formula)
    frame, data_hash = model_rows(data, kind)
    choice("missing", missing, ("error", "drop"))
    level = arguments.level("conf_level", conf_level)
    n_draws, n_tune = _positive("draws", draws, 50), _positive("tune", tune, 50)
    n_chains = _positive("chains", chains, 2)
    number("target_accept", target_accept, least=0.5, below=1)
    design = build_design(
        parsed,
        frame,
        weights=weights,
        std_error=std_error,
        residual_by=residual_by,
        missing=missing,
    )
    built = build_bayes_model(design, priors)
    sequence = seed_sequence(rng)
    tree = sample(
        compile_sampler(built), draws=n_draws, tune=n_tune, chains=n_chains, target_accept=target_accept,
        seed=int(sequence.generate_state(1)[0]),
    )  # fmt: skip
    found = read_draws(tree["posterior"], built, design)
    labels = [q.label for q in (*built.coefficients, *built.scales)]
    table = posterior_table(
        np.concatenate([found.coefficients, found.scales], axis=-1),
        labels,
        level,
        label="term",
        report_failed=report_failed,
    )
    table["method"] = "posterior mean, highest-density interval"
    notes = [*design.notes, *_complaints(table, tree)]
    held = sorted({*design.fixed.factors, *design.fixed.covariates})
    info = Info(
        estimand="posterior mean",
        interval="highest density",
        method=f"Bayesian linear mixed model ({_WRITTEN[built.builder]}, PyMC, nutpie)",
        formula=parsed.text,
        outcome=outcome_in(data, parsed.outcome_text),
        rule=f"a quantity is reported if R-hat <= {RHAT_MAX} and both effective sizes >= {ESS_MIN:g}",
        resampled=Drawn(random=[g.name for g in design.groupings]),
        held_fixed=levels_of(held),
        n_subject={g.name: g.n_levels for g in design.groupings}.get("subject"),
        conf_level=level,
        extra={
            "priors": built.priors,
            "n": design.n,
            "n_groups": {g.name: g.n_levels for g in design.groupings},
            "components": [list(q.component) for q in built.scales],
            "chains": n_chains,
            "draws": n_draws,
            "tune": n_tune,
            "target_accept": target_accept,
            "report_failed": report_failed,
        },
    )
    provenance = Provenance(data_hash=data_hash, seed=recorded_seed(sequence))
    for note in notes[len(design.notes) :]:
        warn(note, ConvergenceWarning)
    rows = row_arrays(found, design, np.random.default_rng(sequence.spawn(1)[0]))
    kept = frame_arrays(design)
    arrays = {"coefficients": found.coefficients, "scales": found.scales, **rows, **kept}
    tree = with_rows(tree, rows)
    return BayesLmmResult(
        table, info, provenance, arrays, tuple(notes), tree, built, design, found, report_failed
    )


def _complaints(table: pd.DataFrame, tree: Any) -> list[str]:
    out = []
    failed = table.loc[~table["passed"], "term"].tolist()
    if failed:
        out.append(
            f"chains of {counted(len(failed), 'quantity', 'quantities')} fail a gate (R-hat \u2264 {RHAT_MAX}, "
            f"effective sizes \u2265 {ESS_MIN:g}); in Python: draw more for {', '.join(map(str, failed))}, or pass "
            "report_failed=True to see the numbers"
        )
    statistics = tree["sample_stats"] if "sample_stats" in tree.children else {}
    if "diverging" in statistics:
        diverging = int(np.asarray(statistics["diverging"].values).sum())
        if diverging:
            out.append(
                f"{diverging} divergent transition{'' if diverging == 1 else 's'}; in Python: raise target_accept"
            )
    return out
