"""All pairs of many models: the rows that are shown are those of the whole table, and the counts are of all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.comparing import many_pairs
from apastats.comparing.discriminability import expected_pairs, separated_pairs
from apastats.comparing.many_pairs import kept_rows, smallest
from apastats.errors import DegenerateWarning, InputError

KEY = ["roi", "contrast"]


def scores(k: int, cells: int = 1, n: int = 8, seed: int = 1) -> apa.ScoreTable:
    """Half of the models alike, the others apart."""
    g = np.random.default_rng(seed)
    means = np.r_[np.zeros(k // 2), g.normal(0, 0.02, k - k // 2)]
    values = 0.3 + g.normal(0, 0.1, (n, 1, 1)) + means[:, None] + g.normal(0, 0.01, (n, k, cells))
    levels = [
        [f"s{i}" for i in range(n)],
        [f"m{i:04d}" for i in range(k)],
        [f"r{i}" for i in range(cells)],
    ]
    index = pd.MultiIndex.from_product(levels, names=["subject", "model", "roi"])
    return apa.ScoreTable(pd.DataFrame({"score": values.ravel()}, index=index).reset_index())


FORMULA = "score ~ model | roi"
CALLS = [
    ("equivalence", {"bounds": 0.02}, "p_value_equiv_adjusted"),
    ("equivalence", {"bounds": 0.02, "family": "cell"}, "p_value_equiv_adjusted"),
    ("equivalence", {"bounds": 0.02, "adjust": "bh"}, "p_value_equiv_adjusted"),
    ("equivalence", {"bounds": apa.margin(0.8, of="sd")}, "p_value_equiv_adjusted"),
    ("equivalence", {"bounds": 0.02, "hypothesis": "minimal_effect"}, "p_value_claim_adjusted"),
    ("equivalence", {"bounds": 0.02, "hypothesis": "superiority"}, "p_value_claim_adjusted"),
    ("equivalence", {"bounds": 0.02, "reference": "best"}, "p_value_equiv_adjusted"),
    ("equivalence", {"bounds": 0.02, "reference": "m0003"}, "p_value_equiv_adjusted"),
    ("equivalence", {"bounds": 0.02, "adjust": "tukey"}, "p_value_equiv_adjusted"),
    ("equivalence", {"bounds": 0.02, "adjust": "max-t"}, "p_value_equiv_adjusted"),
    ("equivalence", {"bounds": 0.02, "test": "trimmed"}, "p_value_equiv_adjusted"),
    ("equivalence", {"bounds": 0.02, "reference": "best", "adjust": "closed"}, "p_value_equiv_adjusted"),
    ("compare", {}, "p_value_adjusted"),
    ("compare", {"alternative": "greater", "family": "cell"}, "p_value_adjusted"),
    ("compare", {"alternative": "less"}, "p_value_adjusted"),
    ("compare", {"reference": "best"}, "p_value_adjusted"),
    ("nemenyi", {}, "p_value"),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "options", "by"), CALLS)
def test_shown_rows_are_those_of_the_whole_table(
    monkeypatch: pytest.MonkeyPatch, verb: str, options: dict, by: str
) -> None:
    monkeypatch.setattr(many_pairs, "_BLOCK", 900)
    table = scores(24, 2)
    run = getattr(apa, verb)
    everything = run(FORMULA, table, top="all", **options)
    shown = run(FORMULA, table, top=20, **options)
    both = shown.table.merge(everything.table, on=KEY, suffixes=("", "_whole"))
    assert len(both) == len(shown.table) == 20
    assert list(shown.table.columns) == list(everything.table.columns)
    for column in set(everything.table.columns) - set(KEY):
        a, b = both[column], both[f"{column}_whole"]
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14, err_msg=column)
        else:
            assert (a == b).all(), column
    # none that is left out has a smaller p-value
    rest = everything.table[by].sort_values().to_numpy()
    assert shown.table[by].max() <= rest[19] * (1 + 1e-12)
    # the counts are of all
    whole = everything.table
    counts = (
        whole["decision"].value_counts().to_dict()
        if "decision" in whole
        else {"shown": int(whole["different"].sum())}
    )
    told = {k: v for k, v in shown.info["decisions"].items() if v}
    assert sorted(told.values()) == sorted(v for v in counts.values() if v)
    assert shown.info["tested"] == len(whole)
    note = next(n for n in shown.notes if "top='all'" in n)
    assert note.startswith(f"{len(whole):,} ")
    assert "the 20 with the smallest" in note
    assert "decisions" not in everything.info


def test_sentences_count_all_contrasts() -> None:
    table = scores(24)
    shown = apa.equivalence(FORMULA, table, bounds=0.02, top=20)
    counts = shown.info["decisions"]
    assert f"{counts['undecided']} undecided, of 276 comparisons" in shown.text()
    told = apa.report(apa.compare(FORMULA, table, top=20)).answer
    assert "Of 276 paired comparisons of score" in told


def test_tables_are_whole_up_to_a_hundred_thousand_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept_rows("auto", 100_000) is None
    assert kept_rows("auto", 100_001) == 1_000
    assert kept_rows("all", 10**8) is None
    assert (kept_rows(5, 5), kept_rows(5, 6)) == (None, 5)
    monkeypatch.setattr(many_pairs, "MANY", 100)
    monkeypatch.setattr(many_pairs, "TOP", 30)
    for verb, options in (("equivalence", {"bounds": 0.02}), ("compare", {}), ("nemenyi", {})):
        assert len(getattr(apa, verb)(FORMULA, scores(20), **options).table) == 30


def test_contrasts_without_a_test_are_counted_and_not_shown() -> None:
    table = scores(12)
    frame = table.frame
    twin = frame[frame["model"] == "m0000"].assign(model="twin")
    table = apa.ScoreTable(pd.concat([frame, twin], ignore_index=True))
    with pytest.warns(DegenerateWarning, match="1 of 78 contrasts have no p-value"):
        found = apa.compare(FORMULA, table, top=10)
    assert found.table["p_value"].notna().all()


def test_the_smallest_of_equal_values_are_the_first() -> None:
    p = np.array([0.5, 0.1, np.nan, 0.1, 0.3, 0.1, 0.0])
    assert smallest(p, 3).tolist() == [1, 3, 6]
    assert smallest(p, 6).tolist() == [0, 1, 3, 4, 5, 6]
    assert smallest(p, 7).tolist() == list(range(7))
    assert smallest(np.full(4, np.nan), 2).tolist() == [0, 1]


@pytest.mark.parametrize("top", [0, -1, "some", 2.5, None, True])
def test_impossible_numbers_of_rows(top: object) -> None:
    for verb in ("compare", "nemenyi"):
        with pytest.raises(InputError, match="top"):
            getattr(apa, verb)(FORMULA, scores(5), top=top)


@pytest.mark.parametrize("shape", [(3, 3), (8, 20), (5, 41)])
def test_pairs_of_simulated_studies_are_those_of_differences(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    g = np.random.default_rng(0)
    x = g.normal(size=(20, 2, *shape)) + 3 * g.normal(size=shape[1])
    truth = separated_pairs(x, 0.05)
    assert truth.any()
    np.testing.assert_array_equal(expected_pairs(x, 0.05), truth)
    # in blocks of studies, and of pairs of one study, the same
    for name, few in (("_MEMORY", 7), ("_FEW_PAIRS", 0)):
        monkeypatch.setattr(f"apastats.comparing.discriminability.{name}", few)
        np.testing.assert_array_equal(expected_pairs(x, 0.05), truth)
        np.testing.assert_array_equal(separated_pairs(x, 0.05), truth)
    # against the definition
    from scipy.stats import ttest_rel

    a, b = np.triu_indices(shape[1], 1)
    p = ttest_rel(x[0, 0][:, a], x[0, 0][:, b], axis=0).pvalue
    assert (apa.adjust_p(p, "holm") <= 0.05).sum() == truth[0, 0]


@pytest.mark.parametrize("bounds", [None, 0.02])
def test_sets_are_the_same_some_models_at_a_time(
    monkeypatch: pytest.MonkeyPatch, bounds: float | None
) -> None:
    table = scores(24, 2)
    whole = apa.equivalence_set(FORMULA, table, bounds=bounds).table
    monkeypatch.setattr("apastats.numbers.best._MEMORY", 60)
    pd.testing.assert_frame_equal(apa.equivalence_set(FORMULA, table, bounds=bounds).table, whole)


def test_the_joint_set_needs_no_matrix_of_pairs() -> None:
    from apastats.numbers.best import confidence_set, joint_set, moments

    x = np.random.default_rng(3).normal(size=(30, 8, 12)) + 0.3 * np.arange(12)
    np.testing.assert_array_equal(joint_set(x, 0.05), confidence_set(moments(x), 0.05)[0])
    assert joint_set(x, 0.05).any(axis=-1).all()


def test_thousands_of_models_take_no_dense_matrices() -> None:
    """A matrix of all pairs of 2,000 models has 32 MB: discriminability held 20 of them, a set 15."""
    import tracemalloc

    table = scores(2000)
    for run, most in (
        (lambda: apa.discriminability(FORMULA, table, rng=1), 200e6),
        (lambda: apa.equivalence_set(FORMULA, table), 200e6),
        (lambda: apa.equivalence(FORMULA, table, bounds=0.02, reference="best"), 350e6),
    ):
        tracemalloc.start()
        run()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most, peak
