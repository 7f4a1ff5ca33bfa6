"""Rows of a table of scores in their standard form: labels as text, scores as numbers, no key twice."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import choice, instance
from apastats.errors import DataError, RepeatedRowsError

__all__ = [
    "BRAIN_ROWS",
    "DEFAULTS",
    "KEY_COLUMNS",
    "KINDS",
    "REGION",
    "SEPARATOR",
    "TIME",
    "joined_cells",
    "own_time",
    "predictor_of",
    "standardise",
]

KINDS = ("model", "subject_to_subject", "leave_one_out")
SPLITS = ("train", "test")
KEY_COLUMNS = ("kind", "model", "layer", "subject", "roi", "metric", "split")
DEFAULTS = {"kind": "model", "layer": "-", "metric": "score", "split": "test"}
TIME = "time"  # column of time points, which make cells with the ROIs
REGION = "region"  # column of the ROI of such a cell
SEPARATOR = " @ "  # between a ROI and the further labels of a cell
LARGEST = 1e100  # their squares and sums are numbers
#: what to do where a table has rows of models alone
BRAIN_ROWS = (
    "Rows of brains say how people predict each other: column kind is 'leave_one_out' or "
    "'subject_to_subject', layer the ROI that predicts, model the person ('others' for leave_one_out). "
    "apa.score(brain_rdms, model_rdms) and apa.score_patterns make them; noise_ceiling takes the RDMs of brains."
)
_PART = 1 << 20  # rows of text made at once


def standardise(
    frame: pd.DataFrame,
    outcomes: tuple[str, ...],
    covariates: tuple[str, ...],
    on_duplicate: str,
    source: str,
) -> tuple[pd.DataFrame, list[str], int, list[str]]:
    """Check and order the columns of a table, and its keys.

    Parameters
    ----------
    frame : pandas.DataFrame
        As given to :class:`apastats.ScoreTable`; labels may be categories, which is the fast way.
    outcomes, covariates : tuple of str
    on_duplicate : {"error", "first"}
    source : str
        For messages.

    Returns
    -------
    frame : pandas.DataFrame
    log : list of str
    n_duplicate : int
        Rows left out because they repeat the key of another.
    differ : list of str
        Covariates in which rows left out differ from the row kept.

    Raises
    ------
    DataError
        If a column or label is missing, a score is no number, or a key is repeated.
    """
    instance("frame", frame, pd.DataFrame)
    choice("on_duplicate", on_duplicate, ("error", "first"))
    needed = ["model", "subject", "roi", *outcomes]
    missing = [c for c in needed if c not in frame.columns]
    if missing:
        raise DataError(
            f"{source}: missing column {missing[0]!r}; needed are {needed}, found {list(map(str, frame.columns))}"
        )
    if frame.empty:
        raise DataError(f"{source}: there are no rows")
    defaults = {c: v for c, v in DEFAULTS.items() if c not in frame.columns}
    frame, log = _words_known(frame)
    n = len(frame)
    others = [c for c in frame.columns if c not in KEY_COLUMNS and c not in outcomes]
    columns: dict[str, Any] = {}
    codes: dict[str, tuple[np.ndarray, int]] = {}
    for c in KEY_COLUMNS:
        if c in defaults:
            columns[c] = _text(np.zeros(n, np.int8), [defaults[c]])
        else:
            codes[c], columns[c] = _labels(frame[c], c, source)
    for c in others:
        if c not in covariates:
            found, levels = _factors(frame[c])
            codes[c] = (found, len(levels))
        columns[c] = _kept(frame[c])
    columns |= {c: _outcome(frame[c], c, source) for c in outcomes}
    kinds = [DEFAULTS["kind"]] if "kind" in defaults else _factors(frame["kind"])[1]
    unknown = [k for k in map(str, kinds) if k not in KINDS]
    if unknown:
        raise DataError(f"{source}: unknown kind {unknown[0]!r}; allowed: {list(KINDS)}")
    made = pd.DataFrame(columns, copy=False)
    repeated = _repeated(list(codes.values()), n)
    n_duplicate, varying = 0, []
    if repeated is not None:
        varying = _differ(made.loc[repeated[1]], list(codes), covariates)
        differ = (
            f"; they differ in {varying}; in Python: keys= makes a column part of the key"
            if varying
            else ""
        )
        if on_duplicate == "error":
            shown = made.loc[repeated[1], [*KEY_COLUMNS, *outcomes]].head(5)
            raise RepeatedRowsError(
                f"{source}: {int(repeated[0].sum())} rows repeat the key of another row (on_duplicate='first' keeps "
                f"the first){differ}. First five:\n{shown.to_string(index=False)}",
                _group(made.loc[repeated[1]], list(codes)),
            )
        made = made[~repeated[0]].reset_index(drop=True)
        n_duplicate = int(repeated[0].sum())
        log.append(f"{n_duplicate} duplicate rows dropped, the first of each kept{differ}")
    n_nan = int(made[outcomes[0]].isna().sum())
    if n_nan:
        log.append(f"{n_nan} of {len(made)} values of {outcomes[0]} are NaN; kept and masked")
    return made, log, n_duplicate, varying


def _words_known(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Kinds and splits in their one spelling: ``Train`` is train, ``Leave-One-Out`` leave_one_out."""
    log = []
    for c, known in (("kind", KINDS), ("split", SPLITS)):
        if c not in frame.columns or not frame.columns.is_unique:
            continue
        found = [v for v in frame[c].unique() if isinstance(v, str) and v not in known]
        plain = {v: re.sub(r"[\s-]+", "_", v.strip().casefold()) for v in found}
        renamed = {v: word for v, word in plain.items() if word in known}
        if renamed:
            frame = frame.assign(**{c: frame[c].astype(object).replace(renamed)})
            log += [f"{c}: {v!r} taken as {word!r}" for v, word in renamed.items()]
    return frame, log


def _group(rows: pd.DataFrame, key: list[str]) -> tuple[int, ...]:
    """Numbers of the rows that share the key of the first."""
    same = np.ones(len(rows), dtype=bool)
    for c in key:
        values = rows[c].to_numpy()
        same &= np.array([v == values[0] or (v != v and values[0] != values[0]) for v in values])
    return tuple(map(int, rows.index[same]))


def _differ(rows: pd.DataFrame, key: list[str], covariates: tuple[str, ...]) -> list[str]:
    """Covariates in which rows of the first repeated key differ."""
    same = rows.loc[list(_group(rows, key))]
    return [c for c in covariates if same[c].map(str).nunique() > 1]


def _factors(column: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Codes ``[n]`` (-1: no value) and distinct values of a column."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.array.codes, column.cat.categories
    codes, levels = pd.factorize(column)
    return codes, pd.Index(levels)


def _kept(column: pd.Series) -> Any:
    """A column that is no key and no outcome, as it is; categories of text become text."""
    if isinstance(column.dtype, pd.CategoricalDtype) and all(
        isinstance(v, str) for v in column.cat.categories
    ):
        return _text(*_factors(column))
    return column.array


def _text(codes: np.ndarray, levels: Any) -> Any:
    """A text column of codes and their labels; no value where the code is -1."""
    import pyarrow as pa

    texts = pa.array([str(v) for v in levels], pa.large_string())
    if len(texts) == 1 and codes.min(initial=0) == 0:
        return pd.array(pa.repeat(texts[0], len(codes)), dtype="str")
    parts = []
    # in parts: one long column of text is written into memory that grows by doubling
    for start in range(0, len(codes), _PART):
        part = codes[start : start + _PART].astype(np.int32)
        index = pa.array(part, mask=part < 0 if (part < 0).any() else None)
        parts.append(pa.DictionaryArray.from_arrays(index, texts).cast(pa.large_string()))
    return pd.array(pa.chunked_array(parts, pa.large_string()), dtype="str")


def _labels(column: pd.Series, name: str, source: str) -> tuple[tuple[np.ndarray, int], Any]:
    """Codes of a key column with their number, and its labels as text: subject 1 and subject "1" are one."""
    codes, levels = _factors(column)
    if (codes < 0).any():
        raise DataError(
            f"{source}: column {name!r} has no value in row {int((codes < 0).argmax())}"
        )
    texts = pd.Index([str(v) for v in levels], dtype="str")
    if not texts.is_unique:
        merged, texts = pd.factorize(texts)
        codes = merged[codes]
    if column.dtype == "str" and all(isinstance(v, str) for v in levels):
        return (codes, len(texts)), column.array
    return (codes, len(texts)), _text(codes, texts)


def _outcome(column: pd.Series, name: str, source: str) -> np.ndarray:
    kind = getattr(column.dtype, "kind", "O")
    try:
        if kind in "bcmM":
            raise TypeError(f"it holds {column.dtype}")
        values: np.ndarray = pd.to_numeric(column).to_numpy(dtype="f8", na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise DataError(f"{source}: column {name!r} must be numbers ({error})") from error
    infinite = np.isinf(values)
    if infinite.any():
        raise DataError(f"{source}: column {name!r} is infinite in row {int(infinite.argmax())}")
    huge = np.abs(values) > LARGEST
    if huge.any():
        # squares of larger ones leave the range of numbers
        raise DataError(
            f"{source}: column {name!r} is {values[huge.argmax()]:g} in row {int(huge.argmax())}, beyond {LARGEST:g}: "
            "use another unit"
        )
    return values


def _repeated(
    factors: list[tuple[np.ndarray, int]], n: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows that repeat an earlier one, and all rows of such groups; None where every row is its own.

    Codes are joined to one number per row, the number of levels being the base; far cheaper than hashing labels.
    """
    joined = np.zeros(n, dtype=np.int64)
    size = 1
    for codes, levels in factors:
        missing = bool((codes < 0).any())
        base = levels + missing
        if base == 1:
            continue
        if size > 2**62 // base:
            joined, uniques = pd.factorize(joined)
            size = len(uniques)
        joined *= base
        joined += codes
        joined += missing
        size *= base
    if size <= 16 * n:
        seen = np.zeros(size, dtype=bool)
        seen[joined] = True
        if np.count_nonzero(seen) == n:
            return None
    else:
        ordered = np.sort(joined)
        if not (ordered[1:] == ordered[:-1]).any():
            return None
    found = pd.Series(joined)
    return found.duplicated().to_numpy(), found.duplicated(keep=False).to_numpy()


def predictor_of(frame: pd.DataFrame, column: str) -> pd.Series:
    """The label of the predictor of every row where a brain predicts: its own column, or that of what is predicted."""
    own = f"predictor_{column}"
    if own not in frame.columns:
        return frame[column]
    return frame[own].where(frame["kind"] != "model", frame[column])


def own_time(frame: pd.DataFrame) -> pd.Series:
    """Rows in which a time point predicts itself; all rows of a table without time points that predict others."""
    if TIME not in frame.columns:
        return pd.Series(True, index=frame.index)
    return predictor_of(frame, TIME) == frame[TIME]


def joined_cells(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Rows whose ROI is a cell of ROI and further columns, of predicting brains too; ``region`` keeps the ROI.

    Examples
    --------
    >>> f = pd.DataFrame({"kind": ["leave_one_out"], "layer": "V4", "roi": "V1", "time": "50"})
    >>> joined_cells(f, ("time",))[["layer", "roi", "region"]].to_numpy().tolist()
    [['V4 @ 50', 'V1 @ 50', 'V1']]
    """
    roi, layer = frame["roi"].astype(str), frame["layer"].astype(str)
    brain = (frame["kind"] != "model") & (layer != DEFAULTS["layer"])
    for c in columns:
        roi = roi + SEPARATOR + frame[c].map(str)
        layer = layer.where(~brain, layer + SEPARATOR + predictor_of(frame, c).map(str))
    predictors = [f"predictor_{c}" for c in columns if f"predictor_{c}" in frame.columns]
    return frame.assign(**{REGION: frame["roi"], "roi": roi, "layer": layer}).drop(
        columns=predictors
    )
