"""What the names in a source of RDMs mean: which label is the subject, the ROI, the model; what names the stimuli."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import DataError, InputError
from apastats.io.columns import NAMES

__all__ = [
    "RawRDMs",
    "Texts",
    "canonical_labels",
    "counts",
    "role_of",
    "row_names",
    "stimulus_names",
    "text",
]

# the roles RDMs know; the names people give them stand in one table for scores and RDMs
ROLES = ("subject", "roi", "model", "layer")
SESSION = ("session", "ses", "session_id")
# names that say of themselves that they name stimuli
STIMULI = (
    *("stimulus", "stimuli", "stim", "stims", "stimulus_id", "stimulus_name", "stimuli_name"),
    *("stim_id", "cond", "conds", "condition", "conditions", "image", "images", "image_id"),
    *("image_name", "label", "labels", "name", "names", "filename", "nsd_id"),
)


def _compact(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


_ROLE = {_compact(n): r for r in ROLES for n in NAMES[r]} | {
    _compact(n): "session" for n in SESSION
}


@dataclass(frozen=True)
class Texts:
    """Labels known to be texts, none of them missing: columns as lists, and the frame if there is one yet."""

    columns: Mapping[str, list[str]]
    frame: pd.DataFrame | None = None

    @classmethod
    def of(cls, columns: Mapping[str, list[Any]]) -> Texts | None:
        """Columns that need no other name and no other text; None where they do."""
        plain = all(
            role_of(name) in (None, *columns)
            and all(type(v) is str and v == v.strip() for v in values)
            for name, values in columns.items()
        )
        return cls(columns) if plain and columns else None


@dataclass
class RawRDMs:
    """What a source holds, before anything is made of its names.

    Attributes
    ----------
    vectors : numpy.ndarray
        ``[n_rdm, n_pair]`` upper triangles.
    labels : pandas.DataFrame
        One row per RDM, under the source's own names.
    patterns : dict
        Descriptors of the stimuli by name, ``n_stimulus`` values each.
    measure : str or None
        Dissimilarity measure.
    log : list of str
        What reading left out or took for something.
    columns : dict, optional
        Labels as lists of values by name, in place of a frame, which takes longer to make than all else.
    looked : bool
        Whether the numbers were looked at: none is rounding alone, and none negative.
    """

    vectors: np.ndarray
    labels: pd.DataFrame
    patterns: dict[str, Any] = field(default_factory=dict)
    measure: str | None = None
    log: list[str] = field(default_factory=list)
    columns: Mapping[str, list[Any]] | None = None
    looked: bool = False

    def frame(self) -> pd.DataFrame:
        """The labels as a frame."""
        if self.columns is None:
            return self.labels
        return pd.DataFrame(self.columns, index=range(len(self.vectors)))


@lru_cache(maxsize=1024)
def role_of(name: str) -> str | None:
    """Label that a name stands for: subject, roi, model, layer, session, or None.

    Examples
    --------
    >>> [role_of(n) for n in ("ROI", "participant_id", "Layer Name", "hemisphere")]
    ['roi', 'subject', 'layer', None]
    """
    return _ROLE.get(_compact(name))


def text(values: Iterable[Any]) -> list[str]:
    """Labels as text: bytes decoded, whole numbers without a point (MATLAB's 1.0 is '1'), no outer blanks.

    Examples
    --------
    >>> text([1.0, b"a ", "001", 2.5])
    ['1', 'a', '001', '2.5']
    """
    out = []
    for v in values:
        if type(v) is str:  # by far the most
            out.append(v.strip())
            continue
        if type(v) is int:
            out.append(str(v))
            continue
        if isinstance(v, bytes):
            v = v.decode("utf-8", "replace")
        elif isinstance(v, (float, np.floating)) and float(v).is_integer():
            v = int(v)
        out.append(str(v).strip())
    return out


def counts(names: Iterable[Any]) -> bool:
    """Whether names only count, from 0 or from 1: they say no more than a position."""
    given = text(names)
    return any(given == [str(k + start) for k in range(len(given))] for start in (0, 1))


def row_names(frame: pd.DataFrame) -> list[str] | None:
    """Names of the rows of a frame; None where its index only counts."""
    return None if counts(frame.index) else text(frame.index)


def canonical_labels(labels: pd.DataFrame) -> tuple[pd.DataFrame | Texts, list[str]]:
    """Label columns under the names of the package, as texts where none is missing, and what was taken for what.

    Raises
    ------
    DataError
        If two columns claim one label.
    """
    taken: dict[str, str] = {}
    there = list(labels.columns)
    for given in map(str, there):
        role = role_of(given)
        if role is None or role in there:
            continue
        if role in taken.values():
            first = next(c for c, r in taken.items() if r == role)
            raise DataError(
                f"labels {first!r} and {given!r} both name the {role}; say labels={{{role!r}: {first!r}}}"
            )
        taken[given] = role
    log = [f"label {c!r} taken as {r}" for c, r in taken.items()]
    out = labels.rename(columns=taken) if taken else labels
    if not len(out.columns):
        out = out.assign(rdm=range(len(out)))
    made: dict[str, list[str]] = {}
    columns: dict[str, list[str]] = {}
    # by position: a column asked by name makes pandas index the names first
    for c, column in out.items():
        objects = column.to_numpy(dtype=object)
        if pd.isna(objects).any():
            continue
        values = objects.tolist()
        plain = columns[str(c)] = text(values)
        if plain != values or not isinstance(column.dtype, pd.StringDtype):
            made[str(c)] = plain
        padded = [v for v in values if isinstance(v, str) and v != v.strip()]
        if padded:
            log.append(f"blanks around labels removed in {c!r} (first: {padded[0]!r})")
    if made:
        return out.assign(**made), log
    known = list(columns) == list(out.columns)  # all are texts, and so are their names
    return (Texts(columns, out) if known else out), log


def _describes(name: Any, values: Any, n: int) -> bool:
    """Whether values are a descriptor of n stimuli; an index that counts 0, 1, 2, ... is none.

    Other kinds of values that may count are told by their texts.
    """
    if np.ndim(values) != 1 or len(values) != n:
        return False
    if name != "index":
        return True
    if isinstance(values, np.ndarray):
        return values.dtype.kind not in "iuf" or bool((values != np.arange(n)).any())
    return not isinstance(values, list) or values != list(range(n))


def stimulus_names(
    patterns: Mapping[str, Any], n: int, chosen: str | None = None
) -> tuple[tuple[str, ...], str, list[str]]:
    """Names of the stimuli among their descriptors: the one with a distinct value for each of them.

    Parameters
    ----------
    patterns : mapping
        Descriptors by name, ``n`` values each; others are no descriptors. ``index``, where it counts
        0, 1, 2, ..., is no name.
    n : int
        Number of stimuli.
    chosen : str, optional
        The descriptor to take.

    Returns
    -------
    names : tuple of str
        Empty where nothing names the stimuli.
    named_by : str
        The descriptor that does.
    log : list of str

    Raises
    ------
    InputError
        If ``chosen`` does not exist or repeats values.
    DataError
        If several descriptors could be the name, or the only one that says it is repeats values.
    """
    known = {
        str(k): text(np.asarray(v).ravel() if isinstance(v, np.ndarray) else v)
        for k, v in patterns.items()
        if _describes(k, v, n)
    }
    if known.get("index") == list(map(str, range(n))):
        del known["index"]
    if chosen is not None:
        if chosen not in known:
            raise InputError(
                "stimuli", chosen, f"a descriptor of the stimuli, {list(known)}, or names"
            )
        if len(set(known[chosen])) < n:
            raise InputError(
                "stimuli",
                chosen,
                f"a descriptor with {n} distinct values; it has {len(set(known[chosen]))}",
            )
        return tuple(known[chosen]), chosen, [f"stimuli named by {chosen!r}"]
    found = {k: v for k, v in known.items() if len(set(v)) == n}
    # an index that does not count was made by sorting or subsetting: better than a position
    named = {k: v for k, v in found.items() if k != "index"} or found
    distinct = list(dict.fromkeys(map(tuple, named.values())))
    if len(distinct) > 1:
        raise DataError(
            f"{len(named)} descriptors name every stimulus once: {list(named)}; choose by "
            f"stimuli={next(iter(named))!r}"
        )
    if distinct:
        key = next(iter(named))
        usual = key in ("stimulus", "stimuli")
        return distinct[0], key, [] if usual else [f"stimuli named by {key!r}"]
    repeated = [k for k in known if k.casefold() in STIMULI]
    if repeated:
        values = known[repeated[0]]
        twice = next(v for v in values if values.count(v) > 1)
        raise DataError(
            f"stimulus {twice!r} occurs {values.count(twice)} times in {repeated[0]!r}; give names by stimuli=[...]"
        )
    log = [f"{k!r} does not tell stimuli apart and names none" for k in known if k != "index"]
    return (), "", log
