"""Tables of several files below each other: what names of files state, columns of one role, places of rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from apastats.errors import DataError
from apastats.io.cells import constant
from apastats.io.columns import canonical
from apastats.io.frames import Part
from apastats.rows import KEY_COLUMNS

__all__ = ["join_parts", "same_cells", "with_entities"]


def with_entities(part: Part, given: set[str], ignored: set[str]) -> Part:
    """The part with columns that the name of its file states and it lacks."""
    left = [c for c in ignored & set(part.frame.columns) if c in part.entities]
    part = replace(part, frame=part.frame.drop(columns=left))
    columns = [c for c in part.frame.columns if c not in ignored]
    have = {canonical(c) or c for c in columns} | set(columns)
    for column in columns:
        role = canonical(column) or column
        if role in part.entities:
            _agree(part, column, role)
    new = {k: v for k, v in part.entities.items() if k not in have and k not in given}
    if not new:
        return part
    n = len(part.frame)
    made = {k: constant(v, n) if isinstance(v, str) else v for k, v in new.items()}
    note = f"from the names of files: {', '.join(new)}"
    return replace(part, frame=part.frame.assign(**made), notes=(*part.notes, note))


def _agree(part: Part, column: str, role: str) -> None:
    """A column and the name of its file must not contradict each other: sub-01 beside 02."""
    held = part.frame[column].astype(str).to_numpy()
    stated = np.broadcast_to(np.asarray(part.entities[role]).astype(str), held.shape)
    pairs = set(zip(held.tolist(), stated.tolist(), strict=True))
    for a, b in pairs:
        plain = [re.sub(r"[\W_]+", "", v).casefold() for v in (a, b)]
        if plain[0] and not (plain[0].endswith(plain[1]) or plain[1].endswith(plain[0])):
            row = int(((held == a) & (stated == b)).argmax())
            raise DataError(
                f"{part.locate(row)}: column {column!r} says {a!r} and the name of the file {b!r}; "
                f"ignore=[{column!r}] takes what the name says"
            )


def same_cells(a: pd.Series, b: pd.Series) -> bool:
    """Whether two columns hold the same text."""
    return bool((a.astype(str).to_numpy() == b.astype(str).to_numpy()).all())


def join_parts(parts: Sequence[Part]) -> tuple[pd.DataFrame, Callable[[int], str], str]:
    """All rows below each other; columns of one role under the name of the first part."""
    if len(parts) == 1:
        return parts[0].frame, parts[0].locate, parts[0].name
    first: dict[str, str] = {}
    frames = []
    for part in parts:
        names = {}
        for c in part.frame.columns:
            role = canonical(c)
            same = role if role in KEY_COLUMNS or role == "score" else None
            # Subject here and sub there are one column, unless a part has both
            if same is not None and c not in first.values():
                names[c] = first.setdefault(same, c)
        names = {k: v for k, v in names.items() if v == k or v not in part.frame.columns}
        frames.append(part.frame.rename(columns=names).astype(
            {names.get(c, c): object for c in part.frame.columns
             if isinstance(part.frame[c].dtype, pd.CategoricalDtype)}))  # fmt: skip
    starts = np.cumsum([0, *(len(f) for f in frames)])

    def locate(row: int) -> str:
        i = int(np.searchsorted(starts, row, side="right")) - 1
        return parts[i].locate(row - int(starts[i]))

    return (
        pd.concat(frames, ignore_index=True),
        locate,
        f"{parts[0].name} and {len(parts) - 1} more",
    )
