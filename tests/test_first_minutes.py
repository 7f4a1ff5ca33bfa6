"""What a new user does first, as it would be typed: own data with ordinary names to a first report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

COMMANDS = """
apastats check my_scores.csv
apastats init my_scores.csv --bounds 0.05
apastats run study.toml
apastats view apastats_out/my_scores --print
"""
SIX_LINES = """
import apastats as apa
brain, models = apa.read_rdms(brain_rdms), apa.read_rdms(model_rdms)
scores = apa.score(brain, models)
ceiling = apa.noise_ceiling(brain, kind="leave_one_out")
tests = apa.equivalence("score ~ model | roi", scores, bounds=0.05)
apa.report(ceiling, tests, title="My RDMs").save("report.html")
"""


def test_own_csv_to_a_report_in_four_commands(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    quality = {"ResNet-50": 0.3, "CLIP ViT-B/32": 0.31, "VGG-16": 0.2}
    rows = [
        {"Subject": f"sub-{s:02d}", "ROI": roi, "DNN": dnn, "RSA (Spearman rho)": q + rng.normal() / 30}
        for s in range(1, 9)
        for roi in ("V1", "V4", "IT")
        for dnn, q in quality.items()
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "my_scores.csv", index=False)
    commands = COMMANDS.strip().splitlines()
    assert len(commands) == 4
    for command in commands:
        words = [sys.executable, "-m", *command.split()]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr
    page = Path(done.stdout.strip().removeprefix("file://"))
    assert "CLIP ViT-B/32" in page.read_text("utf-8")


def test_rsatoolbox_rdms_to_a_report_in_six_lines(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from rsatoolbox.rdm import RDMs

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2)
    shared = rng.random((1, 190))
    subjects = [f"s{k}" for k in range(8)]
    brain = RDMs(
        shared + 0.3 * rng.random((8, 190)),
        rdm_descriptors={"subject": subjects, "roi": ["V1"] * 8},
    )
    models = RDMs(
        shared + np.array([[0.2], [0.8]]) * rng.random((2, 190)),
        rdm_descriptors={"name": ["near", "far"]},
    )
    lines = SIX_LINES.strip().splitlines()
    assert len(lines) == 6
    exec("\n".join(lines), {"brain_rdms": brain, "model_rdms": models})
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "near" in page
    assert "far" in page
