"""Pictures of the question pages from simulated studies: ``python docs/questions.py`` writes them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image

import apastats as apa

TARGET = Path(__file__).resolve().parent / "_static" / "questions"
ROIS = ["V1", "V3", "V4", "MT", "LO1", "FFC"]


def study() -> tuple[apa.ScoreTable, apa.ScoreTable]:
    scores = apa.simulate(n_subject=10, n_model=4, n_tied=2, n_layer=3, rois=ROIS, rng=1).scores
    return scores.where(split="test"), apa.select_layer(scores, on="train")


def scoring() -> Any:
    rdms = apa.simulate_rdms(n_subject=8, n_model=4, n_stimulus=30, rng=1)
    return apa.evaluate_rdms(rdms.brain, rdms.models).plot()


def measures() -> Any:
    rng = np.random.default_rng(1)
    common = rng.standard_normal((60, 12))
    brain = {
        (f"s{i}", roi): common + noise * rng.standard_normal((60, 12))
        for i in range(8)
        for roi, noise in (("V1", 0.7), ("MT", 2.0))
    }
    models = {("near", "1"): common[:, :6], ("far", "1"): rng.standard_normal((60, 8))}
    table = apa.score_patterns(
        brain, models, measure=["rsa", "cka-debiased", "procrustes"], references=None
    )
    return apa.bootstrap("score ~ model | roi + metric", table).plot()


def fitted() -> Any:
    rdms = apa.simulate_rdms(
        n_subject=8, n_stimulus=20, rois=["V1", "V2"], n_model=1, n_layer=3, rng=0
    )
    layers = rdms.models
    models = [
        apa.fitted("weighted", layers, name="all layers"),
        apa.fitted("select", layers, name="best layer"),
        layers,
    ]
    return apa.evaluate_fitted(rdms.brain, models, n_resamples=199, rng=1).plot()


def unique_variance() -> Any:
    rdms = apa.simulate_rdms(
        n_subject=10, n_stimulus=48, rois=["V1", "V4", "IT"], n_model=2, n_layer=1, rng=0
    )
    return apa.unique_variance(rdms.brain, rdms.models).plot()


def encoding() -> Any:
    rng = np.random.default_rng(1)
    motion, words = rng.standard_normal((2, 120, 5))
    brain = {}
    for person in range(8):
        for roi, share in (("V1", 0.2), ("MT", 0.8)):
            signal = share * motion @ rng.standard_normal((5, 20))
            signal = signal + (1 - share) * words @ rng.standard_normal((5, 20))
            brain[f"s{person}", roi] = signal + 1.5 * rng.standard_normal(signal.shape)
    table = apa.linear_predictivity(brain, {("motion", "-"): motion, ("words", "-"): words})
    return apa.bootstrap("score ~ model | roi", table).plot()


def ceilings_and_layers() -> Any:
    scores, _ = study()
    return apa.normalize(study()[1], apa.noise_ceiling(scores, kind="subject_to_subject")).plot()


def resampling() -> Any:
    return apa.bootstrap("score ~ model | roi", study()[1].where(roi=ROIS[:3])).plot()


def equivalence() -> Any:
    best = study()[1].where(roi=ROIS[:3])
    return apa.equivalence("score ~ model | roi", best, bounds=0.03).plot()


def margin() -> Any:
    best = study()[1].where(roi=ROIS[:3])
    return apa.margin_curve(apa.equivalence("score ~ model | roi", best, bounds=0.03)).plot()


def reading() -> Any:
    return apa.equivalence_set("score ~ model | roi", study()[1]).plot(kind="matrix", numbers=True)


def patterns() -> Any:
    return apa.alignment_patterns(study()[0]).plot(kind="lines", roi="MT")


def brain_test() -> Any:
    scores, best = study()
    return apa.brain_test(scores, selection=best, margin=0.02, over="roi").plot()


def leaderboard() -> Any:
    best = study()[1]
    return apa.leaderboard(best, item=["subject", "roi"]).plot()


def mixed_models() -> Any:
    fit = apa.lmm("score ~ model + roi + (1 | subject) + (1 | model:subject)", study()[1])
    return apa.emmeans(fit, "model").plot()


PICTURES: dict[str, Callable[[], Any]] = {
    f.__name__: f
    for f in (scoring, fitted, encoding, unique_variance, measures, ceilings_and_layers, resampling, equivalence,
              margin, reading, patterns, brain_test, leaderboard, mixed_models)
}  # fmt: skip


def main() -> None:
    mpl.use("agg")
    warnings.simplefilter("ignore")
    TARGET.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        raw = io.BytesIO()
        draw().figure.savefig(raw, dpi=80, bbox_inches="tight", metadata={"Software": None})
        with Image.open(raw) as picture:
            picture.convert("RGB").quantize(32).save(TARGET / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
