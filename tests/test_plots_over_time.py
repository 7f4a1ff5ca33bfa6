"""Figures over time, and the bootstrap of RDMs over region x time."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

import apastats as apa
from apastats.errors import InputError
from tests.scoring.test_times import ROIS, TIMES, brain_rdms, model_rdms

pytestmark = pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning")


@pytest.fixture(autouse=True)
def close() -> Any:
    yield
    plt.close("all")


def lines(ax: Any) -> dict[str, np.ndarray]:
    return {line.get_label(): np.asarray(line.get_xydata()) for line in ax.lines}


def test_estimates_and_ceilings_over_time() -> None:
    table = apa.score(brain_rdms(), model_rdms())
    best = apa.select_layer(table, on="cross_subject")
    found = apa.bootstrap("score ~ model | roi + time", best)
    ceiling = apa.noise_ceiling(table)
    ax = found.plot(where={"roi": "V1"}, ceilings=ceiling)
    drawn = lines(ax)
    assert {"early", "late", "neither", "noise ceiling"} == set(drawn)
    part = found.table[(found.table["roi"] == "V1") & (found.table["model"] == "early")]
    expected = np.column_stack([part["time"].astype(float), part["estimate"]])
    np.testing.assert_allclose(drawn["early"], expected)
    own = ceiling.table[ceiling.table["roi"] == "V1"]["estimate"]
    np.testing.assert_allclose(drawn["noise ceiling"][:, 1], own)
    assert len(ax.collections) == 3  # an interval for each model
    assert set(lines(ceiling.plot())) == set(ROIS)


def test_maps_over_time() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, 20)) * 0.1
    x[:, 5:12] += 0.3
    found = apa.map_test(x, method="cluster", adjacency="lattice", labels={"time": range(20)})
    ax = found.plot()
    shown = np.asarray(ax.collections[-1].get_offsets())[:, 0]
    assert shown.tolist() == found.table.loc[found.table["p_value"] <= 0.05, "time"].tolist()
    with pytest.raises(InputError, match="12 lines at most"):
        apa.map_test(
            rng.standard_normal((8, 13, 5)), labels={"unit": range(13), "time": range(5)}
        ).plot()


def test_bootstrap_of_stimuli_over_region_and_time() -> None:
    brain, models = brain_rdms(), model_rdms()
    call: dict[str, Any] = {"models": models, "cluster": "stimulus", "n_resamples": 99, "rng": 1}
    found = apa.bootstrap("score ~ model | roi", brain.cells("time"), **call)
    assert set(found.table["roi"]) == {f"{r} @ {t}" for r in ROIS for t in TIMES}
    alone = apa.bootstrap("score ~ model | roi", brain.select(time="50"), **call)
    here = found.table[found.table["roi"].str.endswith("@ 50")]
    np.testing.assert_allclose(here["estimate"], alone.table["estimate"])
    np.testing.assert_allclose(here["std_error"], alone.table["std_error"])
    with pytest.raises(InputError, match="column: got 'hour'"):
        brain.cells("hour")
