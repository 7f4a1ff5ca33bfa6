"""What one model adds to others: partial and semipartial RSA."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from apastats.arguments import choice
from apastats.errors import DataError, InputError
from apastats.io.rdm_set import RDMSet, aligned
from apastats.io.read_rdms import as_rdms
from apastats.recording import verb
from apastats.scoring.checked_rdms import checked_brain, checked_models
from apastats.scoring.rdm_similarity import similarity_counts
from apastats.table import ScoreTable

__all__ = ["correlations", "partial_similarity", "predictors_of"]

METHODS = {"pearson": "corr", "spearman": "spearman", "kendall": "tau-b"}


@verb
def partial_similarity(
    brain: Any,
    models: Any,
    *,
    method: Literal["pearson", "spearman", "kendall"] = "spearman",
    kind: Literal["partial", "semipartial"] = "partial",
) -> ScoreTable:
    """Correlation of every model's RDM with every subject's, all other models' RDMs held constant.

    Parameters
    ----------
    brain, models : RDMSet or anything :func:`apastats.read_rdms` takes
        As in :func:`apastats.score`; two models or more, fewer than pairs of stimuli.
    method : {"spearman", "pearson", "kendall"}
        Correlation the partial one is made of.
    kind : {"partial", "semipartial"}
        ``semipartial`` takes the others out of the model alone: its square is the share of the subject's variance
        that only this model explains.

    Returns
    -------
    ScoreTable
        A row per model, ROI and subject, for ``bootstrap``, ``compare`` and ``equivalence`` like any score.

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``subject`` (subject), ``roi`` (region), ``metric`` (measure of the scores),
        ``split`` (part of the stimuli), ``score`` (score).

    Raises
    ------
    InputError, DataError
        As :func:`apastats.score`; missing pairs; a model that is a linear combination of others.

    See Also
    --------
    commonality, regression_rsa, unique_variance, score

    Notes
    -----
    With P the inverse of the correlation matrix of subject (0) and models, the partial correlation is
    ``-P_0k / sqrt(P_00 P_kk)``; the semipartial one ``b_k / sqrt((R^-1)_kk)`` with R the matrix of the models and
    ``b = R^-1 r`` (Kim 2015, Communications for Statistical Applications and Methods 22:665).

    References
    ----------
    .. [1] Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A
       toolbox for representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.
       https://doi.org/10.1371/journal.pcbi.1003553
    .. [2] Kriegeskorte, N., Mur, M., & Bandettini, P. (2008). Representational similarity analysis –
       connecting the branches of systems neuroscience. Frontiers in Systems Neuroscience, 2, 4.
       https://doi.org/10.3389/neuro.06.004.2008

    Examples
    --------
    >>> import apastats as apa
    >>> rdms = apa.simulate_rdms(
    ...     n_subject=3, n_stimulus=12, rois=["V1", "V2"], n_model=2, n_layer=1, rng=0
    ... )
    >>> partial_similarity(rdms.brain, rdms.models)
    <ScoreTable: 12 rows; 3 subjects, 2 ROIs, 2 models; outcomes score>
    """
    choice("method", method, METHODS)
    choice("kind", kind, ("partial", "semipartial"))
    targets, predictors, log = predictors_of(brain, models)
    among, toward = correlations(targets, predictors, method)
    # b = R^-1 r are the standardised coefficients; the model's own share beyond the others is b_k^2 / (R^-1)_kk, and
    # the partial correlation sets it against what all leave unexplained plus itself
    inverse = np.linalg.inv(among)
    b = toward @ inverse
    own = np.diag(inverse)
    unexplained = 1 - np.einsum("sk,sk->s", b, toward)[:, None]
    score = b / np.sqrt(own)
    if kind == "partial":
        score = score / np.sqrt(unexplained + score**2)
    s, k = (i.ravel() for i in np.indices(score.shape))
    frame = pd.DataFrame(
        {
            "kind": "model",
            **{c: predictors.labels[c].to_numpy()[k] for c in ("model", "layer")},
            **{c: targets.labels[c].to_numpy()[s] for c in ("subject", "roi")},
            "metric": f"{kind} {method}",
            "score": score.ravel(),
        }
    )
    return ScoreTable(frame, log=tuple(log), source=f"{kind} similarities of {targets.source}")


def predictors_of(brain: Any, models: Any) -> tuple[RDMSet, RDMSet, list[str]]:
    """Both sides on shared stimuli, complete, with at least two models."""
    targets, predictors, log = aligned(
        checked_brain(as_rdms(brain, "brain")), checked_models(as_rdms(models, "models"))
    )
    if predictors is None or len(predictors) < 2:
        raise InputError("models", "one model", "two or more: what one adds to the others is asked")
    if not np.isfinite(targets.vectors.sum() + predictors.vectors.sum()):
        raise DataError("RDMs have missing entries; leave those stimuli out")
    if len(predictors) > targets.vectors.shape[1] - 2:
        raise InputError("models", len(predictors), "fewer than the pairs of stimuli")
    return targets, predictors, log


def correlations(targets: RDMSet, models: RDMSet, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Correlations among models ``[k, k]`` and of subjects with models ``[s, k]``.

    Raises
    ------
    DataError
        If an RDM is constant or the models are linearly dependent.
    """
    name = METHODS[method]
    x = np.asarray(models.vectors, dtype=np.float64)
    among = similarity_counts(x, x, name)[0]
    toward = similarity_counts(np.asarray(targets.vectors, dtype=np.float64), x, name)[0]
    for rdms, known, side in (
        (models, np.isfinite(np.diag(among)), "models"),
        (targets, np.isfinite(toward).any(axis=1), "brain"),
    ):
        if not known.all():
            label = rdms.labels.iloc[int(np.argmin(known))]
            first = ", ".join(f"{k} {v}" for k, v in label.items() if v != "-")
            raise DataError(f"{side}: an RDM is constant, and has no correlation ({first})")
    values = np.linalg.eigvalsh(among)
    if values[0] < 1e-10 * values[-1]:
        # what the dependence is among: the weights of the sum that is nothing
        part = np.abs(np.linalg.eigh(among)[1][:, 0])
        rows = models.labels.loc[part > 1e-3 * part.max()].astype(str)
        named = [" ".join(v for v in row if v != "-") for row in rows.to_numpy()]
        raise DataError(
            f"models are linearly dependent ({', '.join(named)}): what one adds to the others is not defined; "
            "leave one out"
        )
    return among, toward
