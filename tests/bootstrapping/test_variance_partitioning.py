"""Variance of responses by bands of features: the same as encoding models of every subset, and what nothing adds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import apastats as apa
from apastats.errors import DesignError, InputError

pytestmark = pytest.mark.filterwarnings(
    "ignore::apastats.errors.SmallSampleWarning", "ignore::apastats.errors.MonteCarloWarning"
)


def responses(n: int = 60, s: int = 5, test: bool = False) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Responses to two of three bands, of which the first two share a feature."""
    rng = np.random.default_rng(0)
    low, high, none = rng.normal(size=(3, n, 4))
    high[:, 0] = low[:, 0] + 0.3 * rng.normal(size=n)
    brain = {}
    for k in range(s):
        for r, weight in (("V1", 0.2), ("IT", 1.0)):
            made = low @ rng.normal(size=(4, 6)) + weight * high @ rng.normal(size=(4, 6))
            brain[f"s{k}", r] = made + 0.7 * rng.normal(size=(n, 6))
    bands = {"low": low, "high": high, "none": none}
    if test:
        cut = slice(0, n - 20), slice(n - 20, n)
        brain = {key: tuple(v[c] for c in cut) for key, v in brain.items()}
        bands = {key: tuple(v[c] for c in cut) for key, v in bands.items()}
    return brain, bands


def r2(brain: Any, bands: Any, names: Any, split: str) -> Any:
    """Mean R2 over subjects by region, of an encoding model of some bands."""
    first = bands[names[0]]
    wide: Any = (
        tuple(np.concatenate([bands[b][k] for b in names], axis=1) for k in (0, 1))
        if isinstance(first, tuple)
        else np.concatenate([bands[b] for b in names], axis=1)
    )
    found = apa.linear_predictivity(brain, {("m", "-"): wide}).frame
    return found[found["split"] == split].groupby("roi")["score"].mean()


@pytest.mark.parametrize("test", [False, True])
def test_parts_are_those_of_encoding_models_of_every_subset(test: bool) -> None:
    brain, bands = responses(test=test)
    split = "test" if test else "train"
    found = apa.variance_partitioning(brain, bands, parts="all").table
    by = found.set_index(["roi", "part", "model"])["estimate"]
    of = {
        names: r2(brain, bands, names, split)
        for names in (
            ("low",), ("high",), ("none",), ("low", "high"), ("low", "none"), ("high", "none"),
            ("low", "high", "none"),
        )
    }  # fmt: skip
    for roi in ("V1", "IT"):
        full = of["low", "high", "none"][roi]
        assert by[roi, "total", "all bands"] == pytest.approx(full, abs=1e-10)
        assert by[roi, "unique", "low"] == pytest.approx(full - of["high", "none"][roi], abs=1e-10)
        shared = of["low", "none"][roi] + of["high", "none"][roi] - of[("none",)][roi] - full
        assert by[roi, "shared", "low & high"] == pytest.approx(shared, abs=1e-10)
        parts = by[roi].drop(("total", "all bands"))
        assert parts.sum() == pytest.approx(full, abs=1e-10)


def test_what_a_band_adds_is_tested_and_nothing_adds_nothing() -> None:
    brain, bands = responses()
    found = apa.variance_partitioning(brain, bands)
    tested = found.test(bounds=0.05, adjust="none").table.set_index(["roi", "model"])
    assert tested.loc[("IT", "high"), "decision"] == "adds more"
    assert tested.loc[("V1", "none"), "decision"] == "adds less"
    assert tested.loc[("V1", "none"), "p_value"] > 0.05
    assert (found.table.query("model == 'none'")["estimate"] < 0.01).all()


def test_others_in_the_place_of_a_band_are_its_ceiling() -> None:
    brain, bands = responses()
    found = apa.variance_partitioning(brain, bands, ceiling=True).table
    by = found.set_index(["roi", "model"])["ceiling_lower"]
    alone = apa.linear_predictivity(brain, references=["leave_one_out"]).frame
    own = alone[alone["layer"] == alone["roi"]].groupby("roi")["score"].mean()
    for roi in ("V1", "IT"):
        assert by[roi, "all bands"] == pytest.approx(own[roi], abs=1e-10)


def test_banded_parts_are_differences_of_banded_totals() -> None:
    pytest.importorskip("himalaya")
    brain, bands = responses(s=2)
    two = {b: bands[b] for b in ("low", "high")}
    found = apa.variance_partitioning(brain, two, fit="banded").table
    by = found.set_index(["roi", "model"])["estimate"]
    total = apa.banded_ridge(brain, two, per="set").frame.query("model == 'total'")
    total = total.groupby("roi")["score"].mean()
    for roi in ("V1", "IT"):
        assert by[roi, "all bands"] == pytest.approx(total[roi], abs=1e-10)
        alone = r2(brain, bands, ("low",), "train")[roi]
        assert by[roi, "high"] == pytest.approx(total[roi] - alone, abs=1e-10)


def test_what_is_refused() -> None:
    brain, bands = responses()
    with pytest.raises(InputError, match="2 to 10"):
        apa.variance_partitioning(brain, {"low": bands["low"]})
    with pytest.raises(InputError, match="split"):
        apa.variance_partitioning(brain, bands, split="test")
    with pytest.raises(DesignError, match="one subject"):
        apa.variance_partitioning({k: v for k, v in brain.items() if k[0] == "s0"}, bands)
    with pytest.raises(InputError, match="shares of variance"):
        apa.variance_partitioning(brain, bands).ceilings()


def test_stimuli_drawn_move_parts_as_they_move_the_r2_of_sets_of_bands() -> None:
    brain, bands = responses()
    found = apa.variance_partitioning(brain, bands, cluster="stimulus", n_resamples=199, rng=3)
    fixed = apa.variance_partitioning(brain, bands)
    np.testing.assert_allclose(found.table["estimate"], fixed.table["estimate"], atol=1e-9)
    assert found.info.held_fixed[-1].what == "penalties of regressions"
    # the total is that of ridge regressions on all bands, by another way to the same draws
    joined = {("all", "-"): np.hstack(list(bands.values()))}
    whole = apa.bootstrap(
        "score ~ model | roi", brain, models=joined, measure="ridge", cluster="stimulus", n_resamples=199, rng=3,
        ceiling=False,
    )  # fmt: skip
    total = found.table.query("part == 'total'")
    for column in ("estimate", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(total[column], whole.table[column], atol=1e-9)


def test_both_factors_drawn_are_wider_and_test_the_parts() -> None:
    brain, bands = responses()
    both = apa.variance_partitioning(
        brain, bands, cluster=("subject", "stimulus"), n_resamples=199, rng=3
    )
    one = apa.variance_partitioning(brain, bands, n_resamples=199, rng=3, interval="t")
    assert (both.table["std_error"] > one.table["std_error"]).mean() > 0.6
    tested = both.test(adjust="none").table.set_index("model")
    assert (tested.loc["none", "p_value"] > 0.05).all()
    assert (tested.loc["low", "decision"] == "adds something").all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fit": "banded"}, "fit: got 'banded'"),
        ({"per": "unit"}, "per: got 'unit'"),
        ({"split": "test"}, "folds hold them out"),
        ({"delays": [0, 1]}, "drawn together"),
        ({"n_resamples": "exact"}, "stimuli are sampled"),
    ],
)
def test_what_has_no_weights_of_stimuli_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        apa.variance_partitioning(*responses(), cluster="stimulus", **options)
