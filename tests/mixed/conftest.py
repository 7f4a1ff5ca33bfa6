"""Small studies to fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


def study(
    *, n_subject: int = 8, n_roi: int = 5, n_model: int = 4, seed: int = 0, drop: int = 0
) -> pd.DataFrame:
    """Scores of models crossed with ROIs and subjects, some rows left out."""
    rng = np.random.default_rng(seed)
    frame = pd.MultiIndex.from_product(
        [
            [f"m{i}" for i in range(n_model)],
            [f"r{i}" for i in range(n_roi)],
            [f"s{i}" for i in range(n_subject)],
        ],
        names=["model", "roi", "subject"],
    ).to_frame(index=False)

    def effect(sd: float, *columns: str) -> np.ndarray:
        codes = frame.groupby(list(columns)).ngroup().to_numpy()
        return sd * rng.standard_normal(codes.max() + 1)[codes]

    frame["level"] = frame["roi"].str[1:].astype(float) / max(n_roi - 1, 1)
    frame["stream"] = np.where(frame["level"] < 0.5, "early", "late")
    frame["score"] = (
        0.3
        + frame["model"].str[1:].astype(float) * 0.05
        + effect(0.1, "subject")
        + effect(0.08, "roi")
        + effect(0.06, "subject", "roi")
        + 0.1 * rng.standard_normal(len(frame))
    )
    if drop:
        frame = frame.drop(rng.choice(len(frame), drop, replace=False)).reset_index(drop=True)
    return frame


@pytest.fixture(scope="session")
def balanced() -> pd.DataFrame:
    return study()


@pytest.fixture(scope="session")
def ragged() -> pd.DataFrame:
    return study(seed=1, drop=31)
