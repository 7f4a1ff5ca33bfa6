"""What verbs that need every model from a person do about holes, and say about it."""

from __future__ import annotations

import numpy as np

from apastats.table import Block

__all__ = ["WAY_OUT", "left_out", "pairwise"]

WAY_OUT = "apastats.leaderboard takes tables with holes (item='subject')"


def left_out(block: Block) -> str:
    """Words on clusters without every model of a cell, which are left out of it; empty where there are none."""
    seen = np.isfinite(block.values)
    # a cluster that has no score of a cell is not in it
    partly = seen.any(axis=1) & ~seen.all(axis=1)
    n = int(partly.sum())
    if not n:
        return ""
    cells = int(partly.any(axis=0).sum())
    where = f" in {cells} of {seen.shape[2]} cells" if seen.shape[2] > 1 else ""
    noun = block.cluster if n == 1 else f"{block.cluster}s"
    return (
        f"{n} {noun} without every model{where} left out there, which assumes that who is missing has nothing to do "
        f"with the scores; in Python: {WAY_OUT}"
    )


def pairwise(block: Block) -> str:
    """Words on contrasts that rest on different clusters; empty where every cluster has every group."""
    if not left_out(block):
        return ""
    return (
        f"scores are missing: each pair rests on the {block.cluster}s that have both, which assumes that who is "
        f"missing has nothing to do with the scores; in Python: {WAY_OUT}"
    )
