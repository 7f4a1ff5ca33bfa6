"""Verbs of response patterns at every time point of a brain that has them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from apastats.arguments import flag
from apastats.errors import ApaWarning, DataError, InputError, warn
from apastats.io.read_patterns import PatternSets
from apastats.recording import call_text
from apastats.rows import SEPARATOR, TIME
from apastats.table import ScoreTable

__all__ = ["each_time", "refuse_across_time", "time_points"]

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
    keys = [key for key in sets if isinstance(key, tuple)]
    timed = [key for key in keys if len(key) == 3]
    if not timed or len(keys) < len(sets) or {len(key) for key in keys} - {2, 3}:
        return found  # the verb says what is allowed
    if len(timed) < len(keys):
        odd = next(key for key in keys if len(key) == 2)
        raise InputError(
            "brain", f"keys {timed[0]} and {odd}", "keys with a time in all, or in none"
        )
    for key, value in sets.items():
        if key[2] is None or key[2] != key[2]:
            raise InputError("brain", key, "a time point that is not missing")
        at = found.setdefault(str(key[2]), {})
        if (key[0], key[1]) in at:
            raise InputError("brain", key, "keys that differ as text")
        at[key[0], key[1]] = value
    return found


def refuse_across_time(across_time: bool) -> None:
    """Say that there are no time points, where they are to predict one another."""
    if across_time:
        raise InputError("across_time", True, "False where the keys of brain have no time point")


def each_time(verb: F) -> F:
    """Verb whose ``brain`` may have keys ``(subject, roi, time)``: it runs at every time point, column ``time``.

    What it warns of is said once for all time points. With ``across_time``, where the verb has it, it runs once, with
    every region at every time point as a region; brains then predict other time points too, ``predictor_time``.
    """
    across = "across_time" in signature(verb).parameters

    @wraps(verb)
    def run(*given: Any, **named: Any) -> ScoreTable:
        points = time_points(given[0] if given else named.get("brain"))
        if not points:
            return verb(*given, **named)  # which says what is missing

        def text() -> str:
            return call_text(run, *given, **named)

        args, options = given[1:], {k: v for k, v in named.items() if given or k != "brain"}
        if isinstance(options.get("by_unit"), (str, Path)):
            raise InputError(
                "by_unit", options["by_unit"], "True or False where there are time points"
            )
        if across and flag("across_time", options.pop("across_time", False)):
            made = _across(
                points, lambda sets, **more: verb(sets, *args, **options | more), options
            )
            return replace(made, facts=replace(made.facts, calls=(text(),)))
        tables: list[ScoreTable] = []
        told: dict[type[ApaWarning], list[str]] = {}
        for time, sets in points.items():
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                tables.append(verb(sets, *args, **options | _timed(options, time)))
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
        facts = replace(tables[0].facts, calls=(text(),))
        return replace(tables[0], frame=frame, log=tuple(log), facts=facts)

    return run  # type: ignore[return-value]


def _timed(options: Mapping[str, Any], time: str) -> dict[str, Any]:
    """Ceilings of units at a time point, where they have keys ``(subject, roi, time)``."""
    given = options.get("ceilings")
    return {"ceilings": sets.get(time, {})} if (sets := time_points(given)) else {}


def _across(
    points: dict[str, dict[tuple[Any, Any], Any]],
    scored: Callable[..., ScoreTable],
    options: Mapping[str, Any],
) -> ScoreTable:
    """Scores of every region at every time point as of regions, then by both labels, those of predictors too."""
    subjects = dict.fromkeys(s for sets in points.values() for s, _ in sets)
    regions = dict.fromkeys(r for sets in points.values() for _, r in sets)
    cells = {f"{r}{SEPARATOR}{t}": (r, t) for r in regions for t in points}
    if len(cells) < len(regions) * len(points):
        raise DataError(
            f"regions and time points are not told apart where their names hold {SEPARATOR!r}: {list(regions)}, "
            f"{list(points)}"
        )
    sets, ceilings = {}, {}
    for s in subjects:
        for cell, (r, t) in cells.items():
            if (s, r) in points[t]:
                sets[s, cell] = points[t][s, r]
                known = _timed(options, t).get("ceilings", options.get("ceilings"))
                if isinstance(known, Mapping) and (s, r) in known:
                    ceilings[s, cell] = known[s, r]
    table = scored(sets, **({"ceilings": ceilings} if ceilings else {}))
    frame = table.frame
    region, time = ({cell: str(pair[k]) for cell, pair in cells.items()} for k in (0, 1))
    brains = frame["kind"] != "model"
    layer, own = frame["layer"].astype(str), frame["roi"].map(time)
    new = {
        "layer": layer.where(~brains, layer.map(region)),
        "roi": frame["roi"].map(region),
        TIME: own,
        f"predictor_{TIME}": own.where(~brains, layer.map(time)),
    }
    return replace(table, frame=frame.assign(**new))
