from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DegenerateWarning, DesignError, InputError
from tests.patterns.naive import similar

ROIS = [f"R{i}" for i in range(5)]


@pytest.fixture
def patterns(make_frame):
    return apa.alignment_patterns(apa.ScoreTable(make_frame(n_subject=5, rng=1)))


def matrix(seed=0):
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(5, 5)), ROIS, ROIS)


@pytest.mark.parametrize("similarity", ["pearson", "spearman"])
def test_every_relabelling_by_hand(patterns, similarity):
    found = apa.matrix_agreement(
        patterns, matrix(), similarity=similarity, brain="leave_one_out"
    ).table
    a, m = patterns.arrays["leave_one_out"][0], matrix().to_numpy()

    def agreement(values):
        out = []
        for r in range(5):
            rest = [t for t in range(5) if t != r]
            refs = [np.delete(a[:, r], s, 0).mean(0) for s in range(5)]
            out.append(np.mean([similar(values[r, rest], ref[rest], similarity) for ref in refs]))
        return np.array(out)

    every = np.array([agreement(m[np.ix_(o, o)]) for o in permutations(range(5))])
    rows = found.iloc[1:]
    np.testing.assert_allclose(rows["estimate"], every[0], atol=1e-12)
    np.testing.assert_allclose(rows["null_mean"], every.mean(0), atol=1e-12)
    np.testing.assert_allclose(rows["p_value"], (every >= every[0] - 1e-12).mean(0), atol=1e-12)
    total = every.mean(1)
    assert found.loc[0, "estimate"] == pytest.approx(total[0], abs=1e-12)
    assert found.loc[0, "p_value"] == pytest.approx((total >= total[0] - 1e-12).mean())
    z = ((every - every.mean(0)) / every.std(0)).max(1)
    t = (every[0] - every.mean(0)) / every.std(0)
    np.testing.assert_allclose(
        rows["p_value_adjusted"], [(z >= v - 1e-9).mean() for v in t], atol=1e-12
    )


def test_the_diagonal_is_never_used(patterns):
    a = apa.matrix_agreement(patterns, matrix()).table
    changed = matrix().mask(np.eye(5, dtype=bool), np.nan)
    b = apa.matrix_agreement(patterns, changed).table
    pd.testing.assert_frame_equal(a, b)


def test_order_of_the_matrix_does_not_matter(patterns):
    shuffled = matrix().loc[ROIS[::-1], ROIS[2:] + ROIS[:2]]
    a, b = (apa.matrix_agreement(patterns, m).table for m in (matrix(), shuffled))
    pd.testing.assert_frame_equal(a, b)


def test_the_brains_own_matrix_agrees(make_frame):
    frame = make_frame(n_subject=6, n_roi=6, rng=3)
    truth = np.random.default_rng(5).normal(size=(6, 6))
    brain = frame["kind"] != "model"
    cells = zip(frame["layer"], frame["roi"], brain, strict=True)
    add = [truth[int(la[1]), int(r[1])] if k else 0 for la, r, k in cells]
    frame["score"] = 0.3 * frame["score"] + add
    patterns = apa.alignment_patterns(apa.ScoreTable(frame))
    names = [f"R{i}" for i in range(6)]
    found = apa.matrix_agreement(patterns, pd.DataFrame(truth, names, names)).table
    assert found.loc[0, "estimate"] > 0.9
    assert found.loc[0, "p_value"] < 0.01


def test_constant_row_warns(patterns):
    flat = matrix()
    flat.loc["R2"] = 1.0
    with pytest.warns(DegenerateWarning, match="row of R2 is constant"):
        found = apa.matrix_agreement(patterns, flat).table
    assert np.isnan(found.loc[3, "estimate"])
    assert np.isfinite(found.loc[0, "estimate"])


def test_bad_input(patterns, make_frame):
    cases = [
        ((matrix().to_numpy(),), {}, "matrix: got an array"),
        ((matrix().drop(columns="R3"),), {}, "matrix: got 'R3'"),
        ((matrix().mask(matrix() > 0),), {}, "finite numbers off the diagonal"),
        ((matrix(),), {"null": "other_roi"}, "null: got 'other_roi'"),
        ((matrix(),), {"similarity": "nrmse"}, "similarity: got 'nrmse'"),
        ((matrix(),), {"alternative": "x"}, "alternative: got 'x'"),
    ]
    for args, options, message in cases:
        with pytest.raises(InputError, match=message):
            apa.matrix_agreement(patterns, *args, **options)
    columns = apa.alignment_patterns(apa.ScoreTable(make_frame()), profile="column")
    with pytest.raises(InputError, match="row profiles"):
        apa.matrix_agreement(columns, matrix())
    frame = make_frame()
    frame.loc[(frame["layer"] == "R1") & (frame["roi"] == "R2"), "score"] = np.nan
    holes = apa.alignment_patterns(apa.ScoreTable(frame))
    with pytest.raises(DesignError, match="no complete brain pattern"):
        apa.matrix_agreement(holes, matrix())
