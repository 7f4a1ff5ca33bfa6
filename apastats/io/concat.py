"""Join tables of scores."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from apastats.errors import InputError
from apastats.table import ScoreTable


def concat(*tables: ScoreTable) -> ScoreTable:
    """Put several tables below each other; duplicate keys are an error.

    Parameters
    ----------
    *tables : ScoreTable
        With the same outcomes.

    Returns
    -------
    ScoreTable
    """
    if not tables or not all(isinstance(t, ScoreTable) for t in tables):
        raise InputError("tables", [type(t).__name__ for t in tables], "one or more ScoreTables")
    if len({t.outcomes for t in tables}) > 1:
        raise InputError("tables", [t.outcomes for t in tables], "tables with the same outcomes")
    frame = pd.concat([t.frame for t in tables], ignore_index=True)
    # the name only: a log ends in reports, and a path of this machine means nothing elsewhere
    log = tuple(f"{Path(t.source).name}: {line}" for t in tables for line in t.log)
    source = " + ".join(t.source for t in tables)
    return ScoreTable(
        frame, tables[0].outcomes, log=log, source=source, measures=tables[0].measures
    )
