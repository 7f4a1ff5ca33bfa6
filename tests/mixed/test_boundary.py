"""Maxima on the boundary: certified, found from other starts, and the same wherever a covariate has its 0."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import SingularFitWarning
from apastats.mixed.engine.core import Fitted, fit_design
from apastats.mixed.engine.design import build_design
from apastats.mixed.engine.formula import parse_mixed_formula
from apastats.mixed.engine.likelihood import slopes_in_covariance

pytestmark = pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
FORMULAS = [
    "y ~ x + (1 + x | s)", "y ~ x + z + (1 + x + z | s)", "y ~ x + (1 + x | s) + (1 + x | i)",
    "y ~ x + z + (1 + x + z | s) + (1 | i)", "y ~ f + (0 + f | s)",
]  # fmt: skip
# the best of lmer's optimisers bobyqa, Nelder_Mead and nloptwrap (lme4 1.1-31), REML, seeds 0 to 59
BEST = [
    -104.2724391, -55.8563757, -68.5150679, -54.1258254, -218.8131400, -109.5132604, -66.0143724, -96.4875784,
    -67.2328882, -158.0525636, -109.1967926, -23.2923210, -55.7733776, -120.3583417, -113.3998109, -109.3026544,
    -79.0005911, -92.5870895, -72.8460692, -141.8443107, -79.1961847, -58.7291510, -64.8269340, -50.5434194,
    -107.1673987, -41.1544903, -91.0956126, -53.0682375, -96.0867632, -110.6450416, -36.5360044, -87.1345819,
    -42.7484046, -94.1935983, -54.4628646, -31.3143111, -42.2136912, -39.8654400, -48.8384127, -182.0450129,
    -82.8153276, -99.2152259, -43.7515124, -84.1485449, -108.8758304, -84.2320579, -98.0315249, -43.4955252,
    -41.4042282, -75.2256224, -91.3842860, -87.0361239, -105.8457986, -50.8988356, -94.3137023, -119.9703885,
    -60.5009157, -45.2148009, -55.8259359, -133.0095178,
]  # fmt: skip


def noisy(seed: int) -> tuple[str, pd.DataFrame]:
    """Few levels and little or no variance: most maxima lie on the boundary."""
    rng = np.random.default_rng(seed)
    kind, n_s, n_i = seed % 5, int(rng.integers(5, 11)), int(rng.integers(4, 9))
    d = pd.MultiIndex.from_product(
        [[f"s{j}" for j in range(n_s)], [f"i{j}" for j in range(n_i)]], names=["s", "i"]
    ).to_frame(index=False)
    if kind == 4:
        d = pd.concat([d, d], ignore_index=True)
    d["x"] = rng.normal(size=len(d)).round(3) if seed % 2 else d["i"].str[1:].astype(float)
    d["z"] = rng.normal(size=len(d)).round(3)
    d["f"] = np.array(["a", "b", "c"])[rng.integers(0, 3, len(d))]
    y = rng.normal(size=len(d))
    s = d["s"].str[1:].astype(int)
    if seed % 3 == 0:
        u = rng.normal(size=n_s)[s]
        y += 0.4 * u + 0.2 * u * d["x"].to_numpy()
    if seed % 3 == 1:
        u, v = rng.normal(size=(2, n_s))[:, s]
        y += 0.3 * u + 0.15 * v * d["x"].to_numpy()
    return FORMULAS[kind], d.assign(y=y.round(3))


def fitted(formula: str, data: pd.DataFrame, **options: object) -> Fitted:
    return fit_design(build_design(parse_mixed_formula(formula), data), **options)  # type: ignore[arg-type]


def test_no_maximum_is_missed_that_another_program_finds() -> None:
    gaps = [best - fitted(*noisy(seed)).loglik for seed, best in enumerate(BEST)]
    assert max(gaps) < 1e-6, np.flatnonzero(np.array(gaps) > 1e-6)


@pytest.mark.parametrize("seed", range(60, 100))
def test_no_direction_on_the_boundary_raises_the_likelihood(seed: int) -> None:
    """N'(S - df/rss Q)N over the null space N of every covariance has no negative eigenvalue."""
    f = fitted(*noisy(seed))
    for M, T, factor in zip(
        slopes_in_covariance(f.state, f.products, reml=True),
        f.state.T,
        f.products.factors,
        strict=True,
    ):
        values, vectors = np.linalg.eigh(T @ T.T)
        N = vectors[:, values < 1e-6 * max(1.0, values[-1])]
        if N.size and (factor.free | factor.free.T).all():
            assert np.linalg.eigvalsh(N.T @ M @ N)[0] > -1e-4 * max(1.0, np.abs(M).max())


def test_a_saddle_with_the_wrong_sign_is_left() -> None:
    """lme4: logLik -88.1186, SE .0504, df 24.5, p .579."""
    rng = np.random.default_rng(91)
    d = pd.DataFrame({"subject": np.repeat(list("abcdefgh"), 8), "x": np.tile(np.arange(8.0), 8)})
    d["y"] = rng.normal(size=64).round(2)
    fit = apa.lmm("y ~ x + (1 + x | subject)", d)
    assert fit.info["loglik"] == pytest.approx(-88.1186, abs=5e-5)
    row = fit.table.iloc[1]
    assert [round(row[c], k) for c, k in (("std_error", 4), ("df", 1), ("p_value", 3))] == [
        0.0504,
        24.5,
        0.579,
    ]


@pytest.mark.parametrize("seed", range(40))
def test_pure_noise_is_never_below_a_start_with_the_sign_turned(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d = pd.DataFrame({"s": np.repeat(list("abcdefgh"), 8), "x": np.tile(np.arange(8.0), 8)})
    d["y"] = rng.normal(size=64).round(2)
    f = fitted("y ~ x + (1 + x | s)", d)
    for start in ([0.1, -0.1, 0.1], [0.1, 0.1, 0.1], [1.0, -0.2, 0.05], [0.05, 0.2, 0.05]):
        again = fit_design(f.design, start=np.array(start))
        assert again.loglik < f.loglik + 1e-6


@pytest.mark.parametrize("origin", [2000.0, 1e5, -1e6])
@pytest.mark.parametrize("formula", FORMULAS[:3])
def test_nothing_depends_on_where_a_covariate_has_its_zero(formula: str, origin: float) -> None:
    _, d = noisy(61)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        near, far = (apa.lmm(formula, d.assign(x=d["x"] + o)) for o in (0.0, origin))
    assert far.info["loglik"] == pytest.approx(near.info["loglik"], abs=1e-6)
    a, b = (f.table[f.table["term"] == "x"].iloc[0] for f in (near, far))
    np.testing.assert_allclose(
        [b["estimate"], b["std_error"], b["df"]],
        [a["estimate"], a["std_error"], a["df"]],
        rtol=1e-4,
    )
    np.testing.assert_allclose(far.fitted(), near.fitted(), atol=1e-4)
    slopes = [f.random_effects() for f in (near, far)]
    mine = [s[(s["effect"] == "x") & (s["group"] == "s")] for s in slopes]
    np.testing.assert_allclose(mine[1]["estimate"], mine[0]["estimate"], atol=1e-5)
    np.testing.assert_allclose(mine[1]["std_error"], mine[0]["std_error"], atol=1e-5)
