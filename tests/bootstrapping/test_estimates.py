from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import (
    DegenerateWarning,
    DesignError,
    InputError,
    MonteCarloWarning,
    SmallSampleWarning,
)
from apastats.resampling.intervals import INTERVALS
from apastats.resampling.plans import composition_counts


def table(n_subject: int = 6, seed: int = 0, missing: int = 0) -> apa.ScoreTable:
    rng = np.random.default_rng(seed)
    rows = [
        {"subject": f"s{s:02d}", "roi": roi, "model": model, "score": rng.normal(0.3, 0.1)}
        for s in range(n_subject)
        for roi in ("V1", "V2")
        for model in ("a", "b", "c")
    ]
    frame = pd.DataFrame(rows)
    frame.loc[frame.index[:missing], "score"] = np.nan
    return apa.ScoreTable(frame)


def test_table_has_the_columns_of_the_package() -> None:
    found = apa.bootstrap("score ~ model | roi", table())
    assert list(found.table.columns) == [
        "model", "roi", "estimate", "std_error", "conf_low", "conf_high", "conf_level",
        "n_subject", "method", "mcse", "conf_low_mcse", "conf_high_mcse", "settled",
    ]  # fmt: skip
    assert len(found.table) == 6
    assert found.info["exact"]
    assert found.info["n_resamples"] == 462
    assert found.provenance.seed == ""
    assert (found.table["mcse"] == 0).all()


def test_point_estimates_come_from_the_data() -> None:
    data = table(missing=2)
    found = apa.bootstrap("score ~ model | roi", data).table.set_index(["model", "roi"])
    means = data.frame.groupby(["model", "roi"])["score"].agg(["mean", "sem", "count"])
    means = means.loc[found.index]
    np.testing.assert_allclose(found["estimate"], means["mean"], rtol=1e-14)
    np.testing.assert_allclose(found["std_error"], means["sem"], rtol=1e-12)
    assert found["n_subject"].tolist() == means["count"].tolist()


def test_replicates_are_those_of_the_enumeration() -> None:
    data = table(5)
    found = apa.bootstrap("score ~ model", data.where(roi="V1"))
    counts, weights = composition_counts(5)
    wide = data.where(roi="V1").frame.pivot(index="subject", columns="model", values="score")
    expected = counts @ wide[found.table["model"]].to_numpy() / 5
    np.testing.assert_allclose(found.replicates, expected, rtol=1e-13)
    np.testing.assert_array_equal(found.replicate_weights, weights)


@pytest.mark.parametrize("n_resamples", ["exact", 10_000])
def test_other_intervals_come_from_the_same_replicates(n_resamples) -> None:
    data = table(8)
    arguments = {"n_resamples": n_resamples, "rng": 7}
    found = apa.bootstrap("score ~ model | roi", data, interval="bca", **arguments)
    for interval in INTERVALS:
        direct = apa.bootstrap(
            "score ~ model | roi", data, interval=interval, conf_level=0.9, **arguments
        )
        pd.testing.assert_frame_equal(
            found.conf_int(interval=interval, conf_level=0.9), direct.table
        )


def test_saved_result_still_gives_intervals(tmp_path) -> None:
    found = apa.bootstrap("score ~ model | roi", table(12), n_resamples=6000, rng=2)
    again = apa.load_result(found.save(tmp_path / "boot"))
    pd.testing.assert_frame_equal(
        again.conf_int(interval="basic"), found.conf_int(interval="basic")
    )


# the seed is new in every run, and with it whether digits are settled
@pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning")
def test_seed_is_recorded_and_repeats() -> None:
    first = apa.bootstrap("score ~ model", table(12).where(roi="V1"))
    seed = int(first.provenance.seed)
    second = apa.bootstrap("score ~ model", table(12).where(roi="V1"), rng=seed)
    pd.testing.assert_frame_equal(first.table, second.table)


def test_seeds_of_every_kind() -> None:
    data = table(12).where(roi="V1")

    def limits(rng) -> list[float]:
        return apa.bootstrap("score ~ model", data, rng=rng).table["conf_low"].tolist()

    assert limits(5) == limits(np.random.SeedSequence(5))
    assert limits(np.random.default_rng(5)) == limits(np.random.default_rng(5))
    generator = np.random.default_rng(5)
    assert limits(generator) != limits(generator)


def test_bits_do_not_depend_on_batch_or_processes() -> None:
    data = table(7)
    one = apa.bootstrap("score ~ model | roi", data)
    for options in ({"batch": 1}, {"n_jobs": 2, "batch": 2}):
        pd.testing.assert_frame_equal(
            one.table, apa.bootstrap("score ~ model | roi", data, **options).table
        )


def test_bayesian_bootstrap_has_the_dirichlet_spread() -> None:
    data = table(9).where(roi="V1")
    found = apa.bootstrap(
        "score ~ model", data, scheme="bayesian", n_resamples=20_000, interval="percentile", rng=1
    )
    sd = found.replicates.std(axis=0)
    # var of a Dirichlet-weighted mean: sum (x - mean)^2 / n / (n + 1)
    np.testing.assert_allclose(sd, found.table["std_error"] * np.sqrt(8 / 10), rtol=0.03)
    assert found.table["method"].unique().tolist() == ["percentile (bayesian)"]


def test_brain_and_other_clusters() -> None:
    frame = table(6).frame.assign(site=lambda f: f["subject"].str[-1])
    found = apa.bootstrap("score ~ model | roi", apa.ScoreTable(frame), cluster="site")
    assert found.info.resampled.what == "sites"


def test_one_subject_in_a_cell_gives_nan_and_says_so() -> None:
    frame = table(4).frame
    lonely = (frame["model"] == "a") & (frame["roi"] == "V1") & (frame["subject"] != "s00")
    frame.loc[lonely, "score"] = np.nan
    with pytest.warns(DegenerateWarning, match="1 cells have a value of one subject only"):
        found = apa.bootstrap("score ~ model | roi", apa.ScoreTable(frame))
    row = found.table.query("model == 'a' and roi == 'V1'").iloc[0]
    assert np.isfinite(row["estimate"])
    assert np.isnan(row["conf_low"])


def test_combinations_without_rows_are_left_out_with_a_note() -> None:
    frame = table(4).frame
    frame = frame[~((frame["model"] == "a") & (frame["roi"] == "V1"))]
    found = apa.bootstrap("score ~ model | roi", apa.ScoreTable(frame))
    assert len(found.table) == 5
    assert found.notes == ("1 of 6 combinations of ['model', 'roi'] have no rows and no estimate",)


def test_few_resamples_warn_of_monte_carlo_error() -> None:
    with pytest.warns(MonteCarloWarning, match="could change their printed digits"):
        apa.bootstrap("score ~ model | roi", table(12), n_resamples=50, rng=1)


def test_three_subjects_are_too_few_for_studentising() -> None:
    with pytest.warns(SmallSampleWarning, match="with 3 subjects so many resamples repeat"):
        apa.bootstrap("score ~ model | roi", table(3), conf_level=0.99)


def test_all_nan_cell_is_an_error() -> None:
    frame = table(4).frame
    frame.loc[(frame["model"] == "a") & (frame["roi"] == "V2"), "score"] = np.nan
    with pytest.raises(
        DesignError, match=r"cell \{'model': 'a', 'roi': 'V2'\} has rows but no value"
    ):
        apa.bootstrap("score ~ model | roi", apa.ScoreTable(frame))


def test_one_subject_is_an_error() -> None:
    with pytest.raises(DesignError, match=r"bootstrap: 1 level of 'subject' \(\['s00'\]\)"):
        apa.bootstrap("score ~ model | roi", table(1))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"interval": "wald"}, "interval: got 'wald'"),
        ({"conf_level": 95}, "conf_level: got 95"),
        ({"alternative": "up"}, "alternative: got 'up'"),
        ({"quantile_rule": "type6"}, "quantile_rule: got 'type6'"),
        ({"scheme": "jackknife"}, "scheme: got 'jackknife'"),
        ({"n_resamples": -5}, "n_resamples: got -5"),
        ({"n_resamples": "some"}, "n_resamples: got 'some'"),
        ({"n_jobs": 0}, "n_jobs: got 0"),
        ({"batch": -1}, "batch: got -1"),
        ({"rng": "x", "n_resamples": 10}, "rng: got 'x'"),
        ({"cluster": "site"}, "'site' is not a column"),
        ({"kind": "leave_one_out"}, "no row of kind 'leave_one_out'"),
    ],
)
def test_bad_arguments(options, match: str) -> None:
    with pytest.raises((InputError, DesignError), match=match):
        apa.bootstrap("score ~ model | roi", table(4), **options)


def test_other_data_than_a_table_are_refused() -> None:
    with pytest.raises(InputError, match="data: got 'ndarray'; allowed: a ScoreTable, or RDMs"):
        apa.bootstrap("score ~ model", np.ones(3))
