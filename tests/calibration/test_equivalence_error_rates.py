"""Error rates of the tests with a margin and of the equivalence sets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import apastats as apa
from apastats.comparing.correlation_difference import williams
from apastats.resampling.one_sample import replicate_p, resample_means
from apastats.resampling.plans import subject_counts
from tests.calibration.equivalence_kinds import (
    ceiling_margin_rates,
    claim_rates,
    hierarchical_rates,
)
from tests.calibration.equivalence_more import (
    SPREADS,
    adjusted_rates,
    best_rates,
    correlation_rates,
    dependent_rates,
    rank_rates,
    ratio_rates,
    resampled_two_rates,
    separation_rates,
    set_claim_rates,
)
from tests.calibration.equivalence_simulations import (
    ALPHA,
    KEEP_LEVEL,
    family_rates,
    independent_rates,
    one_sided_rates,
    power_of,
    set_rates,
)

pytestmark = pytest.mark.calibration


def ceiling(replicates: int, level: float = ALPHA) -> float:
    """Largest rate compatible with a level, three Monte-Carlo standard errors above."""
    return level + 3 * float(np.sqrt(level * (1 - level) / replicates))


@pytest.mark.parametrize("n", [8, 10, 20])
def test_one_sided_level(n, long):
    replicates = 4000 if long else 400
    enumerated = 1000 if long else 60
    rates = one_sided_rates(n, replicates, names=KEEP_LEVEL, enumerated=enumerated)
    effective = {
        k: enumerated if k.startswith("bootstrap") and n == 10 else replicates for k in rates
    }
    assert set(rates) == set(KEEP_LEVEL)
    for name in KEEP_LEVEL:
        assert rates[name] <= ceiling(effective[name]), (name, rates[name])


@pytest.mark.parametrize("n", [8, 10])
def test_exact_tests_hold_for_heavy_tails(n, long):
    replicates = 4000 if long else 400
    names = ("wilcoxon exact", "sign flip")
    rates = one_sided_rates(n, replicates, shape="t3", names=names)
    for name in names:
        assert rates[name] <= ceiling(replicates), name


@pytest.mark.parametrize("n", [8, 10, 20])
def test_independent_level(n, long):
    replicates = 4000 if long else 300
    for name, rate in independent_rates(n, replicates).items():
        assert rate <= ceiling(replicates), (name, rate)


@pytest.mark.parametrize("n", [8, 10, 20])
def test_two_samples_by_resampling(n, long):
    replicates = 2000 if long else 300
    for name, rate in resampled_two_rates(n, replicates).items():
        assert rate <= ceiling(replicates), (name, rate)


@pytest.mark.parametrize("n", [8, 10, 20])
def test_ratios_and_correlations(n, long):
    replicates = 2000 if long else 300
    for name, rate in ratio_rates(n, replicates // 3).items():
        assert rate <= ceiling(replicates // 3), (name, rate)
    for name, rate in correlation_rates(n, replicates).items():
        assert rate <= ceiling(replicates), (name, rate)


@pytest.mark.parametrize("n", [8, 10, 20])
def test_correlations_that_share_the_brain(n, long):
    replicates = 2000 if long else 200
    rates = dependent_rates(n, replicates, bootstraps=replicates // 4)
    for name, rate in rates.items():
        size = replicates // 4 if "bootstrap" in name else replicates
        assert rate <= ceiling(size), (name, rate)


def test_plain_forms_are_liberal_where_the_corrected_ones_hold():
    """The simulations see what they are for: without the corrections they find false claims."""
    z = np.random.default_rng(1).standard_normal((8, 2000))
    counts = subject_counts(8, "exact")
    r = resample_means(z, counts.matrix, counts, False)
    assert (replicate_p(r, "percentile")[0] <= ALPHA).mean() > ceiling(2000)
    g = np.random.default_rng(2)
    factor = np.linalg.cholesky([[1, 0.9, 0.6], [0.9, 1, 0.6], [0.6, 0.6, 1]])
    r = [np.corrcoef(factor @ g.standard_normal((3, 8))) for _ in range(1000)]
    t = [williams(c[0, 1], c[0, 2], c[1, 2], 8, difference=0.3)[0] for c in r]
    assert (stats.t.cdf(t, 5) <= ALPHA).mean() > 2 * ceiling(1000)


@pytest.mark.parametrize("n", [8, 10, 20])
def test_kinds_of_claims_and_margins(n, long):
    replicates = 4000 if long else 400
    rates = claim_rates(n, replicates) | ceiling_margin_rates(n, replicates)
    for name, rate in rates.items():
        assert rate <= ceiling(replicates), (name, rate)


@pytest.mark.filterwarnings(
    "ignore::apastats.errors.MonteCarloWarning"
)  # some of many studies are close calls
def test_families_over_cells(long):
    replicates = 500 if long else 40
    for name, rate in hierarchical_rates(10, replicates).items():
        assert rate <= ceiling(replicates), (name, rate)


@pytest.mark.parametrize("n", [5, 8, 10, 20])
def test_sets_with_a_margin(n, long):
    replicates = 1000 if long else 40
    for spread in SPREADS:
        for name, rate in set_claim_rates(n, replicates, spread=spread).items():
            assert rate <= ceiling(replicates), (name, spread, rate)


def test_claims_of_a_tie_with_the_best_find_ties_and_hold_the_family(long):
    replicates = 200 if long else 12
    tied = best_rates(10, replicates)
    assert tied["found"] >= 0.7
    assert tied["any false claim"] <= ceiling(replicates)
    for truth in ("bound", "ladder"):
        rate = best_rates(10, 2 * replicates, sd=0.008, truth=truth)["any false claim"]
        assert rate <= ceiling(2 * replicates), truth


@pytest.mark.parametrize("n", [8, 10, 20])
def test_comparison_of_outcomes(n, long):
    replicates = 4000 if long else 300
    for name, rate in separation_rates(n, replicates).items():
        assert rate <= ceiling(replicates), (name, rate)


@pytest.mark.parametrize("n", [8, 10])
def test_family_wise_level(n, long):
    replicates = 1000 if long else 150
    for name, rate in family_rates(n, replicates).items():
        assert rate <= ceiling(replicates), (name, rate)


@pytest.mark.parametrize(("subject_sd", "published"), [(0.25, 0.79), (0.40, 0.97)])
def test_sets_of_47_models(subject_sd, published, long):
    replicates = 2000 if long else 150
    rates = set_rates(replicates, subject_sd=subject_sd)
    assert rates["ci_overlap"]["worse"] == pytest.approx(published, abs=0.04 if long else 0.08)
    assert rates["mcb"]["tied"] >= 0.95
    assert rates["mcb"]["worse"] < 0.01
    assert rates["mcs"]["all tied"] >= 0.95
    assert rates["mcs"]["worse"] < 0.05


@pytest.mark.parametrize("n", [8, 10, 20])
def test_ranks_and_families(n, long):
    replicates = 1000 if long else 200
    rates = rank_rates(n, replicates)
    if n == 10:
        rates |= adjusted_rates(n, replicates // 2)
    assert max(rates.values()) <= ceiling(replicates // 2), rates


def test_exact_power_agrees_with_simulation(long):
    replicates = 20000 if long else 3000
    for n in (8, 12, 20):
        exact = apa.power_tost(n=n, sd=1.0, bounds=1.0).tidy()["estimate"].item()
        simulated = power_of("t", n, replicates)
        assert simulated == pytest.approx(exact, abs=4 * np.sqrt(0.25 / replicates))


def test_power_of_a_study_agrees_with_simulated_scores(long):
    """`power_study` draws deviations only; `simulate` draws scores of every layer, subject and ROI."""
    replicates = 400 if long else 80
    share = []
    for r in range(replicates):
        study = apa.simulate(
            n_subject=10, n_model=4, n_tied=3, n_layer=1, rois=["V1", "V4"], n_partner=1, rng=r,
            subject_sd=0.0, roi_subject_sd=0.0, noise_sd=0.0, model_subject_sd=0.03,
        )  # fmt: skip
        table = study.scores.where(kind="model", split="test")
        x = table.block("score ~ model | roi").values
        # scores as shares of the true best; its mean over tied models and subjects is within 0.6 %
        x = x / x[:, :3].mean(axis=(0, 1))
        a, b = np.triu_indices(4, 1)
        d = (x[:, a] - x[:, b]).reshape(10, -1)
        margin = np.full(d.shape[1], 0.05)
        p = apa.adjust_p(t_equivalence(d, margin), "holm").reshape(len(a), -1)
        share.append((p[b < 3] <= ALPHA).mean())
    found = apa.power_study(
        n=10, bounds=0.05, n_model=4, n_tied=3, n_roi=2, mean=1.0, model_subject_sd=0.03,
        n_replicate=replicates * 3, rng=1,
    ).tidy()  # fmt: skip
    row = found[found["term"] == "tied_pairs_equivalent"].iloc[0]
    assert 0.15 < row["estimate"] < 0.9
    error = np.hypot(np.std(share) / np.sqrt(replicates), row["mcse"])
    assert np.mean(share) == pytest.approx(row["estimate"], abs=3.5 * error)


def t_equivalence(d: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """P-values of paired t TOST of the columns."""
    se = d.std(axis=0, ddof=1) / np.sqrt(len(d))
    t = np.minimum(d.mean(axis=0) + margin, margin - d.mean(axis=0)) / se
    return np.asarray(stats.t.sf(t, len(d) - 1))
