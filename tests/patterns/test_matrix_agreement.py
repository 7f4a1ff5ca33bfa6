from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import DegenerateWarning, DesignError, InputError
from apastats.resampling.rewire import rewired
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


def test_the_stack_of_many_people_is_their_mean(patterns):
    people = np.random.default_rng(1).normal(size=(1500, 5, 5))
    mean = pd.DataFrame(people.mean(axis=0), ROIS, ROIS)
    one = apa.matrix_agreement(patterns, mean)
    many = apa.matrix_agreement(patterns, people)
    pd.testing.assert_frame_equal(one.table, many.table)
    frames = [pd.DataFrame(p, ROIS, ROIS).loc[ROIS[::-1]] for p in people[:3]]
    three = apa.matrix_agreement(patterns, frames)
    pd.testing.assert_frame_equal(three.table, apa.matrix_agreement(patterns, people[:3]).table)
    assert (many.info["n_person"], three.info["n_person"], one.info["n_person"]) == (1500, 3, 1)


def test_false_discovery_rate_beside_max_t(patterns):
    table = apa.matrix_agreement(patterns, matrix()).table
    rows = table.iloc[1:]
    by_hand = stats.false_discovery_control(rows["p_value"])
    np.testing.assert_allclose(rows["p_value_fdr"], by_hand, atol=1e-12)
    assert (rows["p_value_fdr"] >= rows["p_value"] - 1e-12).all()


def ring(n=8, seed=0):
    """A ring of nodes and some more connections, with weights."""
    rng = np.random.default_rng(seed)
    there = np.triu(rng.random((n, n)) < 0.3, 1)
    there[np.arange(n - 1), np.arange(1, n)] = True
    graph = np.where(there, rng.uniform(0.5, 2, (n, n)), 0.0)
    return graph + graph.T


def test_random_graphs_keep_degrees_and_weights():
    graph = ring()
    made = rewired(graph, 300, np.random.SeedSequence(1))
    np.testing.assert_array_equal(made, made.transpose(0, 2, 1))
    degrees = (graph != 0).sum(axis=0)
    np.testing.assert_array_equal((made != 0).sum(axis=1), np.tile(degrees, (300, 1)))
    upper = np.triu_indices(8, 1)
    expected = np.sort(graph[upper])
    np.testing.assert_allclose(np.sort(made[:, *upper], axis=1), np.tile(expected, (300, 1)))
    assert not np.diagonal(made, axis1=1, axis2=2).any()
    # all graphs are visited: two disjoint connections of four nodes have three arrangements, equally likely
    pair = np.zeros((4, 4))
    pair[0, 1] = pair[1, 0] = pair[2, 3] = pair[3, 2] = 1
    partner = rewired(pair, 3000, np.random.SeedSequence(2))[:, 0].argmax(axis=1)
    np.testing.assert_allclose(np.bincount(partner)[1:] / 3000, 1 / 3, atol=0.04)


def test_graphs_with_the_same_degrees_as_null(make_frame):
    frame = make_frame(n_subject=6, n_roi=8, rng=3)
    names = [f"R{i}" for i in range(8)]
    graph = pd.DataFrame(ring(), names, names)
    unrelated = apa.alignment_patterns(apa.ScoreTable(frame))
    brain = frame["kind"] != "model"
    cells = zip(frame["layer"], frame["roi"], brain, strict=True)
    own = [graph.loc[la, r] if k and la != r else 0.0 for la, r, k in cells]
    related = apa.alignment_patterns(apa.ScoreTable(frame.assign(score=frame["score"] + own)))
    found = apa.matrix_agreement(related, graph, null="degree", n_resamples=499, rng=1)
    assert found.table.loc[0, "p_value"] == 1 / 500
    assert found.info["null"] == "the matrix is any graph with these degrees"
    again = apa.matrix_agreement(related, graph, null="degree", n_resamples=499, rng=1)
    pd.testing.assert_frame_equal(found.table, again.table)
    other = apa.matrix_agreement(unrelated, graph, null="degree", n_resamples=499, rng=1)
    assert other.table.loc[0, "p_value"] > 0.01
    full = pd.DataFrame(np.ones((8, 8)), names, names)
    with pytest.raises(InputError, match="connections of which some can be moved"):
        apa.matrix_agreement(related, full, null="degree")
    with pytest.raises(InputError, match="symmetric"):
        apa.matrix_agreement(related, graph.where(np.tri(8) == 0, 0.0), null="degree")
    with pytest.raises(InputError, match="n_resamples: got 'exact'"):
        apa.matrix_agreement(related, graph, null="degree", n_resamples="exact")


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
