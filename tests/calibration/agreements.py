"""Agreement of alignment patterns, from RDMs that are simulated here: ``python -m tests.calibration.agreements``.

Eight ROIs with overlapping geometries (120 pairs), subject-own SD .9, noise SD 1.4 rising over the ROIs; scores are
correlations of all pairs of subjects; layer r stands for ROI r.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy import stats

from apastats.patterns.pattern_agreement import agreement_values, person_values
from apastats.patterns.pattern_similarity import fisher_z
from tests.calibration.ceilings import units

ROIS, PAIRS = 8, 120


def geometry(rng: np.random.Generator) -> np.ndarray:
    """Population RDMs ``[roi, pair]``: neighbours overlap."""
    place = np.arange(ROIS)
    weight = np.exp(-((place[:, None] - place) ** 2) / 4)
    x = weight @ rng.normal(size=(ROIS, PAIRS))
    return np.asarray(x / x.std(axis=1, keepdims=True))


def brains(truth: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """RDMs of new subjects ``[n, roi, pair]``."""
    noise = 1.4 * np.linspace(0.7, 1.3, ROIS)[:, None]
    own = 0.9 * rng.normal(size=(n, ROIS, PAIRS))
    return np.asarray(truth + own + noise * rng.normal(size=(n, ROIS, PAIRS)))


def patterns(brain: np.ndarray, models: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Alignment patterns of layers ``[subject, model x layer, roi]`` and of pairs ``[target, predictor, roi, roi]``."""
    z, m = units(brain), units(models)
    pairs = np.einsum("prk,stk->sprt", z, z)
    n = len(z)
    pairs[np.arange(n), np.arange(n)] = np.nan
    by_layer = np.einsum("jrk,stk->sjrt", m, z)
    return by_layer.reshape(n, -1, ROIS), pairs


def data_set(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Shares ``[n, roi]`` on both scales, matched: the brain, a fixed model, and one more brain entered as a model."""
    truth = geometry(np.random.default_rng(0))
    fixed = truth + 0.8 * np.random.default_rng(1).normal(size=truth.shape)
    x = brains(truth, n + 1, rng)
    model, pairs = patterns(x[:n], np.stack([fixed, x[n]]))
    out = {}
    for name, transform in (("z", fisher_z), ("a", None)):
        options = {"pairwise": True, "reference": "matched", "similarity": "pearson"}
        found, own = person_values(model, pairs, transform=transform, **options)
        layer = np.arange(ROIS)
        found = found.reshape(n, 2, ROIS, ROIS)[:, :, layer, layer]
        out |= {f"brain_{name}": own, f"model_{name}": found[:, 0], f"further_{name}": found[:, 1]}
    plain = agreement_values(model, pairs, **options)[1]
    return out | {"brain_plain": plain}


def simulate(n: int, sets: int, seed: int = 0) -> dict[str, np.ndarray]:
    """The same for many data sets, ``[set, subject, roi]``."""
    rng = np.random.default_rng([seed, n])
    found = [data_set(n, rng) for _ in range(sets)]
    return {name: np.stack([f[name] for f in found]) for name in found[0]}


def covered(shares: np.ndarray, on_z: np.ndarray | None = None) -> float:
    """Share of 95 % t intervals per ROI that hold the mean over data sets."""
    n = shares.shape[1]
    mean, error = shares.mean(axis=1), shares.std(axis=1, ddof=1) / np.sqrt(n)
    truth = mean.mean(axis=0)
    half = stats.t.ppf(0.975, n - 1) * error
    if on_z is not None:  # artanh of the mean, its jackknife error by the delta method or given
        centre = np.arctanh(mean)
        low, high = np.tanh(centre - on_z), np.tanh(centre + on_z)
        return float(((low <= truth) & (truth <= high)).mean())
    return float((np.abs(mean - truth) <= half).mean())


if __name__ == "__main__":
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    for n in (8, 10):
        f = simulate(n, sets)
        gap = f["further_z"].mean(axis=(1, 2)) - f["brain_z"].mean(axis=(1, 2))
        print(n, f"further - brain z {gap.mean():.3f} ({gap.std(ddof=1) / np.sqrt(sets):.3f})")
        for name in ("brain", "model"):
            a, z = f[f"{name}_a"], f[f"{name}_z"]
            half = stats.t.ppf(0.975, n - 1) * a.std(axis=1, ddof=1) / np.sqrt(n)
            half = half / (1 - a.mean(axis=1) ** 2)
            print(
                name,
                f"agreement {a.mean():.2f}: t {covered(a):.3f}, z {covered(z):.3f}, delta z {covered(a, half):.3f}",
            )
        print("independent", f"{covered(f['brain_plain']):.3f}")
