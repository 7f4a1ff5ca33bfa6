"""RDMs from patterns, scores from patterns, linear predictivity, reliability."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist

import apastats as apa
from apastats.errors import CeilingError, DataError, DegenerateWarning, DesignError, InputError
from apastats.numbers.backends import get_backend
from apastats.scoring.rdms_from_patterns import distances
from apastats.scoring.reliability import Reliability
from apastats.scoring.ridge import ALPHAS, ridge_scores, ridge_targets, shuffled_folds


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize(
    ("method", "metric", "factor"),
    [
        ("correlation", "correlation", 1),
        ("cosine", "cosine", 1),
        ("euclidean", "sqeuclidean", 1 / 11),
    ],
)
def test_distances(rng: np.random.Generator, method: str, metric: str, factor: float) -> None:
    x = 5 + rng.standard_normal((2, 7, 11))
    expected = [factor * pdist(v, metric) for v in x]
    np.testing.assert_allclose(distances(x, method), expected, atol=1e-12)


@pytest.mark.parametrize("method", ["correlation", "euclidean"])
def test_distances_of_rsatoolbox(rng: np.random.Generator, method: str) -> None:
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm

    x = rng.standard_normal((7, 11))
    theirs = calc_rdm(Dataset(x), method=method).dissimilarities
    np.testing.assert_allclose(distances(x[None], method), theirs, atol=1e-12)


@pytest.mark.parametrize("method", ["correlation", "cosine", "euclidean"])
def test_distances_by_torch(rng: np.random.Generator, method: str) -> None:
    pytest.importorskip("torch")
    x = rng.standard_normal((2, 7, 11))
    x[0, 0] = 0
    torch = distances(x, method, backend=get_backend("torch"))
    np.testing.assert_allclose(torch, distances(x, method), rtol=0, atol=1e-12)
    assert np.isnan(torch[0, :6]).all() == (method != "euclidean")


@pytest.mark.parametrize("weighted", [False, True])
def test_mahalanobis_and_crossnobis_are_rsatoolboxs(
    rng: np.random.Generator, weighted: bool
) -> None:
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm

    a = rng.standard_normal((6, 20))
    precision = np.linalg.inv(a @ a.T / 20) if weighted else None
    noise = {} if precision is None else {"noise": precision}
    x, names, runs = rng.standard_normal((12, 6)), list("dbca") * 3, np.repeat([0, 1, 2], 4)
    found = apa.rdms_from_patterns(
        {"s1": x}, names="subject", method="crossnobis", stimuli=names, cv_descriptor=runs, **noise
    )
    data = Dataset(x, obs_descriptors={"stim": names, "run": list(runs)})
    theirs = calc_rdm(data, method="crossnobis", descriptor="stim", cv_descriptor="run", **noise)
    assert found.stimuli == tuple("dbca")
    order = [list(theirs.pattern_descriptors["stim"]).index(s) for s in "dbca"]
    np.testing.assert_allclose(found.matrices()[0], theirs.get_matrices()[0][np.ix_(order, order)])
    plain = apa.rdms_from_patterns({"s1": x[:4]}, names="subject", method="mahalanobis", **noise)
    theirs = calc_rdm(Dataset(x[:4]), method="mahalanobis", **noise)
    np.testing.assert_allclose(plain.vectors, theirs.dissimilarities)


def test_bad_patterns(rng: np.random.Generator) -> None:
    x = rng.standard_normal((4, 5))
    good = {("s", "r"): x}
    cases = [
        ({"patterns": good, "method": "pearson"}, InputError, "method: got 'pearson'"),
        ({"patterns": {}}, InputError, "a mapping from labels to arrays"),
        ({"patterns": {"s": x}}, InputError, "one part for each of"),
        ({"patterns": {("s", "r"): x[0]}}, DataError, "shape \\(5,\\)"),
        ({"patterns": {("s", "r"): np.full((4, 5), np.nan)}}, DataError, "NaN or infinite entries"),
        ({"patterns": {**good, ("t", "r"): x[:3]}}, DataError, "different numbers of stimuli"),
        ({"patterns": good, "stimuli": ["a"]}, InputError, "4 names, one per row"),
        ({"patterns": good, "noise": np.eye(5)}, InputError, "None with method='correlation'"),
        (
            {"patterns": good, "method": "crossnobis"},
            InputError,
            "folds, and stimuli, of every row",
        ),
        (
            {"patterns": good, "method": "mahalanobis", "cv_descriptor": [1]},
            InputError,
            "cv_descriptor",
        ),
    ]
    for arguments, error, message in cases:
        with pytest.raises(error, match=message):
            apa.rdms_from_patterns(**arguments)


def study(rng: np.random.Generator, n: int = 30, v: int = 8) -> dict[tuple[str, str], np.ndarray]:
    common = {r: rng.standard_normal((n, v)) for r in ("V1", "V2")}
    return {
        (s, r): c + 0.7 * rng.standard_normal((n, v))
        for s in ("a", "b", "c")
        for r, c in common.items()
    }


def corr_rdm(x: np.ndarray) -> np.ndarray:
    return pdist(x, "correlation")


def test_references_from_mean_patterns_and_from_pooled_rdms(rng: np.random.Generator) -> None:
    brain = study(rng)
    frame = apa.score_patterns(brain).frame
    row = frame[
        (frame["kind"] == "leave_one_out") & (frame["layer"] == "V1") & (frame["subject"] == "a")
    ]
    row = row[row["roi"] == "V2"].iloc[0]
    mean = (brain["b", "V1"] + brain["c", "V1"]) / 2
    expected = np.corrcoef(corr_rdm(mean), corr_rdm(brain["a", "V2"]))[0, 1]
    np.testing.assert_allclose(row["score"], expected, atol=1e-12)
    assert (row["model"], row["reference_from"]) == ("others", "mean_patterns")
    pooled = apa.score_patterns(brain, reference_from="pooled_rdms").frame
    assert set(pooled.loc[pooled["kind"] == "leave_one_out", "reference_from"]) == {"pooled_rdms"}
    assert len(pooled) == len(frame) == 3 * 2 * 4 + 3 * 4


def test_vertices_a_subject_lacks_leave_the_mean(rng: np.random.Generator) -> None:
    brain = study(rng)
    brain["b", "V1"] = brain["b", "V1"].copy()
    brain["b", "V1"][:, 2] = np.nan
    frame = apa.score_patterns(brain, references=["leave_one_out"]).frame
    mean = (brain["b", "V1"] + brain["c", "V1"]) / 2
    mean[:, 2] = brain["c", "V1"][:, 2]
    expected = np.corrcoef(corr_rdm(mean), corr_rdm(brain["a", "V1"]))[0, 1]
    row = frame[(frame["layer"] == "V1") & (frame["subject"] == "a") & (frame["roi"] == "V1")]
    np.testing.assert_allclose(row["score"].iloc[0], expected, atol=1e-12)
    own = np.delete(brain["b", "V1"], 2, axis=1)
    row = frame[(frame["layer"] == "V1") & (frame["subject"] == "b") & (frame["roi"] == "V1")]
    mean = (brain["a", "V1"] + brain["c", "V1"]) / 2
    np.testing.assert_allclose(row["score"], np.corrcoef(corr_rdm(mean), corr_rdm(own))[0, 1])


@pytest.mark.parametrize("p", [10, 100])
def test_ridge_scores_are_those_of_scikit_learn(rng: np.random.Generator, p: int) -> None:
    from sklearn.linear_model import RidgeCV
    from sklearn.metrics import r2_score
    from sklearn.model_selection import KFold

    x, x_test = rng.standard_normal((60, p)), rng.standard_normal((20, p))
    weights = rng.standard_normal((p, 9))
    y = [x @ weights[:, :4] + 3 * rng.standard_normal((60, 4)), rng.standard_normal((60, 5))]
    y_test = [x_test @ weights[:, :4], rng.standard_normal((20, 5))]
    found = ridge_scores(x, y, x_test=x_test, targets_test=y_test)

    def z(v: np.ndarray, by: np.ndarray) -> np.ndarray:
        return (v - by.mean(0)) / by.std(0)

    for k in range(2):
        train, test = 0.0, []
        for i, (kept, out) in enumerate(KFold(5, shuffle=True, random_state=1).split(x)):
            fit = RidgeCV(alphas=ALPHAS).fit(z(x, x)[kept], z(y[k], y[k])[kept])
            assert fit.alpha_ == found.alphas[k, i]
            train += r2_score(z(y[k], y[k])[out], fit.predict(z(x, x)[out])) * len(out) / 60
            test.append(r2_score(z(y_test[k], y[k]), fit.predict(z(x_test, x))))
        np.testing.assert_allclose(found.train[k], train, atol=1e-10)
        np.testing.assert_allclose(found.test_folds[k], test, atol=1e-10)


@pytest.mark.parametrize("sizes", [(1, 4, 300), (1, 1, 1)])
def test_penalties_are_those_of_every_left_out_row(
    rng: np.random.Generator, sizes: tuple[int, ...]
) -> None:
    """Leave-one-out by refitting, row by row; and targets made ready once give what they give anew."""
    x = rng.standard_normal((24, 5))
    y = [x @ rng.standard_normal((5, q)) + 2 * rng.standard_normal((24, q)) for q in sizes]
    folds, alphas = shuffled_folds(24, 3, 1), np.array([0.1, 3.0, 30.0, 1e4])
    found = ridge_scores(x, y, folds=folds, alphas=alphas)
    ready = ridge_scores(x, ridge_targets(y, None, folds), alphas=alphas)
    for a, b in zip(found, ready, strict=True):
        np.testing.assert_array_equal(a if isinstance(a, np.ndarray) else np.concatenate(a),
                                      b if isinstance(b, np.ndarray) else np.concatenate(b))  # fmt: skip
    z, t = ((v - v.mean(0)) / v.std(0) for v in (x, np.hstack(y)))
    ends = np.cumsum((0, *sizes))
    for k, out in enumerate(folds):
        kept = np.setdiff1d(np.arange(24), out)
        errors = np.zeros((len(alphas), t.shape[1]))
        for i, alpha in enumerate(alphas):
            for row in kept:
                rest = np.setdiff1d(kept, [row])
                centre, level = z[rest].mean(0), t[rest].mean(0)
                xs = z[rest] - centre
                w = np.linalg.solve(xs.T @ xs + alpha * np.eye(5), xs.T @ (t[rest] - level))
                errors[i] += (t[row] - level - (z[row] - centre) @ w) ** 2
        best = [alphas[errors[:, a:b].sum(1).argmin()] for a, b in pairwise(ends)]
        assert found.alphas[:, k].tolist() == best


def test_linear_predictivity_table(rng: np.random.Generator) -> None:
    x, x_test = rng.standard_normal((40, 6)), rng.standard_normal((15, 6))
    w = rng.standard_normal((6, 8))
    brain = {
        (s, "V1"): (x @ w + rng.standard_normal((40, 8)), x_test @ w + rng.standard_normal((15, 8)))
        for s in ("a", "b", "c")
    }
    models = {("good", "l"): (x, x_test), ("bad", "l"): (rng.standard_normal((40, 6)), x_test)}
    both = ("subject_to_subject", "leave_one_out")
    frame = apa.linear_predictivity(brain, models, references=both).frame
    assert frame["kind"].value_counts().to_dict() == {
        "model": 2 * 3 * 2,
        "subject_to_subject": 6 * 2,
        "leave_one_out": 3 * 2,
    }
    mean = frame[frame["split"] == "test"].groupby(["kind", "model"])["score"].mean()
    assert mean["model", "good"] > 0.6
    assert mean["model", "bad"] < 0.2
    assert mean["leave_one_out", "others"] > mean.loc["subject_to_subject"].mean()
    assert set(frame["n_feature_brain"]) == {8}
    only_train = apa.linear_predictivity(
        {k: v[0] for k, v in brain.items()}, {("good", "l"): x}
    ).frame
    assert only_train["split"].unique().tolist() == ["train"]
    train = frame[(frame["split"] == "train") & (frame["model"] == "good")]
    np.testing.assert_allclose(only_train["score"], train["score"], atol=1e-12)


def test_constant_vertices_are_left_out_and_said(rng: np.random.Generator) -> None:
    y = rng.standard_normal((20, 3))
    y[:, 1] = 4
    with pytest.warns(DegenerateWarning, match="1 of 3 vertices are constant"):
        frame = apa.linear_predictivity(
            {("a", "V1"): y}, {("m", "l"): rng.standard_normal((20, 4))}
        ).frame
    assert frame["n_feature_brain"].tolist() == [2]
    with pytest.raises(DataError, match="every vertex is constant"):
        apa.linear_predictivity({("a", "V1"): np.ones((20, 3))}, {("m", "l"): y})


def test_bad_response_patterns(rng: np.random.Generator) -> None:
    brain = study(rng)
    x = rng.standard_normal((30, 4))
    partly = brain["a", "V1"].copy()
    partly[0, 0] = np.nan
    uneven = {**brain, ("c", "V1"): brain["c", "V1"][:, :5]}
    cases = [
        (apa.score_patterns, ({},), {}, InputError, "a mapping from pairs of labels"),
        (apa.score_patterns, ({"a": x},), {}, InputError, "keys that are pairs \\(subject, roi\\)"),
        (apa.score_patterns, ({("a", "V1"): x[0]},), {}, DataError, "shape \\(4,\\)"),
        (apa.score_patterns, ({("a", "V1"): partly},), {}, DataError, "NaN for some stimuli only"),
        (apa.score_patterns, (brain, {("m", "l"): x[:9]}), {}, DataError, "the first brain data set has"),
        (apa.score_patterns, (brain,), {"distance": "crossnobis"}, InputError, "distance: got 'crossnobis'"),
        (apa.score_patterns, (brain,), {"reference_from": "rdms"}, InputError, "reference_from: got 'rdms'"),
        (apa.score_patterns, (uneven,), {}, DataError, "a mean pattern needs the same vertices"),
        (apa.score_patterns, ({("a", "V1"): x},), {}, DesignError, "nothing to score"),
        (apa.linear_predictivity, (brain,), {}, DesignError, "nothing to score"),
        (apa.linear_predictivity, (brain, {("m", "l"): x}), {"alphas": [0.0]}, InputError, "above 0"),
        (apa.linear_predictivity, (brain, {("m", "l"): x}), {"n_fold": 1}, InputError, "n_fold: got 1"),
        (apa.linear_predictivity, (brain, {("m", "l"): (x, x, x)}), {}, InputError, "a pair \\(train, test\\)"),
        (apa.linear_predictivity, (brain, {("m", "l"): (x, x[:, :2])}), {}, DataError, "different numbers of features"),
    ]  # fmt: skip
    for verb, data, options, error, message in cases:
        with pytest.raises(error, match=message):
            verb(*data, **options)


def test_ncsnr_recovers_a_known_ratio() -> None:
    rng = np.random.default_rng(0)
    signal = np.array([0.5, 1.0, 2.0]) * rng.standard_normal((4000, 1, 3))
    found = apa.ncsnr(signal + rng.standard_normal((4000, 3, 3)))
    np.testing.assert_allclose(found.ncsnr, [0.5, 1, 2], rtol=0.05)
    np.testing.assert_allclose(found.r2, found.ncsnr**2 / (found.ncsnr**2 + 1 / 3))
    np.testing.assert_allclose(found.r, np.sqrt(found.r2))
    one = apa.ncsnr(signal + rng.standard_normal((4000, 3, 3)), n_average=1)
    assert (one.r2 < found.r2).all()


def test_ncsnr_with_missing_repeats() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((3000, 1, 1)) + rng.standard_normal((3000, 4, 1))
    x[::2, 2:] = np.nan
    np.testing.assert_allclose(apa.ncsnr(x).ncsnr, 1, rtol=0.06)
    x[0] = np.nan
    with pytest.raises(DataError, match="no response at some vertex"):
        apa.ncsnr(x)


def test_split_half_agrees_with_ncsnr() -> None:
    rng = np.random.default_rng(2)
    x = np.array([0.5, 1.5]) * rng.standard_normal((3000, 1, 2)) + rng.standard_normal((3000, 6, 2))
    halves = apa.split_half(x, n_split=20, rng=0)
    np.testing.assert_allclose(halves.r2, apa.ncsnr(x).r2, atol=0.02)
    np.testing.assert_array_equal(halves.r2, apa.split_half(x, n_split=20, rng=0).r2)
    assert halves.ncsnr is None
    with pytest.raises(InputError, match="minimum: got 0.2"):
        halves.ceiling(minimum=0.2)


def test_normalised_encoding_states_its_scale() -> None:
    frame = pd.DataFrame({"subject": ["a", "b"], "roi": "V1", "model": "m", "score": [0.2, 0.3]})
    table = apa.ScoreTable(frame)
    share = np.array([0.4, 0.6])
    given = Reliability(share, np.sqrt(share), np.array([0.1, 0.9]), "ncsnr", 3)
    found = apa.normalize_encoding(table, {("a", "V1"): given, ("b", "V1"): 0.5}, scale="r2")
    np.testing.assert_allclose(found.frame["score"], [0.2 / 0.5, 0.3 / 0.5])
    assert found.frame["ceiling_scale"].unique().tolist() == ["r2"]
    found = apa.normalize_encoding(table, {("a", "V1"): given, ("b", "V1"): 0.5}, scale="r")
    np.testing.assert_allclose(found.frame["ceiling"], [np.sqrt(share).mean(), 0.5])
    np.testing.assert_allclose(given.ceiling("r2", minimum=0.2), 0.6)
    with pytest.raises(CeilingError, match="no vertex has an ncsnr of 2"):
        given.ceiling(minimum=2)
    with pytest.raises(InputError, match="scale: got 'variance'"):
        apa.normalize_encoding(table, {}, scale="variance")
    with pytest.raises(InputError, match="a ceiling for every subject and ROI"):
        apa.normalize_encoding(table, {("a", "V1"): 0.5}, scale="r2")
    with pytest.raises(CeilingError, match="allowed: 0.05 to 1"):
        apa.normalize_encoding(table, {("a", "V1"): 0.01, ("b", "V1"): 0.5}, scale="r2")
    with pytest.raises(InputError, match="not normalised yet"):
        apa.normalize_encoding(found, {("a", "V1"): 0.5, ("b", "V1"): 0.5}, scale="r2")
    with pytest.raises(InputError, match="repeats: got"):
        apa.ncsnr(np.ones((3, 4)))
