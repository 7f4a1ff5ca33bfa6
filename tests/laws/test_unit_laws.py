"""No p-value, degree of freedom or decision of any verb depends on the unit of the scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests import verb_data, verbs
from tests.verb_data import in_unit

POWERS = [k for k in range(-9, 10) if k]
UNITS = [10.0**k for k in POWERS]
SOME = [10.0**k for k in (-9, -5, -1, 3, 6, 9)]
# verbs of a tenth of a second or less, and those that others are made of: all units always; the rest in the long form
ALWAYS = {
    "coefficient_equivalence", "correlation_tost", "effect_size", "map_test", "power_tost", "rm_anova", "rope",
    "sample_size_tost", "evaluate_rdms", "tost", "tost_summary", "boot_ci", "second_order_rdms", "leaderboard",
    "BootstrapResult.below_ceiling", "BootstrapResult.ceilings", "pattern_identification", "alignment_patterns",
    "noise_ceiling", "nemenyi", "quade", "friedman", "mean_ranks", "compare", "equivalence", "equivalence_set", "lmm",
}  # fmt: skip
# options in the unit of the scores
IN_UNITS = ("bounds", "margin", "score_bounds", "sd", "difference", "mean_x", "sd_x", "mean_y", "sd_y", "estimate",
            "std_error", "gap_of", "mean")  # fmt: skip
# verbs whose input has no unit, or whose options are in another
UNITLESS = {
    "anova_effect": "an F",
    "correlation_difference_summary": "correlations",
    "correlation_tost_summary": "correlations",
    "power_correlation": "correlations",
    "calibrate": "a design, not scores",
    "power_study": "shares of the mean",
    "power_t": "the SD is 1",
}
OTHER_BOUNDS = ("correlation_difference", "correlation_tost")
NUMBERS = ("p_value", "df", "n_subject", "place", "number")
WORDS = (
    "decision",
    "in_set",
    "as_good",
    "like_a_person",
    "claim",
    "in_score",
    "in_agreement",
    "outcome_of",
    "state",
)


def call_of(verb: str, unit: float) -> dict[str, Any]:
    """The call of a verb with all that has a unit in this one."""
    call = verbs.base(verb)
    if verb in OTHER_BOUNDS:
        return call
    for key in IN_UNITS:
        if isinstance(call.get(key), (int, float)):
            call[key] = call[key] * unit
        elif isinstance(call.get(key), list):
            call[key] = [v * unit for v in call[key]]
    if verb == "claims":
        call["stated"] = [s | {"value": s["value"] * unit} for s in call["stated"]]
    return call


def told(verb: str, unit: float) -> pd.DataFrame:
    """What must not depend on the unit."""
    with in_unit(unit):
        table = verbs.run(verb, call_of(verb, unit)).table
    keep = [c for c in table.columns if c.startswith(NUMBERS) or c in WORDS]
    return table[keep].copy()


def test_the_law_has_something_to_compare() -> None:
    """Data are scaled, and most verbs have numbers or words without a unit."""
    assert set(UNITLESS) <= set(verbs.verbs())
    with in_unit(1e6):
        large = verbs.run("bootstrap", call_of("bootstrap", 1e6)).table["estimate"]
    small = verbs.run("bootstrap", call_of("bootstrap", 1.0)).table["estimate"]
    np.testing.assert_allclose(large, small * 1e6)
    for verb in (
        "brain_test",
        "claims",
        "compare",
        "equivalence",
        "equivalence_set",
        "map_test",
        "strict_alignment",
    ):
        columns = list(told(verb, 1.0).columns)
        assert len(columns) > 1, (verb, columns)


@pytest.mark.parametrize(
    "verb", [v for v in verbs.verbs() if v not in UNITLESS and v != "bayes_lmm"]
)
def test_no_decision_depends_on_the_unit(verb: str, long: bool) -> None:
    truth = told(verb, 1.0)
    for unit in UNITS if long or verb in ALWAYS else SOME:
        found = told(verb, unit)
        assert list(found.columns) == list(truth.columns)
        for column in truth.columns:
            a, b = truth[column], found[column]
            if pd.api.types.is_numeric_dtype(a) and not pd.api.types.is_bool_dtype(a):
                np.testing.assert_allclose(
                    b.to_numpy("f8"),
                    a.to_numpy("f8"),
                    rtol=1e-5,
                    atol=1e-9,
                    err_msg=f"{column}, unit {unit:g}",
                )
            else:
                assert b.tolist() == a.tolist(), (column, unit)
    assert verb_data.UNIT == [1.0]


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1e-5, 1e6])
def test_a_posterior_is_in_the_unit_of_the_scores(unit: float) -> None:
    """Up to the error of the draws: roundings part chains of the same seed."""
    pytest.importorskip("bambi", reason="needs the extra bayes")
    found = []
    for one in (1.0, unit):
        with in_unit(one):
            call = call_of("bayes_lmm", one) | {"draws": 500, "tune": 300, "report_failed": True}
            found.append(verbs.run("bayes_lmm", call).table)
    truth, scaled = found
    error = np.hypot(truth["mcse"], scaled["mcse"] / unit)
    assert ((truth["estimate"] - scaled["estimate"] / unit).abs() < 5 * error).all()
    assert scaled["term"].tolist() == truth["term"].tolist()
    # and so are spreads, known to one part in the root of twice the effective draws
    ratio = scaled["std_error"] / unit / truth["std_error"]
    assert (ratio.sub(1).abs() < 5 / np.sqrt(truth["ess_bulk"].clip(lower=100))).all()


@pytest.mark.parametrize("test", ["wilcoxon", "sign_flip", "trimmed", "permutation", "bootstrap"])
def test_no_decision_of_another_test_depends_on_the_unit(test: str) -> None:
    more = {"n_resamples": 99, "rng": 1} if test == "bootstrap" else {}
    truth = None
    for unit in (1.0, *SOME):
        with in_unit(unit):
            call = call_of("equivalence", unit) | {"test": test, **more}
            table = verbs.run("equivalence", call).table
        found = table[[c for c in table.columns if c.startswith("p_value")]].to_numpy("f8")
        truth = (found, table["decision"].tolist()) if truth is None else truth
        np.testing.assert_allclose(found, truth[0], rtol=1e-6, atol=1e-12)
        assert table["decision"].tolist() == truth[1]


# verbs that compare models of the same subjects, by scores
PAIRED = (
    "compare",
    "equivalence",
    "equivalence_set",
    "friedman",
    "nemenyi",
    "quade",
    "mean_ranks",
    "discriminability",
)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("verb", PAIRED)
def test_a_constant_per_subject_leaves_paired_contrasts_as_they_are(verb: str, size: float) -> None:
    call = verbs.base(verb)
    subjects = {
        s: size * v for s, v in zip(call["data"].levels("subject"), range(1, 99), strict=False)
    }
    frame = call["data"].frame
    moved = call["data"].with_frame(
        frame.assign(score=frame["score"] + frame["subject"].map(subjects))
    )
    a, b = (verbs.run(verb, call | {"data": d}).table for d in (call["data"], moved))
    keep = [
        c
        for c in a.columns
        if c.startswith(("p_value", "df", "statistic", "place", "estimate")) or c in WORDS
    ]
    assert keep
    for column in keep:
        if pd.api.types.is_numeric_dtype(a[column]) and not pd.api.types.is_bool_dtype(a[column]):
            np.testing.assert_allclose(b[column], a[column], rtol=1e-6, atol=1e-9, err_msg=column)
        else:
            assert b[column].tolist() == a[column].tolist(), column
