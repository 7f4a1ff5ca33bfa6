from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import CeilingError, DataError, DegenerateWarning, DesignError, InputError


def test_dense_and_long_hold_the_table(make_frame):
    frame = make_frame(missing=0.1, rng=1)
    table = apa.ScoreTable(frame)
    patterns = apa.alignment_patterns(table)
    keys = ["kind", "model", "layer", "subject", "metric", "split", "roi"]
    want = table.frame.dropna(subset=["score"]).sort_values(keys).reset_index(drop=True)
    found = patterns.table.sort_values(keys).reset_index(drop=True)
    pd.testing.assert_frame_equal(found[keys], want[keys], check_dtype=False)
    np.testing.assert_array_equal(found["value"], want["score"])


def test_row_order_does_not_matter(make_frame):
    frame = make_frame(missing=0.1, rng=1)
    a = apa.pattern_agreement(apa.alignment_patterns(apa.ScoreTable(frame))).frame
    shuffled = frame.sample(frac=1, random_state=0)
    b = apa.pattern_agreement(apa.alignment_patterns(apa.ScoreTable(shuffled))).frame
    keys = ["kind", "model", "layer", "subject", "roi"]
    a, b = (f.sort_values(keys).reset_index(drop=True) for f in (a, b))
    np.testing.assert_allclose(a["agreement"], b["agreement"], atol=1e-13)


def test_ceiling_scale(make_frame):
    frame = make_frame(rng=1)
    frame["score"] = frame["score"].abs() + 0.1
    patterns = apa.alignment_patterns(apa.ScoreTable(frame), scale="ceiling")
    pairs = frame[frame["kind"] == "subject_to_subject"]
    own = pairs[pairs["layer"] == pairs["roi"]].groupby(["subject", "roi"])["score"].mean()
    long = patterns.table
    for row in long.sample(50, random_state=1).itertuples():
        raw = frame[
            (frame["model"] == row.model) & (frame["layer"] == row.layer)
            & (frame["subject"] == row.subject) & (frame["roi"] == row.roi)
        ]  # fmt: skip
        assert row.value == pytest.approx(
            raw["score"].iloc[0] / own[row.subject, row.roi], rel=1e-13
        )
    same = long[(long["kind"] == "subject_to_subject") & (long["layer"] == long["roi"])]
    # the brain's own share of its ceiling averages to one for every subject and ROI
    np.testing.assert_allclose(same.groupby(["subject", "roi"])["value"].mean(), 1, rtol=1e-13)


def test_double_centring(make_frame):
    patterns = apa.alignment_patterns(apa.ScoreTable(make_frame()), scale="double_centred")
    for name in ("model", "leave_one_out"):
        a = patterns.arrays[name]
        np.testing.assert_allclose(a.mean(axis=-1), 0, atol=1e-15)
        np.testing.assert_allclose(a.mean(axis=-2), 0, atol=1e-15)
    frame = make_frame()
    rois = frame["roi"].unique().tolist()
    # what every predictor gets from a target is taken away
    shifted = frame.assign(score=frame["score"] + 10 * frame["roi"].map(rois.index))
    moved = apa.alignment_patterns(apa.ScoreTable(shifted), scale="double_centred")
    np.testing.assert_allclose(moved.arrays["model"], patterns.arrays["model"], atol=1e-12)


def test_column_profile_is_the_transpose(make_frame):
    table = apa.ScoreTable(make_frame())
    rows = apa.alignment_patterns(table)
    columns = apa.alignment_patterns(table, profile="column")
    np.testing.assert_array_equal(
        columns.arrays["leave_one_out"], np.swapaxes(rows.arrays["leave_one_out"], -1, -2)
    )
    agreement = apa.pattern_agreement(columns)
    assert agreement.levels("model") == ["brain"]


def test_self_entry_out_drops_from_both_sides(make_frame):
    frame = make_frame()
    patterns = apa.alignment_patterns(apa.ScoreTable(frame), self_entry="out")
    assert np.isnan(np.diagonal(patterns.arrays["leave_one_out"], axis1=-2, axis2=-1)).all()
    before = apa.pattern_agreement(patterns).frame
    # changing a model's score on R2 cannot move its agreement with R2
    frame.loc[(frame["kind"] == "model") & (frame["roi"] == "R2"), "score"] += 5
    after = apa.pattern_agreement(
        apa.alignment_patterns(apa.ScoreTable(frame), self_entry="out")
    ).frame
    same = (before["roi"] == "R2").to_numpy()
    np.testing.assert_allclose(before["agreement"][same], after["agreement"][same], atol=1e-12)
    model = (before["kind"] == "model").to_numpy()
    assert ((before["agreement"] - after["agreement"]).abs() > 1e-3)[~same & model].all()


def test_save_and_load(make_frame, tmp_path):
    patterns = apa.alignment_patterns(apa.ScoreTable(make_frame().assign(stream="x")))
    patterns.save(tmp_path / "p")
    again = apa.load_result(tmp_path / "p")
    pd.testing.assert_frame_equal(
        apa.pattern_agreement(again).frame, apa.pattern_agreement(patterns).frame
    )
    assert again.info["self_entry"] == "in"


def test_bad_input(make_frame):
    frame = make_frame()
    table = apa.ScoreTable(frame)
    with pytest.raises(InputError, match="profile: got 'diagonal'"):
        apa.alignment_patterns(table, profile="diagonal")
    with pytest.raises(InputError, match="self_entry: got 'maybe'"):
        apa.alignment_patterns(table, self_entry="maybe")
    with pytest.raises(InputError, match="scale: got 'z'"):
        apa.alignment_patterns(table, scale="z")
    with pytest.raises(InputError, match="outcome: got 'r2'"):
        apa.alignment_patterns(table, outcome="r2")
    with pytest.raises(InputError, match="table: got an array"):
        apa.alignment_patterns(frame["score"].to_numpy())
    with pytest.raises(DesignError, match="2 ROIs"):
        apa.alignment_patterns(table.where(roi=["R0", "R1"]))
    with pytest.raises(DesignError, match="column profiles need brain rows"):
        apa.alignment_patterns(table.where(kind="model"), profile="column")
    with pytest.raises(CeilingError, match="are not above zero"):
        apa.alignment_patterns(table, scale="ceiling")
    twice = pd.concat([frame.assign(fold=1), frame.assign(fold=2)], ignore_index=True)
    with pytest.raises(DesignError, match=r"differ in \['fold'"):
        apa.alignment_patterns(apa.ScoreTable(twice))
    own = frame.assign(
        model=frame["model"].where(frame["kind"] != "subject_to_subject", frame["subject"])
    )
    own = own.drop_duplicates(["kind", "model", "layer", "subject", "roi"])
    with pytest.raises(DesignError, match="predicts itself"):
        apa.alignment_patterns(apa.ScoreTable(own))
    stranger = frame.replace({"model": {"s3": "s9"}})
    with pytest.raises(DesignError, match="'s9' is never a target"):
        apa.alignment_patterns(apa.ScoreTable(stranger))


def test_constant_pattern(make_frame):
    frame = make_frame()
    frame.loc[(frame["model"] == "m1") & (frame["subject"] == "s2"), "score"] = 0.3
    table = apa.ScoreTable(frame)
    with pytest.raises(DataError, match="1 model patterns are constant.*m1 l0 on s2"):
        apa.alignment_patterns(table)
    with pytest.warns(DegenerateWarning, match="m1 l0 on s2"):
        patterns = apa.alignment_patterns(table, on_constant="nan")
    assert len(patterns.notes) == 1
    agreement = apa.pattern_agreement(patterns)
    rows = agreement.frame[agreement.frame["model"] == "m1"]
    assert "s2" not in set(rows["subject"])


def test_low_ceiling_as_nan(make_frame):
    frame = make_frame(n_roi=6)
    frame["score"] = frame["score"].abs() + 0.1
    brain = frame["kind"] == "subject_to_subject"
    low = brain & (frame["subject"] == "s0") & (frame["roi"] == "R0") & (frame["layer"] == "R0")
    frame.loc[low, "score"] = -0.1
    patterns = apa.alignment_patterns(apa.ScoreTable(frame), scale="ceiling", on_low="nan")
    assert np.isnan(patterns.arrays["model"][0, 0, :, 0]).all()
    assert np.isfinite(patterns.arrays["model"][0, 1:]).all()
