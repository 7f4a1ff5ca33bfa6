"""Joint coverage of intervals of ranks with holes at random: ``python -m tests.calibration.ranks [tables]``.

Tables are ``model + item + error`` with errors whose SD grows threefold over items. Models are equal, where
coverage is as low as it gets (any pair called different is an error), or spread, half of them tied in pairs.
"""

from __future__ import annotations

import sys

import numpy as np

from apastats.numbers.crossed import ENOUGH, components, fit_crossed
from apastats.numbers.rank_intervals import draw_largest, rank_bounds

DESIGNS = {
    "30 x 12, 40 % holes": (30, 12, 0.4),
    "8 x 6, 25 % holes": (8, 6, 0.25),
    "120 x 20, 40 % holes": (120, 20, 0.4),
}
TRUTHS = ("equal", "spread")


def truth_of(kind: str, n: int) -> np.ndarray:
    """Scores of the models."""
    if kind == "equal":
        return np.zeros(n)
    spread = np.linspace(0, 0.1 * n, n)
    return np.where(np.arange(n) % 4 < 2, np.repeat(spread[::2], 2)[:n], spread)


def covered(
    design: str, kind: str, tables: int, *, errors: str = "pooled", random: bool = True, draws: int = 999, seed: int = 1
) -> dict[str, float]:  # fmt: skip
    """Shares of tables in which all joint intervals hold, of models whose own does, of best models kept."""
    n_model, n_item, holes = DESIGNS[design]
    truth = truth_of(kind, n_model)
    # the place of a model is one plus the number above it; with ties its interval holds if it has one of theirs
    first = 1 + (truth[None] > truth[:, None]).sum(axis=1)
    last = n_model - (truth[None] < truth[:, None]).sum(axis=1)
    spread = np.linspace(1 / np.sqrt(3), np.sqrt(3), n_item)
    rng = np.random.default_rng([seed, list(DESIGNS).index(design), TRUTHS.index(kind)])
    found = []
    while len(found) < tables:
        y = truth[:, None] + rng.normal(size=n_item) + spread * rng.normal(size=(n_model, n_item))
        y[rng.random(y.shape) < holes] = np.nan
        seen = np.isfinite(y)
        if not (seen.any(axis=1).all() and seen.any(axis=0).all()) or components(seen).max() > 0:
            continue
        how = {"auto": {"least": ENOUGH}, "item": {}, "pooled": {"by_item": False}}[errors]
        fit = fit_crossed(y, random=random, **how)  # type: ignore[arg-type]
        own = fit.own * fit.inflation
        largest = draw_largest(own, fit.shared, fit.parts, fit.part_df, draws, rng)
        b = rank_bounds(fit.mean, own, fit.shared, largest, 0.05)
        joint = (b.low <= first) & (last <= b.high)
        each = (b.low_marginal <= first) & (last <= b.high_marginal)
        found.append((joint.all(), each.mean(), b.best[truth == truth.max()].mean()))
    return dict(zip(("joint", "each", "best"), np.mean(found, axis=0).tolist(), strict=True))


def main(tables: int) -> None:
    for design in DESIGNS:
        for kind in TRUTHS:
            for random in (True, False):
                values = covered(design, kind, tables, random=random)
                told = ", ".join(f"{k} {v:.3f}" for k, v in values.items())
                effect = "random" if random else "fixed"
                sys.stdout.write(f"{design}, {kind}, items {effect}: {told}\n")
                sys.stdout.flush()
    for design, errors in (("30 x 12, 40 % holes", "item"), ("120 x 20, 40 % holes", "auto")):
        values = covered(design, "equal", tables, errors=errors)
        sys.stdout.write(f"{design}, equal, errors {errors}: joint {values['joint']:.3f}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
