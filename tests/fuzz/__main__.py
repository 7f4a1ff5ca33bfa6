"""Measure all faults anew: ``python -m tests.fuzz --markdown benchmarks/results/faults.md``.

Every fuzzer in processes of its own, so that a death is counted; then kills, forgeries, full disks, forks, threads and
changed inputs, in their long form. With ``--workdir`` finished pieces are kept, and a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from apastats import __version__
from tests.fuzz.fuzzers import FUZZERS, LONG

PIECE = 5_000  # inputs of one process
PATIENCE = 7_200  # seconds a process may take: beyond, something hangs that no signal reaches
COLUMNS = ("result", "refused", "escaped", "hang", "death")
FAULTS = {
    "kills: the study run again is the same": "killed",
    "forgeries: caught and named": "forgery",
    "bytes flipped in any file of a study: noticed": "flipped",
    "inputs changed during a run: noticed": "change_during",
    "a full disk, a place that takes no files: one line, nothing left": "full_disk or disk_that_is or takes_no",
    "strangers' files: kept": "is_kept",
    "a full disk under every writer: the old file stands; what stands there is kept": "old_file_as_it_was or "
    "there_is_kept or whole_or_not_at_all",
    "files that are no files, hostile files, values of wrong kinds: refused by name": "refused_by_name or wrong_kinds",
    "a mistake in any command: one line, exit code 2": "mistake or closed or scheduler",
    "an install that may not be written, forks, threads: the same numbers": "install or forked or threads",
}


def one(name: str, number: int, seed: int) -> None:
    """Run a fuzzer here and print what it found."""
    with tempfile.TemporaryDirectory() as folder:
        found = FUZZERS[name](number, Path(folder), seed)
    kinds = {f"{o.what} {o.error} {o.where}": repr(v)[:300] for o, v in found.kinds.items()}
    sys.stdout.write(json.dumps({"counts": found.counts, "kinds": kinds}) + "\n")


def measured(name: str, size: int, seed: int) -> dict[str, Any]:
    """What a process of its own finds; one that dies, or never ends, is a death."""
    command = [sys.executable, "-m", "tests.fuzz", "--one", name, str(size), str(seed)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return {"counts": {"death": 1}, "kinds": {f"no end in {PATIENCE} s": f"seed {seed}"}}
    if done.returncode:
        told = f"seed {seed}: {done.stderr[-300:]}"
        return {"counts": {"death": 1}, "kinds": {f"process ended with {done.returncode}": told}}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def pieces(numbers: dict[str, int], seed: int) -> Iterator[tuple[str, int, int]]:
    """Name, size and seed of every piece; the fuzzers take turns, so that a run cut short has tried them all."""
    most = max(-(-number // PIECE) for number in numbers.values())
    for k in range(most):
        for name, number in numbers.items():
            if (size := min(PIECE, number - k * PIECE)) > 0:
                yield name, size, seed + k


def kept(workdir: Path, seed: int, name: str, size: int, start: int) -> Path:
    """File of a finished piece."""
    return workdir / f"{seed} {name} {size} {start}.json"


def tested(chosen: str, workdir: Path, form: Sequence[str]) -> tuple[int, int]:
    """Cases of the tests of faults that hold, and all of them."""
    path = workdir / f"{__version__} {' '.join([*form, chosen])}.xml"
    if not path.exists():
        command = [sys.executable, "-m", "pytest", "-q", "-n", "0", *form, "tests/faults"]
        subprocess.run(
            [*command, "-k", chosen, f"--junitxml={path}"], capture_output=True, check=False
        )
    suite = ElementTree.parse(path).getroot()[0]
    number = int(suite.get("tests", 0))
    bad = sum(int(suite.get(k, 0)) for k in ("failures", "errors", "skipped"))
    return number - bad, number


def markdown(
    rows: Sequence[Sequence[object]], faults: Sequence[Sequence[object]], seed: int, form: str
) -> str:
    """Both tables."""
    tried = sum(int(str(r[1])) for r in rows)
    lines = [
        "# Benchmarks: faults",
        "",
        f"apastats {__version__}, seed {seed}, {datetime.date.today()}; "
        f"`python -m tests.fuzz --seed {seed}` measures all of it anew.",
        "",
        "## faults",
        "",
        "| inputs | number | " + " | ".join(COLUMNS) + " | kinds |",
        "|---|" + "---:|" * (len(COLUMNS) + 2),
        *(
            "| " + " | ".join(f"{v:,}" if isinstance(v, int) else str(v) for v in r) + " |"
            for r in rows
        ),
        "",
        "escaped: an error that is not the package's, or a message of more than 2,000 characters; "
        "hang: above 20 s of work; death: the process ended.",
        f"{tried:,} inputs were tried; the long form has {sum(LONG.values()):,}.",
        "",
        f"Tests of faults in their {form} form:"
        if faults
        else "Tests of faults: not measured in this run.",
        "",
    ]
    if faults:
        lines += ["| fault | held | cases |", "|---|---:|---:|"]
        lines += ["| " + " | ".join(map(str, r)) + " |" for r in faults]
    return "\n".join(lines) + "\n"


def _chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--number", type=int, help="inputs of each fuzzer (default: the long form)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--markdown", type=Path, help="write the tables here")
    parser.add_argument("--workdir", type=Path, help="folder of finished pieces, to go on with")
    parser.add_argument(
        "--short", action="store_true", help="the tests of faults in their short form"
    )
    parser.add_argument("--inputs-only", action="store_true", help="without the tests of faults")
    parser.add_argument("--minutes", type=float, help="stop after the piece that ends later")
    parser.add_argument(
        "--one", nargs=3, metavar=("NAME", "NUMBER", "SEED"), help=argparse.SUPPRESS
    )
    return parser.parse_args()


def main() -> int:
    """Measure, and write the tables; 1 if something must be mended."""
    chosen = _chosen()
    if chosen.one:
        name, number, seed = chosen.one
        one(name, int(number), int(seed))
        return 0
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as scratch:
        workdir = chosen.workdir or Path(scratch)
        workdir.mkdir(parents=True, exist_ok=True)
        return _whole(chosen, workdir)


def _whole(chosen: argparse.Namespace, workdir: Path) -> int:
    numbers = {name: chosen.number or LONG[name] for name in FUZZERS}
    counts = {name: Counter[str]() for name in FUZZERS}
    kinds: dict[str, dict[str, str]] = {name: {} for name in FUZZERS}
    start = time.monotonic()
    for name, size, first in pieces(numbers, chosen.seed):
        path = kept(workdir, chosen.seed, name, size, first)
        late = chosen.minutes is not None and time.monotonic() - start > 60 * chosen.minutes
        if not path.exists():
            if late:
                continue
            path.write_text(json.dumps(measured(name, size, first)))
        found = json.loads(path.read_text())
        counts[name].update(found["counts"])
        for kind, example in found["kinds"].items():
            if kind not in kinds[name]:
                sys.stderr.write(f"{name}: {kind}: {example}\n")
            kinds[name].setdefault(kind, example)
    rows = [
        [name, counts[name].total(), *(counts[name][c] for c in COLUMNS), len(kinds[name])]
        for name in FUZZERS
    ]
    form = [] if chosen.short else ["--long"]
    titles = {} if chosen.inputs_only else FAULTS
    faults = [[title, *tested(words, workdir, form)] for title, words in titles.items()]
    text = markdown(rows, faults, chosen.seed, "short" if chosen.short else "long")
    sys.stdout.write(text)
    if chosen.markdown:
        chosen.markdown.write_text(text)
    wrong = any(kinds.values()) or any(held < number or not number for _, held, number in faults)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
