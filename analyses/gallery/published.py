"""The published numbers that the scripts of this folder read; BMD_DIR is the folder that holds them."""

from __future__ import annotations

import os
from pathlib import Path

import apastats as apa
from apastats.io.bmd import BMD_ROIS

ROIS = list(BMD_ROIS)


def read() -> tuple[apa.ScoreTable, apa.ScoreTable]:
    """All scores, and the rows of each network's layer (chosen on the other people)."""
    folder = Path(os.environ.get("BMD_DIR", "."))
    brain = apa.read(
        folder / "bmd_leave_one_out" / "scores_rsa_test.csv",
        rename={"predictor_roi": "layer"},
        defaults={"kind": "leave_one_out", "model": "others", "metric": "rsa"},
        rois=ROIS,
    )
    models = apa.read(
        folder / "bmd_model_scores", defaults={"kind": "model", "metric": "rsa"}, rois=ROIS
    )
    scores = apa.concat(brain, models)
    return scores, apa.select_layer(scores, on="cross_subject")
