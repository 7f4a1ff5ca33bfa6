"""Fitted models: rsatoolbox's fits and cross-validated scores on given folds and draws, brute force, recovery."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rsatoolbox.inference import crossval
from rsatoolbox.model import ModelInterpolate, ModelSelect, ModelWeighted
from rsatoolbox.model import fitter as fits
from rsatoolbox.rdm import RDMs
from scipy.optimize import nnls
from scipy.stats import rankdata

import apastats as apa
from apastats.bootstrapping.fitted_rois import FoldPlan, _resampled
from apastats.errors import DesignError, InputError
from apastats.scoring.fitted.crossvalidated import (
    crossvalidated,
    folds_of,
    stimulus_folds,
    without_fold_variance,
)
from apastats.scoring.fitted.folds import FittedKernel, Rule
from apastats.scoring.fitted.grams import PairGrams
from apastats.scoring.fitted.solve import (
    eliminated,
    free_weights,
    mixture_weights,
    nonnegative_weights,
)

N, S, K = 20, 6, 4
LEFT, RIGHT = np.triu_indices(N, 1)
LINEAR = ["cosine", "corr", "cosine_cov", "corr_cov"]
RANKS = ["spearman", "rho-a", "tau-a", "tau-b"]


def rdm(patterns: np.ndarray) -> np.ndarray:
    i, j = np.triu_indices(len(patterns), 1)
    return np.asarray(((patterns[i] - patterns[j]) ** 2).mean(axis=1))


def data(
    seed: int = 0, shares: Any = (2, 1, 0.3, 0.3), noise: float = 0.8
) -> tuple[np.ndarray, np.ndarray]:
    """RDMs of subjects, and of the four parts of their patterns."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(N, 3 * K))
    # small: fit_regress_nn stops at an absolute tolerance, and never does on members of ordinary size
    parts = [
        1e-3 * rdm(base[:, 3 * k : 3 * k + 3] + 0.3 * rng.normal(size=(N, 3))) for k in range(K)
    ]
    mixed = base * np.sqrt(np.repeat(shares, 3))
    brains = [rdm(mixed + noise * rng.normal(size=mixed.shape)) for _ in range(S)]
    return np.array(brains), np.array(parts)


def sets(x: np.ndarray, y: np.ndarray) -> tuple[apa.RDMSet, apa.RDMSet]:
    brain = pd.DataFrame({"subject": [f"s{k}" for k in range(len(x))], "roi": "V1"})
    return apa.RDMSet(x, brain), apa.RDMSet(y, pd.DataFrame({"layer": range(len(y))}))


# ---------------------------------------------------------------- against rsatoolbox
def replayed(method: str, rule: Rule, model: Any, fitter: Any, seed: int) -> tuple[Any, ...]:
    """Scores of four folds of one resample, ours ``[4]`` and theirs, and our weights and theirs in the first."""
    x, y = data()
    rng = np.random.default_rng(seed)
    v, c = rng.multinomial(S, np.ones(S) / S), rng.multinomial(N, np.ones(N) / N)
    people, stimuli = np.repeat(np.arange(S), v), np.repeat(np.arange(N), c)
    of_person, of_stimulus = np.arange(S) % 2, rng.permutation(N) % 2
    train, test = [], []
    for g in range(2):
        for h in range(2):
            for out, keep in ((train, np.not_equal), (test, np.equal)):
                some = stimuli[keep(of_stimulus[stimuli], h)]
                rows = RDMs(x).subsample("index", people[keep(of_person[people], g)])
                out.append((rows.subsample_pattern("index", some), some))
    sample = RDMs(x).subsample("index", people).subsample_pattern("index", stimuli)
    theirs = crossval(
        [model], sample, train, test, method=method, fitter=[fitter], calc_noise_ceil=False
    ).evaluations[0, 0]
    theta = fitter(
        model, train[0][0], method=method, pattern_idx=train[0][1], pattern_descriptor="index"
    )
    kernel = FittedKernel(x, [rule], method)
    grams = kernel.grams(np.array([c * (of_stimulus != h) for h in range(2)]))
    # training without stimuli of fold h is grams h, its test the other; fold of subjects g is tested
    fitted_to = v * (of_person != np.arange(2)[:, None])[None].astype(float)
    weights = kernel.fit(grams.take(np.array([[0, 1]])), fitted_to)
    scores = kernel.score(grams.take(np.array([[1, 0]])), weights, of_person[None])[0, :, :, 0]
    tested = v * (of_person == np.arange(2)[:, None])
    ours = (np.nan_to_num(scores) @ tested.T / tested.sum(axis=1)).T.ravel()
    first = kernel.described([w[0, 0, :, 0] for w in weights])[0]
    return ours, theirs, first, theta, (train[0], y)


@pytest.mark.parametrize("method", LINEAR)
@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize("seed", range(2))
def test_weighted_models_equal_rsatoolbox_on_replayed_folds(
    method: str, free: bool, seed: int
) -> None:
    y = data()[1]
    fitter = fits.fit_regress if free else fits.fit_regress_nn
    rule = Rule(y, "weighted", nonnegative=not free)
    ours, theirs, weights, theta, _ = replayed(
        method, rule, ModelWeighted("w", RDMs(y)), fitter, seed
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8)
    np.testing.assert_allclose(weights, theta, rtol=0, atol=1e-8)


@pytest.mark.parametrize("method", [*LINEAR, *RANKS])
@pytest.mark.parametrize("seed", range(2))
def test_selection_equals_rsatoolbox_on_replayed_folds(method: str, seed: int) -> None:
    y = data()[1]
    model = ModelSelect("s", RDMs(y))
    ours, theirs, weights, theta, _ = replayed(
        method, Rule(y, "select"), model, fits.fit_select, seed
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)
    assert int(np.argmax(weights)) == int(theta)


@pytest.mark.parametrize("method", [*LINEAR, *RANKS])
@pytest.mark.parametrize("seed", range(2))
def test_interpolation_is_at_least_as_good_by_its_own_criterion(method: str, seed: int) -> None:
    y = data()[1]
    model = ModelInterpolate("i", RDMs(y))
    rule = Rule(y, "interpolate")
    _, _, weights, theta, (train, _) = replayed(method, rule, model, fits.fit_interpolate, seed)

    def loss(w: np.ndarray) -> float:
        return float(
            fits._loss(
                w, model, train[0], method=method, pattern_descriptor="index", pattern_idx=train[1]
            )
        )

    assert weights.sum() == pytest.approx(1)
    assert np.count_nonzero(weights > 1e-12) <= 2
    # under ranks the mixtures are steps of a twentieth
    assert loss(weights) <= loss(theta) + (1e-9 if method in LINEAR else 2e-3)


@pytest.mark.parametrize("method", RANKS)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("rule", ["select", "interpolate"])
def test_rank_criteria_are_those_of_samples_written_out(method: str, ties: bool, rule: Any) -> None:
    """Chosen candidate, held-out scores and ceilings of draws and folds, by comparisons of every written-out RDM."""
    x, y = data(2)
    if ties:
        x, y = np.round(2 * x), np.round(2e3 * y)
    rng = np.random.default_rng(3)
    kernel = FittedKernel(x, [Rule(y, rule)], method)
    grid = np.eye(K)
    if rule == "interpolate":
        edges = itertools.pairwise(grid)
        grid = np.array([(1 - p) * a + p * b for a, b in edges for p in np.arange(21) / 20])
    for k_subject in (2, 1):
        v, c = rng.multinomial(S, np.ones(S) / S), rng.multinomial(N, np.ones(N) / N)
        half = rng.permutation(N) % 2 == 0
        of_person = np.arange(S) % 2 if k_subject == 2 else np.zeros(S, dtype=int)
        grams = kernel.grams(np.array([c * half, c * ~half], dtype=float))
        fitted_to = v * (
            (of_person != np.arange(2)[:, None]) if k_subject == 2 else np.ones((1, S), dtype=bool)
        )
        test = grams.take(np.array([[1]]))
        w = kernel.fit(grams.take(np.array([[0]])), fitted_to[None].astype(float))
        scores = kernel.score(test, w, of_person[None])[0, 0, :, 0]
        people = (fitted_to[None].astype(float), v[None].astype(float), of_person[None])
        bounds = kernel.ceilings(test, *people)[0, 0]

        def written(z: np.ndarray, kept: np.ndarray, c: np.ndarray = c) -> np.ndarray:
            times = (c * kept)[LEFT] * (c * kept)[RIGHT]
            return np.repeat(z, times.astype(int), axis=1)

        def like(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return np.asarray(apa.rdm_similarity(a, b, method=method))

        for g in range(k_subject):
            drawn = np.repeat(np.arange(S), fitted_to[g])
            mean = like(written(x[drawn], half), written(grid @ y, half)).mean(axis=0)
            best = mean >= mean.max() - 1e-12
            mine = kernel.described([w[0][0, 0, :, g]])[0]
            assert any(np.allclose(mine, one) for one in grid[best])
            for s in np.flatnonzero((v > 0) & (of_person == g)):
                own = written(x[s : s + 1], ~half)
                expected = like(own, written(mine @ y[None], ~half).reshape(1, -1))[0, 0]
                assert scores[s] == pytest.approx(expected, abs=1e-12)
                everyone = rankdata(written(x, ~half), axis=1)
                others = fitted_to[g] * (np.arange(S) != s)
                for found, pool in zip(bounds[s], (others, v), strict=True):
                    # products of ranks take the mean ranks as they are
                    mean_ranks = pool @ everyone
                    if method == "spearman":
                        expected = np.corrcoef(everyone[s], mean_ranks)[0, 1]
                    elif method == "rho-a":
                        n, centred = len(mean_ranks), everyone[s] - (len(mean_ranks) + 1) / 2
                        expected = 12 / (n**3 - n) * mean_ranks @ centred / pool.sum()
                    else:
                        expected = like(own, mean_ranks[None])[0, 0]
                    assert found == pytest.approx(expected, abs=1e-12)


# ---------------------------------------------------------------- inner products
@pytest.mark.parametrize(
    ("method", "unequal"),
    [*((m, False) for m in LINEAR), ("cosine_cov", True), ("corr_cov", True)],
)
def test_products_of_drawn_pairs_are_those_of_the_written_out_sample(
    method: str, unequal: bool
) -> None:
    """Against x' V^-1 y with every copy written out and V as it is defined, for any noise variances."""
    x, y = data()
    z = np.concatenate([x, y])
    rng = np.random.default_rng(8)
    variances = rng.uniform(0.3, 3, N) if unequal else None
    counts = np.concatenate([rng.multinomial(N, np.ones(N) / N, size=5), np.ones((1, N))])
    counts = np.concatenate([counts, counts * (np.arange(N) % 3 > 0)])
    pairs = PairGrams(z, method, variances)
    found = pairs.products(counts) * pairs.size[:, None] * pairs.size
    for c, mine in zip(counts, found, strict=True):
        drawn = np.repeat(np.arange(N), c.astype(int))
        i, j = np.triu_indices(len(drawn), 1)
        i, j = i[drawn[i] != drawn[j]], j[drawn[i] != drawn[j]]
        place = np.zeros((N, N), dtype=int)
        place[LEFT, RIGHT] = place[RIGHT, LEFT] = np.arange(len(LEFT))
        part = z[:, place[drawn[i], drawn[j]]]
        if method.startswith("corr"):
            part = part - part.mean(axis=1, keepdims=True)
        v = np.eye(len(i)) / 4
        if method.endswith("cov"):
            contrast = np.zeros((len(i), len(drawn)))
            contrast[np.arange(len(i)), i], contrast[np.arange(len(i)), j] = 1, -1
            noise = np.diag(np.ones(N) if variances is None else variances)[drawn][:, drawn]
            # copies of a stimulus are estimates of their own, with its variance
            noise = noise * np.eye(len(drawn))
            v = (contrast @ noise @ contrast.T) ** 2
        expected = 4 * part @ np.linalg.solve(v, part.T)
        if not method.endswith("cov"):
            expected /= 16
        np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


def test_products_need_bounded_memory_and_little_of_it_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from apastats.scoring.fitted import grams

    z = np.concatenate(data())
    counts = np.random.default_rng(2).multinomial(N, np.ones(N) / N, size=40)
    for method in LINEAR:
        expected = PairGrams(z, method).products(counts)
        monkeypatch.setattr(grams, "_NUMBERS", 700)
        np.testing.assert_allclose(PairGrams(z, method).products(counts), expected, rtol=1e-12)
        monkeypatch.undo()


# ---------------------------------------------------------------- the small problems
@pytest.mark.parametrize("k", [1, 2, 10])
def test_elimination_solves_many_systems_and_tells_the_singular_ones(k: int) -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(50, 3 * k, k))
    a, b = np.einsum("fik,fil->fkl", x, x), rng.normal(size=(50, k, 3))
    found, regular = eliminated(a, b)
    assert regular.all()
    np.testing.assert_allclose(found, np.linalg.solve(a, b), rtol=1e-9)
    if k > 1:
        x[7, :, 0] = x[7, :, 1]
        found, regular = eliminated(np.einsum("fik,fil->fkl", x, x), b)
        assert np.flatnonzero(~regular).tolist() == [7]


def test_nonnegative_weights_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(300, 12, 7)), rng.normal(size=(300, 12))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    a, b = np.einsum("fik,fil->fkl", x, x), np.einsum("fik,fi->fk", x, y)
    found = nonnegative_weights(a, b)
    for f in range(300):
        expected = nnls(x[f], y[f])[0]
        if expected.any():
            np.testing.assert_allclose(found[f], expected, rtol=0, atol=1e-9)
        else:
            assert np.flatnonzero(found[f] > 0).tolist() == [b[f].argmax()]


def test_equal_members_share_and_change_no_prediction() -> None:
    a = np.array([[[1, 0.2, 1], [0.2, 1, 0.2], [1, 0.2, 1]]])
    b = np.array([[0.6, 0.5, 0.6]])
    for solve in (lambda a, b: free_weights(a, b[..., None])[..., 0], nonnegative_weights):
        alone = solve(a[:, :2, :2], b[:, :2])[0]
        found = solve(a, b)[0]
        np.testing.assert_allclose([found[0] + found[2], found[1]], alone, rtol=0, atol=1e-8)


def test_mixtures_against_a_grid() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        x, y = rng.normal(size=(12, 4)), rng.normal(size=12)
        x /= np.linalg.norm(x, axis=0)
        a, b = x.T @ x, x.T @ y
        w = mixture_weights(a[None], b[None])[0]
        best = max(
            float(u @ b / np.sqrt(u @ a @ u))
            for k in range(3)
            for p in np.linspace(0, 1, 201)
            for u in [(1 - p) * np.eye(4)[k] + p * np.eye(4)[k + 1]]
        )
        assert w @ b / np.sqrt(w @ a @ w) >= best - 1e-12


# ---------------------------------------------------------------- folds and resamples
def test_copies_stay_in_one_fold_and_a_score_is_of_held_out_data() -> None:
    x, y = data()
    rng = np.random.default_rng(3)
    folds = folds_of(rng.random((50, 9)) < 0.7, 3, rng)
    for row in folds:
        size = np.bincount(row[row >= 0], minlength=3)
        assert size.max() - size.min() <= 1
    kernel = FittedKernel(x, [Rule(y, "weighted")], "corr")
    v, c = np.ones((1, S)), np.ones((1, N))
    rng = np.random.default_rng(5)
    values = crossvalidated(kernel, v, stimulus_folds(kernel, c, 2, 1, rng), 2, 1, rng).values[0, 0]
    rng = np.random.default_rng(5)
    stimuli = folds_of(np.ones((1, N), bool), 2, rng)[0]
    people = folds_of(np.ones((1, S), bool), 2, rng)[0]
    for s in range(S):
        scores = []
        for h in range(2):
            train, test = (
                (stimuli[LEFT] != h) & (stimuli[RIGHT] != h),
                (stimuli[LEFT] == h) & (stimuli[RIGHT] == h),
            )
            z = x[people != people[s]][:, train]
            z = z - z.mean(axis=1, keepdims=True)
            pool = (z / np.linalg.norm(z, axis=1, keepdims=True)).sum(axis=0)
            m = y[:, train] - y[:, train].mean(axis=1, keepdims=True)
            w = nnls(m.T, pool)[0]
            scores.append(np.corrcoef(w @ y[:, test], x[s, test])[0, 1])
        assert values[s, 0] == pytest.approx(np.mean(scores), abs=1e-10)


@pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning")
@pytest.mark.parametrize("cluster", ["subject", ("subject", "stimulus")])
def test_workers_and_batches_change_no_number(cluster: Any) -> None:
    brain, members = sets(*data())
    model = apa.fitted("weighted", members)
    options = {"n_resamples": 450, "rng": 3, "cluster": cluster, "method": "corr"}
    expected = apa.evaluate_fitted(brain, model, **options)
    for other in ({"batch": 1}, {"batch": 410}, {"n_jobs": 2}):
        found = apa.evaluate_fitted(brain, model, **options, **other)
        for name, a in expected.arrays.items():
            np.testing.assert_array_equal(found.arrays[name], a)


def test_partitions_shared_by_draws_of_subjects_leave_the_variance_what_it_is() -> None:
    """Against partitions of their own in every resample, which cost a Gram matrix each."""
    x, y = data(noise=1.0)
    kernel = FittedKernel(x, [Rule(y, "weighted")], "corr")
    found = []
    for seed in range(8):
        design = FoldPlan(2, 2, 2, ("subject",), 1000, np.random.SeedSequence(seed))
        v = np.random.default_rng(seed).multinomial(S, np.ones(S) / S, size=1000).astype(float)
        made = [
            _resampled(kernel, v, c, design, 1, whole=False)[0] for c in (None, np.ones((1000, N)))
        ]
        kept = [r[np.isfinite(r).all(axis=(1, 2))] for r in made]
        found.append([float(np.sqrt(without_fold_variance(r)[0][0])) for r in kept])
    shared, alone = np.array(found).T
    error = np.std(shared - alone, ddof=1) / np.sqrt(len(shared))
    # sharing 200 partitions leaves a two-hundredth of what differs between them
    assert abs(np.mean(shared - alone)) < 3 * error + 0.02 * alone.mean()


def test_the_variance_of_random_folds_is_removed() -> None:
    rng = np.random.default_rng(0)
    true, of_folds = 1.0, 0.5
    draws = rng.normal(0, true, (20_000, 1, 3)) + rng.normal(0, of_folds, (20_000, 2, 3))
    variance, told = without_fold_variance(draws)
    np.testing.assert_allclose(variance, true, rtol=0.05)
    assert told.all()
    # against rsatoolbox's formula on the same numbers
    mean, one = np.cov(draws.mean(1).T), np.mean([np.cov(draws[:, k].T) for k in range(2)], axis=0)
    np.testing.assert_allclose(variance, np.diag(2 * mean - one), rtol=1e-12)
    assert not without_fold_variance(draws[:, :1])[1].any()


# ---------------------------------------------------------------- what it is for
@pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning")
def test_the_true_member_is_selected_without_bias_and_a_useless_one_raises_nothing() -> None:
    with_, without, alone, chosen = [], [], [], []
    for seed in range(12):
        x, y = data(seed, shares=(2, 0, 0, 0), noise=0.6)
        brain, members = sets(x, y)
        useless = apa.RDMSet(
            np.vstack([y, 1e-3 * rdm(np.random.default_rng(900 + seed).normal(size=(N, 3)))]),
            pd.DataFrame({"layer": range(K + 1)}),
        )
        models = [
            apa.fitted("select", members, name="select"),
            apa.fitted("weighted", members, name="few"),
            apa.fitted("weighted", useless, name="more"),
            members.take([0]),
        ]
        found = apa.evaluate_fitted(
            brain, models, n_resamples=20, rng=seed, k_subject=2, k_stimulus=2
        )
        scores = found.table["estimate"].to_numpy()
        with_.append(scores[2]), without.append(scores[1]), alone.append(scores[0] - scores[3])
        chosen.append(found.weights().query("model == 'select'")["weight"].to_numpy()[0])
        assert found.table["optimism"].to_numpy()[3] == pytest.approx(0, abs=1e-12)
    assert np.mean(chosen) == 1
    error = np.std(alone, ddof=1) / np.sqrt(len(alone))
    assert abs(np.mean(alone)) <= 3 * error + 1e-12
    gain = np.array(with_) - np.array(without)
    assert gain.mean() <= 2 * gain.std(ddof=1) / np.sqrt(len(gain))


@pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning")
def test_rsatoolbox_models_beside_fixed_ones_give_a_table_for_the_other_verbs() -> None:
    x, y = data()
    brain, members = sets(x, y)
    given = [ModelWeighted("free", RDMs(y)), ModelSelect("one", RDMs(y)), members.take([0])]
    found = apa.evaluate_fitted(brain, given, n_resamples=60, rng=1)
    table = found.table
    own = found.scores.where(kind="model").frame.groupby("model")["score"].mean()
    np.testing.assert_allclose(own[table["model"]], table["estimate"], rtol=0, atol=1e-12)
    assert (table["optimism"].to_numpy()[:2] > 0).all()
    assert len(apa.equivalence("score ~ model", found.scores, bounds=0.1).table) == 3
    again = apa.evaluate_fitted(brain, given, n_resamples=60, rng=1)
    pd.testing.assert_frame_equal(again.table, table)
    lower = found.ceilings().table["estimate"].iloc[0]
    np.testing.assert_allclose(
        found.below_ceiling().table["estimate"], table["estimate"] - lower, atol=1e-12
    )


@pytest.mark.filterwarnings("ignore::apastats.errors.ApaWarning")
def test_a_fitted_model_is_a_model_like_any_other_for_the_verbs_of_scores() -> None:
    made = apa.simulate_rdms(
        n_subject=6, n_stimulus=16, rois=["V1", "V2", "V4", "IT"], n_model=2, n_layer=3, rng=0
    )
    layers = made.models.select(model="model_01")
    models = [apa.fitted(kind, layers) for kind in ("weighted", "select", "interpolate")]
    found = apa.evaluate_fitted(made.brain, models, n_resamples=60, rng=1)
    rows, cells = found.scores, len(found.table)
    for verb in (apa.equivalence, apa.equivalence_set):
        table = verb("score ~ model | roi", rows, bounds=0.1).table
        assert table["estimate"].notna().all()
        assert len(table) == cells
    assert apa.discriminability("score ~ model | roi", rows).table["estimate"].notna().all()
    means = apa.bootstrap("score ~ model | roi", rows).table
    keys = ["model", "roi"]
    both = means.merge(found.table, on=keys, suffixes=("", "_fitted"))
    np.testing.assert_allclose(both["estimate"], both["estimate_fitted"], atol=1e-12)
    # the profile over regions, beside the brain's
    whole = apa.concat(apa.score(made.brain, method="corr"), rows.where(kind="model"))
    agreement = apa.pattern_agreement(apa.alignment_patterns(whole)).frame
    found_models = agreement[agreement["kind"] == "model"]
    profile = found.arrays["scores"][:, 0, 0]  # of the first model for the first subject
    assert set(found_models["model"]) == {"weighted", "select", "interpolate"}
    assert found_models["agreement"].between(-1, 1).all()
    patterns = apa.alignment_patterns(whole)
    mine = patterns.table.query("kind == 'model' and model == 'weighted' and subject == 'sub-01'")
    np.testing.assert_allclose(mine["value"], profile, atol=1e-12)


def test_features_and_components_are_weighted_models_of_their_distances() -> None:
    rng = np.random.default_rng(4)
    patterns = rng.normal(size=(N, 4))
    features = apa.fitted("features", patterns, groups=["a", "b", "b", "a"])
    expected = np.array([rdm(patterns[:, [0, 3]]) * 2, rdm(patterns[:, 1:3]) * 2])
    np.testing.assert_allclose(features.members.vectors, expected, rtol=1e-12)
    moments = np.array([np.outer(f, f) for f in patterns.T])
    components = apa.fitted("components", moments).members.vectors
    np.testing.assert_allclose(components, [rdm(f[:, None]) for f in patterns.T], rtol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda b, m: apa.evaluate_fitted(b, m), "a fitted model among them"),
        (
            lambda b, m: apa.evaluate_fitted(b, apa.fitted("weighted", m), method="spearman"),
            "weights of 'weighted'",
        ),
        (lambda b, m: apa.evaluate_fitted(b, apa.fitted("select", m), method="bures"), "one of"),
        (
            lambda b, m: apa.evaluate_fitted(b, apa.fitted("select", m), k_subject=1, k_stimulus=1),
            "no estimate",
        ),
        (lambda b, m: apa.evaluate_fitted(b, apa.fitted("select", m), k_stimulus=9), "k_stimulus"),
        (lambda b, m: apa.evaluate_fitted(b, [apa.fitted("select", m)] * 2), "distinct names"),
        (
            lambda b, m: apa.evaluate_fitted(b, apa.fitted("select", m), sigma_k=np.ones(N)),
            "sigma_k",
        ),
        (
            lambda b, m: apa.evaluate_fitted(
                b, apa.fitted("select", m), method="corr_cov", sigma_k=np.eye(N) + 0.1
            ),
            "one per stimulus",
        ),
        (lambda b, m: apa.fitted("select", m, nonnegative=False), "kind='select'"),
        (lambda b, m: apa.fitted("weighted", m.take([0])), "2 to 150"),
        (lambda b, m: apa.fitted("features", np.zeros((4, 200))), "groups="),
        (lambda b, m: apa.score(b, apa.fitted("select", m)), "evaluate_fitted"),
        (lambda b, m: apa.evaluate_rdms(b, [apa.fitted("select", m)]), "evaluate_fitted"),
    ],
)
def test_what_cannot_be_fitted_is_refused(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(*sets(*data()))


def test_too_few_subjects_for_the_folds() -> None:
    brain, members = sets(*data())
    with pytest.raises((DesignError, InputError), match="subject"):
        apa.evaluate_fitted(brain.take([0]), apa.fitted("select", members))
