"""Every table of a study takes the options of the reader, and lists and patterns of files."""

# ruff: noqa: E501  (one set of options a line)

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from apastats.studies.inputs import _tables
from apastats.studies.schema import parse_study
from tests.io.test_border_tables import same, spread, tidy

F = tidy()


def _renamed(p: Path) -> None:
    F.rename(columns={"model": "thing", "score": "outcome"}).to_csv(p / "t.csv", index=False)


def _wide(p: Path) -> None:
    spread().assign(extra=1.5).to_csv(p / "t.csv", index=False, sep=";", decimal=",")


def _sheets(p: Path) -> None:
    with pd.ExcelWriter(str(p / "t.xlsx")) as writer:
        F.to_excel(writer, sheet_name="one", index=False)
        F.assign(score=0.0).to_excel(writer, sheet_name="two", index=False)


def _beside(p: Path) -> None:
    F.drop(columns="roi").assign(cond=F["roi"], wobble=0.5, junk=0.25).to_csv(
        p / "t.csv", index=False
    )


def _parts(p: Path) -> None:
    F[:20].to_csv(p / "a_1.csv", index=False)
    F[20:].to_csv(p / "a_2.csv", index=False)


OPTIONS = {
    "rename": (_renamed, 'path = "t.csv"\nrename = { thing = "model", outcome = "score" }'),
    "wide, sep, decimal, ignore": (_wide, 'path = "t.csv"\nwide = "model"\nsep = ";"\ndecimal = ","\nignore = ["extra"]'),
    "wide, named": (_wide, 'path = "t.csv"\nwide = { model = ["clip", "resnet", "dino"] }\ncovariates = ["extra"]'),
    "sheet": (_sheets, 'path = "t.xlsx"\nsheet = "one"'),
    "sheet by number": (_sheets, 'path = "t.xlsx"\nsheet = 0'),
    "covariates, ignore, rename": (_beside, 'path = "t.csv"\nrename = { cond = "roi" }\ncovariates = ["wobble"]\nignore = ["junk"]'),
    "list": (_parts, 'path = ["a_1.csv", "a_2.csv"]\ndefaults = { metric = "rsa" }'),
    "pattern": (_parts, 'path = "a_*.csv"\nencoding = "utf-8"\ncomment = "#"'),
}  # fmt: skip


@pytest.mark.parametrize("section", ["scores", "tables.mine"])
@pytest.mark.parametrize("what", OPTIONS)
def test_a_table_of_a_study_is_read_with_its_options(
    tmp_path: Path, what: str, section: str
) -> None:
    make, lines = OPTIONS[what]
    make(tmp_path)
    (tmp_path / "study.toml").write_text(f"[inputs.{section}]\n{lines}\n")
    study, _ = parse_study(tmp_path / "study.toml")
    (table,) = _tables(study.inputs, lambda name: None)
    same(table, F)
    if "defaults" in lines:
        assert table.levels("metric") == ["rsa"]
    if "wobble" in lines:
        assert table.covariates == ("wobble",)
