"""What ``evaluate_fitted`` asks of its arguments: models in order, folds and draws, noise variances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import whole
from apastats.bootstrapping.bootstrap_rdms import drawn_factors
from apastats.bootstrapping.fitted_rois import FoldPlan
from apastats.errors import DesignError, InputError
from apastats.io.rdm_set import RDMSet
from apastats.io.read_rdms import as_rdms
from apastats.scoring.fitted.crossvalidated import default_k
from apastats.scoring.fitted.fitted import FittedModel, of_rsatoolbox
from apastats.scoring.methods import comparison
from apastats.scoring.score import checked_models
from apastats.scoring.similarity import whitening
from apastats.seeds import RngLike, seed_sequence

__all__ = ["Described", "described_models", "fold_plan", "noise_variances"]

_AUTO = 999


@dataclass(frozen=True)
class Described:
    """A model, fitted or fixed."""

    name: str
    rule: Any
    members: RDMSet
    nonnegative: bool = True
    ridge: float = 0.0


def described_models(models: Any, method: str) -> list[Described]:
    """Models in order, their members labelled by the place of the model."""
    listed = list(models) if isinstance(models, (list, tuple)) else [models]
    if isinstance(models, Mapping):
        listed = [{key: value} if not _is_fitted(value) else value for key, value in models.items()]
    found: list[Described] = []
    for one in listed:
        model = one if isinstance(one, FittedModel) else of_rsatoolbox(one)
        if model is not None:
            found.append(
                Described(model.name, model.rule, model.members, model.nonnegative, model.ridge)
            )
            continue
        fixed = checked_models(as_rdms(one, "models"))
        single = fixed.labels["layer"].eq("-").all()
        names = (
            fixed.labels["model"] if single else fixed.labels["model"] + " " + fixed.labels["layer"]
        )
        for i, label in enumerate(names):
            part = fixed.take([i])
            found.append(
                Described(str(label), "fixed", part.with_labels(pd.DataFrame({"member": [label]})))
            )
    names_ = [d.name for d in found]
    if len(set(names_)) < len(names_):
        raise InputError(
            "models", names_, "models with distinct names", hint="fitted(..., name=...) names one."
        )
    if all(d.rule == "fixed" for d in found):
        raise InputError(
            "models",
            names_,
            "a fitted model among them",
            hint="evaluate_rdms evaluates fixed ones.",
        )
    for d in found:
        if d.rule == "weighted" and comparison(method).pooled == "ranks":
            raise InputError(
                "method",
                method,
                f"'corr', 'cosine' or their whitened forms for the weights of {d.name!r}",
            )
    return [
        Described(
            d.name,
            d.rule,
            d.members.with_labels(
                pd.DataFrame(
                    {"place": [f"{k}"] * len(d.members), "member": d.members.labels["member"]}
                )
            ),
            d.nonnegative,
            d.ridge,
        )
        for k, d in enumerate(found)
    ]


def noise_variances(sigma_k: Any, method: str, n: int) -> np.ndarray | None:
    """Noise variance of each stimulus, checked."""
    if sigma_k is None:
        return None
    if not comparison(method).noise:
        raise InputError("sigma_k", "an array", f"None with method={method!r}")
    whitening(sigma_k, n)  # checks what every whitened method asks
    sigma = np.asarray(sigma_k, dtype=np.float64)
    if sigma.ndim == 2:
        if (sigma != np.diag(np.diag(sigma))).any():
            raise InputError(
                "sigma_k",
                "a full covariance",
                "variances, one per stimulus",
                hint="Copies of a drawn stimulus have no covariance; give np.diag(sigma_k).",
            )
        sigma = np.diag(sigma)
    return sigma


def _is_fitted(value: Any) -> bool:
    return isinstance(value, FittedModel) or of_rsatoolbox(value) is not None


def fold_plan(
    cluster: Any,
    k_subject: int | None,
    k_stimulus: int | None,
    n_cv: int,
    n_resamples: Any,
    rng: RngLike,
    n_subject: int,
    n_stimulus: int,
) -> FoldPlan:
    """Folds and draws, checked; folds by the number of units where none are given."""
    drawn = drawn_factors(cluster)
    whole("n_cv", n_cv, least=1)
    by_subject = default_k(n_subject, (6, 12, 20)) if k_subject is None else k_subject
    by_stimulus = default_k(n_stimulus, (12, 24, 40)) if k_stimulus is None else k_stimulus
    whole("k_subject", by_subject, least=1, most=n_subject)
    if k_stimulus is None and n_stimulus < 3 * by_stimulus:
        raise DesignError(
            f"{n_stimulus} stimuli are too few for folds, which need three each: k_stimulus=1 cross-validates "
            "over subjects alone"
        )
    if n_stimulus < 3 * by_stimulus:
        whole("k_stimulus", by_stimulus, least=1, most=max(1, n_stimulus // 3))
    whole("k_stimulus", by_stimulus, least=1)
    if by_subject == by_stimulus == 1:
        raise InputError(
            "k_subject, k_stimulus",
            (1, 1),
            "two or more folds of one of them: a score on data fitted to is no estimate",
        )
    if n_resamples == "exact":
        raise InputError("n_resamples", "exact", "a number or 'auto': folds are random")
    if n_resamples != "auto":
        whole("n_resamples", n_resamples, least=3)
    rows = _AUTO if n_resamples == "auto" else int(n_resamples)
    return FoldPlan(by_subject, by_stimulus, n_cv, drawn, rows, seed_sequence(rng))
