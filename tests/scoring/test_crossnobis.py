"""Cross-validated and noise-weighted RDMs: orders of trials, folds and noise of every data set, and no raw error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import ApaError, DataError, DesignError, InputError

NAMES, RUNS, P = list("abcdef"), 11, 8


@pytest.fixture
def data() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(6, P))
    out: dict[str, Any] = {"patterns": {}, "stimuli": {}, "cv_descriptor": {}, "truth": {}}
    for s in ("s1", "s2"):
        key = (s, "V1")
        trials = np.array([(i, r) for r in range(RUNS) for i in range(6)])[
            rng.permutation(6 * RUNS)
        ]
        x = signal[trials[:, 0]] + rng.normal(size=(len(trials), P))
        out["patterns"][key] = x
        out["stimuli"][key] = [NAMES[i] for i, _ in trials]
        out["cv_descriptor"][key] = trials[:, 1].tolist()
        cube = np.empty((RUNS, 6, P))
        for (i, r), row in zip(trials, x, strict=True):
            cube[r, i] = row
        out["truth"][s] = cube
    return out


def crossnobis(cube: np.ndarray) -> np.ndarray:
    """By definition: mean product of the differences of one run and of the mean of the others."""
    i, j = np.triu_indices(cube.shape[1], 1)
    total = np.zeros(len(i))
    for r in range(len(cube)):
        rest = np.delete(cube, r, axis=0).mean(axis=0)
        total += ((rest[i] - rest[j]) * (cube[r][i] - cube[r][j])).mean(axis=1)
    return total / len(cube)


def test_every_subject_has_its_own_order_of_trials(data: dict) -> None:
    cubes = data.pop("truth")
    found = apa.rdms_from_patterns(method="crossnobis", **data)
    first = found.stimuli
    expected = np.stack([crossnobis(cubes[s]) for s in ("s1", "s2")])
    truth = apa.RDMSet(expected, found.labels, NAMES).on_stimuli(first)
    np.testing.assert_allclose(found.vectors, truth.vectors, atol=1e-12)


def test_a_precision_per_run_goes_with_its_run(data: dict) -> None:
    """Runs 0 to 10: sorted as text, run 10 would take the precision of run 2."""
    rng = np.random.default_rng(1)
    noise = [np.diag(rng.uniform(0.5, 2, P)) for _ in range(RUNS)]
    data.pop("truth")
    found = apa.rdms_from_patterns(method="crossnobis", noise=noise, **data)
    letters = {k: [f"run_{r:02d}" for r in v] for k, v in data["cv_descriptor"].items()}
    named = apa.rdms_from_patterns(
        method="crossnobis",
        noise=dict.fromkeys(data["patterns"], noise),
        **data | {"cv_descriptor": letters},
    )
    np.testing.assert_allclose(found.vectors, named.vectors, atol=1e-13)
    # the runs relabelled in the other direction, with their precisions
    turned = {k: [RUNS - r for r in v] for k, v in data["cv_descriptor"].items()}
    other = apa.rdms_from_patterns(
        method="crossnobis", noise=noise[::-1], **data | {"cv_descriptor": turned}
    )
    np.testing.assert_allclose(found.vectors, other.vectors, atol=1e-12)


def test_order_of_trials_and_names_of_runs_change_nothing(data: dict) -> None:
    data.pop("truth")
    rng = np.random.default_rng(2)
    found = apa.rdms_from_patterns(method="crossnobis", **data)
    shuffled: dict[str, Any] = {k: {} for k in data}
    for key, x in data["patterns"].items():
        order = rng.permutation(len(x))
        shuffled["patterns"][key] = x[order]
        for k in ("stimuli", "cv_descriptor"):
            shuffled[k][key] = [data[k][key][i] for i in order]
    again = apa.rdms_from_patterns(method="crossnobis", **shuffled).on_stimuli(found.stimuli)
    np.testing.assert_allclose(again.vectors, found.vectors, atol=1e-12)


KEY = ("s1", "V1")
X = np.random.default_rng(0).normal(size=(12, 5))
ROWS = {"stimuli": NAMES * 2, "cv_descriptor": [1] * 6 + [2] * 6}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cv_descriptor": [1] * 12}, DesignError, "one fold .* crossnobis needs two or more"),
        (
            {"stimuli": [*NAMES, *"abcdeg"]},
            DataError,
            "stimulus 'f' is not in fold 2; .* leave it, or the fold, out",
        ),
        (
            {"noise": np.eye(4)},
            InputError,
            r"noise: got \(4, 4\); allowed: finite precision matrices \[5, 5\]",
        ),
        (
            {"noise": [np.eye(5)] * 3},
            InputError,
            "3 matrices'; allowed: one matrix, or 2, one per fold",
        ),
        ({"noise": [np.eye(5), np.eye(4)]}, InputError, "precision matrices"),
        ({"noise": "identity"}, InputError, "noise"),
        ({"noise": {("s2", "V1"): np.eye(5)}}, InputError, "noise.*labels of the patterns"),
        ({"stimuli": {("s2", "V1"): NAMES * 2}}, InputError, "stimuli.*labels of the patterns"),
        ({"stimuli": NAMES}, InputError, "stimuli: got 6; allowed: 12 names"),
        ({"cv_descriptor": [1, 2]}, InputError, "cv_descriptor: got 2; allowed: 12 folds"),
        ({"cv_descriptor": 3}, InputError, "cv_descriptor: got 3"),
        ({"stimuli": None}, InputError, "folds, and stimuli, of every row"),
        (
            {"method": "mahalanobis", "cv_descriptor": None, "noise": [np.eye(5)] * 2},
            InputError,
            "one matrix with",
        ),
        ({"method": "mahalanobis"}, InputError, "cv_descriptor: got 'a value'"),
        (
            {"method": "poisson", "cv_descriptor": None},
            DataError,
            "negative entries; poisson is for counts",
        ),
        ({"method": "poisson_cv"}, DataError, "negative entries; poisson_cv is for counts"),
    ],
)
def test_refusals(options: dict, error: type[ApaError], message: str) -> None:
    with pytest.raises(error, match=message):
        apa.rdms_from_patterns({KEY: X}, **{"method": "crossnobis"} | ROWS | options)


def test_no_bare_error_whatever_is_given() -> None:
    rng = np.random.default_rng(0)
    pool: list[Any] = [
        *(
            None,
            3,
            "a",
            [1, 2],
            NAMES * 2,
            [1] * 6 + [2] * 6,
            np.eye(5),
            np.eye(4),
            [np.eye(5)] * 2,
            {KEY: np.eye(5)},
        ),
        *(
            {},
            np.nan,
            np.full((5, 5), np.nan),
            [[1]],
            {KEY: NAMES * 2},
            object(),
            [None] * 12,
            np.zeros((5, 5)),
        ),
    ]
    kinds = ("crossnobis", "mahalanobis", "poisson", "poisson_cv", "correlation", "euclidean")
    for _ in range(400):
        options = {k: pool[rng.integers(len(pool))] for k in ("stimuli", "noise", "cv_descriptor")}
        value: Any = [X, np.abs(X), pd.DataFrame(X), X[:1], [[1, 2], [3]], "x"][rng.integers(6)]
        try:
            apa.rdms_from_patterns({KEY: value}, method=kinds[rng.integers(6)], **options)
        except ApaError:
            continue


def test_frames_name_their_rows_and_are_matched() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(6, 9))
    order = rng.permutation(6)
    one = pd.DataFrame(x, index=NAMES)
    found = apa.rdms_from_patterns({("a", "V1"): one, ("b", "V1"): one.iloc[order]})
    assert list(found.stimuli) == NAMES
    np.testing.assert_allclose(found.vectors[0], found.vectors[1], atol=1e-14)
    with pytest.raises(DataError, match="have no names, those of other sets have"):
        apa.rdms_from_patterns({("a", "V1"): one, ("b", "V1"): x})
    part = apa.rdms_from_patterns({("a", "V1"): one, ("b", "V1"): one.iloc[:4]})
    assert np.isnan(part.vectors[1]).sum() == 15 - 6
    assert not apa.rdms_from_patterns({("a", "V1"): pd.DataFrame(x)}).named


def test_correlations_across_folds_by_definition(data: dict[str, Any]) -> None:
    given = {k: data[k] for k in ("patterns", "stimuli", "cv_descriptor")}
    found = apa.rdms_from_patterns(method="correlation_across", **given)
    for k, s in enumerate(("s1", "s2")):
        cube = data["truth"][s]
        for (i, j), d in zip(
            zip(*np.triu_indices(6, 1), strict=True),
            found.select(subject=s).on_stimuli(NAMES).vectors[0],
            strict=True,
        ):
            r = [
                np.corrcoef(cube[f, i], cube[g, j])[0, 1]
                for f in range(RUNS)
                for g in range(RUNS)
                if f != g
            ]
            assert d == pytest.approx(1 - np.mean(r), abs=1e-12), k


def test_noise_that_a_run_shares_counts_only_within_it() -> None:
    rng = np.random.default_rng(4)
    runs, p = 4, 200
    drift = np.repeat(rng.normal(size=(runs, 1, p)), 6, axis=1)  # one pattern on all of a run
    x = (0.5 * rng.normal(size=(runs, 6, p)) + drift).reshape(-1, p)
    options = {"stimuli": NAMES * runs, "cv_descriptor": np.repeat(range(runs), 6).tolist()}
    across = apa.rdms_from_patterns({("s", "V1"): x}, method="correlation_across", **options)
    within = apa.rdms_from_patterns({("s", "V1"): x[:6]})
    assert abs(across.vectors.mean() - 1) < 0.05  # unrelated: distance 1
    assert within.vectors.mean() < 0.3


def test_patterns_that_do_not_vary_have_no_correlation_across_folds() -> None:
    x = np.random.default_rng(5).normal(size=(12, P))
    x[[0, 6]] = 3.0
    options = {"stimuli": NAMES * 2, "cv_descriptor": [1] * 6 + [2] * 6}
    found = apa.rdms_from_patterns({KEY: x}, method="correlation_across", **options)
    lost = np.isnan(found.vectors[0])
    assert lost.sum() == 5  # the pairs of the first stimulus
    with pytest.raises(DesignError, match="one fold"):
        apa.rdms_from_patterns(
            {KEY: x}, method="correlation_across", stimuli=NAMES * 2, cv_descriptor=[1] * 12
        )
    with pytest.raises(InputError, match="noise"):
        apa.rdms_from_patterns({KEY: x}, method="correlation_across", noise=np.eye(P), **options)
