"""Simulation-based calibration of the Bayesian mixed models.

Parameters are drawn from the priors, data from the parameters, and the model is fitted to the data with the same
priors; the rank of every true value among its (thinned) posterior draws must then be uniform (Talts and others 2018).
Each process compiles a model once and gives it new data; a study depends on its number and the seed alone.

    python analyses/bayes_calibration/run.py --n-sim 500 --n-jobs 2
    python analyses/bayes_calibration/run.py --report      # tables and pictures of the ranks that are there
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from apastats.mixed.bayes.bayes_model import BayesModel
from apastats.mixed.bayes.engine import build_bayes_model, compile_sampler, read_draws, sample
from apastats.mixed.engine.design import Design, build_design
from apastats.mixed.engine.formula import parse_mixed_formula
from apastats.seeds import block_generator, seed_sequence

HERE = Path(__file__).parent
FIXED, SPREAD, INTERCEPT, ETA = 0.3, 0.2, 0.5, 2.0
PRIORS = {
    "intercept": ("Normal", {"mu": 0.0, "sigma": INTERCEPT}),
    "fixed": ("Normal", {"mu": 0.0, "sigma": FIXED}),
    "sd": ("HalfNormal", {"sigma": SPREAD}),
    "correlation": ("LKJ", {"eta": ETA}),
    "sigma": ("HalfNormal", {"sigma": SPREAD}),
}
N_RANK = 99  # thinned draws a truth is ranked among: ranks 0 to 99
DRAWS, TUNE, CHAINS = 990, 600, 2


def balanced() -> Design:
    """Models x ROIs x subjects; written by Bambi."""
    levels = [[f"{c}{i}" for i in range(n)] for c, n in zip("mrs", (3, 5, 8), strict=True)]
    frame = pd.MultiIndex.from_product(levels, names=["model", "roi", "subject"]).to_frame(
        index=False
    )
    formula = parse_mixed_formula("score ~ model + (1 | subject) + (1 | roi)")
    return build_design(formula, frame.assign(score=np.arange(len(frame)) / 100))


def pairs() -> Design:
    """Pair scores with slopes, known standard errors and two residual groups; written from the design."""
    rng = np.random.default_rng(0)
    rows = [
        (a, b, r, f"m{(a + b + r) % 3}")
        for a in range(6) for b in range(a) for r in range(6)
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["source", "target", "roi", "model"])
    frame[["source", "target", "roi"]] = frame[["source", "target", "roi"]].astype(str)
    frame["level"] = rng.uniform(-1, 1, len(frame)).round(2)
    se = rng.uniform(0.5, 1.5, len(frame)).round(2)
    frame["se"] = se * np.sqrt((se**-2.0).mean())  # mean weight 1: sigma is that of a typical row
    frame["stream"] = np.where(rng.permutation(len(frame)) % 2, "early", "late")
    frame["score"] = np.arange(len(frame)) / 100
    formula = parse_mixed_formula(
        "score ~ model + level + (1 + level | roi) + (1 | mm(source, target))"
    )
    return build_design(formula, frame, std_error="se", residual_by="stream")


STUDIES: dict[str, Callable[[], Design]] = {"balanced": balanced, "pairs": pairs}


def simulate(design: Design, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes of one study drawn from the priors, and the true coefficients, SDs and correlations."""
    X = design.fixed.X
    centred = X[:, 1:] - X[:, 1:].mean(axis=0)
    level = rng.normal(0, INTERCEPT)  # prior of the intercept of centred columns
    b = rng.normal(0, FIXED, centred.shape[1])
    mean = level + centred @ b
    scales = []
    for g, Z in zip(design.groupings, design.Z, strict=True):
        sd = np.abs(rng.normal(0, SPREAD, g.size))
        R = np.eye(g.size)
        if g.size == 2:  # LKJ of a 2 x 2 matrix
            R[0, 1] = R[1, 0] = 2 * rng.beta(ETA, ETA) - 1
        u = rng.normal(size=(g.n_levels, g.size)) @ np.linalg.cholesky(R).T * sd
        mean = mean + Z @ u.ravel()
        scales += [*sd, *R[np.triu_indices(g.size, 1)]]
    n_sigma = max(1, len(design.residual_levels))
    sigma = np.abs(rng.normal(0, SPREAD, n_sigma))
    row_sd = sigma[0] if design.residual_codes is None else sigma[design.residual_codes]
    if design.weights is not None:
        row_sd = row_sd / np.sqrt(design.weights * design.weight_scale)
    y = mean + row_sd * rng.normal(size=design.n)
    intercept = level - X[:, 1:].mean(axis=0) @ b
    return y, np.array([intercept, *b, *scales, *sigma])


def with_swappable_outcome(built: BayesModel) -> BayesModel:
    """The model with its outcome as shared data, which the compiled sampler can be given anew."""
    import pytensor

    model = built.pymc
    if "observed" in model.named_vars:
        return built
    outcome = model["outcome"]
    shared = pytensor.shared(np.asarray(model.rvs_to_values[outcome].data), name="observed")
    model.values_to_rvs.pop(model.rvs_to_values[outcome])
    model.rvs_to_values[outcome] = shared
    model.values_to_rvs[shared] = outcome
    return built


@lru_cache
def compiled_study(name: str) -> tuple[Any, BayesModel, Design]:
    """A study's compiled sampler, once per process."""
    design = STUDIES[name]()
    built = with_swappable_outcome(build_bayes_model(design, PRIORS))
    return compile_sampler(built), built, design


def ranks_of(name: str, indices: list[int], seed: int) -> list[list[int]]:
    """Number and ranks of the true quantities of some simulated studies."""
    compiled, built, design = compiled_study(name)
    rows = []
    for i in indices:
        y, truth = simulate(design, block_generator(seed_sequence(seed), i))
        tree = sample(
            compiled.with_data(observed=y), draws=DRAWS, tune=TUNE, chains=CHAINS,
            target_accept=0.95, seed=seed + i,
        )  # fmt: skip
        found = read_draws(tree["posterior"], built, design)
        draws = np.concatenate([found.coefficients, found.scales], axis=-1)
        thin = draws.reshape(-1, draws.shape[-1])[:: CHAINS * DRAWS // N_RANK]
        rows.append([i, *(thin < truth).sum(axis=0).tolist()])
    return rows


def run(name: str, n_sim: int, seed: int, n_jobs: int) -> None:
    """Simulate and fit, one row of ranks per study; the file grows as it goes, and what is there is kept."""
    design = STUDIES[name]()
    built = build_bayes_model(design, PRIORS)
    labels = ["study", *(q.label for q in (*built.coefficients, *built.scales))]
    path = HERE / f"ranks_{name}.csv"
    rows = pd.read_csv(path).to_numpy(dtype=int).tolist() if path.exists() else []
    left = sorted(set(range(n_sim)) - {row[0] for row in rows})
    tasks = [left[i : i + 5] for i in range(0, len(left), 5)]
    # results in order, so that stopping early leaves out no study for having been slow
    with ProcessPoolExecutor(n_jobs, mp_context=get_context("spawn")) as pool:
        for found in pool.map(ranks_of, repeat(name), tasks, repeat(seed)):
            rows += found
            pd.DataFrame(sorted(rows), columns=labels).to_csv(path, index=False)


def ecdf_counts(ranks: np.ndarray) -> np.ndarray:
    """How many of the ranks ``[n, ...]`` are at most 0, 1, ..., N_RANK - 1."""
    return (ranks[..., None] <= np.arange(N_RANK)).sum(axis=0)


def least_tail(counts: np.ndarray, n: int) -> np.ndarray:
    """Smallest two-sided pointwise binomial probability along an empirical distribution function."""
    share = np.arange(1, N_RANK + 1) / (N_RANK + 1)
    below, above = binom.cdf(counts, n, share), binom.sf(counts - 1, n, share)
    return np.minimum(1.0, 2 * np.minimum(below, above)).min(axis=-1)


def null_of_least_tail(n: int, n_null: int = 4000) -> np.ndarray:
    """That probability for uniform ranks, by simulation (Saeilynoja and others 2022)."""
    rng = np.random.default_rng(1)
    return np.concatenate(
        [
            least_tail(ecdf_counts(rng.integers(0, N_RANK + 1, (n, 200))), n)
            for _ in range(n_null // 200)
        ]
    )


def report(name: str) -> pd.DataFrame:
    """Uniformity per quantity by the simultaneous band of the distribution function, and a picture."""
    import matplotlib.pyplot as plt

    ranks = pd.read_csv(HERE / f"ranks_{name}.csv").drop(columns="study")
    n = len(ranks)
    null = null_of_least_tail(n)
    counts = ecdf_counts(ranks.to_numpy())
    tails = least_tail(counts, n)
    p = [(1 + (null <= t).sum()) / (1 + len(null)) for t in tails]
    table = pd.DataFrame(
        {
            "quantity": ranks.columns,
            "n_sim": n,
            "mean_rank": (ranks.mean() / N_RANK).round(3).to_numpy(),
            "p_value": np.round(p, 3),
        }
    )
    gamma = float(np.quantile(null, 0.05))
    share = np.arange(1, N_RANK + 1) / (N_RANK + 1)
    low, high = (binom.ppf(q, n, share) / n - share for q in (gamma / 2, 1 - gamma / 2))
    figure, axes = plt.subplots(
        2, ranks.shape[1], figsize=(1.9 * ranks.shape[1], 3.6), squeeze=False
    )
    for j, label in enumerate(ranks.columns):
        axes[0, j].hist(ranks[label], bins=np.linspace(0, N_RANK + 1, 11), color="0.6")
        axes[0, j].axhline(n / 10, color="k", lw=0.8)
        axes[0, j].set_title(label, fontsize=6)
        axes[1, j].fill_between(share, low, high, color="0.85", lw=0)
        axes[1, j].plot(share, counts[j] / n - share, color="C0", lw=1)
        for a in axes[:, j]:
            a.tick_params(labelsize=5)
    axes[0, 0].set_ylabel("studies", fontsize=7)
    axes[1, 0].set_ylabel("ECDF - uniform", fontsize=7)
    figure.tight_layout()
    figure.savefig(HERE / f"ranks_{name}.png", dpi=110)
    plt.close(figure)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--n-sim", type=int, default=500)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--study", choices=sorted(STUDIES), action="append")
    parser.add_argument("--report", action="store_true", help="no new studies")
    arguments = parser.parse_args()
    for name in arguments.study or list(STUDIES):
        if not arguments.report:
            run(name, arguments.n_sim, arguments.seed, arguments.n_jobs)
        sys.stdout.write(f"{name}\n{report(name).to_string(index=False)}\n")


if __name__ == "__main__":
    main()
