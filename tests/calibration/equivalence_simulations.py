"""Simulations behind the calibration of the equivalence room: error rates of tests, and of sets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from apastats.comparing.choices import choose
from apastats.comparing.families import JOINT
from apastats.numbers import location
from apastats.numbers.best import confidence_set, moments, with_the_best
from apastats.numbers.student import in_sd_units, one_sample
from apastats.resampling.max_t import max_t
from apastats.resampling.means import summarise_means
from apastats.resampling.one_sample import centred_flips, replicate_p, resample_means, sign_flip
from apastats.resampling.plans import subject_counts
from apastats.resampling.relabel import sign_flips
from apastats.resampling.two_samples import effect_two, student_two, trimmed_two

ALPHA = 0.05
SHAPES = {
    "normal": lambda g, size: g.standard_normal(size),
    "t3": lambda g, size: g.standard_t(3, size) / np.sqrt(3),
    "skewed": lambda g, size: (g.lognormal(0, 0.5, size) - np.exp(0.125)) / 0.6039,
    "mirrored": lambda g, size: -(g.lognormal(0, 0.5, size) - np.exp(0.125)) / 0.6039,
}
INTERVALS = ("studentized", "bca", "basic", "percentile", "normal")
# tests whose one-sided level is promised for normal differences at any number of subjects
KEEP_LEVEL = (
    "t",
    "trimmed",
    "wilcoxon exact",
    "wilcoxon normal",
    "sign flip",
    "centred sign flip",
    "t, bounds of one SD",
    *(f"bootstrap {k}" for k in INTERVALS),
)
Claims = Callable[[np.ndarray], np.ndarray]  # data sets [n, m] -> one-sided p of "above 0" [m]


def signed_rank_table(n: int, exact: bool) -> np.ndarray:
    """p of "above" for every value of the signed-rank sum without ties."""
    ranks = np.arange(1.0, n + 1)
    p = location.exact_signed_rank_p if exact else lambda r, v: location.normal_signed_rank_p(v, r)
    return np.array([p(ranks, float(v))[0] for v in range(n * (n + 1) // 2 + 1)])


def matched_claims(n: int, rng: int = 1) -> dict[str, Claims]:
    """One-sided p-values of all tests of matched scores, without their intervals."""
    size = "exact" if n <= 10 else 1999
    flips, counts = sign_flips(n, size, rng), subject_counts(n, size, rng)
    drawn = counts.matrix

    def signed_rank(z: np.ndarray, exact: bool) -> np.ndarray:
        ranks = location.midranks(np.abs(z))
        v = np.rint((ranks * (z > 0)).sum(axis=0)).astype(int)
        return signed_rank_table(n, exact)[v]

    def sd_bounds(z: np.ndarray) -> np.ndarray:
        # scores of SD 1 whose true mean is the bound of minus one SD
        x = z - 1
        bound = x.std(axis=0, ddof=1)
        tested = one_sample(x, -bound, bound, alpha=ALPHA)
        return np.asarray(in_sd_units(tested, -bound, bound, ALPHA).p_low)

    def by_replicates(z: np.ndarray, interval: str) -> np.ndarray:
        parts = [
            replicate_p(resample_means(z[:, k : k + 32], drawn, counts, True), interval)[0]
            for k in range(0, z.shape[1], 32)
        ]
        return np.concatenate(parts)

    claims: dict[str, Claims] = {
        "t": lambda z: location.t_location(z, ALPHA).p_above,
        "t, bounds of one SD": sd_bounds,
        "trimmed": lambda z: location.trimmed(z, ALPHA, trim=0.1).p_above,
        "wilcoxon exact": partial(signed_rank, exact=True),
        "wilcoxon normal": partial(signed_rank, exact=False),
        "sign flip": lambda z: sign_flip(z, ALPHA, plan=flips).p_above,
        "centred sign flip": lambda z: centred_flips(z, ALPHA, plan=flips).p_above,
    }
    return claims | {f"bootstrap {k}": partial(by_replicates, interval=k) for k in INTERVALS}


def one_sided_rates(
    n: int,
    replicates: int,
    *,
    shape: str = "normal",
    seed: int = 0,
    names: tuple[str, ...] = (),
    enumerated: int = 1000,
) -> dict[str, float]:
    """Share of false claims "above the bound" of every test, the true mean being the bound.

    A claim of equivalence at a bound is false with this probability at most; the other bound is far away. The
    enumerated bootstrap of 10 subjects (92,378 resamples) runs on the first ``enumerated`` data sets.
    """
    z = SHAPES[shape](np.random.default_rng([seed, n]), (n, replicates))
    rates = {}
    for name, claims in matched_claims(n).items():
        if names and name not in names:
            continue
        part = z[:, :enumerated] if name.startswith("bootstrap") and n == 10 else z
        rates[name] = float((claims(part) <= ALPHA).mean())
    return rates


def independent_rates(n: int, replicates: int, *, seed: int = 0) -> dict[str, float]:
    """The same for two independent samples of n and n + 3, the first with twice the SD."""
    g = np.random.default_rng([seed, n, 2])
    tests = {
        "Welch t": lambda x, y: student_two(x, y, ALPHA, equal_var=False),
        "Yuen-Welch": lambda x, y: trimmed_two(x, y, ALPHA, trim=0.1, equal_var=False),
        "Brunner-Munzel": lambda x, y: effect_two(x, y, ALPHA, 0.5),
    }
    rates = dict.fromkeys([*tests, "rank sum (equal spread)", "Student t (equal spread)"], 0.0)
    rank_p = _rank_sum_table(n, n + 3)
    for _ in range(replicates):
        x, y, even = 2 * g.standard_normal(n), g.standard_normal(n + 3), g.standard_normal(n)
        for name, test in tests.items():
            rates[name] += float(test(x, y).p_above[0] <= ALPHA)
        w = int((even[:, None] > y).sum())
        rates["rank sum (equal spread)"] += float(rank_p[w] <= ALPHA)
        rates["Student t (equal spread)"] += float(
            student_two(even, y, ALPHA, equal_var=True).p_above[0] <= ALPHA
        )
    return {k: v / replicates for k, v in rates.items()}


def _rank_sum_table(n: int, m: int) -> np.ndarray:
    """Exact p of "above" of the rank-sum test for every number of pairs won, no ties."""
    share = location.rank_sum_counts(np.arange(1.0, n + m + 1), n)
    # by twice the rank sum
    at = 2 * np.arange(n * m + 1) + n * (n + 1)
    return np.array([min(1.0, float(share[v:].sum())) for v in at])


def family_rates(n: int, replicates: int, *, models: int = 6, seed: int = 0) -> dict[str, float]:
    """Family-wise rates over all pairs: any false difference, and any false claim of equivalence.

    Differences: all models are equal. Equivalence: models lie on a ladder whose steps are the margin, so that
    every claim is false, some pairs being above the upper bound and others below the lower one.
    """
    g = np.random.default_rng([seed, n, 3])
    a, b = np.triu_indices(models, 1)
    plan = sign_flips(n, "exact" if n <= 12 else 999, 1)
    family = np.zeros(len(a), dtype=int)
    steps = np.where(np.arange(models) % 2, 1.0, 0.0) * 1.0
    out = dict.fromkeys(
        [
            f"{kind}, {adjust}"
            for kind in ("difference", "equivalence")
            for adjust in ("holm", *JOINT[:2])
        ],
        0.0,
    )
    from apastats.numbers.adjust_p import adjust_p

    for _ in range(replicates):
        noise = g.standard_normal((n, models)) * 0.5
        d0, d1 = (v[:, a] - v[:, b] for v in (noise, noise + steps))
        # pairs on equal rungs are true claims; only the others can be false
        false = steps[a] != steps[b]
        equal = location.t_location(d0, ALPHA)
        above, below = location.t_location(d1 + 1, ALPHA), location.t_location(d1 - 1, ALPHA)
        p_equiv = np.maximum(above.p_above, below.p_below)
        out["difference, holm"] += float(adjust_p(equal.p_value, "holm").min() <= ALPHA)
        out["equivalence, holm"] += float(adjust_p(p_equiv, "holm")[false].min() <= ALPHA)
        for adjust in JOINT[:2]:
            step = adjust == "max-t-step-down"
            low, high = -np.ones(len(a)), np.ones(len(a))
            p0 = max_t(d0, low, high, plan, family, step_down=step)
            p1 = max_t(d1, low, high, plan, family, step_down=step)
            out[f"difference, {adjust}"] += float(p0.p_value.min() <= ALPHA)
            out[f"equivalence, {adjust}"] += float(p1.p_equiv[false].min() <= ALPHA)
    return {k: v / replicates for k, v in out.items()}


def set_rates(
    replicates: int,
    *,
    n: int = 10,
    tied: int = 7,
    worse: int = 40,
    gap: float = 0.1,
    model_sd: float = 0.03,
    subject_sd: float = 0.25,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Rates of the sets: each tied model kept, all tied kept together, worse models kept."""
    g = np.random.default_rng([seed, int(1000 * subject_sd)])
    truth = np.r_[np.ones(tied), np.full(worse, 1 - gap)]
    k = tied + worse
    x = truth + subject_sd * g.standard_normal((replicates, n, 1))
    x = x + model_sd * g.standard_normal((replicates, n, k))
    m = moments(x)
    kept = {
        "mcb": with_the_best(m, ALPHA).high > 0,
        "mcs": confidence_set(m, ALPHA, p_values=False)[0],
        "ci_overlap": overlap_members(x),
    }
    return {
        name: {
            "tied": float(s[:, :tied].mean()),
            "all tied": float(s[:, :tied].all(axis=1).mean()),
            "worse": float(s[:, tied:].mean()),
        }
        for name, s in kept.items()
    }


def arch_rates(
    replicates: int, *, subject_sd: float, n: int = 10, seed: int = 0
) -> dict[str, float]:
    """The same for the model confidence set of the package arch, subjects as rows, losses as minus scores."""
    from arch.bootstrap import MCS

    g = np.random.default_rng([seed, int(1000 * subject_sd), 1])
    truth = np.r_[np.ones(7), np.full(40, 0.9)]
    kept = np.zeros((replicates, 47), dtype=bool)
    for k in range(replicates):
        x = truth + subject_sd * g.standard_normal((n, 1)) + 0.03 * g.standard_normal((n, 47))
        found = MCS(-x, ALPHA, reps=300, block_size=1, method="R", seed=k)
        found.compute()
        kept[k, [int(i) for i in found.included]] = True
    return {
        "tied": float(kept[:, :7].mean()),
        "all tied": float(kept[:, :7].all(axis=1).mean()),
        "worse": float(kept[:, 7:].mean()),
    }


def overlap_members(x: np.ndarray) -> np.ndarray:
    """The published rule on many data sets: mean at least the lower percentile limit of the best mean."""
    mean = x.mean(axis=1)
    best = mean.argmax(axis=1)
    columns = x[np.arange(len(x)), :, best].T
    plan = subject_counts(x.shape[1], "exact" if x.shape[1] <= 10 else 999, 1)
    low = summarise_means(columns, plan, ["percentile"], conf_level=1 - ALPHA).limits["percentile"][
        0
    ]
    return np.asarray(mean >= low[:, None])


def power_of(test: str, n: int, replicates: int, *, seed: int = 0) -> float:
    """Power of a matched test by simulation, margin one SD, true difference 0."""
    from apastats.comparing.choices import MATCHED_TESTS, matched

    z = np.random.default_rng([seed, n, 5]).standard_normal((n, replicates))
    choice = choose(test, MATCHED_TESTS, rng=1)
    one = np.ones(replicates)
    return float((matched(z, -one, one, choice, alpha=ALPHA).p_equiv <= ALPHA).mean())
