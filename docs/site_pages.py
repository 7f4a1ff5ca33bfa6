"""Pages of the site that are made of the code: one per verb, and the list of them by question."""

from __future__ import annotations

import inspect
from pathlib import Path

import apastats

ROOMS = {
    "io": "Read",
    "scoring": "Score",
    "ceilings": "Ceilings and layers",
    "bootstrapping": "How certain",
    "comparing": "Compare",
    "patterns": "Alignment patterns",
    "mixed": "Hierarchical models",
    "planning": "Plan and calibrate",
    "simulation": "Simulate",
    "numbers": "Numbers",
    "resampling": "Resample",
    "reporting": "Report",
    "studies": "Studies",
    "table": "Tables",
}

OF_TESTS = ("coverage", "faults", "mutation")  # after the speeds


def api_pages(folder: Path) -> None:
    """Write ``index.md`` and a page per public name; files that would not change are left alone."""
    folder.mkdir(exist_ok=True)
    groups: dict[str, list[str]] = {title: [] for title in ROOMS.values()}
    for name, module in sorted(apastats.EXPORTS.items()):
        thing = getattr(apastats, name)
        if not (inspect.isfunction(thing) or inspect.isclass(thing)):
            continue
        groups[ROOMS[module.split(".")[1]]].append(name)
        rule = "autoclass" if inspect.isclass(thing) else "autofunction"
        members = "\n:members:" if inspect.isclass(thing) else ""
        body = f"# {name}\n\n```{{eval-rst}}\n.. currentmodule:: apastats\n.. {rule}:: {name}"
        _write(folder / f"{name}.md", body + members.replace("\n", "\n   ") + "\n```\n")
    lines = [
        "# Reference",
        "",
        "Every public name: shapes, columns of the result, formula, source, example.",
        "",
    ]
    for title, names in groups.items():
        if names:
            lines += [f"## {title}", "", "```{toctree}", ":maxdepth: 1", "", *names, "```", ""]
    _write(folder / "index.md", "\n".join(lines))


def benchmark_page(results: Path, page: Path) -> None:
    """One page of all benchmarks: a section per file of results, its machine and versions in it."""
    lines = [
        "# Benchmarks",
        "",
        "Speed beside other packages as ratios in one process, with the largest difference of the answers beside it; "
        "`python -m benchmarks` makes them. Above 1x ours is faster. At the end: bad "
        "inputs and faults, and what the tests reach and notice.",
        "",
    ]
    for file in sorted(results.glob("*.md"), key=lambda f: (f.stem in OF_TESTS, f.stem)):
        _, _, rest = file.read_text("utf-8").partition("\n")
        machine, _, body = rest.strip().partition("\n")
        lines += [body.strip().replace("\n\n", f"\n\n{machine}\n\n", 1), ""]
    _write(page, "\n".join(lines))


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")
