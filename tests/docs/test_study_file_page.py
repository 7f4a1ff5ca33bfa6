"""The page on the study file names every key of the schema."""

from __future__ import annotations

import re
from pathlib import Path

from apastats.studies.schema import StudyFile


def test_every_key_is_documented(repository: Path) -> None:
    text = (repository / "docs" / "study_file.md").read_text("utf-8")
    documented = set(re.findall(r"`([a-z_]+)`", text))
    for name, field in StudyFile.model_fields.items():
        assert f"[{name}]" in text, name
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for section in (k for k in kinds if hasattr(k, "model_fields")):
            assert set(section.model_fields) <= documented, set(section.model_fields) - documented


def test_the_decision_page_names_verbs_that_exist(repository: Path) -> None:
    import apastats

    text = (repository / "docs" / "which_test.md").read_text("utf-8")
    cells = [line.split("|")[2] for line in text.splitlines() if line.count("|") >= 4]
    named = {m for cell in cells for m in re.findall(r"`([a-z_]+)", cell)} - {"apastats"}
    assert named <= set(apastats.EXPORTS), named - set(apastats.EXPORTS)
