"""Bootstraps against rsatoolbox on replayed draws, and the exact bootstrap of a whole study."""

from __future__ import annotations

import contextlib
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from apastats.resampling.means import summarise_means
from apastats.resampling.plans import subject_counts
from apastats.scoring.stimuli.pair_weights import PairKernel, gram_ceilings
from benchmarks.common import Row, best_time, difference, peak_memory
from benchmarks.scoring import N_MODEL, N_STIMULUS, N_SUBJECT, data

METHODS = ("cosine", "corr", "cosine_cov", "corr_cov")
STIMULUS = {"cosine": 100, "corr": 100, "cosine_cov": 2000, "corr_cov": 2000}
DUAL = {"cosine": 400, "corr": 400, "cosine_cov": 5000, "corr_cov": 5000}
RESAMPLES = 1000


def rows(*, quick: bool = False, only: str = "") -> Iterator[Row]:
    """Every task in turn."""
    tasks: dict[str, Callable[[bool], Iterator[Row]]] = {
        "exact bootstrap of a study": exact,
        "subject bootstrap": subjects,
        "stimulus bootstrap": stimuli,
        "dual bootstrap": dual,
        "intervals against scipy": scipy_intervals,
    }
    for name, task in tasks.items():
        if only in name:
            yield from task(quick)


# ---------------------------------------------------------------------- rsatoolbox with its draws
class Replay(contextlib.AbstractContextManager["Replay"]):
    """Records the draws of rsatoolbox, and lets it whiten 100 conditions and more.

    Release 0.3.2 divides sparse whole numbers in place there and stops; its own dense indicators,
    which it uses for fewer conditions, take their place.
    """

    names = ("bootstrap_sample", "bootstrap_sample_rdm", "bootstrap_sample_pattern")

    def __init__(self, *, repair: bool) -> None:
        self.repair = repair

    def __enter__(self) -> Replay:
        import rsatoolbox.inference.evaluate as ev

        self.module, self.before = ev, {k: getattr(ev, k) for k in self.names}
        self.subjects: list[np.ndarray] = []
        self.stimuli: list[np.ndarray] = []
        places = {"bootstrap_sample": (1, 2), "bootstrap_sample_rdm": (1, None)}
        places["bootstrap_sample_pattern"] = (None, 1)
        for name, (subject, stimulus) in places.items():
            setattr(ev, name, self._wrapped(self.before[name], subject, stimulus))
        ev.tqdm.trange = lambda n, **_: range(n)
        compare = sys.modules["rsatoolbox.rdm.compare"]
        self.sparse = compare.row_col_indicator_g_sparse
        if self.repair:
            dense = compare.row_col_indicator_g(N_STIMULUS)
            compare.row_col_indicator_g_sparse = lambda _: tuple(i.astype(float) for i in dense)
        return self

    def _wrapped(self, original: Any, subject: int | None, stimulus: int | None) -> Any:
        def recorded(*args: Any, **kwargs: Any) -> Any:
            out = original(*args, **kwargs)
            if subject is not None:
                self.subjects.append(np.bincount(out[subject], minlength=N_SUBJECT))
            if stimulus is not None:
                self.stimuli.append(np.bincount(out[stimulus], minlength=N_STIMULUS))
            return out

        return recorded

    def __exit__(self, *_: object) -> None:
        for name, original in self.before.items():
            setattr(self.module, name, original)
        sys.modules["rsatoolbox.rdm.compare"].row_col_indicator_g_sparse = self.sparse


def peer(function: str, method: str, n: int) -> tuple[float, Any, np.ndarray, np.ndarray]:
    """Seconds per resample, result, and the draws of a bootstrap of rsatoolbox."""
    from rsatoolbox import inference
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs

    x, y = data()
    brain, models = RDMs(x), [ModelFixed(f"m{k}", v) for k, v in enumerate(y)]
    # only a resample of stimuli needs the repair, and it costs time
    with (
        Replay(repair=function != "eval_bootstrap_rdm") as draws,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(None),
    ):
        warnings.simplefilter("ignore")
        start = time.process_time()
        result = getattr(inference, function)(models, brain, method=method, N=n)
        seconds = (time.process_time() - start) / n
    return seconds, result, np.array(draws.subjects, float), np.array(draws.stimuli, float)


def counts(n: int, size: int, seed: int) -> np.ndarray:
    """Counts of ``size`` draws of n out of n."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size).astype(float)


# ---------------------------------------------------------------------- tasks
def subjects(quick: bool) -> Iterator[Row]:
    """1,000 subject bootstraps with both ceilings: arrays, and the public verb."""
    import apastats as apa
    from apastats.io.rdm_set import RDMSet

    x, y = data()
    v = counts(N_SUBJECT, RESAMPLES, 1)
    brain = RDMSet(
        x, pd.DataFrame({"subject": [f"s{i:02d}" for i in range(N_SUBJECT)], "roi": "V1"})
    )
    models = RDMSet(y, pd.DataFrame({"model": [f"m{k:02d}" for k in range(N_MODEL)]}))
    for method in METHODS:
        seconds, result, drawn, _ = peer("eval_bootstrap_rdm", method, 3 if quick else 20)

        def kernel(w: np.ndarray, method: str = method) -> np.ndarray:
            plain = PairKernel(x, y, method).plain()
            # the peer's ceilings average over the distinct subjects drawn
            bounds = [np.nanmean(b, axis=1) for b in gram_ceilings(plain, w)]
            return np.vstack([(w @ plain.scores()[0] / N_SUBJECT).T, *bounds])

        def verb(method: str = method) -> Any:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = apa.bootstrap(
                    "score ~ model | roi", brain, models=models, method=method,
                    n_resamples=RESAMPLES, rng=1,
                )  # fmt: skip
                return found, found.ceilings()

        theirs = np.vstack([result.evaluations.T, *result.noise_ceiling])
        agreement = difference(theirs, kernel(drawn))
        fast, _ = best_time(lambda: kernel(v), 3 if quick else 20)
        task = f"{RESAMPLES} subject bootstraps with ceilings, {method}"
        yield Row(f"{task}: kernel", seconds * RESAMPLES, fast, agreement, at_least=10_000)
        slow, (found, _) = best_time(verb, 1 if quick else 3)
        agreement = difference(
            found.arrays["counts"] @ PairKernel(x, y, method).plain().scores()[0] / N_SUBJECT,
            found.replicates,
        )
        note = "intervals of scores and ceilings included"
        yield Row(f"{task}: verb", seconds * RESAMPLES, slow, agreement, at_least=300, note=note)


def stimuli(quick: bool) -> Iterator[Row]:
    """Stimulus bootstrap with both ceilings, per resample."""
    x, y = data()
    size = 256 if quick else RESAMPLES
    c = counts(N_STIMULUS, size, 2)
    for method in (*METHODS, "spearman", "rho-a"):
        ranked = method not in METHODS
        n = 1 if quick else (2 if method.endswith("cov") or ranked else 6)
        seconds, result, _, drawn = peer("eval_bootstrap_pattern", method, n)

        def kernel(w: np.ndarray, method: str = method) -> np.ndarray:
            moments = PairKernel(x, y, method).moments(w)
            bounds = gram_ceilings(moments, np.ones((len(w), N_SUBJECT)))
            return np.vstack([moments.scores().mean(axis=1).T, *(b.mean(axis=1) for b in bounds)])

        ours = kernel(drawn)
        theirs = np.vstack([result.evaluations.T, *result.noise_ceiling])
        if ranked:  # the peer ranks a mean of ranks again for its ceilings
            ours, theirs = ours[:N_MODEL], theirs[:N_MODEL]
        used = c[:64] if ranked else c
        fast, _ = best_time(lambda k=kernel, w=used: k(w), 2)
        yield Row(
            f"stimulus bootstrap with ceilings, {method}",
            seconds,
            fast / len(used),
            difference(theirs, ours),
            at_least=STIMULUS.get(method, 100),
        )


def dual(quick: bool) -> Iterator[Row]:
    """Two-factor bootstrap (both, subjects only, stimuli only) with ceilings, per resample."""
    x, y = data()
    size = 256 if quick else RESAMPLES
    v, c = counts(N_SUBJECT, size, 3), counts(N_STIMULUS, size, 4)
    for method in METHODS:
        n = 1 if quick or method.endswith("cov") else 4
        seconds, result, drawn_v, drawn_c = peer("eval_dual_bootstrap", method, n)

        def kernel(a: np.ndarray, b: np.ndarray, method: str = method) -> np.ndarray:
            pairs = PairKernel(x, y, method)
            plain, moments = pairs.plain(), pairs.moments(b)
            scores = moments.scores()
            means = (
                np.matmul(a[:, None], scores)[:, 0] / N_SUBJECT,
                a @ plain.scores()[0] / N_SUBJECT,
                scores.mean(axis=1),
            )
            whole = np.ones_like(a)
            pools = ((moments, a), (plain, a), (moments, whole))
            bounds = [[np.nanmean(k, axis=1) for k in gram_ceilings(*p)] for p in pools]
            return np.stack([np.vstack([m.T, *b]) for m, b in zip(means, bounds, strict=True)])

        theirs = np.concatenate(
            [result.evaluations[:, :, 0, 0].transpose(2, 1, 0),
             result.noise_ceiling[:, :, 0].transpose(2, 0, 1)], axis=1
        )  # fmt: skip
        fast, _ = best_time(lambda k=kernel: k(v, c), 2)
        yield Row(
            f"dual bootstrap with ceilings, {method}",
            seconds,
            fast / size,
            difference(theirs, kernel(drawn_v, drawn_c)),
            at_least=DUAL[method],
        )


def exact(quick: bool) -> Iterator[Row]:
    """All 92,378 resamples of ten subjects, 1,786 cells."""
    cells = 178 if quick else 1786
    x = np.random.default_rng(0).normal(0.3, 0.1, (N_SUBJECT, cells))
    plan = subject_counts(N_SUBJECT)
    for kinds, limit in ((["studentized"], 10), (["bca", "studentized"], 20)):
        start = time.process_time()
        whole = summarise_means(x, plan, kinds)
        seconds = time.process_time() - start
        part = summarise_means(x, plan, kinds, batch=100)
        same = all(np.array_equal(whole.limits[k], part.limits[k]) for k in kinds)
        memory = peak_memory()
        yield Row(
            f"92,378 x {cells} cells: {' and '.join(kinds)}",
            ours=seconds,
            difference=0.0 if same else float("inf"),
            tolerance=0.0,
            met=seconds < limit and memory < 2,
            note=f"asked: {limit} s, 2 GB; peak {memory:.2f} GB; bits equal for another batch: {same}",
        )


def scipy_intervals(quick: bool) -> Iterator[Row]:
    """BCa intervals of 195 cells at 10,000 resamples, against scipy.stats.bootstrap."""
    from scipy.stats import bootstrap

    x = np.random.default_rng(0).normal(0.3, 0.1, (20, 20 if quick else 195))
    size = 10_000
    plan = subject_counts(20, size, 1)

    def theirs() -> np.ndarray:
        found = bootstrap((x,), np.mean, axis=0, n_resamples=size, method="BCa", batch=200, rng=1)
        return np.array(found.confidence_interval)

    def ours() -> np.ndarray:
        return np.array(summarise_means(x, plan, ["bca"]).limits["bca"][:2])

    slow, expected = best_time(theirs, 1)
    fast, found = best_time(ours, 2)
    yield Row(
        f"BCa of {x.shape[1]} means at {size:,} resamples, against scipy",
        slow,
        fast,
        difference(expected, found),
        tolerance=0.02,
        note="other draws: agreement up to Monte-Carlo error",
    )
