"""What readers of reports found, each finding as it has to be now; those tested elsewhere are named at the end."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import apastats as apa
from apastats.errors import InputError
from apastats.reporting.answer import verdict
from apastats.reporting.markup import plain
from apastats.reporting.numbers import APA

pytestmark = pytest.mark.filterwarnings("ignore::apastats.errors.ApaWarning")
FORMULA = "score ~ model | roi"


@pytest.fixture(scope="module")
def scores() -> Any:
    return apa.simulate(
        n_subject=9, n_model=4, n_layer=2, n_tied=2, rois=["V1", "V2", "V4"], rng=1
    ).scores


@pytest.fixture(scope="module")
def best(scores: Any) -> Any:
    return apa.select_layer(scores, on="train")


def test_d1_aligned_is_against_the_brain(scores: Any, best: Any) -> None:
    agreement = apa.selected_rows(apa.pattern_agreement(apa.alignment_patterns(scores)), best)
    found = apa.strict_alignment(best, agreement, score_bounds=0.1, agreement_bounds=0.2)
    assert "agreement (against the brain)" in plain(verdict(found, APA))
    tested = apa.equivalence(
        "z_person ~ model | roi", agreement, bounds=0.2, reference="brain"
    ).table
    both = found.table.query("decision == 'aligned'").merge(
        tested, on=["roi", "model"], suffixes=("", "_brain")
    )
    assert not (both["decision_brain"] == "different").any()


def test_d2_the_figure_of_a_set_shows_differences_and_its_margin(best: Any) -> None:
    ax = apa.equivalence_set(FORMULA, best, bounds=0.05).plot(where={"roi": "V1"})
    assert "minus" in ax.get_xlabel()
    low, high = ax.get_xlim()
    assert low <= -0.05 <= high
    assert high < 0.2, "no ceiling of scores on an axis of differences"


def test_d4_the_margin_of_a_set_is_that_of_its_sentence(scores: Any, best: Any) -> None:
    ceiling = apa.noise_ceiling(scores)
    margin = apa.margin(0.1, of=ceiling)
    table = apa.equivalence_set(FORMULA, best, bounds=margin).table
    means = ceiling.table.set_index("roi")["estimate"]
    for roi, part in table.groupby("roi"):
        np.testing.assert_allclose(part["bound_low"], -0.1 * means[roi], rtol=1e-9)
    tested = apa.equivalence(FORMULA, best, bounds=margin, reference="best").table
    assert set(tested["bound_low"].round(9)) == set(table["bound_low"].round(9))


def test_d5_a_mixed_model_that_takes_rows_for_replicates_says_so(best: Any) -> None:
    fit = apa.lmm("score ~ model + roi + (1 | subject)", best)
    assert any("replicates of subject" in n for n in fit.notes)


def holed() -> Any:
    """Two models of nine people, B below A by 0.02 in each; the lowest score of B is missing."""
    g = np.random.default_rng(0)
    a = 0.3 + 0.05 * g.normal(size=9)
    a[4] = -0.4
    b = a - 0.02 - 0.001 * g.normal(size=9)
    rows = [
        (f"s{i}", m, v[i])
        for m, v in (("A", a), ("B", b))
        for i in range(9)
        if not (m == "B" and i == 4)
    ]
    frame = pd.DataFrame(rows, columns=["subject", "model", "score"])
    return apa.ScoreTable(frame.assign(roi="V1", layer="-", kind="model"))


def test_d5b_the_best_is_the_best_of_those_who_have_all_models() -> None:
    table = holed()
    means = table.frame.groupby("model")["score"].mean()
    assert means["B"] > means["A"], "the mean over whoever is there is misleading"
    found = apa.equivalence(FORMULA, table, bounds=0.05, reference="best")
    assert found.table["reference"].tolist() == ["A"]
    assert found.table["estimate"].item() < 0
    assert any("without every model" in n for n in found.notes)
    assert apa.equivalence_set(FORMULA, table).members() == ["A"]
    boot = apa.bootstrap(FORMULA, table, n_resamples=99, rng=1)
    assert "over the subjects that each model has" in plain(verdict(boot, APA))
    assert any("fewer subjects" in n for n in boot.notes)


def test_d8_no_count_goes_over_several_analyses(scores: Any, best: Any) -> None:
    items = [
        apa.equivalence(FORMULA, best, bounds=0.01, reference="best"),
        apa.equivalence_set(FORMULA, best, bounds=0.01),
    ]
    answer = apa.report(best, *items).answer
    undecided = int((items[0].table["decision"] == "undecided").sum())
    assert answer.count("undecided") <= 1
    assert f"{undecided} stayed undecided" in answer or not undecided
    assert "holds no model" not in " ".join(r.text() for r in items)


def test_d9_corrected_agreement_of_unreliable_patterns_is_refused() -> None:
    noisy = apa.simulate(
        n_subject=8, n_model=3, n_layer=1, rois=["V1", "V2", "V3", "V4"], noise_sd=2.0, rng=3
    ).scores
    found = apa.disattenuated_agreement(apa.alignment_patterns(noisy))
    low = (
        found.table[["reliability_model", "reliability_reference"]].min(axis=1) < 0.2
    ) | found.table["estimate"].isna()
    assert low.any()
    assert found.table.loc[low, "estimate"].isna().all()
    assert any("were not corrected" in n for n in found.notes)


def test_d10_methods_say_how_layers_were_chosen(best: Any) -> None:
    text = apa.report(best, apa.bootstrap(FORMULA, best)).markdown()
    assert "the layer with the highest mean score on the train data" in text


@pytest.mark.parametrize(
    "columns", [("Subject", "ROI", "DNN", "RSA (Spearman rho)"), ("subj", "region", "network", "r")]
)
def test_d11_an_ordinary_csv_is_read(tmp_path: Path, columns: tuple[str, ...]) -> None:
    rows = [
        (f"s{i}", roi, m, 0.1 * i) for i in range(4) for roi in ("V1", "V2") for m in ("a", "b")
    ]
    pd.DataFrame(rows, columns=list(columns)).to_csv(tmp_path / "scores.csv", index=False)
    found = apa.read(tmp_path / "scores.csv")
    assert found.levels("model") == ["a", "b"]
    assert found.levels("roi") == ["V1", "V2"]


def test_d13_a_result_is_saved_as_the_file_that_was_named(best: Any, tmp_path: Path) -> None:
    apa.compare(FORMULA, best).save(tmp_path / "eq.csv")
    assert (tmp_path / "eq.csv").is_file()


def test_d14_all_pairs_is_a_reference_wherever_references_are(best: Any) -> None:
    for verb in (apa.equivalence, apa.compare):
        options = {"bounds": 0.02} if verb is apa.equivalence else {}
        every, default = (verb(FORMULA, best, reference=r, **options) for r in ("all pairs", None))  # type: ignore[arg-type]
        pd.testing.assert_frame_equal(every.table, default.table)
        with pytest.raises(InputError, match="all pairs"):
            verb(FORMULA, best, reference="nobody", **options)  # type: ignore[arg-type]


def test_d15_a_frame_is_taken(best: Any) -> None:
    for verb in (apa.compare, apa.bootstrap, apa.equivalence_set):
        pd.testing.assert_frame_equal(verb(FORMULA, best.frame).table, verb(FORMULA, best).table)


def test_d16_the_producer_of_activations_names_its_folder_and_images() -> None:
    names = list(inspect.signature(apa.activations).parameters)
    assert {"model", "layers", "stimuli", "folder"} <= set(names)


@pytest.mark.parametrize("size", [6.0, 12.0])
def test_d17_plots_stand_in_figures_of_others(scores: Any, best: Any, size: float) -> None:
    """Fonts of the settings, a row each; colours, order, labels, ceilings and interval as wanted; clear errors."""
    boot = apa.bootstrap(FORMULA, best)
    ceiling = apa.noise_ceiling(scores)
    with mpl.rc_context({"font.size": size}):
        figure = Figure(layout="constrained")
        ax = boot.plot(ax=figure.add_subplot(), ceilings=ceiling)
        figure.draw_without_rendering()
    sizes = {round(t.get_fontsize(), 3) for t in ax.findobj(Text) if t.get_text()}
    assert max(sizes) <= size * 1.2 + 1e-6
    assert min(sizes) >= size * 0.69
    rows = ax.get_yticks()
    assert len(rows) == len(set(rows)) == len(boot.table)
    left = min(t.get_window_extent().x0 for t in ax.get_yticklabels())
    assert left >= -1, "names stay in the figure"
    wanted = boot.plot(
        where={"roi": "V1"}, order=["model_03", "model_01"], labels={"model_01": "one"}, colors={"model_03": "#123456"},
        ceilings=ceiling, interval="single", outcome="r",
    )  # fmt: skip
    assert [t.get_text() for t in wanted.get_yticklabels()] == ["model_03", "one"]
    assert wanted.get_xlabel() == "r"
    with pytest.raises(InputError, match=r"plot: got 'colour'; allowed: options of a bootstrap"):
        boot.plot(colour="red")
    for option in (
        "where",
        "order",
        "labels",
        "colors",
        "interval",
        "ceilings",
        "points",
        "outcome",
        "title",
    ):
        assert option in str(type(boot).plot.__doc__), option


def test_d18_small_numbers_have_digits_and_names_are_whole(best: Any) -> None:
    small = apa.ScoreTable(best.frame.assign(score=best.frame["score"] / 100))
    text = apa.bootstrap(FORMULA, small).text(short=True, max_rows=3)
    assert "SE = 0.00," not in text
    assert "SE = 0.0000" not in text or "SE = 0.0000," not in text
    assert not {"Any", "annotations"} & set(dir(apa))
    assert not any(str(v) == "None" for v in apa.compare(FORMULA, best).glance().iloc[0])


# D3: tests/test_figure_texts.py and test_browser_figures.py; D6: test_statements.py, the interval that decides;
# D7: test_answer.py, the truth; D12: tests/io/test_read_rdms.py and tests/test_first_minutes.py
