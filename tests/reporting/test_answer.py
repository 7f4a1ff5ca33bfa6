"""The answer of a report: short, idiomatic, and every number of it one of a table."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import InputError, OutputExistsError
from apastats.reporting.answer import VERDICTS, verdict
from apastats.reporting.blocks import Listing, Paragraph
from apastats.reporting.lead import lead_figure
from apastats.reporting.margins import margins_of
from apastats.reporting.markup import plain
from apastats.reporting.numbers import APA
from tests.reporting.conftest import Study

NUMBER = re.compile(r"(?<![\w.])[\u2212-]?\d+(?:\.\d+)?(?![\w]|\.\d)")
# what must not come back: sentences of earlier reports that misled or could not be read
BANNED = (
    "its uncertainty is carried",
    "brings its own value",
    "comparisons are undecided; they may not be cited",
    "Overlap of intervals says neither",
    "an ordinary test, and two one-sided tests",
    "A highest mean alone says nothing",
    "Rule: ",
    "both: different but inside the margin",
    "Resampled: ",
    "Held fixed: ",
    "Compared: ",
    "a claim about other models is not supported, levels of",
    "things to note",
    "0 problems",
    "5 to 5 partners",
    "What reading did",
    "Compact letters: models",
    "the set holds no model",
    "Sets of the best models",
    "conf low free",
    "in set",
    "separated_pairs",
    "modelmodel_01",
)


def written(report: Any) -> str:
    """Everything a report says in sentences, the answer first."""
    out = [report.answer, plain(report.margin)]
    for section in report.sections:
        out.append(plain(section.gist))
        for part in (section, *section.children):
            out.append(part.title)
            for block in part.blocks:
                if isinstance(block, Paragraph):
                    out.append(plain(block.text))
                elif isinstance(block, Listing):
                    out += [plain(i) for i in block.items]
                elif hasattr(block, "caption"):
                    out.append(plain(block.caption))
                    out += [c.label for c in getattr(block, "columns", ())]
    return "\n".join(out)


@pytest.fixture(scope="module")
def simulated() -> Any:
    return apa.simulate(n_subject=10, n_model=5, n_layer=3, n_tied=3, gap=0.1, mimic=False, rng=1)


@pytest.fixture(scope="module")
def tied(simulated: Any) -> dict[str, Any]:
    best = apa.select_layer(simulated.scores, on="train")
    ceiling = apa.noise_ceiling(simulated.scores)
    return {
        "scores": simulated.scores,
        "best": best,
        "ceiling": ceiling,
        "means": apa.bootstrap("score ~ model | roi", best),
        "equivalence": apa.equivalence(
            "score ~ model | roi", best, bounds=apa.margin(0.1, of=ceiling), reference="best"
        ),
        "set": apa.equivalence_set("score ~ model | roi", best),
    }


@pytest.mark.parametrize("which", ["study", "all_kinds"])
def test_the_sentences_that_must_not_come_back(which: str, request: Any) -> None:
    found: Study = request.getfixturevalue(which)
    text = written(found.report)
    for banned in BANNED:
        assert banned not in text, banned
    for result in found.results.values():
        if hasattr(result, "info"):
            told = result.text(max_rows=3)
            for banned in BANNED:
                assert banned not in told, (banned, result.kind)
            assert not re.search(r"\w+ = [^;.]+; \w+ = ", told), (result.kind, told)


def test_a_limitation_is_said_once(study: Study) -> None:
    text = written(study.report)
    assert text.count("do not generalise to other stimuli") == 1
    assert text.count("Overlapping intervals are not a test") == 1
    assert text.count("is a result: neither a difference nor equivalence was shown") == 1


def known_numbers(items: Any) -> set[float]:
    """Numbers of the tables, and counts of their rows and words."""
    out: set[float] = set()
    for item in items:
        frame = item.table if hasattr(item, "info") else item.frame
        out |= {float(len(frame)), *(float(frame[c].nunique()) for c in frame.columns)}
        if not hasattr(item, "info"):
            continue
        numeric = frame.select_dtypes("number")
        out |= set(np.unique(numeric.to_numpy("f8")))
        for column in frame.columns:
            if frame[column].nunique() < 40:
                out |= set(map(float, frame[column].astype(str).value_counts()))
        if {"roi", "in_set"} <= set(frame.columns):
            out |= set(map(float, frame.groupby("roi")["in_set"].sum()))
            out |= set(map(float, frame.groupby("roi").size()))
        if {"roi", "model", "estimate"} <= set(frame.columns) and frame["estimate"].notna().any():
            top = frame.loc[frame.groupby("roi")["estimate"].idxmax().dropna()]
            out |= set(map(float, top["model"].value_counts()))
        if {"decision", "estimate"} <= set(frame.columns) and item.info.reference:
            # "lower by 0.1": the word holds the sign
            out |= set(map(float, frame.loc[frame["decision"] == "different", "estimate"].abs()))
        for p in {"p_value", "p_value_adjusted"} & set(frame.columns):
            out |= {float((frame[p] <= 0.05).sum()), float(frame[p].notna().sum())}
        if "p_below" in frame.columns:
            out.add(float((frame["p_below"] <= 0.05).sum()))
        if {"depth", "brain"} <= set(frame.columns):
            best = frame.loc[
                frame.groupby(["model", "roi", "metric", "split"])["estimate"].idxmax().dropna()
            ]
            out |= {float(len(best)), float((best["estimate"] < best["brain"]).sum())}
        if {"what", "analysis"} <= set(frame.columns):
            out.add(float(frame[["what", "analysis"]].drop_duplicates().shape[0] - 1))
            out.add(float(item.decisions()["roi"].nunique()))
        if "decision" in frame.columns:
            out.add(
                float(
                    frame["decision"].isin(["equivalent", "different but inside the margin"]).sum()
                )
            )
        # a margin in words holds the share it was stated as
        out |= {float(n) for n in re.findall(r"\d+(?:\.\d+)?", str(item.info.margin))}
        out |= {float(item.info.alpha or 0.05), float(item.info.n_subject or 0)}
        out |= {float(item.info.family_size or 0)}
        # what a cell as a whole came to, also in per cent
        of_cells = [v for c in item.info.extra.get("cells", []) for v in c.values()]
        shares = {float(v) for v in of_cells if isinstance(v, (int, float))}
        out |= shares | {float(round(100 * v)) for v in shares}
        out |= {float(round(100 * (1 - v))) for v in shares}
    return {v for v in out if np.isfinite(v)}


def traced(text: str, known: set[float]) -> list[str]:
    """Numbers of a text that are none of the known ones at their printed precision."""
    values = np.array(sorted(known))
    lost = []
    for found in NUMBER.findall(text):
        number = float(found.replace("\u2212", "-"))
        half = 0.5 * 10.0 ** -(len(found.split(".")[1]) if "." in found else 0)
        tolerance = half if "." in found else 0.0
        if not (np.abs(values - number) <= tolerance + 1e-12).any():
            lost.append(found)
    return lost


@pytest.mark.parametrize("which", ["study", "all_kinds"])
def test_every_number_of_every_sentence_is_one_of_a_table(which: str, request: Any) -> None:
    found: Study = request.getfixturevalue(which)
    items = list(found.results.values())
    known = known_numbers(items)
    assert traced(found.report.answer, known) == []
    for item in items:
        if hasattr(item, "info"):
            text = plain(verdict(item, APA))
            assert (
                traced(text, known_numbers([item, *[i for i in items if not hasattr(i, "info")]]))
                == []
            ), text
    assert traced("0.98765 of 1234567", known) == ["0.98765", "1234567"]


def test_verdicts_count_what_the_tables_hold(tied: dict[str, Any]) -> None:
    result = tied["equivalence"]
    counts = result.table["decision"].value_counts()
    text = plain(verdict(result, APA))
    match = re.match(
        r"Of (\d+) comparisons of score with the best model of each ROI, (\d+) were equivalent within 10 % of the "
        r"leave-one-out noise ceiling, (\d+) were lower \(by (\S+) to (\S+)\) and (\d+) stayed undecided",
        text,
    )
    assert match, text
    numbers = [int(match[i]) for i in (1, 2, 3, 6)]
    assert numbers == [
        len(result.table),
        *(counts[d] for d in ("equivalent", "different", "undecided")),
    ]
    apart = result.table.loc[result.table["decision"] == "different", "estimate"]
    ends = [float(match[i].replace("\u2212", "-")) for i in (4, 5)]
    # lower by a size
    np.testing.assert_allclose(ends, [-apart.max(), -apart.min()], atol=0.00051)
    sizes = tied["set"].table.groupby("roi")["in_set"].sum()
    assert (
        f"{sizes.min()} to {sizes.max()} of the 5 models cannot be excluded from being best"
        in plain(verdict(tied["set"], APA))
    )


def test_the_truth_is_told_and_counted(simulated: Any, tied: dict[str, Any]) -> None:
    report = apa.report(*tied.values(), truth=simulated.truth)
    table = tied["equivalence"].table
    of = tied["best"].frame.drop_duplicates(["model", "roi"])[["model", "roi", "layer"]]
    models = simulated.truth.query("kind == 'model' and split == 'test'")
    true = of.merge(models, on=["model", "roi", "layer"]).set_index(["roi", "model"])["truth"]
    gap = [
        true[r, a] - true[r, b]
        for r, a, b in zip(table["roi"], table["model"], table["reference"], strict=True)
    ]
    equal = np.abs(gap) < 1e-9
    shown = int((equal & (table["decision"] == "equivalent")).sum())
    wrong = (np.abs(gap) >= table["bound_high"]) & (table["decision"] == "equivalent")
    wrong |= equal & (table["decision"] == "different")
    assert not wrong.any()
    assert (
        f"By construction, model_01, model_02 and model_03 are equal: {shown} of {equal.sum()} such pairs were shown "
        "to be equivalent, with no false claims." in report.answer
    )
    # a claim that is false is counted as one
    bent = table.assign(decision=np.where(equal, "different", table["decision"]))
    lied = type(tied["equivalence"])(bent, tied["equivalence"].info, tied["equivalence"].provenance)
    told = apa.report(tied["best"], lied, truth=simulated.truth).answer
    assert f"with {equal.sum()} false claims" in told
    assert "By construction" not in apa.report(*tied.values()).answer


def test_every_margin_of_a_result_is_in_the_line_of_margins(all_kinds: Study) -> None:
    results = [r for r in all_kinds.results.values() if hasattr(r, "info") and r.info.margin]
    assert len(results) > 5
    line = plain(margins_of(results))
    for result in results:
        for margin in result.info.margin.each:
            assert margin.in_units_of(result.info.outcome).short() in line, (result.kind, line)


def test_corrected_agreements_are_counted_among_those_that_were_corrected() -> None:
    found = apa.simulate(
        n_subject=6, n_model=3, n_layer=1, rois=["V1", "V2", "V3", "V4"], noise_sd=0.1, rng=2
    )
    patterns = apa.alignment_patterns(found.scores)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", apa.errors.ApaWarning)
        result = apa.disattenuated_agreement(patterns, least_reliability=0.3)
    corrected = int(result.table["estimate"].notna().sum())
    for note in result.notes:
        for n in re.findall(r"of (\d+) corrected", note):
            assert int(n) == corrected
    if corrected:
        assert f"in {corrected} of {len(result.table)} " in plain(verdict(result, APA))


def test_the_brain_is_not_counted_as_a_model(all_kinds: Study) -> None:
    captions = [plain(b.caption) for b in all_kinds.report.figure_blocks()]
    models = {
        str(m)
        for r in all_kinds.results.values()
        for m in getattr(r, "table", pd.DataFrame()).get("model", [])
        if str(m) != "brain"
    }
    counts = [int(n) for c in captions for n in re.findall(r"of (\d+) models?", c)]
    assert counts
    assert max(counts) <= len(models)


def test_the_question_counts_models_alone() -> None:
    """Of several tables of scores those that the tests name; regions that were compared are no models."""
    scores = apa.simulate(n_subject=6, n_model=4, n_layer=1, rois=["V1", "V2"], rng=1).scores
    best = scores.where(kind="model", split="test")
    regions = apa.compare("score ~ roi | model", best)
    tested = apa.equivalence("score ~ model | roi", best, bounds=0.05, reference="best")
    layers = apa.compare("score ~ layer | roi", scores.where(split="test"), kind="leave_one_out")
    assert set(layers.table["model"]) <= {"V1", "V2"}, (
        "regions of other people stand where models do"
    )
    few = best.where(model=["model_01", "model_02"])
    for items in (
        [best, regions, tested],
        [best, layers, tested],
        [few, tested],
        [few, regions, tested],
    ):
        assert "which of 4 models score as well" in apa.report(*items).answer


def test_one_question_has_one_verdict_the_most_telling() -> None:
    """A comparison with the reference of an equivalence says no more than that does, whichever was made first."""
    scores = apa.simulate(n_subject=6, n_model=4, n_layer=1, rois=["V1", "V2"], rng=1).scores
    best = scores.where(kind="model", split="test")
    options: dict[str, Any] = {"reference": "model_02"}
    compared = apa.compare("score ~ model | roi", best, **options)
    tested = apa.equivalence("score ~ model | roi", best, bounds=0.05, **options)
    for items in ([best, compared, tested], [best, tested, compared]):
        answer = apa.report(*items).answer
        assert "equivalent within 0.05" in answer
        assert "showed a difference" not in answer
    other = apa.compare("score ~ model | roi", best, reference="model_01")
    assert "showed a difference" in apa.report(best, other, tested).answer


def test_aligned_names_its_reference(all_kinds: Study) -> None:
    strict = all_kinds.strict
    assert "aligned with the brain" in plain(verdict(strict, APA))
    for line in strict.text(short=True, max_rows=len(strict.table)).split("\n"):
        if " aligned" in line:
            assert "aligned with the brain" in line


@pytest.mark.parametrize("kind", sorted(VERDICTS))
def test_verdicts_are_one_or_two_sentences(kind: str, all_kinds: Study, study: Study) -> None:
    every = [
        r for s in (all_kinds, study) for r in s.results.values() if getattr(r, "kind", "") == kind
    ]
    assert every, kind
    for result in every:
        text = plain(verdict(result, APA))
        if text:
            assert text[0].isupper()
            assert text.endswith(".")
            assert len(text.split()) < 60


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx", "html", "md", "tex"])
def test_a_result_is_saved_by_its_ending(study: Study, tmp_path: Any, suffix: str) -> None:
    result = study.pairwise
    file = result.save(tmp_path / f"eq.{suffix}")
    assert file.is_file()
    with pytest.raises(OutputExistsError):
        result.save(file)
    result.save(file, overwrite=True)
    readers = {"csv": pd.read_csv, "parquet": pd.read_parquet, "xlsx": pd.read_excel}
    if suffix in readers:
        back = readers[suffix](file)
        np.testing.assert_allclose(back["estimate"], result.table["estimate"], rtol=1e-12)
        assert list(back.columns) == list(result.table.columns)
    else:
        assert "Methods" in file.read_text("utf-8")
    with pytest.raises(InputError, match="a folder without an ending"):
        result.save(tmp_path / "eq.pkl")
    assert result.save(tmp_path / "folder").is_dir()


def test_truth_must_be_one(study: Study) -> None:
    with pytest.raises(InputError, match="truth"):
        apa.report(study.means, truth=pd.DataFrame({"model": ["a"]}))


def test_a_model_is_lower_by_a_size_and_not_by_a_negative_number(study: Study) -> None:
    text = plain(study.report.answer)
    for low, high in re.findall(r"lower \(by ([\d.\u2212-]+) to ([\d.\u2212-]+)", text):
        assert 0 < float(low) < float(high), text
    assert "(by \u2212" not in text


@pytest.mark.parametrize(("n_model", "shown"), [(16, 15), (17, 16), (18, 11)])
def test_the_leading_figure_shows_the_nearest_of_many_models(n_model: int, shown: int) -> None:
    """One of them is the reference; the others are rows of the comparison."""
    models = [f"m{k:02d}" for k in range(n_model)]
    g = np.random.default_rng(1)
    rows = [
        {"subject": f"s{i}", "roi": roi, "model": m, "layer": "one", "kind": "model",
         "score": 0.5 - 0.02 * k + g.normal(0, 0.001)}
        for i in range(6) for roi in ("V1", "V4") for k, m in enumerate(models)
    ]  # fmt: skip
    table = apa.ScoreTable(pd.DataFrame(rows))
    found = apa.equivalence("score ~ model | roi", table, bounds=0.05, reference="m00")
    figure, _ = lead_figure([found], [])
    assert figure is not None
    assert figure.data["model"].nunique() == shown
    said = f"Shown are the 11 of {n_model - 1} models with the smallest mean difference; the tables have all."
    assert (said in figure.caption) == (shown == 11)
    # the models were made worse one by one
    assert set(figure.data["model"].astype(str)) == set(models[1 : shown + 1])
