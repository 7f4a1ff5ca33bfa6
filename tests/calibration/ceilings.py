"""Coverage of noise ceilings and shares of them: ``python -m tests.calibration.ceilings [data sets]``.

Subject RDMs are ``a_s T + sqrt(1 - a_s^2) noise`` with 435 pairs, T fixed, subjects drawn anew. Nothing of the package
is used to make data or the numbers of ``ours``; a test holds the verbs to these numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from scipy import stats

CELLS = {
    "homog": "a = .6",
    "mild": "a from .4 to .8",
    "hetero": "a from .15 to .95",
    "lowrel": "a from .05 to .5",
    "factor": "a = .6, and a second shared dimension with weights from -.4 to .4",
}
SPREAD = {"mild": (0.4, 0.8), "hetero": (0.15, 0.95), "lowrel": (0.05, 0.5)}
SIZES = (4, 5, 6, 8, 10, 20)
PAIRS, BATCH = 435, 500


def directions(seed: int = 0) -> np.ndarray:
    """Three orthogonal RDMs of mean 0 and variance 1: shared, second dimension, and one that no brain has."""
    x = np.random.default_rng(seed).normal(size=(PAIRS, 3))
    q, _ = np.linalg.qr(x - x.mean(axis=0))
    return np.sqrt(PAIRS) * q.T


def draw(cell: str, sets: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """RDMs ``[sets, n, pairs]``."""
    shared, second, _ = directions()
    a = rng.uniform(*SPREAD[cell], (sets, n, 1)) if cell in SPREAD else np.full((sets, n, 1), 0.6)
    b = rng.uniform(-0.4, 0.4, (sets, n, 1)) if cell == "factor" else np.zeros((sets, n, 1))
    noise = rng.normal(size=(sets, n, PAIRS))
    return np.asarray(a * shared + b * second + np.sqrt(1 - a**2 - b**2) * noise)


def units(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(axis=-1, keepdims=True)
    return np.asarray(x / np.sqrt((x * x).sum(axis=-1, keepdims=True)))


def leave_one_out(gram: np.ndarray) -> np.ndarray:
    s = gram.sum(axis=2)
    return np.asarray((s - 1) / np.sqrt(s.sum(axis=1, keepdims=True) - 2 * s + 1))


def upper(gram: np.ndarray) -> np.ndarray:
    s = gram.sum(axis=2)
    return np.asarray(s / np.sqrt(s.sum(axis=1, keepdims=True)))


def subject_to_subject(gram: np.ndarray) -> np.ndarray:
    return np.asarray((gram.sum(axis=2) - 1) / (gram.shape[1] - 1))


def left_out(gram: np.ndarray, kind: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Shares of every person: the ceiling without the person, in all roles."""
    n = gram.shape[1]
    left = [kind(np.delete(np.delete(gram, i, 1), i, 2)).mean(axis=1) for i in range(n)]
    without = np.stack(left, axis=1)
    mean = kind(gram).mean(axis=1, keepdims=True)
    return np.asarray(mean + (n - 1) * (without.mean(axis=1, keepdims=True) - without))


def widened(values: np.ndarray, pairs: np.ndarray | None) -> np.ndarray:
    """Shares from leave-one-out scores alone, or with the mean over pairs."""
    n = values.shape[1]
    m, c = n - 1, values.mean(axis=1)
    if pairs is None:
        half = (1 - 1 / m) * c / 2
        part = c / (half + np.sqrt(half**2 + 1 / m))
    else:
        length = pairs / c
        part = (m * length**2 - 1) / (m - 1) / length**2
    part = np.clip(np.where(c > 0, part, 0), 0, 1)
    k = 1 + n / (n - 2) * (1 - (1 - 1 / m) * part)
    return np.asarray(c[:, None] + k[:, None] * (values - c[:, None]))


def simulate(cell: str, n: int, sets: int, seed: int) -> dict[str, np.ndarray]:
    """Ceilings and shares ``[sets, n]``, and the similarity of subjects with T and with an RDM no brain has."""
    rng = np.random.default_rng([seed, n, list(CELLS).index(cell)])
    parts: dict[str, list[np.ndarray]] = {}
    kinds = {"s2s": subject_to_subject, "loo": leave_one_out, "upper": upper}
    for start in range(0, sets, BATCH):
        z = units(draw(cell, min(BATCH, sets - start), n, rng))
        gram = z @ z.transpose(0, 2, 1)
        made = {name: kind(gram) for name, kind in kinds.items()}
        made |= {f"{name}_person": left_out(gram, kind) for name, kind in kinds.items()}
        made["loo_pairs"] = widened(made["loo"], made["s2s"].mean(axis=1))
        made["loo_alone"] = widened(made["loo"], None)
        shared, _, none = directions() / np.sqrt(PAIRS)
        made |= {"on_truth": z @ shared, "on_none": z @ none}
        for name, values in made.items():
            parts.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in parts.items()}


def coverage(values: np.ndarray, truth: float) -> float:
    """Share of 95 % t intervals that hold the truth."""
    n = values.shape[1]
    half = stats.t.ppf(0.975, n - 1) * values.std(axis=1, ddof=1) / np.sqrt(n)
    return float((np.abs(values.mean(axis=1) - truth) <= half).mean())


def score(found: dict[str, np.ndarray], loading: float) -> np.ndarray:
    """Scores of a fixed model that correlates with T by ``loading``."""
    return np.asarray(loading * found["on_truth"] + np.sqrt(1 - loading**2) * found["on_none"])


def rates(cell: str, n: int, sets: int, seed: int = 0) -> dict[str, float]:
    """Coverage of every kind, as independent subjects (``_plain``) and as it is done; errors of ``p_below``."""
    found = simulate(cell, n, sets, seed)
    truth = {name: float(found[name].mean()) for name in ("s2s", "loo", "upper")}
    out = {}
    for name, value in truth.items():
        out[f"{name}_plain"] = coverage(found[name], value)
        out[name] = coverage(found[f"{name}_person"], value)
    for name in ("loo_pairs", "loo_alone"):
        out[name] = coverage(found[name], truth["loo"])
    model = score(found, 0.5)
    at_ceiling = score(found, truth["loo"] / float(found["on_truth"].mean()))
    share = float(model.mean()) / truth["loo"]
    for name, part in (("_plain", "loo"), ("", "loo_person"), ("_pairs", "loo_pairs")):
        # Fieller's set holds the true share where the t test of score - share x ceiling does not reject
        out[f"share{name}"] = coverage(model - share * found[part], 0.0)
        gap = at_ceiling - found[part]
        t = gap.mean(axis=1) / gap.std(axis=1, ddof=1) * np.sqrt(n)
        out[f"below{name}"] = float((stats.t.cdf(t, n - 1) <= 0.05).mean())
    return out


def table(columns: dict[str, str], sets: int) -> str:
    """Markdown of the rates."""
    lines = ["| subjects | n | " + " | ".join(columns.values()) + " |"]
    lines.append("| --- " * (len(columns) + 2) + "|")
    for cell in CELLS:
        for n in SIZES:
            found = rates(cell, n, sets)
            row = " | ".join(f"{found[name]:.3f}" for name in columns)
            lines.append(f"| {cell} | {n} | {row} |")
    return "\n".join(lines)


COVERAGE = {
    "s2s_plain": "subject_to_subject as independent",
    "s2s": "subject_to_subject",
    "loo_plain": "leave_one_out as independent",
    "loo": "leave_one_out, Nili lower",
    "loo_pairs": "leave_one_out of a table with pairs",
    "loo_alone": "leave_one_out of a table without",
    "upper_plain": "Nili upper as independent",
    "upper": "Nili upper",
}
SHARES = {
    "share_plain": "share, as independent",
    "share": "share",
    "share_pairs": "share, table with pairs",
    "below_plain": "below, as independent",
    "below": "below",
    "below_pairs": "below, table with pairs",
}

if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(table(COVERAGE, number), table(SHARES, number), sep="\n\n")
