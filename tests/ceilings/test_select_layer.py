from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DataError, DesignError, InputError


def frame_of(rng=0, n_subject=4, layers=("a", "b", "c"), splits=("train", "test")):
    g = np.random.default_rng(rng)
    rows = [
        (m, la, f"s{s}", r, split, g.normal())
        for m in ("m1", "m2")
        for la in layers
        for s in range(n_subject)
        for r in ("R1", "R2")
        for split in splits
    ]
    return pd.DataFrame(rows, columns=["model", "layer", "subject", "roi", "split", "score"])


def test_train_split_by_hand():
    frame = frame_of()
    best = apa.select_layer(apa.ScoreTable(frame)).frame
    assert set(best["split"]) == {"test"}
    train = frame[frame["split"] == "train"]
    for (m, r), part in train.groupby(["model", "roi"]):
        want = part.groupby("layer")["score"].mean().idxmax()
        rows = best[(best["model"] == m) & (best["roi"] == r)]
        assert set(rows["layer"]) == {want}
        assert len(rows) == 4


def test_cross_subject_by_hand():
    frame = frame_of(rng=3, splits=("test",))
    frame.loc[5, "score"] = np.nan
    best = apa.select_layer(apa.ScoreTable(frame), on="cross_subject").frame
    for row in best.itertuples():
        rest = frame[
            (frame["model"] == row.model)
            & (frame["roi"] == row.roi)
            & (frame["subject"] != row.subject)
        ]
        assert row.layer == rest.groupby("layer")["score"].mean().idxmax()
    assert len(best) == 2 * 2 * 4


def test_own_scores_do_not_matter_across_subjects():
    frame = frame_of(rng=4, splits=("test",))
    before = apa.select_layer(apa.ScoreTable(frame), on="cross_subject").frame
    frame.loc[(frame["subject"] == "s1") & (frame["layer"] == "c"), "score"] += 100
    after = apa.select_layer(apa.ScoreTable(frame), on="cross_subject").frame
    assert (
        before.loc[before["subject"] == "s1", "layer"].tolist()
        == after.loc[after["subject"] == "s1", "layer"].tolist()
    )
    assert set(after.loc[after["subject"] != "s1", "layer"]) == {"c"}


@pytest.mark.parametrize("on", ["train", "cross_subject"])
def test_ties_by_name_whatever_the_order(on):
    frame = frame_of()
    frame["score"] = 0.1 + 0.2
    frame.loc[frame["layer"] == "b", "score"] = 0.3  # equal up to rounding
    for seed in range(3):
        table = apa.ScoreTable(frame.sample(frac=1, random_state=seed))
        best = apa.select_layer(table, on=on)
        assert best.levels("layer") == ["a"]
        assert any("ties" in line for line in best.log)


def test_log_says_what_was_chosen_on_what():
    best = apa.select_layer(apa.ScoreTable(frame_of()))
    assert best.log[-1] == (
        "layer of 4 model x ROI x metric cells chosen on score, the train data of all subjects; reported: test"
    )


def test_other_rows_go_and_the_brain_stays():
    frame = frame_of().assign(kind="model")
    brain = frame[(frame["model"] == "m1") & (frame["layer"] == "a")]
    brain = brain.assign(kind="leave_one_out", model="brain", layer="-")
    other = brain.assign(model="others", layer="R1")
    best = apa.select_layer(apa.ScoreTable(pd.concat([frame, brain, other])))
    assert set(best.levels("model")) == {"m1", "m2", "brain"}


def test_metrics_apart():
    frame = pd.concat([frame_of(0).assign(metric="x"), frame_of(1).assign(metric="y")])
    both = apa.select_layer(apa.ScoreTable(frame))
    for metric in ("x", "y"):
        one = apa.select_layer(apa.ScoreTable(frame[frame["metric"] == metric]))
        pd.testing.assert_frame_equal(both.where(metric=metric).frame, one.frame)


def test_second_outcome():
    frame = frame_of()
    frame["score2"] = -frame["score"]
    table = apa.ScoreTable(frame, outcomes=("score", "score2"))
    low = apa.select_layer(table, outcome="score2").frame
    train = frame[frame["split"] == "train"]
    for (m, r), part in train.groupby(["model", "roi"]):
        want = part.groupby("layer")["score"].mean().idxmin()
        assert set(low.loc[(low["model"] == m) & (low["roi"] == r), "layer"]) == {want}


def test_nothing_to_choose_by():
    frame = frame_of()
    frame.loc[(frame["model"] == "m1") & (frame["roi"] == "R1"), "score"] = np.nan
    best = apa.select_layer(apa.ScoreTable(frame))
    assert best.where(model="m1", roi="R1").levels("layer") == ["a"]
    assert any("1 choices had no value" in line for line in best.log)


def test_selected_rows():
    table = apa.ScoreTable(frame_of())
    best = apa.select_layer(table)
    pd.testing.assert_frame_equal(
        apa.select_layer(table).frame, apa.selected_rows(table, best).frame
    )


def test_bad_input():
    table = apa.ScoreTable(frame_of())
    with pytest.raises(
        InputError, match="on: got 'val'; allowed: 'cross_subject' or a split among"
    ):
        apa.select_layer(table, on="val")
    with pytest.raises(InputError, match="split other than 'train'"):
        apa.select_layer(table, on="train", split="train")
    with pytest.raises(InputError, match="same data flatters"):
        apa.select_layer(table.where(split="test"), on="test")
    with pytest.raises(InputError, match="outcome: got 'r'"):
        apa.select_layer(table, outcome="r")
    with pytest.raises(InputError, match="split: got 'dev'"):
        apa.select_layer(table, split="dev")
    with pytest.raises(InputError, match="table: got 'scores'"):
        apa.select_layer("scores")
    with pytest.raises(DesignError, match="two subjects"):
        apa.select_layer(table.where(subject="s0", split="test"), on="cross_subject")
    brain = frame_of().assign(kind="leave_one_out")
    with pytest.raises(DataError, match="no model rows"):
        apa.select_layer(apa.ScoreTable(brain))
    hole = frame_of()
    hole = hole[~((hole["model"] == "m2") & (hole["split"] == "train"))]
    with pytest.raises(DataError, match=r"'m2'.*has no row to choose a layer on"):
        apa.select_layer(apa.ScoreTable(hole))
    with pytest.raises(DataError, match="no row is at a layer"):
        apa.selected_rows(apa.ScoreTable(frame_of(layers=("z",))), apa.select_layer(table))


def test_the_order_of_rois_and_models_is_kept() -> None:
    import apastats as apa

    study = apa.simulate(n_subject=4, n_model=3, n_layer=4, rng=2)
    best = apa.select_layer(study.scores, on="train")
    assert best.levels("roi") == study.scores.levels("roi")
    assert best.levels("model") == study.scores.where(kind="model").levels("model")
    agreement = apa.pattern_agreement(apa.alignment_patterns(study.scores))
    assert apa.selected_rows(agreement, best).levels("roi") == agreement.levels("roi")
