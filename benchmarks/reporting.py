"""Rendering of a report of the size of a paper: seconds and megabytes of one HTML file."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from typing import Any

import apastats as apa
from benchmarks.common import Row

CONDITIONS = (
    "A report is rendered once from results that are there. CPU time of one process; the note has the time on the "
    "clock and how many processes wanted the processors meanwhile."
)
SECONDS, BYTES = 20.0, 8e6


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
