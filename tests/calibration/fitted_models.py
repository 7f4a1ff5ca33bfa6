"""Coverage of intervals of fitted models in simulated studies: ``python -m tests.calibration.fitted_models 300``.

Patterns are three independent parts, one for each member RDM; a subject's patterns hold them in shares of its own
and noise. The third member has no share. What is drawn anew from study to study is what the bootstrap draws:
subjects on the same stimuli, or subjects and stimuli.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from apastats.scoring.fitted.folds import FittedKernel, Rule

SHARES = np.array([2.0, 1.0, 0.0])
WIDTH, NOISE, SPREAD = 4, 1.2, 0.4


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


def study(base: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """RDMs of n new subjects on these stimuli ``base [n_stimulus, 3 WIDTH]``, and of the members."""
    parts = np.array([rdm(base[:, k * WIDTH : (k + 1) * WIDTH]) for k in range(3)])
    own = SHARES * np.exp(SPREAD * rng.normal(size=(n, 3)))
    x = []
    for share in own:
        mixed = base * np.sqrt(np.repeat(share, WIDTH))
        x.append(rdm(mixed + NOISE * rng.normal(size=base.shape)))
    return np.array(x), parts


def true_weights(base: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Weights that very many subjects give."""
    x, parts = study(base, n, rng)
    kernel = FittedKernel(x, [Rule(parts, "weighted")], "corr")
    grams = kernel.grams(np.ones((1, len(base)))).take(np.zeros((1, 1), dtype=int))
    return kernel.described([w[0, 0, :, 0] for w in kernel.fit(grams, np.ones((1, 1, n)))])[0]


def coverage(
    cluster: Any, *, n_study: int, n_subject: int = 10, n_stimulus: int = 30, n_resamples: int = 399, seed: int = 0
) -> Coverage:  # fmt: skip
    """Simulate studies and count."""
    rng = np.random.default_rng(seed)
    fixed = cluster == "subject"
    base = rng.normal(size=(n_stimulus, 3 * WIDTH))
    truth = true_weights(
        base if fixed else rng.normal(size=(150, 3 * WIDTH)), 400 if fixed else 200, rng
    )
    rows, inside = [], []
    for k in range(n_study):
        if not fixed:
            base = rng.normal(size=(n_stimulus, 3 * WIDTH))
        x, parts = study(base, n_subject, rng)
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


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    for drawn in ("subject", ("subject", "stimulus")):
        for people in (8, 10):
            sys.stdout.write(
                f"{drawn}, n = {people}: {coverage(drawn, n_study=count, n_subject=people)}\n"
            )
            sys.stdout.flush()
