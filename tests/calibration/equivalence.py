"""Tables of error rates of the tests with a margin, as Markdown.

``python -m tests.calibration.equivalence docs/calibration_equivalence.md``; ``--share 0.1`` takes a tenth of the data
sets.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tests.calibration import equivalence_kinds as kinds
from tests.calibration import equivalence_more as more
from tests.calibration import equivalence_simulations as first

SIZES = (8, 10, 20)
INTERVALS = tuple(f"bootstrap {k}" for k in first.INTERVALS)
OTHERS = tuple(k for k in first.matched_claims(8) if k not in INTERVALS)
LEVEL = 0.05


@dataclass(frozen=True)
class Part:
    """A table: its title, the number of data sets, the simulation ``(n, replicates) -> rates``, and what it says."""

    title: str
    replicates: int
    rates: Callable[[int, int], dict[str, float]]
    words: str
    no_test: bool = False


MATCHED = """
The true difference is exactly the bound; a claim of non-inferiority there (and of equivalence, the other bound
being far away) is false. All of them hold their level for normal differences.
"""
BOOTSTRAPS = """
Percentile, basic, bca and normal shares are read on the scale of Student's t by default (Hesterberg 2015); with
`small_sample=False`, as other programs have them, they claim falsely in 7 to 8 % here at 8 and 10 subjects. Up to
10 subjects the bootstrap is enumerated.
"""
INDEPENDENT = """
n and n + 3, spread 2 to 1 unless said. Welch, Yuen and Brunner-Munzel hold with unequal spread.
"""
TWO = """
A claim above the bound when the true difference is the bound; n and n + 3, `unequal`: the smaller sample has twice
the SD. Bootstrap levels are corrected with Welch's df; the relabelling test claims only what Welch's t claims too
(alone it is at 6 % with unequal spread).
"""
RATIO = """
Student's and Welch's t on the logs, the true ratio being the lower bound 0.8. For normal scores with a spread of 20
% the log is close enough to normal.
"""
CLAIMS = """
`minimal effect`: the true difference is a bound, the claim is that it lies outside. Bounds in SD units are tested
by the noncentral t, as the SD is estimated; taken as known (`small_sample=False`, as in other programs) they give 3
% at half an SD and 8 to 12 % at two.
"""
ONE_R = """
Both bounds lie at the true value; `above` is the false claim above the lower, `below` under the upper bound. The
bias of Fisher's z is taken off at the tested value; rank correlations and the jackknife use t. Rank correlations of
8 items take few values and are cautious. Kendall's formula ends at 0.8: beyond it, a result says so.
"""
TWO_R = """
Both bounds at the true difference, models correlated 0.5 (0.6 for 0.9 and 0.6), and the ordinary test of two equal
correlations. At a bound the statistics of Williams and Steiger are compared with their own distribution under
normal profiles that differ by exactly the bound. With `small_sample=False` the shifted t of Williams makes up to 20
% false claims below a bound. The bootstrap claims only what Williams claims too; it runs on the first 500 data
sets.
"""
SETS = """
`equivalent`: any model that is exactly the margin below the best is called equivalent to it; `worse`: any of them
is called worse than the margin; five models at once. `lost`: without a margin and all six tied, a given one is not
in the set. These are the promises of mcb, mcs and tost.
"""
UNEQUAL = """
Variances are moderated: drawn to a common value only as far as the data show that there is one.
"""
BEST = """
`equivalence(reference="best")` and `equivalence_set` with their defaults, 8 models in 19 regions. `found`: share of
models truly tied with the best that are shown to be equivalent to it. `any false claim`: in all regions together.
"""
BAYES = """
`bayes` is **no test** and promises no error rate: it reports the posterior probability of being within the margin
of the best under a flat prior, which is not corrected for looking at five models at once or for the best being
selected. These rates say what happens if it is taken for one; for an error rate use mcb, mcs or tost.
"""
OUTCOMES = """
Two outcomes with the same generalisability, one in other units; two-sided difference of log F with the jackknife
over subjects. Conservative where models do not differ at all. (Sign flips of a signal per subject are not offered:
subjects share the profile they are measured against, and such a test is wrong in about 20 % here.)
"""
RANKS = """
Friedman's chi-squared is cautious with few subjects; the F form of Iman and Davenport uses the level better.
Nemenyi's test and the intervals of places hold over all models together.
"""
FAMILY = """
Every adjustment holds the family-wise level within a cell.
"""
CELLS = """
Any false difference over four correlated cells of four equal models: 24 tests.
"""
MARGINS = """
The margin is estimated on the same subjects, each of whom brings its own value (jackknife pseudo-values of a
spread) to the bound; the true difference is the true margin.
"""
PAIRS = """
Differences: all six models are equal. Equivalence: models lie on a ladder whose steps are the margin, so that pairs
on different steps are false claims. Any false claim among all pairs.
"""

NOT_NORMAL = """
Sign flips and Wilcoxon hold for every symmetric distribution. For skewed differences no test of the mean holds its
level on both sides: a claim on the side of the long tail comes too seldom, the other one too often; the studentised
and the bca bootstrap are the least uneven. Bounds in SD units need the normal.
"""
MODELS = """
`mcb` promises to keep each model tied for best, `mcs` all of them together. `ci_overlap` is the published rule
(mean at least the lower end of the best model's percentile interval); it is no test. `arch.bootstrap.MCS` (where
that package is installed; method R, 300 resamples, block size 1, subjects as rows, 100 data sets) promises
asymptotically in the rows to hold all tied models; ten subjects are too few for it.
"""

PARTS = (
    Part(
        "Matched scores: t, ranks and sign flips",
        4000,
        partial(first.one_sided_rates, names=OTHERS),
        MATCHED,
    ),
    Part(
        "Matched scores: bootstrap",
        2000,
        partial(first.one_sided_rates, names=INTERVALS, enumerated=2000),
        BOOTSTRAPS,
    ),
    Part("Independent samples", 4000, first.independent_rates, INDEPENDENT),
    Part("Independent samples by resampling (999 resamples)", 2000, more.resampled_two_rates, TWO),
    Part("Log-ratio", 2000, more.ratio_rates, RATIO),
    Part("Other claims, bounds in SD units", 4000, kinds.claim_rates, CLAIMS),
    Part("Margins that are estimated", 4000, kinds.ceiling_margin_rates, MARGINS),
    Part("One correlation, two independent ones", 4000, more.correlation_rates, ONE_R),
    Part("Two correlations that share the brain", 2000, more.dependent_rates, TWO_R),
    Part("All pairs of six models, with a margin", 1000, first.family_rates, PAIRS),
    Part("All pairs of six equal models, any false difference", 1000, more.adjusted_rates, FAMILY),
    Part("Several cells together", 300, kinds.hierarchical_rates, CELLS),
    Part("Ranks: six equal models", 2000, more.rank_rates, RANKS),
    Part(
        "Sets with a margin: one best, five models at the margin", 2000, more.set_claim_rates, SETS
    ),
    Part(
        "The same, SDs from 0.5 to 1.5",
        1000,
        partial(more.set_claim_rates, spread="0.5 to 1.5"),
        UNEQUAL,
    ),
    *(
        Part(name, 1000, partial(more.set_claim_rates, spread=spread), UNEQUAL)
        for spread in (
            "best twice",
            "best three times",
            "two best three times",
            "best a third",
            "another twice",
        )
        for name in (
            f"The same, SD of {'the ' + spread if 'best' in spread else spread} that of the others",
        )
    ),
    *(
        Part(name, 200, partial(more.best_rates, truth=truth, sd=sd), BEST, no_test=truth == "tied")
        for truth, sd in (("tied", 0.018), ("bound", 0.008), ("ladder", 0.008))
        for name in (f"Ties with the best, margin of a tenth of the ceiling: {truth}",)
    ),
    Part("Paired comparison of two outcomes", 2000, more.separation_rates, OUTCOMES),
    Part(
        "Posterior probabilities taken for a test",
        500,
        partial(more.set_claim_rates, methods=("bayes",)),
        BAYES,
        no_test=True,
    ),
)
SHAPES = ("t3", "skewed", "mirrored")


def error(replicates: int) -> float:
    """Monte-Carlo error of a rate at the level."""
    return float(np.sqrt(LEVEL * (1 - LEVEL) / replicates))


def verdict(values: list[float], replicates: int) -> str:
    """``liberal`` where a rate, or the mean of all, lies three Monte-Carlo errors above the level."""
    over = max(max(values) - LEVEL, (float(np.mean(values)) - LEVEL) * np.sqrt(len(values)))
    return "**liberal**" if over > 3 * error(replicates) else "holds"


def part_table(part: Part, share: float) -> list[str]:
    """One table with its verdicts."""
    count = max(int(part.replicates * share), 20)
    found = {n: part.rates(n, count) for n in SIZES}
    head = ["test", *(f"n={n}" for n in SIZES), "verdict"]
    lines = ["", f"## {part.title}", ""]
    lines += [f"{count} data sets per entry; Monte-Carlo error {error(count):.4f} at 0.05.", ""]
    lines += [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    for name in found[SIZES[0]]:
        values = [found[n][name] for n in SIZES]
        # the bootstraps of correlations run on fewer data sets
        fewer = min(count, 500) if "brain" in name and "bootstrap" in name else count
        word = "no test" if part.no_test else verdict(values, fewer)
        lines.append(f"| {name} | {' | '.join(f'{v:.3f}' for v in values)} | {word} |")
    return [*lines, "", *part.words.strip().splitlines()]


def shape_table(share: float) -> list[str]:
    """Rates of the matched tests away from the normal."""
    count = max(int(2000 * share), 20)
    columns = [(shape, n) for shape in SHAPES for n in SIZES]
    found = {
        (shape, n): first.one_sided_rates(
            n, count, shape=shape, enumerated=max(int(500 * share), 20)
        )
        for shape, n in columns
    }
    head = ["test", *(f"{shape} n={n}" for shape, n in columns)]
    lines = [
        "",
        "## Matched scores that are not normal",
        "",
        f"{count} data sets per entry (enumerated bootstrap of 10 subjects: {max(int(500 * share), 20)}). `t3` is",
        "Student's t with 3 df, `skewed` a lognormal with sigma 0.5, `mirrored` the same with its tail on the other",
        "side.",
        "",
        f"| {' | '.join(head)} |",
        f"| {' | '.join('---' for _ in head)} |",
    ]
    for name in found[columns[0]]:
        values = " | ".join(f"{found[c][name]:.3f}" for c in columns)
        lines.append(f"| {name} | {values} |")
    return [
        *lines,
        "",
        *NOT_NORMAL.strip().splitlines(),
    ]


def model_table(share: float) -> list[str]:
    """The 47 models."""
    count = max(int(2000 * share), 50)
    lines = [
        "",
        "## Sets: 47 models, 7 tied for best, 40 ten percent worse, 10 subjects, model-by-subject SD 3 %",
        "",
        f"{count} data sets.",
        "",
        "| between-subject SD | method | a tied model is kept | all tied are kept | a worse model is kept |",
        "| --- | --- | --- | --- | --- |",
    ]
    for sd in (0.25, 0.40):
        rates = first.set_rates(count, subject_sd=sd)
        if find_spec("arch") is not None:
            rates["arch.bootstrap.MCS"] = first.arch_rates(max(int(100 * share), 10), subject_sd=sd)
        for name, r in rates.items():
            lines.append(
                f"| {100 * sd:.0f} % | {name} | {r['tied']:.3f} | {r['all tied']:.3f} | {r['worse']:.3f} |"
            )
    return [
        *lines,
        "",
        *MODELS.strip().splitlines(),
    ]


def calibrate(share: float, n_jobs: int = 1) -> str:
    """All tables as Markdown; every table draws its own numbers, so they are the same for any ``n_jobs``."""
    from joblib import Parallel, delayed

    start = time.monotonic()
    tables = [delayed(part_table)(part, share) for part in PARTS]
    tables += [delayed(shape_table)(share), delayed(model_table)(share)]
    lines = [line for table in Parallel(n_jobs=n_jobs)(tables) for line in table]
    minutes = (time.monotonic() - start) / 60
    head = [
        "# Calibration of the tests with a margin",
        "",
        "Made by `python -m tests.calibration.equivalence docs/calibration_equivalence.md`"
        + (f" with `--share {share:g}`" if share != 1 else "")
        + f" in {minutes:.0f} minutes on {n_jobs} {'core' if n_jobs == 1 else 'cores'}.",
        "Nominal level 0.05, normal scores unless said. `liberal`: a rate three Monte-Carlo errors above nominal.",
    ]
    return "\n".join([*head, *lines, ""])


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.calibration.equivalence", description=__doc__
    )
    parser.add_argument("file", type=Path, help="Markdown file to write")
    parser.add_argument("--share", type=float, default=1.0, help="share of the data sets")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    arguments = parser.parse_args()
    arguments.file.write_text(calibrate(arguments.share, arguments.jobs), "utf-8")


if __name__ == "__main__":
    main()
