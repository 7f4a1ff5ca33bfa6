"""``model_table``: the coefficients of several fits side by side, and what each says as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from apastats.arguments import items
from apastats.errors import InputError
from apastats.mixed.bayes_lmm import BayesLmmResult
from apastats.mixed.engine.summaries import component_label
from apastats.mixed.lmm_result import LmmResult
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.words import Drawn, Info

__all__ = ["ModelTableResult", "model_table"]

KINDS = (LmmResult, BayesLmmResult)
COLUMNS = (
    "term", "estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high", "conf_level",
)  # fmt: skip


# what a fit says as a whole -> its kind
MEASURES = {
    "n": "count", "icc_adjusted": "share", "r2_marginal": "share", "r2_conditional": "share", "n_parameter": "count",
    "loglik": "criterion", "aic": "criterion", "aicc": "criterion", "bic": "criterion",
}  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class ModelTableResult(Result):
    """Several fits in one table.

    ``table`` has one row per fit and coefficient: ``fit, term, estimate, std_error, statistic, df, p_value, conf_low,
    conf_high, conf_level``; ``arrays["measures"]`` what each fit says as a whole (``[fit, measure]``).
    ``to_latex()``, ``to_markdown()``, ``to_html()`` and ``to_word(path)`` put the fits side by side.
    """

    kind: ClassVar[str] = "model_table"

    def measures(self) -> pd.DataFrame:
        """Standard deviations, numbers, shares of variance and criteria: a row per measure, a column per fit."""
        frame = pd.DataFrame(
            np.asarray(self.arrays["measures"]).T, columns=list(self.info["formulas"])
        )
        frame.insert(0, "measure", list(self.info["measures"]))
        return frame


@verb
def model_table(
    fits: Sequence[LmmResult | BayesLmmResult], *, names: Sequence[str] | None = None
) -> ModelTableResult:
    """Put the coefficients of several mixed models into one table, with what each fit says as a whole below them.

    Parameters
    ----------
    fits : sequence of LmmResult or BayesLmmResult
        Results of :func:`apastats.lmm` and :func:`apastats.bayes_lmm`, also such as were read from disk.
    names : sequence of str, optional
        A name per fit, the heading of its column; ``model 1``, ``model 2``, ... where None.

    Returns
    -------
    ModelTableResult
        Coefficients as its table; ``measures()`` has the rest, ``to_markdown()`` and the others print both.

        Columns: ``fit`` (which fit the row is of), ``term`` (what the row is of), ``estimate`` (what is estimated, from
        the data themselves), ``std_error`` (standard error), ``statistic`` (test statistic), ``df`` (degrees of
        freedom), ``p_value`` (p-value of the ordinary test), ``conf_low`` (lower limit of the interval), ``conf_high``
        (upper limit of the interval), ``conf_level`` (level of the interval).

    Raises
    ------
    InputError
        For what is no fit of ``lmm`` or ``bayes_lmm``, or names that are not one per fit, each another.

    See Also
    --------
    lmm, bayes_lmm, emmeans

    Notes
    -----
    Standard deviations are those of the random effects and of the residual. AIC = 2 k - 2 logLik, AICc adds
    2 k (k + 1) / (n - k - 1), BIC = k log n - 2 logLik, with k parameters and n rows. Criteria of fits by REML compare
    models of the same fixed part only, and no criterion compares fits of other rows or of an outcome transformed
    otherwise; a note says where that is so. R2 by Nakagawa and Schielzeth (2013).

    References
    ----------
    .. [1] Nakagawa, S., & Schielzeth, H. (2013). A general and simple method for obtaining R2 from generalized linear
       mixed-effects models. Methods in Ecology and Evolution, 4(2), 133–142.
       https://doi.org/10.1111/j.2041-210x.2012.00261.x
    .. [2] Burnham, K. P., & Anderson, D. R. (2002). Model selection and multimodel inference (2nd ed.). Springer.

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=8, n_model=2, n_layer=1, rois=["V1", "V4"], rng=1)
    >>> scores = study.scores.where(kind="model", split="test")
    >>> fits = [
    ...     apa.lmm(f"score ~ {fixed} + (1 | roi:subject)", scores, reml=False)
    ...     for fixed in ("model", "model + roi")
    ... ]
    >>> print(apa.model_table(fits, names=["models", "and regions"]).to_markdown().splitlines()[0])
    | term | models | and regions |
    """
    allowed = "results of lmm or bayes_lmm"
    fits = [fits] if isinstance(fits, KINDS) else items("fits", fits, allowed)
    if not fits or not all(isinstance(fit, KINDS) for fit in fits):
        raise InputError("fits", [type(fit).__name__ for fit in fits], f"a list of {allowed}")
    called = _names(names, len(fits))
    rows = [
        _coefficients(fit).reindex(columns=list(COLUMNS)).assign(fit=name)
        for name, fit in zip(called, fits, strict=True)
    ]
    table = pd.concat(rows, ignore_index=True)[["fit", *COLUMNS]]
    order, kinds, values = _compared([_measures(fit) for fit in fits])
    formulas = {name: fit.info.formula for name, fit in zip(called, fits, strict=True)}
    letters = {fit.info.statistic for fit in fits if fit.info.statistic}
    drawn = _posteriors(called, fits)
    levels = {fit.info.conf_level for fit in fits}
    outcomes = {str(fit.info.outcome): fit.info.outcome for fit in fits}
    said = Info(
        estimand="coefficient",
        method=f"{len(fits)} linear mixed model{'s' if len(fits) > 1 else ''} side by side"
        + (
            f" ({len(drawn)} of them Bayesian: posterior mean and SD, highest-density interval)"
            if drawn
            else ""
        ),
        outcome=next(iter(outcomes.values())) if len(outcomes) == 1 else None,
        statistic=letters.pop() if len(letters) == 1 else "t",
        null_value=0.0,
        null="the coefficient is 0",
        alternative="two-sided",
        resampled=Drawn(),
        held_fixed=(),
        conf_level=levels.pop() if len(levels) == 1 else None,
        extra={
            "formulas": formulas,
            "posteriors": drawn,
            "measures": order,
            "measure_kinds": kinds,
            "likelihood": [str(fit.info.get("likelihood", "posterior")) for fit in fits],
            "df_method": [str(fit.info.get("df_method", "")) for fit in fits],
            "slopes": any(_slopes(fit) for fit in fits),
            "shares_of_variance": any(fit.info.get("r2_marginal") is not None for fit in fits),
        },
    )
    hashes = list(dict.fromkeys(fit.provenance.data_hash for fit in fits))
    data = hashes[0]
    if len(hashes) > 1:
        data = hashlib.sha256(" ".join(map(str, hashes)).encode()).hexdigest()[:16]
    return ModelTableResult(
        table, said, Provenance(data_hash=data), {"measures": values}, tuple(_notes(called, fits))
    )


def _posteriors(called: Sequence[str], fits: Sequence[Any]) -> list[str]:
    """Names of the Bayesian fits."""
    return [name for name, fit in zip(called, fits, strict=True) if isinstance(fit, BayesLmmResult)]


def _names(given: Sequence[str] | None, n: int) -> list[str]:
    """A name per fit."""
    if given is None:
        return [f"model {i + 1}" for i in range(n)]
    found = [given] if isinstance(given, str) else list(given)
    good = all(isinstance(v, str) and v.strip() for v in found)
    if not good or len(found) != n or len(set(found)) != n:
        raise InputError("names", found, f"{n} different names, one per fit")
    return found


def _coefficients(fit: Any) -> pd.DataFrame:
    """Rows of the fixed part; those of a posterior come before its standard deviations."""
    if isinstance(fit, BayesLmmResult):
        return fit.table.iloc[: fit.arrays["coefficients"].shape[-1]]
    return fit.table


def _scales(fit: Any) -> dict[str, tuple[str, float]]:
    """Posterior means of standard deviations and correlations, by the names they have in a fit of lmm."""
    out = {}
    means = fit.table["estimate"].iloc[fit.arrays["coefficients"].shape[-1] :]
    for (group, effect, other), value in zip(fit.info["components"], means, strict=True):
        kind = "correlation" if other else "std_dev"
        out[component_label(group, effect, other)] = kind, float(value)
    return out


def _slopes(fit: Any) -> bool:
    """Whether an effect other than the intercept is random."""
    return any(
        group != "residual" and effect != "(Intercept)"
        for group, effect, _ in fit.info["components"]
    )


def _measures(fit: Any) -> dict[str, tuple[str, float]]:
    """Kind and value of what a fit says as a whole, as it is printed; from words and arrays: a saved fit will do."""
    info = fit.info
    out: dict[str, tuple[str, float]] = {}
    if isinstance(fit, BayesLmmResult):
        out |= _scales(fit)
    if "std_dev" in fit.arrays:
        arrays = fit.arrays["std_dev"], fit.arrays["correlation"]
        for (group, effect, other), sd, r in zip(info["components"], *arrays, strict=True):
            kind = "correlation" if other else "std_dev"
            out[component_label(group, effect, other)] = kind, float(r if other else sd)
    out |= {f"levels of {g}": ("count", float(k)) for g, k in info["n_groups"].items()}
    out |= {
        key: (kind, float(info[key])) for key, kind in MEASURES.items() if info.get(key) is not None
    }
    return out


def _compared(
    measured: Sequence[Mapping[str, tuple[str, float]]],
) -> tuple[list[str], list[str], np.ndarray]:
    """Names of all measures, their kinds, and their values ``[fit, measure]``, NaN where a fit has none."""
    order = _merged([list(m) for m in measured])
    kinds = {key: kind for m in measured for key, (kind, _) in m.items()}
    values = [[m[key][1] if key in m else np.nan for key in order] for m in measured]
    return order, [kinds[key] for key in order], np.array(values, dtype=float)


def _merged(lists: Sequence[list[str]]) -> list[str]:
    """All names once; a name that is new stands behind the one before it."""
    out: list[str] = []
    for names in lists:
        place = 0
        for name in names:
            if name in out:
                place = out.index(name) + 1
            else:
                out.insert(place, name)
                place += 1
    return out


def _notes(names: Sequence[str], fits: Sequence[Any]) -> list[str]:
    """Why criteria of these fits do not compare them, where that is so."""
    maximised = [fit for fit in fits if isinstance(fit, LmmResult)]
    kinds = [str(fit.info["likelihood"]) for fit in maximised]
    out = []
    if len(maximised) < len(fits):
        out.append(
            "posteriors have no logLik, AIC or BIC: compare() of these fits is leave-one-out"
        )
    if len(set(kinds)) > 1:
        out.append("fits by REML and by ML: their criteria do not compare them")
    elif "REML" in kinds and len({tuple(fit.table["term"]) for fit in maximised}) > 1:
        out.append(
            "fits by REML with other fixed parts: logLik, AIC, AICc and BIC do not compare them; in Python: fit by "
            "reml=False"
        )
    if len({(fit.info["n"], fit.provenance.data_hash) for fit in fits}) > 1:
        out.append("fits of other data: their criteria do not compare them")
    if len({fit.info.formula.split("~")[0].strip() for fit in fits}) > 1:
        out.append("fits of other outcomes: their criteria do not compare them")
    return list(
        dict.fromkeys(
            [
                *out,
                *(
                    f"{name}: {note}"
                    for name, fit in zip(names, fits, strict=True)
                    for note in fit.notes
                ),
            ]
        )
    )
