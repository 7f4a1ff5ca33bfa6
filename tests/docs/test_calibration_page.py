"""The calibration page is the tracked table, and what is off in it is warned of in the code."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "analyses" / "calibration" / "table.csv"
PEERS = ("rsatoolbox", "TOSTER", "published rule")


def _script() -> object:
    path = ROOT / "analyses" / "calibration" / "run.py"
    spec = importlib.util.spec_from_file_location("calibration_run", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_of_the_table() -> None:
    page = _script().to_page(pd.read_csv(TABLE))  # type: ignore[attr-defined]
    assert (ROOT / "docs" / "calibration.md").read_text("utf-8") == page


def test_every_default_and_size_is_in_the_table() -> None:
    from apastats.planning.populations import SCORES
    from apastats.planning.trials import ALL

    table = pd.read_csv(TABLE)
    assert {(t.verb, t.what) for t in ALL.values()} == set(
        zip(table["verb"], table["what"], strict=True)
    )
    assert set(table["design"]) == set(SCORES)
    assert {5, 8, 10, 20} <= set(table["n"])
    assert table[["version", "seed", "date"]].notna().all().all()


def test_no_default_is_off_without_a_warning() -> None:
    """Four Monte-Carlo errors: of 900 rows one in twenty is beyond two by chance."""
    table = pd.read_csv(TABLE)
    ours = table[~table["verb"].str.startswith(PEERS)]
    off = ours[ours["verdict"] == "off"]
    beyond = (off["estimate"] - off["nominal"]).abs() > 0.015 + 4 * off["mcse"]
    rows = off[beyond][["verb", "what", "design", "n", "estimate", "mcse", "warned"]]
    assert rows.empty, rows.to_string()


@pytest.mark.parametrize("column", ["estimate", "mcse", "n_replicate"])
def test_monte_carlo_errors_stand_beside(column: str) -> None:
    table = pd.read_csv(TABLE)
    known = table["n_replicate"] > 1
    assert table.loc[known, column].notna().all()
