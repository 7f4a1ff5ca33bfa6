"""Coverage and error rates of unique variances: ``python -m tests.calibration.unique_variances [data sets]``.

Every simulated data set is a region of one call. Stimuli and models are fixed where subjects alone are drawn; both are
new in every data set where stimuli are drawn too. The truth is the mean of the estimates of very many subjects (data
sets).
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr

import apastats as apa
from apastats.errors import ApaWarning
from apastats.resampling.means import summarise_means
from apastats.resampling.plans import subject_counts

SIZES = (8, 10, 20)
N = 24
LEFT, RIGHT = np.triu_indices(N, 1)
NOISE = 2.0
# weight of the first model in the mean subject, and its spread over subjects
DESIGNS = {
    "absent": (0.0, 0.0),
    "absent, people differ": (0.0, 0.3),
    "weak": (0.15, 0.1),
    "clear": (0.5, 0.1),
}


def models() -> np.ndarray:
    """Three correlated RDMs, standardised."""
    rng = np.random.default_rng(5)
    y = rng.normal(size=(3, len(LEFT))) + 0.7 * rng.normal(size=len(LEFT))
    y -= y.mean(axis=1, keepdims=True)
    return np.asarray(y / y.std(axis=1, keepdims=True))


def people(design: str, n: int, sets: int, seed: int) -> np.ndarray:
    """RDMs of subjects, ``[sets, n, n_pair]``."""
    rng = np.random.default_rng(seed)
    mean, spread = DESIGNS[design]
    weights = np.empty((sets, n, 3))
    weights[..., 0] = mean + spread * rng.normal(size=(sets, n))
    weights[..., 1:] = 0.6 + 0.2 * rng.normal(size=(sets, n, 2))
    return np.asarray(weights @ models() + NOISE * rng.normal(size=(sets, n, len(LEFT))))


def evaluated(x: np.ndarray, form: str) -> apa.UniqueVariance:
    """The verb, with every data set as a region; its own intervals are not used."""
    options: dict[str, Any] = {"interval": "t", "n_resamples": 99, "rng": 1} | FORMS[form]
    sets, n = x.shape[:2]
    labels = pd.DataFrame(
        [(f"s{i:02d}", f"{r:05d}") for r in range(sets) for i in range(n)],
        columns=["subject", "roi"],
    )
    brain = apa.RDMSet(x.reshape(sets * n, -1), labels)
    given = apa.RDMSet(models(), pd.DataFrame({"model": ["one", "two", "three"]}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ApaWarning)
        return apa.unique_variance(brain, given, method="pearson", **options)


FORMS: dict[str, dict[str, Any]] = {
    "in sample": {},
    "held-out subjects": {"cross_validate": "subject"},
}


def truths(design: str, form: str, n: int, seed: int = 99) -> dict[str, float]:
    """Mean part, and mean signed semipartial correlation, of the first model over very many subjects.

    Of data sets of ``n`` subjects: coefficients learned from few others are worse.
    """
    sets = 4_000 // n
    found = evaluated(people(design, n, sets, seed), form)
    part = found.table.query("part == 'unique' and model == 'one'")["estimate"].mean()
    if form != "in sample":
        return {"part": float(part), "tested": float(part)}
    c = found.arrays["coordinates"][:, 0]
    return {"part": float(part), "tested": float(c.mean())}


def rates(design: str, form: str, n: int, sets: int, seed: int = 1) -> dict[str, float]:
    """Coverage of the intervals, and error rates of the tests of the first model at level .05."""
    truth = truths(design, form, n)
    found = evaluated(people(design, n, sets, seed), form)
    rows = (found.table["part"] == "unique") & (found.table["model"] == "one")
    resamples: Any = "exact" if n <= 10 else 1_999
    kinds: list[Any] = ["studentized", "t"]
    values = found.arrays["scores"][:, 0]
    limits = summarise_means(values, subject_counts(n, resamples, seed), kinds).limits
    out = {
        f"coverage, {k}": float(
            ((limits[k][0] <= truth["part"]) & (truth["part"] <= limits[k][1])).mean()
        )
        for k in kinds
    }
    edge = truth["tested"] ** 2 if form == "in sample" else truth["tested"]
    bounds = edge if 0 < edge < 1 and abs(truth["tested"]) > 0.005 else None
    # a million flips of 20 people are no better for a rate
    flips: Any = "auto" if n <= 10 else 9_999
    tested = found.test(bounds=bounds, adjust="none", n_resamples=flips, rng=seed).table.query(
        "part == 'unique' and model == 'one'"
    )
    out["against 0"] = float((tested["p_value"] <= 0.05).mean())
    for name in ("less", "more"):
        key = f"p_value_{name}"
        out[name] = float((tested[key] <= 0.05).mean()) if key in tested else np.nan
    if form == "in sample":
        x = found.table.loc[rows, "estimate"].to_numpy()
        # what the naive test would do: a t test of the mean share of variance against the margin
        se = found.table.loc[rows, "std_error"].to_numpy()
        out["t test of the share, less"] = float(
            (stdtr(n - 1, (x - truth["part"]) / se) <= 0.05).mean()
        )
    return out


# ---------------------------------------------------------------- stimuli drawn too
def study(n: int, rng: np.random.Generator, absent: bool) -> tuple[apa.RDMSet, apa.RDMSet]:
    """New stimuli and new subjects: brains are noisy geometries of features, models those of groups of them."""
    base = rng.normal(size=(N, 9))
    shared = rng.normal(size=(N, 3))
    y = np.array([_rdm(np.hstack([base[:, 3 * k : 3 * k + 3], 0.7 * shared])) for k in range(3)])
    weights = np.repeat([0.0 if absent else 0.8, 1.0, 1.0], 3)
    x = []
    for _ in range(n):
        own = weights * np.exp(0.2 * rng.normal(size=9))
        x.append(_rdm(np.hstack([own * base, shared, 1.5 * rng.normal(size=(N, 9))])))
    brain = pd.DataFrame({"subject": [f"s{k:02d}" for k in range(n)], "roi": "-"})
    return apa.RDMSet(np.array(x), brain), apa.RDMSet(
        y, pd.DataFrame({"model": ["one", "two", "three"]})
    )


def _rdm(patterns: np.ndarray) -> np.ndarray:
    return np.asarray(((patterns[LEFT] - patterns[RIGHT]) ** 2).mean(axis=1))


def both_rates(n: int, sets: int, absent: bool, seed: int = 1) -> dict[str, float]:
    """The same where stimuli and subjects are drawn (499 resamples)."""
    rng = np.random.default_rng([seed, n, absent])
    low, high, estimate, signed, error, df, p = ([] for _ in range(7))
    for k in range(sets):
        brain, given = study(n, rng, absent)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ApaWarning)
            found = apa.unique_variance(
                brain,
                given,
                method="pearson",
                cluster=("subject", "stimulus"),
                n_resamples=499,
                rng=k,
            )
            tested = found.test(adjust="none").table.iloc[0]
        row = found.table.iloc[0]
        low.append(row["conf_low"])
        high.append(row["conf_high"])
        estimate.append(row["estimate"])
        signed.append(tested["tested"])
        error.append(tested["std_error"])
        df.append(tested["df"])
        p.append(tested["p_value"])
    truth, c = np.mean(estimate), np.mean(signed)
    t = (np.array(signed) - c) / np.array(error)
    tail = stdtr(np.array(df), t)
    return {
        "coverage, t": float(((np.array(low) <= truth) & (truth <= np.array(high))).mean()),
        "against 0": float((np.array(p) <= 0.05).mean()),
        "less": float((tail <= 0.05).mean()),
        "more": float((tail >= 0.95).mean()),
        "truth": float(truth),
    }


def main(sets: int) -> None:
    out = sys.stdout
    columns = (
        "coverage, studentized",
        "coverage, t",
        "against 0",
        "less",
        "more",
        "t test of the share, less",
    )
    out.write(
        "| design | n | what | "
        + " | ".join(columns)
        + " |\n"
        + "| --- " * (len(columns) + 3)
        + "|\n"
    )
    for form in FORMS:
        for design in DESIGNS if form == "in sample" else ("absent", "clear"):
            for n in SIZES:
                found = rates(design, form, n, sets)
                cells = [
                    f"{found[c]:.3f}" if np.isfinite(found.get(c, np.nan)) else "" for c in columns
                ]
                out.write(f"| {design} | {n} | {form} | " + " | ".join(cells) + " |\n")
                out.flush()
    out.write(
        "\n| first model | n | coverage, t | against 0 | less | more |\n" + "| --- " * 6 + "|\n"
    )
    for absent in (True, False):
        for n in SIZES:
            found = both_rates(n, max(sets // 2, 1), absent)
            cells = [f"{found[c]:.3f}" for c in ("coverage, t", "against 0", "less", "more")]
            out.write(f"| {'absent' if absent else 'there'} | {n} | " + " | ".join(cells) + " |\n")
            out.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
