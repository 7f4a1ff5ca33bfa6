"""The benchmark harness: finding, agreement, tables. No time is asserted."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.common import Row, difference, discover, markdown, measure, run


def test_modules_are_found() -> None:
    assert "scoring" in discover()


@pytest.mark.parametrize("only", ["maximal difference", "variances", "linear predictivity"])
def test_quick_rows_agree(only: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run("scoring", quick=True, only=only)
    assert rows
    assert not any(row.void for row in rows)
    assert only in capsys.readouterr().out
    assert f"| {rows[0].task} |" in markdown({"scoring": rows})


def test_a_ratio_without_agreement_is_void() -> None:
    row = measure(
        "x", lambda: np.ones(2), lambda: np.array([1.0, 1.1]), repeat=(1, 1), at_least=0.0
    )
    assert row.void
    assert row.verdict == "void"
    assert difference([1.0, np.nan], [1.0, np.nan]) == 0
    assert difference([1.0, np.nan], [1.0, 2.0]) == np.inf
    assert difference([1.0], [1.0, 2.0]) == np.inf


def test_verdicts() -> None:
    assert Row("x", 10.0, 1.0, 0.0, at_least=5).verdict == "yes"
    assert Row("x", 10.0, 1.0, 0.0, at_least=50).verdict == "no"
    assert Row("x", ours=1.0, met=False).verdict == "no"
    assert Row("x", ours=1.0).verdict == ""


def test_gpu_module_checks_every_kernel_wherever_it_runs() -> None:
    pytest.importorskip("torch")
    found = run("gpu", quick=True, only="agreement")
    assert len(found) > 50
    assert not any(row.void for row in found)
    assert any((row.difference or 0) > 0 for row in found)


def test_a_failed_task_of_the_gpu_module_is_void(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from benchmarks import gpu

    def broken(device: str, quick: bool) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(gpu, "small", broken)
    (row,) = gpu.rows(quick=True, only="102 stimuli")
    assert row.void
    assert "no memory" in row.note
