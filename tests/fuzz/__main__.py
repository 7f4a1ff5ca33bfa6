"""Measure all faults anew: ``python -m tests.fuzz --markdown benchmarks/results/faults.md``.

Every fuzzer in processes of its own, so that a death is counted; then kills, forgeries, full disks, forks, threads and
changed inputs, in their long form.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from apastats import __version__
from tests.fuzz.fuzzers import FUZZERS, LONG

PIECE = 5_000  # inputs of one process
COLUMNS = ("result", "refused", "escaped", "hang", "death")
FAULTS = {
    "kills: the study run again is the same": "killed",
    "forgeries: caught and named": "forgery",
    "bytes flipped in any file of a study: noticed": "flipped",
    "inputs changed during a run: noticed": "change_during",
    "a full disk, a place that takes no files: one line, nothing left": "full_disk or disk_that_is or takes_no",
    "strangers' files: kept": "is_kept",
    "an install that may not be written, forks, threads: the same numbers": "install or forked or threads",
}


def one(name: str, number: int, seed: int) -> None:
    """Run a fuzzer here and print what it found."""
    with tempfile.TemporaryDirectory() as folder:
        found = FUZZERS[name](number, Path(folder), seed)
    kinds = {f"{o.what} {o.error} {o.where}": repr(v)[:300] for o, v in found.kinds.items()}
    sys.stdout.write(json.dumps({"counts": found.counts, "kinds": kinds}) + "\n")


def fuzzed(name: str, number: int, seed: int) -> tuple[Counter[str], dict[str, str]]:
    """Counts over processes; one that dies is a death."""
    counts, kinds = Counter[str](), {}
    for k, start in enumerate(range(0, number, PIECE)):
        size = min(PIECE, number - start)
        command = [sys.executable, "-m", "tests.fuzz", "--one", name, str(size), str(seed + k)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            counts["death"] += 1
            kinds[f"process ended with {done.returncode}"] = (
                f"seed {seed + k}: {done.stderr[-300:]}"
            )
            continue
        told = json.loads(done.stdout.splitlines()[-1])
        counts.update(told["counts"])
        kinds.update(told["kinds"])
    return counts, kinds


def tested(chosen: str) -> tuple[int, int]:
    """Cases of the tests of faults that hold, and all of them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "0",
            "--long",
            "tests/faults",
            "-k",
            chosen,
        ]
        subprocess.run([*command, f"--junitxml={path}"], capture_output=True, check=False)
        suite = ElementTree.parse(path).getroot()[0]
    number = int(suite.get("tests", 0))
    bad = sum(int(suite.get(k, 0)) for k in ("failures", "errors", "skipped"))
    return number - bad, number


def markdown(
    rows: Sequence[Sequence[object]], faults: Sequence[Sequence[object]], seed: int
) -> str:
    """Both tables."""
    lines = [
        "# Bad inputs and faults",
        "",
        f"apastats {__version__}, seed {seed}; `python -m tests.fuzz` measures all of it anew.",
        "",
        "| inputs | number | " + " | ".join(COLUMNS) + " | kinds |",
        "| --- |" + " --- |" * (len(COLUMNS) + 2),
        *(
            "| " + " | ".join(f"{v:,}" if isinstance(v, int) else str(v) for v in r) + " |"
            for r in rows
        ),
        "",
        "escaped: an error that is not the package's, or a message of more than 2,000 characters; hang: above 20 s; "
        "death: the process ended.",
        "",
        "| fault | held | cases |",
        "| --- | --- | --- |",
        *("| " + " | ".join(map(str, r)) + " |" for r in faults),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--number", type=int, help="inputs of each fuzzer (default: the long form)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--markdown", type=Path, help="write the tables here")
    parser.add_argument(
        "--one", nargs=3, metavar=("NAME", "NUMBER", "SEED"), help=argparse.SUPPRESS
    )
    chosen = parser.parse_args()
    if chosen.one:
        name, number, seed = chosen.one
        one(name, int(number), int(seed))
        return 0
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rows, faults, bad = [], [], False
    for name in FUZZERS:
        number = chosen.number or LONG[name]
        counts, kinds = fuzzed(name, number, chosen.seed)
        rows.append([name, number, *(counts[c] for c in COLUMNS), len(kinds)])
        for kind, example in kinds.items():
            sys.stderr.write(f"{name}: {kind}: {example}\n")
        bad = bad or bool(kinds)
    for title, expression in FAULTS.items():
        held, number = tested(expression)
        faults.append([title, held, number])
        bad = bad or held < number or not number
    text = markdown(rows, faults, chosen.seed)
    sys.stdout.write(text)
    if chosen.markdown:
        chosen.markdown.write_text(text)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
