"""Whether the tests notice: ``python -m tests.mutation --markdown benchmarks/results/mutation.md``.

A random sample of the mutants of each room, each against the tests of its room, in a fork of its own. Nothing on disk
is changed: the mutant is compiled where the module is imported. With ``--workdir`` finished mutants are kept, and a
run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.abc
import importlib.machinery
import json
import math
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import CodeType
from typing import Any

from tests.mutation.mutants import mutant, number_of_mutants, sources

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 900  # seconds a mutant may take; one that never ends is noticed
# room -> files, tests that are for them
ROOMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "resampling/intervals": (
        ("apastats/resampling/intervals.py",),
        tuple(f"tests/resampling/test_{n}.py" for n in ("kernels", "few", "quantiles", "means")),
    ),
    "patterns arrays": (
        ("apastats/patterns/arrays.py", "apastats/patterns/permutations.py"),
        tuple(
            f"tests/patterns/test_{n}.py"
            for n in ("pattern_agreement", "alignment_patterns", "matrix_agreement", "agreement_test")
        ),
    ),
    "numbers": (
        ("apastats/numbers/*.py",),
        ("tests/numbers", "tests/comparing", "tests/reference", "tests/resampling", "tests/patterns", "tests/planning"),
    ),
    "comparing engine": (
        tuple(f"apastats/comparing/{n}.py" for n in ("compare", "choices", "decisions", "equivalence", "families",
                                                     "rows", "tost")),
        ("tests/comparing", "tests/reference", "tests/laws/test_unit_laws.py"),
    ),
    "mixed/engine": (("apastats/mixed/engine/*.py",), ("tests/mixed",)),
}  # fmt: skip


class Loader(importlib.machinery.SourceFileLoader):
    """Compiles the mutant in place of the module."""

    def __init__(self, name: str, path: str, index: int) -> None:
        super().__init__(name, path)
        self.index = index

    def get_code(self, fullname: str) -> CodeType:
        """Code of the mutant."""
        tree, _, _ = mutant(Path(self.path).read_text("utf-8"), self.index)
        return compile(tree, self.path, "exec")


class Finder(importlib.abc.MetaPathFinder):
    """Finds the mutant under the name of its module."""

    def __init__(self, path: Path, index: int) -> None:
        self.path, self.index = path, index
        self.name = ".".join(path.relative_to(ROOT).with_suffix("").parts)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """Spec of the mutant; None for every other module."""
        if fullname != self.name:
            return None
        loader = Loader(fullname, str(self.path), self.index)
        return importlib.machinery.ModuleSpec(fullname, loader, origin=str(self.path))


def noticed(path: Path, index: int, tests: Sequence[str]) -> bool:
    """Whether a test of the room fails, or the process dies or does not end."""
    child = os.fork()
    if child == 0:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
        signal.alarm(PATIENCE)
        sys.meta_path.insert(0, Finder(path, index))
        import pytest

        code = 1
        with contextlib.suppress(BaseException):
            options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "no:randomly"]
            code = int(pytest.main([*options, *tests]))
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


def wilson(k: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share."""
    if n == 0:
        return 0.0, 1.0
    p, d = k / n, 1 + z * z / n
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / d
    middle = (p + z * z / (2 * n)) / d
    return max(0.0, middle - half), min(1.0, middle + half)


def sample(room: str, number: int, seed: int) -> list[tuple[Path, int]]:
    """Mutants of a room, drawn without replacement; a longer sample begins with the shorter one."""
    files = sources(ROOT, ROOMS[room][0])
    every = [(p, i) for p in files for i in range(number_of_mutants(p.read_text("utf-8")))]
    random.Random(f"{seed} {room}").shuffle(every)
    return every[:number]


def markdown(found: dict[str, list[dict[str, Any]]], seed: int) -> str:
    """A table of rooms, and one of the mutants that no test noticed."""
    from apastats import __version__

    lines = [
        "# Mutants",
        "",
        f"apastats {__version__}, seed {seed}: a random sample of the mutants of each room (an operator, a constant, a "
        "comparison or a condition changed), each against the tests of its room; "
        "`python -m tests.mutation` goes on with it.",
        "",
        "| room | mutants there are | tried | noticed | share | 95 % interval |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for room, rows in found.items():
        n, k = len(rows), sum(r["noticed"] for r in rows)
        low, high = wilson(k, n)
        there = len(sample(room, 10**9, seed))
        share = f"{100 * k / n:.0f} %" if n else "-"
        lines.append(
            f"| {room} | {there:,} | {n} | {k} | {share} | {100 * low:.0f} to {100 * high:.0f} % |"
        )
    lines += ["", "Not noticed:", "", "| where | change | why |", "| --- | --- | --- |"]
    reasons = json.loads((Path(__file__).parent / "survivors.json").read_text("utf-8"))
    for rows in found.values():
        for r in rows:
            if not r["noticed"]:
                why = reasons.get(f"{r['file']}: {r['code']}: {r['change']}", "not read yet")
                code = r["code"].replace("|", "\\|")
                lines.append(f"| {r['file']}:{r['line']} `{code}` | {r['change']} | {why} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Try mutants until the sample, or the time, is at its end."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--number", type=int, default=60, help="mutants of each room")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rooms", nargs="*", default=list(ROOMS), choices=list(ROOMS))
    parser.add_argument("--workdir", type=Path, required=True, help="folder of finished mutants")
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--markdown", type=Path)
    chosen = parser.parse_args()
    chosen.workdir.mkdir(parents=True, exist_ok=True)
    # what every child needs is imported once; the package itself is not
    import hypothesis  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow  # noqa: F401
    import pytest  # noqa: F401
    import scipy.stats  # noqa: F401

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    start = time.monotonic()
    found: dict[str, list[dict[str, Any]]] = {room: [] for room in ROOMS}
    turns = [(room, k) for k in range(chosen.number) for room in chosen.rooms]
    samples = {room: sample(room, chosen.number, chosen.seed) for room in ROOMS}
    for room, k in turns:
        if k >= len(samples[room]):
            continue
        path, index = samples[room][k]
        name = path.relative_to(ROOT).as_posix()
        source = path.read_text("utf-8")
        _, line, change = mutant(source, index)
        code = source.splitlines()[line - 1].strip()[:60]
        kept = chosen.workdir / f"{chosen.seed} {name.replace('/', '.')} {index}.json"
        if not kept.exists():
            if time.monotonic() - start > 60 * chosen.minutes:
                continue
            row = {"file": name, "line": line, "code": code, "change": change}
            row["noticed"] = noticed(path, index, ROOMS[room][1])
            kept.write_text(json.dumps(row))
        row = json.loads(kept.read_text())
        found[room].append(row)
        sys.stderr.write(
            f"{'noticed' if row['noticed'] else 'SURVIVED'}: {name}:{line} {code}: {change}\n"
        )
    text = markdown(found, chosen.seed)
    sys.stdout.write(text)
    if chosen.markdown:
        chosen.markdown.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
