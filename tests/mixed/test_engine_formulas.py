"""Parts of the engine against their formulas: gradients of profiles, Monte-Carlo errors, cells of a grouping."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import AliasedWarning, ApaError, DesignError
from apastats.mixed.engine import fixed_part
from apastats.mixed.engine.core import Fitted, fit_design, row_precisions
from apastats.mixed.engine.design import build_design
from apastats.mixed.engine.formula import parse_mixed_formula
from apastats.mixed.engine.intervals import _Held, _quantiles
from apastats.mixed.engine.left_out import _between_cells, _cell_codes, _crosses
from apastats.mixed.engine.optimise import Objective


def study(n: int = 90, seed: int = 0) -> pd.DataFrame:
    g = np.random.default_rng(seed)
    who = g.integers(0, 9, n)
    x = g.normal(size=n)
    own, slope = g.normal(size=9), 0.7 * g.normal(size=9)
    y = 1 + 0.5 * x + own[who] + slope[who] * x + 0.6 * g.normal(size=n)
    part = np.where(g.random(n) < 0.5, "a", "b")
    return pd.DataFrame({"y": y, "x": x, "who": [f"s{i}" for i in who], "part": part})


def fitted(formula: str, data: pd.DataFrame, **options: object) -> Fitted:
    return fit_design(build_design(parse_mixed_formula(formula), data), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "row", "value"),
    [("sd", 0, 0.9), ("sd", 1, 0.4), ("cor", 1, 0.3), ("cor", 1, -0.6), ("sigma", 0, 0.7)],
)
def test_the_gradient_of_a_profile_is_its_slope(what: str, row: int, value: float) -> None:
    ml = fitted("y ~ x + (1 + x | who)", study(), reml=False, centre=False)
    held = _Held(ml, what, 0, row)
    at = np.append(ml.optimum.theta + np.array([0.2, 0.1, 0.3]), held.log_sigma + 0.1)
    deviance, gradient = held(at, value)
    assert np.isfinite(deviance)
    slope = np.array(
        [(held(at + h, value)[0] - held(at - h, value)[0]) / 2e-5 for h in 1e-5 * np.eye(len(at))]
    )
    np.testing.assert_allclose(gradient, slope, rtol=2e-6, atol=2e-5)


def test_quantiles_of_draws_and_their_error() -> None:
    values = np.random.default_rng(1).normal(size=41) ** 3
    tails = np.array([0.05, 0.95])
    q, error = _quantiles(np.append(values, [np.nan, np.inf]), tails)
    ordered = np.sort(values)

    def at(p: float, place: float) -> float:
        low = int(np.floor(place))
        low, part = (low, place - low) if low < 40 else (40, 0.0)
        return float(ordered[low] + (part * (ordered[low + 1] - ordered[low]) if part else 0.0))

    for i, p in enumerate(tails):
        assert q[i] == pytest.approx(at(p, p * 42 - 1), rel=1e-12)
        sd = np.sqrt(p * (1 - p) / 41)
        ends = [at(v, v * 40) for v in (min(p + sd, 1.0), max(p - sd, 0.0))]
        assert error[i] == pytest.approx((ends[0] - ends[1]) / 2, rel=1e-12)
    for few in (np.array([]), np.array([1.0]), np.array([1.0, np.nan])):
        q, error = _quantiles(few, tails)
        assert q.shape == error.shape == (2,)
        assert np.isnan(q).all()
        assert np.isnan(error).all()


def test_residuals_between_cells_are_an_analysis_of_variance() -> None:
    found = fitted("y ~ x + part + (1 | who)", study())
    codes = _cell_codes(found.design, ("who", "part"))
    e = (found.design.y - found.fitted_values) * np.sqrt(
        row_precisions(found.design, found.precisions)
    )
    groups = [e[codes == c] for c in range(codes.max() + 1)]
    # the sums of squares about 0, not about the mean of all residuals
    between = sum(len(v) * v.mean() ** 2 for v in groups)
    within = sum(((v - v.mean()) ** 2).sum() for v in groups)
    for spent in (1, 4):
        free = len(groups) - spent
        f = between / free / (within / (len(e) - len(groups)))
        p = stats.f.sf(f, free, len(e) - len(groups))
        assert _between_cells(found, codes, spent) == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize(
    ("make", "crossed"),
    [
        (lambda d: d, True),
        (lambda d: d.assign(part=d["who"].map(lambda s: "a" if s < "s4" else "b")), False),
        (lambda d: d.drop_duplicates(["who", "part"]), False),
    ],
    ids=["crossed", "nested", "one row each"],
)
def test_a_factor_crosses_a_grouping(make, crossed: bool) -> None:  # type: ignore[no-untyped-def]
    data = make(study(200))
    design = build_design(parse_mixed_formula("y ~ 1 + (1 | who) + (1 | part)"), data)
    assert _crosses(design, ("part",), ("who",), ("who", "part")) is crossed


def test_as_many_coefficients_as_rows_are_refused() -> None:
    data = study(200).groupby("who").head(1).reset_index(drop=True)
    data["who2"] = ["a", "a", "b", "b", "c", "c", "d", "d", "d"][: len(data)]
    data["cell"] = [f"c{i}" for i in range(len(data))]
    with pytest.raises(DesignError, match=f"{len(data)} fixed coefficients need more than"):
        build_design(parse_mixed_formula("y ~ cell + (1 | who2)"), data)
    data.loc[0, "cell"] = "c1"
    build_design(parse_mixed_formula("y ~ cell + (1 | who2)"), data)


def test_kenward_and_roger_do_not_see_where_a_covariate_begins() -> None:
    data = study()
    here, there = (
        apa.lmm("y ~ x + part + (1 + x | who)", d, df="kenward-roger").tidy().set_index("term")
        for d in (data, data.assign(x=data["x"] + 40))
    )
    for column in ("estimate", "std_error", "df", "p_value"):
        np.testing.assert_allclose(
            here[column].iloc[1:], there[column].iloc[1:], rtol=2e-5, err_msg=column
        )


def test_a_random_part_that_fits_everything_is_refused() -> None:
    data = study()
    own = dict(zip(sorted(data["who"].unique()), range(9), strict=True))
    data["y"] = data["who"].map(own) * 1.7 + 0.3
    with pytest.raises(ApaError, match="exactly"):
        apa.lmm("y ~ 1 + (1 | who)", data)


@pytest.mark.parametrize("limit", ["MOST_NUMBERS", "MOST_COLUMNS"])
def test_either_limit_of_the_fixed_part_refuses(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fixed_part, limit, 3)
    data = study().assign(cell=lambda d: "c" + (d.index % 5).astype(str))
    with pytest.raises(DesignError, match="the fixed part has 6 columns"):
        apa.lmm("y ~ cell + (1 | who)", data)


def test_columns_of_zeros_and_near_constants_are_told_apart() -> None:
    data = study().assign(none=0.0)
    with pytest.warns(AliasedWarning, match="none"):
        left = apa.lmm("y ~ x + none + (1 | who)", data).tidy()
    assert left["term"].tolist() == ["(Intercept)", "x"]
    # so far from 0 that the column is a constant to the fit, though it varies
    with pytest.raises(DesignError, match="too far from 0.*subtract"):
        apa.lmm("y ~ x + far + (1 | who)", data.assign(far=lambda d: 1e9 + d["x"] ** 2))


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("reml", [True, False])
def test_the_deviance_is_the_same_with_and_without_its_gradient(unit: float, reml: bool) -> None:
    data = study().assign(x=lambda d: unit * d["x"])
    objective = Objective(fitted("y ~ x + (1 + x | who)", data).products, reml)
    at = objective.start + np.array([0.1, 0.05, 0.2])
    value, gradient = objective.both(at)
    assert objective.value(at) == pytest.approx(value, rel=1e-12)
    slope = [
        (objective.value(at + h) - objective.value(at - h)) / 2e-5 for h in 1e-5 * np.eye(len(at))
    ]
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-5)
