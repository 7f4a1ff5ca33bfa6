"""Agreement on simulated brains with known patterns: bias, error rates, references on one scale."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.patterns.nodes import node_problem, node_replicates
from apastats.patterns.null_statistics import (
    Permutations,
    cross_patterns,
    flip_test,
    permutation_statistics,
)
from apastats.patterns.pattern_agreement import agreement_values
from apastats.patterns.permutations import roi_permutations
from apastats.patterns.reference_patterns import mean_of_others
from apastats.resampling.relabel import permutation_p, sign_flips

pytestmark = pytest.mark.calibration

N_SUBJECT, N_ROI = 10, 19
SUBJECTS = [f"s{i}" for i in range(N_SUBJECT)]
ROIS = [f"R{i:02d}" for i in range(N_ROI)]


def table_of(brain: np.ndarray, model: np.ndarray) -> apa.ScoreTable:
    """``brain [subject, predictor ROI, ROI]``, ``model [subject, layer, ROI]`` as a score table."""
    frames = []
    for kind, values, name in (("leave_one_out", brain, "others"), ("model", model, "m")):
        s, x, r = (v.ravel() for v in np.meshgrid(*map(np.arange, values.shape), indexing="ij"))
        layer = np.array(ROIS)[x]
        frames.append(
            pd.DataFrame({"kind": kind, "model": name, "layer": layer, "subject": np.array(SUBJECTS)[s],
                          "roi": np.array(ROIS)[r], "score": values.ravel()})
        )  # fmt: skip
    return apa.ScoreTable(pd.concat(frames, ignore_index=True))


@pytest.mark.parametrize("reliability", [0.5, 0.8])
def test_disattenuated_agreement_of_a_true_model_is_unbiased(reliability, long):
    g = np.random.default_rng(1)
    found, plain = [], []
    for _ in range(200 if long else 12):
        truth = g.normal(size=(N_ROI, N_ROI))
        sd = np.sqrt(1 / reliability - 1)
        brain = truth + sd * g.normal(size=(N_SUBJECT, N_ROI, N_ROI))
        model = 0.6 * (truth + sd * g.normal(size=(N_SUBJECT, N_ROI, N_ROI))) + 0.1
        result = apa.disattenuated_agreement(
            apa.alignment_patterns(table_of(brain, model)), least_reliability=0
        ).table
        own = result[result["layer"] == result["roi"]]
        found.append(own["estimate"].mean())
        plain.append(own["agreement"].mean())
    assert abs(np.mean(found) - 1) < 0.02
    # without the correction the bias is many times that
    assert np.mean(plain) < (0.72 if reliability == 0.5 else 0.9)


def test_partly_true_model(long):
    """A model whose pattern correlates .6 with the ROI's."""
    g = np.random.default_rng(2)
    found = []
    for _ in range(200 if long else 15):
        truth = g.normal(size=(N_ROI, N_ROI))
        other = 0.6 * truth + 0.8 * g.normal(size=(N_ROI, N_ROI))
        real = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(truth, other, strict=True)])
        brain = truth + 0.7 * g.normal(size=(N_SUBJECT, N_ROI, N_ROI))
        model = other + 0.7 * g.normal(size=(N_SUBJECT, N_ROI, N_ROI))
        result = apa.disattenuated_agreement(
            apa.alignment_patterns(table_of(brain, model)), least_reliability=0
        ).table
        own = result[result["layer"] == result["roi"]]
        found.append(own["estimate"].mean() - real)
    assert abs(np.mean(found)) < 0.02


@pytest.mark.parametrize("self_entry", ["in", "out"])
@pytest.mark.parametrize("similarity", ["pearson", "spearman", "concordance", "nrmse"])
def test_permutation_p_values_are_uniform(self_entry, similarity):
    """A model with a reproducible pattern of its own, unrelated to the ROI's; 500 data sets."""
    g = np.random.default_rng(3)
    p = []
    for b in range(500):
        brain = g.normal(size=N_ROI) + 0.7 * g.normal(size=(N_SUBJECT, N_ROI))
        model = g.normal(size=N_ROI) + 0.7 * g.normal(size=(N_SUBJECT, N_ROI))
        if self_entry == "out":
            brain[:, 4] = np.nan
        references = mean_of_others(brain)[:, None]
        crossed = cross_patterns(model[:, None, None], references, similarity)
        assert len(crossed.keep) == N_ROI - (self_entry == "out")
        plan = roi_permutations(N_ROI, n_resamples=199, rng=b)
        drawn = Permutations(plan.matrix.astype(int), plan.exact, plan.kind)
        observed, values = permutation_statistics(crossed, drawn)
        p.append(float(permutation_p(values, observed, exact=False, alternative="greater")[0]))
    # p-values of 199 permutations lie on a grid; a jitter within the grid makes them continuous
    jittered = np.array(p) - g.random(500) / 200
    assert stats.kstest(jittered, "uniform").pvalue > 0.01
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.085


def test_within_group_permutation_keeps_its_level_under_a_group_effect():
    """Groups of ROIs differ for everybody; free permutation is fooled, the one within groups is not."""
    g = np.random.default_rng(4)
    groups = [list(range(7)), list(range(7, 19))]
    level = np.repeat([0.0, 2.0], [7, 12])
    rejected = {"free": 0, "within": 0}
    n = 300
    for b in range(n):
        brain = level + g.normal(size=N_ROI) + 0.7 * g.normal(size=(N_SUBJECT, N_ROI))
        model = level + g.normal(size=N_ROI) + 0.7 * g.normal(size=(N_SUBJECT, N_ROI))
        crossed = cross_patterns(model[:, None, None], mean_of_others(brain)[:, None], "pearson")
        for name, chosen in (("free", None), ("within", groups)):
            plan = roi_permutations(N_ROI, groups=chosen, n_resamples=99, rng=b)
            drawn = Permutations(plan.matrix.astype(int), plan.exact, plan.kind)
            observed, values = permutation_statistics(crossed, drawn)
            rejected[name] += (
                permutation_p(values, observed, exact=False, alternative="greater")[0] <= 0.05
            )
    assert rejected["free"] / n > 0.5
    assert 0.02 <= rejected["within"] / n <= 0.085


def test_sign_flip_of_a_baseline_keeps_its_family_level(long):
    g = np.random.default_rng(5)
    flips = sign_flips(N_SUBJECT)
    n = 1000 if long else 300
    hits = 0
    for _ in range(n):
        shared = g.normal(size=(N_SUBJECT, 1))
        d = 0.7 * shared + g.normal(size=(N_SUBJECT, 12))
        found = flip_test(pd.DataFrame(index=range(12)), d, flips, "greater", 0.95)
        hits += (found["p_value_adjusted"] <= 0.05).any()
    assert hits / n <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)
    assert hits / n >= 0.02


@pytest.mark.parametrize("null", ["other_roi", "mean_pattern"])
def test_baselines_hold_their_level_where_all_rois_have_one_pattern(null, long):
    """Noise of the references is common to all subjects: their differences alone reject far too often."""
    g = np.random.default_rng(9)
    p, plain = [], []
    for _ in range(200 if long else 25):
        truth = g.normal(size=N_ROI)
        brain = truth + g.normal(size=(N_SUBJECT, N_ROI, N_ROI))
        own = g.normal(size=(4, N_ROI))
        model = own + 0.2 * g.normal(size=(N_SUBJECT, 4, N_ROI))
        patterns = apa.alignment_patterns(table_of(brain, model))
        found = apa.agreement_test(patterns, null=null, alternative="two-sided").table
        p += list(found.loc[found["kind"] == "model", "p_value"])
        rows = apa.pattern_agreement(patterns).frame
        wide = rows[rows["kind"] == "model"].pivot(
            index=["layer", "subject"], columns="roi", values="agreement"
        )
        d = wide.sub(wide.mean(axis=1), axis=0).groupby("layer")
        t = (d.mean() / d.sem()).abs().to_numpy()
        plain += list(t.ravel() > stats.t.ppf(0.975, N_SUBJECT - 1))
    assert np.mean(np.array(p) <= 0.05) <= 0.08
    assert np.mean(plain) > 0.5


def pair_patterns(
    g: np.random.Generator,
    truth: np.ndarray,
    partners: np.ndarray,
    target_sd: float,
    own: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Patterns of pairs, and of a model that is to the brains what one more brain would be."""
    n_roi = len(truth)
    of_target = target_sd * g.normal(size=(N_SUBJECT, 1, n_roi, n_roi))
    of_predictor = 0.6 * g.normal(size=(1, N_SUBJECT, n_roi, n_roi))
    pairs = (
        truth + of_target + of_predictor + 0.4 * g.normal(size=(N_SUBJECT, N_SUBJECT, n_roi, n_roi))
    )
    pairs[~partners] = np.nan
    own = 0.6 * g.normal(size=(n_roi, n_roi)) if own is None else own
    model = truth + of_target[:, 0] + own + 0.4 * g.normal(size=(N_SUBJECT, n_roi, n_roi))
    return pairs, model


@pytest.mark.parametrize("target_sd", [0.1, 1.2])
def test_matched_puts_brain_and_true_model_on_one_scale(target_sd, long):
    g = np.random.default_rng(6)
    n = 400 if long else 80
    gaps: dict[str, list[float]] = {"released": [], "leave_one_out": [], "matched": []}
    for _ in range(n):
        truth = g.normal(size=(N_ROI, N_ROI))
        partners = np.zeros((N_SUBJECT, N_SUBJECT), dtype=bool)
        for s in range(N_SUBJECT):
            others = [i for i in range(N_SUBJECT) if i != s]
            partners[s, g.permutation(others)[:5]] = True
        pairs, model = pair_patterns(g, truth, partners, target_sd)
        for reference, found in gaps.items():
            of_model, of_brain = agreement_values(
                model, pairs, pairwise=True, reference=reference, similarity="pearson"
            )
            own = np.einsum("skk->sk", of_model)
            found.append(float(own.mean() - of_brain.mean()))
    mean = {k: np.mean(v) for k, v in gaps.items()}
    error = {k: np.std(v, ddof=1) / np.sqrt(n) for k, v in gaps.items()}
    assert abs(mean["matched"]) < 3 * error["matched"]
    assert abs(mean["matched"]) < 0.01
    # the released comparison puts the very same model below the brain where patterns share little noise of
    # the subject, and above it where they share much
    assert mean["released"] < -0.03 if target_sd < 1 else mean["released"] > 0.03
    # references that hold the partner's other pairs favour the brain
    assert mean["leave_one_out"] < -3 * error["leave_one_out"]


@pytest.mark.parametrize("reference", ["leave_one_out", "released"])
def test_intervals_of_agreement_cover(reference, long):
    """t intervals with people left out, or drawn; the truth is the mean over all data sets."""
    g = np.random.default_rng(7)
    n = 2000 if long else 300
    draws = np.random.default_rng(8).multinomial(N_SUBJECT, np.full(N_SUBJECT, 0.1), 300)
    counts = np.concatenate([np.ones((1, N_SUBJECT)), 1 - np.eye(N_SUBJECT), draws.astype(float)])
    truth = g.normal(size=(N_ROI, N_ROI))
    partners = np.zeros((N_SUBJECT, N_SUBJECT), dtype=bool)
    for s in range(N_SUBJECT):
        partners[s, [(s + k) % N_SUBJECT for k in range(1, 6)]] = True
    own = 0.6 * g.normal(size=(N_ROI, N_ROI))  # the model is what it is; subjects are drawn anew
    estimates, left_out, drawn = [], [], []
    factor = N_SUBJECT / (N_SUBJECT - 1)
    for _ in range(n):
        pairs, model = pair_patterns(g, truth, partners, 0.6, own)
        problem = node_problem(
            model[:, :1], pairs, 0, pairwise=True, reference=reference, similarity="pearson"
        )
        of_model, of_brain = node_replicates(problem, counts)
        values = np.column_stack([of_model[:, 0], of_brain, of_model[:, 0] - of_brain])
        estimates.append(values[0])
        left_out.append(values[1 : N_SUBJECT + 1].std(axis=0) * (N_SUBJECT - 1) ** 0.5)
        drawn.append(values[N_SUBJECT + 1 :].std(axis=0) * factor**0.5)
    estimate = np.array(estimates)
    distance = np.abs(estimate - estimate.mean(axis=0)) / stats.t.ppf(0.975, N_SUBJECT - 1)
    ratio = {}
    for name, errors in (("left out", np.array(left_out)), ("drawn", np.array(drawn))):
        covered = (distance <= errors).mean(axis=0)
        # conservative: what is particular to a pair of people is counted twice, or three times
        assert (covered >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / n)).all(), name
        ratio[name] = np.sqrt((errors**2).mean(axis=0)) / estimate.std(axis=0)
    assert (ratio["left out"] < 1.3).all()
    assert (ratio["left out"] > 1).all()
    assert ratio["left out"][1] < ratio["drawn"][1] < 1.5  # the brain's, all of it pairs
