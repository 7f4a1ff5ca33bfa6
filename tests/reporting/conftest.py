"""One small study with every common result, and one whose names are hostile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

import apastats as apa
from tests.reporting.kinds import every_kind

HOSTILE = (
    "<script>alert(1)</script>",
    "quote \" and ' and `tick`",
    "line\nbreak",
    r"100% $x_1^2$ & #tag ~ {brace} \cmd",
    "| pipe * star _under_ [link](http://x.y)",
    "\u05e9\u05dc\u05d5\u05dd \u202eABC",
    "x" * 200,
)


@dataclass
class Study:
    """Results by name, and the report of all of them."""

    results: dict[str, Any]
    report: Any

    def __getattr__(self, name: str) -> Any:
        try:
            return self.results[name]
        except KeyError:
            raise AttributeError(name) from None


def analyse(scores: apa.ScoreTable, title: str) -> Study:
    """The usual chain of verbs."""
    found: dict[str, Any] = {"design": apa.check(scores), "scores": scores}
    found["ceiling"] = apa.noise_ceiling(scores)
    found["pairs"] = apa.noise_ceiling(scores, kind="subject_to_subject")
    found["best"] = apa.select_layer(scores, on="train")
    found["patterns"] = apa.alignment_patterns(scores)
    found["agreement"] = apa.selected_rows(apa.pattern_agreement(found["patterns"]), found["best"])
    found["means"] = apa.bootstrap("score ~ model | roi", found["best"])
    found["agreement_means"] = apa.bootstrap("z ~ model | roi", found["agreement"])
    margin = apa.margin(0.1, of=found["ceiling"])
    found["equivalence"] = apa.equivalence(
        "score ~ model | roi", found["best"], bounds=margin, reference="best"
    )
    found["pairwise"] = apa.equivalence(
        "score ~ model | roi",
        found["best"].where(roi=scores.levels("roi")[0]),
        bounds=0.02,
        adjust="none",
    )
    document = apa.report(
        *found.values(),
        title=title,
        study_text='[study]\nname = "small"\n',
        command="apastats run study.toml",
    )
    return Study(found, document)


@pytest.fixture(scope="session")
def study() -> Study:
    rois = ["V1", "V2", "V4", "LO1"]
    simulated = apa.simulate(
        n_subject=6, n_model=3, n_layer=2, n_tied=2, rois=rois, streams={"all": rois}, rng=3
    )
    return analyse(simulated.scores, "A small study")


@pytest.fixture(scope="session")
def hostile() -> Study:
    rois = ["V1", "V2", "V4", "LO1"]
    simulated = apa.simulate(
        n_subject=4, n_model=4, n_layer=2, n_tied=2, rois=rois, streams={"all": rois}, rng=3
    )
    frame = simulated.scores.frame
    models = dict(
        zip(
            sorted(m for m in frame["model"].unique() if m.startswith("model")),
            HOSTILE[:4],
            strict=True,
        )
    )
    places = {"V1": HOSTILE[4], "V2": HOSTILE[5], "V4": HOSTILE[6]}
    renamed = frame.assign(
        model=frame["model"].replace(models),
        roi=frame["roi"].replace(places),
        layer=frame["layer"].replace(places),
    )
    return analyse(apa.ScoreTable(renamed), HOSTILE[0] + HOSTILE[3])


@pytest.fixture(scope="session")
def all_kinds() -> Study:
    results = every_kind()
    return Study(results, apa.report(*results.values(), title="All kinds"))
