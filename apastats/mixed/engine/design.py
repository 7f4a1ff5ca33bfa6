"""From a formula and a frame to arrays: grouping codes and random-effect columns beside the fixed part."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import array, column
from apastats.calls import alike
from apastats.errors import AliasedWarning, DataError, DesignError, FormulaError, InputError, warn
from apastats.mixed.engine.fixed_part import FixedPart, column_name, fixed_part, functions
from apastats.mixed.engine.formula import (
    MixedFormula,
    RandomTerm,
    original_names,
    renamed,
    safe_names,
    variables_in,
)
from apastats.mixed.engine.outcomes import OUTCOMES

__all__ = [
    "Design",
    "Grouping",
    "build_design",
    "build_groupings",
    "effect_columns",
    "transform_outcome",
]


@dataclass(frozen=True)
class Grouping:
    """All random effects that belong to one grouping factor.

    Attributes
    ----------
    name : str
        Such as ``subject`` or ``subject:roi``.
    levels : list of str
    codes : numpy.ndarray
        ``[n]``, or ``[n, m]`` for multi-membership.
    W : numpy.ndarray
        ``[n, k]`` columns whose coefficients vary by level.
    effects : tuple of str
        Names of these columns.
    free : numpy.ndarray
        ``[k, k]`` lower-triangular booleans: free entries of the relative Cholesky factor.
    terms : tuple of (str, tuple of int)
        Term of the formula and its columns.
    columns : tuple of str
        Columns of the data that make the grouping.
    """

    name: str
    levels: list[str]
    codes: np.ndarray
    W: np.ndarray
    effects: tuple[str, ...]
    free: np.ndarray
    terms: tuple[tuple[str, tuple[int, ...]], ...]
    columns: tuple[str, ...]

    @property
    def members(self) -> bool:
        """Whether rows belong to several levels."""
        return self.codes.ndim == 2

    @property
    def n_levels(self) -> int:
        """Number of levels."""
        return len(self.levels)

    @property
    def size(self) -> int:
        """Random effects per level."""
        return len(self.effects)


@dataclass(frozen=True)
class Design:
    """All arrays of one model.

    ``weights`` are relative precisions (mean 1), ``weight_scale`` what they were divided by; ``residual_codes`` are
    groups of rows with a residual variance of their own, and ``residual_levels`` their names. ``source`` is the table
    as given, ``positions`` its rows that are used. ``y`` is the outcome minus ``offset``.
    """

    formula: MixedFormula
    y: np.ndarray
    fixed: FixedPart
    groupings: tuple[Grouping, ...]
    weights: np.ndarray | None = None
    residual_codes: np.ndarray | None = None
    residual_levels: tuple[str, ...] = ()
    residual_by: str | None = None
    frame: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: tuple[str, ...] = ()
    weight_scale: float = 1.0
    source: pd.DataFrame = field(default_factory=pd.DataFrame)
    positions: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))
    offset: np.ndarray | None = None

    def column(self, name: str) -> pd.Series | None:
        """A column of the table the fit was made of, in the rows used; None where there is none."""
        if not isinstance(name, str) or name not in self.source.columns:
            return None
        return self.source[name].iloc[self.positions]

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.y)

    @property
    def p(self) -> int:
        """Fixed columns."""
        return len(self.fixed.names)

    @cached_property
    def Z(self) -> tuple[Any, ...]:
        """Sparse random-effect columns of every grouping."""
        return tuple(random_columns(g, self.n) for g in self.groupings)


def random_columns(grouping: Grouping, n: int) -> Any:
    """Sparse ``[n, n_levels * size]`` columns of one grouping, level-major."""
    from scipy.sparse import csr_array

    k = grouping.size
    codes = grouping.codes if grouping.members else grouping.codes[:, None]
    m = codes.shape[1]
    columns = (codes[:, :, None] * k + np.arange(k)).reshape(n, m * k)
    values = np.broadcast_to(grouping.W[:, None, :], (n, m, k)).reshape(n, m * k)
    pointers = np.arange(0, n * m * k + 1, m * k)
    Z = csr_array((values.ravel(), columns.ravel(), pointers), shape=(n, grouping.n_levels * k))
    Z.sum_duplicates()  # a row that has the same level twice
    return Z


def transform_outcome(values: np.ndarray, transform: str | None, name: str) -> np.ndarray:
    """Outcome on the scale of the model.

    ``fisher_z`` is atanh(r), ``logit`` is log(p / (1 - p)), ``log`` the natural logarithm.
    """
    if transform is None:
        return values
    return OUTCOMES[transform].forward(values, name)


def _known(frame: pd.DataFrame, names: list[str], formula: MixedFormula) -> None:
    for name in names:
        if name not in frame.columns:
            raise InputError(
                "formula", formula.text, f"columns among {list(map(str, frame.columns))}",
                hint=f"{name!r} is not a column. {alike(name, map(str, frame.columns))}".strip(),
            )  # fmt: skip


def _as_factor(column: pd.Series) -> pd.Series:
    """Text, boolean and categorical columns as categories with sorted levels; numbers stay numbers."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.remove_unused_categories()
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.astype(float)
    codes, levels = pd.factorize(column, sort=True)
    return pd.Series(pd.Categorical.from_codes(codes, categories=levels), index=column.index)


def _usable_rows(
    frame: pd.DataFrame, formula: MixedFormula, used: list[str], missing: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Rows without gaps in the columns used."""
    outcome = formula.outcome
    try:
        values = frame[outcome].to_numpy(dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(f"the outcome {outcome!r} must be numbers ({error})") from error
    if np.isinf(values).any():
        raise DataError(
            f"the outcome {outcome!r} is infinite in row {int(np.isinf(values).argmax())}"
        )
    gaps = frame[used].isna().any(axis=1).to_numpy()
    if not gaps.any():
        return frame, ()
    where = [c for c in used if frame[c].isna().any()]
    if missing == "error":
        raise DataError(
            f"{int(gaps.sum())} of {len(frame)} rows lack a value in {where} (first: row {int(gaps.argmax())}); "
            f"missing='drop' leaves them out"
        )
    kept = frame.loc[~gaps]
    if kept.empty:
        raise DataError(f"no row has a value in all of {used}")
    return kept, (
        f"{int(gaps.sum())} of {len(frame)} rows left out: no value in {', '.join(where)}",
    )


def _codes(frame: pd.DataFrame, columns: tuple[str, ...]) -> tuple[np.ndarray, list[str]]:
    """Integer codes of the combinations that occur, and their labels."""
    codes, levels = pd.factorize(frame[columns[0]], sort=True)
    labels = [str(v) for v in levels]
    for name in columns[1:]:
        more, levels = pd.factorize(frame[name], sort=True)
        joint = codes.astype(np.int64) * len(levels) + more
        codes, found = pd.factorize(joint, sort=True)
        names = [str(v) for v in levels]
        labels = [f"{labels[int(v) // len(names)]}:{names[int(v) % len(names)]}" for v in found]
    return codes.astype(np.int64), labels


def _member_codes(frame: pd.DataFrame, columns: tuple[str, ...]) -> tuple[np.ndarray, list[str]]:
    stacked = pd.concat([frame[c].astype(str) for c in columns], ignore_index=True)
    codes, levels = pd.factorize(stacked, sort=True)
    return codes.reshape(len(columns), -1).T.astype(np.int64), [str(v) for v in levels]


def effect_columns(
    term: RandomTerm, frame: pd.DataFrame, formula: MixedFormula
) -> list[tuple[np.ndarray, list[str]]]:
    """One set of columns per covariance block of the term."""
    from formulaic import Formula

    if term.effects == ("1",):
        return [(np.ones((len(frame), 1)), ["(Intercept)"])]
    if term.correlated:
        pieces = [
            " + ".join(
                ("1" if "1" in term.effects else "0", *(e for e in term.effects if e != "1"))
            )
        ]
    else:
        pieces = ["1" if e == "1" else f"0 + {e}" for e in term.effects]
    out = []
    for piece in pieces:
        if piece == "1":
            out.append((np.ones((len(frame), 1)), ["(Intercept)"]))
            continue
        ordered = variables_in(piece)
        place = safe_names(ordered)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                built = Formula(renamed(piece, place)).get_model_matrix(
                    frame[ordered].rename(columns=place), context=functions(), na_action="ignore"
                )
        except Exception as error:
            said = original_names(str(error), ordered)
            raise FormulaError(formula.text, f"{term.text} cannot be built ({said})") from error
        W = np.asarray(built, dtype=float)
        names = [column_name(original_names(str(c), ordered)) for c in built.columns]
        if not np.isfinite(W).all():
            row, j = np.argwhere(~np.isfinite(W))[0]
            raise DataError(f"the column {names[j]!r} of {term.text} is {W[row, j]:g} in row {row}")
        out.append((W, names))
    return out


def build_groupings(formula: MixedFormula, frame: pd.DataFrame) -> tuple[Grouping, ...]:
    """Grouping factors of the random terms, terms of one factor together."""
    by_name: dict[str, list[RandomTerm]] = {}
    for term in formula.random:
        by_name.setdefault(term.group_name, []).append(term)
    out = []
    for name, terms in by_name.items():
        first = terms[0]
        make = _member_codes if first.members else _codes
        codes, levels = make(frame, first.group)
        if len(levels) < 2:
            raise DesignError(
                f"the grouping {name!r} has one level, {levels[0]!r}: no variance can be estimated"
            )
        columns: list[np.ndarray] = []
        effects: list[str] = []
        owners: list[tuple[str, tuple[int, ...]]] = []
        free = np.zeros((0, 0), dtype=bool)
        for term in terms:
            start = len(effects)
            for W, names in effect_columns(term, frame, formula):
                k = len(names)
                old = len(effects)
                grown = np.zeros((old + k, old + k), dtype=bool)
                grown[:old, :old] = free
                grown[old:, old:] = np.tri(k, dtype=bool)
                free = grown
                columns.append(W)
                effects += names
            owners.append((term.text, tuple(range(start, len(effects)))))
        if len(set(effects)) < len(effects):
            again = next(e for e in effects if effects.count(e) > 1)
            raise DesignError(
                f"the effect {again!r} varies by {name!r} in two terms; write (0 + x | {name}) for a slope alone"
            )
        if len(levels) * len(effects) >= len(frame) and not first.members:
            raise DesignError(
                f"more random effects than data: {name!r} has {len(levels)} levels x {len(effects)} effects for "
                f"{len(frame)} rows; such a term cannot be told from the residual"
            )
        out.append(
            Grouping(
                name,
                levels,
                codes,
                np.hstack(columns),
                tuple(effects),
                free,
                tuple(owners),
                first.group,
            )
        )
    return tuple(out)


def _row_weights(values: Any, frame: pd.DataFrame, argument: str) -> np.ndarray:
    if isinstance(values, str):
        column(argument, values, frame.columns)
        values = frame[values]
    out = array(argument, values, infinite=True, allowed="positive numbers, one per row")
    if out.shape != (len(frame),):
        raise InputError(
            argument, f"shape {out.shape}", f"one number per row, shape ({len(frame)},)"
        )
    if not (np.isfinite(out) & (out > 0)).all():
        bad = int(np.argmin(np.isfinite(out) & (out > 0)))
        raise InputError(argument, float(out[bad]), f"positive finite numbers (row {bad})")
    return out


def _offset(formula: MixedFormula, data: pd.DataFrame) -> np.ndarray | None:
    """Known part of the mean ``[n]``."""
    if formula.offset is None:
        return None
    try:
        values = data[formula.offset].to_numpy(dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(f"the offset {formula.offset!r} must be numbers ({error})") from error
    if not np.isfinite(values).all():
        raise DataError(
            f"the offset {formula.offset!r} is infinite in row {int((~np.isfinite(values)).argmax())}"
        )
    return values


def build_design(
    formula: MixedFormula,
    frame: pd.DataFrame,
    *,
    weights: Any = None,
    std_error: Any = None,
    residual_by: str | None = None,
    missing: str = "error",
) -> Design:
    """Arrays of a model.

    Parameters
    ----------
    formula : MixedFormula
    frame : pandas.DataFrame
        One row per observation.
    weights, std_error : str or array, optional
        Precision of the rows, or their known standard errors (precision 1 / se^2).
    residual_by : str, optional
        Column whose levels have residual variances of their own.
    missing : {"error", "drop"}
        What to do about rows without a value.

    Returns
    -------
    Design
    """
    variables = sorted(variables_in(formula.fixed))
    effects = sorted({v for t in formula.random for e in t.effects for v in variables_in(e)})
    groups = sorted({c for t in formula.random for c in t.group})
    extra = [c for c in (residual_by, formula.offset) if c is not None]
    used = list(dict.fromkeys([formula.outcome, *variables, *effects, *groups, *extra]))
    _known(frame, used, formula)
    if formula.outcome in variables:
        raise FormulaError(formula.text, f"the outcome {formula.outcome!r} stands on both sides")
    if weights is not None and std_error is not None:
        raise InputError("std_error", std_error, "None where weights are given")
    precision = None
    if weights is not None:
        precision = _row_weights(weights, frame, "weights")
    elif std_error is not None:
        precision = _row_weights(std_error, frame, "std_error") ** -2.0
    # positions, so that weights given as an array follow the rows kept
    data = frame[used].reset_index(drop=True)
    data, notes = _usable_rows(data, formula, used, missing)
    scale = 1.0
    if precision is not None:
        precision = precision[data.index.to_numpy()]
        scale = float(precision.mean())
        precision = precision / scale
    positions = data.index.to_numpy()
    data = data.reset_index(drop=True)
    for name in {*variables, *effects}:
        data[name] = _as_factor(data[name])
    for name in (*variables, *effects):
        column = data[name]
        if not isinstance(column.dtype, pd.CategoricalDtype) and not np.isfinite(column).all():
            raise DataError(
                f"the covariate {name!r} is infinite in row {int((~np.isfinite(column)).argmax())}"
            )
    y = transform_outcome(
        data[formula.outcome].to_numpy(dtype=float), formula.transform, formula.outcome
    )
    offset = _offset(formula, data)
    if offset is not None:
        y = y - offset
    fixed = fixed_part(formula, data, variables)
    if fixed.aliased:
        text = (
            f"{len(fixed.aliased)} fixed column(s) can be written by the others (an empty combination of levels, or a "
            f"covariate that is constant within a factor) and are left out: {', '.join(fixed.aliased)}. Means that "
            f"need them have no value"
        )
        warn(text, AliasedWarning)
        notes = (*notes, text)
    if len(y) <= len(fixed.names):
        raise DesignError(f"{len(fixed.names)} fixed coefficients need more than {len(y)} rows")
    groupings = build_groupings(formula, data)
    codes: np.ndarray | None = None
    levels: list[str] = []
    if residual_by is not None:
        codes, levels = _codes(data, (residual_by,))
        if len(levels) < 2:
            raise DesignError(f"residual_by={residual_by!r} has one level, {levels[0]!r}")
        few = np.bincount(codes) < 2
        if few.any():
            raise DesignError(
                f"residual_by={residual_by!r}: level {levels[int(few.argmax())]!r} has one row; no variance of its own"
            )
    return Design(
        formula, y, fixed, groupings, precision, codes, tuple(levels), residual_by, data, notes, scale,
        frame, positions, offset,
    )  # fmt: skip
