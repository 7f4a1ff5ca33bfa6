"""The analysis of published score sheets: the published rules, and the claims as verdicts."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.io.bmd import BMD_ROIS
from tests.patterns.naive import similar

pytestmark = pytest.mark.filterwarnings("ignore::apastats.errors.ApaWarning")


@pytest.fixture(scope="module")
def modules(repository):
    folder = repository / "analyses" / "hoefling2026"
    found = {}
    sys.path.insert(0, str(folder))
    try:
        for name in ("shared", "paper", "claims"):
            spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
            found[name] = importlib.util.module_from_spec(spec)
            sys.modules[name] = found[name]
            spec.loader.exec_module(found[name])
        yield found
    finally:
        sys.path.remove(str(folder))
        for name in ("shared", "paper", "claims"):
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def sheets(tmp_path_factory):
    """Simulated score sheets of the published layout, read back."""
    study = apa.simulate(
        n_subject=10, n_model=4, n_layer=4, n_tied=2, metrics=("rsa", "linear_predictivity"), rng=4
    )
    folder = tmp_path_factory.mktemp("published") / "sheets"
    study.write(folder, layout="scoresheets")
    return folder, apa.read(folder, rois=list(BMD_ROIS))


def test_structure_of_the_sheets(sheets, modules):
    _, table = sheets
    f = table.frame
    pairs = f[f["kind"] == "subject_to_subject"]
    assert set(pairs.groupby("subject")["model"].nunique()) == {5}
    # a pair that is there in both directions holds the same RSA scores twice
    rsa = pairs[pairs["metric"] == "rsa"]
    back = rsa.rename(
        columns={"model": "subject", "subject": "model", "layer": "roi", "roi": "layer"}
    )
    keys = ["model", "layer", "subject", "roi", "split"]
    both = rsa.merge(back, on=keys, suffixes=("", "_back"))
    assert len(both) > 0
    np.testing.assert_allclose(both["score"], both["score_back"], atol=1e-12)
    # the brain's share of its own ceiling averages to one
    share = modules["paper"].normalised(table).frame
    own = share[(share["kind"] == "subject_to_subject") & (share["layer"] == share["roi"])]
    means = own.groupby(["subject", "roi", "metric", "split"])["score"].mean()
    np.testing.assert_allclose(means, 1, rtol=1e-12)


@pytest.fixture(scope="module")
def published(sheets, modules):
    return modules["paper"].published(sheets[1])


def test_brain_rows_and_winners(published):
    agreement = published["agreement"].frame
    brain = agreement[agreement["model"] == "brain"]
    assert (brain.groupby("metric").size() == 190).all()
    table = published["table"]
    for name in ("score", "aps"):
        assert (table.groupby(["roi", "metric"])[f"best_{name}"].sum() == 1).all()
        assert table.loc[table[f"best_{name}"], f"equivalent_{name}"].all()


def test_released_agreement_and_its_bootstrap_by_hand(sheets, published):
    f = sheets[1].frame
    f = f[(f["metric"] == "rsa") & (f["split"] == "test")]
    row = published["table"].query("metric == 'rsa' and roi == 'V4'").iloc[2]
    selected = published["selected"].frame
    chosen = selected[
        (selected["model"] == row["model"])
        & (selected["metric"] == "rsa")
        & (selected["roi"] == "V4")
    ]
    layer = chosen["layer"].iloc[0]
    subjects = list(dict.fromkeys(selected["subject"]))
    score, agreement = {}, {}
    for s in subjects:
        mine = f[f["subject"] == s]
        model = mine[(mine["model"] == row["model"]) & (mine["layer"] == layer)].set_index("roi")[
            "score"
        ]
        score[s] = model["V4"]
        pairs = mine[(mine["kind"] == "subject_to_subject") & (mine["layer"] == "V4")]
        values = [
            similar(model, p.set_index("roi")["score"].loc[model.index])
            for _, p in pairs.groupby("model")
        ]
        agreement[s] = np.mean(values)
    assert row["mean_score"] == pytest.approx(np.mean(list(score.values())), abs=1e-12)
    assert row["mean_aps"] == pytest.approx(np.mean(list(agreement.values())), abs=1e-12)
    for values, name in ((score, "score"), (agreement, "aps")):
        means = []
        for b in range(1000):
            drawn = np.random.default_rng(seed=b).choice(10, 10, replace=True)
            means.append(np.mean([values[subjects[i]] for i in drawn]))
        low, high = np.percentile(means, [2.5, 97.5])
        assert row[f"conf_low_{name}"] == pytest.approx(low, abs=1e-12)
        assert row[f"conf_high_{name}"] == pytest.approx(high, abs=1e-12)


def test_equivalence_rule_by_hand(published):
    for _, part in published["table"].groupby(["roi", "metric"]):
        bar = part.loc[part["mean_score"].idxmax(), "conf_low_score"]
        assert ((part["mean_score"] >= bar) == part["equivalent_score"]).all()
    assert (published["table"]["aligned"] <= published["table"]["equivalent_score"]).all()


def test_every_claim_gets_a_verdict(sheets, modules, tmp_path):
    modules["claims"].main(sheets[0], tmp_path / "out", 300)
    found = pd.read_csv(tmp_path / "out" / "claims.csv", keep_default_na=False)
    paper = ["2", "3", "4", "5", "6", "7a", "7b", "8", "9"]
    models = [f"10 model_{k:02d}" for k in range(1, 5)]
    assert sorted(set(found["claim"])) == sorted(paper + models)
    words = {"supported", "refuted", "undecided", "not testable here"}
    assert set(found["verdict"]) <= words
    verdict = found.drop_duplicates("claim").set_index("claim")["verdict"]
    # no V-JEPA and no connectivity in simulated sheets; each says what it waits for
    mute = found[found["verdict"] == "not testable here"]
    assert set(mute["claim"]) == {"3", "7b", "9"}
    assert (mute["decides"] != "").all()
    assert verdict["5"] == "supported"
    # against people, both references; linear predictivity is there
    assert set(found.loc[found["claim"] == "6", "test"].str.split(":").str[0]) == {
        "agreement less the brain's, released",
        "agreement less the brain's, matched",
    }
    assert not found["reading"].str.contains("there is no result 'pairs'").any()
    text = (tmp_path / "out" / "claims.md").read_text("utf-8")
    assert "| 2 |" in text
    assert "models per ROI reach the interval of the best" in text
    agreements = pd.read_csv(tmp_path / "out" / "agreements.csv")
    assert list(agreements)[3:] == ["released", "leave_one_out", "matched"]
    # the brain's own is the same under the first two, whose models are compared with something else
    brain = agreements[agreements["model"] == "brain"]
    np.testing.assert_allclose(brain["released"], brain["leave_one_out"], atol=1e-12)
    assert not np.allclose(agreements["released"], agreements["leave_one_out"])
    rules = [pd.read_csv(tmp_path / "out" / f"published_rule{k}.csv") for k in ("", "_normalised")]
    assert len(rules[0]) == len(rules[1]) == 4 * 19 * 2


def test_normalised_outcome_by_hand(sheets, modules):
    """Mean over subjects of score over the mean same-ROI score of that subject's partners; layers chosen on it."""
    found = modules["paper"].published(sheets[1], outcome="score_norm_lower")["table"]
    f = sheets[1].frame
    f = f[f["metric"] == "rsa"]
    for row in found[(found["metric"] == "rsa") & (found["roi"] == "MT")].itertuples():
        means = {}
        for split in ("train", "test"):
            part = f[(f["roi"] == "MT") & (f["split"] == split)]
            own = part[(part["kind"] == "subject_to_subject") & (part["layer"] == "MT")]
            lower = own.groupby("subject")["score"].mean()
            mine = part[part["model"] == row.model]
            for layer, rows in mine.groupby("layer"):
                ratio = rows.set_index("subject")["score"] / lower
                means[split, layer] = ratio.mean()
        layers = sorted({k[1] for k in means})
        chosen = max(layers, key=lambda la: means["train", la])
        assert row.mean_score == pytest.approx(means["test", chosen], abs=1e-12)


def test_verdicts_on_the_real_numbers(data_dir, modules):
    found, tables = modules["claims"].verdicts(modules["claims"].read(data_dir), 500)
    verdicts = found.verdicts().set_index("claim")
    # V-JEPA 2 has the highest mean score, not shown to be above CLIP
    assert verdicts.loc["3", "verdict"] == "undecided"
    row = found.table[found.table["claim"] == "3"].iloc[0]
    assert row["estimate"] == pytest.approx(-0.0056, abs=5e-5)
    assert row["n_needed"] > 100
    # and agrees less with the brain's patterns than another network
    assert verdicts.loc["7b", "verdict"] == "supported"
    mute = verdicts[verdicts["verdict"] == "not testable here"]
    assert list(mute.index) == ["4", "9"]
    assert mute["decides"].str.contains("linear predictivity|connectivity").all()
    # claim 6 as it is, and with the brain's value lowered by what shared predictors add
    six = found.table[found.table["claim"] == "6"]
    assert list(six["n_row"]) == [95, 95, 95]
    assert six["n_shown"].is_monotonic_decreasing
    assert verdicts.loc["6", "verdict"] == "undecided"
    assert set(tables) == {"published_rule", "strict_counts", "agreements", "brain_test"}
    # no person is a candidate in leave-one-out rows: the mean of the others is what all five are worse than
    brains = verdicts[verdicts.index.str.startswith("10 ")]
    assert list(brains["verdict"]) == ["refuted"] * 5
    assert brains["decides"].str.contains("single people predict single people").all()


@pytest.mark.parametrize(("ratio", "same"), [(1.0, 0.0), (1.0, 1.0), (4.0, 0.5)])
def test_what_shared_predictors_add(modules, ratio, same):
    """The correlation of leave-one-out patterns, lowered, is that of what all people have in common."""
    g = np.random.default_rng(5)
    n, k, n_sim = 10, 19, 400
    observed, common = [], []
    for _ in range(n_sim):
        truth = g.normal(size=k)
        own = 0.8 * g.normal(size=(n, k))
        other = 0.8 * g.normal(size=(n, k))
        as_predictor = np.sqrt(ratio) * (same * own + np.sqrt(1 - same**2) * other)
        patterns = truth + own + (as_predictor.sum(0) - as_predictor) / (n - 1)
        centred = patterns - patterns.mean(axis=1, keepdims=True)
        cov = centred @ centred.T / (k - 1)
        off = ~np.eye(n, dtype=bool)
        observed.append((cov[off].mean(), np.diag(cov).mean()))
        common.append(truth.var(ddof=1))
    shared, total = np.mean(observed, axis=0)
    factor = modules["shared"].share_in_common(shared / total, n, ratio=ratio, same=same)
    assert factor == pytest.approx(np.mean(common) / shared, abs=0.03)
    assert factor < 0.97
    assert modules["shared"].share_in_common(np.array(1.0), n) == 1
