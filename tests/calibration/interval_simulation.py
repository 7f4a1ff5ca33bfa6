"""Coverage of the intervals of a mean: ``python -m tests.calibration.interval_simulation [data sets]``.

Every simulated data set is one cell, so that one call makes the intervals of thousands of them.
"""

from __future__ import annotations

import sys

import numpy as np

from apastats.resampling.means import summarise_means
from apastats.resampling.plans import subject_counts

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


def main(sets: int) -> None:
    out = sys.stdout
    out.write("| n | data | " + " | ".join(KINDS) + " |\n")
    out.write("| --- | --- |" + " --- |" * len(KINDS) + "\n")
    for n in SIZES:
        for name in ("normal", "lognormal", "t3"):
            found = coverage(n, name, sets, seed=1)
            out.write(f"| {n} | {name} | " + " | ".join(f"{found[k]:.3f}" for k in KINDS) + " |\n")
            out.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
