"""Small data for calls of every verb, made once."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from apastats.errors import ApaWarning
from apastats.resampling.plans import subject_counts

ROIS = ["V1", "V2", "V4", "LO1"]
STREAMS = {"early": ["V1", "V2"], "late": ["V4", "LO1"]}
UNIT = [1.0]  # scores, and margins in their unit, are this many times as large
PLACES = {"V1": [0.0, 0.0], "V2": [1.0, 0.0], "V4": [1.0, 2.0], "LO1": [3.0, 1.0]}


@contextmanager
def in_unit(unit: float) -> Iterator[None]:
    """All data of this module in another unit; made anew, and forgotten afterwards."""
    made = [f for f in globals().values() if hasattr(f, "cache_clear")]
    for f in made:
        f.cache_clear()
    UNIT[0] = unit
    try:
        yield
    finally:
        UNIT[0] = 1.0
        for f in made:
            f.cache_clear()


@cache
def study() -> Any:
    made = apa.simulate(
        n_subject=6, n_model=3, n_layer=2, n_tied=2, rois=ROIS, streams=STREAMS, rng=1
    )
    frame = made.scores.frame
    return replace(made, scores=apa.ScoreTable(frame.assign(score=frame["score"] * UNIT[0])))


@cache
def best() -> apa.ScoreTable:
    """One layer per model and ROI, with columns beside: a second name of subjects, sex, a weight."""
    chosen = apa.select_layer(study().scores, on="train")
    frame = chosen.frame.copy()
    frame["person"] = "p" + frame["subject"].str[-2:]
    frame["half"] = np.where(frame["subject"].str[-2:].astype(int) % 2, "odd", "even")
    frame["weight"] = 1.0 + np.arange(len(frame)) % 3
    return apa.ScoreTable(frame)


@cache
def patterns() -> Any:
    return apa.alignment_patterns(study().scores)


@cache
def people() -> apa.ScoreTable:
    """Models and pairs of people, one split."""
    return study().scores.where(split="test")


@cache
def both_ways() -> apa.ScoreTable:
    """The same with rows of the brain predicting the models."""
    frame = people().frame
    models = frame[frame["kind"] == "model"]
    turned = models.assign(direction="brain_to_model", score=models["score"] * 0.9)
    rows = [frame.assign(direction="model_to_brain"), turned]
    return apa.ScoreTable(pd.concat(rows, ignore_index=True))


@cache
def brained() -> Any:
    return apa.brain_test(people(), margin=0.1 * UNIT[0], selection=best(), n_resamples=199)


@cache
def brained_both() -> Any:
    margins = {"score": 0.1, "agreement": 0.3}
    return apa.brain_test(
        people(), margin=margins, outcome="both", selection=best(), n_resamples=199
    )


@cache
def benchmarks() -> apa.ScoreTable:
    """Twelve models, three runs each, on six benchmarks in two halves; a third of the benchmarks are holes."""
    random = np.random.default_rng(3)
    model, item, half, seed = (
        v.ravel() for v in np.meshgrid(range(12), range(6), list("ab"), range(3), indexing="ij")
    )
    score = (
        random.normal(size=12)[model]
        + random.normal(size=6)[item]
        + random.normal(0, 0.5, (12, 6))[model, item]
    )
    frame = pd.DataFrame(
        {
            "model": model,
            "benchmark": item,
            "half": half,
            "seed": seed,
            "subject": "all",
            "roi": "all",
        }
    )
    frame = frame.assign(
        score=score + random.normal(0, 0.3, len(score)), second=random.normal(size=len(score))
    )
    kept = random.random((12, 6)) < 0.67
    kept[0] = kept[:, 0] = True
    frame[["score", "second"]] *= UNIT[0]
    frame = frame[kept[model, item]].assign(model=[f"m{k:02d}" for k in model[kept[model, item]]])
    return apa.ScoreTable(frame, outcomes=("score", "second"))


@cache
def ordered() -> Any:
    return apa.leaderboard(benchmarks(), item="benchmark", within=["half", "seed"], n_resamples=199)


@cache
def agreement() -> apa.ScoreTable:
    return apa.selected_rows(apa.pattern_agreement(patterns()), best())


@cache
def ceiling() -> Any:
    return apa.noise_ceiling(study().scores)


@cache
def two_bounds() -> Any:
    return apa.noise_ceiling(rdms().brain, kind="nili")


@cache
def tested() -> Any:
    return apa.equivalence("score ~ model | roi", best(), bounds=0.02 * UNIT[0], reference="best")


@cache
def fit() -> Any:
    return quietly(apa.lmm, "score ~ model * roi + (1 | subject)", best())


@cache
def means() -> Any:
    return apa.emmeans(fit(), "model", by="roi")


@cache
def contrasts() -> Any:
    return means().contrast()


@cache
def rdms() -> Any:
    made = apa.simulate_rdms(
        n_subject=4, n_stimulus=12, rois=ROIS, streams=STREAMS, n_model=2, n_layer=2, rng=0
    )
    return replace(made, **{k: _larger(getattr(made, k)) for k in ("brain", "models")})


@cache
def timed_rdms() -> apa.RDMSet:
    """The brains' RDMs at two time points."""
    brain = rdms().brain
    later = np.roll(brain.vectors, 3, axis=1)
    labels = [brain.labels.assign(time=t) for t in ("0", "50")]
    both = np.concatenate([brain.vectors, later])
    return apa.RDMSet(both, pd.concat(labels, ignore_index=True), brain.stimuli)


def timed_brains() -> dict[tuple[str, str, str], Any]:
    """The brains' responses at two time points."""
    return {
        (*key, time): np.roll(value, shift, axis=0)
        for key, value in brains().items()
        for time, shift in (("0", 0), ("50", 3))
    }


def _larger(of: apa.RDMSet) -> apa.RDMSet:
    return apa.RDMSet(of.vectors * UNIT[0], of.labels, of.stimuli)


@cache
def one_of_each() -> apa.RDMSet:
    """One layer of every model."""
    models = rdms().models
    return models.select(layer=str(models.labels["layer"].iloc[0]))


@cache
def with_ceilings() -> Any:
    return quietly(
        apa.bootstrap,
        "score ~ model | roi",
        rdms().brain,
        models=one_of_each(),
        n_resamples=99,
        rng=1,
    )


@cache
def draws() -> dict[str, np.ndarray]:
    return dict(zip("abc", UNIT[0] * np.random.default_rng(0).normal(size=(3, 400)), strict=True))


@cache
def numbers(n: int = 12, columns: int = 0, seed: int = 0) -> np.ndarray:
    """Scores around .3; other seeds are related, as scores of one subject are."""
    shared = np.random.default_rng(99).normal(size=n)
    shape = (n, columns) if columns else n
    own = np.random.default_rng(seed).normal(size=shape)
    return UNIT[0] * (0.3 + 0.02 * (shared[:, None] if columns else shared) + 0.02 * own)


@cache
def near() -> pd.DataFrame:
    """How near ROIs are, as a matrix of similarities."""
    return -distances().loc[ROIS, ROIS]


@cache
def distances() -> pd.DataFrame:
    """Between all ROIs, and one more."""
    place = np.array([*PLACES.values(), [4.0, 4.0]])
    names = [*ROIS, "FFA"]
    return pd.DataFrame(np.linalg.norm(place[:, None] - place, axis=-1), names, names)


@cache
def plan() -> Any:
    return subject_counts(12, 99, np.random.SeedSequence(3))


def column_medians(x: np.ndarray) -> np.ndarray:
    """A statistic of drawn rows."""
    return np.median(x, axis=0)


def quietly(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ApaWarning)
        return function(*args, **kwargs)


def new_folder() -> str:
    """Name of a folder that is not there."""
    return f"{tempfile.mkdtemp(prefix='apastats_')}/new"


@cache
def weighted_fit() -> Any:
    """A fit with a covariate."""
    return quietly(apa.lmm, "score ~ model * weight + (1 | subject)", best())


@cache
def with_brains() -> apa.ScoreTable:
    """Scores of models, and of subjects and their means that predict their own ROI."""
    raw = study().scores.frame
    own = (raw["layer"] == raw["roi"]) & (raw["split"] == "test") & (raw["kind"] != "model")
    return apa.ScoreTable(pd.concat([best().frame, raw[own]], ignore_index=True))


@cache
def sessions() -> apa.RDMSet:
    """Two sessions of every subject."""
    one = two = rdms().brain
    labels = pd.concat(
        [s.labels.assign(session=n, run=n) for n, s in (("a", one), ("b", two))], ignore_index=True
    )
    vectors = np.concatenate([one.vectors, two.vectors])
    vectors = vectors + np.random.default_rng(6).normal(0, 0.1, vectors.shape)
    return apa.RDMSet(vectors, labels, one.stimuli)


@cache
def rdm_scores() -> apa.ScoreTable:
    """Scores of the first layers of RDM models."""
    found = apa.score(rdms().brain, rdms().models)
    return apa.select_layer(found, on="cross_subject")


@cache
def folder(name: str) -> str:
    """A new folder for blocks that are kept."""
    return tempfile.mkdtemp(prefix=f"apastats_{name}_")


@cache
def responses(
    names: tuple[tuple[str, str], ...], columns: int = 5, seed: int = 0
) -> dict[Any, np.ndarray]:
    """Responses ``[stimulus, column]`` under each of the names, with something in common."""
    rng = np.random.default_rng(seed)
    shared = np.random.default_rng(98).normal(size=(30, columns))
    return {name: shared + rng.normal(size=(30, columns)) for name in names}


def brains() -> dict[Any, np.ndarray]:
    return responses((("s1", "V1"), ("s2", "V1"), ("s3", "V1")))


def unit_ceilings() -> dict[Any, apa.Reliability]:
    """What is reachable for every unit of the brains."""
    return {
        k: apa.Reliability.from_r2(np.linspace(0.4, 0.9, v.shape[1])) for k, v in brains().items()
    }


def layers() -> dict[Any, np.ndarray]:
    return responses((("m1", "l1"), ("m2", "l1")), seed=1)


@cache
def repeats() -> np.ndarray:
    """Responses ``[stimulus, repeat, vertex]``."""
    rng = np.random.default_rng(2)
    return rng.normal(size=(30, 1, 4)) + rng.normal(size=(30, 4, 4))


@cache
def files() -> str:
    """A folder with scores, RDMs, patterns, a result and a study as files."""
    made = folder("files")
    study().scores.frame.to_csv(f"{made}/scores.csv", index=False)
    rdms().brain.save(f"{made}/rdms.npz")
    np.savez(f"{made}/patterns.npz", **{"/".join(k): v for k, v in brains().items()})
    tested().save(f"{made}/result")
    square = rdms().brain.matrices()[:3]
    np.savez(f"{made}/stack.npz", rdms=square, subject=np.array(["s1", "s2", "s3"]))
    with open(f"{made}/regions.csv", "w", encoding="utf-8") as file:
        file.write("name,group,stream,x,y\nV1,a,early,1,2\nMT,b,dorsal,3,4\n")
    with open(f"{made}/study.toml", "w", encoding="utf-8") as file:
        file.write(STUDY)
    return made


STUDY = """
[study]
name = "small"
seed = 3

[inputs]
scores = "scores.csv"

[report]
formats = ["md"]
"""


@cache
def network() -> Any:
    """A small convolutional network."""
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten())


@cache
def images() -> np.ndarray:
    return np.random.default_rng(3).random((4, 3, 8, 8)).astype("f4")


@cache
def parted() -> Any:
    return quietly(lambda: apa.unique_variance(rdms().brain, one_of_each()))
