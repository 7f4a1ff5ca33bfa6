"""Activations from what people have: folders, paths, pictures, DataLoaders, tokens; layers of several outputs."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import apastats as apa
from apastats.errors import ApaError, DataError, InputError, ReadError

torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def net() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten())


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k in (2, 0, 1):
        Image.fromarray(rng.integers(256, size=(8, 8, 3), dtype="u1")).save(folder / f"img_{k}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


def as_arrays(folder: Path) -> np.ndarray:
    files = sorted(folder.glob("*.png"))
    return np.stack([np.moveaxis(np.asarray(Image.open(f), "f4") / 255, -1, 0) for f in files])


def test_sources_of_pictures_agree(net: Any, pictures: Path) -> None:
    x = as_arrays(pictures)
    truth = apa.activations(net, x, ["0", "2"])
    files = sorted(pictures.glob("*.png"))
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.from_numpy(x), torch.arange(3)), batch_size=2
    )
    sources = [
        pictures,
        str(pictures),
        files,
        list(map(str, files)),
        [Image.open(f) for f in files],
        loader,
    ]
    for source in [*sources, list(x), torch.from_numpy(x), (a for a in x)]:
        found = apa.activations(net, source, ["0", "2"], batch_size=2)
        for layer in ("0", "2"):
            np.testing.assert_allclose(found[layer], truth[layer], atol=1e-6)
    by_path = apa.activations(net, pictures, ["0"])
    assert by_path.stimuli == ("img_0.png", "img_1.png", "img_2.png")
    grey = [Image.open(f).convert("L") for f in files]
    assert apa.activations(net, grey, ["0"])["0"].shape == truth["0"].shape


def test_both_orders_of_arguments(net: Any) -> None:
    x = torch.rand(3, 3, 8, 8)
    one, two = apa.activations(net, x, ["0"]), apa.activations(net, ["0"], x)
    three = apa.activations(model=net, layers=["0"], stimuli=x)
    np.testing.assert_array_equal(one["0"], two["0"])
    np.testing.assert_array_equal(one["0"], three["0"])
    with pytest.raises(InputError, match="layers: got 'nothing'"):
        apa.activations(net, x, ["nothing"])


def test_the_result_is_a_mapping_and_goes_on(net: Any, pictures: Path, tmp_path: Path) -> None:
    found = apa.activations(net, pictures, ["0", "2"], folder=tmp_path / "resnet")
    assert list(found) == ["0", "2"]
    assert dict(found)["2"].shape == (3, 144)
    again = apa.Activations.open(tmp_path / "resnet")
    assert again.stimuli == found.stimuli
    rdms = apa.rdms_from_patterns(found)
    assert rdms.labels.to_dict("list") == {"model": ["resnet"] * 2, "layer": ["0", "2"]}
    assert rdms.stimuli == found.stimuli
    np.testing.assert_allclose(
        rdms.vectors[0], apa.rdms_from_patterns({("resnet", "0"): found["0"]}).vectors[0]
    )


def test_temporary_files_go_with_the_result(net: Any) -> None:
    found = apa.activations(net, torch.rand(3, 3, 8, 8), ["0"])
    folder = found.folder
    assert folder.is_dir()
    del found
    assert not folder.parent.exists()


def test_read_only_arrays_give_no_warning(net: Any) -> None:
    x = np.random.default_rng(0).random((3, 3, 8, 8), dtype="f4")
    x.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        apa.activations(net, x, ["0"])


class Tagger(torch.nn.Module):
    """Tokens to features; layers put out tuples and named elements."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.embed = torch.nn.Embedding(20, 6)
        self.lstm = torch.nn.LSTM(6, 5, batch_first=True)
        self.attend = torch.nn.MultiheadAttention(5, 1, batch_first=True)
        self.named = Named()

    def forward(self, tokens: Any) -> Any:
        out, _ = self.lstm(self.embed(tokens))
        out, _ = self.attend(out, out, out)
        return self.named(out)


class Named(torch.nn.Module):
    def forward(self, x: Any) -> dict[str, Any]:
        return {"last_hidden_state": x * 2, "pooled": x.mean(1)}


def test_tokens_and_elements_of_outputs() -> None:
    net = Tagger().eval()
    tokens = torch.randint(20, (4, 7), generator=torch.Generator().manual_seed(0))
    element = {"lstm": 0, "attend": 0, "named": "pooled"}
    found = apa.activations(net, tokens, ["embed", *element], element=element, batch_size=3)
    with torch.no_grad():
        embedded = net.embed(tokens)
        recurrent = net.lstm(embedded)[0]
        attended = net.attend(recurrent, recurrent, recurrent)[0]
    truth = {"embed": embedded, "lstm": recurrent, "attend": attended, "named": attended.mean(1)}
    for layer, value in truth.items():
        np.testing.assert_allclose(found[layer], value.flatten(1).numpy(), atol=1e-6)
    with pytest.raises(DataError, match=r"choose by element=\{'lstm': 0\}"):
        apa.activations(net, tokens, ["lstm"])
    with pytest.raises(DataError, match=r"'last_hidden_state': .*choose by element="):
        apa.activations(net, tokens, ["named"], element="nothing")
    assert apa.activations(net, tokens.numpy(), ["named"], element="pooled")["named"].shape == (
        4,
        5,
    )


@pytest.mark.parametrize(
    ("stimuli", "error", "message"),
    [
        ("nowhere", ReadError, "no folder of pictures"),
        (["no_picture.png"], ReadError, "no picture that can be read"),
        (3, InputError, "stimuli: got 'int'"),
        ([object()], InputError, "stimuli"),
        ([np.zeros((2, 2))], InputError, "3 dimensions"),
        (
            [np.zeros((3, 8, 8)), np.zeros((3, 9, 9))],
            InputError,
            "transform= to bring them to one size",
        ),
        ([], InputError, "at least one stimulus"),
    ],
)
def test_wrong_stimuli(net: Any, stimuli: Any, error: type[ApaError], message: str) -> None:
    with pytest.raises(error, match=message):
        apa.activations(net, stimuli, ["0"])


def test_a_loader_that_shuffles_is_refused(net: Any, tmp_path: Path) -> None:
    data = torch.utils.data.TensorDataset(torch.rand(3, 3, 8, 8))
    with pytest.raises(InputError, match="shuffle=False"):
        apa.activations(net, torch.utils.data.DataLoader(data, shuffle=True), ["0"])
    empty = tmp_path / "none"
    empty.mkdir()
    with pytest.raises(ReadError, match="a folder without pictures"):
        apa.activations(net, empty, ["0"])
