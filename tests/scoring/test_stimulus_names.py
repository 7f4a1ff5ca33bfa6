"""Stimuli have names: permuting them with their names changes no score; position counts where none has any."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DataError, InputError
from apastats.studies.inputs import load_inputs
from apastats.studies.schema import parse_study

N = 12
NAMES = [f"img_{k}" for k in range(N)]
KEYS = ("nsd_id", "filename", "stimulus", "my_key")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def data(rng: np.random.Generator) -> dict[str, np.ndarray]:
    common = rng.normal(size=(N, 20))
    return {
        "brain": np.stack([common + rng.normal(size=(N, 20)) for _ in range(3)]),
        "model": common + 0.5 * rng.normal(size=(N, 20)),
    }


def squares(patterns: np.ndarray) -> np.ndarray:
    return np.stack([1 - np.corrcoef(p) for p in patterns])


def theirs(patterns: np.ndarray, key: str, names: list[str], **labels: list) -> Any:
    from rsatoolbox.rdm import RDMs

    upper = np.triu_indices(N, 1)
    return RDMs(
        squares(patterns)[:, upper[0], upper[1]],
        rdm_descriptors=labels,
        pattern_descriptors={key: names},
    )


VERBS = {
    "score": lambda b, m: apa.score(b, m, method="spearman").frame.query("kind == 'model'")["score"],
    "evaluate_rdms": lambda b, m: apa.evaluate_rdms(b, m).table["estimate"],
    "rdm_similarity": lambda b, m: apa.rdm_similarity(m, b, method="tau-a"),
    "bootstrap": lambda b, m: apa.bootstrap(
        "score ~ model | roi", b, models=m, cluster="stimulus", n_resamples=99, rng=0
    ).table["estimate"],
}  # fmt: skip


@pytest.mark.parametrize("verb", list(VERBS))
@pytest.mark.parametrize("key", KEYS)
def test_rsatoolbox_objects_are_matched_by_any_key(data: dict, key: str, verb: str) -> None:
    order = np.random.default_rng(1).permutation(N)
    names = np.array(NAMES)
    brain = theirs(data["brain"], key, NAMES, subj=["a", "b", "c"], roi=["V1"] * 3)
    plain = theirs(data["model"][None], key, NAMES, model=["m"])
    mixed = theirs(data["model"][order][None], key, names[order].tolist(), model=["m"])
    take = VERBS[verb]
    np.testing.assert_allclose(
        np.asarray(take(apa.read_rdms(brain), apa.read_rdms(mixed)), "f8"),
        np.asarray(take(apa.read_rdms(brain), apa.read_rdms(plain)), "f8"),
        atol=1e-12,
    )


@pytest.mark.parametrize("form", ["h5", "npz", "csv", "netcdf", "frames", "xarray"])
def test_files_and_frames_are_matched_too(tmp_path: Path, data: dict, form: str) -> None:
    import xarray

    order = np.random.default_rng(2).permutation(N)
    names = np.array(NAMES)

    def model(index: np.ndarray) -> Any:
        square = squares(data["model"][index][None])[0]
        frame = pd.DataFrame(square, names[index], names[index])
        array = xarray.DataArray(
            square[None], dims=("model", "image_a", "image_b"), name="rdm",
            coords={"model": ["m"], "image_a": names[index], "image_b": names[index]},
        )  # fmt: skip
        path = tmp_path / f"{index[0]}.{form}"
        if form == "h5":
            theirs(data["model"][index][None], "nsd_id", names[index].tolist(), model=["m"]).save(
                str(path)
            )
        elif form == "npz":
            np.savez(path, rdms=square[None], model=["m"], nsd_id=names[index])
        elif form == "csv":
            frame.to_csv(path)
        elif form == "netcdf":
            path = path.with_suffix(".nc")
            array.to_netcdf(path, engine="h5netcdf")
        return {"frames": {"m": frame}, "xarray": array}.get(form, path)

    brain = theirs(data["brain"], "image", NAMES, subject=["a", "b", "c"], roi=["V1"] * 3)
    one, two = (
        apa.score(brain, apa.read_rdms(model(i)), references=None).frame["score"]
        for i in (np.arange(N), order)
    )
    np.testing.assert_allclose(two, one, atol=1e-12)
    truth = apa.rdm_similarity(squares(data["model"][None]), squares(data["brain"]))[0]
    np.testing.assert_allclose(one, truth, atol=1e-12)


def test_several_candidates_ask(data: dict) -> None:
    rdms = theirs(data["model"][None], "nsd_id", NAMES, model=["m"])
    rdms.pattern_descriptors["file"] = NAMES[::-1]
    with pytest.raises(
        DataError,
        match=r"2 descriptors name every stimulus once: \['nsd_id', 'file'\]; choose by",
    ):
        apa.read_rdms(rdms)
    assert apa.read_rdms(rdms, stimuli="nsd_id").stimuli == tuple(NAMES)
    assert apa.read_rdms(rdms, stimuli="file").stimuli == tuple(NAMES[::-1])
    assert apa.read_rdms(rdms, pattern_descriptor="file").stimuli == tuple(NAMES[::-1])
    with pytest.raises(InputError, match="a descriptor of the stimuli"):
        apa.read_rdms(rdms, stimuli="nothing")
    rdms.pattern_descriptors["category"] = ["x", "y"] * (N // 2)
    with pytest.raises(InputError, match="12 distinct values; it has 2"):
        apa.read_rdms(rdms, stimuli="category")


def test_names_on_one_side_alone_are_refused(data: dict) -> None:
    brain = theirs(data["brain"], "nsd_id", NAMES, subject=["a", "b", "c"], roi=["V1"] * 3)
    for take in (VERBS["score"], VERBS["evaluate_rdms"], VERBS["rdm_similarity"]):
        with pytest.raises(
            DataError, match="have none, and by position they could be in another order"
        ):
            take(
                apa.read_rdms(brain),
                apa.read_rdms(squares(data["model"][None]), labels={"model": "m"}),
            )
    named = apa.read_rdms(squares(data["model"][None]), labels={"model": "m"}, stimuli=NAMES)
    assert np.isfinite(apa.score(brain, named).frame["score"]).all()


def test_position_is_said(data: dict) -> None:
    brain = apa.read_rdms(squares(data["brain"]), labels={"subject": ["a", "b", "c"], "roi": "V1"})
    models = apa.read_rdms({"m": squares(data["model"][None])[0]})
    table = apa.score(brain, models)
    assert any("by position" in line for line in table.log)
    assert any("by position" in line for line in apa.evaluate_rdms(brain, models).notes)
    rows = apa.check(brain).table.set_index("item")
    assert "by position" in rows.loc["stimuli", "detail"]
    assert "named by 'nsd_id'" in (
        apa.check(theirs(data["brain"], "nsd_id", NAMES, subject=["a", "b", "c"])).table.set_index("item")
        .loc["stimuli", "detail"]
    )  # fmt: skip
    assert any("by position" in line for line in apa.check(table).info["reading"])


def test_an_index_of_a_subset_is_a_name(data: dict) -> None:
    """rsatoolbox keeps the index when stimuli are reordered: by position these would be matched wrongly."""
    from rsatoolbox.rdm import RDMs

    upper = np.triu_indices(N, 1)
    bare = RDMs(
        squares(data["model"][None])[:, upper[0], upper[1]], rdm_descriptors={"model": ["m"]}
    )
    bare.reorder(np.random.default_rng(0).permutation(N))
    assert apa.read_rdms(bare).named
    assert not apa.read_rdms(RDMs(squares(data["model"][None])[:, upper[0], upper[1]])).named


# ------------------------------------------------------------------ patterns
def frames(data: dict, order: np.ndarray) -> tuple[dict, dict]:
    names = np.array(NAMES)
    brain = {(s, "V1"): pd.DataFrame(x, NAMES) for s, x in zip("abc", data["brain"], strict=True)}
    return brain, {("m", "l"): pd.DataFrame(data["model"][order], names[order])}


@pytest.mark.parametrize("verb", ["score_patterns", "linear_predictivity"])
def test_rows_of_frames_are_matched_by_name(data: dict, verb: str) -> None:
    take = getattr(apa, verb)
    order = np.random.default_rng(3).permutation(N)
    one, two = (take(*frames(data, o)).frame["score"] for o in (np.arange(N), order))
    np.testing.assert_array_equal(one, two)
    arrays = {k: v.to_numpy() for k, v in frames(data, order)[1].items()}
    brain = frames(data, order)[0]
    with pytest.raises(DataError, match="rows have names, those of models"):
        take(brain, arrays)
    bare = take({k: v.to_numpy() for k, v in brain.items()}, arrays)
    assert any("by position" in line for line in bare.log)
    other = {("m", "l"): pd.DataFrame(data["model"], [*NAMES[:-1], "new"])}
    with pytest.raises(DataError, match="other stimuli than brain"):
        take(brain, other)
    twice = {("m", "l"): pd.DataFrame(data["model"], [*NAMES[:-1], NAMES[0]])}
    with pytest.raises(DataError, match="'img_0' occurs several times"):
        take(brain, twice)


def test_names_in_files_of_patterns_are_used(tmp_path: Path, data: dict) -> None:
    order = np.random.default_rng(4).permutation(N)
    brain = {f"{s}/V1": x for s, x in zip("abc", data["brain"], strict=True)}
    np.savez(tmp_path / "brain.npz", stimuli=NAMES, **brain)
    np.savez(tmp_path / "m.npz", stimuli=np.array(NAMES)[order], **{"m/l": data["model"][order]})
    np.savez(tmp_path / "plain.npz", stimuli=NAMES, **{"m/l": data["model"]})
    read = apa.read_patterns
    sets = read(tmp_path / "brain.npz")
    assert sets.stimuli == {"": NAMES}
    for take in (apa.score_patterns, apa.linear_predictivity):
        one, two = (take(sets, read(tmp_path / f)).frame["score"] for f in ("plain.npz", "m.npz"))
        np.testing.assert_array_equal(one, two)
    rdms = apa.rdms_from_patterns(read(tmp_path / "m.npz"), names=("model", "layer"))
    assert rdms.named
    np.savez(tmp_path / "t.npz", **{
        "stimuli/train": NAMES, "stimuli/test": ["x", "y"], "m/l/train": data["model"], "m/l/test": data["model"][:2]
    })  # fmt: skip
    train, test = read(tmp_path / "t.npz").frames()["m", "l"]
    assert train.index.tolist() == NAMES
    assert test.index.tolist() == ["x", "y"]


def test_a_study_matches_files_of_rdms_by_name(tmp_path: Path, data: dict) -> None:
    order = np.random.default_rng(5).permutation(N)
    names = np.array(NAMES)
    for k, s in enumerate("abc"):
        np.savez(tmp_path / f"sub-{s}_roi-V1_rdm.npz", rdm=squares(data["brain"])[k], nsd_id=NAMES)
    models = {"good": data["model"], "bad": np.random.default_rng(6).normal(size=(N, 20))}
    for name, x in models.items():
        np.savez(
            tmp_path / f"model-{name}_rdm.npz", rdm=squares(x[order][None])[0], nsd_id=names[order]
        )
    (tmp_path / "study.toml").write_text(
        '[study]\nname = "x"\nseed = 1\n[inputs]\nrdms = "sub-*_rdm.npz"\n'
        'models = ["model-good_rdm.npz", "model-bad_rdm.npz"]\n'
    )
    study, _ = parse_study(tmp_path / "study.toml")
    with ExitStack() as scratch:
        found = load_inputs(study, lambda _: None, scratch).scores.frame.query("kind == 'model'")
    brain = apa.RDMSet(
        [r[np.triu_indices(N, 1)] for r in squares(data["brain"])],
        pd.DataFrame({"subject": list("abc"), "roi": "V1"}),
    )
    direct = apa.score(
        brain, apa.read_rdms({m: squares(x[None])[0] for m, x in models.items()}), references=None
    ).frame
    key = ["model", "subject"]
    np.testing.assert_allclose(
        found.sort_values(key)["score"], direct.sort_values(key)["score"], atol=1e-12
    )
