"""Every case of every JSON in --reference-dir, through the public API."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.reference.cases_io import Unhandled


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "reference_case" not in metafunc.fixturenames:
        return
    directory: Path = metafunc.config.getoption("--reference-dir")
    parameters, names = [], []
    for path in sorted(directory.glob("*.json")):
        content = json.loads(path.read_text("utf-8"))
        cases = {case["id"]: case for case in content["cases"]}
        for name, case in cases.items():
            parameters.append((content.get("topic", path.stem), case, cases, directory))
            names.append(f"{path.stem}-{name}")
    if not parameters:
        raise pytest.UsageError(f"--reference-dir {directory}: no reference JSON there")
    metafunc.parametrize("reference_case", parameters, ids=names)


def test_reference(reference_case: tuple[str, dict[str, Any], dict[str, Any], Path]) -> None:
    topic, case, cases, directory = reference_case
    try:
        handler = importlib.import_module(f"tests.reference.handlers.{topic}")
    except ModuleNotFoundError as error:
        raise Unhandled(f"no handler for topic {topic!r}") from error
    handler.check(case, directory, cases)
