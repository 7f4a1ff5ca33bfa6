from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import DesignError, InputError


@pytest.fixture(scope="module")
def found():
    study = apa.simulate(n_subject=6, n_model=3, n_layer=4, rois=["V1", "V2", "V4", "MT"], rng=1)
    patterns = apa.alignment_patterns(study.scores.where(split="test"))
    return patterns, apa.layer_agreement(patterns)


def test_every_layer_with_its_interval(found):
    patterns, curve = found
    f = apa.pattern_agreement(patterns).frame
    assert len(curve.table) == 3 * 4 * 4
    for row in curve.table.sample(10, random_state=1).itertuples():
        part = f[(f["model"] == row.model) & (f["layer"] == row.layer) & (f["roi"] == row.roi)][
            ["agreement", "agreement_person"]
        ]
        assert row.estimate == pytest.approx(part["agreement"].mean(), abs=1e-12)
        error = stats.sem(part["agreement_person"])
        low, high = stats.t.interval(0.95, 5, part["agreement"].mean(), error)
        assert (row.conf_low, row.conf_high) == pytest.approx((low, high))
        own = f[(f["model"] == "brain") & (f["roi"] == row.roi)]["agreement"].mean()
        assert row.brain == pytest.approx(own)


def test_order_and_rank(found):
    table = found[1].table
    one = table[(table["model"] == "model_02") & (table["roi"] == "V1")]
    assert one["layer"].tolist() == [f"layer_{i:02d}" for i in range(1, 5)]
    np.testing.assert_allclose(one["depth"], [0, 1 / 3, 2 / 3, 1])
    assert one.loc[one["rank"] == 1, "estimate"].item() == one["estimate"].max()


def test_layers_selected_on_agreement_of_other_subjects(found):
    agreement = apa.pattern_agreement(found[0])
    chosen = apa.select_layer(agreement, on="cross_subject", outcome="agreement")
    f = agreement.frame
    row = chosen.frame[chosen.frame["model"] == "model_01"].iloc[5]
    rest = f[
        (f["model"] == row["model"]) & (f["roi"] == row["roi"]) & (f["subject"] != row["subject"])
    ]
    assert row["layer"] == rest.groupby("layer")["agreement"].mean().idxmax()
    assert "chosen on agreement" in " ".join(chosen.log)


def test_plot(found):
    ax = found[1].plot(roi="V1")
    assert len(ax.lines) == 3 + 1
    assert len(found[1].plot().lines) == 4
    with pytest.raises(InputError, match="roi: got 'V9'"):
        found[1].plot(roi="V9")


def test_bad_input(found, make_frame):
    with pytest.raises(InputError, match="conf_level: got 0"):
        apa.layer_agreement(found[0], conf_level=0)
    frame = make_frame()
    brain = apa.alignment_patterns(apa.ScoreTable(frame[frame["kind"] != "model"]))
    with pytest.raises(DesignError, match="there are no models"):
        apa.layer_agreement(brain)
