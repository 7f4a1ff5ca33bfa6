"""Presentation x neuroid assemblies, as Brain-Score keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import apastats as apa
from apastats.errors import DataError, InputError, ReadError
from apastats.studies.schema import parse_study

RNG = np.random.default_rng(0)
IMAGES = [f"im{k:02d}" for k in RNG.permutation(12)]
ANIMALS, REGIONS = ["Magneto", "Tito"], ["V4", "IT"]
TRUE = RNG.normal(size=(12, 4, 5))  # image, set, neuroid
REPEATED = TRUE[:, None] + 0.5 * RNG.normal(size=(12, 3, 4, 5))
SETS = [(a, r) for a in ANIMALS for r in REGIONS]


def assembly(shuffle: int = 1, **drop: Any) -> xr.DataArray:
    """Presentations in any order, three of each image, neuroids of two animals and two regions."""
    order = np.random.default_rng(shuffle).permutation(36)
    image, repeat = order // 3, order % 3
    values = REPEATED[image, repeat].reshape(36, 20)
    coords = {
        "image_id": ("presentation", np.array(IMAGES)[image]),
        "object_name": ("presentation", np.array(["car", "face"])[image % 2]),
        "repetition": ("presentation", repeat),
        "animal": ("neuroid", np.repeat([a for a, _ in SETS], 5)),
        "region": ("neuroid", np.repeat([r for _, r in SETS], 5)),
        "neuroid_id": ("neuroid", np.arange(20)),
    }
    made = xr.DataArray(
        values[:, :, None], dims=["presentation", "neuroid", "time_bin"], coords=coords
    )
    return made.isel(**drop) if drop else made


def by_image(sets: Any) -> dict:
    place = [sets.stimuli[""].index(i) for i in IMAGES]
    return {k: v[place] for k, v in sets.items()}


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy", "object", "index"])
def test_an_assembly_is_read_equal_to_the_array_it_came_from(tmp_path: Path, engine: str) -> None:
    made = assembly()
    source: Any = made
    if engine == "index":
        source = made.set_index(
            presentation=["image_id", "repetition"], neuroid=["animal", "region", "neuroid_id"]
        )
    elif engine != "object":
        made.rename("dicarlo.Majaj2015").to_netcdf(tmp_path / "a.nc", engine=engine)
        source = tmp_path / "a.nc"
    sets = apa.read_patterns(source)
    assert list(sets) == SETS
    found = by_image(sets)
    for k, key in enumerate(SETS):
        np.testing.assert_allclose(found[key], REPEATED[:, :, k].mean(axis=1), atol=1e-12)
        place = [sets.stimuli[""].index(i) for i in IMAGES]
        stack = np.sort(sets.repeats[key][place], axis=1)
        np.testing.assert_array_equal(stack, np.sort(REPEATED[:, :, k], axis=1))
    text = " ".join(sets.log)
    assert "'animal' taken as subject" in text
    assert "'region' taken as roi" in text
    assert "stimuli named by 'image_id'" in text
    assert "means of 3 repetitions of 12 stimuli" in text
    assert "'time_bin' has one entry" in text
    ceiling = apa.ncsnr(sets.repeats["Tito", "IT"]).ceiling()
    assert 0.8 < ceiling < 1


def test_assemblies_score_with_the_words_of_their_reading() -> None:
    features = {("net", "l1"): TRUE.reshape(12, 20)}
    sets = apa.read_patterns(assembly())
    order = [IMAGES.index(i) for i in sets.stimuli[""]]
    models = {k: pd.DataFrame(v[order], index=sets.stimuli[""]) for k, v in features.items()}
    table = apa.score_patterns(sets, models, references=())
    means = {
        k: v[order] for k, v in zip(SETS, np.moveaxis(REPEATED.mean(axis=1), 1, 0), strict=True)
    }
    expected = apa.score_patterns(means, {k: v[order] for k, v in features.items()}, references=())
    np.testing.assert_allclose(table.frame["score"], expected.frame["score"], atol=1e-12)
    assert any("means of 3 repetitions" in line for line in table.log)


def test_fewer_repetitions_are_missing_ones() -> None:
    made = assembly()
    kept = np.flatnonzero((made["image_id"] != IMAGES[0]) | (made["repetition"] == 0))
    sets = apa.read_patterns(made.isel(presentation=kept))
    row = sets.stimuli[""].index(IMAGES[0])
    stack = sets.repeats["Tito", "V4"]
    assert np.isnan(stack[row, 1:]).all()
    np.testing.assert_array_equal(sets["Tito", "V4"][row], stack[row, 0])
    assert any("1 to 3 repetitions" in line for line in sets.log)


def test_layers_of_activations() -> None:
    made = xr.DataArray(
        np.eye(6),
        dims=["presentation", "neuroid"],
        coords={
            "stimulus_id": ("presentation", list("abcdef")),
            "layer": ("neuroid", ["l1"] * 2 + ["l2"] * 4),
            "model": "resnet",
        },
    )
    sets = apa.read_patterns(made)
    assert {k: v.shape for k, v in sets.items()} == {("resnet", "l1"): (6, 2), ("resnet", "l2"): (6, 4)}  # fmt: skip
    assert sets.repeats == {}
    assert list(apa.read_patterns(made.drop_vars("model"), model="vgg")) == [("vgg", "l1"), ("vgg", "l2")]  # fmt: skip


@pytest.mark.parametrize("named", ["start", "axis", "nothing"])
def test_time_bins_are_sets_of_their_own(named: str) -> None:
    parts = [assembly() + k for k in range(3)]
    several = xr.concat(parts, dim="time_bin")
    labels = ["0", "1", "2"]
    if named == "start":
        labels = ["70", "90", "110"]
        ends = {"time_bin_end": ("time_bin", [90, 110, 130])}
        starts = {"time_bin_start": ("time_bin", [70, 90, 110])}
        several = several.assign_coords(ends | starts)
    elif named == "axis":
        labels = ["-20", "0", "20"]
        several = several.assign_coords(time_bin=[-20, 0, 20])
    found = apa.read_patterns(several)
    for label, part in zip(labels, parts, strict=True):
        alone = apa.read_patterns(part)
        for key, values in alone.items():
            np.testing.assert_array_equal(found[(*key, label)], values)
            np.testing.assert_array_equal(found.repeats[(*key, label)], alone.repeats[key])
    assert found.stimuli == alone.stimuli
    assert any("3 bins of axis 'time_bin' taken as time" in line for line in found.log)
    assert apa.score_patterns(found, references=["subject_to_subject"]).levels("time") == labels


def test_what_is_not_clear_is_asked(tmp_path: Path) -> None:
    several = xr.concat([assembly(), assembly()], dim="phase")
    with pytest.raises(DataError, match=r"2 entries; choose one by assembly.isel\(phase=0\)"):
        apa.read_patterns(several)
    with pytest.raises(DataError, match="has to be called stimulus_id"):
        apa.read_patterns(assembly().rename(image_id="thing"))
    two = assembly().assign_coords(stimulus_id=("presentation", [f"s{i}" for i in range(36)]))
    with pytest.raises(DataError, match="name the presentations differently"):
        apa.read_patterns(two)
    with pytest.raises(DataError, match="axis of presentations"):
        apa.read_patterns(xr.DataArray(np.eye(3), dims=["a", "b"]))
    with pytest.raises(InputError, match="DataArray"):
        apa.read_patterns(assembly().to_dataset(name="x"))
    assembly().to_dataset(name="x").assign(y=assembly()).to_netcdf(tmp_path / "two.nc")
    with pytest.raises(ReadError, match="2 variables with presentations"):
        apa.read_patterns(tmp_path / "two.nc")
    (tmp_path / "bad.nc").write_bytes(b"\x89HDF\r\n\x1a\nxx")
    with pytest.raises(ReadError, match="no readable netCDF"):
        apa.read_patterns(tmp_path / "bad.nc")
    with pytest.raises(ReadError, match="no such file"):
        apa.read_patterns(tmp_path / "absent.nc")


def test_lists_and_patterns_of_files_in_different_orders(tmp_path: Path) -> None:
    made = assembly()
    for k, (animal, seed) in enumerate(zip(ANIMALS, (1, 2), strict=True)):
        part = assembly(seed).isel(neuroid=np.flatnonzero(made["animal"] == animal))
        part.to_netcdf(tmp_path / f"{k}_{animal}.nc")
    for source in (sorted(tmp_path.glob("*.nc")), str(tmp_path / "*.nc")):
        sets = apa.read_patterns(source)
        found = by_image(sets)
        for k, key in enumerate(SETS):
            np.testing.assert_allclose(found[key], REPEATED[:, :, k].mean(axis=1), atol=1e-12)
        place = [sets.stimuli[""].index(i) for i in IMAGES]
        for k, key in enumerate(SETS):
            stack = np.sort(sets.repeats[key][place], axis=1)
            np.testing.assert_array_equal(stack, np.sort(REPEATED[:, :, k], axis=1))
    with pytest.raises(DataError, match="are in two sources"):
        apa.read_patterns([tmp_path / "0_Magneto.nc", tmp_path / "0_Magneto.nc"])
    with pytest.raises(ReadError, match="no file fits"):
        apa.read_patterns(str(tmp_path / "*.xyz"))
    np.savez(tmp_path / "p.npz", **{"s/V1": np.eye(12)})
    with pytest.raises(DataError, match="some sources name their stimuli"):
        apa.read_patterns([tmp_path / "0_Magneto.nc", tmp_path / "p.npz"])
    np.savez(tmp_path / "q.npz", **{"s/V1": np.eye(12)}, stimuli=[*IMAGES[1:], "odd"])
    with pytest.raises(DataError, match="name other stimuli"):
        apa.read_patterns([tmp_path / "0_Magneto.nc", tmp_path / "q.npz"])


def test_a_study_takes_lists_of_patterns(tmp_path: Path) -> None:
    for form in ('["a.npz", "b.npz"]', '"*.npz"', '{ path = ["a.npz", "b.npz"] }'):
        (tmp_path / "study.toml").write_text(f"[inputs]\npatterns = {form}\n")
        study, _ = parse_study(tmp_path / "study.toml")
        assert study.inputs.patterns is not None
        paths = study.inputs.patterns.path
        assert all(p.startswith(str(tmp_path)) for p in ([paths] if isinstance(paths, str) else paths))  # fmt: skip
