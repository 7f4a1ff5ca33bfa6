"""The page on formats holds the tables of the code."""

from __future__ import annotations

from pathlib import Path

from apastats.io.described import formats_page


def test_the_page_holds_what_the_code_says(repository: Path) -> None:
    assert (repository / "docs" / "formats.md").read_text("utf-8").endswith("\n\n" + formats_page())
