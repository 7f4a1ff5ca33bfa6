"""Whatever an argument is given: a result, or an error of the package that says what is allowed; never a hang."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from tests.fuzz.absurd import attempt, cases
from tests.fuzz.calls import starts


def test_only_errors_of_the_package(
    long: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2,000 calls with a fixed seed; ``--long``: 100,000 with a new one, which the failure names."""
    monkeypatch.chdir(tmp_path)  # absurd paths are made here
    seed = 20_261_129
    if long:
        import secrets

        seed = secrets.randbelow(2**32)
    known = starts()
    kinds, counts = {}, Counter[str]()
    for name, changes in islice(cases(known, seed), 100_000 if long else 2_000):
        outcome = attempt(known[name], changes)
        counts[outcome.what] += 1
        if outcome.what in ("escaped", "hang"):
            kinds.setdefault(outcome, (name, changes))
    assert not kinds, f"seed {seed}, {dict(counts)}: {kinds}"
    # the pool is absurd, not impossible: some calls go through, or nothing behind the border was tried
    assert counts["result"] > counts.total() / 100
