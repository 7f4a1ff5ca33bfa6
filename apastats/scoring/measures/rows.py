"""Rows of the score table by a measure: models, other subjects and their mean, all by the same code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import DegenerateWarning, DesignError, warn
from apastats.numbers.backends import Backend
from apastats.resampling.parallel import elsewhere, run_tasks
from apastats.scoring.measures.entry import Measure
from apastats.scoring.response_patterns import Patterns, other_people

__all__ = ["measured_rows"]

BLOCK_BYTES = 2**26
TASKS = 64  # for other processes
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
    measure.check_folds(brain, models)
    keys = list(brain)
    with_test = measure.splits and next(iter(brain.values())).test is not None
    targets = [_prepared(measure, p.compact(), backend) for p in brain.values()]
    if measure.stack is not None:
        targets = measure.stack(targets, backend)
    parts = [
        _frame(measure, kind, names, keys, values, kept, reference_from, split, with_test)
        for kind, names, kept, values in _values(
            measure, brain, models, references, targets, reference_from, batch, backend
        )
    ]
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


def _values(
    measure: Measure,
    brain: Sets,
    models: Sets,
    references: Sequence[str],
    targets: Any,
    reference_from: str,
    batch: int | None,
    backend: Backend,
) -> Iterator[tuple[str, Sequence[tuple[str, str]], np.ndarray, np.ndarray]]:
    """Kind, predictors, which of their values are rows, and the values; in the processes that the caller chose."""
    keys = list(brain)
    subjects = np.array([s for s, _ in keys], dtype=object)
    several = len(set(subjects)) > 1
    size = batch or _batch(len(next(iter(brain.values())).train), backend)

    def tasks() -> Iterator[tuple[Any, ...]]:
        """What a row of the result is named, and what makes its values."""
        for names in _blocks(list(models), _at_once(len(models), size, measure)):
            kept = np.ones((len(names), len(keys)), dtype=bool)
            yield ("model", names, kept), ([models[key] for key in names], None, targets)
        if several and "subject_to_subject" in references:
            for place in _blocks(list(range(len(keys))), _at_once(len(keys), size, measure)):
                kept = subjects[place][:, None] != subjects
                named = ("subject_to_subject", [keys[i] for i in place], kept)
                yield named, (None, _some(targets, place), targets)
        if several and "leave_one_out" in references:
            for subject, roi, mean in other_people(brain, reference_from):
                own = subjects == subject
                named = ("leave_one_out", [("others", roi)], own[None])
                yield named, ([mean], None, _some(targets, np.flatnonzero(own)))

    if elsewhere():
        every = list(tasks())
        work = [(measure, *task, backend) for _, task in every]
        found: Iterator[dict[str, np.ndarray]] = run_tasks(_task, work, label="scoring")
        made = zip((named for named, _ in every), found, strict=True)
    else:
        made = ((named, _task(measure, *task, backend)) for named, task in tasks())  # type: ignore
    for named, part in made:
        kind, names, kept = named
        values = part["values"]
        if kind == "leave_one_out":
            whole = np.full((2, 1, len(keys)), np.nan)
            whole[:, :, kept[0]] = values
            values = whole
        yield kind, names, kept, values


def _task(
    measure: Measure,
    patterns: Sequence[Patterns] | None,
    ready: Any,
    targets: Any,
    backend: Backend,
) -> dict[str, np.ndarray]:
    """Values of some predictors: of patterns, or of what was prepared already."""
    if patterns is not None:
        ready = [_prepared(measure, p.compact(), backend) for p in patterns]
    return {"values": _compare(measure, ready, targets, backend)}


def _at_once(n: int, size: int, measure: Measure) -> int:
    """Predictors of a task; a matrix product rounds by its size, which stays that of one process."""
    return size if measure.stack is not None or not elsewhere() else min(size, -(-n // TASKS) or 1)


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
