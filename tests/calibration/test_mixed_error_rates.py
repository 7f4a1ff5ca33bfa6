"""Type-I error and coverage of fixed-effect contrasts for few subjects: t tests near nominal, z liberal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from apastats.mixed.engine.core import fit_design, refit_design
from apastats.mixed.engine.design import build_design
from apastats.mixed.engine.formula import parse_mixed_formula

ALPHA = 0.05
FORMULA = "score ~ model + (1 | subject) + (1 | roi) + (1 | model:subject)"
METHODS = ("satterthwaite", "kenward-roger", "z")


def rejections(
    n_subject: int, n_sim: int, *, n_model: int = 3, n_roi: int = 6, drop: int = 0, seed: int = 0
) -> dict[str, float]:
    """Share of true nulls (last model minus first) rejected at 5 %; 1 - share is the coverage of the 95 % interval."""
    from scipy.special import stdtr

    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product(
        [range(n_model), range(n_roi), range(n_subject)], names=["model", "roi", "subject"]
    )
    frame = index.to_frame(index=False).astype(str)
    if drop:
        frame = frame.drop(rng.choice(len(frame), drop, replace=False)).reset_index(drop=True)
    frame["score"] = rng.normal(size=len(frame))
    codes = {
        name: frame.groupby(list(columns)).ngroup().to_numpy()
        for name, columns in (("s", ["subject"]), ("r", ["roi"]), ("ms", ["model", "subject"]))
    }
    spread = {"s": 1.0, "r": 0.7, "ms": 0.6}
    design = build_design(parse_mixed_formula(FORMULA), frame)
    first: Any = fit_design(design)
    L = np.zeros((1, design.p))
    L[0, -1] = 1.0
    count = dict.fromkeys(METHODS, 0)
    for _ in range(n_sim):
        y = rng.standard_normal(len(frame))
        for name, sd in spread.items():
            y += sd * rng.standard_normal(codes[name].max() + 1)[codes[name]]
        fitted = refit_design(first, y, polish=False)
        for method in METHODS:
            inference = fitted.inference(method)
            t = float(inference.estimates(L)[0] / inference.std_errors(L)[0])
            df = min(float(inference.dfs(L)[0]), 1e15)
            count[method] += 2 * stdtr(df, -abs(t)) < ALPHA
    return {method: n / n_sim for method, n in count.items()}


@pytest.mark.calibration
@pytest.mark.parametrize(("n_subject", "drop"), [(8, 0), (10, 20)])
def test_contrasts_hold_their_level(n_subject: int, drop: int, long: bool) -> None:
    n_sim = 4000 if long else 150
    found = rejections(n_subject, n_sim, drop=drop, seed=n_subject)
    error = np.sqrt(ALPHA * (1 - ALPHA) / n_sim)
    for method in ("satterthwaite", "kenward-roger"):
        assert abs(found[method] - ALPHA) < 3.5 * error + 0.005, (method, found)
    assert found["z"] > max(found["satterthwaite"], found["kenward-roger"])
    if long:
        assert found["z"] > ALPHA + 3 * error


if __name__ == "__main__":
    for n in (4, 6, 8, 10, 20):
        for dropped in (0, 2 * n):
            print(n, dropped, rejections(n, 2000, drop=dropped, seed=n))
