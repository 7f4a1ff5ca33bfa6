"""The page on the study file names every key of the schema."""

from __future__ import annotations

import re
from pathlib import Path

from apastats.studies.sections import StudyFile
from apastats.studies.words import WORDS, keys_of_study, reference_table


def test_the_page_shows_every_key_and_its_default(repository: Path) -> None:
    text = (repository / "docs" / "study_file.md").read_text("utf-8")
    assert reference_table() in text
    for section, model in keys_of_study().items():
        assert set(WORDS[section]) == set(model.model_fields), section
    assert set(WORDS) == set(keys_of_study())
    inner = {key for key in keys_of_study() if key.endswith(".NAME")}
    assert set(StudyFile.model_fields) == set(keys_of_study()) - inner


def test_the_decision_page_names_verbs_that_exist(repository: Path) -> None:
    import apastats

    text = (repository / "docs" / "which_test.md").read_text("utf-8")
    cells = [line.split("|")[2] for line in text.splitlines() if line.count("|") >= 4]
    named = {m for cell in cells for m in re.findall(r"`([a-z_]+)", cell)} - {"apastats"}
    assert named <= set(apastats.EXPORTS), named - set(apastats.EXPORTS)
