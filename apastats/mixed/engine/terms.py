"""Tests of whole terms: type-III F tests, random terms dropped one by one, likelihood ratios."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd

from apastats.errors import DesignError, InputError
from apastats.mixed.engine.core import Fitted, fit_design
from apastats.mixed.engine.design import Design, FixedPart, build_groupings
from apastats.mixed.engine.formula import RandomTerm
from apastats.mixed.engine.inference import Inference

__all__ = ["likelihood_ratio", "random_term_tests", "type_three", "type_three_contrasts"]


def type_three_contrasts(design: Design) -> dict[str, np.ndarray]:
    """Rows per fixed term whose joint nullity is the type-III hypothesis.

    They are the coefficients the term would have if every factor had sum-to-zero coding: effects are averaged with
    equal weights over the levels of the other factors; covariates are taken at 0 unless they belong to the term.
    The hypothesis does not depend on how its rows are written, but the denominator df of
    Satterthwaite slightly do: as in lmerTest, rows are the identity in the term's own columns, and for a
    single term the sequential (Doolittle) rows.
    """
    from formulaic import Formula

    fixed: FixedPart = design.fixed
    text = design.formula.fixed
    for name in fixed.factors:
        text = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w.])", f"C({name}, contr.sum)", text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = design.frame
        built = Formula(text).get_model_matrix(data, context={"sqrt": np.sqrt})
    Xs = np.asarray(built, dtype=float)
    labels = [str(c) for c in built.columns]
    gram = fixed.X.T @ fixed.X
    A = np.linalg.solve(gram, fixed.X.T @ Xs)  # sum-coded columns by the treatment-coded ones
    back = np.linalg.inv(A)
    if len(fixed.terms) == 1:
        name, own = fixed.terms[0]
        R = np.linalg.cholesky(gram).T
        return {name: R[list(own)] / np.diag(R)[list(own), None]}
    columns = {frozenset(name.split(":")): list(own) for name, own in fixed.terms}
    out = {}
    for part in built.model_spec.structure:
        name = re.sub(r"C\(([^,()]+), contr\.sum\)", r"\1", str(part.term))
        at = [labels.index(str(c)) for c in part.columns]
        if name != "1" and at:
            L = back[at]
            at_own = columns.get(frozenset(name.split(":")), [])
            out[name] = np.linalg.solve(L[:, at_own], L) if len(at_own) == len(L) else L
    return out


def type_three(design: Design, inference: Inference) -> pd.DataFrame:
    """F test of every fixed term."""
    rows = []
    for name, L in type_three_contrasts(design).items():
        test = inference.f_test(L)
        rows.append((name, test.num_df, test.den_df, test.statistic, test.p_value))
    return pd.DataFrame(rows, columns=["term", "num_df", "den_df", "statistic", "p_value"])


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


def likelihood_ratio(small: Fitted, large: Fitted) -> pd.DataFrame:
    """Likelihood-ratio test of nested models; fits whose fixed parts differ are compared by ML."""
    from scipy.special import chdtrc

    if small.n_parameters > large.n_parameters:
        small, large = large, small
    if small.design.n != large.design.n or not np.array_equal(small.design.y, large.design.y):
        raise InputError("other", "a model of other rows", "a model of the same outcome and rows")
    if small.n_parameters == large.n_parameters:
        raise DesignError(
            "the two models have the same number of parameters: neither is nested in the other"
        )
    X0, X1 = small.design.fixed.X, large.design.fixed.X
    outside = X0 - X1 @ np.linalg.lstsq(X1, X0, rcond=None)[0]
    if np.abs(outside).max() > 1e-8 * max(1.0, np.abs(X0).max()):
        raise DesignError(
            "the fixed part of the smaller model is not contained in that of the larger one"
        )
    same_fixed = X0.shape == X1.shape
    if not (same_fixed and small.reml and large.reml):
        small = small if not small.reml else fit_design(small.design, reml=False)
        large = large if not large.reml else fit_design(large.design, reml=False)
    ratio = max(0.0, 2 * (large.loglik - small.loglik))
    df = large.n_parameters - small.n_parameters
    rows = []
    for k, f in enumerate((small, large)):
        n = f.design.n
        rows.append(
            {
                "formula": f.design.formula.text,
                "likelihood": "REML" if f.reml else "ML",
                "n_parameter": f.n_parameters,
                "loglik": f.loglik,
                "aic": _aic(f),
                "bic": np.log(n) * f.n_parameters - 2 * f.loglik,
                "statistic": ratio if k else np.nan,
                "df": df if k else np.nan,
                "p_value": float(chdtrc(df, ratio)) if k else np.nan,
            }
        )
    return pd.DataFrame(rows)
