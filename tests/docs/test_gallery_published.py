"""The gallery on the published numbers: every number is computed again, and those known before are where they were."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


def test_every_number_is_computed_again(repository: Path, data_dir: Path) -> None:
    command = [sys.executable, str(repository / "analyses" / "gallery" / "build.py"), "--check"]
    env = os.environ | {"BMD_DIR": str(data_dir), "MPLBACKEND": "agg"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_the_page_has_a_figure_and_both_readings_of_every_item(repository: Path) -> None:
    folder = repository / "docs" / "gallery_published"
    text = (folder / "README.md").read_text("utf-8")
    scripts = sorted((repository / "analyses" / "gallery").glob("item_*.py"))
    assert len(scripts) == len(re.findall(r"^## ", text, flags=re.MULTILINE)) == 10
    for script in scripts:
        assert script.name in text
    assert text.count("**The paper.**") == text.count("**Here.**") == len(scripts)
    figures = re.findall(r"\]\((\w+\.png)\)", text)
    assert len(figures) >= 12
    for figure in figures:
        assert (folder / figure).stat().st_size < 200_000


def test_agreement_of_the_brain_and_of_five_networks_by_hand(
    repository: Path, data_dir: Path
) -> None:
    """From the csv files by plain numpy: each person's pattern against the mean of the other nine."""
    brain = pd.read_csv(data_dir / "bmd_leave_one_out" / "scores_rsa_test.csv")
    rois = list(dict.fromkeys(brain["roi"]))
    people = sorted(brain["subject"].unique())
    cube = np.stack([
        brain[brain["subject"] == s].pivot(index="predictor_roi", columns="roi", values="score").loc[rois, rois]
        for s in people
    ])  # fmt: skip
    others = (cube.sum(0) - cube) / (len(people) - 1)
    own = [np.corrcoef(others[i, r], cube[i, r])[0, 1] for i in range(10) for r in range(19)]
    kept = json.loads((repository / "docs" / "gallery_published" / "numbers.json").read_text())
    agreement = kept["item_05_agreement"]
    assert np.mean(own) == pytest.approx(0.8107559, abs=5e-8)
    assert agreement["brain"] == pytest.approx(np.mean(own), abs=1e-9)
    known = {"vggt/VGGT-1B": 0.355559, "clip/RN50": 0.329845, "timm/resnet50.a1_in1k": 0.322113,
             "v_jepa/vjepa2_vit_giant": 0.104131, "taskonomy/class_object": 0.093734}  # fmt: skip
    for file in sorted((data_dir / "bmd_model_scores").glob("*.csv")):
        rows = pd.read_csv(file)
        name = str(rows["model"].iloc[0])
        values = np.stack([
            rows[rows["subject"] == s].pivot(index="layer", columns="roi", values="score")[rois] for s in people
        ])  # fmt: skip
        found = []
        for i in range(10):
            # the layer that is best for the other people
            layer = (values.sum(0) - values[i]).argmax(axis=0)
            found += [
                np.corrcoef(others[i, r], values[i, layer[r]])[0, 1] for r in range(len(rois))
            ]
        assert np.mean(found) == pytest.approx(known[name], abs=1e-6), name
        assert agreement["networks"][name] == pytest.approx(np.mean(found), abs=1e-9)


def test_training_is_asked_at_the_layer_of_the_trained_network(
    repository: Path, data_dir: Path
) -> None:
    """The item on untrained networks by plain numpy and scipy: the same layer, with and without training."""
    from scipy.stats import spearmanr

    folder = data_dir / "castaldi2019_numerosity"
    brain, models = np.load(folder / "rdms_taskboth.npz"), np.load(folder / "models.npz")
    upper = np.triu_indices(18, 1)
    names, layers = models["network"].astype(str), models["layer"].astype(str)
    own = brain["rdms"][:, :7][..., upper[0], upper[1]]  # person, region, pair
    gaps = []
    trained = np.flatnonzero(names == "VGG19 pretrained")
    scores = np.array([
        [[spearmanr(models["network_rdms"][k][upper], x).statistic for k in trained] for x in person]
        for person in own
    ])  # fmt: skip
    for p, person in enumerate(own):
        for r, x in enumerate(person):
            k = trained[(scores[:, r].sum(axis=0) - scores[p, r]).argmax()]
            other = (names == "VGG19 untrained") & (layers == layers[k])
            untrained = models["network_rdms"][other.argmax()][upper]
            gaps.append(scores[p, r, list(trained).index(k)] - spearmanr(untrained, x).statistic)
    kept = json.loads((repository / "docs" / "gallery_published" / "numbers.json").read_text())
    assert kept["item_08_untrained_networks"]["score"] == pytest.approx(np.mean(gaps), abs=1e-9)


def test_a_connectome_is_read_by_the_names_of_its_rows(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(repository / "analyses" / "gallery"))
    import published
    import real_connectome

    names = [side + roi for side in ("R_", "L_") for roi in ["other", *published.ROIS[::-1]]]
    matrix = np.arange(40.0 * 40).reshape(40, 40)
    np.savetxt(tmp_path / "m.csv", matrix, delimiter=",")
    (tmp_path / "l.csv").write_text(",".join(names) + "\n")
    found = real_connectome.connectome(tmp_path / "m.csv", tmp_path / "l.csv")
    assert list(found.index) == list(found.columns) == published.ROIS
    where = {n: i for i, n in enumerate(names)}
    expected = (matrix[where["L_V1"], where["L_MT"]] + matrix[where["R_V1"], where["R_MT"]]) / 2
    assert found.loc["V1", "MT"] == expected
