"""Claims and their verdicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import InputError


def rows(estimates, error=1.0, n=10, **more) -> pd.DataFrame:
    estimate = np.asarray(estimates, dtype=float)
    half = stats.t.ppf(0.975, n - 1) * error
    return pd.DataFrame(
        {
            "roi": [f"R{i}" for i in range(len(estimate))],
            "estimate": estimate,
            "std_error": error,
            "conf_low": estimate - half,
            "conf_high": estimate + half,
            "conf_level": 0.95,
            "n_subject": n,
            **more,
        }
    )


def verdict(frame, **test) -> str:
    stated = [{"name": "c", "statement": "s", "result": "r"} | test]
    return apa.claims(stated, {"r": frame}).table["verdict"].iloc[0]


OWN = stats.t.ppf(0.975, 9)  # of one row
ALL4 = stats.t.ppf(1 - 0.025 / 4, 9)  # of four rows together


@pytest.mark.parametrize(
    ("estimates", "rows_", "expected"),
    [
        # all: every row by its own interval; refuted by one row of the joint limits
        ([OWN + 0.1] * 4, "all", "supported"),
        ([OWN + 0.1] * 3 + [OWN - 0.1], "all", "undecided"),
        ([9, 9, 9, -OWN - 0.1], "all", "undecided"),
        ([9, 9, 9, -ALL4 - 0.1], "all", "refuted"),
        # any: the mirror image
        ([OWN + 0.1, -9, -9, -9], "any", "undecided"),
        ([ALL4 + 0.1, -9, -9, -9], "any", "supported"),
        ([-OWN - 0.1] * 4, "any", "refuted"),
        # most and shares: joint limits on both sides
        ([ALL4 + 0.1] * 3 + [0], "most", "supported"),
        ([ALL4 + 0.1] * 2 + [0, 0], "most", "undecided"),
        ([ALL4 + 0.1] * 2 + [-ALL4 - 0.1] * 2, "most", "refuted"),
        ([ALL4 + 0.1] + [0] * 3, 0.2, "supported"),
    ],
)
def test_how_rows_are_joined(estimates, rows_, expected) -> None:
    assert verdict(rows(estimates), says="above", rows=rows_) == expected
    assert verdict(rows([-e for e in estimates]), says="below", rows=rows_) == expected


def test_within_a_margin() -> None:
    assert verdict(rows([0.1]), says="within", value=OWN + 0.2) == "supported"
    assert verdict(rows([0.1]), says="within", value=OWN - 0.2) == "undecided"
    assert verdict(rows([9.0]), says="within", value=(-1, 2)) == "refuted"


def test_p_values_never_refute() -> None:
    assert verdict(pd.DataFrame({"p_value": [0.01]}), says="p", value=0.05) == "supported"
    assert verdict(pd.DataFrame({"p_value": [0.99]}), says="p", value=0.05) == "undecided"
    # one of four by its plain p-value needs Bonferroni, all of four do not
    four = pd.DataFrame({"p_value": [0.03, 0.6, 0.6, 0.6]})
    assert verdict(four, says="p", value=0.05, rows="any") == "undecided"
    assert verdict(pd.DataFrame({"p_value": [0.03] * 4}), says="p", value=0.05) == "supported"


def test_what_the_data_cannot_speak_to() -> None:
    stated = [
        {"name": "1", "statement": "a", "result": "absent", "needs": "linear predictivity"},
        {"name": "2", "statement": "b", "result": "r", "where": {"roi": "V9"}},
    ]
    table = apa.claims(stated, {"r": rows([1])}).table
    assert table["verdict"].tolist() == ["not testable here"] * 2
    assert table["decides"].iloc[0] == "linear predictivity"


def test_a_claim_of_several_tests_needs_all() -> None:
    good = {"result": "r", "where": {"roi": "R0"}}
    for other, expected in (
        ({"result": "r", "where": {"roi": "R1"}}, "undecided"),
        ({"result": "r", "where": {"roi": "R2"}}, "refuted"),
        ({"result": "none"}, "not testable here"),
        (good, "supported"),
    ):
        stated = [{"name": "c", "statement": "s", "tests": [good, other]}]
        found = apa.claims(stated, {"r": rows([9, 0, -9])})
        assert found.verdicts()["verdict"].item() == expected
        assert found.table["part"].tolist() == [1, 2]


@pytest.mark.parametrize("says", ["above", "within"])
def test_people_needed_have_the_wanted_power(says) -> None:
    """With the number of people said, four of five new samples decide the claim."""
    mean, sd, n = 0.5, 1.0, 10
    value = 0.0 if says == "above" else 1.0
    frame = rows([mean], error=sd / np.sqrt(n), n=n)
    found = apa.claims(
        [{"name": "c", "statement": "s", "result": "r", "says": says, "value": value}],
        {"r": frame},
    ).table.iloc[0]
    assert found["verdict"] == "undecided"
    more = int(found["n_needed"])
    assert str(more) in found["decides"]
    x = np.random.default_rng(1).normal(mean, sd, (20_000, more))
    half = stats.t.ppf(0.975, more - 1) * x.std(axis=1, ddof=1) / np.sqrt(more)
    inside = x.mean(axis=1) - half > 0
    if says == "within":
        inside = (x.mean(axis=1) - half > -1) & (x.mean(axis=1) + half < 1)
    assert 0.8 - 0.01 < inside.mean() < 0.83


def test_a_false_claim_is_supported_rarely() -> None:
    """All of 6 rows at the border, most of them clearly above: a false claim is supported in 2.5 % at most."""
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(400):
        x = rng.normal([3, 3, 3, 3, 3, 0], 1, (10, 6))
        frame = rows(x.mean(axis=0), error=x.std(axis=0, ddof=1) / np.sqrt(10))
        half = stats.t.ppf(0.975, 9) * frame["std_error"]
        frame = frame.assign(conf_low=frame["estimate"] - half, conf_high=frame["estimate"] + half)
        wrong += verdict(frame) == "supported"
    assert wrong <= 20


def test_results_speak_by_their_names_and_words() -> None:
    study = apa.simulate(n_subject=8, n_layer=1, rois=["V1", "V4"], rng=1)
    scores = study.scores.where(kind="model", split="test")
    pairs = apa.compare("score ~ model", scores, within="roi", reference="model_01")
    stated = [
        {"name": "1", "statement": "model_08 is worse", "result": "pairs", "says": "below",
         "where": {"model": "model_08"}}
    ]  # fmt: skip
    found = apa.claims(stated, {"pairs": pairs})
    row = found.table.iloc[0]
    own = pairs.table.set_index("model").loc["model_08"]
    assert (row["estimate"], row["conf_high"]) == (own["estimate"], own["conf_high"])
    assert "model_08 is worse: supported" in found.text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"says": "over"}, "says: got 'over'"),
        ({"rows": "few"}, "rows: got 'few'"),
        ({"margin": 1}, "got 'margin'"),
        ({"result": None, "statement": None}, "statement"),
        ({"where": {"lobe": "x"}}, "where: got 'lobe'"),
        ({"says": "within", "value": -1}, "value: got -1"),
    ],
)
def test_bad_claims(change, message) -> None:
    with pytest.raises(InputError, match=message):
        verdict(rows([1]), **change)
    one = {"name": "c", "statement": "s", "result": "r"}
    with pytest.raises(InputError, match="different names"):
        apa.claims([one, one], {"r": rows([1])})
    with pytest.raises(InputError, match="joint limits"):
        verdict(rows([1, 2]).drop(columns=["std_error", "n_subject"]), rows="any")


def test_limits_in_a_table_are_numbers_to_a_reader_of_csv() -> None:
    stated = [{"name": "c", "statement": "c", "result": "r", "says": "above", "value": -0.12345}]
    found = apa.claims(stated, {"r": rows([0.0])})
    assert float(found.table["margin"].item()) == -0.12345
    assert "above \u22120.12345" in found.table["test"].item()
    assert "\u22120.12345" in found.to_html(columns=["margin"])
