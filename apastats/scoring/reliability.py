"""Reliability of responses from repeats, and encoding scores as a share of what it allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from apastats.arguments import array, checked, choice, whole
from apastats.errors import (
    AssumptionWarning,
    CeilingError,
    DataError,
    DegenerateWarning,
    InputError,
    warn,
)
from apastats.numbers.moments import ROUNDING
from apastats.numbers.units import scale_of, varies
from apastats.seeds import RngLike, block_generator, seed_sequence

__all__ = ["Reliability", "ncsnr", "signal_power", "split_half"]

SCALES = ("r2", "r")


@dataclass(frozen=True, eq=False)
class Reliability:
    """Reliability of every vertex, estimated here or made of published maps.

    Attributes
    ----------
    r2 : numpy.ndarray
        ``[n_vertex]`` largest explainable share of variance of the averaged responses (scale of R2).
        NaN: a vertex without variance, which has no reliability and no score.
    r : numpy.ndarray
        Its square root: the largest correlation of a prediction with the averaged responses.
    ncsnr : numpy.ndarray or None
        Signal SD over noise SD of a single trial.
    method : str
        How it was estimated.
    n_average : float
        Number of repeats in the averaged responses it holds for. Where stimuli have different numbers
        of repeats, their harmonic mean: the number that leaves as much noise, over all stimuli, as the
        repeats that are there.

    Examples
    --------
    >>> import numpy as np
    >>> Reliability.from_ncsnr(np.array([1.0, 2.0]), n_average=3).r2.round(2)
    array([0.75, 0.92])
    """

    r2: np.ndarray
    r: np.ndarray
    ncsnr: np.ndarray | None
    method: str
    n_average: float

    @classmethod
    def from_ncsnr(cls, ncsnr: Any, *, n_average: Any) -> Reliability:
        """Reliability from a map of noise-ceiling signal-to-noise ratios, as data sets publish it.

        Parameters
        ----------
        ncsnr : array
            Any shape; it is flattened. NaN where there is none (outside of the brain).
        n_average : int or array
            Repeats averaged in the responses that are predicted; an array: of every stimulus.

        Raises
        ------
        InputError
            Negative or infinite ratios, fewer than one repeat.

        Notes
        -----
        ``r2 = ncsnr^2 / (ncsnr^2 + 1 / n)`` with ``1 / n`` the mean over stimuli of 1 / repeats; the NSD
        data manual writes it ``(A / 3 + B / 2 + C / 1) / (A + B + C)`` for A, B and C stimuli with 3, 2 and
        1 repeats (Allen et al. 2022, Nature Neuroscience 25:116).
        """
        ratio = _numbers(ncsnr, "ncsnr").ravel()
        if not (np.isnan(ratio) | ((ratio >= 0) & np.isfinite(ratio))).all():
            raise InputError("ncsnr", ratio[~(ratio >= 0)][:1], "ratios of 0 or more, or NaN")
        n = _harmonic(n_average)
        share = ratio**2 / (ratio**2 + 1 / n)
        return cls(share, np.sqrt(share), ratio, "ncsnr", n)

    @classmethod
    def from_r2(cls, r2: Any, *, n_average: Any = 1, percent: bool = False) -> Reliability:
        """Reliability from a map of explainable variance, as a share or with ``percent`` in percent.

        Raises
        ------
        InputError
            Values outside of 0 to 1 (0 to 100).
        """
        share = _numbers(r2, "r2").ravel() / (100 if percent else 1)
        bad = ~(np.isnan(share) | ((share >= 0) & (share <= 1)))
        if bad.any():
            raise InputError(
                "r2",
                float(share[bad][0]),
                "shares from 0 to 1",
                hint="percent=True takes percents.",
            )
        return cls(share, np.sqrt(share), None, "given", _harmonic(n_average))

    def ceiling(self, scale: str = "r2", *, minimum: float | None = None) -> float:
        """Mean over the vertices that have one; with ``minimum`` only those whose ncsnr is that high.

        Vertices without variance (NaN) are left out, as :func:`apastats.linear_predictivity` leaves them
        out of its scores.

        Raises
        ------
        InputError
            An unknown scale, or ``minimum`` for a reliability without ncsnr.
        CeilingError
            If no vertex is left.
        """
        choice("scale", scale, SCALES)
        values = self.r2 if scale == "r2" else self.r
        kept = np.isfinite(values)
        if minimum is not None:
            if self.ncsnr is None:
                raise InputError(
                    "minimum",
                    minimum,
                    "None for reliability without ncsnr (split-half, maps of r2)",
                )
            with np.errstate(invalid="ignore"):
                kept &= self.ncsnr >= minimum
        if not kept.any():
            what = "varies" if minimum is None else f"has an ncsnr of {minimum} or more"
            raise CeilingError(f"no vertex {what}")
        return float(values[kept].mean())


@checked
def ncsnr(repeats: Any, *, n_average: Any = None) -> Reliability:
    """Noise-ceiling signal-to-noise ratio from repeated presentations.

    Parameters
    ----------
    repeats : array
        ``[n_stimulus, n_repeat, n_vertex]`` single-trial responses; NaN where a repeat is missing.
    n_average : int or array, optional
        Number of repeats averaged in the responses that are predicted (an array: of every stimulus). By
        default the repeats that are there: with missing repeats their harmonic mean, vertex by vertex.

    Returns
    -------
    Reliability
        NaN for a vertex that does not vary over stimuli and repeats.

    Raises
    ------
    InputError, DataError
        Fewer than two stimuli or repeats, a shape that is not three-dimensional.

    Warns
    -----
    DegenerateWarning
        Where vertices do not vary (by more than rounding).
    AssumptionWarning
        Where more repeats than stimuli differ by more than the stimuli, as with exchanged axes.

    See Also
    --------
    noise_ceiling, split_half, normalize_encoding

    Notes
    -----
    Noise variance: mean over stimuli of the variance over repeats (n - 1). Signal variance: variance
    over stimuli of the mean responses, minus noise variance / n, not below 0. ``ncsnr`` is the ratio
    of their square roots, and ``r2 = ncsnr^2 / (ncsnr^2 + 1 / n_average)`` (Allen et al. 2022, Nature
    Neuroscience 25:116; given there in percent). With unequal repeats 1 / n is the mean over stimuli of
    1 / repeats, as in the NSD data manual.

    References
    ----------
    .. [1] Conwell, C., Prince, J. S., Kay, K. N., Alvarez, G. A., & Konkle, T. (2024). A large-scale
       examination of inductive biases shaping high-level visual representation in brains and machines. Nature
       Communications, 15, 9383. https://doi.org/10.1038/s41467-024-53147-y

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.standard_normal((500, 1, 1))
    >>> found = ncsnr(signal + rng.standard_normal((500, 4, 1)))
    >>> found.ncsnr.round(1), found.r2.round(1)
    (array([1.]), array([0.8]))
    """
    x = _repeats(repeats)
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
    left = (1 / present).mean(axis=0)
    signal = np.maximum(mean.var(axis=0, ddof=1) - noise * left, 0.0)
    # repeats that agree up to rounding have no noise
    noise = np.where(noise > (ROUNDING * _scale(x)) ** 2, noise, 0.0)
    alive = _alive(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(alive, np.sqrt(signal / noise), np.nan)
        of_average = left if n_average is None else 1 / _harmonic(n_average)
        share = np.where(np.isinf(ratio), 1.0, ratio**2 / (ratio**2 + of_average))
    n = _harmonic(present if n_average is None else n_average)
    return Reliability(share, np.sqrt(share), ratio, "ncsnr", n)


@checked
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
        is left out of each split, and the correction is to ``n_repeat``. NaN for a vertex that does not
        vary; a vertex that is constant in one half of a split only has a covariance of 0 there.

    Warns
    -----
    DegenerateWarning
        Where vertices do not vary (by more than rounding).
    AssumptionWarning
        Where more repeats than stimuli differ by more than the stimuli, as with exchanged axes.

    See Also
    --------
    ncsnr, noise_ceiling

    References
    ----------
    .. [1] Spearman, C. (1904). The proof and measurement of association between two things. The American
       Journal of Psychology, 15(1), 72–101. https://doi.org/10.2307/1412159

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(8.0).reshape(8, 1, 1) + np.zeros((8, 4, 1))
    >>> split_half(x, rng=0).r2
    array([1.])
    """
    x = _repeats(repeats)
    n = x.shape[1]
    if not np.isfinite(x).all():
        raise DataError("repeats: NaN or infinite responses; use ncsnr, or leave the repeats out")
    whole("n_split", n_split, least=1)
    sequence = seed_sequence(rng)
    half = n // 2
    total = np.zeros(x.shape[2])
    scale, alive = _scale(x), _alive(x)
    for k in range(n_split):
        order = block_generator(sequence, k).permutation(n)
        a, b = x[:, order[:half]].mean(axis=1), x[:, order[half : 2 * half]].mean(axis=1)
        both = varies(a, scale) & varies(b, scale)
        a, b = a - a.mean(axis=0), b - b.mean(axis=0)
        size = np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
        total += np.where(both, (a * b).sum(axis=0) / np.where(both, size, 1), 0.0)
    h = np.where(alive, np.maximum(total / n_split, 0.0), np.nan)
    factor = n / half
    share = factor * h / (1 + (factor - 1) * h)
    return Reliability(share, np.sqrt(share), None, "split_half", n)


@checked
def signal_power(repeats: Any) -> Reliability:
    """Share of signal in the variance of averaged responses, from the power of single and of mean responses.

    Parameters
    ----------
    repeats : array
        ``[n_stimulus, n_repeat, n_vertex]`` (or time points in the place of stimuli), no NaN.

    Returns
    -------
    Reliability
        ``r2 = SP / P(mean)`` with the signal power ``SP = (n P(mean) - mean P(repeat)) / (n - 1)`` of n repeats, P the
        variance over stimuli; negative shares become 0. NaN for a vertex whose mean does not vary.

    Warns
    -----
    DegenerateWarning
        Where vertices do not vary (by more than rounding).
    AssumptionWarning
        Where more repeats than stimuli differ by more than the stimuli, as with exchanged axes.

    See Also
    --------
    ncsnr, split_half, normalize_encoding

    Notes
    -----
    A correlation divided by its ``r`` is the normalised correlation CC_norm of Schoppe et al. (2016), an R2 divided by
    its ``r2`` explained variance over signal power. What is the same for all stimuli of a repeat (a drift from repeat
    to repeat) is no noise here, and is in :func:`ncsnr`.

    References
    ----------
    .. [1] Sahani, M., & Linden, J. F. (2003). How linear are auditory cortical responses? Advances in Neural
       Information Processing Systems 15, 125–132.
    .. [2] Schoppe, O., Harper, N. S., Willmore, B. D. B., King, A. J., & Schnupp, J. W. H. (2016). Measuring
       the performance of neural models. Frontiers in Computational Neuroscience, 10, 10.
       https://doi.org/10.3389/fncom.2016.00010

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.standard_normal((500, 1, 1))
    >>> signal_power(signal + rng.standard_normal((500, 4, 1))).r2.round(1)
    array([0.8])
    """
    x = _repeats(repeats)
    if not np.isfinite(x).all():
        raise DataError("repeats: NaN or infinite responses; use ncsnr, or leave the repeats out")
    n = x.shape[1]
    alive = _alive(x)
    mean = x.mean(axis=1)
    alive &= varies(mean, _scale(x))
    of_mean = mean.var(axis=0)
    signal = (n * of_mean - x.var(axis=0).mean(axis=0)) / (n - 1)
    share = np.where(alive, np.maximum(signal, 0.0) / np.where(alive, of_mean, 1.0), np.nan)
    share = np.minimum(share, 1.0)  # rounding
    return Reliability(share, np.sqrt(share), None, "signal_power", n)


def _numbers(values: Any, argument: str) -> np.ndarray:
    return array(argument, values, infinite=True)


def _repeats(repeats: Any) -> np.ndarray:
    x = _numbers(repeats, "repeats")
    if x.ndim != 3 or x.shape[0] < 2 or x.shape[1] < 2:
        raise InputError(
            "repeats",
            x.shape,
            "[n_stimulus, n_repeat, n_vertex] of at least two stimuli and two repeats",
        )
    _warn_exchanged(x)
    return x


def _warn_exchanged(x: np.ndarray) -> None:
    """Warn where there are more repeats than stimuli, and repeats differ as stimuli should."""
    n_stimulus, n_repeat = x.shape[:2]
    if n_repeat <= n_stimulus:
        return
    x = x[..., np.isfinite(x).any(axis=(0, 1))]
    known = np.isfinite(x)

    def means(axis: int) -> np.ndarray:
        count = known.sum(axis=axis, keepdims=True)
        return np.where(known, x, 0.0).sum(axis=axis, keepdims=True) / np.maximum(count, 1)

    whole, of_stimuli, of_repeats = x[known].mean(), means(1), means(0)
    rest = np.where(known, x - of_stimuli - of_repeats + whole, 0.0)
    rest -= rest.mean(axis=(0, 1))
    noise = (rest**2).sum() / ((n_stimulus - 1) * (n_repeat - 1))
    stimuli, repeats = (m.var(axis=a, ddof=1).sum() for a, m in ((0, of_stimuli), (1, of_repeats)))
    # beyond what chance gives a single vertex, as vertices may share their noise
    chance = 1 + 4 * np.sqrt(2 / (n_repeat - 1))
    if repeats * n_stimulus > chance * noise and repeats > stimuli:
        warn(
            f"repeats {x.shape}: {n_repeat} repeats of {n_stimulus} stimuli, and repeats differ by more than stimuli "
            "do, as where the axes are exchanged (allowed: [n_stimulus, n_repeat, n_vertex]) or responses drift from "
            "repeat to repeat",
            AssumptionWarning,
        )


def _scale(x: np.ndarray) -> np.ndarray:
    return scale_of(x.reshape(-1, x.shape[2]))


def _alive(x: np.ndarray) -> np.ndarray:
    """Vertices that vary over stimuli and repeats; the others are counted in a warning."""
    alive = varies(x.reshape(-1, x.shape[2]))
    dead = np.flatnonzero(~alive)
    if len(dead):
        warn(
            f"{len(dead)} of {len(alive)} vertices do not vary and have no reliability (NaN; first: "
            f"{dead[:5].tolist()}); they are left out of the ceiling",
            DegenerateWarning,
        )
    return alive


def _harmonic(n_average: Any) -> float:
    """Number of repeats that leaves as much noise as these, over all stimuli; whole where they are equal."""
    n = _numbers(n_average, "n_average")
    if isinstance(n_average, bool) or not n.size or not (n >= 1).all() or (n % 1 != 0).any():
        raise InputError("n_average", n_average, "a positive whole number, or one per stimulus")
    first = n.ravel()[0]
    return int(first) if (n == first).all() else float(n.size / (1 / n).sum())
