"""The tracked reports hold the numbers the code gives now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "name",
    [
        *("demo", "castaldi_numerosity", "images92", "fitted_models", "hoefling2026"),
        *("leaderboards", "measures", "video_networks"),
    ],
)
def test_tracked_numbers_are_not_stale(name: str, repository: Path, data_dir: Path) -> None:
    command = [sys.executable, repository / "analyses" / "rebuild.py", data_dir, name, "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_tracked_reports_are_small_and_name_no_path_of_a_machine(repository: Path) -> None:
    reports = sorted((repository / "reports").glob("*/report.html"))
    assert len(reports) == 7
    for report in reports:
        text = report.read_text("utf-8")
        assert len(text) < 5_000_000, report
        assert "/work/" not in text, report
        assert "/tmp/" not in text, report
