"""Findings of others on an early version: each made again, its figure then, its figure now.

``python -m tests.findings [share of the data sets]`` prints the table; :mod:`tests.findings.test_findings` holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Finding", "shares"]


@dataclass(frozen=True)
class Finding:
    """What was found, what it was then, and how it is made again.

    ``run(share) -> (figure now, holds)``: ``share`` of the data sets of the full form; findings without chance
    take no notice of it.
    """

    name: str
    what: str
    then: str
    run: Callable[[float], tuple[str, bool]]


def shares(values: dict[str, float]) -> str:
    """``a .05, b .95``."""
    return ", ".join(f"{k} {v:.3f}".replace(" 0.", " .") for k, v in values.items())
