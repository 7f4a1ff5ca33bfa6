"""Findings on coverage and error rates, by simulation; the generators are those of :mod:`tests.calibration`."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from scipy import stats
from scipy.stats import binom

import apastats as apa
from apastats.comparing.discriminability import expected_pairs
from apastats.table import BRAIN
from tests.calibration import ceilings
from tests.calibration.agreements import covered
from tests.calibration.agreements import simulate as agreements
from tests.calibration.equivalence_more import best_rates, set_claim_rates
from tests.calibration.test_preset_error_rates import OLD, preset, rejections
from tests.findings import Finding, shares

__all__ = ["FINDINGS"]

Answer = tuple[str, bool]


def _sets(full: int, share: float) -> int:
    return max(40, round(full * share))


def held(rate: float, nominal: float, sets: int) -> bool:
    """Whether an error rate may be nominal and 1.5 points (binomial, one in a thousand)."""
    return bool(binom.sf(round(rate * sets) - 1, sets, nominal + 0.015) > 1e-3)


def ceiling_coverage(share: float) -> Answer:
    """Intervals of ceilings and shares, where subjects serve in one another's pools."""
    sets = _sets(2000, share)
    found = {
        f"{name} {n}": ceilings.rates("mild", n, sets)[name]
        for n in (8, 10)
        for name in ("s2s", "loo", "loo_alone", "upper", "share")
    }
    return shares(found), all(held(1 - v, 0.05, sets) for v in found.values())


def below_the_ceiling(share: float) -> Answer:
    """A model exactly at the ceiling, called below it."""
    sets = _sets(2000, share)
    found = {
        f"{cell} {n}": ceilings.rates(cell, n, sets)["below"]
        for cell in ("mild", "hetero")
        for n in (8, 10)
    }
    return shares(found), all(held(v, 0.05, sets) for v in found.values())


def ties_found(share: float) -> Answer:
    """Ties with the best shown, and false claims at the boundary: 8 models in 19 regions."""
    sets = max(12, round(40 * share))
    found = {"found": best_rates(10, sets)["found"]}
    found["false at the bound"] = best_rates(10, 2 * sets, sd=0.008, truth="bound")[
        "any false claim"
    ]
    return shares(found), found["found"] > 0.65 and held(
        found["false at the bound"], 0.05, 2 * sets
    )


def sets_of_unequal_variances(share: float) -> Answer:
    """A tied best that is lost, and false claims, where the best varies two and three times as much."""
    sets = _sets(400, share)
    found = {}
    for n in (5, 8, 10):
        for spread in ("best twice", "two best three times"):
            rates = set_claim_rates(n, sets, methods=("mcb", "mcs"), models=8, spread=spread)
            found[f"{spread}, n {n}"] = max(rates.values())
    return shares(found), all(held(v, 0.05, sets) for v in found.values())


def further_brain(share: float) -> Answer:
    """One more brain entered as a model, less the brain, on the z scale."""
    sets = _sets(400, share)
    found = {}
    holds = True
    for n in (8, 10):
        f = agreements(n, sets)
        gap = f["further_z"].mean(axis=(1, 2)) - f["brain_z"].mean(axis=(1, 2))
        found[f"n {n}"] = float(gap.mean())
        holds &= bool(abs(gap.mean()) < 3.3 * gap.std(ddof=1) / np.sqrt(sets))
    return shares(found), holds


def demo_formula(share: float) -> Answer:
    """Two equal models called different by the preset that stands in the demo and the docs now."""
    sets = _sets(400, share)
    rates = {
        n: rejections(preset(None, "subject", n), "subject", n_subject=n, n_sim=sets)
        for n in (8, 10)
    }
    old = rejections(OLD[""], "subject", n_sim=sets)["contrast"]
    found = {f"n {n}": r["contrast"] for n, r in rates.items()}
    return (
        f"{shares(found)}; the old formula, which is warned of, {old:.3f}",
        all(held(v, 0.05, sets) for v in found.values()) and old > 0.1,
    )


def agreement_coverage(share: float) -> Answer:
    """Intervals of agreement, on z and transformed back."""
    sets = _sets(400, share)
    found = {}
    for n in (8, 10):
        f = agreements(n, sets)
        for name in ("brain", "model"):
            a = f[f"{name}_a"]
            half = stats.t.ppf(0.975, n - 1) * a.std(axis=1, ddof=1) / np.sqrt(n)
            found[f"{name} {n}"] = covered(a, half / (1 - a.mean(axis=1) ** 2))
    # regions are alike: not eight times the sets
    return shares(found), all(held(1 - v, 0.05, 2 * sets) for v in found.values())


def strict_at_the_margin(share: float) -> Answer:
    """A model exactly at the margin called aligned, the margin one standard error of a difference."""
    sets = _sets(400, share)
    rng = np.random.default_rng(4)
    found = {}
    for n in (8, 10):
        for k in (2, 5):
            margin = float(np.sqrt(2 / n))
            hits = 0
            for _ in range(sets):
                x = rng.standard_normal((n, k)) + rng.standard_normal((n, 1))
                x -= margin * np.r_[0.0, np.ones(k - 1)]
                hits += _aligned(x, margin)
            found[f"{k} models, n {n}"] = hits / sets
    return shares(found), all(held(v, 0.05, sets) for v in found.values())


def _aligned(x: np.ndarray, margin: float) -> bool:
    """Whether any model but the first is called aligned; the other criterion is met by all."""
    n, k = x.shape
    index = pd.MultiIndex.from_product(
        [[f"s{i}" for i in range(n)], ["V1"], [f"m{j}" for j in range(k)]],
        names=["subject", "roi", "model"],
    )
    frame = pd.DataFrame({"score": x.ravel()}, index=index).reset_index().assign(kind="model")
    brain = frame[frame["model"] == "m0"].assign(model=BRAIN)
    brain = brain.assign(kind="subject_to_subject")
    both = pd.concat([frame, brain], ignore_index=True)
    agreement = apa.ScoreTable(both.assign(z_person=both["score"]), ("z_person",))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = apa.strict_alignment(
            apa.ScoreTable(frame),
            agreement,
            score_bounds=margin,
            agreement_bounds=100.0,
            by=["roi"],
        ).table
    return bool(((found["decision"] == "aligned") & (found["model"] != "m0")).any())


def separated(share: float) -> Answer:
    """The interval of the number of separated pairs holds its expectation."""
    sets = max(30, round(200 * share))
    found = {}
    for n in (8, 10):
        rng = np.random.default_rng([5, n])
        mean = np.linspace(0, 1.2, 8)
        truth = expected_pairs(mean + rng.standard_normal((40_000, 1, n, 8)), 0.05).mean()
        inside = 0
        for r in range(sets):
            x = mean + rng.standard_normal((n, 8))
            index = pd.MultiIndex.from_product(
                [[f"s{i}" for i in range(n)], [f"m{j}" for j in range(8)]],
                names=["subject", "model"],
            )
            frame = pd.DataFrame({"score": x.ravel()}, index=index).reset_index().assign(roi="V1")
            t = apa.discriminability("score ~ model | roi", apa.ScoreTable(frame), rng=r).table
            row = t[t["term"] == "separated_pairs"].iloc[0]
            inside += row["conf_low"] <= truth <= row["conf_high"]
        found[f"n {n}"] = inside / sets
    return shares(found), all(held(1 - v, 0.05, sets) for v in found.values())


def stream_presets(share: float) -> Answer:
    """The interaction of model and stream, with the spread of the published scores."""
    sets = _sets(400, share)
    found = {
        generalise: rejections(preset("stream", generalise), generalise, n_sim=sets)["model:stream"]
        for generalise in ("subject", "subject+roi")
    }
    return shares(found), all(held(v, 0.05, sets) for v in found.values())


FINDINGS = [
    Finding(
        "A1", "95 % intervals of ceilings (n 8, 10; reliability .4 to .8)",
        "s2s .660 .672, leave one out .877 .889, share .887 .910", ceiling_coverage,
    ),
    Finding("A1", "a model at the ceiling called below it", "mild .157 .134, hetero .276 .271", below_the_ceiling),
    Finding(
        "A2", "ties with the best found at SD .018; false claims at the bound",
        "found .070, false .035", ties_found,
    ),
    Finding(
        "A3", "sets: tied best lost, false claims, the best varies 2 or 3 times as much",
        ".10 to .15", sets_of_unequal_variances,
    ),
    Finding("B1", "one more brain less the brain, matched, z", "n 8 .083, n 10 .104", further_brain),
    Finding("B2", "two equal models called different, formula of the demo", "n 8 .245, n 10 .203", demo_formula),
    Finding("B3", "95 % intervals of agreement", ".917 to .942, limits above 1", agreement_coverage),
    Finding(
        "B4", "a model at a margin of one SE called aligned",
        "2 models .109 .222, 5 models .354 .333", strict_at_the_margin,
    ),
    Finding("B5", "95 % intervals of the number of separated pairs", "n 8 .784, n 10 .878", separated),
    Finding("mixed D1", "model:stream of the presets, type-I error", "subject .41, subject+roi .12", stream_presets),
]  # fmt: skip
