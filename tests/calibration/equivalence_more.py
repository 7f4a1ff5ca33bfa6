"""Simulations behind the calibration: two samples by resampling, ratios, correlations, sets, separation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

import apastats as apa
from apastats.correlations.dependent import correlation_difference
from apastats.correlations.verbs import correlation_difference_summary, correlation_tost
from apastats.resampling.plans import subject_counts
from apastats.sets.best import _RUN
from apastats.sets.separation import compare_separation
from apastats.tosts.independent import bootstrap_two, permutation_two

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
    for r in range(replicates):
        even, y = g.standard_normal(n), g.standard_normal(n + 3)
        for spread, x in (("equal", even), ("unequal", 2 * even)):
            for interval in intervals:
                found = bootstrap_two(
                    x,
                    y,
                    ALPHA,
                    n_resamples=RESAMPLES,
                    rng=r,
                    interval=interval,
                    quantile_rule="linear",
                    ties=0.5,
                )
                name = f"bootstrap {interval}, {spread} spread"
                hits.setdefault(name, []).append(bool(found.p_above[0] <= ALPHA))
            found = permutation_two(x, y, ALPHA, n_resamples=RESAMPLES, rng=r)
            name = f"permutation (studentised), {spread} spread"
            hits.setdefault(name, []).append(bool(found.p_above[0] <= ALPHA))
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
            found = apa.tost(
                x, y, bounds=(0.8, 1.25), test="log_ratio", paired=name.startswith("paired")
            )
            p = found.table["p_value_noninf"].iloc[0]
            hits.setdefault(f"log-ratio, {name}", []).append(bool(p <= ALPHA))
    return _shares(hits)


def _sides(hits: dict[str, list[bool]], name: str, found: apa.results.Result) -> None:
    """Count both false claims at a bound: above the lower one, below the upper one."""
    row = found.table.iloc[0]
    hits.setdefault(f"{name}: above", []).append(bool(row["p_value_noninf"] <= ALPHA))
    hits.setdefault(f"{name}: below", []).append(bool(row["p_value_nonsup"] <= ALPHA))


def correlation_rates(n: int, replicates: int, *, rho: float = 0.6, seed: int = 0) -> Rates:
    """One correlation, and two independent ones (0.6 and 0.4), both bounds at the true value."""
    g = np.random.default_rng([seed, n, 13])
    true = {
        "pearson": rho,
        "spearman": 6 / np.pi * np.arcsin(rho / 2),
        "kendall": 2 / np.pi * np.arcsin(rho),
    }
    tests = [("pearson", "analytic"), ("pearson", "jackknife")]
    tests += [("spearman", "analytic"), ("kendall", "analytic")]
    # a hair's breadth apart: a margin needs two bounds, and both sit at the truth
    hair, hits = 1e-9, {}
    for _ in range(replicates):
        z = g.standard_normal((4, n))
        y = rho * z[0] + np.sqrt(1 - rho**2) * z[1]
        for method, error in tests:
            at = true[method]
            try:
                found = correlation_tost(
                    z[0], y, bounds=(at, at + hair), method=method, error=error
                )
            except apa.errors.InputError:
                continue  # perfect ranks: refused, no claim
            _sides(hits, f"one correlation, {method}, {error}", found)
        r1 = float(np.corrcoef(z[0], y)[0, 1])
        r2 = float(np.corrcoef(z[2], 0.4 * z[2] + np.sqrt(1 - 0.16) * z[3])[0, 1])
        for scale, at in (("r", rho - 0.4), ("z", np.arctanh(rho) - np.arctanh(0.4))):
            found = correlation_difference_summary(
                r1, n, r2, n, bounds=(at, at + hair), scale=scale
            )
            _sides(hits, f"two independent correlations, scale {scale}", found)
    return _shares(hits)


def dependent_rates(
    n: int,
    replicates: int,
    *,
    seed: int = 0,
    tests: tuple[str, ...] = ("williams", "steiger", "studentized", "bca", "percentile"),
) -> Rates:
    """Two models against one brain: 0.6 and 0.4, models correlated 0.5, both bounds at the true 0.2.

    ``equal``: correlations of 0.5 each; the ordinary two-sided test.
    """
    g = np.random.default_rng([seed, n, 14])
    hits: dict[str, list[bool]] = {}
    factors = {
        d: np.linalg.cholesky(
            [[1, 0.5, 0.5 + d / 2], [0.5, 1, 0.5 - d / 2], [0.5 + d / 2, 0.5 - d / 2, 1]]
        )
        for d in (0.2, 0.0)
    }
    plan = subject_counts(n, RESAMPLES, 1)
    for _ in range(replicates):
        z = g.standard_normal((3, n))
        for d, factor in factors.items():
            x, y, brain = factor @ z
            for test in tests:
                form = (
                    {"test": test}
                    if test in ("williams", "steiger")
                    else {"test": "bootstrap", "interval": test, "plan": plan}
                )
                found = correlation_difference(x, y, brain, bounds=(d, d + 1e-9), **form)
                name = f"two correlations sharing the brain, {form['test']}"
                name += f" {test}" if form["test"] == "bootstrap" else ""
                if d:
                    _sides(hits, name, found)
                else:
                    p = found.table["p_value"].iloc[0]
                    hits.setdefault(f"{name}: ordinary test", []).append(bool(p <= ALPHA))
    return _shares(hits)


def set_claim_rates(
    n: int, replicates: int, *, models: int = 6, unequal: bool = False, seed: int = 0
) -> Rates:
    """Any false claim of the sets with a margin, and the best model lost by those without.

    ``equivalent``: one best model, all others exactly the margin below, any of them called equivalent.
    ``worse``: the same, any of them called worse than the margin. ``all tied``: no margin, a given tied best is lost.
    """
    g = np.random.default_rng([seed, n, 15, int(unequal)])
    sd = np.linspace(0.5, 1.5, models) if unequal else np.ones(models)
    hits: dict[str, list[bool]] = {}
    for r in range(replicates):
        noise = sd * g.standard_normal((n, models))
        for name in ("mcb", "mcs", "tost", "bayes"):
            variance = "moderated" if unequal else "pooled"
            x = noise - np.r_[0.0, np.ones(models - 1)]
            random = np.random.default_rng([seed, r])
            found = _RUN[name](x, ALPHA, 1.0, variance, False, random)["decision"][1:]
            for claim, word in (
                ("equivalent", "equivalent to the best"),
                ("worse", "worse than the margin"),
            ):
                hits.setdefault(f"{name}: any false '{claim}'", []).append(
                    bool((found == word).any())
                )
            if name != "tost":
                inside = _RUN[name](noise, ALPHA, None, variance, False, random)["in_set"]
                hits.setdefault(f"{name}: a given tied best is lost", []).append(
                    bool(not inside[0])
                )
    return _shares(hits)


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
    return {name: float((p <= ALPHA).mean()) for name, p in p_values.items()}


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


def ceiling_margin_rates(n: int, replicates: int, *, seed: int = 0) -> Rates:
    """Paired test with a margin of a tenth of the noise ceiling, the true difference being that margin."""
    g = np.random.default_rng([seed, n, 23])
    ceiling = 0.5 + 0.1 * g.standard_normal((n, replicates))
    first = 0.3 + 0.05 * g.standard_normal((n, replicates))
    second = first - 0.05 + 0.03 * g.standard_normal((n, replicates))
    subject, roi = (
        f.ravel().astype(str)
        for f in np.meshgrid(np.arange(n), np.arange(replicates), indexing="ij")
    )
    rows = pd.DataFrame({"subject": subject, "roi": roi})
    brain = rows.assign(kind="leave_one_out", model="others", layer=roi, score=ceiling.ravel())
    parts = [
        rows.assign(kind="model", model=m, layer="-", score=v.ravel())
        for m, v in (("a", first), ("b", second))
    ]
    table = apa.ScoreTable(pd.concat([brain, *parts], ignore_index=True))
    margin = apa.margin(0.1, of=apa.noise_ceiling(table))
    found = apa.equivalence(
        "score ~ model | roi", table.where(kind="model"), bounds=margin, adjust="none"
    ).table
    return {"paired t, a tenth of the ceiling": float((found["p_value_equiv"] <= ALPHA).mean())}
