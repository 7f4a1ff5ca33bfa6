"""Adjusted p-values for families of tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from apastats.arguments import checked, p_values, whole
from apastats.calls import not_among

__all__ = ["ADJUSTMENTS", "adjust_p", "check_adjust"]


def _step_down(
    p: np.ndarray, transform: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    order = np.argsort(p, kind="stable")
    # in place: there can be millions
    stepped = transform(p[order], np.arange(len(p), 0, -1))
    np.minimum(1.0, np.maximum.accumulate(stepped, out=stepped), out=stepped)
    out = np.empty_like(p)
    out[order] = stepped
    return out


def _step_up(p: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Step-up from the largest p; ``factor`` belongs to ascending p."""
    order = np.argsort(p, kind="stable")
    stepped = np.minimum.accumulate((factor * p[order])[::-1])[::-1]
    out = np.empty_like(p)
    out[order] = np.minimum(1.0, stepped)
    return out


def _sidak(p: np.ndarray, m: Any) -> np.ndarray:
    # expm1 and log1p keep small p exact
    with np.errstate(divide="ignore"):
        return np.asarray(-np.expm1(m * np.log1p(-p)))


def _hommel(p: np.ndarray) -> np.ndarray:
    """Hommel (1988), by the algorithm of Wright (1992)."""
    m = len(p)
    order = np.argsort(p, kind="stable")
    s = p[order]
    rank = np.arange(1, m + 1)
    q = np.full(m, np.min(m * s / rank))
    best = q.copy()
    for k in range(m - 1, 1, -1):
        low, high = np.arange(m - k + 1), np.arange(m - k + 1, m)
        level = np.min(k * s[high] / np.arange(2, k + 1))
        q[low] = np.minimum(k * s[low], level)
        q[high] = q[m - k]
        np.maximum(best, q, out=best)
    out = np.empty(m)
    out[order] = np.maximum(best, s)
    return out


def _fdr(p: np.ndarray, *, dependent: bool) -> np.ndarray:
    m = len(p)
    rank = np.arange(1, m + 1)
    return _step_up(p, (np.sum(1 / rank) if dependent else 1.0) * m / rank)


ADJUSTMENTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda p: p.copy(),
    "bonferroni": lambda p: np.minimum(1.0, len(p) * p),
    "sidak": lambda p: _sidak(p, len(p)),
    "holm": lambda p: _step_down(p, lambda s, left: left * s),
    "holm-sidak": lambda p: _step_down(p, _sidak),
    "hochberg": lambda p: _step_up(p, len(p) - np.arange(len(p))),
    "hommel": _hommel,
    "bh": lambda p: _fdr(p, dependent=False),
    "by": lambda p: _fdr(p, dependent=True),
}
_ALIASES = {
    "fdr": "bh",
    "fdr_bh": "bh",
    "fdr_by": "by",
    "holm_sidak": "holm-sidak",
    "hs": "holm-sidak",
}


MAX_FAMILY = 10**7


def check_adjust(adjust: Any, allowed: tuple[str, ...] = (), *, argument: str = "adjust") -> str:
    """Canonical name of an adjustment; ``allowed`` adds names to those that need p-values alone."""
    names = (*ADJUSTMENTS, *allowed)
    if adjust is None:
        return "none"
    name = adjust.lower() if isinstance(adjust, str) else adjust
    name = _ALIASES.get(name, name) if isinstance(name, str) else name
    if name not in names:
        raise not_among(argument, adjust, names)
    return str(name)


@checked
def adjust_p(p: ArrayLike, adjust: str = "holm", *, family_size: int | None = None) -> np.ndarray:
    """Adjust p-values for multiplicity.

    Parameters
    ----------
    p : array_like, any shape
        p-values; all of them form one family. NaN stays NaN and does not count.
    adjust : {"none", "bonferroni", "sidak", "holm", "holm-sidak", "hochberg", "hommel", "bh", "by"}
        Family-wise error: bonferroni, sidak, holm, holm-sidak, hochberg, hommel. False discovery rate: bh
        (Benjamini and Hochberg 1995), by (Benjamini and Yekutieli 2001).
    family_size : int, optional
        Size of the family where it is larger than the p-values given; the others count as 1.

    Returns
    -------
    numpy.ndarray
        Same shape as ``p``.

    Raises
    ------
    InputError
        If a p-value lies outside 0..1 or ``adjust`` is unknown.

    See Also
    --------
    closed_p, hierarchical_p, sequential_p, compare

    Notes
    -----
    Bonferroni and Holm (1979) hold under any dependence; Sidak, Hochberg (1988), Hommel (1988) and BH need
    independence or positive dependence.

    References
    ----------
    .. [1] Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of
       Statistics, 6(2), 65–70.
    .. [2] Hommel, G. (1988). A stagewise rejective multiple test procedure based on a modified Bonferroni
       test. Biometrika, 75(2), 383–386. https://doi.org/10.1093/biomet/75.2.383
    .. [3] Benjamini, Y., & Hochberg, Y. (1995). Controlling the false discovery rate: A practical and
       powerful approach to multiple testing. Journal of the Royal Statistical Society: Series B, 57(1),
       289–300. https://doi.org/10.1111/j.2517-6161.1995.tb02031.x
    .. [4] Benjamini, Y., & Yekutieli, D. (2001). The control of the false discovery rate in multiple testing
       under dependency. The Annals of Statistics, 29(4), 1165–1188. https://doi.org/10.1214/aos/1013699998

    Examples
    --------
    >>> adjust_p([0.01, 0.02, 0.03], "holm").round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    name = check_adjust(adjust)
    values = p_values("p", p, ndim=None, missing=True)
    keep = ~np.isnan(values)
    if family_size is None and values.size and keep.all():
        return ADJUSTMENTS[name](values.ravel()).reshape(values.shape)
    out = np.full(values.shape, np.nan)
    known = values[keep]
    if family_size is not None:
        size = whole("family_size", family_size, least=known.size, most=MAX_FAMILY)
        # tests that were not shown have p-values of 1, the largest there are
        known = np.concatenate([known, np.ones(size - known.size)])
    if known.size:
        out[keep] = ADJUSTMENTS[name](known)[: int(keep.sum())]
    return out
