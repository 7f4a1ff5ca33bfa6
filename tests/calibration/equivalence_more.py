"""Simulations behind the calibration: two samples by resampling, ratios, correlations, sets, separation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtr

import apastats as apa
from apastats.comparing.against_best import Competition, adjusted_family, best_groups
from apastats.comparing.correlation_difference import (
    bootstrap_claims,
    steiger_error,
    williams,
    williams_error,
)
from apastats.comparing.correlation_tost import jackknife_error
from apastats.comparing.discriminability import compare_separation
from apastats.comparing.equivalence_set import _RUN, _decide, _difference, _shown_close
from apastats.comparing.margin import Bounds
from apastats.numbers.against_all import (
    SHOWN,
    SHOWN_FOR_CLAIMS,
    AgainstAll,
    Field,
    Shrinkage,
    shrinkage,
)
from apastats.numbers.best import confidence_set, moments
from apastats.numbers.correlation import correlate, pearson
from apastats.numbers.fisher import difference_root, one_test, z_difference
from apastats.numbers.location import t_location
from apastats.numbers.shared_correlations import null_p
from apastats.resampling.one_sample import replicate_p
from apastats.resampling.plans import subject_counts
from apastats.resampling.relabel import group_signs
from apastats.resampling.two_samples import Relabelled, resample_two, student_two
from apastats.table import Block, parse_formula

ALPHA = 0.05
RESAMPLES = 999
INTERVALS = ("studentized", "bca", "basic", "percentile", "normal")
Rates = dict[str, float]


def _shares(hits: dict[str, list[bool]]) -> Rates:
    return {k: float(np.mean(v)) for k, v in hits.items()}


def resampled_two_rates(
    n: int, replicates: int, *, seed: int = 0, intervals: tuple[str, ...] = INTERVALS
) -> Rates:
    """Two samples of n and n + 3, the true difference being the bound: bootstrap and permutation.

    ``unequal``: the smaller sample has twice the SD.
    """
    g = np.random.default_rng([seed, n, 11])
    hits: dict[str, list[bool]] = {}
    plan = group_signs(n, n + 3, RESAMPLES, 1)
    for r in range(replicates):
        even, y = g.standard_normal(n), g.standard_normal(n + 3)
        for spread, x in (("equal", even), ("unequal", 2 * even)):
            drawn = resample_two(x, y, n_resamples=RESAMPLES, rng=r)
            for interval in intervals:
                name = f"bootstrap {interval}, {spread} spread"
                p = replicate_p(drawn, interval)[0, 0]
                hits.setdefault(name, []).append(bool(p <= ALPHA))
            alone = Relabelled(x, y, plan).p_values(0.0)[0]
            welch = student_two(x, y, ALPHA, equal_var=False).p_above[0]
            name = f"permutation (studentised, with Welch), {spread} spread"
            hits.setdefault(name, []).append(bool(max(alone, welch) <= ALPHA))
    return _shares(hits)


def ratio_rates(n: int, replicates: int, *, seed: int = 0) -> Rates:
    """Log-ratio test, the true ratio of geometric means being the lower bound 0.8.

    Lognormal scores, and normal ones (spread 20 % of the mean, so that the ratio of geometric means is that of
    the means).
    """
    g = np.random.default_rng([seed, n, 12])
    hits: dict[str, list[bool]] = {}
    for _ in range(replicates):
        shared, a, b = g.standard_normal((3, n))
        c = g.standard_normal(n + 3)
        cases = {
            "paired, lognormal": (
                0.8 * np.exp(0.3 * shared + 0.2 * a),
                np.exp(0.3 * shared + 0.2 * b),
            ),
            "two samples, lognormal": (0.8 * np.exp(0.3 * a), np.exp(0.3 * c)),
            "two samples, normal": (
                0.8 * np.maximum(1 + 0.2 * a, 0.05),
                np.maximum(1 + 0.2 * c, 0.05),
            ),
        }
        for name, (x, y) in cases.items():
            u, v = np.log(x) - np.log(0.8), np.log(y)
            if name.startswith("paired"):
                p = t_location((u - v)[:, None], ALPHA).p_above[0]
            else:
                p = student_two(u, v, ALPHA, equal_var=False).p_above[0]
            hits.setdefault(f"log-ratio, {name}", []).append(bool(p <= ALPHA))
    return _shares(hits)


def _both_sides(rates: Rates, name: str, above: np.ndarray, below: np.ndarray) -> None:
    """Rates of both false claims at a bound: above the lower one, below the upper one."""
    rates[f"{name}: above"] = float((above <= ALPHA).mean())
    rates[f"{name}: below"] = float((below <= ALPHA).mean())


def _bivariate(g: np.random.Generator, rho: float, shape: tuple[int, int]) -> np.ndarray:
    """Pairs of normal profiles, ``[2, replicates, n]``."""
    x, e = g.standard_normal((2, *shape))
    return np.stack([x, rho * x + np.sqrt(1 - rho**2) * e])


def correlation_rates(
    n: int, replicates: int, *, rhos: tuple[float, ...] = (0.6, 0.85), seed: int = 0
) -> Rates:
    """One correlation, and two independent ones (rho and 0.4), both bounds at the true value."""
    rates: Rates = {}
    for rho in rhos:
        g = np.random.default_rng([seed, n, 13, int(100 * rho)])
        pairs = _bivariate(g, rho, (replicates, n))
        others = _bivariate(g, 0.4, (replicates, n))
        true = {
            "pearson": rho,
            "spearman": 6 / np.pi * np.arcsin(rho / 2),
            "kendall": 2 / np.pi * np.arcsin(rho),
        }
        for method, error in (
            ("pearson", "analytic"),
            ("pearson", "jackknife"),
            ("spearman", "analytic"),
            ("kendall", "analytic"),
        ):
            above, below = np.ones(replicates), np.ones(replicates)
            for k in range(replicates):
                r = correlate(pairs[0, k], pairs[1, k], method)
                if abs(r) >= 1 - 1e-12:
                    continue  # perfect ranks: refused, no claim
                z_error = None
                if error == "jackknife":
                    z_error = jackknife_error(pairs[0, k], pairs[1, k], method)
                test = one_test(r, n, method, z_error=z_error, small_sample=True)
                up, down = test.statistics(true[method])
                above[k], below[k] = test.tail(-up), test.tail(down)
            _both_sides(rates, f"one correlation of {rho}, {method}, {error}", above, below)
        for scale, at in (("r", rho - 0.4), ("z", np.arctanh(rho) - np.arctanh(0.4))):
            p = np.array(
                [
                    difference_p(pearson(*pairs[:, k]), n, pearson(*others[:, k]), n, at, scale)
                    for k in range(replicates)
                ]
            )
            _both_sides(rates, f"correlations of {rho} and 0.4, scale {scale}", *p.T)
    return rates


def difference_p(
    r1: float, n1: int, r2: float, n2: int, at: float, scale: str
) -> tuple[float, float]:
    """p-values above and below a difference of independent correlations, as in the verb."""
    if scale == "r":
        t = difference_root(r1, n1, r2, n2, at)
    else:
        t = z_difference(r1, n1, r2, n2, small_sample=True)[0] - at
        t /= np.sqrt(1 / (n1 - 3) + 1 / (n2 - 3))
    return float(ndtr(-t)), float(ndtr(t))


# correlations of both models with the brain, and of the models with each other
SHARED = ((0.6, 0.4, 0.5), (0.9, 0.6, 0.6), (0.5, 0.5, 0.5))


def dependent_rates(
    n: int,
    replicates: int,
    *,
    seed: int = 0,
    intervals: tuple[str, ...] = ("studentized", "bca", "percentile"),
    bootstraps: int = 500,
) -> Rates:
    """Two models against one brain, both bounds at the true difference; equal correlations: the ordinary test.

    The bootstrap runs on the first ``bootstraps`` data sets.
    """
    rates: Rates = {}
    plan = subject_counts(n, RESAMPLES, 1)
    for truth in SHARED:
        g = np.random.default_rng([seed, n, 14, *(int(100 * v) for v in truth)])
        a, b, c = truth
        factor = np.linalg.cholesky([[1, a, b], [a, 1, c], [b, c, 1]])
        brain, x, y = np.einsum("ij,jrn->irn", factor, g.standard_normal((3, replicates, n)))
        seen = tuple(_rows_r(u, v) for u, v in ((brain, x), (brain, y), (x, y)))
        label, d = f"{a} and {b}", round(a - b, 6)
        calibrated = {}
        for test, error in (("williams", williams_error), ("steiger", steiger_error)):
            if d:
                calibrated[test] = null_p(seen, d, n, error)
                _both_sides(rates, f"{label}, {test}", *calibrated[test])
                continue
            p = [williams(*(float(v[k]) for v in seen), n) for k in range(replicates)]
            two = 2 * stdtr(n - 3.0, -np.abs(np.array(p)[:, 0]))
            if test == "steiger":
                two = 2 * np.minimum(*null_p(seen, 0.0, n, error))
            calibrated[test] = two, two
            rates[f"{label}, {test}: ordinary test"] = float((two <= ALPHA).mean())
        for interval in intervals:
            found = np.array(
                [
                    bootstrap_claims(np.stack([x[k], y[k], brain[k]]), plan, d, interval)
                    for k in range(min(bootstraps, replicates))
                ]
            )
            above, below = (
                np.maximum(found[:, i], calibrated["williams"][i][: len(found)]) for i in (0, 1)
            )
            name = f"{label}, bootstrap {interval}"
            if d:
                _both_sides(rates, name, above, below)
            else:
                two = np.maximum(found[:, 2], calibrated["williams"][0][: len(found)])
                rates[f"{name}: ordinary test"] = float((two <= ALPHA).mean())
    return {f"two correlations sharing the brain, {k}": v for k, v in rates.items()}


def _rows_r(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlation of every row."""
    a, b = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    return np.asarray((a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1)))


SPREADS: dict[str, Callable[[int], np.ndarray]] = {
    "equal": np.ones,
    "0.5 to 1.5": lambda k: np.linspace(0.5, 1.5, k),
    "best twice": lambda k: np.r_[2.0, np.ones(k - 1)],
    "best three times": lambda k: np.r_[3.0, np.ones(k - 1)],
    "two best three times": lambda k: np.r_[3.0, 3.0, np.ones(k - 2)],
    "best a third": lambda k: np.r_[1 / 3, np.ones(k - 1)],
    "another twice": lambda k: np.r_[1.0, 2.0, np.ones(k - 2)],
}


def set_claim_rates(
    n: int,
    replicates: int,
    *,
    methods: tuple[str, ...] = ("mcb", "mcs", "tost"),
    models: int = 6,
    spread: str = "equal",
    seed: int = 0,
) -> Rates:
    """Any false claim of the sets with a margin, and the best model lost by those without.

    ``equivalent``: one best model, all others exactly the margin below, any of them called equivalent.
    ``worse``: the same, any of them called worse than the margin. ``lost``: no margin, a given tied best is lost.
    ``spread``: SDs of the subject-by-model errors, that of the best first.
    """
    g = np.random.default_rng([seed, n, 15, sorted(SPREADS).index(spread)])
    sd = SPREADS[spread](models)
    # about four standard errors of a difference from the best: claims are possible, none is free
    margin = 2.0 * np.sqrt(2 / n) * sd[0] if sd[0] > 1 else 1.0
    hits: dict[str, list[bool]] = {}
    for r in range(replicates):
        noise = sd * g.standard_normal((n, models))
        x = noise - margin * np.r_[0.0, np.ones(models - 1)]
        for name in methods:
            random = np.random.default_rng([seed, r])
            decision, inside = set_of(name, x, noise, margin, random)
            for claim, word in (
                ("equivalent", "equivalent to the best"),
                ("worse", "worse than the margin"),
            ):
                hits.setdefault(f"{name}: any false '{claim}'", []).append(
                    bool((decision[1:] == word).any())
                )
            if name != "tost":
                hits.setdefault(f"{name}: a given tied best is lost", []).append(not inside[0])
    return _shares(hits)


def set_of(
    name: str, x: np.ndarray, tied: np.ndarray, margin: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Decisions at a margin, and members without one, of one cell with the defaults of the verb."""

    def cell(values: np.ndarray) -> AgainstAll:
        field = Field(values, np.array([margin]))
        shown = SHOWN_FOR_CLAIMS if name == "tost" else SHOWN
        return AgainstAll(
            field, shrinkage([field], shown) if name != "bayes" else Shrinkage(np.inf)
        )

    seen = cell(x)
    if name == "tost":
        found = Competition((seen,), (seen.field.unit,), seen.prior)
        return _shown_close(found, "cell", ALPHA)[0]["decision"], np.ones(x.shape[1], dtype=bool)
    if name == "mcs" and seen.prior.pooled:
        # its p-values take long
        half = confidence_set(moments(x), ALPHA, p_values=False)[2]
        decision = _decide(
            _difference(x.mean(axis=0)) - half, _difference(x.mean(axis=0)) + half, margin
        )
    else:
        decision = _RUN[name](seen, ALPHA, True, False, random)["decision"]
    other = cell(tied)
    if name == "mcs" and other.prior.pooled:
        return decision, confidence_set(moments(tied), ALPHA, p_values=False)[0]
    return decision, _RUN[name](other, ALPHA, False, False, random)["in_set"]


def best_rates(
    n: int, replicates: int, *, sd: float = 0.018, truth: str = "tied", seed: int = 0
) -> Rates:
    """The default claim "equivalent to the best" with a ceiling as margin: 8 models in 19 regions.

    Ceilings of .4 with an SD of 19 % over subjects, a margin of a tenth of them, errors of SD ``sd`` (4.5 % of
    the ceiling). ``tied``: 4 best, 4 worse by .12 to .3 ceilings; ``bound``: one best, seven at the margin;
    ``ladder``: 2 best, 3 at one margin, 3 at two. *found*: share of tied models shown to be equivalent to the observed
    best; *any false claim*: in all regions together.
    """
    g = np.random.default_rng([seed, n, 19, ["tied", "bound", "ladder"].index(truth)])
    rois, k, f, top = 19, 8, 0.1, 0.4
    found, false = [], []
    for _ in range(replicates):
        worse = {
            "tied": np.r_[np.zeros((4, rois)), g.uniform(0.12, 0.3, (4, rois))],
            "bound": np.r_[np.zeros((1, rois)), np.full((7, rois), f)],
            "ladder": np.r_[np.zeros((2, rois)), np.full((3, rois), f), np.full((3, rois), 2 * f)],
        }[truth]
        subject = 0.19 * top * g.standard_normal((n, 1, rois))
        x = 0.8 * top + subject - top * worse + sd * g.standard_normal((n, k, rois))
        ceiling = top + subject[:, 0]
        cells = pd.DataFrame({"roi": [f"r{j}" for j in range(rois)]})
        block = Block(
            x, [str(i) for i in range(n)], pd.DataFrame({"model": range(k)}), cells,
            parse_formula("score ~ model | roi"), "subject",
        )  # fmt: skip
        mean = ceiling.mean(axis=0)
        limits = Bounds(-f * mean, f * mean, None, "ceiling", -f * ceiling, f * ceiling)
        near = Competition.of(block, limits).tests()[0]
        shown = adjusted_family(near, "holm", "all") <= ALPHA
        rest = np.arange(k)[:, None] != best_groups(block)
        tie = (worse == 0) & rest
        found.append(shown[tie].mean() if tie.any() else 0.0)
        false.append(bool(shown[worse >= f - 1e-12].any()))
    rate = {"any false claim": float(np.mean(false))}
    # power is no error rate: it has a table of its own
    return {"found": float(np.mean(found))} | rate if truth == "tied" else rate


def separation_rates(n: int, replicates: int, *, models: int = 8, seed: int = 0) -> Rates:
    """The paired comparison of two outcomes that separate models equally well (two-sided)."""
    g = np.random.default_rng([seed, n, 16])
    signal = np.linspace(-1, 1, models)
    draws: dict[str, Callable[[], np.ndarray]] = {
        "no signal": lambda: g.standard_normal((n, models)),
        "strong signal": lambda: 4 * signal + g.standard_normal((n, models)),
        "same signal": lambda: signal + g.standard_normal((n, models)),
        "same signal, heavy tails": lambda: signal + g.standard_t(3, (n, models)),
        "signal differs between subjects": lambda: (
            signal * g.exponential(1.0, (n, 1)) + g.standard_normal((n, models))
        ),
    }
    rates = {}
    for name, draw in draws.items():
        # the second outcome in other units: the measure has none
        p = [compare_separation(draw(), 5 * draw())[2] for _ in range(replicates)]
        rates[f"comparison of outcomes, {name}"] = float((np.array(p) <= ALPHA).mean())
    return rates


def _null_cells(n: int, cells: int, models: int, seed: int) -> apa.ScoreTable:
    """Matched scores of models that are truly equal; every cell is a data set of its own."""
    g = np.random.default_rng([seed, n, 19])
    scores = g.standard_normal((n, 1, cells)) + g.standard_normal((n, models, cells))
    index = [f.ravel() for f in np.meshgrid(*map(np.arange, scores.shape), indexing="ij")]
    frame = pd.DataFrame({"subject": index[0], "model": index[1], "roi": index[2]}).astype(str)
    return apa.ScoreTable(frame.assign(score=scores.ravel()))


def rank_rates(n: int, replicates: int, *, models: int = 6, seed: int = 0) -> Rates:
    """Rank tests of equal models: any difference claimed (Nemenyi: among all pairs)."""
    table, formula = _null_cells(n, replicates, models, seed), "score ~ model | roi"
    pairs = apa.nemenyi(formula, table).table
    p_values = {
        "Friedman, chi-squared": apa.friedman(formula, table).table["p_value"],
        "Friedman, F of Iman and Davenport": apa.friedman(formula, table, statistic="F").table[
            "p_value"
        ],
        "Quade": apa.quade(formula, table).table["p_value"],
        "Nemenyi, any pair": pairs.groupby("roi")["p_value"].min(),
    }
    rates = {name: float((p <= ALPHA).mean()) for name, p in p_values.items()}
    places = apa.mean_ranks(formula, table).table
    narrow = (places["place_low"] > 1) | (places["place_high"] < models)
    rates["places of models, any too narrow"] = float(narrow.groupby(places["roi"]).any().mean())
    return rates


def adjusted_rates(n: int, replicates: int, *, models: int = 6, seed: int = 0) -> Rates:
    """Any difference claimed among all pairs of equal models, by adjustment within the cell."""
    table = _null_cells(n, replicates, models, seed)
    rates = {}
    for adjust in (
        "bonferroni",
        "sidak",
        "holm",
        "holm-sidak",
        "hochberg",
        "hommel",
        "closed",
        "tukey",
    ):
        found = apa.compare("score ~ model | roi", table, adjust=adjust, family="cell").table
        rates[adjust] = float((found.groupby("roi")["p_value_adjusted"].min() <= ALPHA).mean())
    return rates
