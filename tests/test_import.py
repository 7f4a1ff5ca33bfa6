"""Importing and asking for help stay light."""

from __future__ import annotations

import subprocess
import sys

import pytest

import apastats

HEAVY = (
    "statsmodels",
    "rsatoolbox",
    "matplotlib",
    "torch",
    "pingouin",
    "arviz",
    "bambi",
    "scipy.stats",
    "pandas",
)


@pytest.mark.parametrize(
    "code",
    [
        "import apastats",
        "import sys; sys.argv = ['apastats', '--help']; from apastats.cli import main; main()",
    ],
)
def test_heavy_packages_stay_out(code: str) -> None:
    tail = "import sys; "
    tail += f"loaded = [m for m in {HEAVY!r} if m in sys.modules]; sys.stderr.write('LOADED ' + repr(loaded))"
    program = f"try:\n    exec({code!r})\nexcept SystemExit:\n    pass\n{tail}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr.endswith("LOADED []"), done.stderr


def test_every_export_exists_and_is_documented() -> None:
    for name in apastats.EXPORTS:
        found = getattr(apastats, name)
        assert found.__doc__, name
    assert list(apastats.EXPORTS) == sorted(apastats.EXPORTS)


def test_unknown_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        apastats.nonsense  # noqa: B018
