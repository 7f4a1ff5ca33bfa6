"""Coverage of bootstrap intervals of measures: ``python analyses/measures/coverage.py [FILE] [MEASURE ...]`` (minutes).

Simulated studies with new stimuli (subjects kept), or new subjects and new stimuli; the interval has to hold the mean
score of such studies, which the package never sees. Writes ``coverage.csv`` beside this file; rows of other measures
than those named stay as they are, and puts the table into ``docs/calibration_intervals.md``.
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
N_UNIT, N_DIM = 30, 10
CLUSTERS = {"stimuli": "stimulus", "subjects and stimuli": ("subject", "stimulus")}
# measure, subjects, stimuli, simulated studies, resamples each: what is fitted in every resample is dear
SIZES = (
    ("cka-debiased", 6, 40, 200, 150),
    ("procrustes", 6, 40, 120, 100),
    ("cka", 6, 40, 200, 150),
    ("cka-rbf", 6, 40, 200, 150),
    ("bures", 6, 40, 300, 100),
    ("mutual-knn", 6, 40, 300, 100),
    ("ridge", 6, 40, 200, 100),
    ("ridge", 10, 60, 200, 150),
    ("ridge", 8, 100, 200, 150),
    ("pearson-ridge", 10, 60, 200, 150),
)


def study(seed: int, n_subject: int, n_stimulus: int, *, new_subjects: bool) -> tuple[dict, dict]:
    """Responses of subjects that read the same latent features out differently, and a model of them."""
    fixed = np.random.default_rng(9)
    mixing = fixed.normal(size=(N_DIM, N_DIM)) / np.sqrt(N_DIM)
    rng = np.random.default_rng(seed)
    readers = rng if new_subjects else fixed
    readout = [
        (np.eye(N_DIM) + 0.5 * readers.normal(size=(N_DIM, N_DIM)))
        @ readers.normal(size=(N_DIM, N_UNIT))
        / np.sqrt(N_DIM)
        for _ in range(n_subject)
    ]
    z = rng.normal(size=(n_stimulus, N_DIM)) * np.arange(1, N_DIM + 1) ** -0.5
    brain = {
        (f"s{i}", "V1"): z @ w + 0.4 * rng.normal(size=(n_stimulus, N_UNIT))
        for i, w in enumerate(readout)
    }
    return brain, {("net", "1"): z @ mixing}


def rows(names: list[str]) -> Iterator[dict]:
    """One row per measure, size and kind of resample."""
    for name, n_subject, n_stimulus, sets, resamples in SIZES:
        if names and name not in names:
            continue
        for what, cluster in CLUSTERS.items():
            found = []
            for k in range(sets):
                brain, models = study(
                    1000 + k, n_subject, n_stimulus, new_subjects="subjects" in what
                )
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
                "n_subject": n_subject,
                "n_stimulus": n_stimulus,
                "n_set": sets,
                "n_resamples": resamples,
                "mean_score": truth,
                "sd_of_estimates": estimate.std(ddof=1),
                "rms_std_error": float(np.sqrt((error**2).mean())),
                "nominal": 0.95,
                "coverage": covered,
                "mcse": float(np.sqrt(0.95 * 0.05 / sets)),
            }


def page(table: pd.DataFrame) -> str:
    """Table of ``docs/calibration_intervals.md``."""
    lines = [
        "| measure | subjects, stimuli | drawn | studies | covered | standard error over SD of the scores |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for r in table.to_dict("records"):
        ratio = r["rms_std_error"] / r["sd_of_estimates"]
        lines.append(
            f"| `{r['measure']}` | {r['n_subject']}, {r['n_stimulus']} | {r['resampled']} | {r['n_set']} "
            f"| {r['coverage']:.3f} ({r['mcse']:.3f}) | {ratio:.2f} |"
        )
    return "\n".join(lines) + "\n"


def write_page(table: pd.DataFrame) -> None:
    """Put the table into the page, in the place of the one that is there."""
    file = HERE.parents[1] / "docs" / "calibration_intervals.md"
    text, new = file.read_text("utf-8"), page(table)
    start = text.index(new.splitlines()[0])
    stop = text.index("\n\n", start) + 1
    file.write_text(text[:start] + new + text[stop:], "utf-8")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "coverage.csv"
    names = sys.argv[2:]
    before = pd.read_csv(target) if names and target.exists() else pd.DataFrame()
    kept = before[~before["measure"].isin(names)] if len(before) else before
    done: list[dict] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ApaWarning)
        for row in rows(names):
            done.append(row)
            found = pd.concat([kept, pd.DataFrame(done)], ignore_index=True)
            found.to_csv(target, index=False, float_format="%.6g")
            sys.stdout.write(
                f"{row['measure']} {row['n_stimulus']} {row['resampled']}: {row['coverage']:.3f}\n"
            )
            sys.stdout.flush()
    if target == HERE / "coverage.csv":
        write_page(pd.read_csv(target))
