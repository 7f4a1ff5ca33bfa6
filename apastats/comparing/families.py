"""Families of matched contrasts: tests of all of them, adjusted p-values, joint intervals, effect sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import stdtrit

from apastats.arguments import choice
from apastats.comparing.against_best import Competition, adjusted_family, best_groups
from apastats.comparing.choices import Choice, matched
from apastats.comparing.decisions import OUTCOMES, claim_p
from apastats.comparing.many_pairs import Shown, pair_blocks, room_for_p, smallest
from apastats.comparing.margin import Bounds
from apastats.comparing.tukey import tukey_p, tukey_tests
from apastats.errors import DesignError, InputError
from apastats.memory import reserve
from apastats.numbers.adjust_p import ADJUSTMENTS, adjust_p, check_adjust
from apastats.numbers.closed import hierarchical_p
from apastats.numbers.moments import moments, size_of
from apastats.numbers.noncentral import noncentral_pivot
from apastats.numbers.standardised import hedges_factor, sd_bounds
from apastats.numbers.student import in_sd_units, one_sample
from apastats.numbers.tested import Tested
from apastats.resampling.max_t import joint_critical, max_t
from apastats.table import Block
from apastats.words import cell_name

__all__ = [
    "JOINT",
    "JOINT_KINDS",
    "Contrasts",
    "check_family",
    "contrast_pairs",
    "out_of_reach",
    "pair_effects",
    "run_family",
]

JOINT = ("max-t", "max-t-step-down", "tukey")
# adjustment -> joint intervals that match it; the limits of Bonferroni hold for all others
JOINT_KINDS = {"tukey": "Tukey", "max-t": "max-t", "max-t-step-down": "max-t"}
CLOSED = ("closed", "hierarchical")


@dataclass(frozen=True)
class Contrasts:
    """Tests of a family, arrays ``[pair, cell]``; ``differences`` is ``[n, pair, cell]``.

    ``joint_low`` and ``joint_high`` are simultaneous limits of level ``1 - alpha`` that go with the ordinary test (two
    one-sided ones where its alternative is), ``margin_low`` and ``margin_high`` those that go with the tests of the
    margin: level ``1 - 2 alpha``, or ``1 - alpha`` where the adjustment is by one maximum over both sides.
    """

    first: np.ndarray  # [pair]
    second: np.ndarray  # [pair, cell]: the best is another one in every cell
    differences: np.ndarray
    tested: Tested
    adjusted: dict[str, np.ndarray]
    joint_low: np.ndarray
    joint_high: np.ndarray
    margin_low: np.ndarray
    margin_high: np.ndarray
    size: int
    scores: np.ndarray  # [pair, cell], size of the scores behind each contrast
    joint_draws: int = 0  # sign flips drawn for a joint adjustment; 0 where all were enumerated
    pooling: str = ""  # how variances were pooled, in words; "" where each difference has its own
    sided: bool = False  # whether each joint end has level 1 - alpha by itself
    bounds: tuple[np.ndarray, np.ndarray] | None = None  # [cell], of the subjects that entered
    shown: Shown | None = None  # rows of the table, where they are not all that were tested

    def rows(self, block: Block, reference: str | None) -> tuple[np.ndarray, np.ndarray]:
        """Pair and cell of each row of the table, one cell after the other."""
        if self.shown is not None:
            return self.shown.pair, self.shown.cell
        n_cell = len(block.cells)
        pair = np.tile(np.arange(len(self.first)), n_cell)
        cell = np.repeat(np.arange(n_cell), len(self.first))
        if reference == "best":
            second = self.second[pair, cell]
            keep = (second == best_groups(block)[cell]) & (second != self.first[pair])
            pair, cell = pair[keep], cell[keep]
        return pair, cell


def check_family(adjust: str | None, family: str, test: str, reference: str | None) -> str:
    """Canonical adjustment; refuses combinations that are not defined."""
    name = check_adjust(adjust, (*JOINT, *CLOSED))
    choice("family", family, ("all", "cell"))
    if name == "hierarchical" and family != "all":
        raise InputError(
            "adjust", adjust, "'hierarchical' with family='all': it goes from cells down"
        )
    if name in ("max-t", "max-t-step-down") and test not in ("t", "sign_flip", "log_ratio"):
        raise InputError(
            "adjust",
            adjust,
            f"another adjustment for test={test!r}: max-t is for tests of the mean",
        )
    if name == "tukey" and (test != "t" or reference is not None):
        raise InputError("adjust", adjust, "'tukey' with test='t' and all pairs")
    return name


def out_of_reach(choice: Choice, adjust: str, size: int, n: int, alpha: float) -> tuple[str, ...]:
    """Note that an adjustment leaves resampling p-values no room."""
    # of 2^n sign vectors the data's own is the most extreme at best; times the number of contrasts that is still the
    # least adjusted p-value
    least = 2.0**-n
    if choice.test not in ("sign_flip", "permutation") or adjust in ("none", "bh", "by", *JOINT):
        return ()
    if size * least <= alpha:
        return ()
    return (
        f"no claim is possible: the smallest sign-flip p-value is 2^-{n}, times {size} contrasts {size * least:.2g}; "
        "in Python: adjust='max-t' has no such limit",
    )


def contrast_pairs(block: Block, reference: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Index pairs (a, b) of the contrasts a - b.

    All pairs, or every group against one; for ``"best"`` all ordered pairs, entry ``k + P`` the mirror of entry
    ``k`` (any of them may turn out to be a comparison with the best).
    """
    m = len(block.groups)
    if reference is None or reference == "best":
        first, second = np.triu_indices(m, k=1)
        if reference is None:
            return first, second
        return np.concatenate([first, second]), np.concatenate([second, first])
    known = block.group_labels()
    if reference not in known:
        raise InputError("reference", reference, f"'best', 'all pairs', or one of {known}")
    r = block.group_index(reference)
    others = np.array([i for i in range(m) if i != r])
    return others, np.full(len(others), r)


def run_family(
    block: Block,
    limits: Bounds,
    reference: str | None,
    choice: Choice,
    *,
    adjust: str,
    family: str,
    alpha: float,
    hypothesis: str,
    variance: str = "separate",
    alternative: str = "two-sided",
    compares: bool = False,
    top: int | None = None,
) -> Contrasts:
    """Test all contrasts of a block and adjust them.

    Claims against the best go by an intersection-union test over all others; so do all but the joint adjustments.
    ``compares``: there is no margin. ``top``: rows that the table will have; None for all.
    """
    wanted = _Wanted(hypothesis, alternative, alpha, compares)
    to_best = reference == "best" and adjust not in (*JOINT, *CLOSED) and choice.test == "t"
    if to_best and hypothesis in ("equivalence", "noninferiority") and not limits.sd_units:
        found = _to_best(
            block, limits, adjust=adjust, family=family, alpha=alpha, variance=variance
        )
        return _cut(found, block, reference, wanted, top)
    if top is not None and _by_blocks(choice, reference, adjust):
        return _in_blocks(
            block, limits, reference, choice, wanted, top, adjust=adjust, family=family
        )
    a, b = contrast_pairs(block, reference)
    reserve(
        f"differences of {len(a):,} pairs in {block.values.shape[2]:,} cells",
        4.0 * len(block.values) * len(a) * block.values.shape[2] * 8,
        "compare with one reference=, ask equivalence_set for the best, or take fewer models or cells at once",
    )
    d = block.values[:, a, :] - block.values[:, b, :]
    sizes = size_of(block.values, axis=0)
    size = np.maximum(sizes[a], sizes[b])  # of the scores behind each contrast
    if adjust == "tukey":
        tested, joint = tukey_tests(block, d, limits, alpha, family, size)
    else:
        tested, joint = _tests(d, limits, choice, alpha, size), None
    drawn = 0
    # a test and its mirror are one test where both directions have the same p-value
    mirrored = reference == "best"
    symmetric = mirrored and bool(np.all(limits.low == -limits.high))
    members = (len(a) // 2 if mirrored else len(a)) * (d.shape[2] if family == "all" else 1)
    claim = claim_p(tested, hypothesis)
    two_sided = hypothesis in ("equivalence", "minimal_effect")
    two_tailed = alternative == "two-sided"
    raw = {
        "p_value": (tested.p_value, mirrored),
        "p_value_noninf": (tested.p_low, False),
        "p_value_nonsup": (tested.p_high, False),
        "p_value_equiv": (tested.p_equiv, symmetric),
        "p_value_claim": (claim, symmetric and two_sided),
    }
    if adjust in ("max-t", "max-t-step-down"):
        if limits.sd_units:
            raise DesignError(
                f"adjust={adjust!r} needs a margin that is not in SD units; use 'holm' with it"
            )
        adjusted, joint, drawn = _max_t(
            d, limits, tested, choice, adjust, family, alpha, size, alternative
        )
        by_claim = {"equivalence": "equiv", "noninferiority": "noninf", "nonsuperiority": "nonsup"}
        if hypothesis in by_claim:
            adjusted["p_value_claim"] = adjusted[f"p_value_{by_claim[hypothesis]}"]
        else:
            adjusted["p_value_claim"] = _adjust(claim, "holm", family, symmetric and two_sided)
    elif adjust == "tukey":
        adjusted = tukey_p(tested, block, family)
        of_claim = adjusted["p_value_equiv"], _adjust(claim, "holm", family, False)
        adjusted["p_value_claim"] = of_claim[hypothesis != "equivalence"]
    else:
        adjusted = {k: _adjust(p, adjust, family, same) for k, (p, same) in raw.items()}
    if joint is None:
        # both sides of a test, or a pair and its mirror: twice as many one-sided limits
        joint, of_margin = _bonferroni(
            tested,
            alpha,
            members * (2 if two_tailed or mirrored else 1),
            members * (2 if mirrored and not symmetric else 1),
        )
    else:
        of_margin = joint
    second = np.broadcast_to(b[:, None], d.shape[1:])
    center = tested.estimate
    limits_of = (center - joint, center + joint, center - of_margin, center + of_margin)
    found = Contrasts(a, second, d, tested, adjusted, *limits_of, members, size, drawn)
    return _cut(found, block, reference, wanted, top)


def _by_blocks(choice: Choice, reference: str | None, adjust: str) -> bool:
    """Whether p-values of a block of pairs ask for nothing of the others before they are adjusted."""
    return choice.test in ("t", "log_ratio") and reference != "best" and adjust in ADJUSTMENTS


def _bonferroni(
    tested: Tested, alpha: float, sides: int, of_margin: int
) -> tuple[np.ndarray, np.ndarray]:
    """Half widths of joint intervals, and of those of the margin; they hold for all that controls the family."""
    df = np.where(np.isfinite(tested.df), tested.df, tested.n - 1.0)
    with np.errstate(invalid="ignore"):
        return (
            stdtrit(df, 1 - alpha / sides) * tested.std_error,
            stdtrit(df, 1 - alpha / of_margin) * tested.std_error,
        )


@dataclass(frozen=True)
class _Wanted:
    """The claim by which rows are chosen and counted; ``compares``: there is no margin."""

    hypothesis: str
    alternative: str
    alpha: float
    compares: bool

    @property
    def key(self) -> str:
        """Adjusted p-value of the claim."""
        if not self.compares:
            return "p_value_equiv" if self.hypothesis == "equivalence" else "p_value_claim"
        sides = {"greater": "p_value_noninf", "less": "p_value_nonsup"}
        return sides.get(self.alternative, "p_value")

    def counts(self, adjusted: dict[str, np.ndarray], keep: Any = slice(None)) -> dict[str, int]:
        """How many of each decision."""
        claimed = adjusted[self.key][keep] <= self.alpha
        if self.compares:
            word = {"greater": "greater", "less": "less"}.get(self.alternative, "different")
            return {word: int(claimed.sum())}
        inside = adjusted["p_value_equiv"][keep] <= self.alpha
        apart = adjusted["p_value"][keep] <= self.alpha
        each = (inside & ~apart, ~inside & apart, inside & apart, ~inside & ~apart)
        return {word: int(v.sum()) for word, v in zip(OUTCOMES, each, strict=True)}


def _cut(
    found: Contrasts, block: Block, reference: str | None, wanted: _Wanted, top: int | None
) -> Contrasts:
    """The same with the rows of the smallest p-values alone."""
    if top is None:
        return found
    pair, cell = found.rows(block, reference)
    p = found.adjusted[wanted.key][pair, cell]
    keep = smallest(p, top)
    counts = wanted.counts(found.adjusted, (pair, cell))
    shown = Shown(pair[keep], cell[keep], len(p), int(np.isnan(p).sum()), counts)
    return replace(found, shown=shown)


def _in_blocks(
    block: Block,
    limits: Bounds,
    reference: str | None,
    choice: Choice,
    wanted: _Wanted,
    top: int,
    *,
    adjust: str,
    family: str,
) -> Contrasts:
    """T tests of all contrasts, a block of pairs at a time; then those of the shown pairs in full.

    Of all pairs there are p-values alone; adjusted, they choose the rows.
    """
    a, b = contrast_pairs(block, reference)
    alpha, values = wanted.alpha, block.values
    n, n_cell = len(values), values.shape[2]
    sizes = size_of(values, axis=0)

    def test(pairs: Any) -> tuple[np.ndarray, Tested, np.ndarray]:
        u, v = a[pairs], b[pairs]
        d = values[:, u, :] - values[:, v, :]
        size = np.maximum(sizes[u], sizes[v])
        return d, _tests(d, limits, choice, alpha, size), size

    names = ["p_value", "p_value_noninf", "p_value_nonsup"]
    if not wanted.compares and wanted.hypothesis != "equivalence":
        names.append("p_value_claim")
    room_for_p(len(a), n_cell, len(names) + 1)
    raw = {name: np.empty((len(a), n_cell)) for name in names}
    for part in pair_blocks(len(a), n * n_cell):
        tested = test(part)[1]
        p = {
            "p_value": tested.p_value,
            "p_value_noninf": tested.p_low,
            "p_value_nonsup": tested.p_high,
        }
        if "p_value_claim" in raw:
            p["p_value_claim"] = claim_p(tested, wanted.hypothesis)
        for name in names:
            raw[name][part] = p[name]
    if not wanted.compares:
        raw["p_value_equiv"] = np.maximum(raw["p_value_noninf"], raw["p_value_nonsup"])
    # cell by cell, as rows of a table are
    keep = smallest(raw[wanted.key].T.ravel(), top)
    cell, pair = np.divmod(keep, len(a))
    undefined = int(np.isnan(raw[wanted.key]).sum())
    chosen, place = np.unique(pair, return_inverse=True)
    # one family at a time: the shown pairs are taken out of it before the next
    adjusted, rejected = {}, {}
    for name in list(raw):
        whole_family = _adjust(raw.pop(name), adjust, family, False)
        adjusted[name] = whole_family[chosen]
        rejected[name] = whole_family <= alpha
    d, tested, size = test(chosen)
    for name in ("p_value_equiv", "p_value_claim"):
        adjusted.setdefault(name, adjusted.get("p_value_equiv", adjusted[wanted.key]))
    members = len(a) * (n_cell if family == "all" else 1)
    two_tailed = wanted.alternative == "two-sided"
    joint, of_margin = _bonferroni(tested, alpha, members * (2 if two_tailed else 1), members)
    center = tested.estimate
    # counts ask for p-values; 0 and 1 stand for those that reject and those that do not
    flags = {name: np.where(v, 0.0, 1.0) for name, v in rejected.items()}
    shown = Shown(place, cell, len(a) * n_cell, undefined, wanted.counts(flags))
    return Contrasts(
        a[chosen],
        np.broadcast_to(b[chosen][:, None], center.shape),
        d,
        tested,
        adjusted,
        center - joint,
        center + joint,
        center - of_margin,
        center + of_margin,
        members,
        size,
        shown=shown,
    )


def _to_best(
    block: Block, limits: Bounds, *, adjust: str, family: str, alpha: float, variance: str
) -> Contrasts:
    """T tests of every model against the best, the claims by tests against all others."""
    field = Competition.of(block, limits, variance)
    best = best_groups(block)
    tested = field.against(best, alpha)
    near, behind, _ = field.tests()
    adjusted = {
        "p_value": adjusted_family(behind, adjust, family),
        "p_value_noninf": adjusted_family(near, adjust, family),
        "p_value_nonsup": adjusted_family(tested.p_high, adjust, family),
    }
    adjusted["p_value_equiv"] = adjusted["p_value_claim"] = adjusted["p_value_noninf"]
    low, high = field.joint_limits(
        near, behind, np.zeros(len(best)), adjust=adjust, family=family, alpha=alpha
    )
    k, n_cell = near.shape
    sizes = size_of(block.values, axis=0)
    top = np.take_along_axis(block.values, best[None, None, :], axis=1)
    return Contrasts(
        np.arange(k),
        np.broadcast_to(best, (k, n_cell)),
        block.values - top,
        tested,
        adjusted,
        low,
        high,
        low,
        high,
        k * (n_cell if family == "all" else 1),
        np.maximum(sizes, sizes[best, np.arange(n_cell)]),
        pooling=field.prior.words(
            variance, cell_name(block.formula.by, plural=True) if n_cell > 1 else ""
        ),
        sided=True,
        bounds=(
            np.array([-c.field.unit.mean() for c in field.cells]),
            np.array([top.mean() for top in field.tops]),
        ),
    )


def _unit_bounds(limits: Bounds, d: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds that broadcast against ``d [n, pair, cell]``: per cell, or per unit and cell."""
    if limits.unit_low is not None and limits.unit_high is not None:
        return limits.unit_low[:, None, :], limits.unit_high[:, None, :]
    low, high = limits.low[None, :], limits.high[None, :]
    if limits.sd_units:
        return sd_bounds(low, high, d, size)
    return low, high


def _tests(d: np.ndarray, limits: Bounds, choice: Choice, alpha: float, size: np.ndarray) -> Tested:
    """Tests of ``d [n, pair, cell]`` against the bounds of the cells."""
    low, high = _unit_bounds(limits, d, size)
    if choice.test in ("t", "log_ratio"):
        tested = one_sample(d, low, high, alpha=alpha, size=size)
        if limits.sd_units and choice.small_sample:
            return in_sd_units(tested, low, high, alpha).above_zero()
        return tested.above_zero()
    flat = [np.broadcast_to(v, d.shape).reshape(len(d), -1) for v in (d, low, high)]
    tested = matched(flat[0], flat[1], flat[2], choice, alpha=alpha, size=size.ravel())
    shaped = {k: getattr(tested, k).reshape(d.shape[1:]) for k in Tested.__slots__}
    return Tested(**shaped).above_zero()


def _adjust(p: np.ndarray, adjust: str, family: str, mirrored: bool) -> np.ndarray:
    """Adjusted p ``[pair, cell]`` over everything, or within each cell; mirrored pairs count once."""
    if mirrored:
        half = _adjust(p[: len(p) // 2], adjust, family, False)
        return np.concatenate([half, half])
    if adjust == "hierarchical":
        known = np.isfinite(p)
        out = np.full(p.shape, np.nan)
        if known.any():
            cells = np.broadcast_to(np.arange(p.shape[1]), p.shape)[known]
            out[known] = hierarchical_p(p[known], cells.tolist(), local="bonferroni")
        return out
    if adjust == "closed":
        # the closure with Simes tests of all intersections has Hommel's p-values, without visiting them
        adjust = "hommel"
    if family == "all":
        return adjust_p(p, adjust)
    return np.stack([adjust_p(p[:, j], adjust) for j in range(p.shape[1])], axis=1)


def _max_t(
    d: np.ndarray,
    limits: Bounds,
    tested: Tested,
    choice: Choice,
    adjust: str,
    family: str,
    alpha: float,
    size: np.ndarray,
    alternative: str,
) -> tuple[dict[str, np.ndarray], np.ndarray, int]:
    """Adjusted p-values from joint sign flips, half widths of the joint intervals, and the flips drawn."""
    low, high = _unit_bounds(limits, d, size)
    shape = d.shape[1:]
    flat = [np.broadcast_to(v, d.shape).reshape(len(d), -1) for v in (d, low, high)]
    cells = np.broadcast_to(np.arange(shape[1]), shape).ravel()
    families = np.zeros(cells.size, dtype=int) if family == "all" else cells
    plan = choice.joint_plan(len(d))
    flat[0] = np.where(np.isnan(tested.p_value.ravel()), np.nan, flat[0])  # no test, no place in it
    p = max_t(flat[0], flat[1], flat[2], plan, families, step_down=adjust == "max-t-step-down")
    two_sided = alternative == "two-sided"
    critical = joint_critical(flat[0], plan, families, alpha, two_sided=two_sided).reshape(shape)
    adjusted = {
        "p_value": p.p_value.reshape(shape),
        "p_value_noninf": p.p_low.reshape(shape),
        "p_value_nonsup": p.p_high.reshape(shape),
        "p_value_equiv": p.p_equiv.reshape(shape),
    }
    with np.errstate(invalid="ignore", over="ignore"):
        half = critical * tested.std_error
    return adjusted, half, 0 if plan.exact else plan.n_resamples


def pair_effects(
    differences: np.ndarray, alpha: float, size: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hedges's g(z) of each column ``[n, m]`` with its ``1 - 2 alpha`` interval by the noncentral t pivot."""
    n, mean, sd = moments(differences, size=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = mean / np.where(sd > 0, sd, np.nan) * np.sqrt(n)
    out = np.full((3, differences.shape[1]), np.nan)
    for size in np.unique(n):
        if size < 3:
            continue
        rows = np.flatnonzero((n == size) & np.isfinite(t))
        if not rows.size:
            continue
        factor = float(hedges_factor(size - 1.0)) / np.sqrt(size)
        low, high = noncentral_pivot(t[rows], float(size - 1), alpha)
        out[:, rows] = t[rows] * factor, low * factor, high * factor
    return out[0], out[1], out[2]
