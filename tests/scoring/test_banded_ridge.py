"""Banded ridge against primal ridge regressions, himalaya's own shares, and its laws."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import KFold

import apastats as apa
from apastats.errors import ConvergenceWarning, DegenerateWarning, DesignError, InputError
from apastats.scoring import banded_ridge as module
from apastats.scoring.bands import candidates, product_measure

N, Q = 48, 4
ALPHAS = [0.01, 1.0, 10.0, 100.0, 1000.0, 1e5]


def data(seed: int = 0, n: int = N) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Three bands that correlate, of 3, 6 and 5 features; responses follow the first two."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, 3))
    bands = {
        "a": common + 0.5 * rng.standard_normal((n, 3)),
        "b": np.hstack([common, common]) + rng.standard_normal((n, 6)),
        "c": rng.standard_normal((n, 5)),
    }
    weights = rng.standard_normal((3, Q)), 0.3 * rng.standard_normal((6, Q))
    y = bands["a"] @ weights[0] + bands["b"] @ weights[1]
    return bands, y + np.array([0.5, 1, 2, 4]) * rng.standard_normal((n, Q))


def fitted(y: Any, bands: Any, **options: Any) -> apa.ScoreTable:
    return apa.banded_ridge({("s", "r"): y}, bands, **options)


def z(x: np.ndarray, by: np.ndarray | None = None) -> np.ndarray:
    by = x if by is None else by
    return (x - by.mean(axis=0)) / by.std(axis=0)


def ridge(x: np.ndarray, t: np.ndarray, alpha: float) -> np.ndarray:
    return np.linalg.solve(x.T @ x + alpha * np.eye(x.shape[1]), x.T @ t)


def by_hand(
    bands: dict[str, np.ndarray], y: np.ndarray, tries: np.ndarray, alphas: list[float]
) -> np.ndarray:
    """Scores ``[band + 1, unit]`` of primal ridge regressions at every weight and penalty."""
    t = z(y)
    ends = np.cumsum([0, *(x.shape[1] for x in bands.values())])
    folds = KFold(5, shuffle=True, random_state=1)
    out = np.zeros((len(bands) + 1, y.shape[1]))

    def predicted(x: np.ndarray, fit: np.ndarray, new: np.ndarray, alpha: float) -> Any:
        """Parts ``[band, n, unit]`` of the prediction, and its level."""
        middle, level = x[fit].mean(axis=0), t[fit].mean(axis=0)
        coef = ridge(x[fit] - middle, t[fit] - level, alpha)
        pairs = itertools.pairwise(ends)
        return np.stack([(x[new] - middle)[:, i:j] @ coef[i:j] for i, j in pairs]), level

    for train, test in folds.split(t):
        choices = []
        for g, alpha in itertools.product(tries, alphas):
            x = np.hstack([np.sqrt(w) * z(v) for w, v in zip(g, bands.values(), strict=True)])
            loss = np.zeros(y.shape[1])
            for inner, held in folds.split(train):
                parts, level = predicted(x, train[inner], train[held], alpha)
                loss += ((t[train[held]] - level - parts.sum(axis=0)) ** 2).mean(axis=0)
            choices.append((loss, x, alpha))
        best = np.argmin([c[0] for c in choices], axis=0)
        truth = t[test] - t[test].mean(axis=0)
        total = (truth**2).sum(axis=0)
        for k, (_, x, alpha) in enumerate(choices[c] for c in best):
            parts, level = (v[..., k] for v in predicted(x, train, test, alpha))
            moved = parts - parts.mean(axis=1, keepdims=True)
            share = len(test) / len(t) / total[k]
            out[:-1, k] += (moved * (2 * truth[:, k] - moved.sum(axis=0))).sum(axis=1) * share
            rest = ((t[test, k] - level - parts.sum(axis=0)) ** 2).sum()
            out[-1, k] += (total[k] - rest) * share
    return out


def test_shares_are_those_of_primal_ridge_regressions() -> None:
    bands, y = data()
    tries = candidates(3, 6, module.block_generator(module.seed_sequence(1), 0))
    expected = by_hand(bands, y, tries, ALPHAS)
    frame = fitted(y, bands, alphas=ALPHAS, n_try=6, by_unit=True).frame
    for part, values in zip([*bands, "total"], expected, strict=True):
        found = frame[frame["model"] == part]
        np.testing.assert_allclose(found["score"], values, atol=1e-8)
    summary = fitted(y, bands, alphas=ALPHAS, n_try=6).frame.set_index("model")["score"]
    np.testing.assert_allclose(summary[[*bands, "total"]], expected.mean(axis=1), atol=1e-8)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"per": "set"},
        {"folds": "contiguous", "n_fold": 4},
        {"folds": "leave_one_out", "groups": [k // 12 for k in range(N)]},
        {"kernels": {"a": "linear", "b": "rbf", "c": "polynomial"}},
        {"delays": [1, 2]},
    ],
)
def test_bands_and_offset_sum_to_the_total(options: dict[str, Any]) -> None:
    (bands, y), (new, y_new) = data(), data(1, 20)
    pairs = {b: (x, new[b]) for b, x in bands.items()}
    frame = fitted((y, y_new), pairs, n_try=6, **options).frame
    for _, part in frame.groupby("split"):
        scores = part.set_index("model")["score"]
        assert scores[["a", "b", "c", "offset"]].sum() == pytest.approx(scores["total"], abs=1e-10)
        assert scores["offset"] <= 0


def test_one_weight_is_the_ridge_regression_on_all_features() -> None:
    (bands, y), (new, y_new) = data(), data(1, 20)
    pairs = {b: (x, new[b]) for b, x in bands.items()}
    joint = np.hstack(list(bands.values())), np.hstack(list(new.values()))
    for alpha in ALPHAS:
        found = fitted((y, y_new), pairs, n_try=1, alphas=[alpha]).frame
        plain = apa.linear_predictivity(
            {("s", "r"): (y, y_new)}, {("m", "l"): joint}, alphas=[3 * alpha]
        ).frame
        total = found[found["model"] == "total"].set_index("split")["score"]
        expected = plain.set_index("split")["score"]
        np.testing.assert_allclose(total[expected.index], expected, atol=1e-8)
        # the penalty of each band, on its own scale
        assert found.loc[found["model"] == "b", "penalty"].unique() == pytest.approx(3 * alpha)


def test_the_product_measure_is_himalayas() -> None:
    from himalaya.scoring import r2_score_split

    rng = np.random.default_rng(0)
    y, parts = rng.standard_normal((30, Q)), rng.standard_normal((3, 30, Q))
    y, parts = y - y.mean(axis=0), parts - parts.mean(axis=1, keepdims=True)
    found = product_measure(y, parts, np.zeros(Q))
    np.testing.assert_allclose(found[:3], r2_score_split(y, parts), atol=1e-12)
    np.testing.assert_allclose(found[3], 0, atol=1e-20)


def test_a_band_that_says_nothing_gets_no_variance_and_costs_less_than_in_one_ridge() -> None:
    """Mean over 12 subjects: a band of 200 noise features beside one of 5 that predict."""
    brain, gain = {}, []
    rng = np.random.default_rng(3)
    signal, noise = rng.standard_normal((80, 5)), rng.standard_normal((80, 200))
    for k in range(12):
        clean = signal @ rng.standard_normal((5, 3))
        brain[f"s{k}", "r"] = clean + 1.5 * rng.standard_normal(clean.shape)
    table = apa.banded_ridge(brain, {"signal": signal, "noise": noise}, n_try=20)
    shares = apa.bootstrap("score ~ model | roi", table, n_resamples=1999, rng=1).table
    shares = shares.set_index("model")
    assert shares.loc["signal", "conf_low"] > 0.4
    assert shares.loc["noise", "conf_low"] < 0.01
    assert abs(shares.loc["noise", "estimate"]) < 0.02
    one = apa.linear_predictivity(brain, {("m", "l"): np.hstack([signal, noise])}).frame
    total = table.frame[table.frame["model"] == "total"].set_index("subject")["score"]
    gain = total - one.set_index("subject")["score"]
    assert gain.mean() > 3 * gain.std(ddof=1) / np.sqrt(12) > 0
    penalty = table.frame.groupby("model")["penalty"].median()
    assert penalty["noise"] > 10 * penalty["signal"]


def test_units_sets_and_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bands, y = data()
    brain = {("s", "r"): y, ("t", "r"): data(1)[1][:, :3], ("t", "q"): data(2)[1]}
    options: dict[str, Any] = {"n_try": 5, "alphas": ALPHAS}
    whole = apa.banded_ridge(brain, bands, **options).frame["score"]
    batched = apa.banded_ridge(brain, bands, batch=2, **options).frame["score"]
    np.testing.assert_allclose(batched, whole, atol=1e-10)
    monkeypatch.setattr(module, "AT_ONCE", 5)
    np.testing.assert_allclose(
        apa.banded_ridge(brain, bands, **options).frame["score"], whole, atol=1e-10
    )
    alone = fitted(y, bands, **options).frame["score"]
    np.testing.assert_allclose(alone, whole[: len(alone)], atol=1e-10)


def test_torch_agrees_and_the_backend_is_set_back() -> None:
    from himalaya.backend import get_backend

    bands, y = data()
    options: dict[str, Any] = {"n_try": 5, "alphas": ALPHAS}
    found = fitted(y, bands, backend="torch", **options).frame["score"]
    np.testing.assert_allclose(found, fitted(y, bands, **options).frame["score"], atol=1e-10)
    assert get_backend().name == "numpy"


def test_units_that_are_lacking_or_constant() -> None:
    bands, y = data()
    y[:, 1] = np.nan
    y[:, 2] = 3.0
    with pytest.warns(DegenerateWarning, match="1 vertices"):
        frame = fitted(y, bands, n_try=2, by_unit=True).frame
    assert frame["unit"].unique().tolist() == [0, 3]
    assert frame["share_left_out"].unique() == pytest.approx(1 / 3)
    with pytest.warns(DegenerateWarning):
        table = fitted(y, bands, n_try=2)
    mean = frame.groupby("model")["score"].mean()
    found = table.frame.set_index("model")["score"]
    np.testing.assert_allclose(found[mean.index], mean, atol=1e-12)


def test_medians() -> None:
    bands, y = data()
    units = fitted(y, bands, n_try=2, by_unit=True).frame.groupby("model")["score"].median()
    table = fitted(y, bands, n_try=2, average="median")
    assert table.levels("metric") == ["banded_ridge_median"]
    found = table.frame.set_index("model")["score"]
    np.testing.assert_allclose(found[units.index], units, atol=1e-12)


def test_the_edge_of_the_grid() -> None:
    bands, y = data()
    with pytest.warns(ConvergenceWarning, match="wider grid"):
        fitted(y, bands, n_try=3, alphas=[1e6, 1e7, 1e8])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"bands": {"a": np.ones((N, 2))}}, InputError, "two bands or more"),
        ({"bands": {"a": np.eye(N), "total": np.eye(N)}}, InputError, "no name 'total'"),
        ({"kernels": "sinc"}, InputError, "kernels: got 'sinc'"),
        ({"kernels": {"a": "rbf"}}, InputError, "a kernel for each of"),
        ({"n_try": 0}, InputError, "n_try: got 0"),
        ({"per": "vertex"}, InputError, "per: got 'vertex'"),
        ({"device": "cuda"}, InputError, "device: got 'cuda'"),
        (
            {"folds": "leave_one_out", "groups": [k // 24 for k in range(N)]},
            DesignError,
            "three groups",
        ),
    ],
)
def test_what_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    bands, y = data()
    with pytest.raises(error, match=message):
        fitted(y, **{"bands": bands} | options)
