"""Every row of a table as a share of the noise ceiling: an outcome for whatever takes scores."""

from __future__ import annotations

import numpy as np
import pandas as pd

from apastats.arguments import choice
from apastats.ceilings.noise_ceiling import NoiseCeiling, without_interval
from apastats.ceilings.normalize import pick_bound, refuse_low
from apastats.errors import DataError, InputError
from apastats.recording import verb
from apastats.scoring.people import shares_about
from apastats.table import ScoreTable
from apastats.words import Outcome

__all__ = ["normalized_rows"]

_PREDICTOR = {"subject_to_subject": "-"}  # partners of a subject are no models to be told apart


@verb
def normalized_rows(
    table: ScoreTable,
    ceiling: NoiseCeiling,
    *,
    how: str = "mean_of_ratios",
    bound: str | None = None,
    on_low: str = "error",
) -> ScoreTable:
    """Scores of every subject as shares of the noise ceiling, all layers, splits and kinds of rows.

    Parameters
    ----------
    table : ScoreTable
        Scores; brain rows are divided by the ceiling of their target, as model rows are.
    ceiling : NoiseCeiling
        From :func:`noise_ceiling`; with ``by=["roi", "metric", "split"]`` where the table has several splits.
    how : {"mean_of_ratios", "ratio_of_means"}
        Each score over the subject's own ceiling; or the rows whose mean is mean score over mean ceiling and whose
        spread holds the uncertainty of both (see Notes).
    bound : str, optional
        Which of the ceiling's bounds, where it has several.
    on_low : {"error", "nan"}
        What to do where the ceiling is not clearly above zero.

    Returns
    -------
    ScoreTable
        The same rows with the outcome ``share`` before the others, so that layer choice, patterns, equivalence and
        sets take it: ``"share ~ model | roi"``.

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``subject`` (subject), ``roi`` (region), ``metric`` (measure of the scores),
        ``split`` (part of the stimuli), ``stream`` (stream of the region), ``person`` (person that is
        compared), ``half`` (half of the data), ``weight`` (weight), ``share`` (share of the ceiling),
        ``score`` (score).

    Raises
    ------
    CeilingError
        If the ceiling of a cell is not clearly above zero, as in :func:`normalize`.
    DataError
        If there is no ceiling for a subject, or a cell, of the table.
    InputError
        If the table has several splits and the ceiling is not by split.

    See Also
    --------
    normalize, noise_ceiling

    Notes
    -----
    ``mean_of_ratios``: ``x_s / c_s``; that subjects share pools and partners does not enter the spread of these rows
    (:func:`normalize` counts it). ``ratio_of_means``: the linearised ratio ``rho + (x_s - rho p_s) / C`` with
    C the mean ceiling over the subjects of that predictor and cell, ``rho = mean(x) / C`` and ``p_s`` each person's
    share in the mean ceiling (:func:`noise_ceiling`). Its mean is rho and its standard error that of the delta method,
    which :func:`normalize` gives too. A difference of two models' rows is linearised likewise, so paired tests of
    it are right to the first order. Patterns of single subjects are better made of ``mean_of_ratios``: the
    linearised row of one subject is a part of the group's ratio, not that subject's own.

    References
    ----------
    .. [1] Schrimpf, M., Kubilius, J., Hong, H., Majaj, N. J., Rajalingham, R., Issa, E. B., Kar, K.,
       Bashivan, P., Prescott-Roy, J., Schmidt, K., Yamins, D. L. K., & DiCarlo, J. J. (2018). Brain-Score:
       Which artificial neural network for object recognition is most brain-like?. .
       https://doi.org/10.1101/407007

    Examples
    --------
    >>> import apastats as apa
    >>> study = apa.simulate(n_subject=8, n_model=3, n_layer=2, rois=["V1", "V4"], rng=1)
    >>> ceiling = apa.noise_ceiling(study.scores, by=["roi", "metric", "split"])
    >>> share = apa.normalized_rows(study.scores, ceiling)
    >>> best = apa.select_layer(share, on="train")
    >>> apa.equivalence("share ~ model | roi", best, bounds=0.2).info["outcome"].quantity
    'share of the noise ceiling'
    """
    choice("how", how, ("mean_of_ratios", "ratio_of_means"))
    choice("on_low", on_low, ("error", "nan"))
    if "share" in table.frame.columns:
        raise InputError("table", "a column 'share'", "a table without one")
    mine = pick_bound(ceiling, bound)
    by = list(ceiling.info.by)
    if "split" not in by and len(table.levels("split")) > 1:
        hint = 'noise_ceiling(..., by=["roi", "metric", "split"]).'
        raise InputError(
            "ceiling", f"by {by}", "ceilings by split, as the table has several", hint=hint
        )
    frame = table.frame
    row, col, cells = _places(table, ceiling, by, mine)
    used = np.unique(col)
    values, person = (ceiling.arrays[name][:, mine].copy() for name in ("values", "person"))
    alike = without_interval(ceiling.info["ceiling_kind"], values)
    level = float(ceiling.info.conf_level or 0.95)
    reference = values[:, used]
    named = [cells[j] for j in used]
    refuse_low(alike[used], reference, person[:, used], by, named, how, on_low, level)
    values[:, used] = reference
    score, own = frame[table.outcomes[0]].to_numpy("f8"), values[row, col]
    if how == "mean_of_ratios":
        with np.errstate(invalid="ignore", divide="ignore"):
            share = score / own
    else:
        share = _linearised(frame, score, own, person[row, col], by)
    bottom = f"the {ceiling.info['ceiling_kind'].replace('_', '-')} ceiling"
    log = f"share: {table.outcomes[0]} over {bottom}, {how.replace('_', ' ')}"
    quantity = Outcome("share", quantity="share of the noise ceiling")
    known = ScoreTable(
        frame.assign(share=share),
        outcomes=("share", *table.outcomes),
        log=(*table.log, log),
        source=table.source,
        measures={**table.measures, "share": quantity},
        covariates=table.covariates,
    )
    return known


def _places(
    table: ScoreTable, ceiling: NoiseCeiling, by: list[str], mine: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[tuple]]:
    """Subject and cell of the ceiling for every row of the table, and the cells."""
    cells = list(ceiling.table[by].iloc[mine].itertuples(index=False, name=None))
    lacking = [c for c in by if c not in table.frame.columns]
    if lacking:
        raise InputError("ceiling", f"by {by}", f"columns among {list(table.frame.columns)}")
    people = pd.Index([str(s) for s in ceiling.arrays["subjects"]])
    row = people.get_indexer(pd.Index(table.frame["subject"].astype(str)))
    col = pd.MultiIndex.from_tuples(cells).get_indexer(pd.MultiIndex.from_frame(table.frame[by]))
    for found, what in ((row, ["subject"]), (col, by)):
        if (found < 0).any():
            first = table.frame[what].iloc[int(np.argmax(found < 0))].to_dict()
            raise DataError(f"normalized_rows: no ceiling for {first}")
    return row, col, cells


def _linearised(
    frame: pd.DataFrame,
    score: np.ndarray,
    own: np.ndarray,
    person: np.ndarray,
    by: list[str],
) -> np.ndarray:
    """Rows whose mean per predictor and cell is the ratio of means, with the spread of its delta method."""
    predictor = frame["kind"].map(_PREDICTOR).fillna(frame["model"])
    keys = ["kind", "layer", *dict.fromkeys(["roi", "metric", "split", *by])]
    group = frame[keys].assign(predictor=predictor).groupby([*keys, "predictor"], sort=False)
    share = np.full(len(frame), np.nan)
    for at in group.indices.values():
        paired = np.where(np.isfinite(score[at]), own[at], np.nan)
        if not np.isfinite(paired).any():
            continue
        bottom = shares_about(person[at][:, None], paired[:, None])[:, 0]
        mean = np.nanmean(paired)
        ratio = np.nanmean(np.where(np.isfinite(paired), score[at], np.nan)) / mean
        share[at] = ratio + (score[at] - ratio * bottom) / mean
    return share
