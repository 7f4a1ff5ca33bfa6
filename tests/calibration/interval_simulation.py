"""Coverage of the intervals of a mean: ``python -m tests.calibration.interval_simulation [data sets]``.

Every simulated data set is one cell, so that one call makes the intervals of thousands of them.
"""

from __future__ import annotations

import sys
from itertools import combinations

import numpy as np

from apastats.resampling.designs import nested_counts, stratified_counts
from apastats.resampling.keeping import design_arrays
from apastats.resampling.means import summarise_means
from apastats.resampling.plans import subject_counts
from apastats.resampling.summaries import Kept, summarise_kept

KINDS = ("studentized", "t", "bca", "percentile", "basic")
SIZES = (8, 10, 20)


def draw(name: str, n: int, sets: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Data ``[n, sets]`` and their true mean."""
    if name == "normal":
        return rng.normal(size=(n, sets)), 0.0
    if name == "lognormal":
        return np.exp(0.5 * rng.normal(size=(n, sets))), float(np.exp(0.125))
    return rng.standard_t(3, size=(n, sets)), 0.0


def coverage(n: int, name: str, sets: int, seed: int) -> dict[str, float]:
    """Share of data sets whose 95 % interval holds the true mean, by kind of interval."""
    x, truth = draw(name, n, sets, np.random.default_rng(seed))
    found = summarise_means(x, subject_counts(n, rng=seed), KINDS)
    return {
        k: float(((found.limits[k][0] <= truth) & (truth <= found.limits[k][1])).mean())
        for k in KINDS
    }


def design_coverage(design: str, sets: int, seed: int) -> dict[str, float]:
    """Share of data sets whose 95 % interval holds the true mean, for designs that are not one sample.

    ``dyad``: pairs of ten members, member and pair variance 1; ``nested``: ten parents of three units,
    both variances 1; ``stratified``: two strata of six units, two standard deviations apart.
    """
    rng = np.random.default_rng(seed)
    if design == "dyad":
        labels = np.array(list(combinations(range(10), 2)))
        roles = rng.normal(size=(10, sets))
        x = roles[labels].sum(axis=1) + rng.normal(size=(45, sets))
        plan, truth = subject_counts(10, 4000, seed), 0.0
    elif design == "nested":
        labels = np.repeat(np.arange(10), 3)
        x = rng.normal(size=(10, sets))[labels] + rng.normal(size=(30, sets))
        plan, truth = nested_counts(labels, 4000, seed), 0.0
    else:
        labels = np.repeat([0, 1], 6)
        x = rng.normal(size=(12, sets)) + 2 * labels[:, None]
        plan, truth = stratified_counts(labels, 4000, seed), 1.0
    a = design_arrays(design, x, labels, plan)
    names = ("std_error", "std_errors", "influence", "df")
    kept = Kept(a["estimate"], a["replicates"], **{k: a[k] for k in names})
    found = summarise_kept(kept, KINDS)
    return {k: float(((found[k][0] <= truth) & (truth <= found[k][1])).mean()) for k in KINDS}


def main(sets: int) -> None:
    out = sys.stdout
    out.write("| n | data | " + " | ".join(KINDS) + " |\n")
    out.write("| --- | --- |" + " --- |" * len(KINDS) + "\n")
    for n in SIZES:
        for name in ("normal", "lognormal", "t3"):
            found = coverage(n, name, sets, seed=1)
            out.write(f"| {n} | {name} | " + " | ".join(f"{found[k]:.3f}" for k in KINDS) + " |\n")
            out.flush()
    out.write("\n| design | " + " | ".join(KINDS) + " |\n| --- |" + " --- |" * len(KINDS) + "\n")
    for design in ("dyad", "nested", "stratified"):
        found = design_coverage(design, max(sets // 10, 1), seed=1)
        out.write(f"| {design} | " + " | ".join(f"{found[k]:.3f}" for k in KINDS) + " |\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
