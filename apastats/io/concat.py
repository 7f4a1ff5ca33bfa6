"""Join tables of scores, or sets of RDMs."""

from __future__ import annotations

from pathlib import Path
from typing import overload

import pandas as pd

from apastats.arguments import checked
from apastats.errors import InputError
from apastats.io.rdm_set import RDMSet, joined
from apastats.table import ScoreTable


@overload
def concat(*tables: ScoreTable) -> ScoreTable: ...
@overload
def concat(*tables: RDMSet) -> RDMSet: ...
@checked
def concat(*tables: ScoreTable | RDMSet) -> ScoreTable | RDMSet:
    """Put several tables, or sets of RDMs, below each other; duplicate keys are an error.

    Parameters
    ----------
    *tables : ScoreTable or RDMSet
        Tables with the same outcomes; or sets of RDMs. Sets that name their stimuli are put into the
        order of the first by name, and are NaN for stimuli they lack; without names they need the same
        number of stimuli, and the log says that they were joined by position.

    Returns
    -------
    ScoreTable or RDMSet

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``subject`` (subject), ``roi`` (region), ``metric`` (measure of the scores),
        ``split`` (part of the stimuli), ``stream`` (stream of the region), ``person`` (person that is
        compared), ``half`` (half of the data), ``weight`` (weight), ``score`` (score).

    Raises
    ------
    InputError
        Neither of the two, both, or tables with different outcomes.
    DataError
        Repeated keys or labels; sets of which only some name their stimuli.

    See Also
    --------
    read, read_rdms

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
    >>> one, two = (apa.simulate_rdms(n_subject=2, n_stimulus=5, rng=k).models for k in (0, 1))
    >>> len(concat(one, two.with_labels(two.labels.assign(seed=1)))) == 2 * len(one)
    True
    """
    if tables and all(isinstance(t, RDMSet) for t in tables):
        return joined([t for t in tables if isinstance(t, RDMSet)])
    scores = [t for t in tables if isinstance(t, ScoreTable)]
    if not scores or len(scores) < len(tables):
        raise InputError(
            "tables", [type(t).__name__ for t in tables], "one or more ScoreTables, or RDMSets"
        )
    if len({t.outcomes for t in scores}) > 1:
        raise InputError("tables", [t.outcomes for t in scores], "tables with the same outcomes")
    frame = pd.concat([t.frame for t in scores], ignore_index=True)
    # the name only: a log ends in reports, and a path of this machine means nothing elsewhere
    log = tuple(f"{Path(t.source).name}: {line}" for t in scores for line in t.log)
    source = " + ".join(t.source for t in scores)
    covariates = tuple(dict.fromkeys(c for t in scores for c in t.covariates))
    return ScoreTable(
        frame,
        scores[0].outcomes,
        log=log,
        source=source,
        measures=scores[0].measures,
        covariates=covariates,
    )
