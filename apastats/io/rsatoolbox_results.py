"""Evaluations in a Result of rsatoolbox: scores where they are one per subject, and why not where they are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from apastats.errors import DataError

__all__ = ["FIXED_MODEL", "from_result", "why_no_scores"]

FIXED_MODEL = "ModelFixed"
FIXED = "fixed"  # cv_method of evaluations that are one score per model and RDM


def why_no_scores(evaluations: np.ndarray, cv_method: str) -> str:
    """Why evaluations of a Result are no scores of subjects; empty where they are."""
    shape = evaluations.shape
    if evaluations.ndim < 2 or evaluations.dtype.kind not in "fiu":
        return f"its evaluations have shape {shape} and type {evaluations.dtype}"
    if cv_method == FIXED and evaluations.ndim == 3 and shape[0] == 1:
        return ""
    if cv_method == "crossvalidation":
        return (
            f"its {shape[-1]} evaluations per model are folds of a cross-validation, which share subjects and stimuli "
            "and are not subjects; apa.evaluate_fitted(brain, models) gives one score per subject"
        )
    return (
        f"its {shape[0]} evaluations per model are replicates ({cv_method or 'method unknown'}): they show how a mean "
        "varies and are not subjects. apa.bootstrap_rdms(brain, models), or eval_fixed of rsatoolbox and its file, "
        "start from one score per subject; read_rdms reads the RDMs of its models"
    )


def from_result(
    found: Any, names: list[str], types: list[str], path: str = "data"
) -> tuple[pd.DataFrame, str, tuple[str, ...]]:
    """Scores of a Result of rsatoolbox, given as a mapping of its fields.

    Parameters
    ----------
    found : mapping
        ``evaluations [1, n_model, n_rdm], method, cv_method, noise_ceiling [2], dof, n_rdm, n_pattern``.
    names, types : list of str
        Of the models; a model with parameters is spoken of.
    path : str
        For messages.

    Returns
    -------
    frame : pandas.DataFrame
        One row per model and RDM; subjects are numbered, as a Result does not name them.
    what : str
    notes : tuple of str

    Raises
    ------
    DataError
        If the evaluations are no scores of subjects; the message says what they are.
    """
    values = np.asarray(found["evaluations"])
    cv_method = str(found.get("cv_method") or "")
    reason = why_no_scores(values, cv_method)
    if reason:
        raise DataError(f"{path}: is an rsatoolbox Result, and {reason}")
    scores = values[0].astype("f8")
    n_model, n = scores.shape
    if len(names) != n_model:
        raise DataError(f"{path}: {len(names)} models and evaluations of {n_model}")
    frame = pd.DataFrame(
        {
            "model": np.repeat(np.array(names, dtype=object), n),
            "subject": np.tile([f"rdm {i + 1}" for i in range(n)], n_model),
            "metric": str(found.get("method") or "score"),
            "score": scores.ravel(),
        }
    )
    if len(set(names)) < n_model:
        frame.insert(1, "layer", np.repeat([str(k + 1) for k in range(n_model)], n))
    notes = [
        "a Result does not name the subjects of its RDMs, nor their ROI: subjects are numbered in their order"
    ]
    notes += [
        f"{kind} {name!r} has parameters: where they were fitted to the same RDMs, its scores are too high"
        for name, kind in zip(names, types, strict=True)
        if kind not in ("Model", FIXED_MODEL)
    ]
    ceiling = np.asarray(found.get("noise_ceiling", np.nan), dtype="f8").ravel()
    if len(ceiling) == 2 and np.isfinite(ceiling).all():
        frame["lower_ceiling"], frame["upper_ceiling"] = ceiling
        notes.append(
            f"noise ceiling {ceiling[0]:.4g} to {ceiling[1]:.4g} of all subjects together, kept beside the scores"
        )
    beside = {k: found.get(k) for k in ("dof", "n_rdm", "n_pattern")}
    beside = {k: int(v) for k, v in beside.items() if v is not None and np.ndim(v) == 0}
    notes.append(
        f"its variances and dof ({', '.join(f'{k} {v}' for k, v in beside.items())}) follow from the scores and are "
        "left out"
    )
    return frame, f"rsatoolbox Result ({cv_method}, {n} RDMs)", tuple(notes)
