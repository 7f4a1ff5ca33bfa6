"""Reading reference cases and their tables; what every handler shares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


class Unhandled(AssertionError):
    """A case that no handler knows."""


def read_table(directory: Path, name: str) -> pd.DataFrame:
    """Input table of a case; keys are text."""
    frame = pd.read_csv(directory / name)
    for column in ("subject", "model", "roi", "item", "group"):
        if column in frame.columns:
            frame[column] = frame[column].astype(str)
    return frame


def read_index(directory: Path, name: str) -> np.ndarray:
    """Resampling table: one row per resample, row numbers from 0."""
    return np.loadtxt(directory / name, delimiter=",", dtype=int)


def select(frame: pd.DataFrame, condition: str) -> pd.DataFrame:
    """Rows of ``frame`` that satisfy ``"column=value"``."""
    column, value = condition.split("=", 1)
    return frame[frame[column].astype(str) == value]


def close(ours: Any, theirs: Any, *, atol: float = 0.0, rtol: float = 0.0, what: str = "") -> None:
    """Assert agreement; None in a reference stands for infinite or not defined."""
    if theirs is None:
        assert ours is None or not np.all(np.isfinite(ours)), (
            f"{what}: got {ours}, reference undefined"
        )
        return
    np.testing.assert_allclose(
        np.asarray(ours, dtype=float),
        np.asarray(theirs, dtype=float),
        atol=atol,
        rtol=rtol,
        err_msg=what,
    )
