"""Draws as a tree with the groups that arviz expects: its checks and figures then work on a fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from apastats.mixed.bayes.checks import log_likelihood, posterior_outcomes_all
from apastats.mixed.bayes.engine import Draws, quiet
from apastats.mixed.engine.design import Design

__all__ = ["LIMIT", "row_arrays", "tree_of", "with_rows"]

# numbers per group: beyond it (300 MB) the rows of a fit are left out of its tree
LIMIT = 40_000_000


def row_arrays(draws: Draws, design: Design, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Log likelihood and new outcomes of every row ``[chain, draw, n]``, and the outcome; empty where too many."""
    if draws.coefficients[..., 0].size * design.n > LIMIT:
        return {}
    return {
        "log_likelihood": log_likelihood(draws, design).astype(np.float32),
        "posterior_predictive": posterior_outcomes_all(draws, design, rng).astype(np.float32),
        "observed": design.y,
    }


def _groups(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    return {
        "log_likelihood": {"outcome": np.asarray(arrays["log_likelihood"], dtype=float)},
        "posterior_predictive": {
            "outcome": np.asarray(arrays["posterior_predictive"], dtype=float)
        },
        "observed_data": {"outcome": np.asarray(arrays["observed"], dtype=float)},
    }


def with_rows(tree: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The sampler's tree with ``log_likelihood``, ``posterior_predictive`` and ``observed_data``."""
    if "log_likelihood" not in arrays:
        return tree
    import arviz_base

    with quiet():
        more = arviz_base.from_dict(_groups(arrays))
        for name in more.children:
            tree[name] = more[name].copy()
    return tree


def tree_of(arrays: Mapping[str, np.ndarray]) -> Any:
    """A tree from the arrays of a result read from disk; None without arviz or without them."""
    if "log_likelihood" not in arrays or "coefficients" not in arrays:
        return None
    try:
        import arviz_base
    except ImportError:
        return None
    posterior = {name: np.asarray(arrays[name]) for name in ("coefficients", "scales")}
    with quiet():
        return arviz_base.from_dict({"posterior": posterior, **_groups(arrays)})
