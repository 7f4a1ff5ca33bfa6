"""Monte-Carlo error: in the table, in the digits that are printed, and as one warning."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import ApaWarning, MonteCarloWarning
from apastats.reporting.numbers import as_style
from apastats.reporting.tables import scale_decimals
from apastats.rounding import printed_decimals, resamples_to_settle, unsettled


def scores(n: int = 20, cells: int = 6, sd: float = 0.1, seed: int = 0) -> np.ndarray:
    return 0.3 + sd * np.random.default_rng(seed).normal(size=(n, cells))


def table(n: int = 20) -> apa.ScoreTable:
    rows = [
        {"subject": f"s{s:02d}", "roi": "V1", "model": f"m{m}", "score": x}
        for s, row in enumerate(scores(n))
        for m, x in enumerate(row)
    ]
    return apa.ScoreTable(pd.DataFrame(rows))


def test_digits_that_are_printed() -> None:
    se = np.array([0.021, 0.02, 0.024])
    assert printed_decimals(se) == 3
    assert printed_decimals(se, 0.0005) == 3
    # beyond half a unit of the third decimal there are two, one digit of the standard error
    assert printed_decimals(se, 0.00051) == 2
    assert printed_decimals(se, 0.5) == 2
    assert unsettled(se, [0.0049, 0.0051, np.nan]).tolist() == [False, True, False]
    # four times as many halve the error; (1 + 1 / sqrt(10))^2 for safety, two digits
    assert resamples_to_settle(1000, se, [0.01]) == 7000
    assert resamples_to_settle(1000, se, [0.0]) == 1000


def test_last_decimal_stands_over_seeds_where_the_table_says_so() -> None:
    x = scores(cells=10)
    found = [apa.boot_ci(x, n_resamples=150_000, rng=k) for k in range(6)]
    places = {scale_decimals(f.table, as_style("apa")) for f in found}
    assert places == {3}
    assert all(f.table["settled"].all() for f in found)
    lows = np.array([f.table["conf_low"] for f in found])
    # nowhere more than the neighbouring digit
    assert (lows.max(axis=0) - lows.min(axis=0)).max() < 2e-3


def test_table_has_an_error_for_either_limit() -> None:
    skewed = np.exp(3 * scores())
    t = apa.boot_ci(skewed, n_resamples=5000, rng=1, interval="percentile").table
    assert (t["conf_high_mcse"] > 1.05 * t["conf_low_mcse"]).mean() > 0.5
    np.testing.assert_array_equal(t["mcse"], t[["conf_low_mcse", "conf_high_mcse"]].max(axis=1))
    one = apa.boot_ci(
        skewed, n_resamples=5000, rng=1, interval="percentile", alternative="greater"
    ).table
    assert (one["conf_high_mcse"] == 0).all()
    exact = apa.boot_ci(skewed[:8]).table
    assert (exact[["mcse", "conf_low_mcse", "conf_high_mcse"]] == 0).all(axis=None)
    assert exact["settled"].all()


def test_one_warning_that_says_what_to_do() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = apa.bootstrap("score ~ model | roi", table(), n_resamples=400, rng=0)
    assert [w.category for w in seen] == [MonteCarloWarning]
    assert issubclass(MonteCarloWarning, ApaWarning)
    loose = found.table[~found.table["settled"]]
    message = str(seen[0].message)
    assert seen[0].filename == __file__
    first = loose.iloc[0]
    assert f"error of {len(loose)} of 6 intervals could change" in message
    assert f"(decimal 2): {first['model']} / V1" in message
    assert f"largest Monte-Carlo SE {found.table['mcse'].max():.2g}" in message
    assert found.notes == (message,)
    # the number it names is enough
    number = int(message.split("n_resamples=")[1].split()[0])
    again = apa.bootstrap("score ~ model | roi", table(), n_resamples=number, rng=50)
    assert again.table["settled"].all()
    assert again.notes == ()


def test_one_unsettled_cell_is_enough() -> None:
    x = scores(cells=60)
    x[:, 7] *= 6
    with pytest.warns(MonteCarloWarning, match=r"1 of 60 intervals .*: mean\[7\]; largest"):
        apa.boot_ci(x, n_resamples=3000, rng=1)


def test_intervals_asked_for_later_warn_too() -> None:
    found = apa.bootstrap("score ~ model | roi", table(), n_resamples=5000, rng=1)
    assert found.table["settled"].all()
    with pytest.warns(MonteCarloWarning) as seen:
        late = found.conf_int(conf_level=0.9999)
    assert len(seen) == 1
    assert not late["settled"].all()
    with pytest.warns(MonteCarloWarning):
        bands = found.bands(conf_level=0.9999)
    assert not bands["settled"].all()
    assert found.bands(conf_level=0.8)["settled"].all()


def test_auto_goes_on_until_digits_stand() -> None:
    x = np.exp(scores(12, 40, sd=0.6, seed=3))
    found = apa.boot_ci(x, rng=5)
    assert found.info["n_resamples"] > 19_999
    assert found.table["settled"].all()
    # what it ends with is what asking for that number gives
    again = apa.boot_ci(x, rng=5, n_resamples=found.info["n_resamples"])
    pd.testing.assert_frame_equal(found.table, again.table)
    assert apa.boot_ci(scores(30), rng=5).info["n_resamples"] == 19_999


def test_auto_with_a_folder_goes_on_there(tmp_path) -> None:
    x = np.exp(scores(12, 40, sd=0.6, seed=3))
    frame = pd.DataFrame(
        [
            {"subject": f"s{s:02d}", "roi": "V1", "model": f"m{m}", "score": v}
            for s, row in enumerate(x)
            for m, v in enumerate(row)
        ]
    )
    data = apa.ScoreTable(frame)
    first = apa.bootstrap("score ~ model", data, workdir=tmp_path / "w", rng=5)
    assert (tmp_path / "w" / "more" / "manifest.json").exists()
    second = apa.bootstrap("score ~ model", data, workdir=tmp_path / "w", rng=5)
    plain = apa.bootstrap("score ~ model", data, rng=5)
    pd.testing.assert_frame_equal(first.table, second.table)
    pd.testing.assert_frame_equal(first.table, plain.table)


def test_the_eye_sees_settled_digits_only() -> None:
    found = apa.bootstrap("score ~ model | roi", table(), n_resamples=5000, rng=1)
    shown = found.summary()
    assert "conf_low_mcse" not in shown
    low = found.table["conf_low"].iloc[0]
    assert f"{low:.2f}" in shown
    assert f"{low:.3f}" not in shown


def test_ceilings_and_shares_warn_as_well() -> None:
    study = apa.simulate(n_subject=14, n_model=2, rng=1)
    with pytest.warns(MonteCarloWarning, match="n_resamples="):
        ceiling = apa.noise_ceiling(study.scores, interval="percentile", n_resamples=100, rng=1)
    assert not ceiling.table["settled"].all()
    assert ceiling.notes
    ceiling = apa.noise_ceiling(study.scores)
    best = apa.select_layer(study.scores, on="train")
    with pytest.warns(MonteCarloWarning, match="model_01"):
        apa.normalize(best, ceiling, interval="percentile", n_resamples=100, rng=1)
