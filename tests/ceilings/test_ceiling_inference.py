"""Intervals and tests of noise ceilings, ceilings within subjects, and what a resample does to them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import CeilingWarning, DataError, InputError
from apastats.numbers.correlation import spearman_brown
from apastats.resampling.plans import composition_counts, subject_counts
from apastats.resampling.ratios import fieller, summarise_ratios
from apastats.scoring.stimuli.pair_weights import PairKernel, gram_ceilings


@pytest.fixture(scope="module")
def study():
    return apa.simulate(n_subject=8, n_model=3, n_tied=1, n_layer=2, rois=["V1", "V4"], rng=1)


def sessions(n_subject: int = 5, n_session: int = 4, seed: int = 0) -> apa.RDMSet:
    rng = np.random.default_rng(seed)
    truth = rng.gamma(4, 1, 190)
    labels, vectors = [], []
    for s in range(n_subject):
        own = truth + rng.normal(0, 1, 190)
        for k in range(n_session):
            labels.append({"subject": f"s{s}", "roi": "V1", "session": str(k)})
            vectors.append(own + rng.normal(0, 2, 190))
    return apa.RDMSet(np.array(vectors), pd.DataFrame(labels))


# ---------------------------------------------------------------------- intervals, chance
def test_intervals_of_ceilings_are_those_of_a_mean(study) -> None:
    ceiling = apa.noise_ceiling(study.scores, interval="bca", conf_level=0.9)
    direct = apa.boot_ci(ceiling.arrays["person"], interval="bca", conf_level=0.9).table
    for c in ("std_error", "conf_low", "conf_high"):
        np.testing.assert_array_equal(ceiling.table[c], direct[c])
    np.testing.assert_allclose(ceiling.table["estimate"], direct["estimate"], rtol=1e-12)


def test_one_sided_test_against_chance(study) -> None:
    ceiling = apa.noise_ceiling(study.scores, chance=0.05)
    for j, row in enumerate(ceiling.table.itertuples()):
        t = stats.ttest_1samp(ceiling.arrays["person"][:, j], 0.05, alternative="greater")
        assert (row.statistic, row.df, row.p_value) == pytest.approx((t.statistic, 7, t.pvalue))


# ---------------------------------------------------------------------- within subjects
def test_split_half_averages_all_splits_and_corrects() -> None:
    data = sessions()
    found = apa.noise_ceiling(data, kind="split_half")
    table = found.table.set_index("bound")
    vectors = data.vectors[:4]
    r = [
        np.corrcoef(vectors[list(c)].mean(0), np.delete(vectors, list(c), axis=0).mean(0))[0, 1]
        for c in [(0, 1), (0, 2), (0, 3)]
    ]
    values = found.per_subject()
    mine = values[values["subject"] == "s0"].set_index("bound")["value"]
    assert mine["uncorrected"] == pytest.approx(np.mean(r), abs=1e-12)
    assert mine["corrected"] == pytest.approx(2 * np.mean(r) / (1 + np.mean(r)), abs=1e-12)
    assert "3 splits" in table["method"].iloc[0]


def test_spearman_brown_predicts_the_reliability_of_twice_as_many_sessions() -> None:
    four = apa.noise_ceiling(sessions(30, 4), kind="split_half").table.set_index("bound")[
        "estimate"
    ]
    eight = apa.noise_ceiling(sessions(30, 8), kind="split_half").table.set_index("bound")[
        "estimate"
    ]
    # halves of eight sessions are the whole of four
    assert four["corrected"] == pytest.approx(eight["uncorrected"], abs=0.03)
    assert spearman_brown(0.5, 3) == pytest.approx(0.75)


def test_many_sessions_are_split_at_random_and_repeatably() -> None:
    data = sessions(2, 11)
    one, two, three = (
        apa.noise_ceiling(data, kind="split_half", rng=r).table["estimate"].to_numpy()
        for r in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert (one != three).all()


def test_repeats_against_the_pool_of_the_others() -> None:
    data = sessions(3, 3)
    found = apa.noise_ceiling(data, kind="repeat", within="session", method="corr")
    vectors = data.vectors[:3]
    z = stats.zscore(vectors, axis=1)
    r = [np.corrcoef(vectors[k], np.delete(z, k, axis=0).mean(0))[0, 1] for k in range(3)]
    assert found.arrays["values"][0, 0] == pytest.approx(np.mean(r), abs=1e-12)


# ---------------------------------------------------------------------- ceilings under resampling
def test_no_copy_of_a_subject_is_in_the_pool_it_is_tested_against() -> None:
    """The bias of a plain bootstrap of ceilings, and that it is gone."""
    rng = np.random.default_rng(4)
    iu = np.triu_indices(30, 1)
    truth = rng.normal(size=(30, 10))

    def rdm() -> np.ndarray:
        z = truth + rng.normal(size=truth.shape)
        return ((z[:, None] - z[None]) ** 2).sum(-1)[iu]

    x = np.array([rdm() for _ in range(10)])
    counts, weights = composition_counts(10)
    plain = PairKernel(x, x[:1], "corr").plain()
    ours = apa.bootstrap(
        "score ~ model | roi",
        apa.RDMSet(x, pd.DataFrame({"subject": [f"s{i}" for i in range(10)], "roi": "V1"})),
        models=apa.RDMSet(x[:1], pd.DataFrame({"model": ["m"]})),
    ).ceilings()
    estimate = ours.table.set_index("bound")["estimate"]
    # duplicates shrink the pool of the others and sit in the pool of all
    values = gram_ceilings(plain, counts.astype(float))
    shift = {}
    for bound, value in zip(("lower", "upper"), values, strict=True):
        with np.errstate(invalid="ignore"):
            means = np.nanmean(np.where(counts > 0, value, np.nan), axis=1)
        known = np.isfinite(means)
        shift[bound] = (weights[known] @ means[known]) / weights[known].sum() - estimate[bound]
    assert shift["lower"] < -0.02
    assert shift["upper"] > 0.005
    bias = ours.diagnostics().set_index("bound")["bias"]
    assert np.abs(bias).max() < 1e-12


def test_a_true_model_is_not_below_the_lower_bound() -> None:
    """A two-sided test calls a true model different from the lower bound, being above it."""
    rng = np.random.default_rng(7)
    iu = np.triu_indices(30, 1)
    one_sided, two_sided = [], []
    for _ in range(60):
        truth = rng.normal(size=(30, 10))

        def rdm(z: np.ndarray) -> np.ndarray:
            return ((z[:, None] - z[None]) ** 2).sum(-1)[iu]

        x = np.array([rdm(truth + rng.normal(size=truth.shape)) for _ in range(10)])
        labels = pd.DataFrame({"subject": [f"s{i}" for i in range(10)], "roi": "V1"})
        brain = apa.RDMSet(x, labels)
        models = apa.RDMSet(rdm(truth)[None], pd.DataFrame({"model": ["true"]}))
        scores = apa.score(brain, models, method="corr", references=None)
        ceiling = apa.noise_ceiling(brain, kind="nili", method="corr")
        found = apa.normalize(scores, ceiling, bound="lower").table.iloc[0]
        lower = ceiling.arrays["values"][:, 0]
        assert found["ceiling"] == pytest.approx(lower.mean())
        assert found["difference"] > 0
        one_sided.append(found["p_below"] < 0.05)
        score = scores.frame.sort_values("subject")["score"].to_numpy()
        gap = score - ceiling.arrays["person"][:, 0]
        two_sided.append(stats.ttest_1samp(gap, 0).pvalue < 0.05)
        assert found["p_below"] == pytest.approx(
            stats.ttest_1samp(gap, 0, alternative="less").pvalue
        )
    assert np.mean(two_sided) > 0.5
    assert not any(one_sided)


def test_a_bound_has_to_be_named_where_there_are_several() -> None:
    rdms = sessions(n_session=2)
    halves = apa.noise_ceiling(rdms, kind="split_half", method="corr")
    frame = pd.DataFrame({"subject": [f"s{s}" for s in range(5)], "roi": "V1", "model": "m"})
    scores = apa.ScoreTable(frame.assign(score=0.3 + 0.01 * np.arange(5), metric="corr"))
    with pytest.raises(InputError, match=r"bound: got None; allowed: .*'uncorrected', 'corrected'"):
        apa.normalize(scores, halves)
    shares = {
        b: apa.normalize(scores, halves, bound=b).table["estimate"].item()
        for b in ("uncorrected", "corrected")
    }
    means = halves.arrays["values"].mean(axis=0)
    assert shares["corrected"] == pytest.approx(scores.frame["score"].mean() / means[1])
    assert shares["uncorrected"] == pytest.approx(scores.frame["score"].mean() / means[0])


# ---------------------------------------------------------------------- shares of the ceiling
def pairs(n: int = 7, m: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    b = rng.normal(0.4, 0.05, (n, 1)) + rng.normal(0, 0.01, (n, m))
    return 0.6 * b + rng.normal(0, 0.02, (n, m)), b


@pytest.mark.parametrize("interval", ["bca", "percentile", "studentized", "basic", "normal", "t"])
def test_ratio_intervals_are_those_of_the_statistic(interval: str) -> None:
    a, b = pairs()
    found = summarise_ratios(a, b, subject_counts(7), [interval], conf_level=0.9)
    scale = None if interval in ("bca", "percentile") else "log"
    direct = apa.boot_ci(
        np.column_stack([a[:, 1], b[:, 1]]), "ratio", n_resamples="exact", interval=interval,
        conf_level=0.9, transform=scale,
    ).table.iloc[0]  # fmt: skip
    low, high = found.limits[interval][:2]
    # boot_ci's bca has the finite jackknife, this one the influence function
    tolerance = 1e-3 if interval == "bca" else 1e-9
    assert (low[1], high[1]) == pytest.approx(
        (direct["conf_low"], direct["conf_high"]), rel=tolerance
    )


def test_fieller_is_the_set_of_ratios_not_rejected() -> None:
    a, b = pairs()
    for alternative, other in (
        ("two-sided", "two-sided"),
        ("greater", "greater"),
        ("less", "less"),
    ):
        low, high = fieller(a, b, conf_level=0.9, alternative=alternative)
        for limit in (low, high):
            if np.isfinite(limit[0]):
                p = stats.ttest_1samp(a[:, 0] - limit[0] * b[:, 0], 0, alternative=other).pvalue
                assert p == pytest.approx(0.1, abs=1e-9)


def test_fieller_of_a_denominator_near_zero_is_undefined() -> None:
    a, b = pairs()
    low, high = fieller(a, b - b.mean(axis=0), conf_level=0.95)
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_scores_and_ceilings_are_drawn_together(study) -> None:
    best, ceiling = apa.select_layer(study.scores, on="train"), apa.noise_ceiling(study.scores)
    found = apa.normalize(best, ceiling, interval="studentized")
    assert "together" in found.info.resampled.what
    # shared subject factors cancel: far narrower than with independent parts
    table = found.table
    score = found.arrays["score"].std(axis=0, ddof=1) / found.arrays["score"].mean(axis=0)
    part = found.arrays["person"].std(axis=0, ddof=1) / found.arrays["person"].mean(axis=0)
    apart = table["estimate"] * np.sqrt((score**2 + part**2) / 8)
    assert (table["std_error"] < 0.5 * apart).all()


def test_below_the_ceiling_is_one_sided(study) -> None:
    best, ceiling = apa.select_layer(study.scores, on="train"), apa.noise_ceiling(study.scores)
    found = apa.normalize(best, ceiling)
    for j, row in enumerate(found.table.itertuples()):
        a, b = found.arrays["score"][:, j], found.arrays["person"][:, j]
        assert row.p_below == pytest.approx(stats.ttest_rel(a, b, alternative="less").pvalue)
    # a model above the ceiling is never called below it
    frame = best.frame.assign(score=best.frame["score"] + 1)
    above = apa.normalize(apa.ScoreTable(frame), ceiling).table
    assert (above["p_below"] > 0.99).all()


def test_shares_that_are_not_positive_have_no_log(study) -> None:
    best, ceiling = apa.select_layer(study.scores, on="train"), apa.noise_ceiling(study.scores)
    frame = best.frame.assign(
        score=best.frame["score"].where(best.frame["model"] != "model_01", -0.01)
    )
    with pytest.warns(CeilingWarning, match="2 shares of the ceiling are not positive"):
        found = apa.normalize(apa.ScoreTable(frame), ceiling, interval="studentized").table
    assert found.loc[found["model"] == "model_01", "conf_low"].isna().all()


# ---------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda s: apa.noise_ceiling(s, chance="0"), InputError, "chance: got '0'"),
        (lambda s: apa.noise_ceiling(s, interval="wald"), InputError, "interval: got 'wald'"),
        (lambda s: apa.noise_ceiling(s, n_resamples=0, interval="bca"), InputError, "n_resamples"),
        (
            lambda s: apa.noise_ceiling(sessions(), kind="split_half", within="run"),
            InputError,
            "within: got 'run'",
        ),
        (
            lambda s: apa.noise_ceiling(sessions(), kind="split_half", method="cosine"),
            InputError,
            "Spearman-Brown is for correlations",
        ),
        (
            lambda s: apa.noise_ceiling(sessions(3, 1), kind="repeat"),
            DataError,
            "subject 's0' has one RDM in ROI 'V1'; two sessions are needed",
        ),
        (
            lambda s: apa.normalize(s, apa.noise_ceiling(sessions(), kind="split_half")),
            InputError,
            r"bound: got None; allowed: one of \['uncorrected', 'corrected'\]",
        ),
        (
            lambda s: apa.normalize(
                s, apa.noise_ceiling(s), how="mean_of_ratios", interval="fieller"
            ),
            InputError,
            "interval: got 'fieller'",
        ),
    ],
)
def test_bad_input(study, call, error, match: str) -> None:
    with pytest.raises(error, match=match):
        call(study.scores)
