"""Shares of the ceiling as rows per subject."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import CeilingError, DataError, InputError

BY = ["roi", "metric", "split"]


@pytest.fixture(scope="module")
def study() -> apa.simulation.SimulatedStudy:
    return apa.simulate(n_subject=8, n_model=3, n_layer=2, rois=["V1", "V4", "MT"], rng=3)


def test_each_row_over_its_own_ceiling(study) -> None:
    ceiling = apa.noise_ceiling(study.scores, kind="subject_to_subject", by=BY)
    rows = apa.normalized_rows(study.scores, ceiling)
    own = ceiling.per_subject().set_index([*BY, "subject"])["value"]
    for row in rows.frame.sample(200, random_state=1).itertuples():
        key = (row.roi, row.metric, row.split, row.subject)
        assert row.share == pytest.approx(row.score / own[key], rel=1e-12)
    # brain rows of the same ROI average to 1 for every subject by construction
    f = rows.frame
    same = f[(f["kind"] == "subject_to_subject") & (f["layer"] == f["roi"])]
    np.testing.assert_allclose(same.groupby(["subject", "roi", "split"])["share"].mean(), 1)


@pytest.mark.parametrize("how", ["mean_of_ratios", "ratio_of_means"])
@pytest.mark.parametrize("kind", ["leave_one_out", "subject_to_subject"])
def test_means_and_errors_are_those_of_normalize(study, how, kind) -> None:
    best = apa.select_layer(study.scores, on="train")
    ceiling = apa.noise_ceiling(study.scores, kind=kind)
    whole = apa.normalize(best, ceiling, how=how).table.set_index(["model", "roi"])
    rows = apa.normalized_rows(best, ceiling, how=how).frame.groupby(["model", "roi"])["share"]
    np.testing.assert_allclose(rows.mean()[whole.index], whole["estimate"], rtol=1e-12)
    if how == "ratio_of_means":
        np.testing.assert_allclose(rows.sem()[whole.index], whole["std_error"], rtol=1e-9)


def test_every_verb_takes_shares(study) -> None:
    rows = apa.normalized_rows(study.scores, apa.noise_ceiling(study.scores, by=BY))
    best = apa.select_layer(rows, on="train")
    patterns = apa.alignment_patterns(rows.where(split="test"))
    scores = rows.frame[rows.frame["split"] == "test"]
    one = scores[(scores["kind"] == "model") & (scores["subject"] == "sub-01")]
    first = one[(one["model"] == "model_01") & (one["layer"] == one["layer"].iloc[0])]
    wide = first.set_index("roi")["share"]
    assert np.isclose(patterns.arrays["model"][0, 0, 0], wide[patterns.dense.rois]).all()
    for verb, options in (("equivalence", {"bounds": 0.3}), ("equivalence_set", {"bounds": 0.3})):
        found = getattr(apa, verb)("share ~ model | roi", best, **options)
        assert found.info.outcome.quantity == "share of the noise ceiling"
    mean = apa.bootstrap("share ~ model", best, within="roi").table.set_index("model")["estimate"]
    by_hand = best.frame.groupby(["model", "subject"])["share"].mean().groupby("model").mean()
    np.testing.assert_allclose(mean, by_hand[mean.index])


def test_what_cannot_be_divided(study) -> None:
    ceiling = apa.noise_ceiling(study.scores)
    with pytest.raises(InputError, match="ceilings by split"):
        apa.normalized_rows(study.scores, ceiling)
    best = apa.select_layer(study.scores, on="train")
    with pytest.raises(DataError, match="no ceiling for"):
        apa.normalized_rows(best, apa.noise_ceiling(study.scores.where(roi=["V1", "V4"])))
    low = study.scores.frame.copy()
    brain = (low["kind"] == "leave_one_out") & (low["roi"] == "MT") & (low["layer"] == "MT")
    for split in ("train", "test"):
        rows = brain & (low["split"] == split)
        low.loc[rows, "score"] -= low.loc[rows, "score"].mean()
    table = apa.ScoreTable(low)
    none = apa.noise_ceiling(table)
    best = apa.select_layer(table, on="train")
    with pytest.raises(CeilingError, match="MT"):
        apa.normalized_rows(best, none)
    with pytest.warns(apa.errors.CeilingWarning, match="NaN there"):
        shares = apa.normalized_rows(best, none, on_low="nan").frame
    assert shares.loc[shares["roi"] == "MT", "share"].isna().all()
    assert shares.loc[shares["roi"] != "MT", "share"].notna().all()


def test_within_is_the_mean_of_each_subject_first(study) -> None:
    best = apa.select_layer(study.scores, on="train")
    found = apa.bootstrap("score ~ model", best, within="roi", interval="percentile")
    frame = best.frame.groupby(["model", "subject"], as_index=False, sort=False)["score"].mean()
    by_hand = apa.ScoreTable(frame.assign(roi="all"))
    expected = apa.bootstrap("score ~ model", by_hand, interval="percentile")
    pd.testing.assert_frame_equal(found.table, expected.table)
    assert "mean over levels of roi" in found.info.method
    with pytest.raises(InputError, match="within: got 'roi'"):
        apa.bootstrap("score ~ model | roi", best, within="roi")
    with pytest.raises(InputError, match="chosen anew"):
        apa.bootstrap("score ~ model", study.scores, within="roi", reselect="layer")
