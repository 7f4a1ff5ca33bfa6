"""Presets choose formulas from the data."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DataError, DesignError, InputError, PseudoreplicationWarning
from tests.mixed.conftest import study


def test_stream_is_crossed_and_family_replaces_model() -> None:
    data = study()
    data["family"] = np.where(data["model"] < "m2", "conv", "vit")
    get = lambda **k: apa.models.formula(data, **k)  # noqa: E731
    tail = "(1 | subject) + (1 | roi) + (1 | subject:roi) + (1 | model:subject)"
    assert get() == f"score ~ model + {tail}"
    crossed = "(1 | model:subject) + (1 | stream:subject) + (1 | model:stream:subject)"
    assert (
        get(by="stream") == f"score ~ model * roi + (1 | subject) + (1 | subject:roi) + {crossed}"
    )
    assert (
        get(by="stream", generalise="subject+roi")
        == f"score ~ model * stream + (1 | subject) + (1 | roi) + (1 | subject:roi) + {crossed} + (1 | model:roi)"
    )
    assert get(by="family") == (
        "score ~ family + (1 | subject) + (1 | roi) + (1 | model) + (1 | subject:roi) + (1 | model:subject)"
        " + (1 | family:subject)"
    )
    assert get(generalise="subject+roi").endswith("(1 | model:roi)")
    assert apa.models.formula(data[data["roi"] == "r0"]) == "score ~ model + (1 | subject)"


@pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
def test_fits_say_their_formula() -> None:
    data = study().assign(z=lambda d: np.arctanh(d["score"]))
    fit = apa.models.agreement(data, by="stream")
    assert fit.notes[0] == f"formula chosen by the preset: {fit.info['formula']}"
    assert "model * roi" in str(fit)
    assert {"stream", "model:stream"} < set(fit.anova()["term"])


@pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
def test_means_over_the_rois_of_a_stream_are_those_of_the_cells() -> None:
    data = study()
    fit = apa.models.scores(data, by="stream")
    means = apa.emmeans(fit, "model", by="stream").table
    cells = data.groupby(["stream", "model"])["score"].mean().reset_index(drop=True)
    np.testing.assert_allclose(means["estimate"], cells, atol=1e-9)
    # the same model by hand, streams of equal weight for their ROIs
    by_subject = data.groupby(["stream", "model", "subject"])["score"].mean().unstack()
    late = by_subject.loc["late"]
    difference = (late.loc["m1"] - late.loc["m0"]).mean()
    pairs = apa.emmeans(fit, "model", by="stream").contrast("trt.vs.ctrl").table
    row = pairs[(pairs["stream"] == "late") & (pairs["contrast"] == "m1 - m0")]
    assert row["estimate"].item() == pytest.approx(difference, abs=1e-9)


@pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
def test_pairs_of_subjects_are_members_of_one_population() -> None:
    rng = np.random.default_rng(0)
    names = [f"s{i}" for i in range(7)]
    u = dict(zip(names, rng.normal(size=7), strict=True))
    rows = [
        ("subject_to_subject", a, b, r, u[a] + u[b] + rng.normal() * 0.3)
        for a in names for b in names for r in ("V1", "V2") if a != b
    ]  # fmt: skip
    table = apa.ScoreTable(pd.DataFrame(rows, columns=["kind", "model", "subject", "roi", "score"]))
    fit = apa.models.scores(table, partners=True)
    assert "(1 | mm(model, subject))" in fit.info["formula"]
    share = fit.variance_components().set_index("group")["share"]
    assert share["mm(model, subject)"] > 0.5


def test_bad_presets() -> None:
    data = study()
    layers = pd.concat([data.assign(layer="a"), data.assign(layer="b", score=data["score"] + 0.1)])
    with pytest.raises(DesignError, match=r"2 rows share .* differ in \['layer'\]"):
        apa.models.scores(layers)
    with pytest.raises(InputError, match="a column 'z'"):
        apa.models.agreement(data)
    with pytest.raises(InputError, match="generalise: got 'all'"):
        apa.models.scores(data, generalise="all")
    with pytest.raises(DesignError, match="no random effect"):
        apa.models.scores(data[(data["subject"] == "s0") & (data["roi"] == "r0")])


@pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
def test_agreement_takes_the_shares_of_people_where_there_are_any():
    study = apa.simulate(n_subject=6, n_model=2, n_layer=1, rois=["V1", "V3", "V4", "MT"], rng=1)
    patterns = apa.alignment_patterns(study.scores.where(split="test"))
    table = apa.pattern_agreement(patterns, reference="matched")
    assert apa.models.agreement(table).info["formula"].startswith("z_person ~")
    frame = table.frame.drop(columns=["z_person"])
    frame = frame[frame["kind"] == "model"]
    assert apa.models.agreement(frame).info["formula"].startswith("z ~")


def _crossed(sd: float, seed: int) -> pd.DataFrame:
    """Models crossed with subjects, whose differences between models have an SD of their own."""
    rng = np.random.default_rng(seed)
    data = study(seed=seed)
    own = rng.normal(size=(8, 4)) * sd
    return data.assign(
        score=data["score"]
        + own[data["subject"].str[1:].astype(int), data["model"].str[1:].astype(int)]
    )


SUBJECTS = "score ~ model + (1 | subject) + (1 | roi) + (1 | subject:roi)"


@pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
def test_a_left_out_interaction_that_the_data_show_is_said() -> None:
    data = _crossed(0.15, 1)
    with pytest.warns(
        PseudoreplicationWarning,
        match=r"model differs between the levels of subject .* Add \(1 \| model:subject\)",
    ):
        found = apa.lmm(SUBJECTS, data)
    assert any("(1 | model:subject)" in n for n in found.notes)
    # the ratio is that of the two fits
    larger = apa.lmm(SUBJECTS + " + (1 | model:subject)", data)
    ratio = 2 * (larger.info["loglik"] - found.info["loglik"])
    assert f"likelihood ratio {ratio:.1f}" in " ".join(found.notes)


@pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
@pytest.mark.parametrize(
    "formula",
    [
        SUBJECTS + " + (1 | model:subject)",
        "score ~ model + (0 + model | subject) + (1 | roi)",
        "score ~ model + (1 + model | subject) + (1 | roi)",
        "score ~ 1 + (1 | subject) + (1 | roi)",
    ],
)
def test_nothing_is_said_where_the_interaction_is_in_the_model(formula: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", PseudoreplicationWarning)
        apa.lmm(formula, _crossed(0.15, 1))


@pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
def test_few_false_alarms_without_an_interaction() -> None:
    alarms = 0
    for seed in range(60):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            apa.lmm(SUBJECTS, _crossed(0.0, seed))
        alarms += any(issubclass(w.category, PseudoreplicationWarning) for w in caught)
    assert alarms <= 5  # two looks at level 0.01


@pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
def test_presets_say_nothing_of_these_rois_and_do_of_all() -> None:
    rng = np.random.default_rng(0)
    data = study()
    own = rng.normal(size=(5, 4)) * 0.2
    data["score"] += own[data["roi"].str[1:].astype(int), data["model"].str[1:].astype(int)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", PseudoreplicationWarning)
        apa.models.scores(data)
        apa.models.scores(data, by="stream")
        apa.models.scores(data, generalise="subject+roi")
    with pytest.warns(PseudoreplicationWarning, match="levels of roi"):
        apa.lmm(SUBJECTS, data)


def test_rows_that_stand_twice_are_said_and_no_crash() -> None:
    """A table read twice: the rows of a cell are copies, so no residual is left inside it."""
    data = study(seed=4).query("roi == 'r0'")
    twice = pd.concat([data, data], ignore_index=True)
    with pytest.warns(PseudoreplicationWarning, match=r"Add \(1 \| model:subject\)"):
        found = apa.lmm("score ~ model + (1 | subject)", twice)
    once = apa.lmm("score ~ model + (1 | subject)", data)
    np.testing.assert_allclose(found.table["estimate"], once.table["estimate"], rtol=1e-8)
    for engine in ("profile", "closed_form"):
        with pytest.raises(DataError, match="fitted exactly by the random part"):
            apa.lmm("score ~ model + (1 | subject) + (1 | model:subject)", twice, engine=engine)
    # nearly: numbers stand as long as sums of squares tell a residual from rounding
    noise = np.random.default_rng(0).normal(size=len(twice)) * 1e-4
    near = apa.lmm(
        "score ~ model + (1 | subject) + (1 | model:subject)",
        twice.assign(score=twice["score"] + noise),
    )
    np.testing.assert_allclose(near.table["estimate"], once.table["estimate"], atol=2e-4)
