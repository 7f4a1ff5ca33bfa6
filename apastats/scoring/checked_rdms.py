"""RDM sets with the labels that scoring needs: subject and roi of brains, model and layer of models."""

from __future__ import annotations

import pandas as pd

from apastats.errors import DataError, InputError
from apastats.io.rdm_set import RDMSet
from apastats.rows import TIME

__all__ = ["checked_brain", "checked_models"]


def checked_brain(brain: RDMSet, *, timed: bool = False) -> RDMSet:
    """Brain RDMs with the labels subject and roi, one RDM of each; of each time point too where ``timed``."""
    labels = brain.labels
    if "subject" not in labels.columns:
        raise InputError(
            "brain",
            list(labels.columns),
            "RDMs with a label 'subject'",
            hint="Name the descriptor that holds it by read_rdms(..., labels={'subject': NAME}), or give one value "
            "per RDM.",
        )
    if "roi" not in labels.columns:
        labels = _with_text(labels, "roi", "-")
    by_time = [TIME] if timed and TIME in labels.columns else []
    keys = ["subject", "roi", *by_time]
    if len(set(zip(*(labels[c].tolist() for c in keys), strict=True))) < len(labels):
        repeated = labels.duplicated(keys)
        first = labels[repeated].iloc[0]
        others = [c for c in labels.columns if c not in ("subject", "roi")]
        raise DataError(
            f"{brain.source}: several RDMs of subject {first['subject']!r} in ROI {first['roi']!r}; they differ in "
            f"{others}. Select one or average over it first"
        )
    return brain if labels is brain.labels else brain.relabelled(labels)


def checked_models(models: RDMSet) -> RDMSet:
    """Model RDMs with the labels model and layer, one RDM of each."""
    labels = models.labels
    if (
        "model" not in labels.columns
        and "subject" not in labels.columns
        and "name" in labels.columns
    ):
        labels = labels.rename(
            columns={"name": "model"}
        )  # rsatoolbox, MATLAB and files name models so
    if "model" not in labels.columns:
        if list(labels.columns) != ["rdm"] and "layer" not in labels.columns:
            raise InputError(
                "models",
                list(labels.columns),
                "RDMs with a label 'model'",
                hint=f"Take one by read_rdms(..., labels={{'model': {labels.columns[0]!r}}}).",
            )
        labels = (
            labels.rename(columns={"rdm": "model"})
            if "rdm" in labels.columns
            else _with_text(labels, "model", "model")
        )
    if "layer" not in labels.columns:
        labels = _with_text(labels, "layer", "-")
    clash = [
        c for c in labels.columns if c in ("kind", "subject", "roi", "metric", "split", "score")
    ]
    if clash:
        raise InputError(
            "models", clash, "RDMs without labels that belong to brains or to the table"
        )
    return models if labels is models.labels else models.relabelled(labels)


def _with_text(labels: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    """Labels with one more column of one text, of the type that labels have."""
    same = pd.Series([value] * len(labels), index=labels.index, dtype="str")
    return labels.assign(**{column: same})
