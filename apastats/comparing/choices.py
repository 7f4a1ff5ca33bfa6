"""Which test with which settings: one validated object both verbs share."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from apastats.arguments import applies, choice, number
from apastats.errors import InputError
from apastats.numbers.few import few_words
from apastats.numbers.location import Kernel, Located, signed_rank, t_location, trimmed
from apastats.numbers.tested import Tested
from apastats.resampling.intervals import INTERVALS, tests_by_inversion
from apastats.resampling.one_sample import (
    bootstrap_location,
    centred_flips,
    one_sample_few,
    sign_flip,
)
from apastats.resampling.plans import Plan, Resamples, subject_counts
from apastats.resampling.quantiles import QuantileRule
from apastats.resampling.relabel import sign_flips
from apastats.seeds import RngLike, recorded_seed, seed_sequence

__all__ = [
    "MATCHED_TESTS", "STATISTICS", "TWO_TESTS", "Choice", "choose", "combine", "compared_with", "drawn_beside",
    "every_pair", "matched", "tested_by",
]  # fmt: skip

# test -> (name in tables, what it is, what is resampled)
MATCHED_TESTS = {
    "t": ("paired t", "t test of the mean difference", ""),
    "log_ratio": ("paired log-ratio t", "t test of the mean log ratio", ""),
    "trimmed": ("Yuen t", "t test of the trimmed mean difference (Yuen 1974)", ""),
    "wilcoxon": ("Wilcoxon signed rank", "signed-rank test of the pseudomedian", ""),
    "bootstrap": (
        "bootstrap",
        "bootstrap test of the mean difference",
        "subjects, with replacement",
    ),
    "sign_flip": (
        "sign flip",
        "sign-flip test of the mean difference about each bound",
        "signs of the differences",
    ),
    "permutation": (
        "centred sign flip",
        "studentised sign-flip test of the centred differences",
        "signs of the centred differences",
    ),
}
TWO_TESTS = {
    "t": ("Welch t", "t test of the difference of means", ""),
    "log_ratio": ("Welch log-ratio t", "t test of the difference of mean logs", ""),
    "trimmed": ("Yuen-Welch t", "t test of the difference of trimmed means", ""),
    "wilcoxon": ("Wilcoxon rank sum", "rank-sum test of the shift", ""),
    "brunner_munzel": ("Brunner-Munzel", "t test of P(X > Y) + P(X = Y) / 2", ""),
    "bootstrap": (
        "bootstrap",
        "bootstrap test of the difference of means",
        "each sample by itself, with replacement",
    ),
    "permutation": (
        "permutation",
        "studentised relabelling test of the shift",
        "membership in the samples",
    ),
}


# letter of each test's statistic; those of resampling tests are Student's ratio without degrees of freedom
STATISTICS = {
    "t": "t", "log_ratio": "t", "trimmed": "t", "wilcoxon": "V", "brunner_munzel": "t", "bootstrap": "t",
    "sign_flip": "t", "permutation": "t",
}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """A test with its settings, checked."""

    test: str
    trim: float
    exact: bool | None
    interval: str
    quantile_rule: QuantileRule
    ties: float
    n_resamples: Resamples
    rng: np.random.SeedSequence
    given: Plan | None = None
    small_sample: bool = True
    _plans: dict[int, Plan] = field(default_factory=dict)

    def plan(self, n: int) -> Plan:
        """Resampling plan for n units, made once."""
        if self.given is not None:
            if self.given.n != n:
                raise InputError("plan", f"a plan of {self.given.n} units", f"one of {n} units")
            return self.given
        if n not in self._plans:
            # a stream per number of people: cells that lack some do not change the draws of the others
            root = np.random.SeedSequence(self.rng.entropy, spawn_key=(*self.rng.spawn_key, n))
            make = subject_counts if self.test == "bootstrap" else sign_flips
            self._plans[n] = make(n, self.n_resamples, root)
        return self._plans[n]

    def joint_plan(self, n: int) -> Plan:
        """Sign flips of a joint adjustment: those of a test that flips signs, else drawn for it alone."""
        if self.test == "sign_flip":
            return self.plan(n)
        if n not in self._plans:
            self._plans[n] = sign_flips(n, self.n_resamples, self.rng)
        return self._plans[n]

    def kernel(self, n: int, size: np.ndarray | float = 0.0) -> Kernel:
        """Kernel for samples of n units, differences of scores of a size."""
        if self.test == "trimmed":
            return partial(trimmed, trim=self.trim, size=size)
        if self.test == "wilcoxon":
            return partial(signed_rank, exact=self.exact, size=size)
        if self.test == "bootstrap":
            return partial(
                bootstrap_location,
                plan=self.plan(n),
                interval=self.interval,
                quantile_rule=self.quantile_rule,
                ties=self.ties,
                small_sample=self.small_sample,
                size=size,
            )
        if self.test == "sign_flip":
            return partial(sign_flip, plan=self.plan(n), size=size)
        if self.test == "permutation":
            return partial(
                centred_flips,
                plan=self.plan(n),
                trim=self.trim,
                small_sample=self.small_sample,
                size=size,
            )
        return partial(t_location, size=size)

    @property
    def resamples(self) -> bool:
        """Whether the test resamples."""
        return self.test in ("bootstrap", "sign_flip", "permutation")

    def sampled(self, n: int) -> int:
        """Resamples drawn for n units; 0 where nothing was, or all were enumerated, or the draws were given."""
        if not self.resamples or self.given is not None or n not in self._plans:
            return 0
        plan = self._plans[n]
        return 0 if plan.exact else plan.n_resamples

    def few(self, n: int) -> tuple[float, float] | None:
        """Correction of bootstrap shares for n matched units; None where there is none."""
        corrected = self.test == "bootstrap" and not INTERVALS[self.interval].pivotal
        return one_sample_few(n) if corrected and self.small_sample else None

    def seed(self) -> str:
        """Seed for the provenance; "" where nothing was drawn."""
        drawn = self.given is None and any(not p.exact for p in self._plans.values())
        return recorded_seed(self.rng) if drawn else ""

    def notes(
        self, n: int, unit: str = "subject", *, two: bool = False, sd_units: bool = False
    ) -> tuple[str, ...]:
        """What has to be said about the test at n units."""
        out = []
        if self.test in ("sign_flip", "permutation") and n < 6 and not two:
            out.append(
                f"with {n} {unit}s the smallest one-sided sign-flip p-value is 2^-{n} = {2.0**-n:g}"
            )
        if said := self.said_of_few(n, unit, two=two, sd_units=sd_units):
            out.append(said)
        return tuple(out)

    def said_of_few(
        self, n: int, unit: str = "subject", *, two: bool = False, sd_units: bool = False
    ) -> str:
        """What is done for few units, in words; "" where the test needs nothing."""
        return few_words(
            self.test,
            self.interval,
            n,
            unit,
            corrected=self.small_sample,
            two=two,
            sd_units=sd_units,
        )

    def words(self) -> dict[str, Any]:
        """Settings that belong into ``info``."""
        out: dict[str, Any] = {}
        if self.test in ("trimmed", "permutation") and self.trim:
            out["trim"] = self.trim
        if self.test == "wilcoxon" and self.exact is not None:
            out["p_values"] = "exact" if self.exact else "by the normal approximation"
        if self.test == "bootstrap":
            out["quantile_rule"] = None if self.quantile_rule == "linear" else self.quantile_rule
            out["interval"] = self.interval
            if self.small_sample and not INTERVALS[self.interval].pivotal:
                out["corrected"] = "expanded interval"
        if self.resamples or self._plans:
            plans = [self.given] if self.given is not None else list(self._plans.values())
            out["n_resamples"] = max((p.n_resamples for p in plans), default=0)
            out["exact"] = all(p.exact for p in plans)
        return out


def every_pair(reference: str | None) -> str | None:
    """None for all pairs, which study files spell out."""
    return None if reference in ("all pairs", "all") else reference


def compared_with(reference: str | None) -> str:
    """Which contrasts were formed, as a clause."""
    if reference is None:
        return "all pairs were compared"
    # a name of several words stands apart from those of the sentence
    told = f"\u201c{reference}\u201d" if " " in reference else reference
    return f"each was compared with {'the brain' if reference == 'brain' else told}"


def tested_by(name: str, unit: str, *details: str) -> str:
    """Name of a test with what it is, where the name does not say that: ``paired t test over subjects``."""
    plain = "t test of the mean difference" if name == "paired t" else ""
    told = "; ".join(d for d in details if d and d != plain)
    return f"{name} test over {unit}s{f' ({told})' if told else ''}"


def drawn_beside(adjust: str, unit: str) -> str:
    """What a joint adjustment draws; "" for all others."""
    if not adjust.startswith("max-t"):
        return ""
    return f"for the adjustment, signs of all differences of a {unit} together"


def choose(
    test: Any,
    allowed: dict[str, tuple[str, str, str]],
    *,
    trim: float | None = None,
    exact: bool | None = None,
    interval: str = "studentized",
    quantile_rule: QuantileRule = "linear",
    ties: str = "half",
    n_resamples: Resamples = "auto",
    rng: RngLike = None,
    plan: Plan | None = None,
    small_sample: bool = True,
    adjust: str | None = None,
) -> Choice:
    """Check the settings of a test; a joint adjustment may draw resamples where the test does not."""
    choice("test", test, allowed)
    if trim is not None:
        number("trim", trim, least=0, below=0.5)
    choice("interval", interval, tests_by_inversion())
    choice("ties", ties, ("half", "below"))
    drawn = ("bootstrap", "sign_flip", "permutation")
    applies("trim", trim, to=("trimmed", "permutation"), chosen=test)
    applies("exact", exact, to=("wilcoxon",), chosen=test)
    applies("interval", interval, to=("bootstrap",), chosen=test, default="studentized")
    applies("quantile_rule", quantile_rule, to=("bootstrap",), chosen=test, default="linear")
    applies("ties", ties, to=("bootstrap",), chosen=test, default="half")
    if adjust is None or not adjust.startswith("max-t"):
        applies("n_resamples", n_resamples, to=drawn, chosen=test, default="auto")
    applies("plan", plan, to=drawn, chosen=test)
    corrected = ("t", "bootstrap", "permutation")
    applies("small_sample", small_sample, to=corrected, chosen=test, default=True)
    if trim is None:
        trim = 0.1 if test == "trimmed" else 0.0
    share = 0.5 if ties == "half" else 0.0
    return Choice(
        test,
        float(trim),
        exact,
        interval,
        quantile_rule,
        share,
        n_resamples,
        seed_sequence(rng),
        plan,
        bool(small_sample),
    )


def combine(
    ordinary: Located, wide: Located, above: Located, below: Located, n: Any, back: float = 0.0
) -> Tested:
    """One `Tested` from the tests of ``z - null`` (at alpha and alpha / 2), ``z - low`` and ``z - high``.

    ``back`` is added to what was estimated on ``z - null``.
    """
    return Tested(
        estimate=ordinary.estimate + back,
        std_error=ordinary.std_error,
        statistic=ordinary.statistic,
        df=ordinary.df,
        p_value=ordinary.p_value,
        conf_low=ordinary.conf_low + back,
        conf_high=ordinary.conf_high + back,
        wide_low=wide.conf_low + back,
        wide_high=wide.conf_high + back,
        statistic_low=above.statistic,
        statistic_high=below.statistic,
        p_low=above.p_above,
        p_high=below.p_below,
        p_below=above.p_below,
        p_above=below.p_above,
        n=np.broadcast_to(n, ordinary.estimate.shape),
    )


def matched(
    z: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    choice: Choice,
    *,
    alpha: float,
    null: float = 0.0,
    size: np.ndarray | float = 0.0,
) -> Tested:
    """Test of every column of ``z [n, m]``; NaN left out; bounds ``[m]`` or per unit ``[n, m]``.

    ``size`` (a number or ``[m]``) is that of the scores that were subtracted.
    """
    m = z.shape[1]
    sizes = np.broadcast_to(size, m)
    low, high = (np.broadcast_to(v, z.shape) for v in (low, high))
    usable = np.isfinite(z) & np.isfinite(low) & np.isfinite(high)
    # columns that lack the same people are one call of the kernel: the test depends on who is there, not on the
    # column
    patterns, which = np.unique(usable, axis=1, return_inverse=True)
    out = {k: np.full(m, np.nan) for k in Tested.__slots__}
    out["n"] = usable.sum(axis=0)
    for k in range(patterns.shape[1]):
        columns = np.flatnonzero(which.ravel() == k)
        rows = patterns[:, k]
        n = int(rows.sum())
        cut = int(np.floor(choice.trim * n))
        if n < 2 or n - 2 * cut < 2:
            continue
        kernel = choice.kernel(n, sizes[columns])
        part = z[np.ix_(rows, columns)]
        ordinary, wide = (kernel(part - null, a) for a in (alpha, alpha / 2))
        # a bound is taken off before the test, not compared with its result: bounds may differ between people, and
        # the tests of ranks and signs are about 0 alone
        above = kernel(part - low[np.ix_(rows, columns)], alpha)
        below = kernel(part - high[np.ix_(rows, columns)], alpha)
        tested = combine(ordinary, wide, above, below, n, back=null)
        for name in Tested.__slots__:
            if name != "n":
                out[name][columns] = getattr(tested, name)
    return Tested(**out)
