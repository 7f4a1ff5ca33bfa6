"""The R snippet of the documentation reads a saved result."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import apastats as apa


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
@pytest.mark.parametrize("with_parquet", [True, False])
def test_the_snippet_reads_a_result(repository: Path, tmp_path: Path, with_parquet: bool) -> None:
    page = (repository / "docs" / "r_users.md").read_text("utf-8")
    snippet = re.findall(r"```r\n(.*?)```", page, re.DOTALL)[0]
    assert len(snippet.strip().splitlines()) == 10
    (tmp_path / "read.R").write_text(snippet)
    study = apa.simulate(n_subject=6, n_model=2, rois=["V1", "V3", "V4"], rng=1)
    best = apa.select_layer(study.scores)
    made = apa.equivalence("score ~ model | roi", best, bounds=0.05, reference=None)
    folder = made.save(tmp_path / "result")
    if not with_parquet:
        (folder / "table.parquet").unlink()
        snippet = snippet.replace('requireNamespace("arrow", quietly = TRUE)', "FALSE")
        (tmp_path / "read.R").write_text(snippet)
    done = subprocess.run(
        ["Rscript", tmp_path / "read.R", folder], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert f"{len(made.table)} rows" in done.stdout
    largest = f"{made.table['estimate'].max():.4g}"
    assert largest[:6] in done.stdout
