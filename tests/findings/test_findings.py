"""No finding comes back; the simulations in their short form."""

from __future__ import annotations

import pytest

from tests.findings import Finding, exact, scores

pytestmark = pytest.mark.filterwarnings("ignore::apastats.errors.ApaWarning")


@pytest.mark.parametrize("finding", exact.FINDINGS, ids=lambda f: f"{f.name}, {f.what}")
def test_right_value(finding: Finding) -> None:
    figure, holds = finding.run(0.05)
    assert holds, (finding.then, figure)


@pytest.mark.calibration
@pytest.mark.parametrize("finding", scores.FINDINGS, ids=lambda f: f"{f.name}, {f.what}")
def test_rate(finding: Finding, long: bool) -> None:
    figure, holds = finding.run(1.0 if long else 0.1)
    assert holds, (finding.then, figure)
