"""Thousands of models in one region: time, and memory of a process of its own, by their number."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import apastats as apa
from benchmarks.common import Row, difference
from benchmarks.equivalence import study

SECONDS, GIGABYTES = 120, 3
FORMULA = "score ~ model | roi"
# called as users call them; only what has no default is given
VERBS: dict[str, Callable[[apa.ScoreTable], apa.Result]] = {
    "compare": lambda t: apa.compare(FORMULA, t),
    "equivalence": lambda t: apa.equivalence(FORMULA, t, bounds=0.03),
    "equivalence to the best": lambda t: apa.equivalence(FORMULA, t, bounds=0.03, reference="best"),
    "equivalence_set": lambda t: apa.equivalence_set(FORMULA, t),
    "equivalence_set with bounds": lambda t: apa.equivalence_set(FORMULA, t, bounds=0.03),
    "nemenyi": lambda t: apa.nemenyi(FORMULA, t),
    "friedman": lambda t: apa.friedman(FORMULA, t),
    "mean_ranks": lambda t: apa.mean_ranks(FORMULA, t),
    "discriminability": lambda t: apa.discriminability(FORMULA, t, rng=1),
    "lmm, random models": lambda t: apa.lmm("score ~ 1 + (1 | model) + (1 | subject)", t),
}

CHILD = """
import resource, sys, time, warnings
sys.path.insert(0, {root!r})
warnings.simplefilter("ignore")
from benchmarks.scale import VERBS, study
run = VERBS[{verb!r}]
run(study(20, 1, 10))  # first use imports
table = study({k}, 1, 10)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
found = run(table)
print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, before / 1e6,
      len(found.table))
"""


def rows(*, quick: bool = False, only: str = "") -> Iterator[Row]:
    """Every verb at every number of models, after its shown rows at 60 were found in the whole table."""
    for verb in VERBS:
        if only in verb:
            apart = same_rows(verb)
            for k in (100, 200) if quick else (500, 2000, 5000):
                yield alone(verb, k, apart)


def same_rows(verb: str) -> float | None:
    """Largest difference between the rows that are shown of 60 models and those of all pairs."""
    runs: dict[str, Callable[[int | str], apa.Result]] = {
        "compare": lambda top: apa.compare(FORMULA, few, top=top),
        "equivalence": lambda top: apa.equivalence(FORMULA, few, bounds=0.03, top=top),
        "nemenyi": lambda top: apa.nemenyi(FORMULA, few, top=top),
    }
    if verb not in runs:
        return None
    few = study(60, 1, 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        some, whole = (runs[verb](top).table for top in (100, "all"))
    both = some.merge(whole, on="contrast", suffixes=("", "_whole"))
    return max(difference(both[f"{c}_whole"], both[c]) for c in ("estimate", "p_value"))


def alone(verb: str, k: int, apart: float | None) -> Row:
    """CPU time of one call in a new process, and the most memory that this process had."""
    code = CHILD.format(root=str(Path(__file__).resolve().parents[1]), verb=verb, k=k)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, peak, before, shown = map(float, done.stdout.split())
    return Row(
        f"{verb}: {k:,} models",
        ours=seconds,
        difference=apart,
        note=f"{shown:,.0f} rows; peak {peak:.2f} GB, of which {before:.2f} GB imports and data; "
        f"asked: under {SECONDS} s and {GIGABYTES} GB",
        met=seconds < SECONDS and peak < GIGABYTES,
    )
