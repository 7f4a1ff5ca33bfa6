"""Coefficients of contrasts between means, by the names of the field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import comb, gcd
from typing import Any

import numpy as np

from apastats.calls import not_among
from apastats.errors import InputError
from apastats.memory import reserve

__all__ = ["METHODS", "canonical_method", "contrast_rows"]

METHODS = (
    "pairwise", "revpairwise", "trt.vs.ctrl", "deviation", "deviation_others", "consecutive", "mean_change", "poly",
    "identity",
)  # fmt: skip
# the names of R's emmeans, and the field's others
ALIASES = {
    "trt.vs.ctrl1": "trt.vs.ctrl", "dunnett": "trt.vs.ctrl", "trt.vs.ctrlk": "trt.vs.ctrl",
    "eff": "deviation", "del.eff": "deviation_others", "consec": "consecutive", "mean_chg": "mean_change",
    "polynomial": "poly",
}  # fmt: skip
AMBIGUOUS = re.compile(r"[-+*/]")


def canonical_method(method: Any) -> Any:
    """Our name of a method; a mapping stays as it is."""
    if isinstance(method, Mapping):
        return method
    name = ALIASES.get(method, method) if isinstance(method, str) else method
    if name not in METHODS:
        raise InputError(
            "method", method,
            f"one of {list(METHODS)} (or R's {list(ALIASES)}), or a mapping name -> coefficients",
        )  # fmt: skip
    return name


def _clear(label: str) -> str:
    """A label that can stand in a difference: in parentheses where it holds an operator itself."""
    wrapped = label.startswith("(") and label.endswith(")")
    return f"({label})" if AMBIGUOUS.search(label) and not wrapped else label


def _reference(ref: Any, labels: list[str]) -> int:
    if ref is None:
        return 0
    if isinstance(ref, (int, np.integer)) and not isinstance(ref, bool):
        if not 0 <= ref < len(labels):
            raise InputError("ref", ref, f"a label, or a position from 0 to {len(labels) - 1}")
        return int(ref)
    if str(ref) not in labels:
        raise not_among("ref", ref, labels)
    return labels.index(str(ref))


def contrast_rows(method: Any, labels: list[str], ref: Any = None) -> tuple[list[str], np.ndarray]:
    """Names and coefficients ``[c, k]`` of contrasts between ``k`` means.

    Parameters
    ----------
    method : str or mapping
        ``pairwise`` (earlier minus later), ``revpairwise``, ``trt.vs.ctrl`` (each minus ``ref``), ``deviation`` (each
        minus the mean of all), ``deviation_others`` (each minus the mean of the others), ``consecutive`` (each minus
        the one before), ``mean_change`` (mean of those after minus mean of those up to each), ``poly`` (orthogonal
        polynomials over the order of levels up to degree 6, in the smallest whole numbers), ``identity``; R's names
        for them; or a mapping name -> coefficients.
    labels : list of str
    ref : str or int, optional
        Control of ``trt.vs.ctrl``; the first where None (the last for ``trt.vs.ctrlk``).

    Notes
    -----
    Labels that hold an operator stand in parentheses, ``a - (b - c)``, so that no two contrasts read alike.
    """
    k = len(labels)
    if isinstance(method, Mapping):
        return _custom(method, labels)
    name = canonical_method(method)
    if ref is not None and name != "trt.vs.ctrl":
        raise InputError("ref", ref, "None unless method is 'trt.vs.ctrl'")
    if name == "identity":
        return list(labels), np.eye(k)
    if k < 2:
        raise InputError("method", method, "two means or more to compare")
    shown = [_clear(v) for v in labels]
    if name == "trt.vs.ctrl":
        r = k - 1 if method == "trt.vs.ctrlk" and ref is None else _reference(ref, labels)
        others = np.delete(np.arange(k), r)
        return _differences(shown, others, np.full(k - 1, r))
    return _ROWS[name](shown)


Rows = tuple[list[str], np.ndarray]


def _differences(shown: list[str], i: np.ndarray, j: np.ndarray) -> Rows:
    """Each mean of ``i`` minus that of ``j``."""
    reserve(
        f"weights of {len(i):,} contrasts of {len(shown):,} means",
        24.0 * len(i) * len(shown),
        "'trt.vs.ctrl' compares with one of them; best() finds those that may be the best",
    )
    eye = np.eye(len(shown))
    return [f"{shown[a]} - {shown[b]}" for a, b in zip(i, j, strict=True)], eye[i] - eye[j]


def _pairwise(shown: list[str]) -> Rows:
    return _differences(shown, *np.triu_indices(len(shown), 1))


def _reversed(shown: list[str]) -> Rows:
    return _differences(shown, *np.triu_indices(len(shown), 1)[::-1])


def _consecutive(shown: list[str]) -> Rows:
    later = np.arange(1, len(shown))
    return _differences(shown, later, later - 1)


def _deviation(shown: list[str]) -> Rows:
    return [f"{v} effect" for v in shown], np.eye(len(shown)) - 1 / len(shown)


def _deviation_others(shown: list[str]) -> Rows:
    # a mean minus that of the k - 1 others is k / (k - 1) times its deviation from the mean of all
    k = len(shown)
    return [f"{v} effect" for v in shown], (np.eye(k) - 1 / k) * (k / (k - 1))


def _mean_change(shown: list[str]) -> Rows:
    k = len(shown)
    rows = [np.where(np.arange(k) <= i, -1 / (i + 1), 1 / (k - 1 - i)) for i in range(k - 1)]
    return [f"{shown[i]}|{shown[i + 1]}" for i in range(k - 1)], np.array(rows)


def _polynomials(shown: list[str]) -> Rows:
    k = len(shown)
    degrees = range(1, min(k - 1, 6) + 1)
    words = ["linear", "quadratic", "cubic", "quartic"]
    names = [words[d - 1] if d <= 4 else f"degree {d}" for d in degrees]
    return names, np.array([_polynomial(k, d) for d in degrees], dtype=float)


# a new method is a line here and its name in METHODS
_ROWS: dict[str, Callable[[list[str]], Rows]] = {
    "pairwise": _pairwise, "revpairwise": _reversed, "deviation": _deviation,
    "deviation_others": _deviation_others, "consecutive": _consecutive, "mean_change": _mean_change,
    "poly": _polynomials,
}  # fmt: skip


def _custom(method: Mapping[str, Any], labels: list[str]) -> tuple[list[str], np.ndarray]:
    """Contrasts given as coefficients, or as a mapping label -> coefficient."""
    names, rows = [], []
    k = len(labels)
    for name, row in method.items():
        given = row
        if isinstance(row, Mapping):
            unknown = [v for v in row if str(v) not in labels]
            if unknown:
                raise InputError("method", {name: row}, f"coefficients of means among {labels}")
            by_label = {str(v): c for v, c in row.items()}
            row = [by_label.get(v, 0.0) for v in labels]
        try:
            values = np.asarray(row, dtype=float)
        except (TypeError, ValueError):
            values = np.full(0, np.nan)
        if values.shape != (k,) or not np.isfinite(values).all():
            raise InputError(
                "method", {name: given},
                f"{k} finite coefficients, one per mean, or a mapping label -> coefficient: {labels}",
            )  # fmt: skip
        names.append(str(name))
        rows.append(values)
    if not rows:
        raise InputError("method", method, "at least one contrast")
    return names, np.array(rows)


def _polynomial(k: int, degree: int) -> list[int]:
    """Orthogonal polynomial over k equally spaced levels in the smallest whole numbers (discrete Chebyshev)."""
    values = [
        sum(
            (-1) ** (degree - j) * comb(k - 1 - j, degree - j) * comb(degree + j, j) * comb(x, j)
            for j in range(degree + 1)
        )
        for x in range(k)
    ]
    return [v // gcd(*values) for v in values]
