"""Reliability of responses from repeats, and encoding scores as a share of what it allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from apastats.errors import CeilingError, DataError, InputError
from apastats.seeds import RngLike, block_generator, seed_sequence
from apastats.table import ScoreTable

__all__ = ["Reliability", "ncsnr", "normalize_encoding", "split_half"]

SCALES = ("r2", "r")


@dataclass(frozen=True, eq=False)
class Reliability:
    """Reliability of every vertex.

    Attributes
    ----------
    r2 : numpy.ndarray
        ``[n_vertex]`` largest explainable share of variance of the averaged responses (scale of R2).
    r : numpy.ndarray
        Its square root: the largest correlation of a prediction with the averaged responses.
    ncsnr : numpy.ndarray or None
        Signal SD over noise SD of a single trial.
    method : str
        How it was estimated.
    n_average : int
        Number of repeats in the averaged responses it holds for.
    """

    r2: np.ndarray
    r: np.ndarray
    ncsnr: np.ndarray | None
    method: str
    n_average: int

    def ceiling(self, scale: str = "r2", *, minimum: float | None = None) -> float:
        """Mean over vertices of one scale; with ``minimum`` only vertices whose ncsnr is that high."""
        if scale not in SCALES:
            raise InputError("scale", scale, f"one of {list(SCALES)}")
        values = self.r2 if scale == "r2" else self.r
        if minimum is not None:
            if self.ncsnr is None:
                raise InputError(
                    "minimum", minimum, "None for split-half reliability, which has no ncsnr"
                )
            values = values[self.ncsnr >= minimum]
        if not values.size:
            raise CeilingError(f"no vertex has an ncsnr of {minimum} or more")
        return float(values.mean())


def ncsnr(repeats: Any, *, n_average: int | None = None) -> Reliability:
    """Noise-ceiling signal-to-noise ratio from repeated presentations.

    Parameters
    ----------
    repeats : array
        ``[n_stimulus, n_repeat, n_vertex]`` single-trial responses; NaN where a repeat is missing.
    n_average : int, optional
        Number of repeats averaged in the responses that are predicted; by default all.

    Returns
    -------
    Reliability

    Raises
    ------
    InputError, DataError
        Fewer than two stimuli or repeats, a shape that is not three-dimensional.

    Notes
    -----
    Noise variance: mean over stimuli of the variance over repeats (n - 1). Signal variance: variance
    over stimuli of the mean responses, minus noise variance / n, not below 0. ``ncsnr`` is the ratio
    of their square roots, and ``r2 = ncsnr^2 / (ncsnr^2 + 1 / n_average)`` (Allen et al. 2022, Nature
    Neuroscience 25:116; given there in percent).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.standard_normal((500, 1, 1))
    >>> found = ncsnr(signal + rng.standard_normal((500, 4, 1)))
    >>> found.ncsnr.round(1), found.r2.round(1)
    (array([1.]), array([0.8]))
    """
    x, n_repeat = _repeats(repeats)
    present = np.isfinite(x).sum(axis=1)
    if (present < 1).any():
        raise DataError("repeats: a stimulus has no response at some vertex; leave it out first")
    mean = np.nanmean(x, axis=1)
    several = present > 1
    square = np.nansum((x - mean[:, None]) ** 2, axis=1)
    variance = np.where(several, square / np.maximum(present - 1, 1), np.nan)
    if not several.any(axis=0).all():
        raise DataError("repeats: a vertex has no stimulus with two responses")
    noise = np.nanmean(variance, axis=0)
    # with unequal numbers of repeats the noise left in the means is that of the harmonic mean
    left = noise * (1 / present).mean(axis=0)
    signal = np.maximum(mean.var(axis=0, ddof=1) - left, 0.0)
    ratio = np.sqrt(signal / np.where(noise > 0, noise, np.nan))
    ratio = np.where(noise > 0, ratio, np.inf)
    n = n_repeat if n_average is None else n_average
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise InputError("n_average", n_average, "a positive whole number")
    share = np.where(np.isinf(ratio), 1.0, ratio**2 / (ratio**2 + 1 / n))
    return Reliability(share, np.sqrt(share), ratio, "ncsnr", int(n))


def split_half(repeats: Any, *, n_split: int = 100, rng: RngLike = None) -> Reliability:
    """Split-half reliability over random halves of the repeats, corrected to their full number.

    Parameters
    ----------
    repeats : array
        ``[n_stimulus, n_repeat, n_vertex]``, no NaN.
    n_split : int
        Number of random splits.
    rng : int, Generator, SeedSequence or None

    Returns
    -------
    Reliability
        ``r2 = 2 h / (1 + h)`` with ``h`` the mean correlation of two halves over stimuli (Spearman
        1910, Brown 1910): the correlation between two such averages, that is the share of variance
        of the average that is signal. Negative values become 0. With an odd number of repeats one
        is left out of each split, and the correction is to ``n_repeat``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(8.0).reshape(8, 1, 1) + np.zeros((8, 4, 1))
    >>> split_half(x, rng=0).r2
    array([1.])
    """
    x, n = _repeats(repeats)
    if not np.isfinite(x).all():
        raise DataError("repeats: NaN or infinite responses; use ncsnr, or leave the repeats out")
    if not isinstance(n_split, int) or n_split < 1:
        raise InputError("n_split", n_split, "a positive whole number")
    sequence = seed_sequence(rng)
    half = n // 2
    total = np.zeros(x.shape[2])
    for k in range(n_split):
        order = block_generator(sequence, k).permutation(n)
        a, b = x[:, order[:half]].mean(axis=1), x[:, order[half : 2 * half]].mean(axis=1)
        a, b = a - a.mean(axis=0), b - b.mean(axis=0)
        size = np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
        total += np.where(size > 0, (a * b).sum(axis=0) / np.where(size > 0, size, 1), 0.0)
    h = np.maximum(total / n_split, 0.0)
    factor = n / half
    share = factor * h / (1 + (factor - 1) * h)
    return Reliability(share, np.sqrt(share), None, "split_half", n)


def _repeats(repeats: Any) -> tuple[np.ndarray, int]:
    x = np.asarray(repeats, dtype="f8")
    if x.ndim != 3 or x.shape[0] < 2 or x.shape[1] < 2:
        raise InputError(
            "repeats",
            x.shape,
            "[n_stimulus, n_repeat, n_vertex] of at least two stimuli and two repeats",
        )
    return x, x.shape[1]


def normalize_encoding(
    table: ScoreTable,
    ceilings: Mapping[tuple[str, str], float | Reliability],
    *,
    scale: str,
    minimum: float = 0.05,
) -> ScoreTable:
    """Encoding scores as a share of what the reliability of the responses allows.

    Parameters
    ----------
    table : ScoreTable
        Scores, for instance of :func:`apastats.linear_predictivity`.
    ceilings : mapping
        From ``(subject, roi)`` to a ceiling, or to the :class:`Reliability` it is taken from.
    scale : {"r2", "r"}
        Scale of the scores and of the ceiling: explained variance, or correlation. There is no
        default: an R2 divided by a ceiling on the scale of r is a common mistake.
    minimum : float
        Ceilings below it are an error: a ratio to almost nothing means nothing.

    Returns
    -------
    ScoreTable
        Scores divided by the ceiling, with the columns ``ceiling`` and ``ceiling_scale``.

    Raises
    ------
    InputError
        If the scale is unknown, or a subject and ROI have no ceiling.
    CeilingError
        If a ceiling is below ``minimum`` or above 1.

    Examples
    --------
    >>> import pandas as pd
    >>> t = ScoreTable(pd.DataFrame({"subject": ["s1"], "roi": "V1", "model": "m", "score": [0.3]}))
    >>> normalize_encoding(t, {("s1", "V1"): 0.6}, scale="r2").frame["score"].tolist()
    [0.5]
    """
    if scale not in SCALES:
        raise InputError("scale", scale, f"one of {list(SCALES)}")
    frame = table.frame
    if "ceiling_scale" in frame.columns:
        raise InputError("table", "a column 'ceiling_scale'", "scores that are not normalised yet")
    keys = list(zip(frame["subject"], frame["roi"], strict=True))
    values: dict[tuple[str, str], float] = {}
    for key in dict.fromkeys(keys):
        if key not in ceilings:
            raise InputError("ceilings", key, "a ceiling for every subject and ROI of the table")
        given = ceilings[key]
        value = given.ceiling(scale) if isinstance(given, Reliability) else float(given)
        if not minimum <= value <= 1:
            raise CeilingError(
                f"ceiling of {key}: {value:.3g} on the scale of {scale}; allowed: {minimum} to 1. Leave such ROIs out"
            )
        values[key] = value
    ceiling = np.array([values[k] for k in keys])
    outcome = table.outcomes[0]
    return table.with_frame(
        frame.assign(
            **{outcome: frame[outcome] / ceiling, "ceiling": ceiling, "ceiling_scale": scale}
        ),
        log=[f"{outcome} divided by the reliability ceiling on the scale of {scale}"],
    )
