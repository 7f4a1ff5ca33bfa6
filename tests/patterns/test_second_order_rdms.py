from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import DataError, DegenerateWarning, DesignError, InputError
from apastats.io.rdm_set import RDMSet
from apastats.words import CHOSEN_LAYERS

ROIS = ["V1", "V2", "V4", "V3A", "MT"]
N_SUBJECT, N_STIMULUS = 5, 9


@pytest.fixture(scope="module")
def data():
    rdms = apa.simulate_rdms(
        n_subject=N_SUBJECT, n_stimulus=N_STIMULUS, rois=ROIS, n_model=2, n_layer=4, rng=3
    )
    return rdms.brain, rdms.models


def correlation(x, y, method):
    if method == "cosine":
        return x @ y / np.linalg.norm(x) / np.linalg.norm(y)
    return (stats.pearsonr if method == "corr" else stats.spearmanr)(x, y)[0]


def unit(x, method):
    x = stats.rankdata(x) if method == "spearman" else np.asarray(x, float)
    x = x if method == "cosine" else x - x.mean()
    return x / np.linalg.norm(x)


class Naive:
    """The same by loops over subjects, ROIs and layers."""

    def __init__(self, brain, models, method):
        self.method = method
        labels = brain.labels
        self.subjects = sorted(set(labels["subject"]))
        self.brain = {
            (s, r): v
            for s, r, v in zip(labels["subject"], labels["roi"], brain.vectors, strict=True)
        }
        self.models = {}
        names = models.labels
        for m, la, v in zip(names["model"], names["layer"], models.vectors, strict=True):
            self.models.setdefault(m, {})[la] = v

    def target(self, subjects):
        n = len(ROIS)
        out = np.zeros((n, n))
        for i, r in enumerate(ROIS):
            for j, t in enumerate(ROIS):
                for s in subjects:
                    rest = [unit(self.brain[o, t], self.method) for o in subjects if o != s]
                    own = unit(self.brain[s, r], self.method)
                    mean = np.mean(rest, axis=0)
                    out[i, j] += own @ mean / np.linalg.norm(mean) / len(subjects)
        return (out + out.T) / 2

    def layers(self, model, subjects, order=None):
        own = self.models[model]
        if order is not None:
            own = {la: shuffled(v, order) for la, v in own.items()}
        out = np.zeros((len(ROIS), len(ROIS)))
        for s in subjects:
            chosen = []
            for r in ROIS:
                fit = {
                    la: np.mean(
                        [correlation(v, self.brain[o, r], self.method) for o in subjects if o != s]
                    )
                    for la, v in own.items()
                }
                chosen.append(max(sorted(fit), key=fit.get))
            for i, a in enumerate(chosen):
                for j, b in enumerate(chosen):
                    one = 1.0 if a == b else correlation(own[a], own[b], self.method)
                    out[i, j] += one / len(subjects)
        return out

    def estimate(self, model, subjects, order=None, second="pearson"):
        upper = np.triu_indices(len(ROIS), 1)
        a, b = self.target(subjects)[upper], self.layers(model, subjects, order)[upper]
        if second == "pearson":
            return stats.pearsonr(a, b)[0]
        return stats.spearmanr(a, b.round(12))[0]


def shuffled(vector, order):
    n = len(order)
    square = np.zeros((n, n))
    square[np.triu_indices(n, 1)] = vector
    square += square.T
    return square[np.ix_(order, order)][np.triu_indices(n, 1)]


@pytest.mark.parametrize("method", ["spearman", "corr", "cosine"])
@pytest.mark.parametrize("second", ["pearson", "spearman"])
def test_by_hand(data, method, second):
    found = apa.second_order_rdms(*data, method=method, second=second, null="rois")
    naive = Naive(*data, method)
    upper = np.triu_indices(len(ROIS), 1)
    np.testing.assert_allclose(found.arrays["brain"][0], naive.target(naive.subjects), atol=1e-12)
    for j, row in enumerate(found.table.itertuples()):
        value = naive.estimate(row.model, naive.subjects, second=second)
        assert row.estimate == pytest.approx(value, abs=1e-12)
        assert row.r_squared == pytest.approx(value**2, abs=1e-12)
        left = [
            naive.estimate(row.model, [s for s in naive.subjects if s != out], second=second)
            for out in naive.subjects
        ]
        error = np.sqrt(4 / 5 * ((left - np.mean(left)) ** 2).sum())
        assert row.std_error == pytest.approx(error, abs=1e-10)
        z = np.arctanh(left)
        half = stats.t.ppf(0.975, 4) * np.sqrt(4 / 5 * ((z - z.mean()) ** 2).sum())
        assert row.conf_low == pytest.approx(np.tanh(np.arctanh(value) - half), abs=1e-9)
        assert row.conf_high == pytest.approx(np.tanh(np.arctanh(value) + half), abs=1e-9)
        own = naive.layers(row.model, naive.subjects)
        own = own.round(12) if second == "spearman" else own
        np.testing.assert_allclose(found.arrays["model"][j], own, atol=1e-12)
        correlate = stats.pearsonr if second == "pearson" else stats.spearmanr
        target = naive.target(naive.subjects)[upper]
        every = [
            correlate(target, own[np.ix_(o, o)][upper])[0] for o in permutations(range(len(ROIS)))
        ]
        assert row.p_value == pytest.approx((np.array(every) >= value - 1e-9).mean())


def test_stimuli_are_exchanged_and_layers_chosen_anew(data):
    """All orders of the stimuli in which the drawn ones stand: the p-value is counted again by loops."""
    from apastats.seeds import block_generator, seed_sequence

    found = apa.second_order_rdms(*data, n_resamples=19, rng=4).table
    naive = Naive(*data, "spearman")
    root = seed_sequence(4)
    orders = [block_generator(root, b).permutation(N_STIMULUS) for b in range(19)]
    for row in found.itertuples():
        with np.errstate(invalid="ignore"):
            values = [naive.estimate(row.model, naive.subjects, o) for o in orders]
        values = np.nan_to_num(values)
        assert row.null_sd == pytest.approx(values.std(), abs=1e-12)
        assert row.p_value == pytest.approx(((values >= row.estimate - 1e-12).sum() + 1) / 20)
    assert (found["p_value_adjusted"] >= found["p_value"] - 1e-12).all()


def test_order_of_stimuli_and_rows_does_not_matter(data):
    brain, models = data
    g = np.random.default_rng(0)
    names = [f"i{k}" for k in range(N_STIMULUS)]
    named = [RDMSet(d.vectors, d.labels, names) for d in data]
    moved = named[1].on_stimuli([names[k] for k in g.permutation(N_STIMULUS)])
    moved = moved.take(g.permutation(len(models)))
    a = apa.second_order_rdms(brain, models, null="rois").table.set_index("model")
    b = apa.second_order_rdms(named[0], moved, null="rois").table.set_index("model").loc[a.index]
    np.testing.assert_allclose(a["estimate"], b["estimate"], atol=1e-12)


def test_selection_is_taken(data):
    brain, models = data
    best = apa.select_layer(apa.score(brain, models, method="spearman"), on="cross_subject")
    a = apa.second_order_rdms(brain, models, null="rois").table
    b = apa.second_order_rdms(brain, models, null="rois", selection=best)
    np.testing.assert_allclose(a["estimate"], b.table["estimate"], atol=1e-12)
    assert CHOSEN_LAYERS in b.info.held_fixed
    other = best.with_frame(
        best.frame.assign(layer=best.frame["layer"].where(best.frame["roi"] != "MT", "layer_01"))
    )
    c = apa.second_order_rdms(brain, models, null="rois", selection=other).table
    assert not np.allclose(a["estimate"], c["estimate"])


def test_rsatoolbox_rdms(data):
    pytest.importorskip("rsatoolbox")
    ours = [d.to_rsatoolbox() for d in data]
    a = apa.second_order_rdms(*ours, n_resamples=9, rng=1).table
    b = apa.second_order_rdms(*data, n_resamples=9, rng=1).table
    np.testing.assert_allclose(a["estimate"], b["estimate"], atol=1e-12)
    np.testing.assert_allclose(a["p_value"], b["p_value"])


def test_a_model_of_one_layer_is_said(data):
    brain, models = data
    one = models.labels["model"] == "model_01"
    part = models.take(~one | (models.labels["layer"] == "layer_01"))
    with pytest.warns(DegenerateWarning, match="not defined for model_01"):
        found = apa.second_order_rdms(brain, part, n_resamples=9, rng=1)
    assert found.table["estimate"].isna().tolist() == [True, False]


def test_bad_input(data):
    brain, models = data
    best = apa.select_layer(apa.score(brain, models), on="cross_subject")
    for options, message in (
        ({"method": "tau-a"}, "method: got 'tau-a'"),
        ({"second": "cosine"}, "second: got 'cosine'"),
        ({"null": "x"}, "null: got 'x'"),
        ({"conf_level": 1}, "conf_level: got 1"),
        ({"selection": best}, "chooses layers anew"),
        ({"n_resamples": "exact"}, "orders of stimuli are too many"),
        ({"selection": best.frame["model"].tolist(), "null": "rois"}, "a ScoreTable"),
    ):
        with pytest.raises(InputError, match=message):
            apa.second_order_rdms(brain, models, **options)
    with pytest.raises(DesignError, match="at least 4 of each"):
        apa.second_order_rdms(brain.select(roi=ROIS[:3]), models)
    with pytest.raises(DesignError, match="every subject needs every ROI"):
        apa.second_order_rdms(brain.take(np.arange(len(brain)) > 0), models)
    holes = np.array(brain.vectors, dtype=float)
    holes[0, 0] = np.nan
    with pytest.raises(DataError, match="1 of 25 RDMs"):
        apa.second_order_rdms(RDMSet(holes, brain.labels, brain.stimuli), models)
    few = best.with_frame(best.frame.iloc[1:])
    with pytest.raises(DataError, match="has no layer for ROI"):
        apa.second_order_rdms(brain, models, selection=few, null="rois")
    flat = np.array(models.vectors, dtype=float)
    flat[0] = 1
    with pytest.raises(DataError, match="is constant"):
        apa.second_order_rdms(brain, RDMSet(flat, models.labels, models.stimuli))


@pytest.mark.calibration
def test_a_model_of_random_features_passes_at_the_level(long):
    """Layers that are alike but know nothing of the stimuli; exchanged ROI labels are fooled by the choice."""
    g = np.random.default_rng(0)
    rois = ["V1", "V2", "V3", "V4", "V8", "PIT", "V3A", "V3B"]
    upper = np.triu_indices(24, 1)
    p = {"stimuli": [], "rois": []}
    n = 400 if long else 80
    for b in range(n):
        brain = apa.simulate_rdms(n_subject=6, n_stimulus=24, rois=rois, n_model=1, rng=b).brain
        features, vectors = g.standard_normal((24, 30)), []
        for _ in range(6):
            features = 0.7 * features + 0.7 * g.standard_normal(features.shape)
            vectors.append(1 - np.corrcoef(features)[upper])
        labels = pd.DataFrame({"model": "random", "layer": [f"l{k}" for k in range(6)]})
        models = RDMSet(np.stack(vectors), labels, brain.stimuli)
        for null, found in p.items():
            value = apa.second_order_rdms(brain, models, null=null, n_resamples=99, rng=b)
            found.append(value.table.loc[0, "p_value"])
    hits = {k: np.mean(np.array(v) <= 0.05) for k, v in p.items()}
    assert hits["stimuli"] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)
    assert stats.kstest(np.array(p["stimuli"]) - g.random(n) / 100, "uniform").pvalue > 0.01
    assert hits["rois"] > 0.12
