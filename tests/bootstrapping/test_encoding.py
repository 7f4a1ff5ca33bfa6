"""Bootstrap of stimuli for ridge regressions: the stimuli they are tested on have weights, the fits stay."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold

import apastats as apa
from apastats.scoring.measures.measure import MEASURES
from apastats.scoring.stimuli.measured import WeightKernel

pytestmark = pytest.mark.filterwarnings(
    "ignore::apastats.errors.MonteCarloWarning", "ignore::apastats.errors.SmallSampleWarning"
)
RIDGES = ("ridge", "pearson-ridge", "reverse", "symmetric")
N, ALPHAS = 40, [1.0, 10.0, 100.0]


def people(
    s: int = 4, n: int = N, seed: int = 0
) -> tuple[dict[tuple[str, str], np.ndarray], dict[tuple[str, str], np.ndarray]]:
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 6))
    brain = {
        (f"s{k}", "V1"): z @ rng.standard_normal((6, 4)) + 2 * rng.standard_normal((n, 4))
        for k in range(s)
    }
    return brain, {("m", "l"): z[:, :4], ("other", "l"): rng.standard_normal((n, 5))}


@pytest.mark.parametrize("name", RIDGES)
def test_weights_of_one_are_the_measure(name: str) -> None:
    brain, models = people()
    measure = apa.measure(name, alphas=ALPHAS, n_fold=4)
    kernel = WeightKernel(measure, list(brain.values()), list(models.values()), ())
    found = kernel.values(np.ones((1, N)), ceiling=False)[0]
    table = apa.score_patterns(brain, models, measure=measure, references=None).frame
    expected = table.pivot(index="subject", columns="model", values="score").to_numpy()
    np.testing.assert_allclose(found, expected, atol=1e-10)
    np.testing.assert_allclose(
        kernel.values(3 * np.ones((1, N)), ceiling=False)[0], expected, atol=1e-10
    )


@pytest.mark.parametrize("score", ["r2", "r"])
def test_weights_move_the_score_as_those_of_tested_stimuli_do(score: str) -> None:
    """By scikit-learn: models fitted to all stimuli of the other folds, tested with weights; the derivative at 1."""
    brain, models = people(1)
    (y,), x = brain.values(), models["m", "l"]
    z, t = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (x, y))
    folds = list(KFold(5, shuffle=True, random_state=1).split(z))
    made = [RidgeCV(ALPHAS).fit(z[train], t[train]).predict(z[test]) for train, test in folds]

    def weighted(c: np.ndarray) -> float:
        total = 0.0
        for (_, test), p in zip(folds, made, strict=True):
            w, truth = c[test], t[test]

            def mean(v: np.ndarray, w: np.ndarray = w) -> np.ndarray:
                return np.average(v, axis=0, weights=w)

            a, b = truth - mean(truth), p - mean(p)
            if score == "r2":
                values = 1 - mean((truth - p) ** 2) / mean(a**2)
            else:
                values = mean(a * b) / np.sqrt(mean(a**2) * mean(b**2))
            total += values.mean() * w.sum() / c.sum()
        return total

    measure = apa.measure("ridge" if score == "r2" else "pearson-ridge", alphas=ALPHAS)
    kernel = WeightKernel(measure, [y], [x], ())
    assert kernel.values(np.ones((1, N)), ceiling=False).item() == pytest.approx(
        weighted(np.ones(N))
    )
    step = 1e-5 * np.random.default_rng(1).standard_normal(N)
    moved = kernel.values(np.stack([1 + step, 1 - step]), ceiling=False).ravel()
    expected = weighted(1 + step) - weighted(1 - step)
    assert moved[0] - moved[1] == pytest.approx(expected, rel=1e-6)


def test_standard_errors_are_those_of_new_stimuli() -> None:
    """200 draws of 60 stimuli: the standard error is within 15 % of the SD of the scores, tiny folds or not.

    The SD is that of new stimuli for the test and the fits alike; 0.15 is twice the standard error of an SD of 200, and
    what the fits add.
    """
    root = np.random.default_rng(7)
    weights = root.standard_normal((2, 8, 6))
    measure = apa.measure("ridge", alphas=[1.0, 10.0, 100.0, 1000.0])
    scores, errors = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((60, 8))
        x = [z @ w + 3 * rng.standard_normal((60, 6)) for w in weights]
        kernel = WeightKernel(measure, x, [z[:, :5]], ())
        counts = np.concatenate(
            [np.ones((1, 60)), rng.multinomial(60, np.full(60, 1 / 60), size=200)]
        )
        values = kernel.values(counts, ceiling=False)[..., 0].mean(axis=1)
        scores.append(values[0])
        errors.append(values[1:].std(ddof=1))
    assert np.mean(errors) == pytest.approx(np.std(scores, ddof=1), rel=0.15)


def test_units_without_variation_are_left_out() -> None:
    brain, models = people(1)
    (y,), x = brain.values(), models["m", "l"]
    y[:, 1] = 3.0
    measure = apa.measure("ridge", alphas=ALPHAS, folds="contiguous", n_fold=4)
    counts = np.random.default_rng(0).multinomial(N, np.full(N, 1 / N), size=3)
    found = WeightKernel(measure, [y], [x], ()).values(counts, ceiling=False)
    plain = WeightKernel(measure, [y[:, [0, 2, 3]]], [x], ()).values(counts, ceiling=False)
    np.testing.assert_allclose(found, plain, atol=1e-12)


@pytest.mark.parametrize("name", RIDGES)
def test_the_result_says_what_is_held_fixed(name: str) -> None:
    brain, models = people()
    found = apa.bootstrap(
        "score ~ model", brain, models=models, measure=apa.measure(name, alphas=ALPHAS), cluster="stimulus",
        n_resamples=99, rng=1,
    )  # fmt: skip
    assert any("regressions fitted" in str(held) for held in found.info.held_fixed)
    assert "fitted" in found.text()
    assert MEASURES[name].stimuli == "weights"
    means = (
        apa.score_patterns(brain, models, measure=apa.measure(name, alphas=ALPHAS), references=None)
        .frame.groupby("model")["score"]
        .mean()
    )
    np.testing.assert_allclose(
        found.table.set_index("model").loc[means.index, "estimate"], means, atol=1e-10
    )
    upper = found.ceilings().table.set_index("bound")["estimate"]
    assert upper["upper"] > upper["lower"]
