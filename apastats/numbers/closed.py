"""Closed, hierarchical and fixed-sequence testing of p-values, and letters for groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from apastats.arguments import checked, items, number, p_values
from apastats.errors import InputError, shown
from apastats.numbers.adjust_p import adjust_p

__all__ = ["closed_p", "hierarchical_p", "sequential_p"]

LOCAL_TESTS = ("bonferroni", "simes", "fisher")
MAX_CLOSED = 16


def _p_values(p: Any) -> tuple[np.ndarray, np.ndarray]:
    """p-values, and where they are not NaN: a test without a p-value is not in the family, as in ``adjust_p``."""
    values = p_values("p", p, missing=True)
    return values, np.flatnonzero(~np.isnan(values))


def _local(name: str) -> Callable[[np.ndarray], float]:
    if name == "bonferroni":
        return lambda p: min(1.0, len(p) * float(p.min()))
    if name == "simes":
        return lambda p: float(np.min(len(p) * np.sort(p) / np.arange(1, len(p) + 1)))
    if name == "fisher":
        from scipy.special import chdtrc

        return lambda p: float(chdtrc(2 * len(p), -2 * np.log(np.maximum(p, 1e-300)).sum()))
    raise InputError("local", name, f"one of {list(LOCAL_TESTS)} or a function of p-values")


def _checked_local(local: Callable[[np.ndarray], float]) -> Callable[[np.ndarray], float]:
    """A user's test, whose answers must be p-values."""

    def test(p: np.ndarray) -> float:
        try:
            return number("local", local(p), least=0, most=1)
        except (TypeError, ValueError) as error:
            raise InputError("local", local, f"a function of p-values ({shown(error)})") from error

    return test


@checked
def closed_p(p: ArrayLike, *, local: str | Callable[[np.ndarray], float] = "simes") -> np.ndarray:
    """Adjusted p-values by the full closure (Marcus, Peritz and Gabriel 1976).

    Parameters
    ----------
    p : array_like, shape (m,)
        p-values, at most 16; NaN stays NaN and is not in the family.
    local : {"simes", "bonferroni", "fisher"} or callable
        Test of an intersection, a function of its p-values. ``bonferroni`` gives Holm, ``simes`` Hommel (larger
        families: :func:`apastats.adjust_p`); ``fisher`` needs independent p-values.

    Returns
    -------
    numpy.ndarray
        For each hypothesis the largest p-value of all intersections that hold it.

    Raises
    ------
    InputError
        If there are more than 16 p-values, or one outside 0..1.

    See Also
    --------
    adjust_p, hierarchical_p, sequential_p

    References
    ----------
    .. [1] Marcus, R., Peritz, E., & Gabriel, K. R. (1976). On closed testing procedures with special
       reference to ordered analysis of variance. Biometrika, 63(3), 655–660.
       https://doi.org/10.1093/biomet/63.3.655

    Examples
    --------
    >>> closed_p([0.01, 0.02, 0.03], local="bonferroni").round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    values, there = _p_values(p)
    m = len(there)
    if m > MAX_CLOSED:
        raise InputError(
            "p", f"{m} p-values", f"at most {MAX_CLOSED}", hint="Use adjust_p(p, 'hommel')."
        )
    test = _checked_local(local) if callable(local) else _local(local)
    out, known = np.zeros(m), values[there]
    for code in range(1, 2**m):
        inside = np.array([(code >> i) & 1 for i in range(m)], dtype=bool)
        out[inside] = np.maximum(out[inside], test(known[inside]))
    return _with_missing(np.minimum(out, 1.0), there, len(values))


def _with_missing(found: np.ndarray, there: np.ndarray, m: int) -> np.ndarray:
    out = np.full(m, np.nan)
    out[there] = found
    return out


@checked
def sequential_p(p: ArrayLike) -> np.ndarray:
    """Fixed-sequence testing: each hypothesis at full level, in the order given, until one fails.

    Parameters
    ----------
    p : array_like, shape (m,)
        p-values in the order fixed before looking; NaN stays NaN and is passed over.

    Returns
    -------
    numpy.ndarray
        Running maximum.

    See Also
    --------
    closed_p, hierarchical_p

    References
    ----------
    .. [1] Marcus, R., Peritz, E., & Gabriel, K. R. (1976). On closed testing procedures with special
       reference to ordered analysis of variance. Biometrika, 63(3), 655–660.
       https://doi.org/10.1093/biomet/63.3.655

    Examples
    --------
    >>> sequential_p([0.01, 0.04, 0.02]).tolist()
    [0.01, 0.04, 0.04]
    """
    values, there = _p_values(p)
    return _with_missing(np.maximum.accumulate(values[there]), there, len(values))


@checked
def hierarchical_p(p: ArrayLike, groups: Sequence[Any], *, local: str = "simes") -> np.ndarray:
    """Two-level hierarchical testing: groups (e.g. ROIs) first, then the members of groups that pass.

    Parameters
    ----------
    p : array_like, shape (m,)
        p-values of the members; NaN stays NaN and is not in the family.
    groups : sequence, length m
        Group of each member.
    local : {"simes", "bonferroni", "fisher"}
        Test of a whole group.

    Returns
    -------
    numpy.ndarray
        Adjusted p-values of the members: the larger of the group's p-value, Holm-adjusted over groups, and the
        member's, Holm-adjusted inside its group and multiplied by the share of the level its group got
        (``m / size of the group``; Meinshausen 2008).

    Raises
    ------
    InputError
        If lengths differ or a p-value lies outside 0..1.

    See Also
    --------
    closed_p, sequential_p, adjust_p

    References
    ----------
    .. [1] Marcus, R., Peritz, E., & Gabriel, K. R. (1976). On closed testing procedures with special
       reference to ordered analysis of variance. Biometrika, 63(3), 655–660.
       https://doi.org/10.1093/biomet/63.3.655

    Examples
    --------
    >>> hierarchical_p([0.001, 0.02, 0.5, 0.6], ["V1", "V1", "V4", "V4"]).round(3).tolist()
    [0.004, 0.04, 1.0, 1.0]
    """
    every, there = _p_values(p)
    given = items("groups", groups, "one per p-value", length=len(every))
    names, values = [given[i] for i in there], every[there]
    labels = list(dict.fromkeys(names))
    where = {g: np.array([i for i, v in enumerate(names) if v == g]) for g in labels}
    test = _local(local)
    whole = adjust_p([test(values[where[g]]) for g in labels], "holm")
    out = np.empty(len(values))
    for g, top in zip(labels, whole, strict=True):
        i = where[g]
        inside = adjust_p(values[i], "holm") * (len(values) / len(i))
        out[i] = np.minimum(1.0, np.maximum(top, inside))
    return _with_missing(out, there, len(every))
