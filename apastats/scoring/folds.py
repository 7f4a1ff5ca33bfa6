"""Which stimuli are held out together: shuffled, in blocks, or by run; and features that are late."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np

from apastats import arguments
from apastats.errors import (
    DesignError,
    InputError,
    PseudoreplicationWarning,
    SmallSampleWarning,
    warn,
)
from apastats.numbers.units import varies

__all__ = [
    "FOLDS",
    "RULES",
    "autocorrelation",
    "check_fits",
    "check_folds",
    "check_sizes",
    "delayed",
    "held_out",
    "parse_delays",
]

FOLDS = ("shuffled", "contiguous", "leave_one_out")
# options of measures that hold stimuli out, and their validators
RULES: dict[str, arguments.Rule] = {
    "folds": functools.partial(arguments.choice, allowed=FOLDS),
    "n_fold": functools.partial(arguments.whole, least=2),
    "groups": lambda argument, value: None if value is None else arguments.labels(argument, value),
    "seed": functools.partial(arguments.whole, least=0, most=2**32 - 1),
}


def held_out(
    n: int,
    folds: str = "shuffled",
    *,
    n_fold: int = 5,
    groups: Sequence[Any] | None = None,
    seed: int = 1,
) -> list[np.ndarray]:
    """Rows held out in every fold.

    Parameters
    ----------
    n : int
        Number of rows.
    folds : {"shuffled", "contiguous", "leave_one_out"}
        Shuffled as by scikit-learn's ``KFold``, in blocks of neighbours, or each group in turn.
    n_fold : int
        Number of folds; not read by ``leave_one_out``.
    groups : sequence, optional
        A label for every row (run, story, stimulus of repeats): rows of one label are held out together, and groups
        take the place of rows, in the order they first occur.
    seed : int
        Of shuffled folds.

    Raises
    ------
    InputError
        Unknown folds, other numbers of labels than rows, fewer units than folds.

    Examples
    --------
    >>> [f.tolist() for f in held_out(6, "leave_one_out", groups=[1, 1, 2, 2, 3, 3])]
    [[0, 1], [2, 3], [4, 5]]
    """
    arguments.choice("folds", folds, FOLDS)
    unit, count = np.arange(n), n
    if groups is not None:
        labels = arguments.labels("groups", groups, "a list with one label per row")
        if len(labels) != n:
            raise InputError("groups", f"{len(labels)} labels", f"one per row, {n}")
        place: dict[Any, int] = {}
        unit = np.array([place.setdefault(label, len(place)) for label in labels])
        count = len(place)
    if folds == "leave_one_out":
        if groups is None or count < 2:
            raise InputError("folds", folds, "'leave_one_out' with groups= of two labels or more")
        return [np.flatnonzero(unit == k) for k in range(count)]
    most = n // 2 if groups is None else count
    if not 2 <= arguments.whole("n_fold", n_fold) <= most:
        what = f"half the {n} train stimuli" if groups is None else f"the {count} groups"
        raise InputError("n_fold", n_fold, f"a whole number from 2 to {what}")
    from sklearn.model_selection import KFold

    shuffle = {"shuffle": True, "random_state": seed} if folds == "shuffled" else {}
    parts = [out for _, out in KFold(n_fold, **shuffle).split(np.empty(count))]
    return [np.flatnonzero(np.isin(unit, part)) for part in parts]


def autocorrelation(y: np.ndarray) -> float:
    """Mean over units of the correlation of every row ``[n, q]`` with the next; NaN where no unit varies."""
    y = y[:, varies(y)]
    if len(y) < 3 or not y.shape[1]:
        return float("nan")
    y = y - y.mean(axis=0)
    return float(((y[1:] * y[:-1]).sum(axis=0) / (y**2).sum(axis=0)).mean())


def check_fits(n: int, folds: Sequence[np.ndarray]) -> None:
    """Refuse folds that leave nothing to fit, or nothing to score."""
    if max(map(len, folds)) < 2:
        raise DesignError(
            f"every fold holds out one of {n} stimuli, which has neither R2 nor a correlation; in Python: fewer folds "
            "(n_fold=), or groups= of several stimuli"
        )
    for rows in folds:
        if n - len(rows) < 2:
            raise DesignError(
                f"a fold holds out {len(rows)} of {n} stimuli; 2 are needed for a fit"
            )


def check_folds(
    responses: Iterable[np.ndarray], features: Iterable[np.ndarray], folds: Sequence[np.ndarray]
) -> tuple[str, ...]:
    """Warn where rows that belong together are in different folds; the words.

    Parameters
    ----------
    responses, features : iterable of array, ``[n, q]``
        Of the same rows; looked at one at a time.
    folds : sequence of array of int
        Rows held out.

    Raises
    ------
    DesignError
        If the folds leave nothing to fit.
    """
    n = sum(map(len, folds))
    check_fits(n, folds)
    fold = np.empty(n, dtype=int)
    for k, rows in enumerate(folds):
        fold[rows] = k
    message = _repeats_parted(features, fold) or _neighbours_parted(responses, fold)
    if not message:
        return ()
    warn(message, PseudoreplicationWarning)
    return (message,)


def _neighbours_parted(responses: Iterable[np.ndarray], fold: np.ndarray) -> str:
    """What is said where neighbours that correlate are in different folds."""
    apart = float((fold[1:] != fold[:-1]).mean())
    found = float(np.nanmax([autocorrelation(y) for y in responses], initial=-1.0))
    # units share their noise: the mean over them has the standard error of one
    shuffled = 1 - 1 / len(np.unique(fold))
    if apart <= 0.6 * shuffled or not found > max(0.1, 3 / np.sqrt(len(fold))):
        return ""
    return (
        f"responses of neighbouring rows correlate by {found:.2f} (mean over units, largest data set), and "
        f"{100 * apart:.0f} % of neighbours are in different folds: features that only know the position would predict "
        f"them; in Python: folds='contiguous', or groups= (runs, stories) with folds='leave_one_out'"
    )


def _repeats_parted(features: Iterable[np.ndarray], fold: np.ndarray) -> str:
    """What is said where most rows have a twin in another fold, as where a stimulus has a row for every repeat.

    Features of a few values (categories) are the same for different stimuli too, and say nothing here.
    """
    n = len(fold)
    for x in features:
        _, place, count = np.unique(x, axis=0, return_inverse=True, return_counts=True)
        place = place.reshape(-1)
        pairs = np.unique(np.stack([place, fold]), axis=1)[0]
        parted = np.bincount(pairs, minlength=len(count)) > 1
        values = max((len(np.unique(column)) for column in x[:, :20].T), default=0)
        share = float(parted[place].mean())
        if share > 0.5 and len(count) >= 5 and values >= 0.8 * len(count):
            return (
                f"features have {len(count)} different rows of {n}, and {100 * share:.0f} % of rows have a twin in "
                "another fold, as where a stimulus has a row for every repeat: features that only know which stimulus "
                "it is would predict them; in Python: the mean over repeats, or groups= (the stimulus of every row)"
            )
    return ""


def parse_delays(delays: Any, n: int) -> tuple[int, ...]:
    """Delays in rows of a time series of ``n``, checked."""
    found = arguments.items("delays", delays, "a list of whole numbers, each once")
    if not found or len(set(found)) < len(found):
        raise InputError("delays", delays, "a list of whole numbers, each once")
    return tuple(arguments.whole("delays", d, least=0, most=n - 1) for d in found)


@overload
def delayed(x: np.ndarray, delays: tuple[int, ...]) -> np.ndarray: ...
@overload
def delayed(x: None, delays: tuple[int, ...]) -> None: ...


def delayed(x: np.ndarray | None, delays: tuple[int, ...]) -> np.ndarray | None:
    """Features ``[n, p]`` with their copies by delay, ``[n, p x n_delay]``; 0 where there is nothing before."""
    if x is None or delays == (0,):
        return x
    out = np.zeros((len(x), x.shape[1] * len(delays)))
    for k, d in enumerate(delays):
        out[d:, k * x.shape[1] : (k + 1) * x.shape[1]] = x[: len(x) - d]
    return out


def check_sizes(sizes: Sequence[int], score: str) -> tuple[str, ...]:
    """A warning of held-out parts that are too small for their score.

    The denominator of R2 is the variance of k stimuli, chi-squared with k - 1 df for normal responses; the mean of
    one over it exists for more than 2 df only.
    """
    several = [k for k in sizes if k > 1]  # one stimulus has no score, which is said elsewhere
    least = min(several, default=4)
    if least > 3:
        return ()
    what = (
        "R2 has no mean there, as the variance it is a share of can be as near 0 as one likes"
        if score == "r2"
        else "correlations of so few values are close to 1 or -1 by chance"
    )
    message = (
        f"scores of held-out stimuli: the smallest part has {least} stimuli: {what}; in Python: fewer folds "
        "(n_fold=), or folds that hold out more"
    )
    warn(message, SmallSampleWarning)
    return (message,)
