"""Rebuild the reports of all studies into ``reports/``: ``python analyses/rebuild.py DATA [NAME ...]``.

DATA is a folder with ``castaldi2019_numerosity``, ``images92``, ``bmd_leave_one_out`` and ``bmd_model_scores``
(each study's README says how to get them). ``--check`` rebuilds nothing: it computes every number again and
compares it with the tracked tables.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[1]
REPORTS = REPOSITORY / "reports"
LARGE = ("scores", "patterns")  # tables that repeat the data; not tracked

BMD = "DIR/bmd_leave_one_out/scores_rsa_test.csv"
STUDIES: dict[str, tuple[str, ...] | None] = {
    "demo": None,
    "castaldi_numerosity": (
        "inputs.rdms=DIR/castaldi2019_numerosity/rdms_taskboth.npz",
        "inputs.models=DIR/castaldi2019_numerosity/models.npz",
    ),
    "images92": (
        "inputs.rdms=DIR/images92/cichy2014_fmri_rdms.npz",
        "inputs.models=DIR/images92/model_rdms.npz",
        "inputs.more_models.network.path=DIR/images92/efficientnet_lite0_rdms.npz",
    ),
    "hoefling2026": (
        f"inputs.tables.brain.path={BMD}",
        "inputs.tables.networks.path=DIR/bmd_model_scores",
    ),
}


@contextmanager
def workplace(data: Path) -> Iterator[Path]:
    """A scratch folder with ``analyses`` and ``DIR`` in it, so that no path of this machine gets into a report."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        (here / "analyses").symlink_to(REPOSITORY / "analyses")
        (here / "DIR").symlink_to(data.resolve())
        os.chdir(here)
        try:
            yield here
        finally:
            os.chdir(before)


def run(name: str) -> Path:
    """Run one study in the current folder."""
    from apastats.studies.run import run_demo, run_study

    assignments = STUDIES[name]
    if assignments is None:
        return run_demo("demo").folder
    return run_study(f"analyses/{name}/study.toml", assignments=assignments, output=name).folder


def tracked(folder: Path) -> list[Path]:
    """Tables of a finished study that are small enough to track."""
    return [t for t in sorted((folder / "tables").glob("*.csv")) if t.stem not in LARGE]


def rebuild(name: str) -> None:
    """Run one study and put its report, tables and recipe into ``reports/``."""
    folder, target = run(name), REPORTS / name
    if target.exists():
        shutil.rmtree(target)
    (target / "tables").mkdir(parents=True)
    for table in tracked(folder):
        shutil.copy(table, target / "tables")
    for file in ("report.html", "study.toml", "references.bib"):
        shutil.copy(folder / file, target)


def stale(name: str) -> list[str]:
    """What differs between the tracked tables of a study and its numbers now."""
    folder, target = run(name), REPORTS / name
    now = {t.name: t for t in tracked(folder)}
    then = {t.name: t for t in sorted((target / "tables").glob("*.csv"))}
    found = [f"{name}/{t}: in one of them only" for t in sorted(set(now) ^ set(then))]
    for table in sorted(set(now) & set(then)):
        a, b = (pd.read_csv(t[table], keep_default_na=False) for t in (now, then))
        if list(a.columns) != list(b.columns) or len(a) != len(b):
            found.append(f"{name}/{table}: has another shape")
            continue
        found += [f"{name}/{table}: column {c} differs" for c in a.columns if not same(a[c], b[c])]
    return found


def same(a: pd.Series, b: pd.Series) -> bool:
    """Equal text; numbers to 9 digits, for other versions of numpy and BLAS."""
    x, y = (pd.to_numeric(v, errors="coerce").to_numpy("f8") for v in (a, b))
    text = np.isnan(x) & np.isnan(y)
    close = np.isclose(x, y, rtol=1e-9, atol=1e-12)
    return bool(np.all(close | (text & (a.astype(str).to_numpy() == b.astype(str).to_numpy()))))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("names", nargs="*", choices=[[], *STUDIES], metavar="NAME")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    differences: list[str] = []
    with workplace(arguments.data):
        for name in arguments.names or STUDIES:
            sys.stdout.write(f"{name}\n")
            if arguments.check:
                differences += stale(name)
            else:
                rebuild(name)
    for line in differences:
        sys.stdout.write(f"stale: {line}\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
