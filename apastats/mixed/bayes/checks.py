"""Draws against the data: predictive checks, leave-one-out, sensitivity to the prior."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from apastats.mixed.bayes.bayes_model import BayesModel
from apastats.mixed.bayes.engine import Draws, load_packages, quiet
from apastats.mixed.engine.design import Design

__all__ = [
    "log_likelihood",
    "loo",
    "loo_of",
    "posterior_outcomes",
    "posterior_outcomes_all",
    "predictive_table",
    "prior_outcomes",
    "sensitivity",
]

_STATISTICS: dict[str, Callable[[np.ndarray], float]] = {
    "mean": lambda v: float(v.mean()),
    "std_dev": lambda v: float(v.std(ddof=1)),
    "minimum": lambda v: float(v.min()),
    "maximum": lambda v: float(v.max()),
    "skewness": lambda v: float(((v - v.mean()) ** 3).mean() / v.std() ** 3),
}


def _moments(draws: Draws, design: Design) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every row, given all parameters, ``[chain, draw, n]``."""
    mean = draws.coefficients @ design.fixed.X.T
    shape = mean.shape
    for Z, u in zip(design.Z, draws.effects, strict=True):
        mean = mean + (Z @ u.reshape(-1, u.shape[-1]).T).T.reshape(shape)
    if design.residual_codes is None:
        sd = draws.scales[..., -1:]
    else:
        sd = draws.scales[..., -len(design.residual_levels) :][..., design.residual_codes]
    if design.weights is not None:
        sd = sd / np.sqrt(design.weights * design.weight_scale)
    return mean, np.broadcast_to(sd, shape)


def posterior_outcomes(
    draws: Draws, design: Design, rng: np.random.Generator, limit: int = 2000
) -> np.ndarray:
    """New outcomes of the same rows and levels ``[draw, n]``, from at most ``limit`` draws evenly spread."""
    total = draws.coefficients.shape[0] * draws.coefficients.shape[1]
    at = np.linspace(0, total - 1, min(limit, total)).astype(int)

    def thin(values: np.ndarray) -> np.ndarray:
        return values.reshape(total, -1)[at][None]

    some = Draws(thin(draws.coefficients), thin(draws.scales), tuple(map(thin, draws.effects)))
    mean, sd = _moments(some, design)
    return (mean + sd * rng.standard_normal(mean.shape))[0]


def posterior_outcomes_all(draws: Draws, design: Design, rng: np.random.Generator) -> np.ndarray:
    """One new outcome of every row per draw ``[chain, draw, n]``."""
    mean, sd = _moments(draws, design)
    return np.asarray(mean + sd * rng.standard_normal(mean.shape))


def prior_outcomes(built: BayesModel, seed: int, n_draws: int = 500) -> np.ndarray:
    """Outcomes from the prior ``[draw, n]``."""
    pymc = load_packages()["pymc"]
    with quiet():
        found = pymc.sample_prior_predictive(
            draws=n_draws,
            model=built.pymc,
            random_seed=seed,
            var_names=["outcome"],
            return_inferencedata=False,
        )
    return np.asarray(found["outcome"], dtype=float)


def predictive_table(observed: np.ndarray, drawn: np.ndarray) -> pd.DataFrame:
    """Statistics of the data against those of drawn data."""
    rows = []
    for name, statistic in _STATISTICS.items():
        values = np.array([statistic(v) for v in drawn])
        value = statistic(observed)
        low, middle, high = np.quantile(values, [0.025, 0.5, 0.975])
        rows.append((name, value, low, middle, high, float((values >= value).mean())))
    columns = ["statistic", "observed", "predicted_low", "predicted_median", "predicted_high", "p_value"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def log_likelihood(draws: Draws, design: Design) -> np.ndarray:
    """Log density of every row ``[chain, draw, n]``."""
    mean, sd = _moments(draws, design)
    return -0.5 * ((design.y - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)


def loo(draws: Draws, design: Design) -> Any:
    """Pareto-smoothed leave-one-out, as arviz_stats gives it."""
    packages = load_packages()
    with quiet():
        tree = packages["arviz_base"].from_dict(
            {
                "posterior": {"coefficients": draws.coefficients},
                "log_likelihood": {"outcome": log_likelihood(draws, design)},
            }
        )
    return loo_of(tree)


def loo_of(tree: Any) -> Any:
    """The same of a tree that has the log likelihood."""
    import arviz_stats

    with quiet():
        return arviz_stats.loo(tree, pointwise=True)


def _log_prior(tree: Any, built: BayesModel) -> dict[str, np.ndarray]:
    """Log prior of the variables at the top, ``[chain, draw, ...]`` each."""
    import arviz

    pymc = load_packages()["pymc"]
    old = hasattr(arviz.InferenceData, "add_groups")  # ArviZ before 1, with PyMC 5
    held = arviz.InferenceData(posterior=tree["posterior"].to_dataset()) if old else tree.copy()
    found = pymc.compute_log_prior(
        held, var_names=built.hyper, model=built.pymc, extend_inferencedata=False, progressbar=False
    )
    return {name: np.asarray(found[name].values, dtype=float) for name in built.hyper}


def sensitivity(tree: Any, built: BayesModel, draws: Draws, design: Design) -> pd.DataFrame:
    """Power-scaling sensitivity of coefficients, standard deviations and correlations."""
    packages = load_packages()
    quantities = [*built.coefficients, *built.scales]
    values = np.concatenate([draws.coefficients, draws.scales], axis=-1)
    with quiet():
        full = packages["arviz_base"].from_dict(
            {
                "posterior": {q.label: values[..., j] for j, q in enumerate(quantities)},
                "log_prior": _log_prior(tree, built),
                "log_likelihood": {"outcome": log_likelihood(draws, design)},
            }
        )
        table = packages["arviz_stats"].psense_summary(full, round_to=8)
    return table.rename_axis("variable").reset_index()
