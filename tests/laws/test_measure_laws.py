"""Laws over the registry of measures, and over a measure of the user's own: what does not matter changes no score."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import apastats as apa
from apastats.errors import ApaError, DataError, DegenerateWarning
from apastats.scoring.measures.measure import MEASURES

N = 36
TIGHT = 1e-8
pytestmark = pytest.mark.filterwarnings("ignore::apastats.errors.DegenerateWarning")


def own(x: np.ndarray, y: np.ndarray) -> float:
    """Correlation of the squared distances to the mean stimulus: of the user's own."""
    far = [((v - v.mean(axis=0)) ** 2).sum(axis=1) for v in (x, y)]
    if min(map(np.ptp, far)) == 0:
        return float("nan")
    return float(np.corrcoef(*far)[0, 1])


NAMES = [*MEASURES, "own"]
RSA = {"distance": "euclidean"}  # a correlation of one unit with itself is none


def measure_of(name: str, **options: Any) -> Any:
    return apa.measure(own if name == "own" else name, **options)


def score(name: str, x: np.ndarray, y: np.ndarray, **options: Any) -> float:
    """Score of a model with features x for a brain y."""
    table = apa.score_patterns(
        {("s", "r"): y}, {("m", "l"): x}, measure=measure_of(name, **options), references=None,
        **(RSA if name == "rsa" else {}),
    )  # fmt: skip
    return float(table.frame["score"].item())


def data(seed: int = 0, p: int = 6, q: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = 1 + rng.standard_normal((N, p))
    return x, x @ rng.standard_normal((p, q)) + 0.5 * rng.standard_normal((N, q))


@pytest.mark.parametrize("unit", [1e-9, 1e9])
@pytest.mark.parametrize("name", NAMES)
def test_units_of_measurement_do_not_matter(name: str, unit: float) -> None:
    x, y = data()
    assert score(name, unit * x, y / unit) == pytest.approx(score(name, x, y), abs=TIGHT)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_units_does_not_matter(name: str) -> None:
    (x, y), rng = data(), np.random.default_rng(1)
    moved = score(name, rng.permutation(x, axis=1), rng.permutation(y, axis=1))
    assert moved == pytest.approx(score(name, x, y), abs=TIGHT)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_stimuli_does_not_matter(name: str) -> None:
    """Folds that go with the stimuli, where there are folds; canonical correlations in their plain form."""
    (x, y), order = data(), np.random.default_rng(2).permutation(N)
    rules = {} if name == "own" else MEASURES[name].rules
    runs = np.repeat(np.arange(6), N // 6)
    one: dict[str, Any] = {}
    two: dict[str, Any] = {}
    if "groups" in rules:
        one = {"folds": "leave_one_out", "groups": runs.tolist()}
        two = {"folds": "leave_one_out", "groups": runs[order].tolist()}
    elif "cross_validated" in rules:
        one = two = {"cross_validated": False}
    elif "n_order" in rules:  # moments over random orders of the stimuli
        one = two = {"n_order": 200}
    bound = 0.1 if "n_order" in rules else TIGHT
    moved = score(name, x[order], y[order], **two)
    assert moved == pytest.approx(score(name, x, y, **one), abs=bound)


@pytest.mark.parametrize("level", [0.0, 0.1, 1e6])
@pytest.mark.parametrize("name", NAMES)
def test_a_unit_that_never_changes_does_not_matter(name: str, level: float) -> None:
    x, y = data()
    if name == "mutual-knn" and level:
        return  # cosines are about 0, which a constant unit moves: not invariant to shifts
    still = np.full((N, 1), level)
    for added in (np.hstack([x, still]), y), (x, np.hstack([y, still])):
        assert score(name, *added) == pytest.approx(score(name, x, y), abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_stimuli_that_stand_twice_are_scored(name: str) -> None:
    x, y = (np.repeat(v, 2, axis=0) for v in data())
    rules = {} if name == "own" else MEASURES[name].rules
    options: dict[str, Any] = {}
    if "groups" in rules:  # both rows of a stimulus in one fold
        options = {"groups": np.repeat(np.arange(N), 2).tolist()}
    elif "repeats" in rules:
        options = {"repeats": np.repeat(np.arange(N), 2).tolist()}
    found = score(name, x, y, **options)
    assert np.isfinite(found)
    if name in ("cka", "procrustes", "bures", "soft-matching", "pairwise-matching", "own"):
        # functions of the distribution of the stimuli
        assert found == pytest.approx(score(name, *data()), abs=TIGHT)


@pytest.mark.parametrize("name", NAMES)
def test_one_feature_is_enough(name: str) -> None:
    x, y = data()
    for one in (x[:, :1], y), (x, y[:, :1]), (x[:, :1], y[:, :1]):
        found = score(name, *one)
        m = None if name == "own" else MEASURES[name]
        low, high = (-1, 1) if m is None else (m.low, m.high)
        # correlation distances of one response are none
        assert np.isnan(found) == (name == "versa" and one[1].shape[1] == 1)
        assert np.isnan(found) or low - 1e-9 <= found <= high + 1e-9


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_few_stimuli_are_scored_or_refused_by_their_number(name: str, n: int) -> None:
    x, y = data()
    least = 3 if name in ("own", "rsa") else MEASURES[name].least
    if name == "mutual-knn":
        least = 4  # of its neighbours some have to be others
    if n >= least:
        assert np.isfinite(score(name, x[:n], y[:n])) or name == "own"
        return
    with pytest.raises(ApaError, match=r"stimul|n_pair"):
        score(name, x[:n], y[:n])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", NAMES)
def test_missing_and_infinite_entries_are_refused(name: str, bad: float) -> None:
    x, y = data()
    for side, word in ((0, "models"), (1, "brain")):
        both = [x.copy(), y.copy()]
        both[side][3, 2] = bad
        with pytest.raises(DataError, match=word):
            score(name, *both)


@pytest.mark.parametrize("level", [0.0, 1.0])
@pytest.mark.parametrize("name", NAMES)
def test_what_never_changes_has_no_score(name: str, level: float) -> None:
    x, y = data()
    still = np.full_like(x, level)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if MEASURES.get(name, MEASURES["cka"]).splits:  # refused in words
            with pytest.raises(ApaError, match="constant|NaN"):
                score(name, still, y)
            return
        assert np.isnan(score(name, still, y))
    assert any(issubclass(w.category, DegenerateWarning) for w in told)


@pytest.mark.parametrize("name", NAMES)
def test_a_predictor_that_stands_still_in_a_fold_is_no_crash(name: str) -> None:
    x, y = data()
    x = np.ones_like(x)
    x[-1] = 0.0
    try:
        found = score(name, x, y)
    except ApaError:
        return
    assert np.isnan(found) or found < 0.5
