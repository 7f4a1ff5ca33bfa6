"""Rows of the score table by a measure: models, other subjects and their mean, all by the same code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import DegenerateWarning, DesignError, warn
from apastats.numbers.backends import Backend
from apastats.scoring.measures.entry import Measure
from apastats.scoring.response_patterns import Patterns, other_people

__all__ = ["measured_rows"]

BLOCK_BYTES = 2**26
Sets = Mapping[tuple[str, str], Patterns]


def measured_rows(
    measure: Measure,
    brain: Sets,
    models: Sets,
    references: Sequence[str],
    *,
    reference_from: str,
    split: str,
    batch: int | None,
    backend: Backend,
) -> pd.DataFrame:
    """Scores of every predictor for every brain data set, in the columns of the table.

    Raises
    ------
    DesignError
        Fewer stimuli than the measure needs, or nothing to score.

    Warns
    -----
    DegenerateWarning
        If a score is NaN.
    """
    n = len(next(iter(brain.values())).train)
    if n < measure.least:
        raise DesignError(f"{measure.name}: {n} stimuli; at least {measure.least} are needed")
    measure.check_folds(*([p.compact().train for p in side.values()] for side in (brain, models)))
    keys = list(brain)
    with_test = measure.splits and next(iter(brain.values())).test is not None
    targets = [_prepared(measure, p.compact(), backend) for p in brain.values()]
    if measure.stack is not None:
        targets = measure.stack(targets, backend)
    size = batch or _batch(n, backend)
    parts: list[pd.DataFrame] = []

    def add(
        kind: str, names: Sequence[tuple[str, str]], values: np.ndarray, kept: np.ndarray
    ) -> None:
        parts.append(
            _frame(measure, kind, names, keys, values, kept, reference_from, split, with_test)
        )

    for names in _blocks(list(models), size):
        made = [_prepared(measure, models[key].compact(), backend) for key in names]
        values = _compare(measure, made, targets, backend)
        add("model", names, values, np.ones(values.shape[1:], dtype=bool))
    subjects = np.array([s for s, _ in keys], dtype=object)
    if len(set(subjects)) > 1 and "subject_to_subject" in references:
        for place in _blocks(list(range(len(keys))), size):
            values = _compare(measure, _some(targets, place), targets, backend)
            kept = subjects[place][:, None] != subjects
            add("subject_to_subject", [keys[i] for i in place], values, kept)
    if len(set(subjects)) > 1 and "leave_one_out" in references:
        for subject, roi, mean in other_people(brain, reference_from):
            own = np.flatnonzero(subjects == subject)
            made = [_prepared(measure, mean.compact(), backend)]
            values = np.full((2, 1, len(keys)), np.nan)
            values[:, :, own] = _compare(measure, made, _some(targets, own), backend)
            add("leave_one_out", [("others", roi)], values, subjects[None] == subject)
    if not parts:
        raise DesignError(
            "nothing to score: models is None, and references need at least two subjects"
        )
    frame = pd.concat(parts, ignore_index=True)
    missing = int(frame["score"].isna().sum())
    if missing:
        warn(
            f"{missing} of {len(frame)} scores by {measure.name} are NaN: a data set (or what is predicted for it) "
            f"does not vary, or the measure is not defined for it",
            DegenerateWarning,
        )
    return frame


def _some(targets: Any, places: Sequence[int] | np.ndarray) -> Any:
    """Some of what was prepared, a list of it or one array."""
    chosen = [int(i) for i in places]
    return targets[chosen] if hasattr(targets, "ndim") else [targets[i] for i in chosen]


def _prepared(measure: Measure, patterns: Patterns, backend: Backend) -> Any:
    """What the measure compares: of both parts where it takes them, of the one there is otherwise."""
    if measure.prepare is None:
        raise DesignError(f"{measure.name} is scored from RDMs")
    data = patterns if measure.splits else patterns.train
    return measure.prepare(data, backend, **measure.options)


def _compare(
    measure: Measure, predictors: Sequence[Any], targets: Sequence[Any], backend: Backend
) -> np.ndarray:
    """``[2, n_predictor, n_target]``: the part that is fitted and the test part; NaN without one."""
    if measure.compare is None:
        raise DesignError(f"{measure.name} is scored from RDMs")
    found = np.asarray(measure.compare(predictors, targets, backend, **measure.options), dtype="f8")
    return found if measure.splits else np.stack([found, np.full(found.shape, np.nan)])


def _batch(n: int, backend: Backend) -> int:
    return max(1, BLOCK_BYTES // (np.dtype(backend.dtype).itemsize * n * n))


def _blocks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _frame(
    measure: Measure,
    kind: str,
    names: Sequence[tuple[str, str]],
    keys: Sequence[tuple[str, str]],
    values: np.ndarray,
    kept: np.ndarray,
    reference_from: str,
    split: str,
    with_test: bool,
) -> pd.DataFrame:
    p, t = (i.tolist() for i in np.nonzero(kept))
    columns = pd.DataFrame(
        {
            "kind": kind,
            "model": [names[i][0] for i in p],
            "layer": [names[i][1] for i in p],
            "subject": [keys[i][0] for i in t],
            "roi": [keys[i][1] for i in t],
            "metric": measure.name,
            "reference_from": reference_from if kind == "leave_one_out" else "-",
        }
    )
    first = columns.assign(split="train" if with_test else split, score=values[0, p, t])
    if not with_test:
        return first
    return pd.concat(
        [first, columns.assign(split="test", score=values[1, p, t])], ignore_index=True
    )
