"""Names of columns as people have them: measures as scores, labels nobody knows, two labels in one name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import apastats as apa
from apastats.errors import DataError
from apastats.io.columns import NAMES, canonical
from apastats.rows import KEY_COLUMNS
from apastats.scoring.measures.measure import MEASURES
from apastats.scoring.methods import METHODS


def people(score: str = "score", **names: str) -> pd.DataFrame:
    random = np.random.default_rng(3)
    rows = [
        (f"{s:03d}", roi, net, random.normal(0.3, 0.1))
        for s in range(1, 4)
        for roi in ("V1", "V4", "IT")
        for net in ("resnet", "vit")
    ]
    frame = pd.DataFrame(rows, columns=["subject", "roi", "model", score])
    return frame.rename(columns=names)


CORRELATIONS = ["spearman", "Pearson", "pearson_r", "Spearman rho", "kendall", "Kendall tau"]
#: names of comparisons that are one score by themselves; the others stand with a word beside them
OWN = [
    m for m in METHODS if m in ("cosine", "corr", "spearman", "rho-a", "tau-a", "tau-b", "kendall")
]


@pytest.mark.parametrize("name", [*CORRELATIONS, *OWN, "procrustes", "cka"])
def test_the_name_of_a_measure_is_the_name_of_a_score(name: str) -> None:
    table = apa.read(people(name))
    assert table.outcomes == ("score",)
    assert np.array_equal(table.frame["score"], people()["score"])


@pytest.mark.parametrize(("one", "other"), [("spearman", "pearson"), ("rsa", "cka"), ("r", "r2")])
def test_two_measures_are_asked_for_and_may_be_metrics(one: str, other: str) -> None:
    both = people(one).assign(**{other: people()["score"] + 0.1})
    with pytest.raises(DataError, match=r"both claim 'score'.*wide='metric'"):
        apa.read(both)
    table = apa.read(both, wide="metric")
    assert set(table.frame["metric"]) == {one, other}
    assert len(table.frame) == 2 * len(both)


def test_measures_of_the_package_are_known_or_asked_for() -> None:
    for name in MEASURES:
        frame = people(name)
        if canonical(name) == "score":
            assert apa.read(frame).outcomes == ("score",)
        else:
            taken = re.escape(f"rename={{{name!r}: 'score'}} takes it as the score")
            with pytest.raises(DataError, match=taken):
                apa.read(frame)


def _suggested(error: DataError) -> list[tuple[str, str]]:
    line = str(error).partition("On the command line: ")[2].replace("'", "")
    return re.findall(r"--rename (\S+)=(\w+)", line)


@pytest.mark.parametrize("role", ["subject", "roi", "model", "score"])
def test_one_unknown_column_is_what_is_missing(role: str) -> None:
    odd = people(**{role: "Wobble"})
    with pytest.raises(DataError) as caught:
        apa.read(odd)
    assert _suggested(caught.value) == [("Wobble", role)]
    assert apa.read(odd, rename={"Wobble": role}).frame[role].tolist() == people()[role].tolist()


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_columns_that_could_be_each_other_are_not_guessed(order: tuple[int, ...]) -> None:
    odd = people(subject="Person", roi="Ort", model="Netz", score="Wert")
    odd = odd[[odd.columns[i] for i in order]]
    with pytest.raises(DataError) as caught:
        apa.read(odd)
    # numbers can only be the score; no label is given to a column by its place
    assert sorted(_suggested(caught.value)) == [
        ("COLUMN", "model"), ("COLUMN", "roi"), ("COLUMN", "subject"), ("Wert", "score"),
    ]  # fmt: skip
    text = [c for c in odd.columns if c != "Wert"]
    assert f"COLUMN being one of {text}" in str(caught.value)


def test_files_that_lack_a_label_may_state_it_in_their_names(tmp_path: Path) -> None:
    for subject, rows in people().groupby("subject"):
        rows.drop(columns="subject").to_csv(tmp_path / f"scores_p{subject}.csv", index=False)
    with pytest.raises(
        DataError, match=r"names of the files may state it, as in sub-NAME_scores\.csv"
    ):
        apa.read(tmp_path)
    for path in list(tmp_path.iterdir()):
        path.rename(tmp_path / f"sub-{path.stem[-3:]}_scores.csv")
    assert set(apa.read(tmp_path).frame["subject"]) == {"001", "002", "003"}


@pytest.mark.parametrize("mark", ["_", "-", ".", "/", " "])
def test_two_labels_in_one_name_are_told_with_the_lines_that_part_them(mark: str) -> None:
    long = people()
    frame = long.assign(both=long["roi"] + mark + long["model"]).pivot_table(
        index="subject", columns="both", values="score"
    ).reset_index()  # fmt: skip
    for call in (lambda: apa.read(frame), lambda: apa.read(frame, wide="model")):
        with pytest.raises(DataError, match="Each name holds two labels") as caught:
            call()
        assert "--defaults" not in str(caught.value)
        assert "--wide" not in str(caught.value)
    # the lines of the message, as they stand there
    lines = re.search(r"in pandas: (w = .+?); apa\.read\(w\)", str(caught.value))
    assert lines is not None
    names = {"frame": frame, "pandas": pd}
    exec(lines[1], names)
    table = apa.read(names["w"])
    one = table.frame.set_index(["subject", "roi", "model"])["score"].sort_index()
    assert np.allclose(one, long.set_index(["subject", "roi", "model"])["score"].sort_index())


def test_levels_that_only_look_like_two_labels_are_levels() -> None:
    wide = people().replace({"resnet": "clip_vit", "vit": "clip_resnet"})
    frame = wide.pivot_table(
        index=["subject", "roi"], columns="model", values="score"
    ).reset_index()
    assert set(apa.read(frame, wide="model").frame["model"]) == {"clip_vit", "clip_resnet"}


@pytest.mark.parametrize("role", ["subject", "roi", "model", "layer", "metric"])
def test_wide_knows_a_role_by_every_name_of_a_column(role: str) -> None:
    assert role in KEY_COLUMNS
    long = (
        people()
        if role in ("subject", "roi", "model")
        else people().assign(**{role: ["a", "b"] * 9})
    )
    index = [c for c in ("subject", "roi", "model", role) if c != role and c in long]
    frame = long.pivot_table(index=index, columns=role, values="score").reset_index()
    wanted = apa.read(frame, wide=role).frame
    for name in NAMES[role]:
        pd.testing.assert_frame_equal(apa.read(frame, wide=name).frame, wanted)
        levels = [str(v) for v in long[role].unique()]
        assert len(apa.read(frame, wide={name: levels}).frame) == len(wanted)


def _calls() -> list[Callable[[], object]]:
    return [lambda: apa.read(people(), wide="wobble"), lambda: apa.read(people(), wide="kind")]


@pytest.mark.parametrize("call", _calls())
def test_wide_refuses_what_is_no_role(call: Callable[[], object]) -> None:
    with pytest.raises(apa.errors.InputError, match="^wide: got"):
        call()
