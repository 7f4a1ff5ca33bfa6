"""Error rates and power of ``brain_test``: ``python -m tests.calibration.brain_people [data sets]``.

RDMs of people are ``a T_r + b U_r + sqrt(1 - a^2 - b^2) own`` with 120 pairs and 8 regions whose geometries T overlap
with their neighbours'; a person's own part is shared by its regions to a third. Data come from nothing of the package;
nor do the numbers of the first question. A test holds the verb to these numbers.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy import stats

from apastats.numbers.one_more_person import as_candidates, effects_of_people, profile_test
from apastats.patterns.arrays import PatternArrays
from apastats.patterns.as_predictors import of_agreement
from apastats.patterns.compared import Predictors

STRUCTURES = {
    "homog": "a = .6",
    "hetero": "a from .3 to .9 by person, and .1 more or less by region",
    "factor": "a = .6, and a second shared dimension with a weight from -.4 to .4 by person",
}
REGIONS, PAIRS = 8, 120
SHARE = 0.2  # margin of the power of the truth: this share of the mean similarity of two people


def geometries(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """``T, U [region, pair]``, mean 0 and variance 1."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(REGIONS + 2, PAIRS))
    shared = np.array([x[r] + 0.7 * x[r + 1] + 0.4 * x[r + 2] for r in range(REGIONS)])
    both = []
    for g in (shared, rng.normal(size=(REGIONS, PAIRS))):
        g = g - g.mean(axis=1, keepdims=True)
        both.append(g / g.std(axis=1, keepdims=True))
    return both[0], both[1]


def draw(structure: str, sets: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """RDMs of people ``[sets, n, region, pair]``."""
    first, second = geometries()
    shape = (sets, n, REGIONS)
    a, b = np.full(shape, 0.6), np.zeros(shape)
    if structure == "hetero":
        a = rng.uniform(0.3, 0.9, (sets, n, 1)) + rng.uniform(-0.1, 0.1, shape)
    if structure == "factor":
        b = rng.uniform(-0.4, 0.4, (sets, n, 1)) + b
    own = 0.8 * rng.normal(size=(*shape, PAIRS)) + 0.6 * rng.normal(size=(sets, n, 1, PAIRS))
    left = np.sqrt(1 - a**2 - b**2)
    return np.asarray(a[..., None] * first + b[..., None] * second + left[..., None] * own)


def units(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(axis=-1, keepdims=True)
    return np.asarray(x / np.sqrt((x * x).sum(axis=-1, keepdims=True)))


def similar(people: np.ndarray, others: np.ndarray) -> np.ndarray:
    """``[sets, person, other, region of the other, region of the person]``."""
    return np.einsum("niap,njbp->nijba", people, others, optimize=True)


def noninferior(
    model: np.ndarray,
    pairs: np.ndarray,
    low: np.ndarray | float,
    second: np.ndarray | None = None,
) -> np.ndarray:
    """p of ``mean model - mean person > low`` by leaving each person out, ``[n, q], [n, n, q] -> [q]``.

    With the second order of the pairs (``second``, where it is not theirs), written out.
    """
    n = len(model)

    def mean(keep: np.ndarray) -> np.ndarray:
        part = pairs[np.ix_(keep, keep)]
        return np.asarray(
            model[keep].mean(axis=0) - np.nansum(part, axis=(0, 1)) / len(keep) / (len(keep) - 1)
        )

    full = mean(np.arange(n))
    left = np.array([mean(np.delete(np.arange(n), i)) for i in range(n)])
    error = np.sqrt((n - 1) / n * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    t = (full - low) / error
    g = (n - 1) * (left.mean(axis=0) - left) / 2
    y = pairs if second is None else second
    off = ~np.eye(n, dtype=bool)
    kappa = np.zeros(model.shape[1])
    for q in range(model.shape[1]):
        design = np.array(
            [np.eye(n)[i] + np.eye(n)[j] for i, j in zip(*np.nonzero(off), strict=True)]
        )
        value = y[..., q][off]
        beyond = value - design @ np.linalg.lstsq(design, value, rcond=None)[0]
        products = np.outer(g[:, q], g[:, q])[off]
        kappa[q] = -(products * beyond).mean() / g[:, q].std(ddof=1) ** 3
    k = np.clip(kappa / 2 / np.sqrt(n), -0.15, 0.15)
    return np.asarray(stats.t.sf(t + (np.minimum(t**2, 9) + 1) * k, n - 1))


def true_difference(structure: str, model: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Population mean of the model less that of a person, and the latter, ``[region]``."""
    rng = np.random.default_rng([99, list(STRUCTURES).index(structure)])
    people, others = (units(draw(structure, 1, 6000, rng)[0]) for _ in range(2))
    person = (people * others).sum(axis=-1).mean(axis=0)
    both = np.concatenate([people, others])
    return (both * units(model)).sum(axis=-1).mean(axis=0) - person, person


def models() -> dict[str, np.ndarray]:
    """RDMs ``[region, pair]`` of models: half a geometry, and the geometry without noise."""
    first, _ = geometries()
    noise = np.random.default_rng(5).normal(size=first.shape)
    return {"poor": units(0.5 * first + noise), "truth": units(first)}


def simulate(
    structure: str, n: int, sets: int, seed: int = 1, draws: int = 499
) -> dict[str, np.ndarray]:
    """Per data set: shares of regions (or 0, 1) in which something is concluded at .05."""
    rng = np.random.default_rng([seed, n, list(STRUCTURES).index(structure)])
    known = {k: (m, *true_difference(structure, m)) for k, m in models().items()}
    out: dict[str, list[float]] = {}

    def keep(**found: float) -> None:
        for k, v in found.items():
            out.setdefault(k, []).append(float(v))

    for s in range(sets):
        x = units(draw(structure, 1, n + 1, rng))
        own = np.einsum("ijrr->ijr", similar(x, x)[0]).copy()
        pairs, further = own[:n, :n].copy(), own[:n, n][:, None]
        pairs[np.eye(n, dtype=bool)] = np.nan
        people = effects_of_people(pairs)
        average = effects_of_people(pairs.mean(axis=2, keepdims=True))
        for side in ("less", "two-sided"):
            found = as_candidates(pairs, further, people, side)
            profile = profile_test(
                people,
                found,
                alternative=side,
                n_resamples=draws,
                rng=np.random.default_rng([s, n]),
            )
            mean = as_candidates(
                pairs.mean(axis=2, keepdims=True),
                further.mean(axis=2, keepdims=True),
                average,
                side,
            )
            keep(**{
                f"region_{side}": (found.p_value <= 0.05).mean(),
                f"mean_{side}": mean.p_value[0, 0] <= 0.05,
                f"any_{side}": profile.p_largest[0] <= 0.05,
                f"profile_{side}": profile.p_distance[0] <= 0.05,
            })  # fmt: skip
            if side == "less":
                keep(rank=(found.p_rank <= 1.001 / (n + 1)).mean(),
                     rank_profile=profile.p_rank[0] <= 1.001 / (n + 1))  # fmt: skip
        for name, (model, difference, person) in known.items():
            score = (x[0, :n] * model).sum(axis=-1)
            at = noninferior(score, pairs, difference)
            over = noninferior(
                score.mean(axis=1, keepdims=True),
                pairs.mean(axis=2, keepdims=True),
                difference.mean(),
            )
            keep(**{f"margin_{name}": (at <= 0.05).mean(), f"margin_all_{name}": over[0] <= 0.05})
            placed = as_candidates(pairs, score[:, None], people, "less")
            whole = profile_test(
                people,
                placed,
                alternative="less",
                n_resamples=draws,
                rng=np.random.default_rng([s, n]),
            )
            keep(**{
                f"good_{name}": (noninferior(score, pairs, -SHARE * person) <= 0.05).mean(),
                f"beyond_region_{name}": (placed.p_value <= 0.05).mean(),
                f"beyond_profile_{name}": whole.p_distance[0] <= 0.05,
            })  # fmt: skip
    return {k: np.array(v) for k, v in out.items()}


def simulate_agreement(
    structure: str, n: int, sets: int, seed: int = 2, draws: int = 499
) -> dict[str, np.ndarray]:
    """The same for agreement (Fisher z): a further brain, and the mean difference to people."""
    rng = np.random.default_rng([seed, n, list(STRUCTURES).index(structure)])
    rois = [f"r{i}" for i in range(REGIONS)]
    index = np.broadcast_to(np.arange(REGIONS), (n, 1, REGIONS))
    chosen = Predictors(["further"], [rois], index)
    out: dict[str, list[float]] = {}
    for s in range(sets):
        x = units(draw(structure, 1, n + 1, rng))
        g = similar(x, x)[0]
        pairs, further = g[:n, :n].copy(), g[:n, n]
        pairs[np.eye(n, dtype=bool)] = np.nan
        arrays = PatternArrays([f"s{i}" for i in range(n)], rois, [("corr", "test")], ["further"] * REGIONS, rois,
                               further[None], None, pairs[None])  # fmt: skip
        made = of_agreement(arrays, 0, chosen, "subject_to_subject", "pearson")
        assert made.pairs is not None
        people = effects_of_people(made.pairs)
        found = as_candidates(made.pairs, made.model, people, "less")
        profile = profile_test(
            people, found, alternative="less", n_resamples=draws, rng=np.random.default_rng([s, n])
        )
        both = as_candidates(made.pairs, made.model, people, "two-sided")
        kept = {
            "region_less": (found.p_value <= 0.05).mean(),
            "region_two-sided": (both.p_value <= 0.05).mean(),
            "any_less": profile.p_largest[0] <= 0.05,
            "profile_less": profile.p_distance[0] <= 0.05,
            "rank": (found.p_rank <= 1.001 / (n + 1)).mean(),
            "bias": found.effect.mean(),
        }
        for k, v in kept.items():
            out.setdefault(k, []).append(float(v))
    return {k: np.array(v) for k, v in out.items()}


if __name__ == "__main__":
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for structure in STRUCTURES:
        for n in (8, 10):
            for make, label in ((simulate, "score"), (simulate_agreement, "agreement")):
                found = make(structure, n, size if make is simulate else size // 2)
                print(structure, n, label, {
                    k: f"{v.mean():.3f} ({v.std() / np.sqrt(len(v)):.3f})" for k, v in found.items()
                }, flush=True)  # fmt: skip
