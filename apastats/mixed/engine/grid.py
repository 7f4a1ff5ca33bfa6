"""Reference grids: which combinations of coefficients are marginal means, slopes, and contrasts between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import comb, gcd
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import InputError
from apastats.mixed.engine.design import FixedPart

__all__ = ["Grid", "as_names", "contrast_rows", "reference_grid"]

METHODS = ("pairwise", "revpairwise", "trt.vs.ctrl", "deviation", "consecutive", "poly")


@dataclass(frozen=True)
class Grid:
    """Rows of marginal means.

    Attributes
    ----------
    rows : pandas.DataFrame
        One row per mean: columns of ``by`` and ``specs``.
    L : numpy.ndarray
        ``[m, p]`` combination of coefficients per mean.
    specs, by : tuple of str
        Columns that are compared, and those within which they are.
    held : str
        What the means are averaged over or held at, in words.
    trend : str or None
        Covariate whose slope is meant instead of a mean.
    """

    rows: pd.DataFrame
    L: np.ndarray
    specs: tuple[str, ...]
    by: tuple[str, ...]
    held: str
    trend: str | None = None

    def labels(self) -> list[str]:
        """One text per mean, without the ``by`` columns."""
        return [
            " / ".join(str(v) for v in row)
            for row in self.rows[list(self.specs)].itertuples(index=False)
        ]

    def groups(self) -> list[np.ndarray]:
        """Positions of the means of every ``by`` combination."""
        if not self.by:
            return [np.arange(len(self.rows))]
        codes = self.rows.groupby(list(self.by), sort=False, observed=True).ngroup().to_numpy()
        return [np.flatnonzero(codes == c) for c in range(codes.max() + 1)]


def as_names(value: Any, argument: str) -> tuple[str, ...]:
    """Column names from a string ``"a"``, ``"a:b"`` or a sequence."""
    if value is None:
        return ()
    if isinstance(value, str):
        names = tuple(v.strip() for v in value.replace("*", ":").split(":"))
    elif isinstance(value, Sequence):
        names = tuple(value)
    else:
        raise InputError(argument, value, "a column name or a list of them")
    if not names or not all(isinstance(v, str) and v for v in names):
        raise InputError(argument, value, "a column name or a list of them")
    return names


def reference_grid(
    fixed: FixedPart,
    specs: Any,
    *,
    by: Any = None,
    at: Mapping[str, Any] | None = None,
    trend: str | None = None,
) -> Grid:
    """Marginal means as combinations of coefficients.

    Factors that are neither in ``specs`` nor in ``by`` are averaged with equal weights; covariates are
    held at their mean,
    or take the values of ``at``.
    """
    spec_names, by_names = as_names(specs, "specs"), as_names(by, "by")
    at = dict(at or {})
    known = [*fixed.factors, *fixed.covariates]
    for argument, names in (("specs", spec_names), ("by", by_names), ("at", tuple(at))):
        for name in names:
            if name not in known:
                raise InputError(argument, name, f"a variable of the fixed part: {known}")
    both = set(spec_names) & set(by_names)
    if both:
        raise InputError("by", sorted(both)[0], "a column that is not in specs")
    if trend is not None and trend not in fixed.covariates:
        raise InputError("trend", trend, f"a covariate of the fixed part: {list(fixed.covariates)}")
    values: dict[str, list[Any]] = {}
    for name in known:
        if name in at:
            given = at[name]
            listed = (
                [given]
                if isinstance(given, str) or not isinstance(given, Sequence | np.ndarray)
                else list(given)
            )
            if name in fixed.factors:
                unknown = [v for v in listed if v not in fixed.factors[name]]
                if unknown:
                    raise InputError(f"at[{name!r}]", unknown[0], f"one of {fixed.factors[name]}")
            elif not all(np.isreal(v) and np.isfinite(v) for v in listed):
                raise InputError(f"at[{name!r}]", given, "finite numbers")
            values[name] = listed
        else:
            values[name] = (
                fixed.factors[name] if name in fixed.factors else [fixed.covariates[name]]
            )
    # by varies slowest, then specs, then what is averaged
    rest = [n for n in known if n not in spec_names and n not in by_names]
    # the first of several specs varies fastest, as in a table read downwards
    shown = [*reversed(by_names), *reversed(spec_names)]
    order = [*shown, *rest]
    frame = (
        pd.DataFrame(list(product(*(values[n] for n in order))), columns=order)
        if order
        else pd.DataFrame({"row": [0.0]})
    )
    X = _rows(fixed, frame, trend)
    n_averaged = int(np.prod([len(values[n]) for n in rest])) if rest else 1
    L = X.reshape(-1, n_averaged, X.shape[1]).mean(axis=1)
    rows = frame[[*by_names, *spec_names]].iloc[::n_averaged].reset_index(drop=True)
    words = []
    averaged = [n for n in rest if n in fixed.factors and len(values[n]) > 1]
    if averaged:
        words.append("averaged with equal weights over " + ", ".join(averaged))
    held = [
        f"{n} = {values[n][0]:.6g}"
        for n in fixed.covariates
        if n not in shown and n != trend and len(values[n]) == 1
    ]
    if held:
        words.append("at " + ", ".join(held))
    return Grid(
        rows,
        L,
        spec_names,
        by_names,
        "; ".join(words) or "every variable of the fixed part is shown",
        trend,
    )


def _rows(fixed: FixedPart, frame: pd.DataFrame, trend: str | None) -> np.ndarray:
    """Fixed columns of the grid, or their derivative in a covariate (central difference)."""
    if trend is None:
        return fixed.rows(frame)
    step = 1e-4 * max(1.0, float(np.abs(frame[trend]).max()))
    up, down = frame.copy(), frame.copy()
    up[trend] = frame[trend].astype(float) + step
    down[trend] = frame[trend].astype(float) - step
    return (fixed.rows(up) - fixed.rows(down)) / (2 * step)


def _reference(ref: Any, labels: list[str]) -> int:
    if ref is None:
        return 0
    if isinstance(ref, (int, np.integer)) and not isinstance(ref, bool):
        if not 0 <= ref < len(labels):
            raise InputError("ref", ref, f"a label, or a position from 0 to {len(labels) - 1}")
        return int(ref)
    if str(ref) not in labels:
        raise InputError("ref", ref, f"one of {labels}")
    return labels.index(str(ref))


def contrast_rows(method: Any, labels: list[str], ref: Any = None) -> tuple[list[str], np.ndarray]:
    """Names and coefficients ``[c, k]`` of contrasts between ``k`` means.

    Parameters
    ----------
    method : str or mapping
        ``pairwise`` (earlier minus later), ``revpairwise``, ``trt.vs.ctrl`` (each minus ``ref``),
        ``deviation`` (each minus
        the mean of all), ``consecutive`` (each minus the one before), ``poly`` (orthogonal polynomials over the order
        of levels up to degree 6, in the smallest whole numbers), or a mapping name -> coefficients.
    labels : list of str
    ref : str or int, optional
        Control of ``trt.vs.ctrl``; the first where None.
    """
    k = len(labels)
    eye = np.eye(k)
    if isinstance(method, Mapping):
        names, rows = [], []
        for name, row in method.items():
            values = np.asarray(row, dtype=float)
            if values.shape != (k,) or not np.isfinite(values).all():
                raise InputError(
                    "method", {name: row}, f"{k} finite coefficients, one per mean: {labels}"
                )
            names.append(str(name))
            rows.append(values)
        if not rows:
            raise InputError("method", method, "at least one contrast")
        return names, np.array(rows)
    if method not in METHODS:
        raise InputError(
            "method", method, f"one of {list(METHODS)}, or a mapping name -> coefficients"
        )
    if ref is not None and method != "trt.vs.ctrl":
        raise InputError("ref", ref, "None unless method is 'trt.vs.ctrl'")
    if k < 2:
        raise InputError("method", method, "two means or more to compare")
    if method in ("pairwise", "revpairwise"):
        i, j = np.triu_indices(k, 1)
        if method == "revpairwise":
            i, j = j, i
        return [f"{labels[a]} - {labels[b]}" for a, b in zip(i, j, strict=True)], eye[i] - eye[j]
    if method == "trt.vs.ctrl":
        r = _reference(ref, labels)
        others = [i for i in range(k) if i != r]
        return [f"{labels[i]} - {labels[r]}" for i in others], eye[others] - eye[r]
    if method == "deviation":
        return [f"{v} effect" for v in labels], eye - 1 / k
    if method == "consecutive":
        return [f"{labels[i + 1]} - {labels[i]}" for i in range(k - 1)], eye[1:] - eye[:-1]
    degrees = range(1, min(k - 1, 6) + 1)
    words = ["linear", "quadratic", "cubic", "quartic"]
    names = [words[d - 1] if d <= 4 else f"degree {d}" for d in degrees]
    return names, np.array([_polynomial(k, d) for d in degrees], dtype=float)


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
