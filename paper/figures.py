"""Make the figure of the paper: ``python paper/figures.py`` writes ``paper/verdicts.png``."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt

import apastats as apa

HERE = Path(__file__).resolve().parent


def verdicts(target: Path) -> Path:
    """Differences from the best model with intervals and the margin, region by region."""
    rois = ["V1", "V3", "V4", "MT", "LO1"]
    study = apa.simulate(n_subject=10, n_model=5, n_tied=2, rois=rois, rng=1)
    best = apa.select_layer(study.scores)
    tests = apa.equivalence("score ~ model | roi", best, bounds=0.03)
    figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    for ax, roi in zip(axes, ("V1", "MT"), strict=True):
        tests.plot(ax=ax, where={"roi": roi}, title=roi)
    figure.savefig(target, dpi=150, metadata={"Software": None})
    plt.close(figure)
    return target


if __name__ == "__main__":
    verdicts(HERE / "verdicts.png")
