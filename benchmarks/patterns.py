"""Alignment patterns against a transcription of the published loops, and the bootstrap of agreement."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pandas as pd

import apastats as apa
from apastats.patterns.compared import REFERENCES
from apastats.patterns.pattern_agreement import agreement_values
from benchmarks.common import Row, best_time, difference, peak_memory

N_SUBJECT, N_ROI, N_PARTNER = 10, 19, 5


def study(n_predictor: int, n_metric: int = 2) -> apa.ScoreTable:
    """Scores of the published size, without structure."""
    g = np.random.default_rng(0)
    subjects = np.array([f"sub-{i + 1:02d}" for i in range(N_SUBJECT)])
    rois = np.array([f"roi-{i:02d}" for i in range(N_ROI)])
    frames = []
    for m in range(n_metric):
        k = np.arange(n_predictor)
        s, p, r = (
            v.ravel() for v in np.meshgrid(np.arange(N_SUBJECT), k, np.arange(N_ROI), indexing="ij")
        )
        layer = np.array([f"layer-{i % 11:02d}" for i in k])
        model = np.array([f"model-{i // 11:02d}" for i in k])
        frames.append(pd.DataFrame({"kind": "model", "model": model[p], "layer": layer[p], "subject": subjects[s],
                                    "roi": rois[r], "metric": f"metric-{m}"}))  # fmt: skip
        for t in range(N_SUBJECT):
            others = g.permutation([i for i in range(N_SUBJECT) if i != t])[:N_PARTNER]
            q, x, r = (
                v.ravel()
                for v in np.meshgrid(others, np.arange(N_ROI), np.arange(N_ROI), indexing="ij")
            )
            frames.append(pd.DataFrame({"kind": "subject_to_subject", "model": subjects[q], "layer": rois[x],
                                        "subject": subjects[t], "roi": rois[r], "metric": f"metric-{m}"}))  # fmt: skip
    frame = pd.concat(frames, ignore_index=True)
    return apa.ScoreTable(frame.assign(score=g.normal(size=len(frame))))


def transcription(model: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The published loop: predictors x ROIs x partners, one correlation each, a dict per row."""
    rows = []
    for s in range(len(model)):
        partners = np.flatnonzero(np.isfinite(pairs[s]).any(axis=(-1, -2)))
        for k in range(model.shape[1]):
            for r in range(N_ROI):
                values = [np.corrcoef(model[s, k], pairs[s, p, r])[0, 1] for p in partners]
                rows.append({"subject": s, "predictor": k, "roi": r, "agreement": np.mean(values)})
    frame = pd.DataFrame(rows)
    return frame["agreement"].to_numpy().reshape(len(model), model.shape[1], N_ROI)


def loops(quick: bool) -> Iterator[Row]:
    """Agreement of 505 predictors, 19 ROIs, 10 subjects, 5 partners, 2 metrics."""
    table = study(55 if quick else 505)
    arrays = apa.alignment_patterns(table).dense
    model, pairs = arrays.model, arrays.pairs
    part = model[:1, :, :: 5 if quick else 25]
    scale = model[..., 0].size / part[..., 0].size
    slow, expected = best_time(lambda: transcription(part[0], pairs[0]), 1)

    def ours() -> list[np.ndarray]:
        options = {"pairwise": True, "reference": "released", "similarity": "pearson"}
        return [agreement_values(m, p, **options)[0] for m, p in zip(model, pairs, strict=True)]

    fast, found = best_time(ours, 5)
    step = 5 if quick else 25
    yield Row(
        "agreement (released), against the loop of corrcoef",
        slow * scale,
        fast,
        difference(expected, found[0][:, ::step]),
        at_least=500,
        tolerance=1e-12,
        note=f"loop timed on every {step}th predictor of one metric and scaled; ours on all",
    )
    start = time.process_time()
    patterns = apa.alignment_patterns(table)
    agreement = apa.pattern_agreement(patterns, reference="released")
    seconds = time.process_time() - start
    yield Row(
        "the same from table to table",
        slow * scale,
        seconds,
        met=seconds < 1,
        note=f"{len(table):,} rows in, {len(agreement):,} out; asked: 1 s",
    )


def nodes(quick: bool) -> Iterator[Row]:
    """10,000 resamples of all agreements at 47 selected layers."""
    table = study(47 * 11)
    size = 500 if quick else 10_000
    train = table.frame.assign(split="train")
    both = apa.ScoreTable(
        pd.concat([train[train["kind"] == "model"], table.frame], ignore_index=True)
    )
    best = apa.select_layer(both)
    patterns = apa.alignment_patterns(table)
    for reference in REFERENCES:
        start = time.process_time()
        apa.agreement_bootstrap(
            patterns, selection=best, reference=reference, n_resamples=size, rng=1
        )
        seconds = time.process_time() - start
        yield Row(
            f"{size:,} bootstrap replicates of agreement, {reference}",
            ours=seconds,
            met=seconds * 10_000 / size < 30,
            note=f"{len(best.levels('model'))} models, 19 ROIs, 2 metrics, references recomputed; asked: 30 s; peak "
            f"{peak_memory():.2f} GB",
        )


def connectomes(quick: bool) -> Iterator[Row]:
    """A stack of thousands of people's matrices as predictor of patterns, against random graphs."""
    patterns = apa.alignment_patterns(study(11, 1).where(kind="subject_to_subject"))
    g = np.random.default_rng(1)
    n, graphs = (500, 199) if quick else (5_000, 4_999)
    stack = np.abs(g.standard_normal((n, N_ROI, N_ROI)))
    stack = (stack + stack.transpose(0, 2, 1)) * (lambda m: m & m.T)(g.random((N_ROI, N_ROI)) < 0.7)
    start = time.process_time()
    found = apa.matrix_agreement(patterns, stack, null="degree", n_resamples=graphs, rng=1)
    seconds = time.process_time() - start
    mean = apa.matrix_agreement(
        patterns, stack.mean(axis=0)[None], null="degree", n_resamples=graphs, rng=1
    )
    yield Row(
        f"connectomes of {n:,} people, {graphs:,} random graphs of the same degrees",
        ours=seconds,
        difference=difference(
            found.table["estimate"].to_numpy(), mean.table["estimate"].to_numpy()
        ),
        note=f"{N_ROI} ROIs; difference to the agreement of the mean matrix; peak {peak_memory():.2f} GB",
    )


def rows(*, quick: bool = False, only: str = "") -> Iterator[Row]:
    """All rows whose task contains ``only``."""
    for task in (loops, nodes, connectomes):
        yield from (row for row in task(quick) if only in row.task)
