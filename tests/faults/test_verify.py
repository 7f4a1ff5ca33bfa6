"""``verify`` of forged folders: each forged digit or word is caught, and named."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import ApaError, ReproducibilityWarning, StudyError
from apastats.folders import MARKER, files, seal
from apastats.studies import verify_study as module
from apastats.studies.verify_study import verify_study

STUDY = """
[study]
name = "small"
seed = 3
[inputs]
scores = "scores.csv"
[bootstrap]
n_resamples = 200
interval = "percentile"
[equivalence]
bounds = 0.05
[report]
formats = ["html", "md", "tex"]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("study")
    study = apa.simulate(
        n_subject=5, n_model=3, n_tied=2, n_layer=1, rois=["V1", "V3", "V4"], rng=2
    )
    study.scores.frame.to_csv(base / "scores.csv", index=False)
    (base / "study.toml").write_text(STUDY)
    apa.run_study(base / "study.toml", output=base / "out", assignments=["report.max_rows=40"])
    return base / "out"


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture(scope="module")
def again(made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, list[str]]:
    """What ``verify`` makes again of the honest folder: files, results, warnings."""
    kept: dict = {}
    target = tmp_path_factory.mktemp("again") / "out"
    run, write = module.Pipeline.run, module.write_folder

    def note(self: module.Pipeline, scores: object = None) -> dict[str, object]:
        kept.update(results=run(self, scores), messages=list(self.store.messages))
        return kept["results"]

    def copy(part: Path, *args: object) -> None:
        write(part, *args)
        shutil.copytree(part, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.Pipeline, "run", note)
        patch.setattr(module, "write_folder", copy)
        assert verify_study(made) == []
    return target, kept["results"], kept["messages"]


@pytest.fixture
def made_again_once(again, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made again is the same for every forgery of an output: it is made once."""
    target, results, messages = again

    def run(self: module.Pipeline, scores: object = None) -> dict[str, object]:
        self.store.messages += messages
        return results

    def write(part: Path, *_: object) -> None:
        shutil.copytree(target, part, dirs_exist_ok=True)

    monkeypatch.setattr(module.Pipeline, "run", run)
    monkeypatch.setattr(module, "write_folder", write)


def other_digit(text: str, pattern: str = r"\d\.\d+") -> str:
    """The text with the last digit of its last number changed."""
    at = list(re.finditer(pattern, text))[-1].end() - 1
    return text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]


def texts(change: Callable[[str], str]) -> Callable[[Path], None]:
    def forge(path: Path) -> None:
        before = path.read_text("utf-8")
        after = change(before)
        assert after != before
        path.write_text(after, "utf-8")

    return forge


def meta(*keys: str, value: object) -> Callable[[Path], None]:
    def forge(path: Path) -> None:
        content = json.loads(path.read_text("utf-8"))
        place = content
        for key in keys[:-1]:
            place = place[key]
        assert place[keys[-1]] != value
        place[keys[-1]] = value
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False), "utf-8")

    return forge


def cell(column: str, value: object) -> Callable[[Path], None]:
    def forge(path: Path) -> None:
        frame = pd.read_parquet(path)
        row = frame.index[0]
        frame.loc[row, column] = np.nextafter(frame.loc[row, column], 9) if value is None else value
        frame.to_parquet(path, index=False)

    return forge


EQUIVALENCE = "results/equivalence_score"
FORGERIES = {
    "digit of a table that is cited": ("tables/equivalence_score.csv", texts(other_digit), "row"),
    "decision of a table": (
        "tables/equivalence_score.csv",
        texts(lambda t: re.sub("undecided|equivalent|different", "forged", t, count=1)),
        "decision",
    ),
    "digit of a result's csv": (f"{EQUIVALENCE}/table.csv", texts(other_digit), "row"),
    "last bit of a result": (f"{EQUIVALENCE}/table.parquet", cell("estimate", None), "estimate"),
    "decision of a result": (f"{EQUIVALENCE}/table.parquet", cell("decision", "x"), "decision"),
    "digit of a score": ("results/scores.parquet", cell("score", None), "score"),
    "margin": (
        f"{EQUIVALENCE}/result.json",
        meta("info", "margin", "size", value="±0.5"),
        "info.margin",
    ),
    "notes": (f"{EQUIVALENCE}/result.json", meta("notes", value=["fine"]), "notes"),
    "words": (f"{EQUIVALENCE}/result.json", meta("info", "method", value="a"), "info.method"),
    "seed": ("results/bootstrap_score/result.json", meta("provenance", "seed", value="9"), "seed"),
    "data hash": (
        f"{EQUIVALENCE}/result.json",
        meta("provenance", "data_hash", value="0" * 16),
        "data_hash",
    ),
    "versions of a result": (
        f"{EQUIVALENCE}/result.json",
        meta("provenance", "versions", "numpy", value="9.9"),
        "versions.numpy",
    ),
    "versions of the run": ("run.json", meta("versions", "numpy", value="9.9"), "numpy is 9.9"),
    "warnings of the run": ("run.json", meta("warnings", value=[]), "warnings"),
    "a result dropped from the run": ("run.json", meta("results", value=["design"]), "results"),
    "python of the run": ("run.json", meta("machine", "python", value="3.9"), "python is 3.9"),
    "seed in the copy of the study": (
        "study.toml",
        texts(lambda t: t.replace("seed = 3", "seed = 4")),
        "study.seed is 4, and the study was run with 3",
    ),
    "margin in the copy of the study": (
        "study.toml",
        texts(lambda t: t.replace("bounds = 0.05", "bounds = 0.5")),
        "equivalence.bounds is 0.5",
    ),
    "digit of the report": ("report.html", texts(lambda t: t.replace("0.05", "0.06", 1)), "0.06"),
    "word of the report": (
        "report.html",
        texts(lambda t: t.replace("Holm", "Hochberg")),
        "Hochberg",
    ),
    "word of the Markdown": ("report.md", texts(lambda t: t.replace("Holm", "Sidak")), "Sidak"),
    "digit of the LaTeX": ("report.tex", texts(lambda t: t.replace("0.05", "0.01", 1)), "0.01"),
    "year of a reference": ("references.bib", texts(lambda t: t.replace("20", "19", 1)), "19"),
    "a line of a figure": (
        "figures/equivalence-score.svg",
        texts(lambda t: re.sub(r'd="M ?(\d)', r'd="M1\1', t, count=1)),
        "figures",
    ),
    "figures of the report": (
        "report.html",
        texts(lambda t: re.sub(r"<svg.*?</svg>", "", t, flags=re.DOTALL)),
        "report.html",
    ),
    "numbers of a figure": ("figures/equivalence-score.csv", texts(other_digit), "row"),
    "when it was made": (
        f"{EQUIVALENCE}/result.json",
        meta("provenance", "created", value="1999-01-01T00:00:00+00:00"),
        "created",
    ),
}
# with the list of hashes forged too; only the time is known to that list alone
UNPROVABLE = {"when it was made"}


def test_an_honest_folder_is_the_same(folder: Path) -> None:
    assert verify_study(folder) == []


@pytest.mark.usefixtures("made_again_once")
@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_caught_and_named(folder: Path, name: str) -> None:
    path, forge, word = FORGERIES[name]
    forge(folder / path)
    if name not in UNPROVABLE:
        seal(folder)
    found = [f"{d.result}: {d.what}" for d in verify_study(folder)]
    assert any(word in line for line in found), found
    assert any(path in line for line in found), found


@pytest.mark.usefixtures("made_again_once")
@pytest.mark.parametrize(
    "gone", ["tables/scores.csv", "figures/equivalence-score.svg", f"{EQUIVALENCE}/table.csv"]
)
def test_what_is_missing_is_named(folder: Path, gone: str) -> None:
    (folder / gone).unlink()
    seal(folder)
    assert [(d.result, d.what) for d in verify_study(folder)] == [(gone, "is missing")]


@pytest.mark.usefixtures("made_again_once")
def test_what_was_added_is_named(folder: Path) -> None:
    (folder / "figures" / "better.svg").write_text("<svg/>")
    seal(folder)
    found = verify_study(folder)
    assert [(d.result, d.what) for d in found] == [
        ("figures/better.svg", "is not a file of the run")
    ]


@pytest.mark.usefixtures("made_again_once")
def test_an_empty_folder_that_was_added_is_named(folder: Path) -> None:
    (folder / "figures" / "more").mkdir()
    found = verify_study(folder)
    assert [(d.result, d.what) for d in found] == [("figures/more/", "is not a folder of the run")]


@pytest.mark.usefixtures("made_again_once")
def test_a_flipped_byte_of_any_file_is_noticed(folder: Path, long: bool) -> None:
    draw = random.Random(5)
    for name in [*files(folder), MARKER]:
        path = folder / name
        content = path.read_bytes()
        for _ in range(40 if long else 1):
            at, bit = draw.randrange(len(content)), 1 << draw.randrange(8)
            path.write_bytes(content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :])
            try:
                found = " ".join(f"{d.result}: {d.what}" for d in verify_study(folder))
            except ApaError as error:
                found = str(error)
            assert found, (name, at, bit)
        path.write_bytes(content)


@pytest.mark.usefixtures("made_again_once")
def test_rendered_again_it_is_still_the_same(folder: Path) -> None:
    from apastats.studies.run_study import render_again

    render_again(folder)
    assert verify_study(folder) == []


@pytest.mark.usefixtures("made_again_once")
def test_a_tolerance_forgives_digits_and_no_words(folder: Path) -> None:
    path = folder / EQUIVALENCE / "table.parquet"
    frame = pd.read_parquet(path)
    frame["estimate"] *= 1 + 1e-11
    frame.to_parquet(path, index=False)
    assert any("estimate" in d.what for d in verify_study(folder))
    seal(folder)
    assert verify_study(folder, tolerance=1e-9) == []
    assert any("estimate" in d.what for d in verify_study(folder, tolerance=1e-12))
    texts(lambda t: t.replace("Holm", "Sidak"))(folder / "report.html")
    seal(folder)
    assert any("Sidak" in d.what for d in verify_study(folder, tolerance=1e-9))
    for wrong in (0, -1, float("nan"), 1, "small"):
        with pytest.raises(ApaError, match="tolerance"):
            verify_study(folder, tolerance=wrong)


@pytest.mark.usefixtures("made_again_once")
def test_on_another_kernel_printed_digits_are_compared_and_it_says_so(folder: Path) -> None:
    meta("machine", "kernel", value="openblas Other")(folder / "run.json")
    seal(folder)
    with pytest.warns(ReproducibilityWarning, match="kernel is openblas Other, here .*printed"):
        assert verify_study(folder) == []
    frame = pd.read_parquet(folder / EQUIVALENCE / "table.parquet")
    frame["estimate"] *= 1 + 1e-10
    frame.to_parquet(folder / EQUIVALENCE / "table.parquet", index=False)
    texts(lambda t: t.replace("0.05", "0.06", 1))(folder / "report.html")
    seal(folder)
    with pytest.warns(ReproducibilityWarning):
        found = verify_study(folder)
    assert [d.result for d in found] == ["report.html"]


CODE = """
[study]
name = "code"
seed = 1
[inputs]
patterns = "patterns.npz"
[inputs.networks.net]
code = "{code}:make"
layers = ["0"]
stimuli = "stimuli.npy"
"""


def test_code_named_in_a_folder_is_run_only_on_request(folder: Path, tmp_path: Path) -> None:
    code = tmp_path / "evil.py"
    code.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef make(): return None\n")
    network = {"code": f"{code}:make", "layers": ["0"], "stimuli": str(tmp_path / "s.npy")}
    run = json.loads((folder / "run.json").read_text())
    run["study"]["inputs"]["networks"] = {"net": network}
    run["study"]["inputs"]["patterns"] = {"path": str(tmp_path / "p.npz")}
    (folder / "run.json").write_text(json.dumps(run))
    np.savez(tmp_path / "p.npz", **{"s1/V1": np.eye(4), "s2/V1": np.eye(4)})
    with pytest.raises(StudyError, match=rf"{code}:make.*--allow-code"):
        verify_study(folder)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(ApaError):
        verify_study(folder, allow_code=True)
    assert (tmp_path / "ran").exists()


def test_run_shows_the_path_of_code_first(tmp_path: Path) -> None:
    code = tmp_path / "net.py"
    code.write_text("import sys\nsys.stderr.write('NOW\\n')\ndef make(): return None\n")
    (tmp_path / "study.toml").write_text(CODE.format(code="net.py"))
    np.savez(tmp_path / "patterns.npz", **{"s1/V1": np.eye(4), "s2/V1": np.eye(4)})
    command = [sys.executable, "-m", "apastats", "run", "study.toml", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.index(f"{code}:make") < done.stderr.index("NOW")
