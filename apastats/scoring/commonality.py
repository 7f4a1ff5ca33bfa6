"""Commonality analysis: what models explain alone and together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd

from apastats.arguments import checked, choice, items
from apastats.errors import InputError
from apastats.scoring.partial_similarity import correlations, predictors_of
from apastats.table import ScoreTable

__all__ = ["commonality"]

MOST = 10  # groups; all 2^10 subsets are fitted


@checked
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
    regression_rsa, partial_similarity, score

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
    members = _members(groups, names)
    among, toward = correlations(targets, predictors, method)
    keys = list(members)
    explained = {frozenset[str](): np.zeros(len(toward))}
    for size in range(1, len(keys) + 1):
        for chosen in combinations(keys, size):
            at = np.concatenate([members[g] for g in chosen])
            r = toward[:, at]
            b = np.linalg.solve(among[np.ix_(at, at)], r.T).T
            explained[frozenset(chosen)] = (b * r).sum(axis=1)
    whole = frozenset(keys)
    parts = {"total": explained[whole]}
    for size in range(1, len(keys) + 1):
        for chosen in combinations(keys, size):
            rest = whole - set(chosen)
            terms = [
                (-1) ** (n + 1) * explained[rest | set(some)]
                for n in range(size + 1)
                for some in combinations(chosen, n)
            ]
            kind = "unique" if size == 1 else "shared"
            parts[f"{kind} {' & '.join(chosen)}"] = np.sum(terms, axis=0)
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


def _members(groups: Mapping[str, Sequence[str]] | None, names: list[str]) -> dict[str, np.ndarray]:
    """Places of the models of every group."""
    given = (
        {n: [n] for n in names}
        if groups is None
        else {str(g): list(items("groups", m, "lists of models")) for g, m in groups.items()}
    )
    listed = [m for some in given.values() for m in some]
    if sorted(listed) != sorted(names):
        raise InputError("groups", sorted(listed), f"every model once: {sorted(names)}")
    if not 2 <= len(given) <= MOST:
        raise InputError(
            "groups", f"{len(given)} groups", f"2 to {MOST} groups of models (groups=)"
        )
    return {g: np.array([names.index(m) for m in some]) for g, some in given.items()}
