"""Coverage of bootstrap intervals of measures: ``python analyses/measures/coverage.py [FILE]`` (minutes).

Simulated studies with new stimuli (subjects kept), or new subjects and new stimuli; the interval has to hold the mean
score of such studies, which the package never sees. Writes ``coverage.csv`` beside this file.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import stdtrit

import apastats as apa
from apastats.errors import ApaWarning

HERE = Path(__file__).resolve().parent
N_SUBJECT, N_STIMULUS, N_UNIT, N_DIM = 6, 40, 30, 10
CLUSTERS = {"stimuli": "stimulus", "subjects and stimuli": ("subject", "stimulus")}
# measure -> simulated studies, resamples each: what is fitted in every resample is dear
SIZES = {
    "cka-debiased": (200, 150),
    "procrustes": (120, 100),
    "cka": (200, 150),
    "mutual-knn": (60, 60),
    "ridge": (60, 100),
}


def study(seed: int, *, new_subjects: bool) -> tuple[dict, dict]:
    """Responses of subjects that read the same latent features out differently, and a model of them."""
    fixed = np.random.default_rng(9)
    mixing = fixed.normal(size=(N_DIM, N_DIM)) / np.sqrt(N_DIM)
    rng = np.random.default_rng(seed)
    readers = rng if new_subjects else fixed
    readout = [
        (np.eye(N_DIM) + 0.5 * readers.normal(size=(N_DIM, N_DIM)))
        @ readers.normal(size=(N_DIM, N_UNIT))
        / np.sqrt(N_DIM)
        for _ in range(N_SUBJECT)
    ]
    z = rng.normal(size=(N_STIMULUS, N_DIM)) * np.arange(1, N_DIM + 1) ** -0.5
    brain = {
        (f"s{i}", "V1"): z @ w + 0.4 * rng.normal(size=(N_STIMULUS, N_UNIT))
        for i, w in enumerate(readout)
    }
    return brain, {("net", "1"): z @ mixing}


def rows() -> Iterator[dict]:
    """One row per measure and kind of resample."""
    for name, (sets, resamples) in SIZES.items():
        for what, cluster in CLUSTERS.items():
            found = []
            for k in range(sets):
                brain, models = study(1000 + k, new_subjects="subjects" in what)
                b = apa.bootstrap(
                    "score ~ model", brain, models=models, measure=name, cluster=cluster,
                    n_resamples=resamples, rng=k, ceiling=False,
                )  # fmt: skip
                row = b.table.iloc[0]
                found.append((row["estimate"], row["std_error"], b.arrays["df"][0]))
            estimate, error, df = np.array(found).T
            truth = estimate.mean()
            covered = float((np.abs(estimate - truth) <= stdtrit(df, 0.975) * error).mean())
            yield {
                "measure": name,
                "resampled": what,
                "n_subject": N_SUBJECT,
                "n_stimulus": N_STIMULUS,
                "n_set": sets,
                "n_resamples": resamples,
                "mean_score": truth,
                "sd_of_estimates": estimate.std(ddof=1),
                "rms_std_error": float(np.sqrt((error**2).mean())),
                "nominal": 0.95,
                "coverage": covered,
                "mcse": float(np.sqrt(0.95 * 0.05 / sets)),
            }


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "coverage.csv"
    done: list[dict] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ApaWarning)
        for row in rows():
            done.append(row)
            pd.DataFrame(done).to_csv(target, index=False, float_format="%.6g")
            sys.stdout.write(f"{row['measure']} {row['resampled']}: {row['coverage']:.3f}\n")
            sys.stdout.flush()
