"""Shared dimensions of people's responses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

import apastats as apa
from apastats.errors import DataError, DesignError, InputError
from apastats.scoring.hyperalign import shared_maps


def people(sizes=(8, 9, 7), noise=0.0, seed=0, k=4):
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((30, k))
    found = {}
    for s, n in enumerate(sizes):
        x = shared @ np.linalg.qr(rng.standard_normal((n, k)))[0].T
        x = x + noise * rng.standard_normal(x.shape)
        found[f"p{s}", "V1"] = (x[:20], x[20:])
    return found


def test_turned_copies_are_the_same_again() -> None:
    found = apa.hyperalign(people(), n_component=4)
    for part in (0, 1):
        for s in (1, 2):
            np.testing.assert_allclose(
                found["p0", "V1"][part], found[f"p{s}", "V1"][part], atol=1e-9
            )


def test_only_train_stimuli_are_fitted() -> None:
    brain = people(noise=0.5)
    other = {k: (train, test[::-1] * 3) for k, (train, test) in brain.items()}
    a, b = apa.hyperalign(brain), apa.hyperalign(other)
    for key in brain:
        np.testing.assert_array_equal(a[key][0], b[key][0])
        assert a[key][0].shape == (20, 7)


def test_two_people_of_equal_size_are_turned_as_procrustes_does() -> None:
    """The map from one person to the other is that of scipy where the two are turned onto each other."""
    brain = people((6, 6), noise=0.3, k=6)
    x, y = (brain[f"p{s}", "V1"][0] for s in (0, 1))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    first, second = shared_maps([x, y], 6, 400)
    np.testing.assert_allclose(first @ second.T, orthogonal_procrustes(x, y)[0], atol=1e-4)


def test_what_is_left_falls_with_every_round() -> None:
    brain = people(noise=1.0)
    train = [v[0] - v[0].mean(axis=0) for v in brain.values()]

    def left(n: int) -> float:
        maps = shared_maps(train, 4, n)
        shared = np.mean([x @ w for x, w in zip(train, maps, strict=True)], axis=0)
        return float(sum(((x - shared @ w.T) ** 2).sum() for x, w in zip(train, maps, strict=True)))

    rounds = [left(n) for n in (1, 2, 5, 20)]
    assert all(a >= b - 1e-9 for a, b in pairwise(rounds))


def test_people_predict_each_other_better() -> None:
    rng = np.random.default_rng(3)
    brain = people((10, 10, 10, 10), noise=0.6)
    stretched = {
        k: tuple(x + 0.8 * rng.standard_normal(x.shape) for x in v) for k, v in brain.items()
    }
    aligned = apa.hyperalign(stretched, n_component=4)

    def between(sets):
        return np.mean(
            [
                np.corrcoef(sets["p0", "V1"][1].ravel(), sets[f"p{s}", "V1"][1].ravel())[0, 1]
                for s in (1, 2, 3)
            ]
        )

    assert between(aligned) > between(stretched) + 0.2


def test_bad_input() -> None:
    brain = people()
    with pytest.raises(InputError, match="pairs"):
        apa.hyperalign({k: v[0] for k, v in brain.items()})
    with pytest.raises(InputError, match="n_component: got 9"):
        apa.hyperalign(brain, n_component=9)
    with pytest.raises(DesignError, match="1 person"):
        apa.hyperalign({("p0", "V1"): brain["p0", "V1"]})
    short = dict(brain) | {("p1", "V1"): (brain["p1", "V1"][0][:10], brain["p1", "V1"][1])}
    with pytest.raises(DataError, match="train"):
        apa.hyperalign(short)
