"""The model of a design written by Bambi."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import DesignError
from apastats.mixed.bayes.bayes_model import BayesModel, Quantity
from apastats.mixed.engine.design import Design

__all__ = ["build_with_bambi"]


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


def build_with_bambi(design: Design, priors: dict[str, tuple[str, dict[str, Any]]]) -> BayesModel:
    """Bambi model of a design with independent effects and one residual variance."""
    import bambi as bmb

    data = pd.DataFrame({"outcome": design.y})
    pieces, where = _fixed_terms(design, data)
    scales, effects = [], []
    for t, g in enumerate(design.groupings):
        data[f"g{t}"] = np.array(g.levels, dtype=object)[g.codes]
        names = []
        for a, effect in enumerate(g.effects):
            if effect == "(Intercept)":
                pieces.append(f"(1 | g{t})")
                names.append(f"1|g{t}")
            else:
                data[f"w{t}_{a}"] = g.W[:, a]
                pieces.append(f"(0 + w{t}_{a} | g{t})")
                names.append(f"w{t}_{a}|g{t}")
            label, variable = f"sd {effect} | {g.name}", f"{names[-1]}_sigma"
            scales.append(Quantity(label, variable, (), (g.name, effect, "")))
        effects.append(tuple(names))
    scales.append(Quantity("sigma", "sigma", (), ("residual", "", "")))
    model = bmb.Model("outcome ~ " + " + ".join(pieces), data, priors=_bambi_priors(priors, bmb))
    model.build()
    backend = model.backend.model
    coefficients = []
    for name, (variable, level) in zip(design.fixed.names, where, strict=True):
        at = () if level is None else (list(backend.coords[f"{variable}_dim"]).index(level),)
        coefficients.append(Quantity(name, variable, at))
    orders = []
    for t, g in enumerate(design.groupings):
        position = {str(v): i for i, v in enumerate(backend.coords[f"g{t}__factor_dim"])}
        orders.append(np.array([position[v] for v in g.levels]))
    words = _words(model, coefficients, scales)
    return BayesModel(
        backend, "bambi", tuple(coefficients), tuple(scales), tuple(effects), tuple(orders), words
    )  # fmt: skip


def _bambi_priors(priors: dict[str, tuple[str, dict[str, Any]]], bmb: Any) -> dict[str, Any]:
    """Our kinds of priors by Bambi's names."""
    made = {name: bmb.Prior(d, **parameters) for name, (d, parameters) in priors.items()
            if name != "correlation"}  # fmt: skip
    if "sd" in made:
        made["sd"] = bmb.Prior("Normal", mu=0, sigma=made["sd"])
    names = {"intercept": "Intercept", "fixed": "common", "sd": "group_specific", "sigma": "sigma"}
    return {names[name]: prior for name, prior in made.items()}


def _words(model: Any, coefficients: list[Quantity], scales: list[Quantity]) -> dict[str, str]:
    """Priors in words, by the names of the design."""
    # renamed in Bambi 0.18
    parts = model.parameters if hasattr(model, "parameters") else model.components
    terms = parts["mu"].terms
    out: dict[str, str] = {}
    for variable in dict.fromkeys(q.variable for q in coefficients):
        names = [q.label for q in coefficients if q.variable == variable]
        out[", ".join(names)] = str(terms[variable].prior)
    for q in scales[:-1]:
        out[q.label] = str(terms[q.variable.removesuffix("_sigma")].prior.args["sigma"])
    out["sigma"] = str(parts["sigma"].prior)
    return out
