"""Tests of whole terms: F tests of type I to III, random terms dropped one by one, likelihood ratios."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

from apastats.errors import DesignError, InputError
from apastats.mixed.engine.core import Fitted, fit_design
from apastats.mixed.engine.design import Design, build_groupings
from apastats.mixed.engine.fixed_part import FixedPart, functions
from apastats.mixed.engine.formula import RandomTerm, original_names, renamed, safe_names
from apastats.mixed.engine.grid import Grid
from apastats.mixed.engine.inference import Inference
from apastats.numbers.relative import RANK_CUT

__all__ = [
    "TYPES",
    "f_table",
    "fixed_term_tests",
    "joint_rows",
    "likelihood_ratio",
    "random_term_tests",
    "term_contrasts",
]


TYPES = (1, 2, 3)


def term_contrasts(design: Design, kind: int) -> dict[str, np.ndarray]:
    """Rows per fixed term whose joint nullity is its hypothesis of type I, II or III.

    Type I: the term given those before it. Type II: given all that do not contain it. Type III: the coefficients the
    term would have if every factor had sum-to-zero coding: effects are averaged with equal weights over the levels of
    the other factors; covariates are taken at 0 unless they belong to the term.
    """
    terms = design.fixed.terms
    if kind == 3 and len(terms) > 1:
        return _type_three(design)
    rows = _sequential(design.fixed.X, np.arange(design.p))
    if kind != 2 or len(terms) == 1:
        return {name: rows[list(own)] for name, own in terms}
    out = {}
    parts = {name: frozenset(name.split(":")) for name, _ in terms}
    used = {j for _, own in terms for j in own}
    intercept = [j for j in range(design.p) if j not in used]
    for name, own in terms:
        above = [j for other, at in terms if parts[name] < parts[other] for j in at]
        before = [
            *intercept,
            *(j for other, at in terms if not parts[name] <= parts[other] for j in at),
        ]
        order = np.array([*before, *own, *above])
        at = np.flatnonzero(np.isin(order, own))
        out[name] = _sequential(design.fixed.X, order)[at]
    return out


def _sequential(X: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Every column given those before it in ``order``, as rows of coefficients (Doolittle's, of unit diagonal)."""
    # X'X = R'R: row j of R says what column j adds to those before it, so (R b)_j = 0 means that it adds nothing
    # given them; over the diagonal, a row begins with the column's own 1
    gram = X[:, order].T @ X[:, order]
    R = np.linalg.cholesky(gram).T
    out = np.zeros_like(R)
    out[:, order] = R / np.diag(R)[:, None]
    return out


def _type_three(design: Design) -> dict[str, np.ndarray]:
    """Type-III rows.

    The hypothesis does not depend on how its rows are written, but the denominator df of Satterthwaite slightly do:
    as in lmerTest, rows are the identity in the term's own columns. Of a term that an empty combination of levels
    leaves partly undetermined, the part that the data determine is tested.
    """
    from formulaic import Formula

    fixed: FixedPart = design.fixed
    ordered = [*fixed.factors, *fixed.covariates]
    place = safe_names(ordered)
    text = renamed(design.formula.fixed, place)
    for name in fixed.factors:
        text = re.sub(rf"\b{place[name]}(?!\w)", f"C({place[name]}, contr.sum)", text)
    data = design.frame[ordered]
    if fixed.aliased:
        data = _all_combinations(design)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        built = Formula(text).get_model_matrix(
            data.rename(columns=place), context=functions(), na_action="ignore"
        )
    Xs = np.asarray(built, dtype=float)
    X = fixed.all_rows(data) if fixed.aliased else fixed.X
    labels = [str(c) for c in built.columns]
    # sum-coded columns by the treatment-coded ones
    A = (
        np.linalg.lstsq(X, Xs, rcond=None)[0]
        if fixed.aliased
        else np.linalg.solve(X.T @ X, X.T @ Xs)
    )
    back = np.linalg.inv(A)
    columns = {frozenset(name.split(":")): list(own) for name, own in fixed.terms}
    out = {}
    for part in built.model_spec.structure:
        name = original_names(re.sub(r"C\(([^,()]+), contr\.sum\)", r"\1", str(part.term)), ordered)
        at = [labels.index(str(c)) for c in part.columns]
        if name == "1" or not at:
            continue
        L = back[at]
        if fixed.null.size:
            U, size, _ = np.linalg.svd(L @ fixed.null)
            rank = int((size > RANK_CUT * np.abs(L).max()).sum())
            L = fixed.estimable(U[:, rank:].T @ L)
            L = L[~np.isnan(L).any(axis=1)]
        own = columns.get(frozenset(name.split(":")), [])
        out[name] = np.linalg.solve(L[:, own], L) if len(own) == len(L) and len(L) else L
    return out


def _all_combinations(design: Design) -> pd.DataFrame:
    """Rows of every combination of levels, each with several values of the covariates."""
    fixed = design.fixed
    levels = [pd.Categorical(v, categories=v) for v in fixed.factors.values()]
    grid = pd.MultiIndex.from_product(levels, names=list(fixed.factors)).to_frame(index=False)
    n = min(design.n, 4 * (len(fixed.covariates) + 1))
    some = design.frame[list(fixed.covariates)].iloc[np.linspace(0, design.n - 1, n).astype(int)]
    out = grid.merge(some, how="cross") if fixed.covariates else grid
    for name, v in fixed.factors.items():
        out[name] = pd.Categorical(out[name], categories=v)
    return out


def fixed_term_tests(design: Design, inference: Inference, kind: int) -> pd.DataFrame:
    """F test of every fixed term."""
    if kind not in TYPES:
        raise InputError("type", kind, " or ".join(map(str, TYPES)))
    return f_table(inference, list(term_contrasts(design, kind).items()))


def f_table(inference: Inference, hypotheses: list[tuple[str, np.ndarray]]) -> pd.DataFrame:
    """F test of every named set of rows."""
    rows = []
    for name, L in hypotheses:
        test = inference.f_test(L)
        rows.append((name, test.num_df, test.den_df, test.statistic, test.p_value))
    return pd.DataFrame(rows, columns=["term", "num_df", "den_df", "statistic", "p_value"])


def joint_rows(grid: Grid, chosen: list[str], members: np.ndarray | None = None) -> np.ndarray:
    """Contrasts among the means of a grid that span one effect, as rows of coefficients.

    Differences of the chosen factors, means over the others; the first of the specs varies fastest.
    """
    members = np.arange(len(grid.rows)) if members is None else members
    frame = grid.rows.iloc[members]
    # means over factors that are averaged, neighbouring differences of those that are tested; cells are products of
    # levels, so the contrasts are Kronecker products
    C: np.ndarray = np.ones((1, 1))
    for name in reversed(grid.specs):
        k = frame[name].nunique()
        piece = np.eye(k)[1:] - np.eye(k)[:-1] if name in chosen else np.full((1, k), 1 / k)
        C = np.kron(C, piece)
    if C.shape[1] != len(members):
        raise DesignError(f"a joint test needs every combination of {', '.join(grid.specs)}")
    return grid.combine(C, members)


def _without(term: RandomTerm, frame: pd.DataFrame) -> list[tuple[str, RandomTerm | None]]:
    """What can be dropped from a term: its slopes one by one, or the whole of it.

    Effects per level of a factor, ``(0 + f | g)``, leave an intercept behind, which they contain.
    """
    slopes = [e for e in term.effects if e != "1"]
    out: list[tuple[str, RandomTerm | None]] = []
    if not term.correlated and len(term.effects) > 1:
        for e in term.effects:
            left = tuple(v for v in term.effects if v != e)
            alone = replace(term, effects=(e,), correlated=True).text
            out.append((alone if e == "1" else f"{e} in {alone}", replace(term, effects=left)))
        return out
    if len(slopes) == 1 and "1" not in term.effects and _per_level(slopes[0], frame):
        return [(f"{slopes[0]} in {term.text}", replace(term, effects=("1",), correlated=True))]
    if "1" not in term.effects or not slopes:
        return [(term.text, None)]
    for s in slopes:
        left = tuple(e for e in term.effects if e != s)
        out.append((f"{s} in {term.text}", replace(term, effects=left)))
    return out


def _per_level(effect: str, frame: pd.DataFrame) -> bool:
    """Whether an effect is a factor, or a combination of factors."""
    return all(isinstance(frame[v].dtype, pd.CategoricalDtype) for v in effect.split(":"))


def random_term_tests(fitted: Fitted) -> pd.DataFrame:
    """Likelihood-ratio tests that drop one random effect at a time (same likelihood as the fit).

    The null value of a variance lies on the boundary, so the chi-squared p-value is too large (about
    twice, for one variance): it errs towards dropping.
    """
    from scipy.special import chdtrc

    design = fitted.design
    full = fitted.loglik
    rows = [("<none>", fitted.n_parameters, full, _aic(fitted), np.nan, np.nan, np.nan)]
    random = design.formula.random
    for i, term in enumerate(random):
        for name, reduced in _without(term, design.frame):
            kept = [*random[:i], *([reduced] if reduced is not None else []), *random[i + 1 :]]
            formula = design.formula.rebuilt(random=tuple(kept))
            groupings = build_groupings(formula, design.frame)
            smaller = fit_design(
                replace(design, formula=formula, groupings=groupings), reml=fitted.reml
            )
            ratio = max(0.0, 2 * (full - smaller.loglik))
            df = fitted.n_parameters - smaller.n_parameters
            rows.append(
                (
                    name,
                    smaller.n_parameters,
                    smaller.loglik,
                    _aic(smaller),
                    ratio,
                    df,
                    float(chdtrc(df, ratio)),
                )
            )
    columns = ["dropped", "n_parameter", "loglik", "aic", "statistic", "df", "p_value"]
    return pd.DataFrame(rows, columns=columns)


def _aic(fitted: Fitted) -> float:
    return 2 * fitted.n_parameters - 2 * fitted.loglik


def likelihood_ratio(*models: Fitted) -> pd.DataFrame:
    """Likelihood-ratio tests of nested models, each against the one before.

    They are put in the order of their parameters; fits whose fixed parts differ are compared by ML.
    """
    from scipy.special import chdtrc

    fits = sorted(models, key=lambda f: f.n_parameters)
    for small, large in pairwise(fits):
        _check_nested(small, large)
    same_fixed = len({f.products.p for f in fits}) == 1
    if not (same_fixed and all(f.reml for f in fits)):
        fits = [f if not f.reml else fit_design(f.design, reml=False) for f in fits]
    rows = []
    for k, f in enumerate(fits):
        n = f.design.n
        ratio = max(0.0, 2 * (f.loglik - fits[k - 1].loglik)) if k else np.nan
        df = f.n_parameters - fits[k - 1].n_parameters if k else np.nan
        rows.append(
            {
                "formula": f.design.formula.text,
                "likelihood": "REML" if f.reml else "ML",
                "n_parameter": f.n_parameters,
                "loglik": f.loglik,
                "aic": _aic(f),
                "bic": np.log(n) * f.n_parameters - 2 * f.loglik,
                "statistic": ratio,
                "df": df,
                "p_value": float(chdtrc(df, ratio)) if k else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _check_nested(small: Fitted, large: Fitted) -> None:
    """Raise unless one model is a special case of the other."""
    if small.design.n != large.design.n or not np.array_equal(small.design.y, large.design.y):
        raise InputError("other", "a model of other rows", "a model of the same outcome and rows")
    if small.n_parameters == large.n_parameters:
        raise DesignError(
            "the two models have the same number of parameters: neither is nested in the other"
        )
    X0, X1 = small.design.fixed.X, large.design.fixed.X
    outside = X0 - X1 @ np.linalg.lstsq(X1, X0, rcond=None)[0]
    if np.abs(outside).max() > RANK_CUT * np.abs(X0).max():
        raise DesignError(
            "the fixed part of the smaller model is not contained in that of the larger one"
        )
    lost = _covariances_outside(small, large)
    if lost:
        raise DesignError(
            f"the random part of the smaller model is not contained in that of the larger one: {', '.join(lost)}"
        )


def _covariances_outside(small: Fitted, large: Fitted) -> list[str]:
    """Groupings of ``small`` whose covariance matrices of the outcome the components of ``large`` cannot make.

    Both covariances are linear in their components. Random bilinear forms u'Vw tell whether one is in the span of
    others without any n x n matrix.
    """
    # u'Vw is linear in V: V0 lies in the span of V_1..V_m where its forms are the same combination of theirs for all
    # probes; the other way round holds with probability 1 with more probes than components
    rng = np.random.default_rng(0)
    n_probe = 2 * (small.n_parameters + large.n_parameters) + 10
    u, w = rng.standard_normal((2, small.design.n, n_probe))
    wide = np.column_stack([form for _, form in _forms(large.design, u, w)])
    wide = wide / np.linalg.norm(wide, axis=0)
    lost = []
    for name, form in _forms(small.design, u, w):
        form = form / np.linalg.norm(form)
        rest = form - wide @ np.linalg.lstsq(wide, form, rcond=None)[0]
        if np.linalg.norm(rest) > 1e-6:
            lost.append(name)
    return list(dict.fromkeys(lost))


def _forms(design: Design, u: np.ndarray, w: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Bilinear forms of every component's covariance matrix, the residual ones last."""
    for g, Z in zip(design.groupings, design.Z, strict=True):
        a, b = ((Z.T @ v).reshape(g.n_levels, g.size, -1) for v in (u, w))
        for i, j in zip(*np.nonzero(g.free), strict=True):
            form = (a[:, i] * b[:, j]).sum(axis=0)
            yield g.name, form if i == j else form + (a[:, j] * b[:, i]).sum(axis=0)
    precision = np.ones(design.n) if design.weights is None else design.weights
    codes = np.zeros(design.n, int) if design.residual_codes is None else design.residual_codes
    for code in range(codes.max() + 1):
        mine = codes == code
        yield "the residual", ((u * w)[mine] / precision[mine, None]).sum(axis=0)
