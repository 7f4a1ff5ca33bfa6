"""Monte-Carlo errors of sampled p-values: they are what repeated runs differ by."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import apastats as apa
from apastats.errors import MonteCarloWarning

RNG = np.random.default_rng(3)
X = RNG.normal(0.02, 0.05, 14)
Y = RNG.normal(0.0, 0.05, 17)


def repeated(**options: object) -> tuple[float, float, float, float]:
    """Spread of p-values over seeds, and the mean error they come with: ordinary and equivalence."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MonteCarloWarning)
        for seed in range(60):
            r = apa.tost(X, bounds=0.04, n_resamples=999, rng=seed, **options).tidy().iloc[0]
            found.append(
                [r["p_value"], r["p_value_mcse"], r["p_value_equiv"], r["p_value_equiv_mcse"]]
            )
    p, error, q, error_q = np.array(found).T
    return p.std(ddof=1), error.mean(), q.std(ddof=1), error_q.mean()


@pytest.mark.parametrize("interval", ["studentized", "percentile", "basic", "normal", "bca"])
@pytest.mark.parametrize("small_sample", [True, False])
def test_errors_are_the_spread_over_seeds(interval: str, small_sample: bool) -> None:
    spread, said, spread_q, said_q = repeated(
        test="bootstrap", interval=interval, small_sample=small_sample
    )
    # the spread of 60 runs is known to 9 %
    assert said == pytest.approx(spread, rel=0.3)
    assert said_q == pytest.approx(spread_q, rel=0.3)


def test_nothing_is_said_where_nothing_is_drawn() -> None:
    for options in ({"test": "bootstrap"}, {"test": "sign_flip"}, {}):
        table = apa.tost(X[:8], bounds=0.04, **options).tidy()
        assert not [c for c in table.columns if c.endswith("mcse")]


@pytest.mark.parametrize("test", ["bootstrap", "permutation"])
def test_two_samples(test: str) -> None:
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MonteCarloWarning)
        for seed in range(40):
            r = apa.tost(
                X, Y, paired=False, bounds=0.03, test=test, n_resamples=499, rng=seed,
                small_sample=False,
            ).tidy().iloc[0]  # fmt: skip
            found.append([r["p_value_equiv"], r["p_value_equiv_mcse"]])
    p, error = np.array(found).T
    assert error.mean() == pytest.approx(p.std(ddof=1), rel=0.4)


def test_a_decision_that_hangs_on_the_draws_is_said() -> None:
    d = X - X.mean()
    # at the end of its own interval the p-value of equivalence is close to alpha
    row = apa.tost(d, bounds=0.2, test="bootstrap", n_resamples=4999, rng=2).tidy().iloc[0]
    bound = max(row["conf_high"], -row["conf_low"])
    with pytest.warns(MonteCarloWarning, match="could turn with other random numbers"):
        found = apa.tost(d, bounds=bound, test="bootstrap", n_resamples=199, rng=1)
    assert any("could turn" in note for note in found.notes)


def test_joint_adjustment_of_tables() -> None:
    study = apa.simulate(n_subject=22, n_layer=1, n_model=3, rois=["V1", "V4", "MT"], rng=1)
    table = study.scores.where(kind="model", split="test")
    found = apa.equivalence(
        "score ~ model | roi", table, bounds=0.2, adjust="max-t", n_resamples=999, rng=1
    ).tidy()
    p, error = found["p_value_adjusted"], found["p_value_adjusted_mcse"]
    np.testing.assert_allclose(error, np.sqrt(p * (1 - p) / 999), atol=1e-6)
    assert "p_value_mcse" not in found.columns  # t tests draw nothing
    assert list(found.columns).index("p_value_adjusted_mcse") == 1 + list(found.columns).index(
        "p_value_adjusted"
    )
