"""Files of response patterns and activations."""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

import apastats as apa
from apastats.errors import DataError, ReadError


def test_npz_and_folder_hold_the_same(tmp_path: Path) -> None:
    arrays = {
        f"s{i}/V{r}/{part}": np.full((3, 2), 10 * i + r)
        for i in (1, 2)
        for r in (1, 2)
        for part in ("train", "test")
    }
    np.savez(tmp_path / "brain.npz", stimuli=np.array(list("abc")), **arrays)
    for name, array in arrays.items():
        file = tmp_path / "brain" / f"{name}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, array)
    a, b = apa.read_patterns(tmp_path / "brain.npz"), apa.read_patterns(tmp_path / "brain")
    assert set(a) == set(b) == {("s1", "V1"), ("s1", "V2"), ("s2", "V1"), ("s2", "V2")}
    for key, (train, test) in a.items():
        assert np.array_equal(train, b[key][0])
        assert np.array_equal(test, b[key][1])
        assert train[0, 0] == 10 * int(key[0][1]) + int(key[1][1])


def test_layers_take_the_name_of_their_model(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", layer1=np.eye(3), layer2=np.eye(3))
    assert list(apa.read_patterns(tmp_path / "net.npz")) == [("net", "layer1"), ("net", "layer2")]
    assert ("resnet", "layer1") in apa.read_patterns(tmp_path / "net.npz", model="resnet")


def test_stored_activations_are_read_as_their_layers(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.ReLU())
    found = apa.activations(net, ["0", "1"], torch.rand(4, 3, 5, 5), folder=tmp_path / "net")
    read = apa.read_patterns(tmp_path / "net")
    assert list(read) == [("net", "0"), ("net", "1")]
    assert np.array_equal(read["net", "1"], found["1"])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a/b/c/d": np.eye(2)}, "'a/b/c/d'; allowed: FIRST/SECOND"),
        ({"s/V1/test": np.eye(2)}, "s/V1 has a test part and no train part"),
        ({"s/V1/test": np.eye(2), "s/V1": np.eye(2)}, "repeats the labels"),
        ({"s/V1": np.array([{}], dtype=object)}, "pickled objects are refused"),
        ({}, "holds no arrays"),
    ],
)
def test_wrong_files(tmp_path: Path, arrays: dict, message: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises((DataError, ReadError), match=message):
        apa.read_patterns(tmp_path / "x.npz")


def test_no_file(tmp_path: Path) -> None:
    for name in ("absent.npz", "absent.npy", "absent"):
        with pytest.raises(ReadError, match="no such file or folder"):
            apa.read_patterns(tmp_path / name)


def test_one_npy_file_has_the_labels_that_it_is_given(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((6, 4))
    np.save(tmp_path / "V1.npy", x)
    with pytest.raises(ReadError, match="one npy file has no labels .* model= names the first"):
        apa.read_patterns(tmp_path / "V1.npy")
    found = apa.read_patterns(tmp_path / "V1.npy", model="sub-01")
    assert list(found) == [("sub-01", "V1")]
    np.testing.assert_array_equal(found["sub-01", "V1"], x)
    np.save(tmp_path / "V4.npy", x + 1)
    both = apa.read_patterns(str(tmp_path / "*.npy"), model="sub-01")
    assert list(both) == [("sub-01", "V1"), ("sub-01", "V4")]
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ReadError, match="no npz, npy or netCDF file"):
        apa.read_patterns(tmp_path / "x.csv")


def test_damaged_files_and_bombs_raise_no_bare_error(tmp_path: Path) -> None:
    """Interrupted downloads end in one line, whatever zip, zlib or the header have to say."""
    x = np.random.default_rng(0).normal(size=(20, 30))
    rng = np.random.default_rng(1)
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **{"s/V1": x, "s/V2": x})
        whole = (tmp_path / "x.npz").read_bytes()
        for k in range(60):
            damaged = bytearray(whole[: rng.integers(len(whole))] if k % 2 else whole)
            if not k % 2:
                for place in rng.integers(len(whole), size=3):
                    damaged[place] = rng.integers(256)
            (tmp_path / "x.npz").write_bytes(bytes(damaged))
            with contextlib.suppress(DataError):
                apa.read_patterns(tmp_path / "x.npz")
    folder = tmp_path / "folder"
    folder.mkdir()
    np.save(folder / "V1.npy", x)
    (folder / "V1.npy").write_bytes((folder / "V1.npy").read_bytes()[:500])
    with pytest.raises(ReadError, match="is cut off: shorter than its header says"):
        apa.read_patterns(folder)
    header = np.lib.format.header_data_from_array_1_0(x) | {"shape": (10**5, 10**5)}
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive, archive.open("s/V1.npy", "w") as f:
        np.lib.format.write_array_header_1_0(f, header)
        f.write(bytes(100))
    with pytest.raises(ReadError, match="declares 80 GB of data"):
        apa.read_patterns(tmp_path / "bomb.npz")
