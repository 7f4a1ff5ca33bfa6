"""The Bayesian twin of a design: Bambi formula, PyMC model, nutpie sampler; draws held as a DataTree."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import DesignError, InputError, MissingExtraError
from apastats.mixed.design import Design

__all__ = ["BayesModel", "build_bayes_model", "quiet", "sample", "stated_priors"]

CHATTY = ("pymc", "bambi", "pytensor", "arviz_stats", "arviz_stats.psense", "nutpie")
PACKAGES = ("bambi", "pymc", "nutpie", "arviz_base", "arviz_stats")


class quiet:
    """Keep third-party chatter (warnings, progress of compilation) out of the way."""

    def __enter__(self) -> quiet:
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")
        self._levels = {n: logging.getLogger(n).level for n in CHATTY}
        for name in self._levels:
            logging.getLogger(name).setLevel(logging.ERROR)
        return self

    def __exit__(self, *details: object) -> None:
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)
        self._warnings.__exit__(None, None, None)


def load_packages() -> dict[str, Any]:
    """The optional packages, or an error that names the extra."""
    import importlib

    out = {}
    with quiet():
        for name in PACKAGES:
            try:
                out[name] = importlib.import_module(name)
            except ImportError as error:
                raise MissingExtraError(name, "bayes") from error
    return out


@dataclass(frozen=True, eq=False, repr=False)
class BayesModel:
    """A Bambi model and how its variables are named in the design.

    Attributes
    ----------
    model : object
        The Bambi model.
    formula : str
        Its formula.
    coefficients : tuple of (str, str or None)
        Per fixed column: variable, and level where the variable is a factor.
    scales : tuple of (str, str)
        Label and variable of every standard deviation.
    """

    model: Any
    formula: str
    coefficients: tuple[tuple[str, str | None], ...]
    scales: tuple[tuple[str, str], ...]


def _fixed_terms(
    design: Design, data: pd.DataFrame
) -> tuple[list[str], list[tuple[str, str | None]]]:
    """Right-hand side of the fixed part; factors go in as such, other columns as numbers."""
    fixed = design.fixed
    where: list[tuple[str, str | None] | None] = [None] * len(fixed.names)
    pieces = []
    if "(Intercept)" in fixed.names:
        where[fixed.names.index("(Intercept)")] = ("Intercept", None)
        pieces.append("1")
    else:
        pieces.append("0")
    for k, (term, columns) in enumerate(fixed.terms):
        levels = fixed.factors.get(term)
        if levels is not None and pieces[0] == "1" and len(columns) == len(levels) - 1:
            name = f"f{k}"
            data[name] = design.frame[term].astype(str).to_numpy()
            ordered = sorted(map(str, levels))
            if ordered == [str(v) for v in levels]:
                pieces.append(name)
                for j, level in zip(columns, ordered[1:], strict=True):
                    where[j] = (name, level)
                continue
        for j in columns:
            data[f"c{j}"] = fixed.X[:, j]
            pieces.append(f"c{j}")
            where[j] = (f"c{j}", None)
    missing = [fixed.names[j] for j, w in enumerate(where) if w is None]
    if missing:
        raise DesignError(f"fixed columns without a place in the Bayesian model: {missing}")
    return pieces, [w for w in where if w is not None]


def build_bayes_model(design: Design, priors: Mapping[str, Any] | None) -> BayesModel:
    """Bambi model of a design.

    Raises
    ------
    InputError
        For what the Bayesian engine does not do: correlated effects, multi-membership, weights.
    """
    packages = load_packages()
    bmb = packages["bambi"]
    data = pd.DataFrame({"outcome": design.y})
    pieces, coefficients = _fixed_terms(design, data)
    scales = []
    for t, g in enumerate(design.groupings):
        if g.members or (g.free & ~np.eye(g.size, dtype=bool)).any():
            raise InputError(
                "formula", design.formula.text, "independent random effects: (1 + x || g), no mm()",
                hint="apa.lmm fits correlated effects and multi-membership.",
            )  # fmt: skip
        data[f"g{t}"] = np.array(g.levels, dtype=object)[g.codes]
        for a, effect in enumerate(g.effects):
            label = f"sd {effect} | {g.name}"
            if effect == "(Intercept)":
                pieces.append(f"(1 | g{t})")
                scales.append((label, f"1|g{t}_sigma"))
            else:
                data[f"w{t}_{a}"] = g.W[:, a]
                pieces.append(f"(0 + w{t}_{a} | g{t})")
                scales.append((label, f"w{t}_{a}|g{t}_sigma"))
    text = "outcome ~ " + " + ".join(pieces)
    formula: Any = text
    if design.residual_codes is not None:
        data["h"] = np.array(design.residual_levels, dtype=object)[design.residual_codes]
        formula = bmb.Formula(text, "sigma ~ 1 + (1 | h)")
    else:
        scales.append(("sigma", "sigma"))
    with quiet():
        model = bmb.Model(formula, data, priors=_named_priors(priors, bmb))
    return BayesModel(model, text, tuple(coefficients), tuple(scales))


def _named_priors(priors: Mapping[str, Any] | None, bmb: Any) -> dict[str, Any] | None:
    """Priors by kind: ``intercept``, ``fixed``, ``sd``, ``sigma`` as (distribution, parameters)."""
    if priors is None:
        return None
    out: dict[str, Any] = {}
    for name, value in priors.items():
        if name not in ("intercept", "fixed", "sd", "sigma"):
            raise InputError("priors", name, "keys among intercept, fixed, sd, sigma")
        try:
            distribution, parameters = value
            made = bmb.Prior(distribution, **parameters)
        except (TypeError, ValueError) as error:
            raise InputError(
                "priors", {name: value}, "a pair such as ('Normal', {'mu': 0, 'sigma': 1})"
            ) from error
        if name == "intercept":
            out["Intercept"] = made
        elif name == "fixed":
            out["common"] = made
        elif name == "sd":
            out["group_specific"] = bmb.Prior("Normal", mu=0, sigma=made)
        else:
            out["sigma"] = made
    return out


def stated_priors(built: BayesModel, design: Design) -> dict[str, str]:
    """Priors in words, by the names of the design."""
    out: dict[str, str] = {}
    variables = {variable: [] for variable, _ in built.coefficients}  # type: ignore[var-annotated]
    for (variable, _), name in zip(built.coefficients, design.fixed.names, strict=True):
        variables[variable].append(name)
    for name, term in built.model.components["mu"].terms.items():
        if name in variables:
            out[", ".join(variables[name])] = str(term.prior)
    for label, variable in built.scales:
        key = variable.removesuffix("_sigma")
        term = built.model.components["mu"].terms.get(key)
        if term is not None:
            out[label] = str(term.prior.args["sigma"])
    sigma = built.model.components.get("sigma")
    if sigma is not None:
        out["sigma"] = str(getattr(sigma, "prior", "log-scale, partially pooled over groups"))
    return out


def sample(
    built: BayesModel, *, draws: int, tune: int, chains: int, target_accept: float, seed: int
) -> Any:
    """Draw by nutpie; options are named differently by the versions of Bambi, which ends here.

    Returns
    -------
    xarray.DataTree
    """
    packages = load_packages()
    options: dict[str, Any] = {
        "draws": draws,
        "tune": tune,
        "chains": chains,
        "random_seed": seed,
        "inference_method": "nutpie",
    }
    major = tuple(int(v) for v in metadata.version("bambi").split(".")[:2])
    if major < (0, 18):
        options |= {"progress_bar": False, "target_accept": target_accept}
    else:
        options |= {"nuts": {"target_accept": target_accept}}
    with quiet():
        found = built.model.fit(**options)
        return packages["arviz_base"].convert_to_datatree(found)
