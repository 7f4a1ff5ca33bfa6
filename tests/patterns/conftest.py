from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa


def scores_frame(
    n_subject=5, n_roi=5, n_predictor=3, n_partner=3, missing=0.0, rng=0, splits=("test",)
) -> pd.DataFrame:
    """Scores without structure but with everything ragged: partners drawn, rows missing, values NaN."""
    g = np.random.default_rng(rng)
    subjects = [f"s{i}" for i in range(n_subject)]
    rois = [f"R{i}" for i in range(n_roi)]
    rows = []
    for split in splits:
        for s in subjects:
            for k in range(n_predictor):
                for r in rois:
                    rows.append(("model", f"m{k // 2}", f"l{k % 2}", s, r, split, g.normal()))
            for x in rois:
                for r in rois:
                    rows.append(("leave_one_out", "others", x, s, r, split, g.normal()))
            others = [p for p in subjects if p != s]
            for p in g.permutation(others)[:n_partner]:
                for x in rois:
                    for r in rois:
                        rows.append(("subject_to_subject", str(p), x, s, r, split, g.normal()))
    columns = ["kind", "model", "layer", "subject", "roi", "split", "score"]
    frame = pd.DataFrame(rows, columns=columns)
    if missing:
        gone = g.random(len(frame)) < missing
        frame.loc[gone & (g.random(len(frame)) < 0.5), "score"] = np.nan
        frame = frame[~(gone & frame["score"].notna())]
    return frame.reset_index(drop=True)


@pytest.fixture
def make_frame():
    return scores_frame


@pytest.fixture(scope="session")
def castaldi(data_dir):
    """Pair and leave-one-out scores of 20 subjects and 7 ROIs (Spearman)."""
    from tests.patterns.naive import subject_pair_scores

    with np.load(data_dir / "castaldi2019_numerosity" / "rdms_taskboth.npz") as npz:
        rdms = npz["rdms"][:, :7]
        rois = [str(v) for v in npz["roi"][:7]]
        subjects = [str(v) for v in npz["subject"]]
    return apa.ScoreTable(subject_pair_scores(rdms, rois, subjects), source="castaldi")


@pytest.fixture(scope="session")
def bmd(data_dir):
    """Leave-one-out scores and five networks of the video study."""
    brain = pd.read_csv(data_dir / "bmd_leave_one_out" / "scores_rsa_test.csv")
    brain = brain.rename(columns={"predictor_roi": "layer"})
    brain = brain.assign(kind="leave_one_out", model="others")
    models = [pd.read_csv(f) for f in sorted((data_dir / "bmd_model_scores").glob("*.csv"))]
    frame = pd.concat([brain, *(m.assign(kind="model") for m in models)], ignore_index=True)
    return apa.ScoreTable(frame.assign(metric="rsa", split="test"), source="bmd")
