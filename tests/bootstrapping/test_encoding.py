"""Bootstrap of stimuli for ridge regressions: weights of stimuli tested on and of stimuli fitted to."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.metrics import r2_score
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


def influences(measure: apa.Measure, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Derivative of the score by the weight of every stimulus; the score is linear in them but for their sum."""
    n, step = len(x), 1e-6
    kernel = WeightKernel(measure, [y], [x], ())
    counts = np.concatenate([np.ones((1, n)), 1 + step * np.eye(n)])
    found = kernel.values(counts, ceiling=False)[:, 0, 0]
    return (found[1:] - found[0]) / step


@pytest.mark.parametrize("score", ["r2", "r"])
def test_influences_are_those_of_scikit_learns_fits_without_a_stimulus(score: str) -> None:
    """Every stimulus by its weight where it is tested, left out of the fits of the others; penalties as they are."""
    brain, models = people(1, seed=4)
    (y,), x = brain.values(), models["m", "l"]
    z, t = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (x, y))
    folds = list(KFold(3, shuffle=True, random_state=1).split(z))

    def of(truth: np.ndarray, p: np.ndarray, weights: np.ndarray | None = None) -> float:
        if score == "r2":
            return float(r2_score(truth, p, sample_weight=weights))
        pairs = [np.cov(u, v, aweights=weights) for u, v in zip(truth.T, p.T, strict=True)]
        return float(np.mean([c[0, 1] / np.sqrt(c[0, 0] * c[1, 1]) for c in pairs]))

    expected, first = np.zeros(N), np.zeros(N)
    for train, test in folds:
        alpha = RidgeCV(ALPHAS).fit(z[train], t[train]).alpha_
        made = Ridge(alpha).fit(z[train], t[train]).predict(z[test])
        value, n, small = of(t[test], made), len(test), 1e-4
        tested = np.array(
            [of(t[test], made, 1 + small * e) - of(t[test], made, 1 - small * e) for e in np.eye(n)]
        )
        tested *= n / (2 * small)
        expected[test] += tested - tested.mean()
        # the fit without each stimulus moves the score by the change of predictions along its slope
        moved = np.array(
            [
                Ridge(alpha).fit(z[rest], t[rest]).predict(z[test]) - made
                for rest in (np.setdiff1d(train, [k]) for k in train)
            ]
        )
        through = -np.array(
            [of(t[test], made + small * m) - of(t[test], made - small * m) for m in moved]
        )
        through *= n / (2 * small)
        expected[train] += through - through.mean()
        first[test] += value
    measure = apa.measure("ridge" if score == "r2" else "pearson-ridge", alphas=ALPHAS, n_fold=3)
    whole = WeightKernel(measure, [y], [x], ()).values(np.ones((1, N)), ceiling=False).item()
    np.testing.assert_allclose(influences(measure, y, x), (expected + first - whole) / N, atol=1e-6)


@pytest.mark.parametrize(
    ("noise", "name"), [(3.0, "ridge"), (0.5, "ridge"), (3.0, "pearson-ridge")]
)
def test_standard_errors_are_those_of_new_stimuli(noise: float, name: str) -> None:
    """200 draws of 60 stimuli: the standard error is that of new stimuli for the test and the fits alike.

    Within .9 and 1.25 of the SD of the scores (which is known to 5 %): too long, as what a stimulus tested and one
    fitted to do together counts for both.
    """
    root = np.random.default_rng(7)
    weights = root.standard_normal((2, 8, 6))
    measure = apa.measure(name, alphas=[1.0, 10.0, 100.0, 1000.0])
    scores, errors = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((60, 8))
        x = [z @ w + noise * rng.standard_normal((60, 6)) for w in weights]
        kernel = WeightKernel(measure, x, [z[:, :5]], ())
        counts = np.concatenate(
            [np.ones((1, 60)), rng.multinomial(60, np.full(60, 1 / 60), size=200)]
        )
        values = kernel.values(counts, ceiling=False)[..., 0].mean(axis=1)
        scores.append(values[0])
        errors.append(values[1:].std(ddof=1))
    assert 0.9 < np.mean(errors) / np.std(scores, ddof=1) < 1.25


def test_one_stimulus_that_holds_all_variance_of_a_unit_does_not_decide() -> None:
    brain, models = people(1, seed=3)
    (y,), x = brain.values(), models["m", "l"]
    y[:, 0] = 0.0
    y[[3, 20], 0] = 50.0, -40.0
    for name in ("ridge", "pearson-ridge"):
        found = influences(apa.measure(name, alphas=ALPHAS), y, x)
        assert np.isfinite(found).all()
        assert np.abs(found).max() < 1


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
    assert any("penalties of regressions" in str(held) for held in found.info.held_fixed)
    assert "penalties" in found.text()
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
