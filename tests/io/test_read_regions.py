"""Tables of regions, and what takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DataError, InputError, StudyError

HEAD = "Area;Stream;Hemi;X;Y;Z;voxels\n"
ROWS = [
    "V1;early;lh;-8,5;-90;2;300",
    "V1;early;rh;9,5;-88;4;310",
    "FFC;ventral;R;40;-50;-18;120",
    "MT;dorsal;L;-45;-67;4;90",
]


def test_names_streams_sides_and_places(tmp_path: Path) -> None:
    """Another separator, decimal mark and other names; hemispheres of one region are one region."""
    file = tmp_path / "regions.txt"
    file.write_text(HEAD + "\n".join(ROWS) + "\n")
    found = apa.read_regions(file)
    assert found.names == ["V1", "FFC", "MT"]
    assert found.streams == {"early": ["V1"], "ventral": ["FFC"], "dorsal": ["MT"]}
    assert found.hemispheres == {"V1": "both", "FFC": "right", "MT": "left"}
    np.testing.assert_allclose(
        found.coordinates, [[9.0, -89.0, 3.0], [40, -50, -18], [-45, -67, 4]]
    )
    assert found.table["voxels"].tolist() == [300, 120, 90]
    assert found.select(["MT", "V1"]).names == ["V1", "MT"]
    with pytest.raises(InputError, match="V9"):
        found.select(["V9"])


def test_what_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "regions.tsv"
    for text, message in (
        ("roi\tx\ty\nV1\t1\t2\nV1\t3\t4\n", "line 3.*'V1' has several rows"),
        ("roi\tx\ty\nV1\t1\tfar\n", "must be numbers"),
        ("roi\tx\ty\nV1\t1\t\nV2\t1\t2\n", "line 2.*'y' has no number"),
        ("place\tx\ty\nV1\t1\t2\n", "no column of names"),
        ("roi\tlabel\nV1\ta\n", "could all be 'roi'"),
        ("roi\themi\tstream\nV1\tl\ta\nV1\tr\tb\n", "in streams"),
    ):
        file.write_text(text)
        with pytest.raises(DataError, match=message):
            apa.read_regions(file)
    file.write_text("roi\tlabel\nV1\ta\n")
    assert apa.read_regions(file, rename={"label": "roi"}).names == ["a"]
    with pytest.raises(DataError, match="coordinates need columns"):
        _ = apa.read_regions(file, rename={"label": "roi"}).coordinates
    with pytest.raises(DataError, match="no column 'stream'"):
        _ = apa.read_regions(file, rename={"label": "roi"}).streams
    with pytest.raises(InputError, match="rename"):
        apa.read_regions(file, rename={"name": "roi"})
    with pytest.raises(InputError, match="rename"):
        apa.read_regions(file, rename={"label": "place"})


@pytest.fixture(scope="module")
def study():
    return apa.simulate(n_subject=6, n_model=2, n_layer=1, n_tied=1, rois=["r1", "r2", "r3", "r4", "r5"],
                        streams=None, rng=1)  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    names = ["r5", "r4", "r3", "r2", "r1", "r0"]
    frame = pd.DataFrame({"roi": names, "stream": list("aabbbb")})
    places = pd.DataFrame(rng.standard_normal((6, 3)), columns=list("xyz"))
    frame.join(places).to_csv(tmp_path / "regions.csv", index=False)
    return tmp_path / "regions.csv"


def test_nulls_take_the_table(study, file: Path) -> None:
    """Streams and places of a table give what the same mapping and frame give."""
    regions = apa.read_regions(file)
    patterns = apa.alignment_patterns(study.scores.where(split="test"))
    for null, option in (("within_stream", "streams"), ("spatial", "coordinates")):
        by_table = apa.agreement_test(
            patterns, null=null, n_resamples=99, rng=1, **{option: regions}
        )
        by_hand = apa.agreement_test(
            patterns, null=null, n_resamples=99, rng=1, **{option: getattr(regions, option)}
        )
        pd.testing.assert_frame_equal(by_table.table, by_hand.table)


def test_a_study_takes_its_regions_from_the_file(study, file: Path, tmp_path: Path) -> None:
    study.scores.frame.drop(columns="stream").to_csv(tmp_path / "scores.csv", index=False)
    text = """
[inputs]
scores = "scores.csv"
regions = "regions.csv"
[[analysis]]
name = "near"
verb = "agreement_test"
data = "patterns"
options = { null = "spatial", coordinates = { result = "regions" }, n_resamples = 99 }
[[analysis]]
name = "inside"
verb = "agreement_test"
data = "patterns"
options = { null = "within_stream", streams = { result = "regions" }, n_resamples = 99 }
"""
    (tmp_path / "study.toml").write_text(text)
    done = apa.run_study(tmp_path / "study.toml", output=tmp_path / "out")
    scores = done.results["scores"]
    # in the order of the table, with its streams
    assert scores.levels("roi") == ["r5", "r4", "r3", "r2", "r1"]
    of = scores.frame.drop_duplicates("roi").set_index("roi")["stream"].astype(str).to_dict()
    assert of == {"r5": "a", "r4": "a", "r3": "b", "r2": "b", "r1": "b"}
    assert {"near", "inside"} <= set(done.results)
    file.write_text("roi\nr1\nr2\n")
    with pytest.raises(StudyError, match="inputs.regions: 'r3' is not in the table"):
        apa.run_study(tmp_path / "study.toml", output=tmp_path / "out2")


def test_a_column_called_by_its_role_is_it(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("name,group,stream\nV1,a,early\nMT,b,dorsal\n")
    found = apa.read_regions(tmp_path / "r.csv")
    assert found.streams == {"early": ["V1"], "dorsal": ["MT"]}
    assert found.table["group"].tolist() == ["a", "b"]
    other = apa.read_regions(tmp_path / "r.csv", rename={"group": "stream"})
    assert other.streams == {"a": ["V1"], "b": ["MT"]}
