"""Intervals of noise ceilings hold what they say, though subjects share partners and pools."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from tests.calibration.ceilings import CELLS, draw, left_out, rates, score, simulate, upper, widened
from tests.calibration.test_interval_coverage import above, below

pytestmark = pytest.mark.calibration


@pytest.mark.parametrize("n", [8, 10])
@pytest.mark.parametrize("cell", list(CELLS))
def test_ceilings_and_shares_cover(cell: str, n: int, long: bool) -> None:
    sets = 8_000 if long else 2_000
    found = rates(cell, n, sets, seed=1)
    least = 0.922 if cell == "hetero" else 0.935
    for name in ("s2s", "loo", "loo_pairs", "loo_alone", "upper", "share", "share_pairs"):
        assert not below(found[name], least, sets), (name, found[name])
        assert not above(found[name], 0.982, sets), (name, found[name])
    for name in ("below", "below_pairs"):
        assert not above(found[name], 0.062, sets), (name, found[name])


def test_ceilings_as_independent_are_known_to_fall_short(long: bool) -> None:
    sets = 8_000 if long else 2_000
    found = rates("hetero", 8, sets, seed=1)
    assert below(found["s2s_plain"], 0.75, sets)
    assert below(found["loo_plain"], 0.9, sets)
    assert above(found["below_plain"], 0.2, sets)


def test_the_verbs_are_what_is_measured() -> None:
    made = simulate("mild", 8, 2, seed=3)
    x = draw("mild", 2, 8, np.random.default_rng([3, 8, list(CELLS).index("mild")]))[1]
    labels = pd.DataFrame({"subject": [f"s{i}" for i in range(8)], "roi": "V1"})
    rdms = apa.RDMSet(x, labels)
    for kind, name in (("subject_to_subject", "s2s"), ("leave_one_out", "loo")):
        found = apa.noise_ceiling(rdms, kind=kind)
        np.testing.assert_allclose(found.arrays["values"][:, 0], made[name][1], rtol=1e-9)
        np.testing.assert_allclose(found.arrays["person"][:, 0], made[f"{name}_person"][1], rtol=1e-8)  # fmt: skip
    nili = apa.noise_ceiling(rdms, kind="nili")
    np.testing.assert_allclose(
        nili.arrays["person"].T, [made["loo_person"][1], made["upper_person"][1]], rtol=1e-8
    )
    alike = np.corrcoef(x)[None]
    np.testing.assert_allclose(left_out(alike, upper)[0], made["upper_person"][1], rtol=1e-8)

    same = {"layer": "V1", "roi": "V1", "metric": "corr"}
    rows = [
        {"kind": "leave_one_out", "model": "others", "subject": f"s{i}", "score": v, **same}
        for i, v in enumerate(made["loo"][1])
    ]
    pairs = [
        {"kind": "subject_to_subject", "model": f"s{j}", "subject": f"s{i}", "score": alike[0, i, j], **same}
        for i in range(8) for j in range(8) if i != j
    ]  # fmt: skip
    for frame, name in ((rows, "loo_alone"), (rows + pairs, "loo_pairs")):
        found = apa.noise_ceiling(apa.ScoreTable(pd.DataFrame(frame)))
        np.testing.assert_allclose(found.arrays["person"][:, 0], made[name][1], rtol=1e-8)
        expected = widened(made["loo"][1:], made["s2s"][1:].mean(axis=1) if name == "loo_pairs" else None)  # fmt: skip
        np.testing.assert_allclose(expected[0], made[name][1], rtol=1e-12)

    ceiling = apa.noise_ceiling(rdms, kind="leave_one_out")
    model = score(made, 0.5)[1]
    frame = labels.assign(kind="model", model="m", score=model, layer="V1", metric="corr")
    found = apa.normalize(apa.ScoreTable(frame), ceiling).table.iloc[0]
    for limit in (found["conf_low"], found["conf_high"]):
        gap = model - limit * made["loo_person"][1]
        t = gap.mean() / gap.std(ddof=1) * np.sqrt(8)
        assert abs(t) == pytest.approx(2.364624, rel=1e-5)
