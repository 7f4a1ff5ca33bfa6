"""Tests with a margin: a whole study on one core, and peers that do one pair at a time.

``python -m benchmarks.equivalence FILE [--replicates N]`` runs the calibration instead and writes its tables.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

import apastats as apa
from benchmarks.common import Row, best_time, measure

LIMIT = 5.0
# what the tables of further tests say, one text for each
TWO = """
A claim above the bound when the true difference is the bound; n and n + 3, `unequal`: the smaller sample has
twice the SD. The studentised bootstrap (the default) is the one to use; the studentised permutation test is exact
only where both samples come from one population and a little **liberal** where the smaller one of 8 or 10 varies
more (use the bootstrap or Welch there). The percentile, basic, bca and normal intervals take the spread of few
subjects for the truth and are **liberal**, most below 20: they only reproduce published analyses.
"""
RATIO = """
Student's and Welch's t on the logs. For normal scores with a spread of 20 % the log is close enough to normal.
"""
ONE_R = """
Both bounds lie at the true value (0.6; 0.6 and 0.4, n items each); `above` is the false claim above the lower,
`below` under the upper bound. Fisher's z lies above its truth by about `r / (2 (n - 1))`, so claims above a high
bound come a little too often (0.06 to 0.07 instead of 0.05), most with the jackknife's error and for Kendall;
with few items use Spearman.
"""
TWO_R = """
Both bounds at the true difference (0.6 and 0.4, models correlated 0.5), and the ordinary test of two correlations
of 0.5. The ordinary tests of Williams and Steiger hold their level. At a bound that is not 0 a claim that the
difference is **below** it is liberal with few items: the sampling distribution is skewed, the standard error
follows the estimate. Williams' form, the default, is the least so (0.06 to 0.07 in 4000 other data sets at each
n; at half the level 0.03 to 0.04); the bootstrap forms are liberal throughout up to 20 items and are for many items
only. With so few items use Williams with half the level, or correlate per subject and test the subjects'
differences by `equivalence`.
"""
SETS = """
`equivalent`: any model that is exactly the margin below the best is called equivalent to it; `worse`: any of them
is called worse than the margin. `lost`: without a margin and all six tied, a given one is not in the set. mcb, mcs
and tost promise these rates. `bayes` is **no test**: a posterior probability under a flat prior, not corrected
for looking at five models at once or for the best being selected; for an error rate use mcb or mcs.
"""
UNEQUAL = """
With moderated variances. The best model varies least; the promises hold.
"""
RANKS = """
Friedman's chi-squared is cautious with few subjects; the F form of Iman and Davenport uses the level better.
Nemenyi's test holds its level over all pairs together.
"""
FAMILY = """
Every adjustment holds the family-wise level within a cell. Hierarchical testing adds Bonferroni steps between
cells and is valid by construction.
"""
CEILING = """
The ceiling is estimated on the same subjects, each of whom brings its own value to the bound.
"""
OUTCOMES = """
Two outcomes with the same generalisability, one in other units; two-sided difference of log F with the jackknife
over subjects. Conservative where models do not differ at all. (Sign flips of a signal per subject are not
offered: subjects share the profile they are measured against, and such a test is wrong in about 20 % here.)
"""


def study(models: int = 50, rois: int = 39, subjects: int = 10) -> apa.ScoreTable:
    """Scores of one study, all in one table."""
    g = np.random.default_rng(0)
    values = 0.3 + g.normal(0, 0.1, (subjects, 1, 1)) + g.normal(0, 0.02, (subjects, models, rois))
    levels = [
        [f"s{i:02d}" for i in range(subjects)],
        [f"m{i:02d}" for i in range(models)],
        [f"r{i:02d}" for i in range(rois)],
    ]
    index = pd.MultiIndex.from_product(levels, names=["subject", "model", "roi"])
    return apa.ScoreTable(pd.DataFrame({"score": values.ravel()}, index=index).reset_index())


def rows(*, quick: bool = False, only: str = "") -> Iterator[Row]:
    """Every task in turn."""
    if only in "study":
        table = study(*((10, 5, 8) if quick else (50, 39, 10)))
        for adjust in ("holm", "max-t", "max-t-step-down"):
            seconds, found = best_time(
                lambda a=adjust: apa.equivalence(
                    "score ~ model | roi", table, bounds=0.03, adjust=a
                ),
                1,
            )
            yield Row(
                f"t TOST of all pairs, {adjust}",
                ours=seconds,
                note=f"{len(found.table)} contrasts; asked: under {LIMIT:g} s on one core",
                met=seconds < LIMIT,
            )
    if only in "pingouin":
        yield from pingouin_rows(quick)


def pingouin_rows(quick: bool) -> Iterator[Row]:
    """All pairs of one ROI against a loop over pingouin's function."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pingouin

    table = study(6 if quick else 20, 1, 10)
    block = table.block("score ~ model | roi")
    x = block.values[:, :, 0]
    a, b = np.triu_indices(x.shape[1], 1)

    def theirs() -> np.ndarray:
        return np.array(
            [
                pingouin.tost(x[:, i], x[:, j], bound=0.03, paired=True).iloc[0]["pval"]
                for i, j in zip(a, b, strict=True)
            ]
        )

    def ours() -> np.ndarray:
        found = apa.equivalence("score ~ model | roi", table, bounds=0.03, adjust="none")
        return found.table["p_value_equiv"].to_numpy()

    yield measure("paired TOST of all pairs, pingouin in a loop", theirs, ours, tolerance=1e-10)


def calibrate(replicates: int) -> str:
    """Tables of error rates as Markdown."""
    from tests.calibration.equivalence_simulations import (
        family_rates,
        independent_rates,
        one_sided_rates,
        set_rates,
    )

    sizes = (8, 10, 20)
    lines = [
        "# Calibration of the tests with a margin",
        "",
        "Made by `python -m benchmarks.equivalence docs/calibration_equivalence.md`. Nominal level 0.05.",
        f"{replicates} simulated data sets per entry (enumerated bootstrap: 400; families: {replicates // 10});",
        f"the Monte-Carlo error of an entry at 0.05 is {np.sqrt(0.05 * 0.95 / replicates):.4f} (0.011 at 400).",
        "",
        "## False claims of one test at its bound, matched scores",
        "",
        "The true difference is exactly the bound; a claim of non-inferiority there (and of equivalence, the other",
        "bound being far away) is false. `t3` is Student's t with 3 df, `skewed` a lognormal with sigma 0.5,",
        "`mirrored` the same with its tail on the other side.",
        "",
    ]
    columns = [(shape, n) for shape in ("normal", "t3", "skewed", "mirrored") for n in sizes]
    found = {c: one_sided_rates(c[1], replicates, shape=c[0]) for c in columns}
    lines += _table(["test", *(f"{s} n={n}" for s, n in columns)], found, columns)
    lines += [
        "",
        "t, trimmed, Wilcoxon, both kinds of sign flips and the studentised bootstrap hold their level for normal",
        "scores; Wilcoxon and sign flips for every symmetric distribution. The percentile, basic, bca and normal",
        "bootstrap are **liberal at few subjects**: they are offered to reproduce published analyses, are never the",
        "default, and a result made with them says so. For skewed differences no test of the mean holds its level on",
        "both sides.",
        "",
        "## Independent samples (n and n + 3, spread 2 to 1 unless said)",
        "",
    ]
    independent = {n: independent_rates(n, replicates) for n in sizes}
    lines += _table(["test", *(f"n={n}" for n in sizes)], independent, list(sizes))
    for part in further_parts(replicates):
        lines += further_table(part, sizes)
    lines += ["", "## Any false claim among all pairs of 6 models (family-wise)", ""]
    families = {n: family_rates(n, max(replicates // 10, 50)) for n in (8, 10)}
    lines += _table(["claim, adjustment", "n=8", "n=10"], families, [8, 10])
    lines += [
        "",
        "## Sets: 47 models, 7 tied for best, 40 ten percent worse, 10 subjects, model-by-subject SD 3 %",
        "",
        "| between-subject SD | method | a tied model is kept | all tied are kept | a worse model is kept |",
        "| --- | --- | --- | --- | --- |",
    ]
    for sd in (0.25, 0.40):
        for name, r in set_rates(replicates, subject_sd=sd).items():
            lines.append(
                f"| {100 * sd:.0f} % | {name} | {r['tied']:.3f} | {r['all tied']:.3f} | {r['worse']:.3f} |"
            )
    lines += [
        "",
        "`mcb` promises to keep each model tied for best, `mcs` all of them together. `ci_overlap` is the published",
        "rule (mean at least the lower end of the best model's percentile interval); it is no test.",
        "",
    ]
    lines += [
        "For comparison, `arch.bootstrap.MCS` (method R, 300 resamples, block size 1, subjects as rows) on 40 such",
        "data sets (25 %): each tied model 0.95, all tied together 0.75, worse 0.00. Its promise is asymptotic in",
        "the rows; ten subjects are too few for it.",
        "",
    ]
    return "\n".join(lines)


Part = tuple[str, int, Callable[[int, int], dict[str, float]], str]


def further_parts(replicates: int) -> list[Part]:
    """Tables of the tests that take longer per data set: title, data sets, simulation, what it says."""
    from tests.calibration import equivalence_more as more

    half = max(replicates // 2, 20)
    unequal = partial(more.set_claim_rates, unequal=True)
    return [
        ("Independent samples by resampling (999 resamples)", half, more.resampled_two_rates, TWO),
        ("Log-ratio (true ratio 0.8, the lower bound)", half, more.ratio_rates, RATIO),
        ("One correlation, two independent ones", replicates, more.correlation_rates, ONE_R),
        ("Two correlations that share the brain", half, more.dependent_rates, TWO_R),
        (
            "Sets with a margin: one best, five models at the margin",
            half,
            more.set_claim_rates,
            SETS,
        ),
        ("The same, SDs from 0.5 to 1.5", half, unequal, UNEQUAL),
        ("Paired comparison of two outcomes", replicates, more.separation_rates, OUTCOMES),
        ("Ranks: six equal models", replicates, more.rank_rates, RANKS),
        ("All pairs of six equal models, any false difference", half, more.adjusted_rates, FAMILY),
        ("A margin taken from the ceiling", replicates, more.ceiling_margin_rates, CEILING),
    ]


def further_table(part: Part, sizes: tuple[int, ...]) -> list[str]:
    """One such table with its verdicts: liberal is three Monte-Carlo errors above nominal."""
    title, count, rates, words = part
    found = {n: rates(n, count) for n in sizes}
    error = float(np.sqrt(0.05 * 0.95 / count))
    head = ["test", *(f"n={n}" for n in sizes), "verdict"]
    lines = ["", f"## {title}", ""]
    lines += [f"{count} data sets per entry; Monte-Carlo error {error:.4f} at 0.05.", ""]
    lines += [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    for name in found[sizes[0]]:
        values = [found[n][name] for n in sizes]
        # far above at one n, or above at all of them together
        over = max(max(values) - 0.05, (np.mean(values) - 0.05) * np.sqrt(len(values)))
        word = "**liberal**" if over > 3 * error else "holds"
        lines.append(f"| {name} | {' | '.join(f'{v:.3f}' for v in values)} | {word} |")
    return [*lines, "", *words.strip().splitlines()]


def _table(head: list[str], found: dict, columns: list) -> list[str]:  # type: ignore[type-arg]
    names = list(found[columns[0]])
    out = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    out += [
        f"| {name} | {' | '.join(f'{found[c][name]:.3f}' for c in columns)} |" for name in names
    ]
    return out


def main() -> None:
    """Write the calibration tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.equivalence", description=__doc__)
    parser.add_argument("file", type=Path, help="Markdown file to write")
    parser.add_argument("--replicates", type=int, default=1000)
    arguments = parser.parse_args()
    arguments.file.write_text(calibrate(arguments.replicates), "utf-8")


if __name__ == "__main__":
    main()
