"""Unique variance against least squares, pingouin and brute force; its resamples, held-out forms, tests and laws."""

from __future__ import annotations

import contextlib
import warnings
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from scipy.stats import rankdata

import apastats as apa
from apastats.errors import DesignError, InputError, SmallSampleWarning
from apastats.numbers.explained import commonalities, subset_r2
from apastats.resampling.relabel import sign_flips
from apastats.resampling.vector_flips import vector_flips
from apastats.scoring.unique_kernel import Question, UniqueKernel

pytestmark = [
    pytest.mark.filterwarnings("ignore::apastats.errors.SmallSampleWarning"),
    pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning"),
]
N = 16
LEFT, RIGHT = np.triu_indices(N, 1)


def sets(
    k: int = 3, s: int = 8, seed: int = 0, rois: Any = ("V1",), weights: Any = None
) -> tuple[apa.RDMSet, apa.RDMSet]:
    """RDMs of subjects that are noisy sums of correlated models."""
    rng = np.random.default_rng(seed)
    y = rng.random((k, len(LEFT))) + 0.5 * rng.random(len(LEFT))
    w = np.ones(k) if weights is None else np.asarray(weights, dtype=float)
    x = np.concatenate([w @ y + rng.random((s, len(LEFT))) for _ in rois])
    labels = [(f"s{i}", r) for r in rois for i in range(s)]
    brain = pd.DataFrame(labels, columns=["subject", "roi"])
    return apa.RDMSet(x, brain), apa.RDMSet(y, pd.DataFrame({"model": [f"m{i}" for i in range(k)]}))


def standard(v: np.ndarray, method: str = "pearson") -> np.ndarray:
    if method == "spearman":
        v = np.apply_along_axis(rankdata, -1, v)
    v = v - v.mean(axis=-1, keepdims=True)
    return np.asarray(v / np.sqrt((v**2).mean(axis=-1, keepdims=True)))


def brute_r2(x: np.ndarray, y: np.ndarray) -> float:
    """R2 by least squares with an intercept."""
    design = np.column_stack([np.ones(len(x)), *y])
    left = x - design @ np.linalg.lstsq(design, x, rcond=None)[0]
    return float(1 - left @ left / ((x - x.mean()) ** 2).sum())


def part(result: Any, part: str, model: str, roi: str = "V1") -> float:
    t = result.table
    row = t[(t["part"] == part) & (t["model"] == model) & (t["roi"] == roi)]
    return float(row["estimate"].item())


# ---------------------------------------------------------------- shares of variance
@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_parts_are_those_of_least_squares_on_every_subset(method: str) -> None:
    brain, models = sets(k=4)
    x, y = (standard(np.asarray(v.vectors), method) for v in (brain, models))
    found = apa.unique_variance(brain, models, method=method, parts="all")
    full = range(4)

    def mean_r2(members: Any) -> float:
        return float(np.mean([brute_r2(row, y[list(members)]) for row in x]))

    r2 = {m: mean_r2(m) for n in range(1, 5) for m in combinations(full, n)} | {(): 0.0}
    assert part(found, "total", "all models") == pytest.approx(r2[0, 1, 2, 3], abs=1e-10)
    for n in range(1, 5):
        for chosen in combinations(full, n):
            rest = tuple(k for k in full if k not in chosen)
            expected = sum(
                (-1) ** (m + 1) * r2[tuple(sorted(rest + some))]
                for m in range(n + 1)
                for some in combinations(chosen, m)
            )
            kind = "unique" if n == 1 else "shared"
            value = part(found, kind, " & ".join(f"m{k}" for k in chosen))
            assert value == pytest.approx(expected, abs=1e-10)
    plain = apa.unique_variance(brain, models, method=method)
    for k in full:
        own = r2[0, 1, 2, 3] - r2[tuple(j for j in full if j != k)]
        assert part(plain, "unique", f"m{k}") == pytest.approx(own, abs=1e-10)
    ordered = apa.unique_variance(brain, models, method=method, parts="ordered")
    for k in full:
        step = r2[tuple(range(k + 1))] - r2[tuple(range(k))]
        assert part(ordered, "added", f"m{k}") == pytest.approx(step, abs=1e-10)


def test_groups_are_fitted_together() -> None:
    brain, models = sets(k=4)
    x, y = standard(np.asarray(brain.vectors)), standard(np.asarray(models.vectors))
    groups = {"first": ["m0", "m3"], "second": ["m1"], "third": ["m2"]}
    found = apa.unique_variance(brain, models, method="pearson", groups=groups)
    own = np.mean([brute_r2(row, y) - brute_r2(row, y[[1, 2]]) for row in x])
    assert part(found, "unique", "first") == pytest.approx(own, abs=1e-10)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 6), st.integers(0, 10_000))
def test_parts_sum_to_the_total_whatever_the_models(k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(3, 40)), rng.normal(size=(k, 40)) + rng.normal(size=40)
    r = np.corrcoef(np.concatenate([x, y]))
    masks = [tuple(j for j in range(k) if m >> j & 1) for m in range(2**k)]
    r2 = subset_r2(r[None, 3:, 3:], r[None, :3, 3:], [np.array([j]) for j in range(k)], masks)
    np.testing.assert_allclose(commonalities(r2).sum(axis=-1), 0, atol=1e-10)
    # a subset of models never explains more than a set that holds it, and no share is above 1
    for m in range(2**k):
        for j in range(k):
            assert (r2[..., m | 1 << j] - r2[..., m] >= -1e-10).all()
    assert (r2 <= 1 + 1e-10).all()
    np.testing.assert_allclose(r2[0, :, -1], [brute_r2(row, y) for row in x], atol=1e-10)


def test_order_of_models_and_their_scale_do_not_matter() -> None:
    brain, models = sets()
    found = apa.unique_variance(brain, models).scores.frame
    turned = apa.RDMSet(np.exp(models.vectors[::-1]), models.labels[::-1].reset_index(drop=True))
    other = apa.unique_variance(brain, turned).scores.frame
    key = ["model", "subject"]
    a, b = (f.set_index(key)["score"].sort_index() for f in (found, other))
    np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("weights", [(1, 1, 1), (1, -1, 0.2)])
def test_nonnegative_parts_are_those_of_scipy(weights: Any) -> None:
    brain, models = sets(weights=weights)
    x, y = standard(np.asarray(brain.vectors)), standard(np.asarray(models.vectors))
    found = apa.unique_variance(brain, models, method="pearson", nonnegative=True)
    slopes = apa.unique_variance(
        brain, models, method="pearson", measure="coefficient", nonnegative=True
    )

    def r2(row: np.ndarray, members: list[int]) -> float:
        return float(1 - nnls(y[members].T, row)[1] ** 2 / (row @ row))

    for k in range(3):
        rest = [j for j in range(3) if j != k]
        own = np.mean([r2(row, [0, 1, 2]) - r2(row, rest) for row in x])
        assert part(found, "unique", f"m{k}") == pytest.approx(own, abs=1e-9)
        b = np.mean([nnls(y.T, row)[0][k] for row in x])
        assert part(slopes, "coefficient", f"m{k}") == pytest.approx(b, abs=1e-9)


# ---------------------------------------------------------------- correlations and coefficients
@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.parametrize("measure", ["partial", "semipartial"])
def test_correlations_are_those_of_pingouin(method: str, measure: str) -> None:
    import pingouin

    brain, models = sets()
    found = apa.unique_variance(brain, models, method=method, measure=measure)
    names = [f"m{k}" for k in range(3)]
    for k, n in enumerate(names):
        values = []
        for row in brain.vectors:
            frame = pd.DataFrame(np.column_stack([row, *models.vectors]), columns=["x", *names])
            others = [m for m in names if m != n]
            how = {"covar": others} if measure == "partial" else {"y_covar": others}
            r = pingouin.partial_corr(frame, "x", n, method=method, **how)["r"].item()
            values.append(r)
        # pingouin prints no more digits than its table holds: all of them
        assert part(found, measure, n) == pytest.approx(np.mean(values), abs=1e-10), k


def test_coefficients_are_those_of_the_verb_per_subject() -> None:
    brain, models = sets()
    found = apa.unique_variance(brain, models, measure="coefficient")
    each = apa.regression_rsa(brain, models).frame.groupby("model")["score"].mean()
    for n, value in each.items():
        assert part(found, "coefficient", str(n)) == pytest.approx(value, abs=1e-12)


# ---------------------------------------------------------------- ceilings
def test_ceilings_are_those_of_the_pooled_rdm_in_the_place_of_a_model() -> None:
    brain, models = sets()
    x, y = standard(np.asarray(brain.vectors)), standard(np.asarray(models.vectors))
    found = apa.unique_variance(brain, models, method="pearson")
    low: list[float] = []
    high: list[float] = []
    for i, row in enumerate(x):
        others = np.delete(x, i, axis=0).mean(axis=0)
        for pool, out in ((others, low), (x.mean(axis=0), high)):
            out.append(brute_r2(row, np.array([y[0], y[2], pool])) - brute_r2(row, y[[0, 2]]))
    t = found.table.set_index("model").loc["m1"]
    assert t["ceiling_lower"] == pytest.approx(np.mean(low), abs=1e-10)
    assert t["ceiling_upper"] == pytest.approx(np.mean(high), abs=1e-10)
    correlations = apa.unique_variance(brain, models, method="pearson", measure="semipartial")
    made = correlations.ceilings().table.query("part == 'total'")["estimate"].to_numpy()
    nili = apa.noise_ceiling(brain, kind="nili", method="corr").table["estimate"].to_numpy()
    np.testing.assert_allclose(made, nili, atol=1e-10)


# ---------------------------------------------------------------- resamples
@pytest.mark.parametrize(
    ("method", "measure"),
    [
        ("corr", "unique"),
        ("corr", "partial"),
        ("spearman", "unique"),
        ("spearman", "partial"),
        ("tau-b", "partial"),  # there is no regression by Kendall's tau
    ],
)
def test_weights_of_stimuli_are_copies_written_out(method: str, measure: Any) -> None:
    brain, models = sets()
    x, y = np.asarray(brain.vectors), np.asarray(models.vectors)
    question = Question(tuple(np.array([k]) for k in range(3)), measure)
    counts = np.random.default_rng(1).multinomial(N, np.ones(N) / N, size=2)
    found = UniqueKernel(x, y, method, question).values(counts)
    for c, values in zip(counts, found, strict=True):
        pairs = np.repeat(np.arange(len(LEFT)), c[LEFT] * c[RIGHT])
        plain = _plain(x[:, pairs], y[:, pairs], method, measure)
        np.testing.assert_allclose(values[:, :3], plain, atol=1e-9)


def _plain(x: np.ndarray, y: np.ndarray, method: str, measure: str) -> np.ndarray:
    """Unique variances or partial correlations ``[S, K]`` of one set of pairs, from the correlation matrix."""
    from scipy.stats import kendalltau

    out = np.empty((len(x), len(y)))
    for i, row in enumerate(x):
        z = np.concatenate([row[None], y])
        if method == "tau-b":
            r = np.array([[kendalltau(a, b).statistic for b in z] for a in z])
        else:
            r = np.corrcoef(standard(z, "spearman" if method == "spearman" else "pearson"))
        p = np.linalg.inv(r)
        if measure == "partial":
            out[i] = -p[0, 1:] / np.sqrt(p[0, 0] * np.diag(p)[1:])
        else:
            zz = standard(z, "spearman" if method == "spearman" else "pearson")
            for k in range(len(y)):
                rest = np.delete(zz[1:], k, axis=0)
                out[i, k] = brute_r2(zz[0], zz[1:]) - brute_r2(zz[0], rest)
    return out


@pytest.mark.parametrize("cluster", ["stimulus", ("subject", "stimulus")])
def test_numbers_do_not_depend_on_processes(cluster: Any) -> None:
    brain, models = sets(rois=("V1", "V2"))
    options: dict[str, Any] = {"cluster": cluster, "n_resamples": 60, "rng": 3}
    one = apa.unique_variance(brain, models, **options)
    two = apa.unique_variance(brain, models, n_jobs=2, **options)
    pd.testing.assert_frame_equal(one.table, two.table)
    a, b = (r.test(bounds=0.1).table for r in (one, two))
    pd.testing.assert_frame_equal(a, b)


def test_intervals_over_subjects_are_those_of_the_bootstrap_of_scores() -> None:
    brain, models = sets()
    found = apa.unique_variance(brain, models)
    table = apa.bootstrap("score ~ model | roi", found.scores).table
    mine = found.table.assign(_k=found.table["part"] + " " + found.table["model"]).set_index("_k")
    for row in table.to_dict(orient="records"):
        for column in ("estimate", "std_error", "conf_low", "conf_high"):
            assert mine.loc[row["model"], column] == pytest.approx(row[column], abs=1e-12)


# ---------------------------------------------------------------- held-out data
def test_held_out_parts_are_those_of_explicit_folds() -> None:
    brain, models = sets()
    x, y = np.asarray(brain.vectors), np.asarray(models.vectors)
    folds = (np.arange(N) % 2)[None]
    groups = tuple(np.array([k]) for k in range(3))
    for others in (False, True):
        question = Question(groups, folds=folds, other_subjects=others)
        found = UniqueKernel(x, y, "corr", question).values(np.ones((1, N)))[0, :, :3]
        for i in range(len(x)):
            r2: dict[Any, float] = {}
            for members in ([0, 1, 2], [1, 2], [0, 2], [0, 1]):
                r2[tuple(members)] = _mean([
                    _fold_r2(x, y[members], i, folds[0], f, others) for f in (0, 1)
                ])  # fmt: skip
            expected = [r2[0, 1, 2] - r2[m] for m in ((1, 2), (0, 2), (0, 1))]
            np.testing.assert_allclose(found[i], expected, atol=1e-10)


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _fold_r2(
    x: np.ndarray, y: np.ndarray, i: int, folds: np.ndarray, f: int, others: bool
) -> float:
    test = (folds[LEFT] == f) & (folds[RIGHT] == f)
    train = (folds[LEFT] != f) & (folds[RIGHT] != f)
    target = np.delete(x, i, axis=0) if others else x[[i]]
    a, b = standard(y[:, train]), standard(target[:, train])
    w = np.linalg.lstsq(np.tile(a.T, (len(b), 1)), b.ravel(), rcond=None)[0]
    row = standard(x[i, test])
    return float(1 - ((row - w @ standard(y[:, test])) ** 2).mean())


def test_a_useless_model_adds_nothing_to_held_out_data_but_to_the_data_fitted_to() -> None:
    brain, models = sets(k=3, weights=(1, 1, 0), seed=4)
    fitted = apa.unique_variance(brain, models)
    assert part(fitted, "unique", "m2") > 0
    for held in ("subject", "stimulus", ("subject", "stimulus")):
        found = apa.unique_variance(brain, models, cross_validate=held, n_fold=_fold(held), rng=1)
        assert part(found, "unique", "m2") < 0.01
        assert part(found, "unique", "m0") > 0.05


def _fold(held: Any) -> int | None:
    return 2 if "stimulus" in held else None


# ---------------------------------------------------------------- tests
def test_flips_of_vectors_are_all_sign_patterns() -> None:
    rng = np.random.default_rng(0)
    cells = [rng.normal(0.5, 1, (6, d)) for d in (1, 3, 2)]
    p, joint = vector_flips(cells, sign_flips(6))
    signs = np.array(list(product([1, -1], repeat=6)))
    stats = []
    for c in cells:
        total = (signs[:, :, None] * c).sum(axis=1)
        size = np.sqrt(6 * (c**2).sum())
        stats.append((total[:, 0] if c.shape[1] == 1 else np.linalg.norm(total, axis=1)) / size)
    t = np.stack(stats, axis=1)
    np.testing.assert_allclose(p, (t >= t[0] - 1e-12).mean(axis=0))
    np.testing.assert_allclose(joint, (t.max(axis=1)[:, None] >= t[0] - 1e-12).mean(axis=0))


def test_margins_are_two_one_sided_tests_of_the_signed_correlation() -> None:
    brain, models = sets(weights=(1, 0.2, 0))
    found = apa.unique_variance(brain, models)
    signed = apa.unique_variance(brain, models, measure="semipartial").scores.frame
    tested = found.test(bounds=0.09, adjust="none").table.set_index("model")
    for k in range(3):
        c = signed.loc[signed["model"] == f"semipartial m{k}", "score"].to_numpy()
        row = apa.tost(c, bounds=0.3).table.iloc[0]
        assert tested.loc[f"m{k}", "tested"] == pytest.approx(c.mean(), abs=1e-12)
        assert tested.loc[f"m{k}", "p_value_less"] == pytest.approx(row["p_value_equiv"], abs=1e-12)
        assert tested.loc[f"m{k}", "p_value_more"] == pytest.approx(
            1 - row["p_value_nonsup"], abs=1e-12
        )
        assert (c**2).mean() == pytest.approx(part(found, "unique", f"m{k}"), abs=1e-10)
    assert tested.loc["m0", "decision"] == "adds more"
    assert tested.loc["m2", "decision"] == "adds less"


def test_joint_p_values_are_no_smaller_and_holm_is_holm() -> None:
    brain, models = sets(rois=("V1", "V2"), weights=(1, 0.1, 0.1))
    found = apa.unique_variance(brain, models)
    plain, joint = (found.test(bounds=0.05, adjust=a).table for a in ("none", "max-t"))
    for column in ("p_value_adjusted", "p_value_less", "p_value_more"):
        assert (joint[column] >= plain[column] - 1e-9).all()
    holm = found.test(adjust="holm").table
    np.testing.assert_allclose(holm["p_value_adjusted"], apa.adjust_p(holm["p_value"], "holm"))


def test_groups_are_tested_by_flips_of_all_coordinates() -> None:
    brain, models = sets(k=4, weights=(1, 1, 0, 0))
    groups = {"there": ["m0", "m1"], "absent": ["m2", "m3"]}
    tested = apa.unique_variance(brain, models, groups=groups).test(bounds=0.2).table
    tested = tested.set_index("model")
    assert tested.loc["there", "p_value"] == 2 / 2**8
    assert tested.loc["absent", "p_value"] > 0.05
    assert tested.loc["absent", "decision"] == "adds less"


@pytest.mark.parametrize(("n", "warned"), [(10, False), (11, True)])
def test_claims_of_less_with_stimuli_drawn_are_warned_of_above_ten_subjects(
    n: int, warned: bool
) -> None:
    brain, models = sets(s=n, k=3, weights=(1, 1, 0))
    options: dict[str, Any] = {"cluster": ("subject", "stimulus"), "n_resamples": 60, "rng": 1}
    parts = apa.unique_variance(brain, models, measure="semipartial", **options)
    expected = (
        pytest.warns(SmallSampleWarning, match="stimuli were drawn")
        if warned
        else contextlib.nullcontext()
    )
    with expected:
        found = parts.test(bounds=0.8)
    assert found.table["decision"].str.contains("less").any()
    assert any("stimuli were drawn" in note for note in found.notes) == warned


def test_stimuli_drawn_leave_groups_to_held_out_data() -> None:
    brain, models = sets(k=3)
    options: dict[str, Any] = {"cluster": "stimulus", "n_resamples": 60, "rng": 1}
    single = apa.unique_variance(brain, models, **options).test()
    assert set(single.table["part"]) == {"unique"}
    assert "cross_validate" in " ".join(single.notes)
    pair = apa.unique_variance(
        brain, models, groups={"a": ["m0", "m1"], "b": ["m2"]}, **options
    ).test()
    assert list(pair.table["model"]) == ["b"]
    held = apa.unique_variance(brain, models, cross_validate="stimulus", n_fold=2, **options)
    assert set(held.test(bounds=0.1).table["part"]) == {"unique", "total"}


def test_a_small_unique_variance_warns_of_its_interval() -> None:
    brain, models = sets(weights=(1, 1, 0))
    with pytest.warns(SmallSampleWarning, match="unique m2 in V1"):
        apa.unique_variance(brain, models)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SmallSampleWarning)
        apa.unique_variance(brain, models, cross_validate="subject")


# ---------------------------------------------------------------- what is refused, words, disk
def test_what_is_not_defined_is_refused() -> None:
    brain, models = sets()
    with pytest.raises(InputError, match="Kendall"):
        apa.unique_variance(brain, models, method="kendall")
    with pytest.raises(InputError, match="its default with measure='partial'"):
        apa.unique_variance(brain, models, measure="partial", parts="all")
    with pytest.raises(InputError, match="cross_validate"):
        apa.unique_variance(brain, models, cross_validate="model")
    with pytest.raises(InputError, match="n_fold"):
        apa.unique_variance(brain, models, n_fold=2)
    with pytest.raises(DesignError, match="16 stimuli are too few for 5 folds: 20"):
        apa.unique_variance(brain, models, cross_validate="stimulus", n_fold=5)
    with pytest.raises(InputError, match="bounds"):
        apa.unique_variance(brain, models).test(bounds=0)
    free = apa.unique_variance(brain, models, measure="coefficient", nonnegative=True)
    with pytest.raises(DesignError, match="never below 0"):
        free.test()
    with pytest.raises(InputError, match="shares of variance or correlations"):
        free.ceilings()
    many = {"a": ["m0"]}
    with pytest.raises(InputError, match="every model once"):
        apa.unique_variance(brain, models, groups=many)


def test_text_and_table_by_region() -> None:
    brain, models = sets(rois=("V1", "V2"))
    found = apa.unique_variance(brain, models)
    text = found.text(max_rows=1)
    assert "In V1, the share of variance that m0 alone explained was" in text
    wide = found.to_markdown(wide="roi")
    assert wide.splitlines()[0] == "| part | model | V1 | V2 |"
    told = found.test(bounds=0.01).text()
    assert "added more than 0.01" in told
    assert "has not been shown to add nothing" in told
    assert len(found.plot().containers) == 4


def test_results_survive_the_disk(tmp_path: Any) -> None:
    brain, models = sets()
    found = apa.unique_variance(brain, models)
    found.save(tmp_path / "parts")
    back = apa.load_result(tmp_path / "parts")
    assert isinstance(back, apa.UniqueVariance)
    pd.testing.assert_frame_equal(back.test(bounds=0.1).table, found.test(bounds=0.1).table)
