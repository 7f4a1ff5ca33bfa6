"""Bootstrap of stimuli, and of subjects and stimuli, for measures of patterns."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DataError, InputError
from apastats.numbers.fidelity import Fidelity
from apastats.numbers.grams import debiased_metric, debiased_rows, metric_similarity
from apastats.numbers.tuples import Alignment, biased_shares, unbiased_shares
from apastats.scoring.measures.measure import MEASURES
from apastats.scoring.stimuli.measured import SubsetKernel, WeightKernel, between_measured

# few resamples
pytestmark = pytest.mark.filterwarnings(
    "ignore::apastats.errors.MonteCarloWarning", "ignore::apastats.errors.SmallSampleWarning"
)
WEIGHTED = ("cka", "cka-debiased", "cka-rbf", "procrustes", "bures")
SUBSETS = ("mutual-knn", "pairwise-matching", "cca", "versa")
COUNTS = np.r_[2, 0, 3, 1, 0, 2, np.ones(8)]
ONE = (np.array([0]), np.array([1]))


def square(x: np.ndarray) -> np.ndarray:
    return np.asarray(((x[:, None] - x[None]) ** 2).sum(-1))


def two(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 6))
    return x, x[:, :4] + rng.standard_normal((n, 4)) + 2


def people(
    n: int = 14, s: int = 4, seed: int = 1
) -> tuple[dict[tuple[str, str], np.ndarray], dict[tuple[str, str], np.ndarray]]:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, 5))
    brain = {(f"s{i}", "V1"): common + rng.standard_normal((n, 5)) for i in range(s)}
    return brain, {
        (f"m{k}", "l"): rng.standard_normal((n, 3 + k)) + common[:, :1] for k in range(3)
    }


def scored(name: str) -> Any:
    return apa.measure(name, k=4) if name == "mutual-knn" else apa.measure(name, **folds(name))


def folds(name: str) -> dict[str, int]:
    return {"n_fold": 2} if "n_fold" in MEASURES[name].rules else {}


# ------------------------------------------------------------- the numbers
@pytest.mark.parametrize("weights", [COUNTS, np.random.default_rng(0).dirichlet(np.ones(14))])
def test_alignment_under_weights_is_the_sum_over_four_stimuli(weights: np.ndarray) -> None:
    x, y = two(14)
    d, e = square(x), square(y)
    i, j, q, r = np.array(list(itertools.permutations(range(14), 4))).T
    w = weights[i] * weights[j] * weights[q] * weights[r]

    def of(f: np.ndarray, g: np.ndarray, shares: tuple[float, float, float]) -> float:
        means = [np.average(f[i, j] * v, weights=w) for v in (g[i, j], g[i, q], g[q, r])]
        return float(np.dot(shares, means))

    for shares in (unbiased_shares(14), biased_shares(14)):
        expected = of(d, e, shares) / np.sqrt(of(d, d, shares) * of(e, e, shares))
        found = Alignment(np.stack([d, e]), *ONE, shares).values(weights[None])[0, 0]
        assert found == pytest.approx(expected, rel=1e-10)
    a, b = (debiased_rows((v @ v.T)[None], weights) for v in (x, y))
    known = metric_similarity(a, b, debiased_metric(14, weights))[0, 0]
    found = Alignment(np.stack([d, e]), *ONE, unbiased_shares(14)).values(weights[None])[0, 0]
    assert found == pytest.approx(known, abs=1e-12)


def test_bures_under_counts_is_that_of_copies_written_out() -> None:
    x, y = two(14)
    rows = np.repeat(np.arange(14), COUNTS.astype(int))
    sides = [v[rows] - v[rows].mean(axis=0) for v in (x, y)]
    expected = np.linalg.norm(sides[0].T @ sides[1], "nuc")
    expected /= np.prod([np.linalg.norm(v) for v in sides])
    assert Fidelity([x, y], *ONE).values(COUNTS[None])[0, 0] == pytest.approx(expected, abs=1e-12)
    wide = [
        np.hstack([v, v @ np.random.default_rng(3).standard_normal((v.shape[1], 30))])
        for v in (x, y)
    ]
    values, vectors = np.linalg.eigh(np.stack([v @ v.T for v in wide]))
    root = vectors * np.sqrt(np.maximum(values, 0))[:, None]
    found, expected = (Fidelity(v, *ONE).values(COUNTS[None]) for v in (wide, root))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_of_one_are_the_measure_and_scale_does_not_matter(name: str) -> None:
    brain, models = people()
    measure = MEASURES[name]
    sides = list(brain.values()), list(models.values()), [*brain.values(), sum(brain.values())]
    kernel = WeightKernel(measure, *sides)
    plain = SubsetKernel(measure, *sides)
    ones = np.ones((1, 14))
    found = kernel.values(ones, ceiling=True)
    np.testing.assert_allclose(found, plain.values(ones, ceiling=True), atol=1e-10)
    np.testing.assert_allclose(kernel.values(3 * ones, ceiling=True), found, atol=1e-10)
    # a stimulus of weight 0 is not there
    left = COUNTS > 0
    smaller = [[v[left] for v in side] for side in sides]
    if name != "cka-rbf":  # its width stays that of all stimuli
        there = WeightKernel(measure, *smaller).values(COUNTS[None, left], ceiling=True)
        if name != "cka":  # the share of the diagonal stays that of all stimuli
            np.testing.assert_allclose(kernel.values(COUNTS[None], ceiling=True), there, atol=1e-10)


def test_few_stimuli_and_data_without_variation_have_no_value() -> None:
    brain, models = people()
    few = np.r_[np.ones(3), np.zeros(11)]
    for name in WEIGHTED:
        kernel = WeightKernel(MEASURES[name], list(brain.values()), [np.ones((14, 3))], ())
        found = kernel.values(np.stack([few, np.ones(14)]), ceiling=False)
        assert np.isnan(found[1]).all()
        full = WeightKernel(MEASURES[name], list(brain.values()), list(models.values()), ())
        found = full.values(np.stack([few, np.ones(14)]), ceiling=False)
        assert np.isnan(found[0]).all() == name.startswith("cka")
        assert np.isfinite(found[1]).all()


def test_the_table_says_which_measures_take_weights() -> None:
    for name, measure in MEASURES.items():
        assert (measure.stimuli == "weights") == (measure.weighted is not None or name == "rsa")


# ------------------------------------------------------------- the verb
@pytest.mark.parametrize("name", [*WEIGHTED, *SUBSETS])
def test_estimates_and_ceilings_are_those_of_the_scores(name: str) -> None:
    brain, models = people(s=3)
    measure = scored(name)
    table = apa.score_patterns(brain, models, measure=measure).frame
    means = table[table["kind"] == "model"].groupby("model")["score"].mean()
    for cluster in ("stimulus", ("subject", "stimulus"), "subject"):
        found = apa.bootstrap(
            "score ~ model | roi", brain, models=models, measure=measure, cluster=cluster, interval="t",
            n_resamples=25, rng=1,
        )  # fmt: skip
        rows = found.table.set_index("model")["estimate"]
        np.testing.assert_allclose(rows.loc[means.index], means, atol=1e-9)
        assert (found.table["std_error"] > 0).all()
        assert found.info["metric"] == name
        others = table[table["kind"] == "leave_one_out"]["score"].mean()
        ceilings = found.ceilings().table.set_index("bound")["estimate"]
        assert ceilings["lower"] == pytest.approx(others, abs=1e-9)
        assert ceilings["upper"] > ceilings["lower"]
        assert any("takes no weights" in note for note in found.notes) == (name in SUBSETS)


def test_units_side_by_side_need_no_same_vertices() -> None:
    brain, models = people()
    odd = {k: v[:, : 2 + i] for i, (k, v) in enumerate(brain.items())}
    call: dict[str, Any] = {
        "models": models,
        "measure": "cka",
        "cluster": "stimulus",
        "n_resamples": 50,
        "rng": 1,
    }
    with pytest.raises(DataError, match="joined_units"):
        apa.bootstrap("score ~ model | roi", odd, **call)
    found = apa.bootstrap("score ~ model | roi", odd, **call, reference_from="joined_units")
    table = apa.score_patterns(odd, models, measure="cka", reference_from="joined_units").frame
    assert set(table["reference_from"]) == {"-", "joined_units"}
    others = table[table["kind"] == "leave_one_out"]["score"]
    np.testing.assert_allclose(found.arrays["ceiling_estimate"][0], others.mean(), atol=1e-10)
    # the Gram matrix of units side by side is the sum of Gram matrices of one size
    grams = {k: (v - v.mean(0)) @ (v - v.mean(0)).T for k, v in odd.items()}
    pool = sum(g / np.trace(g) for (s, _), g in grams.items() if s != "s0")
    h = np.eye(14) - 1 / 14
    k, m = h @ grams["s0", "V1"] @ h, h @ pool @ h
    expected = (k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum())
    assert others.iloc[0] == pytest.approx(expected, abs=1e-10)


def test_one_person_in_all_roles_of_a_ceiling() -> None:
    brain, _ = people()
    x = list(brain.values())
    measure = MEASURES["procrustes"]

    def mean(rows: np.ndarray) -> np.ndarray:
        return np.mean([x[i] for i in rows], axis=0)

    values, person = between_measured(measure, x, mean)
    np.testing.assert_allclose(person.mean(axis=0), values.mean(axis=0))
    assert (values[:, 1] > values[:, 0]).all()
    left = between_measured(measure, x[1:], lambda rows: np.mean([x[1 + i] for i in rows], axis=0))[
        0
    ]
    rest = [
        between_measured(
            measure, x[:i] + x[i + 1 :], lambda rows, i=i: mean(np.delete(np.arange(4), i)[rows])
        )[0]
        for i in range(4)
    ]
    np.testing.assert_allclose(rest[0], left)
    jackknife = np.array([r.mean(axis=0) for r in rest])
    np.testing.assert_allclose(
        person, values.mean(axis=0) + 3 * (jackknife.mean(axis=0) - jackknife), atol=1e-12
    )


def test_bits_do_not_depend_on_processes_and_runs_continue(tmp_path) -> None:
    brain, models = people()
    call: dict[str, Any] = {
        "models": models,
        "measure": "cka-debiased",
        "cluster": "stimulus",
        "rng": 3,
    }
    one = apa.bootstrap("score ~ model | roi", brain, n_resamples=5000, **call)
    two_ = apa.bootstrap(
        "score ~ model | roi", brain, n_resamples=5000, n_jobs=2, workdir=tmp_path, **call
    )
    pd.testing.assert_frame_equal(one.table, two_.table)
    assert list(tmp_path.glob("block_*"))
    with pytest.raises(InputError, match="It differs in"):
        apa.bootstrap(
            "score ~ model | roi",
            brain,
            n_resamples=5000,
            workdir=tmp_path,
            **call | {"measure": "cka"},
        )


@pytest.mark.parametrize("scheme", ["bootstrap", "bayesian"])
def test_blocks_and_weights(scheme: str) -> None:
    brain, models = people()
    call: dict[str, Any] = {
        "models": models,
        "measure": "bures",
        "cluster": "stimulus",
        "rng": 3,
        "scheme": scheme,
    }
    found = apa.bootstrap(
        "score ~ model", brain, blocks=np.repeat(range(7), 2), n_resamples=80, **call
    )
    assert found.info["blocks"] == 7
    assert np.isfinite(found.table["conf_low"]).all()


def test_groups_of_folds_follow_the_subset() -> None:
    brain, models = people(24)
    measure = apa.measure("pls", folds="leave_one_out", groups=np.repeat(range(4), 6).tolist())
    found = apa.bootstrap(
        "score ~ model", brain, models=models, measure=measure, cluster="stimulus", n_resamples=20, rng=1,
        ceiling=False,
    )  # fmt: skip
    assert np.isfinite(found.table["std_error"]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measure": "rsa"}, "rdms_from_patterns"),
        ({"measure": ["cka", "bures"]}, "a call for each"),
        ({"measure": "cka", "method": "spearman"}, "method"),
        ({"measure": "ckaa"}, "measure"),
        ({"measure": "mutual-knn", "scheme": "bayesian"}, "takes copies"),
        ({"measure": "cka", "reference_from": "pooled_rdms"}, "reference_from"),
        ({"measure": "cka", "models": None}, "models"),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    brain, models = people()
    call = {"models": models, "cluster": "stimulus", "n_resamples": 20} | options
    with pytest.raises(InputError, match=message):
        apa.bootstrap("score ~ model", brain, **call)


def test_options_of_patterns_are_for_patterns() -> None:
    table = apa.score_patterns(*people(), measure="cka")
    for option in ({"measure": "cka"}, {"reference_from": "joined_units"}):
        with pytest.raises(InputError, match="patterns"):
            apa.bootstrap("score ~ model", table.where(kind="model"), **option)
