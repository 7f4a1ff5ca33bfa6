"""Activations of torch networks."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import apastats as apa
from apastats.errors import (
    ApaError,
    DataError,
    InputError,
    MissingExtraError,
    OutputExistsError,
    ReadError,
)
from apastats.scoring.activations import projection_size, sparse_projection

torch = pytest.importorskip("torch")


@pytest.fixture
def net() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Dropout(0.5),
    )


@pytest.fixture
def stimuli() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((7, 3, 8, 8)).astype("f4")


def test_features_are_the_layers_outputs(
    tmp_path: Path, net: torch.nn.Module, stimuli: np.ndarray
) -> None:
    net.train()
    found = apa.activations(net, ["0", "2", "4"], stimuli, folder=tmp_path / "a", batch_size=3)
    assert net.training
    net.eval()
    with torch.no_grad():
        expected = net[:1](torch.as_tensor(stimuli)).flatten(1).numpy()
        last = net(torch.as_tensor(stimuli)).numpy()
    np.testing.assert_allclose(found["0"], expected, atol=1e-6)
    np.testing.assert_allclose(found["4"], last, atol=1e-6)
    assert isinstance(found["0"], np.memmap)
    assert (len(found), found.n_stimulus) == (3, 7)
    assert not list((tmp_path / "a").glob("*.part"))


@pytest.mark.parametrize("batch_size", [1, 2, 7, 50])
def test_batches_do_not_change_the_features(
    tmp_path: Path, net: torch.nn.Module, stimuli: np.ndarray, batch_size: int
) -> None:
    whole = apa.activations(net, ["2"], stimuli, folder=tmp_path / "whole", batch_size=7)
    part = apa.activations(
        net, ["2"], (s for s in stimuli), folder=tmp_path / "part", batch_size=batch_size
    )
    np.testing.assert_allclose(part["2"], whole["2"], atol=1e-6)


def test_clips_are_averaged_over_frames(tmp_path: Path, net: torch.nn.Module) -> None:
    rng = np.random.default_rng(1)
    clips = [rng.standard_normal((k, 3, 8, 8)).astype("f4") for k in (2, 5, 3)]
    found = apa.activations(net, ["2"], clips, folder=tmp_path / "a", batch_size=2, frames="each")
    net.eval()
    with torch.no_grad():
        expected = [net[:3](torch.as_tensor(c)).flatten(1).mean(0).numpy() for c in clips]
    np.testing.assert_allclose(found["2"], expected, atol=1e-6)
    video = torch.nn.Sequential(torch.nn.Conv3d(4, 2, (3, 3, 3)))
    clip = rng.standard_normal((3, 4, 3, 8, 8)).astype("f4")
    whole = apa.activations(video, ["0"], clip, folder=tmp_path / "b", frames="clip")
    with torch.no_grad():
        np.testing.assert_allclose(whole["0"], video(torch.as_tensor(clip)).flatten(1), atol=1e-6)


def test_projection(tmp_path: Path, net: torch.nn.Module, stimuli: np.ndarray) -> None:
    whole = apa.activations(net, ["0"], stimuli, folder=tmp_path / "whole")["0"]
    small = apa.activations(net, ["0"], stimuli, folder=tmp_path / "small", project=20, seed=5)["0"]
    matrix = sparse_projection(whole.shape[1], 20, 5)
    assert small.shape == (7, 20)
    np.testing.assert_allclose(small, whole @ matrix.toarray().T, atol=1e-5)
    same = apa.activations(net, ["0"], stimuli, folder=tmp_path / "same", project=10_000)["0"]
    np.testing.assert_array_equal(same, whole)
    assert projection_size(998, 0.1) == 5919
    with pytest.raises(InputError, match="eps"):
        projection_size(10, 2.0)


def test_bad_input(tmp_path: Path, net: torch.nn.Module, stimuli: np.ndarray) -> None:
    cases = [
        ({"layers": ["9"]}, InputError, "layers: got '9'; allowed: names of submodules"),
        ({"layers": []}, InputError, "layers: .*at least 1"),
        ({"layers": ["0", "0"]}, InputError, "distinct names"),
        ({"batch_size": 0}, InputError, "batch_size: got 0"),
        ({"project": 0}, InputError, "project: got 0"),
        ({"frames": "all"}, InputError, "frames: got 'all'"),
        ({"frames": "each"}, InputError, "4 dimensions with frames='each'"),
        ({"stimuli": []}, InputError, "at least one stimulus"),
        ({"stimuli": [stimuli[0], stimuli[0, :, :5]]}, InputError, "all of one shape"),
    ]
    for k, (change, error, message) in enumerate(cases):
        arguments = {"layers": ["0"], "stimuli": stimuli, "folder": tmp_path / f"bad{k}"} | change
        with pytest.raises(error, match=message):
            apa.activations(net, **arguments)
    apa.activations(net, ["0"], stimuli, folder=tmp_path / "there")
    with pytest.raises(OutputExistsError, match="exists and is kept"):
        apa.activations(net, ["0"], stimuli, folder=tmp_path / "there")
    found = apa.activations(net, ["0"], stimuli, folder=tmp_path / "there", overwrite=True)
    with pytest.raises(InputError, match="layer: got '1'"):
        found["1"]


class Twice(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = torch.nn.ReLU(), torch.nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.used(self.used(x))


def test_layers_that_cannot_be_read(tmp_path: Path, stimuli: np.ndarray) -> None:
    with pytest.raises(DataError, match="layer 'used' was reached several times in one pass"):
        apa.activations(Twice(), ["used"], stimuli, folder=tmp_path / "a")
    with pytest.raises(DataError, match="layer 'unused' was not reached"):
        apa.activations(Twice(), ["unused"], stimuli, folder=tmp_path / "b")


def test_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match="torch"):
        apa.activations(object(), ["a"], [], folder=tmp_path / "a")


def test_the_example_finds_the_layer_of_each_region(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = repository / "analyses" / "untrained_network" / "run.py"
    spec = importlib.util.spec_from_file_location("untrained_network", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.main([str(tmp_path / "out"), "--n-stimulus", "40"])
    table = found.tidy()
    best = table.loc[table.groupby("roi")["estimate"].idxmax()].set_index("roi")["layer"]
    assert best.to_dict() == module.TRUTH
    assert "ceiling_upper" in capsys.readouterr().out


def test_convolutions_run_in_full_precision(tmp_path: Path, stimuli: np.ndarray) -> None:
    seen = []

    class Watching(torch.nn.Identity):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(torch.backends.cudnn.allow_tf32)
            return x

    before = torch.backends.cudnn.allow_tf32
    apa.activations(torch.nn.Sequential(Watching()), ["0"], stimuli, folder=tmp_path / "a")
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32 == before


def test_hooks_see_a_layer_before_the_next_one_works_in_place(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.rand(4, 3, 8, 8)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(inplace=True))
    with torch.no_grad():
        expected = net[0](x).flatten(1).numpy()
    assert expected.min() < 0
    found = apa.activations(net, ["0", "1"], x, folder=tmp_path / "a")
    np.testing.assert_allclose(found["0"], expected, atol=1e-6)
    np.testing.assert_allclose(found["1"], np.maximum(expected, 0), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("given", ["f8", "f4", "u1"])
def test_stimuli_are_converted_to_the_type_of_the_model(
    tmp_path: Path, stimuli: np.ndarray, dtype: torch.dtype, given: str
) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)).to(dtype)
    x = np.round(np.abs(stimuli) * 10).astype(given)
    found = apa.activations(net, ["0"], x, folder=tmp_path / "a")
    with torch.no_grad():
        expected = net(torch.as_tensor(x).to(dtype)).flatten(1).float().numpy()
    np.testing.assert_allclose(found["0"], expected, rtol=1e-5, atol=1e-5)


def test_a_failed_call_leaves_nothing_behind(tmp_path: Path, stimuli: np.ndarray) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)).train()

    def broken() -> object:
        yield stimuli[0]
        yield stimuli[1]
        raise OSError("no such file")

    with pytest.raises(OSError, match="no such file"):
        apa.activations(net, ["0"], broken(), folder=tmp_path / "a", batch_size=1)
    assert net.training
    assert not (tmp_path / "a").exists()
    assert not net[0]._forward_hooks
    whole = np.array(apa.activations(net, ["0"], stimuli, folder=tmp_path / "a")["0"])
    with pytest.raises(OSError, match="no such file"):
        apa.activations(net, ["0"], broken(), folder=tmp_path / "a", batch_size=1, overwrite=True)
    np.testing.assert_array_equal(apa.Activations.open(tmp_path / "a")["0"], whole)
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["index.json", "layer_000.npy"]


@pytest.mark.parametrize("made", [False, True])
@pytest.mark.parametrize(
    "wrong",
    ["missing", "missing/one.png", 5, [None], [], ["missing.png"], np.zeros((2, 9)), np.zeros((2, 8, 8, 3)), iter(())],
    ids=[
        *("missing", "missing file", "number", "none", "empty list", "missing in a list", "flat"),
        *("colours last", "empty iterator"),
    ],
)  # fmt: skip
def test_no_refused_stimuli_leave_anything_behind(
    tmp_path: Path, stimuli: np.ndarray, wrong: object, made: bool
) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
    if made:
        apa.activations(net, ["0"], stimuli, folder=tmp_path / "a")
    before = {p.name: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(ApaError):
        apa.activations(net, ["0"], wrong, folder=tmp_path / "a", overwrite=made)
    assert {p.name: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert (tmp_path / "a").exists() == made


def test_images_with_their_colours_last_are_told_how_to_turn() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
    images = np.zeros((2, 8, 9, 3), "f4")
    with pytest.raises(InputError, match=r"looks like the colours") as told:
        apa.activations(net, images, ["0"])
    order = re.search(r"transpose\(([\d, ]+)\)", str(told.value))
    assert order is not None
    turned = images.transpose(*map(int, order[1].split(",")))
    assert apa.activations(net, turned, ["0"])["0"].shape == (2, 4 * 6 * 7)


def test_activations_are_opened_again(tmp_path: Path, stimuli: np.ndarray) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    made = apa.activations(net, ["1", "0"], stimuli, folder=tmp_path / "a")
    again = apa.Activations.open(tmp_path / "a")
    assert again.layers == ("1", "0")
    assert again.n_stimulus == len(stimuli)
    np.testing.assert_array_equal(again["0"], made["0"])
    with pytest.raises(ReadError, match="no index of activations"):
        apa.Activations.open(tmp_path)


def test_nan_activations_are_refused(tmp_path: Path, stimuli: np.ndarray) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
    broken = stimuli.copy()
    broken[5] = np.nan
    with pytest.raises(
        DataError, match="layer '0' puts out NaN or infinite values, from stimulus 4"
    ):
        apa.activations(net, ["0"], broken, folder=tmp_path / "a", batch_size=2)


def test_time_average_of_clips_that_go_through_whole(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv3d(3, 4, 3, padding=1), torch.nn.AdaptiveAvgPool3d(1), torch.nn.Flatten()
    )
    clips = torch.rand(3, 5, 3, 6, 6)  # [stimulus, frame, channel, height, width]
    options = {"frames": "clip", "transform": lambda c: c.transpose(0, 1)}
    found = apa.activations(net, ["0", "2"], clips, folder=tmp_path / "a", frame_axis=2, **options)
    with torch.no_grad():
        expected = net[0](clips.transpose(1, 2)).mean(2).flatten(1).numpy()
        pooled = net(clips.transpose(1, 2)).numpy()
    np.testing.assert_allclose(found["0"], expected, atol=1e-6)
    np.testing.assert_allclose(found["2"], pooled, atol=1e-6)  # it has no such axis
    whole = apa.activations(net, ["0"], clips, folder=tmp_path / "b", **options)
    assert whole["0"].shape == (3, 4 * 5 * 6 * 6)
    for bad in ({"frame_axis": 2}, {"frame_axis": 0, "frames": "clip"}):
        with pytest.raises(InputError, match="frame_axis"):
            apa.activations(net, ["0"], clips, folder=tmp_path / "c", **bad)
