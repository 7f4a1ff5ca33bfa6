"""Roots and splines have the digits of scipy."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

from apastats.numbers.roots import cubic_spline, root

FUNCTIONS: dict[str, Callable[[float], float]] = {
    "cubic": lambda v: v**3 - 2 * v - 5,
    "flat": lambda v: (v - 1) ** 3 + 1e-3 * (v - 1),
    "exponential": lambda v: math.exp(-v) - v,
    "steep": lambda v: math.tanh(400 * (v - 0.3)),
    "step": lambda v: -1.0 if v < 0.7 else 1.0,
    "at an end": lambda v: v - 4,
}


@pytest.mark.parametrize("name", list(FUNCTIONS))
@pytest.mark.parametrize("tolerances", [{}, {"xtol": 1e-12, "rtol": 1e-12}, {"xtol": 1e-3}])
def test_roots_are_those_of_scipy(name: str, tolerances: dict[str, float]) -> None:
    f = FUNCTIONS[name]
    asked: list[float] = []

    def counted(v: float) -> float:
        asked.append(v)
        return f(v)

    theirs = brentq(counted, -3, 4, **tolerances)
    before, asked = asked, []
    assert root(counted, -3, 4, **tolerances) == theirs
    assert asked == before


def test_roots_of_random_polynomials() -> None:
    g = np.random.default_rng(0)
    for _ in range(300):
        c = g.normal(size=5)
        low, high = -abs(g.normal()) - 0.1, abs(g.normal()) + 0.1
        f = np.polynomial.Polynomial(c)
        if f(low) * f(high) < 0:
            assert root(f, low, high) == brentq(f, low, high)


def test_no_root() -> None:
    with pytest.raises(ValueError, match="different signs"):
        root(lambda v: v * v + 1, -1, 1)
    with pytest.raises(ValueError, match="is NaN"):
        root(lambda v: v if v < 0.4 else math.nan, -1, 2)
    with pytest.raises(RuntimeError, match="converge"):
        root(lambda v: v**3 - 0.1, -1, 2, maxiter=2)


@pytest.mark.parametrize("n", [4, 5, 9, 400])
def test_splines_are_those_of_scipy(n: int) -> None:
    g = np.random.default_rng(n)
    x, y = np.cumsum(g.uniform(0.1, 2, n)), g.normal(size=n)
    at = np.concatenate([x, g.uniform(x[0] - 1, x[-1] + 1, 500)])
    ours, theirs = cubic_spline(x, y)(at), CubicSpline(x, y)(at)
    np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-13 * np.abs(theirs).max())
    assert (ours == theirs).mean() > 0.99


def test_tests_of_margins_import_no_optimiser() -> None:
    code = (
        "import sys, numpy as np, apastats as apa\n"
        "t = apa.simulate(n_subject=6, n_model=3, n_layer=1, rois=['V1', 'V2', 'V4'], rng=1).scores\n"
        "t = t.where(split='test', kind='model')\n"
        "apa.equivalence('score ~ model | roi', t, bounds=0.1, reference='best')\n"
        "apa.discriminability('score ~ model | roi', t)\n"
        "print([m for m in ('scipy.optimize', 'scipy.interpolate', 'scipy.stats') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"
