"""All pairs of thousands of models: tested in blocks, adjusted together, the rows that matter most in the table.

5,000 models have 12 million pairs. Their p-values fit into memory, their differences and their table do not; nobody
reads the table either. So all of them are tested and adjusted, and those with the smallest p-values are shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from apastats.arguments import whole
from apastats.errors import InputError
from apastats.memory import reserve
from apastats.table import Block

__all__ = [
    "MANY",
    "TOP",
    "Shown",
    "check_top",
    "kept_rows",
    "n_contrasts",
    "pair_blocks",
    "room_for_p",
    "shown_note",
    "shown_words",
    "smallest",
]

MANY = 100_000  # rows of a table that is given whole
TOP = 1_000  # rows of one that is not
_BLOCK = 4_000_000  # numbers at a time: 32 MB, and a few copies


@dataclass(frozen=True)
class Shown:
    """Rows of the table, where they are not all that were tested.

    ``pair``, ``cell``: of each row. ``tested``: how many there are. ``undefined``: how many have no p-value.
    ``counts``: of all of them, by decision.
    """

    pair: np.ndarray
    cell: np.ndarray
    tested: int
    undefined: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)

    def note(self, noun: str, by: str) -> str:
        """``12,497,500 contrasts were tested (...); the table holds the 1,000 with the smallest p-values ...``."""
        said = ", ".join(f"{v:,} {k}" for k, v in self.counts.items())
        said = f" ({said})" if said else ""
        return (
            f"{self.tested:,} {noun} were tested and adjusted{said}; the table holds the {len(self.pair):,} with the "
            f"smallest {by}; in Python: top='all' gives every row"
        )


def check_top(top: Any) -> int | str:
    """``"auto"``, ``"all"`` or a number of rows."""
    if isinstance(top, str):
        if top not in ("auto", "all"):
            raise InputError("top", top, "'auto', 'all' or a number of rows")
        return top
    return whole("top", top, least=1)


def kept_rows(top: int | str, total: int) -> int | None:
    """Rows that a table of ``total`` has; None where it has all.

    >>> kept_rows("auto", 1225), kept_rows("auto", 12_497_500), kept_rows("all", 12_497_500)
    (None, 1000, None)
    """
    if top == "all" or (top == "auto" and total <= MANY):
        return None
    wanted = TOP if top == "auto" else int(top)
    return wanted if wanted < total else None


def pair_blocks(n_pair: int, each: int) -> Iterator[slice]:
    """Blocks of pairs, ``each`` numbers per pair."""
    step = max(1, _BLOCK // max(1, each))
    for start in range(0, n_pair, step):
        yield slice(start, min(n_pair, start + step))


def smallest(p: np.ndarray, k: int) -> np.ndarray:
    """Places of the k smallest values of ``p [m]``, in order of place; of equal ones the first. NaN comes last."""
    if k >= len(p):
        return np.arange(len(p))
    limit = np.partition(p, k - 1)[k - 1]  # NaN are sorted to the end
    inside = p < limit if np.isfinite(limit) else np.isfinite(p)
    tied = ~np.isfinite(p) if not np.isfinite(limit) else p == limit
    more = np.flatnonzero(tied)[: k - int(inside.sum())]
    return np.sort(np.concatenate([np.flatnonzero(inside), more]))


def room_for_p(n_pair: int, n_cell: int, families: int) -> None:
    """Refuse p-values that do not fit into memory; the adjustment of one family needs four copies of it."""
    reserve(
        f"p-values of {n_pair:,} pairs in {n_cell:,} cells",
        8.0 * (families + 4) * n_pair * n_cell,
        "compare with one reference=, ask equivalence_set for the best, or take fewer models or cells at once",
    )


def n_contrasts(block: Block, reference: str | None) -> int:
    """Rows of the table of all contrasts."""
    k, n_cell = len(block.groups), len(block.cells)
    return (k * (k - 1) // 2 if reference is None else k - 1) * n_cell


def shown_words(shown: Shown | None) -> dict[str, Any]:
    """What a result says of the contrasts that its table does not have."""
    return {} if shown is None else {"tested": shown.tested, "decisions": dict(shown.counts)}


def shown_note(shown: Shown | None, by: str, noun: str = "contrasts") -> tuple[str, ...]:
    """The sentence on them."""
    return () if shown is None else (shown.note(noun, by),)
