"""Regression RSA: every subject's RDM on the RDMs of all models at once."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from apastats.arguments import choice
from apastats.recording import verb
from apastats.scoring.partial_similarity import correlations, predictors_of
from apastats.scoring.similarity import mid_ranks
from apastats.scoring.unique_kernel import weights
from apastats.table import ScoreTable

__all__ = ["regression_rsa"]


@verb
def regression_rsa(
    brain: Any,
    models: Any,
    *,
    method: Literal["pearson", "spearman"] = "spearman",
    nonnegative: bool = False,
    standardized: bool = True,
) -> ScoreTable:
    """Coefficient of every model in a regression of a subject's RDM on all of them.

    Parameters
    ----------
    brain, models : RDMSet or anything :func:`apastats.read_rdms` takes
        As in :func:`apastats.partial_similarity`.
    method : {"spearman", "pearson"}
        Regression of ranks or of dissimilarities.
    nonnegative : bool
        Whether coefficients are 0 or more.
    standardized : bool
        Whether coefficients are in units of standard deviations; else in those of the RDMs (or their ranks), as
        mne-rsa's ``regression``.

    Returns
    -------
    ScoreTable
        A row per model, ROI and subject.

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``subject`` (subject), ``roi`` (region), ``metric`` (measure of the scores),
        ``split`` (part of the stimuli), ``score`` (score).

    Raises
    ------
    InputError, DataError
        As :func:`apastats.partial_similarity`.

    See Also
    --------
    commonality, partial_similarity, unique_variance, fitted

    Notes
    -----
    ``b = R^-1 r`` with R the correlations among models and r those with the subject; non-negative ones minimise the
    same sum of squares over coefficients of 0 or more. In the units of the RDMs, ``b_k sd(subject) / sd(model k)``.

    References
    ----------
    .. [1] Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A
       toolbox for representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.
       https://doi.org/10.1371/journal.pcbi.1003553

    Examples
    --------
    >>> import apastats as apa
    >>> rdms = apa.simulate_rdms(
    ...     n_subject=3, n_stimulus=12, rois=["V1", "V2"], n_model=2, n_layer=1, rng=0
    ... )
    >>> regression_rsa(rdms.brain, rdms.models)
    <ScoreTable: 12 rows; 3 subjects, 2 ROIs, 2 models; outcomes score>
    """
    choice("method", method, ("pearson", "spearman"))
    targets, predictors, log = predictors_of(brain, models)
    among, toward = correlations(targets, predictors, method)
    b = weights(among[None], toward[None], np.arange(len(among)), nonnegative)[0]
    if not standardized:
        change = mid_ranks if method == "spearman" else np.asarray
        mine, theirs = (
            np.std(change(np.asarray(r.vectors, dtype=np.float64)), axis=1)
            for r in (targets, predictors)
        )
        b = b * mine[:, None] / theirs
    s, k = (i.ravel() for i in np.indices(b.shape))
    frame = pd.DataFrame(
        {
            "kind": "model",
            **{c: predictors.labels[c].to_numpy()[k] for c in ("model", "layer")},
            **{c: targets.labels[c].to_numpy()[s] for c in ("subject", "roi")},
            "metric": f"{'standardised ' if standardized else ''}coefficient ({method})",
            "score": b.ravel(),
        }
    )
    return ScoreTable(frame, log=tuple(log), source=f"regression of {targets.source}")
