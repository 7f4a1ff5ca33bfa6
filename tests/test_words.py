"""What results say about themselves: typed, frozen, the same after a round trip over disk."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import apastats as apa
from apastats.errors import InputError, ReadError
from apastats.words import Info, Outcome


@pytest.fixture(scope="module")
def scores() -> Any:
    return apa.simulate(n_subject=6, n_model=3, n_layer=1, rois=["V1", "V4"], rng=1).scores.where(
        kind="model", split="test"
    )


@pytest.fixture(scope="module")
def tested(scores: Any) -> Any:
    return apa.equivalence("score ~ model | roi", scores, bounds=0.02, adjust="holm")


def test_fields_and_mapping_are_one(tested: Any) -> None:
    info = tested.info
    assert isinstance(info, Info)
    assert (info.adjust, info.family_size, info.statistic, info.joint) == (
        "holm",
        6,
        "t",
        "Bonferroni",
    )
    assert (info.hypothesis, info.alternative, info.null_value) == ("equivalence", "two-sided", 0)
    assert info["margin"] == info.margin
    assert "n_resamples" not in info
    assert set(info) == {k for k, _ in info.items()}
    assert "outcome" in tested.glance().columns
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.margin = ""
    with pytest.raises(InputError, match="extra: got 'margin'"):
        Info(extra={"margin": "none"})


def test_unknown_words_go_into_extra() -> None:
    info = Info.of({"method": "m", "size": np.float64(2.0), "levels": (1, 2)})
    assert info.method == "m"
    assert info.extra == {"size": 2.0, "levels": [1, 2]}
    assert info.but(method="n", size=3).extra["size"] == 3
    assert Info.from_dict(json.loads(json.dumps(info.as_dict()))) == info


def test_round_trip(tested: Any, tmp_path: Path) -> None:
    folder = tested.save(tmp_path / "a")
    assert apa.load_result(folder).info == tested.info
    found = json.loads((folder / "result.json").read_text("utf-8"))
    found["info"] = {"method": "paired t test", "adjust_method": "holm"}
    (folder / "result.json").write_text(json.dumps(found), "utf-8")
    with pytest.raises(ReadError, match="not those of this version.*run the analysis again"):
        apa.load_result(folder)


def test_agreement_is_known_and_not_guessed(scores: Any) -> None:
    study = apa.simulate(n_subject=6, n_model=2, n_layer=1, rois=["V1", "V2", "V4"], rng=1)
    agreement = apa.pattern_agreement(apa.alignment_patterns(study.scores)).where(split="test")
    assert agreement.outcome("z") == Outcome("z", "agreement", "Fisher z", "rsa")
    assert agreement.where(roi="V1").quantity == "agreement"
    assert apa.concat(agreement).quantity == "agreement"
    found = apa.compare("z_person ~ model | roi", agreement, reference="brain")
    assert str(found.info.outcome) == "agreement (Fisher z)"
    for column in ("fisher_z", "quiz", "z"):
        frame = scores.frame.rename(columns={"score": column})
        table = apa.ScoreTable(frame, outcomes=(column,))
        result = apa.compare(f"{column} ~ model | roi", table)
        assert result.info.outcome.quantity == column
        html = apa.report(table, result).html()
        assert "Pattern agreement" not in html
        assert f"Comparison of {column}" in html
