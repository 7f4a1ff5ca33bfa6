from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import DegenerateWarning, DesignError, InputError
from apastats.numbers.correlation import spearman_brown
from tests.patterns.naive import similar


@pytest.fixture
def frame(make_frame):
    f = make_frame(n_subject=7, n_roi=6, n_predictor=3, n_partner=4, rng=1)
    # patterns with something in common
    level = {
        ("R0", "R1"): 2,
        ("R1", "R2"): -1,
        ("R2", "R2"): 2,
        ("R3", "R0"): 1,
        ("R4", "R5"): 2,
        ("R5", "R3"): 3,
    }
    f["score"] += [2 * level.get((la, r), 0) for la, r in zip(f["layer"], f["roi"], strict=True)]
    f.loc[f["kind"] == "model", "score"] += f["roi"].map({f"R{i}": 1.5 * i for i in range(6)})
    return f


def test_spearman_brown():
    assert spearman_brown(0.5, 9) == pytest.approx(0.9)
    assert spearman_brown(0.5, np.inf) == 1
    assert spearman_brown(0.3, 1) == pytest.approx(0.3)


def test_leave_one_out_reliability_by_hand(frame):
    table = apa.ScoreTable(frame[frame["kind"] != "subject_to_subject"])
    patterns = apa.alignment_patterns(table)
    found = apa.pattern_reliability(patterns).table.set_index(["term", "roi"])
    a = patterns.arrays["leave_one_out"][0]
    for r in range(6):
        single = np.mean([similar(a[s, r], a[t, r]) for s, t in combinations(range(7), 2)])
        assert found.loc[("single", f"R{r}"), "estimate"] == pytest.approx(single, abs=1e-12)
        assert found.loc[("reference", f"R{r}"), "n_effective"] == pytest.approx(6, abs=1e-9)
        want = 6 * single / (1 + 5 * single)
        assert found.loc[("reference", f"R{r}"), "estimate"] == pytest.approx(want, abs=1e-10)
        references = [np.delete(a, s, 0).mean(0) for s in range(7)]
        own = np.mean([similar(a[s, r], references[s][r]) for s in range(7)])
        other = np.mean(
            [[similar(a[s, r], references[s][t]) for t in range(6) if t != r] for s in range(7)]
        )
        assert found.loc[("distinctness", f"R{r}"), "estimate"] == pytest.approx(
            own - other, abs=1e-12
        )


def test_pairs_reliability_leaves_out_shared_people(frame):
    patterns = apa.alignment_patterns(apa.ScoreTable(frame))
    found = apa.pattern_reliability(patterns).table.set_index(["term", "roi"])
    pairs = patterns.arrays["subject_to_subject"][0]
    there = [(t, p) for t in range(7) for p in range(7) if np.isfinite(pairs[t, p]).any()]
    for r in range(6):
        values = [
            similar(pairs[a][r], pairs[b][r])
            for a, b in combinations(there, 2)
            if not set(a) & set(b)
        ]
        assert found.loc[("single", f"R{r}"), "estimate"] == pytest.approx(
            np.mean(values), abs=1e-12
        )


def test_jackknife_is_what_smaller_tables_give(frame):
    def estimates(f):
        patterns = apa.alignment_patterns(apa.ScoreTable(f))
        found = apa.disattenuated_agreement(patterns).table
        return found.set_index(["layer", "model", "roi"])

    full = estimates(frame)
    left = []
    for s in sorted(set(frame["subject"])):
        part = frame[(frame["subject"] != s) & (frame["model"] != s)]
        left.append(estimates(part)["estimate"].loc[full.index].to_numpy())
    error = np.sqrt(6 / 7 * ((np.array(left) - np.mean(left, 0)) ** 2).sum(0))
    np.testing.assert_allclose(full["std_error"], error, rtol=1e-9)
    half = stats.t.ppf(0.975, 6) * error
    np.testing.assert_allclose(full["conf_high"] - full["estimate"], half, rtol=1e-9)


@pytest.mark.parametrize("self_entry", ["in", "out"])
def test_disattenuated_by_hand(frame, self_entry):
    table = apa.ScoreTable(frame[frame["kind"] != "subject_to_subject"])
    patterns = apa.alignment_patterns(table, self_entry=self_entry)
    found = apa.disattenuated_agreement(patterns, least_reliability=0).table
    a, m = patterns.arrays["leave_one_out"][0], patterns.arrays["model"][0]
    for row in found.itertuples():
        r = int(row.roi[1])
        k = list(zip(patterns.arrays["models"], patterns.arrays["layers"], strict=True)).index(
            (row.model, row.layer)
        )
        model = m[:, k].copy()
        if self_entry == "out":
            model[:, r] = np.nan
        agreement = np.mean([similar(model[s], np.delete(a[:, r], s, 0).mean(0)) for s in range(7)])
        of_model = np.mean([similar(model[s], model[t]) for s, t in combinations(range(7), 2)])
        single = np.mean([similar(a[s, r], a[t, r]) for s, t in combinations(range(7), 2)])
        assert row.agreement == pytest.approx(agreement, abs=1e-12)
        assert row.reliability_model == pytest.approx(of_model, abs=1e-12)
        product = of_model * float(spearman_brown(single, 6))
        want = agreement / np.sqrt(product) if of_model > 0 and single > 0 else np.nan
        assert row.estimate == pytest.approx(want, abs=1e-10, nan_ok=True)


def test_selection(make_frame):
    table = apa.ScoreTable(make_frame(n_subject=6, n_predictor=4, splits=("train", "test"), rng=2))
    best = apa.select_layer(table)
    found = apa.disattenuated_agreement(
        apa.alignment_patterns(table), selection=best, least_reliability=0
    ).table
    assert len(found) == 2 * 5
    chosen = best.frame.drop_duplicates(["model", "roi"]).set_index(["model", "roi"])["layer"]
    found = found.set_index(["model", "roi"])["layer"]
    assert (found.loc[chosen.index] == chosen).all()


def test_leave_one_out_rows_say_what_they_share(frame):
    patterns = apa.alignment_patterns(apa.ScoreTable(frame))
    assert apa.pattern_reliability(patterns).notes == ()
    assert (
        "share predicting subjects"
        in apa.pattern_reliability(patterns, brain="leave_one_out").notes[0]
    )


def test_identification_by_hand(make_frame):
    from itertools import permutations

    frame = make_frame(n_subject=5, n_roi=5, rng=9)
    same = (frame["layer"] == frame["roi"]) & (frame["kind"] != "model")
    frame.loc[same, "score"] += 1.0
    patterns = apa.alignment_patterns(apa.ScoreTable(frame[frame["kind"] != "subject_to_subject"]))
    found = apa.pattern_identification(patterns)
    a = patterns.arrays["leave_one_out"][0]
    guess = np.zeros((5, 5), int)
    for s in range(5):
        reference = np.delete(a, s, 0).mean(0)
        for r in range(5):
            guess[s, r] = np.argmax([similar(a[s, r], reference[t]) for t in range(5)])
    share = np.array([[np.mean(guess[:, r] == t) for t in range(5)] for r in range(5)])
    np.testing.assert_allclose(found.arrays["confusion"][0], share, atol=1e-12)
    values = [np.mean([share[r, o[r]] for r in range(5)]) for o in permutations(range(5))]
    row = found.table.iloc[0]
    assert row["estimate"] == pytest.approx(values[0])
    assert row["p_value"] == pytest.approx(np.mean(np.array(values) >= values[0] - 1e-12))
    assert row["chance"] == 0.2


def test_models_are_identified_by_their_chosen_layers(make_frame):
    table = apa.ScoreTable(make_frame(n_predictor=4, splits=("train", "test"), rng=2))
    best = apa.select_layer(table)
    found = apa.pattern_identification(apa.alignment_patterns(table), selection=best)
    test = found.table[found.table["split"] == "test"]
    assert set(test["model"]) == {"brain", "m0", "m1"}
    assert found.arrays["confusion"].shape == (4, 5, 5)


def test_castaldi_patterns_are_distinct_only_without_the_common_profile(castaldi):
    raw = apa.pattern_identification(apa.alignment_patterns(castaldi)).table
    assert raw.loc[0, "p_value"] > 0.1
    centred = apa.alignment_patterns(castaldi, scale="double_centred")
    found = apa.pattern_identification(centred).table
    assert found.loc[0, "estimate"] > 2 / 7
    assert found.loc[0, "p_value"] < 0.01


def test_bad_input(frame, make_frame):
    patterns = apa.alignment_patterns(apa.ScoreTable(frame))
    with pytest.raises(InputError, match="reference: got 'released'"):
        apa.disattenuated_agreement(patterns, reference="released")
    with pytest.raises(InputError, match="reference: got 'x'"):
        apa.pattern_reliability(patterns, reference="x")
    with pytest.raises(InputError, match="conf_level: got 2"):
        apa.pattern_reliability(patterns, conf_level=2)
    with pytest.raises(InputError, match="patterns: got a DataFrame"):
        apa.disattenuated_agreement(frame)
    with pytest.raises(InputError, match="reference: got 'x'"):
        apa.pattern_identification(patterns, reference="x")
    few = apa.alignment_patterns(apa.ScoreTable(make_frame(n_subject=5)))
    with pytest.raises(DesignError, match="at least 6 subjects"):
        apa.pattern_reliability(few)
    brain = apa.alignment_patterns(apa.ScoreTable(frame[frame["kind"] != "model"]))
    with pytest.raises(DesignError, match="there are no models"):
        apa.disattenuated_agreement(brain)


def test_what_is_hardly_reliable_is_not_corrected(frame):
    patterns = apa.alignment_patterns(apa.ScoreTable(frame))
    every = apa.disattenuated_agreement(patterns, least_reliability=0).table
    reliable = every[["reliability_model", "reliability_reference"]].min(axis=1)
    least = float(reliable.median())
    with pytest.warns(DegenerateWarning, match=f"a reliability is below {least:g}"):
        found = apa.disattenuated_agreement(patterns, least_reliability=least)
    weak = (reliable < least).to_numpy()
    assert weak.any()
    assert not weak.all()
    for column in ("estimate", "std_error", "conf_low", "conf_high"):
        assert found.table.loc[weak, column].isna().all()
        np.testing.assert_array_equal(found.table.loc[~weak, column], every.loc[~weak, column])
    assert "were not corrected" in found.notes[-1] or "were not corrected" in found.notes[-2]
    assert "is not defined (uncorrected" in found.text(max_rows=len(every))
    beyond = int((found.table["estimate"].abs() > 1).sum())
    assert any(n.startswith(f"{beyond} of") for n in found.notes) == (beyond > 0)
    with pytest.raises(InputError, match="least_reliability"):
        apa.disattenuated_agreement(patterns, least_reliability=1.5)
