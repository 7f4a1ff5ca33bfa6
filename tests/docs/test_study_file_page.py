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
