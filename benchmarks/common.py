"""Harness shared by the benchmarks: timing, the table, and the finding of modules."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "Row",
    "best_time",
    "difference",
    "discover",
    "markdown",
    "measure",
    "peak_memory",
    "run",
]

HIDDEN = ("common", "__main__")
CONDITIONS = "CPU time of one process, one BLAS thread on both sides."


@dataclass(frozen=True)
class Row:
    """One task.

    Attributes
    ----------
    task : str
    theirs, ours : float or None
        Seconds of CPU time, the least of some repetitions.
    difference : float or None
        Largest absolute difference of the two answers.
    tolerance : float
        Above it the ratio is void.
    at_least : float or None
        Ratio that is asked for.
    note : str
        What else is to say (memory, what was scaled).
    met : bool or None
        For rows that are not a ratio: whether the number asked for was met.
    """

    task: str
    theirs: float | None = None
    ours: float | None = None
    difference: float | None = None
    tolerance: float = 1e-10
    at_least: float | None = None
    note: str = ""
    met: bool | None = None

    @property
    def ratio(self) -> float | None:
        """Theirs over ours."""
        return None if self.theirs is None or not self.ours else self.theirs / self.ours

    @property
    def void(self) -> bool:
        """Whether the answers disagree, so that the ratio means nothing."""
        return self.difference is not None and not self.difference <= self.tolerance

    @property
    def verdict(self) -> str:
        """One word: void, yes, no, or nothing where nothing is asked."""
        if self.void:
            return "void"
        if self.met is not None:
            return "yes" if self.met else "no"
        if self.at_least is None or self.ratio is None:
            return ""
        return "yes" if self.ratio >= self.at_least else "no"


def best_time(function: Callable[[], Any], repeat: int = 3) -> tuple[float, Any]:
    """Least CPU time of some calls, and the answer of the last; other processes do not count."""
    times, answer = [], None
    for _ in range(repeat):
        start = time.process_time()
        answer = function()
        times.append(time.process_time() - start)
    return max(min(times), 1e-9), answer


def difference(theirs: Any, ours: Any) -> float:
    """Largest absolute difference; NaN at the same place is agreement."""
    a, b = (np.asarray(v, dtype="f8").ravel() for v in (theirs, ours))
    if a.shape != b.shape or (np.isnan(a) != np.isnan(b)).any():
        return float("inf")
    return float(np.nanmax(np.abs(a - b), initial=0.0))


def measure(
    task: str,
    theirs: Callable[[], Any],
    ours: Callable[[], Any],
    *,
    repeat: tuple[int, int] = (2, 5),
    scale: tuple[float, float] = (1.0, 1.0),
    at_least: float | None = None,
    tolerance: float = 1e-10,
    note: str = "",
) -> Row:
    """Time both sides in this process and compare their answers; they take turns, so that both see the same machine.

    ``scale`` multiplies the times (where one side was given a part of the work only; say so in
    ``note``). The functions return arrays of the same shape; whatever is not to be compared stays out.
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(None):
        warnings.simplefilter("ignore")
        turns = min(repeat)
        slow, fast = float("inf"), float("inf")
        for _ in range(turns):
            seconds, expected = best_time(theirs, -(-repeat[0] // turns))
            slow = min(slow, seconds)
            seconds, found = best_time(ours, -(-repeat[1] // turns))
            fast = min(fast, seconds)
    return Row(
        task,
        slow * scale[0],
        fast * scale[1],
        difference(expected, found),
        tolerance,
        at_least,
        note,
    )


def peak_memory() -> float:
    """Peak resident memory of this process so far, in GB."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e9 if platform.system() == "Darwin" else 1e6)


def discover() -> list[str]:
    """Names of the benchmark modules: every module here with a function ``rows``."""
    package = importlib.import_module("benchmarks")
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.name not in HIDDEN)


def run(name: str, *, quick: bool = False, only: str = "") -> list[Row]:
    """Run one module and print its rows as they come."""
    module = importlib.import_module(f"benchmarks.{name}")
    out: list[Row] = []
    write(f"\n{name}: {(module.__doc__ or '').strip().splitlines()[0]}")
    write(f"{'task':<66} {'theirs':>11} {'ours':>11} {'ratio':>9} {'max diff':>9} {'asked':>8}")
    produced: Iterator[Row] = module.rows(quick=quick, only=only)
    for row in produced:
        out.append(row)
        write(_line(row))
    return out


def write(text: str) -> None:
    """Print one line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _line(row: Row) -> str:
    cells = _cells(row)
    text = f"{cells[0]:<66} {cells[1]:>11} {cells[2]:>11} {cells[3]:>9} {cells[4]:>9} {cells[5]:>8}"
    return f"{text} {cells[6]:<4} {row.note}".rstrip()


def _cells(row: Row) -> list[str]:
    def seconds(value: float | None) -> str:
        if value is None:
            return "-"
        return f"{value * 1e3:.3f} ms" if value < 1 else f"{value:.2f} s"

    return [
        row.task,
        seconds(row.theirs),
        seconds(row.ours),
        "-" if row.ratio is None else f"{row.ratio:,.1f}x",
        "-" if row.difference is None else f"{row.difference:.0e}",
        "-" if row.at_least is None else f"{row.at_least:,g}x",
        row.verdict,
    ]


def markdown(tables: Mapping[str, Sequence[Row]]) -> str:
    """Tables as one markdown text, with the machine and the versions."""
    from apastats.results import package_versions

    versions = ", ".join(f"{k} {v}" for k, v in package_versions().items())
    lines = [
        f"# Benchmarks: {', '.join(tables)}",
        "",
        f"{platform.platform()}, Python {platform.python_version()}; {versions}.",
    ]
    for name, rows in tables.items():
        lines += [
            "",
            f"## {name}",
            "",
            getattr(importlib.import_module(f"benchmarks.{name}"), "CONDITIONS", CONDITIONS),
            "",
            "| task | theirs | ours | ratio | max diff | asked | met | note |",
        ]
        lines.append("|---|---:|---:|---:|---:|---:|---|---|")
        lines += [f"| {' | '.join([*_cells(row), row.note])} |" for row in rows]
    return "\n".join(lines) + "\n"
