"""Settings of matplotlib while figures of a report are drawn: restored to the letter, no window system is asked for."""

from __future__ import annotations

import subprocess
import sys

import matplotlib

from apastats.reporting.drawing import _settings


def test_settings_are_restored() -> None:
    with matplotlib.rc_context(
        {"font.size": 31.0, "axes.prop_cycle": matplotlib.cycler(color=["r"])}
    ):
        before = dict.items(matplotlib.rcParams.copy())
        kept = {k: v for k, v in before}
        with _settings("x"):
            assert matplotlib.rcParams["font.size"] == 9
            assert matplotlib.rcParams["svg.hashsalt"] == "x"
            matplotlib.rcParams["font.size"] = 12
        assert {k: v for k, v in dict.items(matplotlib.rcParams.copy())} == kept
        with _settings("y"):
            assert matplotlib.rcParams["font.size"] == 9


def test_a_report_imports_no_pyplot() -> None:
    code = (
        "import sys, apastats as apa\n"
        "t = apa.simulate(n_subject=6, n_model=3, n_layer=1, rois=['V1', 'V2', 'V4'], rng=1).scores\n"
        "t = t.where(split='test', kind='model')\n"
        "apa.report(apa.equivalence('score ~ model | roi', t, bounds=0.1, reference='best')).html()\n"
        "print([m for m in ('matplotlib.pyplot', 'matplotlib.figure') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"
