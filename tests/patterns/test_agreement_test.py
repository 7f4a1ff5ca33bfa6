from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DegenerateWarning, InputError
from apastats.patterns.pattern_similarity import SIMILARITIES
from apastats.patterns.permutations import contract, roi_permutations, spin_coordinates
from tests.patterns.naive import Pairs, mean_known, similar

ROIS = [f"R{i}" for i in range(5)]


@pytest.fixture
def data(make_frame):
    return apa.ScoreTable(make_frame(n_subject=5, n_predictor=2, rng=7))


def brute(arrays, similarity, order):
    """Mean agreement of both predictors with every ROI, the models' entries permuted (references of pairs)."""
    pairs, model = arrays["subject_to_subject"][0], arrays["model"][0]
    n = len(arrays["subjects"])
    out = np.empty((model.shape[1], len(ROIS)))
    for k in range(model.shape[1]):
        for r in range(len(ROIS)):
            values = []
            for s in range(n):
                found = [
                    pairs[t, p, r] for t in range(n) for p in range(n) if s not in (t, p) and t != p
                ]
                reference = np.array([mean_known([f[t] for f in found]) for t in range(len(ROIS))])
                values.append(similar(model[s, k, list(order)], reference, similarity))
            out[k, r] = np.mean(values)
    return out


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_exact_permutation_by_brute_force(data, similarity):
    patterns = apa.alignment_patterns(data)
    found = apa.agreement_test(patterns, similarity=similarity).table
    orders = list(permutations(range(5)))
    values = np.array([brute(patterns.arrays, similarity, o) for o in orders])
    seen, mean, sd = values[0], values.mean(0), values.std(0)
    p = (values >= seen - 1e-12).mean(0)
    z = ((values - mean) / sd).reshape(len(orders), -1).max(1)
    adjusted = np.array([[(z >= v - 1e-9).mean() for v in row] for row in (seen - mean) / sd])
    models = found[found["kind"] == "model"]
    for k in range(2):
        rows = models[models["layer"] == f"l{k}"].set_index("roi").loc[ROIS]
        np.testing.assert_allclose(rows["estimate"], seen[k], atol=1e-12)
        np.testing.assert_allclose(rows["null_mean"], mean[k], atol=1e-12)
        np.testing.assert_allclose(rows["null_sd"], sd[k], atol=1e-12)
        np.testing.assert_allclose(rows["p_value"], p[k], atol=1e-12)
        np.testing.assert_allclose(rows["p_value_adjusted"], adjusted[k], atol=1e-12)
    assert (found["p_value"] >= 1 / 120 - 1e-12).all()
    assert (found["mcse"] == 0).all()


@pytest.mark.parametrize("similarity", ["pearson", "concordance", "nrmse"])
@pytest.mark.parametrize("reference", ["leave_one_out", "released", "matched"])
def test_permutation_of_brain_and_model_with_every_reference(data, reference, similarity):
    """The pattern that is permuted is the candidate's; its references stay as they are."""
    found = apa.agreement_test(
        apa.alignment_patterns(data), reference=reference, similarity=similarity
    ).table
    naive = Pairs(data.frame, similarity)
    subjects, orders = naive.subjects, [list(o) for o in permutations(range(5))]
    rows = found[found["roi"] == "R3"]
    brain = rows[rows["model"] == "brain"].iloc[0]
    model = rows[rows["layer"] == "l1"].iloc[0]
    held = dict(naive.models), dict(naive.pairs)
    refs = {
        (s, p): naive.reference("R3", *((s, p) if reference == "matched" else (s,)))
        for s in subjects
        for p in naive.partners(s)
    }
    of_model, of_brain = [], []
    for o in orders:
        naive.models = {k: v[o] for k, v in held[0].items()}
        of_model.append(mean_known([naive.model("m0", "l1", "R3", s, reference) for s in subjects]))
        single = [
            mean_known(
                [similar(held[1][s, p, "R3"][o], refs[s, p], similarity) for p in naive.partners(s)]
            )
            for s in subjects
        ]
        of_brain.append(mean_known(single))
    for row, values in ((model, np.array(of_model)), (brain, np.array(of_brain))):
        assert row["estimate"] == pytest.approx(values[0], abs=1e-12)
        assert row["null_mean"] == pytest.approx(values.mean(), abs=1e-12)
        assert row["null_sd"] == pytest.approx(values.std(), abs=1e-12)
        assert row["p_value"] == pytest.approx((values >= values[0] - 1e-12).mean())


def test_self_entry_out_permutes_the_rest(data):
    patterns = apa.alignment_patterns(data, self_entry="out")
    found = apa.agreement_test(patterns).table
    models = found[(found["kind"] == "model") & (found["layer"] == "l0")].set_index("roi")
    pairs, model = patterns.arrays["subject_to_subject"][0], patterns.arrays["model"][0]
    for r, roi in enumerate(ROIS):
        keep = [t for t in range(5) if t != r]
        values = []
        for order in permutations(keep):
            one = []
            for s in range(5):
                others = [t for t in range(5) if t != s]
                found = [pairs[t, p, r][keep] for t in others for p in others if t != p]
                reference = np.mean([f for f in found if np.isfinite(f).all()], 0)
                one.append(similar(model[s, 0, list(order)], reference))
            values.append(np.mean(one))
        assert models.loc[roi, "estimate"] == pytest.approx(values[0], abs=1e-12)
        assert models.loc[roi, "p_value"] == pytest.approx(
            np.mean(np.array(values) >= values[0] - 1e-12)
        )
        assert models.loc[roi, "null_sd"] == pytest.approx(np.std(values), abs=1e-12)


@pytest.mark.parametrize("reference", ["leave_one_out", "released", "matched"])
@pytest.mark.parametrize("self_entry", ["in", "out"])
def test_estimates_are_the_agreements(data, reference, self_entry):
    patterns = apa.alignment_patterns(data, self_entry=self_entry)
    agreement = apa.pattern_agreement(patterns, reference=reference).frame
    want = agreement.groupby(["kind", "model", "layer", "roi"])["agreement"].mean()
    for null in ("permuted_rois", "other_roi"):
        found = apa.agreement_test(
            patterns, null=null, reference=reference, n_resamples=19, rng=1
        ).table
        found = found.set_index(["kind", "model", "layer", "roi"])["estimate"]
        np.testing.assert_allclose(found, want.loc[found.index], atol=1e-12)


def test_selection_takes_one_layer_per_model(make_frame):
    table = apa.ScoreTable(make_frame(n_predictor=4, splits=("train", "test"), rng=2))
    best = apa.select_layer(table)
    patterns = apa.alignment_patterns(table)
    found = apa.agreement_test(patterns, selection=best, n_resamples=19, rng=1).table
    assert set(found["split"]) == {"test"}
    models = found[found["kind"] == "model"].set_index(["model", "layer", "roi"])
    chosen = apa.selected_rows(apa.pattern_agreement(patterns), best).frame
    want = chosen[chosen["kind"] == "model"].groupby(["model", "layer", "roi"])["agreement"].mean()
    assert set(models.index) == set(want.index)
    np.testing.assert_allclose(models["estimate"], want.loc[models.index], atol=1e-12)


def test_leave_one_out_rows(make_frame):
    frame = make_frame(rng=4)
    table = apa.ScoreTable(frame[frame["kind"] != "subject_to_subject"])
    patterns = apa.alignment_patterns(table)
    found = apa.agreement_test(patterns).table
    want = (
        apa.pattern_agreement(patterns)
        .frame.groupby(["kind", "model", "layer", "roi"])["agreement"]
        .mean()
    )
    found = found.set_index(["kind", "model", "layer", "roi"])
    np.testing.assert_allclose(found["estimate"], want.loc[found.index], atol=1e-12)


def test_within_stream_enumerates_the_product(data):
    streams = {"early": ROIS[:3], "late": ROIS[3:]}
    found = apa.agreement_test(apa.alignment_patterns(data), null="within_stream", streams=streams)
    assert "exact (12 resamples)" in found.info["method"]
    assert ((found.table["p_value"] * 12).round(9) % 1 == 0).all()


def test_sampled_is_reproducible_and_never_zero(data):
    patterns = apa.alignment_patterns(data)
    a = apa.agreement_test(patterns, n_resamples=199, rng=3)
    b = apa.agreement_test(patterns, n_resamples=199, rng=3)
    pd.testing.assert_frame_equal(a.table, b.table)
    assert a.table["p_value"].min() >= 1 / 200
    assert a.provenance.seed == "3"


def test_baselines_by_hand(data):
    patterns = apa.alignment_patterns(data)
    found = apa.agreement_test(patterns, null="other_roi").table
    row = found[(found["layer"] == "l1") & (found["roi"] == "R2")].iloc[0]

    def difference(table):
        agreement = apa.pattern_agreement(apa.alignment_patterns(table)).frame
        part = agreement[agreement["layer"] == "l1"].pivot(
            index="subject", columns="roi", values="agreement"
        )
        return (part["R2"] - part.drop(columns="R2").mean(axis=1)).mean()

    f = data.frame
    whole = difference(data)
    left = np.array(
        [
            difference(data.with_frame(f[(f["subject"] != s) & (f["model"] != s)]))
            for s in data.levels("subject")
        ]
    )
    # each person's share in the difference, in all roles
    d = pd.Series(whole + 4 * (left.mean() - left))
    assert row["difference"] == pytest.approx(whole, abs=1e-13)
    assert row["std_error"] == pytest.approx(
        np.sqrt(4 / 5 * ((left - left.mean()) ** 2).sum()), abs=1e-12
    )
    t = d.mean() / (d.std() / np.sqrt(5))
    assert row["statistic"] == pytest.approx(t, abs=1e-10)
    flips = np.array(np.meshgrid(*[[1, -1]] * 5)).reshape(5, -1).T
    values = flips * d.to_numpy()
    ts = values.mean(1) / (values.std(1, ddof=1) / np.sqrt(5))
    assert row["p_value"] == pytest.approx(np.mean(ts >= t - 1e-9))

    pairs, model = patterns.arrays["subject_to_subject"][0], patterns.arrays["model"][0]
    mean = apa.agreement_test(patterns, null="mean_pattern").table
    row = mean[(mean["layer"] == "l1") & (mean["roi"] == "R2")].iloc[0]
    base = []
    for s in range(5):
        rest = [t for t in range(5) if t != s]
        references = [
            np.nanmean([pairs[t, p, r] for t in rest for p in rest if t != p], 0)
            for r in (0, 1, 3, 4)
        ]
        base.append(similar(model[s, 1], np.mean(references, 0)))
    assert row["null_mean"] == pytest.approx(np.mean(base), abs=1e-12)

    models = apa.agreement_test(
        patterns.__class__(**vars(patterns)), null="models", null_models=["m0"]
    ).table
    assert set(models["kind"]) == {"subject_to_subject"}


def test_null_models(make_frame):
    table = apa.ScoreTable(make_frame(n_predictor=4, rng=2))
    patterns = apa.alignment_patterns(table)
    found = apa.agreement_test(patterns, null="models", null_models=["m1"]).table
    assert set(found["model"]) == {"m0", "brain"}
    agreement = apa.pattern_agreement(patterns).frame
    base = agreement[agreement["model"] == "m1"].groupby("roi")["agreement"].mean()
    rows = found[found["layer"] == "l0"].set_index("roi")
    np.testing.assert_allclose(rows["null_mean"], base.loc[rows.index], atol=1e-12)


def test_adjusted_is_never_smaller(data):
    patterns = apa.alignment_patterns(data)
    for options in ({"n_resamples": 99, "rng": 1}, {"null": "mean_pattern"}):
        f = apa.agreement_test(patterns, **options).table
        assert (f["p_value_adjusted"] >= f["p_value"] - 1e-12).all()
        two = apa.agreement_test(patterns, alternative="two-sided", **options).table
        assert (two["p_value_adjusted"] >= two["p_value"] - 1e-12).all()


def test_contract():
    plan = roi_permutations(5).matrix.astype(int)
    keep = np.array([0, 2, 4])
    small = contract(plan, keep)
    assert small[0].tolist() == [0, 1, 2]
    rows, counts = np.unique(small, axis=0, return_counts=True)
    assert len(rows) == 6
    assert set(counts) == {20}
    groups = roi_permutations(5, groups=[[0, 1, 2], [3, 4]]).matrix.astype(int)
    inside = contract(groups, np.array([0, 2, 3, 4]))
    assert set(map(tuple, np.sort(inside[:, :2], 1))) == {(0, 1)}


def test_rotations_keep_neighbours():
    line = np.column_stack([np.arange(12.0), np.zeros(12)])
    rows = roi_permutations(12, coordinates=line, n_resamples=200, rng=1).matrix.astype(int)
    assert all(sorted(r) == list(range(12)) for r in rows)
    # on a line a rotation leaves the order or turns it round
    assert set(map(tuple, rows)) == {tuple(range(12)), tuple(range(11, -1, -1))}
    gap = np.abs(np.diff(rows, axis=1)).mean()
    free = roi_permutations(12, n_resamples=200, rng=1).matrix
    assert gap < 0.6 * np.abs(np.diff(free, axis=1)).mean()


def test_places_from_distances():
    g = np.random.default_rng(0).normal(size=(6, 3))
    d = np.linalg.norm(g[:, None] - g[None], axis=-1)
    found = spin_coordinates(d)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found[None], axis=-1), d, atol=1e-9)


def test_spatial_with_coordinates_or_distances(data):
    patterns = apa.alignment_patterns(data)
    g = np.random.default_rng(0).normal(size=(5, 3))
    places = dict(zip(ROIS, g, strict=True))
    options = {"null": "spatial", "n_resamples": 49, "rng": 1}
    a = apa.agreement_test(patterns, coordinates=places, **options)
    assert a.table["p_value"].between(1 / 50, 1).all()
    d = pd.DataFrame(np.linalg.norm(g[:, None] - g[None], axis=-1), ROIS, ROIS)
    b = apa.agreement_test(patterns, distances=d, **options)
    np.testing.assert_allclose(a.table["estimate"], b.table["estimate"])


def test_bad_input(data):
    patterns = apa.alignment_patterns(data)
    cases = [
        ({"null": "noise"}, "null: got 'noise'"),
        ({"reference": "x"}, "reference: got 'x'"),
        ({"similarity": "kendall"}, "similarity: got 'kendall'"),
        ({"alternative": "up"}, "alternative: got 'up'"),
        ({"null": "within_stream"}, "streams: got None"),
        ({"null": "within_stream", "streams": {"a": ROIS[:2]}}, "'R2' has none"),
        ({"null": "spatial"}, "either coordinates or distances"),
        ({"null": "spatial", "coordinates": {"R0": (1, 2)}}, "a place for every ROI"),
        ({"null": "spatial", "distances": pd.DataFrame()}, "every ROI as index and column"),
        ({"null": "models"}, "null_models: got None"),
        ({"null": "models", "null_models": ["zzz"]}, "null_models: got"),
        ({"selection": data.frame["model"].tolist()}, "a ScoreTable"),
    ]
    for options, message in cases:
        with pytest.raises(InputError, match=message):
            apa.agreement_test(patterns, **options)
    with pytest.raises(InputError, match="patterns: got"):
        apa.agreement_test(data)
    with pytest.raises(InputError, match="every ROI in exactly one group"):
        roi_permutations(3, groups=[[0, 1]])
    with pytest.raises(InputError, match="cannot be enumerated"):
        roi_permutations(3, coordinates=np.eye(3), n_resamples="exact")
    with pytest.raises(InputError, match="symmetric matrix"):
        spin_coordinates(np.ones((3, 3)))


def test_place_among_random_feature_models():
    rdms = apa.simulate_rdms(n_subject=5, n_stimulus=16, rois=["V1", "V2", "V3", "V4", "MT"], rng=1)
    null = apa.random_feature_models(rdms.brain, n_model=19, n_feature=60, rng=2)
    again = apa.random_feature_models(rdms.brain, n_model=3, n_feature=60, rng=2)
    np.testing.assert_array_equal(null.vectors[:3], again.vectors)
    table = apa.concat(
        apa.score(rdms.brain, rdms.models), apa.score(rdms.brain, null).where(kind="model")
    )
    patterns = apa.alignment_patterns(table)
    names = list(null.labels["model"])
    found = apa.agreement_test(
        patterns, null="random_models", null_models=names, brain="leave_one_out"
    ).table
    agreement = apa.pattern_agreement(patterns, brain="leave_one_out").frame
    mean = agreement.groupby(["model", "layer", "roi"])["agreement"].mean()
    assert not set(found["model"]) & set(names)
    for row in found.itertuples():
        seen = mean[row.model, row.layer, row.roi]
        drawn = np.array([mean[m, "-", row.roi] for m in names])
        assert row.estimate == pytest.approx(seen, abs=1e-12)
        assert row.p_value == pytest.approx(((drawn >= seen).sum() + 1) / 20)
        assert row.null_mean == pytest.approx(drawn.mean(), abs=1e-12)
    assert (found["p_value_adjusted"] >= found["p_value"] - 1e-12).all()
    with pytest.raises(InputError, match="null_models: got"):
        apa.agreement_test(patterns, null="random_models", null_models=["nobody"])
    with pytest.raises(InputError, match="like: got"):
        apa.random_feature_models(rdms)
    with pytest.raises(InputError, match="n_model: got 0"):
        apa.random_feature_models(rdms.brain, n_model=0)


def test_inflation_is_the_variance_of_unrelated_patterns_over_that_of_their_permutations():
    from apastats.patterns.null_statistics import inflation_by_shared_geometry

    g = np.random.default_rng(3)
    places = np.arange(9)
    similar = np.exp(-np.abs(places[:, None] - places) / 2.0)
    ceiling = g.uniform(0.3, 0.6, 9)
    patterns = similar * np.sqrt(np.outer(ceiling, ceiling))
    unrelated = g.multivariate_normal(np.zeros(9), similar, 60_000)
    y = patterns - patterns.mean(axis=1, keepdims=True)
    seen = (unrelated @ y.T).var(axis=0)
    shuffled = g.permuted(unrelated, axis=1)
    np.testing.assert_allclose(
        inflation_by_shared_geometry(patterns), seen / (shuffled @ y.T).var(axis=0), rtol=0.05
    )
    np.testing.assert_allclose(inflation_by_shared_geometry(0.5 * np.eye(9)), 1.0)


@pytest.mark.filterwarnings("always::apastats.errors.DegenerateWarning")
def test_regions_that_share_geometry_are_said():
    study = apa.simulate(n_subject=5, n_model=2, n_layer=2, rng=1)
    patterns = apa.alignment_patterns(study.scores.where(split="test"))
    with pytest.warns(DegenerateWarning, match="regions share geometry"):
        found = apa.agreement_test(patterns, n_resamples=99, rng=1)
    assert "null='spatial'" in found.notes[0]
