"""The default interval holds what it says where ten subjects are the normal case."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from scipy.stats import binom

import apastats as apa
from apastats.resampling.plans import subject_counts
from apastats.resampling.summaries import Kept, summarise_kept
from apastats.scoring.stimuli.pair_weights import PairKernel
from apastats.scoring.stimuli.stimuli import StimulusSetup, stimulus_arrays
from tests.calibration.interval_simulation import SIZES, coverage, design_coverage

pytestmark = pytest.mark.calibration


def default_interval() -> str:
    x = np.random.default_rng(0).normal(size=(8, 1))
    assert inspect.signature(apa.bootstrap).parameters["interval"].default == "auto"
    return str(apa.boot_ci(x).info["interval"])


def below(share: float, bound: float, sets: int) -> bool:
    """Whether so low a share contradicts a coverage of ``bound`` (binomial, one in a thousand)."""
    return binom.cdf(round(share * sets), sets, bound) < 1e-3


def above(share: float, bound: float, sets: int) -> bool:
    return binom.sf(round(share * sets) - 1, sets, bound) < 1e-3


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", ["normal", "lognormal", "t3"])
def test_default_interval_covers(n: int, name: str, long: bool) -> None:
    sets = 10_000 if long else 500
    share = coverage(n, name, sets, seed=11)[default_interval()]
    if name == "normal":
        assert not below(share, 0.935, sets), share
        assert not above(share, 0.965, sets), share
    else:
        assert not below(share, 0.91, sets), share


@pytest.mark.parametrize("design", ["dyad", "nested", "stratified"])
def test_default_interval_covers_other_designs(design: str, long: bool) -> None:
    sets = 2_000 if long else 200
    share = design_coverage(design, sets, seed=13)[default_interval()]
    assert not below(share, 0.935, sets), share
    assert not above(share, 0.98, sets), share


def test_percentile_interval_is_known_to_fall_short(long: bool) -> None:
    sets = 10_000 if long else 1_000
    assert below(coverage(10, "normal", sets, seed=12)["percentile"], 0.94, sets)


def two_factor_sets(sets: int) -> float:
    """Share of simulated studies whose two-factor interval holds the score of new subjects and stimuli."""
    mixing = np.random.default_rng(9).normal(size=(10, 10)) / np.sqrt(10)

    def world(s: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(n, 10))
        i, j = np.triu_indices(n, 1)

        def rdm(z: np.ndarray) -> np.ndarray:
            return ((z[:, None] - z[None]) ** 2).sum(-1)[i, j]

        own = [features @ (np.eye(10) + 0.3 * rng.normal(size=(10, 10))) for _ in range(s)]
        brain = [rdm(z + 0.8 * rng.normal(size=features.shape)) for z in own]
        return np.array(brain), rdm(features + 0.7 * features @ mixing)[None]

    large = [
        PairKernel(*world(100, 200, 100 + k), "corr").plain().scores().mean() for k in range(4)
    ]
    truth, s, n, hits = np.mean(large), 8, 30, 0
    for k in range(sets):
        setup = StimulusSetup(
            *world(s, n, 1000 + k), "corr", subject_counts(n, 500, 2 * k),
            subject_counts(s, 500, 2 * k + 1), np.arange(s), np.arange(n), False, False,
        )  # fmt: skip
        a = stimulus_arrays(setup)
        kept = Kept(a["estimate"], a["replicates"], std_error=a["std_error"], df=a["df"])
        low, high = summarise_kept(kept, ["t"])["t"][:2]
        hits += bool(low[0] <= truth <= high[0])
    return hits / sets


def test_two_factor_interval_covers_new_subjects_and_stimuli(long: bool) -> None:
    sets = 1_000 if long else 120
    share = two_factor_sets(sets)
    assert not below(share, 0.93, sets), share
    assert not above(share, 0.985, sets), share
