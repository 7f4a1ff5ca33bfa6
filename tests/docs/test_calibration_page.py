"""The calibration page is the tracked table, and what is off in it is warned of in the code."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

from apastats.planning.levels import shown_beyond

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


def test_no_default_is_shown_off_without_a_warning() -> None:
    """All cells, and their sums over designs and over sizes, by exact binomial tests with Holm's adjustment."""
    table = pd.read_csv(TABLE)
    ours = table[~table["verb"].str.startswith(PEERS)]
    shown = shown_beyond(ours)
    assert shown.empty, shown.to_string()
    # the test can fail: the defaults of others, by the same rule, are far beyond
    theirs = shown_beyond(table[table["verb"].str.startswith(PEERS)])
    assert {"published rule", "TOSTER: t_TOST", "rsatoolbox: eval_fixed"} <= set(theirs["verb"])


def test_the_table_is_made_of_the_counts() -> None:
    script = _script()
    made = script.table_of(script.read_counts())  # type: ignore[attr-defined]
    table = pd.read_csv(TABLE)[list(made.columns)]
    pd.testing.assert_frame_equal(made, table, rtol=1e-5, check_dtype=False)


def test_a_run_goes_on_where_the_counts_end(tmp_path: Path) -> None:
    script = _script()
    empty = script.read_counts(tmp_path / "none.csv")  # type: ignore[attr-defined]
    step = script.step  # type: ignore[attr-defined]
    names = ["compare", "compare interval"]
    once = step(empty, names, 5, 0, 20, 1)
    script.write_counts(step(empty, names, 5, 0, 10, 1), tmp_path / "c.csv")  # type: ignore[attr-defined]
    half = script.read_counts(tmp_path / "c.csv")  # type: ignore[attr-defined]
    assert script.done(half, "compare", 5) == 10  # type: ignore[attr-defined]
    again = step(half, names, 5, 10, 20, 2)
    pd.testing.assert_frame_equal(once.sort_index(), again.sort_index(), check_dtype=False)


@pytest.mark.parametrize("column", ["estimate", "mcse", "n_replicate"])
def test_monte_carlo_errors_stand_beside(column: str) -> None:
    table = pd.read_csv(TABLE)
    known = table["n_replicate"] > 1
    assert table.loc[known, column].notna().all()
