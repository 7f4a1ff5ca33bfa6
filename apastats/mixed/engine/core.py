"""A fitted model as arrays: parameters, coefficients, and what inference needs, made when first asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg import solve_triangular

from apastats.arguments import choice
from apastats.errors import DataError, InputError
from apastats.mixed.engine.closed_form import closed_form_components
from apastats.mixed.engine.design import Design
from apastats.mixed.engine.fixed_part import FixedPart
from apastats.mixed.engine.hetero import ResidualGroups, grouped_information
from apastats.mixed.engine.inference import DF_METHODS, Inference, make_inference
from apastats.mixed.engine.information import Information, factor_information, information
from apastats.mixed.engine.large import LARGE, effect_products, information_by_differences
from apastats.mixed.engine.likelihood import State, deviance, evaluate, pack
from apastats.mixed.engine.optimise import Objective, Optimum, minimise_deviance
from apastats.mixed.engine.products import Products, make_products, with_outcome
from apastats.numbers.relative import no_variation

__all__ = ["Fitted", "fit_design", "refit_design", "row_precisions"]

EXACT = 1e-12  # share of the variance below which a residual is not told from rounding


@dataclass(frozen=True, eq=False, repr=False)
class Fitted:
    """Parameters of one model and the tables they came from.

    Attributes
    ----------
    design : Design
    products : Products
        Cross-products (at the fitted residual precisions).
    state : State
        Factorisation at the optimum.
    optimum : Optimum
    reml : bool
    engine : str
    groups : ResidualGroups or None
        Tables per residual group, where the residual variance differs.
    precisions : numpy.ndarray
        ``[G]`` relative precision of every residual group; one 1 otherwise.
    coded : Design
        What the cross-products were made of: the design with centred slope columns.
    turns : tuple of numpy.ndarray
        ``[k, k]`` per grouping of the design: effects as reported are ``A`` times the effects of centred columns.
    """

    design: Design
    products: Products
    state: State
    optimum: Optimum
    reml: bool
    engine: str
    groups: ResidualGroups | None
    precisions: np.ndarray
    coded: Design
    turns: tuple[np.ndarray, ...]

    @property
    def loglik(self) -> float:
        """(Restricted) log likelihood."""
        return -0.5 * self.optimum.deviance

    @cached_property
    def sigma2(self) -> float:
        """Residual variance of a row of mean weight (of the first residual group)."""
        df = self.products.n - self.products.p if self.reml else self.products.n
        return self.state.rss / df

    @property
    def residual_variances(self) -> np.ndarray:
        """One per residual group, of rows of mean weight."""
        return self.sigma2 / self.precisions

    @property
    def unit_variances(self) -> np.ndarray:
        """One per residual group, of rows of weight 1 (of standard error 1): what is reported."""
        return self.residual_variances * self.design.weight_scale

    @cached_property
    def _fixed_factor(self) -> np.ndarray:
        q2 = self.products.q2
        return self.state.L[q2:, q2:]

    @cached_property
    def fixed_turn(self) -> np.ndarray:
        """``[p, p]``: coefficients as reported are this times those of centred fixed columns."""
        # a slope's column less its mean m: b_0 + b_1 x = (b_0 + m b_1) + b_1 (x - m), so the intercept as reported is
        # that of the centred columns less m b_1
        out = np.eye(self.products.p)
        if self.coded.fixed is not self.design.fixed:
            out[0] -= self.design.fixed.X[0] - self.coded.fixed.X[0]
        return out

    def _turned(self, info: Information) -> Information:
        """Information whose derivatives are those of the covariance of the coefficients as reported."""
        B = self.fixed_turn
        if self.coded.fixed is self.design.fixed:
            return info
        back = np.linalg.inv(B)
        second = None if info.second is None else back.T @ info.second @ back
        return replace(info, slopes=B @ info.slopes @ B.T, second=second)

    @cached_property
    def beta(self) -> np.ndarray:
        """Fixed coefficients ``[p]``."""
        rest = solve_triangular(
            self._fixed_factor, self.state.c[self.products.q2 :], lower=True, trans=1
        )
        return self.fixed_turn @ (self.products.offset + rest)

    @cached_property
    def vcov(self) -> np.ndarray:
        """Covariance of the coefficients ``[p, p]``."""
        inverse = solve_triangular(self._fixed_factor, self.fixed_turn.T, lower=True)
        return self.sigma2 * inverse.T @ inverse

    @cached_property
    def relative(self) -> list[np.ndarray]:
        """A square root of the relative covariance per grouping, in the order of the design."""
        out: list[np.ndarray] = [np.zeros((0, 0))] * len(self.design.groupings)
        for T, i in zip(self.state.T, self.products.order, strict=True):
            out[i] = self.turns[i] @ T
        return out

    @cached_property
    def covariances(self) -> list[np.ndarray]:
        """``[k, k]`` covariance of the random effects of every grouping, in the order of the design."""
        return [self.sigma2 * T @ T.T for T in self.relative]

    @property
    def n_parameters(self) -> int:
        """Coefficients, free entries and residual variances."""
        entries = sum(int(f.free.sum()) for f in self.products.factors)
        return self.products.p + entries + len(self.precisions)

    @cached_property
    def singular(self) -> tuple[str, ...]:
        """Groupings whose covariance has not full rank."""
        out = []
        for T, i in zip(self.state.T, self.products.order, strict=True):
            g = self.coded.groupings[i]
            rms = np.sqrt((g.W**2).mean(axis=0))
            if (np.abs(np.diag(T)) * np.where(rms > 0, rms, 1) < 1e-4).any():
                out.append(g.name)
        return tuple(out)

    @cached_property
    def _information(self) -> Information:
        if self.groups is not None:
            return self._turned(grouped_information(self.state, self.groups, self.precisions))
        return self._turned(information(self.state, self.products, reml=self.reml))

    @cached_property
    def _information_twice(self) -> Information:
        if self.groups is not None:
            return self._turned(
                grouped_information(self.state, self.groups, self.precisions, second=True)
            )
        state, products = self.state, self.products
        if products.inner is not None:  # needs the products of all effects
            products = make_products(self.coded, nested=False)
            by_place = dict(zip(self.products.order, state.T, strict=True))
            state = _state(products, pack([by_place[i] for i in products.order], products.factors))
        return self._turned(information(state, products, reml=self.reml, second=True))

    @cached_property
    def _large_information(self) -> tuple[np.ndarray, np.ndarray]:
        plain = solve_triangular(self._fixed_factor, np.eye(self.products.p), lower=True)
        observed, slopes = information_by_differences(
            self.state, self.products, reml=self.reml, phi=plain.T @ plain
        )
        return observed, self.fixed_turn @ slopes @ self.fixed_turn.T

    @cached_property
    def _inferences(self) -> dict[str, Inference]:
        return {}

    def inference(self, method: str) -> Inference:
        """Tests of coefficients by a method for degrees of freedom."""
        choice("df", method, DF_METHODS)
        if method == "kenward-roger" and not self.reml:
            raise InputError(
                "df", method, "'satterthwaite' or 'z' for a fit by ML", hint="Fit with reml=True."
            )
        if method not in self._inferences:
            info, factors = None, None
            if (
                method == "satterthwaite"
                and self.groups is None
                and self.products.n_effects > LARGE
            ):
                factors = self._large_information
            elif method == "satterthwaite":
                info = self._information
                factors = factor_information(info, self.state, self.products)
            elif method == "kenward-roger":
                info = self._information_twice
            self._inferences[method] = make_inference(self.beta, self.vcov, info, method, factors)
        return self._inferences[method]

    @cached_property
    def effects(self) -> list[np.ndarray]:
        """Best linear unbiased predictions ``[J, k]`` per grouping, in the order of the design."""
        found = effect_products(self.state, self.products)
        out: list[np.ndarray] = [np.zeros((0, 0))] * len(self.design.groupings)
        for (_, z), T, i in zip(found, self.state.T, self.products.order, strict=True):
            out[i] = z @ (T @ T.T) @ self.turns[i].T
        return out

    @cached_property
    def fitted_values(self) -> np.ndarray:
        """Xb + Zu ``[n]``."""
        out = self.design.fixed.X @ self.beta
        for Z, b in zip(self.design.Z, self.effects, strict=True):
            out = out + Z @ b.ravel()
        return np.asarray(out)


def row_precisions(design: Design, w: np.ndarray) -> np.ndarray:
    """Precision of every row relative to sigma^2 ``[n]``."""
    base = np.ones(design.n) if design.weights is None else design.weights
    return base if design.residual_codes is None else base * w[design.residual_codes]


def fit_design(
    design: Design,
    *,
    reml: bool = True,
    engine: str = "profile",
    max_evaluations: int = 500,
    start: np.ndarray | None = None,
    polish: bool = True,
    centre: bool = True,
) -> Fitted:
    """Fit a design with the own engine, by iteration or (balanced data) in closed form.

    ``centre``: slope columns are centred inside, which changes no likelihood (the covariance of intercept and slopes
    turns with it) and keeps covariates far from 0, such as years, exact.
    """
    given, turns = design, tuple(np.eye(g.size) for g in design.groupings)
    if centre:
        design, turns = _centred(design)
    if design.residual_codes is not None and engine == "profile":
        groups = ResidualGroups(design, reml)
        _check_variation(design, groups.products)
        found = minimise_deviance(
            groups, start=start, polish=polish, max_evaluations=max_evaluations
        )
        x = found.theta * groups.scale
        theta, w = groups.split(x)
        products = groups.at(w)
        state = _state(products, theta)
        _left_over(products, state.rss)
        optimum = replace(found, theta=theta)
        return Fitted(given, products, state, optimum, reml, engine, groups, w, design, turns)
    products = make_products(design)
    _check_variation(design, products)
    if engine == "closed_form":
        if not reml:
            raise InputError("engine", engine, "'profile' for ML (reml=False)")
        strata = closed_form_components(design)
        _left_over(products, strata.sigma2 * design.n)
        ratio = np.sqrt(strata.components / strata.sigma2)
        theta = pack([ratio[[[i]]] for i in products.order], products.factors)
        state = _state(products, theta)
        value = deviance(state, products, reml=True)
        optimum = Optimum(theta, value, 1, 0.0, ("closed form",))
        return Fitted(
            given, products, state, optimum, reml, engine, None, np.ones(1), design, turns
        )
    return _fit_products(given, design, turns, products, reml, max_evaluations, start, polish)


def _centred(design: Design) -> tuple[Design, tuple[np.ndarray, ...]]:
    """Design whose slope columns are centred where an intercept is correlated with them, and what turns effects back.

    b_0 + b_1 x = (b_0 + b_1 m) + b_1 (x - m): with centred columns the effects are A^-1 b, A = [[1, -m], [0, 1]].
    """
    turns, groupings = [], []
    for g in design.groupings:
        A, W = np.eye(g.size), g.W
        if "(Intercept)" in g.effects and not g.members:
            i = g.effects.index("(Intercept)")
            for j in range(g.size):
                if j != i and (g.free[j, i] or g.free[i, j]):
                    A[i, j] = -g.W[:, j].mean()
        if (np.eye(g.size) != A).any():
            W = W @ A  # w'b = (A'w)'(A^-1 b)
        turns.append(A)
        groupings.append(g if W is g.W else replace(g, W=W))
    fixed = _near(design.fixed)
    same = all(new is old for new, old in zip(groupings, design.groupings, strict=True))
    if same and fixed is design.fixed:
        return design, tuple(turns)
    return replace(design, groupings=tuple(groupings), fixed=fixed), tuple(turns)


def _near(fixed: FixedPart) -> FixedPart:
    """Fixed part whose columns far from 0 (beyond 10 SD) are centred, where there is an intercept to take it up."""
    X = fixed.X
    if fixed.names[0] != "(Intercept)" or not (X[:, 0] == 1).all():
        return fixed
    mean, sd = X.mean(axis=0), X.std(axis=0)
    mean[(np.abs(mean) <= 10 * sd) | (np.arange(len(mean)) == 0)] = 0.0
    return replace(fixed, X=X - mean) if mean.any() else fixed


def _fit_products(
    design: Design,
    coded: Design,
    turns: tuple[np.ndarray, ...],
    products: Products,
    reml: bool,
    max_evaluations: int = 500,
    start: np.ndarray | None = None,
    polish: bool = True,
) -> Fitted:
    objective = Objective(products, reml)
    optimum = minimise_deviance(
        objective, start=start, polish=polish, max_evaluations=max_evaluations
    )
    state = _state(products, optimum.theta)
    _left_over(products, state.rss)
    return Fitted(design, products, state, optimum, reml, "profile", None, np.ones(1), coded, turns)


def _check_variation(design: Design, products: Products) -> None:
    """Raise where the fixed part leaves nothing but rounding."""
    w = np.ones(design.n) if design.weights is None else design.weights
    if no_variation(float(products.D[-1, -1]), float(w @ design.y**2)):
        raise DataError(
            "the outcome is fitted exactly by the fixed part: there is no variance to share out"
        )


def _state(products: Products, theta: np.ndarray) -> State:
    state = evaluate(products, theta)
    if state is None:
        raise InputError("data", "numbers of very different size", "covariates of similar size")
    return state


def _left_over(products: Products, rest: float) -> None:
    """Raise where the groupings leave nothing but rounding, and with it no likelihood that has a maximum."""
    if not rest > EXACT * float(products.D[-1, -1]):
        raise DataError(
            "the outcome is fitted exactly by the random part: nothing is left for the residual, as where rows "
            "stand twice in the table. Keep one of each, or leave out the finest grouping"
        )


def refit_design(
    fitted: Fitted, y: np.ndarray, *, polish: bool = True, warm: bool = True
) -> Fitted:
    """Fit the same design to another outcome ``[n]`` (on the scale of the model); only one column is made anew."""
    design = replace(fitted.design, y=y)
    design.__dict__["Z"] = fitted.design.Z  # the random-effect columns do not depend on y
    if fitted.groups is not None:
        return fit_design(design, reml=fitted.reml, polish=polish)
    coded = design
    if fitted.coded is not fitted.design:
        coded = replace(fitted.coded, y=y)
        coded.__dict__["Z"] = fitted.coded.Z
    products = with_outcome(fitted.products, coded, y)
    start = fitted.optimum.theta if warm else None
    return _fit_products(
        design, coded, fitted.turns, products, fitted.reml, start=start, polish=polish
    )
