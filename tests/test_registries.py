"""A new entry of a registry is taken by every verb; an unknown name is an error everywhere."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.comparing.margin import ORIGINS, Origin
from apastats.errors import ApaError
from apastats.io import formats, rdm_files
from apastats.io.frames import Part
from apastats.io.rdm_labels import RawRDMs
from apastats.numbers.adjust_p import ADJUSTMENTS
from apastats.patterns.pattern_similarity import SIMILARITIES, Similarity
from apastats.reporting.kinds import KINDS, Kind, title_of
from apastats.reporting.numbers import STYLES, NumberStyle
from apastats.resampling.intervals import INTERVALS
from apastats.results import Provenance, Result
from apastats.scoring.measures.entry import Measure, pairwise
from apastats.scoring.measures.measure import MEASURES
from apastats.scoring.methods import METHODS, Comparison
from apastats.studies import pipeline, schema, words
from apastats.studies.sections import EquivalenceSection, StudyFile, _Section
from apastats.studies.starter import starter_text
from apastats.words import Info, StatedMargin

STUDY = apa.simulate(n_subject=9, n_model=2, n_layer=3, rng=1)
PATTERNS = apa.alignment_patterns(STUDY.scores.where(split="test"))
RDMS = apa.simulate_rdms(n_subject=9, n_model=2, n_stimulus=9, n_layer=1, rois=["V1", "V4"], rng=2)


# ---------------------------------------------------------------- similarities of patterns
@pytest.fixture(params=["linear", "not linear"])
def fake_similarity(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Share of the variance of the sum that is shared, or its root with a sign."""
    linear = request.param == "linear"

    def formula(
        cov: np.ndarray, var_x: np.ndarray, var_y: np.ndarray, shift: np.ndarray
    ) -> np.ndarray:
        ratio = 2 * cov / (var_x + var_y)
        return ratio if linear else np.sign(ratio) * np.sqrt(np.abs(ratio))

    monkeypatch.setitem(SIMILARITIES, "fake", Similarity(formula, linear=linear, fisher=False))
    return "fake"


def by_hand(x: np.ndarray, y: np.ndarray, linear: bool) -> float:
    ratio = 2 * np.cov(x, y, ddof=0)[0, 1] / (x.var() + y.var())
    return float(ratio if linear else np.sign(ratio) * np.sqrt(abs(ratio)))


def test_every_verb_takes_a_new_similarity(
    fake_similarity: str, request: pytest.FixtureRequest
) -> None:
    linear = SIMILARITIES["fake"].linear
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 3, 12))
    found = apa.pattern_similarity(x, y, "fake")
    assert found[1, 2] == pytest.approx(by_hand(x[1], y[2], linear), rel=1e-12)
    with_gap = x.copy()
    with_gap[0, 3] = np.nan
    gap = apa.pattern_similarity(with_gap, y, "fake")[0, 0]
    rest = np.arange(12) != 3
    assert gap == pytest.approx(by_hand(x[0, rest], y[0, rest], linear), rel=1e-12)

    agreement = apa.pattern_agreement(PATTERNS, similarity="fake")
    assert "z" not in agreement.outcomes
    tested = apa.agreement_test(PATTERNS, similarity="fake", n_resamples=99, rng=1).table
    drawn = apa.agreement_bootstrap(PATTERNS, similarity="fake", n_resamples=99, rng=1).table
    rows = agreement.frame
    means = rows[rows["kind"] == "model"].groupby(["model", "layer", "roi"])["agreement"].mean()
    for table in (tested, drawn):
        if "kind" in table:
            table = table[table["kind"] == "model"]
        if "term" in table:
            table = table[table["term"] == "agreement"]
        estimates = table[table["roi"].isin(PATTERNS.dense.rois)].set_index(
            ["model", "layer", "roi"]
        )["estimate"]
        assert set(means.index) <= set(estimates.index)
        np.testing.assert_allclose(estimates.loc[means.index], means, rtol=1e-9)
    assert len(apa.pattern_identification(PATTERNS, similarity="fake", n_resamples=99, rng=1).table)
    assert len(apa.layer_agreement(PATTERNS, similarity="fake").table)
    best = apa.select_layer(STUDY.scores, on="train")
    second = apa.second_order_similarity(PATTERNS, best, similarity="fake", n_resamples=99, rng=1)
    assert np.isfinite(second.table["estimate"]).any()
    chosen = apa.agreement_sensitivity(
        STUDY.scores, similarity="fake", on="train", vary=["similarity"]
    )
    assert len(chosen.table)


# ---------------------------------------------------------------- comparisons of RDMs
@pytest.fixture
def fake_comparison(monkeypatch: pytest.MonkeyPatch) -> str:
    """Minus the mean absolute difference."""

    def score(x: np.ndarray, y: np.ndarray, sigma_k: Any, batch: int | None) -> np.ndarray:
        return -np.abs(x[:, None] - y).mean(axis=-1)

    monkeypatch.setitem(METHODS, "fake", Comparison("plain", score=score))
    return "fake"


@pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning")
@pytest.mark.filterwarnings("ignore::apastats.errors.DirectionWarning")  # the fake is a distance
def test_every_verb_takes_a_new_comparison(fake_comparison: str) -> None:
    brain, models = RDMS.brain, RDMS.models
    x, y = np.asarray(brain.vectors), np.asarray(models.vectors)
    expected = -np.abs(y[:, None] - x).mean(axis=-1)
    np.testing.assert_allclose(apa.rdm_similarity(y, x, method="fake"), expected, rtol=1e-12)
    scores = apa.score(brain, models, method="fake").frame
    model = scores[scores["kind"] == "model"]
    assert set(np.round(model["score"], 10)) <= set(np.round(expected.ravel(), 10))
    for cluster in ("subject", "stimulus", ("subject", "stimulus")):
        found = apa.bootstrap(
            "score ~ model + layer | roi",
            brain,
            models=models,
            method="fake",
            cluster=cluster,
            n_resamples=60,
            rng=1,
        ).table
        means = expected.reshape(len(y), -1)
        assert np.isfinite(found["estimate"]).all()
        assert means.min() <= found["estimate"].min() <= means.max()
    assert len(apa.noise_ceiling(brain, kind="nili", method="fake").table)
    assert len(apa.evaluate_rdms(brain, models, method="fake").table)


# ---------------------------------------------------------------- intervals
@pytest.fixture
def fake_interval(monkeypatch: pytest.MonkeyPatch) -> str:
    """The percentile interval under another name."""
    monkeypatch.setitem(INTERVALS, "fake", INTERVALS["percentile"])
    return "fake"


@pytest.mark.filterwarnings("ignore::apastats.errors.MonteCarloWarning")
def test_every_verb_takes_a_new_interval(fake_interval: str) -> None:
    x = np.random.default_rng(3).normal(0.1, 1, 9)
    table = STUDY.scores.where(split="test", kind="model", layer="layer_01")
    options: dict[str, Any] = {"test": "bootstrap", "n_resamples": 200, "rng": 1}
    two: dict[str, Any] = options | {"y": x[::-1] + 0.5, "paired": False}

    def verbs(interval: str) -> list[pd.DataFrame]:
        formula = "score ~ model | roi"
        drawn = apa.bootstrap(
            "score ~ model + roi", table, interval=interval, n_resamples=200, rng=1
        )
        return [
            apa.boot_ci(x, "mean", interval=interval, n_resamples=200, rng=1).table,
            drawn.table,
            drawn.conf_int(interval=interval),
            apa.tost(x, bounds=1, interval=interval, **options).table,
            apa.tost(x, bounds=1, interval=interval, **two).table,
            apa.equivalence(formula, table, bounds=0.1, interval=interval, **options).table,
            apa.compare(formula, table, interval=interval, **options).table,
            apa.agreement_bootstrap(PATTERNS, interval=interval, n_resamples=99, rng=1).table,
            apa.noise_ceiling(STUDY.scores, interval=interval, n_resamples=200, rng=1).table,
        ]

    for ours, theirs in zip(verbs("fake"), verbs("percentile"), strict=True):
        numbers = ours.select_dtypes(float).columns
        assert len(numbers)
        pd.testing.assert_frame_equal(ours[numbers], theirs[numbers])


def test_an_interval_without_a_test_is_refused_by_tests() -> None:
    with pytest.raises(ApaError, match="interval"):
        apa.tost(np.arange(9.0), bounds=1, test="bootstrap", interval="t")


def test_study_files_take_every_interval() -> None:
    fields = EquivalenceSection.model_fields
    assert set(get_args(fields["interval"].annotation)) == {"auto", *INTERVALS}


# ---------------------------------------------------------------- kinds of margin
@pytest.fixture
def fake_margin(monkeypatch: pytest.MonkeyPatch) -> str:
    """A unit of about two, which every subject says a little differently."""

    def unit(margin: Any, block: Any) -> np.ndarray:
        n, _, m = block.values.shape
        return np.repeat(np.linspace(1.9, 2.1, n)[:, None], m, axis=1)

    entry = Origin(lambda m, _: StatedMargin(f"{m.share} of two"), unit, named=True)
    monkeypatch.setitem(ORIGINS, "fake", entry)
    return "fake"


def test_every_verb_takes_a_new_kind_of_margin(fake_margin: str) -> None:
    table = STUDY.scores.where(split="test", kind="model", layer="layer_01")
    one, raw = apa.margin(0.05, of="fake"), apa.margin(0.1)
    assert str(one) == "\u00b15 % of two"
    assert "'fake'" in one.as_call()
    for verb in (apa.equivalence, apa.equivalence_set):
        found, same = (verb("score ~ model | roi", table, bounds=b) for b in (one, raw))
        assert "of two" in found.info.margin.size
        for column in set(found.table.columns) & {"bound_low", "bound_high", "estimate"}:
            np.testing.assert_allclose(found.table[column], same.table[column], rtol=1e-12)
    near = apa.equivalence("score ~ model | roi", table, bounds=one).table
    exact = apa.equivalence("score ~ model | roi", table, bounds=raw).table
    # the uncertainty of the unit is in the test, and small here
    assert np.isfinite(near["p_value_equiv"]).all()
    assert not np.array_equal(near["p_value_equiv"], exact["p_value_equiv"])
    with pytest.raises(ApaError, match="bounds"):
        apa.tost(np.arange(9.0), bounds=one)


# ---------------------------------------------------------------- formats of tables and RDMs
def test_a_new_format_of_tables_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = pd.DataFrame({"model": "m", "roi": "V1", "subject": ["a", "b"], "score": [0.25, 0.5]})

    def reader(path: str, options: formats.FileOptions) -> list[Part]:
        n = int(Path(path).read_text())
        return [Part(path, rows.head(n), "fake", lambda row: f"{path}, row {row}")]

    monkeypatch.setitem(formats.FORMATS, "fake", ((".fake",), "the number of its rows"))
    monkeypatch.setitem(formats._READERS, "fake", reader)
    for n in (1, 2):
        (tmp_path / "scores.fake").write_text(str(n))
        table = apa.read(tmp_path / "scores.fake")
        assert table.frame["score"].tolist() == [0.25, 0.5][:n]


def test_a_new_format_of_rdms_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def reader(path: Path, layout: Any, labelled: bool) -> RawRDMs:
        values = np.frombuffer(path.read_bytes()[4:], "u1").astype(float)
        return RawRDMs(values[None], pd.DataFrame({"model": ["m"]}))

    monkeypatch.setitem(rdm_files.FORMATS, "fake", "one byte per pair")
    monkeypatch.setitem(rdm_files.BEGINNINGS, b"FAKE", "fake")
    monkeypatch.setitem(rdm_files._READERS, "fake", reader)
    path = tmp_path / "rdm.any"
    path.write_bytes(b"FAKE" + bytes([3, 1, 2, 5, 4, 7]))
    assert apa.read_rdms(path).vectors.tolist() == [[3, 1, 2, 5, 4, 7]]


def test_every_kind_of_rdm_file_has_a_reader() -> None:
    named = {ending for endings in rdm_files.FORMATS for ending in endings.split(", ")}
    assert set(rdm_files._READERS) - {"mat73"} <= named
    assert set(rdm_files.BEGINNINGS.values()) <= set(rdm_files._READERS)
    assert set(formats.FORMATS) == set(formats._READERS)


# ---------------------------------------------------------------- adjustments
def test_every_verb_takes_a_new_adjustment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ADJUSTMENTS, "fake", lambda p: np.minimum(1.0, 3 * p))
    p = np.array([0.01, 0.2, 0.5])
    np.testing.assert_allclose(apa.adjust_p(p, "fake"), [0.03, 0.6, 1], rtol=1e-12)
    table = STUDY.scores.where(split="test", kind="model", layer="layer_01")
    for verb, options in ((apa.compare, {}), (apa.equivalence, {"bounds": 0.05})):
        found = verb("score ~ model | roi", table, adjust="fake", **options)
        assert "adjusted by fake" in apa.report(found).markdown()
        columns = [c for c in found.table if c.endswith("_adjusted")]
        assert columns
        for column in columns:
            raw = found.table[column.removesuffix("_adjusted")]
            np.testing.assert_allclose(
                found.table[column], np.minimum(1, 3 * raw), rtol=1e-12, err_msg=column
            )


# ---------------------------------------------------------------- kinds of result
def test_a_report_takes_a_new_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fake(Result):
        kind: ClassVar[str] = "fake"

    row = Kind(lambda _: "A result of a new kind", "planning")
    monkeypatch.setitem(KINDS, "fake", row)
    result = Fake(pd.DataFrame({"estimate": [0.5]}), Info(method="a new method"), Provenance())
    assert title_of(result) == "A result of a new kind"
    page = apa.report(result)
    assert "A result of a new kind" in page.markdown()


# ---------------------------------------------------------------- measures of two data sets
def test_every_verb_takes_a_new_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    def compare(x: np.ndarray, y: np.ndarray) -> float:
        return float(min(x.std(), y.std()) / max(x.std(), y.std()))

    entry = Measure(
        "fake", "ratio of the spreads", prepare=lambda x, backend: x, compare=pairwise(compare)
    )
    monkeypatch.setitem(MEASURES, "fake", entry)
    rng = np.random.default_rng(4)
    brain = {(s, r): rng.normal(size=(9, 4)) for s in "ab" for r in ("V1", "V4")}
    model = {("m", "l"): rng.normal(size=(9, 6))}
    for given in ("fake", apa.measure("fake"), ["fake", "cka-debiased"]):
        rows = apa.score_patterns(brain, model, measure=given).frame
        rows = rows[(rows["metric"] == "fake") & (rows["kind"] == "model")]
        for row in rows.itertuples():
            expected = compare(model["m", "l"], brain[row.subject, row.roi])
            assert row.score == pytest.approx(expected, rel=1e-9)
        assert len(rows) == 4
    section = words.keys_of_study()["score_patterns"]
    assert section(measure="fake").measure == "fake"


# ---------------------------------------------------------------- formats of p-values and numbers
def test_everything_that_writes_takes_a_new_number_style(monkeypatch: pytest.MonkeyPatch) -> None:
    style = NumberStyle(name="fake", p_symbol="Q", p_decimals=5, p_floor=0.00001, minus="~")
    monkeypatch.setitem(STYLES, "fake", style)
    table = STUDY.scores.where(split="test", kind="model", layer="layer_01")
    found = apa.compare("score ~ model | roi", table)
    for text in (
        found.text(style="fake"),
        found.to_markdown(style="fake"),
        apa.report(found, style="fake").markdown(),
    ):
        assert re.search(r"(?<!\d)\.\d{5}(?!\d)", text), text
    section = words.keys_of_study()["report"]
    assert section(style="fake").style == "fake"


# ---------------------------------------------------------------- kernels
def test_both_backends_take_a_new_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cosine of ranks: flags that no method of the package has together."""
    pytest.importorskip("torch")
    monkeypatch.setitem(METHODS, "fake", Comparison("ranks", "weights", ranks=True))
    x, y = np.random.default_rng(5).normal(size=(2, 3, 36))
    r, s = (v.argsort(axis=1).argsort(axis=1) + 1.0 for v in (x, y))
    expected = (r @ s.T) / np.sqrt(np.outer((r**2).sum(axis=1), (s**2).sum(axis=1)))
    for backend in ("numpy", "torch"):
        found = apa.rdm_similarity(x, y, method="fake", backend=backend)
        np.testing.assert_allclose(found, expected, rtol=1e-10, err_msg=backend)


# ---------------------------------------------------------------- sections of study files
class FakeSection(_Section):
    """Options of a step that counts."""

    at_least: int = 2


class FakeFile(StudyFile):
    """A study file with one more section."""

    fake: FakeSection | None = None


def test_a_study_takes_a_new_section(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def step(run: pipeline.Pipeline, state: pipeline.Running) -> None:
        if (section := run.study.fake) is None:  # type: ignore[attr-defined]
            return
        n = state.scores.frame["subject"].nunique()
        frame = pd.DataFrame({"estimate": [float(n)], "enough": [n >= section.at_least]})
        info = Info(estimand="people", method="counted")
        run._keep("fake", lambda: Result(frame, info, Provenance()), "fake")

    for module in [m for name, m in sys.modules.items() if name.startswith("apastats.studies.")]:
        if getattr(module, "StudyFile", None) is StudyFile:
            monkeypatch.setattr(module, "StudyFile", FakeFile)
    monkeypatch.setitem(words.WORDS, "fake", {"at_least": "people wanted"})
    monkeypatch.setitem(pipeline.STEPS, "fake", step)
    STUDY.scores.frame.to_csv(tmp_path / "scores.csv", index=False)
    text = starter_text(tmp_path / "scores.csv", full=True)
    assert "# [fake]\n# at_least = 2" in text
    assert "people wanted" in text
    assert "| `[fake]` | `at_least` | `2` | people wanted |" in words.reference_table()
    file = tmp_path / "study.toml"
    file.write_text(
        '[inputs]\nscores = "scores.csv"\n\n[fake]\nat_least = 12\n[agreement]\nrun = false\n'
    )
    run = apa.run_study(file, output=tmp_path / "out")
    assert run.results["fake"].table["estimate"].tolist() == [9]
    assert not run.results["fake"].table["enough"].any()
    assert "counted" in (tmp_path / "out" / "report.html").read_text()
    for wrong, message in (("at_most = 1", "at_least"), ("at_least = 'x'", "line 5")):
        file.write_text(f'[inputs]\nscores = "scores.csv"\n\n[fake]\n{wrong}\n')
        with pytest.raises(ApaError, match=message):
            schema.parse_study(file)


def test_every_recipe_has_its_fake() -> None:
    text = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
    rows = text.split("## Where new code goes")[1].split("\n## ")[0].splitlines()
    recipes = [r.split("|")[1].strip() for r in rows if r.startswith("|")][2:]
    assert set(recipes) == set(FAKES)
    assert all(callable(globals()[test]) for test in FAKES.values())


# row of the table "Where new code goes" -> the test that adds one of it
FAKES = {
    "interval from replicates": "test_every_verb_takes_a_new_interval",
    "comparison of RDMs": "test_every_verb_takes_a_new_comparison",
    "measure of two data sets": "test_every_verb_takes_a_new_measure",
    "input format": "test_a_new_format_of_tables_is_read",
    "similarity of patterns": "test_every_verb_takes_a_new_similarity",
    "adjustment of p-values": "test_every_verb_takes_a_new_adjustment",
    "section of a report": "test_a_report_takes_a_new_kind",
    "section of a study file": "test_a_study_takes_a_new_section",
    "kind of margin": "test_every_verb_takes_a_new_kind_of_margin",
    "format of a p-value or number": "test_everything_that_writes_takes_a_new_number_style",
    "GPU kernel": "test_both_backends_take_a_new_kernel",
}


# ---------------------------------------------------------------- unknown names
@pytest.mark.parametrize(
    "call",
    [
        lambda: apa.pattern_similarity(np.eye(4), np.eye(4), "nonsense"),
        lambda: apa.pattern_agreement(PATTERNS, similarity="nonsense"),
        lambda: apa.agreement_test(PATTERNS, similarity="nonsense"),
        lambda: apa.matrix_agreement(PATTERNS, pd.DataFrame(), similarity="concordance"),
        lambda: apa.rdm_similarity(np.eye(3), np.eye(3), method="nonsense"),
        lambda: apa.score(RDMS.brain, RDMS.models, method="nonsense"),
        lambda: apa.boot_ci(np.arange(9.0), "mean", interval="nonsense"),
        lambda: apa.tost(np.arange(9.0), bounds=1, test="bootstrap", interval="nonsense"),
        lambda: apa.margin(1.0, of="nonsense"),
        lambda: apa.read("nonsense.xyz"),
    ],
)
def test_unknown_names_are_errors(call: Callable[[], Any]) -> None:
    with pytest.raises(ApaError):
        call()
