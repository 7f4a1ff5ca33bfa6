"""The brain test: both questions against closed forms, brute force and laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import DegenerateWarning, DesignError, InputError, MarginError
from apastats.numbers.one_more_person import (
    as_candidates,
    correlation_of,
    effects_of_people,
    profile_distance,
    profile_test,
)
from tests.calibration import brain_people as own


def round_robin(n: int, cells: int, rng: np.random.Generator, *, symmetric: bool) -> np.ndarray:
    """Additive normal scores ``[n, n, cells]`` of people on one another."""
    person = rng.normal(size=(n, cells))
    target = person if symmetric else rng.normal(size=(n, cells))
    pair = 0.8 * rng.normal(size=(n, n, cells))
    pair = np.triu(np.moveaxis(pair, -1, 0), 1) if symmetric else np.moveaxis(pair, -1, 0)
    pair = np.moveaxis(pair + np.swapaxes(pair, 1, 2) if symmetric else pair, 0, -1)
    return np.asarray(3 + target[:, None] + person[None] + pair)


def test_complete_round_robins_have_closed_forms() -> None:
    n = 7
    pairs = round_robin(n, 3, np.random.default_rng(1), symmetric=True)
    people = effects_of_people(pairs)
    off = ~np.eye(n, dtype=bool)
    mean = (pairs * off[..., None]).sum(axis=0) / (n - 1)
    np.testing.assert_allclose(people.mean, mean.mean(axis=0))
    np.testing.assert_allclose(people.effects, (n - 1) / (n - 2) * (mean - mean.mean(axis=0)))
    fitted = people.mean + people.effects[:, None] + people.effects[None]
    left = ((pairs - fitted)[np.triu(off)] ** 2).sum(axis=0) / (n * (n - 3) / 2)
    np.testing.assert_allclose(people.pair, left)
    person = people.effects.var(axis=0, ddof=1) - left / (n - 2)
    np.testing.assert_allclose(people.between, np.maximum(person, 0))
    expected = (n + 1) / n * (np.maximum(person, 0) + left / (n - 1))
    np.testing.assert_allclose(people.spread**2, expected)


def test_roles_that_differ_are_kept_apart() -> None:
    n = 6
    pairs = round_robin(n, 2, np.random.default_rng(2), symmetric=False)
    people = effects_of_people(pairs)
    rows = (pairs * ~np.eye(n, dtype=bool)[..., None]).sum(axis=1)
    columns = (pairs * ~np.eye(n, dtype=bool)[..., None]).sum(axis=0)
    # Warner, Kenny and Stoto: effect of a candidate from its own mean and its mean as a target
    grand = rows.sum(axis=0) / n / (n - 1)
    effect = (n - 1) ** 2 / n / (n - 2) * columns / (n - 1) + rows / n / (n - 2)
    np.testing.assert_allclose(people.effects, effect - (n - 1) / (n - 2) * grand)
    assert not people.symmetric


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("n", [8, 10])
def test_a_further_person_is_rejected_as_often_as_said(n: int, symmetric: bool) -> None:
    sets = 6000
    made = round_robin(n + 1, sets, np.random.default_rng([n, symmetric]), symmetric=symmetric)
    people = effects_of_people(made[:n, :n], symmetric)
    for side in ("less", "two-sided"):
        found = as_candidates(made[:n, :n], made[:n, n][:, None], people, side)
        share = (found.p_value <= 0.05).mean()
        assert abs(share - 0.05) < 4 * np.sqrt(0.05 * 0.95 / sets), share
    np.testing.assert_allclose(found.effect.mean(), 0, atol=4 * found.effect.std() / np.sqrt(sets))


def test_each_of_eleven_people_in_turn_takes_another_place() -> None:
    """Exactness of the rank: whoever is the candidate, the places are 0 to n, each once."""
    x = own.units(own.draw("hetero", 1, 11, np.random.default_rng(3))[0])
    own_region = np.einsum("irp,jrp->ijr", x, x)
    places = []
    for c in range(11):
        rest = np.delete(np.arange(11), c)
        pairs = own_region[np.ix_(rest, rest)]
        people = effects_of_people(pairs)
        found = as_candidates(pairs, own_region[rest, c][:, None], people)
        places.append(found.place[0])
        np.testing.assert_allclose(found.p_rank, (found.place + 1) / 11)
    np.testing.assert_array_equal(np.sort(places, axis=0), np.arange(11)[:, None].repeat(8, 1))


def test_a_constant_or_another_order_changes_nothing_and_a_unit_the_unit() -> None:
    rng = np.random.default_rng(4)
    pairs = round_robin(6, 2, rng, symmetric=True)
    model = rng.normal(3, 1, (6, 1, 2))
    base = as_candidates(pairs, model, effects_of_people(pairs))
    order = rng.permutation(6)
    turned = pairs[np.ix_(order, order)]
    for p, m, unit in (
        (pairs + 5, model + 5, 1),
        (turned, model[order], 1),
        (3 * pairs, 3 * model, 3),
    ):
        found = as_candidates(p, m, effects_of_people(p))
        np.testing.assert_allclose(found.effect, unit * base.effect)
        np.testing.assert_allclose(found.p_value, base.p_value)
        np.testing.assert_array_equal(found.place, base.place)


def test_pairs_that_were_not_scored_leave_the_effects_where_they_were() -> None:
    rng = np.random.default_rng(5)
    person = rng.normal(size=8)
    pairs = (1 + person[:, None] + 0.5 * person)[..., None]
    pairs[rng.random((8, 8)) < 0.3] = np.nan
    people = effects_of_people(pairs)
    np.testing.assert_allclose(people.effects[:, 0], 0.5 * (person - person.mean()))
    np.testing.assert_allclose(people.pair, 0, atol=1e-25)


def test_distance_of_a_profile() -> None:
    rng = np.random.default_rng(6)
    r = correlation_of(rng.normal(size=(9, 4)))
    t = rng.normal(size=4)
    np.testing.assert_allclose(profile_distance(t, r, "two-sided") ** 2, t @ np.linalg.inv(r) @ t)
    assert profile_distance(np.abs(t), r, "less") == pytest.approx(0)
    # brute force: the part above people costs nothing
    grid = np.abs(rng.normal(size=(200_000, 4))) * (rng.random((200_000, 4)) < 0.5) * 1.5
    gap = t - grid
    brute = np.sqrt(np.einsum("ni,ij,nj->n", gap, np.linalg.inv(r), gap).min())
    found = float(profile_distance(t, r, "less"))
    assert found <= brute + 1e-9
    assert found == pytest.approx(brute, abs=0.03)
    assert correlation_of(rng.normal(size=(6, 19))).shape == (19, 19)
    np.linalg.cholesky(correlation_of(rng.normal(size=(6, 19))))


def table_of(people: np.ndarray, models: dict[str, np.ndarray]) -> apa.ScoreTable:
    """Scores of people and models from RDMs ``[n, region, pair]``, by the generator alone."""
    x = own.units(people)
    g = np.einsum("iap,jbp->ijba", x, x)
    n, regions = x.shape[:2]
    rows = [
        ("subject_to_subject", f"s{j}", f"r{b}", f"s{i}", f"r{a}", g[i, j, b, a])
        for i in range(n) for j in range(n) if i != j for b in range(regions) for a in range(regions)
    ]  # fmt: skip
    for name, m in models.items():
        score = np.einsum("iap,bp->iba", x, own.units(m))
        rows += [
            ("model", name, f"r{b}", f"s{i}", f"r{a}", score[i, b, a])
            for i in range(n) for b in range(regions) for a in range(regions)
        ]  # fmt: skip
    columns = ["kind", "model", "layer", "subject", "roi", "score"]
    return apa.ScoreTable(pd.DataFrame(rows, columns=columns).assign(metric="corr"))


def own_layers(table: apa.ScoreTable) -> apa.ScoreTable:
    """Layer r for region r."""
    frame = table.frame
    return table.with_frame(frame[(frame["kind"] == "model") & (frame["layer"] == frame["roi"])])


@pytest.fixture(scope="module")
def brains() -> apa.ScoreTable:
    people = own.draw("homog", 1, 11, np.random.default_rng(7))[0]
    return table_of(people[:10], own.models() | {"further": people[10]})


@pytest.fixture(scope="module")
def found(brains: apa.ScoreTable) -> apa.BrainTest:
    margins = {"score": 0.08, "agreement": 0.5}
    return apa.brain_test(
        brains, margin=margins, outcome="both", selection=own_layers(brains), adjust="none"
    )


def test_the_first_question_is_that_of_the_definition(
    brains: apa.ScoreTable, found: apa.BrainTest
) -> None:
    frame = brains.frame[brains.frame["layer"] == brains.frame["roi"]]
    pairs = frame[frame["kind"] == "subject_to_subject"]
    wide = pairs.pivot(index="subject", columns=["model", "roi"], values="score")
    names, rois = list(wide.index), list(dict.fromkeys(frame["roi"]))
    for model in ("poor", "truth", "further"):
        score = frame[frame["model"] == model].pivot(index="subject", columns="roi", values="score")
        rows = found.table[(found.table["model"] == model) & (found.table["outcome"] == "score")]
        for roi, row in zip(rois, rows.to_dict("records"), strict=True):
            y = wide.xs(roi, axis=1, level="roi").loc[names, names].to_numpy()[..., None]
            m = score.loc[names, [roi]].to_numpy()
            assert row["estimate"] == pytest.approx(m.mean() - np.nanmean(y))
            assert row["p_value_noninf"] == pytest.approx(own.noninferior(m, y, -0.08)[0])
            assert row["p_value_worse"] == pytest.approx(1 - row["p_value_noninf"])


def test_the_second_question_is_that_of_the_numbers(
    brains: apa.ScoreTable, found: apa.BrainTest
) -> None:
    frame = brains.frame[brains.frame["layer"] == brains.frame["roi"]]
    rows = found.table[(found.table["model"] == "poor") & (found.table["outcome"] == "score")]
    row = rows.iloc[0]
    part = frame[frame["roi"] == row["roi"]]
    pairs = part[part["kind"] == "subject_to_subject"]
    y = pairs.pivot(index="subject", columns="model", values="score")
    y = y.loc[y.index, y.index].to_numpy()[..., None]
    m = part[part["model"] == "poor"].set_index("subject")["score"].sort_index().to_numpy()
    people = effects_of_people(y)
    t = (m.mean() - np.nanmean(y)) / people.spread[0]
    assert row["statistic"] == pytest.approx(t)
    assert row["p_value"] == pytest.approx(stats.t.cdf(t, 9))
    assert row["person_low"] == pytest.approx(
        np.nanmean(y) - stats.t.ppf(0.95, 9) * people.spread[0]
    )
    assert (rows["p_value_profile"] >= rows["p_value"] - 1e-12).all()


def test_verdicts_and_claims(found: apa.BrainTest, brains: apa.ScoreTable) -> None:
    table = found.table.set_index(["model", "outcome"])
    assert set(table.loc[("truth", "score"), "decision"]) == {"not worse than a person"}
    poor = set(table.loc[("poor", "score"), "decision"])
    assert "below the spread of people" in poor
    assert "not worse than a person" not in poor
    assert set(table.loc[("truth", "score"), "as_good"]) <= {
        "not worse by the margin", "within the margin",
    }  # fmt: skip
    over = apa.brain_test(
        brains, margin={"score": 0.08, "agreement": 0.5}, outcome="both", over="all",
        selection=own_layers(brains),
    )  # fmt: skip
    claims = over.claims().set_index("model")["claim"]
    assert claims.to_dict() == {
        "poor": "none", "truth": "as a computational model", "further": "as a computational model",
    }  # fmt: skip
    only = apa.brain_test(brains, margin=0.08, over="all", selection=own_layers(brains))
    assert set(only.claims()["claim"]) == {"none", "as a tool"}
    assert "as a tool" in only.text()
    assert "No claim is supported for poor" in only.text()


def test_a_direction_of_its_own(brains: apa.ScoreTable, found: apa.BrainTest) -> None:
    """Scores that are the same in both roles: both directions are one; others need their rows."""
    layers = own_layers(brains)
    both = apa.brain_test(brains, margin=0.08, selection=layers, direction="both")
    first, second = (
        both.table[both.table["direction"] == d].drop(columns="direction").reset_index(drop=True)
        for d in ("model_to_brain", "brain_to_model")
    )
    numbers = [c for c in first.columns if first[c].dtype.kind == "f" and "profile" not in c]
    np.testing.assert_allclose(first[numbers], second[numbers])
    frame = brains.frame.copy()
    frame.loc[frame["kind"] != "model", "score"] += 0.1 * frame["subject"].str[1:].astype(int)
    with pytest.raises(InputError, match="direction"):
        apa.brain_test(brains.with_frame(frame), margin=0.1, direction="both")
    turned = frame[frame["kind"] == "model"].assign(direction="brain_to_model")
    table = apa.ScoreTable(pd.concat([frame.assign(direction="model_to_brain"), turned]))
    reverse = apa.brain_test(table, margin=0.08, selection=layers, direction="brain_to_model").table
    # as candidates people are now those that are predicted: what differs between targets is theirs
    forward = apa.brain_test(table, margin=0.08, selection=layers).table
    assert (
        reverse["person_high"] - reverse["person_low"]
        > forward["person_high"] - forward["person_low"]
    ).all()


def test_pools_of_people_are_no_person(brains: apa.ScoreTable) -> None:
    frame = brains.frame
    own_rows = frame[frame["kind"] == "subject_to_subject"]
    pooled = own_rows.groupby(["subject", "layer", "roi", "metric", "split"], as_index=False)[
        "score"
    ].mean()
    pools = pooled.assign(kind="leave_one_out", model="others")
    table = apa.ScoreTable(pd.concat([frame[frame["kind"] == "model"], pools]))
    result = apa.brain_test(table, margin=0.03, selection=own_layers(brains), over="all")
    assert set(result.table["like_a_person"]) == {"cannot be asked"}
    assert "p_value" not in result.table
    decisions = result.table.set_index("model")["decision"]
    assert decisions["poor"] == "worse than the mean of the other people"
    assert decisions["truth"] == "not worse than the mean of the other people"
    assert set(result.claims()["claim"]) == {"none", "as a tool"}
    assert "cannot" not in result.info.method
    assert "no person" in result.info.method


def test_what_is_refused(brains: apa.ScoreTable) -> None:
    layers = own_layers(brains)
    with pytest.raises(MarginError, match="margin"):
        apa.brain_test(brains, selection=layers)
    with pytest.raises(MarginError, match="different units"):
        apa.brain_test(brains, selection=layers, outcome="both", margin=0.1)
    with pytest.raises(MarginError, match="margin"):
        apa.brain_test(brains, selection=layers, margin=apa.margin(1.0, of="sd"))
    with pytest.raises(InputError, match="over"):
        apa.brain_test(brains, selection=layers, margin=0.1, over="region")
    few = brains.where(subject=["s0", "s1", "s2"])
    keep = few.frame[(few.frame["kind"] == "model") | few.frame["model"].isin(["s0", "s1", "s2"])]
    with pytest.raises(DesignError, match="at least 4"):
        apa.brain_test(few.with_frame(keep), margin=0.1)


def test_a_margin_that_is_a_share_of_a_ceiling_brings_its_uncertainty(
    brains: apa.ScoreTable,
) -> None:
    layers = own_layers(brains)
    ceiling = apa.noise_ceiling(brains, kind="subject_to_subject")
    share = apa.brain_test(
        brains, margin=apa.margin(0.2, of=ceiling), selection=layers, adjust="none"
    )
    row = share.table[share.table["model"] == "truth"].iloc[0]
    assert row["bound_low"] == pytest.approx(-0.2 * row["mean_person"])
    # the contrast is model - .8 person
    frame = brains.frame[
        (brains.frame["layer"] == row["roi"]) & (brains.frame["roi"] == row["roi"])
    ]
    y = frame[frame["kind"] == "subject_to_subject"].pivot(
        index="subject", columns="model", values="score"
    )
    y = y.loc[y.index, y.index].to_numpy()[..., None]
    m = frame[frame["model"] == "truth"].set_index("subject")["score"].sort_index().to_numpy()
    assert row["p_value_noninf"] == pytest.approx(
        own.noninferior(m[:, None], 0.8 * y, 0.0, second=y)[0]
    )


@pytest.mark.parametrize("symmetric", [True, False])
def test_power_is_what_simulation_gives(symmetric: bool, brains: apa.ScoreTable) -> None:
    """Share of round robins in which a model of known mean is found beyond people."""
    n, sets, shortfall = 9, 6000, 2.2
    rng = np.random.default_rng([8, symmetric])
    person = rng.normal(size=(n, sets))
    target = person if symmetric else rng.normal(size=(n, sets))
    pair = 0.8 * rng.normal(size=(n, n, sets))
    if symmetric:
        upper = pair * np.triu(np.ones((n, n)), 1)[..., None]
        pair = upper + np.swapaxes(upper, 0, 1)
    pairs = target[:, None] + person[None] + pair
    people = effects_of_people(pairs, symmetric)
    model = target - shortfall + 0.8 * rng.normal(size=(n, sets))
    seen = (as_candidates(pairs, model[:, None], people).p_value <= 0.05).mean()
    result = apa.brain_test(brains, margin=0.1, selection=own_layers(brains), over="all")
    variances = {"between": np.ones(3), "pair": np.full(3, 0.64)}
    info = result.info.but(symmetric=symmetric)
    known = replace(result, info=info, arrays=dict(result.arrays) | variances)
    power = apa.power_brain_test(known, n=n, difference=-shortfall).table
    told = power.loc[power["question"] == "below the spread of people", "estimate"].iloc[0]
    assert abs(seen - told) < 4 * np.sqrt(told * (1 - told) / sets) + 0.01


def test_people_needed(found: apa.BrainTest) -> None:
    needed = apa.power_brain_test(found, difference="zero").table
    good = needed[(needed["question"] == "as good as a person") & (needed["outcome"] == "score")]
    for n, row in zip(good["estimate"], good.to_dict("records"), strict=True):
        at = apa.power_brain_test(
            found, n=[max(int(n), 4), max(int(n) - 1, 4)], difference="zero"
        ).table
        keep = (
            (at["question"] == row["question"])
            & (at["model"] == row["model"])
            & (at["roi"] == row["roi"])
        )
        power = at[keep & (at["outcome"] == "score")]["estimate"].to_list()
        assert power[0] >= 0.8
        assert n == 4 or power[1] < 0.8
    # a model at the mean of people is never beyond them
    beyond = needed[needed["question"] == "below the spread of people"]["estimate"]
    assert np.isinf(beyond).all()


def test_profiles_are_the_same_for_one_seed(brains: apa.ScoreTable) -> None:
    options = {"margin": 0.1, "selection": own_layers(brains), "over": "all", "n_resamples": 199}
    first, again, other = (apa.brain_test(brains, rng=s, **options).table for s in (3, 3, 4))
    pd.testing.assert_frame_equal(first, again)
    assert not first["p_value_largest"].equals(other["p_value_largest"])


def test_a_profile_of_one_region_is_that_region() -> None:
    pairs = round_robin(8, 1, np.random.default_rng(9), symmetric=True)
    people = effects_of_people(pairs)
    model = np.full((8, 1, 1), people.mean[0] - 2 * people.spread[0])
    found = as_candidates(pairs, model, people)
    profile = profile_test(
        people, found, alternative="less", n_resamples=4000, rng=np.random.default_rng(1)
    )
    assert (
        profile.distance[0]
        == pytest.approx(-found.statistic[0, 0])
        == pytest.approx(profile.largest[0])
    )


def test_a_region_without_scores_is_said_and_left_undecided(brains: apa.ScoreTable) -> None:
    frame = brains.frame.copy()
    gone = (frame["kind"] == "model") & (frame["model"] == "poor") & (frame["roi"] == "r3")
    frame.loc[gone, "score"] = float("nan")
    with pytest.warns(DegenerateWarning, match="1 of 24 rows"):
        table = apa.brain_test(
            brains.with_frame(frame), margin=0.1, selection=own_layers(brains)
        ).table
    row = table[(table["model"] == "poor") & (table["roi"] == "r3")].iloc[0]
    assert row["decision"] == row["as_good"] == row["like_a_person"] == "undecided"
