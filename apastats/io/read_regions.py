"""Tables of regions: names, streams, hemispheres and coordinates, read from a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from apastats.arguments import checked
from apastats.calls import not_among
from apastats.errors import DataError, InputError, ReadError
from apastats.io.cells import labels, numbers
from apastats.io.formats import FileOptions, read_files
from apastats.io.frames import Part

__all__ = ["Regions", "read_regions"]

# role -> names a column may have, in any case
_NAMES = {
    "roi": ("roi", "name", "region", "label", "area", "parcel"),
    "stream": ("stream", "group", "network", "system"),
    "hemisphere": ("hemisphere", "hemi", "side"),
    "x": ("x", "x_mni", "mni_x", "x_mm"),
    "y": ("y", "y_mni", "mni_y", "y_mm"),
    "z": ("z", "z_mni", "mni_z", "z_mm"),
}
_SIDES = {"l": "left", "lh": "left", "left": "left", "r": "right", "rh": "right", "right": "right"}
BOTH = "both"


@dataclass(frozen=True)
class Regions:
    """Regions in the order of their file.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per region, its name as index; ``stream``, ``hemisphere`` ("left", "right", "both"), ``x, y, z`` as
        far as the file has them, and its other columns.
    """

    table: pd.DataFrame

    @property
    def names(self) -> list[str]:
        """Regions in order."""
        return list(self.table.index)

    @property
    def streams(self) -> dict[str, list[str]]:
        """Regions of every stream, for ``streams=`` and the streams of a study."""
        of = self._column("stream")
        return {s: list(of.index[of == s]) for s in dict.fromkeys(of)}

    @property
    def hemispheres(self) -> dict[str, str]:
        """Hemisphere of every region."""
        return {str(k): str(v) for k, v in self._column("hemisphere").items()}

    @property
    def coordinates(self) -> pd.DataFrame:
        """Places ``[region, x y (z)]``, for ``coordinates=``."""
        found = [c for c in ("x", "y", "z") if c in self.table.columns]
        if len(found) < 2:
            raise DataError("regions: coordinates need columns x and y (and z)")
        return self.table[found]

    @property
    def hash(self) -> str:
        """Short hash of the table."""
        return hashlib.sha256(self.table.to_csv().encode()).hexdigest()[:16]

    def select(self, rois: Iterable[str]) -> Regions:
        """The regions named, in the order of the file.

        Parameters
        ----------
        rois : iterable of str
            Names.

        Returns
        -------
        Regions

        Raises
        ------
        InputError
            If one of them is not in the table.
        """
        wanted = list(rois)
        unknown = [r for r in wanted if r not in self.table.index]
        if unknown:
            raise InputError("rois", unknown[0], f"regions of the table: {self.names}")
        return Regions(self.table[self.table.index.isin(wanted)])

    def _column(self, name: str) -> pd.Series:
        if name not in self.table.columns:
            raise DataError(f"regions: the table has no column {name!r}; it has {list(self.table)}")
        return self.table[name]


@checked
def read_regions(
    source: str | Path,
    *,
    rename: Mapping[str, str] | None = None,
    sep: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    sheet: str | int | None = None,
) -> Regions:
    r"""Read a table of regions.

    Parameters
    ----------
    source : str or path
        Table file (csv, tsv, xlsx, ...) with a column of names (``roi``, ``name``, ``region``, ``label``, ``area``)
        and any of ``stream``, ``hemisphere`` and ``x, y, z``.
    rename : mapping of str to str, optional
        From columns of the file to ``roi, stream, hemisphere, x, y, z``.
    sep, decimal, encoding, sheet : optional
        As in :func:`apastats.read`.

    Returns
    -------
    Regions

    Raises
    ------
    ReadError, DataError
        If the file cannot be read, names are missing or repeat, or coordinates are not numbers.
    InputError
        If ``rename`` names a column that is not there.

    Notes
    -----
    A region with a row for each hemisphere becomes one region, "both", as scores of merged hemispheres are: its place
    is the mean of the two after the left one was mirrored (``x`` without its sign).

    See Also
    --------
    alignment_patterns, agreement_test

    References
    ----------
    .. [1] Höfling, L., Tangemann, M., Piefke, L., Keller, S., Franke, K., & Bethge, M. (2026). Only brains
       align with brains: Cross-region alignment patterns expose limits of normative models. International
       Conference on Learning Representations. https://openreview.net/forum?id=cMGJcHHI7d

    Examples
    --------
    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "regions.csv"
    >>> text = "roi,stream,x,y,z\nV1,early,8,-90,2\nMT,dorsal,45,-67,4\n"
    >>> _ = file.write_text(text)
    >>> regions = read_regions(file)
    >>> regions.streams
    {'early': ['V1'], 'dorsal': ['MT']}
    >>> regions.coordinates.loc["MT"].tolist()
    [45.0, -67.0, 4.0]
    """
    options = FileOptions(sep=sep, decimal=decimal, encoding=encoding, sheet=sheet)
    parts = list(read_files([str(source)], options))
    if len(parts) != 1:
        raise ReadError(source, f"{len(parts)} tables; one table of regions is needed")
    part = parts[0]
    frame = _named(part, rename or {})
    if "roi" not in frame.columns:
        raise DataError(
            f"{part.name}: no column of names among {list(frame)}; rename= says which it is"
        )
    made = {}
    for name in frame.columns:
        if name in ("roi", "stream", "hemisphere"):
            made[name] = labels(frame[name], name, part.locate)[0].astype(str).to_numpy()
        elif name in ("x", "y", "z"):
            values = numbers(frame[name], name, part.locate, part.decimal, score=False)[
                0
            ].to_numpy()
            if not np.isfinite(values).all():
                row = int(np.argmin(np.isfinite(values)))
                raise DataError(f"{part.locate(row)}: column {name!r} has no number")
            made[name] = values
        else:
            made[name] = frame[name].to_numpy()
    table = pd.DataFrame(made)
    if "hemisphere" in table.columns:
        table["hemisphere"] = [_SIDES.get(h.lower(), h) for h in table["hemisphere"]]
    return Regions(_one_row_each(table, part).set_index("roi"))


def _named(part: Part, rename: Mapping[str, str]) -> pd.DataFrame:
    unknown = [c for c in rename if c not in part.frame.columns]
    if unknown:
        raise InputError("rename", unknown[0], f"columns of the file: {list(part.frame)}")
    wrong = [v for v in rename.values() if v not in _NAMES]
    if wrong:
        raise not_among("rename", wrong[0], _NAMES)
    known = {alias: role for role, aliases in _NAMES.items() for alias in aliases}
    given = set(rename.values())
    roles = {
        c: rename.get(c) or known.get(str(c).strip().lower(), str(c)) for c in part.frame.columns
    }
    # a role that rename gives is taken; another column that could have it is kept beside
    roles = {c: f"{c}_in_file" if r in given and c not in rename else r for c, r in roles.items()}
    # a column called by its role is it; one of another name is kept beside, but for names, where none is the better
    exact = {str(c) for c in roles if str(c) in _NAMES and str(c) != "roi"}
    roles = {
        c: str(c) if r in exact and c != r and c not in rename else r for c, r in roles.items()
    }
    _refuse_doubled(part, roles)
    return part.frame.rename(columns=roles)


def _refuse_doubled(part: Part, roles: Mapping[str, str]) -> None:
    doubled = [r for r in _NAMES if list(roles.values()).count(r) > 1]
    if doubled:
        both = [c for c, r in roles.items() if r == doubled[0]]
        raise DataError(
            f"{part.name}: columns {both} could all be {doubled[0]!r}; rename= says which is"
        )


def _one_row_each(table: pd.DataFrame, part: Part) -> pd.DataFrame:
    """Regions with a row per hemisphere as one row; other repeats are refused."""
    repeats = table["roi"].duplicated(keep=False)
    if not repeats.any():
        return table
    first = table.loc[repeats, "roi"].iloc[0]
    sides = table["hemisphere"] if "hemisphere" in table.columns else pd.Series("", table.index)
    if table.assign(_side=sides).duplicated(["roi", "_side"]).any() or (sides == "").any():
        row = int(np.argmax(table["roi"].duplicated().to_numpy()))
        raise DataError(
            f"{part.locate(row)}: region {first!r} has several rows; names are given once, or once for each hemisphere"
        )
    rows: list[dict[str, object]] = []
    for roi, one in table.groupby("roi", sort=False):
        made: dict[str, object] = {str(c): one[c].iloc[0] for c in one.columns}
        if len(one) > 1:
            if "stream" in one.columns and one["stream"].nunique() > 1:
                streams = list(one["stream"])
                raise DataError(f"{part.name}: region {roi!r} is in streams {streams}")
            made["hemisphere"] = BOTH
            for axis in [a for a in ("x", "y", "z") if a in one.columns]:
                made[axis] = float((one[axis].abs() if axis == "x" else one[axis]).mean())
        rows.append(made)
    return pd.DataFrame(rows)
