"""The fixed part of a model: its columns, how they are made again for other rows, and which the data determine."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import DataError, DesignError, FormulaError
from apastats.mixed.engine.formula import MixedFormula, original_names, renamed, safe_names

MOST_NUMBERS = 3 * 10**8  # 2.4 GB
MOST_COLUMNS = 4000  # their products and the inverses of these; 5,000 took 8 GB

__all__ = ["FixedPart", "column_name", "fixed_part", "functions"]


@dataclass(frozen=True)
class FixedPart:
    """Fixed columns and how to build them again for other rows.

    Attributes
    ----------
    X : numpy.ndarray
        ``[n, p]``, treatment coding, the first level is the reference.
    names : tuple of str
        Column names in the style ``(Intercept), modelm2, modelm2:x``.
    terms : tuple of (str, tuple of int)
        Term and its columns, the intercept left out.
    factors : dict
        Factor -> its levels in order.
    covariates : dict
        Numeric column -> its mean.
    spec : object
        The library's specification of the columns.
    kept : tuple of int
        Columns of the library's matrix that are in ``X``, where some are aliased.
    null : numpy.ndarray
        ``[p_full, d]`` basis of the combinations of all columns that are 0 in every row; empty at full rank.
    aliased : tuple of str
        Names of the columns left out.
    """

    X: np.ndarray
    names: tuple[str, ...]
    terms: tuple[tuple[str, tuple[int, ...]], ...]
    factors: dict[str, list[Any]]
    covariates: dict[str, float]
    spec: Any
    kept: tuple[int, ...] = ()
    null: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    aliased: tuple[str, ...] = ()

    def estimable(self, L: np.ndarray) -> np.ndarray:
        """Rows of ``L [m, p_full]`` as combinations of the columns kept ``[m, p]``; NaN where not estimable.

        A combination is determined by the data if it is orthogonal to every combination of columns that is 0 in
        all rows (Searle 1971, Linear Models, section 5.4).
        """
        if not self.null.size:
            return L
        out: np.ndarray = L[:, list(self.kept)].copy()
        size = np.sqrt((L * L).sum(axis=1, keepdims=True))
        out[(np.abs(L @ self.null) > 1e-8 * size).any(axis=1)] = np.nan
        return out

    def of_rows(self, keep: np.ndarray) -> FixedPart:
        """These columns for some of the rows; combinations of these columns may no longer be estimable there.

        ``estimable`` then takes rows ``[m, p]`` of the columns of this part.
        """
        X = self.X[keep]
        kept, null = _independent(X)
        place = {old: new for new, old in enumerate(kept)}
        return replace(
            self,
            X=X[:, kept],
            names=tuple(self.names[j] for j in kept),
            terms=tuple((t, tuple(place[j] for j in at if j in place)) for t, at in self.terms),
            kept=tuple(kept),
            null=null,
            aliased=tuple(n for j, n in enumerate(self.names) if j not in place),
        )

    def rows(self, frame: pd.DataFrame) -> np.ndarray:
        """Fixed columns ``[n, p]`` of new rows, NaN where the data do not determine their value."""
        return self.estimable(self.all_rows(frame))

    def all_rows(self, frame: pd.DataFrame) -> np.ndarray:
        """All fixed columns ``[n, p_full]`` of new rows, those left out as aliased included."""
        new = pd.DataFrame(index=frame.index)
        for name, safe in safe_names([*self.factors, *self.covariates]).items():
            new[safe] = frame[name]
            if name in self.factors:
                new[safe] = pd.Categorical(frame[name], categories=self.factors[name])
        if new.empty and not len(new.columns):
            new["row"] = 0.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            built = self.spec.get_model_matrix(new, context=functions(), na_action="ignore")
        return np.asarray(built, dtype=float)


def column_name(label: str) -> str:
    """Library name ``model[T.m2]:x`` as ``modelm2:x``."""
    if label == "Intercept":
        return "(Intercept)"
    return label.replace("[T.", "").replace("[", "").replace("]", "")


def functions() -> dict[str, Any]:
    """Functions of a formula that the library lacks."""
    from apastats.mixed.engine.splines import ns

    return {"sqrt": np.sqrt, "ns": ns}


def _kinds(
    frame: pd.DataFrame, variables: list[str]
) -> tuple[dict[str, list[Any]], dict[str, float]]:
    """Factors with their levels, and covariates with their means."""
    factors: dict[str, list[Any]] = {}
    covariates: dict[str, float] = {}
    for name in variables:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            factors[name] = list(frame[name].cat.categories)
            if len(factors[name]) < 2:
                raise DesignError(
                    f"the factor {name!r} has one level, {factors[name][0]!r}: it cannot be an effect"
                )
        else:
            covariates[name] = float(frame[name].mean())
    return factors, covariates


def _built(formula: MixedFormula, frame: pd.DataFrame, ordered: list[str]) -> Any:
    """Matrix of the library, under safe names."""
    from formulaic import Formula

    place = safe_names(ordered)
    data = frame[ordered].rename(columns=place)
    if not ordered:  # an intercept needs rows to repeat over
        data = pd.DataFrame({"row": np.zeros(len(frame))}, index=frame.index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Formula(renamed(formula.fixed, place)).get_model_matrix(
                data, context=functions(), na_action="ignore"
            )
        except Exception as error:
            raise _refusal(formula, ordered, error) from error


def _refusal(formula: MixedFormula, ordered: list[str], error: Exception) -> FormulaError:
    """What the library says, in the user's names."""
    first = str(error).split("\n")[0]  # below it may be a drawing for terminals
    said = original_names(first, ordered)
    return FormulaError(formula.text, f"the fixed part cannot be built ({said})")


def fixed_part(formula: MixedFormula, frame: pd.DataFrame, variables: list[str]) -> FixedPart:
    """Fixed columns of the rows of a frame; aliased ones are left out."""
    factors, covariates = _kinds(frame, variables)
    ordered = [*factors, *covariates]
    _check_size(formula, frame, factors)
    built = _built(formula, frame, ordered)
    spec = built.model_spec
    X = np.asarray(built, dtype=float)
    labels = [str(c) for c in built.columns]
    terms: list[tuple[str, tuple[int, ...]]] = []
    for part in spec.structure:
        at = tuple(labels.index(str(c)) for c in part.columns)
        if str(part.term) != "1" and at:
            terms.append((original_names(str(part.term), ordered), at))
    if X.shape[1] == 0:
        raise FormulaError(formula.text, "the fixed part has no column; write 1 for a mean")
    names = tuple(column_name(original_names(c, ordered)) for c in labels)
    if not np.isfinite(X).all():
        row, j = np.argwhere(~np.isfinite(X))[0]
        raise DataError(
            f"the fixed column {names[j]!r} is {X[row, j]:g} in row {row}: outside the function's domain"
        )
    kept, null = _independent(X)
    _check_offset(X, names, kept)
    if len(kept) == X.shape[1]:
        return FixedPart(X, names, tuple(terms), factors, covariates, spec)
    where = {j: i for i, j in enumerate(kept)}
    left = tuple((t, tuple(where[j] for j in at if j in where)) for t, at in terms)
    return FixedPart(
        X[:, kept], tuple(names[j] for j in kept), tuple((t, at) for t, at in left if at),
        factors, covariates, spec, tuple(kept), null, tuple(n for j, n in enumerate(names) if j not in where),
    )  # fmt: skip


def _check_size(formula: MixedFormula, frame: pd.DataFrame, factors: dict[str, list[Any]]) -> None:
    """Refuse a table of fixed columns that would fill the memory, before it is made."""
    if not factors:
        return
    from formulaic import Formula

    ordered = [*factors, *(c for c in frame.columns if c not in factors)]
    place = safe_names(ordered)
    levels = {place[name]: len(v) for name, v in factors.items()}
    try:
        parsed = Formula(renamed(formula.fixed, place))
    except Exception as error:
        raise _refusal(formula, ordered, error) from error
    columns = sum(prod(levels.get(f.expr, 1) for f in term.factors) for term in parsed)
    largest = max(factors, key=lambda name: len(factors[name]))
    numbers = len(frame) * columns
    if numbers > MOST_NUMBERS or columns > MOST_COLUMNS:
        raise DesignError(
            f"the fixed part has {columns} columns ({len(factors[largest])} levels of {largest!r}) in {len(frame)} "
            f"rows, a table of {8e-9 * numbers:.1f} GB; make the levels random, (1 | {largest}), whose effects are in "
            f"random_effects(), or compare them with apa.equivalence or apa.compare, which need no such table"
        )


def _check_offset(X: np.ndarray, names: tuple[str, ...], kept: list[int]) -> None:
    """Refuse a column that seems to be a constant because it lies so far from 0: it is left out for no other reason."""
    for j in sorted(set(range(X.shape[1])) - set(kept)):
        x = X[:, j]
        middle = float(x.mean())
        around = x - middle
        spread = float(np.abs(around).max())
        # rounded when it was stored, an x far from 0 still varies by thousands of its last digits
        if spread <= 1e3 * np.spacing(abs(middle)) or spread > 1e-5 * abs(middle):
            continue
        others = np.column_stack([np.ones(len(x)), X[:, [i for i in kept if i < j]]])
        rest = around - others @ np.linalg.lstsq(others, around, rcond=None)[0]
        if np.linalg.norm(rest) > 1e-7 * np.linalg.norm(around):
            raise DesignError(
                f"the fixed column {names[j]!r} varies by {spread:.3g} around {middle:.6g}, too far from 0 to be told "
                f"from a constant: subtract {middle:.6g} from it"
            )


def _independent(X: np.ndarray) -> tuple[list[int], np.ndarray]:
    """Columns to keep, and a basis ``[p, d]`` of the combinations of all columns that are 0 in every row.

    Earlier columns are kept: they are made orthogonal in order, as a reader of the formula would.
    """
    p = X.shape[1]
    norms = np.sqrt((X * X).sum(axis=0))
    norms[norms == 0] = 1.0
    scaled = X / norms
    if len(X) >= p and np.linalg.eigvalsh(scaled.T @ scaled)[0] > 1e-9:
        return list(range(p)), np.zeros((0, 0))
    kept: list[int] = []
    null: list[np.ndarray] = []
    basis = np.empty((len(X), 0))
    for j in range(p):
        rest = scaled[:, j] - basis @ (basis.T @ scaled[:, j])
        rest -= basis @ (basis.T @ rest)
        size = float(np.linalg.norm(rest))
        if size >= 1e-7:
            kept.append(j)
            basis = np.column_stack([basis, rest / size])
            continue
        vector = np.zeros(p)
        vector[j] = 1 / norms[j]
        if kept:
            vector[kept] = (
                -np.linalg.lstsq(scaled[:, kept], scaled[:, j], rcond=None)[0] / norms[kept]
            )
        null.append(vector / np.linalg.norm(vector))
    return kept, np.array(null).T if null else np.zeros((0, 0))
