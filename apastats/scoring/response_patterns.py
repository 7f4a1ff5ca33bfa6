"""Response patterns and features as the verbs take them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from apastats.arguments import off_device
from apastats.errors import DataError, InputError
from apastats.io.rdm_labels import row_names
from apastats.io.read_patterns import PatternSets
from apastats.scoring.activations import Activations


class Patterns(NamedTuple):
    """One data set: train and test patterns (NaN columns are vertices the subject lacks)."""

    train: np.ndarray
    test: np.ndarray | None

    def features(self) -> np.ndarray:
        """Columns with values everywhere."""
        if self.test is None and np.isfinite(self.train.sum()):
            return np.ones(self.train.shape[1], dtype=bool)
        keep = np.isfinite(self.train).all(axis=0)
        return keep if self.test is None else keep & np.isfinite(self.test).all(axis=0)

    def compact(self) -> Patterns:
        """Without the columns the subject lacks."""
        keep = self.features()
        if keep.all():
            return self
        return Patterns(self.train[:, keep], None if self.test is None else self.test[:, keep])


LARGEST = 1e30  # its eighth power is a number
BY_POSITION = "rows of brain and models are matched by position: neither side names its stimuli"


def rows_by_name(brain: Any, models: Any) -> tuple[Any, Any, tuple[str, ...]]:
    """Data sets with their rows in one order, that of the first brain set, and a log.

    Frames name their rows by their index (unless it only counts), files and activations by the names they
    keep. Rows are matched by name where all sets have names, by position where none has.

    Raises
    ------
    DataError
        Names in some sets only, sets of other names, or names that repeat.
    """
    read_log = tuple(
        dict.fromkeys(
            line for side in (brain, models) if isinstance(side, PatternSets) for line in side.log
        )
    )
    sides = {"brain": _with_names(brain), "models": _with_names(models)}
    if not isinstance(sides["brain"], Mapping) or not isinstance(
        sides["models"], (Mapping, type(None))
    ):
        return brain, models, ()
    orders: dict[int, tuple[str, list[str]]] = {}
    bare: dict[int, str] = {}
    for argument, sets in sides.items():
        for key, value in (sets or {}).items():
            for k, part in enumerate(value if isinstance(value, tuple) else (value,)):
                names = row_names(part) if isinstance(part, pd.DataFrame) else None
                where = f"{argument}[{key}]"
                if names is None:
                    bare.setdefault(k, where)
                else:
                    orders.setdefault(k, (where, names))
    for k, (where, _) in orders.items():
        if k in bare:
            raise DataError(
                f"{where}: rows have names, those of {bare[k]} have none, and by position they could be in another "
                f"order. Give both names (data frames with an index), or neither"
            )
    if not orders:
        return (
            sides["brain"],
            sides["models"],
            (*read_log, *((BY_POSITION,) if sides["models"] else ())),
        )

    def ordered(part: Any, k: int, where: str) -> Any:
        if k not in orders:
            return part
        first, names = orders[k]
        own = row_names(part) or []
        if len(set(own)) < len(own):
            raise DataError(
                f"{where}: stimulus {next(n for n in own if own.count(n) > 1)!r} occurs several times"
            )
        if set(own) != set(names):
            odd = next(iter(set(own) ^ set(names)))
            raise DataError(f"{where}: other stimuli than {first}; {odd!r} is in one of them only")
        array = part.to_numpy()
        if own == names:
            return array
        place = {n: i for i, n in enumerate(own)}
        return array[[place[n] for n in names]]

    made = {
        argument: None
        if sets is None
        else {
            key: tuple(ordered(p, k, f"{argument}[{key}]") for k, p in enumerate(value))
            if isinstance(value, tuple)
            else ordered(value, 0, f"{argument}[{key}]")
            for key, value in sets.items()
        }
        for argument, sets in sides.items()
    }
    return made["brain"], made["models"], read_log


def _with_names(sets: Any) -> Any:
    """Sets whose rows are named by frames, wherever the names came from."""
    if isinstance(sets, Activations):
        return sets.patterns()
    return sets.frames() if isinstance(sets, PatternSets) else sets


REFERENCES_FROM = ("mean_patterns", "joined_units")


def other_people(
    data: Mapping[tuple[str, str], Patterns], reference_from: str = "mean_patterns"
) -> Iterator[tuple[str, str, Patterns]]:
    """What all other subjects say, for every subject and ROI that has any; see :func:`together`."""
    for subject in dict.fromkeys(s for s, _ in data):
        for roi in dict.fromkeys(r for _, r in data):
            rest = [p for (s, r), p in data.items() if r == roi and s != subject]
            if not rest:
                continue
            yield subject, roi, together(rest, reference_from, roi)


def together(people: Sequence[Patterns], reference_from: str, roi: str) -> Patterns:
    """One data set of several people's.

    ``mean_patterns``: the mean over people of every vertex, which has to be the same one in all. ``joined_units``: the
    vertices of all side by side, each person's about their means and of unit sum of squares; its Gram matrix is the
    sum of theirs.

    Raises
    ------
    DataError
        Mean patterns of people whose numbers of vertices differ.
    """
    if reference_from == "joined_units":
        return _joined(people)
    sizes = {p.train.shape[1] for p in people}
    if len(sizes) > 1:
        raise DataError(
            f"ROI {roi!r}: subjects have {sorted(sizes)} vertices; a mean pattern needs the same vertices "
            f"in the same order (NaN where a subject lacks one). reference_from='joined_units' needs none"
        )
    test = None if people[0].test is None else _nan_mean([p.test for p in people])
    return Patterns(_nan_mean([p.train for p in people]), test)


def _joined(people: Sequence[Patterns]) -> Patterns:
    train, test = [], []
    for p in (p.compact() for p in people):
        mean = p.train.mean(axis=0)
        size = float(np.sqrt(((p.train - mean) ** 2).sum())) or 1.0
        train.append((p.train - mean) / size)
        if p.test is not None:
            test.append((p.test - mean) / size)
    return Patterns(np.hstack(train), np.hstack(test) if test else None)


def _nan_mean(stack: Sequence[Any]) -> np.ndarray:
    values = np.stack(stack)
    present = np.isfinite(values)
    count = present.sum(axis=0)
    total = np.where(present, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def checked_patterns(sets: Any, argument: str, *, pairs: bool) -> dict[tuple[str, str], Patterns]:
    """Data sets under text keys; shapes, types and missing values checked."""
    if not isinstance(sets, Mapping) or not sets:
        raise InputError(
            argument, type(sets).__name__, "a mapping from pairs of labels to arrays, not empty"
        )
    out: dict[tuple[str, str], Patterns] = {}
    for key, value in sets.items():
        _check_key(argument, key)
        split = list(value) if pairs and isinstance(value, tuple) else [value]
        if len(split) > 2:
            raise InputError(f"{argument}[{key}]", len(split), "an array or a pair (train, test)")
        arrays = [_array(a, f"{argument}[{key}]") for a in split]
        if len({a.shape[1] for a in arrays}) > 1:
            raise DataError(f"{argument}[{key}]: train and test have different numbers of features")
        patterns = Patterns(arrays[0], arrays[1] if len(arrays) == 2 else None)
        # a sum is finite where all entries are
        partly = [
            np.isnan(a).any(axis=0) & ~np.isnan(a).all(axis=0)
            for a in arrays
            if not np.isfinite(a.sum())
        ]
        if any(p.any() for p in partly) or not patterns.features().any():
            raise DataError(
                f"{argument}[{key}]: features are NaN for some stimuli only, or all are NaN; a feature is missing "
                f"as a whole column or not at all"
            )
        out[str(key[0]), str(key[1])] = patterns
    if len(out) < len(sets):
        raise InputError(argument, list(sets), "keys that differ as text")
    return out


def _check_key(argument: str, key: Any) -> None:
    """Refuse a key that is no pair of labels."""
    if isinstance(key, tuple) and len(key) == 2 and not any(k is None or k != k for k in key):
        return
    what = "(subject, roi)" if argument in ("brain", "data") else "(model, layer)"
    timed = isinstance(key, tuple) and len(key) == 3 and argument == "data"
    hint = "Regions at time points are regions: {(s, f'{r} @ {t}'): x ...}." if timed else ""
    raise InputError(argument, key, f"keys that are pairs {what}, none missing", hint=hint)


def way_out(array: np.ndarray) -> str:
    """How an array of too many axes becomes patterns, in words; "" for others."""
    return {
        3: "; repeats [n_stimulus, n_repeat, n_unit] are averaged first, x.mean(axis=1); ncsnr(x) is their ceiling",
        4: "; maps of units become one row for each stimulus, x.reshape(len(x), -1)",
    }.get(array.ndim, "")


def _array(value: Any, name: str) -> np.ndarray:
    if isinstance(value, tuple):
        hint = "Pairs (train, test) are for encoding measures."
        raise InputError(name, f"a tuple of {len(value)}", "one array", hint=hint)
    try:
        array = np.asarray(off_device(value))
    except ValueError as error:
        raise DataError(f"{name}: rows of unequal length") from error
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
        raise DataError(
            f"{name}: shape {array.shape}, type {array.dtype}; allowed: [n_stimulus, n_feature] numbers"
            f"{way_out(array)}"
        )
    # one layout: products of matrices differ in their last digit between layouts
    array = array.astype("f8", order="C")
    if not np.isfinite(array.sum()) and np.isinf(array).any():
        raise DataError(f"{name}: infinite entries")
    largest = max(abs(np.nanmax(array, initial=0.0)), abs(np.nanmin(array, initial=0.0)))
    if largest > LARGEST or 0 < largest < 1 / LARGEST:
        raise DataError(
            f"{name}: the largest entry is {largest:.3g} in size; allowed: {1 / LARGEST:g} to {LARGEST:g}, as powers "
            "of it are taken. Give it in another unit"
        )
    return array


def check_same_rows(brain: Mapping[Any, Patterns], models: Mapping[Any, Patterns]) -> None:
    """Refuse features and responses of different stimuli."""
    first = next(iter(brain.values()))

    def shape(p: Patterns) -> tuple[int, int | None]:
        return len(p.train), None if p.test is None else len(p.test)

    for name, sets in (("brain", brain), ("models", models)):
        for key, p in sets.items():
            if shape(p) != shape(first):
                raise DataError(
                    f"{name}[{key}]: {shape(p)} (train, test) stimuli, the first brain data set has {shape(first)}"
                )
