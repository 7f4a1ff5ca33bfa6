"""Whatever comes in: a result, or an error of the package that says what is allowed; never a hang."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from hypothesis import find, settings

from tests.fuzz.fuzzers import FUZZERS, LONG, SHORT
from tests.fuzz.inputs import STUDIES, is_toml


@pytest.mark.parametrize("name", FUZZERS)
def test_only_errors_of_the_package(name: str, long: bool, tmp_path: Path) -> None:
    """2,000 inputs that are the same every time; ``--long``: more and new ones, by a seed that a failure names."""
    seed = secrets.randbelow(2**32) if long else None
    counts, kinds = FUZZERS[name](LONG[name] if long else SHORT, tmp_path, seed)
    assert not kinds, f"seed {seed}, {dict(counts)}: {kinds}"
    assert counts.total() > 0.9 * SHORT
    # inputs are absurd, not impossible: some go through, or nothing behind the border was tried
    least = counts.total() / 100 if name == "arguments" else counts.total() / 200
    assert counts["result"] > least
    assert counts["refused"] > least


def test_study_files_get_past_the_parser_of_toml() -> None:
    assert find(STUDIES, is_toml, settings=settings(database=None)) is not None
