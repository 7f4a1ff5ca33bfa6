"""The whole demonstration beside the code before the reports were made anew, and a report of the size of a paper."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from apastats.reporting.drawing import Drawings, inline_figure
from benchmarks.common import Row, difference

BEFORE = "f0800e6"  # the last commit before reports and figures were made anew
CONDITIONS = (
    f"The demonstration: `apastats demo` as a process of its own, user and system time together, the code of commit "
    f"{BEFORE} and of today in turn on the same machine, the least of each; compared is what both define alike "
    "(scores, patterns, chosen layers, bootstrap of scores, estimates of ceilings, of agreement and of differences of "
    "scores; intervals of ceilings, equivalence and mixed models have other definitions since). The report of a "
    "paper's size is rendered once from results that are there; CPU time of one process; the note has the time on the "
    "clock and how many processes wanted the processors meanwhile."
)
AT_LEAST, SECONDS, BYTES = 2.5, 6.0, 8e6
ROOT = Path(__file__).resolve().parents[1]
ALIKE = {
    "scores": ("score",),
    "patterns": ("value",),
    "selected": ("score",),
    "agreement": ("agreement",),
    "bootstrap_score": ("estimate", "std_error", "conf_low", "conf_high"),
    "ceiling_leave_one_out": ("estimate",),
    "ceiling_subject_to_subject": ("estimate",),
    "equivalence_score": ("estimate",),
}


def demo(code: Path, folder: Path) -> float:
    """CPU seconds of the whole demonstration by the package in ``code``."""
    shutil.rmtree(folder, ignore_errors=True)
    environment = {**os.environ, "PYTHONPATH": str(code), "OMP_NUM_THREADS": "1"}
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "apastats", "demo", "--out", str(folder)],
        env=environment,
        cwd=folder.parent,
        check=True,
        capture_output=True,
    )
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return end.ru_utime - start.ru_utime + end.ru_stime - start.ru_stime


def worker() -> float:
    """CPU seconds until a new process could draw a figure."""
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = "import apastats.reporting.panels, apastats.reporting.drawing as d\nwith d._settings(''): pass"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return end.ru_utime - start.ru_utime + end.ru_stime - start.ru_stime


def alike(before: Path, now: Path) -> float:
    """Largest difference of the numbers that both define alike."""
    return max(
        difference(
            *(pd.read_csv(f / "tables" / f"{name}.csv")[list(columns)] for f in (before, now))
        )
        for name, columns in ALIKE.items()
    )


def paired(repeat: int = 3) -> Row:
    """The demonstration by the code before and by that of today, in turn."""
    task = "whole demonstration, 8 models x 19 ROIs x 10 subjects"
    with tempfile.TemporaryDirectory() as d:
        old = Path(d, "before")
        old.mkdir()
        made = subprocess.run(
            ["git", "archive", "-o", str(old / "code.tar"), BEFORE, "apastats"],
            cwd=ROOT,
            check=False,
        )
        if made.returncode:
            return Row(task, note=f"not measured: commit {BEFORE} is not here")
        with tarfile.open(old / "code.tar") as archive:
            archive.extractall(old, filter="data")
        times = np.array(
            [(demo(old, Path(d, "a")), demo(ROOT, Path(d, "b"))) for _ in range(repeat)]
        )
        off = alike(Path(d, "a"), Path(d, "b"))
    theirs, ours = times.min(axis=0)
    said = ", ".join(f"{a / b:.2f}" for a, b in times)
    return Row(
        task,
        float(theirs),
        float(ours),
        off,
        at_least=AT_LEAST,
        note=f"theirs: commit {BEFORE}; ratios of the runs: {said}",
    )


def results(n_model: int, n_subject: int, rois: list[str] | None = None) -> list[Any]:
    """The usual chain of verbs over two metrics, and what a paper adds to it."""
    simulated = apa.simulate(
        n_subject=n_subject,
        n_model=n_model,
        n_layer=3,
        n_tied=2,
        rois=rois,
        metrics=("rsa", "linear_predictivity"),
        rng=1,
    )
    scores = simulated.scores
    best = apa.select_layer(scores, on="train")
    ceiling = apa.noise_ceiling(scores)
    patterns = apa.alignment_patterns(scores)
    agreement = apa.selected_rows(apa.pattern_agreement(patterns), best)
    formula = "score ~ model | roi + metric"
    bounds = apa.margin(0.1, of=ceiling)
    return [
        apa.check(scores),
        scores,
        ceiling,
        apa.noise_ceiling(scores, kind="subject_to_subject"),
        best,
        patterns,
        agreement,
        apa.bootstrap(formula, best),
        apa.bootstrap("z ~ model | roi + metric", agreement),
        apa.equivalence(formula, best, bounds=bounds, reference="best"),
        apa.equivalence("z ~ model | roi + metric", agreement, bounds=0.1, reference="brain"),
        apa.equivalence_set(formula, best, bounds=0.02),
        apa.strict_alignment(best, agreement, score_bounds=bounds, agreement_bounds=0.1),
    ]


def rows(*, quick: bool = False, only: str = "") -> Iterator[Row]:
    """Time and size."""
    if not quick and only in "whole demonstration":
        yield paired()
    n_model, n_roi, n_subject = (3, 3, 5) if quick else (47, 19, 10)
    task = f"HTML report, {n_model} models x {n_roi} ROIs x {n_subject} subjects, 2 metrics"
    if only not in task:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = results(n_model, n_subject, ["V1", "V4", "MT"] if quick else None)
    start, busy = time.perf_counter(), time.process_time()
    document = apa.report(*found, title="A study of the size of a paper")
    text = document.html()
    clock, busy = time.perf_counter() - start, time.process_time() - busy
    size = len(text.encode())
    start = time.process_time()
    for block in document.figure_blocks():
        drawings = Drawings()
        inline_figure(block, drawings)
    drawn, begun = time.process_time() - start, worker()
    yield Row(
        f"{task}: all figures",
        ours=drawn,
        note=f"to start one process that draws takes {begun:.2f} s of CPU, so that two of them end after "
        f"{begun + drawn / 2:.2f} s at best: figures are drawn in one process",
    )
    yield Row(
        f"{task}: time",
        ours=busy,
        met=busy < SECONDS,
        note=f"{len(document.figure_blocks())} figures; asked: under {SECONDS:g} s; {clock:.1f} s on the clock at a "
        f"load of {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
    )
    yield Row(
        f"{task}: size",
        met=size < BYTES,
        note=f"{size / 1e6:.2f} MB; asked: under {BYTES / 1e6:g} MB",
    )
