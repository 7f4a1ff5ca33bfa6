"""Nemenyi's comparisons of all pairs of models by their mean ranks, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from apastats.comparing.many_pairs import (
    Shown,
    kept_rows,
    n_contrasts,
    pair_blocks,
    room_for_p,
    smallest,
)
from apastats.memory import reserve
from apastats.numbers.simultaneous import range_critical, range_sf
from apastats.table import Block

__all__ = ["rank_pairs"]


def rank_pairs(
    block: Block, ranked: Sequence[np.ndarray], alpha: float, top: int | str
) -> tuple[pd.DataFrame, Shown | None]:
    """Rows of all pairs and cells, or of the smallest p-values; ``ranked``: ranks ``[n, k]`` of each cell."""
    labels = np.asarray(block.group_labels(), dtype=object)
    k, n_cell = len(labels), len(ranked)
    total = n_contrasts(block, None)
    keep = kept_rows(top, total)
    room_for_p(k * (k - 1) // 2, n_cell, 1)
    if keep is None:
        reserve(f"a table of {total:,} pairs of models", 1000.0 * total, "top='auto'")
    a, b = np.triu_indices(k, 1)
    p = np.empty((n_cell, len(a)))
    people = np.array([len(v) for v in ranked])
    means = np.stack([v.mean(axis=0) for v in ranked])
    # ranks of a person have variance (k^2 - 1) / 12 and covariance -(k + 1) / 12, so a difference of mean ranks has
    # k (k + 1) / (6 n); the range of k normals is in units of one mean, hence sqrt(2)
    unit = np.sqrt(k * (k + 1) / (6 * people))
    for j, n in enumerate(people.tolist()):
        # mean ranks of n people are multiples of 1 / (2 n): many pairs share a difference, and its p-value
        steps = np.rint(2 * n * means[j]).astype(np.intp)
        tail = np.full(2 * n * k + 1, np.nan)
        for part in pair_blocks(len(a), 1):
            apart = np.abs(steps[a[part]] - steps[b[part]])
            new = np.unique(apart)
            new = new[np.isnan(tail[new])]
            tail[new] = range_sf(np.sqrt(2) * new / (2 * n) / unit[j], k)
            p[j, part] = tail[apart]
    flat = p.ravel()
    chosen = np.arange(total) if keep is None else smallest(flat, keep)
    cell, pair = np.divmod(chosen, len(a))
    first, second = a[pair], b[pair]
    d = means[cell, first] - means[cell, second]
    columns: dict[str, Any] = {c: block.cells[c].to_numpy()[cell] for c in block.cells.columns}
    columns |= {
        "contrast": [f"{x} - {y}" for x, y in zip(labels[first], labels[second], strict=True)],
        block.group_column: labels[first],
        "reference": labels[second],
        "estimate": d,
        "statistic": np.sqrt(2) * np.abs(d) / unit[cell],
        "p_value": flat[chosen],
        "critical_difference": (range_critical(1 - alpha, k) / np.sqrt(2) * unit)[cell],
        "different": flat[chosen] <= alpha,
        "n_subject": people[cell],
        "method": "Nemenyi",
    }
    shown = None
    if keep is not None:
        shown = Shown(pair, cell, total, 0, {"different": int((flat <= alpha).sum())})
    return pd.DataFrame(columns), shown
