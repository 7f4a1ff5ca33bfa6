"""What ``check`` says of response patterns: what they are, what each axis is taken for, what is wrong, what is next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from apastats.io.described import NOTE, OK, PROBLEM, Row
from apastats.io.read_patterns import PatternSets
from apastats.io.sources import is_paths
from apastats.numbers.units import varies
from apastats.printable import counted

__all__ = ["pattern_rows"]

PARTS = ("train", "test")


def pattern_rows(sets: PatternSets, source: Any) -> list[Row]:
    """Rows of the description of patterns, ``source`` as the user gave it."""
    parts = {key: value if isinstance(value, tuple) else (value,) for key, value in sets.items()}
    split = any(len(p) == 2 for p in parts.values())
    first = list(dict.fromkeys(a for a, _ in sets))
    second = list(dict.fromkeys(b for _, b in sets))
    rows: list[Row] = [
        ("patterns", counted(len(sets), "data set"), OK, "; ".join(sets.log)),
        ("axis 1", "stimuli", OK, _stimuli(sets, split)),
        (
            "axis 2",
            "features",
            OK,
            _span([int(np.prod(p[0].shape[1:])) for p in parts.values()], "feature"),
        ),
        ("first name", "subject, or model", OK, _some(first)),
        ("second name", "ROI, or layer", OK, _some(second)),
    ]
    for k, part in enumerate(PARTS if split else ("stimuli",)):
        sizes = [len(p[k]) for p in parts.values() if len(p) > k]
        same = len(set(sizes)) == 1
        named = bool(sets.stimuli)
        status = OK if same else NOTE if named else PROBLEM
        detail = "" if same else "matched by name" if named else "unequal, and without names"
        rows.append((part, _span(sizes, "stimulus", "stimuli"), status, detail))
    there = len(first) * len(second)
    whole = len(sets) == there
    rows.append(
        (
            "balance",
            "complete" if whole else "ragged",
            OK if whole else NOTE,
            "" if whole else f"{there - len(sets)} of {there} pairs of names missing",
        )
    )
    if sets.repeats:
        counts = [a.shape[1] for a in sets.repeats.values()]
        rows.append(
            ("repeats", _span(counts, "repeat"), OK, "averaged; kept for ncsnr, split_half")
        )
    still = [f"{a}/{b} ({n})" for (a, b), p in parts.items() if (n := _still(p[0]))]
    rows.append(("features that do not vary", str(len(still)), NOTE if still else OK, _some(still)))
    return [*rows, _next(source)]


def _still(array: np.ndarray) -> int:
    x = np.asarray(array, dtype="f8").reshape(len(array), -1)
    return int((~varies(x, np.abs(x).max(axis=0))).sum())


def _stimuli(sets: PatternSets, split: bool) -> str:
    if not sets.stimuli:
        return "no names: matched with others by position"
    shown = {part or "all": _some(names, 3) for part, names in sets.stimuli.items()}
    if not split:
        return f"named: {next(iter(shown.values()))}"
    return "; ".join(["named", *(f"{part}: {text}" for part, text in shown.items())])


def _span(counts: Sequence[int], noun: str, plural: str = "") -> str:
    low, high = min(counts), max(counts)
    many = plural or f"{noun}s"
    return f"{low:,} {noun if low == 1 else many}" if low == high else f"{low:,} to {high:,} {many}"


def _some(names: Sequence[object], limit: int = 6) -> str:
    listed = [str(n) for n in names[:limit]]
    return ", ".join([*listed, "..."] if len(names) > limit else listed)


def _next(source: Any) -> Row:
    if not is_paths(source):
        return ("next", "apa.score_patterns(patterns, model_patterns)", OK, "scores models by them")
    several = isinstance(source, list | tuple)
    paths = [str(p) for p in source] if several else [str(source)]
    stated = ", ".join(f'"{p}"' for p in paths)
    return (
        "next",
        f"patterns = {f'[{stated}]' if several else stated}",
        OK,
        "a line of [inputs] in study.toml, which apastats run takes; those of a model: model_patterns.NAME. In Python: "
        f"apa.read_patterns({paths if several else paths[0]!r})",
    )
