"""Fitted models in a cross-validated bootstrap against rsatoolbox (10 RDMs, 10 subjects, 92 stimuli)."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import Row, best_time, difference
from benchmarks.scoring import data

N_SUBJECT, N_STIMULUS, N_MEMBER = 10, 92, 10


def rows(*, quick: bool = False, only: str = "") -> Iterator[Row]:
    """A model of 10 RDMs, 2 x 2 folds in every two-factor resample, against ``bootstrap_crossval``, per resample.

    Both sides give held-out scores and noise ceilings of every resample. Agreement: scores of the four folds of some
    resamples, draws and folds replayed.
    """
    from rsatoolbox.inference import bootstrap_crossval
    from rsatoolbox.model import ModelSelect, ModelWeighted
    from rsatoolbox.model.fitter import fit_regress, fit_select
    from rsatoolbox.rdm import RDMs

    import apastats as apa
    from apastats.io.rdm_set import RDMSet
    from apastats.scoring.fitted.crossvalidated import crossvalidated, stimulus_folds
    from apastats.scoring.fitted.folds import FittedKernel, Rule

    x, y = data(N_SUBJECT, N_STIMULUS, N_MEMBER)
    brain = RDMSet(x, pd.DataFrame({"subject": range(N_SUBJECT), "roi": "V1"}))
    members = RDMSet(y, pd.DataFrame({"layer": range(len(y))}))
    people, stimuli = np.full(N_SUBJECT, 1 / N_SUBJECT), np.full(N_STIMULUS, 1 / N_STIMULUS)
    tasks = (
        ("select", "cosine", ModelSelect, fit_select, 500, 1020),
        ("weighted", "cosine", ModelWeighted, fit_regress, 300, 1020),
        ("select", "spearman", ModelSelect, fit_select, None, 408),
        ("select", "tau-a", ModelSelect, fit_select, None, 24),
    )
    for rule, method, model, fitter, asked, n in tasks:
        name = f"fitted model, {rule}, {method}, per resample"
        if only not in name:
            continue
        if quick:
            n = min(n, 204)
        batch = min(n, 204)

        def slow(model: Any = model, fitter: Any = fitter, method: str = method) -> None:
            options = {"k_pattern": 2, "k_rdm": 2, "N": 4, "n_cv": 2}
            bootstrap_crossval(
                model("m", RDMs(y)), RDMs(x), method=method, fitter=fitter, **options
            )

        def fast(rule: Any = rule, method: str = method, n: int = n, batch: int = batch) -> None:
            rng = np.random.default_rng(0)
            kernel = FittedKernel(x, [Rule(y, rule, nonnegative=False)], method)
            for _ in range(n // batch):
                v = rng.multinomial(N_SUBJECT, people, size=batch)
                c = rng.multinomial(N_STIMULUS, stimuli, size=batch)
                folds = stimulus_folds(kernel, c, 2, 2, rng, whole=False)
                crossvalidated(kernel, v, folds, 2, 2, rng)

        def verb(rule: Any = rule, method: str = method, n: int = n) -> None:
            chosen = apa.fitted(
                rule, members, **({} if rule == "select" else {"nonnegative": False})
            )
            options = {"k_subject": 2, "k_stimulus": 2, "n_cv": 2, "n_resamples": n}
            apa.evaluate_fitted(brain, chosen, method=method, rng=0, **options)

        many = 1 if quick else 3
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = best_time(slow, many)[0] / 4
            ours = best_time(fast, many + 1)[0] / n
            whole = None if method == "tau-a" else best_time(verb, many)[0] / n
        apart = max(_fold_difference(x, y, rule, method, model, fitter, seed) for seed in range(5))
        note = ""
        if asked:
            floor = _floor(np.concatenate([x, y]))
            note = f"{1e3 * floor:.3f} ms of it gather pairs, weigh and multiply them, at the speed of BLAS: "
            note += f"at most {theirs / floor:.0f}x this way"
        yield Row(f"{name}: kernel", theirs, ours, apart, 1e-8, asked, note)
        if whole is None:  # dear, and bound by the same products
            continue
        note = "the verb also draws each factor alone and gives weights and optimism"
        yield Row(f"{name}: verb", theirs, whole, apart, 1e-8, asked and 50, note)


def _floor(z: np.ndarray) -> float:
    """Seconds a resample of what no form of the kernel goes without: pairs gathered, weighed and multiplied."""
    rng = np.random.default_rng(0)
    n, b = 29, 16  # what is distinct in half of a resample; folds of a product
    pairs = n * (n - 1) // 2
    table = np.ascontiguousarray(np.vstack([z, z[:1]]).T)
    index = np.sort(rng.integers(0, len(table), (b, pairs)), axis=1)
    weight, room = rng.random((b, pairs, 1)), np.empty((b, pairs, table.shape[1]))

    def once() -> None:
        for _ in range(100):
            table.take(index, axis=0, out=room, mode="clip")
            np.multiply(room, weight, out=room)
            np.matmul(room.transpose(0, 2, 1), room[:, :, :-1])

    return best_time(once, 5)[0] / 100 / b * 4  # two partitions into halves


def _fold_difference(
    x: np.ndarray, y: np.ndarray, rule: Any, method: str, model: Any, fitter: Any, seed: int
) -> float:
    """Largest difference of the scores of 2 x 2 folds of one resample."""
    from rsatoolbox.inference import crossval
    from rsatoolbox.rdm import RDMs

    from apastats.scoring.fitted.folds import FittedKernel, Rule

    rng = np.random.default_rng(seed)
    s, n = len(x), N_STIMULUS
    v, c = rng.multinomial(s, np.full(s, 1 / s)), rng.multinomial(n, np.full(n, 1 / n))
    people, stimuli = np.repeat(np.arange(s), v), np.repeat(np.arange(n), c)
    of_person, of_stimulus = np.arange(s) % 2, rng.permutation(n) % 2
    sets: tuple[list[Any], list[Any]] = ([], [])
    for g in range(2):
        for h in range(2):
            for out, keep in zip(sets, (np.not_equal, np.equal), strict=True):
                some = stimuli[keep(of_stimulus[stimuli], h)]
                rows = RDMs(x).subsample("index", people[keep(of_person[people], g)])
                out.append((rows.subsample_pattern("index", some), some))
    options = {"method": method, "fitter": [fitter], "calc_noise_ceil": False}
    theirs = crossval([model("m", RDMs(y))], RDMs(x), *sets, **options).evaluations[0, 0]
    kernel = FittedKernel(x, [Rule(y, rule, nonnegative=False)], method)
    grams = kernel.grams(np.array([c * (of_stimulus != h) for h in range(2)]))
    fitted_to = (v * (of_person != np.arange(2)[:, None]))[None].astype(float)
    weights = kernel.fit(grams.take(np.array([[0, 1]])), fitted_to)
    scores = kernel.score(grams.take(np.array([[1, 0]])), weights, of_person[None])[0, :, :, 0]
    tested = v * (of_person == np.arange(2)[:, None])
    return difference(theirs, (np.nan_to_num(scores) @ tested.T / tested.sum(axis=1)).T)
