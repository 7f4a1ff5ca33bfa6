"""Leaderboards: the table against the numbers behind it, what is refused, items, shifts, the page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import (
    DegenerateWarning,
    DesignError,
    InputError,
    OutputExistsError,
    SmallSampleWarning,
)
from apastats.numbers.crossed import fit_crossed
from apastats.words import ITEMS
from tests.reporting.page import Page
from tests.verb_data import benchmarks


def table_of(y: np.ndarray, **columns: Any) -> apa.ScoreTable:
    i, j = np.nonzero(np.isfinite(y))
    frame = pd.DataFrame(
        {"model": [f"m{k:03d}" for k in i], "benchmark": [f"b{k:02d}" for k in j], "score": y[i, j]}
    )
    return apa.ScoreTable(frame.assign(**({"subject": "all", "roi": "all"} | columns)))


def holes(n: int, m: int, share: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(n, 1)) + rng.normal(size=m) + 0.6 * rng.normal(size=(n, m))
    y[rng.random(y.shape) < share] = np.nan
    return y


def test_complete_tables_have_plain_means() -> None:
    y = holes(9, 6, 0.0, 1)
    for effect in ("random", "fixed"):
        table = apa.leaderboard(
            table_of(y), item="benchmark", item_effect=effect
        ).table.sort_values("model")
        np.testing.assert_allclose(table["estimate"], y.mean(axis=1), atol=1e-10)


def test_the_table_is_that_of_the_numbers() -> None:
    y = holes(25, 10, 0.4, 2)
    found = apa.leaderboard(table_of(y), item="benchmark", item_effect="fixed")
    table = found.table
    assert table["estimate"].is_monotonic_decreasing
    fit = fit_crossed(y, random=False, by_item=False)
    at = table["model"].str[1:].astype(int).to_numpy()
    np.testing.assert_allclose(table["estimate"], fit.mean[at], rtol=1e-9)
    np.testing.assert_allclose(
        table["std_error"], np.sqrt(fit.own + (fit.shared**2).sum(axis=1))[at], rtol=1e-6
    )
    np.testing.assert_array_equal(table["place"], np.arange(1, 26))
    np.testing.assert_array_equal(table["place_low"], 1 + table["n_better"])
    np.testing.assert_array_equal(table["place_high"], 25 - table["n_worse"])
    np.testing.assert_array_equal(table["n_item"], np.isfinite(y).sum(axis=1)[at])
    # each by itself is never wider
    assert (table["place_low_marginal"] >= table["place_low"]).all()
    assert (table["place_high_marginal"] <= table["place_high"]).all()
    pairs = found.pairs()
    assert len(pairs) == 300
    assert (pairs["decision"] == "better").sum() == found.counts()["n_ordered"].item()
    worse = pairs[pairs["decision"] == "better"].groupby("model").size()
    np.testing.assert_array_equal(table.set_index("model")["n_worse"][worse.index], worse)
    # steps order more pairs than the joint interval, which none of them narrows; without steps both say the same
    assert (pairs["decision"][pairs["conf_low"] > 0] == "better").all()
    single = apa.leaderboard(
        table_of(y), item="benchmark", item_effect="fixed", stepwise=False
    ).pairs()
    np.testing.assert_allclose(pairs["conf_low"], single["conf_low"], rtol=1e-9)
    assert ((single["conf_low"] > 0) == (single["decision"] == "better")).all()
    assert len(found.pairs(models=["m003"])) == 24
    with pytest.raises(InputError, match="models of the leaderboard"):
        found.pairs(models=["other"])


def test_order_of_rows_and_batches_change_nothing() -> None:
    y = holes(15, 8, 0.3, 3)
    table = table_of(y)
    shuffled = table.with_frame(table.frame.sample(frac=1, random_state=1))
    a, b = (apa.leaderboard(t, item="benchmark").table for t in (table, shuffled))
    c = b.set_index("model").loc[a["model"]].reset_index()
    numbers = a.select_dtypes("number").columns
    np.testing.assert_allclose(a[numbers], c[numbers], rtol=1e-6)


def test_cells_are_done_by_themselves() -> None:
    a, b = holes(12, 6, 0.2, 4), holes(12, 6, 0.2, 5)
    both = apa.ScoreTable(
        pd.concat([table_of(a).frame, table_of(b, roi="V1").frame], ignore_index=True)
    )
    found = apa.leaderboard(both, item="benchmark", by="roi")
    alone = apa.leaderboard(table_of(a), item="benchmark")
    part = found.table[found.table["roi"] == "all"]
    np.testing.assert_allclose(part["estimate"], alone.table["estimate"])
    assert found.counts()["roi"].tolist() == ["all", "V1"]
    assert set(found.items().table["roi"]) == {"all", "V1"}
    assert set(found.missing(delta=[0]).table["roi"]) == {"all", "V1"}
    with pytest.raises(InputError, match="one level of"):
        found.plot()
    assert found.plot(where={"roi": "V1"})


def test_repeats_are_the_error() -> None:
    table = benchmarks()
    found = apa.leaderboard(table, item="benchmark", within="half", repeat="seed")
    assert found.info.held_fixed[0] is ITEMS
    assert "repeated seeds" in found.info.method
    loose = apa.leaderboard(table, item="benchmark", within=["half", "seed"])
    # runs of a model differ far less than items do
    assert found.table["std_error"].median() < loose.table["std_error"].median() / 3
    complete = found.table[found.table["filled"] == 1]
    cells = table.frame[table.frame["model"].isin(complete["model"])]
    means = cells.groupby("model")["score"].mean()
    np.testing.assert_allclose(complete["estimate"], means[complete["model"]])
    with pytest.raises(DesignError, match="no model has two runs"):
        apa.leaderboard(table.where(seed=0), item="benchmark", within="half", repeat="seed")


def test_what_is_refused() -> None:
    y = holes(8, 6, 0.0, 6)
    y[:4, :3] = y[4:, 3:] = np.nan
    with pytest.raises(DesignError, match="2 parts that share no item"):
        apa.leaderboard(table_of(y), item="benchmark", item_effect="fixed")
    with pytest.warns(DegenerateWarning, match="share no item"):
        apa.leaderboard(table_of(y), item="benchmark")
    with pytest.raises(DesignError, match="explain all scores"):
        apa.leaderboard(table_of(np.arange(5.0)[:, None] + np.arange(4.0)), item="benchmark")
    with pytest.raises(DesignError, match="nothing is left"):
        apa.leaderboard(table_of(np.array([[1.0, 2.0], [3.0, np.nan]])), item="benchmark")
    with pytest.raises(DesignError, match="2 of each are needed"):
        apa.leaderboard(table_of(np.array([[1.0], [2.0]])), item="benchmark")
    two = holes(9, 2, 0.0, 7)
    with pytest.raises(InputError, match="'pooled' with two items"):
        apa.leaderboard(table_of(two), item="benchmark", errors="item")
    with pytest.warns(SmallSampleWarning, match="judged by 2 items"):
        apa.leaderboard(table_of(two), item="benchmark")
    with pytest.raises(InputError, match="other than 'model'"):
        apa.leaderboard(table_of(two), item="model")
    with pytest.raises(DesignError, match="they differ in"):
        apa.leaderboard(benchmarks(), item="benchmark")
    empty = table_of(holes(6, 5, 0.0, 8))
    gone = empty.with_frame(
        empty.frame.assign(score=empty.frame["score"].where(empty.frame["model"] != "m002"))
    )
    with pytest.warns(DegenerateWarning, match="1 models without any score"):
        assert "m002" not in set(apa.leaderboard(gone, item="benchmark").table["model"])


def test_items() -> None:
    rng = np.random.default_rng(9)
    e = rng.normal(size=(200, 7))
    e[:, 1] = 0.9 * e[:, 0] + 0.44 * e[:, 1]
    e[:, 6] *= 6  # says little of the models
    y = rng.normal(size=(200, 1)) + e
    y[rng.random(y.shape) < 0.2] = np.nan
    found = apa.leaderboard(table_of(y), item="benchmark", n_resamples=99).items()
    t = found.table.set_index("item")
    assert t.loc["b00", "nearest"] == "b01"
    assert t.loc["b00", "r_nearest"] > 0.6
    assert t["reliability"].idxmin() == t["r_rest"].idxmin() == "b06"
    assert t["error_sd"].idxmax() == "b06"
    assert 4.5 < found.info.extra["effective_items"][0] < 7
    # without an item: the same as a table that never had it
    without = apa.leaderboard(
        table_of(np.delete(y, 3, axis=1)), item="benchmark", n_resamples=99
    ).table
    full = apa.leaderboard(table_of(y), item="benchmark", n_resamples=99).table
    places = full.set_index("model")["place"]
    moves = without.set_index("model")["place"] - places
    assert abs(t.loc["b03", "largest_move"]) == moves.abs().max()
    assert t.loc["b03", "best"] == without["model"].iloc[0]


def test_missing() -> None:
    y = np.array([[3.0, 3.1, 2.9, 3.2], [2.6, 2.4, 2.5, 2.6], [1.0, 1.2, 0.9, 1.1]])
    y[0, :2] = np.nan  # the best was run on half of the items
    with pytest.warns(SmallSampleWarning):
        board = apa.leaderboard(table_of(y), item="benchmark", item_effect="fixed")
    at = board.counts()["tipping_delta"].item()
    assert at < 0
    assert board.counts()["tipping_model"].item() == "m001"
    found = board.missing(delta=[at * 1.01, at * 0.99, 0.0]).table
    assert found["best"].tolist() == ["m001", "m000", "m000"]
    assert found["tau"].tolist()[2] == 1
    lead = found["lead"].tolist()
    assert lead[0] == pytest.approx(lead[1], rel=0.05)
    assert "would put m001 level with the best" in board.text()


def test_responses_keep_their_checks() -> None:
    rng = np.random.default_rng(11)
    a = np.array([1.4, 1.0, 0.5, 0.9, 1.2])
    y = rng.normal(size=(300, 1)) * a + 0.5 * rng.normal(size=(300, 5))
    y[rng.random(y.shape) < 0.2] = np.nan
    y = y[np.isfinite(y).any(axis=1)]
    found = apa.leaderboard(table_of(y), item="benchmark", n_resamples=99).response_model()
    np.testing.assert_allclose(found.table["discrimination"], a, atol=0.25)
    assert found.counts()["p_value"].item() < 1e-6
    assert found.counts()["df"].item() == 4
    abilities = found.abilities()
    assert abilities["estimate"].is_monotonic_decreasing
    assert abs(abilities["estimate"].std() - 1) < 0.15
    with pytest.raises(DesignError, match="10, 3 and 5 are needed"):
        apa.leaderboard(table_of(y[:8]), item="benchmark").response_model()


def test_saved_boards_answer_the_same(tmp_path: Path) -> None:
    board = apa.leaderboard(table_of(holes(14, 7, 0.3, 12)), item="benchmark")
    board.save(tmp_path / "board")
    again = apa.load_result(tmp_path / "board")
    pd.testing.assert_frame_equal(board.items().table, again.items().table)
    pd.testing.assert_frame_equal(board.missing().table, again.missing().table)
    pd.testing.assert_frame_equal(board.pairs(), again.pairs())
    assert board.text() == again.text()


@pytest.mark.parametrize("n", [5, 520])
def test_page(n: int, tmp_path: Path) -> None:
    y = holes(n, 9, 0.3, 13)
    y[:, 0] = np.where(np.isnan(y[:, 0]), 0.0, y[:, 0])
    board = apa.leaderboard(table_of(y), item="benchmark", n_resamples=99)
    path = board.page(tmp_path / "page.html", title="A & <b>")
    source = path.read_text("utf-8")
    page = Page(source)
    assert page.faults == []
    assert "A &amp; &lt;b&gt;" in source
    assert not re.search(r"(?:src|href)=|https?://|@import|url\(", source)
    assert "default-src 'none'" in source
    rows = page.root.all("tbody")[0].all("tr")
    assert len(rows) == n
    data = json.loads(re.search(r'id="data">(.*?)</script>', source, re.DOTALL).group(1))[0]  # type: ignore[union-attr]
    at = [int(m[1:]) for m in board.table["model"]]
    seen = np.array([[v is not None for v in line] for line in data["scores"]])
    np.testing.assert_array_equal(seen, np.isfinite(y[at]))
    bits = np.array(
        [np.unpackbits(np.frombuffer(bytes.fromhex(h), np.uint8))[:n] for h in data["alike"]]
    )
    # whom the page shows as not told apart is whom the table does not order
    told = n - bits.sum(axis=1)
    np.testing.assert_array_equal(told, board.table["n_better"] + board.table["n_worse"])
    with pytest.raises(OutputExistsError):
        board.page(path)
    assert board.page(path, overwrite=True) == path


def test_figure_holds_five_and_five_hundred() -> None:
    for n in (5, 500):
        board = apa.leaderboard(table_of(holes(n, 6, 0.1, 14)), item="benchmark", n_resamples=99)
        ax = board.plot()
        assert ax.figure.get_figheight() < 11
        labels = [t.get_text() for t in ax.get_yticklabels() if t.get_text()]
        assert 3 <= len(labels) <= 25


@pytest.mark.parametrize("kind", ["equal", "zero", "additive"])
def test_scores_without_errors_are_refused(kind: str) -> None:
    y = holes(6, 8, 0.15, 3)
    model, item = np.arange(6)[:, None], np.arange(8)[None, :]
    exact = {"equal": 0.5, "zero": 0.0, "additive": 0.3 * model + 0.1 * item}[kind]
    with pytest.raises(DesignError, match="model and item explain all scores"):
        apa.leaderboard(table_of(np.where(np.isnan(y), np.nan, exact)), item="benchmark")


def test_a_copy_of_the_best_is_level_with_it_at_no_shift() -> None:
    y = holes(5, 9, 0.2, 3)
    best = int(np.argmax(fit_crossed(y, by_item=False).mean))
    y = np.vstack([y, y[best]])
    found = apa.leaderboard(table_of(y), item="benchmark")
    names = [f"m{best:03d}", "m005"]
    assert found.table["place"][found.table["model"].isin(names)].tolist() == [1, 1]
    for counts in (found.counts(), found.missing().counts()):
        assert counts["tipping_delta"].item() == 0.0
        assert counts["tipping_model"].item() in names
