"""Whether the tests notice: ``python -m tests.mutation --workdir DIR --markdown benchmarks/results/mutation.md``.

Mutants of each room (all of a small one, a random sample of the others), each against the tests of its room that
reach the changed line, the fastest first, until one fails. Finished mutants are kept in the workdir, and a run that
was stopped goes on; one that survived is tried again where ``--seconds`` is more than it had.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from tests.mutation.mutants import number_of_mutants, sources

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = 120  # mutants of a room that has more than 300
# room -> files, tests that are for them
ROOMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "resampling/intervals": (
        ("apastats/resampling/intervals.py",),
        tuple(f"tests/resampling/test_{n}.py" for n in ("few", "quantiles", "means", "interval_formulas")),
    ),
    "patterns arrays": (
        ("apastats/patterns/arrays.py", "apastats/patterns/permutations.py"),
        tuple(
            f"tests/patterns/test_{n}.py"
            for n in ("arrays", "pattern_agreement", "alignment_patterns", "matrix_agreement", "agreement_test")
        ),
    ),
    "comparing engine": (
        tuple(f"apastats/comparing/{n}.py" for n in ("compare", "choices", "decisions", "equivalence", "families",
                                                     "rows", "tost")),
        ("tests/comparing", "tests/reference"),
    ),
    "numbers": (
        ("apastats/numbers/*.py",),
        (
            "tests/numbers", "tests/comparing", "tests/reference", "tests/resampling", "tests/patterns",
            "tests/ceilings", "tests/scoring", "tests/planning",
        ),
    ),
    "mixed/engine": (("apastats/mixed/engine/*.py",), ("tests/mixed", "tests/reference")),
}  # fmt: skip


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


def number_tried(room: str, number: int | None, seed: int) -> int:
    """How many mutants of a room are asked."""
    there = len(sample(room, 10**9, seed))
    return min(there, number) if number else (there if there <= 300 else SAMPLE)


def found_of(room: str, number: int | None, seed: int, workdir: Path) -> list[dict[str, Any]]:
    """Mutants of the sample that were tried, up to the first that was not: what follows is no random sample."""
    out = []
    for path, index in sample(room, number_tried(room, number, seed), seed):
        kept = kept_as(workdir, path, index)
        if not kept.exists():
            break
        out.append(json.loads(kept.read_text()))
    return out


def kept_as(workdir: Path, path: Path, index: int) -> Path:
    """File of a mutant that was tried."""
    return workdir / f"{path.relative_to(ROOT).as_posix().replace('/', '.')} {index}.json"


def markdown(found: dict[str, list[dict[str, Any]]], seed: int) -> str:
    """A table of rooms, and one of the mutants that no test noticed."""
    from apastats import __version__

    lines = [
        "# Benchmarks: mutation",
        "",
        f"apastats {__version__}, seed {seed}; "
        f"`python -m tests.mutation --workdir DIR --seed {seed}` measures it anew.",
        "",
        "## mutation",
        "",
        "An operator, a constant, a comparison or a condition is changed; the tests of the room that reach the line, "
        "each of at most 2 s and 10 examples, run until one fails. "
        "A room of more than 300 mutants is sampled at random: the interval "
        "(Wilson, 95 %) is that of its share.",
        "",
        "| room | mutants there are | tried | noticed | share | 95 % interval |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for room, rows in found.items():
        n, k = len(rows), sum(r["noticed"] for r in rows)
        low, high = wilson(k, n)
        there = len(sample(room, 10**9, seed))
        share = f"{100 * k / n:.1f} %" if n else "-"
        interval = "all were tried" if n == there else f"{100 * low:.0f} to {100 * high:.0f} %"
        lines.append(f"| {room} | {there:,} | {n} | {k} | {share} | {interval} |")
    lines += ["", "Not noticed, and why:", "", "| where | change | why |", "|---|---|---|"]
    reasons = json.loads((Path(__file__).parent / "survivors.json").read_text("utf-8"))
    for rows in found.values():
        for r in rows:
            if not r["noticed"]:
                why = reasons.get(f"{r['file']}: {r['code']}: {r['change']}", "not read yet")
                code = r["code"].replace("|", "\\|")
                lines.append(f"| {r['file']} `{code}` | {r['change']} | {why} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Try mutants until the sample, or the time, is at its end."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument(
        "--number", type=int, help="mutants of each room (default: those of the page)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rooms", nargs="*", default=list(ROOMS), choices=list(ROOMS))
    parser.add_argument("--workdir", type=Path, required=True, help="folder of finished mutants")
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--seconds", type=float, default=15.0, help="of tests for a mutant")
    parser.add_argument("--markdown", type=Path)
    chosen = parser.parse_args()
    chosen.workdir.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    until = time.monotonic() + 60 * chosen.minutes
    import pytest

    from tests.mutation.trying import Trying

    rooms = {
        room: (sample(room, number_tried(room, chosen.number, chosen.seed), chosen.seed), tests)
        for room, (_, tests) in ROOMS.items()
        if room in chosen.rooms
    }
    files = [path for patterns, _ in ROOMS.values() for path in sources(ROOT, patterns)]
    plugin = Trying(rooms, files, chosen.workdir, seconds=chosen.seconds, until=until)
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not slow and not calibration"]
    tests = sorted({test for _, tests in rooms.values() for test in tests})
    pytest.main([*options, *tests], plugins=[plugin])
    found = {room: found_of(room, chosen.number, chosen.seed, chosen.workdir) for room in ROOMS}
    text = markdown(found, chosen.seed)
    sys.stdout.write(text)
    if chosen.markdown:
        chosen.markdown.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
