"""Defaults that miss their level in some population warn there, by name, and not where they hold."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import AssumptionWarning, SmallSampleWarning
from apastats.numbers.spread import model_spread, unequal_spread
from apastats.planning.populations import SCORES, rdm_study
from apastats.planning.trials import Study


def _silent(call: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        call()
    return [w.category.__name__ for w in said]


def _people(design: str, n: int) -> Any:
    return rdm_study(np.random.default_rng(4), SCORES[design], n)[0]


@pytest.mark.parametrize("kind", ["leave_one_out", "subject_to_subject", "nili"])
@pytest.mark.parametrize("n", [8, 10])
def test_ceilings_of_few_people_who_differ_much(kind: str, n: int) -> None:
    with pytest.warns(SmallSampleWarning, match="own ceilings vary by"):
        apa.noise_ceiling(_people("skewed", n), kind=kind)
    assert "SmallSampleWarning" not in _silent(
        lambda: apa.noise_ceiling(_people("normal", n), kind=kind)
    )
    assert not _silent(lambda: apa.noise_ceiling(_people("skewed", 20), kind=kind))


def test_agreement_of_few_people_who_differ_much() -> None:
    def found(design: str, n: int = 8) -> Any:
        s = Study(SCORES[design], n, np.random.SeedSequence(3))
        layers = s.own_layers.where(model="model_01")
        return lambda: apa.agreement_bootstrap(s.patterns, selection=layers, n_resamples=99, rng=1)

    with pytest.warns(SmallSampleWarning, match="who differ in how well"):
        found("skewed")()
    # eight who happen to be alike have the shortest intervals: of people who differ much they hold the truth in half
    with pytest.warns(SmallSampleWarning, match="too few to show whether people differ more"):
        found("normal")()
    assert "SmallSampleWarning" not in _silent(found("normal", 12))


def _study_with(ratio: float) -> pd.DataFrame:
    g = np.random.default_rng(2)
    sd = np.array([ratio, 1.0, 1.0, 1.0])
    common, own = g.standard_normal((10, 1, 1)), g.standard_normal((10, 4, 5))
    x = 0.4 + 0.05 * common + 0.02 * sd[:, None] * own
    index = pd.MultiIndex.from_product(
        [[f"s{i}" for i in range(10)], list("abcd"), [f"r{i}" for i in range(5)]],
        names=["subject", "model", "roi"],
    )
    return pd.DataFrame({"score": x.ravel()}, index=index).reset_index()


@pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
def test_presets_say_where_one_model_varies_more() -> None:
    with pytest.warns(AssumptionWarning, match=r"a varies [23].* times as much"):
        found = apa.models.scores(apa.read(_study_with(3.0)))
    assert any("varies" in note for note in found.notes)
    assert "AssumptionWarning" not in _silent(lambda: apa.models.scores(apa.read(_study_with(1.0))))


def test_spreads_are_those_of_the_models() -> None:
    g = np.random.default_rng(1)
    sd = np.array([2.0, 1.0, 0.5])
    x = g.standard_normal((4000, 1, 2)) + sd[:, None] * g.standard_normal((4000, 3, 2))
    np.testing.assert_allclose(model_spread(x), sd**2, rtol=0.2)
    assert unequal_spread(x)
    level = np.mean([unequal_spread(g.standard_normal((8, 4, 1))) for _ in range(1000)])
    assert level < 0.06


def test_numbers_of_subjects_from_few_subjects() -> None:
    g = np.random.default_rng(1)
    frame = pd.DataFrame(
        [(f"s{i}", "V1", m, g.normal(0.4, 0.03)) for i in range(35) for m in "ab"],
        columns=["subject", "roi", "model", "score"],
    )

    def needed(n: int) -> Any:
        part = apa.read(frame[frame["subject"].isin([f"s{i}" for i in range(n)])])
        tests = apa.equivalence("score ~ model | roi", part, bounds=0.03)
        return lambda: apa.subjects_needed(tests, difference="zero")

    with pytest.warns(SmallSampleWarning, match="of 10 subjects"):
        needed(10)()
    assert not _silent(needed(32))


def test_a_claim_that_hangs_on_symmetry() -> None:
    """Skewed differences whose true mean is the bound: half of the false claims and more are warned of."""
    g, false, said = np.random.default_rng(5), 0, 0
    mean, sd = np.exp(0.125), np.sqrt((np.exp(0.25) - 1) * np.exp(0.25))
    for _ in range(500):
        d = (np.exp(0.5 * g.standard_normal(8)) - mean) / sd
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            row = apa.tost(d + 1.4, bounds=1.4).table.iloc[0]
        claimed = row["p_value_equiv"] <= 0.05
        false += claimed
        said += claimed and any(w.category is AssumptionWarning for w in heard)
    assert 0.07 < false / 500 < 0.16
    assert (false - said) / 500 < 0.05 + 0.015 + 2 * np.sqrt(0.05 * 0.95 / 500)
