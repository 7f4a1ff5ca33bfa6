"""`margin_curve`: what would be claimed at which margin, and `subjects_needed`: how many would decide."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from apastats.errors import DataError, InputError
from apastats.planning.exact import tost_power
from apastats.planning.power import PowerResult
from apastats.results import Provenance, Result, describe_call
from apastats.tosts.decisions import check_alpha, outcomes
from apastats.tosts.location import t_location
from apastats.tosts.tables import EquivalenceResult

__all__ = ["MarginCurve", "margin_curve", "subjects_needed"]

_UNBOUNDED = 100_000


class MarginCurve(Result):
    """Decisions over margins.

    ``table``: the columns that name the contrast, ``margin, p_value, p_value_equiv, decision`` and, the same in
    every row of a contrast, the smallest margins at which a claim would hold: ``margin_equivalent, margin_noninferior,
    margin_nonsuperior``, and ``margin_minimal_effect``, the largest at which a minimal effect would be shown (0: none).
    """

    kind: ClassVar[str] = "margin_curve"


def _contrast_columns(result: EquivalenceResult) -> list[str]:
    by = [c for c in result.info.get("by", []) if c in result.table.columns]
    return [
        *by,
        *(c for c in ("contrast", "model", "level", "reference") if c in result.table.columns),
    ]


def margin_curve(
    result: EquivalenceResult,
    *,
    margins: Any = None,
    alpha: float | None = None,
) -> MarginCurve:
    """Show the decision as a function of the margin, and the smallest margin at which each claim would hold.

    Parameters
    ----------
    result : EquivalenceResult
        From :func:`apastats.equivalence` with ``test="t"``.
    margins : array_like, optional
        Symmetric margins, positive; 41 from 0 to beyond the largest interval by default.
    alpha : float, optional
        Level of each one-sided test; that of the result by default.

    Returns
    -------
    MarginCurve

    Raises
    ------
    DataError
        If the result keeps no differences or is not of a t test.
    InputError
        If a margin is not positive.

    Notes
    -----
    Single tests by t, not adjusted. Equivalence holds from ``max(-conf_low, conf_high)`` on, where the ``1 - 2 alpha``
    interval fits inside; non-inferiority from ``-conf_low``, non-superiority from ``conf_high`` (0 where
    negative). A curve is no licence to choose the margin afterwards: it shows what a reader with another margin
    would conclude.

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=8, n_layer=1, rois=["V1", "V4"], rng=1)
    >>> scores = study.scores.where(kind="model", split="test")
    >>> found = apa.equivalence("score ~ model | roi", scores, bounds=0.05, reference="model_01")
    >>> curve = apa.margin_curve(found, margins=[0.01, 0.1]).tidy()
    >>> curve.loc[curve["contrast"] == "model_02 - model_01", "decision"].tolist()
    ['undecided', 'equivalent', 'undecided', 'equivalent']
    """
    d = _differences(result)
    alpha = check_alpha(result.info["alpha"] if alpha is None else alpha)
    tested = t_location_columns(d, alpha)
    reach = np.maximum(-tested["conf_low"], tested["conf_high"])
    if margins is None:
        grid = np.linspace(0, 1.1 * float(np.nanmax(reach)), 42)[1:]
    else:
        grid = np.atleast_1d(np.asarray(margins, dtype=float))
        if grid.ndim != 1 or not grid.size or not np.isfinite(grid).all() or (grid <= 0).any():
            raise InputError("margins", margins, "positive numbers")
    from scipy.special import stdtr

    se, df, mean = tested["std_error"], tested["df"], tested["estimate"]
    t_low = (mean[:, None] + grid) / se[:, None]
    t_high = (mean[:, None] - grid) / se[:, None]
    p = np.maximum(stdtr(df[:, None], -t_low), stdtr(df[:, None], t_high))
    names = result.table[_contrast_columns(result)]
    ordinary = np.broadcast_to(tested["p_value"][:, None], p.shape)
    rows = np.repeat(np.arange(len(names)), len(grid))
    table = (
        names.iloc[rows]
        .reset_index(drop=True)
        .assign(
            margin=np.tile(grid, len(names)),
            estimate=mean[rows],
            p_value=ordinary.ravel(),
            p_value_equiv=p.ravel(),
            decision=outcomes(ordinary.ravel(), p.ravel(), alpha),
            margin_equivalent=reach[rows],
            margin_noninferior=np.maximum(-tested["conf_low"], 0.0)[rows],
            margin_nonsuperior=np.maximum(tested["conf_high"], 0.0)[rows],
            margin_minimal_effect=np.maximum(
                np.maximum(tested["conf_low"], -tested["conf_high"]), 0.0
            )[rows],
        )
    )
    info = {
        "method": "t tests over a range of symmetric margins, not adjusted",
        "rule": f"smallest margins from the {100 * (1 - 2 * alpha):g} % interval",
        "alpha": alpha,
        "n_subject": len(d),
        "by": list(result.info.get("by", [])),
        "resampled": "nothing",
        "held_fixed": result.info.get("held_fixed", ""),
        "not_concluded": "the margin of the analysis is the one stated before looking, not one read off this curve",
    }
    call = describe_call("margin_curve", result, alpha=alpha)
    return MarginCurve(table, info, Provenance(call, result.provenance.data_hash))


def _differences(result: Any) -> np.ndarray:
    if not isinstance(result, EquivalenceResult):
        raise InputError("result", type(result).__name__, "an equivalence result")
    if "differences" not in result.arrays:
        raise DataError(
            "result: it keeps no differences; margin_curve needs a result of apa.equivalence"
        )
    if not set(result.table["method"]) <= {"paired t"}:
        raise DataError(
            f"result: made with {result.table['method'].iloc[0]!r}; only test='t' is supported"
        )
    return np.asarray(result.arrays["differences"])


def t_location_columns(d: np.ndarray, alpha: float) -> dict[str, np.ndarray]:
    """T of every column, NaN left out."""
    names = ("estimate", "std_error", "df", "p_value", "conf_low", "conf_high")
    out = {k: np.full(d.shape[1], np.nan) for k in names}
    complete = np.isfinite(d)
    for j in range(d.shape[1]):
        x = d[complete[:, j], j]
        if len(x) > 1:
            located = t_location(x[:, None], alpha)
            for k in names:
                out[k][j] = getattr(located, k)[0]
    return out


def subjects_needed(
    result: EquivalenceResult,
    *,
    power: float = 0.8,
    difference: str = "estimate",
    alpha: float | None = None,
    adjusted: bool = True,
) -> PowerResult:
    """How many subjects would decide each contrast of a finished result.

    Parameters
    ----------
    result : EquivalenceResult
        From :func:`apastats.equivalence` with ``test="t"``.
    power : float
        Wanted probability of a decision.
    difference : {"estimate", "zero"}
        True difference that is assumed: the observed one, or 0 (the most hopeful case for equivalence).
    alpha : float, optional
        Level of each one-sided test; that of the result by default.
    adjusted : bool
        Whether the level is divided by the size of the family, as Bonferroni would.

    Returns
    -------
    PowerResult
        Per contrast ``n_equivalence`` (subjects with which equivalence would be shown with the wanted power; NaN:
        never, the assumed difference lies on or outside the bounds), ``n_difference`` (the same for a minimal
        effect, outside the bounds), ``estimate`` (the smaller of both), and ``n_subject``, what there was.

    Raises
    ------
    DataError
        If the result is not of a t test.
    InputError
        If an argument is not allowed.

    Notes
    -----
    Exact power of the t tests at the observed standard deviation of the differences, which is itself uncertain: with 10
    subjects its 95 % interval runs from 0.69 to 1.83 times the estimate, so the numbers needed vary by a factor of 7.

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=8, n_layer=1, rois=["V1", "V4"], rng=1)
    >>> scores = study.scores.where(kind="model", split="test")
    >>> found = apa.equivalence("score ~ model | roi", scores, bounds=0.02, reference="model_01")
    >>> needed = apa.subjects_needed(found).tidy()
    >>> bool((needed["estimate"] >= 2).all())
    True
    """
    d = _differences(result)
    alpha = check_alpha(result.info["alpha"] if alpha is None else alpha)
    if difference not in ("estimate", "zero"):
        raise InputError("difference", difference, "'estimate' or 'zero'")
    if isinstance(power, bool) or not isinstance(power, (int, float)) or not 0 < power < 1:
        raise InputError("power", power, "a number between 0 and 1")
    size = int(result.info.get("family_size", 1)) if adjusted else 1
    level = alpha / size
    table = result.table
    n = np.isfinite(d).sum(axis=0)
    sd = np.where(n > 1, np.nanstd(d, axis=0, ddof=1), np.nan)
    truth = table["estimate"].to_numpy() if difference == "estimate" else np.zeros(len(table))
    low, high = table["bound_low"].to_numpy(), table["bound_high"].to_numpy()
    inside = (truth > low) & (truth < high)
    outside = (truth < low) | (truth > high)
    equivalence = _needed(truth, sd, low, high, level, power, "equivalence", inside)
    effect = _needed(truth, sd, low, high, level, power, "minimal_effect", outside)
    out = table[_contrast_columns(result)].assign(
        difference=truth,
        sd=sd,
        bound_low=low,
        bound_high=high,
        n_subject=n,
        n_equivalence=equivalence,
        n_difference=effect,
        estimate=np.fmin(equivalence, effect),
        alpha=level,
        power=power,
        method="exact power of t tests with bounds",
    )
    info = {
        "method": "subjects with which each contrast would be decided, exact power of t tests with bounds",
        "power": power,
        "alpha": level,
        "adjust": f"bonferroni, {size} contrasts" if adjusted else "none",
        "difference": f"assumed true difference: {difference}",
        "held_fixed": "the observed standard deviation of the differences",
        "not_concluded": "numbers from an estimated standard deviation are rough",
    }
    call = describe_call("subjects_needed", result, power=power, difference=difference, alpha=alpha)
    return PowerResult(out, info, Provenance(call, result.provenance.data_hash))


def _needed(
    truth: np.ndarray,
    sd: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    alpha: float,
    power: float,
    hypothesis: str,
    possible: np.ndarray,
) -> np.ndarray:
    """Smallest whole n per contrast with the wanted power, by bisection over all contrasts at once."""
    out = np.full(len(truth), np.nan)
    rows = np.flatnonzero(possible & (sd > 0))
    if not rows.size:
        return out

    def reached(n: np.ndarray) -> np.ndarray:
        se = sd[rows] / np.sqrt(n)
        p = tost_power(se, n - 1.0, truth[rows], low[rows], high[rows], alpha, hypothesis)
        return np.asarray(p >= power)

    first, last = np.full(rows.size, 1), np.full(rows.size, _UNBOUNDED)
    never = ~reached(last.astype(float))
    while (last - first > 1).any():
        middle = (first + last) // 2
        yes = reached(np.maximum(middle, 2).astype(float))
        last, first = np.where(yes, middle, last), np.where(yes, first, middle)
    out[rows] = np.where(never, np.inf, np.maximum(last, 2))
    return out
