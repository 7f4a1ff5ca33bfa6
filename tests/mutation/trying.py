"""Mutants against tests, in one pytest session: which test reaches which line, then each mutant in a fork.

The mutant's code is put in place of the code of the functions it changes, so that nothing is imported twice and
nothing on disk is changed.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.mutants import mutant

ROOT = Path(__file__).resolve().parents[2]
SLOWEST = 2.0  # seconds of work of a test; slower ones are left out
HEAVY = ("scipy.stats", "scipy.integrate")  # imported once, not in every fork
EXAMPLES = 10  # of a property, per mutant
STARVED = 30  # on a machine that others use, a test may wait so many times as long


class LateError(BaseException):
    """A test took longer than it may."""


def codes(code: CodeType) -> Iterator[tuple[tuple[str, int], CodeType]]:
    """Every code object below, by name and first line."""
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield (const.co_qualname, const.co_firstlineno), const
            yield from codes(const)


def functions_of(files: Sequence[Path]) -> dict[str, list[FunctionType]]:
    """Every function there is, by the file it comes from."""
    out: dict[str, list[FunctionType]] = {str(path): [] for path in files}
    for found in gc.get_objects():
        if type(found) is FunctionType and found.__code__.co_filename in out:
            out[found.__code__.co_filename].append(found)
    return out


def put_in_place(path: Path, index: int, functions: Sequence[FunctionType]) -> None:
    """Make the functions of a module those of a mutant of it."""
    source = path.read_text("utf-8")
    tree, _, _ = mutant(source, index)
    new = dict(codes(compile(tree, str(path), "exec", dont_inherit=True)))
    for function in functions:
        key = (function.__code__.co_qualname, function.__code__.co_firstlineno)
        if new.get(key, function.__code__) != function.__code__:
            function.__code__ = new[key]


def lines_of(source: str, line: int) -> tuple[int, int]:
    """First and last line of the statement that a line is in; of its head, where it has a body."""
    found = (line, line)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else (node.end_lineno or node.lineno)
            if node.lineno <= line <= max(last, node.lineno):
                found = (node.lineno, max(last, node.lineno))
    return found


def holds(session: pytest.Session, item: pytest.Item, seconds: float) -> bool:
    """Run a test, outside the report of pytest."""

    def stop(*_: Any) -> None:
        raise LateError

    timers = {signal.SIGPROF: signal.ITIMER_PROF, signal.SIGALRM: signal.ITIMER_REAL}
    for name, timer in timers.items():
        signal.signal(name, stop)
        signal.setitimer(timer, seconds * (STARVED if timer == signal.ITIMER_REAL else 1))
    try:
        reports = runtestprotocol(item, nextitem=None, log=False)
    except BaseException:
        return False
    finally:
        for timer in timers.values():
            signal.setitimer(timer, 0)
    session._setupstate.teardown_exact(None)
    return all(r.passed or r.skipped for r in reports)


def _shorten(item: pytest.Item) -> None:
    """Fewer examples: what they notice, all would."""
    from hypothesis import settings

    function = getattr(item, "obj", None)
    given = getattr(function, "_hypothesis_internal_use_settings", None)
    if given is None and hasattr(function, "hypothesis"):
        given = settings.default
    if given is not None:
        inner = getattr(function, "__func__", function)
        fewer = settings(given, max_examples=min(given.max_examples, EXAMPLES))
        inner._hypothesis_internal_use_settings = fewer


def in_fork(work: Callable[[], Any]) -> Any:
    """What a fork says, as JSON; None where it dies."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
        with contextlib.suppress(BaseException):
            said = json.dumps(work()).encode()
            with os.fdopen(write, "wb") as pipe:
                pipe.write(said)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return json.loads(said) if said else None


class Trying:
    """A plugin of pytest whose session maps the tests, then tries mutants until the time is over."""

    def __init__(
        self, rooms: Mapping[str, tuple[Sequence[tuple[Path, int]], Sequence[str]]], files: Sequence[Path],
        workdir: Path, *, seconds: float, until: float,
    ) -> None:  # fmt: skip
        self.rooms, self.files, self.workdir = rooms, files, workdir
        self.seconds, self.until = seconds, until
        self.useful: dict[str, Counter[str]] = {}
        self.functions: dict[str, list[FunctionType]] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of running the tests."""
        for name in [m.name for m in pkgutil.walk_packages([str(ROOT / "apastats")], "apastats.")]:
            if not name.endswith("__main__"):
                importlib.import_module(name)
        for name in HEAVY:
            importlib.import_module(name)
        items = {item.nodeid: item for item in session.items}
        for item in session.items:
            _shorten(item)
        self.functions = functions_of(self.files)
        gc.freeze()  # the forks share what is there
        for mutants, tests in self.rooms.values():
            own = [name for name in items if name.startswith(tuple(tests))]
            known = self._map(session, items, own)
            for path, index in mutants:
                if time.monotonic() > self.until:
                    return True
                self._try(session, items, known, path, index)
        return True

    def _map(self, session: Any, items: dict[str, pytest.Item], own: list[str]) -> dict[str, Any]:
        """Test -> its seconds, and the lines it reaches; only of those that hold and are fast."""
        path = self.workdir / "map.jsonl"
        rows = [json.loads(x) for x in path.read_text().splitlines()] if path.exists() else []
        done = {row["test"] for row in rows}
        with path.open("a") as file:
            for name in own:
                if name in done or time.monotonic() > self.until:
                    continue
                # a fork each: what one test keeps does not hide lines from another
                found = in_fork(lambda name=name: self._reached(session, items[name]))
                row = {"test": name, **(found or {"seconds": SLOWEST, "holds": False, "lines": {}})}
                file.write(json.dumps(row) + "\n")
                file.flush()
                rows.append(row)
        return {r["test"]: r for r in rows if r["holds"] and r["test"] in set(own)}

    def _reached(self, session: pytest.Session, item: pytest.Item) -> dict[str, Any]:
        import coverage

        cover = coverage.Coverage(
            data_file=None,
            config_file=False,
            messages=False,
            include=[str(p) for p in self.files],
        )
        start = time.process_time()
        warnings.simplefilter("ignore")
        cover.start()
        good = holds(session, item, SLOWEST)
        cover.stop()
        seconds = time.process_time() - start
        data = cover.get_data()
        lines = {
            str(Path(f).relative_to(ROOT)): sorted(data.lines(f) or ())
            for f in data.measured_files()
        }
        return {"seconds": seconds, "holds": good, "lines": lines}

    def _try(self, session: Any, items: Any, known: dict[str, Any], path: Path, index: int) -> None:
        kept = self.workdir / f"{path.relative_to(ROOT).as_posix().replace('/', '.')} {index}.json"
        before = json.loads(kept.read_text()) if kept.exists() else None
        if before and (before["noticed"] or before["tests"] == before["of"]):
            return
        if before and before.get("budget", 0) >= self.seconds:
            return
        name, source = path.relative_to(ROOT).as_posix(), path.read_text("utf-8")
        _, line, change = mutant(source, index)
        first, last = lines_of(source, line)
        useful = self.useful.setdefault(name, Counter())
        reaching = [
            t for t, r in known.items() if any(first <= x <= last for x in r["lines"].get(name, ()))
        ]
        # those that noticed others of this file, then the fastest
        reaching.sort(key=lambda t: (-useful[t] / (0.1 + known[t]["seconds"]), known[t]["seconds"]))
        chosen, spent = [], 0.0
        for t in reaching:
            if spent + known[t]["seconds"] <= self.seconds:
                chosen.append(t)
                spent += known[t]["seconds"]

        def work() -> str:
            put_in_place(path, index, self.functions[str(path)])
            for t in chosen:
                if not holds(session, items[t], 20 * known[t]["seconds"] + 20):
                    return t
            return ""

        by = in_fork(work)
        row = {
            "file": name, "line": line, "change": change, "index": index,
            "code": source.splitlines()[line - 1].strip()[:60], "noticed": by != "",
            "by": by, "tests": len(chosen), "of": len(reaching), "budget": self.seconds,
        }  # fmt: skip
        if by:
            useful[by] += 1
        kept.write_text(json.dumps(row))
        said = (
            f"noticed by {by}" if by != "" else f"SURVIVED {len(chosen)} of {len(reaching)} tests"
        )
        sys.__stderr__.write(f"{name}:{line} {row['code']}: {change}: {said}\n")
        sys.__stderr__.flush()
