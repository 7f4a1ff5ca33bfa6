"""Works that define a measure are cited wherever its scores are."""

from __future__ import annotations

import numpy as np

import apastats as apa
from apastats.reporting.kinds import keys_of
from apastats.reporting.works import WORKS
from apastats.scoring.measures.measure import MEASURES


def test_a_report_cites_the_measures_of_its_scores() -> None:
    rng = np.random.default_rng(0)
    common = rng.standard_normal((12, 5))
    brain = {(f"s{i}", "V1"): common + rng.standard_normal((12, 5)) for i in range(4)}
    models = {(m, "l"): rng.standard_normal((12, 4)) for m in ("a", "b")}
    table = apa.score_patterns(brain, models, measure=["cka-debiased", "procrustes"])
    rows = table.where(kind="model")
    found = {m: apa.compare("score ~ model", rows.where(metric=m)) for m in table.levels("metric")}
    assert set(keys_of(table)) >= {"song2012", "murphy2024", "williams2021"}
    assert "song2012" in keys_of(found["cka-debiased"])
    assert "williams2021" not in keys_of(found["cka-debiased"])
    bibliography = apa.report(table, found["procrustes"]).markdown()
    assert "Williams, A. H." in bibliography
    for name, measure in MEASURES.items():
        assert cited(table, name) >= set(measure.sources)
    # a comparison of RDMs is no measure of the table, whatever its name
    assert cited(table, "corr") == set()


def cited(table: apa.ScoreTable, metric: str) -> set[str]:
    return set(
        keys_of(
            table.with_frame(
                table.frame.assign(metric=metric).drop_duplicates(
                    ["kind", "model", "layer", "subject", "roi", "metric"]
                )
            )
        )
    ) & set(WORKS)
