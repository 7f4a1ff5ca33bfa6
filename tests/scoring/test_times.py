"""Time as a label: every time point is scored as it would be alone, and region x time are the cells of patterns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DataError, InputError, PseudoreplicationWarning
from apastats.io.rdm_set import RDMSet

S, R, T, N = 7, 3, 4, 10
PEOPLE = [f"s{k}" for k in range(S)]
TIMES = [str(50 * k) for k in range(T)]
ROIS = ["V1", "V4", "IT"]


def brain_rdms(seed: int = 0) -> RDMSet:
    """RDMs of 7 people, 3 regions and 4 time points: each cell has a geometry of its own."""
    rng = np.random.default_rng(seed)
    pairs = N * (N - 1) // 2
    common = rng.random((R, T, pairs))
    vectors = common + 0.5 * rng.random((S, R, T, pairs))
    labels = pd.MultiIndex.from_product([PEOPLE, ROIS, TIMES], names=["subject", "roi", "time"])
    return RDMSet(vectors.reshape(-1, pairs), labels.to_frame(index=False), (), "brains")


def model_rdms() -> RDMSet:
    """Models with the geometry of one region at one time, or of another."""
    brain = brain_rdms()
    rng = np.random.default_rng(9)
    rows = [brain.vectors[brain.labels.query(f"roi == '{r}' & time == '{t}'").index].mean(axis=0)
            for r, t in (("V1", "50"), ("IT", "150"))]  # fmt: skip
    vectors = np.stack([*rows, rng.random(brain.vectors.shape[1])])
    labels = pd.DataFrame({"model": ["early", "late", "neither"], "layer": "-"})
    return RDMSet(vectors, labels, (), "models")


def keyed(table: apa.ScoreTable, *columns: str) -> pd.Series:
    key = ["kind", "model", "layer", "subject", "roi", *columns]
    return table.frame.set_index(key)["score"].sort_index()


def test_every_time_point_is_scored_as_alone() -> None:
    brain, models = brain_rdms(), model_rdms()
    found = keyed(apa.score(brain, models), "time")
    for time in TIMES:
        alone = keyed(apa.score(brain.select(time=time), models), "time")
        np.testing.assert_allclose(found.xs(time, level="time"), alone.xs(time, level="time"))
        pd.testing.assert_index_equal(
            found.xs(time, level="time").index, alone.xs(time, level="time").index
        )
    assert len(found) == T * len(alone)


def test_across_time_is_every_region_and_time_as_a_region() -> None:
    brain, models = brain_rdms(), model_rdms()
    table = apa.score(brain, models, across_time=True)
    labels = brain.labels.assign(roi=brain.labels["roi"] + " @ " + brain.labels["time"])
    one = brain.relabelled(labels[["subject", "roi"]])
    pd.testing.assert_series_equal(keyed(table.cells("time")), keyed(apa.score(one, models)))
    alone = apa.score(brain, models, references=(), across_time=True)
    assert alone.frame["predictor_time"].equals(alone.frame["time"])
    own = table.frame[table.frame["predictor_time"] == table.frame["time"]]
    plain = apa.score(brain, models)
    assert len(own) == len(plain)
    np.testing.assert_allclose(
        keyed(apa.ScoreTable(own), "time").to_numpy(), keyed(plain, "time").to_numpy()
    )


@pytest.mark.parametrize("kind", ["leave_one_out", "subject_to_subject"])
def test_ceilings_over_region_and_time(kind: str) -> None:
    brain = brain_rdms()
    from_rdms = apa.noise_ceiling(brain, kind=kind).table
    assert from_rdms[["roi", "time"]].drop_duplicates().shape[0] == R * T
    for across in (False, True):
        scores = apa.score(brain, across_time=across)
        table = apa.noise_ceiling(scores, kind=kind).table
        merged = table.merge(from_rdms, on=["roi", "time"])
        np.testing.assert_allclose(merged["estimate_x"], merged["estimate_y"], atol=1e-12)
    alone = apa.noise_ceiling(brain.select(time="100"), kind=kind).table
    here = from_rdms[from_rdms["time"] == "100"]
    np.testing.assert_allclose(here["estimate"], alone["estimate"])
    np.testing.assert_allclose(here["conf_low"], alone["conf_low"])


def test_patterns_over_region_and_time_find_where_and_when() -> None:
    table = apa.score(brain_rdms(), model_rdms(), across_time=True)
    patterns = apa.alignment_patterns(table)
    assert patterns.dense.rois == [f"{r} @ {t}" for r in ROIS for t in TIMES]
    agreement = apa.pattern_agreement(patterns)
    assert {"time", "region"} <= set(agreement.frame.columns)
    mean = agreement.frame[agreement.frame["kind"] == "model"].groupby(["model", "roi"])["z"].mean()
    assert mean["early"].idxmax() == "V1 @ 50"
    assert mean["late"].idxmax() == "IT @ 150"
    tested = apa.brain_test(
        table, margin=0.1, selection=apa.select_layer(table, on="cross_subject"), n_resamples=199
    ).table
    assert tested["roi"].nunique() == R * T
    assert np.isfinite(tested["estimate"]).all()
    chosen = apa.selected_rows(agreement, apa.select_layer(table, on="cross_subject"))
    assert len(chosen.where(kind="model")) == 3 * S * R * T


def test_models_are_compared_at_every_region_and_time() -> None:
    best = apa.select_layer(apa.score(brain_rdms(), model_rdms()), on="cross_subject")
    means = apa.bootstrap("score ~ model | roi + time", best).table
    top = means.sort_values("estimate").groupby("model").tail(1).set_index("model")
    assert top.loc["early", ["roi", "time"]].tolist() == ["V1", "50"]
    decided = apa.equivalence("score ~ model | roi + time", best, bounds=0.1, reference="neither")
    assert decided.table[["roi", "time"]].drop_duplicates().shape[0] == R * T


def test_pairs_of_people_count_once_per_time_point() -> None:
    brain = brain_rdms()
    plain, across = (apa.score(brain, across_time=a) for a in (False, True))
    formula = "score ~ 1 | roi + time"
    a, b = (apa.bootstrap(formula, t, cluster="dyad", rng=1).table for t in (plain, across))
    np.testing.assert_allclose(a["estimate"], b["estimate"])


def responses(seed: int = 0) -> tuple[dict[Any, np.ndarray], dict[Any, np.ndarray]]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((40, 4))
    brain = {
        (s, r, int(t)): x @ rng.standard_normal((4, 3)) * k + rng.standard_normal((40, 3))
        for s in PEOPLE[:3]
        for r in ROIS[:2]
        for k, t in enumerate(TIMES[:3])
    }
    return brain, {("m", "l"): x}


@pytest.mark.parametrize(
    "verb",
    [
        apa.linear_predictivity,
        lambda brain, models: apa.score_patterns(brain, models, measure=["cka", "rsa"]),
        lambda brain, models: apa.banded_ridge(
            brain, {"a": models["m", "l"][:, :2], "b": models["m", "l"][:, 2:]}, n_try=2
        ),
    ],
)
def test_responses_at_every_time_point(verb: Any) -> None:
    brain, models = responses()
    table = verb(brain, models)
    columns = ["kind", "model", "layer", "subject", "roi", "metric", "score"]
    for time in TIMES[:3]:
        alone = verb({k[:2]: v for k, v in brain.items() if str(k[2]) == time}, models)
        here = table.frame[table.frame["time"] == time]
        pd.testing.assert_frame_equal(
            here[columns].reset_index(drop=True), alone.frame[columns].reset_index(drop=True)
        )
    assert table.levels("time") == TIMES[:3]


ACROSS = [
    lambda brain, models=None, **more: apa.score_patterns(
        brain, models, measure=["cka", "rsa"], **more
    ),
    lambda brain, models=None, **more: apa.linear_predictivity(
        brain, models, references=["subject_to_subject", "leave_one_out"], **more
    ),
]


@pytest.mark.parametrize("verb", ACROSS)
def test_responses_across_time_are_every_region_and_time_as_a_region(verb: Any) -> None:
    brain, models = responses()
    del brain["s2", "V4", 50]  # a person who lacks a cell
    table = verb(brain, models, across_time=True)
    joint = {(s, f"{r} @ {t}"): v for (s, r, t), v in brain.items()}
    one = verb(joint, models)
    pd.testing.assert_series_equal(keyed(table.cells("time"), "metric"), keyed(one, "metric"))
    own = table.frame[table.frame["predictor_time"] == table.frame["time"]]
    plain = verb(brain, models)
    pd.testing.assert_series_equal(
        keyed(apa.ScoreTable(own), "metric", "time"), keyed(plain, "metric", "time")
    )
    assert table.levels("roi") == ROIS[:2]
    assert "across_time=True" in table.facts.calls[-1]
    brain, _ = responses()
    ceilings = [
        apa.noise_ceiling(verb(brain, across_time=a), kind="leave_one_out").table
        for a in (True, False)
    ]
    columns = ["roi", "time", "metric", "estimate", "conf_low"]
    np.testing.assert_allclose(
        *(c.sort_values(columns[:3])[columns[3:]].to_numpy() for c in ceilings), atol=1e-12
    )


def test_patterns_of_responses_over_region_and_time() -> None:
    rng = np.random.default_rng(1)
    own = rng.standard_normal((2, 3, 30, 6))  # what every region does at every time
    brain = {
        (s, r, t): own[i, k] + 0.7 * rng.standard_normal((30, 6))
        for s in PEOPLE
        for i, r in enumerate(ROIS[:2])
        for k, t in enumerate(TIMES[:3])
    }
    models = {("late", "-"): own[1, 2], ("neither", "-"): rng.standard_normal((30, 6))}
    table = apa.score_patterns(brain, models, measure="cka-debiased", across_time=True)
    patterns = apa.alignment_patterns(table)
    assert patterns.dense.rois == [f"{r} @ {t}" for r in ROIS[:2] for t in TIMES[:3]]
    agreement = apa.pattern_agreement(patterns).frame
    mean = agreement[agreement["kind"] == "model"].groupby(["model", "roi"])["z"].mean()
    assert mean["late"].idxmax() == "V4 @ 100"


def test_a_warning_of_many_time_points_is_one() -> None:
    rng = np.random.default_rng(0)
    brain = {("s", "r", t): np.cumsum(rng.standard_normal((60, 2)), axis=0) for t in range(4)}
    with pytest.warns(PseudoreplicationWarning, match="and at 3 more time points") as told:
        apa.linear_predictivity(brain, {("m", "l"): rng.standard_normal((60, 2))})
    assert len(told) == 1


def test_rdms_of_responses_have_the_label() -> None:
    brain, models = responses()
    rdms = apa.rdms_from_patterns(brain)
    assert rdms.labels.columns.tolist() == ["subject", "roi", "time"]
    table = apa.score(rdms, apa.rdms_from_patterns(models, names=("model", "layer")))
    direct = apa.score_patterns(brain, models, references=None)
    model = table.where(kind="model")
    np.testing.assert_allclose(keyed(model, "time"), keyed(direct, "time"))


def test_files_with_a_time_axis(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = {f"{s}/V1": rng.standard_normal((12, 5, T)) for s in ("a", "b")}
    np.savez(tmp_path / "meg.npz", time=np.array(TIMES), **values)
    found = apa.read_patterns(tmp_path / "meg.npz")
    assert list(found) == [(s, "V1", t) for s in ("a", "b") for t in TIMES]
    np.testing.assert_array_equal(found["b", "V1", "100"], values["b/V1"][:, :, 2])
    table = apa.score_patterns(found)
    assert table.levels("time") == TIMES
    np.savez(tmp_path / "short.npz", time=np.array(TIMES[1:]), **values)
    with pytest.raises(DataError, match="'time' of as many names"):
        apa.read_patterns(tmp_path / "short.npz")
    squares = rng.random((2, T, 6, 6))
    squares = squares + squares.swapaxes(-1, -2)
    squares[..., range(6), range(6)] = 0
    np.savez(
        tmp_path / "rdms.npz", rdms=squares, subject=np.array(["a", "b"]), time=np.array(TIMES)
    )
    rdms = apa.read_rdms(tmp_path / "rdms.npz")
    assert rdms.labels["time"].unique().tolist() == TIMES
    assert apa.score(rdms).frame["time"].nunique() == T


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no label 'time'"):
        apa.score(brain_rdms().select(time="50").relabelled(
            brain_rdms().select(time="50").labels[["subject", "roi"]]), across_time=True)  # fmt: skip
    brain, models = responses()
    for verb in ACROSS:
        with pytest.raises(InputError, match="no time point"):
            verb({k[:2]: v for k, v in brain.items() if k[2] == 0}, models, across_time=True)
        with pytest.raises(InputError, match="across_time: got 'yes'"):
            verb(brain, models, across_time="yes")
    odd = {("s", "a @ b", "c"): brain["s0", "V1", 0], ("s", "a", "b @ c"): brain["s0", "V1", 0]}
    with pytest.raises(DataError, match="not told apart"):
        apa.score_patterns(odd, models, across_time=True)
    with pytest.raises(InputError, match="True or False where there are time points"):
        apa.linear_predictivity(brain, models, by_unit=tmp_path / "units")
    twice = brain_rdms()
    labels = twice.labels.assign(time="0")
    with pytest.raises(DataError, match="several RDMs of subject"):
        apa.score(twice.relabelled(labels))


def test_keys_that_are_no_time_points() -> None:
    brain, models = responses()
    x = brain["s0", "V1", 0]
    for odd, message in (
        (("s9", "V1"), "a time in all, or in none"),
        (("s0", "V1", "0"), "differ as text"),
        (("s0", "V1", None), "not missing"),
        (("s0", "V1", np.nan), "not missing"),
    ):
        with pytest.raises(InputError, match=message):
            apa.score_patterns(brain | {odd: x}, models, measure="cka")
    with pytest.raises(InputError, match="none missing"):
        apa.score_patterns({("s0", np.nan): x}, models, measure="cka")
    with pytest.raises(
        InputError, match=r"pairs \(subject, roi\).* Regions at time points are regions"
    ):
        apa.bootstrap(
            "score ~ model", brain, models=models, measure="cka", cluster="stimulus", n_resamples=9
        )
