"""The benchmark of rendering runs, and says what it asks for. No time is asserted."""

from __future__ import annotations

import pytest

from benchmarks.common import run


def test_a_small_report_is_rendered(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("reporting", quick=True, only="absent") == []
    figures, time, size = run("reporting", quick=True)
    assert figures.ours
    assert "one process" in figures.note
    assert time.ours is not None
    assert time.ours > 0
    assert size.met  # the size does not depend on the machine
    assert "asked: under 8 MB" in capsys.readouterr().out
