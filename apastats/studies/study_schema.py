"""The JSON schema of a study file, for editors that complete and check TOML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from apastats.studies.sections import StudyFile
from apastats.studies.words import WORDS, keys_of_study

__all__ = ["schema_path", "schema_text", "study_schema"]


def schema_path() -> Path:
    """Where the installed package holds the schema, of its own version."""
    return Path(__file__).resolve().with_name("study.schema.json")


def study_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of ``study.toml``, the meaning of each key as its description.

    Examples
    --------
    >>> found = study_schema()
    >>> found["$defs"]["BootstrapSection"]["properties"]["conf_level"]["description"]
    'level of the interval'
    """
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema |= StudyFile.model_json_schema()
    schema["title"] = "study.toml of apastats"
    words = {model.__name__: WORDS[name] for name, model in keys_of_study().items()}
    # both margins are sections of one class
    words["EquivalenceSection"] = WORDS["equivalence"]
    for name, definition in schema["$defs"].items():
        for key, described in definition.get("properties", {}).items():
            described.pop("title", None)
            if meaning := words.get(name, {}).get(key):
                described["description"] = meaning.replace("`", "")
    return schema


def schema_text() -> str:
    """The schema as the package ships it."""
    return json.dumps(study_schema(), indent=1, ensure_ascii=False) + "\n"
