"""Ties with the best found, and false claims over all regions: the default against simpler rules on the same data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

import apastats as apa
from benchmarks.common import Row

CONDITIONS = (
    "n = 10, 8 models, 19 regions, margin a tenth of the leave-one-out ceiling (.4, SD 19 % over subjects). Found: "
    "share of truly tied models shown to be equivalent to the best seen; FW: data sets with any false claim in any "
    "region. "
    "Times are CPU time for all data sets."
)
ROIS, MODELS, SUBJECTS, SHARE, TOP = 19, 8, 10, 0.1, 0.4
FORMULA = "score ~ model | roi"
OWN = ", shares of people known"
CORRELATION = ", rows that say they are correlations"


def study(g: np.random.Generator, truth: str, sd: float) -> tuple[apa.ScoreTable, np.ndarray]:
    """Scores with ceilings, and how far every model lies below the best ``[model, roi]``, in ceilings."""
    worse = {
        "tied": np.r_[np.zeros((4, ROIS)), g.uniform(0.12, 0.3, (4, ROIS))],
        "bound": np.r_[np.zeros((1, ROIS)), np.full((7, ROIS), SHARE)],
        "ladder": np.r_[
            np.zeros((2, ROIS)), np.full((3, ROIS), SHARE), np.full((3, ROIS), 2 * SHARE)
        ],
    }[truth]
    subject = 0.19 * TOP * g.standard_normal((SUBJECTS, 1, ROIS))
    noise = sd * g.standard_normal((SUBJECTS, MODELS, ROIS))
    score = 0.8 * TOP + subject - TOP * worse + noise
    people, rois = ([f"{a}{i:02d}" for i in range(k)] for a, k in (("s", SUBJECTS), ("r", ROIS)))
    index = pd.MultiIndex.from_product(
        [people, [f"m{i}" for i in range(MODELS)], rois], names=["subject", "model", "roi"]
    )
    models = pd.DataFrame({"score": score.ravel()}, index=index).reset_index()
    brain = pd.DataFrame(
        {
            "subject": np.repeat(people, ROIS), "roi": np.tile(rois, SUBJECTS),
            "score": (TOP + subject[:, 0]).ravel(),
        }
    ).assign(kind="leave_one_out", model="others")  # fmt: skip
    brain = brain.assign(layer=brain["roi"])
    frame = pd.concat([models.assign(kind="model", layer="one"), brain], ignore_index=True)
    return apa.ScoreTable(frame), worse


def _shown(table: pd.DataFrame, claims: pd.Series) -> np.ndarray:
    """Claims ``[model, roi]``; the best itself claims nothing."""
    found = np.zeros((MODELS, ROIS), dtype=bool)
    for model, roi in table.loc[claims, ["model", "roi"]].itertuples(index=False):
        found[int(model[1:]), int(roi[1:])] = True
    return found


def claimed(name: str, scores: apa.ScoreTable) -> np.ndarray:
    """What a rule shows to be equivalent to the best seen ``[model, roi]``."""
    if name.endswith(CORRELATION):
        # with the unit the length of the pool follows from the mean ceiling, and with it what a person adds to it
        scores = apa.ScoreTable(scores.frame.assign(metric="corr"))
    models = scores.where(kind="model")
    if name.startswith("TOST"):
        block = models.block(FORMULA)
        x = block.values
        ceiling = scores.block(FORMULA, kind="leave_one_out").values[:, 0]
        best = x.mean(axis=0).argmax(axis=0)
        d = x - np.take_along_axis(x, best[None, None], axis=1)
        bound = SHARE * ceiling.mean(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            t = (d.mean(axis=0) + bound) / (d.std(axis=0, ddof=1) / np.sqrt(SUBJECTS))
        p = stats.t.sf(t, SUBJECTS - 1)
        if name.endswith("Holm"):
            rest = np.arange(MODELS)[:, None] != best
            p[rest] = apa.adjust_p(p[rest], "holm")
        return (p <= 0.05) & (np.arange(MODELS)[:, None] != best)
    ceiling = apa.noise_ceiling(scores, by=["roi"])
    if name.endswith(OWN):
        # as for RDMs and for rows of pairs, where each person's share in the ceiling is known; rows of leave-one-out
        # alone do not tell what people share, and the ceiling's error is taken for the largest it can be
        own = ceiling.arrays | {"person": ceiling.arrays["values"]}
        ceiling = replace(ceiling, arrays=own)
    margin = apa.margin(SHARE, of=ceiling)
    if name == "equivalence_set":
        table = apa.equivalence_set(FORMULA, models, bounds=margin).table
        best = table.groupby("roi")["estimate"].transform("max") == table["estimate"]
        return _shown(table, table["in_set"] & ~best)
    table = apa.equivalence(FORMULA, models, bounds=margin, reference="best").table
    return _shown(table, table["p_value_equiv_adjusted"] <= 0.05)


def rows(*, quick: bool = False, only: str = "") -> Iterator[Row]:
    """Every rule at every truth."""
    plan = (("tied", 0.012, 40), ("tied", 0.018, 40), ("bound", 0.008, 200), ("ladder", 0.008, 100))
    best = "equivalence to the best"
    rules = (
        best,
        best + OWN,
        best + CORRELATION,
        "equivalence_set",
        "TOST of pairs",
        "TOST of pairs, Holm",
    )
    for name in rules:
        for truth, sd, count in plan:
            task = f"{name}: {truth}, SD {sd:g}"
            if only not in task:
                continue
            g = np.random.default_rng([7, int(1e4 * sd), len(truth)])
            sets = max(3, count // 20) if quick else count
            found, false, seconds = [], [], 0.0
            for _ in range(sets):
                scores, worse = study(g, truth, sd)
                start = time.process_time()
                shown = claimed(name, scores)
                seconds += time.process_time() - start
                # of the tied ones the best seen is not asked about
                found.append(shown[worse == 0].sum() / max((worse == 0).sum() - ROIS, 1))
                false.append(bool(shown[worse >= SHARE - 1e-12].any()))
            share, rate = float(np.mean(found)), float(np.mean(false))
            error = np.sqrt(max(rate * (1 - rate), 0.05 * 0.95) / sets)
            note = f"FW {rate:.3f} +- {error:.3f}; {sets} data sets"
            met = None
            if truth == "tied":
                note = f"found {share:.3f}; {note}"
            if name in rules[:3] and not quick:
                met = rate <= 0.05 + 2 * error
                if truth == "tied":
                    met = bool(met and share >= 0.75)
                    note += "; asked: found .75, FW .05"
            yield Row(task, None, seconds, note=note, met=met)
