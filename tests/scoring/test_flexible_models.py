"""A model whose RDM depends on parameters is never evaluated at default ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rsatoolbox.inference import eval_fixed
from rsatoolbox.model import ModelFixed, ModelInterpolate, ModelSelect, ModelWeighted
from rsatoolbox.rdm import RDMs

import apastats as apa
from apastats.errors import InputError

RDM = apa.simulate_rdms(n_subject=4, n_stimulus=10, rois=["V1", "V2"], n_model=3, n_layer=1, rng=0)
BRAIN = RDM.brain.select(roi="V1")
MEMBERS = np.array(RDM.models.vectors)

VERBS = {
    "read_rdms": lambda m: apa.read_rdms(m),
    "score": lambda m: apa.score(BRAIN, m),
    "evaluate_rdms": lambda m: apa.evaluate_rdms(BRAIN, m),
    "bootstrap": lambda m: apa.bootstrap("score ~ model", BRAIN, models=m, n_resamples=20),
    "second_order_rdms": lambda m: apa.second_order_rdms(RDM.brain, m, n_resamples=19, rng=1),
}


@pytest.mark.parametrize("flexible", [ModelSelect, ModelWeighted, ModelInterpolate])
@pytest.mark.parametrize("wrap", ["alone", "in a list", "in a mapping", "beside a fixed one"])
@pytest.mark.parametrize("verb", VERBS)
def test_it_is_refused_by_name_with_the_way_out(flexible: type, wrap: str, verb: str) -> None:
    model: Any = flexible("mine", MEMBERS)
    given = {
        "alone": model,
        "in a list": [model],
        "in a mapping": {"a": model},
        "beside a fixed one": [ModelFixed("other", MEMBERS[0]), model],
    }[wrap]
    with pytest.raises(InputError, match=f"{flexible.__name__} 'mine'.*fitted.*read_rdms"):
        VERBS[verb](given)


def test_fixed_models_are_taken_as_before() -> None:
    brain = apa.RDMSet(BRAIN.vectors, BRAIN.labels)
    found = apa.score(brain, [ModelFixed("a", MEMBERS[0])]).frame
    expected = apa.score(brain, MEMBERS[:1]).frame
    np.testing.assert_array_equal(found["score"], expected["score"])


def test_members_in_a_saved_result_are_told(tmp_path: Path) -> None:
    models = [ModelWeighted("mine", MEMBERS), ModelFixed("one", MEMBERS[0])]
    eval_fixed(models, RDMs(np.array(BRAIN.vectors))).save(str(tmp_path / "r.hdf5"))
    log = apa.read_rdms(tmp_path / "r.hdf5").log
    assert any("ModelWeighted 'mine'" in line and "nothing is fitted" in line for line in log)
    assert not any("'one'" in line for line in log)
