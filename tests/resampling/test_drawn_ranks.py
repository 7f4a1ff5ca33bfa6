"""Mid-ranks of drawn pairs against those of the sample written out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from apastats.scoring.stimuli.drawn_ranks import DrawnRanks


@pytest.mark.parametrize("ties", ["none", "some", "all"])
@pytest.mark.parametrize("kept", [3, 12, 30, 60])  # few pairs are sorted, many are counted
def test_ranks_are_those_of_the_written_out_sample(ties: str, kept: int) -> None:
    n, rng = 60, np.random.default_rng(kept)
    z = rng.random((4, n * (n - 1) // 2))
    if ties != "none":
        z[1:3] = np.round(8 * z[1:3])
    if ties == "all":
        z[0], z[3] = z[1] > 3, 1.0
    left, right = np.triu_indices(n, 1)
    counts = rng.multinomial(2 * n, np.ones(n) / n, size=5).astype(float)
    counts *= np.arange(n) < kept
    for row, (weight, ranks) in zip(counts, DrawnRanks(z).each(counts), strict=True):
        times = (row[left] * row[right]).astype(int)
        copies = np.repeat(np.arange(len(left)), times)
        written = rankdata(z[:, copies], axis=1)
        written -= (len(copies) + 1) / 2
        expected = written[:, np.searchsorted(copies, np.flatnonzero(times))]
        np.testing.assert_array_equal(weight, times[times > 0])
        np.testing.assert_array_equal(ranks, expected)


def test_weights_that_are_no_counts_are_sums_too() -> None:
    n, rng = 20, np.random.default_rng(1)
    z = np.round(6 * rng.random((3, n * (n - 1) // 2)))
    c = rng.dirichlet(np.ones(n), size=2)
    left, right = np.triu_indices(n, 1)
    for row, (weight, ranks) in zip(c, DrawnRanks(z).each(c), strict=True):
        w = row[left] * row[right]
        np.testing.assert_allclose(weight, w, rtol=1e-15)
        for x, found in zip(z, ranks, strict=True):
            expected = [w[x < v].sum() + w[x == v].sum() / 2 - w.sum() / 2 for v in x]
            np.testing.assert_allclose(found, expected, atol=1e-14)
