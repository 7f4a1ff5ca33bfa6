"""Simulation-based calibration of the Bayesian mixed model.

Parameters are drawn from the priors, data from the parameters, and the model is fitted to the data with
the same priors;
the rank of every true value among its (thinned) posterior draws must then be uniform (Talts and others 2018).

    python analyses/bayes_calibration/run.py --n-sim 100 --out ranks.csv
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import apastats as apa
from apastats.errors import ApaWarning
from apastats.seeds import block_generator, seed_sequence

FORMULA = "score ~ model + (1 | subject) + (1 | roi)"
PRIORS = {
    "intercept": ("Normal", {"mu": 0.0, "sigma": 0.5}),
    "fixed": ("Normal", {"mu": 0.0, "sigma": 0.3}),
    "sd": ("HalfNormal", {"sigma": 0.2}),
    "sigma": ("HalfNormal", {"sigma": 0.2}),
}
SHAPE = (3, 5, 8)
QUANTITIES = ("m1 - m0", "m2 - m0", "m2 - m1", "sd subject", "sd roi", "sigma")
N_RANK = 100  # thinned draws a truth is ranked among


def simulate(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """One study drawn from the priors, and the true quantities."""
    n_model, n_roi, n_subject = SHAPE
    levels = [[f"{c}{i}" for i in range(n)] for c, n in zip("mrs", SHAPE, strict=True)]
    frame = pd.MultiIndex.from_product(levels, names=["model", "roi", "subject"]).to_frame(
        index=False
    )
    # the intercept's prior is that of the mean outcome: Bambi centres the fixed columns
    mean = rng.normal(0, 0.5)
    b = rng.normal(0, 0.3, size=n_model - 1)
    sd_subject, sd_roi, sigma = np.abs(rng.normal(0, 0.2, size=3))
    effects = np.append(0.0, b)
    y = (
        mean
        + (effects - effects.mean())[:, None, None]
        + rng.normal(0, sd_roi, size=(1, n_roi, 1))
        + rng.normal(0, sd_subject, size=(1, 1, n_subject))
        + rng.normal(0, sigma, size=SHAPE)
    )
    truth = np.array([b[0], b[1], b[1] - b[0], sd_subject, sd_roi, sigma])
    return frame.assign(score=y.ravel()), truth


def rank_one(index: int, seed: int) -> np.ndarray:
    """Ranks of the true quantities of one simulated study."""
    data, truth = simulate(block_generator(seed_sequence(seed), index))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ApaWarning)
        fit = apa.bayes_lmm(
            FORMULA,
            data,
            priors=PRIORS,
            draws=500,
            tune=500,
            chains=2,
            report_failed=True,
            rng=seed + index,
        )
    b = fit.arrays["coefficients"].reshape(-1, 3)
    s = fit.arrays["scales"].reshape(-1, 3)
    draws = np.column_stack([b[:, 1], b[:, 2], b[:, 2] - b[:, 1], s])
    thin = draws[np.linspace(0, len(draws) - 1, N_RANK).astype(int)]
    return np.asarray((thin < truth).sum(axis=0))


def uniformity(ranks: pd.DataFrame) -> pd.DataFrame:
    """Chi-squared test of uniform ranks in five bins, per quantity."""
    from scipy.special import chdtrc

    rows = []
    for name in QUANTITIES:
        counts = np.histogram(ranks[name], bins=np.linspace(0, N_RANK + 1, 6))[0]
        expected = len(ranks) / 5
        statistic = float(((counts - expected) ** 2 / expected).sum())
        rows.append(
            (name, len(ranks), ranks[name].mean() / N_RANK, statistic, float(chdtrc(4, statistic)))
        )
    return pd.DataFrame(rows, columns=["quantity", "n_sim", "mean_rank", "statistic", "p_value"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-sim", type=int, default=100)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("ranks.csv"))
    arguments = parser.parse_args()
    rows: list[np.ndarray] = []
    for i in range(arguments.n_sim):
        rows.append(rank_one(i, arguments.seed))
        pd.DataFrame(rows, columns=list(QUANTITIES)).to_csv(arguments.out, index=False)
    table = uniformity(pd.read_csv(arguments.out))
    sys.stdout.write(table.to_string(index=False) + "\n")


if __name__ == "__main__":
    main()
