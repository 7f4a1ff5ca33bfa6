"""Reading, checking, saving and selecting RDMs."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DataError, InputError, OutputExistsError, ReadError
from apastats.io.rdm_set import RDMSet
from apastats.io.read_rdms import as_rdms


def square(rng: np.random.Generator, *shape: int, n: int = 5) -> np.ndarray:
    a = rng.random((*shape, n, n))
    a = a + np.swapaxes(a, -1, -2)
    a[..., np.arange(n), np.arange(n)] = 0
    return a


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def brain_file(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "brain.npz"
    np.savez(
        path,
        rdms=square(rng, 3, 2),
        subject=["a", "b", "c"],
        roi=["V1", "V2"],
        stimulus=list("vwxyz"),
    )
    return path


def test_npz_axes_are_inferred_from_label_arrays(brain_file: Path) -> None:
    rdms = apa.read_rdms(brain_file)
    assert rdms.labels.to_dict("list") == {"subject": list("aabbcc"), "roi": ["V1", "V2"] * 3}
    assert rdms.stimuli == tuple("vwxyz")
    with np.load(brain_file) as npz:
        np.testing.assert_array_equal(rdms.matrices(), npz["rdms"].reshape(6, 5, 5))


def test_stacks_of_one_file_are_concatenated(tmp_path: Path, rng: np.random.Generator) -> None:
    np.savez(
        tmp_path / "m.npz",
        predictor_rdms=square(rng, 2),
        predictor=["p", "q"],
        network_rdms=square(rng, 3),
        network=["n1", "n1", "n2"],
        layer=["a", "b", "a"],
    )
    labels = apa.read_rdms(tmp_path / "m.npz").labels
    assert labels["model"].tolist() == ["p", "q", "n1", "n1", "n2"]
    assert labels["layer"].tolist() == ["-", "-", "a", "b", "a"]


def test_stacks_without_a_model_are_told_apart_by_their_name(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    np.savez(tmp_path / "m.npz", trained=square(rng, 2), untrained=square(rng, 2), layer=["a", "b"])
    labels = apa.read_rdms(tmp_path / "m.npz").labels
    assert labels["model"].tolist() == ["trained"] * 2 + ["untrained"] * 2


def test_layout_names_axes_that_cannot_be_inferred(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    stack = square(rng, 2, 2)
    np.savez(
        tmp_path / "b.npz", rdms=stack, who=["a", "b"], where=["V1", "V2"], other=np.ones((5, 5))
    )
    with pytest.raises(ReadError, match=r"b.npz: axes of rdms \(2, 2\) have the same length"):
        apa.read_rdms(tmp_path / "b.npz")
    layout = [{"array": "rdms", "axes": ["who", "where"], "subject": "who", "roi": "where"}]
    rdms = apa.read_rdms(tmp_path / "b.npz", layout=layout)
    np.testing.assert_array_equal(rdms.select(subject="b", roi="V1").matrices()[0], stack[1, 0])
    layout = [{"array": "rdms", "axes": ["who", "where"], "constant": {"session": 1}}]
    assert set(apa.read_rdms(tmp_path / "b.npz", layout=layout).labels["session"]) == {"1"}


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ([{"axes": ["subject"]}], "at least the key 'array'"),
        ([{"array": "nothing"}], "layout: got 'nothing'; allowed: an array of"),
        ([{"array": "rdms", "axes": ["subject"]}], "2 axes for rdms"),
        ([{"array": "rdms", "axes": ["roi", "subject"]}], "a label array of length 3 for axis 0"),
        ([{"array": "rdms", "axes": ["subject", "nobody"]}], "layout: got 'nobody'"),
    ],
)
def test_bad_layout(brain_file: Path, layout: list[dict], message: str) -> None:
    with pytest.raises(InputError, match=message):
        apa.read_rdms(brain_file, layout=layout)


def corrupted(stack: np.ndarray, what: str) -> np.ndarray:
    stack = stack.copy()
    if what == "asymmetric":
        stack[1, 0, 2, 3] += 0.1
    elif what == "diagonal":
        stack[1, 0, 2, 2] = 1
    elif what == "nan":
        stack[1, 0] = np.nan
    elif what == "half nan":
        stack[1, 0, 2, 3] = np.nan
    elif what == "infinite":
        stack[1, 0, 2, 3] = stack[1, 0, 3, 2] = np.inf
    elif what == "not square":
        stack = stack[..., :4]
    return stack


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("asymmetric", r"b.npz: rdms\[1, 0\] is not symmetric: \[2, 3\] is"),
        ("diagonal", r"b.npz: rdms\[1, 0\] has 1 on the diagonal \(stimulus 2\)"),
        ("nan", r"b.npz: rdms\[1, 0\] is NaN everywhere"),
        (
            "half nan",
            r"b.npz: rdms\[1, 0\] is not symmetric: only one of \[2, 3\] and \[3, 2\] is NaN",
        ),
        ("infinite", r"b.npz: RDM 2 \(subject=b, roi=V1\) has an infinite entry"),
        ("not square", "b.npz: no array whose last two axes are square"),
    ],
)
def test_bad_matrices_are_named(
    tmp_path: Path, rng: np.random.Generator, what: str, message: str
) -> None:
    stack = corrupted(square(rng, 3, 2), what)
    np.savez(tmp_path / "b.npz", rdms=stack, subject=list("abc"), roi=["V1", "V2"])
    with pytest.raises(ReadError, match=message):
        apa.read_rdms(tmp_path / "b.npz")


def test_float32_rounding_is_no_asymmetry(tmp_path: Path, rng: np.random.Generator) -> None:
    stack = square(rng, 2).astype("f4")
    stack[0, 0, 1] *= 1 + 3e-7
    stack[0, 2, 2] = 6e-8
    np.savez(tmp_path / "b.npz", rdms=stack, subject=["a", "b"])
    assert apa.read_rdms(tmp_path / "b.npz").vectors.dtype == np.float32


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", rdms=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ReadError, match="objects.npz: holds pickled objects, which are refused"):
        apa.read_rdms(tmp_path / "objects.npz")
    (tmp_path / "x.npz").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ReadError, match="x.npz: .*refused"):
        apa.read_rdms(tmp_path / "x.npz")
    (tmp_path / "x.pkl").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ReadError, match="a pickle is refused"):
        apa.read_rdms(tmp_path / "x.pkl")


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="nowhere.npz: there is no such file"):
        apa.read_rdms(tmp_path / "nowhere.npz")
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ReadError, match="x.npz: is no readable npz"):
        apa.read_rdms(tmp_path / "x.npz")
    (tmp_path / "x.h5").write_bytes(b"no hdf5")
    with pytest.raises(ReadError, match="x.h5: is no readable HDF5 file"):
        apa.read_rdms(tmp_path / "x.h5")


def test_labels_that_do_not_fit(tmp_path: Path, rng: np.random.Generator) -> None:
    np.savez(tmp_path / "b.npz", rdms=square(rng, 3), subject=["a", "b"])
    with pytest.raises(ReadError, match="no one-dimensional array names axis 0 of rdms"):
        apa.read_rdms(tmp_path / "b.npz")
    np.savez(tmp_path / "b.npz", rdms=square(rng, 2), subject=["a", "a"])
    with pytest.raises(ReadError, match=r"1 RDMs repeat labels, first 1 \(subject=a\)"):
        apa.read_rdms(tmp_path / "b.npz")


@pytest.mark.parametrize("ending", [".npz", ".h5"])
def test_save_and_read_back(tmp_path: Path, brain_file: Path, ending: str) -> None:
    rdms = apa.read_rdms(brain_file)
    path = rdms.save(tmp_path / f"out{ending}")
    again = apa.read_rdms(path)
    assert again.hash == rdms.hash
    np.testing.assert_array_equal(again.vectors, rdms.vectors)
    with pytest.raises(OutputExistsError, match="exists and is kept"):
        rdms.save(path)
    with pytest.raises(InputError, match="path"):
        rdms.save(tmp_path / "out.csv")


def test_rsatoolbox_round_trip(tmp_path: Path, brain_file: Path) -> None:
    from rsatoolbox.rdm import load_rdm

    rdms = apa.read_rdms(brain_file)
    theirs = rdms.to_rsatoolbox()
    assert list(theirs.rdm_descriptors["subject"]) == list("aabbcc")
    assert RDMSet.from_rsatoolbox(theirs).hash == rdms.hash
    theirs.save(str(tmp_path / "theirs.h5"))
    assert apa.read_rdms(tmp_path / "theirs.h5").hash == rdms.hash
    rdms.save(tmp_path / "ours.h5")
    assert RDMSet.from_rsatoolbox(load_rdm(str(tmp_path / "ours.h5"))).hash == rdms.hash


def test_rsatoolbox_models_and_arrays(rng: np.random.Generator) -> None:
    from rsatoolbox.model import ModelFixed

    matrix = square(rng)
    i, j = np.triu_indices(5, 1)
    models = [ModelFixed("one", matrix), ModelFixed("two", matrix**2)]
    found = as_rdms(models, "models")
    assert found.labels["model"].tolist() == ["one", "two"]
    assert not found.named
    np.testing.assert_allclose(found.vectors[0], matrix[i, j])
    np.testing.assert_array_equal(as_rdms(matrix).vectors[0], matrix[i, j])
    np.testing.assert_array_equal(as_rdms(matrix[i, j][None].repeat(2, 0)).vectors[1], matrix[i, j])
    labelled = apa.read_rdms(
        square(rng, 2), labels={"subject": [1, 2], "roi": "V1"}, stimuli=range(5)
    )
    assert labelled.labels.columns.tolist() == ["subject", "roi"]
    with pytest.raises(InputError, match="models: got 'int'"):
        as_rdms(3, "models")
    with pytest.raises(InputError, match="models with distinct names"):
        as_rdms([models[0], models[0]])


@pytest.mark.parametrize(
    ("kind", "at_once"),
    [
        ("plain", True),
        ("named", True),
        ("missing", True),
        ("float32", True),
        ("measure", True),
        ("descriptor that is no label", True),
        ("other names", False),
        ("other measure", False),
        ("blanks", False),
        ("negative", False),
        ("rounding", False),
        ("other size", False),
        ("infinite", False),
        ("nothing", False),
        ("same but for blanks", False),
        ("other type", False),
    ],
)
def test_models_read_as_a_stack_are_those_joined(
    kind: str, at_once: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stack of a list of models is what joining them one by one makes: labels, log, words of errors."""
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs

    found = inspect.getmodule(as_rdms)
    assert found is not None
    x = rng.random((4, 15))
    names, patterns, measures = [*"abcd"], [{}] * 4, [None] * 4
    own: list[dict] = [{}] * 4
    if kind in ("named", "other names"):
        patterns = [{"cond": [*"uvwxyz"]} for _ in x]
    if kind == "other names":
        patterns[2] = {"cond": [*"zyxwvu"]}
    if kind in ("measure", "other measure"):
        measures = ["corr"] * 4
        measures[3] = "corr" if kind == "measure" else "euclidean"
    if kind == "descriptor that is no label":
        own = [{"matrix": [np.zeros((2, 2))]} for _ in x]
    if kind.endswith("blanks"):
        names[1] = "b " if kind == "blanks" else "a "
    rows = [*x.astype("f4" if kind == "float32" else "f8")]
    if kind == "negative":
        rows[2] = 2 * rows[2] - 1
    if kind == "rounding":
        rows[1] = np.full(15, 2.0**-53)
    if kind == "other size":
        rows[3] = rows[3][:10]
    if kind in ("missing", "infinite"):
        rows[1][3] = np.nan if kind == "missing" else np.inf
    if kind == "nothing":
        rows[1][:] = np.nan
    if kind == "other type":
        rows[2] = rows[2].astype("f4")
    parts = zip(rows, names, own, measures, patterns, strict=True)
    models = [
        ModelFixed(n, RDMs(r[None], m, rdm_descriptors=dict(o), pattern_descriptors=dict(p)))
        for r, n, o, m, p in parts
    ]

    def outcome() -> dict:
        try:
            made = as_rdms(models, "models")
        except DataError as error:
            return {"error": str(error)}
        frame, hidden = made.labels, ("vectors", "labels", "_hash", "_texts")
        return {
            **{k: v for k, v in vars(made).items() if k not in hidden},
            "labels": (frame.to_dict("list"), list(map(str, frame.dtypes)), repr(frame.index)),
            "vectors": (made.vectors.tobytes(), made.vectors.dtype, made.vectors.flags.writeable),
            "hash": made.hash,
        }

    stacked, made = found._stacked, []
    monkeypatch.setattr(found, "_stacked", lambda *a: made.append(stacked(*a)) or made[-1])
    once = outcome()
    assert (made[0] is not None) == at_once
    monkeypatch.setattr(found, "_stacked", lambda *_: None)
    assert once == outcome()


@pytest.mark.parametrize("n", [1, 3])
def test_what_is_read_of_models_does_not_follow_them(n: int, rng: np.random.Generator) -> None:
    from rsatoolbox.model import ModelFixed

    models = [ModelFixed(f"m{k}", row) for k, row in enumerate(rng.random((n, 15)))]
    found = as_rdms(models, "models")
    before = found.vectors.copy()
    for model in models:
        model.rdm_obj.dissimilarities[:] = 7.0
    np.testing.assert_array_equal(found.vectors, before)


def test_labels_become_a_frame_when_they_are_asked_for(rng: np.random.Generator) -> None:
    """Objects of rsatoolbox give texts; the frame made of them later is that of a set read from a frame."""
    import copy
    from dataclasses import replace

    from rsatoolbox.rdm import RDMs

    x, subjects = rng.random((3, 15)), ["a", "b", "c"]
    found = as_rdms(RDMs(x, rdm_descriptors={"subject": subjects, "roi": ["V1"] * 3}))
    frame = pd.DataFrame({"subject": subjects, "roi": "V1"})
    expected = RDMSet(x, frame)
    assert "labels" not in vars(found)
    assert found.hash == expected.hash
    assert repr(found) == repr(expected)
    assert found.texts == expected.texts == frame.to_dict("list")
    for made in (
        copy.copy(found),
        copy.deepcopy(found),
        pickle.loads(pickle.dumps(found)),
        replace(found),
        found.take([0, 1, 2]),
        found,
    ):
        pd.testing.assert_frame_equal(made.labels, expected.labels)
    renamed = as_rdms(RDMs(x, rdm_descriptors={"subject": subjects})).with_labels(
        pd.DataFrame({"model": subjects})
    )
    assert renamed.texts == {"model": subjects}
    with pytest.raises(AttributeError, match="'RDMSet' object has no attribute 'label'"):
        _ = found.label
    found.labels["roi"] = "V2"  # what is written to the frame counts
    assert found.texts["roi"] == ["V2"] * 3


def test_a_set_keeps_numbers_that_nobody_can_change(rng: np.random.Generator) -> None:
    x = rng.random((2, 3))
    labels = pd.DataFrame({"model": ["a", "b"]})
    found = RDMSet(x, labels)
    frozen = x.view()
    frozen.flags.writeable = False  # its owner can still be written to
    other, before = RDMSet(frozen, labels), x.copy()
    x[:] = 0
    np.testing.assert_array_equal(found.vectors, before)
    np.testing.assert_array_equal(other.vectors, before)
    again = found.with_labels(pd.DataFrame({"model": ["c", "d"]})).take([1, 0]).take([1, 0])
    np.testing.assert_array_equal(again.vectors, before)
    assert not again.vectors.flags.writeable


def test_select_average_and_stimuli(rng: np.random.Generator) -> None:
    labels = pd.DataFrame({"subject": list("aabb"), "session": [1, 2, 1, 2]})
    rdms = RDMSet(rng.random((4, 6)), labels, ("w", "x", "y", "z"))
    mean = rdms.average(over="session")
    np.testing.assert_allclose(mean.vectors[1], rdms.vectors[2:].mean(0))
    assert mean.labels.columns.tolist() == ["subject"]
    with pytest.raises(InputError, match="subject: got 'c'"):
        rdms.select(subject="c")
    with pytest.raises(InputError, match="column: got 'roi'"):
        rdms.select(roi="V1")
    some = rdms.on_stimuli(["z", "x", "new"])
    np.testing.assert_array_equal(some.matrices()[:, 0, 1], rdms.matrices()[:, 3, 1])
    assert np.isnan(some.matrices()[:, 2, :2]).all()


def test_hash_ignores_order_and_sees_values(rng: np.random.Generator) -> None:
    labels = pd.DataFrame({"subject": list("abc")})
    values = rng.random((3, 6))
    one = RDMSet(values, labels)
    assert one.take([2, 0, 1]).hash == one.hash
    assert RDMSet(values + 1e-9, labels).hash != one.hash


@pytest.mark.parametrize(
    ("vectors", "labels", "stimuli", "message"),
    [
        (np.ones(3), {"subject": ["a"]}, (), "allowed: \\[n_rdm, n_pair\\]"),
        (np.ones((1, 4)), {"subject": ["a"]}, (), "4 pairs are no upper triangle"),
        (np.ones((1, 3)), {"subject": ["a", "b"]}, (), "1 rows, one per RDM"),
        (np.ones((1, 3)), {"subject": [None]}, (), "label 'subject' is missing for RDM 0"),
        (np.ones((1, 3)), {"subject": ["a"]}, ("x", "y"), "2 stimulus names for RDMs of 3 stimuli"),
        (np.ones((1, 3)), {"subject": ["a"]}, ("x", "y", "x"), "stimulus 'x' occurs 2 times"),
        (np.array([["a", "b", "c"]]), {"subject": ["a"]}, (), "RDMs must be numbers"),
    ],
)
def test_bad_sets(vectors: np.ndarray, labels: dict, stimuli: tuple, message: str) -> None:
    with pytest.raises(DataError, match=message):
        RDMSet(vectors, pd.DataFrame(labels), stimuli)


def test_two_columns_of_one_name() -> None:
    labels = pd.DataFrame([["a", "b"], ["c", "d"]], columns=["subject", "subject"])
    with pytest.raises(DataError, match="two columns of labels are named 'subject'"):
        RDMSet(np.ones((2, 3)), labels)


def test_real_files(data_dir: Path) -> None:
    brain = apa.read_rdms(data_dir / "castaldi2019_numerosity" / "rdms_taskboth.npz")
    models = apa.read_rdms(data_dir / "castaldi2019_numerosity" / "models.npz")
    assert len(brain) == 200
    assert brain.labels["roi"].nunique() == 10
    assert models.labels["model"].tolist()[:6] == [
        "Number",
        "Size",
        "TFA",
        "TSA",
        "Density",
        "Alexnet untrained 2",
    ]
    assert len(models) == 77
