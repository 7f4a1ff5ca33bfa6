"""Tests of what each model adds: sign flips and t tests of subjects, or the bootstrap where stimuli are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from apastats.errors import DesignError
from apastats.numbers.adjust_p import adjust_p
from apastats.numbers.moments import moments
from apastats.resampling.max_t import max_t
from apastats.resampling.plans import Plan
from apastats.resampling.vector_flips import vector_flips

__all__ = ["Tested", "tested_by_replicates", "tested_by_subjects"]


@dataclass(frozen=True)
class Tested:
    """Arrays ``[m]`` of the rows tested; ``p_less`` and ``p_more`` (than the margin) where there is one."""

    mean: np.ndarray
    std_error: np.ndarray
    df: np.ndarray
    critical: np.ndarray
    p: np.ndarray
    p_adjusted: np.ndarray
    p_less: np.ndarray | None
    p_more: np.ndarray | None
    test: str
    how: str
    method: str
    notes: tuple[str, ...] = ()


def _cells(result: Any) -> tuple[pd.DataFrame, list[np.ndarray], list[np.ndarray]]:
    """Rows tested, coordinates ``[n, d]`` of every subject, and the part itself ``[n]``."""
    info, rois = result.info, result.info["rois"]
    parts = [tuple(p) for p in info["parts"]]
    values = result.arrays["scores"]
    kept = [j for j, p in enumerate(parts) if p[0] != "shared"]
    keys, cells, own = [], [], []
    if info["signed"] == "root":
        names = [tuple(p) for p in info["tested_parts"]]
        sizes = np.asarray(info["dims"])
        starts = np.cumsum(sizes) - sizes
        for name, start, size in zip(names, starts, sizes, strict=True):
            for r, roi in enumerate(rois):
                keys.append((roi, *name))
                cells.append(result.arrays["coordinates"][:, start : start + size, r])
                own.append(values[:, parts.index(name), r])
    else:
        for j in kept:
            for r, roi in enumerate(rois):
                keys.append((roi, *parts[j]))
                cells.append(values[:, [j], r])
                own.append(values[:, j, r])
    return pd.DataFrame(keys, columns=["roi", "part", "model"]), cells, own


def tested_by_subjects(
    result: Any, edge: float | None, alternative: str, adjust: str, plan: Plan
) -> tuple[pd.DataFrame, Tested]:
    """Sign flips against 0, t tests against the margin.

    Parameters
    ----------
    result : UniqueVariance
    edge : float or None
        The margin on the scale of what is tested.
    alternative, adjust : str
    plan : Plan
        Sign flips of the subjects.
    """
    keys, cells, own = _cells(result)
    p, joint = vector_flips(cells, plan, two_sided=alternative == "two-sided")
    adjusted = joint if adjust == "max-t" else adjust_p(p, adjust)
    several = np.array([c.shape[1] > 1 for c in cells])
    # one column to be held below the margin, one above it: the same for a single model
    above = np.stack([_toward_others(c) if c.shape[1] > 1 else c[:, 0] for c in cells], axis=1)
    root = result.info["signed"] == "root"
    below = np.stack(
        [
            np.sqrt(np.maximum(o, 0)) if root and m else c[:, 0]
            for c, o, m in zip(cells, own, several, strict=True)
        ],
        axis=1,
    )
    n, mean, sd = moments(above)
    se = sd / np.sqrt(n)
    df = n - 1.0
    critical = stdtrit(df, (1 + result.info["conf_level"]) / 2)
    less = more = None
    if edge is not None:
        # a share of held-out variance may be below 0, which is less than any margin
        floor = -np.inf if result.info["signed"] == "held out" else -edge
        less, more = _against(below, above, edge, floor, adjust, plan)
        # a direction learned from others is noise where nothing is added: the flips must reject too
        more = np.where(several, np.maximum(more, adjusted), more)
    tests = "sign flips of the subjects" + ("" if edge is None else ", t tests against the margin")
    how, of = f"{tests}, over subjects", result.info.get("parts_of", "models")
    if adjust == "max-t":
        how += f"; adjusted by the maximum over all {of} and regions (max-T)"
    return keys, Tested(
        mean, se, df, critical, p, adjusted, less, more, "sign flips", how, "sign flips"
    )


def _toward_others(u: np.ndarray) -> np.ndarray:
    """Component of every subject's coordinates along the mean of the others', ``[n]``."""
    known = np.isfinite(u).all(axis=1)
    out = np.full(len(u), np.nan)
    v = u[known]
    others = v.sum(axis=0) - v
    length = np.linalg.norm(others, axis=1)
    out[known] = (v * others).sum(axis=1) / np.where(length > 0, length, np.nan)
    return out


def _against(
    below: np.ndarray, above: np.ndarray, edge: float, floor: float, adjust: str, plan: Plan
) -> tuple[np.ndarray, np.ndarray]:
    """p-values of "less than the margin" and "more than the margin"."""
    m = below.shape[1]
    low = -edge if np.isfinite(floor) else 0.0
    if adjust == "max-t":
        one = np.zeros(m, dtype=np.intp)
        found = max_t(below, np.full(m, low), np.full(m, edge), plan, one, step_down=False)
        less = found.p_equiv if np.isfinite(floor) else found.p_high
        up = max_t(above, np.full(m, edge), np.full(m, edge), plan, one, step_down=False)
        return less, up.p_low
    n, mean, sd = moments(below)
    with np.errstate(invalid="ignore", divide="ignore"):
        high = stdtr(n - 1, (mean - edge) / (sd / np.sqrt(n)))
        lower = stdtr(n - 1, -(mean - low) / (sd / np.sqrt(n)))
        less = np.maximum(high, lower) if np.isfinite(floor) else high
        n, mean, sd = moments(above)
        more = stdtr(n - 1, -(mean - edge) / (sd / np.sqrt(n)))
    return adjust_p(less, adjust), adjust_p(more, adjust)


def tested_by_replicates(
    result: Any, edge: float | None, alternative: str, adjust: str
) -> tuple[pd.DataFrame, Tested]:
    """Bootstrap t tests where stimuli are drawn; arguments as in :func:`tested_by_subjects`."""
    info, arrays = result.info, result.arrays
    names = [tuple(p) for p in info["tested_parts"]]
    if not names:
        raise DesignError(
            "no part can be tested: several models in a group have no signed contribution where stimuli are drawn; "
            "unique_variance(cross_validate='stimulus') holds data out"
        )
    keys = pd.DataFrame(
        [(r, *n) for n in names for r in info["rois"]], columns=["roi", "part", "model"]
    )
    mean, se, df = (arrays[f"test_{k}"] for k in ("estimate", "std_error", "df"))
    drawn_values = arrays["test_replicates"]
    whole = np.isfinite(drawn_values).all(axis=1)  # a resample may leave a fold without pairs
    drawn_values = drawn_values[whole]
    spread = (drawn_values - drawn_values.mean(axis=0)) / se
    two = alternative == "two-sided"
    held_out = info["signed"] == "held out"

    def p_of(t: np.ndarray, side: str) -> tuple[np.ndarray, np.ndarray]:
        """Single, and adjusted; side up, down or both."""
        if side == "both":
            return 2 * stdtr(df, -np.abs(t)), _share(np.abs(spread).max(axis=1), np.abs(t))
        sign = 1.0 if side == "up" else -1.0
        return stdtr(df, -sign * t), _share((sign * spread).max(axis=1), sign * t)

    def adjusted(found: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        # no p-value below that of the single test: the maximum of few draws may miss its tail
        if adjust == "max-t":
            return np.maximum(found[0], found[1])
        return adjust_p(found[0], adjust)

    zero = p_of(mean / se, "both" if two else "up")
    less = more = None
    if edge is not None:
        under, over = p_of((mean - edge) / se, "down"), p_of((mean + edge) / se, "up")
        both = (np.maximum(under[0], over[0]), np.maximum(under[1], over[1]))
        less = adjusted(under if held_out else both)
        more = adjusted(p_of((mean - edge) / se, "up"))
    drawn, of = info.resampled.what, info.get("parts_of", "models")
    how = f"t tests with the standard error of the bootstrap over {drawn}"
    if adjust == "max-t":
        how += f"; adjusted by the maximum over all {of} and regions in the resamples (max-T)"
    left = [tuple(p) for p in info["parts"] if tuple(p) not in names and p[0] != "shared"]
    notes = (
        ()
        if not left
        else (
            f"not tested: {', '.join(' '.join(p) for p in left)}; several models have no signed contribution where "
            "stimuli are drawn; in Python: cross_validate='stimulus' holds data out",
        )
    )
    critical = stdtrit(df, (1 + info["conf_level"]) / 2)
    return keys, Tested(
        mean, se, df, critical, zero[0], adjusted(zero), less, more, "bootstrap t", how, "bootstrap t", notes
    )  # fmt: skip


def _share(top: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Share of resamples whose maximum reaches each statistic, the data counted as one."""
    ordered = np.sort(top)
    reached = len(ordered) - np.searchsorted(ordered, seen - 1e-11)
    return np.asarray((reached + 1) / (len(ordered) + 1))
