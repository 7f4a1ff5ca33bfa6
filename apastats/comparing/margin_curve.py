"""`margin_curve`: what would be claimed at which margin."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from apastats.arguments import instance, numbers
from apastats.comparing.decisions import outcomes
from apastats.comparing.equivalence import EquivalenceResult
from apastats.errors import DataError
from apastats.numbers.location import t_location
from apastats.recording import verb
from apastats.results import Provenance, Result
from apastats.words import Drawn, Info

__all__ = ["MarginCurve", "margin_curve"]


class MarginCurve(Result):
    """Decisions over margins.

    ``table``: the columns that name the contrast, ``margin, p_value, p_value_equiv, decision`` and, the same in
    every row of a contrast, the smallest margins at which a claim would hold: ``margin_equivalent, margin_noninferior,
    margin_nonsuperior``, and ``margin_minimal_effect``, the largest at which a minimal effect would be shown (0: none).
    """

    kind: ClassVar[str] = "margin_curve"


def contrast_columns(result: EquivalenceResult) -> list[str]:
    by = [c for c in result.info.by if c in result.table.columns]
    return [
        *by,
        *(c for c in ("contrast", "model", "level", "reference") if c in result.table.columns),
    ]


@verb
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

        Columns: ``roi`` (region), ``contrast`` (what is subtracted from what), ``model`` (model, or what is
        compared), ``reference`` (what is compared with), ``margin`` (margin), ``estimate`` (what is
        estimated, from the data themselves), ``p_value`` (p-value of the ordinary test), ``p_value_equiv``
        (p-value of equivalence, the larger of the one-sided ones), ``decision`` (equivalent, different, ...,
        or undecided), ``margin_equivalent`` (smallest margin of an equivalence claim), ``margin_noninferior``
        (smallest margin of a noninferiority claim), ``margin_nonsuperior`` (smallest margin of a
        nonsuperiority claim), ``margin_minimal_effect`` (largest margin of a minimal effect).

    Raises
    ------
    DataError
        If the result keeps no differences or is not of a t test.
    InputError
        If a margin is not positive.

    See Also
    --------
    equivalence, margin

    Notes
    -----
    Single tests by t, not adjusted. Equivalence holds from ``max(-conf_low, conf_high)`` on, where the ``1 - 2 alpha``
    interval fits inside; non-inferiority from ``-conf_low``, non-superiority from ``conf_high`` (0 where
    negative). A curve is no licence to choose the margin afterwards: it shows what a reader with another margin
    would conclude.

    References
    ----------
    .. [1] Lakens, D. (2017). Equivalence tests: A practical primer for t tests, correlations, and
       meta-analyses. Social Psychological and Personality Science, 8(4), 355–362.
       https://doi.org/10.1177/1948550617697177

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
    d = differences_of(result)
    alpha = result.info["alpha"] if alpha is None else alpha
    tested = t_location_columns(d, alpha)
    # both one-sided tests reject at margin m where the 1 - 2 alpha interval lies in (-m, m): the first such m is its
    # end farther from 0, each test's own is one end
    reach = np.maximum(-tested["conf_low"], tested["conf_high"])
    if margins is None:
        grid = np.linspace(0, 1.1 * float(np.nanmax(reach)), 42)[1:]
    else:
        grid = np.array(numbers("margins", margins, above=0))
    from scipy.special import stdtr

    se, df, mean = tested["std_error"], tested["df"], tested["estimate"]
    t_low = (mean[:, None] + grid) / se[:, None]
    t_high = (mean[:, None] - grid) / se[:, None]
    p = np.maximum(stdtr(df[:, None], -t_low), stdtr(df[:, None], t_high))
    names = result.table[contrast_columns(result)]
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
    info = Info(
        method="t tests over a range of symmetric margins, not adjusted",
        estimand="difference of models",
        outcome=result.info.outcome,
        formula=result.info.formula,
        statistic="t",
        adjust="none",
        rule=f"the smallest margins are those of the {100 * (1 - 2 * alpha):g} % interval",
        alpha=alpha,
        n_subject=len(d),
        by=result.info.by,
        resampled=Drawn(),
        held_fixed=result.info.held_fixed,
        not_concluded="the margin of the analysis is the one stated before looking, not one read off this curve",
    )
    return MarginCurve(table, info, Provenance(data_hash=result.provenance.data_hash))


def differences_of(result: Any) -> np.ndarray:
    instance("result", result, EquivalenceResult)
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
