"""The levels of all defaults: ``python analyses/calibration/run.py [--minutes 45] [--n-jobs 8]``.

Works through the rounds below, the sizes that matter most first, and stops when the time is up; started again, on any
machine, it goes on where ``counts.csv`` ended: one line of sums per trial, design and size, which is part of the
repository. ``--page`` makes ``table.csv`` and ``docs/calibration.md`` from it. ``--cluster ADDRESS`` runs on a dask
scheduler. ``--counts FILE`` keeps the sums elsewhere.
"""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

import apastats as apa
from apastats.planning.calibrate import SUMS, row_of, studies, tally
from apastats.planning.levels import SLACK, page_of, shown_beyond
from apastats.planning.populations import SCORES
from apastats.planning.trials import ALL, PEERS
from apastats.planning.trials_rdms import RDM_TRIALS
from apastats.planning.trials_scores import SCORE_TRIALS
from apastats.resampling.parallel import run_tasks
from apastats.seeds import seed_sequence

HERE = Path(__file__).resolve().parent
COUNTS, TABLE = HERE / "counts.csv", HERE / "table.csv"
PAGE = HERE.parents[1] / "docs" / "calibration.md"
SEED = 20261130
_MODELS = (
    "tost",
    "separation",
    "set size",
    "outcomes",
    "mixed",
    "mixed family",
    "mixed brain",
    "planned",
    "subjects needed",
)
_PEOPLE = (
    "leave_one_out", "subject_to_subject", "nili lower", "nili upper", "table ceiling", "agreement_bootstrap",
    "agreement_bootstrap model",
)  # fmt: skip
_RDM_PEERS = ("rsatoolbox lower", "rsatoolbox upper")
_BRAIN = [k for k, trial in RDM_TRIALS.items() if trial.verb == "brain_test"]
GROUPS = {
    "scores": [
        *(k for k in SCORE_TRIALS if k not in _MODELS),
        *(k for k in PEERS if k not in _RDM_PEERS),
    ],
    "rdms": [*(k for k in RDM_TRIALS if k not in (*_BRAIN, *_PEOPLE)), *_RDM_PEERS],
    "models": [*_MODELS],
    "people": [*_PEOPLE],
    "brain": _BRAIN,
}
# seconds a study at 40 people; its jackknife is of the fourth power
DEAR = ("agreement_bootstrap", "agreement_bootstrap model")
SIZES = (5, 8, 10, 20, 40)
# studies at a time: the mean of the first ones is the truth that their own intervals are held against
STEP = 20
# (simulated studies per design, people), in this order
ROUNDS = [
    *((20, n) for n in (40, 20, 8, 10, 5)),
    *((100, n) for n in (40, 20, 8, 10, 5)),
    *((200, n) for n in (8, 10, 20, 40, 5)),
    *((400, n) for n in (8, 10, 20, 40, 5)),
    *((2000, n) for n in (8, 10, 5, 20, 40)),
]
KEYS = ["trial", "design", "n"]
OTHERS = {trial.verb for trial in PEERS.values()}


def trials(group: str, n: int) -> list[str]:
    """What is tried at this size."""
    return [k for k in GROUPS[group] if n < 40 or k not in DEAR]


def read_counts(path: Path = COUNTS) -> pd.DataFrame:
    """The sums so far, indexed by trial, design and n."""
    if not path.is_file():
        return pd.DataFrame(columns=[*KEYS, *SUMS]).set_index(KEYS)
    return pd.read_csv(path).set_index(KEYS)


def write_counts(counts: pd.DataFrame, path: Path = COUNTS) -> None:
    """Keep the sums, all or nothing."""
    partial = path.with_suffix(".partial")
    counts.sort_index().to_csv(partial, float_format="%.9g")
    partial.replace(path)


def done(counts: pd.DataFrame, name: str, n: int) -> int:
    """Studies that this trial has in every design."""
    found = [counts["studies"].get((name, design, n), 0) for design in SCORES]
    return int(min(found))


def lacking(counts: pd.DataFrame, group: str, n: int, wanted: int) -> tuple[list[str], int, int]:
    """Trials of a group that have the fewest studies, that number, and where their next step ends."""
    there = {k: done(counts, k, n) for k in trials(group, n)}
    start = min(there.values())
    stop = min([start + STEP, wanted, *(v for v in there.values() if v > start)])
    return [k for k, v in there.items() if v == start], start, stop


def step(
    counts: pd.DataFrame, names: list[str], n: int, start: int, stop: int, n_jobs: int
) -> pd.DataFrame:
    """Sums with studies ``start`` to ``stop`` of every design added."""
    seed = seed_sequence(SEED)
    parts = [(d, r) for d in SCORES for r in range(start, stop, 5)]
    tasks = [(names, SCORES[d], n, seed, r, min(r + 5, stop)) for d, r in parts]
    blocks = list(run_tasks(studies, tasks, n_jobs=n_jobs, label=f"calibration n={n}"))
    rows = {}
    for design in SCORES:
        mine = [b for (d, _), b in zip(parts, blocks, strict=True) if d == design]
        for i, name in enumerate(names):
            values, warned = (
                np.concatenate([b[f"{what}_{i}"] for b in mine]) for what in ("values", "warned")
            )
            key = (name, design, n)
            before = dict(counts.loc[key]) if key in counts.index else None
            rows[key] = tally(ALL[name], values, warned, before)
    new = pd.DataFrame.from_dict(rows, orient="index", columns=list(SUMS))
    new.index = pd.MultiIndex.from_tuples(rows, names=KEYS)
    return pd.concat([counts.drop(index=new.index, errors="ignore"), new]) if len(counts) else new


def table_of(counts: pd.DataFrame) -> pd.DataFrame:
    """The table, in the order of designs, sizes and groups."""
    place = {k: i for i, k in enumerate(k for group in GROUPS.values() for k in group)}
    order = {name: i for i, name in enumerate(SCORES)}
    found = sorted(counts.index, key=lambda key: (order[key[1]], key[2], place[key[0]]))
    rows = [row_of(ALL[k], design, n, counts.loc[(k, design, n)]) for k, design, n in found]
    return pd.DataFrame(rows)


def page() -> None:
    """Write the table and the page of the documentation."""
    made = {"version": apa.__version__, "seed": SEED, "date": f"{date.today():%Y-%m-%d}"}
    table = table_of(read_counts()).assign(**made)
    table.to_csv(TABLE, index=False, float_format="%.6g")
    PAGE.write_text(to_page(pd.read_csv(TABLE)), "utf-8")


def to_page(table: pd.DataFrame) -> str:
    """Page of the documentation, of ``table.csv``."""
    counts = table[table["quantity"] != "power"].groupby("n")["n_replicate"]
    several = counts.quantile(0.05), counts.median(), counts.max()
    sizes = ", ".join(
        f"{a:.0f} to {c:.0f} (median {b:.0f}) at n = {n}"
        for n, a, b, c in zip(counts.groups, *several, strict=True)
    )
    first = table.iloc[0]
    made = (
        f"Made by `python analyses/calibration/run.py` with apastats {first['version']}, seed {first['seed']}, on "
        f"{first['date']}. Simulated studies per design: {sizes}; a verb that refuses a study is not counted "
        "there. The designs are described in `apa.calibrate`, which makes the same table for a design of your own "
        "(`apastats calibrate --pilot scores.csv`). Of so many rows some are beyond two Monte-Carlo errors by chance. "
        "Rows of other programs are their defaults, by their own formulas. Measures of patterns, fitted models and "
        "parts of the variance have their tables [among the intervals](calibration_intervals.md#stimuli)."
    )
    return page_of(table, made, together(table))


def together(table: pd.DataFrame) -> str:
    """Sentence on all rows of this package's defaults taken together."""
    ours = table[~table["verb"].isin(OTHERS)]
    shown = shown_beyond(ours)
    kept = ours[ours["quantity"] != "power"]
    how = (
        f"All {len(kept)} rows of this package's defaults taken together, with their sums over the designs and over "
        "the sizes (exact binomial tests of the rate of what is wrong and not warned of against nominal and "
        f"{100 * SLACK:g} points, Holm at 5 %)"
    )
    if shown.empty:
        return (
            f"{how}: none is shown to be beyond. Cells of 20 studies can show large faults only; a cell is measured to "
            "a point and a half with several hundred."
        )
    named = "; ".join(
        f"{r.verb}, {r.what} ({r.design}, n = {r.n}): {r.rate:.3f} of {r.n_replicate:.0f}"
        for r in shown.itertuples()
    )
    return f"{how}: {len(shown)} shown to be beyond: {named}."


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--cluster")
    parser.add_argument("--counts", type=Path, default=COUNTS)
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    if given.page:
        page()
        return
    end = time.monotonic() + 60 * given.minutes
    counts = read_counts(given.counts)
    with apa.cluster(given.cluster) if given.cluster else nullcontext():
        for wanted, n in ROUNDS:
            for group in ("scores", "models", "brain", "people", "rdms"):
                names, start, stop = lacking(counts, group, n, wanted)
                while start < wanted and time.monotonic() < end:
                    counts = step(counts, names, n, start, stop, given.n_jobs)
                    write_counts(counts, given.counts)
                    print(f"{time.strftime('%H:%M')} {group} n={n}: {stop}", flush=True)
                    names, start, stop = lacking(counts, group, n, wanted)


if __name__ == "__main__":
    main()
