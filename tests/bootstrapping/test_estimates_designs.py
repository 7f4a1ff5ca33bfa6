"""The designs of ``bootstrap`` that are not one value per subject and cell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import DataError, DesignError, InputError
from apastats.resampling.intervals import INTERVALS
from apastats.resampling.plans import composition_counts
from apastats.scoring.fixed import nili_bounds
from apastats.scoring.stimuli.literal import LiteralKernel


@pytest.fixture(scope="module")
def study():
    return apa.simulate(
        n_subject=6, n_model=4, n_layer=3, n_tied=2, rois=["V1", "V2", "V4"], metrics=["rsa"], rng=3
    )


@pytest.fixture(scope="module")
def rdms():
    return apa.simulate_rdms(n_subject=5, n_stimulus=20, rois=["V1", "V2"], rng=0)


@pytest.fixture(scope="module")
def model_rdms(rdms):
    first = rdms.models.labels["layer"].iloc[0]
    return rdms.models.select(layer=first)


# ---------------------------------------------------------------------- dyads
def test_dyads_are_drawn_in_both_roles(study) -> None:
    scores = study.scores.where(split="test")
    found = apa.bootstrap("score ~ 1 | roi", scores, cluster="dyad")
    frame = scores.frame
    frame = frame[(frame["kind"] == "subject_to_subject") & (frame["layer"] == frame["roi"])]
    means = frame.groupby("roi")["score"].mean()
    np.testing.assert_allclose(found.table["estimate"], means.loc[found.table["roi"]], rtol=1e-12)
    assert found.info["exact"]
    # resampling the target role alone would understate the spread of dyadic means
    naive = frame.groupby("roi")["score"].sem().loc[found.table["roi"]].to_numpy()
    assert (found.table["std_error"].to_numpy() > naive).all()


def test_reciprocal_pairs_count_once(study) -> None:
    scores = study.scores.where(split="test")
    frame = scores.frame
    pairs = frame["kind"] == "subject_to_subject"
    half = frame[~pairs | (frame["model"] < frame["subject"])]
    whole = apa.bootstrap("score ~ 1 | roi", scores, cluster="dyad")
    once = apa.bootstrap("score ~ 1 | roi", apa.ScoreTable(half), cluster="dyad")
    pd.testing.assert_frame_equal(whole.table, once.table)


# ---------------------------------------------------------------------- nesting, strata
def sessions(unequal: bool = False) -> apa.ScoreTable:
    rng = np.random.default_rng(1)
    rows = []
    for s in range(6):
        level = rng.normal(0.3, 0.05)
        for session in range(2 + (s % 2 if unequal else 0)):
            rows.append(
                {"subject": f"s{s}", "session": f"{session}", "roi": "V1", "model": "m",
                 "group": "ab"[s % 2], "score": level + rng.normal(0, 0.02)}
            )  # fmt: skip
    return apa.ScoreTable(pd.DataFrame(rows))


def test_sessions_within_subjects() -> None:
    data = sessions(unequal=True)
    found = apa.bootstrap("score ~ model | roi", data, cluster=("subject", "session"), rng=1)
    means = data.frame.groupby("subject")["score"].mean()
    row = found.table.iloc[0]
    assert row["estimate"] == pytest.approx(means.mean())
    assert row["std_error"] == pytest.approx(means.sem())
    assert row["n_subject"] == 6
    assert row["conf_low"] < row["estimate"] < row["conf_high"]


def test_strata_take_the_difference_of_groups_out_of_the_error() -> None:
    frame = sessions().frame.query("session == '0'").drop(columns="session")
    frame.loc[frame["group"] == "a", "score"] += 1
    data = apa.ScoreTable(frame)
    plain = apa.bootstrap("score ~ model | roi", data)
    strata = apa.bootstrap("score ~ model | roi", data, strata="group", interval="t", rng=1)
    assert strata.table["estimate"].item() == pytest.approx(plain.table["estimate"].item())
    assert strata.table["std_error"].item() < 0.5 * plain.table["std_error"].item()


# ---------------------------------------------------------------------- reselection
def literal_reselection(study, roi: str, model: str) -> np.ndarray:
    """Test mean at the layer with the best train mean, resample by resample."""
    frame = study.scores.frame.query("kind == 'model' and roi == @roi and model == @model")
    wide = {
        split: frame[frame["split"] == split].pivot(
            index="subject", columns="layer", values="score"
        )
        for split in ("train", "test")
    }
    counts, _ = composition_counts(6)
    train = counts @ wide["train"].to_numpy() / 6
    test = counts @ wide["test"].to_numpy() / 6
    return test[np.arange(len(counts)), train.argmax(axis=1)]


def test_layer_is_chosen_anew_in_every_resample(study) -> None:
    found = apa.bootstrap("score ~ model | roi", study.scores, reselect="layer")
    best = apa.select_layer(study.scores, on="train")
    fixed = apa.bootstrap("score ~ model | roi", best)
    both = found.table.merge(fixed.table, on=["model", "roi"], suffixes=("", "_fixed"))
    np.testing.assert_allclose(both["estimate"], both["estimate_fixed"], rtol=1e-12)
    row = found.table.iloc[4]
    np.testing.assert_allclose(
        found.replicates[:, 4], literal_reselection(study, row["roi"], row["model"]), rtol=1e-12
    )


def test_out_of_bag_choice_estimates_cross_subject_selection(study) -> None:
    test_only = study.scores.where(split="test")
    found = apa.bootstrap("score ~ model | roi", test_only, reselect="layer", on="out_of_bag")
    best = apa.bootstrap("score ~ model | roi", apa.select_layer(test_only, on="cross_subject"))
    both = found.table.merge(best.table, on=["model", "roi"], suffixes=("", "_cross"))
    np.testing.assert_allclose(both["estimate"], both["estimate_cross"], rtol=1e-12)
    # the permutations of the sample have nobody out of the bag
    assert np.isnan(found.replicates).any(axis=1).sum() == 1


def test_reselection_bits_do_not_depend_on_batch(study) -> None:
    one = apa.bootstrap("score ~ model | roi", study.scores, reselect="layer", interval="bca")
    two = apa.bootstrap(
        "score ~ model | roi", study.scores, reselect="layer", interval="bca", batch=5
    )
    pd.testing.assert_frame_equal(one.table, two.table)


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize(
    "design", ["subject", "dyad", "nested", "strata", "bayesian", "train", "out_of_bag"]
)
def test_any_plan_works_with_any_interval(study, design: str, interval: str) -> None:
    best = apa.select_layer(study.scores, on="train").where(roi="V1")
    data, formula, options = best, "score ~ model | roi", {}
    if design == "dyad":
        data, formula = study.scores.where(split="test"), "score ~ 1 | roi"
        options = {"cluster": "dyad"}
    elif design == "nested":
        data, options = sessions(), {"cluster": ("subject", "session")}
    elif design == "strata":
        data, options = sessions().where(session="0"), {"strata": "group"}
    elif design == "bayesian":
        options = {"scheme": "bayesian"}
    elif design in ("train", "out_of_bag"):
        data, options = study.scores.where(roi="V1"), {"reselect": "layer", "on": design}
    two = apa.bootstrap(formula, data, interval=interval, conf_level=0.8, rng=1, **options)
    one = two.conf_int(conf_level=0.9, alternative="greater")
    assert (two.table["conf_low"] < two.table["conf_high"]).all()
    np.testing.assert_allclose(one["conf_low"], two.table["conf_low"], rtol=1e-12)
    assert np.isposinf(one["conf_high"]).all()


# ---------------------------------------------------------------------- RDMs
@pytest.mark.filterwarnings("ignore::apastats.errors.SmallSampleWarning")  # five subjects
def test_subjects_of_rdms_are_those_of_their_scores(rdms, model_rdms) -> None:
    direct = apa.bootstrap("score ~ model | roi", rdms.brain, models=model_rdms)
    table = apa.score(rdms.brain, model_rdms, references=None)
    scores = apa.bootstrap("score ~ model | roi", table)
    both = direct.table.merge(scores.table, on=["model", "roi"], suffixes=("", "_table"))
    for c in ("estimate", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(both[c], both[f"{c}_table"], rtol=1e-10)
    ceilings = direct.ceilings().table
    nili = apa.noise_ceiling(rdms.brain, kind="nili", method="corr").tidy()
    both = ceilings.merge(nili, on=["roi", "bound"], suffixes=("", "_nili"))
    for c in ("estimate", "std_error"):
        np.testing.assert_allclose(both[c], both[f"{c}_nili"], rtol=1e-10)


@pytest.mark.parametrize("cluster", ["stimulus", ("subject", "stimulus")])
@pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning")  # of the ceilings
@pytest.mark.parametrize("method", ["corr", "cosine_cov", "spearman"])
def test_stimuli_of_rdms(rdms, model_rdms, cluster, method: str) -> None:
    found = apa.bootstrap(
        "score ~ model | roi", rdms.brain, models=model_rdms, method=method, cluster=cluster,
        n_resamples=1024, rng=1, interval="t",
    )  # fmt: skip
    table = apa.score(rdms.brain, model_rdms, method=method, references=None).frame
    means = table.groupby(["model", "roi"])["score"].mean()
    np.testing.assert_allclose(
        found.table["estimate"],
        means.loc[list(zip(found.table["model"], found.table["roi"], strict=True))],
        rtol=1e-9,
    )
    df = found.arrays["df"]
    assert (df == 19).all() if cluster == "stimulus" else ((df >= 4) & (df <= 23)).all()
    ceilings = found.ceilings().table
    assert (ceilings["std_error"] > 0).all()


@pytest.mark.parametrize("method", ["tau-a", "tau-b"])
def test_taus_are_scored_on_the_drawn_stimuli(rdms, model_rdms, method: str) -> None:
    brain = rdms.brain.select(roi="V1").take([0, 1, 2])
    kernel = LiteralKernel(brain.vectors, model_rdms.vectors, method)
    c = np.ones((2, 20))
    c[1, :5] = [2, 0, 3, 0, 0]
    whole, drawn = kernel.values(c, ceiling=True)
    lower, upper = (part.mean() for part in nili_bounds(brain.vectors, method=method))
    assert whole[:, -2:].mean(axis=0) == pytest.approx([lower, upper])
    order = np.repeat(np.arange(20), c[1].astype(int))
    i, j = np.triu_indices(20, 1)
    keep = order[i] != order[j]
    square = brain.matrices()[0], model_rdms.matrices()[0]
    a, b = (m[order[i[keep]], order[j[keep]]] for m in square)
    if method == "tau-b":
        assert drawn[0, 0] == pytest.approx(stats.kendalltau(a, b).statistic, abs=1e-12)
    else:
        signs = np.sign(a[:, None] - a) * np.sign(b[:, None] - b)
        assert drawn[0, 0] == pytest.approx(signs.sum() / (len(a) * (len(a) - 1)), abs=1e-12)


def test_two_factors_have_the_corrected_variance(rdms, model_rdms) -> None:
    found = apa.bootstrap(
        "score ~ model | roi", rdms.brain, models=model_rdms, cluster=("subject", "stimulus"),
        n_resamples=2000, rng=1,
    )  # fmt: skip
    subjects, stimuli = (found.arrays[f"variance_{k}"] for k in ("subjects", "stimuli"))
    variance = found.table["std_error"].to_numpy() ** 2
    assert (variance >= np.maximum(5 / 4 * subjects, 20 / 19 * stimuli) - 1e-15).all()
    np.testing.assert_allclose(found.replicates.var(axis=0, ddof=1), variance, rtol=1e-8)


def test_stimulus_intervals_of_every_kind(rdms, model_rdms) -> None:
    found = apa.bootstrap(
        "score ~ model | roi", rdms.brain, models=model_rdms, cluster=("subject", "stimulus"),
        n_resamples=4096, rng=1, interval="studentized", conf_level=0.8,
    )  # fmt: skip
    for interval in INTERVALS:
        table = found.conf_int(interval=interval)
        assert (table["conf_low"] < table["conf_high"]).all(), interval
    bands = found.bands()
    assert (bands["conf_low"] <= found.conf_int(interval="t")["estimate"]).all()


def test_stimulus_bits_do_not_depend_on_processes(rdms, model_rdms) -> None:
    options = {"models": model_rdms, "cluster": ("subject", "stimulus"), "rng": 1, "interval": "t"}
    one = apa.bootstrap("score ~ model | roi", rdms.brain, n_resamples=5000, **options)
    two = apa.bootstrap("score ~ model | roi", rdms.brain, n_resamples=5000, n_jobs=2, **options)
    pd.testing.assert_frame_equal(one.table, two.table)


def test_blocks_of_stimuli(rdms, model_rdms) -> None:
    found = apa.bootstrap(
        "score ~ model | roi", rdms.brain, models=model_rdms, cluster="stimulus",
        blocks=np.repeat(np.arange(10), 2), rng=1,
    )  # fmt: skip
    assert (found.arrays["df"] == 9).all()


# ---------------------------------------------------------------------- bands
def test_bands_hold_together(study) -> None:
    best = apa.select_layer(study.scores, on="train")
    found = apa.bootstrap("score ~ model | roi", best, conf_level=0.9)
    one, each = found.bands(), found.bands(by=["model", "roi"])
    assert one["critical"].nunique() == 1
    assert (one["critical"] >= each["critical"]).all()
    counts, weights = composition_counts(6)
    values = found.arrays["values"]
    mean = values.mean(axis=0)
    means = counts @ values / 6
    square = counts @ (values - mean) ** 2 / 6 - (means - mean) ** 2
    spread = np.sqrt(np.maximum(square, 0) / 5)
    with np.errstate(divide="ignore", invalid="ignore"):
        largest = np.nanmax(np.abs((means - mean) / np.where(spread < 1e-9, 0, spread)), axis=1)
    c = one["critical"].iloc[0]
    assert weights[largest <= c + 1e-9].sum() >= 0.9
    assert weights[largest < c - 1e-9].sum() <= 0.9


def test_one_sided_bands(study) -> None:
    best = apa.select_layer(study.scores, on="train")
    bands = apa.bootstrap("score ~ model | roi", best).bands(by="roi", alternative="greater")
    assert np.isposinf(bands["conf_high"]).all()
    assert bands["critical"].nunique() == 3


# ---------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"cluster": "stimulus"}, InputError, "stimuli are drawn from RDMs, pass models="),
        ({"cluster": ("subject", "stimulus")}, InputError, "stimuli are drawn from RDMs"),
        ({"cluster": ("subject", "run")}, InputError, "cluster: got 'run'"),
        ({"strata": "group"}, InputError, "strata: got 'group'"),
        ({"strata": "roi"}, DesignError, "'sub-01' has several levels"),
        ({"reselect": "roi"}, InputError, "reselect: got 'roi'"),
        ({"reselect": "layer", "on": "validation"}, InputError, "on: got 'validation'"),
        ({"reselect": "layer", "strata": "g"}, InputError, "without strata"),
        (
            {"scheme": "bayesian", "reselect": "layer", "on": "out_of_bag"},
            InputError,
            "with weights nobody is left out",
        ),
        ({"models": 1}, InputError, "an option of data among ..RDMs"),
    ],
)
def test_bad_designs(study, options, error, match: str) -> None:
    best = apa.select_layer(study.scores, on="train")
    with pytest.raises(error, match=match):
        apa.bootstrap("score ~ model | roi", best, **options)


def test_layer_in_the_formula_contradicts_reselection(study) -> None:
    with pytest.raises(InputError, match="with 'model' and without 'layer'"):
        apa.bootstrap("score ~ model + layer | roi", study.scores, reselect="layer")


def test_train_split_must_exist(study) -> None:
    with pytest.raises(InputError, match="there is no split 'train'"):
        apa.bootstrap("score ~ model | roi", study.scores.where(split="test"), reselect="layer")


def test_dyads_need_pairs_of_the_same_roi(study) -> None:
    frame = study.scores.frame
    frame = frame[(frame["kind"] == "subject_to_subject") & (frame["layer"] != frame["roi"])]
    with pytest.raises(DataError, match="no row whose predictor ROI"):
        apa.bootstrap("score ~ 1 | roi", apa.ScoreTable(frame), cluster="dyad")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"method": "neg_riem_dist", "cluster": "stimulus", "interval": "studentized"},
            "another one for neg_riem_dist: a resample is a subset",
        ),
        ({"method": "pearson"}, "method: got 'pearson'"),
        ({"cluster": "session"}, "cluster: got 'session'"),
        ({"cluster": "stimulus", "n_resamples": "exact"}, "stimuli are sampled"),
        (
            {"cluster": "stimulus", "scheme": "bayesian", "method": "tau-a"},
            "'bootstrap' for tau-a: it takes copies of stimuli, no weights",
        ),
        ({"cluster": "stimulus", "blocks": [1, 2]}, "20 values, one label per stimulus"),
        ({"strata": "g"}, "an option of data among ..scores"),
    ],
)
def test_bad_rdm_options(rdms, model_rdms, options, match: str) -> None:
    with pytest.raises(InputError, match=match):
        apa.bootstrap("score ~ model | roi", rdms.brain, models=model_rdms, **options)


def test_several_layers_need_a_choice(rdms) -> None:
    with pytest.raises(DesignError, match="several models for"):
        apa.bootstrap("score ~ model | roi", rdms.brain, models=rdms.models)


def test_formula_of_rdms(rdms, model_rdms) -> None:
    with pytest.raises(InputError, match=r"'... \| roi' after the bar"):
        apa.bootstrap("score ~ model", rdms.brain, models=model_rdms)
    with pytest.raises(InputError, match="'score' on the left side"):
        apa.bootstrap("z ~ model | roi", rdms.brain, models=model_rdms)


def test_ceilings_need_rdms(study) -> None:
    best = apa.select_layer(study.scores, on="train")
    with pytest.raises(InputError, match="made with ceiling=True"):
        apa.bootstrap("score ~ model | roi", best).ceilings()


# ---------------------------------------------------------------------- below the ceiling
@pytest.mark.filterwarnings("ignore::apastats.errors.SmallSampleWarning")  # five subjects
def test_below_the_lower_ceiling_from_rdms(rdms, model_rdms) -> None:
    found = apa.bootstrap("score ~ model | roi", rdms.brain, models=model_rdms)
    below = found.below_ceiling()
    scores = apa.score(rdms.brain, model_rdms, references=None)
    nili = apa.noise_ceiling(rdms.brain, kind="nili", method="corr")
    both = below.table.merge(
        apa.normalize(scores, nili, bound="lower").table, on=["model", "roi"], suffixes=("", "_n")
    )
    np.testing.assert_allclose(both["estimate"], both["difference"], rtol=1e-9)
    np.testing.assert_allclose(both["p_below"], both["p_below_n"], rtol=1e-8)
    assert below.table["conf_low"].lt(below.table["conf_high"]).all()
    text = below.text()
    assert "the score minus the lower noise ceiling of " in text
    assert "(below the ceiling, one-sided) = " in text
    with pytest.raises(InputError, match="made with ceiling=True"):
        below.ceilings()


@pytest.mark.parametrize("cluster", ["stimulus", ("subject", "stimulus")])
def test_below_the_ceiling_with_new_stimuli(rdms, model_rdms, cluster) -> None:
    found = apa.bootstrap(
        "score ~ model | roi",
        rdms.brain,
        models=model_rdms,
        cluster=cluster,
        n_resamples=2048,
        rng=1,
    )
    below, ceilings = found.below_ceiling(), found.ceilings()
    lower = ceilings.table.query("bound == 'lower'").set_index("roi")["estimate"]
    expected = found.table["estimate"].to_numpy() - lower.loc[found.table["roi"]].to_numpy()
    np.testing.assert_allclose(below.table["estimate"], expected, rtol=1e-12)
    error = below.table["std_error"].to_numpy()
    p = stats.t.cdf(expected / error, below.arrays["df"])
    np.testing.assert_allclose(below.table["p_below"], p, rtol=1e-10)
    if cluster == "stimulus":
        # score and ceiling of a resample belong together
        k = list(found.info["ceiling_rois"]).index(found.table["roi"].iloc[0])
        gap = found.replicates[:, 0] - ceilings.replicates[:, 2 * k]
        assert error[0] == pytest.approx(gap.std(ddof=1) * np.sqrt(20 / 19), rel=1e-9)
    else:
        a, b = below.arrays["variance_subjects"] * 5 / 4, below.arrays["variance_stimuli"] * 20 / 19
        assert (error**2 >= np.maximum(a, b) - 1e-15).all()
