from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import DataError, DesignError, InputError, SmallSampleWarning
from tests.comparing.test_sets import study


def test_friedman_agrees_with_scipy_with_ties():
    x = np.random.default_rng(1).integers(0, 5, (9, 4)).astype(float)
    row = apa.friedman(x).tidy().iloc[0]
    theirs = stats.friedmanchisquare(*x.T)
    assert row["statistic"] == pytest.approx(theirs.statistic)
    assert row["p_value"] == pytest.approx(theirs.pvalue)


def test_nemenyi_by_table_and_its_critical_difference():
    found = apa.nemenyi("score ~ model | roi", study()).tidy()
    assert len(found) == 2 * 15
    assert (found["different"] == (found["estimate"].abs() >= found["critical_difference"])).all()


def test_places_hold_the_observed_one():
    found = apa.mean_ranks("score ~ model | roi", study()).tidy()
    assert ((found["place_low"] <= found["place"]) & (found["place"] <= found["place_high"])).all()
    best = found[(found["model"] == "m0") & (found["roi"] == "r0")].iloc[0]
    assert (best["place_low"], best["place_high"]) == (1, 2)


def test_first_is_the_best_in_ranks_and_places():
    scores = np.array([[0.1, 0.3, 0.2, 0.3], [0.2, 0.4, 0.1, 0.4], [0.1, 0.5, 0.3, 0.5]])
    found = apa.mean_ranks(scores).tidy()
    np.testing.assert_allclose(
        found["estimate"], stats.rankdata(-scores, axis=1).mean(axis=0), atol=1e-12
    )
    assert found["place"].tolist() == [4, 1, 3, 1]
    # means that differ by rounding alone are tied
    assert apa.mean_ranks([[0.1 + 0.2, 0.3], [0.3, 0.1 + 0.2]]).tidy()["place"].tolist() == [1, 1]


@pytest.mark.parametrize("verb", ["equivalence", "compare", "mean_ranks", "lmm"])
def test_rows_of_several_kinds(verb):
    half = study().frame
    noise = np.random.default_rng(1).normal(0, 0.01, len(half))
    other = half.assign(
        kind="leave_one_out", model=half["model"] + "_b", layer="r", score=half["score"] + noise
    )
    both = apa.ScoreTable(pd.concat([half, other]))
    options = {"equivalence": {"bounds": 0.05}}.get(verb, {})
    formula = "score ~ model + (1 | subject)" if verb == "lmm" else "score ~ model | roi"
    run = getattr(apa, verb)
    listed = run(formula, both, kind=["model", "leave_one_out"], **options).tidy()
    pd.testing.assert_frame_equal(listed, run(formula, both, kind=None, **options).tidy())
    pd.testing.assert_frame_equal(
        run(formula, both, kind=["model"], **options).tidy(), run(formula, both, **options).tidy()
    )
    with pytest.raises(InputError, match="kind: got 'subject_to_subject'"):
        run(formula, both, kind=["model", "subject_to_subject"], **options)


def test_letters_of_a_comparison():
    found = apa.compare("score ~ model | roi", study(), family="cell")
    letters = found.letters(roi="r0")
    assert set(letters["m0"]) & set(letters["m1"])
    assert not set(letters["m0"]) & set(letters["m5"])
    with pytest.raises(DataError, match="all pairs of one cell"):
        found.letters()
    with pytest.raises(InputError, match="roi: got 'V9'"):
        found.letters(roi="V9")


def test_compare_alternatives_and_adjustments():
    table = study()
    two = apa.compare("score ~ model | roi", table, reference="m0", adjust="none").tidy()
    less = apa.compare(
        "score ~ model | roi", table, reference="m0", adjust="none", alternative="less"
    ).tidy()
    negative = two["estimate"] < 0
    np.testing.assert_allclose(less.loc[negative, "p_value"], two.loc[negative, "p_value"] / 2)
    for adjust in ("tukey", "max-t", "max-t-step-down", "hommel", "by"):
        found = apa.compare("score ~ model | roi", table, adjust=adjust).tidy()
        assert (found["p_value_adjusted"] >= found["p_value"] - 1e-12).mean() > 0.9


def test_tukey_agrees_with_the_range_of_scipy():
    table = study(cells=1)
    found = apa.compare("score ~ model | roi", table, adjust="tukey").tidy()
    row = found.iloc[1]
    expected = stats.studentized_range.sf(abs(row["statistic"]) * np.sqrt(2), 6, row["df"])
    assert row["p_value_adjusted"] == pytest.approx(expected, abs=1e-9)


def test_step_down_max_t_is_never_worse():
    table = study(seed=3, gap=0.02)
    single = apa.equivalence("score ~ model | roi", table, bounds=0.05, adjust="max-t").tidy()
    step = apa.equivalence(
        "score ~ model | roi", table, bounds=0.05, adjust="max-t-step-down"
    ).tidy()
    for column in ("p_value_adjusted", "p_value_equiv_adjusted", "p_value_noninf_adjusted"):
        assert (step[column] <= single[column] + 1e-12).all()


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: apa.friedman([1, 2, 3]), InputError, "values: got"),
        (lambda: apa.friedman([[1, 2, 3]]), DesignError, "1 complete subjects"),
        (lambda: apa.friedman([[1, 2], [2, 1]], statistic="z"), InputError, "statistic: got 'z'"),
        (lambda: apa.quade("score ~ model | roi", "x"), InputError, "a ScoreTable"),
        (
            lambda: apa.compare("score ~ model | roi", study(), alternative="up"),
            InputError,
            "alternative: got 'up'",
        ),
        (
            lambda: apa.compare("score ~ model | roi", study(), adjust="tukey", reference="m0"),
            InputError,
            "'tukey' with test='t' and all pairs",
        ),
        (
            lambda: apa.compare("score ~ model | roi", study(), adjust="max-t", test="wilcoxon"),
            InputError,
            "max-t is for tests of the mean",
        ),
        (lambda: apa.closed_p([0.1] * 17), InputError, "at most 16"),
        (lambda: apa.closed_p([2.0]), InputError, "numbers between 0 and 1"),
        (lambda: apa.hierarchical_p([0.1], ["a", "b"]), InputError, "one per p-value"),
        (lambda: apa.compact_letters(["a"], [("a", "z")]), InputError, "different: got"),
        (lambda: apa.adjust_p([0.1, 2]), InputError, "p: got 2.0"),
        (lambda: apa.adjust_p([0.1, 0.2], family_size=1), InputError, "family_size: got 1"),
    ],
)
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()


def holed() -> apa.ScoreTable:
    """Two people lack a model in one region."""
    table = study()
    frame = table.frame.copy()
    people = sorted(frame["subject"].unique())
    gone = (frame["roi"] == "r0") & (frame["model"] == "m1") & frame["subject"].isin(people[:2])
    return table.with_frame(frame[~gone].reset_index(drop=True))


def test_skillings_and_mack_published_table():
    n = np.nan
    x = np.array(
        [[3.2, 4.1, 3.8, 4.2], [3.1, 3.9, 3.4, 4.0], [4.3, 3.5, 4.6, 4.8], [3.5, 3.6, 3.9, 4.0], [3.6, 4.2, 3.7, 3.9],
         [4.5, 4.7, 3.7, n], [n, 4.2, 3.4, n], [4.3, 4.6, 4.4, 4.9], [3.5, n, 3.7, 3.9]]
    )  # fmt: skip
    row = apa.friedman(x, incomplete="use").tidy().iloc[0]
    # Skillings and Mack (1981): T = 15.49, and p = .0014 by chi-squared with 3 df
    assert row["statistic"] == pytest.approx(15.493, abs=5e-4)
    assert row["p_value"] == pytest.approx(0.00144, abs=1e-5)
    assert (row["df"], row["n_subject"]) == (3, 9)
    assert apa.friedman(x).tidy()["n_subject"].item() == 6
    with pytest.raises(InputError, match="'chi2' with incomplete='use'"):
        apa.friedman(x, incomplete="use", statistic="F")


def test_skillings_and_mack_is_friedman_where_nothing_is_missing():
    x = np.random.default_rng(1).integers(0, 5, (9, 4)).astype(float)
    used, plain = (apa.friedman(x, incomplete=w).tidy().iloc[0] for w in ("use", "drop"))
    assert used["statistic"] == pytest.approx(plain["statistic"], rel=1e-12)
    assert used["p_value"] == pytest.approx(plain["p_value"], rel=1e-10)


def test_skillings_and_mack_keeps_its_level_with_holes():
    rng = np.random.default_rng(2)
    p = []
    for _ in range(600):
        x = rng.normal(size=(12, 4)) + rng.normal(size=(12, 1))
        x[rng.random(x.shape) < 0.25] = np.nan
        p.append(apa.friedman(x, incomplete="use").tidy()["p_value"].item())
    assert 0.025 < np.mean(np.array(p) <= 0.05) < 0.075


def test_models_in_parts_are_refused():
    n = np.nan
    x = np.array([[1, 2, n, n], [2, 1.5, n, n], [n, n, 1, 2], [n, n, 3, 2.5]])
    with pytest.raises(DesignError, match="fall into parts"):
        apa.friedman(x, incomplete="use")
    with pytest.raises(DesignError, match="leaderboard takes tables with holes"):
        apa.friedman(x)


@pytest.mark.parametrize(
    "verb", ["friedman", "quade", "nemenyi", "mean_ranks", "equivalence_set", "discriminability"]
)
def test_people_without_every_model_are_counted_in_a_note(verb: str):
    call = getattr(apa, verb)
    found = call("score ~ model | roi", holed())
    assert any(
        n.startswith("2 subjects without every model in 1 of 2 cells left out") for n in found.notes
    )
    assert not any("left out" in n for n in call("score ~ model | roi", study()).notes)


def test_pairs_keep_who_has_both():
    found = apa.compare("score ~ model | roi", holed())
    assert any("each pair rests on the subjects that have both" in n for n in found.notes)
    table = found.tidy()
    own = table["contrast"].str.contains("m1") & (table["roi"] == "r0")
    assert (table.loc[own, "n_subject"] == table["n_subject"].max() - 2).all()
    assert not apa.compare("score ~ model | roi", study()).notes


def test_few_people_are_told_of_the_interval_of_the_set():
    def table(n: int) -> apa.ScoreTable:
        x = np.random.default_rng(4).normal(size=(n, 4))
        rows = [(f"s{i}", f"m{j}", "V1", x[i, j]) for i in range(n) for j in range(4)]
        return apa.ScoreTable(pd.DataFrame(rows, columns=["subject", "model", "roi", "score"]))

    with pytest.warns(SmallSampleWarning, match="9 subjects; the interval of the size of the set"):
        apa.discriminability("score ~ model | roi", table(9), rng=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SmallSampleWarning)
        apa.discriminability("score ~ model | roi", table(10), rng=1)
