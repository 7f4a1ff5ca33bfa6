"""What is known to be true of a simulated study, and how often an analysis found it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from apastats.reporting.markup import name
from apastats.reporting.phrases import joined, number_word

__all__ = ["truth_sentences"]

_SAME = 1e-9


def truth_sentences(items: Sequence[Any], truth: pd.DataFrame | None) -> list[str]:
    """How many truly equal pairs were shown to be equivalent, and how many claims were false.

    Parameters
    ----------
    items : sequence
        Results and score tables.
    truth : pandas.DataFrame, optional
        ``model, layer, roi, metric, split, truth`` of a simulated study.
    """
    if truth is None:
        return []
    for result in items:
        if getattr(result, "kind", "") != "equivalence" or result.info.outcome is None:
            continue
        if result.info.outcome.quantity != "score" or not {"model", "reference", "roi"} <= set(
            result.table.columns
        ):
            continue
        known = _of_models(items, truth)
        if known is not None:
            return _told(result.table, known, _tied(truth))
    return []


def _of_models(items: Sequence[Any], truth: pd.DataFrame) -> pd.DataFrame | None:
    """True score of each model and ROI (rows ROIs) at the layers that were analysed."""
    keys = ["model", "layer", "roi", "metric", "split"]
    for item in items:
        frame = getattr(item, "frame", None)
        if frame is None:
            continue
        models = frame[(frame["kind"] == "model") & (frame["model"] != "brain")]
        chosen = not models.empty and not models.duplicated(["model", "subject", "roi"]).any()
        if not chosen:
            continue
        own = truth[truth["kind"] == "model"][[*keys, "truth"]]
        found = models[["subject", *keys]].merge(own, on=keys, how="left")
        if found["truth"].notna().all():
            return found.pivot_table(index="roi", columns="model", values="truth")
    return None


def _told(table: pd.DataFrame, known: pd.DataFrame, tied: list[str]) -> list[str]:
    roi, model = table["roi"].to_numpy(), table["model"].to_numpy()
    of = {(r, m): known.loc[r, m] for r in known.index for m in known.columns}
    gap = np.array(
        [of[r, m] - of[r, o] for r, m, o in zip(roi, model, table["reference"], strict=True)]
    )
    decision = table["decision"].astype(str)
    inside = decision.isin(["equivalent", "different but inside the margin"]).to_numpy()
    apart = decision.isin(["different", "different but inside the margin"]).to_numpy()
    equal = np.abs(gap) < _SAME
    beyond = (gap <= table["bound_low"].to_numpy()) | (gap >= table["bound_high"].to_numpy())
    false = int((inside & beyond).sum() + (apart & equal).sum())
    shown = int((inside & equal).sum())
    told = (
        f"By construction, {joined([name(m) for m in tied])} are equal"
        if len(tied) > 1
        else "The truth is known"
    )
    claims = "claim" if false == 1 else "claims"
    pairs = "such pair" if equal.sum() == 1 else "such pairs"
    return [
        f"{told}: {shown} of {int(equal.sum())} {pairs} {'was' if shown == 1 else 'were'} shown to be equivalent, with "
        f"{number_word(false)} false {claims}."
    ]


def _tied(truth: pd.DataFrame) -> list[str]:
    """Models that equal another one at every layer of every ROI."""
    models = truth[truth["kind"] == "model"]
    wide = models.pivot_table(
        index=["layer", "roi", "metric", "split"], columns="model", values="truth"
    )
    same = [
        m
        for m in wide.columns
        if (wide.drop(columns=m).sub(wide[m], axis=0).abs() < _SAME).all().any()
    ]
    return [str(m) for m in same]
