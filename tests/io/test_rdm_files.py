"""Files of RDMs as the tools of the field write them: each is read equal to the array it came from, or refused."""

from __future__ import annotations

import contextlib
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray
from rsatoolbox.rdm import RDMs

import apastats as apa
from apastats.errors import ApaError, DataError, InputError, ReadError

N, K = 5, 3
NAMES = ["dog", "cat", "cow", "ant", "bee"]
UPPER = np.triu_indices(N, 1)
VECTORS = np.random.default_rng(0).random((K, len(UPPER[0])))
SQUARES = np.zeros((K, N, N))
SQUARES[:, UPPER[0], UPPER[1]] = SQUARES[:, UPPER[1], UPPER[0]] = VECTORS
SUBJECTS = ["sub-01", "sub-02", "sub-03"]


def theirs(key: str = "nsd_id", **descriptors: list) -> RDMs:
    return RDMs(
        VECTORS.copy(),
        rdm_descriptors=descriptors or {"subj": SUBJECTS, "ROI": ["V1"] * K},
        pattern_descriptors={key: NAMES},
    )


# ------------------------------------------------------------------ writers: path -> what must be read
def _rsatoolbox(p: Path) -> Path:
    theirs().save(str(p / "x.h5"))
    return p / "x.h5"


def _rsatoolbox_no_ending(p: Path) -> Path:
    theirs("filename").save(str(p / "x"), "hdf5")
    return p / "x"


def _rsatoolbox_numbers(p: Path) -> Path:
    RDMs(
        VECTORS, rdm_descriptors={"subject_id": np.array([1.0, 2.0, 3.0]), "area": ["V1"] * K},
        pattern_descriptors={"nsd_id": np.array([7, 3, 9, 1, 2])},
    ).save(str(p / "x.hdf5"))  # fmt: skip
    return p / "x.hdf5"


def _result(p: Path) -> Path:
    from rsatoolbox.inference import eval_fixed
    from rsatoolbox.model import ModelFixed

    models = [ModelFixed(s, theirs().subset("subj", s)) for s in SUBJECTS]
    eval_fixed(models, theirs(), method="corr").save(str(p / "result.h5"))
    return p / "result.h5"


def _npz_square(p: Path) -> Path:
    np.savez(p / "x.npz", rdms=SQUARES, participant=SUBJECTS, image=NAMES)
    return p / "x.npz"


def _npz_compressed_float32(p: Path) -> Path:
    np.savez_compressed(p / "x.npz", rdms=SQUARES.astype("f4"), subject=SUBJECTS, conds=NAMES)
    return p / "x.npz"


def _npz_vectors(p: Path) -> Path:
    np.savez(p / "x.npz", rdv=VECTORS, sub=SUBJECTS, stimuli_name=NAMES)
    return p / "x.npz"


def _npz_fortran(p: Path) -> Path:
    np.savez(p / "x.npz", rdms=np.asfortranarray(SQUARES), subject=SUBJECTS, labels=NAMES)
    return p / "x.npz"


def _npz_objects_beside(p: Path) -> Path:
    np.savez(
        p / "x.npz", rdms=SQUARES, subject=SUBJECTS, stimulus=NAMES, meta=np.array({"a": 1}, dtype=object)
    )  # fmt: skip
    return p / "x.npz"


def _npy_stack(p: Path) -> Path:
    np.save(p / "x.npy", SQUARES)
    return p / "x.npy"


def _npy_vectors(p: Path) -> Path:
    np.save(p / "x.npy", VECTORS)
    return p / "x.npy"


def _structs() -> np.ndarray:
    out = np.zeros((1, K), dtype=[("RDM", object), ("name", object), ("color", object)])
    for k in range(K):
        out[0, k] = (SQUARES[k], f"V1 | {SUBJECTS[k]} | Session: 1", np.array([0.0, 0, 1]))
    return out


def _mat_structs(p: Path) -> Path:
    scipy.io.savemat(p / "x.mat", {"RDMs": _structs(), "labels": np.array(NAMES, dtype=object)})
    return p / "x.mat"


def _mat_struct_vectors(p: Path) -> Path:
    out = np.zeros((K, 1), dtype=[("RDM", object), ("name", object)])
    for k in range(K):
        out[k, 0] = (VECTORS[k][None], SUBJECTS[k])
    scipy.io.savemat(p / "x.mat", {"RDMs": out}, do_compression=True)
    return p / "x.mat"


def _mat_stack(p: Path) -> Path:
    content = {"rdms": np.moveaxis(SQUARES, 0, -1), "subject": np.array(SUBJECTS, dtype=object)}
    scipy.io.savemat(p / "x.mat", content | {"stim": np.array(NAMES, dtype=object)})
    return p / "x.mat"


def _mat_version4(p: Path) -> Path:
    scipy.io.savemat(p / "x.mat", {"a": SQUARES[0]}, format="4")
    return p / "x.mat"


def _mat73(path: Path, fill: Callable[[h5py.File], None]) -> Path:
    """What MATLAB's save -v7.3 writes: HDF5 behind a header of 512 bytes, axes reversed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        fill(file)
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    with path.open("r+b") as handle:
        handle.write(header)
    return path


def _text73(file: h5py.File, value: str) -> h5py.Dataset:
    refs = file.require_group("#refs#")
    data = refs.create_dataset(
        f"t{len(refs)}", data=np.array([[ord(c)] for c in value], dtype="u2")
    )
    data.attrs["MATLAB_class"] = np.bytes_("char")
    return data


def _cell73(file: h5py.File, where: h5py.Group, name: str, values: list[h5py.Dataset]) -> None:
    data = where.create_dataset(name, (len(values), 1), dtype=h5py.ref_dtype)
    data.attrs["MATLAB_class"] = np.bytes_("cell")
    for k, value in enumerate(values):
        data[k, 0] = value.ref


def _mat73_structs(p: Path) -> Path:
    def fill(file: h5py.File) -> None:
        group = file.create_group("RDMs")
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        refs = file.require_group("#refs#")
        squares = [refs.create_dataset(f"r{k}", data=SQUARES[k].T) for k in range(K)]
        for data in squares:
            data.attrs["MATLAB_class"] = np.bytes_("double")
        _cell73(file, group, "RDM", squares)
        _cell73(file, group, "name", [_text73(file, s) for s in SUBJECTS])
        _cell73(file, file, "labels", [_text73(file, s) for s in NAMES])

    return _mat73(p / "x.mat", fill)


def _mat73_stack(p: Path) -> Path:
    def fill(file: h5py.File) -> None:
        data = file.create_dataset("rdms", data=np.moveaxis(SQUARES, 0, -1).T)
        data.attrs["MATLAB_class"] = np.bytes_("double")
        _cell73(file, file, "subject", [_text73(file, s) for s in SUBJECTS])

    return _mat73(p / "x.mat", fill)


def _meadows_mat(p: Path) -> Path:
    content: dict = {}
    for k, person in enumerate(("able-fly", "fine-ant", "keen-cow")):
        content[f"stimuli_{person.replace('-', '_')}"] = np.array([f"{s}.png" for s in NAMES])
        content[f"rdmutv_{person.replace('-', '_')}"] = VECTORS[k][None]
    name = p / "Meadows_myExp_v_v1_arrangement_1D.mat"
    scipy.io.savemat(name, content)
    return name


def _meadows_renamed(p: Path) -> Path:
    return _meadows_mat(p).rename(p / "ratings.mat")


def _meadows_json(p: Path) -> Path:
    tasks = [
        {"task": {"task_type": "multiarrange", "name": f"arr{k}"}, "rdm": VECTORS[k].tolist(),
         "stimuli": [{"name": f"{s}.png"} for s in NAMES]}
        for k in range(K)
    ]  # fmt: skip
    name = p / "Meadows_myExp_v_v1_able-fly_tree.json"
    name.write_text(json.dumps({"tasks": [{"task": {"task_type": "quiz"}}, *tasks]}))
    return name


def _netcdf(p: Path) -> Path:
    array = xarray.DataArray(
        SQUARES, dims=("subject", "stimulus_a", "stimulus_b"), name="rdm",
        coords={"subject": SUBJECTS, "stimulus_a": NAMES, "stimulus_b": NAMES},
    )  # fmt: skip
    array.to_netcdf(p / "x.nc", engine="h5netcdf")
    return p / "x.nc"


def _netcdf3(p: Path) -> Path:
    xarray.DataArray(
        SQUARES, dims=("sub", "a", "b"), name="rdm", coords={"sub": [1, 2, 3]}
    ).to_netcdf(p / "x.nc", engine="scipy")
    return p / "x.nc"


WRITERS: dict[Callable[[Path], Path], dict] = {
    _rsatoolbox: {"subject": SUBJECTS, "roi": ["V1"] * K, "stimuli": NAMES},
    _rsatoolbox_no_ending: {"subject": SUBJECTS, "stimuli": NAMES},
    _rsatoolbox_numbers: {"subject": list("123"), "roi": ["V1"] * K, "stimuli": list("73912")},
    _result: {"model": SUBJECTS, "stimuli": NAMES},
    _npz_square: {"subject": SUBJECTS, "stimuli": NAMES},
    _npz_compressed_float32: {"subject": SUBJECTS, "stimuli": NAMES},
    _npz_vectors: {"subject": SUBJECTS, "stimuli": NAMES},
    _npz_fortran: {"subject": SUBJECTS, "stimuli": NAMES},
    _npz_objects_beside: {"subject": SUBJECTS, "stimuli": NAMES},
    _npy_stack: {"rdm": list("012"), "stimuli": None},
    _npy_vectors: {"rdm": list("012"), "stimuli": None},
    _mat_structs: {"roi": ["V1"] * K, "subject": SUBJECTS, "session": ["1"] * K, "stimuli": NAMES},
    _mat_struct_vectors: {"name": SUBJECTS, "stimuli": None},
    _mat_stack: {"subject": SUBJECTS, "stimuli": NAMES},
    _mat_version4: {"stimuli": None},
    _mat73_structs: {"name": SUBJECTS, "stimuli": NAMES},
    _mat73_stack: {"subject": SUBJECTS, "stimuli": None},
    _meadows_mat: {"subject": ["able-fly", "fine-ant", "keen-cow"], "stimuli": NAMES},
    _meadows_renamed: {"subject": ["able_fly", "fine_ant", "keen_cow"], "stimuli": NAMES},
    _meadows_json: {
        "subject": ["able-fly"] * K,
        "task": ["arr0", "arr1", "arr2"],
        "stimuli": NAMES,
    },
    _netcdf: {"subject": SUBJECTS, "stimuli": NAMES},
    _netcdf3: {"subject": list("123"), "stimuli": None},
}


@pytest.mark.parametrize("write", WRITERS, ids=lambda w: w.__name__.strip("_"))
def test_files_hold_the_arrays_they_came_from(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    found = apa.read_rdms(write(tmp_path))
    expected = dict(WRITERS[write])
    stimuli = expected.pop("stimuli")
    assert found.named == (stimuli is not None)
    if stimuli is not None:
        assert list(found.stimuli) == stimuli
    for label, values in expected.items():
        assert found.labels[label].tolist() == values
    truth = VECTORS[: len(found)]
    if found.vectors.dtype == np.float32:
        truth = truth.astype("f4")
    np.testing.assert_array_equal(found.vectors, truth)


def _csv(sep: str, header: bool, index: bool, decimal: str = ".", encoding: str = "utf-8") -> dict:
    return {"sep": sep, "header": header, "index": index, "decimal": decimal, "encoding": encoding}


@pytest.mark.parametrize(
    "options",
    [
        _csv(",", True, True),
        _csv("\t", True, True),
        _csv(";", True, True, decimal=","),
        _csv(",", True, False),
        _csv(",", False, True),
        _csv(",", False, False),
        _csv(" ", False, False),
        _csv(",", True, True, encoding="utf-16"),
        _csv(",", True, True, encoding="latin-1"),
    ],
)
def test_square_tables(tmp_path: Path, options: dict) -> None:
    names = [*NAMES[:-1], "fée"]
    frame = pd.DataFrame(SQUARES[0], index=names, columns=names)
    frame.to_csv(tmp_path / "x.csv", **options)
    found = apa.read_rdms(tmp_path / "x.csv")
    np.testing.assert_array_equal(found.vectors[0], VECTORS[0])
    named = options["header"] or options["index"]
    assert found.named == named
    if named:
        assert list(found.stimuli) == names
    # a column order of its own is put right by name
    if options["header"] and options["index"]:
        frame[names[::-1]].to_csv(tmp_path / "y.csv", **options)
        np.testing.assert_array_equal(apa.read_rdms(tmp_path / "y.csv").vectors[0], VECTORS[0])


def test_a_frame_that_only_counts_has_no_names(tmp_path: Path) -> None:
    pd.DataFrame(SQUARES[0]).to_csv(tmp_path / "x.csv")
    found = apa.read_rdms(tmp_path / "x.csv")
    assert not found.named
    np.testing.assert_array_equal(found.vectors[0], VECTORS[0])
    # R's write.table leaves the corner out
    lines = [" ".join(NAMES)] + [
        " ".join([s, *map(repr, row.tolist())]) for s, row in zip(NAMES, SQUARES[1], strict=True)
    ]
    (tmp_path / "r.txt").write_text("\n".join(lines))
    found = apa.read_rdms(tmp_path / "r.txt")
    assert list(found.stimuli) == NAMES
    np.testing.assert_array_equal(found.vectors[0], VECTORS[1])


def test_net2brain_folders(tmp_path: Path) -> None:
    folder = tmp_path / "resnet50"
    folder.mkdir()
    for k, layer in enumerate(("conv1", "layer1.0", "fc")):
        rdm = SQUARES[k] if k == 2 else VECTORS[k].astype("f4")
        np.savez(folder / f"RDM_{layer.replace('.', '_')}.npz", rdm=rdm, layer_name=layer,
                 stimuli_name=[f"{s}.jpg" for s in NAMES], meta={"distance": "pearson"})  # fmt: skip
    found = apa.read_rdms(folder)
    assert found.labels["layer"].tolist() == ["conv1", "fc", "layer1.0"]
    assert set(found.labels["model"]) == {"resnet50"}
    assert found.stimuli[0] == "dog.jpg"
    np.testing.assert_allclose(found.select(layer="layer1.0").vectors[0], VECTORS[1], rtol=1e-6)
    old = tmp_path / "old"
    old.mkdir()
    np.savez(old / "RDM_conv1.npz", SQUARES[0])
    np.savez(old / "RDM_fc.npz", SQUARES[1])
    both = apa.read_rdms(old)
    assert both.labels["name"].tolist() == ["RDM_conv1", "RDM_fc"]
    assert not both.named
    assert any("position" in line for line in both.log)


def test_one_file_per_subject_in_orders_of_their_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    files = []
    for k, s in enumerate(SUBJECTS):
        order = rng.permutation(N)
        path = tmp_path / f"{s}_roi-V1_rdm.npz"
        np.savez(path, rdm=SQUARES[k][np.ix_(order, order)], image_id=np.array(NAMES)[order])
        files.append(path)
    names = apa.read_rdms(files[0]).stimuli
    expected = apa.RDMSet(VECTORS, pd.DataFrame({"subject": SUBJECTS}), NAMES).on_stimuli(names)
    for source in (files, list(map(str, files)), tmp_path, str(tmp_path / "sub-*_rdm.npz")):
        found = apa.read_rdms(source)
        assert found.labels["subject"].tolist() == ["01", "02", "03"]
        assert set(found.labels["roi"]) == {"V1"}
        np.testing.assert_array_equal(found.vectors, expected.vectors)
        assert any("different orders, and were matched by name" in line for line in found.log)
    parts = [apa.read_rdms(f, labels={"subject": s}) for f, s in zip(files, SUBJECTS, strict=True)]
    np.testing.assert_array_equal(apa.concat(*parts).vectors, expected.vectors)


def test_joined_sets_are_nan_where_a_stimulus_lacks() -> None:
    one = apa.RDMSet(VECTORS[:1], pd.DataFrame({"subject": ["a"]}), NAMES)
    two = apa.RDMSet(VECTORS[1:2], pd.DataFrame({"subject": ["b"]}), NAMES).on_stimuli(NAMES[1:4])
    found = apa.concat(one, two)
    assert found.stimuli == tuple(NAMES)
    np.testing.assert_array_equal(found.matrices()[1][1:4, 1:4], SQUARES[1][1:4, 1:4])
    assert np.isnan(found.matrices()[1][0, 1:]).all()
    assert any("lack some" in line for line in found.log)
    bare = apa.RDMSet(VECTORS[2:], pd.DataFrame({"subject": ["c"]}))
    with pytest.raises(DataError, match="have no names, those of other sets have"):
        apa.concat(one, bare)
    with pytest.raises(DataError, match="without names cannot be joined"):
        apa.concat(bare, apa.RDMSet([[1.0, 2, 3]], pd.DataFrame({"subject": ["d"]})))
    with pytest.raises(DataError, match="repeat labels"):
        apa.concat(one, one)
    with pytest.raises(InputError, match="tables"):
        apa.concat(one, apa.simulate(n_subject=3, rng=0).scores)


def test_mappings_of_rsatoolbox_objects() -> None:
    by_roi = apa.read_rdms({"V1": theirs(subj=SUBJECTS), "V4": theirs(subj=SUBJECTS)})
    assert by_roi.labels["roi"].tolist() == ["V1"] * K + ["V4"] * K
    assert by_roi.labels["subject"].tolist() == SUBJECTS * 2
    assert by_roi.named
    by_subject = apa.read_rdms({"a": theirs(region=["V1", "V2", "V4"])})
    assert by_subject.labels["subject"].tolist() == ["a"] * K
    with pytest.raises(DataError, match="have no names, those of other sets have"):
        apa.read_rdms({"m1": theirs().subset("subj", "sub-01"), "m2": SQUARES[1]})
    frames = {m: pd.DataFrame(SQUARES[k], NAMES, NAMES) for k, m in enumerate(("m1", "m2"))}
    frames["m2"] = frames["m2"].iloc[::-1, ::-1]
    found = apa.read_rdms(frames)
    assert found.labels["model"].tolist() == ["m1", "m2"]
    assert list(found.stimuli) == NAMES
    np.testing.assert_array_equal(found.vectors, VECTORS[:2])
    files = apa.read_rdms(
        {"V1": theirs(subj=SUBJECTS), "V2": theirs(subj=SUBJECTS)}, stimuli="nsd_id"
    )
    assert files.labels["roi"].nunique() == 2


def test_xarray_objects() -> None:
    array = xarray.DataArray(
        SQUARES, dims=("model", "stim_i", "stim_j"),
        coords={"model": ["a", "b", "c"], "stim_i": NAMES, "stim_j": NAMES, "roi": "V1"},
    )  # fmt: skip
    found = apa.read_rdms(array)
    assert found.labels["model"].tolist() == ["a", "b", "c"]
    assert set(found.labels["roi"]) == {"V1"}
    assert list(found.stimuli) == NAMES
    with pytest.raises(InputError, match=r"read_rdms\(dataset\[NAME\]\)"):
        apa.read_rdms(array.to_dataset(name="rdm"))
    with pytest.raises(DataError, match="presentation, neuroid"):
        apa.read_rdms(xarray.DataArray(np.ones((4, 7)), dims=("presentation", "neuroid")))


def test_labels_name_descriptors() -> None:
    rdms = theirs(monkey_name=SUBJECTS, where=["V1"] * K)
    found = apa.read_rdms(rdms, labels={"subject": "monkey_name", "roi": "where"})
    assert found.labels.to_dict("list") == {"subject": SUBJECTS, "roi": ["V1"] * K}
    assert "label 'monkey_name' taken as subject" in found.log
    assert set(apa.read_rdms(theirs(), labels={"roi": np.array("V2")}).labels["roi"]) == {"V2"}
    with pytest.raises(InputError, match="labels"):
        apa.read_rdms(rdms, labels=["subject"])
    matrices = theirs(subject=SUBJECTS, noise=[np.eye(2)] * K)
    found = apa.read_rdms(matrices)
    assert found.labels.columns.tolist() == ["subject"]
    assert any("'noise' is no label" in line for line in found.log)


def test_descriptors_that_are_no_labels_do_not_stop_reading(tmp_path: Path) -> None:
    rdms = theirs(subject=SUBJECTS, noise=[np.eye(2)] * K)
    rdms.descriptors = {"session": "ses-01", "noise": np.eye(3), "roi": "V1"}
    rdms.save(str(tmp_path / "x.h5"))
    found = apa.read_rdms(tmp_path / "x.h5")
    assert found.labels["subject"].tolist() == SUBJECTS
    assert set(found.labels["roi"]) == {"V1"}
    assert "noise" not in found.labels.columns
    np.testing.assert_array_equal(found.vectors, VECTORS)


@pytest.mark.parametrize(
    "name", ["ROI", "area", "roi_name", "Region", "roi name", "roi_label", "brain_area"[6:]]
)
def test_names_of_the_roi(name: str) -> None:
    assert (
        apa.read_rdms(theirs(**{"subj": SUBJECTS, name: ["V1"] * K})).labels["roi"].tolist()
        == ["V1"] * K
    )


@pytest.mark.parametrize(
    "name", ["sub", "subject_id", "participant_id", "Subject", "subj", "participant", "SUBJ"]
)
def test_names_of_the_subject(name: str) -> None:
    assert apa.read_rdms(theirs(**{name: SUBJECTS})).labels["subject"].tolist() == SUBJECTS


def test_two_labels_that_claim_one_role_ask() -> None:
    rdms = theirs(sub=SUBJECTS, participant_id=["a", "b", "c"])
    with pytest.raises(
        DataError, match=r"'sub' and 'participant_id' both name the subject; say labels="
    ):
        apa.read_rdms(rdms)
    found = apa.read_rdms(rdms, labels={"subject": "participant_id"})
    assert found.labels["subject"].tolist() == ["a", "b", "c"]


def test_models_may_be_called_name() -> None:
    brain = apa.read_rdms(theirs())
    models = apa.read_rdms(theirs(name=["m1", "m2", "m3"]))
    assert set(apa.score(brain, models, references=None).frame["model"]) == {"m1", "m2", "m3"}
    with pytest.raises(InputError, match=r"labels=\{'model': 'what'\}"):
        apa.score(brain, theirs(what=["m1", "m2", "m3"]))


# ------------------------------------------------------------------ refusals
def _zip(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return path


def _bomb(path: Path) -> Path:
    """A file of a megabyte that declares 10 GB of zeros."""
    header = np.lib.format.header_data_from_array_1_0(np.zeros(1)) | {"shape": (1, 36000, 36000)}
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("rdms.npy", "w", force_zip64=True) as handle,
    ):
        np.lib.format.write_array_header_1_0(handle, header)
        for _ in range(8):
            handle.write(bytes(2**20))
    return path


def _external(path: Path, link: bool) -> Path:
    with h5py.File(path.with_name("other.h5"), "w") as file:
        file["d"] = VECTORS
    with h5py.File(path, "w") as file:
        if link:
            file["dissimilarities"] = h5py.ExternalLink("other.h5", "d")
        else:
            raw = path.with_name("secret.bin")
            raw.write_bytes(VECTORS.tobytes())
            file.create_dataset(
                "dissimilarities", VECTORS.shape, "f8", external=[(str(raw), 0, VECTORS.nbytes)]
            )
    return path


def _h5(path: Path, **content: object) -> Path:
    with h5py.File(path, "w") as file:
        for key, value in content.items():
            file[key] = value
    return path


def _sparse_h5(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("dissimilarities", (2, 10**10), "f8", chunks=(1, 10**5))
    return path


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "xlsx": (lambda p: _zip(p / "x.xlsx", xl__workbook_dot_xml=b"<a/>"), "Excel workbook; save the sheet as csv"),
    "pt": (lambda p: _zip(p / "x.pt", archive__data_dot_pkl=b"."), "torch file .* save arrays as npz"),
    "zip": (lambda p: _zip(p / "x.zip", a_dot_csv=b"1,2"), "zip archive of 1 files .* unpack"),
    "pickle": (lambda p: _write(p / "x.bin", pickle.dumps([1])), "is a pickle, which is refused"),
    "parquet": (lambda p: _write(p / "x.parquet", b"PAR1abc"), "parquet table; .* apa.read"),
    "gzip": (lambda p: _write(p / "x.npz.gz", b"\x1f\x8babc"), "compressed by gzip; unpack"),
    "empty": (lambda p: _write(p / "x.npz", b""), "x.npz: is empty"),
    "bytes": (lambda p: _write(p / "x.bin", b"ab\0\1\2"), "is of no kind that is read: npz, npy"),
    "json": (lambda p: _write(p / "x.json", b'{"a": 1}'), "json without tasks of Meadows"),
    "no json": (lambda p: _write(p / "x.json", b"{,"), "no readable json"),
    "mat": (lambda p: _write(p / "x.mat", b"MATLAB 5.0 MAT-file" + bytes(200)), "no readable MATLAB file|no struct"),
    "mat of scores": (
        lambda p: (scipy.io.savemat(p / "x.mat", {"a": np.ones((2, 7))}), p / "x.mat")[1],
        r"no struct with a field RDM and no square array .*'a': \(2, 7\)",
    ),
    "table": (lambda p: _write(p / "x.csv", b"model,score\na,1\nb,2\nc,3\nd,4\n"), "no square RDM; .* apa.read"),
    "ragged": (lambda p: _write(p / "x.csv", b"1,2\n3\n"), "rows have"),
    "text": (
        lambda p: _write(p / "x.csv", b",a,b,c\na,0,1,2\nb,1,0,oops\nc,2,3,0\n"),
        "row 3: 'oops' is no number",
    ),
    "bomb": (lambda p: _bomb(p / "x.npz"), "declares 10.4 GB of data"),
    "sparse h5": (lambda p: _sparse_h5(p / "x.h5"), "declares 160 GB of data"),
    "external link": (lambda p: _external(p / "x.h5", True), "a link to another file .*refused"),
    "external storage": (lambda p: _external(p / "x.h5", False), "lie in another file, which is refused"),
    "h5 of scalars": (lambda p: _h5(p / "x.h5", dissimilarities=3.0), r"have shape \(\)"),
    "h5 of cubes": (lambda p: _h5(p / "x.h5", dissimilarities=np.ones((2, 3, 4))), r"have shape \(2, 3, 4\)"),
    "h5 of text": (lambda p: _h5(p / "x.h5", dissimilarities=np.array([[b"a"]])), "type <U1"),
    "h5 of no triangle": (lambda p: _h5(p / "x.h5", dissimilarities=np.ones((2, 4))), "4 pairs are no upper"),
    "h5 of else": (lambda p: _h5(p / "x.h5", a=np.ones(3)), "no dataset 'dissimilarities'.*found"),
    "nothing in it": (lambda p: p, "folder without files of RDMs"),
    "no file": (lambda p: p / "absent.mat", "there is no such file"),
    "no pattern": (lambda p: p / "sub-*.npz", "no file fits the pattern"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refusals_say_what_a_file_is_in_one_line(tmp_path: Path, what: str) -> None:
    write, message = REFUSED[what]
    path = write(tmp_path)
    with pytest.raises(ReadError, match=message) as caught:
        apa.read_rdms(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    "write", [_rsatoolbox, _npz_square, _npz_compressed_float32, _mat_structs, _mat73_structs, _netcdf, _npy_stack,
              _meadows_json], ids=lambda w: w.__name__)  # fmt: skip
def test_damaged_files_raise_no_bare_error(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    path = write(tmp_path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for k in range(40):
        if k % 2:
            damaged = whole[: rng.integers(len(whole))]
        else:
            flipped = np.frombuffer(whole, "u1").copy()
            flipped[rng.integers(len(whole), size=4)] = rng.integers(256, size=4)
            damaged = flipped.tobytes()
        path.write_bytes(damaged)
        with contextlib.suppress(ApaError):
            apa.read_rdms(path)


def test_label_arrays_of_objects_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", rdms=SQUARES, subject=np.array(SUBJECTS, dtype=object))
    with pytest.raises(
        ReadError, match=r"'subject'\] hold Python objects \(save them by .astype\(str\)\)"
    ):
        apa.read_rdms(tmp_path / "x.npz")
    found = apa.read_rdms(tmp_path / "x.npz", labels={"subject": SUBJECTS})
    assert found.labels["subject"].tolist() == SUBJECTS


def test_as_many_stimuli_as_subjects_ask(tmp_path: Path) -> None:
    stack = np.zeros((N, N, N)) + SQUARES[0]
    np.savez(tmp_path / "x.npz", rdms=stack, who=list("abcde"), stimulus=NAMES)
    with pytest.raises(ReadError, match=r"array 'who' may name the stimuli or axis 0"):
        apa.read_rdms(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", rdms=stack, subject=list("abcde"), stimulus=NAMES)
    found = apa.read_rdms(tmp_path / "x.npz")
    assert found.labels["subject"].tolist() == list("abcde")
    assert list(found.stimuli) == NAMES


# ------------------------------------------------------------------ names beside RDMs, other axes and signs
def _wrapped(**fields: object) -> np.ndarray:
    out = np.zeros((1, 1), dtype=[(k, object) for k in fields])
    out[0, 0] = tuple(fields.values())
    return out


def test_names_in_the_struct_of_the_rdms_are_taken(tmp_path: Path) -> None:
    cells = {k: np.array(v, dtype=object) for k, v in (("stim", NAMES), ("sub", SUBJECTS))}
    value = _wrapped(rdm=np.moveaxis(SQUARES, 0, -1), **cells)
    scipy.io.savemat(tmp_path / "x.mat", {"results": value})
    read = apa.read_rdms(tmp_path / "x.mat")
    np.testing.assert_array_equal(read.vectors, VECTORS)
    assert list(read.stimuli) == NAMES
    assert read.labels["subject"].tolist() == SUBJECTS


@pytest.mark.parametrize("shuffled", [False, True])
def test_names_in_every_entry_of_a_struct_array(tmp_path: Path, shuffled: bool) -> None:
    out = np.zeros((1, K), dtype=[("RDM", object), ("name", object), ("conditions", object)])
    for k in range(K):
        names = NAMES[::-1] if shuffled and k == 1 else NAMES
        out[0, k] = (SQUARES[k], SUBJECTS[k], np.array(names, dtype=object))
    scipy.io.savemat(tmp_path / "x.mat", {"RDMs": out})
    if shuffled:
        with pytest.raises(ReadError, match=r"RDMs.conditions: .*different orders"):
            apa.read_rdms(tmp_path / "x.mat")
        return
    assert list(apa.read_rdms(tmp_path / "x.mat").stimuli) == NAMES


def test_stacks_of_python_in_matlab_files(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"rdms": SQUARES})
    np.testing.assert_array_equal(apa.read_rdms(tmp_path / "x.mat").vectors, VECTORS)


def test_minus_signs_of_a_square_table(tmp_path: Path) -> None:
    square = np.where(np.eye(N) > 0, 0, SQUARES[0] - 0.5)
    text = pd.DataFrame(square, NAMES, NAMES).to_csv().replace("-", "−")
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(apa.read_rdms(tmp_path / "x.csv").vectors[0], square[UPPER])
