"""Scores of single units: kept in memory, or written predictor by predictor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import instance, path
from apastats.errors import CeilingError, InputError
from apastats.folders import building
from apastats.scoring.reliability import Reliability

__all__ = ["Units", "units_kept", "with_left_out"]

Counts = Mapping[tuple[str, str], int]


class Units:
    """Rows of single units, one predictor at a time.

    Parameters
    ----------
    counts : mapping
        From ``(subject, roi)`` to the number of its units.
    keep : bool
        Whether rows are wanted at all.
    folder : pathlib.Path, optional
        Where each predictor's rows are written, and leave the memory.
    ceilings : mapping, optional
        From ``(subject, roi)`` to the ceilings of all its units, which go into the column ``ceiling_SCALE``.
    scale : {"r2", "r"}
    """

    def __init__(
        self,
        counts: Counts,
        keep: bool,
        folder: Path | None = None,
        ceilings: Mapping[tuple[str, str], np.ndarray] | None = None,
        scale: str = "r2",
    ) -> None:
        self.counts, self.keep, self.folder = counts, keep, folder
        self.ceilings, self.scale = ceilings, scale
        self.log: tuple[str, ...] = ()
        self._part: list[pd.DataFrame] = []
        self._parts: list[pd.DataFrame] = []
        self._written = 0

    def add(self, row: Mapping[str, Any], values: np.ndarray, places: np.ndarray) -> None:
        """Rows of the units of a set: ``row`` with each unit's place and score, where it has one."""
        if self.keep:
            there = np.isfinite(values)
            columns = {**row, "unit": places[there], "score": values[there]}
            if self.ceilings is not None:
                ceiling = self.ceilings[row["subject"], row["roi"]]
                columns[f"ceiling_{self.scale}"] = ceiling[places[there]]
            self._part.append(pd.DataFrame(columns, copy=False))

    def close_part(self) -> None:
        """End of a predictor."""
        if not self._part:
            return
        part = pd.concat(self._part, ignore_index=True)
        self._part = []
        if self.folder is None:
            self._parts.append(part)
            return
        rows = with_left_out(part, self.counts).drop(columns="at_edge")
        rows.to_parquet(self.folder / f"predictor_{self._written:06d}.parquet", index=False)
        self._written += 1

    def frame(self) -> pd.DataFrame:
        """All rows that are kept in memory."""
        return with_left_out(pd.concat(self._parts, ignore_index=True), self.counts)


@contextmanager
def units_kept(
    by_unit: bool | str | Path,
    counts: Counts,
    ceilings: Any = None,
    scale: str = "r2",
    n_column: Counts | None = None,
) -> Iterator[Units]:
    """Where the scores of units go: nowhere, into memory, or into a new folder that is complete or absent.

    Raises
    ------
    InputError, CeilingError
        ``ceilings`` that are none of these units, or without any units kept.
    OutputExistsError
        If there is something of that name.
    """
    known = None
    if ceilings is not None:
        if by_unit is False:
            raise InputError("ceilings", "ceilings of units", "None without by_unit")
        known = _ceilings(ceilings, scale, counts if n_column is None else n_column)
    if isinstance(by_unit, (bool, np.bool_)):
        yield Units(counts, bool(by_unit), None, known, scale)
        return
    target = path("by_unit", by_unit)
    with building(target, overwrite=False) as folder:
        units = Units(counts, True, folder, known, scale)
        yield units
    units.log = (f"scores of single units are in {target}",)


def _ceilings(ceilings: Any, scale: str, n_column: Counts) -> dict[tuple[str, str], np.ndarray]:
    """Ceilings of the columns of every data set."""
    found = {}
    for key, n in n_column.items():
        given = instance("ceilings", ceilings, Mapping, "a mapping").get(key)
        if not isinstance(given, Reliability):
            what = "a Reliability (ncsnr, split_half, signal_power) for every subject and ROI"
            raise InputError("ceilings", f"{key}: {given!r:.40}", what)
        found[key] = given.r2 if scale == "r2" else given.r
        if len(found[key]) != n:
            raise CeilingError(
                f"ceilings of {key}: {len(found[key])} units; its responses have {n}"
            )
    return found


def with_left_out(frame: pd.DataFrame, counts: Counts) -> pd.DataFrame:
    """The frame with the number and the share of units that a part leaves out."""
    keys = pd.MultiIndex.from_frame(frame[["subject", "roi"]])
    whole = pd.Series(counts).reindex(keys).to_numpy()
    out = whole - frame["n_unit"].to_numpy()
    return frame.assign(n_left_out=out, share_left_out=out / whole)
