"""The levels of all defaults: ``python analyses/calibration/run.py [--minutes 45] [--n-jobs 8]``.

Works through the rounds below, the sizes that matter most first, and stops when the time is up; started again it goes
on where it ended. ``--page`` makes ``table.csv`` and ``docs/calibration.md`` from what is there. ``--cluster ADDRESS``
runs on a dask scheduler.
"""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import pandas as pd

import apastats as apa
from apastats.planning.calibrate import page_of
from apastats.planning.populations import SCORES
from apastats.planning.trials import PEERS
from apastats.planning.trials_rdms import RDM_TRIALS
from apastats.planning.trials_scores import SCORE_TRIALS

HERE = Path(__file__).resolve().parent
BLOCKS, TABLE = HERE / "blocks", HERE / "table.csv"
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
# (group, people, simulated studies per design)
ROUNDS = [
    (group, n, count)
    for count, sizes in (
        (100, (8, 10)),
        (50, (5, 20)),
        (20, (40,)),
        (200, (8, 10)),
        (100, (5, 20)),
        (400, (8, 10)),
        (400, (5, 20)),
        (100, (40,)),
        (400, (40,)),
        (2000, (8, 10, 5, 20, 40)),
    )
    for n in sizes
    for group in GROUPS
]


def trials(group: str, n: int) -> list[str]:
    """What is tried at this size."""
    return [k for k in GROUPS[group] if n < 40 or k not in DEAR]


def measured(group: str, n: int, n_replicate: int, n_jobs: int = 1) -> pd.DataFrame:
    """One part of the table, from blocks that are there and new ones."""
    found = apa.calibrate(
        trials(group, n), n=n, design=list(SCORES), n_replicate=n_replicate, rng=SEED, n_jobs=n_jobs,
        workdir=BLOCKS / f"{group}_{n:02d}",
    )  # fmt: skip
    return found.table


def done(group: str, n: int) -> int:
    """Studies per design that are finished in every design."""
    folder = BLOCKS / f"{group}_{n:02d}"
    there, count = {p.name for p in folder.glob("block_*.npz")}, 0
    while f"block_{count:06d}.npz" in there:
        count += 1
    return count // len(SCORES) * 10


def page() -> None:
    """Write the table and the page of the documentation."""
    parts = [
        measured(group, n, done(group, n))
        for group in GROUPS
        for n in (5, 8, 10, 20, 40)
        if done(group, n)
    ]
    table = pd.concat(parts, ignore_index=True)
    order = {name: i for i, name in enumerate(SCORES)}
    table = table.sort_values("design", key=lambda c: c.map(order), kind="stable")
    made = {"version": apa.__version__, "seed": SEED, "date": f"{date.today():%Y-%m-%d}"}
    table.assign(**made).to_csv(TABLE, index=False, float_format="%.6g")
    PAGE.write_text(to_page(pd.read_csv(TABLE)), "utf-8")


def to_page(table: pd.DataFrame) -> str:
    """Page of the documentation, of ``table.csv``."""
    counts = table[table["quantity"] != "power"].groupby("n")["n_replicate"].max()
    sizes = ", ".join(f"{count} at n = {n}" for n, count in counts.items())
    first = table.iloc[0]
    made = (
        f"Made by `python analyses/calibration/run.py` with apastats {first['version']}, seed {first['seed']}, on "
        f"{first['date']}. Simulated studies per design: {sizes}; a verb that refuses a study is not counted "
        "there. The designs are described in `apa.calibrate`, which makes the same table for a design of your own "
        "(`apastats calibrate --pilot scores.csv`). Of so many rows some are beyond two Monte-Carlo errors by chance. "
        "Rows of other programs are their defaults, by their own formulas."
    )
    return page_of(table, made)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--cluster")
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    if given.page:
        page()
        return
    end = time.monotonic() + 60 * given.minutes
    with apa.cluster(given.cluster) if given.cluster else nullcontext():
        for group, n, wanted in ROUNDS:
            while (there := done(group, n)) < wanted and time.monotonic() < end:
                measured(group, n, min(wanted, there + 20 * max(1, given.n_jobs)), given.n_jobs)
                print(f"{time.strftime('%H:%M')} {group} n={n}: {done(group, n)}", flush=True)


if __name__ == "__main__":
    main()
