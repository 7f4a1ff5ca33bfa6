"""Type-I error of presets, and of the formulas they replace, with the spread of published scores.

The standard deviations are those of 5 networks, 10 subjects and 19 ROIs in three streams (scores of the published
sheets, `score ~ model * stream` and every random term below). Differences between models and model-by-stream means are
zero: in the mean over these ROIs (`subject`), or over all ROIs that could have been taken (`subject+roi`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.io.bmd import BMD_STREAMS
from apastats.mixed.engine.core import fit_design, refit_design
from apastats.mixed.engine.design import build_design
from apastats.mixed.engine.formula import parse_mixed_formula
from apastats.mixed.engine.grid import reference_grid
from apastats.mixed.engine.terms import joint_rows

ALPHA = 0.05
SPREAD = {
    ("subject",): 0.0082, ("roi",): 0.0288, ("roi", "subject"): 0.0266, ("model", "subject"): 0.0108,
    ("stream", "subject"): 0.0076, ("model", "stream", "subject"): 0.0065, ("model", "roi"): 0.0174,
}  # fmt: skip
RESIDUAL = 0.0245
OLD = {
    "": "score ~ model + (1 | subject) + (1 | roi) + (1 | roi:subject)",
    "stream": "score ~ model * stream + (1 | subject) + (1 | roi) + (1 | roi:subject) + (1 | model:subject)",
}


def table(n_subject: int) -> pd.DataFrame:
    """Empty table of the design."""
    place = {roi: stream for stream, rois in BMD_STREAMS.items() for roi in rois}
    frame = pd.MultiIndex.from_product(
        [[f"m{i}" for i in range(5)], list(place), [f"s{i}" for i in range(n_subject)]],
        names=["model", "roi", "subject"],
    ).to_frame(index=False)
    return frame.assign(
        stream=frame["roi"].map(place), score=np.random.default_rng(0).normal(size=len(frame))
    )


def draw(frame: pd.DataFrame, rng: np.random.Generator, generalise: str) -> np.ndarray:
    """Scores without any difference between models."""
    y = RESIDUAL * rng.standard_normal(len(frame))
    for columns, sd in SPREAD.items():
        effect = sd * rng.standard_normal(len(frame))
        groups = frame.groupby(list(columns), sort=False).ngroup().to_numpy()
        effect = effect[np.unique(groups, return_index=True)[1]][groups]
        if columns == ("model", "roi") and generalise == "subject":
            # these ROIs: models differ in each, and not in the mean of a stream
            mean = pd.Series(effect).groupby([frame["model"], frame["stream"]]).transform("mean")
            effect = effect - mean.to_numpy()
        y += effect
    return y


def rejections(
    formula: str, generalise: str, *, n_subject: int = 10, n_sim: int = 400, seed: int = 0
) -> dict[str, float]:
    """Share of true nulls rejected: a contrast of two models, and the interaction of model and stream."""
    frame, rng = table(n_subject), np.random.default_rng(seed)
    design = build_design(parse_mixed_formula(formula), frame)
    first = fit_design(design)
    means = reference_grid(design, "model")
    hypotheses = {"contrast": means.combine(np.array([[-1.0, 0, 0, 0, 1]]), np.arange(5))}
    if "stream" in formula:
        both = reference_grid(design, ["model", "stream"])
        hypotheses["model:stream"] = joint_rows(both, ["model", "stream"])
    count = dict.fromkeys(hypotheses, 0)
    for _ in range(n_sim):
        fitted = refit_design(first, draw(frame, rng, generalise), polish=False)
        inference = fitted.inference("satterthwaite")
        for name, L in hypotheses.items():
            count[name] += inference.f_test(L).p_value <= ALPHA
    return {name: n / n_sim for name, n in count.items()}


def preset(by: str | None, generalise: str, n_subject: int = 10) -> str:
    """Formula the preset chooses."""
    return apa.models.formula(table(n_subject), by=by, generalise=generalise)


@pytest.mark.calibration
@pytest.mark.parametrize("generalise", ["subject", "subject+roi"])
@pytest.mark.parametrize("by", [None, "stream"])
def test_presets_hold_their_level(by: str | None, generalise: str, long: bool) -> None:
    n_sim = 2000 if long else 120
    found = rejections(preset(by, generalise), generalise, n_sim=n_sim, seed=1)
    error = np.sqrt(ALPHA * (1 - ALPHA) / n_sim)
    for name, rate in found.items():
        assert rate < ALPHA + 3 * error + 0.005, (name, found)


@pytest.mark.calibration
def test_the_formula_without_model_by_subject_does_not(long: bool) -> None:
    n_sim = 2000 if long else 120
    assert rejections(OLD[""], "subject", n_sim=n_sim, seed=1)["contrast"] > 0.12


if __name__ == "__main__":
    for generalise in ("subject", "subject+roi"):
        for by in (None, "stream"):
            for n in (8, 10):
                for label, formula in (
                    ("before", OLD[by or ""]),
                    ("preset", preset(by, generalise, n)),
                ):
                    print(
                        generalise,
                        by,
                        n,
                        label,
                        rejections(formula, generalise, n_subject=n, seed=n),
                        flush=True,
                    )
