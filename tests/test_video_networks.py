"""The study of the video networks, from clips to the report, in short form."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import ReadError

SHORT = ("--train", "40", "--test", "24", "--seeds", "1")
STAGES = ("clips", "activations", "scores", "truth", "report")


@pytest.fixture(scope="module")
def code(repository: Path) -> ModuleType:
    folder = str(repository / "analyses" / "video_networks")
    sys.path.insert(0, folder)
    try:
        import run
    finally:
        sys.path.remove(folder)
    return run


@pytest.fixture(scope="module")
def out(code, tmp_path_factory) -> Path:
    return code.main([str(tmp_path_factory.mktemp("video") / "out"), *SHORT])


def test_from_clips_to_the_report(out: Path) -> None:
    report = (out / "report" / "study" / "report.html").read_text("utf-8")
    assert "Claims and verdicts" in report
    assert "another brain" in report
    assert "How often what was planted was found" in (out / "report" / "truth.html").read_text()
    verdicts = pd.read_csv(out / "report" / "verdicts.csv").set_index("claim")["verdict"]
    facts = {"best set", "motion", "agreement", "hyperalignment"}
    facts |= {"bare columns", "no noise", "further person"}
    assert set(verdicts.index) == facts | set("1234567")
    # motion is seen; the planted geometry is a person, to RSA; no untrained network is one
    for claim in ("1", "3", "5", "6"):
        assert verdicts[claim] == "supported", claim
    # to linear predictivity bare columns are one predictor in 19 scales, and a person is none such
    assert verdicts["bare columns"] == "supported"
    assert "refuted" not in set(verdicts[["further person", "7"]])
    assert "Why linear predictivity refutes claim 4" in (out / "report" / "truth.html").read_text(
        "utf-8"
    )
    scores = apa.read(out / "scores" / "scores.csv")
    assert scores.levels("metric") == ["corr", "linear_predictivity"]
    assert set(scores.levels("split")) == {"train", "test"}
    assert len(scores.levels("roi")) == 19
    assert len(scores.where(kind="model").levels("subject")) == 10
    assert scores.frame.groupby("model")["layer"].nunique()["planted geometry"] == 19
    best = pd.read_csv(out / "report" / "best.csv")
    assert len(best) == 19


def test_linear_predictivity_undoes_weights_of_features_without_noise(code, out: Path) -> None:
    """Bare columns are one predictor; without noise weights fade with the number of clips; with noise they stay."""
    spread = pd.read_csv(out / "scores" / "spread.csv").groupby("model")["sd"].mean()
    assert spread["bare columns"] < 1e-9
    assert spread["further person"] == pytest.approx(spread["brain"], rel=0.6)
    found = pd.read_csv(out / "scores" / "linear" / "table.csv").set_index("model")["estimate"]
    assert found["bare columns"] < -0.5
    assert abs(found["further person"]) < 0.2
    # three regions of the same six features in other weights, ten times the clips: only noise keeps them apart
    rng = np.random.default_rng(1)
    weights = {
        "A": [3, 3, 1, 1, 0.3, 0.3],
        "B": [0.3, 0.3, 3, 3, 1, 1],
        "C": [1, 1, 0.3, 0.3, 3, 3],
    }
    apart = {}
    for n in (40, 400):
        latent = rng.standard_normal((n + 100, 6))
        region = {k: latent * w for k, w in weights.items()}
        target = {("s", k): x @ rng.standard_normal((6, 30)) for k, x in region.items()}
        target = {k: x + 3 * rng.standard_normal(x.shape) for k, x in target.items()}
        for noise in (0.0, 3.0):
            units = {(f"m{k}", "1"): x @ rng.standard_normal((6, 60)) for k, x in region.items()}
            units = {k: x + noise * rng.standard_normal(x.shape) for k, x in units.items()}
            table = apa.linear_predictivity(
                *({k: (x[:n], x[n:]) for k, x in d.items()} for d in (target, units))
            )
            f = table.where(split="test").frame
            apart[n, noise] = f.groupby("roi", observed=True)["score"].std(ddof=0).mean()
    assert apart[400, 0.0] < apart[40, 0.0] / 3
    assert apart[400, 3.0] > 5 * apart[400, 0.0]
    # RSA keeps the scales: the RDMs of mixed columns are nearly those of the columns
    x = np.random.default_rng(1).standard_normal((30, 13)) * np.linspace(0.2, 2, 13)
    units = code.brains.geometry({"V1": x}, 20, 1, n_unit=20_000)["V1"][0]
    cosine = (x[:20] @ x[:20].T) / np.outer(*2 * [np.linalg.norm(x[:20], axis=1)])
    np.testing.assert_allclose(np.corrcoef(units), cosine, atol=0.05)


def keys(out: Path) -> dict[str, str]:
    return {s: (out / s / "key").read_text() for s in STAGES}


def test_stages_are_used_again_only_where_nothing_changed(
    code, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keys(out)
    code.main([str(out), *SHORT])
    assert "made anew: []" in capsys.readouterr().out
    (out / "scores.part").mkdir()  # left by a kill
    (out / "scores" / "key").unlink()
    code.main([str(out), *SHORT])
    assert "made anew: ['scores']" in capsys.readouterr().out
    assert keys(out) == before
    code.main([str(out), *SHORT[:-1], "2", "--no-report"])
    assert "made anew: ['truth']" in capsys.readouterr().out
    after = keys(out)
    assert [s for s in STAGES if after[s] != before[s]] == ["truth"]


def test_other_code_or_text_makes_a_stage_anew(code, tmp_path: Path) -> None:
    stages = code.Stages(tmp_path)

    def make(folder: Path) -> None:
        (folder / "made").write_text("x")

    stages.run("a", make, [], "one text")
    stages.run("b", make, [tmp_path / "a"], code.clips)
    stages.run("a", make, [], "one text")
    assert stages.made == ["a", "b"]
    stages.run("a", make, [], "another text")
    stages.run("b", make, [tmp_path / "a"], code.clips)  # what it reads is another
    stages.run("b", make, [tmp_path / "a"], code.brains)
    assert stages.made == ["a", "b", "a", "b", "b"]


def test_a_killed_run_goes_on_where_it_was(repository: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle of the scores: what was finished is kept, the half stage is made again."""
    script = repository / "analyses" / "video_networks" / "run.py"
    command = [sys.executable, str(script), str(tmp_path / "out"), *SHORT, "--no-report"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        waited = time.monotonic()
        while not (tmp_path / "out" / "scores.part").exists():
            assert process.poll() is None
            assert time.monotonic() - waited < 120
            time.sleep(0.02)
        process.kill()
        process.wait()
    assert not (tmp_path / "out" / "scores").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "made anew: ['scores', 'truth']" in done.stdout


def test_what_is_blind_to_motion_cannot_tell_directions(code) -> None:
    """Two directions of drift: alike for what sees frames, apart for what sees motion."""
    rng = np.random.default_rng(1)
    latent = {k: v[:1].repeat(16, axis=0) for k, v in code.clips.latents(1, rng).items()}
    latent["direction"] = np.tile([-1.0, 1.0], 8)
    latent["speed"] = np.full(16, 0.2)
    shown = code.clips.render(latent, rng)
    for name, network in code.networks.networks(0).items():
        x = apa.activations(
            network.make(),
            shown,
            network.layers,
            frames=network.frames,
            frame_axis=network.frame_axis,
        )[network.layers[-1]]
        way = latent["direction"]
        between = np.linalg.norm(x[way > 0].mean(axis=0) - x[way < 0].mean(axis=0))
        within = np.sqrt(x[way > 0].var(axis=0, ddof=1).sum() / 4)
        if name == "motion_energy":
            assert between > 3 * within
        elif not network.sees_motion:
            assert between < 2 * within, name


def test_frames_and_films_are_clips(code, tmp_path: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(1)
    shown = code.clips.render(code.clips.latents(2, rng), rng)
    for k, clip in enumerate(shown):
        place = tmp_path / f"clip_{k}"
        place.mkdir()
        for t, frame in enumerate(clip):
            pixels = np.round(255 * frame.transpose(1, 2, 0)).astype(np.uint8)
            Image.fromarray(pixels).save(place / f"{t:03d}.png")
    found = code.clips.read_clips(tmp_path)
    np.testing.assert_allclose(found, shown, atol=0.5 / 255 + 1e-6)
    with pytest.raises(ReadError, match="12 frames; 20 are needed"):
        code.clips.read_clips(tmp_path, seconds=5)
    with pytest.raises(ReadError, match="no mp4 files"):
        code.clips.read_clips(tmp_path / "clip_0")


def test_films_are_read_at_the_frames_asked_for(code, tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as film:
        stream = film.add_stream("mpeg4", rate=8)
        stream.width = stream.height = 32
        for k in range(24):
            level = np.full((32, 32, 3), 10 * k, dtype=np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(level, format="rgb24")))
        film.mux(stream.encode())
    found = code.clips.read_clips(tmp_path)  # 4 a second of 8
    assert found.shape == (1, 12, 3, 32, 32)
    np.testing.assert_allclose(found[0].mean(axis=(1, 2, 3)) * 255, 20 * np.arange(12), atol=6)


def test_shares_of_found_facts(code) -> None:
    made = {"best_set": True, "motion": [True] * 39 + [False], "agreement": True}
    found = code.shares(pd.DataFrame(made, index=range(40)))
    assert found["estimate"].tolist() == [1.0, 0.975, 1.0]
    assert found.loc[0, "conf_low"] == pytest.approx(0.025 ** (1 / 40))  # Clopper and Pearson
