"""The model of a design written from its own arrays: correlated effects, multi-membership, weights, residual groups.

Priors, where none are given, are those that Bambi gives to the same columns, so that a formula has one meaning
whichever of the two writes its model.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from apastats.mixed.bayes.bayes_model import BayesModel, Quantity
from apastats.mixed.bayes.centring import Centring
from apastats.mixed.engine.design import Design, Grouping

__all__ = ["build_from_design", "covariance_blocks"]

Prior = tuple[str, dict[str, Any]]


def covariance_blocks(grouping: Grouping) -> list[list[int]]:
    """Effects that share one covariance matrix."""
    blocks: list[list[int]] = []
    for a in range(grouping.size):
        if blocks and grouping.free[a, :a].any():
            blocks[-1].append(a)
        else:
            blocks.append([a])
    return blocks


def _default_priors(design: Design) -> tuple[Prior, list[Prior], float, float]:
    """Prior of the intercept, of every other column; scales of intercept SDs and of the residual SD."""
    y, X = design.y, design.fixed.X
    spread = float(y.std())
    wide = 2.5 * spread
    others = [j for j, name in enumerate(design.fixed.names) if name != "(Intercept)"]
    scale = np.array([wide / X[:, j].std() if X[:, j].std() > 0 else wide for j in others])
    total = (
        float(np.sqrt(wide**2 + (scale**2) @ X[:, others].mean(axis=0) ** 2)) if others else wide
    )
    slopes = [("Normal", {"mu": 0.0, "sigma": float(s)}) for s in scale]
    return ("Normal", {"mu": float(y.mean()), "sigma": total}), slopes, total, spread


def _variable(name: str, prior: Prior, **shape: Any) -> Any:
    import pymc as pm

    return getattr(pm, prior[0])(name, **prior[1], **shape)


def _word(prior: Prior) -> str:
    name, parameters = prior
    inside = ", ".join(
        f"{k}: {round(float(v), 4) if np.ndim(v) == 0 else v}" for k, v in parameters.items()
    )
    return f"{name}({inside})"


def build_from_design(
    design: Design, priors: dict[str, Prior], centring: Centring | None = None
) -> BayesModel:
    """PyMC model of a design.

    mu = X b + sum over groupings of the effects of a row's level (or levels, for multi-membership) times its columns;
    y normal about mu with standard deviation sigma / sqrt(weight), one sigma per residual group. Effects of one term
    are normal with covariance D R D: standard deviations D, correlations R ~ LKJ. ``centring`` says per grouping
    whether effects are sampled as they are or as standardised ones (all where None), which changes no density.
    """
    import pymc as pm

    intercept, slopes, sd_scale, residual_scale = _default_priors(design)
    words: dict[str, str] = {}
    scales: list[Quantity] = []
    effects: list[tuple[str, ...]] = []
    with pm.Model() as model:
        mu, coefficients = _fixed(design, priors, intercept, slopes, words)
        made: dict[int, tuple[Any, list[Quantity]]] = {}
        for t in _order(design, centring):
            g = design.groupings[t]
            centred = centring is not None and centring.effects[t]
            about = None if centring is None else _about(model, design, centring, t)
            made[t] = _effects(t, g, priors, sd_scale, design, words, centred, about)
        for t, g in enumerate(design.groupings):
            effects.append((f"u{t}",))
            scales += made[t][1]
            mu = mu + _row_sum(made[t][0], g)
        sigma_prior = priors.get(
            "sigma",
            ("HalfStudentT", {"nu": 4.0, "sigma": residual_scale * np.sqrt(design.weight_scale)}),
        )
        if design.residual_codes is None:
            sigma = _variable("sigma", sigma_prior)
            scales.append(Quantity("sigma", "sigma", (), ("residual", "", "")))
            words["sigma"] = _word(sigma_prior)
        else:
            by_level = _variable("sigma", sigma_prior, shape=len(design.residual_levels))
            sigma = by_level[design.residual_codes]
            for i, level in enumerate(design.residual_levels):
                label = f"sigma {level} | {design.residual_by}"
                scales.append(Quantity(label, "sigma", (i,), ("residual", str(level), "")))
                words[label] = _word(sigma_prior)
        if design.weights is not None:
            sigma = sigma / np.sqrt(design.weights * design.weight_scale)
        pm.Normal("outcome", mu=mu, sigma=sigma, observed=pm.Data("observed", design.y))
    orders = tuple(np.arange(g.n_levels) for g in design.groupings)
    return BayesModel(model, "design", coefficients, tuple(scales), tuple(effects), orders, words)


def _fixed(
    design: Design, priors: dict[str, Prior], intercept: Prior, slopes: list[Prior],
    words: dict[str, str],
) -> tuple[Any, tuple[Quantity, ...]]:  # fmt: skip
    """Fixed part of the mean, and where its coefficients are."""
    names, X = design.fixed.names, design.fixed.X
    has_intercept = names[0] == "(Intercept)"
    first = int(has_intercept)
    mu: Any = 0.0
    out = []
    if has_intercept:
        prior = priors.get("intercept", intercept)
        mu = _variable("Intercept", prior)
        out.append(Quantity(names[0], "Intercept"))
        words[names[0]] = _word(prior)
    if len(names) > first:
        columns = X[:, first:]
        if "fixed" in priors:
            joint = priors["fixed"]
        else:
            joint = ("Normal", {"mu": 0.0, "sigma": np.array([s[1]["sigma"] for s in slopes])})
        b = _variable("b", joint, shape=columns.shape[1])
        mu = mu + (columns - columns.mean(axis=0) if has_intercept else columns) @ b
        for j, name in enumerate(names[first:]):
            out.append(Quantity(name, "b", (j,)))
            words[name] = _word(priors.get("fixed", slopes[j]))
    return mu, tuple(out)


def _order(design: Design, centring: Centring | None) -> list[int]:
    """Groupings in an order in which what an effect is sampled about comes before it."""
    count = range(len(design.groupings))
    if centring is None:
        return list(count)
    return sorted(count, key=lambda t: len(design.groupings[t].columns))


def _about(model: Any, design: Design, centring: Centring, t: int) -> Any:
    """What the effects of a grouping are sampled about ``[level, 1]``: the intercept, coarser effects; None for 0."""
    out = model["Intercept"] if centring.home == t else None
    g = design.groupings[t]
    for p in centring.about(t):
        parent = design.groupings[p]
        place = np.zeros(g.n_levels, dtype=int)
        place[g.codes] = parent.codes
        # a coarser grouping that is about the intercept itself brings it along
        name = f"g{p}_0_effect" if centring.home == p else f"u{p}"
        out = model[name][place] if out is None else out + model[name][place]
    return out


def _effects(
    t: int, g: Grouping, priors: dict[str, Prior], sd_scale: float, design: Design,
    words: dict[str, str], centred: bool, about: Any,
) -> tuple[Any, list[Quantity]]:  # fmt: skip
    """Random effects ``[level, effect]`` of one grouping, and where its standard deviations are."""
    import pymc as pm
    import pytensor.tensor as pt

    wide = 2.5 * float(design.y.std())
    parts, out = [], []
    for block in covariance_blocks(g):
        name = f"g{t}_{block[0]}"
        size = len(block)
        defaults = []
        for a in block:
            spread = float(g.W[:, a].std())
            scale = sd_scale if g.effects[a] == "(Intercept)" or spread == 0 else wide / spread
            defaults.append(scale)
        shape = (g.n_levels, size)
        for a, scale in zip(block, defaults, strict=True):
            words[f"sd {g.effects[a]} | {g.name}"] = _word(
                priors.get("sd", ("HalfNormal", {"sigma": scale}))
            )
        prior = priors.get("sd", ("HalfNormal", {"sigma": np.array(defaults)}))
        if size == 1:
            sd = _variable(f"{name}_sd", prior, shape=1)
            effect = g.effects[block[0]]
            label = f"sd {effect} | {g.name}"
            out.append(Quantity(label, f"{name}_sd", (0,), (g.name, effect, "")))
            if about is not None:
                parts.append(pm.Normal(f"{name}_effect", mu=about, sigma=sd, shape=shape) - about)
            elif centred:
                parts.append(pm.Normal(f"{name}_effect", sigma=sd, shape=shape))
            else:
                parts.append(pm.Normal(f"{name}_offset", shape=shape) * sd)
            continue
        lkj = priors.get("correlation", ("LKJ", {"eta": 2.0}))
        factor = f"{name}_factor"
        L, _, _ = pm.LKJCholeskyCov(
            factor, n=size, eta=lkj[1]["eta"], compute_corr=True,
            sd_dist=getattr(pm, prior[0]).dist(**prior[1], shape=size),
        )  # fmt: skip
        sds, correlations = (f"{factor}_stds", f"{factor}_corr")
        for i, a in enumerate(block):
            label = f"sd {g.effects[a]} | {g.name}"
            out.append(Quantity(label, sds, (i,), (g.name, g.effects[a], "")))
        for i in range(size):
            for j in range(i):
                one, two = g.effects[block[j]], g.effects[block[i]]
                label = f"cor {one}, {two} | {g.name}"
                out.append(Quantity(label, correlations, (j, i), (g.name, two, one)))
                words[label] = _word(lkj)
        parts.append(
            pm.MvNormal(f"{name}_effect", mu=np.zeros(size), chol=L, shape=shape) if centred
            else pm.Normal(f"{name}_offset", shape=shape) @ L.T
        )  # fmt: skip
    concatenate: Any = pt.concatenate
    joined = parts[0] if len(parts) == 1 else concatenate(parts, axis=1)
    return pm.Deterministic(f"u{t}", joined), out


def _row_sum(u: Any, g: Grouping) -> Any:
    """Contribution of a grouping to the mean of every row."""
    if not g.members:
        return (u[g.codes] * g.W).sum(axis=1)
    return sum((u[g.codes[:, m]] * g.W).sum(axis=1) for m in range(g.codes.shape[1]))
