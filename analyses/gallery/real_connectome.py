"""The item on connectomes with a published matrix: ``BMD_DIR=DATA python real_connectome.py MATRIX.csv LABELS.csv``.

MATRIX.csv has numbers alone, LABELS.csv the names of its rows, ``L_V1`` and ``R_V1`` and so on: the files
``strucMatrix_ctx_glasser_360.csv`` and ``strucLabels_ctx_glasser_360.csv`` of the ENIGMA toolbox (a mean over the HCP).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from published import ROIS, read

import apastats as apa


def connectome(matrix: Path, labels: Path) -> pd.DataFrame:
    """Mean of the two hemispheres, regions of the study."""
    names = labels.read_text("utf-8").replace("\n", ",").strip(",").split(",")
    whole = pd.DataFrame(np.loadtxt(matrix, delimiter=","), names, names)
    sides = [
        whole.loc[[side + r for r in ROIS], [side + r for r in ROIS]].to_numpy()
        for side in ("L_", "R_")
    ]
    return pd.DataFrame(np.mean(sides, axis=0), ROIS, ROIS)


def main(matrix: str, labels: str) -> None:
    patterns = apa.alignment_patterns(read()[0])
    found = apa.matrix_agreement(
        patterns, connectome(Path(matrix), Path(labels)), null="degree", n_resamples=4999, rng=1
    )
    columns = ["roi", "estimate", "null_mean", "p_value", "p_value_adjusted", "p_value_fdr"]
    sys.stdout.write(found.table[columns].round(3).to_string(index=False) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
