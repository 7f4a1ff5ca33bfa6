"""Simulations behind the calibration: kinds of margins and of claims, and families over several cells."""

from __future__ import annotations

import numpy as np
import pandas as pd

import apastats as apa
from apastats.numbers.student import in_sd_units, one_sample, two_sample

ALPHA = 0.05
Rates = dict[str, float]


def ceiling_margin_rates(n: int, replicates: int, *, seed: int = 0) -> Rates:
    """Paired t with an estimated margin, the true difference being that margin; each data set is a cell.

    A tenth of the noise ceiling; half the spread of the ceiling between subjects; half the difference of two models.
    """
    g = np.random.default_rng([seed, n, 23])
    ceiling = 0.5 + 0.1 * g.standard_normal((n, replicates))
    first = 0.3 + 0.05 * g.standard_normal((n, replicates))
    # the true margin is 0.05 each time
    scores = {
        "a": first,
        "b": first - 0.05 + 0.03 * g.standard_normal((n, replicates)),
        "top": 0.6 + 0.03 * g.standard_normal((n, replicates)),
        "low": 0.5 + 0.03 * g.standard_normal((n, replicates)),
    }
    subject, roi = (
        f.ravel().astype(str)
        for f in np.meshgrid(np.arange(n), np.arange(replicates), indexing="ij")
    )
    rows = pd.DataFrame({"subject": subject, "roi": roi})
    brain = rows.assign(kind="leave_one_out", model="others", layer=roi, score=ceiling.ravel())
    parts = [
        rows.assign(kind="model", model=m, layer="-", score=v.ravel()) for m, v in scores.items()
    ]
    table = apa.ScoreTable(pd.concat([brain, *parts], ignore_index=True))
    reference = apa.noise_ceiling(table)
    margins = {
        "a tenth of the ceiling": apa.margin(0.1, of=reference),
        "half the spread between subjects": apa.margin(0.5, of=reference, unit="spread"),
        "half the difference of two models": apa.margin(0.5, of=("top", "low")),
    }
    rates = {}
    for name, margin in margins.items():
        found = apa.equivalence(
            "score ~ model | roi",
            table.where(kind="model"),
            bounds=margin,
            reference="b",
            adjust="none",
        ).table
        p = found.loc[found["model"] == "a", "p_value_nonsup"]
        rates[f"paired t, {name}"] = float((p <= ALPHA).mean())
    return rates


def claim_rates(n: int, replicates: int, *, seed: int = 0) -> Rates:
    """Other claims by t: a minimal effect at a bound; bounds in SD units, one sample and two."""
    g = np.random.default_rng([seed, n, 24])
    z, x, y = (g.standard_normal((k, replicates)) for k in (n, n, n + 3))
    rates = {}
    one = np.ones(replicates)
    at = one_sample(z + 1, -one, one, alpha=ALPHA)
    rates["t, a minimal effect beyond either bound"] = float(
        (np.minimum(at.p_below, at.p_above) <= ALPHA).mean()
    )
    for size in (0.5, 1.0, 2.0):
        d = z - size
        bound = size * d.std(axis=0, ddof=1)
        found = in_sd_units(one_sample(d, -bound, bound, alpha=ALPHA), -bound, bound, ALPHA)
        rates[f"paired t, bounds of {size:g} SD"] = float((found.p_low <= ALPHA).mean())
    for equal in (True, False):
        name = "Student" if equal else "Welch (spread 2 to 1)"
        a = x if equal else 2 * x
        true = 1.0 if equal else np.sqrt(2.5)
        a = a - true
        p = []
        for k in range(replicates):
            s1, s2 = a[:, k].std(ddof=1), y[:, k].std(ddof=1)
            unit = np.sqrt(((n - 1) * s1**2 + (n + 2) * s2**2) / (2 * n + 1))
            unit = unit if equal else np.sqrt((s1**2 + s2**2) / 2)
            t = two_sample(
                a[:, k].mean(), s1, n, y[:, k].mean(), s2, n + 3, -unit, unit,
                alpha=ALPHA, equal_var=equal,
            )  # fmt: skip
            t = in_sd_units(t, np.asarray(-unit), np.asarray(unit), ALPHA)
            p.append(float(t.p_low))
        rates[f"{name}, bounds of 1 SD"] = float((np.array(p) <= ALPHA).mean())
    return rates


def hierarchical_rates(n: int, replicates: int, *, seed: int = 0) -> Rates:
    """Any difference claimed over 4 cells of 4 equal models, tested from cells down, and by Holm over all."""
    g = np.random.default_rng([seed, n, 25])
    index = pd.MultiIndex.from_product(
        [map(str, range(n)), list("abcd"), list("wxyz")], names=["subject", "model", "roi"]
    )
    hits: dict[str, list[bool]] = {}
    for _ in range(replicates):
        # cells of one subject are correlated
        shared = g.standard_normal((n, 4, 1))
        scores = shared + g.standard_normal((n, 4, 4))
        frame = pd.DataFrame({"score": scores.ravel()}, index=index).reset_index()
        table = apa.ScoreTable(frame)
        for adjust in ("hierarchical", "holm", "max-t-step-down"):
            drawn = {"n_resamples": 1023} if adjust.startswith("max-t") else {}
            found = apa.compare("score ~ model | roi", table, adjust=adjust, rng=1, **drawn).table
            hits.setdefault(f"{adjust}, four cells together", []).append(
                bool(found["p_value_adjusted"].min() <= ALPHA)
            )
    return {k: float(np.mean(v)) for k, v in hits.items()}
