"""``lmm``: one formula, one table, one fitted mixed model."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from apastats import arguments
from apastats.arguments import choice, flag, instance, whole
from apastats.errors import DataError, PseudoreplicationWarning, warn
from apastats.mixed.engine.core import Fitted, fit_design
from apastats.mixed.engine.design import build_design
from apastats.mixed.engine.formula import parse_mixed_formula
from apastats.mixed.engine.inference import DF_METHODS
from apastats.mixed.engine.left_out import left_out_interactions
from apastats.mixed.engine.statsmodels_engine import StatsmodelsFit, fit_statsmodels
from apastats.mixed.lmm_result import LmmResult, describe_fit
from apastats.recording import verb
from apastats.results import Provenance
from apastats.table import BRAIN, Kinds, ScoreTable, of_kinds, outcome_in

__all__ = ["lmm"]

ENGINES = ("profile", "closed_form", "statsmodels")


def model_rows(data: Any, kind: Kinds) -> tuple[pd.DataFrame, str]:
    """Frame of the rows that enter, and the hash of the data."""
    if isinstance(data, ScoreTable):
        frame = data.frame
        if kind is not None:
            keep = of_kinds(frame, kind) | (frame["model"] == BRAIN)
            if not keep.any():
                raise DataError(f"{data.source}: there is no row of kind {kind!r}")
            frame = frame[keep]
        return frame.reset_index(drop=True), data.hash
    instance("data", data, pd.DataFrame, "a ScoreTable or a pandas DataFrame")
    if data.empty:
        raise DataError("data: there are no rows")
    rows = pd.util.hash_pandas_object(data, index=False).to_numpy()
    digest = hashlib.sha256(np.sort(rows).tobytes() + " ".join(map(str, data.columns)).encode())
    return data.reset_index(drop=True), digest.hexdigest()[:16]


@verb
def lmm(
    formula: str,
    data: ScoreTable | pd.DataFrame,
    *,
    reml: bool = True,
    df: str | None = None,
    conf_level: float = 0.95,
    weights: Any = None,
    std_error: Any = None,
    residual_by: str | None = None,
    missing: str = "error",
    kind: Kinds = "model",
    engine: str = "profile",
    max_evaluations: int = 500,
) -> LmmResult:
    """Fit a linear mixed model with crossed, nested or multi-membership random effects.

    Parameters
    ----------
    formula : str
        ``outcome ~ fixed + (effects | group) + ...``: ``(1 | g)``, ``(1 + x | g)``, ``(1 + x || g)``
        uncorrelated, ``(1 | a:b)``, ``(1 | a/b)``, ``(1 | mm(a, b))`` for pair scores whose two ends are members
        of one population. The outcome may be ``fisher_z(y)``, ``log(y)``, ``log10(y)``, ``sqrt(y)``
        or ``logit(y)``. Factors have treatment coding, the first level in sorted order is the reference.
    data : ScoreTable or pandas.DataFrame
        One row per observation.
    reml : bool
        Restricted (True) or ordinary maximum likelihood.
    df : {"satterthwaite", "kenward-roger", "z"}, optional
        Degrees of freedom of all tests; Satterthwaite where None (``z`` with statsmodels). ``z`` is too
        liberal for few subjects.
    conf_level : float
        Level of the intervals.
    weights, std_error : str or array_like, optional
        Column or values ``[n]``: precisions of the rows (a row's residual variance is sigma^2 / weight, as in
        lme4), or their known standard errors (sigma^2 se^2).
    residual_by : str, optional
        Column whose levels have residual variances of their own.
    missing : {"error", "drop"}
        What to do about rows without a value; how many were dropped is noted.
    kind : str or None
        For a ScoreTable: rows of this kind enter, and those of the level ``brain`` of ``model``; None takes
        all rows.
    engine : {"profile", "closed_form", "statsmodels"}
        Profiled likelihood with exact gradient; a closed form for complete balanced data; or statsmodels'
        MixedLM (independent effects, z tests) as a cross-check.
    max_evaluations : int
        Likelihood evaluations per attempt of the optimiser.

    Returns
    -------
    LmmResult
        Fixed coefficients as its table; methods for variance components, random effects, intervals, tests.

        Columns: ``term`` (what the row is of), ``estimate`` (what is estimated, from the data themselves),
        ``std_error`` (standard error), ``statistic`` (test statistic), ``df`` (degrees of freedom),
        ``p_value`` (p-value of the ordinary test), ``conf_low`` (lower limit of the interval), ``conf_high``
        (upper limit of the interval), ``conf_level`` (level of the interval), ``method`` (how the interval or
        test was made).

    Raises
    ------
    FormulaError
        If the formula does not parse; the position is shown.
    InputError
        For an unknown column or argument value.
    DesignError
        For a grouping with one level, more random effects than rows, a rank-deficient fixed part.
    DataError
        For values that are missing, infinite, or outside the domain of the transformation.
    ConvergenceError
        If the likelihood has no maximum that could be found; what was tried is listed.

    Warns
    -----
    SingularFitWarning
        If a variance is estimated as 0 or a correlation as 1.
    PseudoreplicationWarning
        If a fixed factor varies within a grouping, the model has no random term for their combination, and adding
        it raises the likelihood (ratio test, p below 0.01): tests of that factor then take rows for replicates.

    See Also
    --------
    emmeans, bayes_lmm, rm_anova

    Notes
    -----
    y = Xb + Zu + e, u normal with covariance per grouping, profiled over b and sigma (Bates, Maechler, Bolker and
    Walker 2015, J. Stat. Softw. 67(1)). Satterthwaite df from the observed information of the components in
    closed form (components on the boundary are held there); Kenward-Roger by their 1997 paper (Biometrics 53, 983),
    without matrices of the size of the data.

    References
    ----------
    .. [1] Bates, D., Mächler, M., Bolker, B., & Walker, S. (2015). Fitting linear mixed-effects models using
       lme4. Journal of Statistical Software, 67(1), 1–48. https://doi.org/10.18637/jss.v067.i01
    .. [2] Kuznetsova, A., Brockhoff, P. B., & Christensen, R. H. B. (2017). lmerTest package: Tests in linear
       mixed effects models. Journal of Statistical Software, 82(13), 1–26.
       https://doi.org/10.18637/jss.v082.i13
    .. [3] Kenward, M. G., & Roger, J. H. (1997). Small sample inference for fixed effects from restricted
       maximum likelihood. Biometrics, 53(3), 983–997. https://doi.org/10.2307/2533558

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> d = pd.MultiIndex.from_product([["a", "b"], range(8)], names=["model", "subject"]).to_frame(
    ...     index=False
    ... )
    >>> d["score"] = (
    ...     (d["model"] == "b") * 0.5 + rng.normal(size=8)[d["subject"]] + rng.normal(size=16) * 0.1
    ... )
    >>> d["subject"] = d["subject"].astype(str)
    >>> lmm("score ~ model + (1 | subject)", d).tidy()[["term", "df"]].round(1).to_dict("list")
    {'term': ['(Intercept)', 'modelb'], 'df': [7.1, 7.0]}
    """
    return fit_formula(
        formula, data, reml=reml, df=df, conf_level=conf_level, weights=weights, std_error=std_error,
        residual_by=residual_by, missing=missing, kind=kind, engine=engine, max_evaluations=max_evaluations,
    )  # fmt: skip


def fit_formula(
    formula: str,
    data: Any,
    *,
    reml: bool = True,
    df: str | None = None,
    conf_level: float = 0.95,
    weights: Any = None,
    std_error: Any = None,
    residual_by: str | None = None,
    missing: str = "error",
    kind: Kinds = "model",
    engine: str = "profile",
    max_evaluations: int = 500,
    settled: tuple[str, ...] = (),
) -> LmmResult:
    """:func:`lmm`; ``settled`` are groupings whose levels are the ones meant, so that effects may vary over them."""
    parsed = parse_mixed_formula(formula)
    frame, data_hash = model_rows(data, kind)
    engine = choice("engine", engine, ENGINES)
    method = choice("df", df or ("z" if engine == "statsmodels" else "satterthwaite"), DF_METHODS)
    choice("missing", missing, ("error", "drop"))
    level = arguments.level("conf_level", conf_level)
    flag("reml", reml)
    whole("max_evaluations", max_evaluations, least=1)
    design = build_design(
        parsed,
        frame,
        weights=weights,
        std_error=std_error,
        residual_by=residual_by,
        missing=missing,
    )
    fitted: Fitted | StatsmodelsFit
    if engine == "statsmodels":
        fitted = fit_statsmodels(design, reml=bool(reml))
    else:
        fitted = fit_design(
            design, reml=bool(reml), engine=engine, max_evaluations=int(max_evaluations)
        )
    notes = _say_left_out(fitted, settled) if isinstance(fitted, Fitted) else ()
    outcome = outcome_in(data, fitted.design.formula.outcome_text)
    found = describe_fit(fitted, method, level, outcome, Provenance(data_hash=data_hash), notes)
    known = "up to a factor, as weights" if weights is not None else None
    known = "as squared standard errors, up to a factor" if std_error is not None else known
    return replace(found, info=found.info.but(weights=known))


def _say_left_out(fitted: Fitted, settled: tuple[str, ...]) -> tuple[str, ...]:
    """Warn of interactions that the model leaves out and the data show."""
    notes = []
    for found in left_out_interactions(fitted, settled):
        where = f" {found.part}" if found.part else ""
        text = (
            f"the effect of {found.term} differs between the levels of {found.grouping} (likelihood ratio "
            f"{found.statistic:.1f}, p = {found.p_value:.2g}{where}), and the model has no term for it: its standard "
            f"errors take rows for replicates of {found.grouping}. Add {found.formula}, or make {found.grouping} a "
            f"fixed part where its levels are the ones meant"
        )
        warn(text, PseudoreplicationWarning)
        notes.append(text)
    return tuple(notes)
