"""Ceilings whose parts subjects share: every person left out in all roles, by brute force."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import apastats as apa
from apastats.errors import DegenerateWarning, SmallSampleWarning
from apastats.scoring.people import pool_widening

pytestmark = [
    pytest.mark.filterwarnings("ignore::apastats.errors.SmallSampleWarning"),
    pytest.mark.filterwarnings("ignore:a cosine of RDMs:apastats.errors.CeilingWarning"),
]
KINDS = ("leave_one_out", "subject_to_subject", "nili")


def rdms(n: int = 6, seed: int = 0, low: float = 0.3, high: float = 0.8) -> apa.RDMSet:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(2, 1, 190))
    a = rng.uniform(low, high, (2, n, 1))
    x = a * truth + np.sqrt(1 - a**2) * rng.normal(size=(2, n, 190))
    labels = [{"subject": f"s{i:02d}", "roi": r} for r in ("V1", "V2") for i in range(n)]
    return apa.RDMSet(x.reshape(-1, 190) + 5, pd.DataFrame(labels))


def rows(data: apa.RDMSet, method: str, kinds: tuple[str, ...]) -> apa.ScoreTable:
    """Brain rows of a score table that say what the RDMs say."""
    out = []
    for roi in ("V1", "V2"):
        part = data.select(roi=roi)
        names = part.labels["subject"].tolist()
        alike = apa.rdm_similarity(part.vectors, part.vectors, method=method)
        others = apa.noise_ceiling(part, kind="leave_one_out", method=method).per_subject()
        same = {"layer": roi, "roi": roi, "metric": method}
        if "leave_one_out" in kinds:
            out += [
                {"kind": "leave_one_out", "model": "others", "subject": s, "score": v, **same}
                for s, v in zip(others["subject"], others["value"], strict=True)
            ]
        if "subject_to_subject" in kinds:
            out += [
                {"kind": "subject_to_subject", "model": p, "subject": s, "score": alike[i, j], **same}
                for i, s in enumerate(names)
                for j, p in enumerate(names)
                if i != j
            ]  # fmt: skip
    return apa.ScoreTable(pd.DataFrame(out))


def by_brute_force(data: apa.RDMSet, **options) -> tuple[np.ndarray, np.ndarray]:
    """Estimates, and the delete-one standard error from the verb run without each person."""
    people = sorted(data.labels["subject"].unique())
    n = len(people)
    left = np.array(
        [
            apa.noise_ceiling(
                data.take(np.flatnonzero(data.labels["subject"] != p)), **options
            ).table["estimate"]
            for p in people
        ]
    )
    error = np.sqrt((n - 1) / n * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    return np.asarray(apa.noise_ceiling(data, **options).table["estimate"]), error


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["corr", "spearman", "rho-a", "cosine_cov", "tau-b"])
@pytest.mark.parametrize("missing", [False, True])
def test_intervals_are_those_of_leaving_people_out(kind: str, method: str, missing: bool) -> None:
    data = rdms()
    if missing:
        vectors = np.array(data.vectors)
        vectors[3, :20] = np.nan
        data = apa.RDMSet(vectors, data.labels)
        if method.endswith("_cov"):
            method = "cosine"
    found = apa.noise_ceiling(data, kind=kind, method=method, chance=0.0).table
    estimate, error = by_brute_force(data, kind=kind, method=method)
    np.testing.assert_allclose(found["estimate"], estimate, rtol=1e-12)
    np.testing.assert_allclose(found["std_error"], error, rtol=1e-9)
    half = stats.t.ppf(0.975, 5) * error
    np.testing.assert_allclose(found["conf_low"], estimate - half, rtol=1e-9)
    np.testing.assert_allclose(found["conf_high"], estimate + half, rtol=1e-9)
    np.testing.assert_allclose(found["p_value"], stats.t.sf(estimate / error, 5), rtol=1e-8)


def test_a_subject_that_lacks_a_region_has_no_share_in_it() -> None:
    data = rdms(7)
    fewer = data.take(np.arange(1, 14))
    for kind in KINDS:
        whole = apa.noise_ceiling(data.take(np.arange(1, 7)), kind=kind).table
        found = apa.noise_ceiling(fewer, kind=kind).table
        part = found[found["roi"] == "V1"].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, whole, check_exact=False, rtol=1e-12)


def test_pairs_of_a_table_are_those_of_the_rdms() -> None:
    data = rdms(8)
    table = rows(data, "corr", ("subject_to_subject",))
    found = apa.noise_ceiling(table, kind="subject_to_subject").tidy()
    theirs = apa.noise_ceiling(data, kind="subject_to_subject").tidy()
    for c in ("estimate", "std_error", "p_value", "conf_low", "conf_high"):
        np.testing.assert_allclose(found[c], theirs[c], rtol=1e-10)
    # not all pairs are there: a person that nobody else predicts is nobody's partner when left out
    f = table.frame
    some = f[(f["subject"] != "s00") | f["model"].isin(["s01", "s02"])]
    found = apa.noise_ceiling(apa.ScoreTable(some), kind="subject_to_subject").tidy()
    for r, roi in enumerate(("V1", "V2")):
        part = some[some["roi"] == roi]
        left = [
            part[(part["subject"] != p) & (part["model"] != p)].groupby("subject")["score"].mean().mean()
            for p in sorted(f["subject"].unique())
        ]  # fmt: skip
        error = np.sqrt(7 / 8 * ((np.array(left) - np.mean(left)) ** 2).sum())
        assert found["std_error"][r] == pytest.approx(error, rel=1e-10)


def test_sessions_of_pairs_are_left_out_with_the_person() -> None:
    f = rows(rdms(5), "corr", ("subject_to_subject",)).frame
    f = pd.concat([f.assign(session=str(k), score=f["score"] + 0.01 * k) for k in (0, 1)])
    two = apa.noise_ceiling(apa.ScoreTable(f), kind="subject_to_subject").tidy()
    one = apa.noise_ceiling(
        apa.ScoreTable(f[f["session"] == "0"]), kind="subject_to_subject"
    ).tidy()
    np.testing.assert_allclose(two["std_error"], one["std_error"], rtol=1e-9)
    np.testing.assert_allclose(two["estimate"], one["estimate"] + 0.005, rtol=1e-9)


METHODS = ["corr", "cosine", "spearman", "rho-a", "tau-b", "cosine_cov"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("low", [0.1, 0.3, 0.6])
def test_scores_alone_come_near_the_jackknife(method: str, pairs: bool, low: float) -> None:
    data = rdms(10, low=low, high=low + 0.3)
    truth = apa.noise_ceiling(data, kind="leave_one_out", method=method).table["std_error"]
    kinds = ("leave_one_out", "subject_to_subject")[: 1 + pairs]
    found = apa.noise_ceiling(rows(data, method, kinds))
    # Kendall's coefficient of a pool is no inner product
    np.testing.assert_allclose(
        found.table["std_error"], truth, rtol=0.25 if method == "tau-b" else 0.16
    )
    if method == "rho-a":  # linear in the pool: the largest widening, and exact
        np.testing.assert_allclose(found.table["std_error"], truth, rtol=1e-9)
        assert "standard errors are 2.25 times" in found.info["shared"]


def test_an_unknown_metric_has_the_widest_interval() -> None:
    table = rows(rdms(10), "corr", ("leave_one_out",))
    named, unknown, percent = (
        apa.noise_ceiling(apa.ScoreTable(table.frame.assign(**change))).tidy()
        for change in (
            {},
            {"metric": "encoding"},
            {"score": table.frame["score"] * 100},
        )
    )
    values = apa.noise_ceiling(table).arrays["values"]
    naive = stats.sem(values)
    np.testing.assert_allclose(unknown["std_error"], 2.25 * naive, rtol=1e-12)
    np.testing.assert_allclose(percent["std_error"], 225 * naive, rtol=1e-12)
    assert (named["std_error"] < 0.7 * unknown["std_error"]).all()


def test_no_widening_is_beyond_that_of_pairs() -> None:
    n = np.arange(3, 41)
    for part in (0.0, 0.4, 1.0):
        k = pool_widening(n, np.full(len(n), part))
        assert (k > 1).all()
        assert (k <= 2 * (n - 1) / (n - 2) + 1e-12).all()


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e3, 1e9])
def test_the_unit_of_scores_changes_nothing(unit: float) -> None:
    study = apa.simulate(n_subject=8, n_model=3, rois=["V1", "V4"], rng=1).scores
    scaled = apa.ScoreTable(study.frame.assign(score=study.frame["score"] * unit))
    for kind in ("leave_one_out", "subject_to_subject"):
        one, other = (apa.noise_ceiling(t, kind=kind) for t in (study, scaled))
        for c in ("statistic", "df", "p_value"):
            np.testing.assert_allclose(one.table[c], other.table[c], rtol=1e-9)
        for c in ("estimate", "conf_low", "conf_high"):
            np.testing.assert_allclose(one.table[c] * unit, other.table[c], rtol=1e-9)
        shares = [
            apa.normalize(apa.select_layer(t, on="train"), c).table
            for t, c in ((study, one), (scaled, other))
        ]
        for c in ("estimate", "conf_low", "conf_high", "p_below"):
            np.testing.assert_allclose(shares[0][c], shares[1][c], rtol=1e-9)


def test_two_subjects_have_no_interval() -> None:
    data = rdms(2)
    for kind in KINDS:
        with pytest.warns(DegenerateWarning, match="two subjects predict each other"):
            found = apa.noise_ceiling(data, kind=kind).table
        assert found["estimate"].notna().all()
        assert (found["n_subject"] == 2).all()
        assert found[["conf_low", "conf_high", "p_value"]].isna().all(axis=None)
    with pytest.warns(DegenerateWarning):
        table = rows(data, "corr", ("leave_one_out",))
    with pytest.warns(DegenerateWarning, match="two subjects predict each other"):
        found = apa.noise_ceiling(table)
    assert "two subjects have one ceiling" in found.info["shared"]


@pytest.mark.parametrize("method", ["corr", "spearman", "tau-b", "cosine"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_rdm_is_in_no_pool(kind: str, method: str) -> None:
    data = rdms(8)
    vectors = np.array(data.vectors)
    vectors[[2, 10]] = 0.0 if method == "cosine" else 1.5
    others = np.flatnonzero(data.labels["subject"] != "s02")
    expected = apa.noise_ceiling(data.take(others), kind=kind, method=method).table
    with pytest.warns(
        DegenerateWarning, match=r"2 RDMs do not vary \(first: subject 's02', ROI 'V1'"
    ):
        found = apa.noise_ceiling(apa.RDMSet(vectors, data.labels), kind=kind, method=method)
    pd.testing.assert_frame_equal(found.table, expected, check_exact=False, rtol=1e-12)


def test_few_subjects_are_warned_of() -> None:
    with pytest.warns(SmallSampleWarning, match="noise_ceiling: 5 subjects"):
        found = apa.noise_ceiling(rdms(5), kind="nili")
    assert any("5 subjects" in note for note in found.notes)


# ---------------------------------------------------------------------- what is built on ceilings
def test_shares_and_p_below_have_the_jackknife_of_both() -> None:
    data = rdms(9, seed=2)
    model = apa.RDMSet(data.vectors[:1] * 0.5 + data.vectors[9:10], pd.DataFrame({"model": ["m"]}))
    scores = apa.score(data, model, references=None)
    ceiling = apa.noise_ceiling(data, kind="leave_one_out")
    found = apa.normalize(scores, ceiling).table
    mean = scores.frame.groupby("roi")["score"].mean()
    people = sorted(data.labels["subject"].unique())
    for row in found.itertuples():
        own = scores.frame[scores.frame["roi"] == row.roi].set_index("subject")["score"]

        def gap(part: pd.Series, c: float, rho: float) -> float:
            return float(part.mean() - rho * c)

        c = ceiling.table.set_index("roi")["estimate"][row.roi]
        left = {
            p: apa.noise_ceiling(
                data.take(np.flatnonzero(data.labels["subject"] != p)), kind="leave_one_out"
            ).table.set_index("roi")["estimate"][row.roi]
            for p in people
        }
        for rho, p_value in ((1.0, row.p_below), (row.conf_low, 0.975), (row.conf_high, 0.025)):
            without = np.array([gap(own.drop(p), left[p], rho) for p in people])
            error = np.sqrt(8 / 9 * ((without - without.mean()) ** 2).sum())
            t = gap(own, c, rho) / error
            assert stats.t.cdf(t, 8) == pytest.approx(p_value, rel=1e-6)
        assert row.estimate == pytest.approx(mean[row.roi] / c, rel=1e-12)
        assert row.conf_low < row.estimate < row.conf_high


def scored(data: apa.RDMSet, row: int) -> apa.ScoreTable:
    """Scores of a model that is one of the RDMs."""
    model = apa.RDMSet(data.vectors[row : row + 1], pd.DataFrame({"model": ["m"]}))
    return apa.score(data, model, references=None)


def test_shares_of_a_part_of_the_people_are_about_their_ceiling() -> None:
    data = rdms(9)
    scores = scored(data, 0)
    some = apa.ScoreTable(scores.frame[scores.frame["subject"] > "s02"])
    ceiling = apa.noise_ceiling(data, kind="leave_one_out")
    found = apa.normalize(some, ceiling)
    values = ceiling.arrays["values"][3:]
    np.testing.assert_allclose(found.table["ceiling"], values.mean(axis=0), rtol=1e-12)
    share = found.table["score"] / found.table["ceiling"]
    np.testing.assert_allclose(share, found.table["estimate"], rtol=1e-12)
    part = apa.margin(0.1, of=ceiling).resolve(some.block("score ~ model | roi"))
    np.testing.assert_allclose(part.high, 0.1 * values.mean(axis=0), rtol=1e-12)


def test_means_of_ratios_move_with_the_pools() -> None:
    data = rdms(9, seed=3)
    scores = scored(data, 9)
    ceiling = apa.noise_ceiling(data, kind="leave_one_out")
    found = apa.normalize(scores, ceiling, how="mean_of_ratios").table
    people = sorted(data.labels["subject"].unique())
    for r, roi in enumerate(("V1", "V2")):
        left = []
        for p in people:
            rest = data.take(np.flatnonzero((data.labels["subject"] != p) & (data.labels["roi"] == roi)))  # fmt: skip
            values = apa.noise_ceiling(rest, kind="leave_one_out").arrays["values"][:, 0]
            f = scores.frame[(scores.frame["roi"] == roi) & (scores.frame["subject"] != p)]
            left.append(np.mean(f.sort_values("subject")["score"].to_numpy() / values))
        error = np.sqrt(8 / 9 * ((np.array(left) - np.mean(left)) ** 2).sum())
        assert found["std_error"][r] == pytest.approx(error, rel=0.15)


@pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning")
def test_the_bootstrap_of_rdms_has_the_same_ceilings() -> None:
    data = rdms(8)
    model = apa.RDMSet(data.vectors[:1], pd.DataFrame({"model": ["m"]}))
    nili = apa.noise_ceiling(data, kind="nili").table.set_index(["roi", "bound"])["std_error"]
    found = apa.bootstrap("score ~ model | roi", data, models=model).ceilings().table
    found = found.set_index(["roi", "bound"])["std_error"]
    np.testing.assert_allclose(found.loc[nili.index], nili, rtol=1e-10)
    # with the stimuli drawn too, the part of the subjects is that of the people's shares
    both = apa.bootstrap(
        "score ~ model | roi", data, models=model, cluster=("subject", "stimulus"),
        n_resamples=4000, rng=1,
    )  # fmt: skip
    subjects = np.sqrt(both.arrays["ceiling_variance_subjects"] * 8 / 7)
    np.testing.assert_allclose(subjects, nili, rtol=0.05)
