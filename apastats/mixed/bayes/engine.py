"""The Bayesian twin of a design: a PyMC model, the nutpie sampler, and draws by the names of the design."""

from __future__ import annotations

import importlib
import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from apastats.arguments import choice, mapping
from apastats.errors import InputError, MissingExtraError
from apastats.mixed.bayes.bayes_model import BayesModel, Quantity
from apastats.mixed.engine.design import Design

__all__ = [
    "Draws",
    "build_bayes_model",
    "checked_priors",
    "compile_sampler",
    "load_packages",
    "quiet",
    "read_draws",
    "sample",
]

CHATTY = ("pymc", "bambi", "pytensor", "arviz_stats", "arviz_stats.psense", "nutpie")
PACKAGES = ("bambi", "pymc", "nutpie", "arviz_base", "arviz_stats")
PRIORS = ("intercept", "fixed", "sd", "correlation", "sigma")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep third-party chatter (warnings, progress of compilation) out of the way."""
    levels = {n: logging.getLogger(n).level for n in CHATTY}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for name in levels:
                logging.getLogger(name).setLevel(logging.ERROR)
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def load_packages() -> dict[str, Any]:
    """The optional packages, or an error that names the extra."""
    out = {}
    with quiet():
        for name in PACKAGES:
            try:
                out[name] = importlib.import_module(name)
            except ImportError as error:
                raise MissingExtraError(name, "bayes") from error
    return out


@dataclass(frozen=True, eq=False, repr=False)
class Draws:
    """Draws by the names of the design.

    Attributes
    ----------
    coefficients : numpy.ndarray
        ``[chain, draw, p]``.
    scales : numpy.ndarray
        ``[chain, draw, s]``.
    effects : tuple of numpy.ndarray
        ``[chain, draw, level * effect]`` per grouping, in the order of the columns of ``design.Z``.
    """

    coefficients: np.ndarray
    scales: np.ndarray
    effects: tuple[np.ndarray, ...]


def checked_priors(priors: Mapping[str, Any] | None) -> dict[str, tuple[str, dict[str, Any]]]:
    """Priors by kind as (distribution of PyMC, parameters).

    Raises
    ------
    InputError
        For an unknown kind, a value that is no such pair, or a distribution that cannot be made of it.
    """
    if priors is None:
        return {}
    pymc = load_packages()["pymc"]
    mapping("priors", priors, f"a mapping with keys among {', '.join(PRIORS)}")
    out = {}
    for name, value in priors.items():
        choice("priors", name, PRIORS)
        example = "('LKJ', {'eta': 2})" if name == "correlation" else "('Normal', {'mu': 0, 'sigma': 1})"  # fmt: skip
        allowed = f"a pair such as {example}"
        try:
            distribution, parameters = value
            parameters = dict(parameters)
            if name == "correlation":
                good = (
                    distribution == "LKJ" and set(parameters) == {"eta"} and parameters["eta"] > 0
                )
            else:
                make = getattr(pymc, distribution).dist
                with quiet():
                    make(**parameters)
                # newer versions of PyMC take names they do not know, and forget them
                good = set(parameters) <= set(inspect.signature(make).parameters)
        except Exception as error:  # whatever PyMC says to what a user wrote
            raise InputError("priors", {name: value}, allowed) from error
        if not good:
            raise InputError("priors", {name: value}, allowed)
        out[name] = (distribution, parameters)
    return out


def needs_own_model(design: Design) -> bool:
    """Whether the design has what Bambi lacks: correlated effects, multi-membership, weights, residual groups."""
    if design.weights is not None or design.residual_codes is not None:
        return True
    return any(g.members or (g.free & ~np.eye(g.size, dtype=bool)).any() for g in design.groupings)


def build_bayes_model(design: Design, priors: Mapping[str, Any] | None) -> BayesModel:
    """PyMC model of a design: written by Bambi, or from the design's own arrays for what Bambi lacks."""
    from apastats.mixed.bayes.bambi import build_with_bambi
    from apastats.mixed.bayes.centring import choose_centring
    from apastats.mixed.bayes.direct import build_from_design

    load_packages()
    chosen = checked_priors(priors)
    centring = choose_centring(design)
    with quiet():
        if any(centring.effects) or needs_own_model(design):
            return build_from_design(design, chosen, centring)
        return build_with_bambi(design, chosen)


def compile_sampler(built: BayesModel) -> Any:
    """The model compiled for nutpie; residual means, one per row, are not kept."""
    nutpie = load_packages()["nutpie"]
    model = built.pymc
    kept = [v.name for v in (*model.free_RVs, *model.deterministics) if v.name != "mu"]
    with quiet():
        return nutpie.compile_pymc_model(model, var_names=kept)


def sample(
    compiled: Any, *, draws: int, tune: int, chains: int, target_accept: float, seed: int
) -> Any:
    """Draw by nutpie.

    Returns
    -------
    xarray.DataTree
    """
    packages = load_packages()
    with quiet():
        found = packages["nutpie"].sample(
            compiled, draws=draws, tune=tune, chains=chains, seed=seed, target_accept=target_accept,
            save_warmup=False, progress_bar=False,
        )  # fmt: skip
        return packages["arviz_base"].convert_to_datatree(found)


def read_draws(posterior: Any, built: BayesModel, design: Design) -> Draws:
    """Draws by the names of the design; ``posterior`` has one array ``[chain, draw, ...]`` per variable."""

    def values(quantities: tuple[Quantity, ...]) -> np.ndarray:
        columns = [posterior[q.variable].values[(..., *q.index)] for q in quantities]
        return np.stack(columns, axis=-1).astype(float)

    b = values(built.coefficients)
    X = design.fixed.X
    if design.fixed.names[0] == "(Intercept)" and X.shape[1] > 1:  # sampled for centred columns
        b[..., 0] -= b[..., 1:] @ X[:, 1:].mean(axis=0)
    effects = []
    for variables, order in zip(built.effects, built.level_order, strict=True):
        parts = [np.asarray(posterior[v].values, dtype=float) for v in variables]
        u = parts[0] if parts[0].ndim == 4 else np.stack(parts, axis=-1)
        u = u[:, :, order]
        effects.append(u.reshape(*u.shape[:2], -1))
    return Draws(b, values(built.scales), tuple(effects))
