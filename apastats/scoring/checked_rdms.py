"""RDM sets with the labels that scoring needs: subject and roi of brains, model and layer of models."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pandas as pd

from apastats.errors import DataError, InputError
from apastats.io.rdm_set import RDMSet
from apastats.rows import TIME

__all__ = ["checked_brain", "checked_models", "labels_of_brain", "labels_of_models", "text_column"]


def checked_brain(brain: RDMSet, *, timed: bool = False) -> RDMSet:
    """Brain RDMs with the labels subject and roi, one RDM of each; of each time point too where ``timed``."""
    found = labels_of_brain(brain, timed=timed)
    labels = brain.labels
    if "roi" in list(labels.columns):
        return brain
    return _labelled(brain, labels, roi=text_column(found["roi"][0], len(brain)))


def labels_of_brain(brain: RDMSet, *, timed: bool = False) -> dict[str, list[str]]:
    """Columns subject and roi of brain RDMs, checked as in :func:`checked_brain`; no frame is made of them."""
    columns = brain.texts
    if "subject" not in columns:
        raise InputError(
            "brain",
            list(columns),
            "RDMs with a label 'subject'",
            hint="Name the descriptor that holds it by read_rdms(..., labels={'subject': NAME}), or give one value "
            "per RDM.",
        )
    roi = columns["roi"] if "roi" in columns else ["-"] * len(brain)
    keys = [columns["subject"], roi, *([columns[TIME]] if timed and TIME in columns else [])]
    if len(set(zip(*keys, strict=True))) < len(brain):
        labels = brain.labels.assign(roi=roi)
        repeated = labels.duplicated(["subject", "roi", *([TIME] if len(keys) > 2 else [])])
        first = labels[repeated].iloc[0]
        others = [c for c in labels.columns if c not in ("subject", "roi")]
        raise DataError(
            f"{brain.source}: several RDMs of subject {first['subject']!r} in ROI {first['roi']!r}; they differ in "
            f"{others}. Select one or average over it first"
        )
    return {"subject": columns["subject"], "roi": roi}


def checked_models(models: RDMSet) -> RDMSet:
    """Model RDMs with the labels model and layer, one RDM of each."""
    found, labels = labels_of_models(models), models.labels
    taken = _named_model(list(labels.columns))
    if taken not in (None, "model"):
        labels = labels.rename(columns={taken: "model"})
    there = list(labels.columns)
    added = {c: text_column(v[0], len(v)) for c, v in found.items() if c not in there}
    return models if labels is models.labels and not added else _labelled(models, labels, **added)


def labels_of_models(models: RDMSet) -> dict[str, list[str]]:
    """Columns model and layer of model RDMs, checked as in :func:`checked_models`; no frame is made of them."""
    columns = models.texts
    taken = _named_model(list(columns))
    clash = [c for c in columns if c in ("kind", "subject", "roi", "metric", "split", "score")]
    if clash:
        raise InputError(
            "models", clash, "RDMs without labels that belong to brains or to the table"
        )
    n = len(models)
    return {
        "model": columns[taken] if taken else ["model"] * n,
        "layer": columns["layer"] if "layer" in columns else ["-"] * n,
    }


def _named_model(columns: list[str]) -> str | None:
    """The column that names the models; None where only their layers have names."""
    if "model" in columns:
        return "model"
    if "name" in columns and "subject" not in columns:
        return "name"  # rsatoolbox, MATLAB and files name models so
    if columns != ["rdm"] and "layer" not in columns:
        raise InputError(
            "models",
            columns,
            "RDMs with a label 'model'",
            hint=f"Take one by read_rdms(..., labels={{'model': {columns[0]!r}}}).",
        )
    return "rdm" if "rdm" in columns else None


def _labelled(rdms: RDMSet, labels: pd.DataFrame, **columns: Any) -> RDMSet:
    """The same under labels with more columns."""
    out = labels.copy(deep=False)
    for name, values in columns.items():
        out.insert(len(out.columns), name, values)
    return rdms.relabelled(out)


@lru_cache(maxsize=16)
def text_column(value: str, n: int) -> Any:
    """A column of one text, of the type that labels have; a frame it is put into takes a copy."""
    return pd.Series([value] * n, dtype="str").array
