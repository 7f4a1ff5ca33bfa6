"""Options and fixtures shared by all tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# one BLAS thread: results must not depend on it, and timings of neighbours would
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# the same examples every time, and no limit on their time: a run on a busy machine must not fail for it;
# --long draws new ones
settings.register_profile("short", deadline=None, derandomize=True)
settings.register_profile("long", deadline=None, max_examples=500)

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--reference-dir",
        type=Path,
        default=REPOSITORY / "tests" / "reference" / "cases",
        help="folder of reference cases (JSON and csv)",
    )
    parser.addoption(
        "--long", action="store_true", help="run calibration and fuzz in their long form"
    )
    parser.addoption(
        "--data-dir",
        type=Path,
        default=REPOSITORY.parent / "shared" / "data",
        help="folder of real data sets; tests that need one of them are skipped where it is absent",
    )


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("long" if config.getoption("--long") else "short")


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def long(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(scope="session")
def data_dir(pytestconfig: pytest.Config) -> Path:
    folder: Path = pytestconfig.getoption("--data-dir")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (--data-dir)")
    return folder


@pytest.fixture(autouse=True)
def settings_of_figures() -> Iterator[None]:
    """Settings of matplotlib as they were: other packages' plots change fonts for all that follow."""
    loaded = sys.modules.get("matplotlib")
    before = None if loaded is None else dict.copy(loaded.rcParams)
    yield
    loaded = sys.modules.get("matplotlib")
    if loaded is not None and before is None:
        loaded.rcdefaults()
    elif loaded is not None and dict.items(loaded.rcParams) != dict.items(before):
        dict.update(loaded.rcParams, before)
