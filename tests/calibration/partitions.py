"""Coverage of variance partitioning where stimuli are drawn: ``python -m tests.calibration.partitions [data sets]``.

Stimuli are new in every study, or people and stimuli. The truth is the mean estimate of the studies: what held-out
regressions of this size reach, unknown to the package.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd

import apastats as apa
from apastats.errors import ApaWarning

N_UNIT, N_DIM, NOISE = 12, 4, 1.5
DRAWN = {"stimuli": "stimulus", "subjects and stimuli": ("subject", "stimulus")}


def study(seed: int, n: int, m: int, *, new_people: bool) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Responses of ``n`` people to ``m`` stimuli: one band alone, one with what it shares, one without any part."""
    fixed, rng = np.random.default_rng(7), np.random.default_rng(seed)
    readers = rng if new_people else fixed
    one, other, none = rng.normal(size=(3, m, N_DIM))
    other = 0.7 * other + 0.7 * one
    brain = {}
    for i in range(n):
        w = (1 + 0.3 * readers.normal(size=(2, N_DIM, N_UNIT))) * fixed_weights()
        brain[f"s{i:02d}", "V1"] = (
            one @ w[0] + 0.6 * other @ w[1] + NOISE * rng.normal(size=(m, N_UNIT))
        )
    return brain, {"one": one, "other": other, "none": none}


def fixed_weights() -> np.ndarray:
    """What people have in common."""
    return np.asarray(np.random.default_rng(8).normal(size=(2, N_DIM, N_UNIT)) / np.sqrt(N_DIM))


def coverage(n: int, m: int, drawn: str, sets: int, n_resamples: int = 100) -> pd.DataFrame:
    """How often the interval of each part holds its mean over studies."""
    found = []
    for k in range(sets):
        brain, bands = study(1000 + k, n, m, new_people="subjects" in drawn)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ApaWarning)
            table = apa.variance_partitioning(
                brain, bands, cluster=DRAWN[drawn], alphas=[1.0, 10.0, 100.0, 1000.0], n_resamples=n_resamples, rng=k,
            ).table  # fmt: skip
        found.append(table.assign(study=k))
    rows = pd.concat(found)
    label = rows["part"].astype(str) + " " + rows["model"].astype(str)
    truth = rows.groupby(label)["estimate"].transform("mean")
    held = (rows["conf_low"] <= truth) & (truth <= rows["conf_high"])
    out = rows.assign(label=label, held=held).groupby("label", sort=False)
    result = out.agg(
        estimate=("estimate", "mean"), sd=("estimate", "std"), se=("std_error", "mean"), coverage=("held", "mean")
    ).reset_index()  # fmt: skip
    return result.assign(n=n, stimuli=m, drawn=drawn, sets=sets)


def main() -> None:
    """Print the table."""
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    parts = [coverage(n, m, d, sets) for n, m in ((8, 60), (10, 100)) for d in DRAWN]
    sys.stdout.write(pd.concat(parts).round(3).to_string(index=False) + "\n")


if __name__ == "__main__":
    main()
