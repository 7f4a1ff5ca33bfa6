"""The same model through statsmodels: one all-embracing group with variance components, as a cross-check."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from apastats.errors import ConvergenceError, InputError
from apastats.mixed.engine.design import Design
from apastats.mixed.engine.inference import Inference, make_inference

__all__ = ["StatsmodelsFit", "fit_statsmodels"]


@dataclass(frozen=True, eq=False, repr=False)
class StatsmodelsFit:
    """What statsmodels found, with the names the rest of the room uses; z tests only."""

    design: Design
    beta: np.ndarray
    vcov: np.ndarray
    covariances: list[np.ndarray]
    sigma2: float
    loglik: float
    reml: bool
    n_parameters: int
    singular: tuple[str, ...]
    engine: str = "statsmodels"

    @property
    def unit_variances(self) -> np.ndarray:
        """The residual variance."""
        return np.array([self.sigma2])

    @property
    def precisions(self) -> np.ndarray:
        """Relative precision of the one residual group."""
        return np.ones(1)

    def inference(self, method: str) -> Inference:
        """Normal tests; statsmodels has no degrees of freedom for mixed models."""
        if method != "z":
            raise InputError("df", method, "'z' with engine='statsmodels'")
        return make_inference(self.beta, self.vcov, None, "z")


def fit_statsmodels(design: Design, *, reml: bool) -> StatsmodelsFit:
    """Fit by ``statsmodels.MixedLM``: independent random effects, each a variance component.

    Raises
    ------
    InputError
        For what MixedLM cannot do here: correlated effects, weights, residual groups, multi-membership.
    ConvergenceError
        Where none of its optimisers converged.
    """
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    for g in design.groupings:
        if g.members or (g.free & ~np.eye(g.size, dtype=bool)).any():
            raise InputError(
                "engine", "statsmodels", "'profile' for correlated effects and multi-membership",
                hint=f"The term of {g.name!r} is one.",
            )  # fmt: skip
    if design.weights is not None or design.residual_codes is not None or not design.groupings:
        raise InputError(
            "engine",
            "statsmodels",
            "'profile' with weights, residual groups or without random terms",
        )
    names, columns, matrices = [], [], []
    for g in design.groupings:
        Z = design.Z[design.groupings.index(g)].toarray().reshape(design.n, g.n_levels, g.size)
        for a, effect in enumerate(g.effects):
            names.append(f"{g.name}|{effect}")
            columns.append([list(g.levels)])
            matrices.append([Z[:, :, a]])
    spec = VCSpec(names, columns, matrices)
    model = MixedLM(design.y, design.fixed.X, groups=np.ones(design.n), exog_vc=spec, exog_re=None)
    tried = []
    for method in ("lbfgs", "bfgs", "powell"):
        tried.append(method)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = model.fit(reml=reml, method=method)
        if found.converged:
            break
    else:
        raise ConvergenceError(f"statsmodels did not converge; tried: {', '.join(tried)}")
    order = list(found.model.exog_vc.names)
    values = dict(zip(order, np.asarray(found.vcomp, dtype=float), strict=True))
    covariances = [
        np.diag([values[f"{g.name}|{effect}"] for effect in g.effects]) for g in design.groupings
    ]
    p = design.p
    singular = tuple(
        g.name
        for g, M in zip(design.groupings, covariances, strict=True)
        if (np.diag(M) < 1e-8 * found.scale).any()
    )
    return StatsmodelsFit(
        design,
        np.asarray(found.fe_params, dtype=float),
        np.asarray(found.cov_params(), dtype=float)[:p, :p],
        covariances,
        float(found.scale),
        float(found.llf),
        reml,
        p + len(names) + 1,
        singular,
    )
