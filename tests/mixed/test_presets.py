"""Presets choose formulas from the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DesignError, InputError
from tests.mixed.conftest import study


def test_stream_is_crossed_and_family_replaces_model() -> None:
    data = study()
    data["family"] = np.where(data["model"] < "m2", "conv", "vit")
    get = lambda **k: apa.models.formula(data, **k)  # noqa: E731
    tail = "(1 | subject) + (1 | roi) + (1 | subject:roi) + (1 | model:subject)"
    assert get() == f"score ~ model + {tail}"
    assert get(by="stream") == f"score ~ model * stream + {tail}"
    assert (
        get(by="family")
        == "score ~ family + (1 | subject) + (1 | roi) + (1 | model) + (1 | subject:roi) + (1 | model:subject)"
    )
    assert get(generalise="subject+roi").endswith("(1 | model:roi)")
    assert apa.models.formula(data[data["roi"] == "r0"]) == "score ~ model + (1 | subject)"


@pytest.mark.filterwarnings("ignore::apastats.errors.SingularFitWarning")
def test_fits_say_their_formula() -> None:
    data = study().assign(z=lambda d: np.arctanh(d["score"]))
    fit = apa.models.agreement(data, by="stream")
    assert fit.notes[0] == f"formula chosen by the preset: {fit.info['formula']}"
    assert "model * stream" in str(fit)


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
