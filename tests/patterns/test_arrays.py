"""Dense patterns against loops over the rows of the table, and permutations against what they must be."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from apastats.errors import CeilingError, DesignError, InputError
from apastats.patterns.arrays import ceiling_of, dense_patterns, rescale, without_self
from apastats.patterns.permutations import contract, roi_permutations, spin_coordinates
from apastats.resampling.plans import DEFAULT_RESAMPLES
from apastats.table import ScoreTable


@pytest.fixture
def arrays(make_frame):
    return dense_patterns(ScoreTable(make_frame(missing=0.2, splits=("test", "train"))), "score")


def nan_mean(values) -> float:
    found = [v for v in values if np.isfinite(v)]
    return sum(found) / len(found) if found else math.nan


def test_every_row_is_in_its_place_and_nothing_else(make_frame):
    frame = make_frame(missing=0.2, splits=("test", "train"))
    arrays = dense_patterns(ScoreTable(frame), "score")
    model = np.full_like(arrays.model, np.nan)
    loo = np.full_like(arrays.leave_one_out, np.nan)
    pairs = np.full_like(arrays.pairs, np.nan)
    splits = [split for _, split in arrays.cells]
    predictors = list(zip(arrays.models, arrays.layers, strict=True))
    for row in frame.itertuples():
        c, s = splits.index(row.split), arrays.subjects.index(row.subject)
        r = arrays.rois.index(row.roi)
        if row.kind == "model":
            model[c, s, predictors.index((row.model, row.layer)), r] = row.score
        elif row.kind == "leave_one_out":
            loo[c, s, arrays.rois.index(row.layer), r] = row.score
        else:
            partner = arrays.subjects.index(row.model)
            pairs[c, s, partner, arrays.rois.index(row.layer), r] = row.score
    np.testing.assert_array_equal(arrays.model, model)
    np.testing.assert_array_equal(arrays.leave_one_out, loo)
    np.testing.assert_array_equal(arrays.pairs, pairs)
    assert arrays.kinds == ["subject_to_subject", "leave_one_out"]
    assert arrays.subjects == sorted(arrays.subjects)


@pytest.mark.parametrize("kind", ["leave_one_out", "subject_to_subject"])
def test_ceilings_are_means_over_the_partners_that_are_there(arrays, kind):
    arrays.pairs[0, 1, :, 2, 2] = np.nan  # no partner at all
    arrays.pairs[0, 2, :, 3, 3] = np.nan
    arrays.pairs[0, 2, 1, 3, 3] = 0.25  # one partner
    found = ceiling_of(arrays, kind)
    for c, s, r in np.ndindex(found.shape):
        pooled = arrays.leave_one_out[c, s, r, r]
        wanted = pooled if kind == "leave_one_out" else nan_mean(arrays.pairs[c, s, :, r, r])
        np.testing.assert_allclose(found[c, s, r], wanted, rtol=1e-14)


def test_a_ceiling_needs_rows_of_its_kind(arrays, make_frame):
    frame = make_frame()
    only = dense_patterns(ScoreTable(frame[frame["kind"] != "subject_to_subject"]), "score")
    assert only.pairs is None
    assert only.kinds == ["leave_one_out"]
    with pytest.raises(DesignError, match="subject_to_subject"):
        ceiling_of(only, "subject_to_subject")
    with pytest.raises(DesignError, match="nonsense"):
        ceiling_of(arrays, "nonsense")


@pytest.mark.parametrize("kind", ["leave_one_out", "subject_to_subject"])
def test_shares_of_the_ceiling_divide_by_that_of_the_target(arrays, kind):
    arrays.leave_one_out[:] = np.abs(arrays.leave_one_out)
    arrays.pairs[:] = np.abs(arrays.pairs)
    own, found = ceiling_of(arrays, kind), rescale(arrays, "ceiling", kind, "error")
    for c, s, r in np.ndindex(own.shape):
        for name, entry in (
            ("model", np.s_[c, s, :, r]),
            ("leave_one_out", np.s_[c, s, :, r]),
            ("pairs", np.s_[c, s, :, :, r]),
        ):
            before, after = getattr(arrays, name)[entry], getattr(found, name)[entry]
            np.testing.assert_allclose(after, before / own[c, s, r], rtol=1e-14)


def test_low_ceilings_are_named_or_left_out(arrays):
    own = ceiling_of(arrays, "leave_one_out")
    low = np.isfinite(own) & (own <= 0)
    assert 0 < low.sum() < low.size
    with pytest.raises(CeilingError, match=rf"^{low.sum()} of {own.size} ceilings") as error:
        rescale(arrays, "ceiling", "leave_one_out", "error")
    c, s, r = np.argwhere(low)[0]
    first = (
        f"{arrays.subjects[s]} {arrays.rois[r]} ({'/'.join(arrays.cells[c])}) {own[c, s, r]:.3g}"
    )
    said = str(error.value)
    assert first in said
    assert said.count("/test)") + said.count("/train)") == min(5, low.sum())
    kept = rescale(arrays, "ceiling", "leave_one_out", "nan")
    wanted = np.isfinite(arrays.model) & (np.isfinite(own) & ~low)[:, :, None]
    np.testing.assert_array_equal(np.isfinite(kept.model), wanted)


def test_a_ceiling_of_zero_is_low(arrays):
    arrays.leave_one_out[:] = np.abs(arrays.leave_one_out) + 1
    arrays.leave_one_out[0, 0, 0, 0] = 0.0
    with pytest.raises(CeilingError, match=r"^1 of "):
        rescale(arrays, "ceiling", "leave_one_out", "error")


def test_raw_patterns_stay(arrays):
    assert rescale(arrays, "raw", "leave_one_out", "error") is arrays


def test_double_centring_takes_the_target_then_the_pattern(arrays):
    found = rescale(arrays, "double_centred", "leave_one_out", "error")
    for before, after in (
        (arrays.model, found.model),
        (arrays.leave_one_out, found.leave_one_out),
        (arrays.pairs, found.pairs),
    ):
        for lead in np.ndindex(before.shape[:-2]):
            matrix = before[lead]
            n_row, n_column = matrix.shape
            once = np.array(
                [
                    [matrix[i, j] - nan_mean(matrix[:, j]) for j in range(n_column)]
                    for i in range(n_row)
                ]
            )
            twice = np.array([[v - nan_mean(row) for v in row] for row in once])
            np.testing.assert_allclose(after[lead], twice, atol=1e-14)


def test_the_own_entry_is_blank_in_brains_alone(arrays):
    found = without_self(arrays)
    np.testing.assert_array_equal(found.model, arrays.model)
    for before, after in (
        (arrays.leave_one_out, found.leave_one_out),
        (arrays.pairs, found.pairs),
    ):
        for i, j in np.ndindex(before.shape[-2:]):
            wanted = np.full_like(before[..., i, j], np.nan) if i == j else before[..., i, j]
            np.testing.assert_array_equal(after[..., i, j], wanted)


def test_covariates_are_columns_that_a_region_determines(make_frame):
    frame = make_frame(n_subject=3)
    frame["stream"] = frame["roi"].map(lambda r: "early" if r in ("R0", "R1") else "late")
    frame["scanner"] = frame["subject"].map({"s0": "a", "s1": "b", "s2": "b"})
    frame["area"] = frame["roi"].map({f"R{i}": v for i, v in enumerate(["x", "y", None, "z", "z"])})
    found = dense_patterns(ScoreTable(frame), "score").covariates
    assert found == {"stream": dict(R0="early", R1="early", R2="late", R3="late", R4="late")}


def test_two_rows_of_a_cell_are_named(make_frame):
    frame = make_frame(n_subject=3).assign(run="1")
    twice = frame.iloc[[7]].assign(run="2", score=0.5)
    with pytest.raises(DesignError) as error:
        dense_patterns(ScoreTable(pd.concat([frame, twice], ignore_index=True)), "score")
    said = str(error.value)
    row = frame.iloc[7]
    assert "2 rows share" in said
    assert "they differ in ['run']" in said
    for column in ("kind", "model", "layer", "subject", "roi", "split"):
        assert f"'{column}': '{row[column]}'" in said


def test_permutations_within_groups_are_all_of_them():
    groups = [[0, 3, 4], [1, 2]]
    plan = roi_permutations(5, groups=groups, n_resamples="exact")
    rows = {tuple(r) for r in plan.matrix.astype(int)}
    wanted = {
        p
        for p in itertools.permutations(range(5))
        if {p[0], p[3], p[4]} == {0, 3, 4} and {p[1], p[2]} == {1, 2}
    }
    assert rows == wanted
    assert len(plan.matrix) == 12
    np.testing.assert_array_equal(plan.matrix[0], np.arange(5))
    auto = roi_permutations(5, groups=groups)
    np.testing.assert_array_equal(auto.matrix, plan.matrix)
    assert roi_permutations(5, groups=groups, n_resamples=50, rng=1).matrix.shape == (50, 5)


def test_permutations_within_groups_are_sampled_where_there_are_too_many():
    groups = [list(range(10)), [10, 11]]  # 10! x 2
    with pytest.raises(InputError, match=r"7\.26e\+06 permutations"):
        roi_permutations(12, groups=groups, n_resamples="exact")
    plan = roi_permutations(12, groups=groups, rng=1)
    assert plan.matrix.shape == (DEFAULT_RESAMPLES, 12)
    first = plan.matrix[:, :10].astype(int)
    np.testing.assert_array_equal(np.sort(first, axis=1), np.tile(np.arange(10), (len(first), 1)))
    # each place gets each label of its group equally often
    counts = np.array([np.bincount(first[:, j], minlength=10) for j in range(10)])
    assert np.abs(counts / len(first) - 0.1).max() < 5 * np.sqrt(0.09 / len(first))
    assert roi_permutations(12, groups=groups, n_resamples=30, rng=1).matrix.shape == (30, 12)


@pytest.mark.parametrize("groups", [[[0, 1], [1, 2]], [[0, 1]], [[0, 1], [2, 3]]])
def test_groups_hold_every_region_once(groups):
    with pytest.raises(InputError, match="exactly one group"):
        roi_permutations(3, groups=groups)


def test_rotations_of_a_hexagon_are_its_symmetries():
    angle = np.arange(6) * np.pi / 3
    hexagon = np.column_stack([np.cos(angle), np.sin(angle)]) + 7.0
    plan = roi_permutations(6, coordinates=hexagon, n_resamples=600, rng=1)
    found, often = np.unique(plan.matrix.astype(int), axis=0, return_counts=True)
    turns = {tuple((np.arange(6) + k) % 6) for k in range(6)}
    mirrored = {tuple((k - np.arange(6)) % 6) for k in range(6)}
    assert {tuple(r) for r in found} == turns | mirrored
    assert (np.abs(often / 600 - 1 / 12) < 5 * np.sqrt(1 / 12 * 11 / 12 / 600)).all()


def test_rotations_of_points_far_apart_keep_the_least_distance():
    places = np.random.default_rng(2).normal(size=(4, 3))
    rows = roi_permutations(4, coordinates=places, n_resamples=100, rng=1).matrix.astype(int)
    # what a turn by nothing would give is among them, and no more than the permutations there are
    assert (rows == np.arange(4)).all(axis=1).any()
    assert 1 < len(np.unique(rows, axis=0)) <= math.factorial(4)


def test_number_of_rotations():
    square = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    few = roi_permutations(4, coordinates=square, n_resamples=30, rng=1)
    assert few.matrix.shape == (30, 4)
    assert roi_permutations(4, coordinates=square, rng=1).matrix.shape == (DEFAULT_RESAMPLES, 4)
    with pytest.raises(InputError, match="cannot be enumerated"):
        roi_permutations(4, coordinates=square, n_resamples="exact")


@pytest.mark.parametrize("bad", [[[0.0], [1.0]], [[0.0, 1.0], [np.nan, 2.0]]])
def test_places_are_finite_and_in_two_dimensions(bad):
    with pytest.raises(InputError, match="coordinates"):
        roi_permutations(2, coordinates=np.array(bad), n_resamples=9)


def test_places_have_the_dimensions_that_distances_span():
    flat = np.array([[0.0, 0], [0, 3], [4, 0], [4, 3], [9, 1]])
    d = np.linalg.norm(flat[:, None] - flat[None], axis=-1)
    found = spin_coordinates(d)
    assert found.shape == (5, 2)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found[None], axis=-1), d, atol=1e-12)
    high = np.random.default_rng(0).normal(size=(9, 6))
    assert spin_coordinates(np.linalg.norm(high[:, None] - high[None], axis=-1)).shape == (9, 3)
    for unit in (1e-9, 1e9):
        assert spin_coordinates(unit * d).shape == (5, 2)
    with pytest.raises(InputError, match="two dimensions"):
        spin_coordinates(np.zeros((4, 4)))
    with pytest.raises(InputError, match="two dimensions"):
        spin_coordinates(np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0))))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d[:-1],
        lambda d: d[0],
        lambda d: np.where(np.eye(4, k=1) > 0, np.nan, d),
        lambda d: np.where(np.eye(4)[::-1] > 0, np.inf, d),
        lambda d: d + np.eye(4),
        lambda d: d + np.triu(np.ones((4, 4)), 1),
        lambda d: -d,
    ],
)
def test_distances_are_a_symmetric_matrix(spoil):
    places = np.array([[0.0, 0], [0, 1], [1, 0], [2, 2]])
    d = np.linalg.norm(places[:, None] - places[None], axis=-1)
    with pytest.raises(InputError, match="zero diagonal"):
        spin_coordinates(spoil(d))


def test_contraction_follows_cycles_out_and_in_again():
    rows = np.array(list(itertools.permutations(range(5))))
    keep = np.array([0, 2, 4])
    found = contract(rows, keep)
    for row, short in zip(rows, found, strict=True):
        wanted = []
        for k in keep:
            at = row[k]
            while at not in keep:
                at = row[at]
            wanted.append(list(keep).index(at))
        assert list(short) == wanted
    assert contract(rows, np.arange(5)) is rows
    _, often = np.unique(found, axis=0, return_counts=True)
    assert (often == 120 // 6).all()
