"""Tests with a margin: a whole study on one core, and peers that do one pair at a time.

``python -m benchmarks.equivalence FILE [--replicates N]`` runs the calibration instead and writes its tables.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import apastats as apa
from benchmarks.common import Row, best_time, measure

LIMIT = 5.0


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
