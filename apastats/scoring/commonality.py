"""Commonality analysis: what models explain alone and together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from apastats.arguments import choice, items
from apastats.errors import InputError
from apastats.numbers.explained import subset_r2
from apastats.recording import verb
from apastats.scoring.partial_similarity import correlations, predictors_of
from apastats.scoring.unique_kernel import Question
from apastats.table import ScoreTable

__all__ = ["MOST", "commonality", "members_of"]

MOST = 10  # groups; all 2^10 subsets are fitted


@verb
def commonality(
    brain: Any,
    models: Any,
    *,
    method: Literal["pearson", "spearman"] = "spearman",
    groups: Mapping[str, Sequence[str]] | None = None,
) -> ScoreTable:
    """Explained variance of every subject's RDM, split into what each set of models explains in common and alone.

    Parameters
    ----------
    brain, models : RDMSet or anything :func:`apastats.read_rdms` takes
        As in :func:`apastats.score`.
    method : {"spearman", "pearson"}
        Regression of ranks or of dissimilarities.
    groups : mapping of str to list of str, optional
        Models that count as one predictor, by the name of the group; every model once. By default every model.

    Returns
    -------
    ScoreTable
        ``model`` is "unique A", "shared A & B", ..., and "total" (R2 of all models); ``score`` the share of
        variance. The parts of a subject sum to the total; shared parts can be negative (suppression).

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``subject`` (subject), ``roi`` (region), ``metric`` (measure of the scores),
        ``split`` (part of the stimuli), ``score`` (score).

    Raises
    ------
    InputError, DataError
        As :func:`apastats.partial_similarity`; more than 10 groups.

    See Also
    --------
    regression_rsa, partial_similarity, unique_variance, score

    Notes
    -----
    ``C(A) = sum over T in A of (-1)^(|T| + 1) R2(T and all models not in A)`` (Nimon, Lewis, Kane and Haynes 2008,
    Behavior Research Methods 40:457-466). R2 is not corrected for the number of models.

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
    >>> sorted(commonality(rdms.brain, rdms.models).frame["model"].unique())
    ['shared model_01 & model_02', 'total', 'unique model_01', 'unique model_02']
    """
    choice("method", method, ("pearson", "spearman"))
    targets, predictors, log = predictors_of(brain, models)
    labels = predictors.labels
    single = labels["layer"].nunique() == 1
    names = list(labels["model"] if single else labels["model"] + " " + labels["layer"])
    members = members_of(groups, names)
    among, toward = correlations(targets, predictors, method)
    question = Question(tuple(members.values()), parts="all")
    r2 = subset_r2(among[None], toward[None], question.groups, question.masks)
    found = question.parts_of(r2)[0]
    keys = list(members)
    parts = {
        "total" if kind == "total" else f"{kind} {' & '.join(keys[k] for k in chosen)}": values
        for (kind, chosen), values in zip(question.sets, found.T, strict=True)
    }
    frame = pd.concat(
        [
            pd.DataFrame(
                {
                    "kind": "model",
                    "model": part,
                    "layer": "-",
                    **{c: targets.labels[c].to_numpy() for c in ("subject", "roi")},
                    "metric": f"explained variance ({method})",
                    "score": values,
                }
            )
            for part, values in parts.items()
        ],
        ignore_index=True,
    )
    return ScoreTable(frame, log=tuple(log), source=f"commonality of {targets.source}")


def members_of(
    groups: Mapping[str, Sequence[str]] | None, names: list[str], most: int = MOST
) -> dict[str, np.ndarray]:
    """Places of the models of every group; ``most`` groups."""
    given = (
        {n: [n] for n in names}
        if groups is None
        else {str(g): list(items("groups", m, "lists of models")) for g, m in groups.items()}
    )
    listed = [m for some in given.values() for m in some]
    if sorted(listed) != sorted(names):
        raise InputError("groups", sorted(listed), f"every model once: {sorted(names)}")
    if not 2 <= len(given) <= most:
        raise InputError(
            "groups", f"{len(given)} groups", f"2 to {most} groups of models (groups=)"
        )
    return {g: np.array([names.index(m) for m in some]) for g, some in given.items()}
