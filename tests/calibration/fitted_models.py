"""Coverage of intervals of fitted models in simulated studies: ``python -m tests.calibration.fitted_models 300``.

Patterns are three independent parts, one for each member RDM; a subject's patterns hold them in shares of its own
and noise. The third member has no share. What is drawn anew from study to study is what the bootstrap draws:
subjects on the same stimuli, stimuli shown to the same subjects, or both.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from apastats.bootstrapping.evaluate_fitted import percentile_limits
from apastats.resampling.plans import subject_counts
from apastats.scoring.fitted.folds import FittedKernel, Rule

SHARES = np.array([2.0, 1.0, 0.0])
WIDTH, NOISE, SPREAD = 4, 1.2, 0.4
DRAWN: dict[str, Any] = {
    "subjects": "subject",
    "stimuli": "stimulus",
    "subjects and stimuli": ("subject", "stimulus"),
}
SIZES = 8, 10, 20


@dataclass(frozen=True)
class Coverage:
    """Shares of studies whose interval holds the truth.

    Attributes
    ----------
    score, weight, zero : float
        Of the score of the weighted model; of the weights of its two members that have one; of that of the third.
    ratio : float
        Mean standard error of the score over the standard deviation of the scores.
    """

    score: float
    weight: float
    zero: float
    ratio: float


def rdm(patterns: np.ndarray) -> np.ndarray:
    """Mean squared differences."""
    i, j = np.triu_indices(len(patterns), 1)
    return np.asarray(((patterns[i] - patterns[j]) ** 2).mean(axis=1))


def people(n: int, rng: np.random.Generator) -> np.ndarray:
    """Shares of the three parts in n new subjects, ``[n, 3]``."""
    return np.asarray(SHARES * np.exp(SPREAD * rng.normal(size=(n, 3))))


def study(
    base: np.ndarray, shares: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """RDMs of subjects with these shares on these stimuli ``base [n_stimulus, 3 WIDTH]``, and of the members."""
    parts = np.array([rdm(base[:, k * WIDTH : (k + 1) * WIDTH]) for k in range(3)])
    x = []
    for share in shares:
        mixed = base * np.sqrt(np.repeat(share, WIDTH))
        x.append(rdm(mixed + NOISE * rng.normal(size=base.shape)))
    return np.array(x), parts


def fits(x: np.ndarray, parts: np.ndarray, v: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Weights of fits to draws of subjects ``v [b, S]`` and of stimuli ``c [1 or b, n]``, as the verb makes them."""
    kernel = FittedKernel(x, [Rule(parts, "weighted")], "corr")
    rows = np.arange(len(v))[:, None] if len(c) > 1 else np.zeros((len(v), 1), dtype=int)
    found = kernel.fit(kernel.grams(c).take(rows), v[:, None].astype(float))
    return kernel.described([w[:, 0, :, 0] for w in found])[0]


def true_weights(base: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Weights that such subjects give on such stimuli; very many of what is drawn."""
    x, parts = study(base, shares, rng)
    return fits(x, parts, np.ones((1, len(x))), np.ones((1, len(base))))[0]


def truth_of(cluster: Any, base: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:  # fmt: skip
    """What the weights are of, where subjects, stimuli or both are drawn."""
    if cluster == "subject":
        return true_weights(base, people(400, rng), rng)
    if cluster == "stimulus":
        return true_weights(rng.normal(size=(800, 3 * WIDTH)), shares, rng)
    return true_weights(rng.normal(size=(150, 3 * WIDTH)), people(200, rng), rng)


def weights_coverage(
    cluster: Any, n: int, sets: int, *, n_stimulus: int = 30, n_resamples: int = 399, seed: int = 0
) -> dict[str, float]:
    """How often the intervals of the three weights hold the truth, and their mean width over the spread.

    Draws, fits and limits are those of the verb without its scores: the weights need no folds. Up to ten designs
    (stimuli, or subjects, that stay) where one factor alone is drawn.
    """
    rng = np.random.default_rng([seed, n, len(cluster)])
    designs = 1 if len(cluster) == 2 else max(1, min(10, sets // 20))
    held, width, found = [], [], []
    for d in range(designs):
        base, shares = rng.normal(size=(n_stimulus, 3 * WIDTH)), people(n, rng)
        truth = truth_of(cluster, base, shares, rng)
        for _ in range(d * sets // designs, (d + 1) * sets // designs):
            if "stimulus" in cluster:
                base = rng.normal(size=base.shape)
            if "subject" in cluster:
                shares = people(n, rng)
            x, parts = study(base, shares, rng)
            v, c = np.ones((n_resamples, n)), np.ones((1, n_stimulus))
            if "subject" in cluster:
                v = subject_counts(n, n_resamples, rng.integers(2**31)).matrix
            if "stimulus" in cluster:
                c = subject_counts(n_stimulus, n_resamples, rng.integers(2**31)).matrix
            units = {"subject": n, "stimulus": n_stimulus}.get(cluster)
            low, high = percentile_limits(fits(x, parts, v, c), units, 0.95)
            held.append((low - 1e-12 <= truth) & (truth <= high + 1e-12))
            width.append(high - low)
            found.append(fits(x, parts, v[:1] * 0 + 1, c[:1] * 0 + 1)[0] - truth)
    share = np.mean(held, axis=0)
    spread = np.quantile(found, [0.025, 0.975], axis=0)
    ratio = np.mean(width, axis=0) / (spread[1] - spread[0])
    names = ("first", "second", "none")
    return {f"{k}": float(a) for k, a in zip(names, share, strict=True)} | {
        f"width, {k}": float(a) for k, a in zip(names, ratio, strict=True)
    }


def coverage(
    cluster: Any, *, n_study: int, n_subject: int = 10, n_stimulus: int = 30, n_resamples: int = 399, seed: int = 0
) -> Coverage:  # fmt: skip
    """Simulate studies and count."""
    rng = np.random.default_rng(seed)

    def stimuli(n: int) -> np.ndarray:
        return rng.normal(size=(n, 3 * WIDTH))

    base, shares = stimuli(n_stimulus), people(n_subject, rng)
    truth = truth_of(cluster, base, shares, rng)
    rows, inside = [], []
    for k in range(n_study):
        if "stimulus" in cluster:
            base = stimuli(n_stimulus)
        if "subject" in cluster:
            shares = people(n_subject, rng)
        x, parts = study(base, shares, rng)
        brain = apa.RDMSet(
            x, pd.DataFrame({"subject": [f"s{i:02d}" for i in range(n_subject)], "roi": "IT"})
        )
        members = apa.RDMSet(parts, pd.DataFrame({"layer": ["a", "b", "c"]}))
        models = apa.fitted("weighted", members)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = apa.evaluate_fitted(
                brain, models, cluster=cluster, n_resamples=n_resamples, rng=seed + k
            )
        rows.append(found.table.iloc[0][["estimate", "std_error", "conf_low", "conf_high"]])
        weights = found.weights()
        inside.append(
            (weights["conf_low"] - 1e-12 <= truth) & (truth <= weights["conf_high"] + 1e-12)
        )
    table = pd.DataFrame(rows).astype(float)
    true_score = table["estimate"].mean()
    held = table["conf_low"].le(true_score) & table["conf_high"].ge(true_score)
    return Coverage(
        float(held.mean()),
        float(np.mean(np.array(inside)[:, :2])),
        float(np.mean(np.array(inside)[:, 2])),
        float(table["std_error"].mean() / table["estimate"].std(ddof=1)),
    )


def main(sets: int) -> None:
    """Print the table of the weights."""
    columns = ("first", "second", "none", "width, first", "width, second", "width, none")
    out = sys.stdout
    out.write(f"| drawn | n | {' | '.join(columns)} |\n" + "| --- " * (len(columns) + 2) + "|\n")
    for name, cluster in DRAWN.items():
        for n in SIZES:
            found = weights_coverage(cluster, n, sets)
            cells = (f"{found[c]:.3f}" for c in columns)
            out.write(f"| {name} | {n} | {' | '.join(cells)} |\n")
            out.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
