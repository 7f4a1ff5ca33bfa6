from __future__ import annotations

import numpy as np
import pytest

import apastats as apa
from apastats.errors import DataError, InputError, MarginError

ROIS = ["V1", "V2", "V3", "V4"]


@pytest.fixture(scope="module")
def study():
    return apa.simulate(n_subject=10, n_model=6, n_tied=2, gap=0.3, rois=ROIS, rng=2)


@pytest.fixture(scope="module")
def tables(study):
    best = apa.select_layer(study.scores)
    patterns = apa.alignment_patterns(study.scores.where(split="test"))
    return best, apa.selected_rows(apa.pattern_agreement(patterns), best)


def test_both_criteria_as_tested_alone(tables):
    best, agreement = tables
    strict = apa.strict_alignment(best, agreement, score_bounds=0.05, agreement_bounds=0.8)
    models = agreement.with_frame(agreement.frame[agreement.frame["model"] != "brain"])
    options = {"reference": "best", "hypothesis": "noninferiority"}
    keys = ["model", "roi", "metric"]
    for name, table, outcome, bounds in (
        ("score", best, "score", 0.05),
        ("agreement", models, "z_person", 0.8),
    ):
        alone = apa.equivalence(
            f"{outcome} ~ model | roi + metric", table, bounds=bounds, **options
        ).table
        both = strict.table.merge(alone, on=keys)
        assert len(both) == len(alone) == 5 * 4
        np.testing.assert_allclose(both[f"p_value_{name}"], both["p_value_noninf_adjusted"])
        inside = both[f"in_{name}"] == "in"
        assert (inside == (both["p_value_noninf_adjusted"] <= 0.05)).all()
    p = strict.table[["p_value_score", "p_value_agreement"]].max(axis=1)
    np.testing.assert_array_equal(strict.table["p_value"], p)
    assert ((strict.table["decision"] == "aligned") == (p <= 0.05)).all()


def test_one_best_per_cell_and_it_is_in_its_own_set(tables):
    strict = apa.strict_alignment(*tables, score_bounds=0.05, agreement_bounds=0.8)
    top = strict.table[strict.table["p_value_score"] == 0]
    assert len(top) == 4
    assert (top["in_score"] == "in").all()


def test_counts_shrink_and_intervals_hold_the_count(tables):
    strict = apa.strict_alignment(*tables, score_bounds=0.05, agreement_bounds=0.8)
    counts = strict.counts().pivot(index="roi", columns="criterion")
    for column in ("estimate", "conf_low", "conf_high"):
        assert (counts[column]["both"] <= counts[column]["score"]).all()
        assert (counts[column]["both"] <= counts[column]["agreement"]).all()
    assert (counts["conf_low"] <= counts["conf_high"]).all().all()
    assert (counts["n_model"] == 6).all().all()


def test_true_equals_are_found(study, tables):
    strict = apa.strict_alignment(*tables, score_bounds=0.05, agreement_bounds=0.8)
    decisions = strict.table.pivot(index="model", columns="roi", values="in_score")
    assert (decisions.loc[["model_01", "model_02"]] == "in").all().all()
    assert (decisions.loc["model_06"] == "out").all()


def test_by_comparison_with_the_best(tables):
    best, agreement = tables
    strict = apa.strict_alignment(
        best, agreement, score_bounds=0.05, agreement_bounds=0.8, method="mcb"
    )
    alone = apa.equivalence_set(
        "score ~ model | roi + metric", best, bounds=0.05, family="all"
    ).table
    both = strict.table.merge(alone, on=["model", "roi", "metric"])
    assert len(both) == len(alone) == 24
    assert ((both["in_score"] == "in") == (both["decision_y"] == "equivalent to the best")).all()
    assert ((both["in_score"] == "out") == (both["decision_y"] == "worse than the margin")).all()
    counts = strict.counts()
    assert (counts["conf_low"] <= counts["conf_high"]).all()
    with pytest.raises(InputError, match="method: got 'x'"):
        apa.strict_alignment(best, agreement, score_bounds=0.1, agreement_bounds=0.8, method="x")


def test_against_the_brain(tables):
    strict = apa.strict_alignment(
        *tables,
        score_bounds=0.05,
        agreement_bounds=0.5,
        agreement_reference="brain",
        hypothesis="equivalence",
    )
    assert "brain" not in set(strict.table["model"])
    assert len(strict.table) == 6 * 4
    assert strict.info["agreement_reference"] == "brain"


def test_bad_input(tables):
    best, agreement = tables
    with pytest.raises(MarginError):
        apa.strict_alignment(best, agreement, score_bounds=0.05)
    with pytest.raises(MarginError):
        apa.strict_alignment(best, agreement, agreement_bounds=0.05)
    margins = {"score_bounds": 0.05, "agreement_bounds": 0.5}
    with pytest.raises(InputError, match="hypothesis: got 'superiority'"):
        apa.strict_alignment(best, agreement, hypothesis="superiority", **margins)
    with pytest.raises(InputError, match="agreement_reference: got 'V1'"):
        apa.strict_alignment(best, agreement, agreement_reference="V1", **margins)
    with pytest.raises(InputError, match="table: got 'DataFrame'"):
        apa.strict_alignment(best.frame, agreement, **margins)
    other = agreement.with_frame(agreement.frame.replace({"roi": {r: r + "x" for r in ROIS}}))
    with pytest.raises(DataError, match="no model and cell in common"):
        apa.strict_alignment(best, other, **margins)
