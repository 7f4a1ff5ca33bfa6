"""Encoding scores as a share of the reliability of responses, of regions and of single units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from apastats.arguments import choice
from apastats.errors import CeilingError, CeilingWarning, InputError, warn
from apastats.recording import verb
from apastats.scoring.reliability import SCALES, Reliability
from apastats.table import ScoreTable

__all__ = ["normalize_encoding"]


@verb
def normalize_encoding(
    table: ScoreTable,
    ceilings: Mapping[tuple[str, str], float | Reliability] | None = None,
    *,
    scale: str,
    minimum: float = 0.05,
) -> ScoreTable:
    """Encoding scores as a share of what the reliability of the responses allows.

    Scores of single units (a column ``unit``) are divided by the ceilings of these units.

    Parameters
    ----------
    table : ScoreTable
        Scores, for instance of :func:`apastats.linear_predictivity`.
    ceilings : mapping, optional
        From ``(subject, roi)`` to a ceiling, or to the :class:`Reliability` it is taken from; to the latter where the
        table has units. Without it, of a table of units: those kept with the scores (``ceilings=`` of
        :func:`linear_predictivity`), which have to be on the same scale.
    scale : {"r2", "r"}
        Scale of the scores and of the ceiling: explained variance, or correlation. There is no
        default: an R2 divided by a ceiling on the scale of r is a common mistake.
    minimum : float
        Ceilings below it are an error: a ratio to almost nothing means nothing. Single units below it, and those
        without a ceiling, are left out and counted in a warning.

    Returns
    -------
    ScoreTable
        Scores divided by the ceiling, with the columns ``ceiling`` and ``ceiling_scale``.

        Columns: ``kind`` (kind of the row: model or brain), ``model`` (model, or what is compared), ``layer``
        (layer of the model), ``subject`` (subject), ``roi`` (region), ``metric`` (measure of the scores),
        ``split`` (part of the stimuli), ``reference_from`` (where the reference comes from),
        ``n_feature_predictor`` (features that predict), ``n_feature_brain`` (features predicted), ``penalty``
        (ridge penalty), ``n_unit`` (units), ``n_left_out`` (units left out), ``share_left_out`` (share of units
        left out), ``ceiling`` (noise ceiling),
        ``ceiling_scale`` (scale of the ceiling), ``score`` (score).

    Raises
    ------
    InputError
        If the scale is unknown, or a subject and ROI have no ceiling.
    CeilingError
        If a ceiling is below ``minimum`` or above 1.

    Warns
    -----
    CeilingWarning
        Where a score (column ``n_unit``) and its ceiling are over different numbers of vertices, or single units are
        left out.

    See Also
    --------
    ncsnr, split_half, signal_power, linear_predictivity

    References
    ----------
    .. [1] Spearman, C. (1904). The proof and measurement of association between two things. The American
       Journal of Psychology, 15(1), 72–101. https://doi.org/10.2307/1412159

    Examples
    --------
    >>> import pandas as pd
    >>> t = ScoreTable(pd.DataFrame({"subject": ["s1"], "roi": "V1", "model": "m", "score": [0.3]}))
    >>> normalize_encoding(t, {("s1", "V1"): 0.6}, scale="r2").frame["score"].tolist()
    [0.5]
    """
    choice("scale", scale, SCALES)
    frame = table.frame
    if "ceiling_scale" in frame.columns:
        raise InputError("table", "a column 'ceiling_scale'", "scores that are not normalised yet")
    if ceilings is None:
        kept = f"ceiling_{scale}"
        if "unit" not in frame.columns or kept not in frame.columns:
            raise InputError(
                "ceilings", None, f"a mapping, or a table of units with a column {kept!r}"
            )
        return _over(table, frame[kept].to_numpy(dtype="f8"), scale, minimum)
    if "unit" in frame.columns:
        return _by_unit(table, ceilings, scale, minimum)
    keys = list(zip(frame["subject"], frame["roi"], strict=True))
    values: dict[tuple[str, str], float] = {}
    for key in dict.fromkeys(keys):
        if key not in ceilings:
            raise InputError("ceilings", key, "a ceiling for every subject and ROI of the table")
        given = ceilings[key]
        value = given.ceiling(scale) if isinstance(given, Reliability) else float(given)
        if not minimum <= value <= 1:
            way = "Divide percents by 100" if 1 < value <= 100 else "Leave such ROIs out"
            raise CeilingError(
                f"ceiling of {key}: {value:.3g} on the scale of {scale}; allowed: {minimum} to 1. {way}"
            )
        values[key] = value
    _warn_other_units(frame, ceilings)
    ceiling = np.array([values[k] for k in keys])
    outcome = table.outcomes[0]
    return table.with_frame(
        frame.assign(
            **{outcome: frame[outcome] / ceiling, "ceiling": ceiling, "ceiling_scale": scale}
        ),
        log=[f"{outcome} divided by the reliability ceiling on the scale of {scale}"],
    )


def _by_unit(
    table: ScoreTable,
    ceilings: Mapping[tuple[str, str], float | Reliability],
    scale: str,
    minimum: float,
) -> ScoreTable:
    """Each unit over its own ceiling; those below ``minimum`` left out."""
    frame = table.frame
    ceiling = np.full(len(frame), np.nan)
    sets: dict[Any, Any] = frame.groupby(["subject", "roi"], sort=False).indices
    for key, place in sets.items():
        given = ceilings.get(key)
        if not isinstance(given, Reliability):
            what = "a Reliability for every subject and ROI of a table of units"
            raise InputError("ceilings", f"{key}: {given!r:.40}", what)
        values = given.r2 if scale == "r2" else given.r
        unit = frame["unit"].iloc[place].to_numpy().astype(int)
        if unit.max() >= len(values):
            raise CeilingError(
                f"ceiling of {key}: {len(values)} units, and the table has unit {unit.max()}"
            )
        ceiling[place] = values[unit]
    return _over(table, ceiling, scale, minimum)


def _over(table: ScoreTable, ceiling: np.ndarray, scale: str, minimum: float) -> ScoreTable:
    """Each row over its ceiling; those below ``minimum`` left out."""
    frame = table.frame
    if (ceiling > 1).any():
        raise CeilingError(f"a ceiling of {np.nanmax(ceiling):.3g}; allowed: {minimum} to 1")
    kept = ceiling >= minimum
    if not kept.any():
        raise CeilingError(f"no unit has a ceiling of {minimum} or more on the scale of {scale}")
    log = [f"{table.outcomes[0]} of units divided by their ceilings on the scale of {scale}"]
    if not kept.all():
        units = frame.loc[~kept, ["subject", "roi", "unit"]].drop_duplicates()
        whole = frame[["subject", "roi", "unit"]].drop_duplicates()
        log.append(
            f"{len(units)} of {len(whole)} units are left out: their ceilings are below {minimum}, or they have none"
        )
        warn(log[-1], CeilingWarning)
    outcome = table.outcomes[0]
    made = frame.assign(
        **{outcome: frame[outcome] / ceiling, "ceiling": ceiling, "ceiling_scale": scale}
    )
    return table.with_frame(made[kept].reset_index(drop=True), log=log)


def _warn_other_units(frame: Any, ceilings: Mapping[tuple[str, str], Any]) -> None:
    """Say where score and ceiling are means over different numbers of vertices."""
    if "n_unit" not in frame.columns:
        return
    some = frame[["subject", "roi", "n_unit"]].drop_duplicates()
    for subject, roi, n_scored in some.to_numpy().tolist():
        given = ceilings[subject, roi]
        n = int(np.isfinite(given.r2).sum()) if isinstance(given, Reliability) else n_scored
        if n != n_scored:
            warn(
                f"{(subject, roi)}: the score is a mean over {n_scored} vertices, its ceiling over {n}",
                CeilingWarning,
            )
            return
