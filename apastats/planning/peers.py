"""What other programs do by default, on the same simulated studies: small implementations of their own formulas."""

from __future__ import annotations

from typing import Any

import numpy as np

from apastats.planning.simulated import Study, Trial, covers, errs

__all__ = ["PEERS", "rsatoolbox_bootstrap", "rsatoolbox_ceiling"]


def _t(df: float, p: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(df, p))


def _units(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(axis=-1, keepdims=True)
    return np.asarray(x / np.sqrt((x * x).sum(axis=-1, keepdims=True)))


def _people(s: Study) -> np.ndarray:
    """RDMs ``[n, pair]`` of the first region, mean 0 and length 1."""
    vectors = s.rdms[0].vectors
    return _units(vectors.reshape(s.n, -1, vectors.shape[1])[:, 0])


def rsatoolbox_ceiling(gram: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Lower and upper noise ceiling of people drawn ``counts [..., n]`` times, by ``gram [n, n]`` of their RDMs.

    As ``boot_noise_ceiling(method="corr")``: each distinct person against the mean of all others drawn, and against
    the mean of all.
    """
    w = np.asarray(counts, dtype=float)
    cross = w @ gram
    total = (cross * w).sum(axis=-1, keepdims=True)
    there = w > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        upper = cross / np.sqrt(total)
        left = total - 2 * w * cross + w**2 * np.diagonal(gram)
        lower = (cross - w * np.diagonal(gram)) / np.sqrt(left)
        distinct = there.sum(axis=-1)
        each = [np.where(there, v, 0.0).sum(axis=-1) / distinct for v in (lower, upper)]
    return np.stack(each, axis=-1)


def rsatoolbox_bootstrap(gram: np.ndarray, n_draw: int, g: np.random.Generator) -> np.ndarray:
    """Ceilings of people drawn with replacement, ``[n_draw, 2]``."""
    n = len(gram)
    counts = g.multinomial(n, np.full(n, 1 / n), size=n_draw)
    return rsatoolbox_ceiling(gram, counts[(counts > 0).sum(axis=1) > 1])


def _rsa_ceiling(side: int) -> Any:
    def run(s: Study) -> Any:
        x = _people(s)
        gram = x @ x.T
        found = rsatoolbox_bootstrap(gram, 1000, s.generator("verbs"))[:, side]
        estimate = float(rsatoolbox_ceiling(gram, np.ones(s.n))[side])
        return [estimate, *np.quantile(found, [0.025, 0.975]), np.nan]

    return run


def _rsa_mean(s: Study) -> Any:
    """``eval_fixed(...).get_ci(.95)``: Student's t."""
    x = _wide(s, "tied", "roi_01")[:, 0]
    half = _t(s.n - 1, 0.975) * x.std(ddof=1) / np.sqrt(s.n)
    return [x.mean(), x.mean() - half, x.mean() + half, float(s.population.mean[0])]


def _rsa_boot_mean(s: Study) -> Any:
    """``eval_bootstrap_rdm(...).get_ci(.95, "bootstrap")``: percentiles of 1000 resamples."""
    x = _wide(s, "tied", "roi_01")[:, 0]
    draws = x[s.generator("verbs").integers(0, s.n, (1000, s.n))].mean(axis=1)
    return [x.mean(), *np.quantile(draws, [0.025, 0.975]), float(s.population.mean[0])]


def _rsa_pairs(s: Study) -> Any:
    """``test_pairwise`` of ``eval_fixed``, as its tables and figures show it: every pair at 5 %."""
    from scipy.special import stdtr

    found = False
    for roi in s.population.rois:
        x = _wide(s, "tied", roi)
        a, b = np.triu_indices(x.shape[1], 1)
        d = x[:, a] - x[:, b]
        t = d.mean(axis=0) / (d.std(axis=0, ddof=1) / np.sqrt(s.n))
        found |= bool((2 * stdtr(s.n - 1, -np.abs(t)) <= 0.05).any())
    return found


def _wide(s: Study, what: str, roi: str) -> np.ndarray:
    """Scores ``[n, model]``."""
    frame = s.models(what).frame
    frame = frame[frame["roi"] == roi]
    return np.asarray(frame.pivot(index="subject", columns="model", values="score").to_numpy())


def _t_tost(s: Study) -> Any:
    """``t_TOST(paired = TRUE)`` of every model with the best seen, bounds of the true margin, as they come."""
    from scipy.special import stdtr

    bound = s.margin / 0.9 * s.population.mean
    for j, roi in enumerate(s.population.rois):
        x = _wide(s, "ladder", roi)
        best = int(x.mean(axis=0).argmax())
        d = np.delete(x, best, axis=1) - x[:, [best]]
        named = np.delete(np.arange(x.shape[1]), best)
        error = d.std(axis=0, ddof=1) / np.sqrt(s.n)
        p = np.maximum(
            stdtr(s.n - 1, -(d.mean(axis=0) + bound[j]) / error),
            stdtr(s.n - 1, (d.mean(axis=0) - bound[j]) / error),
        )
        if ((p <= 0.05) & ((named != 0) | (best == 0)) & (named != 0)).any():
            return True
    return False


def _published(s: Study, what: str) -> np.ndarray:
    """Which models reach the lower end of the best model's 95 % percentile interval, ``[model, roi]``."""
    g = s.generator("verbs")
    inside = []
    for roi in s.population.rois:
        x = _wide(s, what, roi)
        best = int(x.mean(axis=0).argmax())
        draws = x[g.integers(0, s.n, (1000, s.n)), best].mean(axis=1)
        inside.append(x.mean(axis=0) >= np.quantile(draws, 0.025))
    return np.array(inside).T


def _published_false(s: Study) -> Any:
    return _published(s, "ladder")[1:].any()


def _published_found(s: Study) -> Any:
    return _published(s, "tied").mean()


PEERS: dict[str, Trial] = {
    "rsatoolbox mean": covers("rsatoolbox: eval_fixed", "a mean", _rsa_mean),
    "rsatoolbox bootstrap": covers("rsatoolbox: eval_bootstrap_rdm", "a mean, percentiles", _rsa_boot_mean),
    "rsatoolbox pairs": errs("rsatoolbox: eval_fixed", "any of all equal models called different", _rsa_pairs),
    "rsatoolbox lower": covers("rsatoolbox: eval_bootstrap_rdm", "the lower noise ceiling", _rsa_ceiling(0)),
    "rsatoolbox upper": covers("rsatoolbox: eval_bootstrap_rdm", "the upper noise ceiling", _rsa_ceiling(1)),
    "TOSTER": errs("TOSTER: t_TOST", "any model at the margin called equivalent to the best seen", _t_tost),
    "published rule": errs("published rule", "any model at the margin called as good as the best", _published_false),
    "published rule found": Trial("published rule", "tied models shown", "power", np.nan, _published_found),
}  # fmt: skip
