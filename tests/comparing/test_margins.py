from __future__ import annotations

import numpy as np
import pytest

import apastats as apa
from apastats.errors import DataError, MarginError


@pytest.fixture(scope="module")
def study():
    simulated = apa.simulate(n_subject=9, n_layer=1, rois=["V1", "V2", "V4"], rng=2)
    scores = simulated.scores.where(kind="model", split="test")
    return simulated, scores, apa.noise_ceiling(simulated.scores, by=["roi"])


def bounds_of(scores, margin) -> np.ndarray:
    found = apa.equivalence(
        "score ~ model | roi", scores, bounds=margin, reference="model_01"
    ).tidy()
    return found.groupby("roi", sort=False)["bound_high"].first().to_numpy()


def test_ceiling_spread_and_difference_units(study):
    _, scores, ceiling = study
    values = ceiling.arrays["values"]
    np.testing.assert_allclose(
        bounds_of(scores, apa.margin(0.1, of=ceiling)), 0.1 * values.mean(axis=0)
    )
    spread = bounds_of(scores, apa.margin(0.5, of=ceiling, unit="spread"))
    np.testing.assert_allclose(spread, 0.5 * values.std(axis=0, ddof=1))
    block = scores.block("score ~ model | roi")
    i, j = block.group_index("model_01"), block.group_index("model_08")
    expected = 0.5 * np.abs((block.values[:, i] - block.values[:, j]).mean(axis=0))
    np.testing.assert_allclose(
        bounds_of(scores, apa.margin(0.5, of=("model_01", "model_08"))), expected
    )
    np.testing.assert_allclose(
        bounds_of(scores, apa.margin(0.5, of=("model_08", "model_01"))), expected
    )


def test_uncertain_margin_is_harder_than_the_same_number():
    # a ceiling that varies on its own adds its variance to the test
    g = np.random.default_rng(1)
    simulated = apa.simulate(n_subject=10, n_layer=1, rois=["V1", "V4"], rng=3)
    ceiling = apa.noise_ceiling(simulated.scores, by=["roi"])
    noisy = ceiling.arrays["values"] + g.normal(0, 0.2, ceiling.arrays["values"].shape)
    loose = type(ceiling)(
        ceiling.table, ceiling.info, ceiling.provenance, {**ceiling.arrays, "values": noisy}
    )
    scores = simulated.scores.where(kind="model", split="test")
    carried = apa.equivalence(
        "score ~ model | roi", scores, bounds=apa.margin(0.3, of=loose), adjust="none"
    ).tidy()
    number = carried["bound_high"].iloc[0]
    fixed = apa.equivalence(
        "score ~ model | roi", scores, bounds=float(number), adjust="none"
    ).tidy()
    here = carried["roi"] == carried["roi"].iloc[0]
    wider = (
        carried.loc[here, "p_value_equiv"].to_numpy() > fixed.loc[here, "p_value_equiv"].to_numpy()
    )
    assert wider.mean() > 0.5


def test_words(study):
    _, scores, ceiling = study
    found = apa.equivalence("score ~ model | roi", scores, bounds=apa.margin(0.1, of=ceiling))
    assert found.info.margin.size == "±10 % of the leave-one-out noise ceiling"
    assert "uncertainty of the margin is in the test" in found.info.margin.carried
    sd = apa.equivalence("score ~ model | roi", scores, bounds=apa.margin(0.5, of="sd"))
    assert "standard deviations of the differences" in sd.info.margin.size
    row = sd.tidy().iloc[0]
    assert row["bound_high"] == pytest.approx(0.5 * sd.arrays["differences"][:, 0].std(ddof=1))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: apa.margin(None), "no default margin"),
        (lambda: apa.margin(-1), "value: got -1"),
        (lambda: apa.margin(True), "value: got True"),
        (lambda: apa.margin((0.2, 0.1)), "lower one first"),
        (lambda: apa.margin((1, 2, 3)), "a pair"),
        (lambda: apa.margin(1, of="ceiling"), "of: got 'ceiling'"),
        (lambda: apa.margin(1, of=("a", "a")), "two different model names"),
        (lambda: apa.margin(1, unit="spread"), "unit: got 'spread'"),
    ],
)
def test_bad_margin(call, match):
    with pytest.raises(MarginError, match=match):
        call()


def test_ceiling_that_does_not_fit(study):
    simulated, scores, ceiling = study
    partial = apa.noise_ceiling(simulated.scores.where(roi=["V1", "V2"]), by=["roi"])
    with pytest.raises(DataError, match="no value for roi V4"):
        apa.equivalence("score ~ model | roi", scores, bounds=apa.margin(0.1, of=partial))
    with pytest.raises(DataError, match="3 values for the data"):
        apa.equivalence("score ~ model", scores, bounds=apa.margin(0.1, of=ceiling), within="roi")
    with pytest.raises(MarginError, match="bound: got 'lower'"):
        apa.equivalence(
            "score ~ model | roi", scores, bounds=apa.margin(0.1, of=ceiling, bound="lower")
        )
    with pytest.raises(MarginError, match=r"apa.margin\(share, of=ceiling\)"):
        apa.equivalence("score ~ model | roi", scores, bounds=ceiling)


def test_unit_that_is_not_positive(study):
    _, scores, ceiling = study
    values = ceiling.arrays["values"] - 5
    low = type(ceiling)(
        ceiling.table, ceiling.info, ceiling.provenance, {**ceiling.arrays, "values": values}
    )
    with pytest.raises(MarginError, match="unit is above zero"):
        apa.equivalence("score ~ model | roi", scores, bounds=apa.margin(0.1, of=low))
