"""Tests over maps: against MNE, brute force and their own laws."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy.sparse import coo_array, csr_array
from scipy.stats import t as student

import apastats as apa
from apastats.errors import DataError, DesignError, InputError, SmallSampleWarning
from apastats.numbers.maps import edges_of, flipped_t, mass_map, tfce_map


def scores(n: int = 8, shape: tuple[int, ...] = (30,), seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, *shape))
    x[(slice(None), *(slice(2, 8) for _ in shape))] += 0.9
    return x


def random_graph(n: int, seed: int = 1) -> csr_array:
    rng = np.random.default_rng(seed)
    i, j = rng.integers(0, n, (2, 2 * n))
    i, j = i[i != j], j[i != j]
    graph = csr_array(coo_array((np.ones(2 * len(i)), (np.r_[i, j], np.r_[j, i])), shape=(n, n)))
    graph.data[:] = 1  # a pair drawn twice
    return graph


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
@pytest.mark.parametrize("shape", [(30,), (9, 8)])
@pytest.mark.parametrize("graph", [False, True])
def test_clusters_are_mnes(alternative: str, shape: tuple[int, ...], graph: bool) -> None:
    from mne.stats import combine_adjacency, permutation_cluster_1samp_test

    x = scores(shape=shape)
    space: Any = random_graph(shape[0]) if graph else "lattice"
    theirs: Any = None
    if graph:
        matrix = coo_array(space)
        theirs = combine_adjacency(matrix, *shape[1:]) if len(shape) > 1 else matrix
    tail = {"greater": 1, "less": -1, "two-sided": 0}[alternative]
    threshold = 1.5
    t, clusters, p, _ = permutation_cluster_1samp_test(
        x,
        threshold=-threshold if tail < 0 else threshold,
        n_permutations="all",
        tail=tail,
        adjacency=theirs,
        out_type="mask",
        verbose="error",
        seed=1,
    )
    found = apa.map_test(
        x, method="cluster", adjacency=space, threshold=threshold, alternative=alternative
    )
    table = found.table
    np.testing.assert_allclose(table["statistic"], t.ravel(), rtol=1e-10)
    assert len(clusters) == table["cluster"].replace(0, np.nan).nunique()
    for part, value in zip(clusters, p, strict=True):
        mask = np.zeros(shape, dtype=bool)
        mask[part] = True
        inside = table[mask.ravel()]
        assert inside["cluster"].nunique() == 1
        assert inside["mass"].to_numpy() == pytest.approx(t[mask].sum(), rel=1e-9)
        # MNE leaves one of the flips out, and of a two-sided test makes half of them
        assert inside["p_value"].to_numpy() == pytest.approx(value, abs=2 / 127)


@pytest.mark.parametrize("shape", [(30,), (9, 8)])
def test_p_values_of_clusters_by_scipys_labels(shape: tuple[int, ...]) -> None:
    from scipy.ndimage import label

    x = scores(shape=shape)
    largest = []
    for s in itertools.product([1, -1], repeat=8):
        flipped = np.array(s).reshape(8, *[1] * len(shape)) * x
        t = np.sqrt(8) * flipped.mean(axis=0) / flipped.std(axis=0, ddof=1)
        labels, n = label(t > 1.5)
        largest.append(max([t[labels == k].sum() for k in range(1, n + 1)], default=0.0))
    found = apa.map_test(x, method="cluster", adjacency="lattice", threshold=1.5).table
    expected = [np.mean(np.array(largest) >= v - 1e-9) for v in found["mass"]]
    np.testing.assert_allclose(found["p_value"], expected, atol=1e-12)


def tfce_by_hand(t: np.ndarray, neighbours: np.ndarray, step: float) -> np.ndarray:
    """One height after another, clusters grown point by point."""
    out = np.zeros(len(t))
    for h in np.arange(1, int(t.max() / step) + 2) * step:
        left = {int(i) for i in np.flatnonzero(t >= h - 1e-12)}
        while left:
            grown, edge = set(), {left.pop()}
            while edge:
                grown |= edge
                near = {int(j) for i in edge for j in np.flatnonzero(neighbours[i])}
                edge = near & left
                left -= edge
            out[list(grown)] += len(grown) ** 0.5 * h**2 * step
    return out


@pytest.mark.parametrize("graph", [False, True])
def test_enhancement_by_hand(graph: bool) -> None:
    x = scores(10, (40,))
    space = random_graph(40) if graph else None
    edges = edges_of((40,), space)
    neighbours = np.zeros((40, 40))
    neighbours[edges[0], edges[1]] = neighbours[edges[1], edges[0]] = 1
    signs = np.array([np.ones(10), np.r_[-1, np.ones(9)]])
    t = flipped_t(x, signs)
    expected = [tfce_by_hand(v, neighbours, 0.2) for v in t]
    np.testing.assert_allclose(tfce_map(t, edges, 0.2), expected, rtol=1e-10)
    found = apa.map_test(
        x, method="tfce", adjacency="lattice" if space is None else space, step=0.2
    )
    np.testing.assert_allclose(found.table["tfce"], expected[0], rtol=1e-10)


def test_max_t_by_hand() -> None:
    x = scores(6, (11,))
    largest = [
        (np.sqrt(6) * (s @ x / 6) / (np.array(s)[:, None] * x).std(axis=0, ddof=1)).max()
        for s in itertools.product([1, -1], repeat=6)
    ]
    t = np.sqrt(6) * x.mean(axis=0) / x.std(axis=0, ddof=1)
    expected = [np.mean(np.array(largest) >= v - 1e-9) for v in t]
    found = apa.map_test(x)
    np.testing.assert_allclose(found.table["p_value"], expected, atol=1e-12)
    np.testing.assert_allclose(found.table["statistic"], t)
    assert found.info["exact"]
    assert found.info["n_resamples"] == 64


@pytest.mark.parametrize("method", ["max-t", "cluster", "tfce"])
def test_noninferiority_is_the_test_of_the_difference_plus_the_margin(method: str) -> None:
    x, y = scores(8), scores(8, seed=2)
    space = None if method == "max-t" else "lattice"
    found = apa.map_test(x, y, margin=1.0, method=method, adjacency=space).table
    shifted = apa.map_test(x - y + 1.0, method=method, adjacency=space).table
    np.testing.assert_array_equal(found["p_value"], shifted["p_value"])
    np.testing.assert_allclose(found["estimate"], (x - y).mean(axis=0))
    claim = "not inferior" if method == "max-t" else "in a cluster not inferior"
    assert claim in set(found["decision"]) <= {claim, "undecided"}
    # a ceiling that is the same for everybody
    ceiling = apa.map_test(x, y[0], margin=1.0, method=method, adjacency=space).table
    np.testing.assert_allclose(ceiling["estimate"], (x - y[0]).mean(axis=0))


@pytest.mark.parametrize("shape", [(30,), (9, 8)])
@pytest.mark.parametrize("each", [False, True])
def test_clusters_of_noninferiority_are_mnes(shape: tuple[int, ...], each: bool) -> None:
    """Where a model is as good as another brain, within a margin, or within one of every point."""
    from mne.stats import permutation_cluster_1samp_test

    x, y = scores(shape=shape), scores(shape=shape, seed=2)
    margin: Any = 0.4 * np.abs(y.mean(axis=0)) + 0.3 if each else 0.5
    t, found, p, _ = permutation_cluster_1samp_test(
        x - y + margin,
        threshold=1.5,
        n_permutations="all",
        tail=1,
        adjacency=None,
        out_type="mask",
        verbose="error",
        seed=1,
    )
    table = apa.map_test(
        x, y, margin=margin, method="cluster", adjacency="lattice", threshold=1.5
    ).table
    np.testing.assert_allclose(table["statistic"], t.ravel(), rtol=1e-10)
    np.testing.assert_allclose(table["estimate"], (x - y).mean(axis=0).ravel(), atol=1e-12)
    for part, value in zip(found, p, strict=True):
        mask = np.zeros(shape, dtype=bool)
        mask[part] = True
        inside = table[mask.ravel()]
        assert inside["mass"].to_numpy() == pytest.approx(t[mask].sum(), rel=1e-9)
        # MNE leaves one of the flips out
        assert inside["p_value"].to_numpy() == pytest.approx(value, abs=1 / 127)


@pytest.mark.parametrize("method", ["max-t", "cluster", "tfce"])
def test_two_sides_are_the_larger_of_the_two(method: str) -> None:
    x = scores(7)
    space = None if method == "max-t" else "lattice"
    options: dict[str, Any] = {"method": method, "adjacency": space, "alternative": "two-sided"}
    found = apa.map_test(x, **options)
    largest = found.arrays["largest"]
    assert len(largest) == 2**7
    edges = edges_of((30,), None)
    for row, code in enumerate(range(2**7)):
        signs = np.array([[1.0 - 2.0 * ((code >> k) & 1) for k in range(7)]])
        t = flipped_t(x, signs)
        maps = {
            "max-t": lambda t: t,
            "cluster": lambda t: mass_map(t, edges, float(student.ppf(0.975, 6))),
            "tfce": lambda t: tfce_map(t, edges, 0.2),
        }[method]
        assert largest[row] == pytest.approx(max(maps(t).max(), maps(-t).max()), rel=1e-9)


@pytest.mark.parametrize("method", ["max-t", "cluster", "tfce"])
def test_the_level_holds(method: str) -> None:
    rng = np.random.default_rng(3)
    rejected = 0
    for _ in range(200):
        x = rng.standard_t(3, (8, 40)) + 0.5 * rng.standard_normal((8, 1))
        space = None if method == "max-t" else "lattice"
        rejected += (apa.map_test(x, method=method, adjacency=space).table["p_value"] <= 0.05).any()
    # exact: at most 12 of 256 flips; three standard errors above 5 %
    assert rejected <= 200 * 0.05 + 3 * np.sqrt(200 * 0.05 * 0.95)
    assert rejected > 0


def test_sampled_flips_and_their_p_values() -> None:
    x = scores(16)
    found = apa.map_test(x, n_resamples=199, rng=1)
    assert not found.info["exact"]
    assert found.table["p_value"].min() == 1 / 200
    again = apa.map_test(x, n_resamples=199, rng=1)
    np.testing.assert_array_equal(found.table["p_value"], again.table["p_value"])


def test_axes_labels_and_report() -> None:
    x = scores(7, (4, 9))
    found = apa.map_test(
        x,
        method="cluster",
        adjacency="lattice",
        labels={"roi": list("abcd"), "ms": range(0, 90, 10)},
    )
    assert found.table.columns[:2].tolist() == ["roi", "ms"]
    assert found.table[["roi", "ms"]].iloc[10].tolist() == ["b", 10]
    assert found.info["threshold"] == pytest.approx(student.ppf(0.95, 6))
    assert "somewhere in it" in found.info.not_concluded
    assert found.text()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "fdr"}, InputError, "method: got 'fdr'"),
        ({"method": "cluster"}, InputError, "adjacency"),
        ({"adjacency": "lattice"}, InputError, "with method='max-t'"),
        ({"threshold": 2.0}, InputError, "with method='max-t'"),
        ({"step": 0.1}, InputError, "with method='max-t'"),
        ({"margin": 0.1}, InputError, "None without y="),
        ({"y": np.zeros((8, 30)), "margin": np.ones(3)}, InputError, "a number, or numbers of 0"),
        ({"y": np.zeros((8, 3))}, InputError, "as x"),
        ({"labels": [["a"]]}, InputError, "names of the points"),
        (
            {"method": "tfce", "adjacency": csr_array(np.triu(np.ones((30, 30)), 1))},
            InputError,
            "one direction only",
        ),
    ],
)
def test_what_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        apa.map_test(scores(), **options)


@pytest.mark.parametrize("method", ["max-t", "cluster", "tfce"])
@pytest.mark.parametrize("alternative", ["greater", "two-sided"])
def test_a_point_that_is_the_same_in_everybody(method: str, alternative: str) -> None:
    """Its t is beyond all others in the data and their mirror image alone: the smallest p there is, and never 0."""
    rng = np.random.default_rng(0)
    options: dict[str, Any] = {} if method == "max-t" else {"adjacency": "lattice"}
    for value in (0.2, 0.1, 1 / 3, 1e-9):
        for n in (6, 8):
            x = rng.normal(0, 0.05, (n, 30))
            x[:, 11] = value
            x[:, 20] = 0.0
            found = apa.map_test(x, method=method, alternative=alternative, **options).table
            least = (1 if alternative == "greater" else 2) / 2**n
            assert found["p_value"][11] == pytest.approx(least, abs=1e-12)
            assert (found["p_value"] >= least - 1e-12).all()
            assert found["statistic"][20] == 0


def test_enhancement_of_large_values_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Halves of a stack are the stack; points beyond t = 200 count as 200, whatever the step."""
    from apastats.numbers import maps

    edges = maps.edges_of((6,), None)
    t = np.array([[1e9, 3.0, 2.0, 0.0, 1.0, 50.0], [0.5, 7.0, 2.0, 2.2, 1.0, 0.0]])
    whole = maps.tfce_map(t, edges, 0.5)
    np.testing.assert_array_equal(whole, maps.tfce_map(np.minimum(t, 200.0), edges, 0.5))
    monkeypatch.setattr(maps, "NODES", 10)
    np.testing.assert_array_equal(maps.tfce_map(t, edges, 0.5), whole)


def test_few_subjects() -> None:
    with pytest.raises(DesignError, match="at least 2"):
        apa.map_test(scores(1))
    with pytest.warns(SmallSampleWarning, match="no p-value can be at or below"):
        apa.map_test(scores(4))
    assert (apa.map_test(np.zeros((6, 5))).table["p_value"] == 1).all()


def by_unit(times: tuple[int, ...] = ()) -> apa.ScoreTable:
    rng = np.random.default_rng(2)
    features = rng.standard_normal((40, 4))
    keys = [(f"s{k}", "V1", *t) for k in range(6) for t in ([(t,) for t in times] or [()])]
    brain = {
        key: features @ rng.standard_normal((4, 7)) + 3 * rng.standard_normal((40, 7))
        for key in keys
    }
    models = {("net", "l"): features, ("noise", "l"): rng.standard_normal((40, 4))}
    return apa.linear_predictivity(brain, models, by_unit=True, n_fold=3)


def test_tables_by_unit_are_maps() -> None:
    table = by_unit()
    one, two = table.where(model="net"), table.where(model="noise")
    wide = [
        t.frame.pivot(index="subject", columns="unit", values="score").to_numpy()
        for t in (one, two)
    ]
    found = apa.map_test(one, two)
    expected = apa.map_test(*wide)
    assert list(found.table["unit"]) == list(range(7))
    for column in ("estimate", "statistic", "p_value"):
        np.testing.assert_allclose(found.table[column], expected.table[column], rtol=1e-14)


def test_tables_by_unit_and_time_are_maps() -> None:
    one = by_unit((0, 50)).where(model="net")
    found = apa.map_test(one, method="cluster", adjacency="lattice").table
    assert {"unit", "time"} <= set(found.columns)
    frame = one.frame
    row = found[(found["unit"] == 3) & (found["time"] == "50")]
    mean = frame[(frame["unit"] == 3) & (frame["time"] == "50")]["score"].mean()
    assert row["estimate"].item() == pytest.approx(mean)


def test_tables_that_are_no_map_are_refused() -> None:
    table = by_unit()
    one = table.where(model="net")
    with pytest.raises(InputError, match="one model"):
        apa.map_test(table)
    with pytest.raises(InputError, match="as y is one"):
        apa.map_test(np.zeros((6, 7)), one)
    with pytest.raises(InputError, match="column unit"):
        apa.map_test(apa.ScoreTable(one.frame.drop(columns="unit").drop_duplicates(["subject"])))
    fewer = apa.ScoreTable(one.frame.drop(index=one.frame.index[0]))
    with pytest.raises(DataError, match="the same units in everybody"):
        apa.map_test(fewer)
    with pytest.raises(DataError, match="other subjects"):
        apa.map_test(one, one.where(subject=["s0", "s1"]))


def test_small_steps_flatten_nothing() -> None:
    """The sum over heights goes to the integral of h^2, t^3 / 3 for a point alone."""
    none = np.zeros((2, 0), dtype=int)
    t = np.array([[3.0, 5.0, 150.0]])
    np.testing.assert_allclose(tfce_map(t, none, 0.001), t**3 / 3, rtol=2e-3)
