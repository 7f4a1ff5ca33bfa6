"""Margins: the smallest difference that matters, where it comes from, and how uncertain it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from apastats.arguments import checked, number, numbers
from apastats.errors import DataError, DesignError, InputError, MarginError
from apastats.numbers.moments import moments
from apastats.recording import call_text
from apastats.scoring.people import shares_about
from apastats.table import Block
from apastats.words import IN_OUTCOME, StatedMargin

__all__ = [
    "ORIGINS",
    "Bounds",
    "Margin",
    "Origin",
    "as_margin",
    "margin",
    "ratio_margin",
    "ratio_words",
]

NO_MARGIN = (
    "There is no default margin: 'equivalent' means 'closer than the smallest difference that matters', and only you "
    "can say what matters. Give a number in score units, a pair (low, high), or apa.margin(share, of=ceiling)."
)


@dataclass(frozen=True)
class Bounds:
    """A margin worked out for one data set.

    Attributes
    ----------
    low, high : numpy.ndarray
        ``[n_cell]``, the bounds as numbers.
    unit_low, unit_high : numpy.ndarray or None
        ``[n_cluster, n_cell]``: the bounds of every subject (jackknife pseudo-values where the unit is not a
        mean) whose mean is the bound; None where the bound is a constant.
    words : StatedMargin or None
        The margin and where it comes from; None where there is none.
    origin : str
        One of ``raw, ceiling, spread, sd, difference``.
    sd_units : bool
        Whether ``low`` and ``high`` are to be multiplied by the SD of the differences.
    """

    low: np.ndarray
    high: np.ndarray
    words: StatedMargin | None
    origin: str
    unit_low: np.ndarray | None = None
    unit_high: np.ndarray | None = None
    sd_units: bool = False


@dataclass(frozen=True)
class Margin:
    """A margin, made by :func:`margin`.

    Attributes
    ----------
    low, high : float
        Bounds in the unit of the margin.
    origin : {"raw", "ceiling", "spread", "sd", "difference"}
        What the unit is.
    of : object
        The ceiling result, or the two model names; None for raw and sd.
    bound : str
        Row of the ceiling that is meant (``reference``, ``lower``, ``upper``).
    """

    low: float
    high: float
    origin: str = "raw"
    of: Any = None
    bound: str = "reference"

    def __str__(self) -> str:
        return self.describe()

    def as_call(self) -> str:
        """The call of :func:`margin` that makes it."""
        return call_text(
            margin,
            self.high if self.low == -self.high else (self.low, self.high),
            of=self.origin if ORIGINS[self.origin].named else self.of,
            unit="spread" if self.origin == "spread" else None,
            bound=self.bound,
        )

    def describe(self, unit: str = IN_OUTCOME) -> str:
        """The margin as text; ``unit`` is that of a margin in raw numbers."""
        return str(self.words(unit))

    def words(self, unit: str = IN_OUTCOME) -> StatedMargin:
        """The margin in words, part by part."""
        return ORIGINS[self.origin].words(self, unit)

    @property
    def number(self) -> str:
        """Bounds as they are."""
        return (
            f"\u00b1{self.high:g}"
            if self.low == -self.high
            else f"{self.low:g} to {self.high:g}".replace("-", "\u2212")
        )

    @property
    def share(self) -> str:
        """Bounds as shares of a unit."""
        low, high = 100 * self.low, 100 * self.high
        return (
            f"\u00b1{high:g} %"
            if low == -high
            else f"{low:g} % to {high:g} %".replace("-", "\u2212")
        )

    def scaled(self, factor: float) -> Margin:
        """Same margin, ``factor`` times as wide."""
        return Margin(self.low * factor, self.high * factor, self.origin, self.of, self.bound)

    def resolve(self, block: Block) -> Bounds:
        """Work the margin out for the cells of a block.

        Raises
        ------
        MarginError
            If the unit (a ceiling, a spread, a difference) is not clearly above zero.
        DataError
            If the ceiling lacks a cell of the block or shares no subjects with it.
        """
        entry = ORIGINS[self.origin]
        if entry.unit is None:
            one = np.ones(len(block.cells))
            low, high = self.low * one, self.high * one
            return Bounds(low, high, self.words(), self.origin, sd_units=self.origin == "sd")
        unit = entry.unit(self, block)
        self._check_positive(unit, block)
        with np.errstate(invalid="ignore"):
            mean = np.nanmean(unit, axis=0)
        return Bounds(
            self.low * mean,
            self.high * mean,
            replace(self.words(), carried=entry.held),
            self.origin,
            self.low * unit,
            self.high * unit,
        )

    def _check_positive(self, unit: np.ndarray, block: Block) -> None:
        n = np.isfinite(unit).sum(axis=0)
        if (n < 2).any():
            cell = _cell_text(block, int((n < 2).argmax()))
            raise DesignError(f"bounds: the unit of the margin has fewer than 2 subjects in {cell}")
        mean = np.nanmean(unit, axis=0)
        if (mean <= 0).any():
            worst = int(np.argmin(mean))
            raise MarginError(
                "bounds",
                float(mean[worst]),
                "a margin whose unit is above zero",
                hint=f"{self.describe()} is not positive in {_cell_text(block, worst)}; leave that cell out or "
                "state a raw margin.",
            )


def _difference_unit(margin: Margin, block: Block) -> np.ndarray:
    a, b = (block.values[:, block.group_index(str(name), argument="of"), :] for name in margin.of)
    unit: np.ndarray = a - b
    # the margin is the size of the difference; its sign is fixed by the data
    with np.errstate(invalid="ignore"):
        return unit * np.where(np.nanmean(unit, axis=0) < 0, -1.0, 1.0)


def _ceiling_unit(margin: Margin, block: Block) -> np.ndarray:
    # subjects share pools and partners: their uncertainty is that of each person's share
    own = _ceiling_values(margin.of, block, margin.bound, "values")
    return shares_about(_ceiling_values(margin.of, block, margin.bound, "person"), own)


def _spread_unit(margin: Margin, block: Block) -> np.ndarray:
    return _sd_pseudo_values(_ceiling_values(margin.of, block, margin.bound, "values"))


def _ceiling_name(margin: Margin) -> str:
    name = str(margin.of.info.get("ceiling_kind", "")).replace("_", "-")
    bound = f" ({margin.bound})" if margin.bound != "reference" else ""
    return f"{name} noise ceiling".strip() + bound


@dataclass(frozen=True)
class Origin:
    """What the unit of a margin is.

    Attributes
    ----------
    words : callable
        ``(margin, unit of the outcome in words) -> the margin in words``.
    unit : callable or None
        ``(margin, block) -> [cluster, cell]``: what every subject says the unit is worth (the bound is a multiple of
        their mean, so its uncertainty is in the test); None for a constant.
    held : str
        How its uncertainty is carried.
    arrays : bool
        Whether it suits plain arrays, which have no cells and no subjects.
    named : bool
        Whether ``of`` is its name.
    """

    words: Callable[[Margin, str], StatedMargin]
    unit: Callable[[Margin, Block], np.ndarray] | None = None
    held: str = (
        "each subject entered with its own value, so the uncertainty of the margin is in the test"
    )
    arrays: bool = False
    named: bool = False


ORIGINS: dict[str, Origin] = {
    "raw": Origin(
        lambda m, unit: StatedMargin(m.number, unit, "stated by the analyst"), arrays=True
    ),
    "sd": Origin(
        lambda m, _: StatedMargin(f"{m.number} standard deviations of the differences"),
        arrays=True,
        named=True,
    ),
    "difference": Origin(
        lambda m, _: StatedMargin(f"{m.share} of the difference between {m.of[0]} and {m.of[1]}"),
        _difference_unit,
    ),
    "ceiling": Origin(
        lambda m, _: StatedMargin(f"{m.share} of the {_ceiling_name(m)}"), _ceiling_unit
    ),
    "spread": Origin(
        lambda m, _: StatedMargin(
            f"{m.share} of the standard deviation between subjects of the {_ceiling_name(m)}"
        ),
        _spread_unit,
        "its uncertainty is in the test by jackknife pseudo-values",
    ),
}


def _cell_text(block: Block, j: int) -> str:
    cell = block.cells.iloc[j]
    return ", ".join(f"{k} {v}" for k, v in cell.items()) or "the data"


def _ceiling_values(ceiling: Any, block: Block, bound: str, name: str) -> np.ndarray:
    """An array of the ceiling, ``[cluster, cell]`` in the order of the block; NaN for a subject it lacks."""
    values, table = np.asarray(ceiling.arrays[name], dtype=float), ceiling.table
    subjects = [str(s) for s in ceiling.arrays["subjects"]]
    rows = np.arange(len(table))
    if "bound" in table.columns:
        rows = np.flatnonzero((table["bound"] == bound).to_numpy())
        if not rows.size:
            two = list(table["bound"].unique())
            hint = f"A ceiling of two bounds is asked which: margin(..., bound={two[0]!r})."
            raise MarginError("bound", bound, f"one of {two}", hint=hint)
    shared = [c for c in block.cells.columns if c in table.columns]
    out = np.full(block.values.shape[::2], np.nan)
    place = {s: i for i, s in enumerate(subjects)}
    mine = [(i, place[str(s)]) for i, s in enumerate(block.clusters) if str(s) in place]
    if not mine:
        raise DataError(f"bounds: ceiling and scores share no {block.cluster}")
    to, source = (list(v) for v in zip(*mine, strict=True))
    mine_in = [(table[c].to_numpy(object), block.cells[c].to_numpy(object)) for c in shared]
    for j in range(len(block.cells)):
        keep = rows
        for theirs, cells in mine_in:
            keep = keep[np.asarray(theirs[keep] == cells[j], dtype=bool)]
        if len(keep) != 1:
            found = "no value" if not len(keep) else f"{len(keep)} values"
            raise DataError(
                f"bounds: the ceiling has {found} for {_cell_text(block, j)}; it is given by "
                f"{[c for c in ceiling.info.by if c in table.columns]}, the analysis by "
                f"{list(block.cells.columns)}"
            )
        out[to, j] = values[source, keep[0]]
    return out


def _sd_pseudo_values(values: np.ndarray) -> np.ndarray:
    """Jackknife pseudo-values of the standard deviation over the first axis, shifted to its mean."""
    n = np.isfinite(values).sum(axis=0)
    sd = moments(values)[2]
    if (n < 3).any():
        raise DesignError(
            "bounds: a margin from the spread between subjects needs at least 3 subjects"
        )
    centred = values - np.nanmean(values, axis=0)
    total = np.nansum(centred**2, axis=0)
    # sum of squares without unit i is total - n / (n - 1) * centred_i^2
    without = np.sqrt(np.maximum(total - n / (n - 1) * centred**2, 0.0) / (n - 2))
    # n s - (n - 1) s_(i) are nearly independent values whose mean is s and whose spread is its error: the SD of a
    # sample enters a paired test like a score
    pseudo = n * sd - (n - 1) * without
    return np.asarray(pseudo - np.nanmean(pseudo, axis=0) + sd)


def _is_ceiling(value: Any) -> bool:
    return getattr(value, "kind", None) == "noise_ceiling"


def _pair(value: Any, argument: str) -> tuple[float, float]:
    """Bounds from a positive number (symmetric) or an increasing pair."""
    if value is None:
        raise MarginError(
            argument,
            value,
            "a positive number, a pair (low, high), or apa.margin(...)",
            hint=NO_MARGIN,
        )
    if isinstance(value, Real):
        try:
            half = number(argument, value, above=0)
        except InputError as error:
            allowed = "a positive number (the bounds are minus and plus it)"
            raise MarginError(argument, value, allowed, hint=NO_MARGIN) from error
        return -half, half
    try:
        low, high = numbers(argument, value)
    except (InputError, ValueError) as error:
        allowed = "a positive number, a pair (low, high), or apa.margin(...)"
        hint = (
            "A tenth of the ceiling is apa.margin(0.1, of=ceiling)."
            if isinstance(value, str)
            else ""
        )
        raise MarginError(argument, value, allowed, hint=hint) from error
    if not low < high:
        raise MarginError(argument, value, "two finite numbers, the lower one first")
    return low, high


@checked
def margin(
    value: float | Sequence[float],
    *,
    of: Any = None,
    unit: str | None = None,
    bound: str = "reference",
) -> Margin:
    """State a margin, and in what unit.

    Parameters
    ----------
    value : float or (float, float)
        Positive number (bounds minus and plus it) or the two bounds, in units of ``of``.
    of : NoiseCeiling, (str, str), "sd" or None
        None: units of the outcome. A noise ceiling: ``value`` is a share of it. ``"sd"``: standard deviations
        of the differences. Two model names: share of the difference between their means.
    unit : {"ceiling", "spread"}, optional
        With a noise ceiling: share of the ceiling itself (default), or of the standard deviation between
        subjects of the reference scores (how much brains differ from each other).
    bound : str
        Row of a ceiling that has several (``"lower"``, ``"upper"``).

    Returns
    -------
    Margin

    Raises
    ------
    MarginError
        If the value is missing, not positive or not increasing, or the unit is unknown.

    See Also
    --------
    equivalence, tost, margin_curve, noise_ceiling

    Notes
    -----
    With a ceiling ``c``, "``|a - b|`` is below ``f c``" is tested as two linear contrasts,
    ``mean(a - b + f c) > 0`` and ``mean(a - b - f c) < 0``, over the same subjects: the uncertainty of the
    ceiling is in the test, and a bootstrap resamples scores and ceiling together.

    References
    ----------
    .. [1] Lakens, D. (2017). Equivalence tests: A practical primer for t tests, correlations, and
       meta-analyses. Social Psychological and Personality Science, 8(4), 355–362.
       https://doi.org/10.1177/1948550617697177

    Examples
    --------
    >>> print(margin(0.02))
    ±0.02 in units of the outcome, stated by the analyst
    >>> print(margin(0.5, of=("vgg19", "alexnet")))
    ±50 % of the difference between vgg19 and alexnet
    """
    low, high = _pair(value, "value")
    if unit is not None and (unit not in ("ceiling", "spread") or not _is_ceiling(of)):
        raise MarginError(
            "unit", unit, "'ceiling' or 'spread', together with a noise ceiling as of="
        )
    if of is None:
        return Margin(low, high)
    if isinstance(of, str):
        named = [name for name, entry in ORIGINS.items() if entry.named]
        if of not in named:
            words = " or ".join(map(repr, named))
            raise MarginError("of", of, f"a noise ceiling, two model names, {words} or None")
        return Margin(low, high, of)
    if _is_ceiling(of):
        return Margin(low, high, unit or "ceiling", of, bound)
    if (
        isinstance(of, (tuple, list))
        and len(of) == 2
        and all(isinstance(v, str) for v in of)
        and of[0] != of[1]
    ):
        return Margin(low, high, "difference", (of[0], of[1]))
    raise MarginError("of", of, "a noise ceiling, two different model names, 'sd' or None")


def as_margin(bounds: Any, *, argument: str = "bounds") -> Margin:
    """Margin from what a user gives as ``bounds``."""
    if isinstance(bounds, Margin):
        return bounds
    if _is_ceiling(bounds) or isinstance(bounds, pd.DataFrame):
        raise MarginError(
            argument, bounds, "a number, a pair, or apa.margin(share, of=ceiling)", hint=NO_MARGIN
        )
    return Margin(*_pair(bounds, argument))


def ratio_margin(bounds: Any) -> Margin:
    """Bounds of a ratio, on the log scale: a single b stands for (1/b, b)."""
    if isinstance(bounds, Margin):
        raise MarginError("bounds", bounds, "a ratio such as 1.25, or a pair such as (0.8, 1.25)")
    margin = as_margin(bounds)
    low, high = margin.low, margin.high
    if low == -high:
        if high == 1:
            raise MarginError("bounds", bounds, "a ratio other than 1")
        low, high = sorted((1 / high, high))
    if low <= 0:
        raise MarginError("bounds", bounds, "positive ratios")
    return Margin(float(np.log(low)), float(np.log(high)))


def ratio_words(margin: Margin) -> StatedMargin:
    """Bounds of a ratio in words, from those of its logarithm."""
    return StatedMargin(
        f"{np.exp(margin.low):g} to {np.exp(margin.high):g}",
        "as a ratio of the scores",
        "stated by the analyst",
        "tests are of the logarithm",
    )
