"""Verbs of response patterns at every time point of a brain that has them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from apastats.errors import ApaWarning, InputError, warn
from apastats.io.read_patterns import PatternSets
from apastats.recording import call_text
from apastats.rows import TIME
from apastats.table import ScoreTable

__all__ = ["each_time", "time_points"]

F = TypeVar("F", bound=Callable[..., ScoreTable])


def time_points(brain: Any) -> dict[str, dict[tuple[Any, Any], Any]]:
    """Data sets of every time point, by its name; none where the keys are no triples (subject, roi, time).

    Examples
    --------
    >>> time_points({("s1", "V1", 0): "a", ("s1", "V1", 50): "b"})
    {'0': {('s1', 'V1'): 'a'}, '50': {('s1', 'V1'): 'b'}}
    """
    sets = brain.frames() if isinstance(brain, PatternSets) else brain
    found: dict[str, dict[tuple[Any, Any], Any]] = {}
    if not isinstance(sets, Mapping):
        return found
    for key, value in sets.items():
        if not isinstance(key, tuple) or len(key) != 3:
            return {}
        found.setdefault(str(key[2]), {})[key[0], key[1]] = value
    return found


def each_time(verb: F) -> F:
    """Verb whose ``brain`` may have keys ``(subject, roi, time)``: it runs at every time point, column ``time``.

    What it warns of is said once for all time points.
    """

    @wraps(verb)
    def run(*given: Any, **named: Any) -> ScoreTable:
        points = time_points(given[0] if given else named.get("brain"))
        if not points:
            return verb(*given, **named)  # which says what is missing
        args, options = given[1:], {k: v for k, v in named.items() if given or k != "brain"}
        if isinstance(options.get("by_unit"), (str, Path)):
            raise InputError(
                "by_unit", options["by_unit"], "True or False where there are time points"
            )
        tables: list[ScoreTable] = []
        told: dict[type[ApaWarning], list[str]] = {}
        for time, sets in points.items():
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                tables.append(verb(sets, *args, **options))
            for w in caught:
                if issubclass(w.category, ApaWarning):
                    told.setdefault(w.category, []).append(f"{w.message} (time {time})")
        for category, messages in told.items():
            more = f", and at {len(messages) - 1} more time points" if len(messages) > 1 else ""
            warn(messages[0] + more, category)
        frame = pd.concat(
            [t.frame.assign(**{TIME: k}) for t, k in zip(tables, points, strict=True)],
            ignore_index=True,
        )
        log = dict.fromkeys(line for t in tables for line in t.log)
        # one call, as the user wrote it, and not that of every time point
        facts = replace(tables[0].facts, calls=(call_text(verb, *given, **named),))
        return replace(tables[0], frame=frame, log=tuple(log), facts=facts)

    return run  # type: ignore[return-value]
