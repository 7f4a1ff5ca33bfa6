"""Noise bias of every measure: ``python analyses/measures/bias.py [FILE]`` (minutes).

Writes ``bias.csv`` beside this file.

Two data sets with one geometry (the same latent features, rotated into their units) and independent noise. Without
noise the score of measures that do not change with rotation is 1; signal-to-noise ratio 0 is noise alone.
"""

from __future__ import annotations

import itertools
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import apastats as apa
from apastats.errors import ApaWarning
from apastats.scoring.measures.measure import MEASURES

HERE = Path(__file__).resolve().parent
N_DIM, N_REPLICATE, SEED = 10, 6, 20261130
STIMULI, UNITS, RATIOS = (25, 50, 100), (25, 100), (0.0, 0.5, 2.0, np.inf)
NAMES = [name for name in MEASURES if name != "rsa"]


def two(rng: np.random.Generator, n: int, p: int, ratio: float) -> list[np.ndarray]:
    """Two noisy measurements; ``ratio`` is the variance of the signal over that of the noise."""
    z = rng.standard_normal((n, N_DIM)) * np.arange(1, N_DIM + 1) ** -0.5
    made = []
    for _ in range(2):
        rotation = np.linalg.qr(rng.standard_normal((p, N_DIM)))[0].T
        signal = z @ rotation
        signal /= signal.std()
        noise = rng.standard_normal((n, p))
        made.append(
            noise if ratio == 0 else signal + (0 if np.isinf(ratio) else noise / np.sqrt(ratio))
        )
    return made


def rows() -> list[dict]:
    """One row per measure and cell, means over replicates."""
    found = []
    for cell, (n, p, ratio) in enumerate(itertools.product(STIMULI, UNITS, RATIOS)):
        scores = []
        for k in range(N_REPLICATE):
            x, y = two(np.random.default_rng([SEED, cell, k]), n, p, ratio)
            table = apa.score_patterns(
                {("s", "r"): y}, {("m", "l"): x}, measure=NAMES, references=None
            )
            scores.append(table.frame.set_index("metric")["score"].reindex(NAMES).to_numpy("f8"))
        stack = np.array(scores)
        for name, values in zip(NAMES, stack.T, strict=True):
            kept = values[np.isfinite(values)]
            found.append(
                {
                    "measure": name,
                    "n_stimulus": n,
                    "n_unit": p,
                    "snr": ratio,
                    "score": kept.mean() if len(kept) else np.nan,
                    "mcse": kept.std(ddof=1) / np.sqrt(len(kept)) if len(kept) > 1 else np.nan,
                    "n_replicate": len(kept),
                }
            )
    return found


def with_bias(found: list[dict]) -> pd.DataFrame:
    """The score less that without noise, of the same sizes."""
    table = pd.DataFrame(found)
    keys = ["measure", "n_stimulus", "n_unit"]
    clean = table[np.isinf(table["snr"])].set_index(keys)["score"]
    at = pd.MultiIndex.from_frame(table[keys])
    # noise alone has nothing in common: its bias is the score itself
    table["bias"] = table["score"] - np.where(table["snr"] == 0, 0.0, clean.reindex(at).to_numpy())
    order = {name: i for i, name in enumerate(NAMES)}
    return table.sort_values("measure", key=lambda c: c.map(order), kind="stable")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "bias.csv"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ApaWarning)
        made = with_bias(rows())
    made.to_csv(target, index=False, float_format="%.5g")
    sys.stdout.write(f"{target}: {len(made)} rows\n")
