"""Max-T adjusted p-values from sign flips that keep all contrasts of a subject together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from apastats.numbers.moments import constant, moments
from apastats.resampling.plans import Plan

__all__ = ["MaxT", "joint_critical", "max_t"]

_CHUNK = 2**22  # numbers held at once


@dataclass(frozen=True, slots=True)
class MaxT:
    """Adjusted p-values, arrays ``[m]``."""

    p_value: np.ndarray
    p_equiv: np.ndarray
    p_low: np.ndarray
    p_high: np.ndarray


def _normalised(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns scaled so that ``sum(s z)`` is ``r = mean / root mean square``, and the number of units.

    Flips leave the sum of squares unchanged, so ``t = sqrt(n - 1) r / sqrt(1 - r^2)`` for every flip.
    """
    known = np.isfinite(z)
    n = known.sum(axis=0)
    filled = np.where(known, z, 0.0)
    size = np.sqrt(n * (filled**2).sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(size > 0, filled / size, 0.0), n


def _scale(r: np.ndarray, n: np.ndarray, equal: bool) -> np.ndarray:
    """R itself where all columns have as many units (t rises with r), t otherwise."""
    if equal:
        return r
    r = np.clip(r, -1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        out: np.ndarray = np.sqrt(n - 1.0) * r / np.sqrt(1 - r * r)
    return np.nan_to_num(out, posinf=1e300, neginf=-1e300)


def _flip_blocks(plan: Plan, m: int) -> Iterator[np.ndarray]:
    """Sign patterns in pieces; of an exact plan one of each pair s, -s."""
    rows = max(1, _CHUNK // max(m, 1))
    for _, block in plan.blocks():
        part = block[block[:, -1] > 0] if plan.exact else block
        for start in range(0, len(part), rows):
            yield part[start : start + rows]


def max_t(
    z: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    plan: Plan,
    families: np.ndarray,
    *,
    step_down: bool,
) -> MaxT:
    """Adjusted p-values of the ordinary, the equivalence and the one-sided tests.

    Parameters
    ----------
    z : array, ``[n, m]``
        Differences, NaN where missing.
    low, high : array, broadcast to ``[n, m]``
        Bounds.
    plan : Plan
        Sign flips of the n units; every flip is applied to all columns at once.
    families : array of int, ``[m]``
        Family of each column; the maximum runs over a family.
    step_down : bool
        Free step-down (Westfall and Young 1993) instead of the single step.

    Notes
    -----
    Ordinary tests: flips of ``z``. A column is a false claim of equivalence where its mean is on or beyond
    one bound, which one is unknown: the reference distribution is the maximum of ``|t*|`` over both bounds
    and all columns of the family, from flips of ``z - low`` and ``z - high``. That holds for every
    mixture of columns above and below, exactly where differences are symmetric. One-sided tests use the
    flips about their own bound.
    """
    low, high = (np.broadcast_to(v, z.shape) for v in (low, high))
    sources = [_normalised(v) for v in (z, z - low, z - high)]
    n = sources[0][1]
    equal = bool(np.all(n == n[0]))
    observed = [_scale(v.sum(axis=0), k, equal) for v, k in sources]
    seen = {
        "p_value": np.abs(observed[0]),
        "p_equiv": np.minimum(observed[1], -observed[2]),
        "p_low": observed[1],
        "p_high": -observed[2],
    }
    count = _step_down if step_down else _single_step
    undefined = (n < 2) | constant(z)
    out = {k: np.full(z.shape[1], np.nan) for k in seen}
    for f in np.unique(families):
        g = np.flatnonzero((families == f) & ~undefined)
        if not g.size:
            continue
        part = [(v[:, g], k[g]) for v, k in sources]
        counts, total = count(part, {k: v[g] for k, v in seen.items()}, plan, equal)
        for k, c in counts.items():
            out[k][g] = np.minimum(1.0, c / total if plan.exact else (c + 1) / (total + 1))
    return MaxT(**out)


Source = tuple[np.ndarray, np.ndarray]


def _single_step(
    sources: list[Source], seen: dict[str, np.ndarray], plan: Plan, equal: bool
) -> tuple[dict[str, np.ndarray], float]:
    """How many flips have a maximum that reaches each observed statistic."""
    tops: dict[str, list[np.ndarray]] = {k: [] for k in seen}
    for signs in _flip_blocks(plan, sources[0][0].shape[1]):
        ends = []
        for v, n in sources:
            t = _scale(signs @ v, n, equal)
            ends.append((t.max(axis=1), -t.min(axis=1)))
        (up, down), (up_low, down_low), (up_high, down_high) = ends
        two = np.maximum(up, down)
        both = np.maximum(np.maximum(up_low, down_low), np.maximum(up_high, down_high))
        # the mirrored pattern of an exact plan has the same absolute values and the other one-sided ones
        tops["p_value"] += [two, two] if plan.exact else [two]
        tops["p_equiv"] += [both, both] if plan.exact else [both]
        tops["p_low"] += [up_low, down_low] if plan.exact else [up_low]
        tops["p_high"] += [down_high, up_high] if plan.exact else [down_high]
    counts, total = {}, 0
    for k, parts in tops.items():
        top = np.sort(np.concatenate(parts))
        total = len(top)
        counts[k] = (total - np.searchsorted(top, seen[k] - _slack(seen[k]))).astype(float)
    return counts, float(total)


def _step_down(
    sources: list[Source], seen: dict[str, np.ndarray], plan: Plan, equal: bool
) -> tuple[dict[str, np.ndarray], float]:
    """Counts where each maximum runs over the statistics that are not larger; monotone."""
    parts = {"p_value": (0,), "p_equiv": (1, 2), "p_low": (1,), "p_high": (2,)}
    counts, total = {}, 0.0
    for k, which in parts.items():
        order = np.argsort(seen[k], kind="stable")
        ordered = [(sources[i][0][:, order], sources[i][1][order]) for i in which]
        level = (seen[k] - _slack(seen[k]))[order]
        count, total = np.zeros(len(order)), 0.0
        for signs in _flip_blocks(plan, len(order)):
            t = [_scale(signs @ v, n, equal) for v, n in ordered]
            if k in ("p_value", "p_equiv"):
                for u in t:
                    np.abs(u, out=u)
                streams = [t[0] if len(t) == 1 else np.maximum(t[0], t[1], out=t[0])]
                weight = 2.0 if plan.exact else 1.0
            else:
                first = t[0] if k == "p_low" else -t[0]
                streams, weight = ([first, -first] if plan.exact else [first]), 1.0
            for u in streams:
                np.maximum.accumulate(u, axis=1, out=u)
                count += weight * (u >= level).sum(axis=0)
                total += weight * len(u)
        falling = np.maximum.accumulate(count[::-1])[::-1]
        counts[k] = np.empty(len(order))
        counts[k][order] = falling
    return counts, total


def _slack(seen: np.ndarray) -> np.ndarray:
    """Statistics equal up to rounding are ties."""
    return np.asarray(1e-11 * np.maximum(np.abs(seen), 1e-3))


def joint_critical(
    z: np.ndarray, plan: Plan, families: np.ndarray, alpha: float, *, two_sided: bool = True
) -> np.ndarray:
    """Critical t of simultaneous intervals, per column: from flips of the centred values."""
    v, n = _normalised(z - moments(z)[1])
    groups = [np.flatnonzero(families == f) for f in np.unique(families)]
    tops: list[list[np.ndarray]] = [[] for _ in groups]
    for signs in _flip_blocks(plan, z.shape[1]):
        t = _scale(signs @ v, n, False)
        for top, g in zip(tops, groups, strict=True):
            # the mirrored pattern of an exact plan has the other one-sided maximum
            up, down = t[:, g].max(axis=1), -t[:, g].min(axis=1)
            top += [np.maximum(up, down)] if two_sided else [up, down] if plan.exact else [up]
    out = np.empty(z.shape[1])
    for top, g in zip(tops, groups, strict=True):
        out[g] = np.quantile(np.concatenate(top), 1 - alpha, method="higher")
    return out
