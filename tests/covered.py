"""Which lines and branches the tests reach, by room, as a table.

::

    coverage run -m pytest -n 0 -m "not slow and not calibration"
    coverage combine
    python -m tests.covered --markdown benchmarks/results/coverage.md

Processes that tests start are counted (``[tool.coverage]`` in pyproject.toml). Exit code 1 below the shares asked.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ASKED = {"lines": 95.0, "branches": 90.0}
PARTS = {
    "lines": ("covered_lines", "num_statements"),
    "branches": ("covered_branches", "num_branches"),
}


def room_of(file: str) -> str:
    """Folder below the package; one room for the modules at its top."""
    parts = Path(file).parts
    return f"apastats/{parts[1]}/" if len(parts) > 2 else "modules at the top"


def share(counts: Counter[str], what: str) -> float:
    """Percent reached of what there is."""
    reached, there = (counts[k] for k in PARTS[what])
    return 100 * reached / there if there else 100.0


def markdown(files: dict[str, dict[str, Any]]) -> tuple[str, bool]:
    """The table, and whether the shares asked are reached."""
    from apastats import __version__

    rooms: dict[str, Counter[str]] = {}
    total: Counter[str] = Counter()
    for file, found in files.items():
        counts = {k: found["summary"][k] for pair in PARTS.values() for k in pair}
        rooms.setdefault(room_of(file), Counter()).update(counts)
        total.update(counts)
    lines = [
        "# Benchmarks: coverage",
        "",
        f"apastats {__version__}, Python {sys.version.split()[0]}, {datetime.date.today()}; `tests/covered.py` says "
        "how it is measured anew.",
        "",
        "## coverage",
        "",
        "Lines and branches that the tests reach, those that run simulations for minutes left out.",
        "",
        "| room | lines | reached | branches | reached |",
        "|---|---:|---:|---:|---:|",
    ]
    for room, counts in [*sorted(rooms.items()), ("all", total)]:
        cells = [(counts[PARTS[w][1]], share(counts, w)) for w in PARTS]
        lines.append(f"| {room} | " + " | ".join(f"{n:,} | {s:.1f} %" for n, s in cells) + " |")
    reached = all(share(total, what) >= least for what, least in ASKED.items())
    lines += ["", f"Asked: {ASKED['lines']:g} % of lines, {ASKED['branches']:g} % of branches."]
    return "\n".join(lines) + "\n", reached


def main() -> int:
    """Read what ``coverage`` kept, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.covered", description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT / ".coverage", help="file of coverage")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    chosen = parser.parse_args()
    from coverage import Coverage

    cover = Coverage(data_file=chosen.data, config_file=str(ROOT / "pyproject.toml"))
    cover.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        cover.json_report(outfile=str(path))
        text, reached = markdown(json.loads(path.read_text())["files"])
    sys.stdout.write(text)
    if chosen.markdown:
        chosen.markdown.write_text(text)
    return int(not reached)


if __name__ == "__main__":
    sys.exit(main())
