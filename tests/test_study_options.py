"""Every option of every verb can be said in a study file, and reaches the verb."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import StudyError
from apastats.studies.schema import parse_study
from apastats.studies.sections import (
    FittedInput,
    NetworkInput,
    RDMInput,
    ReportSection,
    StudyFile,
    TableInput,
)
from apastats.studies.starter import starter_text
from apastats.studies.steps import METHODS, NOT_IN_STUDIES, verbs
from apastats.studies.verify_study import verify_study
from apastats.studies.words import keys_of_study

# section, its verb, arguments that a study gives in another way, keys that are no arguments
SECTIONS: list[tuple[Any, str, set[str], set[str]]] = [
    ("score", "score", {"brain", "models"}, set()),
    ("score_patterns", "score_patterns", {"brain", "models", "stimuli"}, set()),
    ("linear_predictivity", "linear_predictivity", {"brain", "models", "ceilings"}, set()),
    ("rdms_from_patterns", "rdms_from_patterns", {"patterns", "names", "stimuli"}, set()),
    ("select_layer", "select_layer", {"table"}, set()),
    ("ceiling", "noise_ceiling", {"data", "kind", "rng"}, {"kinds"}),
    ("patterns", "alignment_patterns", {"table"}, set()),
    ("agreement", "pattern_agreement", {"patterns"}, {"run"}),
    # where the data are RDMs or patterns: options of an [[analysis]]
    (
        "bootstrap",
        "bootstrap",
        {"formula", "data", "rng", "models", "method", "measure", "reference_from", "blocks", "ceiling"},
        set(),
    ),
    ("equivalence", "equivalence", {"formula", "data", "rng"}, set()),
    ("fitted", "evaluate_fitted", {"brain", "models", "rng"}, {"models", "beside"}),
    (FittedInput, "fitted", {"members", "name"}, {"members", "where", "array"}),
    ("equivalence_agreement", "equivalence", {"formula", "data", "rng"}, set()),
    (
        "unique_variance",
        "unique_variance",
        {"brain", "models", "rng"},
        {"layers", "test", "bounds", "alternative", "adjust", "alpha"},
    ),
    (NetworkInput, "activations", {"model", "folder", "overwrite"}, {"code", "options", "weights", "test_stimuli"}),
    (TableInput, "read", {"source", "rois", "cache"}, {"path"}),
    (RDMInput, "read_rdms", {"source"}, {"path"}),
    (
        ReportSection,
        "report",
        {"results", "title", "study_text", "command", "notes", "headings", "truth"},
        {"formats", "figures"},
    ),
]  # fmt: skip
# defaults that differ on purpose
OTHER_DEFAULTS = {
    ("select_layer", "on"),  # "auto" looks whether there is a train split
    ("ceiling", "method"),  # that of [score]
    ("bootstrap", "interval"),
    ("equivalence", "bounds"),
    ("equivalence_agreement", "bounds"),
    ("equivalence", "reference"),
    ("equivalence_agreement", "reference"),
}


def _name(section: Any) -> str:
    return section if isinstance(section, str) else section.__name__


@pytest.mark.parametrize(
    ("section", "verb", "elsewhere", "own"), SECTIONS, ids=[_name(s[0]) for s in SECTIONS]
)
def test_a_section_has_every_option_of_its_verb(
    section: Any, verb: str, elsewhere: set[str], own: set[str]
) -> None:
    model = keys_of_study()[section] if isinstance(section, str) else section
    parameters = inspect.signature(getattr(apa, verb)).parameters
    assert set(model.model_fields) - own == set(parameters) - elsewhere
    for key, field in model.model_fields.items():
        if key in own or (section, key) in OTHER_DEFAULTS or field.is_required():
            continue
        default = parameters[key].default
        stated = field.get_default(call_default_factory=True)
        if key == "alphas":
            assert stated is None
        elif key == "references" and default is None:
            assert stated == ()
        else:
            assert stated == default, (section, key)


def test_every_public_name_is_an_analysis_or_has_another_place() -> None:
    classes = {n for n in apa.EXPORTS if isinstance(getattr(apa, n), type)}
    assert set(NOT_IN_STUDIES) | set(verbs()) | classes == set(apa.EXPORTS)
    assert set(NOT_IN_STUDIES) <= set(apa.EXPORTS)
    assert not classes & set(verbs())


def test_every_method_that_may_follow_exists() -> None:
    from apastats.io.load_result import load_kinds
    from apastats.results import Result

    load_kinds()

    def below(cls: type) -> list[type]:
        return [cls, *(s for c in cls.__subclasses__() for s in below(c))]

    classes = below(Result)
    for method in METHODS:
        assert any(hasattr(c, method) for c in classes), method


NETWORK = """
import torch

def build(width):
    torch.manual_seed(3)
    return torch.nn.Sequential(torch.nn.Conv2d(3, width, 3), torch.nn.ReLU(), torch.nn.Flatten())

def dim(image):
    return image * 0.5
"""


@pytest.fixture(scope="module")
def responses(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[Any, Any]]:
    """Patterns of three subjects in three ROIs for train and test stimuli, and images."""
    folder = tmp_path_factory.mktemp("responses")
    rng = np.random.default_rng(0)
    images = rng.random((30, 3, 6, 6)).astype("f4")
    np.save(folder / "train.npy", images[:20])
    np.save(folder / "test.npy", images[20:])
    latent = images.reshape(30, -1) @ rng.standard_normal((108, 12))
    brain = {}
    for roi in ("V1", "V2", "V4"):
        common = latent @ rng.standard_normal((12, 8))
        for s in ("s1", "s2", "s3"):
            x = common + 4 * rng.standard_normal((30, 8))
            brain[s, roi] = (x[:20], x[20:])
    arrays = {
        f"{s}/{r}/{part}": v[k]
        for (s, r), v in brain.items()
        for k, part in enumerate(("train", "test"))
    }
    np.savez(folder / "brain.npz", **arrays)
    (folder / "network.py").write_text(NETWORK)
    return folder, brain


def test_patterns_and_a_network_from_a_study_file(responses: Any, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    folder, brain = responses
    (folder / "study.toml").write_text(
        """
[inputs]
patterns = "brain.npz"
[inputs.networks.net]
code = "network.py:build"
options = { width = 4 }
layers = ["0", "1"]
stimuli = "train.npy"
test_stimuli = "test.npy"
batch_size = 7
transform = "network.py:dim"
[score_patterns]
measure = ["rsa", "reverse"]
method = "spearman"
distance = "euclidean"
[linear_predictivity]
references = ["leave_one_out"]
alphas = [1.0, 100.0]
n_fold = 4
[bootstrap]
n_resamples = 50
"""
    )
    run = apa.run_study(folder / "study.toml", output=tmp_path / "out")
    space: dict[str, Any] = {}
    exec(compile(NETWORK, "network.py", "exec"), space)
    images = [np.load(folder / f"{part}.npy") * 0.5 for part in ("train", "test")]
    found = [
        apa.activations(space["build"](4), ["0", "1"], x, folder=tmp_path / f"a{k}", batch_size=7)
        for k, x in enumerate(images)
    ]
    models = {("net", k): (found[0][k], found[1][k]) for k in ("0", "1")}
    tables = [
        apa.score_patterns(
            {k: v[i] for k, v in brain.items()},
            {k: v[i] for k, v in models.items()},
            method="spearman",
            distance="euclidean",
            split=split,
        )
        for i, split in enumerate(("train", "test"))
    ]
    tables.append(apa.score_patterns(brain, models, measure="reverse"))
    tables.append(
        apa.linear_predictivity(
            brain, models, references=["leave_one_out"], alphas=[1.0, 100.0], n_fold=4
        )
    )
    assert run.results["scores"].hash == apa.concat(*tables).hash
    assert set(run.results["bootstrap_score"].table["metric"]) == {
        "spearman",
        "reverse",
        "linear_predictivity",
    }
    assert verify_study(tmp_path / "out", allow_code=True) == []


def test_crossnobis_from_a_study_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    brain = {(s, r): rng.standard_normal((16, 6)) for s in ("a", "b", "c") for r in ("V1", "V2")}
    np.savez(tmp_path / "brain.npz", **{"/".join(k): v for k, v in brain.items()})
    stimuli, runs = [str(i % 8) for i in range(16)], ["one"] * 8 + ["two"] * 8
    np.save(tmp_path / "cov.npy", np.eye(8))
    (tmp_path / "study.toml").write_text(
        f"""
[inputs]
rois = ["V1", "V2"]
patterns = {{ path = "brain.npz", stimuli = {stimuli} }}
[rdms_from_patterns]
method = "crossnobis"
cv_descriptor = {runs}
[score]
method = "cosine_cov"
sigma_k = "cov.npy"
""".replace("'", '"')
    )
    run = apa.run_study(tmp_path / "study.toml", output=tmp_path / "out")
    rdms = apa.rdms_from_patterns(brain, method="crossnobis", stimuli=stimuli, cv_descriptor=runs)
    alone = apa.score(rdms, method="cosine_cov", sigma_k=np.eye(8))
    assert run.results["scores"].hash == alone.hash
    nili = apa.noise_ceiling(rdms, kind="nili", method="cosine_cov").table
    assert np.allclose(run.results["ceiling_nili"].table["estimate"], nili["estimate"])


SCORES = """
[study]
seed = 3
[inputs]
scores = "scores.csv"
[agreement]
run = false
[bootstrap]
n_resamples = 100
"""


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scores")
    study = apa.simulate(n_subject=6, n_model=3, n_tied=2, n_layer=2, rois=["V1", "V4"], rng=2)
    study.scores.frame.to_csv(folder / "scores.csv", index=False)
    return folder


def study(folder: Path, more: str) -> Path:
    path = folder / "study.toml"
    path.write_text(SCORES + more)
    return path


def test_verbs_on_arrays_and_verbs_without_data(scores: Path, tmp_path: Path) -> None:
    more = """
[[analysis]]
name = "pair"
verb = "tost"
[analysis.options]
x = { result = "selected", column = "score", where = { model = "model_01", roi = "V1" } }
y = { result = "selected", column = "score", where = { model = "model_02", roi = "V1" } }
bounds = 0.05
[[analysis]]
name = "needed"
verb = "power_tost"
options = { n = [10, 20], sd = 0.03, bounds = 0.02 }
[[analysis]]
name = "half_the_gap"
verb = "equivalence"
formula = "score ~ model | roi"
data = "selected"
options = { bounds = { value = 0.5, of = ["model_01", "model_03"] } }
"""
    run = apa.run_study(study(scores, more), output=tmp_path / "out")
    best = run.results["selected"].frame
    x, y = (
        best.loc[(best["model"] == m) & (best["roi"] == "V1"), "score"].to_numpy()
        for m in ("model_01", "model_02")
    )
    assert run.results["pair"].table.equals(apa.tost(x, y, bounds=0.05).table)
    assert list(run.results["needed"].table["n"]) == [10, 20]
    assert "difference between model_01 and model_03" in str(
        run.results["half_the_gap"].info.margin
    )


FITS = """
[[analysis]]
name = "fit"
verb = "lmm"
formula = "score ~ model + (1 | subject)"
data = "selected"
[[analysis]]
name = "components"
verb = "lmm"
formula = "score ~ model + (1 | subject)"
data = "selected"
then = [{ method = "variance_components" }]
[[analysis]]
name = "means"
title = "Means of the models"
verb = "emmeans"
data = "fit"
options = { specs = "model" }
[[analysis]]
name = "pairs"
verb = "emmeans"
data = "fit"
options = { specs = "model" }
then = [{ method = "pairs" }]
"""


def test_a_fit_is_there_for_later_entries_after_an_interruption(
    scores: Path, tmp_path: Path
) -> None:
    path = study(scores, FITS)
    whole = apa.run_study(path, output=tmp_path / "whole")
    assert "<h3>Means of the models</h3>" in re.sub(
        r"<h3[^>]*>", "<h3>", (tmp_path / "whole" / "report.html").read_text("utf-8")
    )
    assert {"group", "term"} & set(whole.results["components"].table.columns)

    def interrupt(step: str) -> None:
        if step == "pairs":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apa.run_study(path, output=tmp_path / "out", progress=interrupt)
    run = apa.run_study(path, output=tmp_path / "out")
    for name in ("fit", "means", "pairs", "components"):
        assert run.results[name].table.equals(whole.results[name].table), name


@pytest.mark.parametrize(
    ("more", "sets", "message"),
    [
        ("", ["bootstrap.interval=boot"], r"--set, bootstrap\.interval: got 'boot'; allowed: 'auto', .*"),
        ('[equivalence]\nbounds = 0.1\ntest = "z"', [], r"line 12, equivalence\.test: test: got 'z'; allowed: one of"),
        ('[score]\nmethod = "x"', ["inputs.patterns=brain.npz"], r"brain\.npz"),
        (FITS.replace("specs", "spec", 1), [], r"line 22, analysis\.2 \(means\)\.options: unknown option 'spec'"),
        (FITS.replace('name = "fit"', 'nam = "fit"', 1), [], r"line 12, analysis\.0\.nam: unknown key; allowed: name"),
        (FITS.replace('"pairs" }', '"save" }', 1), [], r"then\[0\]\.method: got 'save'; allowed here: compare_best"),
        (FITS, ["analysis.fit.verb=simulate"], r"analysis\.0 \(fit\)\.verb: got 'simulate'; allowed: "),
        (FITS, ["analysis.fitt.verb=lmm"], r"no entry 'fitt'; there are \['fit', 'components', 'means', 'pairs'\]"),
        (FITS, ["analysis.2.options={specs=\"x\"}"], r"analysis\.2 \(means\)\.options: "),
        ("[linear_predictivity]\nn_fold = 3", [], r"linear_predictivity without inputs\.patterns"),
        ("", ["inputs.networks.net.code=net.py"], r"inputs\.networks\.net\.code: got .*; allowed: FILE\.py:NAME"),
        ('[ceiling]\nkinds = ["repeat"]', [], r"split_half and repeat need inputs\.repeats"),
        ("[equivalence]\nbounds = { share = 0.1 }", [], r"line 11, equivalence\.bounds: a margin is"),
    ],
)  # fmt: skip
def test_mistakes_name_the_line_and_the_key(
    scores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, sets: list[str], message: str
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(apa.errors.ApaError, match=message):
        apa.run_study(study(scores, more), assignments=sets, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_paths_of_every_kind_of_input_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(
        """
[inputs]
rdms = { path = "a.npz", stimuli = ["x", "y"] }
models = "m.npz"
more_models.more = "n.npz"
patterns = "p"
repeats = "r.npz"
[inputs.networks.net]
code = "net.py:build"
layers = ["0"]
stimuli = "s.npy"
[score]
sigma_k = "k.npy"
[bootstrap]
workdir = "blocks"
"""
    )
    parsed, _ = parse_study(tmp_path / "study.toml", ["inputs.rdms=b.npz"])
    inputs = parsed.inputs
    assert inputs.rdms.path == str(Path.cwd() / "b.npz")
    assert inputs.rdms.stimuli == ["x", "y"]
    got = [inputs.models.path, inputs.more_models["more"].path, inputs.patterns.path]
    got += [inputs.repeats.path, inputs.networks["net"].code, inputs.networks["net"].stimuli]
    got += [parsed.score.sigma_k, parsed.bootstrap.workdir]
    names = ["m.npz", "n.npz", "p", "r.npz", "net.py:build", "s.npy", "k.npy", "blocks"]
    assert got == [str(tmp_path / n) for n in names]


def test_the_starter_shows_every_key_and_its_comments_are_valid(scores: Path) -> None:
    text = starter_text(scores / "scores.csv", full=True)
    for section, model in keys_of_study().items():
        if section in ("inputs.networks.NAME", "fitted.models.NAME", "analysis", "claims"):
            continue
        part = text.split(f"[{section}]\n")[1].split("\n[")[0].split("\n# [")[0]
        for key in model.model_fields:
            assert re.search(rf"^(# )?{key} = ", part, re.M), (section, key)
    # these need patterns, RDMs, or an item
    alone = (
        "score_patterns|linear_predictivity|rdms_from_patterns|fitted|leaderboard|unique_variance"
    )
    text = re.sub(rf"# \[({alone})\]\n(# .*\n)*", "", text)
    text = re.sub(
        r"^# (?!ROIs|Study|Run|The |Either|Further|Claims|bounds = [0{])", "", text, flags=re.M
    )
    lines = [line for line in text.splitlines() if not re.match(r"\w+ = \.\.\.", line)]
    text = "\n".join(lines).replace("[equivalence", "[equivalence", 1)
    text = re.sub(r"(\[equivalence(_agreement)?\]\n)", r"\1bounds = 0.1\n", text)
    parsed = StudyFile.model_validate(tomllib.loads(text))
    assert parsed.equivalence == parsed.equivalence_agreement
    assert parsed.analysis[0].verb == "equivalence_set"
    assert parsed.report == ReportSection()


def test_wrong_code_of_a_network(responses: Any, tmp_path: Path) -> None:
    folder, _ = responses
    (folder / "bad.toml").write_text(
        '[inputs]\npatterns = "brain.npz"\n[inputs.networks.n]\ncode = "network.py:absent"\n'
        'layers = ["0"]\nstimuli = "train.npy"\n'
    )
    with pytest.raises(apa.errors.ReadError, match="defines no function 'absent'"):
        apa.run_study(folder / "bad.toml", output=tmp_path / "out")
    sets = ["inputs.networks.n.options={image=2.0}"]
    sets.append(f"inputs.networks.n.code={folder / 'network.py:dim'}")
    with pytest.raises(StudyError, match="gave a float"):
        apa.run_study(folder / "bad.toml", assignments=sets, output=tmp_path / "out")


def test_rows_of_several_kinds_in_one_test(tmp_path: Path) -> None:
    """``kind = ["model", "leave_one_out"]``: people stand among the models, as the verb has it."""
    text = (
        '[study]\nname = "kinds"\n[inputs]\nscores = "s.csv"\n[equivalence]\nbounds = 0.1\n'
        'kind = ["model", "leave_one_out"]\n'
    )
    found = StudyFile.model_validate(tomllib.loads(text)).equivalence
    assert found is not None
    assert found.kind == ("model", "leave_one_out")
    scores = apa.simulate(n_subject=4, n_model=2, n_layer=1, rois=["V1", "V4"], rng=1).scores
    table = scores.where(split="test")
    people = table.frame
    own = people[(people["kind"] == "leave_one_out") & (people["layer"] == people["roi"])]
    both = table.with_frame(pd.concat([people[people["kind"] == "model"], own]))
    options = {"bounds": 0.1, "kind": found.kind}
    tested = apa.equivalence("score ~ model | roi", both, **options).table
    assert tested["contrast"].str.contains("others|brain").any()
